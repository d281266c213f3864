//! Rows grouped by customer: a counting sort in two passes, both parallel.
//!
//! The first pass deals the rows of each chunk into buckets of neighbouring
//! customers; the second collects each bucket and sorts it by customer. Both
//! touch memory in stretches that fit the cache, where one pass over millions
//! of customers would miss it on every row.

use crate::Result;
use crate::run::{CHUNK, Run};

/// Buckets of the first pass, at most.
const BUCKETS: usize = 512;

/// A row that belongs to a customer.
pub(super) trait Row: Copy + Send + Sync {
    fn customer(&self) -> u32;
}

/// Rows dealt into buckets of `1 << shift` neighbouring customers.
pub(super) struct Buckets<R> {
    pub(super) shift: u32,
    pub(super) count: usize,
    chunks: Vec<(Vec<R>, Vec<u32>)>,
}

/// The shift that leaves few enough buckets, and how many.
pub(super) fn shape(customers: usize) -> (u32, usize) {
    let mut shift = 0;
    while customers.div_ceil(1 << shift) > BUCKETS {
        shift += 1;
    }
    (shift, customers.div_ceil(1 << shift))
}

/// Deals rows `0..len`, made by `row`; `None` leaves a row out.
pub(super) fn deal<R: Row, F>(
    stage: &'static str,
    len: usize,
    customers: usize,
    row: F,
    run: &Run,
) -> Result<Buckets<R>>
where
    F: Fn(usize) -> Option<R> + Sync + Send,
{
    let (shift, count) = shape(customers);
    let chunks = run.map_chunks(stage, len, |rows| {
        let mut starts = vec![0_u32; count + 1];
        let mut kept: Vec<R> = Vec::with_capacity(rows.len().min(CHUNK));
        for r in rows.filter_map(&row) {
            starts[(r.customer() >> shift) as usize + 1] += 1;
            kept.push(r);
        }
        for b in 0..count {
            starts[b + 1] += starts[b];
        }
        Ok((scatter(&kept, &starts, |r| (r.customer() >> shift) as usize), starts))
    })?;
    Ok(Buckets { shift, count, chunks })
}

impl<R: Row> Buckets<R> {
    /// How many rows a bucket has.
    pub(super) fn size(&self, bucket: usize) -> usize {
        self.chunks.iter().map(|(_, starts)| (starts[bucket + 1] - starts[bucket]) as usize).sum()
    }

    /// A bucket's rows sorted by customer, otherwise in input order, and where
    /// each of its customers starts.
    pub(super) fn collect(&self, bucket: usize) -> (Vec<R>, Vec<u32>) {
        let first = (bucket as u32) << self.shift;
        let local = |r: &R| (r.customer() - first) as usize;
        let mut starts = vec![0_u32; (1 << self.shift) + 1];
        let parts = || self.chunks.iter().map(|(rows, s)| &rows[s[bucket] as usize..s[bucket + 1] as usize]);
        for r in parts().flatten() {
            starts[local(r) + 1] += 1;
        }
        for c in 0..starts.len() - 1 {
            starts[c + 1] += starts[c];
        }
        let rows: Vec<R> = {
            let mut all = Vec::with_capacity(self.size(bucket));
            for part in parts() {
                all.extend_from_slice(part);
            }
            if self.shift == 0 { all } else { scatter(&all, &starts, local) }
        };
        (rows, starts)
    }
}

/// Rows in the order of their keys, stable.
fn scatter<R: Copy>(rows: &[R], starts: &[u32], key: impl Fn(&R) -> usize) -> Vec<R> {
    let mut next = starts.to_vec();
    let mut out = rows.to_vec();
    for r in rows {
        let at = &mut next[key(r)];
        out[*at as usize] = *r;
        *at += 1;
    }
    out
}
