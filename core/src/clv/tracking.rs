//! Forecast beside fact: cumulative purchases over time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clock::SeasonalClock;
use super::estimates::interval_quantile;
use super::finance::Period;
use super::laws::Purchases;
use super::pieces::cohort;
use super::summarize::{Orders, Refunds, When};
use super::tracking_interval::{Bounds, Course};
use super::tracking_kinds::{Expected, Kinds, total};
use super::unit::Unit;
use super::visits::{Events, Visits};
use crate::column::{Columns, Dropped, OnInvalid, Table, TimeUnit, Values};
use crate::math::Sum;
use crate::{Error, Result, Run};

/// Ages whose expectations are told together by a law that walks over them; others tell each by itself.
const PIECE: usize = 256;

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
    pub grain: Unit,
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
            grain: Unit::default(),
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
    /// Of all customers, by the ends of periods: actual and expected up to there.
    pub(super) fn new(
        period_end: Vec<i64>,
        [actual_cumulative, expected_cumulative]: [Vec<f64>; 2],
        bounds: Option<Bounds>,
        dropped: Dropped,
    ) -> Self {
        Self { period_end, actual_cumulative, expected_cumulative, cohorts: None, bounds, dropped }
    }

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
///
/// For a model with covariates see [`tracking_of`].
pub fn tracking(
    orders: &Columns,
    model: &dyn Purchases,
    options: &TrackingOptions,
    run: &Run,
) -> Result<Tracking> {
    track(orders, None, model, options, run)
}

/// [`tracking`] by a model with covariates, which `customers` tells: a frame of one row a customer, by the
/// column of customers that the orders have, such as the model was fitted to. Each customer is expected to
/// do what the own law says.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{Covariates, PurchaseOptions, TrackingOptions, fit_purchases, tracking_of};
/// use headwater::column::{Columns, Duration};
///
/// // Those of the channel "web" buy half as often.
/// let customers = Columns::new()
///     .with("customer", vec!["a", "b", "c", "d", "e", "f", "g", "h"])
///     .with("frequency", vec![0.0, 1.0, 2.0, 0.0, 2.0, 5.0, 1.0, 3.0])
///     .with("recency", vec![0.0, 9.0, 30.0, 0.0, 16.0, 36.0, 4.0, 33.0])
///     .with("T", vec![38.0, 39.0, 38.0, 37.0, 39.0, 38.0, 38.0, 39.0])
///     .with("channel", vec!["web", "web", "web", "shop", "shop", "shop", "web", "shop"])
///     .with("weight", vec![700.0, 150.0, 60.0, 500.0, 150.0, 60.0, 100.0, 100.0]);
/// let fit = PurchaseOptions {
///     covariates: Some(Covariates::new(["channel"], [])),
///     weight: Some("weight".into()),
///     period: Some(Duration::from_days(7).into()),
///     ..PurchaseOptions::default()
/// };
/// let run = Run::new();
/// let (model, _) = fit_purchases("clv.ParetoNBD", &customers, &fit, &run)?;
/// let orders = Columns::new()
///     .with("customer", vec!["a", "d", "d", "f", "f"])
///     .with("time", vec!["2024-01-01", "2024-01-01", "2024-03-05", "2024-01-09", "2024-02-11"]);
/// let tracked = tracking_of(&orders, &customers, &*model, &TrackingOptions::default(), &run)?;
/// assert_eq!(tracked.actual_cumulative.last(), Some(&2.0));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn tracking_of(
    orders: &Columns,
    customers: &Columns,
    model: &dyn Purchases,
    options: &TrackingOptions,
    run: &Run,
) -> Result<Tracking> {
    track(orders, Some(customers), model, options, run)
}

fn track(
    orders: &Columns,
    customers: Option<&Columns>,
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
    let step = options.period.unwrap_or(unit);
    let grain = options.grain;
    step.check()?;
    unit.check()?;
    grain.check_as("grain")?;
    if model.is_discrete() && grain != unit {
        let reason = format!("is the model's period where opportunities are counted: pass \"{unit}\"");
        return Err(Error::option("grain", reason));
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
    let kinds = Kinds::read(model, customers, &read.customer, options, run)?;
    let end = match &options.observation_end {
        Some(when) => when.micros("observation_end", options.time_unit)?,
        None => read.times.iter().copied().max().unwrap_or_default(),
    };
    let end = grain.number(end);
    let events = Events::sort(&read.customer, &read.times, read.values.as_deref(), grain, end, run)?;
    // Kinds of customers and grains of first purchases, and cohorts and grains of repeat purchases, sorted.
    let (mut firsts, mut repeats) = (Vec::<(u32, i64)>::new(), Vec::<(i64, i64)>::new());
    let mut visits = Visits::default();
    for code in 0..events.starts.len() - 1 {
        visits.fill(events.of(code), options.refunds, None);
        let mut days = visits.list.iter().map(|v| v.0);
        if let Some(first) = days.next() {
            let kind = match &kinds {
                None => 0,
                Some(kinds) => kinds.of(code, &read.customer, &options.customer)?,
            };
            firsts.push((kind, first));
            let cohort = options.cohort.map_or(0, |period| cohort(period, grain.start(first)));
            repeats.extend(days.map(|day| (cohort, day)));
        }
        if code % 65_536 == 0 {
            run.check()?;
        }
    }
    firsts.sort_unstable();
    repeats.sort_unstable();
    let Some(origin) = firsts.iter().map(|f| f.1).min() else {
        return Err(Error::not_enough_data("there are no orders to track"));
    };
    // Kinds of customers, and how many of each by the day of their first purchase.
    let births = |firsts: &[(u32, i64)]| -> Vec<(i64, f64)> {
        firsts.chunk_by(|a, b| a == b).map(|c| (c[0].1, c.len() as f64)).collect()
    };
    let groups: Vec<(u32, Vec<(i64, f64)>)> =
        firsts.chunk_by(|a, b| a.0 == b.0).map(|c| (c[0].0, births(c))).collect();
    let start = grain.start(origin);
    let last = grain.start(end.saturating_add(1));
    let periods = step.between(start, last).ceil() as i64;
    if periods > 100_000 {
        return Err(Error::option("period", format!("gives {periods} steps; 100,000 are the most")));
    }
    run.stage("tracking purchases", firsts.len() as u64)?;
    if let Some(clock) = &options.clock {
        clock.agrees(unit, Some(options.grain))?;
    }
    let line = options.clock.as_ref().map(|clock| {
        let after = grain.number(step.after(start, periods));
        clock.line(origin.saturating_sub(1), after.saturating_add(2))
    });
    let age = |k: i64, first: i64| {
        let until = step.after(start, k);
        match &line {
            // Opportunities are the grains after the first purchase's that are over.
            None if model.is_discrete() => {
                unit.between(grain.start(first), grain.start(grain.number(until - 1))).floor()
            }
            None => unit.between(grain.start(first), until),
            // The day of the first purchase counts, as it does in plain time.
            Some(line) => {
                let passed = (until - grain.start(first)).max(0) as f64;
                line.ahead(first - 1, passed / grain.length().micros() as f64)
            }
        }
    };
    let cohort_of = |first: i64| options.cohort.map(|period| cohort(period, grain.start(first)));
    let mut members = BTreeMap::<i64, (i64, u64)>::new();
    for (_, first) in &firsts {
        if let Some(cohort) = cohort_of(*first) {
            let found = members.entry(cohort).or_insert((*first, 0));
            *found = (found.0.min(*first), found.1 + 1);
        }
    }
    if members.len() as i64 * periods > 1_000_000 {
        return Err(Error::option(
            "cohort",
            "gives more than a million rows: take longer cohorts or periods",
        ));
    }
    let expect = |law: &dyn Purchases, births: &[(i64, f64)], steps: &[Vec<f64>]| -> Result<Expected> {
        // E[X(t)] at one age serves every cohort that reaches it.
        let mut ages: Vec<f64> = (1..=periods)
            .flat_map(|k| births.iter().map(move |c| age(k, c.0)))
            .filter(|age| *age > 0.0)
            .collect();
        ages.sort_unstable_by(f64::total_cmp);
        ages.dedup();
        let size = if law.reads_intervals() { PIECE } else { 1 };
        let parts = run.map_items(ages.len().div_ceil(size), |piece| {
            law.new_customers(&ages[piece * size..ages.len().min((piece + 1) * size)])
        })?;
        let expectations = parts.concat();
        let expected =
            |age: f64| ages.binary_search_by(|a| a.total_cmp(&age)).map_or(0.0, |i| expectations[i]);
        let none = || vec![Sum::default(); periods as usize];
        let mut out = Expected { all: none(), ..Expected::default() };
        for (first, customers) in births {
            let mut cohort = cohort_of(*first).map(|cohort| out.cohorts.entry(cohort).or_insert_with(none));
            for k in 1..=periods {
                let age = age(k, *first);
                if age > 0.0 {
                    let purchases = customers * expected(age);
                    out.all[k as usize - 1].add(purchases);
                    if let Some(cohort) = &mut cohort {
                        cohort[k as usize - 1].add(purchases);
                    }
                }
            }
        }
        if z.is_some() {
            let course = Course::of(law, &ages, run)?;
            for k in 1..=periods {
                let moves = births.iter().map(|c| (c.1, age(k - 1, c.0), age(k, c.0)));
                let whole = moves.clone().map(|(customers, _, to)| (customers, 0.0, to));
                out.spread[0].push(course.spread(moves, steps));
                out.spread[1].push(course.spread(whole, steps));
            }
        }
        run.advance(births.iter().map(|c| c.1 as u64).sum())?;
        Ok(out)
    };
    let mut expected = total(groups.len(), run, |group| {
        let (kind, births) = &groups[group];
        match &kinds {
            None => expect(model, births, &[]),
            Some(kinds) => {
                let (law, steps) = kinds.law(model, *kind)?;
                expect(&*law, births, &steps)
            }
        }
    })?;
    let until = |k: i64, repeats: &[(i64, i64)]| {
        let end = step.after(start, k);
        repeats.partition_point(|(_, day)| grain.start(*day) < end) as f64
    };
    let cohorts = options.cohort.map(|_| {
        let each = members.into_iter().map(|(of, (birth, customers))| {
            let from = repeats.partition_point(|r| r.0 < of);
            let repeats = &repeats[from..from + repeats[from..].partition_point(|r| r.0 == of)];
            let first = (1..=periods).find(|k| age(*k, birth) > 0.0).unwrap_or(1);
            let expected = expected.cohorts.remove(&of).unwrap_or_default();
            CohortTracking {
                cohort: of,
                customers,
                from: first as usize - 1,
                actual_cumulative: (first..=periods).map(|k| until(k, repeats)).collect(),
                expected_cumulative: expected.iter().skip(first as usize - 1).map(|e| e.value()).collect(),
            }
        });
        each.collect()
    });
    repeats.sort_unstable_by_key(|r| r.1);
    Ok(Tracking {
        period_end: (1..=periods).map(|k| step.after(start, k)).collect(),
        actual_cumulative: (1..=periods).map(|k| until(k, &repeats)).collect(),
        expected_cumulative: expected.all.iter().map(|e| e.value()).collect(),
        cohorts,
        bounds: z.map(|z| Bounds::new(model, z, &expected.spread)),
        dropped: read.dropped,
    })
}
