//! What is known of a customer's own rate of buying and of leaving.

use super::History;
use super::purchases::{Purchases, Quantity};
use crate::math::exp;

/// How a rate or a probability differs between customers, by the places of its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixing {
    /// A Gamma distribution of a rate.
    Gamma {
        /// The shape's place.
        shape: usize,
        /// The place of the rate parameter, a time.
        rate: usize,
    },
    /// A Beta distribution of a probability.
    Beta {
        /// The first parameter's place.
        a: usize,
        /// The second's.
        b: usize,
    },
    /// Nothing differs, for nothing happens: nobody leaves.
    None,
}

impl Mixing {
    /// The posterior mean and standard deviation of one customer's own.
    ///
    /// Moments are ratios of likelihoods: λ Gamma(λ; r, α) = (r / α) Gamma(λ; r + 1, α) and
    /// p Beta(p; a, b) = a / (a + b) Beta(p; a + 1, b), so that E λ = (r / α) L(r + 1) / L(r).
    pub(in crate::clv) fn own<M: Purchases + ?Sized>(self, model: &M, history: History) -> [f64; 2] {
        let values = &model.estimates().values;
        let of = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
        let raised = match self {
            Self::Gamma { shape, .. } => shape,
            Self::Beta { a, .. } => a,
            Self::None => return [0.0; 2],
        };
        let likelihood = |more: f64| {
            let mut values = values.clone();
            if let Some(value) = values.get_mut(raised) {
                *value += more;
            }
            model.quantity_at(&values, history, Quantity::LogLikelihood)
        };
        let factor = |n: f64| match self {
            Self::Gamma { shape, rate } => (of(shape) + n) / of(rate),
            Self::Beta { a, b } => (of(a) + n) / (of(a) + of(b) + n),
            Self::None => 0.0,
        };
        let here = likelihood(0.0);
        let first = factor(0.0) * exp(likelihood(1.0) - here);
        let second = factor(0.0) * factor(1.0) * exp(likelihood(2.0) - here);
        [first, (second - first * first).max(0.0).sqrt()]
    }
}
