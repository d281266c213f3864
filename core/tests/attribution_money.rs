//! Spend beside credit.
#![allow(missing_docs, clippy::unwrap_used)]

use headwater::Run;
use headwater::attribution::{Markov, Model, MoneyOptions, MoneyPeriod, money};
use headwater::column::{Columns, DAY, Data};
use headwater::journey::{EventOptions, Journeys};

mod support;

use support::paths::paths;
use support::tables::{cell, floats, row};
use support::world::world;

#[test]
fn money_adds_up_and_says_what_stands_out() {
    let j =
        paths(&[("A > B", 6.0, 0.0, 60.0), ("B", 2.0, 0.0, 30.0), ("C", 1.0, 0.0, 5.0), ("", 1.0, 0.0, 5.0)]);
    let spend = Columns::new()
        .with("channel", vec!["A", "A", "B", "radio"])
        .with("date", vec!["2024-01-01", "2024-02-01", "2024-01-01", "2024-01-01"])
        .with("spend", vec![20.0, 10.0, 10.0, 40.0]);
    let given = MoneyOptions { models: vec![Model::Last], margin: 0.5, ..MoneyOptions::default() };
    let [table, counts] = money(&j, Some(&spend), None, &given, &Run::new()).unwrap();
    let names: Vec<_> = (0..table.rows()).map(|r| table.text("channel", r).unwrap().into_owned()).collect();
    assert_eq!(names, ["A", "B", "C", "radio", "(unattributed)"]);
    assert_eq!(floats(&table, "conversions"), [0.0, 8.0, 1.0, 0.0, 1.0]);
    assert_eq!(floats(&table, "spend"), [30.0, 10.0, 0.0, 40.0, 0.0]);
    assert_eq!(floats(&table, "value"), [0.0, 45.0, 2.5, 0.0, 2.5]);
    assert_eq!(cell(&table, &[("channel", "B")], "cpa"), 1.25);
    assert_eq!(cell(&table, &[("channel", "B")], "roas"), 4.5);
    assert_eq!(cell(&table, &[("channel", "B")], "credit_share"), 8.0 / 9.0);
    assert_eq!(cell(&table, &[("channel", "A")], "spend_share"), 30.0 / 80.0);
    let note = |c: &str| table.text("note", row(&table, &[("channel", c)])).unwrap().into_owned();
    assert_eq!(note("A"), "spend share 38 %, credit share 0 %: no conversion is credited");
    assert_eq!(note("B"), "spend share 12 %, credit share 89 %: costs 0.14× the average per conversion");
    assert_eq!(note("C"), "touches, but no spend");
    assert!(note("radio").starts_with("spend, but no touch"));
    assert_eq!(counts.i64s("rows"), Some(&[2, 1, 1, 1, 0][..]));
    let bounded = MoneyOptions { bootstrap: 200, ..given.clone() };
    let [table, _] = money(&j, Some(&spend), None, &bounded, &Run::new()).unwrap();
    assert!(cell(&table, &[("channel", "B")], "cpa_low") < 1.25);
    assert!(cell(&table, &[("channel", "B")], "roas_high") > 4.5);
    assert!(money(&j, None, None, &given, &Run::new()).is_err());

    // By month the parts add up to the whole.
    let j = world(400, 90.0, 0.2, 2.0, 5).journeys(&EventOptions::default());
    let day = |d: i64| d * DAY;
    let spend = Columns::new()
        .with("channel", vec!["a", "b", "a", "radio"])
        .with("date", Data::times(vec![day(1), day(40), day(80), day(2)]))
        .with("spend", vec![20.0, 10.0, 5.0, 1.0]);
    for models in [vec![Model::Linear], vec![Model::Markov(Markov::default())]] {
        let whole = MoneyOptions { models, ..MoneyOptions::default() };
        let monthly = MoneyOptions { period: MoneyPeriod::Month, ..whole.clone() };
        let [all, _] = money(&j, Some(&spend), None, &whole, &Run::new()).unwrap();
        let [table, _] = money(&j, Some(&spend), None, &monthly, &Run::new()).unwrap();
        for name in ["a", "b", "(unattributed)", "radio"] {
            for column in ["conversions", "spend", "value"] {
                let sum: f64 = (0..table.rows())
                    .filter(|r| table.text("channel", *r).as_deref() == Some(name))
                    .map(|r| floats(&table, column)[r])
                    .sum();
                assert!((sum - cell(&all, &[("channel", name)], column)).abs() < 1e-9, "{name} {column}");
            }
        }
    }
}

#[test]
fn money_by_period_has_the_intervals_of_each_period() {
    let j = world(400, 90.0, 0.2, 2.0, 5).journeys(&EventOptions::default());
    let spend = Columns::new()
        .with("channel", vec!["a", "b", "a"])
        .with("date", Data::times([1, 40, 80].map(|d| d * DAY).to_vec()))
        .with("spend", vec![20.0, 10.0, 5.0]);
    let whole = MoneyOptions { models: vec![Model::Linear], bootstrap: 60, ..MoneyOptions::default() };
    let monthly = MoneyOptions { period: MoneyPeriod::Month, ..whole.clone() };
    let run = || Run::new().seed(4);
    let [table, _] = money(&j, Some(&spend), None, &monthly, &run().threads(1)).unwrap();
    assert_eq!(money(&j, Some(&spend), None, &monthly, &run().threads(3)).unwrap()[0], table);
    // A rule knows no other month: each has the same customers, and so the same weights, on its own.
    let months = [0, 31, 59, 90].map(|d| d * DAY);
    let mut met = 0;
    for month in months.windows(2) {
        let [alone, _] =
            money(&j.between(month[0], month[1]).unwrap(), Some(&spend), None, &whole, &run()).unwrap();
        for r in (0..table.rows()).filter(|r| table.i64s("period").unwrap()[*r] == month[0]) {
            let channel = table.text("channel", r).unwrap().into_owned();
            for column in ["conversions", "conversions_low", "conversions_high", "value_low", "value_high"] {
                let (x, y) = (floats(&table, column)[r], cell(&alone, &[("channel", &channel)], column));
                assert!((x - y).abs() < 1e-9 * (1.0 + y.abs()), "{channel} {column}: {x} {y}");
            }
            assert!(floats(&table, "conversions_low")[r] < floats(&table, "conversions_high")[r]);
            met += 1;
        }
    }
    assert!(met >= 6, "{table:?}");
    let chain = MoneyOptions { models: vec![Model::Markov(Markov::default())], ..monthly };
    let [table, _] = money(&j, Some(&spend), None, &chain, &run()).unwrap();
    let (low, high) = (floats(&table, "conversions_low"), floats(&table, "conversions_high"));
    let inside =
        floats(&table, "conversions").iter().zip(low.iter().zip(high)).all(|(x, (a, b))| a <= x && x <= b);
    assert!(inside && low.iter().zip(high).all(|(a, b)| a < b), "{table:?}");
}

#[test]
fn spend_of_another_time_earns_nothing() {
    let j = world(400, 90.0, 0.2, 2.0, 5).journeys(&EventOptions::default());
    let spend = Columns::new()
        .with("channel", vec!["a"; 5])
        .with("date", Data::times([-1, 0, 31, 58, 500].map(|d| d * DAY).to_vec()))
        .with("spend", vec![1.0, 20.0, 10.0, 5.0, 400.0]);
    let given = MoneyOptions { models: vec![Model::Linear], ..MoneyOptions::default() };
    let told = |j: &Journeys| {
        let [table, counts] = money(j, Some(&spend), None, &given, &Run::new()).unwrap();
        let of = |c: &str| cell(&table, &[("channel", "a")], c);
        assert!((of("cpa") - of("spend") / of("conversions")).abs() < 1e-12);
        let key = [("kind", "spend outside the journeys' time")];
        (of("spend"), counts.i64s("rows").unwrap()[row(&counts, &key)], cell(&counts, &key, "spend"))
    };
    // All of January, in which the first event is; not December, nor after the end.
    assert_eq!(told(&j), (35.0, 2, 401.0));
    let february = j.between(31 * DAY, 59 * DAY).unwrap();
    assert_eq!(told(&february), (15.0, 3, 421.0));
    assert_eq!(told(&february.between(32 * DAY, 900 * DAY).unwrap()), (5.0, 4, 431.0));
    assert_eq!(told(&j.between(-9 * DAY, 50 * DAY).unwrap()), (30.0, 3, 406.0));
    let none = money(&j.between(40 * DAY, 50 * DAY).unwrap(), Some(&spend), None, &given, &Run::new());
    assert!(none.is_err_and(|e| e.to_string().contains("1970-02-10 to 1970-02-20")));
    // Without dates nothing is known of when.
    let bare = Columns::new().with("channel", vec!["a"]).with("spend", vec![7.0]);
    let [table, _] = money(&february, Some(&bare), None, &given, &Run::new()).unwrap();
    assert_eq!(cell(&table, &[("channel", "a")], "spend"), 7.0);
}
