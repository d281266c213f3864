//! Markov values beside golden numbers, sums and closed forms.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::similar_names)]

mod support;

use headwater::clv::finance::{MarkovChain, Period, Rate, report};
use headwater::column::{Columns, Table, Values};
use headwater::{Result, Run};
use proptest::prelude::*;
use serde_json::Value;

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let error = (got - want).abs() / want.abs().max(1e-300);
    assert!(error <= tolerance, "{what}: {got} for {want}, relative error {error:.2e}");
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T>) -> (String, &'static str) {
    let error = result.unwrap_err();
    let named = match &error {
        headwater::Error::Option { option, .. } => option.clone(),
        headwater::Error::Column { column, .. } | headwater::Error::Row { column, .. } => column.clone(),
        _ => String::new(),
    };
    (named, error.code())
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap().to_vec()
}

fn table(name: &str, frame: Option<&Columns>, options: &str) -> Table {
    report(name, frame, options, &Run::new()).unwrap().swap_remove(0).1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transition_values_are_their_sums(
        weights in prop::collection::vec(0.01..1.0_f64, 25), rewards in prop::collection::vec(-5.0..20.0_f64, 5),
        d in 0.05..0.5_f64,
    ) {
        let run = Run::new();
        let mut edges = Vec::new();
        for i in 0..5 {
            let total: f64 = weights[i * 5..i * 5 + 5].iter().sum();
            (0..5).for_each(|j| edges.push((i, j, weights[i * 5 + j] / total)));
        }
        let chain = MarkovChain::new(5, &edges).unwrap();
        let endless = chain.values(&rewards, d, None, &run).unwrap();
        let far = chain.values(&rewards, d, Some(1500), &run).unwrap();
        for i in 0..5 {
            prop_assert!((endless[i] - far[i]).abs() < 1e-11 * 20.0 / d);
        }
        // A stop rule never loses, and solves V = max(0, R + P V / (1 + d)).
        let (stopped, keep) = chain.values_with_stop(&rewards, d, None, &run).unwrap();
        for i in 0..5 {
            prop_assert!(stopped[i] >= endless[i] - 1e-9 && stopped[i] >= 0.0);
            let onward = rewards[i] + edges[i * 5..i * 5 + 5].iter().map(|e| e.2 * stopped[e.1]).sum::<f64>() / (1.0 + d);
            prop_assert!((stopped[i] - onward.max(0.0)).abs() < 1e-9);
            prop_assert!(keep[i] == (onward >= 0.0) || onward.abs() < 1e-9);
        }
    }
}

#[test]
fn golden_markov_values() {
    let Some(file) = support::golden("clv/markov_clv.json") else { return };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let number = |v: &Value| v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap());
    let (mut from, mut to, mut probability) = (Vec::new(), Vec::new(), Vec::new());
    for (i, row) in golden["P"].as_array().unwrap().iter().enumerate() {
        for (j, p) in row.as_array().unwrap().iter().enumerate() {
            from.push(i as i64);
            to.push(j as i64);
            probability.push(number(p));
        }
    }
    let frame = Columns::new().with("from", from).with("to", to).with("probability", probability);
    let rewards: serde_json::Map<String, Value> =
        golden["R"].as_array().unwrap().iter().enumerate().map(|(i, r)| (i.to_string(), r.clone())).collect();
    let d = number(&golden["d"]);
    let options = |more: Value| {
        let mut all =
            serde_json::json!({"rewards": rewards, "period": "365d", "discount": {"rate": d, "per": "365d"}});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all.to_string()
    };
    let got = table("markov_value", Some(&frame), &options(serde_json::json!({})));
    let want: Vec<f64> = golden["V_infinite"].as_array().unwrap().iter().map(number).collect();
    for (got, want) in f64s(&got, "value").into_iter().zip(want) {
        // Fifteen digits are printed.
        assert!((got - want).abs() <= 1e-12 * want.abs().max(1e-300), "{got} {want}");
    }
    // The fourth state costs more than it brings: end the relationship there.
    assert!(
        matches!(&got.get("keep").unwrap().values, Values::Bool(v) if *v == [true, true, true, false, true])
    );
    let stopped = f64s(&got, "value_with_stop");
    assert!(stopped[3] == 0.0 && stopped[0] > f64s(&got, "value")[0]);
    let short = table("markov_value", Some(&frame), &options(serde_json::json!({"horizon": 1})));
    close(f64s(&short, "value")[0], 36.0 + (0.3 * 36.0 - 0.7 * 4.0) / 1.2, 1e-14, "V_1");

    let run = Run::new();
    let bad = |more: Value| code(report("markov_value", Some(&frame), &options(more), &run));
    assert_eq!(bad(serde_json::json!({"rewards": {"0": 1}})), ("rewards".into(), "HW_OPTION"));
    let mut more = rewards.clone();
    more.insert("9".into(), serde_json::json!(1));
    assert_eq!(bad(serde_json::json!({"rewards": more})), ("rewards".into(), "HW_OPTION"));
    assert_eq!(bad(serde_json::json!({"discount": null})), ("discount".into(), "HW_OPTION"));
    // Without a discount the lost are worth nothing, and the others something finite.
    let free = table(
        "markov_value",
        Some(&frame),
        &options(serde_json::json!({"discount": {"rate": 0, "per": "1d"}})),
    );
    assert!(f64s(&free, "value")[0] > 52.0 && f64s(&free, "value")[4] == 0.0);
    let mut more = rewards.clone();
    more.insert("4".into(), serde_json::json!(1));
    let endless = serde_json::json!({"rewards": more, "discount": {"rate": 0, "per": "1d"}});
    assert_eq!(bad(endless), ("discount".into(), "HW_OPTION"));
}

#[test]
fn matrices_that_cannot_be_are_named() {
    let run = Run::new();
    let get = |from: Vec<&str>, to: Vec<&str>, p: Vec<f64>, more: &str| {
        let frame = Columns::new().with("from", from).with("to", to).with("probability", p);
        let options = format!(
            r#"{{"rewards": {{"a": 1, "b": 0}}, "period": "30d", "discount": {{"rate": 0.1, "per": "365d"}}{more}}}"#
        );
        report("markov_value", Some(&frame), &options, &run)
    };
    let (from, to) = (vec!["a", "a", "b"], vec!["a", "b", "b"]);
    assert!(get(from.clone(), to.clone(), vec![0.5, 0.5, 1.0], "").is_ok());
    assert_eq!(
        code(get(from.clone(), to.clone(), vec![0.5, 0.4, 1.0], "")),
        ("probability".into(), "HW_COLUMN")
    );
    let leave = r#", "remainder": "leave""#;
    assert!(get(from.clone(), to.clone(), vec![0.5, 0.4, 1.0], leave).is_ok());
    assert_eq!(code(get(from.clone(), to, vec![0.7, 0.5, 1.0], leave)), ("probability".into(), "HW_OPTION"));
    assert_eq!(code(get(vec!["a"], vec!["b"], vec![1.0], "")), ("probability".into(), "HW_COLUMN")); // b has no row
    let twice = get(from, vec!["a", "a", "b"], vec![0.5, 0.5, 1.0], "");
    assert_eq!(code(twice), ("probability".into(), "HW_OPTION"));
    assert_eq!(code(get(vec![], vec![], vec![], "")).1, "HW_NOT_ENOUGH_DATA");
    assert!(MarkovChain::new(2, &[(0, 5, 0.5)]).is_err() && MarkovChain::new(5000, &[]).is_err());
}

#[test]
fn recency_states_from_orders() {
    // ann buys every month, bob skips two, cat never comes back.
    let orders = [
        ("ann", "2024-01-05"),
        ("ann", "2024-02-05"),
        ("ann", "2024-03-05"),
        ("ann", "2024-04-05"),
        ("bob", "2024-01-10"),
        ("bob", "2024-04-10"),
        ("cat", "2024-02-01"),
        ("dan", "2024-05-02"),
    ];
    let frame = Columns::new()
        .with("customer", orders.iter().map(|o| o.0).collect::<Vec<_>>())
        .with("time", orders.iter().map(|o| o.1).collect::<Vec<_>>())
        .with("value", vec![10.0; 8]);
    let options =
        r#"{"states": 2, "margin": 0.5, "contact_cost": 1, "discount": {"rate": 0.1, "per": "365d"}}"#;
    let tables = report("markov_from_orders", Some(&frame), options, &Run::new()).unwrap();
    let transitions = &tables[1].1;
    // May is not over. From recency_1: ann stays three times; bob and cat lapse. From recency_2 both are lost.
    assert_eq!(transitions.i64s("count").unwrap(), [3, 2, 0, 2]);
    assert_eq!(f64s(transitions, "probability"), [0.6, 0.4, 0.0, 1.0]);
    close(f64s(transitions, "standard_error")[0], (0.24_f64 / 5.0).sqrt(), 1e-14, "standard error");
    assert_eq!(tables[2].1.i64s("returned").unwrap(), [1]);
    let values = &tables[0].1;
    assert_eq!(f64s(values, "reward"), [4.0, -1.0, 0.0]);
    // V1 = 4 + v (0.6 V1 + 0.4 V2), V2 = −1; and V1 = 4 / (1 − 0.6 v) once nobody is kept in recency_2.
    let v = 1.0 / (1.0 + Rate::new(0.1, "365d".parse().unwrap()).over(Period::Month.length()));
    close(f64s(values, "value")[0], (4.0 - 0.4 * v) / (1.0 - 0.6 * v), 1e-13, "V1");
    close(f64s(values, "value_with_stop")[0], 4.0 / (1.0 - 0.6 * v), 1e-13, "V1 with stop");
    let more = r#"{"states": 6, "discount": {"rate": 0.1, "per": "365d"}}"#;
    assert_eq!(code(report("markov_from_orders", Some(&frame), more, &Run::new())).1, "HW_NOT_ENOUGH_DATA");
}

/// A step of a month is discounted as a twelfth of a year, and states are called by their names.
#[test]
fn steps_are_months_and_states_have_names() {
    let chain = |to: [&'static str; 3]| {
        Columns::new()
            .with("from", vec!["new", "new", "lost"])
            .with("to", to.to_vec())
            .with("probability", vec![0.6, 0.4, 1.0])
    };
    let options =
        r#"{"rewards": {"new": 10, "lost": 0}, "period": "month", "discount": {"rate": 0.1, "per": "year"}}"#;
    let found = table("markov_value", Some(&chain(["new", "lost", "lost"])), options);
    let factor = headwater::math::pow(1.1, -1.0 / 12.0);
    close(f64s(&found, "value")[1], 10.0 / (1.0 - 0.6 * factor), 1e-13, "value");
    let twice = report("markov_value", Some(&chain(["new", "new", "lost"])), options, &Run::new());
    let error = twice.unwrap_err().to_string();
    assert!(error.contains("from state `new` to `new` is given twice"), "{error}");
    let never = options.replace("month", "0d");
    let found = report("markov_value", Some(&chain(["new", "lost", "lost"])), &never, &Run::new());
    assert_eq!(code(found), ("period".into(), "HW_OPTION"));
}
