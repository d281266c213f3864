//! Calibrated credits, as other tables take them beside the models'.

use super::factors::Calibrated;
use super::{Base, CalibrateOptions, LiftMetric, Period, calibrated, no_test, read};
use crate::attribution::Model;
use crate::attribution::trust::interval::shortest;
use crate::column::{Columns, written};
use crate::journey::Journeys;
use crate::math::exact_sum;
use crate::run::Run;
use crate::{Error, Result};

/// A calibrated model. Channels in their order, then what none of them brought.
pub(in crate::attribution::trust) struct Lifted {
    /// `calibrated(markov)`.
    pub(in crate::attribution::trust) name: String,
    /// Conversions and value.
    pub(in crate::attribution::trust) credits: Vec<[f64; 2]>,
    /// Joint samples of the same; none of a channel that nothing is known of.
    pub(in crate::attribution::trust) samples: Vec<[Vec<f64>; 2]>,
}

impl Lifted {
    /// The intervals of a channel's conversions and value.
    pub(in crate::attribution::trust) fn bounds(
        &self,
        channel: usize,
        confidence: f64,
    ) -> Option<[[f64; 2]; 2]> {
        let both = self.samples.get(channel).filter(|s| !s[0].is_empty())?;
        Some(both.each_ref().map(|samples| {
            let mut sorted = samples.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            shortest(&sorted, confidence)
        }))
    }
}

impl CalibrateOptions {
    /// These options for a table whose own models, samples and confidence they are to take.
    pub(in crate::attribution::trust) fn within(
        &self,
        models: &[Model],
        bootstrap: usize,
        confidence: f64,
    ) -> Result<Self> {
        let default = Self::default();
        let own = [
            ("models", self.models != default.models),
            ("bootstrap", self.bootstrap != default.bootstrap),
            ("confidence", self.confidence != default.confidence),
            ("metric", self.metric != default.metric),
        ];
        if let Some((name, _)) = own.iter().find(|(_, given)| *given) {
            let reason = match *name {
                "metric" => "leave `metric` out: the tests tell of which they are".to_owned(),
                name => format!("leave `{name}` out: it is the table's own"),
            };
            return Err(Error::option("calibration", reason));
        }
        Ok(Self { models: models.to_vec(), bootstrap, confidence, ..self.clone() })
    }
}

/// The models calibrated: conversions by the tests of conversions, value by those
/// of value. Where there are tests of one alone, a channel's value for a
/// conversion stays as the model has it.
pub(in crate::attribution::trust) fn lifted(
    journeys: &Journeys,
    tests: &Columns,
    options: &CalibrateOptions,
    period: Period,
    run: &Run,
) -> Result<Vec<Lifted>> {
    if period.other.is_some() {
        let undated = [&options.start, &options.end].into_iter().find(|name| !tests.has(name));
        if let Some(name) = undated {
            let reason = "is not there: tests of two periods say from when to when they ran";
            return Err(Error::column(name.as_str(), reason));
        }
    }
    let by = |metric: LiftMetric| {
        let mut options = CalibrateOptions { metric, ..options.clone() };
        let (tests, _) = read(journeys, tests, &options, period.other, run)?;
        if metric == LiftMetric::Value {
            options.self_controlled = None;
        }
        if tests.is_empty() {
            Ok(None)
        } else {
            calibrated(journeys, &tests, &options, period, run).map(Some)
        }
    };
    let conversions = by(LiftMetric::Conversions)?;
    if conversions.is_none() && options.self_controlled.is_some() {
        let reason = "estimates conversions, of which there is no lift test: give one, or leave it out";
        return Err(Error::option("self_controlled", reason));
    }
    // Tests that do not say are of conversions.
    let said = tests.has(&options.metric_column);
    let value = if journeys.has_value() && said { by(LiftMetric::Value)? } else { None };
    let totals = [journeys.total_conversions(), journeys.total_value()];
    let none = || match journeys.observed().filter(|_| period.other.is_some()) {
        Some((from, to)) => Error::not_enough_data(format!(
            "no lift test ran in the period from {} to {}: calibrated credits of two periods need one in each",
            written(from),
            written(to)
        )),
        None => no_test(),
    };
    let main = conversions.as_ref().or(value.as_ref()).ok_or_else(none)?;
    let k = usize::from(conversions.is_none());
    let models = main.0.iter().zip(&main.1).enumerate();
    Ok(models
        .map(|(m, (base, found))| {
            let other = value.as_ref().filter(|_| k == 0).and_then(|(_, found)| found.get(m));
            both(base, found, other, k, totals)
        })
        .collect())
}

/// A model by what is known of metric `k`, and by `other` of the other one.
fn both(base: &Base, found: &Calibrated, other: Option<&Calibrated>, k: usize, totals: [f64; 2]) -> Lifted {
    let channels = found.credits.len();
    let (credits, samples) = if let Some(other) = other {
        let credits = [&found.credits, &other.credits].map(Clone::clone);
        (credits, [&found.samples, &other.samples].map(Clone::clone))
    } else {
        let (credits, samples) = at_rates(base, found, totals[1 - k] + shared(base, found));
        ([found.credits.clone(), credits], [found.samples.clone(), samples])
    };
    // The first of each pair is metric `k`.
    let at = |pair: [f64; 2]| if k == 0 { pair } else { [pair[1], pair[0]] };
    let brought = exact_sum(credits[1].iter().copied());
    let rest = at([found.baseline, totals[1 - k] + shared(base, found) - brought]);
    let mut each: Vec<[f64; 2]> = (0..channels).map(|c| at([credits[0][c], credits[1][c]])).collect();
    each.push(rest);
    let [first, second] = samples;
    let pairs = first.into_iter().zip(second);
    Lifted {
        name: format!("calibrated({})", base.name),
        credits: each,
        samples: pairs.map(|(a, b)| if k == 0 { [a, b] } else { [b, a] }).collect(),
    }
}

/// The other metric of what stands with two channels, at what all channels have for one of this one.
fn shared(base: &Base, found: &Calibrated) -> f64 {
    let brought = exact_sum(found.credits.iter().copied());
    let worth = exact_sum(found.credits.iter().zip(&base.rates).map(|(x, rate)| x * rate));
    if base.shared > 0.0 && brought > 0.0 { base.shared * worth / brought } else { 0.0 }
}

/// The other metric of a calibrated model and its samples, so much for one of this one.
fn at_rates(base: &Base, found: &Calibrated, total: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let scaled = |c: usize| {
        let rate = |r: usize| match &base.rate_draws {
            Some(draws) => draws[c][r % draws[c].len()],
            None => base.rates[c],
        };
        found.samples[c].iter().enumerate().map(|(r, x)| x * rate(r)).collect::<Vec<f64>>()
    };
    let mut samples: Vec<Vec<f64>> = (0..found.credits.len()).map(scaled).collect();
    let brought = |r: usize| samples.iter().filter_map(|s| s.get(r)).sum::<f64>();
    let rest = (0..found.samples.last().map_or(0, Vec::len)).map(|r| total - brought(r)).collect();
    samples.push(rest);
    (found.credits.iter().zip(&base.rates).map(|(x, rate)| x * rate).collect(), samples)
}
