//! What can be wrong with a row, and the loop that finds it.

use std::ops::Range;

use rayon::prelude::*;

use super::data::{Cells, Chunk, Data};
use super::intake::DropReason;
use super::strings::Strings;
use crate::run::CHUNK;
use crate::{Result, Run};

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Missing,
    Empty,
    Infinite,
    Negative,
    NotTime,
    OutOfRange,
    NotFlag,
    Rejected,
}

const KINDS: [Flaw; 7] = [
    Flaw::Missing,
    Flaw::Empty,
    Flaw::Infinite,
    Flaw::Negative,
    Flaw::NotTime,
    Flaw::OutOfRange,
    Flaw::NotFlag,
];

impl Flaw {
    /// In a [`DropReason`].
    pub(crate) fn short(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Infinite => "infinite",
            Self::Negative => "negative",
            Self::NotTime => "not a time",
            Self::OutOfRange => "out of range",
            Self::NotFlag => "neither 0 nor 1",
            Self::Rejected => "rejected",
        }
    }

    /// In an [`Error::Row`](crate::Error::Row): with the value, and what to do.
    pub(crate) fn long(self, reason: &DropReason, data: Option<&Data>) -> String {
        let value = data.and_then(|d| shown(d, reason.first_row as usize)).unwrap_or_default();
        match self {
            Self::Missing => "the value is missing (null or NaN)".to_owned(),
            Self::Empty => "the value is an empty string".to_owned(),
            Self::Infinite => "the value is infinite".to_owned(),
            Self::Negative => format!("the amount{value} is negative; it must be 0 or more"),
            Self::NotTime => {
                format!("the value{value} is not a time; write ISO 8601, for example 2024-01-31T09:30:00Z")
            }
            Self::OutOfRange => {
                format!("the time{value} is outside the years -9999 to 9999; is its unit right?")
            }
            Self::NotFlag => format!("the value{value} is neither 0 nor 1"),
            Self::Rejected => reason.reason.clone(),
        }
    }
}

/// A cell for a message, with a blank before it.
fn shown(data: &Data, mut row: usize) -> Option<String> {
    let chunk = data.chunks.iter().find(|c| {
        let here = row < c.rows;
        if !here {
            row -= c.rows;
        }
        here
    })?;
    let chunk = chunk.plain();
    Some(match &chunk.cells {
        Cells::F64(v) => format!(" {}", v.get(row)?),
        Cells::I64(v) => format!(" {}", v.get(row)?),
        _ => {
            let strings = Strings::of(&chunk);
            let text = strings.get(row)?;
            let cut: String = text.chars().take(40).collect();
            format!(" `{}`", cut.escape_debug())
        }
    })
}

/// The flaws of one column.
#[derive(Debug, Default)]
pub(crate) struct Flaws {
    /// Every row with a flaw.
    pub(crate) rows: Vec<usize>,
    count: [u64; KINDS.len()],
    first: [usize; KINDS.len()],
}

impl Flaws {
    pub(crate) fn add(&mut self, row: usize, flaw: Flaw) {
        if let Some(at) = KINDS.iter().position(|k| *k == flaw) {
            if self.count[at] == 0 || row < self.first[at] {
                self.first[at] = row;
            }
            self.count[at] += 1;
            self.rows.push(row);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn merge(&mut self, other: &Self) {
        for at in 0..KINDS.len() {
            if other.count[at] > 0 && (self.count[at] == 0 || other.first[at] < self.first[at]) {
                self.first[at] = other.first[at];
            }
            self.count[at] += other.count[at];
        }
        self.rows.extend_from_slice(&other.rows);
    }

    /// Each kind of flaw with its count and first row, by first row.
    pub(crate) fn kinds(&self) -> Vec<(Flaw, u64, usize)> {
        let mut out: Vec<_> = (0..KINDS.len())
            .filter(|at| self.count[*at] > 0)
            .map(|at| (KINDS[at], self.count[at], self.first[at]))
            .collect();
        out.sort_by_key(|(_, _, first)| *first);
        out
    }
}

/// Looks at every row of a column without writing anything.
pub(crate) fn scan(
    run: &Run,
    stage: &'static str,
    rows: usize,
    look: impl Fn(Range<usize>, &mut dyn FnMut(usize, Flaw)) + Sync + Send,
) -> Result<Flaws> {
    let parts = run.map_chunks(stage, rows, |range| {
        let mut flaws = Flaws::default();
        look(range, &mut |row, flaw| flaws.add(row, flaw));
        Ok(flaws)
    })?;
    let mut flaws = Flaws::default();
    for part in &parts {
        flaws.merge(part);
    }
    Ok(flaws)
}

/// Makes one value a row, in parallel. `work` gets the chunk, the rows of the
/// chunk, and where they go; rows are numbered within the chunk.
pub(crate) fn fill<T, F>(run: &Run, stage: &'static str, data: &Data, work: F) -> Result<(Vec<T>, Flaws)>
where
    T: Copy + Default + Send,
    F: Fn(&Chunk, Range<usize>, &mut [T], &mut dyn FnMut(usize, Flaw)) + Sync + Send,
{
    let total = data.len();
    let mut out = vec![T::default(); total];
    let mut flaws = Flaws::default();
    run.stage(stage, total as u64)?;
    let mut start = 0;
    let mut rest: &mut [T] = &mut out;
    for chunk in &data.chunks {
        let chunk = chunk.plain();
        let chunk: &Chunk = &chunk;
        let (here, after) = rest.split_at_mut(chunk.rows);
        rest = after;
        let piece = |(part, out): (usize, &mut [T])| {
            let first = part * CHUNK;
            let size = out.len();
            let mut flaws = Flaws::default();
            work(chunk, first..first + size, out, &mut |row, flaw| flaws.add(start + row, flaw));
            run.advance(size as u64)?;
            Ok(flaws)
        };
        let parts: Result<Vec<Flaws>> = if chunk.rows <= CHUNK || run.thread_count() == 1 {
            here.chunks_mut(CHUNK).enumerate().map(piece).collect()
        } else {
            run.install(|| here.par_chunks_mut(CHUNK).enumerate().map(piece).collect())
        };
        for part in &parts? {
            flaws.merge(part);
        }
        start += chunk.rows;
    }
    Ok((out, flaws))
}
