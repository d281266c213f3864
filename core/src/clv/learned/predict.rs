//! What each customer will spend, with how sure that is.

use serde::{Deserialize, Serialize};

use super::super::design::who;
use super::super::regression::finite;
use super::data::Seen;
use super::likelihood::probability;
use super::model::ZeroInflatedLognormalModel;
use crate::column::{Columns, OnInvalid, Tables, Values};
use crate::math::{exp, normal_quantile};
use crate::{Error, Result, Run, Table};

/// Roles and options of predictions.
///
/// Tables:
/// - `predictions`: customer (or row), expected_value (p exp(μ + σ²/2)), p_positive (the
///   probability of buying at all within the horizon), value_if_positive (exp(μ + σ²/2)), median
///   (of the whole distribution: 0 for who is likelier not to buy), sigma. What overflows is missing.
/// - `quantiles`: customer (or row), level, value (of the whole distribution): for each level.
/// - `dropped`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictOptions {
    /// Column of customers; rows are numbered without it.
    pub customer: Option<String>,
    /// Levels of quantiles, between 0 and 1.
    pub quantiles: Vec<f64>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

/// The distribution of one customer's spend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mixture {
    pub(super) p: f64,
    mu: f64,
    sigma: f64,
}

impl Mixture {
    pub(super) fn of([eta, mu, log_sigma]: [f64; 3]) -> Self {
        Self { p: probability(eta), mu, sigma: exp(log_sigma) }
    }

    /// E\[y | y > 0\].
    pub(super) fn mean_of_buyers(&self) -> f64 {
        exp(self.mu + 0.5 * self.sigma * self.sigma)
    }

    pub(super) fn mean(&self) -> f64 {
        self.p * self.mean_of_buyers()
    }

    /// The least y with P(spend ≤ y) ≥ `level`.
    pub(super) fn quantile(&self, level: f64) -> f64 {
        let beyond = level - (1.0 - self.p);
        if beyond <= 0.0 {
            return 0.0;
        }
        exp(self.mu + self.sigma * normal_quantile((beyond / self.p).min(1.0)))
    }
}

pub(super) fn predict(
    model: &ZeroInflatedLognormalModel,
    frame: &Columns,
    options: &PredictOptions,
    run: &Run,
) -> Result<Tables> {
    if let Some(bad) = options.quantiles.iter().find(|q| !(**q > 0.0 && **q < 1.0)) {
        return Err(Error::option("quantiles", format!("{bad} is not a level between 0 and 1, such as 0.9")));
    }
    let seen = Seen::read(model.terms(), frame, options.customer.as_deref(), None, options.on_invalid, run)?;
    let mixtures: Vec<Mixture> = model.predictors(&seen.matrix, run)?.into_iter().map(Mixture::of).collect();
    let everyone: Vec<usize> = (0..mixtures.len()).collect();
    let each =
        |f: &dyn Fn(&Mixture) -> f64| -> Vec<Option<f64>> { mixtures.iter().map(|m| finite(f(m))).collect() };
    let predictions = who(Table::new(), seen.customer.as_ref(), &seen.row, &everyone)
        .with_optional("expected_value", each(&Mixture::mean))
        .with("p_positive", Values::F64(mixtures.iter().map(|m| m.p).collect()))
        .with_optional("value_if_positive", each(&Mixture::mean_of_buyers))
        .with_optional("median", each(&|m| m.quantile(0.5)))
        .with_optional("sigma", each(&|m| m.sigma));
    let levels = &options.quantiles;
    let spread: Vec<usize> = everyone.iter().flat_map(|i| std::iter::repeat_n(*i, levels.len())).collect();
    let quantiles = who(Table::new(), seen.customer.as_ref(), &seen.row, &spread)
        .with("level", Values::F64(everyone.iter().flat_map(|_| levels.iter().copied()).collect()))
        .with_optional("value", mixtures.iter().flat_map(|m| levels.iter().map(|q| finite(m.quantile(*q)))));
    Ok(vec![("predictions", predictions), ("quantiles", quantiles), ("dropped", seen.dropped.table())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{ln, normal_cdf};

    #[test]
    fn quantiles_invert_the_distribution() {
        let m = Mixture::of([-0.4, 2.5, -0.2]);
        let cdf = |y: f64| (1.0 - m.p) + m.p * normal_cdf((ln(y) - m.mu) / m.sigma);
        for level in [0.62, 0.7, 0.9, 0.999] {
            assert!((cdf(m.quantile(level)) - level).abs() < 1e-12, "{level}");
        }
        for level in [0.001, 0.3, 1.0 - m.p] {
            assert_eq!(m.quantile(level), 0.0);
        }
    }

    #[test]
    fn the_mean_is_the_integral_of_the_quantiles() {
        let m = Mixture::of([0.3, 1.0, -1.0]);
        let n = 200_000;
        let mean = (0..n).map(|i| m.quantile((i as f64 + 0.5) / n as f64)).sum::<f64>() / n as f64;
        assert!((mean / m.mean() - 1.0).abs() < 1e-4, "{mean} {}", m.mean());
    }
}
