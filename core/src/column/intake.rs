//! Roles: a named column becomes codes, times, amounts or flags, and every row
//! that cannot is an error or counted.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::data::{Cells, Columns, Data, Kind};
use super::flaw::{Flaw, Flaws, fill};
use super::intern;
use super::names::{NULL, Names, Text};
use super::strings::Strings;
use super::table::{Table, Values};
use super::time::TimeUnit;
use crate::{Error, Result, Run};

/// What happens to rows that a role cannot take: nulls, NaN, infinities,
/// negative amounts, times that are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInvalid {
    /// [`Error::Row`] that names the column, the first such row and their number. The default.
    #[default]
    Error,
    /// The rows are left out, and counted in [`Dropped`].
    Drop,
}

/// Which amounts are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// 0 or more.
    #[default]
    NonNegative,
    /// Any finite number.
    Any,
}

/// Why some rows were dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropReason {
    /// The column.
    pub column: String,
    /// What is wrong with its values.
    pub reason: String,
    /// How many rows are like that.
    pub count: u64,
    /// The first of them, counted from 0.
    pub first_row: u64,
}

/// The rows that were dropped, and why.
///
/// A row with two flaws is counted once in `rows`, and under both reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// How many rows were dropped.
    pub rows: u64,
    /// The reasons, in the order in which columns were read.
    pub reasons: Vec<DropReason>,
}

impl Dropped {
    /// The reasons as a table: column, reason, count, first_row.
    pub fn table(&self) -> Table {
        let text = |f: fn(&DropReason) -> &str| Values::Text(self.reasons.iter().map(f).collect::<Text>());
        let ints =
            |f: fn(&DropReason) -> u64| Values::I64(self.reasons.iter().map(|r| f(r) as i64).collect());
        Table::new()
            .with("column", text(|r| &r.column))
            .with("reason", text(|r| &r.reason))
            .with("count", ints(|r| r.count))
            .with("first_row", ints(|r| r.first_row))
    }

    /// Adds what another frame dropped.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.reasons.extend(other.reasons);
    }
}

/// Reads the columns of a frame in their roles.
///
/// Ask for each column, then [`finish`](Intake::finish); what was read is then
/// cut down to the rows that were kept, which costs nothing when all were.
/// A column that needs no conversion is borrowed, not copied.
///
/// ```
/// use headwater::Run;
/// use headwater::column::{Columns, Intake, OnInvalid, Sign};
///
/// let orders = Columns::new()
///     .with("customer", vec!["ann", "bob", "ann"])
///     .with("time", vec!["2024-01-01", "2024-01-02T12:00:00Z", "2024-01-03"])
///     .with("value", vec![9.5, f64::NAN, 3.0]);
/// let run = Run::new();
/// let mut intake = Intake::new(&orders, OnInvalid::Drop, &run);
/// let customer = intake.names("customer")?;
/// let value = intake.amounts("value", Sign::NonNegative)?;
/// let kept = intake.finish()?;
/// assert_eq!(kept.names(customer).codes, [0, 0]);
/// assert_eq!(*kept.values(value), [9.5, 3.0]);
/// assert_eq!(kept.dropped().reasons[0].first_row, 1);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Debug)]
pub struct Intake<'a> {
    columns: &'a Columns,
    run: &'a Run,
    on_invalid: OnInvalid,
    unit: Option<TimeUnit>,
    bad: Option<Vec<bool>>,
    found: Vec<(Flaw, DropReason)>,
}

impl<'a> Intake<'a> {
    /// An intake of this frame.
    pub fn new(columns: &'a Columns, on_invalid: OnInvalid, run: &'a Run) -> Self {
        Self { columns, run, on_invalid, unit: None, bad: None, found: Vec::new() }
    }

    /// The unit of times that are plain integers or floats; without one they
    /// are an [`Error::Column`].
    pub fn int_unit(&mut self, unit: impl Into<Option<TimeUnit>>) -> &mut Self {
        self.unit = unit.into();
        self
    }

    pub(super) fn run(&self) -> &'a Run {
        self.run
    }

    /// The frame.
    pub fn columns(&self) -> &'a Columns {
        self.columns
    }

    /// A column of names, one in every row: strings, integers, dictionaries of
    /// either, or floats that are all whole (as pandas makes them of integers
    /// with gaps).
    ///
    /// A null and an empty string are invalid; white space is kept as it is.
    pub fn names(&mut self, name: &str) -> Result<Names> {
        let data = self.columns.require(name)?;
        let mut names = intern::columns(&[(name, data)], self.run)?;
        let names = names.pop().unwrap_or_else(|| Names::from_iter([""; 0]));
        self.missing_names(name, data, &names)?;
        Ok(names)
    }

    /// A column of names where a null or an empty string means none, and is
    /// given the code [`NULL`].
    pub fn optional_names(&mut self, name: &str) -> Result<Names> {
        let data = self.columns.require(name)?;
        let mut names = intern::columns(&[(name, data)], self.run)?;
        Ok(names.pop().unwrap_or_else(|| Names::from_iter([""; 0])))
    }

    fn missing_names(&mut self, name: &str, data: &Data, names: &Names) -> Result<()> {
        if !names.codes.contains(&NULL) {
            return Ok(());
        }
        let mut flaws = Flaws::default();
        let mut start = 0;
        for chunk in &data.chunks {
            let codes = names.codes.get(start..start + chunk.rows).unwrap_or_default();
            let strings = Strings::of(chunk);
            let gaps = codes.iter().enumerate().filter(|(_, c)| **c == NULL);
            for (row, _) in gaps {
                let empty = strings.get(row).is_some_and(str::is_empty);
                flaws.add(start + row, if empty { Flaw::Empty } else { Flaw::Missing });
            }
            start += chunk.rows;
            self.run.check()?;
        }
        self.record(name, &flaws);
        Ok(())
    }

    /// A column of times in microseconds since the epoch, UTC.
    ///
    /// Timestamps of any unit and zone (those without a zone are taken as
    /// UTC), dates, ISO 8601 strings (a date, or a date and a time, with `Z`, an
    /// offset or neither; also `19970131`), and numbers in the unit given to
    /// [`Intake::int_unit`]. Finer fractions than a microsecond are cut off
    /// towards the past. Nulls, other strings, and times outside the years
    /// −9999 to 9999 are invalid.
    pub fn times(&mut self, name: &str) -> Result<Cow<'a, [i64]>> {
        let data = self.columns.require(name)?;
        let (times, flaws) = super::time::read(name, data, self.unit, self.run)?;
        self.record(name, &flaws);
        Ok(times)
    }

    /// A column of amounts: floats, integers or decimals of any width.
    ///
    /// Nulls, NaN and infinities are invalid, and negative amounts unless
    /// `sign` is [`Sign::Any`].
    pub fn amounts(&mut self, name: &str, sign: Sign) -> Result<Cow<'a, [f64]>> {
        self.numbers(name, sign, false)
    }

    /// A column of amounts where a null or NaN counts as 0.
    pub fn optional_amounts(&mut self, name: &str, sign: Sign) -> Result<Cow<'a, [f64]>> {
        self.numbers(name, sign, true)
    }

    fn numbers(&mut self, name: &str, sign: Sign, optional: bool) -> Result<Cow<'a, [f64]>> {
        let data = self.columns.require(name)?;
        let (amounts, flaws) = super::amount::read(name, data, sign, optional, self.run)?;
        self.record(name, &flaws);
        Ok(amounts)
    }

    /// A column of truth values: booleans, or the numbers 0 and 1. Nulls and
    /// other numbers are invalid.
    pub fn flags(&mut self, name: &str) -> Result<Cow<'a, [bool]>> {
        let data = self.columns.require(name)?;
        if let [chunk] = &*data.chunks
            && let Cells::Bool(flags) = &chunk.cells
            && chunk.valid.all()
        {
            return Ok(Cow::Borrowed(flags));
        }
        if !matches!(data.kind(), Kind::Bool | Kind::Int | Kind::Float | Kind::Null) {
            return Err(wrong_kind(name, data, "a flag is a boolean, or a number 0 or 1"));
        }
        let (flags, flaws) = fill(self.run, "read flags", data, |chunk, rows, out, add| {
            let number = |value: f64, row: usize, flag: &mut bool, add: &mut dyn FnMut(usize, Flaw)| {
                if value == 0.0 || value == 1.0 {
                    *flag = value == 1.0;
                } else {
                    add(row, if value.is_nan() { Flaw::Missing } else { Flaw::NotFlag });
                }
            };
            for (row, flag) in rows.zip(out) {
                if !chunk.valid.at(row) {
                    add(row, Flaw::Missing);
                    continue;
                }
                match &chunk.cells {
                    Cells::Bool(v) => *flag = v[row],
                    Cells::I64(v) => number(v[row] as f64, row, flag, add),
                    Cells::F64(v) => number(v[row], row, flag, add),
                    _ => add(row, Flaw::Missing),
                }
            }
        })?;
        self.record(name, &flaws);
        Ok(Cow::Owned(flags))
    }

    /// Counts the flaws of one column.
    fn record(&mut self, name: &str, flaws: &Flaws) {
        if flaws.is_empty() {
            return;
        }
        let rows = self.columns.rows();
        if self.on_invalid == OnInvalid::Drop {
            let bad = self.bad.get_or_insert_with(|| vec![false; rows]);
            for row in &flaws.rows {
                if let Some(bad) = bad.get_mut(*row) {
                    *bad = true;
                }
            }
        }
        for (flaw, count, first) in flaws.kinds() {
            if self.found.iter().any(|(f, r)| *f == flaw && r.column == name) {
                continue; // the column was read twice, in two roles
            }
            let reason = DropReason {
                column: name.to_owned(),
                reason: flaw.short().to_owned(),
                count,
                first_row: first as u64,
            };
            self.found.push((flaw, reason));
        }
    }

    /// Marks rows invalid for a reason of the caller's own, for example a
    /// time that lies after another one.
    pub fn reject(&mut self, name: &str, reason: &str, rows: impl IntoIterator<Item = usize>) {
        let mut out =
            DropReason { column: name.to_owned(), reason: reason.to_owned(), count: 0, first_row: u64::MAX };
        let size = self.columns.rows();
        for row in rows.into_iter().filter(|row| *row < size) {
            out.count += 1;
            out.first_row = out.first_row.min(row as u64);
            if self.on_invalid == OnInvalid::Drop
                && let Some(bad) = self.bad.get_or_insert_with(|| vec![false; size]).get_mut(row)
            {
                *bad = true;
            }
        }
        if out.count > 0 {
            self.found.push((Flaw::Rejected, out));
        }
    }

    /// Ends the intake: an [`Error::Row`] for the first column with invalid
    /// rows under [`OnInvalid::Error`], and which rows are kept under
    /// [`OnInvalid::Drop`].
    pub fn finish(self) -> Result<Kept> {
        let total = self.columns.rows();
        if u32::try_from(total).is_err() {
            return Err(Error::column(
                self.columns.column_names().next().unwrap_or_default(),
                format!("has {total} rows, and a frame can have {} at most: split it", u32::MAX),
            ));
        }
        if self.on_invalid == OnInvalid::Error {
            return match self.found.into_iter().next() {
                None => Ok(Kept { total, rows: None, dropped: Dropped::default() }),
                Some((flaw, first)) => Err(Error::Row {
                    reason: flaw.long(&first, self.columns.get(&first.column)),
                    column: first.column,
                    row: first.first_row,
                    count: first.count,
                }),
            };
        }
        let rows = self.bad.map(|bad| {
            let rows: Vec<u32> =
                bad.iter().enumerate().filter(|(_, b)| !**b).map(|(row, _)| row as u32).collect();
            rows
        });
        let dropped = total - rows.as_ref().map_or(total, Vec::len);
        let reasons = self.found.into_iter().map(|(_, reason)| reason).collect();
        Ok(Kept { total, rows, dropped: Dropped { rows: dropped as u64, reasons } })
    }
}

/// Names of several frames with one label table.
///
/// Labels are in the order in which they are first seen, frame after frame.
/// Each column's invalid rows are counted by its own intake, as by
/// [`Intake::names`]. Text in one frame and integers in another is an
/// [`Error::Column`].
pub fn names_together<const N: usize>(columns: [(&mut Intake<'_>, &str); N]) -> Result<[Names; N]> {
    let mut data = Vec::with_capacity(N);
    for (intake, name) in &columns {
        data.push((*name, intake.columns.require(name)?));
    }
    let default = Run::new();
    let run = columns.first().map_or(&default, |(intake, _)| intake.run);
    let mut names = intern::columns(&data, run)?.into_iter();
    let names: [Names; N] =
        std::array::from_fn(|_| names.next().unwrap_or_else(|| Names::from_iter([""; 0])));
    for (((intake, name), (_, data)), names) in columns.into_iter().zip(data).zip(&names) {
        intake.missing_names(name, data, names)?;
    }
    Ok(names)
}

/// An [`Error::Column`] for a column of the wrong type.
pub(crate) fn wrong_kind(name: &str, data: &Data, wanted: &str) -> Error {
    let mut found = data.kind().name();
    let mut parts: Vec<&str> = data.chunks.iter().map(|c| c.kind().name()).collect();
    parts.sort_unstable();
    parts.dedup();
    let mixed;
    if parts.len() > 1 && data.kind() == Kind::Other {
        mixed = format!("{} in different parts", parts.join(" and "));
        found = &mixed;
    }
    #[cfg(feature = "arrow")]
    if let Some(Cells::Arrow(array)) = data.chunks.first().map(|c| &c.cells) {
        return Error::column(name, format!("holds {found} ({}); {wanted}", array.data_type()));
    }
    Error::column(name, format!("holds {found}; {wanted}"))
}

/// Which rows an [`Intake`] kept.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    total: usize,
    rows: Option<Vec<u32>>,
    dropped: Dropped,
}

impl Kept {
    /// How many rows were kept.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.total, Vec::len)
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The original number of the `i`th kept row.
    pub fn row(&self, i: usize) -> usize {
        match &self.rows {
            None => i,
            Some(rows) => rows.get(i).map_or(self.total, |row| *row as usize),
        }
    }

    /// The kept rows of values that were read by this intake.
    pub fn values<'v, T: Copy>(&self, values: Cow<'v, [T]>) -> Cow<'v, [T]> {
        let Some(rows) = &self.rows else { return values };
        match values {
            Cow::Borrowed(v) => Cow::Owned(rows.iter().filter_map(|r| v.get(*r as usize).copied()).collect()),
            Cow::Owned(mut v) => {
                cut(&mut v, rows);
                Cow::Owned(v)
            }
        }
    }

    /// The kept rows of values that were read in several stretches.
    pub(crate) fn runs<'v, T: Copy>(&self, runs: Vec<Cow<'v, [T]>>) -> Vec<Cow<'v, [T]>> {
        if self.rows.is_none() {
            return runs;
        }
        vec![self.values(Cow::Owned(runs.iter().flat_map(|run| run.iter().copied()).collect()))]
    }

    /// The kept rows of names that were read by this intake. The labels stay
    /// as they are, so some of them may not occur any more.
    pub fn names(&self, mut names: Names) -> Names {
        if let Some(rows) = &self.rows {
            cut(&mut names.codes, rows);
        }
        names
    }

    /// What was dropped, and why.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// What was dropped, and why, by value.
    pub fn into_dropped(self) -> Dropped {
        self.dropped
    }
}

fn cut<T: Copy>(values: &mut Vec<T>, rows: &[u32]) {
    let mut len = 0;
    for row in rows {
        if let Some(value) = values.get(*row as usize).copied() {
            values[len] = value;
            len += 1;
        }
    }
    values.truncate(len);
}
