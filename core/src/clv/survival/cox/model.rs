//! A fitted Cox model.

use serde::{Deserialize, Serialize};

use super::super::design::Terms;
use super::super::forecast::{Forecast, PredictOptions};
use super::super::regression::Coefficients;
use super::super::spells::step_at;
use super::{Cox, Proportional};
use crate::column::{Columns, Table, Tables, Text, Values};
use crate::math::{chi_squared_tail, exp};
use crate::model::Model;
use crate::{Error, Result, Run};

/// The baseline of one stratum: the hazard of a subject with mean covariates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baseline {
    pub(super) stratum: String,
    /// Times with an event, in order.
    pub(super) times: Vec<f64>,
    /// The cumulative hazard at each.
    pub(super) hazard: Vec<f64>,
    /// The longest duration seen.
    pub(super) last: f64,
}

/// A fitted [`Cox`]; saved as `clv.Cox`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoxModel {
    pub(super) parameters: Cox,
    pub(super) terms: Terms,
    pub(super) coefficients: Coefficients,
    pub(super) baselines: Vec<Baseline>,
    pub(super) concordance: Option<f64>,
    pub(super) proportional: Vec<Proportional>,
}

impl Model for CoxModel {
    const KIND: &'static str = "clv.Cox";

    fn check(&self) -> Result<()> {
        self.terms.check()?;
        self.coefficients.check(&self.terms.names())?;
        let rising = |v: &[f64]| v.iter().all(|x| x.is_finite() && *x >= 0.0) && v.is_sorted();
        let sound = |b: &Baseline| {
            b.times.len() == b.hazard.len()
                && rising(&b.times)
                && rising(&b.hazard)
                && b.last.is_finite()
                && b.times.last().is_none_or(|t| *t <= b.last)
        };
        if self.baselines.is_empty()
            || !self.baselines.iter().all(sound)
            || (self.parameters.strata.is_none() && self.baselines.len() != 1)
        {
            return Err(Error::model_file("its baseline hazards do not rise; fit and save the model again"));
        }
        let p = self.terms.size();
        let tests = |t: &Proportional| {
            t.statistics.len() == p
                && t.overall.is_finite()
                && t.statistics.iter().flatten().all(|s| s.is_finite())
        };
        if !self.proportional.iter().all(tests) || self.concordance.is_some_and(|c| !(0.0..=1.0).contains(&c))
        {
            return Err(Error::model_file("its tests are not whole; fit and save the model again"));
        }
        Ok(())
    }
}

impl CoxModel {
    /// The roles and options of the fit.
    pub fn parameters(&self) -> &Cox {
        &self.parameters
    }

    /// Coefficients, errors, likelihood, verdict.
    pub fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }

    /// Harrell's concordance on the rows fitted, within strata; `None` where no pair can be compared.
    pub fn concordance(&self) -> Option<f64> {
        self.concordance
    }

    /// Tables: `coefficients` (parameter, reference, estimate, hazard_ratio,
    /// standard_error, z, p_value, low, high, …), `tests` (likelihood ratio, Wald, score),
    /// `fit` (log_likelihood, aic, verdict, …), `concordance`.
    pub fn summary(&self, level: f64) -> Result<Tables> {
        let mut tables = self.coefficients.summary("hazard_ratio", level)?;
        tables.push(("concordance", Table::new().with_optional("concordance", [self.concordance])));
        Ok(tables)
    }

    /// The baseline, of a subject with mean covariates: stratum, time,
    /// cumulative_hazard, survival.
    pub fn baseline(&self) -> Table {
        let mut stratum = Text::new();
        let (mut times, mut hazard) = (Vec::new(), Vec::new());
        for baseline in &self.baselines {
            baseline.times.iter().for_each(|_| stratum.push(&baseline.stratum));
            times.extend_from_slice(&baseline.times);
            hazard.extend_from_slice(&baseline.hazard);
        }
        let survival = hazard.iter().map(|h| exp(-h)).collect();
        Table::new()
            .with("stratum", Values::Text(stratum))
            .with("time", Values::F64(times))
            .with("cumulative_hazard", Values::F64(hazard))
            .with("survival", Values::F64(survival))
    }

    /// The test of proportional hazards by Schoenfeld residuals: transform (of
    /// time), parameter (`(all)` for all together), statistic, degrees_of_freedom, p_value. A
    /// small p-value says that the coefficient changes with time.
    pub fn proportional_hazards(&self) -> Table {
        let (mut transform, mut parameter) = (Text::new(), Text::new());
        let mut rows = Vec::new();
        for test in &self.proportional {
            for ((name, statistic), p) in
                self.coefficients.names.iter().zip(&test.statistics).zip(test.p_values())
            {
                transform.push(&test.transform);
                parameter.push(name);
                rows.push((*statistic, 1.0, p));
            }
            transform.push(&test.transform);
            parameter.push("(all)");
            let degrees = test.degrees as f64;
            let p = (degrees > 0.0).then(|| chi_squared_tail(test.overall, degrees));
            rows.push(((degrees > 0.0).then_some(test.overall), degrees, p));
        }
        Table::new()
            .with("transform", Values::Text(transform))
            .with("parameter", Values::Text(parameter))
            .with_optional("statistic", rows.iter().map(|r| r.0))
            .with("degrees_of_freedom", Values::F64(rows.iter().map(|r| r.1).collect()))
            .with_optional("p_value", rows.iter().map(|r| r.2))
    }

    /// Predictions for a frame: see [`PredictOptions`].
    pub fn predict(&self, frame: &Columns, options: &PredictOptions, run: &Run) -> Result<Tables> {
        super::super::forecast::predict(self, frame, options, run)
    }
}

impl Forecast for CoxModel {
    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn slopes(&self) -> &[f64] {
        &self.coefficients.values
    }

    fn strata(&self) -> Option<(&str, Vec<&str>)> {
        let column = self.parameters.strata.as_deref()?;
        Some((column, self.baselines.iter().map(|b| b.stratum.as_str()).collect()))
    }

    fn factor(&self) -> &'static str {
        "partial_hazard"
    }

    fn log_survival(&self, eta: f64, stratum: usize, time: f64) -> Option<f64> {
        let baseline = self.baselines.get(stratum)?;
        if time > baseline.last {
            return None;
        }
        let hazard = step_at(&baseline.times, &baseline.hazard, 0.0, time);
        // A hazard of 0 stays 0 however great the factor.
        Some(if hazard > 0.0 { -hazard * exp(eta) } else { 0.0 })
    }

    fn reaches(&self, eta: f64, stratum: usize, level: f64) -> Option<f64> {
        let baseline = self.baselines.get(stratum)?;
        let wanted = -level * exp(-eta);
        let at = baseline.hazard.partition_point(|h| *h < wanted * (1.0 - 1e-12));
        baseline.times.get(at).copied()
    }

    fn hazard_scale(&self) -> f64 {
        1.0
    }

    fn roles(&self) -> (&str, &str, Option<&str>) {
        (&self.parameters.duration, &self.parameters.event, self.parameters.weight.as_deref())
    }
}
