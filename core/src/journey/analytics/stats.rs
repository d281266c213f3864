//! Small statistics of rates and waits.

use crate::math::erfc;

/// P(|Z| ≥ |z|) of a standard normal Z.
pub(super) fn two_sided(z: f64) -> f64 {
    erfc(z.abs() * std::f64::consts::FRAC_1_SQRT_2)
}

/// The score interval of a share of `k` in `n` (Wilson 1927); `None` for n = 0.
pub(super) fn wilson(k: f64, n: f64, z: f64) -> Option<(f64, f64)> {
    if n <= 0.0 {
        return None;
    }
    let p = k / n;
    let scale = 1.0 + z * z / n;
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let low = if k <= 0.0 { 0.0 } else { (centre - half) / scale };
    let high = if k >= n { 1.0 } else { (centre + half) / scale };
    Some((low.max(0.0), high.min(1.0)))
}

/// `k / n`, missing for n = 0.
pub(super) fn ratio(k: f64, n: f64) -> Option<f64> {
    (n > 0.0).then(|| k / n)
}

/// Waits with their weights, ready for quantiles.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(Vec<(i64, f64)>);

impl Waits {
    pub(super) fn new(mut waits: Vec<(i64, f64)>) -> Self {
        waits.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self(waits)
    }

    /// Quantiles in days: the wait at which the cumulative weight passes `q` of
    /// the whole, the mean of two neighbours where it is hit exactly (the
    /// second definition of Hyndman & Fan 1996, which halves as the median does).
    pub(super) fn days(&self, q: f64) -> Option<f64> {
        let whole: f64 = self.0.iter().map(|w| w.1).sum();
        let (target, mut sum) = (q * whole, 0.0);
        let days = |micros: i64| micros as f64 / crate::column::DAY as f64;
        let mut waits = self.0.iter().filter(|w| w.1 > 0.0).peekable();
        while let Some((wait, weight)) = waits.next() {
            sum += weight;
            match waits.peek() {
                Some((next, _)) if sum == target => return Some(f64::midpoint(days(*wait), days(*next))),
                None => return Some(days(*wait)),
                _ if sum > target => return Some(days(*wait)),
                _ => {}
            }
        }
        None
    }
}

/// The tables of one group against the rest, over strata that are alike in all else.
///
/// `O − E` has mean 0 when the group leaves as often as the rest of its
/// stratum does; its variance is that of the hypergeometric distribution
/// (Mantel & Haenszel 1959). The ratio of rates is theirs too, its logarithm's
/// variance that of Greenland & Robins 1985.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MantelHaenszel {
    pub(super) visits: f64,
    pub(super) exits: f64,
    pub(super) expected: f64,
    variance: f64,
    top: f64,
    bottom: f64,
    spread: f64,
}

impl MantelHaenszel {
    /// Adds a stratum: the group's visits and exits, and those of all.
    pub(super) fn add(&mut self, visits: f64, exits: f64, all: f64, left: f64) {
        if visits <= 0.0 {
            return;
        }
        let (others, their) = (all - visits, left - exits);
        self.visits += visits;
        self.exits += exits;
        self.expected += visits * left / all;
        if all > 1.0 {
            self.variance += visits * others * left * (all - left) / (all * all * (all - 1.0));
        }
        self.top += exits * others / all;
        self.bottom += their * visits / all;
        self.spread += (left * visits * others - exits * their * all) / (all * all);
    }

    /// The standardised excess of exits.
    pub(super) fn z(&self) -> Option<f64> {
        (self.variance > 0.0).then(|| (self.exits - self.expected) / self.variance.sqrt())
    }

    /// The ratio of rates with its interval.
    pub(super) fn ratio(&self, z: f64) -> Option<(f64, Option<(f64, f64)>)> {
        if self.bottom <= 0.0 {
            return None;
        }
        let ratio = self.top / self.bottom;
        let interval = (self.top > 0.0).then(|| {
            let width = z * (self.spread / (self.top * self.bottom)).max(0.0).sqrt();
            (ratio * crate::math::exp(-width), ratio * crate::math::exp(width))
        });
        Some((ratio, interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_interval_is_newcombe_s() {
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
        let z = crate::math::normal_quantile(0.975);
        let (low, high) = wilson(81.0, 263.0, z).unwrap_or_default();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5);
        let (low, high) = wilson(0.0, 20.0, z).unwrap_or_default();
        assert!(low == 0.0 && (high - 0.1611).abs() < 5e-5);
    }

    #[test]
    fn a_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        let day = crate::column::DAY;
        let waits = Waits::new(vec![(4 * day, 1.0), (day, 1.0), (2 * day, 1.0), (9 * day, 1.0)]);
        assert_eq!(waits.days(0.5), Some(3.0));
        assert_eq!(waits.days(0.6), Some(4.0));
        assert_eq!(Waits::new(vec![(day, 2.0), (3 * day, 1.0)]).days(0.5), Some(1.0));
        assert_eq!(Waits::default().days(0.5), None);
    }
}
