//! Path patterns, sequences and features against their definitions spelt out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod paths;

use std::collections::{BTreeMap, BTreeSet};

use headwater::Run;
use headwater::column::{Columns, Data, Table};
use headwater::journey::{
    Anchor, ChannelSet, Entity, EventOptions, FeatureOptions, Journeys, MatchingOptions, Measure, Occurrence,
    PatternOptions, Repeats, SequenceOptions, StepMatrixOptions,
};
use paths::{DAY, LABELS, Line, Row, cells, close, collapse, from_rows, repeated, rows};
use proptest::prelude::*;

/// An element: which steps it takes (channels 0 to 3, 4 the conversion, 5 the end), least and most times.
type Element = (Vec<u32>, usize, usize);

/// Whether a stretch is one element after another, by recursion.
fn is(elements: &[Element], stretch: &[u32]) -> bool {
    let Some(((takes, least, most), rest)) = elements.split_first() else { return stretch.is_empty() };
    (*least..=*most.min(&stretch.len()))
        .any(|n| stretch[..n].iter().all(|s| takes.contains(s)) && is(rest, &stretch[n..]))
}

/// First and last places of the matches: the first to end, the shortest of those; the next after it.
fn naive(line: &Line, anchored: bool, elements: &[Element], within: i64) -> Vec<(usize, usize)> {
    let mut steps: Vec<u32> = line.iter().map(|s| s.0).collect();
    if steps.last() != Some(&4) {
        steps.push(5);
    }
    let last = line.len() - 1;
    let (mut out, mut after) = (Vec::new(), 0);
    for end in 0..steps.len() {
        let fits = |start: &usize| {
            (!anchored || *start == 0)
                && line[end.min(last)].1 - line[(*start).min(last)].1 <= within
                && is(elements, &steps[*start..=end])
        };
        if let Some(start) = (after..=end).rev().find(fits) {
            out.push((start, end));
            after = end + 1;
        }
    }
    out
}

/// A pattern, and its elements.
fn patterns(by: Entity) -> impl Strategy<Value = (String, bool, Vec<Element>)> {
    let element =
        (0..4_u8, prop::collection::btree_set(0..4_u32, 1..3), 0..4_u8).prop_map(|(kind, set, repeat)| {
            let names = set.iter().map(|c| LABELS[*c as usize]).collect::<Vec<_>>().join("|");
            let (text, takes): (String, Vec<u32>) = match kind {
                0 => (".".into(), (0..4).collect()),
                1 => (format!("[^{names}]"), (0..4).filter(|c| !set.contains(c)).collect()),
                _ => (format!("[{names}]"), set.into_iter().collect()),
            };
            let (sign, least, most) =
                [("", 1, 1), ("*", 0, 99), ("+", 1, 99), ("?", 0, 1)][usize::from(repeat)];
            (text + sign, (takes, least, most))
        });
    let one = || prop::collection::vec(element.clone(), 0..3);
    (any::<bool>(), one(), 0..4_u32, one(), 0..4_u8).prop_map(
        move |(anchored, before, sure, after, ending)| {
            let mut all = before;
            all.push((LABELS[sure as usize].into(), (vec![sure], 1, 1)));
            // What follows a conversion does so for customers alone.
            if ending == 3 && by == Entity::Customer {
                all.push(("(conversion)".into(), (vec![4], 1, 1)));
            }
            all.extend(after);
            match ending {
                1 => all.push(("(conversion)".into(), (vec![4], 1, 1))),
                2 => all.push(("(null)".into(), (vec![5], 1, 1))),
                _ => {}
            }
            let (mut text, elements): (Vec<String>, Vec<Element>) = all.into_iter().unzip();
            if anchored {
                text.insert(0, "(start)".into());
            }
            (text.join(" -> "), anchored, elements)
        },
    )
}

fn check(j: &Journeys, lines: &[Line], o: &PatternOptions, anchored: bool, elements: &[Element]) {
    let within = o.within.map_or(i64::MAX, headwater::column::Duration::micros);
    let (mut count, mut converting, mut occurrences) = (0.0, 0.0, 0.0);
    let mut matches: BTreeMap<Vec<String>, f64> = BTreeMap::new();
    let mut waits = Vec::new();
    for line in lines.iter().map(|line| collapse(line, o.repeats)) {
        let found = naive(&line, anchored, elements, within);
        let Some((from, to)) = found.first() else { continue };
        count += 1.0;
        occurrences += found.len() as f64;
        converting += f64::from(u8::from(line.iter().any(|s| s.0 == 4)));
        let name = |at: usize| match line.get(at) {
            None => "(null)",
            Some((4, _)) => "(conversion)",
            Some((c, _)) => LABELS[*c as usize],
        };
        let path = (*from..=*to).map(name).collect::<Vec<_>>().join(" > ");
        *matches.entry(vec![path]).or_default() += 1.0;
        let last = line.len() - 1;
        waits.push((line[(*to).min(last)].1 - line[(*from).min(last)].1) as f64 / DAY as f64);
    }
    let found = j.patterns(o, &Run::new().threads(2)).unwrap();
    let table = found.table();
    let number = |name: &str| table.f64s(name).unwrap()[0];
    assert_eq!(
        [number("count"), number("conversions"), number("occurrences")],
        [count, converting, occurrences]
    );
    assert!((number("share") - count / lines.len() as f64).abs() < 1e-12);
    close(&cells(found.get("matches").unwrap(), &["path"], "count"), &matches);
    if j.has_times() && !waits.is_empty() {
        waits.sort_by(f64::total_cmp);
        let n = waits.len();
        assert_eq!(number("days_p50"), f64::midpoint(waits[(n - 1) / 2], waits[n / 2]));
    }
}

fn options(pattern: &str, by: Entity, repeats: bool, within: Option<i64>) -> PatternOptions {
    PatternOptions {
        patterns: vec![pattern.to_owned()],
        by,
        within: within.map(|d| headwater::column::Duration::from_micros(d * DAY)),
        repeats: if repeats { Repeats::Keep } else { Repeats::Collapse },
        matches: usize::MAX,
        ..PatternOptions::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn patterns_of_paths_are_as_defined(
        rows in rows(), (pattern, anchored, elements) in patterns(Entity::Journey), repeats: bool,
    ) {
        let mut every = rows;
        every.push((vec![0, 1, 2, 3], 0.0, 1.0));
        let j = from_rows(&every, &LABELS);
        let line = |r: &Row| {
            let mut line: Line = r.0.iter().map(|c| (*c, 0)).collect();
            line.extend((r.1 > 0.0).then_some((4, 0)));
            line
        };
        let lines: Vec<Line> = repeated(&every).iter().map(line).collect();
        let o = options(&pattern, Entity::Journey, repeats, None);
        check(&j, &lines, &o, anchored, &elements);

        // Those who match and those who do not are all.
        let some = MatchingOptions { pattern, repeats: o.repeats, ..MatchingOptions::default() };
        let others = MatchingOptions { invert: true, ..some.clone() };
        let part = |o: &MatchingOptions| j.matching(o, &Run::new()).unwrap();
        let (some, others) = (part(&some), part(&others));
        let table = j.patterns(&o, &Run::new()).unwrap().table();
        let count = table.f64s("count").unwrap()[0];
        prop_assert_eq!(some.total_conversions() + some.total_nulls(), count);
        prop_assert_eq!(some.total_conversions() + others.total_conversions(), j.total_conversions());
        prop_assert_eq!(some.total_nulls() + others.total_nulls(), j.total_nulls());
    }

    #[test]
    fn patterns_of_customers_are_as_defined(
        touches in prop::collection::vec((0..3_u32, 0..60_i64, 0..4_usize), 1..30),
        sales in prop::collection::vec((0..3_u32, 0..60_i64), 0..6),
        (pattern, anchored, elements) in patterns(Entity::Customer), repeats: bool,
        within in prop::option::of(0..40_i64),
    ) {
        let mut touches: Vec<_> = touches.into_iter().map(|(c, t, ch)| (c, 2 * t, ch)).collect();
        touches.extend((0..4).map(|ch| (3_u32, 2 * ch as i64, ch)));
        touches.sort_unstable();
        touches.dedup();
        let mut sales: Vec<_> = sales.into_iter().map(|(c, t)| (c, 2 * t + 1)).collect();
        sales.sort_unstable();
        sales.dedup();
        let touched = Columns::new()
            .with("customer", touches.iter().map(|t| i64::from(t.0)).collect::<Vec<_>>())
            .with("time", Data::times(touches.iter().map(|t| t.1 * DAY).collect()))
            .with("channel", touches.iter().map(|t| LABELS[t.2]).collect::<Vec<_>>());
        let bought = Columns::new()
            .with("customer", sales.iter().map(|s| i64::from(s.0)).collect::<Vec<_>>())
            .with("time", Data::times(sales.iter().map(|s| s.1 * DAY).collect()));
        // Journeys hold the touches of all time, so that a customer's line is whole.
        let built = EventOptions { lookback: headwater::column::Duration::from_days(400), ..EventOptions::default() };
        let j = Journeys::from_events(&touched, Some(&bought), &built, &Run::new()).unwrap();
        let lines: Vec<Line> = (0..4).map(|who| {
            let mut line: Line = touches.iter().filter(|t| t.0 == who).map(|t| (t.2 as u32, t.1 * DAY)).collect();
            line.extend(sales.iter().filter(|s| s.0 == who).map(|s| (4, s.1 * DAY)));
            line.sort_by_key(|s| s.1);
            line
        }).filter(|line| line.iter().any(|s| s.0 < 4)).collect();
        check(&j, &lines, &options(&pattern, Entity::Customer, repeats, within), anchored, &elements);
    }

    #[test]
    fn sequences_are_all_stretches(rows in rows(), min in 1..3_usize, more in 0..3_usize, repeats: bool) {
        let repeats = if repeats { Repeats::Keep } else { Repeats::Collapse };
        let o = SequenceOptions {
            min_length: min, max_length: min + more, min_count: 0.5, repeats, ..SequenceOptions::default()
        };
        let table = from_rows(&rows, &LABELS).sequences(&o, &Run::new()).unwrap().table();
        let (mut count, mut occurs, mut converting) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (path, c, n) in rows.iter().filter(|r| r.1 + r.2 > 0.0) {
            let line = collapse(&path.iter().map(|c| (*c, 0)).collect(), repeats);
            let mut seen = BTreeSet::new();
            for len in min..=min + more {
                for stretch in line.windows(len) {
                    let key = vec![stretch.iter().map(|s| LABELS[s.0 as usize]).collect::<Vec<_>>().join(" > ")];
                    *occurs.entry(key.clone()).or_insert(0.0) += c + n;
                    if seen.insert(key.clone()) {
                        *count.entry(key.clone()).or_insert(0.0) += c + n;
                        *converting.entry(key).or_insert(0.0) += c;
                    }
                }
            }
        }
        for (name, wanted) in [("count", &count), ("occurrences", &occurs), ("conversions", &converting)] {
            close(&cells(&table, &["sequence"], name), wanted);
        }
        let all: f64 = rows.iter().map(|r| r.1 + r.2).sum();
        for (row, share) in table.f64s("share").unwrap().iter().enumerate() {
            prop_assert!((share - table.f64s("count").unwrap()[row] / all).abs() < 1e-12);
        }
    }

    #[test]
    fn features_count_what_is_on_the_path(rows in rows(), repeats: bool) {
        let j = from_rows(&rows, &LABELS);
        let repeats = if repeats { Repeats::Keep } else { Repeats::Collapse };
        let of = |measure| {
            let o = FeatureOptions { by: Entity::Journey, measure, transitions: true, repeats };
            j.features(&o, &Run::new()).unwrap().table()
        };
        let (count, share, binary) = (of(Measure::Count), of(Measure::Share), of(Measure::Binary));
        let labels = j.channel_labels();
        for row in 0..count.rows() {
            let journey = count.i64s("journey").unwrap()[row] as usize;
            let line = collapse(&j.path(journey).iter().map(|c| (*c, 0)).collect(), repeats);
            for (c, label) in labels.iter().enumerate() {
                let n = line.iter().filter(|s| s.0 as usize == c).count() as f64;
                let cell = |t: &Table| t.f64s(&format!("channel_{label}")).unwrap()[row];
                prop_assert_eq!([cell(&count), cell(&binary)], [n, f64::from(u8::from(n > 0.0))]);
                prop_assert_eq!(cell(&share), n / line.len() as f64);
                for (d, next) in labels.iter().enumerate() {
                    let n = line.windows(2).filter(|p| p[0].0 as usize == c && p[1].0 as usize == d).count();
                    let found = count.f64s(&format!("pair_{label} > {next}")).map_or(0.0, |v| v[row]);
                    prop_assert_eq!(found, n as f64);
                }
            }
        }
    }

    /// A pattern of one channel anchors as the channel does.
    #[test]
    fn a_step_matrix_around_a_pattern_is_that_around_its_channel(rows in rows(), last: bool, repeats: bool) {
        let mut rows = rows;
        rows.push((vec![0, 1, 0], 1.0, 0.0));
        let j = from_rows(&rows, &LABELS);
        let base = StepMatrixOptions {
            occurrence: if last { Occurrence::Last } else { Occurrence::First },
            repeats: if repeats { Repeats::Keep } else { Repeats::Collapse },
            steps: 3,
            before: 2,
            ..StepMatrixOptions::default()
        };
        let channel = StepMatrixOptions {
            anchor: Anchor::Channel, channel: Some(ChannelSet(vec!["a".into(), "b".into()])), ..base.clone()
        };
        let pattern = StepMatrixOptions { anchor: Anchor::Pattern, pattern: Some("[a|b]".into()), ..base };
        let of = |o: &StepMatrixOptions| j.step_matrix(o, &Run::new()).unwrap();
        prop_assert_eq!(of(&channel), of(&pattern));
    }
}

#[test]
fn those_who_hold_a_pattern_are_held_against_the_others() {
    let rows = vec![(vec![0, 1], 30.0, 70.0), (vec![1, 0], 10.0, 90.0), (vec![0, 2], 5.0, 45.0)];
    let j = from_rows(&rows, &LABELS);
    let o = PatternOptions { patterns: vec!["a -> b".into(), ".".into()], ..PatternOptions::default() };
    let table = j.patterns(&o, &Run::new()).unwrap().table();
    let cell = |name: &str| table.f64s(name).unwrap()[0];
    // By hand: 30 of 100 against 15 of 150.
    assert_eq!([cell("conversion_rate"), cell("others_rate"), cell("share")], [0.3, 0.1, 0.4]);
    assert!((cell("risk_ratio") - 3.0).abs() < 1e-12);
    let se = (1.0 / 30.0 - 1.0 / 100.0 + 1.0 / 15.0 - 1.0 / 150.0_f64).sqrt();
    assert!(((cell("low") / 3.0).ln() + 1.959_963_984_540_054 * se).abs() < 1e-9);
    let variance: f64 = 100.0 * 150.0 * 45.0 * 205.0 / (250.0 * 250.0 * 249.0);
    assert!((cell("z") - (30.0 - 18.0) / variance.sqrt()).abs() < 1e-12);
    // What all hold has nobody to be held against.
    assert_eq!(table.f64s("count").unwrap()[1], 250.0);
    assert!(!table.get("risk_ratio").unwrap().valid.as_ref().unwrap()[1]);
}

#[test]
fn a_pattern_that_cannot_be_is_refused() {
    let j = from_rows(&[(vec![0, 1], 1.0, 1.0)], &LABELS);
    for (options, told) in [
        (r#"{"patterns":[]}"#, "1 to 1000"),
        (r#"{"patterns":[".*"]}"#, "may be nothing"),
        (r#"{"patterns":["(start)"]}"#, "may be nothing"),
        (r#"{"patterns":["a -> (start)"]}"#, "stand first"),
        (r#"{"patterns":["(null) -> a"]}"#, "stand last"),
        (r#"{"patterns":["a -> (conversion) -> b"]}"#, "customers"),
        (r#"{"patterns":["a -> zebra"]}"#, "`zebra`"),
        (r#"{"patterns":["[^zebra]"]}"#, "`zebra`"),
        (r#"{"patterns":["a"],"within":"1d"}"#, "within"),
        (r#"{"patterns":["a"],"by":"customer"}"#, "`by`"),
    ] {
        let error = j.report("patterns", options, &Run::new()).unwrap_err().to_string();
        assert!(error.contains(told), "{options}: {error}");
    }
    let long = vec!["a"; 64].join(" -> ");
    let o = MatchingOptions { pattern: long, ..MatchingOptions::default() };
    assert!(j.matching(&o, &Run::new()).unwrap_err().to_string().contains("63"));
    for (report, options, told) in [
        ("sequences", r#"{"min_length":0}"#, "min_length"),
        ("sequences", r#"{"min_length":3,"max_length":2}"#, "max_length"),
        ("features", "{}", "`by`"),
        ("step_matrix", r#"{"anchor":"pattern"}"#, "`pattern`"),
        ("step_matrix", r#"{"pattern":"a"}"#, "`pattern`"),
        ("funnel", r#"{"steps":["a"],"exclude":["a"]}"#, "a step as well"),
        ("funnel", r#"{"steps":["a","a"],"order":"any"}"#, "one step only"),
    ] {
        let error = j.report(report, options, &Run::new()).unwrap_err().to_string();
        assert!(error.contains(told), "{report} {options}: {error}");
    }
}

/// A customer's touches are one line, whatever they serve, in the order of customers' names.
#[test]
fn features_of_customers_by_hand() {
    let touched = Columns::new()
        .with("customer", vec!["bob", "ann", "ann", "ann"])
        .with("time", Data::times([1, 0, 2, 6].map(|d| d * DAY).to_vec()))
        .with("channel", vec!["b", "a", "b", "a"]);
    let bought =
        Columns::new().with("customer", vec!["ann", "ann"]).with("time", Data::times(vec![3 * DAY, 5 * DAY]));
    let j = Journeys::from_events(&touched, Some(&bought), &EventOptions::default(), &Run::new()).unwrap();
    let o = FeatureOptions { transitions: true, ..FeatureOptions::default() };
    let table = j.features(&o, &Run::new()).unwrap().table();
    assert_eq!([0, 1].map(|r| table.text("customer", r).unwrap().into_owned()), ["ann", "bob"]);
    assert_eq!(table.i64s("touches"), Some(&[3, 1][..]));
    for (name, wanted) in [
        ("days", [6.0, 0.0]),
        ("conversions", [2.0, 0.0]),
        ("nulls", [1.0, 1.0]),
        ("channel_a", [2.0 / 3.0, 0.0]),
        ("channel_b", [1.0 / 3.0, 1.0]),
        ("pair_a > b", [0.5, 0.0]),
        ("pair_b > a", [0.5, 0.0]),
    ] {
        assert_eq!(table.f64s(name), Some(&wanted[..]), "{name}");
    }
}
