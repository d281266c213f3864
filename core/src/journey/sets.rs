//! Which channels stood together: journeys by their set of channels.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::Journeys;
use super::counts::Sums;
use crate::Result;
use crate::run::Run;

/// What the journeys of each set of channels count for. Journeys without a
/// touch, and those that count for nothing, are left out; sums are exact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coalitions {
    /// The channels of each set, ascending; sets in lexicographic order.
    pub(crate) sets: Vec<Vec<u32>>,
    pub(crate) conversions: Vec<f64>,
    pub(crate) nulls: Vec<f64>,
    pub(crate) value: Vec<f64>,
}

impl Coalitions {
    /// Counts all journeys.
    pub(crate) fn count(journeys: &Journeys, run: &Run) -> Result<Self> {
        run.stage("count sets of channels", journeys.len() as u64)?;
        let (sets, group) =
            if journeys.channel_count <= 64 { by_mask(journeys, run)? } else { by_list(journeys, run)? };
        let mut order: Vec<u32> = (0..sets.len() as u32).collect();
        order.sort_unstable_by(|a, b| sets[*a as usize].cmp(&sets[*b as usize]));
        let mut rank = vec![0; sets.len()];
        for (new, old) in order.iter().enumerate() {
            rank[*old as usize] = new as u32;
        }
        let kept: Vec<usize> = (0..journeys.len()).filter(|j| counts(journeys, *j)).collect();
        let group: Vec<u32> = group.iter().map(|g| rank[*g as usize]).collect();
        let sums = |weights: &[f64]| {
            let weights: Vec<f64> = kept.iter().map(|j| weights[*j]).collect();
            Sums::by_group(&group, sets.len(), &weights).nearest
        };
        run.check()?;
        Ok(Self {
            conversions: sums(&journeys.conversions),
            nulls: sums(&journeys.nulls),
            value: sums(&journeys.value),
            sets: order.into_iter().map(|g| sets[g as usize].clone()).collect(),
        })
    }

    /// How many sets there are.
    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    /// What a model file must hold to be trusted.
    pub(crate) fn is_sound(&self, channels: usize) -> bool {
        let n = self.len();
        let weights = |v: &Vec<f64>| v.len() == n && v.iter().all(|x| x.is_finite() && *x >= 0.0);
        let set =
            |s: &Vec<u32>| s.is_sorted_by(|a, b| a < b) && s.last().is_some_and(|c| (*c as usize) < channels);
        weights(&self.conversions)
            && weights(&self.nulls)
            && self.conversions.iter().zip(&self.nulls).all(|(c, n)| c + n > 0.0)
            && self.value.len() == n
            && self.value.iter().all(|x| x.is_finite())
            && self.sets.iter().all(set)
            && self.sets.is_sorted_by(|a, b| a < b)
    }
}

fn counts(journeys: &Journeys, journey: usize) -> bool {
    journeys.len[journey] > 0 && journeys.conversions[journey] + journeys.nulls[journey] > 0.0
}

type Groups = (Vec<Vec<u32>>, Vec<u32>);

/// Sets as bits of one word.
fn by_mask(journeys: &Journeys, run: &Run) -> Result<Groups> {
    let pieces = journeys.pieces();
    let masks = run.map_items(pieces.len(), |p| {
        let kept = pieces[p].clone().filter(|j| counts(journeys, *j));
        Ok(kept.map(|j| journeys.path(j).iter().fold(0, |m, c| m | 1_u64 << c)).collect::<Vec<u64>>())
    })?;
    let mut places: HashMap<u64, u32, FixedState> = HashMap::default();
    let (mut sets, mut group) = (Vec::new(), Vec::with_capacity(journeys.len()));
    for (mask, piece) in masks.iter().zip(&pieces) {
        for mask in mask {
            let next = sets.len() as u32;
            group.push(*places.entry(*mask).or_insert_with(|| {
                sets.push((0..64).filter(|c| mask >> c & 1 == 1).collect());
                next
            }));
        }
        run.advance(piece.len() as u64)?;
    }
    Ok((sets, group))
}

/// Sets as lists, for more channels than a word has bits.
fn by_list(journeys: &Journeys, run: &Run) -> Result<Groups> {
    let mut places: HashMap<Vec<u32>, u32, FixedState> = HashMap::default();
    let (mut sets, mut group) = (Vec::new(), Vec::with_capacity(journeys.len()));
    for piece in journeys.pieces() {
        for j in piece.clone().filter(|j| counts(journeys, *j)) {
            let mut set = journeys.path(j).to_vec();
            set.sort_unstable();
            set.dedup();
            let next = sets.len() as u32;
            match places.entry(set) {
                Entry::Occupied(place) => group.push(*place.get()),
                Entry::Vacant(place) => {
                    sets.push(place.key().clone());
                    group.push(*place.insert(next));
                }
            }
        }
        run.advance(piece.len() as u64)?;
    }
    Ok((sets, group))
}
