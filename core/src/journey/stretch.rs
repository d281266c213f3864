//! Touches as they lie in memory, cut into pieces of work.

use std::borrow::Cow;
use std::ops::Range;

use crate::Result;
use crate::column::{Keys, ends};
use crate::run::{CHUNK, Run};

/// At most [`CHUNK`] touches; customers are codes, or the caller's own numbers.
#[derive(Clone, Debug)]
pub(super) struct Stretch<'a, C> {
    /// The rows of the frame.
    pub(super) rows: Range<usize>,
    pub(super) customer: &'a [C],
    pub(super) time: &'a [i64],
    keys: &'a Keys<'a>,
    from: usize,
    places: &'a [u32],
}

/// Keys of a column, and the place among the channels that each stands for.
pub(super) type Places<'a> = (Keys<'a>, Vec<u32>);

impl<C> Stretch<'_, C> {
    /// The place of each touch's channel.
    pub(super) fn channels(&self) -> Vec<u32> {
        let mut out = Vec::with_capacity(self.rows.len());
        self.keys.look_up(self.from..self.from + self.rows.len(), self.places, &mut out);
        out
    }

    /// The places of the channels of some touches.
    pub(super) fn channels_of(&self, touches: &[u16]) -> Vec<u32> {
        let mut out = Vec::with_capacity(touches.len());
        self.keys.pick(self.from, touches, self.places, &mut out);
        out
    }
}

/// What is left of a column in stretches.
struct Rest<'a, T> {
    runs: std::slice::Iter<'a, T>,
    run: Option<&'a T>,
    from: usize,
}

impl<'a, T> Rest<'a, T> {
    fn new(runs: &'a [T]) -> Self {
        let mut runs = runs.iter();
        Self { run: runs.next(), runs, from: 0 }
    }

    /// The run that the next row is in, and its place there; `size` is the run's.
    fn here(&mut self, size: impl Fn(&T) -> usize) -> Option<(&'a T, usize, usize)> {
        while let Some(run) = self.run {
            if self.from < size(run) {
                return Some((run, self.from, size(run) - self.from));
            }
            (self.run, self.from) = (self.runs.next(), 0);
        }
        None
    }
}

/// Cuts columns of equal length at the ends of their stretches.
pub(super) fn cut<'a, C>(
    customer: &'a [&'a [C]],
    time: &'a [Cow<'a, [i64]>],
    channel: &'a [Places<'a>],
) -> Vec<Stretch<'a, C>> {
    let (mut who, mut when, mut what) = (Rest::new(customer), Rest::new(time), Rest::new(channel));
    let mut out = Vec::new();
    let mut row = 0;
    while let (Some(a), Some(b), Some(c)) =
        (who.here(|run| run.len()), when.here(|run| run.len()), what.here(|run| run.0.len()))
    {
        let size = CHUNK.min(a.2).min(b.2).min(c.2);
        out.push(Stretch {
            rows: row..row + size,
            customer: &a.0[a.1..a.1 + size],
            time: &b.0[b.1..b.1 + size],
            keys: &c.0.0,
            from: c.1,
            places: &c.0.1,
        });
        (who.from, when.from, what.from) = (who.from + size, when.from + size, what.from + size);
        row += size;
    }
    out
}

/// The earliest and the latest touch.
pub(super) fn span<C: Sync>(touches: &[Stretch<'_, C>], run: &Run) -> Result<(i64, i64)> {
    let parts = run.map_items(touches.len(), |i| Ok(ends(touches[i].time)))?;
    Ok(parts.into_iter().fold((i64::MAX, i64::MIN), |(low, high), (a, b)| (low.min(a), high.max(b))))
}
