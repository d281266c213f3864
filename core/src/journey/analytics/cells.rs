//! Exact sums of journeys' weights by cell, in parallel.

use std::ops::Range;

use super::Journeys;
use crate::Result;
use crate::math::ExactSum;
use crate::run::Run;

/// A sum that does not depend on the order of its addends.
trait Cell: Clone + Default + Send {
    fn add(&mut self, x: f64);
    fn join(&mut self, other: &Self);
    fn read(&self) -> f64;
}

/// For whole numbers, whose sums a double holds exactly.
impl Cell for f64 {
    fn add(&mut self, x: f64) {
        *self += x;
    }
    fn join(&mut self, other: &Self) {
        *self += *other;
    }
    fn read(&self) -> f64 {
        *self
    }
}

impl Cell for ExactSum {
    fn add(&mut self, x: f64) {
        Self::add(self, x);
    }
    fn join(&mut self, other: &Self) {
        if !other.is_zero() {
            self.merge(other);
        }
    }
    fn read(&self) -> f64 {
        self.value()
    }
}

/// Bytes of cells that may be held at once.
const ROOM: usize = 256 << 20;

/// How many cells a report may take.
pub(super) const MOST: usize = 1 << 25;

/// Where a piece of work adds what it found: (cell, weight).
pub(super) type Add<'a> = &'a mut dyn FnMut(usize, f64);

/// Whether every weight is a whole number of a size that adds up without rounding.
pub(super) fn whole(weights: &[f64]) -> bool {
    weights.iter().all(|w| w.fract() == 0.0 && w.abs() < 1e6)
}

/// What `work` adds up over all journeys. It gets stretches of journeys that
/// do not divide a customer, and may be given room of its own by `room`.
pub(super) fn tally<R, F>(
    journeys: &Journeys,
    stage: &'static str,
    cells: usize,
    run: &Run,
    room: impl Fn() -> R + Sync + Send,
    work: F,
) -> Result<Vec<f64>>
where
    F: Fn(Range<usize>, &mut R, Add<'_>) + Sync + Send,
{
    if whole(&journeys.conversions) && whole(&journeys.nulls) {
        sum::<f64, R, F>(journeys, stage, cells, run, room, work)
    } else {
        sum::<ExactSum, R, F>(journeys, stage, cells, run, room, work)
    }
}

/// As [`tally`], of amounts that are no whole numbers: for few cells.
pub(super) fn amounts<F>(
    journeys: &Journeys,
    stage: &'static str,
    cells: usize,
    run: &Run,
    work: F,
) -> Result<Vec<f64>>
where
    F: Fn(Range<usize>, &mut Vec<u32>, Add<'_>) + Sync + Send,
{
    let room = || vec![u32::MAX; journeys.channel_count()];
    sum::<ExactSum, Vec<u32>, F>(journeys, stage, cells, run, room, work)
}

fn sum<C, R, F>(
    journeys: &Journeys,
    stage: &'static str,
    cells: usize,
    run: &Run,
    room: impl Fn() -> R + Sync + Send,
    work: F,
) -> Result<Vec<f64>>
where
    C: Cell,
    F: Fn(Range<usize>, &mut R, Add<'_>) + Sync + Send,
{
    let pieces = whole_customers(journeys);
    run.stage(stage, journeys.steps.len() as u64)?;
    // Sums are exact, so how pieces are grouped leaves no trace in them.
    let groups = (ROOM / (cells * size_of::<C>()).max(1)).clamp(1, 4 * run.thread_count()).min(pieces.len());
    let parts = run.map_items(groups, |g| {
        let (mut sums, mut room) = (vec![C::default(); cells], room());
        for piece in &pieces[g * pieces.len() / groups..(g + 1) * pieces.len() / groups] {
            work(piece.clone(), &mut room, &mut |cell, weight| sums[cell].add(weight));
            run.advance(piece.clone().map(|j| u64::from(journeys.len[j])).sum())?;
        }
        Ok(sums)
    })?;
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_else(|| vec![C::default(); cells]);
    for part in parts {
        run.check()?;
        for (a, b) in all.iter_mut().zip(&part) {
            a.join(b);
        }
    }
    Ok(all.iter().map(Cell::read).collect())
}

/// Journeys in pieces of about equal work that do not divide a customer.
pub(super) fn whole_customers(journeys: &Journeys) -> Vec<Range<usize>> {
    let mut pieces = journeys.pieces();
    let customer = &journeys.customer;
    let mut first = 0;
    for piece in &mut pieces {
        piece.start = first.max(piece.start);
        piece.end = piece.end.max(piece.start);
        while piece.end > 0 && piece.end < customer.len() && customer[piece.end] == customer[piece.end - 1] {
            piece.end += 1;
        }
        first = piece.end;
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
