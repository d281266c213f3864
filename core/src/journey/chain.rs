//! What follows what: the transition counts of order k.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use serde::{Deserialize, Serialize};

use super::Journeys;
use super::counts::{distinct, group_sums};
use crate::column::{Table, Text, Values};
use crate::run::Run;
use crate::{Error, Result};

/// The same state several times in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// Counts once. The default.
    #[default]
    Collapse,
    /// Counts as a transition from the state to itself. Such a loop only
    /// delays: removal effects are the same either way.
    Keep,
}

/// The highest order whose states and next channels fit the keys of a chain,
/// for so many channels.
pub(crate) fn highest_order(channels: usize) -> usize {
    let base = channels.max(1) as u64 + 1;
    (2..=63).take_while(|digits| base.checked_pow(*digits).is_some()).last().map_or(1, |d| d as usize - 1)
}

/// Transition counts between states of up to `order` channels.
///
/// The states of a path are its windows of `order` channels, without padding;
/// a path shorter than that is one short state. A path of weight
/// `w = conversions + nulls` adds `w` to the transition from the start, and to
/// each one inside; its last state then converts `conversions` times and ends
/// in null `nulls` times. Conversions without a touch are no part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    pub(crate) order: usize,
    pub(crate) channels: usize,
    /// The channels of each state, as digits to the base `channels + 1`.
    pub(crate) keys: Vec<u64>,
    /// Transitions (from, to, weight), sorted.
    pub(crate) edges: Vec<(u32, u32, f64)>,
    pub(crate) start: Vec<f64>,
    pub(crate) conversions: Vec<f64>,
    pub(crate) nulls: Vec<f64>,
    pub(crate) value: Vec<f64>,
}

/// A multiplicative hasher: keys are small dense numbers, and no result
/// depends on the order in which the map is walked.
#[derive(Default)]
struct Mix(u64);

impl std::hash::Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u64(u64::from(*b));
        }
    }
    fn write_u64(&mut self, x: u64) {
        let product = u128::from(self.0 ^ x ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// Counts of all journeys; the start is state 0, which no path can be.
#[derive(Default)]
struct Counts {
    edges: Map<(u64, u64), f64>,
    ends: Map<u64, [f64; 2]>,
}

/// Counts of some journeys, every key once: transitions, and ends of states.
type Part = (Vec<((u64, u64), f64)>, Vec<(u64, [f64; 2])>);

/// At most this many pairs of state and next channel are counted in a matrix.
const DENSE: u64 = 1 << 17;

impl Chain {
    /// Counts the transitions of all journeys. `order` is 1 or more; a state
    /// and its next channel are one number of 64 bits, so the highest order
    /// falls with the number of channels: 16 for 12 channels, 8 for 100, 6
    /// for 500.
    pub fn count(journeys: &Journeys, order: usize, repeats: Repeats, run: &Run) -> Result<Self> {
        let channels = journeys.channel_count;
        let base = channels as u64 + 1;
        let highest = highest_order(channels);
        let pairs = base.checked_pow(order as u32 + 1).filter(|_| (1..=highest).contains(&order));
        let Some(pairs) = pairs else {
            let plural = if channels == 1 { "" } else { "s" };
            return Err(Error::option(
                "order",
                format!("must be 1 to {highest} with {channels} channel{plural}, not {order}"),
            ));
        };
        let whole = |w: &[f64]| w.iter().all(|x| x.fract() == 0.0);
        if whole(&journeys.conversions) && whole(&journeys.nulls) {
            return Self::of_whole(journeys, order, repeats, pairs, run);
        }
        // Fractions do not add up without rounding: distinct paths, in the order of their channels,
        // are the same for any order of journeys.
        Self::of_whole(&merged(journeys, run)?, order, repeats, pairs, run)
    }

    /// Counts of journeys whose weights may be added up as they stand.
    fn of_whole(journeys: &Journeys, order: usize, repeats: Repeats, pairs: u64, run: &Run) -> Result<Self> {
        let channels = journeys.channel_count;
        let base = channels as u64 + 1;
        let pieces = journeys.pieces();
        run.stage("count transitions", journeys.steps.len() as u64)?;
        let parts = run.map_items(pieces.len(), |p| {
            let counts = if pairs <= DENSE {
                dense(journeys, pieces[p].clone(), order, repeats)
            } else {
                sparse(journeys, pieces[p].clone(), order, base, repeats)
            };
            run.advance(pieces[p].clone().map(|j| u64::from(journeys.len[j])).sum())?;
            Ok(counts)
        })?;
        let mut whole = Counts::default();
        for part in parts {
            run.check()?;
            // Within a part every key occurs once, so the order of adding is the order of the parts.
            for (key, w) in part.0 {
                *whole.edges.entry(key).or_default() += w;
            }
            for (key, w) in part.1 {
                let end = whole.ends.entry(key).or_default();
                for (a, b) in end.iter_mut().zip(w) {
                    *a += b;
                }
            }
        }
        let mut out = Self::from_counts(&whole, order, channels);
        if journeys.has_value {
            out.value = out.values(journeys, run)?;
        }
        Ok(out)
    }

    /// The value of the journeys that end in each state, each sum rounded once.
    fn values(&self, journeys: &Journeys, run: &Run) -> Result<Vec<f64>> {
        let (n, base) = (self.len(), self.channels as u64 + 1);
        let pieces = journeys.pieces();
        let ends = run.map_items(pieces.len(), |p| {
            run.check()?;
            let end = |j: usize| {
                if journeys.value[j] == 0.0 {
                    return n as u32;
                }
                let path = journeys.path(j);
                let last = &path[path.len().saturating_sub(self.order)..];
                let key = last.iter().fold(0, |key, c| key * base + u64::from(*c) + 1);
                self.keys.binary_search(&key).unwrap_or(n) as u32
            };
            Ok(pieces[p].clone().map(end).collect::<Vec<u32>>())
        })?;
        let mut sums = group_sums(&ends.concat(), n + 1, &journeys.value);
        sums.truncate(n);
        Ok(sums)
    }

    fn from_counts(counts: &Counts, order: usize, channels: usize) -> Self {
        let mut keys: Vec<u64> =
            counts.edges.keys().map(|(_, to)| *to).chain(counts.ends.keys().copied()).collect();
        keys.sort_unstable();
        keys.dedup();
        let place: Map<u64, u32> = keys.iter().enumerate().map(|(i, k)| (*k, i as u32)).collect();
        let at = |key: &u64| place.get(key).copied().unwrap_or_default();
        let n = keys.len();
        let mut out = Self {
            order,
            channels,
            keys,
            edges: Vec::with_capacity(counts.edges.len()),
            start: vec![0.0; n],
            conversions: vec![0.0; n],
            nulls: vec![0.0; n],
            value: vec![0.0; n],
        };
        for ((from, to), weight) in &counts.edges {
            if *from == 0 {
                out.start[at(to) as usize] = *weight;
            } else {
                out.edges.push((at(from), at(to), *weight));
            }
        }
        out.edges.sort_unstable_by_key(|(from, to, _)| (*from, *to));
        for (key, [conversions, nulls]) in &counts.ends {
            let i = at(key) as usize;
            (out.conversions[i], out.nulls[i]) = (*conversions, *nulls);
        }
        out
    }

    /// How many states there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The order of the chain.
    pub fn order(&self) -> usize {
        self.order
    }

    /// The channels of a state, oldest first.
    pub fn state(&self, state: usize) -> Vec<u32> {
        let base = self.channels as u64 + 1;
        let mut key = self.keys.get(state).copied().unwrap_or(0);
        let mut out = Vec::with_capacity(self.order);
        while key > 0 {
            out.push((key % base) as u32 - 1);
            key /= base;
        }
        out.reverse();
        out
    }

    /// The transitions as a table: from, to, count, probability. `labels` are
    /// the channels'; the channels of one state are joined by `" > "`.
    pub fn table(&self, labels: &[String]) -> Table {
        let name = |i: usize| {
            let state = self.state(i);
            let parts: Vec<&str> =
                state.iter().map(|c| labels.get(*c as usize).map_or("", String::as_str)).collect();
            parts.join(" > ")
        };
        let names: Vec<String> = (0..self.len()).map(name).collect();
        let (mut from, mut to) = (Text::new(), Text::new());
        let (mut count, mut probability) = (Vec::new(), Vec::new());
        let mut push = |a: &str, b: &str, weight: f64, total: f64| {
            if weight > 0.0 {
                from.push(a);
                to.push(b);
                count.push(weight);
                probability.push(weight / total);
            }
        };
        let starts: f64 = self.start.iter().sum();
        for (i, weight) in self.start.iter().enumerate() {
            push("(start)", &names[i], *weight, starts);
        }
        let mut edges = self.edges.iter().peekable();
        for (i, name) in names.iter().enumerate() {
            let mut row = Vec::new();
            while let Some(edge) = edges.next_if(|e| e.0 as usize == i) {
                row.push(edge);
            }
            let total = row.iter().map(|e| e.2).sum::<f64>() + self.conversions[i] + self.nulls[i];
            for (_, j, weight) in row {
                push(name, &names[*j as usize], *weight, total);
            }
            push(name, "(conversion)", self.conversions[i], total);
            push(name, "(null)", self.nulls[i], total);
        }
        Table::new()
            .with("from", Values::Text(from))
            .with("to", Values::Text(to))
            .with("count", Values::F64(count))
            .with("probability", Values::F64(probability))
    }
}

/// One journey for each distinct path, in the order of their channels; each weight is rounded once.
fn merged(journeys: &Journeys, run: &Run) -> Result<Journeys> {
    let paths = distinct(journeys, run)?;
    let n = paths.sample.len();
    let sums = |weights: &[f64]| group_sums(&paths.group, n, weights);
    let mut out = Journeys {
        channel_count: journeys.channel_count,
        channels: journeys.channels.clone(),
        conversions: sums(&journeys.conversions),
        nulls: sums(&journeys.nulls),
        value: sums(&journeys.value),
        has_value: journeys.has_value,
        ..Journeys::default()
    };
    for j in &paths.sample {
        let path = journeys.path(*j as usize);
        out.start.push(out.steps.len() as u32);
        out.len.push(path.len() as u32);
        out.steps.extend_from_slice(path);
    }
    Ok(out)
}

fn sparse(
    journeys: &Journeys,
    range: std::ops::Range<usize>,
    order: usize,
    base: u64,
    repeats: Repeats,
) -> Part {
    let mut out = Counts::default();
    let modulus = base.pow(order as u32);
    for j in range {
        let path = journeys.path(j);
        let weight = journeys.conversions[j] + journeys.nulls[j];
        if path.is_empty() || weight <= 0.0 {
            continue;
        }
        let head = path.len().min(order);
        let mut state = path[..head].iter().fold(0, |key, c| key * base + u64::from(*c) + 1);
        *out.edges.entry((0, state)).or_default() += weight;
        for c in &path[head..] {
            let next = (state * base + u64::from(*c) + 1) % modulus;
            if next != state || repeats == Repeats::Keep {
                *out.edges.entry((state, next)).or_default() += weight;
            }
            state = next;
        }
        let end = out.ends.entry(state).or_default();
        end[0] += journeys.conversions[j];
        end[1] += journeys.nulls[j];
    }
    (out.edges.into_iter().collect(), out.ends.into_iter().collect())
}

/// Few pairs of state and next channel: a matrix instead of a map.
fn dense(journeys: &Journeys, range: std::ops::Range<usize>, order: usize, repeats: Repeats) -> Part {
    let base = journeys.channel_count + 1;
    let states = base.pow(order as u32);
    let mut start = vec![0.0; states];
    let mut matrix = vec![0.0; states * base];
    let mut ends = vec![[0.0; 2]; states];
    for j in range {
        let path = journeys.path(j);
        let weight = journeys.conversions[j] + journeys.nulls[j];
        if path.is_empty() || weight <= 0.0 {
            continue;
        }
        let head = path.len().min(order);
        let mut state = path[..head].iter().fold(0, |key, c| key * base + *c as usize + 1);
        start[state] += weight;
        for (oldest, c) in path.iter().zip(&path[head..]) {
            let pair = state * base + *c as usize + 1;
            matrix[pair] += weight;
            state = pair - (*oldest as usize + 1) * states;
        }
        let end = &mut ends[state];
        end[0] += journeys.conversions[j];
        end[1] += journeys.nulls[j];
    }
    let key = |state: usize| state as u64;
    let begun = start.into_iter().enumerate().filter(|(_, w)| *w > 0.0);
    let mut edges: Vec<_> = begun.map(|(to, w)| ((0, key(to)), w)).collect();
    for (pair, weight) in matrix.into_iter().enumerate().filter(|(_, w)| *w > 0.0) {
        let (from, to) = (pair / base, pair % states);
        if from != to || repeats == Repeats::Keep {
            edges.push(((key(from), key(to)), weight));
        }
    }
    let ended = ends.into_iter().enumerate().filter(|(_, e)| e[0] + e[1] > 0.0);
    (edges, ended.map(|(state, end)| (key(state), end)).collect())
}
