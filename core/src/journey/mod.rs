//! What happened, in order: journeys from raw events, or from path tables.
//!
//! A journey is the touches of one customer inside the lookback window before
//! a conversion, in time order; touches that led to none form open (null)
//! journeys. Journeys are kept as ranges into one array of touches sorted by
//! customer and time, so a customer with 100,000 touches and 1,000 conversions
//! costs 101,000 entries, and no path is ever written out as a string.
//!
//! | policy | option | default |
//! | --- | --- | --- |
//! | how far a conversion looks back | `lookback` | 30 days; the window is `(t − lookback, t]` |
//! | touches of one customer at the same time | `ties` | by channel label, so the order of rows has no meaning |
//! | a touch at the instant of the conversion | `at_conversion` | included |
//! | a touch that could serve several conversions | `shared_touch` | each conversion looks back on its own |
//! | the row of a conversion flag is itself a touch | `flagged_row` | it is |
//! | touches that led to no conversion | `open` | they form open journeys |
//! | windows of channels, of views and clicks, of kinds of conversions | `lookback_by_channel`, `view_lookback`, `click_lookback`, `lookback_by_kind` | none; the shortest that applies to a touch holds |
//! | what touches count for in the rules | `weight`, `view_weight` | 1 |
//! | which conversions count | `kinds`, `order_id`, `duplicate_orders` | all |
//! | sessions, repeats, direct visits | `session_gap`, `session_touch`, `collapse`, `collapse_within`, `direct` | every touch is kept |
//!
//! Channels stand in the order of their labels everywhere, so that results do
//! not depend on the order of rows or parts.
//!
//! ```
//! use headwater::Run;
//! use headwater::column::Columns;
//! use headwater::journey::{EventOptions, Journeys};
//!
//! let touches = Columns::new()
//!     .with("customer", vec!["ann", "ann", "bob"])
//!     .with("time", vec!["2024-01-01", "2024-01-05", "2024-01-06"])
//!     .with("channel", vec!["search", "email", "email"]);
//! let orders = Columns::new()
//!     .with("customer", vec!["ann"])
//!     .with("time", vec!["2024-01-07"])
//!     .with("value", vec![40.0]);
//! let options = EventOptions { value: Some("value".into()), ..EventOptions::default() };
//! let journeys = Journeys::from_events(&touches, Some(&orders), &options, &Run::new())?;
//! let paths = journeys.paths(&Run::new())?;
//! assert_eq!(paths.text("path", 0).as_deref(), Some("search > email"));
//! assert_eq!(paths.f64s("value"), Some(&[40.0, 0.0][..]));
//! # Ok::<(), headwater::Error>(())
//! ```

mod analytics;
mod build;
mod chain;
mod counts;
mod detail;
mod door;
mod file;
mod fine;
mod grouping;
mod grow;
mod join;
mod ledger;
mod levels;
mod margin;
mod options;
mod paths;
pub(crate) mod pick;
mod read;
mod report;
mod select;
mod sets;
mod shared;
mod sort;
mod stretch;
mod transform;

use std::ops::Range;
use std::sync::Arc;

pub use analytics::{
    Anchor, Assist, AssistedOptions, Attempts, CensorAt, ChannelSet, DifferenceOptions, Entity,
    FeatureOptions, FrictionOptions, FunnelOptions, GraphOptions, LagCurveOptions, LagFrom, MatchingOptions,
    Measure, Occurrence, OnlineOfflineOptions, Order, OverlapOptions, PathLengthOptions, PatternOptions,
    Report, SequenceOptions, SplitBy, StepMatrixOptions, TimeToConvertOptions, Weighing,
};
pub use build::{Conversions, Policies, Touches};
pub(crate) use chain::highest_order;
pub use chain::{Chain, Repeats};
pub use counts::PathCounts;
pub(crate) use counts::group_sums;
pub use door::{
    CampaignOptions, JourneyReport, KindOptions, PeriodOptions, SegmentOptions, TransitionOptions,
};
pub use grouping::{
    ChannelGroups, ChannelOptions, ChannelRule, ChannelRules, Classified, ClickSource, Condition, Field,
    Internal, Origin, Precedence, Test, Visit, group_channels,
};
pub use grow::JourneyBuilder;
pub use levels::Hierarchy;
pub use margin::MarginOptions;
pub use options::{
    AtConversion, Collapse, Direct, DuplicateOrders, EventOptions, FlaggedRow, Moment, Open, PathOptions,
    Refunds, SessionTouch, SharedTouch, Ties,
};
pub use pick::{LifetimeMode, LifetimeOptions, MissingLifetime};
pub(crate) use sets::Coalitions;
pub use transform::{Keep, KeepInSession, Transform, TransformOptions};

use crate::Error;
use crate::column::{Dropped, Labels};
use crate::math::ExactSum;

/// The label of credit that no channel can have: conversions without a touch.
pub const UNATTRIBUTED: &str = "(unattributed)";

/// Journeys, ready to be counted, attributed and reported.
///
/// Made by [`Journeys::from_events`], [`Journeys::from_paths`],
/// [`Journeys::build`] or [`Journeys::from_counts`].
#[derive(Clone, Debug, Default)]
pub struct Journeys {
    /// Channel labels in their own order; codes are positions in it.
    pub(crate) channels: Option<Arc<Labels>>,
    pub(crate) channel_count: usize,
    /// Channels of the touches, sorted by customer and time.
    pub(crate) steps: Vec<u32>,
    /// Times of the touches; empty when journeys come from paths.
    pub(crate) times: Vec<i64>,
    /// Where each journey starts in `steps`, and how many touches it has.
    pub(crate) start: Vec<u32>,
    pub(crate) len: Vec<u32>,
    /// What each journey counts for.
    pub(crate) conversions: Vec<f64>,
    pub(crate) nulls: Vec<f64>,
    pub(crate) value: Vec<f64>,
    /// Customer and end (conversion, or last touch) of each journey; empty
    /// when journeys come from paths.
    pub(crate) customer: Vec<u32>,
    pub(crate) end: Vec<i64>,
    pub(crate) customers: Option<Arc<Labels>>,
    pub(crate) timed: bool,
    pub(crate) has_value: bool,
    /// Cost of each channel, of all its touches.
    pub(crate) cost: Option<Vec<f64>>,
    /// Touches up to the end of observation, in a journey or not.
    pub(crate) touches: u64,
    pub(crate) late_touches: u64,
    pub(crate) late_conversions: u64,
    pub(crate) dropped: Dropped,
    /// The end of observation, and how far conversions look back.
    pub(crate) observation_end: Option<i64>,
    pub(crate) lookback: i64,
    /// Until when a conversion could follow each journey; empty where that is
    /// `end + lookback`.
    pub(crate) expiry: Vec<i64>,
    /// Of each touch: what it counts for in the rules, its campaign, and whether
    /// it is a view; empty where nothing of the kind was read.
    pub(crate) weight: Vec<f64>,
    pub(crate) campaign: Vec<u32>,
    pub(crate) view: Vec<bool>,
    pub(crate) campaigns: Option<Arc<Labels>>,
    /// Of each journey: the kind and the place of its conversion, else
    /// [`NULL`](crate::column::NULL); empty where nothing of the kind was read.
    pub(crate) conversion_kind: Vec<u32>,
    pub(crate) kinds: Option<Arc<Labels>>,
    pub(crate) place: Vec<u32>,
    pub(crate) places: Option<Arc<Labels>>,
    /// Whether each channel is offline; empty where none is.
    pub(crate) offline: Vec<bool>,
    /// The segment of each customer code, else `NULL`; empty without segments.
    pub(crate) segment: Vec<u32>,
    pub(crate) segments: Option<Arc<Labels>>,
    pub(crate) merged: Merged,
    pub(crate) ledger: ledger::Ledger,
    /// Why touches of these customers may be missing.
    pub(crate) gap: Option<Gap>,
    /// The period that journeys were cut to, up to but without its end.
    pub(crate) period: Period,
}

/// A stretch of time, up to but without the second instant; open on a side
/// that nothing cut.
pub(crate) type Period = (Option<i64>, Option<i64>);

/// Why journeys may lack touches that their customers had until the end of
/// observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The policy of open journeys leaves touches out.
    Open,
    /// Direct visits were left out of journeys.
    Direct,
    /// Some of other journeys.
    Part,
    /// A step of a transformation left touches out.
    Transform,
}

impl Gap {
    /// The gap that a policy of open journeys makes.
    fn of(open: Open) -> Option<Self> {
        matches!(open, Open::Exclude | Open::Decided).then_some(Self::Open)
    }

    /// What to tell who needs all touches.
    pub(crate) fn error(self) -> Error {
        let (option, reason) = match self {
            Self::Open => ("open", "build the journeys with open = \"include\""),
            Self::Direct => {
                ("direct", "build the journeys with direct = \"keep\", and name the channel in `exclude`")
            }
            Self::Part => (
                "journeys",
                "these are a part of others (of a period, of a kind of conversion, of those that match a \
                 pattern): build journeys of the events of that period, or with `kinds`",
            ),
            Self::Transform => (
                "transform",
                "give the journeys from before it (`exclude`, `include_only` and `merge` may stay)",
            ),
        };
        Error::option(option, format!("left touches out, and all of every customer are needed: {reason}"))
    }
}

/// What was merged or left out on the way from events to journeys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// Sessions, where touches were cut into sessions; else 0.
    pub sessions: u64,
    /// Touches that another touch of their session stands for.
    pub in_sessions: u64,
    /// Touches that repeat the one before.
    pub repeats: u64,
    /// Times that a direct visit was left out of a journey.
    pub direct: u64,
    /// Conversions that repeat an order.
    pub orders: u64,
    /// Conversions of kinds that were not asked for.
    pub other_kinds: u64,
}

impl Merged {
    /// These with the new in place of those before.
    fn instead(&self, before: &Self, new: &Self) -> Self {
        let put = |of: fn(&Self) -> u64| of(self) + of(new) - of(before);
        Self {
            sessions: put(|m| m.sessions),
            in_sessions: put(|m| m.in_sessions),
            repeats: put(|m| m.repeats),
            // Counted by journey.
            direct: 0,
            orders: put(|m| m.orders),
            other_kinds: put(|m| m.other_kinds),
        }
    }

    fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.in_sessions += other.in_sessions;
        self.repeats += other.repeats;
        self.direct += other.direct;
        self.orders += other.orders;
        self.other_kinds += other.other_kinds;
    }
}

/// Touches and journeys in one piece of parallel work.
const PIECE: usize = 65_536;

/// One journey as a model sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journey<'a> {
    /// Channel codes in time order.
    pub path: &'a [u32],
    /// Touch times in microseconds; empty when journeys come from paths.
    pub times: &'a [i64],
    /// The conversion, or the last touch while open; 0 without times.
    pub end: i64,
    /// What each touch counts for; empty where all count the same.
    pub weights: &'a [f64],
    /// Campaign codes; empty where no campaigns were read.
    pub campaigns: &'a [u32],
    /// The code of the conversion's kind, where kinds were read.
    pub kind: Option<u32>,
}

impl Journeys {
    /// One journey as a model sees it; without touches past the end.
    pub fn journey(&self, journey: usize) -> Journey<'_> {
        Journey {
            path: self.path(journey),
            times: self.touch_times(journey),
            end: self.end_time(journey).unwrap_or(0),
            weights: self.weights(journey),
            campaigns: self.campaigns(journey),
            kind: self.conversion_kind(journey),
        }
    }

    /// How many journeys there are, open ones and conversions without a touch included.
    pub fn len(&self) -> usize {
        self.start.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// How many channels there are.
    pub fn channel_count(&self) -> usize {
        self.channel_count
    }

    /// The label of a channel; its code where journeys were built from codes alone.
    pub fn channel_label(&self, code: u32) -> String {
        match &self.channels {
            Some(labels) => labels.get(code).into_owned(),
            None => code.to_string(),
        }
    }

    /// The labels of all channels in the order of their codes.
    pub fn channel_labels(&self) -> Vec<String> {
        (0..self.channel_count as u32).map(|code| self.channel_label(code)).collect()
    }

    /// The channel codes of one journey, in time order; empty for a
    /// conversion without a touch and past the end.
    pub fn path(&self, journey: usize) -> &[u32] {
        self.steps.get(self.range(journey)).unwrap_or_default()
    }

    /// The touch times of one journey; empty when journeys come from paths.
    pub fn touch_times(&self, journey: usize) -> &[i64] {
        self.times.get(self.range(journey)).unwrap_or_default()
    }

    /// When a journey ended: its conversion, or its last touch while open.
    pub fn end_time(&self, journey: usize) -> Option<i64> {
        self.end.get(journey).copied()
    }

    /// The customer code of a journey.
    pub fn customer(&self, journey: usize) -> Option<u32> {
        self.customer.get(journey).copied()
    }

    /// How many conversions each journey counts for.
    pub fn conversions(&self) -> &[f64] {
        &self.conversions
    }

    /// How many open journeys each journey counts for.
    pub fn nulls(&self) -> &[f64] {
        &self.nulls
    }

    /// The value of each journey's conversions.
    pub fn values(&self) -> &[f64] {
        &self.value
    }

    /// Whether touches carry times: they do unless journeys come from paths.
    pub fn has_times(&self) -> bool {
        self.timed
    }

    /// Whether conversions carry values.
    pub fn has_value(&self) -> bool {
        self.has_value
    }

    /// What each channel cost, where cost is known: the cost of all touches
    /// that were kept, whether they led to a conversion or not.
    pub fn cost(&self) -> Option<&[f64]> {
        self.cost.as_deref()
    }

    /// All conversions, those without a touch included; rounded once.
    pub fn total_conversions(&self) -> f64 {
        total(&self.conversions)
    }

    /// The value of all conversions, those without a touch included; rounded once.
    pub fn total_value(&self) -> f64 {
        total(&self.value)
    }

    /// All open journeys.
    pub fn total_nulls(&self) -> f64 {
        total(&self.nulls)
    }

    /// Conversions without any touch, and their value.
    pub fn unattributed(&self) -> (f64, f64) {
        let (mut conversions, mut value) = (ExactSum::new(), ExactSum::new());
        for j in (0..self.len()).filter(|j| self.len[*j] == 0) {
            conversions.add(self.conversions[j]);
            value.add(self.value[j]);
        }
        (conversions.value(), value.value())
    }

    /// The rows that were dropped, and why.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    fn range(&self, journey: usize) -> Range<usize> {
        match (self.start.get(journey), self.len.get(journey)) {
            (Some(start), Some(len)) => *start as usize..*start as usize + *len as usize,
            _ => 0..0,
        }
    }

    /// Journeys cut into pieces of about equal work.
    pub(crate) fn pieces(&self) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let (mut first, mut load) = (0, 0);
        for (j, len) in self.len.iter().enumerate() {
            load += *len as usize + 1;
            if load >= PIECE {
                pieces.push(first..j + 1);
                (first, load) = (j + 1, 0);
            }
        }
        if first < self.len() {
            pieces.push(first..self.len());
        }
        pieces
    }
}

fn total(numbers: &[f64]) -> f64 {
    crate::math::exact_sum(numbers.iter().copied())
}
