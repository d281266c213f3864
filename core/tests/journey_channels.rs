//! Channels of visits against Google's published definitions, and the rules as data.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use headwater::column::{Columns, Data};
use headwater::journey::{
    ChannelOptions, ChannelRule, ChannelRules, Condition, Field, Internal, Origin, Precedence, Visit,
    group_channels,
};
use headwater::{Error, Run, model, options};
use proptest::prelude::*;

fn channel(visit: &Visit<'_>) -> String {
    ChannelRules::ga4().classify(visit).channel.unwrap()
}

/// Analytics Help, "Default channel group": source, medium, campaign, channel.
/// The sources are on Google's list of source categories.
const TAGGED: [(&str, &str, &str, &str); 75] = [
    ("(direct)", "(none)", "", "Direct"),
    ("(direct)", "(not set)", "", "Direct"),
    ("(direct)", "cpc", "", "Paid Other"),
    ("direct", "(none)", "", "Unassigned"),
    ("google", "cpc", "eu-cross-network-1", "Cross-network"),
    ("google", "cpc", "Cross-Network", "Cross-network"),
    ("facebook", "social", "cross-network", "Cross-network"),
    ("google", "cpc", "shopping_de", "Paid Shopping"),
    ("google", "cpc", "shop", "Paid Shopping"),
    ("google", "cpc", "my-shop", "Paid Shopping"),
    ("google", "cpc", "eshop", "Paid Shopping"),
    ("google", "cpc", "workshop", "Paid Search"),
    ("google", "cpc", "bishop", "Paid Search"),
    ("amazon", "ppc", "spring", "Paid Shopping"),
    ("ebay.de", "cpc", "", "Paid Shopping"),
    ("etsy.com", "paid", "", "Paid Shopping"),
    ("google", "cpc", "brand", "Paid Search"),
    ("google", "CPC", "brand", "Paid Search"),
    ("Google", "ppc", "", "Paid Search"),
    ("bing", "paidsearch", "", "Paid Search"),
    ("yahoo", "paid", "", "Paid Search"),
    ("duckduckgo", "retargeting", "", "Paid Search"),
    ("baidu", "xcpx", "", "Paid Search"),
    ("google", "cpm", "", "Paid Search"),
    ("google", "ppcx", "", "Organic Search"),
    ("google", "remarketing", "", "Organic Search"),
    ("facebook", "cpc", "", "Paid Social"),
    ("fb", "paid-social", "", "Paid Social"),
    ("ig", "paid", "", "Paid Social"),
    ("linkedin.com", "cpc", "", "Paid Social"),
    ("tiktok", "cpm", "", "Paid Social"),
    ("pinterest.co.uk", "cpa-cp", "", "Paid Social"),
    ("youtube", "cpv-cp", "", "Paid Video"),
    ("youtube.com", "cpc", "", "Paid Video"),
    ("vimeo", "ppc", "", "Paid Video"),
    ("twitch.tv", "paid_video", "", "Paid Video"),
    ("criteo", "display", "", "Display"),
    ("dfa", "cpm", "", "Display"),
    ("newssite", "banner", "", "Display"),
    ("newssite", "Expandable", "", "Display"),
    ("newssite", "interstitial", "", "Display"),
    ("criteo", "cpc", "", "Paid Other"),
    ("taboola", "paid", "", "Paid Other"),
    ("criteo", "retargeting", "", "Paid Other"),
    ("gemini.google.com", "ai-assistant", "(ai-assistant)", "AI Assistant"),
    ("chatgpt.com", "ai-assistant", "(ai-assistant)", "AI Assistant"),
    ("chatgpt.com", "referral", "", "Referral"),
    ("walmart", "referral", "", "Organic Shopping"),
    ("newsletter", "email", "shopping", "Organic Shopping"),
    ("shopify.com", "referral", "", "Organic Shopping"),
    ("facebook", "post", "", "Organic Social"),
    ("l.facebook.com", "referral", "", "Organic Social"),
    ("t.co", "referral", "", "Organic Social"),
    ("ourblog", "social", "", "Organic Social"),
    ("ourblog", "SM", "", "Organic Social"),
    ("ourblog", "social network", "", "Organic Social"),
    ("ourblog", "social-media", "", "Organic Social"),
    ("youtube.com", "referral", "", "Organic Video"),
    ("netflix", "(not set)", "", "Organic Video"),
    ("ourblog", "promo_video_1", "", "Organic Video"),
    ("google", "organic", "(organic)", "Organic Search"),
    ("smallengine", "organic", "", "Organic Search"),
    ("ecosia.org", "organic", "", "Organic Search"),
    ("news.example.com", "referral", "(referral)", "Referral"),
    ("partner", "link", "", "Referral"),
    ("partner", "app", "", "Referral"),
    ("mailchimp", "email", "may", "Email"),
    ("e-mail", "may", "", "Email"),
    ("crm", "e_mail", "", "Email"),
    ("awin", "affiliate", "", "Affiliates"),
    ("spotify", "audio", "", "Audio"),
    ("sms", "blast", "", "SMS"),
    ("crm", "sms", "", "SMS"),
    ("crm", "webpush", "", "Mobile Push Notifications"),
    ("firebase", "in-app", "", "Mobile Push Notifications"),
];

#[test]
fn tagged_visits_get_the_published_channels() {
    for (source, medium, campaign, expected) in TAGGED {
        assert_eq!(
            channel(&Visit::tagged(source, medium, campaign)),
            expected,
            "{source} / {medium} / {campaign}"
        );
    }
    for (medium, expected) in [
        ("mobile-app", "Mobile Push Notifications"),
        ("app-notification", "Mobile Push Notifications"),
        ("affiliates", "Unassigned"),
        ("print", "Unassigned"),
    ] {
        assert_eq!(channel(&Visit::tagged("crm", medium, "")), expected, "{medium}");
    }
}

#[test]
fn advertising_platforms_have_rules_of_their_own() {
    let ads = |network: &'static str| Visit {
        ad_network: Some(network.into()),
        ..Visit::page("https://shop.de/?gclid=1")
    };
    for (network, expected) in [
        ("Google Search", "Paid Search"),
        ("Google Partners", "Paid Search"),
        ("YouTube Videos", "Paid Video"),
        ("google display network", "Display"),
        ("Cross-network", "Cross-network"),
        ("Social", "Paid Social"),
    ] {
        assert_eq!(channel(&ads(network)), expected);
    }
    let format =
        |f: &'static str| Visit { creative_format: Some(f.into()), ..Visit::tagged("dv360", "cpm", "") };
    assert_eq!(channel(&format("Lightbox")), "Display");
    assert_eq!(channel(&format("Flipbook")), "Paid Video");
    assert_eq!(channel(&format("Audio")), "Audio");
    assert_eq!(channel(&format("Tracking")), "Paid Other");
    let account = |a: &'static str| Visit { account_type: Some(a.into()), ..Visit::default() };
    assert_eq!(channel(&account("yahoo gemini")), "Paid Search");
    assert_eq!(channel(&account("twitter")), "Paid Social");
}

/// Landing page, referrer, source, medium, campaign, channel, origin.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, Origin);
const ADDRESSES: [Row; 34] = [
    ("https://a.de/", "", "(direct)", "(none)", "(direct)", "Direct", Origin::Direct),
    ("", "", "(direct)", "(none)", "(direct)", "Direct", Origin::Direct),
    (
        "https://a.de/",
        "https://www.google.com/",
        "google",
        "organic",
        "(organic)",
        "Organic Search",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "https://www.google.co.uk/search?q=x",
        "google",
        "organic",
        "(organic)",
        "Organic Search",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "https://de.search.yahoo.com/",
        "yahoo",
        "organic",
        "(organic)",
        "Organic Search",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "android-app://com.google.android.googlequicksearchbox/",
        "google",
        "organic",
        "(organic)",
        "Organic Search",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "android-app://com.slack/",
        "com.slack",
        "referral",
        "(referral)",
        "Referral",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "https://l.facebook.com/l.php?u=x",
        "l.facebook.com",
        "referral",
        "(referral)",
        "Organic Social",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "https://m.youtube.com/",
        "m.youtube.com",
        "referral",
        "(referral)",
        "Organic Video",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "https://chatgpt.com/",
        "chatgpt.com",
        "ai-assistant",
        "(ai-assistant)",
        "AI Assistant",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "https://gemini.google.com/app",
        "gemini.google.com",
        "ai-assistant",
        "(ai-assistant)",
        "AI Assistant",
        Origin::Referrer,
    ),
    (
        "https://a.de/",
        "https://www.Blog.example/x",
        "blog.example",
        "referral",
        "(referral)",
        "Referral",
        Origin::Referrer,
    ),
    (
        "https://a.de/?utm_source=google&utm_medium=cpc",
        "https://www.google.com/",
        "google",
        "cpc",
        "(not set)",
        "Paid Search",
        Origin::Utm,
    ),
    (
        "https://a.de/?UTM_Source=Google&UTM_MEDIUM=CPC&utm_Campaign=Brand",
        "",
        "Google",
        "CPC",
        "Brand",
        "Paid Search",
        Origin::Utm,
    ),
    (
        "https://a.de/?utm_source=news%20letter&utm_medium=e-mail&utm_campaign=M%C3%A4rz+25",
        "",
        "news letter",
        "e-mail",
        "März 25",
        "Email",
        Origin::Utm,
    ),
    (
        "https://a.de/?utm_source=&utm_medium=",
        "https://www.bing.com/",
        "bing",
        "organic",
        "(organic)",
        "Organic Search",
        Origin::Referrer,
    ),
    (
        "https://a.de/?utm_source=%20&utm_source=fb",
        "",
        "fb",
        "(not set)",
        "(not set)",
        "Organic Social",
        Origin::Utm,
    ),
    ("https://a.de/?utm_medium=email", "", "(not set)", "email", "(not set)", "Email", Origin::Utm),
    (
        "https://a.de/?utm_campaign=x",
        "https://www.bing.com/",
        "bing",
        "organic",
        "x",
        "Organic Search",
        Origin::Referrer,
    ),
    (
        "https://a.de/?utm_source=chatgpt.com",
        "https://chatgpt.com/",
        "chatgpt.com",
        "(not set)",
        "(not set)",
        "Unassigned",
        Origin::Utm,
    ),
    (
        "https://a.de/?gclid=abc",
        "https://www.google.com/",
        "google",
        "cpc",
        "(not set)",
        "Paid Search",
        Origin::ClickId,
    ),
    ("https://a.de/?GCLID=abc&utm_campaign=b", "", "google", "cpc", "b", "Paid Search", Origin::ClickId),
    ("https://a.de/?wbraid=1", "", "google", "cpc", "(not set)", "Paid Search", Origin::ClickId),
    ("https://a.de/?msclkid=1", "", "bing", "cpc", "(not set)", "Paid Search", Origin::ClickId),
    ("https://a.de/?ttclid=1", "", "tiktok", "cpc", "(not set)", "Paid Social", Origin::ClickId),
    ("https://a.de/?dclid=1", "", "dfa", "cpm", "(not set)", "Display", Origin::ClickId),
    ("https://a.de/?gclid=", "", "(direct)", "(none)", "(direct)", "Direct", Origin::Direct),
    (
        "https://a.de/?gclid=1&utm_source=shop-mail&utm_medium=email",
        "",
        "shop-mail",
        "email",
        "(not set)",
        "Email",
        Origin::Utm,
    ),
    ("https://a.de/?fbclid=1", "", "facebook", "referral", "(referral)", "Organic Social", Origin::ClickId),
    (
        "https://a.de/?fbclid=1",
        "https://l.instagram.com/",
        "l.instagram.com",
        "referral",
        "(referral)",
        "Organic Social",
        Origin::Referrer,
    ),
    ("https://a.de/?fbclid=1&gclid=2", "", "google", "cpc", "(not set)", "Paid Search", Origin::ClickId),
    ("a.de/x?utm_source=bing&utm_medium=cpc", "", "bing", "cpc", "(not set)", "Paid Search", Origin::Utm),
    ("/x?utm_source=bing&utm_medium=cpc", "", "bing", "cpc", "(not set)", "Paid Search", Origin::Utm),
    (
        "http://[broken",
        "https://t.co/x",
        "t.co",
        "referral",
        "(referral)",
        "Organic Social",
        Origin::Referrer,
    ),
];

#[test]
fn addresses_tell_source_medium_and_campaign() {
    let rules = ChannelRules::ga4();
    for (page, referrer, source, medium, campaign, channel, origin) in ADDRESSES {
        let found = rules.classify(&Visit::page(page).referrer(referrer));
        let words = [found.source, found.medium, found.campaign, found.channel].map(Option::unwrap);
        assert_eq!(words, [source, medium, campaign, channel], "{page} from {referrer}");
        assert_eq!(found.origin, origin, "{page} from {referrer}");
    }
}

#[test]
fn what_cannot_be_read_is_unknown_and_said() {
    let rules = ChannelRules::ga4();
    let unknown = rules.classify(&Visit::page("http://[broken"));
    assert_eq!((unknown.source.as_deref(), unknown.origin), (Some("(unknown)"), Origin::Unknown));
    assert_eq!(unknown.channel.as_deref(), Some("Unassigned"));
    assert!(unknown.bad_landing_page && !unknown.bad_referrer);
    for referrer in ["about:blank", "nonsense", "mailto:a@b.de", "http://", "/path"] {
        let found = rules.classify(&Visit::page("https://a.de/").referrer(referrer));
        assert!(found.bad_referrer, "{referrer}");
        assert_eq!(found.channel.as_deref(), Some("Unassigned"), "{referrer}");
        let tagged = Visit::page("https://a.de/?utm_source=bing&utm_medium=cpc").referrer(referrer);
        assert_eq!(channel(&tagged), "Paid Search", "what can be read still counts");
    }
}

#[test]
fn internal_referrers_go_on() {
    let visit = Visit::page("https://www.a.de/x").referrer("https://a.de/");
    let rules = ChannelRules::ga4();
    let found = rules.classify(&visit);
    assert_eq!((found.channel.as_deref(), found.origin), (None, Origin::Internal));
    assert_eq!(found.source, None);
    let direct = rules.clone().internal(Internal::Direct).classify(&visit);
    assert_eq!((direct.channel.as_deref(), direct.origin), (Some("Direct"), Origin::Internal));
    let referral = rules.clone().internal(Internal::Referral).classify(&visit);
    assert_eq!((referral.channel.as_deref(), referral.source.as_deref()), (Some("Referral"), Some("a.de")));

    let other = Visit::page("https://a.de/").referrer("https://pay.b.de/");
    assert_eq!(channel(&other), "Referral");
    let own = rules.with_own_host("https://www.B.de/").unwrap();
    assert_eq!(own.classify(&other).channel, None);
    let lookalike = Visit::page("https://a.de/").referrer("https://notb.de/");
    assert_eq!(own.classify(&lookalike).channel.as_deref(), Some("Referral"));
    let campaign = Visit::page("https://a.de/?gclid=1").referrer("https://b.de/");
    assert_eq!(
        own.classify(&campaign).channel.as_deref(),
        Some("Paid Search"),
        "a paid click is a new source"
    );
}

#[test]
fn precedence_is_a_policy() {
    let visit = Visit::page("https://a.de/?gclid=1&utm_source=partner&utm_medium=display&utm_campaign=c");
    assert_eq!(channel(&visit), "Display");
    let auto = ChannelRules::ga4().precedence(Precedence::ClickId).classify(&visit);
    assert_eq!(auto.source.as_deref(), Some("google"));
    assert_eq!(auto.channel.as_deref(), Some("Paid Search"));
    assert_eq!(auto.campaign.as_deref(), Some("c"));
    assert_eq!(auto.click_id.as_deref(), Some("gclid"));
    let half = Visit::page("https://a.de/?gclid=1&utm_source=google");
    assert_eq!(channel(&half), "Paid Search", "the click id fills the medium");
}

#[test]
fn users_extend_rules_sources_and_click_ids() {
    let rule = |channel: &str, when| ChannelRule { channel: channel.into(), when };
    let rules = ChannelRules::ga4()
        .with_source("my-shop.de", "Shopping")
        .unwrap()
        .with_source("Forum", "social")
        .unwrap()
        .with_click_id("XClid", "x", "cpc")
        .unwrap()
        .prepend(rule("Podcast", Condition::contains(Field::Campaign, "PODCAST")))
        .append(rule("Offline", Condition::equals(Field::Medium, "print")))
        .with_default("Other")
        .lower_case(true);
    let of = |visit: &Visit<'_>| rules.classify(visit).channel.unwrap();
    assert_eq!(of(&Visit::page("/").referrer("https://www.my-shop.de/x")), "Organic Shopping");
    assert_eq!(of(&Visit::tagged("forum", "post", "")), "Organic Social");
    let x = rules.classify(&Visit::page("/?xCLID=3"));
    assert_eq!(
        (x.source.as_deref(), x.medium.as_deref(), x.channel.as_deref()),
        (Some("x"), Some("cpc"), Some("Paid Other"))
    );
    assert_eq!(of(&Visit::tagged("google", "cpc", "podcast 3")), "Podcast");
    assert_eq!(of(&Visit::tagged("flyer", "print", "")), "Offline");
    assert_eq!(of(&Visit::tagged("flyer", "poster", "")), "Other");
    assert_eq!(rules.classify(&Visit::tagged("FLYER", "Poster", "A")).source.as_deref(), Some("flyer"));
    assert_eq!(rules.channels().first(), Some(&"Podcast"));
    assert_eq!(rules.channels().last(), Some(&"Other"));
}

#[test]
fn all_published_channels_are_there() {
    let rules = ChannelRules::ga4();
    assert_eq!(rules.rules().len(), 30);
    let mut channels = rules.channels();
    channels.sort_unstable();
    assert_eq!(
        channels,
        [
            "AI Assistant",
            "Affiliates",
            "Audio",
            "Cross-network",
            "Direct",
            "Display",
            "Email",
            "Mobile Push Notifications",
            "Organic Search",
            "Organic Shopping",
            "Organic Social",
            "Organic Video",
            "Paid Other",
            "Paid Search",
            "Paid Shopping",
            "Paid Social",
            "Paid Video",
            "Referral",
            "SMS",
            "Unassigned",
        ]
    );
}

#[test]
fn the_order_of_rules_matters() {
    let all = ChannelRules::ga4();
    let reversed = ChannelRules::new(all.rules().iter().rev().cloned().collect());
    let visit = Visit::tagged("google", "cpc", "shopping");
    assert_eq!(all.classify(&visit).channel.as_deref(), Some("Paid Shopping"));
    assert_ne!(reversed.classify(&visit).channel, all.classify(&visit).channel);
    assert_ne!(reversed, all);
}

#[test]
fn rules_are_data() {
    let rules = ChannelRules::ga4()
        .with_source("my-shop.de", "shopping")
        .unwrap()
        .with_own_host("a.de")
        .unwrap()
        .with_click_id("x", "x", "cpc")
        .unwrap()
        .internal(Internal::Direct)
        .precedence(Precedence::ClickId);
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(options::parse::<ChannelRules>(&json).unwrap(), rules);
    assert_eq!(options::parse::<ChannelRules>("{}").unwrap(), ChannelRules::ga4());
    let bytes = model::to_bytes(&rules).unwrap();
    assert_eq!(model::kind(&bytes).unwrap(), "journey.ChannelRules");
    assert_eq!(model::from_bytes::<ChannelRules>(&bytes).unwrap(), rules);
    for bad in [
        r#"{"rules": [{"channel": "A", "when": {"field": "source"}}]}"#,
        r#"{"rules": [{"channel": "A", "when": {"field": "sauce", "equals": "x"}}]}"#,
        r#"{"rules": [{"channel": "A", "when": {"field": "source", "equals": "x", "contains": "y"}}]}"#,
        r#"{"rules": [{"channel": "A", "when": {"field": "source", "matches": "("}}]}"#,
        r#"{"rules": [{"channel": "A", "when": {"all": [], "any": []}}]}"#,
        r#"{"rules": [{"channel": "A", "when": {"equals": "x"}}]}"#,
        r#"{"rules": [{"channel": "", "when": {"all": []}}]}"#,
        r#"{"rules": [{"channel": "A", "when": {"field": "source", "matches": "a{5000}{5000}"}}]}"#,
        r#"{"sources": {"a b.de": "social"}}"#,
        r#"{"own_hosts": ["a b"]}"#,
        r#"{"default": ""}"#,
        r#"{"internal": "maybe"}"#,
        r#"{"rulez": []}"#,
    ] {
        let read = options::parse::<ChannelRules>(bad);
        assert!(matches!(read, Err(Error::Option { .. })), "{bad}: {read:?}");
    }
}

#[test]
fn operators_regard_case_only_where_asked() {
    let holds = |json: &str, source: &str| {
        let rules: ChannelRules = options::parse(&format!(
            r#"{{"rules": [{{"channel": "yes", "when": {json}}}], "default": "no"}}"#
        ))
        .unwrap();
        rules.classify(&Visit::tagged(source, "m", "c")).channel.as_deref() == Some("yes")
    };
    for (json, source, expected) in [
        (r#"{"field": "source", "equals": "ABC"}"#, "abc", true),
        (r#"{"field": "source", "equals": "ABC", "case_sensitive": true}"#, "abc", false),
        (r#"{"field": "source", "equals": "ABC", "case_sensitive": true}"#, "ABC", true),
        (r#"{"field": "source", "one_of": ["x", "Abc"]}"#, "aBC", true),
        (r#"{"field": "source", "starts_with": "AB"}"#, "abc", true),
        (r#"{"field": "source", "ends_with": "BC"}"#, "abc", true),
        (r#"{"field": "source", "ends_with": "ab"}"#, "abc", false),
        (r#"{"field": "source", "contains": "B"}"#, "abc", true),
        (r#"{"field": "source", "matches": "^A.C$"}"#, "abc", true),
        (r#"{"field": "source", "matches": "^A.C$", "case_sensitive": true}"#, "abc", false),
        (r#"{"field": "source", "matches": "b"}"#, "abc", true),
        (r#"{"field": "source", "equals": "MÜNCHEN"}"#, "münchen", true),
        (r#"{"field": "click_id", "equals": ""}"#, "abc", true),
        (r#"{"not": {"field": "source", "equals": "abc"}}"#, "abc", false),
        (r#"{"all": []}"#, "abc", true),
        (r#"{"any": []}"#, "abc", false),
        (
            r#"{"all": [{"field": "source", "equals": "abc"}, {"field": "medium", "equals": "n"}]}"#,
            "abc",
            false,
        ),
        (
            r#"{"any": [{"field": "source", "equals": "abc"}, {"field": "medium", "equals": "n"}]}"#,
            "abc",
            true,
        ),
    ] {
        assert_eq!(holds(json, source), expected, "{json} on {source}");
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let field = prop::sample::select(vec![
        Field::Source,
        Field::Medium,
        Field::Campaign,
        Field::SourceCategory,
        Field::ReferrerHost,
        Field::LandingPath,
    ]);
    let leaf = (field, "[a-cA-C.]{0,3}", 0..6_u8).prop_map(|(field, text, operator)| match operator {
        0 => Condition::equals(field, &text),
        1 => Condition::one_of(field, [&text, "b"]),
        2 => Condition::starts_with(field, &text),
        3 => Condition::ends_with(field, &text),
        4 => Condition::contains(field, &text),
        _ => Condition::matches(field, &text).unwrap(),
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::Any),
            inner.prop_map(|c| Condition::Not(Box::new(c))),
        ]
    })
}

proptest! {
    #[test]
    fn rules_round_trip_and_say_the_same(
        conditions in prop::collection::vec(condition(), 0..5),
        words in prop::collection::vec("[a-cA-C.]{0,3}", 3),
    ) {
        let rules = conditions.into_iter().enumerate()
            .map(|(i, when)| ChannelRule { channel: format!("channel {i}"), when }).collect();
        let rules = ChannelRules::new(rules);
        let back: ChannelRules = options::parse(&serde_json::to_string(&rules).unwrap()).unwrap();
        prop_assert_eq!(&back, &rules);
        let visit = Visit::tagged(&words[0], &words[1], &words[2]);
        prop_assert_eq!(back.classify(&visit), rules.classify(&visit));
    }

    #[test]
    fn columns_are_visits_row_by_row(
        rows in prop::collection::vec((0..8_usize, 0..8_usize, any::<bool>()), 0..60),
        threads in 1..4_usize,
    ) {
        let pages = [None, Some(""), Some("https://a.de/?gclid=1"), Some("https://a.de/"), Some("http://[x"),
            Some("https://a.de/?utm_source=fb&utm_medium=paid"), Some("/?utm_medium=email"), Some("nonsense")];
        let referrers = [None, Some(""), Some("https://google.com"), Some("https://a.de/y"), Some("??"),
            Some("https://t.co/1"), Some("https://x.example/"), Some("https://chatgpt.com/")];
        let frame = Columns::new()
            .with("page", rows.iter().map(|r| pages[r.0]).collect::<Vec<Option<&str>>>())
            .with("referrer", rows.iter().map(|r| referrers[r.1]).collect::<Vec<Option<&str>>>())
            .with("msclkid", rows.iter().enumerate().map(|(i, r)| r.2.then(|| format!("id{i}"))).collect::<Vec<Option<String>>>());
        let options = ChannelOptions {
            landing_page: Some("page".into()),
            referrer: Some("referrer".into()),
            click_ids: [("msclkid".to_owned(), "msclkid".to_owned())].into(),
            ..ChannelOptions::default()
        };
        let groups = group_channels(&frame, &options, &Run::new().threads(threads)).unwrap();
        let table = groups.table();
        let rules = ChannelRules::ga4();
        let mut counted = [0_i64; 4];
        for (row, (page, referrer, clicked)) in rows.iter().enumerate() {
            let visit = Visit {
                landing_page: pages[*page].map(Into::into),
                referrer: referrers[*referrer].map(Into::into),
                click_id: clicked.then(|| "msclkid".into()),
                ..Visit::default()
            };
            let one = rules.classify(&visit);
            for (name, word) in [("source", &one.source), ("medium", &one.medium),
                ("campaign", &one.campaign), ("channel", &one.channel)] {
                let cell = table.text(name, row);
                prop_assert_eq!(cell.as_deref(), word.as_deref());
            }
            let flags = [one.bad_landing_page, one.bad_referrer, one.channel.is_none(), one.origin == Origin::Unknown];
            counted.iter_mut().zip(flags).for_each(|(sum, flag)| *sum += i64::from(flag));
        }
        let accounting = groups.accounting();
        let counts: Vec<i64> = counted.into_iter().filter(|c| *c > 0).collect();
        prop_assert_eq!(accounting.i64s("count").unwrap(), &counts[..]);
        let visits: i64 = groups.summary().i64s("visits").unwrap().iter().sum();
        prop_assert_eq!(visits, rows.len() as i64 - counted[2]);
    }
}

#[test]
fn a_frame_needs_a_column_to_read() {
    let frame = Columns::new().with("page", vec!["https://a.de/"]).with("time", Data::times(vec![0]));
    let run = Run::new();
    let none = group_channels(&frame, &ChannelOptions::default(), &run);
    assert!(matches!(none, Err(Error::Option { .. })), "{none:?}");
    let options =
        |name: &str| ChannelOptions { landing_page: Some(name.into()), ..ChannelOptions::default() };
    assert!(matches!(group_channels(&frame, &options("url"), &run), Err(Error::Column { .. })));
    assert!(matches!(group_channels(&frame, &options("time"), &run), Err(Error::Column { .. })));
    let own = ChannelOptions { own_hosts: vec!["a b".into()], ..options("page") };
    assert!(matches!(group_channels(&frame, &own, &run), Err(Error::Option { .. })));
    let empty = Columns::new().with("page", Data::nulls(0));
    assert_eq!(group_channels(&empty, &options("page"), &run).unwrap().table().rows(), 0);
}

/// Snowplow's test events: the enriched columns are the answer key.
#[test]
fn snowplow_events_agree_with_their_answer_key() {
    let file =
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/snowplow_events"));
    if !file.exists() {
        println!("skipped: {} is not here", file.display());
        return;
    }
    let rules = ChannelRules::ga4();
    let (mut tagged, mut referred, mut internal, mut direct) = (0, 0, 0, 0);
    for name in ["sp_event.csv", "sp_event_update.csv"] {
        let mut reader = csv::Reader::from_path(file.join(name)).unwrap();
        let header = reader.headers().unwrap().clone();
        for record in reader.records() {
            let record = record.unwrap();
            let get = |name: &str| {
                let value = &record[header.iter().position(|h| h == name).unwrap()];
                (value != "NULL").then(|| value.to_owned())
            };
            let query = get("page_urlquery").unwrap_or_default();
            let page =
                format!("https://{}{}{query}", get("page_urlhost").unwrap(), get("page_urlpath").unwrap());
            let referrer = get("page_referrer").unwrap_or_default();
            let found = rules.classify(&Visit::page(&page).referrer(&referrer));
            if let Some(source) = get("mkt_source") {
                // The second file quotes its parameters.
                let bare = |text: Option<String>| text.unwrap().trim_matches('\'').to_owned();
                assert_eq!(bare(found.source), source);
                assert_eq!(bare(found.medium), get("mkt_medium").unwrap());
                assert_eq!(bare(found.campaign), get("mkt_campaign").unwrap());
                tagged += 1;
                continue;
            }
            match get("refr_medium").as_deref() {
                Some("internal") => {
                    assert_eq!(found.origin, Origin::Internal);
                    internal += 1;
                }
                Some("search") => {
                    assert_eq!(found.source, get("refr_source"));
                    assert_eq!(found.channel.as_deref(), Some("Organic Search"));
                    referred += 1;
                }
                Some(other) => panic!("no such referrer was here: {other}"),
                None => {
                    assert_eq!(found.channel.as_deref(), Some("Direct"));
                    direct += 1;
                }
            }
        }
    }
    assert_eq!((tagged, referred, internal, direct), (2, 1, 2, 4));
}
