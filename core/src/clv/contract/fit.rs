//! Maximising the likelihoods.

use serde::{Deserialize, Serialize};

use super::curve::{FASTEST, SLOWEST};
use super::likelihood::{geometric, met, shifted, weibull};
use super::{BetaDiscreteWeibullModel, ContractModel, LifeTable, ShiftedBetaGeoModel};
use crate::clv::estimates::{Estimates, Verdict};
use crate::math::newton::{Local, Optimum, Stop, covariance, maximise};
use crate::math::{exp, ln};
use crate::model::Model;
use crate::{Error, Result, Run};

/// α and β this far from 1 are as good as 0 or infinite.
const EDGE: f64 = 1e6;
/// From this α and β on, the limit in which all customers are alike is tried too.
const NEARLY_ALIKE: f64 = 1e3;
/// β of that limit.
const ALIKE: f64 = 1e10;

macro_rules! config {
    ($(#[$doc:meta])* $name:ident, $model:ident, $family:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// Most Newton steps; 200 by default.
            pub max_iterations: usize,
            /// The fit has converged when no entry of the gradient, per customer and
            /// on log parameters, exceeds this; 1e-9 by default.
            pub tolerance: f64,
        }

        impl Default for $name {
            fn default() -> Self {
                Self { max_iterations: 200, tolerance: 1e-9 }
            }
        }

        impl $name {
            /// The defaults.
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets the most Newton steps.
            #[must_use]
            pub fn max_iterations(mut self, max_iterations: usize) -> Self {
                self.max_iterations = max_iterations;
                self
            }

            /// Sets the tolerance on the gradient.
            #[must_use]
            pub fn tolerance(mut self, tolerance: f64) -> Self {
                self.tolerance = tolerance;
                self
            }

            /// Fits the model by maximum likelihood.
            ///
            /// Where the maximum does not lie at finite parameters, the verdict
            /// says which simpler model the customers ask for.
            ///
            /// Errors: [`Error::NotEnoughData`] with fewer renewals than
            /// parameters, [`Error::NotConverged`].
            pub fn fit(&self, life: &LifeTable, run: &Run) -> Result<$model> {
                let solver = Solver { max_iterations: self.max_iterations, tolerance: self.tolerance };
                Ok($model(ContractModel::new($family.fit(life, solver, run)?, life.clone())))
            }
        }
    };
}

config! {
    /// How to fit a shifted beta-geometric model: parameters alpha, beta.
    ShiftedBetaGeo, ShiftedBetaGeoModel, Family::ShiftedBetaGeo
}
config! {
    /// How to fit a beta-discrete-Weibull model: parameters alpha, beta, c.
    BetaDiscreteWeibull, BetaDiscreteWeibullModel, Family::BetaDiscreteWeibull
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Solver {
    pub max_iterations: usize,
    pub tolerance: f64,
}

/// The models of this room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    ShiftedBetaGeo,
    BetaDiscreteWeibull,
}

impl Family {
    /// The one of this kind, such as `clv.ShiftedBetaGeo` or `ShiftedBetaGeo`.
    pub(super) fn named(kind: &str) -> Result<Self> {
        let name = kind.strip_prefix("clv.").unwrap_or(kind);
        let found = [Self::ShiftedBetaGeo, Self::BetaDiscreteWeibull].into_iter().find(|f| f.name() == name);
        found.ok_or_else(|| Error::option("kind", format!("there is no model of retention `{kind}`")))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ShiftedBetaGeo => "ShiftedBetaGeo",
            Self::BetaDiscreteWeibull => "BetaDiscreteWeibull",
        }
    }

    /// The kind in model files.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::ShiftedBetaGeo => ShiftedBetaGeoModel::KIND,
            Self::BetaDiscreteWeibull => BetaDiscreteWeibullModel::KIND,
        }
    }

    pub(crate) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::ShiftedBetaGeo => &["alpha", "beta"],
            Self::BetaDiscreteWeibull => &["alpha", "beta", "c"],
        }
    }

    pub(crate) fn fit(self, life: &LifeTable, solver: Solver, run: &Run) -> Result<Estimates> {
        if !(solver.tolerance > 0.0 && solver.tolerance < 1.0) {
            return Err(Error::option("tolerance", "must lie between 0 and 1; the default is 1e-9"));
        }
        if solver.max_iterations == 0 {
            return Err(Error::option("max_iterations", "must be 1 or more"));
        }
        run.stage("fitting retention", 0)?;
        let (lost, kept) = life.totals();
        if lost + kept <= 0.0 {
            return Err(Error::not_enough_data(
                "no customer has met a renewal yet: there is no retention to fit",
            ));
        }
        // Nobody leaves, or nobody stays: no search finds the edge faster.
        if lost == 0.0 {
            return Ok(self.extreme(life, [1.0 / EDGE, EDGE], Verdict::NoDropout));
        }
        if kept == 0.0 {
            return Ok(self.extreme(life, [EDGE, 1.0 / EDGE], Verdict::CertainDropout));
        }
        let needed = self.parameters().len();
        if life.informative() < needed {
            return Err(Error::not_enough_data(format!(
                "{} has {needed} parameters and needs as many renewals that customers have met; there are {}: observe for longer",
                self.name(),
                life.informative()
            )));
        }
        let start = start(lost / (lost + kept)).map(ln);
        let edge = ln(EDGE);
        let bounds = [(-edge, edge); 2];
        let search = Search { family: self, solver, life, run };
        let met = met(life);
        let simple = search.best(&[start], &bounds, |at| shifted(&met, at));
        if self == Self::ShiftedBetaGeo {
            return simple.map(|found| search.estimates(&found));
        }
        let [a, b] = simple.map_or(start, |found| found.at.map(|v| v.clamp(-4.0, 7.0)));
        let starts = [[a, b, 0.0], [2.0, 2.0 + start[1], ln(0.7)], [start[0], start[1], ln(1.4)]];
        let bounds = [bounds[0], bounds[1], (ln(SLOWEST), ln(FASTEST))];
        let found = search.best(&starts, &bounds, |at| weibull(&met, at))?;
        Ok(search.estimates(&found))
    }

    fn extreme(self, life: &LifeTable, at: [f64; 2], verdict: Verdict) -> Estimates {
        let n = self.parameters().len();
        Estimates {
            names: self.parameters().iter().map(|p| (*p).to_owned()).collect(),
            values: at.into_iter().chain([1.0]).take(n).collect(),
            covariance: vec![vec![0.0; n]; n],
            fixed: vec![true; n],
            log_likelihood: Some(geometric(life).0),
            customers: Some(life.customers()),
            distinct: life.informative() as u64,
            iterations: 0,
            gradient_norm: 0.0,
            verdict,
        }
    }
}

/// α and β to start from: a renewal's chance of leaving as the mean of Beta(1, β).
pub(crate) fn start(chance: f64) -> [f64; 2] {
    let chance = chance.clamp(0.001, 0.9);
    [1.0, (1.0 - chance) / chance]
}

/// Which simpler model the customers ask for, by log parameters and which of them are held.
pub(super) fn judged<const N: usize>(at: [f64; N], held: [bool; N]) -> Verdict {
    let (high, low) = (|i: usize| at[i] > 6.0, |i: usize| at[i] < -6.0);
    if !held.contains(&true) {
        Verdict::Interior
    } else if held[2..].contains(&true) {
        Verdict::Boundary
    } else if at[1] > ln(EDGE) + 1.0 || (high(0) && high(1)) {
        Verdict::EqualDropout
    } else if low(0) && low(1) {
        Verdict::PolarisedDropout
    } else if low(0) && high(1) {
        Verdict::NoDropout
    } else if low(1) {
        Verdict::CertainDropout
    } else {
        Verdict::Boundary
    }
}

struct Search<'a> {
    family: Family,
    solver: Solver,
    life: &'a LifeTable,
    run: &'a Run,
}

impl Search<'_> {
    /// The best of several searches, and of the limit in which all are alike.
    fn best<const N: usize>(
        &self,
        starts: &[[f64; N]],
        bounds: &[(f64, f64); N],
        evaluate: impl Fn([f64; N]) -> Local<N>,
    ) -> Result<Optimum<N>> {
        let n = self.life.customers();
        let stop = Stop { max_iterations: self.solver.max_iterations, gradient: self.solver.tolerance * n };
        let mut best: Option<Optimum<N>> = None;
        for start in starts {
            let found = maximise(*start, bounds, stop, |at| {
                self.run.check()?;
                Ok(evaluate(at.map(exp)))
            })?;
            let better = best.as_ref().is_none_or(|b| {
                (found.converged && !b.converged)
                    || (found.converged == b.converged && found.local.value > b.local.value)
            });
            if better {
                best = Some(found);
            }
        }
        let Some(mut found) = best else {
            return Err(Error::not_enough_data("there is no place to begin the search"));
        };
        if !found.converged || found.at[..2].iter().all(|v| *v > ln(NEARLY_ALIKE)) || found.bound[1] {
            let limit = self.alike(found.at, bounds, stop, &evaluate)?;
            if limit.converged && (!found.converged || limit.local.value >= found.local.value - 1e-7) {
                found = Optimum { iterations: found.iterations + limit.iterations, ..limit };
            }
        }
        if found.converged {
            return Ok(found);
        }
        Err(Error::NotConverged {
            model: self.family.name(),
            iterations: found.iterations,
            gradient_norm: found.gradient_norm / n,
            hint: "raise max_iterations".to_owned(),
        })
    }

    /// The maximum with β out of sight: one chance to leave for all.
    fn alike<const N: usize>(
        &self,
        from: [f64; N],
        bounds: &[(f64, f64); N],
        stop: Stop,
        evaluate: impl Fn([f64; N]) -> Local<N>,
    ) -> Result<Optimum<N>> {
        let beta = ln(ALIKE);
        let (_, log_odds) = geometric(self.life);
        let mut start = from;
        start[1] = beta;
        start[0] = beta + log_odds;
        let mut bounds = *bounds;
        bounds[0] = (0.0, 2.0 * beta);
        bounds[1] = (beta, beta);
        maximise(start, &bounds, stop, |at| {
            self.run.check()?;
            let mut local = evaluate(at.map(exp));
            local.gradient[1] = 0.0; // held, whichever way it pushes
            for i in 0..N {
                local.hessian[i][1] = 0.0;
                local.hessian[1][i] = 0.0;
            }
            Ok(local)
        })
    }

    fn estimates<const N: usize>(&self, found: &Optimum<N>) -> Estimates {
        let at = found.at;
        let mut fixed = found.bound;
        let covariance = covariance(&found.local.hessian, fixed);
        let covariance =
            covariance.filter(|c| c.iter().flatten().all(|v| v.is_finite())).unwrap_or_else(|| {
                // Flat to working accuracy: nothing can be said of the errors.
                fixed = [true; N];
                [[0.0; N]; N]
            });
        let n = self.life.customers();
        Estimates {
            names: self.family.parameters().iter().map(|p| (*p).to_owned()).collect(),
            values: at.map(exp).to_vec(),
            covariance: covariance.iter().map(|row| row.to_vec()).collect(),
            fixed: fixed.to_vec(),
            log_likelihood: Some(found.local.value),
            customers: Some(n),
            distinct: self.life.informative() as u64,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm / n,
            verdict: judged(at, found.bound),
        }
    }
}
