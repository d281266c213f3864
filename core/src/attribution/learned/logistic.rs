//! Bagged logistic regression (Shao & Li 2011).
//!
//! *Data-driven multi-touch attribution models*, KDD 2011, section 3.1. The
//! features of a journey are its channels. Many bags are drawn, each of a share
//! of the journeys and a share of the channels, a ridge regression is fitted to
//! each, and their coefficients are averaged, which keeps channels that occur
//! together from taking each other's effect. The intercept is then fitted again,
//! so that predicted conversions add up to those observed. Journeys with equal
//! features are one row with a weight: a million paths over 15 channels are at
//! most 32,768 rows.
//!
//! The order and the time of touches play no part, and what makes people meet
//! more channels counts as the effect of the channels.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::glm::{Design, Family, Glm};
use super::penalty::{Choice, HeldOut, PENALTIES, Tried};
use super::rows::{Rows, Sequences, rows};
use super::{
    Credited, Explained, Learned, check_outcomes, diagnostics, share_of_one, spread, tally, text,
    unordered_sum,
};
use crate::attribution::Model;
use crate::attribution::twins::{Marked, Twins, average};
use crate::attribution::validate::binomial;
use crate::column::{Table, Values};
use crate::journey::{Journey, Journeys};
use crate::math::ascent::{Optimum, standard_errors};
use crate::math::newton::Stop;
use crate::math::{exact_sum, exp, ln, ln_1p, sum};
use crate::model;
use crate::run::{Run, unit};
use crate::{Error, Result};

const NAME: &str = "logistic";
/// No coefficient goes further: odds of e⁵⁰ are certainty.
const FURTHEST: f64 = 50.0;
/// Without a penalty, a coefficient past this has run away: no data holds odds of e¹⁵.
const RUN_AWAY: f64 = 15.0;

/// What a channel's feature is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelFeatures {
    /// 1 if the journey has the channel, else 0. The default.
    #[default]
    Presence,
    /// ln(1 + how often), of at most `cap` touches.
    Counts,
}

/// How a journey's conversion is split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogisticCredit {
    /// In proportion to what the probability falls by without the channel. The default.
    #[default]
    Counterfactual,
    /// In proportion to coefficient times feature, which are the Shapley
    /// values of the log odds.
    Coefficient,
}

/// The parameters of a bagged logistic regression.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::Logistic;
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new()
///     .with("path", vec!["a", "b", "a > b"])
///     .with("conversions", vec![10.0, 30.0, 40.0])
///     .with("nulls", vec![90.0, 70.0, 60.0]);
/// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
/// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
/// let logistic = Logistic { bags: 0, penalty: Some(0.0), ..Logistic::default() };
/// let model = logistic.fit(&journeys, &Run::new())?;
/// assert!(model.coefficients()[1] > model.coefficients()[0]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logistic {
    /// What a channel's feature is.
    pub features: ChannelFeatures,
    /// Most touches of one channel that count. Default 10.
    pub cap: u32,
    /// λ of the ridge ½ λ Σ β² on the coefficients; none: the one of
    /// `penalties` with the highest held-out likelihood. Default none.
    pub penalty: Option<f64>,
    /// What `penalty` is chosen from. Default 0.1, 1, 10, 100.
    pub penalties: Vec<f64>,
    /// Folds of the choice, by customer. Default 5.
    pub folds: usize,
    /// Whether coefficients must not be negative. Default true.
    pub non_negative: bool,
    /// How many bags; 0 fits all journeys and channels once. Default 20.
    pub bags: usize,
    /// The share of journeys in a bag. Default 0.5.
    pub sample_share: f64,
    /// The share of channels in a bag. Default 0.5.
    pub feature_share: f64,
    /// How a journey's conversion is split.
    pub credit: LogisticCredit,
    /// Most Newton steps of a fit. Default 100.
    pub max_iterations: usize,
}

impl Default for Logistic {
    fn default() -> Self {
        Self {
            features: ChannelFeatures::default(),
            cap: 10,
            penalty: None,
            penalties: PENALTIES.to_vec(),
            folds: 5,
            non_negative: true,
            bags: 20,
            sample_share: 0.5,
            feature_share: 0.5,
            credit: LogisticCredit::default(),
            max_iterations: 100,
        }
    }
}

/// A fitted logistic regression.
///
/// Saves and loads as `attribution.Logistic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticModel {
    parameters: Logistic,
    channels: Vec<String>,
    intercept: f64,
    coefficients: Vec<f64>,
    /// Of a single fit its standard errors, of bags their standard deviation.
    spreads: Vec<Option<f64>>,
    /// How many bags each channel was in.
    bags: Vec<u64>,
    penalty: f64,
    tried: Tried,
    rows: u64,
    log_likelihood: f64,
    /// Mean deviance of a journey: in the fit, out of the bags, of the rate alone.
    deviance: f64,
    out_of_bag: Option<f64>,
    null_deviance: f64,
    credited: Credited,
}

impl Logistic {
    pub(crate) fn check(&self) -> Result<()> {
        if self.cap == 0 {
            return Err(Error::option("cap", "must be at least 1"));
        }
        self.choice().check(&[("penalty", self.penalty)])?;
        if self.bags > 100_000 {
            return Err(Error::option("bags", "must be at most 100000"));
        }
        share_of_one("sample_share", self.sample_share)?;
        share_of_one("feature_share", self.feature_share)
    }

    fn key(&self, path: &[u32], key: &mut Vec<u32>) {
        for (channel, count) in tally(path) {
            key.push(channel);
            if self.features == ChannelFeatures::Counts {
                key.push(count.min(self.cap));
            }
        }
    }

    fn feature(&self, count: u32) -> f64 {
        match self.features {
            ChannelFeatures::Presence => 1.0,
            ChannelFeatures::Counts => ln_1p(f64::from(count.min(self.cap))),
        }
    }

    fn design(&self, keys: &Sequences, channels: usize) -> Design {
        let mut design = Design { columns: channels + 1, ..Design::default() };
        for i in 0..keys.len() {
            match self.features {
                ChannelFeatures::Presence => {
                    design.entries.extend(keys.get(i).iter().map(|c| (c + 1, 1.0)));
                }
                ChannelFeatures::Counts => {
                    design.entries.extend(keys.get(i).chunks(2).map(|e| (e[0] + 1, self.feature(e[1]))));
                }
            }
            design.ends.push(design.entries.len() as u32);
        }
        design
    }

    /// The channels that rows with these conversions and nulls cannot tell apart.
    fn twins(&self, keys: &Sequences, a: &[f64], b: &[f64], channels: usize) -> Twins {
        let mut table = Marked::default();
        for i in 0..keys.len() {
            match self.features {
                ChannelFeatures::Presence => table.push(keys.get(i).iter().map(|c| (*c, 0)), [a[i], b[i]]),
                ChannelFeatures::Counts => {
                    table.push(keys.get(i).chunks(2).map(|e| (e[0], e[1])), [a[i], b[i]]);
                }
            }
        }
        table.twins(channels)
    }

    fn bounds(&self, channels: usize) -> Vec<(f64, f64)> {
        let low = if self.non_negative { 0.0 } else { -FURTHEST };
        let slopes = std::iter::repeat_n((low, FURTHEST), channels);
        std::iter::once((-FURTHEST, FURTHEST)).chain(slopes).collect()
    }

    fn maximise(&self, glm: &Glm<'_>, start: &[f64], bounds: &[(f64, f64)], run: &Run) -> Result<Optimum> {
        let n = sum(glm.a.iter().chain(glm.b).copied()).max(1.0);
        let stop = Stop { max_iterations: self.max_iterations, gradient: 1e-9 * n };
        let found = glm.fit(start, bounds, stop, run)?;
        let runs_away = found.at[1..].iter().any(|b| b.abs() >= RUN_AWAY);
        if found.converged && !(runs_away && glm.ridge == 0.0) {
            return Ok(found);
        }
        Err(Error::NotConverged {
            model: NAME,
            iterations: found.iterations,
            gradient_norm: found.gradient_norm / n,
            hint: if glm.ridge == 0.0 {
                "a channel separates the conversions from the rest: give a penalty such as 1.0".into()
            } else {
                "raise max_iterations, or the penalty".into()
            },
        })
    }

    fn choice(&self) -> Choice<'_> {
        Choice { penalties: &self.penalties, folds: self.folds }
    }

    fn try_penalties(&self, journeys: &Journeys, run: &Run) -> Result<Tried> {
        let channels = journeys.channel_count();
        let bounds = self.bounds(channels);
        let prepare = |dealt: &Journeys| {
            let rows = rows(dealt, run, |j, key| self.key(j.path, key))?;
            let design = self.design(&rows.keys, channels);
            Ok((rows, design))
        };
        self.choice().choose(journeys, run, prepare, |(rows, design), parts, fold| {
            let [[out_a, out_b], [a, b]] = rows.parted(&parts.weights(fold));
            let mut at = start(&a, &b, channels);
            let mut log_likelihoods = Vec::with_capacity(self.penalties.len());
            for penalty in &self.penalties {
                let glm = Glm { family: Family::Binomial, design, a: &a, b: &b, ridge: *penalty };
                at = self.maximise(&glm, &at, &bounds, run)?.at;
                let out = Glm { a: &out_a, b: &out_b, ..glm };
                log_likelihoods.push(out.log_likelihood(&at, run)?);
            }
            Ok(HeldOut { log_likelihoods, journeys: sum(out_a.iter().chain(&out_b).copied()) })
        })
    }

    /// Fits the regression to these journeys, open ones as failures;
    /// conversions without a touch are no part of it. Bags and folds depend on
    /// the run's seed.
    ///
    /// Errors: [`Error::NotEnoughData`] where none converts or all do,
    /// [`Error::NotConverged`] where a channel separates the conversions and
    /// there is no penalty.
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<LogisticModel> {
        self.check()?;
        check_outcomes(NAME, journeys, true)?;
        let tried = match self.penalty {
            Some(_) => Tried::default(),
            None => self.try_penalties(journeys, run)?,
        };
        let penalty = tried.or_best(self.penalty);

        let channels = journeys.channel_count();
        let Rows { keys, conversions: a, nulls: b, .. } =
            rows(journeys, run, |j, key| self.key(j.path, key))?;
        let design = self.design(&keys, channels);
        let whole = Glm { family: Family::Binomial, design: &design, a: &a, b: &b, ridge: penalty };
        let bounds = self.bounds(channels);
        let first = self.maximise(&whole, &start(&a, &b, channels), &bounds, run)?;

        let mut fitted = Averaged {
            coefficients: first.at[1..].to_vec(),
            spreads: standard_errors(&first.local, &first.bound)[1..].to_vec(),
            bags: vec![0; channels],
            out_of_bag: None,
        };
        let mut at = first.at;
        if self.bags > 0 {
            fitted = self.bagged(&whole, &at, run)?;
        }
        fitted.settle(&self.twins(&keys, &a, &b, channels));
        at[1..].copy_from_slice(&fitted.coefficients);
        if self.bags > 0 {
            let fixed: Vec<(f64, f64)> =
                at.iter().enumerate().map(|(i, x)| if i == 0 { bounds[0] } else { (*x, *x) }).collect();
            at = self.maximise(&whole, &at, &fixed, run)?.at;
        }
        let log_likelihood = whole.log_likelihood(&at, run)?;
        let alone = whole.log_likelihood(&start(&a, &b, channels), run)?;
        let n = sum(a.iter().chain(&b).copied());
        let mut model = LogisticModel {
            parameters: self.clone(),
            channels: journeys.channel_labels(),
            intercept: at[0],
            coefficients: fitted.coefficients,
            spreads: fitted.spreads,
            bags: fitted.bags,
            penalty,
            tried,
            rows: keys.len() as u64,
            log_likelihood,
            deviance: -2.0 * log_likelihood / n,
            out_of_bag: fitted.out_of_bag,
            null_deviance: -2.0 * alone / n,
            credited: Credited::default(),
        };
        model.credited = Credited::of(&model, journeys, run)?;
        Ok(model)
    }

    fn bagged(&self, whole: &Glm<'_>, from: &[f64], run: &Run) -> Result<Averaged> {
        let channels = whole.design.columns - 1;
        let take = ((self.feature_share * channels as f64).round() as usize).clamp(1, channels);
        let bags = run.map_items(self.bags, |bag| {
            let mut rng = run.rng(bag as u64);
            let mut chosen = vec![false; channels];
            let mut order: Vec<usize> = (0..channels).collect();
            for i in 0..take {
                let other = i + (unit(rng.next_u64()) * (channels - i) as f64) as usize;
                order.swap(i, other.min(channels - 1));
                chosen[order[i]] = true;
            }
            let mut draw = |all: &[f64]| -> Vec<f64> {
                all.iter().map(|n| binomial(&mut rng, *n, self.sample_share)).collect()
            };
            let (a, b) = (draw(whole.a), draw(whole.b));
            let mut bounds = self.bounds(channels);
            for (bound, chosen) in bounds[1..].iter_mut().zip(&chosen) {
                if !chosen {
                    *bound = (0.0, 0.0);
                }
            }
            let glm = Glm { a: &a, b: &b, ..*whole };
            let at = self.maximise(&glm, from, &bounds, run)?.at;
            let rest =
                |all: &[f64], bag: &[f64]| -> Vec<f64> { all.iter().zip(bag).map(|(x, y)| x - y).collect() };
            let (out_a, out_b) = (rest(whole.a, &a), rest(whole.b, &b));
            let outside = Glm { a: &out_a, b: &out_b, ..*whole };
            let n = sum(out_a.iter().chain(&out_b).copied());
            let score = outside.log_likelihood(&at, run)?;
            Ok((at, chosen, [score, n]))
        })?;
        let mut out = Averaged::default();
        for c in 0..channels {
            let values: Vec<f64> = bags.iter().filter(|b| b.1[c]).map(|b| b.0[c + 1]).collect();
            let n = values.len() as f64;
            let mean = if n > 0.0 { sum(values.iter().copied()) / n } else { 0.0 };
            let squares = sum(values.iter().map(|v| (v - mean) * (v - mean)));
            out.coefficients.push(mean);
            out.spreads.push((n > 1.0).then(|| (squares / (n - 1.0)).sqrt()));
            out.bags.push(values.len() as u64);
        }
        let n = sum(bags.iter().map(|b| b.2[1]));
        out.out_of_bag = (n > 0.0).then(|| -2.0 * sum(bags.iter().map(|b| b.2[0])) / n);
        Ok(out)
    }
}

#[derive(Default)]
struct Averaged {
    coefficients: Vec<f64>,
    spreads: Vec<Option<f64>>,
    bags: Vec<u64>,
    out_of_bag: Option<f64>,
}

impl Averaged {
    /// Gives channels that the data cannot tell apart the same coefficient: bags
    /// and the last digits of a fit are all that differs between them.
    fn settle(&mut self, twins: &Twins) {
        average(twins, &mut self.coefficients);
        for class in twins {
            let squares = class.iter().map(|c| self.spreads[*c as usize].map(|s| s * s));
            let sum = squares.sum::<Option<f64>>();
            let spread = sum.map(|sum| (sum / class.len() as f64).sqrt());
            class.iter().for_each(|c| self.spreads[*c as usize] = spread);
        }
    }
}

/// The rate alone.
fn start(a: &[f64], b: &[f64], channels: usize) -> Vec<f64> {
    let [a, b] = [a, b].map(|w| exact_sum(w.iter().copied()));
    let mut at = vec![0.0; channels + 1];
    at[0] = ln(a.max(1e-9) / b.max(1e-9)).clamp(-FURTHEST, FURTHEST);
    at
}

impl LogisticModel {
    /// The parameters.
    pub fn parameters(&self) -> &Logistic {
        &self.parameters
    }

    /// The log odds of converting without any channel.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// What each channel adds to the log odds.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// The penalty that was given or chosen.
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// The log-likelihood of all journeys, without the penalty.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The mean deviance of journeys out of the bags that predict them; `None` without bags.
    pub fn out_of_bag_deviance(&self) -> Option<f64> {
        self.out_of_bag
    }

    fn coefficient(&self, channel: u32) -> f64 {
        self.coefficients.get(channel as usize).copied().unwrap_or(0.0)
    }

    /// What the channels of a journey add to the log odds.
    fn adds(&self, tally: &[(u32, u32)]) -> Vec<f64> {
        tally.iter().map(|(c, n)| self.coefficient(*c) * self.parameters.feature(*n)).collect()
    }

    /// The coefficients: channel, coefficient, spread (the standard error, or
    /// with bags the standard deviation between them), bags.
    pub fn table(&self) -> Table {
        Table::new()
            .with("channel", text(&self.channels))
            .with("coefficient", Values::F64(self.coefficients.clone()))
            .with_optional("spread", self.spreads.iter().copied())
            .with("bags", Values::I64(self.bags.iter().map(|b| *b as i64).collect()))
    }
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + exp(-log_odds))
}

impl Learned for LogisticModel {
    fn spec(&self) -> Model {
        Model::Logistic(self.parameters.clone())
    }

    fn channels(&self) -> &[String] {
        &self.channels
    }

    fn explain(&self, journey: &Journey<'_>, shares: &mut Vec<f64>) -> Explained {
        let counts = tally(journey.path);
        let adds = self.adds(&counts);
        let log_odds = self.intercept + unordered_sum(&adds);
        let p = probability(log_odds);
        let weight = |add: &f64| match self.parameters.credit {
            LogisticCredit::Counterfactual => (p - probability(log_odds - add)).max(0.0),
            LogisticCredit::Coefficient => add.max(0.0),
        };
        let weights: Vec<f64> = adds.iter().map(weight).collect();
        let fallback = !spread(journey.path, &counts, &weights, shares);
        let incremental = (1.0 - probability(self.intercept) / p).clamp(0.0, 1.0);
        Explained { incremental, fallback }
    }

    fn probability(&self, journey: &Journey<'_>, _from: i64) -> Option<f64> {
        Some(probability(self.intercept + unordered_sum(&self.adds(&tally(journey.path)))))
    }

    fn report(&self, name: &str) -> Option<(&'static str, Table)> {
        match name {
            "coefficients" => Some(("coefficients", self.table())),
            "penalties" => Some(self.tried.report()),
            "diagnostics" => {
                let mut lines = vec![
                    ("intercept", self.intercept),
                    ("penalty", self.penalty),
                    ("rows", self.rows as f64),
                    ("log_likelihood", self.log_likelihood),
                    ("deviance", self.deviance),
                    ("null_deviance", self.null_deviance),
                    ("fallback", self.credited.fallback),
                ];
                if let Some(out) = self.out_of_bag {
                    lines.push(("out_of_bag_deviance", out));
                }
                self.tried.diagnose(&[], &mut lines);
                Some(diagnostics(&lines))
            }
            "incremental" => Some(("incremental", self.credited.table(&self.channels))),
            _ => None,
        }
    }
}

impl model::Model for LogisticModel {
    const KIND: &'static str = "attribution.Logistic";

    fn check(&self) -> Result<()> {
        let n = self.channels.len();
        let finite = |x: &f64| x.is_finite();
        let sound = self.parameters.check().is_ok()
            && self.intercept.is_finite()
            && self.coefficients.len() == n
            && self.coefficients.iter().all(finite)
            && self.spreads.len() == n
            && self.spreads.iter().flatten().all(finite)
            && self.bags.len() == n
            && self.tried.is_sound()
            && [self.penalty, self.log_likelihood, self.deviance, self.null_deviance].iter().all(finite)
            && self.out_of_bag.iter().all(finite)
            && self.credited.is_sound(n);
        if sound { Ok(()) } else { Err(Error::model_file("the logistic model contradicts itself")) }
    }
}
