//! Reports that read journeys, against their definitions spelt out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::naive_bytecount)]

use std::collections::{BTreeMap, BTreeSet};

use headwater::attribution::Given;
use headwater::column::{Columns, Table};
use headwater::journey::{
    Anchor, Attempts, ChannelSet, Conversions, Entity, FunnelOptions, GraphOptions, Journeys, Occurrence,
    Order, OverlapOptions, PathOptions, Policies, Repeats, StepMatrixOptions, Touches,
};
use headwater::{Error, Run};
use proptest::prelude::*;

const DAY: i64 = 86_400_000_000;
const LABELS: [&str; 4] = ["a", "b", "c", "d"];

/// (path, conversions, nulls)
type Row = (Vec<u32>, f64, f64);

fn from_rows(rows: &[Row], labels: &[&str]) -> Journeys {
    let path = |r: &Row| r.0.iter().map(|c| labels[*c as usize]).collect::<Vec<_>>().join(" > ");
    let frame = Columns::new()
        .with("path", rows.iter().map(path).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>());
    let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (prop::collection::vec(0..4_u32, 1..7), 0..3_u8, 0..3_u8);
    let row = row.prop_map(|(path, c, n)| (path, f64::from(c), f64::from(n)));
    prop::collection::vec(row, 1..12)
}

/// Each row as often as it counts.
fn repeated(rows: &[Row]) -> Vec<Row> {
    let once = |(path, c, n): &Row| {
        let one = |c: f64, n: f64, times: f64| vec![(path.clone(), c, n); times as usize];
        [one(1.0, 0.0, *c), one(0.0, 1.0, *n)].concat()
    };
    rows.iter().flat_map(once).collect()
}

/// A table as rows of text, for comparison without regard to order.
fn text_rows(table: &Table, names: &[&str]) -> BTreeSet<Vec<String>> {
    (0..table.rows())
        .map(|row| {
            let cell = |name: &&str| {
                let text = || table.text(name, row).map(|t| t.into_owned());
                let number = || table.f64s(name).map(|v| format!("{:.9}", v[row]));
                number().or_else(|| table.i64s(name).map(|v| v[row].to_string())).or_else(text).unwrap()
            };
            names.iter().map(cell).collect()
        })
        .collect()
}

fn cells(table: &Table, keys: &[&str], value: &str) -> BTreeMap<Vec<String>, f64> {
    let key = |row: usize| -> Vec<String> {
        let one = |k: &&str| match table.i64s(k) {
            Some(v) => v[row].to_string(),
            None => table.text(k, row).unwrap().into_owned(),
        };
        keys.iter().map(one).collect()
    };
    (0..table.rows()).map(|row| (key(row), table.f64s(value).unwrap()[row])).collect()
}

fn close(found: &BTreeMap<Vec<String>, f64>, wanted: &BTreeMap<Vec<String>, f64>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (key, value) in wanted {
        assert!((found[key] - value).abs() < 1e-9, "{key:?}: {} for {value}", found[key]);
    }
}

// ---------------------------------------------------------------- funnels

/// A sequence: (channel or 4 for a conversion, time).
type Line = Vec<(u32, i64)>;

/// All tuples of places that serve the steps from `start` on, by recursion.
fn tuples(
    line: &Line,
    steps: &[Vec<u32>],
    window: i64,
    strict: bool,
    hits: &[usize],
    out: &mut Vec<Vec<usize>>,
) {
    out.push(hits.to_vec());
    if hits.len() == steps.len() {
        return;
    }
    let last = hits[hits.len() - 1];
    let until = if strict { line.len().min(last + 2) } else { line.len() };
    for at in last + 1..until {
        if steps[hits.len()].contains(&line[at].0) && line[at].1 - line[hits[0]].1 <= window {
            tuples(line, steps, window, strict, &[hits, &[at]].concat(), out);
        }
    }
}

/// The attempt from a start: the longest tuple, of those the first in time.
fn naive_attempt(line: &Line, steps: &[Vec<u32>], window: i64, strict: bool, start: usize) -> Vec<usize> {
    let mut all = Vec::new();
    tuples(line, steps, window, strict, &[start], &mut all);
    let deepest = all.iter().map(Vec::len).max().unwrap();
    all.into_iter().filter(|t| t.len() == deepest).min().unwrap()
}

fn naive_funnel(line: &Line, steps: &[Vec<u32>], o: &FunnelOptions) -> Vec<Vec<usize>> {
    let window = o.window.map_or(i64::MAX, |w| w.micros());
    let attempt = |s: usize| naive_attempt(line, steps, window, o.order == Order::Strict, s);
    let starts: Vec<usize> = (0..line.len()).filter(|i| steps[0].contains(&line[*i].0)).collect();
    if o.attempts == Attempts::All {
        let (mut out, mut after) = (Vec::new(), 0);
        for s in starts {
            if s >= after {
                let hits = attempt(s);
                after = hits[hits.len() - 1] + 1;
                out.push(hits);
            }
        }
        return out;
    }
    let all: Vec<Vec<usize>> = starts.into_iter().map(attempt).collect();
    let deepest = all.iter().map(Vec::len).max().unwrap_or(0);
    all.into_iter().find(|t| t.len() == deepest).into_iter().collect()
}

fn collapse(line: &Line, repeats: Repeats) -> Line {
    let mut out: Line = Vec::new();
    for step in line {
        if repeats == Repeats::Keep || step.0 == 4 || out.last().is_none_or(|l| l.0 != step.0) {
            out.push(*step);
        }
    }
    out
}

/// Counts by step, and by (step, destination).
fn naive_tables(
    lines: &[Line],
    steps: &[Vec<u32>],
    o: &FunnelOptions,
) -> (Vec<f64>, BTreeMap<Vec<String>, f64>) {
    let mut count = vec![0.0; steps.len()];
    let mut drop = BTreeMap::new();
    for line in lines.iter().map(|line| collapse(line, o.repeats)) {
        for hits in naive_funnel(&line, steps, o) {
            (0..hits.len()).for_each(|i| count[i] += 1.0);
            if hits.len() < steps.len() {
                let to = match line.get(hits[hits.len() - 1] + 1) {
                    Some((4, _)) => "(conversion)",
                    Some((c, _)) => LABELS[*c as usize],
                    None => "(null)",
                };
                *drop.entry(vec![hits.len().to_string(), to.to_owned()]).or_insert(0.0) += 1.0;
            }
        }
    }
    (count, drop)
}

fn options_of(steps: &[Vec<u32>], bits: u8, days: Option<i64>, by: Entity) -> FunnelOptions {
    let set = |s: &Vec<u32>| match s[..] {
        [4] => ChannelSet::from("(conversion)"),
        _ => ChannelSet(s.iter().map(|c| LABELS[*c as usize].to_owned()).collect()),
    };
    FunnelOptions {
        steps: steps.iter().map(set).collect(),
        window: days.map(|d| headwater::column::Duration::from_micros(d * DAY)),
        order: if bits & 1 == 0 { Order::Loose } else { Order::Strict },
        attempts: if bits & 2 == 0 { Attempts::Best } else { Attempts::All },
        repeats: if bits & 4 == 0 { Repeats::Keep } else { Repeats::Collapse },
        by,
        ..FunnelOptions::default()
    }
}

fn steps() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let set = prop::collection::btree_set(0..4_u32, 1..3).prop_map(|s| s.into_iter().collect::<Vec<_>>());
    (prop::collection::vec(set, 1..4), any::<bool>()).prop_map(|(mut steps, converts)| {
        if converts {
            steps.push(vec![4]);
        }
        steps
    })
}

fn check_funnel(j: &Journeys, lines: &[Line], steps: &[Vec<u32>], o: &FunnelOptions) {
    let (count, drop) = naive_tables(lines, steps, o);
    let found = j.funnel(o, &Run::new().threads(2)).unwrap();
    assert_eq!(found.table().f64s("count").unwrap(), count, "{o:?}");
    assert_eq!(cells(found.get("dropoff").unwrap(), &["step", "to"], "count"), drop, "{o:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn funnels_of_paths_are_as_defined(rows in rows(), steps in steps(), bits in 0..8_u8) {
        let mut every = rows;
        every.push((vec![0, 1, 2, 3], 0.0, 1.0));
        let j = from_rows(&every, &LABELS);
        let line = |r: &Row| {
            let mut line: Line = r.0.iter().map(|c| (*c, 0)).collect();
            line.extend((r.1 > 0.0).then_some((4, 0)));
            line
        };
        let lines: Vec<Line> = repeated(&every).iter().map(line).collect();
        check_funnel(&j, &lines, &steps, &options_of(&steps, bits, None, Entity::Journey));
    }

    #[test]
    fn funnels_of_customers_and_timed_journeys_are_as_defined(
        touches in prop::collection::vec((0..3_u32, 0..60_i64, 0..4_u32), 1..30),
        sales in prop::collection::vec((0..3_u32, 0..60_i64), 0..6),
        steps in steps(), bits in 0..8_u8, days in prop::option::of(0..40_i64),
    ) {
        // Whole days twice over, so that touches and conversions never meet.
        let mut touches: Vec<_> = touches.into_iter().map(|(c, t, ch)| (c, 2 * t, ch)).collect();
        touches.sort_unstable();
        touches.dedup();
        touches.extend((0..4).map(|ch| (3_u32, 2 * i64::from(ch), ch)));
        let mut sales: Vec<_> = sales.into_iter().map(|(c, t)| (c, 2 * t + 1)).collect();
        sales.sort_unstable();
        sales.dedup();
        let columns = |f: &dyn Fn(&(u32, i64, u32)) -> i64| touches.iter().map(f).collect::<Vec<i64>>();
        let (who, ch): (Vec<u32>, Vec<u32>) = touches.iter().map(|t| (t.0, t.2)).unzip();
        let times = columns(&|t| t.1 * DAY);
        let t = Touches { customer: &who, time: &times, channel: &ch, cost: None };
        let (buyer, sold): (Vec<u32>, Vec<i64>) = sales.iter().map(|s| (s.0, s.1 * DAY)).unzip();
        let c = Conversions { customer: &buyer, time: &sold, value: None };
        let j = Journeys::build(&t, &c, &Policies::default(), &Run::new()).unwrap();
        let labels: Vec<String> = (0..4).map(|c| c.to_string()).collect();
        let named = |o: FunnelOptions| {
            let steps = o.steps.iter().map(|s| ChannelSet(s.0.iter().map(|l| {
                LABELS.iter().position(|k| k == l).map_or(l.clone(), |c| labels[c].clone())
            }).collect()));
            FunnelOptions { steps: steps.collect(), ..o }
        };
        let lines: Vec<Line> = (0..4).map(|who| {
            let mut line: Line = touches.iter().filter(|t| t.0 == who).map(|t| (t.2, t.1 * DAY)).collect();
            line.extend(sales.iter().filter(|s| s.0 == who).map(|s| (4, s.1 * DAY)));
            line.sort_by_key(|s| s.1);
            line
        }).collect();
        let o = options_of(&steps, bits, days, Entity::Customer);
        let (count, drop) = naive_tables(&lines, &steps, &o);
        let found = j.funnel(&named(o), &Run::new().threads(2)).unwrap();
        let renamed: BTreeMap<_, _> = cells(found.get("dropoff").unwrap(), &["step", "to"], "count").into_iter()
            .map(|(mut k, v)| { if let Ok(c) = k[1].parse::<usize>() { k[1] = LABELS[c].into(); } (k, v) }).collect();
        let table = found.table();
        prop_assert_eq!(table.f64s("count").unwrap(), count);
        prop_assert_eq!(renamed, drop);

        let o = options_of(&steps, bits, days, Entity::Journey);
        let lines: Vec<Line> = (0..j.len()).filter(|i| !j.path(*i).is_empty()).map(|i| {
            let mut line: Line = j.path(i).iter().copied().zip(j.touch_times(i).iter().copied()).collect();
            line.extend((j.conversions()[i] > 0.0).then(|| (4, j.end_time(i).unwrap())));
            line
        }).collect();
        let (count, _) = naive_tables(&lines, &steps, &o);
        let found = j.funnel(&named(o), &Run::new().threads(2)).unwrap();
        let table = found.table();
        prop_assert_eq!(table.f64s("count").unwrap(), count);
    }

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
                Anchor::Channel => -(before as i64)..=steps as i64,
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
            edges.iter().for_each(|e| *count.entry(e.clone()).or_insert(0.0) += 1.0);
            edges.into_iter().collect::<BTreeSet<_>>().into_iter().for_each(|e| *took.entry(e).or_insert(0.0) += 1.0);
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
fn the_difference_of_two_graphs_is_tested_by_journeys() {
    // 30 of 100 against 15 of 100 go from a to b: pooled z = 0.15 / sqrt(0.225 · 0.775 · 0.02).
    let a = from_rows(&[(vec![0, 1], 0.0, 30.0), (vec![0, 2], 0.0, 70.0)], &LABELS);
    let b = from_rows(&[(vec![0, 1], 0.0, 15.0), (vec![0, 3], 0.0, 85.0)], &LABELS);
    let given = Given { journeys: &a, other: Some(&b), frame: None };
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
        ("time_to_convert", "{}", "report"),
        ("lag_curves", "{}", "report"),
        ("positions", r#"{"level":0.9}"#, "level"),
    ] {
        match j.report(report, options, &Run::new()) {
            Err(Error::Option { option: named, .. }) => assert_eq!(named, option, "{report} {options}"),
            other => panic!("{report} {options}: {other:?}"),
        }
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
