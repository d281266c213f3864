//! Accelerated failure times.

mod family;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use family::Distribution;

use super::concordance::{Ranked, pairs};
use super::design::{Matrix, Reader, Terms};
use super::forecast::{Forecast, PredictOptions};
use super::regression::{Coefficients, check_penalty, quadratic, search};
use super::rows::Rows;
use super::subjects::{Clock, Roles, Subjects};
use crate::column::{Columns, Dropped, OnInvalid, Table, Tables};
use crate::math::ascent::Local;
use crate::math::{Sum, exp, ln};
use crate::model::Model;
use crate::{Error, Result, Run};

/// Accelerated failure times with their roles and options (Kalbfleisch &
/// Prentice 2002, section 2.3): ln T = μ + β · x + σ W.
///
/// A coefficient is the logarithm of a time ratio: e^β = 2 doubles every
/// lifetime. Parameters are the coefficients, `intercept` (μ, at x = 0) and `log_scale`
/// (ln σ; a Weibull's shape is 1/σ). Censoring on the right and left truncation enter exactly.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::survival::{Aft, Distribution};
/// use headwater::column::Columns;
///
/// let contracts = Columns::new()
///     .with("duration", vec![2.0, 3.0, 5.0, 6.0])
///     .with("event", vec![true, true, true, false]);
/// let options = Aft { distribution: Distribution::Exponential, ..Default::default() };
/// let (model, _) = options.fit(&contracts, &Run::new())?;
/// // 3 events in 16 units of time.
/// assert!((model.coefficients().values[0] - (16.0_f64 / 3.0).ln()).abs() < 1e-12);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aft {
    /// Column of durations, more than 0. Default `"duration"`.
    pub duration: String,
    /// Column of flags: whether the duration ended with the event. Default `"event"`.
    pub event: String,
    /// Column of the time from which each was observed (left truncation). None by default.
    pub entry: Option<String>,
    /// Column of weights: how many subjects a row stands for. None by default.
    pub weight: Option<String>,
    /// Columns that explain. None by default: the distribution alone.
    pub covariates: Vec<String>,
    /// Reference levels of text covariates, by column; the first in order unless given.
    pub references: BTreeMap<String, String>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// The distribution.
    pub distribution: Distribution,
    /// λ of −½ λ Σ β², on standardised covariates. Default 0.
    pub penalty: f64,
    /// Most Newton steps. Default 100.
    pub max_iterations: usize,
    /// The gradient per event, on standardised covariates, that counts as zero. Default 1e-9.
    pub tolerance: f64,
}

impl Default for Aft {
    fn default() -> Self {
        Self {
            duration: "duration".to_owned(),
            event: "event".to_owned(),
            entry: None,
            weight: None,
            covariates: Vec::new(),
            references: BTreeMap::new(),
            on_invalid: OnInvalid::Error,
            distribution: Distribution::Weibull,
            penalty: 0.0,
            max_iterations: 100,
            tolerance: 1e-9,
        }
    }
}

const NAME: &str = "clv.Aft";
/// Standardised coefficients and the centred intercept stay within this.
const EDGE: f64 = 100.0;
/// ln σ stays within these: all lifetimes alike, and none told from another.
const SCALES: (f64, f64) = (-7.0, 7.0);

impl Aft {
    /// Fits the model; rows dropped under `on_invalid="drop"` are returned beside it.
    ///
    /// The verdict is `boundary` where all events come at one time, so that σ has
    /// no positive value.
    ///
    /// # Errors
    /// As [`Cox::fit`](super::Cox::fit).
    pub fn fit(&self, frame: &Columns, run: &Run) -> Result<(AftModel, Dropped)> {
        check_penalty(self.penalty)?;
        let roles = Roles {
            duration: &self.duration,
            event: Some(&self.event),
            entry: self.entry.as_deref(),
            weight: self.weight.as_deref(),
            clock: Clock::Positive,
            ..Roles::default()
        };
        let subjects = Subjects::read(frame, roles, &Reader::Fit(&self.covariates), self.on_invalid, run)?;
        subjects.check_events(&self.event)?;
        let mut terms = Terms::of(&self.covariates, &subjects.covariates, subjects.rows, &self.references)?;
        let mut data = Data::of(&subjects, &terms, self.distribution);
        terms.standardise(&mut data.x, |i| data.weight[i])?;

        let p = terms.size();
        let n = p + 2;
        let total: f64 = data.weight.iter().sum();
        let events = (0..data.log_time.len()).filter(|i| data.event[*i]).map(|i| data.weight[i]).sum::<f64>();
        let stop = (self.max_iterations, self.tolerance);
        let mut start = vec![0.0; n];
        // The exponential's own estimate, Σ t / d.
        let exposure: f64 = (0..data.weight.len())
            .map(|i| {
                data.weight[i]
                    * (exp(data.log_time[i]) - if data.late(i) { exp(data.log_entry[i]) } else { 0.0 })
            })
            .sum();
        start[p] = ln(exposure / events).clamp(-EDGE, EDGE);
        let mut bounds = vec![(0.0, 0.0); p];
        bounds.push((-EDGE, EDGE));
        bounds.push(if self.distribution == Distribution::Exponential { (0.0, 0.0) } else { SCALES });
        let null = search(NAME, &start, &bounds, stop, events, |at| data.evaluate(at, 0.0, run))?;
        bounds[..p].fill((-EDGE, EDGE));
        let found = search(NAME, &null.at, &bounds, stop, events, |at| data.evaluate(at, self.penalty, run))?;

        let (values, covariance) = unscale(&terms, &found.at, &found.covariance, data.shift);
        let centre = found.at[p] + data.shift;
        let eta: Vec<f64> = (0..data.x.rows)
            .map(|i| -data.x.row(i).iter().zip(&found.at).map(|(x, b)| x * b).sum::<f64>())
            .collect();
        let time: Vec<f64> = data.log_time.clone();
        let concordance = pairs(&Ranked {
            time: &time,
            event: &data.event,
            entry: &[],
            risk: &eta,
            weight: &data.weight,
            factor: &[],
        });
        // Densities of ln t, less the logarithm of t, are densities of t.
        let jacobian: f64 = (0..data.log_time.len())
            .filter(|i| data.event[*i])
            .map(|i| data.weight[i] * (data.log_time[i] + data.shift))
            .sum();
        let penalised = 0.5 * self.penalty * found.at[..p].iter().map(|b| b * b).sum::<f64>();
        let mut references: Vec<String> = terms.references().iter().map(|r| (*r).to_owned()).collect();
        references.resize(n, String::new());
        let coefficients = Coefficients {
            names: names(&terms),
            references,
            values,
            covariance,
            robust: None,
            fixed: found.fixed.clone(),
            log_likelihood: found.local.value + penalised - jacobian,
            null_log_likelihood: null.local.value - jacobian,
            score: Some(quadratic(&null.local))
                .filter(|s| s.is_finite() && self.distribution != Distribution::Exponential),
            slopes: p as u64,
            subjects: total,
            events,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm,
            verdict: found.verdict,
        };
        let model = AftModel {
            parameters: self.clone(),
            terms,
            coefficients,
            centre,
            concordance: if p > 0 { concordance.index() } else { None },
        };
        Ok((model, subjects.dropped))
    }
}

fn names(terms: &Terms) -> Vec<String> {
    let mut names = terms.names();
    names.extend(["intercept".to_owned(), "log_scale".to_owned()]);
    names
}

/// Parameters and covariance in the units of the data: a linear map of those
/// on standardised covariates, β = b / s, μ = a + shift − Σ b m / s.
fn unscale(terms: &Terms, at: &[f64], covariance: &[f64], shift: f64) -> (Vec<f64>, Vec<f64>) {
    let (p, n) = (terms.size(), at.len());
    let mut map = vec![0.0; n * n];
    for (k, (mean, scale)) in terms.means().iter().zip(terms.scales()).enumerate() {
        map[k * n + k] = 1.0 / scale;
        map[p * n + k] = -mean / scale;
    }
    for k in p..n {
        map[k * n + k] = 1.0;
    }
    let times = |a: &[f64], b: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..n * n).map(|c| (0..n).map(|k| a[c / n * n + k] * b(k, c % n)).sum()).collect()
    };
    let half = times(&map, &|k, j| covariance[k * n + j]);
    let full = times(&half, &|k, j| map[j * n + k]);
    let mut values: Vec<f64> = (0..n).map(|i| (0..n).map(|k| map[i * n + k] * at[k]).sum()).collect();
    values[p] += shift;
    (values, full)
}

/// Rows in the order in which they are added up.
struct Data {
    x: Matrix,
    /// ln t less `shift`.
    log_time: Vec<f64>,
    /// The same of entries; −∞ of those seen from the beginning. Empty without a column.
    log_entry: Vec<f64>,
    event: Vec<bool>,
    weight: Vec<f64>,
    shift: f64,
    distribution: Distribution,
}

impl Data {
    fn of(subjects: &Subjects<'_>, terms: &Terms, distribution: Distribution) -> Self {
        let matrix = terms.matrix(&subjects.covariates, subjects.rows);
        let stratum = vec![0; subjects.rows];
        let order = Rows { subjects, x: &matrix, stratum: &stratum }.canonical();
        let pick = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { order.iter().map(|i| f(*i as usize)).collect() };
        let weight = pick(&|i| subjects.weight(i));
        let mut log_time = pick(&|i| ln(subjects.duration[i]));
        let total: f64 = weight.iter().sum();
        let shift =
            log_time.iter().zip(&weight).map(|(y, w)| y * w).sum::<f64>() / total.max(f64::MIN_POSITIVE);
        log_time.iter_mut().for_each(|y| *y -= shift);
        let log_entry =
            if subjects.entry.is_some() { pick(&|i| ln(subjects.entry(i)) - shift) } else { Vec::new() };
        Self {
            x: matrix.ordered(&order),
            log_time,
            log_entry,
            event: order.iter().map(|i| subjects.event(*i as usize)).collect(),
            weight,
            shift,
            distribution,
        }
    }

    fn late(&self, i: usize) -> bool {
        self.log_entry.get(i).is_some_and(|e| e.is_finite())
    }

    /// The log-likelihood of ln t, with analytic derivatives in the slopes, the
    /// intercept and ln σ: with g a function of z = (y − η) / σ, g_η = −g'/σ, g_lnσ = −z g',
    /// g_ηη = g''/σ², g_ηlnσ = (z g'' + g')/σ, g_lnσlnσ = z² g'' + z g'.
    fn evaluate(&self, at: &[f64], penalty: f64, run: &Run) -> Result<Local> {
        let n = at.len();
        let p = n - 2;
        let (centre, log_sigma) = (at[p], at[p + 1]);
        let sigma = exp(log_sigma);
        let part = |rows: Range<usize>| {
            let (mut local, mut value) = (Local::zero(n), Sum::default());
            for i in rows {
                let w = self.weight[i];
                if w == 0.0 {
                    continue;
                }
                let x = self.x.row(i);
                let eta = centre + x.iter().zip(at).map(|(x, b)| x * b).sum::<f64>();
                let (mut first, mut second, mut cross) = (0.0, 0.0, 0.0);
                let (mut scale, mut scale2) = (0.0, 0.0);
                let mut add = |w: f64, [g, g1, g2]: [f64; 3], z: f64| {
                    value.add(w * g);
                    first -= w * g1 / sigma;
                    second += w * g2 / (sigma * sigma);
                    cross += w * (z * g2 + g1) / sigma;
                    scale -= w * z * g1;
                    scale2 += w * (z * z * g2 + z * g1);
                };
                let z = (self.log_time[i] - eta) / sigma;
                if self.event[i] {
                    let [g, g1, g2] = self.distribution.density(z);
                    add(w, [g - log_sigma, g1, g2], z);
                    local.gradient[p + 1] -= w;
                } else {
                    add(w, self.distribution.survival(z), z);
                }
                if self.late(i) {
                    let z = (self.log_entry[i] - eta) / sigma;
                    add(-w, self.distribution.survival(z), z);
                }
                for (k, xk) in x.iter().enumerate() {
                    local.gradient[k] += first * xk;
                    let f = second * xk;
                    for (cell, y) in local.hessian[k * n..=k * n + k].iter_mut().zip(x) {
                        *cell += f * y;
                    }
                    local.hessian[p * n + k] += f;
                    local.hessian[(p + 1) * n + k] += cross * xk;
                }
                local.gradient[p] += first;
                local.gradient[p + 1] += scale;
                local.hessian[p * n + p] += second;
                local.hessian[(p + 1) * n + p] += cross;
                local.hessian[(p + 1) * n + p + 1] += scale2;
            }
            local.value = value.value();
            Ok(local)
        };
        let whole = run.reduce_chunks("maximise the likelihood", self.log_time.len(), part, Local::merge)?;
        let mut local = whole.unwrap_or_else(|| Local::zero(n));
        for (k, b) in at.iter().enumerate().take(p) {
            local.value -= 0.5 * penalty * b * b;
            local.gradient[k] -= penalty * b;
            local.hessian[k * n + k] -= penalty;
        }
        Ok(local)
    }
}

/// A fitted [`Aft`]; saved as `clv.Aft`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AftModel {
    parameters: Aft,
    terms: Terms,
    coefficients: Coefficients,
    /// μ + β · x̄.
    centre: f64,
    concordance: Option<f64>,
}

impl Model for AftModel {
    const KIND: &'static str = NAME;

    fn check(&self) -> Result<()> {
        self.terms.check()?;
        self.coefficients.check(&names(&self.terms))?;
        let sound = self.centre.is_finite()
            && self.coefficients.slopes as usize == self.terms.size()
            && self.concordance.is_none_or(|c| (0.0..=1.0).contains(&c));
        if sound {
            Ok(())
        } else {
            Err(Error::model_file("its centre is not a number; fit and save the model again"))
        }
    }
}

impl AftModel {
    /// The roles and options of the fit.
    pub fn parameters(&self) -> &Aft {
        &self.parameters
    }

    /// Coefficients of the covariates, then `intercept` and `log_scale`.
    pub fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }

    /// Tables: `coefficients` (with time_ratio), `tests`, `fit`, `concordance`.
    pub fn summary(&self, level: f64) -> Result<Tables> {
        let mut tables = self.coefficients.summary(self.factor(), level)?;
        tables.push(("concordance", Table::new().with_optional("concordance", [self.concordance])));
        Ok(tables)
    }

    /// Predictions for a frame: see [`PredictOptions`].
    pub fn predict(&self, frame: &Columns, options: &PredictOptions, run: &Run) -> Result<Tables> {
        super::forecast::predict(self, frame, options, run)
    }

    fn sigma(&self) -> f64 {
        exp(self.coefficients.values.last().copied().unwrap_or(0.0))
    }
}

impl Forecast for AftModel {
    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn slopes(&self) -> &[f64] {
        &self.coefficients.values
    }

    fn factor(&self) -> &'static str {
        "time_ratio"
    }

    fn log_survival(&self, eta: f64, _stratum: usize, time: f64) -> Option<f64> {
        if time <= 0.0 {
            return Some(0.0);
        }
        let z = (ln(time) - self.centre - eta) / self.sigma();
        Some(self.parameters.distribution.survival(z)[0].min(0.0))
    }

    fn reaches(&self, eta: f64, _stratum: usize, level: f64) -> Option<f64> {
        let z = self.parameters.distribution.quantile(level);
        Some(exp(self.centre + eta + self.sigma() * z))
    }

    fn has_mean(&self) -> bool {
        true
    }

    fn mean(&self, eta: f64) -> Option<f64> {
        let mean = self.parameters.distribution.mean(self.sigma());
        mean.map(|m| exp(self.centre + eta) * m)
    }

    fn hazard_scale(&self) -> f64 {
        -1.0 / self.sigma()
    }

    fn roles(&self) -> (&str, &str, Option<&str>) {
        (&self.parameters.duration, &self.parameters.event, self.parameters.weight.as_deref())
    }
}
