//! Sums of a retention curve over all time.

use super::Curve;
use crate::math::{Sum, digamma_rise, exp, ln};

/// Terms that are added one by one at least, unless they vanish before.
const HEAD: f64 = 4000.0;
/// The greatest relative slope at which the tail may become an integral: the
/// correction left out, slope³ / 720 of one term, is then below 1e-12 of the sum.
const SLOPE: f64 = 1e-2;
/// From this value of the clock on, survival is a power of time to the last bit.
const POWER_LAW: f64 = 1e17;
/// Nodes and weights of Gauss and Legendre on [−1, 1], of either sign.
const NODES: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];
/// Width of a panel in the logarithm of time.
const PANEL: f64 = 0.125;

impl Curve {
    /// Σ S(n + k) / S(n) / (1 + d)^k over k below `horizon`.
    pub(super) fn sum_to(&self, n: u32, d: f64, horizon: u32) -> f64 {
        let discount = crate::math::ln_1p(d);
        let mut total = Sum::default();
        let from = self.clock(f64::from(n));
        for k in 0..horizon {
            let k = f64::from(k);
            let term = exp(self.ln_between(from, self.clock(f64::from(n) + k)) - discount * k);
            if term == 0.0 {
                break;
            }
            total.add(term);
        }
        total.value()
    }

    /// Σ S(n + k) / S(n) e^(−δ k) over all k ≥ 0, which the caller knows to be
    /// finite: term by term, then by the sum formula of Euler and Maclaurin.
    pub(super) fn sum_all(&self, n: f64, delta: f64) -> f64 {
        let from = self.clock(n);
        // ln of the term at time n + k, given the logarithm of that time.
        let term = |k: f64, ln_time: f64| {
            let discount = if delta == 0.0 { 0.0 } else { delta * k };
            self.ln_between(from, self.clock_of_ln(ln_time)) - discount
        };
        let mut total = Sum::default();
        let mut k = 0.0;
        loop {
            let value = if k == 0.0 { 1.0 } else { exp(term(k, ln(n + k))) };
            let time = n + k;
            let u = self.clock(time);
            let slope = delta + digamma_rise(self.beta + u, self.alpha) * self.c * u / time.max(1.0);
            if value <= 1e-18 * total.value() * slope.min(1.0) {
                return total.value();
            }
            if k >= HEAD && slope <= SLOPE {
                total.extend([0.5 * value, value * slope / 12.0, -value * slope * slope * slope / 720.0]);
                break;
            }
            total.add(value);
            k += 1.0;
        }
        // ∫ e^(ln term) dt with t = (n + k) e^x.
        let start = ln(n + k);
        let mut x = 0.0;
        loop {
            let mut panel = 0.0;
            for (node, weight) in NODES {
                for sign in [-1.0, 1.0] {
                    let ln_time = start + x + 0.5 * PANEL * (1.0 + sign * node);
                    panel += weight * exp(term(exp(ln_time) - n, ln_time) + ln_time);
                }
            }
            let panel = 0.5 * PANEL * panel;
            total.add(panel);
            x += PANEL;
            if panel <= 1e-18 * total.value() {
                return total.value();
            }
            let ln_time = start + x;
            if delta == 0.0 && self.clock_of_ln(ln_time) > POWER_LAW * (1.0 + self.alpha + self.beta) {
                total.add(exp(term(0.0, ln_time) + ln_time) / (self.alpha * self.c - 1.0));
                return total.value();
            }
        }
    }

    fn clock_of_ln(&self, ln_time: f64) -> f64 {
        exp(self.c * ln_time)
    }
}
