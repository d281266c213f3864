//! The likelihood of one customer, in the predictors of its three heads.
//!
//! With η the log odds of buying, μ and s = ln σ of the logarithm of what is spent, and
//! e = (ln y − μ) / σ: ℓ = 1{y>0} η − ln(1 + e^η) + 1{y>0} (−s − e²/2 − ln √(2π) − ln y).
//! The first two terms hold η alone, the others μ and s alone.

use crate::math::{exp, log1p_exp};

/// ln √(2π).
pub(super) const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// ln P(bought or not), and its first two derivatives in η.
pub(super) fn purchase(bought: bool, eta: f64) -> [f64; 3] {
    let p = probability(eta);
    let y = f64::from(u8::from(bought));
    [if bought { -log1p_exp(-eta) } else { -log1p_exp(eta) }, y - p, -p * (1.0 - p)]
}

/// 1 / (1 + e^−η).
pub(super) fn probability(eta: f64) -> f64 {
    1.0 / (1.0 + exp(-eta))
}

/// The density of the logarithm of an amount with its derivatives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spend {
    pub(super) value: f64,
    /// In μ and in s.
    pub(super) first: [f64; 2],
    /// In μ μ, μ s and s s.
    pub(super) second: [f64; 3],
}

pub(super) fn spend(log_amount: f64, mu: f64, log_sigma: f64) -> Spend {
    let precision = exp(-log_sigma);
    let e = (log_amount - mu) * precision;
    Spend {
        value: -log_sigma - 0.5 * e * e - HALF_LN_TWO_PI,
        first: [e * precision, e * e - 1.0],
        second: [-precision * precision, -2.0 * e * precision, -2.0 * e * e],
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // an oracle of its own
mod tests {
    use super::*;
    use crate::math::jet::{Jet, Real};

    /// The same, written as the paper has it.
    fn paper<R: Real>([eta, mu, s]: [R; 3], y: f64) -> R {
        let one = R::from(1.0);
        let p = one / ((-eta).exp() + 1.0);
        if y == 0.0 {
            return (one - p).ln();
        }
        let e = (-mu + y.ln()) / s.exp();
        p.ln() - s - e * e * 0.5 - HALF_LN_TWO_PI - y.ln()
    }

    #[test]
    fn derivatives_are_those_of_the_papers_loss() {
        for (y, at) in [(0.0, [0.4, 0.0, 0.0]), (37.5, [-1.3, 2.9, 0.7]), (0.02, [2.0, -1.0, -0.4])] {
            let jet = paper(Jet::variables(at), y);
            let [value, first, second] = purchase(y > 0.0, at[0]);
            let (mut want, mut g, mut h) = (value, [first, 0.0, 0.0], [0.0; 3]);
            if y > 0.0 {
                let s = spend(y.ln(), at[1], at[2]);
                want += s.value - y.ln();
                (g[1], g[2], h) = (s.first[0], s.first[1], s.second);
            }
            assert!((jet.value - want).abs() < 1e-13, "{y}");
            for (got, want) in jet.gradient.iter().zip(g) {
                assert!((got - want).abs() < 1e-12, "{y}: {got} {want}");
            }
            assert!((jet.hessian[0][0] - second).abs() < 1e-12);
            // The loss separates: no term holds both η and (μ, s).
            assert!(jet.hessian[0][1].abs() < 1e-15 && jet.hessian[0][2].abs() < 1e-15);
            for (got, want) in [jet.hessian[1][1], jet.hessian[1][2], jet.hessian[2][2]].iter().zip(h) {
                assert!((got - want).abs() < 1e-11, "{y}: {got} {want}");
            }
        }
    }

    #[test]
    fn certain_customers_have_finite_likelihoods() {
        for eta in [-800.0, -40.0, 40.0, 800.0] {
            for bought in [true, false] {
                assert!(purchase(bought, eta).iter().all(|x| x.is_finite()), "{eta}");
            }
        }
        assert_eq!(purchase(true, 100.0)[0], -exp(-100.0));
    }
}
