//! Names as dense codes with a label table.

use std::borrow::Cow;
use std::sync::Arc;

/// The code of a missing name.
pub const NULL: u32 = u32::MAX;

/// Strings end to end in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    bytes: String,
    ends: Vec<usize>,
}

impl Text {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list with room for `count` strings of `bytes` bytes in all.
    pub fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { bytes: String::with_capacity(bytes), ends: Vec::with_capacity(count) }
    }

    /// Appends a string.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// Appends all strings of another list.
    pub(crate) fn append(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.push_str(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// The `i`th string, or `None` past the end.
    pub fn get(&self, i: usize) -> Option<&str> {
        let end = *self.ends.get(i)?;
        let start = if i == 0 { 0 } else { *self.ends.get(i - 1)? };
        self.bytes.get(start..end)
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(|i| self.get(i).unwrap_or_default())
    }

    /// All strings end to end, and where each ends.
    pub fn parts(&self) -> (&str, &[usize]) {
        (&self.bytes, &self.ends)
    }

    /// All strings end to end, and where each ends, by value.
    pub fn into_parts(self) -> (String, Vec<usize>) {
        (self.bytes, self.ends)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Text {
    fn from_iter<I: IntoIterator<Item = S>>(iter: I) -> Self {
        let mut out = Self::new();
        for text in iter {
            out.push(text.as_ref());
        }
        out
    }
}

/// What the codes of a [`Names`] stand for: strings, or the caller's own
/// integers, which come out again as integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Strings.
    Text(Text),
    /// Integers.
    Int(Vec<i64>),
}

impl Labels {
    /// How many labels there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Int(ints) => ints.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of a code as text; empty for a code out of range.
    pub fn get(&self, code: u32) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.get(code as usize).unwrap_or_default()),
            Self::Int(ints) => {
                ints.get(code as usize).map_or(Cow::Borrowed(""), |i| Cow::Owned(i.to_string()))
            }
        }
    }

    /// The code of a label, by a scan: for the few labels of channels.
    pub fn find(&self, label: &str) -> Option<u32> {
        match self {
            Self::Text(text) => text.iter().position(|t| t == label).map(|i| i as u32),
            Self::Int(ints) => {
                let label: i64 = label.parse().ok()?;
                ints.iter().position(|i| *i == label).map(|i| i as u32)
            }
        }
    }
}

/// A column of names: one dense code a row, and the labels they stand for.
///
/// Codes run from 0 in the order in which labels are first seen; [`NULL`] marks
/// a missing name.
///
/// ```
/// use headwater::column::Names;
///
/// let names: Names = ["b", "a", "b"].into_iter().collect();
/// assert_eq!(names.codes, [0, 1, 0]);
/// assert_eq!(names.labels.get(0), "b");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// One code a row.
    pub codes: Vec<u32>,
    /// What the codes stand for.
    pub labels: Arc<Labels>,
}

impl Names {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The label in a row; `None` where it is missing.
    pub fn get(&self, row: usize) -> Option<Cow<'_, str>> {
        match *self.codes.get(row)? {
            NULL => None,
            code => Some(self.labels.get(code)),
        }
    }

    /// The codes that occur, in the order of their labels: of numbers as
    /// numbers, of text as text.
    pub(crate) fn codes_by_label(&self) -> Vec<u32> {
        let mut codes = self.codes.clone();
        codes.sort_unstable();
        codes.dedup();
        codes.retain(|code| *code != NULL);
        match &*self.labels {
            Labels::Int(ints) => codes.sort_by_key(|c| ints.get(*c as usize).copied()),
            Labels::Text(text) => codes.sort_by(|a, b| text.get(*a as usize).cmp(&text.get(*b as usize))),
        }
        codes
    }

    /// Names that are their own labels: code `i` stands for label `i`.
    pub fn all(labels: Arc<Labels>) -> Self {
        Self { codes: (0..labels.len() as u32).collect(), labels }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(iter: I) -> Self {
        let mut seen: std::collections::HashMap<String, u32> = std::collections::HashMap::new();
        let mut text = Text::new();
        let codes = iter
            .into_iter()
            .map(|name| {
                let name = name.as_ref();
                if let Some(code) = seen.get(name) {
                    return *code;
                }
                let code = text.len() as u32;
                text.push(name);
                seen.insert(name.to_owned(), code);
                code
            })
            .collect();
        Self { codes, labels: Arc::new(Labels::Text(text)) }
    }
}
