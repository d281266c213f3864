//! Links between the predictor and the hazard of a period.

use serde::{Deserialize, Serialize};

use crate::math::{exp, exp_m1, ln, ln_1p, log1p_exp};

/// How the predictor becomes the probability of leaving in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// h = 1 / (1 + e^−η): coefficients are log odds ratios (Cox 1972). The default.
    #[default]
    Logit,
    /// h = 1 − exp(−e^η): Cox's model seen in periods, coefficients are log
    /// hazard ratios (Prentice & Gloeckler 1978).
    Cloglog,
}

impl Link {
    /// The log-likelihood of `d` events among `n` at risk, and its first two derivatives in η.
    pub(super) fn terms(self, eta: f64, n: f64, d: f64) -> [f64; 3] {
        match self {
            Self::Logit => {
                let p = 1.0 / (1.0 + exp(-eta));
                [d * eta - n * log1p_exp(eta), d - n * p, -n * p * (1.0 - p)]
            }
            Self::Cloglog => {
                let m = exp(eta);
                let mut out = [-(n - d) * m; 3];
                if d > 0.0 {
                    // ln(1 − e^−m), and m / (e^m − 1), which is 1 at 0 and 0 far out.
                    let r = if m < 700.0 { m / exp_m1(m) } else { 0.0 };
                    let r = if m == 0.0 { 1.0 } else { r };
                    let log = if m < 0.5 { ln(-exp_m1(-m)) } else { ln_1p(-exp(-m)) };
                    out[0] += d * log;
                    out[1] += d * r;
                    out[2] += d * r * (1.0 - m - r);
                }
                out
            }
        }
    }

    /// ln(1 − h).
    pub(super) fn log_stay(self, eta: f64) -> f64 {
        match self {
            Self::Logit => -log1p_exp(eta),
            Self::Cloglog => -exp(eta),
        }
    }

    /// The predictor of a hazard strictly between 0 and 1.
    pub(super) fn of(self, hazard: f64) -> f64 {
        match self {
            Self::Logit => ln(hazard) - ln_1p(-hazard),
            Self::Cloglog => ln(-ln_1p(-hazard)),
        }
    }
}
