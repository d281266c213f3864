//! The model file: one documented, versioned envelope for everything fitted.
//!
//! ```json
//! {"headwater":{"format":1,"version":"0.1.0","kind":"clv.BetaGeo","crc32":"1c291ca3"},
//!  "model":{ ... }}
//! ```
//!
//! `crc32` is taken over the bytes of `model` exactly as they stand, so a
//! damaged digit is an error and not another model. Doubles are written with
//! as many digits as give the same bits back.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, Result};

/// The newest format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// A fitted thing that can be saved and loaded.
pub trait Model: Serialize + DeserializeOwned {
    /// The name in the envelope, `pillar.Name`.
    const KIND: &'static str;

    /// Checks what the types cannot: finite numbers, matching lengths, ranges.
    /// Called on every load, before the model reaches anyone.
    fn check(&self) -> Result<()>;
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    headwater: Header,
    #[serde(borrow)]
    model: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    version: String,
    kind: String,
    crc32: String,
}

/// The file's bytes: JSON in UTF-8.
pub fn to_bytes<M: Model>(model: &M) -> Result<Vec<u8>> {
    model.check()?;
    let unwritable = |e: serde_json::Error| Error::model_file(format!("the model cannot be written: {e}"));
    let text = serde_json::to_string(model).map_err(unwritable)?;
    let header = Header {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kind: M::KIND.to_owned(),
        crc32: format!("{:08x}", crc32fast::hash(text.as_bytes())),
    };
    let raw = RawValue::from_string(text).map_err(unwritable)?;
    serde_json::to_vec(&Envelope { headwater: header, model: &raw }).map_err(unwritable)
}

/// The kind of the model in these bytes, for a loader that must choose.
pub fn kind(bytes: &[u8]) -> Result<String> {
    Ok(open(bytes)?.headwater.kind)
}

/// Whether the model in these bytes has a field, for a loader that must choose.
pub(crate) fn has(bytes: &[u8], field: &str) -> Result<bool> {
    let fields: serde_json::Value = serde_json::from_str(open(bytes)?.model.get()).unwrap_or_default();
    Ok(fields.get(field).is_some())
}

/// Reads a model back and checks it.
pub fn from_bytes<M: Model>(bytes: &[u8]) -> Result<M> {
    let envelope = open(bytes)?;
    let found = &envelope.headwater.kind;
    if found != M::KIND {
        return Err(Error::model_file(format!("holds a `{found}`, not a `{}`", M::KIND)));
    }
    let text = envelope.model.get();
    let sum = format!("{:08x}", crc32fast::hash(text.as_bytes()));
    if sum != envelope.headwater.crc32 {
        return Err(Error::model_file(format!(
            "its checksum is {sum}, not {}: the file was damaged or edited; save the model again",
            envelope.headwater.crc32
        )));
    }
    let model: M = serde_json::from_str(text)
        .map_err(|e| Error::model_file(format!("does not hold a whole `{found}`: {e}")))?;
    model.check()?;
    Ok(model)
}

/// Writes a model to a file.
pub fn save<M: Model>(model: &M, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    std::fs::write(path, to_bytes(model)?)
        .map_err(|source| Error::Io { path: path.display().to_string(), source })
}

/// Reads a model from a file.
pub fn load<M: Model>(path: impl AsRef<Path>) -> Result<M> {
    from_bytes(&read(path)?)
}

/// Reads a file's bytes with this crate's error.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    std::fs::read(path).map_err(|source| Error::Io { path: path.display().to_string(), source })
}

fn open(bytes: &[u8]) -> Result<Envelope<'_>> {
    let envelope: Envelope<'_> = serde_json::from_slice(bytes)
        .map_err(|e| Error::model_file(format!("is not a whole Headwater model file: {e}")))?;
    if envelope.headwater.format > FORMAT {
        return Err(Error::model_file(format!(
            "was written by version {} in format {}, and this version reads up to format {FORMAT}: upgrade headwater",
            envelope.headwater.version, envelope.headwater.format
        )));
    }
    Ok(envelope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Toy {
        x: f64,
    }

    impl Model for Toy {
        const KIND: &'static str = "test.Toy";
        fn check(&self) -> Result<()> {
            if self.x.is_finite() { Ok(()) } else { Err(Error::model_file("x is not finite")) }
        }
    }

    #[test]
    fn a_model_comes_back_with_the_same_bits() -> Result<()> {
        for x in [0.1, 1.0 / 3.0, f64::MIN_POSITIVE, -1.797_693_134_862_315_7e308, 5e-324] {
            let back: Toy = from_bytes(&to_bytes(&Toy { x })?)?;
            assert_eq!(back.x.to_bits(), x.to_bits());
        }
        Ok(())
    }

    #[test]
    fn every_single_damaged_byte_is_an_error_or_changes_nothing() -> Result<()> {
        let toy = Toy { x: 0.123_456_789 };
        let good = to_bytes(&toy)?;
        for at in 0..good.len() {
            for flip in [0x01, 0x10, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                if let Ok(back) = from_bytes::<Toy>(&bad) {
                    assert_eq!(back, toy);
                }
            }
            assert!(from_bytes::<Toy>(&good[..at]).is_err());
        }
        Ok(())
    }

    #[test]
    fn an_unwritable_number_is_an_error_not_a_null() {
        assert!(matches!(to_bytes(&Toy { x: f64::NAN }), Err(Error::ModelFile { .. })));
    }

    #[test]
    fn a_newer_format_says_upgrade() {
        let text = br#"{"headwater":{"format":999,"version":"9.9.9","kind":"test.Toy","crc32":"0"},"model":{"x":1.0}}"#;
        let Err(error) = from_bytes::<Toy>(text) else { unreachable!() };
        assert!(error.to_string().contains("upgrade"), "{error}");
    }
}
