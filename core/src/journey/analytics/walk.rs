//! One journey, or all of a customer's, as one sequence of touches and conversions.

use std::ops::Range;

use super::Journeys;
use crate::journey::Repeats;

/// Touches and conversions in order; a conversion is the code after the last channel's.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) steps: Vec<u32>,
    /// Empty when journeys come from paths.
    pub(super) times: Vec<i64>,
}

impl Walk {
    fn clear(&mut self) {
        self.steps.clear();
        self.times.clear();
    }

    fn push(&mut self, step: u32, time: Option<i64>, repeats: Repeats) {
        if repeats == Repeats::Collapse && self.steps.last() == Some(&step) {
            return;
        }
        self.steps.push(step);
        self.times.extend(time);
    }

    fn touches(&mut self, journeys: &Journeys, from: usize, to: usize, repeats: Repeats) {
        if repeats == Repeats::Keep {
            self.steps.extend_from_slice(&journeys.steps[from..to]);
            self.times.extend_from_slice(journeys.times.get(from..to).unwrap_or_default());
            return;
        }
        for i in from..to {
            self.push(journeys.steps[i], journeys.times.get(i).copied(), repeats);
        }
    }

    /// The touches of a journey, and its conversion where it is to be seen.
    pub(super) fn journey(&mut self, journeys: &Journeys, j: usize, converts: bool, repeats: Repeats) {
        self.clear();
        let start = journeys.start[j] as usize;
        self.touches(journeys, start, start + journeys.len[j] as usize, repeats);
        if converts {
            self.push(journeys.channel_count as u32, journeys.end_time(j), Repeats::Keep);
        }
    }

    /// The touches and conversions of one customer, whose journeys these are.
    /// A touch that several journeys share counts once.
    pub(super) fn customer(&mut self, journeys: &Journeys, mine: Range<usize>, repeats: Repeats) {
        self.clear();
        let (mut covered, mut until) = (0, i64::MIN);
        for j in mine.clone() {
            let start = journeys.start[j] as usize;
            let end = start + journeys.len[j] as usize;
            let from = start.max(covered);
            if from < end {
                if journeys.times[from] <= until {
                    return self.union(journeys, mine, repeats);
                }
                self.touches(journeys, from, end, repeats);
                (covered, until) = (end, journeys.times[end - 1]);
            }
            if journeys.conversions[j] > 0.0 {
                self.push(journeys.channel_count as u32, journeys.end_time(j), Repeats::Keep);
            }
        }
    }

    /// As [`Walk::customer`], of journeys that hold copies of what they share:
    /// the nth touch of a channel at a time is the same in each of them.
    fn union(&mut self, journeys: &Journeys, mine: Range<usize>, repeats: Repeats) {
        self.clear();
        let conversion = journeys.channel_count as u32;
        let mut all: Vec<(i64, u32, usize)> = Vec::new();
        for j in mine {
            let (path, times) = (journeys.path(j), journeys.touch_times(j));
            for (i, c) in path.iter().enumerate() {
                let before = (0..i).rev().take_while(|k| times[*k] == times[i]);
                all.push((times[i], *c, before.filter(|k| path[*k] == *c).count()));
            }
            if journeys.conversions[j] > 0.0 {
                all.push((journeys.end[j], conversion, j));
            }
        }
        all.sort_unstable();
        all.dedup();
        for (time, step, _) in all {
            let repeats = if step == conversion { Repeats::Keep } else { repeats };
            self.push(step, Some(time), repeats);
        }
    }
}

/// The journeys of each customer in a stretch that divides none.
pub(super) fn customers(journeys: &Journeys, range: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut first = range.start;
    std::iter::from_fn(move || {
        let customer = (first < range.end).then(|| journeys.customer[first])?;
        let rest = &journeys.customer[first..range.end];
        let mine = first..first + rest.iter().position(|c| *c != customer).unwrap_or(rest.len());
        first = mine.end;
        Some(mine)
    })
}
