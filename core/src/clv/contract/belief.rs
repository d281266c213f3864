//! What is known of a curve: a fit with its errors, or draws of its parameters.

use std::borrow::Cow;

use super::Curve;
use crate::Result;
use crate::clv::estimates::Estimates;
use crate::column::Table;
use crate::math::{exp, exp_m1, ln, mean_and_limits};

/// A fitted curve with the covariance of its log parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncertain {
    curve: Curve,
    covariance: [[f64; 3]; 3],
}

/// What is known of a curve.
#[derive(Clone, Debug)]
pub(crate) enum Belief<'a> {
    /// A fit, and the normal quantile of its intervals where they are asked for.
    Fit(Uncertain, Option<f64>),
    /// Draws, one at least, and the share beyond either limit.
    Draws(Cow<'a, [Curve]>, f64),
}

/// A number, missing where it is infinite, and its limits where they are asked for and finite.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub value: Option<f64>,
    pub edges: Option<[f64; 2]>,
}

impl Told {
    pub(super) fn times(self, factor: f64) -> Self {
        let edges = self.edges.map(|e| e.map(|edge| factor * edge));
        Self { value: self.value.map(|v| factor * v), edges: edges.map(|[a, b]| [a.min(b), a.max(b)]) }
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> {
        self.value.into_iter().chain(self.edges.into_iter().flatten())
    }
}

/// A column of a table, with `_low` and `_high` where there are limits.
pub(super) fn told(table: Table, name: &str, column: &[Option<Told>], limits: bool) -> Table {
    let table = table.with_optional(name, column.iter().map(|told| told.and_then(|t| t.value)));
    if !limits {
        return table;
    }
    [("low", 0), ("high", 1)].into_iter().fold(table, |table, (side, i)| {
        let edge = |told: &Option<Told>| told.and_then(|t| t.edges).map(|edges| edges[i]);
        table.with_optional(&format!("{name}_{side}"), column.iter().map(edge))
    })
}

impl Belief<'_> {
    /// A fit, with intervals of this level where one is given.
    pub(super) fn of_fit(estimates: &Estimates, interval: Option<f64>) -> Result<Self> {
        let z = interval.map(|level| estimates.interval_quantile(level)).transpose()?;
        Ok(Self::Fit(Uncertain::of(estimates), z))
    }

    /// Whether intervals are told.
    pub(super) fn has_limits(&self) -> bool {
        !matches!(self, Self::Fit(_, None))
    }

    /// S(n + t) / S(n).
    pub(super) fn share(&self, n: u32, t: u32) -> Result<Told> {
        match self {
            Self::Fit(fit, z) => Ok(Told {
                value: Some(fit.curve.survival_of_active(n, t)),
                edges: z.map(|z| fit.share(n, t, z)),
            }),
            Self::Draws(curves, tail) => over(curves, *tail, |c| Ok(Some(c.survival_of_active(n, t)))),
        }
    }

    /// The chance to make the renewal after `n`.
    pub(super) fn staying(&self, n: u32) -> Result<Told> {
        let stays = |curve: &Curve| curve.retention(n.saturating_add(1));
        match self {
            Self::Fit(fit, z) => {
                Ok(Told { value: Some(stays(&fit.curve)), edges: z.map(|z| fit.share(n, 1, z)) })
            }
            Self::Draws(curves, tail) => over(curves, *tail, |c| Ok(Some(stays(c)))),
        }
    }

    /// The chance to leave at the renewal after `n`.
    pub(super) fn leaving(&self, n: u32) -> Result<Told> {
        let leaves = |curve: &Curve| curve.leaving(n.saturating_add(1));
        match self {
            Self::Fit(fit, z) => Ok(Told {
                value: Some(leaves(&fit.curve)),
                edges: z.map(|z| fit.share(n, 1, z)).map(|[low, high]| [1.0 - high, 1.0 - low]),
            }),
            Self::Draws(curves, tail) => over(curves, *tail, |c| Ok(Some(leaves(c)))),
        }
    }

    /// A positive quantity of the curve.
    pub(super) fn positive(&self, value: impl Fn(&Curve) -> Result<Option<f64>>) -> Result<Told> {
        match self {
            Self::Fit(fit, z) => Ok(Told {
                value: value(&fit.curve)?,
                edges: z.map(|z| fit.positive(z, &value)).transpose()?.flatten(),
            }),
            Self::Draws(curves, tail) => over(curves, *tail, value),
        }
    }

    /// P(T = t), the chance of a new customer to leave at renewal `t`.
    pub(super) fn churn(&self, t: u32) -> Result<Told> {
        let told = self.positive(|curve| Ok(Some(curve.churn(t))))?;
        Ok(Told { edges: told.edges.map(|[low, high]| [low, high.min(1.0)]), ..told })
    }
}

/// The mean over draws and its limits; what is infinite in some is infinite on average.
fn over(curves: &[Curve], tail: f64, value: impl Fn(&Curve) -> Result<Option<f64>>) -> Result<Told> {
    let each = curves.iter().map(|curve| Ok(value(curve)?.unwrap_or(f64::INFINITY)));
    let mut values = each.collect::<Result<Vec<f64>>>()?;
    let [mean, low, high] = mean_and_limits(&mut values, tail);
    Ok(Told {
        value: Some(mean).filter(|v| v.is_finite()),
        edges: Some([low, high]).filter(|e| e.iter().all(|v| v.is_finite())),
    })
}

impl Uncertain {
    fn of(estimates: &Estimates) -> Self {
        let entry = |i: usize, j: usize| {
            estimates.covariance.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0)
        };
        Self {
            curve: Curve::of(&estimates.values),
            covariance: std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j))),
        }
    }

    /// The standard error of something with this gradient on log parameters.
    fn error(&self, gradient: [f64; 3]) -> f64 {
        let mut variance = 0.0;
        for i in 0..3 {
            for j in 0..3 {
                variance += gradient[i] * self.covariance[i][j] * gradient[j];
            }
        }
        variance.max(0.0).sqrt()
    }

    /// The interval of S(n + t) / S(n), symmetric on the log odds, so within 0 and 1.
    fn share(&self, n: u32, t: u32, z: f64) -> [f64; 2] {
        let (n, t) = (f64::from(n), f64::from(t));
        if t == 0.0 {
            return [1.0, 1.0];
        }
        let stretch = self.curve.stretch(n, n + t);
        let share = exp(stretch.value);
        let odds = share / -exp_m1(stretch.value);
        if !(odds > 0.0 && odds.is_finite()) {
            return [share, share];
        }
        // d ln odds = d ln share / (1 − share)
        let error = self.error(stretch.gradient) * (1.0 + odds);
        [-z, z].map(|z| {
            let odds = odds * exp(z * error);
            if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 }
        })
    }

    /// The interval of a positive quantity of the curve, symmetric on the log scale.
    fn positive(&self, z: f64, value: impl Fn(&Curve) -> Result<Option<f64>>) -> Result<Option<[f64; 2]>> {
        const STEP: f64 = 1e-3;
        let Some(here) = value(&self.curve)?.filter(|v| *v > 0.0) else { return Ok(None) };
        let mut gradient = [0.0; 3];
        for i in 0..3 {
            if self.covariance[i][i] <= 0.0 {
                continue;
            }
            // Differences of order h⁴: an error of 1e-10 in an interval is none.
            let mut side = [0.0; 4];
            for (k, side) in [-2.0, -1.0, 1.0, 2.0].into_iter().zip(&mut side) {
                let mut by = [0.0; 3];
                by[i] = k * STEP;
                match value(&self.curve.moved(by))? {
                    Some(v) if v > 0.0 => *side = ln(v),
                    _ => return Ok(None),
                }
            }
            gradient[i] = (side[0] - side[3] + 8.0 * (side[2] - side[1])) / (12.0 * STEP);
        }
        let error = self.error(gradient);
        Ok(Some([here * exp(-z * error), here * exp(z * error)]).filter(|[_, high]| high.is_finite()))
    }
}
