//! When a customer buys again.

use super::History;
use super::delta::{Edges, of_probabilities};
use super::purchases::Purchases;
use crate::math::ln;

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
    // Interpolate, truncate, project (Oliveira & Takahashi 2020): no slower than halving by more than a step.
    let wanted = |high: f64| 1e-13 * high;
    let steps = ln((high - low) / wanted(high)) / std::f64::consts::LN_2;
    let mut radius = wanted(high) * crate::math::exp((steps.ceil() + 1.0) * std::f64::consts::LN_2);
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
        let found = bought(at) - level;
        if found < 0.0 {
            (low, below) = (at, found);
        } else {
            (high, above) = (at, found);
        }
        radius *= 0.5;
    }
    Some(high)
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
