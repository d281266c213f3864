//! Distinct paths with their weights: the summary that parts are merged by.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::Journeys;
use crate::column::{Labels, Text};
use crate::math::ExactSum;
use crate::model::Model;
use crate::run::{CHUNK, Run};
use crate::{Error, Result};

/// Exact sums, one a path: the nearest double, and in the rare case that it is
/// not all, what is left over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sums {
    pub(super) nearest: Vec<f64>,
    /// (path, the parts after the nearest), sorted by path.
    rest: Vec<(u32, Vec<f64>)>,
}

impl Sums {
    /// The sums of `weights` by `group`.
    pub(super) fn by_group(group: &[u32], groups: usize, weights: &[f64]) -> Self {
        let whole = |w: &f64| w.fract() == 0.0 && w.abs() < 1e6;
        let mut out = Self { nearest: vec![0.0; groups], rest: Vec::new() };
        if weights.len() < 1 << 32 && weights.iter().all(whole) {
            // Whole numbers of this size add up without rounding.
            for (g, w) in group.iter().zip(weights) {
                out.nearest[*g as usize] += w;
            }
            return out;
        }
        let mut starts = vec![0_u32; groups + 1];
        for g in group {
            starts[*g as usize + 1] += 1;
        }
        for g in 0..groups {
            starts[g + 1] += starts[g];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0.0; weights.len()];
        for (g, w) in group.iter().zip(weights) {
            let at = &mut next[*g as usize];
            sorted[*at as usize] = *w;
            *at += 1;
        }
        let mut sum = ExactSum::new();
        for g in 0..groups {
            match &sorted[starts[g] as usize..starts[g + 1] as usize] {
                [one] => out.nearest[g] = *one,
                many => {
                    sum.clear();
                    sum.extend(many.iter().copied());
                    out.set(g, &sum);
                }
            }
        }
        out
    }

    fn set(&mut self, path: usize, sum: &ExactSum) {
        let mut parts = sum.parts();
        if parts.is_empty() {
            return;
        }
        self.nearest[path] = parts.remove(0);
        if !parts.is_empty() {
            self.rest.push((path as u32, parts));
        }
    }

    fn rest(&self, path: usize) -> &[f64] {
        match self.rest.binary_search_by_key(&(path as u32), |r| r.0) {
            Ok(at) => &self.rest[at].1,
            Err(_) => &[],
        }
    }

    /// The sums with paths in another order; paths given to the same place are added up.
    fn gather(parts: &[(&Self, Vec<u32>)], paths: usize) -> Self {
        let mut out = Self { nearest: vec![0.0; paths], rest: Vec::new() };
        let mut sources: Vec<Vec<(usize, u32)>> = vec![Vec::new(); paths];
        for (part, (_, places)) in parts.iter().enumerate() {
            for (path, place) in places.iter().enumerate() {
                sources[*place as usize].push((part, path as u32));
            }
        }
        let mut sum = ExactSum::new();
        for (place, from) in sources.iter().enumerate() {
            sum.clear();
            for (part, path) in from {
                let sums = parts[*part].0;
                sum.add(sums.nearest[*path as usize]);
                sum.extend(sums.rest(*path as usize).iter().copied());
            }
            out.set(place, &sum);
        }
        out
    }

    fn check(&self, paths: usize, least: f64) -> bool {
        let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
        self.nearest.len() == paths
            && self.nearest.iter().all(|x| x.is_finite() && *x >= least)
            && self.rest.windows(2).all(|w| w[0].0 < w[1].0)
            && self.rest.iter().all(|(p, v)| (*p as usize) < paths && finite(v))
    }
}

/// The sums of `weights` by `group`, each rounded once.
pub(crate) fn group_sums(group: &[u32], groups: usize, weights: &[f64]) -> Vec<f64> {
    Sums::by_group(group, groups, weights).nearest
}

/// Distinct paths and what each counts for: all that Markov chains, Shapley
/// values and the rules without times need.
///
/// Summaries of parts (days, partitions, shards by customer) merge in any
/// order and grouping to the same bits: channels and paths are kept in the
/// order of their labels, and sums are exact. Saves and loads as
/// `journey.PathCounts`.
///
/// ```
/// use headwater::Run;
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathCounts, PathOptions};
///
/// let run = Run::new();
/// let part = |path: &str, n: f64| -> headwater::Result<PathCounts> {
///     let frame = Columns::new().with("path", vec![path]).with("conversions", vec![n]);
///     PathCounts::of(&Journeys::from_paths(&frame, &PathOptions::default(), &run)?, &run)
/// };
/// let (a, b) = (part("b > a", 0.1)?, part("c", 0.2)?);
/// assert_eq!(a.merge(&b, &run)?, b.merge(&a, &run)?);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathCounts {
    channels: Vec<String>,
    steps: Vec<u32>,
    ends: Vec<u32>,
    conversions: Sums,
    nulls: Sums,
    value: Sums,
    has_value: bool,
}

/// Which distinct path each journey takes.
pub(super) struct Distinct {
    pub(super) group: Vec<u32>,
    /// A journey that takes each path, in the order of the paths' codes.
    pub(super) sample: Vec<u32>,
}

/// Groups journeys by path, paths in lexicographic order of their codes.
pub(super) fn distinct(journeys: &Journeys, run: &Run) -> Result<Distinct> {
    let state = foldhash::quality::FixedState::default();
    let pieces = journeys.pieces();
    run.stage("find distinct paths", journeys.len() as u64)?;
    let hashes = run.map_items(pieces.len(), |p| {
        let hash = |j: usize| {
            let mut hasher = state.build_hasher();
            for c in journeys.path(j) {
                hasher.write_u32(*c);
            }
            hasher.finish()
        };
        Ok(pieces[p].clone().map(hash).collect::<Vec<u64>>())
    })?;
    let mut table: HashTable<(u64, u32)> = HashTable::new();
    let mut sample: Vec<u32> = Vec::new();
    let mut group = Vec::with_capacity(journeys.len());
    for (j, hash) in hashes.into_iter().flatten().enumerate() {
        if j % CHUNK == 0 {
            run.advance(CHUNK as u64)?;
        }
        let path = journeys.path(j);
        let same = |(h, g): &(u64, u32)| *h == hash && journeys.path(sample[*g as usize] as usize) == path;
        if let Some((_, g)) = table.find(hash, same) {
            group.push(*g);
        } else {
            let g = sample.len() as u32;
            table.insert_unique(hash, (hash, g), |(h, _)| *h);
            sample.push(j as u32);
            group.push(g);
        }
    }
    let mut order: Vec<u32> = (0..sample.len() as u32).collect();
    let path = |g: &u32| journeys.path(sample[*g as usize] as usize);
    run.sort_by(&mut order, |a, b| path(a).cmp(path(b)));
    let mut rank = vec![0; sample.len()];
    for (new, old) in order.iter().enumerate() {
        rank[*old as usize] = new as u32;
    }
    for g in &mut group {
        *g = rank[*g as usize];
    }
    let sample = order.iter().map(|g| sample[*g as usize]).collect();
    Ok(Distinct { group, sample })
}

impl PathCounts {
    /// The summary of these journeys.
    pub fn of(journeys: &Journeys, run: &Run) -> Result<Self> {
        let paths = distinct(journeys, run)?;
        let n = paths.sample.len();
        let mut out = Self {
            channels: journeys.channel_labels(),
            conversions: Sums::by_group(&paths.group, n, &journeys.conversions),
            nulls: Sums::by_group(&paths.group, n, &journeys.nulls),
            value: Sums::by_group(&paths.group, n, &journeys.value),
            has_value: journeys.has_value,
            ..Self::default()
        };
        for j in &paths.sample {
            out.steps.extend_from_slice(journeys.path(*j as usize));
            out.ends.push(out.steps.len() as u32);
        }
        run.check()?;
        // Integer labels stand in the order of their numbers, not of their text.
        if out.channels.is_sorted() { Ok(out) } else { Self::combine(&[&out], run) }
    }

    /// Both summaries in one.
    pub fn merge(&self, other: &Self, run: &Run) -> Result<Self> {
        Self::combine(&[self, other], run)
    }

    fn combine(parts: &[&Self], run: &Run) -> Result<Self> {
        run.stage("merge paths", 0)?;
        let mut channels: Vec<String> = parts.iter().flat_map(|p| p.channels.iter().cloned()).collect();
        channels.sort_unstable();
        channels.dedup();
        let recoded: Vec<Vec<u32>> = parts
            .iter()
            .map(|part| {
                let place = |label: &String| channels.binary_search(label).unwrap_or_default() as u32;
                let codes: Vec<u32> = part.channels.iter().map(place).collect();
                part.steps.iter().map(|s| codes[*s as usize]).collect()
            })
            .collect();
        if recoded.iter().map(Vec::len).sum::<usize>() >= u32::MAX as usize {
            return Err(Error::not_enough_data("more than four billion steps do not fit in one summary"));
        }
        let path = |(part, path): (usize, usize)| -> &[u32] {
            let ends = &parts[part].ends;
            let start = if path == 0 { 0 } else { ends[path - 1] };
            &recoded[part][start as usize..ends[path] as usize]
        };
        let mut all: Vec<(usize, usize)> = parts
            .iter()
            .enumerate()
            .flat_map(|(p, part)| (0..part.ends.len()).map(move |i| (p, i)))
            .collect();
        run.sort_by(&mut all, |a, b| path(*a).cmp(path(*b)).then(a.cmp(b)));
        run.check()?;
        let mut out = Self { channels, has_value: parts.iter().any(|p| p.has_value), ..Self::default() };
        let mut places: Vec<Vec<u32>> = parts.iter().map(|p| vec![0; p.ends.len()]).collect();
        let mut last: Option<(usize, usize)> = None;
        for at in all {
            if last.is_none_or(|l| path(l).cmp(path(at)) != Ordering::Equal) {
                out.steps.extend_from_slice(path(at));
                out.ends.push(out.steps.len() as u32);
                last = Some(at);
            }
            places[at.0][at.1] = out.ends.len() as u32 - 1;
        }
        let gather = |of: fn(&Self) -> &Sums| {
            let parts: Vec<(&Sums, Vec<u32>)> =
                parts.iter().zip(&places).map(|(p, at)| (of(p), at.clone())).collect();
            Sums::gather(&parts, out.ends.len())
        };
        let (conversions, nulls, value) =
            (gather(|p| &p.conversions), gather(|p| &p.nulls), gather(|p| &p.value));
        Ok(Self { conversions, nulls, value, ..out })
    }

    /// How many distinct paths there are, the empty one included if it occurs.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl Model for PathCounts {
    const KIND: &'static str = "journey.PathCounts";

    fn check(&self) -> Result<()> {
        let n = self.ends.len();
        let sound = self.channels.is_sorted_by(|a, b| a < b)
            && self.ends.is_sorted()
            && self.ends.last().copied().unwrap_or(0) as usize == self.steps.len()
            && self.steps.iter().all(|s| (*s as usize) < self.channels.len())
            && [&self.conversions, &self.nulls].iter().all(|s| s.check(n, 0.0))
            && self.value.check(n, f64::MIN);
        if sound { Ok(()) } else { Err(Error::model_file("the path counts contradict each other")) }
    }
}

impl Journeys {
    /// The journeys that a summary describes, one for each distinct path.
    pub fn from_counts(counts: &PathCounts) -> Self {
        let starts = std::iter::once(0).chain(counts.ends.iter().copied());
        Self {
            channel_count: counts.channels.len(),
            channels: Some(Arc::new(Labels::Text(counts.channels.iter().collect::<Text>()))),
            steps: counts.steps.clone(),
            len: starts.clone().zip(&counts.ends).map(|(a, b)| b - a).collect(),
            start: starts.take(counts.ends.len()).collect(),
            conversions: counts.conversions.nearest.clone(),
            nulls: counts.nulls.nearest.clone(),
            value: counts.value.nearest.clone(),
            has_value: counts.has_value,
            ..Self::default()
        }
    }
}
