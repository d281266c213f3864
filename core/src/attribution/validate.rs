//! How well do the models predict conversions that they have not seen?
//!
//! Journeys are dealt into folds, each model is fitted to all folds but one and
//! predicts that one. A model whose predictions are no better than the overall
//! rate has learned nothing about conversions, and its credits say little. The
//! reverse does not hold: predicting well is not knowing causes.
//!
//! | model | P(conversion) of a journey |
//! | --- | --- |
//! | `markov` | of all journeys that end in the state of the last touches, the share that convert: c(s) / (c(s) + n(s)); the overall rate for a state that never was last |
//! | `path_counterfactual` | the rate of the transformed path; the overall rate for a path never seen |
//! | `logistic` | of the regression |
//! | `time_to_event`, `additive_hazard` | of converting within the model's `horizon` after the last touch, 1 − exp(−∫ rate) |
//!
//! No prediction looks at when or whether the journey ended.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Fitted, MarkovModel, Model, model};
use crate::column::{Table, Text, Values};
use crate::journey::{Journey, Journeys, PathCounts};
use crate::math::{ExactSum, ln, ln_1p, normal_quantile};
use crate::run::{Run, unit_open};
use crate::{Error, Result};

/// Predicts whether journeys convert, in the codes of the channels of the
/// journeys that the model was fitted to.
pub trait Predicts: Debug + Send + Sync {
    /// P(conversion) of a journey with at least one touch, 0 to 1.
    fn predict(&self, journey: &Journey<'_>) -> f64;
}

/// Options of [`validate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidateOptions {
    /// The models, one or more; rules do not predict.
    pub models: Vec<Model>,
    /// How many folds, 2 to 100. Default 5.
    pub folds: usize,
    /// How many bins of equal weight the calibration has, 2 to 1000. Default 10.
    pub bins: usize,
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self { models: Vec::new(), folds: 5, bins: 10 }
    }
}

/// How well one model predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// The model's name.
    pub model: String,
    /// Journeys that were predicted.
    pub journeys: f64,
    /// Those of them that converted.
    pub conversions: f64,
    /// −log P of what happened, a journey. Predictions are kept 1e-6 away from 0 and 1.
    pub log_loss: f64,
    /// The same of the overall rate.
    pub null_log_loss: f64,
    /// P(a journey that converts is predicted higher than one that does not), ties counting half.
    pub auc: f64,
    /// The mean squared error.
    pub brier: f64,
    /// Journeys whose prediction was 0 or 1 to within 1e-6.
    pub clipped: f64,
    /// Bins of predictions: journeys, mean prediction, share that converted.
    pub calibration: Vec<[f64; 3]>,
}

/// Journeys dealt into folds.
///
/// All journeys of a customer are in the fold that the customer's label and
/// the run's seed say. Journeys from paths have no customers: each of the
/// journeys that a path counts for is dealt by itself, from a random stream
/// that belongs to the path.
#[derive(Clone, Debug)]
pub struct Folds {
    journeys: Journeys,
    count: usize,
    dealt: Dealt,
}

#[derive(Clone, Debug)]
enum Dealt {
    Whole(Vec<u32>),
    /// By fold, conversions and nulls of each path.
    Split(Vec<[Vec<f64>; 2]>),
}

/// Deals journeys into this many folds.
pub fn folds(journeys: &Journeys, count: usize, run: &Run) -> Result<Folds> {
    if !(2..=100).contains(&count) {
        return Err(Error::option("folds", format!("must be 2 to 100, not {count}")));
    }
    if journeys.has_times() {
        let state = foldhash::quality::FixedState::with_seed(run.seed_value());
        let mut known: HashMap<u32, u32> = HashMap::new();
        let fold = |j: usize| {
            let customer = journeys.customer(j).unwrap_or_default();
            *known.entry(customer).or_insert_with(|| {
                let mut hasher = state.build_hasher();
                match &journeys.customers {
                    Some(labels) => hasher.write(labels.get(customer).as_bytes()),
                    None => hasher.write_u32(customer),
                }
                (hasher.finish() % count as u64) as u32
            })
        };
        let dealt = (0..journeys.len()).map(fold).collect();
        return Ok(Folds { journeys: journeys.clone(), count, dealt: Dealt::Whole(dealt) });
    }
    let journeys = Journeys::from_counts(&PathCounts::of(journeys, run)?);
    let n = journeys.len();
    let mut dealt = vec![[vec![0.0; n], vec![0.0; n]]; count];
    let state = foldhash::quality::FixedState::default();
    for j in 0..n {
        if j % 4096 == 0 {
            run.check()?;
        }
        let mut hasher = state.build_hasher();
        for c in journeys.path(j) {
            hasher.write(journeys.channel_label(*c).as_bytes());
            hasher.write_u8(0xff);
        }
        let mut rng = run.rng(hasher.finish());
        for (k, all) in [journeys.conversions(), journeys.nulls()].into_iter().enumerate() {
            let mut left = all[j];
            for (fold, weights) in dealt.iter_mut().enumerate() {
                let rest = (count - fold) as f64;
                let mine = if fold + 1 == count { left } else { binomial(&mut rng, left, 1.0 / rest) };
                weights[k][j] = mine;
                left -= mine;
            }
        }
    }
    Ok(Folds { journeys, count, dealt: Dealt::Split(dealt) })
}

impl Folds {
    /// How many folds there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The journeys that were dealt; of paths, one for each distinct path.
    pub fn journeys(&self) -> &Journeys {
        &self.journeys
    }

    /// Whether a journey is in this fold; of paths, which are dealt in parts, never.
    pub(super) fn has(&self, fold: usize, journey: usize) -> bool {
        matches!(&self.dealt, Dealt::Whole(dealt) if dealt.get(journey) == Some(&(fold as u32)))
    }

    /// What the journeys count for in this fold: conversions and nulls.
    pub fn weights(&self, fold: usize) -> [Vec<f64>; 2] {
        let all = [self.journeys.conversions(), self.journeys.nulls()];
        match &self.dealt {
            Dealt::Split(weights) => {
                weights.get(fold).cloned().unwrap_or_else(|| all.map(|w| vec![0.0; w.len()]))
            }
            Dealt::Whole(dealt) => all.map(|w| {
                let mine = |(w, f): (&f64, &u32)| if *f as usize == fold { *w } else { 0.0 };
                w.iter().zip(dealt).map(mine).collect()
            }),
        }
    }

    /// The journeys of this fold.
    pub fn test(&self, fold: usize) -> Journeys {
        if let Dealt::Whole(dealt) = &self.dealt {
            return self.journeys.select(|j| dealt[j] as usize == fold);
        }
        let [conversions, nulls] = self.weights(fold);
        self.journeys.reweighted(&conversions, &nulls)
    }

    /// The journeys of all folds but this one.
    pub fn train(&self, fold: usize) -> Journeys {
        if let Dealt::Whole(dealt) = &self.dealt {
            return self.journeys.select(|j| dealt[j] as usize != fold);
        }
        let [conversions, nulls] = self.weights(fold);
        let rest = |all: &[f64], mine: &[f64]| -> Vec<f64> {
            all.iter().zip(mine).map(|(a, m)| (a - m).max(0.0)).collect()
        };
        let conversions = rest(self.journeys.conversions(), &conversions);
        let nulls = rest(self.journeys.nulls(), &nulls);
        self.journeys.reweighted(&conversions, &nulls)
    }
}

/// Units drawn one by one up to this many; beyond it the normal limit serves.
const ONE_BY_ONE: f64 = 4096.0;

/// How many of `n` units are drawn, each with probability `p`; what `n` has
/// beyond whole units goes along with one more.
pub(super) fn binomial(rng: &mut impl Rng, n: f64, p: f64) -> f64 {
    let mut uniform = || unit_open(rng.next_u64());
    let whole = n.floor();
    let part = if n > whole && uniform() < p { n - whole } else { 0.0 };
    if p >= 1.0 {
        return n;
    }
    if whole <= ONE_BY_ONE {
        return part + (0..whole as u32).map(|_| f64::from(u8::from(uniform() < p))).sum::<f64>();
    }
    let (mean, deviation) = (whole * p, (whole * p * (1.0 - p)).sqrt());
    part + (mean + deviation * normal_quantile(uniform())).round().clamp(0.0, whole)
}

/// The chain's view: what ends in a state converts as often as others that did.
#[derive(Debug)]
struct ByLastState {
    order: usize,
    rates: HashMap<Vec<u32>, f64>,
    overall: f64,
}

impl Predicts for ByLastState {
    fn predict(&self, journey: &Journey<'_>) -> f64 {
        let path = journey.path;
        let state = &path[path.len().saturating_sub(self.order)..];
        self.rates.get(state).copied().unwrap_or(self.overall)
    }
}

/// A predictor from a Markov chain.
pub(super) fn by_last_state(model: &MarkovModel) -> Box<dyn Predicts> {
    let ends = model.ends().filter(|(_, c, n)| c + n > 0.0);
    let rates = ends.map(|(state, c, n)| (state.to_vec(), c / (c + n))).collect();
    Box::new(ByLastState { order: model.parameters().order, rates, overall: model.conversion_probability() })
}

/// The prediction of one journey, without a table of all states.
pub(super) fn of_last_state(model: &MarkovModel, journey: &Journey<'_>) -> f64 {
    let path = journey.path;
    let state = &path[path.len().saturating_sub(model.parameters().order)..];
    let found = model.ends().find(|(other, c, n)| *other == state && c + n > 0.0);
    found.map_or(model.conversion_probability(), |(_, c, n)| c / (c + n))
}

/// Predictions nearer than this to 0 or 1 are moved away.
const EDGE: f64 = 1e-6;

/// Fits each model to all folds but one, and scores its predictions of that one.
///
/// Conversions without a touch are left out. Errors: [`Error::Option`] for a
/// model that does not predict, and what the fits give.
pub fn validate(journeys: &Journeys, options: &ValidateOptions, run: &Run) -> Result<Vec<Validation>> {
    let names = model::labels(&options.models)?;
    if !(2..=1000).contains(&options.bins) {
        return Err(Error::option("bins", format!("must be 2 to 1000, not {}", options.bins)));
    }
    for model in &options.models {
        if !model.predicts() {
            let name = model.name();
            return Err(Error::option("models", format!("{name} predicts nothing: leave it out")));
        }
        model.check_journeys(journeys)?;
    }
    let dealt = folds(journeys, options.folds, run)?;
    let mut predictions = vec![Vec::new(); names.len()];
    let mut by_rate = Vec::new();
    for fold in 0..options.folds {
        let (train, test) = (dealt.train(fold), dealt.test(fold));
        let rate = rate(&train);
        let touched: Vec<usize> = (0..test.len()).filter(|j| !test.path(*j).is_empty()).collect();
        let outcome = |j: usize, p: f64| [p, test.conversions()[j], test.nulls()[j]];
        by_rate.extend(touched.iter().map(|j| outcome(*j, rate)));
        for (model, out) in options.models.iter().zip(&mut predictions) {
            let fitted = Fitted::fit(model, &train, run)?;
            let Some(predictor) = fitted.predictor() else { continue };
            let chunks = run.map_chunks("predict", touched.len(), |rows| {
                Ok(rows.map(|i| outcome(touched[i], predictor.predict(&test.journey(touched[i])))).collect())
            })?;
            out.extend(chunks.into_iter().flat_map(|chunk: Vec<[f64; 3]>| chunk));
        }
    }
    let null_log_loss = mean(&by_rate, |[p, c, n]| log_loss(*p, *c, *n));
    let score = |(name, rows): (String, Vec<[f64; 3]>)| score(name, rows, null_log_loss, options.bins);
    Ok(names.into_iter().zip(predictions).map(score).collect())
}

/// The share of journeys with a touch that convert.
fn rate(journeys: &Journeys) -> f64 {
    let mut sums = [ExactSum::new(), ExactSum::new()];
    for j in (0..journeys.len()).filter(|j| !journeys.path(*j).is_empty()) {
        sums[0].add(journeys.conversions()[j]);
        sums[1].extend([journeys.conversions()[j], journeys.nulls()[j]]);
    }
    let [conversions, all] = sums.map(|s| s.value());
    if all > 0.0 { conversions / all } else { 0.0 }
}

fn clip(p: f64) -> f64 {
    p.clamp(EDGE, 1.0 - EDGE)
}

/// −log P of so many conversions and nulls, each predicted by `p`.
pub(super) fn log_loss(p: f64, conversions: f64, nulls: f64) -> f64 {
    -conversions * ln(clip(p)) - nulls * ln_1p(-clip(p))
}

fn total(rows: &[[f64; 3]], term: impl Fn(&[f64; 3]) -> f64) -> f64 {
    let mut sum = ExactSum::new();
    sum.extend(rows.iter().map(term));
    sum.value()
}

fn mean(rows: &[[f64; 3]], term: impl Fn(&[f64; 3]) -> f64) -> f64 {
    let n = total(rows, |r| r[1]) + total(rows, |r| r[2]);
    if n > 0.0 { total(rows, term) / n } else { 0.0 }
}

/// Scores predictions: P(conversion), conversions, nulls.
fn score(model: String, mut rows: Vec<[f64; 3]>, null_log_loss: f64, bins: usize) -> Validation {
    rows.sort_unstable_by(|a, b| {
        a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])).then(a[2].total_cmp(&b[2]))
    });
    let (conversions, nulls) = (total(&rows, |r| r[1]), total(&rows, |r| r[2]));
    let all = conversions + nulls;
    // Pairs of a conversion and a null below it, ties counting half.
    let (mut below, mut before, mut ordered) = (0.0, 0.0, ExactSum::new());
    let mut bin = vec![[0.0; 3]; bins];
    for tie in rows.chunk_by(|a, b| a[0] == b[0]) {
        let (c, n) = (total(tie, |r| r[1]), total(tie, |r| r[2]));
        ordered.add(c * (below + 0.5 * n));
        let middle = if all > 0.0 { (before + 0.5 * (c + n)) / all } else { 0.0 };
        let into = &mut bin[((middle * bins as f64) as usize).min(bins - 1)];
        into[0] += c + n;
        into[1] += tie[0][0] * (c + n);
        into[2] += c;
        below += n;
        before += c + n;
    }
    let share = |x: f64, of: f64| if of > 0.0 { x / of } else { 0.0 };
    bin.retain(|b| b[0] > 0.0);
    Validation {
        model,
        journeys: all,
        conversions,
        log_loss: mean(&rows, |[p, c, n]| log_loss(*p, *c, *n)),
        null_log_loss,
        auc: if conversions > 0.0 && nulls > 0.0 { ordered.value() / (conversions * nulls) } else { 0.5 },
        brier: mean(&rows, |[p, c, n]| c * (1.0 - p) * (1.0 - p) + n * p * p),
        clipped: total(&rows, |[p, c, n]| if *p == clip(*p) { 0.0 } else { c + n }),
        calibration: bin.iter().map(|b| [b[0], share(b[1], b[0]), share(b[2], b[0])]).collect(),
    }
}

/// The scores as a table: model, journeys, conversions, log_loss,
/// null_log_loss, auc, brier, clipped.
pub fn validation_table(found: &[Validation]) -> Table {
    let column = |f: fn(&Validation) -> f64| Values::F64(found.iter().map(f).collect());
    Table::new()
        .with("model", Values::Text(found.iter().map(|v| v.model.as_str()).collect()))
        .with("journeys", column(|v| v.journeys))
        .with("conversions", column(|v| v.conversions))
        .with("log_loss", column(|v| v.log_loss))
        .with("null_log_loss", column(|v| v.null_log_loss))
        .with("auc", column(|v| v.auc))
        .with("brier", column(|v| v.brier))
        .with("clipped", column(|v| v.clipped))
}

/// Predicted against observed as a table: model, bin, journeys, predicted, observed.
pub fn calibration_table(found: &[Validation]) -> Table {
    let rows = || found.iter().flat_map(|v| v.calibration.iter().enumerate().map(move |(i, b)| (v, i, b)));
    let names: Text = rows().map(|(v, _, _)| v.model.as_str()).collect();
    let column = |k: usize| Values::F64(rows().map(|(_, _, b)| b[k]).collect());
    Table::new()
        .with("model", Values::Text(names))
        .with("bin", Values::I64(rows().map(|(_, i, _)| i as i64 + 1).collect()))
        .with("journeys", column(0))
        .with("predicted", column(1))
        .with("observed", column(2))
}
