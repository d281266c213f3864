//! Lifetime value beside golden numbers: 20-digit reference fits and
//! predictions (`../shared/golden/clv`, made with mpmath), the CDNOW log, and
//! closed forms. Tests that need the shared data are skipped where it is not.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::similar_names)]

use std::path::PathBuf;

use headwater::Run;
use headwater::clv::{
    BetaGeo, BetaGeoModel, GammaGamma, GammaGammaModel, LifetimeOptions, Rfm, RfmSlices, SpendSlices,
    SummarizeOptions, TrackingOptions, forecast_errors, lifetime_value, summarize, tracking,
};
use headwater::column::{Columns, Duration};
use serde_json::Value;

const CDNOW: [f64; 4] = [0.24259452243015708, 4.413602019013504, 0.7929220172255976, 2.425906776826332];

fn shared(path: &str) -> Option<PathBuf> {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: {} is not here", file.display());
    None
}

fn golden_json(name: &str) -> Option<Value> {
    let file = shared(&format!("golden/clv/{name}"))?;
    Some(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
}

/// The rows of a golden CSV as field lookups.
fn golden_csv(name: &str) -> Option<Vec<std::collections::HashMap<String, String>>> {
    let file = shared(&format!("golden/clv/{name}"))?;
    Some(csv::Reader::from_path(file).unwrap().deserialize().map(Result::unwrap).collect())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let error = (got - want).abs() / want.abs().max(1e-300);
    assert!(error <= tolerance, "{what}: {got} for {want}, relative error {error:.2e}");
}

/// The CDNOW log: customer, date, amount.
fn cdnow() -> Option<Columns> {
    let text = std::fs::read_to_string(shared("data/cdnow/CDNOW_sample.txt")?).unwrap();
    let (mut customer, mut date, mut amount) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        customer.push(fields[1].to_owned());
        date.push(fields[2].to_owned());
        amount.push(fields[4].parse::<f64>().unwrap());
    }
    Some(Columns::new().with("customer", customer).with("date", date).with("amount", amount))
}

fn cdnow_options(period: &str) -> SummarizeOptions {
    SummarizeOptions {
        time: "date".to_owned(),
        value: Some("amount".to_owned()),
        period: period.parse().unwrap(),
        calibration_end: Some("1997-09-30".into()),
        observation_end: Some("1998-06-30".into()),
        ..SummarizeOptions::default()
    }
}

fn cdnow_rfm(period: &str) -> Option<Rfm> {
    Some(summarize(&cdnow()?, &cdnow_options(period), &Run::new()).unwrap())
}

fn published() -> BetaGeoModel {
    let [r, alpha, a, b] = CDNOW;
    BetaGeoModel::from_parameters(r, alpha, a, b, Some(Duration::from_days(7).into())).unwrap()
}

#[test]
fn summarizes_cdnow_exactly() {
    let (Some(rfm), Some(golden)) = (cdnow_rfm("1d"), golden_csv("cdnow_rfm_exact.csv")) else { return };
    assert_eq!(rfm.len(), 2357);
    let holdout = rfm.holdout.as_ref().unwrap();
    assert_eq!(holdout.duration, 273.0);
    for (i, row) in golden.iter().enumerate() {
        let get = |k: &str| row[k].parse::<f64>().unwrap();
        assert_eq!(
            rfm.customer.get(i).unwrap().parse::<u32>().unwrap(),
            row["sample_id"].parse::<u32>().unwrap()
        );
        assert_eq!(rfm.frequency[i], get("x"));
        assert_eq!(rfm.recency[i], get("tx_days"));
        assert_eq!(rfm.age[i], get("T_days"));
        let cents = rfm.monetary_value.as_ref().unwrap()[i] * rfm.frequency[i] * 100.0;
        assert!((cents - get("repeat_spend_cents")).abs() < 1e-6);
        assert_eq!(holdout.frequency[i], get("holdout_x"));
        let cents = holdout.monetary_value.as_ref().unwrap()[i] * holdout.frequency[i] * 100.0;
        assert!((cents - get("holdout_spend_cents")).abs() < 1e-6);
    }
}

#[test]
fn fits_cdnow_to_the_reference() {
    let (Some(rfm), Some(fits)) = (cdnow_rfm("7d"), golden_json("fits.json")) else { return };
    let want = &fits["bgnbd_exact"];
    let model = BetaGeo::new().fit(&rfm.slices(), &Run::new()).unwrap();
    let e = model.estimates();
    println!("{} iterations, gradient {:.1e}", e.iterations, e.gradient_norm);
    for (got, want) in e.values.iter().zip(numbers(&want["params"])) {
        close(*got, want, 1e-11, "parameter");
    }
    close(e.log_likelihood.unwrap(), number(&want["log_likelihood"]), 1e-13, "log-likelihood");
    for (i, row) in want["cov_log_params"].as_array().unwrap().iter().enumerate() {
        for (j, want) in numbers(row).into_iter().enumerate() {
            close(e.covariance[i][j], want, 1e-9, "covariance");
        }
    }
    for ((got, value), se) in
        model.standard_errors().into_iter().zip(&e.values).zip(numbers(&want["se_log_params"]))
    {
        close(got.unwrap(), value * se, 1e-10, "standard error");
    }
    assert_eq!((e.distinct, e.customers), (1016, Some(2357.0)));
    assert_eq!(e.verdict.name(), "interior");

    let spend = SpendSlices {
        frequency: &rfm.frequency,
        monetary_value: rfm.monetary_value.as_deref().unwrap(),
        weight: None,
    };
    let want = &fits["gg_exact"];
    let model = GammaGamma::new().fit(&spend, &Run::new()).unwrap();
    let e = model.estimates();
    println!(
        "{} iterations, gradient {:.1e}, correlation {}",
        e.iterations,
        e.gradient_norm,
        model.correlation().unwrap()
    );
    for (got, want) in e.values.iter().zip(numbers(&want["params"])) {
        close(*got, want, 1e-9, "parameter");
    }
    close(e.log_likelihood.unwrap(), number(&want["log_likelihood"]), 1e-12, "log-likelihood");
    for (i, row) in want["cov_log_params"].as_array().unwrap().iter().enumerate() {
        for (j, want) in numbers(row).into_iter().enumerate() {
            close(e.covariance[i][j], want, 1e-8, "covariance");
        }
    }
    assert_eq!((e.customers, e.distinct, model.excluded()), (Some(946.0), 760, 2357 - 946));
}

#[test]
fn likelihood_and_gradient_away_from_the_maximum() {
    let (Some(rfm), Some(golden)) = (cdnow_rfm("7d"), golden_json("gradients.json")) else { return };
    let want = &golden["bgnbd"];
    let p = numbers(&want["params"]);
    let model = BetaGeoModel::from_parameters(p[0], p[1], p[2], p[3], None).unwrap();
    let (value, gradient) = model.evaluate(&rfm.slices(), &Run::new()).unwrap();
    close(value, number(&want["ll"]), 1e-13, "log-likelihood");
    for (got, want) in gradient.iter().zip(numbers(&want["grad_log_params"])) {
        close(*got, want, 1e-11, "gradient");
    }
}

#[test]
fn predicts_every_cdnow_customer() {
    let (Some(rfm), Some(golden)) = (cdnow_rfm("7d"), golden_csv("cdnow_predictions_mle.csv")) else {
        return;
    };
    let got = published().predict(&rfm.slices(), 39.0, None, &Run::new()).unwrap();
    let gg =
        GammaGammaModel::from_parameters(6.249572271323756, 3.744224667132025, 15.44352096258924).unwrap();
    for (i, row) in golden.iter().enumerate() {
        let get = |k: &str| row[k].parse::<f64>().unwrap();
        close(got.p_alive[i], get("bg_palive"), 1e-13, "P(alive)");
        close(got.expected_purchases[i], get("bg_cet39"), 1e-13, "expected purchases");
        let spend = gg.expected_spend(rfm.frequency[i], rfm.monetary_value.as_ref().unwrap()[i]).unwrap();
        close(spend.unwrap(), get("gg_mean_spend"), 1e-12, "expected spend");
    }
    // Aggregates and metrics of the same predictions.
    let aggregates = golden_json("cdnow_aggregates.json").unwrap();
    close(got.expected_purchases.iter().sum(), number(&aggregates["bgnbd"]["sum_cet39"]), 1e-12, "sum");
    close(got.p_alive.iter().sum(), number(&aggregates["bgnbd"]["sum_palive"]), 1e-12, "sum");
    let metrics = &golden_json("cdnow_metrics.json").unwrap()["bg_cet39"];
    let errors = forecast_errors(&rfm.holdout.unwrap().frequency, &got.expected_purchases).unwrap();
    for (got, name) in [
        (errors.mae, "mae"),
        (errors.rmse, "rmse"),
        (errors.bias, "bias_total"),
        (errors.spearman, "spearman"),
        (errors.gini, "gini_raw"),
        (errors.gini_normalised, "gini_normalised"),
    ] {
        close(got, number(&metrics[name]), 1e-9, name);
    }
}

#[test]
fn named_customers_at_both_parameter_sets() {
    let Some(golden) = golden_csv("cdnow_customers.csv") else { return };
    for row in golden {
        let get = |k: &str| row[k].parse::<f64>().unwrap();
        let [r, alpha, a, b] = if row["params"] == "mle" { CDNOW } else { [0.243, 4.414, 0.793, 2.426] };
        let model = BetaGeoModel::from_parameters(r, alpha, a, b, None).unwrap();
        let (x, t_x, t) = (get("x"), get("tx_days") / 7.0, get("T_days") / 7.0);
        let rows = RfmSlices { frequency: &[x], recency: &[t_x], age: &[t], ..RfmSlices::default() };
        close(model.evaluate(&rows, &Run::new()).unwrap().0, get("bg_ll"), 2e-14, "log-likelihood");
        close(model.p_alive(x, t_x, t).unwrap(), get("bg_palive"), 1e-12, "P(alive)");
        close(
            model.expected_purchases(x, t_x, t, 39.0).unwrap(),
            get("bg_cet39"),
            1e-12,
            "expected purchases",
        );
    }
}

/// r, α, a, b, x, t_x, T, t, then log-likelihood, P(alive), expected purchases:
/// `hard_bgnbd.csv` of the golden data (mpmath, 60 to 120 digits), where
/// published libraries give NaN, infinities or wrong numbers.
#[test]
fn hard_cases() {
    let cases: Vec<Vec<f64>> = serde_json::from_str(include_str!("vectors/clv_hard.json")).unwrap();
    assert_eq!(cases.len(), 15);
    for c in cases {
        let model = BetaGeoModel::from_parameters(c[0], c[1], c[2], c[3], None).unwrap();
        let rows = RfmSlices { frequency: &[c[4]], recency: &[c[5]], age: &[c[6]], ..RfmSlices::default() };
        let what = format!("{c:?}");
        // ln L of a history with x in the thousands is a sum of numbers a hundred times its size.
        close(model.evaluate(&rows, &Run::new()).unwrap().0, c[8], 1e-12, &what);
        close(model.p_alive(c[4], c[5], c[6]).unwrap(), c[9], 1e-12, &what);
        close(model.expected_purchases(c[4], c[5], c[6], c[7]).unwrap(), c[10], 1e-12, &what);
    }
}

#[test]
fn new_customers() {
    let (Some(expectations), Some(pmf)) = (golden_csv("expectations.csv"), golden_csv("pmf.csv")) else {
        return;
    };
    let model = BetaGeoModel::from_parameters(0.243, 4.414, 0.793, 2.426, None).unwrap();
    for row in expectations.iter().filter(|r| r["model"] == "bgnbd_published") {
        let t: f64 = row["t"].parse().unwrap();
        close(model.expected_purchases_new(t).unwrap(), row["value"].parse().unwrap(), 1e-13, "E[X(t)]");
    }
    for row in pmf.iter().filter(|r| r["model"] == "bgnbd_published") {
        let (t, n): (f64, usize) = (row["t"].parse().unwrap(), row["n"].parse().unwrap());
        let p = model.probability_of_purchases(t, n).unwrap();
        close(p[n], row["prob"].parse().unwrap(), 1e-12, "P(X(t) = n)");
    }
    // The probabilities sum to 1 and have the expectation as their mean.
    let p = model.probability_of_purchases(39.0, 4000).unwrap();
    close(p.iter().sum(), 1.0, 1e-12, "sum");
    let mean = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum::<f64>();
    close(mean, model.expected_purchases_new(39.0).unwrap(), 1e-12, "mean");
}

#[test]
fn tracks_cdnow_week_by_week() {
    let (Some(orders), Some(golden)) = (cdnow(), golden_json("cdnow_aggregates.json")) else { return };
    let options = TrackingOptions { time: "date".to_owned(), ..TrackingOptions::default() };
    let tracked = tracking(&orders, &published(), &options, &Run::new()).unwrap();
    for (week, want) in golden["actual_cumulative_repeat_by_week"].as_object().unwrap() {
        let week: usize = week.parse().unwrap();
        assert_eq!(tracked.actual_cumulative[week - 1], number(want), "week {week}");
    }
    let expected = &golden["bgnbd"]["expected_cumulative_repeat_by_week_since_1997_01_01"];
    for (week, want) in expected.as_object().unwrap() {
        let week: usize = week.parse().unwrap();
        close(tracked.expected_cumulative[week - 1], number(want), 1e-12, &format!("week {week}"));
    }
}

#[test]
fn lifetime_value_is_the_discounted_sum() {
    let model = published();
    let spend = GammaGammaModel::from_parameters(6.25, 3.74, 15.44).unwrap();
    let frame = Columns::new()
        .with("customer", vec!["a", "b", "c"])
        .with("frequency", vec![0.0, 2.0, 29.0])
        .with("recency", vec![0.0, 30.43, 37.7])
        .with("T", vec![38.86, 38.86, 38.0])
        .with("monetary_value", vec![0.0, 22.35, 26.4]);
    for (periods, discount_rate) in [(1, 0.0), (52, 0.0025), (400, 0.01), (3000, 0.0)] {
        let options = LifetimeOptions {
            periods: f64::from(periods).into(),
            discount_rate: discount_rate.into(),
            margin: 0.3,
            ..LifetimeOptions::default()
        };
        let got = lifetime_value(&model, &spend, &frame, &options, &Run::new()).unwrap();
        for (i, (x, t_x, t, m)) in
            [(0.0, 0.0, 38.86, 0.0), (2.0, 30.43, 38.86, 22.35), (29.0, 37.7, 38.0, 26.4)]
                .into_iter()
                .enumerate()
        {
            let mut value = 0.0;
            let mut before = 0.0;
            for period in 1..=periods {
                let e = model.expected_purchases(x, t_x, t, period as f64).unwrap();
                value += (e - before) / (1.0 + discount_rate).powi(period);
                before = e;
            }
            let value = 0.3 * spend.expected_spend(x, m).unwrap().unwrap() * value;
            close(got.lifetime_value[i].unwrap(), value, 1e-11, "lifetime value");
            close(got.expected_purchases[i], before, 1e-13, "expected purchases");
        }
    }
}
