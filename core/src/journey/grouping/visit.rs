//! One visit: from addresses and click ids to source, medium and campaign.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use url::Url;

use super::address::{self, host};
use super::condition::{Facts, Field};
use super::sources::{Site, bare};
use super::{ChannelRules, Internal, Precedence};

pub(super) const NOT_SET: &str = "(not set)";

/// What is known of one visit; all of it may be missing, and empty texts are.
///
/// A visit is known by its landing page with its parameters, by its referrer,
/// by a click id, or by a source and a medium that were read before. The first
/// of these that tells something tells the source and the medium:
///
/// | | from | source / medium / campaign |
/// | --- | --- | --- |
/// | 1 | columns `source`, `medium` | as they stand |
/// | 2 | `utm_source`, `utm_medium` | as they stand; what is missing is the click id's, else `(not set)` |
/// | 3 | the id of a paid click: `gclid`, `msclkid`, `ttclid` … | `google / cpc`, `bing / cpc`, `tiktok / cpc` … |
/// | 4 | the referrer, a search site | its name / `organic` / `(organic)` |
/// |   | an assistant | its host / `ai-assistant` / `(ai-assistant)` |
/// |   | another site | its host / `referral` / `(referral)` |
/// | 5 | the id of any click: `fbclid`, `igshid` | `facebook / referral`, `instagram / referral` |
/// | 6 | a referrer of one's own | the visit goes on: all missing, or as `internal` says |
/// | 7 | nothing | `(direct)` / `(none)` / `(direct)` |
/// |   | an address that cannot be read | `(unknown)` / `(not set)` / `(not set)` |
///
/// [`Precedence::ClickId`] puts 3 before 2, as Google Analytics does where
/// auto-tagging is on. A campaign is always `utm_campaign`, else `utm_id`,
/// where one is there. Parameters are read whatever their case, an empty one
/// is as good as none, and of several the first counts. The referrer is one's
/// own if its host is that of the landing page, or one of `own_hosts` or below.
///
/// ```
/// use headwater::journey::{ChannelRules, Visit};
///
/// let visit = Visit::page("https://shop.de/?utm_source=google&utm_medium=cpc&utm_campaign=brand");
/// let found = ChannelRules::ga4().classify(&visit);
/// assert_eq!(found.channel.as_deref(), Some("Paid Search"));
/// assert_eq!(found.campaign.as_deref(), Some("brand"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Visit<'a> {
    /// The address of the first page, with its parameters: absolute, without
    /// a scheme (`shop.de/x`), or a path (`/x?utm_source=...`).
    pub landing_page: Option<Cow<'a, str>>,
    /// The address that the visitor came from.
    pub referrer: Option<Cow<'a, str>>,
    /// The source, where it was read before; it wins over all addresses.
    pub source: Option<Cow<'a, str>>,
    /// The medium, where it was read before.
    pub medium: Option<Cow<'a, str>>,
    /// The campaign, where it was read before.
    pub campaign: Option<Cow<'a, str>>,
    /// The parameter of a click id that was read before, `gclid`.
    pub click_id: Option<Cow<'a, str>>,
    /// Google Ads: ad network type, `Google Search`.
    pub ad_network: Option<Cow<'a, str>>,
    /// Display & Video 360: creative format.
    pub creative_format: Option<Cow<'a, str>>,
    /// Search Ads 360: engine account type.
    pub account_type: Option<Cow<'a, str>>,
}

impl<'a> Visit<'a> {
    /// A visit of a landing page.
    pub fn page(landing_page: &'a str) -> Self {
        Self { landing_page: Some(landing_page.into()), ..Self::default() }
    }

    /// The same visit, referred by this address.
    #[must_use]
    pub fn referrer(mut self, referrer: &'a str) -> Self {
        self.referrer = Some(referrer.into());
        self
    }

    /// A visit whose source, medium and campaign are known.
    pub fn tagged(source: &'a str, medium: &'a str, campaign: &'a str) -> Self {
        let [source, medium, campaign] = [source, medium, campaign].map(|text| Some(text.into()));
        Self { source, medium, campaign, ..Self::default() }
    }
}

/// What told the source of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// The caller's own source or medium.
    Columns,
    /// Parameters `utm_source` or `utm_medium` of the landing page.
    Utm,
    /// A click id.
    ClickId,
    /// The referrer.
    Referrer,
    /// A referrer of our own: the visit goes on.
    Internal,
    /// Nothing, and nothing was there: a direct visit.
    Direct,
    /// Nothing, because an address could not be read.
    Unknown,
}

impl Origin {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Utm => "utm",
            Self::ClickId => "click_id",
            Self::Referrer => "referrer",
            Self::Internal => "internal",
            Self::Direct => "direct",
            Self::Unknown => "unknown",
        }
    }
}

/// What became of a visit.
///
/// Source, medium, campaign and channel are missing only for visits that go on
/// under [`Internal::Continue`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Classified {
    /// Where the visit came from: `google`, `news.example.com`, `(direct)`.
    pub source: Option<String>,
    /// By which means: `cpc`, `organic`, `referral`, `ai-assistant`, `(none)`.
    pub medium: Option<String>,
    /// The campaign; without one `(direct)`, `(organic)`, `(referral)`,
    /// `(ai-assistant)` or `(not set)`.
    pub campaign: Option<String>,
    /// The channel of the first rule that applies.
    pub channel: Option<String>,
    /// `utm_term`.
    pub term: Option<String>,
    /// `utm_content`.
    pub content: Option<String>,
    /// The parameter of the click id.
    pub click_id: Option<String>,
    /// The kind of site that the source is, where it is known.
    pub source_category: Option<String>,
    /// What told the source.
    pub origin: Origin,
    /// Whether the landing page was there but is no address.
    pub bad_landing_page: bool,
    /// Whether the referrer was there but is no address with a host.
    pub bad_referrer: bool,
}

fn given<'t>(text: Option<&'t Cow<'_, str>>) -> Option<&'t str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// The parameters of a landing page that tell something.
#[derive(Default)]
struct Tags<'u> {
    source: Option<Cow<'u, str>>,
    medium: Option<Cow<'u, str>>,
    campaign: Option<Cow<'u, str>>,
    campaign_id: Option<Cow<'u, str>>,
    term: Option<Cow<'u, str>>,
    content: Option<Cow<'u, str>>,
    creative_format: Option<Cow<'u, str>>,
    click: Option<Click<'u>>,
}

/// A click id, with its source and medium.
struct Click<'u> {
    parameter: Cow<'u, str>,
    source: Cow<'u, str>,
    medium: Cow<'u, str>,
}

impl Click<'_> {
    /// An id that comes with unpaid clicks too.
    fn weak(&self) -> bool {
        self.medium == "referral"
    }
}

fn small(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) {
        Cow::Owned(text.to_lowercase())
    } else {
        text
    }
}

fn trimmed(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    (!text.is_empty()).then_some(text)
}

fn tags<'u>(url: &'u Url, rules: &'u ChannelRules) -> Tags<'u> {
    let mut tags = Tags::default();
    for (key, value) in url.query_pairs() {
        let Some(value) = trimmed(value) else { continue };
        let key = small(key);
        let slot = match &*key {
            "utm_source" => &mut tags.source,
            "utm_medium" => &mut tags.medium,
            "utm_campaign" => &mut tags.campaign,
            "utm_id" => &mut tags.campaign_id,
            "utm_term" => &mut tags.term,
            "utm_content" => &mut tags.content,
            "utm_creative_format" => &mut tags.creative_format,
            _ => {
                // The first id counts, and one of a paid click before all others.
                if tags.click.as_ref().is_none_or(Click::weak)
                    && let Some((source, medium)) = rules.click_id(&key)
                {
                    let click = Click { parameter: key, source: source.into(), medium: medium.into() };
                    if tags.click.is_none() || !click.weak() {
                        tags.click = Some(click);
                    }
                }
                continue;
            }
        };
        slot.get_or_insert(value);
    }
    tags
}

/// A source with its medium, and the campaign that stands for none.
struct Told<'t> {
    source: Cow<'t, str>,
    medium: Cow<'t, str>,
    campaign: &'static str,
    origin: Origin,
}

impl<'t> Told<'t> {
    fn new(source: Cow<'t, str>, medium: &'t str, campaign: &'static str, origin: Origin) -> Self {
        Self { source, medium: medium.into(), campaign, origin }
    }
}

impl ChannelRules {
    /// The source, medium, campaign and channel of one visit.
    ///
    /// Takes a few microseconds and never fails: what cannot be read is said
    /// in the result. See [`Visit`] for what wins over what.
    pub fn classify(&self, visit: &Visit<'_>) -> Classified {
        let (page, referrer) = (given(visit.landing_page.as_ref()), given(visit.referrer.as_ref()));
        let (page_url, referrer_url) =
            (page.and_then(address::landing), referrer.and_then(address::absolute));
        let page_host = page_url.as_ref().and_then(host).unwrap_or_default();
        let referrer_host = referrer_url.as_ref().and_then(host).unwrap_or_default();
        let mut tags = page_url.as_ref().map(|url| tags(url, self)).unwrap_or_default();
        if let Some(parameter) = given(visit.click_id.as_ref()) {
            let parameter = small(Cow::Borrowed(parameter));
            let known = self.click_id(&parameter);
            if let Some((source, medium)) = known {
                tags.click = Some(Click { parameter, source: source.into(), medium: medium.into() });
            }
        }
        let bad = (page.is_some() && page_url.is_none(), referrer.is_some() && referrer_host.is_empty());

        let own = self.is_own(&page_host, &referrer_host);
        let told = self.told(visit, &tags, &referrer_host, own, bad.0 || bad.1);
        let Some(mut told) = told else {
            return Self::goes_on(tags.click.map(|c| c.parameter.into_owned()), bad);
        };
        let campaign =
            given(visit.campaign.as_ref()).map(Cow::Borrowed).or(tags.campaign.clone()).or(tags.campaign_id);
        let mut campaign = campaign.unwrap_or(Cow::Borrowed(told.campaign));
        if self.lower_case {
            told.source = small(told.source);
            told.medium = small(told.medium);
            campaign = small(campaign);
        }
        let source = small(Cow::Borrowed(&told.source));
        let category = self.category(&source);
        let format = given(visit.creative_format.as_ref()).or(tags.creative_format.as_deref());
        let plain: [&str; Field::COUNT] = [
            &told.source,
            &told.medium,
            &campaign,
            tags.term.as_deref().unwrap_or_default(),
            tags.content.as_deref().unwrap_or_default(),
            category.unwrap_or_default(),
            &referrer_host,
            &page_host,
            page_url.as_ref().map(Url::path).unwrap_or_default(),
            tags.click.as_ref().map(|c| &*c.parameter).unwrap_or_default(),
            given(visit.ad_network.as_ref()).unwrap_or_default(),
            format.unwrap_or_default(),
            given(visit.account_type.as_ref()).unwrap_or_default(),
        ];
        let facts = Facts { plain, small: plain.map(|text| small(Cow::Borrowed(text))) };
        let channel =
            self.rules.iter().find(|rule| rule.when.holds(&facts)).map_or(&self.default, |r| &r.channel);
        Classified {
            channel: Some(channel.clone()),
            source_category: category.map(str::to_owned),
            source: Some(told.source.clone().into_owned()),
            medium: Some(told.medium.clone().into_owned()),
            campaign: Some(campaign.clone().into_owned()),
            term: tags.term.as_deref().map(str::to_owned),
            content: tags.content.as_deref().map(str::to_owned),
            click_id: tags.click.as_ref().map(|c| c.parameter.clone().into_owned()),
            origin: told.origin,
            bad_landing_page: bad.0,
            bad_referrer: bad.1,
        }
    }

    fn goes_on(click_id: Option<String>, bad: (bool, bool)) -> Classified {
        Classified {
            source: None,
            medium: None,
            campaign: None,
            channel: None,
            term: None,
            content: None,
            click_id,
            source_category: None,
            origin: Origin::Internal,
            bad_landing_page: bad.0,
            bad_referrer: bad.1,
        }
    }

    /// Source and medium by the first that tells them; `None` for a visit that goes on.
    fn told<'t>(
        &'t self,
        visit: &'t Visit<'_>,
        tags: &Tags<'t>,
        referrer: &'t str,
        own: bool,
        bad: bool,
    ) -> Option<Told<'t>> {
        let columns = (given(visit.source.as_ref()), given(visit.medium.as_ref()));
        if columns.0.is_some() || columns.1.is_some() {
            let source = columns.0.unwrap_or(NOT_SET);
            let none = if source == "(direct)" { "(none)" } else { NOT_SET };
            return Some(Told::new(source.into(), columns.1.unwrap_or(none), NOT_SET, Origin::Columns));
        }
        let click = |weak: bool| {
            let click = tags.click.as_ref().filter(|c| c.weak() == weak)?;
            let (source, medium) = (click.source.clone(), click.medium.clone());
            Some(Told { source, medium, campaign: NOT_SET, origin: Origin::ClickId })
        };
        let paid = click(false);
        let tagged = tags.source.is_some() || tags.medium.is_some();
        if self.precedence == Precedence::ClickId && paid.is_some() {
            return paid;
        }
        if tagged {
            let (source, medium) = paid.map_or((NOT_SET.into(), NOT_SET.into()), |p| (p.source, p.medium));
            let (source, medium) =
                (tags.source.clone().unwrap_or(source), tags.medium.clone().unwrap_or(medium));
            return Some(Told { source, medium, campaign: NOT_SET, origin: Origin::Utm });
        }
        if paid.is_some() {
            return paid;
        }
        if !referrer.is_empty() && (!own || self.internal == Internal::Referral) {
            return Some(self.referred(referrer));
        }
        if let Some(weak) = click(true) {
            return Some(Told { campaign: "(referral)", ..weak });
        }
        if own && self.internal == Internal::Continue {
            return None;
        }
        Some(if bad && !own {
            Told::new("(unknown)".into(), NOT_SET, NOT_SET, Origin::Unknown)
        } else {
            let origin = if own { Origin::Internal } else { Origin::Direct };
            Told::new("(direct)".into(), "(none)", "(direct)", origin)
        })
    }

    /// What a referrer's host tells.
    fn referred<'t>(&'t self, host: &'t str) -> Told<'t> {
        let host = bare(host);
        let (category, name) = match (self.own_category(host), self.known_site(host)) {
            (Some(category), site) => {
                (category, site.filter(|s| s.category == category).map_or(host, |s| s.name))
            }
            (None, Some(Site { category, name })) => (category, name),
            (None, None) => ("", host),
        };
        match category {
            "search" => Told::new(name.into(), "organic", "(organic)", Origin::Referrer),
            "ai_assistant" => Told::new(host.into(), "ai-assistant", "(ai-assistant)", Origin::Referrer),
            _ => Told::new(host.into(), "referral", "(referral)", Origin::Referrer),
        }
    }
}
