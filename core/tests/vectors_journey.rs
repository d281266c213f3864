//! The shared vectors of journeys and attribution.
//!
//! `from_events` (frames touches and, optionally, conversions) and `from_paths`
//! (frame paths) give the tables of journeys; `transform` takes `{"journeys":
//! {...}, "transform": {...}}`, `roll_up` `{"journeys": ..., "levels": ...,
//! "attribute": ...}`; `group_channels` a frame visits; `attribute` and `touch_credits`
//! take `{"journeys": {...}, "attribute": {...} | "model": ...}` and choose
//! between the two by their frames. `report` (`{"journeys", "report", "options"}`,
//! and perhaps a frame `segments`), `attribution` (the same, with `"other"` for the journeys of the frames
//! `other_touches` and `other_conversions` or `other_paths`, and perhaps a frame
//! `frame`, `lift_tests`, and `rules` of what the models `callback` said) and `fit` (`{"journeys", "model", "reports": [...], "score": [{"path",
//! "times", "end"}], "predict": [...]}`, times in microseconds) reach everything
//! else by name. `grow` takes the options of `from_events` and the frames
//! `touches_1`, `conversions_1`, `touches_2`, …, and builds them part by part.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::naive_bytecount)]

mod support;

use std::path::PathBuf;

use headwater::attribution::{AttributeOptions, Fitted, Given, Model, attribute, touch_credits};
use headwater::column::{Table, Values};
use headwater::journey::{Hierarchy, JourneyBuilder, Journeys, Repeats, TransformOptions, group_channels};
use headwater::{Result, Run, model, options};
use serde_json::Value;
use support::Frames;

fn journeys(frames: &Frames, json: &str, run: &Run) -> Result<Journeys> {
    made(frames, "", json, run)
}

fn made(frames: &Frames, prefix: &str, json: &str, run: &Run) -> Result<Journeys> {
    let frame = |name: &str| frames.get(&format!("{prefix}{name}"));
    match frame("paths") {
        Some(paths) => Journeys::from_paths(paths, &options::parse(json)?, run),
        None => Journeys::from_events(
            frame("touches").unwrap(),
            frame("conversions"),
            &options::parse(json)?,
            run,
        ),
    }
}

#[derive(serde::Deserialize)]
struct Scored {
    path: Vec<String>,
    #[serde(default)]
    times: Vec<i64>,
    #[serde(default)]
    end: Option<i64>,
}

/// Fits, saves, loads; then tells what the model says of itself and of single journeys.
fn fit(frames: &Frames, json: &str, run: &Run) -> Result<Vec<(&'static str, Table)>> {
    let j = journeys(frames, &part(json, "journeys"), run)?;
    let model: Model = options::parse(&part(json, "model"))?;
    let fitted = Fitted::from_bytes(&Fitted::fit(&model, &j, run)?.to_bytes()?)?.unwrap();
    let whole: Value = serde_json::from_str(json).unwrap();
    let mut tables = Vec::new();
    for name in whole["reports"].as_array().into_iter().flatten() {
        tables.extend(fitted.report(name.as_str().unwrap(), "{}", run)?);
    }
    let listed = |name: &str| -> Vec<Scored> {
        whole.get(name).map_or_else(Vec::new, |s| serde_json::from_value(s.clone()).unwrap())
    };
    let (scored, predicted) = (listed("score"), listed("predict"));
    let (mut journey, mut credit) = (Vec::new(), Vec::new());
    for (i, one) in scored.iter().enumerate() {
        let shares = fitted.credit(&one.path, &one.times, one.end)?;
        journey.extend(shares.iter().map(|_| i as i64));
        credit.extend(shares);
    }
    tables.push((
        "score",
        Table::new().with("journey", Values::I64(journey)).with("credit", Values::F64(credit)),
    ));
    if !predicted.is_empty() {
        let of = |one: &Scored| fitted.predict(&one.path, &one.times, one.end);
        let found = predicted.iter().map(of).collect::<Result<Vec<f64>>>()?;
        tables.push(("predict", Table::new().with("probability", Values::F64(found))));
    }
    Ok(tables)
}

/// Part after part, each time from the file of what was there before.
fn grow(frames: &Frames, json: &str, run: &Run) -> Result<Journeys> {
    let mut builder = JourneyBuilder::new(options::parse(json)?);
    for n in 1.. {
        let Some(touches) = frames.get(&format!("touches_{n}")) else { break };
        builder.extend(touches, frames.get(&format!("conversions_{n}")), run)?;
        builder = model::from_bytes(&model::to_bytes(&builder)?)?;
    }
    Ok(builder.journeys())
}

fn tables(j: &Journeys, run: &Run) -> Result<Vec<(&'static str, Table)>> {
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

fn part(json: &str, key: &str) -> String {
    let whole: Value = serde_json::from_str(json).unwrap();
    whole.get(key).map_or_else(|| "{}".to_owned(), Value::to_string)
}

fn call(name: &str, frames: &Frames, json: &str, run: &Run) -> Result<Vec<(&'static str, Table)>> {
    match name {
        "from_events" | "from_paths" => tables(&journeys(frames, json, run)?, run),
        "grow" => tables(&grow(frames, json, run)?, run),
        "transform" => {
            let j = journeys(frames, &part(json, "journeys"), run)?;
            let TransformOptions { steps } = options::parse(&part(json, "transform"))?;
            let j = j.transform(&steps, run)?;
            Ok(vec![("paths", j.paths(run)?), ("channels", j.channels(run)?), ("summary", j.summary())])
        }
        "group_channels" => {
            let groups = group_channels(&frames["visits"], &options::parse(json)?, run)?;
            Ok(vec![
                ("table", groups.table()),
                ("summary", groups.summary()),
                ("accounting", groups.accounting()),
            ])
        }
        "roll_up" => {
            let j = journeys(frames, &part(json, "journeys"), run)?;
            let levels: Hierarchy = options::parse(&part(json, "levels"))?;
            let models: AttributeOptions = options::parse(&part(json, "attribute"))?;
            let (fine, up) = (attribute(&j, &models, run)?.table(), j.roll_up(&levels)?);
            let channels = attribute(&up, &models, run)?.table();
            let down = levels.drill_down(&fine, None)?;
            let shared = levels.drill_down(&fine, Some(&channels))?;
            Ok(vec![("paths", up.paths(run)?), ("drill_down", down), ("shared", shared)])
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
        "report" => {
            let mut j = journeys(frames, &part(json, "journeys"), run)?;
            if let Some(frame) = frames.get("segments") {
                j = j.part("with_segments", "{}", Some(frame), run)?.remove(0).1;
            }
            let name: String = options::parse(&part(json, "report"))?;
            j.report(&name, &part(json, "options"), run)
        }
        "attribution" => {
            let j = journeys(frames, &part(json, "journeys"), run)?;
            let there = frames.keys().any(|name| name.starts_with("other_"));
            let other = there.then(|| made(frames, "other_", &part(json, "other"), run)).transpose()?;
            let name: String = options::parse(&part(json, "report"))?;
            let (frame, rules) = (frames.get("frame"), frames.get("rules"));
            let lift_tests = frames.get("lift_tests");
            let given = Given { journeys: &j, other: other.as_ref(), frame, lift_tests, rules };
            given.report(&name, &part(json, "options"), run)
        }
        "part" => {
            let mut j = journeys(frames, &part(json, "journeys"), run)?;
            let frame = frames.get("frame");
            let name: String = options::parse(&part(json, "part"))?;
            if name == "split" {
                j = j.part("with_segments", &part(json, "segments"), frame, run)?.remove(0).1;
            }
            let parts = j.part(&name, &part(json, "options"), frame, run)?;
            let (first, last) = (&parts[0].1, &parts[parts.len() - 1].1);
            Ok(vec![("first", first.paths(run)?), ("last", last.paths(run)?), ("summary", first.summary())])
        }
        "fit" => fit(frames, json, run),
        other => panic!("no call {other}"),
    }
}

fn run_all(room: &str) {
    let first = support::vector_file(room);
    let folder = std::fs::read_dir(first.parent().unwrap()).unwrap();
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(room));
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).filter(named).collect();
    files.sort();
    assert!(files.contains(&first));
    for file in files {
        support::run_file(&file, call);
    }
}

/// `journey.json`, and a file `journey_….json` for each family of reports.
#[test]
fn journey() {
    run_all("journey");
}

/// `attribution.json`, and a file `attribution_….json` for each family of models and reports.
#[test]
fn attribution() {
    run_all("attribution");
}
