//! Survival beside the numbers of lifelines (`oracles/survival_lifelines.py`),
//! closed forms, and likelihoods written down as the papers have them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::similar_names)] // an oracle of its own

use headwater::clv::survival::{
    Aft, Cox, CoxModel, Distribution, HazardTies, KaplanMeierOptions, NelsonAalenOptions, PredictOptions,
    RankTest, Weighting, kaplan_meier, nelson_aalen,
};
use headwater::column::{Columns, Tables};
use headwater::{Run, Table};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("vectors/clv_survival.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn frame(golden: &Value) -> Columns {
    let of = &golden["frame"];
    let mut out = Columns::new();
    for name in ["duration", "event", "entry", "weight", "price", "calls"] {
        out = out.with(name, numbers(&of[name]));
    }
    for name in ["plan", "group"] {
        out = out.with(name, texts(&of[name]));
    }
    out
}

#[track_caller]
fn close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (g - w).abs() / w.abs().max(1e-3);
        assert!(error <= tolerance, "{what}[{i}]: {g} for {w}, relative error {error:.2e}");
    }
}

fn table<'a>(tables: &'a Tables, name: &str) -> &'a Table {
    &tables.iter().find(|t| t.0 == name).unwrap().1
}

fn cox(covariates: &[&str]) -> Cox {
    Cox::new(covariates.iter().copied())
}

const COVARIATES: [&str; 3] = ["price", "calls", "plan"];

fn fitted(options: &Cox, frame: &Columns) -> CoxModel {
    options.fit(frame, &Run::new()).unwrap().0
}

/// The rows of a curve at the times at which the peer has a step.
fn at(table: &Table, column: &str, times: &[f64]) -> Vec<f64> {
    let own = table.f64s("time").unwrap();
    let values = table.f64s(column).unwrap();
    times.iter().map(|t| values[own.partition_point(|x| x <= t) - 1]).collect()
}

#[test]
fn kaplan_meier_is_the_peers() {
    let golden = golden();
    let frame = frame(&golden);
    let weight = KaplanMeierOptions { weight: Some("weight".into()), ..Default::default() };
    let entry = KaplanMeierOptions { entry: Some("entry".into()), ..Default::default() };
    for (name, options) in [("km", KaplanMeierOptions::default()), ("km_weight", weight), ("km_entry", entry)]
    {
        let tables = kaplan_meier(&frame, &options, &Run::new()).unwrap();
        let (curve, want) = (&tables[0].1, &golden[name]);
        let times = numbers(&want["time"]);
        close(&at(curve, "survival", &times), &numbers(&want["survival"]), 1e-12, name);
        // At a curve of 0 the peer draws an interval where none can be known.
        let known = numbers(&want["survival"]).iter().filter(|s| **s > 0.0).count();
        let (low, high) = (numbers(&want["low"]), numbers(&want["high"]));
        close(&at(curve, "low", &times[..known]), &low[..known], 1e-9, name);
        close(&at(curve, "high", &times[..known]), &high[..known], 1e-9, name);
        let median = table(&tables, "groups").f64s("median").unwrap();
        close(median, &[want["median"].as_f64().unwrap()], 1e-15, name);
    }
    let options = KaplanMeierOptions { horizon: Some(8.0), ..Default::default() };
    let tables = kaplan_meier(&frame, &options, &Run::new()).unwrap();
    let want = numbers(&golden["restricted_mean"]);
    let groups = table(&tables, "groups");
    close(groups.f64s("restricted_mean").unwrap(), &want[..1], 1e-12, "restricted mean");
}

#[test]
fn nelson_aalen_is_the_peers() {
    let golden = golden();
    let frame = frame(&golden);
    for (name, ties) in [("na", HazardTies::Together), ("na_split", HazardTies::Split)] {
        let options = NelsonAalenOptions { ties, ..Default::default() };
        let tables = nelson_aalen(&frame, &options, &Run::new()).unwrap();
        let times = numbers(&golden[name]["time"]);
        let hazard = at(&tables[0].1, "cumulative_hazard", &times);
        close(&hazard, &numbers(&golden[name]["hazard"]), 1e-12, name);
    }
}

#[test]
fn rank_tests_are_the_peers() {
    let golden = golden();
    let frame = frame(&golden);
    let tests = [
        ("log_rank", RankTest::LogRank),
        ("wilcoxon", RankTest::Wilcoxon),
        ("tarone_ware", RankTest::TaroneWare),
        ("fleming_harrington", RankTest::FlemingHarrington),
    ];
    for (name, test) in tests {
        let options = KaplanMeierOptions {
            group: Some("plan".into()),
            test,
            gamma: if test == RankTest::FlemingHarrington { 0.5 } else { 0.0 },
            ..Default::default()
        };
        let tables = kaplan_meier(&frame, &options, &Run::new()).unwrap();
        let want = numbers(&golden["tests"][name]);
        let got = table(&tables, "test");
        close(got.f64s("statistic").unwrap(), &want[..1], 1e-9, name);
        close(got.f64s("p_value").unwrap(), &want[1..], 1e-9, name);
        assert_eq!(got.f64s("degrees_of_freedom").unwrap(), [2.0]);
        assert_eq!(table(&tables, "pairs").rows(), 3);
    }
}

#[test]
fn cox_is_the_peers() {
    let golden = golden();
    let frame = frame(&golden);
    let weight = Cox { weight: Some("weight".into()), weighting: Weighting::Sampling, ..cox(&COVARIATES) };
    let entry = Cox { entry: Some("entry".into()), ..cox(&COVARIATES) };
    let strata = Cox { strata: Some("group".into()), ..cox(&COVARIATES) };
    let all =
        [("cox", cox(&COVARIATES)), ("cox_weight", weight), ("cox_entry", entry), ("cox_strata", strata)];
    for (name, options) in all {
        let model = fitted(&options, &frame);
        let (found, want) = (model.coefficients(), &golden[name]);
        close(&found.values, &numbers(&want["values"]), 1e-8, name);
        let errors: Vec<f64> = found.standard_errors().into_iter().flatten().collect();
        close(&errors, &numbers(&want["errors"]), 1e-7, name);
        close(&[found.log_likelihood], &[want["log_likelihood"].as_f64().unwrap()], 1e-12, name);
        assert_eq!(found.references, ["", "", "basic", "basic"]);
    }
    let (model, want) = (fitted(&cox(&COVARIATES), &frame), &golden["cox"]);
    close(&[model.concordance().unwrap()], &[want["concordance"].as_f64().unwrap()], 1e-14, "concordance");
    let summary = model.summary(0.95).unwrap();
    let tests = table(&summary, "tests");
    close(&tests.f64s("statistic").unwrap()[..1], &numbers(&want["ratio"])[..1], 1e-9, "ratio");
    close(&tests.f64s("p_value").unwrap()[..1], &numbers(&want["ratio"])[1..], 1e-9, "ratio");
    close(table(&summary, "fit").f64s("aic").unwrap(), &[want["aic"].as_f64().unwrap()], 1e-12, "aic");
    let predicted = model.predict(&frame, &PredictOptions::default(), &Run::new()).unwrap();
    let hazard = &table(&predicted, "predictions").f64s("partial_hazard").unwrap()[..10];
    close(hazard, &numbers(&want["partial_hazard"]), 1e-8, "partial hazard");
    // Ranks and curves stand differently at ties; the other transforms have one meaning.
    let proportional = model.proportional_hazards();
    for transform in ["identity", "log"] {
        let rows: Vec<usize> = (0..proportional.rows())
            .filter(|r| proportional.text("transform", *r).unwrap() == transform)
            .collect();
        let got: Vec<f64> = rows[..4].iter().map(|r| proportional.f64s("statistic").unwrap()[*r]).collect();
        close(&got, &numbers(&want[format!("proportional_{transform}")]), 1e-6, transform);
    }
}

#[test]
fn the_sandwich_and_the_baseline_are_the_peers() {
    let golden = golden();
    let times = numbers(&golden["frame"]["duration"]);
    let untied: Vec<f64> = times.iter().enumerate().map(|(i, t)| t + i as f64 * 1e-6).collect();
    let frame = frame(&golden).with("duration", untied);
    let model = fitted(&Cox { robust: true, ..cox(&COVARIATES) }, &frame);
    let want = &golden["cox_robust"];
    close(&model.coefficients().values, &numbers(&want["values"]), 1e-8, "values");
    let errors: Vec<f64> = model.coefficients().standard_errors().into_iter().flatten().collect();
    close(&errors, &numbers(&want["errors"]), 1e-7, "errors");
    let baseline = model.baseline();
    let (at, want_at) = (numbers(&want["time"]), numbers(&want["baseline"]));
    let own = baseline.f64s("time").unwrap();
    let hazard = baseline.f64s("cumulative_hazard").unwrap();
    let got: Vec<f64> = at
        .iter()
        .map(|t| match own.partition_point(|x| x <= t) {
            0 => 0.0,
            n => hazard[n - 1],
        })
        .collect();
    close(&got, &want_at, 1e-8, "baseline");
    // A cluster for each row is no cluster.
    let frame = frame.with("who", (0..times.len() as i64).collect::<Vec<i64>>());
    let same = fitted(&Cox { cluster: Some("who".into()), ..cox(&COVARIATES) }, &frame);
    let clustered: Vec<f64> = same.coefficients().standard_errors().into_iter().flatten().collect();
    close(&clustered, &errors, 1e-12, "clusters");
}

#[test]
fn accelerated_failure_times_are_the_peers() {
    let golden = golden();
    let frame = frame(&golden);
    let families = [
        ("weibull", Distribution::Weibull),
        ("log_normal", Distribution::LogNormal),
        ("log_logistic", Distribution::LogLogistic),
    ];
    for (name, distribution) in families {
        for suffix in ["", "_entry"] {
            let what = format!("aft_{name}{suffix}");
            let want = &golden[&what];
            let options = Aft {
                distribution,
                covariates: COVARIATES.map(String::from).to_vec(),
                entry: (!suffix.is_empty()).then(|| "entry".to_owned()),
                ..Default::default()
            };
            let (model, _) = options.fit(&frame, &Run::new()).unwrap();
            let found = model.coefficients();
            let place = |name: &str| found.names.iter().position(|n| n == name).unwrap();
            let order =
                ["calls", "plan[plus]", "plan[premium]", "price", "intercept", "log_scale"].map(place);
            let mut values: Vec<f64> = order.iter().map(|i| found.values[*i]).collect();
            let errors = found.standard_errors();
            let errors: Vec<f64> = order.iter().map(|i| errors[*i].unwrap()).collect();
            // The peer has the logarithm of the shape, 1/σ, but of the log-normal's σ.
            if distribution != Distribution::LogNormal {
                values[5] = -values[5];
            }
            // The peer stops while the fifth digit still moves; the likelihood below says who is right.
            close(&values, &numbers(&want["values"]), 1e-4, &what);
            close(&errors, &numbers(&want["errors"]), 1e-4, &what);
            let best = want["log_likelihood"].as_f64().unwrap();
            close(&[found.log_likelihood], &[best], 1e-10, &what);
            assert!(found.log_likelihood >= best - 1e-9, "{what}");
            if suffix.is_empty() {
                let ahead = PredictOptions { horizons: vec![5.0], ..Default::default() };
                let tables = model.predict(&frame, &ahead, &Run::new()).unwrap();
                let predictions = table(&tables, "predictions");
                close(&predictions.f64s("median").unwrap()[..5], &numbers(&want["median"]), 1e-4, &what);
                if let Some(mean) = want.get("mean") {
                    // The peer integrates the curve by trapezoids.
                    close(&predictions.f64s("mean").unwrap()[..5], &numbers(mean), 1e-3, &what);
                }
                let survival = table(&tables, "survival").f64s("survival").unwrap();
                close(&survival[..5], &numbers(&want["at_5"]), 1e-4, &what);
                let frame = frame.clone().with("age", vec![2.0; frame.rows()]);
                let ahead = PredictOptions { age: Some("age".into()), ..ahead };
                let tables = model.predict(&frame, &ahead, &Run::new()).unwrap();
                let survival = table(&tables, "survival").f64s("survival").unwrap();
                close(&survival[..5], &numbers(&want["at_5_after_2"]), 1e-4, &what);
            }
        }
    }
}
