//! Expected purchases, safe for every a, b, x and t.
//!
//! The printed form (Fader, Hardie & Lee 2005, eq. 10) is a difference divided
//! by a − 1, with a ₂F₁ that has no value when a + b + x ≤ 1. Two equivalent
//! forms have neither fault. With R = r + x, B = b + x, A = α + T, u = t/A:
//!
//! - the series Σ_{n≥1} (B)_{n−1}/(a+B)_{n−1} · P(N ≥ n), N negative binomial
//!   with shape R and odds u: the n-th purchase happens if the rate allows it
//!   and the customer survived n − 1 dropouts. All terms are positive;
//! - the integral E_p [1 − (1 + p u)^−R] / p, p ~ Beta(a, B), by the trapezoidal
//!   rule on logit p, whose error is exponentially small.
//!
//! The series takes about 40 (1 + u) + R u terms, so the integral serves the
//! rest, where t is many times A.

use crate::math::{Sum, exp, exp_m1, ln, ln_1p, ln_beta, log1p_exp, trigamma};

/// Beyond this many terms the integral is cheaper.
const SERIES_TERMS: f64 = 5000.0;
/// Below e^−600 the first probability is kept scaled by powers of two.
const LN_TINY: f64 = -600.0;
/// 2^512, and its logarithm.
const SCALE: f64 = 1.340_780_792_994_259_7e154;
const LN_SCALE: f64 = 512.0 * std::f64::consts::LN_2;

/// The law of a living customer's future: rate ~ Gamma(`shape`, `rate`), dropout ~ Beta(`a`, `b`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Future {
    pub shape: f64,
    pub rate: f64,
    pub a: f64,
    pub b: f64,
}

impl Future {
    /// Expected purchases in `t` periods of a customer who is alive.
    pub(crate) fn expected(self, t: f64) -> f64 {
        let odds = t / self.rate;
        if odds <= 0.0 {
            0.0
        } else if self.terms(odds) < SERIES_TERMS {
            self.series(odds)
        } else {
            self.integral(odds)
        }
    }

    fn terms(self, odds: f64) -> f64 {
        let mean = self.shape * odds;
        40.0 * (1.0 + odds) + mean + 10.0 * (mean * (1.0 + odds)).sqrt()
    }

    fn series(self, odds: f64) -> f64 {
        let z = odds / (1.0 + odds);
        let ln_none = -self.shape * ln_1p(odds);
        let mut scales = if ln_none < LN_TINY { ((LN_TINY - ln_none) / LN_SCALE).ceil() } else { 0.0 };
        let mut mass = exp(ln_none + scales * LN_SCALE); // P(N = n − 1), times SCALE^scales
        let mut beyond = -exp_m1(ln_none); // P(N ≥ n)
        let mut survive = 1.0; // (B)_{n−1} / (a+B)_{n−1}
        let mut total = Sum::default();
        let mut n = 1.0;
        loop {
            total.add(survive * beyond);
            mass *= z * ((self.shape + (n - 1.0)) / n);
            survive *= (self.b + (n - 1.0)) / (self.a + self.b + (n - 1.0));
            if scales > 0.0 {
                if mass > SCALE * 1e-100 {
                    mass /= SCALE;
                    scales -= 1.0;
                }
            } else {
                beyond = (beyond - mass).max(0.0);
                let ratio = z * ((self.shape + n) / (n + 1.0)).max(1.0);
                let rest = 1.0 - ratio;
                if rest > 0.0 && survive * mass * ratio < 1e-17 * rest * rest * total.value() || beyond == 0.0
                {
                    return total.value();
                }
            }
            n += 1.0;
        }
    }

    fn integral(self, odds: f64) -> f64 {
        let Self { shape, a, b, .. } = self;
        let normaliser = ln_beta(a, b);
        let term = |y: f64| {
            let (ln_p, ln_q) = (-log1p_exp(-y), -log1p_exp(y));
            let p = exp(ln_p);
            let gain =
                if p * odds * shape < 1e-300 { shape * odds } else { -exp_m1(-shape * ln_1p(p * odds)) / p };
            exp(a * ln_p + b * ln_q - normaliser) * gain
        };
        // A step that resolves the beta density, and (1 + p u)^−R whose poles lie at Im y = π.
        let step = (0.5 * (trigamma(a) + trigamma(b)).sqrt()).min(0.25);
        let centre = ln(a) - ln(b);
        // Beyond these the integrand is a pure exponential, and its sum geometric.
        let left = (-42.0 - ln(b.max(odds * shape.max(1.0)).max(a).max(1.0))).min(centre);
        let right = (42.0 + ln(b.max(a).max(1.0))).max(centre);
        let mut total = Sum::default();
        for (direction, end, decay) in [(1.0, right, b), (-1.0, left, a)] {
            let mut k = if direction > 0.0 { 0.0 } else { 1.0 };
            let mut before = 0.0;
            loop {
                let y = centre + direction * k * step;
                let value = term(y);
                total.add(value);
                if direction * (y - end) >= 0.0 {
                    let ratio = exp(-decay * step);
                    total.add(value * ratio / -exp_m1(-decay * step));
                    break;
                }
                if value < before && value < 1e-22 * total.value() {
                    break;
                }
                before = value;
                k += 1.0;
            }
        }
        step * total.value()
    }

    /// Σ_t `weights[t−1]` · expected(t) for t = 1, 2, …: discounted lifetimes
    /// need many horizons of one customer, which share the survival terms.
    pub(super) fn weighted(self, weights: &[f64], lanes: &mut Lanes) -> f64 {
        let longest = weights.len() as f64 / self.rate;
        if self.terms(longest) >= SERIES_TERMS || -self.shape * ln_1p(longest) < LN_TINY {
            let mut total = Sum::default();
            for (i, w) in weights.iter().enumerate() {
                total.add(w * self.expected((i + 1) as f64));
            }
            return total.value();
        }
        lanes.resize(weights.len());
        for i in 0..weights.len() {
            let odds = (i + 1) as f64 / self.rate;
            let ln_none = -self.shape * ln_1p(odds);
            lanes.z[i] = odds / (1.0 + odds);
            lanes.mass[i] = exp(ln_none);
            lanes.beyond[i] = -exp_m1(ln_none);
        }
        let z = lanes.z[weights.len() - 1];
        let mut survive = 1.0;
        let mut n = 1.0;
        let mut total = Sum::default();
        loop {
            let growth = (self.shape + (n - 1.0)) / n;
            let mut sum = 0.0;
            for (((w, z), mass), beyond) in
                weights.iter().zip(&lanes.z).zip(&mut lanes.mass).zip(&mut lanes.beyond)
            {
                sum += w * *beyond;
                *mass *= z * growth;
                *beyond = (*beyond - *mass).max(0.0);
            }
            total.add(survive * sum);
            survive *= (self.b + (n - 1.0)) / (self.a + self.b + (n - 1.0));
            let ratio = z * ((self.shape + n) / (n + 1.0)).max(1.0);
            let rest = 1.0 - ratio;
            // Weights are not negative and the longest horizon has the longest tail.
            let mass = lanes.mass[weights.len() - 1];
            if rest > 0.0 && survive * mass * ratio < 1e-17 * rest * rest * total.value().abs() || sum == 0.0
            {
                return total.value();
            }
            n += 1.0;
        }
    }

    /// P(N = n) for n = 0 … `most`: the purchases of `t` periods.
    pub(super) fn probabilities(self, t: f64, most: usize) -> Vec<f64> {
        let Self { shape, a, b, .. } = self;
        let odds = t / self.rate;
        let z = odds / (1.0 + odds);
        let ln_none = -shape * ln_1p(odds);
        // Beyond `most` the tail is added up from its far end, so that no digit of it is lost.
        let mut mass = Vec::with_capacity(most + 2);
        let mut current = ln_none;
        let mut n = 0.0;
        loop {
            mass.push(exp(current));
            let ratio = z * (shape + n) / (n + 1.0);
            let far = mass.len() > most + 1;
            let last = mass[mass.len() - 1];
            if ratio == 0.0 || far && ratio < 1.0 && last <= 1e-18 * mass[most + 1] * (1.0 - ratio.max(z)) {
                break;
            }
            if mass.len() > most + 50_000_000 {
                break;
            }
            current += ln(ratio);
            n += 1.0;
        }
        let mut beyond = vec![0.0; most + 2];
        let mut tail = 0.0;
        for (i, m) in mass.iter().enumerate().rev() {
            tail += m;
            if i < beyond.len() {
                beyond[i] = tail;
            }
        }
        let mut survive = 1.0; // (b)_n / (a+b)_n
        (0..=most)
            .map(|n| {
                let purchased = survive * mass.get(n).copied().unwrap_or(0.0);
                let before = if n == 0 {
                    0.0
                } else {
                    // dropped out at the n-th purchase though the rate allowed more: a/(b+n−1) of the survivors
                    survive * a / (b + (n - 1) as f64) * beyond[n]
                };
                survive *= (b + n as f64) / (a + b + n as f64);
                purchased + before
            })
            .collect()
    }
}

/// Scratch space of [`Future::weighted`].
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    z: Vec<f64>,
    mass: Vec<f64>,
    beyond: Vec<f64>,
}

impl Lanes {
    fn resize(&mut self, len: usize) {
        self.z.resize(len, 0.0);
        self.mass.resize(len, 0.0);
        self.beyond.resize(len, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_integral_and_lanes_agree() {
        for shape in [0.05, 0.243, 2.2, 40.0, 2000.0] {
            for (a, b) in [
                (0.793, 2.426),
                (1.0, 5.0),
                (1e-6, 2.0),
                (0.2, 0.01),
                (500.0, 2000.0),
                (0.8, 1e6),
                (30.0, 0.5),
            ] {
                for odds in [1e-6, 0.01, 0.7, 5.0, 30.0] {
                    let future = Future { shape, rate: 10.0, a, b };
                    let (series, integral) = (future.series(odds), future.integral(odds));
                    // The integral loses what a and b are large by, the series what it has terms.
                    let bound = 1e-13 + 1e-15 * (a + b) + 1e-16 * shape * odds;
                    assert!(
                        (series / integral - 1.0).abs() < bound,
                        "{future:?} {odds}: {series} {integral}"
                    );
                }
                let future = Future { shape, rate: 10.0, a, b };
                let weights = [0.5, 0.0, 0.25, 1.0];
                let sum: f64 = weights.iter().zip(1..).map(|(w, t)| w * future.expected(t as f64)).sum();
                let lanes = future.weighted(&weights, &mut Lanes::default());
                assert!((lanes / sum - 1.0).abs() < 1e-13, "{future:?}: {lanes} {sum}");
            }
        }
    }
}
