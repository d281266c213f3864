//! Survival curves and cumulative hazards of groups.

use serde::{Deserialize, Serialize};

use super::compare::{self, RankTest};
use super::design::Reader;
use super::regression::level_quantile;
use super::spells::Spells;
use super::subjects::{Roles, Subjects, check_horizons};
use crate::column::{Columns, OnInvalid, Table, Tables, Text, Values};
use crate::math::survival::{CurveInterval, Point, quantile};
use crate::math::{digamma_rise, exp, trigamma_rise};
use crate::{Error, Result, Run};

/// Groups at most: their covariance holds the square.
const MOST_GROUPS: usize = 1000;

/// Roles and options of [`kaplan_meier`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KaplanMeierOptions {
    /// Column of durations: how long each was observed, in any unit. Default `"duration"`.
    pub duration: String,
    /// Column of flags: whether the duration ended with the event (1) or is
    /// censored (0). Default `"event"`.
    pub event: String,
    /// Column of the time from which each was observed (left truncation). None by default.
    pub entry: Option<String>,
    /// Column of weights: how many subjects a row stands for. None by default.
    pub weight: Option<String>,
    /// Column of groups, a curve for each. None by default: one curve.
    pub group: Option<String>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// The level of the intervals. Default 0.95.
    pub level: f64,
    /// How the intervals are drawn.
    pub interval: CurveInterval,
    /// Shares that have had the event, whose times are asked for. Default a quarter, a half, three quarters.
    pub quantiles: Vec<f64>,
    /// The time up to which the mean is restricted; the longest time that all
    /// groups were observed for, unless given.
    pub horizon: Option<f64>,
    /// How the groups are compared.
    pub test: RankTest,
    /// ρ of the Fleming–Harrington weights S^ρ (1 − S)^γ. Default 1.
    pub rho: f64,
    /// γ of the Fleming–Harrington weights. Default 0.
    pub gamma: f64,
}

impl Default for KaplanMeierOptions {
    fn default() -> Self {
        Self {
            duration: "duration".to_owned(),
            event: "event".to_owned(),
            entry: None,
            weight: None,
            group: None,
            on_invalid: OnInvalid::Error,
            level: 0.95,
            interval: CurveInterval::LogLog,
            quantiles: vec![0.25, 0.5, 0.75],
            horizon: None,
            test: RankTest::LogRank,
            rho: 1.0,
            gamma: 0.0,
        }
    }
}

/// The Kaplan–Meier curve of each group (Kaplan & Meier 1958).
///
/// Tables:
/// - `survival`: group, time, at_risk, events, censored (from this time on,
///   before the next row), survival, std_error (Greenwood), low, high; a row at time 0 and at
///   each time with an event. The error and the interval are missing where the curve is 0.
/// - `groups`: group, subjects, events, censored, expected (events had all
///   groups one hazard), median, median_low, median_high, restricted_mean (the area under the
///   curve up to `horizon`), restricted_mean_std_error, horizon. What the curve does not reach is missing.
/// - `quantiles`: group, quantile, time, low, high.
/// - `test`: test, statistic (χ²), degrees_of_freedom, p_value, for all groups together;
///   no row where there is one group.
/// - `pairs`: group_l, group_r, statistic, p_value, q_value (Benjamini & Hochberg 1995), for up to 30 groups.
/// - `dropped`: the rows that were dropped, and why.
///
/// Weights count subjects: a row of weight 2 is two rows.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::survival::{KaplanMeierOptions, kaplan_meier};
/// use headwater::column::Columns;
///
/// let contracts = Columns::new()
///     .with("duration", vec![1.0, 2.0, 2.0, 4.0])
///     .with("event", vec![true, true, false, true]);
/// let tables = kaplan_meier(&contracts, &KaplanMeierOptions::default(), &Run::new())?;
/// assert_eq!(tables[0].1.f64s("survival").unwrap(), [1.0, 0.75, 0.5, 0.0]);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn kaplan_meier(frame: &Columns, options: &KaplanMeierOptions, run: &Run) -> Result<Tables> {
    let z = level_quantile(options.level)?;
    if let Some(bad) = options.quantiles.iter().find(|q| !(**q > 0.0 && **q < 1.0)) {
        return Err(Error::option("quantiles", format!("{bad} is not a share between 0 and 1")));
    }
    check_horizons("horizon", options.horizon.as_slice())?;
    let weights = options.test.weights(options.rho, options.gamma)?;
    if options.group.is_none() && options.test != RankTest::default() {
        return Err(Error::option("test", "compares groups: name their column in `group`, or leave it out"));
    }
    let roles = Roles {
        duration: &options.duration,
        event: Some(&options.event),
        entry: options.entry.as_deref(),
        weight: options.weight.as_deref(),
        group: options.group.as_deref(),
        ..Roles::default()
    };
    let subjects = Subjects::read(frame, roles, &Reader::None, options.on_invalid, run)?;
    subjects.check_rows()?;
    let (spells, labels) = Spells::of(&subjects);
    if labels.len() > MOST_GROUPS {
        let (name, n) = (options.group.clone().unwrap_or_default(), labels.len());
        return Err(Error::column(name, format!("has {n} groups, and {MOST_GROUPS} can be compared")));
    }
    run.check()?;
    let curves: Vec<Vec<Point<f64>>> = spells.iter().map(Spells::curve).collect();
    let shortest = spells.iter().map(Spells::last).fold(f64::INFINITY, f64::min);
    let horizon = options.horizon.unwrap_or(shortest);
    let interval = |p: &Point<f64>| p.interval_of(options.interval, z);

    let mut group = Text::new();
    for (label, curve) in labels.iter().zip(&curves) {
        curve.iter().for_each(|_| group.push(label));
    }
    let points: Vec<&Point<f64>> = curves.iter().flatten().collect();
    let number = |f: fn(&Point<f64>) -> f64| Values::F64(points.iter().map(|p| f(p)).collect());
    let survival = Table::new()
        .with("group", Values::Text(group))
        .with("time", number(|p| p.time))
        .with("at_risk", number(|p| p.at_risk))
        .with("events", number(|p| p.events))
        .with("censored", number(|p| p.censored))
        .with("survival", number(|p| p.survival))
        .with_optional("std_error", points.iter().map(|p| p.std_error()))
        .with_optional("low", points.iter().map(|p| interval(p).map(|i| i.0)))
        .with_optional("high", points.iter().map(|p| interval(p).map(|i| i.1)));

    let test = compare::rank_test(&spells, weights, run)?;
    let medians: Vec<_> = curves.iter().map(|c| quantile(c, 0.5, interval)).collect();
    let means: Vec<_> =
        curves.iter().zip(&spells).map(|(c, s)| restricted_mean(c, s.last(), horizon)).collect();
    let names: Text = labels.iter().collect();
    let of = |f: fn(&Spells) -> f64| Values::F64(spells.iter().map(f).collect());
    let groups = Table::new()
        .with("group", Values::Text(names))
        .with("subjects", of(|s| s.events() + s.censored()))
        .with("events", of(Spells::events))
        .with("censored", of(Spells::censored))
        .with("expected", Values::F64(test.expected.clone()))
        .with_optional("median", medians.iter().map(|m| m[0]))
        .with_optional("median_low", medians.iter().map(|m| m[1]))
        .with_optional("median_high", medians.iter().map(|m| m[2]))
        .with_optional("restricted_mean", means.iter().map(|m| m.map(|m| m.0)))
        .with_optional("restricted_mean_std_error", means.iter().map(|m| m.map(|m| m.1)))
        .with("horizon", Values::F64(vec![horizon; labels.len()]));

    let (mut asked, mut share, mut reached) = (Text::new(), Vec::new(), Vec::new());
    for (label, curve) in labels.iter().zip(&curves) {
        for p in &options.quantiles {
            asked.push(label);
            share.push(*p);
            reached.push(quantile(curve, *p, interval));
        }
    }
    let quantiles = Table::new()
        .with("group", Values::Text(asked))
        .with("quantile", Values::F64(share))
        .with_optional("time", reached.iter().map(|r| r[0]))
        .with_optional("low", reached.iter().map(|r| r[1]))
        .with_optional("high", reached.iter().map(|r| r[2]));
    Ok(vec![
        ("survival", survival),
        ("groups", groups),
        ("quantiles", quantiles),
        ("test", test.table(options.test)),
        ("pairs", compare::pairs(&spells, &labels, weights, run)?),
        ("dropped", subjects.dropped.table()),
    ])
}

/// The area under a curve up to `horizon`, and its standard error (Irwin 1949;
/// Klein & Moeschberger 2003, eq. 4.5.2); `None` where the curve ends earlier, above 0.
fn restricted_mean(curve: &[Point<f64>], last: f64, horizon: f64) -> Option<(f64, f64)> {
    let end = curve.last()?;
    if horizon > last && end.survival > 0.0 {
        return None;
    }
    let (mut area, mut variance) = (0.0, 0.0);
    let mut until = horizon;
    for point in curve.iter().rev().filter(|p| p.time <= horizon) {
        area += point.survival * (until - point.time);
        until = point.time;
        let left = point.at_risk - point.events;
        if point.events > 0.0 && left > 1e-9 * point.at_risk {
            variance += area * area * point.events / (point.at_risk * left);
        }
    }
    Some((area, variance.sqrt()))
}

/// How tied events enter the cumulative hazard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HazardTies {
    /// d / n (Nelson 1972; Aalen 1978). The default.
    #[default]
    Together,
    /// One after the other, 1/n + 1/(n − 1) + … (Fleming & Harrington 1984): for ties that rounding made.
    Split,
}

/// Roles and options of [`nelson_aalen`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NelsonAalenOptions {
    /// Column of durations. Default `"duration"`.
    pub duration: String,
    /// Column of flags: whether the duration ended with the event. Default `"event"`.
    pub event: String,
    /// Column of the time from which each was observed (left truncation). None by default.
    pub entry: Option<String>,
    /// Column of weights: how many subjects a row stands for. None by default.
    pub weight: Option<String>,
    /// Column of groups. None by default.
    pub group: Option<String>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// The level of the intervals. Default 0.95.
    pub level: f64,
    /// How ties enter.
    pub ties: HazardTies,
}

impl Default for NelsonAalenOptions {
    fn default() -> Self {
        Self {
            duration: "duration".to_owned(),
            event: "event".to_owned(),
            entry: None,
            weight: None,
            group: None,
            on_invalid: OnInvalid::Error,
            level: 0.95,
            ties: HazardTies::Together,
        }
    }
}

/// The Nelson–Aalen cumulative hazard of each group.
///
/// Tables: `hazard` with group, time, at_risk, events, censored,
/// cumulative_hazard, std_error (Σ d/n², Aalen 1978; by parts where ties are split), low,
/// high (symmetric on the log scale; missing before the first event), and `dropped`.
pub fn nelson_aalen(frame: &Columns, options: &NelsonAalenOptions, run: &Run) -> Result<Tables> {
    let z = level_quantile(options.level)?;
    let roles = Roles {
        duration: &options.duration,
        event: Some(&options.event),
        entry: options.entry.as_deref(),
        weight: options.weight.as_deref(),
        group: options.group.as_deref(),
        ..Roles::default()
    };
    let subjects = Subjects::read(frame, roles, &Reader::None, options.on_invalid, run)?;
    subjects.check_rows()?;
    let (spells, labels) = Spells::of(&subjects);
    let mut group = Text::new();
    let mut points = Vec::new();
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for (label, spells) in labels.iter().zip(&spells) {
        run.check()?;
        let (mut hazard, mut variance) = (0.0, 0.0);
        for point in spells.curve() {
            let (n, d) = (point.at_risk.max(point.events), point.events);
            if d > 0.0 {
                let (step, square) = match options.ties {
                    HazardTies::Together => (d / n, d / (n * n)),
                    // Σ 1/(n − i) for i below d, also where d is not whole.
                    HazardTies::Split => (digamma_rise(n - d + 1.0, d), -trigamma_rise(n - d + 1.0, d)),
                };
                hazard += step;
                variance += square;
            }
            group.push(label);
            points.push(point);
            sums.push((hazard, variance));
        }
    }
    let edge = |sign: f64| {
        let edge = move |(h, v): &(f64, f64)| (*h > 0.0).then(|| h * exp(sign * z * v.sqrt() / h));
        sums.iter().map(edge).collect::<Vec<_>>()
    };
    let number = |f: fn(&Point<f64>) -> f64| Values::F64(points.iter().map(f).collect());
    let hazard = Table::new()
        .with("group", Values::Text(group))
        .with("time", number(|p| p.time))
        .with("at_risk", number(|p| p.at_risk))
        .with("events", number(|p| p.events))
        .with("censored", number(|p| p.censored))
        .with("cumulative_hazard", Values::F64(sums.iter().map(|s| s.0).collect()))
        .with("std_error", Values::F64(sums.iter().map(|s| s.1.sqrt()).collect()))
        .with_optional("low", edge(-1.0))
        .with_optional("high", edge(1.0));
    Ok(vec![("hazard", hazard), ("dropped", subjects.dropped.table())])
}
