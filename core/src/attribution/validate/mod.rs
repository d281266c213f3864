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

mod folds;
mod tables;

use std::collections::HashMap;
use std::fmt::Debug;

pub(super) use self::folds::binomial;
pub use self::folds::{Folds, folds};
pub use self::tables::{calibration_table, validation_table, validation_tables};

use serde::{Deserialize, Serialize};

use super::trust::{Interval, Spread, channel_keys, check_mass, path_key, weights};
use super::{Fitted, MarkovModel, Model, model};
use crate::journey::{Journey, Journeys};
use crate::math::{ExactSum, ln, ln_1p};
use crate::run::{Run, split_mix};
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
    /// How many samples of the customers held out are drawn for intervals; 0, the
    /// default, for none. Models are not fitted again: the predictions stand.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
}

impl ValidateOptions {
    pub(super) fn spread(&self) -> Spread {
        Spread { replicates: self.bootstrap, confidence: self.confidence, interval: self.interval }
    }
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            folds: 5,
            bins: 10,
            bootstrap: 0,
            confidence: 0.9,
            interval: Interval::default(),
        }
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
    /// The same of each sample drawn again, the bins holding the same journeys;
    /// NaN where a sample does not know it. Of all models they are of the same
    /// customers.
    pub samples: Vec<Validation>,
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

/// What is predicted of one row of journeys held out.
#[derive(Clone, Copy, Debug)]
struct Held {
    p: f64,
    /// The rate of those that were not held out.
    rate: f64,
    conversions: f64,
    nulls: f64,
    /// The customer; of paths, the path and the fold.
    key: u64,
}

/// Fits each model to all folds but one, and scores its predictions of that one.
///
/// Conversions without a touch are left out. With a bootstrap, customers are
/// drawn again as in [`attribute`](super::attribute) out of those held out;
/// [`validation_tables`] makes intervals of it. Errors: [`Error::Option`] for a
/// model that does not predict, and what the fits give.
pub fn validate(journeys: &Journeys, options: &ValidateOptions, run: &Run) -> Result<Vec<Validation>> {
    let names = model::labels(&options.models)?;
    options.spread().check()?;
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
    let mut predictions: Vec<Vec<Held>> = vec![Vec::new(); names.len()];
    for fold in 0..options.folds {
        let (train, test) = (dealt.train(fold), dealt.test(fold));
        let rate = rate(&train);
        let touched: Vec<usize> = (0..test.len()).filter(|j| !test.path(*j).is_empty()).collect();
        let channels = channel_keys(&test);
        let held = |j: usize, p: f64| {
            let key = match test.customer(j) {
                Some(customer) => test.customer_key(customer),
                None => path_key(test.path(j), &channels, fold as u64 + 1),
            };
            Held { p, rate, conversions: test.conversions()[j], nulls: test.nulls()[j], key }
        };
        for (model, out) in options.models.iter().zip(&mut predictions) {
            let fitted = Fitted::fit(model, &train, run)?;
            let Some(predictor) = fitted.predictor() else { continue };
            let chunks = run.map_chunks("predict", touched.len(), |rows| {
                Ok(rows.map(|i| held(touched[i], predictor.predict(&test.journey(touched[i])))).collect())
            })?;
            out.extend(chunks.into_iter().flat_map(|chunk: Vec<Held>| chunk));
        }
    }
    let mut found = Vec::with_capacity(names.len());
    for (name, mut rows) in names.into_iter().zip(predictions) {
        rows.sort_unstable_by(|a, b| {
            let by = |of: fn(&Held) -> f64| of(a).total_cmp(&of(b));
            by(|h| h.p).then(by(|h| h.conversions)).then(by(|h| h.nulls)).then(a.key.cmp(&b.key))
        });
        let (bin, bins) = bins(&rows, options.bins);
        let mut whole = score(&name, &rows, &bin, bins);
        if options.bootstrap > 0 {
            whole.samples = samples(&name, &rows, &bin, bins, journeys.has_times(), options, run)?;
        }
        found.push(whole);
    }
    Ok(found)
}

/// The scores of samples of the customers held out.
fn samples(
    name: &str,
    rows: &[Held],
    bin: &[u32],
    bins: usize,
    customers: bool,
    options: &ValidateOptions,
    run: &Run,
) -> Result<Vec<Validation>> {
    // Journeys that convert and those that do not are drawn apart where customers are not known.
    let mut units: Vec<(u64, f64)> = Vec::with_capacity(2 * rows.len());
    for row in rows {
        if customers {
            units.push((row.key, 1.0));
            continue;
        }
        for (part, mass) in [(1, row.conversions), (2, row.nulls)] {
            check_mass(mass)?;
            units.push((split_mix(row.key ^ part), mass));
        }
    }
    run.stage("score samples", options.bootstrap as u64)?;
    run.map_items(options.bootstrap, |r| {
        let weights = weights(run.seed_value(), r, units.iter().copied());
        let drawn = |(i, row): (usize, &Held)| {
            let (conversions, nulls) = if customers {
                (row.conversions * weights[i], row.nulls * weights[i])
            } else {
                (weights[2 * i], weights[2 * i + 1])
            };
            Held { conversions, nulls, ..*row }
        };
        let drawn: Vec<Held> = rows.iter().enumerate().map(drawn).collect();
        let mut found = score(name, &drawn, bin, bins);
        if found.journeys <= 0.0 {
            (found.log_loss, found.null_log_loss, found.brier) = (f64::NAN, f64::NAN, f64::NAN);
        }
        if found.conversions <= 0.0 || found.conversions >= found.journeys {
            found.auc = f64::NAN;
        }
        for bin in found.calibration.iter_mut().filter(|bin| bin[0] <= 0.0) {
            *bin = [0.0, f64::NAN, f64::NAN];
        }
        run.advance(1)?;
        Ok(found)
    })
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

fn total(rows: &[Held], term: impl Fn(&Held) -> f64) -> f64 {
    let mut sum = ExactSum::new();
    sum.extend(rows.iter().map(term));
    sum.value()
}

fn mean(rows: &[Held], term: impl Fn(&Held) -> f64) -> f64 {
    let n = total(rows, |r| r.conversions) + total(rows, |r| r.nulls);
    if n > 0.0 { total(rows, term) / n } else { 0.0 }
}

/// The bin of each prediction, in their order, and how many bins are used.
fn bins(rows: &[Held], most: usize) -> (Vec<u32>, usize) {
    let all = total(rows, |r| r.conversions) + total(rows, |r| r.nulls);
    let (mut out, mut used, mut last, mut before) = (Vec::with_capacity(rows.len()), 0, None, 0.0);
    for tie in rows.chunk_by(|a, b| a.p == b.p) {
        let here = total(tie, |r| r.conversions) + total(tie, |r| r.nulls);
        let middle = if all > 0.0 { (before + 0.5 * here) / all } else { 0.0 };
        let place = ((middle * most as f64) as usize).min(most - 1);
        if last.replace(place) != Some(place) {
            used += 1;
        }
        out.extend(tie.iter().map(|_| used - 1));
        before += here;
    }
    (out, used as usize)
}

/// Scores predictions, which are in their order.
fn score(model: &str, rows: &[Held], bin_of: &[u32], bins: usize) -> Validation {
    let (conversions, nulls) = (total(rows, |r| r.conversions), total(rows, |r| r.nulls));
    // Pairs of a conversion and a null below it, ties counting half.
    let (mut below, mut ordered, mut from) = (0.0, ExactSum::new(), 0);
    let mut bin = vec![[0.0; 3]; bins];
    for tie in rows.chunk_by(|a, b| a.p == b.p) {
        let (c, n) = (total(tie, |r| r.conversions), total(tie, |r| r.nulls));
        ordered.add(c * (below + 0.5 * n));
        let into = &mut bin[bin_of[from] as usize];
        into[0] += c + n;
        into[1] += tie[0].p * (c + n);
        into[2] += c;
        below += n;
        from += tie.len();
    }
    let share = |x: f64, of: f64| if of > 0.0 { x / of } else { 0.0 };
    Validation {
        model: model.to_owned(),
        journeys: conversions + nulls,
        conversions,
        log_loss: mean(rows, |r| log_loss(r.p, r.conversions, r.nulls)),
        null_log_loss: mean(rows, |r| log_loss(r.rate, r.conversions, r.nulls)),
        auc: if conversions > 0.0 && nulls > 0.0 { ordered.value() / (conversions * nulls) } else { 0.5 },
        brier: mean(rows, |r| r.conversions * (1.0 - r.p) * (1.0 - r.p) + r.nulls * r.p * r.p),
        clipped: total(rows, |r| if r.p == clip(r.p) { 0.0 } else { r.conversions + r.nulls }),
        calibration: bin.iter().map(|b| [b[0], share(b[1], b[0]), share(b[2], b[0])]).collect(),
        samples: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
