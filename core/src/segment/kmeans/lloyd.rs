//! Lloyd's iteration (1982), exact, with Hamerly's bounds (2010).
//!
//! For each tile of points a lower bound is kept on how much farther than a
//! point's own centre any other is. It shrinks by no more than the two longest
//! moves of centres; until their total, the drift, has used it up, the labels
//! of the tile hold and nothing is computed. Most of what is computed is in
//! single precision, see [`screen`]. A hair's breadth is allowed for rounding,
//! so the labels are those of the plain iteration.

use rayon::prelude::*;

use super::kernel::{LANES, Tile, squared};
use super::screen::{Centres, Tiles, WIDE, screen};
use crate::{Error, Result, Run};

/// Rows in a block of work. Part of the numeric contract, like `run::CHUNK`.
pub(super) const ROWS: usize = 16_384;

/// Rounding in the bounds stays far below this part of them.
const HAIR: f64 = 1e-10;

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
    tiles: Tiles,
    /// The drift at which a tile must be looked at again.
    until: Vec<f64>,
    /// Whether single precision tells the centres apart.
    coarse: bool,
    /// Sums and sizes of the clusters within this block.
    sums: Vec<f64>,
    sizes: Vec<u64>,
}

impl<'a> Block<'a> {
    fn new(rows: Rows<'a>, k: usize, origin: &[f64]) -> Self {
        Self {
            rows,
            labels: vec![u32::MAX; rows.len()],
            tiles: Tiles::new(rows.values, origin),
            until: vec![f64::NEG_INFINITY; rows.len().div_ceil(WIDE)],
            coarse: true,
            sums: vec![0.0; k * rows.columns],
            sizes: vec![0; k],
        }
    }

    /// Looks again at the tiles whose labels may no longer hold. `moved` gets
    /// the rows with another label than before, and the one before.
    fn look(&mut self, centres: &[f64], rounded: &Centres, drift: f64, moved: &mut Vec<(u32, u32)>) {
        let Self { rows, labels, tiles, until, .. } = self;
        let mut exact = Exact { rows: *rows, tile: Tile::new(rows.columns), centres };
        let mut settle = |tile: usize, until: &mut f64, centres: &[u32; WIDE], spare: f64| {
            let from = tile * WIDE;
            let to = labels.len().min(from + WIDE);
            let labels = &mut labels[from..to];
            if labels.iter().zip(centres).fold(0, |differ, (label, centre)| differ | (label ^ centre)) != 0 {
                for (i, (label, centre)) in (from as u32..).zip(labels.iter_mut().zip(centres)) {
                    if label != centre {
                        moved.push((i, *label));
                        *label = *centre;
                    }
                }
            }
            *until = (drift + spare) * (1.0 - HAIR);
        };
        let (mut at, mut looks, mut failures) = (0, 0, 0);
        let could = self.coarse
            && screen(tiles, rounded, |found| {
                if let Some((tile, found)) = found {
                    looks += 1;
                    if found.spare > 0.0 {
                        settle(tile, &mut until[tile], &found.centres, f64::from(found.spare));
                    } else {
                        failures += 1;
                        let (centres, spare) = exact.look(tile);
                        settle(tile, &mut until[tile], &centres, spare);
                    }
                }
                at += until[at..].iter().take_while(|until| drift < **until).count() + 1;
                (at <= until.len()).then(|| at - 1)
            });
        if !could {
            for (tile, until) in until.iter_mut().enumerate().filter(|(_, until)| drift >= **until) {
                let (centres, spare) = exact.look(tile);
                settle(tile, until, &centres, spare);
            }
        }
        if looks > self.until.len() / 8 && failures > looks / 2 {
            self.coarse = false;
        }
    }

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

/// Looks at tiles exactly.
struct Exact<'a> {
    rows: Rows<'a>,
    tile: Tile,
    centres: &'a [f64],
}

impl Exact<'_> {
    /// The nearest centre of each point of a tile, of equally near ones the
    /// first, and how much farther any other is where that is least.
    #[inline(never)]
    fn look(&mut self, tile: usize) -> ([u32; WIDE], f64) {
        let mut out = [0; WIDE];
        let mut spare = f64::INFINITY;
        let to = self.rows.len().min((tile + 1) * WIDE);
        for from in (tile * WIDE..to).step_by(LANES) {
            let rows = from..to.min(from + LANES);
            for (lane, i) in rows.clone().enumerate() {
                self.tile.set(lane, self.rows.row(i));
            }
            let found = self.tile.search(self.centres);
            for (lane, i) in rows.enumerate() {
                out[i % WIDE] = found.centre(lane);
                let gap = found.second[lane].sqrt() * (1.0 - HAIR) - found.first[lane].sqrt() * (1.0 + HAIR);
                spare = spare.min(gap);
            }
        }
        (out, spare)
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
    let origin: Vec<f64> =
        (0..columns).map(|d| centres.iter().skip(d).step_by(columns).map(|c| c / k as f64).sum()).collect();
    let mut blocks: Vec<Block<'_>> = rows
        .values
        .chunks(ROWS * columns)
        .map(|values| Block::new(Rows { values, columns }, k, &origin))
        .collect();
    let mut drift = 0.0;
    let mut iterations = 0;
    let mut converged = false;
    // Sums that only follow the points that moved gather rounding errors, so
    // they are made anew now and then, and always for the last centres.
    let (mut age, mut exact, mut settled) = (0, true, false);
    let sizes = loop {
        let last = iterations == max_iter || converged;
        let fresh = age == 0;
        let mut part = assign(&mut blocks, &centres, &origin, drift, fresh, run)?;
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
        let pairs = centres.chunks_exact(columns).zip(next.chunks_exact(columns));
        let shifts: Vec<f64> = pairs.map(|(old, new)| squared(old, new).sqrt()).collect();
        centres = next;
        let (longest, second) = shifts.iter().fold((0.0_f64, 0.0_f64), |(first, second), shift| {
            (first.max(*shift), second.max(first.min(*shift)))
        });
        drift = (drift + (longest + second)) * (1.0 + HAIR);
        converged = shifts.iter().map(|s| s * s).sum::<f64>() <= tolerance && tolerance > 0.0;
    };
    let inertia = inertia(&blocks, &centres, run)?;
    let labels = blocks.into_iter().flat_map(|block| block.labels).collect();
    Ok(Descent { centres, labels, sizes, inertia, iterations, converged })
}

/// One pass over all points: labels, bounds, and the sums for the next centres.
fn assign(
    blocks: &mut [Block<'_>],
    centres: &[f64],
    origin: &[f64],
    drift: f64,
    fresh: bool,
    run: &Run,
) -> Result<Part> {
    let rounded = Centres::new(centres, origin);
    let k = centres.len() / origin.len();
    let work = |block: &mut Block<'_>| -> Result<u64> {
        run.check()?;
        let mut moved = Vec::new();
        block.look(centres, &rounded, drift, &mut moved);
        if fresh {
            block.add_up();
        } else {
            for (i, old) in &moved {
                block.transfer(*i as usize, *old as usize, block.labels[*i as usize] as usize);
            }
        }
        run.advance(block.labels.len() as u64)?;
        Ok(moved.len() as u64)
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
