//! Fitted models of retention.

use serde::{Deserialize, Serialize};

use super::curve::{FASTEST, SLOWEST};
use super::fit::Family;
use super::{Curve, LifeTable};
use crate::clv::estimates::Estimates;
use crate::column::Duration;
use crate::math::{exp, ln};
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
    pub(super) period: Option<Duration>,
}

/// A curve with the covariance of its log parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uncertain {
    pub curve: Curve,
    covariance: [[f64; 3]; 3],
}

/// What a report speaks of: all customers, or one cohort.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    pub cohort: Option<&'a str>,
    pub life: &'a LifeTable,
    pub estimates: &'a Estimates,
}

impl ContractModel {
    pub(super) fn new(estimates: Estimates, life: LifeTable) -> Self {
        Self { estimates, life, cohorts: Vec::new(), period: None }
    }

    /// Parameters, standard errors, log-likelihood, verdict: of all customers together.
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

    /// The retention curve of all customers.
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
    pub fn period(&self) -> Option<Duration> {
        self.period
    }

    /// Says how long a period is, so that discount rates can be given per year.
    #[must_use]
    pub fn with_period(mut self, period: Option<Duration>) -> Self {
        self.period = period;
        self
    }

    /// Whether cohorts have curves of their own.
    pub(super) fn separate(&self) -> bool {
        self.cohorts.iter().any(|c| c.estimates.is_some())
    }

    /// All customers, then the cohorts.
    pub(super) fn groups(&self) -> Vec<Group<'_>> {
        let all = Group { cohort: None, life: &self.life, estimates: &self.estimates };
        let own = self.cohorts.iter().map(|c| Group {
            cohort: Some(&c.cohort),
            life: &c.life,
            estimates: c.estimates.as_ref().unwrap_or(&self.estimates),
        });
        std::iter::once(all).chain(own).collect()
    }

    fn from_parameters(family: Family, values: &[f64]) -> Result<Self> {
        let at = |i: usize| values.get(i).copied().unwrap_or(1.0);
        Curve::new(at(0), at(1), at(2))?;
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
        self.cohorts.iter().try_for_each(|c| c.life.check())
    }
}

impl Uncertain {
    pub(super) fn of(estimates: &Estimates) -> Self {
        let entry = |i: usize, j: usize| {
            estimates.covariance.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0)
        };
        Self {
            curve: Curve::of(&estimates.values),
            covariance: std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j))),
        }
    }

    /// The standard error of something with this gradient on log parameters.
    fn error(&self, gradient: [f64; 3]) -> f64 {
        let mut variance = 0.0;
        for i in 0..3 {
            for j in 0..3 {
                variance += gradient[i] * self.covariance[i][j] * gradient[j];
            }
        }
        variance.max(0.0).sqrt()
    }

    /// The interval of S(n + t) / S(n), symmetric on the log odds, so within 0 and 1.
    pub(super) fn survival(&self, n: u32, t: u32, z: f64) -> [f64; 2] {
        let (n, t) = (f64::from(n), f64::from(t));
        if t == 0.0 {
            return [1.0, 1.0];
        }
        let stretch = self.curve.stretch(n, n + t);
        let share = exp(stretch.value);
        let odds = share / -crate::math::exp_m1(stretch.value);
        if !(odds > 0.0 && odds.is_finite()) {
            return [share, share];
        }
        // d ln odds = d ln share / (1 − share)
        let error = self.error(stretch.gradient) * (1.0 + odds);
        [-z, z].map(|z| {
            let odds = odds * exp(z * error);
            if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 }
        })
    }

    /// The interval of a positive quantity of the curve, symmetric on the log scale.
    pub(super) fn positive(
        &self,
        z: f64,
        value: impl Fn(&Curve) -> Result<Option<f64>>,
    ) -> Result<Option<[f64; 2]>> {
        const STEP: f64 = 1e-3;
        let Some(here) = value(&self.curve)?.filter(|v| *v > 0.0) else { return Ok(None) };
        let mut gradient = [0.0; 3];
        for i in 0..3 {
            if self.covariance[i][i] <= 0.0 {
                continue;
            }
            // Differences of order h⁴: an error of 1e-10 in an interval is none.
            let mut side = [0.0; 4];
            for (k, side) in [-2.0, -1.0, 1.0, 2.0].into_iter().zip(&mut side) {
                let mut by = [0.0; 3];
                by[i] = k * STEP;
                match value(&self.curve.moved(by))? {
                    Some(v) if v > 0.0 => *side = ln(v),
                    _ => return Ok(None),
                }
            }
            gradient[i] = (side[0] - side[3] + 8.0 * (side[2] - side[1])) / (12.0 * STEP);
        }
        let error = self.error(gradient);
        Ok(Some([here * exp(-z * error), here * exp(z * error)]).filter(|[_, high]| high.is_finite()))
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
