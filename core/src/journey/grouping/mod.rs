//! Where visits come from: addresses and click ids to source, medium, campaign
//! and channel.

mod address;
mod columns;
mod condition;
mod sources;
mod visit;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use columns::{ChannelGroups, ChannelOptions, group_channels};
pub use condition::{Condition, Field, Test};
pub use sources::ClickSource;
pub use visit::{Classified, Origin, Visit};

use crate::model::Model;
use crate::{Error, Result};
use sources::{Site, bare, domains};

/// A visit whose referrer is one's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Internal {
    /// Goes on: it has no source and no channel of its own. The default.
    #[default]
    Continue,
    /// Is direct.
    Direct,
    /// Is referred, as by any other site.
    Referral,
}

/// Which of a landing page's own words counts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precedence {
    /// `utm_source` and `utm_medium`; the click id fills what they lack. The default.
    #[default]
    Utm,
    /// The id of a paid click, as in Google Analytics with auto-tagging.
    ClickId,
}

/// One rule: the channel of visits for which a condition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelRule {
    /// The channel.
    pub channel: String,
    /// When.
    pub when: Condition,
}

/// Ordered rules that give visits their channels.
///
/// The first rule whose condition holds gives the channel. [`ChannelRules::ga4`] are those of the default channel
/// group of Google Analytics 4 (Analytics Help, "Default channel group", as of
/// 2026, the assistants' channel included), over a table of a few hundred
/// well-known sources. That table is ours, by domains, and not Google's list,
/// which has each source by itself. Differences from Google Analytics: a link
/// from one page to the next is no source; the ids of other networks than
/// Google's speak; and a source `chatgpt.com` that comes in `utm_source`
/// without a medium is Unassigned, as there.
///
/// ```
/// use headwater::journey::{ChannelRule, ChannelRules, Condition, Field, Visit};
///
/// let partner = ChannelRule {
///     channel: "Partner".into(),
///     when: Condition::ends_with(Field::Source, "partner.example"),
/// };
/// let rules = ChannelRules::ga4().prepend(partner).with_source("my-shop.de", "shopping")?;
/// let visit = Visit::page("https://example.com/").referrer("https://blog.partner.example/post");
/// assert_eq!(rules.classify(&visit).channel.as_deref(), Some("Partner"));
/// let visit = Visit::page("/").referrer("https://www.my-shop.de/");
/// assert_eq!(rules.classify(&visit).channel.as_deref(), Some("Organic Shopping"));
/// # Ok::<(), headwater::Error>(())
/// ```
///
/// In JSON, everything with its default left out:
///
/// ```json
/// {"rules": [{"channel": "Partner", "when": {"field": "source", "ends_with": "partner.example"}}],
///  "default": "Unassigned",
///  "sources": {"my-shop.de": "shopping"}, "known_sources": true,
///  "click_ids": {"xclid": {"source": "x", "medium": "cpc"}}, "known_click_ids": true,
///  "own_hosts": ["example.com"], "internal": "continue", "precedence": "utm", "lower_case": false}
/// ```
///
/// Without `rules` they are those of [`ChannelRules::ga4`]. Two sets of rules
/// are equal if they say the same. Saved and loaded as `journey.ChannelRules`;
/// the tables of known sources and click ids are part of the library, not of
/// the file, and may grow with its version: `known_sources: false` leaves only
/// one's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
pub struct ChannelRules {
    rules: Vec<ChannelRule>,
    default: String,
    sources: BTreeMap<String, String>,
    known_sources: bool,
    click_ids: BTreeMap<String, ClickSource>,
    known_click_ids: bool,
    own_hosts: Vec<String>,
    internal: Internal,
    precedence: Precedence,
    lower_case: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spec {
    rules: Option<Vec<ChannelRule>>,
    default: String,
    sources: BTreeMap<String, String>,
    known_sources: bool,
    click_ids: BTreeMap<String, ClickSource>,
    known_click_ids: bool,
    own_hosts: Vec<String>,
    internal: Internal,
    precedence: Precedence,
    lower_case: bool,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            rules: None,
            default: UNASSIGNED.to_owned(),
            sources: BTreeMap::new(),
            known_sources: true,
            click_ids: BTreeMap::new(),
            known_click_ids: true,
            own_hosts: Vec::new(),
            internal: Internal::default(),
            precedence: Precedence::default(),
            lower_case: false,
        }
    }
}

/// The channel of visits that no rule takes.
const UNASSIGNED: &str = "Unassigned";

impl TryFrom<Spec> for ChannelRules {
    type Error = Error;

    fn try_from(spec: Spec) -> Result<Self> {
        let mut rules = Self::new(spec.rules.unwrap_or_else(ga4_rules)).with_default(&spec.default);
        for (source, category) in &spec.sources {
            rules = rules.with_source(source, category)?;
        }
        for (parameter, told) in &spec.click_ids {
            rules = rules.with_click_id(parameter, &told.source, &told.medium)?;
        }
        for host in &spec.own_hosts {
            rules = rules.with_own_host(host)?;
        }
        rules.known_sources = spec.known_sources;
        rules.known_click_ids = spec.known_click_ids;
        rules.internal = spec.internal;
        rules.precedence = spec.precedence;
        rules.lower_case = spec.lower_case;
        rules.check()?;
        Ok(rules)
    }
}

impl From<ChannelRules> for Spec {
    fn from(rules: ChannelRules) -> Self {
        Self {
            rules: Some(rules.rules),
            default: rules.default,
            sources: rules.sources,
            known_sources: rules.known_sources,
            click_ids: rules.click_ids,
            known_click_ids: rules.known_click_ids,
            own_hosts: rules.own_hosts,
            internal: rules.internal,
            precedence: rules.precedence,
            lower_case: rules.lower_case,
        }
    }
}

impl Model for ChannelRules {
    const KIND: &'static str = "journey.ChannelRules";

    fn check(&self) -> Result<()> {
        if self.default.is_empty() {
            return Err(Error::option("default", "must name the channel of visits that no rule takes"));
        }
        match self.rules.iter().position(|rule| rule.channel.is_empty()) {
            Some(at) => Err(Error::option("rules", format!("rule {at} (from 0) names no channel"))),
            None => Ok(()),
        }
    }
}

fn ga4_rules() -> Vec<ChannelRule> {
    static RULES: OnceLock<Vec<ChannelRule>> = OnceLock::new();
    // The text is ours and a test reads it, so nothing is lost here.
    RULES.get_or_init(|| serde_json::from_str(include_str!("ga4.json")).unwrap_or_default()).clone()
}

impl Default for ChannelRules {
    /// [`ChannelRules::ga4`].
    fn default() -> Self {
        Self::ga4()
    }
}

impl ChannelRules {
    /// These rules in this order; what none takes is `Unassigned`.
    pub fn new(rules: Vec<ChannelRule>) -> Self {
        Self {
            rules,
            default: UNASSIGNED.to_owned(),
            sources: BTreeMap::new(),
            known_sources: true,
            click_ids: BTreeMap::new(),
            known_click_ids: true,
            own_hosts: Vec::new(),
            internal: Internal::default(),
            precedence: Precedence::default(),
            lower_case: false,
        }
    }

    /// The default channel group of Google Analytics 4: Direct, Cross-network,
    /// Paid Shopping, Paid Search, Paid Social, Paid Video, Display, Paid
    /// Other, AI Assistant, Organic Shopping, Organic Social, Organic Video,
    /// Organic Search, Referral, Email, Affiliates, Audio, SMS, Mobile Push
    /// Notifications, in this order, after the rules for Google Ads, Display &
    /// Video 360 and Search Ads 360, which read their own columns. What is
    /// left is `Unassigned`.
    pub fn ga4() -> Self {
        Self::new(ga4_rules())
    }

    /// Adds a rule before all others.
    #[must_use]
    pub fn prepend(mut self, rule: ChannelRule) -> Self {
        self.rules.insert(0, rule);
        self
    }

    /// Adds a rule after all others.
    #[must_use]
    pub fn append(mut self, rule: ChannelRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The channel of visits that no rule takes. Default `Unassigned`.
    #[must_use]
    pub fn with_default(mut self, channel: &str) -> Self {
        channel.clone_into(&mut self.default);
        self
    }

    /// Puts a source into a category: a host with all below it, or a name
    /// without a dot as it stands in `utm_source`. It wins over the known ones.
    pub fn with_source(mut self, source: &str, category: &str) -> Result<Self> {
        let name = source.trim();
        let name = if name.contains('.') { address::plain_host(name) } else { Some(name.to_lowercase()) };
        match name.filter(|name| !name.is_empty()) {
            Some(name) if !category.trim().is_empty() => {
                self.sources.insert(name, category.trim().to_lowercase());
                Ok(self)
            }
            _ => Err(Error::option(
                "sources",
                format!(
                    "`{source}`: `{category}` must be a host or a name, and its category such as \"social\""
                ),
            )),
        }
    }

    /// What the parameter of a click id stands for. It wins over the known ones.
    pub fn with_click_id(mut self, parameter: &str, source: &str, medium: &str) -> Result<Self> {
        let (parameter, source, medium) = (parameter.trim(), source.trim(), medium.trim());
        if parameter.is_empty() || source.is_empty() || medium.is_empty() {
            return Err(Error::option("click_ids", "a click id has a parameter, a source and a medium"));
        }
        let told = ClickSource { source: source.to_owned(), medium: medium.to_owned() };
        self.click_ids.insert(parameter.to_lowercase(), told);
        Ok(self)
    }

    /// Adds a host of one's own; referrers there and below are internal.
    pub fn with_own_host(mut self, own: &str) -> Result<Self> {
        let Some(host) = address::plain_host(own) else {
            return Err(Error::option(
                "own_hosts",
                format!("`{own}` is no host; write it as \"example.com\""),
            ));
        };
        if !self.own_hosts.contains(&host) {
            self.own_hosts.push(host);
        }
        Ok(self)
    }

    /// Visits whose referrer is one's own.
    #[must_use]
    pub fn internal(mut self, internal: Internal) -> Self {
        self.internal = internal;
        self
    }

    /// Whether UTM parameters or click ids count first.
    #[must_use]
    pub fn precedence(mut self, precedence: Precedence) -> Self {
        self.precedence = precedence;
        self
    }

    /// Writes source, medium and campaign in small letters. Default: as they are.
    #[must_use]
    pub fn lower_case(mut self, lower_case: bool) -> Self {
        self.lower_case = lower_case;
        self
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[ChannelRule] {
        &self.rules
    }

    /// The channels that a visit can have: those of the rules in their order,
    /// and the default.
    pub fn channels(&self) -> Vec<&str> {
        let mut out: Vec<&str> = Vec::new();
        for channel in self.rules.iter().map(|rule| &*rule.channel).chain([&*self.default]) {
            if !out.contains(&channel) {
                out.push(channel);
            }
        }
        out
    }

    /// The category of a source in small letters.
    fn category(&self, source: &str) -> Option<&str> {
        self.own_category(source).or_else(|| self.known_site(source).map(|site| site.category))
    }

    fn own_category(&self, source: &str) -> Option<&str> {
        if self.sources.is_empty() {
            return None;
        }
        domains(bare(source)).find_map(|domain| self.sources.get(domain)).map(String::as_str)
    }

    fn known_site(&self, source: &str) -> Option<Site> {
        if self.known_sources { sources::site(source) } else { None }
    }

    /// Source and medium of a click id's parameter in small letters.
    fn click_id(&self, parameter: &str) -> Option<(&str, &str)> {
        if let Some(told) = self.click_ids.get(parameter) {
            return Some((&told.source, &told.medium));
        }
        if self.known_click_ids { sources::click_id(parameter) } else { None }
    }

    /// Whether a referrer is of our own.
    fn is_own(&self, page: &str, referrer: &str) -> bool {
        if referrer.is_empty() {
            return false;
        }
        let below =
            |own: &str| referrer.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        bare(page) == bare(referrer) || self.own_hosts.iter().any(|own| below(own))
    }
}
