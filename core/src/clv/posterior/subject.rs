//! What the parameters that are drawn are of.

use super::Posterior;
use crate::clv::GammaGammaModel;
use crate::clv::contract::{BetaDiscreteWeibullModel, Curve, Family, ShiftedBetaGeoModel, check_drawn};
use crate::clv::covariates::Effects;
use crate::clv::dynamic::DynamicParetoNbdModel;
use crate::clv::gamma_gamma::NAMES;
use crate::clv::laws::{Law, ParetoLaw};
use crate::clv::unit::Unit;
use crate::model::Model;
use crate::{Error, Result};

/// What a model is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Purchases,
    Spend,
    Retention(Family),
    /// Purchases along covariates that change.
    Along,
}

impl Subject {
    /// Any other kind is of purchases, until its law is looked for.
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            GammaGammaModel::KIND => Self::Spend,
            ShiftedBetaGeoModel::KIND => Self::Retention(Family::ShiftedBetaGeo),
            BetaDiscreteWeibullModel::KIND => Self::Retention(Family::BetaDiscreteWeibull),
            DynamicParetoNbdModel::KIND => Self::Along,
            _ => Self::Purchases,
        }
    }

    /// Whether a model of this kind looks at an option.
    fn reads(self, option: &str) -> bool {
        match option {
            "contract" | "renewals" | "discount" | "horizon" | "margin" => {
                matches!(self, Self::Retention(_))
            }
            "monetary_value" => self == Self::Spend,
            "frequency" => !matches!(self, Self::Retention(_)),
            "periods" | "most" => self != Self::Spend,
            "coefficient_sd" => matches!(self, Self::Purchases | Self::Retention(_)),
            _ => self == Self::Purchases,
        }
    }

    /// Options that mean nothing to a model of this kind are refused where they are given.
    pub(super) fn refuse(self, kind: &str, given: &[&'static str]) -> Result<()> {
        if self == Self::Along {
            return Err(Self::along());
        }
        match given.iter().find(|option| !self.reads(option)) {
            None => Ok(()),
            Some(&"covariates") if matches!(self, Self::Retention(_)) => Err(Error::option(
                "covariates",
                "are of models of purchases: those of a contract stand in `contract`, \
                 {\"data\": \"customers\", \"covariates\": {\"alpha\": [...], \"beta\": [...]}}",
            )),
            Some(option) => {
                let name = kind.trim_start_matches("clv.");
                Err(Error::option(*option, format!("means nothing to {name}: leave it out")))
            }
        }
    }

    /// Customers along covariates are told by two frames.
    pub(super) fn along() -> Error {
        let reason = "DynamicParetoNBD learns from orders and covariates: draw by its own methods";
        Error::option("model", reason)
    }
}

/// The default of options of this type.
pub(super) fn default_of<T: Default>(_: &T) -> T {
    T::default()
}

/// The names of those options that are not the defaults.
macro_rules! given {
    ($options:expr; $($option:ident),+ $(,)?) => {{
        let options = $options;
        let default = $crate::clv::posterior::subject::default_of(options);
        let mut names: Vec<&'static str> = Vec::new();
        $(if options.$option != default.$option {
            names.push(match stringify!($option) {
                "age" => "T",
                name => name,
            });
        })+
        names
    }};
}
pub(super) use given;

impl Posterior {
    pub(super) fn subject(&self) -> Subject {
        Subject::of(&self.kind)
    }

    /// The names that the parameters must have; an error where the estimate is no model.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let own = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let spends = self.subject() == Subject::Spend;
        if spends && self.effects.is_some() || self.subject() != Subject::Purchases && self.k != 1 {
            return Err(Error::option("effects", "are of models of purchases and of retention"));
        }
        match self.subject() {
            Subject::Purchases => {
                let mut names = self.model(&self.estimate)?.estimates().names.clone();
                names.extend(self.effects.iter().flat_map(Effects::names));
                Ok(names)
            }
            Subject::Along => {
                let (effects, _) = self.along()?;
                effects.check_coefficients::<ParetoLaw, 4>()?;
                Ok(own(&ParetoLaw::PARAMETERS).into_iter().chain(effects.names()).collect())
            }
            Subject::Spend => Ok(own(&NAMES)),
            Subject::Retention(family) => {
                self.effects.iter().try_for_each(check_drawn)?;
                Curve::given(self.parts(&self.estimate).0)?;
                let coefficients = self.effects.iter().flat_map(Effects::names);
                Ok(own(family.parameters()).into_iter().chain(coefficients).collect())
            }
        }
    }

    /// The coefficients and the period of draws along covariates that change.
    pub(in crate::clv) fn along(&self) -> Result<(&Effects, Unit)> {
        match (self.subject(), &self.effects, self.period) {
            (Subject::Along, Some(effects), Some(period)) => Ok((effects, period)),
            (Subject::Along, ..) => Err(Error::model_file("its coefficients or its period are missing")),
            _ => Err(self.other("not of DynamicParetoNBD: call `predict`")),
        }
    }

    /// At most so many draws, evenly spaced over all chains.
    pub(in crate::clv) fn thinned(&self, most: usize) -> Vec<&[f64]> {
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
