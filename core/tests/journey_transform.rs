//! Path transforms by their published example, by a naive writing, and by what they conserve.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use headwater::attribution::{AttributeOptions, Model, Shapley, attribute};
use headwater::column::{Columns, Data, Duration};
use headwater::journey::{
    EventOptions, Hierarchy, Journeys, Keep, KeepInSession, PathOptions, Transform, TransformOptions,
};
use headwater::math::exact_sum;
use headwater::{Error, Run, options};
use proptest::prelude::*;

fn run() -> Run {
    Run::new()
}

fn from_paths(paths: &[&str]) -> Journeys {
    let n = paths.len();
    let frame = Columns::new().with("path", paths.to_vec()).with("conversions", vec![1.0; n]);
    Journeys::from_paths(&frame, &PathOptions::default(), &run()).unwrap()
}

fn labels(j: &Journeys, journey: usize) -> Vec<String> {
    j.path(journey).iter().map(|code| j.channel_label(*code)).collect()
}

fn step(json: &str) -> Transform {
    serde_json::from_str(json).unwrap()
}

fn after(path: &str, steps: &[&str]) -> String {
    let steps: Vec<Transform> = steps.iter().map(|json| step(json)).collect();
    labels(&from_paths(&[path]).transform(&steps, &run()).unwrap(), 0).join(" ")
}

const EXAMPLE: &str = "D > A > B > B > C > D > C > C";

/// google/fractribution, path_transforms: its example [D, A, B, B, C, D, C, C].
#[test]
fn the_published_example_comes_out() {
    for (json, expected) in [
        (r#""unique""#, "D A B B C D C C"),
        (r#""exposure""#, "D A B C D C"),
        (r#""first""#, "D A B C"),
        (r#""frequency""#, "D(2) A(1) B(2) C(3)"),
        (r#"{"step": "remove_if_last_and_not_all", "channels": ["C"]}"#, "D A B B C D"),
        (r#"{"step": "remove_if_last_and_not_all", "channels": ["C", "D"]}"#, "D A B B"),
        (r#"{"step": "remove_if_last_and_not_all", "channels": ["A"]}"#, "D A B B C D C C"),
        (r#"{"step": "remove_if_not_all", "channels": ["C"]}"#, "D A B B D"),
        (r#"{"step": "trim_long_path", "steps": 3}"#, "D C C"),
        (r#"{"step": "trim_long_path", "steps": 20}"#, "D A B B C D C C"),
        (r#"{"step": "exclude", "channels": ["C"]}"#, "D A B B D"),
        (r#"{"step": "include_only", "channels": ["C"]}"#, "C C C"),
        (r#"{"step": "ignore_direct", "direct": ["d"]}"#, "A B B C C C"),
        (r#"{"step": "merge", "channels": {"AD": ["A", "D"]}}"#, "AD AD B B C AD C C"),
        (r#"{"step": "merge", "channels": {"B": ["A"]}}"#, "D B B B C D C C"),
        (r#"{"step": "merge_rare", "min_share": 0.2}"#, "D other B B C D C C"),
        (r#"{"step": "merge_rare", "min_share": 0.26, "into": "C"}"#, "C C C C C C C C"),
    ] {
        assert_eq!(after(EXAMPLE, &[json]), expected, "{json}");
    }
}

#[test]
fn paths_of_one_channel_are_all_of_it() {
    for json in [
        r#"{"step": "remove_if_last_and_not_all", "channels": ["X"]}"#,
        r#"{"step": "remove_if_not_all", "channels": ["X"]}"#,
        r#"{"step": "ignore_direct", "direct": ["x"]}"#,
    ] {
        assert_eq!(after("X > X", &[json]), "X X", "{json}");
    }
    assert_eq!(after("X > X", &[r#"{"step": "exclude", "channels": ["X"]}"#]), "");
}

#[test]
fn steps_follow_each_other() {
    let steps = [
        r#"{"step": "remove_if_not_all", "channels": ["D"]}"#,
        r#""exposure""#,
        r#"{"step": "trim_long_path", "steps": 2}"#,
    ];
    assert_eq!(after(EXAMPLE, &steps), "B C");
    assert_eq!(
        after(EXAMPLE, &[r#""frequency""#, r#"{"step": "exclude", "channels": ["C(3)"]}"#]),
        "D(2) A(1) B(2)"
    );
}

#[test]
fn labels_of_frequency_never_collide() {
    let j = from_paths(&["D > D > D(2)"]).transform(&[Transform::Frequency], &run()).unwrap();
    assert_eq!(labels(&j, 0), ["D(2)", "D(2)(1)"]);
    let j = from_paths(&["D > D", "D", "A"]).transform(&[Transform::Frequency], &run()).unwrap();
    assert_eq!(j.channel_labels(), ["A(1)", "D(1)", "D(2)"]);
}

fn timed(touches: &[(&str, i64, &str)], cost: Option<&[f64]>) -> Journeys {
    let minutes = |t: &i64| t * 60_000_000;
    let mut frame = Columns::new()
        .with("customer", touches.iter().map(|t| t.0).collect::<Vec<&str>>())
        .with("time", Data::times(touches.iter().map(|t| minutes(&t.1)).collect()))
        .with("channel", touches.iter().map(|t| t.2).collect::<Vec<&str>>());
    if let Some(cost) = cost {
        frame = frame.with("cost", cost.to_vec());
    }
    let orders = Columns::new()
        .with("customer", vec!["ann"])
        .with("time", Data::times(vec![minutes(&10_000)]))
        .with("value", vec![50.0]);
    let options = EventOptions {
        value: Some("value".into()),
        cost: cost.map(|_| "cost".into()),
        ..EventOptions::default()
    };
    Journeys::from_events(&frame, Some(&orders), &options, &run()).unwrap()
}

const VISITS: [(&str, i64, &str); 7] = [
    ("ann", 0, "direct"),
    ("ann", 10, "search"),
    ("ann", 25, "search"),
    ("ann", 50, "email"),
    ("ann", 100, "direct"),
    ("ann", 120, "direct"),
    ("ann", 200, "search"),
];

fn minutes(j: &Journeys) -> Vec<(String, i64)> {
    labels(j, 0).into_iter().zip(j.touch_times(0).iter().map(|t| t / 60_000_000)).collect()
}

#[test]
fn times_stay_with_their_touches() {
    let j = timed(&VISITS, None);
    let of = |json: &str| {
        let j = j.transform(&[step(json)], &run()).unwrap();
        minutes(&j).into_iter().map(|(c, t)| format!("{c}@{t}")).collect::<Vec<String>>().join(" ")
    };
    assert_eq!(of(r#""exposure""#), "direct@0 search@10 email@50 direct@100 search@200");
    assert_eq!(
        of(r#"{"step": "exposure", "keep": "last"}"#),
        "direct@0 search@25 email@50 direct@120 search@200"
    );
    assert_eq!(of(r#""ignore_direct""#), "search@10 search@25 email@50 search@200");
    assert_eq!(
        of(r#"{"step": "collapse", "gap": "16m"}"#),
        "direct@0 search@10 email@50 direct@100 direct@120 search@200"
    );
    assert_eq!(
        of(r#"{"step": "collapse", "gap": "15m"}"#),
        "direct@0 search@10 search@25 email@50 direct@100 direct@120 search@200"
    );
    assert_eq!(of(r#"{"step": "collapse", "gap": "1d"}"#), "direct@0 search@10 email@50");
    assert_eq!(of(r#""sessions""#), "direct@0 direct@100 search@200");
    assert_eq!(of(r#"{"step": "sessions", "keep": "last"}"#), "email@50 direct@120 search@200");
    assert_eq!(of(r#"{"step": "sessions", "keep": "first_non_direct"}"#), "search@10 direct@100 search@200");
    assert_eq!(of(r#"{"step": "sessions", "keep": "last_non_direct"}"#), "email@50 direct@120 search@200");
    assert_eq!(of(r#"{"step": "sessions", "gap": "2h", "keep": "last_non_direct"}"#), "search@200");
    assert_eq!(of(r#"{"step": "sessions", "gap": "24m"}"#), "direct@0 email@50 direct@100 search@200");
}

#[test]
fn a_gap_is_measured_from_the_touch_that_counted() {
    let touches: Vec<(&str, i64, &str)> = (0..7).map(|i| ("ann", 30 * i, "display")).collect();
    let j = timed(&touches, None).transform(&[step(r#"{"step": "collapse", "gap": "1h"}"#)], &run()).unwrap();
    assert_eq!(j.touch_times(0).iter().map(|t| t / 60_000_000).collect::<Vec<i64>>(), [0, 60, 120, 180]);
}

#[test]
fn cost_goes_with_its_channel() {
    let costs: Vec<f64> = (1..=7).map(f64::from).collect();
    let j = timed(&VISITS, Some(&costs));
    let cost = |json: &str| {
        let j = j.transform(&[step(json)], &run()).unwrap();
        j.channel_labels()
            .into_iter()
            .zip(j.cost().unwrap().iter().copied())
            .collect::<BTreeMap<String, f64>>()
    };
    let map = |pairs: &[(&str, f64)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect::<BTreeMap<String, f64>>()
    };
    assert_eq!(cost(r#""first""#), map(&[("direct", 12.0), ("email", 4.0), ("search", 12.0)]));
    assert_eq!(
        cost(r#"{"step": "exclude", "channels": ["direct"]}"#),
        map(&[("email", 4.0), ("search", 12.0)])
    );
    assert_eq!(
        cost(r#"{"step": "merge", "channels": {"own": ["direct", "email"]}}"#),
        map(&[("own", 16.0), ("search", 12.0)])
    );
    assert_eq!(cost(r#""frequency""#), map(&[("direct(3)", 12.0), ("email(1)", 4.0), ("search(3)", 12.0)]));
}

#[test]
fn a_conversion_left_without_a_touch_is_unattributed() {
    let j = from_paths(&["direct > direct", "search > direct"]);
    let out = j.transform(&[step(r#"{"step": "exclude", "channels": ["direct"]}"#)], &run()).unwrap();
    assert_eq!(out.unattributed(), (1.0, 0.0));
    assert_eq!(out.total_conversions(), 2.0);
    let credit =
        attribute(&out, &AttributeOptions { models: vec![Model::Last], ..Default::default() }, &run())
            .unwrap();
    assert_eq!(credit.table().f64s("conversions"), Some(&[1.0, 1.0][..]));
    assert_eq!(out.channel_labels(), ["search"]);
}

#[test]
fn bad_steps_are_errors() {
    let (paths, j) = (from_paths(&[EXAMPLE]), timed(&VISITS, None));
    for json in [
        r#"{"step": "exclude", "channels": ["Q"]}"#,
        r#"{"step": "include_only", "channels": ["Q"]}"#,
        r#"{"step": "remove_if_not_all", "channels": ["Q"]}"#,
        r#"{"step": "remove_if_last_and_not_all", "channels": ["Q"]}"#,
        r#"{"step": "merge", "channels": {"x": ["Q"]}}"#,
        r#"{"step": "merge", "channels": {"x": ["A"], "y": ["A"]}}"#,
        r#"{"step": "merge_rare", "min_share": 1.5}"#,
        r#"{"step": "merge_rare", "min_share": 0.5, "into": ""}"#,
        r#"{"step": "trim_long_path", "steps": 0}"#,
    ] {
        let out = paths.transform(&[step(json)], &run());
        assert!(matches!(out, Err(Error::Option { .. })), "{json}: {out:?}");
    }
    for json in [r#""sessions""#, r#"{"step": "collapse", "gap": "1h"}"#] {
        assert!(matches!(paths.transform(&[step(json)], &run()), Err(Error::Column { .. })));
    }
    assert!(matches!(
        j.transform(&[step(r#"{"step": "collapse", "gap": "0d"}"#)], &run()),
        Err(Error::Option { .. })
    ));
    for json in [
        r#"{"steps": ["exposures"]}"#,
        r#"{"steps": [{"step": "exposure", "kept": "last"}]}"#,
        r#"{"steps": [{"step": "first", "channels": []}]}"#,
        r#"{"steps": ["exclude"]}"#,
        r#"{"steps": [3]}"#,
        r#"{"step": []}"#,
    ] {
        let read = options::parse::<TransformOptions>(json);
        assert!(matches!(read, Err(Error::Option { .. })), "{json}: {read:?}");
    }
}

#[test]
fn steps_are_data() {
    let json = r#"{"steps": ["unique", "exposure", {"step": "exposure", "keep": "last"}, "first", "frequency",
        {"step": "remove_if_last_and_not_all", "channels": ["a"]}, {"step": "remove_if_not_all", "channels": ["a"]},
        {"step": "trim_long_path", "steps": 20}, {"step": "exclude", "channels": []},
        {"step": "include_only", "channels": ["a"]}, "ignore_direct", {"step": "merge", "channels": {"p": ["a"]}},
        {"step": "merge_rare", "min_share": 0.01}, {"step": "collapse", "gap": "1h"}, "sessions"]}"#;
    let steps: TransformOptions = options::parse(json).unwrap();
    assert_eq!(steps.steps.len(), 15);
    assert_eq!(steps.steps[13], Transform::Collapse { gap: "1h".parse::<Duration>().unwrap() });
    let back: TransformOptions = options::parse(&serde_json::to_string(&steps).unwrap()).unwrap();
    assert_eq!(back, steps);
}

/// One journey by the words of the definitions: label and time of each touch.
type Plain = Vec<(String, i64)>;

fn naive(path: &Plain, step: &Transform) -> Plain {
    let is = |list: &[String], c: &str| list.iter().any(|l| l == c);
    let direct = |list: &[String], c: &str| list.iter().any(|l| l.eq_ignore_ascii_case(c));
    let not_all = |test: &dyn Fn(&str) -> bool| -> Plain {
        let rest: Plain = path.iter().filter(|t| !test(&t.0)).cloned().collect();
        if rest.is_empty() { path.clone() } else { rest }
    };
    match step {
        Transform::Unique => path.clone(),
        Transform::Exposure { keep } => {
            let mut out = path.clone();
            if *keep == Keep::Last {
                out.reverse();
            }
            out.dedup_by(|b, a| a.0 == b.0);
            if *keep == Keep::Last {
                out.reverse();
            }
            out
        }
        Transform::First | Transform::Frequency => {
            let mut out: Plain = Vec::new();
            for touch in path {
                if out.iter().all(|t| t.0 != touch.0) {
                    out.push(touch.clone());
                }
            }
            if *step == Transform::Frequency {
                let count = |c: &str| path.iter().filter(|t| t.0 == c).count();
                out = out.into_iter().map(|(c, t)| (format!("{c}({})", count(&c)), t)).collect();
            }
            out
        }
        Transform::RemoveIfLastAndNotAll { channels } => {
            let mut out = path.clone();
            while out.last().is_some_and(|t| is(channels, &t.0)) {
                out.pop();
            }
            if out.is_empty() { path.clone() } else { out }
        }
        Transform::RemoveIfNotAll { channels } => not_all(&|c| is(channels, c)),
        Transform::IgnoreDirect { direct: list } => not_all(&|c| direct(list, c)),
        Transform::TrimLongPath { steps } => path[path.len().saturating_sub(*steps as usize)..].to_vec(),
        Transform::Exclude { channels } => path.iter().filter(|t| !is(channels, &t.0)).cloned().collect(),
        Transform::IncludeOnly { channels } => path.iter().filter(|t| is(channels, &t.0)).cloned().collect(),
        Transform::Merge { channels } => path
            .iter()
            .map(|(c, t)| {
                let group = channels.iter().find(|(_, list)| is(list, c)).map(|(group, _)| group.clone());
                (group.unwrap_or_else(|| c.clone()), *t)
            })
            .collect(),
        Transform::Collapse { gap } => {
            let mut out: Plain = Vec::new();
            for touch in path {
                let before = out.iter().rev().find(|t| t.0 == touch.0);
                if before.is_none_or(|t| touch.1 - t.1 >= gap.micros()) {
                    out.push(touch.clone());
                }
            }
            out
        }
        Transform::Sessions { gap, keep, direct: list } => {
            let mut sessions: Vec<Plain> = Vec::new();
            for touch in path {
                match sessions.last_mut() {
                    Some(session) if touch.1 - session.last().unwrap().1 <= gap.micros() => {
                        session.push(touch.clone());
                    }
                    _ => sessions.push(vec![touch.clone()]),
                }
            }
            let pick = |session: &Plain| {
                let told: Plain = session.iter().filter(|t| !direct(list, &t.0)).cloned().collect();
                let told = if told.is_empty() { session } else { &told };
                match keep {
                    KeepInSession::First => session[0].clone(),
                    KeepInSession::Last => session[session.len() - 1].clone(),
                    KeepInSession::FirstNonDirect => told[0].clone(),
                    KeepInSession::LastNonDirect => told[told.len() - 1].clone(),
                }
            };
            sessions.iter().map(pick).collect()
        }
        other => panic!("{other:?} needs all journeys"),
    }
}

fn plain(j: &Journeys) -> Vec<Plain> {
    (0..j.len()).map(|i| labels(j, i).into_iter().zip(j.touch_times(i).iter().copied()).collect()).collect()
}

fn steps() -> impl Strategy<Value = Transform> {
    let list = || {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "direct"]), 0..3)
            .prop_map(|l| l.into_iter().map(str::to_owned).collect::<Vec<String>>())
    };
    let keep = prop::sample::select(vec![
        KeepInSession::First,
        KeepInSession::Last,
        KeepInSession::FirstNonDirect,
        KeepInSession::LastNonDirect,
    ]);
    let micros = || (1..40_i64).prop_map(Duration::from_micros);
    prop_oneof![
        Just(Transform::Unique),
        prop::sample::select(vec![Keep::First, Keep::Last]).prop_map(|keep| Transform::Exposure { keep }),
        Just(Transform::First),
        list().prop_map(|channels| Transform::RemoveIfLastAndNotAll { channels }),
        list().prop_map(|channels| Transform::RemoveIfNotAll { channels }),
        list().prop_map(|direct| Transform::IgnoreDirect { direct }),
        (1..5_u32).prop_map(|steps| Transform::TrimLongPath { steps }),
        micros().prop_map(|gap| Transform::Collapse { gap }),
        (micros(), keep, list()).prop_map(|(gap, keep, direct)| Transform::Sessions { gap, keep, direct }),
    ]
}

/// Steps after which the labels are others, so that they come last.
fn last_steps() -> impl Strategy<Value = Transform> {
    let list = || vec!["a".to_owned(), "direct".to_owned()];
    prop_oneof![
        Just(Transform::Frequency),
        Just(Transform::Exclude { channels: list() }),
        Just(Transform::IncludeOnly { channels: list() }),
        Just(Transform::Merge { channels: [("b".to_owned(), list())].into() }),
        Just(Transform::Merge {
            channels: [("z".to_owned(), list()), ("q".to_owned(), vec!["c".to_owned()])].into()
        }),
    ]
}

fn journeys(touches: &[(u8, i64, u8)], sales: &[(u8, i64)]) -> Journeys {
    // One touch of every channel, so that all labels are there.
    let all: Vec<(u8, i64, u8)> = touches.iter().copied().chain((0..4).map(|c| (9, 0, c))).collect();
    let name = |c: u8| format!("customer {c}");
    let channels = ["a", "b", "c", "direct"];
    let frame = Columns::new()
        .with("customer", all.iter().map(|t| name(t.0)).collect::<Vec<String>>())
        .with("time", Data::times(all.iter().map(|t| t.1).collect()))
        .with("channel", all.iter().map(|t| channels[t.2 as usize]).collect::<Vec<&str>>())
        .with("cost", all.iter().map(|t| f64::from(t.2) + 0.1).collect::<Vec<f64>>());
    let orders = Columns::new()
        .with("customer", sales.iter().map(|s| name(s.0)).collect::<Vec<String>>())
        .with("time", Data::times(sales.iter().map(|s| s.1).collect()))
        .with("value", (0..sales.len()).map(|i| i as f64 + 0.7).collect::<Vec<f64>>());
    let options = EventOptions {
        value: Some("value".into()),
        cost: Some("cost".into()),
        lookback: Duration::from_micros(60),
        ..EventOptions::default()
    };
    Journeys::from_events(&frame, Some(&orders), &options, &run()).unwrap()
}

proptest! {
    #[test]
    fn transforms_are_their_definitions_and_conserve(
        touches in prop::collection::vec((0..4_u8, 0..100_i64, 0..4_u8), 0..60),
        sales in prop::collection::vec((0..4_u8, 0..100_i64), 0..8),
        mut steps in prop::collection::vec(steps(), 0..4),
        last in prop::option::of(last_steps()),
        threads in 1..4_usize,
    ) {
        steps.extend(last);
        let j = journeys(&touches, &sales);
        let out = j.transform(&steps, &Run::new().threads(threads)).unwrap();
        let expected: Vec<Plain> =
            plain(&j).iter().map(|path| steps.iter().fold(path.clone(), |path, step| naive(&path, step))).collect();
        prop_assert_eq!(plain(&out), expected);

        // Composition is applying one by one.
        let mut one_by_one = j.clone();
        for step in &steps {
            one_by_one = one_by_one.transform(std::slice::from_ref(step), &run()).unwrap();
        }
        prop_assert_eq!(plain(&one_by_one), plain(&out));
        prop_assert_eq!(one_by_one.channel_labels(), out.channel_labels());
        prop_assert_eq!(one_by_one.cost(), out.cost());

        prop_assert_eq!(out.conversions(), j.conversions());
        prop_assert_eq!(out.nulls(), j.nulls());
        prop_assert_eq!(out.values(), j.values());
        for i in 0..j.len() {
            prop_assert_eq!(out.end_time(i), j.end_time(i));
            prop_assert_eq!(out.customer(i), j.customer(i));
        }
        prop_assert!(out.channel_labels().is_sorted());
        let total = |j: &Journeys| exact_sum(j.cost().unwrap().iter().copied());
        if !steps.iter().any(|s| matches!(s, Transform::Exclude { .. } | Transform::IncludeOnly { .. })) {
            prop_assert!((total(&out) - total(&j)).abs() <= 1e-12 * total(&j));
        }
        let credit = attribute(&out, &AttributeOptions { models: vec![Model::Linear], ..Default::default() }, &run()).unwrap();
        let [conversions, value] = credit.total("linear").unwrap();
        prop_assert!((conversions - j.total_conversions()).abs() < 1e-9);
        prop_assert!((value - j.total_value()).abs() < 1e-9);
    }

    #[test]
    fn weights_are_repeated_rows(
        rows in prop::collection::vec((prop::collection::vec(0..4_usize, 0..6), 1..4_u32, 0..3_u32), 1..10),
        steps in prop::collection::vec(prop::sample::select(vec!["exposure", "first", "frequency", "ignore_direct", "rare"]), 1..4),
    ) {
        let channels = ["a", "b", "c", "direct"];
        let steps: Vec<Transform> = steps.into_iter()
            .map(|s| if s == "rare" { step(r#"{"step": "merge_rare", "min_share": 0.2}"#) } else { s.parse().unwrap() })
            .collect();
        let text = |path: &[usize]| path.iter().map(|c| channels[*c]).collect::<Vec<&str>>().join(" > ");
        let build = |rows: &[(String, f64, f64)]| {
            let frame = Columns::new()
                .with("path", rows.iter().map(|r| r.0.clone()).collect::<Vec<String>>())
                .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<f64>>())
                .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<f64>>());
            let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
            let j = Journeys::from_paths(&frame, &options, &run()).unwrap();
            j.transform(&steps, &run()).unwrap().paths(&run()).unwrap()
        };
        let weighted: Vec<(String, f64, f64)> =
            rows.iter().map(|(p, c, n)| (text(p), f64::from(*c), f64::from(*n))).collect();
        let mut repeated = Vec::new();
        for (path, conversions, nulls) in &rows {
            repeated.extend((0..*conversions).map(|_| (text(path), 1.0, 0.0)));
            repeated.extend((0..*nulls).map(|_| (text(path), 0.0, 1.0)));
        }
        prop_assert_eq!(build(&weighted), build(&repeated));
    }

    #[test]
    fn campaigns_add_up_to_their_channel(
        rows in prop::collection::vec((prop::collection::vec(0..6_usize, 0..6), 0.0..9.0_f64, 0.0..9.0_f64), 1..12),
    ) {
        let fine = ["search/brand", "search / generic", "email/x", "email/y", "direct", "gads"];
        let frame = Columns::new()
            .with("path", rows.iter().map(|r| r.0.iter().map(|c| fine[*c]).collect::<Vec<&str>>().join(" > ")).collect::<Vec<String>>())
            .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<f64>>())
            .with("value", rows.iter().map(|r| if r.1 > 0.0 { r.2 } else { 0.0 }).collect::<Vec<f64>>());
        let options = PathOptions { value: Some("value".into()), ..PathOptions::default() };
        let j = Journeys::from_paths(&frame, &options, &run()).unwrap();
        let levels: Hierarchy = options::parse(r#"{"channels": {"search": ["gads"]}}"#).unwrap();
        let models = AttributeOptions { models: vec![Model::First, Model::Linear, Model::Shapley(Shapley::default())], ..Default::default() };
        let fine = attribute(&j, &models, &run()).unwrap().table();
        let rolled = j.roll_up(&levels).unwrap();
        prop_assert_eq!(rolled.total_conversions().to_bits(), j.total_conversions().to_bits());
        let coarse = attribute(&rolled, &models, &run()).unwrap().table();

        let check = |down: &headwater::Table, whole: &headwater::Table, name: &str| {
            for row in 0..whole.rows() {
                let key = (whole.text("model", row), whole.text("channel", row));
                let parts = (0..down.rows())
                    .filter(|r| (down.text("model", *r), down.text("channel", *r)) == key)
                    .map(|r| down.f64s(name).unwrap()[r]);
                assert_eq!(exact_sum(parts).to_bits(), whole.f64s(name).unwrap()[row].to_bits(), "{key:?} {name}");
            }
        };
        let down = levels.drill_down(&fine, None).unwrap();
        let totals = levels.total(&fine).unwrap();
        check(&down, &totals, "conversions");
        check(&down, &totals, "value");
        // Rules give a channel the same on both levels; this is an answer of all journeys together.
        for row in 0..totals.rows() {
            if totals.text("model", row).unwrap() != "shapley" {
                let same = (0..coarse.rows()).find(|r| (coarse.text("model", *r), coarse.text("channel", *r))
                    == (totals.text("model", row), totals.text("channel", row))).unwrap();
                let (a, b) = (totals.f64s("conversions").unwrap()[row], coarse.f64s("conversions").unwrap()[same]);
                prop_assert!((a - b).abs() < 1e-9);
            }
        }
        let shared = levels.drill_down(&fine, Some(&coarse)).unwrap();
        check(&shared, &coarse, "conversions");
        check(&shared, &coarse, "value");
        prop_assert_eq!(shared.rows(), down.rows());
    }
}

#[test]
fn levels_by_hand() {
    let frame = Columns::new()
        .with("path", vec!["search/brand > email/welcome", "search/generic > search/brand", "direct"])
        .with("conversions", vec![2.0, 4.0, 1.0]);
    let j = Journeys::from_paths(&frame, &PathOptions::default(), &run()).unwrap();
    let levels = Hierarchy::default();
    let up = j.roll_up(&levels).unwrap();
    assert_eq!(up.channel_labels(), ["direct", "email", "search"]);
    assert_eq!(labels(&up, 1), ["search", "search"]);
    let fine = attribute(&j, &AttributeOptions { models: vec![Model::Linear], ..Default::default() }, &run())
        .unwrap()
        .table();
    let down = levels.drill_down(&fine, None).unwrap();
    let row = |r: usize| {
        (
            down.text("channel", r).unwrap().into_owned(),
            down.text("campaign", r).map(std::borrow::Cow::into_owned),
        )
    };
    assert_eq!(row(0), ("direct".into(), None));
    assert_eq!(row(2), ("search".into(), Some("brand".into())));
    assert_eq!(down.f64s("conversions"), Some(&[1.0, 1.0, 3.0, 2.0][..]));
    assert_eq!(down.f64s("share_of_channel"), Some(&[1.0, 1.0, 0.6, 0.4][..]));
}

#[test]
fn bad_levels_are_errors() {
    let j = from_paths(&["a/b > /c"]);
    assert!(matches!(j.roll_up(&Hierarchy::default()), Err(Error::Option { .. })));
    let twice: Hierarchy = options::parse(r#"{"channels": {"x": ["a/b"], "y": ["a/b"]}}"#).unwrap();
    assert!(matches!(j.roll_up(&twice), Err(Error::Option { .. })));
    let nothing: Hierarchy = options::parse(r#"{"separator": ""}"#).unwrap();
    assert!(matches!(j.roll_up(&nothing), Err(Error::Option { .. })));
    let j = from_paths(&["a/b > c"]);
    let models = AttributeOptions { models: vec![Model::Linear], ..Default::default() };
    let fine = attribute(&j, &models, &run()).unwrap().table();
    let levels = Hierarchy::default();
    let other = attribute(&from_paths(&["a > d"]), &models, &run()).unwrap().table();
    assert!(matches!(levels.drill_down(&fine, Some(&other)), Err(Error::Column { .. })));
    let more = attribute(&from_paths(&["a > c > d"]), &models, &run()).unwrap().table();
    assert!(matches!(levels.drill_down(&fine, Some(&more)), Err(Error::Column { .. })));
    assert!(matches!(levels.drill_down(&j.lengths(), None), Err(Error::Column { .. })));
}

#[test]
fn what_is_known_of_touches_stays_with_them() {
    let touches = Columns::new()
        .with("customer", vec!["ann"; 4])
        .with("time", vec!["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"])
        .with("channel", vec!["search", "store", "search", "email"])
        .with("campaign", vec![Some("brand"), None, Some("generic"), Some("x")])
        .with("weight", vec![1.0, 2.0, 3.0, 4.0]);
    let orders = Columns::new().with("customer", vec!["ann"]).with("time", vec!["2024-01-05"]);
    let options = EventOptions {
        campaign: Some("campaign".into()),
        weight: Some("weight".into()),
        offline_channels: vec!["store".into()],
        ..EventOptions::default()
    };
    let j = Journeys::from_events(&touches, Some(&orders), &options, &run()).unwrap();
    let out = j
        .transform(&[step(r#"{"step": "exclude", "channels": ["email"]}"#), step(r#""exposure""#)], &run())
        .unwrap();
    assert_eq!(out.weights(0), [1.0, 2.0, 3.0]);
    assert_eq!(out.campaigns(0), &j.campaigns(0)[..3]);
    assert_eq!(out.channel_labels(), ["search", "store"]);
    assert_eq!([out.is_offline(0), out.is_offline(1)], [false, true]);
    let last = j.transform(&[step(r#"{"step": "trim_long_path", "steps": 2}"#)], &run()).unwrap();
    assert_eq!((last.weights(0), last.observation_end()), (&[3.0, 4.0][..], j.observation_end()));
    let merged = j
        .transform(&[step(r#"{"step": "merge", "channels": {"shop": ["store", "email"]}}"#)], &run())
        .unwrap();
    assert!(!merged.is_offline(1), "half of it is online");
    let frequency = j.transform(&[Transform::Frequency], &run()).unwrap();
    assert_eq!(frequency.channel_labels(), ["email(1)", "search(2)", "store(1)"]);
    assert!(frequency.is_offline(2));

    // Campaigns as channels, and up again.
    let fine = j.by_campaign().unwrap();
    let up = fine.roll_up(&Hierarchy::default()).unwrap();
    assert_eq!((up.channel_labels(), labels(&up, 0)), (j.channel_labels(), labels(&j, 0)));
    assert!(up.is_offline(2));
    let credit =
        attribute(&fine, &AttributeOptions { models: vec![Model::Linear], ..Default::default() }, &run())
            .unwrap()
            .table();
    let down = Hierarchy::default().drill_down(&credit, None).unwrap();
    assert_eq!(down.text("campaign", 1).as_deref(), Some("brand"));
    assert!(down.text("campaign", 3).is_none());
    let frame = Columns::from(credit);
    let again = Hierarchy::default()
        .drill_down_frame(
            &frame,
            Some(&Columns::from(
                Hierarchy::default()
                    .total(
                        &attribute(
                            &fine,
                            &AttributeOptions { models: vec![Model::Linear], ..Default::default() },
                            &run(),
                        )
                        .unwrap()
                        .table(),
                    )
                    .unwrap(),
            )),
            &run(),
        )
        .unwrap();
    assert_eq!(again.f64s("conversions"), down.f64s("conversions"));
}
