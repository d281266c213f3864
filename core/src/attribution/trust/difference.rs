//! Differences between models, and between periods, with intervals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Draws, Measure, Spread};
use super::calibrate::{CalibrateOptions, Period, lifted};
use super::interval::{Interval, p_value};
use super::money::{MoneyOptions, spent};
use crate::attribution::{AttributeOptions, Model, attribute};
use crate::column::{Columns, OnInvalid, Table, Text, TimeUnit, Values};
use crate::journey::{Journeys, UNATTRIBUTED};
use crate::math::{benjamini_hochberg, exact_sum};
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
    /// Value over spend.
    Roas,
    /// Spend over conversions.
    Cpa,
}

impl DifferenceMetric {
    /// What is credited, beside spend or not.
    fn measure(self) -> Measure {
        match self {
            Self::Share => Measure::Share,
            Self::Conversions | Self::Cpa => Measure::Conversions,
            Self::Value | Self::Roas => Measure::Value,
            Self::ValueShare => Measure::ValueShare,
        }
    }

    pub(super) fn needs_value(self) -> bool {
        matches!(self, Self::Value | Self::ValueShare | Self::Roas)
    }

    pub(super) fn needs_spend(self) -> bool {
        matches!(self, Self::Roas | Self::Cpa)
    }

    /// The metric of a credit and what was spent on it; none where it has no meaning.
    fn with_spend(self, credit: f64, spend: f64) -> Option<f64> {
        let (part, whole) = match self {
            Self::Roas => (credit, spend),
            Self::Cpa => (spend, credit),
            _ => return Some(credit),
        };
        (whole > 0.0).then_some(part / whole)
    }
}

/// Options of [`difference`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DifferenceOptions {
    /// The models: one or more for two periods or with lift tests, two or more else.
    pub models: Vec<Model>,
    /// What is compared.
    pub metric: DifferenceMetric,
    /// How many samples are drawn. Default 1,000.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
    /// Column of spend: the channel. Default `"channel"`.
    pub channel: String,
    /// Column of spend: the day, where there is one. Default `"date"`.
    pub date: String,
    /// Column of spend: the amount. Default `"spend"`.
    pub spend: String,
    /// Rows of spend with nulls, NaN or negative amounts.
    pub on_invalid: OnInvalid,
    /// The unit of dates that are plain numbers.
    pub time_unit: Option<TimeUnit>,
    /// As in [`MoneyOptions::calibration`](super::MoneyOptions::calibration).
    pub calibration: CalibrateOptions,
}

impl Default for DifferenceOptions {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            metric: DifferenceMetric::default(),
            bootstrap: 1_000,
            confidence: 0.9,
            interval: Interval::default(),
            channel: "channel".into(),
            date: "date".into(),
            spend: "spend".into(),
            on_invalid: OnInvalid::default(),
            time_unit: None,
            calibration: CalibrateOptions::default(),
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

    /// Adds the same models calibrated by lift tests, whose samples go with those of the credits.
    pub(super) fn calibrate(
        &mut self,
        journeys: &Journeys,
        tests: &Columns,
        how: &CalibrateOptions,
        period: Period,
        run: &Run,
    ) -> Result<()> {
        for found in lifted(journeys, tests, how, period, run)? {
            self.draws.push(&found.samples);
            self.models.push(found.name);
            self.credits.push(found.credits);
        }
        Ok(())
    }

    /// The place of a label; past the channels for conversions without a touch.
    pub(super) fn place(&self, label: &str) -> Option<usize> {
        if label == UNATTRIBUTED && !self.labels.iter().any(|l| l == label) {
            return Some(self.labels.len());
        }
        self.labels.iter().position(|l| l == label)
    }

    fn is_channel(&self, label: &str) -> bool {
        self.labels.iter().any(|l| l == label)
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost[0] > 0.0 || self.lost[1] != 0.0
    }

    pub(super) fn estimate(&self, model: usize, place: Option<usize>, metric: DifferenceMetric) -> f64 {
        let Some(place) = place else { return 0.0 };
        let credit = self.credits[model].get(place).copied().unwrap_or(self.lost);
        let share = |k: usize| if self.total[k] > 0.0 { credit[k] / self.total[k] } else { 0.0 };
        match metric.measure() {
            Measure::Conversions => credit[0],
            Measure::Value => credit[1],
            Measure::Share => share(0),
            Measure::ValueShare => share(1),
        }
    }

    pub(super) fn samples(&self, model: usize, place: Option<usize>, metric: DifferenceMetric) -> Vec<f64> {
        match place {
            Some(place) => self.draws.measure(model, place, metric.measure()),
            None => vec![0.0; self.draws.replicates],
        }
    }
}

/// Whether there is something to have a share of, where shares are compared.
pub(super) fn has_shares(journeys: &Journeys, which: &str, metric: DifferenceMetric) -> Result<()> {
    let (what, total) = match metric.measure() {
        Measure::Share => ("conversion", journeys.total_conversions()),
        Measure::ValueShare => ("value above 0", journeys.total_value()),
        Measure::Conversions | Measure::Value => return Ok(()),
    };
    if total > 0.0 {
        return Ok(());
    }
    Err(Error::not_enough_data(format!(
        "{which} journeys have no {what}, so there are no shares to compare: take the metric `conversions`"
    )))
}

/// What two periods are to each other where lift tests tell of both.
pub(super) fn periods(here: &Journeys, there: &Journeys) -> Result<[Period; 2]> {
    if !(here.has_times() && there.has_times()) {
        let reason = "are of one period or the other by their times, and journeys from paths have none: leave them out";
        return Err(Error::option("lift_tests", reason));
    }
    let other = |journeys: &Journeys| Some(journeys.observed().unwrap_or_default());
    Ok([Period { number: 0, other: other(there) }, Period { number: 1, other: other(here) }])
}

/// An error for calibration without tests.
pub(super) fn check_tested(lift_tests: Option<&Columns>, calibration: &CalibrateOptions) -> Result<()> {
    if lift_tests.is_none() && *calibration != CalibrateOptions::default() {
        return Err(Error::option("calibration", "goes with a frame `lift_tests`"));
    }
    Ok(())
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

/// The metric of one model and channel, and its samples.
type Known = (f64, Vec<f64>);

/// Spend by channel; none of a metric that needs none.
type Spend = Option<BTreeMap<String, f64>>;

/// What was spent on the channels of one side.
fn spend_of(
    journeys: &Journeys,
    frame: Option<&Columns>,
    options: &DifferenceOptions,
    run: &Run,
) -> Result<Spend> {
    if !options.metric.needs_spend() {
        return Ok(None);
    }
    let columns = MoneyOptions {
        channel: options.channel.clone(),
        date: options.date.clone(),
        spend: options.spend.clone(),
        on_invalid: options.on_invalid,
        time_unit: options.time_unit,
        ..MoneyOptions::default()
    };
    let (spent, _) = spent(journeys, frame, &columns, run)?;
    Ok(Some(spent.into_iter().map(|((_, label), spend)| (label, spend)).collect()))
}

/// The metric of a channel and its samples; none where it has no meaning. A
/// sample in which it has none is infinite.
fn known(side: &Side, spend: &Spend, model: usize, label: &str, metric: DifferenceMetric) -> Option<Known> {
    let place = side.place(label);
    let (credit, mut draws) = (side.estimate(model, place, metric), side.samples(model, place, metric));
    let spend = match spend {
        Some(spend) => *spend.get(label)?,
        None => 0.0,
    };
    draws.iter_mut().for_each(|x| *x = metric.with_spend(*x, spend).unwrap_or(f64::INFINITY));
    metric.with_spend(credit, spend).map(|estimate| (estimate, draws))
}

/// What differs between models (without `other`: each pair of them), or
/// between these journeys and those of another period (each model).
///
/// One row a pair and channel: model, other_model, channel, credit,
/// other_credit, difference (credit − other_credit), low, high, p (of no
/// difference), p_adjusted (for all rows together, Benjamini & Hochberg 1995).
/// Both sides of a difference come from the same samples, so what they have in
/// common cancels; of two periods that holds for customers who are in both.
///
/// With [`DifferenceMetric::Roas`] and [`DifferenceMetric::Cpa`] the columns
/// hold these in place of credits. `spend` is the frame that
/// [`money`](super::money) takes, of which each side has what lies in its time;
/// without it the cost of the touches is the spend. Numbers are missing where
/// they have no meaning: without spend, at a cost of no conversions, and the
/// interval and p where that holds in some sample.
///
/// With `lift_tests` each model is there as `calibrated(model)` too (see [`calibrate`](super::calibrate)):
/// a sample of it is one of the tests' errors and of the journeys that the models' are of. In the row of
/// conversions without a touch it has what no channel brought. Of two periods each is calibrated by the
/// tests of which more ran in it than in the other (by their columns of start and end); the errors of
/// their tests are independent.
///
/// Errors: [`Error::Option`] without samples, models, or what the metric needs.
pub fn difference(
    journeys: &Journeys,
    other: Option<&Journeys>,
    spend: Option<&Columns>,
    lift_tests: Option<&Columns>,
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
    if spend.is_some() && !options.metric.needs_spend() {
        return Err(Error::option("spend", "goes with the metrics `roas` and `cpa`: leave it out"));
    }
    check_tested(lift_tests, &options.calibration)?;
    has_shares(journeys, "these", options.metric)?;
    other.map_or(Ok(()), |other| has_shares(other, "the other", options.metric))?;
    let money_here = spend_of(journeys, spend, options, run)?;
    let money_there = other.map(|other| spend_of(other, spend, options, run)).transpose()?;
    let sides = |other| lift_tests.map(|_| periods(journeys, other)).transpose();
    let [period, period_there] = other.map(sides).transpose()?.flatten().unwrap_or_default();
    let how = options.calibration.within(&options.models, options.bootstrap, options.confidence)?;
    let mut here = Side::new(journeys, &options.models, options.bootstrap, 0, run)?;
    if let Some(tests) = lift_tests {
        here.calibrate(journeys, tests, &how, period, run)?;
    }
    let there = match other {
        Some(other) => {
            let mut there = Side::new(other, &options.models, options.bootstrap, 1, run)?;
            if let Some(tests) = lift_tests {
                there.calibrate(other, tests, &how, period_there, run)?;
            }
            Some(there)
        }
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
    let money_there = money_there.as_ref().unwrap_or(&money_here);
    let mut labels = labels(&here, there);
    if options.metric.needs_spend() {
        labels.retain(|label| here.is_channel(label) || there.is_channel(label));
    }
    let mut rows = Vec::with_capacity(pairs.len() * labels.len());
    for (a, b) in &pairs {
        for label in &labels {
            let one = known(&here, &money_here, *a, label, options.metric);
            let two = known(there, money_there, *b, label, options.metric);
            let change = match (&one, &two) {
                (Some(one), Some(two)) => Some(Change::new((one.0, &one.1), (two.0, &two.1), &spread)),
                _ => None,
            };
            let is_sure = [&one, &two].iter().all(|of| of.iter().all(|k| k.1.iter().all(|x| x.is_finite())));
            rows.push((one.map(|k| k.0), two.map(|k| k.0), change, is_sure));
        }
    }
    let names = |of: &Side, pick: fn(&(usize, usize)) -> usize| {
        let models =
            pairs.iter().flat_map(|p| std::iter::repeat_n(of.models[pick(p)].as_str(), labels.len()));
        Values::Text(models.collect::<Text>())
    };
    let channels: Text = pairs.iter().flat_map(|_| labels.iter()).collect();
    let sure = |f: fn(&Change) -> f64| -> Vec<Option<f64>> {
        rows.iter().map(|(.., change, is_sure)| change.as_ref().filter(|_| *is_sure).map(f)).collect()
    };
    let p = sure(|c| c.p);
    Ok(Table::new()
        .with("model", names(&here, |p| p.0))
        .with("other_model", names(there, |p| p.1))
        .with("channel", Values::Text(channels))
        .with_optional("credit", rows.iter().map(|r| r.0))
        .with_optional("other_credit", rows.iter().map(|r| r.1))
        .with_optional("difference", rows.iter().map(|r| r.2.as_ref().map(|c| c.difference)))
        .with_optional("low", sure(|c| c.interval[0]))
        .with_optional("high", sure(|c| c.interval[1]))
        .with_optional("p_adjusted", benjamini_hochberg(&p))
        .with_optional("p", p))
}

/// Numbers as shares of their sum; 0 where that is not above 0.
pub(super) fn shares(numbers: &[f64]) -> Vec<f64> {
    let total = exact_sum(numbers.iter().copied());
    numbers.iter().map(|x| if total > 0.0 { x / total } else { 0.0 }).collect()
}
