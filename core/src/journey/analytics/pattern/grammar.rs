//! The grammar of path patterns: `ad -> .* -> [search|social] -> [^direct]* -> (conversion)`.

use super::{CONVERSION, NULL_END, START};
use crate::{Error, Result};

/// What an element takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Any touch.
    Any,
    /// Touches of these channels.
    These(Vec<String>),
    /// Touches of all other channels.
    Others(Vec<String>),
    Start,
    Conversion,
    Null,
}

/// How often in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Once,
    Perhaps,
    /// None or more.
    Many,
    /// One or more.
    Some,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) takes: Takes,
    pub(super) times: Times,
}

const ARROW: &str = "->";

/// The elements of a pattern.
pub(super) fn parse(pattern: &str) -> Result<Vec<Element>> {
    let mut rest = pattern.trim_start();
    let mut out = Vec::new();
    let wrong = |reason: String| Error::option("pattern", format!("`{pattern}`: {reason}"));
    loop {
        let (takes, after, plain) = takes(rest).map_err(wrong)?;
        let (times, after) = if plain { (Times::Once, after) } else { times(after) };
        out.push(Element { takes, times });
        let after = after.trim_start();
        if after.is_empty() {
            return Ok(out);
        }
        rest = after.strip_prefix(ARROW).map(str::trim_start).ok_or_else(|| {
            wrong(format!("`{after}` follows without `->`; quote labels that hold signs: `\"a->b\"`"))
        })?;
    }
}

fn times(rest: &str) -> (Times, &str) {
    for (sign, times) in [('*', Times::Many), ('+', Times::Some), ('?', Times::Perhaps)] {
        if let Some(after) = rest.strip_prefix(sign) {
            return (times, after);
        }
    }
    (Times::Once, rest)
}

/// What one element takes, what follows it, and whether it is a bare label, which has no repeats.
fn takes(rest: &str) -> std::result::Result<(Takes, &str, bool), String> {
    if let Some(inside) = rest.strip_prefix('[') {
        let (others, mut inside) = match inside.strip_prefix('^') {
            Some(inside) => (true, inside),
            None => (false, inside),
        };
        let mut labels = Vec::new();
        loop {
            let (label, after) = label(inside, &["|", "]"])?;
            labels.push(label);
            if let Some(after) = after.strip_prefix(']') {
                let takes = if others { Takes::Others(labels) } else { Takes::These(labels) };
                return Ok((takes, after, false));
            }
            inside = after.strip_prefix('|').ok_or_else(|| "a `[` has no `]`".to_owned())?;
        }
    }
    if let Some(after) = rest.strip_prefix('.')
        && (after.trim_start().is_empty()
            || after.starts_with(['*', '+', '?'])
            || after.trim_start().starts_with(ARROW))
    {
        return Ok((Takes::Any, after, false));
    }
    let (label, after) = label(rest, &[ARROW])?;
    if rest.starts_with('"') {
        return Ok((Takes::These(vec![label]), after, false));
    }
    let takes = match label.as_str() {
        START => Takes::Start,
        CONVERSION => Takes::Conversion,
        NULL_END => Takes::Null,
        _ => Takes::These(vec![label]),
    };
    Ok((takes, after, true))
}

/// A label, quoted or up to one of these signs, and what follows it.
fn label<'a>(rest: &'a str, until: &[&str]) -> std::result::Result<(String, &'a str), String> {
    let rest = rest.trim_start();
    if rest.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        return match stream.next() {
            Some(Ok(label)) => Ok((label, rest[stream.byte_offset()..].trim_start_matches(' '))),
            _ => Err("a quote is not closed".to_owned()),
        };
    }
    let end = until.iter().filter_map(|sign| rest.find(sign)).min().unwrap_or(rest.len());
    let label = rest[..end].trim();
    if label.is_empty() {
        return Err("an element is empty: name a channel, or write `.` for any".to_owned());
    }
    Ok((label.to_owned(), &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(labels: &[&str]) -> Takes {
        Takes::These(labels.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn elements_are_read_with_their_repeats() {
        let found =
            parse(r#"(start)->a b ->.*-> [c | "d|]"]+->[^e]? -> "x->y" -> .hidden -> (null)"#).unwrap();
        let wanted = [
            (Takes::Start, Times::Once),
            (these(&["a b"]), Times::Once),
            (Takes::Any, Times::Many),
            (these(&["c", "d|]"]), Times::Some),
            (Takes::Others(vec!["e".into()]), Times::Perhaps),
            (these(&["x->y"]), Times::Once),
            (these(&[".hidden"]), Times::Once),
            (Takes::Null, Times::Once),
        ];
        let wanted: Vec<Element> =
            wanted.into_iter().map(|(takes, times)| Element { takes, times }).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (pattern, reason) in [
            ("", "empty"),
            ("a -> ", "empty"),
            ("a -> -> b", "empty"),
            ("[a|b", "no `]`"),
            ("[a||b]", "empty"),
            ("\"a", "not closed"),
            ("[a] b", "without `->`"),
        ] {
            let error = parse(pattern).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("pattern"), "{pattern}: {error}");
        }
    }
}
