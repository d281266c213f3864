//! The shape of each channel's effect: how fast it dies away, and how it wears.

use super::SelfControlledOptions;
use super::dealt::{Deck, Feature};
use super::fit::add_up;
use super::priming::{Pair, lost_with};
use super::sums::{Part, Sums};
use crate::Result;
use crate::attribution::trust::lives::Life;
use crate::math::{exp, ln};
use crate::run::Run;

/// Shapes are looked for among so many customers, and products, which conversions say nothing
/// of, added up over so many; sizes are found from all.
const ENOUGH: usize = 200_000;
const PRODUCTS: usize = 10_000;
/// Rounds of looking for better shapes nearby.
const ROUNDS: usize = 12;

/// Places of a half-life and of wear among those that a channel may have.
type Shape = (usize, usize);

/// Half-lives and wear that a channel may have, and which it has.
pub(super) struct Shapes {
    /// The channels that are not left out.
    pub(super) open: Vec<usize>,
    pub(super) half_lives: Vec<f64>,
    pub(super) wear: Vec<f64>,
    /// By channel.
    pub(super) chosen: Vec<Shape>,
}

impl Shapes {
    pub(super) fn feature(&self, channel: usize, (h, s): Shape) -> Feature {
        Feature {
            channel,
            decay: std::f64::consts::LN_2 / self.half_lives[h],
            wear: self.wear[s],
            primer: None,
        }
    }

    /// ln of half-lives in days is normal about 4 days with deviation 1.5, wear exponential with mean 0.1.
    fn ln_prior(&self, (h, s): Shape) -> f64 {
        let far = ln(self.half_lives[h] / 4.0) / 1.5;
        -0.5 * far * far - 10.0 * self.wear[s]
    }

    /// Other shapes that a channel may have: all half-lives, or those beside its own.
    fn candidates(&self, channel: usize, wide: bool) -> Vec<Shape> {
        let (h, s) = self.chosen[channel];
        let near = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
        let mut out: Vec<Shape> = if wide {
            (0..self.half_lives.len()).map(|h| (h, s)).collect()
        } else {
            let wear = || near(s, self.wear.len());
            near(h, self.half_lives.len()).flat_map(|h| wear().map(move |s| (h, s))).collect()
        };
        out.retain(|shape| *shape != (h, s));
        out
    }

    /// Goes to shapes that explain more, all half-lives first, until there are none nearby.
    pub(super) fn improve(
        &mut self,
        deck: &Deck<'_>,
        lives: &[Life],
        pairs: &[Pair],
        run: &Run,
    ) -> Result<()> {
        run.stage("find how fast touches die away", (ROUNDS as u64 + 1) * sample(lives).0.len() as u64)?;
        let mut moving = self.open.clone();
        for round in 0..=ROUNDS {
            let Some(around) = Around::look(deck, lives, (self, pairs), (&moving, round == 0), run)? else {
                break;
            };
            let better = around.better();
            let changed: Vec<usize> = better.iter().map(|(c, _)| *c).collect();
            for (c, shape) in better {
                self.chosen[c] = shape;
            }
            // Channels that stand still are looked at once more when all the others do.
            let all = moving.len() == self.open.len();
            moving = match (changed.is_empty(), all && round > 0) {
                (true, true) => break,
                (true, false) => self.open.clone(),
                (false, _) => changed,
            };
        }
        Ok(())
    }
}

/// The shapes that explain most: all half-lives without wear first, then step by step nearby.
pub(super) fn shapes(
    deck: &Deck<'_>,
    lives: &[Life],
    open: &[usize],
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<Shapes> {
    let channels = deck.excluded.len();
    let half_lives: Vec<f64> = options.half_lives.iter().map(|d| d.days()).collect();
    let middle = half_lives.iter().position(|h| *h >= 4.0).unwrap_or(half_lives.len() - 1);
    let (open, wear) = (open.to_vec(), options.wear.clone());
    let mut shapes = Shapes { open, half_lives, wear, chosen: vec![(middle, 0); channels] };
    shapes.improve(deck, lives, &[], run)?;
    Ok(shapes)
}

/// How far what each channel added moves, and spreads, over the half-lives that it may have
/// instead, each as likely as it is.
pub(super) fn doubt(
    deck: &Deck<'_>,
    lives: &[Life],
    shapes: &Shapes,
    pairs: &[Pair],
    run: &Run,
) -> Result<Vec<[f64; 2]>> {
    let open = &shapes.open;
    run.stage("weigh other half-lives", sample(lives).0.len() as u64)?;
    let Some(around) = Around::look(deck, lives, (shapes, pairs), (open, true), run)? else {
        return Ok(vec![[0.0; 2]; open.len()]);
    };
    let each = (0..open.len()).map(|at| {
        let told: Vec<(f64, f64)> =
            around.of(at).map(|(_, other, score)| (score, around.added(at, other))).collect();
        let own = told.first().map_or(0.0, |t| t.1);
        let top = told.iter().map(|t| t.0).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = told.iter().map(|t| exp(t.0 - top)).collect();
        let total: f64 = weights.iter().sum();
        let mean =
            |f: &dyn Fn(f64) -> f64| told.iter().zip(&weights).map(|(t, w)| w * f(t.1)).sum::<f64>() / total;
        let at = mean(&|x| x);
        [at - own, mean(&|x| (x - at) * (x - at))]
    });
    Ok(each.collect())
}

/// The customers among whom shapes are looked for, and of how many products are made.
fn sample(lives: &[Life]) -> (Vec<&Life>, usize) {
    let some: Vec<&Life> = lives.iter().step_by(lives.len().div_ceil(ENOUGH).max(1)).collect();
    let every = some.len().div_ceil(PRODUCTS).max(1);
    (some, every)
}

/// What channels would explain with other shapes, the other channels being as they are.
struct Around<'a> {
    shapes: &'a Shapes,
    pairs: &'a [Pair],
    /// A channel, another shape, and the place of its feature; those of pairs in which it is follow.
    candidates: Vec<(usize, Shape, usize)>,
    /// Of the open channels and the pairs as they are, then of the candidates.
    sums: Sums,
    /// Customers over those who were looked at.
    times: f64,
}

impl<'a> Around<'a> {
    /// Looks at other shapes of the channels that are `moving`; none where there is none.
    fn look(
        deck: &Deck<'_>,
        lives: &[Life],
        (shapes, pairs): (&'a Shapes, &'a [Pair]),
        (moving, wide): (&[usize], bool),
        run: &Run,
    ) -> Result<Option<Self>> {
        let mut features = shapes.features(pairs);
        let core = features.len();
        let mut candidates = Vec::new();
        for c in moving {
            for shape in shapes.candidates(*c, wide) {
                candidates.push((*c, shape, features.len()));
                let own = shapes.feature(*c, shape);
                let primed = pairs.iter().filter(|pair| pair.channel == *c);
                features.push(own);
                features.extend(primed.map(|pair| Feature { primer: Some(pair.primer), ..own }));
            }
        }
        if candidates.is_empty() {
            return Ok(None);
        }
        let (some, every) = sample(lives);
        let sums = add_up(deck, &some, &features, (core, every), run)?;
        let times = lives.len() as f64 / some.len() as f64;
        Ok(Some(Self { shapes, pairs, candidates, sums, times }))
    }

    /// The shapes of an open channel, its own first: each with the place of its feature and ln of how likely
    /// it is.
    fn of(&self, at: usize) -> impl Iterator<Item = (Shape, usize, f64)> + '_ {
        let channel = self.shapes.open[at];
        let others = self.candidates.iter().filter(move |(of, ..)| *of == channel);
        let others = others.map(|(_, shape, place)| (*shape, *place));
        std::iter::once((self.shapes.chosen[channel], at)).chain(others).map(move |(shape, place)| {
            // What is explained, over what it scatters.
            let scatter = self.sums.dispersion();
            let explained = explained(&self.sums.weighed, &self.with(at, place));
            let explained = if scatter > 0.0 { self.times * explained / (2.0 * scatter) } else { 0.0 };
            (shape, place, explained + self.shapes.ln_prior(shape))
        })
    }

    /// The features of the open channels and the pairs, those of one channel replaced.
    fn with(&self, at: usize, place: usize) -> Vec<usize> {
        let n = self.shapes.open.len();
        let mut out: Vec<usize> = (0..n + self.pairs.len()).collect();
        if place != at {
            let mine = (0..self.pairs.len()).filter(|k| self.pairs[*k].channel == self.shapes.open[at]);
            let replaced = std::iter::once(at).chain(mine.map(|k| n + k));
            replaced.enumerate().for_each(|(k, of)| out[of] = place + k);
        }
        out
    }

    /// What an open channel added if its feature is this.
    fn added(&self, at: usize, place: usize) -> f64 {
        let with = self.with(at, place);
        let (theta, _) = self.sums.weighed.fit(&with);
        let mine = lost_with(&self.shapes.open, self.pairs, at);
        mine.iter().map(|k| self.times * theta[*k] * self.sums.exposure[with[*k]]).sum()
    }

    /// Channels of which another shape is likelier than their own, and the likeliest.
    fn better(&self) -> Vec<(usize, Shape)> {
        let best = |at: usize| {
            let own = self.shapes.chosen[self.shapes.open[at]];
            let mut best = (f64::NEG_INFINITY, own);
            for (shape, _, score) in self.of(at) {
                if score > best.0 {
                    best = (score + if shape == own { 1e-9 } else { 0.0 }, shape);
                }
            }
            (self.shapes.open[at], best.1)
        };
        let all = (0..self.shapes.open.len()).map(best);
        all.filter(|(channel, shape)| *shape != self.shapes.chosen[*channel]).collect()
    }
}

/// vᵀA⁻¹v over the picked features; what works backwards explains nothing.
pub(super) fn explained(sums: &Part, picked: &[usize]) -> f64 {
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
