//! Small journeys of paths, and tables as maps.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use headwater::Run;
use headwater::column::{Columns, Table};
use headwater::journey::{Journeys, PathOptions, Repeats};
use proptest::prelude::*;

pub const DAY: i64 = 86_400_000_000;
pub const LABELS: [&str; 4] = ["a", "b", "c", "d"];

/// (path, conversions, nulls)
pub type Row = (Vec<u32>, f64, f64);

pub fn from_rows(rows: &[Row], labels: &[&str]) -> Journeys {
    let path = |r: &Row| r.0.iter().map(|c| labels[*c as usize]).collect::<Vec<_>>().join(" > ");
    let frame = Columns::new()
        .with("path", rows.iter().map(path).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>());
    let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

pub fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (prop::collection::vec(0..4_u32, 1..7), 0..3_u8, 0..3_u8);
    let row = row.prop_map(|(path, c, n)| (path, f64::from(c), f64::from(n)));
    prop::collection::vec(row, 1..12)
}

/// Each row as often as it counts.
pub fn repeated(rows: &[Row]) -> Vec<Row> {
    let once = |(path, c, n): &Row| {
        let one = |c: f64, n: f64, times: f64| vec![(path.clone(), c, n); times as usize];
        [one(1.0, 0.0, *c), one(0.0, 1.0, *n)].concat()
    };
    rows.iter().flat_map(once).collect()
}

/// A table as rows of text, for comparison without regard to order.
pub fn text_rows(table: &Table, names: &[&str]) -> BTreeSet<Vec<String>> {
    (0..table.rows())
        .map(|row| {
            let cell = |name: &&str| {
                let text = || table.text(name, row).map(std::borrow::Cow::into_owned);
                let number = || table.f64s(name).map(|v| format!("{:.9}", v[row]));
                number().or_else(|| table.i64s(name).map(|v| v[row].to_string())).or_else(text).unwrap()
            };
            names.iter().map(cell).collect()
        })
        .collect()
}

pub fn cells(table: &Table, keys: &[&str], value: &str) -> BTreeMap<Vec<String>, f64> {
    let key = |row: usize| -> Vec<String> {
        let one = |k: &&str| match table.i64s(k) {
            Some(v) => v[row].to_string(),
            None => table.text(k, row).unwrap().into_owned(),
        };
        keys.iter().map(one).collect()
    };
    (0..table.rows()).map(|row| (key(row), table.f64s(value).unwrap()[row])).collect()
}

pub fn close(found: &BTreeMap<Vec<String>, f64>, wanted: &BTreeMap<Vec<String>, f64>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (key, value) in wanted {
        assert!((found[key] - value).abs() < 1e-9, "{key:?}: {} for {value}", found[key]);
    }
}

/// A sequence: (channel or 4 for a conversion, time).
pub type Line = Vec<(u32, i64)>;

pub fn collapse(line: &Line, repeats: Repeats) -> Line {
    let mut out: Line = Vec::new();
    for step in line {
        if repeats == Repeats::Keep || step.0 == 4 || out.last().is_none_or(|l| l.0 != step.0) {
            out.push(*step);
        }
    }
    out
}
