//! The retention curve and what follows from it.

use super::life::MOST_PERIODS;
use crate::math::{
    digamma_rise, exp, exp_m1, hyp2f1, ln, ln_1p, ln_gamma_rise, pow, trigamma, trigamma_rise,
};
use crate::{Error, Result};

/// The least and the greatest duration dependence c that models reach.
pub(super) const SLOWEST: f64 = 0.01;
pub(super) const FASTEST: f64 = 20.0;
/// Below this rate the closed form needs too many terms.
const SMALL_RATE: f64 = 1e-3;

/// A retention curve: S(t) = B(α, β + t^c) / B(α, β), with c = 1 for the
/// shifted beta-geometric model.
///
/// Periods are counted in renewals: a new customer has made none, and S(t) is
/// the chance that the customer makes t of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    pub(super) alpha: f64,
    pub(super) beta: f64,
    pub(super) c: f64,
}

/// ln S(t₁) − ln S(t₀) with its derivatives on ln α, ln β, ln c.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub value: f64,
    pub gradient: [f64; 3],
    pub hessian: [[f64; 3]; 3],
}

/// f(z + v) − f(z) − f(z + a + v) + f(z + a), given f's rise; over the shorter
/// of the two sides, which keeps the digits.
fn twist(rise: impl Fn(f64, f64) -> f64, z: f64, a: f64, v: f64) -> f64 {
    if v <= a { rise(z, v) - rise(z + a, v) } else { rise(z, a) - rise(z + v, a) }
}

impl Curve {
    /// A curve of given parameters: finite numbers greater than 0, and c from 0.01 to 20.
    pub fn new(alpha: f64, beta: f64, c: f64) -> Result<Self> {
        for (name, value) in [("alpha", alpha), ("beta", beta)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::option(name, "must be a finite number greater than 0"));
            }
        }
        if !(SLOWEST..=FASTEST).contains(&c) {
            return Err(Error::option("c", "must lie between 0.01 and 20"));
        }
        Ok(Self { alpha, beta, c })
    }

    /// A curve of so many parameters as its model has.
    pub(crate) fn given(values: &[f64]) -> Result<Self> {
        let Self { alpha, beta, c } = Self::of(values);
        Self::new(alpha, beta, c)
    }

    pub(super) fn of(values: &[f64]) -> Self {
        let at = |i: usize| values.get(i).copied().unwrap_or(1.0);
        Self { alpha: at(0), beta: at(1), c: at(2) }
    }

    /// [α, β, c].
    pub fn params(&self) -> [f64; 3] {
        [self.alpha, self.beta, self.c]
    }

    /// The curve with its parameters multiplied by e^`by`.
    pub(super) fn moved(&self, by: [f64; 3]) -> Self {
        let [a, b, c] = by.map(exp);
        Self { alpha: self.alpha * a, beta: self.beta * b, c: self.c * c }
    }

    pub(super) fn clock(&self, t: f64) -> f64 {
        if self.c == 1.0 { t } else { pow(t, self.c) }
    }

    /// ln of S at one value of the clock over S at another.
    pub(super) fn ln_between(&self, from: f64, to: f64) -> f64 {
        twist(ln_gamma_rise, self.beta + from, self.alpha, to - from)
    }

    /// The chance to leave at renewal `t`, of who came so far.
    pub(crate) fn leaving(&self, t: u32) -> f64 {
        -exp_m1(self.ln_retention(t))
    }

    pub(super) fn ln_retention(&self, t: u32) -> f64 {
        let before = f64::from(t) - 1.0;
        if self.c == 1.0 {
            -ln_1p(self.alpha / (self.beta + before))
        } else {
            self.ln_between(self.clock(before), self.clock(f64::from(t)))
        }
    }

    /// S(t): the chance to make `t` renewals.
    pub fn survival(&self, t: u32) -> f64 {
        exp(self.ln_between(0.0, self.clock(f64::from(t))))
    }

    /// S(n + t) / S(n): the chance of a customer who has made `n` renewals to
    /// make `t` more.
    pub fn survival_of_active(&self, n: u32, t: u32) -> f64 {
        let (from, to) = (self.clock(f64::from(n)), self.clock(f64::from(n) + f64::from(t)));
        exp(self.ln_between(from, to))
    }

    /// S(t) / S(t − 1): the share of those who meet renewal `t`, from 1, who make it.
    pub fn retention(&self, t: u32) -> f64 {
        exp(self.ln_retention(t.max(1)))
    }

    /// P(T = t): the chance of a new customer to leave at renewal `t`, from 1.
    pub fn churn(&self, t: u32) -> f64 {
        let t = t.max(1);
        -self.survival(t - 1) * exp_m1(self.ln_retention(t))
    }

    /// Σ_{k ≥ 0} S(n + k) / S(n) / (1 + d)^k: discounted periods, the one that
    /// has just been paid for included, that a customer with `n` renewals will
    /// be there, over all time or over `horizon` periods (100,000 at most). `None`
    /// where infinite, for d = 0 and α c ≤ 1, or beyond the range of a double.
    ///
    /// For c = 1 it is ₂F₁(1, β + n; α + β + n; 1/(1 + d)). Relative error below 1e-12.
    pub fn discounted_lifetime(&self, n: u32, d: f64, horizon: Option<u32>) -> Result<Option<f64>> {
        if !(d.is_finite() && d >= 0.0) {
            return Err(Error::option("discount", "must be a finite rate from 0"));
        }
        if let Some(horizon) = horizon {
            if horizon as usize > MOST_PERIODS {
                return Err(Error::option("horizon", "must be 100,000 periods at most"));
            }
            return Ok(Some(self.sum_to(n, d, horizon)));
        }
        if d == 0.0 && self.alpha * self.c <= 1.0 {
            return Ok(None);
        }
        let n = f64::from(n);
        if self.c == 1.0 && d == 0.0 {
            return Ok(Some((self.alpha + self.beta + n - 1.0) / (self.alpha - 1.0)));
        }
        if self.c == 1.0 && d >= SMALL_RATE {
            let z = 1.0 / (1.0 + d);
            return Ok(Some(hyp2f1(1.0, self.beta + n, self.alpha + self.beta + n, z)));
        }
        Ok(Some(self.sum_all(n, ln_1p(d))).filter(|total| total.is_finite()))
    }

    /// E\[T\]: expected periods of a customer who has made `n` renewals, from
    /// the one just begun; `None` where infinite (α c ≤ 1).
    pub fn expected_lifetime(&self, n: u32) -> Result<Option<f64>> {
        self.discounted_lifetime(n, 0.0, None)
    }

    /// Discounted expected lifetime of a new customer, Σ_{t ≥ 0} S(t) / (1 + d)^t
    /// (Fader & Hardie 2010, *Marketing Science* 29(1)); `None` where infinite.
    pub fn del(&self, d: f64) -> Result<Option<f64>> {
        self.discounted_lifetime(0, d, None)
    }

    /// Discounted expected residual lifetime of a customer in period `n`, from
    /// 1, just before the renewal that ends it: Σ_{t ≥ n} S(t) / S(n − 1) / (1 + d)^(t − n)
    /// (ibid.); `None` where infinite.
    pub fn derl(&self, n: u32, d: f64) -> Result<Option<f64>> {
        let n = n.max(1);
        Ok(self.discounted_lifetime(n, d, None)?.map(|value| self.retention(n) * value))
    }

    /// The clock and its derivatives on ln c.
    fn tick(&self, t: f64) -> [f64; 3] {
        let u = self.clock(t);
        let rate = if t > 0.0 { self.c * ln(t) } else { 0.0 };
        [u, u * rate, u * rate * (1.0 + rate)]
    }

    /// ln S(t₁) − ln S(t₀) and its gradient on ln α, ln β, ln c.
    pub(super) fn slope(&self, from: f64, to: f64) -> (f64, [f64; 3]) {
        let Self { alpha, beta, .. } = *self;
        let (old, new) = (self.tick(from), self.tick(to));
        let (z, v) = (beta + old[0], new[0] - old[0]);
        let by_clock = |u: f64| -digamma_rise(beta + u, alpha);
        let gradient = [
            -digamma_rise(z + alpha, v) * alpha,
            twist(digamma_rise, z, alpha, v) * beta,
            by_clock(new[0]) * new[1] - by_clock(old[0]) * old[1],
        ];
        (twist(ln_gamma_rise, z, alpha, v), gradient)
    }

    pub(super) fn stretch(&self, from: f64, to: f64) -> Stretch {
        let Self { alpha, beta, .. } = *self;
        let (value, gradient) = self.slope(from, to);
        let (old, new) = (self.tick(from), self.tick(to));
        let (z, v) = (beta + old[0], new[0] - old[0]);
        let slope = |u: [f64; 3]| -digamma_rise(beta + u[0], alpha);
        let bend = |u: [f64; 3]| -trigamma_rise(beta + u[0], alpha);
        let alpha_alpha = -trigamma_rise(z + alpha, v);
        let beta_beta = twist(trigamma_rise, z, alpha, v);
        let alpha_c = trigamma(alpha + beta + old[0]) * old[1] - trigamma(alpha + beta + new[0]) * new[1];
        let beta_c = bend(new) * new[1] - bend(old) * old[1];
        let own = |u: [f64; 3]| bend(u) * u[1] * u[1] + slope(u) * u[2];
        let a_b = alpha_alpha * alpha * beta;
        let (a_c, b_c) = (alpha_c * alpha, beta_c * beta);
        Stretch {
            value,
            gradient,
            hessian: [
                [alpha_alpha * alpha * alpha + gradient[0], a_b, a_c],
                [a_b, beta_beta * beta * beta + gradient[1], b_c],
                [a_c, b_c, own(new) - own(old)],
            ],
        }
    }
}
