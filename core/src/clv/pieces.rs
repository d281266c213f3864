//! The purchases of many customers, made columns.

use std::sync::Arc;

use super::summarize::{Accounting, Holdout, Rfm, SummarizeOptions};
use super::visits::Visits;
use crate::column::{Dropped, Labels, Names};
use crate::math::ln;
use crate::{Error, Result};

/// Customers in one piece of work.
pub(super) const PIECE: usize = 16_384;

/// What the options say of time, checked.
pub(super) struct Plan<'a> {
    options: &'a SummarizeOptions,
    /// Microseconds in a grain.
    pub grain: i64,
    /// The last grain observed.
    pub end: i64,
    /// The last grain of calibration.
    pub split: Option<i64>,
}

impl<'a> Plan<'a> {
    /// `last` is the latest order.
    pub(super) fn new(options: &'a SummarizeOptions, last: Option<i64>) -> Result<Self> {
        options.check()?;
        let grain = options.grain.micros();
        let end = match &options.observation_end {
            Some(when) => when.micros("observation_end")?,
            None => last.unwrap_or_default(),
        };
        let end = end.div_euclid(grain);
        let split = match &options.calibration_end {
            None => None,
            Some(when) => {
                let split = when.micros("calibration_end")?.div_euclid(grain);
                if split >= end {
                    return Err(Error::option(
                        "calibration_end",
                        "must lie before the end of observation, or there is no holdout",
                    ));
                }
                Some(split)
            }
        };
        Ok(Self { options, grain, end, split })
    }

    /// Grains in periods.
    fn age(&self, grains: i64) -> f64 {
        // Whole grains times micros stay exact; one division rounds once.
        let period = self.options.period.micros();
        match grains.checked_mul(self.grain) {
            Some(micros) => micros as f64 / period as f64,
            None => grains as f64 * (self.grain as f64 / period as f64),
        }
    }

    /// The columns of all pieces; `accounting` counts what they do not.
    pub(super) fn assemble(
        &self,
        pieces: Vec<Piece>,
        labels: Arc<Labels>,
        valued: bool,
        mut accounting: Accounting,
    ) -> Result<Rfm> {
        let total: usize = pieces.iter().map(|p| p.code.len()).sum();
        let mut codes = Vec::with_capacity(total);
        let (mut frequency, mut recency, mut t, mut money) =
            (Vec::with_capacity(total), Vec::with_capacity(total), Vec::with_capacity(total), Vec::new());
        let (mut log_intervals, mut holdout_frequency, mut holdout_money) =
            (Vec::new(), Vec::new(), Vec::new());
        let log_unit = ln(self.grain as f64 / self.options.period.micros() as f64);
        for piece in pieces {
            codes.extend(piece.code);
            frequency.extend(piece.repeats.iter().map(|x| f64::from(*x)));
            recency.extend(piece.recency.iter().map(|g| self.age(*g)));
            t.extend(piece.age.iter().map(|g| self.age(*g)));
            money.extend(piece.money);
            let repeats = piece.repeats.iter();
            let intervals =
                piece.log_intervals.iter().zip(repeats).map(|(sum, x)| sum + f64::from(*x) * log_unit);
            log_intervals.extend(intervals);
            holdout_frequency.extend(piece.holdout.iter().map(|x| f64::from(*x)));
            holdout_money.extend(piece.holdout_money);
            accounting.merged += piece.accounting.merged;
            accounting.refunds += piece.accounting.refunds;
            accounting.cancelled += piece.accounting.cancelled;
            accounting.new_in_holdout += piece.accounting.new_in_holdout;
            accounting.without_purchase += piece.accounting.without_purchase;
        }
        if codes.is_empty() {
            return Err(Error::not_enough_data(
                "no customer has a purchase up to the end of calibration or observation",
            ));
        }
        Ok(Rfm {
            customer: Names { codes, labels },
            frequency,
            recency,
            age: t,
            monetary_value: valued.then_some(money),
            log_intervals: self.options.log_intervals.then_some(log_intervals),
            holdout: self.split.map(|split| Holdout {
                frequency: holdout_frequency,
                monetary_value: valued.then_some(holdout_money),
                duration: self.age(self.end - split),
            }),
            period: self.options.period,
            accounting,
            dropped: Dropped::default(),
        })
    }
}

/// What a piece of the customers gives.
#[derive(Default)]
pub(super) struct Piece {
    code: Vec<u32>,
    repeats: Vec<u32>,
    recency: Vec<i64>,
    age: Vec<i64>,
    money: Vec<f64>,
    /// In grains.
    log_intervals: Vec<f64>,
    holdout: Vec<u32>,
    holdout_money: Vec<f64>,
    accounting: Accounting,
}

impl Piece {
    pub(super) fn push(&mut self, code: u32, visits: &Visits, plan: &Plan<'_>) -> Result<()> {
        let end = plan.split.unwrap_or(plan.end);
        self.accounting.merged += visits.accounting.merged;
        self.accounting.refunds += visits.accounting.refunds;
        self.accounting.cancelled += visits.accounting.cancelled;
        let visits = &visits.list;
        let Some(first) = visits.first() else {
            self.accounting.without_purchase += 1;
            return Ok(());
        };
        if first.0 > end {
            self.accounting.new_in_holdout += 1;
            return Ok(());
        }
        let split = visits.partition_point(|v| v.0 <= end);
        let (seen, later) = visits.split_at(split);
        let mean = |visits: &[(i64, f64)]| {
            if visits.is_empty() {
                return Ok(0.0);
            }
            let mean = visits.iter().map(|v| v.1).sum::<f64>() / visits.len() as f64;
            if mean.is_finite() {
                return Ok(mean);
            }
            Err(Error::column(
                plan.options.value.as_deref().unwrap_or("value"),
                "amounts of one customer add up beyond the range of a double: give a larger unit",
            ))
        };
        self.code.push(code);
        self.repeats.push(seen.len() as u32 - 1);
        self.recency.push(seen.last().map_or(0, |v| v.0.saturating_sub(first.0)));
        self.age.push(end.saturating_sub(first.0));
        self.money.push(mean(&seen[usize::from(!plan.options.include_first)..])?);
        if plan.options.log_intervals {
            let intervals = seen.windows(2).map(|pair| ln(pair[1].0.saturating_sub(pair[0].0) as f64));
            self.log_intervals.push(intervals.fold(0.0, |sum, x| sum + x));
        }
        self.holdout.push(later.len() as u32);
        self.holdout_money.push(mean(later)?);
        Ok(())
    }
}
