//! The simple probabilistic model of Shao & Li (2011).
//!
//! *Data-driven multi-touch attribution models*, KDD 2011, equation 5. With
//! p(y|c) the rate of conversion of journeys that contain channel c, and
//! p(y|c, d) of those that contain both,
//!
//! C(c) = p(y|c) + 1 / (2 N) Σ over d of [p(y|c, d) − p(y|c) − p(y|d)]
//!
//! over the N channels d that were seen together with c: in all journeys
//! (`global`), or in the journey that is credited (`journey`).
//!
//! Rare channels and pairs have rates near 0 or 1 by chance. With a smoothing s
//! each starts with s journeys at the overall rate r: (conversions + s r) / (n + s).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::penalty::{Choice, HeldOut, PENALTIES, Tried};
use super::rows::{Sequences, rows};
use super::{Credited, Explained, Learned, check_outcomes, diagnostics, spread, tally, text};
use crate::attribution::Model;
use crate::attribution::validate::log_loss;
use crate::column::{Table, Values};
use crate::journey::{Journey, Journeys};
use crate::math::{ExactSum, exact_sum, sum};
use crate::model;
use crate::run::Run;
use crate::{Error, Result};

/// Which pairs of channels count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All that were ever seen together, as in the paper: one C for each
    /// channel, in proportion to which all conversions are split. The default.
    #[default]
    Global,
    /// Those of the journey that is credited, which weighs in by its
    /// conversions, as the Python package mta has it.
    Journey,
}

/// The parameters of the simple probabilistic model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShaoLi {
    /// Which pairs of channels count.
    pub scope: Scope,
    /// How many journeys at the overall rate of conversion each channel and each
    /// pair starts with; none: the one of `penalties` with the highest held-out
    /// likelihood. Default 0.
    pub smoothing: Option<f64>,
    /// What `smoothing` is chosen from. Default 0.1, 1, 10, 100.
    pub penalties: Vec<f64>,
    /// Folds of the choice, by customer. Default 5.
    pub folds: usize,
}

impl Default for ShaoLi {
    fn default() -> Self {
        Self { scope: Scope::default(), smoothing: Some(0.0), penalties: PENALTIES.to_vec(), folds: 5 }
    }
}

/// The rates of channels and of their pairs.
///
/// Saves and loads as `attribution.ShaoLi`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShaoLiModel {
    parameters: ShaoLi,
    channels: Vec<String>,
    /// Conversions and journeys by channel.
    single: Vec<[f64; 2]>,
    /// Channel, higher channel, conversions and journeys; sorted.
    pairs: Vec<(u32, u32, f64, f64)>,
    contribution: Vec<f64>,
    /// The overall rate, and how many journeys at it each rate starts with.
    #[serde(default)]
    rate: f64,
    #[serde(default)]
    smoothing: f64,
    #[serde(default)]
    tried: Tried,
    credited: Credited,
}

/// Conversions and journeys of channels, and of pairs in order.
type Counts = (Vec<[f64; 2]>, BTreeMap<(u32, u32), [f64; 2]>);

/// Counts channels and pairs of sets, given what each set counts for.
fn counts(
    sets: &Sequences,
    [conversions, nulls]: &[Vec<f64>; 2],
    channels: usize,
    run: &Run,
) -> Result<Counts> {
    let mut single = vec![[ExactSum::new(), ExactSum::new()]; channels];
    let mut pairs: BTreeMap<(u32, u32), [ExactSum; 2]> = BTreeMap::new();
    for i in 0..sets.len() {
        if i % 4096 == 0 {
            run.check()?;
        }
        let (c, n) = (conversions[i], nulls[i]);
        let set = sets.get(i);
        for (k, a) in set.iter().enumerate() {
            let add = |sums: &mut [ExactSum; 2]| {
                sums[0].add(c);
                sums[1].extend([c, n]);
            };
            add(&mut single[*a as usize]);
            for b in &set[k + 1..] {
                add(pairs.entry((*a, *b)).or_default());
            }
        }
    }
    let read = |s: &[ExactSum; 2]| [s[0].value(), s[1].value()];
    Ok((single.iter().map(read).collect(), pairs.iter().map(|(key, s)| (*key, read(s))).collect()))
}

/// A rate that starts with so many journeys at another; none of nothing.
fn smoothed([y, n]: [f64; 2], smoothing: f64, rate: f64) -> Option<f64> {
    let all = n + smoothing;
    (all > 0.0).then(|| (y + smoothing * rate) / all)
}

impl ShaoLi {
    pub(crate) fn check(&self) -> Result<()> {
        self.choice().check(&[("smoothing", self.smoothing)])
    }

    fn choice(&self) -> Choice<'_> {
        Choice { penalties: &self.penalties, folds: self.folds }
    }

    /// Scores smoothings by the rates of channels and pairs: a journey held out
    /// counts once for each of its channels, and once for each of their pairs.
    fn try_penalties(&self, journeys: &Journeys, run: &Run) -> Result<Tried> {
        let channels = journeys.channel_count();
        let prepare = |dealt: &Journeys| rows(dealt, run, |j, key| key.extend(distinct(j.path)));
        self.choice().choose(journeys, run, prepare, |rows, parts, fold| {
            let [out, rest] = rows.parted(&parts.weights(fold));
            let [c, n] = rest.each_ref().map(|w| exact_sum(w.iter().copied()));
            let rate = c / (c + n);
            let quiet = Run::new().threads(1);
            let (held, held_pairs) = counts(&rows.keys, &out, channels, &quiet)?;
            let (single, pairs) = counts(&rows.keys, &rest, channels, &quiet)?;
            run.check()?;
            let score = |s: f64| {
                let of = |known: [f64; 2], [y, n]: [f64; 2]| {
                    log_loss(smoothed(known, s, rate).unwrap_or(rate), y, n - y)
                };
                let singles = single.iter().zip(&held).map(|(known, held)| of(*known, *held));
                let pairs = held_pairs
                    .iter()
                    .map(|(key, held)| of(pairs.get(key).copied().unwrap_or_default(), *held));
                -sum(singles.chain(pairs))
            };
            let log_likelihoods = self.penalties.iter().map(|s| score(*s)).collect();
            Ok(HeldOut { log_likelihoods, journeys: sum(out.iter().flatten().copied()) })
        })
    }

    /// Counts channels and pairs of these journeys.
    ///
    /// Errors: [`Error::NotEnoughData`] where none converts or all do.
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<ShaoLiModel> {
        self.check()?;
        let [conversions, nulls] = check_outcomes("shao_li", journeys, true)?;
        let tried = match self.smoothing {
            Some(_) => Tried::default(),
            None => self.try_penalties(journeys, run)?,
        };
        let counted = rows(journeys, run, |j, key| key.extend(distinct(j.path)))?;
        let channels = journeys.channel_count();
        let (single, pairs) = counts(&counted.keys, &[counted.conversions, counted.nulls], channels, run)?;
        let mut model = ShaoLiModel {
            parameters: self.clone(),
            channels: journeys.channel_labels(),
            single,
            pairs: pairs.into_iter().map(|((a, b), [y, n])| (a, b, y, n)).collect(),
            contribution: Vec::new(),
            rate: conversions / (conversions + nulls),
            smoothing: tried.or_best(self.smoothing),
            tried,
            credited: Credited::default(),
        };
        model.contribution = (0..channels as u32)
            .map(|c| {
                let all: Vec<u32> = (0..channels as u32).collect();
                model.of(c, &all)
            })
            .collect();
        model.credited = Credited::of(&model, journeys, run)?;
        Ok(model)
    }
}

impl ShaoLiModel {
    /// The parameters.
    pub fn parameters(&self) -> &ShaoLi {
        &self.parameters
    }

    /// C of each channel, over all pairs.
    pub fn contributions(&self) -> &[f64] {
        &self.contribution
    }

    /// How many journeys at the overall rate each rate starts with, as given or chosen.
    pub fn smoothing(&self) -> f64 {
        self.smoothing
    }

    /// p(y|c); 0 of a channel that is not known.
    fn rate(&self, c: u32) -> f64 {
        let known = self.single.get(c as usize).filter(|counts| counts[1] > 0.0);
        known.and_then(|counts| smoothed(*counts, self.smoothing, self.rate)).unwrap_or(0.0)
    }

    fn pair(&self, a: u32, b: u32) -> Option<f64> {
        let key = (a.min(b), a.max(b));
        let at = self.pairs.binary_search_by_key(&key, |p| (p.0, p.1)).ok()?;
        let (_, _, y, n) = self.pairs[at];
        smoothed([y, n], self.smoothing, self.rate).filter(|_| n > 0.0)
    }

    /// C of a channel, over its pairs with these.
    fn of(&self, c: u32, others: &[u32]) -> f64 {
        let p = self.rate(c);
        let (mut sum, mut count) = (0.0, 0.0);
        for d in others.iter().filter(|d| **d != c) {
            if let Some(both) = self.pair(c, *d) {
                sum += both - p - self.rate(*d);
                count += 1.0;
            }
        }
        if count > 0.0 { p + sum / (2.0 * count) } else { p }
    }

    fn weight(&self, c: u32, set: &[u32]) -> f64 {
        match self.parameters.scope {
            Scope::Global => self.contribution.get(c as usize).copied().unwrap_or(0.0),
            Scope::Journey => self.of(c, set),
        }
    }

    /// The channels: channel, conversions, journeys, rate, contribution.
    pub fn table(&self) -> Table {
        let column = |k: usize| Values::F64(self.single.iter().map(|s| s[k]).collect());
        let rates = (0..self.channels.len() as u32).map(|c| self.rate(c)).collect();
        Table::new()
            .with("channel", text(&self.channels))
            .with("conversions", column(0))
            .with("journeys", column(1))
            .with("rate", Values::F64(rates))
            .with("contribution", Values::F64(self.contribution.clone()))
    }
}

fn distinct(path: &[u32]) -> Vec<u32> {
    tally(path).iter().map(|t| t.0).collect()
}

impl Learned for ShaoLiModel {
    fn spec(&self) -> Model {
        Model::ShaoLi(self.parameters.clone())
    }

    fn channels(&self) -> &[String] {
        &self.channels
    }

    fn explain(&self, journey: &Journey<'_>, shares: &mut Vec<f64>) -> Explained {
        let counts = tally(journey.path);
        let set: Vec<u32> = counts.iter().map(|t| t.0).collect();
        let weights: Vec<f64> = set.iter().map(|c| self.weight(*c, &set).max(0.0)).collect();
        let fallback = !spread(journey.path, &counts, &weights, shares);
        Explained { incremental: 1.0, fallback }
    }

    fn probability(&self, _journey: &Journey<'_>, _from: i64) -> Option<f64> {
        None
    }

    fn report(&self, name: &str) -> Option<(&'static str, Table)> {
        match name {
            "contributions" => Some(("contributions", self.table())),
            "penalties" => Some(self.tried.report()),
            "diagnostics" => {
                let mut lines =
                    vec![("pairs", self.pairs.len() as f64), ("fallback", self.credited.fallback)];
                self.tried.diagnose(&[("smoothing", self.parameters.smoothing)], &mut lines);
                Some(diagnostics(&lines))
            }
            _ => None,
        }
    }

    /// All conversions in proportion to what the channels contribute: to C, or
    /// to C summed over the journeys' conversions.
    fn totals(&self, journeys: &Journeys) -> Option<Vec<[f64; 2]>> {
        let mut weights = vec![[ExactSum::new(), ExactSum::new()]; self.channels.len()];
        let mut all = [ExactSum::new(), ExactSum::new()];
        for j in 0..journeys.len() {
            let total = [journeys.conversions()[j], journeys.values()[j]];
            if journeys.path(j).is_empty() || total == [0.0; 2] {
                continue;
            }
            all.iter_mut().zip(total).for_each(|(a, t)| a.add(t));
            if self.parameters.scope == Scope::Journey {
                let set = distinct(journeys.path(j));
                for c in &set {
                    let weight = self.of(*c, &set);
                    let sums = &mut weights[*c as usize];
                    sums.iter_mut().zip(total).for_each(|(s, t)| s.add(weight * t));
                }
            }
        }
        let weight = |c: usize, k: usize| match self.parameters.scope {
            Scope::Global => self.contribution[c].max(0.0),
            Scope::Journey => weights[c][k].value().max(0.0),
        };
        let n = self.channels.len();
        let share = |k: usize| -> Vec<f64> {
            let total = all[k].value();
            let sum: f64 = (0..n).map(|c| weight(c, k)).sum();
            (0..n).map(|c| if sum > 0.0 { weight(c, k) / sum * total } else { 0.0 }).collect()
        };
        Some(share(0).into_iter().zip(share(1)).map(|(c, v)| [c, v]).collect())
    }
}

impl model::Model for ShaoLiModel {
    const KIND: &'static str = "attribution.ShaoLi";

    fn check(&self) -> Result<()> {
        let n = self.channels.len();
        let counts = |y: f64, n: f64| y.is_finite() && n.is_finite() && y >= 0.0 && n >= y * (1.0 - 1e-12);
        let sound = self.parameters.check().is_ok()
            && (0.0..=1.0).contains(&self.rate)
            && self.smoothing.is_finite()
            && self.smoothing >= 0.0
            && self.tried.is_sound()
            && self.single.len() == n
            && self.single.iter().all(|s| counts(s[0], s[1]))
            && self.contribution.len() == n
            && self.contribution.iter().all(|c| c.is_finite())
            && self.pairs.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1))
            && self.pairs.iter().all(|p| p.0 < p.1 && (p.1 as usize) < n && counts(p.2, p.3))
            && self.credited.is_sound(n);
        if sound { Ok(()) } else { Err(Error::model_file("the model of Shao & Li contradicts itself")) }
    }
}
