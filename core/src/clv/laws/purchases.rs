//! What a fitted law can be asked: one surface for all of them.

use super::History;
use super::delta::of_probabilities;
use super::next_purchase::{edges_of_next, reached};
use super::own_rates::Mixing;
use super::predict::interval_of;
use crate::clv::covariates::Effects;
use crate::clv::estimates::Estimates;
use crate::clv::rows::{RfmSlices, fault};
use crate::clv::unit::Unit;
use crate::math::ln_1p;
use crate::{Error, Result};

/// No more than so many purchases are told apart.
pub(super) const MOST: usize = 100_000;

/// What can be asked of a law for one customer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// ln P(alive) − ln P(dead).
    OddsAlive,
    /// P(alive `ahead` periods after T).
    Alive {
        /// Periods after T.
        ahead: f64,
    },
    /// Expected purchases.
    Purchases {
        /// In so many periods after T.
        periods: f64,
    },
    /// Expected purchases, if the customer is alive at T.
    WhileAlive {
        /// In so many periods after T.
        periods: f64,
    },
    /// Expected purchases after T for ever, discounted.
    Residual {
        /// At this rate per period, continuously.
        rate: f64,
    },
    /// The posterior mean of the purchase rate while alive.
    Rate,
    /// The customer's part of the log-likelihood.
    LogLikelihood,
}

impl Quantity {
    /// Expected purchases after T for ever, discounted by 1 + `discount_rate` a period.
    pub fn residual(discount_rate: f64) -> Result<Self> {
        Ok(Self::Residual { rate: slope(discount_rate)? })
    }
}

/// A fitted law of purchases and dropout.
///
/// Times are in the model's periods. A customer is (frequency, recency, T);
/// all 0 for a new one.
pub trait Purchases: Send + Sync {
    /// The kind in model files.
    fn kind(&self) -> &'static str;
    /// Parameters, standard errors, log-likelihood, verdict.
    fn estimates(&self) -> &Estimates;
    /// The unit of time, where the rows told it.
    fn period(&self) -> Option<Unit>;
    /// The penalty that it was fitted with.
    fn penalty(&self) -> f64 {
        0.0
    }
    /// Whether times are whole numbers of opportunities.
    fn is_discrete(&self) -> bool {
        false
    }
    /// Whether what is expected of a customer is smooth in time.
    fn is_smooth(&self) -> bool {
        !self.is_discrete()
    }
    /// Covariates and what they do, where the model has any.
    fn effects(&self) -> Option<&Effects> {
        None
    }
    /// The law of a customer whose covariates are these numbers, in the order of the
    /// columns that they make; see [`at`](crate::clv::at) for a frame of them.
    fn with_covariates(&self, _row: &[f64]) -> Result<Box<dyn Purchases>> {
        Err(without_covariates(self.kind()))
    }
    /// How a unit of each coefficient moves the log parameters of that law.
    fn steps(&self, _row: &[f64]) -> Vec<Vec<f64>> {
        Vec::new()
    }
    /// Ticks between purchases.
    fn ticks(&self) -> u32 {
        1
    }
    /// How customers differ in how often they buy, and in how soon they leave.
    fn mixing(&self) -> [Mixing; 2];
    /// Whether the law learns from the times between purchases
    /// ([`History::log_intervals`]).
    fn reads_intervals(&self) -> bool {
        false
    }
    /// A quantity of a history that can be, at given parameters.
    fn quantity_at(&self, parameters: &[f64], history: History, quantity: Quantity) -> f64;
    /// P(n purchases), n = 0 … `most`, of a history that can be, at given parameters.
    fn probabilities_at(&self, parameters: &[f64], history: History, periods: f64, most: usize) -> Vec<f64>;
    /// P(n purchases), n = 0 … `most`, of a history that can be.
    fn probabilities_of(&self, history: History, periods: f64, most: usize) -> Vec<f64> {
        self.probabilities_at(&self.estimates().values, history, periods, most)
    }
    /// Σ_t `weights[t−1]` · E\[purchases in the t periods after T\], t = 1, 2, …, at given parameters.
    fn discounted_at(&self, parameters: &[f64], history: History, weights: &[f64]) -> f64 {
        let at =
            |i: usize| self.quantity_at(parameters, history, Quantity::Purchases { periods: (i + 1) as f64 });
        crate::math::sum(weights.iter().enumerate().filter(|(_, w)| **w != 0.0).map(|(i, w)| w * at(i)))
    }
    /// [`Purchases::discounted_at`] the model's own.
    fn discounted(&self, history: History, weights: &[f64]) -> f64 {
        self.discounted_at(&self.estimates().values, history, weights)
    }
    /// Expected purchases in each of the times after T, which are sorted, of a history that can be.
    fn course(&self, history: History, times: &[f64]) -> Vec<f64> {
        times.iter().map(|t| self.quantity(history, Quantity::Purchases { periods: *t })).collect()
    }
    /// The model file.
    fn bytes(&self) -> Result<Vec<u8>>;

    /// A quantity of a history that can be.
    fn quantity(&self, history: History, quantity: Quantity) -> f64 {
        self.quantity_at(&self.estimates().values, history, quantity)
    }

    /// P(alive `ahead` periods after T) of one customer.
    fn p_alive(&self, frequency: f64, recency: f64, age: f64, ahead: f64) -> Result<f64> {
        let history = history(self, frequency, recency, age)?;
        Ok(self.quantity(history, Quantity::Alive { ahead: span("ahead", ahead)? }))
    }

    /// Expected purchases of one customer in the `periods` after T. Those of a new customer are infinite, and an
    /// [`Error::Option`], of a `ParetoGGG` with t ≤ 1.
    fn expected_purchases(&self, frequency: f64, recency: f64, age: f64, periods: f64) -> Result<f64> {
        let history = history(self, frequency, recency, age)?;
        mean(self.quantity(history, Quantity::Purchases { periods: span("periods", periods)? }))
    }

    /// Expected purchases of a new customer by each of these ages, which are sorted.
    fn new_customers(&self, ages: &[f64]) -> Result<Vec<f64>> {
        ages.iter().try_for_each(|age| span("ages", *age).map(drop))?;
        self.course(History::default(), ages).into_iter().map(mean).collect()
    }

    /// Expected purchases of one customer after T for ever, discounted by
    /// 1 + `discount_rate` a period: DERT, DECT (Fader, Hardie & Lee 2005).
    fn residual_purchases(&self, frequency: f64, recency: f64, age: f64, discount_rate: f64) -> Result<f64> {
        let history = history(self, frequency, recency, age)?;
        mean(self.quantity(history, Quantity::residual(discount_rate)?))
    }

    /// P(n purchases in the `periods` after T), n = 0 … `most`, of one customer.
    fn probabilities(
        &self,
        frequency: f64,
        recency: f64,
        age: f64,
        periods: f64,
        most: usize,
    ) -> Result<Vec<f64>> {
        let history = history(self, frequency, recency, age)?;
        if most > MOST {
            return Err(Error::option("most", "must be 100,000 or less"));
        }
        Ok(self.probabilities_of(history, span("periods", periods)?, most))
    }

    /// The interval of a quantity of one customer, by the uncertainty of the parameters: the delta method, on the
    /// logit scale of a probability and on the log scale of the others. `level` is such as 0.95. An edge beyond the range
    /// of a double is `None`, and both are where the data identify no parameter; of a model whose parameters were given
    /// an interval is an [`Error::Option`].
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::{ParetoNbd, Purchases, Quantity, RfmSlices};
    ///
    /// let rows = RfmSlices {
    ///     frequency: &[0.0, 1.0, 1.0, 2.0, 2.0, 6.0],
    ///     recency: &[0.0, 4.0, 24.0, 9.0, 30.0, 36.0],
    ///     age: &[35.0, 38.0, 38.0, 39.0, 39.0, 38.0],
    ///     weight: Some(&[1400.0, 300.0, 200.0, 100.0, 100.0, 90.0]),
    ///     ..RfmSlices::default()
    /// };
    /// let model = ParetoNbd::new().fit(&rows, &Run::new())?;
    /// // A new customer's purchases in 52 periods.
    /// let [low, high] = model.interval(0.0, 0.0, 0.0, Quantity::Purchases { periods: 52.0 }, 0.95)?;
    /// let expected = model.expected_purchases(0.0, 0.0, 0.0, 52.0)?;
    /// assert!(low < Some(expected) && Some(expected) < high);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    fn interval(
        &self,
        frequency: f64,
        recency: f64,
        age: f64,
        quantity: Quantity,
        level: f64,
    ) -> Result<[Option<f64>; 2]> {
        match quantity {
            Quantity::Alive { ahead } => span("ahead", ahead)?,
            Quantity::Purchases { periods } | Quantity::WhileAlive { periods } => span("periods", periods)?,
            Quantity::Residual { rate } if !(rate.is_finite() && rate > 0.0) => {
                return Err(Error::option("rate", "must be a finite rate per period above 0"));
            }
            Quantity::Residual { .. } | Quantity::Rate => 0.0,
            Quantity::OddsAlive | Quantity::LogLikelihood => {
                return Err(Error::option(
                    "quantity",
                    "is a logarithm: ask for P(alive), purchases or the rate",
                ));
            }
        };
        let z = self.estimates().interval_quantile(level)?;
        Ok(interval_of(self, history(self, frequency, recency, age)?, quantity, z))
    }

    /// The intervals of [`Purchases::probabilities`], each on the logit scale.
    fn probabilities_interval(
        &self,
        frequency: f64,
        recency: f64,
        age: f64,
        periods: f64,
        most: usize,
        level: f64,
    ) -> Result<Vec<[Option<f64>; 2]>> {
        let z = self.estimates().interval_quantile(level)?;
        let mass = self.probabilities(frequency, recency, age, periods, most)?;
        let history = history(self, frequency, recency, age)?;
        let at = |parameters: &[f64]| self.probabilities_at(parameters, history, periods, most);
        Ok(of_probabilities(self.estimates(), &mass, at, z))
    }

    /// The posterior mean of one customer's purchase rate, while alive.
    fn purchase_rate(&self, frequency: f64, recency: f64, age: f64) -> Result<f64> {
        Ok(self.quantity(history(self, frequency, recency, age)?, Quantity::Rate))
    }

    /// The time after T by which one customer has bought again with
    /// probability `level`; `None` where that never is (in ten million periods, or ten thousand opportunities).
    fn next_purchase(&self, frequency: f64, recency: f64, age: f64, level: f64) -> Result<Option<f64>> {
        let history = history(self, frequency, recency, age)?;
        Ok(self.next_purchase_of(history, buying_level("level", level)?))
    }

    /// [`Purchases::next_purchase`] of a history that can be.
    fn next_purchase_of(&self, history: History, level: f64) -> Option<f64> {
        reached(self.is_discrete(), history.age, level, |t| {
            1.0 - self.probabilities_of(history, t, 0).first().copied().unwrap_or(1.0)
        })
    }

    /// The interval of [`Purchases::next_purchase`]: the times at which the limits of the probability to have bought
    /// again, by the delta method on the logit scale, reach `level`. `interval` is such as 0.95; an edge that is never
    /// reached is `None`.
    fn next_purchase_interval(
        &self,
        frequency: f64,
        recency: f64,
        age: f64,
        level: f64,
        interval: f64,
    ) -> Result<[Option<f64>; 2]> {
        let history = history(self, frequency, recency, age)?;
        Ok(edges_of_next(
            self,
            history,
            buying_level("level", level)?,
            self.estimates().interval_quantile(interval)?,
        ))
    }
}

/// A level of the probability to have bought again.
pub(in crate::clv) fn buying_level(name: &str, level: f64) -> Result<f64> {
    if level > 0.0 && level < 1.0 {
        Ok(level)
    } else {
        Err(Error::option(
            name,
            format!("{level} is not a level between 0 and 1, such as 0.5 for the median"),
        ))
    }
}

/// A number of purchases that has a mean. Only bursts have none: of regularity k they have some 1/k purchases.
fn mean(purchases: f64) -> Result<f64> {
    if purchases.is_finite() {
        return Ok(purchases);
    }
    let reason = "expects infinitely many purchases of a new customer: with t of 1 or less the mean of 1/k, the purchases \
                  of a burst, is infinite; ask for probabilities or for quantiles (purchase_interval, next_purchase), or of \
                  customers with a history";
    Err(Error::option("t", reason))
}

pub(super) fn without_covariates(name: &str) -> Error {
    Error::option("covariates", format!("this {name} was fitted without covariates"))
}

fn history<M: Purchases + ?Sized>(model: &M, frequency: f64, recency: f64, age: f64) -> Result<History> {
    if let Some(fault) = fault(frequency, recency, age, 1.0) {
        return Err(fault.error(0, 1).of_one());
    }
    let rows =
        RfmSlices { frequency: &[frequency], recency: &[recency], age: &[age], ..RfmSlices::default() };
    if model.is_discrete() {
        super::fit::opportunities(&rows).map_err(Error::of_one)?;
    }
    if model.reads_intervals() {
        rows.check_times().map_err(Error::of_one)?;
    }
    Ok(History { frequency: frequency as u32, recency, age, log_intervals: None })
}

pub(super) fn span(name: &'static str, periods: f64) -> Result<f64> {
    if periods.is_finite() && periods >= 0.0 {
        Ok(periods)
    } else {
        Err(Error::option(name, format!("{periods} is not a finite number of periods from 0")))
    }
}

/// δ = ln(1 + d).
pub(super) fn slope(discount_rate: f64) -> Result<f64> {
    if discount_rate.is_finite() && discount_rate > 0.0 {
        Ok(ln_1p(discount_rate))
    } else {
        Err(Error::option(
            "discount_rate",
            "must be a finite rate per period above 0: without it the sum may not end",
        ))
    }
}
