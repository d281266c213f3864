//! Posteriors, Laplace approximations and bootstraps of the models of purchases
//! beside brute-force grids, simulation-based calibration, fits and CDNOW
//! (`../shared/golden/clv`; skipped where absent).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use headwater::clv::posterior::{
    BootstrapOptions, DrawPredictOptions, LogNormal, Posterior, PosteriorOptions, Prior, SummaryOptions,
    bootstrap, laplace, sample_posterior,
};
use headwater::clv::{BetaGeo, BetaGeoModel, RfmSlices};
use headwater::column::{Columns, Table};
use headwater::run::Monitor;
use headwater::{Error, Run, model};
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution, Exp, Gamma};

/// BG/NBD customers, each observed for a time of 20 to 40.
fn simulate([r, alpha, a, b]: [f64; 4], customers: usize, seed: u64) -> [Vec<f64>; 3] {
    let mut rng = Run::new().seed(seed).rng(0);
    let mut out = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..customers {
        let end = (20.0 + 20.0 * rng.random::<f64>()).floor();
        let rate: f64 = Gamma::new(r, 1.0 / alpha).unwrap().sample(&mut rng).max(1e-12);
        let drop: f64 = Beta::new(a, b).unwrap().sample(&mut rng);
        let (mut x, mut last) = (0.0, 0.0);
        loop {
            let next = last + Exp::new(rate).unwrap().sample(&mut rng);
            if next > end {
                break;
            }
            (x, last) = (x + 1.0, next);
            if rng.random::<f64>() < drop {
                break;
            }
        }
        out[0].push(x);
        out[1].push(last);
        out[2].push(end);
    }
    out
}

fn frame([x, t_x, t]: [Vec<f64>; 3]) -> Columns {
    let customers: Vec<String> = (0..x.len()).map(|i| i.to_string()).collect();
    Columns::new().with("customer", customers).with("frequency", x).with("recency", t_x).with("T", t)
}

fn cdnow() -> Option<[Vec<f64>; 3]> {
    let file = support::golden("clv/cdnow_rfm_exact.csv")?;
    let mut reader = csv::Reader::from_path(file).unwrap();
    let names = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str, by: f64| -> Vec<f64> {
        let at = names.iter().position(|n| n == name).unwrap();
        rows.iter().map(|row| row[at].parse::<f64>().unwrap() / by).collect()
    };
    Some([column("x", 1.0), column("tx_days", 7.0), column("T_days", 7.0)])
}

fn flat(draws: usize) -> PosteriorOptions {
    PosteriorOptions { prior: Prior::Flat, draws, ..Default::default() }
}

fn summary(posterior: &Posterior) -> Table {
    posterior.table(&SummaryOptions::default()).unwrap()
}

#[test]
fn cdnow_in_half_a_second() {
    let Some(rows) = cdnow() else { return };
    let slices = RfmSlices { frequency: &rows[0], recency: &rows[1], age: &rows[2], ..Default::default() };
    let fit = BetaGeo::new().fit(&slices, &Run::new()).unwrap();
    let frame = frame(rows.clone());
    let run = Run::new().threads(1);
    let start = Instant::now();
    let (posterior, _) = sample_posterior("BetaGeo", &frame, &flat(1000), &run).unwrap();
    println!("NUTS, 4 x 1000: {:.3} s", start.elapsed().as_secs_f64());
    let table = summary(&posterior);
    println!("{table:#?}\n{:#?}", posterior.fit_table());
    assert_eq!(posterior.divergences(), 0);
    for (i, r_hat) in table.f64s("r_hat").unwrap().iter().enumerate() {
        assert!(*r_hat < 1.01 && *r_hat > 0.99, "{i}: {r_hat}");
        assert!(table.f64s("ess_bulk").unwrap()[i] > 400.0);
        let (mode, mle) = (posterior.estimate()[i], fit.params()[i]);
        assert!((mode / mle - 1.0).abs() < 1e-6, "{i}: the mode is {mode}, the estimate {mle}");
    }
    let start = Instant::now();
    let (found, _) = bootstrap("BetaGeo", &frame, &BootstrapOptions::default(), &run).unwrap();
    println!("bootstrap, 1000: {:.3} s", start.elapsed().as_secs_f64());
    assert_eq!(found.failed(), 0);
    let table = summary(&found);
    for (i, error) in fit.standard_errors().iter().enumerate() {
        let ratio = table.f64s("sd").unwrap()[i] / error.unwrap();
        println!("bootstrap sd / standard error of {}: {ratio:.3}", found.parameters()[i]);
        assert!((0.75..1.5).contains(&ratio), "{i}: {ratio}");
    }
    let start = Instant::now();
    let options = DrawPredictOptions { periods: 39.0.into(), ..Default::default() };
    posterior.predict(&frame, &options, &run).unwrap();
    println!("predict, 400 draws: {:.3} s", start.elapsed().as_secs_f64());
}

#[test]
fn every_law_samples() {
    let Some(rows) = cdnow() else { return };
    let run = Run::new();
    let kinds = [("ModifiedBetaGeo", 1), ("BetaGeoCNBD", 2), ("ModifiedBetaGeoCNBD", 2), ("ParetoNBD", 1)];
    for (kind, k) in kinds {
        let options = PosteriorOptions { chains: 2, draws: 100, tune: 80, k, ..Default::default() };
        let start = Instant::now();
        let found = sample_posterior(kind, &frame(rows.clone()), &options, &run);
        let (posterior, _) = found.unwrap_or_else(|e| panic!("{kind}: {e}"));
        println!("{kind}: {:.3} s", start.elapsed().as_secs_f64());
        for r_hat in summary(&posterior).f64s("r_hat").unwrap() {
            assert!(*r_hat < 1.1, "{kind}: {r_hat}");
        }
    }
}

// Two parameters free, the others held by priors of no width: the posterior on a grid.
#[test]
fn the_grid_agrees() {
    let truth = [0.6, 8.0, 0.9, 2.5];
    let rows = simulate(truth, 300, 1);
    let mean_age = rows[2].iter().sum::<f64>() / 300.0;
    let tight = |median: f64| LogNormal { median, sd: 1e-4 };
    let priors = BTreeMap::from([
        ("a".to_owned(), tight(0.9)),
        ("b".to_owned(), tight(2.5)),
        ("alpha".to_owned(), LogNormal { median: 0.5, sd: 1.0 }),
    ]);
    let options = PosteriorOptions { priors, draws: 4000, ..Default::default() };
    let (posterior, _) = sample_posterior("BetaGeo", &frame(rows.clone()), &options, &Run::new()).unwrap();
    let run = Run::new().threads(1);
    let slices = RfmSlices { frequency: &rows[0], recency: &rows[1], age: &rows[2], ..Default::default() };
    let (mut total, mut sums) = (0.0, [0.0; 4]);
    let mut top = None;
    for i in 0..80 {
        for j in 0..80 {
            let (u, v) = (f64::from(i) / 79.0 - 0.5, f64::from(j) / 79.0 - 0.5);
            let (ln_r, ln_alpha) = (0.6_f64.ln() + 2.4 * u, 8.0_f64.ln() + 3.0 * v);
            let at = BetaGeoModel::from_parameters(ln_r.exp(), ln_alpha.exp(), 0.9, 2.5, None).unwrap();
            let prior = -0.5 * (ln_r / 2.0).powi(2) - 0.5 * (ln_alpha - (0.5 * mean_age).ln()).powi(2);
            let value = at.evaluate(&slices, &run).unwrap().0 + prior;
            let weight = (value - *top.get_or_insert(value) - 100.0).exp();
            total += weight;
            for (sum, v) in sums.iter_mut().zip([ln_r, ln_alpha, ln_r * ln_r, ln_alpha * ln_alpha]) {
                *sum += weight * v;
            }
        }
    }
    let logs: Vec<[f64; 2]> = posterior.draws().map(|d| [d[0].ln(), d[1].ln()]).collect();
    for i in 0..2 {
        let mean = logs.iter().map(|l| l[i]).sum::<f64>() / logs.len() as f64;
        let sd = (logs.iter().map(|l| (l[i] - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt();
        let want = sums[i] / total;
        let want_sd = (sums[i + 2] / total - want * want).sqrt();
        println!("{i}: mean {mean} {want}, sd {sd} {want_sd}");
        assert!((mean - want).abs() < 0.08 * want_sd, "{i}: {mean} for {want}");
        assert!((sd / want_sd - 1.0).abs() < 0.06, "{i}: {sd} for {want_sd}");
    }
}

// Simulation-based calibration (Talts et al. 2018): parameters drawn from the
// prior have uniform ranks among the draws of their posteriors.
#[test]
fn ranks_are_uniform() {
    const ROUNDS: u64 = 100;
    let sd = 0.35;
    let medians = [0.7, 0.3, 0.9, 2.5];
    let names = ["r", "alpha", "a", "b"];
    let mut counts = [[0_u32; 5]; 4];
    for round in 0..ROUNDS {
        let mut rng = Run::new().seed(900 + round).rng(1);
        let z: [f64; 4] = std::array::from_fn(|_| {
            headwater::math::normal_quantile((rng.next_u64() >> 11) as f64 / 2_f64.powi(53) + 1e-17)
        });
        // The priors' times are in mean T, which is not known before: 30 is what it comes to.
        let truth: [f64; 4] =
            std::array::from_fn(|i| medians[i] * if i == 1 { 30.0 } else { 1.0 } * (sd * z[i]).exp());
        let rows = simulate(truth, 250, round);
        let mean_age = rows[2].iter().sum::<f64>() / 250.0;
        let priors = (0..4)
            .map(|i| {
                let median = medians[i] * if i == 1 { 30.0 / mean_age } else { 1.0 };
                (names[i].to_owned(), LogNormal { median, sd })
            })
            .collect();
        let options = PosteriorOptions { priors, chains: 1, draws: 495, tune: 100, ..Default::default() };
        let (posterior, _) =
            sample_posterior("BetaGeo", &frame(rows), &options, &Run::new().threads(1).seed(round)).unwrap();
        for i in 0..4 {
            // Every fifth draw, as neighbours are not independent.
            let below = posterior.draws().step_by(5).filter(|d| d[i] < truth[i]).count();
            counts[i][(below / 20).min(4)] += 1;
        }
    }
    for (name, counts) in names.iter().zip(counts) {
        let expected = ROUNDS as f64 / 5.0;
        let chi: f64 = counts.iter().map(|c| (f64::from(*c) - expected).powi(2) / expected).sum();
        println!("{name}: {counts:?}, chi-squared {chi:.1}");
        assert!(chi < 18.5, "{name}: {counts:?}"); // 0.1 % of chi-squared with 4 degrees of freedom
    }
}

#[test]
fn threads_and_the_order_of_rows_change_no_bit() {
    let rows = simulate([0.6, 8.0, 0.9, 2.5], 400, 3);
    let back = rows.clone().map(|mut column| {
        column.reverse();
        column
    });
    let options = PosteriorOptions { draws: 60, tune: 60, ..Default::default() };
    let refits = BootstrapOptions { replicates: 40, ..Default::default() };
    for kind in ["BetaGeo", "ModifiedBetaGeo"] {
        let draw = |rows: &[Vec<f64>; 3], threads: usize, seed: u64| {
            let (frame, run) = (frame(rows.clone()), Run::new().threads(threads).seed(seed));
            [
                sample_posterior(kind, &frame, &options, &run).unwrap().0,
                laplace(kind, &frame, &options, &run).unwrap().0,
                bootstrap(kind, &frame, &refits, &run).unwrap().0,
            ]
        };
        let first = draw(&rows, 1, 4);
        assert_eq!(first, draw(&rows, 3, 4));
        assert_eq!(first, draw(&back, 2, 4));
        for (one, other) in first.iter().zip(draw(&rows, 1, 5)) {
            assert_ne!(one.draws_table(), other.draws_table());
        }
    }
}

#[test]
fn laplace_is_the_covariance_of_the_fit() {
    let rows = simulate([0.6, 8.0, 0.9, 2.5], 3000, 5);
    let slices = RfmSlices { frequency: &rows[0], recency: &rows[1], age: &rows[2], ..Default::default() };
    let fit = BetaGeo::new().fit(&slices, &Run::new()).unwrap();
    let (found, _) = laplace("clv.BetaGeo", &frame(rows.clone()), &flat(2500), &Run::new()).unwrap();
    for i in 0..4 {
        let logs: Vec<f64> = found.draws().map(|d| d[i].ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let sd = (logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt();
        let want = fit.estimates().covariance[i][i].sqrt();
        assert!((sd / want - 1.0).abs() < 0.05, "{i}: {sd} for {want}");
        assert!((mean - fit.params()[i].ln()).abs() < 0.06 * want, "{i}");
    }
}

#[test]
fn a_model_file_predicts_the_same() {
    let rows = simulate([0.6, 8.0, 0.9, 2.5], 500, 6);
    let (frame, run) = (frame(rows), Run::new());
    let json = r#"{"draws": 200, "tune": 100}"#;
    let (posterior, _) = Posterior::fit("nuts", "BetaGeo", &frame, json, &run).unwrap();
    let back: Posterior = model::from_bytes(&model::to_bytes(&posterior).unwrap()).unwrap();
    assert_eq!(back, posterior);
    let json = r#"{"periods": 10, "purchase_interval": 0.9, "most_draws": 100}"#;
    let tables = posterior.report("predict", Some(&frame), json, &run).unwrap();
    assert_eq!(tables, back.report("predict", Some(&frame), json, &run.clone().threads(1)).unwrap());
    let table = &tables[0].1;
    let column = |name: &str| table.f64s(name).unwrap();
    for i in 0..500 {
        assert!(column("expected_purchases_low")[i] <= column("expected_purchases")[i] + 1e-12);
        assert!(column("expected_purchases")[i] <= column("expected_purchases_high")[i] + 1e-12);
        assert!((0.0..=1.0).contains(&column("p_alive_low")[i]));
        assert!(column("p_alive_low")[i] <= column("p_alive_high")[i]);
        assert!(column("purchases_low")[i] <= column("expected_purchases_high")[i]);
    }
    for name in ["posterior", "draws", "fit"] {
        assert_eq!(posterior.report(name, None, "{}", &run).unwrap()[0].0, name);
    }
    assert!(posterior.report("nothing", None, "{}", &run).is_err());
    assert!(posterior.report("predict", None, "{}", &run).is_err());
}

#[test]
fn without_dropout_the_prior_keeps_all_finite() {
    // Everybody buys until the end.
    let (mut x, mut t_x, mut t) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..200 {
        x.push(f64::from(1 + i % 7));
        t_x.push(29.5);
        t.push(30.0);
    }
    let rows = frame([x, t_x, t]);
    let run = Run::new();
    let (posterior, _) = sample_posterior("BetaGeo", &rows, &PosteriorOptions::default(), &run).unwrap();
    let table = summary(&posterior);
    assert!(table.f64s("high").unwrap().iter().all(|v| v.is_finite() && *v < 1e6), "{table:?}");
    assert!(table.f64s("r_hat").unwrap().iter().all(|v| *v < 1.05), "{table:?}");
    // The data let b / a run off, and without a prior there is no mode.
    let found = laplace("BetaGeo", &rows, &flat(100), &run);
    assert!(matches!(&found, Err(Error::NotConverged { hint, .. }) if hint.contains("weak")), "{found:?}");
    sample_posterior("BetaGeo", &rows, &flat(50), &run).unwrap();
    let refits = BootstrapOptions { replicates: 50, ..Default::default() };
    let (found, _) = bootstrap("BetaGeo", &rows, &refits, &run).unwrap();
    println!("{:?}", found.fit_table());
    assert_eq!(found.len() + found.failed(), 50);
}

#[test]
fn few_customers_and_none_that_return() {
    let run = Run::new();
    let three = frame([vec![0.0, 2.0, 5.0], vec![0.0, 7.0, 21.0], vec![20.0, 30.0, 22.0]]);
    let (posterior, _) = sample_posterior("BetaGeo", &three, &PosteriorOptions::default(), &run).unwrap();
    assert!(summary(&posterior).f64s("r_hat").unwrap().iter().all(|v| *v < 1.05));
    laplace("BetaGeo", &three, &PosteriorOptions::default(), &run).unwrap();
    let refits = BootstrapOptions { replicates: 30, penalty: 0.1, ..Default::default() };
    let (found, _) = bootstrap("BetaGeo", &three, &refits, &run).unwrap();
    assert_eq!(found.len() + found.failed(), 30);
    assert!(found.failed() > 0, "some replicates have nobody who returns");

    let once = frame([vec![0.0; 3], vec![0.0; 3], vec![20.0, 30.0, 22.0]]);
    for kind in ["BetaGeo", "ParetoNBD"] {
        let errors = [
            sample_posterior(kind, &once, &PosteriorOptions::default(), &run).unwrap_err(),
            laplace(kind, &once, &PosteriorOptions::default(), &run).unwrap_err(),
            bootstrap(kind, &once, &BootstrapOptions::default(), &run).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::NotEnoughData { .. }), "{error}");
        }
    }
}

#[test]
fn bad_options_are_named() {
    let three = frame([vec![0.0, 2.0, 5.0], vec![0.0, 7.0, 21.0], vec![20.0, 30.0, 22.0]]);
    let run = Run::new();
    for (method, kind, json, wrong) in [
        ("nuts", "BetaGeo", r#"{"chains": 0}"#, "chains"),
        ("nuts", "BetaGeo", r#"{"contract": {"data": "customers"}}"#, "contract"),
        ("bootstrap", "BetaGeo", r#"{"contract": {}}"#, "contract"),
        ("nuts", "BetaGeo", r#"{"draws": 0}"#, "draws"),
        ("nuts", "BetaGeo", r#"{"draws": 18446744073709551615}"#, "draws"),
        ("nuts", "BetaGeo", r#"{"tune": 0}"#, "tune"),
        ("nuts", "BetaGeo", r#"{"target_accept": 1.5}"#, "target_accept"),
        ("nuts", "BetaGeo", r#"{"max_depth": 99}"#, "max_depth"),
        ("nuts", "BetaGeo", r#"{"prior": "strong"}"#, "prior"),
        ("nuts", "BetaGeo", r#"{"priors": {"q": {"median": 1, "sd": 1}}}"#, "priors"),
        ("laplace", "BetaGeo", r#"{"priors": {"r": {"median": -1, "sd": 1}}}"#, "priors"),
        ("laplace", "BetaGeo", r#"{"k": 2}"#, "k"),
        ("laplace", "Nothing", "{}", "model"),
        ("bootstrap", "BetaGeo", r#"{"replicates": 1}"#, "replicates"),
        ("bootstrap", "BetaGeo", r#"{"tolerance": -1}"#, "tolerance"),
        ("jackknife", "BetaGeo", "{}", "method"),
    ] {
        let error = Posterior::fit(method, kind, &three, json, &run).unwrap_err();
        assert!(matches!(&error, Error::Option { option, .. } if option == wrong), "{json}: {error}");
    }
    let monitor = Monitor::new();
    monitor.cancel();
    let run = Run::new().monitor(Arc::clone(&monitor));
    let found = sample_posterior("BetaGeo", &three, &PosteriorOptions::default(), &run);
    assert!(matches!(found, Err(Error::Cancelled)));
}
