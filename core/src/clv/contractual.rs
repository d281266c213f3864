//! Models of customers that are asked by reports: of contracts, both rooms, and
//! of what is learned from covariates; and the reports that need no model. By name for the bindings.

use super::contract::{Contract, ContractOptions};
use super::learned::{ZeroInflatedLognormal, ZeroInflatedLognormalModel};
use super::survival::{Aft, Cox, DiscreteHazard, Survival};
use super::unit::Unit;
use super::{finance, survival};
use crate::column::{Columns, Dropped, Table, Tables};
use crate::model::{self, Model as _};
use crate::options::parse;
use crate::{Error, Result, Run};

/// A fitted model of survival, of retention, or of value learned from covariates.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::Contractual;
/// use headwater::column::Columns;
///
/// let frame = Columns::new()
///     .with("months", vec![1.0, 2.0, 2.0, 4.0])
///     .with("event", vec![true, true, false, true]);
/// let (model, _) = Contractual::fit("clv.Aft", &frame, r#"{"duration": "months"}"#, &Run::new())?;
/// let again = Contractual::from_bytes(&model.to_bytes()?)?.expect("a model of survival");
/// assert_eq!(again.parameters()?.f64s("estimate"), model.parameters()?.f64s("estimate"));
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Contractual {
    /// Of what makes customers leave.
    Survival(Survival),
    /// Of how retention moves with tenure.
    Contract(Box<Contract>),
    /// Of what customers will spend.
    Learned(Box<ZeroInflatedLognormalModel>),
}

impl Contractual {
    /// The kinds of model files, such as `clv.Cox`.
    pub const KINDS: [&'static str; 6] = [
        "clv.Cox",
        "clv.DiscreteHazard",
        "clv.Aft",
        "clv.ShiftedBetaGeo",
        "clv.BetaDiscreteWeibull",
        ZeroInflatedLognormalModel::KIND,
    ];

    /// Whether these options, as JSON, are options of this kind.
    pub fn check(kind: &str, options: &str) -> Result<()> {
        match kind {
            "clv.Cox" => parse::<Cox>(options).map(drop),
            "clv.DiscreteHazard" => parse::<DiscreteHazard>(options).map(drop),
            "clv.Aft" => parse::<Aft>(options).map(drop),
            "clv.ShiftedBetaGeo" | "clv.BetaDiscreteWeibull" => parse::<ContractOptions>(options).map(drop),
            ZeroInflatedLognormalModel::KIND => parse::<ZeroInflatedLognormal>(options).map(drop),
            _ => Err(Error::option("kind", format!("there is no model `{kind}`"))),
        }
    }

    /// A model of retention with given parameters: [`Contract::from_parameters`].
    pub fn from_parameters(kind: &str, values: &[f64], period: Option<Unit>) -> Result<Self> {
        Contract::from_parameters(kind, values, period).map(|model| Self::Contract(Box::new(model)))
    }

    /// Fits the model of this kind by [`Survival::fit`], [`Contract::fit`] or [`ZeroInflatedLognormal::fit`].
    pub fn fit(kind: &str, frame: &Columns, options: &str, run: &Run) -> Result<(Self, Dropped)> {
        Ok(match kind {
            "clv.ShiftedBetaGeo" | "clv.BetaDiscreteWeibull" => {
                let (model, dropped) = Contract::fit(kind, frame, options, run)?;
                (Self::Contract(Box::new(model)), dropped)
            }
            ZeroInflatedLognormalModel::KIND => {
                let (model, dropped) = parse::<ZeroInflatedLognormal>(options)?.fit(frame, run)?;
                (Self::Learned(Box::new(model)), dropped)
            }
            _ => {
                let (model, dropped) = Survival::fit(kind, frame, options, run)?;
                (Self::Survival(model), dropped)
            }
        })
    }

    /// A report by its name, with its options as JSON: [`Survival::report`], [`Contract::report`] or
    /// [`ZeroInflatedLognormalModel::report`].
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        match self {
            Self::Survival(model) => model.report(name, frame, options, run),
            Self::Contract(model) => model.report(name, frame, options, run),
            Self::Learned(model) => model.report(name, frame, options, run),
        }
    }

    /// One row for each parameter, among others: parameter, estimate, standard_error.
    /// Of a model of retention by cohorts, those of all customers together. Of trees, none.
    pub fn parameters(&self) -> Result<Table> {
        match self {
            Self::Survival(model) => model.coefficients().table("ratio", 0.95),
            Self::Contract(model) => model.model().parameters(),
            Self::Learned(model) => model.coefficients(0.95),
        }
    }

    /// One row on the fit, among others: log_likelihood, verdict.
    pub fn fit_table(&self) -> Table {
        match self {
            Self::Survival(model) => model.coefficients().fit_table(),
            Self::Contract(model) => model.model().whole_fit(),
            Self::Learned(model) => model.fit_table(),
        }
    }

    /// The kind of the model's file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Survival(model) => model.kind(),
            Self::Contract(model) => model.kind(),
            Self::Learned(_) => ZeroInflatedLognormalModel::KIND,
        }
    }

    /// The model file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Survival(model) => model.to_bytes(),
            Self::Contract(model) => model.to_bytes(),
            Self::Learned(model) => model::to_bytes(&**model),
        }
    }

    /// Reads a model file; `None` where it holds another kind of thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>> {
        if model::kind(bytes)? == ZeroInflatedLognormalModel::KIND {
            return Ok(Some(Self::Learned(Box::new(model::from_bytes(bytes)?))));
        }
        Ok(match Survival::from_bytes(bytes)? {
            Some(model) => Some(Self::Survival(model)),
            None => Contract::from_bytes(bytes)?.map(|model| Self::Contract(Box::new(model))),
        })
    }
}

/// The reports that need no model: those of [`survival`] and of [`finance`].
///
/// ```
/// use headwater::Run;
/// use headwater::clv::report;
/// use headwater::column::Columns;
///
/// let frame = Columns::new().with("months", vec![1.0, 2.0]).with("event", vec![true, true]);
/// let tables = report("kaplan_meier", Some(&frame), r#"{"duration": "months"}"#, &Run::new())?;
/// assert_eq!(tables[0].1.f64s("survival").unwrap(), [1.0, 0.5, 0.0]);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn report(name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
    match name {
        "kaplan_meier" | "nelson_aalen" | "survival_scores" => {
            let needed = || Error::option("frame", format!("`{name}` needs a frame of durations"));
            survival::report(name, frame.ok_or_else(needed)?, options, run)
        }
        _ => finance::report(name, frame, options, run),
    }
}
