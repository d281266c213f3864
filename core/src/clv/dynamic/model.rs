//! A fitted Pareto/NBD with covariates that change.

use serde::{Deserialize, Serialize};

use super::likelihood::LAW;
use super::pareto::DynamicParetoNbd;
use super::timeline::Timeline;
use crate::clv::covariates::Effects;
use crate::clv::design::{Matrix, Terms};
use crate::clv::estimates::Estimates;
use crate::clv::laws::{Law, ParetoLaw};
use crate::column::{Duration, Table};
use crate::math::ln;
use crate::model::Model;
use crate::{Error, Result};

/// A fitted [`DynamicParetoNbd`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicParetoNbdModel {
    pub(super) estimates: Estimates,
    pub(super) effects: Effects,
    pub(super) period: Duration,
    penalty: f64,
}

impl Model for DynamicParetoNbdModel {
    const KIND: &'static str = "clv.DynamicParetoNBD";

    fn check(&self) -> Result<()> {
        self.estimates.check(&ParetoLaw::PARAMETERS)?;
        if self.period.micros() <= 0 {
            return Err(Error::model_file("its period is not longer than 0"));
        }
        self.effects.check::<ParetoLaw, LAW>()
    }
}

impl DynamicParetoNbdModel {
    pub(super) fn new(estimates: Estimates, effects: Effects, how: &DynamicParetoNbd) -> Self {
        Self { estimates, effects, period: how.period, penalty: how.penalty }
    }

    pub(super) fn given(estimates: Estimates, effects: Effects, period: Duration) -> Self {
        Self { estimates, effects, period, penalty: 0.0 }
    }

    /// r, alpha, s, beta of a customer whose covariates are at their means over the time that customers lived.
    pub fn estimates(&self) -> &Estimates {
        &self.estimates
    }

    /// The coefficients.
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// The unit of time.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// All parameters with their errors and limits (95 %), and one row on the fit.
    pub fn tables(&self) -> Result<(Table, Table)> {
        let fit = self.effects.fit_table(&self.estimates);
        Ok((self.effects.append(&self.estimates.table(0.95)?, 0.95)?, fit))
    }

    /// Log parameters and coefficients.
    pub(super) fn at(&self) -> Vec<f64> {
        let law = self.estimates.values.iter().map(|v| ln(*v));
        law.chain(self.effects.coefficients().iter().map(|c| c.value)).collect()
    }
}

/// Covariates less their means, whose coefficients are in the units of the data, as the reader at this place read them.
pub(super) fn centred(terms: &Terms, timeline: &Timeline<'_>, reader: usize) -> Matrix {
    let mut matrix = timeline.matrix_of(reader, terms);
    let means = terms.means();
    for row in matrix.values.chunks_exact_mut(matrix.columns.max(1)) {
        for (x, mean) in row.iter_mut().zip(&means) {
            *x -= mean;
        }
    }
    matrix
}
