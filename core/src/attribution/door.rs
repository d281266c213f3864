//! The reports of attribution by name: the one door of both bindings.

use serde::Deserialize;

use super::{AttributeOptions, Model, attribute, touch_credits};
use crate::column::{Columns, Tables};
use crate::journey::Journeys;
use crate::options::parse;
use crate::run::Run;
use crate::{Error, Result};

/// What a report of attribution is made from.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The journeys.
    pub journeys: &'a Journeys,
    /// Those that they are compared with, such as another period's.
    pub other: Option<&'a Journeys>,
    /// A frame that goes with them, such as lift tests or spend.
    pub frame: Option<&'a Columns>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    model: Model,
}

impl<'a> From<&'a Journeys> for Given<'a> {
    fn from(journeys: &'a Journeys) -> Self {
        Self { journeys, other: None, frame: None }
    }
}

impl Given<'_> {
    /// A report by its name, with its options as JSON. The names are those of
    /// the functions that make them; an unknown name or option is an
    /// [`Error::Option`].
    pub fn report(&self, name: &str, options: &str, run: &Run) -> Result<Tables> {
        let Self { journeys, .. } = *self;
        match name {
            "attribute" => {
                let options: AttributeOptions = parse(options)?;
                let found = attribute(journeys, &options, run)?;
                let mut tables = vec![("credits", found.table())];
                let effects = found.removal_effects();
                if effects.rows() > 0 {
                    tables.push(("removal_effects", effects));
                }
                Ok(tables)
            }
            "touch_credits" => {
                let One { model } = parse(options)?;
                Ok(vec![("touch_credits", touch_credits(journeys, &model, run)?)])
            }
            "graph_difference" => {
                Ok(journeys.graph_difference(self.other, &parse(options)?, run)?.into_tables())
            }
            _ => Err(Error::option("report", format!("there is no report `{name}` of attribution"))),
        }
    }
}
