//! What fitted laws say of the customers of a frame.

use serde::{Deserialize, Serialize};

use super::History;
use super::asked::{Asked, More};
use super::delta::{Edges, around, factors, ln_slopes, odds_slopes, reach, shifts};
use super::purchases::{MOST, Purchases, Quantity};
use crate::clv::ahead::{DiscountRate, Horizon};
use crate::clv::covariates::{Shared, each_law, reader};
use crate::clv::estimates::interval_quantile;
use crate::clv::frames::{History as Rows, Roles, intervals_of};
use crate::clv::rows::{RfmSlices, Unique};
use crate::clv::unit::Unit;
use crate::column::{Columns, Dropped, Names, OnInvalid, Table, Values};
use crate::{Error, Result, Run};

/// Distinct rows predicted in one piece of work.
const PIECE: usize = 64;

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
    /// How far ahead, a number of periods from 0 or a span of time; 1 period by default.
    pub periods: Horizon,
    /// Level of an interval for the uncertainty of the *parameters*; none by default.
    pub interval: Option<f64>,
    /// Level of an interval for the *purchases themselves*, of which the
    /// parameters are taken as known; none by default.
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
    /// Also the posterior of the customer's own purchase rate and dropout: means and standard deviations.
    pub own_rates: bool,
    /// Also each customer's part of the log-likelihood at the model's parameters.
    pub log_likelihood: bool,
    /// The unit of recency and T, where it is known; it must then be the model's.
    pub period: Option<Unit>,
    /// Column of the sum of the logarithms of the times between purchases, for
    /// a model that learns from them (`ParetoGGG`): `log_intervals` by default
    /// where the frame has it. Without it such a model knows of a customer
    /// what the others do: how often, when last and for how long.
    pub log_intervals: Option<String>,
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
            periods: Horizon::Periods(1.0),
            interval: None,
            purchase_interval: None,
            ahead: None,
            discount_rate: None,
            next_purchase: None,
            rate: false,
            probabilities: None,
            own_rates: false,
            log_likelihood: false,
            period: None,
            log_intervals: None,
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
    pub(in crate::clv) fn new(table: Table, dropped: Dropped) -> Self {
        Self { table, dropped }
    }

    /// The frame of [`predict`].
    pub fn table(&self) -> Table {
        self.table.clone()
    }

    /// The rows that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// What is asked of every row: the normal quantile of intervals, how far ahead, and what else.
#[derive(Clone, Copy)]
struct Question<'a> {
    z: Option<f64>,
    periods: f64,
    more: &'a [Asked],
}

/// One distinct row's answers, in the order of the columns.
struct Answers<'a> {
    columns: Vec<(&'a str, Option<f64>)>,
}

/// That horizons are whole numbers of opportunities, where these are counted.
pub(in crate::clv) fn whole_ahead(
    model: &dyn Purchases,
    periods: Horizon,
    ahead: Option<Horizon>,
    period: Option<Unit>,
) -> Result<()> {
    for (name, horizon) in [("periods", Some(periods)), ("ahead", ahead)] {
        let Some(horizon) = horizon.filter(|_| model.is_discrete()) else { continue };
        if horizon.periods(name, period)?.fract() != 0.0 {
            horizon.whole(name, period, u32::MAX)?;
        }
    }
    Ok(())
}

/// Predictions by any law, beside their customers:
///
/// | column | where asked for | meaning |
/// | --- | --- | --- |
/// | customer | | |
/// | expected_purchases, p_alive | always | in the coming `periods`, and now; missing where infinite (`ParetoGGG` with t ≤ 1, of new customers) |
/// | …_low, …_high of both and of the next five | `interval` | the uncertainty of the parameters: delta method, of probabilities on the logit scale, of others on the log scale, of next_purchase through the probability to have bought by then; missing where an edge is not finite or the data identify no parameter |
/// | p_alive_ahead | `ahead` | P(alive) `ahead` periods after T |
/// | residual_purchases | `discount_rate` | for ever, discounted (DERT) |
/// | next_purchase | `next_purchase` | time until the next purchase; missing where it may never come |
/// | purchase_rate | `rate` | per period, while alive |
/// | probability_0, probability_1, … | `probabilities` | of so many purchases in the coming `periods` |
/// | purchases_low, purchases_high | `purchase_interval` | quantiles of the number of purchases |
/// | own_rate, own_rate_sd, own_dropout, own_dropout_sd | `own_rates` | posterior mean and standard deviation of the customer's own purchase rate, alive or not, and of the own dropout: the probability after a purchase (BG laws) or at an opportunity (BG/BB), the rate (Pareto laws), the η of the Gompertz hazard |
/// | log_likelihood | `log_likelihood` | the customer's part, at these parameters; laws of k ticks leave out Σ (k − 1) ln Δ, as their fits do |
///
/// Computed on distinct rows.
pub fn predict(
    model: &dyn Purchases,
    frame: &Columns,
    options: &PredictOptions,
    run: &Run,
) -> Result<CustomerPrediction> {
    let period = model.period().or(options.period);
    let periods = options.periods.periods("periods", period)?;
    let &PredictOptions { ahead, discount_rate, next_purchase, rate, probabilities, .. } = options;
    let more = More { ahead, discount_rate, next_purchase, rate, probabilities }.asked(periods, period)?;
    whole_ahead(model, options.periods, ahead, period)?;
    let z = options.interval.map(|level| model.estimates().interval_quantile(level)).transpose()?;
    if let Some(level) = options.purchase_interval {
        interval_quantile(level).map_err(|_| {
            Error::option("purchase_interval", format!("{level} is not a level between 0 and 1, such as 0.9"))
        })?;
    }
    same_unit(model.period(), options.period)?;
    let roles = Roles {
        customer: Some(&options.customer),
        frequency: &options.frequency,
        recency: &options.recency,
        age: &options.age,
        weight: None,
        along: None,
        covariates: reader(model),
        intervals: if model.reads_intervals() {
            intervals_of(options.log_intervals.as_deref(), frame, true)
        } else {
            None
        },
    };
    let rows = Rows::read(frame, roles, options.on_invalid, run)?;
    let slices = rows.slices();
    if model.is_discrete() {
        super::fit::opportunities(&slices)?;
    }
    if model.reads_intervals() {
        slices.check_times()?;
    }
    run.stage("predicting", slices.len() as u64)?;
    let asked = Question { z, periods, more: &more };
    let answers = each_law(model, &rows, run, |model, slices| {
        let unique = Unique::with_intervals(slices, run)?;
        let n = unique.len();
        let living = Living::of(model, &unique, periods, z.is_some(), run)?;
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            let mut out = Vec::with_capacity(PIECE);
            for row in piece * PIECE..n.min((piece + 1) * PIECE) {
                run.check()?;
                out.push(answers(model, unique.history(row), living.row(row), options, asked));
            }
            Ok(out)
        })?;
        run.advance(slices.len() as u64)?;
        Ok(Shared::new(parts.into_iter().flatten().collect(), unique))
    })?;
    let customer = rows.customer.unwrap_or_else(|| Names::from_iter([""; 0]));
    let mut table = Table::new().with("customer", Values::Names(customer));
    let names: Vec<&str> = match answers.first() {
        Some(first) => first.columns.iter().map(|c| c.0).collect(),
        None => self::answers(model, History::default(), &Course::default(), options, asked)
            .columns
            .iter()
            .map(|c| c.0)
            .collect(),
    };
    for (at, name) in names.into_iter().enumerate() {
        let spread = answers.map(|a: &Answers<'_>| a.columns.get(at).and_then(|c| c.1));
        table = table.with_optional(name, spread);
    }
    Ok(CustomerPrediction { table, dropped: rows.dropped })
}

/// Expected purchases of every row in the `periods` after T.
pub(crate) fn expected_purchases(
    model: &dyn Purchases,
    rows: &RfmSlices<'_>,
    periods: f64,
    run: &Run,
) -> Result<Shared<f64>> {
    let unique = Unique::with_intervals(rows, run)?;
    let living = Living::of(model, &unique, periods, false, run)?;
    let alive = Quantity::Alive { ahead: 0.0 };
    let expected = run.map_items(unique.len(), |row| {
        Ok(model.quantity(unique.history(row), alive) * living.row(row).expected)
    })?;
    Ok(Shared::new(expected, unique))
}

/// What is expected of a living customer, and its slopes on log parameters.
#[derive(Clone, Debug, Default)]
struct Course {
    expected: f64,
    slopes: Vec<f64>,
}

/// The courses of distinct customers. Where purchases come at random, what a
/// living customer does next depends on x and T alone, and few differ in both.
struct Living {
    courses: Vec<Course>,
    of: Vec<u32>,
}

impl Living {
    fn of(model: &dyn Purchases, rows: &Unique, periods: f64, slopes: bool, run: &Run) -> Result<Self> {
        let key = |row: usize| (rows.frequency[row], rows.age[row].to_bits());
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        let mut of: Vec<u32> = (0..rows.len() as u32).collect();
        if model.ticks() == 1 && !model.reads_intervals() {
            order.sort_by_key(|row| key(*row as usize));
            for (course, same) in order.chunk_by(|a, b| key(*a as usize) == key(*b as usize)).enumerate() {
                same.iter().for_each(|row| of[*row as usize] = course as u32);
            }
            order.dedup_by_key(|row| key(*row as usize));
        }
        let parts = run.map_items(order.len().div_ceil(PIECE), |piece| {
            let end = order.len().min((piece + 1) * PIECE);
            run.check()?;
            // The last purchase matters to those who buy at every k-th tick, or regularly.
            let one = |row: &u32| course(model, rows.history(*row as usize), periods, slopes);
            Ok(order[piece * PIECE..end].iter().map(one).collect::<Vec<_>>())
        })?;
        Ok(Self { courses: parts.into_iter().flatten().collect(), of })
    }

    fn row(&self, row: usize) -> &Course {
        &self.courses[self.of[row] as usize]
    }
}

fn course<M: Purchases + ?Sized>(model: &M, history: History, periods: f64, slopes: bool) -> Course {
    let asked = Quantity::WhileAlive { periods };
    let expected = model.quantity(history, asked);
    let estimates = model.estimates();
    let slopes = if slopes {
        ln_slopes(estimates, expected, |p| model.quantity_at(p, history, asked))
    } else {
        vec![0.0; estimates.values.len()]
    };
    Course { expected, slopes }
}

fn answers<'a>(
    model: &dyn Purchases,
    history: History,
    course: &Course,
    options: &PredictOptions,
    Question { z, periods, more }: Question<'a>,
) -> Answers<'a> {
    let alive = model.quantity(history, Quantity::Alive { ahead: 0.0 });
    let expected = alive * course.expected;
    let finite = Some(expected).filter(|expected| expected.is_finite());
    let mut columns = vec![("expected_purchases", finite), ("p_alive", Some(alive))];
    if let Some(z) = z {
        let [low, high, alive_low, alive_high] = edges(model, z, history, course, expected, alive);
        columns.extend([
            ("expected_purchases_low", low),
            ("expected_purchases_high", high),
            ("p_alive_low", alive_low),
            ("p_alive_high", alive_high),
        ]);
    }
    if let Some(level) = options.purchase_interval {
        let [low, high] = quantiles(model, history, periods, level, expected);
        columns.extend([("purchases_low", Some(low)), ("purchases_high", Some(high))]);
    }
    for asked in more {
        let values = asked.values(model, history);
        let edges = z.map(|z| asked.edges(model, history, &values, z));
        for (i, ([name, low, high], value)) in asked.names.iter().zip(values).enumerate() {
            columns.push((name, value));
            if let Some([below, above]) = edges.as_ref().and_then(|edges| edges.get(i)) {
                columns.extend([(low.as_str(), *below), (high.as_str(), *above)]);
            }
        }
    }
    if options.own_rates {
        let [bought, left] = model.mixing().map(|mixing| mixing.own(model, history));
        let ticks = f64::from(model.ticks());
        columns.extend([
            ("own_rate", Some(bought[0] / ticks)),
            ("own_rate_sd", Some(bought[1] / ticks)),
            ("own_dropout", Some(left[0])),
            ("own_dropout_sd", Some(left[1])),
        ]);
    }
    if options.log_likelihood {
        columns.push(("log_likelihood", Some(model.quantity(history, Quantity::LogLikelihood))));
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

/// Interval edges by the delta method.
fn edges<M: Purchases + ?Sized>(
    model: &M,
    z: f64,
    history: History,
    course: &Course,
    expected: f64,
    alive: f64,
) -> [Option<f64>; 4] {
    let estimates = model.estimates();
    let of_alive = odds_slopes(model, history);
    // ln expected = ln alive + ln of the living, and d ln alive = (1 − alive) d odds.
    let both = |(living, odds): (&f64, &f64)| living + (1.0 - alive) * odds;
    let of_expected: Vec<f64> = match course.slopes.len() {
        0 => vec![0.0; of_alive.len()],
        _ => course.slopes.iter().zip(&of_alive).map(both).collect(),
    };
    let [low, high] = factors(expected, reach(estimates, z, &of_expected));
    let [alive_low, alive_high] = shifts(alive, reach(estimates, z, &of_alive));
    [low, high, alive_low, alive_high]
}

/// Interval edges of a quantity of one customer.
pub(super) fn interval_of<M: Purchases + ?Sized>(
    model: &M,
    history: History,
    asked: Quantity,
    z: f64,
) -> Edges {
    let alive = model.quantity(history, Quantity::Alive { ahead: 0.0 });
    match asked {
        Quantity::Purchases { periods } => {
            let course = course(model, history, periods, true);
            let [low, high, ..] = edges(model, z, history, &course, alive * course.expected, alive);
            [low, high]
        }
        Quantity::Alive { ahead } if ahead <= 0.0 => {
            shifts(alive, reach(model.estimates(), z, &odds_slopes(model, history)))
        }
        _ => around(model, history, asked, model.quantity(history, asked), z),
    }
}

pub(crate) fn same_unit(model: Option<Unit>, rows: Option<Unit>) -> Result<()> {
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
