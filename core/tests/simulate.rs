//! The simulated market against its own parameters and books.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod support;

use std::collections::{HashMap, HashSet};

use headwater::column::{DAY, Values};
use headwater::simulate::{
    ChannelOptions, IdentityBehaviour, Market, MarketData, MarketOptions, PurchaseProcess, generate,
};
use headwater::{Error, Run, Table};

fn small() -> MarketOptions {
    MarketOptions { people: 5_000, days: 180, holdout_days: 60, seed: 3, ..MarketOptions::default() }
}

fn market(options: &MarketOptions) -> MarketData {
    generate(options, &Run::new().threads(2)).unwrap()
}

fn bools<'a>(table: &'a Table, name: &str) -> &'a [bool] {
    match &table.get(name).unwrap().values {
        Values::Bool(v) => v,
        other => panic!("{name} is {other:?}"),
    }
}

fn rows_as_text(table: &Table) -> Vec<String> {
    (0..table.rows())
        .map(|row| {
            let cells = table.columns().iter().map(|c| match &c.values {
                Values::F64(v) => format!("{:x}", v[row].to_bits()),
                Values::I64(v) | Values::Time(v) => v[row].to_string(),
                Values::Bool(v) => v[row].to_string(),
                _ => table.text(&c.name, row).unwrap_or_default().into_owned(),
            });
            cells.collect::<Vec<_>>().join("|")
        })
        .collect()
}

#[test]
fn threads_and_batch_sizes_change_nothing() {
    let streamed = |threads: usize, batch_people: u32| {
        let market = Market::new(MarketOptions { batch_people, ..small() }).unwrap();
        let mut batches = market.batches(&Run::new().threads(threads));
        let mut rows = [(); 6].map(|()| Vec::new());
        for batch in &mut batches {
            let b = batch.unwrap();
            for (out, table) in rows.iter_mut().zip([
                &b.events,
                &b.orders,
                &b.holdout,
                &b.truth_people,
                &b.truth_orders,
                &b.people,
            ]) {
                out.extend(rows_as_text(table));
            }
        }
        (rows, batches.truth().clone())
    };
    let one = streamed(1, 1024);
    for (threads, batch) in [(1, 4096), (2, 1), (7, 2048), (7, 1 << 20)] {
        assert!(streamed(threads, batch) == one, "threads {threads}, batch {batch}");
    }
    let whole = market(&small());
    assert_eq!(whole.truth, one.1);
    let mut sorted = one.0[0].clone();
    let mut events = rows_as_text(&whole.tables.events);
    assert!(whole.tables.events.i64s("time").unwrap().is_sorted());
    sorted.sort();
    events.sort();
    assert_eq!(events, sorted);
}

#[test]
fn a_larger_market_begins_with_the_smaller_one() {
    let few = Market::new(MarketOptions { people: 700, ..small() }).unwrap();
    let many = Market::new(MarketOptions { people: 3_000, ..small() }).unwrap();
    let people = |m: &Market| rows_as_text(&m.batches(&Run::new()).next().unwrap().unwrap().people);
    assert_eq!(people(&few)[..], people(&many)[..700]);
}

#[test]
fn the_seed_decides_and_the_run_does_not() {
    let events = |seed, run: &Run| generate(&MarketOptions { seed, ..small() }, run).unwrap().tables.events;
    let a = events(1, &Run::new());
    assert_eq!(a, events(1, &Run::new().seed(99)));
    assert_ne!(a, events(2, &Run::new()));
}

#[test]
fn the_books_balance() {
    let m = market(&small());
    let t = &m.truth;
    let tables = &m.tables;
    assert_eq!(tables.events.rows() as u64, t.events);
    assert_eq!(tables.orders.rows() as u64, t.orders);
    assert_eq!(tables.holdout.rows() as u64, t.holdout_orders);
    assert_eq!(tables.truth_people.rows() as u64, t.identifiers);
    assert_eq!(tables.people.rows() as u64, t.people);

    let mut caused: HashMap<String, (u64, f64)> = HashMap::new();
    let values = tables.orders.f64s("value").unwrap();
    for (row, value) in values.iter().enumerate() {
        assert_eq!(tables.orders.text("order_id", row), tables.truth_orders.text("order_id", row));
        let cause = tables.truth_orders.text("caused_by", row).unwrap_or_default().into_owned();
        let entry = caused.entry(cause).or_default();
        entry.0 += 1;
        entry.1 += value;
    }
    assert_eq!(caused.get("").map(|c| c.0), Some(t.baseline_orders));
    for c in &t.by_channel {
        let (orders, value) = caused.get(&c.channel).copied().unwrap_or_default();
        assert_eq!(orders, c.incremental_conversions, "{}", c.channel);
        assert!((value - c.incremental_value).abs() < 1e-6);
    }
    let cost: f64 = tables.events.f64s("cost").unwrap().iter().sum();
    assert!((cost - t.by_channel.iter().map(|c| c.cost).sum::<f64>()).abs() < 1e-6 * cost);
    let ordered: i64 = tables.people.i64s("orders").unwrap().iter().sum();
    assert_eq!(ordered as u64, t.orders);
    let future: i64 = tables.people.i64s("future_orders").unwrap().iter().sum();
    assert_eq!(future as u64, t.holdout_orders);

    let start = m.end - 180 * DAY;
    assert!(tables.events.i64s("time").unwrap().iter().all(|x| (start..m.end).contains(x)));
    assert!(tables.orders.i64s("time").unwrap().iter().all(|x| (start..m.end).contains(x)));
    let holdout = m.end..m.end + 60 * DAY;
    assert!(tables.holdout.i64s("time").unwrap().iter().all(|x| holdout.contains(x)));
    let ids: HashSet<_> = (0..tables.orders.rows()).map(|r| tables.orders.text("order_id", r)).collect();
    assert_eq!(ids.len(), tables.orders.rows());
}

#[test]
fn every_identifier_belongs_to_the_people_who_used_it() {
    let m = market(&small());
    let truth = &m.tables.truth_people;
    let people = truth.i64s("person").unwrap();
    let mut owners: HashMap<(String, String), HashSet<i64>> = HashMap::new();
    for (row, person) in people.iter().enumerate() {
        let key = (
            truth.text("namespace", row).unwrap().into_owned(),
            truth.text("identifier", row).unwrap().into_owned(),
        );
        assert!(owners.entry(key).or_default().insert(*person), "a pair is told twice");
    }
    let records = m.tables.records();
    assert!(records.i64s("time").unwrap().is_sorted());
    let mut seen = HashSet::new();
    for row in 0..records.rows() {
        let mut any = false;
        for namespace in ["cookie", "device", "email", "user_id", "phone", "loyalty"] {
            if let Some(id) = records.text(namespace, row) {
                any = true;
                let key = (namespace.to_owned(), id.into_owned());
                assert!(owners.contains_key(&key), "{key:?}");
                seen.insert(key);
            }
        }
        assert!(any, "row {row} can be ascribed to nobody");
    }
    assert_eq!(seen.len(), owners.len());
    let order_people = m.tables.truth_orders.i64s("person").unwrap();
    for (row, person) in order_people.iter().enumerate() {
        for namespace in ["cookie", "email", "user_id", "phone", "loyalty"] {
            if let Some(id) = m.tables.orders.text(namespace, row) {
                assert!(owners[&(namespace.to_owned(), id.into_owned())].contains(person));
            }
        }
    }
    let shared =
        |namespace: &str| owners.iter().filter(|((n, _), people)| n == namespace && people.len() > 1).count();
    assert!(shared("cookie") > 50 && shared("device") > 10);
    for personal in ["email", "user_id", "phone", "loyalty"] {
        assert_eq!(shared(personal), 0, "{personal}");
    }
}

#[test]
fn parameters_come_out_of_the_data() {
    let options = MarketOptions { people: 40_000, ..small() };
    let m = market(&options);
    let people = &m.tables.people;
    let n = people.rows() as f64;
    let mean = |name: &str| people.f64s(name).unwrap().iter().sum::<f64>() / n;
    // λ has the standard deviation 0.9 times its mean, p 0.16: four standard errors at 40,000.
    assert!((mean("rate") / (0.8 / 32.0) - 1.0).abs() < 0.025, "{}", mean("rate"));
    assert!((mean("dropout") - 0.2).abs() < 0.004, "{}", mean("dropout"));
    let buyers = bools(people, "buyer").iter().filter(|b| **b).count() as f64 / n;
    assert!((buyers - 0.4).abs() < 0.01, "{buyers}");
    let amounts = m.tables.orders.f64s("value").unwrap();
    let amount = amounts.iter().sum::<f64>() / amounts.len() as f64;
    assert!((amount / (6.25 * 18.0 / 2.75) - 1.0).abs() < 0.06, "{amount}");

    // Each touch causes an order with the channel's probability, less those
    // whose delay crosses the end or whose person has dropped out.
    for (c, spec) in m.truth.by_channel.iter().zip(&options.channels) {
        let expected = c.touches as f64 * spec.effect;
        let got = c.incremental_conversions as f64;
        let slack = 5.0 * expected.sqrt();
        assert!(
            got <= expected + slack && got >= 0.75 * expected - slack,
            "{}: {got} of {expected}",
            c.channel
        );
    }
    // Chance touches: 30-day reach × mean time in the market (half the days).
    let display = m.truth.by_channel.iter().find(|c| c.channel == "display").unwrap();
    let per_person = display.touches as f64 / n;
    assert!((per_person / (2.0 * 180.0 / 30.0 / 2.0) - 1.0).abs() < 0.03, "{per_person}");

    // What the BG/NBD process promises in the holdout is what baseline customers then do,
    // and marketing adds to it.
    let promised: f64 = people.f64s("expected_future_orders").unwrap().iter().sum();
    let told = &people.get("expected_future_orders").unwrap().valid;
    let came: i64 = people
        .i64s("future_orders")
        .unwrap()
        .iter()
        .zip(told.as_ref().unwrap())
        .filter_map(|(orders, told)| told.then_some(*orders))
        .sum();
    let ratio = came as f64 / promised;
    assert!((1.0..1.5).contains(&ratio), "{ratio}");
}

#[test]
fn without_marketing_the_forecast_is_unbiased() {
    let channels = vec![ChannelOptions { name: "direct".into(), intent: 1.0, ..ChannelOptions::default() }];
    let m = market(&MarketOptions { people: 40_000, channels, ..small() });
    assert_eq!(m.truth.orders, m.truth.baseline_orders);
    assert_eq!(m.truth.events, m.truth.by_channel[0].touches);
    let people = &m.tables.people;
    let promised: f64 = people.f64s("expected_future_orders").unwrap().iter().sum();
    let told = people.get("expected_future_orders").unwrap().valid.clone().unwrap();
    let came: i64 =
        people.i64s("future_orders").unwrap().iter().zip(told).filter_map(|(o, t)| t.then_some(*o)).sum();
    // About 9,000 orders, overdispersed: four standard errors are 6 %.
    assert!((came as f64 / promised - 1.0).abs() < 0.06, "{came} of {promised}");
}

#[test]
fn naive_last_touch_over_credits_branded_search_and_direct() {
    let m = market(&MarketOptions { people: 20_000, ..small() });
    let share = |name: &str| {
        let channels = m.truth.channels();
        let row =
            (0..channels.rows()).find(|r| channels.text("channel", *r).as_deref() == Some(name)).unwrap();
        channels.f64s("incremental_share").unwrap()[row]
    };
    assert!(share("paid_search") > 0.1 && share("social") > 0.1);
    assert!(share("branded_search") < 0.02);
    assert_eq!(share("direct"), 0.0);
}

#[test]
fn the_number_of_events_can_be_asked_for() {
    for asked in [100, 30_000, 400_000] {
        let m = Market::new(MarketOptions { events: Some(asked), ..MarketOptions::default() }).unwrap();
        let mut batches = m.batches(&Run::new());
        batches.by_ref().for_each(|b| drop(b.unwrap()));
        let made = batches.truth().events as f64;
        let slack = if asked < 1000 { 0.9 } else { 0.1 };
        assert!((made / asked as f64 - 1.0).abs() < slack, "{made} of {asked}");
    }
}

#[test]
fn options_say_what_is_wrong() {
    let refuse = |options: MarketOptions, name: &str| match Market::new(options) {
        Err(Error::Option { option, reason }) => assert!(option.contains(name), "{option}: {reason}"),
        other => panic!("{name}: {other:?}"),
    };
    let d = MarketOptions::default;
    refuse(MarketOptions { people: 0, ..d() }, "people");
    refuse(MarketOptions { people: u64::MAX, ..d() }, "people");
    refuse(MarketOptions { days: 0, ..d() }, "days");
    refuse(MarketOptions { events: Some(0), ..d() }, "events");
    refuse(MarketOptions { start: "yesterday".into(), ..d() }, "start");
    refuse(MarketOptions { activity: f64::NAN, ..d() }, "activity");
    refuse(MarketOptions { channels: vec![], ..d() }, "channels");
    refuse(MarketOptions { channels: vec![ChannelOptions::default()], ..d() }, "channels[0].name");
    let channel = |effect, intent| ChannelOptions {
        name: format!("c{effect}{intent}"),
        effect,
        intent,
        ..ChannelOptions::default()
    };
    refuse(MarketOptions { channels: vec![channel(1.5, 0.0)], ..d() }, "channels[0].effect");
    refuse(MarketOptions { channels: vec![channel(1.0, 0.6)], ..d() }, "channels");
    refuse(
        MarketOptions { purchases: PurchaseProcess { a: 0.0, ..Default::default() }, ..d() },
        "purchases.a",
    );
    refuse(
        MarketOptions { identity: IdentityBehaviour { login: -0.1, ..Default::default() }, ..d() },
        "identity.login",
    );
    let parsed = headwater::options::parse::<MarketOptions>(r#"{"poeple": 3}"#);
    assert!(matches!(parsed, Err(Error::Option { option, .. }) if option == "poeple"));
}

#[test]
fn extreme_parameters_end() {
    let purchases = PurchaseProcess { buyers: 1.0, r: 0.001, a: 0.001, b: 0.001, ..Default::default() };
    let tiny = MarketOptions { people: 300, purchases, activity: 0.01, ..small() };
    let m = market(&tiny);
    assert!(m.tables.people.f64s("dropout").unwrap().iter().all(|p| (0.0..=1.0).contains(p)));
    let busy = PurchaseProcess { buyers: 1.0, r: 50.0, alpha: 1.0, b: 1e6, ..Default::default() };
    let m = market(&MarketOptions { people: 50, days: 30, holdout_days: 0, purchases: busy, ..small() });
    assert!(m.truth.orders > 1000 && m.truth.holdout_orders == 0);
}

#[test]
fn a_market_can_be_cancelled() {
    let monitor = headwater::run::Monitor::new();
    let run = Run::new().monitor(monitor.clone());
    let market = Market::new(MarketOptions { people: 100_000, ..small() }).unwrap();
    let mut batches = market.batches(&run);
    assert!(batches.next().unwrap().is_ok());
    assert!(monitor.progress().done > 0);
    monitor.cancel();
    assert!(matches!(batches.next(), Some(Err(Error::Cancelled))));
    assert!(batches.next().is_none());
}

#[test]
fn shared_vectors() {
    support::run_vectors("simulate", |call, frames, json, run| match call {
        "simulate" => {
            let market = generate(&headwater::options::parse(json)?, run)?;
            let t = market.tables;
            Ok(vec![
                ("events", t.events),
                ("orders", t.orders),
                ("holdout", t.holdout),
                ("people", t.people),
                ("truth_people", t.truth_people),
                ("truth_events", t.truth_events),
                ("truth_orders", t.truth_orders),
                ("channels", market.truth.channels()),
                ("totals", market.truth.totals()),
            ])
        }
        "presets" => Ok(vec![("presets", headwater::simulate::presets())]),
        "lift_test" => {
            let options = headwater::options::parse(json)?;
            Ok(vec![("lift_test", headwater::simulate::lift_test(&options, run)?)])
        }
        "score" => {
            let options = headwater::options::parse(json)?;
            let scores = headwater::simulate::score(&frames["credits"], &frames["truth"], &options, run)?;
            Ok(vec![("channels", scores.channels), ("models", scores.models)])
        }
        other => panic!("no call {other}"),
    });
}
