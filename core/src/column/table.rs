//! Columns out: what every result gives, and every binding turns into a frame.

use super::names::{Names, Text};

/// The values of one result column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Values {
    /// Numbers.
    F64(Vec<f64>),
    /// Whole numbers.
    I64(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
    /// Microseconds since the epoch, UTC.
    Time(Vec<i64>),
    /// Strings.
    Text(Text),
    /// Names: codes with labels; strings or integers to the reader.
    Names(Names),
}

impl Values {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(v) => v.len(),
            Self::I64(v) | Self::Time(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Names(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One column of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// Its values.
    pub values: Values,
    /// Which rows hold a value; all of them when `None`. What stands in
    /// `values` for a row without one is 0 or empty, never NaN.
    pub valid: Option<Vec<bool>>,
}

/// What a report gives: tables by name, the one that it is about first.
pub type Tables = Vec<(&'static str, Table)>;

/// A result as columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
}

impl Table {
    /// A table without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column in which every row has a value.
    ///
    /// All columns of one table come from one result, so their lengths agree
    /// by construction; in debug builds this is asserted.
    #[must_use]
    pub fn with(self, name: &str, values: Values) -> Self {
        self.push(name, values, None)
    }

    /// Adds a column of numbers, some of which may be missing.
    #[must_use]
    pub fn with_optional(self, name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let (numbers, valid) = values.into_iter().map(|v| (v.unwrap_or(0.0), v.is_some())).unzip();
        self.push(name, Values::F64(numbers), Some(valid))
    }

    /// Adds a column with its validity.
    #[must_use]
    pub fn push(mut self, name: &str, values: Values, valid: Option<Vec<bool>>) -> Self {
        debug_assert!(self.columns.first().is_none_or(|c| c.values.len() == values.len()), "column {name}");
        debug_assert!(valid.as_ref().is_none_or(|v| v.len() == values.len()), "validity of {name}");
        let valid = valid.filter(|v| !v.iter().all(|x| *x));
        self.columns.push(Column { name: name.to_owned(), values, valid });
        self
    }

    /// These columns beside those of tables of numbers, text and truth values, of the same columns each, which stand
    /// below each other.
    #[must_use]
    pub(crate) fn beside(self, tables: &[Self]) -> Self {
        let Some(first) = tables.first() else { return self };
        first.columns.iter().fold(self, |out, column| {
            let same = || tables.iter().filter_map(|t| t.get(&column.name));
            let valid = same().flat_map(|c| c.valid.clone().unwrap_or_else(|| vec![true; c.values.len()]));
            let values = match &column.values {
                Values::I64(_) => Values::I64(
                    same()
                        .flat_map(|c| if let Values::I64(v) = &c.values { v.clone() } else { Vec::new() })
                        .collect(),
                ),
                Values::Bool(_) => Values::Bool(
                    same()
                        .flat_map(|c| if let Values::Bool(v) = &c.values { v.clone() } else { Vec::new() })
                        .collect(),
                ),
                Values::Text(_) => {
                    let mut all = Text::new();
                    for column in same() {
                        if let Values::Text(v) = &column.values {
                            v.iter().for_each(|t| all.push(t));
                        }
                    }
                    Values::Text(all)
                }
                _ => Values::F64(
                    same()
                        .flat_map(|c| if let Values::F64(v) = &c.values { v.clone() } else { Vec::new() })
                        .collect(),
                ),
            };
            out.push(&column.name, values, Some(valid.collect()))
        })
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns, by value.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }

    /// The column of this name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The numbers of a column of this name; `None` where it is of another type.
    pub fn f64s(&self, name: &str) -> Option<&[f64]> {
        match &self.get(name)?.values {
            Values::F64(v) => Some(v),
            _ => None,
        }
    }

    /// A column of numbers where they are there; empty where there is none of this name.
    pub(crate) fn optional(&self, name: &str) -> Vec<Option<f64>> {
        let valid = self.get(name).and_then(|c| c.valid.as_deref());
        let each = self.f64s(name).unwrap_or_default().iter().enumerate();
        each.map(|(i, v)| valid.is_none_or(|valid| valid[i]).then_some(*v)).collect()
    }

    /// The whole numbers of a column of this name; `None` where it is of another type.
    pub fn i64s(&self, name: &str) -> Option<&[i64]> {
        match &self.get(name)?.values {
            Values::I64(v) | Values::Time(v) => Some(v),
            _ => None,
        }
    }

    /// One cell as text; `None` where it is missing or not text.
    pub fn text(&self, name: &str, row: usize) -> Option<std::borrow::Cow<'_, str>> {
        let column = self.get(name)?;
        if column.valid.as_ref().is_some_and(|v| !v.get(row).copied().unwrap_or(false)) {
            return None;
        }
        match &column.values {
            Values::Text(v) => v.get(row).map(std::borrow::Cow::Borrowed),
            Values::Names(v) => v.get(row),
            _ => None,
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |c| c.values.len())
    }
}
