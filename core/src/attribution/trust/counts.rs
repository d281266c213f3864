//! Counts of samples drawn again, as columns that follow the weights.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::journey::{Chain, Coalitions, Repeats};

/// Pairs or keys up to which a table is indexed directly.
const DENSE: u64 = 1 << 16;

/// The counts of a chain as columns: start, conversions, nulls and value of
/// each state, then the transitions.
pub(super) struct ChainColumns {
    chain: Chain,
    repeats: Repeats,
    first: u32,
    base: u64,
    modulus: u64,
    place: Index,
    edge: Index,
}

/// From a key to a position.
enum Index {
    Direct(Vec<u32>),
    Hashed(HashMap<u64, u32>),
}

impl Index {
    fn new(size: u64, keys: impl Iterator<Item = u64>) -> Self {
        if size <= DENSE {
            let mut table = vec![0; size as usize];
            for (at, key) in keys.enumerate() {
                table[key as usize] = at as u32;
            }
            return Self::Direct(table);
        }
        Self::Hashed(keys.enumerate().map(|(at, key)| (key, at as u32)).collect())
    }

    fn at(&self, key: u64) -> u32 {
        match self {
            Self::Direct(table) => table[key as usize],
            Self::Hashed(map) => map.get(&key).copied().unwrap_or_default(),
        }
    }
}

impl ChainColumns {
    pub(super) fn new(chain: Chain, repeats: Repeats, first: u32) -> Self {
        let base = chain.channels as u64 + 1;
        let modulus = base.pow(chain.order as u32);
        let n = chain.len() as u64;
        let place = Index::new(modulus, chain.keys.iter().copied());
        let edge =
            Index::new(n * n, chain.edges.iter().map(|(from, to, _)| u64::from(*from) * n + u64::from(*to)));
        Self { chain, repeats, first, base, modulus, place, edge }
    }

    pub(super) fn end(&self) -> u32 {
        self.first + 4 * self.chain.len() as u32 + self.chain.edges.len() as u32
    }

    pub(super) fn emit(
        &self,
        path: &[u32],
        [conversions, nulls, value]: [f64; 3],
        out: &mut Vec<(u32, f64)>,
    ) {
        let weight = conversions + nulls;
        if weight <= 0.0 {
            return;
        }
        let n = self.chain.len() as u32;
        let head = path.len().min(self.chain.order);
        let push = |key: u64, c: &u32| (key * self.base + u64::from(*c) + 1) % self.modulus;
        let mut key = path[..head].iter().fold(0, push);
        let mut state = self.place.at(key);
        out.push((self.first + state, weight));
        for c in &path[head..] {
            let next_key = push(key, c);
            if next_key != key || self.repeats == Repeats::Keep {
                let next = self.place.at(next_key);
                let edge = self.edge.at(u64::from(state) * u64::from(n) + u64::from(next));
                out.push((self.first + 4 * n + edge, weight));
                state = next;
            }
            key = next_key;
        }
        for (k, x) in [conversions, nulls, value].into_iter().enumerate().filter(|(_, x)| *x != 0.0) {
            out.push((self.first + (k as u32 + 1) * n + state, x));
        }
    }

    /// The chain of one sample; states that nobody came to are left out.
    pub(super) fn replicate(&self, column: &dyn Fn(u32) -> f64) -> Chain {
        let (whole, n) = (&self.chain, self.chain.len());
        let all = |k: usize| (0..n).map(move |s| column(self.first + (k * n + s) as u32));
        let edge = |e: usize| column(self.first + (4 * n + e) as u32);
        let mut flow: Vec<f64> = all(1).zip(all(2)).map(|(a, b)| a + b).collect();
        for (e, (from, _, _)) in whole.edges.iter().enumerate() {
            flow[*from as usize] += edge(e);
        }
        let alive: Vec<usize> = (0..n).filter(|s| flow[*s] > 0.0).collect();
        let mut place = vec![0_u32; n];
        for (new, old) in alive.iter().enumerate() {
            place[*old] = new as u32;
        }
        let pick = |k: usize| alive.iter().map(|s| column(self.first + (k * n + s) as u32)).collect();
        let edges = whole.edges.iter().enumerate().map(|(e, (a, b, _))| (*a, *b, edge(e)));
        Chain {
            order: whole.order,
            channels: whole.channels,
            keys: alive.iter().map(|s| whole.keys[*s]).collect(),
            edges: edges
                .filter(|e| e.2 > 0.0)
                .map(|(a, b, w)| (place[a as usize], place[b as usize], w))
                .collect(),
            start: pick(0),
            conversions: pick(1),
            nulls: pick(2),
            value: pick(3),
        }
    }
}

/// The counts of sets of channels as columns: conversions, nulls and value of each set.
pub(super) struct SetColumns {
    whole: Coalitions,
    first: u32,
    place: HashMap<Vec<u32>, u32, FixedState>,
}

impl SetColumns {
    pub(super) fn new(whole: Coalitions, first: u32) -> Self {
        let place = whole.sets.iter().enumerate().map(|(at, set)| (set.clone(), at as u32)).collect();
        Self { whole, first, place }
    }

    pub(super) fn end(&self) -> u32 {
        self.first + 3 * self.whole.len() as u32
    }

    /// `set` is room that is used again.
    pub(super) fn emit(&self, path: &[u32], counts: [f64; 3], set: &mut Vec<u32>, out: &mut Vec<(u32, f64)>) {
        if counts[0] + counts[1] <= 0.0 {
            return;
        }
        set.clear();
        set.extend_from_slice(path);
        set.sort_unstable();
        set.dedup();
        let Some(at) = self.place.get(set.as_slice()) else { return };
        let n = self.whole.len() as u32;
        let seen = counts.into_iter().enumerate().filter(|(_, x)| *x != 0.0);
        out.extend(seen.map(|(k, x)| (self.first + k as u32 * n + at, x)));
    }

    /// The sets of one sample; those of which no journey was drawn are left out.
    pub(super) fn replicate(&self, column: &dyn Fn(u32) -> f64) -> Coalitions {
        let n = self.whole.len();
        let count = |k: usize, s: usize| column(self.first + (k * n + s) as u32);
        let drawn: Vec<usize> = (0..n).filter(|s| count(0, *s) + count(1, *s) > 0.0).collect();
        let pick = |k: usize| drawn.iter().map(|s| count(k, *s)).collect();
        Coalitions {
            sets: drawn.iter().map(|s| self.whole.sets[*s].clone()).collect(),
            conversions: pick(0),
            nulls: pick(1),
            value: pick(2),
        }
    }
}
