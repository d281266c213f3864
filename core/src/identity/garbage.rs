//! Values that are sent for nobody.

use super::normalize::trim;

/// In any namespace, whatever the case.
const WORDS: [&str; 35] = [
    "(none)",
    "(not set)",
    "(null)",
    "(unknown)",
    "-1",
    "[object object]",
    "anon",
    "anonymous",
    "blank",
    "distinct_id",
    "distinctid",
    "email",
    "empty",
    "false",
    "guest",
    "id",
    "invalid",
    "missing",
    "n/a",
    "na",
    "nan",
    "nil",
    "no_id",
    "none",
    "not available",
    "not set",
    "not_authenticated",
    "not_set",
    "null",
    "optout",
    "true",
    "unassigned",
    "undefined",
    "unidentified",
    "unknown",
];

/// Addresses that forms are filled with.
const EMAILS: [&str; 10] = [
    "a@a.com",
    "asdf@asdf.com",
    "email@email.com",
    "na@na.com",
    "no@email.com",
    "noemail@noemail.com",
    "none@none.com",
    "null@null.com",
    "test@test.com",
    "unknown@unknown.com",
];

/// Whether a value is known to stand for nobody.
///
/// Blank text; the words that tools and forms send for a missing value
/// (`null`, `undefined`, `anonymous`, `guest`, `true`, `not set`, …: the lists
/// of PostHog, Segment, Adobe and Treasure Data); zeros and dashes alone
/// (`0`, `00000000-0000-0000-0000-000000000000`); any one sign or digit over
/// and over, from the sixth time on (`1111111`, `ffffffff-ffff-…`); runs of
/// counted digits (`1234567890`); addresses that forms are filled with.
///
/// ```
/// use headwater::identity::is_garbage;
///
/// assert!(is_garbage("NULL") && is_garbage("0000-00") && is_garbage("+1 111 111 1111"));
/// assert!(!is_garbage("1001") && !is_garbage("anna"));
/// ```
pub fn is_garbage(value: &str) -> bool {
    let text = trim(value);
    // Words and addresses have at most 20 bytes, and no digit but that of -1.
    let word =
        text.len() <= 20 && text.is_ascii() && (text == "-1" || !text.bytes().any(|b| b.is_ascii_digit()));
    if word {
        let mut buffer = [0; 20];
        let lower = &mut buffer[..text.len()];
        lower.copy_from_slice(text.as_bytes());
        lower.make_ascii_lowercase();
        let listed = |list: &[&str]| list.binary_search_by(|w| w.as_bytes().cmp(lower)).is_ok();
        if listed(&WORDS) || listed(&EMAILS) {
            return true;
        }
    }
    repeats(text) || counts(text)
}

/// Blank, zeros and dashes, or one sign again and again.
fn repeats(text: &str) -> bool {
    let mut signs = text.chars().filter(|c| !matches!(c, '-' | '+' | ' ' | '(' | ')' | '.' | '{' | '}'));
    let Some(first) = signs.next() else { return true };
    let mut count = 1;
    for sign in signs {
        if !sign.eq_ignore_ascii_case(&first) {
            return false;
        }
        count += 1;
    }
    first == '0' || count >= 6 || !first.is_alphanumeric()
}

fn counts(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    matches!(digits, "123456" | "1234567" | "12345678" | "123456789" | "1234567890" | "0123456789")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order() {
        assert!(WORDS.is_sorted() && EMAILS.is_sorted());
        assert!(WORDS.iter().chain(&EMAILS).all(|w| w.len() <= 20 && is_garbage(w)));
    }

    #[test]
    fn the_published_lists_are_blocked() {
        // PostHog's illegal ids, Segment's suggestions, Adobe's, mParticle's zero IDFA.
        for value in [
            "anonymous",
            "guest",
            "distinctid",
            "distinct_id",
            "id",
            "not_authenticated",
            "email",
            "undefined",
            "true",
            "false",
            "[object Object]",
            "NaN",
            "None",
            "none",
            "null",
            "0",
            "",
            "  ",
            "000-000",
            "-1",
            "-",
            "invalid",
            "00000000-0000-0000-0000-000000000000",
            "1111111111",
            "0000000000",
            "???",
            "nil",
        ] {
            assert!(is_garbage(value), "{value}");
        }
        for value in ["1", "11", "7f3", "aaaa", "u0", "a@x.org", "1234", "Noneya", "+442079460958", "日本"]
        {
            assert!(!is_garbage(value), "{value}");
        }
    }
}
