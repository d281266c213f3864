//! From a transaction log to x, t_x, T and z̄.
//!
//! Fader & Hardie (2005), "RFM and CLV": a customer's first purchase is when
//! life begins; `frequency` counts the later ones, `recency` is the age at the
//! last, `T` the age at the end of observation, `monetary_value` the mean of
//! the later purchases. Ages are counted from grain to grain (days by default),
//! and orders within one grain are one purchase.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::clock::SeasonalClock;
use super::finance::Period;
use super::pieces::{PIECE, Piece, Plan};
use super::rows::RfmSlices;
use super::unit::Unit;
use super::visits::{Events, Visits};
use crate::column::{
    Columns, DropReason, Dropped, Intake, Names, OnInvalid, Sign, Table, TimeUnit, Values, parse_time,
    written,
};
use crate::{Error, Result, Run};

/// Why a negative amount is refused.
pub(super) const NEGATIVE: &str =
    "the amount is negative; if it is a refund, pass refunds=\"net\" or \"drop\"";

/// Why orders are left out that are no fault.
pub(super) const REFUND: &str = "refund";
pub(super) const AFTER_END: &str = "after observation_end";

/// What becomes of negative amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refunds {
    /// They are invalid, as any negative amount is. The default.
    #[default]
    Error,
    /// They are left out, and counted.
    Drop,
    /// A refund is set against the customer's latest purchases up to it; a
    /// purchase that is refunded wholly is none. What exceeds all purchases is
    /// left out. A refund after `calibration_end` touches the holdout only.
    Net,
}

/// A moment: an ISO 8601 string such as `"1997-09-30"`, or a number of the unit that times have.
///
/// ```
/// use headwater::clv::When;
///
/// let read: Vec<When> = serde_json::from_str(r#"["1997-09-30", 10134]"#)?;
/// assert_eq!(read, [When::from("1997-09-30"), When::Number(10134)]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Microseconds since the epoch, UTC.
    Micros(i64),
    /// A number like those of the column of times, whose unit is `time_unit`.
    Number(i64),
    /// ISO 8601; a date is its first moment, UTC.
    Text(String),
}

impl When {
    /// In microseconds; `unit` is that of plain numbers.
    pub(crate) fn micros(&self, option: &str, unit: Option<TimeUnit>) -> Result<i64> {
        match self {
            Self::Micros(micros) => Ok(*micros),
            Self::Number(number) => {
                let Some(unit) = unit else {
                    let reason = format!(
                        "{number} is a plain number: state its unit as `time_unit`, or write ISO 8601, for example \
                         1997-09-30"
                    );
                    return Err(Error::option(option, reason));
                };
                let reason = || format!("{number} is no time in the unit `time_unit`");
                unit.micros(*number).ok_or_else(|| Error::option(option, reason()))
            }
            Self::Text(text) => parse_time(text).ok_or_else(|| {
                Error::option(
                    option,
                    format!("`{text}` is not a time; write ISO 8601, for example 1997-09-30"),
                )
            }),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Micros(micros) => match micros.rem_euclid(1_000_000) {
                0 => serializer.serialize_str(&written(*micros)),
                part => {
                    let second = written(*micros);
                    serializer.collect_str(&format_args!("{}.{part:06}Z", second.trim_end_matches('Z')))
                }
            },
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "ISO 8601 such as \"1997-09-30\", or a whole number in `time_unit`")]
        enum Either {
            Whole(i64),
            Number(f64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Whole(number) => Ok(Self::Number(number)),
            // What a double can tell from its neighbours.
            Either::Number(number) if number.fract() == 0.0 && number.abs() < 9.1e15 => {
                Ok(Self::Number(number as i64))
            }
            Either::Number(number) => {
                Err(serde::de::Error::custom(format!("{number} is not a whole number in `time_unit`")))
            }
            Either::Text(text) => Ok(Self::Text(text)),
        }
    }
}

impl From<&str> for When {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Roles and options of [`summarize`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SummarizeOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of times.
    pub time: String,
    /// Column of amounts; without one there is no `monetary_value`.
    pub value: Option<String>,
    /// The unit of recency and T: a span, or calendar months, quarters or
    /// years; `"1d"` by default.
    pub period: Unit,
    /// Orders of one customer within one grain are one purchase, and ages are
    /// counted from grain to grain; `"1d"` (calendar days, UTC) by default. A span, or calendar months, quarters or
    /// years: with the same `period` these are the opportunities of BG/BB.
    pub grain: Unit,
    /// The last moment observed, its grain included; the last order by default.
    pub observation_end: Option<When>,
    /// The end of calibration, its grain included: later orders become holdout columns.
    pub calibration_end: Option<When>,
    /// Whether the first purchase counts in `monetary_value`; no by default. It
    /// never counts in `frequency`.
    pub include_first: bool,
    /// Whether to give [`Rfm::log_intervals`]; no by default.
    pub log_intervals: bool,
    /// Whether to give [`Rfm::cohort`], and how long cohorts are: `"month"`,
    /// `"quarter"`, `"year"`, `"week"`, or a span of days such as `"30d"`. None by default.
    pub cohort: Option<Period>,
    /// The clock by which recency, T, the holdout's length and
    /// [`Rfm::log_intervals`] are counted; plain time by default. Its period and
    /// grain must be these.
    pub clock: Option<SeasonalClock>,
    /// What becomes of negative amounts.
    pub refunds: Refunds,
    /// The unit of times that are plain numbers.
    pub time_unit: Option<TimeUnit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for SummarizeOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            time: "time".to_owned(),
            value: Some("value".to_owned()),
            period: Unit::default(),
            grain: Unit::default(),
            observation_end: None,
            calibration_end: None,
            include_first: false,
            log_intervals: false,
            cohort: None,
            clock: None,
            refunds: Refunds::Error,
            time_unit: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

impl SummarizeOptions {
    /// Spans of no length, and a clock of other units, are an [`Error::Option`].
    pub fn check(&self) -> Result<()> {
        self.period.check()?;
        self.grain.check_as("grain")?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.agrees(self.period, Some(self.grain)))
    }
}

/// What the holdout held.
#[derive(Clone, Debug, PartialEq)]
pub struct Holdout {
    /// Purchases after calibration.
    pub frequency: Vec<f64>,
    /// Their mean value, 0 where there is none; `None` without amounts.
    pub monetary_value: Option<Vec<f64>>,
    /// Its length in periods.
    pub duration: f64,
}

/// How many orders and customers went where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Orders that were read.
    pub orders: u64,
    /// Orders merged into an earlier one of the same grain.
    pub merged: u64,
    /// Refunds dropped or netted.
    pub refunds: u64,
    /// Purchases cancelled by refunds.
    pub cancelled: u64,
    /// Orders after the end of observation.
    pub after_end: u64,
    /// Customers whose first purchase lies in the holdout; they are in no row.
    pub new_in_holdout: u64,
    /// Customers without any purchase; they are in no row.
    pub without_purchase: u64,
}

/// Customers with their frequency, recency, T and monetary value.
#[derive(Clone, Debug, PartialEq)]
pub struct Rfm {
    /// Customers, in the order in which they are first seen.
    pub customer: Names,
    /// Repeat purchases.
    pub frequency: Vec<f64>,
    /// Age at the last purchase, in periods.
    pub recency: Vec<f64>,
    /// Age at the end of calibration or observation, in periods.
    pub age: Vec<f64>,
    /// Mean value of the repeat purchases, 0 where there is none; `None` without amounts.
    pub monetary_value: Option<Vec<f64>>,
    /// Σ ln Δ over the times Δ between purchases, in periods: how regularly a
    /// customer buys, which the laws of k ticks need; where it was asked for.
    pub log_intervals: Option<Vec<f64>>,
    /// The first moment, in microseconds, of the calendar period in which the
    /// customer's first purchase lies; where it was asked for.
    pub cohort: Option<Vec<i64>>,
    /// The holdout, where `calibration_end` was given.
    pub holdout: Option<Holdout>,
    /// The unit of recency and T.
    pub period: Unit,
    /// Orders and customers that are in no row, or not in one of their own.
    pub accounting: Accounting,
    pub(super) dropped: Dropped,
}

impl Rfm {
    /// A frame: customer, frequency, recency, T, monetary_value, log_intervals, cohort
    /// (the last three where there are any); with a holdout also frequency_holdout, monetary_value_holdout, duration_holdout.
    pub fn table(&self) -> Table {
        let whole = |v: &[f64]| Values::I64(v.iter().map(|x| *x as i64).collect());
        let mut table = Table::new()
            .with("customer", Values::Names(self.customer.clone()))
            .with("frequency", whole(&self.frequency))
            .with("recency", Values::F64(self.recency.clone()))
            .with("T", Values::F64(self.age.clone()));
        if let Some(money) = &self.monetary_value {
            table = table.with("monetary_value", Values::F64(money.clone()));
        }
        if let Some(log_intervals) = &self.log_intervals {
            table = table.with("log_intervals", Values::F64(log_intervals.clone()));
        }
        if let Some(cohort) = &self.cohort {
            table = table.with("cohort", Values::Time(cohort.clone()));
        }
        if let Some(holdout) = &self.holdout {
            table = table.with("frequency_holdout", whole(&holdout.frequency));
            if let Some(money) = &holdout.monetary_value {
                table = table.with("monetary_value_holdout", Values::F64(money.clone()));
            }
            table = table.with("duration_holdout", Values::F64(vec![holdout.duration; self.len()]));
        }
        table
    }

    /// One row: where orders and customers went, by the names of [`Accounting`].
    pub fn accounting_table(&self) -> Table {
        let a = &self.accounting;
        [
            ("orders", a.orders),
            ("merged", a.merged),
            ("refunds", a.refunds),
            ("cancelled", a.cancelled),
            ("after_end", a.after_end),
            ("new_in_holdout", a.new_in_holdout),
            ("without_purchase", a.without_purchase),
        ]
        .into_iter()
        .fold(Table::new(), |table, (name, count)| table.with(name, Values::I64(vec![count as i64])))
    }

    /// The rows for a model.
    pub fn slices(&self) -> RfmSlices<'_> {
        RfmSlices {
            frequency: &self.frequency,
            recency: &self.recency,
            age: &self.age,
            weight: None,
            period: Some(self.period),
            log_intervals: self.log_intervals.as_deref(),
        }
    }

    /// How many customers there are.
    pub fn len(&self) -> usize {
        self.frequency.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.frequency.is_empty()
    }

    /// Orders that were left out: invalid ones, dropped refunds, those after the end.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// Summarizes a frame of orders, one row each.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{SummarizeOptions, summarize};
/// use headwater::column::Columns;
///
/// let orders = Columns::new()
///     .with("customer", vec!["ann", "bob", "ann", "ann"])
///     .with("time", vec!["2024-01-01", "2024-01-03", "2024-01-08", "2024-01-11"])
///     .with("value", vec![10.0, 20.0, 30.0, 50.0]);
/// let rfm = summarize(&orders, &SummarizeOptions::default(), &Run::new())?;
/// assert_eq!(rfm.frequency, [2.0, 0.0]);
/// assert_eq!(rfm.recency, [10.0, 0.0]);
/// assert_eq!(rfm.age, [10.0, 8.0]);
/// assert_eq!(rfm.monetary_value.as_deref(), Some(&[40.0, 0.0][..]));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn summarize(orders: &Columns, options: &SummarizeOptions, run: &Run) -> Result<Rfm> {
    let read = Orders::read(
        orders,
        [&options.customer, &options.time],
        options.value.as_deref(),
        options.refunds,
        options.time_unit,
        options.on_invalid,
        run,
    )?;
    let Orders { customer, times, values, row, mut dropped } = read;
    let mut rfm = summarize_slices(&customer, &times, values.as_deref(), options, run)?;
    let mut left_out = |column: &str, reason: &str, is: &dyn Fn(usize) -> bool, count: u64| {
        if let Some(first) = (count > 0).then(|| (0..times.len()).find(|i| is(*i))).flatten() {
            dropped.rows += count;
            dropped.reasons.push(DropReason {
                column: column.to_owned(),
                reason: reason.to_owned(),
                count,
                first_row: row(first) as u64,
            });
        }
    };
    if options.refunds == Refunds::Drop
        && let (Some(name), Some(values)) = (&options.value, &values)
    {
        left_out(name, REFUND, &|i| values[i] < 0.0, rfm.accounting.refunds);
    }
    if let Some(end) = &options.observation_end {
        let last = options.grain.number(end.micros("observation_end", options.time_unit)?);
        let after = |i: usize| options.grain.number(times[i]) > last;
        left_out(&options.time, AFTER_END, &after, rfm.accounting.after_end);
    }
    rfm.dropped = dropped;
    Ok(rfm)
}

/// Checked columns of orders.
pub(crate) struct Orders<'a> {
    pub customer: Names,
    pub times: std::borrow::Cow<'a, [i64]>,
    pub values: Option<std::borrow::Cow<'a, [f64]>>,
    pub row: Box<dyn Fn(usize) -> usize + 'a>,
    pub dropped: Dropped,
}

impl<'a> Orders<'a> {
    pub(crate) fn read(
        orders: &'a Columns,
        [customer, time]: [&str; 2],
        value: Option<&str>,
        refunds: Refunds,
        time_unit: Option<TimeUnit>,
        on_invalid: OnInvalid,
        run: &'a Run,
    ) -> Result<Self> {
        let mut intake = Intake::new(orders, on_invalid, run);
        intake.int_unit(time_unit);
        let customer = intake.names(customer)?;
        let times = intake.times(time)?;
        let values = value.map(|v| intake.amounts(v, Sign::Any)).transpose()?;
        if let (Some(name), Some(values), Refunds::Error) = (value, &values, refunds) {
            let negative = (0..values.len()).filter(|i| values[*i] < 0.0);
            intake.reject(name, NEGATIVE, negative);
        }
        let kept = intake.finish()?;
        Ok(Self {
            customer: kept.names(customer),
            times: kept.values(times),
            values: values.map(|v| kept.values(v)),
            dropped: kept.dropped().clone(),
            row: Box::new(move |i| kept.row(i)),
        })
    }
}

/// [`summarize`] on slices: codes with labels, microseconds, amounts.
///
/// Errors: [`Error::Row`] for a negative amount under [`Refunds::Error`] or one
/// that is not finite; [`Error::NotEnoughData`] when no order lies before the end.
pub fn summarize_slices(
    customer: &Names,
    times: &[i64],
    values: Option<&[f64]>,
    options: &SummarizeOptions,
    run: &Run,
) -> Result<Rfm> {
    let plan = Plan::new(options, times.iter().copied().min(), times.iter().copied().max())?;
    let events = Events::sort(customer, times, values, plan.grain, plan.end, run)?;
    check_values(values, options)?;
    if events.rows.is_empty() {
        return Err(Error::not_enough_data("there are no orders up to the end of observation"));
    }

    let groups = events.starts.len() - 1;
    run.stage("summarizing customers", groups as u64)?;
    let pieces = run.map_items(groups.div_ceil(PIECE), |piece| {
        let mut out = Piece::default();
        let mut visits = Visits::default();
        for code in piece * PIECE..groups.min((piece + 1) * PIECE) {
            let events = events.of(code);
            if !events.is_empty() {
                visits.fill(events, options.refunds, plan.split);
                out.push(code as u32, &visits, &plan)?;
            }
        }
        run.advance(PIECE as u64)?;
        Ok(out)
    })?;
    let accounting =
        Accounting { orders: times.len() as u64, after_end: events.after_end, ..Accounting::default() };
    plan.assemble(pieces, customer.labels.clone(), values.is_some(), accounting)
}

fn check_values(values: Option<&[f64]>, options: &SummarizeOptions) -> Result<()> {
    let Some(values) = values else { return Ok(()) };
    let bad = |v: &f64| !v.is_finite() || *v < 0.0 && options.refunds == Refunds::Error;
    let count = values.iter().filter(|v| bad(v)).count();
    match values.iter().position(bad) {
        None => Ok(()),
        Some(row) => Err(Error::Row {
            column: options.value.clone().unwrap_or_else(|| "value".to_owned()),
            row: row as u64,
            reason: "is not a finite amount from 0; if negative amounts are refunds, pass refunds=\"net\" or \"drop\""
                .to_owned(),
            count: count as u64,
        }),
    }
}
