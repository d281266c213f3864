//! The log-likelihood of journeys that the chain was not fitted to.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use rand::Rng;

use crate::journey::Journeys;
use crate::math::{ExactSum, ln, sum};
use crate::run::{CHUNK, Run};
use crate::{Error, Result};

/// Units of one path that are dealt one by one.
const UNITS: f64 = 1_024.0;

/// What a journey counts for in one fold.
struct Part {
    journey: u32,
    fold: u32,
    conversions: f64,
    nulls: f64,
}

/// A log-likelihood, and its part in each fold.
pub(super) struct HeldOut {
    pub(super) total: f64,
    folds: Vec<f64>,
}

impl HeldOut {
    /// The standard error of the distance to another one of the same folds, as these scatter.
    pub(super) fn error_to(&self, other: &Self) -> f64 {
        let gaps: Vec<f64> = self.folds.iter().zip(&other.folds).map(|(a, b)| a - b).collect();
        let n = gaps.len() as f64;
        let mean = sum(gaps.iter().copied()) / n;
        (sum(gaps.iter().map(|gap| (gap - mean) * (gap - mean))) * n / (n - 1.0)).sqrt()
    }
}

/// Σ weight · ln P of each order from 1 up, each fold predicted by the others.
pub(super) fn log_likelihoods(
    journeys: &Journeys,
    max_order: usize,
    folds: usize,
    run: &Run,
) -> Result<Vec<HeldOut>> {
    let parts = deal(journeys, folds, run)?;
    let mut windows = Windows::new(journeys.channel_count(), max_order);
    run.stage("count windows", parts.len() as u64)?;
    for (i, part) in parts.iter().enumerate() {
        if i % CHUNK == 0 {
            run.advance(CHUNK as u64)?;
        }
        windows.count(journeys.path(part.journey as usize), [part.conversions, part.nulls])?;
    }
    run.stage("predict folds", (folds * parts.len()) as u64)?;
    let found = run.map_items(folds, |fold| windows.predict(journeys, &parts, fold as u32, run))?;
    let of = |k: usize| {
        let mut total = ExactSum::new();
        found.iter().for_each(|f| total.merge(&f[k]));
        HeldOut { total: total.value(), folds: found.iter().map(|f| f[k].value()).collect() }
    };
    Ok((0..max_order).map(of).collect())
}

fn deal(journeys: &Journeys, folds: usize, run: &Run) -> Result<Vec<Part>> {
    let any = |rng: &mut rand_pcg::Pcg64| ((u128::from(rng.next_u64()) * folds as u128) >> 64) as usize;
    let mut out = Vec::with_capacity(journeys.len());
    let mut dealt = vec![[0.0; 2]; folds];
    for j in 0..journeys.len() {
        if j % CHUNK == 0 {
            run.check()?;
        }
        let (conversions, nulls) = (journeys.conversions()[j], journeys.nulls()[j]);
        if journeys.path(j).is_empty() || conversions + nulls <= 0.0 {
            continue;
        }
        let mut push = |fold: usize, conversions: f64, nulls: f64| {
            out.push(Part { journey: j as u32, fold: fold as u32, conversions, nulls });
        };
        if let Some(customer) = journeys.customer(j) {
            let key = match &journeys.customers {
                Some(labels) => fnv(labels.get(customer).as_bytes()),
                None => u64::from(customer),
            };
            push(any(&mut run.rng(key)), conversions, nulls);
            continue;
        }
        let mut rng = run.rng(j as u64);
        for (k, weight) in [conversions, nulls].into_iter().enumerate() {
            let even = ((weight - UNITS).max(0.0) / folds as f64).floor();
            dealt.iter_mut().for_each(|d| d[k] += even);
            let mut left = weight - even * folds as f64;
            while left > 0.0 {
                dealt[any(&mut rng)][k] += left.min(1.0);
                left -= 1.0;
            }
        }
        for (fold, weights) in dealt.iter_mut().enumerate() {
            let [conversions, nulls] = std::mem::take(weights);
            if conversions + nulls > 0.0 {
                push(fold, conversions, nulls);
            }
        }
    }
    Ok(out)
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// Every window of up to `order` things and the next one, as a tree: a node is
/// a window, its children are that window and one thing more.
struct Windows {
    order: usize,
    channels: u32,
    child: HashMap<u64, u32, FixedState>,
    parent: Vec<u32>,
    counts: Counts,
    /// How many different things were seen after a window.
    ways: Vec<u32>,
}

#[derive(Clone, Default)]
struct Counts {
    /// How often a window was seen, its last thing being predicted.
    seen: Vec<f64>,
    /// How often something was seen after it.
    followed: Vec<f64>,
}

impl Windows {
    fn new(channels: usize, order: usize) -> Self {
        let counts = Counts { seen: vec![0.0; 2], followed: vec![0.0; 2] };
        let start = channels as u64;
        let child = [(start, 1)].into_iter().collect();
        Self { order, channels: channels as u32, child, parent: vec![0; 2], counts, ways: vec![0; 2] }
    }

    fn find(&self, window: u32, next: u32) -> Option<u32> {
        self.child.get(&(u64::from(window) << 32 | u64::from(next))).copied()
    }

    fn count(&mut self, path: &[u32], ends: [f64; 2]) -> Result<()> {
        let mut windows = vec![0, 1];
        for c in path {
            let next: Vec<u32> =
                windows.iter().map(|w| self.add(*w, *c, ends[0] + ends[1])).collect::<Result<_>>()?;
            self.slide(&mut windows, &next);
        }
        for (k, weight) in ends.into_iter().enumerate().filter(|(_, w)| *w > 0.0) {
            for window in &windows {
                self.add(*window, self.channels + 1 + k as u32, weight)?;
            }
        }
        Ok(())
    }

    /// The windows that end in the newest thing: the empty one, and those one longer than before.
    fn slide(&self, windows: &mut Vec<u32>, next: &[u32]) {
        windows.truncate(1);
        windows.extend(next.iter().take(self.order));
    }

    fn add(&mut self, window: u32, next: u32, weight: f64) -> Result<u32> {
        let fresh = self.parent.len() as u32;
        let at = *self.child.entry(u64::from(window) << 32 | u64::from(next)).or_insert(fresh);
        if at == fresh {
            if fresh == u32::MAX {
                return Err(Error::option("max_order", "more than four billion windows: lower it"));
            }
            self.parent.push(window);
            self.counts.seen.push(0.0);
            self.counts.followed.push(0.0);
            self.ways.push(0);
            self.ways[window as usize] += 1;
        }
        self.counts.seen[at as usize] += weight;
        self.counts.followed[window as usize] += weight;
        Ok(at)
    }

    /// The log-likelihoods of one fold by the counts of the others.
    fn predict(&self, journeys: &Journeys, parts: &[Part], fold: u32, run: &Run) -> Result<Vec<ExactSum>> {
        let n = self.parent.len();
        let mut own = Counts { seen: vec![0.0; n], followed: vec![0.0; n] };
        self.each(journeys, parts, fold, run, |windows, next, weight| {
            for window in windows {
                if let Some(at) = self.find(*window, next) {
                    own.seen[at as usize] += weight;
                    own.followed[*window as usize] += weight;
                }
            }
        })?;
        let mut ways = self.ways.clone();
        for at in 2..n {
            // The same addends in the same order, so equal to the last bit where all are its own.
            if own.seen[at] == self.counts.seen[at] {
                ways[self.parent[at] as usize] -= 1;
            }
        }
        let mut sums = vec![ExactSum::new(); self.order];
        let chance = 1.0 / (f64::from(self.channels) + 2.0);
        self.each(journeys, parts, fold, run, |windows, next, weight| {
            let mut p = chance;
            for (length, window) in windows.iter().enumerate() {
                let w = *window as usize;
                if ways[w] > 0 {
                    let seen = self.find(*window, next).map_or(0.0, |at| {
                        let at = at as usize;
                        if own.seen[at] == self.counts.seen[at] {
                            0.0
                        } else {
                            self.counts.seen[at] - own.seen[at]
                        }
                    });
                    let followed = self.counts.followed[w] - own.followed[w];
                    let ways = f64::from(ways[w]);
                    p = (seen + ways * p) / (followed + ways);
                }
                if length > 0 && length < windows.len() - 1 {
                    sums[length - 1].add(weight * ln(p));
                }
            }
            // Orders that remember more than there is, see the same.
            let term = weight * ln(p);
            sums[windows.len() - 2..].iter_mut().for_each(|sum| sum.add(term));
        })?;
        Ok(sums)
    }

    /// Every prediction of one fold: windows before it, shortest first, what came, its weight.
    fn each(
        &self,
        journeys: &Journeys,
        parts: &[Part],
        fold: u32,
        run: &Run,
        mut visit: impl FnMut(&[u32], u32, f64),
    ) -> Result<()> {
        let (mut windows, mut next) = (Vec::new(), Vec::new());
        for (i, part) in parts.iter().enumerate() {
            if i % CHUNK == 0 {
                run.check()?;
            }
            if part.fold != fold {
                continue;
            }
            windows.clear();
            windows.extend([0, 1]);
            for c in journeys.path(part.journey as usize) {
                visit(&windows, *c, part.conversions + part.nulls);
                next.clear();
                next.extend(windows.iter().take(self.order).map(|w| self.find(*w, *c).unwrap_or(0)));
                self.slide(&mut windows, &next);
            }
            for (k, weight) in
                [part.conversions, part.nulls].into_iter().enumerate().filter(|(_, w)| *w > 0.0)
            {
                visit(&windows, self.channels + 1 + k as u32, weight);
            }
        }
        run.advance(parts.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::column::Columns;
    use crate::journey::PathOptions;

    type Seen = BTreeMap<Vec<u32>, BTreeMap<u32, f64>>;

    /// P_k(x | h), by the formula: h is what came before, the start (99) included.
    fn back_off(seen: &Seen, before: &[u32], next: u32, order: usize, outcomes: f64) -> f64 {
        let shorter = |k: usize| back_off(seen, before, next, k - 1, outcomes);
        let context = before[before.len().saturating_sub(order)..].to_vec();
        let rest = if order == 0 {
            1.0 / outcomes
        } else if context.len() < order {
            return shorter(order);
        } else {
            shorter(order)
        };
        match seen.get(&context) {
            None => rest,
            Some(after) => {
                let (n, ways) = (after.values().sum::<f64>(), after.len() as f64);
                (after.get(&next).unwrap_or(&0.0) + ways * rest) / (n + ways)
            }
        }
    }

    /// Every prediction of a part: what came before, what next, its weight.
    fn each(path: &[u32], ends: [f64; 2], mut visit: impl FnMut(&[u32], u32, f64)) {
        let mut before = vec![99];
        for c in path {
            visit(&before, *c, ends[0] + ends[1]);
            before.push(*c);
        }
        for (k, weight) in ends.into_iter().enumerate().filter(|(_, w)| *w > 0.0) {
            visit(&before, 1_000 + k as u32, weight);
        }
    }

    #[test]
    fn folds_are_predicted_as_the_formula_says() -> Result<()> {
        let rows =
            [("a > b > a", 3.0, 1.5), ("b", 2.0, 4.0), ("c > a > b > b > a", 0.0, 2.0), ("c > a", 1.0, 1.0)];
        let frame = Columns::new()
            .with("path", rows.iter().map(|r| r.0).collect::<Vec<_>>())
            .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
            .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>());
        let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
        let (run, folds, orders) = (Run::new().seed(4), 3, 4);
        let journeys = Journeys::from_paths(&frame, &options, &run)?;
        let parts = deal(&journeys, folds, &run)?;
        for (j, row) in rows.iter().enumerate() {
            let mine = || parts.iter().filter(|p| p.journey as usize == j);
            assert_eq!(mine().map(|p| p.conversions).sum::<f64>(), row.1);
            assert_eq!(mine().map(|p| p.nulls).sum::<f64>(), row.2);
        }
        assert!((0..folds).all(|f| parts.iter().any(|p| p.fold as usize == f)));
        let mut exact = vec![0.0; orders];
        for fold in 0..folds {
            let (own, others): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|p| p.fold as usize == fold);
            let mut seen = Seen::new();
            for part in others {
                each(
                    journeys.path(part.journey as usize),
                    [part.conversions, part.nulls],
                    |before, next, w| {
                        for k in 0..=orders.min(before.len()) {
                            let context = before[before.len() - k..].to_vec();
                            *seen.entry(context).or_default().entry(next).or_default() += w;
                        }
                    },
                );
            }
            for part in own {
                each(
                    journeys.path(part.journey as usize),
                    [part.conversions, part.nulls],
                    |before, next, w| {
                        for (k, sum) in exact.iter_mut().enumerate() {
                            *sum += w * ln(back_off(&seen, before, next, k + 1, 5.0));
                        }
                    },
                );
            }
        }
        let found = log_likelihoods(&journeys, orders, folds, &run)?;
        for (HeldOut { total, folds }, exact) in found.iter().zip(&exact) {
            assert!((total - exact).abs() < 1e-12 * exact.abs(), "{total} {exact}");
            assert!((sum(folds.iter().copied()) - exact).abs() < 1e-12 * exact.abs(), "{folds:?} {exact}");
        }
        Ok(())
    }

    #[test]
    fn large_weights_are_dealt_evenly_but_for_the_last_units() -> Result<()> {
        let frame = Columns::new().with("path", vec!["a"]).with("conversions", vec![1e9 + 0.25]);
        let run = Run::new();
        let journeys = Journeys::from_paths(&frame, &PathOptions::default(), &run)?;
        let parts = deal(&journeys, 4, &run)?;
        assert_eq!(parts.iter().map(|p| p.conversions).sum::<f64>(), 1e9 + 0.25);
        assert!(parts.iter().all(|p| (p.conversions - 2.5e8).abs() < 200.0));
        Ok(())
    }
}
