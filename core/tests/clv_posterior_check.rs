//! Posterior predictive checks of customers that the model made, and of others.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use headwater::clv::posterior::{
    BootstrapOptions, Posterior, PosteriorCheckOptions, PosteriorOptions, bootstrap, laplace,
    sample_posterior,
};
use headwater::clv::purchases_with;
use headwater::column::{Columns, Table};
use headwater::{Error, Run};
use rand::RngExt;
use rand_distr::{Beta, Distribution, Exp, Gamma};

/// Customers observed for 20 to 40 periods who buy at every k-th tick, and leave after a
/// purchase with a probability of their own.
fn simulate([r, alpha, a, b]: [f64; 4], k: u32, customers: usize, seed: u64) -> [Vec<f64>; 3] {
    let mut rng = Run::new().seed(seed).rng(0);
    let (mut x, mut t_x, mut age) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..customers {
        let end = (20.0 + 20.0 * rng.random::<f64>()).floor();
        let rate: f64 = Gamma::new(r, 1.0 / alpha).unwrap().sample(&mut rng).max(1e-12);
        let drop: f64 = Beta::new(a, b).unwrap().sample(&mut rng);
        let (mut n, mut last) = (0.0, 0.0);
        loop {
            let gap: f64 = (0..k).map(|_| Exp::new(rate).unwrap().sample(&mut rng)).sum();
            if last + gap > end {
                break;
            }
            (n, last) = (n + 1.0, last + gap);
            if rng.random::<f64>() < drop {
                break;
            }
        }
        x.push(n);
        t_x.push(last);
        age.push(end);
    }
    [x, t_x, age]
}

fn frame([x, t_x, age]: &[Vec<f64>; 3]) -> Columns {
    Columns::new().with("frequency", x.clone()).with("recency", t_x.clone()).with("T", age.clone())
}

const BG: [f64; 4] = [0.9, 7.0, 0.8, 3.0];

fn draws(kind: &str, frame: &Columns) -> Posterior {
    let options = PosteriorOptions { draws: 250, ..PosteriorOptions::default() };
    laplace(kind, frame, &options, &Run::new().seed(5)).unwrap().0
}

fn check(posterior: &Posterior, frame: &Columns) -> Table {
    posterior.check(frame, &PosteriorCheckOptions::default(), &Run::new()).unwrap().table()
}

fn p(table: &Table) -> Vec<(String, f64)> {
    let p = table.f64s("p").unwrap();
    (0..table.rows()).map(|row| (table.text("statistic", row).unwrap().into_owned(), p[row])).collect()
}

#[test]
fn customers_that_the_model_made_are_not_strange() {
    for seed in 0..6 {
        let frame = frame(&simulate(BG, 1, 1500, seed));
        let table = check(&draws("BetaGeo", &frame), &frame);
        let found = p(&table);
        println!("{found:.3?}");
        let names: Vec<&str> = found.iter().map(|f| f.0.as_str()).collect();
        assert_eq!(names[..2], ["share_0", "share_1"]);
        assert_eq!(names[7..], ["share_7_or_more", "mean", "variance", "bought_lately"]);
        for (name, p) in found {
            assert!((0.005..=0.995).contains(&p), "{name}: {p}");
        }
        let at = |name: &str| table.f64s(name).unwrap();
        for row in 0..table.rows() {
            assert!(at("low")[row] <= at("expected")[row] && at("expected")[row] <= at("high")[row]);
        }
        let shares = |name: &str| at(name)[..8].iter().sum::<f64>();
        assert!((shares("observed") - 1.0).abs() < 1e-12 && (shares("expected") - 1.0).abs() < 1e-12);
    }
}

/// Nearly one rate for all, bought at like clockwork: their number of purchases varies
/// less than random purchases can.
#[test]
fn regular_buyers_are_strange_to_a_law_of_purchases_at_random() {
    let frame = frame(&simulate([30.0, 70.0, 0.5, 6.0], 3, 1500, 1));
    let found = p(&check(&draws("BetaGeo", &frame), &frame));
    println!("{found:.3?}");
    let of = |name: &str| found.iter().find(|f| f.0 == name).unwrap().1;
    // The model makes too many who never return, and too great a variance.
    assert!(of("share_0") > 0.995 && of("variance") > 0.995, "{found:?}");
    // The law that they come from finds nothing, but does not tell who bought lately.
    let options = PosteriorOptions { k: 3, draws: 250, ..PosteriorOptions::default() };
    let (regular, _) = laplace("BetaGeoCNBD", &frame, &options, &Run::new()).unwrap();
    let found = p(&check(&regular, &frame));
    println!("{found:.3?}");
    assert_eq!(found.len(), 10);
    assert!(found.iter().all(|(_, p)| (0.005..=0.995).contains(p)), "{found:?}");
}

/// Half of the customers stopped long ago; a law without dropout until the end expects
/// them to buy still.
#[test]
fn customers_who_all_left_are_missed_lately() {
    let [x, t_x, age] = simulate(BG, 1, 1200, 2);
    // The same purchases, in the first half of each life.
    let halved: Vec<f64> = t_x.iter().map(|t| 0.5 * t).collect();
    let (whole, early) = (frame(&[x.clone(), t_x, age.clone()]), frame(&[x, halved, age]));
    let posterior = draws("BetaGeo", &whole);
    let found = p(&check(&posterior, &early));
    assert!(found.last().unwrap().1 > 0.999, "{found:?}");
    assert_eq!(found[..10], p(&check(&posterior, &whole))[..10]);
}

/// Means over the draws are those of the distributions themselves.
#[test]
fn what_is_expected_is_the_mean_of_the_law_over_the_draws() {
    let rows = simulate([0.9, 7.0, 0.7, 9.0], 1, 400, 3);
    let (frame, ages) = (frame(&rows), &rows[2]);
    for kind in ["ParetoNBD", "ModifiedBetaGeo"] {
        let posterior = draws(kind, &frame);
        let options = PosteriorCheckOptions { most_draws: 200, ..Default::default() };
        let table = posterior.check(&frame, &options, &Run::new()).unwrap().table();
        let mut exact = [0.0; 3];
        for draw in posterior.draws().step_by(20) {
            let model = purchases_with(&format!("clv.{kind}"), draw, 1, None).unwrap();
            for age in (20..40).map(f64::from) {
                let customers = ages.iter().filter(|a| **a == age).count() as f64;
                let mass = model.probabilities(0.0, 0.0, 0.0, age, 1).unwrap();
                let mean = model.expected_purchases(0.0, 0.0, 0.0, age).unwrap();
                for (exact, value) in exact.iter_mut().zip([mass[0], mass[1], mean]) {
                    *exact += customers * value / 400.0 / 50.0;
                }
            }
        }
        let at = |name: &str| table.f64s(name).unwrap();
        for (row, exact) in [0, 1, 8].into_iter().zip(exact) {
            // Of 200 replicates and of a twentieth of the draws, whose spread is below the interval's.
            let error = (at("high")[row] - at("low")[row]) / 3.3 * (1.0_f64 / 200.0 + 1.0 / 50.0).sqrt();
            assert!((at("expected")[row] - exact).abs() < 4.0 * error, "{kind} {row}: {exact}");
        }
    }
}

#[test]
fn threads_the_order_of_rows_and_weights_change_nothing() {
    let rows = simulate(BG, 1, 300, 4);
    let reversed = rows.clone().map(|column| column.into_iter().rev().collect());
    let (frame, other) = (frame(&rows), frame(&reversed).with("many", vec![1.0; 300]));
    let posterior = draws("BetaGeo", &frame);
    let options = PosteriorCheckOptions { weight: Some("many".into()), ..Default::default() };
    let first = posterior.check(&frame, &PosteriorCheckOptions::default(), &Run::new().threads(1)).unwrap();
    assert_eq!(first, posterior.check(&other, &options, &Run::new().threads(3)).unwrap());
    assert_ne!(first, posterior.check(&other, &options, &Run::new().seed(1)).unwrap());
}

#[test]
fn every_method_and_law_can_be_checked() {
    let frame = frame(&simulate(BG, 1, 300, 6));
    let run = Run::new();
    for kind in ["GGompertzNBD", "ModifiedBetaGeoCNBD", "BetaGeoCNBD"] {
        let options = PosteriorCheckOptions { most_draws: 40, ..PosteriorCheckOptions::default() };
        let table = draws(kind, &frame).check(&frame, &options, &run).unwrap().table();
        let at = |name: &str| table.f64s(name).unwrap()[8];
        assert!((at("expected") / at("observed") - 1.0).abs() < 0.15, "{kind}: {table:?}");
        assert!(p(&table).iter().all(|(_, p)| (0.0..=1.0).contains(p)), "{kind}: {table:?}");
    }
    let whole = Columns::new()
        .with("frequency", vec![0.0, 1.0, 2.0, 3.0, 1.0, 0.0])
        .with("recency", vec![0.0, 2.0, 5.0, 6.0, 4.0, 0.0])
        .with("T", vec![6.0, 6.0, 6.0, 6.0, 4.0, 0.0]);
    assert_eq!(check(&draws("BetaGeoBetaBinomial", &whole), &whole).rows(), 11);
    let options = PosteriorOptions { draws: 50, tune: 100, ..Default::default() };
    let (nuts, _) = sample_posterior("BetaGeo", &frame, &options, &run).unwrap();
    let (refits, _) = bootstrap("BetaGeo", &frame, &BootstrapOptions::default(), &run).unwrap();
    for posterior in [nuts, refits] {
        let found = p(&check(&posterior, &frame));
        assert!(found.iter().all(|(_, p)| (0.003..=0.997).contains(p)), "{found:?}");
    }
}

/// Who came at the last moment has bought nothing yet, and the model knows it.
#[test]
fn customers_without_any_time() {
    let posterior = draws("ParetoNBD", &frame(&simulate(BG, 1, 300, 8)));
    let new = frame(&[vec![0.0; 9], vec![0.0; 9], vec![0.0; 9]]);
    let table = check(&posterior, &new);
    for column in ["observed", "expected", "low", "high"] {
        let values = table.f64s(column).unwrap();
        assert!(values[0] == 1.0 && values[1..].iter().all(|v| *v == 0.0), "{column}: {values:?}");
    }
    assert!(table.f64s("p").unwrap().iter().all(|p| *p == 0.5));
}

#[test]
fn bad_input_is_named() {
    let frame = frame(&simulate(BG, 1, 100, 7));
    let posterior = draws("BetaGeo", &frame);
    let run = Run::new();
    let failed = |options: PosteriorCheckOptions, frame: &Columns| posterior.check(frame, &options, &run);
    let default = PosteriorCheckOptions::default;
    for (options, named) in [
        (PosteriorCheckOptions { most: 0, ..default() }, "most"),
        (PosteriorCheckOptions { level: 1.0, ..default() }, "level"),
        (PosteriorCheckOptions { most_draws: 0, ..default() }, "most_draws"),
    ] {
        let found = failed(options, &frame);
        assert!(matches!(&found, Err(Error::Option { option, .. }) if option == named), "{found:?}");
    }
    let weighted =
        frame.clone().with("many", (0..100).map(|i| 1.0 + 0.5 * f64::from(i % 2)).collect::<Vec<_>>());
    let options = PosteriorCheckOptions { weight: Some("many".into()), ..default() };
    let found = failed(options.clone(), &weighted);
    assert!(
        matches!(&found, Err(Error::Row { column, row: 1, count: 50, .. }) if column == "many"),
        "{found:?}"
    );
    let nobody = frame.clone().with("many", vec![0.0; 100]);
    assert!(matches!(failed(options, &nobody), Err(Error::NotEnoughData { .. })));
    let none = posterior.report("check", None, "{}", &run);
    assert!(matches!(none, Err(Error::Option { option, .. }) if option == "frame"));
}
