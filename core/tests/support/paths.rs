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
