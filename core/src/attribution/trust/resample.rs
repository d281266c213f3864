//! Samples drawn again: Poisson weights, and sums that follow them.
//!
//! A bootstrap draws customers with replacement; drawing each of them
//! Poisson(1) times instead is the same up to the total, needs no list of who
//! was drawn, and works on summaries: n customers who are alike weigh
//! Poisson(n). Every quantity that is linear in the weights is a column of a
//! sparse matrix, customers by columns, and a replicate is its product with a
//! vector of weights. Weights are keyed by (seed, replicate, customer): all
//! quantities of one replicate belong to the same sample, those of two periods
//! too where they share customers, and the bits depend neither on threads nor
//! on the order of rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use crate::journey::pick::text_key;
use crate::journey::{Hierarchy, Journeys};
use crate::math::exp;
use crate::run::{Run, split_mix, unit_open};
use crate::{Error, Result};

/// The most journeys that one path may count for, to be drawn again.
const MOST: f64 = 1e12;

/// What the weight of a unit multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// All that its journeys count for.
    Whole,
    /// One conversion of its path.
    Conversions,
    /// One open journey of its path.
    Nulls,
}

/// Journeys that are drawn together.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) key: u64,
    pub(super) part: Part,
    /// How many are alike: the weight is Poisson(`mass`).
    pub(super) mass: f64,
    pub(super) journeys: Range<u32>,
}

/// Journeys as units that are drawn.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) journeys: Cow<'a, Journeys>,
    pub(super) units: Vec<Unit>,
}

impl<'a> Sample<'a> {
    /// Customers where they are known; else each conversion and each open
    /// journey of a path. `period` keeps the paths of two periods apart, whose
    /// customers are others.
    pub(super) fn new(journeys: &'a Journeys, period: u64, run: &Run) -> Result<Self> {
        let mut units = Vec::new();
        let held = if journeys.has_times() {
            for of in journeys.customer_runs() {
                let key = journeys.customer_key(journeys.customer[of.start]);
                let journeys = of.start as u32..of.end as u32;
                units.push(Unit { key, part: Part::Whole, mass: 1.0, journeys });
            }
            Cow::Borrowed(journeys)
        } else {
            let held = journeys.collapse(run)?;
            let names = channel_keys(&held);
            for j in 0..held.len() {
                let path = path_key(held.path(j), &names, period);
                let journeys = j as u32..j as u32 + 1;
                for (part, mass) in [(Part::Conversions, held.conversions[j]), (Part::Nulls, held.nulls[j])] {
                    check_mass(mass)?;
                    if mass > 0.0 {
                        let key = split_mix(path ^ part as u64);
                        units.push(Unit { key, part, mass, journeys: journeys.clone() });
                    }
                }
            }
            Cow::Owned(held)
        };
        units.sort_by_key(|u| (u.key, u.part, u.journeys.start));
        Ok(Self { journeys: held, units })
    }

    /// The same units on the level of channels.
    pub(super) fn rolled_up(&self, levels: &Hierarchy) -> Result<Sample<'static>> {
        Ok(Sample { journeys: Cow::Owned(self.journeys.roll_up(levels)?), units: self.units.clone() })
    }

    /// Conversions, nulls and value of a journey for a weight of 1.
    pub(super) fn counts(&self, unit: &Unit, j: usize) -> [f64; 3] {
        let at = &self.journeys;
        match unit.part {
            Part::Whole => [at.conversions[j], at.nulls[j], at.value[j]],
            Part::Conversions => [1.0, 0.0, at.value[j] / unit.mass],
            Part::Nulls => [0.0, 1.0, 0.0],
        }
    }

    /// The journeys of one replicate: those that were drawn, with their weights.
    pub(super) fn replicate(&self, weights: &[f64]) -> Journeys {
        let n = self.journeys.len();
        let mut counts = vec![[0.0; 3]; n];
        // A censored journey counts by being there: it is there as often as it was drawn.
        let mut copies = vec![0_u32; n];
        for (unit, weight) in self.units.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
            let of = unit.journeys.start as usize..unit.journeys.end as usize;
            for (j, sums) in of.clone().zip(&mut counts[of]) {
                if self.journeys.is_censored(j) {
                    copies[j] = *weight as u32;
                }
                for (sum, count) in sums.iter_mut().zip(self.counts(unit, j)) {
                    *sum += weight * count;
                }
            }
        }
        let rows: Vec<u32> = (0..n as u32)
            .flat_map(|j| {
                let [conversions, nulls, _] = counts[j as usize];
                let times = if conversions + nulls > 0.0 { 1 } else { copies[j as usize] };
                std::iter::repeat_n(j, times as usize)
            })
            .collect();
        let mut out = self.journeys.subset(&rows);
        for (at, row) in rows.iter().enumerate() {
            let [conversions, nulls, value] = counts[*row as usize];
            (out.conversions[at], out.nulls[at], out.value[at]) = (conversions, nulls, value);
        }
        out
    }

    /// The journeys of one replicate, each customer as often as drawn, every
    /// time as one of their own: for reports that count customers or join their
    /// journeys.
    pub(super) fn copies(&self, weights: &[f64]) -> Journeys {
        if !self.journeys.has_times() {
            return self.replicate(weights);
        }
        let drawn = self.units.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
        let mut stretches: Vec<(Range<usize>, usize)> = drawn
            .map(|(unit, weight)| {
                (unit.journeys.start as usize..unit.journeys.end as usize, *weight as usize)
            })
            .collect();
        // Touches lie in the order of journeys.
        stretches.sort_unstable_by_key(|(mine, _)| mine.start);
        self.journeys.copies(&stretches)
    }

    /// The weights of all units in one replicate.
    pub(super) fn weights(&self, seed: u64, replicate: usize) -> Vec<f64> {
        weights(seed, replicate, self.units.iter().map(|unit| (unit.key, unit.mass)))
    }
}

/// An error for a path that counts for too many.
pub(in crate::attribution) fn check_mass(mass: f64) -> Result<()> {
    if mass <= MOST {
        return Ok(());
    }
    Err(Error::option(
        "bootstrap",
        format!("a path that counts for {mass:e} journeys is not drawn again: {MOST:e} at most"),
    ))
}

/// The weights in one replicate of what has these keys, each of so many that are alike.
pub(in crate::attribution) fn weights(
    seed: u64,
    replicate: usize,
    of: impl Iterator<Item = (u64, f64)>,
) -> Vec<f64> {
    let mut poisson = Draw::new(Weigh::Poisson);
    of.map(|(key, mass)| poisson.one(seed, key, mass, replicate)).collect()
}

/// A number for a path that depends on its labels alone.
pub(in crate::attribution) fn path_key(path: &[u32], names: &[u64], period: u64) -> u64 {
    path.iter().fold(period, |key, c| split_mix(key ^ names[*c as usize]))
}

/// A number for each channel that depends on its label alone.
pub(in crate::attribution) fn channel_keys(journeys: &Journeys) -> Vec<u64> {
    journeys.channel_labels().iter().map(|l| text_key(l.as_bytes())).collect()
}

/// How weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Weigh {
    /// Poisson(mass): a sample with replacement.
    Poisson,
    /// Binomial(mass, share): those that fall to one side when all are dealt
    /// between two. What is left of a whole number goes as one piece.
    Split(f64),
}

/// Replicates that are computed side by side.
pub(super) const BLOCK: usize = 32;
/// Units whose rows are held at once.
const UNITS: usize = 2_048;
/// Bytes that the sums of all lanes may take.
const BUDGET: usize = 256 << 20;
const LANES: usize = 8;

/// The columns' sums in each of these replicates, the first of which begins a
/// block, by column and replicate. `emit` writes a unit's entries: columns, and
/// what a weight of 1 adds to them.
pub(super) fn sums<S, F>(
    sample: &Sample<'_>,
    columns: usize,
    replicates: Range<usize>,
    weigh: Weigh,
    scratch: impl Fn() -> S + Sync + Send,
    emit: F,
    run: &Run,
) -> Result<Vec<f64>>
where
    F: Fn(&Unit, &mut S, &mut Vec<(u32, f64)>) + Sync + Send,
{
    let (offset, replicates) = (replicates.start, replicates.len());
    let mut out = vec![0.0; columns * replicates];
    let blocks = replicates.div_ceil(BLOCK);
    let one = (columns * BLOCK * size_of::<f64>()).max(1);
    let chunks = sample.units.len().div_ceil(UNITS);
    // Decided by sizes alone, never by threads: the order of adding is part of the result.
    let lanes = (BUDGET / one / blocks.max(1)).clamp(1, LANES).min(chunks.max(1));
    let at_once = (BUDGET / one / lanes).clamp(1, blocks.max(1));
    run.stage("draw samples", (sample.units.len() * blocks.div_ceil(at_once)) as u64)?;
    for first in (0..blocks).step_by(at_once) {
        let here = first..blocks.min(first + at_once);
        let parts = run.map_items(lanes, |lane| {
            let mut acc = vec![[0.0; BLOCK]; columns * here.len()];
            let mut draw = Draw::new(weigh);
            let mut scratch = scratch();
            let (mut entries, mut ends) = (Vec::new(), Vec::new());
            let mut weights = [0.0; BLOCK];
            for chunk in (lane..chunks).step_by(lanes) {
                let units = &sample.units[chunk * UNITS..sample.units.len().min((chunk + 1) * UNITS)];
                (entries, ends) = (cleared(entries), cleared(ends));
                for unit in units {
                    emit(unit, &mut scratch, &mut entries);
                    ends.push(entries.len());
                }
                for block in here.clone() {
                    run.check()?;
                    let acc = &mut acc[(block - here.start) * columns..][..columns];
                    let mut from = 0;
                    for (unit, to) in units.iter().zip(&ends) {
                        draw.block(
                            run.seed_value(),
                            unit.key,
                            unit.mass,
                            offset + block * BLOCK,
                            &mut weights,
                        );
                        for (column, entry) in &entries[from..*to] {
                            let sums = &mut acc[*column as usize];
                            for (sum, weight) in sums.iter_mut().zip(&weights) {
                                *sum += entry * weight;
                            }
                        }
                        from = *to;
                    }
                }
                run.advance(units.len() as u64)?;
            }
            Ok(acc)
        })?;
        for part in parts {
            for (at, sums) in part.iter().enumerate() {
                let (block, column) = (here.start + at / columns.max(1), at % columns.max(1));
                let from = block * BLOCK;
                let size = BLOCK.min(replicates - from);
                let row = &mut out[column * replicates + from..][..size];
                for (sum, x) in row.iter_mut().zip(sums) {
                    *sum += x;
                }
            }
        }
    }
    Ok(out)
}

fn cleared<T>(mut vec: Vec<T>) -> Vec<T> {
    vec.clear();
    vec
}

/// Draws weights by inverting the distribution function.
pub(super) struct Draw {
    weigh: Weigh,
    /// P(X ≤ k) of mean 1 in units of 2^-32.
    unit: [u32; 12],
    tables: HashMap<u64, Table>,
}

/// P(X ≤ low + i), wherever it is not 0 or 1 to double precision.
struct Table {
    low: f64,
    cumulative: Vec<f64>,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// Tables that are kept.
const TABLES: usize = 512;

impl Draw {
    pub(super) fn new(weigh: Weigh) -> Self {
        let mut unit = [u32::MAX; 12];
        let (mut p, mut sum) = (exp(-1.0), 0.0);
        for (k, out) in unit.iter_mut().enumerate() {
            sum += p;
            p /= (k + 1) as f64;
            *out = (sum * 4_294_967_296.0).min(4_294_967_295.0) as u32;
        }
        Self { weigh, unit, tables: HashMap::new() }
    }

    /// The weights of a unit of this key and mass in the block of replicates
    /// that begins at `first`.
    pub(super) fn block(&mut self, seed: u64, key: u64, mass: f64, first: usize, out: &mut [f64; BLOCK]) {
        let stream = stream(seed, key);
        if mass == 1.0 && self.weigh == Weigh::Poisson {
            let mut random = [0_u32; BLOCK];
            for (i, pair) in random.chunks_exact_mut(2).enumerate() {
                let bits = split_mix(stream.wrapping_add(((first / 2 + i) as u64).wrapping_mul(GOLDEN)));
                (pair[0], pair[1]) = (bits as u32, (bits >> 32) as u32);
            }
            let mut counts = [0_i32; BLOCK];
            for below in self.unit {
                for (count, u) in counts.iter_mut().zip(&random) {
                    *count += i32::from(*u >= below);
                }
            }
            for (out, count) in out.iter_mut().zip(&counts) {
                *out = f64::from(*count);
            }
            return;
        }
        let (table, piece) = self.table(mass);
        for (i, out) in out.iter_mut().enumerate() {
            let bits = split_mix(stream.wrapping_add(((first + i) as u64).wrapping_mul(GOLDEN)));
            *out = table.draw(piece, bits);
        }
    }

    /// The weight that [`Draw::block`] has for one replicate.
    fn one(&mut self, seed: u64, key: u64, mass: f64, replicate: usize) -> f64 {
        let stream = stream(seed, key);
        if mass == 1.0 && self.weigh == Weigh::Poisson {
            let bits = split_mix(stream.wrapping_add(((replicate / 2) as u64).wrapping_mul(GOLDEN)));
            let u = if replicate.is_multiple_of(2) { bits as u32 } else { (bits >> 32) as u32 };
            return self.unit.iter().filter(|below| u >= **below).count() as f64;
        }
        let (table, piece) = self.table(mass);
        table.draw(piece, split_mix(stream.wrapping_add((replicate as u64).wrapping_mul(GOLDEN))))
    }

    /// The table of a mass, and what it has beyond a whole number with the share that decides of it.
    fn table(&mut self, mass: f64) -> (&Table, Option<(f64, f64)>) {
        if self.tables.len() > TABLES {
            self.tables.clear();
        }
        let (whole, piece) = match self.weigh {
            Weigh::Poisson => (mass, None),
            Weigh::Split(share) => (mass.floor(), Some((mass.fract(), share))),
        };
        let weigh = self.weigh;
        let table = self.tables.entry(whole.to_bits()).or_insert_with(|| match weigh {
            Weigh::Poisson => Table::poisson(whole),
            Weigh::Split(share) => Table::binomial(whole, share),
        });
        (table, piece.filter(|p| p.0 > 0.0))
    }
}

/// The random stream of a unit.
fn stream(seed: u64, key: u64) -> u64 {
    split_mix(key ^ split_mix(seed ^ 0x626f_6f74))
}

impl Table {
    fn draw(&self, piece: Option<(f64, f64)>, bits: u64) -> f64 {
        let whole = self.low + self.cumulative.partition_point(|p| *p <= unit_open(bits)) as f64;
        match piece {
            Some((piece, share)) if unit_open(split_mix(bits)) < share => whole + piece,
            _ => whole,
        }
    }

    fn poisson(mean: f64) -> Self {
        Self::new(mean, mean, f64::INFINITY, |k| mean / k)
    }

    fn binomial(n: f64, share: f64) -> Self {
        let odds = share / (1.0 - share);
        Self::new(n * share, n * share * (1.0 - share), n, |k| (n - k + 1.0) / k * odds)
    }

    /// From the ratios p(k) / p(k − 1), outward from the mode, so that nothing
    /// underflows on the way.
    fn new(mean: f64, variance: f64, most: f64, ratio: impl Fn(f64) -> f64) -> Self {
        // Ten standard deviations, and enough for a small mean's long tail.
        let reach = 10.0 * variance.sqrt() + 20.0;
        let low = (mean - reach).max(0.0).floor();
        let high = (mean + reach).ceil().min(most);
        let mut terms = vec![0.0; (high - low) as usize + 1];
        let at = ((mean.floor() - low) as usize).min(terms.len() - 1);
        terms[at] = 1.0;
        for i in at + 1..terms.len() {
            terms[i] = terms[i - 1] * ratio(low + i as f64);
        }
        for i in (0..at).rev() {
            terms[i] = terms[i + 1] / ratio(low + (i + 1) as f64);
        }
        let total: f64 = terms.iter().sum();
        let mut sum = 0.0;
        for term in &mut terms {
            sum += *term / total;
            *term = sum;
        }
        // The last is 1 but for rounding, and no draw may lie beyond it.
        terms.pop();
        Self { low, cumulative: terms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mass: f64, weigh: Weigh) -> (f64, f64) {
        let mut poisson = Draw::new(weigh);
        let (mut sum, mut squares, mut n) = (0.0, 0.0, 0.0);
        let mut block = [0.0; BLOCK];
        for key in 0..400 {
            for first in (0..512).step_by(BLOCK) {
                poisson.block(7, split_mix(key), mass, first, &mut block);
                for w in block {
                    sum += w;
                    squares += w * w;
                    n += 1.0;
                }
            }
        }
        let mean = sum / n;
        (mean, squares / n - mean * mean)
    }

    #[test]
    fn one_weight_is_that_of_its_block() {
        let mut block = [0.0; BLOCK];
        for weigh in [Weigh::Poisson, Weigh::Split(0.3)] {
            let mut draw = Draw::new(weigh);
            for (key, mass) in [(3, 1.0), (9, 1.0), (4, 0.4), (5, 6.5), (6, 2_000.0)] {
                for first in [0, 64] {
                    draw.block(7, key, mass, first, &mut block);
                    let one: Vec<f64> = (0..BLOCK).map(|i| draw.one(7, key, mass, first + i)).collect();
                    assert_eq!(one, block, "{weigh:?} {mass}");
                }
            }
        }
    }

    #[test]
    fn weights_have_the_moments_of_the_poisson_distribution() {
        for mass in [0.3, 1.0, 2.0, 3.5, 40.0, 5_000.0] {
            let (mean, variance) = moments(mass, Weigh::Poisson);
            let n: f64 = 400.0 * 512.0;
            assert!((mean - mass).abs() < 4.0 * (mass / n).sqrt(), "{mass}: mean {mean}");
            // Var(s²) ≈ (μ₄ − σ⁴)/n with μ₄ = 3 mass² + mass.
            let spread = ((2.0 * mass * mass + mass) / n).sqrt();
            assert!((variance - mass).abs() < 4.5 * spread, "{mass}: variance {variance}");
        }
    }

    #[test]
    fn splits_have_the_moments_of_the_binomial_distribution() {
        for (mass, share) in [(1.0, 0.3), (2.5, 0.5), (40.0, 0.8), (0.4, 0.25)] {
            let (mean, variance) = moments(mass, Weigh::Split(share));
            let n: f64 = 400.0 * 512.0;
            let squares = f64::floor(mass) + f64::fract(mass).powi(2);
            let wanted = squares * share * (1.0 - share);
            assert!((mean - mass * share).abs() < 4.0 * (wanted / n).sqrt(), "{mass}: mean {mean}");
            assert!((variance / wanted - 1.0).abs() < 0.02, "{mass}: variance {variance} {wanted}");
        }
        assert!(Table::binomial(1e6, 0.5).cumulative.iter().all(|p| p.is_finite()));
    }

    #[test]
    fn a_table_is_the_distribution_function() {
        let table = Table::poisson(2.5);
        let (mut p, mut sum) = (exp(-2.5), 0.0);
        for k in 0..15 {
            sum += p;
            p *= 2.5 / f64::from(k + 1);
            assert!((table.cumulative[k as usize] - sum).abs() < 1e-14);
        }
    }
}
