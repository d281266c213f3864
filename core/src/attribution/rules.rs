//! The rules: a journey's credit from its own touches alone.

use std::sync::Arc;

use super::Model;
use super::callback;
use super::custom::Weights;
use super::fitted::Scorer;
use crate::journey::{Journey, Journeys};
use crate::math::{ExactSum, exp2, merge_sums};
use crate::run::Run;
use crate::{Error, Result};

/// A rule made ready for these journeys' channels.
#[derive(Clone, Debug)]
pub(super) enum Kernel {
    First,
    Last,
    LastNon(Vec<bool>),
    Linear,
    Position {
        first: f64,
        last: f64,
    },
    Decay {
        half_life: f64,
    },
    /// An equal share to each distinct channel, split over its repeats.
    Distinct,
    /// In proportion to a weight of the channel.
    Weighted(Vec<f64>),
    /// In proportion to weights of one's own.
    Custom(Weights),
    /// In proportion to what a function said.
    Callback(callback::Weights),
    /// By a fitted model.
    Fitted(Arc<dyn Scorer>),
}

/// What one journey's touches are worth, adding up to 1.
pub(super) enum Shares<'a> {
    One(usize),
    Equal(f64),
    Each(&'a [f64]),
}

/// Room that is used again for each journey.
pub(super) struct Scratch {
    weights: Vec<f64>,
    /// For each channel the last journey it was seen in, and how often.
    seen: Vec<(u32, u32)>,
    turn: u32,
}

impl Scratch {
    pub(super) fn new(channels: usize) -> Self {
        Self { weights: Vec::new(), seen: vec![(0, 0); channels], turn: 0 }
    }
}

impl Kernel {
    /// The rule, for journeys of these channels, which may be known themselves.
    pub(super) fn new(model: &Model, channels: &[String], journeys: Option<&Journeys>) -> Result<Self> {
        model.check()?;
        Ok(match model {
            Model::First => Self::First,
            Model::Last => Self::Last,
            Model::LastNonDirect { direct } => {
                let is_direct = |label: &String| direct.iter().any(|d| d.eq_ignore_ascii_case(label));
                Self::LastNon(channels.iter().map(is_direct).collect())
            }
            Model::Linear => Self::Linear,
            Model::PositionBased { first, last } => Self::Position { first: *first, last: *last },
            Model::TimeDecay { half_life } => Self::Decay { half_life: half_life.micros() as f64 },
            Model::Shapley(shapley) if shapley.is_rule() => Self::Distinct,
            Model::Custom(custom) => Self::Custom(Weights::new(custom, channels)),
            Model::Callback(callback) => Self::Callback(callback.weights(journeys)?),
            fitted => {
                let name = fitted.name();
                return Err(Error::option(
                    "model",
                    format!("{name} is fitted to all journeys: use Fitted::fit"),
                ));
            }
        })
    }

    /// The shares of a journey with at least one touch, of which each counts
    /// for its weight; without weights, all count the same.
    ///
    /// First and last look at touches of a weight above 0. Other rules multiply
    /// each touch's share by its weight, and add up to 1 again. Touches of
    /// weight 0 earn nothing unless all of a journey's touches have that
    /// weight, which then has no meaning. `shapley` and fitted models know no
    /// weights.
    pub(super) fn weighted<'s>(&self, journey: &Journey<'_>, scratch: &'s mut Scratch) -> Shares<'s> {
        let Journey { path, weights, .. } = *journey;
        let plain = weights.len() != path.len() || weights.iter().all(|w| *w == weights[0]);
        if plain || matches!(self, Self::Distinct | Self::Weighted(_) | Self::Fitted(_)) {
            return self.shares(journey, scratch);
        }
        let counts = |i: &usize| weights[*i] > 0.0;
        match self {
            Self::First => return Shares::One((0..path.len()).find(counts).unwrap_or(0)),
            Self::Last => return Shares::One((0..path.len()).rev().find(counts).unwrap_or(path.len() - 1)),
            Self::LastNon(direct) => {
                let other = |i: &usize| !direct.get(path[*i] as usize).copied().unwrap_or(false);
                let mut touches = (0..path.len()).rev().filter(counts);
                let last = touches.clone().next().unwrap_or(path.len() - 1);
                return Shares::One(touches.find(other).unwrap_or(last));
            }
            _ => {}
        }
        let mut shares = match self.shares(journey, scratch) {
            Shares::One(at) => (0..path.len()).map(|i| f64::from(u8::from(i == at))).collect(),
            Shares::Equal(share) => vec![share; path.len()],
            Shares::Each(shares) => shares.to_vec(),
        };
        shares.iter_mut().zip(weights).for_each(|(share, weight)| *share *= weight);
        if !shares.iter().any(|share| *share > 0.0) {
            // What has weight has no share by the rule.
            shares.copy_from_slice(weights);
        }
        normalise(&mut shares);
        scratch.weights = shares;
        Shares::Each(&scratch.weights)
    }

    /// The shares of a journey with at least one touch.
    fn shares<'s>(&self, journey: &Journey<'_>, scratch: &'s mut Scratch) -> Shares<'s> {
        let Journey { path, times, .. } = *journey;
        let n = path.len();
        let w = &mut scratch.weights;
        match self {
            Self::First => Shares::One(0),
            Self::Last => Shares::One(n - 1),
            Self::LastNon(direct) => {
                let earned = path.iter().rposition(|c| !direct.get(*c as usize).copied().unwrap_or(false));
                Shares::One(earned.unwrap_or(n - 1))
            }
            Self::Linear => Shares::Equal(1.0 / n as f64),
            Self::Position { first, last } => match n {
                1 => Shares::One(0),
                2 => {
                    let ends = first + last;
                    w.clear();
                    w.extend(if ends > 0.0 { [first / ends, last / ends] } else { [0.5, 0.5] });
                    Shares::Each(w)
                }
                _ => {
                    w.clear();
                    w.resize(n, (1.0 - first - last).max(0.0) / (n - 2) as f64);
                    (w[0], w[n - 1]) = (*first, *last);
                    Shares::Each(w)
                }
            },
            Self::Decay { half_life } => {
                // Measured from the last touch: the distance from there to the
                // conversion cancels out, and could underflow all weights to 0.
                let newest = times.last().copied().unwrap_or(0);
                w.clear();
                w.extend(times.iter().map(|t| exp2(-(newest.saturating_sub(*t) as f64) / half_life)));
                normalise(w);
                Shares::Each(w)
            }
            Self::Distinct => {
                scratch.turn += 1;
                let mut distinct = 0_u32;
                for c in path {
                    let (turn, times) = &mut scratch.seen[*c as usize];
                    if *turn != scratch.turn {
                        (*turn, *times) = (scratch.turn, 0);
                        distinct += 1;
                    }
                    *times += 1;
                }
                w.clear();
                let share = |c: &u32| 1.0 / (f64::from(distinct) * f64::from(scratch.seen[*c as usize].1));
                w.extend(path.iter().map(share));
                Shares::Each(w)
            }
            Self::Weighted(weights) => {
                w.clear();
                w.extend(path.iter().map(|c| weights.get(*c as usize).copied().unwrap_or(0.0)));
                in_proportion(w)
            }
            Self::Custom(weights) => {
                weights.write(journey, w);
                in_proportion(w)
            }
            Self::Callback(weights) => {
                weights.write(journey, w);
                in_proportion(w)
            }
            Self::Fitted(scorer) => {
                w.clear();
                scorer.shares(journey, w);
                Shares::Each(w)
            }
        }
    }
}

/// Shares in proportion to weights; equal ones where all are 0.
fn in_proportion(weights: &mut [f64]) -> Shares<'_> {
    if weights.iter().any(|x| *x > 0.0) {
        normalise(weights);
        Shares::Each(weights)
    } else {
        Shares::Equal(1.0 / weights.len() as f64)
    }
}

/// Makes weights add up to 1; at least one is above 0.
pub(super) fn normalise(weights: &mut [f64]) {
    let mut total: f64 = weights.iter().sum();
    if total == f64::INFINITY {
        let most = weights.iter().copied().fold(0.0, f64::max);
        weights.iter_mut().for_each(|w| *w /= most);
        total = weights.iter().sum();
    }
    for w in weights {
        *w /= total;
    }
}

/// Touches of whole conversions by channel and length of their journey: their
/// shares are the same then, and are added up at the end, as often as they
/// were counted. Exact sums come to the same bits.
struct Counts {
    /// For each channel and length: inner touches; for each channel the first
    /// and the last of longer journeys.
    inner: Vec<u32>,
    ends: Vec<[u32; 2]>,
    middle: Vec<f64>,
    outer: [f64; 2],
}

/// Journeys shorter than this are counted.
const SHORT: usize = 64;

impl Counts {
    fn new(kernel: &Kernel, channels: usize) -> Self {
        let length = |n: usize| n as f64;
        let (middle, outer) = match kernel {
            Kernel::Linear => ((0..SHORT).map(|n| 1.0 / length(n.max(1))).collect(), [0.0; 2]),
            Kernel::First => (Vec::new(), [1.0, 0.0]),
            Kernel::Last => (Vec::new(), [0.0, 1.0]),
            Kernel::Position { first, last } => {
                let rest = (1.0 - first - last).max(0.0);
                ((0..SHORT).map(|n| rest / length(n.max(3) - 2)).collect(), [*first, *last])
            }
            _ => (Vec::new(), [0.0; 2]),
        };
        let inner = if middle.is_empty() { 0 } else { channels * SHORT };
        Self { inner: vec![0; inner], ends: vec![[0; 2]; channels], middle, outer }
    }

    /// Counts a journey's touches, if this rule's shares depend on nothing else.
    fn count(&mut self, kernel: &Kernel, path: &[u32]) -> bool {
        let n = path.len();
        match kernel {
            Kernel::First => self.ends[path[0] as usize][0] += 1,
            Kernel::Last => self.ends[path[n - 1] as usize][1] += 1,
            Kernel::Linear if n < SHORT => {
                for c in path {
                    self.inner[*c as usize * SHORT + n] += 1;
                }
            }
            Kernel::Position { .. } if (3..SHORT).contains(&n) => {
                self.ends[path[0] as usize][0] += 1;
                self.ends[path[n - 1] as usize][1] += 1;
                for c in &path[1..n - 1] {
                    self.inner[*c as usize * SHORT + n] += 1;
                }
            }
            _ => return false,
        }
        true
    }

    /// Adds what was counted to the channels' sums.
    fn pay(&self, sums: &mut [ExactSum], measures: usize) {
        let mut add = |channel: usize, share: f64, count: u32| {
            // A number times a power of two is exact.
            for bit in (0..u32::BITS).filter(|bit| count >> bit & 1 == 1) {
                sums[channel * measures].add(share * f64::from(1_u32 << bit));
            }
        };
        for (channel, ends) in self.ends.iter().enumerate() {
            add(channel, self.outer[0], ends[0]);
            add(channel, self.outer[1], ends[1]);
        }
        for (at, count) in self.inner.iter().enumerate().filter(|(_, count)| **count > 0) {
            add(at / SHORT, self.middle[at % SHORT], *count);
        }
    }
}

/// Bytes that the accumulators of all workers may take together.
const BUDGET: usize = 256 << 20;

/// The credits of all rules in one pass: kernels by channels, conversions and
/// value. Sums are exact, so the bits do not depend on how the work is cut.
pub(super) fn totals(journeys: &Journeys, kernels: &[&Kernel], run: &Run) -> Result<Vec<Vec<[f64; 2]>>> {
    let channels = journeys.channel_count();
    if kernels.is_empty() || channels == 0 {
        return Ok(vec![vec![[0.0; 2]; channels]; kernels.len()]);
    }
    let measures = 1 + usize::from(journeys.has_value());
    let size = kernels.len() * channels * measures;
    let pieces = journeys.pieces();
    let workers = (BUDGET / (size * size_of::<ExactSum>())).clamp(1, 16).min(pieces.len().max(1));
    run.stage("attribute by rules", journeys.len() as u64)?;
    let parts = run.map_items(workers, |worker| {
        let mut sums = vec![ExactSum::new(); size];
        let mut scratch = Scratch::new(channels);
        let mut counts: Vec<Counts> = kernels.iter().map(|kernel| Counts::new(kernel, channels)).collect();
        for piece in pieces.iter().skip(worker).step_by(workers) {
            for j in piece.clone() {
                let (conversions, value) = (journeys.conversions()[j], journeys.values()[j]);
                let journey = journeys.journey(j);
                let path = journey.path;
                if path.is_empty() || (conversions == 0.0 && value == 0.0) {
                    continue;
                }
                let plain = conversions == 1.0 && journey.weights.is_empty();
                for (k, kernel) in kernels.iter().enumerate() {
                    let sums = &mut sums[k * channels * measures..(k + 1) * channels * measures];
                    let counted = plain && counts[k].count(kernel, path);
                    if counted && value == 0.0 {
                        continue;
                    }
                    let mut add = |channel: u32, share: f64| {
                        let at = channel as usize * measures;
                        if !counted {
                            sums[at].add(conversions * share);
                        }
                        if measures == 2 && value != 0.0 {
                            sums[at + 1].add(value * share);
                        }
                    };
                    match kernel.weighted(&journey, &mut scratch) {
                        Shares::One(i) => add(path[i], 1.0),
                        Shares::Equal(share) => path.iter().for_each(|c| add(*c, share)),
                        Shares::Each(shares) => path.iter().zip(shares).for_each(|(c, s)| add(*c, *s)),
                    }
                }
            }
            run.advance(piece.len() as u64)?;
        }
        for (k, counts) in counts.iter().enumerate() {
            counts.pay(&mut sums[k * channels * measures..(k + 1) * channels * measures], measures);
        }
        Ok(sums)
    })?;
    let sums = merge_sums(parts);
    let read = |s: &[ExactSum]| [s[0].value(), s.get(1).map_or(0.0, ExactSum::value)];
    Ok(sums.chunks(channels * measures).map(|rows| rows.chunks(measures).map(read).collect()).collect())
}

/// Conversions by one kernel and value by another.
pub(super) fn totals_of_both(
    journeys: &Journeys,
    kernel: &Kernel,
    value: &Kernel,
    run: &Run,
) -> Result<Vec<[f64; 2]>> {
    let sums = totals(journeys, &[kernel, value], run)?;
    Ok(sums[0].iter().zip(&sums[1]).map(|(c, v)| [c[0], v[1]]).collect())
}
