//! Orders by customer, merged into purchases.

use super::summarize::{Accounting, Refunds};
use super::unit::Unit;
use crate::column::{NULL, Names};
use crate::math::exact_sum;
use crate::{Error, Result, Run};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Event {
    /// Grains since the epoch.
    grain: i64,
    value: f64,
}

/// Orders in the order of customers, by counting sort; within one customer by grain.
pub(crate) struct Events {
    pub starts: Vec<u32>,
    pub rows: Vec<Event>,
    pub after_end: u64,
}

impl Events {
    pub(crate) fn sort(
        customer: &Names,
        times: &[i64],
        values: Option<&[f64]>,
        grain: Unit,
        end: i64,
        run: &Run,
    ) -> Result<Self> {
        let codes = &customer.codes;
        if times.len() != codes.len() || values.is_some_and(|v| v.len() != codes.len()) {
            return Err(Error::column("time", "customers, times and values differ in length"));
        }
        if u32::try_from(codes.len()).is_err() {
            return Err(Error::column("customer", "more than 4 billion orders; summarize them in parts"));
        }
        run.stage("sorting orders by customer", codes.len() as u64)?;
        let groups = customer.labels.len();
        if let Some(row) = codes.iter().position(|c| *c as usize >= groups) {
            let reason = if codes[row] == NULL { "is missing" } else { "is a code without a label" };
            return Err(Error::Row {
                column: "customer".to_owned(),
                row: row as u64,
                reason: reason.to_owned(),
                count: codes.iter().filter(|c| **c as usize >= groups).count() as u64,
            });
        }
        // An order is observed up to the last moment of the end's grain.
        let until = grain.start(end.saturating_add(1));
        let mut starts = vec![0_u32; groups + 1];
        for (code, time) in codes.iter().zip(times) {
            starts[*code as usize + 1] += u32::from(*time < until);
        }
        run.check()?;
        for i in 0..groups {
            starts[i + 1] += starts[i];
        }
        let kept = starts[groups] as usize;
        let mut events = vec![Event::default(); kept];
        let mut next = starts.clone();
        for (row, (code, time)) in codes.iter().zip(times).enumerate() {
            if *time < until {
                let at = &mut next[*code as usize];
                events[*at as usize] =
                    Event { grain: grain.number(*time), value: values.map_or(0.0, |v| v[row]) };
                *at += 1;
            }
            if row % 1_048_576 == 0 {
                run.check()?;
            }
        }
        let after_end = (codes.len() - kept) as u64;
        let mut out = Self { starts, rows: events, after_end };
        for code in 0..groups {
            let events = &mut out.rows[out.starts[code] as usize..out.starts[code + 1] as usize];
            if !events.is_sorted_by_key(|e| e.grain) {
                events.sort_by_key(|e| e.grain);
            }
        }
        run.check()?;
        Ok(out)
    }

    pub(crate) fn of(&self, code: usize) -> &[Event] {
        &self.rows[self.starts[code] as usize..self.starts[code + 1] as usize]
    }
}

/// What a customer did within one grain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day {
    pub grain: i64,
    /// The sum of the amounts, rounded once: it depends on no order.
    pub total: f64,
    /// Whether there was an order, and whether there was a refund.
    pub bought: bool,
    pub refunded: bool,
    /// The largest amount, whatever its sign.
    pub largest: f64,
}

/// The sum of finite amounts, rounded once.
pub(crate) fn total(amounts: impl Iterator<Item = f64> + Clone) -> f64 {
    let mut first = amounts.clone();
    match (first.next(), first.next(), first.next()) {
        (a, b, None) => a.unwrap_or(0.0) + b.unwrap_or(0.0),
        _ => exact_sum(amounts),
    }
}

/// One customer's purchases: one per grain, refunds settled.
#[derive(Default)]
pub(crate) struct Visits {
    /// Grain and value of each purchase, in time order.
    pub list: Vec<(i64, f64)>,
    pub accounting: Accounting,
    /// Purchases that no refund touches any more.
    floor: usize,
}

impl Visits {
    pub(crate) fn fill(&mut self, events: &[Event], refunds: Refunds, split: Option<i64>) {
        self.clear();
        for day in events.chunk_by(|a, b| a.grain == b.grain) {
            let refunded = day.iter().filter(|e| e.value < 0.0).count() as u64;
            let lines = day.len() as u64 - refunded;
            self.accounting.refunds += refunded;
            self.accounting.merged += lines.saturating_sub(1);
            let counts = |e: &&Event| refunds == Refunds::Net || e.value >= 0.0;
            let day = Day {
                grain: day[0].grain,
                total: total(day.iter().filter(counts).map(|e| e.value)),
                bought: lines > 0,
                refunded: refunded > 0,
                largest: day.iter().fold(0.0_f64, |m, e| m.max(e.value.abs())),
            };
            self.settle(day, refunds, split);
        }
    }

    /// Back to a customer without purchases.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.accounting = Accounting::default();
        self.floor = 0;
    }

    /// Adds a day, later than those before it.
    pub(crate) fn settle(&mut self, day: Day, refunds: Refunds, split: Option<i64>) {
        let Day { grain, total, bought, refunded, largest } = day;
        // Refunds in the holdout must not reach back into calibration.
        if split.is_some_and(|s| grain > s) && self.floor == 0 {
            self.floor = self.list.partition_point(|v| split.is_some_and(|s| v.0 <= s));
        }
        // Cents in binary leave dust when a purchase is taken back to the cent.
        let dust = 1e-9 * largest;
        if bought && (!refunded || refunds != Refunds::Net || total > dust) {
            self.list.push((grain, total));
            return;
        }
        self.accounting.cancelled += u64::from(bought);
        let mut owed = -total;
        while owed > dust
            && self.list.len() > self.floor
            && let Some((_, value)) = self.list.last_mut()
        {
            if *value > owed + dust {
                *value -= owed;
                owed = 0.0;
            } else {
                owed -= *value;
                self.list.pop();
                self.accounting.cancelled += 1;
            }
        }
    }
}
