//! What a market is made of.

use serde::{Deserialize, Serialize};

use crate::column::{DAY, Duration, parse_time};
use crate::{Error, Result};

/// Whether a channel is bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Media that is paid for.
    #[default]
    Paid,
    /// Owned or earned: direct visits, e-mail, unpaid search.
    Organic,
}

/// Whose visits a following channel follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowOn {
    /// Every visit.
    #[default]
    Visits,
    /// Only visits that accompany an order, of people who mean to buy.
    Intent,
}

/// What an earlier touch of another channel makes of a channel's effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synergy {
    /// The other channel.
    pub after: String,
    /// How many times as strong the effect is after a touch of it; below 1
    /// weaker. From 0 to 100.
    pub factor: f64,
    /// How long such a touch counts. Default `"14d"`.
    #[serde(default = "two_weeks")]
    pub within: Duration,
}

fn two_weeks() -> Duration {
    Duration::from_days(14)
}

/// One channel, and what it truly does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelOptions {
    /// The channel's name; unique, not empty.
    pub name: String,
    /// Paid or organic; tells the reader, changes nothing.
    pub kind: ChannelKind,
    /// Touches per person in 30 days, on average, by chance alone. Default 0.
    pub reach: f64,
    /// Money for each touch. Default 0.
    pub cost: f64,
    /// Probability that one touch causes one order that would not have been. Default 0.
    pub effect: f64,
    /// Half-life of the delay from a touch to the order that it causes. Default `"2d"`.
    pub carry_over: Duration,
    /// Selection: probability that an order is preceded by a touch of this
    /// channel because the person means to buy. Default 0.
    pub intent: f64,
    /// Mean time from such a touch to its order. Default `"6h"`.
    pub intent_lead: Duration,
    /// Selection: probability that a visit through another channel is followed
    /// by a touch of this one, as retargeting does. Default 0.
    pub follow: f64,
    /// Whether it follows every visit (`"visits"`), or only those that accompany
    /// an order because the person means to buy (`"intent"`). Default `"visits"`.
    pub follow_on: FollowOn,
    /// Mean time from the visit to the touch that follows it. Default `"2d"`.
    pub follow_delay: Duration,
    /// Selection: how many times as often chance touches reach people who come
    /// to buy without being brought as they reach others, as advertising aimed
    /// at likely buyers does; `reach` stays the average. Default 1.
    pub targeting: f64,
    /// What each earlier touch of the channel takes from the effect of the next:
    /// after n touches within `saturation_window` it is effect × (1 −
    /// saturation)ⁿ. Default 0.
    pub saturation: f64,
    /// How long a touch weakens those that come after it. Default `"30d"`.
    pub saturation_window: Duration,
    /// Other channels whose touches multiply the effect of later touches of
    /// this one: `{"after": "display", "factor": 3, "within": "14d"}`. Default none.
    pub synergy: Vec<Synergy>,
    /// Whether a touch is a visit, where the person may log in; else it is an
    /// impression. Default true.
    pub visit: bool,
    /// Whether the channel reaches only people who have ordered. Default false.
    pub customers_only: bool,
    /// Whether a touch carries the person's e-mail address, as a link in a
    /// newsletter does. Default false.
    pub knows_email: bool,
    /// Number of campaigns, evenly used; 0 leaves the campaign empty. Default 0.
    pub campaigns: u16,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ChannelKind::Paid,
            reach: 0.0,
            cost: 0.0,
            effect: 0.0,
            carry_over: Duration::from_days(2),
            intent: 0.0,
            intent_lead: Duration::from_micros(DAY / 4),
            follow: 0.0,
            follow_on: FollowOn::Visits,
            follow_delay: Duration::from_days(2),
            targeting: 1.0,
            saturation: 0.0,
            saturation_window: Duration::from_days(30),
            synergy: Vec::new(),
            visit: true,
            customers_only: false,
            knows_email: false,
            campaigns: 0,
        }
    }
}

impl ChannelOptions {
    /// The most that synergy can multiply the effect by.
    pub(super) fn most_synergy(&self) -> f64 {
        self.synergy.iter().map(|s| s.factor.max(1.0)).product()
    }

    /// How much oftener than on average chance touches reach such people.
    pub(super) fn targeted(&self, buyer: bool, buyers: f64) -> f64 {
        if self.targeting == 1.0 {
            return 1.0;
        }
        let average = buyers * self.targeting + (1.0 - buyers);
        let weight = if buyer { self.targeting } else { 1.0 };
        if average > 0.0 { weight / average } else { 0.0 }
    }
}

/// The eight channels of the default market.
///
/// Branded search, retargeting and direct are there because people mean to
/// buy; they cause little or nothing. Paid search, social and affiliates cause
/// most for a touch; display is seen often and causes little each time.
pub fn default_channels() -> Vec<ChannelOptions> {
    let paid = |name: &str, reach, cost, effect, days| ChannelOptions {
        name: name.to_owned(),
        reach,
        cost,
        effect,
        carry_over: Duration::from_days(days),
        campaigns: 3,
        ..ChannelOptions::default()
    };
    let organic = |name: &str, reach, cost, effect, days| ChannelOptions {
        kind: ChannelKind::Organic,
        campaigns: 0,
        ..paid(name, reach, cost, effect, days)
    };
    vec![
        ChannelOptions { intent: 0.08, ..paid("paid_search", 0.5, 0.80, 0.030, 2) },
        ChannelOptions { intent: 0.35, campaigns: 1, ..paid("branded_search", 0.05, 0.30, 0.001, 1) },
        ChannelOptions { visit: false, ..paid("display", 2.0, 0.01, 0.002, 7) },
        paid("social", 0.8, 0.15, 0.012, 5),
        ChannelOptions {
            customers_only: true,
            knows_email: true,
            campaigns: 4,
            ..organic("email", 2.0, 0.002, 0.008, 3)
        },
        ChannelOptions { intent: 0.06, ..paid("affiliate", 0.15, 0.50, 0.020, 2) },
        ChannelOptions { follow: 0.3, visit: false, ..paid("retargeting", 0.0, 0.05, 0.001, 2) },
        ChannelOptions { intent: 0.45, ..organic("direct", 0.4, 0.0, 0.0, 1) },
    ]
}

/// How people leave traces of who they are. All values but `cookie_life` are probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityBehaviour {
    /// A person has a second device. Default 0.5.
    pub second_device: f64,
    /// A person with two devices has a third. Default 0.2.
    pub third_device: f64,
    /// A device carries the shop's app, so that its device identifier is seen
    /// beside the cookie. Default 0.25.
    pub app: f64,
    /// Mean life of a cookie until it is deleted. Default `"90d"`.
    pub cookie_life: Duration,
    /// A visit of a person with an account is logged in. Default 0.15.
    pub login: f64,
    /// A person opens an account at the first visit; others do at the first order. Default 0.1.
    pub member: f64,
    /// A person has a second e-mail address, used now and then. Default 0.1.
    pub second_email: f64,
    /// An order on the web leaves an e-mail address. Default 0.85.
    pub order_email: f64,
    /// An order on the web is made logged in. Default 0.5.
    pub order_login: f64,
    /// An order leaves a telephone number. Default 0.2.
    pub order_phone: f64,
    /// An order is made in a store, where no cookie is seen. Default 0.08.
    pub store: f64,
    /// A person has a loyalty card, shown in the store. Default 0.6.
    pub loyalty: f64,
    /// A person lives with the next one; so households are geometric in size, up to 6. Default 0.35.
    pub household: f64,
    /// A household of two or more shares a device. Default 0.3.
    pub shared_device: f64,
    /// A visit of someone who shares a device is made on it. Default 0.2.
    pub shared_use: f64,
}

impl Default for IdentityBehaviour {
    fn default() -> Self {
        Self {
            second_device: 0.5,
            third_device: 0.2,
            app: 0.25,
            cookie_life: Duration::from_days(90),
            login: 0.15,
            member: 0.1,
            second_email: 0.1,
            order_email: 0.85,
            order_login: 0.5,
            order_phone: 0.2,
            store: 0.08,
            loyalty: 0.6,
            household: 0.35,
            shared_device: 0.3,
            shared_use: 0.2,
        }
    }
}

/// How people buy when nothing makes them: the BG/NBD process for times
/// (Fader, Hardie & Lee 2005) and the Gamma-Gamma model for amounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurchaseProcess {
    /// Share of people who come to buy without being brought. Default 0.4.
    pub buyers: f64,
    /// Mean time from entering the market to the first order of a buyer. Default `"14d"`.
    pub consideration: Duration,
    /// Shape of the Gamma distribution of the order rate λ. Default 0.8.
    pub r: f64,
    /// Rate of that distribution, in days: λ has the mean r/α orders a day. Default 32.
    pub alpha: f64,
    /// First parameter of the Beta distribution of the dropout probability
    /// after each repeat order. Default 1.
    pub a: f64,
    /// Its second parameter. Default 4.
    pub b: f64,
    /// Shape of a person's Gamma-distributed amounts. Default 6.25.
    pub spend_p: f64,
    /// Shape of the Gamma distribution of the amounts' rate ν. Default 3.75; above 1.
    pub spend_q: f64,
    /// Rate of that distribution: the mean amount is pγ/(q−1). Default 18.
    pub spend_gamma: f64,
}

impl Default for PurchaseProcess {
    fn default() -> Self {
        Self {
            buyers: 0.4,
            consideration: Duration::from_days(14),
            r: 0.8,
            alpha: 32.0,
            a: 1.0,
            b: 4.0,
            spend_p: 6.25,
            spend_q: 3.75,
            spend_gamma: 18.0,
        }
    }
}

/// A market. The options decide it wholly; the seed of a [`Run`](crate::Run) does not enter.
///
/// In JSON, `"preset"` beside the options starts from a named market instead of
/// the default one ([`MarketOptions::preset`]); what stands beside it overrides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct MarketOptions {
    /// How many people there are. Default 10,000; at most 2²⁹.
    pub people: u64,
    /// About how many events the market should have; decides `people` when given.
    pub events: Option<u64>,
    /// How many days are observed. Default 365. People enter evenly over them.
    pub days: u32,
    /// How many days the market goes on afterwards, to check forecasts. Default 90.
    pub holdout_days: u32,
    /// The first day, `2025-01-01`, or an instant with zone. Default `"2025-01-01"`, UTC.
    pub start: String,
    /// The seed. Default 0.
    pub seed: u64,
    /// The channels; default [`default_channels`].
    pub channels: Vec<ChannelOptions>,
    /// Shape of the Gamma distribution, with mean 1, by which people differ in
    /// how much they are reached. Default 1.5.
    pub activity: f64,
    /// Shape of the Gamma distribution, with mean 1 and cut off at 10, by which
    /// people differ in how much touches move them: it multiplies every effect.
    /// Default none: all alike.
    pub responsiveness: Option<f64>,
    /// Channels that are switched off: they touch nobody, while everything else
    /// and each person's random draws stay the same. Default none.
    pub off: Vec<String>,
    /// The purchase process.
    pub purchases: PurchaseProcess,
    /// The identifiers.
    pub identity: IdentityBehaviour,
    /// How many people one batch holds, rounded up to whole blocks of 1024.
    /// Default 16,384. Changes nothing but memory.
    pub batch_people: u32,
}

impl Default for MarketOptions {
    fn default() -> Self {
        Self {
            people: 10_000,
            events: None,
            days: 365,
            holdout_days: 90,
            start: "2025-01-01".to_owned(),
            seed: 0,
            channels: default_channels(),
            activity: 1.5,
            responsiveness: None,
            off: Vec::new(),
            purchases: PurchaseProcess::default(),
            identity: IdentityBehaviour::default(),
            batch_people: 16_384,
        }
    }
}

/// The most people a market can have.
pub(super) const MAX_PEOPLE: u64 = 1 << 29;
/// The most that a person can respond more than on average.
pub(super) const RESPONSIVENESS_LIMIT: f64 = 10.0;

impl MarketOptions {
    /// The first instant in microseconds.
    pub(super) fn start_micros(&self) -> Result<i64> {
        parse_time(&self.start).ok_or_else(|| {
            Error::option("start", format!("`{}` is not a day; write for example \"2025-01-01\"", self.start))
        })
    }

    /// The index of the channel of this name.
    pub(super) fn channel(&self, name: &str) -> Option<usize> {
        self.channels.iter().position(|c| c.name == name)
    }

    /// Checks every option.
    pub(super) fn check(&self) -> Result<()> {
        fn check_chance(option: String, p: f64) -> Result<()> {
            if (0.0..=1.0).contains(&p) {
                return Ok(());
            }
            Err(Error::option(option, format!("{p} is not a probability; give a number from 0 to 1")))
        }
        fn check_range(option: String, x: f64, low: f64, high: f64) -> Result<()> {
            if (low..=high).contains(&x) {
                return Ok(());
            }
            Err(Error::option(option, format!("{x} is out of range; give a number from {low} to {high}")))
        }
        check_range("people".into(), self.people as f64, 1.0, MAX_PEOPLE as f64)?;
        check_range("days".into(), f64::from(self.days), 1.0, 36_500.0)?;
        check_range("holdout_days".into(), f64::from(self.holdout_days), 0.0, 36_500.0)?;
        check_range("activity".into(), self.activity, 0.01, 1e6)?;
        if let Some(shape) = self.responsiveness {
            check_range("responsiveness".into(), shape, 0.1, 1e6)?;
        }
        if let Some(name) = self.off.iter().find(|name| self.channel(name).is_none()) {
            return Err(Error::option("off", format!("`{name}` is no channel of this market")));
        }
        if self.events == Some(0) {
            return Err(Error::option("events", "0 events make no market; give at least 1"));
        }
        let p = &self.purchases;
        check_chance("purchases.buyers".into(), p.buyers)?;
        for (name, x) in [
            ("r", p.r),
            ("alpha", p.alpha),
            ("a", p.a),
            ("b", p.b),
            ("spend_p", p.spend_p),
            ("spend_gamma", p.spend_gamma),
        ] {
            check_range(format!("purchases.{name}"), x, 1e-3, 1e6)?;
        }
        check_range("purchases.spend_q".into(), p.spend_q, 1.001, 1e6)?;
        if p.r / p.alpha > 100.0 {
            return Err(Error::option("purchases.alpha", "more than 100 orders a day and person on average"));
        }
        let i = &self.identity;
        for (name, x) in [
            ("second_device", i.second_device),
            ("third_device", i.third_device),
            ("app", i.app),
            ("login", i.login),
            ("member", i.member),
            ("second_email", i.second_email),
            ("order_email", i.order_email),
            ("order_login", i.order_login),
            ("order_phone", i.order_phone),
            ("store", i.store),
            ("loyalty", i.loyalty),
            ("household", i.household),
            ("shared_device", i.shared_device),
            ("shared_use", i.shared_use),
        ] {
            check_chance(format!("identity.{name}"), x)?;
        }
        if i.cookie_life.micros() < DAY / 24 {
            return Err(Error::option("identity.cookie_life", "must be at least an hour, \"1h\""));
        }
        if self.channels.is_empty() || self.channels.len() > 1000 {
            return Err(Error::option("channels", "give 1 to 1000 channels"));
        }
        let response = if self.responsiveness.is_some() { RESPONSIVENESS_LIMIT } else { 1.0 };
        let most = |c: &ChannelOptions| (c.effect * c.most_synergy() * response).min(1.0);
        let followers: f64 = self.channels.iter().map(|c| c.follow * most(c)).sum();
        let mut breed = 0.0;
        for (at, c) in self.channels.iter().enumerate() {
            let named = |field: &str| format!("channels[{at}].{field}");
            if c.name.is_empty() || self.channels[..at].iter().any(|other| other.name == c.name) {
                return Err(Error::option(named("name"), "every channel needs a name of its own"));
            }
            check_range(named("reach"), c.reach, 0.0, 1e4)?;
            check_range(named("cost"), c.cost, 0.0, 1e12)?;
            check_chance(named("effect"), c.effect)?;
            check_chance(named("intent"), c.intent)?;
            check_chance(named("follow"), c.follow)?;
            check_range(named("targeting"), c.targeting, 0.0, 1e3)?;
            check_chance(named("saturation"), c.saturation)?;
            for s in &c.synergy {
                check_range(named("synergy"), s.factor, 0.0, 100.0)?;
                if s.after == c.name || self.channel(&s.after).is_none() {
                    return Err(Error::option(
                        named("synergy"),
                        format!("`{}` is no other channel of this market", s.after),
                    ));
                }
            }
            breed += c.intent * (most(c) + if c.visit && c.follow == 0.0 { followers } else { 0.0 });
        }
        if breed > 0.5 {
            return Err(Error::option(
                "channels",
                format!(
                    "the touches that accompany one order can cause {breed:.2} more; keep the sum of intent × effect at most 0.5"
                ),
            ));
        }
        Ok(())
    }
}
