//! Shapley values of channels, for a named choice of what a coalition earns.
//!
//! φ_i = Σ_{S ∌ i} |S|! (n − |S| − 1)! / n! · (v(S + i) − v(S)) is the only
//! split of v(N) that is symmetric, additive and gives nothing to whoever adds
//! nothing (Shapley 1953). Peers differ in v, so v has a name ([`Worth`]).
//!
//! | worth | how φ is computed | channels |
//! | --- | --- | --- |
//! | `conversions` | closed form: an equal share to each distinct channel of a journey | any number |
//! | `rate` | tables over all coalitions (zeta transform, n·2ⁿ steps); by sampling beyond | 25; any number sampled |
//! | `exact_set_rate`, `exact_set_conversions`, `table` | φ is linear in v, and v is 0 but for known coalitions | any number |
//! | the same with `missing` other than `zero` | tables over all coalitions | 25 |
//! | `journey_rate` | a game over each journey's own channels | any number; 25 to a journey with `missing` other than `zero` |
//!
//! | room | holds |
//! | --- | --- |
//! | `worth` | games from journeys and from tables |
//! | `subsets` | transforms over all coalitions |
//! | `sample` | random orders, with a standard error |
//! | `journey` | a game for each journey |
//! | `positions` | ordered Shapley values |
//! | `reports` | what a fitted model says of itself |

mod journey;
mod positions;
mod reports;
mod sample;
mod subsets;
mod worth;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

pub use reports::DividendOptions;

use super::Negative;
use super::fitted::Scorer;
use super::rules::{self, Kernel};
use crate::journey::{Coalitions, Journey, Journeys};
use crate::run::Run;
use crate::{Error, Result, model};
use positions::Position;
use worth::Game;

/// What a coalition S of channels earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// The conversions of the journeys whose channels all lie in S (Zhao,
    /// Mahboobi & Bagheri 2018). The default. Never negative, and 0 for a
    /// channel in no converting path; looks at converting journeys alone.
    #[default]
    Conversions,
    /// The share of the journeys whose channels all lie in S that convert.
    /// Adds up to the conversion rate; a channel whose journeys convert less
    /// often than the rest can have a negative value.
    Rate,
    /// The share of the journeys with exactly the channels S that convert.
    /// Adds up to the rate of the journeys with all channels, 0 where there
    /// are none.
    ExactSetRate,
    /// The conversions of the journeys with exactly the channels S. Adds up
    /// to those with all channels.
    ExactSetConversions,
    /// As `exact_set_rate`, in a game of its own for each journey, over its
    /// own channels, whose values then split the journey's conversions (DP6's
    /// attribution models). Adds up to all conversions.
    JourneyRate,
    /// What [`Shapley::worths`] says.
    Table,
}

/// The worth of one coalition in a table of worths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoalitionWorth {
    /// The channels of the coalition.
    pub channels: Vec<String>,
    /// What it earns.
    pub worth: f64,
    /// What it earns in value; `worth` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// The worth of a coalition that has no journeys, or is not in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// 0. The default.
    #[default]
    Zero,
    /// That of its largest known subset: of equally large ones that with the
    /// most journeys, then the first by label; 0 where there is none.
    NearestSubset,
    /// There must be none.
    Error,
}

/// The parameters of a Shapley model.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::{Shapley, Worth};
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new()
///     .with("path", vec!["a > b", "a"])
///     .with("conversions", vec![3.0, 1.0])
///     .with("nulls", vec![1.0, 3.0]);
/// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
/// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
/// let shapley = Shapley { worth: Worth::Rate, ..Shapley::default() };
/// // v(a) = 1/4, v(b) = 0, v(ab) = 1/2
/// assert_eq!(shapley.fit(&journeys, &Run::new())?.values(), [0.375, 0.125]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shapley {
    /// What a coalition earns.
    pub worth: Worth,
    /// The coalitions of `worth: "table"`.
    pub worths: Vec<CoalitionWorth>,
    /// The worth of coalitions of which nothing is known.
    pub missing: Missing,
    /// How many random orders of the channels are drawn where there are too
    /// many channels to look at every coalition. Default 4,096; the standard
    /// error falls with its root.
    pub samples: usize,
    /// Negative values in the split of conversions: `keep` gives negative
    /// credit (the default), `clamp` counts them as 0. A single journey is
    /// always split by `clamp`, but for `journey_rate`. Under `conversions`
    /// only refunds are negative, and they stay where they are.
    pub negative: Negative,
}

impl Default for Shapley {
    fn default() -> Self {
        Self {
            worth: Worth::default(),
            worths: Vec::new(),
            missing: Missing::default(),
            samples: 4_096,
            negative: Negative::Keep,
        }
    }
}

/// A fitted Shapley model: the values of the channels, and the sets of
/// channels that they come from.
///
/// Saves and loads as `attribution.Shapley`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapleyModel {
    shapley: Shapley,
    channels: Vec<String>,
    has_value: bool,
    values: Vec<f64>,
    values_value: Vec<f64>,
    /// Standard errors of sampled values, for conversions and for value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errors: Option<[Vec<f64>; 2]>,
    sets: Coalitions,
    positions: Vec<Position>,
}

impl Shapley {
    /// Whether a journey's credit comes from its own touches alone.
    pub(super) fn is_rule(&self) -> bool {
        self.worth == Worth::Conversions
    }

    pub(super) fn check(&self) -> Result<()> {
        if (self.worth == Worth::Table) == self.worths.is_empty() {
            let reason = match self.worth {
                Worth::Table => "is empty: give the worth of each coalition, or choose another `worth`",
                _ => "is a table for worth=\"table\" only",
            };
            return Err(Error::option("worths", reason));
        }
        if let Some(row) =
            self.worths.iter().find(|r| !r.worth.is_finite() || r.value.is_some_and(|v| !v.is_finite()))
        {
            let set = row.channels.join(" + ");
            return Err(Error::option("worths", format!("the worth of `{set}` is not a finite number")));
        }
        if !(2..=1 << 30).contains(&self.samples) {
            return Err(Error::option("samples", format!("must be 2 to 2^30, not {}", self.samples)));
        }
        Ok(())
    }

    /// The name that tells this model from others of its kind.
    pub(super) fn long_name(&self) -> String {
        let mut name = format!("shapley(worth={}", name_of(&self.worth));
        if self.missing != Missing::Zero {
            name = name + ", missing=" + &name_of(&self.missing);
        }
        if self.negative == Negative::Clamp {
            name.push_str(", negative=clamp");
        }
        name + ")"
    }

    /// Plays the game on these journeys. Conversions without a touch are no
    /// part of it.
    ///
    /// Errors: [`Error::Option`] for a bad table, or for more channels than a
    /// policy of missing coalitions can look at; [`Error::NotEnoughData`] for
    /// a missing coalition where there must be none.
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<ShapleyModel> {
        self.check()?;
        let sets = Coalitions::count(journeys, run)?;
        let positions = if self.is_rule() { positions::positions(journeys, run)? } else { Vec::new() };
        Ok(ShapleyModel { positions, ..self.of_sets(journeys, sets, run)? })
    }

    /// The model of the sets that were counted in these journeys or in a sample
    /// of them, which knows no positions.
    pub(super) fn of_sets(&self, journeys: &Journeys, sets: Coalitions, run: &Run) -> Result<ShapleyModel> {
        let channels = journeys.channel_labels();
        let measures = 1 + usize::from(journeys.has_value());
        let mut values = vec![vec![0.0; channels.len()]; 2];
        let mut errors = None;
        for (measure, out) in values.iter_mut().enumerate().take(measures) {
            let (found, error) = self.play(&channels, &sets, measure, run)?;
            *out = found;
            if let Some(error) = error {
                let zeros = || [vec![0.0; channels.len()], vec![0.0; channels.len()]];
                errors.get_or_insert_with(zeros)[measure] = error;
            }
        }
        let values_value = values.pop().unwrap_or_default();
        Ok(ShapleyModel {
            shapley: self.clone(),
            channels,
            has_value: journeys.has_value(),
            values: values.pop().unwrap_or_default(),
            values_value,
            errors,
            sets,
            positions: Vec::new(),
        })
    }

    /// The values of one measure, and their standard errors if sampled.
    fn play(
        &self,
        channels: &[String],
        sets: &Coalitions,
        measure: usize,
        run: &Run,
    ) -> Result<(Vec<f64>, Option<Vec<f64>>)> {
        let n = channels.len();
        let of = if measure == 0 { &sets.conversions } else { &sets.value };
        if self.worth == Worth::JourneyRate {
            let shares = journey::shares(self, channels, sets, measure, run)?;
            let mut sums = vec![crate::math::ExactSum::new(); n];
            for ((set, shares), total) in sets.sets.iter().zip(&shares).zip(of) {
                let shares = self.negative.shares(shares);
                set.iter().zip(&shares).for_each(|(c, share)| sums[*c as usize].add(share * total));
            }
            return Ok((sums.iter().map(crate::math::ExactSum::value).collect(), None));
        }
        run.stage("weigh coalitions", 0)?;
        match self.game(channels, sets, measure, run)? {
            Game::Dividends(dividends) => {
                let mut sums = vec![crate::math::ExactSum::new(); n];
                for (set, d) in sets.sets.iter().zip(dividends) {
                    set.iter().for_each(|c| sums[*c as usize].add(d / set.len() as f64));
                }
                Ok((sums.iter().map(crate::math::ExactSum::value).collect(), None))
            }
            Game::Points(sets, worths) => Ok((worth::of_points(&sets, &worths, n), None)),
            Game::Table(table) => Ok((subsets::shapley(&table, n, run)?, None)),
            Game::Sampled => {
                let found = sample::rate(sets, of, n, self.samples, run)?;
                Ok((found.values, Some(found.errors)))
            }
        }
    }
}

impl ShapleyModel {
    /// The parameters.
    pub fn parameters(&self) -> &Shapley {
        &self.shapley
    }

    /// The channels' labels.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The Shapley values of the channels, in the unit of the worth:
    /// conversions, or a rate. Those of `journey_rate` are conversions.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The same of the game in which a coalition earns value.
    pub fn values_value(&self) -> &[f64] {
        &self.values_value
    }

    /// The standard errors of the values where they were sampled.
    pub fn standard_errors(&self) -> Option<&[f64]> {
        self.errors.as_ref().map(|e| e[0].as_slice())
    }

    /// How conversions (0) or value (1) of single journeys are split.
    pub(super) fn kernel(&self, measure: usize) -> Result<Kernel> {
        if self.shapley.worth == Worth::Conversions {
            return Ok(Kernel::Distinct);
        }
        let values = if measure == 0 { &self.values } else { &self.values_value };
        let mut split = ByChannel { weights: Negative::Clamp.weights(values), sets: HashMap::default() };
        if self.shapley.worth == Worth::JourneyRate {
            let shares = journey::shares(&self.shapley, &self.channels, &self.sets, measure, &Run::new())?;
            let known = self.sets.sets.iter().zip(shares).filter(|(_, shares)| !shares.is_empty());
            split.sets =
                known.map(|(set, shares)| (set.clone(), self.shapley.negative.shares(&shares))).collect();
        }
        Ok(Kernel::Fitted(Arc::new(split)))
    }

    /// All conversions and value split over channels.
    pub(super) fn totals(&self, journeys: &Journeys, run: &Run) -> Result<Vec<[f64; 2]>> {
        if matches!(self.shapley.worth, Worth::Conversions | Worth::JourneyRate) {
            let value = if journeys.has_value() { self.kernel(1)? } else { Kernel::Linear };
            return rules::totals_of_both(journeys, &self.kernel(0)?, &value, run);
        }
        let lost = journeys.unattributed();
        let totals = [journeys.total_conversions() - lost.0, journeys.total_value() - lost.1];
        let weights = [&self.values, &self.values_value].map(|v| self.shapley.negative.weights(v));
        for (weights, total) in weights.iter().zip(totals) {
            // What adds up to nothing but rounding cannot be scaled to a total.
            let sum = crate::math::exact_sum(weights.iter().copied());
            let size = weights.iter().fold(0.0, |a, w| a + w.abs());
            if total != 0.0 && sum * total <= 1e-12 * size * total.abs() {
                let sum = if sum.abs() <= 1e-12 * size { 0.0 } else { sum };
                let cause = match self.shapley.worth {
                    Worth::Table => "that is the worth of all channels together: give the table one",
                    _ => "no journey has all channels; use worth=\"rate\" or \"journey_rate\"",
                };
                return Err(Error::not_enough_data(format!(
                    "the Shapley values of worth {} add up to {sum}, which cannot be scaled to all conversions: {cause}, or negative=\"clamp\"",
                    name_of(&self.shapley.worth)
                )));
            }
        }
        super::in_proportion(journeys, &weights, totals, run)
    }
}

/// Serde's name of a unit variant.
fn name_of<T: Serialize>(variant: &T) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// A journey's credit by the weights of its distinct channels, or by the
/// shares of its set of channels; a channel's part is split over its touches.
#[derive(Debug)]
struct ByChannel {
    weights: Vec<f64>,
    sets: HashMap<Vec<u32>, Vec<f64>, FixedState>,
}

impl Scorer for ByChannel {
    fn shares(&self, journey: &Journey<'_>, out: &mut Vec<f64>) {
        let mut set = journey.path.to_vec();
        set.sort_unstable();
        set.dedup();
        let mut shares = match self.sets.get(&set) {
            Some(shares) => shares.clone(),
            None => set.iter().map(|c| self.weights.get(*c as usize).copied().unwrap_or(0.0)).collect(),
        };
        let total: f64 = shares.iter().sum();
        if shares.iter().all(|s| *s == 0.0) {
            shares.fill(1.0 / set.len() as f64);
        } else {
            shares.iter_mut().for_each(|s| *s /= total);
        }
        let mut times = vec![0_u32; set.len()];
        let at: Vec<usize> = journey.path.iter().map(|c| set.binary_search(c).unwrap_or(0)).collect();
        at.iter().for_each(|i| times[*i] += 1);
        out.extend(at.iter().map(|i| shares[*i] / f64::from(times[*i])));
    }
}

impl model::Model for ShapleyModel {
    const KIND: &'static str = "attribution.Shapley";

    fn check(&self) -> Result<()> {
        let n = self.channels.len();
        let numbers = |v: &Vec<f64>| v.len() == n && v.iter().all(|x| x.is_finite());
        let errors = |v: &Vec<f64>| numbers(v) && v.iter().all(|x| *x >= 0.0);
        let position = |p: &Position| (p.0 as usize) < n && p.1 > 0 && p.2.is_finite() && p.3.is_finite();
        let sound = self.shapley.check().is_ok()
            && numbers(&self.values)
            && numbers(&self.values_value)
            && self.errors.as_ref().is_none_or(|e| e.iter().all(errors))
            && self.sets.is_sound(n)
            && self.positions.iter().all(position);
        if sound { Ok(()) } else { Err(Error::model_file("the Shapley model contradicts itself")) }
    }
}
