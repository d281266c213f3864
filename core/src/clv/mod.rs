//! What are customers worth?
//!
//! For customers who come and go without saying so (no contract): from a
//! transaction log to repeat counts, from those to expected purchases and the
//! probability that a customer is still alive, from the mean spend to a
//! discounted lifetime value.
//!
//! | step | here | source |
//! | --- | --- | --- |
//! | transactions → x, t_x, T, z̄ | [`summarize`] → [`Rfm`]; in parts: [`RfmBuilder`] | Fader & Hardie 2005 |
//! | seasons | [`SeasonalClock`] | a clock that runs faster in some of them |
//! | purchases and dropout | [`BetaGeo`] → [`BetaGeoModel`] | Fader, Hardie & Lee 2005, BG/NBD |
//! | spend per purchase | [`GammaGamma`] → [`GammaGammaModel`] | Fader & Hardie 2013, note 025 |
//! | value | [`lifetime_value`] | the two together, discounted |
//! | contracts: churn, its causes, who is next | [`survival`] | Kaplan & Meier 1958, Cox 1972 |
//! | how uncertain all this is | [`posterior`] | Hoffman & Gelman 2014; bootstrap |
//! | forecast beside fact | [`tracking`], [`tracking_of`], [`forecast_errors`] | |
//! | customers under contract | [`contract`] | Fader & Hardie 2007 |
//! | value from any covariates | [`learned`] | Wang, Liu & Miao 2019, zero-inflated lognormal |
//! | the formulas of finance | [`finance`] | Mack 1993; Pfeifer & Carraway 2000 |
//!
//! Likelihoods have analytic gradients and Hessians and are maximised by
//! Newton's method on log parameters, over distinct rows with weights: a
//! million customers take milliseconds. Nothing depends on the unit of time.
//!
//! ```
//! use headwater::Run;
//! use headwater::clv::{BetaGeo, RfmSlices};
//!
//! // Seven kinds of customer, with how many there are of each; in weeks.
//! let rfm = RfmSlices {
//!     frequency: &[0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0],
//!     recency: &[0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0],
//!     age: &[35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0],
//!     weight: Some(&[1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]),
//!     ..RfmSlices::default()
//! };
//! let model = BetaGeo::new().fit(&rfm, &Run::new())?;
//! let regular = model.expected_purchases(6.0, 36.0, 38.0, 39.0)?;
//! let once = model.expected_purchases(0.0, 0.0, 35.0, 39.0)?;
//! assert!(regular > 10.0 * once);
//! # Ok::<(), headwater::Error>(())
//! ```

mod ahead;
mod backtest;
mod beta_geo;
mod builder;
mod checking;
mod clock;
mod compare;
pub mod contract;
mod contractual;
mod covariates;
mod design;
mod door;
pub mod dynamic;
mod errors;
mod estimates;
pub mod finance;
mod finish;
mod frames;
mod gamma_gamma;
mod laws;
pub mod learned;
mod lifetime;
mod nested;
mod pieces;
pub mod posterior;
mod regression;
mod ridge;
mod rows;
mod summarize;
pub mod survival;
mod told;
mod tracking;
mod tracking_interval;
mod tracking_kinds;
mod unit;
mod visits;

pub use ahead::{DiscountRate, Horizon};
pub use backtest::{BacktestOptions, backtest, backtest_of};
pub use beta_geo::{BetaGeo, BetaGeoModel, Prediction};
pub use builder::RfmBuilder;
pub use checking::CheckOptions;
pub use clock::{ClockFit, ClockOptions, SeasonalClock, Seasons, SpeedOptions, Window};
pub use compare::{Candidate, CompareOptions, compare_purchases};
pub use contractual::{Contractual, report};
pub use covariates::{Covariates, DropoutOn, Effect, Effects, Process, at};
pub use door::{
    FrequencyOptions, NewCustomerOptions, PurchaseOptions, fit_purchases, purchases_from_bytes,
    purchases_with,
};
pub use errors::{ForecastErrors, ForecastOptions, forecast_errors, forecast_errors_columns};
pub use estimates::{Estimates, Verdict};
pub use frames::{
    BetaGeoOptions, GammaGammaOptions, SpendPredictOptions, SpendPrediction, beta_geo, gamma_gamma,
};
pub use gamma_gamma::{GammaGamma, GammaGammaModel, SpendSlices};
pub use laws::{
    AbeParetoLaw, BetaBinomialLaw, BetaGeoCnbdLaw, BetaGeoLaw, CustomerPrediction, Fit, GGompertzLaw,
    History, Law, Mixing, ModifiedBetaGeoCnbdLaw, ModifiedBetaGeoLaw, NbdLaw, ParetoGggLaw, ParetoLaw,
    PredictOptions, PurchaseModel, Purchases, Quantity, predict,
};
pub use lifetime::{Lifetime, LifetimeOptions, lifetime_value};
pub use nested::{LikelihoodRatio, likelihood_ratio};
pub use rows::RfmSlices;
pub use summarize::{Accounting, Holdout, Refunds, Rfm, SummarizeOptions, When, summarize, summarize_slices};
pub use tracking::{CohortTracking, Tracking, TrackingOptions, tracking, tracking_of};
pub use unit::Unit;

/// MBG/NBD (Batislam, Denizel & Filiztekin 2007).
pub type ModifiedBetaGeo = Fit<ModifiedBetaGeoLaw, 4>;
/// A fitted [`ModifiedBetaGeo`].
pub type ModifiedBetaGeoModel = PurchaseModel<ModifiedBetaGeoLaw, 4>;
/// BG/CNBD-k (Platzer & Reutterer 2016).
pub type BetaGeoCnbd = Fit<BetaGeoCnbdLaw, 4>;
/// A fitted [`BetaGeoCnbd`].
pub type BetaGeoCnbdModel = PurchaseModel<BetaGeoCnbdLaw, 4>;
/// MBG/CNBD-k (Platzer & Reutterer 2016).
pub type ModifiedBetaGeoCnbd = Fit<ModifiedBetaGeoCnbdLaw, 4>;
/// A fitted [`ModifiedBetaGeoCnbd`].
pub type ModifiedBetaGeoCnbdModel = PurchaseModel<ModifiedBetaGeoCnbdLaw, 4>;
/// Pareto/NBD (Schmittlein, Morrison & Colombo 1987).
pub type ParetoNbd = Fit<ParetoLaw, 4>;
/// A fitted [`ParetoNbd`].
pub type ParetoNbdModel = PurchaseModel<ParetoLaw, 4>;
/// Pareto/GGG (Platzer & Reutterer 2016).
pub type ParetoGgg = Fit<ParetoGggLaw, 6>;
/// A fitted [`ParetoGgg`].
pub type ParetoGggModel = PurchaseModel<ParetoGggLaw, 6>;
/// Abe's hierarchical Pareto/NBD (Abe 2009).
pub type AbeParetoNbd = Fit<AbeParetoLaw, 5>;
/// A fitted [`AbeParetoNbd`].
pub type AbeParetoModel = PurchaseModel<AbeParetoLaw, 5>;
/// GGompertz/NBD (Bemmaor & Glady 2012).
pub type GGompertzNbd = Fit<GGompertzLaw, 5>;
/// A fitted [`GGompertzNbd`].
pub type GGompertzNbdModel = PurchaseModel<GGompertzLaw, 5>;
/// BG/BB (Fader, Hardie & Shang 2010).
pub type BetaGeoBetaBinomial = Fit<BetaBinomialLaw, 4>;
/// A fitted [`BetaGeoBetaBinomial`].
pub type BetaGeoBetaBinomialModel = PurchaseModel<BetaBinomialLaw, 4>;
/// NBD (Ehrenberg 1959): purchases without dropout.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{Nbd, Purchases, RfmSlices};
///
/// let rfm = RfmSlices {
///     frequency: &[0.0, 1.0, 2.0, 5.0],
///     recency: &[0.0, 9.0, 20.0, 31.0],
///     age: &[35.0, 38.0, 39.0, 38.0],
///     weight: Some(&[60.0, 30.0, 20.0, 10.0]),
///     ..RfmSlices::default()
/// };
/// let model = Nbd::new().fit(&rfm, &Run::new())?;
/// assert_eq!(model.p_alive(1.0, 9.0, 38.0, 0.0)?, 1.0);
/// # Ok::<(), headwater::Error>(())
/// ```
pub type Nbd = Fit<NbdLaw, 2>;
/// A fitted [`Nbd`].
pub type NbdModel = PurchaseModel<NbdLaw, 2>;
