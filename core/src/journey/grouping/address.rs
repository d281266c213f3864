//! Landing pages and referrers as addresses.

use std::borrow::Cow;
use std::sync::OnceLock;

use url::Url;

use super::sources::bare;

/// A host in the form in which hosts are compared: small letters, international
/// names as the network writes them, no `www.`. `None` for what is no host.
pub(super) fn plain_host(text: &str) -> Option<String> {
    let text = text.trim();
    let url = with_scheme(text).or_else(|| Url::parse(text).ok())?;
    let host = host(&url)?;
    let mut host = &*host;
    while bare(host) != host {
        host = bare(host);
    }
    Some(host.to_owned())
}

/// The host of an address in small letters.
pub(super) fn host(url: &Url) -> Option<Cow<'_, str>> {
    let host = url.host_str()?.trim_end_matches('.');
    if host.is_empty() {
        return None;
    }
    // Schemes of the web come in small letters; others, as those of apps, as they were written.
    let upper = host.bytes().any(|b| b.is_ascii_uppercase());
    Some(if upper { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) })
}

/// An address with a host.
pub(super) fn absolute(text: &str) -> Option<Url> {
    match Url::parse(text) {
        Ok(url) if host(&url).is_some() => Some(url),
        // `shop.de:8080/x` parses as a scheme.
        Ok(url) if url.scheme().contains('.') || url.scheme() == "localhost" => with_scheme(text),
        Err(url::ParseError::RelativeUrlWithoutBase) => match text.strip_prefix("//") {
            Some(rest) => with_scheme(rest),
            None => with_scheme(text),
        },
        _ => None,
    }
}

/// An address with a host, or a path on a host that is not known.
pub(super) fn landing(text: &str) -> Option<Url> {
    let path = text.starts_with(['/', '?', '#']) && !text.starts_with("//");
    if path {
        static NOWHERE: OnceLock<Option<Url>> = OnceLock::new();
        return NOWHERE.get_or_init(|| Url::parse("nowhere:/").ok()).as_ref()?.join(text).ok();
    }
    absolute(text)
}

/// A text that begins with a host.
fn with_scheme(text: &str) -> Option<Url> {
    let name = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let named = name.contains('.') || name == "localhost";
    if !named || name.contains(char::is_whitespace) {
        return None;
    }
    Url::parse(&format!("https://{text}")).ok().filter(|url| host(url).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form_that_logs_hold() {
        let read = |text| absolute(text).and_then(|url| host(&url).map(Cow::into_owned));
        for (text, expected) in [
            ("https://www.Shop.de/x?y=1", Some("www.shop.de")),
            ("HTTP://SHOP.DE", Some("shop.de")),
            ("//cdn.shop.de/a", Some("cdn.shop.de")),
            ("shop.de/a?utm_source=x://y", Some("shop.de")),
            ("shop.de/a", Some("shop.de")),
            ("shop.de:8080/a", Some("shop.de")),
            ("localhost:3000/a", Some("localhost")),
            ("https://münchen.de/", Some("xn--mnchen-3ya.de")),
            ("https://shop.de./", Some("shop.de")),
            (
                "android-app://com.Google.Android.googlequicksearchbox/https/www.google.com",
                Some("com.google.android.googlequicksearchbox"),
            ),
            ("about:blank", None),
            ("mailto:a@b.de", None),
            ("file:///tmp/x", None),
            ("https://", None),
            ("https://exa mple.com", None),
            ("/path?utm_source=a", None),
            ("nonsense", None),
            ("", None),
            ("http://[::1", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
        assert_eq!(landing("/a?b=c").map(|u| u.query_pairs().count()), Some(1));
        assert_eq!(landing("?b=c").and_then(|u| host(&u).map(Cow::into_owned)), None);
        assert_eq!(plain_host(" WWW.Shop.DE "), Some("shop.de".into()));
        assert_eq!(plain_host("https://shop.de/x"), Some("shop.de".into()));
        assert_eq!(plain_host("www.www.shop.de"), Some("shop.de".into()));
        assert_eq!(plain_host("www.de"), Some("www.de".into()));
        assert_eq!(plain_host("a b"), None);
    }
}
