//! A fitted law.

use serde::{Deserialize, Serialize};

use super::fit::{evaluate, no_k};
use super::purchases::{Purchases, Quantity, without_covariates};
use super::{History, Law, Mixing};
use crate::clv::covariates::Effects;
use crate::clv::estimates::Estimates;
use crate::clv::rows::RfmSlices;
use crate::clv::unit::Unit;
use crate::math::ln;
use crate::model::Model;
use crate::{Error, Result, Run};

/// A fitted law of purchases and dropout; its quantities are those of [`Purchases`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File", bound = "")]
pub struct PurchaseModel<L: Law<N>, const N: usize> {
    law: L,
    estimates: Estimates,
    penalty: f64,
    period: Option<Unit>,
    effects: Option<Effects>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "one", skip_serializing_if = "is_one")]
    k: u32,
    estimates: Estimates,
    penalty: f64,
    period: Option<Unit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effects: Option<Effects>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(k: &u32) -> bool {
    *k == 1
}

impl<L: Law<N>, const N: usize> From<PurchaseModel<L, N>> for File {
    fn from(model: PurchaseModel<L, N>) -> Self {
        let PurchaseModel { law, estimates, penalty, period, effects } = model;
        Self { k: law.k(), estimates, penalty, period, effects }
    }
}

impl<L: Law<N>, const N: usize> TryFrom<File> for PurchaseModel<L, N> {
    type Error = Error;

    fn try_from(file: File) -> Result<Self> {
        let law = L::with_k(file.k).ok_or_else(|| no_k::<L, N>(file.k))?;
        let File { estimates, penalty, period, effects, .. } = file;
        Ok(Self { law, estimates, penalty, period, effects })
    }
}

impl<L: Law<N>, const N: usize> Model for PurchaseModel<L, N> {
    const KIND: &'static str = L::KIND;

    fn check(&self) -> Result<()> {
        self.estimates.check(&L::PARAMETERS)?;
        self.effects.as_ref().map_or(Ok(()), Effects::check::<L, N>)
    }
}

impl<L: Law<N>, const N: usize> PurchaseModel<L, N> {
    pub(super) fn fitted(law: L, estimates: Estimates, penalty: f64, period: Option<Unit>) -> Self {
        Self { law, estimates, penalty, period, effects: None }
    }

    /// The model with covariates, as they were fitted together.
    pub(in crate::clv) fn with_effects(mut self, (estimates, effects): (Estimates, Effects)) -> Self {
        (self.estimates, self.effects) = (estimates, Some(effects));
        self
    }

    /// The model with these coefficients, of which nothing is known but their values.
    pub(in crate::clv) fn with_drawn(self, effects: Option<Effects>) -> Result<Self> {
        effects.as_ref().map_or(Ok(()), Effects::check_coefficients::<L, N>)?;
        Ok(Self { effects, ..self })
    }

    pub(in crate::clv) fn law(&self) -> L {
        self.law
    }

    /// Adds what depends on no parameter to the log-likelihood.
    pub(in crate::clv) fn with_constant(mut self, constant: f64) -> Self {
        self.estimates.log_likelihood = self.estimates.log_likelihood.map(|fit| fit + constant);
        self
    }

    /// A model with given parameters, for example published ones: no fit, no errors.
    pub fn from_parameters(values: [f64; N], k: u32, period: Option<Unit>) -> Result<Self> {
        for (name, value) in L::PARAMETERS.iter().zip(values) {
            if !(value > 0.0 && value <= 1e100) {
                return Err(Error::option(*name, "must be a number greater than 0, 1e100 at most"));
            }
        }
        let law = L::with_k(k).ok_or_else(|| no_k::<L, N>(k))?;
        let estimates = Estimates::given(&L::PARAMETERS, values.to_vec());
        Ok(Self { law, estimates, penalty: 0.0, period, effects: None })
    }

    /// The parameters, in the order of their names; times are in periods.
    pub fn params(&self) -> [f64; N] {
        parameters(&self.estimates.values)
    }

    /// The log-likelihood of rows at these parameters, and its gradient on log parameters.
    pub fn evaluate(&self, rows: &RfmSlices<'_>, run: &Run) -> Result<(f64, [f64; N])> {
        if L::DISCRETE {
            super::fit::opportunities(rows)?;
        }
        let unique = super::fit::distinct::<L, N>(rows, run)?;
        let local = evaluate(self.law, &unique, self.params().map(ln), run)?;
        Ok((local.value, local.gradient))
    }
}

fn parameters<const N: usize>(values: &[f64]) -> [f64; N] {
    std::array::from_fn(|i| values.get(i).copied().unwrap_or(f64::NAN))
}

impl<L: Law<N>, const N: usize> Purchases for PurchaseModel<L, N> {
    fn kind(&self) -> &'static str {
        L::KIND
    }
    fn estimates(&self) -> &Estimates {
        &self.estimates
    }
    fn period(&self) -> Option<Unit> {
        self.period
    }
    fn penalty(&self) -> f64 {
        self.penalty
    }
    fn is_discrete(&self) -> bool {
        L::DISCRETE
    }
    fn ticks(&self) -> u32 {
        self.law.k()
    }
    fn mixing(&self) -> [Mixing; 2] {
        L::MIXING
    }
    fn effects(&self) -> Option<&Effects> {
        self.effects.as_ref()
    }
    fn with_covariates(&self, row: &[f64]) -> Result<Box<dyn Purchases>> {
        let Some(effects) = &self.effects else { return Err(without_covariates(L::NAME)) };
        let estimates = effects.estimates::<L, N>(&self.estimates, row);
        let &Self { law, penalty, period, .. } = self;
        Ok(Box::new(Self { law, estimates, penalty, period, effects: None }))
    }
    fn steps(&self, row: &[f64]) -> Vec<Vec<f64>> {
        let steps = |effects: &Effects| effects.steps::<L, N>(row).iter().map(|s| s.to_vec()).collect();
        self.effects.as_ref().map_or_else(Vec::new, steps)
    }
    fn reads_intervals(&self) -> bool {
        L::INTERVALS
    }
    fn quantity_at(&self, values: &[f64], history: History, quantity: Quantity) -> f64 {
        let p = parameters(values);
        match quantity {
            Quantity::OddsAlive => self.law.ln_odds_alive(p, history),
            Quantity::Alive { ahead } => self.law.p_alive(p, history, ahead),
            Quantity::Purchases { periods } => {
                self.law.p_alive(p, history, 0.0) * self.law.while_alive(p, history, periods)
            }
            Quantity::WhileAlive { periods } => self.law.while_alive(p, history, periods),
            Quantity::Residual { rate } => self.law.residual(p, history, rate),
            Quantity::Rate => self.law.rate(p, history),
            Quantity::LogLikelihood => self.law.ln_likelihood(p, history),
        }
    }
    fn probabilities_at(&self, values: &[f64], history: History, periods: f64, most: usize) -> Vec<f64> {
        self.law.probabilities(parameters(values), history, periods, most)
    }
    fn course(&self, history: History, times: &[f64]) -> Vec<f64> {
        let p = parameters(&self.estimates.values);
        let alive = self.law.p_alive(p, history, 0.0);
        self.law.course(p, history, times).into_iter().map(|purchases| alive * purchases).collect()
    }
    fn discounted_at(&self, values: &[f64], history: History, weights: &[f64]) -> f64 {
        let p = parameters(values);
        self.law.p_alive(p, history, 0.0) * self.law.weighted(p, history, weights)
    }
    fn bytes(&self) -> Result<Vec<u8>> {
        crate::model::to_bytes(self)
    }
}
