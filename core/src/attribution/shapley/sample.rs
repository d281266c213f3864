//! Shapley values by random orders of the channels, with their standard error.

use rand::seq::SliceRandom;

use crate::Result;
use crate::attribution::twins::{Marked, average};
use crate::journey::Coalitions;
use crate::math::Sum;
use crate::run::Run;

/// Pairs of orders in a piece of parallel work. Part of the numeric contract.
const PAIRS: usize = 64;

/// Estimates and their standard errors.
pub(super) struct Sampled {
    pub(super) values: Vec<f64>,
    pub(super) errors: Vec<f64>,
}

/// The game of the rate of journeys within a coalition, by `samples` random
/// orders in which channels join (Castro, Gómez & Tejada, *Computers &
/// Operations Research* 36, 2009). Each order is followed by its reverse, so
/// that a channel that came early comes late (antithetic pairs; Mitchell et
/// al., *JMLR* 23, 2022). Channels that the game cannot tell apart have their
/// mean of each pair, which is exact for the difference between them, and for
/// their level the mean over the orders in which they change places
/// (Rao & Blackwell): never further off on average. The standard error is taken
/// between pairs, after that.
pub(super) fn rate(sets: &Coalitions, of: &[f64], n: usize, samples: usize, run: &Run) -> Result<Sampled> {
    let pairs = samples.div_ceil(2).max(2);
    let blocks = pairs.div_ceil(PAIRS);
    let mut table = Marked::default();
    for (s, set) in sets.sets.iter().enumerate() {
        table.push(set.iter().map(|c| (*c, 0)), [of[s], sets.conversions[s] + sets.nulls[s]]);
    }
    let twins = table.twins(n);
    run.stage("sample coalitions", blocks as u64)?;
    let parts = run.map_items(blocks, |block| {
        let mut rng = run.rng(block as u64);
        let mut order: Vec<u32> = (0..n as u32).collect();
        let mut sums = vec![[Sum::default(); 2]; n];
        let mut walk = Walk { sets, of, place: vec![0; n], gained: vec![[0.0; 2]; n] };
        for _ in block * PAIRS..pairs.min((block + 1) * PAIRS) {
            run.check()?;
            order.shuffle(&mut rng);
            let mut mean = vec![0.0; n];
            walk.add(&order, &mut mean);
            order.reverse();
            walk.add(&order, &mut mean);
            average(&twins, &mut mean);
            for (sum, m) in sums.iter_mut().zip(mean) {
                sum[0].add(m / 2.0);
                sum[1].add(m * m / 4.0);
            }
        }
        run.advance(1)?;
        Ok(sums)
    })?;
    let mut sums = vec![[Sum::default(); 2]; n];
    for part in parts {
        for (a, b) in sums.iter_mut().zip(part) {
            a[0].merge(b[0]);
            a[1].merge(b[1]);
        }
    }
    let count = pairs as f64;
    let values: Vec<f64> = sums.iter().map(|s| s[0].value() / count).collect();
    let variance = |s: &[Sum; 2], mean: &f64| ((s[1].value() - count * mean * mean) / (count - 1.0)).max(0.0);
    let errors = sums.iter().zip(&values).map(|(s, mean)| (variance(s, mean) / count).sqrt()).collect();
    Ok(Sampled { values, errors })
}

struct Walk<'a> {
    sets: &'a Coalitions,
    of: &'a [f64],
    place: Vec<u32>,
    gained: Vec<[f64; 2]>,
}

impl Walk<'_> {
    /// Adds what each channel brings when channels join in this order.
    fn add(&mut self, order: &[u32], brought: &mut [f64]) {
        for (at, c) in order.iter().enumerate() {
            self.place[*c as usize] = at as u32;
        }
        self.gained.fill([0.0; 2]);
        for (s, set) in self.sets.sets.iter().enumerate() {
            // A set is complete when its last channel has joined.
            let last = set.iter().map(|c| self.place[*c as usize]).max().unwrap_or(0);
            let gain = &mut self.gained[last as usize];
            gain[0] += self.of[s];
            gain[1] += self.sets.conversions[s] + self.sets.nulls[s];
        }
        let (mut so_far, mut before) = ([0.0; 2], 0.0);
        for (c, gain) in order.iter().zip(&self.gained) {
            so_far = [so_far[0] + gain[0], so_far[1] + gain[1]];
            let worth = if so_far[1] > 0.0 { so_far[0] / so_far[1] } else { 0.0 };
            brought[*c as usize] += worth - before;
            before = worth;
        }
    }
}
