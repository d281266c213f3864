//! Purchase and dropout laws on one surface.
//!
//! A [`Law`] is a likelihood and what follows from it for one customer;
//! [`Fit`] maximises any of them, [`PurchaseModel`] predicts with any of them.

mod abe;
mod asked;
mod beta_binomial;
mod beta_geo;
mod delta;
mod fit;
mod ggg;
mod lifetimes;
mod model;
mod nbd;
mod next_purchase;
mod own_rates;
mod pareto_slope;
mod predict;
mod purchases;

use std::fmt::Debug;

pub use abe::AbeParetoLaw;
pub(in crate::clv) use asked::{Asked, More};
pub use beta_binomial::BetaBinomialLaw;
pub(crate) use beta_geo::BetaGeometric;
pub use beta_geo::{BetaGeoCnbdLaw, BetaGeoLaw, ModifiedBetaGeoCnbdLaw, ModifiedBetaGeoLaw};
pub(crate) use delta::{
    Edges, deviation_by, factors, ln_rise, ln_slopes, log_slopes, of_probability, reach, shifts, slopes,
};
pub use fit::Fit;
pub(super) use fit::{evaluate, no_k, opportunities, slope, with_intervals};
pub use ggg::ParetoGggLaw;
pub use lifetimes::{GGompertzLaw, ParetoLaw};
pub use model::PurchaseModel;
pub use nbd::NbdLaw;
pub use own_rates::Mixing;
pub(super) use pareto_slope::ParetoSlope;
pub(in crate::clv) use predict::whole_ahead;
pub use predict::{CustomerPrediction, PredictOptions, predict};
pub(crate) use predict::{expected_purchases, same_unit};
pub use purchases::{Purchases, Quantity};

use super::covariates::Process;
use super::estimates::Verdict;
use crate::math::dual::Dual;
use crate::math::jet::{Jet, Real};

/// One customer's purchases so far: x, t_x and T; all 0 for a new customer.
///
/// ```
/// use headwater::clv::History;
///
/// let history = History { frequency: 2, recency: 9.0, age: 30.0, ..History::default() };
/// assert_eq!(history.log_intervals, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct History {
    /// Repeat purchases.
    pub frequency: u32,
    /// Age at the last purchase.
    pub recency: f64,
    /// Age at the end of observation.
    pub age: f64,
    /// Σ ln Δ over the times between purchases, for laws that learn from it
    /// ([`Law::INTERVALS`]); where it is `None`, they know x, t_x and T alone.
    pub log_intervals: Option<f64>,
}

/// A law of purchases and dropout with `N` positive parameters.
pub trait Law<const N: usize>: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The kind in model files.
    const KIND: &'static str;
    /// The name in messages.
    const NAME: &'static str;
    /// The parameters' names.
    const PARAMETERS: [&'static str; N];
    /// Each parameter's unit, as a power of time.
    const TIME: [f64; N];
    /// How customers differ in how often they buy, and in how soon they leave.
    const MIXING: [Mixing; 2];
    /// Whether times are whole numbers of opportunities.
    const DISCRETE: bool = false;
    /// Whether the law learns from the times between purchases.
    const INTERVALS: bool = false;

    /// The law with so many ticks between purchases; `None` where it cannot have them.
    fn with_k(k: u32) -> Option<Self>;
    /// Ticks between purchases: 1 where purchases come at random.
    fn k(&self) -> u32 {
        1
    }

    /// How a unit of a covariate's coefficient moves the log parameters; `None` for a
    /// process that this law does not have.
    fn direction(process: Process) -> Option<[f64; N]>;

    /// A point to start from, given the pooled purchase rate and the mean age.
    fn start(&self, rate: f64, mean_age: f64) -> [f64; N];
    /// A better point, given a fitted Pareto/NBD and how regular purchases are:
    /// the k of Gamma(k) times between them.
    fn start_near(&self, _pareto: [f64; 4], _regularity: f64) -> Option<[f64; N]> {
        None
    }
    /// Which simpler law the data ask for, where parameters ran off: their
    /// logarithms about the centre of the search, and which are held at an edge.
    fn verdict(&self, at: [f64; N], held: [bool; N]) -> Verdict;

    /// ln P(alive at T) − ln P(dead at T) of a history.
    fn ln_odds_alive(&self, parameters: [f64; N], history: History) -> f64;
    /// P(alive `ahead` periods after T), given the history.
    fn p_alive(&self, parameters: [f64; N], history: History, ahead: f64) -> f64;
    /// Expected purchases in the `periods` after T of a customer who is alive at T.
    fn while_alive(&self, parameters: [f64; N], history: History, periods: f64) -> f64;
    /// [`Law::while_alive`] of each of the times, which are sorted.
    fn course(&self, parameters: [f64; N], history: History, times: &[f64]) -> Vec<f64> {
        times.iter().map(|t| self.while_alive(parameters, history, *t)).collect()
    }
    /// Σ_t `weights[t−1]` · E\[purchases in the t periods after T\], t = 1, 2, …, of a customer who is alive at T.
    fn weighted(&self, parameters: [f64; N], history: History, weights: &[f64]) -> f64 {
        let there = weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
        let (times, weights): (Vec<f64>, Vec<f64>) =
            there.map(|(i, weight)| ((i + 1) as f64, *weight)).unzip();
        let each = self.course(parameters, history, &times);
        crate::math::sum(weights.into_iter().zip(each).map(|(weight, purchases)| weight * purchases))
    }
    /// P(n purchases in the `periods` after T), n = 0 … `most`.
    fn probabilities(&self, parameters: [f64; N], history: History, periods: f64, most: usize) -> Vec<f64>;
    /// Expected purchases after T for ever, discounted at `rate` per period, from above 0.
    fn residual(&self, parameters: [f64; N], history: History, rate: f64) -> f64;
    /// The posterior mean of the purchase rate while alive.
    fn rate(&self, parameters: [f64; N], history: History) -> f64;

    /// The part of the log-likelihood that all customers of this x share.
    #[doc(hidden)]
    fn shared(&self, parameters: [f64; N], frequency: u32) -> (f64, [f64; N], [[f64; N]; N]);
    /// The rest of it.
    #[doc(hidden)]
    fn own(&self, parameters: [f64; N], history: History) -> (f64, [f64; N], [[f64; N]; N]);
    /// [`Law::shared`] without the Hessian.
    #[doc(hidden)]
    fn shared_slope(&self, parameters: [f64; N], frequency: u32) -> (f64, [f64; N]) {
        let (value, gradient, _) = self.shared(parameters, frequency);
        (value, gradient)
    }
    /// [`Law::own`] without the Hessian.
    #[doc(hidden)]
    fn own_slope(&self, parameters: [f64; N], history: History) -> (f64, [f64; N]) {
        let (value, gradient, _) = self.own(parameters, history);
        (value, gradient)
    }
    /// The whole, without derivatives.
    fn ln_likelihood(&self, parameters: [f64; N], history: History) -> f64;
}

fn slope_of<const N: usize>(dual: Dual<N>) -> (f64, [f64; N]) {
    (dual.value, dual.gradient)
}

fn parts<const N: usize>(jet: Jet<N>) -> (f64, [f64; N], [[f64; N]; N]) {
    (jet.value, jet.gradient, jet.hessian)
}

/// NB(n): n purchases of a rate Gamma(`shape`, ·) at odds t / scale, n = 0, 1, …
/// until what is left beyond `most` is nothing; and P(N ≥ n), each digit of the tail kept.
pub(super) fn negative_binomial(shape: f64, odds: f64, most: usize) -> (Vec<f64>, Vec<f64>) {
    use crate::math::{exp, ln, ln_1p};
    let z = odds / (1.0 + odds);
    let mut current = -shape * ln_1p(odds);
    let mut mass: Vec<f64> = Vec::with_capacity(most + 2);
    let mut n = 0.0;
    loop {
        mass.push(exp(current));
        let ratio = z * (shape + n) / (n + 1.0);
        let far = mass.len() > most + 1;
        let last = mass.last().copied().unwrap_or_default();
        let before = mass.get(most).copied().unwrap_or_default();
        if ratio == 0.0
            || far && ratio < 1.0 && last <= 1e-18 * before.max(1e-300) * (1.0 - ratio.max(z))
            || mass.len() > most + 20_000_000
        {
            break;
        }
        current += ln(ratio);
        n += 1.0;
    }
    let mut beyond = vec![0.0; mass.len() + 1];
    for i in (0..mass.len()).rev() {
        beyond[i] = beyond[i + 1] + mass[i];
    }
    (mass, beyond)
}

/// The first `count` of [`negative_binomial`], without the walk to the tail's end, which is long where odds are.
pub(super) fn first_negative_binomial(shape: f64, odds: f64, count: usize) -> Vec<f64> {
    use crate::math::{exp, ln, ln_1p};
    let z = odds / (1.0 + odds);
    let mut current = -shape * ln_1p(odds);
    let mut mass = Vec::with_capacity(count);
    for n in 0..count {
        mass.push(exp(current));
        current += ln(z * (shape + n as f64) / (n as f64 + 1.0));
    }
    mass
}

/// ln((z)_x / (z + d)_x) as a number of any kind.
fn ln_rising_ratio<R: Real>(z: R, d: R, count: u32) -> R {
    z.ln_rising(count) - (z + d).ln_rising(count)
}
