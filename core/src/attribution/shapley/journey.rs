//! A game for each journey, over its own channels.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::subsets::MOST;
use super::worth::{fill, missing, of_points, rates};
use super::{Missing, Shapley, subsets};
use crate::journey::Coalitions;
use crate::run::Run;
use crate::{Error, Result};

/// Channels up to which a journey's subsets are looked up one by one.
const FEW: usize = 16;

/// For each set of channels the shares of its channels in what its journeys
/// brought, adding up to 1: the Shapley values of the game in which a
/// coalition earns the rate of the journeys of exactly its channels. Empty
/// where the set brought nothing.
pub(super) fn shares(
    shapley: &Shapley,
    channels: &[String],
    sets: &Coalitions,
    measure: usize,
    run: &Run,
) -> Result<Vec<Vec<f64>>> {
    let rates = rates(sets, measure);
    let place: HashMap<&[u32], usize, FixedState> =
        sets.sets.iter().enumerate().map(|(at, set)| (set.as_slice(), at)).collect();
    run.stage("play journeys", sets.len() as u64)?;
    run.map_items(sets.len(), |at| {
        run.advance(1)?;
        let whole = rates[at];
        if whole == 0.0 {
            return Ok(Vec::new());
        }
        let set = &sets.sets[at];
        let values = if set.len() <= FEW || shapley.missing != Missing::Zero {
            by_subset(shapley, channels, sets, set, &rates, &place, run)?
        } else {
            by_scan(set, sets, &rates)
        };
        Ok(values.into_iter().map(|v| v / whole).collect())
    })
}

fn by_subset(
    shapley: &Shapley,
    channels: &[String],
    sets: &Coalitions,
    set: &[u32],
    rates: &[f64],
    place: &HashMap<&[u32], usize, FixedState>,
    run: &Run,
) -> Result<Vec<f64>> {
    let n = set.len();
    if n > MOST {
        return Err(Error::option(
            "missing",
            format!("a journey of {n} channels has too many subsets to look at each: use \"zero\""),
        ));
    }
    let (mut masks, mut worths, mut journeys) = (Vec::new(), Vec::new(), Vec::new());
    let mut some = Vec::with_capacity(n);
    for mask in 1..1_usize << n {
        some.clear();
        some.extend(set.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, c)| *c));
        if let Some(at) = place.get(some.as_slice()) {
            masks.push(mask);
            worths.push(rates[*at]);
            journeys.push(sets.conversions[*at] + sets.nulls[*at]);
        }
    }
    if shapley.missing == Missing::Zero {
        let mut table = vec![0.0; 1 << n];
        masks.iter().zip(worths).for_each(|(mask, worth)| table[*mask] = worth);
        return serial(&table, n);
    }
    let filled = fill(n, masks.into_iter(), &worths, &journeys, &run.clone().threads(1))?;
    if shapley.missing == Missing::Error
        && let Some(mask) = filled.first_missing
    {
        let labels: Vec<String> = set.iter().map(|c| channels[*c as usize].clone()).collect();
        return Err(missing(&labels, mask));
    }
    serial(&filled.table, n)
}

fn serial(table: &[f64], n: usize) -> Result<Vec<f64>> {
    subsets::shapley(table, n, &Run::new().threads(1))
}

/// All sets that lie within one.
fn by_scan(set: &[u32], sets: &Coalitions, rates: &[f64]) -> Vec<f64> {
    let local = |other: &Vec<u32>| -> Option<Vec<u32>> {
        other.iter().map(|c| set.binary_search(c).ok().map(|i| i as u32)).collect()
    };
    let within = sets.sets.iter().zip(rates).filter_map(|(other, rate)| Some((local(other)?, *rate)));
    let (inner, worths): (Vec<Vec<u32>>, Vec<f64>) = within.unzip();
    of_points(&inner, &worths, set.len())
}
