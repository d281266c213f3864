//! The reports of journeys by name: the one door of both bindings.

use serde::{Deserialize, Serialize};

use super::{Chain, Journeys, Repeats};
use crate::column::Tables;
use crate::options::{none, parse};
use crate::run::Run;
use crate::{Error, Result};

/// Options of the report `transitions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransitionOptions {
    /// How many channels a state holds, 1 to 5. Default 1.
    pub order: usize,
    /// The same state several times in a row.
    pub repeats: Repeats,
}

impl Default for TransitionOptions {
    fn default() -> Self {
        Self { order: 1, repeats: Repeats::default() }
    }
}

impl Journeys {
    /// A report by its name, with its options as JSON: what the bindings call,
    /// so that every report is there in every language. The names are those of
    /// the functions that make them; an unknown name or option is an
    /// [`Error::Option`].
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, PathOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["a > b"]).with("conversions", vec![3.0]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let tables = journeys.report("transitions", r#"{"order": 2}"#, &Run::new())?;
    /// assert_eq!((tables[0].0, tables[0].1.rows()), ("transitions", 2));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn report(&self, name: &str, options: &str, run: &Run) -> Result<Tables> {
        let table = match name {
            "transitions" => {
                let TransitionOptions { order, repeats } = parse(options)?;
                let chain = Chain::count(self, order, repeats, run)?;
                return Ok(vec![("transitions", chain.table(&self.channel_labels()))]);
            }
            "paths" => ("paths", self.paths(run)?),
            "lags" => ("lags", self.lags()?),
            "lengths" => ("lengths", self.lengths()),
            "channels" => ("channels", self.channels(run)?),
            "summary" => ("summary", self.summary()),
            "dropped" => ("dropped", self.dropped().table()),
            _ => return Err(Error::option("report", format!("there is no report `{name}` of journeys"))),
        };
        none(options)?;
        Ok(vec![table])
    }
}
