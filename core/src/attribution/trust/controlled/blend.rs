//! What channels added, of customers weighed and of all alike, in one.
//!
//! Weights make errors small, and favour customers who seldom convert: where those are moved more or less
//! than others, the weighed estimate is of them, and that of all alike is right. The two differ by D; by
//! chance alone D² would be its variance V. The blend goes the part k = max(0, 1 − V / D²) of the way back
//! to the estimate of all alike (Stein's shrinkage), and its error holds what bias may be left.

use super::sums::Sums;
use crate::math::Factor;

/// What features added together, and how often that counts in the sum of all.
pub(super) struct Target {
    pub(super) features: Vec<usize>,
    pub(super) times: f64,
}

/// By target.
pub(super) struct Blend {
    /// Whether anything tells of the first feature.
    pub(super) used: Vec<bool>,
    pub(super) added: Vec<f64>,
    pub(super) variance: Vec<f64>,
    /// The variance of the sum.
    pub(super) together: f64,
}

impl Blend {
    pub(super) fn new(sums: &Sums, theta: &[Vec<f64>; 2], meat: &[f64], targets: &[Target]) -> Self {
        let p = sums.exposure.len();
        let factors = [&sums.plain, &sums.weighed].map(|part| Factor::new(part.square.clone(), p));
        let tells = |f: &usize| factors.iter().all(|factor| factor.used()[*f]);
        let used: Vec<bool> = targets.iter().map(|t| t.features.first().is_some_and(tells)).collect();
        // How each estimate leans on what is left over: a row of 2 p.
        let row = |kind: usize, target: &Target| {
            let mut one = vec![0.0; p];
            target.features.iter().for_each(|f| one[*f] = sums.exposure[*f]);
            let mut out = vec![0.0; 2 * p];
            out[kind * p..(kind + 1) * p].copy_from_slice(&factors[kind].solve(&one));
            out
        };
        let spread = |a: &[f64], b: &[f64]| -> f64 {
            let rows = meat.chunks(2 * p).zip(a).filter(|(_, a)| **a != 0.0);
            rows.map(|(row, a)| a * row.iter().zip(b).map(|(m, b)| m * b).sum::<f64>()).sum()
        };
        let mut all = vec![0.0; 2 * p];
        let (mut added, mut variance) = (vec![0.0; targets.len()], vec![0.0; targets.len()]);
        let mut biased = 0.0;
        for (at, target) in targets.iter().enumerate().filter(|(at, _)| used[*at]) {
            let sum = |kind: usize| target.features.iter().map(|f| theta[kind][*f] * sums.exposure[*f]).sum();
            let [plain, weighed]: [f64; 2] = [0, 1].map(sum);
            let [mut of_plain, of_weighed] = [0, 1].map(|kind| row(kind, target));
            let apart: Vec<f64> = of_plain.iter().zip(&of_weighed).map(|(a, b)| a - b).collect();
            let (gap, chance) = ((plain - weighed) * (plain - weighed), spread(&apart, &apart));
            // Where all weigh alike both are one, but for rounding.
            let k = if gap > chance && chance > 0.0 { 1.0 - chance / gap } else { 0.0 };
            of_plain.iter_mut().zip(&of_weighed).for_each(|(a, b)| *a = k * *a + (1.0 - k) * b);
            let bias = if k > 0.0 { (1.0 - k) * (1.0 - k) * (gap - chance) } else { 0.0 };
            added[at] = weighed + k * (plain - weighed);
            variance[at] = spread(&of_plain, &of_plain).max(0.0) + bias;
            biased += target.times.abs() * bias;
            all.iter_mut().zip(&of_plain).for_each(|(sum, a)| *sum += target.times * a);
        }
        let together = spread(&all, &all).max(0.0) + biased;
        Self { used, added, variance, together }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone() -> [Target; 1] {
        [Target { features: vec![0], times: 1.0 }]
    }

    /// One channel, whose touches do 10: it added 10 by all alike and so many by the weighed.
    fn blend(weighed: f64) -> Blend {
        let mut sums = Sums::new(1);
        (sums.plain.square[0], sums.weighed.square[0], sums.exposure[0]) = (4.0, 2.0, 10.0);
        Blend::new(&sums, &[vec![1.0], vec![weighed]], &[1.6, 0.4, 0.4, 0.4], &alone())
    }

    #[test]
    fn what_chance_explains_leaves_the_weighed_estimate() {
        // By hand: V(plain − weighed) = (10/4)² 1.6 − 2 (10/4) (10/2) 0.4 + (10/2)² 0.4 = 10.
        let found = blend(1.3);
        assert!((found.added[0] - 13.0).abs() < 1e-12 && (found.variance[0] - 10.0).abs() < 1e-12);
        assert_eq!((found.variance[0], true), (found.together, found.used[0]));
    }

    #[test]
    fn one_estimate_stands_as_it_is() {
        // All weigh alike: no gap, and of chance what rounding leaves, on either side of 0.
        for rounding in [0.0, 1e-18, -1e-18] {
            let mut sums = Sums::new(1);
            (sums.plain.square[0], sums.weighed.square[0], sums.exposure[0]) = (4.0, 4.0, 10.0);
            let meat = [1.6, 1.6 + rounding, 1.6 + rounding, 1.6];
            let found = Blend::new(&sums, &[vec![1.0], vec![1.0]], &meat, &alone());
            assert_eq!(found.added[0], 10.0);
            assert!((found.variance[0] - 10.0).abs() < 1e-12 && (found.together - 10.0).abs() < 1e-12);
        }
    }

    #[test]
    fn what_features_added_together_has_their_covariance() {
        // Both estimates alike, so no gap: A is 1, exposures 2 and 3, and what is left over correlates.
        let mut sums = Sums::new(2);
        for part in [&mut sums.plain, &mut sums.weighed] {
            part.square = vec![1.0, 0.0, 0.0, 1.0];
        }
        sums.exposure = vec![2.0, 3.0];
        let one = [[0.5, -0.1], [-0.1, 0.2]];
        let meat: Vec<f64> = (0..16).map(|k| one[k / 4 % 2][k % 2]).collect();
        let target = |features: &[usize], times| Target { features: features.to_vec(), times };
        let targets = [target(&[0, 1], 1.0), target(&[1], 1.0), target(&[1], -1.0)];
        let theta = || vec![7.0, 5.0];
        let found = Blend::new(&sums, &[theta(), theta()], &meat, &targets);
        assert_eq!(found.added, [29.0, 15.0, 15.0]);
        // By hand: 4 · 0.5 − 2 · 6 · 0.1 + 9 · 0.2, and 9 · 0.2; the last two cancel in the sum.
        let wanted = [2.6, 1.8, 1.8, 2.6];
        for (x, y) in found.variance.iter().chain([&found.together]).zip(wanted) {
            assert!((x - y).abs() < 1e-12, "{x} {y}");
        }
    }

    #[test]
    fn what_chance_does_not_explain_is_taken_back() {
        // D² = 100: k = 0.9, and a hundredth of the bias of 90 may be left.
        let found = blend(2.0);
        assert!((found.added[0] - 11.0).abs() < 1e-12, "{}", found.added[0]);
        let spread = 2.25 * 2.25 * 1.6 + 2.0 * 2.25 * 0.5 * 0.4 + 0.25 * 0.4;
        assert!((found.variance[0] - (spread + 0.9)).abs() < 1e-12, "{}", found.variance[0]);
    }
}
