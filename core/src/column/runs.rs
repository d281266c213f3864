//! Long columns as they lie in memory: in several stretches, without a copy.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::data::{Cells, Chunk, Data, Kind};
use super::dedupe::{Rows, dedupe};
use super::intake::Intake;
use super::intern::text_labels;
use super::names::{Labels, NULL, Names};
use super::strings::{Dictionary, Strings};
use super::time::{MAX_TIME, MIN_TIME};
use crate::Result;
use crate::run::{CHUNK, Run};

/// The keys of a dictionary.
#[derive(Clone, Debug)]
pub(crate) enum Keys<'a> {
    U32(Cow<'a, [u32]>),
    #[cfg(feature = "arrow")]
    I32(&'a [i32]),
    #[cfg(feature = "arrow")]
    I8(&'a [i8]),
}

impl Keys<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::U32(keys) => keys.len(),
            #[cfg(feature = "arrow")]
            Self::I32(keys) => keys.len(),
            #[cfg(feature = "arrow")]
            Self::I8(keys) => keys.len(),
        }
    }

    /// The largest key; a negative one is above all others.
    fn top(&self) -> u32 {
        match self {
            Self::U32(keys) => keys.iter().copied().max(),
            #[cfg(feature = "arrow")]
            Self::I32(keys) => keys.iter().map(|k| *k as u32).max(),
            #[cfg(feature = "arrow")]
            Self::I8(keys) => keys.iter().map(|k| *k as u32).max(),
        }
        .unwrap_or(0)
    }

    /// What `table` has for the keys of some rows after `from`, one after the other.
    pub(crate) fn pick(&self, from: usize, rows: &[u16], table: &[u32], out: &mut Vec<u32>) {
        let at = |key: usize| table.get(key).copied().unwrap_or(NULL);
        match self {
            Self::U32(keys) => out.extend(rows.iter().map(|r| at(keys[from + *r as usize] as usize))),
            #[cfg(feature = "arrow")]
            Self::I32(keys) => out.extend(rows.iter().map(|r| at(keys[from + *r as usize] as u32 as usize))),
            #[cfg(feature = "arrow")]
            Self::I8(keys) => out.extend(rows.iter().map(|r| at(keys[from + *r as usize] as u32 as usize))),
        }
    }

    /// What `table` has for the keys of these rows, one after the other.
    pub(crate) fn look_up(&self, rows: Range<usize>, table: &[u32], out: &mut Vec<u32>) {
        let at = |key: usize| table.get(key).copied().unwrap_or(NULL);
        match self {
            Self::U32(keys) => out.extend(keys[rows].iter().map(|k| at(*k as usize))),
            #[cfg(feature = "arrow")]
            Self::I32(keys) => out.extend(keys[rows].iter().map(|k| at(*k as u32 as usize))),
            #[cfg(feature = "arrow")]
            Self::I8(keys) => out.extend(keys[rows].iter().map(|k| at(*k as u32 as usize))),
        }
    }
}

/// Names that are read where they lie.
#[derive(Debug)]
pub(crate) struct Coded<'a> {
    /// Keys, and the label's code of each key.
    pub(crate) runs: Vec<(Keys<'a>, Vec<u32>)>,
    pub(crate) labels: Arc<Labels>,
    /// The labels that occur.
    pub(crate) used: Vec<bool>,
}

impl Coded<'_> {
    /// Names that were read row by row; `whole` says that all labels occur.
    pub(crate) fn of(names: Names, whole: bool) -> Self {
        let mut used = vec![whole; names.labels.len()];
        if !whole {
            for code in names.codes.iter().filter(|c| **c != NULL) {
                used[*code as usize] = true;
            }
        }
        let same = (0..names.labels.len() as u32).collect();
        Self { runs: vec![(Keys::U32(Cow::Owned(names.codes)), same)], labels: names.labels, used }
    }
}

impl<'a> Intake<'a> {
    /// As [`Intake::times`], without a copy of times that lie in several stretches.
    pub(crate) fn time_runs(&mut self, name: &str) -> Result<Vec<Cow<'a, [i64]>>> {
        let data = self.columns().require(name)?;
        let runs: Option<Vec<&[i64]>> = data
            .chunks
            .iter()
            .map(|chunk| match &chunk.cells {
                Cells::Time(times) if chunk.valid.all() => Some(&**times),
                _ => None,
            })
            .collect();
        if let Some(runs) = runs.filter(|runs| runs.len() > 1) {
            let sound = self.run().map_items(runs.len(), |i| {
                let (low, high) = ends(runs[i]);
                Ok(runs[i].is_empty() || (low >= MIN_TIME && high <= MAX_TIME))
            })?;
            if sound.into_iter().all(|sound| sound) {
                return Ok(runs.into_iter().map(Cow::Borrowed).collect());
            }
        }
        Ok(vec![self.times(name)?])
    }

    /// As [`Intake::names`], without a copy of codes that lie in dictionaries.
    /// `None` where names must be read row by row.
    pub(crate) fn coded_runs(&mut self, name: &str) -> Result<Option<Coded<'a>>> {
        let data = self.columns().require(name)?;
        in_place(name, data, self.run())
    }
}

/// The smallest and the largest number.
pub(crate) fn ends(numbers: &[i64]) -> (i64, i64) {
    numbers.iter().fold((i64::MAX, i64::MIN), |(low, high), t| (low.min(*t), high.max(*t)))
}

fn in_place<'a>(name: &str, data: &'a Data, run: &Run) -> Result<Option<Coded<'a>>> {
    let mut pieces: Vec<Strings<'a>> = Vec::new();
    let mut tables: Vec<Range<usize>> = Vec::new();
    let mut keys = Vec::new();
    let mut last: Option<Dictionary<'a>> = None;
    let mut start = 0;
    for chunk in &data.chunks {
        let Some(dictionary) = Dictionary::of(chunk).filter(|_| chunk.valid.all()) else { return Ok(None) };
        if !last.as_ref().is_some_and(|last| last.shares_values(&dictionary)) {
            let values = dictionary.values();
            if values.rows() > CHUNK {
                return Ok(None);
            }
            start += values.rows();
            pieces.push(values);
        }
        let size = pieces.last().map_or(0, Strings::rows);
        tables.push(start - size..start);
        keys.push(dictionary.raw_keys());
        last = Some(dictionary);
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let rows = Rows::new(&pieces);
    let unique = dedupe(name, &rows, run)?;
    let inside =
        run.map_items(keys.len(), |i| Ok(keys[i].len() == 0 || (keys[i].top() as usize) < tables[i].len()))?;
    if unique.codes.contains(&NULL) || !inside.into_iter().all(|inside| inside) {
        return Ok(None);
    }
    let labels = text_labels(&rows, &unique.firsts, run)?;
    let mut out = Coded { runs: Vec::with_capacity(keys.len()), used: vec![false; labels.len()], labels };
    let mut found = Vec::with_capacity(CHUNK);
    for (keys, table) in keys.into_iter().zip(tables) {
        let table = unique.codes.get(table).unwrap_or_default().to_vec();
        // Mostly all labels turn up soon, and the rest of the rows need no look.
        let mut next = 0;
        while next < keys.len() && table.iter().any(|code| !out.used[*code as usize]) {
            run.check()?;
            let end = keys.len().min(next + CHUNK);
            found.clear();
            keys.look_up(next..end, &table, &mut found);
            for code in &found {
                out.used[*code as usize] = true;
            }
            next = end;
        }
        out.runs.push((keys, table));
    }
    Ok(Some(out))
}

/// Whole numbers that lie in one type in memory, one in every row.
pub(crate) fn int_runs(data: &Data) -> Option<Vec<Cow<'_, Chunk>>> {
    if data.kind() != Kind::Int {
        return None;
    }
    let chunks: Vec<Cow<'_, Chunk>> = data.chunks.iter().map(Chunk::plain).collect();
    let sound = |chunk: &Cow<'_, Chunk>| matches!(chunk.cells, Cells::I64(_)) && chunk.valid.all();
    chunks.iter().all(sound).then_some(chunks)
}

/// The numbers of a chunk that [`int_runs`] gave.
pub(crate) fn ints(chunk: &Chunk) -> &[i64] {
    match &chunk.cells {
        Cells::I64(numbers) => numbers,
        _ => &[],
    }
}
