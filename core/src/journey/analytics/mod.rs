//! Reading journeys: what people do between the first touch and the conversion.
//!
//! | report | question | times? |
//! | --- | --- | --- |
//! | [`Journeys::funnel`] | how many get from step to step, how fast, and where the others go | for `window` |
//! | [`Journeys::step_matrix`] | where are they at the first, second, … touch, or around a channel | no |
//! | [`Journeys::graph`], [`Journeys::graph_difference`] | what follows what, and how two groups differ in it | no |
//! | [`Journeys::time_to_convert`], [`Journeys::path_length`] | how long until they convert, open journeys censored | yes; no |
//! | [`Journeys::assisted`], [`Journeys::positions`] | which channels open, assist and close | no |
//! | [`Journeys::overlap`] | which channels meet on a path, and do they gain by it | no |
//! | [`Journeys::online_offline`] | what crosses from online to offline, and back | for days |
//! | [`Journeys::friction`] | after which touch do people leave more often than expected | for `lookback` |
//! | [`Journeys::patterns`], [`Journeys::sequences`] | who took such a path, and do they convert more often; which stretches recur | for `within` |
//! | [`Journeys::features`] | what tells one path from another, as columns to cluster by | no |
//! | [`Journeys::lag_curves`] | how long ago was the touch of a channel when they converted | yes |
//!
//! Each is a [`Report`]: tables by name, the first being the one that it is
//! about. A row of journeys counts for `conversions + nulls` journeys
//! everywhere, so a row of weight 3 is three equal rows. Conversions without a
//! touch are part of no path, and are left out.

mod assisted;
mod cells;
mod features;
mod friction;
mod funnel;
mod graph;
mod holders;
mod lag_curves;
mod online_offline;
mod options;
mod overlap;
mod path_length;
mod pattern;
mod positions;
mod sequences;
mod stats;
mod step_matrix;
mod survival;
mod time_to_convert;
mod walk;

pub use assisted::{Assist, AssistedOptions};
pub use features::{FeatureOptions, Measure};
pub use friction::FrictionOptions;
pub use funnel::{Attempts, FunnelOptions, Order};
pub use graph::{DifferenceOptions, GraphOptions};
pub use lag_curves::{LagCurveOptions, LagFrom};
pub use online_offline::OnlineOfflineOptions;
pub use options::{ChannelSet, SplitBy, Weighing};
pub use overlap::OverlapOptions;
pub use path_length::PathLengthOptions;
pub use pattern::{MatchingOptions, PatternOptions};
pub use sequences::SequenceOptions;
pub use step_matrix::{Anchor, Occurrence, StepMatrixOptions};
pub use time_to_convert::{CensorAt, TimeToConvertOptions};
pub use walk::Entity;

use super::{Journeys, Moment};
use crate::column::{Duration, Table, Tables};
use crate::{Error, Result};

/// The step of a path that converts, in options and in tables.
const CONVERSION: &str = "(conversion)";
/// The end of a path that does not convert.
const NULL_END: &str = "(null)";
/// Before the first touch of a path.
const START: &str = "(start)";
/// All journeys, where a report is not split.
const ALL: &str = "(all)";

/// The tables of a report by name, the one that it is about first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report(Tables);

impl Report {
    fn new(tables: Tables) -> Self {
        Self(tables)
    }

    /// The table that the report is about.
    pub fn table(&self) -> Table {
        self.0.first().map(|(_, table)| table.clone()).unwrap_or_default()
    }

    /// A table by its name.
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, table)| table)
    }

    /// All tables, the one that the report is about first.
    pub fn into_tables(self) -> Tables {
        self.0
    }
}

impl Journeys {
    /// The end of observation: as given, else that of the build, else the latest end of a journey.
    fn observed_until(&self, given: Option<Moment>) -> i64 {
        let latest = || self.end.iter().copied().max().unwrap_or(0);
        given.map(|moment| moment.0).or(self.observation_end).unwrap_or_else(latest)
    }

    fn need_times(&self, option: &str) -> Result<()> {
        if self.timed {
            return Ok(());
        }
        Err(Error::option(option, "these journeys come from paths, which have no times"))
    }

    /// An error of a report that reads nothing but times.
    fn need_times_for(&self, report: &str) -> Result<()> {
        if self.timed {
            return Ok(());
        }
        let reason = format!(
            "{report} reads it, and these journeys come from paths, which have no times: build them from events"
        );
        Err(Error::column("time", reason))
    }

    /// Until when a conversion could follow an open journey: for `lookback`
    /// after its last touch, else to the end of its windows.
    fn expires(&self, journey: usize, lookback: Option<Duration>) -> i64 {
        let last = self.end[journey];
        match lookback {
            Some(lookback) => last.saturating_add(lookback.micros()),
            None => self.expiry_of(journey, last),
        }
    }

    /// What a journey counts for.
    fn weight(&self, journey: usize, weighing: Weighing) -> f64 {
        match weighing {
            Weighing::All => self.conversions[journey] + self.nulls[journey],
            Weighing::Conversions => self.conversions[journey],
            Weighing::Nulls => self.nulls[journey],
        }
    }
}
