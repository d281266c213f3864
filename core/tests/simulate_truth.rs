//! The truth that attribution is scored against: channels switched off, lift
//! tests and scores.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod support;

use std::collections::HashMap;

use headwater::column::{Columns, DAY, Duration, Values};
use headwater::journey::Moment;
use headwater::simulate::{
    ChannelOptions, FollowOn, LiftDesign, LiftMetric, LiftOptions, LiftTest, MarketData, MarketOptions,
    PurchaseProcess, ScoreOptions, Synergy, generate, lift_test, presets, score,
};
use headwater::{Error, Run, Table, options};

fn names() -> Vec<String> {
    let table = presets();
    (0..table.rows()).map(|row| table.text("name", row).unwrap().into_owned()).collect()
}

fn preset(name: &str, people: u64, seed: u64) -> MarketOptions {
    MarketOptions { people, seed, days: 120, ..MarketOptions::preset(name).unwrap() }
}

fn market(options: &MarketOptions) -> MarketData {
    generate(options, &Run::new().threads(2)).unwrap()
}

/// Orders by id, with their value.
fn orders(m: &MarketData) -> HashMap<String, f64> {
    let values = m.tables.orders.f64s("value").unwrap();
    (0..m.tables.orders.rows())
        .map(|row| (m.tables.orders.text("order_id", row).unwrap().into_owned(), values[row]))
        .collect()
}

fn channel(name: &str, reach: f64, effect: f64) -> ChannelOptions {
    ChannelOptions { name: name.into(), reach, effect, ..ChannelOptions::default() }
}

/// Nobody buys by themselves, and nobody drops out.
fn only(channels: Vec<ChannelOptions>) -> MarketOptions {
    let purchases = PurchaseProcess { buyers: 0.0, ..PurchaseProcess::default() };
    MarketOptions {
        people: 8_000,
        days: 180,
        holdout_days: 0,
        channels,
        purchases,
        ..MarketOptions::default()
    }
}

#[test]
fn a_channel_switched_off_loses_exactly_what_the_truth_says() {
    for name in names() {
        let on = preset(&name, 1_500, 5);
        let m = market(&on);
        let with = orders(&m);
        let wears = on.channels.iter().any(|c| c.saturation > 0.0);
        for c in &m.truth.by_channel {
            let off = market(&MarketOptions { off: vec![c.channel.clone()], ..on.clone() });
            assert_eq!(off.truth.by_channel.iter().find(|o| o.channel == c.channel).unwrap().touches, 0);
            let without = orders(&off);
            let gained = without.iter().filter(|(id, _)| !with.contains_key(*id));
            let lost = with.iter().filter(|(id, _)| !without.contains_key(*id));
            let (gained, gained_value) = gained.fold((0, 0.0), |(n, v), (_, x)| (n + 1, v + x));
            let (lost, lost_value) = lost.fold((0, 0.0), |(n, v), (_, x)| (n + 1, v + x));
            assert!(gained == 0 || wears, "{name}: {} gains {gained} orders", c.channel);
            assert_eq!(lost - gained, c.lost_conversions, "{name}: {}", c.channel);
            assert!((lost_value - gained_value - c.lost_value).abs() < 1e-6, "{name}: {}", c.channel);
            for (id, value) in &without {
                assert!(with.get(id).is_none_or(|v| v == value), "{name}: an order has another value");
            }
        }
    }
}

#[test]
fn everything_switched_off_leaves_the_baseline() {
    for name in names() {
        let on = preset(&name, 1_000, 8);
        let m = market(&on);
        let off = on.channels.iter().map(|c| c.name.clone()).collect();
        let none = market(&MarketOptions { off, ..on });
        assert_eq!(none.truth.events, 0);
        assert_eq!(none.truth.orders, m.truth.baseline_orders, "{name}");
        assert_eq!(none.truth.baseline_orders, m.truth.baseline_orders);
    }
}

#[test]
fn where_channels_do_not_touch_each_other_the_loss_is_what_was_caused() {
    for name in ["plain", "targeted", "low_signal"] {
        let m = market(&preset(name, 5_000, 1));
        let mut total = 0;
        for c in &m.truth.by_channel {
            assert_eq!(c.lost_conversions, c.incremental_conversions as i64, "{name}: {}", c.channel);
            assert!((c.lost_value - c.incremental_value).abs() < 1e-6);
            total += c.lost_conversions;
        }
        assert_eq!(total, (m.truth.orders - m.truth.baseline_orders) as i64);
        assert!(total > 20, "{name}: {total}");
    }
    let m = market(&preset("synergy", 5_000, 1));
    let display = m.truth.by_channel.iter().find(|c| c.channel == "display").unwrap();
    assert!(display.lost_conversions as u64 > 2 * display.incremental_conversions, "{display:?}");
}

#[test]
fn an_effect_of_zero_loses_as_much_on_average() {
    // Other draws after the first caused order, so equal in the mean alone.
    let (mut differences, mut lost) = (Vec::new(), 0.0);
    for seed in 0..40 {
        let mut options = preset("plain", 2_000, seed);
        let m = market(&options);
        options.channels[0].effect = 0.0;
        let without = market(&options);
        differences.push(m.truth.orders as f64 - without.truth.orders as f64);
        lost += m.truth.by_channel[0].lost_conversions as f64;
    }
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let error = (differences.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / (n - 1.0) / n).sqrt();
    assert!(error < 0.2 * mean, "{mean} ± {error} tells nothing");
    assert!((mean - lost / n).abs() < 4.0 * error, "{mean} ± {error}, lost {}", lost / n);
}

/// Touches of each person: channel and day, in the order of time.
fn lives(m: &MarketData) -> HashMap<i64, Vec<(String, f64)>> {
    let start = m.end - i64::from(m.options.days) * DAY;
    let mut out: HashMap<i64, Vec<(String, f64)>> = HashMap::new();
    let times = m.tables.events.i64s("time").unwrap();
    for (row, person) in m.tables.truth_events.i64s("person").unwrap().iter().enumerate() {
        let channel = m.tables.events.text("channel", row).unwrap().into_owned();
        out.entry(*person).or_default().push((channel, (times[row] - start) as f64 / DAY as f64));
    }
    out
}

fn caused(m: &MarketData, channel: &str) -> HashMap<i64, u32> {
    let people = m.tables.truth_orders.i64s("person").unwrap();
    let mut out = HashMap::new();
    for (row, person) in people.iter().enumerate() {
        if m.tables.truth_orders.text("caused_by", row).as_deref() == Some(channel) {
            *out.entry(*person).or_default() += 1;
        }
    }
    out
}

/// The share of what a touch on this day causes that comes before the end.
fn in_time(day: f64, m: &MarketData, carry_over: f64) -> f64 {
    -headwater::math::exp_m1(-(f64::from(m.options.days) - day) * std::f64::consts::LN_2 / carry_over)
}

#[test]
fn priming_multiplies_the_effect() {
    let primed = ChannelOptions {
        synergy: vec![Synergy { after: "display".into(), factor: 5.0, within: Duration::from_days(7) }],
        ..channel("search", 2.0, 0.02)
    };
    let m = market(&only(vec![primed, channel("display", 2.0, 0.0)]));
    let mut expected = [0.0; 2];
    for touches in lives(&m).values() {
        let mut last = f64::NEG_INFINITY;
        for (channel, day) in touches {
            match channel.as_str() {
                "display" => last = *day,
                _ if day - last <= 7.0 => expected[1] += 0.1 * in_time(*day, &m, 2.0),
                _ => expected[0] += 0.02 * in_time(*day, &m, 2.0),
            }
        }
    }
    let found: u32 = caused(&m, "search").values().sum();
    let total = expected[0] + expected[1];
    assert!(expected[1] > expected[0], "{expected:?}");
    assert!((f64::from(found) - total).abs() < 4.0 * total.sqrt(), "{found} of {total}");
    let truth = &m.truth.by_channel;
    assert_eq!(truth[0].lost_conversions, i64::from(found));
    // Without display four fifths of what came after it are gone.
    let gone = truth[1].lost_conversions as f64;
    assert!((gone - 0.8 * expected[1]).abs() < 4.0 * expected[1].sqrt(), "{gone} of {expected:?}");
    assert_eq!(truth[1].incremental_conversions, 0);
}

#[test]
fn touches_wear_out() {
    let worn = ChannelOptions {
        saturation: 0.3,
        saturation_window: Duration::from_days(20),
        ..channel("social", 5.0, 0.1)
    };
    let m = market(&only(vec![worn]));
    let (mut expected, mut fresh) = (0.0, 0.0);
    for touches in lives(&m).values() {
        for (i, (_, day)) in touches.iter().enumerate() {
            let before = touches[..i].iter().filter(|(_, d)| day - d <= 20.0).count();
            expected += 0.1 * 0.7f64.powi(before as i32) * in_time(*day, &m, 2.0);
            fresh += 0.1 * in_time(*day, &m, 2.0);
        }
    }
    let found = f64::from(caused(&m, "social").values().sum::<u32>());
    assert!(expected < 0.6 * fresh);
    assert!((found - expected).abs() < 4.0 * expected.sqrt(), "{found} of {expected}");
}

#[test]
fn people_differ_in_how_they_respond() {
    for shape in [0.5, 2.0] {
        let options =
            MarketOptions { responsiveness: Some(shape), ..only(vec![channel("social", 4.0, 0.03)]) };
        let m = market(&options);
        let found = caused(&m, "social");
        let (mut total, mut squares, mut variance, mut count) = (0.0, 0.0, 0.0, 0.0);
        for (person, touches) in lives(&m) {
            let expected: f64 = touches.iter().map(|(_, day)| 0.03 * in_time(*day, &m, 2.0)).sum();
            let got = f64::from(found.get(&person).copied().unwrap_or(0));
            count += got;
            total += expected;
            squares += (got - expected) * (got - expected);
            variance += expected + expected * expected / shape;
        }
        assert!((count / total - 1.0).abs() < 0.06, "{shape}: {count} of {total}");
        assert!((squares / variance - 1.0).abs() < 0.15, "{shape}: {squares} of {variance}");
        assert!(variance > 1.15 * total, "{shape}: nothing to see");
    }
}

#[test]
fn advertising_can_be_aimed_at_likely_buyers() {
    let aimed = ChannelOptions { targeting: 5.0, ..channel("social", 2.0, 0.0) };
    let purchases = PurchaseProcess { buyers: 0.3, ..PurchaseProcess::default() };
    let m = market(&MarketOptions { purchases, people: 20_000, ..only(vec![aimed]) });
    let Values::Bool(buyer) = &m.tables.people.get("buyer").unwrap().values else { unreachable!() };
    let mut touches = [0.0; 2];
    for person in m.tables.truth_events.i64s("person").unwrap() {
        touches[usize::from(buyer[*person as usize])] += 1.0;
    }
    let buyers = buyer.iter().filter(|b| **b).count() as f64;
    let others = buyer.len() as f64 - buyers;
    let ratio = (touches[1] / buyers) / (touches[0] / others);
    assert!((ratio / 5.0 - 1.0).abs() < 0.06, "{ratio}");
    // 2 in 30 days over half of 180 days on average.
    let average = (touches[0] + touches[1]) / buyer.len() as f64;
    assert!((average / 6.0 - 1.0).abs() < 0.03, "{average}");
}

#[test]
fn retargeting_follows_visits_or_intent() {
    let follower = |follow_on| ChannelOptions { follow: 0.5, follow_on, ..channel("retargeting", 0.0, 0.0) };
    let touches = |follow_on, intent| {
        let visits = ChannelOptions { intent, ..channel("search", 1.0, 0.0) };
        let mut options = only(vec![visits, follower(follow_on)]);
        options.purchases.buyers = 0.5;
        let m = market(&options);
        let t = &m.truth.by_channel;
        (t[0].touches as f64, t[1].touches as f64, m.truth.orders as f64)
    };
    let (visits, followed, _) = touches(FollowOn::Visits, 0.0);
    assert!((followed / visits - 0.5).abs() < 0.03, "{followed} of {visits}");
    assert_eq!(touches(FollowOn::Intent, 0.0).1, 0.0);
    let (_, followed, orders) = touches(FollowOn::Intent, 0.8);
    assert!((followed / orders - 0.4).abs() < 0.03, "{followed} of {orders}");
}

#[test]
fn presets_are_markets_with_a_story() {
    let table = presets();
    assert!(table.rows() >= 8);
    for (row, name) in names().into_iter().enumerate() {
        assert!(table.text("story", row).unwrap().ends_with('.'));
        let small = preset(&name, 2_500, 4);
        let one = generate(&small, &Run::new().threads(1)).unwrap();
        let batched = MarketOptions { batch_people: 1, ..small.clone() };
        let three = generate(&batched, &Run::new().threads(3)).unwrap();
        assert_eq!(one.tables, three.tables, "{name}");
        assert_eq!(one.truth, three.truth, "{name}");
        let json = format!(r#"{{"preset": "{name}", "people": 2500, "seed": 4, "days": 120}}"#);
        assert_eq!(options::parse::<MarketOptions>(&json).unwrap(), small);
        let written = serde_json::to_string(&small).unwrap();
        assert_eq!(options::parse::<MarketOptions>(&written).unwrap(), small);
        // Every channel above 5 % of the effect is there to be found.
        let shares = one.truth.channels();
        let shares = shares.f64s("lost_share").unwrap();
        assert!(shares.iter().filter(|s| **s > 0.05).count() >= 2, "{name}: {shares:?}");
    }
    let mixed: MarketOptions =
        options::parse(r#"{"preset": "loyal_base", "purchases": {"buyers": 0.5}}"#).unwrap();
    assert_eq!(mixed.purchases.buyers, 0.5);
    assert_eq!(mixed.purchases.alpha, MarketOptions::preset("loyal_base").unwrap().purchases.alpha);
    for (json, named) in [
        (r#"{"preset": "plane"}"#, "preset"),
        (r#"{"preset": 3}"#, "preset"),
        (r#"{"preset": "plain", "poeple": 3}"#, "poeple"),
        (r#"{"preset": "plain", "people": -3}"#, "people"),
    ] {
        match options::parse::<MarketOptions>(json) {
            Err(Error::Option { option, .. }) => assert_eq!(option, named, "{json}"),
            other => panic!("{json}: {other:?}"),
        }
    }
}

#[test]
fn options_of_the_truth_say_what_is_wrong() {
    let refuse = |options: MarketOptions, name: &str| match generate(&options, &Run::new()) {
        Err(Error::Option { option, reason }) => assert!(option.contains(name), "{option}: {reason}"),
        other => panic!("{name}: {other:?}"),
    };
    let one = |change: fn(&mut ChannelOptions)| {
        let mut c = channel("a", 1.0, 0.1);
        change(&mut c);
        only(vec![c, channel("b", 1.0, 0.1)])
    };
    refuse(one(|c| c.saturation = 1.5), "channels[0].saturation");
    refuse(one(|c| c.targeting = -1.0), "channels[0].targeting");
    let synergy =
        |after: &str, factor| vec![Synergy { after: after.into(), factor, within: Duration::from_days(1) }];
    let mut options = one(|_| ());
    options.channels[0].synergy = synergy("a", 2.0);
    refuse(options.clone(), "channels[0].synergy");
    options.channels[0].synergy = synergy("c", 2.0);
    refuse(options.clone(), "channels[0].synergy");
    options.channels[0].synergy = synergy("b", f64::NAN);
    refuse(options.clone(), "channels[0].synergy");
    options.channels[0].synergy = synergy("b", 50.0);
    options.channels[0].intent = 0.9;
    refuse(options, "channels");
    refuse(MarketOptions { responsiveness: Some(0.0), ..one(|_| ()) }, "responsiveness");
    refuse(MarketOptions { off: vec!["c".into()], ..one(|_| ()) }, "off");
}

fn day(market: &MarketOptions, day: i64) -> Moment {
    Moment(headwater::column::parse_time(&market.start).unwrap() + day * DAY)
}

fn tests_of(market: &MarketOptions) -> Vec<LiftTest> {
    let test = |channel: &str| LiftTest {
        channel: channel.into(),
        start: Some(day(market, 30)),
        end: Some(day(market, 100)),
        ..LiftTest::default()
    };
    vec![
        test("paid_search"),
        LiftTest { design: LiftDesign::Reached, held_out: 0.3, seed: 1, ..test("social") },
        LiftTest { design: LiftDesign::Reached, cooldown: Duration::from_days(10), ..test("display") },
        LiftTest { metric: LiftMetric::Value, held_out: 0.2, start: None, end: None, ..test("social") },
    ]
}

#[test]
fn lift_tests_are_unbiased_and_know_their_error() {
    for name in ["plain", "mixed"] {
        let mut z = vec![Vec::new(); 4];
        for seed in 0..200 {
            let market = preset(name, 1_500, seed);
            let tests = tests_of(&market);
            let table = lift_test(&LiftOptions { market, tests }, &Run::new().threads(2)).unwrap();
            let column = |name: &str| table.f64s(name).unwrap();
            for (i, z) in z.iter_mut().enumerate() {
                z.push((column("effect")[i] - column("true_effect")[i]) / column("standard_error")[i]);
            }
        }
        for (i, z) in z.iter().enumerate() {
            let n = z.len() as f64;
            let mean = z.iter().sum::<f64>() / n;
            let variance = z.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
            assert!(mean.abs() < 3.0 * (variance / n).sqrt(), "{name} {i}: mean {mean}");
            assert!((0.8..1.25).contains(&variance), "{name} {i}: variance {variance}");
        }
    }
}

#[test]
fn a_lift_test_over_everything_has_the_loss_as_its_truth() {
    for name in names() {
        let market = preset(&name, 1_200, 2);
        let truth = generate(&market, &Run::new()).unwrap().truth;
        let tests: Vec<LiftTest> = market
            .channels
            .iter()
            .flat_map(|c| {
                let test = LiftTest { channel: c.name.clone(), ..LiftTest::default() };
                [test.clone(), LiftTest { metric: LiftMetric::Value, ..test }]
            })
            .collect();
        let lift = LiftOptions { market, tests };
        let table = lift_test(&lift, &Run::new().threads(1)).unwrap();
        assert_eq!(table, lift_test(&lift, &Run::new().threads(3)).unwrap());
        for (pair, c) in table.f64s("true_effect").unwrap().chunks(2).zip(&truth.by_channel) {
            assert_eq!(pair[0], c.lost_conversions as f64, "{name}: {}", c.channel);
            assert!((pair[1] - c.lost_value).abs() < 1e-6, "{name}: {}", c.channel);
        }
        let counts = |name: &str| table.i64s(name).unwrap();
        let held = counts("held_out")[0] as f64 / counts("people")[0] as f64;
        assert!((held - 0.5).abs() < 0.06, "{held}");
        assert_eq!(counts("people")[0], 1_200);
    }
}

#[test]
fn a_lift_test_by_hand() {
    // With everyone's every touch causing an order at once, the arms differ by
    // the touches of those who are not held out.
    let mut options =
        only(vec![ChannelOptions { carry_over: Duration::default(), ..channel("search", 3.0, 1.0) }]);
    options.people = 400;
    let m = market(&options);
    let test = LiftTest { channel: "search".into(), ..LiftTest::default() };
    let table = lift_test(&LiftOptions { market: options, tests: vec![test] }, &Run::new()).unwrap();
    let f = |name: &str| table.f64s(name).unwrap()[0];
    let n = |name: &str| table.i64s(name).unwrap()[0] as f64;
    assert_eq!(f("true_effect"), m.truth.orders as f64);
    assert_eq!(n("conversions_held_out"), 0.0);
    let treated = n("people") - n("held_out");
    let expected = n("people") * n("conversions") / treated;
    assert!((f("effect") - expected).abs() < 1e-9 * expected, "{} {expected}", f("effect"));
    assert!(f("standard_error") > 0.0);
}

#[test]
fn lift_tests_say_what_is_wrong() {
    let market = preset("plain", 1_000, 0);
    let good = LiftTest { channel: "social".into(), ..LiftTest::default() };
    let run = |test: LiftTest| {
        lift_test(&LiftOptions { market: market.clone(), tests: vec![test] }, &Run::new()).err()
    };
    let refuse = |test: LiftTest, name: &str| match run(test) {
        Some(Error::Option { option, .. }) => assert_eq!(option, name),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(run(good.clone()).map(|e| e.to_string()), None);
    refuse(LiftTest { channel: "radio".into(), ..good.clone() }, "channel");
    for held_out in [0.0, 1.0, f64::NAN] {
        refuse(LiftTest { held_out, ..good.clone() }, "held_out");
    }
    refuse(LiftTest { start: Some(day(&market, 20)), end: Some(day(&market, 20)), ..good.clone() }, "end");
    refuse(LiftTest { start: Some(day(&market, -1)), ..good.clone() }, "end");
    refuse(LiftTest { cooldown: Duration::from_days(31), ..good.clone() }, "end");
    let nothing = LiftOptions { market: market.clone(), tests: vec![] };
    assert!(matches!(lift_test(&nothing, &Run::new()), Err(Error::Option { .. })));
    let lonely = LiftOptions { market: MarketOptions { people: 1, ..market.clone() }, tests: vec![good] };
    assert!(matches!(lift_test(&lonely, &Run::new()), Err(Error::NotEnoughData { .. })));
}

fn truth() -> Columns {
    Columns::new().with("channel", vec!["a", "b", "c", "d"]).with("lost_conversions", vec![40, 50, 8, 2])
}

fn credits() -> Columns {
    Columns::new()
        .with("model", vec!["x", "x", "x", "x", "x", "y", "y"])
        .with("channel", vec!["a", "b", "(unattributed)", "c", "d", "b", "a"])
        .with("conversions", vec![60.0, 20.0, 7.0, 10.0, 10.0, 150.0, 50.0])
        .with("conversions_low", vec![Some(30.0), Some(10.0), None, Some(7.0), None, None, None])
        .with("conversions_high", vec![Some(70.0), Some(30.0), None, Some(8.0), None, None, None])
}

#[test]
fn a_score_by_hand() {
    let scores = score(&credits(), &truth(), &ScoreOptions::default(), &Run::new()).unwrap();
    let close = |table: &Table, name: &str, expected: &[f64]| {
        let found = table.f64s(name).unwrap();
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{name}: {found:?}, expected {expected:?}");
        }
    };
    let c = &scores.channels;
    close(c, "credit_share", &[0.6, 0.2, 0.1, 0.1, 0.25, 0.75, 0.0, 0.0]);
    close(c, "true_share", &[0.4, 0.5, 0.08, 0.02, 0.4, 0.5, 0.08, 0.02]);
    close(c, "error", &[0.2, -0.3, 0.02, 0.08, -0.15, 0.25, -0.08, -0.02]);
    close(c, "relative_error", &[0.5, -0.6, 0.25, 4.0, -0.375, 0.5, -1.0, -1.0]);
    close(c, "over_credit", &[20.0, -30.0, 2.0, 8.0, 10.0, 100.0, -8.0, -2.0]);
    let Values::Bool(covered) = &c.get("covered").unwrap().values else { unreachable!() };
    assert_eq!(covered[..3], [true, false, true]);
    assert_eq!(c.get("covered").unwrap().valid.as_ref().unwrap()[2..5], [true, false, false]);
    let m = &scores.models;
    assert_eq!(m.text("model", 1).as_deref(), Some("y"));
    close(m, "mean_absolute_error", &[0.15, 0.125]);
    close(m, "weighted_mape", &[0.52 / 0.98, 0.48 / 0.98]);
    close(m, "largest_error", &[0.6, 1.0]);
    // x orders a > b > c = d: of the six pairs a:b is wrong, c:d a tie. y: five right, c:d a tie.
    close(m, "kendall_tau", &[3.0 / 30f64.sqrt(), 5.0 / 30f64.sqrt()]);
    close(m, "over_credit", &[0.0, 1.0]);
    assert!((m.f64s("coverage").unwrap()[0] - 2.0 / 3.0).abs() < 1e-15);
    assert_eq!(m.get("coverage").unwrap().valid, Some(vec![true, false]));
    assert_eq!(m.get("share_coverage").unwrap().valid, Some(vec![false, false]));
}

#[test]
fn the_truth_scores_perfectly() {
    let m = market(&preset("mixed", 4_000, 3));
    let table = Columns::from(m.truth.channels());
    let options = ScoreOptions { credit: "lost_conversions".into(), ..ScoreOptions::default() };
    let scores = score(&table, &table, &options, &Run::new()).unwrap();
    for name in ["mean_absolute_error", "weighted_mape", "largest_error", "over_credit"] {
        assert_eq!(scores.models.f64s(name), Some(&[0.0][..]), "{name}");
    }
    assert_eq!(scores.models.f64s("kendall_tau"), Some(&[1.0][..]));
}

#[test]
fn scores_say_what_is_wrong() {
    let run = Run::new();
    let fail = |credits: &Columns, truth: &Columns| score(credits, truth, &ScoreOptions::default(), &run);
    let column = |names: Vec<&str>| {
        let n = names.len();
        Columns::new().with("channel", names).with("conversions", vec![1.0; n])
    };
    assert!(matches!(fail(&column(vec!["a", "e"]), &truth()), Err(Error::Column { .. })));
    assert!(matches!(fail(&column(vec!["a", "a"]), &truth()), Err(Error::Column { .. })));
    assert!(matches!(fail(&Columns::new().with("channel", vec!["a"]), &truth()), Err(Error::Column { .. })));
    let nan = Columns::new().with("channel", vec!["a"]).with("conversions", vec![f64::NAN]);
    assert!(matches!(fail(&nan, &truth()), Err(Error::Unfit { .. })));
    let twice = Columns::new().with("channel", vec!["a", "a"]).with("lost_conversions", vec![1, 2]);
    assert!(matches!(fail(&credits(), &twice), Err(Error::Column { .. })));
    let nothing = Columns::new().with("channel", vec!["a", "b"]).with("lost_conversions", vec![0, 0]);
    assert!(matches!(fail(&column(vec!["a"]), &nothing), Err(Error::NotEnoughData { .. })));
    let options = ScoreOptions { min_share: -1.0, ..ScoreOptions::default() };
    assert!(matches!(score(&credits(), &truth(), &options, &run), Err(Error::Option { .. })));
}
