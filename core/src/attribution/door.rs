//! The reports of attribution by name: the one door of both bindings.

use serde::Deserialize;

use super::{
    AttributeOptions, Model, OrderOptions, SegmentedOptions, ValidateOptions, attribute, bootstrap,
    calibrate, calibration_table, choose_half_life, choose_lookback, choose_order, compare,
    credits_by_weights, difference, drift, money, segmented, self_controlled, touch_credits, validate,
    validation_table,
};
use crate::column::{Columns, Intake, OnInvalid, Sign, Tables};
use crate::journey::{Journeys, LifetimeOptions};
use crate::options::{none, parse};
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

/// Options of the report `attribute_lifetime`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lifetime {
    lifetime: LifetimeOptions,
    attribute: AttributeOptions,
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
        let Self { journeys, other, frame } = *self;
        match name {
            "attribute" => credits(journeys, &parse(options)?, run),
            "attribute_lifetime" => {
                let Lifetime { lifetime, attribute } = parse(options)?;
                let journeys = journeys.with_lifetime(need(frame, "values of customers")?, &lifetime, run)?;
                credits(&journeys, &attribute, run)
            }
            "credits_by_weights" => {
                none(options)?;
                let frame = need(frame, "weights, one a touch")?;
                let mut intake = Intake::new(frame, OnInvalid::Error, run);
                let weights = intake.amounts("weight", Sign::NonNegative)?;
                intake.finish()?;
                Ok(vec![("credits", credits_by_weights(journeys, &weights, run)?)])
            }
            "difference" => {
                Ok(vec![("difference", difference(journeys, other, frame, &parse(options)?, run)?)])
            }
            "bootstrap" => bootstrap(journeys, &parse(options)?, run),
            "drift" => {
                let other = other
                    .ok_or_else(|| Error::option("other", "drift needs the journeys of the old period"))?;
                drift(journeys, other, &parse(options)?, run)
            }
            "calibrate" => calibrate(journeys, need(frame, "lift tests")?, &parse(options)?, run),
            "self_controlled" => {
                let [table, profile] = self_controlled(journeys, &parse(options)?, run)?;
                Ok(vec![("self_controlled", table), ("profile", profile)])
            }
            "money" => {
                let [table, counts] = money(journeys, frame, &parse(options)?, run)?;
                Ok(vec![("money", table), ("counts", counts)])
            }
            "compare" => compare(journeys, frame, &parse(options)?, run),
            "choose_lookback" => {
                Ok(vec![("choose_lookback", choose_lookback(journeys, &parse(options)?, run)?)])
            }
            "choose_half_life" => {
                Ok(vec![("choose_half_life", choose_half_life(journeys, &parse(options)?, run)?)])
            }
            "touch_credits" => {
                let One { model } = parse(options)?;
                Ok(vec![("touch_credits", touch_credits(journeys, &model, run)?)])
            }
            "choose_order" => {
                let options: OrderOptions = parse(options)?;
                Ok(vec![("orders", choose_order(journeys, &options, run)?)])
            }
            "validate" => {
                let options: ValidateOptions = parse(options)?;
                let found = validate(journeys, &options, run)?;
                Ok(vec![("validation", validation_table(&found)), ("calibration", calibration_table(&found))])
            }
            "segmented" => {
                let options: SegmentedOptions = parse(options)?;
                Ok(segmented(journeys, self.frame, &options, run)?.tables())
            }
            "graph_difference" => {
                Ok(journeys.graph_difference(self.other, &parse(options)?, run)?.into_tables())
            }
            _ => Err(Error::option("report", format!("there is no report `{name}` of attribution"))),
        }
    }
}

fn credits(journeys: &Journeys, options: &AttributeOptions, run: &Run) -> Result<Tables> {
    let found = attribute(journeys, options, run)?;
    let mut tables = vec![("credits", found.table())];
    let effects = found.removal_effects();
    if effects.rows() > 0 {
        tables.push(("removal_effects", effects));
    }
    let ignored = found.ignored_weights();
    if ignored.rows() > 0 {
        tables.push(("ignored_weights", ignored));
    }
    Ok(tables)
}

fn need<'a>(frame: Option<&'a Columns>, what: &str) -> Result<&'a Columns> {
    frame.ok_or_else(|| Error::option("frame", format!("this report needs a frame of {what}")))
}
