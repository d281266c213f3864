//! Intervals from replicates, and what differs by more than noise.

use serde::{Deserialize, Serialize};

use crate::math::{benjamini_hochberg, normal_quantile};
use crate::{Error, Result};

/// How replicates become an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// The quantiles of the replicates. The default.
    #[default]
    Percentile,
    /// Those quantiles mirrored at the estimate, 2 θ̂ − q: what is left is
    /// corrected for a bias of the estimate, and may fall below 0.
    Basic,
    /// The estimate plus and minus standard errors of the replicates.
    Normal,
}

/// Checks a confidence.
pub(super) fn check_confidence(confidence: f64) -> Result<()> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(Error::option("confidence", format!("must lie between 0 and 1, for example 0.9, not {confidence}")))
}

/// The `p`-quantile of sorted numbers, interpolated between neighbours (type 7
/// of Hyndman & Fan 1996); 0 of none.
pub(super) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = p * last as f64;
    let low = (at.floor() as usize).min(last);
    let high = (low + 1).min(last);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}

/// The shortest interval that holds so great a part of sorted numbers. Where
/// many of them are the same, such as those of a channel that may bring
/// nothing, the two tails are not alike and quantiles would hold more.
pub(super) fn shortest(sorted: &[f64], confidence: f64) -> [f64; 2] {
    let n = sorted.len();
    let inside = ((confidence * n as f64).ceil() as usize).clamp(1, n.max(1));
    let starts = 0..=n.saturating_sub(inside);
    let length = |i: &usize| sorted.get(i + inside - 1).zip(sorted.get(*i)).map_or(0.0, |(b, a)| b - a);
    let best = starts.min_by(|i, j| length(i).total_cmp(&length(j))).unwrap_or(0);
    [best, best + inside - 1].map(|i| sorted.get(i).copied().unwrap_or(0.0))
}

impl Interval {
    /// The interval of an estimate.
    pub(super) fn of(self, estimate: f64, draws: &[f64], confidence: f64) -> [f64; 2] {
        let tail = (1.0 - confidence) / 2.0;
        if self == Self::Normal {
            let reach = normal_quantile(1.0 - tail) * deviation(draws);
            return [estimate - reach, estimate + reach];
        }
        let mut sorted = draws.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) = (quantile(&sorted, tail), quantile(&sorted, 1.0 - tail));
        match self {
            Self::Basic => [2.0 * estimate - high, 2.0 * estimate - low],
            _ => [low, high],
        }
    }
}

/// The standard deviation of the replicates.
pub(super) fn deviation(draws: &[f64]) -> f64 {
    let n = draws.len() as f64;
    if draws.len() < 2 {
        return 0.0;
    }
    let mean = draws.iter().sum::<f64>() / n;
    (draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// The probability of a difference from 0 as large as this by chance: twice
/// the share of replicates on the other side of 0, each side counting one more.
pub(super) fn p_value(draws: &[f64]) -> f64 {
    let n = draws.len() as f64 + 1.0;
    let below = draws.iter().filter(|d| **d <= 0.0).count() as f64 + 1.0;
    let above = draws.iter().filter(|d| **d >= 0.0).count() as f64 + 1.0;
    (2.0 * below.min(above) / n).min(1.0)
}

/// [`benjamini_hochberg`] of p-values that are all there.
pub(super) fn adjusted(p: &[f64]) -> Vec<f64> {
    let p: Vec<Option<f64>> = p.iter().copied().map(Some).collect();
    benjamini_hochberg(&p).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_known_replicates() {
        let draws: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() < 1e-12 && (a[1] - b[1]).abs() < 1e-12;
        assert!(near(Interval::Percentile.of(40.0, &draws, 0.9), [5.0, 95.0]));
        assert!(near(Interval::Basic.of(40.0, &draws, 0.9), [-15.0, 75.0]));
        let [low, high] = Interval::Normal.of(40.0, &draws, 0.9);
        assert!((low + high - 80.0).abs() < 1e-12 && high > 80.0);
    }

    #[test]
    fn the_shortest_interval_leans_on_what_is_many() {
        // A fifth are nothing: the shortest 80 % reach from there, quantiles would hold 90 %.
        let mut sorted = vec![0.0; 20];
        sorted.extend((1..=80).map(f64::from));
        assert_eq!(shortest(&sorted, 0.8), [0.0, 60.0]);
        assert_eq!(quantile(&sorted, 0.9).round(), 70.0);
        assert_eq!(shortest(&[2.0, 3.0, 3.5, 9.0], 0.5), [3.0, 3.5]);
        assert_eq!((shortest(&[], 0.9), shortest(&[4.0], 0.9)), ([0.0; 2], [4.0; 2]));
    }

    #[test]
    fn a_difference_of_nothing_is_no_news() {
        assert_eq!(p_value(&[0.0; 99]), 1.0);
        assert_eq!(p_value(&[1.0; 99]), 0.02);
    }
}
