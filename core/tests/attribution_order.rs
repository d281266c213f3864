//! The choice of a chain's order, against ChannelAttribution, by hand and on chains of known order.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::type_complexity
)]

use headwater::Error;
use headwater::attribution::{Criterion, Given, OrderOptions, choose_order};
use headwater::column::{Columns, Table, Values};
use headwater::journey::{Conversions, Journeys, PathOptions, Policies, Touches};
use headwater::run::Run;

fn journeys(rows: &[(String, f64, f64)]) -> Journeys {
    let frame = Columns::new()
        .with("path", rows.iter().map(|r| r.0.clone()).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>());
    let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

fn choose(j: &Journeys, max_order: usize, criterion: Criterion, folds: usize) -> Table {
    choose_order(j, &OrderOptions { max_order, criterion, folds }, &Run::new()).unwrap()
}

fn chosen(table: &Table) -> usize {
    let Values::Bool(chosen) = &table.get("chosen").unwrap().values else { panic!("chosen") };
    assert_eq!(chosen.iter().filter(|c| **c).count(), 1);
    chosen.iter().position(|c| *c).unwrap() + 1
}

#[test]
fn the_rule_of_channelattribution() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/paths.csv.gz");
    let mut reader =
        csv::Reader::from_reader(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let number = |record: &csv::StringRecord, i: usize| record[i].parse::<f64>().unwrap();
    let rows: Vec<_> = reader
        .records()
        .map(|r| r.unwrap())
        .map(|r| (r[0].to_owned(), number(&r, 1), number(&r, 3)))
        .collect();
    let j = journeys(&rows);
    let table = choose(&j, 6, Criterion::Auc, 3);
    // ChannelAttribution 2.2.5.
    let auc = [
        0.5086696645951058,
        0.5173760449834996,
        0.5278478494844326,
        0.542849142833137,
        0.553_811_662_450_436,
        0.5589173138512263,
    ];
    let pauc = [
        0.5086029485471181,
        0.5169497566688364,
        0.5258953446244241,
        0.535678334407208,
        0.5306148396456025,
        0.4870999302993618,
    ];
    for k in 0..6 {
        assert!((table.f64s("auc").unwrap()[k] - auc[k]).abs() < 1e-14);
        assert!((table.f64s("pauc").unwrap()[k] - pauc[k]).abs() < 1e-14);
    }
    assert_eq!(chosen(&table), 4);
    // The rest of the table: likelihood rises with every order, held out it does not.
    let of = |name: &str| table.f64s(name).unwrap().to_vec();
    assert!(of("log_likelihood").windows(2).all(|w| w[1] >= w[0]));
    let held_out = of("held_out_log_likelihood");
    assert!(held_out.iter().zip(of("log_likelihood")).all(|(h, l)| *h < l));
    let top = held_out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (h, se) in held_out.iter().zip(of("held_out_se")) {
        assert!(if *h == top { se == 0.0 } else { se > 0.0 }, "{h} {se}");
    }
    // Rows in another order, and in halves, change no bit.
    let mut turned: Vec<_> = rows.iter().rev().map(|r| (r.0.clone(), r.1, r.2)).collect();
    let (p, c, n) = turned[0].clone();
    turned[0] = (p.clone(), c / 2.0, n / 2.0);
    turned.push((p, c / 2.0, n / 2.0));
    assert_eq!(choose(&journeys(&turned), 6, Criterion::Auc, 3), table);
    let three = OrderOptions { max_order: 6, criterion: Criterion::Auc, folds: 3 };
    assert_eq!(choose_order(&j, &three, &Run::new().threads(3)).unwrap(), table);
    // Another seed deals other folds.
    assert_ne!(choose_order(&j, &three, &Run::new().seed(1)).unwrap(), table);
}

#[test]
fn likelihood_by_hand() {
    let rows = [("a > b", 3.0, 1.0), ("a", 2.0, 4.0), ("b > a > b", 0.0, 2.0)];
    let rows: Vec<_> = rows.iter().map(|r| (r.0.to_owned(), r.1, r.2)).collect();
    let table = choose(&journeys(&rows), 3, Criterion::Aic, 0);
    let l = |pairs: &[(f64, f64)]| pairs.iter().map(|(n, of)| n * (n / of).ln()).sum::<f64>();
    // Order 1: start a 10 b 2; a > b 6, a converts 2, a null 4; b > a 2, b converts 3, b null 3.
    let one = l(&[(10., 12.), (2., 12.), (6., 12.), (2., 12.), (4., 12.), (2., 8.), (3., 8.), (3., 8.)]);
    // Order 2: start ab 4, a 6, ba 2; ba > ab 2; ab converts 3, null 3; a converts 2, null 4.
    let two = l(&[(4., 12.), (6., 12.), (2., 12.), (3., 6.), (3., 6.), (2., 6.), (4., 6.)]);
    // Order 3: paths.
    let three = l(&[(4., 12.), (6., 12.), (2., 12.), (3., 4.), (1., 4.), (2., 6.), (4., 6.)]);
    for (found, exact) in table.f64s("log_likelihood").unwrap().iter().zip([one, two, three]) {
        assert!((found - exact).abs() < 1e-12, "{found} {exact}");
    }
    assert_eq!(table.i64s("parameters").unwrap(), [5, 4, 4]);
    assert_eq!(table.i64s("states").unwrap(), [2, 3, 3]);
    let steps: f64 = 4. * 3. + 6. * 2. + 2. * 4.;
    assert!((table.f64s("aic").unwrap()[1] - (8. - 2. * two)).abs() < 1e-12);
    assert!((table.f64s("bic").unwrap()[0] - (5. * steps.ln() - 2. * one)).abs() < 1e-12);
    let missing = table.get("held_out_log_likelihood").unwrap().valid.as_ref().unwrap();
    assert_eq!(missing, &[false; 3]);
}

/// Errors are as wide as distances scatter over samples of one chain.
#[test]
fn distances_held_out_scatter_as_is_told() {
    let mut state = 9_u64;
    let mut draw = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let (mut gaps, mut told) = (Vec::new(), 0.0);
    for _ in 0..200 {
        let rows: Vec<(String, f64, f64)> = (0..300)
            .map(|_| {
                let mut path = vec![["a", "b", "c"][draw(3) as usize]];
                while draw(4) > 0 {
                    // b follows a more often than c does: order 1 says all there is.
                    path.push(if path.last() == Some(&"a") && draw(2) > 0 {
                        "b"
                    } else {
                        ["a", "b", "c"][draw(3) as usize]
                    });
                }
                let sold = f64::from(u8::from(draw(3) == 0));
                (path.join(" > "), sold, 1.0 - sold)
            })
            .collect();
        let table = choose(&journeys(&rows), 3, Criterion::HeldOut, 10);
        let of = |name: &str| table.f64s(name).unwrap().to_vec();
        assert_eq!(of("held_out_se")[chosen(&table) - 1], 0.0);
        if chosen(&table) == 1 {
            gaps.push(of("held_out_log_likelihood")[0] - of("held_out_log_likelihood")[2]);
            told += of("held_out_se")[2].powi(2);
        }
    }
    let n = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / n;
    let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let told = (told / n).sqrt();
    assert!(n > 100.0 && (0.6..1.6).contains(&(told / deviation)), "{n} {told} {deviation}");
}

/// Journeys of a chain that remembers two touches: c follows the same two of a, b as often.
fn second_order(n: usize) -> (Vec<u32>, Vec<i64>, Vec<u32>, Vec<u32>, Vec<i64>) {
    let mut state = 7_u64;
    let mut draw = |of: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % of
    };
    let (mut customer, mut time, mut channel, mut buyer, mut sold) = (vec![], vec![], vec![], vec![], vec![]);
    for who in 0..n as u32 {
        let mut path = vec![draw(3) as u32, draw(3) as u32];
        while draw(6) > 0 {
            let (x, y) = (path[path.len() - 2], path[path.len() - 1]);
            path.push(if draw(10) < 8 { (x + 2 * y) % 3 } else { draw(3) as u32 });
        }
        for (t, c) in path.iter().enumerate() {
            customer.push(who);
            time.push(t as i64);
            channel.push(*c);
        }
        if draw(3) == 0 {
            buyer.push(who);
            sold.push(path.len() as i64);
        }
    }
    (customer, time, channel, buyer, sold)
}

#[test]
fn a_chain_of_the_second_order_is_found_out() {
    let (customer, time, channel, buyer, sold) = second_order(3_000);
    let touches = Touches { customer: &customer, time: &time, channel: &channel, cost: None };
    let orders = Conversions { customer: &buyer, time: &sold, value: None };
    let j = Journeys::build(&touches, &orders, &Policies::default(), &Run::new()).unwrap();
    for criterion in [Criterion::HeldOut, Criterion::Aic, Criterion::Bic] {
        let table = choose(&j, 5, criterion, 5);
        assert_eq!(chosen(&table), 2, "{criterion:?} {table:?}");
    }
    let door = Given::from(&j).report("choose_order", r#"{"max_order": 5}"#, &Run::new()).unwrap();
    assert_eq!((door[0].0, &door[0].1), ("orders", &choose(&j, 5, Criterion::HeldOut, 5)));
}

#[test]
fn what_cannot_be_chosen_is_said() {
    let j = journeys(&[("a > b".to_owned(), 2.0, 0.0)]);
    let fails = |o: OrderOptions| choose_order(&j, &o, &Run::new()).unwrap_err();
    let d = OrderOptions::default();
    assert!(matches!(fails(OrderOptions { max_order: 0, ..d }), Error::Option { .. }));
    assert!(matches!(fails(OrderOptions { folds: 1, ..d }), Error::Option { .. }));
    assert!(matches!(fails(OrderOptions { folds: 0, ..d }), Error::Option { .. }));
    assert!(matches!(fails(OrderOptions { max_order: 99, ..d }), Error::Option { .. }));
    assert!(matches!(fails(OrderOptions { criterion: Criterion::Auc, ..d }), Error::NotEnoughData { .. }));
    let none = journeys(&[(String::new(), 2.0, 0.0)]);
    assert!(matches!(choose_order(&none, &d, &Run::new()), Err(Error::NotEnoughData { .. })));
}
