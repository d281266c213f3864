//! The hazard of each period: subscriptions that end at renewals.

mod likelihood;
mod link;
mod model;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use link::Link;
pub use model::DiscreteHazardModel;

use super::concordance::{Ranked, pairs};
use super::design::{Reader, Terms, by_value};
use super::regression::{Coefficients, check_penalty, quadratic, search, unscaled};
use super::rows::Rows;
use super::subjects::{Clock, MOST_PERIODS, Roles, Subjects};
use crate::column::{Columns, Dropped, OnInvalid};
use crate::{Error, Result, Run};
use likelihood::{Data, collapse, totals};
use model::Period;

/// How the hazard of the mean subject goes with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodBaseline {
    /// An intercept for each period. The default.
    #[default]
    Periods,
    /// One intercept.
    Constant,
    /// An intercept and a slope in the period.
    Linear,
    /// An intercept and a slope in the logarithm of the period.
    Log,
    /// The option `intercepts`, on the scale of the link.
    Given,
}

/// The discrete-time hazard with its roles and options (Cox 1972; Allison 1982):
/// link(h(k | x)) = α_k + β · (x − x̄), k = 1, 2, …
///
/// A duration counts periods: one of 3 with the event left in the third period,
/// one of 3 without it stayed through three. No row is made for a customer's periods: like
/// customers are put together, and their periods are gone through as they are added up.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::survival::{DiscreteHazard, PredictOptions};
/// use headwater::column::Columns;
///
/// // 131, 126 and 90 of 1000 leave in the first three years; 653 stay on.
/// let cohort = Columns::new()
///     .with("duration", vec![1.0, 2.0, 3.0, 3.0])
///     .with("event", vec![1.0, 1.0, 1.0, 0.0])
///     .with("customers", vec![131.0, 126.0, 90.0, 653.0]);
/// let options = DiscreteHazard { weight: Some("customers".into()), ..Default::default() };
/// let (model, _) = options.fit(&cohort, &Run::new())?;
/// let ahead = PredictOptions { horizons: vec![3.0], ..Default::default() };
/// let tables = model.predict(&cohort, &ahead, &Run::new())?;
/// assert!((tables[1].1.f64s("survival").unwrap()[0] - 0.653).abs() < 1e-12);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiscreteHazard {
    /// Column of durations in whole periods, from 1. Default `"duration"`.
    pub duration: String,
    /// Column of flags: whether the last period ended with the event. Default `"event"`.
    pub event: String,
    /// Column of the number of periods before observation began (left truncation). None by default.
    pub entry: Option<String>,
    /// Column of weights: how many subjects a row stands for. None by default.
    pub weight: Option<String>,
    /// Columns that explain. None by default: the baseline alone.
    pub covariates: Vec<String>,
    /// Reference levels of text covariates, by column; the first in order unless given.
    pub references: BTreeMap<String, String>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// The link.
    pub link: Link,
    /// The baseline.
    pub baseline: PeriodBaseline,
    /// The intercept of each period from the first, for `baseline="given"`: of
    /// the subject with mean covariates, on the scale of the link.
    pub intercepts: Option<Vec<f64>>,
    /// λ of −½ λ Σ β², on standardised covariates; the baseline is free. Default 0.
    pub penalty: f64,
    /// Most Newton steps. Default 100.
    pub max_iterations: usize,
    /// The gradient per event, on standardised covariates, that counts as zero. Default 1e-9.
    pub tolerance: f64,
}

impl Default for DiscreteHazard {
    fn default() -> Self {
        Self {
            duration: "duration".to_owned(),
            event: "event".to_owned(),
            entry: None,
            weight: None,
            covariates: Vec::new(),
            references: BTreeMap::new(),
            on_invalid: OnInvalid::Error,
            link: Link::Logit,
            baseline: PeriodBaseline::Periods,
            intercepts: None,
            penalty: 0.0,
            max_iterations: 100,
            tolerance: 1e-9,
        }
    }
}

/// Periods with an intercept of their own at most.
const MOST_INTERCEPTS: usize = 1000;
/// Predictors beyond this are hazards of 0 or 1.
const EDGE: f64 = 100.0;

impl DiscreteHazard {
    /// Fits the model; rows dropped under `on_invalid="drop"` are returned beside it.
    ///
    /// # Errors
    /// As [`Cox::fit`](super::Cox::fit); `Option` where there are too many periods for an intercept each.
    pub fn fit(&self, frame: &Columns, run: &Run) -> Result<(DiscreteHazardModel, Dropped)> {
        check_penalty(self.penalty)?;
        self.check_intercepts()?;
        let roles = Roles {
            duration: &self.duration,
            event: Some(&self.event),
            entry: self.entry.as_deref(),
            weight: self.weight.as_deref(),
            clock: Clock::Periods,
            ..Roles::default()
        };
        let subjects = Subjects::read(frame, roles, &Reader::Fit(&self.covariates), self.on_invalid, run)?;
        subjects.check_events(&self.event)?;
        let mut terms = Terms::of(&self.covariates, &subjects.covariates, subjects.rows, &self.references)?;
        let matrix = terms.matrix(&subjects.covariates, subjects.rows);
        let order = {
            let stratum = vec![0; subjects.rows];
            let mut order = Rows { subjects: &subjects, x: &matrix, stratum: &stratum }.canonical();
            order.sort_by(|a, b| by_value(matrix.row(*a as usize), matrix.row(*b as usize)));
            order
        };
        let mut x = matrix.ordered(&order);
        drop(matrix);
        terms.standardise(&mut x, |i| subjects.weight(order[i] as usize))?;
        let (patterns, stretches) = collapse(&subjects, &order, &x);

        let p = terms.size();
        let last = subjects.duration.iter().fold(0.0_f64, |m, d| m.max(*d)) as usize;
        let (mut at_risk, mut events) = totals(&stretches, last);
        let basis = self.basis(&at_risk, &events)?;
        let size = p + basis.names.len();
        let data = Data { p, size, x: &x.values, patterns, stretches, basis: &basis, link: self.link };
        let total: f64 = events.iter().sum();
        let stop = (self.max_iterations, self.tolerance);
        let mut start = vec![0.0; p];
        start.extend_from_slice(&basis.start);
        let mut bounds = vec![(0.0, 0.0); p];
        bounds.extend(vec![(-EDGE, EDGE); basis.names.len()]);
        let null =
            search("clv.DiscreteHazard", &start, &bounds, stop, total, |at| data.evaluate(at, 0.0, run))?;
        if self.penalty == 0.0 {
            let reason = "tells none of those at risk apart in the periods with events: leave it out";
            let n = size;
            let block: Vec<f64> =
                (0..p * p).map(|at| -null.local.hessian[at / p.max(1) * n + at % p.max(1)]).collect();
            terms.check_rank(&block, total, reason)?;
        }
        bounds[..p].fill((-EDGE, EDGE));
        let found = search("clv.DiscreteHazard", &null.at, &bounds, stop, total, |at| {
            data.evaluate(at, self.penalty, run)
        })?;

        let mut scales: Vec<f64> = terms.scales().iter().map(|s| 1.0 / s).collect();
        scales.resize(size, 1.0);
        let slopes = &found.at[..p];
        let penalised = 0.5 * self.penalty * slopes.iter().map(|b| b * b).sum::<f64>();
        let mut names = terms.names();
        names.extend(basis.names.iter().cloned());
        let mut references: Vec<String> = terms.references().iter().map(|r| (*r).to_owned()).collect();
        references.resize(size, String::new());
        let eta: Vec<f64> =
            (0..subjects.rows).map(|i| x.row(i).iter().zip(slopes).map(|(x, b)| x * b).sum()).collect();
        let of = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { order.iter().map(|i| f(*i as usize)).collect() };
        let concordance = pairs(&Ranked {
            time: &of(&|i| subjects.duration[i]),
            event: &order.iter().map(|i| subjects.event(*i as usize)).collect::<Vec<_>>(),
            entry: &of(&|i| subjects.entry(i)),
            risk: &eta,
            weight: &of(&|i| subjects.weight(i)),
            factor: &[],
        });
        let coefficients = Coefficients {
            names,
            references,
            values: found.at.iter().zip(&scales).map(|(b, s)| b * s).collect(),
            covariance: unscaled(&found.covariance, &scales),
            robust: None,
            fixed: found.fixed.clone(),
            log_likelihood: found.local.value + penalised,
            null_log_likelihood: null.local.value,
            score: Some(quadratic(&null.local)).filter(|s| s.is_finite()),
            slopes: p as u64,
            subjects: of(&|i| subjects.weight(i)).iter().sum(),
            events: total,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm,
            verdict: found.verdict,
        };
        let mut periods = basis.periods(&found.at[p..]);
        // Given intercepts may go further than the data.
        let later = self.intercepts.as_deref().and_then(|given| given.get(last..)).unwrap_or_default();
        periods.extend(later.iter().map(|a| Period::Intercept(*a)));
        at_risk.resize(periods.len(), 0.0);
        events.resize(periods.len(), 0.0);
        let model = DiscreteHazardModel {
            parameters: self.clone(),
            terms,
            coefficients,
            periods,
            at_risk,
            events,
            concordance: concordance.index(),
        };
        Ok((model, subjects.dropped))
    }

    fn check_intercepts(&self) -> Result<()> {
        match (&self.intercepts, self.baseline) {
            (Some(given), PeriodBaseline::Given) => {
                let sound = !given.is_empty() && given.len() <= MOST_PERIODS;
                if !sound || !given.iter().all(|a| a.abs() <= EDGE) {
                    return Err(Error::option(
                        "intercepts",
                        "give a number between -100 and 100 for each period",
                    ));
                }
                Ok(())
            }
            (None, PeriodBaseline::Given) => {
                Err(Error::option("intercepts", "the baseline \"given\" needs them"))
            }
            (Some(_), _) => Err(Error::option("intercepts", "are only used with the baseline \"given\"")),
            (None, _) => Ok(()),
        }
    }
}
