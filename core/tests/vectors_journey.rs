//! The shared vectors of journeys and attribution.
//!
//! `from_events` (frames touches and, optionally, conversions) and `from_paths`
//! (frame paths) give the tables of journeys; `attribute` and `touch_credits`
//! take `{"journeys": {...}, "attribute": {...} | "model": ...}` and choose
//! between the two by their frames.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::naive_bytecount)]

mod support;

use headwater::attribution::{AttributeOptions, Model, attribute, touch_credits};
use headwater::column::Table;
use headwater::journey::{Journeys, Repeats};
use headwater::{Result, Run, options};
use serde_json::Value;
use support::{Frames, run_vectors};

fn journeys(frames: &Frames, json: &str, run: &Run) -> Result<Journeys> {
    match frames.get("paths") {
        Some(paths) => Journeys::from_paths(paths, &options::parse(json)?, run),
        None => {
            Journeys::from_events(&frames["touches"], frames.get("conversions"), &options::parse(json)?, run)
        }
    }
}

fn part(json: &str, key: &str) -> String {
    let whole: Value = serde_json::from_str(json).unwrap();
    whole.get(key).map_or_else(|| "{}".to_owned(), Value::to_string)
}

fn call(name: &str, frames: &Frames, json: &str, run: &Run) -> Result<Vec<(&'static str, Table)>> {
    match name {
        "from_events" | "from_paths" => {
            let j = journeys(frames, json, run)?;
            let mut tables = vec![
                ("paths", j.paths(run)?),
                ("transitions", j.transitions(Repeats::Collapse, run)?),
                ("lengths", j.lengths()),
                ("channels", j.channels(run)?),
                ("summary", j.summary()),
                ("dropped", j.dropped().table()),
            ];
            if j.has_times() {
                tables.push(("lags", j.lags()?));
            }
            Ok(tables)
        }
        "attribute" => {
            let j = journeys(frames, &part(json, "journeys"), run)?;
            let models: AttributeOptions = options::parse(&part(json, "attribute"))?;
            let credit = attribute(&j, &models, run)?;
            let effects = credit.removal_effects();
            let mut tables = vec![("credits", credit.table())];
            if effects.rows() > 0 {
                tables.push(("removal_effects", effects));
            }
            Ok(tables)
        }
        "touch_credits" => {
            let j = journeys(frames, &part(json, "journeys"), run)?;
            let model: Model = options::parse(&part(json, "model"))?;
            Ok(vec![("touch_credits", touch_credits(&j, &model, run)?)])
        }
        other => panic!("no call {other}"),
    }
}

#[test]
fn journey() {
    run_vectors("journey", call);
}

#[test]
fn attribution() {
    run_vectors("attribution", call);
}
