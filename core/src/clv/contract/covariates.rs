//! Covariates of customers under contract, on the law of the chance to leave.
//!
//! The parameters of the model are those of a customer whose covariates x are
//! at their means, and each customer's own differ by
//!
//! ```text
//! α → α e^{−γ (x − x̄)}        β → β e^{−δ (x − x̄)}
//! ```
//!
//! (Fader & Hardie 2007, "Incorporating time-invariant covariates into the
//! Pareto/NBD and BG/NBD models", applied to the beta law of this room). A
//! customer leaves at the first renewal with chance α / (α + β): a coefficient
//! above 0 on α makes leaving rarer, and one on β makes it likelier. Equal
//! ones on both leave that chance where it is, and customers differ more. With
//! covariates at 0 instead of their means, α₀ = α e^{γ x̄}.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fit::Family;
use super::{ContractModel, Curve, LifeTable};
use crate::clv::covariates::{Effects, Process, each_once};
use crate::clv::estimates::Estimates;
use crate::column::{Columns, Intake, OnInvalid};
use crate::math::exp;
use crate::{Error, Result, Run};

/// α and β of one customer lie between this and its inverse: the curve is flat beyond.
const LEAST: f64 = 1e-12;

/// Which columns explain how customers leave, and how.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::contract::{ContractCovariates, ContractData, ContractOptions, Contract};
/// use headwater::column::Columns;
///
/// // Who left at renewals 1, 2, 3, and who is still there after 3, by plan.
/// let customers = Columns::new()
///     .with("plan", vec!["basic", "basic", "basic", "basic", "plus", "plus", "plus", "plus"])
///     .with("duration", vec![1.0, 2.0, 3.0, 3.0, 1.0, 2.0, 3.0, 3.0])
///     .with("event", vec![true, true, true, false, true, true, true, false])
///     .with("weight", vec![369.0, 163.0, 86.0, 382.0, 131.0, 126.0, 90.0, 653.0]);
/// let options = ContractOptions {
///     data: ContractData::Customers,
///     weight: Some("weight".into()),
///     covariates: Some(ContractCovariates::new(["plan"], ["plan"])),
///     ..ContractOptions::default()
/// };
/// let options = serde_json::to_string(&options).expect("options are JSON");
/// let (model, _) = Contract::fit("ShiftedBetaGeo", &customers, &options, &Run::new())?;
/// let basic = model.report("survival", None, r#"{"at": {"plan": "basic"}}"#, &Run::new())?;
/// let plus = model.report("survival", None, r#"{"at": {"plan": "plus"}}"#, &Run::new())?;
/// let after_three = |tables: &headwater::column::Tables| tables[0].1.f64s("survival").map(|s| s[3]);
/// assert!(after_three(&basic) < after_three(&plus));
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractCovariates {
    /// Columns that move α: numbers, truth values or names.
    pub alpha: Vec<String>,
    /// Columns that move β.
    pub beta: Vec<String>,
    /// Reference levels of columns of names; the first in order by default.
    pub references: BTreeMap<String, String>,
    /// λ of −½ λ γ² per customer, on standardised covariates of α. Default 0.
    pub alpha_penalty: f64,
    /// The same for β.
    pub beta_penalty: f64,
}

impl ContractCovariates {
    /// These columns, with defaults.
    pub fn new<'a>(
        alpha: impl IntoIterator<Item = &'a str>,
        beta: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            alpha: alpha.into_iter().map(str::to_owned).collect(),
            beta: beta.into_iter().map(str::to_owned).collect(),
            ..Self::default()
        }
    }

    /// All columns, each once.
    pub(super) fn columns(&self) -> Result<Vec<String>> {
        each_once([("alpha", &self.alpha, self.alpha_penalty), ("beta", &self.beta, self.beta_penalty)])
    }
}

/// What is known of a kind of customer: the value of a covariate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Known {
    /// A truth value.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A name.
    Name(String),
}

/// The log parameter that a coefficient moves.
pub(super) fn moves(process: Process) -> Option<usize> {
    match process {
        Process::Alpha => Some(0),
        Process::Beta => Some(1),
        _ => None,
    }
}

fn direction<const N: usize>(process: Process) -> Option<[f64; N]> {
    let moved = moves(process)?;
    Some(std::array::from_fn(|i| if i == moved { -1.0 } else { 0.0 }))
}

impl ContractModel {
    /// The covariates and their coefficients; `None` of a model without.
    pub fn effects(&self) -> Option<&Effects> {
        self.effects.as_ref()
    }

    /// The model of customers of one kind, by a frame of one row that holds their covariates.
    /// It has neither covariates nor a life table.
    pub fn at(&self, covariates: &Columns, run: &Run) -> Result<Self> {
        let Some(effects) = &self.effects else { return Err(without("the model was fitted")) };
        let own = self.estimates_at(effects, &row(effects, covariates, run)?);
        Ok(Self::new(own, LifeTable::default()).with_period(self.period))
    }

    /// The model of which a report speaks that can speak of one kind of customer:
    /// of a model with covariates, those at the means unless some are given.
    pub(super) fn told(&self, known: Option<&BTreeMap<String, Known>>, run: &Run) -> Result<Cow<'_, Self>> {
        let own = match (known, &self.effects) {
            (None, None) => return Ok(Cow::Borrowed(self)),
            (Some(_), None) => return Err(without("the model was fitted")),
            (None, Some(_)) => self.estimates.clone(),
            (Some(known), Some(effects)) => self.estimates_at(effects, &known_row(effects, known, run)?),
        };
        Ok(Cow::Owned(Self::new(own, LifeTable::default()).with_period(self.period)))
    }

    /// The estimates for a customer with these covariates.
    pub(super) fn estimates_at(&self, effects: &Effects, row: &[f64]) -> Estimates {
        let mut own = if self.estimates.values.len() == 2 {
            effects.estimates_by::<2>(direction, &self.estimates, row)
        } else {
            effects.estimates_by::<3>(direction, &self.estimates, row)
        };
        for value in own.values.iter_mut().take(2) {
            *value = value.clamp(LEAST, 1.0 / LEAST);
        }
        own
    }

    pub(super) fn check_effects(&self, family: Family) -> Result<()> {
        let Some(effects) = &self.effects else { return Ok(()) };
        match family {
            Family::ShiftedBetaGeo => effects.check_by::<2>(direction)?,
            Family::BetaDiscreteWeibull => effects.check_by::<3>(direction)?,
        }
        if self.cohorts.is_empty() && effects.coefficients().iter().all(|c| c.on().len() == 1) {
            return Ok(());
        }
        Err(Error::model_file("it has covariates and cohorts, or coefficients of both parameters"))
    }
}

/// What loaded draws of such coefficients must satisfy.
pub(in crate::clv) fn check_drawn(effects: &Effects) -> Result<()> {
    effects.check_coefficients_by::<2>(direction)?;
    if effects.coefficients().iter().all(|c| c.on().len() == 1) {
        return Ok(());
    }
    Err(Error::model_file("it has coefficients of both parameters"))
}

/// That covariates are told where none are known.
pub(in crate::clv) fn without(what: &str) -> Error {
    Error::option("at", format!("{what} without: leave them out"))
}

/// The covariates of one kind of customer, by a frame of one row.
fn row(effects: &Effects, covariates: &Columns, run: &Run) -> Result<Vec<f64>> {
    let mut intake = Intake::new(covariates, OnInvalid::Error, run);
    let given = effects.reader().read(&mut intake)?;
    let kept = intake.finish()?;
    if kept.len() != 1 {
        let reason = format!("must be one row, a kind of customer; this frame has {}", kept.len());
        return Err(Error::option("at", reason));
    }
    let given: Vec<_> = given.into_iter().map(|g| g.cut(&kept)).collect();
    Ok(effects.terms().matrix(&given, 1).row(0).to_vec())
}

/// The same by their names.
pub(in crate::clv) fn known_row(
    effects: &Effects,
    known: &BTreeMap<String, Known>,
    run: &Run,
) -> Result<Vec<f64>> {
    let columns = known.iter().fold(Columns::new(), |columns, (name, value)| match value {
        Known::Flag(flag) => columns.with(name.as_str(), vec![*flag]),
        Known::Number(number) => columns.with(name.as_str(), vec![*number]),
        Known::Name(label) => columns.with(name.as_str(), vec![label.as_str()]),
    });
    let found = row(effects, &columns, run)?;
    let read = effects.terms().covariates();
    match known.keys().find(|name| !read.iter().any(|covariate| covariate.name() == *name)) {
        None => Ok(found),
        Some(name) => Err(Error::option("at", format!("`{name}` is not one of the model's covariates"))),
    }
}

/// The curve of a customer with these covariates, at a draw of the law's parameters and of coefficients.
pub(in crate::clv) fn curve_at(
    effects: &Effects,
    (values, coefficients): (&[f64], &[f64]),
    row: &[f64],
) -> Result<Curve> {
    let mut own = values.to_vec();
    let moved = effects.moved_by::<2>(direction, coefficients, row);
    for (value, moved) in own.iter_mut().zip(moved) {
        *value = (*value * exp(moved)).clamp(LEAST, 1.0 / LEAST);
    }
    Curve::given(&own)
}
