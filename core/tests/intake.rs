//! Vectors of the floor `column`: what the roles make of a frame. Rust alone
//! runs them, because no binding calls an intake by itself.
#![allow(missing_docs)]

mod support;

use std::path::Path;

use headwater::Run;
use headwater::column::{Intake, OnInvalid, Sign, Table, TimeUnit, Values};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    names: Option<String>,
    optional_names: Option<String>,
    times: Option<String>,
    amounts: Option<String>,
    flags: Option<String>,
    time_unit: Option<TimeUnit>,
    sign: Sign,
    on_invalid: OnInvalid,
}

fn read(frames: &support::Frames, options: &str, run: &Run) -> headwater::Result<Vec<(&'static str, Table)>> {
    let options: Options = headwater::options::parse(options)?;
    let mut intake = Intake::new(&frames["frame"], options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let names = options.names.map(|c| intake.names(&c)).transpose()?;
    let optional = options.optional_names.map(|c| intake.optional_names(&c)).transpose()?;
    let times = options.times.map(|c| intake.times(&c)).transpose()?;
    let amounts = options.amounts.map(|c| intake.amounts(&c, options.sign)).transpose()?;
    let flags = options.flags.map(|c| intake.flags(&c)).transpose()?;
    let kept = intake.finish()?;
    let mut table = Table::new();
    if let Some(names) = names {
        table = table.with("names", Values::Names(kept.names(names)));
    }
    if let Some(names) = optional {
        table = table.with("optional_names", Values::Names(kept.names(names)));
    }
    if let Some(times) = times {
        table = table.with("times", Values::Time(kept.values(times).into_owned()));
    }
    if let Some(amounts) = amounts {
        table = table.with("amounts", Values::F64(kept.values(amounts).into_owned()));
    }
    if let Some(flags) = flags {
        table = table.with("flags", Values::Bool(kept.values(flags).into_owned()));
    }
    Ok(vec![("rows", table), ("dropped", kept.dropped().table())])
}

#[test]
fn the_vectors_hold() {
    support::run_file(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/intake.json")),
        |_, frames, options, run| read(frames, options, run),
    );
}
