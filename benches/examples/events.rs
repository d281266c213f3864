//! Ten million raw touches to credits: CPU seconds, peak memory and a checksum.
//!
//! `cargo run --release -p headwater-benches --example events [rules|open|everyone|markov] [runs]`. The data are
//! shaped like those of `benches/peers/data.py`: customers as integers,
//! channels as a dictionary, in chunks of 131,072 rows, in no order. Reads CPU
//! time and memory from `/proc`, so the figures are there on Linux alone.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use headwater::attribution::{AttributeOptions, Markov, Model, attribute};
use headwater::column::{Columns, DAY, Table, Values};
use headwater::journey::{EventOptions, Journeys, Open};
use headwater::{Result, Run};

const TOUCHES: u64 = 10_000_000;
const CUSTOMERS: u64 = 1_000_000;
const BATCH: u64 = 131_072;

/// A uniform number below `below`, the same for the same `i` and `stream`.
fn draw(i: u64, stream: u64, below: u64) -> u64 {
    let mut x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (stream << 56);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    ((u128::from(x) * u128::from(below)) >> 64) as u64
}

fn times(micros: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

fn touches() -> Columns {
    let start = 1_735_689_600_000_000;
    let labels: Vec<String> = (0..15).map(|i| format!("channel_{i:02}")).collect();
    let batches = (0..TOUCHES).step_by(BATCH as usize).map(|first| {
        let rows = first..TOUCHES.min(first + BATCH);
        let customer = Int64Array::from_iter_values(rows.clone().map(|i| draw(i, 1, CUSTOMERS) as i64));
        let time = times(rows.clone().map(|i| start + draw(i, 2, 90 * DAY as u64) as i64));
        // The larger of two draws: some channels are common and others rare.
        let channel = rows.map(|i| draw(i, 3, 15).max(draw(i, 4, 15)) as i32);
        let channel = DictionaryArray::<Int32Type>::new(
            Int32Array::from_iter_values(channel),
            Arc::new(StringArray::from(labels.clone())),
        );
        let columns: [(&str, ArrayRef); 3] =
            [("customer", Arc::new(customer)), ("time", time), ("channel", Arc::new(channel))];
        RecordBatch::try_from_iter(columns).unwrap()
    });
    Columns::from_batches(batches).unwrap()
}

/// Conversions of every customer whose number is a multiple of `every`, at most `rows`.
fn conversions(rows: u64, every: u64) -> Columns {
    let start = 1_735_689_600_000_000;
    let customer = Int64Array::from_iter_values(
        // A multiplication by a number without common factors is a shuffle.
        (0..rows).map(|i| ((i * every * 7_919 + 13) % CUSTOMERS) as i64),
    );
    let time = times((0..rows).map(|i| start + 30 * DAY + draw(i, 5, 60 * DAY as u64) as i64));
    let value = Float64Array::from_iter_values((0..rows).map(|i| 1.0 + draw(i, 6, 20_000) as f64 / 100.0));
    let columns: [(&str, ArrayRef); 3] =
        [("customer", Arc::new(customer)), ("time", time), ("value", Arc::new(value))];
    RecordBatch::try_from_iter(columns).unwrap().into()
}

/// One conversion of every customer after all touches; a fifth have a value.
fn ends() -> Columns {
    let end = 1_735_689_600_000_000 + 90 * DAY;
    let customer = Int64Array::from_iter_values(0..CUSTOMERS as i64);
    let time = times((0..CUSTOMERS).map(|_| end));
    let value =
        (0..CUSTOMERS).map(|i| if draw(i, 7, 5) == 0 { draw(i, 8, 20_000) as f64 / 100.0 } else { 0.0 });
    let columns: [(&str, ArrayRef); 3] = [
        ("customer", Arc::new(customer)),
        ("time", time),
        ("value", Arc::new(Float64Array::from_iter_values(value))),
    ];
    RecordBatch::try_from_iter(columns).unwrap().into()
}

/// CPU seconds of all threads of this process.
fn cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    spent.filter_map(|s| s.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e9
}

/// Resident megabytes: now, and at the peak since the last reset.
fn memory() -> [f64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmRSS:", "VmHWM:"].map(|key| {
        let line = status.lines().find_map(|l| l.strip_prefix(key)).unwrap_or("0");
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) * 1.024e-3
    })
}

fn checksum(table: &Table) -> u64 {
    let bits = table.columns().iter().filter_map(|c| match &c.values {
        Values::F64(v) => Some(v.iter().map(|x| x.to_bits())),
        _ => None,
    });
    bits.flatten().fold(0, |sum: u64, b| sum.rotate_left(7) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_else(|| "rules".to_owned());
    let runs: usize = args.next().and_then(|n| n.parse().ok()).unwrap_or(3);
    let frames = [touches(), if what == "everyone" { ends() } else { conversions(300_000, 1) }];
    let five = [Model::First, Model::Last, Model::Linear, "position_based".parse()?, "time_decay".parse()?];
    let models = match what.as_str() {
        "markov" | "markov_open" => vec![Model::Markov(Markov::default())],
        _ => five.to_vec(),
    };
    let options = EventOptions {
        value: Some("value".into()),
        lookback: if what == "everyone" { "91d".parse()? } else { "30d".parse()? },
        open: if what == "rules" || what == "everyone" { Open::Exclude } else { Open::Include },
        ..EventOptions::default()
    };
    let models = AttributeOptions { models, ..Default::default() };
    for _ in 0..runs {
        std::fs::write("/proc/self/clear_refs", "5").unwrap_or_default();
        let (before, spent, clock) = (memory()[0], cpu(), Instant::now());
        let journeys = Journeys::from_events(&frames[0], Some(&frames[1]), &options, &Run::new())?;
        let built = cpu() - spent;
        let credit = attribute(&journeys, &models, &Run::new())?.table();
        println!(
            "{what}: {:.3} CPU s ({built:.3} to build), {:.3} s, {:.0} MB, {} journeys, checksum {:016x}",
            cpu() - spent,
            clock.elapsed().as_secs_f64(),
            memory()[1] - before,
            journeys.len(),
            checksum(&credit)
        );
    }
    Ok(())
}
