//! What the regressions share: the search, and what is reported of coefficients.

use serde::{Deserialize, Serialize};

use super::design::LARGEST;
use super::estimates::Verdict;
use super::ridge::EDGE as WIDEST;
use crate::column::{Table, Tables, Text, Values};
use crate::math::ascent::{Local, cholesky, maximise, solve};
use crate::math::newton::Stop;
use crate::math::{Factor, chi_squared_tail, erfc, exp, ln};
use crate::{Error, Result};

/// A maximum on scaled parameters.
#[derive(Clone, Debug)]
pub(in crate::clv) struct Maximum {
    pub(in crate::clv) at: Vec<f64>,
    pub(in crate::clv) local: Local,
    /// The inverse of the negated Hessian; rows and columns of `fixed` are 0.
    pub(in crate::clv) covariance: Vec<f64>,
    pub(in crate::clv) fixed: Vec<bool>,
    pub(in crate::clv) iterations: usize,
    pub(in crate::clv) gradient_norm: f64,
    pub(in crate::clv) verdict: Verdict,
}

/// Where the gradient has vanished, Newton's step at an ordinary maximum is as
/// small; along a likelihood that only rises it stays about 1.
const STILL_MOVING: f64 = 0.02;
/// A gain in log-likelihood, and a tenth of a gradient per event, that are next to nothing.
const NEARLY: f64 = 1e-6;
/// A step so small, in standard deviations, is no step.
const WITHIN_NOISE: f64 = 1e-7;

/// Maximises a log-likelihood of parameters of order 1 inside a box. `size` is
/// the number of events, by which the tolerance of the gradient is multiplied.
pub(in crate::clv) fn search<F>(
    model: &'static str,
    start: &[f64],
    bounds: &[(f64, f64)],
    (max_iterations, tolerance): (usize, f64),
    size: f64,
    mut evaluate: F,
) -> Result<Maximum>
where
    F: FnMut(&[f64]) -> Result<Local>,
{
    if max_iterations == 0 {
        return Err(Error::option("max_iterations", "must be at least 1"));
    }
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return Err(Error::option("tolerance", "must be a number between 0 and 1"));
    }
    let stop = Stop { max_iterations, gradient: tolerance * size };
    let found = maximise(start, bounds, stop, &mut evaluate)?;
    let n = start.len();
    let not_converged = || Error::NotConverged {
        model,
        iterations: found.iterations,
        gradient_norm: found.gradient_norm / size,
        hint: "raise max_iterations, or set a penalty; look at covariates with extreme values".to_owned(),
    };
    let mut fixed = found.bound.clone();
    let step = {
        let (factor, free) = factor(&found.local.hessian, &fixed);
        for (fixed, used) in fixed.iter_mut().zip(&free) {
            *fixed |= !used;
        }
        let gradient: Vec<f64> =
            found.local.gradient.iter().zip(&fixed).map(|(g, f)| if *f { 0.0 } else { *g }).collect();
        factor.solve(&gradient)
    };
    // Of a sum over many rows the last digits are noise, and the search may stop within it.
    let stalled = found.iterations < max_iterations && step.iter().all(|s| s.abs() < WITHIN_NOISE);
    // On a ridge a step is long and gains nothing that the likelihood's rounding does not hide.
    let gain: f64 = 0.5 * step.iter().zip(&found.local.gradient).map(|(s, g)| s * g).sum::<f64>();
    let flat = gain.abs() < NEARLY && found.gradient_norm < 10.0 * NEARLY * size;
    if !found.converged && !stalled && !flat {
        return Err(not_converged());
    }
    let mut at = found.at.clone();
    let mut local = found.local.clone();
    let mut gradient_norm = found.gradient_norm;
    for (fixed, step) in fixed.iter_mut().zip(&step) {
        *fixed |= step.abs() > STILL_MOVING;
    }
    let runaway = fixed.iter().zip(&found.bound).any(|(f, b)| *f && !b);
    let edge = found.bound.iter().zip(bounds).any(|(held, (low, high))| *held && low < high);
    if !runaway {
        // One more step for the last digits.
        let next: Vec<f64> = at.iter().zip(&step).map(|(x, s)| x + s).collect();
        let polished = evaluate(&next)?;
        let norm = |local: &Local| {
            let free = local.gradient.iter().zip(&fixed).filter(|(_, f)| !**f);
            free.fold(0.0_f64, |m, (g, _)| m.max(g.abs()))
        };
        if norm(&polished) < gradient_norm {
            (gradient_norm, at, local) = (norm(&polished), next, polished);
        }
    }
    let mut covariance = inverse(&local.hessian, n, &mut fixed);
    let mut unknown = false;
    // What would be told with an error as wide as the search is not told by the data.
    while let Some(widest) = (0..n).max_by(|i, j| covariance[i * n + i].total_cmp(&covariance[j * n + j]))
        && covariance[widest * n + widest].sqrt() > ln(WIDEST)
    {
        (unknown, fixed[widest]) = (true, true);
        covariance = inverse(&local.hessian, n, &mut fixed);
    }
    Ok(Maximum {
        at,
        covariance,
        fixed,
        iterations: found.iterations,
        gradient_norm: gradient_norm / size,
        verdict: match (runaway || unknown, edge) {
            (true, _) => Verdict::MonotoneLikelihood,
            (false, true) => Verdict::Boundary,
            (false, false) => Verdict::Interior,
        },
        local,
    })
}

/// The factor of the negated Hessian with unit rows for those held, and which
/// rows say something of their own.
fn factor(hessian: &[f64], held: &[bool]) -> (Factor, Vec<bool>) {
    let n = held.len();
    let mut matrix = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let unit = f64::from(u8::from(i == j));
            matrix[i * n + j] = if held[i] || held[j] { unit } else { -hessian[i * n + j] };
        }
    }
    let factor = Factor::new(matrix, n);
    let used = factor.used().to_vec();
    (factor, used)
}

/// The inverse of the negated Hessian over what is not `fixed`; all become
/// fixed where that is singular.
fn inverse(hessian: &[f64], n: usize, fixed: &mut [bool]) -> Vec<f64> {
    let mut matrix = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let unit = f64::from(u8::from(i == j));
            matrix[i * n + j] = if fixed[i] || fixed[j] { unit } else { -hessian[i * n + j] };
        }
    }
    let mut out = vec![0.0; n * n];
    if !cholesky(&mut matrix, n) {
        fixed.fill(true);
        return out;
    }
    for j in (0..n).filter(|j| !fixed[*j]) {
        let mut column = vec![0.0; n];
        column[j] = 1.0;
        solve(&matrix, n, &mut column);
        for i in (0..n).filter(|i| !fixed[*i]) {
            out[i * n + j] = column[i];
        }
    }
    for i in 0..n {
        for j in 0..i {
            let mean = 0.5 * (out[i * n + j] + out[j * n + i]);
            out[i * n + j] = mean;
            out[j * n + i] = mean;
        }
    }
    out
}

/// gᵀ (−H)⁻¹ g, for score tests.
pub(super) fn quadratic(local: &Local) -> f64 {
    let n = local.gradient.len();
    let (factor, _) = factor(&local.hessian, &vec![false; n]);
    factor.solve(&local.gradient).iter().zip(&local.gradient).map(|(a, b)| a * b).sum()
}

/// Coefficients of a regression and how they were reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// The parameters' names: a covariate's own, `name[level]` for the level of a text covariate.
    pub names: Vec<String>,
    /// The reference level of each; empty where there is none.
    pub references: Vec<String>,
    /// The estimates, in the units of the data.
    pub values: Vec<f64>,
    /// Their covariance from the observed information, row by row; 0 for `fixed` ones.
    pub covariance: Vec<f64>,
    /// The sandwich covariance, where it was asked for.
    pub robust: Option<Vec<f64>>,
    /// Parameters that the data do not identify: they ran off, or were held.
    pub fixed: Vec<bool>,
    /// The maximised log-likelihood, without the penalty.
    pub log_likelihood: f64,
    /// The log-likelihood without covariates.
    pub null_log_likelihood: f64,
    /// The score statistic of all covariates at 0, where it is known.
    pub score: Option<f64>,
    /// How many parameters explain: those that the model without covariates lacks.
    pub slopes: u64,
    /// Subjects fitted: the sum of the weights.
    pub subjects: f64,
    /// Events among them.
    pub events: f64,
    /// Newton steps taken.
    pub iterations: u64,
    /// Greatest absolute entry of the gradient, on standardised covariates, per event.
    pub gradient_norm: f64,
    /// Whether this is an ordinary maximum.
    pub verdict: Verdict,
}

impl Coefficients {
    fn covariance_in_use(&self) -> &[f64] {
        self.robust.as_deref().unwrap_or(&self.covariance)
    }

    /// Standard errors, robust ones where they were asked for; `None` where the
    /// data do not identify the parameter.
    pub fn standard_errors(&self) -> Vec<Option<f64>> {
        let (n, covariance) = (self.values.len(), self.covariance_in_use());
        let error = |i: usize| {
            let variance = covariance.get(i * n + i).copied().filter(|v| *v > 0.0)?;
            (!*self.fixed.get(i)?).then(|| variance.sqrt())
        };
        (0..n).map(error).collect()
    }

    /// A frame: parameter, reference, estimate, `ratio` (the exponential),
    /// standard_error, z, p_value, low, high, and the ratio's low and high.
    pub fn table(&self, ratio: &str, level: f64) -> Result<Table> {
        let width = level_quantile(level)?;
        let errors = self.standard_errors();
        let each = |f: &dyn Fn(f64, f64) -> f64| -> Vec<Option<f64>> {
            self.values.iter().zip(&errors).map(|(v, e)| e.map(|e| f(*v, e))).collect()
        };
        Ok(Table::new()
            .with("parameter", Values::Text(self.names.iter().collect::<Text>()))
            .with("reference", Values::Text(self.references.iter().collect::<Text>()))
            .with("estimate", Values::F64(self.values.clone()))
            .with_optional(ratio, self.values.iter().map(|v| finite(exp(*v))))
            .with_optional("standard_error", errors.iter().copied())
            .with_optional("z", each(&|v, e| v / e))
            .with_optional("p_value", each(&|v, e| erfc((v / e).abs() * std::f64::consts::FRAC_1_SQRT_2)))
            .with_optional("low", each(&|v, e| v - width * e))
            .with_optional("high", each(&|v, e| v + width * e))
            .with_optional(
                &format!("{ratio}_low"),
                each(&|v, e| exp(v - width * e)).into_iter().map(|x| x.and_then(finite)),
            )
            .with_optional(
                &format!("{ratio}_high"),
                each(&|v, e| exp(v + width * e)).into_iter().map(|x| x.and_then(finite)),
            ))
    }

    /// Tests of all covariates together: test, statistic (χ²), degrees_of_freedom, p_value.
    pub fn tests(&self) -> Table {
        let (n, m) = (self.values.len(), self.slopes as usize);
        let free: Vec<usize> = (0..m.min(n)).filter(|i| !self.fixed[*i]).collect();
        let ratio = (2.0 * (self.log_likelihood - self.null_log_likelihood)).max(0.0);
        let mut rows = vec![("likelihood_ratio", ratio, m)];
        // Wald's statistic needs the inverse of the covariance of the slopes.
        let k = free.len();
        let covariance = self.covariance_in_use();
        let mut block = vec![0.0; k * k];
        for (a, i) in free.iter().enumerate() {
            for (b, j) in free.iter().enumerate() {
                // On the scale of correlations, so that units do not matter.
                let scale = (covariance[i * n + i] * covariance[j * n + j]).sqrt();
                block[a * k + b] = covariance[i * n + j] / scale.max(f64::MIN_POSITIVE);
            }
        }
        let scaled: Vec<f64> = free
            .iter()
            .map(|i| self.values[*i] / covariance[i * n + i].sqrt().max(f64::MIN_POSITIVE))
            .collect();
        let wald: f64 = Factor::new(block, k).solve(&scaled).iter().zip(&scaled).map(|(a, b)| a * b).sum();
        if k > 0 && wald.is_finite() {
            rows.push(("wald", wald.max(0.0), k));
        }
        if let Some(score) = self.score {
            rows.push(("score", score, m));
        }
        Table::new()
            .with("test", Values::Text(rows.iter().map(|r| r.0).collect()))
            .with("statistic", Values::F64(rows.iter().map(|r| r.1).collect()))
            .with("degrees_of_freedom", Values::F64(rows.iter().map(|r| r.2 as f64).collect()))
            .with("p_value", Values::F64(rows.iter().map(|r| chi_squared_tail(r.1, r.2 as f64)).collect()))
    }

    /// One row on the fit: log_likelihood, null_log_likelihood, subjects, events,
    /// parameters, iterations, gradient_norm, aic, bic (by the number of events; Volinsky &
    /// Raftery 2000), verdict.
    pub fn fit_table(&self) -> Table {
        let k = self.fixed.iter().filter(|f| !**f).count() as f64;
        Table::new()
            .with("log_likelihood", Values::F64(vec![self.log_likelihood]))
            .with("null_log_likelihood", Values::F64(vec![self.null_log_likelihood]))
            .with("subjects", Values::F64(vec![self.subjects]))
            .with("events", Values::F64(vec![self.events]))
            .with("parameters", Values::F64(vec![k]))
            .with("iterations", Values::I64(vec![self.iterations as i64]))
            .with("gradient_norm", Values::F64(vec![self.gradient_norm]))
            .with("aic", Values::F64(vec![2.0 * k - 2.0 * self.log_likelihood]))
            .with("bic", Values::F64(vec![k * ln(self.events) - 2.0 * self.log_likelihood]))
            .with("verdict", Values::Text([self.verdict.name()].into_iter().collect()))
    }

    /// Coefficients, tests and fit.
    pub(super) fn summary(&self, ratio: &str, level: f64) -> Result<Tables> {
        Ok(vec![
            ("coefficients", self.table(ratio, level)?),
            ("tests", self.tests()),
            ("fit", self.fit_table()),
        ])
    }

    /// What a loaded model must satisfy.
    pub(super) fn check(&self, names: &[String]) -> Result<()> {
        let n = names.len();
        let all = |v: &[f64]| v.iter().all(|x| x.is_finite());
        let sound = self.names == names
            && self.references.len() == n
            && self.values.len() == n
            && self.values.iter().all(|v| v.abs() <= LARGEST)
            && self.covariance.len() == n * n
            && all(&self.covariance)
            && self.robust.as_ref().is_none_or(|r| r.len() == n * n && all(r))
            && self.fixed.len() == n
            && self.slopes as usize <= n
            && all(&[self.log_likelihood, self.null_log_likelihood, self.subjects, self.events])
            && self.events > 0.0
            && self.gradient_norm.is_finite()
            && self.score.is_none_or(f64::is_finite);
        if sound {
            Ok(())
        } else {
            Err(Error::model_file(format!(
                "its coefficients are not {n} numbers with their covariance; fit and save the model again"
            )))
        }
    }
}

/// Nothing leaves as infinite.
pub(super) fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

/// A matrix of scaled parameters in the units of the data: x_ij · s_i · s_j.
pub(super) fn unscaled(matrix: &[f64], scales: &[f64]) -> Vec<f64> {
    let n = scales.len();
    (0..n * n).map(|at| matrix[at] * scales[at / n] * scales[at % n]).collect()
}

pub(super) fn check_penalty(penalty: f64) -> Result<()> {
    if penalty >= 0.0 && penalty.is_finite() {
        Ok(())
    } else {
        Err(Error::option("penalty", "must be a finite number from 0"))
    }
}

/// A level of intervals, as the normal quantile of its two sides.
pub(super) fn level_quantile(level: f64) -> Result<f64> {
    if level > 0.0 && level < 1.0 {
        Ok(crate::math::normal_quantile(0.5 + 0.5 * level))
    } else {
        Err(Error::option("level", format!("{level} is not a level between 0 and 1, such as 0.95")))
    }
}
