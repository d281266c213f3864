//! The partial likelihood over rows in order of time.

use std::ops::Range;

use super::super::design::Matrix;
use super::super::rows::Rows;
use super::{Ties, Weighting};
use crate::math::ascent::Local;
use crate::math::{Sum, exp, ln};
use crate::{Error, Result, Run};

/// Steps of tied events at most, over all times.
const MOST_STEPS: f64 = 1e8;

/// Rows by stratum, time, events before censored, and then by what they hold,
/// so that nothing depends on the order of the frame.
#[derive(Debug)]
pub(super) struct Data {
    /// Standardised covariates.
    pub(super) x: Matrix,
    pub(super) time: Vec<f64>,
    pub(super) event: Vec<bool>,
    pub(super) weight: Vec<f64>,
    /// Empty where all are seen from the beginning.
    pub(super) entry: Vec<f64>,
    pub(super) strata: Vec<Stratum>,
    pub(super) ties: Vec<Tie>,
    /// How many ties of the stratum lie at or before each row's time, and entry.
    pub(super) last: Vec<u32>,
    pub(super) first: Vec<u32>,
    /// Within each stratum, rows with an entry, the latest first.
    by_entry: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Stratum {
    pub(super) rows: Range<usize>,
    pub(super) ties: Range<usize>,
    entries: Range<usize>,
}

/// Events of one stratum at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tie {
    pub(super) time: f64,
    /// The first row at this time; events come first.
    pub(super) start: u32,
    pub(super) events_end: u32,
    /// How many steps the tie is taken in.
    pub(super) steps: u32,
    /// The weight of each step.
    pub(super) step_weight: f64,
}

impl Tie {
    /// The share of the tied events that has left before step `l`.
    pub(super) fn gone(&self, l: u32) -> f64 {
        f64::from(l) / f64::from(self.steps)
    }

    pub(super) fn events(&self) -> Range<usize> {
        self.start as usize..self.events_end as usize
    }
}

impl Data {
    /// Orders the rows; the second of the pair is where each came from.
    pub(super) fn of(raw: &Rows<'_>, ties: Ties, weighting: Weighting) -> Result<(Self, Vec<u32>)> {
        let order = raw.canonical();
        let n = order.len();
        let pick = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { order.iter().map(|i| f(*i as usize)).collect() };
        let subjects = raw.subjects;
        let mut data = Self {
            x: raw.x.ordered(&order),
            time: pick(&|i| subjects.duration[i] + 0.0),
            event: order.iter().map(|i| subjects.event(*i as usize)).collect(),
            weight: pick(&|i| subjects.weight(i)),
            entry: if subjects.entry.is_some() { pick(&|i| subjects.entry(i)) } else { Vec::new() },
            strata: Vec::new(),
            ties: Vec::new(),
            last: vec![0; n],
            first: vec![0; n],
            by_entry: Vec::new(),
        };
        let mut start = 0;
        let stratum = |i: &u32| raw.stratum[*i as usize];
        for same in order.chunk_by(|a, b| stratum(a) == stratum(b)) {
            data.add_stratum(start..start + same.len(), ties, weighting);
            start += same.len();
        }
        let steps: f64 = data.ties.iter().map(|t| f64::from(t.steps)).sum();
        if steps > MOST_STEPS {
            let reason = format!("{steps} tied events are too many to be taken one by one: use \"breslow\"");
            return Err(Error::option("ties", reason));
        }
        Ok((data, order))
    }

    fn add_stratum(&mut self, rows: Range<usize>, ties: Ties, weighting: Weighting) {
        let before = self.ties.len();
        let mut at = rows.start;
        while at < rows.end {
            let time = self.time[at];
            let size = self.time[at..rows.end].partition_point(|t| *t <= time);
            let events = self.event[at..at + size].partition_point(|e| *e);
            let weight: f64 = self.weight[at..at + events].iter().sum();
            if weight > 0.0 {
                let steps = match (ties, weighting) {
                    (Ties::Breslow, _) => 1.0,
                    (Ties::Efron, Weighting::Frequency) => weight.round().max(1.0),
                    (Ties::Efron, Weighting::Sampling) => {
                        self.weight[at..at + events].iter().filter(|w| **w > 0.0).count() as f64
                    }
                };
                let steps = steps.min(MOST_STEPS + 1.0);
                self.ties.push(Tie {
                    time,
                    start: at as u32,
                    events_end: (at + events) as u32,
                    steps: steps as u32,
                    step_weight: weight / steps,
                });
            }
            let count = (self.ties.len() - before) as u32;
            self.last[at..at + size].fill(count);
            at += size;
        }
        let entries = self.by_entry.len();
        if !self.entry.is_empty() {
            for i in rows.clone().filter(|i| self.entry[*i] > 0.0) {
                self.first[i] = self.ties[before..].partition_point(|t| t.time <= self.entry[i]) as u32;
                self.by_entry.push(i as u32);
            }
            let entry = &self.entry;
            self.by_entry[entries..]
                .sort_by(|a, b| entry[*b as usize].total_cmp(&entry[*a as usize]).then(a.cmp(b)));
        }
        self.strata.push(Stratum {
            rows,
            ties: before..self.ties.len(),
            entries: entries..self.by_entry.len(),
        });
    }

    pub(super) fn rows(&self) -> usize {
        self.time.len()
    }

    /// Σ w over events.
    pub(super) fn events(&self) -> f64 {
        self.event.iter().zip(&self.weight).filter(|(e, _)| **e).map(|(_, w)| w).sum()
    }

    /// β·x of every row, and the greatest.
    pub(super) fn predictors(&self, beta: &[f64], run: &Run) -> Result<(Vec<f64>, f64)> {
        let parts = run.map_chunks("maximise the partial likelihood", self.rows(), |rows| {
            let dot = |i: usize| self.x.row(i).iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
            Ok(rows.map(dot).collect::<Vec<f64>>())
        })?;
        let eta = parts.concat();
        let top = eta.iter().fold(f64::NEG_INFINITY, |m, e| m.max(*e));
        Ok((eta, if top.is_finite() { top } else { 0.0 }))
    }

    /// w exp(η − top) of every row.
    pub(super) fn risks(&self, eta: &[f64], top: f64, run: &Run) -> Result<Vec<f64>> {
        let parts = run.map_chunks("maximise the partial likelihood", eta.len(), |rows| {
            Ok(rows.map(|i| self.weight[i] * exp(eta[i] - top)).collect::<Vec<f64>>())
        })?;
        Ok(parts.concat())
    }

    /// Goes through the ties from the last to the first, stratum by stratum:
    /// `visit(tie, S0, S1, D0, D1)`, the sums of the risks and of risk × x over those
    /// at risk and over the tied events.
    pub(super) fn sweep<F>(&self, risk: &[f64], run: &Run, mut visit: F) -> Result<()>
    where
        F: FnMut(usize, f64, &[f64], f64, &[f64]),
    {
        let p = self.x.columns;
        let (mut total, mut tied) = (vec![0.0; p], vec![0.0; p]);
        for stratum in &self.strata {
            // Where rows leave the sums again, what rounding lost must not stay.
            let mut sums = if stratum.entries.is_empty() { Vec::new() } else { vec![Sum::default(); p + 1] };
            let mut s0 = 0.0;
            total.fill(0.0);
            let mut added = stratum.rows.end;
            let mut entries = self.by_entry[stratum.entries.clone()].iter().peekable();
            for (count, at) in stratum.ties.clone().rev().enumerate() {
                if count % 65_536 == 0 {
                    run.check()?;
                }
                let tie = &self.ties[at];
                let rows = tie.start as usize..added;
                added = rows.start;
                if sums.is_empty() {
                    for i in rows.rev() {
                        let r = risk[i];
                        s0 += r;
                        for (sum, x) in total.iter_mut().zip(self.x.row(i)) {
                            *sum += r * x;
                        }
                    }
                } else {
                    let mut add = |i: usize, r: f64| {
                        sums[p].add(r);
                        for (sum, x) in sums.iter_mut().zip(self.x.row(i)) {
                            sum.add(r * x);
                        }
                    };
                    rows.rev().for_each(|i| add(i, risk[i]));
                    while let Some(i) = entries.next_if(|i| self.entry[**i as usize] >= tie.time) {
                        add(*i as usize, -risk[*i as usize]);
                    }
                    s0 = sums[p].value();
                    for (total, sum) in total.iter_mut().zip(&sums) {
                        *total = sum.value();
                    }
                }
                let mut d0 = 0.0;
                tied.fill(0.0);
                for i in tie.events() {
                    d0 += risk[i];
                    for (sum, x) in tied.iter_mut().zip(self.x.row(i)) {
                        *sum += risk[i] * x;
                    }
                }
                visit(at, s0.max(d0), &total, d0, &tied);
            }
        }
        Ok(())
    }

    /// The log partial likelihood with gradient and Hessian (Cox 1972; Efron
    /// 1977 or Breslow 1974 for ties). With A_i the sum of the hazard's steps while i was
    /// at risk, the gradient is Σ (w δ − r A) x and the information Σ r A x xᵀ less the
    /// squares of the means over those at risk.
    pub(super) fn evaluate(&self, beta: &[f64], penalty: f64, run: &Run) -> Result<Local> {
        let p = self.x.columns;
        let (eta, top) = self.predictors(beta, run)?;
        let risk = self.risks(&eta, top, run)?;
        let (mut value, mut squares) = (Sum::default(), vec![0.0; p * p]);
        let mut hazard = Hazard::of(self);
        let mut mean = vec![0.0; p];
        self.sweep(&risk, run, |at, s0, s1, d0, d1| {
            let tie = &self.ties[at];
            for l in 0..tie.steps {
                let gone = tie.gone(l);
                let left = s0 - gone * d0;
                value.add(-tie.step_weight * (ln(left) + top));
                let step = tie.step_weight / left;
                hazard.add(at, step, gone);
                for ((mean, s), d) in mean.iter_mut().zip(s1).zip(d1) {
                    *mean = (s - gone * d) / left;
                }
                for k in 0..p {
                    let w = tie.step_weight * mean[k];
                    for (cell, m) in squares[k * p..=k * p + k].iter_mut().zip(&mean) {
                        *cell += w * m;
                    }
                }
            }
        })?;
        hazard.accumulate(self);
        let part = |rows: Range<usize>| {
            let (mut local, mut told) = (Local::zero(p), Sum::default());
            for i in rows {
                let x = self.x.row(i);
                let lived = risk[i] * hazard.lived(self, i);
                let mut residual = -lived;
                if self.event[i] {
                    residual += self.weight[i];
                    told.add(self.weight[i] * eta[i]);
                }
                for (k, xk) in x.iter().enumerate() {
                    local.gradient[k] += residual * xk;
                    let f = lived * xk;
                    for (cell, y) in local.hessian[k * p..=k * p + k].iter_mut().zip(x) {
                        *cell -= f * y;
                    }
                }
            }
            local.value = told.value();
            Ok(local)
        };
        let whole = run.reduce_chunks("maximise the partial likelihood", self.rows(), part, Local::merge)?;
        let mut local = whole.unwrap_or_else(|| Local::zero(p));
        value.add(local.value);
        local.value = value.value();
        for (cell, square) in local.hessian.iter_mut().zip(&squares) {
            *cell += square;
        }
        for (k, b) in beta.iter().enumerate() {
            local.value -= 0.5 * penalty * b * b;
            local.gradient[k] -= penalty * b;
            local.hessian[k * p + k] -= penalty;
        }
        Ok(local)
    }
}

/// The steps of the hazard at the ties, in units of exp(−top).
#[derive(Debug)]
pub(super) struct Hazard {
    /// Of those who outlive the tie; cumulative within the stratum after [`Hazard::accumulate`].
    pub(super) sums: Vec<f64>,
    /// What those who leave at the tie do not live through of its step.
    spared: Vec<f64>,
    /// The stratum's first tie, for each row.
    start: Vec<u32>,
}

impl Hazard {
    pub(super) fn of(data: &Data) -> Self {
        let mut start = vec![0; data.rows()];
        for stratum in &data.strata {
            start[stratum.rows.clone()].fill(stratum.ties.start as u32);
        }
        Self { sums: vec![0.0; data.ties.len()], spared: vec![0.0; data.ties.len()], start }
    }

    pub(super) fn add(&mut self, tie: usize, step: f64, gone: f64) {
        self.sums[tie] += step;
        self.spared[tie] += gone * step;
    }

    pub(super) fn accumulate(&mut self, data: &Data) {
        for stratum in &data.strata {
            let mut sum = 0.0;
            for step in &mut self.sums[stratum.ties.clone()] {
                sum += *step;
                *step = sum;
            }
        }
    }

    /// A_i: the hazard's steps while row i was at risk.
    pub(super) fn lived(&self, data: &Data, i: usize) -> f64 {
        let start = self.start[i] as usize;
        let upto = |count: u32| if count == 0 { 0.0 } else { self.sums[start + count as usize - 1] };
        let mut lived = upto(data.last[i]);
        if !data.entry.is_empty() {
            lived -= upto(data.first[i]);
        }
        if data.event[i] && data.last[i] > 0 {
            lived -= self.spared[start + data.last[i] as usize - 1];
        }
        lived
    }

    /// The tie of an event's row.
    pub(super) fn tie(&self, data: &Data, i: usize) -> Option<usize> {
        (data.event[i] && data.last[i] > 0).then(|| self.start[i] as usize + data.last[i] as usize - 1)
    }
}
