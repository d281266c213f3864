//! Reports that read journeys, against their definitions spelt out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::naive_bytecount)]

mod paths;

use std::collections::{BTreeMap, BTreeSet};

use headwater::attribution::{AttributeOptions, Given, Model, attribute};
use headwater::column::Columns;
use headwater::journey::{
    Anchor, ChannelSet, Conversions, EventOptions, GraphOptions, Journeys, Occurrence, OverlapOptions,
    Policies, Repeats, StepMatrixOptions, Touches,
};
use headwater::{Error, Run, options};
use paths::{DAY, LABELS, Line, Row, cells, close, collapse, from_rows, repeated, rows, text_rows};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    // ---------------------------------------------------------------- step matrix

    #[test]
    fn step_matrices_are_as_defined(rows in rows(), bits in 0..16_u8, steps in 1..7_usize, before in 0..3_usize) {
        let mut every = rows;
        every.push((vec![0, 1, 2, 3], 0.0, 1.0));
        let j = from_rows(&every, &LABELS);
        let anchor = [Anchor::Start, Anchor::End, Anchor::Channel][bits as usize % 3];
        let o = StepMatrixOptions {
            steps, before, anchor,
            channel: (anchor == Anchor::Channel).then(|| ChannelSet(vec!["b".into(), "c".into()])),
            occurrence: if bits & 4 == 0 { Occurrence::First } else { Occurrence::Last },
            repeats: if bits & 8 == 0 { Repeats::Keep } else { Repeats::Collapse },
            ..StepMatrixOptions::default()
        };
        let mut wanted: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        for (path, converts, _) in repeated(&every) {
            let line: Line = path.iter().map(|c| (*c, 0)).collect();
            let line: Vec<&str> = collapse(&line, o.repeats).iter().map(|s| LABELS[s.0 as usize]).collect();
            let served = |c: &&str| ["b", "c"].contains(c);
            let zero = match (anchor, o.occurrence) {
                (Anchor::Start, _) => Some(-1),
                (Anchor::End, _) => Some(line.len() as i64),
                (_, Occurrence::First) => line.iter().position(served).map(|p| p as i64),
                (_, Occurrence::Last) => line.iter().rposition(served).map(|p| p as i64),
            };
            let Some(zero) = zero else { continue };
            let range = match anchor {
                Anchor::Start => 1..=steps as i64,
                Anchor::End => -(steps as i64)..=0,
                Anchor::Channel | Anchor::Pattern => -(before as i64)..=steps as i64,
            };
            for step in range {
                let end = if converts > 0.0 { "(conversion)" } else { "(null)" };
                let at = zero + step;
                let on = if at < 0 { "(start)" } else { line.get(at as usize).copied().unwrap_or(end) };
                *wanted.entry(vec![step.to_string(), on.to_owned()]).or_insert(0.0) += 1.0;
            }
        }
        let table = j.step_matrix(&o, &Run::new()).unwrap().table();
        close(&cells(&table, &["step", "channel"], "count"), &wanted);
        let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
        for (step, share) in table.i64s("step").unwrap().iter().zip(table.f64s("share").unwrap()) {
            *sums.entry(*step).or_insert(0.0) += share;
        }
        prop_assert!(sums.values().all(|s| (s - 1.0).abs() < 1e-12));
    }

    // ---------------------------------------------------------------- graph

    #[test]
    fn graphs_are_as_defined(rows in rows(), collapsed in any::<bool>()) {
        let mut every = rows;
        every.push((vec![0, 1, 2, 3], 1.0, 1.0));
        let j = from_rows(&every, &LABELS);
        let repeats = if collapsed { Repeats::Collapse } else { Repeats::Keep };
        let mut count: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        let mut took = count.clone();
        for (path, converts, _) in repeated(&every) {
            let line: Line = path.iter().map(|c| (*c, 0)).collect();
            let mut names = vec!["(start)"];
            names.extend(collapse(&line, repeats).iter().map(|s| LABELS[s.0 as usize]));
            names.push(if converts > 0.0 { "(conversion)" } else { "(null)" });
            let edges: Vec<Vec<String>> =
                names.windows(2).map(|w| w.iter().map(ToString::to_string).collect()).collect();
            for edge in &edges {
                *count.entry(edge.clone()).or_insert(0.0) += 1.0;
            }
            for edge in edges.into_iter().collect::<BTreeSet<_>>() {
                *took.entry(edge).or_insert(0.0) += 1.0;
            }
        }
        let o = GraphOptions { repeats, ..GraphOptions::default() };
        let found = j.graph(&o, &Run::new().threads(2)).unwrap();
        let table = found.table();
        close(&cells(&table, &["from", "to"], "count"), &count);
        close(&cells(&table, &["from", "to"], "journeys"), &took);
        let sum = |end: usize, of: &str| count.iter().filter(|(e, _)| e[end] == of).map(|(_, n)| n).sum::<f64>();
        let p_out = count.iter().map(|(e, n)| (e.clone(), n / sum(0, &e[0]))).collect();
        close(&cells(&table, &["from", "to"], "p_out"), &p_out);
        let p_in = count.iter().map(|(e, n)| (e.clone(), n / sum(1, &e[1]))).collect();
        close(&cells(&table, &["from", "to"], "p_in"), &p_in);
        let chain = j.transitions(repeats, &Run::new()).unwrap();
        close(&cells(&chain, &["from", "to"], "count"), &count);
        let nodes = found.get("nodes").unwrap();
        for (i, label) in LABELS.iter().enumerate() {
            prop_assert_eq!(nodes.f64s("count").unwrap()[i], sum(1, label));
            prop_assert_eq!(nodes.f64s("starts").unwrap()[i], count.get(&vec!["(start)".into(), (*label).to_owned()]).copied().unwrap_or(0.0));
        }
        // A threshold hides edges and tells how many.
        let o = GraphOptions { repeats, min_share: 0.5, ..o };
        let some = j.graph(&o, &Run::new()).unwrap();
        let hidden = some.get("hidden").unwrap();
        prop_assert_eq!(some.table().rows() + hidden.i64s("edges").unwrap()[0] as usize, table.rows());
        let shown: f64 = some.table().f64s("count").unwrap().iter().sum();
        prop_assert!((shown + hidden.f64s("count").unwrap()[0] - count.values().sum::<f64>()).abs() < 1e-9);
    }

    // ---------------------------------------------------------------- overlap

    #[test]
    fn overlaps_are_as_defined(rows in rows(), size in 2..4_usize) {
        let mut every = rows;
        every.push((vec![0, 1, 2, 3], 1.0, 1.0));
        let j = from_rows(&every, &LABELS);
        let all: Vec<(BTreeSet<u32>, bool)> =
            repeated(&every).into_iter().map(|(p, c, _)| (p.into_iter().collect(), c > 0.0)).collect();
        let count = |keep: &dyn Fn(&BTreeSet<u32>) -> bool| {
            let kept = all.iter().filter(|(set, _)| keep(set));
            (kept.clone().count() as f64, kept.filter(|k| k.1).count() as f64)
        };
        let table = j.overlap(&OverlapOptions { size, min_journeys: 0.0, ..OverlapOptions::default() }, &Run::new());
        let table = table.unwrap().table();
        for row in 0..table.rows() {
            let name = table.text("channels", row).unwrap().into_owned();
            let set: BTreeSet<u32> = name.split(" + ").map(|n| LABELS.iter().position(|l| *l == n).unwrap() as u32).collect();
            let (n, k) = count(&|s| s.is_superset(&set));
            let number = |column: &str| table.f64s(column).unwrap()[row];
            let there = |column: &str| table.get(column).unwrap().valid.as_ref().is_none_or(|v| v[row]);
            prop_assert_eq!((number("journeys"), number("conversions")), (n, k));
            let alone: Vec<(f64, f64)> = set.iter()
                .map(|c| count(&|s| s.contains(c) && set.iter().filter(|o| *o != c).all(|o| !s.contains(o)))).collect();
            if alone.iter().all(|a| a.0 > 0.0) {
                let expected = 1.0 - alone.iter().map(|(n, k)| 1.0 - k / n).product::<f64>();
                prop_assert!((number("expected_rate") - expected).abs() < 1e-12);
                prop_assert!((number("synergy") - (k / n - expected)).abs() < 1e-12);
            } else {
                prop_assert!(!there("expected_rate") && !there("synergy") && !there("p_value"));
            }
            let whole = all.len() as f64;
            let chance = set.iter().map(|c| count(&|s| s.contains(c)).0 / whole).product::<f64>() * whole;
            prop_assert!((number("lift") - n / chance).abs() < 1e-9);
            let (union, _) = count(&|s| set.iter().any(|c| s.contains(c)));
            prop_assert!((number("jaccard") - n / union).abs() < 1e-12);
        }
        let n_sets = if size == 2 { 6 } else { 4 };
        prop_assert_eq!(table.rows(), n_sets);
    }

    // ---------------------------------------------------------------- properties of all

    #[test]
    fn weights_are_repeated_rows_and_labels_are_only_names(rows in rows()) {
        let mut every = rows;
        every.push((vec![0, 1, 2, 3], 1.0, 1.0));
        let (one, many) = (from_rows(&every, &LABELS), from_rows(&repeated(&every), &LABELS));
        // z y x w in place of a b c d: the labels' order is turned round.
        let turned = from_rows(&every, &["z", "y", "x", "w"]);
        let name = |text: &str| -> String {
            let map = |c: char| match c { 'z' => 'a', 'y' => 'b', 'x' => 'c', 'w' => 'd', c => c };
            if text.starts_with('(') { text.to_owned() } else { text.chars().map(map).collect() }
        };
        for (report, options, turned_options, columns) in [
            ("funnel", r#"{"steps":["a",["b","c"]]}"#, r#"{"steps":["z",["y","x"]]}"#, &["step", "count", "dropped"][..]),
            ("step_matrix", "{}", "{}", &["step", "channel", "count", "share"]),
            ("graph", "{}", "{}", &["from", "to", "count", "p_out", "p_in", "journeys"]),
            ("graph_difference", "{}", "{}", &["from", "to", "count_a", "count_b", "took_a"]),
            ("assisted", "{}", "{}", &["channel", "first", "last", "only", "assisted", "conversions"]),
            ("positions", "{}", "{}", &["channel", "early", "mid", "late"]),
            ("path_length", r#"{"split_by":"first_channel"}"#, r#"{"split_by":"first_channel"}"#, &["group", "touches", "at_risk", "survival"]),
            ("friction", r#"{"min_visits":0}"#, r#"{"min_visits":0}"#, &["channel", "visits", "exits", "excess"]),
            ("online_offline", r#"{"offline":["a","d"]}"#, r#"{"offline":["z","w"]}"#, &["from", "to", "journeys", "share", "conversions"]),
            ("overlap", r#"{"min_journeys":0}"#, r#"{"min_journeys":0}"#, &["journeys", "conversions", "lift", "jaccard"]),
        ] {
            let of = |j: &Journeys, options: &str| j.report(report, options, &Run::new()).unwrap().remove(0).1;
            let wanted = text_rows(&of(&one, options), columns);
            prop_assert_eq!(&text_rows(&of(&many, options), columns), &wanted, "{}", report);
            let found = text_rows(&of(&turned, turned_options), columns);
            let found: BTreeSet<Vec<String>> = found.into_iter().map(|r| r.iter().map(|c| name(c)).collect()).collect();
            prop_assert_eq!(&found, &wanted, "{} relabelled", report);
        }
    }
}

#[test]
fn assists_and_positions_by_hand() {
    let rows = vec![
        (vec![0, 1, 0], 2.0, 5.0),
        (vec![2], 1.0, 0.0),
        (vec![0, 2, 1, 1, 3, 2], 1.0, 0.0),
        (vec![3, 3], 0.0, 4.0),
    ];
    let j = from_rows(&rows, &LABELS);
    let found = j.report("assisted", "{}", &Run::new()).unwrap().remove(0).1;
    assert_eq!(found.f64s("first").unwrap(), [3.0, 0.0, 1.0, 0.0]);
    assert_eq!(found.f64s("last").unwrap(), [2.0, 0.0, 2.0, 0.0]);
    assert_eq!(found.f64s("only").unwrap(), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(found.f64s("assisted").unwrap(), [1.0, 3.0, 0.0, 1.0]);
    assert_eq!(found.f64s("conversions").unwrap(), [3.0, 3.0, 2.0, 1.0]);
    assert_eq!(found.f64s("assisted_per_last").unwrap()[0], 0.5);
    assert_eq!(found.get("assisted_per_last").unwrap().valid, Some(vec![true, false, true, false]));
    let any = j.report("assisted", r#"{"assist":"any_earlier"}"#, &Run::new()).unwrap().remove(0).1;
    assert_eq!(any.f64s("assisted").unwrap(), [3.0, 3.0, 1.0, 1.0]);
    // Of six touches two are early and two late; of three one and one; a single one is late.
    let found = j.report("positions", "{}", &Run::new()).unwrap().remove(0).1;
    assert_eq!(found.f64s("early").unwrap(), [3.0, 0.0, 1.0, 0.0]);
    assert_eq!(found.f64s("mid").unwrap(), [0.0, 4.0, 0.0, 0.0]);
    assert_eq!(found.f64s("late").unwrap(), [2.0, 0.0, 2.0, 1.0]);
}

#[test]
fn refunds_take_their_value_from_every_role() {
    let touches = Columns::new()
        .with("customer", vec!["ann", "ann", "bob"])
        .with("time", vec!["2024-01-01", "2024-01-02", "2024-01-02"])
        .with("channel", vec!["search", "direct", "direct"]);
    let sales = Columns::new()
        .with("customer", vec!["ann", "bob"])
        .with("time", vec!["2024-01-03", "2024-01-03"])
        .with("value", vec![-5.0, 3.0]);
    let options: EventOptions = options::parse(r#"{"value":"value","refunds":"keep"}"#).unwrap();
    let j = Journeys::from_events(&touches, Some(&sales), &options, &Run::new()).unwrap();
    let found = j.report("assisted", "{}", &Run::new()).unwrap().remove(0).1;
    // direct, search
    for (column, wanted) in [
        ("first_value", [3.0, -5.0]),
        ("last_value", [-2.0, 0.0]),
        ("only_value", [3.0, 0.0]),
        ("assisted_value", [0.0, -5.0]),
        ("value", [-2.0, -5.0]),
        ("last", [2.0, 0.0]),
    ] {
        assert_eq!(found.f64s(column).unwrap(), wanted, "{column}");
    }
    let models = vec![Model::First, Model::Last];
    let credits =
        attribute(&j, &AttributeOptions { models, ..AttributeOptions::default() }, &Run::new()).unwrap();
    for (model, column) in [("first", "first_value"), ("last", "last_value")] {
        let value: Vec<f64> = credits.credits(model).unwrap().iter().map(|c| c[1]).collect();
        assert_eq!(found.f64s(column).unwrap(), value, "{model}");
    }
}

#[test]
fn the_difference_of_two_graphs_is_tested_by_journeys() {
    // 30 of 100 against 15 of 100 go from a to b: pooled z = 0.15 / sqrt(0.225 · 0.775 · 0.02).
    let a = from_rows(&[(vec![0, 1], 0.0, 30.0), (vec![0, 2], 0.0, 70.0)], &LABELS);
    let b = from_rows(&[(vec![0, 1], 0.0, 15.0), (vec![0, 3], 0.0, 85.0)], &LABELS);
    let given = Given { journeys: &a, other: Some(&b), frame: None, lift_tests: None, rules: None };
    let table = given.report("graph_difference", "{}", &Run::new()).unwrap().remove(0).1;
    let row = (0..table.rows()).find(|r| {
        table.text("from", *r).as_deref() == Some("a") && table.text("to", *r).as_deref() == Some("b")
    });
    let z = table.f64s("z").unwrap()[row.unwrap()];
    assert!((z - 0.15 / (0.225_f64 * 0.775 * 0.02).sqrt()).abs() < 1e-12, "{z}");
    assert!((table.f64s("difference").unwrap()[row.unwrap()] - 0.15).abs() < 1e-12);
    // a to d, 0 against 85 of 100, comes first.
    assert_eq!(table.text("to", 0).as_deref(), Some("d"));
    assert_eq!(table.f64s("count_a").unwrap()[0], 0.0);
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let j = from_rows(&[(vec![0, 1], 1.0, 0.0)], &LABELS);
    for (report, options, option) in [
        ("funnel", r#"{"steps":[]}"#, "steps"),
        ("funnel", r#"{"steps":["a","nope"]}"#, "steps"),
        ("funnel", r#"{"steps":["(conversion)","a"]}"#, "steps"),
        ("funnel", r#"{"steps":["a",["b","(conversion)"]]}"#, "steps"),
        ("funnel", r#"{"steps":["a"],"by":"customer"}"#, "by"),
        ("funnel", r#"{"steps":["a"],"window":"1d"}"#, "window"),
        ("funnel", r#"{"steps":["a"],"quantiles":[1.5]}"#, "quantiles"),
        ("funnel", r#"{"steps":["a"],"level":1}"#, "level"),
        ("step_matrix", r#"{"steps":0}"#, "steps"),
        ("step_matrix", r#"{"anchor":"channel"}"#, "channel"),
        ("step_matrix", r#"{"channel":"a"}"#, "channel"),
        ("graph", r#"{"min_share":-0.1}"#, "min_share"),
        ("overlap", r#"{"size":4}"#, "size"),
        ("overlap", r#"{"channels":["x"]}"#, "channels"),
        ("online_offline", "{}", "offline"),
        ("friction", r#"{"max_step":0}"#, "max_step"),
        ("friction", r#"{"lookback":"3d"}"#, "lookback"),
        ("positions", r#"{"level":0.9}"#, "level"),
    ] {
        match j.report(report, options, &Run::new()) {
            Err(Error::Option { option: named, .. }) => assert_eq!(named, option, "{report} {options}"),
            other => panic!("{report} {options}: {other:?}"),
        }
    }
    for report in ["time_to_convert", "lag_curves"] {
        let error = j.report(report, "{}", &Run::new()).unwrap_err();
        assert!(matches!(&error, Error::Column { column, .. } if column == "time"), "{error}");
        assert!(error.to_string().contains(report), "{error}");
    }
}

#[test]
fn nothing_in_gives_nothing_out() {
    let none = Journeys::default();
    for report in
        ["step_matrix", "graph", "graph_difference", "path_length", "assisted", "overlap", "positions"]
    {
        none.report(report, "{}", &Run::new()).unwrap();
    }
    none.report("friction", "{}", &Run::new()).unwrap();
    let timed =
        Journeys::build(&Touches::default(), &Conversions::default(), &Policies::default(), &Run::new());
    for report in ["time_to_convert", "lag_curves"] {
        timed.as_ref().unwrap().report(report, "{}", &Run::new()).unwrap();
    }
}

/// A number in 0..n from a counter: the same in every run.
fn scatter(i: u64, salt: u64, n: u64) -> u64 {
    let mut x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 29)) % n
}

const ALL_REPORTS: [(&str, &str); 19] = [
    ("funnel", r#"{"steps":["c1",["c2","c3"],"(conversion)"],"window":"20d","split_by":"first_channel"}"#),
    ("funnel", r#"{"steps":["c1","c2"],"by":"customer","attempts":"all","repeats":"collapse"}"#),
    ("funnel", r#"{"steps":["c1",["c2","c3"],"(conversion)"],"order":"any","exclude":["c4"],"window":"9d"}"#),
    ("step_matrix", "{}"),
    ("step_matrix", r#"{"anchor":"pattern","pattern":"c1 -> .* -> [c2|c3]","occurrence":"last"}"#),
    ("patterns", r#"{"patterns":["c1->.*->c2","[^c3]+->(null)"],"split_by":"first_channel","within":"9d"}"#),
    ("sequences", "{}"),
    ("features", r#"{"transitions":true}"#),
    ("graph", "{}"),
    ("graph_difference", "{}"),
    ("time_to_convert", r#"{"split_by":"last_channel","lookback":"30d","grid":"1d"}"#),
    ("path_length", r#"{"split_by":"first_channel"}"#),
    ("assisted", "{}"),
    ("positions", "{}"),
    ("overlap", r#"{"size":3,"min_journeys":0}"#),
    ("online_offline", r#"{"offline":["c4","c5"]}"#),
    ("friction", "{}"),
    ("lag_curves", "{}"),
    ("lag_curves", r#"{"from_touch":"last","grid":"6h"}"#),
];

#[test]
fn threads_and_the_order_of_rows_leave_no_trace() {
    let made = |turn: u64| {
        let n = 90_000;
        let frame = |n: u64, salt: u64| {
            // Rows in another order: 7919 is prime to their number.
            let row = |i: u64| if turn == 0 { i } else { i * 7919 % n };
            let column = |f: &dyn Fn(u64) -> i64| (0..n).map(|i| f(row(i))).collect::<Vec<i64>>();
            Columns::new()
                .with("customer", column(&|i| scatter(i, salt, 15_000) as i64))
                .with(
                    "time",
                    headwater::column::Data::times(column(&|i| {
                        scatter(i, salt + 1, 90 * 96) as i64 * (DAY / 96)
                    })),
                )
                .with(
                    "channel",
                    (0..n).map(|i| format!("c{}", scatter(row(i), salt + 2, 7))).collect::<Vec<_>>(),
                )
                .with(
                    "value",
                    (0..n).map(|i| scatter(row(i), salt + 3, 9_999) as f64 / 100.0).collect::<Vec<_>>(),
                )
        };
        let options = EventOptions { value: Some("value".into()), ..Default::default() };
        Journeys::from_events(&frame(n, 1), Some(&frame(n / 10, 5)), &options, &Run::new()).unwrap()
    };
    let (one, other) = (made(0), made(1));
    for (report, options) in ALL_REPORTS {
        let of = |j: &Journeys, threads| j.report(report, options, &Run::new().threads(threads)).unwrap();
        let wanted = of(&one, 1);
        assert!(of(&one, 3) == wanted, "{report} {options} on three threads");
        assert!(of(&other, 2) == wanted, "{report} {options} of other rows");
    }
}

#[test]
fn fractions_add_up_the_same_on_any_number_of_threads() {
    let n = 40_000;
    let rows: Vec<Row> = (0..n)
        .map(|i| {
            let path = (0..=scatter(i, 1, 6)).map(|k| scatter(i, k + 2, 4) as u32).collect();
            (path, scatter(i, 20, 100) as f64 / 37.0, scatter(i, 21, 100) as f64 / 41.0)
        })
        .collect();
    let (forward, backward) =
        (from_rows(&rows, &LABELS), from_rows(&rows.into_iter().rev().collect::<Vec<_>>(), &LABELS));
    for (report, options) in [
        ("funnel", r#"{"steps":["a",["b","c"],"(conversion)"],"split_by":"first_channel"}"#),
        ("step_matrix", "{}"),
        ("graph", "{}"),
        ("path_length", "{}"),
        ("assisted", "{}"),
        ("positions", "{}"),
        ("overlap", "{}"),
        ("online_offline", r#"{"offline":["b"]}"#),
        ("friction", "{}"),
        ("patterns", r#"{"patterns":["a->.*->b->(conversion)"]}"#),
        ("sequences", "{}"),
    ] {
        let of = |j: &Journeys, threads| j.report(report, options, &Run::new().threads(threads)).unwrap();
        assert!(of(&backward, 4) == of(&forward, 1), "{report}");
    }
}

#[test]
fn crossings_by_hand() {
    // a and c are online, b and d offline.
    let rows = vec![
        (vec![0, 1, 0, 2, 3], 2.0, 1.0),
        (vec![1, 0], 0.0, 4.0),
        (vec![2, 0], 3.0, 0.0),
        (vec![3, 3], 1.0, 0.0),
    ];
    let j = from_rows(&rows, &LABELS);
    let table = j.report("online_offline", r#"{"offline":["b","d"]}"#, &Run::new()).unwrap().remove(0).1;
    let found = cells(&table, &["from", "to"], "journeys");
    let wanted = [
        (("a", "b"), 3.0),
        (("a", "d"), 3.0),
        (("a", "(conversion)"), 5.0),
        (("b", "a"), 7.0),
        (("b", "c"), 3.0),
        (("b", "(conversion)"), 2.0),
        (("c", "d"), 3.0),
        (("c", "(conversion)"), 5.0),
        (("d", "(conversion)"), 3.0),
    ];
    let key = |(from, to): (&str, &str)| vec![from.to_owned(), to.to_owned()];
    close(&found, &wanted.into_iter().map(|(pair, n)| (key(pair), n)).collect());
    // Of the ten journeys on a, three cross to b, and two of these convert.
    let share = cells(&table, &["from", "to"], "share");
    assert!((share[&key(("a", "b"))] - 0.3).abs() < 1e-12);
    assert_eq!(cells(&table, &["from", "to"], "conversions")[&key(("a", "b"))], 2.0);
    assert_eq!(cells(&table, &["from", "to"], "share")[&key(("d", "(conversion)"))], 0.75);
}
