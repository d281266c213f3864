//! Lifetime value: properties, an independent quadrature, simulated truth, bad input.
#![allow(clippy::unwrap_used, clippy::excessive_precision, clippy::disallowed_methods)] // an oracle of its own

use headwater::Run;
use headwater::clv::{
    BetaGeo, BetaGeoModel, BetaGeoOptions, GammaGamma, GammaGammaModel, LifetimeOptions, PredictOptions,
    Refunds, RfmSlices, SpendSlices, SummarizeOptions, beta_geo, lifetime_value, summarize,
};
use headwater::column::{Columns, Duration, OnInvalid};
use headwater::math::{exp, ln_beta};
use headwater::model::{from_bytes, to_bytes};
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Beta, Distribution, Exp, Gamma};

/// (x, t_x, T) of customers drawn from the model, to whole days, in weeks.
fn simulated([r, alpha, a, b]: [f64; 4], customers: usize) -> [Vec<f64>; 3] {
    let mut rng = Run::new().seed(11).rng(0);
    let (rates, dropouts) = (Gamma::new(r, 1.0 / alpha).unwrap(), Beta::new(a, b).unwrap());
    let mut out = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..customers {
        let age = (rng.random_range(27.0..39.0_f64) * 7.0).floor() / 7.0;
        let rate: f64 = rates.sample(&mut rng);
        let dropout: f64 = dropouts.sample(&mut rng);
        let wait = Exp::new(rate.max(1e-300)).unwrap();
        let (mut x, mut t_x) = (0.0, 0.0);
        loop {
            let next = t_x + wait.sample(&mut rng);
            if next > age {
                break;
            }
            (x, t_x) = (x + 1.0, next);
            if rng.random_range(0.0..1.0) < dropout {
                break;
            }
        }
        out[0].push(x);
        out[1].push(t_x);
        out[2].push(age);
    }
    out
}

fn slices([x, t_x, t]: &[Vec<f64>; 3]) -> RfmSlices<'_> {
    RfmSlices { frequency: x, recency: t_x, age: t, ..RfmSlices::default() }
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1e-300), "{got} for {want}");
}

#[test]
fn recovers_the_truth_within_four_standard_errors() {
    let truth = [0.6, 6.0, 0.9, 2.5];
    let data = simulated(truth, 20_000);
    let model = BetaGeo::new().fit(&slices(&data), &Run::new()).unwrap();
    for ((got, se), truth) in model.params().iter().zip(model.standard_errors()).zip(truth) {
        assert!((got - truth).abs() < 4.0 * se.unwrap(), "{got} ± {se:?} for {truth}");
    }
    // More data do not lower the maximum below the truth's likelihood.
    let [r, alpha, a, b] = truth;
    let at_truth = BetaGeoModel::from_parameters(r, alpha, a, b, None).unwrap();
    assert!(at_truth.evaluate(&slices(&data), &Run::new()).unwrap().0 < model.log_likelihood().unwrap());
}

#[test]
fn the_unit_of_time_does_not_matter() {
    let data = simulated([0.6, 6.0, 0.9, 2.5], 3000);
    let weeks = BetaGeo::new().penalty(0.001).fit(&slices(&data), &Run::new()).unwrap();
    let [x, t_x, t] = &data;
    let days = [x.clone(), t_x.iter().map(|v| v * 7.0).collect(), t.iter().map(|v| v * 7.0).collect()];
    let days = BetaGeo::new().penalty(0.001).fit(&slices(&days), &Run::new()).unwrap();
    for (i, scale) in [1.0, 7.0, 1.0, 1.0].into_iter().enumerate() {
        close(days.params()[i], weeks.params()[i] * scale, 1e-10);
    }
    // Every repeat purchase has a density, which the unit divides.
    let purchases: f64 = x.iter().sum();
    close(days.log_likelihood().unwrap(), weeks.log_likelihood().unwrap() - purchases * 7.0_f64.ln(), 1e-12);
    close(
        days.expected_purchases(3.0, 70.0, 210.0, 364.0).unwrap(),
        weeks.expected_purchases(3.0, 10.0, 30.0, 52.0).unwrap(),
        1e-9,
    );
}

#[test]
fn weights_are_repeated_rows_and_threads_do_not_matter() {
    let data = simulated([0.6, 6.0, 0.9, 2.5], 2000);
    let weight: Vec<f64> = (0..2000).map(|i| f64::from(i % 3)).collect();
    let weighted = RfmSlices { weight: Some(&weight), ..slices(&data) };
    let mut repeated = [Vec::new(), Vec::new(), Vec::new()];
    for (i, w) in weight.iter().enumerate() {
        for _ in 0..*w as usize {
            for (to, from) in repeated.iter_mut().zip(&data) {
                to.push(from[i]);
            }
        }
    }
    let one = BetaGeo::new().fit(&weighted, &Run::new()).unwrap();
    let two = BetaGeo::new().fit(&slices(&repeated), &Run::new()).unwrap();
    for (a, b) in one.params().iter().zip(two.params()) {
        close(*a, b, 1e-11);
    }
    let data = simulated([0.6, 6.0, 0.9, 2.5], 20_000);
    let fits = [1, 2, 5].map(|threads| {
        let run = Run::new().threads(threads);
        let model = BetaGeo::new().fit(&slices(&data), &run).unwrap();
        let prediction = model.predict(&slices(&data), 39.0, Some(0.9), &run).unwrap();
        (model, prediction)
    });
    assert!(fits[0] == fits[1] && fits[1] == fits[2]);
}

/// E[Y(t)] by the Beta integral with composite Gauss–Legendre on p = s³, independent of the library's two forms.
fn quadrature([r, alpha, a, b]: [f64; 4], x: f64, t_x: f64, t: f64, periods: f64) -> f64 {
    const NODES: [(f64, f64); 4] = [
        (0.183434642495649805, 0.362683783378361983),
        (0.525532409916328986, 0.313706645877887287),
        (0.796666477413626740, 0.222381034453374471),
        (0.960289856497536232, 0.101228536290376259),
    ];
    let (shape, rate) = (r + x, alpha + t);
    let odds = if x > 0.0 { a / (b + x - 1.0) * ((alpha + t) / (alpha + t_x)).powf(shape) } else { 0.0 };
    let integrand = |s: f64| {
        let p = s * s * s;
        let density = exp((a - 1.0) * p.ln() + (b + x - 1.0) * (1.0 - p).ln() - ln_beta(a, b + x));
        density * (1.0 - (1.0 + p * periods / rate).powf(-shape)) / p * 3.0 * s * s
    };
    let panels = 2000;
    let width = 1.0 / f64::from(panels);
    let mut total = 0.0;
    for panel in 0..panels {
        let centre = (f64::from(panel) + 0.5) * width;
        for (node, weight) in NODES {
            let h = 0.5 * width;
            total += weight * h * (integrand(centre - node * h) + integrand(centre + node * h));
        }
    }
    total / (1.0 + odds)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expectations_agree_with_quadrature(
        r in 0.05..5.0_f64, alpha in 0.5..50.0_f64, a in 0.5..4.0_f64, b in 1.2..9.0_f64,
        x in 0_u32..60, share in 0.1..1.0_f64, t in 1.0..80.0_f64, periods in 0.1..60.0_f64,
    ) {
        let x = f64::from(x);
        let t_x = if x > 0.0 { share * t } else { 0.0 };
        let model = BetaGeoModel::from_parameters(r, alpha, a, b, None).unwrap();
        let got = model.expected_purchases(x, t_x, t, periods).unwrap();
        let want = quadrature([r, alpha, a, b], x, t_x, t, periods);
        // p^(a−1) at 0 is all that limits the panels.
        prop_assert!((got - want).abs() <= 1e-6 * want + 1e-300, "{got} for {want}");
    }

    #[test]
    fn more_recent_is_more_alive_and_longer_is_more(
        r in 0.05..5.0_f64, alpha in 0.5..50.0_f64, a in 0.01..4.0_f64, b in 0.01..9.0_f64,
        x in 1_u32..3000, share in 0.01..0.98_f64, t in 1.0..2000.0_f64,
    ) {
        let x = f64::from(x);
        let model = BetaGeoModel::from_parameters(r, alpha, a, b, None).unwrap();
        let early = model.p_alive(x, share * t, t).unwrap();
        let late = model.p_alive(x, (share + 0.02) * t, t).unwrap();
        prop_assert!((0.0..=1.0).contains(&early) && early <= late && late <= 1.0);
        let one = model.expected_purchases(x, t, t, 10.0).unwrap();
        let two = model.expected_purchases(x, t, t, 20.0).unwrap();
        prop_assert!(one > 0.0 && one < two && two < 2.0 * one * (1.0 + 1e-12));
    }

    #[test]
    fn frequencies_count_distinct_days(orders in prop::collection::vec((0_u32..6, 0_i64..40, 0_u32..5), 1..80)) {
        let names: Vec<String> = orders.iter().map(|o| format!("c{}", o.0)).collect();
        let times: Vec<i64> = orders.iter().map(|o| (o.1 * 24 + i64::from(o.2)) * 3_600_000_000).collect();
        let frame = Columns::new()
            .with("customer", names)
            .with("time", headwater::column::Data::times(times))
            .with("value", vec![1.0; orders.len()]);
        let rfm = summarize(&frame, &SummarizeOptions::default(), &Run::new()).unwrap();
        let last = orders.iter().map(|o| o.1).max().unwrap();
        let mut repeats = 0;
        for i in 0..rfm.len() {
            let name = rfm.customer.get(i).unwrap().into_owned();
            let mut days: Vec<i64> = orders.iter().filter(|o| format!("c{}", o.0) == name).map(|o| o.1).collect();
            days.sort_unstable();
            days.dedup();
            prop_assert_eq!(rfm.frequency[i], (days.len() - 1) as f64);
            prop_assert_eq!(rfm.recency[i], (days[days.len() - 1] - days[0]) as f64);
            prop_assert_eq!(rfm.age[i], (last - days[0]) as f64);
            repeats += days.len();
        }
        prop_assert_eq!(repeats as u64 + rfm.accounting.merged, orders.len() as u64);
    }
}

#[test]
fn simpler_truths_are_named() {
    // Buying to the very end, every one: no dropout.
    let rows = RfmSlices {
        frequency: &[0.0, 3.0, 5.0, 2.0, 8.0],
        recency: &[0.0, 39.0, 38.9, 38.0, 39.0],
        age: &[39.0; 5],
        ..RfmSlices::default()
    };
    let model = BetaGeo::new().fit(&rows, &Run::new()).unwrap();
    assert_eq!(model.estimates().verdict.name(), "no_dropout");
    assert_eq!(model.standard_errors()[2..], [None, None]);
    // Then the model is the NBD, whose expectation is closed.
    let [r, alpha, ..] = model.params();
    close(model.expected_purchases(5.0, 38.9, 39.0, 10.0).unwrap(), (r + 5.0) * 10.0 / (alpha + 39.0), 1e-9);
    let table = model.table().unwrap();
    assert_eq!(table.get("standard_error").unwrap().valid, Some(vec![true, true, false, false]));
    // Three customers, all alike: one rate for all.
    let rows =
        RfmSlices { frequency: &[2.0; 3], recency: &[8.0; 3], age: &[10.0; 3], ..RfmSlices::default() };
    let model = BetaGeo::new().fit(&rows, &Run::new()).unwrap();
    assert_ne!(model.estimates().verdict.name(), "interior");
    assert!(model.expected_purchases(2.0, 8.0, 10.0, 5.0).unwrap().is_finite());
    // A heavy history among light ones.
    let rows = RfmSlices {
        frequency: &[10_000.0, 0.0, 1.0, 3.0],
        recency: &[19_990.0, 0.0, 30.0, 700.0],
        age: &[20_000.0, 20_000.0, 15_000.0, 9000.0],
        ..RfmSlices::default()
    };
    let model = BetaGeo::new().fit(&rows, &Run::new()).unwrap();
    let e = model.expected_purchases(10_000.0, 19_990.0, 20_000.0, 100.0).unwrap();
    assert!((30.0..60.0).contains(&e), "{e}");
}

#[test]
fn bad_input_is_one_clear_error() {
    let run = Run::new();
    let fit = |x: &[f64], t_x: &[f64], t: &[f64]| {
        let rows = RfmSlices { frequency: x, recency: t_x, age: t, ..RfmSlices::default() };
        BetaGeo::new().fit(&rows, &run).map_err(|e| e.code())
    };
    assert_eq!(fit(&[], &[], &[]).unwrap_err(), "HW_NOT_ENOUGH_DATA");
    assert_eq!(fit(&[0.0; 9], &[0.0; 9], &[5.0; 9]).unwrap_err(), "HW_NOT_ENOUGH_DATA");
    assert_eq!(fit(&[1.0], &[0.0], &[0.0]).unwrap_err(), "HW_NOT_ENOUGH_DATA");
    for (x, t_x, t) in [
        (1.5, 1.0, 2.0),
        (-1.0, 1.0, 2.0),
        (f64::NAN, 1.0, 2.0),
        (1.0, f64::INFINITY, 2.0),
        (1.0, 3.0, 2.0),
        (0.0, 1.0, 2.0),
        (1.0, 1.0, f64::NAN),
        (1e18, 1.0, 2.0),
    ] {
        assert_eq!(fit(&[x], &[t_x], &[t]).unwrap_err(), "HW_ROW", "{x} {t_x} {t}");
    }
    let rows = RfmSlices { frequency: &[1.0], recency: &[], age: &[2.0], ..RfmSlices::default() };
    assert_eq!(BetaGeo::new().fit(&rows, &run).unwrap_err().code(), "HW_COLUMN");
    let one = RfmSlices { frequency: &[1.0], recency: &[1.0], age: &[2.0], ..RfmSlices::default() };
    assert!(BetaGeo::new().fit(&one, &run).is_ok_and(|m| m.estimates().verdict.name() != "interior"));
    assert_eq!(BetaGeo::new().penalty(-1.0).fit(&one, &run).unwrap_err().code(), "HW_OPTION");
    let spend = SpendSlices { frequency: &[1.0; 4], monetary_value: &[10.0; 4], weight: None };
    assert_eq!(GammaGamma::new().fit(&spend, &run).unwrap_err().code(), "HW_NOT_ENOUGH_DATA");

    // On frames, rows that cannot be are counted when asked.
    let frame = Columns::new()
        .with("customer", vec!["a", "b", "c", "d"])
        .with("frequency", vec![2.0, f64::NAN, 1.0, 4.0])
        .with("recency", vec![5.0, 1.0, 9.0, 8.0])
        .with("T", vec![9.0, 9.0, 8.0, 9.0]);
    let options = BetaGeoOptions { on_invalid: OnInvalid::Drop, ..BetaGeoOptions::default() };
    let (model, dropped) = beta_geo(&frame, &options, &run).unwrap();
    assert_eq!(dropped.rows, 2);
    let options = PredictOptions { on_invalid: OnInvalid::Drop, ..PredictOptions::default() };
    let predicted = model.predict_columns(&frame, &options, &run).unwrap();
    assert_eq!((predicted.table().rows(), predicted.dropped().rows), (2, 2));
    assert_eq!(model.predict_columns(&frame, &PredictOptions::default(), &run).unwrap_err().code(), "HW_ROW");
}

#[test]
fn units_are_guarded() {
    let model =
        BetaGeoModel::from_parameters(0.2, 4.0, 0.8, 2.4, Some(Duration::from_days(7).into())).unwrap();
    let spend = GammaGammaModel::from_parameters(6.0, 4.0, 15.0).unwrap();
    let frame = Columns::new()
        .with("customer", vec!["a"])
        .with("frequency", vec![2.0])
        .with("recency", vec![5.0])
        .with("T", vec![9.0])
        .with("monetary_value", vec![9.0]);
    let options =
        LifetimeOptions { period: Some(Duration::from_days(1).into()), ..LifetimeOptions::default() };
    let error = lifetime_value(&model, &spend, &frame, &options, &Run::new()).unwrap_err();
    assert!(error.to_string().contains("period=\"7d\""), "{error}");
}

#[test]
fn refunds_by_policy() {
    let frame = Columns::new()
        .with("customer", vec!["a", "a", "a", "a", "b", "b", "c"])
        .with(
            "time",
            vec![
                "2024-01-01",
                "2024-01-05",
                "2024-01-09",
                "2024-01-12",
                "2024-01-02",
                "2024-01-03",
                "2024-01-04",
            ],
        )
        .with("value", vec![10.0, 20.0, -25.0, 40.0, 30.0, -30.0, -5.0]);
    let with = |refunds| {
        summarize(&frame, &SummarizeOptions { refunds, ..SummarizeOptions::default() }, &Run::new())
    };
    assert!(with(Refunds::Error).unwrap_err().to_string().contains("refunds=\"net\""));
    let dropped = with(Refunds::Drop).unwrap();
    assert_eq!(dropped.frequency, [2.0, 0.0]);
    assert_eq!(dropped.monetary_value.as_deref().unwrap(), [30.0, 0.0]);
    assert_eq!((dropped.dropped().rows, dropped.dropped().reasons[0].first_row), (3, 2));
    assert_eq!(dropped.accounting.without_purchase, 1);
    // 25 takes back the 20 of the 5th and 5 of the 10 of the 1st; b's one purchase is none.
    let net = with(Refunds::Net).unwrap();
    assert_eq!((net.frequency.as_slice(), net.monetary_value.as_deref().unwrap()), (&[1.0][..], &[40.0][..]));
    assert_eq!((net.accounting.cancelled, net.accounting.without_purchase), (2, 2));
}

#[test]
fn moments_beyond_the_calendar_do_not_overflow() {
    let frame =
        Columns::new().with("customer", vec!["a", "a"]).with("time", vec!["1900-01-01", "2024-01-05"]);
    for micros in [i64::MIN, i64::MAX] {
        let when = Some(headwater::clv::When::Micros(micros));
        for (observation_end, calibration_end) in
            [(when.clone(), None), (None, when.clone()), (when.clone(), when)]
        {
            for grain in ["1us", "1d", "50000w"] {
                let options = SummarizeOptions {
                    value: None,
                    grain: grain.parse().unwrap(),
                    observation_end: observation_end.clone(),
                    calibration_end: calibration_end.clone(),
                    ..SummarizeOptions::default()
                };
                if let Ok(rfm) = summarize(&frame, &options, &Run::new()) {
                    assert!(rfm.age.iter().all(|t| t.is_finite()));
                }
            }
        }
    }
}

#[test]
fn models_come_back_from_their_files() {
    let data = simulated([0.6, 6.0, 0.9, 2.5], 500);
    let model = BetaGeo::new().fit(&slices(&data), &Run::new()).unwrap();
    let bytes = to_bytes(&model).unwrap();
    assert_eq!(from_bytes::<BetaGeoModel>(&bytes).unwrap(), model);
    assert!(from_bytes::<GammaGammaModel>(&bytes).is_err());
    let spend = GammaGammaModel::from_parameters(6.0, 4.0, 15.0).unwrap();
    assert_eq!(from_bytes::<GammaGammaModel>(&to_bytes(&spend).unwrap()).unwrap(), spend);
}
