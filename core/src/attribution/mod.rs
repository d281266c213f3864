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
//! | `shapley` | Shapley values; by default every distinct channel of the journey the same ([`Shapley`]) |
//! | `custom` | weights by position, channel and age, as data ([`Custom`]) |
//! | `callback` | weights by a function of one's own ([`Callback`]) |
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
//! let models = AttributeOptions { models: vec![Model::First, Model::Linear], ..Default::default() };
//! let credit = attribute(&journeys, &models, &Run::new())?.table();
//! assert_eq!(credit.f64s("conversions"), Some(&[1.0, 3.0, 2.5, 1.5][..]));
//! # Ok::<(), headwater::Error>(())
//! ```

mod callback;
mod custom;
mod door;
mod fitted;
mod learned;
mod levels;
mod markov;
mod model;
mod order;
mod rules;
mod shapley;
mod touch;
mod trust;
mod twins;
mod validate;

pub use callback::{Callback, Touch};
pub use custom::{AgeWeight, Custom, credits_by_weights};
pub use door::Given;
pub use fitted::Fitted;
pub use learned::{
    AdditiveHazard, AdditiveHazardModel, BASELINE, Baseline, ChannelFeatures, Link, Logistic, LogisticCredit,
    LogisticModel, Method, PathCounterfactual, PathCounterfactualModel, PathTransform, Scope, Segmented,
    SegmentedOptions, ShaoLi, ShaoLiModel, TimeToEvent, TimeToEventModel, segmented,
};
pub use levels::{LevelOptions, attribute_levels};
pub use markov::{JointOptions, Markov, MarkovModel, Removal, Split};
pub use model::{AttributeOptions, Model};
pub use order::{Criterion, OrderOptions, choose_order};
pub use shapley::{CoalitionWorth, DividendOptions, Missing, Shapley, ShapleyModel, Worth};
pub use touch::{score, touch_credits};
pub use trust::{
    BootstrapOptions, CalibrateOptions, ChooseOptions, ChooseRule, CompareOptions, DifferenceMetric,
    DifferenceOptions, DriftOptions, Interval, LiftMetric, MoneyOptions, MoneyPeriod, ReportBootstrapOptions,
    SelfControlledOptions, Statistic, Untested, bootstrap, bootstrap_report, calibrate, choose_half_life,
    choose_lookback, compare, difference, drift, money, self_controlled,
};
pub use validate::{
    Folds, Predicts, ValidateOptions, Validation, calibration_table, folds, validate, validation_table,
    validation_tables,
};

use serde::{Deserialize, Serialize};

use crate::column::{Table, Text, Values};
use crate::journey::{Journeys, UNATTRIBUTED};
use crate::math::ExactSum;
use crate::run::Run;
use crate::{Error, Result};
use rules::Kernel;
use trust::{Draws, Spread, beside};

/// What becomes of negative effects and values when conversions are split in
/// proportion to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negative {
    /// They give negative credit; the others have more than all in exchange.
    Keep,
    /// They count as 0.
    Clamp,
}

impl Negative {
    fn weights(self, values: &[f64]) -> Vec<f64> {
        let clamp = |x: &f64| if self == Self::Clamp { x.max(0.0) } else { *x };
        values.iter().map(clamp).collect()
    }

    /// Shares of 1, after negative ones were dealt with.
    fn shares(self, shares: &[f64]) -> Vec<f64> {
        let weights = self.weights(shares);
        let total: f64 = weights.iter().sum();
        if self == Self::Clamp && total > 0.0 { weights.iter().map(|w| w / total).collect() } else { weights }
    }
}

/// Totals split over channels in proportion to weights, for conversions and for
/// value; where weights do not add up to more than 0, equally over touches.
fn in_proportion(
    journeys: &Journeys,
    weights: &[Vec<f64>; 2],
    totals: [f64; 2],
    run: &Run,
) -> Result<Vec<[f64; 2]>> {
    let sums = [0, 1].map(|k| crate::math::exact_sum(weights[k].iter().copied()));
    let idle = |k: usize| totals[k] != 0.0 && sums[k] <= 0.0;
    let linear = if idle(0) || idle(1) {
        rules::totals(journeys, &[&Kernel::Linear], run)?.pop().unwrap_or_default()
    } else {
        Vec::new()
    };
    let credit = |c: usize, k: usize| match totals[k] {
        0.0 => 0.0,
        _ if idle(k) => linear[c][k],
        total => weights[k][c] / sums[k] * total,
    };
    Ok((0..journeys.channel_count()).map(|c| [credit(c, 0), credit(c, 1)]).collect())
}

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
    ignored_weights: Table,
    draws: Option<(Draws, Spread)>,
}

/// One row of the table: estimates and, with a bootstrap, their bounds.
#[derive(Default)]
struct Row {
    model: usize,
    channel: usize,
    credit: [f64; 2],
    conversions: [f64; 2],
    value: [f64; 2],
    share: [f64; 3],
    cost: Option<f64>,
}

/// Attributes the conversions of these journeys by each of the models.
///
/// All rules are computed in one pass. With [`AttributeOptions::bootstrap`]
/// customers are drawn again that often, Poisson(1) times each (keyed by the
/// seed, the replicate and the customer's label), and every credit has an
/// interval; where journeys come from paths, n conversions of a path are n
/// customers, drawn Poisson(n) times (fractions too), with their mean value.
///
/// Errors: [`Error::Option`] for a bad
/// parameter, two equal models, or time decay on journeys without times;
/// [`Error::NotConverged`] from a Markov chain that cannot be solved to 12
/// digits.
pub fn attribute(journeys: &Journeys, options: &AttributeOptions, run: &Run) -> Result<Attribution> {
    let names = model::labels(&options.models)?;
    let spread = options.spread();
    spread.check()?;
    let channels = journeys.channel_count();
    let mut credits = vec![Vec::new(); names.len()];
    let mut fitted = Vec::new();
    let mut kernels = Vec::new();
    for (at, model) in options.models.iter().enumerate() {
        if model.is_rule() {
            model.check_journeys(journeys)?;
            kernels.push((at, Kernel::new(model, &journeys.channel_labels(), Some(journeys))?));
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
    let draws = match spread.replicates {
        0 => None,
        n => Some((Draws::new(journeys, &options.models, n, 0, run)?, spread)),
    };
    let lost = journeys.unattributed();
    Ok(Attribution {
        ignored_weights: ignored_weights(&[journeys], &options.models)?,
        models: names,
        channels: journeys.channel_labels(),
        credits,
        unattributed: (lost.0 > 0.0 || lost.1 != 0.0).then_some([lost.0, lost.1]),
        has_value: journeys.has_value(),
        cost: journeys.cost().map(|c| (0..channels).map(|i| c.get(i).copied().unwrap_or(0.0)).collect()),
        fitted,
        draws,
    })
}

/// Models that do not know the weights of touches, where there are such that
/// differ within a journey: model, conversions (of those journeys). The door of
/// both bindings adds it to every report of models.
pub fn ignored_weights(journeys: &[&Journeys], models: &[Model]) -> Result<Table> {
    let names = if models.is_empty() { Vec::new() } else { model::labels(models)? };
    let deaf: Text = names
        .iter()
        .zip(models)
        .filter(|(_, model)| !model.honours_weights())
        .map(|(name, _)| name)
        .collect();
    let uneven =
        if deaf.is_empty() { 0.0 } else { journeys.iter().map(|part| part.unevenly_weighted()).sum() };
    let deaf = if uneven > 0.0 { deaf } else { Text::new() };
    let conversions = vec![uneven; deaf.len()];
    Ok(Table::new().with("model", Values::Text(deaf)).with("conversions", Values::F64(conversions)))
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
    ///
    /// With a bootstrap also share (of all conversions), and beside
    /// conversions, value, share, roas and cpa their `_low` and `_high`.
    pub fn table(&self) -> Table {
        let rows: Vec<Row> = self.rows();
        let (mut model, mut channel) = (Text::new(), Text::with_capacity(rows.len(), 0));
        for row in &rows {
            model.push(&self.models[row.model]);
            channel.push(self.channels.get(row.channel).map_or(UNATTRIBUTED, String::as_str));
        }
        let numbers = |f: &dyn Fn(&Row) -> f64| Values::F64(rows.iter().map(f).collect());
        let known = |x: f64| self.has_value.then_some(x);
        let mut table =
            Table::new().with("model", Values::Text(model)).with("channel", Values::Text(channel));
        table = table.with("conversions", numbers(&|r| r.credit[0]));
        if self.draws.is_some() {
            table = table
                .with("conversions_low", numbers(&|r| r.conversions[0]))
                .with("conversions_high", numbers(&|r| r.conversions[1]));
        }
        table = table.with_optional("value", rows.iter().map(|r| known(r.credit[1])));
        if self.draws.is_some() {
            table = table
                .with_optional("value_low", rows.iter().map(|r| known(r.value[0])))
                .with_optional("value_high", rows.iter().map(|r| known(r.value[1])))
                .with("share", numbers(&|r| r.share[0]))
                .with("share_low", numbers(&|r| r.share[1]))
                .with("share_high", numbers(&|r| r.share[2]));
        }
        if self.cost.is_none() {
            return table;
        }
        let ratio = |a: f64, b: Option<f64>| b.filter(|b| *b > 0.0).map(|b| a / b);
        let roas = |v: fn(&Row) -> f64| {
            rows.iter().map(move |r| if self.has_value { ratio(v(r), r.cost) } else { None })
        };
        let cpa =
            |c: fn(&Row) -> f64| rows.iter().map(move |r| r.cost.and_then(|cost| ratio(cost, Some(c(r)))));
        table = table
            .with_optional("cost", rows.iter().map(|r| r.cost))
            .with_optional("roas", roas(|r| r.credit[1]));
        if self.draws.is_some() {
            table = table
                .with_optional("roas_low", roas(|r| r.value[0]))
                .with_optional("roas_high", roas(|r| r.value[1]));
        }
        table = table.with_optional("cpa", cpa(|r| r.credit[0]));
        if self.draws.is_some() {
            // The more conversions, the less each costs.
            table = table
                .with_optional("cpa_low", cpa(|r| r.conversions[1]))
                .with_optional("cpa_high", cpa(|r| r.conversions[0]));
        }
        table
    }

    /// The rows of the table; past the channels, conversions without a touch.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.models.len() * (self.channels.len() + 1));
        let all =
            |credits: &[[f64; 2]]| -> f64 { credits.iter().chain(&self.unattributed).map(|c| c[0]).sum() };
        for (model, by_channel) in self.credits.iter().enumerate() {
            let total = all(by_channel);
            for (channel, credit) in by_channel.iter().chain(&self.unattributed).enumerate() {
                let cost = self.cost.as_ref().and_then(|c| c.get(channel).copied());
                let mut row = Row { model, channel, credit: *credit, cost, ..Row::default() };
                if let Some((draws, spread)) = &self.draws {
                    let [conversions, value] = draws.row(model, channel);
                    row.conversions = spread.of(credit[0], conversions);
                    row.value = spread.of(credit[1], value);
                    let share = if total > 0.0 { credit[0] / total } else { 0.0 };
                    let [low, high] = spread.of(share, &draws.share(model, channel));
                    row.share = [share, low, high];
                }
                rows.push(row);
            }
        }
        rows
    }

    /// The credits of one sample, without cost.
    fn of_sample(&self, draws: &Draws, replicate: usize) -> Self {
        let lost = self.channels.len();
        let pair = |model: usize, channel: usize| {
            draws.row(model, channel).each_ref().map(|draws| draws.get(replicate).copied().unwrap_or(0.0))
        };
        let credits = (0..self.models.len()).map(|m| (0..lost).map(|c| pair(m, c)).collect()).collect();
        Self {
            models: self.models.clone(),
            channels: self.channels.clone(),
            credits,
            unattributed: self.unattributed.map(|_| pair(0, lost)),
            has_value: self.has_value,
            cost: None,
            fitted: Vec::new(),
            ignored_weights: Table::new(),
            draws: None,
        }
    }

    /// Removal effects of the Markov models: model, channel, removal_effect,
    /// removal_effect_value (missing where no value is known). With a bootstrap
    /// each is followed by its `_standard_error`, `_low` and `_high`.
    pub fn removal_effects(&self) -> Table {
        let (mut model, mut channel) = (Text::new(), Text::new());
        let mut effects = [Vec::new(), Vec::new()];
        let mut around = [Vec::new(), Vec::new()];
        for (at, fitted) in &self.fitted {
            let Fitted::Markov(fitted) = fitted else { continue };
            for (code, (label, pair)) in self.channels.iter().zip(fitted.effect_pairs()).enumerate() {
                model.push(&self.models[*at]);
                channel.push(label);
                for (k, effect) in pair.into_iter().enumerate() {
                    let known = k == 0 || self.has_value;
                    effects[k].push(known.then_some(effect));
                    let draws = self.draws.as_ref().filter(|_| known);
                    around[k].push(draws.and_then(|(draws, spread)| {
                        Some(spread.around(effect, &draws.effect(*at, code)?[k]))
                    }));
                }
            }
        }
        let mut table =
            Table::new().with("model", Values::Text(model)).with("channel", Values::Text(channel));
        for ((name, effects), around) in
            ["removal_effect", "removal_effect_value"].into_iter().zip(effects).zip(&around)
        {
            table = table.with_optional(name, effects);
            if self.draws.is_some() {
                table = beside(table, name, around);
            }
        }
        table
    }

    /// What [`ignored_weights`] says of these journeys and models.
    pub fn ignored_weights(&self) -> Table {
        self.ignored_weights.clone()
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
