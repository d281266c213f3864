//! The one order of rows in which likelihoods are added up.

use super::design::{Matrix, by_value};
use super::subjects::Subjects;

/// Subjects with their covariates, in the order of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) subjects: &'a Subjects<'a>,
    pub(super) x: &'a Matrix,
    pub(super) stratum: &'a [u32],
}

impl Rows<'_> {
    /// By stratum, time, events before censored, and then by what the rows
    /// hold, so that sums do not depend on the order of the frame.
    pub(super) fn canonical(&self) -> Vec<u32> {
        let s = self.subjects;
        let mut keys: Vec<(u32, u64, bool, u32)> = (0..s.rows)
            .map(|i| (self.stratum[i], (s.duration[i] + 0.0).to_bits(), !s.event(i), i as u32))
            .collect();
        keys.sort_unstable();
        let same = |a: &(u32, u64, bool, u32), b: &(u32, u64, bool, u32)| (a.0, a.1, a.2) == (b.0, b.1, b.2);
        for tied in keys.chunk_by_mut(same).filter(|tied| tied.len() > 1) {
            tied.sort_unstable_by(|a, b| {
                let (a, b) = (a.3 as usize, b.3 as usize);
                s.weight(a)
                    .total_cmp(&s.weight(b))
                    .then(s.entry(a).total_cmp(&s.entry(b)))
                    .then_with(|| by_value(self.x.row(a), self.x.row(b)))
            });
        }
        keys.into_iter().map(|k| k.3).collect()
    }
}
