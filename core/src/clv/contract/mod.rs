//! Customers under contract: those who tell when they leave.
//!
//! A customer renews once a period or has gone; what is to be told is how
//! retention moves with tenure. Customers differ in the chance θ that they
//! leave at a renewal, θ ~ Beta(α, β) over customers, so those who stay are
//! ever more those with a small θ.
//!
//! | model | survival | source |
//! | --- | --- | --- |
//! | [`ShiftedBetaGeo`] | S(t) = B(α, β + t) / B(α, β) | Fader & Hardie 2007, *J. Interactive Marketing* 21(1) |
//! | [`BetaDiscreteWeibull`] | S(t) = B(α, β + t^c) / B(α, β) | Fader, Hardie, Liu, Davin & Steenburgh 2018 |
//!
//! In the second each customer's own chance of leaving rises (c > 1) or falls
//! (c < 1) with tenure. Both are fitted to a [`LifeTable`]: how many met each
//! renewal and how many of them left, which says all that survivors by cohort,
//! censored durations and left truncation have to say.
//!
//! ```
//! use headwater::Run;
//! use headwater::clv::contract::{LifeTable, ShiftedBetaGeo};
//!
//! // Fader & Hardie's "high end" customers at the ends of years 0 to 7.
//! let survivors = [1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0];
//! let model = ShiftedBetaGeo::new().fit(&LifeTable::from_survivors(&survivors, 0)?, &Run::new())?;
//! assert!((model.params()[0] - 0.668).abs() < 5e-4 && (model.params()[1] - 3.806).abs() < 5e-4);
//! // Of those who have stayed for seven years, more stay on.
//! let curve = model.curve();
//! assert!(curve.retention(8) > curve.retention(1) + 0.05);
//! # Ok::<(), headwater::Error>(())
//! ```

mod belief;
mod compare;
mod covariates;
mod curve;
mod door;
mod fit;
mod frames;
mod kinds;
mod life;
mod likelihood;
mod lives;
mod model;
mod report;
mod tail;

pub(crate) use belief::Belief;
pub use covariates::{ContractCovariates, Known};
pub(super) use covariates::{check_drawn, curve_at, known_row, without};
pub use curve::Curve;
pub use door::Contract;
pub use fit::{BetaDiscreteWeibull, ShiftedBetaGeo};
pub(crate) use fit::{Family, Solver, start};
pub(crate) use frames::{Cohort, customers, life_tables, lives};
pub use frames::{ContractData, ContractOptions, Pooling};
pub(crate) use kinds::Kinds;
pub use life::{LifeSlices, LifeTable};
pub(crate) use likelihood::{Met, MetLaw, SHIFTED, WEIBULL, met};
pub(crate) use lives::Lives;
pub(crate) use model::Group;
pub use model::{BetaDiscreteWeibullModel, CohortFit, ContractModel, ShiftedBetaGeoModel};
pub(crate) use report::{By, curves, per_period, predict, values};
pub use report::{ContractPredictOptions, ContractValueOptions, SurvivalOptions};
