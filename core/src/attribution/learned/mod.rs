//! Models that learn from journeys with and without a conversion.
//!
//! | model | what it learns | credit |
//! | --- | --- | --- |
//! | [`PathCounterfactual`] | the rate of conversion of each observed path | what the rate falls by without the touch |
//! | [`Logistic`] | a bagged logistic regression on channels | what the probability falls by without the channel |
//! | [`ShaoLi`] | rates of channels and of pairs of channels | the channel's rate, corrected for its pairs |
//! | [`TimeToEvent`] | a rate of conversion in time, raised by ads by their age | backward elimination of ads |
//! | [`AdditiveHazard`] | a rate of conversion that each ad adds to and that decays | the ad's part of the rate at the conversion |
//!
//! All of them are fitted by maximum (penalised) likelihood or by counting,
//! never by simulation, on rows that are collapsed with their weights first.
//! Whatever holds a model back — the ridge of `logistic` and `time_to_event`, the
//! priors of `additive_hazard`, the smoothing of `path_counterfactual` and `shao_li` — is given,
//! or chosen by the likelihood of customers held out.

mod additive_hazard;
mod counterfactual;
mod glm;
mod logistic;
mod penalty;
pub(super) mod rows;
mod segmented;
mod shao_li;
mod time_to_event;

use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use additive_hazard::{AdditiveHazard, AdditiveHazardModel, Method};
pub use counterfactual::{PathCounterfactual, PathCounterfactualModel, PathTransform};
pub use logistic::{ChannelFeatures, Logistic, LogisticCredit, LogisticModel};
pub use segmented::{Segmented, SegmentedOptions, segmented};
pub use shao_li::{Scope, ShaoLi, ShaoLiModel};
pub use time_to_event::{Link, TimeToEvent, TimeToEventModel};

use super::Model;
use super::fitted::Scorer;
use crate::column::{DAY, Table, Text, Values};
use crate::journey::{Journey, Journeys};
use crate::math::{ExactSum, exact_sum, merge_sums};
use crate::run::Run;
use crate::{Error, Result};

/// The label of what would have happened without any touch.
pub const BASELINE: &str = "(baseline)";

/// The part of a conversion that would have happened without any touch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Is left out of the split: touches share the conversion in proportion to
    /// what each adds. The default.
    #[default]
    Exclude,
    /// Is split over the journey's touches in equal parts.
    Share,
}

impl Baseline {
    /// What touches add, as shares of 1, given the baseline's own weight.
    /// False where nothing adds anything; then all touches have the same.
    fn share(self, baseline: f64, added: &mut [f64]) -> bool {
        let total: f64 = added.iter().sum();
        let n = added.len() as f64;
        let all = match self {
            Self::Exclude => total,
            Self::Share => total + baseline,
        };
        if !(all.is_finite() && all > 0.0) || total <= 0.0 {
            added.fill(1.0 / n);
            return false;
        }
        let each = match self {
            Self::Exclude => 0.0,
            Self::Share => baseline / n,
        };
        for x in added {
            *x = (*x + each) / all;
        }
        true
    }
}

/// What a model makes of one journey, beside its touches' shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Explained {
    /// The part of the conversion that would not have happened without touches.
    pub(super) incremental: f64,
    /// Whether no touch adds anything, so that the shares are a convention.
    pub(super) fallback: bool,
}

/// A fitted model of this room. Journeys come in the codes of its channels; a
/// code past them is a channel that the model does not know.
pub(super) trait Learned: Debug + Send + Sync {
    /// The parameters.
    fn spec(&self) -> Model;
    fn channels(&self) -> &[String];
    /// Writes the touches' shares of a journey with at least one touch.
    fn explain(&self, journey: &Journey<'_>, shares: &mut Vec<f64>) -> Explained;
    /// P(conversion) of a journey with at least one touch, within the horizon
    /// from the moment `from` on where there is one; `None` where the model has
    /// no such thing.
    fn probability(&self, journey: &Journey<'_>, from: i64) -> Option<f64>;
    /// What the model has to say of itself.
    fn report(&self, name: &str) -> Option<(&'static str, Table)>;
    /// Credit of channels, where it is not the sum over journeys.
    fn totals(&self, _journeys: &Journeys) -> Option<Vec<[f64; 2]>> {
        None
    }
}

/// A model for journeys whose channels have other codes.
#[derive(Debug)]
struct Recoded {
    model: Arc<dyn Learned>,
    /// The model's code of each channel.
    codes: Vec<u32>,
}

#[derive(Debug)]
struct Plain(Arc<dyn Learned>);

impl Scorer for Plain {
    fn shares(&self, journey: &Journey<'_>, out: &mut Vec<f64>) {
        self.0.explain(journey, out);
    }
}

impl Scorer for Recoded {
    fn shares(&self, journey: &Journey<'_>, out: &mut Vec<f64>) {
        let code = |c: &u32| self.codes.get(*c as usize).copied().unwrap_or(u32::MAX);
        let path: Vec<u32> = journey.path.iter().map(code).collect();
        self.model.explain(&Journey { path: &path, ..*journey }, out);
    }
}

/// A scorer of journeys of these channels.
pub(super) fn scorer(model: Arc<dyn Learned>, channels: &[String]) -> Arc<dyn Scorer> {
    if model.channels() == channels {
        return Arc::new(Plain(model));
    }
    let known = model.channels();
    let code = |label: &String| known.iter().position(|c| c == label).map_or(u32::MAX, |c| c as u32);
    let codes = channels.iter().map(code).collect();
    Arc::new(Recoded { model, codes })
}

/// What a model credits in the journeys that it was fitted to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credited {
    /// By channel, conversions and value.
    credit: Vec<[f64; 2]>,
    incremental: Vec<[f64; 2]>,
    baseline: [f64; 2],
    /// Conversions of journeys in which no touch adds anything.
    fallback: f64,
}

impl Credited {
    fn of(model: &dyn Learned, journeys: &Journeys, run: &Run) -> Result<Self> {
        let channels = journeys.channel_count();
        let size = 4 * channels + 3;
        let pieces = journeys.pieces();
        let workers = pieces.len().clamp(1, 8);
        run.stage("credit journeys", journeys.len() as u64)?;
        let parts = run.map_items(workers, |worker| {
            let mut sums = vec![ExactSum::new(); size];
            let mut shares = Vec::new();
            for piece in pieces.iter().skip(worker).step_by(workers) {
                for j in piece.clone() {
                    let (conversions, value) = (journeys.conversions()[j], journeys.values()[j]);
                    let journey = journeys.journey(j);
                    if journey.path.is_empty() || (conversions == 0.0 && value == 0.0) {
                        continue;
                    }
                    shares.clear();
                    let Explained { incremental, fallback } = model.explain(&journey, &mut shares);
                    for (c, share) in journey.path.iter().zip(&shares) {
                        let at = 4 * *c as usize;
                        sums[at].add(conversions * share);
                        sums[at + 1].add(value * share);
                        sums[at + 2].add(conversions * incremental * share);
                        sums[at + 3].add(value * incremental * share);
                    }
                    sums[4 * channels].add(conversions * (1.0 - incremental));
                    sums[4 * channels + 1].add(value * (1.0 - incremental));
                    if fallback {
                        sums[4 * channels + 2].add(conversions);
                    }
                }
                run.advance(piece.len() as u64)?;
            }
            Ok(sums)
        })?;
        let sums = merge_sums(parts);
        let at = |i: usize| sums.get(i).map_or(0.0, ExactSum::value);
        Ok(Self {
            credit: (0..channels).map(|c| [at(4 * c), at(4 * c + 1)]).collect(),
            incremental: (0..channels).map(|c| [at(4 * c + 2), at(4 * c + 3)]).collect(),
            baseline: [at(4 * channels), at(4 * channels + 1)],
            fallback: at(4 * channels + 2),
        })
    }

    fn table(&self, channels: &[String]) -> Table {
        let labels: Text = channels.iter().map(String::as_str).chain([BASELINE]).collect();
        let column = |rows: &[[f64; 2]], k: usize, last: f64| {
            Values::F64(rows.iter().map(|r| r[k]).chain([last]).collect())
        };
        Table::new()
            .with("channel", Values::Text(labels))
            .with("conversions", column(&self.credit, 0, 0.0))
            .with("value", column(&self.credit, 1, 0.0))
            .with("incremental_conversions", column(&self.incremental, 0, self.baseline[0]))
            .with("incremental_value", column(&self.incremental, 1, self.baseline[1]))
    }

    fn is_sound(&self, channels: usize) -> bool {
        let finite =
            |rows: &[[f64; 2]]| rows.len() == channels && rows.iter().flatten().all(|x| x.is_finite());
        finite(&self.credit)
            && finite(&self.incremental)
            && self.baseline.iter().all(|x| x.is_finite())
            && self.fallback.is_finite()
    }
}

/// A table of what there is to say, a line each: name, value.
fn diagnostics(lines: &[(&str, f64)]) -> (&'static str, Table) {
    let names: Text = lines.iter().map(|l| l.0).collect();
    let values = lines.iter().map(|l| l.1).collect();
    ("diagnostics", Table::new().with("name", Values::Text(names)).with("value", Values::F64(values)))
}

fn text(labels: &[String]) -> Values {
    Values::Text(labels.iter().map(String::as_str).collect())
}

/// What journeys with a touch count for: conversions and nulls.
fn weights(journeys: &Journeys) -> [f64; 2] {
    let mut sums = [ExactSum::new(), ExactSum::new()];
    for j in (0..journeys.len()).filter(|j| !journeys.path(*j).is_empty()) {
        sums[0].add(journeys.conversions()[j]);
        sums[1].add(journeys.nulls()[j]);
    }
    [sums[0].value(), sums[1].value()]
}

/// An error unless some journeys with a touch convert and, where needed, some do not.
fn check_outcomes(name: &str, journeys: &Journeys, needs_nulls: bool) -> Result<[f64; 2]> {
    let [conversions, nulls] = weights(journeys);
    if conversions <= 0.0 {
        return Err(Error::not_enough_data(format!(
            "no journey with a touch converts, so {name} has nothing to learn from"
        )));
    }
    if needs_nulls && nulls <= 0.0 {
        return Err(Error::not_enough_data(format!(
            "every journey converts, so {name} cannot tell what makes a difference: \
             give open journeys too (`open=\"include\"`, or a column of nulls)"
        )));
    }
    Ok([conversions, nulls])
}

/// One journey as the models in time see it, in days.
struct Exposure<'a> {
    path: &'a [u32],
    times: &'a [i64],
    /// The conversion, or where the watch over an open journey ends.
    end: i64,
}

/// Until when a journey is watched: to its conversion, or while it is open to
/// `horizon` after its last touch, but not past its window and the end of observation.
fn exposure(journeys: &Journeys, j: usize, horizon: i64) -> Exposure<'_> {
    let Journey { path, times, end, .. } = journeys.journey(j);
    let end = if journeys.conversions()[j] > 0.0 {
        end
    } else {
        let last = times.last().copied().unwrap_or(end);
        last.saturating_add(horizon).min(journeys.watched_until(j).unwrap_or(i64::MAX)).max(last)
    };
    Exposure { path, times, end }
}

/// What some journeys with a touch count for in time.
fn watched_weight(journeys: &Journeys, keep: impl Fn(usize) -> bool) -> f64 {
    let some = (0..journeys.len()).filter(|j| keep(*j) && !journeys.path(*j).is_empty());
    exact_sum(some.map(|j| journeys.conversions()[j] + journeys.open_weight(j)))
}

fn days(micros: i64) -> f64 {
    micros as f64 / DAY as f64
}

/// The channels of a path in the order of their codes, and how often each occurs.
fn tally(path: &[u32]) -> Vec<(u32, u32)> {
    let mut sorted = path.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
}

/// A sum to the same bits in any order, so that it does not tell one channel
/// from another by its code.
fn unordered_sum(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.iter().sum()
}

/// Writes touches' shares from the weights of the channels of a tally: in
/// proportion, a channel's split over its touches in equal parts; the same for
/// all channels where no weight is positive, and then returns false.
fn spread(path: &[u32], tally: &[(u32, u32)], weights: &[f64], out: &mut Vec<f64>) -> bool {
    let total = unordered_sum(weights);
    let some = total > 0.0;
    out.extend(path.iter().map(|c| {
        let at = tally.binary_search_by_key(c, |t| t.0).unwrap_or_default();
        let share = if some { weights[at] / total } else { 1.0 / tally.len() as f64 };
        share / f64::from(tally[at].1)
    }));
    some
}

/// A finite number of this least size.
fn at_least(option: &str, x: f64, low: f64) -> Result<()> {
    if x.is_finite() && x >= low {
        return Ok(());
    }
    Err(Error::option(option, format!("must be a number of at least {low}, not {x}")))
}

/// A share between 0 (excluded) and 1.
fn share_of_one(option: &str, x: f64) -> Result<()> {
    if x > 0.0 && x <= 1.0 {
        return Ok(());
    }
    Err(Error::option(option, format!("must be above 0 and at most 1, not {x}")))
}
