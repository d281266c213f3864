//! Equal keys to equal codes, in first-seen order, in parallel.
//!
//! Rows are hashed in chunks and dealt into partitions by the top bits of the
//! hash; each partition finds, in row order, the first row that has the same
//! hash; the rank of that row among all first rows is the code. Whether equal
//! hashes meant equal keys is seen afterwards, row by row, where memory can be
//! read ahead; if ever they did not, the keys are compared one by one. Neither
//! the hash function nor the number of threads or partitions shows in the result.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::prelude::*;

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

/// The hashed rows of a chunk, dealt by partition.
struct Dealt {
    hashes: Vec<u64>,
    /// Rows in the chunk.
    rows: Vec<u16>,
    ends: Vec<u32>,
    /// Rows that hold the key of an earlier row of the chunk, and that row.
    again: Vec<(u16, u16)>,
}

impl Dealt {
    fn part(&self, part: usize) -> Range<usize> {
        let start = if part == 0 { 0 } else { self.ends[part - 1] as usize };
        start..self.ends[part] as usize
    }
}

const _: () = assert!(CHUNK == u16::MAX as usize + 1);

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
    match by_hash(rows, &state, run)? {
        Some(unique) => Ok(unique),
        None => one_by_one(rows, &state, run),
    }
}

/// [`dedupe`] by hashes alone; `None` when different keys have the same.
fn by_hash<P: Piece>(rows: &Rows<'_, P>, state: &RandomState, run: &Run) -> Result<Option<Unique>> {
    let total = rows.total();
    // The table of a partition fits a core's cache.
    let parts = if total <= 2 * CHUNK { 1 } else { (total >> 13).next_power_of_two().clamp(64, 1024) };
    let dealt = run.map_chunks("intern names", total, |range| Ok(deal(rows, range, parts, state)))?;
    let mut found = run.map_items(parts, |part| Ok(find_firsts(&dealt, part)))?;

    let mut bits = vec![0u64; total.div_ceil(64)];
    for row in found.iter().flat_map(|part| &part.firsts) {
        bits[*row as usize / 64] |= 1 << (row % 64);
    }
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
    run.install(|| {
        found.par_iter_mut().for_each(|part| {
            part.firsts.iter_mut().for_each(|row| *row = rank(*row));
            part.cells.iter_mut().for_each(|cell| *cell = part.firsts[*cell as usize]);
        });
    });
    let mut firsts = Vec::with_capacity(count as usize);
    for (word, bits) in bits.iter().enumerate() {
        let mut bits = *bits;
        while bits != 0 {
            firsts.push((word * 64) as u32 + bits.trailing_zeros());
            bits &= bits - 1;
        }
    }

    // Where the cells of each chunk begin in each partition.
    let mut starts: Vec<u32> = Vec::with_capacity(parts * dealt.len());
    let mut next = vec![0u32; parts];
    for dealt in &dealt {
        starts.extend(&next);
        for (part, next) in next.iter_mut().enumerate() {
            *next += dealt.part(part).len() as u32;
        }
    }
    let mut codes = vec![NULL; total];
    let code = |(chunk, codes): (usize, &mut [u32])| {
        run.check()?;
        let dealt = &dealt[chunk];
        for (part, start) in starts[chunk * parts..].iter().take(parts).enumerate() {
            let cells = &found[part].cells[*start as usize..];
            for (row, code) in dealt.rows[dealt.part(part)].iter().zip(cells) {
                codes[*row as usize] = *code;
            }
        }
        let equal = are_equal(rows, chunk * CHUNK, codes, &firsts);
        for (row, first) in &dealt.again {
            codes[*row as usize] = codes[*first as usize];
        }
        Ok(equal)
    };
    let equal: Result<Vec<bool>> =
        run.install(|| codes.par_chunks_mut(CHUNK).enumerate().map(code).collect());
    Ok(equal?.into_iter().all(|equal| equal).then_some(Unique { codes, firsts }))
}

/// The rows of a partition that are the first with their hash, and for each
/// cell of the partition which of these it has.
struct Found {
    firsts: Vec<u32>,
    cells: Vec<u32>,
}

fn find_firsts(dealt: &[Dealt], part: usize) -> Found {
    let count: usize = dealt.iter().map(|d| d.part(part).len()).sum();
    let mask = (count + count / 2 + 1).next_power_of_two() - 1;
    // A hash and, from 1 on, the number of its first row.
    let mut table = vec![(0u64, 0u32); mask + 1];
    let mut firsts = Vec::new();
    let mut cells = Vec::with_capacity(count);
    for (chunk, dealt) in dealt.iter().enumerate() {
        let range = dealt.part(part);
        for (hash, row) in dealt.hashes[range.clone()].iter().zip(&dealt.rows[range]) {
            let mut slot = *hash as usize & mask;
            loop {
                let (known, number) = &mut table[slot];
                if *number == 0 {
                    firsts.push((chunk * CHUNK) as u32 + u32::from(*row));
                    (*known, *number) = (*hash, firsts.len() as u32);
                }
                if *known == *hash {
                    cells.push(*number - 1);
                    break;
                }
                slot = (slot + 1) & mask;
            }
        }
    }
    Found { firsts, cells }
}

/// Whether rows from `start` on hold the keys that their codes stand for.
fn are_equal<P: Piece>(rows: &Rows<'_, P>, start: usize, codes: &[u32], firsts: &[u32]) -> bool {
    // In small blocks and step by step, so that reads from far do not wait for each other.
    const BLOCK: usize = 64;
    let mut pairs = Vec::with_capacity(BLOCK);
    let mut keys = Vec::with_capacity(BLOCK);
    for (block, codes) in codes.chunks(BLOCK).enumerate() {
        pairs.clear();
        for (row, code) in (start + block * BLOCK..).zip(codes) {
            if *code != NULL {
                let first = firsts[*code as usize] as usize;
                if first != row {
                    pairs.push((row, first));
                }
            }
        }
        keys.clear();
        keys.extend(pairs.iter().map(|(_, first)| rows.get(*first)));
        if pairs.iter().zip(&keys).any(|((row, _), key)| rows.get(*row) != *key) {
            return false;
        }
    }
    true
}

/// [`dedupe`] by the keys themselves.
fn one_by_one<P: Piece>(rows: &Rows<'_, P>, state: &RandomState, run: &Run) -> Result<Unique> {
    let mut table: HashTable<u32> = HashTable::new();
    let mut unique = Unique { codes: Vec::with_capacity(rows.total()), firsts: Vec::new() };
    let hash = |key| P::hash(key, state);
    run.stage("intern names", rows.total() as u64)?;
    for row in 0..rows.total() {
        if row % CHUNK == CHUNK - 1 {
            run.advance(CHUNK as u64)?;
        }
        let Some(key) = rows.get(row) else {
            unique.codes.push(NULL);
            continue;
        };
        let firsts = &mut unique.firsts;
        let known = |code: &u32| rows.get(firsts[*code as usize] as usize);
        let same = |code: &u32| known(code) == Some(key);
        let code = match table.entry(hash(key), same, |code| known(code).map_or(0, hash)) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let code = firsts.len() as u32;
                entry.insert(code);
                firsts.push(row as u32);
                code
            }
        };
        unique.codes.push(code);
    }
    Ok(unique)
}

fn deal<P: Piece>(rows: &Rows<'_, P>, range: Range<usize>, parts: usize, state: &RandomState) -> Dealt {
    let start = range.start;
    let mut hashes: Vec<u64> = Vec::with_capacity(range.len());
    let mut there: Vec<u16> = Vec::with_capacity(range.len());
    let mut again = Vec::new();
    let mut table: HashTable<(u64, u16)> = HashTable::new();
    let mut probing = true;
    let mut seen = 0;
    for row in range {
        let Some(key) = rows.get(row) else { continue };
        let here = (row - start) as u16;
        let hash = P::hash(key, state);
        if probing {
            seen += 1;
            let same = |(h, first): &(u64, u16)| *h == hash && rows.get(start + *first as usize) == Some(key);
            match table.entry(hash, same, |(h, _)| *h) {
                Entry::Occupied(entry) => {
                    again.push((here, entry.get().1));
                    continue;
                }
                Entry::Vacant(entry) => entry.insert((hash, here)),
            };
            if seen == SAMPLE && table.len() > SAMPLE / 2 {
                probing = false;
            }
        }
        hashes.push(hash);
        there.push(here);
    }
    if parts == 1 {
        hashes.shrink_to_fit();
        there.shrink_to_fit();
        return Dealt { ends: vec![hashes.len() as u32], hashes, rows: there, again };
    }
    let part = |hash: &u64| (hash >> (64 - parts.trailing_zeros())) as usize;
    let mut ends = vec![0u32; parts];
    for hash in &hashes {
        ends[part(hash)] += 1;
    }
    let mut next = 0;
    for end in &mut ends {
        next += std::mem::replace(end, next);
    }
    // `ends` holds the starts, and each moves to its end as cells are dealt.
    let mut dealt = Dealt { hashes: vec![0; hashes.len()], rows: vec![0; hashes.len()], ends, again };
    for (hash, row) in hashes.iter().zip(&there) {
        let slot = &mut dealt.ends[part(hash)];
        dealt.hashes[*slot as usize] = *hash;
        dealt.rows[*slot as usize] = *row;
        *slot += 1;
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of which many have the same hash.
    struct Weak(Vec<i64>, u64);

    impl Piece for Weak {
        type Key<'k> = i64;

        fn rows(&self) -> usize {
            self.0.len()
        }

        fn get(&self, row: usize) -> Option<i64> {
            self.0.get(row).copied().filter(|_| row as u64 % self.1 != 3)
        }

        fn hash(key: i64, _: &RandomState) -> u64 {
            (key as u64 % 1000).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }
    }

    #[test]
    fn equal_hashes_do_not_make_keys_equal() -> Result<()> {
        let run = Run::new();
        let state = RandomState::default();
        for (total, distinct) in
            [(0, 1), (10, 7), (5_000, 999), (5_000, 1_001), (300_000, 900), (300_000, 1_500)]
        {
            let keys = (0..total).map(|i: i64| i * 7919 % distinct).collect();
            let pieces = [Weak(keys, 17)];
            let rows = Rows::new(&pieces);
            let exact = one_by_one(&rows, &state, &run)?;
            let fast = by_hash(&rows, &state, &run)?;
            assert_eq!(fast.is_some(), exact.firsts.len() <= 1000, "{total} {distinct}");
            let unique = dedupe("n", &rows, &run)?;
            assert_eq!(unique.firsts, exact.firsts, "{total} {distinct}");
            assert_eq!(unique.codes, exact.codes, "{total} {distinct}");
        }
        Ok(())
    }
}
