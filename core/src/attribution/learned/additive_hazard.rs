//! A rate of conversion that every ad adds to, and that decays (Zhang, Wei & Ren 2014).
//!
//! *Multi-touch attribution in online advertising with survival theory*, ICDM
//! 2014, with priors. A touch of channel c at time t_i adds b_c w_c e^{−w_c (t − t_i)} to the
//! rate of conversion at t: in all its life it brings b_c conversions, with a
//! mean delay of 1 / w_c days.
//!
//! rate(T) = μ + Σ b w e^{−w (T − t_i)},
//! survival(T) = exp(−μ (T − t_1) − Σ b (1 − e^{−w (T − t_i)}))
//!
//! | symbol | here |
//! | --- | --- |
//! | β, ω | b, w: `effects`, `decays` (1 / days) |
//! | p_i | a touch's part of the rate at the conversion: its credit |
//! | μ | the baseline, 0 unless `baseline_hazard` |
//!
//! Without priors the likelihood has no maximum where a channel has no
//! conversion near its touches, or hardly decays: b or w run away, and EM divides
//! 0 by 0. So b and w have Gamma priors that are worth `effect_prior` and
//! `decay_prior` conversions; with 0 they are switched off.

use serde::{Deserialize, Serialize};

use super::penalty::{Choice, HeldOut, PENALTIES, Tried};
use super::{Baseline, Credited, Explained, Learned, check_outcomes, days, diagnostics, exposure, text};
use crate::attribution::Model;
use crate::column::{Duration, Table, Values};
use crate::journey::{Journey, Journeys};
use crate::math::ascent::{Local, maximise, standard_errors};
use crate::math::newton::Stop;
use crate::math::{exact_sum, exp, exp_m1, ln, sum};
use crate::model;
use crate::run::Run;
use crate::{Error, Result};

const NAME: &str = "additive_hazard";
/// Steps of EM before Newton's.
const WARM: usize = 12;
/// Journeys in a chunk: their touches are what costs.
const CHUNK: usize = 8_192;

/// How the likelihood is maximised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A few steps of EM, then Newton's on the logarithms of all parameters. The default.
    #[default]
    Newton,
    /// The paper's EM alone: slow, and never down.
    Em,
}

/// The parameters of an additive hazard model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdditiveHazard {
    /// Where b begins, and the mode of its prior; none: conversions per touch.
    /// Default none.
    pub effect: Option<f64>,
    /// The mean delay 1 / w at which w begins, and the mode of its prior. Default 7 days.
    pub delay: Duration,
    /// How many conversions the prior of b is worth: Gamma with shape 1 + this,
    /// mode `effect`; 0: no prior; none: the one of `penalties` with the highest
    /// held-out likelihood. Default 1.
    pub effect_prior: Option<f64>,
    /// The same of w and `delay`; where both are chosen they are equal. Default 1.
    pub decay_prior: Option<f64>,
    /// What the priors are chosen from. Default 0.1, 1, 10, 100.
    pub penalties: Vec<f64>,
    /// Folds of the choice, by customer. Default 5.
    pub folds: usize,
    /// Whether there is a rate μ without any ad. Default false, as in the paper.
    pub baseline_hazard: bool,
    /// The baseline's part of a conversion.
    pub baseline: Baseline,
    /// How long an open journey is watched after its last touch, at most to the
    /// end of observation; and how far ahead predictions look. Choose the
    /// lookback. Default 30 days.
    pub horizon: Duration,
    /// How the likelihood is maximised.
    pub method: Method,
    /// Most steps. Default 100; of EM give more.
    pub max_iterations: usize,
    /// EM stops when the log-likelihood rises by less than this; Newton's steps
    /// when no entry of the gradient is above this for each conversion. Default 1e-9.
    pub tolerance: f64,
}

impl Default for AdditiveHazard {
    fn default() -> Self {
        Self {
            effect: None,
            delay: Duration::from_days(7),
            effect_prior: Some(1.0),
            decay_prior: Some(1.0),
            penalties: PENALTIES.to_vec(),
            folds: 5,
            baseline_hazard: false,
            baseline: Baseline::default(),
            horizon: Duration::from_days(30),
            method: Method::default(),
            max_iterations: 100,
            tolerance: 1e-9,
        }
    }
}

/// A fitted additive hazard model.
///
/// Saves and loads as `attribution.AdditiveHazard`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdditiveHazardModel {
    parameters: AdditiveHazard,
    channels: Vec<String>,
    effects: Vec<f64>,
    decays: Vec<f64>,
    /// μ, conversions a day.
    hazard: f64,
    /// What the priors of b and of w are worth.
    priors: [f64; 2],
    tried: Tried,
    /// Of ln b, ln w by channel, and of ln μ.
    standard_errors: Vec<Option<f64>>,
    log_likelihood: f64,
    /// The log-likelihood and the penalised one, from the start on.
    trace: Vec<[f64; 2]>,
    iterations: u64,
    gradient_norm: f64,
    credited: Credited,
}

/// What is fitted: touches by journey, with ages at the end.
struct Data {
    channels: usize,
    ends: Vec<u32>,
    /// Channel and age in days of each touch.
    touches: Vec<(u32, f64)>,
    conversions: Vec<f64>,
    weight: Vec<f64>,
    /// Days from the first touch to the end.
    length: Vec<f64>,
    /// Where each stands among all journeys.
    place: Vec<u32>,
}

/// b, w and μ.
#[derive(Clone, Debug)]
struct Theta {
    b: Vec<f64>,
    w: Vec<f64>,
    mu: f64,
}

/// Gamma priors: strength s and mode m, s (ln x − x / m).
#[derive(Clone, Copy)]
struct Priors {
    effect: (f64, f64),
    decay: (f64, f64),
}

/// What one pass of EM adds up: by channel responsibilities Σp, Σ p d,
/// Σ (1 − e^{−wd}), Σ b d e^{−wd}; of the baseline Σp and days.
struct Sums {
    value: f64,
    by_channel: Vec<[f64; 4]>,
    baseline: [f64; 2],
}

impl Data {
    fn of(journeys: &Journeys, horizon: i64, run: &Run) -> Result<Self> {
        run.stage("read journeys", journeys.len() as u64)?;
        let mut out = Self {
            channels: journeys.channel_count(),
            ends: Vec::new(),
            touches: Vec::new(),
            conversions: Vec::new(),
            weight: Vec::new(),
            length: Vec::new(),
            place: Vec::new(),
        };
        for j in 0..journeys.len() {
            if j % crate::run::CHUNK == 0 {
                run.advance(crate::run::CHUNK.min(journeys.len() - j) as u64)?;
            }
            let (conversions, open) = (journeys.conversions()[j], journeys.open_weight(j));
            let watched = exposure(journeys, j, horizon);
            let Some(first) = watched.times.first() else { continue };
            let age = |t: &i64| days(watched.end.saturating_sub(*t));
            out.touches.extend(watched.path.iter().zip(watched.times).map(|(c, t)| (*c, age(t))));
            out.ends.push(out.touches.len() as u32);
            out.conversions.push(conversions);
            out.weight.push(conversions + open);
            out.length.push(age(first));
            out.place.push(j as u32);
        }
        Ok(out)
    }

    /// Some of the journeys.
    fn kept(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.len()).filter(|i| keep(self.place[*i] as usize)).collect();
        let pick = |of: &[f64]| rows.iter().map(|i| of[*i]).collect();
        let (mut touches, mut ends) = (Vec::new(), Vec::with_capacity(rows.len()));
        for i in &rows {
            touches.extend_from_slice(self.journey(*i));
            ends.push(touches.len() as u32);
        }
        Self {
            channels: self.channels,
            ends,
            touches,
            conversions: pick(&self.conversions),
            weight: pick(&self.weight),
            length: pick(&self.length),
            place: rows.iter().map(|i| self.place[*i]).collect(),
        }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn journey(&self, j: usize) -> &[(u32, f64)] {
        let start = if j == 0 { 0 } else { self.ends[j - 1] as usize };
        &self.touches[start..self.ends[j] as usize]
    }

    /// Adds up something over journeys, in chunks of one size.
    fn fold<T: Send>(
        &self,
        stage: &'static str,
        run: &Run,
        work: impl Fn(std::ops::Range<usize>) -> T + Sync + Send,
        merge: impl FnMut(T, T) -> T,
    ) -> Result<Option<T>> {
        let n = self.len();
        run.stage(stage, n as u64)?;
        let parts = run.map_items(n.div_ceil(CHUNK), |chunk| {
            let rows = chunk * CHUNK..n.min((chunk + 1) * CHUNK);
            let size = rows.len() as u64;
            let out = work(rows);
            run.advance(size)?;
            Ok(out)
        })?;
        Ok(parts.into_iter().reduce(merge))
    }

    fn responsibilities(&self, theta: &Theta, run: &Run) -> Result<Sums> {
        let part = |rows: std::ops::Range<usize>| {
            let mut sums = Sums { value: 0.0, by_channel: vec![[0.0; 4]; self.channels], baseline: [0.0; 2] };
            let mut rates = Vec::new();
            for j in rows {
                let (conversions, weight) = (self.conversions[j], self.weight[j]);
                rates.clear();
                let mut rate = theta.mu;
                let mut lost = theta.mu * self.length[j];
                sums.baseline[1] += weight * self.length[j];
                for (c, d) in self.journey(j) {
                    let (b, w) = (theta.b[*c as usize], theta.w[*c as usize]);
                    let (left, gone) = (exp(-w * d), -exp_m1(-w * d));
                    rate += b * w * left;
                    lost += b * gone;
                    rates.push(b * w * left);
                    let sums = &mut sums.by_channel[*c as usize];
                    sums[2] += weight * gone;
                    sums[3] += weight * b * d * left;
                }
                sums.value -= weight * lost;
                if conversions > 0.0 {
                    sums.value += conversions * ln(rate);
                    sums.baseline[0] += conversions * theta.mu / rate;
                    for ((c, d), r) in self.journey(j).iter().zip(&rates) {
                        let p = conversions * r / rate;
                        let sums = &mut sums.by_channel[*c as usize];
                        sums[0] += p;
                        sums[1] += p * d;
                    }
                }
            }
            sums
        };
        let merge = |mut a: Sums, b: Sums| {
            a.value += b.value;
            for (x, y) in a.by_channel.iter_mut().flatten().zip(b.by_channel.iter().flatten()) {
                *x += y;
            }
            a.baseline[0] += b.baseline[0];
            a.baseline[1] += b.baseline[1];
            a
        };
        let none = || Sums { value: 0.0, by_channel: vec![[0.0; 4]; self.channels], baseline: [0.0; 2] };
        Ok(self.fold("expect and maximise", run, part, merge)?.unwrap_or_else(none))
    }

    /// The log-likelihood with its gradient and Hessian in ln b and ln w by
    /// channel, and ln μ last where there is a baseline.
    fn evaluate(&self, at: &[f64], baseline: bool, run: &Run) -> Result<Local> {
        let n = at.len();
        let theta = Theta::from_logs(at, self.channels, baseline);
        let part = |rows: std::ops::Range<usize>| {
            let mut local = Local::zero(n);
            // By distinct channel of a journey: first and second derivatives of its rate.
            let mut slot = vec![usize::MAX; self.channels];
            let mut seen: Vec<(usize, [f64; 4])> = Vec::new();
            for j in rows {
                let (conversions, weight) = (self.conversions[j], self.weight[j]);
                seen.clear();
                let mut rate = theta.mu;
                for (c, d) in self.journey(j) {
                    let c = *c as usize;
                    let (b, w) = (theta.b[c], theta.w[c]);
                    let x = w * d;
                    let (left, gone) = (exp(-x), -exp_m1(-x));
                    let (lost, dx) = (weight * b * gone, weight * b * left * x);
                    local.value -= lost;
                    local.gradient[2 * c] -= lost;
                    local.gradient[2 * c + 1] -= dx;
                    local.hessian[2 * c * n + 2 * c] -= lost;
                    local.hessian[(2 * c + 1) * n + 2 * c] -= dx;
                    local.hessian[(2 * c + 1) * n + 2 * c + 1] -= dx * (1.0 - x);
                    if conversions > 0.0 {
                        let g = b * w * left;
                        rate += g;
                        if slot[c] == usize::MAX {
                            slot[c] = seen.len();
                            seen.push((c, [0.0; 4]));
                        }
                        let sums = &mut seen[slot[c]].1;
                        let u = 1.0 - x;
                        for (sum, term) in sums.iter_mut().zip([g, g * u, g * (u * u - x), 0.0]) {
                            *sum += term;
                        }
                    }
                }
                if baseline {
                    let lost = weight * theta.mu * self.length[j];
                    local.value -= lost;
                    local.gradient[n - 1] -= lost;
                    local.hessian[n * n - 1] -= lost;
                }
                if conversions <= 0.0 {
                    continue;
                }
                local.value += conversions * ln(rate);
                // In the order of channels, so that only the lower triangle is touched.
                seen.sort_unstable_by_key(|s| s.0);
                let scale = conversions / rate;
                for (k, (c, [g, h, hh, _])) in seen.iter().enumerate() {
                    slot[*c] = usize::MAX;
                    let (i, l) = (2 * c, 2 * c + 1);
                    local.gradient[i] += scale * g;
                    local.gradient[l] += scale * h;
                    local.hessian[i * n + i] += scale * g;
                    local.hessian[l * n + i] += scale * h;
                    local.hessian[l * n + l] += scale * hh;
                    for (other, [og, oh, _, _]) in &seen[..k] {
                        let (oi, ol) = (2 * other, 2 * other + 1);
                        let s = scale / rate;
                        local.hessian[i * n + oi] -= s * g * og;
                        local.hessian[i * n + ol] -= s * g * oh;
                        local.hessian[l * n + oi] -= s * h * og;
                        local.hessian[l * n + ol] -= s * h * oh;
                    }
                    let s = scale / rate;
                    local.hessian[i * n + i] -= s * g * g;
                    local.hessian[l * n + i] -= s * h * g;
                    local.hessian[l * n + l] -= s * h * h;
                    if baseline {
                        local.hessian[(n - 1) * n + i] -= s * g * theta.mu;
                        local.hessian[(n - 1) * n + l] -= s * h * theta.mu;
                    }
                }
                if baseline {
                    let share = theta.mu / rate;
                    local.gradient[n - 1] += conversions * share;
                    local.hessian[n * n - 1] += conversions * share * (1.0 - share);
                }
            }
            local
        };
        let whole = self.fold("maximise the likelihood", run, part, Local::merge)?;
        Ok(whole.unwrap_or_else(|| Local::zero(n)))
    }
}

impl Theta {
    fn from_logs(at: &[f64], channels: usize, baseline: bool) -> Self {
        Self {
            b: (0..channels).map(|c| exp(at[2 * c])).collect(),
            w: (0..channels).map(|c| exp(at[2 * c + 1])).collect(),
            mu: if baseline { at.last().map_or(0.0, |x| exp(*x)) } else { 0.0 },
        }
    }

    fn logs(&self, baseline: bool) -> Vec<f64> {
        let pairs = self.b.iter().zip(&self.w).flat_map(|(b, w)| [ln(*b), ln(*w)]);
        pairs.chain(baseline.then(|| ln(self.mu))).collect()
    }
}

impl Priors {
    fn value(&self, theta: &Theta) -> f64 {
        let one = |(s, m): (f64, f64), x: f64| if s > 0.0 { s * (ln(x / m) - x / m) } else { 0.0 };
        theta.b.iter().map(|b| one(self.effect, *b)).sum::<f64>()
            + theta.w.iter().map(|w| one(self.decay, *w)).sum::<f64>()
    }

    fn add(&self, theta: &Theta, local: &mut Local) {
        let n = local.gradient.len();
        local.value += self.value(theta);
        for c in 0..theta.b.len() {
            let both = [(2 * c, self.effect, theta.b[c]), (2 * c + 1, self.decay, theta.w[c])];
            for (i, (s, m), x) in both {
                local.gradient[i] += s * (1.0 - x / m);
                local.hessian[i * n + i] -= s * x / m;
            }
        }
    }

    /// The next parameters of EM: of b the maximum, of w the fixed point.
    fn step(&self, theta: &Theta, sums: &Sums) -> Theta {
        let ratio = |a: f64, b: f64, stay: f64| if a > 0.0 && b > 0.0 { a / b } else { stay };
        let per = |(s, m): (f64, f64)| if s > 0.0 { s / m } else { 0.0 };
        let rows = || sums.by_channel.iter().enumerate();
        Theta {
            b: rows()
                .map(|(c, s)| ratio(s[0] + self.effect.0, s[2] + per(self.effect), theta.b[c]))
                .collect(),
            w: rows()
                .map(|(c, s)| ratio(s[0] + self.decay.0, s[1] + s[3] + per(self.decay), theta.w[c]))
                .collect(),
            mu: ratio(sums.baseline[0], sums.baseline[1], theta.mu),
        }
    }
}

impl AdditiveHazard {
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(effect) = self.effect
            && !(effect.is_finite() && effect > 0.0)
        {
            return Err(Error::option("effect", format!("must be above 0, not {effect}")));
        }
        for (name, span) in [("delay", self.delay), ("horizon", self.horizon)] {
            if span.micros() == 0 {
                return Err(Error::option(name, "must be longer than 0, for example \"7d\""));
            }
        }
        self.choice().check(&self.regularised())?;
        if !(self.tolerance.is_finite() && self.tolerance > 0.0) {
            return Err(Error::option("tolerance", "must be above 0, for example 1e-9"));
        }
        Ok(())
    }

    fn choice(&self) -> Choice<'_> {
        Choice { penalties: &self.penalties, folds: self.folds }
    }

    fn regularised(&self) -> [(&'static str, Option<f64>); 2] {
        [("effect_prior", self.effect_prior), ("decay_prior", self.decay_prior)]
    }

    /// The priors' worths, with this one where none is given.
    fn priors(&self, chosen: f64) -> [f64; 2] {
        [self.effect_prior, self.decay_prior].map(|given| given.unwrap_or(chosen))
    }

    /// The maximum with priors of these worths.
    fn maximise(&self, data: &Data, worths: [f64; 2], run: &Run) -> Result<Estimate> {
        let conversions = exact_sum(data.conversions.iter().copied());
        let touches: f64 = (0..data.len()).map(|j| data.weight[j] * data.journey(j).len() as f64).sum();
        let time: f64 = data.length.iter().zip(&data.weight).map(|(l, w)| l * w).sum();
        if time <= 0.0 {
            return Err(Error::not_enough_data(
                "no time passes between touches and conversions or the end of observation, so there are no rates to fit",
            ));
        }
        let (effect, decay) = (self.effect.unwrap_or(conversions / touches), 1.0 / self.delay.days());
        let priors = Priors { effect: (worths[0], effect), decay: (worths[1], decay) };
        let channels = data.channels;
        let mu = if self.baseline_hazard { 0.1 * conversions / time } else { 0.0 };
        let theta = Theta { b: vec![effect; channels], w: vec![decay; channels], mu };
        let mut search = Search { data, priors, trace: Vec::new(), iterations: 0 };

        let steps = if self.method == Method::Em { self.max_iterations } else { WARM };
        let (theta, settled) = search.em(theta, steps, self.tolerance, run)?;
        let baseline = self.baseline_hazard;
        let start = theta.logs(baseline);
        let centre = [ln(effect), ln(decay)];
        let edge = 25.0;
        let mut bounds: Vec<(f64, f64)> =
            (0..2 * channels).map(|i| (centre[i % 2] - edge, centre[i % 2] + edge)).collect();
        if baseline {
            let middle = ln(conversions / time);
            bounds.push((middle - edge, middle + edge));
        }
        let (max_iterations, gradient) = match self.method {
            Method::Newton => (self.max_iterations, self.tolerance * conversions),
            // Only to know the gradient and the curvature where EM ended.
            Method::Em => (0, f64::INFINITY),
        };
        let found = maximise(&start, &bounds, Stop { max_iterations, gradient }, |at| {
            let mut local = data.evaluate(at, baseline, run)?;
            priors.add(&Theta::from_logs(at, channels, baseline), &mut local);
            Ok(local)
        })?;
        search.iterations += found.iterations;
        let converged = if self.method == Method::Em { settled } else { found.converged };
        let on_edge = (0..2 * channels).any(|i| found.bound[i]);
        if !converged || on_edge {
            return Err(Error::NotConverged {
                model: NAME,
                iterations: search.iterations,
                gradient_norm: found.gradient_norm / conversions,
                hint: if worths.contains(&0.0) {
                    "without priors an effect or a delay can run away: give effect_prior and decay_prior 1.0"
                } else {
                    "raise max_iterations, or the priors"
                }
                .into(),
            });
        }
        let theta = Theta::from_logs(&found.at, channels, baseline);
        let prior = priors.value(&theta);
        if self.method == Method::Newton {
            search.trace.push([found.local.value - prior, found.local.value]);
        }
        Ok(Estimate {
            theta,
            log_likelihood: found.local.value - prior,
            standard_errors: standard_errors(&found.local, &found.bound),
            trace: search.trace,
            iterations: search.iterations as u64,
            gradient_norm: found.gradient_norm / conversions,
        })
    }

    fn try_penalties(&self, journeys: &Journeys, data: &Data, run: &Run) -> Result<Tried> {
        // Journeys with times are dealt whole, so those of the folds are these.
        self.choice().choose(
            journeys,
            run,
            |_| Ok(()),
            |(), parts, fold| {
                let [out, others] = [true, false].map(|held| data.kept(|j| parts.has(fold, j) == held));
                let score = |worth: &f64| {
                    let found = self.maximise(&others, self.priors(*worth), run)?;
                    Ok(out.responsibilities(&found.theta, run)?.value)
                };
                let log_likelihoods = self.penalties.iter().map(score).collect::<Result<_>>()?;
                Ok(HeldOut { log_likelihoods, journeys: sum(out.weight.iter().copied()) })
            },
        )
    }

    /// Fits the model to these journeys: each is watched from its first touch
    /// to its conversion, or while open to `horizon` after its last touch, but
    /// not past the end of observation, also where it was built as censored.
    ///
    /// Errors: [`Error::Option`] for journeys without times,
    /// [`Error::NotEnoughData`] where none converts or no time passes,
    /// [`Error::NotConverged`].
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<AdditiveHazardModel> {
        self.check()?;
        Model::AdditiveHazard(self.clone()).check_journeys(journeys)?;
        check_outcomes(NAME, journeys, false)?;
        let data = Data::of(journeys, self.horizon.micros(), run)?;
        let tried = match (self.effect_prior, self.decay_prior) {
            (Some(_), Some(_)) => Tried::default(),
            _ => self.try_penalties(journeys, &data, run)?,
        };
        let priors = self.priors(tried.or_best(None));
        let found = self.maximise(&data, priors, run)?;
        let mut model = AdditiveHazardModel {
            parameters: self.clone(),
            channels: journeys.channel_labels(),
            effects: found.theta.b,
            decays: found.theta.w,
            hazard: found.theta.mu,
            priors,
            tried,
            standard_errors: found.standard_errors,
            log_likelihood: found.log_likelihood,
            trace: found.trace,
            iterations: found.iterations,
            gradient_norm: found.gradient_norm,
            credited: Credited::default(),
        };
        model.credited = Credited::of(&model, journeys, run)?;
        Ok(model)
    }
}

/// Where the maximum is, and how it was found.
struct Estimate {
    theta: Theta,
    log_likelihood: f64,
    standard_errors: Vec<Option<f64>>,
    trace: Vec<[f64; 2]>,
    iterations: u64,
    gradient_norm: f64,
}

struct Search<'a> {
    data: &'a Data,
    priors: Priors,
    trace: Vec<[f64; 2]>,
    iterations: usize,
}

impl Search<'_> {
    /// Steps of EM that never go down; and whether the last rise was small.
    fn em(&mut self, mut theta: Theta, steps: usize, tolerance: f64, run: &Run) -> Result<(Theta, bool)> {
        let value = |theta: &Theta, sums: &Sums| [sums.value, sums.value + self.priors.value(theta)];
        let mut sums = self.data.responsibilities(&theta, run)?;
        let mut now = value(&theta, &sums);
        self.trace.push(now);
        for _ in 0..steps {
            let mut next = self.priors.step(&theta, &sums);
            let mut found = self.data.responsibilities(&next, run)?;
            let mut then = value(&next, &found);
            // The update of w is a fixed point and no maximum: half way where it goes down.
            for _ in 0..40 {
                if then[1] >= now[1] {
                    break;
                }
                next.w = theta.w.iter().zip(&next.w).map(|(x, y)| 0.5 * (x + y)).collect();
                found = self.data.responsibilities(&next, run)?;
                then = value(&next, &found);
            }
            if !then[1].is_finite() || then[1] < now[1] {
                return Ok((theta, false));
            }
            let rise = then[1] - now[1];
            (theta, sums, now) = (next, found, then);
            self.trace.push(now);
            self.iterations += 1;
            if rise < tolerance {
                return Ok((theta, true));
            }
        }
        Ok((theta, false))
    }
}

impl AdditiveHazardModel {
    /// The parameters.
    pub fn parameters(&self) -> &AdditiveHazard {
        &self.parameters
    }

    /// b: the conversions that a touch of each channel brings in all its life.
    pub fn effects(&self) -> &[f64] {
        &self.effects
    }

    /// w, a day: 1 / w is the mean delay between a touch and its conversion.
    pub fn decays(&self) -> &[f64] {
        &self.decays
    }

    /// μ, conversions a day without any touch.
    pub fn hazard(&self) -> f64 {
        self.hazard
    }

    /// How many conversions the priors of b and of w are worth, as given or chosen.
    pub fn priors(&self) -> [f64; 2] {
        self.priors
    }

    /// The standard errors of ln b and ln w of each channel, then of ln μ,
    /// from the curvature of the penalised log-likelihood.
    pub fn standard_errors(&self) -> &[Option<f64>] {
        &self.standard_errors
    }

    /// The log-likelihood, without the priors.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The log-likelihood after each step, and with the priors.
    pub fn trace(&self) -> &[[f64; 2]] {
        &self.trace
    }

    /// The credit of each channel in the journeys that the model was fitted
    /// to: conversions and value.
    pub fn credits(&self) -> &[[f64; 2]] {
        &self.credited.credit
    }

    fn of(&self, channel: u32) -> Option<(f64, f64)> {
        Some((*self.effects.get(channel as usize)?, *self.decays.get(channel as usize)?))
    }

    /// The channels: channel, effect (b), effect_se, decay (w, a day), decay_se,
    /// delay (1 / w, days). Errors are b and w times those of their logarithms.
    pub fn table(&self) -> Table {
        let n = self.channels.len();
        let error = |c: usize, k: usize, x: f64| {
            self.standard_errors.get(2 * c + k).copied().flatten().map(|e| e * x)
        };
        Table::new()
            .with("channel", text(&self.channels))
            .with("effect", Values::F64(self.effects.clone()))
            .with_optional("effect_se", (0..n).map(|c| error(c, 0, self.effects[c])))
            .with("decay", Values::F64(self.decays.clone()))
            .with_optional("decay_se", (0..n).map(|c| error(c, 1, self.decays[c])))
            .with("delay", Values::F64(self.decays.iter().map(|w| 1.0 / w).collect()))
    }
}

impl Learned for AdditiveHazardModel {
    fn spec(&self) -> Model {
        Model::AdditiveHazard(self.parameters.clone())
    }

    fn channels(&self) -> &[String] {
        &self.channels
    }

    fn explain(&self, journey: &Journey<'_>, shares: &mut Vec<f64>) -> Explained {
        let Journey { path, times, end, .. } = *journey;
        // Rates relative to the greatest: long after the last touch all underflow together.
        let rate =
            |(c, t): (&u32, &i64)| self.of(*c).map(|(b, w)| ln(b * w) - w * days(end.saturating_sub(*t)));
        let logs: Vec<Option<f64>> = path.iter().zip(times).map(rate).collect();
        let base = ln(self.hazard);
        let top = logs.iter().flatten().fold(base, |m, x| m.max(*x));
        shares.extend(logs.iter().map(|x| x.map_or(0.0, |x| exp(x - top))));
        let baseline = if self.hazard > 0.0 { exp(base - top) } else { 0.0 };
        let added: f64 = shares.iter().sum();
        let incremental = if added > 0.0 { added / (added + baseline) } else { 0.0 };
        let fallback = !self.parameters.baseline.share(baseline, shares);
        Explained { incremental, fallback }
    }

    fn probability(&self, journey: &Journey<'_>, from: i64) -> Option<f64> {
        let ahead = self.parameters.horizon.days();
        let adds = |(c, t): (&u32, &i64)| match self.of(*c) {
            Some((b, w)) => b * exp(-w * days(from.saturating_sub(*t))) * -exp_m1(-w * ahead),
            None => 0.0,
        };
        let expected = self.hazard * ahead + journey.path.iter().zip(journey.times).map(adds).sum::<f64>();
        Some(-exp_m1(-expected))
    }

    fn report(&self, name: &str) -> Option<(&'static str, Table)> {
        match name {
            "effects" => Some(("effects", self.table())),
            "incremental" => Some(("incremental", self.credited.table(&self.channels))),
            "trace" => {
                let column = |k: usize| Values::F64(self.trace.iter().map(|t| t[k]).collect());
                let steps = (0..self.trace.len() as i64).collect();
                let table = Table::new().with("step", Values::I64(steps));
                Some(("trace", table.with("log_likelihood", column(0)).with("penalised", column(1))))
            }
            "penalties" => Some(self.tried.report()),
            "diagnostics" => {
                let mut lines = vec![
                    ("baseline_rate", self.hazard),
                    ("baseline_conversions", self.credited.baseline[0]),
                    ("log_likelihood", self.log_likelihood),
                    ("iterations", self.iterations as f64),
                    ("gradient_norm", self.gradient_norm),
                    ("fallback", self.credited.fallback),
                ];
                self.tried.diagnose(&self.parameters.regularised(), &mut lines);
                Some(diagnostics(&lines))
            }
            _ => None,
        }
    }
}

impl model::Model for AdditiveHazardModel {
    const KIND: &'static str = "attribution.AdditiveHazard";

    fn check(&self) -> Result<()> {
        let n = self.channels.len();
        let positive = |v: &[f64]| v.len() == n && v.iter().all(|x| x.is_finite() && *x > 0.0);
        let finite = |x: &f64| x.is_finite();
        let sound = self.parameters.check().is_ok()
            && positive(&self.effects)
            && positive(&self.decays)
            && self.hazard.is_finite()
            && self.hazard >= 0.0
            && self.standard_errors.iter().flatten().all(finite)
            && self.trace.iter().flatten().all(finite)
            && [self.log_likelihood, self.gradient_norm].iter().chain(&self.priors).all(finite)
            && self.tried.is_sound()
            && self.credited.is_sound(n);
        if sound { Ok(()) } else { Err(Error::model_file("the additive hazard model contradicts itself")) }
    }
}
