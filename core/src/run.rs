//! How a long call runs: seed, threads, progress, cancellation.
//!
//! Work is cut into chunks of a fixed size and the chunks' results are
//! combined in their order; random streams are keyed by (seed, stream).
//! Nothing depends on how many threads there were, so a result is the same to
//! the last bit everywhere.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand_pcg::Pcg64;
use rayon::prelude::*;

use crate::{Error, Result};

/// Rows in a chunk. Part of the numeric contract: another size would add up
/// the same numbers in another order.
pub const CHUNK: usize = 65_536;

/// What a running call tells its caller, and the caller's way to stop it.
///
/// The core never calls back: a binding polls [`Monitor::progress`] from a
/// thread of its own and calls [`Monitor::cancel`].
#[derive(Debug, Default)]
pub struct Monitor {
    done: AtomicU64,
    total: AtomicU64,
    stage: Mutex<&'static str>,
    cancelled: AtomicBool,
}

/// A moment of a running call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// Units done in this stage.
    pub done: u64,
    /// Units in this stage; 0 while unknown.
    pub total: u64,
}

impl Monitor {
    /// A monitor to share with a [`Run`].
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Asks the work to stop; it returns [`Error::Cancelled`] within a chunk.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`Monitor::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Where the work stands.
    pub fn progress(&self) -> Progress {
        Progress {
            stage: *self.stage.lock().unwrap_or_else(PoisonError::into_inner),
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }
}

/// The value that every long call takes.
///
/// Defaults: seed 0, all cores, no monitor.
///
/// ```
/// use headwater::run::{Monitor, Run};
///
/// let monitor = Monitor::new();
/// let run = Run::new().seed(7).threads(2).monitor(monitor.clone());
/// assert_eq!(run.map_chunks("count", 100_000, |rows| Ok(rows.len()))?, [65_536, 34_464]);
/// monitor.cancel();
/// assert!(run.check().is_err());
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Run {
    seed: u64,
    threads: usize,
    monitor: Option<Arc<Monitor>>,
}

impl Run {
    /// The default run.
    pub fn new() -> Self {
        Self::default()
    }

    /// The seed of every random stream; fixed at 0 unless given, so that runs repeat.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many threads to use; 0 means as many as there are cores.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The monitor that sees progress and can cancel.
    #[must_use]
    pub fn monitor(mut self, monitor: Arc<Monitor>) -> Self {
        self.monitor = Some(monitor);
        self
    }

    /// The seed in force.
    pub fn seed_value(&self) -> u64 {
        self.seed
    }

    /// The number of threads in force, at least 1.
    pub fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        }
    }

    /// An independent random stream for the pair (seed, `stream`).
    pub fn rng(&self, stream: u64) -> Pcg64 {
        // PCG keeps streams of different increments apart; the seed is mixed
        // because neighbouring states of one LCG stream are correlated.
        let mixed = split_mix(self.seed ^ split_mix(stream));
        let state = (u128::from(mixed) << 64) | u128::from(split_mix(mixed));
        Pcg64::new(state, u128::from(split_mix(stream.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// Fails with [`Error::Cancelled`] when the caller asked to stop. Cheap.
    pub fn check(&self) -> Result<()> {
        match &self.monitor {
            Some(monitor) if monitor.is_cancelled() => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }

    /// Begins a stage of `total` units.
    pub fn stage(&self, name: &'static str, total: u64) -> Result<()> {
        if let Some(monitor) = &self.monitor {
            *monitor.stage.lock().unwrap_or_else(PoisonError::into_inner) = name;
            monitor.done.store(0, Ordering::Relaxed);
            monitor.total.store(total, Ordering::Relaxed);
        }
        self.check()
    }

    /// Counts `units` as done, and checks for cancellation.
    pub fn advance(&self, units: u64) -> Result<()> {
        if let Some(monitor) = &self.monitor {
            monitor.done.fetch_add(units, Ordering::Relaxed);
        }
        self.check()
    }

    /// Applies `work` to every chunk of `0..len`, in parallel, and returns the
    /// results in the order of the chunks.
    pub fn map_chunks<T, F>(&self, stage: &'static str, len: usize, work: F) -> Result<Vec<T>>
    where
        T: Send,
        F: Fn(Range<usize>) -> Result<T> + Sync + Send,
    {
        self.stage(stage, len as u64)?;
        self.map_items(len.div_ceil(CHUNK), |chunk| {
            let rows = chunk * CHUNK..len.min((chunk + 1) * CHUNK);
            let size = rows.len() as u64;
            let out = work(rows)?;
            self.advance(size)?;
            Ok(out)
        })
    }

    /// Applies `work` to `0..count`, in parallel, and returns the results in
    /// order. For pieces of work that are not rows: partitions, replicates,
    /// channels. Checks for cancellation before each.
    pub fn map_items<T, F>(&self, count: usize, work: F) -> Result<Vec<T>>
    where
        T: Send,
        F: Fn(usize) -> Result<T> + Sync + Send,
    {
        let work = |item: usize| {
            self.check()?;
            work(item)
        };
        if count <= 1 || self.thread_count() == 1 {
            return (0..count).map(work).collect();
        }
        self.install(|| (0..count).into_par_iter().map(work).collect())
    }

    /// Maps the chunks of `0..len` and folds the results from the first chunk
    /// to the last: the reduction that every floating-point total goes through.
    pub fn reduce_chunks<T, F, M>(
        &self,
        stage: &'static str,
        len: usize,
        work: F,
        mut merge: M,
    ) -> Result<Option<T>>
    where
        T: Send,
        F: Fn(Range<usize>) -> Result<T> + Sync + Send,
        M: FnMut(T, T) -> T,
    {
        let parts = self.map_chunks(stage, len, work)?;
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Ok(None) };
        Ok(Some(parts.fold(first, &mut merge)))
    }

    /// Runs `work` inside this run's thread pool, for kernels that use rayon
    /// directly (parallel sorts, disjoint slices). `work` must not depend on
    /// the number of threads.
    pub fn install<T, F>(&self, work: F) -> T
    where
        T: Send,
        F: FnOnce() -> T + Send,
    {
        match pool(self.thread_count()) {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Sorts in parallel; equal rows may change places. One thread is the
    /// caller's own: a worker of another pool that waited for it would begin
    /// more of its pool's work meanwhile, one inside the other without end.
    pub(crate) fn sort_by<T, F>(&self, rows: &mut [T], by: F)
    where
        T: Send,
        F: Fn(&T, &T) -> std::cmp::Ordering + Send + Sync,
    {
        if self.thread_count() == 1 {
            rows.sort_unstable_by(by);
        } else {
            self.install(|| rows.par_sort_unstable_by(by));
        }
    }
}

/// One step of SplitMix64: a number as good as random for each argument.
pub(crate) fn split_mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Random bits as a number in [0, 1).
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// Random bits as a number strictly between 0 and 1, for quantile functions.
pub(crate) fn unit_open(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) * (1.0 / 9_007_199_254_740_992.0)
}

/// A pool's key: the process it lives in, and its number of threads.
type PoolKey = (u32, usize);
static POOLS: Mutex<Vec<(PoolKey, Arc<rayon::ThreadPool>)>> = Mutex::new(Vec::new());

/// The pool of this many threads, made at first use.
///
/// Rayon's global pool deadlocks in a forked child, whose copy of the pool has
/// no threads; so pools are our own, and belong to one process id.
fn pool(threads: usize) -> Option<Arc<rayon::ThreadPool>> {
    let key = (std::process::id(), threads);
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, pool)) = pools.iter().find(|(k, _)| *k == key) {
        return Some(Arc::clone(pool));
    }
    // Dropping a parent's pool would wait for threads that are not there.
    for (_, stale) in pools.extract_if(.., |((pid, _), _)| *pid != key.0) {
        std::mem::forget(stale);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("headwater-{i}"))
        .build()
        .ok()?;
    let pool = Arc::new(pool);
    pools.push((key, Arc::clone(&pool)));
    Some(pool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    fn noisy_sum(threads: usize) -> f64 {
        let run = Run::new().seed(3).threads(threads);
        let len = 5 * CHUNK + 17;
        run.reduce_chunks(
            "sum",
            len,
            |rows| {
                let mut rng = run.rng(rows.start as u64);
                Ok(rows.map(|_| (rng.next_u64() as f64) * 1e-3).sum::<f64>())
            },
            |a, b| a + b,
        )
        .unwrap_or(None)
        .unwrap_or(f64::NAN)
    }

    #[test]
    fn a_sum_is_the_same_to_the_last_bit_for_any_number_of_threads() {
        let one = noisy_sum(1).to_bits();
        for threads in [2, 3, 7] {
            assert_eq!(noisy_sum(threads).to_bits(), one);
        }
    }

    #[test]
    fn cancellation_stops_a_running_reduction() {
        let monitor = Monitor::new();
        let run = Run::new().threads(2).monitor(Arc::clone(&monitor));
        let result = run.map_chunks("stop", 100 * CHUNK, |rows| {
            if rows.start >= 3 * CHUNK {
                monitor.cancel();
            }
            Ok(())
        });
        assert!(matches!(result, Err(Error::Cancelled)));
        assert!(monitor.progress().done < 100 * CHUNK as u64);
    }

    #[test]
    fn streams_differ_by_seed_and_by_stream() {
        let a = Run::new().rng(0).next_u64();
        let b = Run::new().rng(1).next_u64();
        let c = Run::new().seed(1).rng(0).next_u64();
        assert!(a != b && a != c && b != c);
        assert_eq!(a, Run::new().rng(0).next_u64());
    }
}
