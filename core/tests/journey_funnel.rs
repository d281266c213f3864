//! Funnels against their definition spelt out: all tuples of places, by recursion.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::naive_bytecount)]

mod paths;

use std::collections::BTreeMap;

use headwater::column::{Columns, Data, Table};
use headwater::journey::{
    Attempts, ChannelSet, Conversions, Entity, EventOptions, FunnelOptions, Journeys, Order, Policies,
    Repeats, Touches,
};
use headwater::{Run, options};
use paths::{DAY, LABELS, Line, Row, cells, collapse, from_rows, repeated, rows};
use proptest::prelude::*;

/// All tuples of places that serve the steps from `start` on, by recursion.
fn tuples(line: &Line, steps: &[Vec<u32>], o: &FunnelOptions, hits: &[usize], out: &mut Vec<Vec<usize>>) {
    out.push(hits.to_vec());
    if hits.len() == steps.len() {
        return;
    }
    let last = hits[hits.len() - 1];
    let until = if o.order == Order::Strict { line.len().min(last + 2) } else { line.len() };
    let served = |at: usize| {
        let done = |s: &Vec<u32>| hits.iter().any(|h| s.contains(&line[*h].0));
        let left: Vec<&Vec<u32>> = steps.iter().filter(|s| !done(s)).collect();
        match o.order {
            Order::Any => left.iter().any(|s| s.contains(&line[at].0) && (s[..] != [4] || left.len() == 1)),
            _ => steps[hits.len()].contains(&line[at].0),
        }
    };
    for at in (last + 1..until).filter(|at| served(*at)) {
        if line[at].1 - line[hits[0]].1 <= window(o) {
            tuples(line, steps, o, &[hits, &[at]].concat(), out);
        }
    }
}

fn window(o: &FunnelOptions) -> i64 {
    o.window.map_or(i64::MAX, headwater::column::Duration::micros)
}

/// The attempt from a start: the longest tuple, of those the first in time.
fn naive_attempt(line: &Line, steps: &[Vec<u32>], o: &FunnelOptions, start: usize) -> Vec<usize> {
    let barred = |s: &(u32, i64)| s.0 < 4 && o.exclude.iter().any(|l| *l == LABELS[s.0 as usize]);
    let end = line[start + 1..].iter().position(barred).map_or(line.len(), |at| start + 1 + at);
    let mut all = Vec::new();
    tuples(&line[..end].to_vec(), steps, o, &[start], &mut all);
    let deepest = all.iter().map(Vec::len).max().unwrap();
    all.into_iter().filter(|t| t.len() == deepest).min().unwrap()
}

fn naive_funnel(line: &Line, steps: &[Vec<u32>], o: &FunnelOptions) -> Vec<Vec<usize>> {
    let attempt = |s: usize| naive_attempt(line, steps, o, s);
    let first = if o.order == Order::Any { steps } else { &steps[..1] };
    let begins = |i: &usize| line[*i].0 < 4 && first.iter().any(|s| s.contains(&line[*i].0));
    let starts: Vec<usize> = (0..line.len()).filter(begins).collect();
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

/// Channels that are no step.
fn unused(steps: &[Vec<u32>]) -> Vec<String> {
    let free = (0..4).filter(|c| steps.iter().all(|s| !s.contains(c)));
    free.map(|c| LABELS[c as usize].to_owned()).collect()
}

/// The steps such that no channel serves two of them.
fn disjoint(steps: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
    let mut seen = Vec::new();
    let mut out = steps;
    for step in &mut out {
        step.retain(|c| !seen.contains(c));
        seen.extend(step.iter().copied());
    }
    out.retain(|step| !step.is_empty());
    out
}

fn options_of(steps: &[Vec<u32>], bits: u8, days: Option<i64>, by: Entity) -> FunnelOptions {
    let set = |s: &Vec<u32>| match s[..] {
        [4] => ChannelSet::from("(conversion)"),
        _ => ChannelSet(s.iter().map(|c| LABELS[*c as usize].to_owned()).collect()),
    };
    FunnelOptions {
        steps: steps.iter().map(set).collect(),
        window: days.map(|d| headwater::column::Duration::from_micros(d * DAY)),
        order: [Order::Loose, Order::Strict, Order::Loose, Order::Any]
            [usize::from(bits & 1) + 2 * usize::from(bits >> 3 & 1)],
        attempts: if bits & 2 == 0 { Attempts::Best } else { Attempts::All },
        repeats: if bits & 4 == 0 { Repeats::Keep } else { Repeats::Collapse },
        exclude: if bits & 8 == 0 { Vec::new() } else { unused(steps) },
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
    fn funnels_of_paths_are_as_defined(rows in rows(), steps in steps(), bits in 0..16_u8) {
        let steps = if bits & 8 == 0 { steps } else { disjoint(steps) };
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
        steps in steps(), bits in 0..16_u8, days in prop::option::of(0..40_i64),
    ) {
        let steps = if bits & 8 == 0 { steps } else { disjoint(steps) };
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
            let exclude = o.exclude.iter().map(|l| {
                labels[LABELS.iter().position(|k| k == l).unwrap()].clone()
            }).collect();
            FunnelOptions { steps: steps.collect(), exclude, ..o }
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

    /// Windows by channel make journeys hold copies of the touches that they share.
    #[test]
    fn customers_are_the_same_however_journeys_hold_their_touches(
        touches in prop::collection::vec((0..3_u32, 0..60_i64, 0..4_usize), 1..30),
        sales in prop::collection::vec((0..3_u32, 0..60_i64), 0..6),
        bits in 0..8_u8,
    ) {
        let (who, when): (Vec<i64>, Vec<i64>) = touches.iter().map(|t| (i64::from(t.0), 2 * t.1 * DAY)).unzip();
        let touched = Columns::new()
            .with("customer", who)
            .with("time", Data::times(when))
            .with("channel", touches.iter().map(|t| LABELS[t.2]).collect::<Vec<_>>());
        let (buyer, sold): (Vec<i64>, Vec<i64>) = sales.iter().map(|s| (i64::from(s.0), (2 * s.1 + 1) * DAY)).unzip();
        let bought = Columns::new().with("customer", buyer).with("time", Data::times(sold));
        let run = Run::new();
        let plain = EventOptions::default();
        let mut fine = plain.clone();
        fine.lookback_by_channel = options::parse(r#"{"a": "30d"}"#).unwrap();
        let of = |o: &EventOptions| Journeys::from_events(&touched, Some(&bought), o, &run).unwrap();
        let (plain, fine) = (of(&plain), of(&fine));
        let labels = plain.channel_labels();
        let steps = labels.iter().take(2).map(|l| ChannelSet::from(l.as_str())).collect();
        let o = FunnelOptions { steps, ..options_of(&[vec![0]], bits, Some(25), Entity::Customer) };
        prop_assert_eq!(plain.funnel(&o, &run).unwrap(), fine.funnel(&o, &run).unwrap());
    }
}

/// One call with `split_by` gives what a loop over the parts gives.
#[test]
fn segments_split_a_report_as_they_split_journeys() {
    let day = |d: i64| d * DAY;
    let touched = Columns::new()
        .with("customer", vec!["ann", "ann", "bob", "bob", "cat", "dan", "dan"])
        .with("time", Data::times([0, 2, 1, 3, 4, 5, 8].map(day).to_vec()))
        .with("channel", vec!["a", "b", "a", "a", "a", "b", "a"]);
    let bought = Columns::new()
        .with("customer", vec!["ann", "dan", "dan"])
        .with("time", Data::times([6, 7, 9].map(day).to_vec()));
    let plans =
        Columns::new().with("customer", vec!["dan", "bob", "ann"]).with("segment", vec!["x", "y", "x"]);
    let run = Run::new();
    let plain = Journeys::from_events(&touched, Some(&bought), &EventOptions::default(), &run).unwrap();
    let j = plain.with_segments(&plans, "customer", "segment", &run).unwrap();
    let funnel = r#"{"steps":["a","b","(conversion)"]}"#;
    let customers = r#"{"steps":["a","(conversion)"],"by":"customer","attempts":"all"}"#;
    for (report, options) in [
        ("funnel", funnel),
        ("funnel", customers),
        ("time_to_convert", r#"{"level":0.9}"#),
        ("path_length", r#"{"level":0.9}"#),
    ] {
        let split = options.replacen('{', r#"{"split_by":"segment","#, 1);
        let found = j.report(report, &split, &run).unwrap().remove(0).1;
        let groups: Vec<String> =
            (0..found.rows()).map(|r| found.text("group", r).unwrap().into_owned()).collect();
        let mut wanted = Vec::new();
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (label, part) in j.split().unwrap() {
            let one = part.report(report, options, &run).unwrap().remove(0).1;
            wanted.extend(std::iter::repeat_n(label, one.rows()));
            for column in one.columns().iter().filter(|c| c.name != "group") {
                columns.entry(column.name.clone()).or_default().extend(shown(&one, &column.name));
            }
        }
        assert_eq!(groups, wanted, "{report} {options}");
        assert!(wanted.contains(&"(none)".to_owned()), "{report} {options}");
        for (name, values) in columns {
            assert_eq!(shown(&found, &name), values, "{report} {options} {name}");
        }
        let error = plain.report(report, &split, &run).unwrap_err();
        assert!(error.to_string().contains("with_segments"), "{error}");
    }
}

fn shown(table: &Table, name: &str) -> Vec<String> {
    let column = table.get(name).unwrap();
    let there = |row: usize| column.valid.as_ref().is_none_or(|v| v[row]);
    let text = |row: usize| match (table.f64s(name), table.i64s(name)) {
        (Some(x), _) => x[row].to_string(),
        (_, Some(x)) => x[row].to_string(),
        _ => table.text(name, row).unwrap().into_owned(),
    };
    (0..table.rows()).map(|row| if there(row) { text(row) } else { String::new() }).collect()
}
