//! The distributions of z = (ln t − η) / σ.

use serde::{Deserialize, Serialize};

use crate::math::{exp, exp_m1, ln, ln_gamma, log1p_exp, normal_cdf, normal_quantile};

/// The distribution of lifetimes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Weibull: the hazard rises or falls as a power of time. The default.
    #[default]
    Weibull,
    /// Log-normal: the hazard rises, then falls.
    LogNormal,
    /// Log-logistic: the same with heavier tails; proportional odds.
    LogLogistic,
    /// Exponential: a constant hazard; σ is 1.
    Exponential,
}

const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;

/// ln Φ(−z), and the inverse Mills ratio φ(z) / Φ(−z).
fn upper(z: f64) -> (f64, f64) {
    let density = -0.5 * z * z - HALF_LN_TAU;
    if z < 25.0 {
        let log = ln(normal_cdf(-z));
        return (log, exp(density - log));
    }
    // The asymptotic series (Abramowitz & Stegun 26.2.12): its error is below 1e-12 here.
    let u = 1.0 / (z * z);
    let series = 1.0 - u * (1.0 - 3.0 * u * (1.0 - 5.0 * u * (1.0 - 7.0 * u)));
    (density - ln(z) + ln(series), z / series)
}

impl Distribution {
    /// ln f(z), with its first two derivatives; f is the density of z.
    pub(super) fn density(self, z: f64) -> [f64; 3] {
        match self {
            Self::Weibull | Self::Exponential => {
                let e = exp(z);
                [z - e, 1.0 - e, -e]
            }
            Self::LogNormal => [-0.5 * z * z - HALF_LN_TAU, -z, -1.0],
            Self::LogLogistic => {
                let p = 1.0 / (1.0 + exp(-z));
                [z - 2.0 * log1p_exp(z), 1.0 - 2.0 * p, -2.0 * p * (1.0 - p)]
            }
        }
    }

    /// ln S(z), with its first two derivatives.
    pub(super) fn survival(self, z: f64) -> [f64; 3] {
        match self {
            Self::Weibull | Self::Exponential => [-exp(z); 3],
            Self::LogNormal => {
                let (log, mills) = upper(z);
                [log, -mills, -mills * (mills - z)]
            }
            Self::LogLogistic => {
                let p = 1.0 / (1.0 + exp(-z));
                [-log1p_exp(z), -p, -p * (1.0 - p)]
            }
        }
    }

    /// The z at which ln S is `level`, which is negative.
    pub(super) fn quantile(self, level: f64) -> f64 {
        match self {
            Self::Weibull | Self::Exponential => ln(-level),
            Self::LogNormal => -normal_quantile(exp(level)),
            Self::LogLogistic => ln(exp_m1(-level)),
        }
    }

    /// The mean of exp(σ z); `None` where there is none.
    pub(super) fn mean(self, sigma: f64) -> Option<f64> {
        match self {
            Self::Weibull | Self::Exponential => Some(exp(ln_gamma(1.0 + sigma))),
            Self::LogNormal => Some(exp(0.5 * sigma * sigma)),
            Self::LogLogistic => {
                let angle = std::f64::consts::PI * sigma;
                (sigma < 1.0).then(|| angle / libm::sin(angle))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Distribution; 4] = [
        Distribution::Weibull,
        Distribution::LogNormal,
        Distribution::LogLogistic,
        Distribution::Exponential,
    ];

    #[test]
    fn derivatives_are_those_of_differences() {
        for family in ALL {
            for z in [-30.0, -3.0, -0.5, 0.0, 0.7, 2.0, 5.0, 24.99, 25.01] {
                for f in [Distribution::density, Distribution::survival] {
                    let h = 1e-5;
                    let (low, mid, high) = (f(family, z - h), f(family, z), f(family, z + h));
                    for k in 0..2 {
                        let slope = (high[k] - low[k]) / (2.0 * h);
                        let scale = mid[k + 1].abs().max(1.0);
                        assert!(
                            (slope - mid[k + 1]).abs() < 2e-6 * scale.max(mid[k].abs()),
                            "{family:?} {z} {k}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn quantiles_and_means_are_those_of_the_survival() {
        for family in ALL {
            for level in [-1e-6, -0.1, -0.7, -3.0, -20.0] {
                let back = family.survival(family.quantile(level))[0];
                assert!((back / level - 1.0).abs() < 1e-9, "{family:?} {level} {back}");
            }
            // E exp(σ z) = ∫ exp(σ z) f(z) dz.
            let sigma = 0.5;
            let integral: f64 = (-40_000..40_000)
                .map(|i| f64::from(i) * 1e-3)
                .map(|z| exp(sigma * z + family.density(z)[0]) * 1e-3)
                .sum();
            assert!((integral / family.mean(sigma).unwrap() - 1.0).abs() < 1e-6, "{family:?}");
        }
        assert_eq!(Distribution::LogLogistic.mean(1.0), None);
    }
}
