//! How far to trust credits: bootstrap and differences, weights, lifetime value, reports.
#![allow(missing_docs, clippy::unwrap_used, clippy::cloned_ref_to_slice_refs, clippy::needless_range_loop)]

use std::collections::BTreeMap;

use headwater::attribution::{
    AttributeOptions, Custom, DifferenceMetric, DifferenceOptions, DriftOptions, Given, Interval, Model,
    MoneyOptions, MoneyPeriod, attribute, credits_by_weights, difference, drift, money, touch_credits,
};
use headwater::column::{Columns, DAY, Data};
use headwater::journey::{EventOptions, Journeys, LifetimeMode, LifetimeOptions, MissingLifetime};
use headwater::{Error, Run};

mod support;

use support::paths::{TOY, paths};
use support::tables::{cell, floats, options, rules};
use support::world::{World, exponential, uniform, world};

#[test]
fn the_spread_of_a_linear_credit_is_the_root_of_the_sum_of_squares() {
    let j = paths(&TOY);
    let mut given = options(&[Model::Linear, Model::Last], 8_000);
    given.interval = Interval::Normal;
    given.confidence = 0.682_689_492_137_086; // one standard error either way
    let table = attribute(&j, &given, &Run::new().seed(3)).unwrap().table();
    // Σ n s² and Σ n (s v/n)² over the paths, by hand.
    let share = |model: &str, path: &str, channel: &str| {
        let steps: Vec<&str> = path.split(" > ").collect();
        match model {
            "last" => f64::from(u8::from(steps[steps.len() - 1] == channel)),
            _ => steps.iter().filter(|s| **s == channel).count() as f64 / steps.len() as f64,
        }
    };
    for model in ["linear", "last"] {
        for channel in ["A", "B", "C"] {
            let sum = |f: fn(f64, f64) -> f64| -> f64 {
                TOY.iter().map(|(p, n, _, v)| n * f(*n, *v) * share(model, p, channel).powi(2)).sum()
            };
            let key = [("model", model), ("channel", channel)];
            for (name, wanted) in
                [("conversions", sum(|_, _| 1.0).sqrt()), ("value", sum(|n, v| (v / n).powi(2)).sqrt())]
            {
                let low = cell(&table, &key, &format!("{name}_low"));
                let high = cell(&table, &key, &format!("{name}_high"));
                let found = (high - low) / 2.0;
                assert!(
                    (found - wanted).abs() <= 0.04 * wanted,
                    "{model} {channel} {name}: {found} {wanted}"
                );
                let middle = f64::midpoint(low, high);
                assert!((middle - cell(&table, &key, name)).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_rows() {
    let w = world(300, 90.0, 0.1, 3.0, 1);
    let mut back = w.clone();
    back.touches.reverse();
    back.orders.reverse();
    let given = options(&rules(), 70);
    let table = |w: &World, threads: usize| {
        let j = w.journeys(&EventOptions::default());
        attribute(&j, &given, &Run::new().seed(9).threads(threads)).unwrap().table()
    };
    let one = table(&w, 1);
    assert_eq!(one, table(&w, 3));
    let turned = table(&back, 2);
    for column in ["conversions_low", "share_high", "value_low"] {
        assert_eq!(floats(&one, column), floats(&turned, column), "{column}");
    }
    // Rows of equal paths, split and merged.
    let split: Vec<_> = TOY
        .iter()
        .flat_map(|(p, c, n, v)| [(*p, c / 2.0, n / 4.0, v / 2.0), (*p, c / 2.0, 3.0 * n / 4.0, v / 2.0)])
        .rev()
        .collect();
    let of = |rows: &[(&str, f64, f64, f64)]| attribute(&paths(rows), &given, &Run::new()).unwrap().table();
    assert_eq!(of(&TOY), of(&split));
    assert_ne!(of(&TOY), attribute(&paths(&TOY), &given, &Run::new().seed(1)).unwrap().table());
}

#[test]
fn the_table_has_its_bounds() {
    let j = world(500, 90.0, 0.1, 3.0, 4).journeys(&EventOptions::default());
    let table = attribute(&j, &options(&rules(), 200), &Run::new()).unwrap().table();
    for name in ["conversions", "value", "share", "roas", "cpa"] {
        let (low, at, high) = (
            floats(&table, &format!("{name}_low")),
            floats(&table, name),
            floats(&table, &format!("{name}_high")),
        );
        for r in 0..table.rows() {
            assert!(low[r] <= at[r] && at[r] <= high[r], "{name} {r}: {} {} {}", low[r], at[r], high[r]);
        }
    }
    let shares: f64 = floats(&table, "share").iter().sum();
    assert!((shares - rules().len() as f64).abs() < 1e-9);
    let plain = attribute(&j, &options(&rules(), 0), &Run::new()).unwrap().table();
    assert!(plain.get("share").is_none() && plain.get("conversions_low").is_none());
    assert_eq!(floats(&plain, "conversions"), floats(&table, "conversions"));
    for (bootstrap, confidence) in [(1, 0.9), (200_000, 0.9), (10, 0.0), (10, 1.0), (10, f64::NAN)] {
        let bad = AttributeOptions { bootstrap, confidence, ..options(&rules(), 0) };
        assert!(matches!(attribute(&j, &bad, &Run::new()), Err(Error::Option { .. })));
    }
}

#[test]
fn intervals_cover_at_their_rate() {
    const MARKETS: u64 = 1_000;
    let kinds = [("a > b", 0.3), ("b", 0.2), ("a > c > b", 0.1), ("c", 0.25), ("a", 0.15)];
    let people = 300.0;
    let wanted = [(0.15 + 0.1 / 3.0 + 0.15), (0.15 + 0.2 + 0.1 / 3.0), (0.1 / 3.0 + 0.25)];
    let (mut inside, mut share_inside) = (0.0, 0.0);
    for market in 0..MARKETS {
        let mut s = market * 7_919 + 1;
        // A Poisson number of customers, by exponential gaps.
        let (mut clock, mut counts) = (exponential(&mut s, 1.0), BTreeMap::new());
        while clock < people {
            let mut u = uniform(&mut s);
            let kind = kinds.iter().find(|(_, p)| {
                u -= p;
                u < 0.0
            });
            *counts.entry(kind.unwrap_or(&kinds[0]).0).or_insert(0.0) += 1.0;
            clock += exponential(&mut s, 1.0);
        }
        let rows: Vec<(&str, f64, f64, f64)> = counts.iter().map(|(p, n)| (*p, *n, 0.0, 0.0)).collect();
        let given = options(&[Model::Linear], 300);
        let table = attribute(&paths(&rows), &given, &Run::new().seed(market)).unwrap().table();
        for (c, p) in wanted.iter().enumerate() {
            let within = |name: &str, x: f64| {
                let (low, high) = (format!("{name}_low"), format!("{name}_high"));
                f64::from(u8::from(floats(&table, &low)[c] <= x && x <= floats(&table, &high)[c]))
            };
            inside += within("conversions", p * people) / (3 * MARKETS) as f64;
            share_inside += within("share", *p) / (3 * MARKETS) as f64;
        }
    }
    assert!((inside - 0.9).abs() < 0.03, "{inside}");
    assert!((share_inside - 0.9).abs() < 0.03, "{share_inside}");
}

#[test]
fn differences_are_antisymmetric() {
    let j = paths(&TOY);
    let of = |models: Vec<Model>| {
        let given = DifferenceOptions {
            models,
            bootstrap: 99,
            metric: DifferenceMetric::Conversions,
            ..DifferenceOptions::default()
        };
        difference(&j, None, None, None, &given, &Run::new()).unwrap()
    };
    let (ab, ba) = (of(vec![Model::First, Model::Last]), of(vec![Model::Last, Model::First]));
    for r in 0..3 {
        assert_eq!(floats(&ab, "difference")[r], -floats(&ba, "difference")[r]);
        assert!((floats(&ab, "low")[r] + floats(&ba, "high")[r]).abs() < 1e-12);
        assert_eq!(floats(&ab, "p")[r], floats(&ba, "p")[r]);
    }
    // First gives A 18 and last 0: certain.
    assert_eq!(floats(&ab, "p")[0], 0.02);
    assert_eq!(floats(&ab, "difference"), [18.0, 3.0, -21.0]);

    // Two periods: the same customers cancel, so a period differs from itself by nothing.
    let w = world(200, 60.0, 0.2, 2.0, 8);
    let (one, two) = (
        w.journeys(&EventOptions::default()),
        world(200, 60.0, 0.0, 2.0, 9).journeys(&EventOptions::default()),
    );
    let given = DifferenceOptions { models: rules(), bootstrap: 50, ..DifferenceOptions::default() };
    let same = difference(&one, Some(&one), None, None, &given, &Run::new()).unwrap();
    assert!(floats(&same, "low").iter().chain(floats(&same, "high")).all(|x| *x == 0.0));
    assert!(floats(&same, "p").iter().all(|p| *p == 1.0));
    let there = difference(&one, Some(&two), None, None, &given, &Run::new()).unwrap();
    let back = difference(&two, Some(&one), None, None, &given, &Run::new()).unwrap();
    for r in 0..there.rows() {
        assert!((floats(&there, "low")[r] + floats(&back, "high")[r]).abs() < 1e-12);
    }
    assert!(
        difference(
            &one,
            None,
            None,
            None,
            &DifferenceOptions { models: vec![Model::Last], ..given },
            &Run::new()
        )
        .is_err()
    );
}

#[test]
fn differences_of_returns_have_intervals() {
    let run = Run::new();
    let j = world(400, 90.0, 0.2, 2.0, 5).journeys(&EventOptions::default());
    let given = DifferenceOptions {
        models: vec![Model::First, Model::Last],
        metric: DifferenceMetric::Roas,
        bootstrap: 200,
        ..DifferenceOptions::default()
    };
    // Spend of a and, too little to matter, of a channel without touches; none of b.
    let spend = Columns::new()
        .with("channel", vec!["a", "a", "radio"])
        .with("date", Data::times(vec![DAY, 40 * DAY, DAY]))
        .with("spend", vec![20.0, 60.0, 1.0]);
    let value = DifferenceOptions { metric: DifferenceMetric::Value, ..given.clone() };
    let roas = difference(&j, None, Some(&spend), None, &given, &run).unwrap();
    let plain = difference(&j, None, None, None, &value, &run).unwrap();
    assert_eq!(roas.rows(), 2);
    for column in ["credit", "other_credit", "difference", "low", "high"] {
        let wanted = cell(&plain, &[("channel", "a")], column) / 80.0;
        assert!((cell(&roas, &[("channel", "a")], column) - wanted).abs() < 1e-9, "{column}");
    }
    assert_eq!(cell(&roas, &[("channel", "a")], "p"), cell(&plain, &[("channel", "a")], "p"));
    for column in ["credit", "difference", "low", "p", "p_adjusted"] {
        assert_eq!(roas.get(column).unwrap().valid, Some(vec![true, false]), "{column}");
    }
    // Each period has its own spend.
    let parts = [j.between(0, 30 * DAY).unwrap(), j.between(30 * DAY, 80 * DAY).unwrap()];
    let cpa =
        DifferenceOptions { metric: DifferenceMetric::Cpa, models: vec![Model::Linear], ..given.clone() };
    let table = difference(&parts[0], Some(&parts[1]), Some(&spend), None, &cpa, &run).unwrap();
    for (part, column, spent) in [(&parts[0], "credit", 20.0), (&parts[1], "other_credit", 60.0)] {
        let credit = attribute(part, &options(&[Model::Linear], 0), &run).unwrap().table();
        let wanted = spent / cell(&credit, &[("channel", "a")], "conversions");
        assert!((cell(&table, &[("channel", "a")], column) - wanted).abs() < 1e-9, "{column}");
    }
    let (low, high) = (cell(&table, &[("channel", "a")], "low"), cell(&table, &[("channel", "a")], "high"));
    assert!(low < cell(&table, &[("channel", "a")], "difference") && low < high);
    // The cost of touches is spend; of a part it is not known.
    assert!(
        difference(
            &j,
            None,
            None,
            None,
            &DifferenceOptions { metric: DifferenceMetric::Cpa, ..given.clone() },
            &run
        )
        .is_ok()
    );
    assert!(matches!(difference(&parts[0], Some(&j), None, None, &cpa, &run), Err(Error::Option { .. })));
    assert!(matches!(difference(&j, None, Some(&spend), None, &value, &run), Err(Error::Option { .. })));
    // A channel that some samples credit nothing has a cost, and no bounds.
    let rare = paths(&[("A", 1.0, 0.0, 5.0), ("B", 400.0, 0.0, 5.0), ("A > B", 3.0, 0.0, 5.0)]);
    let spend = Columns::new().with("channel", vec!["A", "B"]).with("spend", vec![4.0, 9.0]);
    let last = DifferenceOptions { metric: DifferenceMetric::Cpa, ..given };
    let table = difference(&rare, None, Some(&spend), None, &last, &run).unwrap();
    assert_eq!(floats(&table, "difference")[0], 1.0 - 4.0);
    assert_eq!(table.get("low").unwrap().valid, Some(vec![false, true]));
    let watch = DriftOptions { models: last.models.clone(), metric: last.metric, ..DriftOptions::default() };
    assert!(matches!(drift(&rare, &rare, None, &watch, &run), Err(Error::Option { .. })));
}

#[test]
fn weights_of_ones_own() {
    let j = world(300, 60.0, 0.3, 2.0, 12).journeys(&EventOptions::default());
    let custom = |json: &str| -> Model { serde_json::from_str(json).unwrap() };
    let pairs = [
        (r#"{"model": "custom", "from_end": [1, 0]}"#, Model::Last),
        (r#"{"model": "custom", "from_start": [1, 0]}"#, Model::First),
        (r#"{"model": "custom"}"#, Model::Linear),
        (r#"{"model": "custom", "ages": [{"within": "90d", "weight": 2}]}"#, Model::Linear),
        (r#"{"model": "custom", "other_channels": 0}"#, Model::Linear),
    ];
    for (json, rule) in pairs {
        let credits = |m: Model| {
            let found = attribute(&j, &options(&[m.clone()], 0), &Run::new()).unwrap();
            found.credits(m.name()).unwrap().to_vec()
        };
        let (mine, theirs) = (credits(custom(json)), credits(rule));
        for (a, b) in mine.iter().zip(&theirs) {
            assert!((a[0] - b[0]).abs() < 1e-9 && (a[1] - b[1]).abs() < 1e-9, "{json}");
        }
    }
    // Only channel a, where there is one.
    let only = custom(r#"{"model": "custom", "channels": {"a": 1}, "other_channels": 0}"#);
    let touches = touch_credits(&j, &only, &Run::new()).unwrap();
    let journeys = touches.i64s("journey").unwrap();
    let has_a: Vec<i64> = (0..touches.rows())
        .filter(|r| touches.text("channel", *r).as_deref() == Some("a"))
        .map(|r| journeys[r])
        .collect();
    for r in 0..touches.rows() {
        let is_a = touches.text("channel", r).as_deref() == Some("a");
        assert!(is_a || !has_a.contains(&journeys[r]) || floats(&touches, "conversions")[r] == 0.0);
    }
    for bad in [
        Custom { from_end: vec![-1.0], ..Custom::default() },
        Custom { older: f64::NAN, ..Custom::default() },
        serde_json::from_str(r#"{"ages": [{"within": "2d", "weight": 1}, {"within": "1d", "weight": 1}]}"#)
            .unwrap(),
    ] {
        assert!(attribute(&j, &options(&[Model::Custom(bad)], 0), &Run::new()).is_err());
    }
    // A callback's weights, as data.
    let table = credits_by_weights(&j, &vec![2.5; touches.rows()], &Run::new()).unwrap();
    let linear = attribute(&j, &options(&[Model::Linear], 0), &Run::new()).unwrap().table();
    for (a, b) in floats(&table, "conversions").iter().zip(floats(&linear, "conversions")) {
        assert!((a - b).abs() < 1e-9);
    }
    assert!(credits_by_weights(&j, &[1.0], &Run::new()).is_err());
}

#[test]
fn lifetime_value_is_carried_by_conversions() {
    let j = world(100, 60.0, 0.3, 2.0, 6).journeys(&EventOptions::default());
    let people: Vec<String> = (0..100).map(|i| format!("p{i}")).collect();
    let frame = Columns::new()
        .with("customer", people.clone())
        .with("lifetime_value", (0..100).map(f64::from).collect::<Vec<_>>());
    let given = LifetimeOptions::default();
    let first = j.with_lifetime(&frame, &given, &Run::new()).unwrap();
    let w = world(100, 60.0, 0.3, 2.0, 6);
    let mut buyers: Vec<&String> = w.orders.iter().map(|o| &o.0).collect();
    buyers.sort();
    let of = |name: &String| name[1..].parse::<f64>().unwrap();
    let every: f64 = buyers.iter().map(|b| of(b)).sum();
    buyers.dedup();
    let once: f64 = buyers.iter().map(|b| of(b)).sum();
    assert_eq!(first.total_value(), once);
    let mode = LifetimeMode::Every;
    let all = j.with_lifetime(&frame, &LifetimeOptions { mode, ..given.clone() }, &Run::new()).unwrap();
    assert_eq!(all.total_value(), every);
    let one = Columns::new().with("customer", vec!["p1"]).with("lifetime_value", vec![5.0]);
    assert!(matches!(j.with_lifetime(&one, &given, &Run::new()), Err(Error::NotEnoughData { .. })));
    let zero = LifetimeOptions { missing: MissingLifetime::Zero, ..given.clone() };
    assert!(j.with_lifetime(&one, &zero, &Run::new()).is_ok());
    let twice = Columns::new().with("customer", vec!["p1", "p1"]).with("lifetime_value", vec![5.0, 6.0]);
    assert!(matches!(j.with_lifetime(&twice, &zero, &Run::new()), Err(Error::Row { .. })));
    let tables = Given { journeys: &j, other: None, frame: Some(&frame), lift_tests: None, rules: None }
        .report("attribute_lifetime", r#"{"attribute": {"models": ["last"]}}"#, &Run::new())
        .unwrap();
    let value: f64 = floats(&tables[0].1, "value").iter().sum();
    assert!((value - once).abs() < 1e-9);
}

#[test]
fn reports_are_there_by_name() {
    let j = paths(&TOY);
    let given = Given::from(&j);
    let run = Run::new();
    assert!(given.report("difference", r#"{"models": ["first", "last"], "bootstrap": 10}"#, &run).is_ok());
    for (name, json) in [
        ("drift", r#"{"models": ["last"]}"#),
        ("calibrate", r#"{"models": ["last"]}"#),
        ("money", r#"{"models": ["last"]}"#),
        ("self_controlled", "{}"),
        ("choose_lookback", "{}"),
        ("compare", r#"{"models": ["last"]}"#),
        ("attribute", r#"{"models": ["last"], "bootstrap": 1}"#),
        ("credits_by_weights", "{}"),
    ] {
        assert!(given.report(name, json, &run).is_err(), "{name}");
    }
}

/// Touches of weight 0 earn nothing, in samples and by period too.
#[test]
fn samples_and_periods_know_the_weights_of_touches() {
    let touches = Columns::new()
        .with("customer", vec!["x", "x", "y", "y"])
        .with("time", vec!["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-03"])
        .with("channel", vec!["seen", "clicked", "seen", "clicked"])
        .with("weight", vec![0.0, 1.0, 0.0, 1.0]);
    let orders =
        Columns::new().with("customer", vec!["x", "y"]).with("time", vec!["2024-01-04", "2024-02-01"]);
    let options = EventOptions { weight: Some("weight".into()), ..EventOptions::default() };
    let journeys = Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap();
    let models = vec![Model::Linear];
    let options = AttributeOptions { models: models.clone(), bootstrap: 20, ..Default::default() };
    let credits = attribute(&journeys, &options, &Run::new()).unwrap().table();
    assert_eq!(credits.text("channel", 1).as_deref(), Some("seen"));
    for column in ["conversions", "conversions_low", "conversions_high"] {
        assert_eq!(credits.f64s(column).unwrap()[1], 0.0, "{column}");
    }
    let spend = Columns::new()
        .with("channel", vec!["seen", "clicked"])
        .with("date", vec!["2024-01-01", "2024-01-01"])
        .with("spend", vec![1.0, 1.0]);
    let options = MoneyOptions { models, period: MoneyPeriod::Month, ..MoneyOptions::default() };
    let [table, _] = money(&journeys, Some(&spend), None, &options, &Run::new()).unwrap();
    let seen = (0..table.rows()).filter(|row| table.text("channel", *row).as_deref() == Some("seen"));
    let credited: Vec<f64> = seen.map(|row| table.f64s("conversions").unwrap()[row]).collect();
    assert!(!credited.is_empty() && credited.iter().all(|c| *c == 0.0), "{credited:?}");
}
