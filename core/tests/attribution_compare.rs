//! Models set side by side, and one period against another.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeMap;

use headwater::attribution::{
    AttributeOptions, CompareOptions, DifferenceMetric, DifferenceOptions, DriftOptions, Markov, Model,
    attribute, compare, difference, drift,
};
use headwater::column::{Columns, Tables};
use headwater::journey::EventOptions;
use headwater::{Error, Run};

mod support;

use support::paths::{TOY, paths};
use support::tables::{cell, floats, row};
use support::world::world;

#[test]
fn models_are_set_side_by_side() {
    let j = paths(&TOY);
    let truth = Columns::new()
        .with("channel", vec!["A", "B", "C", "D"])
        .with("incremental_conversions", vec![5.0, 5.0, 5.0, 5.0]);
    let given = CompareOptions {
        models: vec![Model::First, Model::Last, Model::Markov(Markov::default())],
        bootstrap: 50,
        folds: 2,
        ..CompareOptions::default()
    };
    let tables: BTreeMap<_, _> =
        compare(&j, Some(&truth), None, &given, &Run::new()).unwrap().into_iter().collect();
    // First 18, 8, 4 and last 0, 5, 25 of 30: half of |18| + |3| + |-21|.
    let key = [("model", "first"), ("other_model", "last")];
    assert!((cell(&tables["agreement"], &key, "total_variation") - 21.0 / 30.0).abs() < 1e-12);
    assert_eq!(cell(&tables["agreement"], &key, "kendall"), -1.0);
    assert_eq!(cell(&tables["agreement"], &key, "spearman"), -1.0);
    assert_eq!(floats(&tables["ranks"], "rank")[..3], [1.0, 2.0, 3.0]);
    assert!(floats(&tables["ranks"], "same_rank").iter().all(|s| (0.0..=1.0).contains(s)));
    assert_eq!(cell(&tables["errors"], &[("model", "last"), ("channel", "D")], "error"), -0.25);
    assert!(
        (cell(&tables["truth"], &[("model", "last")], "mean_absolute_error")
            - (0.25 + (0.25 - 5.0 / 30.0) + (25.0 / 30.0 - 0.25) + 0.25) / 4.0)
            .abs()
            < 1e-12
    );
    // A truth of some channels: shares among them. Of B and C last gives 5 and 25, of 5 and 15 in truth.
    let some = Columns::new()
        .with("channel", vec!["C", "B", "C"])
        .with("incremental_conversions", vec![10.0, 5.0, 5.0]);
    let found: BTreeMap<_, _> =
        compare(&j, Some(&some), None, &given, &Run::new()).unwrap().into_iter().collect();
    assert_eq!(found["errors"].rows(), 6);
    let key = [("model", "last"), ("channel", "C")];
    assert_eq!(cell(&found["errors"], &key, "true_share"), 0.75);
    assert!((cell(&found["errors"], &key, "error") - (25.0 / 30.0 - 0.75)).abs() < 1e-12);
    assert_eq!(found["truth"].i64s("channels"), Some(&[2; 3][..]));
    assert_eq!(tables["truth"].i64s("channels"), Some(&[4; 3][..]));
    let one = Columns::new().with("channel", vec!["C"]).with("incremental_conversions", vec![10.0]);
    assert!(matches!(compare(&j, Some(&one), None, &given, &Run::new()), Err(Error::Column { .. })));
    assert_eq!(tables["predictions"].rows(), 1);
    assert!(floats(&tables["predictions"], "auc")[0] > 0.0);
    // On many customers the last channel tells of the rate, out of sample.
    let rows: Vec<(String, f64, f64)> =
        (0..200).map(|i| (format!("x{i} > {}", ["good", "bad"][i % 2]), [5.0, 1.0][i % 2], 5.0)).collect();
    let rows: Vec<(&str, f64, f64, f64)> = rows.iter().map(|r| (r.0.as_str(), r.1, r.2, 0.0)).collect();
    let given = CompareOptions { bootstrap: 0, ..given };
    let tables: BTreeMap<_, _> =
        compare(&paths(&rows), None, None, &given, &Run::new()).unwrap().into_iter().collect();
    let told = &tables["predictions"];
    // good converts 1 of 2, bad 1 of 6; folds are dealt journey by journey.
    let entropy = |p: f64| -(p * p.ln() + (1.0 - p) * (1.0 - p).ln());
    let wanted = (10.0 * entropy(0.5) + 6.0 * entropy(1.0 / 6.0)) / 16.0;
    assert!((floats(told, "log_loss")[0] / wanted - 1.0).abs() < 0.01, "{told:?} {wanted}");
    assert!(floats(told, "log_loss")[0] < floats(told, "null_log_loss")[0]);
    let area = (5.0 * (5.0 + 2.5) + 1.0 * 2.5) / 60.0;
    assert!((floats(told, "auc")[0] - area).abs() < 0.05, "{told:?} {area}");
    assert!(
        compare(&j, None, None, &CompareOptions { models: vec![Model::Last], ..given }, &Run::new()).is_err()
    );
}

/// Shares among all channels are those that `attribute` gives, sample by sample.
#[test]
fn comparisons_have_the_intervals_of_credits() {
    let j = paths(&[("A > B", 6.0, 20.0, 0.0), ("B > C", 9.0, 30.0, 0.0), ("C > A", 4.0, 11.0, 0.0)]);
    let truth = Columns::new()
        .with("channel", vec!["A", "B", "C"])
        .with("incremental_conversions", vec![3.0, 5.0, 2.0]);
    let models: Vec<Model> = vec![Model::Last, Model::Linear, Model::Markov(Markov::default())];
    let given =
        CompareOptions { models: models.clone(), bootstrap: 70, folds: 3, ..CompareOptions::default() };
    let run = || Run::new().seed(8);
    let found = compare(&j, Some(&truth), None, &given, &run()).unwrap();
    let order: Vec<&str> = found.iter().map(|t| t.0).collect();
    assert_eq!(order, ["agreement", "ranks", "predictions", "errors", "truth"]);
    assert_eq!(compare(&j, Some(&truth), None, &given, &run().threads(1)).unwrap(), found);
    let found: BTreeMap<_, _> = found.into_iter().collect();
    let credits =
        attribute(&j, &AttributeOptions { models, bootstrap: 70, ..AttributeOptions::default() }, &run());
    let credits = credits.unwrap().table();
    for r in 0..9 {
        let model = found["errors"].text("model", r).unwrap().into_owned();
        let channel = found["errors"].text("channel", r).unwrap().into_owned();
        let key = [("model", model.as_str()), ("channel", channel.as_str())];
        for end in ["low", "high"] {
            let of = |name: &str| cell(&found["errors"], &key, &format!("{name}_{end}"));
            let wanted = cell(&credits, &key, &format!("share_{end}"));
            assert!((of("share") - wanted).abs() < 1e-9, "{model} {channel} {end}");
            let truth = cell(&found["errors"], &key, "true_share");
            assert!((of("error") - (wanted - truth)).abs() < 1e-9, "{model} {channel} {end}");
        }
    }
    for name in ["total_variation_high", "kendall_low", "spearman_standard_error"] {
        assert_eq!(floats(&found["agreement"], name).len(), 3);
    }
    assert!(floats(&found["truth"], "worst_error_high").iter().all(|x| *x > 0.0));
    assert!(floats(&found["predictions"], "auc_low")[0] < floats(&found["predictions"], "auc_high")[0]);
}

#[test]
fn drift_is_told_from_noise() {
    let given =
        DriftOptions { models: vec![Model::Linear, Model::Last], bootstrap: 400, ..DriftOptions::default() };
    let of =
        |effect: f64, seed: u64| world(1_500, 60.0, effect, 2.0, seed).journeys(&EventOptions::default());
    let calm: BTreeMap<_, _> =
        drift(&of(0.1, 2), &of(0.1, 1), None, &given, &Run::new()).unwrap().into_iter().collect();
    assert_eq!(calm["alerts"].rows(), 0, "{:?}", calm["alerts"]);
    let stir: BTreeMap<_, _> =
        drift(&of(0.6, 2), &of(0.1, 1), None, &given, &Run::new()).unwrap().into_iter().collect();
    let alerts = &stir["alerts"];
    assert!(alerts.rows() >= 2, "{alerts:?}");
    assert!(floats(alerts, "severity").is_sorted_by(|a, b| a >= b));
    let what = row(&stir["drift"], &[("model", "last"), ("channel", "a")]);
    assert!(floats(&stir["drift"], "change")[what] > 0.1);
    assert!(cell(&stir["distributions"], &[("what", "transitions")], "p") < 0.01);
    // The divergence by chance is about what is seen when nothing happened.
    for what in ["channels", "transitions", "paths"] {
        let at = |name: &str| cell(&calm["distributions"], &[("what", what)], name);
        assert!(
            at("p") > 0.02 && at("jensen_shannon") < 3.0 * at("expected"),
            "{what} {:?}",
            calm["distributions"]
        );
    }
}

#[test]
fn a_side_without_conversions_has_no_shares_to_compare() {
    let j = paths(&TOY);
    let unsold = paths(&[("A > B", 0.0, 9.0, 0.0)]);
    let none = paths(&[]);
    let given = DriftOptions { models: vec![Model::Linear], bootstrap: 20, ..DriftOptions::default() };
    let refused = |found: headwater::Result<_>, side: &str| {
        let error = found.map(|_: Tables| ()).unwrap_err();
        assert!(matches!(error, Error::NotEnoughData { .. }) && error.to_string().contains(side), "{error}");
    };
    refused(drift(&unsold, &j, None, &given, &Run::new()), "the new");
    refused(drift(&j, &unsold, None, &given, &Run::new()), "the old");
    let counts = DriftOptions { metric: DifferenceMetric::Conversions, ..given };
    let found: BTreeMap<_, _> = drift(&unsold, &j, None, &counts, &Run::new()).unwrap().into_iter().collect();
    assert!(floats(&found["drift"], "new").iter().all(|x| *x == 0.0));
    refused(drift(&none, &j, None, &counts, &Run::new()), "the new");
    let asked =
        DifferenceOptions { models: vec![Model::Linear], bootstrap: 20, ..DifferenceOptions::default() };
    for (a, b) in [(&j, &unsold), (&unsold, &j)] {
        let error = difference(a, Some(b), None, None, &asked, &Run::new()).unwrap_err();
        assert!(matches!(error, Error::NotEnoughData { .. }), "{error}");
    }
}
