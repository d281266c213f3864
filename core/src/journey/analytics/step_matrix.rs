//! Where journeys are at each step, from their start, their end, or a channel.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::cells::{Add, MOST, tally};
use super::pattern::Room;
use super::walk::{Entity, Walk};
use super::{CONVERSION, ChannelSet, Journeys, NULL_END, Report, START, Weighing};
use crate::column::{Table, Text, Values};
use crate::journey::Repeats;
use crate::run::Run;
use crate::{Error, Result};

/// Where steps are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The first touch is step 1. The default.
    #[default]
    Start,
    /// The end is step 0, the last touch step −1.
    End,
    /// A touch of `channel` is step 0; only journeys that have one count.
    Channel,
    /// The first step of a match of `pattern` is step 0; only journeys that hold one count.
    Pattern,
}

/// Which touch of the channel, or which match, is the anchor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occurrence {
    /// The first. The default.
    #[default]
    First,
    /// The last.
    Last,
}

/// Options of [`Journeys::step_matrix`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepMatrixOptions {
    /// How many steps from the anchor on: forward, but backward from the end. 1 to 1,000, default 10.
    pub steps: usize,
    /// How many steps before the anchor, where that is a channel or a pattern. Default 3.
    pub before: usize,
    /// Where steps are counted from.
    pub anchor: Anchor,
    /// The channel, or any of several, that anchors.
    pub channel: Option<ChannelSet>,
    /// The pattern that anchors, as in [`Journeys::patterns`].
    pub pattern: Option<String>,
    /// Which touch of the channel, or which match.
    pub occurrence: Occurrence,
    /// Which journeys count.
    pub weights: Weighing,
    /// Whether a channel several times in a row is one step. Default `keep`.
    pub repeats: Repeats,
}

impl Default for StepMatrixOptions {
    fn default() -> Self {
        Self {
            steps: 10,
            before: 3,
            anchor: Anchor::default(),
            channel: None,
            pattern: None,
            occurrence: Occurrence::default(),
            weights: Weighing::default(),
            repeats: Repeats::Keep,
        }
    }
}

impl Journeys {
    /// The share of journeys on each channel at each step.
    ///
    /// Where a journey is over it stays on `(conversion)` or `(null)`, and
    /// before its first touch it is on `(start)`, so the shares of a step add
    /// up to 1. Table `step_matrix`: step, channel, count, share; cells without
    /// a journey are left out.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, PathOptions, StepMatrixOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["ad > email", "email"]).with("conversions", vec![3.0, 1.0]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let options = StepMatrixOptions { steps: 2, ..StepMatrixOptions::default() };
    /// let matrix = journeys.step_matrix(&options, &Run::new())?.table();
    /// assert_eq!(matrix.text("channel", 3).as_deref(), Some("(conversion)"));
    /// assert_eq!(matrix.f64s("share"), Some(&[0.75, 0.25, 0.75, 0.25][..]));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn step_matrix(&self, options: &StepMatrixOptions, run: &Run) -> Result<Report> {
        let StepMatrixOptions { steps, before, anchor, occurrence, weights, repeats, .. } = *options;
        for (name, n, least) in [("steps", steps, 1), ("before", before, 0)] {
            if !(least..=1_000).contains(&n) {
                return Err(Error::option(name, format!("must be {least} to 1000, not {n}")));
            }
        }
        let labels = self.channel_labels();
        let wanted = match (&options.channel, anchor) {
            (Some(set), Anchor::Channel) => set.members("channel", &labels)?,
            (None, Anchor::Channel) => return Err(Error::option("channel", "give the channel that anchors")),
            (Some(_), _) => return Err(Error::option("channel", "goes with the anchor `channel` alone")),
            (None, _) => Vec::new(),
        };
        let automaton = match (&options.pattern, anchor) {
            (Some(pattern), Anchor::Pattern) => Some(self.automaton(pattern, Entity::Journey, None)?),
            (None, Anchor::Pattern) => return Err(Error::option("pattern", "give the pattern that anchors")),
            (Some(_), _) => return Err(Error::option("pattern", "goes with the anchor `pattern` alone")),
            (None, _) => None,
        };
        let (low, high) = match anchor {
            Anchor::Start => (1, steps as i64),
            Anchor::End => (-(steps as i64), 0),
            Anchor::Channel | Anchor::Pattern => (-(before as i64), steps as i64),
        };
        // After the channels: conversion, null, start.
        let width = labels.len() + 3;
        let columns = (high - low + 1) as usize;
        if width * columns > MOST {
            return Err(Error::option(
                "steps",
                format!("{} channels are too many for {steps} steps", labels.len()),
            ));
        }
        let whole = |range: Range<usize>, (walk, room): &mut (Walk, Room), add: Add<'_>| {
            for j in range.filter(|j| self.len[*j] > 0) {
                let both = [self.conversions[j], self.nulls[j]];
                let kept = match weights {
                    Weighing::All => both,
                    Weighing::Conversions => [both[0], 0.0],
                    Weighing::Nulls => [0.0, both[1]],
                };
                let mut lay = |path: &[u32], zero: i64, kept: [f64; 2]| {
                    for column in 0..columns {
                        let at = zero + low + column as i64;
                        let base = column * width;
                        if at < 0 {
                            add(base + width - 1, kept[0] + kept[1]);
                        } else if let Some(channel) = path.get(at as usize) {
                            add(base + *channel as usize, kept[0] + kept[1]);
                        } else {
                            add(base + width - 3, kept[0]);
                            add(base + width - 2, kept[1]);
                        }
                    }
                };
                if kept == [0.0; 2] {
                    continue;
                }
                if let Some(automaton) = &automaton {
                    // A pattern may hold the end, so the two ends of a row are two paths.
                    for (converts, kept) in [(true, [kept[0], 0.0]), (false, [0.0, kept[1]])] {
                        walk.journey(self, j, converts, repeats);
                        let mut found = None;
                        self.each_match(automaton, walk, room, |from, _| {
                            found = Some(from as i64);
                            occurrence == Occurrence::Last
                        });
                        if let Some(zero) = found.filter(|_| kept != [0.0; 2]) {
                            let touches = walk.steps.len() - usize::from(converts);
                            lay(&walk.steps[..touches], zero, kept);
                        }
                    }
                    continue;
                }
                let path = match repeats {
                    Repeats::Keep => self.path(j),
                    Repeats::Collapse => {
                        walk.journey(self, j, false, repeats);
                        &walk.steps
                    }
                };
                let is_anchor = |c: &u32| wanted[*c as usize];
                let zero = match (anchor, occurrence) {
                    (Anchor::Start, _) => Some(-1),
                    (Anchor::End, _) => Some(path.len() as i64),
                    (_, Occurrence::First) => path.iter().position(is_anchor).map(|at| at as i64),
                    (_, Occurrence::Last) => path.iter().rposition(is_anchor).map(|at| at as i64),
                };
                if let Some(zero) = zero {
                    lay(path, zero, kept);
                }
            }
        };
        let room = || (Walk::default(), Room::default());
        let cells = tally(self, "fill the step matrix", width * columns, run, room, whole)?;
        let (mut step, mut channel) = (Vec::new(), Text::new());
        let (mut count, mut share) = (Vec::new(), Vec::new());
        let names: Vec<&str> =
            labels.iter().map(String::as_str).chain([CONVERSION, NULL_END, START]).collect();
        for (column, weights) in cells.chunks(width).enumerate() {
            let whole = crate::math::exact_sum(weights.iter().copied());
            for (name, weight) in names.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
                step.push(low + column as i64);
                channel.push(name);
                count.push(*weight);
                share.push(weight / whole);
            }
        }
        let table = Table::new()
            .with("step", Values::I64(step))
            .with("channel", Values::Text(channel))
            .with("count", Values::F64(count))
            .with("share", Values::F64(share));
        Ok(Report::new(vec![("step_matrix", table)]))
    }
}
