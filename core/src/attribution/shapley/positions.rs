//! Ordered Shapley values: a channel's credit by its place in the journey.

use std::collections::BTreeMap;

use crate::Result;
use crate::journey::Journeys;
use crate::math::ExactSum;
use crate::run::Run;

/// Bytes that the accumulators of all workers may take together.
const BUDGET: usize = 256 << 20;
const NONE: u32 = u32::MAX;

/// (channel, position from 1, conversions, value), sorted.
pub(super) type Position = (u32, u32, f64, f64);

#[derive(Default)]
struct Cells {
    /// For each position and channel its place in `sums`.
    index: Vec<Vec<u32>>,
    keys: Vec<(u32, u32)>,
    sums: Vec<[ExactSum; 2]>,
}

impl Cells {
    fn at(&mut self, channel: u32, position: usize, channels: usize) -> &mut [ExactSum; 2] {
        if self.index.len() <= position {
            self.index.resize(position + 1, Vec::new());
        }
        let row = &mut self.index[position];
        if row.is_empty() {
            row.resize(channels, NONE);
        }
        if row[channel as usize] == NONE {
            row[channel as usize] = self.keys.len() as u32;
            self.keys.push((channel, position as u32 + 1));
            self.sums.push([ExactSum::new(), ExactSum::new()]);
        }
        &mut self.sums[row[channel as usize] as usize]
    }
}

/// φ_{c,i}: over the converting journeys with channel c at touch i, conversions
/// / (distinct channels × touches of c) (Zhao, Mahboobi & Bagheri 2018).
pub(super) fn positions(journeys: &Journeys, run: &Run) -> Result<Vec<Position>> {
    let channels = journeys.channel_count();
    let pieces = journeys.pieces();
    let longest = (0..journeys.len()).map(|j| journeys.path(j).len()).max().unwrap_or(0);
    let cells = longest.saturating_mul(channels).max(1);
    let workers = (BUDGET / cells.saturating_mul(2 * size_of::<ExactSum>())).clamp(1, 16);
    let workers = workers.min(pieces.len().max(1));
    run.stage("order channels", journeys.len() as u64)?;
    let parts = run.map_items(workers, |worker| {
        let mut cells = Cells::default();
        let mut times = vec![0_u32; channels];
        for piece in pieces.iter().skip(worker).step_by(workers) {
            for j in piece.clone() {
                let (conversions, value) = (journeys.conversions()[j], journeys.values()[j]);
                if conversions == 0.0 && value == 0.0 {
                    continue;
                }
                let path = journeys.path(j);
                let mut distinct = 0_u32;
                for c in path {
                    distinct += u32::from(times[*c as usize] == 0);
                    times[*c as usize] += 1;
                }
                for (position, c) in path.iter().enumerate() {
                    let share = 1.0 / (f64::from(distinct) * f64::from(times[*c as usize]));
                    let sums = cells.at(*c, position, channels);
                    sums[0].add(conversions * share);
                    if value != 0.0 {
                        sums[1].add(value * share);
                    }
                }
                path.iter().for_each(|c| times[*c as usize] = 0);
            }
            run.advance(piece.len() as u64)?;
        }
        Ok(cells)
    })?;
    let mut whole: BTreeMap<(u32, u32), [ExactSum; 2]> = BTreeMap::new();
    for part in parts {
        for (key, sums) in part.keys.into_iter().zip(part.sums) {
            match whole.get_mut(&key) {
                None => drop(whole.insert(key, sums)),
                Some(there) => there.iter_mut().zip(&sums).for_each(|(a, b)| a.merge(b)),
            }
        }
    }
    Ok(whole.iter().map(|((c, i), sums)| (*c, *i, sums[0].value(), sums[1].value())).collect())
}
