//! One form for each value: e-mail addresses, telephone numbers, device ids.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// An e-mail address in its one form; `None` when it is none.
///
/// White space around it goes, Unicode is composed (NFC), all of it is in
/// lower case, and the domain is in ASCII (IDNA, UTS 46). With `gmail`, dots
/// and `+tag` in the local part of a Gmail address go, and `googlemail.com`
/// becomes `gmail.com`.
///
/// ```
/// use headwater::identity::normalize_email;
///
/// assert_eq!(normalize_email(" Jo.Doe@Bücher.example ", false).as_deref(), Some("jo.doe@xn--bcher-kva.example"));
/// assert_eq!(normalize_email("Jo.Doe+news@googlemail.com", true).as_deref(), Some("jodoe@gmail.com"));
/// assert_eq!(normalize_email("nobody", false), None);
/// ```
pub fn normalize_email(raw: &str, gmail: bool) -> Option<String> {
    let (local, domain) = raw.trim().rsplit_once('@')?;
    let local = lower(local);
    if local.is_empty() || local.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@') {
        return None;
    }
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let domain = if plain(domain) {
        domain.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(domain).ok().filter(|d| plain(d))?
    };
    if domain.len() > 253 || !domain.contains('.') || domain.split('.').any(str::is_empty) {
        return None;
    }
    if gmail && (domain == "gmail.com" || domain == "googlemail.com") {
        let name = local.split('+').next().unwrap_or_default();
        let name: String = name.chars().filter(|c| *c != '.').collect();
        return (!name.is_empty()).then(|| name + "@gmail.com");
    }
    Some(format!("{local}@{domain}"))
}

/// Without white space around it; most values have none.
pub(super) fn trim(raw: &str) -> &str {
    let bytes = raw.as_bytes();
    let graphic = |b: Option<&u8>| b.is_some_and(u8::is_ascii_graphic);
    if graphic(bytes.first()) && graphic(bytes.last()) { raw } else { raw.trim() }
}

/// Whether an address is in its one form already, as most are; of the others,
/// some may be too.
pub(super) fn is_normal_email(raw: &str, gmail: bool) -> bool {
    let Some((local, domain)) = raw.split_once('@') else { return false };
    let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    let provider = gmail && (domain == "gmail.com" || domain == "googlemail.com");
    !provider
        && !local.is_empty()
        && local.bytes().all(|b| name(b) || b == b'+')
        && domain.len() <= 253
        && domain.bytes().all(name)
        && domain.contains('.')
        && !domain.split('.').any(str::is_empty)
}

/// Whether IDNA would only lower the case of this domain.
fn plain(domain: &str) -> bool {
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-' || b == b'_';
    domain.bytes().all(letters)
}

/// Composed and in lower case.
fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lowering can decompose (İ), so that composing comes last.
    let lower = text.nfc().collect::<String>().to_lowercase();
    if is_nfc_quick(lower.chars()) == IsNormalized::Yes { lower } else { lower.nfc().collect() }
}

/// A telephone number in E.164 form; `None` when it is none.
///
/// `region` is the country (ISO 3166, such as `"GB"`) of numbers without a
/// country code; without it such a number becomes its digits. An extension
/// goes. The numbering plans are those of libphonenumber (crate
/// `phonenumber`); without the feature `phone` every number becomes its digits,
/// after a `+` if it had one. The number need not be in service: ranges that
/// are kept for fiction are numbers, too.
///
/// ```
/// use headwater::identity::normalize_phone;
///
/// # if cfg!(feature = "phone") {
/// assert_eq!(normalize_phone("(020) 7946 0958 ext. 12", Some("GB")).as_deref(), Some("+442079460958"));
/// # }
/// assert_eq!(normalize_phone("+44 20-7946-0958", None).as_deref(), Some("+442079460958"));
/// assert_eq!(normalize_phone("020 7946 0958", None).as_deref(), Some("02079460958"));
/// assert_eq!(normalize_phone("call me", None), None);
/// ```
pub fn normalize_phone(raw: &str, region: Option<&str>) -> Option<String> {
    let digits = dialled(raw)?;
    Some(plan::e164(&digits, region).unwrap_or(digits))
}

/// Like [`normalize_phone`], for numbers that can be in service alone.
pub(super) fn valid_phone(raw: &str, region: Option<&str>) -> Option<String> {
    plan::valid(&dialled(raw)?, region)
}

/// Whether numbers of this region can be told.
pub(super) fn known_region(region: &str) -> bool {
    plan::known(region)
}

/// What one would dial: `+` and digits, 5 to 17 of them; `None` for anything else.
fn dialled(raw: &str) -> Option<String> {
    let text = raw.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    if text.len() > 128 {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    // Full-width digits and signs, as Japanese forms give them, are digits and signs.
    for c in text.nfkc() {
        match c {
            '0'..='9' => out.push(c),
            '+' if out.is_empty() => out.push('+'),
            'x' | 'X' | 'e' | 'E' | '#' | ';' | ',' if out.len() >= 5 => break,
            ' ' | '-' | '.' | '/' | '(' | ')' | '[' | ']' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            _ => return None,
        }
    }
    let digits = out.len() - usize::from(out.starts_with('+'));
    (5..=17).contains(&digits).then_some(out)
}

#[cfg(feature = "phone")]
mod plan {
    use phonenumber::{Mode, PhoneNumber, country};

    fn parse(digits: &str, region: Option<&str>) -> Option<PhoneNumber> {
        let region: Option<country::Id> = region.and_then(|r| r.to_ascii_uppercase().parse().ok());
        if region.is_none() && !digits.starts_with('+') {
            return None;
        }
        phonenumber::parse(region, digits).ok()
    }

    fn text(number: &PhoneNumber) -> Option<String> {
        let text = number.format().mode(Mode::E164).to_string();
        // The standard allows 15 digits.
        (7..=16).contains(&text.len()).then_some(text)
    }

    pub(super) fn e164(digits: &str, region: Option<&str>) -> Option<String> {
        text(&parse(digits, region)?)
    }

    pub(super) fn valid(digits: &str, region: Option<&str>) -> Option<String> {
        let number = parse(digits, region)?;
        if phonenumber::is_valid(&number) { text(&number) } else { None }
    }

    pub(super) fn known(region: &str) -> bool {
        region.to_ascii_uppercase().parse::<country::Id>().is_ok()
    }
}

#[cfg(not(feature = "phone"))]
mod plan {
    pub(super) fn e164(_: &str, _: Option<&str>) -> Option<String> {
        None
    }

    pub(super) fn valid(digits: &str, _: Option<&str>) -> Option<String> {
        Some(digits.to_owned())
    }

    pub(super) fn known(region: &str) -> bool {
        region.len() == 2 && region.bytes().all(|b| b.is_ascii_alphabetic())
    }
}

/// A device id: trimmed, without braces, hexadecimal in lower case.
pub(super) fn device(raw: &str) -> Cow<'_, str> {
    let text = trim(raw);
    let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).map_or(text, trim);
    let hex = |b: u8| b.is_ascii_hexdigit() || b == b'-';
    if text.bytes().all(hex) && text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Trimmed, composed, in lower case.
pub(super) fn lowered(raw: &str) -> Cow<'_, str> {
    let text = trim(raw);
    let done = |b: u8| b.is_ascii() && !b.is_ascii_uppercase();
    if text.bytes().all(done) { Cow::Borrowed(text) } else { Cow::Owned(lower(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_have_one_form() {
        let email = |raw| normalize_email(raw, false);
        assert_eq!(email("A@X.Org").as_deref(), Some("a@x.org"));
        assert_eq!(email("a@x.org.").as_deref(), Some("a@x.org"));
        assert_eq!(email("e\u{301}@x.org"), email("\u{e9}@X.ORG"));
        assert_eq!(email("a@münchen.de"), email("a@xn--mnchen-3ya.de"));
        assert_eq!(email("j.d+x@gmail.com").as_deref(), Some("j.d+x@gmail.com"));
        for none in
            ["", "@", "a@", "@x.org", "a@org", "a b@x.org", "a@b@x.org", "a@x..org", "a@x org", "a@\u{0}.org"]
        {
            assert_eq!(email(none), None, "{none}");
        }
        assert_eq!(normalize_email("+tag@gmail.com", true), None);
        assert_eq!(normalize_email("j.d+x@example.org", true).as_deref(), Some("j.d+x@example.org"));
    }

    #[test]
    #[cfg(feature = "phone")]
    fn numbers_have_one_form() {
        for raw in [
            "020 7946 0958",
            "(020) 7946-0958",
            "+44 20 7946 0958",
            "0044 20 7946 0958",
            "+44 (0)20 7946 0958 x12",
        ] {
            assert_eq!(normalize_phone(raw, Some("gb")).as_deref(), Some("+442079460958"), "{raw}");
        }
        assert_eq!(normalize_phone("(555) 010-0199", Some("US")).as_deref(), Some("+15550100199"));
        assert_eq!(normalize_phone("０３-１２３４-５６７８", Some("JP")).as_deref(), Some("+81312345678"));
        // An Italian number keeps its leading zero.
        assert_eq!(normalize_phone("06 698 12345", Some("IT")).as_deref(), Some("+390669812345"));
        for none in ["", "+", "12", "n/a", "1-800-FLOWERS", "020 7946 0958 0000 0000 00"] {
            assert_eq!(normalize_phone(none, Some("GB")), None, "{none}");
        }
        assert_eq!(valid_phone("123456", Some("GB")), None);
        assert!(known_region("de") && !known_region("XX") && !known_region("Europe"));
    }

    #[test]
    fn devices_have_one_form() {
        let uuid = "{6D92078A-8246-4BA4-AE5B-76104861E7DC}";
        assert_eq!(device(uuid), "6d92078a-8246-4ba4-ae5b-76104861e7dc");
        assert_eq!(device(" Kitchen-iPad "), "Kitchen-iPad");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,12}@?[a-zA-Zäßİ.]{0,6}\\.?[a-z]{0,4}", gmail: bool) {
            if let Some(once) = normalize_email(&text, gmail) {
                let twice = normalize_email(&once, gmail);
                prop_assert_eq!(twice.as_ref(), Some(&once));
            }
            prop_assert!(!is_normal_email(&text, gmail) || normalize_email(&text, gmail).as_ref() == Some(&text));
            let once = lowered(&text).into_owned();
            prop_assert_eq!(&*lowered(&once), &*once);
            let once = device(&text).into_owned();
            prop_assert_eq!(&*device(&once), &*once);
        }

        #[test]
        fn a_number_normalised_twice_is_the_same(text in "[+0-9() x.-]{0,20}") {
            for region in [None, Some("GB"), Some("US"), Some("IT")] {
                if let Some(once) = normalize_phone(&text, region)
                    && once.starts_with('+')
                {
                    let twice = normalize_phone(&once, region);
                    prop_assert_eq!(twice.as_ref(), Some(&once));
                }
            }
        }
    }
}
