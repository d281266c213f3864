//! Data that break other libraries: every law fits them and says what it found, or says why not.
#![allow(missing_docs)]
#![allow(clippy::disallowed_methods)] // references may be computed by the platform
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests as in tests

use std::fs::File;
use std::path::PathBuf;

use headwater::clv::{
    PurchaseOptions, Purchases, Rfm, RfmSlices, SummarizeOptions, fit_purchases, summarize,
};
use headwater::column::{Columns, Table, Values};
use headwater::{Error, Result, Run};
use rand_distr::{Distribution, Exp, Gamma, StandardUniform};

/// The laws in continuous time, and the options that they are fitted with.
const LAWS: [(&str, u32); 6] = [
    ("clv.BetaGeo", 1),
    ("clv.ModifiedBetaGeo", 1),
    ("clv.BetaGeoCNBD", 2),
    ("clv.ModifiedBetaGeoCNBD", 2),
    ("clv.ParetoNBD", 1),
    ("clv.GGompertzNBD", 1),
];

type Data = [Vec<f64>; 3];

fn fit(law: (&str, u32), [x, t_x, t]: &Data) -> Result<Box<dyn Purchases>> {
    let table = Table::new()
        .with("frequency", Values::F64(x.clone()))
        .with("recency", Values::F64(t_x.clone()))
        .with("T", Values::F64(t.clone()));
    let options = PurchaseOptions { k: law.1, ..PurchaseOptions::default() };
    Ok(fit_purchases(law.0, &Columns::from(table), &options, &Run::new())?.0)
}

/// A fit that is there is one: finite, named, and sane for these customers.
fn sound(model: &dyn Purchases, [x, t_x, t]: &Data) {
    let estimates = model.estimates();
    let what = format!("{} {:?} {}", model.kind(), estimates.values, estimates.verdict.name());
    assert!(estimates.values.iter().all(|v| v.is_finite() && *v > 0.0), "{what}");
    assert!(estimates.log_likelihood.is_some_and(f64::is_finite), "{what}");
    let step = (x.len() / 40).max(1);
    for i in (0..x.len()).step_by(step) {
        let (x, t_x, t) = (x[i], t_x[i], t[i]);
        let alive = model.p_alive(x, t_x, t, 0.0).unwrap();
        assert!((0.0..=1.0).contains(&alive), "{what}: P(alive) {alive} of {x} {t_x} {t}");
        let expected = model.expected_purchases(x, t_x, t, t.max(1.0)).unwrap();
        // Nobody is to buy far more often than the busiest did.
        assert!(
            expected.is_finite() && expected >= 0.0 && expected < 20.0 * (x + 5.0),
            "{what}: {expected} of {x} {t_x} {t}"
        );
    }
}

fn cdnow(period: &str) -> Rfm {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cdnow.csv");
    let mut reader = csv::Reader::from_reader(File::open(file).unwrap());
    let rows: Vec<csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
    let column = |at: usize| rows.iter().map(|row| row[at].to_owned()).collect::<Vec<_>>();
    let orders = Columns::new().with("customer", column(0)).with("time", column(1));
    let options = SummarizeOptions {
        period: period.parse().unwrap(),
        calibration_end: Some("1997-09-30".into()),
        value: None,
        ..SummarizeOptions::default()
    };
    summarize(&orders, &options, &Run::new()).unwrap()
}

fn data(rfm: &Rfm) -> Data {
    let RfmSlices { frequency, recency, age, .. } = rfm.slices();
    [frequency.to_vec(), recency.to_vec(), age.to_vec()]
}

#[test]
fn the_unit_is_no_matter_to_any_law() {
    // The exponent of time in each parameter.
    let powers = |kind: &str| match kind {
        "clv.ParetoNBD" => vec![0.0, 1.0, 0.0, 1.0],
        _ => vec![0.0, 1.0, 0.0, 0.0],
    };
    let weeks = data(&cdnow("7d"));
    let repeats: f64 = weeks[0].iter().sum();
    // GGompertz on CDNOW is a ridge, on which the search may end without a verdict.
    for law in LAWS.into_iter().filter(|law| law.0 != "clv.GGompertzNBD") {
        let base = fit(law, &weeks).unwrap();
        for (period, unit) in [("1d", 7.0), ("365.25d", 7.0 / 365.25), ("1h", 168.0)] {
            let model = fit(law, &data(&cdnow(period))).unwrap();
            // Every repeat purchase has a density, which the unit divides.
            let moved = base.estimates().log_likelihood.unwrap() - repeats * f64::ln(unit);
            let got = model.estimates().log_likelihood.unwrap();
            // Laws of k ticks leave out Σ ln Δ, of which each has its (k − 1)th power.
            let moved = moved - f64::from(law.1 - 1) * repeats * f64::ln(unit);
            assert!((got - moved).abs() < 1e-7 * got.abs(), "{law:?} {period} {got} {moved}");
            for (i, power) in powers(law.0).iter().enumerate() {
                let ratio =
                    model.estimates().values[i] / base.estimates().values[i] / f64::powf(unit, *power);
                assert!((ratio - 1.0).abs() < 1e-6, "{law:?} {period} {i} {ratio}");
            }
            let near = model.expected_purchases(3.0, 20.0 * unit, 30.0 * unit, 39.0 * unit).unwrap();
            let want = base.expected_purchases(3.0, 20.0, 30.0, 39.0).unwrap();
            assert!((near / want - 1.0).abs() < 1e-5, "{law:?} {period} {near} {want}");
        }
    }
}

#[test]
fn who_bought_once_tells_nothing_of_rates() {
    let once: Data = [vec![0.0; 500], vec![0.0; 500], (0..500).map(|i| 10.0 + f64::from(i % 30)).collect()];
    for law in LAWS {
        let error = fit(law, &once).err().unwrap();
        assert!(matches!(error, Error::NotEnoughData { .. }), "{law:?} {error}");
        assert!(error.to_string().contains("observe for longer"), "{error}");
    }
}

/// A Gamma–Poisson market in which nobody leaves, or all have a constant hazard.
fn market(n: usize, [shape, scale]: [f64; 2], hazard: Option<[f64; 2]>, length: f64, seed: u64) -> Data {
    let mut rng = Run::new().seed(seed).rng(0);
    let rates = Gamma::new(shape, 1.0 / scale).unwrap();
    let hazards = hazard.map(|[s, beta]| Gamma::new(s, 1.0 / beta).unwrap());
    let mut out: Data = Default::default();
    for _ in 0..n {
        let born: f64 = StandardUniform.sample(&mut rng);
        let age = length * (1.0 - 0.3 * born);
        let rate: f64 = rates.sample(&mut rng);
        let life = hazards
            .map_or(f64::INFINITY, |h| Exp::new(h.sample(&mut rng).max(1e-12)).unwrap().sample(&mut rng));
        let (mut time, mut x, mut last) = (0.0, 0.0, 0.0);
        loop {
            time += Exp::new(rate.max(1e-300)).unwrap().sample(&mut rng);
            if time > age.min(life) {
                break;
            }
            (x, last) = (x + 1.0, time);
        }
        out[0].push(x);
        out[1].push(last);
        out[2].push(age);
    }
    out
}

#[test]
fn where_nobody_leaves_the_law_says_so() {
    let data = market(1500, [1.5, 6.0], None, 60.0, 3);
    for law in LAWS {
        let model = fit((law.0, 1), &data).unwrap();
        sound(&*model, &data);
        // The law is the NBD or near it: rates are right, and those who just bought are alive.
        let mean = model.estimates().values[0] / model.estimates().values[1];
        assert!((mean / 0.25 - 1.0).abs() < 0.1, "{law:?} {mean}");
        assert!(model.p_alive(12.0, 50.0, 52.0, 0.0).unwrap() > 0.95, "{law:?}");
    }
    // What is left to estimate is the same NBD in all laws, with the same errors.
    let data = market(3000, [0.5, 10.0], None, 39.0, 3);
    let told: Vec<(f64, f64, f64)> = LAWS
        .iter()
        .filter(|(kind, _)| !kind.contains("CNBD"))
        .map(|(kind, _)| {
            let model = fit((kind, 1), &data).unwrap();
            let estimates = model.estimates();
            assert_eq!(estimates.verdict.name(), "no_dropout", "{kind}");
            let error = estimates.standard_errors();
            assert!(error[2..].iter().all(Option::is_none), "{kind}: {error:?}");
            (estimates.log_likelihood.unwrap(), error[0].unwrap(), error[1].unwrap())
        })
        .collect();
    for (value, shape, scale) in &told {
        assert!((value - told[0].0).abs() < 1e-3, "{told:?}");
        assert!((shape / told[0].1 - 1.0).abs() < 1e-4 && (scale / told[0].2 - 1.0).abs() < 1e-4, "{told:?}");
    }
    // In one of them there is no finite maximum, and it has a name.
    let busy: Data = [vec![30.0, 20.0, 12.0, 25.0], vec![59.0, 58.5, 59.0, 59.5], vec![60.0; 4]];
    for law in LAWS {
        let model = fit((law.0, 1), &busy).unwrap();
        sound(&*model, &busy);
        assert_ne!(model.estimates().verdict.name(), "interior", "{law:?}");
    }
}

#[test]
fn tens_of_thousands_of_purchases_and_of_days() {
    // Half a century of days; some buy every other day all that time.
    let mut long = market(200, [0.4, 40.0], Some([0.9, 3000.0]), 20_000.0, 8);
    for i in 0..5 {
        long[0].push(10_000.0 - f64::from(i));
        long[1].push(19_990.0);
        long[2].push(20_000.0);
    }
    let most = long[0].iter().fold(0.0_f64, |m, x| m.max(*x));
    assert_eq!(most, 10_000.0);
    for law in LAWS {
        let model = fit((law.0, 1), &long).unwrap();
        sound(&*model, &long);
        let soon = model.expected_purchases(10_000.0, 19_990.0, 20_000.0, 100.0).unwrap();
        assert!((25.0..60.0).contains(&soon), "{law:?} {soon}");
    }
}

#[test]
fn equal_scales_of_buying_and_leaving() {
    // α = β, where z = 0 in ₂F₁: the truth is found from anywhere.
    let data = market(4000, [0.8, 11.0], Some([0.7, 11.0]), 52.0, 5);
    let model = fit(("clv.ParetoNBD", 1), &data).unwrap();
    sound(&*model, &data);
    let truth = [0.8, 11.0, 0.7, 11.0];
    for (i, truth) in truth.iter().enumerate() {
        let error = model.estimates().standard_errors()[i].unwrap();
        let got = model.estimates().values[i];
        assert!((got - truth).abs() < 4.0 * error, "{got} ± {error} for {truth}");
    }
    // On the diagonal itself, and a hair beside it, it is one function.
    let with = |values: [f64; 4]| {
        let model = headwater::clv::ParetoNbdModel::from_parameters(values, 1, None).unwrap();
        let rows =
            RfmSlices { frequency: &data[0], recency: &data[1], age: &data[2], ..RfmSlices::default() };
        model.evaluate(&rows, &Run::new()).unwrap()
    };
    let (on, beside) = (with([0.8, 11.0, 0.7, 11.0]), with([0.8, 11.0 * (1.0 + 1e-9), 0.7, 11.0]));
    assert!((on.0 - beside.0).abs() < 1e-6 * on.0.abs());
    for (a, b) in on.1.iter().zip(beside.1) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

/// BG/NBD with a and b of its own: after each purchase the customer leaves with probability Beta(a, b).
fn geometric(n: usize, [r, alpha, a, b]: [f64; 4], seed: u64) -> Data {
    let mut rng = Run::new().seed(seed).rng(0);
    let (rates, left, right) =
        (Gamma::new(r, 1.0 / alpha).unwrap(), Gamma::new(a, 1.0).unwrap(), Gamma::new(b, 1.0).unwrap());
    let mut out: Data = Default::default();
    for i in 0..n {
        let age = 30.0 + (i % 20) as f64;
        let (u, v): (f64, f64) = (left.sample(&mut rng), right.sample(&mut rng));
        let leaves = if u + v > 0.0 { u / (u + v) } else { 0.0 };
        let rate: f64 = rates.sample(&mut rng);
        let (mut time, mut x, mut last) = (0.0, 0.0, 0.0);
        loop {
            time += Exp::new(rate.max(1e-300)).unwrap().sample(&mut rng);
            if time > age {
                break;
            }
            (x, last) = (x + 1.0, time);
            let draw: f64 = StandardUniform.sample(&mut rng);
            if draw < leaves {
                break;
            }
        }
        out[0].push(x);
        out[1].push(last);
        out[2].push(age);
    }
    out
}

#[test]
fn hardly_anybody_leaves_but_a_few_at_once() {
    // a = 0.01: nearly all stay for ever, and of the others each is gone soon.
    let data = geometric(1000, [1.1, 5.0, 0.01, 0.3], 12);
    for law in LAWS.into_iter().filter(|law| law.0 != "clv.GGompertzNBD") {
        let model = fit((law.0, 1), &data).unwrap();
        if law.0 == "clv.BetaGeo" {
            let [_, _, a, b] = model.estimates().values[..] else { panic!() };
            let share = a / (a + b);
            assert!(a < 0.1 && (0.003..0.2).contains(&share), "{a} {b}");
        }
    }
    assert!(fit(("clv.BetaGeo", 1), &data).is_ok());
}

#[test]
fn three_customers() {
    for data in [
        [vec![2.0, 0.0, 5.0], vec![20.0, 0.0, 38.0], vec![39.0, 39.0, 39.0]],
        [vec![1.0, 1.0, 1.0], vec![1.0, 20.0, 38.0], vec![39.0, 39.0, 39.0]],
        [vec![1.0, 0.0, 0.0], vec![3.0, 0.0, 0.0], vec![39.0, 10.0, 1.0]],
        [vec![2.0; 3], vec![8.0; 3], vec![10.0; 3]],
        [vec![4.0; 3], vec![10.0; 3], vec![10.0; 3]],
        [vec![0.0, 2.0, 5.0], vec![0.0, 10.0, 30.0], vec![30.0, 30.0, 31.0]],
    ] {
        for (kind, k) in LAWS {
            for k in [1, k] {
                let model = fit((kind, k), &data).unwrap();
                sound(&*model, &data);
            }
        }
    }
}

/// One who bought again among a hundred: next to nothing is identified, and nothing is infinite.
#[test]
fn one_repeat_buyer() {
    let mut data: Data = [vec![0.0; 100], vec![0.0; 100], vec![30.0; 100]];
    (data[0][0], data[1][0]) = (1.0, 5.0);
    for law in LAWS {
        let model = fit((law.0, 1), &data).unwrap();
        sound(&*model, &data);
        assert_ne!(model.estimates().verdict.name(), "interior", "{law:?}");
        for (value, error) in model.estimates().values.iter().zip(model.estimates().standard_errors()) {
            assert!(error.is_none_or(|error| error < 20.0 * value), "{law:?}: {value} {error:?}");
        }
    }
}

/// Lives of even lengths and purchases on few days: no law is true.
#[test]
fn a_market_of_no_law() {
    let mixed = |seed: u64| {
        let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let (mut customer, mut time) = (Vec::new(), Vec::new());
    for row in 0..30_000_u64 {
        let draw = mixed(row);
        let who = draw % 1500;
        let life = mixed(who ^ 0x5eed);
        let (born, length, days) = (life % 365, 1 + (life >> 16) % 365, 1 + (life >> 32) % 16);
        let day = mixed(who.wrapping_mul(31) + (draw >> 32) % days) % length;
        customer.push(who as i64);
        time.push(((born + day) as i64) * headwater::column::DAY);
    }
    let orders = Columns::new().with("customer", customer).with("time", headwater::column::Data::times(time));
    let options =
        SummarizeOptions { period: "7d".parse().unwrap(), value: None, ..SummarizeOptions::default() };
    let data = data(&summarize(&orders, &options, &Run::new()).unwrap());
    for law in LAWS.into_iter().filter(|law| law.1 == 1 && law.0 != "clv.GGompertzNBD") {
        // All leave alike: a and b grow together to the edge of the search, where the fit says so.
        let free = fit(law, &data).unwrap();
        // The smallest of penalties keeps them from it, and makes next to no difference.
        let table: Columns = Table::new()
            .with("frequency", Values::F64(data[0].clone()))
            .with("recency", Values::F64(data[1].clone()))
            .with("T", Values::F64(data[2].clone()))
            .into();
        let options = PurchaseOptions { penalty: 1e-5, ..PurchaseOptions::default() };
        let model = fit_purchases(law.0, &table, &options, &Run::new()).unwrap().0;
        sound(&*model, &data);
        let [a, b] = [&free, &model].map(|m| m.expected_purchases(3.0, 20.0, 40.0, 10.0).unwrap());
        assert!((a / b - 1.0).abs() < 0.02, "{law:?} {a} {b}");
        assert!(
            free.estimates().log_likelihood.unwrap() >= model.estimates().log_likelihood.unwrap(),
            "{law:?}"
        );
    }
}
