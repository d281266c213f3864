//! Named markets that differ in what makes attribution hard.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::options::{ChannelKind, ChannelOptions, FollowOn, MarketOptions, PurchaseProcess, Synergy};
use crate::column::{Duration, Table, Text, Values};
use crate::{Error, Result};

const HOUR: i64 = 3_600_000_000;

type Preset = (&'static str, &'static str, fn() -> MarketOptions);

const PRESETS: [Preset; 10] = [
    ("plain", "Five channels touch people by chance, none knows who means to buy.", plain),
    (
        "branded_search",
        "Most orders pass through branded search and direct, which cause nothing: they catch who buys anyway.",
        branded_search,
    ),
    (
        "retargeting",
        "Retargeting follows those about to buy and stands last before their orders; it causes next to nothing.",
        retargeting,
    ),
    (
        "targeted",
        "Social and display are aimed at people who come to buy anyway, several times as often as at others.",
        targeted,
    ),
    (
        "upper_funnel",
        "Video and display cause most orders, weeks later and unclicked; search and direct collect them.",
        upper_funnel,
    ),
    (
        "loyal_base",
        "Regular customers buy by themselves, reached by many newsletters and coming in directly.",
        loyal_base,
    ),
    (
        "synergy",
        "Display and video do little alone, but make search and social several times as strong.",
        synergy,
    ),
    (
        "saturated",
        "Display and social touch the same people over and over; each touch wears out the next.",
        saturated,
    ),
    ("low_signal", "The plain market with a tenth of the effect: nearly all orders come anyway.", low_signal),
    (
        "mixed",
        "Everything at once: branded search, retargeting, aiming, priming, wear, newsletters, people who differ.",
        mixed,
    ),
];

/// The named markets: name, story.
pub fn presets() -> Table {
    let names: Text = PRESETS.iter().map(|(name, ..)| *name).collect();
    let stories: Text = PRESETS.iter().map(|(_, story, _)| *story).collect();
    Table::new().with("name", Values::Text(names)).with("story", Values::Text(stories))
}

impl MarketOptions {
    /// A named market of 20,000 people over 180 days; [`presets`] tells which there are.
    ///
    /// | name | what makes it hard |
    /// | --- | --- |
    /// | `plain` | nothing but the baseline |
    /// | `branded_search` | channels that catch who buys anyway |
    /// | `retargeting` | a channel that follows intent |
    /// | `targeted` | chance touches aimed at likely buyers |
    /// | `upper_funnel` | impressions that work for weeks, and channels that collect |
    /// | `loyal_base` | mostly baseline orders, newsletters and direct visits |
    /// | `synergy` | channels that work through others |
    /// | `saturated` | touches that wear out |
    /// | `low_signal` | small effects |
    /// | `mixed` | all of these |
    ///
    /// # Errors
    /// `Option` for a name that is not there.
    ///
    /// ```
    /// use headwater::simulate::MarketOptions;
    ///
    /// let market = MarketOptions { seed: 3, ..MarketOptions::preset("retargeting")? };
    /// assert!(market.channels.iter().any(|c| c.name == "retargeting" && c.follow > 0.0));
    /// assert!(MarketOptions::preset("retargetting").is_err());
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn preset(name: &str) -> Result<Self> {
        PRESETS.iter().find(|(known, ..)| *known == name).map(|(.., make)| make()).ok_or_else(|| {
            let known: Vec<&str> = PRESETS.iter().map(|(name, ..)| *name).collect();
            Error::option("preset", format!("`{name}` is not among {}", known.join(", ")))
        })
    }
}

impl Serialize for MarketOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for MarketOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut given = serde_json::Map::<String, Value>::deserialize(deserializer)?;
        let start = match given.remove("preset") {
            None | Some(Value::Null) => return read(given.into()),
            Some(Value::String(name)) => Self::preset(&name).map_err(serde::de::Error::custom)?,
            Some(other) => {
                return Err(serde::de::Error::custom(format!("invalid type: {other}, expected a name")));
            }
        };
        let mut options = serde_json::to_value(start).map_err(serde::de::Error::custom)?;
        for (key, value) in given {
            match (options.get_mut(&key), value) {
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                (Some(old), new) => *old = new,
                // An unknown name, which reading will refuse.
                (None, new) => options[&key] = new,
            }
        }
        read(options)
    }
}

fn read<E: serde::de::Error>(options: Value) -> std::result::Result<MarketOptions, E> {
    MarketOptions::deserialize(options).map_err(E::custom)
}

fn market(channels: Vec<ChannelOptions>) -> MarketOptions {
    MarketOptions {
        people: 20_000,
        days: 180,
        holdout_days: 30,
        channels,
        purchases: PurchaseProcess { buyers: 0.3, ..PurchaseProcess::default() },
        ..MarketOptions::default()
    }
}

fn channel(name: &str, reach: f64, cost: f64, effect: f64, carry_over: u32) -> ChannelOptions {
    ChannelOptions {
        name: name.to_owned(),
        reach,
        cost,
        effect,
        carry_over: Duration::from_days(carry_over),
        campaigns: 2,
        ..ChannelOptions::default()
    }
}

fn impressions(name: &str, reach: f64, cost: f64, effect: f64, carry_over: u32) -> ChannelOptions {
    ChannelOptions { visit: false, ..channel(name, reach, cost, effect, carry_over) }
}

/// A channel that accompanies orders.
fn catching(name: &str, intent: f64, cost: f64, effect: f64) -> ChannelOptions {
    ChannelOptions { intent, ..channel(name, 0.05, cost, effect, 1) }
}

fn direct(intent: f64) -> ChannelOptions {
    ChannelOptions {
        kind: ChannelKind::Organic,
        campaigns: 0,
        reach: 0.4,
        ..catching("direct", intent, 0.0, 0.0)
    }
}

fn newsletters(reach: f64, effect: f64) -> ChannelOptions {
    ChannelOptions {
        kind: ChannelKind::Organic,
        customers_only: true,
        knows_email: true,
        ..channel("email", reach, 0.002, effect, 3)
    }
}

fn following(follow: f64, effect: f64) -> ChannelOptions {
    ChannelOptions {
        follow,
        follow_on: FollowOn::Intent,
        follow_delay: Duration::from_micros(6 * HOUR),
        ..impressions("retargeting", 0.0, 0.05, effect, 2)
    }
}

fn primed(after: &str, factor: f64) -> Vec<Synergy> {
    vec![Synergy { after: after.to_owned(), factor, within: Duration::from_days(14) }]
}

fn plain() -> MarketOptions {
    market(vec![
        channel("paid_search", 0.8, 0.80, 0.04, 2),
        channel("social", 1.2, 0.15, 0.02, 4),
        impressions("display", 4.0, 0.01, 0.004, 5),
        impressions("video", 1.0, 0.04, 0.015, 7),
        channel("affiliate", 0.3, 0.50, 0.04, 2),
    ])
}

fn branded_search() -> MarketOptions {
    market(vec![
        channel("paid_search", 0.8, 0.80, 0.04, 2),
        catching("branded_search", 0.6, 0.30, 0.0005),
        channel("social", 1.2, 0.15, 0.02, 4),
        impressions("display", 4.0, 0.01, 0.004, 5),
        direct(0.3),
    ])
}

fn retargeting() -> MarketOptions {
    let considered = |c: ChannelOptions| ChannelOptions { intent_lead: Duration::from_days(2), ..c };
    market(vec![
        ChannelOptions { intent: 0.15, ..considered(channel("paid_search", 0.8, 0.80, 0.04, 2)) },
        channel("social", 1.2, 0.15, 0.02, 4),
        impressions("display", 4.0, 0.01, 0.004, 5),
        following(0.8, 0.002),
        considered(direct(0.5)),
    ])
}

fn targeted() -> MarketOptions {
    market(vec![
        channel("paid_search", 0.8, 0.80, 0.04, 2),
        ChannelOptions { targeting: 6.0, ..channel("social", 1.2, 0.15, 0.01, 4) },
        ChannelOptions { targeting: 4.0, ..impressions("display", 4.0, 0.01, 0.003, 5) },
        impressions("video", 1.0, 0.04, 0.015, 7),
        channel("affiliate", 0.3, 0.50, 0.04, 2),
    ])
}

fn upper_funnel() -> MarketOptions {
    market(vec![
        impressions("video", 2.0, 0.04, 0.025, 21),
        impressions("display", 4.0, 0.01, 0.008, 14),
        ChannelOptions { intent: 0.25, ..channel("paid_search", 0.4, 0.80, 0.015, 2) },
        catching("branded_search", 0.4, 0.30, 0.0005),
        direct(0.4),
    ])
}

fn loyal_base() -> MarketOptions {
    let purchases = PurchaseProcess { buyers: 0.7, alpha: 24.0, b: 9.0, ..PurchaseProcess::default() };
    let channels = vec![
        newsletters(5.0, 0.006),
        direct(0.6),
        channel("paid_search", 0.6, 0.80, 0.03, 2),
        channel("social", 0.8, 0.15, 0.02, 4),
    ];
    MarketOptions { purchases, ..market(channels) }
}

fn synergy() -> MarketOptions {
    market(vec![
        ChannelOptions { synergy: primed("display", 4.0), ..channel("paid_search", 0.8, 0.80, 0.015, 2) },
        ChannelOptions { synergy: primed("video", 3.0), ..channel("social", 1.2, 0.15, 0.012, 4) },
        impressions("display", 2.0, 0.01, 0.002, 5),
        impressions("video", 1.0, 0.04, 0.004, 7),
        channel("affiliate", 0.3, 0.50, 0.04, 2),
    ])
}

fn saturated() -> MarketOptions {
    let worn = |saturation, c: ChannelOptions| ChannelOptions { saturation, ..c };
    market(vec![
        channel("paid_search", 0.8, 0.80, 0.04, 2),
        worn(0.25, channel("social", 4.0, 0.15, 0.03, 4)),
        worn(0.2, impressions("display", 10.0, 0.01, 0.02, 5)),
        impressions("video", 1.0, 0.04, 0.015, 7),
        channel("affiliate", 0.3, 0.50, 0.04, 2),
    ])
}

fn low_signal() -> MarketOptions {
    let mut options = plain();
    for channel in &mut options.channels {
        channel.effect /= 10.0;
    }
    options
}

fn mixed() -> MarketOptions {
    let channels = vec![
        ChannelOptions {
            intent: 0.1,
            synergy: primed("video", 3.0),
            ..channel("paid_search", 0.8, 0.80, 0.02, 2)
        },
        catching("branded_search", 0.4, 0.30, 0.0005),
        ChannelOptions { targeting: 3.0, ..channel("social", 1.2, 0.15, 0.02, 4) },
        ChannelOptions { saturation: 0.15, ..impressions("display", 5.0, 0.01, 0.008, 7) },
        impressions("video", 1.0, 0.04, 0.01, 14),
        newsletters(3.0, 0.005),
        following(0.5, 0.002),
        channel("affiliate", 0.3, 0.50, 0.03, 2),
        direct(0.35),
    ];
    MarketOptions { responsiveness: Some(1.0), ..market(channels) }
}
