//! Customers from orders that come in parts.

mod blocks;
mod file;
mod known;

use std::sync::Arc;

use blocks::{BOUGHT, Block, LARGE, Line, REFUNDED, SUM, block, day};
use known::Known;

use super::pieces::{PIECE, Piece, Plan};
use super::summarize::{AFTER_END, Accounting, NEGATIVE, Orders, REFUND, Refunds, Rfm, SummarizeOptions};
use super::visits::Visits;
use crate::column::{Columns, DropReason, Dropped};
use crate::{Error, Result, Run};

/// Builds a summary from orders that come in parts, in any order.
///
/// The result is that of [`summarize`](super::summarize) on all parts end to
/// end, to the last bit and with customers in the same order. Parts in another
/// order give each customer the same numbers, in another order of rows.
///
/// What is kept for a customer is one line for each grain with an order: when,
/// and how much, as an exact sum (two or three lines where a sum has more
/// digits than a double, or where refunds are netted). Memory grows with
/// customers and their days, and not with orders: 24 bytes a line, a third or so
/// spare, and the customers' labels.
///
/// A builder is a [`Model`](crate::model::Model): it saves, and goes on when it
/// is loaded as if nothing had happened.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{RfmBuilder, SummarizeOptions};
/// use headwater::column::Columns;
///
/// let orders = |customer: &str, time: &str| {
///     Columns::new().with("customer", vec![customer]).with("time", vec![time]).with("value", vec![30.0])
/// };
/// let run = Run::new();
/// let mut january = RfmBuilder::new(SummarizeOptions::default())?;
/// january.extend(&orders("ann", "2024-01-20"), &run)?;
/// let mut february = RfmBuilder::new(SummarizeOptions::default())?;
/// february.extend(&orders("bob", "2024-02-01"), &run)?;
/// february.extend(&orders("ann", "2024-02-09"), &run)?;
/// january.merge(&february, &run)?;
/// let rfm = january.summary(&run)?;
/// assert_eq!(rfm.frequency, [1.0, 0.0]);
/// assert_eq!(rfm.age, [20.0, 8.0]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RfmBuilder {
    options: SummarizeOptions,
    known: Known,
    blocks: Vec<Block>,
    counts: Counts,
    /// The reasons for which rows were no orders.
    faults: Dropped,
}

/// What no customer's lines tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    /// Rows that came in.
    rows: u64,
    /// Rows that were read.
    orders: u64,
    /// Orders up to the end that are no refunds, and refunds up to the end.
    lines: u64,
    refunds: u64,
    after_end: u64,
    /// The first and the latest order, in microseconds.
    first: Option<i64>,
    last: Option<i64>,
    /// The first rows of refunds and of orders after the end.
    first_refund: Option<u64>,
    first_after_end: Option<u64>,
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}

impl RfmBuilder {
    /// A builder without orders.
    pub fn new(options: SummarizeOptions) -> Result<Self> {
        // Ends that are no times are an error now, and not when all is read.
        Plan::new(&SummarizeOptions { calibration_end: None, ..options.clone() }, None, None)?;
        if let Some(when) = &options.calibration_end {
            when.micros("calibration_end", options.time_unit)?;
        }
        Ok(Self { options, ..Self::default() })
    }

    /// The options.
    pub fn options(&self) -> &SummarizeOptions {
        &self.options
    }

    /// How many orders were read so far.
    pub fn orders(&self) -> u64 {
        self.counts.orders
    }

    /// How many customers were seen so far.
    pub fn customers(&self) -> usize {
        self.known.len()
    }

    /// How many lines are kept at the moment; 24 bytes each.
    pub fn lines(&self) -> usize {
        self.blocks.iter().map(|block| block.lines().len()).sum()
    }

    /// Adds a part: a frame with the columns that the options name. After an
    /// error the builder is as before.
    pub fn extend(&mut self, orders: &Columns, run: &Run) -> Result<()> {
        let options = &self.options;
        let read = Orders::read(
            orders,
            [&options.customer, &options.time],
            options.value.as_deref(),
            options.refunds,
            options.time_unit,
            options.on_invalid,
            run,
        )?;
        self.known.agrees(&read.customer.labels, &options.customer)?;
        run.stage("adding orders", read.times.len() as u64)?;
        let grain = options.grain;
        let until = match &options.observation_end {
            None => i64::MAX,
            Some(end) => {
                grain.start(grain.number(end.micros("observation_end", options.time_unit)?).saturating_add(1))
            }
        };
        let refunds = options.refunds;
        let mut counts = Counts { orders: read.times.len() as u64, ..Counts::default() };
        let numbers = self.known.numbers(&read.customer.labels);
        self.blocks.resize_with(self.known.len().div_ceil(PIECE), Block::default);
        for (i, (code, time)) in read.customer.codes.iter().zip(read.times.iter()).enumerate() {
            let value = read.values.as_ref().map_or(0.0, |values| values[i]);
            let refund = value < 0.0;
            if refund {
                counts.first_refund.get_or_insert((read.row)(i) as u64);
            }
            counts.first = counts.first.into_iter().chain([*time]).min();
            counts.last = counts.last.max(Some(*time));
            if *time >= until && options.observation_end.is_some() {
                counts.after_end += 1;
                counts.first_after_end.get_or_insert((read.row)(i) as u64);
                continue;
            }
            counts.refunds += u64::from(refund);
            counts.lines += u64::from(!refund);
            let (value, kind) = match (refund, refunds) {
                (false, _) => (value, SUM | BOUGHT | LARGE),
                (true, Refunds::Net) => (value, SUM | REFUNDED | LARGE),
                (true, _) => (0.0, REFUNDED),
            };
            let customer = numbers.get(*code as usize).copied().unwrap_or_default();
            let line = Line { grain: grain.number(*time), value, customer, kind };
            if let Some(block) = self.blocks.get_mut(block(customer)) {
                block.push(line, refunds == Refunds::Net);
            }
        }
        counts.rows = counts.orders + read.dropped.rows;
        self.count(counts, read.dropped);
        Ok(())
    }

    /// Adds the orders of another builder after those of this one.
    pub fn merge(&mut self, other: &Self, run: &Run) -> Result<()> {
        if self.options != other.options {
            return Err(Error::option("options", "differ between the two builders: build one of them anew"));
        }
        let labels = other.known.labels();
        self.known.agrees(&labels, &self.options.customer)?;
        run.stage("merging customers", other.blocks.len() as u64)?;
        let numbers = self.known.numbers(&labels);
        self.blocks.resize_with(self.known.len().div_ceil(PIECE), Block::default);
        let net = self.options.refunds == Refunds::Net;
        for line in other.blocks.iter().flat_map(Block::lines) {
            let customer = numbers.get(line.customer as usize).copied().unwrap_or_default();
            if let Some(block) = self.blocks.get_mut(block(customer)) {
                block.push(Line { customer, ..*line }, net);
            }
        }
        self.count(other.counts, other.faults.clone());
        Ok(())
    }

    /// Adds the counts of a part, whose rows are numbered from 0.
    fn count(&mut self, part: Counts, dropped: Dropped) {
        let counts = &mut self.counts;
        let after = |row: Option<u64>| row.map(|row| row + counts.rows);
        self.faults.rows += dropped.rows;
        for reason in dropped.reasons {
            let first_row = reason.first_row + counts.rows;
            let known = |r: &&mut DropReason| r.column == reason.column && r.reason == reason.reason;
            match self.faults.reasons.iter_mut().find(known) {
                Some(known) => {
                    known.count += reason.count;
                    known.first_row = known.first_row.min(first_row);
                }
                None => self.faults.reasons.push(DropReason { first_row, ..reason }),
            }
        }
        *counts = Counts {
            rows: counts.rows + part.rows,
            orders: counts.orders + part.orders,
            lines: counts.lines + part.lines,
            refunds: counts.refunds + part.refunds,
            after_end: counts.after_end + part.after_end,
            first: counts.first.into_iter().chain(part.first).min(),
            last: counts.last.max(part.last),
            first_refund: least(counts.first_refund, after(part.first_refund)),
            first_after_end: least(counts.first_after_end, after(part.first_after_end)),
        };
        // As one frame would give them: by column, and within it by row.
        let (customer, time) = (self.options.customer.as_str(), self.options.time.as_str());
        let place = |column: &str| if column == customer { 0 } else { 1 + u8::from(column != time) };
        self.faults.reasons.sort_by_key(|r| (place(&r.column), r.reason == NEGATIVE, r.first_row));
    }

    /// The summary of all orders so far.
    ///
    /// Errors: as of [`summarize`](super::summarize).
    pub fn summary(&self, run: &Run) -> Result<Rfm> {
        let (options, counts) = (&self.options, self.counts);
        let plan = Plan::new(options, counts.first, counts.last)?;
        if self.lines() == 0 {
            return Err(Error::not_enough_data("there are no orders up to the end of observation"));
        }
        let net = options.refunds == Refunds::Net;
        run.stage("summarizing customers", self.known.len() as u64)?;
        let pieces = run.map_items(self.blocks.len(), |at| {
            let mut out = Piece::default();
            let mut visits = Visits::default();
            let mut bought = 0;
            let lines = self.blocks[at].sorted(net);
            for customer in lines.chunk_by(|a, b| a.customer == b.customer) {
                visits.clear();
                for lines in customer.chunk_by(|a, b| a.grain == b.grain) {
                    let day = day(lines);
                    bought += u64::from(day.bought);
                    visits.settle(day, options.refunds, plan.split);
                }
                out.push(customer[0].customer, &visits, &plan)?;
            }
            run.advance(PIECE as u64)?;
            Ok((out, bought))
        })?;
        let bought: u64 = pieces.iter().map(|(_, bought)| bought).sum();
        let accounting = Accounting {
            orders: counts.orders,
            merged: counts.lines.saturating_sub(bought),
            refunds: counts.refunds,
            after_end: counts.after_end,
            ..Accounting::default()
        };
        let pieces = pieces.into_iter().map(|(piece, _)| piece).collect();
        let labels = Arc::new(self.known.labels());
        let mut rfm = plan.assemble(pieces, labels, options.value.is_some(), accounting)?;
        rfm.dropped = self.dropped();
        Ok(rfm)
    }

    /// Orders that were left out so far: invalid ones, dropped refunds, those after the end.
    pub fn dropped(&self) -> Dropped {
        let (options, counts) = (&self.options, self.counts);
        let mut dropped = self.faults.clone();
        let mut left_out = |column: &str, reason: &str, count: u64, first_row: Option<u64>| {
            if let (1.., Some(first_row)) = (count, first_row) {
                dropped.rows += count;
                let (column, reason) = (column.to_owned(), reason.to_owned());
                dropped.reasons.push(DropReason { column, reason, count, first_row });
            }
        };
        if let (Refunds::Drop, Some(value)) = (options.refunds, &options.value) {
            left_out(value, REFUND, counts.refunds, counts.first_refund);
        }
        left_out(&options.time, AFTER_END, counts.after_end, counts.first_after_end);
        dropped
    }
}
