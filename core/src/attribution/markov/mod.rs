//! Removal effects in a Markov chain of order k, exactly.
//!
//! Anderl, Becker, von Wangenheim & Schumann, *Mapping the customer journey*,
//! IJRM 33 (2016). Journeys are walks over states of up to k channels that end
//! in conversion or null. With b the probability of converting from each state,
//! the removal effect of a channel is 1 − b'/b from the start, where b' sends
//! every state that contains the channel to null. Nothing is simulated: the
//! chains are solved as linear systems, without cancellation
//! ([`crate::math::solve`]).
//!
//! | symbol | here |
//! | --- | --- |
//! | D − W | the chain's matrix: row totals less transition counts |
//! | b, ρ | conversion probability, expected value, by state |
//! | S | the states that contain the channel |
//! | RE = N[0,S] N[S,S]⁻¹ b[S] / b₀ | the removal effect, for conversions; with ρ for value |
//!
//! | room | holds |
//! | --- | --- |
//! | `removal` | the solves, whole and with parts taken out |
//! | `first` | the same for large chains: where walks first come to some states |
//! | `joint` | several channels, or a sequence, taken out together |
//! | `states` | what being at a state means |

mod first;
mod flows;
mod joint;
mod removal;
mod states;

pub use joint::JointOptions;

use serde::{Deserialize, Serialize};

use super::rules::{self, Kernel};
use super::{Negative, fitted};
use crate::column::{Table, Values};
use crate::journey::{Chain, Coalitions, Journeys, Repeats, highest_order};
use crate::run::Run;
use crate::{Error, Result, model};
use removal::{Walks, of_journeys};

/// What removing a channel means, and so what 1 − p'/p is measured on: p the
/// probability of converting, p' without the channel.
///
/// `null` and `reconnect` change the chain; the others change journeys, and
/// since a chain of any order converts as often as the journeys it was counted
/// from, their p' is a ratio of counts. With c conversions of n journeys, c₋ₓ
/// those of journeys without channel x, and n₍ₓ₎, c₍ₓ₎ the journeys and
/// conversions with no channel but x:
///
/// | removal | p' |
/// | --- | --- |
/// | `null` | of the chain in which every state with the channel is null |
/// | `reconnect` | of the chain without those states, the other ways out of a state made to add up to 1 |
/// | `skip` | (c − c₍ₓ₎) / (n − n₍ₓ₎): touches of x are left out, what came before leads to what came after |
/// | `fail` | c₋ₓ / n: journeys with x do not convert; at every order the share of conversions x took part in |
/// | `fail_refit` | c₋ₓ / (n − n₍ₓ₎): as `fail`, but journeys of x alone are not counted |
///
/// `null` and `fail` are never negative. `reconnect`, `skip` and `fail_refit`
/// are where whoever touches the channel converts less often than the others;
/// [`Markov::negative`] says what happens to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Whoever would come to a state with the channel is lost. The default.
    #[default]
    #[serde(alias = "redirect_to_null")]
    Null,
    /// Whoever would come to a state with the channel takes one of the other
    /// ways, in proportion; where there is none, or none leads to an end, they
    /// are lost.
    Reconnect,
    /// The channel's touches are left out of every journey; journeys of it
    /// alone drop out.
    #[serde(alias = "detour")]
    Skip,
    /// Journeys with the channel end in null.
    Fail,
    /// Journeys with the channel end in null; journeys of it alone drop out.
    FailRefit,
}

impl Removal {
    pub(super) fn is_of_journeys(self) -> bool {
        matches!(self, Self::Skip | Self::Fail | Self::FailRefit)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Reconnect => "reconnect",
            Self::Skip => "skip",
            Self::Fail => "fail",
            Self::FailRefit => "fail_refit",
        }
    }
}

/// How removal effects become the credit of all conversions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// All conversions at once, in proportion to the effects (Anderl et al.;
    /// ChannelAttribution). The default.
    #[default]
    Removal,
    /// Each journey's conversions over its own touches, in proportion to their
    /// channels' effects, and then added up (DP6's attribution models): the
    /// sums of the credits of touches.
    Journey,
}

/// The parameters of a Markov chain model.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::Markov;
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new()
///     .with("path", vec!["a > b", "a"])
///     .with("conversions", vec![1.0, 0.0])
///     .with("nulls", vec![1.0, 2.0]);
/// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
/// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
/// let model = Markov::default().fit(&journeys, &Run::new())?;
/// assert_eq!(model.conversion_probability(), 0.25);
/// assert_eq!(model.removal_effects(), [1.0, 1.0]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Markov {
    /// How many channels the chain remembers, from 1 up to what
    /// [`Chain::count`] can hold for so many channels. Default 1. The longer
    /// the memory, the closer removal effects come to the share of conversions
    /// that a channel took part in.
    pub order: usize,
    /// The same state several times in a row. Removal effects are the same
    /// either way; the transitions are not.
    pub repeats: Repeats,
    /// What removing a channel means.
    pub removal: Removal,
    /// How effects become credit.
    pub split: Split,
    /// Negative effects in the split of all conversions: `clamp` counts them
    /// as 0 (the default), `keep` gives negative credit. A single journey is
    /// always split by `clamp`.
    pub negative: Negative,
}

impl Default for Markov {
    fn default() -> Self {
        Self {
            order: 1,
            repeats: Repeats::default(),
            removal: Removal::default(),
            split: Split::default(),
            negative: Negative::Clamp,
        }
    }
}

/// A fitted Markov chain: removal effects and transitions.
///
/// Saves and loads as `attribution.Markov`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkovModel {
    markov: Markov,
    channels: Vec<String>,
    removal_effects: Vec<f64>,
    removal_effects_value: Vec<f64>,
    conversion_probability: f64,
    value_per_journey: f64,
    states: Vec<Vec<u32>>,
    start: Vec<f64>,
    conversions: Vec<f64>,
    nulls: Vec<f64>,
    value: Vec<f64>,
    has_value: bool,
    transitions: Vec<(u32, u32, f64)>,
    /// For removals that are defined on journeys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sets: Option<Coalitions>,
}

impl Markov {
    pub(super) fn check(&self) -> Result<()> {
        if (1..=highest_order(1)).contains(&self.order) {
            return Ok(());
        }
        Err(Error::option("order", format!("must be 1 to 62, and fit the channels, not {}", self.order)))
    }

    /// The name that tells this model from others of its kind.
    pub(super) fn long_name(&self) -> String {
        let mut name = format!("markov(order={}", self.order);
        let mut add = |differs: bool, text: &str| {
            if differs {
                name.push_str(", ");
                name.push_str(text);
            }
        };
        add(self.repeats == Repeats::Keep, "repeats=keep");
        add(self.removal != Removal::Null, &format!("removal={}", self.removal.name()));
        add(self.split == Split::Journey, "split=journey");
        add(self.negative == Negative::Keep, "negative=keep");
        name + ")"
    }

    /// Whether the credit of channels depends on nothing but the chain's counts.
    pub(super) fn is_of_chain(&self) -> bool {
        self.removal == Removal::Null && self.split == Split::Removal
    }

    /// The removal effects in a chain, for a removal that is of the chain.
    pub(super) fn effects_of(&self, chain: &Chain, channels: usize, run: &Run) -> Result<Vec<[f64; 2]>> {
        match Walks::new(chain, run)? {
            Some(walks) => walks.channel_effects(self.removal, channels, run),
            None => Ok(vec![[0.0; 2]; channels]),
        }
    }

    /// Totals of conversions and value in proportion to effects; nothing where
    /// no effect is positive.
    pub(super) fn credits_of(&self, effects: &[[f64; 2]], totals: [f64; 2]) -> Vec<[f64; 2]> {
        let weights = [0, 1].map(|k| {
            let of: Vec<f64> = effects.iter().map(|e| e[k]).collect();
            self.negative.weights(&of)
        });
        let sums = [0, 1].map(|k| weights[k].iter().sum::<f64>());
        let credit =
            |c: usize, k: usize| if sums[k] > 0.0 { weights[k][c] / sums[k] * totals[k] } else { 0.0 };
        (0..effects.len()).map(|c| [credit(c, 0), credit(c, 1)]).collect()
    }

    /// Fits the chain to these journeys, open ones as nulls; conversions
    /// without a touch are no part of it. Without open journeys the
    /// probability of converting is 1.
    ///
    /// Order 1 takes one elimination for all channels, higher orders one
    /// sparse solve for each channel over what can follow on it, verified to
    /// 12 digits, or where walks take thousands of steps to what rounding
    /// leaves of so many ([`Error::NotConverged`] otherwise).
    /// [`Error::Option`] for an order that does not fit so many channels.
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<MarkovModel> {
        self.check()?;
        let chain = Chain::count(journeys, self.order, self.repeats, run)?;
        let sets = if self.removal.is_of_journeys() { Some(Coalitions::count(journeys, run)?) } else { None };
        self.of_counts(journeys, chain, sets, run)
    }

    /// The model of what was counted in these journeys or in a sample of them;
    /// `sets` for the removals that are of journeys.
    pub(super) fn of_counts(
        &self,
        journeys: &Journeys,
        chain: Chain,
        sets: Option<Coalitions>,
        run: &Run,
    ) -> Result<MarkovModel> {
        let channels = journeys.channel_count();
        let walks = Walks::new(&chain, run)?;
        let effects = match (&walks, &sets) {
            (_, Some(all)) => run.map_items(channels, |c| Ok(of_journeys(self.removal, all, &[c as u32])))?,
            (Some(walks), None) => walks.channel_effects(self.removal, channels, run)?,
            (None, None) => vec![[0.0; 2]; channels],
        };
        let whole = walks.map_or([0.0; 2], |walks| walks.whole);
        Ok(MarkovModel {
            removal_effects: effects.iter().map(|e| e[0]).collect(),
            removal_effects_value: effects.iter().map(|e| e[1]).collect(),
            conversion_probability: whole[0],
            value_per_journey: whole[1],
            sets,
            ..self.of_chain(journeys, chain)
        })
    }

    /// The same without a solve: the effects are left out.
    pub(super) fn of_chain(&self, journeys: &Journeys, chain: Chain) -> MarkovModel {
        let starts = chain.start.iter().sum::<f64>();
        let each = |of: &[f64]| if starts > 0.0 { of.iter().sum::<f64>() / starts } else { 0.0 };
        MarkovModel {
            markov: self.clone(),
            channels: journeys.channel_labels(),
            removal_effects: Vec::new(),
            removal_effects_value: Vec::new(),
            conversion_probability: each(&chain.conversions),
            value_per_journey: each(&chain.value),
            states: (0..chain.len()).map(|i| chain.state(i)).collect(),
            start: chain.start,
            conversions: chain.conversions,
            nulls: chain.nulls,
            value: chain.value,
            has_value: journeys.has_value(),
            transitions: chain.edges,
            sets: None,
        }
    }
}

impl MarkovModel {
    /// The parameters.
    pub fn parameters(&self) -> &Markov {
        &self.markov
    }

    /// The channels' labels.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The share of conversions lost without each channel.
    pub fn removal_effects(&self) -> &[f64] {
        &self.removal_effects
    }

    /// The share of value lost without each channel.
    pub fn removal_effects_value(&self) -> &[f64] {
        &self.removal_effects_value
    }

    /// Each channel's effects on conversions and on value.
    pub(super) fn effect_pairs(&self) -> Vec<[f64; 2]> {
        self.removal_effects.iter().zip(&self.removal_effects_value).map(|(c, v)| [*c, *v]).collect()
    }

    /// The removal effects as a table: channel, removal_effect,
    /// removal_effect_value (missing where no value is known).
    pub fn table(&self) -> Table {
        let value = self.removal_effects_value.iter().map(|e| self.has_value.then_some(*e));
        Table::new()
            .with("channel", Values::Text(self.channels.iter().collect()))
            .with("removal_effect", Values::F64(self.removal_effects.clone()))
            .with_optional("removal_effect_value", value)
    }

    /// The probability that a journey converts: conversions / (conversions + nulls).
    pub fn conversion_probability(&self) -> f64 {
        self.conversion_probability
    }

    /// The value that a journey brings on average.
    pub fn value_per_journey(&self) -> f64 {
        self.value_per_journey
    }

    /// The transitions: from, to, count, probability.
    pub fn transitions(&self) -> Table {
        self.chain().table(&self.channels)
    }

    fn chain(&self) -> Chain {
        let base = self.channels.len() as u64 + 1;
        let key = |s: &Vec<u32>| s.iter().fold(0, |key, c| key * base + u64::from(*c) + 1);
        Chain {
            order: self.markov.order,
            channels: self.channels.len(),
            keys: self.states.iter().map(key).collect(),
            edges: self.transitions.clone(),
            start: self.start.clone(),
            conversions: self.conversions.clone(),
            nulls: self.nulls.clone(),
            value: self.value.clone(),
        }
    }

    /// The credit of each touch of one journey: its conversion split in
    /// proportion to the removal effects of its touches' channels. Channels
    /// that the model does not know have no effect; if none has any, all
    /// touches have the same.
    pub fn credit<S: AsRef<str>>(&self, path: &[S]) -> Vec<f64> {
        fitted::credit(&self.kernel(), &self.channels, path, &[], None)
    }

    /// The states, and how many journeys end in each in a conversion and in null.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&[u32], f64, f64)> {
        let weights = self.conversions.iter().zip(&self.nulls);
        self.states.iter().zip(weights).map(|(state, (c, n))| (state.as_slice(), *c, *n))
    }

    pub(super) fn kernel(&self) -> Kernel {
        Kernel::Weighted(Negative::Clamp.weights(&self.removal_effects))
    }

    pub(super) fn value_kernel(&self) -> Kernel {
        Kernel::Weighted(Negative::Clamp.weights(&self.removal_effects_value))
    }

    /// All conversions with a touch split over channels in proportion to their
    /// removal effects, and their value by the effects on value; where no
    /// effect is positive, by touches.
    pub(super) fn totals(&self, journeys: &Journeys, run: &Run) -> Result<Vec<[f64; 2]>> {
        if self.markov.split == Split::Journey {
            return rules::totals_of_both(journeys, &self.kernel(), &self.value_kernel(), run);
        }
        let lost = journeys.unattributed();
        let totals = [journeys.total_conversions() - lost.0, journeys.total_value() - lost.1];
        let effects = [&self.removal_effects, &self.removal_effects_value];
        super::in_proportion(journeys, &effects.map(|e| self.markov.negative.weights(e)), totals, run)
    }
}

impl model::Model for MarkovModel {
    const KIND: &'static str = "attribution.Markov";

    fn check(&self) -> Result<()> {
        let (channels, n) = (self.channels.len(), self.states.len());
        let effects = |v: &Vec<f64>| v.len() == channels && v.iter().all(|x| x.is_finite());
        let weights = |v: &Vec<f64>| v.len() == n && v.iter().all(|x| x.is_finite() && *x >= 0.0);
        let state = |s: &Vec<u32>| {
            !s.is_empty() && s.len() <= self.markov.order && s.iter().all(|c| (*c as usize) < channels)
        };
        let edge =
            |e: &(u32, u32, f64)| (e.0 as usize) < n && (e.1 as usize) < n && e.2.is_finite() && e.2 >= 0.0;
        let sound = self.markov.check().is_ok()
            && self.markov.order <= highest_order(channels)
            && effects(&self.removal_effects)
            && effects(&self.removal_effects_value)
            && self.removal_effects.iter().all(|x| *x <= 1.0)
            && (0.0..=1.0 + 1e-9).contains(&self.conversion_probability)
            && self.value_per_journey.is_finite()
            && self.states.iter().all(state)
            && [&self.start, &self.conversions, &self.nulls].into_iter().all(weights)
            && self.value.len() == n
            && self.value.iter().all(|x| x.is_finite())
            && self.sets.as_ref().is_none_or(|sets| sets.is_sound(channels))
            && self.sets.is_some() == self.markov.removal.is_of_journeys()
            && self.transitions.iter().all(edge)
            && self.transitions.is_sorted_by_key(|e| (e.0, e.1));
        if sound { Ok(()) } else { Err(Error::model_file("the Markov model contradicts itself")) }
    }
}
