//! Options from JSON: the one door through which both bindings pass them.

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Reads an options struct; an unknown name or a value of the wrong type is an
/// [`Error::Option`] that names it.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let text = error.to_string();
        // serde quotes the field it stumbled over in backticks.
        let option = text.split('`').nth(1).unwrap_or("options").to_owned();
        let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Error::Option { option, reason }
    })
}
