//! Predictions that carry the uncertainty of the parameters.

use serde::{Deserialize, Serialize};

use super::Posterior;
use super::report::level;
use super::subject::{Subject, given};
use crate::clv::ahead::{DiscountRate, Horizon};
use crate::clv::covariates::{Effects, Shared, each_pattern};
use crate::clv::design::Reader;
use crate::clv::finance::Rate;
use crate::clv::frames::{History as Rows, Roles, intervals_of};
use crate::clv::laws::{Asked, History, More, Purchases, Quantity, opportunities, same_unit, whole_ahead};
use crate::clv::rows::Unique;
use crate::clv::unit::Unit;
use crate::column::{Columns, Dropped, Names, OnInvalid, Table, Values};
use crate::math::mean_and_limits;
use crate::{Error, Result, Run};

/// So many draws are looked at unless told otherwise.
pub(in crate::clv) const MOST_DRAWS: usize = 400;
/// Distinct rows predicted in one piece of work.
const PIECE: usize = 16;
/// No more than so many purchases are told apart.
const MOST: usize = 100_000;

/// Roles and options of [`Posterior::predict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawPredictOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// How far ahead, a number of periods from 0 or a span of time; 1 period by default.
    pub periods: Horizon,
    /// Level of the intervals of all but the purchases themselves; 0.9 by default.
    pub level: f64,
    /// Level of an interval for the *purchases themselves*; none by default.
    pub purchase_interval: Option<f64>,
    /// Also P(alive) so many periods, or so long a time, after T.
    pub ahead: Option<Horizon>,
    /// Also purchases for ever, discounted at this rate, per period or per a span of its own.
    pub discount_rate: Option<DiscountRate>,
    /// Also the time until the next purchase: its quantile of this level.
    pub next_purchase: Option<f64>,
    /// Also the purchase rate while alive.
    pub rate: bool,
    /// Also the probabilities of 0, 1, … so many purchases in the coming `periods`, 1000 at most.
    pub probabilities: Option<usize>,
    /// Predict with at most so many draws, evenly spaced; 400 by default, 100,000
    /// at most.
    pub most_draws: usize,
    /// Column of the sum of the logarithms of the times between purchases, where the draws are
    /// of `ParetoGGG`: `log_intervals` by default where the frame has it.
    pub log_intervals: Option<String>,
    /// Column of the mean value of the repeat purchases, where the draws are of `GammaGamma`.
    pub monetary_value: String,
    /// Column of the renewals that each has made, from 0, where the draws are of a model of retention.
    pub renewals: String,
    /// Of draws of a model of retention, whose draws know their period: the discount rate, such as
    /// `{"rate": 0.1, "per": "365d"}`; without one there is no residual value.
    pub discount: Option<Rate>,
    /// Of draws of a model of retention: periods valued; all of them unless given.
    pub horizon: Option<u32>,
    /// Of draws of a model of retention: the margin of one period; 1 by default.
    pub margin: f64,
    /// The unit of recency and T, where it is known; it must then be the draws'.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for DrawPredictOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            frequency: "frequency".to_owned(),
            recency: "recency".to_owned(),
            age: "T".to_owned(),
            periods: Horizon::Periods(1.0),
            level: 0.9,
            purchase_interval: None,
            ahead: None,
            discount_rate: None,
            next_purchase: None,
            rate: false,
            probabilities: None,
            most_draws: MOST_DRAWS,
            log_intervals: None,
            monetary_value: "monetary_value".to_owned(),
            renewals: "renewals".to_owned(),
            discount: None,
            horizon: None,
            margin: 1.0,
            period: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Predictions beside their customers, and the rows that were dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawPrediction {
    table: Table,
    dropped: Dropped,
}

impl DrawPrediction {
    pub(super) fn new(table: Table, dropped: Dropped) -> Self {
        Self { table, dropped }
    }

    /// The frame of [`Posterior::predict`].
    pub fn table(&self) -> Table {
        self.table.clone()
    }

    /// The rows that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

const NAMES: [&str; 6] = [
    "expected_purchases",
    "expected_purchases_low",
    "expected_purchases_high",
    "p_alive",
    "p_alive_low",
    "p_alive_high",
];

impl Posterior {
    /// Predictions that contain the uncertainty of the parameters:
    ///
    /// | column | meaning |
    /// | --- | --- |
    /// | customer | |
    /// | expected_purchases, …_low, …_high | in the coming `periods`: mean over the draws, and the interval of `level` |
    /// | p_alive, …_low, …_high | the same of P(alive) |
    /// | p_alive_ahead, residual_purchases, purchase_rate, probability_0, probability_1, … with …_low, …_high | what [`predict`](crate::clv::predict) names so, where asked for likewise: means and intervals |
    /// | next_purchase, …_low, …_high | when the mean over the draws, and the limits of the interval, of the probability to have bought again reach the level; missing where they never do |
    /// | purchases_low, purchases_high | with `purchase_interval`: quantiles of the number of purchases, its distribution averaged over the draws |
    ///
    /// Draws of `GammaGamma` give customer and expected_spend; those of a model of retention customer, survival over
    /// the next `periods`, churn at the next renewal, expected_lifetime and, with a `discount`, residual_value; each
    /// with its limits, and missing where it is infinite, as a mean is where it is infinite in some draw.
    ///
    /// Each customer by its own covariates, where the draws have coefficients. Computed on
    /// distinct rows, one at a time, so memory does not grow with customers times draws.
    pub fn predict(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        level(options.level)?;
        most_draws(options.most_draws)?;
        same_unit(self.period, options.period)?;
        if self.subject() == Subject::Along {
            return Err(self.other(ALONG));
        }
        let given = given!(
            options;
            frequency, recency, age, log_intervals, monetary_value, renewals, periods, purchase_interval, ahead,
            discount_rate, next_purchase, rate, probabilities, discount, horizon, margin,
        );
        self.subject().refuse(&self.kind, &given)?;
        match self.subject() {
            Subject::Purchases => self.predict_purchases(frame, options, run),
            Subject::Spend => self.predict_spend(frame, options, run),
            Subject::Retention(_) => self.predict_retention(frame, options, run),
            Subject::Along => Err(self.other(ALONG)),
        }
    }

    /// What is asked of every customer.
    pub(in crate::clv) fn asked(&self, options: &DrawPredictOptions) -> Result<Question> {
        level(options.level)?;
        most_draws(options.most_draws)?;
        let period = self.period.or(options.period);
        let periods = options.periods.periods("periods", period)?;
        let &DrawPredictOptions { ahead, discount_rate, next_purchase, rate, probabilities, .. } = options;
        let more =
            More { ahead, discount_rate, next_purchase, rate, probabilities }.asked(periods, period)?;
        if let Some(level) = options.purchase_interval.filter(|l| !(*l > 0.0 && *l < 1.0)) {
            let reason = format!("{level} is not a level between 0 and 1, such as 0.9");
            return Err(Error::option("purchase_interval", reason));
        }
        let tail = 0.5 - 0.5 * options.level;
        Ok(Question { periods, tail, purchase_interval: options.purchase_interval, more })
    }

    fn predict_purchases(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let question = self.asked(options)?;
        let period = self.period.or(options.period);
        let models = self.models(options.most_draws)?;
        if let Some(model) = models.first() {
            whole_ahead(&**model, options.periods, options.ahead, period)?;
        }
        let learns = models.first().is_some_and(|m| m.reads_intervals());
        let roles = Roles {
            customer: Some(&options.customer),
            frequency: &options.frequency,
            recency: &options.recency,
            age: &options.age,
            weight: None,
            along: None,
            covariates: self.reader(),
            intervals: if learns {
                intervals_of(options.log_intervals.as_deref(), frame, true)
            } else {
                None
            },
        };
        let rows = Rows::read(frame, roles, options.on_invalid, run)?;
        let slices = rows.slices();
        if models.first().is_some_and(|m| m.is_discrete()) {
            opportunities(&slices)?;
        }
        if learns {
            slices.check_times()?;
        }
        run.stage("predicting", slices.len() as u64)?;
        let answers = each_pattern(self.effects.as_ref(), &rows, run, |covariates, slices, _| {
            let own = covariates.map(|row| at(&models, row)).transpose()?;
            let models = own.as_ref().unwrap_or(&models);
            let unique = Unique::with_intervals(slices, run)?;
            let n = unique.len();
            let parts = run.map_items(n.div_ceil(PIECE), |piece| {
                let mut out = Vec::with_capacity(PIECE);
                for row in piece * PIECE..n.min((piece + 1) * PIECE) {
                    run.check()?;
                    out.push(question.of(models, unique.history(row)));
                }
                Ok(out)
            })?;
            run.advance(slices.len() as u64)?;
            Ok(Shared::new(parts.into_iter().flatten().collect(), unique))
        })?;
        let customer = rows.customer.unwrap_or_else(|| Names::from_iter([""; 0]));
        Ok(question.told(customer, &answers, rows.dropped))
    }

    /// A model at each of at most so many draws, evenly spaced over all chains.
    pub(super) fn models(&self, most: usize) -> Result<Vec<Box<dyn Purchases>>> {
        match self.subject() {
            Subject::Purchases => {}
            Subject::Along => return Err(self.other(ALONG)),
            _ => return Err(self.other("not of a model of purchases")),
        }
        self.thinned(most).into_iter().map(|draw| self.model(draw)).collect()
    }

    /// How the covariates of the draws' customers are read.
    pub(super) fn reader(&self) -> Reader<'_> {
        self.effects.as_ref().map_or(Reader::None, Effects::reader)
    }
}

pub(super) fn most_draws(most: usize) -> Result<usize> {
    if most == 0 || most > 100_000 {
        return Err(Error::option("most_draws", "must be a number from 1 to 100,000; the default is 400"));
    }
    Ok(most)
}

/// The models of customers of these covariates.
pub(super) fn at(models: &[Box<dyn Purchases>], covariates: &[f64]) -> Result<Vec<Box<dyn Purchases>>> {
    models.iter().map(|model| model.with_covariates(covariates)).collect()
}

/// Of customers along covariates that change.
const ALONG: &str = "ask them of orders and covariates: call `predict_along`";

/// What is asked of every customer.
pub(in crate::clv) struct Question {
    periods: f64,
    tail: f64,
    purchase_interval: Option<f64>,
    more: Vec<Asked>,
}

/// What draws say of one customer.
pub(in crate::clv) struct Answer {
    /// What is expected and P(alive), each with its limits.
    of: [f64; 6],
    /// Limits of purchases.
    purchases: [f64; 2],
    more: Vec<[Option<f64>; 3]>,
}

impl Question {
    /// What models, one of each draw, say of one customer.
    pub(in crate::clv) fn of(&self, models: &[Box<dyn Purchases>], history: History) -> Answer {
        let &Self { periods, tail, .. } = self;
        let three = |quantity: Quantity| -> [f64; 3] {
            let mut values: Vec<f64> = models.iter().map(|m| m.quantity(history, quantity)).collect();
            mean_and_limits(&mut values, tail)
        };
        let [mean, low, high] = three(Quantity::Purchases { periods });
        let [alive, alive_low, alive_high] = three(Quantity::Alive { ahead: 0.0 });
        let purchases =
            self.purchase_interval.map_or([0.0; 2], |level| quantiles(models, history, periods, level, high));
        let summed = |mut values: Vec<f64>| mean_and_limits(&mut values, tail);
        let more = self.more.iter().flat_map(|asked| asked.among(models, history, summed));
        Answer { of: [mean, low, high, alive, alive_low, alive_high], purchases, more: more.collect() }
    }

    /// The frame of what is said of all customers.
    pub(in crate::clv) fn told(
        &self,
        customer: Names,
        answers: &Shared<Answer>,
        dropped: Dropped,
    ) -> DrawPrediction {
        let mut table = Table::new().with("customer", Values::Names(customer));
        for (i, name) in NAMES.into_iter().enumerate() {
            table = table.with(name, Values::F64(answers.map(|a: &Answer| a.of[i])));
        }
        if self.purchase_interval.is_some() {
            for (i, name) in ["purchases_low", "purchases_high"].into_iter().enumerate() {
                table = table.with(name, Values::F64(answers.map(|a: &Answer| a.purchases[i])));
            }
        }
        for (i, names) in self.more.iter().flat_map(|asked| &asked.names).enumerate() {
            for (j, name) in names.iter().enumerate() {
                let found = answers.map(|a: &Answer| a.more.get(i).and_then(|found| found[j]));
                table = table.with_optional(name, found);
            }
        }
        DrawPrediction { table, dropped }
    }
}

/// The smallest numbers of purchases that are reached with probability (1 ∓ level) / 2.
fn quantiles(
    models: &[Box<dyn Purchases>],
    history: History,
    periods: f64,
    level: f64,
    expected: f64,
) -> [f64; 2] {
    let mut most = (3.0 * expected + 10.0).min(MOST as f64) as usize;
    loop {
        let mut mass = vec![0.0; most + 1];
        for model in models {
            for (total, p) in mass.iter_mut().zip(model.probabilities_of(history, periods, most)) {
                *total += p / models.len() as f64;
            }
        }
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
