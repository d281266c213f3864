//! Channels after whose touches those of another do more.
//!
//! A touch of c at t_k that had a touch of p in the W days before adds θ_pc beside θ_c, so that the pair has a
//! feature of its own,
//!
//! ```text
//! y_pc(t) = Σ_{touches of c with one of p in the W days before} (1 − s_c)^before e^(−r_c age)
//! ```
//!
//! Channels are dealt each by itself, so what is expected of it is what is expected of c's feature, each day by
//! the chance 1 − (1 − near_p)^n_p that one of p's n_p touches, of which the share near_p falls into the W days
//! before, comes before. What θ_pc brought would be lost without p and without c: it stands with both.

use super::SelfControlledOptions;
use super::dealt::{Deck, Feature};
use super::fit::{Fitted, add_up};
use super::shapes::{Shapes, explained};
use super::sums::Sums;
use crate::Result;
use crate::attribution::trust::lives::Life;
use crate::math::normal_quantile;
use crate::run::Run;

/// A channel, and for how many days after its touches those of another may do more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Primer {
    pub(super) channel: usize,
    pub(super) window: f64,
}

/// A channel whose touches a primer makes do more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) primer: Primer,
    pub(super) channel: usize,
}

/// Pairs are looked for among so many channels, those that touch most.
const CHANNELS: usize = 12;
/// Pairs that are found at most.
const MOST: usize = 8;
/// Customers of whom products are made to find the likeliest pair.
const PRODUCTS: usize = 50_000;
/// How often, over all pairs that are looked at, one is found where there is none.
const CHANCE: f64 = 0.01;
/// With fewer conversions scores are not normal, and no pair is looked for.
const LEAST: f64 = 100.0;
/// The part of the needed score that a rough one must reach for a pair to be fitted.
const ROUGH: f64 = 0.7;

/// Pairs, found one by one, the one that explains most first, as long as chance does not.
pub(super) fn pairs(
    deck: &Deck<'_>,
    lives: &[&Life],
    shapes: &Shapes,
    touches: &[f64],
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<Vec<Pair>> {
    let windows: Vec<f64> = options.priming_windows.iter().map(|d| d.days()).collect();
    let among = channels(deck, &shapes.open, touches);
    let all: Vec<Pair> = windows
        .iter()
        .flat_map(|window| among.iter().map(move |p| Primer { channel: *p, window: *window }))
        .flat_map(|primer| {
            let others = among.iter().filter(move |c| **c != primer.channel);
            others.map(move |c| Pair { primer, channel: *c })
        })
        .collect();
    let needed = normal_quantile(1.0 - CHANCE / all.len().max(1) as f64);
    let mut known: Vec<Pair> = Vec::new();
    while known.len() < MOST && deck.journeys.total_conversions() >= LEAST {
        let new = |pair: &Pair| {
            !known.iter().any(|k| (k.primer.channel, k.channel) == (pair.primer.channel, pair.channel))
        };
        let left: Vec<Pair> = all.iter().copied().filter(new).collect();
        let Some((pair, score)) = likeliest(deck, lives, shapes, &known, &left, run)? else { break };
        if score < ROUGH * needed {
            break;
        }
        let mut with = known.clone();
        with.push(pair);
        let fitted = Fitted::new(deck, lives, shapes, with.clone(), touches, run)?;
        let sure = fitted.pair(known.len()).is_some_and(|[x, se]| x > needed * se);
        if !sure || fitted.score_of_last() < needed {
            break;
        }
        known = with;
    }
    Ok(known)
}

/// Channels that may prime or be primed, in their order: those that touch most, and not customers only.
fn channels(deck: &Deck<'_>, open: &[usize], touches: &[f64]) -> Vec<usize> {
    let mut out: Vec<usize> = open.iter().copied().filter(|c| !deck.members[*c]).collect();
    let labels = deck.journeys.channel_labels();
    out.sort_by(|a, b| touches[*b].total_cmp(&touches[*a]).then_with(|| labels[*a].cmp(&labels[*b])));
    out.truncate(CHANNELS);
    out.sort_unstable();
    out
}

/// The pair that explains most beside the known ones, and about how many of its standard errors it is.
fn likeliest(
    deck: &Deck<'_>,
    lives: &[&Life],
    shapes: &Shapes,
    known: &[Pair],
    left: &[Pair],
    run: &Run,
) -> Result<Option<(Pair, f64)>> {
    if left.is_empty() {
        return Ok(None);
    }
    run.stage("look for touches that make others do more", lives.len() as u64)?;
    let mut features = shapes.features(known);
    let core: Vec<usize> = (0..features.len()).collect();
    features.extend(left.iter().map(|pair| shapes.of_pair(pair)));
    let every = lives.len().div_ceil(PRODUCTS).max(1);
    let sums = add_up(deck, lives, &features, (core.len(), every), run)?;
    let mut best: Option<(Pair, f64)> = None;
    for (at, pair) in left.iter().enumerate() {
        let with: Vec<usize> = core.iter().copied().chain([core.len() + at]).collect();
        let score = score(&sums, &core, &with);
        if best.is_none_or(|(_, top)| score > top) {
            best = Some((*pair, score));
        }
    }
    Ok(best)
}

/// What some features explain beyond fewer of them, as about so many standard errors.
pub(super) fn score(sums: &Sums, fewer: &[usize], more: &[usize]) -> f64 {
    let gain = explained(&sums.weighed, more) - explained(&sums.weighed, fewer);
    let scatter = sums.dispersion();
    if scatter > 0.0 { (gain.max(0.0) / scatter).sqrt() } else { 0.0 }
}

/// Places, among the open channels and then pairs, of what would be lost without an open channel; its own
/// first.
pub(super) fn lost_with(open: &[usize], pairs: &[Pair], at: usize) -> Vec<usize> {
    places(open, pairs, at, |pair| pair.channel == open[at] || pair.primer.channel == open[at])
}

/// Places of what touches of an open channel did, primed or not; its own first.
pub(super) fn brought_by(open: &[usize], pairs: &[Pair], at: usize) -> Vec<usize> {
    places(open, pairs, at, |pair| pair.channel == open[at])
}

fn places(open: &[usize], pairs: &[Pair], at: usize, mine: impl Fn(&Pair) -> bool) -> Vec<usize> {
    let mine = (0..pairs.len()).filter(|k| mine(&pairs[*k]));
    std::iter::once(at).chain(mine.map(|k| open.len() + k)).collect()
}

impl Shapes {
    /// The features of the open channels, then of pairs.
    pub(super) fn features(&self, pairs: &[Pair]) -> Vec<Feature> {
        let own = self.open.iter().map(|c| self.feature(*c, self.chosen[*c]));
        own.chain(pairs.iter().map(|pair| self.of_pair(pair))).collect()
    }

    fn of_pair(&self, pair: &Pair) -> Feature {
        Feature { primer: Some(pair.primer), ..self.feature(pair.channel, self.chosen[pair.channel]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_primed_stands_with_both_channels() {
        let pair = |primer, channel| Pair { primer: Primer { channel: primer, window: 7.0 }, channel };
        // Channel 1 is left out; 0 primes 3, and 3 primes 2.
        let (open, pairs) = ([0, 2, 3], [pair(0, 3), pair(3, 2)]);
        let lost: Vec<Vec<usize>> = (0..3).map(|at| lost_with(&open, &pairs, at)).collect();
        assert_eq!(lost, [vec![0, 3], vec![1, 4], vec![2, 3, 4]]);
        let brought: Vec<Vec<usize>> = (0..3).map(|at| brought_by(&open, &pairs, at)).collect();
        assert_eq!(brought, [vec![0], vec![1, 4], vec![2, 3]]);
    }
}
