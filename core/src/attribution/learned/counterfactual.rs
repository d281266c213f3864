//! The counterfactual on observed paths: what the rate of conversion falls by
//! when a touch is left out.
//!
//! The method of Google's open fractribution. After a transform of the paths,
//! p(path) = conversions / (conversions + nulls). A touch of a path counts for
//! max(p(path) − p(path without it), 0); a path that was never seen converts
//! never, a single touch counts for p, and where all count for nothing the last
//! element of the transformed path has it all. What an element has is split over
//! the touches that it stands for.
//!
//! The comparison is between people who took different paths, not between the
//! same people with and without a touch: what makes people take longer paths
//! counts as the effect of touches. Long paths are seen once each, and then
//! p is 0 or 1: the transform makes them fewer, `smoothing` pulls their rates
//! together.

use std::sync::OnceLock;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::penalty::{Choice, HeldOut, PENALTIES, Tried};
use super::rows::{Rows, Sequences, hash, rows};
use super::{Credited, Explained, Learned, check_outcomes, diagnostics};
use crate::attribution::Model;
use crate::attribution::validate::log_loss;
use crate::column::{Table, Text, Values};
use crate::journey::{Journey, Journeys};
use crate::math::{exact_sum, sum};
use crate::model;
use crate::run::Run;
use crate::{Error, Result};

/// What is done to paths before they are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathTransform {
    /// The same channel several times in a row becomes one: A A B A is A B A. The default.
    #[default]
    Exposure,
    /// Paths stay as they are.
    Unique,
    /// Only the first touch of each channel stays: A A B A is A B.
    First,
    /// Each channel once, with how often it occurs: A A B A is A(3) B(1).
    Frequency,
}

/// The parameters of the counterfactual on observed paths.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::PathCounterfactual;
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new()
///     .with("path", vec!["a > b", "a", "b"])
///     .with("conversions", vec![4.0, 1.0, 2.0])
///     .with("nulls", vec![4.0, 9.0, 8.0]);
/// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
/// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
/// let model = PathCounterfactual::default().fit(&journeys, &Run::new())?;
/// // Without a the half becomes a fifth, without b a tenth.
/// let credit = model.credits().iter().map(|c| c[0]).collect::<Vec<_>>();
/// assert!((credit[0] - (4.0 * 0.3 / 0.7 + 1.0)).abs() < 1e-12);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathCounterfactual {
    /// What is done to paths before they are counted.
    pub transform: PathTransform,
    /// How many journeys at the overall rate of conversion each path starts
    /// with; its rate becomes (conversions + smoothing · rate) / (n + smoothing),
    /// and that of a path never seen the overall rate; none: the one of
    /// `penalties` with the highest held-out likelihood. Default 0.
    pub smoothing: Option<f64>,
    /// What `smoothing` is chosen from. Default 0.1, 1, 10, 100.
    pub penalties: Vec<f64>,
    /// Folds of the choice, by customer. Default 5.
    pub folds: usize,
}

impl Default for PathCounterfactual {
    fn default() -> Self {
        Self {
            transform: PathTransform::default(),
            smoothing: Some(0.0),
            penalties: PENALTIES.to_vec(),
            folds: 5,
        }
    }
}

/// The rates of all paths, by which touches of any journey are credited.
///
/// Saves and loads as `attribution.PathCounterfactual`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathCounterfactualModel {
    parameters: PathCounterfactual,
    channels: Vec<String>,
    /// Transformed paths end to end.
    steps: Vec<u32>,
    ends: Vec<u32>,
    conversions: Vec<f64>,
    nulls: Vec<f64>,
    rate: f64,
    smoothing: f64,
    tried: Tried,
    credited: Credited,
    #[serde(skip)]
    index: OnceLock<HashTable<u32>>,
}

impl PartialEq for PathCounterfactualModel {
    fn eq(&self, other: &Self) -> bool {
        self.parameters == other.parameters
            && self.channels == other.channels
            && (&self.steps, &self.ends) == (&other.steps, &other.ends)
            && (&self.conversions, &self.nulls) == (&other.conversions, &other.nulls)
            && (self.smoothing, &self.tried) == (other.smoothing, &other.tried)
            && self.credited == other.credited
    }
}

impl PathTransform {
    /// How many numbers an element of a transformed path is.
    fn width(self) -> usize {
        if self == Self::Frequency { 2 } else { 1 }
    }

    /// Writes the transformed path, and the element that each touch is part of.
    fn apply(self, path: &[u32], out: &mut Vec<u32>, mut member: impl FnMut(Option<usize>)) {
        let start = out.len();
        match self {
            Self::Unique => {
                out.extend_from_slice(path);
                (0..path.len()).for_each(|i| member(Some(i)));
            }
            Self::Exposure => {
                for c in path {
                    if out.len() == start || out.last() != Some(c) {
                        out.push(*c);
                    }
                    member(Some(out.len() - start - 1));
                }
            }
            Self::First => {
                for c in path {
                    let new = !out[start..].contains(c);
                    if new {
                        out.push(*c);
                    }
                    member(new.then(|| out.len() - start - 1));
                }
            }
            Self::Frequency => {
                for c in path {
                    let at = out[start..].chunks(2).position(|e| e[0] == *c).unwrap_or_else(|| {
                        out.extend([*c, 0]);
                        (out.len() - start) / 2 - 1
                    });
                    out[start + 2 * at + 1] += 1;
                    member(Some(at));
                }
            }
        }
    }
}

impl PathCounterfactual {
    pub(crate) fn check(&self) -> Result<()> {
        self.choice().check(&[("smoothing", self.smoothing)])
    }

    fn choice(&self) -> Choice<'_> {
        Choice { penalties: &self.penalties, folds: self.folds }
    }

    fn rows(&self, journeys: &Journeys, run: &Run) -> Result<Rows> {
        rows(journeys, run, |j, key| self.transform.apply(j.path, key, |_| ()))
    }

    fn try_penalties(&self, journeys: &Journeys, run: &Run) -> Result<Tried> {
        let prepare = |dealt: &Journeys| self.rows(dealt, run);
        self.choice().choose(journeys, run, prepare, |rows, parts, fold| {
            let [out, [a, b]] = rows.parted(&parts.weights(fold));
            let [c, n] = [&a, &b].map(|w| exact_sum(w.iter().copied()));
            let rate = c / (c + n);
            let score = |s: f64| {
                let term = |i: usize| {
                    let seen = (a[i] + b[i] > 0.0).then_some((a[i], b[i]));
                    log_loss(smoothed(seen, s, rate).unwrap_or(rate), out[0][i], out[1][i])
                };
                -sum((0..a.len()).map(term))
            };
            let log_likelihoods = self.penalties.iter().map(|s| score(*s)).collect();
            run.check()?;
            Ok(HeldOut { log_likelihoods, journeys: sum(out.iter().flatten().copied()) })
        })
    }

    /// Counts the paths of these journeys.
    ///
    /// Errors: [`Error::NotEnoughData`] where none converts or all do.
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<PathCounterfactualModel> {
        self.check()?;
        check_outcomes("path_counterfactual", journeys, true)?;
        let tried = match self.smoothing {
            Some(_) => Tried::default(),
            None => self.try_penalties(journeys, run)?,
        };
        let Rows { keys: Sequences { tokens, ends }, conversions, nulls, .. } = self.rows(journeys, run)?;
        let [c, n] = [&conversions, &nulls].map(|w| exact_sum(w.iter().copied()));
        let mut model = PathCounterfactualModel {
            parameters: self.clone(),
            channels: journeys.channel_labels(),
            steps: tokens,
            ends,
            conversions,
            nulls,
            rate: c / (c + n),
            smoothing: tried.or_best(self.smoothing),
            tried,
            credited: Credited::default(),
            index: OnceLock::new(),
        };
        model.credited = Credited::of(&model, journeys, run)?;
        Ok(model)
    }
}

/// The rate of a path with these conversions and nulls; `None` of one that was
/// never seen and starts with nothing.
fn smoothed(seen: Option<(f64, f64)>, smoothing: f64, rate: f64) -> Option<f64> {
    match seen {
        Some((c, n)) => Some((c + smoothing * rate) / (c + n + smoothing)),
        None => (smoothing > 0.0).then_some(rate),
    }
}

impl PathCounterfactualModel {
    /// The parameters.
    pub fn parameters(&self) -> &PathCounterfactual {
        &self.parameters
    }

    /// How many journeys at the overall rate each path starts with, as given or chosen.
    pub fn smoothing(&self) -> f64 {
        self.smoothing
    }

    /// The credit of each channel in the journeys that the model was fitted
    /// to: conversions and value.
    pub fn credits(&self) -> &[[f64; 2]] {
        &self.credited.credit
    }

    /// The conversions of journeys whose rate falls by nothing whichever touch
    /// is left out; the last of the transformed path has it all.
    pub fn fallback(&self) -> f64 {
        self.credited.fallback
    }

    fn path(&self, i: usize) -> &[u32] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.steps[start..self.ends[i] as usize]
    }

    fn find(&self, path: &[u32]) -> Option<usize> {
        let index = self.index.get_or_init(|| {
            let mut table = HashTable::with_capacity(self.ends.len());
            for i in 0..self.ends.len() as u32 {
                table.insert_unique(hash(self.path(i as usize)), i, |i| hash(self.path(*i as usize)));
            }
            table
        });
        index.find(hash(path), |i| self.path(*i as usize) == path).map(|i| *i as usize)
    }

    /// The rate of a transformed path; `unseen` of one that was never seen.
    fn path_rate(&self, path: &[u32], unseen: f64) -> f64 {
        let seen = self.find(path).map(|i| (self.conversions[i], self.nulls[i]));
        smoothed(seen, self.smoothing, self.rate).unwrap_or(unseen)
    }

    /// The rates of the transformed paths: path, conversions, nulls, rate.
    pub fn rates(&self) -> Table {
        let mut paths = Text::new();
        let width = self.parameters.transform.width();
        for i in 0..self.ends.len() {
            let label = |e: &[u32]| match e {
                [c, n] => format!("{}({n})", self.channels[*c as usize]),
                _ => self.channels[e[0] as usize].clone(),
            };
            paths.push(&self.path(i).chunks(width).map(label).collect::<Vec<_>>().join(" > "));
        }
        let rate = (0..self.ends.len()).map(|i| self.path_rate(self.path(i), 0.0)).collect();
        Table::new()
            .with("path", Values::Text(paths))
            .with("conversions", Values::F64(self.conversions.clone()))
            .with("nulls", Values::F64(self.nulls.clone()))
            .with("rate", Values::F64(rate))
    }
}

impl Learned for PathCounterfactualModel {
    fn spec(&self) -> Model {
        Model::PathCounterfactual(self.parameters.clone())
    }

    fn channels(&self) -> &[String] {
        &self.channels
    }

    fn explain(&self, journey: &Journey<'_>, shares: &mut Vec<f64>) -> Explained {
        let (mut path, mut member) = (Vec::new(), Vec::with_capacity(journey.path.len()));
        self.parameters.transform.apply(journey.path, &mut path, |m| member.push(m));
        let width = self.parameters.transform.width();
        let n = path.len() / width;
        let whole = self.path_rate(&path, 0.0);
        let mut without = Vec::with_capacity(path.len());
        let mut lost: Vec<f64> = if n == 1 {
            vec![whole]
        } else {
            (0..n)
                .map(|i| {
                    without.clear();
                    without.extend_from_slice(&path[..i * width]);
                    without.extend_from_slice(&path[(i + 1) * width..]);
                    (whole - self.path_rate(&without, 0.0)).max(0.0)
                })
                .collect()
        };
        let total: f64 = lost.iter().sum();
        let fallback = total <= 0.0;
        let mut touches = vec![0_u32; n];
        member.iter().flatten().for_each(|m| touches[*m] += 1);
        for (i, (l, t)) in lost.iter_mut().zip(&touches).enumerate() {
            let share = if fallback { f64::from(u8::from(i + 1 == n)) } else { *l / total };
            *l = share / f64::from(*t);
        }
        shares.extend(member.iter().map(|m| m.map_or(0.0, |m| lost[m])));
        Explained { incremental: 1.0, fallback }
    }

    fn probability(&self, journey: &Journey<'_>, _from: i64) -> Option<f64> {
        let mut path = Vec::new();
        self.parameters.transform.apply(journey.path, &mut path, |_| ());
        Some(self.path_rate(&path, self.rate))
    }

    fn report(&self, name: &str) -> Option<(&'static str, Table)> {
        match name {
            "rates" => Some(("rates", self.rates())),
            "penalties" => Some(self.tried.report()),
            "diagnostics" => {
                let mut lines = vec![
                    ("conversion_rate", self.rate),
                    ("distinct_paths", self.ends.len() as f64),
                    ("fallback", self.credited.fallback),
                ];
                self.tried.diagnose(&[("smoothing", self.parameters.smoothing)], &mut lines);
                Some(diagnostics(&lines))
            }
            _ => None,
        }
    }
}

impl model::Model for PathCounterfactualModel {
    const KIND: &'static str = "attribution.PathCounterfactual";

    fn check(&self) -> Result<()> {
        let (n, width) = (self.ends.len(), self.parameters.transform.width());
        let weights = |v: &[f64]| v.len() == n && v.iter().all(|x| x.is_finite() && *x >= 0.0);
        let whole = |e: &u32| (*e as usize).is_multiple_of(width) && *e > 0;
        let known = |e: &[u32]| (e[0] as usize) < self.channels.len();
        let sound = self.parameters.check().is_ok()
            && self.ends.is_sorted_by(|a, b| a < b)
            && self.ends.iter().all(whole)
            && self.ends.last().copied().unwrap_or(0) as usize == self.steps.len()
            && self.steps.chunks(width).all(known)
            && weights(&self.conversions)
            && weights(&self.nulls)
            && self.conversions.iter().zip(&self.nulls).all(|(c, n)| c + n > 0.0)
            && (0.0..=1.0).contains(&self.rate)
            && self.smoothing.is_finite()
            && self.smoothing >= 0.0
            && self.tried.is_sound()
            && self.credited.is_sound(self.channels.len());
        if sound { Ok(()) } else { Err(Error::model_file("the counterfactual model contradicts itself")) }
    }
}
