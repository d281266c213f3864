//! Random variates from `crate::math` alone.
//!
//! `rand_distr` takes its logarithms from whichever mathematics library the
//! feature flags of the whole build select, so the same seed could give other
//! bits in another binding. These few samplers do not.

use rand::Rng;
use rand_pcg::Pcg64;

use super::{ln, pow};

/// A stream of variates.
#[derive(Debug)]
pub(crate) struct Sampler(Pcg64);

impl Sampler {
    pub(crate) fn new(rng: Pcg64) -> Self {
        Self(rng)
    }

    /// Uniform on [0, 1), 53 bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        crate::run::unit(self.0.next_u64())
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Uniform on `0..count`.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        ((self.uniform() * f64::from(count)) as u32).min(count.saturating_sub(1))
    }

    /// An index drawn in proportion to cumulative weights.
    pub(crate) fn pick(&mut self, cumulative: &[f64]) -> usize {
        let total = cumulative.last().copied().unwrap_or(0.0);
        let at = self.uniform() * total;
        cumulative.iter().position(|c| at < *c).unwrap_or(cumulative.len().saturating_sub(1))
    }

    /// Exponential with this mean, by inversion.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(1.0 - self.uniform())
    }

    /// Standard normal, by Marsaglia's polar method.
    fn normal(&mut self) -> f64 {
        loop {
            let u = 2.0 * self.uniform() - 1.0;
            let v = 2.0 * self.uniform() - 1.0;
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * ln(s) / s).sqrt();
            }
        }
    }

    /// Gamma with this shape and scale 1 (Marsaglia & Tsang 2000).
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = pow(1.0 - self.uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let u = 1.0 - self.uniform();
            if u < 1.0 - 0.0331 * (x * x) * (x * x) || ln(u) < 0.5 * x * x + d * (1.0 - v + ln(v)) {
                return d * v;
            }
        }
    }

    /// Beta(a, b), as a ratio of Gammas.
    pub(crate) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        let y = self.gamma(b);
        // Both can underflow for tiny shapes; the mass is then at the ends.
        if x + y > 0.0 { x / (x + y) } else { f64::from(u8::from(self.chance(a / (a + b)))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draw: impl Fn(&mut Sampler) -> f64) -> (f64, f64) {
        let mut sampler = Sampler::new(crate::Run::new().rng(5));
        let n = 200_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = draw(&mut sampler);
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(n);
        (mean, squares / f64::from(n) - mean * mean)
    }

    // Five standard errors of 200,000 draws are about 1 % of the mean here.
    #[test]
    fn moments_are_those_of_the_distributions() {
        for shape in [0.3, 1.0, 2.5, 40.0] {
            let (mean, variance) = moments(|s| s.gamma(shape));
            assert!((mean / shape - 1.0).abs() < 0.02, "gamma {shape}: mean {mean}");
            assert!((variance / shape - 1.0).abs() < 0.06, "gamma {shape}: variance {variance}");
        }
        let (mean, variance) = moments(|s| s.beta(1.0, 4.0));
        assert!((mean - 0.2).abs() < 0.002 && (variance - 4.0 / 150.0).abs() < 0.001);
        let (mean, variance) = moments(|s| s.exponential(3.0));
        assert!((mean - 3.0).abs() < 0.04 && (variance - 9.0).abs() < 0.4);
        let (mean, variance) = moments(Sampler::normal);
        assert!(mean.abs() < 0.012 && (variance - 1.0).abs() < 0.02);
    }

    #[test]
    fn tiny_shapes_stay_in_range() {
        let mut sampler = Sampler::new(crate::Run::new().rng(6));
        for _ in 0..1000 {
            let p = sampler.beta(1e-3, 1e-3);
            assert!((0.0..=1.0).contains(&p));
        }
    }
}
