//! Which touch earned it? Credit for conversions and their value.
//!
//! Every model splits each conversion over the channels of its journey, or all
//! conversions over all channels; credits add up to the totals, and conversions
//! without a touch are credited to `(unattributed)`, never dropped.
//!
//! | model | credit |
//! | --- | --- |
//! | `first`, `last` | the first, the last touch |
//! | `last_non_direct` | the last touch that is not direct; the last one if all are |
//! | `linear` | every touch the same |
//! | `position_based` | 40 % the first, 40 % the last, the rest shared between; of two touches 50 % each |
//! | `time_decay` | every touch 2^(−age / half-life) |
//! | `markov` | channels by their removal effect in a Markov chain ([`Markov`]) |
//! | `shapley` | every distinct channel of the journey the same ([`Model::Shapley`]) |
//! | `path_counterfactual` | what the rate of the observed path falls by without the touch ([`PathCounterfactual`]) |
//! | `time_to_event` | backward elimination of ads in a rate over time ([`TimeToEvent`]) |
//! | `logistic` | what a bagged logistic regression predicts less without the channel ([`Logistic`]) |
//! | `shao_li` | rates of channels, corrected for their pairs ([`ShaoLi`]) |
//! | `additive_hazard` | the ad's part of a rate that ads add to and that decays ([`AdditiveHazard`]) |
//!
//! ```
//! use headwater::Run;
//! use headwater::attribution::{AttributeOptions, Model, attribute};
//! use headwater::column::Columns;
//! use headwater::journey::{Journeys, PathOptions};
//!
//! let paths = Columns::new()
//!     .with("path", vec!["search > email", "email"])
//!     .with("conversions", vec![3.0, 1.0])
//!     .with("nulls", vec![6.0, 9.0]);
//! let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
//! let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
//! let models = AttributeOptions { models: vec![Model::First, Model::Linear] };
//! let credit = attribute(&journeys, &models, &Run::new())?.table();
//! assert_eq!(credit.f64s("conversions"), Some(&[1.0, 3.0, 2.5, 1.5][..]));
//! # Ok::<(), headwater::Error>(())
//! ```

mod door;
mod fitted;
mod learned;
mod markov;
mod model;
mod rules;
mod touch;
mod validate;

pub use door::Given;
pub use fitted::Fitted;
pub use learned::{
    AdditiveHazard, AdditiveHazardModel, BASELINE, Baseline, ChannelFeatures, Link, Logistic, LogisticCredit,
    LogisticModel, Method, PathCounterfactual, PathCounterfactualModel, PathTransform, Scope, Segmented,
    SegmentedOptions, ShaoLi, ShaoLiModel, TimeToEvent, TimeToEventModel, segmented,
};
pub use markov::{Markov, MarkovModel, Removal};
pub use model::{AttributeOptions, Model};
pub use touch::{score, touch_credits};
pub use validate::{
    Folds, Predicts, ValidateOptions, Validation, calibration_table, folds, validate, validation_table,
};

use crate::column::{Table, Text, Values};
use crate::journey::{Journeys, UNATTRIBUTED};
use crate::math::ExactSum;
use crate::run::Run;
use crate::{Error, Result};
use rules::Kernel;

/// The credits that several models give to each channel.
#[derive(Clone, Debug)]
pub struct Attribution {
    models: Vec<String>,
    channels: Vec<String>,
    /// Channels by models, conversions and value.
    credits: Vec<Vec<[f64; 2]>>,
    unattributed: Option<[f64; 2]>,
    has_value: bool,
    cost: Option<Vec<f64>>,
    fitted: Vec<(usize, Fitted)>,
}

/// Attributes the conversions of these journeys by each of the models.
///
/// All rules are computed in one pass. Errors: [`Error::Option`] for a bad
/// parameter, two equal models, or time decay on journeys without times;
/// [`Error::NotConverged`] from a Markov chain that cannot be solved to 12
/// digits.
pub fn attribute(journeys: &Journeys, options: &AttributeOptions, run: &Run) -> Result<Attribution> {
    let names = model::labels(&options.models)?;
    let channels = journeys.channel_count();
    let mut credits = vec![Vec::new(); names.len()];
    let mut fitted = Vec::new();
    let mut kernels = Vec::new();
    for (at, model) in options.models.iter().enumerate() {
        if model.is_rule() {
            model.check_times(journeys)?;
            kernels.push((at, Kernel::new(model, &journeys.channel_labels())?));
        } else {
            let model = Fitted::fit(model, journeys, run)?;
            credits[at] = model.totals(journeys, run)?;
            fitted.push((at, model));
        }
    }
    let only: Vec<&Kernel> = kernels.iter().map(|(_, k)| k).collect();
    for ((at, _), sums) in kernels.iter().zip(rules::totals(journeys, &only, run)?) {
        credits[*at] = sums;
    }
    let lost = journeys.unattributed();
    Ok(Attribution {
        models: names,
        channels: journeys.channel_labels(),
        credits,
        unattributed: (lost.0 > 0.0 || lost.1 != 0.0).then_some([lost.0, lost.1]),
        has_value: journeys.has_value(),
        cost: journeys.cost().map(|c| (0..channels).map(|i| c.get(i).copied().unwrap_or(0.0)).collect()),
        fitted,
    })
}

impl Attribution {
    /// The models' names, as in the table.
    pub fn models(&self) -> &[String] {
        &self.models
    }

    /// The credits as a table: model, channel, conversions, value (missing
    /// where no value is known); and where cost is known: cost, roas
    /// (value / cost), cpa (cost / conversions), missing where they have no
    /// meaning. Channels stand in the order of their labels; a row
    /// `(unattributed)` follows when there are conversions without a touch.
    pub fn table(&self) -> Table {
        let rows = self.models.len() * (self.channels.len() + 1);
        let (mut model, mut channel) = (Text::new(), Text::with_capacity(rows, 0));
        let (mut credits, mut cost) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (name, by_channel) in self.models.iter().zip(&self.credits) {
            for (code, credit) in by_channel.iter().enumerate() {
                model.push(name);
                channel.push(&self.channels[code]);
                credits.push(*credit);
                cost.push(self.cost.as_ref().map(|c| c[code]));
            }
            if let Some(lost) = self.unattributed {
                model.push(name);
                channel.push(UNATTRIBUTED);
                credits.push(lost);
                cost.push(None);
            }
        }
        let table = Table::new()
            .with("model", Values::Text(model))
            .with("channel", Values::Text(channel))
            .with("conversions", Values::F64(credits.iter().map(|c| c[0]).collect()))
            .with_optional("value", credits.iter().map(|c| self.has_value.then_some(c[1])));
        if self.cost.is_none() {
            return table;
        }
        let ratio = |a: f64, b: Option<f64>| b.filter(|b| *b > 0.0).map(|b| a / b);
        let rows = || credits.iter().zip(&cost);
        let roas = rows().map(|(c, cost)| if self.has_value { ratio(c[1], *cost) } else { None });
        let cpa = rows().map(|(c, cost)| cost.and_then(|cost| ratio(cost, Some(c[0]))));
        table
            .with_optional("cost", cost.iter().copied())
            .with_optional("roas", roas)
            .with_optional("cpa", cpa)
    }

    /// Removal effects of the Markov models: model, channel, removal_effect,
    /// removal_effect_value (missing where no value is known).
    pub fn removal_effects(&self) -> Table {
        let (mut model, mut channel) = (Text::new(), Text::new());
        let (mut effect, mut value) = (Vec::new(), Vec::new());
        for (at, fitted) in &self.fitted {
            let Fitted::Markov(fitted) = fitted else { continue };
            for (code, label) in self.channels.iter().enumerate() {
                model.push(&self.models[*at]);
                channel.push(label);
                effect.push(fitted.removal_effects()[code]);
                value.push(self.has_value.then(|| fitted.removal_effects_value()[code]));
            }
        }
        Table::new()
            .with("model", Values::Text(model))
            .with("channel", Values::Text(channel))
            .with("removal_effect", Values::F64(effect))
            .with_optional("removal_effect_value", value)
    }

    /// The fitted models, with the names of their rows.
    pub fn fitted(&self) -> impl Iterator<Item = (&str, &Fitted)> {
        self.fitted.iter().map(|(at, model)| (self.models[*at].as_str(), model))
    }

    /// The fitted Markov models among them.
    pub fn markov(&self) -> impl Iterator<Item = (&str, &MarkovModel)> {
        self.fitted().filter_map(|(name, fitted)| match fitted {
            Fitted::Markov(model) => Some((name, model)),
            _ => None,
        })
    }

    /// The credit for conversions and for value of one model's channels, in
    /// the order of the channels.
    pub fn credits(&self, model: &str) -> Result<&[[f64; 2]]> {
        let at = self.models.iter().position(|m| m == model);
        at.and_then(|at| self.credits.get(at)).map(Vec::as_slice).ok_or_else(|| {
            Error::option("model", format!("`{model}` is not among {}", self.models.join(", ")))
        })
    }

    /// All credit of one model, conversions without a touch included.
    pub fn total(&self, model: &str) -> Result<[f64; 2]> {
        let mut sums = [ExactSum::new(), ExactSum::new()];
        for [conversions, value] in self.credits(model)?.iter().chain(&self.unattributed) {
            sums[0].add(*conversions);
            sums[1].add(*value);
        }
        Ok([sums[0].value(), sums[1].value()])
    }
}
