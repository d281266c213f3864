//! Columns of the core as columns of JavaScript.

use std::sync::OnceLock;

use headwater::Table;
use headwater::column::{Column, Columns, Labels, NULL, Names, Tables, Text, Values};
use napi::bindgen_prelude::{BigInt64Array, Float64Array, Object, Uint8Array, Uint32Array};
use napi::{Env, Result};
use napi_derive::napi;

use crate::job;

/// A result: named columns of equal length.
///
/// Pass it to the next call as it stands: nothing is converted between two
/// calls. `toRows()`, `column()` and `toArrow()` copy out.
#[napi]
pub struct Frame {
    table: Table,
    columns: OnceLock<Columns>,
    extras: Vec<(String, Table)>,
}

/// Integers beyond this are not exact as numbers.
const SAFE: i64 = 9_007_199_254_740_991;

/// Characters of one joined string: JavaScript's own limit is 2^29.
const PART: usize = 1 << 26;

#[napi]
impl Frame {
    /// How many rows there are.
    #[napi(getter)]
    pub fn rows(&self) -> f64 {
        self.table.rows() as f64
    }

    /// The columns' names, in order.
    #[napi(getter)]
    pub fn column_names(&self) -> Vec<String> {
        self.table.columns().iter().map(|c| c.name.clone()).collect()
    }

    /// The frames that came with this one, by name.
    #[napi(getter, ts_return_type = "Record<string, Frame>")]
    pub fn extras<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        let mut out = Object::new(env)?;
        for (name, table) in &self.extras {
            out.set(name, Self::new(table.clone()))?;
        }
        Ok(out)
    }

    /// The rows that were dropped on the way, and why: column, reason, count, first_row.
    #[napi(getter)]
    pub fn dropped(&self) -> Option<Frame> {
        self.extras.iter().find(|(name, _)| name == "dropped").map(|(_, table)| Self::new(table.clone()))
    }

    /// The frame as the bytes of an Arrow IPC stream, for any Arrow library.
    #[napi(js_name = "toIPC")]
    pub fn to_ipc(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || {
            let failed = |e: &dyn std::fmt::Display| headwater::Error::column("(arrow)", e.to_string());
            let batch = self.table.to_batch()?;
            let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema())
                .map_err(|e| failed(&e))?;
            writer.write(&batch).map_err(|e| failed(&e))?;
            writer.into_inner().map_err(|e| failed(&e))
        })
        .map(Uint8Array::new)
    }

    /// The first rows, 10 unless told.
    #[napi]
    pub fn head(&self, rows: Option<u32>) -> Self {
        let rows = rows.unwrap_or(10) as usize;
        let mut out = Table::new();
        for column in self.table.columns() {
            let valid = column.valid.as_ref().map(|v| v.iter().copied().take(rows).collect());
            out = out.push(&column.name, first(&column.values, rows), valid);
        }
        Self::new(out)
    }

    /// This frame's columns and then the other's.
    #[napi(skip_typescript)]
    pub fn beside(&self, other: &Frame) -> Frame {
        let add = |table: Table, column: &Column| {
            table.push(&column.name, column.values.clone(), column.valid.clone())
        };
        Self::new(other.table.columns().iter().fold(self.table.clone(), add))
    }

    /// One column's parts, put together by `face/frame.js`.
    #[napi(skip_typescript)]
    pub fn parts<'e>(&self, env: &'e Env, name: String) -> Result<Object<'e>> {
        let column = job::now(env, || {
            self.table.get(&name).ok_or_else(|| {
                let names: Vec<&str> = self.table.columns().iter().map(|c| c.name.as_str()).collect();
                headwater::Error::column(
                    &name,
                    format!("is not in this frame, which has {}", names.join(", ")),
                )
            })
        })?;
        let mut out = Object::new(env)?;
        if let Some(valid) = &column.valid {
            out.set("valid", Uint8Array::new(valid.iter().map(|v| u8::from(*v)).collect()))?;
        }
        match &column.values {
            Values::F64(v) => out.set("numbers", Float64Array::new(v.clone()))?,
            Values::I64(v) => integers(&mut out, v.clone())?,
            Values::Time(v) => {
                out.set("time", true)?;
                out.set("numbers", Float64Array::new(v.iter().map(|t| *t as f64 / 1000.0).collect()))?;
            }
            Values::Bool(v) => out.set("flags", Uint8Array::new(v.iter().map(|v| u8::from(*v)).collect()))?,
            Values::Text(text) => out.set("strings", joined(env, text)?)?,
            Values::Names(names) => match &*names.labels {
                Labels::Text(text) => {
                    out.set("codes", Uint32Array::new(names.codes.clone()))?;
                    out.set("strings", joined(env, text)?)?;
                }
                Labels::Int(ints) => {
                    let there = names.codes.iter().map(|c| u8::from(*c != NULL)).collect::<Vec<u8>>();
                    if column.valid.is_none() && there.contains(&0) {
                        out.set("valid", Uint8Array::new(there))?;
                    }
                    let value = |code: &u32| ints.get(*code as usize).copied().unwrap_or_default();
                    integers(&mut out, names.codes.iter().map(value).collect())?;
                }
            },
            _ => {}
        }
        Ok(out)
    }
}

impl Frame {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, columns: OnceLock::new(), extras: Vec::new() }
    }

    /// The first of a report's tables, the others with it; their names as JavaScript writes them.
    pub(crate) fn of(tables: Tables) -> Self {
        let mut tables = tables.into_iter();
        let first = Self::new(tables.next().map(|(_, table)| table).unwrap_or_default());
        tables.fold(first, |frame, (name, table)| frame.and(&camel(name), table))
    }

    /// The frame, and another that came with it.
    pub(crate) fn and(mut self, name: &str, table: Table) -> Self {
        self.extras.push((name.to_owned(), table));
        self
    }

    pub(crate) fn columns(&self) -> Columns {
        self.columns.get_or_init(|| Columns::from(self.table.clone())).clone()
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |out, word| match word.split_at_checked(1) {
        Some((head, tail)) => out + &head.to_ascii_uppercase() + tail,
        None => out,
    })
}

fn first(values: &Values, rows: usize) -> Values {
    fn take<T: Copy>(values: &[T], rows: usize) -> Vec<T> {
        values.iter().copied().take(rows).collect()
    }
    match values {
        Values::F64(v) => Values::F64(take(v, rows)),
        Values::I64(v) => Values::I64(take(v, rows)),
        Values::Bool(v) => Values::Bool(take(v, rows)),
        Values::Time(v) => Values::Time(take(v, rows)),
        Values::Text(v) => Values::Text(v.iter().take(rows).collect()),
        Values::Names(v) => Values::Names(Names { codes: take(&v.codes, rows), labels: v.labels.clone() }),
        other => other.clone(),
    }
}

fn integers(out: &mut Object<'_>, values: Vec<i64>) -> Result<()> {
    if values.iter().all(|v| (-SAFE..=SAFE).contains(v)) {
        out.set("numbers", Float64Array::new(values.into_iter().map(|v| v as f64).collect()))
    } else {
        out.set("bigints", BigInt64Array::new(values))
    }
}

/// Strings end to end, with where each ends in UTF-16 units.
fn joined<'e>(env: &'e Env, text: &Text) -> Result<Vec<Object<'e>>> {
    let mut parts = Vec::new();
    let (mut whole, mut ends, mut units) = (String::new(), Vec::new(), 0u32);
    let mut rest = text.iter().peekable();
    while let Some(next) = rest.next() {
        whole.push_str(next);
        units += if next.is_ascii() { next.len() } else { next.encode_utf16().count() } as u32;
        ends.push(units);
        if whole.len() >= PART || rest.peek().is_none() {
            let mut part = Object::new(env)?;
            part.set("text", std::mem::take(&mut whole))?;
            part.set("ends", Uint32Array::new(std::mem::take(&mut ends)))?;
            parts.push(part);
            units = 0;
        }
    }
    Ok(parts)
}
