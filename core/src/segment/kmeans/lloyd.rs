//! Lloyd's iteration (1982), exact, with Hamerly's bounds (2010).
//!
//! Each point keeps an upper bound u on the distance to its own centre and a
//! lower bound l on the distance to any other; while u is below l, or below
//! half the distance from its centre to the next one, its centre is still the
//! nearest and nothing is computed. A hair's breadth is allowed for rounding,
//! so the labels are those of the plain iteration.

use rayon::prelude::*;

use super::kernel::{LANES, Tile, about, squared};
use crate::{Error, Result, Run};

/// Rows in a block of work. Part of the numeric contract, like `run::CHUNK`.
pub(super) const ROWS: usize = 16_384;

/// Rounding in the bounds stays far below this part of them.
const HAIR: f64 = 1.0 + 1e-10;

/// Passes after which the sums are made anew.
const REFRESH: u32 = 16;

/// Rows to cluster, row by row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) values: &'a [f64],
    pub(super) columns: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    pub(super) fn row(&self, i: usize) -> &'a [f64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }
}

/// One finished descent.
#[derive(Clone, Debug)]
pub(super) struct Descent {
    pub(super) centres: Vec<f64>,
    pub(super) labels: Vec<u32>,
    pub(super) sizes: Vec<u64>,
    pub(super) inertia: f64,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// What a block of rows remembers between iterations.
struct Block<'a> {
    rows: Rows<'a>,
    labels: Vec<u32>,
    upper: Vec<f64>,
    lower: Vec<f64>,
    /// Sums and sizes of the clusters within this block.
    sums: Vec<f64>,
    sizes: Vec<u64>,
}

impl Block<'_> {
    /// Adds up the clusters from nothing.
    fn add_up(&mut self) {
        let columns = self.rows.columns;
        self.sums.fill(0.0);
        self.sizes.fill(0);
        for (point, label) in self.rows.values.chunks_exact(columns).zip(&self.labels) {
            let own = *label as usize;
            self.sizes[own] += 1;
            for (sum, x) in self.sums[own * columns..][..columns].iter_mut().zip(point) {
                *sum += x;
            }
        }
    }

    /// Moves a point from one cluster's sum to another's.
    fn transfer(&mut self, i: usize, from: usize, to: usize) {
        let columns = self.rows.columns;
        let point = self.rows.row(i);
        self.sizes[from] -= 1;
        self.sizes[to] += 1;
        for (c, x) in point.iter().enumerate() {
            self.sums[from * columns + c] -= x;
            self.sums[to * columns + c] += x;
        }
    }
}

/// What all blocks add up to.
struct Part {
    sums: Vec<f64>,
    sizes: Vec<u64>,
    moved: u64,
}

/// Descends from the given centres until no label changes, the centres move
/// by at most `tolerance` (squared, in all), or `max_iter` iterations are done.
pub(super) fn descend(
    rows: Rows<'_>,
    mut centres: Vec<f64>,
    max_iter: usize,
    tolerance: f64,
    run: &Run,
) -> Result<Descent> {
    let columns = rows.columns;
    let k = centres.len() / columns;
    let n = rows.len() as u64;
    let mut blocks: Vec<Block<'_>> = rows
        .values
        .chunks(ROWS * columns)
        .map(|values| {
            let count = values.len() / columns;
            Block {
                rows: Rows { values, columns },
                labels: vec![u32::MAX; count],
                upper: vec![f64::INFINITY; count],
                lower: vec![0.0; count],
                sums: vec![0.0; k * columns],
                sizes: vec![0; k],
            }
        })
        .collect();
    let mut shifts = vec![0.0; k];
    let mut iterations = 0;
    let mut converged = false;
    // Sums that only follow the points that moved gather rounding errors, so
    // they are made anew now and then, and always for the last centres.
    let (mut age, mut exact, mut settled) = (0, true, false);
    let sizes = loop {
        let last = iterations == max_iter || converged;
        let fresh = age == 0;
        let mut part = assign(&mut blocks, &centres, &shifts, fresh, run)?;
        let vacant = part.sizes.contains(&0);
        let more = vacant && iterations < max_iter;
        if (!last || more) && !settled {
            iterations += 1;
        }
        // Labels that do not change belong to centres that are their means.
        if part.moved == 0 && !vacant && exact {
            converged = true;
            break part.sizes;
        }
        if last && !more && !settled {
            break part.sizes;
        }
        settled = part.moved == 0 && !vacant;
        age = if part.moved > n / 8 || age >= REFRESH { 0 } else { age + 1 };
        exact = fresh || settled;
        if settled && !fresh {
            for block in &mut blocks {
                block.add_up();
            }
            part = total(&blocks, k, 0);
        }
        let next = means(&mut blocks, part, &centres, columns, run)?;
        for ((shift, old), new) in
            shifts.iter_mut().zip(centres.chunks_exact(columns)).zip(next.chunks_exact(columns))
        {
            *shift = squared(old, new).sqrt();
        }
        centres = next;
        converged = shifts.iter().map(|s| s * s).sum::<f64>() <= tolerance && tolerance > 0.0;
    };
    let inertia = inertia(&blocks, &centres, run)?;
    let labels = blocks.into_iter().flat_map(|block| block.labels).collect();
    Ok(Descent { centres, labels, sizes, inertia, iterations, converged })
}

/// One pass over all points: labels, bounds, and the sums for the next centres.
fn assign(blocks: &mut [Block<'_>], centres: &[f64], shifts: &[f64], fresh: bool, run: &Run) -> Result<Part> {
    let columns = blocks.first().map_or(1, |b| b.rows.columns);
    let k = shifts.len();
    // Half the distance from each centre to the next one.
    let half: Vec<f64> = (0..k)
        .map(|j| {
            let own = &centres[j * columns..(j + 1) * columns];
            let nearest = centres
                .chunks_exact(columns)
                .enumerate()
                .filter(|(other, _)| *other != j)
                .map(|(_, centre)| squared(own, centre))
                .fold(f64::INFINITY, f64::min);
            0.5 * nearest.sqrt()
        })
        .collect();
    let far = (0..k).max_by(|a, b| shifts[*a].total_cmp(&shifts[*b])).unwrap_or(0);
    let others = shifts.iter().enumerate().filter(|(j, _)| *j != far).map(|(_, s)| *s).fold(0.0, f64::max);
    let most: Vec<f64> = (0..k).map(|j| if j == far { others } else { shifts[far] }).collect();

    let work = |block: &mut Block<'_>| -> Result<u64> {
        run.check()?;
        let mut moved = 0;
        let n = block.labels.len();
        let rows = block.rows;
        let mut tile = Tile::new(columns);
        let mut pending = [0usize; LANES];
        let mut waiting = 0;
        let mut settle = |pending: &[usize], block: &mut Block<'_>, tile: &mut Tile| {
            tile.search(centres);
            for (lane, i) in pending.iter().enumerate() {
                let (old, centre) = (block.labels[*i], tile.centre(lane));
                if centre != old {
                    moved += 1;
                    block.labels[*i] = centre;
                    if !fresh {
                        block.transfer(*i, old as usize, centre as usize);
                    }
                }
                block.upper[*i] = tile.first[lane].sqrt() * HAIR;
                block.lower[*i] = tile.second[lane].sqrt() / HAIR;
            }
        };
        for i in 0..n {
            let own = block.labels[i] as usize;
            if own < k {
                let upper = (block.upper[i] + shifts[own]) * HAIR;
                let lower = block.lower[i] - most[own];
                block.upper[i] = upper;
                block.lower[i] = lower;
                let bound = if lower > half[own] { lower } else { half[own] };
                if upper < bound {
                    continue;
                }
                let upper = about(rows.row(i), &centres[own * columns..][..columns]).sqrt() * HAIR;
                block.upper[i] = upper;
                if upper < bound {
                    continue;
                }
            }
            tile.set(waiting, rows.row(i));
            pending[waiting] = i;
            waiting += 1;
            if waiting == LANES {
                settle(&pending, block, &mut tile);
                waiting = 0;
            }
        }
        settle(&pending[..waiting], block, &mut tile);
        if fresh {
            block.add_up();
        }
        run.advance(block.labels.len() as u64)?;
        Ok(moved)
    };
    let rows: usize = blocks.iter().map(|b| b.labels.len()).sum();
    run.stage("k-means", rows as u64)?;
    let moved: Vec<u64> = if blocks.len() == 1 || run.thread_count() == 1 {
        blocks.iter_mut().map(work).collect::<Result<_>>()?
    } else {
        run.install(|| blocks.par_iter_mut().map(work).collect::<Result<_>>())?
    };
    Ok(total(blocks, k, moved.iter().sum()))
}

/// The blocks' sums, added in their order.
fn total(blocks: &[Block<'_>], k: usize, moved: u64) -> Part {
    let columns = blocks.first().map_or(1, |b| b.rows.columns);
    let mut total = Part { sums: vec![0.0; k * columns], sizes: vec![0; k], moved };
    for part in blocks {
        total.sums.iter_mut().zip(&part.sums).for_each(|(sum, x)| *sum += x);
        total.sizes.iter_mut().zip(&part.sizes).for_each(|(sum, x)| *sum += x);
    }
    total
}

/// The means of the clusters. A cluster without points takes the point that is
/// farthest from its own centre, which leaves its old cluster; the next pass
/// assigns all points anew.
fn means(
    blocks: &mut [Block<'_>],
    mut part: Part,
    centres: &[f64],
    columns: usize,
    run: &Run,
) -> Result<Vec<f64>> {
    let k = part.sizes.len();
    let mut taken: Vec<usize> = Vec::new();
    for empty in (0..k).filter(|j| part.sizes[*j] == 0).collect::<Vec<_>>() {
        run.check()?;
        let mut worst: (f64, usize) = (0.0, usize::MAX);
        let mut row = 0;
        for block in blocks.iter() {
            for (point, label) in block.rows.values.chunks_exact(columns).zip(&block.labels) {
                let own = *label as usize;
                let d = squared(point, &centres[own * columns..][..columns]);
                if d > worst.0 && part.sizes[own] > 1 && !taken.contains(&row) {
                    worst = (d, row);
                }
                row += 1;
            }
        }
        if worst.1 == usize::MAX {
            return Err(too_few_distinct(k));
        }
        taken.push(worst.1);
        let (block, at) = (&blocks[worst.1 / ROWS], worst.1 % ROWS);
        let own = block.labels[at] as usize;
        let point = block.rows.row(at);
        part.sizes[own] -= 1;
        part.sizes[empty] = 1;
        for (d, x) in point.iter().enumerate() {
            part.sums[own * columns + d] -= x;
            part.sums[empty * columns + d] = *x;
        }
    }
    for (sums, size) in part.sums.chunks_exact_mut(columns).zip(&part.sizes) {
        for sum in sums {
            *sum /= *size as f64;
        }
    }
    Ok(part.sums)
}

/// The error for fewer distinct rows than clusters.
pub(super) fn too_few_distinct(k: usize) -> Error {
    Error::option("k", format!("the data has fewer than {k} distinct rows; choose a smaller k"))
}

/// The sum of squared distances to the own centres.
fn inertia(blocks: &[Block<'_>], centres: &[f64], run: &Run) -> Result<f64> {
    let parts = run.map_items(blocks.len(), |i| {
        let block = &blocks[i];
        let points = block.rows.values.chunks_exact(block.rows.columns);
        Ok(points
            .zip(&block.labels)
            .map(|(point, label)| {
                squared(point, &centres[*label as usize * block.rows.columns..][..block.rows.columns])
            })
            .sum::<f64>())
    })?;
    Ok(parts.iter().sum())
}
