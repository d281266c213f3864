use super::*;
use crate::attribution::Logistic;
use crate::column::Columns;
use crate::journey::{EventOptions, PathOptions};

/// Customers of one or two journeys, the second channel the better.
fn events(customers: usize) -> Journeys {
    let (mut who, mut when, mut channel) = (Vec::new(), Vec::new(), Vec::new());
    let (mut buyer, mut bought) = (Vec::new(), Vec::new());
    for c in 0..customers {
        for i in 0..=c * 5 % 3 {
            who.push(format!("c{c}"));
            when.push(format!("2024-0{}-{:02}", 1 + i * 2, 1 + (c * 7 + i) % 28));
            channel.push(["a", "b", "c"][(c * c + i) % 7 % 3]);
            if (c * 13 + i * 5) % 11 < 2 + 3 * ((c * c + i) % 7 % 3) {
                buyer.push(format!("c{c}"));
                bought.push(format!("2024-0{}-{:02}", 2 + i * 2, 1 + (c * 7 + i) % 28));
            }
        }
    }
    let touches = Columns::new().with("customer", who).with("time", when).with("channel", channel);
    let orders = Columns::new().with("customer", buyer).with("time", bought);
    let options = EventOptions { lookback: "40d".parse().unwrap(), ..EventOptions::default() };
    Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap()
}

fn options(models: Vec<Model>, bootstrap: usize) -> ValidateOptions {
    ValidateOptions { models, folds: 3, bins: 4, bootstrap, ..ValidateOptions::default() }
}

/// Every pair of journeys of each sample, weighed.
#[test]
fn samples_are_scored_as_the_definition_says() {
    let (j, run) = (events(90), Run::new().seed(6));
    let markov: Model = "markov".parse().unwrap();
    let found = validate(&j, &options(vec![markov.clone()], 40), &run).unwrap().remove(0);
    let parts = folds(&j, 3, &run).unwrap();
    let mut rows = Vec::new();
    for fold in 0..3 {
        let (train, test) = (parts.train(fold), parts.test(fold));
        let fitted = Fitted::fit(&markov, &train, &run).unwrap();
        let predictor = fitted.predictor().unwrap();
        for i in 0..test.len() {
            let key = test.customer_key(test.customer(i).unwrap());
            rows.push((predictor.predict(&test.journey(i)), test.conversions()[i], key, rate(&train)));
        }
    }
    assert!(rows.iter().any(|r| r.1 > 0.0) && found.samples.len() == 40);
    for r in [0, 7, 39] {
        let weight = weights(6, r, rows.iter().map(|row| (row.2, 1.0)));
        let sum = |of: &dyn Fn(usize) -> f64| (0..rows.len()).map(|i| weight[i] * of(i)).sum::<f64>();
        let n = sum(&|_| 1.0);
        let sample = &found.samples[r];
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{r}: {a} {b}");
        near(sample.journeys, n);
        near(sample.conversions, sum(&|i| rows[i].1));
        near(sample.log_loss, sum(&|i| log_loss(rows[i].0, rows[i].1, 1.0 - rows[i].1)) / n);
        near(sample.null_log_loss, sum(&|i| log_loss(rows[i].3, rows[i].1, 1.0 - rows[i].1)) / n);
        near(sample.brier, sum(&|i| (rows[i].1 - rows[i].0).powi(2)) / n);
        let (mut wins, mut pairs) = (0.0, 0.0);
        for (i, (p, ..)) in rows.iter().enumerate().filter(|(_, row)| row.1 > 0.0) {
            for (k, (q, ..)) in rows.iter().enumerate().filter(|(_, row)| row.1 == 0.0) {
                pairs += weight[i] * weight[k];
                let win = if p > q { 1.0 } else { f64::from(u8::from(p == q)) / 2.0 };
                wins += weight[i] * weight[k] * win;
            }
        }
        near(sample.auc, wins / pairs);
        // The bins hold the journeys that they hold of all.
        near(sample.calibration.iter().map(|b| b[0]).sum(), n);
        assert_eq!(sample.calibration.len(), found.calibration.len());
    }
    assert!(validate(&j, &options(vec![markov], 1), &run).is_err());
}

#[test]
fn intervals_and_differences_are_of_the_same_samples() {
    let (j, run) = (events(90), Run::new().seed(6));
    let options = options(vec!["markov".parse().unwrap(), Model::Logistic(Logistic::default())], 60);
    let found = validate(&j, &options, &run).unwrap();
    let tables = validation_tables(&found, &options, &run).unwrap();
    assert_eq!(tables.iter().map(|t| t.0).collect::<Vec<_>>(), ["validation", "calibration", "differences"]);
    let draws =
        |of: fn(&Validation) -> f64, m: usize| -> Vec<f64> { found[m].samples.iter().map(of).collect() };
    let column = |t: usize, name: &str| tables[t].1.f64s(name).unwrap()[0];
    let [error, low, high] = options.spread().around(found[0].auc, &draws(|v| v.auc, 0));
    assert_eq!(
        [column(0, "auc_standard_error"), column(0, "auc_low"), column(0, "auc_high")],
        [error, low, high]
    );
    let apart: Vec<f64> =
        draws(|v| v.log_loss, 0).iter().zip(draws(|v| v.log_loss, 1)).map(|(a, b)| a - b).collect();
    let estimate = found[0].log_loss - found[1].log_loss;
    assert_eq!(column(2, "log_loss_difference"), estimate);
    assert_eq!(column(2, "log_loss_difference_high"), options.spread().around(estimate, &apart)[2]);
    // What two models have in common cancels.
    let alone = column(0, "log_loss_standard_error");
    assert!(column(2, "log_loss_difference_standard_error") < alone);
    let again = validate(&j, &options, &run.clone().threads(1)).unwrap();
    assert_eq!(again, found);
    let plain = ValidateOptions { bootstrap: 0, ..options };
    let found = validate(&j, &plain, &run).unwrap();
    let tables = validation_tables(&found, &plain, &run).unwrap();
    assert_eq!(tables[0].1, validation_table(&found));
    assert_eq!(tables.len(), 2);
}

/// Journeys from paths are drawn one by one: Poisson numbers of conversions and nulls.
#[test]
fn errors_of_paths_are_those_of_the_closed_form() {
    let paths = Columns::new()
        .with("path", vec!["a", "b > a", "b"])
        .with("conversions", vec![60.0, 30.0, 10.0])
        .with("nulls", vec![140.0, 90.0, 170.0]);
    let given = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    let run = Run::new().seed(2);
    let j = Journeys::from_paths(&paths, &given, &run).unwrap();
    let options = options(vec!["markov".parse().unwrap()], 3_000);
    let found = validate(&j, &options, &run).unwrap();
    let tables = validation_tables(&found, &options, &run).unwrap();
    let at = |name: &str| tables[0].1.f64s(name).unwrap()[0];
    let near = |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 0.06, "{found} {wanted}");
    near(at("conversions_standard_error"), 10.0);
    near(at("journeys_standard_error"), 500_f64.sqrt());
    // The error of a mean: the root of the squared distances from it, by their number.
    let (parts, mut squares, mut n) = (folds(&j, 3, &run).unwrap(), 0.0, 0.0);
    for fold in 0..3 {
        let (train, test) = (parts.train(fold), parts.test(fold));
        let fitted = Fitted::fit(&options.models[0], &train, &run).unwrap();
        for i in 0..test.len() {
            let p = fitted.predictor().unwrap().predict(&test.journey(i));
            let off = |c: f64| (log_loss(p, c, 1.0 - c) - found[0].log_loss).powi(2);
            squares += test.conversions()[i] * off(1.0) + test.nulls()[i] * off(0.0);
            n += test.conversions()[i] + test.nulls()[i];
        }
    }
    near(at("log_loss_standard_error"), squares.sqrt() / n);
}
