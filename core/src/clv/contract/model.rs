//! Fitted models of retention.

use serde::{Deserialize, Serialize};

use super::belief::Belief;
use super::curve::{FASTEST, SLOWEST};
use super::fit::Family;
use super::{Curve, LifeTable};
use crate::clv::covariates::Effects;
use crate::clv::estimates::Estimates;
use crate::clv::unit::Unit;
use crate::model::Model;
use crate::{Error, Result};

/// One cohort of customers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortFit {
    /// Its label.
    pub cohort: String,
    /// Its own life table.
    pub life: LifeTable,
    /// Its own estimates, where cohorts were fitted separately and this one
    /// has met renewals enough; the pooled ones serve it otherwise.
    pub estimates: Option<Estimates>,
}

/// What the models of retention have in common: the estimates for all
/// customers together, those of single cohorts, and the life tables that they
/// were fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractModel {
    pub(super) estimates: Estimates,
    pub(super) life: LifeTable,
    pub(super) cohorts: Vec<CohortFit>,
    pub(super) period: Option<Unit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effects: Option<Effects>,
}

/// What a report speaks of: all customers, or one cohort.
#[derive(Clone, Debug)]
pub(crate) struct Group<'a> {
    pub cohort: Option<&'a str>,
    /// What was observed, where it is known.
    pub life: Option<&'a LifeTable>,
    pub belief: Belief<'a>,
}

impl ContractModel {
    pub(super) fn new(estimates: Estimates, life: LifeTable) -> Self {
        Self { estimates, life, cohorts: Vec::new(), period: None, effects: None }
    }

    /// Parameters, standard errors, log-likelihood, verdict: of all customers together; of a
    /// model with covariates, of a customer who has them at their means.
    pub fn estimates(&self) -> &Estimates {
        &self.estimates
    }

    /// The parameters by the names of [`Estimates::names`].
    pub fn params(&self) -> &[f64] {
        &self.estimates.values
    }

    /// Standard errors of the parameters; `None` where not identified.
    pub fn standard_errors(&self) -> Vec<Option<f64>> {
        self.estimates.standard_errors()
    }

    /// The maximised log-likelihood.
    pub fn log_likelihood(&self) -> Option<f64> {
        self.estimates.log_likelihood
    }

    /// The life table of all customers.
    pub fn life_table(&self) -> &LifeTable {
        &self.life
    }

    /// The cohorts, by label; none where the frame had none.
    pub fn cohorts(&self) -> &[CohortFit] {
        &self.cohorts
    }

    /// The retention curve of all customers, or of one whose covariates are at their means.
    pub fn curve(&self) -> Curve {
        Curve::of(&self.estimates.values)
    }

    /// The curve of a cohort: its own where it has one.
    pub fn curve_of(&self, cohort: &str) -> Curve {
        Curve::of(&self.estimates_of(Some(cohort)).values)
    }

    pub(super) fn estimates_of(&self, cohort: Option<&str>) -> &Estimates {
        let own = cohort.and_then(|label| self.cohorts.iter().find(|c| c.cohort == label));
        own.and_then(|c| c.estimates.as_ref()).unwrap_or(&self.estimates)
    }

    /// The length of a period, where it is known.
    pub fn period(&self) -> Option<Unit> {
        self.period
    }

    /// Says how long a period is, so that discount rates can be given per year.
    #[must_use]
    pub fn with_period(mut self, period: Option<Unit>) -> Self {
        self.period = period;
        self
    }

    /// Whether cohorts have curves of their own.
    pub(super) fn separate(&self) -> bool {
        self.cohorts.iter().any(|c| c.estimates.is_some())
    }

    /// All customers, then the cohorts; with intervals of this level where one is given.
    pub(super) fn groups(&self, interval: Option<f64>) -> Result<Vec<Group<'_>>> {
        let belief = |estimates: &Estimates| Belief::of_fit(estimates, interval);
        let all = Group { cohort: None, life: Some(&self.life), belief: belief(&self.estimates)? };
        let own = self.cohorts.iter().map(|c| {
            let belief = belief(c.estimates.as_ref().unwrap_or(&self.estimates))?;
            Ok(Group { cohort: Some(&c.cohort), life: Some(&c.life), belief })
        });
        std::iter::once(Ok(all)).chain(own).collect()
    }

    pub(super) fn from_parameters(family: Family, values: &[f64]) -> Result<Self> {
        let names = family.parameters();
        if values.len() != names.len() {
            let reason = format!("must be {} numbers: {}", names.len(), names.join(", "));
            return Err(Error::option("params", reason));
        }
        Curve::given(values)?;
        let estimates = Estimates::given(family.parameters(), values.to_vec());
        Ok(Self::new(estimates, LifeTable::default()))
    }

    fn check(&self, family: Family) -> Result<()> {
        self.life.check()?;
        let estimates = self.cohorts.iter().filter_map(|c| c.estimates.as_ref());
        for estimates in std::iter::once(&self.estimates).chain(estimates) {
            estimates.check(family.parameters())?;
            if !(SLOWEST..=FASTEST).contains(&Curve::of(&estimates.values).c) {
                return Err(Error::model_file("its c does not lie between 0.01 and 20"));
            }
        }
        self.check_effects(family)?;
        self.cohorts.iter().try_for_each(|c| c.life.check())
    }
}

macro_rules! model {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $family:expr, [$($parameter:ident),+]) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub(super) ContractModel);

        impl $name {
            /// A model with given parameters: no fit, no errors.
            pub fn from_parameters($($parameter: f64),+) -> Result<Self> {
                ContractModel::from_parameters($family, &[$($parameter),+]).map(Self)
            }
        }

        impl std::ops::Deref for $name {
            type Target = ContractModel;

            fn deref(&self) -> &ContractModel {
                &self.0
            }
        }

        impl Model for $name {
            const KIND: &'static str = $kind;

            fn check(&self) -> Result<()> {
                self.0.check($family)
            }
        }
    };
}

model! {
    /// A fitted shifted beta-geometric model: parameters alpha, beta.
    ShiftedBetaGeoModel, "clv.ShiftedBetaGeo", Family::ShiftedBetaGeo, [alpha, beta]
}
model! {
    /// A fitted beta-discrete-Weibull model: parameters alpha, beta, c.
    BetaDiscreteWeibullModel, "clv.BetaDiscreteWeibull", Family::BetaDiscreteWeibull, [alpha, beta, c]
}
