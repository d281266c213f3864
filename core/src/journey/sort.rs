//! Rows grouped by customer: a counting sort in two passes, both parallel.
//!
//! The first pass deals the rows of each chunk into buckets of neighbouring
//! customers; the second collects each bucket and sorts it by customer. Both
//! touch memory in stretches that fit the cache, where one pass over millions
//! of customers would miss it on every row.

use std::ops::{BitOr, Shl, Shr};

use crate::Result;
use crate::run::{CHUNK, Run};

/// Buckets of the first pass, at most.
const BUCKETS: usize = 512;

/// What is dealt: plain values.
pub(super) trait Row: Copy + Default + Send + Sync {}
impl<T: Copy + Default + Send + Sync> Row for T {}

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

const _: () = assert!(CHUNK <= 1 << 16);

/// Deals the rows that are wanted, piece by piece; `piece` picks them and makes
/// each with its bucket.
pub(super) fn deal<R: Row>(
    stage: &'static str,
    sizes: &[usize],
    customers: usize,
    piece: impl Fn(usize, &mut Dealer<R>) + Sync + Send,
    run: &Run,
) -> Result<Buckets<R>> {
    let (shift, count) = shape(customers);
    run.stage(stage, sizes.iter().map(|n| *n as u64).sum())?;
    let chunks = run.map_items(sizes.len(), |p| {
        let mut dealer = Dealer { shift, count, out: (Vec::new(), Vec::new()) };
        piece(p, &mut dealer);
        run.advance(sizes[p] as u64)?;
        Ok(dealer.out)
    })?;
    Ok(Buckets { shift, count, chunks })
}

/// Deals one piece of at most [`CHUNK`] rows.
pub(super) struct Dealer<R> {
    shift: u32,
    count: usize,
    out: (Vec<R>, Vec<u32>),
}

impl<R: Row> Dealer<R> {
    /// All rows.
    pub(super) fn all(&mut self, customer: &[u32], row: impl Fn(usize) -> R) {
        let mut starts = vec![0_u32; self.count + 1];
        for c in customer {
            starts[(c >> self.shift) as usize + 1] += 1;
        }
        sum_up(&mut starts);
        let rows = customer.iter().enumerate().map(|(i, c)| ((c >> self.shift) as usize, row(i)));
        self.out = (scatter(rows, &starts), starts);
    }

    /// The rows that `keep` wants.
    pub(super) fn some(&mut self, customer: &[u32], keep: impl Fn(usize) -> bool, row: impl Fn(usize) -> R) {
        let picks = pick(customer.len(), keep);
        let mut starts = vec![0_u32; self.count + 1];
        for i in &picks {
            starts[(customer[*i as usize] >> self.shift) as usize + 1] += 1;
        }
        sum_up(&mut starts);
        let rows = picks.iter().map(|i| *i as usize).map(|i| ((customer[i] >> self.shift) as usize, row(i)));
        self.out = (scatter(rows, &starts), starts);
    }
}

/// The numbers below `rows`, at most [`CHUNK`], that `keep` wants.
pub(super) fn pick(rows: usize, keep: impl Fn(usize) -> bool) -> Vec<u16> {
    let mut picks = vec![0_u16; rows];
    let mut kept = 0;
    for i in 0..rows {
        // Written always and kept by counting on: no branch to mispredict.
        picks[kept] = i as u16;
        kept += usize::from(keep(i));
    }
    picks.truncate(kept);
    picks
}

impl<R: Row> Buckets<R> {
    /// How many rows a bucket has.
    pub(super) fn size(&self, bucket: usize) -> usize {
        self.chunks.iter().map(|(_, starts)| (starts[bucket + 1] - starts[bucket]) as usize).sum()
    }

    /// A bucket's rows sorted by customer, otherwise in input order, and where
    /// each of its customers starts; `local` is the customer within the bucket.
    pub(super) fn collect(&self, bucket: usize, local: impl Fn(R) -> usize) -> (Vec<R>, Vec<u32>) {
        let mut starts = vec![0_u32; (1 << self.shift) + 1];
        let parts = || self.chunks.iter().map(|(rows, s)| &rows[s[bucket] as usize..s[bucket + 1] as usize]);
        for r in parts().flatten() {
            starts[local(*r) + 1] += 1;
        }
        sum_up(&mut starts);
        let rows = scatter(parts().flatten().map(|r| (local(*r), *r)), &starts);
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
fn scatter<R: Row>(rows: impl Iterator<Item = (usize, R)>, starts: &[u32]) -> Vec<R> {
    let mut next = starts.to_vec();
    let mut out = vec![R::default(); starts.last().map_or(0, |n| *n as usize)];
    for (key, r) in rows {
        let at = &mut next[key];
        out[*at as usize] = r;
        *at += 1;
    }
    out
}

/// An integer that a touch is packed into.
pub(super) trait Word:
    Row + Ord + From<u64> + Shl<u32, Output = Self> + Shr<u32, Output = Self> + BitOr<Output = Self>
{
    /// The low 64 bits.
    fn low(self) -> u64;
}

impl Word for u64 {
    fn low(self) -> u64 {
        self
    }
}

impl Word for u128 {
    fn low(self) -> u64 {
        self as u64
    }
}

/// A touch in one integer: the customer within its bucket, the time since the
/// earliest, the channel, from the high bits to the low. The order of one
/// customer's integers is the order of time, then channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    customer_bits: u32,
    time_bits: u32,
    channel_bits: u32,
    earliest: i64,
}

fn bits(top: u64) -> u32 {
    u64::BITS - top.leading_zeros()
}

impl Packing {
    pub(super) fn new(customers: usize, channels: usize, earliest: i64, latest: i64) -> Self {
        Self {
            customer_bits: shape(customers).0,
            time_bits: bits(latest.max(earliest).wrapping_sub(earliest) as u64),
            channel_bits: bits(channels.saturating_sub(1) as u64),
            earliest,
        }
    }

    /// Whether a `u64` is wide enough; a `u128` always is.
    pub(super) fn is_narrow(&self) -> bool {
        self.customer_bits + self.time_bits + self.channel_bits < u64::BITS
    }

    pub(super) fn pack<W: Word>(&self, customer: u32, time: i64, channel: u32) -> W {
        let local = u64::from(customer) & ((1 << self.customer_bits) - 1);
        let time = time.wrapping_sub(self.earliest) as u64;
        (((W::from(local) << self.time_bits) | W::from(time)) << self.channel_bits)
            | W::from(u64::from(channel))
    }

    pub(super) fn local<W: Word>(&self, word: W) -> usize {
        (word >> (self.time_bits + self.channel_bits)).low() as usize
    }

    /// The word without its channel.
    pub(super) fn timed<W: Word>(&self, word: W) -> W {
        word >> self.channel_bits
    }

    pub(super) fn time<W: Word>(&self, word: W) -> i64 {
        let mask = u64::MAX.checked_shr(u64::BITS - self.time_bits).unwrap_or(0);
        ((self.timed(word).low() & mask) as i64).wrapping_add(self.earliest)
    }

    pub(super) fn channel<W: Word>(&self, word: W) -> u32 {
        (word.low() & ((1 << self.channel_bits) - 1)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_extremes() {
        let (early, late) = (i64::MIN, i64::MAX);
        let wide = Packing::new(usize::try_from(u32::MAX).unwrap_or(0), 1 << 20, early, late);
        assert!(!wide.is_narrow());
        for (customer, time, channel) in [(0, early, 0), (5, late, 9), (1 << 22, 0, (1 << 20) - 1)] {
            let word: u128 = wide.pack(customer, time, channel);
            assert_eq!((wide.time(word), wide.channel(word)), (time, channel));
            assert_eq!(wide.local(word), customer as usize);
        }
        let narrow = Packing::new(1, 1, 7, 7);
        assert!(narrow.is_narrow());
        let word: u64 = narrow.pack(0, 7, 0);
        assert_eq!((narrow.local(word), narrow.time(word), narrow.channel(word)), (0, 7, 0));
    }
}
