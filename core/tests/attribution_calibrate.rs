//! Calibration to lift tests, and what is told of calibrated credits.
#![allow(missing_docs, clippy::unwrap_used, clippy::needless_range_loop)]

use std::collections::BTreeMap;

use headwater::attribution::{
    CalibrateOptions, CompareOptions, DifferenceMetric, DifferenceOptions, DriftOptions, Interval,
    LiftMetric, Markov, Model, MoneyOptions, MoneyPeriod, SelfControlledOptions, Untested, calibrate,
    compare, difference, drift, money, touch_credits,
};
use headwater::column::{Columns, DAY, Data};
use headwater::journey::EventOptions;
use headwater::{Error, Run};

mod support;

use support::paths::{TOY, paths};
use support::tables::{cell, floats, row, tests_frame};
use support::world::world;

#[test]
fn experiments_that_agree_change_nothing() {
    let j = paths(&TOY);
    // Linear: A 47/6, B 59/6, C 37/3.
    let credits = [("A", 47.0 / 6.0), ("B", 59.0 / 6.0), ("C", 37.0 / 3.0)];
    let frame = tests_frame(&credits.map(|(c, x)| (c, x, 1e-6)));
    for untested in [Untested::None, Untested::Proportional, Untested::Shrink] {
        let given = CalibrateOptions { models: vec![Model::Linear], untested, ..CalibrateOptions::default() };
        let table = &calibrate(&j, &frame, &given, &Run::new()).unwrap()[0].1;
        for (c, x) in credits {
            let found = cell(table, &[("channel", c)], "calibrated");
            assert!((found - x).abs() < 1e-5, "{untested:?} {c}: {found} {x}");
        }
        let total: f64 = floats(table, "calibrated").iter().sum();
        assert!((total - 30.0).abs() < 1e-9);
        assert!(cell(table, &[("channel", "(baseline)")], "calibrated").abs() < 1e-4);
    }
}

#[test]
fn tested_channels_move_and_the_others_follow_the_policy() {
    let j = paths(&TOY);
    // Last: A 0, B 5, C 25. The test halves C.
    let frame = tests_frame(&[("C", 12.5, 0.5)]);
    let of = |untested| {
        let given =
            CalibrateOptions { models: vec![Model::Linear, Model::Last], untested, ..Default::default() };
        calibrate(&j, &frame, &given, &Run::new()).unwrap()
    };
    let none = of(Untested::None);
    let last = |c: &'static str| [("model", "last"), ("channel", c)];
    assert!((cell(&none[0].1, &last("C"), "calibrated") - 12.5).abs() < 1e-12);
    assert_eq!(cell(&none[0].1, &last("B"), "calibrated"), 5.0);
    assert!((cell(&none[0].1, &last("(baseline)"), "calibrated") - 12.5).abs() < 1e-12);
    let (low, high) = (cell(&none[0].1, &last("C"), "low"), cell(&none[0].1, &last("C"), "high"));
    // 12.5 ± 1.645 · 0.5, from 4,000 samples.
    assert!((low - 11.678).abs() < 0.06 && (high - 13.322).abs() < 0.06, "{low} {high}");
    let common = of(Untested::Proportional);
    assert!((cell(&common[0].1, &last("B"), "calibrated") - 2.5).abs() < 1e-12);
    let shrink = of(Untested::Shrink);
    let found = |c: &str| {
        let key = [("model", "linear"), ("channel", c)];
        let at = |name: &str| cell(&shrink[0].1, &key, name);
        (at("calibrated"), at("low"), at("high"))
    };
    let ((c, c_low, c_high), (b, b_low, b_high)) = (found("C"), found("B"));
    assert!((c - 12.5).abs() < 0.2 && c_high - c_low < 2.0, "{c} {c_low} {c_high}");
    assert!(
        b_low < b && b < b_high && b_high / b_low > 5.0,
        "an untested channel is uncertain: {b_low} {b_high}"
    );
    let source =
        |c: &str| shrink[0].1.text("source", row(&shrink[0].1, &[("model", "last"), ("channel", c)]));
    assert_eq!(source("C").as_deref(), Some("tested"));
    assert_eq!(source("A").as_deref(), Some("pooled"));
    // A channel without credit that has a test is given the test's effect.
    let frame = tests_frame(&[("A", 3.0, 0.5), ("C", 12.5, 0.5)]);
    let given = CalibrateOptions { models: vec![Model::Last], ..Default::default() };
    let table = &calibrate(&j, &frame, &given, &Run::new()).unwrap()[0].1;
    assert_eq!(cell(table, &[("channel", "A")], "calibrated"), 3.0);
}

#[test]
fn tests_are_of_their_period_and_bad_ones_are_named() {
    let j = world(800, 100.0, 0.2, 2.0, 3).journeys(&EventOptions::default());
    let micros = |d: i64| d * DAY;
    let frame = |channel: &str, end: i64| {
        tests_frame(&[(channel, 20.0, 4.0), ("a", 30.0, 4.0)])
            .with("start", Data::times(vec![micros(10), micros(50)]))
            .with("end", Data::times(vec![micros(end), micros(100)]))
    };
    let given = CalibrateOptions { models: vec![Model::Last], ..Default::default() };
    let found = calibrate(&j, &frame("a", 50), &given, &Run::new()).unwrap();
    // What last touch gives to a in each half, by brute force from single touches.
    let touches = touch_credits(&j, &Model::Last, &Run::new()).unwrap();
    let ends = touches.i64s("conversion_time").unwrap();
    for (t, (from, to)) in [(10, 50), (50, 100)].into_iter().enumerate() {
        let mut sum = 0.0;
        for r in 0..touches.rows() {
            if touches.text("channel", r).as_deref() == Some("a")
                && (micros(from)..micros(to)).contains(&ends[r])
            {
                sum += floats(&touches, "conversions")[r];
            }
        }
        assert!(sum > 0.0 && (floats(&found[1].1, "credited")[t] - sum).abs() < 1e-9);
    }
    assert_eq!(found[2].1.i64s("tests"), Some(&[2][..]));
    for bad in [frame("nobody", 50), frame("a", 10)] {
        assert!(matches!(calibrate(&j, &bad, &given, &Run::new()), Err(Error::Row { .. })));
    }
    // A test before there is data, one that reaches a tenth of it, and one that reaches all but a little.
    let dated = |start: i64, end: i64| {
        tests_frame(&[("a", 30.0, 4.0), ("b", 20.0, 4.0)])
            .with("start", Data::times(vec![micros(10), micros(start)]))
            .with("end", Data::times(vec![micros(50), micros(end)]))
    };
    let part = j.between(micros(20), micros(60)).unwrap();
    for (j, tests, says) in [
        (&j, dated(-60, -30), "runs from 1969-11-02 to 1969-12-02, and none of it"),
        (&j, dated(95, 195), "less than half of it"),
        (&part, dated(60, 70), "1970-01-21 to 1970-03-02"),
    ] {
        let error = calibrate(j, &tests, &given, &Run::new()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("row 1"), "{error}");
    }
    let found = calibrate(&part, &dated(30, 50), &given, &Run::new()).unwrap();
    assert_eq!(floats(&found[1].1, "observed"), [0.75, 1.0]);
    let exact = tests_frame(&[("a", 20.0, 0.0)]);
    assert!(matches!(calibrate(&j, &exact, &given, &Run::new()), Err(Error::Row { .. })));
    let value = tests_frame(&[("a", 20.0, 1.0)]).with("metric", vec!["value"]);
    assert!(matches!(calibrate(&j, &value, &given, &Run::new()), Err(Error::NotEnoughData { .. })));
    let given = CalibrateOptions { metric: LiftMetric::Value, ..given };
    assert!(calibrate(&j, &value, &given, &Run::new()).is_ok());
}

/// The rows of calibrated models are those of `calibrate`, beside spend.
#[test]
fn calibrated_credits_stand_beside_spend() {
    let j = paths(&TOY);
    let spend = Columns::new().with("channel", vec!["A", "C", "radio"]).with("spend", vec![30.0, 50.0, 40.0]);
    // Last credits nothing to A, which has a test.
    let tests = tests_frame(&[("A", 3.0, 0.5), ("C", 8.0, 2.0)]);
    let run = Run::new().seed(4);
    for (bootstrap, untested) in [(0, Untested::Shrink), (60, Untested::Proportional), (0, Untested::None)] {
        let models = vec![Model::Last, Model::Markov(Markov::default())];
        let calibration = CalibrateOptions { untested, ..CalibrateOptions::default() };
        let alone = CalibrateOptions { models: models.clone(), bootstrap, ..calibration.clone() };
        let known = &calibrate(&j, &tests, &alone, &run).unwrap()[0].1;
        let given = MoneyOptions { models, margin: 0.5, bootstrap, calibration, ..MoneyOptions::default() };
        let [plain, _] = {
            let given = MoneyOptions { calibration: CalibrateOptions::default(), ..given.clone() };
            money(&j, Some(&spend), None, &given, &run).unwrap()
        };
        let [table, counts] = money(&j, Some(&spend), Some(&tests), &given, &run).unwrap();
        for model in ["last", "markov"] {
            let (mut conversions, mut value) = (0.0, 0.0);
            for channel in ["A", "B", "C", "(baseline)"] {
                let name = format!("calibrated({model})");
                let key = [("model", name.as_str()), ("channel", channel)];
                let theirs = [("model", model), ("channel", channel)];
                let of = |column: &str| cell(&table, &key, column);
                let wanted = |column: &str| cell(known, &theirs, column);
                assert_eq!(of("conversions"), wanted("calibrated"), "{model} {channel}");
                assert_eq!([of("conversions_low"), of("conversions_high")], ["low", "high"].map(wanted));
                conversions += of("conversions");
                value += of("value");
                if channel == "(baseline)" {
                    continue;
                }
                // A channel's value for a conversion is the model's; that of all where it has none.
                let model = |column: &str| cell(&plain, &theirs, column);
                let each = match model("conversions") {
                    0.0 => 0.5 * 2890.0 / 30.0,
                    n => model("value") / n,
                };
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
                let (found, due) = (of("value"), each * of("conversions"));
                assert!(near(found, due), "{name} {channel} {found} {due}");
                if bootstrap == 0 {
                    assert!(near(of("value_high"), each * of("conversions_high")));
                }
                let spent = match channel {
                    "A" => 30.0,
                    "C" => 50.0,
                    _ => continue,
                };
                assert_eq!(of("cpa"), spent / of("conversions"));
                assert_eq!(of("cpa_low"), spent / of("conversions_high"));
                assert!(
                    near(of("roas"), of("value") / spent) && near(of("roas_high"), of("value_high") / spent)
                );
                assert!(near(of("credit_share"), wanted("share")));
            }
            assert!((conversions - 30.0).abs() < 1e-9 && (value - 0.5 * 2890.0).abs() < 1e-9);
            let kind = format!("calibrated({model})");
            let found = cell(&counts, &[("model", &kind), ("kind", "(baseline)")], "conversions");
            assert_eq!(found, cell(known, &[("model", model), ("channel", "(baseline)")], "calibrated"));
            // The rows of the models are as they were.
            for channel in ["A", "B", "C", "radio"] {
                let key = [("model", model), ("channel", channel)];
                for column in ["spend", "conversions", "value", "cpa", "roas", "credit_share"] {
                    assert_eq!(cell(&table, &key, column), cell(&plain, &key, column));
                }
            }
        }
        assert_eq!(table.get("cpa_low").unwrap().valid.as_ref().unwrap()[2], bootstrap > 0);
        let radio = row(&table, &[("model", "calibrated(last)"), ("channel", "radio")]);
        assert_eq!(floats(&table, "spend")[radio], 40.0);
    }
    // Tests of value calibrate value, and leave conversions to their own.
    let both = Columns::new()
        .with("channel", vec!["C", "C"])
        .with("effect", vec![8.0, 900.0])
        .with("standard_error", vec![2.0, 100.0])
        .with("metric", vec!["conversions", "value"]);
    let given = MoneyOptions { models: vec![Model::Linear], ..MoneyOptions::default() };
    let [table, _] = money(&j, Some(&spend), Some(&both), &given, &run).unwrap();
    let alone = |metric| {
        let given = CalibrateOptions { models: vec![Model::Linear], metric, ..CalibrateOptions::default() };
        calibrate(&j, &both, &given, &run).unwrap().remove(0).1
    };
    for channel in ["A", "B", "C", "(baseline)"] {
        let key = [("model", "calibrated(linear)"), ("channel", channel)];
        let theirs = [("model", "linear"), ("channel", channel)];
        for (metric, name) in [(LiftMetric::Conversions, "conversions"), (LiftMetric::Value, "value")] {
            let known = alone(metric);
            assert_eq!(cell(&table, &key, name), cell(&known, &theirs, "calibrated"));
            assert_eq!(cell(&table, &key, &format!("{name}_low")), cell(&known, &theirs, "low"));
        }
    }
    // Tests of value alone: a channel's conversions go with its value.
    let of_value = tests_frame(&[("C", 900.0, 100.0)]).with("metric", vec!["value"]);
    let [table, _] = money(&j, Some(&spend), Some(&of_value), &given, &run).unwrap();
    let key = [("model", "calibrated(linear)"), ("channel", "C")];
    let model = [("model", "linear"), ("channel", "C")];
    let each = |key: &[(&str, &str)]| cell(&table, key, "value") / cell(&table, key, "conversions");
    assert!((each(&key) / each(&model) - 1.0).abs() < 1e-12);
    assert_eq!(cell(&table, &key, "value"), cell(&alone(LiftMetric::Value), &model, "calibrated"));
    // What is the table's own is not given twice, and nothing is ignored.
    let bad = |calibration: CalibrateOptions| MoneyOptions { calibration, ..given.clone() };
    for (given, tests) in [
        (bad(CalibrateOptions { bootstrap: 9, ..Default::default() }), Some(&both)),
        (bad(CalibrateOptions { confidence: 0.5, ..Default::default() }), Some(&both)),
        (bad(CalibrateOptions { metric: LiftMetric::Value, ..Default::default() }), Some(&both)),
        (bad(CalibrateOptions { models: vec![Model::Last], ..Default::default() }), Some(&both)),
        (bad(CalibrateOptions { untested: Untested::None, ..Default::default() }), None),
    ] {
        let found = money(&j, Some(&spend), tests, &given, &run);
        assert!(matches!(found, Err(Error::Option { option, .. }) if option == "calibration"));
    }
    let j = world(300, 60.0, 0.2, 2.0, 5).journeys(&EventOptions::default());
    let monthly = MoneyOptions { period: MoneyPeriod::Month, ..given.clone() };
    assert!(money(&j, None, Some(&tests_frame(&[("a", 9.0, 3.0)])), &monthly, &run).is_err());
    // Customers compared with themselves, joined with tests.
    let calibration =
        CalibrateOptions { self_controlled: Some(SelfControlledOptions::default()), ..Default::default() };
    let tests = tests_frame(&[("a", 90.0, 20.0)]);
    let [table, _] = money(&j, None, Some(&tests), &bad(calibration.clone()), &run).unwrap();
    let known = &calibrate(&j, &tests, &calibration, &run).unwrap()[0].1;
    let key = [("model", "calibrated(self_controlled)"), ("channel", "b")];
    let b = cell(known, &[("channel", "b")], "calibrated");
    assert_eq!(cell(&table, &key, "conversions"), b);
    assert!((cell(&table, &key, "value") / (10.0 * b) - 1.0).abs() < 1e-12);
}

/// The samples are those of `calibrate` and of the models, one by one.
#[test]
fn calibrated_credits_differ_from_the_models_by_known_amounts() {
    let j = paths(&TOY);
    let tests = tests_frame(&[("A", 3.0, 0.5), ("B", 4.0, 1.0), ("C", 8.0, 2.0)]);
    let spend = Columns::new().with("channel", vec!["A", "B", "C"]).with("spend", vec![30.0, 20.0, 50.0]);
    let calibration = CalibrateOptions { untested: Untested::None, ..CalibrateOptions::default() };
    let run = Run::new().seed(4);
    let given = DifferenceOptions {
        models: vec![Model::Linear],
        metric: DifferenceMetric::Conversions,
        bootstrap: 6_000,
        interval: Interval::Normal,
        confidence: 0.682_689_492_137_086,
        calibration: calibration.clone(),
        ..DifferenceOptions::default()
    };
    let table = difference(&j, None, None, Some(&tests), &given, &run).unwrap();
    assert_eq!(table.text("other_model", 0).as_deref(), Some("calibrated(linear)"));
    let alone = CalibrateOptions { models: given.models.clone(), bootstrap: 6_000, ..calibration };
    let known = &calibrate(&j, &tests, &alone, &run).unwrap()[0].1;
    for channel in ["A", "B", "C"] {
        let key = [("channel", channel)];
        let of = |column: &str| cell(&table, &key, column);
        assert_eq!(of("other_credit"), cell(known, &key, "calibrated"));
        assert_eq!(of("difference"), of("credit") - of("other_credit"));
        // credit − k credit, k and credit apart: Var = (1 − k)² Var(credit) + Var(k) (credit² + Var(credit)).
        let k = cell(known, &key, "factor");
        let share = |path: &str| {
            let steps: Vec<&str> = path.split(" > ").collect();
            steps.iter().filter(|s| **s == channel).count() as f64 / steps.len() as f64
        };
        let spread: f64 = TOY.iter().map(|(p, n, ..)| n * share(p).powi(2)).sum();
        let error = match channel {
            "A" => 0.5,
            "B" => 1.0,
            _ => 2.0,
        } / of("credit");
        let square = |x: f64| x * x;
        let wanted = (square(1.0 - k) * spread + square(error) * (square(of("credit")) + spread)).sqrt();
        let found = (of("high") - of("low")) / 2.0;
        assert!((found / wanted - 1.0).abs() < 0.06, "{channel}: {found} {wanted}");
    }
    let costs = DifferenceOptions { metric: DifferenceMetric::Cpa, ..given.clone() };
    let table = difference(&j, None, Some(&spend), Some(&tests), &costs, &run).unwrap();
    let c = cell(known, &[("channel", "C")], "calibrated");
    assert!((cell(&table, &[("channel", "C")], "other_credit") - 50.0 / c).abs() < 1e-12);
    let untold = difference(&j, Some(&j), None, Some(&tests), &given, &run).unwrap_err();
    assert!(untold.to_string().contains("lift_tests") && untold.to_string().contains("paths"), "{untold}");
    assert!(difference(&j, None, None, None, &given, &run).is_err());
}

/// Tests of channel, first and last day, effect and standard error.
fn dated(rows: &[(&str, i64, i64, f64, f64)]) -> Columns {
    let days = |day: fn(&(&str, i64, i64, f64, f64)) -> i64| {
        Data::times(rows.iter().map(|r| day(r) * DAY).collect())
    };
    tests_frame(&rows.iter().map(|r| (r.0, r.3, r.4)).collect::<Vec<_>>())
        .with("start", days(|r| r.1))
        .with("end", days(|r| r.2))
}

/// Two periods are calibrated each by its own tests, whose errors are independent.
#[test]
fn two_periods_have_tests_of_their_own() {
    let j = world(1_500, 80.0, 0.3, 2.0, 5).journeys(&EventOptions::default());
    let [old, new] = [(0, 40), (40, 80)].map(|(from, to)| j.between(from * DAY, to * DAY).unwrap());
    let tests = [
        ("a", 5, 35, 200.0, 20.0),
        ("a", 45, 75, 100.0, 30.0),
        ("b", 38, 70, 10.0, 5.0),
        ("b", 0, 41, 20.0, 10.0),
    ];
    let all = dated(&tests);
    let run = Run::new().seed(7);
    let calibration = CalibrateOptions { untested: Untested::None, ..CalibrateOptions::default() };
    let given = DifferenceOptions {
        models: vec![Model::Linear],
        metric: DifferenceMetric::Conversions,
        bootstrap: 4_000,
        interval: Interval::Normal,
        confidence: 0.682_689_492_137_086,
        calibration: calibration.clone(),
        ..DifferenceOptions::default()
    };
    let table = difference(&new, Some(&old), None, Some(&all), &given, &run).unwrap();
    let alone = CalibrateOptions { models: given.models.clone(), bootstrap: 4_000, ..calibration.clone() };
    let of_period = |j: &_, rows: &[usize]| {
        let mine = dated(&rows.iter().map(|r| tests[*r]).collect::<Vec<_>>());
        calibrate(j, &mine, &alone, &run).unwrap().swap_remove(0).1
    };
    let (there, here) = (of_period(&old, &[0, 3]), of_period(&new, &[1, 2]));
    for channel in ["a", "b"] {
        let key = [("model", "calibrated(linear)"), ("channel", channel)];
        let of = |column: &str| cell(&table, &key, column);
        assert_eq!(of("credit"), cell(&here, &key[1..], "calibrated"), "{channel}");
        assert_eq!(of("other_credit"), cell(&there, &key[1..], "calibrated"), "{channel}");
        let error = |table: &_| cell(table, &key[1..], "standard_error");
        let wanted = error(&here).hypot(error(&there));
        let found = (of("high") - of("low")) / 2.0;
        assert!((found / wanted - 1.0).abs() < 0.1, "{channel}: {found} {wanted}");
    }
    // What changed in truth is told by the tests alone: 200 in the first 30 days, 100 in the second.
    assert!(cell(&table, &[("model", "calibrated(linear)"), ("channel", "a")], "p") < 0.05);
    let watch = DriftOptions {
        models: given.models.clone(),
        metric: given.metric,
        bootstrap: 4_000,
        interval: given.interval,
        confidence: given.confidence,
        calibration,
        ..DriftOptions::default()
    };
    let found = drift(&new, &old, Some(&all), &watch, &run).unwrap().swap_remove(0).1;
    for (old, new) in [
        ("credit", "new"),
        ("other_credit", "old"),
        ("difference", "change"),
        ("low", "low"),
        ("high", "high"),
    ] {
        assert_eq!(table.f64s(old), found.f64s(new), "{new}");
    }
    let refused = |tests: &Columns, what: &str| {
        let error = difference(&new, Some(&old), None, Some(tests), &given, &run).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert_eq!(drift(&new, &old, Some(tests), &watch, &run).unwrap_err().to_string(), error);
    };
    refused(&tests_frame(&[("a", 200.0, 20.0)]), "start");
    refused(&dated(&tests[..1]), "1970-02-10");
    refused(&dated(&[tests[1], tests[2]]), "1970-01-01");
    refused(&dated(&[tests[0], tests[1], ("a", 200, 230, 1.0, 1.0)]), "none of it lies");
    refused(&dated(&[tests[0], tests[1], ("c", 5, 35, 1.0, 1.0)]), "no journey touches");
    let none = drift(&new, &old, None, &watch, &run).unwrap_err();
    assert!(none.to_string().contains("calibration"), "{none}");
}

#[test]
fn calibrated_models_are_set_side_by_side() {
    let j = paths(&TOY);
    let tests = tests_frame(&[("A", 3.0, 0.2), ("B", 4.0, 0.2), ("C", 1.0, 0.2)]);
    let truth = Columns::new()
        .with("channel", vec!["A", "B", "C"])
        .with("incremental_conversions", vec![3.0, 4.0, 1.0]);
    let calibration = CalibrateOptions { untested: Untested::None, ..CalibrateOptions::default() };
    let given = CompareOptions {
        models: vec![Model::Linear],
        bootstrap: 50,
        calibration,
        ..CompareOptions::default()
    };
    let tables: BTreeMap<_, _> =
        compare(&j, Some(&truth), Some(&tests), &given, &Run::new()).unwrap().into_iter().collect();
    // Linear: A 47, B 59, C 74 of 180; calibrated as the tests say, 3, 4, 1 of 8.
    let apart = [(47.0, 3.0), (59.0, 4.0), (74.0, 1.0)].map(|(a, b): (f64, f64)| (a / 180.0 - b / 8.0).abs());
    let key = [("model", "linear"), ("other_model", "calibrated(linear)")];
    let found = cell(&tables["agreement"], &key, "total_variation");
    assert!((found - apart.iter().sum::<f64>() / 2.0).abs() < 1e-12);
    let right = cell(&tables["truth"], &[("model", "calibrated(linear)")], "worst_error");
    assert!(right < 1e-12 && cell(&tables["truth"], &[("model", "linear")], "worst_error") > 0.2);
    let rank = |c| cell(&tables["ranks"], &[("model", "calibrated(linear)"), ("channel", c)], "rank");
    assert_eq!([rank("A"), rank("B"), rank("C")], [2.0, 1.0, 3.0]);
    let sure = [("model", "calibrated(linear)"), ("channel", "C")];
    assert!(cell(&tables["ranks"], &sure, "same_rank") > 0.99);
    assert!(compare(&j, None, None, &given, &Run::new()).is_err());
    let nothing = truth.with("incremental_conversions", vec![0.0; 3]);
    let error = compare(&j, Some(&nothing), Some(&tests), &given, &Run::new()).unwrap_err();
    assert!(matches!(&error, Error::Column { column, .. } if column == "incremental_conversions"), "{error}");
    let none = CompareOptions { models: vec![], ..given };
    assert!(compare(&j, None, Some(&tests), &none, &Run::new()).is_err());
}
