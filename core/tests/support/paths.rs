//! Journeys from rows of a path with what it counts for.

use headwater::Result;
use headwater::column::Columns;
use headwater::journey::{Journeys, PathOptions, Refunds};
use headwater::run::Run;

/// Of rows of path, conversions, nulls and value.
pub fn journeys<S: AsRef<str>>(rows: &[(S, f64, f64, f64)]) -> Result<Journeys> {
    let frame = Columns::new()
        .with("path", rows.iter().map(|r| r.0.as_ref().to_owned()).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>())
        .with("value", rows.iter().map(|r| r.3).collect::<Vec<_>>());
    let options = PathOptions {
        value: Some("value".into()),
        nulls: Some("nulls".into()),
        refunds: Refunds::Keep,
        ..PathOptions::default()
    };
    Journeys::from_paths(&frame, &options, &Run::new())
}

pub const TOY: [(&str, f64, f64, f64); 5] = [
    ("A > B > C", 10.0, 20.0, 1000.0),
    ("A > B", 5.0, 45.0, 400.0),
    ("B > C", 8.0, 32.0, 960.0),
    ("C", 4.0, 36.0, 200.0),
    ("A > A > C", 3.0, 17.0, 330.0),
];

/// As [`journeys`], of rows that are known to be good.
pub fn paths(rows: &[(&str, f64, f64, f64)]) -> Journeys {
    journeys(rows).unwrap()
}
