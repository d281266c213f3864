//! BG/NBD: customers buy at random, and may drop out after any purchase.
//!
//! Fader, Hardie & Lee (2005), "Counting your customers" the easy way,
//! Marketing Science 24:275. While alive a customer buys as a Poisson process
//! with rate λ ~ Gamma(r, α); after each purchase the customer drops out with
//! probability p ~ Beta(a, b). A customer without a repeat purchase cannot have
//! dropped out, so P(alive) = 1 there: a property of this model, not of life.

pub(crate) mod expectation;
mod fit;
pub(crate) mod likelihood;
pub(crate) mod slope;

use serde::{Deserialize, Serialize};

use self::expectation::{Future, Lanes};
use super::estimates::Estimates;
use super::laws::{
    BetaGeoLaw, BetaGeometric, Edges, History, Law, Mixing, Purchases, Quantity, factors, reach, same_unit,
    shifts,
};
use super::rows::{RfmSlices, Unique, fault};
use super::unit::Unit;
use crate::math::{exp, exp_m1, ln};
use crate::model::Model;
use crate::{Error, Result, Run};

/// Distinct rows predicted in one piece of work.
const PIECE: usize = 256;

/// How to fit a BG/NBD model.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{BetaGeo, RfmSlices};
///
/// let rfm = RfmSlices {
///     frequency: &[0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0],
///     recency: &[0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0],
///     age: &[35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0],
///     weight: Some(&[1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]),
///     ..RfmSlices::default()
/// };
/// let model = BetaGeo::new().fit(&rfm, &Run::new())?;
/// assert!(model.p_alive(1.0, 2.0, 38.0)? < model.p_alive(1.0, 30.0, 38.0)?);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BetaGeo {
    /// Weight of an L2 penalty, per customer, on the logarithms of r, α / mean(T), a
    /// and b; 0 (none) by default. The unit of time does not matter to it.
    pub penalty: f64,
    /// Most Newton steps; 200 by default, where ten are usual.
    pub max_iterations: usize,
    /// The fit has converged when no entry of the gradient, per customer and
    /// on log parameters, exceeds this; 1e-9 by default.
    pub tolerance: f64,
}

impl Default for BetaGeo {
    fn default() -> Self {
        Self { penalty: 0.0, max_iterations: 200, tolerance: 1e-9 }
    }
}

impl BetaGeo {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the penalty.
    #[must_use]
    pub fn penalty(mut self, penalty: f64) -> Self {
        self.penalty = penalty;
        self
    }

    /// Sets the most Newton steps.
    #[must_use]
    pub fn max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the tolerance on the gradient.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Fits the model by maximum likelihood.
    ///
    /// Errors: [`Error::Row`] for a row that cannot be, such as a recency
    /// greater than T; [`Error::NotEnoughData`] without repeat purchases;
    /// [`Error::NotConverged`]. Where the data ask for a simpler model, the
    /// model says so by [`BetaGeoModel::estimates`]' verdict.
    pub fn fit(&self, rows: &RfmSlices<'_>, run: &Run) -> Result<BetaGeoModel> {
        self.check()?;
        let unique = Unique::counted(rows, run)?;
        let estimates = fit::fit(self, &unique, run)?;
        Ok(BetaGeoModel { estimates, penalty: self.penalty, period: rows.period })
    }

    fn check(&self) -> Result<()> {
        if !(self.penalty.is_finite() && self.penalty >= 0.0) {
            return Err(Error::option("penalty", "must be a finite number from 0"));
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::option("tolerance", "must lie between 0 and 1; the default is 1e-9"));
        }
        if self.max_iterations == 0 {
            return Err(Error::option("max_iterations", "must be 1 or more"));
        }
        Ok(())
    }
}

/// A fitted BG/NBD model: parameters r, alpha, a, b.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BetaGeoModel {
    estimates: Estimates,
    penalty: f64,
    period: Option<Unit>,
}

pub(crate) const NAMES: [&str; 4] = ["r", "alpha", "a", "b"];

impl Model for BetaGeoModel {
    const KIND: &'static str = "clv.BetaGeo";

    fn check(&self) -> Result<()> {
        self.estimates.check(&NAMES)
    }
}

/// What a model expects of each customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Expected purchases in the coming periods.
    pub expected_purchases: Vec<f64>,
    /// Probability that the customer has not dropped out.
    pub p_alive: Vec<f64>,
    /// Lower and upper edge of `expected_purchases`, where an interval was asked for; an edge that is not finite is
    /// `None`.
    pub expected_purchases_interval: Option<Vec<[Option<f64>; 2]>>,
    /// Lower and upper edge of `p_alive`, where an interval was asked for.
    pub p_alive_interval: Option<Vec<[Option<f64>; 2]>>,
}

impl BetaGeoModel {
    /// A model with given parameters, for example published ones: no fit, no errors.
    pub fn from_parameters(r: f64, alpha: f64, a: f64, b: f64, period: Option<Unit>) -> Result<Self> {
        let values = vec![r, alpha, a, b];
        for (name, value) in NAMES.iter().zip(&values) {
            if !(value.is_finite() && *value > 0.0) {
                return Err(Error::option(*name, "must be a finite number greater than 0"));
            }
        }
        let estimates = Estimates::given(&NAMES, values);
        Ok(Self { estimates, penalty: 0.0, period })
    }

    /// Parameters, standard errors, log-likelihood, verdict.
    pub fn estimates(&self) -> &Estimates {
        &self.estimates
    }

    /// [r, α, a, b]; α is in periods.
    pub fn params(&self) -> [f64; 4] {
        let v = &self.estimates.values;
        std::array::from_fn(|i| v.get(i).copied().unwrap_or(f64::NAN))
    }

    /// Standard errors of [r, α, a, b]; `None` where not identified.
    pub fn standard_errors(&self) -> Vec<Option<f64>> {
        self.estimates.standard_errors()
    }

    /// The maximised log-likelihood, complete with its constants, in this model's period; `None` where the parameters
    /// were given.
    pub fn log_likelihood(&self) -> Option<f64> {
        self.estimates.log_likelihood
    }

    /// The unit of time, where the rows told it.
    pub fn period(&self) -> Option<Unit> {
        self.period
    }

    /// The log-likelihood of rows at these parameters, and its gradient on log parameters.
    pub fn evaluate(&self, rows: &RfmSlices<'_>, run: &Run) -> Result<(f64, [f64; 4])> {
        let unique = Unique::of(rows, run)?;
        let local = likelihood::Likelihood::new(&unique).evaluate(self.params(), run)?;
        Ok((local.value, local.gradient))
    }

    /// Probability that a customer with this history has not dropped out (eq. 8 of note 021).
    pub fn p_alive(&self, frequency: f64, recency: f64, age: f64) -> Result<f64> {
        checked(frequency, recency, age)?;
        Ok(alive(self.params(), frequency, recency, age))
    }

    /// Expected purchases in the next `periods` of a customer with this history (eq. 10 of the paper).
    pub fn expected_purchases(&self, frequency: f64, recency: f64, age: f64, periods: f64) -> Result<f64> {
        checked(frequency, recency, age)?;
        horizon(periods)?;
        Ok(expected(self.params(), frequency, recency, age, periods))
    }

    /// Expected repeat purchases of a new customer in the first `periods` (eq. 9 of the paper).
    pub fn expected_purchases_new(&self, periods: f64) -> Result<f64> {
        horizon(periods)?;
        Ok(expected(self.params(), 0.0, 0.0, 0.0, periods))
    }

    /// P(n repeat purchases) of a new customer in the first `periods`, for n = 0 … `most` (eq. 8 of the paper).
    pub fn probability_of_purchases(&self, periods: f64, most: usize) -> Result<Vec<f64>> {
        horizon(periods)?;
        if most > 10_000_000 {
            return Err(Error::option("most", "must be 10 million or less"));
        }
        Ok(future(self.params(), 0.0, 0.0).probabilities(periods, most))
    }

    /// Expected purchases in the next `periods` and P(alive) of every row.
    ///
    /// With `interval`, a level such as 0.95, also an interval of either: the
    /// uncertainty of the *parameters* (delta method on the log and logit
    /// scale), not of the purchases themselves. Computed on distinct rows.
    pub fn predict(
        &self,
        rows: &RfmSlices<'_>,
        periods: f64,
        interval: Option<f64>,
        run: &Run,
    ) -> Result<Prediction> {
        horizon(periods)?;
        self.same_unit(rows.period)?;
        let z = interval.map(|level| self.estimates.interval_quantile(level)).transpose()?;
        let unique = Unique::of(rows, run)?;
        let parameters = self.params();
        let out = Self::each(&unique, "predicting", run, |x, t_x, t| {
            let e = expected(parameters, x, t_x, t, periods);
            let w = alive(parameters, x, t_x, t);
            let edges = z.map_or([None; 4], |z| self.edges(z, x, t_x, t, periods, e, w));
            (e, w, edges)
        })?;
        type Row = (f64, f64, [Option<f64>; 4]);
        let column = |f: fn(&Row) -> f64| unique.spread(&out.iter().map(f).collect::<Vec<f64>>());
        let edges = |low: usize| {
            z.map(|_| unique.spread(&out.iter().map(|o| [o.2[low], o.2[low + 1]]).collect::<Vec<Edges>>()))
        };
        Ok(Prediction {
            expected_purchases: column(|o| o.0),
            p_alive: column(|o| o.1),
            expected_purchases_interval: edges(0),
            p_alive_interval: edges(2),
        })
    }

    /// Applies `work` to every distinct row.
    fn each<T: Send>(
        unique: &Unique,
        stage: &'static str,
        run: &Run,
        work: impl Fn(f64, f64, f64) -> T + Sync + Send,
    ) -> Result<Vec<T>> {
        let n = unique.len();
        run.stage(stage, n as u64)?;
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            let rows = piece * PIECE..n.min((piece + 1) * PIECE);
            let mut out = Vec::with_capacity(rows.len());
            for row in rows {
                let (t_x, t) = (unique.recency[row], unique.age[row]);
                out.push(work(f64::from(unique.frequency[row]), t_x, t));
                run.check()?;
            }
            run.advance(out.len() as u64)?;
            Ok(out)
        })?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// Interval edges by the delta method, with central differences on log parameters.
    #[expect(clippy::too_many_arguments, reason = "one row's numbers")]
    fn edges(&self, z: f64, x: f64, t_x: f64, t: f64, periods: f64, e: f64, w: f64) -> [Option<f64>; 4] {
        const STEP: f64 = 1e-4;
        let parameters = self.params();
        let mut of_e = [0.0; 4];
        let mut of_w = [0.0; 4];
        for i in (0..4).filter(|i| !self.estimates.fixed[*i]) {
            let [up, down] = [STEP, -STEP].map(|h| {
                let mut moved = parameters;
                moved[i] *= exp(h);
                let logit = if x > 0.0 { -likelihood::ln_odds_dead(moved, x, t_x, t) } else { 0.0 };
                (expected(moved, x, t_x, t, periods), logit)
            });
            if e > 0.0 {
                of_e[i] = (up.0 - down.0) / (2.0 * STEP * e);
            }
            of_w[i] = (up.1 - down.1) / (2.0 * STEP);
        }
        let [low, high] = factors(e, reach(&self.estimates, z, &of_e));
        let [alive_low, alive_high] = shifts(w, reach(&self.estimates, z, &of_w));
        [low, high, alive_low, alive_high]
    }

    /// Rows in another unit than the model's are an error, where both are known.
    pub(crate) fn same_unit(&self, period: Option<Unit>) -> Result<()> {
        same_unit(self.period, period)
    }
}

impl Purchases for BetaGeoModel {
    fn kind(&self) -> &'static str {
        Self::KIND
    }
    fn estimates(&self) -> &Estimates {
        &self.estimates
    }
    fn period(&self) -> Option<Unit> {
        self.period
    }
    fn penalty(&self) -> f64 {
        self.penalty
    }
    fn mixing(&self) -> [Mixing; 2] {
        BetaGeoLaw::MIXING
    }
    fn quantity_at(&self, values: &[f64], history: History, quantity: Quantity) -> f64 {
        let p = std::array::from_fn(|i| values.get(i).copied().unwrap_or(f64::NAN));
        let (x, t_x, t) = (f64::from(history.frequency), history.recency, history.age);
        let law = BetaGeometric::PLAIN.quantities(p, history);
        match quantity {
            Quantity::OddsAlive if history.frequency == 0 => f64::INFINITY,
            Quantity::OddsAlive => -likelihood::ln_odds_dead(p, x, t_x, t),
            Quantity::Alive { ahead } => law.p_alive(ahead),
            Quantity::Purchases { periods } => expected(p, x, t_x, t, periods),
            Quantity::WhileAlive { periods } => future(p, x, t).expected(periods),
            Quantity::Residual { rate } => law.residual(rate),
            Quantity::Rate => law.rate(),
            Quantity::LogLikelihood => law.ln_likelihood(),
        }
    }
    fn probabilities_at(&self, values: &[f64], history: History, periods: f64, most: usize) -> Vec<f64> {
        let p = std::array::from_fn(|i| values.get(i).copied().unwrap_or(f64::NAN));
        BetaGeometric::PLAIN.quantities(p, history).probabilities(periods, most)
    }
    fn discounted_at(&self, values: &[f64], history: History, weights: &[f64]) -> f64 {
        let (x, t_x, t) = (f64::from(history.frequency), history.recency, history.age);
        let p = std::array::from_fn(|i| values.get(i).copied().unwrap_or(f64::NAN));
        alive(p, x, t_x, t) * future(p, x, t).weighted(weights, &mut Lanes::default())
    }
    fn bytes(&self) -> Result<Vec<u8>> {
        crate::model::to_bytes(self)
    }
}

fn future([r, alpha, a, b]: [f64; 4], x: f64, t: f64) -> Future {
    Future { shape: r + x, rate: alpha + t, a, b: b + x }
}

fn expected(parameters: [f64; 4], x: f64, t_x: f64, t: f64, periods: f64) -> f64 {
    alive(parameters, x, t_x, t) * future(parameters, x, t).expected(periods)
}

fn alive(parameters: [f64; 4], x: f64, t_x: f64, t: f64) -> f64 {
    if x == 0.0 { 1.0 } else { 1.0 / (1.0 + exp(likelihood::ln_odds_dead(parameters, x, t_x, t))) }
}

fn checked(frequency: f64, recency: f64, age: f64) -> Result<()> {
    fault(frequency, recency, age, 1.0).map_or(Ok(()), |f| Err(f.error(0, 1).of_one()))
}

fn horizon(periods: f64) -> Result<()> {
    if periods.is_finite() && periods >= 0.0 {
        Ok(())
    } else {
        Err(Error::option("periods", format!("{periods} is not a finite number of periods from 0")))
    }
}

/// The weights of E[Y(t)], t = 1 … n, in Σ_t (E[Y(t)] − E[Y(t−1)]) / (1 + d)^t.
pub(crate) fn discount_weights(periods: usize, rate: f64) -> Vec<f64> {
    let slow = ln(1.0 + rate);
    (1..=periods)
        .map(|t| {
            let factor = exp(-slow * t as f64);
            // v^t − v^(t+1) = v^t (1 − v)
            if t == periods { factor } else { factor * -exp_m1(-slow) }
        })
        .collect()
}
