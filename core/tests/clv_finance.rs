//! Formulas of finance beside brute-force sums, published triangles, golden
//! numbers, and what must not matter.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::similar_names)]

use headwater::clv::finance::{Payments, Rate, SimpleValue, Terms, Triangle, report, simple_value};
use headwater::column::{Columns, Data, Table, Values};
use headwater::math::{exp, ln_1p};
use headwater::{Result, Run};
use proptest::prelude::*;

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let error = (got - want).abs() / want.abs().max(1e-300);
    assert!(error <= tolerance, "{what}: {got} for {want}, relative error {error:.2e}");
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T>) -> (String, &'static str) {
    let error = result.unwrap_err();
    let named = match &error {
        headwater::Error::Option { option, .. } => option.clone(),
        headwater::Error::Column { column, .. } | headwater::Error::Row { column, .. } => column.clone(),
        _ => String::new(),
    };
    (named, error.code())
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap().to_vec()
}

fn table(name: &str, frame: Option<&Columns>, options: &str) -> Table {
    report(name, frame, options, &Run::new()).unwrap().swap_remove(0).1
}

/// Payment by payment, until nothing is left.
fn brute(t: &Terms) -> f64 {
    let n = t.periods.unwrap_or(200_000).min(200_000);
    let shift = u64::from(t.payments == Payments::End);
    let (mut margin, mut upkeep) = (headwater::math::Sum::default(), headwater::math::Sum::default());
    let factor = t.retention / (1.0 + t.discount);
    let (mut m, mut c) = (t.margin, t.upkeep);
    for k in 0..n + shift {
        if k >= shift {
            margin.add(m);
            upkeep.add(c);
        }
        m *= factor * (1.0 + t.growth);
        c *= factor;
    }
    margin.value() - upkeep.value()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn closed_forms_are_their_sums(
        margin in -5.0..50.0_f64, upkeep in 0.0..5.0_f64, retention in 0.0..1.0_f64, discount in 0.01..0.5_f64,
        growth in -0.2..0.005_f64, cost in 0.0..200.0_f64, n in prop::option::of(1_u64..300), end in any::<bool>(),
    ) {
        let payments = if end { Payments::End } else { Payments::Start };
        let terms = Terms { margin, upkeep, retention, discount, growth, acquisition_cost: cost, periods: n, payments };
        let value = simple_value(&terms).unwrap();
        let want = brute(&terms);
        prop_assert!((value.gross - want).abs() < 1e-10 * (1.0 + want.abs() + margin.abs() + upkeep), "{value:?} {want}");
        prop_assert_eq!(value.clv, value.gross - cost);
        // Payback: one payment less does not cover the cost.
        let upto = |n: u64| brute(&Terms { periods: Some(n), ..terms });
        if let Some(p) = value.payback.filter(|p| *p > 0) {
            prop_assert!(p <= n.unwrap_or(u64::MAX));
            prop_assert!(upto(p) >= cost - 1e-9 && (p == 1 || upto(p - 1) < cost + 1e-9), "{p}");
        } else if value.payback.is_none() {
            prop_assert!(value.clv < 1e-9 * (1.0 + cost));
        }
    }

    #[test]
    fn more_retention_is_worth_more_and_break_even_divides(
        margin in 1.0..50.0_f64, retention in 0.0..0.99_f64, discount in 0.0..0.5_f64, cost in 0.0..500.0_f64,
        n in prop::option::of(1_u64..300), end in any::<bool>(),
    ) {
        let payments = if end { Payments::End } else { Payments::Start };
        let terms =
            Terms { margin, upkeep: 0.0, retention, discount, growth: 0.0, acquisition_cost: cost, periods: n, payments };
        let at = |retention: f64| simple_value(&Terms { retention, ..terms });
        let (less, more) = (at(retention).unwrap(), at(retention + 0.009).unwrap());
        prop_assert!(less.clv <= more.clv);
        prop_assert_eq!(less.break_even_retention, more.break_even_retention);
        match less.break_even_retention {
            None => prop_assert!(more.clv < 0.0),
            Some(edge) => {
                prop_assert!(edge >= 1.0 || at(edge).is_err() || at(edge).unwrap().clv >= 0.0);
                prop_assert!(edge < 1e-9 || at(edge * (1.0 - 1e-9)).unwrap().clv < 1e-6 * cost);
            }
        }
    }

    #[test]
    fn the_order_of_orders_does_not_matter_to_the_bit(
        orders in prop::collection::vec((0_u32..9, 0_i64..300, -3_i32..40), 1..60), seed in any::<u64>(),
    ) {
        let mut orders: Vec<(u32, i64, f64)> =
            orders.into_iter().map(|(c, d, v)| (c, d, f64::from(v) * 0.1)).collect();
        let frame = |orders: &[(u32, i64, f64)]| Columns::new()
            .with("customer", orders.iter().map(|o| format!("c{}", o.0)).collect::<Vec<String>>())
            .with("time", Data::times(orders.iter().map(|o| o.1 * 86_400_000_000).collect()))
            .with("value", orders.iter().map(|o| o.2).collect::<Vec<f64>>());
        let run = Run::new();
        let all = |orders: &[(u32, i64, f64)]| -> Vec<_> {
            ["cohorts", "historic_value", "chain_ladder_orders"].into_iter().map(|name| {
                report(name, Some(&frame(orders)), r#"{"refunds": "net", "period": "30d", "margin": 0.3}"#, &run)
                    .map_err(|e| e.to_string())
            }).collect()
        };
        let before = all(&orders);
        for i in (1..orders.len()).rev() {
            orders.swap(i, (seed.wrapping_mul(i as u64 + 7) >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(before, all(&orders));
    }

}

#[test]
fn rates_know_their_span() {
    let month = "30d".parse().unwrap();
    let yearly = Rate::new(0.1, "365d".parse().unwrap());
    close(yearly.over(month), exp(30.0 / 365.0 * ln_1p(0.1)) - 1.0, 1e-14, "rate");
    close(ln_1p(yearly.over(month)) * 365.0 / 30.0, ln_1p(0.1), 1e-14, "back");
    // A year of months at the monthly rate is the yearly rate: the same value either way.
    let options = |margin: &str, retention: f64, per: &str| {
        format!(
            r#"{{"margin": {margin}, "retention": {{"rate": {retention}, "per": "{per}"}},
                "discount": {{"rate": 0.1, "per": "365d"}}, "acquisition_cost": 100, "horizon": "3650d"}}"#
        )
    };
    let monthly = r#"{"amount": 10, "per": "36.5d"}"#;
    let one = table("simple_value", None, &options(monthly, 0.8, "365d"));
    let two = table("simple_value", None, &options(monthly, exp(0.1 * headwater::math::ln(0.8)), "36.5d"));
    close(f64s(&one, "clv")[0], f64s(&two, "clv")[0], 1e-12, "value");
    assert_eq!(f64s(&one, "payback_days")[0], (f64s(&one, "payback_payments")[0] - 1.0) * 36.5);
    // Break-even is told per the span in which retention was given.
    close(
        f64s(&one, "break_even_retention")[0],
        headwater::math::pow(f64s(&two, "break_even_retention")[0], 10.0),
        1e-9,
        "break even",
    );

    let run = Run::new();
    let bad = |options: &str| code(report("simple_value", None, options, &run));
    assert_eq!(bad("{}"), ("margin".into(), "HW_OPTION"));
    let rest = r#""retention": {"rate": 0.8, "per": "365d"}, "discount": {"rate": 0.1, "per": "365d"}"#;
    let with = |more: &str| format!(r#"{{"margin": {{"amount": 10, "per": "30d"}}, {rest}{more}}}"#);
    assert!(report("simple_value", None, &with(""), &run).is_ok());
    assert_eq!(bad(&with(r#", "upkeep": {"amount": 1, "per": "365d"}"#)), ("upkeep".into(), "HW_OPTION"));
    assert_eq!(bad(&with(r#", "horizon": "365d""#)), ("horizon".into(), "HW_OPTION"));
    assert_eq!(bad(&with(r#", "growth": 0.02"#)), ("growth".into(), "HW_OPTION")); // a rate without its span
    assert_eq!(bad(&with(r#", "growth": {"rate": 0.02}"#)), ("growth".into(), "HW_OPTION"));
    assert_eq!(bad(&with(r#", "growth": {"rate": 3.0, "per": "30d"}"#)), ("discount".into(), "HW_OPTION"));
    assert_eq!(bad(&with(r#", "columns": {"margin": "m"}"#)), ("columns".into(), "HW_OPTION"));
    let free = r#"{"margin": {"amount": 10, "per": "30d"}, "retention": {"rate": 1, "per": "30d"},
                   "discount": {"rate": 0, "per": "30d"}}"#;
    assert_eq!(bad(free), ("discount".into(), "HW_OPTION"));
    assert_eq!(code(report("nothing", None, "{}", &run)), ("report".into(), "HW_OPTION"));
    assert_eq!(code(report("cohorts", None, "{}", &run)), ("frame".into(), "HW_OPTION"));
}

#[test]
fn cases_of_a_frame_are_valued_row_by_row() {
    let frame = Columns::new()
        .with("segment", vec!["gold", "basic", "odd"])
        .with("m", vec![100.0, 20.0, 5.0])
        .with("stay", vec![0.9, 0.6, 1.5])
        .with("cac", vec![150.0, 60.0, 1.0]);
    let options = r#"{"margin": {"amount": 0, "per": "365d"}, "retention": {"rate": 0.5, "per": "365d"},
        "discount": {"rate": 0.1, "per": "365d"}, "on_invalid": "drop",
        "columns": {"name": "segment", "margin": "m", "retention": "stay", "acquisition_cost": "cac"}}"#;
    let tables = report("simple_value", Some(&frame), options, &Run::new()).unwrap();
    let got = &tables[0].1;
    assert_eq!((got.rows(), tables[1].1.rows()), (2, 1));
    close(f64s(got, "clv")[0], 100.0 * 1.1 / 0.2 - 150.0, 1e-14, "gold");
    close(f64s(got, "clv_to_cac")[1], 20.0 * 1.1 / 0.5 / 60.0, 1e-14, "basic");
    assert_eq!(got.get("payback_payments").unwrap().valid, Some(vec![true, false]));
    assert_eq!(f64s(got, "payback_payments")[0], 2.0); // 100 + 100 · 0.9 / 1.1
    assert_eq!(f64s(got, "expected_payments")[1], 2.5);
}

#[test]
fn equity_is_what_there_is_and_what_will_come() {
    let frame = Columns::new()
        .with("customer", vec!["a", "b", "c"])
        .with("value", vec![100.0, 50.0, -10.0])
        .with("profit", vec![30.0, 10.0, 0.0])
        .with("p", vec![0.9, 0.5, 0.1])
        .with("age", vec![0.0, 3.0, 8.0])
        .with("remaining", vec![5.0, 3.0, 0.5]);
    let options = r#"{"profit": "profit", "p_active": "p", "age": "age", "remaining": "remaining",
        "discount": {"rate": 0.21, "per": "730d"},
        "future": [{"after": "365d", "customers": 10, "value": 40, "acquisition_cost": 29},
                   {"after": "730d", "customers": 20, "value": 40, "acquisition_cost": 50}]}"#;
    let tables = report("customer_equity", Some(&frame), options, &Run::new()).unwrap();
    let [equity, customers, future] = [0, 1, 2].map(|i| &tables[i].1);
    close(f64s(equity, "current")[0], 140.0, 1e-15, "current");
    close(f64s(equity, "future")[0], 110.0 / 1.1 - 200.0 / 1.21, 1e-13, "future");
    close(f64s(future, "discounted")[0], 100.0, 1e-14, "cohort");
    close(f64s(customers, "equity_share").iter().sum(), 1.0, 1e-15, "shares");
    assert_eq!(f64s(customers, "profit_contribution"), [0.75, 0.25, 0.0]);
    close(f64s(customers, "loyalty_weight")[0], 0.6, 1e-14, "loyalty");
    assert_eq!(f64s(customers, "life_cycle_weight"), [1.0, 0.5, 0.5 / 8.5]);
    let run = Run::new();
    let bad = |options: &str| code(report("customer_equity", Some(&frame), options, &run));
    assert_eq!(bad(r#"{"age": "age"}"#), ("remaining".into(), "HW_OPTION"));
    assert_eq!(
        bad(r#"{"future": [{"after": "1d", "customers": 1, "value": 1, "acquisition_cost": 0}]}"#),
        ("discount".into(), "HW_OPTION")
    );
    let empty = Columns::new().with("customer", Vec::<String>::new()).with("value", Vec::<f64>::new());
    assert_eq!(f64s(&table("customer_equity", Some(&empty), "{}"), "total"), [0.0]);
}

/// Taylor & Ashe (1983), as in Mack (1993), table 2: claims by year of accident and development.
const TAYLOR_ASHE: [&[f64]; 10] = [
    &[357848., 766940., 610542., 482940., 527326., 574398., 146342., 139950., 227229., 67948.],
    &[352118., 884021., 933894., 1183289., 445745., 320996., 527804., 266172., 425046.],
    &[290507., 1001799., 926219., 1016654., 750816., 146923., 495992., 280405.],
    &[310608., 1108250., 776189., 1562400., 272482., 352053., 206286.],
    &[443160., 693190., 991983., 769488., 504851., 470639.],
    &[396132., 937085., 847498., 805037., 705960.],
    &[440832., 847631., 1131398., 1063269.],
    &[359480., 1061648., 1443370.],
    &[376686., 986608.],
    &[344014.],
];

#[test]
fn chain_ladder_of_taylor_and_ashe() {
    let (mut cohort, mut age, mut value, mut cumulative) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (i, row) in TAYLOR_ASHE.iter().enumerate().rev() {
        let mut so_far = 0.0;
        for (k, v) in row.iter().enumerate() {
            so_far += v;
            cohort.push(i as i64 + 1);
            age.push(k as i64 + 1);
            value.push(*v);
            cumulative.push(so_far);
        }
    }
    let frame =
        Columns::new().with("cohort", cohort).with("age", age).with("value", value).with("sum", cumulative);
    let tables = report("chain_ladder", Some(&frame), "{}", &Run::new()).unwrap();
    let [cohorts, total, factors] = [0, 1, 2].map(|i| &tables[i].1);
    // Mack's table, to the unit.
    assert_eq!(f64s(total, "outstanding")[0].round(), 18_680_856.0);
    assert_eq!(f64s(total, "standard_error")[0].round(), 2_447_095.0);
    let rounded = |name: &str| f64s(cohorts, name).iter().map(|v| (v / 1000.0).round()).collect::<Vec<_>>();
    assert_eq!(
        rounded("outstanding"),
        [0.0, 95.0, 470.0, 710.0, 985.0, 1419.0, 2178.0, 3920.0, 4279.0, 4626.0]
    );
    assert_eq!(
        rounded("standard_error"),
        [0.0, 76.0, 122.0, 134.0, 261.0, 411.0, 558.0, 875.0, 971.0, 1363.0]
    );
    close(f64s(factors, "factor")[0], 3.4906, 2e-5, "factor");
    close(f64s(factors, "sigma")[0], 400.35, 1e-5, "sigma");
    let cumulative = table("chain_ladder", Some(&frame), r#"{"value": "sum", "values": "cumulative"}"#);
    for (a, b) in f64s(&cumulative, "ultimate").iter().zip(f64s(cohorts, "ultimate")) {
        close(*a, b, 1e-14, "ultimate");
    }
    assert_eq!(tables[3].1.rows(), 100);
}

#[test]
fn triangles_that_cannot_be_are_named() {
    let run = Run::new();
    let bad = |cohort: Vec<&str>, age: Vec<i64>, value: Vec<f64>| {
        let frame = Columns::new().with("cohort", cohort).with("age", age).with("value", value);
        code(report("chain_ladder", Some(&frame), "{}", &run))
    };
    assert_eq!(bad(vec![], vec![], vec![]).1, "HW_NOT_ENOUGH_DATA");
    assert_eq!(bad(vec!["a"], vec![0], vec![1.0]).1, "HW_NOT_ENOUGH_DATA");
    assert_eq!(bad(vec!["a", "a"], vec![0, 2], vec![1.0, 1.0]), ("age".into(), "HW_COLUMN"));
    assert_eq!(bad(vec!["a", "a"], vec![0, 0], vec![1.0, 1.0]), ("age".into(), "HW_COLUMN"));
    assert_eq!(bad(vec!["a", "a"], vec![0, 1], vec![1.0, -2.0]), ("value".into(), "HW_COLUMN"));
    assert_eq!(bad(vec!["a", "a"], vec![0, 1], vec![0.0, 2.0]).1, "HW_NOT_ENOUGH_DATA");
    assert!(Triangle::new(vec![vec![1.0], vec![]]).is_err());
    // One cohort tells the factors but no error.
    let one = Triangle::new(vec![vec![1.0, 2.0, 3.0], vec![2.0]]).unwrap().complete().unwrap();
    assert_eq!(one.completed[1], [2.0, 4.0, 6.0]);
    assert_eq!((one.squared_errors[1], one.total_squared_error), (None, None));
    // Cohorts that grow alike have no error.
    let same =
        Triangle::new(vec![vec![1.0, 2.0, 3.0], vec![2.0, 4.0, 6.0], vec![3.0, 6.0], vec![5.0]]).unwrap();
    assert_eq!(same.complete().unwrap().total_squared_error, Some(0.0));
}

fn shop() -> Columns {
    let orders = [
        ("ann", "2024-01-05", 10.0),
        ("ann", "2024-01-05", 5.0),
        ("ann", "2024-02-20", 20.0),
        ("bob", "2024-01-31", 8.0),
        ("bob", "2024-03-01", 4.0),
        ("cat", "2024-02-01", 7.0),
        ("cat", "2024-02-10", 3.0),
        ("dan", "2024-03-15", 6.0),
    ];
    Columns::new()
        .with("customer", orders.iter().map(|o| o.0).collect::<Vec<_>>())
        .with("time", orders.iter().map(|o| o.1).collect::<Vec<_>>())
        .with("value", orders.iter().map(|o| o.2).collect::<Vec<_>>())
}

#[test]
fn cohorts_by_calendar_month() {
    let tables =
        report("cohorts", Some(&shop()), r#"{"observation_end": "2024-03-31"}"#, &Run::new()).unwrap();
    let got = &tables[0].1;
    assert_eq!(got.i64s("age").unwrap(), [0, 1, 2, 0, 1, 0]);
    assert_eq!(got.i64s("customers").unwrap(), [2, 2, 2, 1, 1, 1]);
    assert_eq!(got.i64s("active").unwrap(), [2, 1, 1, 1, 0, 1]);
    assert_eq!(got.i64s("purchases").unwrap(), [2, 1, 1, 2, 0, 1]);
    assert_eq!(f64s(got, "retention"), [1.0, 0.5, 0.5, 1.0, 0.0, 1.0]);
    assert_eq!(f64s(got, "revenue"), [23.0, 20.0, 4.0, 10.0, 0.0, 6.0]);
    assert!(matches!(&got.get("complete").unwrap().values, Values::Bool(v) if v.iter().all(|c| *c)));
    assert_eq!(tables[1].1.i64s("merged").unwrap(), [1]);

    let options = r#"{"observation_end": "2024-03-31", "margin": 0.5}"#;
    let tables = report("historic_value", Some(&shop()), options, &Run::new()).unwrap();
    assert_eq!(f64s(&tables[0].1, "cumulative_margin_per_customer"), [5.75, 10.75, 11.75, 5.0, 5.0, 3.0]);
    assert_eq!(f64s(&tables[1].1, "cumulative_margin_per_customer"), [19.5 / 4.0, 26.5 / 3.0, 11.75]);

    // March is not over: marked here, left out of the ladder.
    let got = table("cohorts", Some(&shop()), "{}");
    assert!(matches!(&got.get("complete").unwrap().values,
        Values::Bool(v) if *v == [true, true, false, true, false, false]));
    assert_eq!(table("cohorts", Some(&shop()), r#"{"keep_incomplete": false}"#).rows(), 3);
    let ladder = table("chain_ladder_orders", Some(&shop()), "{}");
    assert_eq!(f64s(&ladder, "ultimate"), [43.0, 10.0 * 43.0 / 23.0]);
    assert_eq!(f64s(&ladder, "ultimate_per_customer")[0], 21.5);
    // What cohorts says can be completed again.
    let long = Columns::from(table("cohorts", Some(&shop()), r#"{"keep_incomplete": false}"#));
    let again = table("chain_ladder", Some(&long), r#"{"value": "revenue"}"#);
    assert_eq!(f64s(&again, "ultimate"), f64s(&ladder, "ultimate"));
}

#[test]
fn refunds_follow_one_policy() {
    let run = Run::new();
    let frame = Columns::new()
        .with("customer", vec!["ann", "ann", "ann", "bob"])
        .with("time", vec!["2024-01-05", "2024-02-01", "2024-02-03", "2024-02-04"])
        .with("value", vec![10.0, 8.0, -9.0, -1.0]);
    let get = |options: &str| report("cohorts", Some(&frame), options, &run);
    assert_eq!(code(get("{}")), ("value".into(), "HW_ROW"));
    // February's purchase is refunded wholly, and one of January's ten comes back.
    let net = get(r#"{"refunds": "net"}"#).unwrap();
    assert_eq!(f64s(&net[0].1, "revenue"), [9.0, 0.0]);
    assert_eq!(
        (net[1].1.i64s("cancelled").unwrap(), net[1].1.i64s("without_purchase").unwrap()),
        (&[1][..], &[1][..])
    );
    assert_eq!(f64s(&get(r#"{"refunds": "drop"}"#).unwrap()[0].1, "revenue"), [10.0, 8.0]);
    let none = Columns::new()
        .with("customer", Vec::<String>::new())
        .with("time", Data::times(vec![]))
        .with("value", Vec::<f64>::new());
    for name in ["cohorts", "historic_value", "chain_ladder_orders"] {
        assert_eq!(code(report(name, Some(&none), "{}", &run)).1, "HW_NOT_ENOUGH_DATA");
    }
    assert_eq!(code(get(r#"{"period": "1.5d"}"#)), ("period".into(), "HW_OPTION"));
    assert_eq!(code(get(r#"{"margin": 1e999}"#)).1, "HW_OPTION");
}

#[test]
fn a_finite_value_has_all_its_parts() {
    let terms = Terms {
        margin: 10.0,
        upkeep: 0.0,
        retention: 1.0,
        discount: 0.0,
        growth: 0.0,
        acquisition_cost: 25.0,
        periods: Some(12),
        payments: Payments::End,
    };
    let want = SimpleValue {
        gross: 120.0,
        clv: 95.0,
        clv_to_cac: Some(4.8),
        payback: Some(3),
        break_even_retention: None,
        expected_payments: Some(12.0),
    };
    let got = simple_value(&terms).unwrap();
    assert_eq!(SimpleValue { break_even_retention: None, ..got }, want);
    let edge = got.break_even_retention.unwrap();
    assert!(simple_value(&Terms { retention: edge, ..terms }).unwrap().clv.abs() < 1e-12);
}

/// Payments by the month have horizons by the calendar, which are whole numbers of them.
#[test]
fn months_are_paid_for_months_and_years() {
    let value = |horizon: &str| {
        let options = format!(
            r#"{{"margin": {{"amount": 9, "per": "month"}}, "retention": {{"rate": 0.65, "per": "year"}},
                "discount": {{"rate": 0.1, "per": "year"}}, "horizon": {horizon}}}"#
        );
        report("simple_value", None, &options, &Run::new()).map(|tables| f64s(&tables[0].1, "clv")[0])
    };
    let factor = headwater::math::pow(0.65 / 1.1, 1.0 / 12.0);
    let sum = |n: i32| (0..n).map(|t| 9.0 * factor.powi(t)).sum::<f64>();
    for (horizon, n) in
        [("month", 1), ("quarter", 3), ("year", 12), ("24 months", 24), ("5 quarters", 15), (" 3years ", 36)]
    {
        close(value(&format!("\"{horizon}\"")).unwrap(), sum(n), 1e-12, horizon);
    }
    close(value("null").unwrap(), 9.0 / (1.0 - factor), 1e-12, "without end");
    for bad in [r#""365d""#, r#""0 months""#, r#""70000 months""#, r#""months of 3""#, "360", "true", "-1"] {
        let error = value(bad).unwrap_err();
        assert_eq!(code::<f64>(Err(error)), ("horizon".into(), "HW_OPTION"), "{bad}");
    }
    let error = value(r#""365d""#).unwrap_err().to_string();
    assert!(error.contains("periods of month"), "{error}");

    let frame = Columns::new().with("customer", vec!["a"]).with("value", vec![1.0]);
    let after = |span: &str| {
        let options = format!(
            r#"{{"discount": {{"rate": 0.1, "per": "year"}}, "future":
                [{{"after": {span}, "customers": 1, "value": 110, "acquisition_cost": 0}}]}}"#
        );
        f64s(&table("customer_equity", Some(&frame), &options), "future")[0]
    };
    close(after(r#""year""#), 100.0, 1e-13, "a year");
    close(after(r#""24 months""#), 110.0 / 1.21, 1e-13, "two years");
    assert_eq!(after(r#""12 months""#), after(r#""year""#));
}

/// A frame of which no column is named would be read for nothing.
#[test]
fn a_frame_of_cases_has_columns_that_are_named() {
    let frame = Columns::new().with("stay", vec![0.9, 0.6]);
    let options = r#"{"margin": {"amount": 1, "per": "30d"}, "retention": {"rate": 0.5, "per": "365d"},
        "discount": {"rate": 0.1, "per": "365d"}}"#;
    let found = report("simple_value", Some(&frame), options, &Run::new());
    assert_eq!(code(found), ("columns".into(), "HW_OPTION"));
}
