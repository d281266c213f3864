//! Options of the two ways in.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::column::{Duration, OnInvalid, Sign, TimeUnit, parse_time};
use crate::{Error, Result};

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
    /// Serves the first only: after a conversion the journey starts anew, and
    /// no touch from before it comes back.
    Reset,
    /// Serves the first conversion whose window holds it. As `reset` where all
    /// windows are equal; where they differ, a conversion that looks back far
    /// still finds the touches that an earlier one did not reach.
    FirstOnly,
}

/// Conversions of negative value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refunds {
    /// Are rows that cannot be used. The default.
    #[default]
    Error,
    /// Are kept: their value is taken from the touches of their journey.
    Keep,
}

impl Refunds {
    pub(super) fn sign(self) -> Sign {
        match self {
            Self::Error => Sign::NonNegative,
            Self::Keep => Sign::Any,
        }
    }
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
    /// All form open journeys, and only those that are over count as nulls;
    /// the others are censored and count 0.
    Censored,
    /// Are left out.
    Exclude,
}

/// The touch that stands for a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionTouch {
    /// Its first. The default.
    #[default]
    First,
    /// Its last.
    Last,
    /// Its first that is not direct; its first if all are.
    FirstNonDirect,
    /// Its last that is not direct; its last if all are.
    LastNonDirect,
}

/// The same touch several times in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collapse {
    /// Counts as often as it occurs. The default.
    #[default]
    None,
    /// Counts once, at its first time.
    Consecutive,
}

/// Direct visits in a journey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direct {
    /// Are touches like others. The default.
    #[default]
    Keep,
    /// Are left out of journeys that have another touch, as in GA4.
    IgnoreUnlessAlone,
}

/// Conversions with the same order id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateOrders {
    /// The earliest is kept; of several at that time the one of the most
    /// value. The default.
    #[default]
    First,
    /// The latest is kept; of several at that time the one of the most value.
    Last,
    /// The earliest is kept, with the value of all.
    Sum,
    /// Are an error.
    Error,
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
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
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
    #[serde(alias = "conversions")]
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
    /// Windows of channels by their labels, in place of `lookback`. Where a
    /// touch has several of the windows that follow, the shortest holds.
    pub lookback_by_channel: BTreeMap<String, Duration>,
    /// Column of touches: whether it was a view or a click; a click where it is
    /// null. Default none: all are clicks.
    pub kind: Option<String>,
    /// What views are called in `kind`. Default `"view"`.
    pub view: String,
    /// What clicks are called in `kind`. Default `"click"`.
    pub click: String,
    /// Window of views, in place of `lookback`. Default none.
    pub view_lookback: Option<Duration>,
    /// Window of clicks, in place of `lookback`. Default none.
    pub click_lookback: Option<Duration>,
    /// What a view counts for in the rules, beside 1 of a click. Default 1.
    pub view_weight: f64,
    /// Column of touches: what each counts for in the rules, 0 or more; views
    /// count for `view_weight` times that. Default none: 1.
    pub weight: Option<String>,
    /// Column of touches: the campaign within the channel; may be null. Default none.
    pub campaign: Option<String>,
    /// Column of conversions: their kind. Default none.
    pub conversion_kind: Option<String>,
    /// The kinds that count as conversions; others are left out and counted.
    /// Default: all.
    pub kinds: Option<Vec<String>>,
    /// Windows of kinds of conversions, in place of `lookback`.
    pub lookback_by_kind: BTreeMap<String, Duration>,
    /// Column of conversions: the order; rows with the same id are one
    /// conversion, and those where it is null stand alone. Default none.
    pub order_id: Option<String>,
    /// What is kept of conversions with the same order id.
    pub duplicate_orders: DuplicateOrders,
    /// Column of conversions: where they took place (`online`, `store`); may be
    /// null. Default none.
    pub conversion_place: Option<String>,
    /// Labels of the channels that are not online (store visits, calls, direct mail).
    pub offline_channels: Vec<String>,
    /// Touches no further apart than this, each from the one before, are one
    /// session, of which one touch is kept. Default none: all are kept.
    pub session_gap: Option<Duration>,
    /// The touch that stands for a session.
    pub session_touch: SessionTouch,
    /// The same touch (channel, campaign and kind) several times in a row.
    pub collapse: Collapse,
    /// How far apart two equal touches in a row may be to collapse. Default
    /// none: however far.
    pub collapse_within: Option<Duration>,
    /// Direct visits.
    pub direct: Direct,
    /// Labels of direct visits, in any case. Default `"direct"` and `"(direct)"`.
    pub direct_labels: Vec<String>,
    /// Conversions of negative value.
    pub refunds: Refunds,
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
            lookback_by_channel: BTreeMap::new(),
            kind: None,
            view: "view".into(),
            click: "click".into(),
            view_lookback: None,
            click_lookback: None,
            view_weight: 1.0,
            weight: None,
            campaign: None,
            conversion_kind: None,
            kinds: None,
            lookback_by_kind: BTreeMap::new(),
            order_id: None,
            duplicate_orders: DuplicateOrders::default(),
            conversion_place: None,
            offline_channels: Vec::new(),
            session_gap: None,
            session_touch: SessionTouch::default(),
            collapse: Collapse::default(),
            collapse_within: None,
            direct: Direct::default(),
            direct_labels: vec!["direct".into(), "(direct)".into()],
            refunds: Refunds::default(),
            on_invalid: OnInvalid::default(),
            time_unit: None,
        }
    }
}

impl EventOptions {
    /// Whether a touch is more than its channel, a conversion more than its
    /// value, or windows differ.
    pub(super) fn is_fine(&self) -> bool {
        let touches = [&self.kind, &self.weight, &self.campaign];
        let conversions = [&self.conversion_kind, &self.conversion_place, &self.order_id];
        touches.into_iter().chain(conversions).any(Option::is_some)
            || !self.lookback_by_channel.is_empty()
            || self.click_lookback.is_some()
            || self.session_gap.is_some()
            || self.collapse != Collapse::None
            || self.direct != Direct::Keep
    }

    /// The columns that are read of touches, and of a frame of conversions.
    pub(super) fn columns(&self) -> [Vec<&str>; 2] {
        let of_sale = [&self.value, &self.conversion_kind, &self.order_id, &self.conversion_place];
        let of_sale = || of_sale.into_iter().flatten();
        let of_touch = [&self.cost, &self.conversion, &self.kind, &self.weight, &self.campaign];
        let mut touches: Vec<&str> = vec![&self.customer, &self.time, &self.channel];
        touches.extend(of_touch.into_iter().flatten().map(String::as_str));
        touches.extend(of_sale().filter(|_| self.conversion.is_some()).map(String::as_str));
        let mut conversions: Vec<&str> = vec![
            self.conversion_customer.as_ref().unwrap_or(&self.customer),
            self.conversion_time.as_ref().unwrap_or(&self.time),
        ];
        conversions.extend(of_sale().map(String::as_str));
        [touches, conversions]
    }

    /// An [`Error::Option`] for options that contradict each other.
    pub fn check(&self) -> Result<()> {
        let need = |given: bool, there: bool, option: &str, other: &str| {
            if given && !there {
                return Err(Error::option(
                    option,
                    format!("has no meaning without `{other}`: name that too"),
                ));
            }
            Ok(())
        };
        let Self { kind, conversion_kind, .. } = self;
        need(self.view_lookback.is_some(), kind.is_some(), "view_lookback", "kind")?;
        need(self.click_lookback.is_some(), kind.is_some(), "click_lookback", "kind")?;
        need(self.view_weight != 1.0, kind.is_some(), "view_weight", "kind")?;
        need(self.kinds.is_some(), conversion_kind.is_some(), "kinds", "conversion_kind")?;
        need(
            !self.lookback_by_kind.is_empty(),
            conversion_kind.is_some(),
            "lookback_by_kind",
            "conversion_kind",
        )?;
        let collapses = self.collapse != Collapse::None;
        need(self.collapse_within.is_some(), collapses, "collapse_within", "collapse=\"consecutive\"")?;
        let kept = self.duplicate_orders != DuplicateOrders::First;
        need(kept, self.order_id.is_some(), "duplicate_orders", "order_id")?;
        let chosen = self.session_touch != SessionTouch::default();
        need(chosen, self.session_gap.is_some(), "session_touch", "session_gap")?;
        let is_direct =
            matches!(self.session_touch, SessionTouch::FirstNonDirect | SessionTouch::LastNonDirect);
        let direct = self.direct != Direct::Keep || is_direct;
        let named = self.direct_labels != Self::default().direct_labels;
        need(named, direct, "direct_labels", "direct=\"ignore_unless_alone\"")?;
        if !(self.view_weight >= 0.0 && self.view_weight.is_finite()) {
            return Err(Error::option("view_weight", format!("must be 0 or more, not {}", self.view_weight)));
        }
        if self.kind.is_some() && self.view == self.click {
            return Err(Error::option("view", "must differ from `click`"));
        }
        Ok(())
    }

    /// An [`Error::Option`] for options that say something of conversions which
    /// do not come in this way: as a frame of their own, or as flagged rows.
    pub(super) fn check_conversions(&self, frame: bool) -> Result<()> {
        let flag = self.conversion.is_some();
        let any = "conversions: give a frame of them, or a column of flags";
        let of_frame = "a frame of conversions";
        let given = [
            ("value", self.value.is_some(), frame || flag, any),
            ("conversion_kind", self.conversion_kind.is_some(), frame || flag, any),
            ("conversion_place", self.conversion_place.is_some(), frame || flag, any),
            ("order_id", self.order_id.is_some(), frame || flag, any),
            ("conversion_customer", self.conversion_customer.is_some(), frame, of_frame),
            ("conversion_time", self.conversion_time.is_some(), frame, of_frame),
            ("flagged_row", self.flagged_row != FlaggedRow::default(), flag, "a column of flags"),
        ];
        match given.into_iter().find(|(_, given, there, _)| *given && !there) {
            Some((option, _, _, what)) => {
                Err(Error::option(option, format!("has no meaning without {what}")))
            }
            None => Ok(()),
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
    /// Rows of negative value.
    pub refunds: Refunds,
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
            refunds: Refunds::default(),
            on_invalid: OnInvalid::default(),
        }
    }
}
