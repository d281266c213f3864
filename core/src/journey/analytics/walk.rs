//! One journey, or all of a customer's, as one sequence of touches and conversions.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Journeys, SplitBy};
use crate::journey::Repeats;
use crate::{Error, Result};

/// Who walks: whose touches and conversions are one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// Each journey on its own. The default.
    #[default]
    Journey,
    /// Each customer, with all touches and conversions in one line; a touch
    /// that several journeys share counts once.
    Customer,
}

impl Entity {
    /// An error where the journeys know no customers.
    pub(super) fn check(self, journeys: &Journeys) -> Result<()> {
        if self == Self::Customer && !journeys.timed {
            return Err(Error::option("by", "these journeys come from paths, which have no customers"));
        }
        Ok(())
    }
}

/// Which lines there are.
#[derive(Clone, Copy)]
pub(super) struct Walks {
    pub(super) by: Entity,
    pub(super) repeats: Repeats,
    pub(super) split_by: SplitBy,
}

/// What is known of a walk beside its steps.
#[derive(Clone, Copy)]
pub(super) struct Walker {
    pub(super) group: u32,
    pub(super) weight: f64,
    /// Whether there is a conversion.
    pub(super) converts: bool,
    /// Whether it was not over yet.
    pub(super) undecided: bool,
}

impl Walks {
    /// The lines of a stretch of journeys that divides no customer.
    pub(super) fn each(self, journeys: &Journeys, range: Range<usize>, mut go: impl FnMut(&Walk, Walker)) {
        let conversion = journeys.channel_count as u32;
        let group = |walk: &Walk, j: usize| {
            let touches = walk.steps.split(|s| *s == conversion);
            let mut touched = touches.filter(|t| !t.is_empty());
            let path = match self.split_by {
                SplitBy::LastChannel => touched.next_back(),
                _ => touched.next(),
            };
            self.split_by.group(journeys, j, path.unwrap_or_default())
        };
        let mut walk = Walk::default();
        if self.by == Entity::Customer {
            for mine in customers(journeys, range) {
                let first = mine.start;
                let undecided = mine.clone().any(|j| journeys.decided(j) == Some(false));
                walk.customer(journeys, mine, self.repeats);
                let converts = walk.steps.contains(&conversion);
                if walk.steps.iter().all(|step| *step == conversion) {
                    continue;
                }
                go(&walk, Walker { group: group(&walk, first), weight: 1.0, converts, undecided });
            }
            return;
        }
        for j in range.filter(|j| journeys.len[*j] > 0) {
            for (weight, converts) in [(journeys.conversions[j], true), (journeys.nulls[j], false)] {
                if weight > 0.0 {
                    walk.journey(journeys, j, converts, self.repeats);
                    let undecided = !converts && journeys.decided(j) == Some(false);
                    go(&walk, Walker { group: group(&walk, j), weight, converts, undecided });
                }
            }
        }
    }
}

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

    /// Leaves out this step.
    pub(super) fn forget(&mut self, step: u32) {
        if !self.times.is_empty() {
            let mut kept = self.steps.iter().map(|s| *s != step);
            self.times.retain(|_| kept.next().unwrap_or(true));
        }
        self.steps.retain(|s| *s != step);
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
