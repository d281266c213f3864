//! Options from JSON: the one door through which both bindings pass them.

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Reads an options struct; an unknown name or a value of the wrong type is an
/// [`Error::Option`] that names it.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
        // serde quotes an unknown field in backticks, but does not say which field held a wrong value.
        let quoted = || text.split('`').nth(1).unwrap_or("options").to_owned();
        Error::Option { option: culprit::<T>(json).unwrap_or_else(quoted), reason }
    })
}

/// For calls that take no options: anything given is an [`Error::Option`].
pub fn none(json: &str) -> Result<()> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    parse::<Nothing>(json).map(|_| ())
}

/// The one field without which the options can be read.
fn culprit<T: DeserializeOwned>(json: &str) -> Option<String> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
    fields.keys().find_map(|name| {
        let mut rest = fields.clone();
        rest.remove(name);
        serde_json::from_value::<T>(rest.into()).is_ok().then(|| name.clone())
    })
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
}
