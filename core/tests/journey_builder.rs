//! Journeys that grow: what a part that fails leaves behind, and files.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests as in tests

use headwater::column::{Columns, Data};
use headwater::journey::{EventOptions, JourneyBuilder, Journeys, Moment};
use headwater::run::{Monitor, Run};
use headwater::{Error, model, options};

/// Rows of customer, day and channel.
fn touches(rows: &[(&str, i64, &str)]) -> Columns {
    let day = |day: i64| day * 86_400_000_000;
    Columns::new()
        .with("customer", rows.iter().map(|r| r.0).collect::<Vec<_>>())
        .with("time", Data::times(rows.iter().map(|r| day(r.1)).collect()))
        .with("channel", rows.iter().map(|r| r.2).collect::<Vec<_>>())
}

fn orders(rows: &[(&str, i64)]) -> Columns {
    let rows: Vec<_> = rows.iter().map(|(who, day)| (*who, *day, "-")).collect();
    touches(&rows).with("channel", vec![1.5; rows.len()])
}

fn part(n: i64) -> (Columns, Columns) {
    let new = format!("c{n}");
    let rows = [("ann", n, "search"), ("bob", n, "email"), (new.as_str(), n, "tv")];
    (touches(&rows), orders(&[("ann", n + 1), (&new, n + 2)]))
}

fn grown(parts: std::ops::Range<i64>) -> JourneyBuilder {
    let mut builder = JourneyBuilder::new(EventOptions::default());
    for n in parts {
        let (touches, orders) = part(n);
        builder.extend(&touches, Some(&orders), &Run::new()).unwrap();
    }
    builder
}

fn shown(builder: &JourneyBuilder) -> String {
    let j = builder.journeys();
    let one =
        |i: usize| format!("{:?}", (j.customer(i), j.path(i), j.touch_times(i), j.end_time(i), j.nulls()[i]));
    let rows: Vec<String> = (0..j.len()).map(one).collect();
    format!("{rows:?} {:?} {:?}", j.summary(), j.channel_labels())
}

#[test]
fn a_part_that_fails_leaves_the_builder_as_it_was() {
    let mut builder = grown(0..3);
    let (before, file) = (shown(&builder), model::to_bytes(&builder).unwrap());
    let (good, sold) = part(3);
    let cancelled = Monitor::new();
    cancelled.cancel();
    let run = Run::new();
    let numbers = good.clone().with("customer", vec![1, 2, 3]);
    let stopped = run.clone().monitor(cancelled);
    let fails = [
        (builder.extend(&touches(&[("", 1, "a")]), Some(&sold), &run), "the value is"),
        (builder.extend(&good, None, &run), "give an empty one"),
        (
            builder.extend(&good.clone().with("channel", vec![1, 2, 3]), Some(&sold), &run),
            "integers in another",
        ),
        (builder.extend(&numbers, Some(&sold.clone().with("customer", vec![1, 2])), &run), "in another"),
        (builder.extend(&good, Some(&sold), &stopped), "cancelled"),
    ];
    for (result, said) in fails {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!((shown(&builder), builder.touches()), (before.clone(), 9));
        assert_eq!(model::to_bytes(&builder).unwrap(), file);
    }
    builder.extend(&good, Some(&sold), &run).unwrap();
    assert_eq!(shown(&builder), shown(&grown(0..4)));
}

/// Customers are met before their journeys are built: cancelled in between,
/// at whatever moment that is, nobody stays behind.
#[test]
fn a_part_that_is_cancelled_midway_is_forgotten() {
    let mut builder = grown(0..2);
    let before = shown(&builder);
    let rows: Vec<String> = (0..40_000).map(|i| format!("n{i}")).collect();
    let many: Vec<_> = rows.iter().map(|name| (name.as_str(), 5, "tv")).collect();
    let (many, none) = (touches(&many), orders(&[]));
    let mut stopped = 0;
    for micros in [0, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000] {
        let monitor = Monitor::new();
        let run = Run::new().threads(1).monitor(monitor.clone());
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_micros(micros));
                monitor.cancel();
            });
            let mut tried = builder.clone();
            let result = tried.extend(&many, Some(&none), &run);
            if result.is_err() {
                assert_eq!(shown(&tried), before);
                tried.extend(&part(2).0, Some(&part(2).1), &Run::new()).unwrap();
                assert_eq!(shown(&tried), shown(&grown(0..3)));
            }
            result
        });
        stopped += usize::from(matches!(result, Err(Error::Cancelled)));
    }
    assert!(stopped > 0, "none was cancelled");
    builder.extend(&many, Some(&none), &Run::new()).unwrap();
}

/// An order that another customer had in an earlier part: the error is that of all
/// events at once, in a frame of its own and in a flagged one, and nothing stays of it.
#[test]
fn an_order_that_repeats_one_of_an_earlier_part_is_told_by_its_row() {
    let run = Run::new();
    let o: EventOptions = options::parse(r#"{"order_id": "order", "duplicate_orders": "error"}"#).unwrap();
    let seen = touches(&[("ann", 1, "a"), ("bob", 1, "b"), ("cid", 1, "a")]);
    let sold = |rows: &[(&str, i64)], ids: &[&'static str]| orders(rows).with("order", ids.to_vec());
    let first = sold(&[("ann", 2), ("cid", 3)], &["o1", "o2"]);
    let again = sold(&[("bob", 4), ("bob", 5)], &["o3", "o1"]);
    let mut builder = JourneyBuilder::new(o.clone());
    builder.extend(&seen, Some(&first), &run).unwrap();
    let before = shown(&builder);
    let error = builder.extend(&touches(&[]), Some(&again), &run).unwrap_err();
    assert!(matches!(&error, Error::Row { column, row: 3, count: 1, .. } if column == "order"), "{error}");
    assert_eq!(shown(&builder), before);
    // Neither bob's o3 nor what he shared with ann is remembered.
    let other = sold(&[("cid", 4), ("bob", 5)], &["o3", "o4"]);
    builder.extend(&touches(&[]), Some(&other), &run).unwrap();
    let mut all = first;
    all.append(other).unwrap();
    let whole = Journeys::from_events(&seen, Some(&all), &o, &run).unwrap();
    assert_eq!(builder.journeys().summary(), whole.summary());
    assert_eq!(builder.journeys().len(), whole.len());

    let flagged = EventOptions { conversion: Some("sold".into()), ..o };
    let frame = |rows: &[(&str, i64, &str)], ids: &[Option<&'static str>]| {
        let sold: Vec<bool> = ids.iter().map(Option::is_some).collect();
        touches(rows).with("sold", sold).with("order", ids.to_vec())
    };
    let mut builder = JourneyBuilder::new(flagged);
    builder.extend(&frame(&[("ann", 1, "a"), ("ann", 2, "a")], &[None, Some("o1")]), None, &run).unwrap();
    let part = frame(&[("bob", 1, "a"), ("bob", 4, "a")], &[None, Some("o1")]);
    let error = builder.extend(&part, None, &run).unwrap_err();
    assert!(matches!(&error, Error::Row { row: 3, count: 1, .. }), "{error}");
}

#[test]
fn columns_that_options_do_not_name_are_not_kept() {
    let mut builder = JourneyBuilder::new(EventOptions::default());
    let extra = touches(&[("ann", 1, "a")]).with("secret", vec!["x"]);
    builder.extend(&extra, None, &Run::new()).unwrap();
    builder.extend(&touches(&[("ann", 2, "b")]), None, &Run::new()).unwrap();
    let file = model::to_bytes(&builder).unwrap();
    assert!(!String::from_utf8(file).unwrap().contains("secret"));
    assert_eq!(builder.journeys().path(0).len(), 2);
}

#[test]
fn a_flagged_frame_grows_too() {
    let o: EventOptions =
        options::parse(r#"{"conversion": "sold", "value": "worth", "campaign": "ad"}"#).unwrap();
    let frame = |day: i64, sold: bool| {
        touches(&[("ann", day, "a")])
            .with("sold", vec![sold])
            .with("worth", vec![Some(2.5).filter(|_| sold)])
            .with("ad", vec![Some("x").filter(|_| !sold)])
    };
    let mut builder = JourneyBuilder::new(o.clone());
    let mut all = Columns::new();
    for (day, sold) in [(1, false), (2, true), (3, true)] {
        builder.extend(&frame(day, sold), None, &Run::new()).unwrap();
        builder = model::from_bytes(&model::to_bytes(&builder).unwrap()).unwrap();
        all.append(frame(day, sold)).unwrap();
    }
    let whole = Journeys::from_events(&all, None, &o, &Run::new()).unwrap();
    assert_eq!(builder.journeys().summary(), whole.summary());
    assert_eq!(whole.total_value(), 5.0);
}

#[test]
fn a_file_of_contradictions_is_one_clear_error() {
    let good = String::from_utf8(model::to_bytes(&grown(0..2)).unwrap()).unwrap();
    let inside = good.split_once("\"model\":").unwrap().1.strip_suffix('}').unwrap();
    let load = |inside: &str| {
        let sum = crc32fast::hash(inside.as_bytes());
        let head =
            format!(r#"{{"format":1,"version":"0","kind":"journey.JourneyBuilder","crc32":"{sum:08x}"}}"#);
        model::from_bytes::<JourneyBuilder>(format!(r#"{{"headwater":{head},"model":{inside}}}"#).as_bytes())
    };
    assert_eq!(shown(&load(inside).unwrap()), shown(&grown(0..2)));
    for (from, to, said) in [
        (r#""codes":[0,"#, r#""codes":[99,"#, "label"),
        (r#""codes":[0,"#, r#""codes":[null,"#, "missing"),
        (r#""codes":[0,"#, r#""codes":["#, "rows"),
        (r#""name":"time""#, r#""name":"tim""#, "tim"),
        (r#""lookback":"30d""#, r#""lookback":"30x""#, "30x"),
        (r#""view_weight":1.0"#, r#""view_weight":-1.0"#, "view_weight"),
        (r#""events":{"#, r#""events":{"more":1,"#, "more"),
    ] {
        let bad = inside.replacen(from, to, 1);
        assert_ne!(bad, inside, "{from}");
        let error = load(&bad).unwrap_err();
        assert!(matches!(error, Error::ModelFile { .. }) && error.to_string().contains(said), "{error}");
    }
    let cut = &good.as_bytes()[..good.len() / 2];
    assert!(matches!(model::from_bytes::<JourneyBuilder>(cut), Err(Error::ModelFile { .. })));
}

#[test]
fn an_empty_builder_is_a_file_too() {
    let options = EventOptions { observation_end: Some(Moment(7)), ..EventOptions::default() };
    let empty = JourneyBuilder::new(options.clone());
    let back: JourneyBuilder = model::from_bytes(&model::to_bytes(&empty).unwrap()).unwrap();
    assert_eq!((back.options(), back.touches(), back.journeys().len()), (&options, 0, 0));
    let bad = JourneyBuilder::new(EventOptions { view_weight: -1.0, ..EventOptions::default() });
    assert!(matches!(model::to_bytes(&bad), Err(Error::Option { .. })));
}
