//! Bad input to attribution: one error, which names the option or the column and the remedy.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use headwater::attribution::{Given, Logistic, Model};
use headwater::column::Columns;
use headwater::journey::{EventOptions, JourneyBuilder, Journeys, MarginOptions, PathOptions};
use headwater::{Error, Run, options};

fn paths(value: [f64; 2]) -> Result<Journeys, Error> {
    let frame = Columns::new()
        .with("path", vec!["a > b", "b"])
        .with("conversions", vec![3.0, 2.0])
        .with("nulls", vec![4.0, 5.0])
        .with("value", value.to_vec());
    let options =
        PathOptions { value: Some("value".into()), nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new())
}

fn events() -> [Columns; 2] {
    let touches = Columns::new()
        .with("customer", vec!["ann", "bob"])
        .with("time", vec!["2024-01-01", "2024-01-02"])
        .with("channel", vec!["a", "b"]);
    let orders = Columns::new()
        .with("customer", vec!["ann", "bob", "bob"])
        .with("time", vec!["2024-01-03", "2024-01-04", "2024-01-05"])
        .with("value", vec![100.0, 10.0, 1.0])
        .with("event", vec!["subscription", "purchase", "purchase"]);
    [touches, orders]
}

/// The option or column that an error names, and what it says.
fn told<T>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::Option { option, reason }) => (option, reason),
        Err(Error::Column { column, reason }) => (column, reason),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn sums_beyond_all_numbers_are_errors() {
    let huge = 1.7e308;
    let (column, reason) = told(paths([huge, huge]));
    assert!(column == "value" && reason.contains("larger unit"), "{column} {reason}");
    assert!(paths([huge, 1.0]).is_ok());
    let [touches, orders] = events();
    let orders = orders.with("value", vec![huge, huge, 1.0]);
    let options = EventOptions { value: Some("value".into()), ..EventOptions::default() };
    assert_eq!(told(Journeys::from_events(&touches, Some(&orders), &options, &Run::new())).0, "value");
    let costly = touches.clone().with("cost", vec![huge, huge]);
    let of_cost = EventOptions { cost: Some("cost".into()), ..EventOptions::default() };
    assert_eq!(told(Journeys::from_events(&costly, Some(&orders), &of_cost, &Run::new())).0, "cost");
    // In parts, each of which can be added up.
    let mut builder = JourneyBuilder::new(options);
    let one = |value: f64| orders.clone().with("value", vec![value, 0.0, 0.0]);
    builder.extend(&touches, Some(&one(huge)), &Run::new()).unwrap();
    assert_eq!(told(builder.extend(&touches, Some(&one(huge)), &Run::new())).0, "value");
    assert_eq!(builder.journeys().total_value(), huge);
    let j = paths([1.0, 1.0]).unwrap();
    let twice = |column: &str| Columns::new().with("channel", vec!["a", "b"]).with(column, vec![huge, huge]);
    for (name, frame, column) in [
        ("money", twice("spend"), "spend"),
        ("compare", twice("incremental_conversions"), "incremental_conversions"),
    ] {
        let given = Given { frame: Some(&frame), ..Given::from(&j) };
        let models = r#"{"models": ["first", "last"]}"#;
        assert_eq!(told(given.report(name, models, &Run::new())).0, column, "{name}");
    }
}

#[test]
fn what_is_no_model_is_told_as_such() {
    let j = paths([1.0, 1.0]).unwrap();
    let given = Given::from(&j);
    for model in ["null", "{}", "7", "[]", r#"{"model": null}"#, r#"{"model": 3}"#, r#"{"order": 2}"#] {
        let (option, reason) =
            told(given.report("attribute", &format!(r#"{{"models": [{model}]}}"#), &Run::new()));
        assert_eq!(option, "models", "{model}");
        assert!(reason.contains("such as \"linear\"") && !reason.contains("Spec"), "{model}: {reason}");
        let (option, reason) = told(options::parse::<Model>(model));
        assert!(option == "model" && reason.contains("markov"), "{model}: {option} {reason}");
    }
    for (json, option, said) in [
        (r#"{"models": ["lasst"]}"#, "models", "lasst"),
        (r#"{"models": [{"model": "markov", "order": "x"}]}"#, "models", "expected"),
    ] {
        let (found, reason) = told(given.report("attribute", json, &Run::new()));
        assert!(found == option && reason.contains(said), "{json}: {found} {reason}");
    }
    let bad = Model::Logistic(Logistic { penalty: Some(f64::INFINITY), ..Logistic::default() });
    assert_eq!(told(bad.check()).0, "penalty");
}

#[test]
fn options_are_named_as_they_are_given() {
    let j = paths([1.0, 1.0]).unwrap();
    let [touches, orders] = events();
    let known =
        Journeys::from_events(&touches, Some(&orders), &EventOptions::default(), &Run::new()).unwrap();
    let worth = Columns::new().with("customer", vec!["ann"]).with("lifetime_value", vec![3.0]);
    let models = r#""attribute": {"models": ["last"]}"#;
    for (journeys, frame, name, json, option, said) in [
        (&j, None, "bootstrap", r#"{"statistic": "nothing"}"#.to_owned(), "statistic", "removal_effects"),
        (
            &j,
            None,
            "bootstrap",
            r#"{"statistic": "values"}"#.into(),
            "statistic",
            "removal_effects, joint_effects",
        ),
        (
            &j,
            None,
            "bootstrap",
            r#"{"model": "linear", "statistic": "values"}"#.into(),
            "statistic",
            "touch_credits",
        ),
        (&j, None, "calibrate", r#"{"models": ["last"]}"#.into(), "lift_tests", "lift tests"),
        (&known, None, "choose_lookback", r#"{"candidates": []}"#.into(), "candidates", "at least one"),
        (&known, None, "choose_half_life", r#"{"candidates": []}"#.into(), "candidates", "at least one"),
        (
            &known,
            Some(&worth),
            "attribute_lifetime",
            format!(r#"{{{models}, "lifetime_missing": "x"}}"#),
            "lifetime_missing",
            "zero",
        ),
        (
            &known,
            Some(&worth),
            "attribute_lifetime",
            format!(r#"{{{models}, "lifetime_mode": "x"}}"#),
            "lifetime_mode",
            "every",
        ),
        (&known, None, "attribute_lifetime", format!("{{{models}}}"), "lifetime", "values of customers"),
        (
            &known,
            None,
            "segmented",
            r#"{"model": {"model": "callback", "name": "early"}}"#.into(),
            "model",
            "learns nothing",
        ),
        (
            &known,
            None,
            "validate",
            r#"{"models": [{"model": "callback", "name": "early"}]}"#.into(),
            "models",
            "predicts nothing",
        ),
    ] {
        let given = Given { frame, ..Given::from(journeys) };
        let (found, reason) = told(given.report(name, &json, &Run::new()));
        assert!(found == option && reason.contains(said), "{name} {json}: {found} {reason}");
    }
    for count in ["-1", "1e999"] {
        let found = told(j.report("sequences", &format!(r#"{{"min_count": {count}}}"#), &Run::new()));
        assert!(count == "1e999" || found.0 == "min_count", "{found:?}");
    }
}

#[test]
fn margins_are_checked() {
    let [touches, orders] = events();
    let options = EventOptions {
        value: Some("value".into()),
        conversion_kind: Some("event".into()),
        ..EventOptions::default()
    };
    let j = Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap();
    let margin = |rate: Option<f64>, kinds: &[(&str, f64)]| MarginOptions {
        rate,
        by_kind: kinds.iter().map(|(kind, rate)| ((*kind).to_owned(), *rate)).collect(),
    };
    // 0.5 of 10 and 1, 0.8 of 100.
    let left = j.with_margin(&margin(Some(0.5), &[("subscription", 0.8)])).unwrap();
    let mut values = left.values().to_vec();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [0.5, 5.0, 80.0]);
    assert_eq!(left.conversions(), j.conversions());
    let by_kind = margin(None, &[("subscription", 0.8), ("purchase", 0.5)]);
    assert_eq!(j.with_margin(&by_kind).unwrap().values(), left.values());
    assert_eq!(j.with_margin(&margin(Some(1.0), &[])).unwrap().values(), j.values());
    let bare = Journeys::from_events(&touches, Some(&orders), &EventOptions::default(), &Run::new()).unwrap();
    let path = paths([1.0, 1.0]).unwrap();
    for (journeys, given, option, said) in [
        (&j, margin(None, &[]), "rate", "by_kind"),
        (&j, margin(Some(f64::NAN), &[]), "rate", "0 or more"),
        (&j, margin(Some(-0.1), &[]), "rate", "0 or more"),
        (&j, margin(None, &[("purchase", 0.5)]), "by_kind", "subscription"),
        (&j, margin(Some(0.5), &[("gift", 0.5)]), "by_kind", "purchase, subscription"),
        (&j, margin(Some(1e308), &[]), "rate", "0.4"),
        (&bare, margin(Some(0.5), &[]), "rate", "no value"),
        (&path, margin(Some(0.5), &[("purchase", 0.5)]), "by_kind", "no kinds"),
    ] {
        let (found, reason) = told(journeys.with_margin(&given));
        assert!(found == option && reason.contains(said), "{found} {reason}");
    }
}
