//! Everything by name, with options as JSON: the one door of both bindings.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::curves::{kaplan_meier, nelson_aalen};
use super::forecast::{Forecast, PredictOptions};
use super::regression::Coefficients;
use super::scores::{ModelScoreOptions, model_scores, survival_scores};
use super::warning::{WarningOptions, early_warning};
use super::{Aft, AftModel, Cox, CoxModel, DiscreteHazard, DiscreteHazardModel};
use crate::column::{Columns, Dropped, Tables};
use crate::model;
use crate::options::{none, parse};
use crate::{Error, Result, Run};

/// The reports that need no model, by name, with their options as JSON:
/// `kaplan_meier`, `nelson_aalen`, `survival_scores`.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::survival::report;
/// use headwater::column::Columns;
///
/// let frame = Columns::new().with("months", vec![1.0, 2.0]).with("event", vec![true, true]);
/// let tables = report("nelson_aalen", &frame, r#"{"duration": "months"}"#, &Run::new())?;
/// assert_eq!(tables[0].1.f64s("cumulative_hazard").unwrap(), [0.0, 0.5, 1.5]);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn report(name: &str, frame: &Columns, options: &str, run: &Run) -> Result<Tables> {
    match name {
        "kaplan_meier" => kaplan_meier(frame, &parse(options)?, run),
        "nelson_aalen" => nelson_aalen(frame, &parse(options)?, run),
        "survival_scores" => survival_scores(frame, &parse(options)?, run),
        _ => Err(Error::option("report", format!("there is no report `{name}` of survival"))),
    }
}

/// A fitted model of survival, of any kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Survival {
    /// Cox's proportional hazards.
    Cox(Arc<CoxModel>),
    /// The hazard of each period.
    DiscreteHazard(Arc<DiscreteHazardModel>),
    /// Accelerated failure times.
    Aft(Arc<AftModel>),
}

/// Options of the report `summary`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SummaryOptions {
    /// The level of the intervals. Default 0.95.
    pub level: f64,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { level: 0.95 }
    }
}

impl Survival {
    /// Fits a model of this kind, by the name in its file (`clv.Cox`,
    /// `clv.DiscreteHazard`, `clv.Aft`) or by the last part of it; the rows dropped under
    /// `on_invalid="drop"` are returned beside it.
    pub fn fit(kind: &str, frame: &Columns, options: &str, run: &Run) -> Result<(Self, Dropped)> {
        Ok(match kind.strip_prefix("clv.").unwrap_or(kind) {
            "Cox" => {
                let (fitted, dropped) = parse::<Cox>(options)?.fit(frame, run)?;
                (Self::Cox(Arc::new(fitted)), dropped)
            }
            "DiscreteHazard" => {
                let (fitted, dropped) = parse::<DiscreteHazard>(options)?.fit(frame, run)?;
                (Self::DiscreteHazard(Arc::new(fitted)), dropped)
            }
            "Aft" => {
                let (fitted, dropped) = parse::<Aft>(options)?.fit(frame, run)?;
                (Self::Aft(Arc::new(fitted)), dropped)
            }
            _ => return Err(Error::option("kind", format!("there is no model of survival `{kind}`"))),
        })
    }

    fn forecast(&self) -> &dyn Forecast {
        match self {
            Self::Cox(fitted) => &**fitted,
            Self::DiscreteHazard(fitted) => &**fitted,
            Self::Aft(fitted) => &**fitted,
        }
    }

    /// The coefficients.
    pub fn coefficients(&self) -> &Coefficients {
        match self {
            Self::Cox(fitted) => fitted.coefficients(),
            Self::DiscreteHazard(fitted) => fitted.coefficients(),
            Self::Aft(fitted) => fitted.coefficients(),
        }
    }

    /// Predictions for a frame: see [`PredictOptions`].
    pub fn predict(&self, frame: &Columns, options: &PredictOptions, run: &Run) -> Result<Tables> {
        super::forecast::predict(self.forecast(), frame, options, run)
    }

    /// Who is likely to leave soon, given that they are still here, and why: see [`WarningOptions`].
    pub fn early_warning(&self, frame: &Columns, options: &WarningOptions, run: &Run) -> Result<Tables> {
        early_warning(self.forecast(), frame, options, run)
    }

    /// The predictions for a frame beside what happened, best one that the
    /// model was not fitted on; the tables are those of [`survival_scores`].
    pub fn scores(&self, frame: &Columns, options: &ModelScoreOptions, run: &Run) -> Result<Tables> {
        model_scores(self.forecast(), frame, options, run)
    }

    /// What the model has to say, by name, with the options as JSON.
    ///
    /// | report | of | options | tables |
    /// | --- | --- | --- | --- |
    /// | `summary` | all | [`SummaryOptions`] | coefficients, tests, fit, concordance |
    /// | `predict` | all, with a frame | [`PredictOptions`] | predictions, survival, dropped |
    /// | `early_warning` | all, with a frame | [`WarningOptions`] | customers, reasons, unknown, dropped |
    /// | `scores` | all, with a frame | [`ModelScoreOptions`] | scores, brier, calibration, dropped |
    /// | `baseline` | Cox, discrete hazard | none | baseline |
    /// | `proportional_hazards` | Cox | none | proportional_hazards |
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        let frame = || frame.ok_or_else(|| Error::option("frame", format!("`{name}` needs a frame")));
        let table = match (self, name) {
            (_, "predict") => return self.predict(frame()?, &parse(options)?, run),
            (_, "early_warning") => return self.early_warning(frame()?, &parse(options)?, run),
            (_, "scores") => return self.scores(frame()?, &parse(options)?, run),
            (_, "summary") => {
                let SummaryOptions { level } = parse(options)?;
                return match self {
                    Self::Cox(fitted) => fitted.summary(level),
                    Self::DiscreteHazard(fitted) => fitted.summary(level),
                    Self::Aft(fitted) => fitted.summary(level),
                };
            }
            (Self::Cox(fitted), "baseline") => ("baseline", fitted.baseline()),
            (Self::DiscreteHazard(fitted), "baseline") => ("baseline", fitted.baseline()),
            (Self::Cox(fitted), "proportional_hazards") => {
                ("proportional_hazards", fitted.proportional_hazards())
            }
            _ => {
                let reason = format!("there is no report `{name}` of the model {}", self.kind());
                return Err(Error::option("report", reason));
            }
        };
        none(options)?;
        Ok(vec![table])
    }

    /// The kind of the model's file.
    pub fn kind(&self) -> &'static str {
        use model::Model as _;
        match self {
            Self::Cox(_) => CoxModel::KIND,
            Self::DiscreteHazard(_) => DiscreteHazardModel::KIND,
            Self::Aft(_) => AftModel::KIND,
        }
    }

    /// The model file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Cox(fitted) => model::to_bytes(&**fitted),
            Self::DiscreteHazard(fitted) => model::to_bytes(&**fitted),
            Self::Aft(fitted) => model::to_bytes(&**fitted),
        }
    }

    /// Reads a model file; `None` where it holds another kind of thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>> {
        use model::Model as _;
        Ok(match model::kind(bytes)?.as_str() {
            CoxModel::KIND => Some(Self::Cox(Arc::new(model::from_bytes(bytes)?))),
            DiscreteHazardModel::KIND => Some(Self::DiscreteHazard(Arc::new(model::from_bytes(bytes)?))),
            AftModel::KIND => Some(Self::Aft(Arc::new(model::from_bytes(bytes)?))),
            _ => None,
        })
    }
}
