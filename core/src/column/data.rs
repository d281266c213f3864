//! Columns in: whatever the caller has, kept as it is until a role asks for it.

use std::ops::Deref;
use std::sync::Arc;

use super::names::{Labels, NULL, Names, Text};
use super::table::{Column, Table, Values};
use crate::{Error, Result};

/// The types that a [`Slab`] holds.
#[cfg(not(feature = "arrow"))]
pub(crate) trait Native: Copy + Send + Sync + std::fmt::Debug + 'static {}
#[cfg(not(feature = "arrow"))]
impl<T: Copy + Send + Sync + std::fmt::Debug + 'static> Native for T {}
#[cfg(feature = "arrow")]
pub(crate) use arrow_buffer::ArrowNativeType as Native;

/// Values end to end: our own, or a piece of somebody's Arrow buffer.
#[derive(Clone, Debug)]
pub(crate) enum Slab<T: Native> {
    Owned(Arc<Vec<T>>),
    #[cfg(feature = "arrow")]
    Arrow(arrow_buffer::ScalarBuffer<T>),
}

impl<T: Native> Deref for Slab<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Self::Owned(v) => v,
            #[cfg(feature = "arrow")]
            Self::Arrow(v) => v,
        }
    }
}

impl<T: Native> From<Vec<T>> for Slab<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Owned(Arc::new(values))
    }
}

/// Which rows of a chunk hold a value.
#[derive(Clone, Debug)]
pub(crate) enum Valid {
    All,
    Mask(Arc<Vec<bool>>),
    #[cfg(feature = "arrow")]
    Nulls(arrow_buffer::NullBuffer),
}

impl Valid {
    pub(crate) fn at(&self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::Mask(mask) => mask.get(row).copied().unwrap_or(false),
            #[cfg(feature = "arrow")]
            Self::Nulls(nulls) => nulls.is_valid(row),
        }
    }

    pub(crate) fn all(&self) -> bool {
        matches!(self, Self::All)
    }

    pub(crate) fn mask(mask: Vec<bool>) -> Self {
        if mask.iter().all(|v| *v) { Self::All } else { Self::Mask(Arc::new(mask)) }
    }
}

/// The cells of a chunk.
#[derive(Clone, Debug)]
pub(crate) enum Cells {
    F64(Slab<f64>),
    I64(Slab<i64>),
    Time(Slab<i64>),
    Bool(Arc<Vec<bool>>),
    Text(Arc<Text>),
    Names(Arc<Names>),
    Null,
    /// Strings, dictionaries, narrow numbers, other units: made into one of
    /// the above, or read in place, when a role asks.
    #[cfg(feature = "arrow")]
    Arrow(arrow_array::ArrayRef),
}

/// A run of rows that came together.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) cells: Cells,
    pub(crate) valid: Valid,
    pub(crate) rows: usize,
}

/// What a column holds, as far as roles care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Strings, plain or as a dictionary.
    Text,
    /// Whole numbers of any width, plain or as a dictionary.
    Int,
    /// Floats and decimals of any width.
    Float,
    /// Truth values.
    Bool,
    /// Timestamps and dates.
    Time,
    /// Nothing but nulls.
    Null,
    /// Something that no role takes, or different things in different chunks.
    Other,
}

impl Kind {
    /// The kind in words, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "integers",
            Self::Float => "floats",
            Self::Bool => "booleans",
            Self::Time => "times",
            Self::Null => "nulls only",
            Self::Other => "values of a type that is not supported",
        }
    }

    fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Null, b) => b,
            (a, Self::Null) => a,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            _ => Self::Other,
        }
    }
}

impl Chunk {
    pub(crate) fn new(cells: Cells, rows: usize, valid: Valid) -> Self {
        Self { cells, valid, rows }
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.cells {
            Cells::F64(_) => Kind::Float,
            Cells::I64(_) => Kind::Int,
            Cells::Time(_) => Kind::Time,
            Cells::Bool(_) => Kind::Bool,
            Cells::Text(_) => Kind::Text,
            Cells::Names(names) => match *names.labels {
                Labels::Text(_) => Kind::Text,
                Labels::Int(_) => Kind::Int,
            },
            Cells::Null => Kind::Null,
            #[cfg(feature = "arrow")]
            Cells::Arrow(array) => super::arrow::kind(array.data_type()),
        }
    }

    /// Whether strings are codes into a table.
    pub(crate) fn is_dictionary(&self) -> bool {
        super::strings::Dictionary::of(self).is_some()
    }

    /// The chunk in one of the plain forms; strings and dictionaries of
    /// strings stay what they are.
    pub(crate) fn plain(&self) -> std::borrow::Cow<'_, Self> {
        match &self.cells {
            #[cfg(feature = "arrow")]
            Cells::Arrow(array) => super::arrow::plain(array, &self.valid)
                .map_or(std::borrow::Cow::Borrowed(self), std::borrow::Cow::Owned),
            Cells::Names(names) => match &*names.labels {
                Labels::Int(ints) => {
                    let valid = names.codes.iter().map(|c| (*c as usize) < ints.len()).collect();
                    let values: Vec<i64> = names
                        .codes
                        .iter()
                        .map(|c| ints.get(*c as usize).copied().unwrap_or_default())
                        .collect();
                    std::borrow::Cow::Owned(Self::new(
                        Cells::I64(values.into()),
                        self.rows,
                        Valid::mask(valid),
                    ))
                }
                Labels::Text(_) => std::borrow::Cow::Borrowed(self),
            },
            _ => std::borrow::Cow::Borrowed(self),
        }
    }
}

/// The values of one column coming in.
///
/// Made by `From` out of vectors of strings, numbers, booleans and options of
/// them, out of [`Text`] and [`Names`]; times in microseconds by
/// [`Data::times`]; with the feature `arrow` also out of Arrow arrays. A
/// missing value is `None`, a null, or NaN in a column of floats.
#[derive(Clone, Debug, Default)]
pub struct Data {
    pub(crate) chunks: Vec<Chunk>,
}

impl Data {
    fn one(cells: Cells, rows: usize, valid: Valid) -> Self {
        Self { chunks: vec![Chunk::new(cells, rows, valid)] }
    }

    /// Times as microseconds since the epoch, UTC.
    pub fn times(micros: Vec<i64>) -> Self {
        let rows = micros.len();
        Self::one(Cells::Time(micros.into()), rows, Valid::All)
    }

    /// Times as microseconds since the epoch, UTC, some of them missing.
    pub fn optional_times(micros: impl IntoIterator<Item = Option<i64>>) -> Self {
        let (values, valid): (Vec<i64>, Vec<bool>) =
            micros.into_iter().map(|v| (v.unwrap_or_default(), v.is_some())).unzip();
        let rows = values.len();
        Self::one(Cells::Time(values.into()), rows, Valid::mask(valid))
    }

    /// A column of `rows` missing values.
    pub fn nulls(rows: usize) -> Self {
        Self::one(Cells::Null, rows, Valid::All)
    }

    /// The same values, of which only those whose mask is true are there; the
    /// mask replaces an earlier one. A mask that is too short leaves the rest missing.
    #[must_use]
    pub fn with_valid(mut self, mask: &[bool]) -> Self {
        let mut start = 0;
        for chunk in &mut self.chunks {
            let mut part: Vec<bool> = mask.iter().copied().skip(start).take(chunk.rows).collect();
            part.resize(chunk.rows, false);
            start += chunk.rows;
            chunk.valid = Valid::mask(part);
        }
        self
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|c| c.rows).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the column holds.
    pub fn kind(&self) -> Kind {
        self.chunks.iter().map(Chunk::kind).fold(Kind::Null, Kind::join)
    }

    /// Some of the rows, in ascending order.
    pub(crate) fn take(&self, rows: &[u32]) -> Self {
        let chunks: Vec<_> = self.chunks.iter().map(Chunk::plain).collect();
        let mut starts = Vec::with_capacity(chunks.len());
        let mut total = 0;
        for chunk in &chunks {
            starts.push(total);
            total += chunk.rows;
        }
        let mut at = 0;
        let places = rows.iter().map(|row| *row as usize).filter(|row| *row < total).map(move |row| {
            while starts.get(at + 1).is_some_and(|start| *start <= row) {
                at += 1;
            }
            (at, row - starts[at])
        });
        // Of what they are made into: integers beyond 64 bits are floats.
        match chunks.iter().map(|chunk| chunk.kind()).fold(Kind::Null, Kind::join) {
            Kind::Text => {
                let strings: Vec<_> = chunks.iter().map(|chunk| super::strings::Strings::of(chunk)).collect();
                places.map(|(chunk, row)| strings[chunk].get(row)).collect::<Vec<Option<&str>>>().into()
            }
            Kind::Int => {
                let int = |(chunk, row): (usize, usize)| match &chunks[chunk].cells {
                    Cells::I64(v) if chunks[chunk].valid.at(row) => Some(v[row]),
                    _ => None,
                };
                places.map(int).collect::<Vec<Option<i64>>>().into()
            }
            Kind::Float => {
                let float = |(chunk, row): (usize, usize)| match &chunks[chunk].cells {
                    Cells::F64(v) if chunks[chunk].valid.at(row) => Some(v[row]),
                    Cells::I64(v) if chunks[chunk].valid.at(row) => Some(v[row] as f64),
                    _ => None,
                };
                places.map(float).collect::<Vec<Option<f64>>>().into()
            }
            Kind::Bool => {
                let flag = |(chunk, row): (usize, usize)| match &chunks[chunk].cells {
                    Cells::Bool(v) if chunks[chunk].valid.at(row) => Some(v[row]),
                    _ => None,
                };
                places.map(flag).collect::<Vec<Option<bool>>>().into()
            }
            Kind::Time => {
                let time = |(chunk, row): (usize, usize)| match &chunks[chunk].cells {
                    Cells::Time(v) if chunks[chunk].valid.at(row) => Some(v[row]),
                    _ => None,
                };
                Self::optional_times(places.map(time))
            }
            Kind::Null | Kind::Other => Self::nulls(places.count()),
        }
    }

    /// The same values in one plain chunk of their own, which no change of the
    /// caller's buffers reaches.
    pub(crate) fn owned(&self) -> Self {
        self.take(&(0..self.len() as u32).collect::<Vec<_>>())
    }

    /// Appends the rows of another column.
    pub fn append(&mut self, more: Self) {
        self.chunks.extend(more.chunks);
    }
}

fn options<T: Copy + Default, U>(
    values: impl IntoIterator<Item = Option<U>>,
    convert: impl Fn(U) -> T,
) -> (Vec<T>, Valid) {
    let (values, valid): (Vec<T>, Vec<bool>) = values
        .into_iter()
        .map(|v| {
            let there = v.is_some();
            (v.map(&convert).unwrap_or_default(), there)
        })
        .unzip();
    (values, Valid::mask(valid))
}

macro_rules! from_numbers {
    ($($t:ty => $cells:ident as $wide:ty),+) => {$(
        impl From<Vec<$t>> for Data {
            fn from(values: Vec<$t>) -> Self {
                // The same type collects in place, without a copy.
                let values: Vec<$wide> = values.into_iter().map(<$wide>::from).collect();
                let rows = values.len();
                Self::one(Cells::$cells(values.into()), rows, Valid::All)
            }
        }

        impl From<Vec<Option<$t>>> for Data {
            fn from(values: Vec<Option<$t>>) -> Self {
                let (values, valid) = options(values, <$wide>::from);
                let rows = values.len();
                Self::one(Cells::$cells(values.into()), rows, valid)
            }
        }
    )+};
}
from_numbers!(f64 => F64 as f64, f32 => F64 as f64, i64 => I64 as i64, i32 => I64 as i64, u32 => I64 as i64,
    i16 => I64 as i64, u16 => I64 as i64, i8 => I64 as i64, u8 => I64 as i64, bool => Bool as bool);

macro_rules! from_strings {
    ($($t:ty),+) => {$(
        impl From<Vec<$t>> for Data {
            fn from(values: Vec<$t>) -> Self {
                values.into_iter().collect::<Text>().into()
            }
        }

        impl From<Vec<Option<$t>>> for Data {
            fn from(values: Vec<Option<$t>>) -> Self {
                let mut text = Text::new();
                let mut valid = Vec::with_capacity(values.len());
                for value in values {
                    text.push(value.as_ref().map_or("", |v| v.as_ref()));
                    valid.push(value.is_some());
                }
                Self::one(Cells::Text(Arc::new(text)), valid.len(), Valid::mask(valid))
            }
        }
    )+};
}
from_strings!(&str, String);

impl From<Text> for Data {
    fn from(text: Text) -> Self {
        let rows = text.len();
        Self::one(Cells::Text(Arc::new(text)), rows, Valid::All)
    }
}

impl From<Names> for Data {
    fn from(names: Names) -> Self {
        let rows = names.len();
        let there: Vec<bool> = names.codes.iter().map(|c| *c != NULL).collect();
        Self::one(Cells::Names(Arc::new(names)), rows, Valid::mask(there))
    }
}

impl From<Column> for Data {
    fn from(column: Column) -> Self {
        let data = match column.values {
            Values::F64(v) => v.into(),
            Values::I64(v) => v.into(),
            Values::Bool(v) => v.into(),
            Values::Time(v) => Self::times(v),
            Values::Text(v) => v.into(),
            Values::Names(mut names) => {
                for (code, there) in names.codes.iter_mut().zip(column.valid.iter().flatten()) {
                    if !there {
                        *code = NULL;
                    }
                }
                return names.into();
            }
        };
        match column.valid {
            Some(mask) => data.with_valid(&mask),
            None => data,
        }
    }
}

/// A frame coming in: named columns of equal length.
///
/// Cheap to clone; nothing is copied or converted before a role asks for it.
///
/// ```
/// use headwater::column::{Columns, Data};
///
/// let orders = Columns::new()
///     .with("customer", vec!["ann", "bob", "ann"])
///     .with("time", Data::times(vec![0, 1_000_000, 2_000_000]))
///     .with("value", vec![Some(9.5), None, Some(3.0)]);
/// assert_eq!(orders.rows(), 3);
/// assert!(orders.has("value"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Columns {
    columns: Vec<(Arc<str>, Arc<Data>)>,
}

impl Columns {
    /// A frame without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column; one of the same name is replaced. Lengths are compared
    /// when a column is asked for.
    #[must_use]
    pub fn with(mut self, name: &str, data: impl Into<Data>) -> Self {
        self.set(name, data);
        self
    }

    /// Adds a column; one of the same name is replaced.
    pub fn set(&mut self, name: &str, data: impl Into<Data>) {
        let data = Arc::new(data.into());
        match self.columns.iter_mut().find(|(n, _)| &**n == name) {
            Some((_, old)) => *old = data,
            None => self.columns.push((name.into(), data)),
        }
    }

    /// Appends the rows of a frame with the same columns, in any order. To an
    /// empty frame it gives its columns.
    pub fn append(&mut self, more: Self) -> Result<()> {
        if self.columns.is_empty() {
            *self = more;
            return Ok(());
        }
        if let Some(extra) = more.column_names().find(|n| !self.has(n)) {
            return Err(Error::column(
                extra,
                format!("appears in a later batch only; the first has {}", self.listed()),
            ));
        }
        if let Some(lost) = self.column_names().find(|n| !more.has(n)) {
            return Err(Error::column(
                lost,
                format!("is missing in a later batch, which has {}", more.listed()),
            ));
        }
        for (name, data) in more.columns {
            if let Some((_, old)) = self.columns.iter_mut().find(|(n, _)| *n == name) {
                Arc::make_mut(old).append(Arc::unwrap_or_clone(data));
            }
        }
        Ok(())
    }

    /// Some of the rows, in ascending order.
    pub(crate) fn take(&self, rows: &[u32]) -> Self {
        let taken = self.columns.iter().map(|(name, data)| (Arc::clone(name), Arc::new(data.take(rows))));
        Self { columns: taken.collect() }
    }

    /// The columns of these names, as far as they are there; see [`Data::owned`].
    pub(crate) fn owned(&self, names: &[&str]) -> Self {
        names.iter().fold(Self::new(), |out, name| match self.get(name) {
            Some(data) => out.with(name, data.owned()),
            None => out,
        })
    }

    /// The columns with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Data)> + '_ {
        self.columns.iter().map(|(name, data)| (&**name, &**data))
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, data)| data.len())
    }

    /// Whether there is a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The columns' names in order.
    pub fn column_names(&self) -> impl Iterator<Item = &str> + '_ {
        self.columns.iter().map(|(name, _)| &**name)
    }

    /// What the column of this name holds.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.get(name).map(Data::kind)
    }

    /// The column of this name.
    pub fn get(&self, name: &str) -> Option<&Data> {
        self.columns.iter().find(|(n, _)| &**n == name).map(|(_, data)| &**data)
    }

    fn listed(&self) -> String {
        let names: Vec<String> = self.column_names().map(|n| format!("`{n}`")).collect();
        match names.len() {
            0 => "no columns".to_owned(),
            1..=30 => names.join(", "),
            n => format!("{}, … ({n} in all)", names.get(..30).unwrap_or_default().join(", ")),
        }
    }

    /// The column of this name, or an [`Error::Column`] that lists what there
    /// is, or that its length is not that of the frame.
    pub fn require(&self, name: &str) -> Result<&Data> {
        let data = self.get(name).ok_or_else(|| {
            Error::column(name, format!("is not in the frame, which has {}; name another", self.listed()))
        })?;
        if data.len() != self.rows() {
            let first = self.column_names().next().unwrap_or_default();
            return Err(Error::column(
                name,
                format!(
                    "has {} rows and `{first}` has {}; columns must be of equal length",
                    data.len(),
                    self.rows()
                ),
            ));
        }
        Ok(data)
    }
}

impl From<Table> for Columns {
    fn from(table: Table) -> Self {
        let mut out = Self::new();
        for mut column in table.into_columns() {
            let name = std::mem::take(&mut column.name);
            out.set(&name, column);
        }
        out
    }
}
