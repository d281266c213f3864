//! The purchases of many customers, made columns.

use std::sync::Arc;

use super::clock::Line;
use super::finance::Period;
use super::summarize::{Accounting, Holdout, Rfm, SummarizeOptions};
use super::unit::Unit;
use super::visits::Visits;
use crate::column::{DAY, Dropped, Labels, Names};
use crate::math::ln;
use crate::{Error, Result};

/// Customers in one piece of work.
pub(super) const PIECE: usize = 16_384;

/// What the options say of time, checked.
pub(super) struct Plan<'a> {
    options: &'a SummarizeOptions,
    pub grain: Unit,
    /// The last grain observed.
    pub end: i64,
    /// The last grain of calibration.
    pub split: Option<i64>,
    /// The clock over the time observed.
    line: Option<Line>,
}

impl<'a> Plan<'a> {
    /// `first` and `last` are the moments of the first and the latest order.
    pub(super) fn new(options: &'a SummarizeOptions, first: Option<i64>, last: Option<i64>) -> Result<Self> {
        options.check()?;
        let grain = options.grain;
        let end = match &options.observation_end {
            Some(when) => when.micros("observation_end", options.time_unit)?,
            None => last.unwrap_or_default(),
        };
        let end = grain.number(end);
        let split = match &options.calibration_end {
            None => None,
            Some(when) => {
                let split = grain.number(when.micros("calibration_end", options.time_unit)?);
                if split >= end {
                    return Err(Error::option(
                        "calibration_end",
                        "must lie before the end of observation, or there is no holdout",
                    ));
                }
                Some(split)
            }
        };
        let from = first.map_or(end, |first| grain.number(first).min(end));
        let line = options.clock.as_ref().map(|clock| clock.line(from, end));
        Ok(Self { options, grain, end, split, line })
    }

    /// Periods from one grain to another.
    fn between(&self, from: i64, to: i64) -> f64 {
        if let Some(line) = &self.line {
            return line.between(from, to);
        }
        let (Unit::Span(period), Unit::Span(grain)) = (self.options.period, self.grain) else {
            return self.options.period.between(self.grain.start(from), self.grain.start(to));
        };
        // Whole grains times micros stay exact; one division rounds once.
        let (grains, grain, period) = (to.saturating_sub(from), grain.micros(), period.micros() as f64);
        match grains.checked_mul(grain) {
            Some(micros) => micros as f64 / period,
            None => grains as f64 * (grain as f64 / period),
        }
    }

    /// Σ ln Δ over the times Δ between purchases.
    fn log_intervals(&self, visits: &[(i64, f64)]) -> f64 {
        let pairs = visits.windows(2).map(|pair| (pair[0].0, pair[1].0));
        match (self.options.period, self.grain) {
            (Unit::Span(period), Unit::Span(grain)) if self.line.is_none() => {
                let sum = pairs.map(|(a, b)| ln(b.saturating_sub(a) as f64)).fold(0.0, |sum, x| sum + x);
                let repeats = visits.len().saturating_sub(1) as f64;
                sum + repeats * ln(grain.micros() as f64 / period.micros() as f64)
            }
            _ => pairs.map(|(a, b)| ln(self.between(a, b))).fold(0.0, |sum, x| sum + x),
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
        let (mut log_intervals, mut cohort) = (Vec::new(), Vec::new());
        let (mut holdout_frequency, mut holdout_money) = (Vec::new(), Vec::new());
        for piece in pieces {
            codes.extend(piece.code);
            frequency.extend(piece.repeats.iter().map(|x| f64::from(*x)));
            recency.extend(piece.recency);
            t.extend(piece.age);
            money.extend(piece.money);
            log_intervals.extend(piece.log_intervals);
            cohort.extend(piece.cohort);
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
            cohort: self.options.cohort.map(|_| cohort),
            holdout: self.split.map(|split| Holdout {
                frequency: holdout_frequency,
                monetary_value: valued.then_some(holdout_money),
                duration: self.between(split, self.end),
            }),
            period: self.options.period,
            accounting,
            dropped: Dropped::default(),
        })
    }
}

/// The first moment of the period that holds a moment.
pub(super) fn cohort(period: Period, micros: i64) -> i64 {
    let first = period.first_day(period.of_day(micros.div_euclid(DAY)));
    first.saturating_mul(DAY)
}

/// What a piece of the customers gives.
#[derive(Default)]
pub(super) struct Piece {
    code: Vec<u32>,
    repeats: Vec<u32>,
    recency: Vec<f64>,
    age: Vec<f64>,
    money: Vec<f64>,
    log_intervals: Vec<f64>,
    cohort: Vec<i64>,
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
        self.recency.push(seen.last().map_or(0.0, |last| plan.between(first.0, last.0)));
        self.age.push(plan.between(first.0, end));
        self.money.push(mean(&seen[usize::from(!plan.options.include_first)..])?);
        if plan.options.log_intervals {
            self.log_intervals.push(plan.log_intervals(seen));
        }
        if let Some(period) = plan.options.cohort {
            self.cohort.push(cohort(period, plan.grain.start(first.0)));
        }
        self.holdout.push(later.len() as u32);
        self.holdout_money.push(mean(later)?);
        Ok(())
    }
}
