//! The learned models against exact fractions, reference numbers, closed forms
//! and brute force.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::type_complexity)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use headwater::attribution::{
    AdditiveHazard, AdditiveHazardModel, AttributeOptions, Baseline, ChannelFeatures, Fitted, Given, Link,
    Logistic, LogisticCredit, Markov, Method, Model, PathCounterfactual, PathTransform, Scope,
    SegmentedOptions, ShaoLi, TimeToEvent, TimeToEventModel, ValidateOptions, attribute, folds, segmented,
    touch_credits, validate,
};
use headwater::column::{Columns, DAY, Data, Duration};
use headwater::journey::{
    Conversions, EventOptions, Journeys, Moment, Open, PathCounts, PathOptions, Policies, SharedTouch,
    Touches,
};
use headwater::math::{exp, ln, ln_1p};
use headwater::run::Run;
use headwater::{Error, Result};
use proptest::prelude::*;
use rand::Rng;

type Row<S> = (S, f64, f64, f64);
/// Touches (channel, day) and perhaps a conversion.
type User = (Vec<(u32, f64)>, Option<f64>);

const TOY: [Row<&str>; 5] = [
    ("A > B > C", 10.0, 20.0, 1000.0),
    ("A > B", 5.0, 45.0, 400.0),
    ("B > C", 8.0, 32.0, 960.0),
    ("C", 4.0, 36.0, 200.0),
    ("A > A > C", 3.0, 17.0, 330.0),
];

fn paths<S: AsRef<str>>(rows: &[Row<S>]) -> Journeys {
    let frame = Columns::new()
        .with("path", rows.iter().map(|r| r.0.as_ref().to_owned()).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>())
        .with("value", rows.iter().map(|r| r.3).collect::<Vec<_>>());
    let options =
        PathOptions { value: Some("value".into()), nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

/// Touches (channel, day) and perhaps a conversion of each customer; watched to `end`.
fn timed(users: &[(Vec<(u32, f64)>, Option<f64>)], end: f64) -> Journeys {
    timed_with(users, end, Open::Include)
}

fn timed_with(users: &[(Vec<(u32, f64)>, Option<f64>)], end: f64, open: Open) -> Journeys {
    let micros = |day: f64| (day * DAY as f64).round() as i64;
    let (mut who, mut when, mut what) = (Vec::new(), Vec::new(), Vec::new());
    let (mut buyer, mut bought) = (Vec::new(), Vec::new());
    for (user, (touches, conversion)) in users.iter().enumerate() {
        for (channel, day) in touches {
            who.push(user as u32);
            when.push(micros(*day));
            what.push(*channel);
        }
        if let Some(day) = conversion {
            buyer.push(user as u32);
            bought.push(micros(*day));
        }
    }
    let policies = Policies {
        lookback: Duration::from_days(100_000),
        observation_end: Some(micros(end)),
        shared_touch: SharedTouch::Reset,
        open,
        ..Policies::default()
    };
    let touches = Touches { customer: &who, time: &when, channel: &what, cost: None };
    let orders = Conversions { customer: &buyer, time: &bought, value: None };
    Journeys::build(&touches, &orders, &policies, &Run::new()).unwrap()
}

/// The same from frames, with customers and channels by name.
fn labelled(users: &[(Vec<(u32, f64)>, Option<f64>)], end: f64) -> Journeys {
    let (mut who, mut when, mut what) = (Vec::new(), Vec::new(), Vec::new());
    let (mut buyer, mut bought) = (Vec::new(), Vec::new());
    for (user, (touches, conversion)) in users.iter().enumerate() {
        for (channel, day) in touches {
            who.push(user.to_string());
            when.push(minute(*day));
            what.push(channel.to_string());
        }
        if let Some(day) = conversion {
            buyer.push(user.to_string());
            bought.push(minute(*day));
        }
    }
    let touches = Columns::new().with("customer", who).with("time", Data::times(when)).with("channel", what);
    let orders = Columns::new().with("customer", buyer).with("time", Data::times(bought));
    let options = EventOptions {
        lookback: Duration::from_days(100_000),
        observation_end: Some(Moment(minute(end))),
        shared_touch: SharedTouch::Reset,
        ..EventOptions::default()
    };
    Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap()
}

fn close(found: f64, exact: f64, tolerance: f64) -> bool {
    (found - exact).abs() <= tolerance * exact.abs().max(1.0)
}

fn credits(journeys: &Journeys, model: Model) -> Vec<[f64; 2]> {
    let name = model.name();
    let found =
        attribute(journeys, &AttributeOptions { models: vec![model], ..Default::default() }, &Run::new())
            .unwrap();
    found.credits(name).unwrap().to_vec()
}

fn counterfactual(transform: PathTransform) -> PathCounterfactual {
    PathCounterfactual { transform, ..PathCounterfactual::default() }
}

fn table(fitted: &Fitted, report: &str) -> headwater::column::Table {
    fitted.report(report, "{}", &Run::new()).unwrap().remove(0).1
}

fn fact(fitted: &Fitted, name: &str) -> f64 {
    let facts = table(fitted, "diagnostics");
    let at = (0..facts.rows()).find(|i| facts.text("name", *i).as_deref() == Some(name)).unwrap();
    facts.f64s("value").unwrap()[at]
}

fn sample() -> Vec<Row<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/paths.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let number = |record: &csv::StringRecord, i: usize| record[i].parse::<f64>().unwrap();
    let rows = reader.records().map(|r| r.unwrap());
    rows.map(|r| (r[0].to_owned(), number(&r, 1), number(&r, 3), number(&r, 2))).collect()
}

fn reference() -> serde_json::Value {
    serde_json::from_str(include_str!("oracles/attribution_learned.json")).unwrap()
}

// The counterfactual on observed paths.

#[test]
fn the_toy_gives_the_exact_fractions_of_the_counterfactual() {
    let j = paths(&TOY);
    let cases = [
        (PathTransform::Unique, [269. / 42., 139. / 14., 41. / 3.]),
        (PathTransform::Exposure, [749. / 132., 17. / 2., 2089. / 132.]),
    ];
    for (transform, exact) in cases {
        let found = credits(&j, Model::PathCounterfactual(counterfactual(transform)));
        for (f, e) in found.iter().zip(exact) {
            assert!(close(f[0], e, 1e-13), "{transform:?}: {found:?}");
        }
    }
    let fitted = Fitted::PathCounterfactual(Arc::new(
        counterfactual(PathTransform::Exposure).fit(&j, &Run::new()).unwrap(),
    ));
    // The run A A is one exposure, and its two touches share what it earns.
    let cases: [(&[&str], &[f64]); 4] = [
        (&["A", "B", "C"], &[8. / 33., 1. / 3., 14. / 33.]),
        (&["A", "A", "C"], &[1. / 8., 1. / 8., 3. / 4.]),
        (&["C"], &[1.0]),
        (&["C", "B", "new"], &[0.0, 0.0, 1.0]),
    ];
    for (path, exact) in cases {
        let found = fitted.credit(path, &[], None).unwrap();
        assert!(found.iter().zip(exact).all(|(f, e)| close(*f, *e, 1e-14)), "{path:?}: {found:?}");
    }
    assert_eq!(fitted.predict(&["A", "A", "B", "C"], &[], None).unwrap(), 1.0 / 3.0);
    assert!(
        close(fitted.predict(&["C", "A"], &[], None).unwrap(), 1.0 / 6.0, 1e-15),
        "unseen: the overall rate"
    );
}

#[test]
fn ten_thousand_paths_agree_with_the_reference() {
    let rows = sample();
    let (j, reference) = (paths(&rows), reference());
    let transforms = [
        (PathTransform::Unique, "unique"),
        (PathTransform::Exposure, "exposure"),
        (PathTransform::First, "first"),
        (PathTransform::Frequency, "frequency"),
    ];
    for (transform, name) in transforms {
        let model = Model::PathCounterfactual(counterfactual(transform));
        let fitted = Fitted::fit(&model, &j, &Run::new()).unwrap();
        let found = fitted.totals(&j, &Run::new()).unwrap();
        for (label, credit) in j.channel_labels().iter().zip(&found) {
            let exact = &reference["counterfactual"][name][label];
            for k in 0..2 {
                // The reference is printed with 10 digits.
                assert!(
                    close(credit[k], exact[k].as_f64().unwrap(), 2e-9),
                    "{name} {label}: {credit:?} {exact}"
                );
            }
        }
        let counts = &reference["distinct_and_fallback"][name];
        assert_eq!(fact(&fitted, "distinct_paths"), counts[0].as_f64().unwrap(), "{name}");
        assert!(close(fact(&fitted, "fallback"), counts[1].as_f64().unwrap(), 1e-12), "{name}");
    }
    let global = ShaoLi::default().fit(&j, &Run::new()).unwrap();
    let journey = credits(&j, Model::ShaoLi(ShaoLi { scope: Scope::Journey, ..ShaoLi::default() }));
    for (c, label) in j.channel_labels().iter().enumerate() {
        let exact = reference["shao_li_contribution"][label].as_f64().unwrap();
        assert!(close(global.contributions()[c], exact, 1e-13), "{label}");
        let exact = reference["shao_li_journey_shares"][label].as_f64().unwrap();
        assert!(close(journey[c][0] / 19785.0, exact, 1e-12), "{label}: {journey:?}");
    }
}

#[test]
fn smoothing_pulls_rates_to_the_overall_one() {
    let j = paths(&TOY);
    let model = PathCounterfactual { smoothing: Some(30.0), ..PathCounterfactual::default() };
    let fitted = Fitted::PathCounterfactual(Arc::new(model.fit(&j, &Run::new()).unwrap()));
    // A > B > C: (10 + 30 / 6) / (30 + 30).
    assert!(close(fitted.predict(&["A", "B", "C"], &[], None).unwrap(), 0.25, 1e-15));
    // Without A it is B > C, 13 / 70; without B A > C, 8 / 50; without C A > B, 10 / 80.
    let lost = [0.25 - 13. / 70., 0.25 - 8. / 50., 0.25 - 10. / 80.];
    let total: f64 = lost.iter().sum();
    let found = fitted.credit(&["A", "B", "C"], &[], None).unwrap();
    assert!(found.iter().zip(lost).all(|(f, l)| close(*f, l / total, 1e-14)), "{found:?}");
}

// Shao & Li.

#[test]
fn the_toy_gives_the_exact_fractions_of_shao_and_li() {
    let j = paths(&TOY);
    let model = ShaoLi::default().fit(&j, &Run::new()).unwrap();
    for (found, exact) in
        model.contributions().iter().zip([6607. / 62400., 49759. / 436800., 28943. / 218400.])
    {
        assert!(close(*found, exact, 1e-15));
    }
    // Each rate with 30 journeys more at the overall one.
    let smooth = ShaoLi { smoothing: Some(30.0), ..ShaoLi::default() }.fit(&j, &Run::new()).unwrap();
    let overall = 30.0 / 180.0;
    let rate = |y: f64, n: f64| (y + 30.0 * overall) / (n + 30.0);
    let [a, b, c] = [rate(18.0, 100.0), rate(23.0, 120.0), rate(25.0, 130.0)];
    let [ab, ac, bc] = [rate(15.0, 80.0), rate(13.0, 50.0), rate(18.0, 70.0)];
    let wanted = [
        a + 0.25 * (ab - a - b + ac - a - c),
        b + 0.25 * (ab - a - b + bc - b - c),
        c + 0.25 * (ac - a - c + bc - b - c),
    ];
    for (found, exact) in smooth.contributions().iter().zip(wanted) {
        assert!(close(*found, exact, 1e-15), "{found} {exact}");
    }
    // Of nothing but the overall rate all have the same.
    let all = ShaoLi { smoothing: Some(1e15), ..ShaoLi::default() };
    assert!(credits(&j, Model::ShaoLi(all)).iter().all(|f| close(f[0], 10.0, 1e-9)));
    let found = credits(&j, Model::ShaoLi(ShaoLi::default()));
    for (f, share) in found.iter().zip([46249. / 153894., 49759. / 153894., 28943. / 76947.]) {
        assert!(close(f[0], 30.0 * share, 1e-14), "{found:?}");
    }
}

// Logistic regression.

fn plain(penalty: f64) -> Logistic {
    Logistic { bags: 0, penalty: Some(penalty), ..Logistic::default() }
}

const THREE: [Row<&str>; 3] = [("a", 10.0, 90.0, 1.0), ("b", 30.0, 70.0, 2.0), ("a > b", 40.0, 60.0, 3.0)];

#[test]
fn a_saturated_regression_has_the_observed_log_odds() {
    let model = plain(0.0).fit(&paths(&THREE), &Run::new()).unwrap();
    let logit = |p: f64| ln(p / (1.0 - p));
    let exact = [logit(0.1) + logit(0.3) - logit(0.4), logit(0.4) - logit(0.3), logit(0.4) - logit(0.1)];
    let found = [model.intercept(), model.coefficients()[0], model.coefficients()[1]];
    assert!(found.iter().zip(exact).all(|(f, e)| close(*f, e, 1e-9)), "{found:?} {exact:?}");
    // Credit of a > b by counterfactual, the probability without each channel
    // being what the other alone has.
    let fitted = Fitted::Logistic(Arc::new(model));
    let credit = fitted.credit(&["a", "b"], &[], None).unwrap();
    let lost = [0.4 - 0.3, 0.4 - 0.1];
    assert!(close(credit[0], lost[0] / (lost[0] + lost[1]), 1e-8), "{credit:?}");
    let by_coefficient = Logistic { credit: LogisticCredit::Coefficient, ..plain(0.0) };
    let fitted = Fitted::fit(&Model::Logistic(by_coefficient), &paths(&THREE), &Run::new()).unwrap();
    let credit = fitted.credit(&["a", "b", "a"], &[], None).unwrap();
    assert!(close(credit[0], 0.5 * exact[1] / (exact[1] + exact[2]), 1e-8) && credit[0] == credit[2]);
}

#[test]
fn a_ridge_ends_where_the_gradient_of_the_penalised_likelihood_vanishes() {
    let rows = &sample()[..2_000];
    let j = paths(rows);
    let logistic = Logistic { non_negative: false, ..plain(7.0) };
    let model = logistic.fit(&j, &Run::new()).unwrap();
    let labels = j.channel_labels();
    let mut gradient = vec![0.0; labels.len() + 1];
    let mut value = 0.0;
    for (path, c, n, _) in rows {
        let has: Vec<usize> = labels
            .iter()
            .enumerate()
            .filter(|(_, l)| path.split(" > ").any(|p| p == *l))
            .map(|(i, _)| i)
            .collect();
        let eta = model.intercept() + has.iter().map(|i| model.coefficients()[*i]).sum::<f64>();
        let p = 1.0 / (1.0 + exp(-eta));
        value += c * ln(p) + n * ln_1p(-p);
        gradient[0] += c - (c + n) * p;
        has.iter().for_each(|i| gradient[i + 1] += c - (c + n) * p);
    }
    assert!(close(model.log_likelihood(), value, 1e-10), "{value}");
    assert!(gradient[0].abs() < 1e-4);
    for (g, beta) in gradient[1..].iter().zip(model.coefficients()) {
        assert!((g - 7.0 * beta).abs() < 1e-4, "{gradient:?}");
    }
}

#[test]
fn separation_without_a_penalty_is_an_error_and_with_one_is_not() {
    let rows = [("a", 0.0, 50.0, 0.0), ("b", 50.0, 0.0, 5.0), ("a > b", 20.0, 20.0, 2.0)];
    let free = Logistic { non_negative: false, ..plain(0.0) };
    let rows = [rows[0], rows[1], ("c", 3.0, 4.0, 1.0), ("c > b", 5.0, 0.0, 1.0)];
    let found = free.fit(&paths(&rows), &Run::new());
    assert!(matches!(found, Err(Error::NotConverged { .. })), "{found:?}");
    assert!(plain(1.0).fit(&paths(&rows), &Run::new()).is_ok());
}

#[test]
fn bags_average_to_the_whole_and_repeat_with_the_seed() {
    let j = paths(&sample());
    let all = Logistic { feature_share: 1.0, bags: 40, penalty: Some(1.0), ..Logistic::default() };
    let whole = plain(1.0).fit(&j, &Run::new()).unwrap();
    let bagged = all.fit(&j, &Run::new().threads(1)).unwrap();
    for (a, b) in whole.coefficients().iter().zip(bagged.coefficients()).take(10) {
        assert!((a - b).abs() < 0.12, "{:?} {:?}", whole.coefficients(), bagged.coefficients());
    }
    assert_eq!(bagged, all.fit(&j, &Run::new().threads(3)).unwrap());
    assert_ne!(bagged.coefficients(), all.fit(&j, &Run::new().seed(1)).unwrap().coefficients());
    // The intercept is fitted last, so predictions add up to what happened.
    let fitted = Fitted::fit(&Model::Logistic(Logistic::default()), &j, &Run::new()).unwrap();
    let predictor = fitted.predictor().unwrap();
    let predicted: f64 =
        (0..j.len()).map(|i| (j.conversions()[i] + j.nulls()[i]) * predictor.predict(&j.journey(i))).sum();
    assert!(close(predicted, 19785.0, 1e-6), "{predicted}");
    assert_eq!(table(&fitted, "penalties").rows(), 4);
    assert!(fact(&fitted, "out_of_bag_deviance") < fact(&fitted, "null_deviance"));
}

// Time to event.

fn spans(days: &[u32]) -> Vec<Duration> {
    days.iter().map(|d| Duration::from_days(*d)).collect()
}

fn minute(x: f64) -> i64 {
    (x * DAY as f64) as i64
}

/// Baseline rate 1, A doubles it, B adds half.
fn worked(baseline: Baseline) -> Fitted {
    let users = [(vec![(0, 0.0), (1, 1.0)], Some(2.0))];
    let spec = TimeToEvent { ages: spans(&[30]), baseline, ..TimeToEvent::default() };
    let model = spec.fit(&timed(&users, 10.0), &Run::new()).unwrap();
    let mut json = serde_json::to_value(&model).unwrap();
    json["intercept"] = 0.0.into();
    json["effects"] = vec![ln(2.0), ln(1.5)].into();
    let model: TimeToEventModel = serde_json::from_value(json).unwrap();
    assert_eq!(model.baseline_rate(), 1.0);
    Fitted::TimeToEvent(Arc::new(model))
}

#[test]
fn backward_elimination_gives_the_worked_example() {
    // Rates 1, 2, 3: a third each to the baseline, A and B.
    let times = [minute(0.0), minute(1.0), minute(1.5)];
    let end = Some(minute(2.0));
    let found = worked(Baseline::Exclude).credit(&["0", "1"], &times[..2], end).unwrap();
    assert!(close(found[0], 0.5, 1e-12) && close(found[1], 0.5, 1e-12), "{found:?}");
    let found = worked(Baseline::Share).credit(&["0", "new", "1"], &times, end).unwrap();
    for (f, e) in found.iter().zip([4. / 9., 1. / 9., 4. / 9.]) {
        assert!(close(*f, e, 1e-12), "{found:?}");
    }
    // Too old to matter: the same for all.
    let found = worked(Baseline::Exclude).credit(&["0", "1"], &times[..2], Some(minute(40.0))).unwrap();
    assert_eq!(found, [0.5, 0.5]);
}

#[test]
fn one_channel_has_the_rates_of_occurrence() {
    // 5 days each under the ad, then 10 days of the baseline at most.
    let users = [
        (vec![(0, 0.0)], Some(2.0)),
        (vec![(0, 1.0)], Some(4.0)),
        (vec![(0, 0.0)], Some(9.0)),
        (vec![(0, 0.0)], None),
        (vec![(0, 97.0)], None),
    ];
    let (under, without) = (2.0 + 3.0 + 5.0 + 5.0 + 3.0, 4.0 + 10.0);
    for link in [Link::Log, Link::Additive] {
        let spec = TimeToEvent {
            link,
            ages: spans(&[5]),
            horizon: Duration::from_days(15),
            penalty: Some(0.0),
            ..TimeToEvent::default()
        };
        let model = spec.fit(&timed(&users, 100.0), &Run::new()).unwrap();
        assert!(close(model.baseline_rate(), 1.0 / without, 1e-8), "{link:?} {}", model.baseline_rate());
        let effect = match link {
            Link::Log => ln(2.0 / under / (1.0 / without)),
            Link::Additive => 2.0 / under - 1.0 / without,
        };
        assert!(close(model.effects()[0], effect, 1e-8), "{link:?} {:?} {effect}", model.effects());
        let value = 2.0 * ln(2.0 / under) + ln(1.0 / without) - 3.0;
        assert!(close(model.log_likelihood(), value, 1e-12));
    }
}

/// The log-likelihood of a time-to-event model by the definition, on a grid of half days.
fn by_grid(
    users: &[(Vec<(u32, f64)>, Option<f64>)],
    end: f64,
    horizon: f64,
    rate: impl Fn(&[(u32, f64)]) -> f64,
) -> f64 {
    let mut value = 0.0;
    for (touches, conversion) in users {
        let last = touches.last().unwrap().1;
        let stop = conversion.unwrap_or((last + horizon).min(end));
        let aged = |at: f64, before: bool| -> Vec<(u32, f64)> {
            let there = |t: &&(u32, f64)| if before { t.1 <= at } else { t.1 < at };
            touches.iter().filter(there).map(|t| (t.0, at - t.1)).collect()
        };
        let mut at = touches[0].1;
        while at < stop - 1e-9 {
            value -= 0.5 * rate(&aged(at + 0.25, false));
            at += 0.5;
        }
        if conversion.is_some() {
            value += ln(rate(&aged(stop, true)));
        }
    }
    value
}

fn market(seed: u64, count: usize) -> Vec<(Vec<(u32, f64)>, Option<f64>)> {
    let mut rng = Run::new().seed(seed).rng(0);
    let mut below = |n: u64| rng.next_u64() % n;
    (0..count)
        .map(|_| {
            let mut touches: Vec<(u32, f64)> =
                (0..=below(4)).map(|_| (below(3) as u32, below(40) as f64 / 2.0)).collect();
            touches.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            let last = touches.last().unwrap().1;
            let conversion = (below(3) == 0).then(|| last + below(30) as f64 / 2.0);
            (touches, conversion)
        })
        .collect()
}

#[test]
fn the_likelihood_is_the_definitions_and_the_fit_is_its_maximum() {
    let users = market(5, 200);
    let j = timed(&users, 40.0);
    for link in [Link::Log, Link::Additive] {
        let spec = TimeToEvent {
            link,
            ages: spans(&[2, 6]),
            horizon: Duration::from_days(12),
            penalty: Some(0.5),
            non_negative: false,
            ..TimeToEvent::default()
        };
        let model = spec.fit(&j, &Run::new()).unwrap();
        let value = |shift: Option<(usize, f64)>| {
            let mut at: Vec<f64> = model.effects().to_vec();
            let mut base = if link == Link::Log { ln(model.baseline_rate()) } else { model.baseline_rate() };
            match shift {
                Some((0, h)) => base += h,
                Some((k, h)) => at[k - 1] += h,
                None => {}
            }
            let rate = |touches: &[(u32, f64)]| {
                let mut counts = [0_u32; 6];
                for (c, age) in touches {
                    if *age < 6.0 {
                        counts[2 * *c as usize + usize::from(*age >= 2.0)] += 1;
                    }
                }
                let eta = base + counts.iter().zip(&at).map(|(n, b)| f64::from((*n).min(5)) * b).sum::<f64>();
                if link == Link::Log { exp(eta) } else { eta }
            };
            let ridge: f64 = at.iter().map(|b| 0.25 * b * b).sum();
            (by_grid(&users, 40.0, 12.0, rate), ridge)
        };
        let (top, ridge) = value(None);
        assert!(close(model.log_likelihood(), top, 1e-10), "{link:?} {} {top}", model.log_likelihood());
        for k in 0..=6 {
            for h in [-1e-4, 1e-4] {
                let held = link == Link::Additive && k > 0 && model.effects()[k - 1] == 0.0 && h < 0.0;
                let (value, other) = value(Some((k, h)));
                assert!(held || value - other < top - ridge, "{link:?} {k} {h}");
            }
        }
    }
}

/// The log-likelihood of an additive hazard model by the definition, journey by journey.
fn by_journey(
    users: &[(Vec<(u32, f64)>, Option<f64>)],
    end: f64,
    horizon: f64,
    model: &AdditiveHazardModel,
) -> f64 {
    let of = |c: u32| (model.effects()[c as usize], model.decays()[c as usize]);
    let mut value = 0.0;
    for (touches, conversion) in users {
        let stop = conversion.unwrap_or((touches.last().unwrap().1 + horizon).min(end));
        value -= model.hazard() * (stop - touches[0].1);
        let mut rate = model.hazard();
        for (c, at) in touches {
            let ((b, w), age) = (of(*c), stop - at);
            value -= b * (1.0 - exp(-w * age));
            rate += b * w * exp(-w * age);
        }
        if conversion.is_some() {
            value += ln(rate);
        }
    }
    value
}

#[test]
fn journeys_that_may_still_convert_stay_at_risk() {
    // Observation ends before any open journey is over: all of them are censored.
    let users = market(13, 240);
    let j = timed_with(&users, 40.0, Open::Censored);
    let plain = timed(&users, 40.0);
    assert_eq!((j.total_nulls(), j.total_conversions(), j.len()), (0.0, plain.total_conversions(), 240));

    let spec = AdditiveHazard {
        baseline_hazard: true,
        horizon: Duration::from_days(12),
        ..AdditiveHazard::default()
    };
    let model = spec.fit(&j, &Run::new()).unwrap();
    let wanted = by_journey(&users, 40.0, 12.0, &model);
    assert!(close(model.log_likelihood(), wanted, 1e-10), "{} {wanted}", model.log_likelihood());
    assert_eq!(model, spec.fit(&plain, &Run::new()).unwrap());
    let spec = TimeToEvent { horizon: Duration::from_days(12), ..TimeToEvent::default() };
    assert_eq!(spec.fit(&j, &Run::new()).unwrap(), spec.fit(&plain, &Run::new()).unwrap());

    // They are drawn again and dealt into folds like all others.
    let models = vec![Model::TimeToEvent(spec)];
    let options = AttributeOptions { models, bootstrap: 5, ..AttributeOptions::default() };
    let credits = |j: &Journeys| attribute(j, &options, &Run::new().seed(3)).unwrap().table();
    let (found, wanted) = (credits(&j), credits(&plain));
    for name in ["conversions", "conversions_low", "conversions_high"] {
        for (f, w) in found.f64s(name).unwrap().iter().zip(wanted.f64s(name).unwrap()) {
            assert!(close(*f, *w, 1e-9), "{name} {f} {w}");
        }
    }
    let (mine, theirs) = (folds(&j, 4, &Run::new()).unwrap(), folds(&plain, 4, &Run::new()).unwrap());
    for fold in 0..4 {
        assert_eq!(mine.train(fold).len(), theirs.train(fold).len());
        assert_eq!(mine.test(fold).len(), theirs.test(fold).len());
    }
}

// Additive hazard.

/// The six users of the reference, moved so that all are watched to day 100.
fn six() -> Journeys {
    let open = |touches: &[(u32, f64)], length: f64| {
        (touches.iter().map(|(c, t)| (*c, t + 100.0 - length)).collect::<Vec<_>>(), None)
    };
    let users = [
        (vec![(0, 0.0), (1, 2.0)], Some(3.0)),
        open(&[(0, 0.0)], 5.0),
        (vec![(1, 0.0)], Some(1.0)),
        (vec![(0, 1.0)], Some(2.5)),
        open(&[(0, 0.0), (1, 1.0)], 6.0),
        (vec![(1, 0.0), (0, 3.0)], Some(4.0)),
    ];
    timed(&users, 100.0)
}

#[test]
fn em_without_priors_follows_the_reference_trace() {
    let spec = AdditiveHazard {
        effect: Some(0.5),
        delay: Duration::from_days(2),
        effect_prior: Some(0.0),
        decay_prior: Some(0.0),
        method: Method::Em,
        max_iterations: 1000,
        // The rises at steps 499 and 500 are 2.190e-9 and 2.145e-9.
        tolerance: 2.17e-9,
        ..AdditiveHazard::default()
    };
    let model = spec.fit(&six(), &Run::new()).unwrap();
    let trace = model.trace();
    assert_eq!(trace.len(), 501);
    for (step, exact) in [
        (0, -10.348311958538778),
        (1, -10.178935577653974),
        (2, -10.147976287030714),
        (10, -10.07312018996714),
        (500, -10.035721135663557),
    ] {
        assert!(close(trace[step][0], exact, 1e-12), "{step}: {} {exact}", trace[step][0]);
    }
    assert!(trace.windows(2).all(|w| w[1][1] >= w[0][1]), "the log-likelihood never falls");
    assert!(
        close(model.effects()[1], 2.027625629470597, 1e-7)
            && close(model.decays()[0], 0.28687179189118805, 1e-7)
    );
    let [a, b] = [model.credits()[0][0], model.credits()[1][0]];
    // Credits at the parameters after step 500; the reference took the responsibilities of that step.
    assert!(close(a, 1.7005840391563836, 1e-7) && close(b, 2.2994159608436164, 1e-7), "{a} {b}");
    assert!(close(a + b, 4.0, 1e-12));
}

#[test]
fn newton_ends_where_em_ends() {
    let both = [Method::Em, Method::Newton].map(|method| {
        let spec = AdditiveHazard {
            effect: Some(0.5),
            delay: Duration::from_days(2),
            baseline_hazard: true,
            method,
            max_iterations: if method == Method::Em { 200_000 } else { 100 },
            tolerance: if method == Method::Em { 1e-14 } else { 1e-10 },
            ..AdditiveHazard::default()
        };
        spec.fit(&timed(&market(9, 300), 30.0), &Run::new()).unwrap()
    });
    assert!(both[1].trace().last().unwrap()[1] >= both[0].trace().last().unwrap()[1] - 1e-9);
    for (a, b) in both[0].effects().iter().zip(both[1].effects()) {
        assert!(close(*a, *b, 1e-4), "{:?} {:?}", both[0].effects(), both[1].effects());
    }
    assert!(close(both[0].hazard(), both[1].hazard(), 1e-4));
}

#[test]
fn the_hazard_that_made_the_data_is_found_again() {
    let (b, w, mu): ([f64; 3], [f64; 3], f64) = ([0.15, 0.5, 0.05], [0.5, 0.15, 1.0], 0.004);
    let mut rng = Run::new().seed(11).rng(3);
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0;
    let mut users = Vec::new();
    for _ in 0..12_000 {
        let mut touches: Vec<(u32, f64)> =
            (0..=(uniform() * 4.0) as usize).map(|_| ((uniform() * 3.0) as u32, uniform() * 20.0)).collect();
        touches.sort_by(|x, y| x.1.total_cmp(&y.1));
        // The first of all the arrivals that touches and the baseline bring.
        let mut first = f64::INFINITY;
        for (c, t) in &touches {
            let c = *c as usize;
            let e = -ln(uniform()) / b[c];
            if e < 1.0 {
                first = first.min(t - ln_1p(-e) / w[c]);
            }
        }
        first = first.min(touches[0].1 - ln(uniform()) / mu);
        let stop = touches.last().unwrap().1 + 30.0;
        let touches: Vec<(u32, f64)> = touches.into_iter().filter(|t| t.1 <= first).collect();
        users.push((touches, (first < stop.min(60.0)).then_some(first)));
    }
    let spec = AdditiveHazard {
        baseline_hazard: true,
        horizon: Duration::from_days(30),
        ..AdditiveHazard::default()
    };
    let model = spec.fit(&timed(&users, 60.0), &Run::new()).unwrap();
    let errors = model.standard_errors();
    for c in 0..3 {
        let z = [
            ln(model.effects()[c] / b[c]) / errors[2 * c].unwrap(),
            ln(model.decays()[c] / w[c]) / errors[2 * c + 1].unwrap(),
        ];
        assert!(z.iter().all(|z| z.abs() < 3.0), "{c}: {z:?} {:?} {:?}", model.effects(), model.decays());
        assert!(errors[2 * c].unwrap() < 0.3);
    }
    let z = ln(model.hazard() / mu) / errors[6].unwrap();
    assert!(z.abs() < 3.0, "{z}");
}

// All of them.

fn learned() -> Vec<Model> {
    vec![
        Model::PathCounterfactual(PathCounterfactual::default()),
        Model::Logistic(Logistic { bags: 3, ..Logistic::default() }),
        Model::ShaoLi(ShaoLi::default()),
        Model::TimeToEvent(TimeToEvent::default()),
        Model::AdditiveHazard(AdditiveHazard::default()),
    ]
}

fn of_paths() -> Vec<Model> {
    learned()
        .into_iter()
        .take(3)
        .chain([Model::ShaoLi(ShaoLi { scope: Scope::Journey, ..ShaoLi::default() })])
        .collect()
}

/// One journey by its labels is predicted as in `validate`; and with time, what
/// a touch adds goes away.
#[test]
fn a_journey_is_predicted_as_in_validation() {
    let j = timed(&market(3, 400), 40.0);
    let labels = j.channel_labels();
    let markov = Model::Markov(Markov { order: 2, ..Markov::default() });
    for model in learned().into_iter().chain([markov]).filter(Model::predicts) {
        let fitted = Fitted::fit(&model, &j, &Run::new()).unwrap();
        let predictor = fitted.predictor().unwrap();
        for i in (0..j.len()).filter(|i| !j.path(*i).is_empty()).take(200) {
            let path: Vec<&str> = j.path(i).iter().map(|c| labels[*c as usize].as_str()).collect();
            let p = fitted.predict(&path, j.touch_times(i), None).unwrap();
            assert_eq!(p.to_bits(), predictor.predict(&j.journey(i)).to_bits(), "{}", model.name());
        }
        let at = |path: &[&str], end: i64| fitted.predict(path, &vec![0; path.len()], Some(end)).unwrap();
        let far = 1_000 * DAY;
        match model {
            Model::TimeToEvent(_) | Model::AdditiveHazard(_) => {
                assert!(at(&["0"], 0) > at(&["0"], far), "{}", model.name());
                assert!(close(at(&["0", "1"], far), at(&["elsewhere"], far), 1e-12), "{}", model.name());
            }
            _ => assert_eq!(at(&["0"], 0), at(&["0"], far), "{}", model.name()),
        }
        assert!(matches!(fitted.predict::<&str>(&[], &[], None), Err(Error::Option { .. })));
        assert!(matches!(fitted.predict(&["0"], &[5], Some(4)), Err(Error::Option { .. })));
    }
    for rule in [Model::Linear, Model::TimeDecay { half_life: Duration::from_days(7) }] {
        let error = Fitted::rule(&rule).unwrap().predict(&["0"], &[], None).unwrap_err();
        assert!(error.to_string().contains("predicts nothing"), "{error}");
    }
}

#[test]
fn models_save_load_and_credit_alike() {
    let j = timed(&market(3, 400), 40.0);
    for model in learned() {
        let fitted = Fitted::fit(&model, &j, &Run::new()).unwrap();
        let bytes = fitted.to_bytes().unwrap();
        let back = Fitted::from_bytes(&bytes).unwrap().unwrap();
        assert_eq!(back.to_bytes().unwrap(), bytes);
        assert_eq!(back.model(), model);
        let times = [0, minute(1.0), minute(1.5), minute(4.0)];
        let path = ["2", "0", "2", "elsewhere"];
        let (a, b) = (fitted.credit(&path, &times, None).unwrap(), back.credit(&path, &times, None).unwrap());
        assert_eq!(a, b);
        assert!(close(a.iter().sum(), 1.0, 1e-12), "{}: {a:?}", model.name());
        if model.predicts() {
            let p = fitted.predict(&path, &times, None).unwrap();
            assert!((0.0..=1.0).contains(&p) && p == back.predict(&path, &times, None).unwrap());
        } else {
            let refused = fitted.predict(&path, &times, None).unwrap_err();
            assert!(refused.to_string().contains("predicts nothing"), "{refused}");
        }
        assert_eq!(fitted.kind().unwrap().split('.').next(), Some("attribution"));
        assert!(fitted.report("nothing", "{}", &Run::new()).is_err());
        let half = &bytes[..bytes.len() / 2];
        assert!(Fitted::from_bytes(half).is_err());
        let touches = touch_credits(&j, &model, &Run::new()).unwrap();
        let total: f64 = touches.f64s("conversions").unwrap().iter().sum();
        assert!(close(total, j.total_conversions(), 1e-9), "{}", model.name());
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_any_order_of_rows() {
    let rows = sample();
    let backwards: Vec<_> = rows.iter().rev().map(|r| (r.0.as_str(), r.1, r.2, r.3)).collect();
    let (j, k) = (paths(&rows), paths(&backwards));
    for model in of_paths().into_iter().chain(regularised(None).into_iter().take(2)) {
        let fit = |j: &Journeys, n: usize| {
            Fitted::fit(&model, j, &Run::new().threads(n)).unwrap().to_bytes().unwrap()
        };
        let one = fit(&j, 1);
        assert_eq!(one, fit(&j, 3), "{}", model.name());
        assert_eq!(one, fit(&k, 1), "{}", model.name());
        let merged =
            [&rows[..3_000], &rows[3_000..]].map(|part| PathCounts::of(&paths(part), &Run::new()).unwrap());
        let merged = Journeys::from_counts(&merged[0].merge(&merged[1], &Run::new()).unwrap());
        let [a, b] = [&j, &merged].map(|j| Fitted::fit(&model, j, &Run::new()).unwrap());
        let totals = |f: &Fitted, j: &Journeys| f.totals(j, &Run::new()).unwrap();
        for (x, y) in totals(&a, &j).iter().zip(totals(&b, &merged)) {
            assert!(close(x[0], y[0], 1e-12), "{}", model.name());
        }
    }
    let users = market(4, 500);
    let turned: Vec<_> = users.iter().rev().cloned().collect();
    let given =
        [Model::TimeToEvent(TimeToEvent::default()), Model::AdditiveHazard(AdditiveHazard::default())];
    for model in given.into_iter().chain(regularised(None).into_iter().skip(2)) {
        let fit = |users: &[(Vec<(u32, f64)>, Option<f64>)], n: usize| {
            Fitted::fit(&model, &timed(users, 40.0), &Run::new().threads(n)).unwrap().to_bytes().unwrap()
        };
        assert_eq!(fit(&users, 1), fit(&users, 3));
        // Folds belong to customers, which have other codes when they are turned.
        let given = match &model {
            Model::TimeToEvent(model) => model.penalty.is_some(),
            Model::AdditiveHazard(model) => model.effect_prior.is_some(),
            _ => false,
        };
        if given {
            assert_eq!(fit(&users, 1), fit(&turned, 1), "{}", model.name());
        }
    }
}

#[test]
fn journeys_from_which_nothing_can_be_learned_are_errors() {
    let none = paths(&[("a", 0.0, 5.0, 0.0), ("b", 0.0, 1.0, 0.0)]);
    let all = paths(&[("a", 3.0, 0.0, 1.0), ("a > b", 2.0, 0.0, 1.0)]);
    for model in of_paths() {
        for j in [&none, &all] {
            let found = Fitted::fit(&model, j, &Run::new());
            assert!(matches!(found, Err(Error::NotEnoughData { .. })), "{} {found:?}", model.name());
        }
    }
    for model in
        [Model::TimeToEvent(TimeToEvent::default()), Model::AdditiveHazard(AdditiveHazard::default())]
    {
        let found = Fitted::fit(&model, &all, &Run::new());
        assert!(matches!(&found, Err(Error::Option { option, .. }) if option == model.name()), "{found:?}");
        let idle = timed(&[(vec![(0, 1.0)], None)], 9.0);
        assert!(matches!(Fitted::fit(&model, &idle, &Run::new()), Err(Error::NotEnoughData { .. })));
        // Every conversion at the instant of its touch: no time passes.
        let instant = timed(&[(vec![(0, 1.0)], Some(1.0)), (vec![(1, 1.0)], Some(1.0))], 9.0);
        assert!(matches!(Fitted::fit(&model, &instant, &Run::new()), Err(Error::NotEnoughData { .. })));
        // All converted, but in time: there is something to learn.
        let users = [(vec![(0, 1.0)], Some(2.0)), (vec![(0, 1.0), (1, 2.0)], Some(3.0))];
        assert!(Fitted::fit(&model, &timed(&users, 9.0), &Run::new()).is_ok());
    }
    let bad: [Model; 12] = [
        Model::PathCounterfactual(PathCounterfactual {
            smoothing: Some(-1.0),
            ..PathCounterfactual::default()
        }),
        Model::Logistic(Logistic { penalty: Some(f64::NAN), ..Logistic::default() }),
        Model::Logistic(Logistic { sample_share: 0.0, ..Logistic::default() }),
        Model::Logistic(Logistic { folds: 1, ..Logistic::default() }),
        Model::Logistic(Logistic { penalties: vec![], ..Logistic::default() }),
        Model::TimeToEvent(TimeToEvent { ages: vec![], ..TimeToEvent::default() }),
        Model::TimeToEvent(TimeToEvent { ages: spans(&[7, 1]), ..TimeToEvent::default() }),
        Model::AdditiveHazard(AdditiveHazard { effect: Some(0.0), ..AdditiveHazard::default() }),
        Model::AdditiveHazard(AdditiveHazard { tolerance: 0.0, ..AdditiveHazard::default() }),
        Model::AdditiveHazard(AdditiveHazard { decay_prior: Some(-1.0), ..AdditiveHazard::default() }),
        Model::TimeToEvent(TimeToEvent { penalty: None, penalties: vec![], ..TimeToEvent::default() }),
        Model::TimeToEvent(TimeToEvent { folds: 1, ..TimeToEvent::default() }),
    ];
    for model in bad {
        assert!(matches!(Fitted::fit(&model, &all, &Run::new()), Err(Error::Option { .. })), "{model:?}");
    }
}

// Penalties chosen on customers held out.

const TRIED: [f64; 3] = [0.5, 5.0, 50.0];

/// Each penalty-choosing model twice: with this penalty, or with those to choose from.
fn regularised(penalty: Option<f64>) -> Vec<Model> {
    let (penalties, folds) = (TRIED.to_vec(), 3);
    let horizon = Duration::from_days(12);
    vec![
        Model::PathCounterfactual(PathCounterfactual {
            smoothing: penalty,
            penalties: penalties.clone(),
            folds,
            ..PathCounterfactual::default()
        }),
        Model::Logistic(Logistic {
            penalty,
            penalties: penalties.clone(),
            folds,
            bags: 0,
            ..Logistic::default()
        }),
        Model::TimeToEvent(TimeToEvent {
            penalty,
            penalties: penalties.clone(),
            folds,
            ages: spans(&[5]),
            horizon,
            ..TimeToEvent::default()
        }),
        Model::AdditiveHazard(AdditiveHazard {
            effect_prior: penalty,
            decay_prior: penalty,
            penalties: penalties.clone(),
            folds,
            baseline_hazard: true,
            horizon,
            ..AdditiveHazard::default()
        }),
        Model::ShaoLi(ShaoLi { smoothing: penalty, penalties, folds, ..ShaoLi::default() }),
    ]
}

/// What channels and pairs of channels (a channel with itself: the channel) count for.
fn by_channels(users: &[User]) -> BTreeMap<[u32; 2], [f64; 2]> {
    let mut out: BTreeMap<[u32; 2], [f64; 2]> = BTreeMap::new();
    for (touches, conversion) in users {
        let set: BTreeSet<u32> = touches.iter().map(|t| t.0).collect();
        for a in &set {
            for b in set.range(a..) {
                let counts = out.entry([*a, *b]).or_default();
                counts[0] += f64::from(u8::from(conversion.is_some()));
                counts[1] += 1.0;
            }
        }
    }
    out
}

/// The log-likelihood of customers by a fitted model, by its definition.
fn of_held_out(fitted: &Fitted, train: &[User], users: &[User]) -> f64 {
    match fitted {
        Fitted::ShaoLi(model) => {
            let known = by_channels(train);
            let sold = train.iter().filter(|user| user.1.is_some()).count();
            let (overall, s) = (sold as f64 / train.len() as f64, model.smoothing());
            let one = |(key, [y, n]): (&[u32; 2], &[f64; 2])| {
                let [a, b] = known.get(key).copied().unwrap_or_default();
                let p = (a + s * overall) / (b + s);
                y * ln(p) + (n - y) * ln_1p(-p)
            };
            by_channels(users).iter().map(one).sum()
        }
        Fitted::AdditiveHazard(model) => by_journey(users, 40.0, 12.0, model),
        Fitted::TimeToEvent(model) => by_grid(users, 40.0, 12.0, |touches| {
            let mut counts = [0_u32; 3];
            touches.iter().filter(|t| t.1 < 5.0).for_each(|t| counts[t.0 as usize] += 1);
            let eta: f64 = counts.iter().zip(model.effects()).map(|(n, b)| f64::from((*n).min(5)) * b).sum();
            model.baseline_rate() * exp(eta)
        }),
        other => users
            .iter()
            .map(|(touches, conversion)| {
                let path: Vec<String> = touches.iter().map(|t| t.0.to_string()).collect();
                let p = other.predict(&path, &[], None).unwrap();
                if conversion.is_some() { ln(p) } else { ln_1p(-p) }
            })
            .sum(),
    }
}

#[test]
fn a_penalty_is_chosen_by_the_likelihood_of_customers_held_out() {
    let users = market(21, 300);
    let run = Run::new().seed(6);
    let j = timed(&users, 40.0);
    let dealt = folds(&j, 3, &run).unwrap();
    let mut chosen = Vec::new();
    for (at, model) in regularised(None).iter().enumerate() {
        let fitted = Fitted::fit(model, &j, &run).unwrap();
        let tried = table(&fitted, "penalties");
        assert_eq!(tried.f64s("penalty").unwrap(), TRIED);
        let scores = tried.f64s("held_out_log_likelihood").unwrap();
        for (penalty, score) in TRIED.iter().zip(scores) {
            let mut sum = 0.0;
            for fold in 0..3 {
                let given = &regularised(Some(*penalty))[at];
                let trained = Fitted::fit(given, &dealt.train(fold), &run).unwrap();
                let test = dealt.test(fold);
                let who: Vec<usize> = (0..test.len()).map(|i| test.customer(i).unwrap() as usize).collect();
                let held: Vec<User> = who.iter().map(|i| users[*i].clone()).collect();
                let rest = (0..users.len()).filter(|i| !who.contains(i));
                let rest: Vec<User> = rest.map(|i| users[i].clone()).collect();
                sum += of_held_out(&trained, &rest, &held);
            }
            assert!(close(*score, sum / 300.0, 1e-8), "{} {penalty}: {score} {}", model.name(), sum / 300.0);
        }
        let best = (0..3).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        assert_eq!(fact(&fitted, "held_out_log_likelihood"), scores[best]);
        // What follows is the model with that penalty given.
        let given = Fitted::fit(&regularised(Some(TRIED[best]))[at], &j, &run).unwrap();
        assert_eq!(fitted.totals(&j, &run).unwrap(), given.totals(&j, &run).unwrap());
        assert_eq!(table(&given, "penalties").rows(), 0);
        let again = Fitted::from_bytes(&fitted.to_bytes().unwrap()).unwrap().unwrap();
        assert_eq!(table(&again, "penalties"), tried);
        chosen.push(best);
    }
    assert!(chosen.iter().any(|best| *best != chosen[0]), "{chosen:?}: the models differ in what they need");
}

#[test]
fn of_two_priors_the_one_that_is_given_stays() {
    let j = timed(&market(21, 300), 40.0);
    let spec = |decay_prior| AdditiveHazard {
        effect_prior: Some(2.0),
        decay_prior,
        penalties: vec![0.5, 50.0],
        folds: 3,
        ..AdditiveHazard::default()
    };
    let chosen = spec(None).fit(&j, &Run::new()).unwrap();
    let [effect, decay] = chosen.priors();
    assert!(effect == 2.0 && (decay == 0.5 || decay == 50.0), "{effect} {decay}");
    assert_eq!(chosen.effects(), spec(Some(decay)).fit(&j, &Run::new()).unwrap().effects());
}

#[test]
fn a_fold_with_all_conversions_is_an_error() {
    let mut users: Vec<User> = (0..30).map(|i| (vec![(0, f64::from(i % 5))], None)).collect();
    users[3].1 = Some(9.0);
    let j = timed(&users, 40.0);
    for model in regularised(None) {
        let found = Fitted::fit(&model, &j, &Run::new());
        assert!(
            matches!(&found, Err(Error::NotEnoughData { .. }))
                && found.as_ref().unwrap_err().to_string().contains("folds"),
            "{} {found:?}",
            model.name()
        );
    }
}

#[test]
fn one_channel_has_it_all_and_two_hundred_are_not_too_many() {
    let one = paths(&[("only", 3.0, 9.0, 6.0), ("only > only", 1.0, 4.0, 2.0)]);
    for model in of_paths() {
        assert!(close(credits(&one, model.clone())[0][0], 4.0, 1e-12), "{}", model.name());
    }
    let mut rng = Run::new().rng(1);
    let mut below = |n: u64| rng.next_u64() % n;
    let users: Vec<_> = (0..1_500)
        .map(|_| {
            let mut touches: Vec<(u32, f64)> =
                (0..=below(5)).map(|_| (below(200) as u32, below(20) as f64)).collect();
            touches.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            let last = touches.last().unwrap().1;
            (touches, (below(3) == 0).then(|| last + 1.0 + below(8) as f64))
        })
        .collect();
    let j = timed(&users, 40.0);
    assert_eq!(j.channel_count(), 200);
    for model in learned() {
        let total: f64 = credits(&j, model.clone()).iter().map(|c| c[0]).sum();
        assert!(close(total, j.total_conversions(), 1e-9), "{}", model.name());
    }
}

#[test]
fn models_named_twice_show_what_differs() {
    let models = vec![
        Model::PathCounterfactual(counterfactual(PathTransform::First)),
        Model::PathCounterfactual(PathCounterfactual {
            smoothing: Some(2.0),
            ..PathCounterfactual::default()
        }),
        "path_counterfactual".parse().unwrap(),
    ];
    let found =
        attribute(&paths(&TOY), &AttributeOptions { models, ..Default::default() }, &Run::new()).unwrap();
    let names =
        ["path_counterfactual(transform=first)", "path_counterfactual(smoothing=2.0)", "path_counterfactual"];
    assert_eq!(found.models(), names);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Credits add up; other labels permute them; a weight is as many rows.
    #[test]
    fn credits_add_up_permute_and_collapse(
        rows in proptest::collection::vec(
            (proptest::collection::vec(0_usize..4, 1..6), 0_u8..4, 0_u8..4), 4..20
        )
    ) {
        let written = |names: [&str; 4], repeat: bool| {
            let mut out = Vec::new();
            for (path, c, n) in &rows {
                let text = path.iter().map(|p| names[*p]).collect::<Vec<_>>().join(" > ");
                let (c, n) = (f64::from(*c), f64::from(*n));
                if repeat && c + n > 0.0 {
                    (0..c as usize).for_each(|_| out.push((text.clone(), 1.0, 0.0, 2.0)));
                    (0..n as usize).for_each(|_| out.push((text.clone(), 0.0, 1.0, 0.0)));
                } else {
                    out.push((text, c, n, 2.0 * c));
                }
            }
            paths(&out)
        };
        let (c, n): (u32, u32) = rows.iter().fold((0, 0), |s, r| (s.0 + u32::from(r.1), s.1 + u32::from(r.2)));
        prop_assume!(c > 0 && n > 0);
        let j = written(["a", "b", "c", "d"], false);
        let turned = written(["d", "c", "b", "a"], false);
        let repeated = written(["a", "b", "c", "d"], true);
        for model in of_paths() {
            // Bags and folds belong to paths, so other labels draw others.
            let model = match model {
                Model::Logistic(_) => Model::Logistic(plain(1.0)),
                other => other,
            };
            let found = credits(&j, model.clone());
            let total: f64 = found.iter().map(|f| f[0]).sum();
            prop_assert!(close(total, f64::from(c), 1e-9), "{} {found:?}", model.name());
            prop_assert!(found.iter().all(|f| f[0] >= 0.0));
            let labels = (j.channel_labels(), turned.channel_labels());
            let other = credits(&turned, model.clone());
            for (label, credit) in labels.0.iter().zip(&found) {
                let twin = char::from(b'a' + b'd' - label.as_bytes()[0]).to_string();
                let at = labels.1.iter().position(|l| *l == twin).unwrap();
                prop_assert!(close(credit[0], other[at][0], 1e-7), "{} {found:?} {other:?}", model.name());
            }
            if repeated.channel_count() == j.channel_count() {
                let other = credits(&repeated, model.clone());
                for (a, b) in found.iter().zip(&other) {
                    prop_assert!(close(a[0], b[0], 1e-12) && close(a[1], b[1], 1e-12), "{}", model.name());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// `t` is wherever `a` is, as often and for as much: bags draw one without the other.
    #[test]
    fn bags_tell_no_channels_apart_that_the_data_do_not(
        rows in proptest::collection::vec(
            (proptest::collection::vec(0_usize..4, 1..5), 1_u8..6, 1_u8..6), 3..9
        ),
        counts in any::<bool>(),
        seed in 0_u64..1_000,
    ) {
        let mut all: Vec<Row<String>> = vec![("b > a > t > c".to_owned(), 2.0, 3.0, 5.0)];
        for (path, c, n) in &rows {
            for first in ["a", "t"] {
                let names = [first, "b", "c", "d"];
                let text = path.iter().map(|i| names[*i]).collect::<Vec<_>>().join(" > ");
                all.push((text, f64::from(*c), f64::from(*n), f64::from(*c)));
            }
        }
        let j = paths(&all);
        let labels = j.channel_labels();
        let at = |label: &str| labels.iter().position(|c| c == label).unwrap();
        let (a, t) = (at("a"), at("t"));
        for bags in [0, 3] {
            let features = if counts { ChannelFeatures::Counts } else { ChannelFeatures::Presence };
            let logistic = Logistic { features, bags, penalty: Some(1.0), ..Logistic::default() };
            let run = Run::new().seed(seed);
            let model = logistic.fit(&j, &run).unwrap();
            prop_assert_eq!(model.coefficients()[a], model.coefficients()[t]);
            let spread = model.table();
            let spread = spread.f64s("spread").unwrap();
            prop_assert_eq!(spread[a].to_bits(), spread[t].to_bits());
            let found = Fitted::Logistic(Arc::new(model)).totals(&j, &run).unwrap();
            prop_assert_eq!(found[a], found[t]);
        }
    }
}

// Held-out scores.

#[test]
fn folds_take_customers_whole_and_paths_apart() {
    let j = timed(&market(8, 300), 40.0);
    let parts = folds(&j, 4, &Run::new()).unwrap();
    let mut seen = vec![0.0; j.len()];
    let mut home = std::collections::HashMap::new();
    for fold in 0..parts.len() {
        let [c, n] = parts.weights(fold);
        assert!(c.iter().chain(&n).sum::<f64>() > 30.0, "folds are about as large");
        for i in 0..j.len() {
            seen[i] += c[i] + n[i];
            if c[i] + n[i] > 0.0 {
                assert_eq!(*home.entry(j.customer(i)).or_insert(fold), fold);
            }
        }
        assert_eq!(parts.train(fold).len() + parts.test(fold).len(), j.len());
    }
    assert!(seen.iter().all(|s| *s == 1.0));

    let rows = sample();
    let parts = folds(&paths(&rows), 5, &Run::new()).unwrap();
    let backwards: Vec<_> = rows.iter().rev().map(|r| (r.0.as_str(), r.1, r.2, r.3)).collect();
    let again = folds(&paths(&backwards), 5, &Run::new().threads(1)).unwrap();
    let mut all = [0.0; 2];
    for fold in 0..5 {
        let [c, n] = parts.weights(fold);
        assert_eq!([c.clone(), n.clone()], again.weights(fold));
        all[0] += c.iter().sum::<f64>();
        all[1] += n.iter().sum::<f64>();
        // A fifth of 19,785, to five standard deviations.
        assert!((c.iter().sum::<f64>() - 3957.0).abs() < 5.0 * 56.3);
    }
    assert_eq!(all, [19785.0, 68602.0]);
    assert_ne!(parts.weights(0), folds(&paths(&rows), 5, &Run::new().seed(2)).unwrap().weights(0));
    assert!(folds(&j, 1, &Run::new()).is_err());
}

#[test]
fn held_out_scores_are_those_of_the_definition() {
    let j = timed(&market(6, 400), 40.0);
    let model: Model = "markov".parse().unwrap();
    let options =
        ValidateOptions { models: vec![model.clone()], folds: 3, bins: 5, ..ValidateOptions::default() };
    let found = &validate(&j, &options, &Run::new()).unwrap()[0];
    let parts = folds(&j, 3, &Run::new()).unwrap();
    let mut rows = Vec::new();
    for fold in 0..3 {
        let (train, test) = (parts.train(fold), parts.test(fold));
        for i in 0..test.len() {
            // Of the training journeys with the same last channel, those that convert.
            let last = test.path(i).last().unwrap();
            let like: Vec<usize> = (0..train.len()).filter(|k| train.path(*k).last() == Some(last)).collect();
            let c: f64 = like.iter().map(|k| train.conversions()[*k]).sum();
            rows.push((c / like.len() as f64, test.conversions()[i] > 0.0));
        }
    }
    let n = rows.len() as f64;
    let loss: f64 = rows.iter().map(|(p, y)| -if *y { ln(*p) } else { ln_1p(-p) }).sum::<f64>() / n;
    assert!(close(found.log_loss, loss, 1e-12), "{} {loss}", found.log_loss);
    let (mut wins, mut pairs) = (0.0, 0.0);
    for (p, _) in rows.iter().filter(|r| r.1) {
        for (q, _) in rows.iter().filter(|r| !r.1) {
            pairs += 1.0;
            wins += if p > q {
                1.0
            } else if p == q {
                0.5
            } else {
                0.0
            };
        }
    }
    assert!(close(found.auc, wins / pairs, 1e-12));
    let binned: f64 = found.calibration.iter().map(|b| b[0]).sum();
    assert_eq!((binned, found.journeys), (n, n));
    let observed: f64 = found.calibration.iter().map(|b| b[0] * b[2]).sum();
    assert!(close(observed, found.conversions, 1e-12));
    let rules = ValidateOptions { models: vec![Model::Linear], ..ValidateOptions::default() };
    assert!(matches!(validate(&j, &rules, &Run::new()), Err(Error::Option { .. })));
}

#[test]
fn a_model_that_knows_the_market_beats_the_rate_out_of_sample() {
    // Channel 1 converts ten times as often as channel 0, and soon.
    let mut rng = Run::new().seed(2).rng(9);
    let mut below = |n: u64| rng.next_u64() % n;
    let users: Vec<_> = (0..3_000)
        .map(|_| {
            let c = below(2) as u32;
            let chance = if c == 1 { 40 } else { 4 };
            let at = below(200) as f64 / 10.0;
            (vec![(c, at)], (below(100) < chance).then(|| at + (1 + below(40)) as f64 / 10.0))
        })
        .collect();
    let j = timed(&users, 60.0);
    let models: Vec<Model> =
        learned().into_iter().filter(Model::predicts).chain(["markov".parse().unwrap()]).collect();
    let found = validate(&j, &ValidateOptions { models, ..ValidateOptions::default() }, &Run::new()).unwrap();
    assert_eq!(found.len(), 5);
    for v in &found {
        assert!(v.auc > 0.7 && v.log_loss < v.null_log_loss - 0.05, "{v:?}");
        assert!(v.calibration.iter().all(|b| (b[1] - b[2]).abs() < 0.08), "{v:?}");
    }
}

// Segments.

fn frame(of: impl Fn(usize) -> &'static str, count: usize) -> Columns {
    Columns::new()
        .with("customer", (0..count).map(|i| i.to_string()).collect::<Vec<_>>())
        .with("segment", (0..count).map(of).collect::<Vec<_>>())
}

#[test]
fn segments_are_shrunk_to_the_whole() {
    let users = market(12, 900);
    let j = labelled(&users, 60.0);
    let run = Run::new();
    for model in learned().into_iter().chain(["markov".parse().unwrap()]) {
        let options =
            SegmentedOptions { model: model.clone(), customers: true, ..SegmentedOptions::default() };
        let by =
            |frame: &Columns, options: &SegmentedOptions| segmented(&j, Some(frame), options, &run).unwrap();
        let whole = credits(&j, model.clone());
        let sums = |found: &headwater::attribution::Segmented| {
            let table = found.credits();
            let mut sums = vec![0.0; 3];
            for i in 0..table.rows() {
                sums[i % 3] += table.f64s("conversions").unwrap()[i];
            }
            sums
        };
        // One segment is the whole.
        let one = by(&frame(|_| "all", 900), &options);
        for (a, b) in sums(&one).iter().zip(&whole) {
            assert!(close(*a, b[0], 1e-9), "{}", model.name());
        }
        // Segments by chance do not differ: one model for all.
        let chance = by(&frame(|i| ["u", "v", "w", "x", "y", "z"][i % 6], 900), &options);
        let weights = chance.segments().f64s("weight").unwrap().to_vec();
        assert!(weights.iter().all(|w| *w < 0.75), "{} {weights:?}", model.name());
        let total: f64 = sums(&chance).iter().sum();
        assert!(close(total, j.total_conversions(), 1e-9));
        let customers = chance.customers().unwrap();
        assert!(close(customers.f64s("conversions").unwrap().iter().sum(), j.total_conversions(), 1e-9));
        // Without shrinkage each has its own.
        let alone = SegmentedOptions { shrinkage: Some(0.0), ..options.clone() };
        let own = by(&frame(|i| if i % 2 == 0 { "x" } else { "y" }, 900), &alone);
        let half: Vec<_> = users.iter().step_by(2).cloned().collect();
        let exact = credits(&labelled(&half, 60.0), model.clone());
        for (a, b) in own.credits().f64s("conversions").unwrap()[..3].iter().zip(&exact) {
            assert!(
                matches!(model, Model::Logistic(_)) || close(*a, b[0], 1e-6),
                "{} {a} {b:?}",
                model.name()
            );
        }
    }
}

#[test]
fn segments_that_differ_keep_their_own_model() {
    // In x channel 0 works and in y channel 1 does.
    let mut rng = Run::new().seed(5).rng(2);
    let mut below = |n: u64| rng.next_u64() % n;
    let users: Vec<_> = (0..2_000_u32)
        .map(|i| {
            let touches = vec![(0, 1.0), (1, 2.0)].into_iter().filter(|_| below(3) > 0).collect::<Vec<_>>();
            let touches = if touches.is_empty() { vec![(2, 1.0)] } else { touches };
            let works = touches.iter().any(|t| t.0 == i % 2);
            (touches, (below(10) < if works { 6 } else { 1 }).then_some(4.0))
        })
        .collect();
    let j = labelled(&users, 60.0);
    let segments = frame(|i| if i % 2 == 0 { "x" } else { "y" }, 1_990);
    let options = SegmentedOptions { model: Model::Logistic(plain(1.0)), ..SegmentedOptions::default() };
    let found = segmented(&j, Some(&segments), &options, &Run::new()).unwrap();
    let table = found.segments();
    assert_eq!(table.text("segment", 2).as_deref(), Some("(none)"), "ten customers have no segment");
    let weights = table.f64s("weight").unwrap();
    assert!(
        weights[0] > 0.8 && weights[1] > 0.8 && weights[2] < weights[0],
        "{weights:?} {}",
        found.shrinkage()
    );
    let effects = found.effects();
    let share = effects.f64s("share").unwrap();
    assert!(share[0] > 0.75 && share[4] > 0.75, "{share:?}");

    let twice = Columns::new().with("customer", vec!["1", "1"]).with("segment", vec!["x", "y"]);
    let run = Run::new();
    assert!(matches!(segmented(&j, Some(&twice), &options, &run), Err(Error::Unfit { .. })));
    assert!(matches!(segmented(&paths(&TOY), Some(&segments), &options, &run), Err(Error::Option { .. })));
    let rule = SegmentedOptions { model: Model::Linear, ..options.clone() };
    assert!(matches!(segmented(&j, Some(&segments), &rule, &run), Err(Error::Option { .. })));
    let given = Given { journeys: &j, other: None, frame: Some(&segments), lift_tests: None, rules: None };
    let tables = given.report("segmented", r#"{"model": "shao_li"}"#, &run).unwrap();
    assert_eq!(
        tables.iter().map(|t| t.0).collect::<Vec<_>>(),
        ["credits", "segments", "effects", "shrinkage"]
    );
    assert!(Given::from(&j).report("segmented", "{}", &run).is_err());
}

#[test]
fn what_would_have_happened_anyway_is_told_apart() -> Result<()> {
    let j = timed(&market(21, 400), 40.0);
    let spec = AdditiveHazard { baseline_hazard: true, ..AdditiveHazard::default() };
    for model in
        [Model::AdditiveHazard(spec), Model::TimeToEvent(TimeToEvent::default()), Model::Logistic(plain(1.0))]
    {
        let fitted = Fitted::fit(&model, &j, &Run::new())?;
        let found = table(&fitted, "incremental");
        let last = found.rows() - 1;
        assert_eq!(found.text("channel", last).as_deref(), Some("(baseline)"));
        let sum = |name: &str| found.f64s(name).unwrap().iter().sum::<f64>();
        assert!(close(sum("conversions"), j.total_conversions(), 1e-9));
        assert!(close(sum("incremental_conversions"), j.total_conversions(), 1e-9));
        assert!(found.f64s("incremental_conversions").unwrap()[last] > 0.0);
    }
    Ok(())
}
