//! Ages in calendar months, and cohorts of calendar months.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests as in tests

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;

use headwater::clv::{
    BacktestOptions, CheckOptions, ClockOptions, PurchaseOptions, Purchases, RfmBuilder, SeasonalClock,
    SummarizeOptions, TrackingOptions, Unit, backtest, fit_purchases, purchases_from_bytes, summarize,
    tracking,
};
use headwater::column::{Columns, DAY, Data, parse_time};
use headwater::{Error, Run, Table, model};

fn rows() -> Vec<csv::StringRecord> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cdnow.csv");
    csv::Reader::from_reader(File::open(file).unwrap()).records().map(|r| r.unwrap()).collect()
}

fn cdnow() -> Columns {
    let rows = rows();
    let column = |at: usize| rows.iter().map(|row| row[at].to_owned()).collect::<Vec<_>>();
    Columns::new()
        .with("customer", column(0))
        .with("time", column(1))
        .with("value", column(3).iter().map(|v| v.parse::<f64>().unwrap()).collect::<Vec<_>>())
}

fn day(text: &str) -> i64 {
    parse_time(text).unwrap() / DAY
}

fn options(period: &str) -> SummarizeOptions {
    SummarizeOptions {
        period: period.parse().unwrap(),
        calibration_end: Some("1997-09-30".into()),
        cohort: Some("month".parse().unwrap()),
        ..SummarizeOptions::default()
    }
}

fn fit(kind: &str, table: &Columns, period: &str) -> Box<dyn Purchases> {
    let options = PurchaseOptions { period: Some(period.parse().unwrap()), ..PurchaseOptions::default() };
    fit_purchases(kind, table, &options, &Run::new()).unwrap().0
}

/// Every day of some years, by hand: (year, month, day of the month, days in the month).
fn calendar() -> Vec<[i64; 4]> {
    let mut out = Vec::new();
    for year in 1970..2001_i64 {
        let leap = year % 4 == 0;
        for (m, days) in [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].iter().enumerate()
        {
            out.extend((1..=*days).map(|day| [year, m as i64 + 1, day, *days]));
        }
    }
    out
}

/// Months by walking from day to day: each new one begins on the day of the
/// month of the first, or on the last day of a shorter month.
fn walked(calendar: &[[i64; 4]], from: i64, to: i64, size: i64) -> f64 {
    let [_, month, first, _] = calendar[from as usize];
    let begins = |at: i64| {
        let [_, m, day, last] = calendar[at as usize];
        day == first.min(last) && (m - month).rem_euclid(size) == 0
    };
    let whole = (from + 1..=to).filter(|at| begins(*at)).count();
    let start = (from..=to).rev().find(|at| begins(*at)).unwrap();
    let next = (to + 1..to + 800).find(|at| begins(*at)).unwrap();
    whole as f64 + (to - start) as f64 / (next - start) as f64
}

#[test]
fn ages_are_those_of_walking_through_the_calendar() {
    let calendar = calendar();
    let orders = cdnow();
    let days = summarize(&orders, &options("1d"), &Run::new()).unwrap();
    for (unit, size) in [("month", 1), ("quarter", 3), ("year", 12)] {
        let rfm = summarize(&orders, &options(unit), &Run::new()).unwrap();
        assert_eq!((&rfm.frequency, &rfm.monetary_value), (&days.frequency, &days.monetary_value));
        let end = day("1997-09-30");
        for row in 0..rfm.len() {
            let first = end - days.age[row] as i64;
            let want = walked(&calendar, first, end, size);
            assert_eq!(rfm.age[row], want, "{row}");
            assert_eq!(rfm.recency[row], walked(&calendar, first, first + days.recency[row] as i64, size));
        }
        let length = rfm.holdout.unwrap().duration;
        assert_eq!(length, walked(&calendar, end, day("1998-06-30"), size));
    }
    // A leap day, and months that are too short.
    let month = Unit::Month;
    for first in [day("1996-01-31"), day("1996-02-29"), day("1995-08-30"), day("1996-12-31")] {
        for later in 0..1000 {
            let got = month.between(first * DAY, (first + later) * DAY);
            assert_eq!(got, walked(&calendar, first, first + later, 1));
        }
    }
}

#[test]
fn models_of_months_are_those_of_a_twelfth_of_a_year_nearly() {
    let orders = cdnow();
    let months: Columns = summarize(&orders, &options("month"), &Run::new()).unwrap().table().into();
    let spans: Columns = summarize(&orders, &options("730.5h"), &Run::new()).unwrap().table().into();
    for kind in ["clv.BetaGeo", "clv.ParetoNBD"] {
        let (a, b) = (fit(kind, &months, "month"), fit(kind, &spans, "730.5h"));
        for (x, y) in a.estimates().values.iter().zip(&b.estimates().values) {
            assert!((x / y - 1.0).abs() < 0.05, "{kind} {x} {y}");
        }
        // Nine months and 273 days are nearly the same.
        let expected = |m: &dyn Purchases, periods| m.expected_purchases(2.0, 7.0, 8.9, periods).unwrap();
        let (x, y) = (expected(&*a, 9.0), expected(&*b, 273.0 / 30.4375));
        assert!((x / y - 1.0).abs() < 0.01, "{x} {y}");

        assert_eq!(a.period(), Some(Unit::Month));
        let back = purchases_from_bytes(&a.bytes().unwrap()).unwrap().unwrap();
        assert_eq!((back.period(), &back.estimates().values), (a.period(), &a.estimates().values));
        for wrong in ["30d", "quarter", "1d"] {
            let options = format!(r#"{{"period": "{wrong}"}}"#);
            let error = a.report("predict", Some(&months), &options, &Run::new()).unwrap_err().to_string();
            assert!(error.contains("periods of month") && error.contains("period=\"month\""), "{error}");
        }
        a.report("predict", Some(&months), r#"{"period": "month"}"#, &Run::new()).unwrap();
    }
    for (json, said) in
        [(r#"{"period": "moon"}"#, "no unit of time"), (r#"{"period": "0d"}"#, "longer than 0")]
    {
        let read = headwater::options::parse::<SummarizeOptions>(json);
        let error = read.and_then(|o| summarize(&orders, &o, &Run::new())).unwrap_err();
        assert!(matches!(&error, Error::Option { option, .. } if option == "period"), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

fn column(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap().to_vec()
}

#[test]
fn tracking_goes_from_month_to_month_and_by_cohort() {
    let orders = cdnow();
    let rfm: Columns = summarize(&orders, &options("month"), &Run::new()).unwrap().table().into();
    let model = fit("clv.BetaGeo", &rfm, "month");
    let how = TrackingOptions { cohort: Some("month".parse().unwrap()), ..TrackingOptions::default() };
    let found = tracking(&orders, &*model, &how, &Run::new()).unwrap();
    // 1997-01-01 to 1998-06-30: eighteen months.
    assert_eq!(found.period_end.len(), 18);
    assert_eq!(found.period_end[0], parse_time("1997-02-01").unwrap());
    assert_eq!(found.period_end[17], parse_time("1998-07-01").unwrap());

    // Repeat days, counted by hand.
    let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let rows = summarize(&orders, &SummarizeOptions::default(), &Run::new()).unwrap();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cdnow.csv");
    for row in csv::Reader::from_reader(File::open(file).unwrap()).records() {
        let row = row.unwrap();
        seen.entry(row[0].to_owned()).or_default().push(day(&row[1]));
    }
    assert_eq!(rows.len(), seen.len());
    for days in seen.values_mut() {
        days.sort_unstable();
        days.dedup();
    }
    let repeats = |of: &dyn Fn(i64) -> bool, until: i64| {
        let within = seen.values().filter(|days| of(days[0]));
        within.map(|days| days[1..].iter().filter(|d| **d * DAY < until).count()).sum::<usize>() as f64
    };
    for (k, end) in found.period_end.iter().enumerate() {
        assert_eq!(found.actual_cumulative[k], repeats(&|_| true, *end));
        let ages =
            seen.values().map(|days| Unit::Month.between(days[0] * DAY, *end)).filter(|age| *age > 0.0);
        let expected: f64 = ages.map(|age| model.expected_purchases(0.0, 0.0, 0.0, age).unwrap()).sum();
        assert!((found.expected_cumulative[k] / expected - 1.0).abs() < 1e-12);
    }
    let cohorts = found.cohorts.as_ref().unwrap();
    assert_eq!(cohorts.iter().map(|c| c.from).collect::<Vec<_>>(), [0, 1, 2]);
    for (cohort, [from, to]) in cohorts.iter().zip([
        ["1997-01-01", "1997-02-01"],
        ["1997-02-01", "1997-03-01"],
        ["1997-03-01", "1997-04-01"],
    ]) {
        let inside = |first: i64| (day(from)..day(to)).contains(&first);
        assert_eq!(cohort.cohort, day(from) * DAY);
        assert_eq!(cohort.customers, seen.values().filter(|days| inside(days[0])).count() as u64);
        for (k, end) in found.period_end[cohort.from..].iter().enumerate() {
            assert_eq!(cohort.actual_cumulative[k], repeats(&inside, *end));
        }
    }
    let at_end = |of: &dyn Fn(&headwater::clv::CohortTracking) -> &Vec<f64>| -> f64 {
        cohorts.iter().map(|c| of(c).last().unwrap()).sum()
    };
    assert_eq!(at_end(&|c| &c.actual_cumulative), found.actual_cumulative[17]);
    assert!((at_end(&|c| &c.expected_cumulative) / found.expected_cumulative[17] - 1.0).abs() < 1e-12);
    let table = found.cohort_table().unwrap();
    assert_eq!(table.rows(), 18 + 17 + 16);
    assert_eq!(column(&table, "actual").iter().sum::<f64>(), found.actual_cumulative[17]);
    let plain = tracking(&orders, &*model, &TrackingOptions::default(), &Run::new()).unwrap();
    assert_eq!(bits(&plain.expected_cumulative), bits(&found.expected_cumulative));
    assert!(plain.cohort_table().is_none());
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn a_forecast_is_checked_cohort_by_cohort() {
    let orders = cdnow();
    let rfm = summarize(&orders, &options("7d"), &Run::new()).unwrap();
    let cohort = rfm.cohort.clone().unwrap();
    for (row, start) in cohort.iter().enumerate() {
        let first = day("1997-09-30") - (rfm.age[row] * 7.0).round() as i64;
        let month = ["1997-01-01", "1997-02-01", "1997-03-01", "1997-04-01"].map(day);
        let at = month.iter().rposition(|m| *m <= first).unwrap();
        assert_eq!(*start, month[at] * DAY);
    }
    let frame: Columns = rfm.table().into();
    let model = fit("clv.BetaGeo", &frame, "7d");
    let check = |json: &str, frame: &Columns| model.report("check", Some(frame), json, &Run::new());
    let tables: BTreeMap<_, _> = check(r#"{"cohort": "cohort"}"#, &frame).unwrap().into_iter().collect();
    let by = &tables["by_cohort"];
    let actual = &rfm.holdout.as_ref().unwrap().frequency;
    let duration = rfm.holdout.as_ref().unwrap().duration;
    let gap: Vec<f64> = (0..rfm.len())
        .map(|i| {
            let [x, t_x, t] = [rfm.frequency[i], rfm.recency[i], rfm.age[i]];
            model.expected_purchases(x, t_x, t, duration).unwrap() - actual[i]
        })
        .collect();
    let starts = ["1997-01-01", "1997-02-01", "1997-03-01"].map(|d| day(d) * DAY);
    let mut of_cohorts = Vec::new();
    for (at, start) in starts.iter().enumerate() {
        let inside: Vec<f64> = (0..rfm.len()).filter(|i| cohort[*i] == *start).map(|i| gap[i]).collect();
        let n = inside.len() as f64;
        let total: f64 = inside.iter().sum();
        let near = |name: &str, want: f64| {
            let got = column(by, name)[at];
            assert!((got - want).abs() < 1e-9 * want.abs().max(1.0), "{name} {got} {want}");
        };
        near("customers", n);
        near("bias", total);
        near("mae", inside.iter().map(|g| g.abs()).sum::<f64>() / n);
        near("rmse", (inside.iter().map(|g| g * g).sum::<f64>() / n).sqrt());
        near("relative_bias", total / column(by, "actual")[at]);
        of_cohorts.push(total);
    }
    let levels = &tables["check"];
    let mae = of_cohorts.iter().map(|g| g.abs()).sum::<f64>() / 3.0;
    assert!((column(levels, "mae")[1] - mae).abs() < 1e-9);
    assert!((column(levels, "bias")[2] - gap.iter().sum::<f64>()).abs() < 1e-9);

    // By names instead of times: in the order of the names.
    let named: Vec<&str> = cohort.iter().map(|c| if *c == starts[0] { "old" } else { "new" }).collect();
    let frame = frame.with("wave", named);
    let tables: BTreeMap<_, _> = check(r#"{"cohort": "wave"}"#, &frame).unwrap().into_iter().collect();
    assert_eq!(tables["by_cohort"].text("cohort", 0).unwrap(), "new");
    assert!((column(&tables["by_cohort"], "bias")[1] - of_cohorts[0]).abs() < 1e-9);
    assert!(check("{}", &frame).unwrap().iter().all(|(name, _)| *name != "by_cohort"));
    assert!(
        matches!(check(r#"{"cohort": "wav"}"#, &frame), Err(Error::Column { column, .. }) if column == "wav")
    );
    let short = frame.with("wave", Data::nulls(rfm.len()));
    assert!(check(r#"{"cohort": "wave"}"#, &short).is_err());
    assert_eq!(CheckOptions::default().cohort, None);
}

/// Opportunities that are calendar months, quarters or years: counted by hand, fitted, tracked and back-tested.
#[test]
fn calendar_grains_are_opportunities() {
    let run = Run::new();
    let orders = cdnow();
    for (unit, size) in [("month", 1), ("quarter", 3), ("year", 12)] {
        let how = SummarizeOptions { grain: unit.parse().unwrap(), ..options(unit) };
        let rfm = summarize(&orders, &how, &run).unwrap();
        // The months of each customer's orders.
        let mut months = BTreeMap::<String, BTreeSet<i64>>::new();
        for order in rows() {
            let (customer, date) = (order[0].to_owned(), &order[1]);
            let (year, month) = (date[..4].parse::<i64>().unwrap(), date[5..7].parse::<i64>().unwrap());
            months.entry(customer).or_default().insert((year * 12 + month - 1).div_euclid(size));
        }
        // The grain of the end is calibration's as a whole.
        let end = (1997 * 12 + 8_i64).div_euclid(size);
        let last = (1998 * 12 + 5_i64).div_euclid(size);
        let holdout = rfm.holdout.as_ref().unwrap();
        assert_eq!(holdout.duration, (last - end) as f64, "{unit}");
        assert!(rfm.len() > 2_000);
        for row in 0..rfm.len() {
            let of = &months[&*rfm.customer.get(row).unwrap()];
            let first = *of.first().unwrap();
            let seen: Vec<i64> = of.iter().copied().filter(|m| *m <= end).collect();
            assert_eq!(rfm.frequency[row], (seen.len() - 1) as f64, "{unit} {row}");
            assert_eq!(rfm.recency[row], (seen[seen.len() - 1] - first) as f64);
            assert_eq!(rfm.age[row], (end - first) as f64);
            assert_eq!(holdout.frequency[row], (of.len() - seen.len()) as f64);
        }
        let mut builder = RfmBuilder::new(how.clone()).unwrap();
        builder.extend(&orders, &run).unwrap();
        assert_eq!(builder.summary(&run).unwrap().table(), rfm.table());
        let mut again: RfmBuilder = model::from_bytes(&model::to_bytes(&builder).unwrap()).unwrap();
        again.extend(&orders, &run).unwrap();
        assert_eq!(again.summary(&run).unwrap().frequency, rfm.frequency);
    }
    let how = SummarizeOptions { grain: "month".parse().unwrap(), ..options("month") };
    let rfm = summarize(&orders, &how, &run).unwrap();
    let model = fit("clv.BetaGeoBetaBinomial", &rfm.table().into(), "month");
    assert_eq!(model.estimates().verdict.name(), "interior");
    // Customers began in the first three months, and no opportunity is before the month after.
    let track = TrackingOptions {
        grain: "month".parse().unwrap(),
        cohort: Some("month".parse().unwrap()),
        interval: Some(0.9),
        ..TrackingOptions::default()
    };
    let found = tracking(&orders, &*model, &track, &run).unwrap();
    let cohorts = found.cohorts.as_ref().unwrap();
    for (k, expected) in found.expected_cumulative.iter().enumerate() {
        let each = cohorts.iter().enumerate().map(|(born, cohort)| {
            let ages = k.saturating_sub(born) as f64;
            cohort.customers as f64 * model.expected_purchases(0.0, 0.0, 0.0, ages).unwrap()
        });
        assert!((expected - each.sum::<f64>()).abs() < 1e-9 * (1.0 + expected), "{k}: {expected}");
    }
    assert_eq!((found.actual_cumulative[0], found.expected_cumulative[0]), (0.0, 0.0));
    let gap = found.expected_cumulative[17] / found.actual_cumulative[17] - 1.0;
    assert!(gap.abs() < 0.2, "{gap}");
    let test = BacktestOptions {
        model: "BetaGeoBetaBinomial".into(),
        interval: Some(0.9),
        origins: vec!["1997-09-30".into()],
        horizon: "273d".parse().unwrap(),
        summarize: SummarizeOptions { calibration_end: None, ..how.clone() },
        ..BacktestOptions::default()
    };
    let table = backtest(&orders, &test, &run).unwrap().swap_remove(0).1;
    let of = |name: &str| table.f64s(name).unwrap()[0];
    assert_eq!(of("log_likelihood"), model.estimates().log_likelihood.unwrap());
    let (x, t_x, t) = (&rfm.frequency, &rfm.recency, &rfm.age);
    let each = (0..x.len()).map(|i| model.expected_purchases(x[i], t_x[i], t[i], 9.0).unwrap());
    assert!((of("expected") / each.sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(of("expected_low") < of("expected") && of("expected") < of("expected_high"));
    // A seasonal clock counts spans.
    let fit = ClockOptions { summarize: how, ..ClockOptions::default() };
    let error = SeasonalClock::fit(&orders, &fit, &run).unwrap_err().to_string();
    assert!(error.contains("fixed span"), "{error}");
}
