//! Contracts: how long do customers stay, what makes them leave, who is next?
//!
//! For customers whose leaving is seen (subscriptions, contracts). A frame has
//! a row for each, with how long it was observed (`duration`) and whether that ended with
//! the event (`event`) or the customer is still there.
//!
//! | question | here | source |
//! | --- | --- | --- |
//! | how many stay how long, by group? | [`kaplan_meier`], [`nelson_aalen`] | Kaplan & Meier 1958 |
//! | what raises the hazard? | [`Cox`] → [`CoxModel`] | Cox 1972, Efron 1977 |
//! | … when leaving happens at renewals? | [`DiscreteHazard`] → [`DiscreteHazardModel`] | Allison 1982 |
//! | how much longer or shorter do they stay? | [`Aft`] → [`AftModel`] | Kalbfleisch & Prentice 2002 |
//! | are the predictions any good? | [`survival_scores`], the report `scores` | Harrell 1982, Uno 2011, Graf 1999 |
//! | who leaves next, and why? | the report `early_warning` of [`Survival`] | |
//!
//! Results do not depend on the order of the rows, to the last bit.

mod aft;
mod compare;
mod concordance;
mod cox;
mod curves;
mod discrete;
mod door;
mod forecast;
mod rows;
mod scores;
mod spells;
mod subjects;
mod warning;

use super::{design, regression};

pub use crate::math::survival::CurveInterval;
pub use aft::{Aft, AftModel, Distribution};
pub use compare::RankTest;
pub use cox::{Cox, CoxModel, Ties, Weighting};
pub use curves::{HazardTies, KaplanMeierOptions, NelsonAalenOptions, kaplan_meier, nelson_aalen};
pub use discrete::{DiscreteHazard, DiscreteHazardModel, Link, PeriodBaseline};
pub use door::{SummaryOptions, Survival, report};
pub use forecast::PredictOptions;
pub use regression::Coefficients;
pub use scores::{ModelScoreOptions, ScoreOptions, survival_scores};
pub use warning::WarningOptions;
