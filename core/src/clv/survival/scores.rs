//! How good are predictions of survival?

use serde::{Deserialize, Serialize};

use super::concordance::{Ranked, pairs};
use super::forecast::{Forecast, Seen, Wanted};
use super::regression::level_quantile;
use super::spells::{Spells, step_at};
use super::subjects::{Clock, Subjects, check_horizons};
use crate::column::{Columns, Dropped, Intake, OnInvalid, Sign, Table, Tables, Text, Values};
use crate::math::ranks;
use crate::math::survival::Point;
use crate::{Error, Result, Run};

/// Roles and options of [`survival_scores`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreOptions {
    /// Column of durations. Default `"duration"`.
    pub duration: String,
    /// Column of flags: whether the duration ended with the event. Default `"event"`.
    pub event: String,
    /// Column of predicted risks, higher for those who leave sooner. Unless
    /// given, 1 − the last of `survival`.
    pub risk: Option<String>,
    /// Columns of predicted survival, one for each of `horizons`.
    pub survival: Vec<String>,
    /// The times that `survival` is predicted for, in order.
    pub horizons: Vec<f64>,
    /// Events after this time do not count in Uno's index. None by default.
    pub tau: Option<f64>,
    /// Groups of the calibration, from 2. Default 10.
    pub bins: usize,
    /// The level of the calibration's intervals. Default 0.95.
    pub level: f64,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self {
            duration: "duration".to_owned(),
            event: "event".to_owned(),
            risk: None,
            survival: Vec::new(),
            horizons: Vec::new(),
            tau: None,
            bins: 10,
            level: 0.95,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Scores of predictions beside what happened, whatever made them.
///
/// Tables:
/// - `scores`: score, value: `harrell_c` (Harrell et al. 1982), `uno_c` (Uno et al. 2011), and
///   with two horizons or more `integrated_brier` and `integrated_brier_reference`.
/// - `brier`: time, brier (Graf et al. 1999, weighted by the inverse probability of not being
///   censored), reference (of the Kaplan–Meier curve of all), skill (1 − brier / reference).
/// - `calibration`: time, bin (by predicted survival, the lowest first), subjects, predicted (mean
///   survival), observed (Kaplan–Meier), low, high. Those predicted alike are in one bin.
/// - `dropped`.
///
/// Censoring is taken to be independent of the predictions. What cannot be told is missing.
pub fn survival_scores(frame: &Columns, options: &ScoreOptions, run: &Run) -> Result<Tables> {
    if options.survival.len() != options.horizons.len() {
        return Err(Error::option("survival", "name one column for each of the horizons"));
    }
    if options.risk.is_none() && options.survival.is_empty() {
        return Err(Error::option("risk", "name a column of risks, or columns of predicted survival"));
    }
    options.check()?;
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let duration = intake.amounts(&options.duration, Sign::NonNegative)?;
    let event = intake.flags(&options.event)?;
    let risk = options.risk.as_deref().map(|c| intake.amounts(c, Sign::Any)).transpose()?;
    let mut survival = Vec::with_capacity(options.survival.len());
    for name in &options.survival {
        let column = intake.amounts(name, Sign::NonNegative)?;
        let bad = (0..column.len()).filter(|i| column[*i] > 1.0 && column[*i].is_finite());
        intake.reject(name, "the survival is more than 1", bad);
        survival.push(column);
    }
    let kept = intake.finish()?;
    let survival: Vec<Vec<f64>> = survival.into_iter().map(|s| kept.values(s).into_owned()).collect();
    let risk = match (risk, survival.last()) {
        (Some(risk), _) => kept.values(risk).into_owned(),
        (None, Some(last)) => last.iter().map(|s| 1.0 - s).collect(),
        (None, None) => Vec::new(),
    };
    let outcome = Outcome { duration: &kept.values(duration), event: &kept.values(event), risk: &risk };
    scores(&outcome, &survival, options, kept.dropped(), run)
}

impl ScoreOptions {
    fn check(&self) -> Result<()> {
        check_horizons("horizons", &self.horizons)?;
        check_horizons("tau", self.tau.as_slice())?;
        if !self.horizons.windows(2).all(|w| w[0] < w[1]) {
            return Err(Error::option("horizons", "must rise"));
        }
        if !(2..=1000).contains(&self.bins) {
            return Err(Error::option("bins", "must be a whole number from 2 to 1000"));
        }
        level_quantile(self.level).map(|_| ())
    }
}

/// Options of a fitted model's report `scores`: its predictions beside what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelScoreOptions {
    /// Column of durations; the fit's unless given.
    pub duration: Option<String>,
    /// Column of flags; the fit's unless given.
    pub event: Option<String>,
    /// Times at which survival is compared, in order.
    pub horizons: Vec<f64>,
    /// See [`ScoreOptions::tau`].
    pub tau: Option<f64>,
    /// See [`ScoreOptions::bins`].
    pub bins: usize,
    /// See [`ScoreOptions::level`].
    pub level: f64,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for ModelScoreOptions {
    fn default() -> Self {
        Self {
            duration: None,
            event: None,
            horizons: Vec::new(),
            tau: None,
            bins: 10,
            level: 0.95,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// The scores of a fitted model on a frame, best one that it was not fitted on.
pub(super) fn model_scores(
    model: &dyn Forecast,
    frame: &Columns,
    options: &ModelScoreOptions,
    run: &Run,
) -> Result<Tables> {
    let (duration, event, _) = model.roles();
    let asked = ScoreOptions {
        duration: options.duration.clone().unwrap_or_else(|| duration.to_owned()),
        event: options.event.clone().unwrap_or_else(|| event.to_owned()),
        horizons: options.horizons.clone(),
        tau: options.tau,
        bins: options.bins,
        level: options.level,
        on_invalid: options.on_invalid,
        ..ScoreOptions::default()
    };
    asked.check()?;
    if model.clock() == Clock::Periods && asked.horizons.iter().any(|h| h.fract() != 0.0) {
        return Err(Error::option("horizons", "must be whole numbers of periods"));
    }
    let wanted = Wanted { customer: None, age: Some(&asked.duration), event: Some(&asked.event) };
    let mut seen = Seen::read(model, frame, wanted, asked.on_invalid, run)?;
    let duration = seen.age.take().unwrap_or_default();
    let event = seen.event.take().unwrap_or_default();
    let mut survival = Vec::new();
    for horizon in &asked.horizons {
        let parts = run.map_chunks("predict", seen.rows(), |rows| {
            Ok(rows.map(|i| seen.survival(model, i, *horizon)).collect::<Option<Vec<f64>>>())
        })?;
        let Some(parts) = parts.into_iter().collect::<Option<Vec<_>>>() else {
            let reason =
                format!("the model does not tell survival until {horizon}: it saw nobody for so long");
            return Err(Error::option("horizons", reason));
        };
        survival.push(parts.concat());
    }
    let scale = model.hazard_scale();
    let risk = match survival.last() {
        // Predictors of different strata do not compare.
        Some(last) if model.strata().is_some() => last.iter().map(|s| 1.0 - s).collect(),
        _ => seen.eta.iter().map(|e| scale * e).collect::<Vec<f64>>(),
    };
    let outcome = Outcome { duration: &duration, event: &event, risk: &risk };
    scores(&outcome, &survival, &asked, &seen.dropped, run)
}

struct Outcome<'a> {
    duration: &'a [f64],
    event: &'a [bool],
    risk: &'a [f64],
}

fn scores(
    outcome: &Outcome<'_>,
    survival: &[Vec<f64>],
    options: &ScoreOptions,
    dropped: &Dropped,
    run: &Run,
) -> Result<Tables> {
    let n = outcome.duration.len();
    if n == 0 {
        return Err(Error::not_enough_data("there is no row to score; all were dropped, or none came"));
    }
    run.check()?;
    let uncensored = Uncensored::of(outcome);
    let ranked = |factor: &[f64]| {
        pairs(&Ranked {
            time: outcome.duration,
            event: outcome.event,
            entry: &[],
            risk: outcome.risk,
            weight: &[],
            factor,
        })
        .index()
    };
    let harrell = ranked(&[]);
    let inverse: Vec<f64> = outcome
        .duration
        .iter()
        .map(|t| {
            let g = uncensored.before(*t);
            if g > 0.0 && options.tau.is_none_or(|tau| *t < tau) { 1.0 / (g * g) } else { 0.0 }
        })
        .collect();
    let mut rows = vec![("harrell_c", harrell), ("uno_c", ranked(&inverse))];

    let everybody = outcome.curve(&vec![0; n], 1).pop().unwrap_or_default();
    let last = outcome.duration.iter().fold(0.0_f64, |m, t| m.max(*t));
    let (mut brier, mut reference) = (Vec::new(), Vec::new());
    for (time, predicted) in options.horizons.iter().zip(survival) {
        run.check()?;
        let own = (*time < last).then(|| outcome.brier(&uncensored, *time, |i| predicted[i]));
        let all = at(&everybody, *time).map_or(1.0, |p| p.survival);
        brier.push(own.flatten());
        reference.push(if *time < last { outcome.brier(&uncensored, *time, |_| all) } else { None });
    }
    if options.horizons.len() > 1 {
        rows.push(("integrated_brier", integrated(&options.horizons, &brier)));
        rows.push(("integrated_brier_reference", integrated(&options.horizons, &reference)));
    }
    let skill = brier.iter().zip(&reference).map(|(b, r)| match (b, r) {
        (Some(b), Some(r)) if *r > 0.0 => Some(1.0 - b / r),
        _ => None,
    });
    let briers = Table::new()
        .with("time", Values::F64(options.horizons.clone()))
        .with_optional("brier", brier.iter().copied())
        .with_optional("reference", reference.iter().copied())
        .with_optional("skill", skill);
    let scores = Table::new()
        .with("score", Values::Text(rows.iter().map(|r| r.0).collect::<Text>()))
        .with_optional("value", rows.iter().map(|r| r.1));
    Ok(vec![
        ("scores", scores),
        ("brier", briers),
        ("calibration", outcome.calibration(survival, options)?),
        ("dropped", dropped.table()),
    ])
}

/// The last point at or before a time.
fn at(points: &[Point<f64>], time: f64) -> Option<&Point<f64>> {
    points.get(points.partition_point(|p| p.time <= time).checked_sub(1)?)
}

/// The mean over time, by trapezoids.
fn integrated(times: &[f64], values: &[Option<f64>]) -> Option<f64> {
    let mut area = 0.0;
    for (t, v) in times.windows(2).zip(values.windows(2)) {
        area += 0.5 * (v[0]? + v[1]?) * (t[1] - t[0]);
    }
    let span = times.last()? - times.first()?;
    (span > 0.0).then(|| area / span)
}

/// The probability G(t) of not being censored until t: Kaplan–Meier with the
/// roles exchanged, events at a time counting before those censored there.
struct Uncensored {
    times: Vec<f64>,
    values: Vec<f64>,
}

impl Uncensored {
    fn of(outcome: &Outcome<'_>) -> Self {
        let mut ends: Vec<(u64, bool)> =
            outcome.duration.iter().zip(outcome.event).map(|(t, e)| ((t + 0.0).to_bits(), !e)).collect();
        ends.sort_unstable();
        let mut at_risk = ends.len() as f64;
        let (mut times, mut values, mut g) = (Vec::new(), Vec::new(), 1.0);
        for same in ends.chunk_by(|a, b| a.0 == b.0) {
            let events = same.iter().filter(|e| !e.1).count() as f64;
            let censored = same.len() as f64 - events;
            at_risk -= events;
            if censored > 0.0 {
                g *= (at_risk - censored) / at_risk;
                times.push(f64::from_bits(same[0].0));
                values.push(g);
            }
            at_risk -= censored;
        }
        Self { times, values }
    }

    fn at(&self, time: f64) -> f64 {
        step_at(&self.times, &self.values, 1.0, time)
    }

    /// Just before a time.
    fn before(&self, time: f64) -> f64 {
        let after = self.times.partition_point(|t| *t < time);
        if after == 0 { 1.0 } else { self.values.get(after - 1).copied().unwrap_or(1.0) }
    }
}

impl Outcome<'_> {
    /// Graf's score at a time; summed in an order of its own, whatever the rows'.
    fn brier(&self, uncensored: &Uncensored, time: f64, predicted: impl Fn(usize) -> f64) -> Option<f64> {
        let here = uncensored.at(time);
        let term = |i: usize| {
            let s = predicted(i);
            if self.duration[i] > time {
                if here > 0.0 { (1.0 - s) * (1.0 - s) / here } else { f64::NAN }
            } else if self.event[i] {
                s * s / uncensored.before(self.duration[i])
            } else {
                0.0
            }
        };
        let total = crate::math::exact_sum((0..self.duration.len()).map(term));
        (total / self.duration.len() as f64).is_finite().then(|| total / self.duration.len() as f64)
    }

    /// Kaplan–Meier curves by code.
    fn curve(&self, codes: &[u32], groups: usize) -> Vec<Vec<Point<f64>>> {
        let subjects = Subjects {
            rows: self.duration.len(),
            duration: self.duration.into(),
            event: Some(self.event.into()),
            entry: None,
            weight: None,
            group: None,
            cluster: None,
            covariates: Vec::new(),
            dropped: Dropped::default(),
        };
        Spells::by_code(&subjects, codes, groups).iter().map(Spells::curve).collect()
    }

    fn calibration(&self, survival: &[Vec<f64>], options: &ScoreOptions) -> Result<Table> {
        let z = level_quantile(options.level)?;
        let n = self.duration.len();
        let (mut times, mut bins, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut means, mut observed) = (Vec::new(), Vec::new());
        for (time, predicted) in options.horizons.iter().zip(survival) {
            // Ties have one rank, and so one bin.
            let place = |r: &f64| ((r - 0.5) / n as f64 * options.bins as f64) as u32;
            let codes: Vec<u32> =
                ranks(predicted).iter().map(|r| place(r).min(options.bins as u32 - 1)).collect();
            let curves = self.curve(&codes, options.bins);
            for (bin, curve) in curves.iter().enumerate() {
                let inside = || (0..n).filter(|i| codes[*i] as usize == bin);
                let size = inside().count();
                if size == 0 {
                    continue;
                }
                let last = inside().map(|i| self.duration[i]).fold(0.0_f64, f64::max);
                let point = at(curve, *time).filter(|p| *time <= last || p.survival == 0.0);
                times.push(*time);
                bins.push(bin as i64 + 1);
                sizes.push(size as f64);
                means.push(crate::math::exact_sum(inside().map(|i| predicted[i])) / size as f64);
                observed.push(point.map(|p| (p.survival, p.interval(z))));
            }
        }
        Ok(Table::new()
            .with("time", Values::F64(times))
            .with("bin", Values::I64(bins))
            .with("subjects", Values::F64(sizes))
            .with("predicted", Values::F64(means))
            .with_optional("observed", observed.iter().map(|o| o.map(|o| o.0)))
            .with_optional("low", observed.iter().map(|o| o.and_then(|o| o.1).map(|i| i.0)))
            .with_optional("high", observed.iter().map(|o| o.and_then(|o| o.1).map(|i| i.1))))
    }
}
