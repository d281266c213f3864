//! The reports of attribution by name: the one door of both bindings.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::callback::{Asked, Callback};
use super::{
    AttributeOptions, BootstrapOptions, CalibrateOptions, CompareOptions, DifferenceOptions, DriftOptions,
    Model, MoneyOptions, OrderOptions, SegmentedOptions, ValidateOptions, attribute, bootstrap, calibrate,
    calibration_table, choose_half_life, choose_lookback, choose_order, compare, credits_by_weights,
    difference, drift, money, segmented, self_controlled, touch_credits, validate, validation_table,
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
    /// What the rules of the models `callback` said: for each of them, a column of
    /// its name with a weight for each row of the report `callback_touches`.
    pub rules: Option<&'a Columns>,
}

/// Options with models that may wait for weights.
trait Modelled: DeserializeOwned {
    fn models(&mut self) -> &mut [Model];
}

macro_rules! modelled {
    ($($options:ty),*) => {
        $(impl Modelled for $options {
            fn models(&mut self) -> &mut [Model] {
                &mut self.models
            }
        })*
    };
}
modelled!(AttributeOptions, CalibrateOptions, CompareOptions, DifferenceOptions, DriftOptions, MoneyOptions);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    model: Model,
}

impl Modelled for BootstrapOptions {
    fn models(&mut self) -> &mut [Model] {
        std::slice::from_mut(&mut self.model)
    }
}

impl Modelled for One {
    fn models(&mut self) -> &mut [Model] {
        std::slice::from_mut(&mut self.model)
    }
}

/// Options of the report `attribute_lifetime`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lifetime {
    lifetime: LifetimeOptions,
    attribute: AttributeOptions,
}

impl Modelled for Lifetime {
    fn models(&mut self) -> &mut [Model] {
        &mut self.attribute.models
    }
}

impl<'a> From<&'a Journeys> for Given<'a> {
    fn from(journeys: &'a Journeys) -> Self {
        Self { journeys, other: None, frame: None, rules: None }
    }
}

impl<'a> Given<'a> {
    fn all(&self) -> Vec<&'a Journeys> {
        std::iter::once(self.journeys).chain(self.other).collect()
    }

    /// Options, whose rules have been given their weights.
    fn read<T: Modelled>(&self, options: &str, run: &Run) -> Result<T> {
        let mut parsed: T = parse(options)?;
        let waits = |model: &&mut Model| matches!(model, Model::Callback(rule) if !rule.is_weighed());
        let mut asked = None;
        for model in parsed.models().iter_mut().filter(waits) {
            let Model::Callback(rule) = &model else { continue };
            let frame = need(self.rules, "weights that rules gave")?;
            let mut intake = Intake::new(frame, OnInvalid::Error, run);
            let weights = intake.amounts(rule.name(), Sign::NonNegative)?;
            intake.finish()?;
            let asked = match &asked {
                Some(asked) => Arc::clone(asked),
                None => Arc::clone(asked.insert(Arc::new(Asked::of(&self.all(), run)?))),
            };
            *model = Model::Callback(Callback::weighed(rule.name(), asked, weights.into_owned())?);
        }
        Ok(parsed)
    }

    /// A report by its name, with its options as JSON. The names are those of
    /// the functions that make them; an unknown name or option is an
    /// [`Error::Option`].
    pub fn report(&self, name: &str, options: &str, run: &Run) -> Result<Tables> {
        let Self { journeys, other, frame, .. } = *self;
        match name {
            "attribute" => credits(journeys, &self.read(options, run)?, run),
            "callback_touches" => {
                none(options)?;
                Ok(vec![("callback_touches", Asked::of(&self.all(), run)?.table())])
            }
            "attribute_lifetime" => {
                let Lifetime { lifetime, attribute } = self.read(options, run)?;
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
                Ok(vec![("difference", difference(journeys, other, frame, &self.read(options, run)?, run)?)])
            }
            "bootstrap" => bootstrap(journeys, &self.read(options, run)?, run),
            "drift" => {
                let other = other
                    .ok_or_else(|| Error::option("other", "drift needs the journeys of the old period"))?;
                drift(journeys, other, &self.read(options, run)?, run)
            }
            "calibrate" => calibrate(journeys, need(frame, "lift tests")?, &self.read(options, run)?, run),
            "self_controlled" => {
                let [table, profile, priming] = self_controlled(journeys, &parse(options)?, run)?;
                Ok(vec![("self_controlled", table), ("profile", profile), ("priming", priming)])
            }
            "money" => {
                let [table, counts] = money(journeys, frame, &self.read(options, run)?, run)?;
                Ok(vec![("money", table), ("counts", counts)])
            }
            "compare" => compare(journeys, frame, &self.read(options, run)?, run),
            "choose_lookback" => {
                Ok(vec![("choose_lookback", choose_lookback(journeys, &parse(options)?, run)?)])
            }
            "choose_half_life" => {
                Ok(vec![("choose_half_life", choose_half_life(journeys, &parse(options)?, run)?)])
            }
            "touch_credits" => {
                let One { model } = self.read(options, run)?;
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
