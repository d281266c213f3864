//! The shared test vectors: `core/tests/vectors/<room>.json`.
//!
//! Each file is an array of cases
//!
//! ```json
//! {"name": "...", "source": "...", "call": "...",
//!  "frames": {"touches": {"customer": ["a", "b"], "time": ["2024-01-01T00:00:00Z", null]}},
//!  "options": {},
//!  "expect": {"table": {"column": [1.5, null]}}}
//! ```
//!
//! or `"error": "HW_COLUMN"` in place of `expect`. A frame's column is text,
//! booleans, integers, or floats when any number in it has a point; null is
//! missing. In `expect`, times are integer microseconds, and the floats that
//! JSON cannot write are `"NaN"`, `"Infinity"` and `"-Infinity"`. All three
//! languages run them, and floats must agree to the bit.
//!
//! With `HEADWATER_BLESS=1` the expectations are rewritten from what comes out.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

pub mod draws;
pub mod grid;
pub mod paths;
pub mod tables;
pub mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use headwater::column::{Columns, Data, Labels, NULL, Table, Values};
use headwater::{Result, Run};
use serde_json::{Map, Value, json};

/// The frames of a case, by name.
pub type Frames = BTreeMap<String, Columns>;

/// The file of shared vectors of a room.
pub fn vector_file(room: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{room}.json"))
}

/// A file of the shared golden data, or `None` (with a note) where it is not there.
pub fn golden(path: &str) -> Option<PathBuf> {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden")).join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: {} is not here", file.display());
    None
}

/// One column of JSON values.
pub fn data_from_json(values: &[Value]) -> Data {
    let first = |is: fn(&Value) -> bool| values.iter().any(is);
    if first(Value::is_string) {
        let text = |v: &Value| match v {
            Value::Null => None,
            v => Some(v.as_str().expect("a column of text holds strings and nulls").to_owned()),
        };
        values.iter().map(text).collect::<Vec<Option<String>>>().into()
    } else if first(Value::is_boolean) {
        values.iter().map(Value::as_bool).collect::<Vec<Option<bool>>>().into()
    } else if first(Value::is_f64) {
        values.iter().map(Value::as_f64).collect::<Vec<Option<f64>>>().into()
    } else if first(Value::is_number) {
        values.iter().map(Value::as_i64).collect::<Vec<Option<i64>>>().into()
    } else {
        Data::nulls(values.len())
    }
}

/// A frame of JSON columns.
pub fn columns_from_json(frame: &Value) -> Columns {
    let frame = frame.as_object().expect("a frame is an object of columns");
    frame.iter().fold(Columns::new(), |out, (name, values)| {
        out.with(name, data_from_json(values.as_array().expect("a column is an array")))
    })
}

fn float(value: f64) -> Value {
    match value {
        v if v.is_finite() => json!(v),
        v if v.is_nan() => json!("NaN"),
        v if v > 0.0 => json!("Infinity"),
        _ => json!("-Infinity"),
    }
}

/// A table as JSON columns.
pub fn table_to_json(table: &Table) -> Value {
    let mut out = Map::new();
    for column in table.columns() {
        let values: Vec<Value> = match &column.values {
            Values::F64(v) => v.iter().map(|x| float(*x)).collect(),
            Values::I64(v) | Values::Time(v) => v.iter().map(|x| json!(x)).collect(),
            Values::Bool(v) => v.iter().map(|x| json!(x)).collect(),
            Values::Text(v) => v.iter().map(|x| json!(x)).collect(),
            Values::Names(names) => names
                .codes
                .iter()
                .map(|code| match &*names.labels {
                    _ if *code == NULL => Value::Null,
                    Labels::Text(text) => json!(text.get(*code as usize)),
                    Labels::Int(ints) => json!(ints.get(*code as usize)),
                })
                .collect(),
            other => panic!("a table column of an unknown kind: {other:?}"),
        };
        let there = |row: usize| column.valid.as_ref().is_none_or(|v| v[row]);
        let values = values.into_iter().enumerate().map(|(row, v)| if there(row) { v } else { Value::Null });
        out.insert(column.name.clone(), Value::Array(values.collect()));
    }
    Value::Object(out)
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64().map(f64::to_bits) == b.as_f64().map(f64::to_bits)
        }
        _ => found == expected,
    }
}

/// Compares a table with what is expected of it, floats to the bit.
pub fn assert_table_matches(case: &str, name: &str, table: &Table, expected: &Value) {
    let found = table_to_json(table);
    let (found, expected) = (found.as_object().unwrap(), expected.as_object().unwrap());
    let names = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{case}: columns of {name}");
    for (column, expected) in expected {
        let (found, expected) = (found[column].as_array().unwrap(), expected.as_array().unwrap());
        assert_eq!(found.len(), expected.len(), "{case}: rows of {name}.{column}: {found:?}");
        for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(same(found, expected), "{case}: {name}.{column}[{row}] is {found}, expected {expected}");
        }
    }
}

/// Whether expectations are to be rewritten.
pub fn bless() -> bool {
    std::env::var("HEADWATER_BLESS").is_ok_and(|v| v == "1")
}

/// Runs every case of a room: `call` gets the case's `call`, its frames, its
/// options as JSON and a run, and gives named tables. Each case runs on one
/// thread and on three, which must agree.
pub fn run_vectors<F>(room: &str, call: F)
where
    F: Fn(&str, &Frames, &str, &Run) -> Result<Vec<(&'static str, Table)>>,
{
    run_file(&vector_file(room), call);
}

/// Runs every case of a file, as [`run_vectors`] does.
pub fn run_file<F>(file: &std::path::Path, call: F)
where
    F: Fn(&str, &Frames, &str, &Run) -> Result<Vec<(&'static str, Table)>>,
{
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut cases: Vec<Map<String, Value>> =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert!(!cases.is_empty(), "{} is empty", file.display());
    for case in &mut cases {
        let name = case["name"].as_str().expect("a case has a name").to_owned();
        let empty = json!({});
        let frames: Frames = case
            .get("frames")
            .unwrap_or(&empty)
            .as_object()
            .expect("frames is an object")
            .iter()
            .map(|(name, frame)| (name.clone(), columns_from_json(frame)))
            .collect();
        let options = case.get("options").unwrap_or(&empty).to_string();
        let function = case["call"].as_str().expect("a case has a call").to_owned();
        let result = call(&function, &frames, &options, &Run::new().threads(1));
        let again = call(&function, &frames, &options, &Run::new().threads(3));
        let shown = |r: &Result<Vec<(&'static str, Table)>>| match r {
            Ok(tables) => {
                let tables = tables.iter().map(|(name, t)| ((*name).to_owned(), table_to_json(t)));
                json!({ "expect": tables.collect::<Map<_, _>>() })
            }
            Err(error) => json!({ "error": error.code() }),
        };
        let found = shown(&result);
        assert_eq!(found.to_string(), shown(&again).to_string(), "{name}: three threads differ from one");
        if bless() {
            case.remove("expect");
            case.remove("error");
            case.extend(found.as_object().unwrap().clone());
            continue;
        }
        match (&result, case.get("error").and_then(Value::as_str)) {
            (Err(error), Some(code)) => assert_eq!(error.code(), code, "{name}: {error}"),
            (Err(error), None) => panic!("{name}: {error}"),
            (Ok(_), Some(code)) => panic!("{name}: gave tables where {code} was expected"),
            (Ok(tables), None) => {
                let expected = case["expect"].as_object().expect("expect is an object of tables");
                let mut names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
                names.sort_unstable();
                assert_eq!(names, expected.keys().collect::<Vec<_>>(), "{name}: tables");
                for (table, found) in tables {
                    assert_table_matches(&name, table, found, &expected[*table]);
                }
            }
        }
    }
    if bless() {
        std::fs::write(file, written(&cases)).unwrap();
    }
}

const KEYS: [&str; 7] = ["name", "source", "call", "frames", "options", "expect", "error"];

/// The cases as a file that reads well in a diff: one column a line.
pub fn written(cases: &[Map<String, Value>]) -> String {
    let mut out = String::from("[");
    for (i, case) in cases.iter().enumerate() {
        out.push_str(if i == 0 { "\n  {" } else { ",\n  {" });
        let others = case.keys().map(String::as_str).filter(|k| !KEYS.contains(k));
        let keys = KEYS.into_iter().chain(others).filter(|k| case.contains_key(*k));
        for (j, key) in keys.enumerate() {
            out.push_str(if j == 0 { "\n    " } else { ",\n    " });
            write!(out, "{}: ", json!(key)).unwrap();
            let tables = case[key].as_object().filter(|_| matches!(key, "frames" | "expect"));
            let Some(tables) = tables else {
                write!(out, "{}", case[key]).unwrap();
                continue;
            };
            out.push('{');
            for (k, (table, columns)) in tables.iter().enumerate() {
                out.push_str(if k == 0 { "\n      " } else { ",\n      " });
                write!(out, "{}: {{", json!(table)).unwrap();
                for (c, (column, values)) in columns.as_object().unwrap().iter().enumerate() {
                    out.push_str(if c == 0 { "\n        " } else { ",\n        " });
                    write!(out, "{}: {values}", json!(column)).unwrap();
                }
                out.push_str("\n      }");
            }
            out.push_str("\n    }");
        }
        out.push_str("\n  }");
    }
    out.push_str("\n]\n");
    out
}
