//! Stretches of a path that recur, and whether those who went through them convert more often.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::holders::{Holders, columns};
use super::options::level_z;
use super::walk::Walk;
use super::{Journeys, Report};
use crate::column::{Table, Text, Values};
use crate::journey::Repeats;
use crate::journey::counts::{distinct, group_sums};
use crate::math::exact_sum;
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`Journeys::sequences`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SequenceOptions {
    /// The shortest and the longest stretches, in touches; 1 to 20. Default 2 and 3.
    pub min_length: usize,
    /// See `min_length`.
    pub max_length: usize,
    /// Stretches on fewer journeys are left out. Default 20.
    pub min_count: f64,
    /// Whether a channel several times in a row counts once. The default.
    pub repeats: Repeats,
    /// What the intervals cover. Default 0.95.
    pub level: f64,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self { min_length: 2, max_length: 3, min_count: 20.0, repeats: Repeats::default(), level: 0.95 }
    }
}

/// Where a stretch was first seen.
struct Stretch {
    start: usize,
    len: usize,
    /// The path on which it was last seen.
    path: u32,
}

impl Journeys {
    /// Stretches of touches that recur (n-grams), and whether journeys that hold them convert more often.
    ///
    /// Table `sequences`: sequence, length, count (of journeys that hold it), share, share_low,
    /// share_high, conversions, conversion_rate and its interval, others_rate, risk_ratio, low, high, z,
    /// p_value, q_value as in [`Journeys::patterns`], and occurrences; the commonest first. Journeys with
    /// many touches hold many stretches, so a ratio tells no cause.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, PathOptions, SequenceOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["ad > email > ad > email", "ad > email"]);
    /// let paths = paths.with("conversions", vec![3.0, 4.0]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let options = SequenceOptions { min_count: 0.0, max_length: 2, ..SequenceOptions::default() };
    /// let table = journeys.sequences(&options, &Run::new())?.table();
    /// assert_eq!(table.text("sequence", 0).as_deref(), Some("ad > email"));
    /// assert_eq!((table.f64s("count").unwrap()[0], table.f64s("occurrences").unwrap()[0]), (7.0, 10.0));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn sequences(&self, options: &SequenceOptions, run: &Run) -> Result<Report> {
        let SequenceOptions { min_length, max_length, min_count, repeats, level } = *options;
        if !(1..=20).contains(&min_length) {
            return Err(Error::option("min_length", format!("must be 1 to 20, not {min_length}")));
        }
        if !(min_length..=20).contains(&max_length) {
            return Err(Error::option("max_length", format!("must be {min_length} to 20, not {max_length}")));
        }
        if !(min_count.is_finite() && min_count >= 0.0) {
            return Err(Error::option("min_count", format!("must be 0 or more, not {min_count}")));
        }
        let z = level_z(level)?;
        let paths = distinct(self, run)?;
        let n = paths.sample.len();
        let conversions = group_sums(&paths.group, n, &self.conversions);
        let nulls = group_sums(&paths.group, n, &self.nulls);
        let state = foldhash::quality::FixedState::default();
        let (mut steps, mut walk) = (Vec::new(), Walk::default());
        let mut table: HashTable<(u64, u32)> = HashTable::new();
        let mut found: Vec<Stretch> = Vec::new();
        // The stretches that each path holds, and all of them.
        let (mut holds, mut occurs) = (Vec::<(u32, u32)>::new(), Vec::<(u32, u32)>::new());
        run.stage("find sequences", n as u64)?;
        for (path, sample) in paths.sample.iter().enumerate() {
            run.advance(1)?;
            if conversions[path] + nulls[path] <= 0.0 {
                continue;
            }
            walk.journey(self, *sample as usize, false, repeats);
            let start = steps.len();
            steps.extend_from_slice(&walk.steps);
            for from in start..steps.len() {
                let mut hasher = state.build_hasher();
                for len in 1..=max_length.min(steps.len() - from) {
                    hasher.write_u32(steps[from + len - 1]);
                    if len < min_length {
                        continue;
                    }
                    let hash = hasher.finish();
                    let mine = &steps[from..from + len];
                    let same = |(h, s): &(u64, u32)| {
                        let other = &found[*s as usize];
                        *h == hash && steps[other.start..other.start + other.len] == *mine
                    };
                    let id = if let Some((_, id)) = table.find(hash, same) {
                        *id
                    } else {
                        let id = found.len() as u32;
                        table.insert_unique(hash, (hash, id), |(h, _)| *h);
                        found.push(Stretch { start: from, len, path: u32::MAX });
                        id
                    };
                    occurs.push((id, path as u32));
                    if found[id as usize].path != path as u32 {
                        found[id as usize].path = path as u32;
                        holds.push((id, path as u32));
                    }
                }
            }
        }
        let sums = |pairs: &[(u32, u32)], of: &dyn Fn(usize) -> f64| {
            let ids: Vec<u32> = pairs.iter().map(|pair| pair.0).collect();
            let weights: Vec<f64> = pairs.iter().map(|pair| of(pair.1 as usize)).collect();
            group_sums(&ids, found.len(), &weights)
        };
        let weight = |path: usize| conversions[path] + nulls[path];
        let count = sums(&holds, &weight);
        let converting = sums(&holds, &|path| conversions[path]);
        let occurrences = sums(&occurs, &weight);
        run.check()?;
        let touched =
            |of: &[f64]| exact_sum((0..n).filter(|p| self.len[paths.sample[*p] as usize] > 0).map(|p| of[p]));
        let converted = touched(&conversions);
        let all = touched(&nulls) + converted;
        let mut shown: Vec<usize> = (0..found.len()).filter(|id| count[*id] >= min_count).collect();
        let stretch = |id: usize| &steps[found[id].start..found[id].start + found[id].len];
        shown.sort_unstable_by(|a, b| {
            count[*b].total_cmp(&count[*a]).then_with(|| stretch(*a).cmp(stretch(*b)))
        });
        let labels = self.channel_labels();
        let name = |id: usize| {
            stretch(id).iter().map(|c| labels[*c as usize].as_str()).collect::<Vec<_>>().join(" > ")
        };
        let holders: Vec<Holders> = shown
            .iter()
            .map(|id| Holders { count: count[*id], conversions: converting[*id], all, converted })
            .collect();
        let named = Table::new()
            .with("sequence", Values::Text(shown.iter().map(|id| name(*id)).collect::<Text>()))
            .with("length", Values::I64(shown.iter().map(|id| found[*id].len as i64).collect()));
        let table = columns(named, &holders, z)
            .with("occurrences", Values::F64(shown.iter().map(|id| occurrences[*id]).collect()));
        Ok(Report::new(vec![("sequences", table)]))
    }
}
