//! Some of the journeys, and what is known of each.

use std::ops::Range;
use std::sync::Arc;

use super::read::in_label_order;
use super::{Gap, Hierarchy, Journeys, Merged};
use crate::column::{Columns, Intake, Labels, NULL, Names, OnInvalid, Table, Text, Values};
use crate::run::Run;
use crate::{Error, Result};

/// Where customers without a segment are.
pub(super) const NO_SEGMENT: &str = "(none)";

impl Journeys {
    /// The end of observation; `None` when journeys come from paths.
    pub fn observation_end(&self) -> Option<i64> {
        self.observation_end
    }

    /// Whether a journey ended in a conversion.
    pub fn converted(&self, journey: usize) -> bool {
        self.conversions.get(journey).is_some_and(|c| *c > 0.0)
    }

    /// Of an open journey, whether it is over: no conversion within its window
    /// could follow any more when observation ended. `None` for a conversion,
    /// and when journeys come from paths.
    pub fn decided(&self, journey: usize) -> Option<bool> {
        if self.converted(journey) {
            return None;
        }
        let expiry = self.expiry_of(journey, self.end_time(journey)?);
        self.observation_end.map(|end| expiry <= end)
    }

    /// Until when a conversion could follow a journey whose last touch was at `last`.
    pub(super) fn expiry_of(&self, journey: usize, last: i64) -> i64 {
        self.expiry.get(journey).copied().unwrap_or_else(|| last.saturating_add(self.lookback))
    }

    /// Until when an open journey was followed: the end of its window, or that of
    /// observation if it is earlier; `None` when journeys come from paths.
    pub(crate) fn watched_until(&self, journey: usize) -> Option<i64> {
        let last = self.end_time(journey)?;
        Some(self.expiry_of(journey, last).min(self.observation_end?).max(last))
    }

    /// What a journey counts for as an open one: one that is censored, and so
    /// counts for nothing elsewhere, is one that has not converted yet.
    pub(crate) fn open_weight(&self, journey: usize) -> f64 {
        if self.is_censored(journey) { 1.0 } else { self.nulls[journey] }
    }

    /// Whether a journey was built as censored: it may still convert, and
    /// counts for nothing where it is not watched in time.
    pub(crate) fn is_censored(&self, journey: usize) -> bool {
        self.timed && self.conversions[journey] + self.nulls[journey] <= 0.0
    }

    /// Of an open journey, the microseconds from its last touch to the end of
    /// observation: for so long no conversion was seen. `None` for a
    /// conversion, and when journeys come from paths.
    pub fn censored(&self, journey: usize) -> Option<i64> {
        if self.converted(journey) {
            return None;
        }
        Some(self.observation_end?.saturating_sub(self.end_time(journey)?))
    }

    /// How long journeys were followed: journey, customer, first_touch, end
    /// (the conversion, or until when an open journey was followed: the end of
    /// observation, or the end of its window if that is earlier), converted,
    /// decided (missing for conversions). Conversions without a touch are left
    /// out. An [`Error::Column`] where journeys come from paths.
    pub fn durations(&self) -> Result<Table> {
        let Some(observed) = self.observation_end else { return Err(untimed()) };
        let rows: Vec<usize> = (0..self.len()).filter(|j| self.len[*j] > 0).collect();
        let end = |j: usize| {
            let last = self.end[j];
            if self.converted(j) { last } else { self.expiry_of(j, last).min(observed).max(last) }
        };
        let first = rows.iter().filter_map(|j| self.touch_times(*j).first().copied()).collect();
        let decided: Vec<Option<bool>> = rows.iter().map(|j| self.decided(*j)).collect();
        let known = decided.iter().map(|d| d.unwrap_or(false)).collect();
        let there = decided.iter().map(Option::is_some).collect();
        Ok(Table::new()
            .with("journey", Values::I64(rows.iter().map(|j| *j as i64).collect()))
            .with("customer", self.customer_column(rows.iter().map(|j| self.customer[*j]).collect()))
            .with("first_touch", Values::Time(first))
            .with("end", Values::Time(rows.iter().map(|j| end(*j)).collect()))
            .with("converted", Values::Bool(rows.iter().map(|j| self.converted(*j)).collect()))
            .push("decided", Values::Bool(known), Some(there)))
    }

    /// What was merged or left out when the journeys were built.
    pub fn merged(&self) -> Merged {
        self.merged
    }

    /// What was merged or left out: step, count.
    pub fn accounting(&self) -> Table {
        let m = &self.merged;
        let rows = [
            ("late_touches", self.late_touches),
            ("late_conversions", self.late_conversions),
            ("sessions", m.sessions),
            ("touches_in_sessions", m.in_sessions),
            ("repeated_touches", m.repeats),
            ("direct_touches", m.direct),
            ("repeated_orders", m.orders),
            ("other_kinds", m.other_kinds),
            ("dropped_rows", self.dropped.rows),
        ];
        Table::new()
            .with("step", Values::Text(rows.iter().map(|r| r.0).collect::<Text>()))
            .with("count", Values::I64(rows.iter().map(|r| r.1 as i64).collect()))
    }

    /// What each touch of a journey counts for in the rules; empty where no
    /// weights were read, and then it is 1.
    pub fn weights(&self, journey: usize) -> &[f64] {
        self.weight.get(self.range(journey)).unwrap_or_default()
    }

    /// The conversions of journeys whose touches count for different weights.
    pub(crate) fn unevenly_weighted(&self) -> f64 {
        if self.weight.is_empty() {
            return 0.0;
        }
        let uneven = |j: &usize| self.weights(*j).windows(2).any(|pair| pair[0] != pair[1]);
        let rows = (0..self.len()).filter(|j| self.conversions[*j] > 0.0).filter(uneven);
        crate::math::exact_sum(rows.map(|j| self.conversions[j]))
    }

    /// The campaign of each touch of a journey, [`NULL`] where it has none;
    /// empty where no campaigns were read.
    pub fn campaigns(&self, journey: usize) -> &[u32] {
        self.campaign.get(self.range(journey)).unwrap_or_default()
    }

    /// The labels of campaigns in the order of their codes.
    pub fn campaign_labels(&self) -> Vec<String> {
        listed(self.campaigns.as_ref())
    }

    /// Whether each touch of a journey is a view; empty where no kinds were read.
    pub fn views(&self, journey: usize) -> &[bool] {
        self.view.get(self.range(journey)).unwrap_or_default()
    }

    /// The kind of a journey's conversion; `None` while open, and where no
    /// kinds were read.
    pub fn conversion_kind(&self, journey: usize) -> Option<u32> {
        self.conversion_kind.get(journey).copied().filter(|kind| *kind != NULL)
    }

    /// The labels of kinds of conversions in the order of their codes.
    pub fn kind_labels(&self) -> Vec<String> {
        listed(self.kinds.as_ref())
    }

    /// The place of a journey's conversion; `None` while open, where it is
    /// missing, and where no places were read.
    pub fn place(&self, journey: usize) -> Option<u32> {
        self.place.get(journey).copied().filter(|place| *place != NULL)
    }

    /// The labels of places in the order of their codes.
    pub fn place_labels(&self) -> Vec<String> {
        listed(self.places.as_ref())
    }

    /// Whether a channel is one of the `offline_channels`.
    pub fn is_offline(&self, channel: u32) -> bool {
        self.offline.get(channel as usize).copied().unwrap_or(false)
    }

    /// The journeys that end in a conversion of one kind, and the open ones. An
    /// [`Error::Option`] for a kind that does not occur.
    ///
    /// Touches that led to other kinds alone are in neither; build with `kinds`
    /// to have them in open journeys.
    pub fn of_kind(&self, kind: &str) -> Result<Self> {
        let labels = self.kind_labels();
        let Some(code) = labels.iter().position(|label| label == kind) else {
            let known =
                if labels.is_empty() { "none, since no column was named".into() } else { labels.join(", ") };
            return Err(Error::option("kind", format!("`{kind}` does not occur; there is {known}")));
        };
        Ok(self.select(|j| !self.converted(j) || self.conversion_kind[j] as usize == code))
    }

    /// The journeys that ended (converted, or had their last touch) from
    /// `start` up to but without `end`, in microseconds. An [`Error::Column`]
    /// where journeys come from paths.
    pub fn between(&self, start: i64, end: i64) -> Result<Self> {
        if !self.timed {
            return Err(untimed());
        }
        if end <= start {
            return Err(Error::option("end", "is not after the start"));
        }
        let seen = self.observed();
        let starts = Some(start).filter(|at| seen.is_some_and(|seen| *at > seen.0));
        let ends = Some(end).filter(|at| seen.is_some_and(|seen| *at < seen.1));
        let period = (starts.max(self.period.0), ends.or(self.period.1));
        Ok(Self { period, ..self.select(|j| self.end[j] >= start && self.end[j] < end) })
    }

    /// The period that journeys cover: from the first event, or from where they were cut, up to but
    /// without the second instant. `None` without journeys, and where they come from paths.
    pub(crate) fn observed(&self) -> Option<(i64, i64)> {
        let first = self.times.iter().chain(&self.end).copied().min()?;
        let last = self.end.iter().copied().max()?.max(self.observation_end.unwrap_or(i64::MIN));
        Some((self.period.0.unwrap_or(first), self.period.1.unwrap_or(last.saturating_add(1))))
    }

    /// The journeys of the customers whose code has a true in `mask`; codes
    /// past its end have none. An [`Error::Column`] where journeys come from paths.
    pub fn of_customers(&self, mask: &[bool]) -> Result<Self> {
        if !self.timed {
            return Err(untimed());
        }
        Ok(self.of_some(|j| mask.get(self.customer[j] as usize).copied().unwrap_or(false)))
    }

    /// The journeys with a segment for each customer: a frame of the columns
    /// `customer` and `segment`, one row a customer. Customers without a row
    /// have none; two segments of one customer are an [`Error::Unfit`].
    pub fn with_segments(&self, frame: &Columns, customer: &str, segment: &str, run: &Run) -> Result<Self> {
        let Some(customers) = self.customers.as_ref().filter(|_| self.timed) else { return Err(untimed()) };
        let mut intake = Intake::new(frame, OnInvalid::Error, run);
        let who = intake.names(customer)?;
        let named = intake.names(segment)?;
        let known = match (&**customers, &*who.labels) {
            (Labels::Text(_), Labels::Int(ids)) if !ids.is_empty() => {
                Err("integers, but the journeys' customers are text")
            }
            (Labels::Int(_), Labels::Text(text)) if !text.is_empty() => {
                Err("text, but the journeys' customers are integers")
            }
            _ => Ok(()),
        };
        if let Err(found) = known {
            return Err(Error::column(customer, format!("holds {found}: convert it")));
        }
        let (recode, labels) = in_label_order(&named.labels, &vec![true; named.labels.len()]);
        let mut by_label = vec![NULL; who.labels.len()];
        let mut twice = Vec::new();
        for (row, (who, segment)) in who.codes.iter().zip(&named.codes).enumerate() {
            if *who == NULL || *segment == NULL {
                continue;
            }
            let (code, place) = (recode[*segment as usize], &mut by_label[*who as usize]);
            if *place != NULL && *place != code {
                twice.push(row);
            }
            *place = code;
        }
        intake.reject(customer, "has a second segment", twice);
        intake.finish().map_err(Error::undroppable)?;
        let found: std::collections::HashMap<std::borrow::Cow<'_, str>, u32> =
            (0..who.labels.len() as u32).map(|c| (who.labels.get(c), by_label[c as usize])).collect();
        let segment_of = |c: u32| found.get(&*customers.get(c)).copied().unwrap_or(NULL);
        let segment = (0..customers.len() as u32).map(segment_of).collect();
        Ok(Self { segment, segments: Some(Arc::new(labels)), ..self.clone() })
    }

    /// The labels of segments in the order of their codes.
    pub fn segment_labels(&self) -> Vec<String> {
        listed(self.segments.as_ref())
    }

    pub(super) fn segment_count(&self) -> usize {
        self.segments.as_ref().map_or(0, |labels| labels.len())
    }

    /// An error without segments.
    pub(super) fn need_segments(&self) -> Result<()> {
        if self.segments.is_some() {
            return Ok(());
        }
        Err(Error::column("segment", "these journeys have no segments: add them by with_segments"))
    }

    /// The segment of a journey's customer, where it is known.
    pub fn segment(&self, journey: usize) -> Option<u32> {
        let customer = self.customer(journey)?;
        self.segment.get(customer as usize).copied().filter(|segment| *segment != NULL)
    }

    /// The journeys of each segment, in the order of the segments' labels;
    /// those of customers without a segment come last, under `(none)`. An
    /// [`Error::Column`] without [`Journeys::with_segments`].
    pub fn split(&self) -> Result<Vec<(String, Self)>> {
        self.need_segments()?;
        let labels = self.segment_labels().into_iter().enumerate();
        let mut parts: Vec<(String, Self)> = labels
            .map(|(code, label)| (label, self.of_some(|j| self.segment(j) == Some(code as u32))))
            .collect();
        if (0..self.len()).any(|j| self.segment(j).is_none()) {
            parts.push((NO_SEGMENT.to_owned(), self.of_some(|j| self.segment(j).is_none())));
        }
        Ok(parts)
    }

    /// The same journeys whose channels are `channel / campaign`, or the
    /// channel alone where a touch has no campaign. Each has the cost of its
    /// touches, unless these are a part of others, or their channels were
    /// changed since they were built. An [`Error::Column`] without campaigns.
    pub fn by_campaign(&self) -> Result<Self> {
        self.by_campaign_with(&Hierarchy::default().separator)
    }

    /// As [`Journeys::by_campaign`], with something else between channel and
    /// campaign: [`Hierarchy`] cuts labels at the first separator, so no
    /// channel may hold it, and one that does is an [`Error::Option`].
    pub fn by_campaign_with(&self, separator: &str) -> Result<Self> {
        if self.campaigns.is_none() {
            let reason = "these journeys have no campaigns: name their column when they are built";
            return Err(Error::column("campaign", reason));
        }
        let separator = separator.trim();
        if separator.is_empty() {
            return Err(Error::option("separator", "must not be blank, for example \"/\""));
        }
        if let Some(label) = self.channel_labels().iter().find(|label| label.contains(separator)) {
            let reason = format!(
                "`{separator}` is in the channel `{label}`, so labels could not be taken apart again: give another"
            );
            return Err(Error::option("separator", reason));
        }
        let campaigns = self.campaign_labels();
        let pairs: Vec<(u32, u32)> =
            self.steps.iter().copied().zip(self.campaign.iter().map(|c| c.wrapping_add(1))).collect();
        let costs = self.cost.as_ref().map_or(&[][..], |_| &self.ledger.campaign_cost[..]);
        let mut distinct = pairs.clone();
        distinct.extend(costs.iter().map(|((channel, campaign), _)| (*channel, campaign.wrapping_add(1))));
        distinct.sort_unstable();
        distinct.dedup();
        let names = distinct.iter().map(|(channel, campaign)| match campaign.checked_sub(1) {
            Some(campaign) => {
                format!("{} {separator} {}", self.channel_label(*channel), campaigns[campaign as usize])
            }
            None => self.channel_label(*channel),
        });
        let names: Names = names.collect();
        let (recode, labels) = in_label_order(&names.labels, &vec![true; names.labels.len()]);
        let place = |pair: &(u32, u32)| {
            let at = distinct.binary_search(pair).unwrap_or_default();
            recode[names.codes[at] as usize]
        };
        let steps = pairs.iter().map(place).collect();
        let mut offline = vec![false; if self.offline.is_empty() { 0 } else { labels.len() }];
        if !offline.is_empty() {
            for pair in &distinct {
                offline[place(pair) as usize] = self.is_offline(pair.0);
            }
        }
        let channel_count = labels.len();
        let mut cost = vec![0.0; channel_count];
        for ((channel, campaign), sum) in costs {
            cost[place(&(*channel, campaign.wrapping_add(1))) as usize] = sum.value();
        }
        Ok(Self {
            steps,
            channel_count,
            channels: Some(Arc::new(labels)),
            offline,
            cost: Some(cost).filter(|_| !costs.is_empty()),
            campaign: Vec::new(),
            campaigns: None,
            ..self.clone()
        })
    }

    /// As [`Journeys::select`], of a choice that takes all journeys of a
    /// customer or none.
    fn of_some(&self, keep: impl Fn(usize) -> bool) -> Self {
        Self { gap: self.gap, ..self.select(keep) }
    }

    /// The journeys that `keep` wants. What they share with the whole (labels,
    /// the end of observation) stays; what was counted of all touches (cost,
    /// late and dropped rows) does not.
    pub(crate) fn select(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.len()).filter(|j| keep(*j)).collect();
        let mut out = self.untouched(&kept);
        let mut copy = Copier::default();
        for j in kept {
            copy.touches(&mut out, self, j);
        }
        out.touches = out.steps.len() as u64;
        out
    }

    /// As [`Journeys::select`], the journeys of these rows in any order, over a
    /// copy of all touches.
    pub(crate) fn subset(&self, rows: &[u32]) -> Self {
        let rows: Vec<usize> = rows.iter().map(|r| *r as usize).collect();
        Self {
            start: pick(&rows, &self.start),
            steps: self.steps.clone(),
            times: self.times.clone(),
            weight: self.weight.clone(),
            campaign: self.campaign.clone(),
            view: self.view.clone(),
            touches: self.touches,
            ..self.untouched(&rows)
        }
    }

    /// Stretches of journeys, each all of one customer's, so many times: every
    /// copy is a customer without a name. No touches are missing that were there.
    pub(crate) fn copies(&self, stretches: &[(Range<usize>, usize)]) -> Self {
        let (mut rows, mut customer, mut segment) = (Vec::new(), Vec::new(), Vec::new());
        let mut code = 0;
        for (mine, times) in stretches {
            let known = self.customer.get(mine.start).and_then(|c| self.segment.get(*c as usize));
            for _ in 0..*times {
                rows.extend(mine.clone().map(|j| j as u32));
                customer.extend(mine.clone().map(|_| code));
                segment.extend(known);
                code += 1;
            }
        }
        Self { customer, customers: None, segment, gap: self.gap, ..self.subset(&rows) }
    }

    /// These journeys with other conversions and nulls; those that are left
    /// with neither are gone. Value goes with its conversions. What does not
    /// belong to journeys, such as cost, stays behind.
    pub(crate) fn reweighted(&self, conversions: &[f64], nulls: &[f64]) -> Self {
        let counts = |j: usize| conversions[j] != 0.0 || nulls[j] != 0.0;
        let kept: Vec<usize> = (0..self.len()).filter(|j| counts(*j)).collect();
        let value = |j: usize| match self.conversions[j] {
            before if before == conversions[j] => self.value[j],
            0.0 => 0.0,
            before => self.value[j] / before * conversions[j],
        };
        let mut out = self.select(counts);
        out.value = kept.iter().map(|j| value(*j)).collect();
        (out.conversions, out.nulls) = (pick(&kept, conversions), pick(&kept, nulls));
        out
    }

    /// These rows, their touches left out.
    fn untouched(&self, rows: &[usize]) -> Self {
        Self {
            channels: self.channels.clone(),
            channel_count: self.channel_count,
            customers: self.customers.clone(),
            timed: self.timed,
            has_value: self.has_value,
            observation_end: self.observation_end,
            lookback: self.lookback,
            campaigns: self.campaigns.clone(),
            kinds: self.kinds.clone(),
            places: self.places.clone(),
            offline: self.offline.clone(),
            segment: self.segment.clone(),
            segments: self.segments.clone(),
            len: pick(rows, &self.len),
            conversions: pick(rows, &self.conversions),
            nulls: pick(rows, &self.nulls),
            value: pick(rows, &self.value),
            customer: pick(rows, &self.customer),
            end: pick(rows, &self.end),
            expiry: pick(rows, &self.expiry),
            conversion_kind: pick(rows, &self.conversion_kind),
            place: pick(rows, &self.place),
            period: self.period,
            gap: self.gap.or(Some(Gap::Part).filter(|_| rows.len() < self.len())),
            ..Self::default()
        }
    }

    /// Customer codes as a column.
    pub(crate) fn customer_column(&self, codes: Vec<u32>) -> Values {
        match &self.customers {
            Some(labels) => Values::Names(Names { codes, labels: Arc::clone(labels) }),
            None => Values::I64(codes.into_iter().map(i64::from).collect()),
        }
    }
}

/// Copies touches of journeys; those that share touches share them in the copy.
#[derive(Default)]
pub(super) struct Copier {
    taken: Range<usize>,
    base: usize,
}

impl Copier {
    /// Appends a journey's touches, and says where they start.
    pub(super) fn touches(&mut self, out: &mut Journeys, from: &Journeys, j: usize) {
        let (range, taken) = (from.range(j), &mut self.taken);
        if range.start < taken.start || range.start > taken.end || taken.start == taken.end {
            self.base = out.steps.len();
            *taken = range.start..range.start;
        }
        out.start.push((self.base + range.start - taken.start) as u32);
        if range.end > taken.end {
            let new = taken.end..range.end;
            extend(&mut out.steps, &from.steps, &new);
            extend(&mut out.times, &from.times, &new);
            extend(&mut out.weight, &from.weight, &new);
            extend(&mut out.campaign, &from.campaign, &new);
            extend(&mut out.view, &from.view, &new);
            taken.end = range.end;
        }
    }
}

fn untimed() -> Error {
    Error::column("time", "these journeys come from paths, which have no times")
}

fn listed(labels: Option<&Arc<Labels>>) -> Vec<String> {
    labels.map_or_else(Vec::new, |l| (0..l.len() as u32).map(|code| l.get(code).into_owned()).collect())
}

fn pick<T: Copy>(kept: &[usize], values: &[T]) -> Vec<T> {
    kept.iter().filter_map(|j| values.get(*j).copied()).collect()
}

fn extend<T: Copy>(out: &mut Vec<T>, all: &[T], range: &Range<usize>) {
    out.extend_from_slice(all.get(range.clone()).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use crate::column::Columns;
    use crate::journey::{EventOptions, Journeys};
    use crate::run::Run;

    #[test]
    fn what_belongs_to_a_journey_goes_with_it() -> crate::Result<()> {
        let touches = Columns::new()
            .with("customer", vec!["ann", "bob", "bob", "cid"])
            .with("time", vec!["2024-01-01", "2024-01-02", "2024-02-20", "2024-03-01"])
            .with("channel", vec!["search", "email", "search", "email"]);
        let orders = Columns::new()
            .with("customer", vec!["ann", "bob"])
            .with("time", vec!["2024-01-03", "2024-01-04"])
            .with("kind", vec!["trial", "purchase"]);
        let options = EventOptions {
            conversion_kind: Some("kind".into()),
            lookback_by_channel: [("email".to_owned(), "5d".parse()?)].into_iter().collect(),
            ..EventOptions::default()
        };
        let all = Journeys::from_events(&touches, Some(&orders), &options, &Run::new())?;
        assert_eq!((all.len(), all.expiry.len(), all.conversion_kind.len()), (4, 4, 4));
        let rows = [3_u32, 1];
        let some = all.subset(&rows);
        let kept = all.select(|j| j == 1 || j == 3);
        for (i, row) in rows.iter().map(|r| *r as usize).enumerate() {
            for (part, at) in [(&some, i), (&kept, 1 - i)] {
                assert_eq!(part.journey(at).path, all.journey(row).path);
                assert_eq!(part.end_time(at), all.end_time(row));
                assert_eq!(part.expiry[at], all.expiry[row]);
                assert_eq!(part.conversion_kind[at], all.conversion_kind[row]);
            }
        }
        Ok(())
    }
}
