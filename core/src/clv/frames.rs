//! The models on frames: roles, options, and tables out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::beta_geo::{BetaGeo, BetaGeoModel};
use super::design::{Given, Reader};
use super::estimates::Estimates;
use super::gamma_gamma::{GammaGamma, GammaGammaModel, SpendSlices};
use super::laws::{CustomerPrediction, Edges, PredictOptions, predict};
use super::rows::{Fault, IMPOSSIBLE_INTERVALS, RfmSlices, fault, possible_intervals, sound};
use super::unit::Unit;
use crate::column::{Columns, Dropped, Intake, Kept, Names, OnInvalid, Sign, Table, Values};
use crate::{Result, Run};

/// Roles and options of [`beta_geo`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BetaGeoOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of weights: how many customers a row stands for. None by default.
    pub weight: Option<String>,
    /// The unit of recency and T, to be kept with the model and checked later.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// See [`BetaGeo::penalty`].
    pub penalty: f64,
    /// See [`BetaGeo::max_iterations`].
    pub max_iterations: usize,
    /// See [`BetaGeo::tolerance`].
    pub tolerance: f64,
}

impl Default for BetaGeoOptions {
    fn default() -> Self {
        let BetaGeo { penalty, max_iterations, tolerance } = BetaGeo::default();
        Self {
            frequency: "frequency".to_owned(),
            recency: "recency".to_owned(),
            age: "T".to_owned(),
            weight: None,
            period: None,
            on_invalid: OnInvalid::Error,
            penalty,
            max_iterations,
            tolerance,
        }
    }
}

/// Fits a [`BetaGeo`] on a frame such as [`summarize`](super::summarize) gives.
///
/// Rows dropped under `on_invalid="drop"` are returned beside the model.
pub fn beta_geo(frame: &Columns, options: &BetaGeoOptions, run: &Run) -> Result<(BetaGeoModel, Dropped)> {
    let roles = Roles {
        customer: None,
        frequency: &options.frequency,
        recency: &options.recency,
        age: &options.age,
        weight: options.weight.as_deref(),
        along: None,
        covariates: Reader::None,
        intervals: None,
    };
    let history = History::read(frame, roles, options.on_invalid, run)?;
    let config = BetaGeo {
        penalty: options.penalty,
        max_iterations: options.max_iterations,
        tolerance: options.tolerance,
    };
    let model = config.fit(&RfmSlices { period: options.period, ..history.slices() }, run)?;
    Ok((model, history.dropped))
}

impl BetaGeoModel {
    /// [`predict`] by this model.
    pub fn predict_columns(
        &self,
        frame: &Columns,
        options: &PredictOptions,
        run: &Run,
    ) -> Result<CustomerPrediction> {
        predict(self, frame, options, run)
    }

    /// A frame of the parameters: parameter, estimate, standard_error, low, high (95 %).
    pub fn table(&self) -> Result<Table> {
        Estimates::table(self.estimates(), 0.95)
    }
}

/// Roles and options of [`gamma_gamma`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GammaGammaOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of their mean value.
    pub monetary_value: String,
    /// Column of weights: how many customers a row stands for. None by default.
    pub weight: Option<String>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// See [`GammaGamma::max_iterations`].
    pub max_iterations: usize,
    /// See [`GammaGamma::tolerance`].
    pub tolerance: f64,
}

impl Default for GammaGammaOptions {
    fn default() -> Self {
        let GammaGamma { max_iterations, tolerance } = GammaGamma::default();
        Self {
            frequency: "frequency".to_owned(),
            monetary_value: "monetary_value".to_owned(),
            weight: None,
            on_invalid: OnInvalid::Error,
            max_iterations,
            tolerance,
        }
    }
}

/// Fits a [`GammaGamma`] on a frame such as [`summarize`](super::summarize) gives.
///
/// Rows dropped under `on_invalid="drop"` are returned beside the model.
pub fn gamma_gamma(
    frame: &Columns,
    options: &GammaGammaOptions,
    run: &Run,
) -> Result<(GammaGammaModel, Dropped)> {
    let spends = Spends::read(frame, options, run)?;
    let config = GammaGamma { max_iterations: options.max_iterations, tolerance: options.tolerance };
    Ok((config.fit(&spends.slices(), run)?, spends.dropped))
}

/// What customers spend, as a frame has it.
#[derive(Debug)]
pub(crate) struct Spends<'a> {
    frequency: Cow<'a, [f64]>,
    money: Cow<'a, [f64]>,
    weight: Option<Cow<'a, [f64]>>,
    pub dropped: Dropped,
}

impl<'a> Spends<'a> {
    pub(crate) fn read(frame: &'a Columns, options: &GammaGammaOptions, run: &'a Run) -> Result<Self> {
        let mut intake = Intake::new(frame, options.on_invalid, run);
        let frequency = intake.amounts(&options.frequency, Sign::NonNegative)?;
        let money = intake.amounts(&options.monetary_value, Sign::NonNegative)?;
        let weight = options.weight.as_deref().map(|w| intake.amounts(w, Sign::NonNegative)).transpose()?;
        let kept = intake.finish()?;
        Ok(Self {
            frequency: kept.values(frequency),
            money: kept.values(money),
            weight: weight.map(|w| kept.values(w)),
            dropped: kept.into_dropped(),
        })
    }

    pub(crate) fn slices(&self) -> SpendSlices<'_> {
        SpendSlices {
            frequency: &self.frequency,
            monetary_value: &self.money,
            weight: self.weight.as_deref(),
        }
    }
}

/// Roles of [`GammaGammaModel::predict_columns`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpendPredictOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of their mean value.
    pub monetary_value: String,
    /// Level of an interval for the uncertainty of the parameters; none by default.
    pub interval: Option<f64>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for SpendPredictOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            frequency: "frequency".to_owned(),
            monetary_value: "monetary_value".to_owned(),
            interval: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Expected spend beside its customers.
#[derive(Clone, Debug, PartialEq)]
pub struct SpendPrediction {
    customer: Names,
    /// Expected spend per purchase; `None` where the model has no mean.
    pub expected_spend: Vec<Option<f64>>,
    /// Its lower and upper edge, where an interval was asked for.
    pub edges: Option<Vec<[Option<f64>; 2]>>,
    dropped: Dropped,
}

impl SpendPrediction {
    /// A frame: customer, expected_spend, and with `interval` expected_spend_low and expected_spend_high, missing where
    /// they are not finite.
    pub fn table(&self) -> Table {
        let table = Table::new()
            .with("customer", Values::Names(self.customer.clone()))
            .with_optional("expected_spend", self.expected_spend.iter().copied());
        match &self.edges {
            None => table,
            Some(edges) => beside(table, "expected_spend", edges),
        }
    }

    /// The rows that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

impl GammaGammaModel {
    /// [`GammaGammaModel::predict`] on a frame.
    pub fn predict_columns(
        &self,
        frame: &Columns,
        options: &SpendPredictOptions,
        run: &Run,
    ) -> Result<SpendPrediction> {
        let mut intake = Intake::new(frame, options.on_invalid, run);
        let customer = intake.names(&options.customer)?;
        let frequency = intake.amounts(&options.frequency, Sign::NonNegative)?;
        let money = intake.amounts(&options.monetary_value, Sign::NonNegative)?;
        let kept = intake.finish()?;
        let (frequency, money) = (kept.values(frequency), kept.values(money));
        let rows = SpendSlices { frequency: &frequency, monetary_value: &money, weight: None };
        Ok(SpendPrediction {
            expected_spend: self.predict(&rows)?,
            edges: options.interval.map(|level| self.predict_interval(&rows, level)).transpose()?,
            customer: kept.names(customer),
            dropped: kept.into_dropped(),
        })
    }

    /// A frame of the parameters: parameter, estimate, standard_error, low, high (95 %).
    pub fn table(&self) -> Result<Table> {
        Estimates::table(self.estimates(), 0.95)
    }
}

/// With the lower and upper edges of a column.
pub(crate) fn beside(table: Table, name: &str, edges: &[Edges]) -> Table {
    let edge = |i: usize| edges.iter().map(move |e| e[i]);
    table.with_optional(&format!("{name}_low"), edge(0)).with_optional(&format!("{name}_high"), edge(1))
}

/// Which columns a [`History`] is read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roles<'a> {
    pub customer: Option<&'a str>,
    pub frequency: &'a str,
    pub recency: &'a str,
    pub age: &'a str,
    pub weight: Option<&'a str>,
    /// One more column of numbers.
    pub along: Option<(&'a str, Sign)>,
    /// The columns of covariates.
    pub covariates: Reader<'a>,
    /// Column of the sums of the logarithms of the times between purchases.
    pub intervals: Option<&'a str>,
}

/// The column of log intervals: the one that is named, or where none is and
/// they are wanted, that of the usual name.
pub(crate) fn intervals_of<'a>(named: Option<&'a str>, frame: &Columns, wanted: bool) -> Option<&'a str> {
    const USUAL: &str = "log_intervals";
    named.or_else(|| (wanted && frame.has(USUAL)).then_some(USUAL))
}

/// Checked columns of purchase histories.
#[derive(Clone, Debug)]
pub(crate) struct History<'a> {
    pub customer: Option<Names>,
    pub frequency: Cow<'a, [f64]>,
    pub recency: Cow<'a, [f64]>,
    pub age: Cow<'a, [f64]>,
    pub weight: Option<Cow<'a, [f64]>>,
    pub along: Option<Cow<'a, [f64]>>,
    pub covariates: Vec<Given<'a>>,
    pub intervals: Option<Cow<'a, [f64]>>,
    pub dropped: Dropped,
}

impl<'a> History<'a> {
    pub(crate) fn read(
        frame: &'a Columns,
        roles: Roles<'_>,
        on_invalid: OnInvalid,
        run: &'a Run,
    ) -> Result<Self> {
        Ok(Self::read_beside(frame, roles, on_invalid, run, |_| Ok(()))?.0)
    }

    /// The same with more columns, so that a row that one of them refuses is refused by all.
    pub(crate) fn read_beside<X>(
        frame: &'a Columns,
        roles: Roles<'_>,
        on_invalid: OnInvalid,
        run: &'a Run,
        more: impl FnOnce(&mut Intake<'a>) -> Result<X>,
    ) -> Result<(Self, X, Kept)> {
        let mut intake = Intake::new(frame, on_invalid, run);
        let customer = roles.customer.map(|c| intake.names(c)).transpose()?;
        let frequency = intake.amounts(roles.frequency, Sign::NonNegative)?;
        let recency = intake.amounts(roles.recency, Sign::NonNegative)?;
        let age = intake.amounts(roles.age, Sign::NonNegative)?;
        let weight = roles.weight.map(|w| intake.amounts(w, Sign::NonNegative)).transpose()?;
        let along = roles.along.map(|(name, sign)| intake.amounts(name, sign)).transpose()?;
        let covariates = roles.covariates.read(&mut intake)?;
        let intervals = roles.intervals.map(|name| intake.amounts(name, Sign::Any)).transpose()?;
        // What single columns cannot tell; rows that they refused are skipped.
        let single =
            |row: usize| [frequency[row], recency[row], age[row]].iter().all(|v| v.is_finite() && *v >= 0.0);
        let faults: Vec<(usize, Fault)> = (0..frequency.len())
            .filter(|row| !sound(frequency[*row], recency[*row], age[*row]) && single(*row))
            .filter_map(|row| fault(frequency[row], recency[row], age[row], 1.0).map(|f| (row, f)))
            .collect();
        for kind in [Fault::Frequency, Fault::RecencyAfterEnd, Fault::RecencyWithoutRepeat] {
            let name = if kind == Fault::Frequency { roles.frequency } else { roles.recency };
            intake.reject(
                name,
                kind.text().1,
                faults.iter().filter(|(_, f)| *f == kind).map(|(row, _)| *row),
            );
        }
        if let (Some(name), Some(sums)) = (roles.intervals, &intervals) {
            let faults = (0..sums.len()).filter(|row| {
                single(*row)
                    && sums[*row].is_finite()
                    && !possible_intervals(frequency[*row], recency[*row], sums[*row])
            });
            intake.reject(name, IMPOSSIBLE_INTERVALS, faults);
        }
        let more = more(&mut intake)?;
        let kept = intake.finish()?;
        let found = Self {
            customer: customer.map(|c| kept.names(c)),
            frequency: kept.values(frequency),
            recency: kept.values(recency),
            age: kept.values(age),
            weight: weight.map(|w| kept.values(w)),
            along: along.map(|a| kept.values(a)),
            covariates: covariates.into_iter().map(|c| c.cut(&kept)).collect(),
            intervals: intervals.map(|i| kept.values(i)),
            dropped: kept.dropped().clone(),
        };
        Ok((found, more, kept))
    }

    /// Rows that are known to be sound, with their covariates.
    pub(crate) fn of(rows: &RfmSlices<'a>, covariates: Vec<Given<'a>>) -> Self {
        Self {
            customer: None,
            frequency: rows.frequency.into(),
            recency: rows.recency.into(),
            age: rows.age.into(),
            weight: rows.weight.map(Cow::from),
            along: None,
            covariates,
            intervals: rows.log_intervals.map(Cow::from),
            dropped: Dropped::default(),
        }
    }

    pub(crate) fn slices(&self) -> RfmSlices<'_> {
        RfmSlices {
            frequency: &self.frequency,
            recency: &self.recency,
            age: &self.age,
            weight: self.weight.as_deref(),
            period: None,
            log_intervals: self.intervals.as_deref(),
        }
    }
}
