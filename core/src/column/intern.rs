//! Columns of names: strings and integers to dense codes.

use std::borrow::Cow;
use std::sync::Arc;

use super::data::{Cells, Chunk, Data, Kind, Valid};
use super::dedupe::{Ints, Piece, Rows, StringSlice, Unique, dedupe};
use super::intake::wrong_kind;
use super::names::{Labels, NULL, Names, Text};
use super::strings::{Dictionary, Strings};
use crate::run::CHUNK;
use crate::{Error, Result, Run};

/// Codes several columns of strings with one label table.
///
/// Labels are in the order in which they are first seen, column after column,
/// whatever the number of threads. An empty string is coded [`NULL`].
///
/// ```
/// use headwater::Run;
/// use headwater::column::intern;
///
/// let names = intern(&[&["b", "a"], &["c", "b"]], &Run::new())?;
/// assert_eq!(names[1].codes, [2, 0]);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn intern<S: AsRef<str> + Sync>(columns: &[&[S]], run: &Run) -> Result<Vec<Names>> {
    let pieces: Vec<_> = columns.iter().map(|c| StringSlice(c)).collect();
    let rows = Rows::new(&pieces);
    let unique = dedupe("names", &rows, run)?;
    let labels = text_labels(&rows, &unique.firsts, run)?;
    Ok(split(unique.codes, columns.iter().map(|c| c.len()), &labels))
}

/// Codes several columns of integers with one label table, as [`intern`] does.
pub fn intern_ints(columns: &[&[i64]], run: &Run) -> Result<Vec<Names>> {
    let pieces: Vec<_> =
        columns.iter().map(|c| Ints { values: Cow::Borrowed(c), valid: Valid::All }).collect();
    let (codes, labels) = code_ints("names", &pieces, run)?;
    Ok(split(codes, columns.iter().map(|c| c.len()), &labels))
}

fn split(
    mut codes: Vec<u32>,
    sizes: impl DoubleEndedIterator<Item = usize> + ExactSizeIterator,
    labels: &Arc<Labels>,
) -> Vec<Names> {
    // From the back: the first column, mostly the longest, stays where it is.
    let mut out: Vec<Names> = sizes
        .rev()
        .map(|size| {
            let part = codes.split_off(codes.len().saturating_sub(size));
            Names { codes: part, labels: Arc::clone(labels) }
        })
        .collect();
    out.reverse();
    out
}

pub(super) fn text_labels<'p, P>(rows: &Rows<'p, P>, firsts: &[u32], run: &Run) -> Result<Arc<Labels>>
where
    P: Piece<Key<'p> = &'p str> + 'p,
{
    let parts = run.map_chunks("keep labels", firsts.len(), |range| {
        let mut part = Text::with_capacity(range.len(), 16 * range.len());
        for row in &firsts[range] {
            part.push(rows.get(*row as usize).unwrap_or_default());
        }
        Ok(part)
    })?;
    let mut text = Text::with_capacity(firsts.len(), parts.iter().map(|part| part.parts().0.len()).sum());
    for part in parts {
        text.append(&part);
        run.check()?;
    }
    Ok(Arc::new(Labels::Text(text)))
}

/// Codes columns of a frame or of several with one label table.
pub(crate) fn columns(columns: &[(&str, &Data)], run: &Run) -> Result<Vec<Names>> {
    let mut text = None;
    let mut ints = None;
    for (name, data) in columns {
        match data.kind() {
            Kind::Text => text = text.or(Some(name)),
            Kind::Int | Kind::Float => ints = ints.or(Some(name)),
            Kind::Null => {}
            _ => {
                return Err(wrong_kind(
                    name,
                    data,
                    "names are strings, integers or dictionaries of them: convert the column to one of these",
                ));
            }
        }
    }
    match (text, ints) {
        (Some(text), Some(ints)) => Err(Error::column(
            *ints,
            format!(
                "holds integers, but `{text}`, which must name the same things, holds text: convert one of the two"
            ),
        )),
        (None, Some(_)) => int_columns(columns, run),
        _ => text_columns(columns, run),
    }
}

/// Where the codes of a chunk come from.
enum Part<'a> {
    /// From the rows of the piece that starts at this row.
    Rows(usize, usize),
    /// From the piece of a dictionary's values that starts at this row.
    Keys(usize, Dictionary<'a>),
    Missing(usize),
}

fn text_columns(columns: &[(&str, &Data)], run: &Run) -> Result<Vec<Names>> {
    let mut pieces: Vec<Strings<'_>> = Vec::new();
    let mut parts: Vec<Vec<Part<'_>>> = Vec::new();
    let mut start = 0;
    let mut coded = false;
    let mut last: Option<(usize, Dictionary<'_>)> = None;
    for (_, data) in columns {
        let mut column = Vec::new();
        for chunk in &data.chunks {
            if chunk.kind() == Kind::Null {
                column.push(Part::Missing(chunk.rows));
                continue;
            }
            if let Some(dictionary) = Dictionary::of(chunk) {
                let shared = last.as_ref().filter(|(_, l)| l.shares_values(&dictionary)).map(|(at, _)| *at);
                let values = dictionary.values();
                // A large dictionary of which few rows are here (a slice of a
                // frame) is cheaper to read row by row.
                if shared.is_some() || values.rows() <= chunk.rows.max(CHUNK) {
                    let at = shared.unwrap_or(start);
                    if shared.is_none() {
                        start += values.rows();
                        pieces.push(values);
                        last = Dictionary::of(chunk).map(|d| (at, d));
                    }
                    coded = true;
                    column.push(Part::Keys(at, dictionary));
                    continue;
                }
            }
            column.push(Part::Rows(start, chunk.rows));
            start += chunk.rows;
            pieces.push(Strings::of(chunk));
        }
        parts.push(column);
    }
    let name = columns.first().map_or("names", |(name, _)| *name);
    let rows = Rows::new(&pieces);
    let Unique { codes, mut firsts } = dedupe(name, &rows, run)?;
    let whole = matches!(&*parts, [column] if column.iter().all(|part| matches!(part, Part::Rows(..))));
    let mut out = if whole { vec![codes] } else { assemble(&parts, &codes, run)? };
    if coded {
        firsts = renumber(&mut out, &firsts, run)?;
    }
    let labels = text_labels(&rows, &firsts, run)?;
    Ok(out.into_iter().map(|codes| Names { codes, labels: Arc::clone(&labels) }).collect())
}

fn assemble(parts: &[Vec<Part<'_>>], codes: &[u32], run: &Run) -> Result<Vec<Vec<u32>>> {
    let mut out = Vec::with_capacity(parts.len());
    for column in parts {
        let size = column
            .iter()
            .map(|part| match part {
                Part::Rows(_, rows) | Part::Missing(rows) => *rows,
                Part::Keys(_, dictionary) => dictionary.rows(),
            })
            .sum();
        let mut all: Vec<u32> = Vec::with_capacity(size);
        for part in column {
            match part {
                Part::Rows(at, rows) => all.extend_from_slice(&codes[*at..at + rows]),
                Part::Missing(rows) => all.resize(all.len() + rows, NULL),
                Part::Keys(at, dictionary) => {
                    let values = &codes[*at..*at + dictionary.values().rows()];
                    let valid = dictionary.valid();
                    let keys = dictionary.keys();
                    let code = |key: &u32| values.get(*key as usize).copied().unwrap_or(NULL);
                    if valid.all() {
                        all.extend(keys.iter().map(code));
                    } else {
                        let there = |(row, key)| if valid.at(row) { code(key) } else { NULL };
                        all.extend(keys.iter().enumerate().map(there));
                    }
                }
            }
            run.check()?;
        }
        out.push(all);
    }
    Ok(out)
}

/// Renumbers codes in the order in which rows use them, and gives the first
/// rows of those that are used.
fn renumber(columns: &mut [Vec<u32>], firsts: &[u32], run: &Run) -> Result<Vec<u32>> {
    let mut new = vec![NULL; firsts.len()];
    let mut used = Vec::new();
    // Mostly all labels turn up soon, and the rest of the rows need no look.
    'all: for codes in &*columns {
        for part in codes.chunks(CHUNK) {
            for code in part {
                if let Some(to) = new.get_mut(*code as usize)
                    && *to == NULL
                {
                    *to = used.len() as u32;
                    used.push(firsts[*code as usize]);
                }
            }
            if used.len() == firsts.len() {
                break 'all;
            }
            run.check()?;
        }
    }
    if new.iter().enumerate().all(|(old, new)| old as u32 == *new) {
        return Ok(used);
    }
    for codes in columns {
        for part in codes.chunks_mut(CHUNK) {
            for code in part {
                *code = new.get(*code as usize).copied().unwrap_or(NULL);
            }
            run.check()?;
        }
    }
    Ok(used)
}

fn int_columns(columns: &[(&str, &Data)], run: &Run) -> Result<Vec<Names>> {
    let chunks: Vec<(&str, Cow<'_, Chunk>)> = columns
        .iter()
        .flat_map(|(name, data)| data.chunks.iter().map(|chunk| (*name, chunk.plain())))
        .collect();
    let mut pieces = Vec::with_capacity(chunks.len());
    let mut start = 0;
    for (name, chunk) in &chunks {
        pieces.push(match &chunk.cells {
            Cells::I64(values) => Ints { values: Cow::Borrowed(values), valid: chunk.valid.clone() },
            Cells::F64(values) => whole_numbers(name, values, &chunk.valid, start)?,
            _ => {
                Ints { values: Cow::Owned(vec![0; chunk.rows]), valid: Valid::mask(vec![false; chunk.rows]) }
            }
        });
        start += chunk.rows;
    }
    let name = columns.first().map_or("names", |(name, _)| *name);
    let (codes, labels) = code_ints(name, &pieces, run)?;
    Ok(split(codes, columns.iter().map(|(_, data)| data.len()), &labels))
}

/// Integers that were made floats, as pandas does where some are missing.
fn whole_numbers<'a>(name: &str, values: &[f64], valid: &Valid, start: usize) -> Result<Ints<'a>> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let mut ints = Vec::with_capacity(values.len());
    let mut there = Vec::with_capacity(values.len());
    for (row, value) in values.iter().enumerate() {
        let valid = valid.at(row) && !value.is_nan();
        // Infinities have a fraction of NaN.
        if valid && (value.fract() != 0.0 || value.abs() > EXACT) {
            return Err(Error::column(
                name,
                format!(
                    "holds floats such as {value} in row {}, which are no names: convert the column to integers or strings",
                    start + row
                ),
            ));
        }
        ints.push(if valid { *value as i64 } else { 0 });
        there.push(valid);
    }
    Ok(Ints { values: Cow::Owned(ints), valid: Valid::mask(there) })
}

fn code_ints(name: &str, pieces: &[Ints<'_>], run: &Run) -> Result<(Vec<u32>, Arc<Labels>)> {
    let rows = Rows::new(pieces);
    let total = rows.total();
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    for piece in pieces {
        let ends = run.reduce_chunks(
            "range of names",
            piece.values.len(),
            |range| {
                let ends = (i64::MAX, i64::MIN);
                let widen = |(low, high): (i64, i64), key: i64| (low.min(key), high.max(key));
                if piece.valid.all() {
                    return Ok(piece.values[range].iter().copied().fold(ends, widen));
                }
                Ok(range.filter_map(|row| piece.get(row)).fold(ends, widen))
            },
            |a, b| (a.0.min(b.0), a.1.max(b.1)),
        )?;
        if let Some(ends) = ends {
            (low, high) = (low.min(ends.0), high.max(ends.1));
        }
    }
    let span = (i128::from(high) - i128::from(low) + 1).max(0);
    if span <= 4 * total as i128 + CHUNK as i128 && total < NULL as usize {
        return direct(pieces, low, span as usize, run);
    }
    let Unique { codes, firsts } = dedupe(name, &rows, run)?;
    let labels = firsts.iter().map(|row| rows.get(*row as usize).unwrap_or_default()).collect();
    Ok((codes, Arc::new(Labels::Int(labels))))
}

/// Codes integers that lie close together, by a table of all of them.
fn direct(pieces: &[Ints<'_>], low: i64, span: usize, run: &Run) -> Result<(Vec<u32>, Arc<Labels>)> {
    let mut table = vec![NULL; span];
    let mut labels = Vec::new();
    let mut codes = Vec::with_capacity(pieces.iter().map(Piece::rows).sum());
    for piece in pieces {
        let mut code = |value: i64| {
            let slot = &mut table[value.wrapping_sub(low) as usize];
            if *slot == NULL {
                *slot = labels.len() as u32;
                labels.push(value);
            }
            *slot
        };
        for (part, values) in piece.values.chunks(CHUNK).enumerate() {
            if piece.valid.all() {
                codes.extend(values.iter().map(|v| code(*v)));
            } else {
                let first = part * CHUNK;
                let rows = values.iter().enumerate();
                codes.extend(rows.map(|(i, v)| if piece.valid.at(first + i) { code(*v) } else { NULL }));
            }
            run.check()?;
        }
    }
    Ok((codes, Arc::new(Labels::Int(labels))))
}
