//! How far actual purchases may stray from those that a right model expects.
//!
//! Purchases in (t₁, t₂] of one customer have variance E N + E N(N − 1) − (E N)²,
//! and E N(N − 1) is twice the integral of m(u, v), the density of purchases at u
//! and at v, over t₁ < u < v ≤ t₂ (Cox & Isham 1980). Where purchases come at
//! random while a customer lives, those before v are spread evenly, so that m
//! depends on v alone: it is the density of a purchase at 0 times what is then
//! expected at v, which the model tells of a customer with one purchase at 0.
//!
//! ```text
//! E N(N − 1) = 2 { (t₂ − t₁) L(t₂) − ∫_{t₁}^{t₂} L }
//! L(v) = density of a purchase at 0 × E[purchases up to v | a purchase at 0]
//! ```
//!
//! For opportunities (BG/BB) integrals are sums. Purchases at every k-th tick keep
//! their distance, so fewer pairs of them fall into a short span than if they were
//! spread evenly: L is then had from E X(t)(X(t) − 1) by the distribution of X(t),
//! and the formula is a bound from above.

use super::covariates::{Effects, Shared, each_pattern};
use super::frames::History as Rows;
use super::laws::{History, Purchases, Quantity, log_slopes};
use super::rows::Unique;
use crate::column::{Table, Values};
use crate::math::quadrature::integrate;
use crate::math::{Sum, exp, ln, sum};
use crate::{Result, Run};

/// No more purchases of one customer than so many are told apart.
const MOST: usize = 8192;

/// One customer at one age.
#[derive(Clone, Debug, Default, PartialEq)]
struct At {
    age: f64,
    /// E X.
    mean: f64,
    /// Its slopes on log parameters.
    slopes: Vec<f64>,
    /// L.
    later: f64,
    /// ∫ L from 0.
    area: f64,
}

/// A new customer's purchases at given ages.
pub(super) struct Course {
    ages: Vec<f64>,
    at: Vec<At>,
    parameters: usize,
    exact: bool,
}

impl Course {
    /// `ages` in periods are sorted, distinct and positive.
    pub(super) fn of(model: &dyn Purchases, ages: &[f64], run: &Run) -> Result<Self> {
        let periods = |age: f64| if model.is_discrete() { age.floor() } else { age };
        let exact = model.ticks() == 1 && !model.reads_intervals();
        let times: Vec<f64> = ages.iter().map(|age| periods(*age)).collect();
        let curve = if model.reads_intervals() { Curve::of(model, &times, run)? } else { None };
        let parts = run.map_items(times.len(), |i| {
            run.check()?;
            let (from, to) = (i.checked_sub(1).map_or(0.0, |before| times[before]), times[i]);
            if let Some(curve) = curve.as_ref().filter(|_| i > 0) {
                let (mean, slopes, pairs) = curve.at(to);
                return Ok(((mean, slopes), regular(from, to, pairs, |v| curve.at(v).2)));
            }
            let pairs = |t: f64| pairs(model, History::default(), t);
            let now = moments(model, History::default(), to);
            Ok((now, if exact { paired(model, from, to) } else { regular(from, to, pairs(to), pairs) }))
        })?;
        let mut at: Vec<At> = Vec::with_capacity(parts.len());
        let mut sofar = Sum::default();
        for (age, ((mean, slopes), [later, piece])) in times.into_iter().zip(parts) {
            sofar.add(piece);
            let area = sofar.value();
            // By k-th ticks `later` is E X(X − 1) and `area` ∫ E X(X − 1) / v² dv.
            let (later, area) = match exact {
                true => (later, area),
                false if age > 0.0 => (0.5 * (later / age + area), 0.5 * age * area),
                false => (0.0, 0.0),
            };
            at.push(At { age, mean, slopes, later, area });
        }
        Ok(Self { ages: ages.to_vec(), at, parameters: model.estimates().values.len(), exact })
    }

    fn at(&self, age: f64) -> Option<&At> {
        self.ages.binary_search_by(|a| a.total_cmp(&age)).ok().and_then(|i| self.at.get(i))
    }

    /// Variance of one customer's purchases after `before`.
    fn variance(&self, before: &At, now: &At) -> f64 {
        let span = now.age - before.age;
        let mean = now.mean - before.mean;
        let pairs = if !self.exact && 2.0 * before.age < now.age {
            // Of those up to now, pairs that are not both from before.
            let all = |at: &At| 2.0 * (at.age * at.later - at.area);
            all(now) - all(before)
        } else {
            2.0 * (span * now.later - (now.area - before.area))
        };
        (mean + pairs - mean * mean).max(0.0)
    }

    /// How far the purchases of many customers stray, between two ages of each; `steps` are those of
    /// the coefficients of covariates on the law's log parameters.
    pub(super) fn spread(&self, moves: impl Iterator<Item = (f64, f64, f64)>, steps: &[Vec<f64>]) -> Spread {
        let none = At { slopes: vec![0.0; self.parameters], ..At::default() };
        let mut out = Spread { chance: Sum::default(), slopes: none.slopes.clone() };
        for (customers, from, to) in moves {
            let Some(now) = self.at(to) else { continue };
            let before = self.at(from).unwrap_or(&none);
            out.chance.add(customers * self.variance(before, now));
            for (slope, (a, b)) in out.slopes.iter_mut().zip(now.slopes.iter().zip(&before.slopes)) {
                *slope += customers * (a - b);
            }
        }
        out.slopes = along(out.slopes, steps);
        out
    }
}

/// How far the purchases of many customers stray: by chance, and by each parameter of the model.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    chance: Sum,
    slopes: Vec<f64>,
}

impl Spread {
    /// Of this variance by chance, and with these slopes.
    pub(super) fn new(chance: Sum, slopes: Vec<f64>) -> Self {
        Self { chance, slopes }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.chance.merge(other.chance);
        self.slopes.resize(self.slopes.len().max(other.slopes.len()), 0.0);
        self.slopes.iter_mut().zip(&other.slopes).for_each(|(into, from)| *into += from);
    }

    /// Of the purchases of known customers in the `periods` after T, each by its own law.
    pub(super) fn coming(model: &dyn Purchases, rows: &Rows<'_>, periods: f64, run: &Run) -> Result<Self> {
        let each = each_pattern(model.effects(), rows, run, |covariates, slices, _| {
            let own = covariates.map(|row| model.with_covariates(row)).transpose()?;
            let law = own.as_deref().unwrap_or(model);
            let steps = covariates.map_or_else(Vec::new, |row| model.steps(row));
            let unique = Unique::with_intervals(slices, run)?;
            let parts = run.map_items(unique.len(), |row| {
                run.check()?;
                let history = unique.history(row);
                let (mean, slopes) = moments(law, history, periods);
                let chance = (pairs(law, history, periods) + mean - mean * mean).max(0.0);
                Ok((chance, along(slopes, &steps)))
            })?;
            Ok(Shared::new(parts, unique))
        })?;
        let mut chance = Sum::default();
        each.map(|of| of.0).into_iter().for_each(|of| chance.add(of));
        let slopes = each.first().map_or(0, |of| of.1.len());
        let slope = |i: usize| sum(each.map(|of: &(f64, Vec<f64>)| of.1.get(i).copied().unwrap_or_default()));
        Ok(Self { chance, slopes: (0..slopes).map(slope).collect() })
    }

    pub(super) fn deviation(&self, covariance: &[Vec<f64>]) -> f64 {
        let parameters = sum(covariance
            .iter()
            .zip(&self.slopes)
            .flat_map(|(row, a)| row.iter().zip(&self.slopes).map(move |(c, b)| a * c * b)));
        (self.chance.value() + parameters.max(0.0)).sqrt()
    }
}

/// With the slopes on coefficients, which move the law's log parameters by these steps.
fn along(mut slopes: Vec<f64>, steps: &[Vec<f64>]) -> Vec<f64> {
    let of = |step: &Vec<f64>| step.iter().zip(&slopes).map(|(a, b)| a * b).sum::<f64>();
    let of_coefficients: Vec<f64> = steps.iter().map(of).collect();
    slopes.extend(of_coefficients);
    slopes
}

/// What is expected in the t periods after T, and its slopes on log parameters.
fn moments(model: &dyn Purchases, history: History, t: f64) -> (f64, Vec<f64>) {
    let ask = |values: &[f64]| model.quantity_at(values, history, Quantity::Purchases { periods: t });
    let estimates = model.estimates();
    let mean = ask(&estimates.values);
    (mean, log_slopes(estimates, |moved| ask(moved) - mean))
}

/// L(to), and ∫ L over `from` … `to`.
fn paired(model: &dyn Purchases, from: f64, to: f64) -> [f64; 2] {
    let new = History::default();
    if model.is_discrete() {
        let first = model.quantity(new, Quantity::Purchases { periods: 1.0 });
        let bought = History { frequency: 1, recency: 1.0, age: 1.0, ..History::default() };
        let later = |t: f64| first * model.quantity(bought, Quantity::Purchases { periods: t.max(0.0) });
        let area = sum((from as u64..to as u64).map(|t| later(t as f64)));
        return [later(to - 1.0), area];
    }
    let density = model.quantity(new, Quantity::Rate) * model.quantity(new, Quantity::Alive { ahead: 0.0 });
    let bought = History { frequency: 1, recency: 0.0, age: 0.0, ..History::default() };
    let later = |t: f64| density * model.quantity(bought, Quantity::Purchases { periods: t });
    [later(to), integrate(from, to, panels(from, to), later)]
}

/// E X(X − 1) at `to`, and ∫ E X(X − 1) / v² dv over `from` … `to`.
fn regular(from: f64, to: f64, now: f64, pairs: impl Fn(f64) -> f64) -> [f64; 2] {
    [now, integrate(from, to, 1, |v| pairs(v) / (v * v))]
}

/// Chebyshev points of a panel, in which age grows by a factor of e at most.
const POINTS: usize = 9;

/// A new customer's purchases as smooth functions of age, where each age costs many integrals: at few ages ln E X,
/// ln E X(X − 1) and the slopes of ln E X, between which polynomials in ln age tell them to nine digits.
struct Curve {
    low: f64,
    width: f64,
    panels: Vec<[Vec<f64>; POINTS]>,
}

impl Curve {
    /// Over sorted ages; `None` where these are no more than the curve needs, or where a quantity has no logarithm.
    fn of(model: &dyn Purchases, ages: &[f64], run: &Run) -> Result<Option<Self>> {
        let (Some(first), Some(last)) = (ages.first(), ages.last()) else { return Ok(None) };
        let (low, high) = (ln(*first), ln(*last));
        let count = (high - low).ceil().max(1.0);
        if !count.is_finite() || count * (POINTS as f64) >= ages.len() as f64 {
            return Ok(None);
        }
        let width = (high - low) / count;
        let found = run.map_items(count as usize * POINTS, |i| {
            run.check()?;
            let at = low + width * ((i / POINTS) as f64 + 0.5 + 0.5 * point(i % POINTS));
            let age = exp(at);
            let (mean, slopes) = moments(model, History::default(), age);
            let logs = [ln(mean), ln(pairs(model, History::default(), age))];
            Ok(logs.into_iter().chain(slopes.into_iter().map(|slope| slope / mean)).collect::<Vec<f64>>())
        })?;
        if !found.iter().flatten().all(|value| value.is_finite()) {
            return Ok(None);
        }
        let mut found = found.into_iter();
        let panel = |_| std::array::from_fn(|_| found.next().unwrap_or_default());
        Ok(Some(Self { low, width, panels: (0..count as usize).map(panel).collect() }))
    }

    /// E X, its slopes and E X(X − 1) at an age within.
    fn at(&self, age: f64) -> (f64, Vec<f64>, f64) {
        let place = ((ln(age) - self.low) / self.width).max(0.0);
        let panel = (place as usize).min(self.panels.len().saturating_sub(1));
        let x = 2.0 * (place - panel as f64) - 1.0;
        let Some(values) = self.panels.get(panel) else { return (0.0, Vec::new(), 0.0) };
        // The barycentric formula (Berrut & Trefethen 2004).
        let (mut whole, mut out) = (0.0, vec![0.0; values.first().map_or(0, Vec::len)]);
        for (i, values) in values.iter().enumerate() {
            let apart = x - point(i);
            if apart == 0.0 {
                (whole, out) = (1.0, values.clone());
                break;
            }
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            let weight = sign * libm::sin(angle(i)) / apart;
            whole += weight;
            out.iter_mut().zip(values).for_each(|(out, value)| *out += weight * value);
        }
        let mut out = out.into_iter().map(|value| value / whole);
        let mean = exp(out.next().unwrap_or(f64::NEG_INFINITY));
        let pairs = exp(out.next().unwrap_or(f64::NEG_INFINITY));
        (mean, out.map(|slope| mean * slope).collect(), pairs)
    }
}

fn angle(i: usize) -> f64 {
    std::f64::consts::PI * (i as f64 + 0.5) / POINTS as f64
}

/// The points within −1 … 1.
fn point(i: usize) -> f64 {
    libm::cos(angle(i))
}

/// E N(N − 1) of the purchases in the t periods after T, by their distribution.
fn pairs(model: &dyn Purchases, history: History, t: f64) -> f64 {
    let mut most = 64;
    loop {
        let mass = model.probabilities_of(history, t, most);
        let reached = |from: usize| {
            sum(mass.iter().enumerate().skip(from).map(|(n, p)| n as f64 * (n as f64 - 1.0) * p))
        };
        let (all, last) = (reached(0), reached(most / 2));
        if last <= 1e-9 * all || most >= MOST {
            return all;
        }
        most *= 2;
    }
}

fn panels(from: f64, to: f64) -> usize {
    if to > 2.0 * from { 4 } else { 1 }
}

/// The covariance of the logarithms of a model's parameters and then of its coefficients.
pub(super) fn covariance(model: &dyn Purchases) -> &[Vec<f64>] {
    model.effects().map_or(&*model.estimates().covariance, Effects::covariance)
}

/// Bounds of both columns of what is expected, period after period.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds {
    z: f64,
    periods: Vec<f64>,
    cumulative: Vec<f64>,
}

impl Bounds {
    /// `z`: the quantile of the standard normal that bounds reach to; of single periods and of those
    /// up to their end.
    pub(super) fn new(model: &dyn Purchases, z: f64, spreads: &[Vec<Spread>; 2]) -> Self {
        Self::by(covariance(model), z, spreads)
    }

    /// The same by the covariance of what the slopes are on.
    pub(super) fn by(covariance: &[Vec<f64>], z: f64, [periods, cumulative]: &[Vec<Spread>; 2]) -> Self {
        let each = |spread: &[Spread]| spread.iter().map(|s| s.deviation(covariance)).collect();
        Self { z, periods: each(periods), cumulative: each(cumulative) }
    }

    /// The bounds beside the expected, neither below 0.
    pub(super) fn columns(&self, cumulative: &[f64], table: Table) -> Table {
        let at = |means: &[f64], deviations: &[f64], sign: f64| {
            let edge = |(mean, deviation): (&f64, &f64)| (mean + sign * self.z * deviation).max(0.0);
            Values::F64(means.iter().zip(deviations).map(edge).collect())
        };
        let steps: Vec<f64> = (0..cumulative.len())
            .map(|i| cumulative[i] - if i == 0 { 0.0 } else { cumulative[i - 1] })
            .collect();
        table
            .with("expected_low", at(&steps, &self.periods, -1.0))
            .with("expected_high", at(&steps, &self.periods, 1.0))
            .with("expected_cumulative_low", at(cumulative, &self.cumulative, -1.0))
            .with("expected_cumulative_high", at(cumulative, &self.cumulative, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::laws::{ParetoGggLaw, PurchaseModel};

    /// What is told between points is what integrals tell there.
    #[test]
    fn curves_are_those_of_each_age() -> Result<()> {
        let run = Run::new();
        for values in [[1.695, 0.373, 0.948, 5.243, 0.432, 4.348], [20.0, 2.0, 1.3, 6.0, 1.1, 9.0]] {
            let given = PurchaseModel::<ParetoGggLaw, 6>::from_parameters(values, 1, None)?;
            let mut file = serde_json::to_value(&given).unwrap();
            file["estimates"]["fixed"] = vec![false; 6].into();
            let model: PurchaseModel<ParetoGggLaw, 6> = serde_json::from_value(file).unwrap();
            let ages: Vec<f64> = (20..=60).map(|day| f64::from(day) / 7.0).collect();
            let curve = Curve::of(&model, &ages, &run)?.unwrap_or_else(|| unreachable!());
            for age in [20.0 / 7.0, 5.1, 60.0 / 7.0] {
                let (mean, slopes, twice) = curve.at(age);
                let (wanted, by) = moments(&model, History::default(), age);
                assert!(by.iter().all(|slope| *slope != 0.0));
                assert!((mean / wanted - 1.0).abs() < 1e-9, "{age}: {mean} {wanted}");
                let wanted = pairs(&model, History::default(), age);
                assert!((twice / wanted - 1.0).abs() < 1e-8, "{age}: {twice} {wanted}");
                for (slope, by) in slopes.iter().zip(by) {
                    assert!((slope - by).abs() < 1e-7 * (1.0 + by.abs()), "{age}: {slope} {by}");
                }
            }
        }
        Ok(())
    }
}
