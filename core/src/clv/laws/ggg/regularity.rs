//! What is known of a customer's k, and integrals over it.

use crate::clv::laws::History;
use crate::math::quadrature::over_line;
use crate::math::{digamma, exp, exp_m1, ln, ln_1p, ln_gamma, ln_gamma_excess, ln_gamma_rise, trigamma};

use super::Parameters;

/// The density of ln k times that of the times between purchases, λ integrated
/// out: g(k) k^kx e^((k−1) Σ ln Δ) / Γ(k)^x Γ(A)/Γ(r) α^r B^−A.
pub(super) struct Regularity {
    t: f64,
    /// ln(t / γ), the prior's mode.
    centre: f64,
    gamma: f64,
    r: f64,
    alpha: f64,
    x: f64,
    recency: f64,
    log_intervals: Option<f64>,
    /// ln Γ(t) − (t ln t − t).
    excess: f64,
}

impl Regularity {
    pub(super) fn new([t, gamma, r, alpha, ..]: Parameters, h: History) -> Self {
        let x = f64::from(h.frequency);
        Self {
            t,
            centre: ln(t / gamma),
            gamma,
            r,
            alpha,
            x,
            recency: h.recency,
            // One interval is all of t_x; none has no sum.
            log_intervals: match h.frequency {
                0 => Some(0.0),
                1 => Some(ln(h.recency)),
                _ => h.log_intervals,
            },
            excess: ln_gamma_excess(t),
        }
    }

    /// The logarithm at ln k = `y`.
    fn ln(&self, y: f64) -> f64 {
        let (x, k) = (self.x, exp(y));
        let apart = y - self.centre;
        let prior = self.t * (apart - exp_m1(apart)) - self.excess;
        if self.x == 0.0 {
            return prior;
        }
        let regular = if let Some(sum) = self.log_intervals {
            x * (k - ln_gamma_excess(k)) + (k - 1.0) * sum
        } else {
            let spread = k * x * (1.0 - ln(x)) - ln_gamma_excess(k * x) + ln_gamma(x);
            spread + (k - 1.0) * x * ln(self.recency)
        };
        let grown = k * self.recency;
        prior + regular + ln_gamma_rise(self.r, k * x)
            - self.r * ln_1p(grown / self.alpha)
            - k * x * ln(self.alpha + grown)
    }

    /// Its slope and its bend.
    fn slopes(&self, y: f64) -> (f64, f64) {
        let (x, k) = (self.x, exp(y));
        let prior = (-self.t * exp_m1(y - self.centre), -self.gamma * k);
        if x == 0.0 {
            return prior;
        }
        let (shape, scale) = (self.r + k * x, self.alpha + k * self.recency);
        let regular = if let Some(sum) = self.log_intervals {
            (x * (1.0 + y - digamma(k)) + sum, x * (1.0 / k - trigamma(k)))
        } else {
            let kx = k * x;
            (x * (1.0 + y - digamma(kx) + ln(self.recency)), x * (1.0 / k - x * trigamma(kx)))
        };
        let share = self.recency / scale;
        let first = regular.0 + x * (digamma(shape) - ln(scale)) - shape * share;
        let second = regular.1 + x * x * trigamma(shape) - 2.0 * x * share + shape * share * share;
        (prior.0 + k * first, prior.1 + k * first + k * k * second)
    }

    /// Where it is greatest, together with `ln_rest`, and how wide it is there.
    fn mode(&self, mut ln_rest: impl FnMut(f64) -> f64) -> (f64, f64) {
        let mut y = self.centre;
        let mut bend = -self.t;
        for _ in 0..60 {
            let (slope, second) = self.slopes(y);
            bend = if second < 0.0 { second } else { -(self.t + self.x) };
            let step = (-slope / bend).clamp(-1.0, 1.0);
            y += step;
            if step.abs() < 0.05 / (-bend).sqrt() {
                break;
            }
        }
        let width = 1.0 / (-bend).sqrt();
        // The rest moves it a little, and seldom far.
        let reach = 0.5 * width.min(0.6);
        for _ in 0..12 {
            let mut at = |y: f64| self.ln(y) + ln_rest(exp(y));
            let [before, here, after] = [at(y - reach), at(y), at(y + reach)];
            let (slope, bend) = (after - before, before + after - 2.0 * here);
            let step = if bend < 0.0 { -0.5 * slope / bend } else { 4.0 * slope.signum() };
            if step.is_nan() {
                break;
            }
            y += reach * step.clamp(-4.0, 4.0);
            if step.abs() < 2.0 {
                break;
            }
        }
        (y, width)
    }

    /// Nodes ln k, and the logarithms of their weights in integrals over k of
    /// this times `rest`, given by its logarithm; `ln_rest` is asked where the mode is.
    pub(super) fn nodes(
        &self,
        ln_rest: impl FnMut(f64) -> f64,
        mut rest: impl FnMut(f64) -> f64,
    ) -> Vec<(f64, f64)> {
        let (centre, width) = self.mode(ln_rest);
        over_line(centre, width, 0.1, |y| self.ln(y) + rest(exp(y)))
    }
}
