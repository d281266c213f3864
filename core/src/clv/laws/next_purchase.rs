//! When a customer buys again.

use std::collections::BTreeMap;

use super::History;
use super::delta::{Edges, of_probabilities};
use super::purchases::Purchases;
use crate::math::{exp, ln};

/// No time after this, in periods, is told from never.
const NEVER: f64 = 1e7;
/// The same of opportunities, which are counted one by one.
const MOST_OPPORTUNITIES: f64 = 1e4;

/// The first time after T by which the chance to have bought again, told by `bought`, is `level`;
/// `None` where that never is.
pub(in crate::clv) fn reached(
    discrete: bool,
    age: f64,
    level: f64,
    mut bought: impl FnMut(f64) -> f64,
) -> Option<f64> {
    let (mut low, mut below) = (0.0, -level);
    let mut high = if discrete { 1.0 } else { age.max(1.0) };
    let mut above = bought(high) - level;
    while above < 0.0 {
        (low, below) = (high, above);
        high *= 2.0;
        if high > if discrete { MOST_OPPORTUNITIES } else { NEVER } {
            return None;
        }
        above = bought(high) - level;
    }
    if discrete {
        while high - low > 1.0 {
            let middle = f64::midpoint(low, high).floor();
            if bought(middle) < level { low = middle } else { high = middle }
        }
        return Some(high);
    }
    Some(within((low, below), (high, above), |t| bought(t) - level))
}

/// Where what rises from `below` to `above` is 0, at the end of a bracket that is as narrow as doubles tell.
fn within(
    (mut low, mut below): (f64, f64),
    (mut high, mut above): (f64, f64),
    mut over: impl FnMut(f64) -> f64,
) -> f64 {
    // Interpolate, truncate, project (Oliveira & Takahashi 2020): no slower than halving by more than a step.
    let wanted = |high: f64| 1e-13 * high;
    let steps = ln((high - low) / wanted(high)) / std::f64::consts::LN_2;
    let mut radius = wanted(high) * exp((steps.ceil() + 1.0) * std::f64::consts::LN_2);
    let bent = 0.2 / (high - low);
    while high - low > wanted(high) {
        let width = high - low;
        let middle = f64::midpoint(low, high);
        let straight = (above * low - below * high) / (above - below);
        let side = (middle - straight).signum();
        let moved = (bent * width * width).max(0.1 * wanted(high));
        let near = if moved <= (middle - straight).abs() { straight + side * moved } else { middle };
        let room = (radius - 0.5 * width).max(0.0);
        let at = if (near - middle).abs() <= room { near } else { middle - side * room };
        if !(low < at && at < high) {
            break;
        }
        let found = over(at);
        if found < 0.0 {
            (low, below) = (at, found);
        } else {
            (high, above) = (at, found);
        }
        radius *= 0.5;
    }
    high
}

/// Points of a panel, in which time doubles.
const POINTS: usize = 9;

/// The chances not to have bought by a time, one for each of many laws, of which each costs integrals.
///
/// They are smooth in the logarithm of time: at each end of a panel, in which time doubles, they are asked, and within it
/// are the polynomials through Chebyshev points, to eleven digits. Many searches share them.
pub(super) struct Chances<'a> {
    models: &'a [Box<dyn Purchases>],
    history: History,
    /// The end of a panel.
    start: f64,
    ends: BTreeMap<i64, Vec<f64>>,
    /// Law after law, the chances at the points.
    panels: BTreeMap<i64, Vec<[f64; POINTS]>>,
}

impl<'a> Chances<'a> {
    pub(super) fn new(models: &'a [Box<dyn Purchases>], history: History) -> Self {
        let (ends, panels) = (BTreeMap::new(), BTreeMap::new());
        Self { models, history, start: history.age.max(1.0), ends, panels }
    }

    /// As [`reached`], of what `bought` makes of the chances to have bought.
    pub(super) fn reached(&mut self, level: f64, bought: impl Fn(Vec<f64>) -> f64) -> Option<f64> {
        let (mut end, mut above) = (0, bought(self.at_end(0)) - level);
        let mut below = above;
        while above < 0.0 {
            (end, below) = (end + 1, above);
            if self.start * power(end) > NEVER {
                return None;
            }
            above = bought(self.at_end(end)) - level;
        }
        while below >= 0.0 {
            below = bought(self.at_end(end - 1)) - level;
            if below >= 0.0 {
                (end, above) = (end - 1, below);
                if end < -200 {
                    return Some(self.start * power(end));
                }
            }
        }
        let (low, high) = (self.start * power(end - 1), self.start * power(end));
        Some(within((low, below), (high, above), |t| bought(self.within(end, t)) - level))
    }

    fn none(&self, t: f64) -> impl Iterator<Item = f64> {
        let chance = move |m: &dyn Purchases| m.probabilities_of(self.history, t, 0).first().copied();
        self.models.iter().map(move |m| chance(&**m).unwrap_or(1.0))
    }

    fn at_end(&mut self, end: i64) -> Vec<f64> {
        if !self.ends.contains_key(&end) {
            let found = self.none(self.start * power(end)).collect();
            self.ends.insert(end, found);
        }
        self.ends.get(&end).into_iter().flatten().map(|none| 1.0 - none).collect()
    }

    /// At a time within the panel that ends there.
    fn within(&mut self, end: i64, t: f64) -> Vec<f64> {
        let middle = self.start * power(end) * HALF_WAY;
        if !self.panels.contains_key(&end) {
            let mut found = vec![[0.0; POINTS]; self.models.len()];
            for i in 0..POINTS {
                let at = middle * exp(HALF * point(i));
                for (values, none) in found.iter_mut().zip(self.none(at)) {
                    values[i] = none;
                }
            }
            self.panels.insert(end, found);
        }
        let x = ln(t / middle) / HALF;
        // The barycentric formula (Berrut & Trefethen 2004).
        let mut weights: [f64; POINTS] = std::array::from_fn(|i| {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            sign * libm::sin(angle(i)) / (x - point(i))
        });
        if let Some(met) = weights.iter().position(|weight| !weight.is_finite()) {
            weights = std::array::from_fn(|i| f64::from(u8::from(i == met)));
        }
        let whole: f64 = weights.iter().sum();
        let told = |values: &[f64; POINTS]| {
            let sum: f64 = values.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
            (1.0 - sum / whole).clamp(0.0, 1.0)
        };
        self.panels.get(&end).into_iter().flatten().map(told).collect()
    }
}

/// Half the logarithm of 2, and e to minus that.
const HALF: f64 = 0.5 * std::f64::consts::LN_2;
const HALF_WAY: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// 2 to this.
fn power(of: i64) -> f64 {
    libm::ldexp(1.0, of.clamp(-1000, 1000) as i32)
}

fn angle(i: usize) -> f64 {
    std::f64::consts::PI * (i as f64 + 0.5) / POINTS as f64
}

fn point(i: usize) -> f64 {
    libm::cos(angle(i))
}

/// Edges of the time by which a customer has bought again with probability `level`: when the edges of that
/// probability, by the delta method on the logit scale, reach the level. One that never does is missing.
pub(super) fn edges_of_next<M: Purchases + ?Sized>(model: &M, history: History, level: f64, z: f64) -> Edges {
    // The times turn about: who buys more surely buys sooner.
    [0, 1].map(|edge| {
        reached(model.is_discrete(), history.age, level, |t| {
            let mass = model.probabilities_of(history, t, 0);
            let at = |parameters: &[f64]| model.probabilities_at(parameters, history, t, 0);
            let none =
                of_probabilities(model.estimates(), &mass, at, z).first().and_then(|edges| edges[edge]);
            none.map_or(0.0, |none| 1.0 - none)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Result;
    use crate::clv::purchases_with;

    /// What searches share is what each finds alone.
    #[test]
    fn shared_chances_are_those_of_each_time() -> Result<()> {
        for kind in ["clv.ParetoNBD", "clv.BetaGeo", "clv.BetaGeoCNBD"] {
            let draw = |i: i32| {
                let at = 1.0 + 0.01 * f64::from(i);
                purchases_with(
                    kind,
                    &[0.6 * at, 10.0 / at, 0.7, 12.0 * at],
                    1 + u32::from(kind.ends_with("CNBD")),
                    None,
                )
            };
            let models: Vec<Box<dyn Purchases>> = (0..40).map(draw).collect::<Result<_>>()?;
            for (frequency, recency, age) in
                [(0, 0.0, 0.0), (2, 20.0, 38.0), (40, 37.0, 38.0), (3, 2.0, 38.0)]
            {
                let history = History { frequency, recency, age, ..History::default() };
                let mut chances = Chances::new(&models, history);
                for level in [0.05, 0.4, 0.8] {
                    let mean = |each: Vec<f64>| each.iter().sum::<f64>() / each.len() as f64;
                    let alone = reached(false, age, level, |t| {
                        mean(models.iter().map(|m| 1.0 - m.probabilities_of(history, t, 0)[0]).collect())
                    });
                    let found = chances.reached(level, mean);
                    let near = match (found, alone) {
                        (Some(found), Some(alone)) => (found / alone - 1.0).abs() < 1e-8,
                        (found, alone) => found == alone,
                    };
                    assert!(near, "{kind} {history:?} {level}: {found:?} {alone:?}");
                }
            }
        }
        Ok(())
    }
}
