//! ChannelAttribution's rule, as its `choose_order` has it.

use crate::journey::Chain;

/// Thresholds of the curve.
const POINTS: usize = 100;

/// The area under the curve, and after the penalty; `None` where it has no
/// meaning. A journey's score is the share of conversions among those that
/// end in the same state; the curve is taken at thresholds equally spaced
/// between the lowest and the highest score.
pub(super) fn auc(chain: &Chain, journeys: f64) -> Option<[f64; 2]> {
    let ends: Vec<[f64; 3]> = chain
        .conversions
        .iter()
        .zip(&chain.nulls)
        .filter(|(c, n)| *c + *n > 0.0)
        .map(|(c, n)| [c / (c + n), *c, *n])
        .collect();
    let total = |k: usize| ends.iter().map(|e| e[k]).sum::<f64>();
    let (converted, lost) = (total(1), total(2));
    let states = possible_states(chain);
    if converted <= 0.0 || lost <= 0.0 || states >= journeys {
        return None;
    }
    let low = ends.iter().fold(f64::INFINITY, |a, e| a.min(e[0]));
    let high = ends.iter().fold(f64::NEG_INFINITY, |a, e| a.max(e[0]));
    let mut points = vec![[0.0; 2]; POINTS];
    for (i, point) in points.iter_mut().enumerate() {
        let threshold =
            if i + 1 == POINTS { low } else { high - (high - low) * i as f64 / (POINTS - 1) as f64 };
        let above = || ends.iter().filter(|e| e[0] >= threshold);
        *point = [above().map(|e| e[2]).sum::<f64>() / lost, above().map(|e| e[1]).sum::<f64>() / converted];
    }
    points.push([1.0; 2]);
    let (mut area, mut last) = (0.0, [0.0; 2]);
    for point in points {
        area += (point[0] - last[0]) * (point[1] + last[1]) / 2.0;
        last = point;
    }
    let penalised = 1.0 - (1.0 - area) * (journeys - 1.0) / (journeys - states - 1.0);
    let penalised = if (0.0..=1.0).contains(&penalised) { penalised } else { 0.0 };
    Some([area, penalised])
}

/// Combinations with repetition: channels + order − 1 over order.
fn possible_states(chain: &Chain) -> f64 {
    let channels = chain.channels as f64;
    (0..chain.order()).fold(1.0, |c, i| c * (channels + i as f64) / (i as f64 + 1.0)).round()
}
