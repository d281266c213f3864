//! The size of each channel's effect, and its error.

use super::SelfControlledOptions;
use super::blend::{Blend, Target};
use super::dealt::{Deck, Feature};
use super::priming::{Pair, brought_by, lost_with, pairs, score};
use super::shapes::{Shapes, doubt, shapes};
use super::sums::{Ask, Sums, Touched};
use crate::attribution::trust::lives::{Life, excluded, lives};
use crate::journey::Journeys;
use crate::math::normal_quantile;
use crate::run::Run;
use crate::{Error, Result};

/// What one channel added.
pub(in crate::attribution::trust) struct Channel {
    pub(in crate::attribution::trust) touches: f64,
    pub(in crate::attribution::trust) excluded: bool,
    /// Conversions until the end of observation, and the standard error; none where nothing tells. With those
    /// that it brought together with another channel.
    pub(in crate::attribution::trust) incremental: Option<[f64; 2]>,
    /// Of those what its own touches did; the standard error is of what they were to be expected to do.
    own: [f64; 2],
    pub(super) half_life: f64,
    pub(super) wear: f64,
    /// What an average touch would add in all the time to come over what it added until the end.
    whole: f64,
}

impl Channel {
    /// What each touch added, and its standard error.
    pub(in crate::attribution::trust) fn per_touch(&self) -> Option<[f64; 2]> {
        self.incremental.filter(|_| self.touches > 0.0).map(|x| x.map(|x| x / self.touches))
    }

    /// What each touch did by itself, with what is still to come.
    pub(super) fn whole_per_touch(&self) -> Option<[f64; 2]> {
        self.per_touch().map(|_| self.own.map(|x| x / self.touches * self.whole))
    }
}

/// Touches of a channel that did more after those of another.
pub(super) struct Primed {
    pub(super) pair: Pair,
    /// How much more: a touch with over one without; none where one without does nothing.
    pub(super) factor: Option<f64>,
    /// Conversions until the end of observation, and the standard error.
    pub(super) conversions: [f64; 2],
}

/// The estimates by channel.
pub(in crate::attribution::trust) struct Controlled {
    pub(in crate::attribution::trust) channels: Vec<Channel>,
    pub(super) primed: Vec<Primed>,
    /// What stands with two channels.
    pub(in crate::attribution::trust) shared: f64,
    /// The rest, and its standard error.
    pub(super) baseline: [f64; 2],
}

/// The variance that every number of conversions has besides. Where customers whom a channel touched hardly
/// convert, what their estimating equations leave over is next to nothing and tells of no error at all; no
/// number is known better than to one conversion.
const ONE: f64 = 1.0;
/// The probability with which conversions were caused that are taken to be.
const SURE: f64 = 0.95;
/// Customers whose sums are made by one thread in one go.
const CHUNK: usize = 128;
/// Chunks whose sums are held at once.
const HELD: usize = 64;

pub(in crate::attribution::trust) fn estimate(
    journeys: &Journeys,
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<Controlled> {
    options.check()?;
    let labels = journeys.channel_labels();
    let excluded = excluded(journeys, &options.exclude)?;
    // Touches that are left out are counted all the same.
    let mut lives = lives(journeys, options.observation_end, &vec![false; labels.len()])?;
    lives.retain(|l| l.days > 0.0);
    let open: Vec<usize> = (0..labels.len()).filter(|c| !excluded[*c]).collect();
    if open.is_empty() || lives.is_empty() {
        return Err(Error::not_enough_data("there is no customer who was watched after a touch"));
    }
    if open.len() > 200 {
        return Err(Error::option(
            "exclude",
            format!("{} channels are too many: group them, 200 at most", open.len()),
        ));
    }
    let (step, window) = (options.calendar.days(), options.wear_window.days());
    let deck = Deck::new(journeys, &lives, &excluded, step, window, run)?;
    let mut touches = vec![0.0; labels.len()];
    for c in lives.iter().flat_map(Life::touches).map(|i| journeys.steps[i] as usize) {
        touches[c] += 1.0;
    }
    let all: Vec<&Life> = lives.iter().collect();
    let mut shapes = shapes(&deck, &lives, &open, options, run)?;
    let pairs = pairs(&deck, &all, &shapes, &touches, options, run)?;
    if !pairs.is_empty() {
        shapes.improve(&deck, &lives, &pairs, run)?;
    }
    let fitted = Fitted::new(&deck, &all, &shapes, pairs, &touches, run)?;
    let doubt = doubt(&deck, &lives, &shapes, &fitted.pairs, run)?;
    let at_once = at_once(&lives);
    let spread: f64 = doubt.iter().map(|d| d[1]).sum();
    let channels: Vec<Channel> = (0..labels.len())
        .map(|c| {
            let place = open.iter().position(|o| *o == c).filter(|f| fitted.blend.used[*f]);
            let (h, s) = shapes.chosen[c];
            let decay = std::f64::consts::LN_2 / shapes.half_lives[h];
            let with_doubt = |f: usize, target: usize, counted: f64| {
                let [x, variance] = fitted.told(target);
                let variance = beyond_chance(x, variance, counted);
                [x + doubt[f][0], (variance + doubt[f][1] + ONE).sqrt()]
            };
            Channel {
                touches: touches[c],
                excluded: excluded[c],
                incremental: place.map(|f| with_doubt(f, f, at_once)),
                own: place.map_or([0.0; 2], |f| with_doubt(f, fitted.direct(f), 0.0)),
                half_life: shapes.half_lives[h],
                wear: shapes.wear[s],
                whole: place.map_or(1.0, |f| fitted.unseen(f, decay)),
            }
        })
        .collect();
    let primed = fitted.primed();
    let shared: f64 = primed.iter().map(|p| p.conversions[0]).sum();
    let known: Vec<f64> = open.iter().filter_map(|c| channels[*c].incremental).map(|x| x[0]).collect();
    let sum: f64 = known.iter().sum();
    let together = beyond_chance(sum - shared, fitted.blend.together, at_once);
    let error = (together + spread + ONE * known.len() as f64).sqrt();
    let baseline = [journeys.total_conversions() - sum + shared, error];
    Ok(Controlled { channels, primed, shared, baseline })
}

/// The variance of an estimate about what was added, of that about what was to be expected. Which of the
/// conversions that touches might cause they did cause is chance that moves estimate and truth alike, and its
/// variance is that of a count: `at_once` for each. Only of so many as were surely caused, since an estimate
/// that chance made large would else be taken for a sure one.
fn beyond_chance(x: f64, variance: f64, at_once: f64) -> f64 {
    let sure = x - normal_quantile(SURE) * variance.sqrt();
    (variance - at_once * sure.max(0.0)).max(0.0)
}

/// How many conversions come at once, as they weigh in the variance of a count.
fn at_once(lives: &[Life]) -> f64 {
    let each = || lives.iter().flat_map(|l| &l.conversions).map(|c| c.1);
    let (all, squares): (f64, f64) = (each().sum(), each().map(|n| n * n).sum());
    if all > 0.0 && squares.is_finite() { squares / all } else { 0.0 }
}

/// Sizes of effects, the shapes being known.
pub(super) struct Fitted {
    pub(super) pairs: Vec<Pair>,
    open: Vec<usize>,
    sums: Sums,
    /// Of each open channel what would be lost without it, of each pair what it brought, then of each open
    /// channel what its touches did, primed or not, and what they did without that.
    blend: Blend,
}

impl Fitted {
    pub(super) fn new(
        deck: &Deck<'_>,
        lives: &[&Life],
        shapes: &Shapes,
        pairs: Vec<Pair>,
        touches: &[f64],
        run: &Run,
    ) -> Result<Self> {
        let features = shapes.features(&pairs);
        let open = shapes.open.clone();
        run.stage("compare customers with themselves", 2 * lives.len() as u64)?;
        let p = features.len();
        let sums = add_up(deck, lives, &features, (p, 1), run)?;
        let place = |pair: &Pair| open.iter().position(|c| *c == pair.channel);
        let mut touched: Vec<Touched> =
            open.iter().map(|c| Touched { count: touches[*c], own: None }).collect();
        for (k, pair) in pairs.iter().enumerate() {
            let own = place(pair);
            let part =
                own.map_or(0.0, |c| sums.started[open.len() + k] / sums.started[c] * touches[pair.channel]);
            touched.push(Touched { count: part, own });
        }
        let all: Vec<usize> = (0..p).collect();
        let theta = [sums.plain.fit(&all).0, sums.weighed_fit(&touched)];
        let chances = sums.chances(&theta[1], &touched);
        let meat = scatter(deck, lives, &features, &theta, &chances, run)?;
        let target = |features: Vec<usize>, times: f64| Target { features, times };
        let mut targets: Vec<Target> =
            (0..open.len()).map(|at| target(lost_with(&open, &pairs, at), 1.0)).collect();
        // What stands with two channels counts once.
        targets.extend((open.len()..p).map(|f| target(vec![f], -1.0)));
        if !pairs.is_empty() {
            let direct = (0..open.len()).map(|at| brought_by(&open, &pairs, at));
            let unprimed = (0..open.len()).map(|at| vec![at]);
            targets.extend(direct.chain(unprimed).map(|features| target(features, 0.0)));
        }
        let blend = Blend::new(&sums, &theta, &meat, &targets);
        Ok(Self { pairs, open, sums, blend })
    }

    /// What a target added, and the variance.
    fn told(&self, target: usize) -> [f64; 2] {
        [self.blend.added[target], self.blend.variance[target]]
    }

    /// What a pair brought, and the standard error; none where nothing tells.
    pub(super) fn pair(&self, k: usize) -> Option<[f64; 2]> {
        let target = self.open.len() + k;
        let [x, variance] = self.told(target);
        self.blend.used[target].then(|| [x, variance.sqrt()])
    }

    /// What the last pair explains beside the others, as about so many of its standard errors.
    pub(super) fn score_of_last(&self) -> f64 {
        let all: Vec<usize> = (0..self.sums.exposure.len()).collect();
        let before = &all[..all.len().saturating_sub(1)];
        score(&self.sums, before, &all)
    }

    /// The target of what the touches of an open channel did.
    fn direct(&self, at: usize) -> usize {
        if self.pairs.is_empty() { at } else { self.open.len() + self.pairs.len() + at }
    }

    /// What touches of an open channel would add in all the time to come over what they added until the end.
    fn unseen(&self, at: usize, decay: f64) -> f64 {
        let Sums { exposure, started, .. } = &self.sums;
        if exposure[at] > 0.0 { started[at] / decay / exposure[at] } else { 1.0 }
    }

    fn primed(&self) -> Vec<Primed> {
        let each = self.pairs.iter().enumerate().filter_map(|(k, pair)| {
            let (n, exposure) = (self.open.len(), &self.sums.exposure);
            let conversions = self.pair(k)?;
            let own = self.open.iter().position(|c| *c == pair.channel)?;
            let alone = self.blend.added[self.direct(own) + n] / exposure[own];
            let factor = (alone > 0.0).then(|| 1.0 + conversions[0] / exposure[n + k] / alone);
            Some(Primed { pair: *pair, factor, conversions })
        });
        each.collect()
    }
}

/// Adds up over customers, always in the same order: products of every so manieth, as many times.
pub(super) fn add_up(
    deck: &Deck<'_>,
    lives: &[&Life],
    features: &[Feature],
    (core, every): (usize, usize),
    run: &Run,
) -> Result<Sums> {
    let asks = [false, true].map(|products| Ask { products, core });
    let new = || Sums::new(features.len());
    let one = |at: usize, life: &Life, sums: &mut Sums| {
        deck.deal(life, features, &asks[usize::from(at.is_multiple_of(every))], sums);
    };
    let mut out = over(lives, new, one, Sums::add, run)?;
    let times = lives.len() as f64 / lives.len().div_ceil(every) as f64;
    for part in out.of_products() {
        part.iter_mut().for_each(|x| *x *= times);
    }
    Ok(out)
}

/// Σ r rᵀ over customers, r being what estimating equations leave over of a customer: of all alike, then of
/// those that are weighed.
fn scatter(
    deck: &Deck<'_>,
    lives: &[&Life],
    features: &[Feature],
    theta: &[Vec<f64>; 2],
    chances: &[f64],
    run: &Run,
) -> Result<Vec<f64>> {
    let p = features.len();
    let ask = Ask { products: true, core: p };
    let one = |_: usize, life: &Life, squares: &mut Vec<f64>| {
        let mut mine = Sums::new(p);
        deck.deal(life, features, &ask, &mut mine);
        let weighed =
            mine.weighed.residual(&theta[1]).zip(mine.taken(&theta[1], chances)).map(|(r, x)| r - x);
        let left = mine.plain.residual(&theta[0]).chain(weighed);
        let left: Vec<(usize, f64)> = left.enumerate().filter(|r| r.1 != 0.0).collect();
        for (i, a) in &left {
            for (j, b) in &left {
                squares[i * 2 * p + j] += a * b;
            }
        }
    };
    let add = |sum: &mut Vec<f64>, part: &Vec<f64>| sum.iter_mut().zip(part).for_each(|(s, x)| *s += x);
    over(lives, || vec![0.0; 4 * p * p], one, add, run)
}

/// Sums over customers, made in chunks and added up in their order.
fn over<S: Send>(
    lives: &[&Life],
    new: impl Fn() -> S + Sync,
    one: impl Fn(usize, &Life, &mut S) + Sync,
    add: impl Fn(&mut S, &S),
    run: &Run,
) -> Result<S> {
    let mut out = new();
    for (at, held) in lives.chunks(CHUNK * HELD).enumerate() {
        let chunks: Vec<&[&Life]> = held.chunks(CHUNK).collect();
        let parts = run.map_items(chunks.len(), |i| {
            let mut sums = new();
            for (k, life) in chunks[i].iter().enumerate() {
                one((at * HELD + i) * CHUNK + k, life, &mut sums);
            }
            Ok(sums)
        })?;
        parts.iter().for_each(|part| add(&mut out, part));
        run.advance(held.len() as u64)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_of_a_count_is_in_estimate_and_truth_alike() {
        // By hand: 100 less 1.645 standard errors of 20, so 67.1 were surely caused.
        assert!((beyond_chance(100.0, 400.0, 1.0) - (400.0 - 67.1029)).abs() < 1e-3);
        assert!((beyond_chance(100.0, 400.0, 2.0) - (400.0 - 134.2059)).abs() < 1e-3);
        // Chance alone, less than nothing, and no more than there is.
        assert_eq!(beyond_chance(30.0, 400.0, 1.0), 400.0);
        assert_eq!(beyond_chance(-100.0, 400.0, 1.0), 400.0);
        assert_eq!(beyond_chance(100.0, 50.0, 1.0), 0.0);
    }
}
