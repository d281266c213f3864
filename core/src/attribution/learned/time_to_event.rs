//! A rate of conversion in time that ads raise, by their age (Shender et al. 2023).
//!
//! Shender, Amini, Bao, Dikmen, Richardson & Wang, *A Time To Event Framework
//! for Multi-touch Attribution*, Journal of Data Science 21 (2023).
//! Conversions are an inhomogeneous Poisson process, whose rate depends on the
//! ads up to now. With N_{c,k}(t) the number of touches of channel c whose age
//! at t lies in the k-th bucket:
//!
//! | `link` | rate(t) |
//! | --- | --- |
//! | `log` | exp(β₀ + Σ β_{c,k} N_{c,k}(t)): each ad multiplies the rate |
//! | `additive` | β₀ + Σ β_{c,k} N_{c,k}(t): each ad adds to it |
//!
//! The likelihood is that of a Poisson regression on the intervals between which
//! no count changes; equal intervals are one row. An open journey is censored
//! where the watch over it ends, not counted as a failure.
//!
//! Credit is by backward elimination: ads are taken away from the last to the
//! first, and ad j counts for rate(ads 1..j) − rate(ads 1..j−1) at the time of
//! the conversion. What is left without ads is the baseline's.

use serde::{Deserialize, Serialize};

use super::glm::{Design, Family, Glm};
use super::penalty::{Choice, HeldOut, PENALTIES, Tried};
use super::rows::{Sequences, collapse};
use super::{
    Baseline, Credited, Explained, Learned, check_outcomes, days, diagnostics, exposure, watched_weight,
};
use crate::attribution::Model;
use crate::column::{DAY, Duration, Table, Text, Values};
use crate::journey::{Journey, Journeys, group_sums};
use crate::math::ascent::{Optimum, standard_errors};
use crate::math::newton::Stop;
use crate::math::{exp, exp_m1, ln, sum};
use crate::model;
use crate::run::Run;
use crate::{Error, Result};

const NAME: &str = "time_to_event";

/// How ads change the rate of conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Each ad multiplies it. The default.
    #[default]
    Log,
    /// Each ad adds to it; effects are never negative.
    Additive,
}

/// The parameters of a time-to-event model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeToEvent {
    /// How ads change the rate.
    pub link: Link,
    /// The upper ends of the buckets of age, rising; an older ad has no
    /// effect. Default 1, 7 and 14 days.
    pub ages: Vec<Duration>,
    /// Most touches of one channel in a bucket that count. Default 5.
    pub cap: u32,
    /// How long an open journey is watched after its last touch, at most to the
    /// end of its window and of observation; and how far ahead predictions look. Choose the
    /// lookback. Default 30 days.
    pub horizon: Duration,
    /// λ of the ridge ½ λ Σ β²; none: the one of `penalties` with the highest
    /// held-out likelihood. Default 1.
    pub penalty: Option<f64>,
    /// What `penalty` is chosen from. Default 0.1, 1, 10, 100.
    pub penalties: Vec<f64>,
    /// Folds of the choice, by customer. Default 5.
    pub folds: usize,
    /// Whether ads can only raise the rate. Default true.
    pub non_negative: bool,
    /// The baseline's part of a conversion.
    pub baseline: Baseline,
    /// Most Newton steps. Default 100.
    pub max_iterations: usize,
}

impl Default for TimeToEvent {
    fn default() -> Self {
        Self {
            link: Link::default(),
            ages: [1, 7, 14].map(Duration::from_days).to_vec(),
            cap: 5,
            horizon: Duration::from_days(30),
            penalty: Some(1.0),
            penalties: PENALTIES.to_vec(),
            folds: 5,
            non_negative: true,
            baseline: Baseline::default(),
            max_iterations: 100,
        }
    }
}

/// A fitted time-to-event model.
///
/// Saves and loads as `attribution.TimeToEvent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeToEventModel {
    parameters: TimeToEvent,
    channels: Vec<String>,
    /// β₀; for the log link the logarithm of the rate a day.
    intercept: f64,
    /// β by channel and bucket.
    effects: Vec<f64>,
    standard_errors: Vec<Option<f64>>,
    penalty: f64,
    tried: Tried,
    /// Touch-days and conversions under each channel and bucket.
    exposure: Vec<f64>,
    events: Vec<f64>,
    days: f64,
    conversions: f64,
    rows: u64,
    log_likelihood: f64,
    iterations: u64,
    gradient_norm: f64,
    credited: Credited,
}

/// Counts of touches by channel and bucket, sorted.
#[derive(Default)]
struct Counts {
    now: Vec<(u32, u32)>,
}

impl Counts {
    fn change(&mut self, feature: u32, up: bool) {
        match (self.now.binary_search_by_key(&feature, |f| f.0), up) {
            (Ok(at), true) => self.now[at].1 += 1,
            (Ok(at), false) if self.now[at].1 > 1 => self.now[at].1 -= 1,
            (Ok(at), false) => {
                self.now.remove(at);
            }
            (Err(at), true) => self.now.insert(at, (feature, 1)),
            (Err(_), false) => {}
        }
    }
}

/// The pieces of one worker: counts of each interval, how long it is, what
/// happens at its end, and the journey that it is of.
#[derive(Default)]
struct Pieces {
    keys: Sequences,
    lengths: Vec<i128>,
    events: Vec<f64>,
    journeys: Vec<u32>,
}

/// All intervals: the distinct counts, and which of them each has.
struct Intervals {
    keys: Sequences,
    group: Vec<u32>,
    lengths: Vec<i128>,
    events: Vec<f64>,
    journeys: Vec<u32>,
}

impl Pieces {
    fn push(&mut self, length: i128, event: f64, journey: usize) {
        self.keys.close();
        self.lengths.push(length);
        self.events.push(event);
        self.journeys.push(journey as u32);
    }
}

impl Intervals {
    /// Conversions and days under each of the distinct counts, in some journeys.
    fn of(&self, keep: impl Fn(usize) -> bool) -> [Vec<f64>; 2] {
        let kept = || self.journeys.iter().map(|j| keep(*j as usize));
        let mut exposed = vec![0_i128; self.keys.len()];
        for ((g, length), _) in self.group.iter().zip(&self.lengths).zip(kept()).filter(|(_, kept)| *kept) {
            exposed[*g as usize] += length;
        }
        let events: Vec<f64> =
            self.events.iter().zip(kept()).map(|(e, kept)| if kept { *e } else { 0.0 }).collect();
        let events = group_sums(&self.group, self.keys.len(), &events);
        [events, exposed.iter().map(|e| *e as f64 / DAY as f64).collect()]
    }
}

impl TimeToEvent {
    pub(crate) fn check(&self) -> Result<()> {
        let rising = self.ages.is_sorted_by(|a, b| a < b) && self.ages.iter().all(|a| a.micros() > 0);
        if self.ages.is_empty() || !rising || self.ages.len() > 100 {
            return Err(Error::option(
                "ages",
                "must rise, from above 0, for example [\"1d\", \"7d\", \"14d\"]",
            ));
        }
        if self.cap == 0 {
            return Err(Error::option("cap", "must be at least 1"));
        }
        if self.horizon.micros() == 0 {
            return Err(Error::option("horizon", "must be longer than 0, for example \"30d\""));
        }
        self.choice().check(&[("penalty", self.penalty)])
    }

    fn choice(&self) -> Choice<'_> {
        Choice { penalties: &self.penalties, folds: self.folds }
    }

    /// The bucket of an age in microseconds.
    fn bucket(&self, age: i64) -> Option<usize> {
        self.ages.iter().position(|a| age < a.micros())
    }

    /// The times at which counts change, each with the feature and whether it goes up.
    fn changes(&self, path: &[u32], times: &[i64], until: i64, out: &mut Vec<(i64, u32, bool)>) {
        let k = self.ages.len() as u32;
        out.clear();
        for (c, t) in path.iter().zip(times) {
            let mut from = *t;
            for (bucket, age) in self.ages.iter().enumerate() {
                let to = t.saturating_add(age.micros());
                let feature = c.saturating_mul(k).saturating_add(bucket as u32);
                if from < until {
                    out.push((from, feature, true));
                }
                if to < until {
                    out.push((to, feature, false));
                }
                from = to;
            }
        }
        out.sort_unstable();
    }

    /// Calls `each` with the length and the counts of each interval from
    /// `start` to `end`.
    fn intervals(
        &self,
        path: &[u32],
        times: &[i64],
        start: i64,
        end: i64,
        mut each: impl FnMut(i64, &[(u32, u32)]),
    ) {
        let mut changes = Vec::new();
        self.changes(path, times, end, &mut changes);
        let (mut counts, mut at) = (Counts::default(), start);
        for (time, feature, up) in changes {
            if time > at {
                each(time - at, &counts.now);
                at = time;
            }
            counts.change(feature, up);
        }
        if end > at {
            each(end - at, &counts.now);
        }
    }

    /// The counts of the first touches at a time.
    fn counts_at(&self, path: &[u32], times: &[i64], at: i64) -> Vec<(u32, u32)> {
        let k = self.ages.len() as u32;
        let mut counts = Counts::default();
        for (c, t) in path.iter().zip(times) {
            if let Some(bucket) = self.bucket(at.saturating_sub(*t)) {
                counts.change(c.saturating_mul(k).saturating_add(bucket as u32), true);
            }
        }
        counts.now
    }

    fn write(&self, counts: &[(u32, u32)], key: &mut Vec<u32>) {
        key.extend(counts.iter().flat_map(|(f, n)| [*f, (*n).min(self.cap)]));
    }

    fn cut(&self, journeys: &Journeys, run: &Run) -> Result<Intervals> {
        let cut = journeys.pieces();
        run.stage("cut intervals", journeys.len() as u64)?;
        let pieces = run.map_items(cut.len(), |p| {
            let mut out = Pieces::default();
            for j in cut[p].clone() {
                let (conversions, open) = (journeys.conversions()[j], journeys.open_weight(j));
                let watched = exposure(journeys, j, self.horizon.micros());
                let Some(start) = watched.times.first().copied() else { continue };
                let weight = conversions + open;
                // Whole microseconds add up exactly, in any order.
                let weighed = |length: i64| {
                    if weight.fract() == 0.0 && weight < 9e15 {
                        i128::from(length) * weight as i128
                    } else {
                        (length as f64 * weight).round() as i128
                    }
                };
                self.intervals(watched.path, watched.times, start, watched.end, |length, counts| {
                    self.write(counts, &mut out.keys.tokens);
                    out.push(weighed(length), 0.0, j);
                });
                if conversions > 0.0 {
                    let counts = self.counts_at(watched.path, watched.times, watched.end);
                    self.write(&counts, &mut out.keys.tokens);
                    out.push(0, conversions, j);
                }
            }
            run.advance(cut[p].len() as u64)?;
            Ok(out)
        })?;
        let (mut keys, mut lengths, mut events, mut of) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for part in pieces {
            keys.push(part.keys);
            lengths.extend(part.lengths);
            events.extend(part.events);
            of.extend(part.journeys);
        }
        let (keys, group) = collapse(&keys, run)?;
        Ok(Intervals { keys, group, lengths, events, journeys: of })
    }

    fn design(keys: &Sequences, size: usize) -> Design {
        let mut design = Design { columns: size + 1, ..Design::default() };
        for i in 0..keys.len() {
            design.entries.extend(keys.get(i).chunks(2).map(|e| (e[0] + 1, f64::from(e[1]))));
            design.ends.push(design.entries.len() as u32);
        }
        design
    }

    fn family(&self) -> Family {
        match self.link {
            Link::Log => Family::PoissonLog,
            Link::Additive => Family::PoissonIdentity,
        }
    }

    /// The maximum, and what its gradient is measured in.
    fn maximise(&self, glm: &Glm<'_>, run: &Run) -> Result<(Optimum, f64)> {
        let (conversions, days) = (sum(glm.a.iter().copied()), sum(glm.b.iter().copied()));
        if days <= 0.0 {
            return Err(Error::not_enough_data(
                "no time passes between touches and conversions or the end of observation, so there are no rates to fit",
            ));
        }
        let rate = conversions / days;
        let (intercept, slope) = match self.link {
            Link::Log => {
                let low = if self.non_negative { 0.0 } else { -30.0 };
                ((ln(rate) - 40.0, ln(rate) + 40.0), (low, 30.0))
            }
            // A baseline of exactly 0 would make a conversion without an ad impossible.
            Link::Additive => ((1e-9 * rate, 1e9 * rate), (0.0, 1e9 * rate)),
        };
        let size = glm.design.columns - 1;
        let bounds: Vec<(f64, f64)> =
            std::iter::once(intercept).chain(std::iter::repeat_n(slope, size)).collect();
        let mut start = vec![0.0; size + 1];
        start[0] = if self.link == Link::Log { ln(rate) } else { rate };
        // For the additive link the gradient is a sum of conversions over rates.
        let unit = if self.link == Link::Log { conversions } else { days };
        let stop = Stop { max_iterations: self.max_iterations, gradient: 1e-9 * unit };
        let found = glm.fit(&start, &bounds, stop, run)?;
        let runs_away =
            self.link == Link::Log && glm.ridge == 0.0 && found.at[1..].iter().any(|b| b.abs() >= 30.0);
        if !found.converged || runs_away {
            return Err(Error::NotConverged {
                model: NAME,
                iterations: found.iterations,
                gradient_norm: found.gradient_norm / unit,
                hint: "give a penalty such as 1.0, name fewer ages, or raise max_iterations".into(),
            });
        }
        Ok((found, unit))
    }

    fn try_penalties(
        &self,
        journeys: &Journeys,
        cut: &Intervals,
        design: &Design,
        run: &Run,
    ) -> Result<Tried> {
        let family = self.family();
        // Journeys with times are dealt whole, so those of the folds are these.
        self.choice().choose(
            journeys,
            run,
            |_| Ok(()),
            |(), parts, fold| {
                let [out_a, out_b] = cut.of(|j| parts.has(fold, j));
                let [a, b] = cut.of(|j| !parts.has(fold, j));
                let score = |ridge: &f64| {
                    let glm = Glm { family, design, a: &a, b: &b, ridge: *ridge };
                    let (found, _) = self.maximise(&glm, run)?;
                    Glm { a: &out_a, b: &out_b, ..glm }.log_likelihood(&found.at, run)
                };
                let log_likelihoods = self.penalties.iter().map(score).collect::<Result<_>>()?;
                Ok(HeldOut { log_likelihoods, journeys: watched_weight(journeys, |j| parts.has(fold, j)) })
            },
        )
    }

    /// Fits the model to these journeys: each is watched from its first touch
    /// to its conversion, or while open to `horizon` after its last touch, but
    /// not past the end of observation, also where it was built as censored. A touch that serves several conversions
    /// is watched in each of their journeys.
    ///
    /// Errors: [`Error::Option`] for journeys without times,
    /// [`Error::NotEnoughData`] where none converts or no time passes,
    /// [`Error::NotConverged`].
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<TimeToEventModel> {
        self.check()?;
        Model::TimeToEvent(self.clone()).check_journeys(journeys)?;
        check_outcomes(NAME, journeys, false)?;
        let cut = self.cut(journeys, run)?;
        let size = journeys.channel_count() * self.ages.len();
        let design = Self::design(&cut.keys, size);
        let tried = match self.penalty {
            Some(_) => Tried::default(),
            None => self.try_penalties(journeys, &cut, &design, run)?,
        };
        let penalty = tried.or_best(self.penalty);
        let [events, exposed] = cut.of(|_| true);
        let (mut touch_days, mut converted) = (vec![0.0; size], vec![0.0; size]);
        for i in 0..design.rows() {
            for (column, n) in design.row(i) {
                touch_days[*column as usize - 1] += n * exposed[i];
                converted[*column as usize - 1] += events[i];
            }
        }
        let glm = Glm { family: self.family(), design: &design, a: &events, b: &exposed, ridge: penalty };
        let (found, unit) = self.maximise(&glm, run)?;
        let mut model = TimeToEventModel {
            parameters: self.clone(),
            channels: journeys.channel_labels(),
            intercept: found.at[0],
            effects: found.at[1..].to_vec(),
            standard_errors: standard_errors(&found.local, &found.bound),
            penalty,
            tried,
            exposure: touch_days,
            days: sum(exposed.iter().copied()),
            conversions: sum(events.iter().copied()),
            events: converted,
            rows: cut.keys.len() as u64,
            log_likelihood: glm.log_likelihood(&found.at, run)?,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm / unit,
            credited: Credited::default(),
        };
        model.credited = Credited::of(&model, journeys, run)?;
        Ok(model)
    }
}

impl TimeToEventModel {
    /// The parameters.
    pub fn parameters(&self) -> &TimeToEvent {
        &self.parameters
    }

    /// The rate of conversion without ads, a day.
    pub fn baseline_rate(&self) -> f64 {
        self.rate(&[])
    }

    /// β by channel and bucket of age, channels outermost.
    pub fn effects(&self) -> &[f64] {
        &self.effects
    }

    /// The penalty that was given or chosen.
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// The log-likelihood, without the penalty.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The rate of conversion a day.
    fn rate(&self, counts: &[(u32, u32)]) -> f64 {
        let cap = self.parameters.cap;
        let effect = |f: u32| self.effects.get(f as usize).copied().unwrap_or(0.0);
        let eta =
            self.intercept + counts.iter().map(|(f, n)| effect(*f) * f64::from((*n).min(cap))).sum::<f64>();
        match self.parameters.link {
            Link::Log => exp(eta),
            Link::Additive => eta,
        }
    }

    /// The effects: channel, age_from and age_to in days, effect (β; of the log
    /// link the logarithm of what an ad multiplies the rate by, of the additive
    /// one conversions a day), standard_error (missing at a bound), touch_days,
    /// conversions.
    pub fn table(&self) -> Table {
        let k = self.parameters.ages.len();
        let ages: Vec<f64> = self.parameters.ages.iter().map(|a| a.days()).collect();
        let n = self.effects.len();
        let labels: Text = (0..n).map(|f| self.channels[f / k].as_str()).collect();
        let from = (0..n).map(|f| if f % k == 0 { 0.0 } else { ages[f % k - 1] }).collect();
        Table::new()
            .with("channel", Values::Text(labels))
            .with("age_from", Values::F64(from))
            .with("age_to", Values::F64((0..n).map(|f| ages[f % k]).collect()))
            .with("effect", Values::F64(self.effects.clone()))
            .with_optional("standard_error", self.standard_errors.iter().skip(1).copied())
            .with("touch_days", Values::F64(self.exposure.clone()))
            .with("conversions", Values::F64(self.events.clone()))
    }
}

impl Learned for TimeToEventModel {
    fn spec(&self) -> Model {
        Model::TimeToEvent(self.parameters.clone())
    }

    fn channels(&self) -> &[String] {
        &self.channels
    }

    fn explain(&self, journey: &Journey<'_>, shares: &mut Vec<f64>) -> Explained {
        let Journey { path, times, end, .. } = *journey;
        let k = self.parameters.ages.len() as u32;
        let baseline = self.rate(&[]);
        let mut counts = Counts::default();
        let mut before = baseline;
        for (c, t) in path.iter().zip(times) {
            if let Some(bucket) = self.parameters.bucket(end.saturating_sub(*t)) {
                counts.change(c.saturating_mul(k).saturating_add(bucket as u32), true);
            }
            let rate = self.rate(&counts.now);
            shares.push((rate - before).max(0.0));
            before = rate;
        }
        let added: f64 = shares.iter().sum();
        let incremental = if added > 0.0 { added / (added + baseline) } else { 0.0 };
        let fallback = !self.parameters.baseline.share(baseline, shares);
        Explained { incremental, fallback }
    }

    fn probability(&self, journey: &Journey<'_>, from: i64) -> Option<f64> {
        let end = from.saturating_add(self.parameters.horizon.micros());
        let mut expected = 0.0;
        self.parameters.intervals(journey.path, journey.times, from, end, |length, counts| {
            expected += self.rate(counts) * days(length);
        });
        Some(-exp_m1(-expected))
    }

    fn report(&self, name: &str) -> Option<(&'static str, Table)> {
        match name {
            "effects" => Some(("effects", self.table())),
            "incremental" => Some(("incremental", self.credited.table(&self.channels))),
            "penalties" => Some(self.tried.report()),
            "diagnostics" => {
                let mut lines = vec![
                    ("baseline_rate", self.baseline_rate()),
                    ("baseline_share", self.credited.baseline[0] / self.conversions),
                    ("days", self.days),
                    ("conversions", self.conversions),
                    ("rows", self.rows as f64),
                    ("log_likelihood", self.log_likelihood),
                    ("iterations", self.iterations as f64),
                    ("fallback", self.credited.fallback),
                ];
                self.tried.diagnose(&[("penalty", self.parameters.penalty)], &mut lines);
                Some(diagnostics(&lines))
            }
            _ => None,
        }
    }
}

impl model::Model for TimeToEventModel {
    const KIND: &'static str = "attribution.TimeToEvent";

    fn check(&self) -> Result<()> {
        let finite = |x: &f64| x.is_finite();
        let size = self.channels.len().checked_mul(self.parameters.ages.len());
        let sized = |v: &[f64]| Some(v.len()) == size && v.iter().all(finite);
        let sound = self.parameters.check().is_ok()
            && sized(&self.effects)
            && sized(&self.exposure)
            && sized(&self.events)
            && self.standard_errors.len() == self.effects.len() + 1
            && self.standard_errors.iter().flatten().all(finite)
            && [self.intercept, self.days, self.penalty, self.log_likelihood, self.gradient_norm]
                .iter()
                .all(finite)
            && self.tried.is_sound()
            && self.conversions > 0.0
            && self.conversions.is_finite()
            && (self.parameters.link == Link::Log
                || (self.intercept > 0.0 && self.effects.iter().all(|e| *e >= 0.0)))
            && self.credited.is_sound(self.channels.len());
        if sound { Ok(()) } else { Err(Error::model_file("the time-to-event model contradicts itself")) }
    }
}
