//! Credits that honour experiments.

use serde::{Deserialize, Serialize};

use super::bootstrap::Draws;
use super::controlled::{self, Controlled, SelfControlledOptions};
use super::grouped::by_group;
use super::interval::{check_confidence, deviation, shortest};
use super::shrink::Posterior;
use crate::attribution::{Fitted, Model, model};
use crate::column::{Columns, Intake, OnInvalid, Sign, Table, Tables, Text, TimeUnit, Values};
use crate::journey::Journeys;
use crate::math::{exact_sum, normal_quantile};
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
struct Test {
    channel: usize,
    period: Option<(i64, i64)>,
    effect: f64,
    error: f64,
}

/// Several tests of one channel as one.
#[derive(Clone, Copy, Default)]
struct Pooled {
    factor: f64,
    error: f64,
    tests: usize,
    /// Cochran's Q, and the variance between tests.
    q: f64,
    between: f64,
}

/// Pools by inverse variance, with random effects (`DerSimonian` & Laird 1986).
fn pool(measured: &[(f64, f64)]) -> Pooled {
    let weigh = |between: f64| {
        let weights: Vec<f64> = measured.iter().map(|(_, e)| 1.0 / (e * e + between)).collect();
        let total: f64 = weights.iter().sum();
        let mean = measured.iter().zip(&weights).map(|((k, _), w)| k * w).sum::<f64>() / total;
        (weights, total, mean)
    };
    let (weights, total, mean) = weigh(0.0);
    let q: f64 = measured.iter().zip(&weights).map(|((k, _), w)| w * (k - mean) * (k - mean)).sum();
    let spare = total - weights.iter().map(|w| w * w).sum::<f64>() / total;
    let free = measured.len() as f64 - 1.0;
    let between = if spare > 0.0 { ((q - free) / spare).max(0.0) } else { 0.0 };
    let (_, total, mean) = weigh(between);
    Pooled { factor: mean, error: (1.0 / total).sqrt(), tests: measured.len(), q, between }
}

/// What a model credits, before calibration.
struct Base {
    name: String,
    credits: Vec<f64>,
    /// In each test's period, of the test's channel.
    matched: Vec<f64>,
    /// Samples of each channel's credit, where they were drawn.
    draws: Option<Vec<Vec<f64>>>,
}

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
/// | table | columns |
/// | --- | --- |
/// | `calibrated` | model, channel, uncalibrated, factor, calibrated, standard_error, low, high, share (of what channels bring), source (`tested`; `pooled`: from the tests of others; `unchanged`; `no credit`: a tested channel without credit in its periods, scaled by its touches; `baseline`), tests |
/// | `tests` | model, channel, start, end, effect, standard_error, credited, factor, factor_standard_error |
/// | `pooling` | model, channel, tests, factor, factor_standard_error, q, between (variance between tests) |
/// | `centre` | model, mu, tau, no_effect (means; with `shrink`), unused_tests |
///
/// Errors: [`Error::Row`] for a channel without a touch, a period that is
/// empty, or a standard error that is not above 0; [`Error::NotEnoughData`]
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
    let (tests, unused) = read(journeys, tests, options, run)?;
    let mut bases = Vec::new();
    if !options.models.is_empty() || options.self_controlled.is_none() {
        bases.extend(credited(journeys, &tests, options, run)?);
    }
    if let Some(how) = &options.self_controlled {
        bases.push(compared(journeys, &tests, &controlled::estimate(journeys, how, run)?, options, run));
    }
    let report: Vec<Calibrated> =
        bases.iter().map(|b| Calibrated::new(journeys, &tests, b, options, run)).collect();
    Ok(tables(journeys, &tests, &bases, &report, unused, options))
}

fn read(
    journeys: &Journeys,
    frame: &Columns,
    options: &CalibrateOptions,
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
    let rows = 0..frame.rows();
    let known = |row: &usize| channel.get(*row).is_some();
    intake.reject(
        &options.channel,
        "no journey touches this channel",
        rows.clone().filter(|r| known(r) && place(*r).is_none()).collect::<Vec<_>>(),
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
    let strange: Vec<usize> = rows.filter(|r| metric.is_some() && wanted(*r).is_none()).collect();
    intake.reject(&options.metric_column, "is neither \"conversions\" nor \"value\"", strange);
    let kept = intake.finish()?;
    let (mut out, mut unused) = (Vec::new(), 0);
    for i in 0..kept.len() {
        let row = kept.row(i);
        if metric.is_some() && wanted(row) != Some(options.metric) {
            unused += 1;
            continue;
        }
        let Some(channel) = place(row) else { continue };
        let period = period.as_ref().map(|(s, e)| (s[row], e[row]));
        out.push(Test { channel, period, effect: effect[row], error: error[row] });
    }
    if out.is_empty() {
        return Err(Error::not_enough_data("there is no lift test of this metric: give one row or more"));
    }
    Ok((out, unused))
}

/// What the models credit.
fn credited(journeys: &Journeys, tests: &[Test], options: &CalibrateOptions, run: &Run) -> Result<Vec<Base>> {
    let names = model::labels(&options.models)?;
    let k = usize::from(options.metric == LiftMetric::Value);
    let draws = match options.bootstrap {
        0 => None,
        n => Some(Draws::new(journeys, &options.models, n, 0, run)?),
    };
    let channels = journeys.channel_count();
    let mut out = Vec::new();
    for (m, (name, spec)) in names.into_iter().zip(&options.models).enumerate() {
        let fitted = Fitted::fit(spec, journeys, run)?;
        let credits = fitted.totals(journeys, run)?.iter().map(|c| c[k]).collect();
        let mut matched = Vec::with_capacity(tests.len());
        for test in tests {
            let inside = |j: usize| match (test.period, journeys.end_time(j)) {
                (Some((start, end)), Some(at)) if at < start || at >= end => None,
                _ => Some(0),
            };
            matched.push(by_group(journeys, &fitted, 1, &inside, run)?[0][test.channel][k]);
        }
        let draws = draws.as_ref().map(|d| (0..channels).map(|c| d.row(m, c)[k].clone()).collect());
        out.push(Base { name, credits, matched, draws });
    }
    Ok(out)
}

/// What customers compared with themselves say.
fn compared(
    journeys: &Journeys,
    tests: &[Test],
    found: &Controlled,
    options: &CalibrateOptions,
    run: &Run,
) -> Base {
    let matched = tests.iter().map(|t| found.per_touch[t.channel][0] * touches(journeys, t)).collect();
    let samples = if options.bootstrap > 0 { options.bootstrap } else { SAMPLES };
    let draw = |c: usize, r: usize| {
        let bits = split_mix(split_mix(run.seed_value() ^ 0x7363) ^ split_mix((c * 1_000_003 + r) as u64));
        found.incremental[c][0] + found.incremental[c][1] * normal_quantile(unit_open(bits))
    };
    let draws = (0..found.incremental.len()).map(|c| (0..samples).map(|r| draw(c, r)).collect()).collect();
    Base {
        name: "self_controlled".into(),
        credits: found.incremental.iter().map(|x| x[0]).collect(),
        matched,
        draws: Some(draws),
    }
}

/// Touches of a test's channel in its period; all of them where journeys come from paths.
fn touches(journeys: &Journeys, test: &Test) -> f64 {
    let inside = |i: usize| match test.period {
        Some((start, end)) => journeys.times.get(i).is_some_and(|t| *t >= start && *t < end),
        None => true,
    };
    let steps = journeys.steps.iter().enumerate();
    steps.filter(|(i, c)| **c as usize == test.channel && inside(*i)).count() as f64
}

/// A channel's factor.
#[derive(Clone, Copy)]
enum Source {
    Tested,
    Pooled,
    Unchanged,
    NoCredit,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Tested => "tested",
            Self::Pooled => "pooled",
            Self::Unchanged => "unchanged",
            Self::NoCredit => "no credit",
        }
    }
}

struct Calibrated {
    pooled: Vec<Option<Pooled>>,
    sources: Vec<Source>,
    factors: Vec<Option<f64>>,
    credits: Vec<f64>,
    /// Samples by channel, then of the baseline.
    samples: Vec<Vec<f64>>,
    baseline: f64,
    centre: Option<[f64; 3]>,
}

impl Calibrated {
    fn new(journeys: &Journeys, tests: &[Test], base: &Base, options: &CalibrateOptions, run: &Run) -> Self {
        let channels = base.credits.len();
        let mut sources = vec![Source::Pooled; channels];
        let mut pooled = vec![None; channels];
        let mut fixed = vec![None; channels];
        for c in 0..channels {
            let mine: Vec<usize> = (0..tests.len()).filter(|t| tests[*t].channel == c).collect();
            if mine.is_empty() {
                continue;
            }
            let able = mine.iter().all(|t| base.matched[*t] > 0.0) && base.credits[c] > 0.0;
            // Without credit to scale, the effect itself by the touches that it came from.
            let by_touches = |t: &Test| {
                let here = touches(journeys, t);
                let all = touches(journeys, &Test { period: None, ..*t });
                if here > 0.0 { all / here } else { 1.0 }
            };
            let measured: Vec<(f64, f64)> = mine
                .iter()
                .map(|t| {
                    let test = &tests[*t];
                    let scale = if able { 1.0 / base.matched[*t] } else { by_touches(test) };
                    (test.effect * scale, test.error * scale)
                })
                .collect();
            let found = pool(&measured);
            sources[c] = if able { Source::Tested } else { Source::NoCredit };
            if able {
                pooled[c] = Some(found);
            } else {
                fixed[c] = Some(found);
            }
        }
        let mut out = Self {
            pooled,
            sources,
            factors: vec![None; channels],
            credits: vec![0.0; channels],
            samples: Vec::new(),
            baseline: 0.0,
            centre: None,
        };
        let total = match options.metric {
            LiftMetric::Conversions => journeys.total_conversions(),
            LiftMetric::Value => journeys.total_value(),
        };
        let draws = out.factors(base, options, run);
        let replicates = draws.first().map_or(SAMPLES, Vec::len);
        for c in 0..channels {
            let normal = |at: f64, error: f64| -> Vec<f64> {
                (0..replicates).map(|r| at + error * gaussian(run, 2, c, r)).collect()
            };
            if let Some(found) = fixed[c] {
                out.credits[c] = found.factor;
                out.samples.push(normal(found.factor, found.error));
                continue;
            }
            out.credits[c] = out.factors[c].unwrap_or(1.0) * base.credits[c];
            let credit = |r: usize| match &base.draws {
                Some(draws) => draws[c][r % draws[c].len()],
                None => base.credits[c],
            };
            // No channel brings more than there is: this cuts the long tail of an untested factor.
            let sample = |(r, k): (usize, &f64)| (k * credit(r)).min(total);
            out.samples.push(draws[c].iter().enumerate().map(sample).collect());
        }
        out.baseline = total - exact_sum(out.credits.iter().copied());
        let rest = (0..replicates).map(|r| total - out.samples.iter().map(|s| s[r]).sum::<f64>()).collect();
        out.samples.push(rest);
        out
    }

    /// Decides the factors, and gives samples of them.
    fn factors(&mut self, base: &Base, options: &CalibrateOptions, run: &Run) -> Vec<Vec<f64>> {
        let channels = base.credits.len();
        let drawn = base.draws.as_ref().and_then(|draws| draws.first()).map_or(0, Vec::len);
        let samples = drawn.max(SAMPLES);
        let tested: Vec<usize> = (0..channels).filter(|c| self.pooled[*c].is_some()).collect();
        let untested: Vec<usize> =
            (0..channels).filter(|c| matches!(self.sources[*c], Source::Pooled)).collect();
        let mut draws = vec![vec![1.0; samples]; channels];
        let measured: Vec<(f64, f64)> =
            tested.iter().filter_map(|c| self.pooled[*c].map(|p| (p.factor, p.error))).collect();
        if options.untested == Untested::Shrink {
            let posterior = Posterior::new(&measured);
            self.centre = Some(posterior.centre());
            for (t, c) in tested.iter().enumerate() {
                self.factors[*c] = Some(posterior.tested(t));
            }
            let median = posterior.untested();
            for c in &untested {
                self.factors[*c] = Some(median);
            }
            let key = split_mix(run.seed_value() ^ 0x6361);
            let joint: Vec<Vec<f64>> =
                (0..samples).map(|r| posterior.sample(untested.len(), key ^ r as u64)).collect();
            for (at, c) in tested.iter().chain(&untested).enumerate() {
                draws[*c] = joint.iter().map(|k| k[at]).collect();
            }
            return draws;
        }
        for c in &tested {
            if let Some(p) = self.pooled[*c] {
                self.factors[*c] = Some(p.factor);
                draws[*c] = (0..samples).map(|r| p.factor + p.error * gaussian(run, 0, *c, r)).collect();
            }
        }
        if options.untested == Untested::None || tested.is_empty() {
            for c in untested {
                (self.sources[c], self.factors[c]) = (Source::Unchanged, Some(1.0));
            }
            return draws;
        }
        // All tested channels together: what they bring over what they are credited with.
        let credit: f64 = tested.iter().map(|c| base.credits[*c]).sum();
        let brought = |r: usize| tested.iter().map(|c| draws[*c][r] * base.credits[*c]).sum::<f64>() / credit;
        let common: Vec<f64> = (0..samples).map(brought).collect();
        let factor =
            tested.iter().map(|c| self.factors[*c].unwrap_or(1.0) * base.credits[*c]).sum::<f64>() / credit;
        for c in untested {
            self.factors[c] = Some(factor);
            draws[c].clone_from(&common);
        }
        draws
    }
}

/// A standard normal number for (purpose, channel, sample).
fn gaussian(run: &Run, purpose: u64, channel: usize, sample: usize) -> f64 {
    let key = split_mix(run.seed_value() ^ 0x6e6f_726d ^ (purpose << 56) ^ ((channel as u64) << 32));
    let bits = split_mix(key ^ sample as u64);
    normal_quantile(unit_open(bits))
}

fn tables(
    journeys: &Journeys,
    tests: &[Test],
    bases: &[Base],
    report: &[Calibrated],
    unused: usize,
    options: &CalibrateOptions,
) -> Tables {
    let labels = journeys.channel_labels();
    let total = match options.metric {
        LiftMetric::Conversions => journeys.total_conversions(),
        LiftMetric::Value => journeys.total_value(),
    };
    let (mut model, mut channel, mut source) = (Text::new(), Text::new(), Text::new());
    let (mut before, mut factor, mut after) = (Vec::new(), Vec::new(), Vec::new());
    let (mut error, mut low, mut high, mut share) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut count = Vec::new();
    let (mut pool_model, mut pool_channel) = (Text::new(), Text::new());
    let mut pools: Vec<Pooled> = Vec::new();
    for (base, found) in bases.iter().zip(report) {
        let brought = exact_sum(found.credits.iter().copied());
        for c in 0..=labels.len() {
            model.push(&base.name);
            let mut sorted = found.samples[c].clone();
            error.push(deviation(&sorted));
            sorted.sort_unstable_by(f64::total_cmp);
            let [from, to] = shortest(&sorted, options.confidence);
            low.push(from);
            high.push(to);
            if let Some(label) = labels.get(c) {
                channel.push(label);
                before.push(base.credits[c]);
                factor.push(found.factors[c]);
                after.push(found.credits[c]);
                share.push((brought > 0.0).then(|| found.credits[c] / brought));
                source.push(found.sources[c].name());
                count.push(tests.iter().filter(|t| t.channel == c).count() as i64);
                if let Some(pooled) = found.pooled[c] {
                    pool_model.push(&base.name);
                    pool_channel.push(label);
                    pools.push(pooled);
                }
            } else {
                channel.push("(baseline)");
                before.push(total - exact_sum(base.credits.iter().copied()));
                factor.push(None);
                after.push(found.baseline);
                share.push(None);
                source.push("baseline");
                count.push(0);
            }
        }
    }
    let calibrated = Table::new()
        .with("model", Values::Text(model))
        .with("channel", Values::Text(channel))
        .with("uncalibrated", Values::F64(before))
        .with_optional("factor", factor)
        .with("calibrated", Values::F64(after))
        .with("standard_error", Values::F64(error))
        .with("low", Values::F64(low))
        .with("high", Values::F64(high))
        .with_optional("share", share)
        .with("source", Values::Text(source))
        .with("tests", Values::I64(count));
    let each = || bases.iter().flat_map(|b| tests.iter().zip(&b.matched).map(move |(t, m)| (b, t, *m)));
    let ratio = |x: f64, m: f64| (m > 0.0).then(|| x / m);
    let time = |end: bool| {
        let at = |t: &Test| t.period.map(|p| if end { p.1 } else { p.0 });
        let valid = each().map(|(_, t, _)| t.period.is_some()).collect();
        (Values::Time(each().map(|(_, t, _)| at(t).unwrap_or(0)).collect()), Some(valid))
    };
    let ((starts, has_start), (ends, has_end)) = (time(false), time(true));
    let used = Table::new()
        .with("model", Values::Text(each().map(|(b, ..)| &b.name).collect::<Text>()))
        .with("channel", Values::Text(each().map(|(_, t, _)| &labels[t.channel]).collect::<Text>()))
        .push("start", starts, has_start)
        .push("end", ends, has_end)
        .with("effect", Values::F64(each().map(|(_, t, _)| t.effect).collect()))
        .with("standard_error", Values::F64(each().map(|(_, t, _)| t.error).collect()))
        .with("credited", Values::F64(each().map(|(.., m)| m).collect()))
        .with_optional("factor", each().map(|(_, t, m)| ratio(t.effect, m)))
        .with_optional("factor_standard_error", each().map(|(_, t, m)| ratio(t.error, m)));
    let numbers = |f: fn(&Pooled) -> f64| Values::F64(pools.iter().map(f).collect());
    let pooling = Table::new()
        .with("model", Values::Text(pool_model))
        .with("channel", Values::Text(pool_channel))
        .with("tests", Values::I64(pools.iter().map(|p| p.tests as i64).collect()))
        .with("factor", numbers(|p| p.factor))
        .with("factor_standard_error", numbers(|p| p.error))
        .with("q", numbers(|p| p.q))
        .with("between", numbers(|p| p.between));
    let centre = Table::new()
        .with("model", Values::Text(bases.iter().map(|b| &b.name).collect::<Text>()))
        .with_optional("mu", report.iter().map(|r| r.centre.map(|c| c[0])))
        .with_optional("tau", report.iter().map(|r| r.centre.map(|c| c[1])))
        .with_optional("no_effect", report.iter().map(|r| r.centre.map(|c| c[2])))
        .with("unused_tests", Values::I64(vec![unused as i64; bases.len()]));
    vec![("calibrated", calibrated), ("tests", used), ("pooling", pooling), ("centre", centre)]
}

#[cfg(test)]
mod tests_of_pooling {
    use super::*;

    #[test]
    fn tests_are_pooled_as_by_dersimonian_and_laird() {
        // By hand: weights 100, 25, 25; fixed mean 0.6; Q = 100·0.01 + 25·0.16 + 25·0 = 5 with 2 free;
        // spare = 150 − (10000 + 625 + 625)/150 = 75; between = 3/75.
        let found = pool(&[(0.5, 0.1), (1.0, 0.2), (0.6, 0.2)]);
        assert!((found.q - 5.0).abs() < 1e-12, "{}", found.q);
        assert!((found.between - 0.04).abs() < 1e-12);
        // Random effects: weights 20, 12.5, 12.5.
        assert!((found.factor - (10.0 + 12.5 + 7.5) / 45.0).abs() < 1e-12);
        assert!((found.error - (1.0_f64 / 45.0).sqrt()).abs() < 1e-12);
        let alone = pool(&[(0.7, 0.3)]);
        assert_eq!((alone.factor, alone.q, alone.between), (0.7, 0.0, 0.0));
        assert!((alone.error - 0.3).abs() < 1e-15);
    }
}
