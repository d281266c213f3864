//! A new period against the old one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::Spread;
use super::calibrate::CalibrateOptions;
use super::compare::total_variation;
use super::difference::{Change, DifferenceMetric, Side, check_tested, has_shares, labels, periods, shares};
use super::interval::{Interval, adjusted};
use super::resample::{Sample, Unit, Weigh, sums};
use crate::attribution::Model;
use crate::column::{Columns, Table, Tables, Text, Values};
use crate::journey::{Journeys, UNATTRIBUTED};
use crate::math::{exact_sum, log2};
use crate::run::{Run, split_mix};
use crate::{Error, Result};

/// Options of [`drift`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftOptions {
    /// The models, one or more.
    pub models: Vec<Model>,
    /// What is watched, but for `roas` and `cpa`; values of periods of different length compare as
    /// shares alone.
    pub metric: DifferenceMetric,
    /// How many samples are drawn. Default 1,000.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
    /// The share of false alarms among the alerts that is accepted. Default 0.05.
    pub false_alarms: f64,
    /// The least change that is an alert, in the metric's unit. Default 0.
    pub least: f64,
    /// As in [`MoneyOptions::calibration`](super::MoneyOptions::calibration).
    pub calibration: CalibrateOptions,
}

impl Default for DriftOptions {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            metric: DifferenceMetric::default(),
            bootstrap: 1_000,
            confidence: 0.9,
            interval: Interval::default(),
            false_alarms: 0.05,
            least: 0.0,
            calibration: CalibrateOptions::default(),
        }
    }
}

/// Samples that the divergence by chance is taken from, at most.
const CHANCE: usize = 200;

/// Paths and transitions that are told apart; the rarer ones count as one.
const MOST: usize = 2_000;

/// What moved from the old period to the new one. Tables:
///
/// | table | one row | columns |
/// | --- | --- | --- |
/// | `drift` | a model and channel | model, channel, old, new, change (new − old), low, high, p, p_adjusted, moved (p_adjusted ≤ `false_alarms` and a change of at least `least`) |
/// | `distributions` | channels, transitions, paths | what, kinds (that are told apart), total_variation, jensen_shannon (in bits: 0 the same, 1 nothing in common), expected (by chance), p, drifted |
/// | `alerts` | an alert, the greatest change first | severity (the change against half its interval, or the divergence against chance), kind, model, channel, message |
///
/// Credits are compared by bootstrap ([`difference`](super::difference)), and
/// adjusted for their number (Benjamini & Hochberg 1995). Distributions are
/// compared by the Jensen–Shannon divergence: its p-value comes from (at most
/// 200) deals of all customers between the two periods. Beyond
/// 2,000 paths or transitions the rarest count as one.
///
/// With `lift_tests` of both periods each model is there as `calibrated(model)`
/// too, as in [`difference`](super::difference).
pub fn drift(
    new: &Journeys,
    old: &Journeys,
    lift_tests: Option<&Columns>,
    options: &DriftOptions,
    run: &Run,
) -> Result<Tables> {
    let spread =
        Spread { replicates: options.bootstrap, confidence: options.confidence, interval: options.interval };
    spread.check()?;
    if options.bootstrap == 0 {
        return Err(Error::option("bootstrap", "noise is measured by samples: 1000, for example"));
    }
    let sound =
        (0.0..1.0).contains(&options.false_alarms) && options.least.is_finite() && options.least >= 0.0;
    if !sound {
        return Err(Error::option("false_alarms", "is a share below 1, and `least` 0 or more"));
    }
    if options.metric.needs_spend() {
        return Err(Error::option("metric", "`roas` and `cpa` are compared by `difference`"));
    }
    if options.metric.needs_value() && !(new.has_value && old.has_value) {
        return Err(Error::option("metric", "these journeys know no value"));
    }
    check_tested(lift_tests, &options.calibration)?;
    for (side, which) in [(old, "the old"), (new, "the new")] {
        if side.is_empty() {
            return Err(Error::not_enough_data(format!(
                "{which} journeys are none: there is nothing to compare"
            )));
        }
        has_shares(side, which, options.metric)?;
    }
    let mut now = Side::new(new, &options.models, options.bootstrap, 0, run)?;
    let mut then = Side::new(old, &options.models, options.bootstrap, 1, run)?;
    if let Some(tests) = lift_tests {
        let how = options.calibration.within(&options.models, options.bootstrap, options.confidence)?;
        let [here, there] = periods(new, old)?;
        now.calibrate(new, tests, &how, here, run)?;
        then.calibrate(old, tests, &how, there, run)?;
    }
    let labels = labels(&now, &then);
    let mut rows = Vec::new();
    for (m, name) in now.models.iter().enumerate() {
        for label in &labels {
            let (a, b) = (now.place(label), then.place(label));
            let (x, y) = (now.samples(m, a, options.metric), then.samples(m, b, options.metric));
            let change = Change::new(
                (now.estimate(m, a, options.metric), &x),
                (then.estimate(m, b, options.metric), &y),
                &spread,
            );
            rows.push((name, label, change));
        }
    }
    let p: Vec<f64> = rows.iter().map(|r| r.2.p).collect();
    let q = adjusted(&p);
    let moved: Vec<bool> = rows
        .iter()
        .zip(&q)
        .map(|((.., c), q)| *q <= options.false_alarms && c.difference.abs() >= options.least && *q < 1.0)
        .collect();
    let numbers = |f: fn(&Change) -> f64| Values::F64(rows.iter().map(|r| f(&r.2)).collect());
    let table = Table::new()
        .with("model", Values::Text(rows.iter().map(|r| r.0).collect::<Text>()))
        .with("channel", Values::Text(rows.iter().map(|r| r.1).collect::<Text>()))
        .with("old", numbers(|c| c.estimates[1]))
        .with("new", numbers(|c| c.estimates[0]))
        .with("change", numbers(|c| c.difference))
        .with("low", numbers(|c| c.interval[0]))
        .with("high", numbers(|c| c.interval[1]))
        .with("p", Values::F64(p))
        .with("p_adjusted", Values::F64(q))
        .with("moved", Values::Bool(moved.clone()));

    let mut alerts = Alerts::default();
    for ((model, label, change), _) in rows.iter().zip(&moved).filter(|(_, moved)| **moved) {
        alerts.credit(model, label, change, options.metric);
    }
    let distributions = distributions(new, old, options, run)?;
    for d in distributions.iter().filter(|d| d.drifted(options)) {
        alerts.distribution(d);
    }
    Ok(vec![
        ("drift", table),
        ("distributions", distribution_table(&distributions, options)),
        ("alerts", alerts.table()),
    ])
}

#[derive(Default)]
struct Alerts {
    /// Severity, kind, model, channel, message.
    rows: Vec<(f64, &'static str, String, String, String)>,
}

impl Alerts {
    fn credit(&mut self, model: &str, label: &str, change: &Change, metric: DifferenceMetric) {
        let half = (change.interval[1] - change.interval[0]) / 2.0;
        let severity = if half > 0.0 { change.difference.abs() / half } else { 0.0 };
        let [new, old] = change.estimates;
        let verb = if change.difference > 0.0 { "rose" } else { "fell" };
        let message = match metric {
            DifferenceMetric::Share | DifferenceMetric::ValueShare => format!(
                "{label} {verb} from {:.1} % to {:.1} % of all credit by {model} ({:+.1} points, {:+.1} to {:+.1})",
                100.0 * old,
                100.0 * new,
                100.0 * change.difference,
                100.0 * change.interval[0],
                100.0 * change.interval[1]
            ),
            _ => format!(
                "{label} {verb} from {old:.1} to {new:.1} by {model} ({:+.1}, {:+.1} to {:+.1})",
                change.difference, change.interval[0], change.interval[1]
            ),
        };
        self.rows.push((severity, "credit", model.to_owned(), label.to_owned(), message));
    }

    fn distribution(&mut self, d: &Distribution) {
        let severity = if d.expected > 0.0 { d.divergence / d.expected } else { 0.0 };
        let message = format!(
            "the mix of {} changed: {:.1} % of it is elsewhere (p = {:.3})",
            d.what,
            100.0 * d.variation,
            d.p
        );
        self.rows.push((severity, d.what, String::new(), String::new(), message));
    }

    fn table(mut self) -> Table {
        self.rows.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, &a.2, &a.3).cmp(&(b.1, &b.2, &b.3))));
        let rows = &self.rows;
        Table::new()
            .with("severity", Values::F64(rows.iter().map(|r| r.0).collect()))
            .with("kind", Values::Text(rows.iter().map(|r| r.1).collect::<Text>()))
            .with("model", Values::Text(rows.iter().map(|r| &r.2).collect::<Text>()))
            .with("channel", Values::Text(rows.iter().map(|r| &r.3).collect::<Text>()))
            .with("message", Values::Text(rows.iter().map(|r| &r.4).collect::<Text>()))
    }
}

struct Distribution {
    what: &'static str,
    kinds: usize,
    variation: f64,
    divergence: f64,
    expected: f64,
    p: f64,
}

impl Distribution {
    fn drifted(&self, options: &DriftOptions) -> bool {
        self.p <= options.false_alarms
    }
}

fn distribution_table(rows: &[Distribution], options: &DriftOptions) -> Table {
    let numbers = |f: fn(&Distribution) -> f64| Values::F64(rows.iter().map(f).collect());
    Table::new()
        .with("what", Values::Text(rows.iter().map(|r| r.what).collect::<Text>()))
        .with("kinds", Values::I64(rows.iter().map(|r| r.kinds as i64).collect()))
        .with("total_variation", numbers(|r| r.variation))
        .with("jensen_shannon", numbers(|r| r.divergence))
        .with("expected", numbers(|r| r.expected))
        .with("p", numbers(|r| r.p))
        .with("drifted", Values::Bool(rows.iter().map(|r| r.drifted(options)).collect()))
}

/// What is counted of a journey: keys of channels, transitions and paths.
struct Book {
    /// Codes of one side's channels in both sides' labels.
    codes: Vec<u32>,
}

/// The ends of a path among the channels' codes.
const START: u64 = u32::MAX as u64;
const CONVERSION: u64 = START - 1;
const NULL: u64 = START - 2;

impl Book {
    fn count(&self, what: usize, path: &[u32], [yes, no]: [f64; 2], add: &mut dyn FnMut(u64, f64)) {
        let code = |c: &u32| u64::from(self.codes[*c as usize]);
        let all = yes + no;
        match what {
            0 => path.iter().for_each(|c| add(code(c), all)),
            1 => {
                let mut last = START;
                for c in path {
                    add(last << 32 | code(c), all);
                    last = code(c);
                }
                add(last << 32 | CONVERSION, yes);
                add(last << 32 | NULL, no);
            }
            _ => add(path.iter().fold(0, |key, c| split_mix(key ^ code(c))), all),
        }
    }
}

fn distributions(
    new: &Journeys,
    old: &Journeys,
    options: &DriftOptions,
    run: &Run,
) -> Result<Vec<Distribution>> {
    let samples = [Sample::new(new, 0, run)?, Sample::new(old, 1, run)?];
    let mut known: Vec<String> =
        samples.iter().flat_map(|s| s.journeys.channel_labels()).chain([UNATTRIBUTED.to_owned()]).collect();
    known.sort_unstable();
    known.dedup();
    let books: Vec<Book> = samples
        .iter()
        .map(|s| {
            let code = |l: &String| known.binary_search(l).unwrap_or_default() as u32;
            Book { codes: s.journeys.channel_labels().iter().map(code).collect() }
        })
        .collect();
    let mut out = Vec::new();
    for (what, name) in ["channels", "transitions", "paths"].into_iter().enumerate() {
        run.check()?;
        let mut totals: HashMap<u64, [f64; 2]> = HashMap::new();
        for (side, (sample, book)) in samples.iter().zip(&books).enumerate() {
            for j in 0..sample.journeys.len() {
                let counts = [sample.journeys.conversions()[j], sample.journeys.nulls()[j]];
                book.count(what, sample.journeys.path(j), counts, &mut |key, w| {
                    totals.entry(key).or_default()[side] += w;
                });
            }
        }
        let mut kinds: Vec<(u64, [f64; 2])> = totals.into_iter().filter(|(_, w)| w[0] + w[1] > 0.0).collect();
        kinds.sort_by(|a, b| (b.1[0] + b.1[1]).total_cmp(&(a.1[0] + a.1[1])).then(a.0.cmp(&b.0)));
        let columns = kinds.len().min(MOST);
        let mut seen = [vec![0.0; columns], vec![0.0; columns]];
        for (at, (_, w)) in kinds.iter().enumerate() {
            let at = at.min(columns.saturating_sub(1));
            seen[0][at] += w[0];
            seen[1][at] += w[1];
        }
        let whole: Vec<f64> = seen[0].iter().zip(&seen[1]).map(|(a, b)| a + b).collect();
        let place: HashMap<u64, u32> =
            kinds.iter().enumerate().map(|(at, (key, _))| (*key, at.min(columns - 1) as u32)).collect();
        let drawn = options.bootstrap.min(CHANCE);
        let chance = by_chance(&samples, &books, what, &place, &whole, drawn, run)?;
        let divergence = jensen_shannon(&seen[0], &seen[1]);
        let beyond = chance.iter().filter(|d| **d >= divergence).count() as f64;
        out.push(Distribution {
            what: name,
            kinds: columns,
            variation: total_variation(&shares(&seen[0]), &shares(&seen[1])),
            divergence,
            expected: exact_sum(chance.iter().copied()) / chance.len() as f64,
            p: (beyond + 1.0) / (chance.len() as f64 + 1.0),
        });
    }
    Ok(out)
}

/// Divergences where all customers are dealt anew between the two periods:
/// what is seen when nothing has changed. `whole` is what both hold together.
fn by_chance(
    samples: &[Sample<'_>; 2],
    books: &[Book],
    what: usize,
    place: &HashMap<u64, u32>,
    whole: &[f64],
    replicates: usize,
    run: &Run,
) -> Result<Vec<f64>> {
    let columns = whole.len();
    let size = |s: &Sample<'_>| exact_sum(s.units.iter().map(|u| u.mass));
    let share = size(&samples[0]) / (size(&samples[0]) + size(&samples[1]));
    let mut one = vec![0.0; columns * replicates];
    for (side, (sample, book)) in samples.iter().zip(books).enumerate() {
        // A customer in both periods is dealt twice, each time on its own.
        let key = |u: &Unit| split_mix(u.key ^ (side as u64 + 0x6472_6966));
        let units = sample.units.iter().map(|u| Unit { key: key(u), ..u.clone() }).collect();
        let dealt = Sample { journeys: std::borrow::Cow::Borrowed(&*sample.journeys), units };
        let emit = |unit: &Unit, (): &mut (), out: &mut Vec<(u32, f64)>| {
            for j in unit.journeys.start as usize..unit.journeys.end as usize {
                let [yes, no, _] = sample.counts(unit, j);
                book.count(what, sample.journeys.path(j), [yes, no], &mut |key, w| {
                    if let Some(at) = place.get(&key).filter(|_| w != 0.0) {
                        out.push((*at, w));
                    }
                });
            }
        };
        let found = sums(&dealt, columns, 0..replicates, Weigh::Split(share), || (), emit, run)?;
        for (sum, x) in one.iter_mut().zip(found) {
            *sum += x;
        }
    }
    Ok((0..replicates)
        .map(|r| {
            let new: Vec<f64> = (0..columns).map(|c| one[c * replicates + r]).collect();
            let old: Vec<f64> = whole.iter().zip(&new).map(|(all, x)| (all - x).max(0.0)).collect();
            jensen_shannon(&new, &old)
        })
        .collect())
}

/// The divergence of two counts as distributions, in bits; 0 where one is empty.
fn jensen_shannon(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (shares(a), shares(b));
    if a.iter().all(|x| *x == 0.0) || b.iter().all(|x| *x == 0.0) {
        return 0.0;
    }
    let part = |x: f64, m: f64| if x > 0.0 { x * log2(x / m) } else { 0.0 };
    let terms = a.iter().zip(&b).map(|(x, y)| {
        let m = f64::midpoint(*x, *y);
        f64::midpoint(part(*x, m), part(*y, m))
    });
    exact_sum(terms).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_divergence_is_between_0_and_1() {
        assert_eq!(jensen_shannon(&[2.0, 4.0], &[1.0, 2.0]), 0.0);
        assert_eq!(jensen_shannon(&[1.0, 0.0], &[0.0, 5.0]), 1.0);
        // By hand: 1/2 · log2(4/3) · … of (1/2, 1/2) and (1, 0).
        let by_hand = 0.25 * log2(2.0 / 3.0) + 0.25 * log2(2.0) + 0.5 * log2(4.0 / 3.0);
        assert!((jensen_shannon(&[1.0, 1.0], &[1.0, 0.0]) - by_hand).abs() < 1e-15);
    }
}
