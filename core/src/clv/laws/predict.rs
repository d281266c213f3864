//! What fitted laws say of customers: one surface for all of them.

use serde::{Deserialize, Serialize};

use super::History;
use crate::clv::estimates::{Estimates, interval_quantile};
use crate::clv::frames::{History as Rows, Roles};
use crate::clv::rows::{RfmSlices, Unique, fault};
use crate::column::{Columns, Dropped, Duration, Names, OnInvalid, Table, Values};
use crate::math::{exp, ln_1p};
use crate::{Error, Result, Run};

/// Distinct rows predicted in one piece of work.
const PIECE: usize = 64;
/// No more than so many purchases are told apart.
const MOST: usize = 100_000;

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
    fn period(&self) -> Option<Duration>;
    /// Whether times are whole numbers of opportunities.
    fn is_discrete(&self) -> bool {
        false
    }
    /// Ticks between purchases.
    fn ticks(&self) -> u32 {
        1
    }
    /// A quantity of a history that can be, at given parameters.
    fn quantity_at(&self, parameters: &[f64], history: History, quantity: Quantity) -> f64;
    /// P(n purchases), n = 0 … `most`, of a history that can be.
    fn probabilities_of(&self, history: History, periods: f64, most: usize) -> Vec<f64>;
    /// Σ_t `weights[t−1]` · E[purchases in the t periods after T], t = 1, 2, …
    fn discounted(&self, history: History, weights: &[f64]) -> f64 {
        let at = |i: usize| self.quantity(history, Quantity::Purchases { periods: (i + 1) as f64 });
        crate::math::sum(weights.iter().enumerate().filter(|(_, w)| **w != 0.0).map(|(i, w)| w * at(i)))
    }
    /// The model file.
    fn bytes(&self) -> Result<Vec<u8>>;

    /// A quantity of a history that can be.
    fn quantity(&self, history: History, quantity: Quantity) -> f64 {
        self.quantity_at(&self.estimates().values, history, quantity)
    }

    /// P(alive `ahead` periods after T) of one customer.
    fn p_alive(&self, frequency: f64, recency: f64, age: f64, ahead: f64) -> Result<f64> {
        let history = history(self.is_discrete(), frequency, recency, age)?;
        Ok(self.quantity(history, Quantity::Alive { ahead: span("ahead", ahead)? }))
    }

    /// Expected purchases of one customer in the `periods` after T.
    fn expected_purchases(&self, frequency: f64, recency: f64, age: f64, periods: f64) -> Result<f64> {
        let history = history(self.is_discrete(), frequency, recency, age)?;
        Ok(self.quantity(history, Quantity::Purchases { periods: span("periods", periods)? }))
    }

    /// Expected purchases of one customer after T for ever, discounted by
    /// 1 + `discount_rate` a period: DERT, DECT (Fader, Hardie & Lee 2005).
    fn residual_purchases(&self, frequency: f64, recency: f64, age: f64, discount_rate: f64) -> Result<f64> {
        let history = history(self.is_discrete(), frequency, recency, age)?;
        Ok(self.quantity(history, Quantity::Residual { rate: slope(discount_rate)? }))
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
        let history = history(self.is_discrete(), frequency, recency, age)?;
        if most > MOST {
            return Err(Error::option("most", "must be 100,000 or less"));
        }
        Ok(self.probabilities_of(history, span("periods", periods)?, most))
    }

    /// The posterior mean of one customer's purchase rate, while alive.
    fn purchase_rate(&self, frequency: f64, recency: f64, age: f64) -> Result<f64> {
        Ok(self.quantity(history(self.is_discrete(), frequency, recency, age)?, Quantity::Rate))
    }

    /// The time after T by which one customer has bought again with
    /// probability `level`; `None` where that never is (in ten million periods).
    fn next_purchase(&self, frequency: f64, recency: f64, age: f64, level: f64) -> Result<Option<f64>> {
        let history = history(self.is_discrete(), frequency, recency, age)?;
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::option("level", "must lie between 0 and 1, such as 0.5 for the median"));
        }
        Ok(self.next_purchase_of(history, level))
    }

    /// [`Purchases::next_purchase`] of a history that can be.
    fn next_purchase_of(&self, history: History, level: f64) -> Option<f64> {
        let bought = |t: f64| 1.0 - self.probabilities_of(history, t, 0).first().copied().unwrap_or(1.0);
        let mut high = if self.is_discrete() { 1.0 } else { history.age.max(1.0) };
        while bought(high) < level {
            high *= 2.0;
            let most = if self.is_discrete() { 1e5 } else { 1e7 };
            if high > most {
                return None;
            }
        }
        let mut low = 0.0;
        if self.is_discrete() {
            while high - low > 1.0 {
                let middle = f64::midpoint(low, high).floor();
                if bought(middle) < level { low = middle } else { high = middle }
            }
            return Some(high);
        }
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high || high - low < 1e-13 * high {
                break;
            }
            if bought(middle) < level { low = middle } else { high = middle }
        }
        Some(high)
    }
}

fn history(discrete: bool, frequency: f64, recency: f64, age: f64) -> Result<History> {
    if let Some(fault) = fault(frequency, recency, age, 1.0) {
        return Err(fault.error(0, 1));
    }
    if discrete {
        let rows =
            RfmSlices { frequency: &[frequency], recency: &[recency], age: &[age], ..RfmSlices::default() };
        super::fit::opportunities(&rows)?;
    }
    Ok(History { frequency: frequency as u32, recency, age })
}

fn span(name: &'static str, periods: f64) -> Result<f64> {
    if periods.is_finite() && periods >= 0.0 {
        Ok(periods)
    } else {
        Err(Error::option(name, format!("{periods} is not a finite number of periods from 0")))
    }
}

/// δ = ln(1 + d).
fn slope(discount_rate: f64) -> Result<f64> {
    if discount_rate.is_finite() && discount_rate > 0.0 {
        Ok(ln_1p(discount_rate))
    } else {
        Err(Error::option(
            "discount_rate",
            "must be a finite rate per period above 0: without it the sum may not end",
        ))
    }
}

/// Roles and options of [`predict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// How many periods ahead, a number from 0; 1 by default.
    pub periods: f64,
    /// Level of an interval for the uncertainty of the *parameters*; none by default.
    pub interval: Option<f64>,
    /// Level of an interval for the *purchases themselves*, of which the
    /// parameters are taken as known; none by default.
    pub purchase_interval: Option<f64>,
    /// Also P(alive) so many periods after T.
    pub ahead: Option<f64>,
    /// Also purchases for ever, discounted by 1 + this a period.
    pub discount_rate: Option<f64>,
    /// Also the time until the next purchase: its quantile of this level.
    pub next_purchase: Option<f64>,
    /// Also the purchase rate while alive.
    pub rate: bool,
    /// The unit of recency and T, where it is known; it must then be the model's.
    pub period: Option<Duration>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            frequency: "frequency".to_owned(),
            recency: "recency".to_owned(),
            age: "T".to_owned(),
            periods: 1.0,
            interval: None,
            purchase_interval: None,
            ahead: None,
            discount_rate: None,
            next_purchase: None,
            rate: false,
            period: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Predictions beside their customers, and the rows that were dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerPrediction {
    table: Table,
    dropped: Dropped,
}

impl CustomerPrediction {
    /// The frame of [`predict`].
    pub fn table(&self) -> Table {
        self.table.clone()
    }

    /// The rows that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// One distinct row's answers, in the order of the columns.
struct Answers {
    columns: Vec<(&'static str, Option<f64>)>,
}

/// Predictions by any law, beside their customers:
///
/// | column | where asked for | meaning |
/// | --- | --- | --- |
/// | customer | | |
/// | expected_purchases, p_alive | always | in the coming `periods`, and now |
/// | …_low, …_high of both | `interval` | the uncertainty of the parameters: delta method on the log and logit scale |
/// | purchases_low, purchases_high | `purchase_interval` | quantiles of the number of purchases |
/// | p_alive_ahead | `ahead` | P(alive) `ahead` periods after T |
/// | residual_purchases | `discount_rate` | for ever, discounted (DERT) |
/// | next_purchase | `next_purchase` | time until the next purchase; missing where it may never come |
/// | purchase_rate | `rate` | per period, while alive |
///
/// Computed on distinct rows.
pub fn predict(
    model: &dyn Purchases,
    frame: &Columns,
    options: &PredictOptions,
    run: &Run,
) -> Result<CustomerPrediction> {
    span("periods", options.periods)?;
    let ahead = options.ahead.map(|ahead| span("ahead", ahead)).transpose()?;
    let rate = options.discount_rate.map(slope).transpose()?;
    let z = options.interval.map(interval_quantile).transpose()?;
    if let Some(level) = options.purchase_interval {
        interval_quantile(level).map_err(|_| {
            Error::option("purchase_interval", format!("{level} is not a level between 0 and 1, such as 0.9"))
        })?;
    }
    if let Some(level) = options.next_purchase.filter(|level| !(*level > 0.0 && *level < 1.0)) {
        return Err(Error::option(
            "next_purchase",
            format!("{level} is not a level between 0 and 1: 0.5 is the median"),
        ));
    }
    same_unit(model.period(), options.period)?;
    let roles = Roles {
        customer: Some(&options.customer),
        frequency: &options.frequency,
        recency: &options.recency,
        age: &options.age,
        weight: None,
        along: None,
    };
    let rows = Rows::read(frame, roles, options.on_invalid, run)?;
    let slices = rows.slices();
    if model.is_discrete() {
        super::fit::opportunities(&slices)?;
    }
    let unique = Unique::of(&slices, run)?;
    let n = unique.len();
    run.stage("predicting", n as u64)?;
    let parts = run.map_items(n.div_ceil(PIECE), |piece| {
        let mut out = Vec::with_capacity(PIECE);
        for row in piece * PIECE..n.min((piece + 1) * PIECE) {
            run.check()?;
            let history = History {
                frequency: unique.frequency[row],
                recency: unique.recency[row],
                age: unique.age[row],
            };
            out.push(answers(model, history, options, (z, ahead, rate)));
        }
        run.advance(out.len() as u64)?;
        Ok(out)
    })?;
    let answers: Vec<Answers> = parts.into_iter().flatten().collect();
    let customer = rows.customer.unwrap_or_else(|| Names::from_iter([""; 0]));
    let mut table = Table::new().with("customer", Values::Names(customer));
    let names: Vec<&'static str> = match answers.first() {
        Some(first) => first.columns.iter().map(|c| c.0).collect(),
        None => self::answers(model, History::default(), options, (z, ahead, rate))
            .columns
            .iter()
            .map(|c| c.0)
            .collect(),
    };
    for (at, name) in names.into_iter().enumerate() {
        let values: Vec<Option<f64>> = answers.iter().map(|a| a.columns.get(at).and_then(|c| c.1)).collect();
        let spread = unique.spread(&values);
        table = if name == "next_purchase" {
            table.with_optional(name, spread)
        } else {
            table.with(name, Values::F64(spread.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect()))
        };
    }
    Ok(CustomerPrediction { table, dropped: rows.dropped })
}

fn answers(
    model: &dyn Purchases,
    history: History,
    options: &PredictOptions,
    (z, ahead, rate): (Option<f64>, Option<f64>, Option<f64>),
) -> Answers {
    let periods = Quantity::Purchases { periods: options.periods };
    let (expected, alive) =
        (model.quantity(history, periods), model.quantity(history, Quantity::Alive { ahead: 0.0 }));
    let mut columns = vec![("expected_purchases", Some(expected)), ("p_alive", Some(alive))];
    if let Some(z) = z {
        let [low, high, alive_low, alive_high] = edges(model, z, history, periods, expected, alive);
        columns.extend([
            ("expected_purchases_low", Some(low)),
            ("expected_purchases_high", Some(high)),
            ("p_alive_low", Some(alive_low)),
            ("p_alive_high", Some(alive_high)),
        ]);
    }
    if let Some(level) = options.purchase_interval {
        let [low, high] = quantiles(model, history, options.periods, level, expected);
        columns.extend([("purchases_low", Some(low)), ("purchases_high", Some(high))]);
    }
    if let Some(ahead) = ahead {
        columns.push(("p_alive_ahead", Some(model.quantity(history, Quantity::Alive { ahead }))));
    }
    if let Some(rate) = rate {
        columns.push(("residual_purchases", Some(model.quantity(history, Quantity::Residual { rate }))));
    }
    if let Some(level) = options.next_purchase {
        columns.push(("next_purchase", model.next_purchase_of(history, level)));
    }
    if options.rate {
        columns.push(("purchase_rate", Some(model.quantity(history, Quantity::Rate))));
    }
    Answers { columns }
}

/// The smallest numbers of purchases that are reached with probability (1 ∓ level) / 2.
fn quantiles(model: &dyn Purchases, history: History, periods: f64, level: f64, expected: f64) -> [f64; 2] {
    let mut most = (2.0 * expected + 10.0).min(MOST as f64) as usize;
    loop {
        let mass = model.probabilities_of(history, periods, most);
        let mut reached = 0.0;
        let mut found = [None, None];
        for (n, p) in mass.iter().enumerate() {
            reached += p;
            for (found, at) in found.iter_mut().zip([0.5 - 0.5 * level, 0.5 + 0.5 * level]) {
                if found.is_none() && reached >= at - 1e-12 {
                    *found = Some(n as f64);
                }
            }
        }
        if let [Some(low), Some(high)] = found {
            return [low, high];
        }
        if most >= MOST {
            return found.map(|f| f.unwrap_or(MOST as f64));
        }
        most = (most * 2).min(MOST);
    }
}

/// Interval edges by the delta method. The differences are one-sided: their
/// error, a millionth, is nothing beside that of the method, and they cost half.
fn edges(
    model: &dyn Purchases,
    z: f64,
    history: History,
    periods: Quantity,
    expected: f64,
    alive: f64,
) -> [f64; 4] {
    const STEP: f64 = 1e-6;
    let estimates = model.estimates();
    let n = estimates.values.len();
    let mut of_expected = vec![0.0; n];
    let mut of_alive = vec![0.0; n];
    let odds = model.quantity(history, Quantity::OddsAlive);
    let mut moved = estimates.values.clone();
    for i in (0..n).filter(|i| !estimates.fixed[*i]) {
        moved[i] *= exp(STEP);
        let up = model.quantity_at(&moved, history, periods);
        if expected > 0.0 && up > 0.0 {
            of_expected[i] = ln_1p((up - expected) / expected) / STEP;
        }
        if odds.is_finite() {
            of_alive[i] = (model.quantity_at(&moved, history, Quantity::OddsAlive) - odds) / STEP;
        }
        moved[i] = estimates.values[i];
    }
    let deviation = |g: &[f64]| {
        let mut variance = 0.0;
        for (i, a) in g.iter().enumerate() {
            for (j, b) in g.iter().enumerate() {
                variance += a * estimates.covariance[i][j] * b;
            }
        }
        variance.max(0.0).sqrt()
    };
    let (se, se_alive) = (z * deviation(&of_expected), z * deviation(&of_alive));
    // w e^s / (1 − w + w e^s), the logistic of logit(w) + s
    let shifted = |s: f64| alive / (alive + (1.0 - alive) * exp(-s));
    [expected * exp(-se), expected * exp(se), shifted(-se_alive), shifted(se_alive)]
}

pub(crate) fn same_unit(model: Option<Duration>, rows: Option<Duration>) -> Result<()> {
    match (model, rows) {
        (Some(model), Some(rows)) if model != rows => Err(Error::option(
            "period",
            format!(
                "the model was fitted in periods of {model} and these rows are in periods of {rows}: summarize with period=\"{model}\""
            ),
        )),
        _ => Ok(()),
    }
}
