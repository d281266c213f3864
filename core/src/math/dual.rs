//! Numbers that carry their gradient: a [`Jet`](super::jet::Jet) without the
//! Hessian, for samplers, which ask for gradients alone.

#![allow(clippy::suspicious_arithmetic_impl)] // the product rule

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::jet::Real;
use super::{exp, exp_m1, ln, ln_1p};

/// A number and its gradient in `N` variables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dual<const N: usize> {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; N],
}

impl<const N: usize> Dual<N> {
    /// The variables at a point.
    pub(crate) fn variables(at: [f64; N]) -> [Self; N] {
        std::array::from_fn(|i| {
            let mut dual = Self::from(at[i]);
            dual.gradient[i] = 1.0;
            dual
        })
    }

    /// f(self), given f and f′ there.
    #[inline]
    fn chain(self, value: f64, first: f64) -> Self {
        Self { value, gradient: self.gradient.map(|g| first * g) }
    }
}

impl<const N: usize> From<f64> for Dual<N> {
    fn from(value: f64) -> Self {
        Self { value, gradient: [0.0; N] }
    }
}

macro_rules! linear {
    ($trait:ident, $name:ident, $op:tt) => {
        impl<const N: usize> $trait for Dual<N> {
            type Output = Self;
            #[inline]
            fn $name(self, other: Self) -> Self {
                let gradient = std::array::from_fn(|i| self.gradient[i] $op other.gradient[i]);
                Self { value: self.value $op other.value, gradient }
            }
        }
        impl<const N: usize> $trait<f64> for Dual<N> {
            type Output = Self;
            #[inline]
            fn $name(self, other: f64) -> Self {
                Self { value: self.value $op other, gradient: self.gradient }
            }
        }
    };
}
linear!(Add, add, +);
linear!(Sub, sub, -);

impl<const N: usize> Mul for Dual<N> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        let gradient =
            std::array::from_fn(|i| self.gradient[i] * other.value + self.value * other.gradient[i]);
        Self { value: self.value * other.value, gradient }
    }
}

impl<const N: usize> Mul<f64> for Dual<N> {
    type Output = Self;
    #[inline]
    fn mul(self, factor: f64) -> Self {
        self.chain(self.value * factor, factor)
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let inverse = 1.0 / other.value;
        self * other.chain(inverse, -inverse * inverse)
    }
}

impl<const N: usize> Neg for Dual<N> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        self.chain(-self.value, -1.0)
    }
}

impl<const N: usize> Real for Dual<N> {
    fn value(self) -> f64 {
        self.value
    }
    #[inline]
    fn ln(self) -> Self {
        self.chain(ln(self.value), 1.0 / self.value)
    }
    #[inline]
    fn ln_1p(self) -> Self {
        self.chain(ln_1p(self.value), 1.0 / (1.0 + self.value))
    }
    #[inline]
    fn exp(self) -> Self {
        let value = exp(self.value);
        self.chain(value, value)
    }
    #[inline]
    fn exp_m1(self) -> Self {
        self.chain(exp_m1(self.value), exp(self.value))
    }
    fn ln_gamma_rise(self, d: f64) -> Self {
        self.chain(super::ln_gamma_rise(self.value, d), super::digamma_rise(self.value, d))
    }
}
