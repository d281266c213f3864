//! Which sites are search, social, shopping, video or assistants, and which
//! click ids belong to whom.

use std::collections::HashMap;
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

type Map<V> = HashMap<&'static str, V, FixedState>;

/// The source and medium that a click id stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClickSource {
    /// The source, `google` of `gclid`.
    pub source: String,
    /// The medium, `cpc` of `gclid`. `referral` marks an id that comes with
    /// unpaid clicks too, as `fbclid` does: it speaks only where no referrer does.
    pub medium: String,
}

/// A site of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) category: &'static str,
    /// The source of a visit that this site referred.
    pub(super) name: &'static str,
}

#[derive(Default)]
struct Sites {
    /// Sources as they stand, hosts included.
    exact: Map<Site>,
    /// First labels of hosts under any top-level domain.
    any_top: Map<Site>,
}

fn lines(text: &'static str) -> impl Iterator<Item = std::str::SplitAsciiWhitespace<'static>> {
    text.lines().filter(|line| !line.starts_with('#')).map(str::split_ascii_whitespace)
}

fn sites() -> &'static Sites {
    static SITES: OnceLock<Sites> = OnceLock::new();
    SITES.get_or_init(|| {
        let mut sites = Sites::default();
        for mut words in lines(include_str!("sources.txt")) {
            let (Some(category), Some(name)) = (words.next(), words.next()) else { continue };
            let site = Site { category, name };
            sites.exact.entry(name).or_insert(site);
            for pattern in words {
                match pattern.strip_suffix(".*") {
                    Some(label) => sites.any_top.insert(label, site),
                    None => sites.exact.insert(pattern, site),
                };
            }
        }
        sites
    })
}

/// A host and the domains that it lies in, from the longest.
pub(super) fn domains(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |host| {
        host.split_once('.').map(|(_, rest)| rest).filter(|rest| rest.contains('.'))
    })
}

/// A host without `www.`.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix("www.").filter(|rest| rest.contains('.')).unwrap_or(host)
}

/// The site of a source in small letters: a name, or a host.
pub(super) fn site(source: &str) -> Option<Site> {
    let (sites, host) = (sites(), bare(source));
    if let Some(site) = domains(host).find_map(|domain| sites.exact.get(domain)) {
        return Some(*site);
    }
    let (label, top) = host.split_once('.')?;
    // `co.uk`, `com.br`: a second label of three letters at most.
    let known = match top.split_once('.') {
        None => true,
        Some((second, top)) => second.len() <= 3 && !top.contains('.'),
    };
    sites.any_top.get(label).filter(|_| known).copied()
}

/// What a click id's parameter, in small letters, stands for: source and medium.
pub(super) fn click_id(parameter: &str) -> Option<(&'static str, &'static str)> {
    static IDS: OnceLock<Map<(&'static str, &'static str)>> = OnceLock::new();
    let ids = IDS.get_or_init(|| {
        lines(include_str!("click_ids.txt"))
            .filter_map(|mut words| Some((words.next()?, (words.next()?, words.next()?))))
            .collect()
    });
    ids.get(parameter).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_subdomains_and_names_have_categories() {
        let category = |source| site(source).map(|s| s.category);
        for (source, expected) in [
            ("google", Some("search")),
            ("www.google.com", Some("search")),
            ("google.co.uk", Some("search")),
            ("google.de", Some("search")),
            ("google.evil.com", None),
            ("mail.google.com", None),
            ("notgoogle.com", None),
            ("gemini.google.com", Some("ai_assistant")),
            ("groups.google.com", Some("social")),
            ("shopping.google.com", Some("shopping")),
            ("l.facebook.com", Some("social")),
            ("facebook", Some("social")),
            ("de.pinterest.com", Some("social")),
            ("pinterest.co.kr", Some("social")),
            ("m.youtube.com", Some("video")),
            ("smile.amazon.com", Some("shopping")),
            ("amazon.de", Some("shopping")),
            ("com", None),
            ("", None),
            (".", None),
            ("newsletter", None),
        ] {
            assert_eq!(category(source), expected, "{source}");
        }
    }

    #[test]
    fn the_tables_are_well_formed() {
        let mut seen = HashMap::new();
        for mut words in lines(include_str!("sources.txt")) {
            let category = words.next().unwrap();
            assert!(
                ["search", "social", "video", "shopping", "ai_assistant"].contains(&category),
                "{category}"
            );
            words.next().unwrap();
            for pattern in words {
                assert_eq!(pattern, pattern.to_lowercase());
                assert!(seen.insert(pattern, category).is_none(), "{pattern} is there twice");
            }
        }
        assert!(seen.len() > 300);
        for words in lines(include_str!("click_ids.txt")) {
            assert_eq!(words.count(), 3);
        }
        assert_eq!(click_id("gclid"), Some(("google", "cpc")));
        assert_eq!(click_id("id"), None);
    }
}
