//! Options from JSON: the one door through which both bindings pass them.

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Reads an options struct; an unknown name or a value of the wrong type is an
/// [`Error::Option`] that names it, `outer.inner` where it stands within another.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text);
        // serde quotes an unknown field in backticks, but does not say which field held a wrong value.
        let quoted = || text.split('`').nth(1).unwrap_or("options").to_owned();
        let all: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let path = culprit::<T>(&all);
        let reason = in_place_of::<T>(&all, &path, text).unwrap_or_else(|| said(text));
        Error::Option { option: if path.is_empty() { quoted() } else { path.join(".") }, reason }
    })
}

/// What may stand where something of another kind stands: the names of which one is wanted, or those of its fields.
fn in_place_of<T: DeserializeOwned>(all: &serde_json::Value, path: &[String], text: &str) -> Option<String> {
    if !(text == "expected value" || text.starts_with("invalid ")) {
        return None;
    }
    let found = path.iter().try_fold(all, |value, name| value.get(name))?;
    let refused = |instead: serde_json::Value| {
        let mut tried = all.clone();
        *path.iter().try_fold(&mut tried, |value, name| value.get_mut(name))? = instead;
        serde_json::from_value::<T>(tried).err().map(|error| error.to_string())
    };
    if let Some(known) =
        refused("?".into()).as_deref().and_then(|text| text.strip_prefix("unknown variant `?`, expected "))
    {
        let known = known.strip_prefix("one of ").unwrap_or(known);
        return Some(format!("is {found}, where a name is expected: {known}"));
    }
    let fields = refused(serde_json::json!({"?": 0}))?;
    let known = fields.strip_prefix("unknown field `?`, expected ")?;
    let known = known.strip_prefix("one of ").unwrap_or(known).replace(" or ", ", ");
    (!found.is_object()).then(|| format!("is {found}, where an object of options is expected: {known}"))
}

/// What serde found wrong, in the words of who gave the options.
fn said(text: &str) -> String {
    // The error of a value that is read from text names an option of its own.
    if let Some((_, inner)) = text.strip_prefix("option `").and_then(|rest| rest.split_once("`: ")) {
        return said(inner);
    }
    if text.starts_with("a ") {
        return format!("must be {text}");
    }
    if let Some(field) = text.strip_prefix("missing field ") {
        return format!("{field} is missing: give it too");
    }
    if let Some(rest) = text.strip_prefix("unknown field ") {
        return match rest.split_once(", expected ") {
            Some((field, known)) => {
                let known = known.strip_prefix("one of ").unwrap_or(known);
                format!("there is no option {field}; there is {known}")
            }
            None => format!("there is no option {}", rest.split(", ").next().unwrap_or(rest)),
        };
    }
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some((found, wanted)) =
            text.strip_prefix(kind).and_then(|rest| rest.rsplit_once(", expected "))
        {
            let wanted = match wanted {
                "u8" | "u16" | "u32" | "u64" | "usize" | "u128" => "a whole number from 0",
                "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "a whole number",
                "f32" | "f64" => "a number",
                "a boolean" => "true or false",
                "a sequence" => "a list",
                "a map" => "an object",
                other if other.starts_with("struct ") => "an object of options",
                other => other,
            };
            return format!("is {found}, where {wanted} is expected");
        }
    }
    text.to_owned()
}

/// For calls that take no options: anything given is an [`Error::Option`].
pub fn none(json: &str) -> Result<()> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    parse::<Nothing>(json).map(|_| ())
}

/// The one field without which the options can be read, as deep as it lies.
fn culprit<T: DeserializeOwned>(all: &serde_json::Value) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    loop {
        let at =
            |root: &serde_json::Value| path.iter().try_fold(root.clone(), |v, name| v.get(name).cloned());
        let Some(serde_json::Value::Object(fields)) = at(all) else { break };
        let without = |name: &String| {
            let mut rest = all.clone();
            let within = path.iter().try_fold(&mut rest, |v, name| v.get_mut(name));
            within.and_then(serde_json::Value::as_object_mut).map(|fields| fields.remove(name));
            serde_json::from_value::<T>(rest).is_ok()
        };
        let Some(name) = fields.keys().find(|name| without(name)).cloned() else { break };
        path.push(name);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrong_field_is_named() {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[derive(Default)]
        struct Toy {
            #[allow(dead_code)]
            bins: u32,
            #[allow(dead_code)]
            name: String,
        }
        for (json, wrong) in [
            (r#"{"name":"a","bins":-1}"#, "bins"),
            (r#"{"name":3}"#, "name"),
            (r#"{"bins":3,"binz":4}"#, "binz"),
        ] {
            let Err(Error::Option { option, .. }) = parse::<Toy>(json) else { unreachable!() };
            assert_eq!(option, wrong);
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Inner {
            #[allow(dead_code)]
            median: f64,
            #[allow(dead_code)]
            sd: f64,
        }
        #[derive(Default, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Toy {
            #[allow(dead_code)]
            priors: std::collections::BTreeMap<String, Inner>,
            #[allow(dead_code)]
            most: usize,
            #[allow(dead_code)]
            side: Side,
            #[allow(dead_code)]
            inner: Option<Inner>,
            #[allow(dead_code)]
            span: crate::column::Duration,
        }
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Side {
            #[default]
            Left,
            #[allow(dead_code)]
            Right,
        }
        for (json, option, reason) in [
            (r#"{"priors":{"a":{"median":1}}}"#, "priors.a", "`sd` is missing: give it too"),
            (
                r#"{"priors":{"b":{"median":1,"sd":2},"a":{"median":"x","sd":1}}}"#,
                "priors.a",
                "is string \"x\", where a number is expected",
            ),
            (
                r#"{"priors":{"a":{"median":1,"sd":1,"mean":2}}}"#,
                "priors.a.mean",
                "there is no option `mean`; there is `median` or `sd`",
            ),
            (r#"{"side":true}"#, "side", "is true, where a name is expected: `left` or `right`"),
            (r#"{"inner":0.1}"#, "inner", "is 0.1, where an object of options is expected: `median`, `sd`"),
            (
                r#"{"inner":["sd"]}"#,
                "inner",
                "is [\"sd\"], where an object of options is expected: `median`, `sd`",
            ),
            (
                r#"{"span":"soon"}"#,
                "span",
                "`soon` is not a span of time; write for example \"30d\", \"12h\" or \"2w\"",
            ),
            (r#"{"span":[]}"#, "span", "must be a span of time such as \"30d\", or a number of days"),
            (r#"{"most":-1}"#, "most", "is integer `-1`, where a whole number from 0 is expected"),
            (
                r#"{"prior":1}"#,
                "prior",
                "there is no option `prior`; there is `priors`, `most`, `side`, `inner`, `span`",
            ),
        ] {
            let Err(Error::Option { option: found, reason: said }) = parse::<Toy>(json) else {
                unreachable!()
            };
            assert_eq!((found.as_str(), said.as_str()), (option, reason));
        }
    }
}
