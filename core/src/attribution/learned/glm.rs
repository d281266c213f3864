//! Regressions on sparse rows with weights: logistic, and Poisson with a
//! logarithmic or an identity link, with a ridge and with bounds.

use crate::Result;
use crate::math::ascent::{Local, Optimum, maximise};
use crate::math::newton::Stop;
use crate::math::{exp, ln, log1p_exp};
use crate::run::Run;

/// What is regressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `a` successes and `b` failures.
    Binomial,
    /// `a` events in the exposure `b`, the rate the exponential of the predictor.
    PoissonLog,
    /// The same with the predictor itself as the rate.
    PoissonIdentity,
}

/// Rows of features, column 0 being the intercept, which is in every row.
#[derive(Clone, Debug, Default)]
pub(super) struct Design {
    pub(super) columns: usize,
    pub(super) entries: Vec<(u32, f64)>,
    pub(super) ends: Vec<u32>,
}

impl Design {
    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn row(&self, i: usize) -> &[(u32, f64)] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.entries[start..self.ends[i] as usize]
    }

    pub(super) fn predictor(&self, i: usize, at: &[f64]) -> f64 {
        at[0] + self.row(i).iter().map(|(k, x)| at[*k as usize] * x).sum::<f64>()
    }
}

/// A regression to be maximised.
pub(super) struct Glm<'a> {
    pub(super) family: Family,
    pub(super) design: &'a Design,
    pub(super) a: &'a [f64],
    pub(super) b: &'a [f64],
    /// λ of −½ λ Σ β², the intercept apart.
    pub(super) ridge: f64,
}

impl Family {
    /// The log-likelihood of a row, and its first two derivatives in the predictor.
    fn terms(self, eta: f64, a: f64, b: f64) -> [f64; 3] {
        match self {
            Self::Binomial => {
                let (n, p) = (a + b, 1.0 / (1.0 + exp(-eta)));
                [a * eta - n * log1p_exp(eta), a - n * p, -n * p * (1.0 - p)]
            }
            Self::PoissonLog => {
                let mean = if b > 0.0 { b * exp(eta) } else { 0.0 };
                [a * eta - mean, a - mean, -mean]
            }
            Self::PoissonIdentity if a > 0.0 => [a * ln(eta) - b * eta, a / eta - b, -a / (eta * eta)],
            Self::PoissonIdentity => [-b * eta, -b, 0.0],
        }
    }
}

impl Glm<'_> {
    /// The log-likelihood, without the ridge.
    pub(super) fn log_likelihood(&self, at: &[f64], run: &Run) -> Result<f64> {
        let part = |rows: std::ops::Range<usize>| {
            let term = |i: usize| self.family.terms(self.design.predictor(i, at), self.a[i], self.b[i])[0];
            Ok(rows.filter(|i| self.a[*i] > 0.0 || self.b[*i] > 0.0).map(term).sum::<f64>())
        };
        Ok(run.reduce_chunks("score", self.design.rows(), part, |x, y| x + y)?.unwrap_or(0.0))
    }

    fn evaluate(&self, at: &[f64], run: &Run) -> Result<Local> {
        let n = self.design.columns;
        let part = |rows: std::ops::Range<usize>| {
            let mut local = Local::zero(n);
            for i in rows {
                let (a, b) = (self.a[i], self.b[i]);
                if a == 0.0 && b == 0.0 {
                    continue;
                }
                let [value, first, second] = self.family.terms(self.design.predictor(i, at), a, b);
                local.value += value;
                local.gradient[0] += first;
                local.hessian[0] += second;
                let row = self.design.row(i);
                for (at, (k, x)) in row.iter().enumerate() {
                    let (k, sx) = (*k as usize, second * x);
                    local.gradient[k] += first * x;
                    local.hessian[k * n] += sx;
                    for (l, y) in &row[..=at] {
                        local.hessian[k * n + *l as usize] += sx * y;
                    }
                }
            }
            Ok(local)
        };
        let whole = run.reduce_chunks("maximise the likelihood", self.design.rows(), part, Local::merge)?;
        let mut local = whole.unwrap_or_else(|| Local::zero(n));
        for (k, x) in at.iter().enumerate().skip(1) {
            local.value -= 0.5 * self.ridge * x * x;
            local.gradient[k] -= self.ridge * x;
            local.hessian[k * n + k] -= self.ridge;
        }
        Ok(local)
    }

    /// The maximum from `start` on.
    pub(super) fn fit(&self, start: &[f64], bounds: &[(f64, f64)], stop: Stop, run: &Run) -> Result<Optimum> {
        maximise(start, bounds, stop, |at| self.evaluate(at, run))
    }
}
