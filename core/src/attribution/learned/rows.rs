//! Collapsing records with equal keys, in an order of their own.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use crate::Result;
use crate::journey::{Journey, Journeys, group_sums};
use crate::run::{CHUNK, Run};

/// Sequences of numbers end to end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::attribution) struct Sequences {
    pub(in crate::attribution) tokens: Vec<u32>,
    pub(in crate::attribution) ends: Vec<u32>,
}

impl Sequences {
    pub(in crate::attribution) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(in crate::attribution) fn get(&self, i: usize) -> &[u32] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.tokens[start..self.ends[i] as usize]
    }

    pub(in crate::attribution) fn close(&mut self) {
        self.ends.push(self.tokens.len() as u32);
    }
}

/// A hash that is the same everywhere.
pub(in crate::attribution) fn hash(key: &[u32]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    for x in key {
        hasher.write_u32(*x);
    }
    hasher.finish()
}

/// The distinct records in lexicographic order, and which of them each record is.
pub(in crate::attribution) fn collapse(records: &[Sequences], run: &Run) -> Result<(Sequences, Vec<u32>)> {
    run.stage("collapse rows", records.iter().map(|r| r.len() as u64).sum())?;
    let hashes = run.map_items(records.len(), |p| {
        Ok((0..records[p].len()).map(|i| hash(records[p].get(i))).collect::<Vec<u64>>())
    })?;
    let mut table: HashTable<(u64, u32)> = HashTable::new();
    let mut first: Vec<(u32, u32)> = Vec::new();
    let mut group = Vec::new();
    let at = |(part, i): (u32, u32)| records[part as usize].get(i as usize);
    for (p, hashes) in hashes.iter().enumerate() {
        for (i, hash) in hashes.iter().enumerate() {
            if i % CHUNK == 0 {
                run.advance(CHUNK.min(hashes.len() - i) as u64)?;
            }
            let key = records[p].get(i);
            if let Some((_, g)) = table.find(*hash, |(h, g)| h == hash && at(first[*g as usize]) == key) {
                group.push(*g);
            } else {
                let g = first.len() as u32;
                table.insert_unique(*hash, (*hash, g), |(h, _)| *h);
                first.push((p as u32, i as u32));
                group.push(g);
            }
        }
    }
    let mut order: Vec<u32> = (0..first.len() as u32).collect();
    run.sort_by(&mut order, |a, b| at(first[*a as usize]).cmp(at(first[*b as usize])));
    run.check()?;
    let mut rank = vec![0; first.len()];
    let mut out = Sequences::default();
    for (new, old) in order.iter().enumerate() {
        rank[*old as usize] = new as u32;
        out.tokens.extend_from_slice(at(first[*old as usize]));
        out.close();
    }
    for g in &mut group {
        *g = rank[*g as usize];
    }
    Ok((out, group))
}

/// Journeys with a touch, collapsed by a key.
pub(super) struct Rows {
    pub(super) keys: Sequences,
    /// The journeys, and the key that each has.
    pub(super) journeys: Vec<u32>,
    pub(super) group: Vec<u32>,
    pub(super) conversions: Vec<f64>,
    pub(super) nulls: Vec<f64>,
}

/// Collapses journeys by the key that `key` writes.
pub(super) fn rows<F>(journeys: &Journeys, run: &Run, key: F) -> Result<Rows>
where
    F: Fn(&Journey<'_>, &mut Vec<u32>) + Sync,
{
    let pieces = journeys.pieces();
    run.stage("read journeys", journeys.len() as u64)?;
    let parts = run.map_items(pieces.len(), |p| {
        let (mut keys, mut members) = (Sequences::default(), Vec::new());
        for j in pieces[p].clone() {
            let journey = journeys.journey(j);
            let counts = journeys.conversions()[j] > 0.0 || journeys.nulls()[j] > 0.0;
            if !journey.path.is_empty() && counts {
                key(&journey, &mut keys.tokens);
                keys.close();
                members.push(j as u32);
            }
        }
        run.advance(pieces[p].len() as u64)?;
        Ok((keys, members))
    })?;
    let (records, members): (Vec<Sequences>, Vec<Vec<u32>>) = parts.into_iter().unzip();
    let (keys, group) = collapse(&records, run)?;
    let journeys_of: Vec<u32> = members.into_iter().flatten().collect();
    let pick = |all: &[f64]| journeys_of.iter().map(|j| all[*j as usize]).collect::<Vec<f64>>();
    let sums = |all: &[f64]| group_sums(&group, keys.len(), &pick(all));
    let (conversions, nulls) = (sums(journeys.conversions()), sums(journeys.nulls()));
    Ok(Rows { keys, journeys: journeys_of, group, conversions, nulls })
}

impl Rows {
    /// What the rows count for in journeys held out, and in all others:
    /// conversions and nulls.
    pub(super) fn parted(&self, held: &[Vec<f64>; 2]) -> [[Vec<f64>; 2]; 2] {
        let out = held.each_ref().map(|w| {
            let mine: Vec<f64> = self.journeys.iter().map(|j| w[*j as usize]).collect();
            group_sums(&self.group, self.keys.len(), &mine)
        });
        let rest = |all: &[f64], out: &[f64]| all.iter().zip(out).map(|(a, o)| (a - o).max(0.0)).collect();
        let others = [rest(&self.conversions, &out[0]), rest(&self.nulls, &out[1])];
        [out, others]
    }
}
