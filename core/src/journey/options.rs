//! Options of the two ways in.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::column::{Duration, OnInvalid, TimeUnit, parse_time};

/// The order of one customer's touches at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// By the label of the channel: the order of rows has no meaning. The default.
    #[default]
    Channel,
    /// As the rows stand: for logs that were written in order with coarse times.
    Input,
}

/// A touch at the instant of the conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtConversion {
    /// Belongs to the journey. The default.
    #[default]
    Include,
    /// Comes too late for it.
    Exclude,
}

/// A touch that lies in the windows of several conversions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedTouch {
    /// Serves each of them: every conversion looks back on its own. The default.
    #[default]
    Each,
    /// Serves the first only: after a conversion the journey starts anew.
    Reset,
}

/// Touches that led to no conversion.
///
/// An open journey is a run of a customer's touches, none of which lies in the
/// journey of a conversion, cut at every conversion and wherever two neighbours
/// are further apart than the lookback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// Form open journeys, which count as nulls. The default.
    #[default]
    Include,
    /// Only open journeys that are over: their last touch is at least the
    /// lookback older than the end of observation, so no conversion can follow.
    Decided,
    /// Are left out.
    Exclude,
}

/// A row of touches that carries the conversion flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlaggedRow {
    /// Is a conversion, and its channel is a touch at the same instant (which
    /// `at_conversion` includes or not). The default.
    #[default]
    TouchAndConversion,
    /// Is a conversion only; its channel may be missing.
    Conversion,
}

/// A point in time in options: an ISO string, or microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(
    /// Microseconds since the epoch, UTC.
    pub i64,
);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a time such as \"2024-12-31T00:00:00Z\", or microseconds since the epoch"
        )]
        enum Either {
            Micros(i64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Micros(micros) => Ok(Self(micros)),
            Either::Text(text) => parse_time(&text).map(Self).ok_or_else(|| {
                serde::de::Error::custom(format!(
                    "\"{text}\" is not a time; write it as 2024-12-31T00:00:00Z"
                ))
            }),
        }
    }
}

/// Columns and policies of [`Journeys::from_events`](super::Journeys::from_events).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventOptions {
    /// Column of touches: who. Default `"customer"`.
    pub customer: String,
    /// Column of touches: when. Default `"time"`.
    pub time: String,
    /// Column of touches: through which channel. Default `"channel"`.
    pub channel: String,
    /// Column of touches: what the touch cost, 0 where it is null. Default none.
    pub cost: Option<String>,
    /// Column of touches that flags the rows which are conversions, when these
    /// are not a frame of their own. Default none.
    pub conversion: Option<String>,
    /// Column of the value of a conversion, in the frame that has the
    /// conversions. Default none: only numbers of conversions are known.
    pub value: Option<String>,
    /// Column of conversions: who. Default: as in touches.
    pub conversion_customer: Option<String>,
    /// Column of conversions: when. Default: as in touches.
    pub conversion_time: Option<String>,
    /// How far a conversion looks back, the far end excluded. Default 30 days.
    pub lookback: Duration,
    /// The order of touches at the same time.
    pub ties: Ties,
    /// A touch at the instant of the conversion.
    pub at_conversion: AtConversion,
    /// A touch that could serve several conversions.
    pub shared_touch: SharedTouch,
    /// A flagged row's own channel.
    pub flagged_row: FlaggedRow,
    /// Touches that led to no conversion.
    pub open: Open,
    /// The end of observation; what is later is left out and counted. Default:
    /// the latest time there is.
    pub observation_end: Option<Moment>,
    /// Rows with nulls, NaN or negative amounts.
    pub on_invalid: OnInvalid,
    /// The unit of times that are plain numbers. Default none, and then they are an error.
    pub time_unit: Option<TimeUnit>,
}

impl Default for EventOptions {
    fn default() -> Self {
        Self {
            customer: "customer".into(),
            time: "time".into(),
            channel: "channel".into(),
            cost: None,
            conversion: None,
            value: None,
            conversion_customer: None,
            conversion_time: None,
            lookback: Duration::from_days(30),
            ties: Ties::default(),
            at_conversion: AtConversion::default(),
            shared_touch: SharedTouch::default(),
            flagged_row: FlaggedRow::default(),
            open: Open::default(),
            observation_end: None,
            on_invalid: OnInvalid::default(),
            time_unit: None,
        }
    }
}

/// Columns of [`Journeys::from_paths`](super::Journeys::from_paths).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathOptions {
    /// Column of the path, its channels joined by `sep`. Null or blank means
    /// conversions without a touch. Default `"path"`.
    pub path: String,
    /// Column of how many conversions the row counts for, fractions allowed;
    /// none: one each. Default `"conversions"`.
    pub conversions: Option<String>,
    /// Column of the value of all the row's conversions. Default none.
    pub value: Option<String>,
    /// Column of how many open journeys took this path. Default none: without
    /// them every journey converts.
    pub nulls: Option<String>,
    /// What stands between two channels; white space around channels is cut. Default `" > "`.
    pub sep: String,
    /// Rows with nulls, NaN or negative amounts, or with an empty step in the path.
    pub on_invalid: OnInvalid,
}

impl Default for PathOptions {
    fn default() -> Self {
        Self {
            path: "path".into(),
            conversions: Some("conversions".into()),
            value: None,
            nulls: None,
            sep: " > ".into(),
            on_invalid: OnInvalid::default(),
        }
    }
}
