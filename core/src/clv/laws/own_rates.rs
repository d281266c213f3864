//! What is known of a customer's own rate of buying and of leaving.

use super::History;
use super::purchases::{Purchases, Quantity};
use crate::clv::estimates::Estimates;
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
    /// A log-normal distribution of a rate, correlated with the other's.
    LogNormal {
        /// The median's place.
        median: usize,
        /// The place of the standard deviation of the logarithm.
        sigma: usize,
        /// The same of the other rate.
        other: [usize; 2],
        /// The place of (1 + ρ) / (1 − ρ), ρ the correlation of the logarithms.
        odds: usize,
    },
}

impl Mixing {
    /// The correlation of the logarithms of both rates, for laws that have one, and its limits of level 95 %, which are
    /// `None` where nothing is known of its error: ½ ln q is Fisher's z.
    pub(in crate::clv) fn correlation(self, estimates: &Estimates) -> Option<[Option<f64>; 3]> {
        let Self::LogNormal { odds: at, .. } = self else { return None };
        let odds = estimates.values.get(at).copied()?;
        let rho = |odds: f64| (odds - 1.0) / (odds + 1.0);
        let free = estimates.fixed.get(at) == Some(&false);
        let variance = estimates.covariance.get(at).and_then(|row| row.get(at)).copied()?;
        let edge = |sign: f64| {
            let z = estimates.interval_quantile(0.95).ok().filter(|_| free)?;
            Some(rho(odds * exp(sign * z * variance.max(0.0).sqrt())))
        };
        Some([Some(rho(odds)), edge(-1.0), edge(1.0)])
    }

    /// The posterior mean and standard deviation of one customer's own.
    ///
    /// Moments are ratios of likelihoods: λ Gamma(λ; r, α) = (r / α) Gamma(λ; r + 1, α) and
    /// p Beta(p; a, b) = a / (a + b) Beta(p; a + 1, b), so that E λ = (r / α) L(r + 1) / L(r).
    /// λ times a log-normal density is its mean times one whose medians are e^(σ²) and, the other's,
    /// e^(ρ σ σ') times these.
    pub(in crate::clv) fn own<M: Purchases + ?Sized>(self, model: &M, history: History) -> [f64; 2] {
        let values = &model.estimates().values;
        if self == Self::None {
            return [0.0; 2];
        }
        let of = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
        let raise = |values: &mut Vec<f64>, at: usize, raised: &dyn Fn(f64) -> f64| {
            if let Some(value) = values.get_mut(at) {
                *value = raised(*value);
            }
        };
        let likelihood = |more: f64| {
            let mut values = values.clone();
            match self {
                Self::Gamma { shape: raised, .. } | Self::Beta { a: raised, .. } => {
                    raise(&mut values, raised, &|value| value + more);
                }
                Self::LogNormal { median, sigma, other: [other, sigma_other], odds } => {
                    let rho = (of(odds) - 1.0) / (of(odds) + 1.0);
                    let own = more * of(sigma);
                    raise(&mut values, median, &|value| value * exp(own * of(sigma)));
                    raise(&mut values, other, &|value| value * exp(own * rho * of(sigma_other)));
                }
                Self::None => {}
            }
            model.quantity_at(&values, history, Quantity::LogLikelihood)
        };
        let factor = |n: f64| match self {
            Self::Gamma { shape, rate } => (of(shape) + n) / of(rate),
            Self::Beta { a, b } => (of(a) + n) / (of(a) + of(b) + n),
            Self::None => 0.0,
            Self::LogNormal { median, sigma, .. } => of(median) * exp((n + 0.5) * of(sigma) * of(sigma)),
        };
        let here = likelihood(0.0);
        let first = factor(0.0) * exp(likelihood(1.0) - here);
        let second = factor(0.0) * factor(1.0) * exp(likelihood(2.0) - here);
        [first, (second - first * first).max(0.0).sqrt()]
    }
}
