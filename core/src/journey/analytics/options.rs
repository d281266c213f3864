//! Options that several reports share.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ALL, Journeys};
use crate::journey::select::NO_SEGMENT;
use crate::{Error, Result};

/// Which journeys count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighing {
    /// Those that convert and those that do not. The default.
    #[default]
    All,
    /// Those that convert.
    Conversions,
    /// Those that do not.
    Nulls,
}

/// What a report is split by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Nothing: one group, `(all)`. The default.
    #[default]
    None,
    /// The channel of the first touch.
    FirstChannel,
    /// The channel of the last touch.
    LastChannel,
    /// The segment of the customer, of [`Journeys::with_segments`]; customers
    /// without one come last, as `(none)`.
    Segment,
}

impl SplitBy {
    /// An error where the journeys cannot be split so.
    pub(super) fn check(self, journeys: &Journeys) -> Result<()> {
        if self == Self::Segment { journeys.need_segments() } else { Ok(()) }
    }

    /// How many groups there can be.
    pub(super) fn groups(self, journeys: &Journeys) -> usize {
        match self {
            Self::None => 1,
            Self::FirstChannel | Self::LastChannel => journeys.channel_count(),
            Self::Segment => journeys.segment_count() + 1,
        }
    }

    /// The group of a journey with a path that has touches.
    pub(super) fn group(self, journeys: &Journeys, j: usize, path: &[u32]) -> u32 {
        match self {
            Self::None => 0,
            Self::FirstChannel => path.first().copied().unwrap_or(0),
            Self::LastChannel => path.last().copied().unwrap_or(0),
            Self::Segment => journeys.segment(j).unwrap_or(journeys.segment_count() as u32),
        }
    }

    /// The names of the groups.
    pub(super) fn names(self, journeys: &Journeys) -> Vec<String> {
        match self {
            Self::None => vec![ALL.to_owned()],
            Self::FirstChannel | Self::LastChannel => journeys.channel_labels(),
            Self::Segment => journeys.segment_labels().into_iter().chain([NO_SEGMENT.to_owned()]).collect(),
        }
    }
}

/// One channel, or any of several: in options `"email"` or `["email", "sms"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSet(
    /// Labels of channels.
    pub Vec<String>,
);

impl<S: Into<String>> From<S> for ChannelSet {
    fn from(label: S) -> Self {
        Self(vec![label.into()])
    }
}

impl fmt::Display for ChannelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" | "))
    }
}

impl Serialize for ChannelSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => serializer.serialize_str(one),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ChannelSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a channel, or a list of channels")]
        enum Label {
            Text(String),
            Number(i64),
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a channel, or a list of channels")]
        enum Either {
            One(Label),
            Many(Vec<Label>),
        }
        let text = |label| match label {
            Label::Text(text) => text,
            Label::Number(number) => number.to_string(),
        };
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::One(label) => vec![text(label)],
            Either::Many(labels) => labels.into_iter().map(text).collect(),
        }))
    }
}

impl ChannelSet {
    /// The codes of the channels; a label that no channel has is an error of `option`.
    pub(super) fn codes(&self, option: &str, labels: &[String]) -> Result<Vec<u32>> {
        if self.0.is_empty() {
            return Err(Error::option(option, "holds an empty list of channels"));
        }
        let code = |label: &String| match labels.iter().position(|l| l == label) {
            Some(code) => Ok(code as u32),
            None => Err(Error::option(option, format!("there is no channel `{label}`; {}", known(labels)))),
        };
        self.0.iter().map(code).collect()
    }

    /// Which channels are in the set.
    pub(super) fn members(&self, option: &str, labels: &[String]) -> Result<Vec<bool>> {
        let mut out = vec![false; labels.len()];
        for code in self.codes(option, labels)? {
            out[code as usize] = true;
        }
        Ok(out)
    }
}

fn known(labels: &[String]) -> String {
    let mut shown = labels.iter().take(8).map(|l| format!("`{l}`")).collect::<Vec<_>>().join(", ");
    if labels.len() > 8 {
        shown.push_str(", …");
    }
    format!("the channels are {shown}")
}

/// Checks a share strictly between 0 and 1.
pub(super) fn open_unit(option: &str, x: f64) -> Result<f64> {
    if x > 0.0 && x < 1.0 {
        return Ok(x);
    }
    Err(Error::option(option, format!("must lie between 0 and 1, not be {x}")))
}

/// The normal quantile of a two-sided interval that covers `level`.
pub(super) fn level_z(level: f64) -> Result<f64> {
    Ok(crate::math::normal_quantile(0.5 + 0.5 * open_unit("level", level)?))
}

/// Checks quantiles, and gives the ends of their columns' names: `p50`, `p97.5`.
pub(super) fn quantile_names(quantiles: &[f64]) -> Result<Vec<String>> {
    let name = |q: &f64| Ok(format!("p{}", (open_unit("quantiles", *q)? * 1e8).round() / 1e6));
    quantiles.iter().map(name).collect()
}
