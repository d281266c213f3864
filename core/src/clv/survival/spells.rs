//! Spells of groups, collapsed to what happened at each time.

use super::design::sorted_groups;
use super::subjects::Subjects;
use crate::math::survival::{Ends, Point, kaplan_meier_entered};

/// One group's spells: what happened at each distinct time, and late entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spells {
    pub(super) ends: Vec<Ends<f64>>,
    pub(super) entries: Vec<(f64, f64)>,
}

impl Spells {
    /// The spells of each group, in the order of the groups' labels, and the labels.
    pub(super) fn of(subjects: &Subjects<'_>) -> (Vec<Self>, Vec<String>) {
        let (codes, labels) = sorted_groups(subjects.group.as_ref(), subjects.rows);
        (Self::by_code(subjects, &codes, labels.len()), labels)
    }

    /// The spells of each code.
    pub(super) fn by_code(subjects: &Subjects<'_>, codes: &[u32], groups: usize) -> Vec<Self> {
        let mut out = vec![Self::default(); groups];
        if subjects.weight.is_none() {
            // Bits of numbers from 0 are in their order, and sort faster than pairs.
            let mut times = vec![[Vec::<u64>::new(), Vec::new()]; groups];
            for (i, code) in codes.iter().enumerate() {
                let side = usize::from(!subjects.event(i));
                times[*code as usize][side].push(bits(subjects.duration[i]));
            }
            for (spells, [events, censored]) in out.iter_mut().zip(times) {
                spells.ends = merge(counted(events), counted(censored));
            }
        } else {
            let mut times = vec![[Vec::<(u64, u64)>::new(), Vec::new()]; groups];
            for (i, code) in codes.iter().enumerate() {
                let side = usize::from(!subjects.event(i));
                times[*code as usize][side].push((bits(subjects.duration[i]), bits(subjects.weight(i))));
            }
            for (spells, [events, censored]) in out.iter_mut().zip(times) {
                spells.ends = merge(summed(events), summed(censored));
            }
        }
        if subjects.entry.is_some() {
            let mut late = vec![Vec::new(); groups];
            for (i, code) in codes.iter().enumerate() {
                if subjects.entry(i) > 0.0 {
                    late[*code as usize].push((bits(subjects.entry(i)), bits(subjects.weight(i))));
                }
            }
            for (spells, late) in out.iter_mut().zip(late) {
                spells.entries = summed(late);
            }
        }
        out
    }

    pub(super) fn curve(&self) -> Vec<Point<f64>> {
        kaplan_meier_entered(&self.ends, &self.entries)
    }

    pub(super) fn events(&self) -> f64 {
        self.ends.iter().map(|e| e.1).sum()
    }

    pub(super) fn censored(&self) -> f64 {
        self.ends.iter().map(|e| e.2).sum()
    }

    /// The longest time seen.
    pub(super) fn last(&self) -> f64 {
        self.ends.last().map_or(0.0, |e| e.0)
    }

    /// Times with what was at risk, had the event and was censored at each.
    pub(super) fn steps(&self) -> Vec<[f64; 4]> {
        let late: f64 = self.entries.iter().map(|e| e.1).sum();
        let mut at_risk = self.events() + self.censored() - late;
        let mut entries = self.entries.iter().peekable();
        let mut out = Vec::with_capacity(self.ends.len());
        for (time, events, censored) in &self.ends {
            while let Some(entry) = entries.next_if(|e| e.0 < *time) {
                at_risk += entry.1;
            }
            out.push([*time, at_risk.max(*events), *events, *censored]);
            at_risk = (at_risk - events - censored).max(0.0);
        }
        out
    }
}

fn bits(x: f64) -> u64 {
    (x + 0.0).to_bits()
}

fn counted(mut times: Vec<u64>) -> Vec<(f64, f64)> {
    times.sort_unstable();
    times.chunk_by(|a, b| a == b).map(|same| (f64::from_bits(same[0]), same.len() as f64)).collect()
}

fn summed(mut times: Vec<(u64, u64)>) -> Vec<(f64, f64)> {
    times.sort_unstable();
    let sum = |same: &[(u64, u64)]| same.iter().map(|s| f64::from_bits(s.1)).sum::<f64>();
    times.chunk_by(|a, b| a.0 == b.0).map(|same| (f64::from_bits(same[0].0), sum(same))).collect()
}

fn merge(events: Vec<(f64, f64)>, censored: Vec<(f64, f64)>) -> Vec<Ends<f64>> {
    let mut out = Vec::with_capacity(events.len().max(censored.len()));
    let (mut events, mut censored) = (events.into_iter().peekable(), censored.into_iter().peekable());
    loop {
        let time = match (events.peek(), censored.peek()) {
            (Some(a), Some(b)) => a.0.min(b.0),
            (Some(a), None) => a.0,
            (None, Some(b)) => b.0,
            (None, None) => return out,
        };
        let take = |side: &mut std::iter::Peekable<std::vec::IntoIter<(f64, f64)>>| {
            side.next_if(|s| s.0 == time).map_or(0.0, |s| s.1)
        };
        let (events, censored) = (take(&mut events), take(&mut censored));
        out.push((time, events, censored));
    }
}

/// The value of a right-continuous step function at a time; `first` before its first step.
pub(super) fn step_at(times: &[f64], values: &[f64], first: f64, time: f64) -> f64 {
    let after = times.partition_point(|t| *t <= time);
    if after == 0 { first } else { values.get(after - 1).copied().unwrap_or(first) }
}
