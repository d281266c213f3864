//! The shape of each channel's effect, its size, and its error.

use super::SelfControlledOptions;
use super::dealt::{Ask, Deck, Feature, Sums};
use crate::attribution::trust::lives::{Life, lives};
use crate::journey::Journeys;
use crate::math::{Factor, exp, ln};
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
/// Shapes are looked for among so many customers, and products, which conversions say nothing
/// of, added up over so many; sizes are found from all.
const ENOUGH: usize = 200_000;
const PRODUCTS: usize = 10_000;
/// Rounds of looking for better shapes nearby.
const ROUNDS: usize = 12;

/// Priors of shapes: ln of half-lives in days is normal about 4 days with deviation 1.5,
/// wear exponential with mean 0.1.
fn ln_prior(half_life: f64, wear: f64) -> f64 {
    let far = ln(half_life / 4.0) / 1.5;
    -0.5 * far * far - 10.0 * wear
}

/// Half-lives and wear that a channel may have, and which it has.
struct Shapes {
    half_lives: Vec<f64>,
    wear: Vec<f64>,
    /// By channel: places of both.
    chosen: Vec<(usize, usize)>,
}

impl Shapes {
    fn feature(&self, channel: usize, (h, s): (usize, usize)) -> Feature {
        Feature { channel, decay: std::f64::consts::LN_2 / self.half_lives[h], wear: self.wear[s] }
    }

    fn ln_prior(&self, (h, s): (usize, usize)) -> f64 {
        ln_prior(self.half_lives[h], self.wear[s])
    }

    /// Other shapes that a channel may have: all half-lives, or those beside its own.
    fn candidates(&self, channel: usize, wide: bool) -> Vec<(usize, usize)> {
        let (h, s) = self.chosen[channel];
        let near = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
        let mut out: Vec<(usize, usize)> = if wide {
            (0..self.half_lives.len()).map(|h| (h, s)).collect()
        } else {
            let wear = || near(s, self.wear.len());
            near(h, self.half_lives.len()).flat_map(|h| wear().map(move |s| (h, s))).collect()
        };
        out.retain(|shape| *shape != (h, s));
        out
    }
}

pub(in crate::attribution::trust) fn estimate(
    journeys: &Journeys,
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<Controlled> {
    options.check()?;
    let labels = journeys.channel_labels();
    if let Some(stranger) = options.exclude.iter().find(|c| !labels.contains(c)) {
        return Err(Error::option("exclude", format!("no journey touches `{stranger}`")));
    }
    let excluded: Vec<bool> = labels.iter().map(|l| options.exclude.contains(l)).collect();
    let lives: Vec<Life> =
        lives(journeys, options.observation_end)?.into_iter().filter(|l| l.days > 0.0).collect();
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
    let deck = Deck::new(journeys, &lives, &excluded, options.calendar.days(), options.wear_window.days());
    let shapes = shapes(&deck, &lives, &open, options, run)?;
    let features: Vec<Feature> = open.iter().map(|c| shapes.feature(*c, shapes.chosen[*c])).collect();
    run.stage("compare customers with themselves", 2 * lives.len() as u64)?;
    let all: Vec<&Life> = lives.iter().collect();
    let sums = add_up(&deck, &all, &features, (features.len(), 1), run)?;
    let p = features.len();
    let factor = Factor::new(sums.square.clone(), p);
    let theta = factor.solve(&sums.moments);
    // Each customer's pull on what all added, by channel and altogether.
    let mut wanted: Vec<Vec<f64>> = Vec::with_capacity(p + 1);
    for f in 0..p {
        let mut one = vec![0.0; p];
        one[f] = sums.exposure[f];
        wanted.push(factor.solve(&one));
    }
    let told = |f: usize| factor.used()[f];
    let known: Vec<f64> = (0..p).map(|f| if told(f) { sums.exposure[f] } else { 0.0 }).collect();
    wanted.push(factor.solve(&known));
    let mut variance = scatter(&deck, &all, &features, &theta, &wanted, run)?;
    let doubt = doubt(&deck, &lives, &open, &shapes, run)?;
    for (f, [_, spread]) in doubt.iter().enumerate() {
        variance[f] += spread;
        variance[p] += spread;
    }
    let mut touches = vec![0.0; labels.len()];
    for c in lives.iter().flat_map(|l| l.touches.clone()).map(|i| journeys.steps[i] as usize) {
        touches[c] += 1.0;
    }
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
                incremental: found.map(|f| [theta[f] * sums.exposure[f] + doubt[f][0], variance[f].sqrt()]),
                half_life: shapes.half_lives[h],
                wear: shapes.wear[s],
                whole: found.map_or(1.0, unworn),
            }
        })
        .collect();
    let sum: f64 = (0..p).filter(|f| told(*f)).map(|f| theta[f] * known[f] + doubt[f][0]).sum();
    let error = variance.last().copied().unwrap_or(0.0).sqrt();
    Ok(Controlled { channels, baseline: [journeys.total_conversions() - sum, error] })
}

/// Adds up over customers, always in the same order: products of every so manieth, as many times.
fn add_up(
    deck: &Deck<'_>,
    lives: &[&Life],
    features: &[Feature],
    (core, every): (usize, usize),
    run: &Run,
) -> Result<Sums> {
    let asks = [false, true].map(|products| Ask::new(features, core, products));
    let p = features.len();
    let mut out = Sums::new(p);
    for (at, held) in lives.chunks(CHUNK * HELD).enumerate() {
        let chunks: Vec<&[&Life]> = held.chunks(CHUNK).collect();
        let parts = run.map_items(chunks.len(), |i| {
            let mut sums = Sums::new(p);
            for (k, life) in chunks[i].iter().enumerate() {
                let whole = ((at * HELD + i) * CHUNK + k).is_multiple_of(every);
                deck.deal(life, features, &asks[usize::from(whole)], &mut sums);
            }
            Ok(sums)
        })?;
        parts.iter().for_each(|part| out.add(part));
        run.advance(held.len() as u64)?;
    }
    let times = lives.len() as f64 / lives.len().div_ceil(every) as f64;
    for part in [&mut out.square, &mut out.exposure, &mut out.started] {
        part.iter_mut().for_each(|x| *x *= times);
    }
    Ok(out)
}

/// The variance of wanted sums of effects, with customers as clusters.
fn scatter(
    deck: &Deck<'_>,
    lives: &[&Life],
    features: &[Feature],
    theta: &[f64],
    wanted: &[Vec<f64>],
    run: &Run,
) -> Result<Vec<f64>> {
    let p = features.len();
    let ask = Ask::new(features, p, true);
    let mut out = vec![0.0; wanted.len()];
    for held in lives.chunks(CHUNK * HELD) {
        let chunks: Vec<&[&Life]> = held.chunks(CHUNK).collect();
        let parts = run.map_items(chunks.len(), |i| {
            let mut squares = vec![0.0; wanted.len()];
            for life in chunks[i] {
                let mut mine = Sums::new(p);
                deck.deal(life, features, &ask, &mut mine);
                let residual: Vec<f64> = (0..p)
                    .map(|f| mine.moments[f] - (0..p).map(|g| mine.square[f * p + g] * theta[g]).sum::<f64>())
                    .collect();
                for (sum, wanted) in squares.iter_mut().zip(wanted) {
                    let pull: f64 = wanted.iter().zip(&residual).map(|(w, r)| w * r).sum();
                    *sum += pull * pull;
                }
            }
            Ok(squares)
        })?;
        for part in parts {
            out.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
        run.advance(held.len() as u64)?;
    }
    Ok(out)
}

/// The shapes that explain most: all half-lives without wear first, then step by step nearby.
fn shapes(
    deck: &Deck<'_>,
    lives: &[Life],
    open: &[usize],
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<Shapes> {
    let channels = deck.excluded.len();
    let half_lives: Vec<f64> = options.half_lives.iter().map(|d| d.days()).collect();
    let middle = half_lives.iter().position(|h| *h >= 4.0).unwrap_or(half_lives.len() - 1);
    let mut shapes = Shapes { half_lives, wear: options.wear.clone(), chosen: vec![(middle, 0); channels] };
    let (some, every) = sample(lives);
    run.stage("find how fast touches die away", (ROUNDS as u64 + 1) * some.len() as u64)?;
    let mut moving: Vec<usize> = open.to_vec();
    for round in 0..=ROUNDS {
        let candidates: Vec<(usize, (usize, usize))> = moving
            .iter()
            .flat_map(|c| shapes.candidates(*c, round == 0).into_iter().map(move |shape| (*c, shape)))
            .collect();
        if candidates.is_empty() {
            break;
        }
        let now = open.iter().map(|c| (*c, shapes.chosen[*c]));
        let features: Vec<Feature> =
            now.chain(candidates.iter().copied()).map(|(c, shape)| shapes.feature(c, shape)).collect();
        let sums = add_up(deck, &some, &features, (open.len(), every), run)?;
        let changed = choose(&mut shapes, open, &candidates, &sums);
        // Channels that stand still are looked at once more when all the others do.
        let all = moving.len() == open.len();
        moving = match (changed.is_empty(), all && round > 0) {
            (true, true) => break,
            (true, false) => open.to_vec(),
            (false, _) => changed,
        };
    }
    Ok(shapes)
}

/// How far what each channel added moves, and spreads, over the half-lives that it may have
/// instead, each as likely as it is.
fn doubt(
    deck: &Deck<'_>,
    lives: &[Life],
    open: &[usize],
    shapes: &Shapes,
    run: &Run,
) -> Result<Vec<[f64; 2]>> {
    let candidates: Vec<(usize, (usize, usize))> = open
        .iter()
        .flat_map(|c| shapes.candidates(*c, true).into_iter().map(move |shape| (*c, shape)))
        .collect();
    if candidates.is_empty() {
        return Ok(vec![[0.0; 2]; open.len()]);
    }
    let (some, every) = sample(lives);
    let now = open.iter().map(|c| (*c, shapes.chosen[*c]));
    let features: Vec<Feature> =
        now.chain(candidates.iter().copied()).map(|(c, shape)| shapes.feature(c, shape)).collect();
    run.stage("weigh other half-lives", some.len() as u64)?;
    let sums = add_up(deck, &some, &features, (open.len(), every), run)?;
    let times = lives.len() as f64 / some.len() as f64;
    let rate = sums.rate();
    let core: Vec<usize> = (0..open.len()).collect();
    let one = |at: usize, feature: usize, shape: (usize, usize)| -> (f64, f64) {
        let mut picked = core.clone();
        picked[at] = feature;
        let (theta, _) = sums.fit(&picked);
        let explained = if rate > 0.0 { times * explained(&sums, &picked) / (2.0 * rate) } else { 0.0 };
        (explained + shapes.ln_prior(shape), times * theta[at] * sums.exposure[feature])
    };
    let each = open.iter().enumerate().map(|(at, c)| {
        let own = one(at, at, shapes.chosen[*c]);
        let others = candidates.iter().enumerate().filter(|(_, (of, _))| of == c);
        let told: Vec<(f64, f64)> = std::iter::once(own)
            .chain(others.map(|(k, (_, shape))| one(at, open.len() + k, *shape)))
            .collect();
        let top = told.iter().map(|t| t.0).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = told.iter().map(|t| exp(t.0 - top)).collect();
        let total: f64 = weights.iter().sum();
        let mean =
            |f: &dyn Fn(f64) -> f64| told.iter().zip(&weights).map(|(t, w)| w * f(t.1)).sum::<f64>() / total;
        let at = mean(&|x| x);
        [at - own.1, mean(&|x| (x - at) * (x - at))]
    });
    Ok(each.collect())
}

/// The customers among whom shapes are looked for, and of how many products are made.
fn sample(lives: &[Life]) -> (Vec<&Life>, usize) {
    let some: Vec<&Life> = lives.iter().step_by(lives.len().div_ceil(ENOUGH).max(1)).collect();
    let every = some.len().div_ceil(PRODUCTS).max(1);
    (some, every)
}

/// Each channel's best candidate, the others being as they are; the channels that changed.
fn choose(
    shapes: &mut Shapes,
    open: &[usize],
    candidates: &[(usize, (usize, usize))],
    sums: &Sums,
) -> Vec<usize> {
    let rate = sums.rate();
    let score = |picked: &[usize], shape: (usize, usize)| -> f64 {
        // What is explained, over what it scatters: a conversion's variance is its rate.
        let explained = if rate > 0.0 { explained(sums, picked) / (2.0 * rate) } else { 0.0 };
        explained + shapes.ln_prior(shape)
    };
    let core: Vec<usize> = (0..open.len()).collect();
    let mut changed = Vec::new();
    for (at, c) in open.iter().enumerate() {
        let mut best = (score(&core, shapes.chosen[*c]) + 1e-9, shapes.chosen[*c]);
        for (k, (_, shape)) in candidates.iter().enumerate().filter(|(_, (of, _))| of == c) {
            let mut picked = core.clone();
            picked[at] = open.len() + k;
            let value = score(&picked, *shape);
            if value > best.0 {
                best = (value, *shape);
            }
        }
        if best.1 != shapes.chosen[*c] {
            changed.push((*c, best.1));
        }
    }
    for (c, shape) in &changed {
        shapes.chosen[*c] = *shape;
    }
    changed.into_iter().map(|(c, _)| c).collect()
}

/// vᵀA⁻¹v over the picked features; what works backwards explains nothing.
fn explained(sums: &Sums, picked: &[usize]) -> f64 {
    let mut left = picked.to_vec();
    while !left.is_empty() {
        let (theta, moments) = sums.fit(&left);
        let worst = (0..left.len()).min_by(|a, b| theta[*a].total_cmp(&theta[*b]));
        match worst.filter(|at| theta[*at] < 0.0) {
            Some(at) => left.remove(at),
            None => return theta.iter().zip(&moments).map(|(t, v)| t * v).sum(),
        };
    }
    0.0
}
