//! How uncertain are the parameters of a model of purchases, of spend or of retention, and what follows
//! for each customer?
//!
//! | question | here | by |
//! | --- | --- | --- |
//! | the full posterior | [`sample_posterior`] | the no-U-turn sampler (Hoffman & Gelman 2014), exact gradients on distinct rows |
//! | nearly the same, at once | [`laplace`] | a normal about the greatest density |
//! | without priors | [`bootstrap`] | refits on customers drawn again |
//!
//! All three take what covariates of customers do
//! ([`PosteriorOptions::covariates`], of contracts [`PosteriorOptions::contract`]), draw `GammaGamma`, `ShiftedBetaGeo` and
//! `BetaDiscreteWeibull` too, and all give a [`Posterior`]: draws of the parameters that are saved in a
//! model file, summed up, and predicted with ([`Posterior::predict`]); and tell whether
//! the model produces customers like these ([`Posterior::check`]). Draws of purchases and of spend value customers
//! together ([`Posterior::lifetime_value`]); those of retention have a curve ([`Posterior::survival`]) and a value by
//! tenure ([`Posterior::value`]).
//!
//! Priors stand on log parameters, times in mean T, so the unit of time does
//! not matter. Where the likelihood alone has no maximum (no dropout in the
//! data, say), the default priors keep the posterior proper: it then shows how
//! far the parameters may run.

mod bootstrap;
mod check;
mod diagnostics;
mod draw;
mod explained;
mod groups;
mod hierarchy;
mod hierarchy_report;
mod hierarchy_told;
pub(super) mod joint;
pub(super) mod kernel;
mod nuts;
mod predict;
mod prior;
mod replicate;
mod replicate_retention;
mod replicate_spend;
mod report;
mod retention;
mod sample;
mod spend;
mod subject;
mod value;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use bootstrap::bootstrap;
pub use check::{PosteriorCheck, PosteriorCheckOptions};
pub use hierarchy::{Hierarchy, HierarchyOptions, sample_hierarchy};
pub(super) use predict::MOST_DRAWS;
pub use predict::{DrawPredictOptions, DrawPrediction};
pub use prior::{LogNormal, Prior};
pub use report::SummaryOptions;
pub use retention::{DrawSurvivalOptions, DrawValueOptions};
pub use sample::{laplace, sample_posterior};
pub use value::DrawnSpend;
pub(super) use value::{SpendDraws, of_groups};

use subject::{Subject, given};

use super::contract::{ContractCovariates, ContractOptions, Curve};
use super::covariates::{Covariates, Effects};
use super::door::{PurchaseOptions, purchases_drawn};
use super::laws::Purchases;
use super::unit::Unit;
use crate::column::OnInvalid;
use crate::model::Model;
use crate::{Error, Result};

/// No coefficient of a standardised covariate is drawn beyond this.
const MOST_STEEP: f64 = 1e6;

/// Roles and options of [`sample_posterior`] and [`laplace`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PosteriorOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of weights: how many customers a row stands for. None by default.
    pub weight: Option<String>,
    /// Column of the sum of the logarithms of the times between purchases, from which
    /// `ParetoGGG` learns: `log_intervals` by default. The other laws do not look at it.
    pub log_intervals: Option<String>,
    /// Of `GammaGamma`: column of the mean value of the repeat purchases, `monetary_value` by default.
    pub monetary_value: String,
    /// Of `ShiftedBetaGeo` and `BetaDiscreteWeibull`: what a row is, its columns, and those that explain how customers
    /// leave, as their fits have them. `weight`, `period` and `on_invalid` stand beside it. By default a row is the
    /// one cohort in a period.
    pub contract: Option<ContractOptions>,
    /// Of models of purchases: columns of covariates of customers, and what they may explain. None by default.
    pub covariates: Option<Covariates>,
    /// The unit of recency and T, to be kept with the draws and checked later.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// Ticks between purchases; see [`Fit::k`](super::Fit::k).
    pub k: u32,
    /// Chains; 4 by default.
    pub chains: usize,
    /// Draws of each chain; 1000 by default.
    pub draws: usize,
    /// Draws of warm-up before them, which are not kept; 300 by default.
    pub tune: usize,
    /// The acceptance that the step size aims at; 0.8 by default. More makes smaller
    /// steps, which helps where transitions diverge.
    pub target_accept: f64,
    /// A trajectory has at most 2 to this many steps; 10 by default.
    pub max_depth: u32,
    /// The prior of parameters that `priors` does not name.
    pub prior: Prior,
    /// Priors of single parameters and coefficients, by their names.
    pub priors: BTreeMap<String, LogNormal>,
    /// Standard deviation of the normal prior, about 0, of coefficients of standardised covariates that
    /// `priors` does not name. By default 1 with the prior `weak`: for one standard deviation of its
    /// covariate, the factor on a rate lies within 7 with 95 %; with `flat`, flat.
    pub coefficient_sd: Option<f64>,
}

impl Default for PosteriorOptions {
    fn default() -> Self {
        let PurchaseOptions { frequency, recency, age, weight, period, on_invalid, k, .. } =
            PurchaseOptions::default();
        Self {
            frequency,
            recency,
            age,
            weight,
            log_intervals: None,
            monetary_value: "monetary_value".to_owned(),
            contract: None,
            covariates: None,
            period,
            on_invalid,
            k,
            chains: 4,
            draws: 1000,
            tune: 300,
            target_accept: 0.8,
            max_depth: 10,
            prior: Prior::Weak,
            priors: BTreeMap::new(),
            coefficient_sd: None,
        }
    }
}

impl PosteriorOptions {
    fn purchases(&self) -> PurchaseOptions {
        PurchaseOptions {
            frequency: self.frequency.clone(),
            recency: self.recency.clone(),
            age: self.age.clone(),
            weight: self.weight.clone(),
            log_intervals: self.log_intervals.clone(),
            covariates: self.covariates.clone(),
            period: self.period,
            on_invalid: self.on_invalid,
            k: self.k,
            ..PurchaseOptions::default()
        }
    }

    /// Those that mean something to models of some kinds alone, where they are given.
    fn given(&self) -> Vec<&'static str> {
        given!(self; k, covariates, coefficient_sd, contract, frequency, recency, age, log_intervals, monetary_value)
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.chains == 0 || self.chains > 1000 {
            return Err(Error::option("chains", "must be a number from 1 to 1000; the default is 4"));
        }
        if self.draws < 4 || self.draws.saturating_mul(self.chains) > sample::MOST_DRAWS {
            return Err(Error::option("draws", "must be 4 or more, and 4,000,000 or fewer over all chains"));
        }
        if self.tune < 50 || self.tune > 1_000_000 {
            return Err(Error::option("tune", "must be a number from 50 to 1,000,000; the default is 300"));
        }
        if !(0.5..=0.999).contains(&self.target_accept) {
            return Err(Error::option("target_accept", "must lie between 0.5 and 0.999; the default is 0.8"));
        }
        if self.max_depth == 0 || self.max_depth > 15 {
            return Err(Error::option("max_depth", "must be a number from 1 to 15; the default is 10"));
        }
        if self.coefficient_sd.is_some_and(|sd| !(1e-4..=20.0).contains(&sd)) {
            return Err(Error::option("coefficient_sd", "must lie between 1e-4 and 20; the default is 1"));
        }
        let of_contract = self.contract.as_ref().and_then(|contract| contract.covariates.as_ref());
        if self.coefficient_sd.is_some() && self.covariates.is_none() && of_contract.is_none() {
            return Err(Error::option("coefficient_sd", "means nothing without covariates: leave it out"));
        }
        let penalised = |c: &Covariates| c.purchase_penalty != 0.0 || c.dropout_penalty != 0.0;
        let shrunk = |c: &ContractCovariates| c.alpha_penalty != 0.0 || c.beta_penalty != 0.0;
        if self.covariates.as_ref().is_some_and(penalised) || of_contract.is_some_and(shrunk) {
            let reason = "a posterior has priors instead of penalties: take `coefficient_sd`";
            return Err(Error::option("covariates", reason));
        }
        Ok(())
    }
}

/// Roles and options of [`bootstrap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of weights: how many customers a row stands for. None by default.
    pub weight: Option<String>,
    /// Column of the sum of the logarithms of the times between purchases, from which
    /// `ParetoGGG` learns: `log_intervals` by default. The other laws do not look at it.
    pub log_intervals: Option<String>,
    /// Of `GammaGamma`: column of the mean value of the repeat purchases, `monetary_value` by default.
    pub monetary_value: String,
    /// Of `ShiftedBetaGeo` and `BetaDiscreteWeibull`: what a row is, its columns, and those that explain how customers
    /// leave, as their fits have them. `weight`, `period` and `on_invalid` stand beside it. By default a row is the
    /// one cohort in a period.
    pub contract: Option<ContractOptions>,
    /// Of models of purchases: columns of covariates of customers, and what they may explain. None by default.
    pub covariates: Option<Covariates>,
    /// The unit of recency and T, to be kept with the draws and checked later.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// Ticks between purchases; see [`Fit::k`](super::Fit::k).
    pub k: u32,
    /// See [`Fit::penalty`](super::Fit::penalty).
    pub penalty: f64,
    /// See [`Fit::max_iterations`](super::Fit::max_iterations).
    pub max_iterations: usize,
    /// See [`Fit::tolerance`](super::Fit::tolerance); of the refits, 1e-5 by default: Newton's last step
    /// leaves an error far below that of the sample.
    pub tolerance: f64,
    /// Refits; 1000 by default.
    pub replicates: usize,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        let PurchaseOptions {
            frequency,
            recency,
            age,
            weight,
            period,
            on_invalid,
            k,
            penalty,
            max_iterations,
            ..
        } = PurchaseOptions::default();
        Self {
            frequency,
            recency,
            age,
            weight,
            log_intervals: None,
            monetary_value: "monetary_value".to_owned(),
            contract: None,
            covariates: None,
            period,
            on_invalid,
            k,
            penalty,
            max_iterations,
            tolerance: 1e-5,
            replicates: 1000,
        }
    }
}

impl BootstrapOptions {
    pub(super) fn check(&self) -> Result<()> {
        if (2..=1_000_000).contains(&self.replicates) {
            return Ok(());
        }
        Err(Error::option("replicates", "must be a number from 2 to 1,000,000; the default is 1000"))
    }

    /// Those of the fit to start from, which goes to the last digits.
    fn purchases(&self) -> PurchaseOptions {
        PurchaseOptions {
            frequency: self.frequency.clone(),
            recency: self.recency.clone(),
            age: self.age.clone(),
            weight: self.weight.clone(),
            period: self.period,
            log_intervals: self.log_intervals.clone(),
            on_invalid: self.on_invalid,
            covariates: self.covariates.clone(),
            k: self.k,
            penalty: self.penalty,
            max_iterations: self.max_iterations,
            tolerance: self.first_tolerance(),
        }
    }

    /// Those that mean something to models of some kinds alone, where they are given.
    fn given(&self) -> Vec<&'static str> {
        given!(self; k, covariates, contract, frequency, recency, age, log_intervals, monetary_value)
    }

    fn first_tolerance(&self) -> f64 {
        if self.tolerance > 0.0 && self.tolerance < 1.0 { 1e-9 } else { self.tolerance }
    }
}

/// Where draws come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// [`sample_posterior`].
    Nuts,
    /// [`laplace`].
    Laplace,
    /// [`bootstrap`].
    Bootstrap,
}

impl Method {
    /// The name in tables and in the other languages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nuts => "nuts",
            Self::Laplace => "laplace",
            Self::Bootstrap => "bootstrap",
        }
    }
}

/// How one chain went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chain {
    draws: usize,
    divergences: u64,
    step_size: Option<f64>,
    acceptance: Option<f64>,
    gradients: u64,
}

/// Draws of the parameters of a model of purchases, of spend or of retention.
///
/// A model file (kind `clv.Posterior`): what one language draws, another scores with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posterior {
    kind: String,
    k: u32,
    method: Method,
    period: Option<Unit>,
    /// Those of the law, then the coefficients of covariates.
    parameters: Vec<String>,
    /// The covariates, and their coefficients at the estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effects: Option<Effects>,
    /// The greatest posterior density on log parameters, or the maximum-likelihood estimate.
    estimate: Vec<f64>,
    customers: f64,
    chains: Vec<Chain>,
    /// Draw after draw, chain after chain.
    draws: Vec<f64>,
    log_density: Vec<f64>,
    /// Which draws ended a transition that diverged.
    divergent: Vec<u64>,
    failed: u64,
    at_edge: u64,
}

impl Posterior {
    /// What draws are added to.
    pub(super) fn empty(kind: &str, k: u32, method: Method, period: Option<Unit>) -> Self {
        Self {
            kind: kind.to_owned(),
            k,
            method,
            period,
            parameters: Vec::new(),
            effects: None,
            estimate: Vec::new(),
            customers: 0.0,
            chains: Vec::new(),
            draws: Vec::new(),
            log_density: Vec::new(),
            divergent: Vec::new(),
            failed: 0,
            at_edge: 0,
        }
    }

    /// How many of the parameters are the law's own.
    fn of_law(&self) -> usize {
        let coefficients = self.effects.as_ref().map_or(0, |effects| effects.coefficients().len());
        self.parameters.len().saturating_sub(coefficients)
    }

    /// A draw's parameters of the law, and its coefficients.
    fn parts<'d>(&self, draw: &'d [f64]) -> (&'d [f64], &'d [f64]) {
        draw.split_at(self.of_law().min(draw.len()))
    }

    /// The model at one point.
    fn model(&self, at: &[f64]) -> Result<Box<dyn Purchases>> {
        let (values, coefficients) = self.parts(at);
        let effects = self.effects.as_ref().map(|effects| effects.with_values(coefficients));
        purchases_drawn(&self.kind, values, self.k, self.period, effects)
    }

    /// The kind of the model of purchases, such as `clv.BetaGeo`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where the draws come from.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The parameters' names; those of coefficients of covariates, as a fit has them, come last.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The parameters at the greatest posterior density of their logarithms; of a
    /// bootstrap, the maximum-likelihood estimate. Coefficients are in the units of the data.
    pub fn estimate(&self) -> &[f64] {
        &self.estimate
    }

    /// How many draws there are, over all chains.
    pub fn len(&self) -> usize {
        self.log_density.len()
    }

    /// Whether there is none: never, once it is made or loaded.
    pub fn is_empty(&self) -> bool {
        self.log_density.is_empty()
    }

    /// Refits that did not converge, and are not among the draws.
    pub fn failed(&self) -> usize {
        self.failed as usize
    }

    /// Transitions that diverged: with many, raise `target_accept`.
    pub fn divergences(&self) -> usize {
        self.divergent.len()
    }

    /// The draws, each with a number for each parameter.
    pub fn draws(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.draws.chunks_exact(self.parameters.len().max(1))
    }

    /// The draws of one parameter, by its position.
    fn column(&self, parameter: usize) -> Vec<f64> {
        self.draws().filter_map(|draw| draw.get(parameter).copied()).collect()
    }
}

impl Model for Posterior {
    const KIND: &'static str = "clv.Posterior";

    fn check(&self) -> Result<()> {
        let cannot = |e| Error::model_file(format!("holds draws of a model that cannot be: {e}"));
        let names = self.names().map_err(cannot)?;
        let scales = self.effects.as_ref().map_or(Vec::new(), Effects::scales);
        let possible = |draw: &[f64]| {
            let (values, coefficients) = self.parts(draw);
            values.iter().all(|v| v.is_finite() && *v > 0.0)
                && (!matches!(self.subject(), Subject::Retention(_)) || Curve::given(values).is_ok())
                && coefficients.iter().zip(&scales).all(|(c, scale)| (c * scale).abs() <= MOST_STEEP)
        };
        let total = self.log_density.len();
        let count = self.chains.iter().try_fold(0_usize, |n, chain| n.checked_add(chain.draws));
        let equal = self.chains.windows(2).all(|pair| pair[0].draws == pair[1].draws);
        let finite = |v: &Option<f64>| v.is_none_or(f64::is_finite);
        let sound = self.parameters == names
            && self.estimate.len() == self.parameters.len()
            && total > 0
            && count == Some(total)
            && equal
            && Some(self.draws.len()) == total.checked_mul(self.parameters.len())
            && self.draws().all(possible)
            && self.log_density.iter().all(|v| v.is_finite())
            && self.chains.iter().all(|c| finite(&c.step_size) && finite(&c.acceptance))
            && self.divergent.iter().all(|d| *d < total as u64)
            && self.customers.is_finite();
        if sound {
            Ok(())
        } else {
            Err(Error::model_file(
                "its draws are not positive numbers, one for each parameter; save it again",
            ))
        }
    }
}
