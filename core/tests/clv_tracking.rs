//! Intervals of the tracking of purchases beside sums over all histories and
//! simulated cohorts.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use headwater::clv::{
    BetaGeo, BetaGeoModel, Covariates, History, ParetoNbdModel, PurchaseOptions, Purchases, Quantity,
    RfmSlices, Tracking, TrackingOptions, Unit, at, fit_purchases, purchases_with, tracking, tracking_of,
};
use headwater::column::{Columns, Duration, TimeUnit};
use headwater::{Error, Run};
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution, Exp, Gamma};

const DAY: Option<Unit> = Some(Unit::Span(Duration::from_days(1)));

fn options(step: u32, end: i64, interval: Option<f64>) -> TrackingOptions {
    TrackingOptions {
        period: Some(Duration::from_days(step).into()),
        observation_end: Some(headwater::clv::When::Micros(end * 86_400_000_000 - 1)),
        time_unit: Some(TimeUnit::Microsecond),
        interval,
        ..TrackingOptions::default()
    }
}

/// Orders at days and parts of them, with a name for each customer.
fn orders(of: &[(usize, f64)]) -> Columns {
    let customer: Vec<String> = of.iter().map(|o| o.0.to_string()).collect();
    let time: Vec<i64> = of.iter().map(|o| (o.1 * 86_400e6) as i64).collect();
    Columns::new().with("customer", customer).with("time", time)
}

fn column(found: &Tracking, name: &str) -> Vec<f64> {
    found.table().f64s(name).unwrap().to_vec()
}

/// Variances of these customers' purchases in each step, and up to its end.
fn variances_of(model: &dyn Purchases, customers: &[(usize, f64)], step: u32, end: i64) -> [Vec<f64>; 2] {
    let found = tracking(&orders(customers), model, &options(step, end, Some(0.5)), &Run::new()).unwrap();
    let z = 0.674_489_750_196_081_7;
    ["expected", "expected_cumulative"].map(|name| {
        let high = column(&found, &format!("{name}_high"));
        high.iter().zip(column(&found, name)).map(|(high, mean)| ((high - mean) / z).powi(2)).collect()
    })
}

/// Gauss–Legendre of 10 nodes in so many panels.
fn nodes(from: f64, to: f64, panels: usize) -> Vec<(f64, f64)> {
    let rule = [
        (0.148_874_338_981_631_2, 0.295_524_224_714_752_9),
        (0.433_395_394_129_247_2, 0.269_266_719_309_996_4),
        (0.679_409_568_299_024_4, 0.219_086_362_515_982_04),
        (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
        (0.973_906_528_517_171_7, 0.066_671_344_308_688_14),
    ];
    let half = 0.5 * (to - from) / panels as f64;
    (0..panels)
        .map(|i| from + half * (2 * i + 1) as f64)
        .flat_map(|centre| {
            rule.map(|(x, w)| [(centre - half * x, half * w), (centre + half * x, half * w)]).concat()
        })
        .collect()
}

fn ln_factorial(n: u32) -> f64 {
    (2..=n).map(|i| f64::from(i).ln()).sum()
}

/// Var of the purchases in (t₁, t₂] by summing over all histories up to t₁: their
/// probability, and what the law says of each of them.
fn by_histories(model: &dyn Purchases, t1: f64, t2: f64) -> f64 {
    let k = model.ticks();
    let mut total = [0.0; 3];
    let mut add = |width: f64, ln_ways: f64, history: History| {
        let likelihood = width * (ln_ways + model.quantity(history, Quantity::LogLikelihood)).exp();
        let mass = model.probabilities_of(history, t2 - t1, 80);
        for (power, total) in total.iter_mut().enumerate() {
            let moment: f64 = mass.iter().enumerate().map(|(n, p)| (n as f64).powi(power as i32) * p).sum();
            *total += likelihood * moment;
        }
    };
    add(1.0, 0.0, History { age: t1, ..History::default() });
    for n in 1..=40_u32 {
        // The earlier n − 1 of n purchases lie anywhere before the last.
        if model.is_discrete() {
            for last in n..=t1 as u32 {
                let ways = ln_factorial(last - 1) - ln_factorial(n - 1) - ln_factorial(last - n);
                add(
                    1.0,
                    ways,
                    History { frequency: n, recency: f64::from(last), age: t1, ..History::default() },
                );
            }
        } else {
            for (last, width) in nodes(0.0, t1, 3) {
                let ways = f64::from(k * n - 1) * last.ln() - ln_factorial(k * n - 1);
                add(width, ways, History { frequency: n, recency: last, age: t1, ..History::default() });
            }
        }
    }
    assert!((total[0] - 1.0).abs() < 1e-8, "{}: histories add up to {}", model.kind(), total[0]);
    total[2] - total[1] * total[1]
}

#[test]
fn variances_are_those_of_all_histories() {
    for (kind, values, k) in [
        ("clv.BetaGeo", vec![1.4, 9.0, 0.9, 2.0], 1),
        ("clv.ModifiedBetaGeo", vec![1.4, 9.0, 0.9, 2.0], 1),
        ("clv.BetaGeoCNBD", vec![1.4, 3.0, 0.9, 2.0], 3),
        ("clv.ModifiedBetaGeoCNBD", vec![1.4, 4.0, 0.9, 2.0], 2),
        ("clv.ParetoNBD", vec![1.4, 9.0, 0.7, 6.0], 1),
        ("clv.GGompertzNBD", vec![1.4, 9.0, 0.1, 0.7, 2.0], 1),
        ("clv.BetaGeoBetaBinomial", vec![1.4, 4.0, 0.7, 6.0], 1),
        // Nearly as regular as a clock.
        ("clv.BetaGeoCNBD", vec![8.0, 3.0, 0.9, 6.0], 10),
    ] {
        let model = purchases_with(kind, &values, k, DAY).unwrap();
        let [steps, cumulative] = variances_of(&*model, &[(0, 0.0)], 4, 12);
        for (i, (step, sofar)) in steps.iter().zip(&cumulative).enumerate() {
            // The grain of the first purchase is no opportunity to buy again.
            let late = if model.is_discrete() { 1.0 } else { 0.0 };
            let [from, to] = [i, i + 1].map(|i| (4.0 * i as f64 - late).max(0.0));
            let exact = if i == 0 { *sofar } else { by_histories(&*model, from, to) };
            let mass = model.probabilities_of(History::default(), to, 400);
            let moment = |power: i32| -> f64 {
                mass.iter().enumerate().map(|(n, p)| (n as f64).powi(power) * p).sum()
            };
            let whole = moment(2) - moment(1).powi(2);
            println!("{kind}: {from}–{to}: {step} for {exact}, {sofar} for {whole}");
            assert!((sofar / whole - 1.0).abs() < 1e-9, "{kind} up to {to}: {sofar} for {whole}");
            if k == 1 {
                assert!((step / exact - 1.0).abs() < 1e-9, "{kind} {from}–{to}: {step} for {exact}");
            } else {
                // A bound from above, and a close one unless purchases are clockwork.
                assert!(*step > exact * (1.0 - 1e-6), "{kind} {from}–{to}: {step} for {exact}");
                assert!(k > 3 || *step < exact * 1.25, "{kind} {from}–{to}: {step} for {exact}");
            }
        }
    }
}

/// A second customer comes late in the first step, so that the next is most of a life.
#[test]
fn a_step_that_is_most_of_a_life_is_bounded() {
    for (kind, values, k) in
        [("clv.BetaGeoCNBD", [1.4, 3.0, 0.9, 2.0], 3), ("clv.BetaGeoCNBD", [8.0, 3.0, 0.9, 6.0], 10)]
    {
        let model = purchases_with(kind, &values, k, DAY).unwrap();
        let [alone, _] = variances_of(&*model, &[(0, 0.0)], 4, 8);
        let [both, _] = variances_of(&*model, &[(0, 0.0), (1, 3.0)], 4, 8);
        let (late, exact) = (both[1] - alone[1], by_histories(&*model, 1.0, 5.0));
        println!("{kind} {k}: {late} for {exact}");
        assert!(late > exact * (1.0 - 1e-6) && late < 3.0 * exact, "{k}: {late} for {exact}");
    }
}

/// One customer's first and repeat purchases until day `end`, whose life ends by `dies`.
fn live(
    rng: &mut impl Rng,
    first: f64,
    end: f64,
    rate: f64,
    mut dies: impl FnMut(&mut dyn Rng, f64) -> bool,
) -> Vec<f64> {
    let mut times = vec![first];
    let mut now = first;
    loop {
        now += Exp::new(rate.max(1e-12)).unwrap().sample(rng);
        if now > end || dies(rng, now - first) {
            return times;
        }
        times.push(now);
    }
}

const BG: [f64; 4] = [1.1, 9.0, 0.8, 3.0];
const PARETO: [f64; 4] = [1.1, 9.0, 0.7, 12.0];

/// Customers who come over the first ten days, in whole grains of an hour.
fn cohort(seed: u64, customers: usize, end: f64, pareto: bool) -> Vec<(usize, f64)> {
    let mut rng = Run::new().seed(seed).rng(7);
    let mut out = Vec::new();
    for customer in 0..customers {
        let first = if customer == 0 { 0.0 } else { (10.0 * rng.random::<f64>()).floor() };
        let [r, alpha, a, b] = if pareto { PARETO } else { BG };
        let rate: f64 = Gamma::new(r, 1.0 / alpha).unwrap().sample(&mut rng);
        let times = if pareto {
            let hazard: f64 = Gamma::new(a, 1.0 / b).unwrap().sample(&mut rng);
            let life = Exp::new(hazard.max(1e-12)).unwrap().sample(&mut rng);
            live(&mut rng, first, end, rate, |_, age| age > life)
        } else {
            let p: f64 = Beta::new(a, b).unwrap().sample(&mut rng);
            let mut left = false;
            live(&mut rng, first, end, rate, |rng, _| {
                let gone = left;
                left = left || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 <= p;
                gone
            })
        };
        out.extend(times.into_iter().map(|t| (customer, t)));
    }
    out
}

/// How often actual purchases lay within the bounds of 90 %, of steps and cumulative.
fn coverage(cohorts: u64, mut track: impl FnMut(u64) -> Tracking) -> [Vec<f64>; 2] {
    let mut inside = [Vec::new(), Vec::new()];
    for seed in 0..cohorts {
        let found = track(seed);
        for (inside, (actual, expected)) in
            inside.iter_mut().zip([("actual", "expected"), ("actual_cumulative", "expected_cumulative")])
        {
            let actual = column(&found, actual);
            let (low, high) =
                (column(&found, &format!("{expected}_low")), column(&found, &format!("{expected}_high")));
            inside.resize(actual.len(), 0.0);
            for (i, actual) in actual.iter().enumerate() {
                // Half a purchase for the step of what is counted.
                if (low[i] - 0.5..=high[i] + 0.5).contains(actual) {
                    inside[i] += 1.0 / cohorts as f64;
                }
            }
        }
    }
    inside
}

#[test]
fn bounds_hold_nine_of_ten_cohorts() {
    let cohorts = 200;
    for pareto in [false, true] {
        let model: Box<dyn Purchases> = if pareto {
            Box::new(ParetoNbdModel::from_parameters(PARETO, 1, DAY).unwrap())
        } else {
            let [r, alpha, a, b] = BG;
            Box::new(BetaGeoModel::from_parameters(r, alpha, a, b, DAY).unwrap())
        };
        let options = TrackingOptions { grain: Duration::from_micros(1).into(), ..options(8, 40, Some(0.9)) };
        let [steps, cumulative] = coverage(cohorts, |seed| {
            tracking(&orders(&cohort(seed, 150, 40.0, pareto)), &*model, &options, &Run::new()).unwrap()
        });
        println!("pareto {pareto}: {steps:.3?} {cumulative:.3?}");
        // 90 % within three standard errors: √(0.9 · 0.1 / 200) = 2.1 %.
        for share in steps.iter().chain(&cumulative) {
            assert!((share - 0.9).abs() < 0.064, "{steps:?} {cumulative:?}");
        }
    }
}

/// Fitted on one cohort, tracked on another of the same law: the errors of the
/// parameters count, and without them the bounds of the cumulative column fail.
#[test]
fn a_fitted_model_is_uncertain_of_its_parameters() {
    let options = TrackingOptions { grain: Duration::from_micros(1).into(), ..options(8, 40, Some(0.9)) };
    let mut blind = 0.0;
    let [steps, cumulative] = coverage(100, |seed| {
        let (mut x, mut t_x, mut age) = (Vec::new(), Vec::new(), Vec::new());
        for customer in cohort(1000 + seed, 800, 40.0, false).chunk_by(|a, b| a.0 == b.0) {
            let (first, last) = (customer[0].1, customer[customer.len() - 1].1);
            x.push(customer.len() as f64 - 1.0);
            t_x.push(last - first);
            age.push(40.0 - first);
        }
        let rows = RfmSlices { frequency: &x, recency: &t_x, age: &age, period: DAY, ..RfmSlices::default() };
        let model = BetaGeo::new().fit(&rows, &Run::new()).unwrap();
        let others = orders(&cohort(seed, 800, 40.0, false));
        let found = tracking(&others, &model, &options, &Run::new()).unwrap();
        let [r, alpha, a, b] = model.params();
        let known = BetaGeoModel::from_parameters(r, alpha, a, b, DAY).unwrap();
        let narrow = tracking(&others, &known, &options, &Run::new()).unwrap();
        assert_eq!(found.expected_cumulative, narrow.expected_cumulative);
        let (actual, last) = (column(&found, "actual_cumulative"), found.expected_cumulative.len() - 1);
        let edge = |t, name: &str| column(t, name)[last];
        let (low, high) =
            (edge(&narrow, "expected_cumulative_low"), edge(&narrow, "expected_cumulative_high"));
        assert!(
            edge(&found, "expected_cumulative_low") < low && edge(&found, "expected_cumulative_high") > high
        );
        blind += f64::from(u8::from((low..=high).contains(&actual[last]))) / 100.0;
        found
    });
    println!("{steps:.2?} {cumulative:.2?}, parameters taken as known {blind:.2}");
    // Three standard errors of a share of 100.
    for share in steps.iter().chain(&cumulative) {
        assert!((share - 0.9).abs() < 0.09, "{steps:?} {cumulative:?}");
    }
    assert!(blind < 0.85, "{blind}");
}

#[test]
fn bounds_are_asked_for_and_change_nothing_else() {
    let model = purchases_with("clv.BetaGeo", &BG, 1, DAY).unwrap();
    let frame = orders(&cohort(1, 40, 40.0, false));
    let track = |level, threads| {
        tracking(&frame, &*model, &options(7, 40, level), &Run::new().threads(threads)).unwrap().table()
    };
    let (plain, bounded) = (track(None, 1), track(Some(0.9), 1));
    assert_eq!(plain.columns().len() + 4, bounded.columns().len());
    assert!(plain.columns().iter().zip(bounded.columns()).all(|(a, b)| a == b));
    assert_eq!(bounded, track(Some(0.9), 2));
    let failed = tracking(&frame, &*model, &options(7, 40, Some(1.0)), &Run::new());
    assert!(matches!(failed, Err(Error::Option { option, .. }) if option == "interval"));
}

/// Two kinds of customers, of whom those of the second buy half as often: their orders, all and each
/// kind's, and the frame of customers.
fn two_kinds(each: usize, end: f64) -> (Columns, [Vec<(usize, f64)>; 2], Columns) {
    let of = |kind: usize| -> Vec<(usize, f64)> {
        let mut out = Vec::new();
        for mine in cohort(31 + kind as u64, each, end, true).chunk_by(|a, b| a.0 == b.0) {
            let kept = mine.iter().enumerate().filter(|(i, _)| *i == 0 || kind == 0 || i % 2 == 0);
            out.extend(kept.map(|(_, (customer, time))| (kind * each + customer, *time)));
        }
        out
    };
    let kinds = [of(0), of(1)];
    let all = kinds.concat();
    let mut found: Vec<[f64; 5]> = Vec::new();
    for mine in all.chunk_by(|a, b| a.0 == b.0) {
        let (first, last) = (mine[0].1, mine[mine.len() - 1].1);
        let customer = mine[0].0;
        let kind = if customer < each { 0.0 } else { 1.0 };
        found.push([customer as f64, kind, mine.len() as f64 - 1.0, last - first, end - first]);
    }
    let take = |i: usize| found.iter().map(|row| row[i]).collect::<Vec<f64>>();
    let names: Vec<String> = take(0).iter().map(|c| format!("{c}")).collect();
    let customers = Columns::new()
        .with("customer", names)
        .with("kind", take(1))
        .with("frequency", take(2))
        .with("recency", take(3))
        .with("T", take(4));
    (orders(&all), kinds, customers)
}

fn with_kinds(customers: &Columns, penalty: f64) -> Box<dyn Purchases> {
    let covariates = Covariates {
        purchase_penalty: penalty,
        dropout_penalty: penalty,
        ..Covariates::new(["kind"], ["kind"])
    };
    let fit = PurchaseOptions { period: DAY, covariates: Some(covariates), ..PurchaseOptions::default() };
    fit_purchases("clv.ParetoNBD", customers, &fit, &Run::new()).unwrap().0
}

fn close(found: &Tracking, wanted: &[Vec<f64>], names: &[&str], within: f64) {
    for (name, wanted) in names.iter().zip(wanted) {
        for (found, wanted) in column(found, name).iter().zip(wanted) {
            assert!((found - wanted).abs() < within * wanted.abs(), "{name}: {found} for {wanted}");
        }
    }
}

const EXPECTED: [&str; 6] = [
    "expected",
    "expected_cumulative",
    "expected_low",
    "expected_high",
    "expected_cumulative_low",
    "expected_cumulative_high",
];

#[test]
fn covariates_that_do_nothing_track_as_none() {
    let (orders, _, customers) = two_kinds(300, 40.0);
    let run = Run::new();
    let fit = PurchaseOptions { period: DAY, ..PurchaseOptions::default() };
    let (plain, _) = fit_purchases("clv.ParetoNBD", &customers, &fit, &run).unwrap();
    // A penalty that no likelihood outweighs holds coefficients at 0.
    let held = with_kinds(&customers, 1e12);
    assert!(held.effects().unwrap().coefficients().iter().all(|c| c.value.abs() < 1e-9));
    let options = options(8, 40, Some(0.9));
    let wanted = tracking(&orders, &*plain, &options, &run).unwrap();
    let found = tracking_of(&orders, &customers, &*held, &options, &run).unwrap();
    let wanted: Vec<Vec<f64>> = EXPECTED.iter().map(|name| column(&wanted, name)).collect();
    close(&found, &wanted, &EXPECTED, 1e-6);
}

#[test]
fn tracking_is_the_sum_of_each_kind_by_its_own_law() {
    let (all, kinds, customers) = two_kinds(300, 40.0);
    let run = Run::new();
    let model = with_kinds(&customers, 0.0);
    let how = TrackingOptions {
        cohort: Some(serde_json::from_str("\"week\"").unwrap()),
        ..options(8, 40, Some(0.9))
    };
    let found = tracking_of(&all, &customers, &*model, &how, &run).unwrap();
    let laws = [0.0, 1.0].map(|kind| at(&*model, &Columns::new().with("kind", vec![kind]), &run).unwrap());
    let each: Vec<Tracking> =
        (0..2).map(|i| tracking(&orders(&kinds[i]), &*laws[i], &how, &run).unwrap()).collect();
    let sums: Vec<Vec<f64>> = EXPECTED[..2]
        .iter()
        .map(|name| column(&each[0], name).iter().zip(column(&each[1], name)).map(|(a, b)| a + b).collect())
        .collect();
    close(&found, &sums, &EXPECTED[..2], 1e-12);
    let by_cohort = |t: &Tracking| -> Vec<(i64, u64, f64)> {
        let last = |v: &[f64]| v.last().copied().unwrap();
        let cohorts = t.cohorts.as_ref().unwrap();
        cohorts.iter().map(|c| (c.cohort, c.customers, last(&c.expected_cumulative))).collect()
    };
    let (whole, parts) = (by_cohort(&found), [by_cohort(&each[0]), by_cohort(&each[1])]);
    assert!(whole.len() > 1);
    for (i, cohort) in whole.iter().enumerate() {
        let (a, b) = (parts[0][i], parts[1][i]);
        assert_eq!((cohort.0, cohort.1), (a.0, a.1 + b.1));
        assert!((cohort.2 - a.2 - b.2).abs() < 1e-12 * cohort.2);
    }

    // Bounds: the kinds' chances add up, and both have the parameters and coefficients in common.
    let chance: f64 = (0..2)
        .map(|i| {
            let known = purchases_with("clv.ParetoNBD", &laws[i].estimates().values, 1, DAY).unwrap();
            let [_, sofar] = variances_of(&*known, &kinds[i], 8, 40);
            *sofar.last().unwrap()
        })
        .sum();
    let effects = model.effects().unwrap();
    let mut point: Vec<f64> = model.estimates().values.iter().map(|v| v.ln()).collect();
    point.extend(effects.coefficients().iter().map(|c| c.value));
    let births: Vec<(f64, f64)> = kinds
        .iter()
        .zip([-0.5, 0.5]) // as many of each kind
        .flat_map(|(orders, z)| orders.chunk_by(|a, b| a.0 == b.0).map(move |own| (z, own[0].1)))
        .collect();
    let expected = |p: &[f64]| -> f64 {
        let law = |z: f64| [p[0], p[1] - p[4] * z, p[2], p[3] - p[5] * z].map(f64::exp);
        let ask = |z: f64, birth: f64| {
            let periods = 40.0 - birth;
            model.quantity_at(&law(z), History::default(), Quantity::Purchases { periods })
        };
        births.iter().map(|(z, birth)| ask(*z, *birth)).sum()
    };
    let told = *found.expected_cumulative.last().unwrap();
    assert!((expected(&point) - told).abs() < 1e-9 * told, "{} {told}", expected(&point));
    let slopes: Vec<f64> = (0..point.len())
        .map(|i| {
            let [up, down] = [1e-5, -1e-5].map(|h| {
                let mut p = point.clone();
                p[i] += h;
                expected(&p)
            });
            (up - down) / 2e-5
        })
        .collect();
    let pairs = slopes.iter().zip(effects.covariance());
    let shared: f64 =
        pairs.map(|(a, row)| row.iter().zip(&slopes).map(|(c, b)| a * b * c).sum::<f64>()).sum();
    let reach = column(&found, "expected_cumulative_high").last().unwrap() - told;
    let (wanted, z) = ((chance + shared).sqrt(), 1.644_853_626_951_472_2);
    assert!(shared > 0.1 * chance, "{shared} {chance}");
    assert!((reach / z / wanted - 1.0).abs() < 1e-4, "{} for {wanted}", reach / z);
}

#[test]
fn customers_who_are_not_told_are_refused_by_name() {
    let (orders, _, customers) = two_kinds(60, 40.0);
    let run = Run::new();
    let (model, how) = (with_kinds(&customers, 0.01), options(8, 40, Some(0.9)));
    let failed = tracking(&orders, &*model, &how, &run);
    assert!(matches!(failed, Err(Error::Option { option, .. }) if option == "model"));
    let few = |names: &[&str]| {
        Columns::new()
            .with("customer", names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
            .with("kind", vec![1.0; names.len()])
    };
    let failed = tracking_of(&orders, &few(&["0", "2"]), &*model, &how, &run);
    assert!(matches!(failed, Err(Error::Column { column, reason })
        if column == "customer" && reason.contains("customer `1` has orders")));
    let failed = tracking_of(&orders, &few(&["0", "1", "0"]), &*model, &how, &run);
    assert!(matches!(failed, Err(Error::Row { row: 2, .. })), "{failed:?}");
    let failed = tracking_of(&orders, &Columns::new().with("customer", vec!["0"]), &*model, &how, &run);
    assert!(matches!(failed, Err(Error::Column { column, .. }) if column == "kind"));
    // A model without covariates asks nothing of customers.
    let plain = purchases_with("clv.ParetoNBD", &PARETO, 1, DAY).unwrap();
    let found = tracking_of(&orders, &few(&[]), &*plain, &how, &run).unwrap();
    assert_eq!(found, tracking(&orders, &*plain, &how, &run).unwrap());
}
