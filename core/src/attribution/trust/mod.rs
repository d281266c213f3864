//! How far to trust the numbers, how to choose between them, and what to do
//! with them.
//!
//! | question | here |
//! | --- | --- |
//! | how uncertain is a credit? | [`AttributeOptions::bootstrap`](super::AttributeOptions::bootstrap) |
//! | how uncertain is anything else that a model says? | [`bootstrap`] |
//! | how uncertain is a report of journeys? | [`bootstrap_report`] |
//! | do two models, or two periods, differ by more than noise? | [`difference`] |
//! | what would have been bought anyway? | [`self_controlled`], [`calibrate`] |
//! | what does a conversion cost? | [`money`] |
//! | which lookback, which half-life? | [`choose_lookback`], [`choose_half_life`] |
//! | which model? | [`compare`] |
//! | has something changed? | [`drift`] |

mod bootstrap;
mod calibrate;
mod choose;
mod compare;
mod controlled;
mod counts;
mod difference;
mod drift;
mod grouped;
mod interval;
mod lives;
mod money;
mod numbers;
mod refit;
mod reports;
mod resample;
mod statistic;

pub(super) use self::bootstrap::{Draws, Spread};
pub use calibrate::{CalibrateOptions, LiftMetric, Untested, calibrate};
pub use choose::{ChooseOptions, ChooseRule, choose_half_life, choose_lookback};
pub use compare::{CompareOptions, compare};
pub use controlled::{SelfControlledOptions, self_controlled};
pub use difference::{DifferenceMetric, DifferenceOptions, difference};
pub use drift::{DriftOptions, drift};
pub use interval::Interval;
pub use money::{MoneyOptions, MoneyPeriod, money};
pub(super) use numbers::{Absent, Around, Estimates, Numbers, Told, beside, check_size};
pub(super) use refit::redraws;
pub use reports::{ReportBootstrapOptions, bootstrap_report};
pub(super) use resample::{channel_keys, check_mass, path_key, weights};
pub use statistic::{BootstrapOptions, Statistic, bootstrap};
