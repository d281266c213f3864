//! A hundred million orders of five million customers, chunk by chunk through
//! an `RfmBuilder`: seconds, and the peak of memory.
//!
//! ```text
//! cargo run --release -p headwater --example stream_orders
//! cargo run --release -p headwater --example stream_orders -- --orders 1000000 --customers 50000 --fit
//! cargo run --release -p headwater --example stream_orders -- --histories 50000000
//! ```
//!
//! Customers buy on some days of two years, a few order lines each; lines come
//! in at random. `--at-once` reads the same orders as one frame instead. `--histories`
//! fits so many customers' histories by the day, that are drawn from a BG/NBD law.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use headwater::Run;
use headwater::clv::{
    BetaGeo, ModifiedBetaGeo, ParetoNbd, Purchases, Rfm, RfmBuilder, RfmSlices, SummarizeOptions, summarize,
};
use headwater::column::{Columns, DAY, Data};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows in a chunk.
const CHUNK: u64 = 1_000_000;

/// splitmix64
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Orders of these rows. A customer is new on a day of the first year, leaves
/// after up to a year, and has 1 to 16 days to buy on.
fn orders(rows: std::ops::Range<u64>, customers: u64) -> Columns {
    let (mut customer, mut time, mut value) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let draw = mixed(row);
        let who = draw % customers;
        let life = mixed(who ^ 0x5eed);
        let (born, length, days) = (life % 365, 1 + (life >> 16) % 365, 1 + (life >> 32) % 16);
        let day = mixed(who.wrapping_mul(31) + (draw >> 32) % days) % length;
        customer.push(who as i64);
        time.push(((born + day) as i64) * DAY + ((draw >> 40) as i64 % 86_400) * 1_000_000);
        value.push(1.0 + ((draw >> 44) % 9_900) as f64 / 100.0);
    }
    Columns::new().with("customer", customer).with("time", Data::times(time)).with("value", value)
}

/// Frequency, recency and T of customers of a BG/NBD law with r 1, α 50, a 1, b 5: the last
/// of whole days up to two years.
fn histories(count: u64) -> [Vec<f64>; 3] {
    let mut out = [(); 3].map(|()| Vec::with_capacity(count as usize));
    for who in 0..count {
        let mut draw = who << 8;
        let mut uniform = || {
            draw += 1;
            ((mixed(draw) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        let age = 365.0 + (uniform() * 365.0).floor();
        let (rate, dropout) =
            (-headwater::math::ln(uniform()) / 50.0, 1.0 - headwater::math::pow(uniform(), 0.2));
        let (mut frequency, mut recency, mut at) = (0.0, 0.0, 0.0);
        while uniform() > dropout || frequency == 0.0 {
            at += -headwater::math::ln(uniform()) / rate;
            if at >= age || frequency == 200.0 {
                break;
            }
            frequency += 1.0;
            recency = at.ceil();
        }
        [frequency, recency, age].into_iter().zip(&mut out).for_each(|(x, column)| column.push(x));
    }
    out
}

/// Fits two laws, and tells how long it takes.
fn fit(slices: &RfmSlices<'_>, run: &Run) -> Outcome<()> {
    let start = Instant::now();
    let model = ModifiedBetaGeo::new().fit(slices, run)?;
    println!("ModifiedBetaGeo: {:.1} s, {:?}", start.elapsed().as_secs_f64(), model.estimates().values);
    let start = Instant::now();
    let model = ParetoNbd::new().fit(slices, run)?;
    println!("ParetoNbd: {:.1} s, {:?}", start.elapsed().as_secs_f64(), model.estimates().values);
    println!("peak {} MB", peak().unwrap_or_default());
    Ok(())
}

/// The peak of resident memory in megabytes, where the system tells it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}

fn show(rfm: &Rfm) {
    let a = rfm.accounting;
    let repeats: f64 = rfm.frequency.iter().sum();
    let spend: f64 = rfm.monetary_value.iter().flatten().sum();
    println!("{} customers, {repeats} repeat purchases, {} orders merged, Σ z̄ {spend}", rfm.len(), a.merged);
}

fn main() -> Outcome<()> {
    let given: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| -> Outcome<u64> {
        let at = given.iter().position(|a| a == name).and_then(|at| given.get(at + 1));
        Ok(at.map_or(Ok(default), |text| text.parse())?)
    };
    let has = |name: &str| given.iter().any(|a| a == name);
    let (rows, customers) = (number("--orders", 100_000_000)?, number("--customers", 5_000_000)?);
    let options = SummarizeOptions { period: "7d".parse()?, ..SummarizeOptions::default() };
    let run = Run::new();
    let people = number("--histories", 0)?;
    if people > 0 {
        let [frequency, recency, age] = histories(people);
        println!("{people} histories: peak {} MB", peak().unwrap_or_default());
        let slices =
            RfmSlices { frequency: &frequency, recency: &recency, age: &age, ..RfmSlices::default() };
        let start = Instant::now();
        let model = BetaGeo::new().fit(&slices, &run)?;
        println!("BetaGeo: {:.1} s, {:?}", start.elapsed().as_secs_f64(), model.estimates().values);
        return fit(&slices, &run);
    }
    let rfm = if has("--at-once") {
        let frame = orders(0..rows, customers);
        println!("one frame made: peak {} MB", peak().unwrap_or_default());
        let start = Instant::now();
        let rfm = summarize(&frame, &options, &run)?;
        println!("summarize: {:.1} s, peak {} MB", start.elapsed().as_secs_f64(), peak().unwrap_or_default());
        rfm
    } else {
        let mut builder = RfmBuilder::new(options)?;
        let mut reading = 0.0;
        for from in (0..rows).step_by(CHUNK as usize) {
            let chunk = orders(from..rows.min(from + CHUNK), customers);
            let start = Instant::now();
            builder.extend(&chunk, &run)?;
            reading += start.elapsed().as_secs_f64();
        }
        println!(
            "{rows} orders in chunks of {CHUNK}: {reading:.1} s, {} lines kept, peak {} MB",
            builder.lines(),
            peak().unwrap_or_default()
        );
        let start = Instant::now();
        let rfm = builder.summary(&run)?;
        println!("summary: {:.1} s, peak {} MB", start.elapsed().as_secs_f64(), peak().unwrap_or_default());
        rfm
    };
    show(&rfm);
    if has("--fit") {
        fit(&rfm.slices(), &run)?;
    }
    Ok(())
}
