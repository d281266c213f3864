//! Cohorts of customers over their ages, from orders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calendar::Period;
use super::finite;
use crate::clv::summarize::{Orders, Refunds, When};
use crate::clv::unit::Unit;
use crate::clv::visits::{Events, Visits};
use crate::column::{Columns, DAY, Dropped, OnInvalid, Table, Tables, TimeUnit, Values};
use crate::math::ExactSum;
use crate::{Error, Result, Run};

/// Roles and options of [`cohorts`] and [`historic_value`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of times.
    pub time: String,
    /// Column of amounts.
    pub value: String,
    /// What time is cut into: `"month"` (the default), `"quarter"`, `"year"`,
    /// `"week"`, or a span of days such as `"30d"`.
    pub period: Period,
    /// Share of an amount that is margin; 1 by default.
    pub margin: f64,
    /// The last day observed, wholly; the day of the last order by default.
    pub observation_end: Option<When>,
    /// Whether the last period is kept although it is not over; yes by default
    /// (and marked), but not in a chain ladder.
    pub keep_incomplete: Option<bool>,
    /// What becomes of negative amounts.
    pub refunds: Refunds,
    /// The unit of times that are plain numbers.
    pub time_unit: Option<TimeUnit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for OrderOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            time: "time".to_owned(),
            value: "value".to_owned(),
            period: Period::Month,
            margin: 1.0,
            observation_end: None,
            keep_incomplete: None,
            refunds: Refunds::Error,
            time_unit: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// What the customers of a cohort did at one age.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub active: u64,
    pub purchases: u64,
    pub revenue: ExactSum,
}

/// One cohort: when it began, how many customers, and its ages from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Cohort {
    pub customers: u64,
    pub ages: Vec<Cell>,
}

/// Cohorts by the number of the period in which they began.
#[derive(Clone, Debug)]
pub(super) struct CohortTable {
    pub cohorts: BTreeMap<i64, Cohort>,
    pub period: Period,
    /// The last period observed, and whether it is over.
    pub last: i64,
    pub last_complete: bool,
    pub dropped: Dropped,
    accounting: [(&'static str, u64); 5],
}

/// Every customer's purchases by day, one after the other, in the order of codes.
pub(super) struct PurchaseLog<'a> {
    orders: Orders<'a>,
    events: Events,
    refunds: Refunds,
    /// The last day observed.
    pub end: i64,
}

impl<'a> PurchaseLog<'a> {
    pub(super) fn read(frame: &'a Columns, options: &OrderOptions, run: &'a Run) -> Result<Self> {
        finite("margin", options.margin)?;
        let mut orders = Orders::read(
            frame,
            [&options.customer, &options.time],
            Some(&options.value),
            options.refunds,
            options.time_unit,
            options.on_invalid,
            run,
        )?;
        if orders.times.is_empty() {
            return Err(Error::not_enough_data("there are no orders"));
        }
        let end = match &options.observation_end {
            Some(when) => when.micros("observation_end", options.time_unit)?,
            None => orders.times.iter().copied().max().unwrap_or_default(),
        };
        let end = end.div_euclid(DAY);
        // Refunds and sums within a day must not depend on the order of rows.
        let values = orders.values.take().unwrap_or_default();
        // Then no sum of theirs is.
        let total = options.margin.abs().max(1.0) * values.iter().map(|v| v.abs()).sum::<f64>();
        if !total.is_finite() {
            return Err(Error::column(
                &options.value,
                "amounts add up beyond the range of a double: give a larger unit",
            ));
        }
        let mut rows: Vec<u32> = (0..orders.times.len() as u32).collect();
        rows.sort_unstable_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            orders.times[a].cmp(&orders.times[b]).then(values[a].total_cmp(&values[b]))
        });
        run.check()?;
        let times: Vec<i64> = rows.iter().map(|r| orders.times[*r as usize]).collect();
        let values: Vec<f64> = rows.iter().map(|r| values[*r as usize]).collect();
        orders.customer.codes = rows.iter().map(|r| orders.customer.codes[*r as usize]).collect();
        let events = Events::sort(&orders.customer, &times, Some(&values), Unit::default(), end, run)?;
        Ok(Self { orders, events, refunds: options.refunds, end })
    }

    /// Calls `each` with every customer's purchases, (day, value) in time order,
    /// of those who have any.
    pub(super) fn for_each(&self, run: &Run, mut each: impl FnMut(&[(i64, f64)])) -> Result<Accounts> {
        let mut visits = Visits::default();
        let mut accounts = Accounts { after_end: self.events.after_end, ..Accounts::default() };
        for code in 0..self.events.starts.len().saturating_sub(1) {
            let events = self.events.of(code);
            if events.is_empty() {
                continue;
            }
            visits.fill(events, self.refunds, None);
            accounts.merged += visits.accounting.merged;
            accounts.refunds += visits.accounting.refunds;
            accounts.cancelled += visits.accounting.cancelled;
            if visits.list.is_empty() {
                accounts.without_purchase += 1;
            } else {
                each(&visits.list);
            }
            if code % 4096 == 0 {
                run.check()?;
            }
        }
        Ok(accounts)
    }

    pub(super) fn dropped(&self) -> &Dropped {
        &self.orders.dropped
    }
}

/// Orders and customers that are in no purchase of their own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accounts {
    merged: u64,
    refunds: u64,
    cancelled: u64,
    after_end: u64,
    without_purchase: u64,
}

impl Accounts {
    fn named(self) -> [(&'static str, u64); 5] {
        [
            ("merged", self.merged),
            ("refunds", self.refunds),
            ("cancelled", self.cancelled),
            ("after_end", self.after_end),
            ("without_purchase", self.without_purchase),
        ]
    }

    pub(super) fn table(self) -> Table {
        accounting(&self.named())
    }
}

fn accounting(counts: &[(&'static str, u64)]) -> Table {
    counts.iter().fold(Table::new(), |t, (name, n)| t.with(name, Values::I64(vec![*n as i64])))
}

/// Ages of one cohort; more must be an error in the options.
const MOST_AGES: i64 = 100_000;

impl CohortTable {
    pub(super) fn read(frame: &Columns, options: &OrderOptions, keep: bool, run: &Run) -> Result<Self> {
        let log = PurchaseLog::read(frame, options, run)?;
        let period = options.period;
        let last = period.of_day(log.end);
        run.stage("building cohorts", 0)?;
        let mut cohorts: BTreeMap<i64, Cohort> = BTreeMap::new();
        let mut too_long = false;
        let accounts = log.for_each(run, |purchases| {
            let Some(first) = purchases.first().map(|p| period.of_day(p.0)) else { return };
            if last - first >= MOST_AGES {
                too_long = true;
                return;
            }
            let cohort = cohorts.entry(first).or_default();
            cohort.customers += 1;
            for same in purchases.chunk_by(|a, b| period.of_day(a.0) == period.of_day(b.0)) {
                let age = (period.of_day(same[0].0) - first) as usize;
                if cohort.ages.len() <= age {
                    cohort.ages.resize_with(age + 1, Cell::default);
                }
                let cell = &mut cohort.ages[age];
                cell.active += 1;
                cell.purchases += same.len() as u64;
                for (_, value) in same {
                    cell.revenue.add(*value);
                }
            }
        })?;
        let cells: i64 = cohorts.keys().map(|first| last - first + 1).sum();
        if too_long || cells > 500_000 {
            return Err(Error::option(
                "period",
                "is too short for this span of time: there would be more than 500,000 cells",
            ));
        }
        if cohorts.is_empty() {
            return Err(Error::not_enough_data("no customer has a purchase up to the end of observation"));
        }
        let over = period.first_day(last + 1) == log.end + 1;
        let last = if over || keep { last } else { last - 1 };
        cohorts.retain(|first, _| *first <= last);
        for (first, cohort) in &mut cohorts {
            cohort.ages.resize_with((last - first) as usize + 1, Cell::default);
        }
        if cohorts.is_empty() {
            return Err(Error::not_enough_data(
                "no period is over yet: pass keep_incomplete=true, or shorter periods",
            ));
        }
        Ok(Self {
            cohorts,
            period,
            last,
            last_complete: over || !keep,
            dropped: log.dropped().clone(),
            accounting: accounts.named(),
        })
    }

    /// Begin of cohort, age, size and completeness of every cell.
    fn keys(&self) -> Table {
        let [mut cohort, mut age, mut size] = [const { Vec::new() }; 3];
        let mut complete = Vec::new();
        for (first, c) in &self.cohorts {
            for a in 0..c.ages.len() as i64 {
                cohort.push(self.period.first_day(*first) * DAY);
                age.push(a);
                size.push(c.customers as i64);
                complete.push(first + a < self.last || self.last_complete);
            }
        }
        Table::new()
            .with("cohort", Values::Time(cohort))
            .with("age", Values::I64(age))
            .with("customers", Values::I64(size))
            .with("complete", Values::Bool(complete))
    }

    fn cells(&self) -> impl Iterator<Item = (&Cohort, &Cell)> + '_ {
        self.cohorts.values().flat_map(|c| c.ages.iter().map(move |cell| (c, cell)))
    }

    pub(super) fn extras(&self) -> [(&'static str, Table); 2] {
        [("accounting", accounting(&self.accounting)), ("dropped", self.dropped.table())]
    }
}

/// Retention and revenue by cohort and age. A cohort is the customers whose
/// first purchase lies in one period; age 0 is that period.
///
/// Tables: `cohorts` (cohort: the first moment of its period, age, customers,
/// complete, active, retention = active / customers, purchases, revenue,
/// revenue_per_customer), `accounting` and `dropped`. The last period is not
/// `complete` unless it was observed to its last day. Orders of one customer on
/// one day are one purchase. The order of rows does not matter, to the last bit.
///
/// Errors: [`Error::NotEnoughData`] without a purchase.
pub fn cohorts(orders: &Columns, options: &OrderOptions, run: &Run) -> Result<Tables> {
    let read = CohortTable::read(orders, options, options.keep_incomplete.unwrap_or(true), run)?;
    let per = |c: &Cohort, x: f64| x / c.customers as f64;
    let ints = |f: fn(&Cell) -> u64| Values::I64(read.cells().map(|(_, cell)| f(cell) as i64).collect());
    let floats =
        |f: &dyn Fn(&Cohort, &Cell) -> f64| Values::F64(read.cells().map(|(c, cell)| f(c, cell)).collect());
    let table = read
        .keys()
        .with("active", ints(|c| c.active))
        .with("retention", floats(&|c, cell| per(c, cell.active as f64)))
        .with("purchases", ints(|c| c.purchases))
        .with("revenue", floats(&|_, cell| cell.revenue.value()))
        .with("revenue_per_customer", floats(&|c, cell| per(c, cell.revenue.value())));
    Ok(std::iter::once(("cohorts", table)).chain(read.extras()).collect())
}

/// What cohorts have earned, by age.
///
/// Tables: `historic_value` (cohort, age, customers, complete, margin,
/// cumulative_margin, cumulative_margin_per_customer), `ages` (age, customers,
/// cumulative_margin_per_customer: over all cohorts that have completed that
/// age), `accounting` and `dropped`; see [`cohorts`].
pub fn historic_value(orders: &Columns, options: &OrderOptions, run: &Run) -> Result<Tables> {
    let read = CohortTable::read(orders, options, options.keep_incomplete.unwrap_or(true), run)?;
    let [mut margin, mut cumulative, mut per_customer] = [const { Vec::new() }; 3];
    let mut ages: Vec<(u64, ExactSum)> = Vec::new();
    for (first, cohort) in &read.cohorts {
        let mut so_far = ExactSum::new();
        for (age, cell) in cohort.ages.iter().enumerate() {
            so_far.merge(&cell.revenue);
            margin.push(options.margin * cell.revenue.value());
            cumulative.push(options.margin * so_far.value());
            per_customer.push(options.margin * so_far.value() / cohort.customers as f64);
            if first + (age as i64) < read.last || read.last_complete {
                if ages.len() <= age {
                    ages.resize_with(age + 1, Default::default);
                }
                ages[age].0 += cohort.customers;
                ages[age].1.merge(&so_far);
            }
        }
    }
    let table = read
        .keys()
        .with("margin", Values::F64(margin))
        .with("cumulative_margin", Values::F64(cumulative))
        .with("cumulative_margin_per_customer", Values::F64(per_customer));
    let pooled = ages.iter().map(|(n, sum)| options.margin * sum.value() / *n as f64).collect();
    let by_age = Table::new()
        .with("age", Values::I64((0..ages.len() as i64).collect()))
        .with("customers", Values::I64(ages.iter().map(|a| a.0 as i64).collect()))
        .with("cumulative_margin_per_customer", Values::F64(pooled));
    Ok([("historic_value", table), ("ages", by_age)].into_iter().chain(read.extras()).collect())
}
