//! Models of purchases by name: the one door of both bindings.

use serde::{Deserialize, Serialize};

use super::ahead::Horizon;
use super::beta_geo::{BetaGeo, BetaGeoModel};
use super::covariates::{self, Ask, Covariates, Effects, Patterns, reader};
use super::design::{Given, Reader};
use super::frames::{History as Rows, Roles, beside, intervals_of};
use super::laws::{Edges, Fit, History, Law, PurchaseModel, Purchases, Quantity, no_k, predict};
use super::rows::{RfmSlices, Unique};
use super::unit::Unit;
use super::{
    AbeParetoLaw, BetaBinomialLaw, BetaGeoCnbdLaw, BetaGeoLaw, GGompertzLaw, ModifiedBetaGeoCnbdLaw,
    ModifiedBetaGeoLaw, NbdLaw, ParetoGggLaw, ParetoLaw,
};
use crate::column::{Columns, Dropped, OnInvalid, Table, Tables, Values};
use crate::math::{ln_gamma, sum};
use crate::model::{self, Model};
use crate::options::parse;
use crate::{Error, Result, Run};

/// Roles and options of [`fit_purchases`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurchaseOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of weights: how many customers a row stands for. None by default.
    pub weight: Option<String>,
    /// Column of the sum of the logarithms of the times between purchases
    /// ([`Rfm::log_intervals`](super::Rfm::log_intervals)). With it the
    /// log-likelihoods of regular laws are complete, and those of different k
    /// can be compared. None by default.
    pub log_intervals: Option<String>,
    /// The unit of recency and T, to be kept with the model and checked later.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// Columns of covariates of customers, and what they may explain. None by default.
    pub covariates: Option<Covariates>,
    /// See [`Fit::k`].
    pub k: u32,
    /// See [`Fit::penalty`].
    pub penalty: f64,
    /// See [`Fit::max_iterations`].
    pub max_iterations: usize,
    /// See [`Fit::tolerance`].
    pub tolerance: f64,
}

impl Default for PurchaseOptions {
    fn default() -> Self {
        let BetaGeo { penalty, max_iterations, tolerance } = BetaGeo::default();
        Self {
            frequency: "frequency".to_owned(),
            recency: "recency".to_owned(),
            age: "T".to_owned(),
            weight: None,
            log_intervals: None,
            period: None,
            on_invalid: OnInvalid::Error,
            covariates: None,
            k: 1,
            penalty,
            max_iterations,
            tolerance,
        }
    }
}

impl PurchaseOptions {
    pub(super) fn roles<'a>(&'a self, covariates: &'a [String]) -> Roles<'a> {
        Roles {
            customer: None,
            frequency: &self.frequency,
            recency: &self.recency,
            age: &self.age,
            weight: self.weight.as_deref(),
            along: None,
            intervals: self.log_intervals.as_deref(),
            covariates: if covariates.is_empty() { Reader::None } else { Reader::Fit(covariates) },
        }
    }

    fn fit<L: Law<N>, const N: usize>(
        &self,
        rows: &RfmSlices<'_>,
        given: &[Given<'_>],
        constant: f64,
        run: &Run,
    ) -> Result<Box<dyn Purchases>> {
        let fit = Fit::<L, N>::new().k(self.k).penalty(self.penalty);
        let fit = fit.max_iterations(self.max_iterations).tolerance(self.tolerance);
        let mut model = fit.fit(rows, run)?;
        if let Some(covariates) = &self.covariates {
            let &Self { penalty, max_iterations, tolerance, .. } = self;
            let ask = Ask { covariates, penalty, max_iterations, tolerance };
            let found = covariates::fit::<L, N>(model.law(), model.estimates(), rows, given, &ask, run)?;
            model = model.with_effects(found);
        }
        Ok(Box::new(model.with_constant(constant)))
    }

    /// Fits the law of this kind; `constant` is the part of the log-likelihood
    /// that depends on no parameter ([`regularity`]).
    pub(super) fn fit_kind(
        &self,
        kind: &str,
        rows: &RfmSlices<'_>,
        given: &[Given<'_>],
        constant: f64,
        run: &Run,
    ) -> Result<Box<dyn Purchases>> {
        match kind {
            BetaGeoModel::KIND if self.covariates.is_some() => {
                self.fit::<BetaGeoLaw, 4>(rows, given, constant, run)
            }
            BetaGeoModel::KIND => {
                if self.k != 1 {
                    return Err(Error::option("k", "must be 1: BetaGeo has purchases at random"));
                }
                let config = BetaGeo {
                    penalty: self.penalty,
                    max_iterations: self.max_iterations,
                    tolerance: self.tolerance,
                };
                Ok(Box::new(config.fit(rows, run)?))
            }
            ModifiedBetaGeoLaw::KIND => self.fit::<ModifiedBetaGeoLaw, 4>(rows, given, constant, run),
            BetaGeoCnbdLaw::KIND => self.fit::<BetaGeoCnbdLaw, 4>(rows, given, constant, run),
            ModifiedBetaGeoCnbdLaw::KIND => self.fit::<ModifiedBetaGeoCnbdLaw, 4>(rows, given, constant, run),
            ParetoLaw::KIND => self.fit::<ParetoLaw, 4>(rows, given, constant, run),
            GGompertzLaw::KIND => self.fit::<GGompertzLaw, 5>(rows, given, constant, run),
            ParetoGggLaw::KIND => self.fit::<ParetoGggLaw, 6>(rows, given, 0.0, run),
            AbeParetoLaw::KIND => self.fit::<AbeParetoLaw, 5>(rows, given, constant, run),
            BetaBinomialLaw::KIND => self.fit::<BetaBinomialLaw, 4>(rows, given, constant, run),
            NbdLaw::KIND => self.fit::<NbdLaw, 2>(rows, given, constant, run),
            _ => Err(Error::option("model", format!("`{kind}` is no model of purchases"))),
        }
    }
}

/// Fits a model of purchases of the given kind, such as `clv.ParetoNBD`, on a
/// frame such as [`summarize`](super::summarize) gives.
///
/// Rows dropped under `on_invalid="drop"` are returned beside the model.
pub fn fit_purchases(
    kind: &str,
    frame: &Columns,
    options: &PurchaseOptions,
    run: &Run,
) -> Result<(Box<dyn Purchases>, Dropped)> {
    let covariates = options.covariates.as_ref().map_or(Ok(Vec::new()), Covariates::columns)?;
    let intervals = intervals_of(options.log_intervals.as_deref(), frame, kind == ParetoGggLaw::KIND);
    let rows = Rows::read(frame, Roles { intervals, ..options.roles(&covariates) }, options.on_invalid, run)?;
    let slices = RfmSlices { period: options.period, ..rows.slices() };
    let constant = slices.log_intervals.map_or(0.0, |litt| {
        let each = regularity(options.k, slices.frequency, litt);
        sum(each.iter().enumerate().map(|(row, c)| slices.weight.map_or(1.0, |w| w[row]) * c))
    });
    let model = options.fit_kind(kind, &slices, &rows.covariates, constant, run)?;
    Ok((model, rows.dropped))
}

/// What is done with a law once its type is known.
pub(crate) trait VisitLaw {
    type Out;
    fn law<L: Law<N>, const N: usize>(self, law: L) -> Result<Self::Out>;
}

/// Finds the law of this kind.
pub(crate) fn with_law<V: VisitLaw>(kind: &str, k: u32, visit: V) -> Result<V::Out> {
    fn law<L: Law<N>, V: VisitLaw, const N: usize>(k: u32, visit: V) -> Result<V::Out> {
        visit.law(L::with_k(k).ok_or_else(|| no_k::<L, N>(k))?)
    }
    match kind {
        BetaGeoLaw::KIND => law::<BetaGeoLaw, V, 4>(k, visit),
        ModifiedBetaGeoLaw::KIND => law::<ModifiedBetaGeoLaw, V, 4>(k, visit),
        BetaGeoCnbdLaw::KIND => law::<BetaGeoCnbdLaw, V, 4>(k, visit),
        ModifiedBetaGeoCnbdLaw::KIND => law::<ModifiedBetaGeoCnbdLaw, V, 4>(k, visit),
        ParetoLaw::KIND => law::<ParetoLaw, V, 4>(k, visit),
        GGompertzLaw::KIND => law::<GGompertzLaw, V, 5>(k, visit),
        ParetoGggLaw::KIND => law::<ParetoGggLaw, V, 6>(k, visit),
        AbeParetoLaw::KIND => law::<AbeParetoLaw, V, 5>(k, visit),
        BetaBinomialLaw::KIND => law::<BetaBinomialLaw, V, 4>(k, visit),
        NbdLaw::KIND => law::<NbdLaw, V, 2>(k, visit),
        _ => Err(Error::option("model", format!("`{kind}` is no model of purchases"))),
    }
}

/// A model of the given kind with given parameters.
pub fn purchases_with(
    kind: &str,
    values: &[f64],
    k: u32,
    period: Option<Unit>,
) -> Result<Box<dyn Purchases>> {
    purchases_drawn(kind, values, k, period, None)
}

/// The same with coefficients of covariates.
pub(super) fn purchases_drawn(
    kind: &str,
    values: &[f64],
    k: u32,
    period: Option<Unit>,
    effects: Option<Effects>,
) -> Result<Box<dyn Purchases>> {
    struct With<'a>(&'a [f64], Option<Unit>, Option<Effects>);
    impl VisitLaw for With<'_> {
        type Out = Box<dyn Purchases>;
        fn law<L: Law<N>, const N: usize>(self, law: L) -> Result<Self::Out> {
            let Self(values, period, effects) = self;
            let values = values.try_into().map_err(|_| {
                Error::option("params", format!("must be {N} numbers: {}", L::PARAMETERS.join(", ")))
            })?;
            let model = PurchaseModel::<L, N>::from_parameters(values, law.k(), period)?;
            Ok(Box::new(model.with_drawn(effects)?))
        }
    }
    match kind {
        BetaGeoModel::KIND if effects.is_none() => {
            let [r, alpha, a, b] = values else {
                return Err(Error::option("params", "must be 4 numbers: r, alpha, a, b"));
            };
            Ok(Box::new(BetaGeoModel::from_parameters(*r, *alpha, *a, *b, period)?))
        }
        _ => with_law(kind, k, With(values, period, effects)),
    }
}

/// Reads a model file, if it holds a model of purchases.
pub fn purchases_from_bytes(bytes: &[u8]) -> Result<Option<Box<dyn Purchases>>> {
    fn read<M: Model + Purchases + 'static>(bytes: &[u8]) -> Result<Option<Box<dyn Purchases>>> {
        Ok(Some(Box::new(model::from_bytes::<M>(bytes)?)))
    }
    match model::kind(bytes)?.as_str() {
        BetaGeoModel::KIND if model::has(bytes, "effects")? => read::<PurchaseModel<BetaGeoLaw, 4>>(bytes),
        BetaGeoModel::KIND => read::<BetaGeoModel>(bytes),
        ModifiedBetaGeoLaw::KIND => read::<PurchaseModel<ModifiedBetaGeoLaw, 4>>(bytes),
        BetaGeoCnbdLaw::KIND => read::<PurchaseModel<BetaGeoCnbdLaw, 4>>(bytes),
        ModifiedBetaGeoCnbdLaw::KIND => read::<PurchaseModel<ModifiedBetaGeoCnbdLaw, 4>>(bytes),
        ParetoLaw::KIND => read::<PurchaseModel<ParetoLaw, 4>>(bytes),
        GGompertzLaw::KIND => read::<PurchaseModel<GGompertzLaw, 5>>(bytes),
        ParetoGggLaw::KIND => read::<PurchaseModel<ParetoGggLaw, 6>>(bytes),
        AbeParetoLaw::KIND => read::<PurchaseModel<AbeParetoLaw, 5>>(bytes),
        BetaBinomialLaw::KIND => read::<PurchaseModel<BetaBinomialLaw, 4>>(bytes),
        NbdLaw::KIND => read::<PurchaseModel<NbdLaw, 2>>(bytes),
        _ => Ok(None),
    }
}

/// Options of the reports `new_customer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewCustomerOptions {
    /// The horizon of `probabilities`: a number of periods or a span of time. Default 1.
    pub periods: Horizon,
    /// The most purchases told apart. Default 10.
    pub most: usize,
    /// Horizons of the table `course`, each in either way; the table has them in periods. Default none.
    pub horizons: Vec<Horizon>,
    /// Level of intervals for the uncertainty of the parameters, such as 0.95; none by default.
    pub interval: Option<f64>,
}

impl Default for NewCustomerOptions {
    fn default() -> Self {
        Self { periods: Horizon::Periods(1.0), most: 10, horizons: Vec::new(), interval: None }
    }
}

/// Options of the report `frequencies`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrequencyOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of weights. None by default.
    pub weight: Option<String>,
    /// The last row is this many purchases or more. Default 7.
    pub most: usize,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for FrequencyOptions {
    fn default() -> Self {
        let PurchaseOptions { frequency, recency, age, .. } = PurchaseOptions::default();
        Self { frequency, recency, age, weight: None, most: 7, on_invalid: OnInvalid::Error }
    }
}

impl dyn Purchases {
    /// The parameters and coefficients with their errors and limits (95 %), and one row on the fit;
    /// with covariates that ends with `effects_verdict`, the verdict on their coefficients.
    pub fn tables(&self) -> Result<(Table, Table)> {
        let (table, fit) = (self.estimates().table(0.95)?, self.estimates());
        Ok(match self.effects() {
            None => (table, fit.fit_table()),
            Some(effects) => (effects.append(&table, 0.95)?, effects.fit_table(fit)),
        })
    }

    /// A report by its name, with its options as JSON: what the bindings call.
    ///
    /// | name | frame | tables |
    /// | --- | --- | --- |
    /// | `predict` | of customers | `predict` ([`predict`]) and `dropped` |
    /// | `new_customer` | none | `new_customer`: purchases, probability; `course`: periods, expected_purchases, p_alive; with `interval` …_low, …_high of all |
    /// | `frequencies` | of customers | `frequencies`: purchases, actual (customers with so many), expected, residual (standardised); `goodness_of_fit`: chi_squared, degrees_of_freedom, p |
    /// | `check` | with a holdout | `check`, `by_frequency`, `by_recency`, `by_age`, `deciles`: the forecast beside fact |
    /// | `correlation` | none | `correlation`, of `AbeParetoNBD`: correlation of ln λ and ln μ, low, high (95 %) |
    /// | `parameters` | none | `parameters`, `fit`: of [`Estimates`](super::Estimates) |
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        let frame =
            || frame.ok_or_else(|| Error::option("frame", format!("`{name}` needs a frame of customers")));
        match name {
            "predict" => {
                let found = predict(self, frame()?, &parse(options)?, run)?;
                Ok(vec![("predict", found.table()), ("dropped", found.dropped().table())])
            }
            "new_customer" => new_customer(self, &parse(options)?),
            "frequencies" => frequencies(self, frame()?, &parse(options)?, run),
            "check" => super::checking::check(self, frame()?, &parse(options)?, run),
            "parameters" => {
                crate::options::none(options)?;
                let (parameters, fit) = self.tables()?;
                Ok(vec![("parameters", parameters), ("fit", fit)])
            }
            "correlation" => {
                crate::options::none(options)?;
                let Some(found) = self.mixing()[0].correlation(self.estimates()) else {
                    let reason = format!("{} has no correlation of rates: AbeParetoNBD has", self.kind());
                    return Err(Error::option("report", reason));
                };
                let names = ["correlation", "low", "high"];
                let add = |table: Table, (name, value)| table.with_optional(name, [value]);
                Ok(vec![("correlation", names.into_iter().zip(found).fold(Table::new(), add))])
            }
            _ => Err(Error::option("report", format!("there is no report `{name}` of models of purchases"))),
        }
    }
}

fn new_customer(model: &dyn Purchases, options: &NewCustomerOptions) -> Result<Tables> {
    let unit = model.period();
    let periods = options.periods.periods("periods", unit)?;
    let each = options.horizons.iter().map(|horizon| horizon.periods("horizons", unit));
    let horizons = each.collect::<Result<Vec<f64>>>()?;
    let mass = model.probabilities(0.0, 0.0, 0.0, periods, options.most)?;
    let ask = |f: &dyn Fn(f64) -> Result<f64>| horizons.iter().map(|t| f(*t)).collect::<Result<Vec<f64>>>();
    let mut course = Table::new()
        .with("periods", Values::F64(horizons.clone()))
        .with("expected_purchases", Values::F64(ask(&|t| model.expected_purchases(0.0, 0.0, 0.0, t))?))
        .with("p_alive", Values::F64(ask(&|t| model.p_alive(0.0, 0.0, 0.0, t))?));
    let mut table = Table::new()
        .with("purchases", Values::I64((0..mass.len() as i64).collect()))
        .with("probability", Values::F64(mass));
    if let Some(level) = options.interval {
        let ask = |f: &dyn Fn(f64) -> Quantity| -> Result<Vec<Edges>> {
            horizons.iter().map(|t| model.interval(0.0, 0.0, 0.0, f(*t), level)).collect()
        };
        let edges = model.probabilities_interval(0.0, 0.0, 0.0, periods, options.most, level)?;
        table = beside(table, "probability", &edges);
        course = beside(course, "expected_purchases", &ask(&|periods| Quantity::Purchases { periods })?);
        course = beside(course, "p_alive", &ask(&|ahead| Quantity::Alive { ahead })?);
    }
    Ok(vec![("new_customer", table), ("course", course)])
}

/// Ages and how many have each, who share what is expected of them.
fn ages(each: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut ages: Vec<(f64, f64)> = each.collect();
    ages.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    ages.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, sum(same.iter().map(|s| s.1)))).collect()
}

/// Customers by their number of repeat purchases, beside what the model says of
/// customers of their ages.
fn frequencies(
    model: &dyn Purchases,
    frame: &Columns,
    options: &FrequencyOptions,
    run: &Run,
) -> Result<Tables> {
    if options.most == 0 || options.most > 1000 {
        return Err(Error::option("most", "must be a number from 1 to 1000"));
    }
    let roles = Roles {
        customer: None,
        frequency: &options.frequency,
        recency: &options.recency,
        age: &options.age,
        weight: options.weight.as_deref(),
        along: None,
        covariates: reader(model),
        intervals: None,
    };
    let rows = Rows::read(frame, roles, options.on_invalid, run)?;
    let slices = rows.slices();
    let unique = Unique::of(&slices, run)?;
    let mut actual = vec![0.0; options.most + 1];
    for (x, weight) in unique.frequency.iter().zip(&unique.weight) {
        actual[(*x as usize).min(options.most)] += weight;
    }
    run.stage("counting customers by purchases", slices.len() as u64)?;
    let expected_of = |model: &dyn Purchases, ages: &[(f64, f64)]| {
        let parts = run.map_items(ages.len(), |i| {
            Ok(model.probabilities_of(History::default(), ages[i].0, options.most - 1))
        })?;
        let one = |n: usize| sum(parts.iter().zip(ages).map(|(mass, age)| age.1 * mass[n]));
        Ok::<Vec<f64>, Error>((0..options.most).map(one).collect())
    };
    let mut expected = match Patterns::of(model, &rows) {
        None => expected_of(model, &ages(unique.age.iter().copied().zip(unique.weight.iter().copied())))?,
        Some(patterns) => {
            let parts = run.map_items(patterns.len(), |i| {
                let (members, covariates) = patterns.get(i);
                let one = |row: &u32| {
                    let row = *row as usize;
                    (slices.age[row], slices.weight.map_or(1.0, |w| w[row]))
                };
                let model = model.with_covariates(covariates)?;
                run.advance(members.len() as u64)?;
                expected_of(&*model, &ages(members.iter().map(one)))
            })?;
            (0..options.most).map(|n| sum(parts.iter().map(|p| p[n]))).collect()
        }
    };
    let customers = sum(unique.weight.iter().copied());
    let below = sum(expected.iter().copied());
    expected.push((customers - below).max(0.0));
    let pearson = |i: usize| {
        let gap = actual[i] - expected[i];
        if expected[i] > 0.0 { gap * gap / expected[i] } else { 0.0 }
    };
    let statistic = sum((0..actual.len()).map(pearson));
    // The parameters were fitted to these customers (Cochran 1952).
    let estimated = model.estimates().fixed.iter().filter(|fixed| !**fixed).count()
        + model.effects().map_or(0, Effects::free);
    let free = options.most.checked_sub(estimated).filter(|free| *free > 0);
    let p = free.map(|free| crate::math::chi_squared_tail(statistic, free as f64));
    let residual = (0..actual.len()).map(|i| {
        let spread = expected[i] * (1.0 - expected[i] / customers.max(1.0));
        (spread > 0.0).then(|| (actual[i] - expected[i]) / spread.sqrt())
    });
    let residual: Vec<Option<f64>> = residual.collect();
    let table = Table::new()
        .with("purchases", Values::I64((0..=options.most as i64).collect()))
        .with("actual", Values::F64(actual))
        .with("expected", Values::F64(expected))
        .with_optional("residual", residual);
    let fit = Table::new()
        .with("chi_squared", Values::F64(vec![statistic]))
        .with_optional("degrees_of_freedom", [free.map(|free| free as f64)])
        .with_optional("p", [p]);
    Ok(vec![("frequencies", table), ("goodness_of_fit", fit), ("dropped", rows.dropped.table())])
}

/// What the times between purchases add to the log-likelihood of each customer
/// of a law of k ticks: (k − 1) Σ ln Δ − x ln Γ(k).
pub(super) fn regularity(k: u32, frequency: &[f64], log_intervals: &[f64]) -> Vec<f64> {
    let (free, ticks) = (f64::from(k) - 1.0, ln_gamma(f64::from(k)));
    frequency.iter().zip(log_intervals).map(|(x, litt)| free * litt - x * ticks).collect()
}

/// The log-likelihood of each distinct row.
pub(super) fn row_likelihoods(model: &dyn Purchases, rows: &Unique, run: &Run) -> Result<Vec<f64>> {
    run.map_items(rows.len(), |row| Ok(model.quantity(rows.history(row), Quantity::LogLikelihood)))
}
