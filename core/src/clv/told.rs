//! What a frame of customers tells of those whose orders are in another one.

use std::collections::HashMap;

use super::design::{Given, Reader};
use crate::column::{Columns, Intake, Names, OnInvalid};
use crate::{Error, Result, Run};

/// Covariates by customer.
pub(super) struct Told<'a> {
    pub(super) given: Vec<Given<'a>>,
    /// The row of each label.
    rows: HashMap<String, u32>,
}

impl<'a> Told<'a> {
    /// One row a customer, by the column of customers.
    pub(super) fn read(
        frame: &'a Columns,
        column: &str,
        reader: Reader<'_>,
        on_invalid: OnInvalid,
        run: &'a Run,
    ) -> Result<Self> {
        let mut intake = Intake::new(frame, on_invalid, run);
        let names = intake.names(column)?;
        let given = reader.read(&mut intake)?;
        let kept = intake.finish()?;
        let given = given.into_iter().map(|g| g.cut(&kept)).collect();
        let names = kept.names(names);
        let mut rows = HashMap::new();
        let mut twice = Vec::new();
        for (row, code) in names.codes.iter().enumerate() {
            if rows.insert(names.labels.get(*code).into_owned(), row as u32).is_some() {
                twice.push(kept.row(row) as u64);
            }
        }
        if let Some(row) = twice.first() {
            return Err(Error::Row {
                column: column.to_owned(),
                row: *row,
                reason: "the customer has two rows of covariates: keep one".into(),
                count: twice.len() as u64,
            });
        }
        Ok(Self { given, rows })
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row of each label of customers, where there is one.
    pub(super) fn rows(&self, customers: &Names) -> Vec<Option<u32>> {
        let codes = 0..customers.labels.len() as u32;
        codes.map(|code| self.rows.get(customers.labels.get(code).as_ref()).copied()).collect()
    }

    /// What is told of customers with orders, in the order of their rows.
    pub(super) fn of(&self, customers: &Names, column: &str) -> Result<Vec<Given<'static>>> {
        let all = self.rows(customers);
        let row = |code: &u32| {
            all.get(*code as usize).copied().flatten().ok_or_else(|| untold(customers, *code, column))
        };
        let rows = customers.codes.iter().map(row).collect::<Result<Vec<u32>>>()?;
        Ok(self.given.iter().map(|given| given.ordered(&rows)).collect())
    }
}

/// A customer has orders, and nothing is told of it.
pub(super) fn untold(customers: &Names, code: u32, column: &str) -> Error {
    let label = customers.labels.get(code);
    Error::column(
        column,
        format!("customer `{label}` has orders and no covariates: give a row for each customer"),
    )
}
