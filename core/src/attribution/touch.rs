//! Credit of single touches.

use std::sync::Arc;

use super::rules::{Kernel, Scratch, Shares};
use super::{Fitted, Model};
use crate::Result;
use crate::column::{Names, Table, Values};
use crate::journey::{Journey, Journeys};
use crate::run::Run;

/// The credit of each touch of each converting journey, one row a touch and
/// journey: journey, position (from 1), customer, time, channel, campaign (where
/// campaigns were read), conversion_time, conversions, value. customer, time and conversion_time are
/// there when journeys come from events. A touch in the journeys of several
/// conversions has a row in each; conversions without a touch have none.
///
/// Rules give what they give. A Markov chain's view of one journey is its
/// conversions split in proportion to the removal effects of its touches'
/// channels; the channels' sums then differ from the removal shares of
/// [`attribute`](super::attribute), which splits all conversions at once.
/// A Shapley model splits a journey in proportion to the values of its distinct
/// channels, and a channel's part over its touches; with the worths
/// `conversions` and `journey_rate` the sums are those of `attribute`.
pub fn touch_credits(journeys: &Journeys, model: &Model, run: &Run) -> Result<Table> {
    let fitted = if model.is_rule() { Fitted::rule(model)? } else { Fitted::fit(model, journeys, run)? };
    touch_table(journeys, &fitted, run)
}

/// Whether a journey's touches have rows.
pub(super) fn is_credited(journeys: &Journeys, j: usize) -> bool {
    !journeys.path(j).is_empty() && (journeys.conversions()[j] != 0.0 || journeys.values()[j] != 0.0)
}

/// The table of [`touch_credits`], by a fitted model.
pub(super) fn touch_table(journeys: &Journeys, fitted: &Fitted, run: &Run) -> Result<Table> {
    let (kernel, by_value) = fitted.kernels(journeys)?;
    let for_value = by_value.as_ref().unwrap_or(&kernel);
    let pieces = journeys.pieces();
    run.stage("credit touches", journeys.len() as u64)?;
    let parts = run.map_items(pieces.len(), |p| {
        let mut scratch = Scratch::new(journeys.channel_count());
        let mut part = Part::default();
        for j in pieces[p].clone() {
            if !is_credited(journeys, j) {
                continue;
            }
            let (conversions, value) = (journeys.conversions()[j], journeys.values()[j]);
            part.journeys.push((j as u32, journeys.path(j).len() as u32));
            let journey = journeys.journey(j);
            split(&kernel, &journey, conversions, &mut scratch, &mut part.conversions);
            if journeys.has_value() {
                split(for_value, &journey, value, &mut scratch, &mut part.value);
            }
        }
        run.advance(pieces[p].len() as u64)?;
        Ok(part)
    })?;
    let rows = parts.iter().map(|p| p.conversions.len()).sum();
    let (mut journey, mut position) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut channel, mut time) = (Vec::with_capacity(rows), Vec::new());
    let (mut customer, mut end, mut campaign) = (Vec::new(), Vec::new(), Vec::new());
    for (j, len) in parts.iter().flat_map(|p| p.journeys.iter().copied()) {
        let (j, n) = (j as usize, len as usize);
        journey.extend(std::iter::repeat_n(j as i64, n));
        position.extend(1..=i64::from(len));
        channel.extend_from_slice(journeys.path(j));
        campaign.extend_from_slice(journeys.campaigns(j));
        time.extend_from_slice(journeys.touch_times(j));
        if let (Some(c), Some(t)) = (journeys.customer(j), journeys.end_time(j)) {
            customer.extend(std::iter::repeat_n(c, n));
            end.extend(std::iter::repeat_n(t, n));
        }
    }
    run.check()?;
    let mut table =
        Table::new().with("journey", Values::I64(journey)).with("position", Values::I64(position));
    if journeys.has_times() {
        let customer = match &journeys.customers {
            Some(labels) => Values::Names(Names { codes: customer, labels: Arc::clone(labels) }),
            None => Values::I64(customer.into_iter().map(i64::from).collect()),
        };
        table = table.with("customer", customer).with("time", Values::Time(time));
    }
    let channel = match &journeys.channels {
        Some(labels) => Values::Names(Names { codes: channel, labels: Arc::clone(labels) }),
        None => Values::I64(channel.into_iter().map(i64::from).collect()),
    };
    table = table.with("channel", channel);
    if let Some(labels) = &journeys.campaigns {
        let names = Names { codes: campaign, labels: Arc::clone(labels) };
        table = table.with("campaign", Values::Names(names));
    }
    if journeys.has_times() {
        table = table.with("conversion_time", Values::Time(end));
    }
    let conversions: Vec<f64> = parts.iter().flat_map(|p| p.conversions.iter().copied()).collect();
    let table = table.with("conversions", Values::F64(conversions));
    Ok(if journeys.has_value() {
        table.with("value", Values::F64(parts.into_iter().flat_map(|p| p.value).collect()))
    } else {
        table.with_optional("value", std::iter::repeat_n(None, rows))
    })
}

#[derive(Default)]
struct Part {
    journeys: Vec<(u32, u32)>,
    conversions: Vec<f64>,
    value: Vec<f64>,
}

/// Adds what each touch of a journey has of a total.
pub(super) fn split(
    kernel: &Kernel,
    journey: &Journey<'_>,
    total: f64,
    scratch: &mut Scratch,
    out: &mut Vec<f64>,
) {
    match kernel.weighted(journey, scratch) {
        Shares::One(i) => out.extend((0..journey.path.len()).map(|k| if k == i { total } else { 0.0 })),
        Shares::Equal(share) => out.extend(journey.path.iter().map(|_| total * share)),
        Shares::Each(shares) => out.extend(shares.iter().map(|s| total * s)),
    }
}

/// The credit of each touch of one journey by a rule, adding up to 1: the
/// channels in time order, and the times of the touches in microseconds
/// (needed by time decay alone, may be empty otherwise).
///
/// ```
/// use headwater::attribution::{Model, score};
///
/// let credit = score(&"position_based".parse::<Model>()?, &["search", "email", "search"], &[])?;
/// assert_eq!(credit, [0.4, 0.19999999999999996, 0.4]);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn score<S: AsRef<str>>(model: &Model, path: &[S], times: &[i64]) -> Result<Vec<f64>> {
    Fitted::rule(model)?.credit(path, times, None)
}
