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

use serde::{Deserialize, Serialize};

use super::fitted;
use super::rules::Kernel;
use crate::column::Table;
use crate::journey::{Chain, Journeys, Repeats};
use crate::math::solve::{AbsorbingChain, Elimination};
use crate::model;
use crate::run::Run;
use crate::{Error, Result};

/// What removing a channel means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Whoever would come to a state with the channel is lost. The default.
    #[default]
    Null,
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
    /// How many channels the chain remembers, 1 to 5. Default 1. The longer
    /// the memory, the closer removal effects come to the share of conversions
    /// that a channel took part in.
    pub order: usize,
    /// The same state several times in a row. Removal effects are the same
    /// either way; the transitions are not.
    pub repeats: Repeats,
    /// What removing a channel means.
    pub removal: Removal,
}

impl Default for Markov {
    fn default() -> Self {
        Self { order: 1, repeats: Repeats::default(), removal: Removal::default() }
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
    transitions: Vec<(u32, u32, f64)>,
}

impl Markov {
    pub(super) fn check(&self) -> Result<()> {
        if (1..=5).contains(&self.order) {
            Ok(())
        } else {
            Err(Error::option("order", format!("must be 1 to 5, not {}", self.order)))
        }
    }

    /// Fits the chain to these journeys, open ones as nulls; conversions
    /// without a touch are no part of it. Without open journeys the
    /// probability of converting is 1.
    ///
    /// Order 1 takes one elimination for all channels, higher orders one
    /// sparse solve for each channel, verified to 12 digits
    /// ([`Error::NotConverged`] otherwise).
    pub fn fit(&self, journeys: &Journeys, run: &Run) -> Result<MarkovModel> {
        self.check()?;
        let chain = Chain::count(journeys, self.order, self.repeats, run)?;
        let effects = effects(&chain, journeys.channel_count(), run)?;
        Ok(MarkovModel {
            markov: self.clone(),
            channels: journeys.channel_labels(),
            removal_effects: effects.channels.iter().map(|e| e[0]).collect(),
            removal_effects_value: effects.channels.iter().map(|e| e[1]).collect(),
            conversion_probability: effects.whole[0],
            value_per_journey: effects.whole[1],
            states: (0..chain.len()).map(|i| chain.state(i)).collect(),
            start: chain.start.clone(),
            conversions: chain.conversions.clone(),
            nulls: chain.nulls.clone(),
            transitions: chain.edges,
        })
    }
}

struct Effects {
    /// Probability of converting and expected value, from the start.
    whole: [f64; 2],
    channels: Vec<[f64; 2]>,
}

/// States up to which elimination is quicker than sweeps at orders above 1.
const SMALL: usize = 160;
/// States up to which elimination is affordable at all (memory 8 n² bytes).
const LARGE: usize = 3_000;
/// Relative error that a solution may have.
const TOLERANCE: f64 = 1e-12;

fn effects(chain: &Chain, channels: usize, run: &Run) -> Result<Effects> {
    let n = chain.len();
    let starts: f64 = chain.start.iter().sum();
    let mut out = Effects { whole: [0.0; 2], channels: vec![[0.0; 2]; channels] };
    if n == 0 || starts <= 0.0 {
        return Ok(out);
    }
    let leave = chain.conversions.iter().zip(&chain.nulls).map(|(a, b)| a + b).collect();
    let system = AbsorbingChain::new(chain.edges.iter().copied(), leave)?;
    let begin: Vec<f64> = chain.start.iter().map(|w| w / starts).collect();
    let from_start = |x: &[f64]| begin.iter().zip(x).map(|(p, v)| p * v).sum::<f64>();
    run.stage("solve the chain", channels as u64)?;
    let rewards = [&chain.conversions, &chain.value];

    if chain.order() == 1 && n <= LARGE {
        let inverse = system.factor(None, run)?;
        let worth = rewards.map(|r| inverse.solve(r));
        out.whole = [from_start(&worth[0]), from_start(&worth[1])];
        let reach = inverse.solve_transposed(&begin);
        let found = run.map_items(n, |s| {
            run.advance(1)?;
            // The probability of ever coming to the state, times what it is worth.
            let visit = reach[s] / inverse.inverse_diagonal(s);
            Ok([visit * worth[0][s], visit * worth[1][s]])
        })?;
        for (s, lost) in found.into_iter().enumerate() {
            if let [channel] = chain.state(s)[..] {
                out.channels[channel as usize] = shares(lost, out.whole);
            }
        }
        return Ok(out);
    }

    let solver = Solver::new(&system, from_start, run)?;
    let worth = [solver.solve(None, rewards[0], run)?, solver.solve(None, rewards[1], run)?];
    out.whole = [from_start(&worth[0]), from_start(&worth[1])];
    let states: Vec<Vec<u32>> = (0..n).map(|s| chain.state(s)).collect();
    let found = run.map_items(channels, |c| {
        let removed: Vec<bool> = states.iter().map(|s| s.contains(&(c as u32))).collect();
        let mut lost = [0.0; 2];
        for (lost, worth) in lost.iter_mut().zip(&worth) {
            // What is lost on first coming to S. Solving for the loss, not for
            // what remains, keeps the digits of small effects.
            let entering: Vec<f64> = (0..n)
                .map(|s| system.row(s).filter(|(t, _)| removed[*t]).map(|(t, flow)| flow * worth[t]).sum())
                .collect();
            let mut x = solver.solve(Some(&removed), &entering, run)?;
            for (s, x) in x.iter_mut().enumerate().filter(|(s, _)| removed[*s]) {
                *x = worth[s];
            }
            *lost = from_start(&x);
        }
        run.advance(1)?;
        Ok(shares(lost, out.whole))
    })?;
    out.channels = found;
    Ok(out)
}

fn shares(lost: [f64; 2], whole: [f64; 2]) -> [f64; 2] {
    let share = |k: usize| if whole[k] > 0.0 { (lost[k] / whole[k]).min(1.0) } else { 0.0 };
    [share(0), share(1)]
}

/// Sweeps with a proven error where they converge, elimination where not.
struct Solver<'a, F> {
    system: &'a AbsorbingChain,
    from_start: F,
    /// Expected visits before leaving; `None` means eliminate.
    visits: Option<Vec<f64>>,
}

impl<'a, F: Fn(&[f64]) -> f64 + Sync> Solver<'a, F> {
    fn new(system: &'a AbsorbingChain, from_start: F, run: &Run) -> Result<Self> {
        let visits = if system.len() <= SMALL { None } else { system.visits_bound(run)? };
        Ok(Self { system, from_start, visits })
    }

    fn solve(&self, removed: Option<&[bool]>, r: &[f64], run: &Run) -> Result<Vec<f64>> {
        if r.iter().all(|x| *x == 0.0) {
            return Ok(vec![0.0; r.len()]);
        }
        let mut error = f64::INFINITY;
        if let Some(visits) = &self.visits {
            let steps = (self.from_start)(visits);
            let scale = r.iter().fold(0.0_f64, |a, b| a.max(*b));
            // The sweeps' own unit: ε times expected visits, against the answer.
            let (x, epsilon) = self.system.sweep(removed, r, scale * 1e-300, run)?;
            let answer = (self.from_start)(&x);
            error = epsilon * steps;
            if error <= TOLERANCE * answer || answer == 0.0 {
                return Ok(x);
            }
        }
        if self.system.len() <= LARGE {
            let eliminated: Elimination = self.system.factor(removed, run)?;
            return Ok(eliminated.solve(r));
        }
        Err(Error::NotConverged {
            model: "markov",
            iterations: 0,
            gradient_norm: error,
            hint: "journeys go round for too long before they end; lower the order, or shorten the lookback"
                .into(),
        })
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
        let base = self.channels.len() as u64 + 1;
        let key = |s: &Vec<u32>| s.iter().fold(0, |key, c| key * base + u64::from(*c) + 1);
        let chain = Chain {
            order: self.markov.order,
            channels: self.channels.len(),
            keys: self.states.iter().map(key).collect(),
            edges: self.transitions.clone(),
            start: self.start.clone(),
            conversions: self.conversions.clone(),
            nulls: self.nulls.clone(),
            value: Vec::new(),
        };
        chain.table(&self.channels)
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
        Kernel::Weighted(self.removal_effects.clone())
    }

    /// All conversions with a touch split over channels in proportion to their
    /// removal effects, and their value by the effects on value.
    pub(super) fn totals(&self, journeys: &Journeys) -> Vec<[f64; 2]> {
        let lost = journeys.unattributed();
        let conversions = journeys.total_conversions() - lost.0;
        let value = journeys.total_value() - lost.1;
        let sums = [&self.removal_effects, &self.removal_effects_value].map(|e| e.iter().sum::<f64>());
        let credit = |effect: f64, sum: f64, total: f64| if sum > 0.0 { effect / sum * total } else { 0.0 };
        let effects = self.removal_effects.iter().zip(&self.removal_effects_value);
        effects.map(|(c, v)| [credit(*c, sums[0], conversions), credit(*v, sums[1], value)]).collect()
    }
}

impl model::Model for MarkovModel {
    const KIND: &'static str = "attribution.Markov";

    fn check(&self) -> Result<()> {
        let (channels, n) = (self.channels.len(), self.states.len());
        let share = |v: &Vec<f64>| v.len() == channels && v.iter().all(|x| (0.0..=1.0).contains(x));
        let weights = |v: &Vec<f64>| v.len() == n && v.iter().all(|x| x.is_finite() && *x >= 0.0);
        let state = |s: &Vec<u32>| {
            !s.is_empty() && s.len() <= self.markov.order && s.iter().all(|c| (*c as usize) < channels)
        };
        let edge =
            |e: &(u32, u32, f64)| (e.0 as usize) < n && (e.1 as usize) < n && e.2.is_finite() && e.2 >= 0.0;
        let sound = self.markov.check().is_ok()
            && (channels as u64 + 1).checked_pow(self.markov.order as u32 + 1).is_some()
            && share(&self.removal_effects)
            && share(&self.removal_effects_value)
            && (0.0..=1.0 + 1e-9).contains(&self.conversion_probability)
            && self.value_per_journey.is_finite()
            && self.states.iter().all(state)
            && [&self.start, &self.conversions, &self.nulls].into_iter().all(weights)
            && self.transitions.iter().all(edge)
            && self.transitions.is_sorted_by_key(|e| (e.0, e.1));
        if sound { Ok(()) } else { Err(Error::model_file("the Markov model contradicts itself")) }
    }
}
