//! The tables of a calibration.

use super::factors::{Calibrated, Pooled};
use super::{Base, CalibrateOptions, Test};
use crate::attribution::trust::interval::{deviation, shortest};
use crate::column::{Table, Tables, Text, Values};
use crate::journey::Journeys;
use crate::math::exact_sum;

pub(super) fn tables(
    journeys: &Journeys,
    tests: &[Test],
    bases: &[Base],
    report: &[Calibrated],
    unused: usize,
    options: &CalibrateOptions,
) -> Tables {
    let labels = journeys.channel_labels();
    let total = options.metric.total(journeys);
    let (mut model, mut channel, mut source) = (Text::new(), Text::new(), Text::new());
    let (mut before, mut factor, mut after) = (Vec::new(), Vec::new(), Vec::new());
    let (mut error, mut low, mut high, mut share) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut count = Vec::new();
    let (mut pool_model, mut pool_channel) = (Text::new(), Text::new());
    let mut pools: Vec<Pooled> = Vec::new();
    for (base, found) in bases.iter().zip(report) {
        let brought = exact_sum(found.credits.iter().copied());
        for c in 0..=labels.len() {
            model.push(&base.name);
            let mut sorted = found.samples[c].clone();
            // A channel that nothing is known of has no samples.
            let known = |x: f64| Some(x).filter(|_| !found.samples[c].is_empty());
            error.push(known(deviation(&sorted)));
            sorted.sort_unstable_by(f64::total_cmp);
            let [from, to] = shortest(&sorted, options.confidence);
            low.push(known(from));
            high.push(known(to));
            if let Some(label) = labels.get(c) {
                channel.push(label);
                before.push(base.credits[c]);
                factor.push(found.factors[c]);
                after.push(found.credits[c]);
                share.push((brought > 0.0).then(|| found.credits[c] / brought));
                source.push(found.sources[c].name());
                count.push(tests.iter().filter(|t| t.channel == c).count() as i64);
                if let Some(pooled) = found.pooled.get(c).copied().flatten() {
                    pool_model.push(&base.name);
                    pool_channel.push(label);
                    pools.push(pooled);
                }
            } else {
                channel.push("(baseline)");
                before.push(total + base.shared - exact_sum(base.credits.iter().copied()));
                factor.push(None);
                after.push(found.baseline);
                share.push(None);
                source.push("baseline");
                count.push(0);
            }
        }
    }
    let calibrated = Table::new()
        .with("model", Values::Text(model))
        .with("channel", Values::Text(channel))
        .with("uncalibrated", Values::F64(before))
        .with_optional("factor", factor)
        .with("calibrated", Values::F64(after))
        .with_optional("standard_error", error)
        .with_optional("low", low)
        .with_optional("high", high)
        .with_optional("share", share)
        .with("source", Values::Text(source))
        .with("tests", Values::I64(count));
    let each = || bases.iter().flat_map(|b| tests.iter().zip(&b.matched).map(move |(t, m)| (b, t, *m)));
    let ratio = |x: f64, m: f64| (m > 0.0).then(|| x / m);
    let time = |end: bool| {
        let at = |t: &Test| t.period.map(|p| if end { p.1 } else { p.0 });
        let valid = each().map(|(_, t, _)| t.period.is_some()).collect();
        (Values::Time(each().map(|(_, t, _)| at(t).unwrap_or(0)).collect()), Some(valid))
    };
    let ((starts, has_start), (ends, has_end)) = (time(false), time(true));
    let used = Table::new()
        .with("model", Values::Text(each().map(|(b, ..)| &b.name).collect::<Text>()))
        .with("channel", Values::Text(each().map(|(_, t, _)| &labels[t.channel]).collect::<Text>()))
        .push("start", starts, has_start)
        .push("end", ends, has_end)
        .with("effect", Values::F64(each().map(|(_, t, _)| t.effect).collect()))
        .with("standard_error", Values::F64(each().map(|(_, t, _)| t.error).collect()))
        .with("observed", Values::F64(each().map(|(_, t, _)| t.observed).collect()))
        .with("credited", Values::F64(each().map(|(.., m)| m).collect()))
        .with_optional("factor", each().map(|(_, t, m)| ratio(t.effect, m)))
        .with_optional("factor_standard_error", each().map(|(_, t, m)| ratio(t.error, m)));
    let numbers = |f: fn(&Pooled) -> f64| Values::F64(pools.iter().map(f).collect());
    let pooling = Table::new()
        .with("model", Values::Text(pool_model))
        .with("channel", Values::Text(pool_channel))
        .with("tests", Values::I64(pools.iter().map(|p| p.tests as i64).collect()))
        .with("factor", numbers(|p| p.factor))
        .with("factor_standard_error", numbers(|p| p.error))
        .with("q", numbers(|p| p.q))
        .with("between", numbers(|p| p.between));
    let centre = Table::new()
        .with("model", Values::Text(bases.iter().map(|b| &b.name).collect::<Text>()))
        .with_optional("mu", report.iter().map(|r| r.centre.map(|c| c[0])))
        .with_optional("tau", report.iter().map(|r| r.tau.or(r.centre.map(|c| c[1]))))
        .with_optional("no_effect", report.iter().map(|r| r.centre.map(|c| c[2])))
        .with("unused_tests", Values::I64(vec![unused as i64; bases.len()]));
    vec![("calibrated", calibrated), ("tests", used), ("pooling", pooling), ("centre", centre)]
}
