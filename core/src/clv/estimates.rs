//! What every fitted model reports about its estimates.

use serde::{Deserialize, Serialize};

use crate::column::{Table, Text, Values};
use crate::math::{exp, normal_quantile};
use crate::{Error, Result};

/// Whether the likelihood has its maximum at finite parameters, and if not,
/// which simpler model the data ask for.
///
/// Predictions are finite and right in every case; parameters that ran off
/// carry no standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// An ordinary maximum.
    #[default]
    Interior,
    /// The data show no dropout: the model is the NBD limit (b/a → ∞).
    NoDropout,
    /// All customers drop out with one probability (a, b → ∞ in proportion).
    EqualDropout,
    /// Dropout is certain, at once or for some customers (b → 0 or a/b → ∞).
    CertainDropout,
    /// A customer drops out at the first chance or never (a, b → 0 in proportion).
    PolarisedDropout,
    /// The hazard of dropout does not grow with age (b → 0 of GGompertz/NBD): the model is Pareto/NBD.
    ConstantHazard,
    /// All customers buy at one rate (r, α → ∞ in proportion).
    EqualRates,
    /// All customers buy equally regularly (t, γ → ∞ in proportion).
    EqualRegularity,
    /// ln λ tells ln μ of a customer, or the data do not say how they go together (ρ → ±1 of Abe's Pareto/NBD).
    PerfectCorrelation,
    /// All customers spend alike (q, v → ∞ in proportion), or each always the same (p → ∞).
    EqualSpend,
    /// The likelihood rises for ever along some coefficients: they tell who has the
    /// event without fail (separation; Heinze & Schemper 2001).
    MonotoneLikelihood,
    /// Another parameter lies on the edge of what can be represented.
    Boundary,
    /// There was no fit: the parameters were given, and nothing is known of their errors.
    Given,
}

impl Verdict {
    /// That on coefficients, of which some ran off where the data do not identify them.
    pub(super) fn of_coefficients(fixed: &[bool]) -> Self {
        if fixed.contains(&true) { Self::MonotoneLikelihood } else { Self::Interior }
    }

    /// The name in tables and in the other languages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interior => "interior",
            Self::NoDropout => "no_dropout",
            Self::EqualDropout => "equal_dropout",
            Self::CertainDropout => "certain_dropout",
            Self::PolarisedDropout => "polarised_dropout",
            Self::ConstantHazard => "constant_hazard",
            Self::EqualRates => "equal_rates",
            Self::EqualRegularity => "equal_regularity",
            Self::PerfectCorrelation => "perfect_correlation",
            Self::EqualSpend => "equal_spend",
            Self::MonotoneLikelihood => "monotone_likelihood",
            Self::Boundary => "boundary",
            Self::Given => "given",
        }
    }
}

/// The estimates of a model and how they were reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimates {
    /// The parameters' names.
    pub names: Vec<String>,
    /// The parameters.
    pub values: Vec<f64>,
    /// Covariance of the *logarithms* of the parameters, from the observed
    /// information; rows and columns of `fixed` parameters are 0.
    pub covariance: Vec<Vec<f64>>,
    /// Parameters that the data do not identify, held where the search left them.
    pub fixed: Vec<bool>,
    /// The maximised log-likelihood, without the penalty; `None` where the parameters were given.
    pub log_likelihood: Option<f64>,
    /// Customers fitted: the sum of the weights; `None` where the parameters were given.
    pub customers: Option<f64>,
    /// Distinct rows among them.
    pub distinct: u64,
    /// Newton steps taken on all rows.
    pub iterations: u64,
    /// Greatest absolute entry of the gradient on log parameters, per customer.
    pub gradient_norm: f64,
    /// Whether this is an ordinary maximum.
    pub verdict: Verdict,
}

impl Estimates {
    /// Parameters that were given, for example published ones: no fit, no errors.
    pub(crate) fn given(names: &[&str], values: Vec<f64>) -> Self {
        let n = values.len();
        Self {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            values,
            covariance: vec![vec![0.0; n]; n],
            fixed: vec![true; n],
            log_likelihood: None,
            customers: None,
            distinct: 0,
            iterations: 0,
            gradient_norm: 0.0,
            verdict: Verdict::Given,
        }
    }

    /// The normal quantile of a two-sided interval of this level for the uncertainty of the parameters, an
    /// [`Error::Option`] where they were given.
    pub(crate) fn interval_quantile(&self, level: f64) -> Result<f64> {
        let z = interval_quantile(level)?;
        if self.verdict == Verdict::Given {
            let reason = format!(
                "the parameters {} were given, so they have no standard errors: fit the model, or ask without an \
                 interval",
                self.names.join(", ")
            );
            return Err(Error::option("interval", reason));
        }
        Ok(z)
    }

    /// The log-likelihood of what was fitted.
    pub(crate) fn fit(&self) -> f64 {
        self.log_likelihood.unwrap_or_default()
    }

    /// AIC of so many parameters.
    pub(crate) fn aic(&self, free: usize) -> Option<f64> {
        self.log_likelihood.map(|fit| 2.0 * free as f64 - 2.0 * fit)
    }

    /// BIC of so many parameters.
    pub(crate) fn bic(&self, free: usize) -> Option<f64> {
        let (fit, customers) = (self.log_likelihood?, self.customers?);
        Some(free as f64 * crate::math::ln(customers) - 2.0 * fit)
    }

    /// The variance on the log scale; `None` where the parameter is not identified.
    fn variance(&self, i: usize) -> Option<f64> {
        let variance = *self.covariance.get(i)?.get(i)?;
        (!*self.fixed.get(i)? && variance > 0.0).then_some(variance)
    }

    /// Standard errors of the parameters (delta method: value × standard error
    /// of the logarithm); `None` where the data do not identify the parameter.
    pub fn standard_errors(&self) -> Vec<Option<f64>> {
        (0..self.values.len())
            .map(|i| self.variance(i).map(|v| self.values[i] * v.sqrt()).filter(|e| e.is_finite()))
            .collect()
    }

    /// A frame: parameter, estimate, standard_error, low, high.
    ///
    /// The interval is symmetric on the log scale, so it stays positive; an end
    /// beyond the range of a double is missing.
    pub fn table(&self, level: f64) -> Result<Table> {
        let z = interval_quantile(level)?;
        let edge = |sign: f64| -> Vec<Option<f64>> {
            (0..self.values.len())
                .map(|i| self.variance(i).map(|v| self.values[i] * exp(sign * z * v.sqrt())))
                .map(|edge| edge.filter(|e| e.is_finite()))
                .collect()
        };
        Ok(Table::new()
            .with("parameter", Values::Text(self.names.iter().collect::<Text>()))
            .with("estimate", Values::F64(self.values.clone()))
            .with_optional("standard_error", self.standard_errors())
            .with_optional("low", edge(-1.0))
            .with_optional("high", edge(1.0)))
    }

    /// One row on the fit: log_likelihood, customers, distinct, iterations,
    /// gradient_norm, aic, bic (of the parameters that are not fixed), verdict. Where the parameters were given there
    /// is no likelihood: it, its gradient, the customers, aic and bic are missing.
    pub fn fit_table(&self) -> Table {
        self.fit_table_of(0)
    }

    /// [`Estimates::fit_table`] of a model with coefficients of covariates, of which the data identify so many;
    /// `effects_verdict` is theirs.
    pub(crate) fn fit_table_with(&self, free: usize, effects: Verdict) -> Table {
        self.fit_table_of(free).with("effects_verdict", Values::Text([effects.name()].into_iter().collect()))
    }

    fn fit_table_of(&self, more: usize) -> Table {
        let free = self.fixed.iter().filter(|f| !**f).count() + more;
        Table::new()
            .with_optional("log_likelihood", [self.log_likelihood])
            .with_optional("customers", [self.customers])
            .with("distinct", Values::I64(vec![self.distinct as i64]))
            .with("iterations", Values::I64(vec![self.iterations as i64]))
            .with_optional("gradient_norm", [self.log_likelihood.map(|_| self.gradient_norm)])
            .with_optional("aic", [self.aic(free)])
            .with_optional("bic", [self.bic(free)])
            .with("verdict", Values::Text([self.verdict.name()].into_iter().collect()))
    }

    /// What a loaded model must satisfy.
    pub(crate) fn check(&self, names: &[&str]) -> Result<()> {
        let n = names.len();
        let sound = self.names == names
            && self.values.len() == n
            && self.values.iter().all(|v| v.is_finite() && *v > 0.0)
            && self.covariance.len() == n
            && self.covariance.iter().all(|row| row.len() == n && row.iter().all(|c| c.is_finite()))
            && self.fixed.len() == n
            && self.log_likelihood.is_none_or(f64::is_finite)
            && self.customers.is_none_or(|customers| customers.is_finite() && customers > 0.0)
            && self.gradient_norm.is_finite();
        if sound {
            Ok(())
        } else {
            Err(Error::model_file(format!(
                "its estimates are not {n} positive numbers {names:?} with their covariance; fit and save the model again"
            )))
        }
    }
}

/// The normal quantile of a two-sided interval of this level.
pub(crate) fn interval_quantile(level: f64) -> Result<f64> {
    if level > 0.0 && level < 1.0 {
        Ok(normal_quantile(0.5 + 0.5 * level))
    } else {
        Err(Error::option("interval", format!("{level} is not a level between 0 and 1, such as 0.95")))
    }
}
