//! Customers as processes in time: touches, conversions, the end of observation.
//!
//! A touch may serve several conversions. Where journeys share touches in
//! memory it is there once; where each holds touches of its own, it is there
//! once a journey, and is known again by its time, channel, campaign, kind and
//! weight. Equal touches of one instant lie in the same windows and so in the
//! same journeys: as many of them are real as the journey with most of them has.

use std::ops::Range;

use crate::column::DAY;
use crate::journey::{Journeys, Moment};
use crate::{Error, Result};

/// One customer; days count from the first touch.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) key: u64,
    /// Stretches of the journeys' steps: each touch once, in the order of time.
    touches: Vec<Range<usize>>,
    pub(super) first: i64,
    /// Conversions after the first touch, in order: day, and how many.
    pub(super) conversions: Vec<(f64, f64)>,
    /// Days from the first touch to the end of observation.
    pub(super) days: f64,
    /// Whether the customer converted before the first touch.
    pub(super) customer_before: bool,
}

impl Life {
    /// The touches as places in the journeys' steps.
    pub(super) fn touches(&self) -> impl Iterator<Item = usize> + '_ {
        self.touches.iter().cloned().flatten()
    }
}

pub(super) fn days(micros: i64) -> f64 {
    micros as f64 / DAY as f64
}

/// Which channels are left out. An [`Error::Option`] for one that is not there.
pub(super) fn excluded(journeys: &Journeys, exclude: &[String]) -> Result<Vec<bool>> {
    let labels = journeys.channel_labels();
    if let Some(stranger) = exclude.iter().find(|c| !labels.contains(c)) {
        return Err(Error::option("exclude", format!("no journey touches `{stranger}`")));
    }
    Ok(labels.iter().map(|l| exclude.contains(l)).collect())
}

/// The customers with a touch of a channel that is not left out, in the order
/// of their keys, as if there were no other channels.
pub(super) fn lives(journeys: &Journeys, end: Option<Moment>, excluded: &[bool]) -> Result<Vec<Life>> {
    if !journeys.has_times() {
        return Err(Error::column("time", "these journeys come from paths, which have no times"));
    }
    if let Some(gap) = journeys.gap {
        return Err(gap.error());
    }
    let latest = journeys.end.iter().copied().max().unwrap_or(i64::MIN);
    let end = end.map_or(latest, |at| at.0);
    if end < latest {
        return Err(Error::option(
            "observation_end",
            "is earlier than the last event: build the journeys up to it",
        ));
    }
    let is_out = |i: usize| excluded[journeys.steps[i] as usize];
    let any_out = excluded.contains(&true);
    let mut out = Vec::new();
    for of in journeys.customer_runs() {
        let mut touches = touches(journeys, of.clone());
        if any_out {
            touches = stretches(touches.into_iter().flatten().filter(|i| !is_out(*i)));
        }
        let Some(first) = touches.first().map(|run| journeys.times[run.start]) else { continue };
        let mut conversions: Vec<(f64, f64)> = of
            .clone()
            .filter(|j| journeys.conversions()[*j] > 0.0 && journeys.end[*j] >= first)
            .map(|j| (days(journeys.end[j].saturating_sub(first)), journeys.conversions()[j]))
            .collect();
        let customer_before = of.clone().any(|j| journeys.conversions()[j] > 0.0 && journeys.end[j] < first);
        conversions.sort_by(|a, b| a.0.total_cmp(&b.0));
        out.push(Life {
            key: journeys.customer_key(journeys.customer[of.start]),
            touches,
            first,
            conversions,
            days: days(end.saturating_sub(first)),
            customer_before,
        });
    }
    out.sort_by_key(|life| life.key);
    Ok(out)
}

/// Places in their order as stretches.
fn stretches(places: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for at in places {
        match out.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => out.push(at..at + 1),
        }
    }
    out
}

/// All touches of all journeys, each once; as they are written where journeys come from paths.
pub(super) fn all_touches(journeys: &Journeys) -> Vec<Range<usize>> {
    if !journeys.has_times() {
        return std::iter::once(0..journeys.steps.len()).collect();
    }
    journeys.customer_runs().into_iter().flat_map(|of| touches(journeys, of)).collect()
}

/// The touches of some journeys of one customer, each once.
fn touches(journeys: &Journeys, of: Range<usize>) -> Vec<Range<usize>> {
    let range = |j: usize| journeys.start[j] as usize..(journeys.start[j] + journeys.len[j]) as usize;
    let mut runs: Vec<Range<usize>> = of.map(range).filter(|run| !run.is_empty()).collect();
    runs.sort_unstable_by_key(|run| (run.start, run.end));
    runs.dedup_by(|next, run| {
        let shares = next.start < run.end;
        if shares {
            run.end = run.end.max(next.end);
        }
        shares
    });
    let times = &journeys.times;
    if runs.windows(2).all(|pair| times[pair[0].end - 1] < times[pair[1].start]) {
        return stretches(runs.into_iter().flatten());
    }
    let mut all: Vec<(i64, usize, usize)> =
        runs.iter().enumerate().flat_map(|(r, run)| run.clone().map(move |i| (times[i], r, i))).collect();
    all.sort_unstable();
    let mut kept = Vec::with_capacity(all.len());
    for instant in all.chunk_by(|a, b| a.0 == b.0) {
        once(journeys, instant, &mut kept);
    }
    stretches(kept.into_iter())
}

/// Takes each touch of one instant once; they come with their runs.
fn once(journeys: &Journeys, instant: &[(i64, usize, usize)], kept: &mut Vec<usize>) {
    let kind = |i: usize| {
        let weight = journeys.weight.get(i).map(|w| w.to_bits());
        (journeys.steps[i], journeys.campaign.get(i), journeys.view.get(i), weight)
    };
    let (mut most, mut union): (&[(i64, usize, usize)], Vec<_>) = (&[], Vec::new());
    for run in instant.chunk_by(|a, b| a.1 == b.1) {
        if run.len() > most.len() {
            most = run;
        }
        let mut mine: Vec<_> = run.iter().map(|touch| (kind(touch.2), touch.2)).collect();
        mine.sort_unstable();
        for equal in mine.chunk_by(|a, b| a.0 == b.0) {
            union.extend(equal.iter().enumerate().map(|(nth, touch)| (touch.0, nth, touch.1)));
        }
    }
    union.sort_unstable();
    union.dedup_by_key(|touch| (touch.0, touch.1));
    if union.len() == most.len() {
        // The order of the input, where one journey knows it.
        kept.extend(most.iter().map(|touch| touch.2));
    } else {
        kept.extend(union.iter().map(|touch| touch.2));
    }
}
