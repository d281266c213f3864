//! Customers for the rows of any frame that carries identifiers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::people::People;
use crate::column::{Columns, Intake, NULL, Names, OnInvalid};
use crate::{Error, Result, Run};

/// Which columns of a frame hold identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssignOptions {
    /// The columns; by default those that the people were stitched from, as
    /// far as the frame has them.
    pub identifiers: Option<Vec<String>>,
    /// The namespaces of columns that are not called after them, where they
    /// differ from those of the stitching: `{column: namespace}`.
    pub namespaces: BTreeMap<String, String>,
}

impl People {
    /// The customer of each row of another frame: that of the strongest of
    /// its identifiers that is known. [`NULL`] where none is.
    ///
    /// For the frame that was stitched this is [`People::assign`].
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::identity::{AssignOptions, StitchOptions, stitch};
    ///
    /// let events = Columns::new().with("cookie", vec!["7f3", "c00"]).with("email", vec![Some("a@x.org"), None]);
    /// let identifiers = vec!["cookie".into(), "email".into()];
    /// let people = stitch(&events, &StitchOptions { identifiers, ..Default::default() }, &Run::new())?;
    ///
    /// let orders = Columns::new().with("email", vec!["A@x.org", "who@y.org"]);
    /// let customers = people.assign_frame(&orders, &AssignOptions::default(), &Run::new())?;
    /// assert_eq!(customers.get(0), people.assign().get(0));
    /// assert_eq!(customers.get(1), None);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn assign_frame(&self, frame: &Columns, options: &AssignOptions, run: &Run) -> Result<Names> {
        let mut intake = Intake::new(frame, OnInvalid::Error, run);
        let mut columns = Vec::new();
        for (column, namespace) in self.identifier_columns(frame, options)? {
            run.stage("read identifiers", 0)?;
            let Names { mut codes, labels } = intake.optional_names(&column)?;
            let Some(space) = self.spaces.find(&namespace) else { continue };
            let nodes = run.map_chunks("find identifiers", labels.len(), |range| {
                let node = |label: usize| self.lookup(&namespace, &labels.get(label as u32)).unwrap_or(NULL);
                Ok(range.map(node).collect::<Vec<u32>>())
            })?;
            let nodes = nodes.concat();
            for code in &mut codes {
                *code = nodes.get(*code as usize).copied().unwrap_or(NULL);
            }
            columns.push((space, codes));
        }
        columns.sort_by(|a, b| self.spaces.compare(a.0, b.0));
        let codes = run.map_chunks("assign", frame.rows(), |rows| {
            let home = |row: usize| match self.strongest(&columns, row) {
                NULL => NULL,
                node => self.home[node as usize],
            };
            Ok(rows.map(home).collect::<Vec<u32>>())
        })?;
        Ok(Names { codes: codes.concat(), labels: Arc::clone(&self.labels) })
    }

    /// (column, namespace) of the identifiers that a frame has.
    fn identifier_columns(&self, frame: &Columns, options: &AssignOptions) -> Result<Vec<(String, String)>> {
        let named = |column: &str| {
            let given = || self.given.iter().find(|(c, _)| c == column).map(|(_, n)| n.clone());
            options.namespaces.get(column).cloned().or_else(given).unwrap_or_else(|| column.to_owned())
        };
        if let Some(columns) = &options.identifiers {
            for column in columns {
                frame.require(column)?;
            }
            return Ok(columns.iter().map(|c| (c.clone(), named(c))).collect());
        }
        let given = self.given.iter().map(|(column, _)| column);
        let columns: Vec<(String, String)> = given
            .chain(options.namespaces.keys().filter(|c| !self.given.iter().any(|(g, _)| g == *c)))
            .filter(|c| frame.has(c))
            .map(|c| (c.clone(), named(c)))
            .collect();
        if columns.is_empty() {
            let wanted: Vec<&str> = self.given.iter().map(|(c, _)| c.as_str()).collect();
            return Err(Error::option(
                "identifiers",
                format!(
                    "the frame has none of the columns {}; name those that hold identifiers",
                    wanted.join(", ")
                ),
            ));
        }
        Ok(columns)
    }
}
