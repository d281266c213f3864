//! Rows grouped by customer: a counting sort in two passes, both parallel.
//!
//! The first pass deals the rows of each chunk into buckets of neighbouring
//! customers; the second collects each bucket and sorts it by customer. Both
//! touch memory in stretches that fit the cache, where one pass over millions
//! of customers would miss it on every row.

use crate::Result;
use crate::run::Run;

/// Buckets of the first pass, at most.
const BUCKETS: usize = 512;

/// A row that belongs to a customer.
pub(super) trait Row: Copy + Default + Send + Sync {
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
        for r in rows.clone().filter_map(&row) {
            starts[(r.customer() >> shift) as usize + 1] += 1;
        }
        sum_up(&mut starts);
        let out = scatter(rows.filter_map(&row), &starts, |r| (r.customer() >> shift) as usize);
        Ok((out, starts))
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
        sum_up(&mut starts);
        let rows = scatter(parts().flatten().copied(), &starts, local);
        (rows, starts)
    }
}

fn sum_up(starts: &mut [u32]) {
    let mut sum = 0;
    for start in starts {
        sum += *start;
        *start = sum;
    }
}

/// Rows in the order of their keys, stable; `starts` says where each key begins.
fn scatter<R: Row>(rows: impl Iterator<Item = R>, starts: &[u32], key: impl Fn(&R) -> usize) -> Vec<R> {
    let mut next = starts.to_vec();
    let mut out = vec![R::default(); starts.last().map_or(0, |n| *n as usize)];
    for r in rows {
        let at = &mut next[key(&r)];
        out[*at as usize] = r;
        *at += 1;
    }
    out
}
