//! The likelihood, pattern by pattern of covariates.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::design::{Matrix, by_value};
use super::super::subjects::Subjects;
use super::model::Period;
use super::{DiscreteHazard, Link, MOST_INTERCEPTS, PeriodBaseline};
use crate::math::ascent::Local;
use crate::math::{Sum, ln};
use crate::{Error, Result, Run};

/// Periods `from ..= to` of like subjects, `at_risk` in each; the events are in the last.
pub(super) struct Stretch {
    from: u32,
    to: u32,
    at_risk: f64,
    events: f64,
}

/// Like subjects: one row of covariates, and where their stretches end.
pub(super) struct Pattern {
    row: usize,
    stretches: Range<usize>,
}

impl DiscreteHazard {
    pub(super) fn basis(&self, at_risk: &[f64], events: &[f64]) -> Result<Basis> {
        let periods = at_risk.len();
        let all: f64 = events.iter().sum();
        let mean = all / at_risk.iter().sum::<f64>();
        let flat = self.link.of(mean.clamp(1e-12, 1.0 - 1e-12));
        let mut basis = Basis { offset: vec![0.0; periods], ..Basis::default() };
        match self.baseline {
            PeriodBaseline::Periods => {
                for (k, (n, d)) in at_risk.iter().zip(events).enumerate() {
                    // Rounding of weights must not leave a sliver of those at risk.
                    let known = if *d <= 0.0 {
                        Known::Nobody
                    } else if n - d <= 1e-12 * n {
                        Known::Everybody
                    } else {
                        basis.start.push(self.link.of(d / n));
                        basis.names.push(format!("period[{}]", k + 1));
                        Known::Parts([(basis.names.len() - 1, 1.0), (0, 0.0)])
                    };
                    basis.parts.push(known);
                }
                if basis.names.len() > MOST_INTERCEPTS {
                    let n = basis.names.len();
                    let reason = format!(
                        "{n} periods are too many for an intercept each: use \"log\" or longer periods"
                    );
                    return Err(Error::option("baseline", reason));
                }
            }
            PeriodBaseline::Constant | PeriodBaseline::Linear | PeriodBaseline::Log => {
                basis.names.push("intercept".to_owned());
                basis.start.push(flat);
                let name = match self.baseline {
                    PeriodBaseline::Linear => Some("period"),
                    PeriodBaseline::Log => Some("log_period"),
                    _ => None,
                };
                if let Some(name) = name {
                    if periods < 2 {
                        let reason = "there is one period only: use \"constant\"";
                        return Err(Error::option("baseline", reason));
                    }
                    basis.names.push(name.to_owned());
                    basis.start.push(0.0);
                }
                for k in 0..periods {
                    let time = clock(self.baseline, k);
                    basis.parts.push(Known::Parts([(0, 1.0), (usize::from(name.is_some()), time)]));
                }
            }
            PeriodBaseline::Given => {
                let given = self.intercepts.as_deref().unwrap_or_default();
                if given.len() < periods {
                    let n = given.len();
                    let reason = format!("there are {n}, and durations go up to {periods} periods");
                    return Err(Error::option("intercepts", reason));
                }
                basis.offset.copy_from_slice(&given[..periods]);
                basis.parts = vec![Known::Parts([(0, 0.0); 2]); periods];
            }
        }
        Ok(basis)
    }
}

/// The covariate of time of a period, counted from 0.
pub(super) fn clock(baseline: PeriodBaseline, k: usize) -> f64 {
    match baseline {
        PeriodBaseline::Linear => (k + 1) as f64,
        PeriodBaseline::Log => ln((k + 1) as f64),
        _ => 0.0,
    }
}

/// The baseline of a fit: what each period's predictor is made of.
#[derive(Default)]
pub(super) struct Basis {
    pub(super) names: Vec<String>,
    pub(super) start: Vec<f64>,
    parts: Vec<Known>,
    offset: Vec<f64>,
}

#[derive(Clone, Copy)]
pub(super) enum Known {
    /// Up to two parameters with their factors; a factor of 0 is none.
    Parts([(usize, f64); 2]),
    Nobody,
    Everybody,
}

impl Basis {
    pub(super) fn periods(&self, at: &[f64]) -> Vec<Period> {
        let one = |(known, offset): (&Known, &f64)| match known {
            Known::Nobody => Period::Nobody,
            Known::Everybody => Period::Everybody,
            Known::Parts(parts) => Period::Intercept(offset + dot(parts, at)),
        };
        self.parts.iter().zip(&self.offset).map(one).collect()
    }
}

fn dot(parts: &[(usize, f64); 2], at: &[f64]) -> f64 {
    parts.iter().map(|(j, v)| if *v == 0.0 { 0.0 } else { v * at.get(*j).copied().unwrap_or(0.0) }).sum()
}

/// Puts subjects with like covariates together; `order` has them beside each other.
pub(super) fn collapse(subjects: &Subjects<'_>, order: &[u32], x: &Matrix) -> (Vec<Pattern>, Vec<Stretch>) {
    let (mut patterns, mut stretches) = (Vec::new(), Vec::new());
    let mut start = 0;
    while start < order.len() {
        let same = |i: &usize| by_value(x.row(*i), x.row(start)).is_eq();
        let size = (start..order.len()).take_while(same).count();
        let first = stretches.len();
        // At each period: who leaves after it, who of them by the event, who enters after it.
        let mut changes: BTreeMap<u32, [f64; 3]> = BTreeMap::new();
        for i in &order[start..start + size] {
            let (i, w) = (*i as usize, subjects.weight(*i as usize));
            let end = changes.entry(subjects.duration[i] as u32).or_default();
            end[0] += w;
            if subjects.event(i) {
                end[1] += w;
            }
            changes.entry(subjects.entry(i) as u32).or_default()[2] += w;
        }
        let (mut at_risk, mut from) = (0.0, 0);
        for (period, [leave, events, enter]) in changes {
            if period > from && at_risk > 0.0 {
                stretches.push(Stretch { from: from + 1, to: period, at_risk, events });
            }
            at_risk = (at_risk - leave).max(0.0) + enter;
            from = period;
        }
        patterns.push(Pattern { row: start, stretches: first..stretches.len() });
        start += size;
    }
    (patterns, stretches)
}

/// At risk and events of each period.
pub(super) fn totals(stretches: &[Stretch], last: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut at_risk, mut events) = (vec![0.0; last], vec![0.0; last]);
    for stretch in stretches {
        for n in &mut at_risk[stretch.from as usize - 1..stretch.to as usize] {
            *n += stretch.at_risk;
        }
        events[stretch.to as usize - 1] += stretch.events;
    }
    (at_risk, events)
}

pub(super) struct Data<'a> {
    pub(super) p: usize,
    pub(super) size: usize,
    pub(super) x: &'a [f64],
    pub(super) patterns: Vec<Pattern>,
    pub(super) stretches: Vec<Stretch>,
    pub(super) basis: &'a Basis,
    pub(super) link: Link,
}

impl Data<'_> {
    /// Slopes come first, so that the lower triangle holds the baseline's rows.
    pub(super) fn evaluate(&self, at: &[f64], penalty: f64, run: &Run) -> Result<Local> {
        let (p, n) = (self.p, self.size);
        let part = |patterns: Range<usize>| {
            let (mut local, mut total) = (Local::zero(n), Sum::default());
            for pattern in &self.patterns[patterns] {
                let x = &self.x[pattern.row * p..(pattern.row + 1) * p];
                let own: f64 = x.iter().zip(at).map(|(x, b)| x * b).sum();
                let (mut first, mut second) = (0.0, 0.0);
                for stretch in &self.stretches[pattern.stretches.clone()] {
                    for period in stretch.from..=stretch.to {
                        let k = period as usize - 1;
                        let Known::Parts(parts) = &self.basis.parts[k] else { continue };
                        let events = if period == stretch.to { stretch.events } else { 0.0 };
                        let eta = self.basis.offset[k] + dot(parts, &at[p..]) + own;
                        let [value, d1, d2] = self.link.terms(eta, stretch.at_risk, events);
                        total.add(value);
                        first += d1;
                        second += d2;
                        for (a, (j, v)) in parts.iter().enumerate().filter(|(_, (_, v))| *v != 0.0) {
                            let row = (p + j) * n;
                            local.gradient[p + j] += d1 * v;
                            for (cell, x) in local.hessian[row..row + p].iter_mut().zip(x) {
                                *cell += d2 * v * x;
                            }
                            for (i, u) in &parts[..=a] {
                                local.hessian[row + p + i] += d2 * v * u;
                            }
                        }
                    }
                }
                for (k, xk) in x.iter().enumerate() {
                    local.gradient[k] += first * xk;
                    let f = second * xk;
                    for (cell, y) in local.hessian[k * n..=k * n + k].iter_mut().zip(x) {
                        *cell += f * y;
                    }
                }
            }
            local.value = total.value();
            Ok(local)
        };
        let whole = run.reduce_chunks("maximise the likelihood", self.patterns.len(), part, Local::merge)?;
        let mut local = whole.unwrap_or_else(|| Local::zero(n));
        for (k, b) in at.iter().enumerate().take(p) {
            local.value -= 0.5 * penalty * b * b;
            local.gradient[k] -= penalty * b;
            local.hessian[k * n + k] -= penalty;
        }
        Ok(local)
    }
}
