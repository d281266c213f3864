//! Credits that honour experiments.

mod factors;
mod joined;
mod lifted;
mod report;
mod shrink;

use serde::{Deserialize, Serialize};

use self::factors::Calibrated;
pub(super) use self::lifted::lifted;
use super::bootstrap::Draws;
use super::controlled::{self, Controlled, SelfControlledOptions};
use super::grouped::by_group;
use super::interval::check_confidence;
use super::lives::all_touches;
use crate::attribution::{Fitted, Model, model};
use crate::column::{Columns, Intake, OnInvalid, Sign, Tables, TimeUnit, written};
use crate::journey::Journeys;
use crate::math::normal_quantile;
use crate::run::{Run, split_mix, unit_open};
use crate::{Error, Result};

/// What is done with channels that no experiment was made on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Untested {
    /// Factors are 0 or spread around a common centre, as the tests tell;
    /// untested channels have that centre and its whole spread, and tests that
    /// tell little are drawn towards it. The default.
    #[default]
    Shrink,
    /// The factor of all tested channels together.
    Proportional,
    /// Their credit stays as it is.
    None,
}

/// What experiments measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftMetric {
    /// Conversions. The default.
    #[default]
    Conversions,
    /// Their value.
    Value,
}

impl LiftMetric {
    /// All there is of it.
    fn total(self, journeys: &Journeys) -> f64 {
        match self {
            Self::Conversions => journeys.total_conversions(),
            Self::Value => journeys.total_value(),
        }
    }
}

/// Columns and options of [`calibrate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrateOptions {
    /// The models. May be empty where `self_controlled` is given.
    pub models: Vec<Model>,
    /// Calibrates the estimate of [`self_controlled`](super::self_controlled)
    /// too. Default none.
    pub self_controlled: Option<SelfControlledOptions>,
    /// What is calibrated; tests of the other metric are left out and counted.
    pub metric: LiftMetric,
    /// What is done with channels without a test.
    pub untested: Untested,
    /// How many samples of the journeys are drawn, for the error of credits;
    /// 0, the default, for none: intervals then hold the tests' errors alone.
    pub bootstrap: usize,
    /// The share of an interval. Default 0.9.
    pub confidence: f64,
    /// Column of tests: the channel. Default `"channel"`.
    pub channel: String,
    /// Column of tests: the first instant. Default `"start"`.
    pub start: String,
    /// Column of tests: the end, excluded. Default `"end"`. Without both
    /// columns tests are of all the time that journeys cover.
    pub end: String,
    /// Column of tests: incremental conversions (or value) in the period.
    /// Default `"effect"`.
    pub effect: String,
    /// Column of tests: the standard error of the effect. Default `"standard_error"`.
    pub standard_error: String,
    /// Column of tests: `"conversions"` or `"value"`, where there is one.
    /// Default `"metric"`.
    pub metric_column: String,
    /// Rows of tests with nulls or NaN.
    pub on_invalid: OnInvalid,
    /// The unit of times that are plain numbers.
    pub time_unit: Option<TimeUnit>,
}

impl Default for CalibrateOptions {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            self_controlled: None,
            metric: LiftMetric::default(),
            untested: Untested::default(),
            bootstrap: 0,
            confidence: 0.9,
            channel: "channel".into(),
            start: "start".into(),
            end: "end".into(),
            effect: "effect".into(),
            standard_error: "standard_error".into(),
            metric_column: "metric".into(),
            on_invalid: OnInvalid::default(),
            time_unit: None,
        }
    }
}

/// One experiment.
#[derive(Clone, Copy)]
struct Test {
    channel: usize,
    period: Option<(i64, i64)>,
    effect: f64,
    error: f64,
    /// Touches of the channel: in the period, and in all time.
    touches: [f64; 2],
    /// The share of the period that journeys cover.
    observed: f64,
}

/// What a model credits, before calibration.
struct Base {
    name: String,
    credits: Vec<f64>,
    /// In each test's period, of the test's channel.
    matched: Vec<f64>,
    /// Samples of each channel's credit, where they were drawn.
    draws: Option<Vec<Vec<f64>>>,
    /// Of each channel the other metric for one of this, and its samples.
    rates: Vec<f64>,
    rate_draws: Option<Vec<Vec<f64>>>,
    /// Conversions that stand with two channels.
    shared: f64,
}

/// Which of two periods is calibrated, whose tests stand in one frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Period {
    /// Its number in the draws.
    pub(super) number: u64,
    /// What the journeys of the other one cover.
    pub(super) other: Option<(i64, i64)>,
}

impl Period {
    /// The samples of the tests: those of the other period are others.
    fn dice(self, run: &Run) -> Run {
        let seed = run.seed_value();
        run.clone().seed(if self.number == 0 { seed } else { split_mix(seed ^ self.number) })
    }
}

/// How many standard errors an effect may lie beyond all that there is.
const BEYOND: f64 = 4.0;
/// Least samples of the factors; those of the journeys are used in turn.
const SAMPLES: usize = 4_000;

/// Calibrates credits by experiments, and shows what moved.
///
/// A test says that a channel brought `effect` conversions from `start` to
/// `end`, give or take `standard_error`. The channel's factor is the effect
/// over what the model credits to it in that period (by the ends of journeys);
/// several tests of a channel are pooled by inverse variance with random
/// effects (`DerSimonian` & Laird 1986). Calibrated credit is factor times
/// credit: an estimate of *incremental* conversions. What is left of all
/// conversions, those without a touch included, is the row `(baseline)`, so
/// that a model's rows still add up to the total; it is negative where the
/// tests claim more than there is.
///
/// Under [`Untested::Shrink`] a channel brings nothing with probability
/// π ~ Beta(1, 3), and else ln k_c ~ N(μ, τ²) with μ ~ N(0, 1.5²) and
/// τ ~ half-normal(1), all integrated: untested channels have the median of
/// what a new channel may be, and intervals that are as wide as what the tests
/// leave open. Intervals are the shortest that hold `confidence` of joint samples
/// (keyed by the seed) of factors and, with a bootstrap, of credits: a channel
/// that may bring nothing has one that begins there. No sample
/// of a channel exceeds all conversions there are.
///
/// The estimate of [`self_controlled`](super::self_controlled) is, with `Shrink`, joined with tests
/// of the same channels by the errors of both: estimates are off beyond their errors by a
/// part τ ~ exponential(12) that the tested channels tell of. A channel left out there has
/// its test alone, or nothing: its source is `unknown`, and its interval missing.
///
/// | table | columns |
/// | --- | --- |
/// | `calibrated` | model, channel, uncalibrated, factor, calibrated, standard_error, low, high, share (of what channels bring), source (`tested`; `pooled`: from the tests of others; `unchanged`; `no credit`: a tested channel without credit in its periods, scaled by its touches; `unknown`; `baseline`), tests |
/// | `tests` | model, channel, start, end, effect, standard_error, observed (the share of the period that the journeys cover), credited, factor, factor_standard_error |
/// | `pooling` | model, channel, tests, factor, factor_standard_error, q, between (variance between tests) |
/// | `centre` | model, mu, tau, no_effect (means; with `shrink`; of joined estimates tau alone), unused_tests |
///
/// Errors: [`Error::Row`] for a channel without a touch, a period that is
/// empty or of which the journeys cover less than half, or a standard error that
/// is not above 0; [`Error::NotEnoughData`]
/// without a test.
pub fn calibrate(
    journeys: &Journeys,
    tests: &Columns,
    options: &CalibrateOptions,
    run: &Run,
) -> Result<Tables> {
    check_confidence(options.confidence)?;
    if options.bootstrap == 1 || options.bootstrap > 100_000 {
        return Err(Error::option("bootstrap", "must be 0 or 2 to 100000 samples"));
    }
    if options.metric == LiftMetric::Value && !journeys.has_value() {
        return Err(Error::option("metric", "these journeys know no value"));
    }
    if options.metric == LiftMetric::Value && options.self_controlled.is_some() {
        return Err(Error::option("self_controlled", "estimates conversions, not value"));
    }
    let (tests, unused) = read(journeys, tests, options, None, run)?;
    if tests.is_empty() {
        return Err(no_test());
    }
    let (bases, report) = calibrated(journeys, &tests, options, Period::default(), run)?;
    Ok(report::tables(journeys, &tests, &bases, &report, unused, options))
}

fn no_test() -> Error {
    Error::not_enough_data("there is no lift test of this metric: give one row or more")
}

/// The models before calibration, and after.
fn calibrated(
    journeys: &Journeys,
    tests: &[Test],
    options: &CalibrateOptions,
    period: Period,
    run: &Run,
) -> Result<(Vec<Base>, Vec<Calibrated>)> {
    let dice = period.dice(run);
    let mut bases = Vec::new();
    if !options.models.is_empty() || options.self_controlled.is_none() {
        bases.extend(credited(journeys, tests, options, period.number, run)?);
    }
    let mut report: Vec<Calibrated> =
        bases.iter().map(|b| Calibrated::new(journeys, tests, b, options, &dice)).collect();
    if let Some(how) = &options.self_controlled {
        let found = controlled::estimate(journeys, how, run)?;
        let base = compared(journeys, tests, &found, options, &dice);
        report.push(match options.untested {
            Untested::Shrink => joined::joined(journeys, tests, &base, &found, options, &dice),
            _ => Calibrated::new(journeys, tests, &base, options, &dice),
        });
        bases.push(base);
    }
    Ok((bases, report))
}

/// The tests, but for those that ran in the period of `other` journeys, and how many are not used.
fn read(
    journeys: &Journeys,
    frame: &Columns,
    options: &CalibrateOptions,
    other: Option<(i64, i64)>,
    run: &Run,
) -> Result<(Vec<Test>, usize)> {
    let mut intake = Intake::new(frame, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let channel = intake.names(&options.channel)?;
    let effect = intake.amounts(&options.effect, Sign::Any)?;
    let error = intake.amounts(&options.standard_error, Sign::NonNegative)?;
    let metric =
        if frame.has(&options.metric_column) { Some(intake.names(&options.metric_column)?) } else { None };
    let dated = frame.has(&options.start) || frame.has(&options.end);
    let period =
        if dated { Some((intake.times(&options.start)?, intake.times(&options.end)?)) } else { None };
    if dated && !journeys.has_times() {
        return Err(Error::column(
            options.start.as_str(),
            "these journeys come from paths, which have no times: leave the period out if tests are of all of it",
        ));
    }
    let labels = journeys.channel_labels();
    let place = |row: usize| channel.get(row).and_then(|l| labels.iter().position(|k| *k == *l));
    // Of two periods a test is of that in which more of it ran.
    let mine = |row: usize| match (&period, other, journeys.observed()) {
        (Some((start, end)), Some(other), Some(seen)) => {
            overlap((start[row], end[row]), seen) >= overlap((start[row], end[row]), other)
        }
        _ => true,
    };
    let rows = 0..frame.rows();
    let known = |row: &usize| channel.get(*row).is_some();
    intake.reject(
        &options.channel,
        "no journey touches this channel",
        rows.clone().filter(|r| known(r) && mine(*r) && place(*r).is_none()).collect::<Vec<_>>(),
    );
    intake.reject(
        &options.standard_error,
        "must be above 0",
        rows.clone().filter(|r| error[*r] == 0.0).collect::<Vec<_>>(),
    );
    if let Some((start, end)) = &period {
        let empty: Vec<usize> = rows.clone().filter(|r| end[*r] <= start[*r]).collect();
        intake.reject(&options.end, "is not after the start", empty);
    }
    let wanted = |row: usize| {
        let name = metric.as_ref().and_then(|m| m.get(row));
        match name.as_deref() {
            None | Some("conversions") => Some(LiftMetric::Conversions),
            Some("value") => Some(LiftMetric::Value),
            Some(_) => None,
        }
    };
    let used = |row: usize| mine(row) && (metric.is_none() || wanted(row) == Some(options.metric));
    if let (Some((start, end)), Some(seen)) = (&period, journeys.observed()) {
        let share = |r: usize| overlap((start[r], end[r]), seen);
        let stretch = |(from, to): (i64, i64)| format!("{} to {}", written(from), written(to));
        for (what, too_little) in [("none of it", 0.0), ("less than half of it", 0.5)] {
            // What lies outside altogether is told first, and once.
            let short =
                |share: f64| if too_little > 0.0 { share > 0.0 && share < too_little } else { share <= 0.0 };
            let out = |r: &usize| used(*r) && end[*r] > start[*r] && short(share(*r));
            let out: Vec<usize> = rows.clone().filter(out).collect();
            if let Some(first) = out.first() {
                let reason = format!(
                    "the test runs from {}, and {what} lies in the period of the journeys, {}: leave it out, or \
                     build journeys of that time",
                    stretch((start[*first], end[*first])),
                    stretch(seen)
                );
                intake.reject(&options.start, &reason, out);
            }
        }
    }
    let beyond = |r: &usize| {
        let inside = |j: usize| match (&period, journeys.end_time(j)) {
            (Some((start, end)), Some(at)) => at >= start[*r] && at < end[*r],
            _ => true,
        };
        let all = match options.metric {
            LiftMetric::Conversions => journeys.conversions(),
            LiftMetric::Value => journeys.values(),
        };
        effect[*r] - BEYOND * error[*r] > (0..all.len()).filter(|j| inside(*j)).map(|j| all[j]).sum::<f64>()
    };
    let beyond: Vec<usize> = rows.clone().filter(|r| used(*r) && error[*r] > 0.0 && beyond(r)).collect();
    intake.reject(
        &options.effect,
        "is more than all there is in the test's period: give what was added",
        beyond,
    );
    let strange: Vec<usize> = rows.filter(|r| metric.is_some() && wanted(*r).is_none()).collect();
    intake.reject(&options.metric_column, "is neither \"conversions\" nor \"value\"", strange);
    let kept = intake.finish()?;
    let (mut out, mut unused) = (Vec::new(), 0);
    for i in 0..kept.len() {
        let row = kept.row(i);
        if !used(row) {
            unused += 1;
            continue;
        }
        let Some(channel) = place(row) else { continue };
        let period = period.as_ref().map(|(s, e)| (s[row], e[row]));
        let observed = period.zip(journeys.observed()).map_or(1.0, |(test, seen)| overlap(test, seen));
        out.push(Test {
            channel,
            period,
            effect: effect[row],
            error: error[row],
            touches: [0.0; 2],
            observed,
        });
    }
    count_touches(journeys, &mut out);
    Ok((out, unused))
}

/// The share of a test's period that lies in another one.
fn overlap((start, end): (i64, i64), (from, to): (i64, i64)) -> f64 {
    let inside = end.min(to) as f64 - start.max(from) as f64;
    (inside / (end as f64 - start as f64)).clamp(0.0, 1.0)
}

/// What the models credit.
fn credited(
    journeys: &Journeys,
    tests: &[Test],
    options: &CalibrateOptions,
    period: u64,
    run: &Run,
) -> Result<Vec<Base>> {
    let names = model::labels(&options.models)?;
    let k = usize::from(options.metric == LiftMetric::Value);
    let draws = match options.bootstrap {
        0 => None,
        n => Some(Draws::new(journeys, &options.models, n, period, run)?),
    };
    let channels = journeys.channel_count();
    let rate = rate_of(journeys, options.metric);
    let mut out = Vec::new();
    for (m, (name, spec)) in names.into_iter().zip(&options.models).enumerate() {
        let fitted = Fitted::fit(spec, journeys, run)?;
        let totals = fitted.totals(journeys, run)?;
        let credits = totals.iter().map(|c| c[k]).collect();
        let rates = totals.iter().map(|c| rate(c[1 - k], c[k])).collect();
        let mut matched = Vec::with_capacity(tests.len());
        for test in tests {
            let inside = |j: usize| match (test.period, journeys.end_time(j)) {
                (Some((start, end)), Some(at)) if at < start || at >= end => None,
                _ => Some(0),
            };
            matched.push(by_group(journeys, &fitted, 1, &inside, run)?[0][test.channel][k]);
        }
        let rate_draws = draws.as_ref().map(|d| {
            let of = |[a, b]: [&Vec<f64>; 2]| a.iter().zip(b).map(|(a, b)| rate(*a, *b)).collect();
            (0..channels).map(|c| of([&d.row(m, c)[1 - k], &d.row(m, c)[k]])).collect()
        });
        let draws = draws.as_ref().map(|d| (0..channels).map(|c| d.row(m, c)[k].clone()).collect());
        out.push(Base { name, credits, matched, draws, rates, rate_draws, shared: 0.0 });
    }
    Ok(out)
}

/// How much of the other metric a channel has for one of this; that of all conversions where it has none.
fn rate_of(journeys: &Journeys, metric: LiftMetric) -> impl Fn(f64, f64) -> f64 {
    let all = match metric {
        LiftMetric::Conversions => [LiftMetric::Value, metric],
        LiftMetric::Value => [LiftMetric::Conversions, metric],
    };
    let [other, this] = all.map(|metric| metric.total(journeys));
    let overall = if this > 0.0 { other / this } else { 0.0 };
    move |other, this| if this > 0.0 { other / this } else { overall }
}

/// What customers compared with themselves say.
fn compared(
    journeys: &Journeys,
    tests: &[Test],
    found: &Controlled,
    options: &CalibrateOptions,
    run: &Run,
) -> Base {
    let of_test = |t: &Test| found.channels[t.channel].per_touch().map_or(0.0, |x| x[0] * t.touches[0]);
    let samples = if options.bootstrap > 0 { options.bootstrap } else { SAMPLES };
    let draw = |c: usize, [at, se]: [f64; 2], r: usize| {
        let bits = split_mix(split_mix(run.seed_value() ^ 0x7363) ^ split_mix((c * 1_000_003 + r) as u64));
        at + se * normal_quantile(unit_open(bits))
    };
    let added: Vec<[f64; 2]> = found.channels.iter().map(|c| c.incremental.unwrap_or_default()).collect();
    let of_channel = |(c, x): (usize, &[f64; 2])| (0..samples).map(|r| draw(c, *x, r)).collect();
    Base {
        name: "self_controlled".into(),
        shared: found.shared,
        credits: added.iter().map(|x| x[0]).collect(),
        matched: tests.iter().map(of_test).collect(),
        draws: Some(added.iter().enumerate().map(of_channel).collect()),
        rates: vec![rate_of(journeys, options.metric)(0.0, 0.0); added.len()],
        rate_draws: None,
    }
}

/// Counts the touches of the tests' channels.
fn count_touches(journeys: &Journeys, tests: &mut [Test]) {
    for i in all_touches(journeys).into_iter().flatten() {
        for test in tests.iter_mut().filter(|t| t.channel == journeys.steps[i] as usize) {
            let inside = test.period.is_none_or(|(start, end)| (start..end).contains(&journeys.times[i]));
            test.touches[0] += f64::from(u8::from(inside));
            test.touches[1] += 1.0;
        }
    }
}
