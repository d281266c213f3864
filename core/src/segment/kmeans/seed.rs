//! Greedy k-means++ (Arthur & Vassilvitskii 2007, section 6 of the report).
//!
//! Each next centre is the best of 2 + ⌊ln k⌋ rows drawn with probability
//! proportional to their squared distance to the centres so far.

use rand::Rng;
use rand_pcg::Pcg64;

use super::kernel::{LANES, Panels, squared};
use super::lloyd::{ROWS, Rows, too_few_distinct};
use crate::math::ln;
use crate::run::unit;
use crate::{Result, Run};

/// Chooses `k` rows as centres.
pub(super) fn seed(rows: Rows<'_>, k: usize, rng: &mut Pcg64, run: &Run) -> Result<Vec<f64>> {
    let n = rows.len();
    let columns = rows.columns;
    let candidates = 2 + ln(k as f64).floor() as usize;
    let mut centres = Vec::with_capacity(k * columns);
    let first = ((unit(rng.next_u64()) * n as f64) as usize).min(n - 1);
    centres.extend_from_slice(rows.row(first));
    let count = n.div_ceil(ROWS);
    let block = |b: usize| Rows {
        values: &rows.values[b * ROWS * columns..(((b + 1) * ROWS).min(n)) * columns],
        columns,
    };
    run.stage("k-means++", k as u64)?;
    // Squared distances to the nearest centre so far, in blocks, with their sums.
    let mut near: Vec<(Vec<f64>, f64)> = run.map_items(count, |b| {
        let d: Vec<f64> =
            block(b).values.chunks_exact(columns).map(|point| squared(point, rows.row(first))).collect();
        let sum = d.iter().sum();
        Ok((d, sum))
    })?;
    for _ in 1..k {
        run.advance(1)?;
        let total: f64 = near.iter().map(|(_, sum)| sum).sum();
        if total <= 0.0 {
            return Err(too_few_distinct(k));
        }
        let drawn: Vec<usize> = (0..candidates).map(|_| draw(&near, unit(rng.next_u64()) * total)).collect();
        let points: Vec<f64> = drawn.iter().flat_map(|i| rows.row(*i)).copied().collect();
        let panels = Panels::new(&points, columns);
        // The potential that each candidate would leave.
        let parts = run.map_items(count, |b| {
            let mut sums = vec![0.0; candidates.div_ceil(LANES) * LANES];
            for (point, near) in block(b).values.chunks_exact(columns).zip(&near[b].0) {
                panels.distances(point, |panel, d| {
                    for (sum, d) in sums[panel * LANES..][..LANES].iter_mut().zip(d) {
                        *sum += if *d < *near { *d } else { *near };
                    }
                });
            }
            Ok(sums)
        })?;
        let left = |c: usize| parts.iter().map(|sums| sums[c]).sum::<f64>();
        let potentials: Vec<f64> = (0..candidates).map(left).collect();
        let best = (0..candidates).min_by(|a, b| potentials[*a].total_cmp(&potentials[*b])).unwrap_or(0);
        let centre = rows.row(drawn[best]);
        centres.extend_from_slice(centre);
        near = run.map_items(count, |b| {
            let d: Vec<f64> = block(b)
                .values
                .chunks_exact(columns)
                .zip(&near[b].0)
                .map(|(point, near)| squared(point, centre).min(*near))
                .collect();
            let sum = d.iter().sum();
            Ok((d, sum))
        })?;
    }
    Ok(centres)
}

/// The row where the running sum of distances passes `at`; never one at distance 0.
fn draw(near: &[(Vec<f64>, f64)], mut at: f64) -> usize {
    let mut last = 0;
    for (b, (distances, sum)) in near.iter().enumerate() {
        if *sum <= 0.0 {
            continue;
        }
        if at >= *sum && near[b + 1..].iter().any(|(_, sum)| *sum > 0.0) {
            at -= sum;
            continue;
        }
        for (i, d) in distances.iter().enumerate().filter(|(_, d)| **d > 0.0) {
            last = b * ROWS + i;
            if at < *d {
                return last;
            }
            at -= d;
        }
        return last;
    }
    last
}
