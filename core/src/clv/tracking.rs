//! Forecast beside fact: cumulative purchases over time, and errors per customer.

use serde::{Deserialize, Serialize};

use super::estimates::interval_quantile;
use super::laws::Purchases;
use super::summarize::{Orders, Refunds, When};
use super::tracking_interval::{Bounds, Course};
use super::visits::{Events, Visits};
use crate::column::{Columns, Dropped, Duration, Intake, OnInvalid, Sign, Table, TimeUnit, Values};
use crate::math::{Sum, ranks};
use crate::{Error, Result, Run};

/// Roles and options of [`tracking`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackingOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of times.
    pub time: String,
    /// Column of amounts, needed only to settle refunds; none by default.
    pub value: Option<String>,
    /// Length of a step; the model's own period by default.
    pub period: Option<Duration>,
    /// As in [`SummarizeOptions`](super::SummarizeOptions); `"1d"` by default.
    pub grain: Duration,
    /// The last moment tracked, its grain included; the last order by default.
    pub observation_end: Option<When>,
    /// What becomes of negative amounts.
    pub refunds: Refunds,
    /// The unit of times that are plain numbers.
    pub time_unit: Option<TimeUnit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// Level of intervals for what is expected, such as 0.9; none by default.
    pub interval: Option<f64>,
}

impl Default for TrackingOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            time: "time".to_owned(),
            value: None,
            period: None,
            grain: Duration::from_days(1),
            observation_end: None,
            refunds: Refunds::Error,
            time_unit: None,
            on_invalid: OnInvalid::Error,
            interval: None,
        }
    }
}

/// Repeat purchases of all customers, period after period.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracking {
    /// The first moment after each period, in microseconds.
    pub period_end: Vec<i64>,
    /// Repeat purchases up to there.
    pub actual_cumulative: Vec<f64>,
    /// What the model expects of customers with these first purchases.
    pub expected_cumulative: Vec<f64>,
    /// How far actual purchases may stray from them, where `interval` asks for it.
    bounds: Option<Bounds>,
    dropped: Dropped,
}

impl Tracking {
    /// A frame: period_end, actual, expected, actual_cumulative, expected_cumulative;
    /// with `interval` also expected_low, expected_high, expected_cumulative_low and
    /// expected_cumulative_high.
    pub fn table(&self) -> Table {
        let steps = |v: &[f64]| {
            Values::F64(v.iter().enumerate().map(|(i, x)| if i == 0 { *x } else { x - v[i - 1] }).collect())
        };
        let table = Table::new()
            .with("period_end", Values::Time(self.period_end.clone()))
            .with("actual", steps(&self.actual_cumulative))
            .with("expected", steps(&self.expected_cumulative))
            .with("actual_cumulative", Values::F64(self.actual_cumulative.clone()))
            .with("expected_cumulative", Values::F64(self.expected_cumulative.clone()));
        match &self.bounds {
            Some(bounds) => bounds.columns(&self.expected_cumulative, table),
            None => table,
        }
    }

    /// The orders that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// Actual and expected repeat purchases since the first order of the frame.
///
/// A customer is expected to make E\[X(t)\] repeat purchases by age t, whatever
/// happened: the model is judged, not updated. Give it orders beyond those it
/// was fitted on and the rest is a forecast.
///
/// With `interval`, bounds tell how far actual purchases stray from those expected
/// though the model is right: by the chance of each customer's purchases, and by
/// the standard errors of the parameters where the model was fitted (delta
/// method). The variance of purchases is exact where they come at random, from the
/// density of pairs of them; where they come at every k-th tick, that of the
/// cumulative column is exact and that of single periods a bound from above.
/// The sum over customers is taken as normal. On the very customers that the
/// model was fitted to the bounds are too wide, for there the estimates follow
/// the purchases.
pub fn tracking(
    orders: &Columns,
    model: &dyn Purchases,
    options: &TrackingOptions,
    run: &Run,
) -> Result<Tracking> {
    let Some(unit) = model.period().or(options.period) else {
        return Err(Error::option(
            "period",
            "is needed: the model was fitted on rows whose period was not given",
        ));
    };
    let z = options.interval.map(interval_quantile).transpose()?;
    let step = options.period.unwrap_or(unit).micros();
    let grain = options.grain.micros();
    if step == 0 || grain == 0 || unit.micros() == 0 {
        return Err(Error::option("period", "period and grain must be longer than 0"));
    }
    let read = Orders::read(
        orders,
        [&options.customer, &options.time],
        options.value.as_deref(),
        options.refunds,
        options.time_unit,
        options.on_invalid,
        run,
    )?;
    let end = match &options.observation_end {
        Some(when) => when.micros("observation_end")?,
        None => read.times.iter().copied().max().unwrap_or_default(),
    };
    let end = end.div_euclid(grain);
    let events = Events::sort(&read.customer, &read.times, read.values.as_deref(), grain, end, run)?;
    // Grains of first and of repeat purchases, sorted.
    let (mut firsts, mut repeats) = (Vec::new(), Vec::new());
    let mut visits = Visits::default();
    for code in 0..events.starts.len() - 1 {
        visits.fill(events.of(code), options.refunds, None);
        let mut days = visits.list.iter().map(|v| v.0);
        firsts.extend(days.next());
        repeats.extend(days);
        if code % 65_536 == 0 {
            run.check()?;
        }
    }
    firsts.sort_unstable();
    repeats.sort_unstable();
    let Some(origin) = firsts.first().copied() else {
        return Err(Error::not_enough_data("there are no orders to track"));
    };
    let cohorts: Vec<(i64, f64)> = firsts.chunk_by(|a, b| a == b).map(|c| (c[0], c.len() as f64)).collect();
    let span = end.saturating_sub(origin).saturating_add(1).saturating_mul(grain);
    let periods = span.div_euclid(step) + i64::from(span % step != 0);
    if periods > 100_000 {
        return Err(Error::option("period", format!("gives {periods} steps; 100,000 are the most")));
    }
    run.stage("tracking purchases", periods as u64)?;
    // E[X(t)] at one age serves every cohort that reaches it.
    let start = origin * grain;
    let age = |k: i64, first: i64| start + k * step - first * grain;
    let mut ages: Vec<i64> = (1..=periods)
        .flat_map(|k| cohorts.iter().map(move |c| age(k, c.0)))
        .filter(|micros| *micros > 0)
        .collect();
    ages.sort_unstable();
    ages.dedup();
    let expectations = run.map_items(ages.len(), |i| {
        model.expected_purchases(0.0, 0.0, 0.0, ages[i] as f64 / unit.micros() as f64)
    })?;
    let expected = |micros: i64| ages.binary_search(&micros).map_or(0.0, |i| expectations[i]);
    let mut out = Tracking {
        period_end: Vec::new(),
        actual_cumulative: Vec::new(),
        expected_cumulative: Vec::new(),
        bounds: z.map(Bounds::new),
        dropped: read.dropped,
    };
    let course = match z {
        Some(_) => Some(Course::of(model, &ages, unit, run)?),
        None => None,
    };
    for k in 1..=periods {
        let until = start + k * step;
        out.period_end.push(until);
        out.actual_cumulative.push(repeats.partition_point(|day| day * grain < until) as f64);
        let mut total = Sum::default();
        for (first, customers) in cohorts.iter().take_while(|c| age(k, c.0) > 0) {
            total.add(customers * expected(age(k, *first)));
        }
        out.expected_cumulative.push(total.value());
        if let (Some(course), Some(bounds)) = (&course, &mut out.bounds) {
            let moves = cohorts.iter().map(|c| (c.1, age(k - 1, c.0), age(k, c.0)));
            bounds.push(course, moves);
        }
        run.advance(1)?;
    }
    Ok(out)
}

/// How a forecast compares with what happened, customer by customer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastErrors {
    /// Mean absolute error.
    pub mae: f64,
    /// Root mean squared error.
    pub rmse: f64,
    /// Sum of the predictions less sum of what happened.
    pub bias: f64,
    /// Spearman's rank correlation, ties at their mean rank.
    pub spearman: f64,
    /// Gini index of the gain curve, customers of equal prediction sharing alike.
    pub gini: f64,
    /// The same, as a share of what a perfect ordering would reach.
    pub gini_normalised: f64,
}

impl ForecastErrors {
    /// One row, by these names.
    pub fn table(&self) -> Table {
        [
            ("mae", self.mae),
            ("rmse", self.rmse),
            ("bias", self.bias),
            ("spearman", self.spearman),
            ("gini", self.gini),
            ("gini_normalised", self.gini_normalised),
        ]
        .into_iter()
        .fold(Table::new(), |table, (name, value)| table.with(name, Values::F64(vec![value])))
    }
}

/// Columns of [`forecast_errors_columns`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecastOptions {
    /// Column of what happened. Default `"actual"`.
    pub actual: String,
    /// Column of what was predicted. Default `"expected_purchases"`.
    pub predicted: String,
}

impl Default for ForecastOptions {
    fn default() -> Self {
        Self { actual: "actual".into(), predicted: "expected_purchases".into() }
    }
}

/// [`forecast_errors`] of two columns of a frame.
pub fn forecast_errors_columns(
    frame: &Columns,
    options: &ForecastOptions,
    run: &Run,
) -> Result<ForecastErrors> {
    let mut intake = Intake::new(frame, OnInvalid::Error, run);
    let actual = intake.amounts(&options.actual, Sign::Any)?;
    let predicted = intake.amounts(&options.predicted, Sign::Any)?;
    intake.finish()?;
    forecast_errors(&actual, &predicted)
}

/// Compares predictions with what happened.
///
/// Ranking and calibration are different virtues: `spearman` and `gini` see
/// only the order, `bias` and the errors only the level.
pub fn forecast_errors(actual: &[f64], predicted: &[f64]) -> Result<ForecastErrors> {
    let n = actual.len();
    if n != predicted.len() {
        return Err(Error::column(
            "predicted",
            format!("has {} rows, and `actual` has {n}", predicted.len()),
        ));
    }
    if n == 0 {
        return Err(Error::not_enough_data("there is nothing to compare"));
    }
    if let Some(row) = (0..n).find(|i| !actual[*i].is_finite() || !predicted[*i].is_finite()) {
        return Err(Error::Row {
            column: if actual[row].is_finite() { "predicted" } else { "actual" }.to_owned(),
            row: row as u64,
            reason: "is not a finite number".to_owned(),
            count: 1,
        });
    }
    let mean = |f: &dyn Fn(usize) -> f64| crate::math::sum((0..n).map(f)) / n as f64;
    let error = |i: usize| predicted[i] - actual[i];
    let gini = gini(actual, predicted);
    let ideal = self::gini(actual, actual);
    let (ra, rp) = (ranks(actual), ranks(predicted));
    let centre = 0.5 * (n as f64 + 1.0);
    let product = |x: &[f64], y: &[f64]| mean(&|i| (x[i] - centre) * (y[i] - centre));
    let scale = (product(&ra, &ra) * product(&rp, &rp)).sqrt();
    Ok(ForecastErrors {
        mae: mean(&|i| error(i).abs()),
        rmse: mean(&|i| error(i) * error(i)).sqrt(),
        bias: mean(&error) * n as f64,
        spearman: if scale > 0.0 { product(&ra, &rp) / scale } else { 0.0 },
        gini,
        gini_normalised: if ideal == 0.0 { 0.0 } else { gini / ideal },
    })
}

fn order(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order
}

/// 2 × the mean of the cumulative share of `actual` in descending order of `score`, less 1.
fn gini(actual: &[f64], score: &[f64]) -> f64 {
    let n = actual.len() as f64;
    let total = crate::math::sum(actual.iter().copied());
    if total == 0.0 {
        return 0.0;
    }
    let mut descending = order(score);
    descending.reverse();
    let (mut area, mut reached) = (Sum::default(), 0.0);
    for tie in descending.chunk_by(|a, b| score[*a] == score[*b]) {
        let held: f64 = crate::math::sum(tie.iter().map(|i| actual[*i]));
        let k = tie.len() as f64;
        // Σ_{j=1..k} (reached + held j / k)
        area.add(k * reached + held * 0.5 * (k + 1.0));
        reached += held;
    }
    2.0 * area.value() / (total * n) - 1.0
}
