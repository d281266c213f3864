//! A fitted discrete hazard.

use serde::{Deserialize, Serialize};

use super::super::design::Terms;
use super::super::forecast::{Forecast, PredictOptions};
use super::super::regression::Coefficients;
use super::super::subjects::{Clock, MOST_PERIODS};
use super::likelihood::clock;
use super::{DiscreteHazard, Link, PeriodBaseline};
use crate::column::{Columns, Table, Tables, Values};
use crate::math::{exp, exp_m1};
use crate::model::Model;
use crate::{Error, Result, Run};

/// What is known of a period's hazard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Period {
    /// The predictor of the mean subject.
    Intercept(f64),
    /// Nobody at risk had the event: the hazard is 0.
    Nobody,
    /// All at risk had the event: the hazard is 1.
    Everybody,
}

/// A fitted [`DiscreteHazard`]; saved as `clv.DiscreteHazard`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscreteHazardModel {
    pub(super) parameters: DiscreteHazard,
    pub(super) terms: Terms,
    pub(super) coefficients: Coefficients,
    pub(super) periods: Vec<Period>,
    pub(super) at_risk: Vec<f64>,
    pub(super) events: Vec<f64>,
    pub(super) concordance: Option<f64>,
}

impl Model for DiscreteHazardModel {
    const KIND: &'static str = "clv.DiscreteHazard";

    fn check(&self) -> Result<()> {
        self.terms.check()?;
        let mut names = self.terms.names();
        let own: Vec<String> = self.coefficients.names.iter().skip(names.len()).cloned().collect();
        names.extend(own);
        self.coefficients.check(&names)?;
        let n = self.periods.len();
        let sound = |period: &Period| !matches!(period, Period::Intercept(a) if !a.is_finite());
        let counts = |v: &[f64]| v.len() == n && v.iter().all(|x| x.is_finite() && *x >= 0.0);
        let whole = (1..=MOST_PERIODS).contains(&n)
            && self.periods.iter().all(sound)
            && counts(&self.at_risk)
            && counts(&self.events)
            && self.coefficients.slopes as usize == self.terms.size()
            && self.concordance.is_none_or(|c| (0.0..=1.0).contains(&c));
        if whole {
            Ok(())
        } else {
            Err(Error::model_file("its periods are not whole; fit and save the model again"))
        }
    }
}

impl DiscreteHazardModel {
    /// The roles and options of the fit.
    pub fn parameters(&self) -> &DiscreteHazard {
        &self.parameters
    }

    /// Coefficients of the covariates, then of the baseline.
    pub fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }

    /// Tables: `coefficients` (with odds_ratio or hazard_ratio, by the link), `tests`, `fit`, `concordance`.
    pub fn summary(&self, level: f64) -> Result<Tables> {
        let mut tables = self.coefficients.summary(self.factor(), level)?;
        tables.push(("concordance", Table::new().with_optional("concordance", [self.concordance])));
        Ok(tables)
    }

    /// The baseline, of a subject with mean covariates: period, at_risk, events, hazard, survival.
    pub fn baseline(&self) -> Table {
        let n = self.periods.len();
        let logs: Vec<f64> = (0..n).map(|k| self.log_stay(k, 0.0).unwrap_or(0.0)).collect();
        let mut sum = 0.0;
        let survival = logs.iter().map(|l| {
            sum += l;
            exp(sum)
        });
        Table::new()
            .with("period", Values::I64((1..=n as i64).collect()))
            .with("at_risk", Values::F64(self.at_risk.clone()))
            .with("events", Values::F64(self.events.clone()))
            .with("hazard", Values::F64(logs.iter().map(|l| -exp_m1(*l)).collect()))
            .with("survival", Values::F64(survival.collect()))
    }

    /// Predictions for a frame, in whole periods: see [`PredictOptions`].
    pub fn predict(&self, frame: &Columns, options: &PredictOptions, run: &Run) -> Result<Tables> {
        super::super::forecast::predict(self, frame, options, run)
    }

    /// ln(1 − h) of a period counted from 0; `None` beyond what the data tell.
    fn log_stay(&self, k: usize, eta: f64) -> Option<f64> {
        match self.periods.get(k) {
            Some(Period::Nobody) => Some(0.0),
            Some(Period::Everybody) => Some(f64::NEG_INFINITY),
            Some(Period::Intercept(a)) => Some(self.parameters.link.log_stay(a + eta)),
            None => {
                // Only a baseline with a formula goes on.
                let own = self.coefficients.values.get(self.terms.size()..)?;
                let time = clock(self.parameters.baseline, k);
                let a = match (self.parameters.baseline, own) {
                    (PeriodBaseline::Constant, [a]) => *a,
                    (PeriodBaseline::Linear | PeriodBaseline::Log, [a, b]) => a + b * time,
                    _ => return None,
                };
                (k < MOST_PERIODS).then(|| self.parameters.link.log_stay(a + eta))
            }
        }
    }
}

impl Forecast for DiscreteHazardModel {
    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn slopes(&self) -> &[f64] {
        &self.coefficients.values
    }

    fn factor(&self) -> &'static str {
        match self.parameters.link {
            Link::Logit => "odds_ratio",
            Link::Cloglog => "hazard_ratio",
        }
    }

    fn log_survival(&self, eta: f64, _stratum: usize, time: f64) -> Option<f64> {
        let periods = if time <= MOST_PERIODS as f64 { time as usize } else { return None };
        let mut sum = 0.0;
        for k in 0..periods {
            sum += self.log_stay(k, eta)?;
        }
        Some(sum)
    }

    fn reaches(&self, eta: f64, _stratum: usize, level: f64) -> Option<f64> {
        let mut sum = 0.0;
        for k in 0..MOST_PERIODS {
            sum += self.log_stay(k, eta)?;
            if sum <= level * (1.0 - 1e-12) {
                return Some((k + 1) as f64);
            }
        }
        None
    }

    fn hazard_scale(&self) -> f64 {
        1.0
    }

    fn roles(&self) -> (&str, &str, Option<&str>) {
        (&self.parameters.duration, &self.parameters.event, self.parameters.weight.as_deref())
    }

    fn clock(&self) -> Clock {
        Clock::Periods
    }
}
