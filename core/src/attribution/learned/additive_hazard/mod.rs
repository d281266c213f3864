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

mod data;

use serde::{Deserialize, Serialize};

use self::data::{Data, Priors, Sums, Theta};
use super::penalty::{Choice, HeldOut, PENALTIES, Tried};
use super::{Baseline, Credited, Explained, Learned, check_outcomes, days, diagnostics, text};
use crate::attribution::Model;
use crate::column::{Duration, Table, Values};
use crate::journey::{Journey, Journeys};
use crate::math::ascent::{maximise, standard_errors};
use crate::math::newton::Stop;
use crate::math::{exact_sum, exp, exp_m1, ln, sum};
use crate::model;
use crate::run::Run;
use crate::{Error, Result};

const NAME: &str = "additive_hazard";
/// Steps of EM before Newton's.
const WARM: usize = 12;

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
