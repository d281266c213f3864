//! Journeys dealt into folds.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use rand::Rng;

use crate::journey::{Journeys, PathCounts};
use crate::math::normal_quantile;
use crate::run::{Run, unit_open};
use crate::{Error, Result};

/// Journeys dealt into folds.
///
/// All journeys of a customer are in the fold that the customer's label and
/// the run's seed say. Journeys from paths have no customers: each of the
/// journeys that a path counts for is dealt by itself, from a random stream
/// that belongs to the path.
#[derive(Clone, Debug)]
pub struct Folds {
    journeys: Journeys,
    count: usize,
    dealt: Dealt,
}

#[derive(Clone, Debug)]
enum Dealt {
    Whole(Vec<u32>),
    /// By fold, conversions and nulls of each path.
    Split(Vec<[Vec<f64>; 2]>),
}

/// Deals journeys into this many folds.
pub fn folds(journeys: &Journeys, count: usize, run: &Run) -> Result<Folds> {
    if !(2..=100).contains(&count) {
        return Err(Error::option("folds", format!("must be 2 to 100, not {count}")));
    }
    if journeys.has_times() {
        let state = foldhash::quality::FixedState::with_seed(run.seed_value());
        let mut known: HashMap<u32, u32> = HashMap::new();
        let fold = |j: usize| {
            let customer = journeys.customer(j).unwrap_or_default();
            *known.entry(customer).or_insert_with(|| {
                let mut hasher = state.build_hasher();
                match &journeys.customers {
                    Some(labels) => hasher.write(labels.get(customer).as_bytes()),
                    None => hasher.write_u32(customer),
                }
                (hasher.finish() % count as u64) as u32
            })
        };
        let dealt = (0..journeys.len()).map(fold).collect();
        return Ok(Folds { journeys: journeys.clone(), count, dealt: Dealt::Whole(dealt) });
    }
    let journeys = Journeys::from_counts(&PathCounts::of(journeys, run)?);
    let n = journeys.len();
    let mut dealt = vec![[vec![0.0; n], vec![0.0; n]]; count];
    let state = foldhash::quality::FixedState::default();
    for j in 0..n {
        if j % 4096 == 0 {
            run.check()?;
        }
        let mut hasher = state.build_hasher();
        for c in journeys.path(j) {
            hasher.write(journeys.channel_label(*c).as_bytes());
            hasher.write_u8(0xff);
        }
        let mut rng = run.rng(hasher.finish());
        for (k, all) in [journeys.conversions(), journeys.nulls()].into_iter().enumerate() {
            let mut left = all[j];
            for (fold, weights) in dealt.iter_mut().enumerate() {
                let rest = (count - fold) as f64;
                let mine = if fold + 1 == count { left } else { binomial(&mut rng, left, 1.0 / rest) };
                weights[k][j] = mine;
                left -= mine;
            }
        }
    }
    Ok(Folds { journeys, count, dealt: Dealt::Split(dealt) })
}

impl Folds {
    /// How many folds there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The journeys that were dealt; of paths, one for each distinct path.
    pub fn journeys(&self) -> &Journeys {
        &self.journeys
    }

    /// Whether a journey is in this fold; of paths, which are dealt in parts, never.
    pub(in crate::attribution) fn has(&self, fold: usize, journey: usize) -> bool {
        matches!(&self.dealt, Dealt::Whole(dealt) if dealt.get(journey) == Some(&(fold as u32)))
    }

    /// What the journeys count for in this fold: conversions and nulls.
    pub fn weights(&self, fold: usize) -> [Vec<f64>; 2] {
        let all = [self.journeys.conversions(), self.journeys.nulls()];
        match &self.dealt {
            Dealt::Split(weights) => {
                weights.get(fold).cloned().unwrap_or_else(|| all.map(|w| vec![0.0; w.len()]))
            }
            Dealt::Whole(dealt) => all.map(|w| {
                let mine = |(w, f): (&f64, &u32)| if *f as usize == fold { *w } else { 0.0 };
                w.iter().zip(dealt).map(mine).collect()
            }),
        }
    }

    /// The journeys of this fold.
    pub fn test(&self, fold: usize) -> Journeys {
        if let Dealt::Whole(dealt) = &self.dealt {
            return self.journeys.select(|j| dealt[j] as usize == fold);
        }
        let [conversions, nulls] = self.weights(fold);
        self.journeys.reweighted(&conversions, &nulls)
    }

    /// The journeys of all folds but this one.
    pub fn train(&self, fold: usize) -> Journeys {
        if let Dealt::Whole(dealt) = &self.dealt {
            return self.journeys.select(|j| dealt[j] as usize != fold);
        }
        let [conversions, nulls] = self.weights(fold);
        let rest = |all: &[f64], mine: &[f64]| -> Vec<f64> {
            all.iter().zip(mine).map(|(a, m)| (a - m).max(0.0)).collect()
        };
        let conversions = rest(self.journeys.conversions(), &conversions);
        let nulls = rest(self.journeys.nulls(), &nulls);
        self.journeys.reweighted(&conversions, &nulls)
    }
}

/// Units drawn one by one up to this many; beyond it the normal limit serves.
const ONE_BY_ONE: f64 = 4096.0;

/// How many of `n` units are drawn, each with probability `p`; what `n` has
/// beyond whole units goes along with one more.
pub(in crate::attribution) fn binomial(rng: &mut impl Rng, n: f64, p: f64) -> f64 {
    let mut uniform = || unit_open(rng.next_u64());
    let whole = n.floor();
    let part = if n > whole && uniform() < p { n - whole } else { 0.0 };
    if p >= 1.0 {
        return n;
    }
    if whole <= ONE_BY_ONE {
        return part + (0..whole as u32).map(|_| f64::from(u8::from(uniform() < p))).sum::<f64>();
    }
    let (mean, deviation) = (whole * p, (whole * p * (1.0 - p)).sqrt());
    part + (mean + deviation * normal_quantile(uniform())).round().clamp(0.0, whole)
}
