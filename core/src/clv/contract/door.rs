//! Models of retention by name: the one door of both bindings.

use super::fit::Family;
use super::frames::period_of;
use super::{BetaDiscreteWeibullModel, ContractModel, ContractOptions, ShiftedBetaGeoModel, frames};
use crate::clv::estimates::Estimates;
use crate::clv::unit::Unit;
use crate::column::{Columns, Dropped, Tables};
use crate::model::{self, Model};
use crate::options::{none, parse};
use crate::{Error, Result, Run};

/// Any fitted model of retention.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::contract::Contract;
/// use headwater::column::Columns;
///
/// let cohorts = Columns::new()
///     .with("period", vec![0, 1, 2, 3, 4])
///     .with("customers", vec![1000.0, 869.0, 743.0, 653.0, 593.0]);
/// let (model, _) = Contract::fit("ShiftedBetaGeo", &cohorts, r#"{"period": "365d"}"#, &Run::new())?;
/// let options = r#"{"discount": {"rate": 0.1, "per": "365d"}}"#;
/// let tables = model.report("value", None, options, &Run::new())?;
/// assert!(tables[0].1.f64s("discounted_lifetime").is_some_and(|v| v[0] > 5.0));
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Contract {
    /// Shifted beta-geometric.
    ShiftedBetaGeo(ShiftedBetaGeoModel),
    /// Beta-discrete-Weibull.
    BetaDiscreteWeibull(BetaDiscreteWeibullModel),
}

impl Contract {
    /// Fits the model of this kind, `"ShiftedBetaGeo"` or `"BetaDiscreteWeibull"`
    /// (or what [`Contract::kind`] says), to a frame by
    /// [`ContractOptions`] as JSON. Rows dropped under `on_invalid="drop"` are
    /// returned beside the model.
    pub fn fit(kind: &str, frame: &Columns, options: &str, run: &Run) -> Result<(Self, Dropped)> {
        let options: ContractOptions = parse(options)?;
        let family = Family::named(kind)?;
        let (model, dropped) = frames::fit(family, frame, &options, run)?;
        Ok((Self::of(family, model), dropped))
    }

    /// A model of this kind with given parameters, for example published ones: no fit, no errors. `period` is the
    /// length of its periods, needed to discount.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::contract::Contract;
    ///
    /// // Fader & Hardie's "high end" customers.
    /// let model = Contract::from_parameters("ShiftedBetaGeo", &[0.668, 3.806], Some("365d".parse()?))?;
    /// let curve = &model.report("survival", None, r#"{"periods": 7}"#, &Run::new())?[0].1;
    /// assert!(curve.f64s("survival").is_some_and(|s| (s[7] - 0.491).abs() < 0.01));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn from_parameters(kind: &str, values: &[f64], period: Option<Unit>) -> Result<Self> {
        let family = Family::named(kind)?;
        period_of(period)?;
        Ok(Self::of(family, ContractModel::from_parameters(family, values)?.with_period(period)))
    }

    fn of(family: Family, model: ContractModel) -> Self {
        match family {
            Family::ShiftedBetaGeo => Self::ShiftedBetaGeo(ShiftedBetaGeoModel(model)),
            Family::BetaDiscreteWeibull => Self::BetaDiscreteWeibull(BetaDiscreteWeibullModel(model)),
        }
    }

    /// What the models have in common.
    pub fn model(&self) -> &ContractModel {
        match self {
            Self::ShiftedBetaGeo(model) => model,
            Self::BetaDiscreteWeibull(model) => model,
        }
    }

    fn family(&self) -> Family {
        match self {
            Self::ShiftedBetaGeo(_) => Family::ShiftedBetaGeo,
            Self::BetaDiscreteWeibull(_) => Family::BetaDiscreteWeibull,
        }
    }

    /// A report by its name, with its options as JSON: `survival`, `value`,
    /// `predict` (which takes a frame of customers), `compare`, `estimates`,
    /// `coefficients`, `fit` and `life_table`. An unknown name or option is an [`Error::Option`].
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        let model = self.model();
        let table = match name {
            "survival" => ("survival", model.survival(&parse(options)?, run)?),
            "value" => ("value", model.value(&parse(options)?, run)?),
            "predict" => {
                let frame =
                    frame.ok_or_else(|| Error::option("frame", "`predict` needs a frame of customers"))?;
                return model.predict(frame, &parse(options)?, run);
            }
            "compare" => {
                none(options)?;
                ("compare", model.compare(self.family(), run)?)
            }
            "estimates" => {
                none(options)?;
                ("estimates", model.table()?)
            }
            "coefficients" => {
                none(options)?;
                ("coefficients", model.coefficients()?)
            }
            "fit" => {
                none(options)?;
                ("fit", model.fit_table()?)
            }
            "life_table" => {
                none(options)?;
                ("life_table", model.life_tables())
            }
            _ => return Err(Error::option("report", format!("there is no report `{name}` of retention"))),
        };
        Ok(vec![table])
    }

    /// Parameters, standard errors, log-likelihood, verdict: of all customers together.
    pub fn estimates(&self) -> &Estimates {
        self.model().estimates()
    }

    /// The kind of the model's file.
    pub fn kind(&self) -> &'static str {
        self.family().kind()
    }

    /// The model file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::ShiftedBetaGeo(model) => model::to_bytes(model),
            Self::BetaDiscreteWeibull(model) => model::to_bytes(model),
        }
    }

    /// Reads a model file; `None` where it holds another kind of thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>> {
        Ok(match model::kind(bytes)?.as_str() {
            ShiftedBetaGeoModel::KIND => Some(Self::ShiftedBetaGeo(model::from_bytes(bytes)?)),
            BetaDiscreteWeibullModel::KIND => Some(Self::BetaDiscreteWeibull(model::from_bytes(bytes)?)),
            _ => None,
        })
    }
}
