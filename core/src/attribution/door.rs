//! The reports of attribution by name: the one door of both bindings.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::callback::{Asked, Callback};
use super::{
    AttributeOptions, BootstrapOptions, CalibrateOptions, CompareOptions, DifferenceOptions, DriftOptions,
    Interval, LevelOptions, Model, MoneyOptions, OrderOptions, ReportBootstrapOptions, SegmentedOptions,
    ValidateOptions, attribute, attribute_levels, bootstrap, bootstrap_report, calibrate, choose_half_life,
    choose_lookback, choose_order, compare, credits_by_weights, difference, drift, ignored_weights, money,
    segmented, self_controlled, touch_credits, validate, validation_tables,
};
use crate::column::{Columns, Intake, OnInvalid, Sign, Tables};
use crate::journey::{JourneyReport, Journeys, LifetimeMode, LifetimeOptions, MissingLifetime};
use crate::options::{none, parse};
use crate::run::Run;
use crate::{Error, Result};

/// What a report of attribution is made from.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The journeys.
    pub journeys: &'a Journeys,
    /// Those that they are compared with, such as another period's; for
    /// `attribute_levels` the same rolled up, where rules of one's own are among the models.
    pub other: Option<&'a Journeys>,
    /// A frame that goes with them, such as spend or a truth.
    pub frame: Option<&'a Columns>,
    /// Lift tests that calibrate the models beside which their report stands.
    pub lift_tests: Option<&'a Columns>,
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
modelled!(
    AttributeOptions,
    CalibrateOptions,
    CompareOptions,
    DifferenceOptions,
    DriftOptions,
    LevelOptions,
    MoneyOptions
);

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
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ByWorth {
    lifetime_customer: String,
    lifetime_value: String,
    lifetime_mode: LifetimeMode,
    lifetime_missing: MissingLifetime,
    attribute: AttributeOptions,
}

impl Default for ByWorth {
    fn default() -> Self {
        let LifetimeOptions { customer, value, mode, missing, .. } = LifetimeOptions::default();
        Self {
            lifetime_customer: customer,
            lifetime_value: value,
            lifetime_mode: mode,
            lifetime_missing: missing,
            attribute: AttributeOptions::default(),
        }
    }
}

impl Modelled for ByWorth {
    fn models(&mut self) -> &mut [Model] {
        &mut self.attribute.models
    }
}

/// Options of the report `bootstrap_report`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReportBootstrap {
    report: String,
    /// Those of the report.
    options: serde_json::Map<String, serde_json::Value>,
    bootstrap: usize,
    confidence: f64,
    interval: Interval,
}

impl Default for ReportBootstrap {
    fn default() -> Self {
        let ReportBootstrapOptions { bootstrap, confidence, interval, .. } =
            ReportBootstrapOptions::default();
        Self { report: String::new(), options: serde_json::Map::default(), bootstrap, confidence, interval }
    }
}

impl ReportBootstrap {
    fn read(self) -> Result<ReportBootstrapOptions> {
        let Self { report: name, options, bootstrap, confidence, interval } = self;
        let Some(report) = JourneyReport::named(&name, &serde_json::Value::Object(options).to_string())?
        else {
            let reason = match name.as_str() {
                "features" | "durations" | "dropped" | "accounting" => {
                    format!(
                        "`{name}` tells what is there one by one, and estimates nothing: take another report"
                    )
                }
                _ => format!("there is no report `{name}` of journeys"),
            };
            return Err(Error::option("report", reason));
        };
        Ok(ReportBootstrapOptions { report, bootstrap, confidence, interval })
    }
}

impl<'a> From<&'a Journeys> for Given<'a> {
    fn from(journeys: &'a Journeys) -> Self {
        Self { journeys, other: None, frame: None, lift_tests: None, rules: None }
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
            let frame = need(self.rules, "rules", "weights that rules gave")?;
            let mut intake = Intake::new(frame, OnInvalid::Error, run);
            let weights = intake.amounts(rule.name(), Sign::NonNegative)?;
            intake.finish().map_err(Error::undroppable)?;
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
    /// [`Error::Option`]. Where models of the report know no weights of touches
    /// and touches weigh differently, the last table is `ignored_weights`.
    pub fn report(&self, name: &str, options: &str, run: &Run) -> Result<Tables> {
        let mut tables = self.named(name, options, run)?;
        let ignored = ignored_weights(&self.all(), &models(name, options)?)?;
        if ignored.rows() > 0 {
            tables.push(("ignored_weights", ignored));
        }
        Ok(tables)
    }

    fn named(&self, name: &str, options: &str, run: &Run) -> Result<Tables> {
        let Self { journeys, other, frame, lift_tests, .. } = *self;
        match name {
            "attribute" => credits(journeys, &self.read(options, run)?, run),
            "attribute_levels" => {
                Ok(vec![("levels", attribute_levels(journeys, &self.read(options, run)?, run)?)])
            }
            "callback_touches" => {
                none(options)?;
                Ok(vec![("callback_touches", Asked::of(&self.all(), run)?.table())])
            }
            "attribute_lifetime" => {
                let given: ByWorth = self.read(options, run)?;
                let lifetime = LifetimeOptions {
                    customer: given.lifetime_customer,
                    value: given.lifetime_value,
                    mode: given.lifetime_mode,
                    missing: given.lifetime_missing,
                    ..LifetimeOptions::default()
                };
                let frame = need(frame, "lifetime", "values of customers")?;
                let journeys = journeys.with_lifetime(frame, &lifetime, run).map_err(Error::undroppable)?;
                credits(&journeys, &given.attribute, run)
            }
            "credits_by_weights" => {
                none(options)?;
                let frame = need(frame, "weights", "weights, one a touch")?;
                let mut intake = Intake::new(frame, OnInvalid::Error, run);
                let weights = intake.amounts("weight", Sign::NonNegative)?;
                intake.finish().map_err(Error::undroppable)?;
                Ok(vec![("credits", credits_by_weights(journeys, &weights, run)?)])
            }
            "difference" => {
                let options = self.read(options, run)?;
                Ok(vec![("difference", difference(journeys, other, frame, lift_tests, &options, run)?)])
            }
            "bootstrap" => bootstrap(journeys, &self.read(options, run)?, run),
            "bootstrap_report" => {
                bootstrap_report(journeys, &parse::<ReportBootstrap>(options)?.read()?, run)
            }
            "drift" => {
                let other = other
                    .ok_or_else(|| Error::option("other", "drift needs the journeys of the old period"))?;
                drift(journeys, other, lift_tests, &self.read(options, run)?, run)
            }
            "calibrate" => {
                calibrate(journeys, need(frame, "lift_tests", "lift tests")?, &self.read(options, run)?, run)
            }
            "self_controlled" => {
                let [table, profile, priming] = self_controlled(journeys, &parse(options)?, run)?;
                Ok(vec![("self_controlled", table), ("profile", profile), ("priming", priming)])
            }
            "money" => {
                let [table, counts] = money(journeys, frame, lift_tests, &self.read(options, run)?, run)?;
                Ok(vec![("money", table), ("counts", counts)])
            }
            "compare" => compare(journeys, frame, lift_tests, &self.read(options, run)?, run),
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
                validation_tables(&found, &options, run)
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
    Ok(tables)
}

/// The models of a report.
fn models(name: &str, options: &str) -> Result<Vec<Model>> {
    Ok(match name {
        "attribute" => parse::<AttributeOptions>(options)?.models,
        "attribute_lifetime" => parse::<ByWorth>(options)?.attribute.models,
        "attribute_levels" => parse::<LevelOptions>(options)?.models,
        "bootstrap" => vec![parse::<BootstrapOptions>(options)?.model],
        "calibrate" => parse::<CalibrateOptions>(options)?.models,
        "compare" => parse::<CompareOptions>(options)?.models,
        "difference" => parse::<DifferenceOptions>(options)?.models,
        "drift" => parse::<DriftOptions>(options)?.models,
        "money" => parse::<MoneyOptions>(options)?.models,
        "segmented" => vec![parse::<SegmentedOptions>(options)?.model],
        "touch_credits" => vec![parse::<One>(options)?.model],
        "validate" => parse::<ValidateOptions>(options)?.models,
        _ => Vec::new(),
    })
}

fn need<'a>(frame: Option<&'a Columns>, name: &str, what: &str) -> Result<&'a Columns> {
    frame.ok_or_else(|| Error::option(name, format!("this report needs a frame of {what}")))
}
