//! Equal keys to equal codes, in first-seen order, in parallel.
//!
//! Rows are hashed in chunks and dealt into partitions by the top bits of the
//! hash; each partition finds, in row order, the first row that holds the same
//! key; the rank of that row among all first rows is the code. Neither the
//! hash function nor the number of threads or partitions shows in the result.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::names::NULL;
use super::strings::Strings;
use crate::run::CHUNK;
use crate::{Error, Result, Run};

/// A run of rows that hold keys.
pub(crate) trait Piece: Sync {
    type Key<'k>: Copy + Eq
    where
        Self: 'k;
    fn rows(&self) -> usize;
    /// The key in a row; `None` where it is missing.
    fn get(&self, row: usize) -> Option<Self::Key<'_>>;
    fn hash(key: Self::Key<'_>, state: &RandomState) -> u64;
}

fn hash_str(text: &str, state: &RandomState) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Piece for Strings<'_> {
    type Key<'k>
        = &'k str
    where
        Self: 'k;

    fn rows(&self) -> usize {
        Strings::rows(self)
    }

    fn get(&self, row: usize) -> Option<&str> {
        Strings::get(self, row).filter(|text| !text.is_empty())
    }

    fn hash(key: &str, state: &RandomState) -> u64 {
        hash_str(key, state)
    }
}

/// A slice of strings.
pub(crate) struct StringSlice<'a, S>(pub(crate) &'a [S]);

impl<S: AsRef<str> + Sync> Piece for StringSlice<'_, S> {
    type Key<'k>
        = &'k str
    where
        Self: 'k;

    fn rows(&self) -> usize {
        self.0.len()
    }

    fn get(&self, row: usize) -> Option<&str> {
        self.0.get(row).map(AsRef::as_ref).filter(|text| !text.is_empty())
    }

    fn hash(key: &str, state: &RandomState) -> u64 {
        hash_str(key, state)
    }
}

/// Integers, some of them missing.
pub(crate) struct Ints<'a> {
    pub(crate) values: std::borrow::Cow<'a, [i64]>,
    pub(crate) valid: super::data::Valid,
}

impl Piece for Ints<'_> {
    type Key<'k>
        = i64
    where
        Self: 'k;

    fn rows(&self) -> usize {
        self.values.len()
    }

    fn get(&self, row: usize) -> Option<i64> {
        self.values.get(row).copied().filter(|_| self.valid.at(row))
    }

    fn hash(key: i64, state: &RandomState) -> u64 {
        state.hash_one(key)
    }
}

/// Pieces end to end.
pub(crate) struct Rows<'p, P> {
    pieces: &'p [P],
    starts: Vec<usize>,
    /// For every 2^14th row, the piece that it is in.
    coarse: Vec<usize>,
    total: usize,
}

const COARSE: u32 = 14;

impl<'p, P: Piece> Rows<'p, P> {
    pub(crate) fn new(pieces: &'p [P]) -> Self {
        let mut starts = Vec::with_capacity(pieces.len());
        let mut total = 0;
        for piece in pieces {
            starts.push(total);
            total += piece.rows();
        }
        let coarse = if pieces.len() < 2 {
            Vec::new()
        } else {
            (0..=(total >> COARSE))
                .map(|k| starts.partition_point(|s| *s <= k << COARSE).saturating_sub(1))
                .collect()
        };
        Self { pieces, starts, coarse, total }
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn get(&self, row: usize) -> Option<P::Key<'p>> {
        let piece = match self.pieces {
            [piece] => return piece.get(row),
            _ => self.locate(row),
        };
        self.pieces.get(piece)?.get(row - self.starts[piece])
    }

    fn locate(&self, row: usize) -> usize {
        let low = self.coarse[row >> COARSE];
        let high = self.coarse.get((row >> COARSE) + 1).map_or(self.starts.len(), |h| h + 1);
        low + self.starts[low..high].partition_point(|s| *s <= row).saturating_sub(1)
    }
}

/// What [`dedupe`] gives.
#[derive(Debug, Default)]
pub(crate) struct Unique {
    /// One code a row, [`NULL`] where there is no key.
    pub(crate) codes: Vec<u32>,
    /// For each code the first row that has it.
    pub(crate) firsts: Vec<u32>,
}

/// The hashed rows of a chunk, dealt by partition. A cell is the hash with its
/// low 16 bits, which nothing else uses, replaced by the row in the chunk.
struct Dealt {
    cells: Vec<u64>,
    ends: Vec<u32>,
}

impl Dealt {
    fn part(&self, part: usize) -> &[u64] {
        let start = if part == 0 { 0 } else { self.ends[part - 1] as usize };
        &self.cells[start..self.ends[part] as usize]
    }
}

const ROW_BITS: u64 = 0xffff;
const _: () = assert!(CHUNK == ROW_BITS as usize + 1);

/// The 32 bits of a cell that tell keys apart within a partition.
fn tag(cell: u64) -> u32 {
    (cell >> 16) as u32
}

/// A table takes its slot from low bits and its control byte from high ones.
fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Rows after which a chunk that hardly repeats itself is no longer
/// deduplicated on its own.
const SAMPLE: usize = 1024;

/// Gives equal keys equal codes, in the order in which they are first seen.
pub(crate) fn dedupe<P: Piece>(name: &str, rows: &Rows<'_, P>, run: &Run) -> Result<Unique> {
    let total = rows.total();
    if total >= NULL as usize {
        return Err(Error::column(
            name,
            format!("has {total} names, and {} can be coded at once: split the frame", NULL - 1),
        ));
    }
    let state = RandomState::default();
    let parts: usize = if total <= 2 * CHUNK { 1 } else { 64 };
    let codes: Vec<AtomicU32> = std::iter::repeat_with(|| AtomicU32::new(NULL)).take(total).collect();
    let dealt =
        run.map_chunks("intern names", total, |range| Ok(deal(rows, range, &codes, parts, &state)))?;

    let firsts = run.map_items(parts, |part| {
        let mut table: HashTable<(u32, u32)> = HashTable::new();
        let mut firsts = Vec::new();
        for (chunk, dealt) in dealt.iter().enumerate() {
            for cell in dealt.part(part) {
                let row = (chunk * CHUNK) as u32 + (cell & ROW_BITS) as u32;
                let tag = tag(*cell);
                let same = |(t, first): &(u32, u32)| {
                    *t == tag && rows.get(*first as usize) == rows.get(row as usize)
                };
                match table.entry(spread(tag), same, |(t, _)| spread(*t)) {
                    Entry::Occupied(entry) => codes[row as usize].store(entry.get().1, Relaxed),
                    Entry::Vacant(entry) => {
                        entry.insert((tag, row));
                        firsts.push(row);
                    }
                }
            }
            run.check()?;
        }
        Ok(firsts)
    })?;
    drop(dealt);

    let mut bits = vec![0u64; total.div_ceil(64)];
    for row in firsts.iter().flatten() {
        bits[*row as usize / 64] |= 1 << (row % 64);
    }
    drop(firsts);
    let mut before = Vec::with_capacity(bits.len());
    let mut count = 0u32;
    for word in &bits {
        before.push(count);
        count += word.count_ones();
    }
    let rank = |row: u32| {
        let (word, bit) = (row as usize / 64, row % 64);
        before[word] + (bits[word] & ((1 << bit) - 1)).count_ones()
    };
    run.map_chunks("code names", total, |range| {
        let start = range.start as u32;
        // A row points to the first row of its key, or to the first within this
        // chunk, which points there. Backwards, so that what is pointed to is
        // not yet replaced.
        for row in range.rev() {
            let mut first = codes[row].load(Relaxed);
            if first == NULL {
                continue;
            }
            if first >= start {
                first = codes[first as usize].load(Relaxed);
            }
            codes[row].store(rank(first), Relaxed);
        }
        Ok(())
    })?;
    let mut firsts = Vec::with_capacity(count as usize);
    for (word, bits) in bits.iter().enumerate() {
        let mut bits = *bits;
        while bits != 0 {
            firsts.push((word * 64) as u32 + bits.trailing_zeros());
            bits &= bits - 1;
        }
    }
    // Collects in place.
    let codes = codes.into_iter().map(AtomicU32::into_inner).collect();
    Ok(Unique { codes, firsts })
}

fn deal<P: Piece>(
    rows: &Rows<'_, P>,
    range: Range<usize>,
    codes: &[AtomicU32],
    parts: usize,
    state: &RandomState,
) -> Dealt {
    let start = range.start;
    let mut cells: Vec<u64> = Vec::with_capacity(range.len());
    let mut table: HashTable<(u32, u16)> = HashTable::new();
    let mut probing = true;
    let mut seen = 0;
    for row in range {
        let Some(key) = rows.get(row) else { continue };
        let here = (row - start) as u16;
        let cell = (P::hash(key, state) & !ROW_BITS) | u64::from(here);
        if probing {
            let tag = tag(cell);
            seen += 1;
            let same = |(t, first): &(u32, u16)| *t == tag && rows.get(start + *first as usize) == Some(key);
            match table.entry(spread(tag), same, |(t, _)| spread(*t)) {
                Entry::Occupied(entry) => {
                    codes[row].store((start + entry.get().1 as usize) as u32, Relaxed);
                    continue;
                }
                Entry::Vacant(entry) => entry.insert((tag, here)),
            };
            if seen == SAMPLE && table.len() > SAMPLE / 2 {
                probing = false;
            }
        }
        codes[row].store(row as u32, Relaxed);
        cells.push(cell);
    }
    if parts == 1 {
        cells.shrink_to_fit();
        return Dealt { ends: vec![cells.len() as u32], cells };
    }
    let part = |cell: &u64| (cell >> 58) as usize;
    let mut ends = vec![0u32; parts];
    for cell in &cells {
        ends[part(cell)] += 1;
    }
    let mut next = 0;
    for end in &mut ends {
        next += std::mem::replace(end, next);
    }
    // `ends` holds the starts, and each moves to its end as cells are dealt.
    let mut dealt = vec![0u64; cells.len()];
    for cell in &cells {
        let slot = &mut ends[part(cell)];
        dealt[*slot as usize] = *cell;
        *slot += 1;
    }
    Dealt { cells: dealt, ends }
}
