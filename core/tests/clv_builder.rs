//! Summaries of orders that come in parts: those of all orders at once, to the last bit.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests as in tests

use headwater::clv::{Refunds, Rfm, RfmBuilder, SummarizeOptions, summarize};
use headwater::column::{Columns, Data, OnInvalid, Table};
use headwater::{Error, Run, model};
use proptest::prelude::*;

type Order = (u32, i64, Option<f64>);

const HOUR: i64 = 3_600_000_000;

fn frame(orders: &[Order], text: bool) -> Columns {
    let who = |order: &Order| i64::from(order.0) - 2;
    let customers: Data = if text {
        orders.iter().map(|o| format!("c{}", who(o))).collect::<Vec<_>>().into()
    } else {
        orders.iter().map(who).collect::<Vec<_>>().into()
    };
    Columns::new()
        .with("customer", customers)
        .with("time", Data::times(orders.iter().map(|o| o.1 * HOUR).collect()))
        .with("value", orders.iter().map(|o| o.2).collect::<Vec<_>>())
}

fn bits(table: &Table) -> String {
    let floats = |name: &str| {
        table.f64s(name).map(|v| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>()).unwrap_or_default()
    };
    let columns = table.columns().iter();
    columns.map(|c| format!("{} {:?} {:?}", c.name, c.values, floats(&c.name))).collect::<Vec<_>>().join("\n")
}

fn told(rfm: &headwater::Result<Rfm>) -> String {
    match rfm {
        Ok(rfm) => bits(&rfm.table()) + &bits(&rfm.accounting_table()) + &bits(&rfm.dropped().table()),
        Err(error) => error.to_string(),
    }
}

fn options() -> impl Strategy<Value = SummarizeOptions> {
    let refunds = prop_oneof![Just(Refunds::Net), Just(Refunds::Drop), Just(Refunds::Error)];
    let ends = prop_oneof![
        Just((None, None)),
        Just((None, Some("1970-01-05"))),
        Just((Some("1970-01-08"), None)),
        Just((Some("1970-01-09"), Some("1970-01-04T12:00"))),
    ];
    (refunds, ends, any::<[bool; 4]>()).prop_map(
        |(refunds, (end, calibration), [first, logs, coarse, bare])| SummarizeOptions {
            refunds,
            observation_end: end.map(Into::into),
            calibration_end: calibration.map(Into::into),
            include_first: first,
            log_intervals: logs,
            grain: if coarse { "36h" } else { "1d" }.parse().unwrap(),
            period: "7d".parse().unwrap(),
            value: (!bare).then(|| "value".to_owned()),
            on_invalid: OnInvalid::Drop,
            ..SummarizeOptions::default()
        },
    )
}

fn orders() -> impl Strategy<Value = Vec<Order>> {
    let amount = prop_oneof![
        8 => (1_i32..9000).prop_map(|cents| Some(f64::from(cents) / 100.0)),
        2 => (-3000_i32..0).prop_map(|cents| Some(f64::from(cents) / 100.0)),
        1 => Just(Some(1e17)),
        1 => Just(None),
    ];
    prop::collection::vec((0_u32..6, -30_i64..300, amount), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn parts_give_what_the_whole_gives(
        orders in orders(),
        options in options(),
        text in any::<bool>(),
        cuts in prop::collection::vec(1_usize..40, 1..12),
        seed in any::<u64>(),
    ) {
        let run = Run::new();
        let whole = summarize(&frame(&orders, text), &options, &run);
        let mut builder = RfmBuilder::new(options.clone()).unwrap();
        let (mut rest, mut at) = (&orders[..], 0);
        while !rest.is_empty() {
            let cut = cuts[at % cuts.len()].min(rest.len());
            let (part, others) = rest.split_at(cut);
            rest = others;
            match seed.rotate_right(2 * at as u32) & 3 {
                0 => {
                    let mut apart = RfmBuilder::new(options.clone()).unwrap();
                    let (a, b) = part.split_at(part.len() / 2);
                    apart.extend(&frame(a, text), &run).unwrap();
                    apart.extend(&frame(b, text), &run).unwrap();
                    builder.merge(&apart, &run).unwrap();
                }
                1 => {
                    builder = model::from_bytes(&model::to_bytes(&builder).unwrap()).unwrap();
                    builder.extend(&frame(part, text), &run).unwrap();
                }
                _ => builder.extend(&frame(part, text), &run).unwrap(),
            }
            at += 1;
        }
        prop_assert_eq!(told(&builder.summary(&run)), told(&whole));
        prop_assert_eq!(told(&builder.summary(&run.clone().threads(1))), told(&whole));
    }

    /// Each customer's numbers depend neither on the order of rows nor on that of parts.
    #[test]
    fn no_order_matters(orders in orders(), options in options(), cut in 0_usize..120) {
        let run = Run::new();
        let by_customer = |rfm: headwater::Result<Rfm>| {
            let Ok(rfm) = rfm else { return vec![told(&rfm)] };
            let table = rfm.table();
            let mut rows: Vec<String> = (0..rfm.len())
                .map(|row| {
                    let numbers = table.columns().iter().filter_map(|c| table.f64s(&c.name)).map(|v| v[row].to_bits());
                    format!("{:?} {} {:?}", rfm.customer.get(row), rfm.frequency[row], numbers.collect::<Vec<_>>())
                })
                .collect();
            rows.sort();
            rows
        };
        let mut backwards = orders.clone();
        backwards.reverse();
        let (a, b) = backwards.split_at(cut.min(backwards.len()));
        let mut builder = RfmBuilder::new(options.clone()).unwrap();
        for part in [b, a] {
            builder.extend(&frame(part, true), &run).unwrap();
        }
        let whole = summarize(&frame(&orders, true), &options, &run);
        prop_assert_eq!(by_customer(builder.summary(&run)), by_customer(whole));
        let whole = summarize(&frame(&backwards, true), &options, &run);
        prop_assert_eq!(by_customer(builder.summary(&run)), by_customer(whole));
    }
}

/// Thousands of orders of few days: what is kept grows with the days.
#[test]
fn memory_grows_with_days_and_not_with_orders() {
    let run = Run::new();
    for refunds in [Refunds::Net, Refunds::Error] {
        let options = SummarizeOptions { refunds, ..SummarizeOptions::default() };
        let mut builder = RfmBuilder::new(options.clone()).unwrap();
        let mut all = Columns::new();
        let mut state = 1_u64;
        for _ in 0..12 {
            let part: Vec<Order> = (0..2000)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let draw = |most: u64| (state >> 33) / 7 % most;
                    let customer = (state >> 40) % 20;
                    let sign = if refunds == Refunds::Net && draw(9) == 0 { -0.3 } else { 1.0 };
                    (customer as u32, (draw(10) as i64) * 24, Some(sign * (draw(5000) as f64) / 100.0))
                })
                .collect();
            builder.extend(&frame(&part, false), &run).unwrap();
            all.append(frame(&part, false)).unwrap();
        }
        // 200 days of at most three lines, half as many spare, and the least that a block keeps.
        assert!(builder.lines() <= 200 * 3 * 3 / 2 + 64, "{}", builder.lines());
        assert_eq!((builder.orders(), builder.customers()), (24_000, 20));
        assert_eq!(told(&builder.summary(&run)), told(&summarize(&all, &options, &run)));
    }
}

#[test]
fn what_cannot_be_is_one_clear_error() {
    let run = Run::new();
    let day = [(1, 24, Some(2.0)), (2, 48, Some(3.0))];
    let mut builder = RfmBuilder::new(SummarizeOptions::default()).unwrap();
    assert!(matches!(builder.summary(&run), Err(Error::NotEnoughData { .. })));
    builder.extend(&frame(&[], true), &run).unwrap();
    builder.extend(&frame(&day, false), &run).unwrap();
    let before = (told(&builder.summary(&run)), model::to_bytes(&builder).unwrap());
    let refund = frame(&[(1, 24, Some(1.0)), (7, 24, Some(-1.0))], false);
    let other =
        RfmBuilder::new(SummarizeOptions { log_intervals: true, ..SummarizeOptions::default() }).unwrap();
    let mut text = RfmBuilder::new(SummarizeOptions::default()).unwrap();
    text.extend(&frame(&day, true), &run).unwrap();
    for (result, said) in [
        (builder.extend(&frame(&day, true), &run), "text in another"),
        (builder.extend(&refund, &run), "refund"),
        (builder.extend(&Columns::new(), &run), "customer"),
        (builder.merge(&other, &run), "differ between"),
        (builder.merge(&text, &run), "text in another"),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!((told(&builder.summary(&run)), model::to_bytes(&builder).unwrap()), before);

    for (wrong, option) in [
        (SummarizeOptions { grain: "0d".parse().unwrap(), ..SummarizeOptions::default() }, "grain"),
        (
            SummarizeOptions { observation_end: Some("soon".into()), ..SummarizeOptions::default() },
            "observation_end",
        ),
        (
            SummarizeOptions { calibration_end: Some("soon".into()), ..SummarizeOptions::default() },
            "calibration_end",
        ),
    ] {
        assert!(matches!(RfmBuilder::new(wrong), Err(Error::Option { option: o, .. }) if o == option));
    }

    // A sum beyond the range of a double is no amount.
    let much = [(1, 0, Some(1.0)), (1, 24, Some(1.7e308)), (1, 24, Some(1.7e308))];
    let mut builder = RfmBuilder::new(SummarizeOptions::default()).unwrap();
    builder.extend(&frame(&much, true), &run).unwrap();
    for result in [builder.summary(&run), summarize(&frame(&much, true), &SummarizeOptions::default(), &run)]
    {
        assert!(matches!(result, Err(Error::Column { column, .. }) if column == "value"));
    }
}

#[test]
fn a_file_of_contradictions_is_one_clear_error() {
    let mut builder = RfmBuilder::new(SummarizeOptions::default()).unwrap();
    builder.extend(&frame(&[(1, 24, Some(2.0)), (4, 48, Some(3.5))], true), &Run::new()).unwrap();
    let good = String::from_utf8(model::to_bytes(&builder).unwrap()).unwrap();
    let inside = good.split_once("\"model\":").unwrap().1.strip_suffix('}').unwrap();
    let load = |inside: &str| {
        let sum = crc32fast::hash(inside.as_bytes());
        let head = format!(r#"{{"format":1,"version":"0","kind":"clv.RfmBuilder","crc32":"{sum:08x}"}}"#);
        model::from_bytes::<RfmBuilder>(format!(r#"{{"headwater":{head},"model":{inside}}}"#).as_bytes())
    };
    load(inside).unwrap();
    for (from, to) in [
        (r#""customer":[0,1]"#, r#""customer":[0,2]"#),
        (r#""customer":[0,1]"#, r#""customer":[0,4000000000]"#),
        (r#""customer":[0,1]"#, r#""customer":[0]"#),
        (r#""grain":[1,2]"#, r#""grain":[1,9223372036854775807]"#),
        (r#""kind":[11,11]"#, r#""kind":[11,99]"#),
        (r#"["c-1","c2"]"#, r#"["c2","c2"]"#),
        (r#""grain":"1d""#, r#""grain":"0d""#),
        (r#""orders":2"#, r#""orders":18446744073709551615"#),
    ] {
        assert!(inside.contains(from), "{inside}");
        assert!(matches!(load(&inside.replacen(from, to, 1)), Err(Error::ModelFile { .. })), "{to}");
    }
}
