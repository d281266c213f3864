//! Customers as processes in time: touches, conversions, the end of observation.

use std::ops::Range;

use crate::column::DAY;
use crate::journey::{Journeys, Moment};
use crate::{Error, Result};

/// One customer: touches as a range of the journeys' steps, and the days of
/// conversions; days count from the first touch.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) key: u64,
    pub(super) touches: Range<usize>,
    pub(super) first: i64,
    /// Conversions after the first touch, in order: day, and how many.
    pub(super) conversions: Vec<(f64, f64)>,
    /// Days from the first touch to the end of observation.
    pub(super) days: f64,
    /// Whether the customer converted before the first touch.
    pub(super) customer_before: bool,
}

pub(super) fn days(micros: i64) -> f64 {
    micros as f64 / DAY as f64
}

/// The customers with a touch, in the order of their keys, and the end of observation.
pub(super) fn lives(journeys: &Journeys, end: Option<Moment>) -> Result<Vec<Life>> {
    if !journeys.has_times() {
        return Err(Error::column("time", "these journeys come from paths, which have no times"));
    }
    let latest = journeys.end.iter().copied().max().unwrap_or(i64::MIN);
    let end = end.map_or(latest, |at| at.0);
    if end < latest {
        return Err(Error::option(
            "observation_end",
            "is earlier than the last event: build the journeys up to it",
        ));
    }
    let mut out = Vec::new();
    for of in journeys.customer_runs() {
        let touched = of.clone().filter(|j| journeys.len[*j] > 0);
        let from = touched.clone().map(|j| journeys.start[j] as usize).min();
        let to = touched.map(|j| (journeys.start[j] + journeys.len[j]) as usize).max();
        let (Some(from), Some(to)) = (from, to) else { continue };
        let first = journeys.times[from];
        let mut conversions: Vec<(f64, f64)> = of
            .clone()
            .filter(|j| journeys.conversions()[*j] > 0.0 && journeys.end[*j] >= first)
            .map(|j| (days(journeys.end[j].saturating_sub(first)), journeys.conversions()[j]))
            .collect();
        let customer_before = of.clone().any(|j| journeys.conversions()[j] > 0.0 && journeys.end[j] < first);
        conversions.sort_by(|a, b| a.0.total_cmp(&b.0));
        out.push(Life {
            key: journeys.customer_key(journeys.customer[of.start]),
            touches: from..to,
            first,
            conversions,
            days: days(end.saturating_sub(first)),
            customer_before,
        });
    }
    out.sort_by_key(|life| life.key);
    Ok(out)
}
