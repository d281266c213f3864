//! Forecasts beside facts: golden deciles of CDNOW, and a backtest over several origins.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod support;

use headwater::Run;
use headwater::clv::{
    BacktestOptions, BetaGeoModel, Candidate, CompareOptions, Covariates, PredictOptions, PurchaseOptions,
    Purchases, SummarizeOptions, When, backtest, backtest_of, compare_purchases, fit_purchases, predict,
    summarize,
};
use headwater::column::{Columns, Data, Duration, OnInvalid, Table};
use support::golden;

/// The orders that ship with the examples.
fn orders() -> Columns {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/cdnow.csv");
    let (mut customer, mut date, mut amount) = (Vec::new(), Vec::new(), Vec::new());
    for row in csv::Reader::from_path(file).unwrap().deserialize::<(String, String, u32, f64)>() {
        let (who, when, _, paid) = row.unwrap();
        customer.push(who);
        date.push(when);
        amount.push(paid);
    }
    Columns::new().with("customer", customer).with("time", date).with("value", amount)
}

fn weekly() -> SummarizeOptions {
    SummarizeOptions { period: "7d".parse().unwrap(), ..SummarizeOptions::default() }
}

fn cdnow() -> Columns {
    let options = SummarizeOptions {
        calibration_end: Some("1997-09-30".into()),
        observation_end: Some("1998-06-30".into()),
        ..weekly()
    };
    summarize(&orders(), &options, &Run::new()).unwrap().table().into()
}

#[test]
fn the_check_has_the_golden_deciles() {
    let Some(file) = golden("clv/cdnow_metrics.json") else { return };
    let metrics: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let run = Run::new();
    let model = BetaGeoModel::from_parameters(
        0.24259452243015708,
        4.413602019013504,
        0.7929220172255976,
        2.425906776826332,
        None,
    )
    .unwrap();
    let model: &dyn Purchases = &model;
    let found = model.report("check", Some(&cdnow()), "{}", &run).unwrap();
    let table = |name: &str| &found.iter().find(|t| t.0 == name).unwrap().1;
    let want = &metrics["bg_cet39"];
    let check = table("check");
    assert!((check.f64s("mae").unwrap()[0] / want["mae"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!((check.f64s("bias").unwrap()[2] / want["bias_total"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    // The golden deciles go from the least promising up, by 236 and 235 customers.
    let deciles = table("deciles");
    let (expected, share) = (deciles.f64s("expected").unwrap(), deciles.f64s("share").unwrap());
    let top = want["decile_pred_actual"][9][0].as_f64().unwrap();
    assert!((expected[0] / top - 1.0).abs() < 0.01, "{} {top}", expected[0]);
    assert!(expected.is_sorted_by(|a, b| a >= b));
    assert!((share.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    for name in ["by_frequency", "by_recency", "by_age", "deciles"] {
        let t = table(name);
        let customers: f64 = t.f64s("customers").unwrap().iter().sum();
        assert_eq!(customers, 2357.0, "{name}");
        let total: f64 = t
            .f64s("customers")
            .unwrap()
            .iter()
            .zip(t.f64s("actual").unwrap())
            .map(|(n, a)| if *n > 0.0 { n * a } else { 0.0 })
            .sum();
        assert!((total - 1882.0).abs() < 1e-8, "{name}: {total}");
    }
    // Nobody had fitted this model, so every count is free.
    let found = model.report("frequencies", Some(&cdnow()), "{}", &run).unwrap();
    assert!(found[1].1.f64s("p").unwrap()[0] > 0.0);
}

#[test]
fn a_backtest_is_the_forecasts_one_by_one() {
    let run = Run::new();
    let options = BacktestOptions {
        model: "ModifiedBetaGeo".into(),
        origins: vec!["1997-06-30".into(), "1997-09-30".into()],
        horizon: Duration::from_days(180).into(),
        summarize: weekly(),
        ..BacktestOptions::default()
    };
    let found = backtest(&orders(), &options, &run).unwrap();
    let table = &found[0].1;
    assert_eq!(table.rows(), 2);
    let by_hand = summarize(
        &orders(),
        &SummarizeOptions {
            calibration_end: Some("1997-09-30".into()),
            observation_end: Some(When::Text("1998-03-29".into())),
            ..weekly()
        },
        &run,
    )
    .unwrap();
    assert_eq!(
        table.f64s("actual").unwrap()[1],
        by_hand.holdout.as_ref().unwrap().frequency.iter().sum::<f64>()
    );
    for (actual, expected) in table.f64s("actual").unwrap().iter().zip(table.f64s("expected").unwrap()) {
        assert!((expected / actual - 1.0).abs() < 0.35, "{expected} for {actual}");
    }
    let late = BacktestOptions { origins: vec!["1998-06-01".into()], ..options };
    assert_eq!(backtest(&orders(), &late, &run).unwrap_err().code(), "HW_OPTION");
}

#[test]
fn models_are_compared_in_one_call() {
    let run = Run::new();
    let found = compare_purchases(&cdnow(), &CompareOptions::default(), &run).unwrap();
    let table = &found[0].1;
    // BG/NBD −9582.43, MBG/NBD −9582.14, Pareto/NBD −9594.98: the published order.
    let names: Vec<String> = (0..3).map(|row| table.text("model", row).unwrap().into_owned()).collect();
    assert_eq!(names, ["ModifiedBetaGeo", "BetaGeo", "ParetoNBD"]);
    let rfm = cdnow();
    let (model, _) =
        headwater::clv::beta_geo(&rfm, &headwater::clv::BetaGeoOptions::default(), &run).unwrap();
    assert_eq!(table.f64s("log_likelihood").unwrap()[1], model.log_likelihood().unwrap());
    assert!(table.f64s("mae").unwrap().iter().all(|mae| *mae > 0.7 && *mae < 0.8));
    let vuong = &found[1].1;
    assert_eq!(vuong.rows(), 3);
    // BG/NBD and MBG/NBD are one as far as these customers tell.
    assert_eq!(there(vuong, "statistic"), [false, true, true]);
}

/// Which entries of a column are there.
fn there(table: &Table, column: &str) -> Vec<bool> {
    table.get(column).unwrap().valid.clone().unwrap_or_else(|| vec![true; table.rows()])
}

/// Times between purchases that are not given are in no likelihood of k ticks, so the numbers are not of one scale.
#[test]
fn likelihoods_of_other_data_are_not_ranked_together() {
    let regular = |model: &str, k| Candidate::Regular { model: model.into(), k };
    let models = vec![
        Candidate::Name("BetaGeo".into()),
        regular("ModifiedBetaGeoCNBD", 2),
        regular("BetaGeoCNBD", 2),
        Candidate::Name("ParetoNBD".into()),
    ];
    let found = compare_purchases(
        &cdnow(),
        &CompareOptions { models: models.clone(), ..Default::default() },
        &Run::new(),
    );
    let [(_, table), (_, vuong), ..] = &found.unwrap()[..] else { unreachable!() };
    let names: Vec<String> = (0..4).map(|row| table.text("model", row).unwrap().into_owned()).collect();
    assert_eq!(names[..2], ["BetaGeo", "ParetoNBD"]);
    assert_eq!(there(table, "aic"), [true, true, false, false]);
    assert_eq!(there(table, "bic"), [true, true, false, false]);
    // BetaGeo beside the others, MBG/CNBD-2 beside BG/CNBD-2 and Pareto/NBD, BG/CNBD-2 beside Pareto/NBD.
    let statistic = there(vuong, "statistic");
    assert!(!statistic[0] && !statistic[1] && !statistic[4] && !statistic[5], "{statistic:?}");
    // The first one named decides whose likelihoods the others are compared with.
    let models = models.into_iter().skip(1).collect();
    let found = compare_purchases(&cdnow(), &CompareOptions { models, ..Default::default() }, &Run::new());
    let table = &found.unwrap()[0].1;
    assert_eq!(there(table, "bic"), [true, true, false]);
    assert_eq!(table.text("model", 2).unwrap(), "ParetoNBD");
}

/// Where nobody leaves, BG/NBD, MBG/NBD and Pareto/NBD are one model: what is between them is rounding.
#[test]
fn models_that_are_one_model_are_not_told_apart() {
    let (mut frequency, mut recency, mut age) = (Vec::new(), Vec::new(), Vec::new());
    let mut draws = support::draws::Draws::new(7);
    for customer in 0..500 {
        let end = 30.0 + f64::from(customer % 10);
        let (mut x, mut last) = (0.0, 0.0);
        loop {
            let next = last + 10.0 * draws.exponential();
            if next > end {
                break;
            }
            (x, last) = (x + 1.0, next);
        }
        frequency.push(x);
        recency.push(last);
        age.push(end);
    }
    let frame = Columns::new().with("frequency", frequency).with("recency", recency).with("T", age);
    let models =
        ["BetaGeo", "BetaGeoCNBD", "ModifiedBetaGeo", "ParetoNBD"].map(|m| Candidate::Name(m.into()));
    let options = CompareOptions { models: models.to_vec(), ..CompareOptions::default() };
    let found = compare_purchases(&frame, &options, &Run::new()).unwrap();
    let fits = found[0].1.f64s("log_likelihood").unwrap();
    assert!(fits.iter().all(|fit| (fit - fits[0]).abs() < 0.3), "{fits:?}");
    assert_eq!(there(&found[1].1, "statistic"), [false; 6]);
    assert_eq!(there(&found[1].1, "p"), [false; 6]);
}

const DAY: i64 = 86_400_000_000;

/// Pareto/NBD customers who all begin in the first month, in days: those of the shop buy so many times as often.
fn market(customers: usize, seed: u64, days: f64, shop: f64) -> (Columns, Columns) {
    let mut draws = support::draws::Draws::new(seed);
    let (mut customer, mut time) = (Vec::new(), Vec::new());
    for i in 0..customers {
        let rate = draws.gamma(1.2) / 30.0 * if i % 2 == 0 { shop } else { 1.0 };
        let birth = (i % 28) as f64;
        let end = days.min(birth + draws.exponential() / (draws.gamma(1.2) / 100.0));
        let mut at = birth;
        while at < end {
            customer.push(format!("c{i}"));
            time.push((at * DAY as f64) as i64);
            at += draws.exponential() / rate;
        }
    }
    let channel = |i: usize| if i.is_multiple_of(2) { "shop" } else { "web" };
    let told = Columns::new()
        .with("customer", (0..customers).map(|i| format!("c{i}")).collect::<Vec<_>>())
        .with("channel", (0..customers).map(channel).collect::<Vec<_>>());
    (Columns::new().with("customer", customer).with("time", Data::times(time)), told)
}

/// Fine grains: as good as exact times.
fn hourly() -> SummarizeOptions {
    SummarizeOptions { value: None, grain: Duration::from_micros(DAY / 24).into(), ..weekly() }
}

fn told_of(options: &BacktestOptions, seed: u64, customers: usize) -> Table {
    let shop = if options.covariates.is_some() { 3.0 } else { 1.0 };
    let (orders, told) = market(customers, seed, 240.0, shop);
    let found = match &options.covariates {
        Some(_) => backtest_of(&orders, &told, options, &Run::new()),
        None => backtest(&orders, options, &Run::new()),
    };
    found.unwrap().swap_remove(0).1
}

#[test]
fn holdouts_are_as_far_from_what_is_expected_as_intervals_say() {
    let options = |covariates| BacktestOptions {
        model: "ParetoNBD".into(),
        covariates,
        interval: Some(0.9),
        origins: vec![When::Micros(180 * DAY)],
        horizon: Duration::from_days(56).into(),
        summarize: hourly(),
        ..BacktestOptions::default()
    };
    for covariates in [None, Some(Covariates::new(["channel"], []))] {
        let options = options(covariates);
        let n = 40_u64;
        let apart = |seed| {
            let table = told_of(&options, 100 + seed, 400);
            let of = |name: &str| table.f64s(name).unwrap()[0];
            let deviation = (of("expected_high") - of("expected_low")) / (2.0 * 1.6449);
            ((of("actual") - of("expected")) / deviation).powi(2)
        };
        let mean = (0..n).map(apart).sum::<f64>() / 40.0;
        // Of a square of a standard normal the mean is 1; that of 40 of them has a standard deviation of 0.22.
        assert!((0.45..1.6).contains(&mean), "{mean}");
    }
}

/// With covariates a back-test is what the parts do, one after another.
#[test]
fn a_backtest_with_covariates_is_its_parts() {
    let run = Run::new();
    let (orders, told) = market(300, 5, 240.0, 3.0);
    let covariates = Some(Covariates::new(["channel"], []));
    let options = BacktestOptions {
        model: "ParetoNBD".into(),
        covariates: covariates.clone(),
        origins: vec![When::Micros(180 * DAY)],
        horizon: Duration::from_days(56).into(),
        summarize: hourly(),
        ..BacktestOptions::default()
    };
    let found = backtest_of(&orders, &told, &options, &run).unwrap().swap_remove(0).1;
    let how = SummarizeOptions {
        calibration_end: Some(When::Micros(180 * DAY)),
        observation_end: Some(When::Micros(236 * DAY)),
        ..hourly()
    };
    let rfm = summarize(&orders, &how, &run).unwrap();
    let holdout = rfm.holdout.clone().unwrap();
    let channel = |row| {
        let label = rfm.customer.get(row).unwrap().trim_start_matches('c').parse::<usize>().unwrap();
        if label.is_multiple_of(2) { "shop" } else { "web" }
    };
    let frame = Columns::from(rfm.table()).with("channel", (0..rfm.len()).map(channel).collect::<Vec<_>>());
    let fit = PurchaseOptions { covariates: covariates.clone(), ..PurchaseOptions::default() };
    let (model, _) = fit_purchases("clv.ParetoNBD", &frame, &fit, &run).unwrap();
    let ask = PredictOptions { periods: holdout.duration.into(), ..PredictOptions::default() };
    let expected = predict(&*model, &frame, &ask, &run).unwrap().table();
    let expected: f64 = expected.f64s("expected_purchases").unwrap().iter().sum();
    let of = |table: &Table, name: &str| table.f64s(name).unwrap()[0];
    assert!((of(&found, "expected") / expected - 1.0).abs() < 1e-9);
    assert_eq!(of(&found, "log_likelihood"), model.estimates().log_likelihood.unwrap());
    assert_eq!(of(&found, "actual"), holdout.frequency.iter().sum::<f64>());
    // Orders tell no channels, and one customer is not told of.
    assert!(backtest(&orders, &options, &run).unwrap_err().to_string().contains("frame of customers"));
    let few = Columns::new().with("customer", vec!["c1"]).with("channel", vec!["web"]);
    let error = backtest_of(&orders, &few, &options, &run).unwrap_err().to_string();
    assert!(error.contains("`c0` has orders and no covariates"), "{error}");

    // The same frame, compared: coefficients count, and each customer has its own law.
    let ask = CompareOptions {
        models: ["ParetoNBD", "BetaGeo"].map(|m| Candidate::Name(m.into())).to_vec(),
        covariates,
        ..CompareOptions::default()
    };
    let compared = compare_purchases(&frame, &ask, &run).unwrap();
    let table = &compared[0].1;
    let row = (0..2).find(|row| table.text("model", *row).unwrap() == "ParetoNBD").unwrap();
    let fit = model.estimates().log_likelihood.unwrap();
    assert_eq!(table.f64s("log_likelihood").unwrap()[row], fit);
    assert_eq!(table.i64s("parameters").unwrap()[row], 5);
    assert!((table.f64s("aic").unwrap()[row] - (10.0 - 2.0 * fit)).abs() < 1e-9);
    assert!((table.f64s("bic").unwrap()[row] - (5.0 * (rfm.len() as f64).ln() - 2.0 * fit)).abs() < 1e-9);
    let plain = CompareOptions { covariates: None, ..ask.clone() };
    let without = compare_purchases(&frame, &plain, &run).unwrap();
    let row = (0..2).find(|row| without[0].1.text("model", *row).unwrap() == "ParetoNBD").unwrap();
    assert!(without[0].1.f64s("log_likelihood").unwrap()[row] < fit - 20.0);
    // Vuong's test, by the customers' own likelihoods.
    let (other, _) = fit_purchases(
        "clv.BetaGeo",
        &frame,
        &PurchaseOptions { covariates: ask.covariates.clone(), ..PurchaseOptions::default() },
        &run,
    )
    .unwrap();
    let each = |model: &dyn Purchases| {
        let ask = PredictOptions { log_likelihood: true, ..PredictOptions::default() };
        predict(model, &frame, &ask, &run).unwrap().table().f64s("log_likelihood").unwrap().to_vec()
    };
    let gaps: Vec<f64> = each(&*model).iter().zip(each(&*other)).map(|(a, b)| a - b).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let squares: f64 = gaps.iter().map(|gap| (gap - mean).powi(2)).sum();
    let want = gaps.len() as f64 * mean / squares.sqrt();
    if there(&compared[1].1, "statistic")[0] {
        assert!((compared[1].1.f64s("statistic").unwrap()[0] - want).abs() < 1e-8);
    }
}

#[test]
fn horizons_are_periods_or_spans_of_the_calendar() -> headwater::Result<()> {
    let run = Run::new();
    let (mut customer, mut time) = (Vec::new(), Vec::new());
    for i in 0..60_i64 {
        for day in (i % 28..420).step_by(9 + 7 * (i % 6) as usize).filter(|day| i % 4 > 0 || *day < 120) {
            customer.push(i);
            time.push((day + 19_723) * 86_400);
        }
    }
    let orders = Columns::new().with("customer", customer).with("time", time);
    let ask = |horizon: &str, origins: &str| {
        let text = format!(
            r#"{{"horizon": {horizon}, "origins": [{origins}], "penalty": 0.01,
                "summarize": {{"value": null, "period": "7d", "time_unit": "s"}}}}"#
        );
        backtest(&orders, &headwater::options::parse(&text)?, &run)
    };
    // 2024-08-31, and a month that ends with 30 September.
    let told = ask("\"30d\"", "\"2024-08-31\"")?;
    assert_eq!(told, ask("\"month\"", "\"2024-08-31\"")?);
    assert_eq!(told, ask("\"month\"", &format!("{}", 1_725_062_400))?);
    assert_eq!(ask("\"70d\"", "\"2024-08-31\"")?, ask("10", "\"2024-08-31\"")?);
    let message = |horizon, origins| match ask(horizon, origins) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert!(message("0", "\"2024-08-31\"").contains("`horizon`"));
    assert!(message("\"0d\"", "\"2024-08-31\"").contains("`horizon`"));
    assert!(message("\"fortnight\"", "\"2024-08-31\"").contains("`horizon`"));
    assert!(message("1", "17.5").contains("`origins`"));
    // A frame of customers means nothing where nothing is explained by it.
    let options = BacktestOptions { origins: vec!["2024-08-31".into()], ..Default::default() };
    let error = backtest_of(&orders, &orders, &options, &run);
    assert!(error.is_err_and(|error| error.to_string().contains("`covariates`")));
    // A number without its unit is no moment.
    let when = SummarizeOptions {
        calibration_end: Some(When::Number(1_725_062_400)),
        value: None,
        ..Default::default()
    };
    let dates =
        Columns::new().with("customer", vec!["a", "a"]).with("time", vec!["2024-01-01", "2025-01-01"]);
    assert!(summarize(&dates, &when, &run).is_err_and(|error| error.to_string().contains("`time_unit`")));
    // What was saved is read as it was.
    for micros in [0, 1_725_062_400_000_000, 1_725_062_400_000_001, -86_399_999_999] {
        let text = serde_json::to_string(&When::Micros(micros)).unwrap_or_default();
        let When::Text(text) = serde_json::from_str(&text).unwrap_or(When::Number(0)) else {
            panic!("{text}")
        };
        assert_eq!(headwater::column::parse_time(&text), Some(micros), "{text}");
    }
    Ok(())
}

/// A row that cannot be is left out of histories, covariates, cohorts and holdout alike: all is as if it were not there.
#[test]
fn rows_are_dropped_from_the_fit_and_from_the_holdout_alike() {
    let run = Run::new();
    let (orders, _) = market(120, 7, 240.0, 1.0);
    let how = SummarizeOptions { calibration_end: Some(When::Micros(180 * DAY)), ..hourly() };
    let rfm = summarize(&orders, &how, &run).unwrap();
    let n = rfm.len();
    let holdout = rfm.holdout.clone().unwrap();
    let income: Vec<f64> = (0..n).map(|row| (row * 7 % 11) as f64).collect();
    let cohort: Vec<&str> = (0..n).map(|row| ["early", "late"][row % 2]).collect();
    let frame = |frequency: Vec<f64>, income: Vec<f64>, holdout: Vec<f64>, cohort: Vec<Option<&str>>| {
        Columns::from(rfm.table())
            .with("frequency", frequency)
            .with("income", income)
            .with("frequency_holdout", holdout)
            .with("cohort", cohort)
    };
    let gap = |values: &[f64], row: usize| {
        let mut values = values.to_vec();
        values[row] = f64::NAN;
        values
    };
    let named: Vec<Option<&str>> = cohort.iter().copied().map(Some).collect();
    let mut unnamed = named.clone();
    unnamed[9] = None;
    let broken = frame(gap(&rfm.frequency, 3), gap(&income, 5), gap(&holdout.frequency, 7), unnamed);
    // Every broken column leaves out all four rows.
    let mut frequency = rfm.frequency.clone();
    [3, 5, 7, 9].into_iter().for_each(|row| frequency[row] = f64::NAN);
    let whole = frame(frequency.clone(), income, holdout.frequency.clone(), named);
    let covariates = Some(Covariates::new(["income"], []));
    let drop = OnInvalid::Drop;

    let models = ["ParetoNBD", "BetaGeo"].map(|m| Candidate::Name(m.into())).to_vec();
    let ask = CompareOptions {
        models,
        covariates: covariates.clone(),
        on_invalid: drop,
        ..CompareOptions::default()
    };
    // A comparison does not look at cohorts.
    let mut three = rfm.frequency.clone();
    [3, 5, 7].into_iter().for_each(|row| three[row] = f64::NAN);
    let want = compare_purchases(&whole.clone().with("frequency", three), &ask, &run).unwrap();
    let got = compare_purchases(&broken, &ask, &run).unwrap();
    assert_eq!(got[..2], want[..2]);
    assert_eq!(got[2].1.i64s("count").unwrap(), [1, 1, 1]);

    let fit = PurchaseOptions { covariates, on_invalid: drop, ..PurchaseOptions::default() };
    let (model, _) = fit_purchases("clv.ParetoNBD", &whole, &fit, &run).unwrap();
    let ask = r#"{"cohort": "cohort", "on_invalid": "drop"}"#;
    let check = |frame: &Columns| model.report("check", Some(frame), ask, &run).unwrap();
    let (want, got) = (check(&whole), check(&broken));
    assert_eq!(got[..got.len() - 1], want[..want.len() - 1]);
    assert_eq!(got[got.len() - 1].1.i64s("first_row").unwrap(), [3, 5, 7, 9]);
}

#[test]
fn candidates_have_no_options_but_k() {
    let bad = r#"{"models": [{"model": "BetaGeoCNBD", "k": 2, "penalty": 1}]}"#;
    assert!(headwater::options::parse::<CompareOptions>(bad).is_err());
    let good = r#"{"models": ["BetaGeo", {"model": "BetaGeoCNBD", "k": 2}]}"#;
    assert_eq!(headwater::options::parse::<CompareOptions>(good).unwrap().models.len(), 2);
}

/// A row that stands for many is compared as so many rows.
#[test]
fn a_weight_is_so_many_rows() {
    let run = Run::new();
    let (orders, _) = market(90, 3, 200.0, 1.0);
    let rfm = summarize(&orders, &SummarizeOptions { log_intervals: true, ..hourly() }, &run).unwrap();
    let many: Vec<usize> = (0..rfm.len()).map(|row| row % 4).collect();
    let kind: Vec<&str> = (0..rfm.len()).map(|row| ["x", "y", "z"][row % 3]).collect();
    let litt = rfm.log_intervals.clone().unwrap();
    let each = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&many).flat_map(|(value, n)| std::iter::repeat_n(*value, *n)).collect()
    };
    let one = Columns::from(rfm.table())
        .with("many", many.iter().map(|n| *n as f64).collect::<Vec<_>>())
        .with("kind", kind.clone());
    let all = Columns::new()
        .with("frequency", each(&rfm.frequency))
        .with("recency", each(&rfm.recency))
        .with("T", each(&rfm.age))
        .with("log_intervals", each(&litt))
        .with(
            "kind",
            kind.iter().zip(&many).flat_map(|(k, n)| std::iter::repeat_n(*k, *n)).collect::<Vec<_>>(),
        );
    let regular = Candidate::Regular { model: "BetaGeoCNBD".into(), k: 2 };
    for covariates in [None, Some(Covariates::new(["kind"], []))] {
        let rows = CompareOptions {
            models: vec![Candidate::Name("ParetoNBD".into()), Candidate::Name("NBD".into()), regular.clone()],
            penalty: 0.01,
            covariates,
            ..CompareOptions::default()
        };
        let weights = CompareOptions { weight: Some("many".into()), ..rows.clone() };
        let want = compare_purchases(&all, &rows, &run).unwrap();
        let got = compare_purchases(&one, &weights, &run).unwrap();
        for (table, columns) in [(0, ["log_likelihood", "aic", "bic"].as_slice()), (1, &["statistic", "p"])] {
            for name in columns {
                let (got, want) = (&got[table].1, &want[table].1);
                assert_eq!(there(got, name), there(want, name));
                for (got, want) in got.f64s(name).unwrap().iter().zip(want.f64s(name).unwrap()) {
                    assert!((got - want).abs() <= 1e-7 * (1.0 + want.abs()), "{name}: {got} for {want}");
                }
            }
        }
        assert!(there(&got[1].1, "statistic").contains(&true));
        let held = one.clone().with("frequency_holdout", vec![0.0; rfm.len()]);
        let error = compare_purchases(&held, &weights, &run).unwrap_err().to_string();
        assert!(error.contains("`weight`"), "{error}");
    }
}
