//! Numbers that carry their first and second derivatives.
//!
//! A likelihood written once over [`Real`] gives its value on `f64`, and on
//! [`Jet`] its exact gradient and Hessian (forward mode; Griewank & Walther
//! 2008, chapter 13), which Newton's method asks for.
#![allow(clippy::needless_range_loop, clippy::assign_op_pattern)] // matrices read best by their indices

use std::ops::{Add, Div, Mul, Neg, Sub};

#[cfg(test)]
use super::newton::Local;
use super::{exp, exp_m1, ln, ln_1p};

/// What a likelihood is written in.
pub(crate) trait Real:
    Copy
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    fn value(self) -> f64;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn exp(self) -> Self;
    fn exp_m1(self) -> Self;

    /// ln(e^self + e^other).
    fn log_add(self, other: Self) -> Self {
        let (high, low) = if self.value() >= other.value() { (self, other) } else { (other, self) };
        if low.value() == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
    }

    /// Σ ln(self + j), j = 0 … count − 1: ln Γ(self + count) − ln Γ(self) without cancellation.
    fn ln_rising(self, count: u32) -> Self {
        if count > 24 {
            return self.ln_gamma_rise(f64::from(count));
        }
        // Products of a few factors, so that there are fewer logarithms.
        let (mut total, mut product) = (Self::from(0.0), Self::from(1.0));
        for j in 0..count {
            product = product * (self + f64::from(j));
            if !(1e-60..1e60).contains(&product.value()) {
                total = total + product.ln();
                product = Self::from(1.0);
            }
        }
        total + product.ln()
    }

    /// ln Γ(self + d) − ln Γ(self).
    fn ln_gamma_rise(self, d: f64) -> Self;
}

impl Real for f64 {
    fn value(self) -> f64 {
        self
    }
    fn ln(self) -> Self {
        ln(self)
    }
    fn ln_1p(self) -> Self {
        ln_1p(self)
    }
    fn exp(self) -> Self {
        exp(self)
    }
    fn exp_m1(self) -> Self {
        exp_m1(self)
    }
    fn ln_gamma_rise(self, d: f64) -> Self {
        super::ln_gamma_rise(self, d)
    }
}

/// A number, its gradient and the upper triangle of its Hessian in `N` variables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Jet<const N: usize> {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; N],
    pub(crate) hessian: [[f64; N]; N],
}

impl<const N: usize> Jet<N> {
    /// The variables at a point.
    pub(crate) fn variables(at: [f64; N]) -> [Self; N] {
        std::array::from_fn(|i| {
            let mut jet = Self::from(at[i]);
            jet.gradient[i] = 1.0;
            jet
        })
    }

    /// f(self), given f, f′ and f″ there.
    #[inline]
    fn chain(self, value: f64, first: f64, second: f64) -> Self {
        let mut out = Self { value, gradient: self.gradient, hessian: self.hessian };
        for i in 0..N {
            let bent = second * self.gradient[i];
            for j in i..N {
                out.hessian[i][j] = first * self.hessian[i][j] + bent * self.gradient[j];
            }
            out.gradient[i] *= first;
        }
        out
    }

    /// As the optimiser takes it.
    #[cfg(test)]
    fn local(self) -> Local<N> {
        let hessian = std::array::from_fn(|i| {
            std::array::from_fn(|j| if i <= j { self.hessian[i][j] } else { self.hessian[j][i] })
        });
        Local { value: self.value, gradient: self.gradient, hessian }
    }
}

impl<const N: usize> From<f64> for Jet<N> {
    fn from(value: f64) -> Self {
        Self { value, gradient: [0.0; N], hessian: [[0.0; N]; N] }
    }
}

macro_rules! linear {
    ($trait:ident, $name:ident, $op:tt) => {
        impl<const N: usize> $trait for Jet<N> {
            type Output = Self;
            #[inline]
            fn $name(mut self, other: Self) -> Self {
                self.value = self.value $op other.value;
                for i in 0..N {
                    self.gradient[i] = self.gradient[i] $op other.gradient[i];
                    for j in i..N {
                        self.hessian[i][j] = self.hessian[i][j] $op other.hessian[i][j];
                    }
                }
                self
            }
        }
        impl<const N: usize> $trait<f64> for Jet<N> {
            type Output = Self;
            #[inline]
            fn $name(mut self, other: f64) -> Self {
                self.value = self.value $op other;
                self
            }
        }
    };
}
linear!(Add, add, +);
linear!(Sub, sub, -);

impl<const N: usize> Mul for Jet<N> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        let mut out = Self::from(self.value * other.value);
        for i in 0..N {
            out.gradient[i] = self.gradient[i] * other.value + self.value * other.gradient[i];
            for j in i..N {
                out.hessian[i][j] = self.hessian[i][j] * other.value
                    + self.value * other.hessian[i][j]
                    + self.gradient[i] * other.gradient[j]
                    + self.gradient[j] * other.gradient[i];
            }
        }
        out
    }
}

impl<const N: usize> Mul<f64> for Jet<N> {
    type Output = Self;
    #[inline]
    fn mul(self, factor: f64) -> Self {
        self.chain(self.value * factor, factor, 0.0)
    }
}

impl<const N: usize> Div for Jet<N> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let inverse = 1.0 / other.value;
        self * other.chain(inverse, -inverse * inverse, 2.0 * inverse * inverse * inverse)
    }
}

impl<const N: usize> Neg for Jet<N> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        self * -1.0
    }
}

impl<const N: usize> Real for Jet<N> {
    fn value(self) -> f64 {
        self.value
    }
    #[inline]
    fn ln(self) -> Self {
        let inverse = 1.0 / self.value;
        self.chain(ln(self.value), inverse, -inverse * inverse)
    }
    #[inline]
    fn ln_1p(self) -> Self {
        let inverse = 1.0 / (1.0 + self.value);
        self.chain(ln_1p(self.value), inverse, -inverse * inverse)
    }
    #[inline]
    fn exp(self) -> Self {
        let value = exp(self.value);
        self.chain(value, value, value)
    }
    #[inline]
    fn exp_m1(self) -> Self {
        let value = exp(self.value);
        self.chain(exp_m1(self.value), value, value)
    }
    fn ln_gamma_rise(self, d: f64) -> Self {
        self.chain(
            super::ln_gamma_rise(self.value, d),
            super::digamma_rise(self.value, d),
            super::trigamma_rise(self.value, d),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f<R: Real>([x, y]: [R; 2]) -> R {
        let a = (x * y + 1.0).ln() * x.exp() - (y * 0.3).ln() / (x + 2.0);
        a.log_add(y.exp_m1() * x.ln_1p()) + x.ln_rising(5) - y.ln_rising(40) * 0.1
    }

    #[test]
    fn jets_are_the_derivatives_of_the_value() {
        let at = [0.7, 1.9];
        let jet = f(Jet::variables(at)).local();
        assert_eq!(jet.value, f(at));
        let moved = |i: usize, h: f64| {
            let mut at = at;
            at[i] += h;
            f(Jet::variables(at)).local()
        };
        for i in 0..2 {
            let (up, down) = (moved(i, 1e-5), moved(i, -1e-5));
            assert!(((up.value - down.value) / 2e-5 - jet.gradient[i]).abs() < 1e-8);
            for j in 0..2 {
                let slope = (up.gradient[j] - down.gradient[j]) / 2e-5;
                assert!((slope - jet.hessian[i][j]).abs() < 1e-7, "{i} {j}");
            }
        }
    }

    #[test]
    fn rising_factorials_agree_with_gamma() {
        for count in [0_u32, 1, 7, 24, 25, 400] {
            let z = 0.243;
            let exact = crate::math::ln_gamma(z + f64::from(count)) - crate::math::ln_gamma(z);
            assert!((z.ln_rising(count) - exact).abs() < 1e-11, "{count}");
        }
    }
}
