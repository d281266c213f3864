//! Sums over all subsets at once: games as tables of 2ⁿ worths, a coalition
//! being the bits of its index.

use rayon::prelude::*;

use crate::Result;
use crate::math::Sum;
use crate::run::Run;

/// Channels up to which a table is made: 2²⁵ doubles are 268 MB.
pub(super) const MOST: usize = 25;
/// Coalitions in a piece of parallel work. Part of the numeric contract.
const BLOCK: usize = 1 << 15;

/// Combines each coalition with every one of its subsets, in place, in n·2ⁿ⁻¹
/// steps (the fast zeta transform, for any commutative `combine`).
fn transform<T, F>(table: &mut [T], run: &Run, combine: F) -> Result<()>
where
    T: Copy + Send + Sync,
    F: Fn(&mut T, T) + Sync + Send,
{
    let within = |block: &mut [T]| {
        let mut half = 1;
        while half < block.len() {
            for pair in block.chunks_exact_mut(2 * half) {
                let (low, high) = pair.split_at_mut(half);
                high.iter_mut().zip(low).for_each(|(h, l)| combine(h, *l));
            }
            half *= 2;
        }
    };
    if table.len() <= BLOCK {
        within(table);
        return run.check();
    }
    // One thread is the caller's own, as of `Run::sort_by`.
    let one = run.thread_count() == 1;
    if one {
        table.chunks_mut(BLOCK).for_each(within);
    } else {
        run.install(|| table.par_chunks_mut(BLOCK).for_each(within));
    }
    let mut half = BLOCK;
    while half < table.len() {
        run.check()?;
        for pair in table.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            if one {
                high.iter_mut().zip(low).for_each(|(h, l)| combine(h, *l));
                continue;
            }
            run.install(|| {
                let blocks = high.par_chunks_mut(BLOCK).zip(low.par_chunks(BLOCK));
                blocks.for_each(|(high, low)| high.iter_mut().zip(low).for_each(|(h, l)| combine(h, *l)));
            });
        }
        half *= 2;
    }
    Ok(())
}

/// Each coalition's sum over its subsets.
pub(super) fn zeta(table: &mut [f64], run: &Run) -> Result<()> {
    transform(table, run, |sum, x| *sum += x)
}

/// The Harsanyi dividends of a table of worths: undoes [`zeta`] (Möbius).
pub(super) fn dividends(table: &mut [f64], run: &Run) -> Result<()> {
    transform(table, run, |sum, x| *sum -= x)
}

/// Each coalition's least number over its subsets.
pub(super) fn least(table: &mut [u32], run: &Run) -> Result<()> {
    transform(table, run, |best, x| *best = (*best).min(x))
}

/// φ_i = Σ_{S ∌ i} |S|! (n − |S| − 1)! / n! (v(S + i) − v(S)).
pub(super) fn shapley(table: &[f64], n: usize, run: &Run) -> Result<Vec<f64>> {
    let weight: Vec<f64> = (0..n).map(|s| super::worth::outside(s, n)).collect();
    let blocks = table.len().div_ceil(BLOCK);
    let parts = run.map_items(blocks, |b| {
        let sums = (0..n).map(|i| {
            let bit = 1_usize << i;
            let mut sum = Sum::default();
            for s in (b * BLOCK..table.len().min((b + 1) * BLOCK)).filter(|s| s & bit == 0) {
                sum.add(weight[s.count_ones() as usize] * (table[s | bit] - table[s]));
            }
            sum
        });
        Ok(sums.collect::<Vec<Sum>>())
    })?;
    let mut out = vec![Sum::default(); n];
    for part in parts {
        out.iter_mut().zip(part).for_each(|(a, b)| a.merge(b));
    }
    Ok(out.into_iter().map(Sum::value).collect())
}

/// Σ_{T ∋ a, b} d(T) / (|T| − 1) for each pair a < b, in the order of pairs.
pub(super) fn interactions(dividends: &[f64], n: usize, run: &Run) -> Result<Vec<f64>> {
    let blocks = dividends.len().div_ceil(BLOCK);
    let parts = run.map_items(blocks, |b| {
        let mut sums = vec![0.0; n * n];
        let block = &dividends[b * BLOCK..dividends.len().min((b + 1) * BLOCK)];
        for (s, dividend) in (b * BLOCK..).zip(block) {
            let size = s.count_ones();
            if size < 2 || *dividend == 0.0 {
                continue;
            }
            let share = dividend / f64::from(size - 1);
            let mut left = s;
            while left != 0 {
                let a = left.trailing_zeros() as usize;
                left &= left - 1;
                let mut others = left;
                while others != 0 {
                    sums[a * n + others.trailing_zeros() as usize] += share;
                    others &= others - 1;
                }
            }
        }
        Ok(sums)
    })?;
    let mut out = vec![Sum::default(); n * n];
    for part in parts {
        out.iter_mut().zip(part).for_each(|(a, b)| a.add(b));
    }
    Ok((0..n).flat_map(|a| (a + 1..n).map(move |b| a * n + b)).map(|at| out[at].value()).collect())
}
