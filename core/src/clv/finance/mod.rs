//! Value by the formulas that finance uses.
//!
//! | report | question | source |
//! | --- | --- | --- |
//! | [`simple_value`] | what is a customer worth under one retention rate? | Berger & Nasr 1998; Gupta & Lehmann 2003 |
//! | [`customer_equity`] | what are all customers worth, those to come included? | Blattberg & Deighton 1996; Gupta, Lehmann & Stuart 2004 |
//! | [`historic_value`] | what has each cohort earned so far, by age? | |
//! | [`cohorts`] | who came back, and with how much? | |
//! | [`chain_ladder`] | what will young cohorts have earned when they are old? | Mack 1993, *ASTIN Bulletin* 23(2) |
//! | [`markov_value`] | what is a customer worth in each state of the relationship? | Pfeifer & Carraway 2000, *J. Interactive Marketing* 14(2) |
//!
//! Rates and flows of money say what they are per: a [`Rate`] of 10 % a year is
//! `{"rate": 0.1, "per": "365d"}`, and is compounded to the period of the
//! payments, (1 + r)^(period / per) − 1. A flow per month beside one per year
//! is an error, not a guess.

mod calendar;
mod equity;
mod ladder;
mod markov;
mod rate;
mod recency;
mod simple;
mod triangle;

pub use calendar::Period;
pub use equity::{EquityOptions, FutureCohort, customer_equity};
pub use ladder::{ChainLadder, LadderOptions, Triangle, TriangleValues, chain_ladder, chain_ladder_orders};
pub use markov::{MarkovChain, MarkovOptions, Remainder, markov_value};
pub use rate::{Flow, Rate};
pub use recency::{RecencyOptions, markov_from_orders};
pub use simple::{Payments, SimpleColumns, SimpleOptions, SimpleValue, Terms, simple_value};
pub use triangle::{OrderOptions, cohorts, historic_value};

use crate::column::{Columns, Tables};
use crate::options::parse;
use crate::{Error, Result, Run};

/// A report by its name, with its options as JSON, and the frame that it
/// reads: the one door of both bindings.
///
/// | name | frame | options |
/// | --- | --- | --- |
/// | `simple_value` | none, or one row for each case | [`SimpleOptions`] |
/// | `customer_equity` | customers with their values | [`EquityOptions`] |
/// | `historic_value`, `cohorts`, `chain_ladder_orders` | orders | [`OrderOptions`] |
/// | `chain_ladder` | a triangle | [`LadderOptions`] |
/// | `markov_value` | a transition matrix | [`MarkovOptions`] |
/// | `markov_from_orders` | orders | [`RecencyOptions`] |
///
/// ```
/// use headwater::Run;
/// use headwater::clv::finance::report;
///
/// let options = r#"{"margin": {"amount": 100, "per": "365d"}, "retention": {"rate": 0.8, "per": "365d"},
///                   "discount": {"rate": 0.1, "per": "365d"}, "acquisition_cost": 120}"#;
/// let tables = report("simple_value", None, options, &Run::new())?;
/// let value = tables[0].1.f64s("clv").and_then(|v| v.first().copied());
/// assert!(value.is_some_and(|v| (v - (100.0 * 1.1 / 0.3 - 120.0)).abs() < 1e-12));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn report(name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
    let needed =
        |of: &str| frame.ok_or_else(|| Error::option("frame", format!("`{name}` needs a frame of {of}")));
    match name {
        "simple_value" => simple::report(frame, &parse(options)?, run),
        "customer_equity" => customer_equity(needed("customers")?, &parse(options)?, run),
        "historic_value" => historic_value(needed("orders")?, &parse(options)?, run),
        "cohorts" => cohorts(needed("orders")?, &parse(options)?, run),
        "chain_ladder" => chain_ladder(needed("a triangle")?, &parse(options)?, run),
        "chain_ladder_orders" => chain_ladder_orders(needed("orders")?, &parse(options)?, run),
        "markov_value" => markov_value(needed("transitions")?, &parse(options)?, run),
        "markov_from_orders" => markov_from_orders(needed("orders")?, &parse(options)?, run),
        _ => Err(Error::option("report", format!("there is no report `{name}` of finance"))),
    }
}

/// An option that must be given, or an [`Error::Option`] that shows how.
fn given<T: Copy>(value: Option<T>, name: &str, example: &str) -> Result<T> {
    value.ok_or_else(|| Error::option(name, format!("is needed, such as {example}")))
}

fn finite(name: &str, value: f64) -> Result<f64> {
    if value.is_finite() { Ok(value) } else { Err(Error::option(name, "must be a finite number")) }
}

/// An amount of money or of customers that came out.
fn number(name: &str, value: f64) -> Result<f64> {
    if value.is_finite() { Ok(value) } else { Err(Error::option(name, "gives a number beyond all bounds")) }
}
