//! The delta method: what the uncertainty of the parameters makes of what is said of customers.

use super::History;
use super::purchases::{Purchases, Quantity};
use crate::clv::estimates::Estimates;
use crate::math::{exp, ln_1p};

/// A step of log parameters. Differences are one-sided: their error, a
/// millionth, is nothing beside that of the delta method, and they cost half.
const STEP: f64 = 1e-6;

/// Slopes of so many things on each parameter that is not fixed; `step` moves one, and `rise` is what
/// moved parameters add to the things.
pub(crate) fn slopes(
    at: &[f64],
    things: usize,
    fixed: impl Fn(usize) -> bool,
    step: impl Fn(f64, f64) -> f64,
    rise: impl Fn(&[f64]) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let mut moved = at.to_vec();
    let mut out = vec![vec![0.0; at.len()]; things];
    for i in (0..at.len()).filter(|i| !fixed(*i)) {
        moved[i] = step(at[i], STEP);
        for (out, rise) in out.iter_mut().zip(rise(&moved)) {
            out[i] = rise / STEP;
        }
        moved[i] = at[i];
    }
    out
}

/// The same on log parameters.
fn on_logs(estimates: &Estimates, things: usize, rise: impl Fn(&[f64]) -> Vec<f64>) -> Vec<Vec<f64>> {
    let fixed = |i: usize| estimates.fixed.get(i).copied().unwrap_or(true);
    slopes(&estimates.values, things, fixed, |value, step| value * exp(step), rise)
}

/// Slopes of something on log parameters, of which `rise` is what moved parameters add to it.
pub(crate) fn log_slopes(estimates: &Estimates, rise: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    on_logs(estimates, 1, |moved| vec![rise(moved)]).swap_remove(0)
}

/// What the logarithm rises by; 0 where there is none.
pub(crate) fn ln_rise(value: f64, up: f64) -> f64 {
    if value > 0.0 && up > 0.0 { ln_1p((up - value) / value) } else { 0.0 }
}

/// Slopes of the logarithm of something on log parameters, of which `value` is what it is at the estimates.
pub(crate) fn ln_slopes(estimates: &Estimates, value: f64, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    if value > 0.0 {
        log_slopes(estimates, |moved| ln_rise(value, f(moved)))
    } else {
        vec![0.0; estimates.values.len()]
    }
}

/// The standard deviation of what has these slopes on log parameters.
pub(crate) fn deviation(estimates: &Estimates, slopes: &[f64]) -> f64 {
    deviation_by(&estimates.covariance, slopes)
}

/// The standard deviation of what has these slopes on parameters of this covariance.
pub(crate) fn deviation_by(covariance: &[Vec<f64>], slopes: &[f64]) -> f64 {
    let mut variance = 0.0;
    for (a, row) in slopes.iter().zip(covariance) {
        for (b, c) in slopes.iter().zip(row) {
            variance += a * b * c;
        }
    }
    variance.max(0.0).sqrt()
}

/// Half an interval; `None` where no parameter is known to any accuracy.
pub(crate) fn reach(estimates: &Estimates, z: f64, slopes: &[f64]) -> Option<f64> {
    let known = estimates.fixed.contains(&false);
    Some(z * deviation(estimates, slopes)).filter(|reach| known && reach.is_finite())
}

/// The edges of an interval; one that is beyond the range of a double is missing.
pub(crate) type Edges = [Option<f64>; 2];

/// Edges on the log scale.
pub(crate) fn factors(value: f64, reach: Option<f64>) -> Edges {
    [-1.0, 1.0].map(|sign| reach.map(|reach| value * exp(sign * reach)).filter(|edge| edge.is_finite()))
}

/// Edges on the logit scale: w e^s / (1 − w + w e^s), the logistic of logit(w) + s.
pub(crate) fn shifts(value: f64, reach: Option<f64>) -> Edges {
    // e^±700 is finite, and as good as ∞ or 0 beside a probability.
    let shifted = |s: f64| value / (value + (1.0 - value) * exp(-s.clamp(-700.0, 700.0)));
    [-1.0, 1.0].map(|sign| reach.map(|reach| shifted(sign * reach)))
}

/// Edges of a probability, from the standard deviation of its logarithm: d logit p = d ln p / (1 − p).
pub(crate) fn of_probability(value: f64, reach: Option<f64>) -> Edges {
    let reach = reach.map(|reach| if value > 0.0 && value < 1.0 { reach / (1.0 - value) } else { 0.0 });
    shifts(value, reach)
}

/// Slopes of ln P(alive) − ln P(dead).
pub(super) fn odds_slopes<M: Purchases + ?Sized>(model: &M, history: History) -> Vec<f64> {
    let estimates = model.estimates();
    let odds = model.quantity(history, Quantity::OddsAlive);
    if !odds.is_finite() {
        return vec![0.0; estimates.values.len()];
    }
    log_slopes(estimates, |p| model.quantity_at(p, history, Quantity::OddsAlive) - odds)
}

/// Edges of a quantity of a history that can be: on the logit scale of a probability, else on the log scale.
pub(super) fn around<M: Purchases + ?Sized>(
    model: &M,
    history: History,
    asked: Quantity,
    value: f64,
    z: f64,
) -> Edges {
    let estimates = model.estimates();
    let slopes = ln_slopes(estimates, value, |p| model.quantity_at(p, history, asked));
    let reach = reach(estimates, z, &slopes);
    if matches!(asked, Quantity::Alive { .. }) { of_probability(value, reach) } else { factors(value, reach) }
}

/// Edges of the probabilities of 0, 1, … purchases, which `at` gives and which are `mass` at the estimates.
pub(super) fn of_probabilities(
    estimates: &Estimates,
    mass: &[f64],
    at: impl Fn(&[f64]) -> Vec<f64>,
    z: f64,
) -> Vec<Edges> {
    let rise = |moved: &[f64]| mass.iter().zip(at(moved)).map(|(value, up)| ln_rise(*value, up)).collect();
    let slopes = on_logs(estimates, mass.len(), rise);
    let edges = |(value, slopes): (&f64, &Vec<f64>)| of_probability(*value, reach(estimates, z, slopes));
    mass.iter().zip(&slopes).map(edges).collect()
}
