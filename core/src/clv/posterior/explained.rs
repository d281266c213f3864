//! Draws of the models of retention together with what covariates of customers do.

use super::joint::{self, Joined};
use super::retention::{Shifted, Weibull};
use super::{BootstrapOptions, Posterior, PosteriorOptions};
use crate::clv::contract::{
    self, ContractCovariates, ContractOptions, Family, Kinds, MetLaw, SHIFTED, WEIBULL,
};
use crate::clv::covariates::Effect;
use crate::clv::design::Terms;
use crate::column::{Columns, Dropped};
use crate::math::ascent::Local;
use crate::{Error, Result, Run};

struct Explained<'a, const N: usize> {
    law: MetLaw<N>,
    kinds: &'a Kinds,
}

impl<const N: usize> Joined<N> for Explained<'_, N> {
    fn terms(&self) -> &Terms {
        &self.kinds.terms
    }
    fn effects(&self) -> &[Effect] {
        &self.kinds.effects
    }
    fn weight(&self) -> &[f64] {
        self.kinds.weight()
    }
    fn tells(&self, weight: &[f64]) -> bool {
        weight.iter().any(|w| *w > 0.0)
    }
    fn weighted<'a>(&'a self, weight: &'a [f64]) -> impl Fn(&[f64], &Run) -> Result<Local> + 'a {
        let met = self.kinds.reweighted(weight);
        move |at, run| self.kinds.evaluate(self.law, &met, at, run)
    }
    fn slope(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        self.kinds.slope(self.law, at, gradient)
    }
}

/// What the rows are, and their covariates.
type Asked<'a> = (&'a ContractOptions, &'a ContractCovariates);

pub(super) fn bayes(
    family: Family,
    frame: &Columns,
    (asked, covariates): Asked<'_>,
    out: Posterior,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let (customers, dropped) = contract::customers(frame, asked, covariates, run)?;
    let (lives, kinds) = (customers.lives(), customers.kinds(covariates)?);
    let kinds = &kinds;
    let posterior = match family {
        Family::ShiftedBetaGeo => {
            let joint = Explained { law: SHIFTED, kinds };
            joint::bayes((Shifted, &lives), family.name(), &joint, out, options, run)?
        }
        Family::BetaDiscreteWeibull => {
            let joint = Explained { law: WEIBULL, kinds };
            joint::bayes((Weibull, &lives), family.name(), &joint, out, options, run)?
        }
    };
    Ok((posterior, dropped))
}

pub(super) fn bootstrap(
    family: Family,
    frame: &Columns,
    (asked, covariates): Asked<'_>,
    out: Posterior,
    options: &BootstrapOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let (customers, dropped) = contract::customers(frame, asked, covariates, run)?;
    let fit = customers.fit(family, covariates, options.solver(), run)?;
    let kinds = &customers.kinds(covariates)?;
    let Some(effects) = fit.effects() else {
        return Err(Error::option("covariates", "the fit has none"));
    };
    let estimate = (fit.params(), effects);
    let refits = match family {
        Family::ShiftedBetaGeo => {
            let shrinkage = kinds.shrinkage(options.penalty, covariates);
            let joint = Explained { law: SHIFTED, kinds };
            joint::refits::<Shifted, 2>(&joint, estimate, &shrinkage, options, run)?
        }
        Family::BetaDiscreteWeibull => {
            let shrinkage = kinds.shrinkage(options.penalty, covariates);
            let joint = Explained { law: WEIBULL, kinds };
            joint::refits::<Weibull, 3>(&joint, estimate, &shrinkage, options, run)?
        }
    };
    let out = out.at(fit.estimates()).explained(effects);
    Ok((out.with_refits(family.name(), &refits, options)?, dropped))
}
