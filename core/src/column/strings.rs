//! Strings of a chunk in whatever layout they came.

use std::borrow::Cow;

#[cfg(feature = "arrow")]
use arrow_array::{LargeStringArray, StringArray, StringViewArray};

use super::data::{Cells, Chunk, Valid};
use super::names::{Labels, Names, Text};
use super::runs::Keys;

enum Layout<'a> {
    None,
    Arena(&'a Text),
    Coded(&'a [u32], &'a Text),
    #[cfg(feature = "arrow")]
    Utf8(&'a StringArray),
    #[cfg(feature = "arrow")]
    LargeUtf8(&'a LargeStringArray),
    #[cfg(feature = "arrow")]
    Utf8View(&'a StringViewArray),
    #[cfg(feature = "arrow")]
    Dictionary(Vec<u32>, Box<Strings<'a>>),
}

/// The strings of a chunk, by row.
pub(crate) struct Strings<'a> {
    layout: Layout<'a>,
    valid: Cow<'a, Valid>,
    rows: usize,
}

impl<'a> Strings<'a> {
    /// The strings of a chunk; one that holds something else has none.
    pub(crate) fn of(chunk: &'a Chunk) -> Self {
        let layout = match &chunk.cells {
            Cells::Text(text) => Layout::Arena(text),
            Cells::Names(names) => match &*names.labels {
                Labels::Text(text) => Layout::Coded(&names.codes, text),
                Labels::Int(_) => Layout::None,
            },
            #[cfg(feature = "arrow")]
            Cells::Arrow(array) => {
                return Self { valid: Cow::Borrowed(&chunk.valid), ..Self::of_array(array) };
            }
            _ => Layout::None,
        };
        Self { layout, valid: Cow::Borrowed(&chunk.valid), rows: chunk.rows }
    }

    /// The strings of an Arrow array.
    #[cfg(feature = "arrow")]
    pub(crate) fn of_array(array: &'a arrow_array::ArrayRef) -> Self {
        use arrow_array::Array;
        use arrow_array::cast::AsArray;
        use arrow_schema::DataType;

        let layout = match array.data_type() {
            DataType::Utf8 => array.as_string_opt().map(Layout::Utf8),
            DataType::LargeUtf8 => array.as_string_opt().map(Layout::LargeUtf8),
            DataType::Utf8View => array.as_string_view_opt().map(Layout::Utf8View),
            DataType::Dictionary(_, _) => super::arrow::dictionary(array)
                .map(|(keys, values)| Layout::Dictionary(keys, Box::new(Self::of_array(values)))),
            _ => None,
        };
        let valid = array.nulls().map_or(Valid::All, |nulls| Valid::Nulls(nulls.clone()));
        Self { layout: layout.unwrap_or(Layout::None), valid: Cow::Owned(valid), rows: array.len() }
    }

    /// The values of a dictionary's labels.
    pub(crate) fn of_labels(text: &'a Text) -> Self {
        Self { layout: Layout::Arena(text), valid: Cow::Owned(Valid::All), rows: text.len() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The string in a row; `None` where it is missing.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        if row >= self.rows || !self.valid.at(row) {
            return None;
        }
        match &self.layout {
            Layout::None => None,
            Layout::Arena(text) => text.get(row),
            Layout::Coded(codes, text) => text.get(*codes.get(row)? as usize),
            #[cfg(feature = "arrow")]
            Layout::Utf8(array) => Some(array.value(row)),
            #[cfg(feature = "arrow")]
            Layout::LargeUtf8(array) => Some(array.value(row)),
            #[cfg(feature = "arrow")]
            Layout::Utf8View(array) => Some(array.value(row)),
            #[cfg(feature = "arrow")]
            Layout::Dictionary(keys, values) => values.get(*keys.get(row)? as usize),
        }
    }
}

/// A chunk of a dictionary: codes into values that may repeat.
pub(crate) enum Dictionary<'a> {
    Names(&'a Chunk, &'a Names, &'a Text),
    #[cfg(feature = "arrow")]
    Array(&'a Chunk, &'a arrow_array::ArrayRef, &'a arrow_array::ArrayRef),
}

impl<'a> Dictionary<'a> {
    /// The dictionary of strings that a chunk is, if it is one.
    pub(crate) fn of(chunk: &'a Chunk) -> Option<Self> {
        match &chunk.cells {
            Cells::Names(names) => match &*names.labels {
                Labels::Text(text) => Some(Self::Names(chunk, names, text)),
                Labels::Int(_) => None,
            },
            #[cfg(feature = "arrow")]
            Cells::Arrow(array) => {
                super::arrow::dictionary_values(array).map(|v| Self::Array(chunk, array, v))
            }
            _ => None,
        }
    }

    pub(crate) fn values(&self) -> Strings<'a> {
        match self {
            Self::Names(_, _, text) => Strings::of_labels(text),
            #[cfg(feature = "arrow")]
            Self::Array(_, _, values) => Strings::of_array(values),
        }
    }

    /// Whether both have the very same values, not only equal ones.
    pub(crate) fn shares_values(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Names(_, _, a), Self::Names(_, _, b)) => std::ptr::eq(*a, *b),
            #[cfg(feature = "arrow")]
            (Self::Array(_, _, a), Self::Array(_, _, b)) => super::arrow::same_buffers(a, b),
            #[cfg(feature = "arrow")]
            _ => false,
        }
    }

    fn chunk(&self) -> &'a Chunk {
        match self {
            Self::Names(chunk, ..) => chunk,
            #[cfg(feature = "arrow")]
            Self::Array(chunk, ..) => chunk,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.chunk().rows
    }

    pub(crate) fn valid(&self) -> &'a Valid {
        &self.chunk().valid
    }

    /// The keys where they lie; for chunks in which every row has one.
    pub(crate) fn raw_keys(&self) -> Keys<'a> {
        match self {
            Self::Names(_, names, _) => Keys::U32(Cow::Borrowed(&names.codes)),
            #[cfg(feature = "arrow")]
            Self::Array(_, array, _) => {
                super::arrow::raw_keys(array).unwrap_or_else(|| Keys::U32(self.keys()))
            }
        }
    }

    /// One key a row; what is not a key of a value is missing.
    pub(crate) fn keys(&self) -> Cow<'a, [u32]> {
        match self {
            Self::Names(_, names, _) => Cow::Borrowed(&names.codes),
            #[cfg(feature = "arrow")]
            Self::Array(_, array, _) => {
                Cow::Owned(super::arrow::dictionary(array).map(|(keys, _)| keys).unwrap_or_default())
            }
        }
    }
}
