//! Forecast beside fact: cumulative purchases over time, and errors per customer.

use serde::{Deserialize, Serialize};

use super::clock::SeasonalClock;
use super::estimates::interval_quantile;
use super::finance::Period;
use super::laws::Purchases;
use super::pieces::cohort;
use super::summarize::{Orders, Refunds, When};
use super::tracking_interval::{Bounds, Course};
use super::unit::Unit;
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
    pub period: Option<Unit>,
    /// As in [`SummarizeOptions`](super::SummarizeOptions); `"1d"` by default.
    pub grain: Duration,
    /// The last moment tracked, its grain included; the last order by default.
    pub observation_end: Option<When>,
    /// Whether to track cohorts too, and how long they are: `"month"`,
    /// `"quarter"`, `"year"`, `"week"`, or a span of days such as `"30d"`. None by default.
    pub cohort: Option<Period>,
    /// The clock by which the model's rows were counted; plain time by default.
    pub clock: Option<SeasonalClock>,
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
            cohort: None,
            clock: None,
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
    /// The same for each cohort, where that was asked for.
    pub cohorts: Option<Vec<CohortTracking>>,
    /// How far actual purchases may stray from them, where `interval` asks for it.
    bounds: Option<Bounds>,
    dropped: Dropped,
}

/// Repeat purchases of the customers whose first purchase lies in one calendar period.
#[derive(Clone, Debug, PartialEq)]
pub struct CohortTracking {
    /// The first moment of that period, in microseconds.
    pub cohort: i64,
    /// How many customers there are.
    pub customers: u64,
    /// The first step of [`Tracking`] that has one of them.
    pub from: usize,
    /// Repeat purchases from there on.
    pub actual_cumulative: Vec<f64>,
    /// What the model expects of them.
    pub expected_cumulative: Vec<f64>,
}

impl Tracking {
    /// A frame: period_end, actual, expected, actual_cumulative, expected_cumulative;
    /// with `interval` also expected_low, expected_high, expected_cumulative_low and
    /// expected_cumulative_high.
    pub fn table(&self) -> Table {
        let steps = |v: &[f64]| Values::F64(steps(v));
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

    /// A frame with rows for each cohort: cohort, customers, period_end, actual,
    /// expected, actual_cumulative, expected_cumulative; `None` without cohorts.
    pub fn cohort_table(&self) -> Option<Table> {
        let cohorts = self.cohorts.as_ref()?;
        let rows = |c: &CohortTracking| c.actual_cumulative.len();
        let each = |of: &dyn Fn(&CohortTracking) -> i64| -> Vec<i64> {
            cohorts.iter().flat_map(|c| std::iter::repeat_n(of(c), rows(c))).collect()
        };
        let all =
            |of: &dyn Fn(&CohortTracking) -> Vec<f64>| Values::F64(cohorts.iter().flat_map(of).collect());
        let ends = cohorts.iter().flat_map(|c| self.period_end.iter().skip(c.from).copied());
        Some(
            Table::new()
                .with("cohort", Values::Time(each(&|c| c.cohort)))
                .with("customers", Values::I64(each(&|c| c.customers as i64)))
                .with("period_end", Values::Time(ends.collect()))
                .with("actual", all(&|c| steps(&c.actual_cumulative)))
                .with("expected", all(&|c| steps(&c.expected_cumulative)))
                .with("actual_cumulative", all(&|c| c.actual_cumulative.clone()))
                .with("expected_cumulative", all(&|c| c.expected_cumulative.clone())),
        )
    }

    /// The orders that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// Each value less the one before it.
fn steps(v: &[f64]) -> Vec<f64> {
    v.iter().enumerate().map(|(i, x)| if i == 0 { *x } else { x - v[i - 1] }).collect()
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
    if model.effects().is_some() {
        return Err(Error::option(
            "model",
            "has covariates, and orders do not tell them: use `check`, or track one kind of customer by `at`",
        ));
    }
    let step = options.period.unwrap_or(unit);
    let grain = options.grain.micros();
    step.check()?;
    unit.check()?;
    if grain == 0 {
        return Err(Error::option("grain", "must be longer than 0"));
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
    // Grains of first purchases, and cohorts and grains of repeat purchases, sorted.
    let (mut firsts, mut repeats) = (Vec::new(), Vec::<(i64, i64)>::new());
    let mut visits = Visits::default();
    for code in 0..events.starts.len() - 1 {
        visits.fill(events.of(code), options.refunds, None);
        let mut days = visits.list.iter().map(|v| v.0);
        if let Some(first) = days.next() {
            firsts.push(first);
            let cohort = options.cohort.map_or(0, |period| cohort(period, first.saturating_mul(grain)));
            repeats.extend(days.map(|day| (cohort, day)));
        }
        if code % 65_536 == 0 {
            run.check()?;
        }
    }
    firsts.sort_unstable();
    repeats.sort_unstable();
    let Some(origin) = firsts.first().copied() else {
        return Err(Error::not_enough_data("there are no orders to track"));
    };
    // Customers by the day of their first purchase.
    let births: Vec<(i64, f64)> = firsts.chunk_by(|a, b| a == b).map(|c| (c[0], c.len() as f64)).collect();
    let start = origin.saturating_mul(grain);
    let last = end.saturating_add(1).saturating_mul(grain);
    let periods = step.between(start, last).ceil() as i64;
    if periods > 100_000 {
        return Err(Error::option("period", format!("gives {periods} steps; 100,000 are the most")));
    }
    run.stage("tracking purchases", periods as u64)?;
    // E[X(t)] at one age serves every cohort that reaches it.
    if let Some(clock) = &options.clock {
        clock.agrees(unit, Some(options.grain))?;
    }
    let line = options.clock.as_ref().map(|clock| {
        let after = step.after(start, periods).div_euclid(grain);
        clock.line(origin.saturating_sub(1), after.saturating_add(2))
    });
    let age = |k: i64, first: i64| {
        let until = step.after(start, k);
        match &line {
            None => unit.between(first * grain, until),
            // The day of the first purchase counts, as it does in plain time.
            Some(line) => line.ahead(first - 1, (until - first * grain).max(0) as f64 / grain as f64),
        }
    };
    let mut ages: Vec<f64> = (1..=periods)
        .flat_map(|k| births.iter().map(move |c| age(k, c.0)))
        .filter(|age| *age > 0.0)
        .collect();
    ages.sort_unstable_by(f64::total_cmp);
    ages.dedup();
    let expectations = run.map_items(ages.len(), |i| model.expected_purchases(0.0, 0.0, 0.0, ages[i]))?;
    let expected = |age: f64| ages.binary_search_by(|a| a.total_cmp(&age)).map_or(0.0, |i| expectations[i]);
    let mut out = Tracking {
        period_end: Vec::new(),
        actual_cumulative: Vec::new(),
        expected_cumulative: Vec::new(),
        cohorts: None,
        bounds: z.map(Bounds::new),
        dropped: read.dropped,
    };
    let course = match z {
        Some(_) => Some(Course::of(model, &ages, run)?),
        None => None,
    };
    let expectation = |births: &[(i64, f64)], k: i64| {
        let mut total = Sum::default();
        for (first, customers) in births.iter().take_while(|c| age(k, c.0) > 0.0) {
            total.add(customers * expected(age(k, *first)));
        }
        total.value()
    };
    let until = |k: i64, repeats: &[(i64, i64)]| {
        let end = step.after(start, k);
        repeats.partition_point(|(_, day)| day * grain < end) as f64
    };
    if let Some(period) = options.cohort {
        let cohort = |birth: &(i64, f64)| cohort(period, birth.0.saturating_mul(grain));
        let groups: Vec<&[(i64, f64)]> = births.chunk_by(|a, b| cohort(a) == cohort(b)).collect();
        if groups.len() as i64 * periods > 1_000_000 {
            return Err(Error::option(
                "cohort",
                "gives more than a million rows: take longer cohorts or periods",
            ));
        }
        let tracked = run.map_items(groups.len(), |i| {
            let births = groups[i];
            let of = births.first().map_or(0, cohort);
            let from = repeats.partition_point(|r| r.0 < of);
            let repeats = &repeats[from..from + repeats[from..].partition_point(|r| r.0 == of)];
            let first =
                (1..=periods).find(|k| births.first().is_some_and(|b| age(*k, b.0) > 0.0)).unwrap_or(1);
            Ok(CohortTracking {
                cohort: of,
                customers: births.iter().map(|b| b.1 as u64).sum(),
                from: first as usize - 1,
                actual_cumulative: (first..=periods).map(|k| until(k, repeats)).collect(),
                expected_cumulative: (first..=periods).map(|k| expectation(births, k)).collect(),
            })
        })?;
        out.cohorts = Some(tracked);
    }
    repeats.sort_unstable_by_key(|r| r.1);
    for k in 1..=periods {
        out.period_end.push(step.after(start, k));
        out.actual_cumulative.push(until(k, &repeats));
        out.expected_cumulative.push(expectation(&births, k));
        if let (Some(course), Some(bounds)) = (&course, &mut out.bounds) {
            let moves = births.iter().map(|c| (c.1, age(k - 1, c.0), age(k, c.0)));
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
