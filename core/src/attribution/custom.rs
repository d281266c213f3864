//! Weights of one's own, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rules::normalise;
use crate::column::{Duration, Table, Values};
use crate::journey::{Journey, Journeys};
use crate::math::ExactSum;
use crate::run::Run;
use crate::{Error, Result};

/// The weight of touches up to an age.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgeWeight {
    /// The oldest age that has this weight, included.
    pub within: Duration,
    /// The weight.
    pub weight: f64,
}

/// A rule of one's own: each touch weighs the product of what its position,
/// its channel and its age weigh, and has its part of the journey's weights.
/// Where all touches of a journey weigh 0, all have the same.
///
/// ```
/// use headwater::attribution::{Model, score};
///
/// let model: Model = serde_json::from_str(
///     r#"{"model": "custom", "from_end": [3, 1], "channels": {"direct": 0.0}}"#).unwrap();
/// assert_eq!(score(&model, &["search", "email", "direct"], &[])?, [0.5, 0.5, 0.0]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Custom {
    /// What stands in the model's name where there are several. Default none.
    pub name: String,
    /// Weights of the first touch, the second and so on; the last one holds
    /// for all that follow. Default none: 1 each.
    pub from_start: Vec<f64>,
    /// Weights of the last touch, the one before and so on; the last one holds
    /// for all that are older. Default none: 1 each.
    pub from_end: Vec<f64>,
    /// Weights of channels. Default none.
    pub channels: BTreeMap<String, f64>,
    /// The weight of channels that are not named. Default 1.
    pub other_channels: f64,
    /// Weights by age at the journey's end, ages ascending. Default none: 1
    /// each, and no times are needed.
    pub ages: Vec<AgeWeight>,
    /// The weight of touches older than all `ages`. Default 0.
    pub older: f64,
}

impl Default for Custom {
    fn default() -> Self {
        Self {
            name: String::new(),
            from_start: Vec::new(),
            from_end: Vec::new(),
            channels: BTreeMap::new(),
            other_channels: 1.0,
            ages: Vec::new(),
            older: 0.0,
        }
    }
}

/// The greatest weight: the product of four is a number.
const MOST: f64 = 1e60;

impl Custom {
    pub(super) fn check(&self) -> Result<()> {
        let ages = self.ages.iter().map(|a| &a.weight);
        let all = [
            ("from_start", self.from_start.iter().collect::<Vec<_>>()),
            ("from_end", self.from_end.iter().collect()),
            ("channels", self.channels.values().collect()),
            ("other_channels", vec![&self.other_channels]),
            ("ages", ages.collect()),
            ("older", vec![&self.older]),
        ];
        for (name, weights) in all {
            if let Some(bad) = weights.into_iter().find(|w| !(0.0..=MOST).contains(*w)) {
                return Err(Error::option(name, format!("a weight is 0 to {MOST:e}, not {bad:e}")));
            }
        }
        if !self.ages.is_sorted_by(|a, b| a.within < b.within) {
            return Err(Error::option("ages", "must ascend, each `within` longer than the one before"));
        }
        Ok(())
    }
}

/// The weights, for journeys of some channels.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    from_start: Vec<f64>,
    from_end: Vec<f64>,
    channels: Vec<f64>,
    other: f64,
    ages: Vec<(i64, f64)>,
    older: f64,
}

impl Weights {
    pub(super) fn new(custom: &Custom, channels: &[String]) -> Self {
        let weight = |label: &String| custom.channels.get(label).copied().unwrap_or(custom.other_channels);
        Self {
            from_start: custom.from_start.clone(),
            from_end: custom.from_end.clone(),
            channels: channels.iter().map(weight).collect(),
            other: custom.other_channels,
            ages: custom.ages.iter().map(|a| (a.within.micros(), a.weight)).collect(),
            older: custom.older,
        }
    }

    /// Writes a journey's weights, not yet made to add up to 1.
    pub(super) fn write(&self, journey: &Journey<'_>, out: &mut Vec<f64>) {
        let n = journey.path.len();
        let placed = |weights: &[f64], at: usize| match weights {
            [] => 1.0,
            weights => weights[at.min(weights.len() - 1)],
        };
        out.clear();
        out.extend(journey.path.iter().enumerate().map(|(i, channel)| {
            let mut weight = placed(&self.from_start, i) * placed(&self.from_end, n - 1 - i);
            weight *= self.channels.get(*channel as usize).copied().unwrap_or(self.other);
            if !self.ages.is_empty() {
                let age = journey.times.get(i).map_or(0, |t| journey.end.saturating_sub(*t));
                let bucket = self.ages.partition_point(|(within, _)| *within < age);
                weight *= self.ages.get(bucket).map_or(self.older, |(_, w)| *w);
            }
            weight
        }));
    }
}

/// Credits by weights that the caller made: one for each row of
/// [`touch_credits`](super::touch_credits), that is for each touch of each
/// converting journey, in order. A touch has its part of its journey's
/// weights; where all are 0, all have the same.
///
/// Gives channel, conversions, value (missing where no value is known);
/// conversions without a touch are the row `(unattributed)`.
pub fn credits_by_weights(journeys: &Journeys, weights: &[f64], run: &Run) -> Result<Table> {
    let counted: Vec<usize> = (0..journeys.len())
        .filter(|j| journeys.conversions()[*j] != 0.0 || journeys.values()[*j] != 0.0)
        .collect();
    let touches: usize = counted.iter().map(|j| journeys.path(*j).len()).sum();
    if weights.len() != touches {
        return Err(Error::option(
            "weights",
            format!("converting journeys have {touches} touches, and there are {} weights", weights.len()),
        ));
    }
    if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return Err(Error::option(
            "weights",
            format!("a weight is 0 or more; that of touch {row} is {}", weights[row]),
        ));
    }
    let channels = journeys.channel_count();
    let mut sums = vec![[ExactSum::new(), ExactSum::new()]; channels];
    let (mut from, mut shares) = (0, Vec::new());
    for (at, j) in counted.iter().enumerate() {
        if at % 4096 == 0 {
            run.check()?;
        }
        let path = journeys.path(*j);
        let mine = &weights[from..from + path.len()];
        from += path.len();
        shares.clear();
        shares.extend_from_slice(mine);
        if mine.iter().any(|w| *w > 0.0) {
            normalise(&mut shares);
        } else {
            shares.fill(1.0 / path.len().max(1) as f64);
        }
        for (channel, share) in path.iter().zip(&shares) {
            let sum = &mut sums[*channel as usize];
            sum[0].add(share * journeys.conversions()[*j]);
            sum[1].add(share * journeys.values()[*j]);
        }
    }
    let lost = journeys.unattributed();
    let mut credits: Vec<[f64; 2]> = sums.iter().map(|s| [s[0].value(), s[1].value()]).collect();
    let mut labels = journeys.channel_labels();
    if lost.0 > 0.0 || lost.1 != 0.0 {
        labels.push(crate::journey::UNATTRIBUTED.to_owned());
        credits.push([lost.0, lost.1]);
    }
    Ok(Table::new()
        .with("channel", Values::Text(labels.iter().collect()))
        .with("conversions", Values::F64(credits.iter().map(|c| c[0]).collect()))
        .with_optional("value", credits.iter().map(|c| journeys.has_value().then_some(c[1]))))
}
