//! Zero-inflated lognormal regressions beside closed forms, the numbers of scikit-learn
//! and least squares (`oracles/learned_sklearn.py`), and customers of a known law.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use headwater::clv::learned::{
    Learner, Negative, Penalty, PredictOptions, ScoreOptions, Sigma, ZeroInflatedLognormal,
    ZeroInflatedLognormalModel,
};
use headwater::clv::{Contractual, Verdict};
use headwater::column::{Columns, Intake, OnInvalid, Sign, Tables};
use headwater::math::{normal_quantile, sum};
use headwater::{Error, Run, Table, model};
use rand::Rng;
use serde_json::Value;

fn table<'a>(tables: &'a Tables, name: &str) -> &'a Table {
    &tables.iter().find(|t| t.0 == name).unwrap().1
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[track_caller]
fn close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (g - w).abs() / w.abs().max(1e-3);
        assert!(error <= tolerance, "{what}[{i}]: {g} for {w}, relative error {error:.2e}");
    }
}

fn estimates(model: &ZeroInflatedLognormalModel, head: &str) -> Vec<(f64, Option<f64>)> {
    let found = model.coefficients(0.95).unwrap();
    let errors = found.get("standard_error").unwrap();
    let valid = |i: usize| errors.valid.as_ref().is_none_or(|v| v[i]);
    let (values, errors) = (found.f64s("estimate").unwrap(), found.f64s("standard_error").unwrap());
    (0..found.rows())
        .filter(|i| found.text("head", *i).as_deref() == Some(head))
        .map(|i| (values[i], valid(i).then(|| errors[i])))
        .collect()
}

fn values(model: &ZeroInflatedLognormalModel, head: &str) -> Vec<f64> {
    estimates(model, head).into_iter().map(|e| e.0).collect()
}

fn predictions(model: &ZeroInflatedLognormalModel, frame: &Columns, column: &str) -> Vec<f64> {
    let tables = model.predict(frame, &PredictOptions::default(), &Run::new()).unwrap();
    tables[0].1.f64s(column).unwrap().to_vec()
}

fn scored(model: &ZeroInflatedLognormalModel, frame: &Columns, score: &str) -> f64 {
    let tables = model.score(frame, &ScoreOptions::default(), &Run::new()).unwrap();
    let scores = table(&tables, "scores");
    let at = (0..scores.rows()).find(|i| scores.text("score", *i).as_deref() == Some(score)).unwrap();
    scores.f64s("value").unwrap()[at]
}

const AMOUNTS: [f64; 8] = [0.0, 12.5, 0.0, 80.0, 3.25, 0.0, 41.0, 7.75];

fn unpenalised(covariates: &[&str]) -> ZeroInflatedLognormal {
    ZeroInflatedLognormal {
        penalty: Some(Penalty::All(0.0)),
        ..ZeroInflatedLognormal::new(covariates.iter().copied())
    }
}

#[test]
fn without_covariates_the_estimates_are_the_share_and_the_moments_of_logarithms() {
    let frame = Columns::new().with("value", AMOUNTS.to_vec());
    let (model, _) = unpenalised(&[]).fit(&frame, &Run::new()).unwrap();
    let logs: Vec<f64> = AMOUNTS.iter().filter(|y| **y > 0.0).map(|y| y.ln()).collect();
    let n = logs.len() as f64;
    let mean = sum(logs.iter().copied()) / n;
    let sd = (sum(logs.iter().map(|v| (v - mean) * (v - mean))) / n).sqrt();
    let p = n / 8.0;
    close(&values(&model, "purchase"), &[(p / (1.0 - p)).ln()], 1e-10, "purchase");
    close(&values(&model, "mu"), &[mean], 1e-10, "mu");
    close(&values(&model, "log_sigma"), &[sd.ln()], 1e-10, "log_sigma");
    // The information of a proportion, of a mean and of a logarithm of a deviation.
    let errors: Vec<f64> =
        ["purchase", "mu", "log_sigma"].iter().map(|h| estimates(&model, h)[0].1.unwrap()).collect();
    close(
        &errors,
        &[1.0 / (8.0 * p * (1.0 - p)).sqrt(), sd / n.sqrt(), 1.0 / (2.0 * n).sqrt()],
        1e-9,
        "errors",
    );
    assert!(
        (model.log_likelihood() - model.fit_table().f64s("null_log_likelihood").unwrap()[0]).abs() < 1e-10
    );
    let expected = p * (mean + 0.5 * sd * sd).exp();
    close(&predictions(&model, &frame, "expected_value"), &[expected; 8], 1e-10, "mean");
    close(&predictions(&model, &frame, "p_positive"), &[p; 8], 1e-10, "p");
    let options = PredictOptions { quantiles: vec![0.2, 0.9], ..PredictOptions::default() };
    let tables = model.predict(&frame, &options, &Run::new()).unwrap();
    let want = (mean + sd * normal_quantile((0.9 - (1.0 - p)) / p)).exp();
    close(&table(&tables, "quantiles").f64s("value").unwrap()[..2], &[0.0, want], 1e-10, "quantiles");
}

fn golden() -> Value {
    serde_json::from_str(include_str!("vectors/clv_learned_peers.json")).unwrap()
}

fn golden_frame(golden: &Value) -> Columns {
    let of = &golden["frame"];
    let plan: Vec<String> =
        of["plan"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    let mut frame = Columns::new().with("plan", plan);
    for name in ["value", "visits", "age"] {
        frame = frame.with(name, numbers(&of[name]));
    }
    frame
}

#[test]
fn with_one_sigma_the_heads_are_a_logistic_regression_and_least_squares() {
    let golden = golden();
    let frame = golden_frame(&golden);
    let options = ZeroInflatedLognormal { sigma: Sigma::Constant, ..unpenalised(&["visits", "age", "plan"]) };
    let (model, _) = options.fit(&frame, &Run::new()).unwrap();
    let want = &golden["constant_sigma"];
    close(&values(&model, "purchase"), &numbers(&want["purchase"]), 1e-6, "purchase");
    close(&values(&model, "mu"), &numbers(&want["mu"]), 1e-9, "mu");
    close(&values(&model, "log_sigma"), &numbers(&want["log_sigma"]), 1e-9, "log_sigma");
    let errors: Vec<f64> = ["purchase", "mu"]
        .iter()
        .flat_map(|h| estimates(&model, h).into_iter().map(|e| e.1.unwrap()))
        .collect();
    close(&errors, &numbers(&want["standard_errors"]), 1e-6, "errors");
    assert!((model.log_likelihood() - want["log_likelihood"].as_f64().unwrap()).abs() < 1e-7);
}

#[test]
fn all_heads_together_are_at_the_peers_maximum() {
    let golden = golden();
    let frame = golden_frame(&golden);
    for (name, penalty) in [("unpenalised", 0.0), ("penalised", 2.0)] {
        let options = ZeroInflatedLognormal {
            penalty: Some(Penalty::All(penalty)),
            ..ZeroInflatedLognormal::new(["visits", "age", "plan"])
        };
        let (model, _) = options.fit(&frame, &Run::new()).unwrap();
        for head in ["purchase", "mu", "log_sigma"] {
            close(&values(&model, head), &numbers(&golden[name][head]), 2e-5, head);
        }
        // A search without derivatives never finds a higher top.
        let top = golden[name]["log_likelihood"].as_f64().unwrap();
        assert!((model.log_likelihood() - top).abs() < 1e-6, "{} {top}", model.log_likelihood());
    }
}

/// Customers of a known law: `purchase` = (a, b₁, b₂), and so on, in x₁, x₂ ~ U(−1, 1).
fn simulated(n: usize, seed: u64, truth: &[[f64; 3]; 3]) -> Columns {
    let mut rng = Run::new().seed(seed).rng(7);
    let mut unit = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut x = [Vec::new(), Vec::new()];
    let mut y = Vec::new();
    for _ in 0..n {
        let z = [2.0 * unit() - 1.0, 2.0 * unit() - 1.0];
        let [eta, mu, s] = truth.map(|t| t[0] + t[1] * z[0] + t[2] * z[1]);
        let normal = normal_quantile((unit() + 1e-12).min(1.0 - 1e-12));
        let buys = unit() < 1.0 / (1.0 + (-eta).exp());
        y.push(if buys { (mu + s.exp() * normal).exp() } else { 0.0 });
        x[0].push(z[0]);
        x[1].push(z[1]);
    }
    let [a, b] = x;
    Columns::new().with("a", a).with("b", b).with("value", y)
}

const TRUTH: [[f64; 3]; 3] = [[-0.5, 1.2, -0.7], [3.0, 0.6, 0.4], [-0.2, 0.3, -0.4]];

#[test]
fn the_law_behind_simulated_customers_is_recovered_within_its_errors() {
    let frame = simulated(6000, 1, &TRUTH);
    let (model, _) = unpenalised(&["a", "b"]).fit(&frame, &Run::new()).unwrap();
    assert_eq!(model.verdict(), Verdict::Interior);
    let mut beyond_2 = 0;
    for (head, truth) in ["purchase", "mu", "log_sigma"].iter().zip(TRUTH) {
        let found = estimates(&model, head);
        for ((value, error), truth) in found.into_iter().zip([truth[1], truth[2], truth[0]]) {
            let z = (value - truth) / error.unwrap();
            assert!(z.abs() < 3.5, "{head}: {value} for {truth}");
            beyond_2 += usize::from(z.abs() > 2.0);
        }
    }
    assert!(beyond_2 <= 2);
}

#[test]
fn both_learners_beat_one_distribution_for_all_on_customers_they_have_not_seen() {
    let (seen, unseen) = (simulated(1500, 2, &TRUTH), simulated(1500, 3, &TRUTH));
    let run = Run::new();
    let (constant, _) = unpenalised(&[]).fit(&seen, &run).unwrap();
    let (linear, _) = ZeroInflatedLognormal::new(["a", "b"]).fit(&seen, &run).unwrap();
    let boosted = ZeroInflatedLognormal {
        learner: Learner::Boosted,
        trees: 60,
        folds: 3,
        patience: 10,
        depth: 2,
        ..ZeroInflatedLognormal::new(["a", "b"])
    };
    let (boosted, _) = boosted.fit(&seen, &run).unwrap();
    for score in ["log_loss", "loss"] {
        let [c, l, b] = [&constant, &linear, &boosted].map(|m| scored(m, &unseen, score));
        assert!(l < c - 0.02 && b < c - 0.02, "{score}: {c} {l} {b}");
        assert!(l < b, "the law is linear: {score} {l} {b}");
    }
    assert!(scored(&boosted, &unseen, "gini_normalised") > 0.3);
    assert!(scored(&constant, &unseen, "gini_normalised").abs() < 0.01); // all tie
}

#[test]
fn trees_find_what_no_line_can() {
    // Who buys is decided by the sign of a b, how much by whether a is near 0.
    let base = simulated(1200, 5, &[[0.0; 3]; 3]);
    let column = |name: &str| -> Vec<f64> {
        let run = Run::new();
        let mut intake = Intake::new(&base, OnInvalid::Error, &run);
        intake.amounts(name, Sign::Any).unwrap().into_owned()
    };
    let (a, b, noise) = (column("a"), column("b"), column("value"));
    let value: Vec<f64> = (0..a.len())
        .map(|i| {
            let likely = a[i] * b[i] > 0.0;
            let buys = if i % 10 == 0 { !likely } else { likely };
            let size = if a[i].abs() < 0.4 { 100.0 } else { 5.0 };
            if buys { size * if noise[i] > 0.0 { noise[i] } else { 1.0 } } else { 0.0 }
        })
        .collect();
    let frame = Columns::new().with("a", a).with("b", b).with("value", value);
    let (linear, _) = ZeroInflatedLognormal::new(["a", "b"]).fit(&frame, &Run::new()).unwrap();
    let boosted = ZeroInflatedLognormal {
        learner: Learner::Boosted,
        trees: 40,
        folds: 2,
        learning_rate: 0.3,
        patience: 15,
        ..ZeroInflatedLognormal::new(["a", "b"])
    };
    let (boosted, _) = boosted.fit(&frame, &Run::new()).unwrap();
    assert!(scored(&boosted, &frame, "log_loss") < scored(&linear, &frame, "log_loss") - 0.1);
    assert!(scored(&boosted, &frame, "loss") < scored(&linear, &frame, "loss") - 0.3);
    let importance = boosted.importance();
    let gains: f64 = (0..importance.rows())
        .filter(|i| importance.text("head", *i).as_deref() == Some("mu"))
        .filter(|i| importance.text("covariate", *i).as_deref() == Some("a"))
        .map(|i| importance.f64s("gain").unwrap()[i])
        .sum();
    assert!(gains > 0.8, "{importance:?}");
}

#[test]
fn neither_threads_nor_the_order_of_rows_nor_a_file_change_a_bit() {
    let frame = golden_frame(&golden());
    let rows = frame.rows();
    let shuffled: Vec<usize> = (0..rows).map(|i| (i * 37 + 11) % rows).collect();
    let golden = golden();
    let of = &golden["frame"];
    let turn = |name: &str| shuffled.iter().map(|i| of[name][*i].as_f64().unwrap()).collect::<Vec<_>>();
    let plan: Vec<String> = shuffled.iter().map(|i| of["plan"][*i].as_str().unwrap().to_owned()).collect();
    let turned = Columns::new()
        .with("visits", turn("visits"))
        .with("age", turn("age"))
        .with("value", turn("value"))
        .with("plan", plan);
    for options in [
        ZeroInflatedLognormal {
            penalty: None,
            penalties: vec![1.0, 30.0],
            ..unpenalised(&["visits", "plan"])
        },
        ZeroInflatedLognormal {
            learner: Learner::Boosted,
            trees: 5,
            folds: 2,
            min_leaf: 10,
            ..unpenalised(&["visits", "age", "plan"])
        },
    ] {
        let bytes = |frame: &Columns, threads: usize| {
            let (fitted, _) = options.fit(frame, &Run::new().threads(threads)).unwrap();
            model::to_bytes(&fitted).unwrap()
        };
        let one = bytes(&frame, 1);
        assert!(one == bytes(&frame, 2) && one == bytes(&turned, 2));
        let again: ZeroInflatedLognormalModel = model::from_bytes(&one).unwrap();
        assert_eq!(model::to_bytes(&again).unwrap(), one);
    }
}

#[test]
fn a_weight_is_so_many_rows() {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let weight = [1.0, 3.0, 2.0, 1.0, 1.0, 2.0, 0.0, 4.0];
    let frame =
        Columns::new().with("x", x.to_vec()).with("value", AMOUNTS.to_vec()).with("weight", weight.to_vec());
    let spread = |from: &[f64]| -> Vec<f64> {
        from.iter().zip(weight).flat_map(|(v, w)| std::iter::repeat_n(*v, w as usize)).collect()
    };
    let long = Columns::new().with("x", spread(&x)).with("value", spread(&AMOUNTS));
    let options = ZeroInflatedLognormal::new(["x"]);
    let (short, _) = ZeroInflatedLognormal { weight: Some("weight".into()), ..options.clone() }
        .fit(&frame, &Run::new())
        .unwrap();
    let (long, _) = options.fit(&long, &Run::new()).unwrap();
    for head in ["purchase", "mu", "log_sigma"] {
        close(&values(&short, head), &values(&long, head), 1e-7, head);
    }
    assert!((short.log_likelihood() - long.log_likelihood()).abs() < 1e-9);
}

#[test]
fn a_stronger_penalty_pulls_every_head_to_no_effect() {
    let frame = simulated(400, 9, &TRUTH);
    let fit = |penalty: [f64; 3]| {
        let options =
            ZeroInflatedLognormal { penalty: Some(Penalty::Heads(penalty)), ..unpenalised(&["a", "b"]) };
        options.fit(&frame, &Run::new()).unwrap().0
    };
    let norm = |model: &ZeroInflatedLognormalModel, head: &str| {
        values(model, head)[..2].iter().map(|b| b * b).sum::<f64>()
    };
    let free = fit([0.0; 3]);
    for (at, head) in ["purchase", "mu", "log_sigma"].into_iter().enumerate() {
        let mut penalty = [0.0; 3];
        penalty[at] = 100.0;
        let held = fit(penalty);
        assert!(norm(&held, head) < 0.6 * norm(&free, head), "{head}");
        penalty[at] = 1e12;
        assert!(norm(&fit(penalty), head) < 1e-10, "{head}");
        // The loss separates: no penalty of one part moves the other.
        let other = if at == 0 { "mu" } else { "purchase" };
        close(&values(&held, other), &values(&free, other), 1e-9, other);
    }
}

fn fails(options: &ZeroInflatedLognormal, frame: &Columns, with: &str) {
    let error = options.fit(frame, &Run::new()).unwrap_err();
    assert!(error.to_string().contains(with), "{error}");
}

#[test]
fn hostile_frames_are_named_errors() {
    let x = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let with = |value: Vec<f64>| Columns::new().with("x", x.clone()).with("value", value);
    let options = ZeroInflatedLognormal::new(["x"]);
    let boosted =
        ZeroInflatedLognormal { learner: Learner::Boosted, folds: 0, min_leaf: 1, ..options.clone() };
    let negative = with(vec![0.0, 12.5, -4.0, 80.0, 3.25, 0.0, 41.0, 7.75]);
    for options in [&options, &boosted] {
        fails(options, &negative, "column `value`, row 2: the amount is negative");
        fails(options, &negative, "negative=\"zero\"");
        fails(options, &with(vec![0.0; 8]), "nobody bought anything");
        fails(options, &with(vec![5.0; 8]), "spent the same");
        fails(options, &with(vec![0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0]), "spent the same");
        fails(
            options,
            &with(vec![f64::NAN, 1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 3.0]),
            "row 0: the value is missing",
        );
        fails(options, &with(vec![f64::INFINITY, 1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 3.0]), "infinite");
        fails(options, &with(vec![1e200, 1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 3.0]), "beyond 1e150");
        fails(options, &with(Vec::new()), "x");
        let clamped = ZeroInflatedLognormal { negative: Negative::Zero, ..options.clone() };
        let (model, dropped) = clamped.fit(&negative, &Run::new()).unwrap();
        assert_eq!(dropped.rows, 0);
        assert_eq!(model.fit_table().f64s("buyers").unwrap(), [5.0]);
        let dropping = ZeroInflatedLognormal { on_invalid: OnInvalid::Drop, ..options.clone() };
        assert_eq!(dropping.fit(&negative, &Run::new()).unwrap().1.rows, 1);
        // Everybody bought: p = 1 exactly, and the rest is learned.
        let all = with(vec![1.0, 2.0, 4.0, 3.0, 9.0, 8.0, 20.0, 30.0]);
        let (model, _) = options.fit(&all, &Run::new()).unwrap();
        assert_eq!(model.verdict(), Verdict::Boundary);
        assert_eq!(predictions(&model, &all, "p_positive"), [1.0; 8]);
        assert!(predictions(&model, &all, "median")[7] > predictions(&model, &all, "median")[0]);
    }
    let good = with(AMOUNTS.to_vec());
    let more = |name: &str, values: Vec<f64>| good.clone().with(name, values);
    let two = ZeroInflatedLognormal::new(["x", "z"]);
    fails(&two, &good, "`z`");
    fails(&two, &more("z", vec![3.0; 8]), "column `z`: is the same in every row");
    fails(&two, &more("z", x.iter().map(|v| 7.0 - 2.0 * v).collect()), "column `z`: is a linear combination");
    fails(&two, &more("z", vec![f64::NAN; 8]), "column `z`, row 0: the value is missing");
    let vast = more("z", vec![1e200, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    fails(&two, &vast, "column `z`: holds numbers beyond 1e150");
    fails(&ZeroInflatedLognormal { learner: Learner::Boosted, ..two.clone() }, &vast, "beyond 1e150");
    fails(&ZeroInflatedLognormal::new(["x", "x"]), &good, "named twice");
    fails(&ZeroInflatedLognormal::new(["x", "value"]), &good, "what is to be explained");
    fails(&ZeroInflatedLognormal { penalty: None, ..options.clone() }, &good, "too few");
    fails(
        &ZeroInflatedLognormal { penalty: Some(Penalty::All(-1.0)), ..options.clone() },
        &good,
        "option `penalty`",
    );
    fails(&ZeroInflatedLognormal { folds: 0, penalty: None, ..options.clone() }, &good, "option `folds`");
    fails(&ZeroInflatedLognormal { learning_rate: 0.0, ..options.clone() }, &good, "option `learning_rate`");
    fails(&ZeroInflatedLognormal { covariates: Some(Vec::new()), ..boosted }, &good, "trees need");
}

#[test]
fn a_separated_head_stays_finite_and_says_so() {
    // Who has x > 4 buys without fail.
    let frame = Columns::new()
        .with("x", vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
        .with("value", vec![0.0, 0.0, 0.0, 0.0, 3.0, 9.0, 4.0, 7.0]);
    let options = ZeroInflatedLognormal { sigma: Sigma::Constant, ..unpenalised(&["x"]) };
    let (model, _) = options.fit(&frame, &Run::new()).unwrap();
    assert_eq!(model.verdict(), Verdict::MonotoneLikelihood);
    assert!(estimates(&model, "purchase").iter().all(|e| e.0.is_finite() && e.1.is_none()));
    assert!(predictions(&model, &frame, "expected_value").iter().all(|v| v.is_finite()));
    let (model, _) = ZeroInflatedLognormal { sigma: Sigma::Constant, ..ZeroInflatedLognormal::new(["x"]) }
        .fit(&frame, &Run::new())
        .unwrap();
    assert_eq!(model.verdict(), Verdict::Interior);
}

#[test]
fn a_level_with_a_single_buyer_is_an_error_whose_remedies_work() {
    let mut value = simulated(60, 4, &[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0; 3]]);
    let plan: Vec<&str> = (0..60).map(|i| if i < 3 { "rare" } else { "usual" }).collect();
    let run = Run::new();
    let mut intake = Intake::new(&value, OnInvalid::Error, &run);
    let mut amounts = intake.amounts("value", Sign::Any).unwrap().into_owned();
    amounts[..3].copy_from_slice(&[0.0, 33.0, 0.0]);
    value = Columns::new().with("plan", plan).with("value", amounts);
    let options = ZeroInflatedLognormal::new(["plan"]);
    fails(&options, &value, "in a rare level");
    let remedies = [
        ZeroInflatedLognormal { sigma: Sigma::Constant, ..options.clone() },
        ZeroInflatedLognormal { penalty: Some(Penalty::Heads([1.0, 1.0, 50.0])), ..options.clone() },
        ZeroInflatedLognormal { penalty: None, ..options },
    ];
    for remedy in remedies {
        let (model, _) = remedy.fit(&value, &run).unwrap();
        assert_eq!(model.verdict(), Verdict::Interior);
        assert!(predictions(&model, &value, "sigma").iter().all(|s| (0.2..3.0).contains(s)), "{remedy:?}");
    }
}

#[test]
fn strange_rows_of_a_prediction_are_named() {
    let frame = golden_frame(&golden());
    let (model, _) = ZeroInflatedLognormal::new(["visits", "plan"]).fit(&frame, &Run::new()).unwrap();
    let odd = Columns::new()
        .with("customer", vec!["ann", "bob", "cyd"])
        .with("visits", vec![1.0, 2.0, f64::NAN])
        .with("plan", vec!["basic", "platinum", "plus"]);
    let mut options = PredictOptions { customer: Some("customer".into()), ..PredictOptions::default() };
    let error = model.predict(&odd, &options, &Run::new()).unwrap_err();
    assert!(matches!(error, Error::Row { .. }), "{error}");
    options.on_invalid = OnInvalid::Drop;
    let tables = model.predict(&odd, &options, &Run::new()).unwrap();
    assert_eq!(tables[0].1.text("customer", 0).as_deref(), Some("ann"));
    assert_eq!((tables[0].1.rows(), table(&tables, "dropped").rows()), (1, 2));
    options.quantiles = vec![1.0];
    assert!(model.predict(&odd, &options, &Run::new()).unwrap_err().to_string().contains("quantiles"));
    // Far from the data the mean overflows: it is missing, not infinite.
    let far = Columns::new().with("visits", vec![1e149]).with("plan", vec!["basic"]);
    let tables = model.predict(&far, &PredictOptions::default(), &Run::new()).unwrap();
    for column in tables[0].1.columns() {
        if let headwater::column::Values::F64(v) = &column.values {
            assert!(v[0].is_finite(), "{}", column.name);
        }
    }
}

#[test]
fn every_column_without_a_role_explains_unless_some_are_named() {
    let frame = golden_frame(&golden());
    let options = ZeroInflatedLognormal::default();
    let (model, _) = options.fit(&frame, &Run::new()).unwrap();
    assert_eq!(values(&model, "mu").len(), 5); // visits, age, two dummies, the intercept
    let report = Contractual::from_bytes(&model::to_bytes(&model).unwrap()).unwrap().unwrap();
    let tables = report.report("summary", None, r#"{"level": 0.9}"#, &Run::new()).unwrap();
    assert_eq!(tables.iter().map(|t| t.0).collect::<Vec<_>>(), ["coefficients", "tuning", "fit"]);
    assert!(report.report("baseline", None, "{}", &Run::new()).is_err());
}
