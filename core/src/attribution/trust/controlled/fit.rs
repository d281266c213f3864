//! The size of each channel's effect, and its error.

use super::SelfControlledOptions;
use super::blend::Blend;
use super::dealt::{Deck, Feature};
use super::shapes::{doubt, shapes};
use super::sums::{Ask, Sums};
use crate::attribution::trust::lives::{Life, excluded, lives};
use crate::journey::Journeys;
use crate::run::Run;
use crate::{Error, Result};

/// What one channel added.
pub(in crate::attribution::trust) struct Channel {
    pub(in crate::attribution::trust) touches: f64,
    pub(in crate::attribution::trust) excluded: bool,
    /// Conversions until the end of observation, and the standard error; none where nothing tells.
    pub(in crate::attribution::trust) incremental: Option<[f64; 2]>,
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

    /// The same with what is still to come.
    pub(super) fn whole_per_touch(&self) -> Option<[f64; 2]> {
        self.per_touch().map(|x| x.map(|x| x * self.whole))
    }
}

/// The estimates by channel.
pub(in crate::attribution::trust) struct Controlled {
    pub(in crate::attribution::trust) channels: Vec<Channel>,
    /// The rest, and its standard error.
    pub(super) baseline: [f64; 2],
}

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
    let shapes = shapes(&deck, &lives, &open, options, run)?;
    let features: Vec<Feature> = open.iter().map(|c| shapes.feature(*c, shapes.chosen[*c])).collect();
    run.stage("compare customers with themselves", 2 * lives.len() as u64)?;
    let all: Vec<&Life> = lives.iter().collect();
    let sums = add_up(&deck, &all, &features, (features.len(), 1), run)?;
    let p = features.len();
    let mut touches = vec![0.0; labels.len()];
    for c in lives.iter().flat_map(Life::touches).map(|i| journeys.steps[i] as usize) {
        touches[c] += 1.0;
    }
    let by_feature: Vec<f64> = open.iter().map(|c| touches[*c]).collect();
    let all_features: Vec<usize> = (0..p).collect();
    let theta = [sums.plain.fit(&all_features).0, sums.weighed_fit(&by_feature)];
    let chances = sums.chances(&theta[1], &by_feature);
    let meat = scatter(&deck, &all, &features, &theta, &chances, run)?;
    let blend = Blend::new(&sums, &theta, &meat);
    let told = |f: usize| blend.used[f];
    let doubt = doubt(&deck, &lives, &open, &shapes, run)?;
    let spread: f64 = doubt.iter().map(|d| d[1]).sum();
    let channels = (0..labels.len())
        .map(|c| {
            let place = open.iter().position(|o| *o == c);
            let (h, s) = shapes.chosen[c];
            let found = place.filter(|f| told(*f));
            let decay = std::f64::consts::LN_2 / shapes.half_lives[h];
            let unworn = |f: usize| {
                if sums.exposure[f] > 0.0 { sums.started[f] / decay / sums.exposure[f] } else { 1.0 }
            };
            Channel {
                touches: touches[c],
                excluded: excluded[c],
                incremental: found
                    .map(|f| [blend.added[f] + doubt[f][0], (blend.variance[f] + doubt[f][1]).sqrt()]),
                half_life: shapes.half_lives[h],
                wear: shapes.wear[s],
                whole: found.map_or(1.0, unworn),
            }
        })
        .collect();
    let sum: f64 = (0..p).filter(|f| told(*f)).map(|f| blend.added[f] + doubt[f][0]).sum();
    let error = (blend.together + spread).sqrt();
    Ok(Controlled { channels, baseline: [journeys.total_conversions() - sum, error] })
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
