//! Changing paths before they are counted or attributed.

mod work;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Journeys;
use crate::column::Duration;
use crate::run::Run;
use crate::{Error, Result};
pub(super) use work::Relabelled;
use work::Work;

/// Which of several touches stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The first. The default.
    #[default]
    First,
    /// The last.
    Last,
}

/// Which touch stands for a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepInSession {
    /// The first, as in Google Analytics 4. The default.
    #[default]
    First,
    /// The last.
    Last,
    /// The first that is not direct; the first if all are.
    FirstNonDirect,
    /// The last that is not direct; the last if all are.
    LastNonDirect,
}

/// One step of [`Journeys::transform`].
///
/// In JSON a name, `"exposure"`, or an object with parameters, `{"step":
/// "trim_long_path", "steps": 20}`. Channels that a step names must be there.
///
/// With the touches `D A B B C D C C` of one journey:
///
/// | step | keeps | result |
/// | --- | --- | --- |
/// | `unique` | all touches | `D A B B C D C C` |
/// | `exposure` | one touch of every run of a channel | `D A B C D C` |
/// | `first` | the first touch of every channel | `D A B C` |
/// | `frequency` | the same, labelled with how many there were | `D(2) A(1) B(2) C(3)` |
/// | `remove_if_last_and_not_all` C | no touches of C at the end, unless all are of C | `D A B B C D` |
/// | `remove_if_not_all` C | no touches of C, unless all are of C | `D A B B D` |
/// | `trim_long_path` 3 | the last 3 touches | `D C C` |
/// | `exclude` C | no touches of C | `D A B B D` |
/// | `include_only` C | touches of C only | `C C C` |
/// | `ignore_direct` | no direct touches, unless all are direct | as `remove_if_not_all` |
/// | `merge` AD: A, D | all, channels renamed to those of groups | `AD AD B B C AD C C` |
/// | `merge_rare` | all, rare channels renamed to `other` | |
/// | `collapse` | one touch of a channel within a gap of time | |
/// | `sessions` | one touch of every session | |
///
/// The first seven are those of Google's fractribution (`path_transforms`),
/// which Snowplow's attribution package has from there.
///
/// Every step keeps all journeys with their customers, ends, conversions,
/// values and nulls: a conversion whose last touch is taken away becomes one
/// without a touch, `(unattributed)`. Channels stand in the order of their
/// labels after every step. Channels that are excluded leave the list, and
/// their cost with them; merged ones add up their cost, and are offline if all are; all others stay,
/// also those that have no touch left. Counters of touches, late and dropped
/// rows stay as they were built.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Transform {
    /// Nothing is changed.
    Unique,
    /// One touch of every run of touches of one channel.
    Exposure {
        /// Whose time it has. Default the first.
        keep: Keep,
    },
    /// The first touch of every channel.
    First,
    /// The first touch of every channel, labelled `channel(n)` with the number
    /// n of its touches. The cost of a channel is shared out by touches.
    Frequency,
    /// Touches of these channels at the end are dropped, unless there are no others.
    RemoveIfLastAndNotAll {
        /// The channels' labels.
        channels: Vec<String>,
    },
    /// Touches of these channels are dropped, unless there are no others.
    RemoveIfNotAll {
        /// The channels' labels.
        channels: Vec<String>,
    },
    /// The last `steps` touches.
    TrimLongPath {
        /// How many; 1 or more.
        steps: u32,
    },
    /// Touches of these channels are dropped.
    Exclude {
        /// The channels' labels.
        channels: Vec<String>,
    },
    /// Touches of all other channels are dropped.
    IncludeOnly {
        /// The channels' labels.
        channels: Vec<String>,
    },
    /// Direct touches are dropped, unless there are no others, as in Google
    /// Analytics 4.
    IgnoreDirect {
        /// Labels of direct channels, compared without regard to ASCII case;
        /// they need not be there. Default `["direct", "(direct)"]`.
        direct: Vec<String>,
    },
    /// Channels are renamed to the groups that they are in.
    Merge {
        /// The channels of each group. A group may have the label of a channel.
        channels: BTreeMap<String, Vec<String>>,
    },
    /// Channels with few touches are renamed. A touch counts as often as its
    /// journey (conversions + nulls).
    MergeRare {
        /// The share of all touches below which a channel is rare.
        min_share: f64,
        /// The new label. Default `"other"`.
        into: String,
    },
    /// A touch is dropped where its channel has a touch that was kept less
    /// than `gap` before it.
    Collapse {
        /// Longer than 0.
        gap: Duration,
    },
    /// One touch of every session. A touch more than `gap` after the one
    /// before begins a new session.
    Sessions {
        /// Default 30 minutes.
        gap: Duration,
        /// Which touch stays.
        keep: KeepInSession,
        /// Labels of direct channels, compared without regard to ASCII case.
        /// Default `["direct", "(direct)"]`.
        direct: Vec<String>,
    },
}

fn default_direct() -> Vec<String> {
    vec!["direct".into(), "(direct)".into()]
}

fn default_into() -> String {
    "other".into()
}

fn default_gap() -> Duration {
    Duration::from_micros(30 * 60_000_000)
}

/// The same as tagged objects, for serde.
#[derive(Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
enum Spec {
    Unique {},
    Exposure {
        #[serde(default)]
        keep: Keep,
    },
    First {},
    Frequency {},
    RemoveIfLastAndNotAll {
        channels: Vec<String>,
    },
    RemoveIfNotAll {
        channels: Vec<String>,
    },
    TrimLongPath {
        steps: u32,
    },
    Exclude {
        channels: Vec<String>,
    },
    IncludeOnly {
        channels: Vec<String>,
    },
    IgnoreDirect {
        #[serde(default = "default_direct")]
        direct: Vec<String>,
    },
    Merge {
        channels: BTreeMap<String, Vec<String>>,
    },
    MergeRare {
        min_share: f64,
        #[serde(default = "default_into")]
        into: String,
    },
    Collapse {
        gap: Duration,
    },
    Sessions {
        #[serde(default = "default_gap")]
        gap: Duration,
        #[serde(default)]
        keep: KeepInSession,
        #[serde(default = "default_direct")]
        direct: Vec<String>,
    },
}

impl Serialize for Transform {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let spec = match self.clone() {
            Self::Unique => Spec::Unique {},
            Self::Exposure { keep } => Spec::Exposure { keep },
            Self::First => Spec::First {},
            Self::Frequency => Spec::Frequency {},
            Self::RemoveIfLastAndNotAll { channels } => Spec::RemoveIfLastAndNotAll { channels },
            Self::RemoveIfNotAll { channels } => Spec::RemoveIfNotAll { channels },
            Self::TrimLongPath { steps } => Spec::TrimLongPath { steps },
            Self::Exclude { channels } => Spec::Exclude { channels },
            Self::IncludeOnly { channels } => Spec::IncludeOnly { channels },
            Self::IgnoreDirect { direct } => Spec::IgnoreDirect { direct },
            Self::Merge { channels } => Spec::Merge { channels },
            Self::MergeRare { min_share, into } => Spec::MergeRare { min_share, into },
            Self::Collapse { gap } => Spec::Collapse { gap },
            Self::Sessions { gap, keep, direct } => Spec::Sessions { gap, keep, direct },
        };
        spec.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Transform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::String(name) => {
                Value::Object([("step".to_owned(), Value::String(name))].into_iter().collect())
            }
            other => other,
        };
        let spec: Spec = serde_json::from_value(value).map_err(serde::de::Error::custom)?;
        Ok(match spec {
            Spec::Unique {} => Self::Unique,
            Spec::Exposure { keep } => Self::Exposure { keep },
            Spec::First {} => Self::First,
            Spec::Frequency {} => Self::Frequency,
            Spec::RemoveIfLastAndNotAll { channels } => Self::RemoveIfLastAndNotAll { channels },
            Spec::RemoveIfNotAll { channels } => Self::RemoveIfNotAll { channels },
            Spec::TrimLongPath { steps } => Self::TrimLongPath { steps },
            Spec::Exclude { channels } => Self::Exclude { channels },
            Spec::IncludeOnly { channels } => Self::IncludeOnly { channels },
            Spec::IgnoreDirect { direct } => Self::IgnoreDirect { direct },
            Spec::Merge { channels } => Self::Merge { channels },
            Spec::MergeRare { min_share, into } => Self::MergeRare { min_share, into },
            Spec::Collapse { gap } => Self::Collapse { gap },
            Spec::Sessions { gap, keep, direct } => Self::Sessions { gap, keep, direct },
        })
    }
}

/// Options of [`Journeys::transform`] as one object, for callers by JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformOptions {
    /// The steps in their order. Default none.
    pub steps: Vec<Transform>,
}

impl Journeys {
    /// The journeys after these steps, one after another.
    ///
    /// Takes `O(touches)` a step. Errors: [`Error::Option`] for a step that
    /// names a channel which is not there, or has a parameter out of range;
    /// [`Error::Column`] for `collapse` and `sessions` of journeys without
    /// times.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, PathOptions, Transform};
    ///
    /// let paths = Columns::new().with("path", vec!["search > search > direct"]).with("conversions", vec![3.0]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let steps = [Transform::Exposure { keep: Default::default() }, "ignore_direct".parse()?];
    /// let paths = journeys.transform(&steps, &Run::new())?.paths(&Run::new())?;
    /// assert_eq!(paths.text("path", 0).as_deref(), Some("search"));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn transform(&self, steps: &[Transform], run: &Run) -> Result<Self> {
        if steps.iter().all(|step| *step == Transform::Unique) {
            return Ok(self.clone());
        }
        let mut work = Work::new(self, run)?;
        for step in steps {
            work.step(step, run)?;
        }
        work.finish(run)
    }
}

impl std::str::FromStr for Transform {
    type Err = Error;

    /// The step of this name, with default parameters.
    fn from_str(name: &str) -> Result<Self> {
        serde_json::from_value(Value::String(name.to_owned()))
            .map_err(|e| Error::option("step", e.to_string()))
    }
}
