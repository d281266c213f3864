//! Columns of JavaScript as columns of the core.

use headwater::column::{Columns, Data, Text, parse_time};
use headwater::{Error as CoreError, Result as CoreResult};
use napi::bindgen_prelude::{
    BigInt64ArraySlice, ClassInstance, Float64ArraySlice, JsObjectValue, JsValue, Object, Uint8ArraySlice,
    Uint32ArraySlice, Unknown,
};
use napi::{Env, Result};

use crate::face;
use crate::frame::Frame;

/// A frame of the caller: ours already, or bytes to be decoded by the worker.
pub(crate) enum Input {
    Columns(Columns),
    Ipc(Vec<u8>),
}

impl Input {
    /// Copies a frame; `face/intake.js` has brought it into one of few forms.
    pub(crate) fn open<'e>(env: &'e Env, value: Unknown<'e>) -> Result<Self> {
        let form: Object<'e> = face::call(env, "frame", (value,))?;
        if let Some(frame) = form.get::<ClassInstance<'e, Frame>>("frame")? {
            return Ok(Self::Columns(frame.columns()));
        }
        if let Some(bytes) = form.get::<Uint8ArraySlice<'e>>("ipc")? {
            return Ok(Self::Ipc(bytes.to_vec()));
        }
        let columns: Vec<Object<'e>> = form.get_named_property("columns")?;
        let mut out = Columns::new();
        for column in columns {
            let name: String = column.get_named_property("name")?;
            let data =
                data(&column)?.map_err(|reason| face::thrown(env, &CoreError::column(&name, reason)))?;
            out.set(&name, data);
        }
        Ok(Self::Columns(out))
    }

    /// The columns; decodes where that is still to be done.
    pub(crate) fn columns(self) -> CoreResult<Columns> {
        match self {
            Self::Columns(columns) => Ok(columns),
            Self::Ipc(bytes) => decode(&bytes),
        }
    }
}

fn data(column: &Object<'_>) -> Result<std::result::Result<Data, &'static str>> {
    let kind: String = column.get_named_property("kind")?;
    let data: Data = match kind.as_str() {
        "float" => floats(column)?.to_vec().into(),
        // Whole numbers, checked to be exact on the way here.
        "int" => floats(column)?.iter().map(|v| *v as i64).collect::<Vec<i64>>().into(),
        "bigint" => column.get_named_property::<BigInt64ArraySlice<'_>>("data")?.to_vec().into(),
        "bool" => bytes(column, "data")?.iter().map(|v| *v != 0).collect::<Vec<bool>>().into(),
        "time" => Data::times(floats(column)?.iter().map(|ms| micros(*ms)).collect()),
        "text" => {
            let parts: Vec<Object<'_>> = column.get_named_property("data")?;
            let mut out = Text::new();
            for part in parts {
                let lengths: Uint32ArraySlice<'_> = part.get_named_property("lengths")?;
                let utf8 = bytes(&part, "utf8")?;
                let Ok(joined) = std::str::from_utf8(&utf8) else {
                    return Ok(Err("is not well-formed Unicode"));
                };
                if split(joined, &lengths, &mut out).is_none() {
                    return Ok(Err("is not well-formed Unicode"));
                }
            }
            out.into()
        }
        _ => Data::nulls(column.get_named_property::<u32>("rows")? as usize),
    };
    let valid: Option<Uint8ArraySlice<'_>> = column.get("valid")?;
    Ok(Ok(match valid {
        Some(mask) => data.with_valid(&mask.iter().map(|v| *v != 0).collect::<Vec<bool>>()),
        None => data,
    }))
}

fn floats<'e>(column: &Object<'e>) -> Result<Float64ArraySlice<'e>> {
    column.get_named_property("data")
}

fn bytes<'e>(column: &Object<'e>, name: &str) -> Result<Uint8ArraySlice<'e>> {
    column.get_named_property(name)
}

/// A `Date`'s milliseconds as the core's microseconds.
pub(crate) fn micros(milliseconds: f64) -> i64 {
    (milliseconds * 1000.0).round() as i64
}

/// A `Date`, milliseconds since the epoch, or an ISO string.
pub(crate) fn moment(env: &Env, value: Unknown<'_>) -> Result<Option<i64>> {
    use napi::ValueType::{Null, Number, Object as Date, String as Text, Undefined};
    let bad = || {
        let reason = "must be a Date, an ISO string or milliseconds since the epoch";
        face::thrown(env, &CoreError::option("time", reason))
    };
    match value.get_type()? {
        Undefined | Null => return Ok(None),
        Text => {
            let text = value.coerce_to_string()?.into_utf8()?.into_owned()?;
            return parse_time(&text).map(Some).ok_or_else(bad);
        }
        Number | Date => {}
        _ => return Err(bad()),
    }
    let ms = value.coerce_to_number()?.get_double()?;
    if ms.is_finite() { Ok(Some(micros(ms))) } else { Err(bad()) }
}

/// Cuts strings that were joined; their lengths are counted in UTF-16 units.
fn split(joined: &str, lengths: &[u32], out: &mut Text) -> Option<()> {
    if joined.is_ascii() {
        let mut at = 0;
        for length in lengths {
            out.push(joined.get(at..at + *length as usize)?);
            at += *length as usize;
        }
        return Some(());
    }
    let mut rest = joined;
    for length in lengths {
        let (mut units, mut end) = (0, 0);
        for c in rest.chars() {
            if units >= *length as usize {
                break;
            }
            units += c.len_utf16();
            end += c.len_utf8();
        }
        if units != *length as usize {
            return None;
        }
        let (head, tail) = rest.split_at(end);
        out.push(head);
        rest = tail;
    }
    Some(())
}

fn decode(bytes: &[u8]) -> CoreResult<Columns> {
    let damaged = |e: &dyn std::fmt::Display| {
        CoreError::column("(arrow)", format!("the IPC bytes cannot be read: {e}"))
    };
    let batches: std::result::Result<Vec<_>, _> = if bytes.starts_with(b"ARROW1") {
        arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None)
            .map_err(|e| damaged(&e))?
            .collect()
    } else {
        arrow_ipc::reader::StreamReader::try_new(std::io::Cursor::new(bytes), None)
            .map_err(|e| damaged(&e))?
            .collect()
    };
    Columns::from_batches(batches.map_err(|e| damaged(&e))?)
}
