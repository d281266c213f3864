//! Differences between models, and between periods, with intervals.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Draws, Measure, Spread};
use super::interval::{Interval, adjusted, p_value};
use crate::attribution::{AttributeOptions, Model, attribute};
use crate::column::{Table, Text, Values};
use crate::journey::{Journeys, UNATTRIBUTED};
use crate::math::exact_sum;
use crate::run::Run;
use crate::{Error, Result};

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceMetric {
    /// Shares of all conversions, those without a touch included. The default.
    #[default]
    Share,
    /// Conversions.
    Conversions,
    /// Value.
    Value,
    /// Shares of all value.
    ValueShare,
}

impl DifferenceMetric {
    fn measure(self) -> Measure {
        match self {
            Self::Share => Measure::Share,
            Self::Conversions => Measure::Conversions,
            Self::Value => Measure::Value,
            Self::ValueShare => Measure::ValueShare,
        }
    }

    pub(super) fn needs_value(self) -> bool {
        matches!(self, Self::Value | Self::ValueShare)
    }
}

/// Options of [`difference`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DifferenceOptions {
    /// The models: one or more for two periods, two or more for one.
    pub models: Vec<Model>,
    /// What is compared.
    pub metric: DifferenceMetric,
    /// How many samples are drawn. Default 1,000.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
}

impl Default for DifferenceOptions {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            metric: DifferenceMetric::default(),
            bootstrap: 1_000,
            confidence: 0.9,
            interval: Interval::default(),
        }
    }
}

/// The credits of one period: estimates and samples.
pub(super) struct Side {
    pub(super) models: Vec<String>,
    pub(super) labels: Vec<String>,
    credits: Vec<Vec<[f64; 2]>>,
    lost: [f64; 2],
    total: [f64; 2],
    draws: Draws,
}

impl Side {
    pub(super) fn new(
        journeys: &Journeys,
        models: &[Model],
        replicates: usize,
        period: u64,
        run: &Run,
    ) -> Result<Self> {
        let options = AttributeOptions { models: models.to_vec(), ..AttributeOptions::default() };
        let found = attribute(journeys, &options, run)?;
        let names = found.models().to_vec();
        let credits = names.iter().map(|m| Ok(found.credits(m)?.to_vec())).collect::<Result<_>>()?;
        let lost = journeys.unattributed();
        Ok(Self {
            models: names,
            labels: journeys.channel_labels(),
            credits,
            lost: [lost.0, lost.1],
            total: [journeys.total_conversions(), journeys.total_value()],
            draws: Draws::new(journeys, models, replicates, period, run)?,
        })
    }

    /// The place of a label; past the channels for conversions without a touch.
    pub(super) fn place(&self, label: &str) -> Option<usize> {
        if label == UNATTRIBUTED && !self.labels.iter().any(|l| l == label) {
            return Some(self.labels.len());
        }
        self.labels.iter().position(|l| l == label)
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost[0] > 0.0 || self.lost[1] != 0.0
    }

    pub(super) fn estimate(&self, model: usize, place: Option<usize>, metric: DifferenceMetric) -> f64 {
        let Some(place) = place else { return 0.0 };
        let credit = self.credits[model].get(place).copied().unwrap_or(self.lost);
        let share = |k: usize| if self.total[k] > 0.0 { credit[k] / self.total[k] } else { 0.0 };
        match metric {
            DifferenceMetric::Conversions => credit[0],
            DifferenceMetric::Value => credit[1],
            DifferenceMetric::Share => share(0),
            DifferenceMetric::ValueShare => share(1),
        }
    }

    pub(super) fn samples(&self, model: usize, place: Option<usize>, metric: DifferenceMetric) -> Vec<f64> {
        match place {
            Some(place) => self.draws.measure(model, place, metric.measure()),
            None => vec![0.0; self.draws.replicates],
        }
    }
}

/// A difference with its interval.
pub(super) struct Change {
    pub(super) estimates: [f64; 2],
    pub(super) difference: f64,
    pub(super) interval: [f64; 2],
    pub(super) p: f64,
}

impl Change {
    pub(super) fn new(a: (f64, &[f64]), b: (f64, &[f64]), spread: &Spread) -> Self {
        let draws: Vec<f64> = a.1.iter().zip(b.1).map(|(a, b)| a - b).collect();
        let difference = a.0 - b.0;
        Self {
            estimates: [a.0, b.0],
            difference,
            interval: spread.of(difference, &draws),
            p: p_value(&draws),
        }
    }
}

/// All labels of both sides in order, conversions without a touch last.
pub(super) fn labels(a: &Side, b: &Side) -> Vec<String> {
    let mut labels = a.labels.clone();
    labels.extend(b.labels.iter().filter(|l| !a.labels.contains(l)).cloned());
    if b.labels.iter().any(|l| !a.labels.contains(l)) {
        labels.sort_unstable();
    }
    if (a.has_lost() || b.has_lost()) && !labels.iter().any(|l| l == UNATTRIBUTED) {
        labels.push(UNATTRIBUTED.to_owned());
    }
    labels
}

/// What differs between models (without `other`: each pair of them), or
/// between these journeys and those of another period (each model).
///
/// One row a pair and channel: model, other_model, channel, credit,
/// other_credit, difference (credit − other_credit), low, high, p (of no
/// difference), p_adjusted (for all rows together, Benjamini & Hochberg 1995).
/// Both sides of a difference come from the same samples, so what they have in
/// common cancels; of two periods that holds for customers who are in both.
pub fn difference(
    journeys: &Journeys,
    other: Option<&Journeys>,
    options: &DifferenceOptions,
    run: &Run,
) -> Result<Table> {
    let spread =
        Spread { replicates: options.bootstrap, confidence: options.confidence, interval: options.interval };
    spread.check()?;
    if options.bootstrap == 0 {
        return Err(Error::option("bootstrap", "a difference needs samples: 1000, for example"));
    }
    if options.metric.needs_value() && !(journeys.has_value && other.is_none_or(|o| o.has_value)) {
        return Err(Error::option("metric", "these journeys know no value"));
    }
    let here = Side::new(journeys, &options.models, options.bootstrap, 0, run)?;
    let there = match other {
        Some(other) => Some(Side::new(other, &options.models, options.bootstrap, 1, run)?),
        None if here.models.len() < 2 => {
            return Err(Error::option("models", "name two or more, or give the journeys of another period"));
        }
        None => None,
    };
    let n = here.models.len();
    let pairs: Vec<(usize, usize)> = match there {
        Some(_) => (0..n).map(|m| (m, m)).collect(),
        None => (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect(),
    };
    let there = there.as_ref().unwrap_or(&here);
    let labels = labels(&here, there);
    let mut rows = Vec::with_capacity(pairs.len() * labels.len());
    for (a, b) in &pairs {
        for label in &labels {
            let (at, to) = (here.place(label), there.place(label));
            let draws = (here.samples(*a, at, options.metric), there.samples(*b, to, options.metric));
            let estimates = (here.estimate(*a, at, options.metric), there.estimate(*b, to, options.metric));
            rows.push(Change::new((estimates.0, &draws.0), (estimates.1, &draws.1), &spread));
        }
    }
    let names = |of: &Side, pick: fn(&(usize, usize)) -> usize| {
        let models =
            pairs.iter().flat_map(|p| std::iter::repeat_n(of.models[pick(p)].as_str(), labels.len()));
        Values::Text(models.collect::<Text>())
    };
    let channels: Text = pairs.iter().flat_map(|_| labels.iter()).collect();
    let numbers = |f: fn(&Change) -> f64| Values::F64(rows.iter().map(f).collect());
    let p: Vec<f64> = rows.iter().map(|r| r.p).collect();
    Ok(Table::new()
        .with("model", names(&here, |p| p.0))
        .with("other_model", names(there, |p| p.1))
        .with("channel", Values::Text(channels))
        .with("credit", numbers(|r| r.estimates[0]))
        .with("other_credit", numbers(|r| r.estimates[1]))
        .with("difference", numbers(|r| r.difference))
        .with("low", numbers(|r| r.interval[0]))
        .with("high", numbers(|r| r.interval[1]))
        .with("p_adjusted", Values::F64(adjusted(&p)))
        .with("p", Values::F64(p)))
}

/// Numbers as shares of their sum; 0 where that is not above 0.
pub(super) fn shares(numbers: &[f64]) -> Vec<f64> {
    let total = exact_sum(numbers.iter().copied());
    numbers.iter().map(|x| if total > 0.0 { x / total } else { 0.0 }).collect()
}
