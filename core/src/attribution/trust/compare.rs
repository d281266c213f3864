//! Several models side by side.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Draws, Measure, Spread};
use super::calibrate::{CalibrateOptions, Period, lifted};
use super::difference::shares;
use super::interval::{Interval, quantile};
use super::numbers::{Absent, Numbers, Told};
use crate::attribution::{AttributeOptions, Model, ValidateOptions, attribute, validate, validation_tables};
use crate::column::{Columns, Intake, OnInvalid, Sign, Table, Tables, Text, Values, check_sum};
use crate::journey::Journeys;
use crate::math::{exact_sum, kendall, spearman};
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`compare`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompareOptions {
    /// The models, two or more; with lift tests one or more.
    pub models: Vec<Model>,
    /// How many samples are drawn for the stability of ranks and for intervals; 0, the default, for none.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval; of ranks it is always `percentile`.
    pub interval: Interval,
    /// How many parts held-out predictions are made in; 0 for none. Default 5.
    pub folds: usize,
    /// Column of the truth: the channel. Default `"channel"`.
    pub channel: String,
    /// Column of the truth: its incremental conversions, or any number in the
    /// same proportions. Default `"incremental_conversions"`.
    pub truth: String,
    /// Rows of the truth with nulls, NaN or negative amounts.
    pub on_invalid: OnInvalid,
    /// As in [`MoneyOptions::calibration`](super::MoneyOptions::calibration).
    pub calibration: CalibrateOptions,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            bootstrap: 0,
            confidence: 0.9,
            interval: Interval::default(),
            folds: 5,
            channel: "channel".into(),
            truth: "incremental_conversions".into(),
            on_invalid: OnInvalid::default(),
            calibration: CalibrateOptions::default(),
        }
    }
}

/// Sets models side by side. Tables:
///
/// | table | one row | columns |
/// | --- | --- | --- |
/// | `agreement` | a pair of models | model, other_model, total_variation (half the sum of absolute differences of channel shares: the part of all credit that is placed otherwise), kendall (τ-b), spearman (both of the channels' credits) |
/// | `ranks` (with a bootstrap) | a model and channel | model, channel, rank (1 earns most), rank_low, rank_high, same_rank (share of samples with this rank) |
/// | `predictions` (of models that predict) | a model | model, journeys, conversions, log_loss, null_log_loss (of the conversion rate alone), auc, brier, clipped (see [`validate`]); each journey predicted by a model that was fitted without its customer (its path, where customers are unknown) |
/// | `errors` (with a truth) | a model and channel | model, channel, share, true_share, error |
/// | `truth` (with a truth) | a model | model, channels (how many the truth knows), total_variation, mean_absolute_error, worst_error, spearman |
///
/// | `differences` (of models that predict, with a bootstrap) | a pair of models | model, other_model, log_loss_difference, auc_difference, brier_difference (see [`validation_tables`](super::super::validation_tables)) |
///
/// With a bootstrap each number of `agreement`, `predictions`, `differences`,
/// `errors` and `truth` that is estimated is followed by its `_standard_error`,
/// `_low` and `_high`: credits are those of each sample's models, predictions
/// stand as they are. A distance between models is never below 0, so its
/// samples lie above it where models agree.
///
/// Shares are of the conversions credited to channels. A channel without a row
/// in the truth is not known: it is left out of `errors` and `truth`, whose
/// shares are among the channels that are known. Give 0 for one that is known
/// to bring nothing.
///
/// With `lift_tests` each model is there as `calibrated(model)` too (see [`calibrate`](super::calibrate)),
/// but for `predictions`. Its ranks are those of joint samples of the tests' errors and the journeys.
///
/// Errors: [`Error::Column`] for a truth that knows one channel only, or none.
pub fn compare(
    journeys: &Journeys,
    truth: Option<&Columns>,
    lift_tests: Option<&Columns>,
    options: &CompareOptions,
    run: &Run,
) -> Result<Tables> {
    if options.models.len() < 2 && lift_tests.is_none() {
        return Err(Error::option("models", "name two or more to compare"));
    }
    if lift_tests.is_none() && options.calibration != CalibrateOptions::default() {
        return Err(Error::option("calibration", "goes with a frame `lift_tests`"));
    }
    if options.folds == 1 || options.folds > 1_000 {
        return Err(Error::option("folds", format!("must be 0 or 2 to 1000, not {}", options.folds)));
    }
    let spread =
        Spread { replicates: options.bootstrap, confidence: options.confidence, interval: options.interval };
    spread.check()?;
    let credit_options = AttributeOptions { models: options.models.clone(), ..AttributeOptions::default() };
    let found = attribute(journeys, &credit_options, run)?;
    let mut names = found.models().to_vec();
    let labels = journeys.channel_labels();
    let mut credits: Vec<Vec<f64>> =
        names.iter().map(|m| Ok(found.credits(m)?.iter().map(|c| c[0]).collect())).collect::<Result<_>>()?;
    let fitted = names.len();
    let mut calibrated = Vec::new();
    if let Some(tests) = lift_tests {
        let how = options.calibration.within(&options.models, options.bootstrap, options.confidence)?;
        for found in lifted(journeys, tests, &how, Period::default(), run)? {
            names.push(found.name);
            credits.push(found.credits[..labels.len()].iter().map(|c| c[0]).collect());
            calibrated.push(found.samples.into_iter().map(|[conversions, _]| conversions).collect());
        }
    }
    let known = truth.map(|frame| Truth::read(frame, &labels, options, run)).transpose()?;
    let of_credits = |credits: &[Vec<f64>]| {
        let mut tables = vec![("agreement", agreement(&names, credits))];
        tables.extend(known.iter().flat_map(|known| known.errors(&names, credits)));
        tables
    };
    let mut about = of_credits(&credits);
    let mut between = Vec::new();
    if options.bootstrap > 0 {
        let draws = Draws::new(journeys, &options.models, options.bootstrap, 0, run)?;
        let drawn = drawn(&draws, fitted, labels.len(), calibrated);
        between.push(("ranks", ranks(&names, &labels, &credits, &drawn, options.confidence)));
        let numbers = Numbers::by_table(about, &TOLD, options.bootstrap)?;
        let of_sample =
            |r: usize| -> Vec<Vec<f64>> { drawn.iter().map(|of| sample(of, labels.len(), r)).collect() };
        let samples: Vec<Vec<f64>> =
            (0..options.bootstrap).map(|r| numbers.of(&of_credits(&of_sample(r)))).collect();
        about = numbers.with_intervals(&samples, &spread, run)?;
    }
    if options.folds > 0 {
        between.extend(predictions(journeys, &names[..fitted], options, run)?);
    }
    // Agreement first, what there is of a truth last.
    about.splice(1..1, between);
    Ok(about)
}

/// What is known of the truth.
struct Truth {
    /// The channels, those of the journeys in their order first, with their codes.
    channels: Vec<(String, Option<usize>)>,
    shares: Vec<f64>,
}

impl Truth {
    fn read(frame: &Columns, labels: &[String], options: &CompareOptions, run: &Run) -> Result<Self> {
        let mut intake = Intake::new(frame, options.on_invalid, run);
        let channel = intake.names(&options.channel)?;
        let amount = intake.amounts(&options.truth, Sign::NonNegative)?;
        let kept = intake.finish()?;
        let (channel, amount) = (kept.names(channel), kept.values(amount));
        check_sum(&options.truth, amount.iter().copied())?;
        let mut wanted: BTreeMap<String, f64> = BTreeMap::new();
        for (row, amount) in amount.iter().enumerate() {
            *wanted.entry(channel.get(row).unwrap_or_default().into_owned()).or_default() += amount;
        }
        if wanted.len() < 2 {
            let reason = "names fewer than two channels: shares need two or more to tell anything";
            return Err(Error::column(options.channel.as_str(), reason));
        }
        if wanted.values().all(|amount| *amount == 0.0) {
            let reason = "is 0 for every channel, so there are no shares to compare with";
            return Err(Error::column(options.truth.as_str(), reason));
        }
        let touched = labels.iter().enumerate().filter(|(_, l)| wanted.contains_key(*l));
        let mut channels: Vec<(String, Option<usize>)> =
            touched.map(|(c, label)| (label.clone(), Some(c))).collect();
        channels.extend(wanted.keys().filter(|l| !labels.contains(l)).map(|l| (l.clone(), None)));
        let truth: Vec<f64> =
            channels.iter().map(|(label, _)| wanted.get(label).copied().unwrap_or_default()).collect();
        Ok(Self { channels, shares: shares(&truth) })
    }

    fn errors(&self, names: &[String], credits: &[Vec<f64>]) -> [(&'static str, Table); 2] {
        errors(names, &self.channels, credits, &self.shares)
    }
}

/// What is estimated of credits.
const TOLD: [Told; 3] = [
    Told {
        table: "agreement",
        keys: &["model", "other_model"],
        estimates: &[
            ("total_variation", Absent::Unknown),
            ("kendall", Absent::Unknown),
            ("spearman", Absent::Unknown),
        ],
    },
    Told {
        table: "errors",
        keys: &["model", "channel"],
        estimates: &[("share", Absent::Unknown), ("error", Absent::Unknown)],
    },
    Told {
        table: "truth",
        keys: &["model"],
        estimates: &[
            ("total_variation", Absent::Unknown),
            ("mean_absolute_error", Absent::Unknown),
            ("worst_error", Absent::Unknown),
            ("spearman", Absent::Unknown),
        ],
    },
];

/// The samples of each channel's credits, by model; those of calibrated models may be more.
fn drawn(
    draws: &Draws,
    fitted: usize,
    channels: usize,
    calibrated: Vec<Vec<Vec<f64>>>,
) -> Vec<Vec<Vec<f64>>> {
    let of_model = |m: usize| (0..channels).map(|c| draws.measure(m, c, Measure::Conversions)).collect();
    (0..fitted).map(of_model).chain(calibrated).collect()
}

/// The credits of channels in one sample. A channel that nothing is known of has no samples, and a credit of 0.
fn sample(drawn: &[Vec<f64>], channels: usize, r: usize) -> Vec<f64> {
    drawn.iter().take(channels).map(|draws| draws.get(r).copied().unwrap_or(0.0)).collect()
}

fn agreement(names: &[String], credits: &[Vec<f64>]) -> Table {
    let (mut model, mut other) = (Text::new(), Text::new());
    let (mut variation, mut tau, mut rho) = (Vec::new(), Vec::new(), Vec::new());
    for a in 0..names.len() {
        for b in a + 1..names.len() {
            model.push(&names[a]);
            other.push(&names[b]);
            variation.push(total_variation(&shares(&credits[a]), &shares(&credits[b])));
            tau.push(kendall(&credits[a], &credits[b]));
            rho.push(spearman(&credits[a], &credits[b]));
        }
    }
    Table::new()
        .with("model", Values::Text(model))
        .with("other_model", Values::Text(other))
        .with("total_variation", Values::F64(variation))
        .with_optional("kendall", tau)
        .with_optional("spearman", rho)
}

/// Half the sum of absolute differences.
pub(super) fn total_variation(a: &[f64], b: &[f64]) -> f64 {
    exact_sum(a.iter().zip(b).map(|(a, b)| (a - b).abs())) / 2.0
}

/// Ranks from 1 for the greatest; ties share the mean of theirs.
fn from_top(values: &[f64]) -> Vec<f64> {
    crate::math::ranks(&values.iter().map(|v| -v).collect::<Vec<f64>>())
}

fn ranks(
    names: &[String],
    labels: &[String],
    credits: &[Vec<f64>],
    drawn: &[Vec<Vec<f64>>],
    confidence: f64,
) -> Table {
    let (mut model, mut channel) = (Text::new(), Text::new());
    let (mut rank, mut low, mut high, mut same) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let tail = (1.0 - confidence) / 2.0;
    for (m, name) in names.iter().enumerate() {
        let estimate = from_top(&credits[m]);
        let count = drawn[m].iter().take(labels.len()).map(Vec::len).max().unwrap_or(0);
        let by_sample: Vec<Vec<f64>> =
            (0..count).map(|r| from_top(&sample(&drawn[m], labels.len(), r))).collect();
        for (c, label) in labels.iter().enumerate() {
            let mut mine: Vec<f64> = by_sample.iter().map(|r| r[c]).collect();
            let kept = mine.iter().filter(|r| **r == estimate[c]).count();
            mine.sort_unstable_by(f64::total_cmp);
            model.push(name);
            channel.push(label);
            rank.push(estimate[c]);
            low.push(quantile(&mine, tail));
            high.push(quantile(&mine, 1.0 - tail));
            same.push(kept as f64 / mine.len() as f64);
        }
    }
    Table::new()
        .with("model", Values::Text(model))
        .with("channel", Values::Text(channel))
        .with("rank", Values::F64(rank))
        .with("rank_low", Values::F64(low))
        .with("rank_high", Values::F64(high))
        .with("same_rank", Values::F64(same))
}

/// The models that predict, each journey by a fit without its customer, and
/// how they differ.
fn predictions(journeys: &Journeys, names: &[String], options: &CompareOptions, run: &Run) -> Result<Tables> {
    let (names, models): (Vec<&String>, Vec<Model>) =
        names.iter().zip(&options.models).filter(|(_, m)| m.predicts()).map(|(n, m)| (n, m.clone())).unzip();
    if models.is_empty() {
        return Ok(Vec::new());
    }
    let CompareOptions { folds, bootstrap, confidence, interval, .. } = *options;
    let options =
        ValidateOptions { models, folds, bootstrap, confidence, interval, ..ValidateOptions::default() };
    let mut found = validate(journeys, &options, run)?;
    for (of, name) in found.iter_mut().zip(names) {
        of.model.clone_from(name);
        of.samples.iter_mut().for_each(|sample| sample.model.clone_from(name));
    }
    let tables = validation_tables(&found, &options, run)?.into_iter();
    let named = |(name, table)| match name {
        "validation" => Some(("predictions", table)),
        "differences" => Some((name, table)),
        _ => None,
    };
    Ok(tables.filter_map(named).collect())
}

fn errors(
    names: &[String],
    known: &[(String, Option<usize>)],
    credits: &[Vec<f64>],
    truth: &[f64],
) -> [(&'static str, Table); 2] {
    let (mut model, mut channel, mut whole) = (Text::new(), Text::new(), Text::new());
    let (mut share, mut wanted, mut error) = (Vec::new(), Vec::new(), Vec::new());
    let (mut variation, mut mean, mut worst, mut rho) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, credit) in names.iter().zip(credits) {
        let mine: Vec<f64> = known.iter().map(|(_, c)| c.map_or(0.0, |c| credit[c])).collect();
        let mine = shares(&mine);
        for (c, (label, _)) in known.iter().enumerate() {
            model.push(name);
            channel.push(label);
            share.push(mine[c]);
            wanted.push(truth[c]);
            error.push(mine[c] - truth[c]);
        }
        whole.push(name);
        let apart: Vec<f64> = mine.iter().zip(truth).map(|(a, b)| (a - b).abs()).collect();
        variation.push(total_variation(&mine, truth));
        mean.push(exact_sum(apart.iter().copied()) / apart.len().max(1) as f64);
        worst.push(apart.iter().fold(0.0_f64, |a, b| a.max(*b)));
        rho.push(spearman(&mine, truth));
    }
    let by_channel = Table::new()
        .with("model", Values::Text(model))
        .with("channel", Values::Text(channel))
        .with("share", Values::F64(share))
        .with("true_share", Values::F64(wanted))
        .with("error", Values::F64(error));
    let by_model = Table::new()
        .with("model", Values::Text(whole))
        .with("channels", Values::I64(vec![known.len() as i64; names.len()]))
        .with("total_variation", Values::F64(variation))
        .with("mean_absolute_error", Values::F64(mean))
        .with("worst_error", Values::F64(worst))
        .with_optional("spearman", rho);
    [("errors", by_channel), ("truth", by_model)]
}
