//! A frame group by group.

use crate::column::{Columns, Dropped, Intake, Kept, Names, OnInvalid};
use crate::{Error, Result, Run};

/// The rows of one group.
pub(super) struct Part {
    label: String,
    pub(super) columns: Columns,
    /// Their places in the whole frame, in ascending order.
    pub(super) rows: Vec<u32>,
}

impl Part {
    /// That of no rows.
    pub(super) fn empty(frame: &Columns) -> Self {
        Self { label: String::new(), columns: frame.take(&[]), rows: Vec::new() }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn into_label(self) -> String {
        self.label
    }

    /// What is said of its rows, said of those of the whole frame.
    pub(super) fn placed<T>(&self, found: Result<(T, Dropped)>) -> Result<(T, Dropped)> {
        let place = |row: u64| self.rows.get(row as usize).map_or(row, |row| u64::from(*row));
        match found {
            Ok((found, mut dropped)) => {
                for reason in &mut dropped.reasons {
                    reason.first_row = place(reason.first_row);
                }
                Ok((found, dropped))
            }
            Err(Error::Row { column, row, reason, count }) => {
                Err(Error::Row { column, row: place(row), reason, count })
            }
            Err(error) => Err(error),
        }
    }
}

/// The groups of a frame by label.
pub(super) fn parts(
    frame: &Columns,
    group: &str,
    on_invalid: OnInvalid,
    run: &Run,
) -> Result<(Vec<Part>, Dropped)> {
    let mut intake = Intake::new(frame, on_invalid, run);
    let names = intake.names(group)?;
    let kept = intake.finish()?;
    let parts = split(frame, &kept.names(names), &kept);
    Ok((parts, kept.into_dropped()))
}

/// The rows that were kept, by the label of their group.
pub(super) fn split(frame: &Columns, groups: &Names, kept: &Kept) -> Vec<Part> {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); groups.labels.len()];
    for (i, code) in groups.codes.iter().enumerate() {
        if let Some(rows) = rows.get_mut(*code as usize) {
            rows.push(kept.row(i) as u32);
        }
    }
    let part = |code: u32| {
        let rows = rows.get_mut(code as usize).map(std::mem::take).unwrap_or_default();
        Part { label: groups.labels.get(code).into_owned(), columns: frame.take(&rows), rows }
    };
    groups.codes_by_label().into_iter().map(part).collect()
}

/// Reads all parts; what is wrong with rows of several is one error, and one reason to drop them.
pub(super) fn read_each<T>(
    parts: &[Part],
    read: impl Fn(&Columns) -> Result<(T, Dropped)>,
) -> Result<(Vec<T>, Dropped)> {
    let mut all = Vec::with_capacity(parts.len());
    let (mut dropped, mut wrong) = (Dropped::default(), None);
    for part in parts {
        match (part.placed(read(&part.columns)), &mut wrong) {
            (Ok((found, more)), _) => {
                all.push(found);
                add(&mut dropped, more);
            }
            (
                Err(Error::Row { column, row, reason, count }),
                Some(Error::Row { column: c, row: r, reason: why, count: n }),
            ) => {
                if column == *c && reason == *why {
                    (*r, *n) = ((*r).min(row), *n + count);
                }
            }
            (Err(error @ Error::Row { .. }), None) => wrong = Some(error),
            (Err(error), None) => return Err(error),
            (Err(_), Some(_)) => {}
        }
    }
    wrong.map_or(Ok((all, dropped)), Err)
}

/// Adds what another group dropped, each reason once.
pub(super) fn add(dropped: &mut Dropped, more: Dropped) {
    dropped.rows += more.rows;
    for reason in more.reasons {
        match dropped.reasons.iter_mut().find(|r| r.column == reason.column && r.reason == reason.reason) {
            Some(same) => {
                same.count += reason.count;
                same.first_row = same.first_row.min(reason.first_row);
            }
            None => dropped.reasons.push(reason),
        }
    }
}
