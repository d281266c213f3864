//! What the parameters that are drawn are of.

use super::{Method, Posterior};
use crate::clv::GammaGammaModel;
use crate::clv::contract::{BetaDiscreteWeibullModel, Curve, Family, ShiftedBetaGeoModel};
use crate::clv::covariates::Effects;
use crate::clv::gamma_gamma::NAMES;
use crate::model::Model;
use crate::{Error, Result};

/// What a model is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Purchases,
    Spend,
    Retention(Family),
}

impl Subject {
    /// Any other kind is of purchases, until its law is looked for.
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            GammaGammaModel::KIND => Self::Spend,
            ShiftedBetaGeoModel::KIND => Self::Retention(Family::ShiftedBetaGeo),
            BetaDiscreteWeibullModel::KIND => Self::Retention(Family::BetaDiscreteWeibull),
            _ => Self::Purchases,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Purchases => "",
            Self::Spend => GammaGammaModel::KIND,
            Self::Retention(Family::ShiftedBetaGeo) => ShiftedBetaGeoModel::KIND,
            Self::Retention(Family::BetaDiscreteWeibull) => BetaDiscreteWeibullModel::KIND,
        }
    }

    /// What draws of a model that is not of purchases are added to. Options that only those of purchases have
    /// are refused.
    pub(super) fn empty(
        self,
        method: Method,
        (period, k): (Option<crate::clv::Unit>, u32),
        refused: &[(&str, bool)],
    ) -> Result<Posterior> {
        let name = self.kind().trim_start_matches("clv.");
        for &(option, given) in refused.iter().chain(&[("k", k != 1)]) {
            if given {
                return Err(Error::option(option, format!("is of models of purchases, and {name} is none")));
            }
        }
        Ok(Posterior::empty(self.kind(), 1, method, period))
    }
}

impl Posterior {
    pub(super) fn subject(&self) -> Subject {
        Subject::of(&self.kind)
    }

    /// The names that the parameters must have; an error where the estimate is no model.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        if self.subject() != Subject::Purchases && (self.effects.is_some() || self.k != 1) {
            return Err(Error::option("effects", "are of models of purchases"));
        }
        match self.subject() {
            Subject::Purchases => {
                let mut names = self.model(&self.estimate)?.estimates().names.clone();
                names.extend(self.effects.iter().flat_map(Effects::names));
                Ok(names)
            }
            Subject::Spend => Ok(own(&NAMES)),
            Subject::Retention(family) => {
                Curve::given(&self.estimate)?;
                Ok(own(family.parameters()))
            }
        }
    }

    /// At most so many draws, evenly spaced over all chains.
    pub(super) fn thinned(&self, most: usize) -> Vec<&[f64]> {
        let total = self.len();
        let count = most.min(total);
        let draws: Vec<&[f64]> = self.draws().collect();
        (0..count).filter_map(|i| draws.get((i * total + total / 2) / count.max(1)).copied()).collect()
    }

    /// That these draws are not of what is asked.
    pub(super) fn other(&self, asked: &str) -> Error {
        let name = self.kind.trim_start_matches("clv.");
        Error::option("model", format!("these are draws of {name}, and {asked}"))
    }
}
