//! Journeys against a naive builder, and every policy by example.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::naive_bytecount)]

use headwater::attribution::{AttributeOptions, Model, attribute};
use headwater::column::{Columns, Data, Duration, OnInvalid, TimeUnit};
use headwater::journey::{
    AtConversion, Conversions, EventOptions, FlaggedRow, Journeys, Moment, Open, PathCounts, PathOptions,
    Policies, Repeats, SharedTouch, Ties, Touches,
};
use headwater::run::{Monitor, Run};
use headwater::{Error, options};
use proptest::prelude::*;

/// (customer, path, touch times, end, value of the conversion or `None` when open)
type Plain = (u32, Vec<u32>, Vec<i64>, i64, Option<u64>);

fn plain(j: &Journeys) -> Vec<Plain> {
    (0..j.len())
        .map(|i| {
            let value = (j.conversions()[i] == 1.0).then(|| j.values()[i].to_bits());
            assert_eq!(j.conversions()[i] + j.nulls()[i], 1.0);
            (
                j.customer(i).unwrap(),
                j.path(i).to_vec(),
                j.touch_times(i).to_vec(),
                j.end_time(i).unwrap(),
                value,
            )
        })
        .collect()
}

type Touch = (u32, i64, u32);
type Sale = (u32, i64, u8);

/// The definitions, word for word, in O(n²).
fn naive(touches: &[Touch], sales: &[Sale], p: &Policies) -> Vec<Plain> {
    let latest = touches.iter().map(|t| t.1).chain(sales.iter().map(|s| s.1)).max();
    let end = p.observation_end.or(latest).unwrap_or(0);
    let lookback = p.lookback.micros();
    let mut out = Vec::new();
    for customer in 0..8 {
        let mut mine: Vec<Touch> =
            touches.iter().copied().filter(|t| t.0 == customer && t.1 <= end).collect();
        match p.ties {
            Ties::Channel => mine.sort_by_key(|t| (t.1, t.2)),
            Ties::Input => mine.sort_by_key(|t| t.1),
        }
        let mut bought: Vec<Sale> = sales.iter().copied().filter(|s| s.0 == customer && s.1 <= end).collect();
        bought.sort_by_key(|s| (s.1, std::cmp::Reverse(s.2)));
        let mut served = vec![false; mine.len()];
        let mut found: Vec<Plain> = Vec::new();
        for sale in &bought {
            let eligible = |i: usize| {
                let t = mine[i].1;
                let before = match p.at_conversion {
                    AtConversion::Include => t <= sale.1,
                    AtConversion::Exclude => t < sale.1,
                };
                let free = p.shared_touch == SharedTouch::Each || !served[i];
                before && t > sale.1 - lookback && free
            };
            let chosen: Vec<usize> = (0..mine.len()).filter(|i| eligible(*i)).collect();
            for i in &chosen {
                served[*i] = true;
            }
            found.push((
                customer,
                chosen.iter().map(|i| mine[*i].2).collect(),
                chosen.iter().map(|i| mine[*i].1).collect(),
                sale.1,
                Some(f64::from(sale.2).to_bits()),
            ));
        }
        if p.open != Open::Exclude {
            let mut run: Vec<usize> = Vec::new();
            let mut close = |run: &mut Vec<usize>| {
                if let Some(last) = run.last() {
                    let last = mine[*last].1;
                    if p.open == Open::Include || last <= end - lookback {
                        let path = run.iter().map(|i| mine[*i].2).collect();
                        found.push((customer, path, run.iter().map(|i| mine[*i].1).collect(), last, None));
                    }
                }
                run.clear();
            };
            for i in 0..mine.len() {
                let between = |a: i64, b: i64| {
                    bought.iter().any(|s| match p.at_conversion {
                        AtConversion::Include => a <= s.1 && s.1 < b,
                        AtConversion::Exclude => a < s.1 && s.1 <= b,
                    })
                };
                let apart = run.last().is_some_and(|k| {
                    let (a, b) = (mine[*k].1, mine[i].1);
                    b - a > lookback || *k + 1 != i || between(a, b)
                });
                if served[i] || apart {
                    close(&mut run);
                }
                if !served[i] {
                    run.push(i);
                }
            }
            close(&mut run);
        }
        out.extend(found);
    }
    out.sort();
    out
}

fn build(touches: &[Touch], sales: &[Sale], p: &Policies, run: &Run) -> Journeys {
    let customer: Vec<u32> = touches.iter().map(|t| t.0).collect();
    let time: Vec<i64> = touches.iter().map(|t| t.1).collect();
    let channel: Vec<u32> = touches.iter().map(|t| t.2).collect();
    let buyer: Vec<u32> = sales.iter().map(|t| t.0).collect();
    let sold: Vec<i64> = sales.iter().map(|t| t.1).collect();
    let value: Vec<f64> = sales.iter().map(|t| f64::from(t.2)).collect();
    let touches = Touches { customer: &customer, time: &time, channel: &channel, cost: None };
    let sales = Conversions { customer: &buyer, time: &sold, value: Some(&value) };
    Journeys::build(&touches, &sales, p, run).unwrap()
}

fn policies() -> impl Strategy<Value = Policies> {
    (
        0_i64..12,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec![Open::Include, Open::Decided, Open::Exclude]),
        prop::option::of(0_i64..24),
    )
        .prop_map(|(lookback, ties, at, shared, open, observation_end)| Policies {
            lookback: Duration::from_micros(lookback),
            ties: if ties { Ties::Channel } else { Ties::Input },
            at_conversion: if at { AtConversion::Include } else { AtConversion::Exclude },
            shared_touch: if shared { SharedTouch::Each } else { SharedTouch::Reset },
            open,
            observation_end,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_mix_of_policies_is_what_the_definitions_say(
        touches in prop::collection::vec((0_u32..3, 0_i64..24, 0_u32..4), 0..24),
        sales in prop::collection::vec((0_u32..4, 0_i64..24, 0_u8..5), 0..8),
        p in policies(),
    ) {
        let j = build(&touches, &sales, &p, &Run::new().threads(1));
        let mut found = plain(&j);
        found.sort();
        prop_assert_eq!(found, naive(&touches, &sales, &p));
        if p.ties == Ties::Channel {
            let (mut t, mut s) = (touches.clone(), sales.clone());
            t.reverse();
            s.reverse();
            let again = build(&t, &s, &p, &Run::new().threads(1));
            prop_assert_eq!(plain(&again), plain(&j));
        }
    }
}

fn frame(rows: &[(&str, &str, &str)]) -> Columns {
    Columns::new()
        .with("customer", rows.iter().map(|r| r.0).collect::<Vec<_>>())
        .with("time", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("channel", rows.iter().map(|r| r.2).collect::<Vec<_>>())
}

fn orders(rows: &[(&str, &str, f64)]) -> Columns {
    Columns::new()
        .with("customer", rows.iter().map(|r| r.0).collect::<Vec<_>>())
        .with("time", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("value", rows.iter().map(|r| r.2).collect::<Vec<_>>())
}

fn paths(j: &Journeys) -> Vec<(String, f64, f64)> {
    let t = j.paths(&Run::new()).unwrap();
    let (c, n) = (t.f64s("conversions").unwrap(), t.f64s("nulls").unwrap());
    (0..t.rows()).map(|i| (t.text("path", i).unwrap().into_owned(), c[i], n[i])).collect()
}

fn path(text: &str, conversions: f64, nulls: f64) -> (String, f64, f64) {
    (text.into(), conversions, nulls)
}

fn with_value() -> EventOptions {
    EventOptions { value: Some("value".into()), ..EventOptions::default() }
}

#[test]
fn events_become_journeys() {
    let touches = frame(&[
        ("ann", "2024-01-01", "search"),
        ("bob", "2024-01-02", "social"),
        ("ann", "2024-01-03T10:00:00Z", "email"),
        ("ann", "2024-03-01", "search"),
    ]);
    let sales = orders(&[("eve", "2024-01-05", 7.0), ("ann", "2024-01-04", 50.0)]);
    let j = Journeys::from_events(&touches, Some(&sales), &with_value(), &Run::new()).unwrap();
    let expected = [
        path("(unattributed)", 1.0, 0.0),
        path("search > email", 1.0, 0.0),
        path("search", 0.0, 1.0),
        path("social", 0.0, 1.0),
    ];
    let mut found = paths(&j);
    found[..2].sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
    assert_eq!(j.unattributed(), (1.0, 7.0));
    assert_eq!(j.total_value(), 57.0);
    let summary = j.summary();
    assert_eq!(summary.f64s("customers"), Some(&[3.0][..]));
    assert_eq!(summary.f64s("unattributed_value"), Some(&[7.0][..]));
    let lags = j.lags().unwrap();
    assert_eq!(lags.i64s("days"), Some(&[3][..]));
    let lengths = j.lengths();
    assert_eq!(lengths.i64s("touches"), Some(&[0, 1, 2][..]));
    assert_eq!(lengths.f64s("nulls"), Some(&[0.0, 2.0, 0.0][..]));
    let t = j.transitions(Repeats::Collapse, &Run::new()).unwrap();
    assert_eq!(t.f64s("count").unwrap().iter().sum::<f64>(), 3.0 + 1.0 + 3.0);
    let channels = j.channels(&Run::new()).unwrap();
    assert_eq!(channels.text("channel", 0).unwrap(), "email");
    assert_eq!(channels.f64s("touches"), Some(&[1.0, 2.0, 1.0][..]));
    assert_eq!(channels.f64s("nulls"), Some(&[0.0, 1.0, 1.0][..]));
}

#[test]
fn a_flag_column_makes_conversions_of_touches() {
    let base = Columns::new()
        .with("who", vec![1, 1, 1, 2])
        .with("at", vec![0, 3600, 7200, 9000])
        .with("channel", vec![Some("a"), Some("b"), Some("c"), None])
        .with("bought", vec![0, 1, 0, 1])
        .with("revenue", vec![Some(0.0), Some(9.0), None, Some(4.0)]);
    let o = EventOptions {
        customer: "who".into(),
        time: "at".into(),
        conversion: Some("bought".into()),
        value: Some("revenue".into()),
        flagged_row: FlaggedRow::Conversion,
        time_unit: Some(TimeUnit::Second),
        ..EventOptions::default()
    };
    let j = Journeys::from_events(&base, None, &o, &Run::new()).unwrap();
    let mut found = paths(&j);
    found[..2].sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, [path("(unattributed)", 1.0, 0.0), path("a", 1.0, 0.0), path("c", 0.0, 1.0)]);
    assert_eq!(j.total_value(), 13.0);
    // With its channel as a touch, the last row lacks one.
    let o = EventOptions { flagged_row: FlaggedRow::TouchAndConversion, ..o };
    let error = Journeys::from_events(&base, None, &o, &Run::new()).unwrap_err();
    assert!(matches!(error, Error::Row { row: 3, count: 1, .. }), "{error}");
    let o = EventOptions { on_invalid: OnInvalid::Drop, ..o };
    let j = Journeys::from_events(&base, None, &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), [path("a > b", 1.0, 0.0), path("c", 0.0, 1.0)]);
    assert_eq!(j.dropped().rows, 1);
    let o = EventOptions { at_conversion: AtConversion::Exclude, ..o };
    let j = Journeys::from_events(&base, None, &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), [path("a", 1.0, 0.0), path("b > c", 0.0, 1.0)]);
    // Both kinds of conversions at once are refused.
    let error = Journeys::from_events(&base, Some(&base), &o, &Run::new()).unwrap_err();
    assert_eq!(error.code(), "HW_OPTION");
}

#[test]
fn ties_follow_labels_or_rows() {
    let touches = frame(&[("ann", "2024-01-01", "zeta"), ("ann", "2024-01-01", "alpha")]);
    let sales = orders(&[("ann", "2024-01-01", 1.0)]);
    let j = Journeys::from_events(&touches, Some(&sales), &with_value(), &Run::new()).unwrap();
    assert_eq!(paths(&j)[0].0, "alpha > zeta");
    let o = EventOptions { ties: Ties::Input, ..with_value() };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    assert_eq!(paths(&j)[0].0, "zeta > alpha");
}

#[test]
fn the_window_is_half_open_and_observation_ends() {
    let touches = frame(&[
        ("ann", "2024-01-01", "far"),
        ("ann", "2024-01-01T00:00:01", "near"),
        ("ann", "2024-02-02", "late"),
    ]);
    let sales = orders(&[("ann", "2024-01-31", 1.0), ("ann", "2024-02-03", 2.0)]);
    let o = EventOptions {
        observation_end: Some(Moment(headwater::column::parse_time("2024-02-01").unwrap())),
        ..with_value()
    };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), [path("near", 1.0, 0.0), path("far", 0.0, 1.0)]);
    assert_eq!(j.summary().i64s("late_touches"), Some(&[1][..]));
    assert_eq!(j.summary().i64s("late_conversions"), Some(&[1][..]));
    // Nothing observed after the far touch's 30 days yet: it is undecided.
    let o = EventOptions { open: Open::Decided, ..o };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), [path("near", 1.0, 0.0), path("far", 0.0, 1.0)]);
    let o = EventOptions { lookback: Duration::from_days(31), ..o };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), [path("far > near", 1.0, 0.0)]);
}

#[test]
fn options_come_as_json() {
    let json = r#"{"lookback": "12h", "ties": "input", "at_conversion": "exclude", "shared_touch": "reset",
        "open": "decided", "flagged_row": "conversion", "observation_end": "2024-01-01", "time_unit": "ms",
        "on_invalid": "drop", "value": "revenue", "conversion_time": "date"}"#;
    let o: EventOptions = options::parse(json).unwrap();
    assert_eq!(o.lookback, "12h".parse().unwrap());
    assert_eq!(o.shared_touch, SharedTouch::Reset);
    assert_eq!(options::parse::<EventOptions>(&serde_json::to_string(&o).unwrap()).unwrap(), o);
    for bad in [r#"{"look_back": "1d"}"#, r#"{"ties": "random"}"#, r#"{"observation_end": "soon"}"#] {
        assert_eq!(options::parse::<EventOptions>(bad).unwrap_err().code(), "HW_OPTION", "{bad}");
    }
    let o: PathOptions = options::parse(r#"{"sep": "|", "conversions": null}"#).unwrap();
    assert_eq!(o.conversions, None);
}

#[test]
fn bad_frames_are_clear_errors() {
    let touches = frame(&[("ann", "2024-01-01", "a")]);
    let run = Run::new();
    let events = |t: &Columns, s: &Columns| Journeys::from_events(t, Some(s), &with_value(), &run);
    let column = |r: headwater::Result<Journeys>| match r {
        Err(Error::Column { column, .. } | Error::Row { column, .. }) => column,
        other => panic!("{other:?}"),
    };
    assert_eq!(column(events(&Columns::new(), &touches)), "customer");
    assert_eq!(column(events(&touches, &touches)), "value");
    assert_eq!(column(events(&touches, &orders(&[("ann", "2024-01-01", -1.0)]))), "value");
    assert_eq!(column(events(&frame(&[("ann", "soon", "a")]), &orders(&[]))), "time");
    let numbers =
        Columns::new().with("customer", vec![1]).with("time", vec!["2024"]).with("value", vec![1.0]);
    assert_eq!(column(events(&touches, &numbers)), "customer");
    let untimed = touches.clone().with("time", vec![1_700_000_000]);
    assert_eq!(column(events(&untimed, &orders(&[]))), "time");
    let options = PathOptions { sep: String::new(), ..PathOptions::default() };
    assert_eq!(Journeys::from_paths(&touches, &options, &run).unwrap_err().code(), "HW_OPTION");
    // An empty frame has no journeys, and everything can still be asked of it.
    let j = events(&frame(&[]), &orders(&[])).unwrap();
    assert_eq!((j.len(), j.lags().unwrap().rows(), j.paths(&run).unwrap().rows()), (0, 0, 0));
    assert_eq!(j.summary().rows(), 1);
    let j = Journeys::from_events(&touches, None, &EventOptions::default(), &run).unwrap();
    assert_eq!(paths(&j), [path("a", 0.0, 1.0)]);
    // Codes that are not dense, and columns of different lengths.
    let sparse = Touches { customer: &[4_000_000_000], time: &[1], channel: &[0], cost: None };
    assert!(Journeys::build(&sparse, &Conversions::default(), &Policies::default(), &run).is_err());
    let ragged = Touches { customer: &[0, 1], time: &[1], channel: &[0], cost: None };
    assert!(Journeys::build(&ragged, &Conversions::default(), &Policies::default(), &run).is_err());
    let extreme = Touches { customer: &[0, 0], time: &[i64::MIN, i64::MAX], channel: &[0, 0], cost: None };
    let sale = Conversions { customer: &[0], time: &[i64::MIN], value: None };
    assert_eq!(Journeys::build(&extreme, &sale, &Policies::default(), &run).unwrap().len(), 3);
}

#[test]
fn rows_are_dropped_and_counted_in_both_frames() {
    let touches = frame(&[("ann", "2024-01-01", "a"), ("ann", "never", "b"), ("bob", "2024-01-01", "c")]);
    let sales = orders(&[("ann", "2024-01-02", 1.0), ("bob", "2024-01-02", f64::NAN)]);
    let o = EventOptions { on_invalid: OnInvalid::Drop, ..with_value() };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    assert_eq!(j.dropped().rows, 2);
    assert_eq!(j.channel_labels(), ["a", "c"]);
    assert_eq!(paths(&j), [path("a", 1.0, 0.0), path("c", 0.0, 1.0)]);
}

#[test]
fn integer_labels_stay_integers_and_in_their_order() {
    let touches = Columns::new()
        .with("customer", vec![7, 7])
        .with("time", vec!["2024-01-01", "2024-01-01"])
        .with("channel", vec![10, 9]);
    let j = Journeys::from_events(&touches, None, &EventOptions::default(), &Run::new()).unwrap();
    assert_eq!(j.channel_labels(), ["9", "10"]);
    assert_eq!(paths(&j)[0].0, "9 > 10");
    // As a summary they are text, in the order of text; the path stays what it was.
    let counts = PathCounts::of(&j, &Run::new()).unwrap();
    let back = Journeys::from_counts(&counts);
    assert_eq!(back.channel_labels(), ["10", "9"]);
    assert_eq!(paths(&back), paths(&j));
}

/// Touches of `n` rows over some customers, without a random generator.
fn many(n: usize, customers: u32) -> (Vec<u32>, Vec<i64>, Vec<u32>) {
    let hash = |i: usize, k: u64| ((i as u64 + k).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u32;
    (
        (0..n).map(|i| hash(i, 1) % customers).collect(),
        (0..n).map(|i| i64::from(hash(i, 7) % 90) * headwater::column::DAY / 3).collect(),
        (0..n).map(|i| hash(i, 13) % 12).collect(),
    )
}

#[test]
fn one_customer_with_a_hundred_thousand_touches() {
    let n = 100_000;
    let customer = vec![0; n];
    let time: Vec<i64> = (0..n as i64).rev().collect();
    let channel: Vec<u32> = (0..n as u32).map(|i| i % 5).collect();
    let sold: Vec<i64> = (1..=1000).map(|i| i * 100).collect();
    let buyer = vec![0; sold.len()];
    let touches = Touches { customer: &customer, time: &time, channel: &channel, cost: None };
    let sales = Conversions { customer: &buyer, time: &sold, value: None };
    let j = Journeys::build(&touches, &sales, &Policies::default(), &Run::new()).unwrap();
    assert_eq!(j.len(), 1000);
    assert_eq!(j.path(999).len(), n);
    let models = vec![Model::First, Model::Linear];
    let a = attribute(&j, &AttributeOptions { models, ..Default::default() }, &Run::new()).unwrap();
    // The sums differ from 1000 by the rounding of 1/n alone.
    assert!((a.total("linear").unwrap()[0] - 1000.0).abs() < 1e-9);
    assert_eq!(a.total("first").unwrap()[0], 1000.0);
}

#[test]
fn threads_do_not_change_a_bit_and_cancelling_stops() {
    let (customer, time, channel) = many(300_000, 5_000);
    let (buyer, sold, _) = many(20_000, 6_000);
    let value: Vec<f64> = (0..buyer.len()).map(|i| (i % 97) as f64 / 7.0).collect();
    let cost: Vec<f64> = (0..customer.len()).map(|i| (i % 13) as f64 / 11.0).collect();
    let touches = Touches { customer: &customer, time: &time, channel: &channel, cost: Some(&cost) };
    let sales = Conversions { customer: &buyer, time: &sold, value: Some(&value) };
    let models = ["first", "linear", "time_decay", "position_based", "shapley", "markov"];
    let models: Vec<Model> = models.iter().map(|m| m.parse().unwrap()).collect();
    let options = AttributeOptions { models, ..Default::default() };
    let tables = |run: &Run| {
        let j = Journeys::build(&touches, &sales, &Policies::default(), run)?;
        Ok::<_, Error>((attribute(&j, &options, run)?.table(), j.paths(run)?, j.lags()?, j.channels(run)?))
    };
    let one = tables(&Run::new().threads(1)).unwrap();
    for threads in [2, 3] {
        assert_eq!(tables(&Run::new().threads(threads)).unwrap(), one);
    }
    // Rows in another order: the same to the last bit, since sums are exact.
    let turn = |k: usize| -> Vec<usize> { (k..customer.len()).chain(0..k).collect() };
    let order = turn(123_456);
    let pick = |v: &[u32]| -> Vec<u32> { order.iter().map(|i| v[*i]).collect() };
    let (c, h) = (pick(&customer), pick(&channel));
    let t: Vec<i64> = order.iter().map(|i| time[*i]).collect();
    let k: Vec<f64> = order.iter().map(|i| cost[*i]).collect();
    let turned = Touches { customer: &c, time: &t, channel: &h, cost: Some(&k) };
    let j = Journeys::build(&turned, &sales, &Policies::default(), &Run::new()).unwrap();
    assert_eq!(attribute(&j, &options, &Run::new()).unwrap().table(), one.0);

    let monitor = Monitor::new();
    monitor.cancel();
    assert!(matches!(tables(&Run::new().monitor(monitor)), Err(Error::Cancelled)));
}

#[test]
fn paths_have_rates_and_are_sorted() {
    let columns = Columns::new()
        .with("path", vec!["b>a", "a", "b > a", "c"])
        .with("conversions", vec![1.0, 2.0, 0.5, 0.0])
        .with("nulls", Data::from(vec![3, 0, 1, 0]));
    let o = PathOptions { sep: ">".into(), nulls: Some("nulls".into()), ..PathOptions::default() };
    let j = Journeys::from_paths(&columns, &o, &Run::new()).unwrap();
    let t = j.paths(&Run::new()).unwrap();
    assert_eq!(paths(&j), [path("a", 2.0, 0.0), path("b > a", 1.5, 4.0), path("c", 0.0, 0.0)]);
    assert_eq!(t.f64s("conversion_rate").unwrap()[1], 1.5 / 5.5);
    assert_eq!(t.get("conversion_rate").unwrap().valid, Some(vec![true, true, false]));
    assert!(matches!(j.lags(), Err(Error::Column { .. })));
}
