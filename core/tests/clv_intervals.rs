//! Intervals of every prediction: the delta method beside draws of the parameters.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::needless_range_loop)]

mod support;

use headwater::clv::{
    BetaGeoModel, GammaGamma, GammaGammaModel, GammaGammaOptions, History, LifetimeOptions, PredictOptions,
    PurchaseOptions, Purchases, Quantity, RfmSlices, SpendPredictOptions, SpendSlices, fit_purchases,
    gamma_gamma, lifetime_value, likelihood_ratio, predict, purchases_from_bytes, purchases_with,
};
use headwater::column::Columns;
use headwater::{Error, Result, Run};
use support::draws::Draws;

const MONEY: [f64; 7] = [0.0, 12.0, 35.0, 8.0, 60.0, 25.0, 42.0];

/// Parameters about their estimates, by the covariance of their logarithms.
fn draw(values: &[f64], covariance: &[Vec<f64>], draws: &mut Draws) -> Vec<f64> {
    let n = values.len();
    let mut factor = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let rest = covariance[i][j] - dot;
            let pivot = factor[j][j];
            factor[i][j] = if i == j {
                rest.max(0.0).sqrt()
            } else if pivot > 0.0 {
                rest / pivot
            } else {
                0.0 // a parameter that is not known at all is held
            };
        }
    }
    let z: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
    (0..n).map(|i| values[i] * (0..=i).map(|j| factor[i][j] * z[j]).sum::<f64>().exp()).collect()
}

fn quantiles(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let at = |p: f64| values[(p * values.len() as f64) as usize];
    [at(0.05), at(0.95)]
}

/// Many customers, so that the likelihood is nearly normal about its top.
fn customers() -> Columns {
    Columns::new()
        .with("customer", vec!["a", "b", "c", "d", "e", "f", "g"])
        .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
        .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
        .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
        .with("monetary_value", MONEY.to_vec())
        .with("many", [1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0].map(|n| 20.0 * n).to_vec())
}

fn fitted(kind: &str) -> Result<Box<dyn Purchases>> {
    let fit = PurchaseOptions { weight: Some("many".into()), ..PurchaseOptions::default() };
    Ok(fit_purchases(kind, &customers(), &fit, &Run::new())?.0)
}

#[test]
fn intervals_are_those_of_draws_of_the_parameters() -> Result<()> {
    let run = Run::new();
    let frame = customers();
    let fit = PurchaseOptions { weight: Some("many".into()), ..PurchaseOptions::default() };
    for kind in ["clv.ParetoNBD"] {
        let (model, _) = fit_purchases(kind, &frame, &fit, &run)?;
        let ask = PredictOptions {
            periods: 26.0.into(),
            interval: Some(0.9),
            ahead: Some(20.0.into()),
            discount_rate: Some(0.01.into()),
            rate: true,
            ..PredictOptions::default()
        };
        let table = predict(&*model, &frame, &ask, &run)?.table();
        let options = GammaGammaOptions { weight: Some("many".into()), ..GammaGammaOptions::default() };
        let (spend, _) = gamma_gamma(&frame, &options, &run)?;
        let value = LifetimeOptions {
            periods: 12.0.into(),
            discount_rate: 0.01.into(),
            interval: Some(0.9),
            ..Default::default()
        };
        let valued = lifetime_value(&*model, &spend, &frame, &value, &run)?.table();
        let column = |table: &headwater::Table, name: &str| table.f64s(name).unwrap().to_vec();
        let rate = 1.01_f64.ln();
        for (row, (x, t_x, t)) in [(1, (1, 4.0, 38.0)), (6, (6, 36.0, 38.0))] {
            let history = History { frequency: x, recency: t_x, age: t, ..History::default() };
            let mut draws = Draws::new(5);
            let mut found = vec![Vec::new(); 4];
            for _ in 0..2_000 {
                let p = draw(&model.estimates().values, &model.estimates().covariance, &mut draws);
                for (i, asked) in
                    [Quantity::Alive { ahead: 20.0 }, Quantity::Residual { rate }, Quantity::Rate]
                        .into_iter()
                        .enumerate()
                {
                    found[i].push(model.quantity_at(&p, history, asked));
                }
                let s = draw(&spend.estimates().values, &spend.estimates().covariance, &mut draws);
                let bought: f64 = (1..=12)
                    .map(|n| {
                        let upto = |n: i32| {
                            let periods = f64::from(n);
                            if n == 0 {
                                0.0
                            } else {
                                model.quantity_at(&p, history, Quantity::Purchases { periods })
                            }
                        };
                        (upto(n) - upto(n - 1)) * 1.01_f64.powi(-n)
                    })
                    .sum();
                let (x, mean) = (f64::from(x), MONEY[row]);
                found[3].push(bought * s[0] * (s[2] + x * mean) / (s[0] * x + s[1] - 1.0));
            }
            for (draws, (table, name)) in found.into_iter().zip([
                (&table, "p_alive_ahead"),
                (&table, "residual_purchases"),
                (&table, "purchase_rate"),
                (&valued, "lifetime_value"),
            ]) {
                let [low, high] = quantiles(draws);
                let told = |end: &str| column(table, &format!("{name}{end}"))[row];
                let width = high - low;
                assert!(
                    (told("_low") - low).abs() < 0.08 * width,
                    "{kind} {name} {row}: {} {low}",
                    told("_low")
                );
                assert!(
                    (told("_high") - high).abs() < 0.08 * width,
                    "{kind} {name} {row}: {} {high}",
                    told("_high")
                );
                assert!(told("_low") < told("") && told("") < told("_high"));
            }
        }
    }
    Ok(())
}

/// What is said of one customer has the edges that the frame has.
#[test]
fn a_single_customer_has_the_intervals_of_the_frame() -> Result<()> {
    for kind in ["clv.ParetoNBD", "clv.BetaGeo", "clv.GGompertzNBD", "clv.BetaGeoCNBD"] {
        let model = fitted(kind)?;
        let ask = PredictOptions {
            periods: 26.0.into(),
            interval: Some(0.9),
            ahead: Some(20.0.into()),
            discount_rate: Some(0.01.into()),
            rate: true,
            ..PredictOptions::default()
        };
        let table = predict(&*model, &customers(), &ask, &Run::new())?.table();
        let rate = 0.01_f64.ln_1p();
        for (row, x, t_x, t) in [(0, 0.0, 0.0, 35.0), (1, 1.0, 4.0, 38.0), (6, 6.0, 36.0, 38.0)] {
            for (name, asked) in [
                ("expected_purchases", Quantity::Purchases { periods: 26.0 }),
                ("p_alive", Quantity::Alive { ahead: 0.0 }),
                ("p_alive_ahead", Quantity::Alive { ahead: 20.0 }),
                ("residual_purchases", Quantity::Residual { rate }),
                ("purchase_rate", Quantity::Rate),
            ] {
                let edges = model.interval(x, t_x, t, asked, 0.9)?;
                for (edge, end) in edges.into_iter().zip(["_low", "_high"]) {
                    let (edge, told) = (edge.unwrap(), table.f64s(&format!("{name}{end}")).unwrap()[row]);
                    assert!((edge - told).abs() < 1e-12 * told, "{kind} {name}{end}: {edge} for {told}");
                }
            }
        }
    }
    Ok(())
}

/// Purchases of a new customer, and the probabilities of their numbers, beside draws of the parameters.
#[test]
fn intervals_of_new_customers_are_those_of_draws() -> Result<()> {
    for kind in ["clv.ParetoNBD", "clv.ModifiedBetaGeo"] {
        let model = fitted(kind)?;
        let new = History::default();
        let mut draws = Draws::new(9);
        let mut found = vec![Vec::new(); 6];
        for _ in 0..2_000 {
            let p = draw(&model.estimates().values, &model.estimates().covariance, &mut draws);
            let mass = model.probabilities_at(&p, new, 26.0, 3);
            for (found, value) in found.iter_mut().zip(mass) {
                found.push(value);
            }
            found[4].push(model.quantity_at(&p, new, Quantity::Purchases { periods: 13.0 }));
            found[5].push(model.quantity_at(&p, new, Quantity::Alive { ahead: 52.0 }));
        }
        let options = r#"{"periods": 26, "most": 3, "horizons": [13, 52], "interval": 0.9}"#;
        let tables = model.report("new_customer", None, options, &Run::new())?;
        let told = |table: usize, name: &str, row: usize| tables[table].1.f64s(name).unwrap()[row];
        let places = [0, 1, 2, 3].map(|n| (0, "probability", n));
        let asked = [&places[..], &[(1, "expected_purchases", 0), (1, "p_alive", 1)]].concat();
        for (draws, (table, name, row)) in found.into_iter().zip(asked) {
            let [low, high] = quantiles(draws);
            let edge = |end: &str| told(table, &format!("{name}{end}"), row);
            let width = high - low;
            assert!((edge("_low") - low).abs() < 0.08 * width, "{kind} {name} {row}: {} {low}", edge("_low"));
            assert!(
                (edge("_high") - high).abs() < 0.08 * width,
                "{kind} {name} {row}: {} {high}",
                edge("_high")
            );
            assert!(edge("_low") < edge("") && edge("") < edge("_high"));
        }
    }
    Ok(())
}

/// When customers buy next, and how often in 26 periods, beside draws of the parameters; a time that never comes is
/// missing.
#[test]
fn intervals_of_the_next_purchase_are_those_of_draws() -> Result<()> {
    let run = Run::new();
    let frame = customers();
    let ask = PredictOptions {
        periods: 26.0.into(),
        interval: Some(0.9),
        next_purchase: Some(0.3),
        probabilities: Some(2),
        ..PredictOptions::default()
    };
    for kind in ["clv.ParetoNBD", "clv.ModifiedBetaGeo"] {
        let model = fitted(kind)?;
        let table = predict(&*model, &frame, &ask, &run)?.table();
        for (row, (x, t_x, t)) in
            [(0, (0, 0.0, 35.0)), (4, (2, 30.0, 39.0)), (5, (6, 13.0, 38.0)), (6, (6, 36.0, 38.0))]
        {
            let history = History { frequency: x, recency: t_x, age: t, ..History::default() };
            let mut draws = Draws::new(3);
            let mut found = vec![Vec::new(); 4];
            for _ in 0..1_000 {
                let p = draw(&model.estimates().values, &model.estimates().covariance, &mut draws);
                let law = purchases_with(kind, &p, 1, None)?;
                found[0].push(law.next_purchase_of(history, 0.3).unwrap_or(f64::INFINITY));
                let mass = law.probabilities_of(history, 26.0, 2);
                found[1..].iter_mut().zip(mass).for_each(|(found, p)| found.push(p));
            }
            let [low, high] = model.next_purchase_interval(f64::from(x), t_x, t, 0.3, 0.9)?;
            let told = |name: &str| optional(&table, name, row);
            assert_eq!([told("next_purchase_low"), told("next_purchase_high")], [low, high]);
            for (draws, name) in
                found.into_iter().zip(["next_purchase", "probability_0", "probability_1", "probability_2"])
            {
                let want = quantiles(draws);
                let edges = ["_low", "_high"].map(|end| told(&format!("{name}{end}")));
                if want[1].is_infinite() {
                    assert_eq!(edges[1], None, "{kind} {name} {row}: {want:?}");
                    continue;
                }
                for (edge, want) in edges.iter().zip(want) {
                    let near = (edge.unwrap() - want).abs() < 0.1 * (quantile_width(&edges));
                    assert!(near, "{kind} {name} {row}: {edges:?} for {want}");
                }
                assert!(edges[0] < told(name) && told(name) < edges[1]);
            }
        }
        let missing = model.next_purchase_interval(6.0, 13.0, 38.0, 0.999, 0.9)?;
        assert_eq!(missing[1], None, "{kind}: {missing:?}");
    }
    // Opportunities are whole.
    let model = fitted("clv.BetaGeoBetaBinomial")?;
    let edges = model.next_purchase_interval(2.0, 30.0, 39.0, 0.3, 0.9)?.map(Option::unwrap);
    let next = model.next_purchase(2.0, 30.0, 39.0, 0.3)?.unwrap();
    assert!(edges[0] <= next && next <= edges[1] && edges.iter().all(|edge| edge.fract() == 0.0));
    let wrong = PredictOptions { probabilities: Some(1001), ..ask };
    assert_eq!(predict(&*model, &frame, &wrong, &run).unwrap_err().code(), "HW_OPTION");
    Ok(())
}

fn optional(table: &headwater::Table, name: &str, row: usize) -> Option<f64> {
    let there = table.get(name).unwrap().valid.as_ref().is_none_or(|valid| valid[row]);
    there.then(|| table.f64s(name).unwrap()[row])
}

fn quantile_width(edges: &[Option<f64>; 2]) -> f64 {
    edges[1].unwrap() - edges[0].unwrap()
}

#[test]
fn intervals_of_what_is_certain_are_points_and_what_cannot_be_is_refused() -> Result<()> {
    let fitted = fitted("clv.BetaGeo")?;
    let asked = Quantity::Purchases { periods: 5.0 };
    // A new customer of BG/NBD is alive without doubt.
    let alive = Quantity::Alive { ahead: 0.0 };
    assert_eq!(fitted.interval(0.0, 0.0, 0.0, alive, 0.95)?, [Some(1.0); 2]);
    let refused = |found: Result<[Option<f64>; 2]>, name: &str| {
        assert!(matches!(found, Err(Error::Option { option, .. }) if option == name), "{name}");
    };
    refused(fitted.interval(0.0, 0.0, 0.0, asked, 1.0), "interval");
    refused(fitted.interval(0.0, 0.0, 0.0, Quantity::Purchases { periods: -1.0 }, 0.9), "periods");
    refused(fitted.interval(0.0, 0.0, 0.0, Quantity::Alive { ahead: f64::NAN }, 0.9), "ahead");
    refused(fitted.interval(0.0, 0.0, 0.0, Quantity::Residual { rate: 0.0 }, 0.9), "rate");
    refused(fitted.interval(0.0, 0.0, 0.0, Quantity::LogLikelihood, 0.9), "quantity");
    // The numbers of one customer are options, and no rows that could be dropped.
    refused(fitted.interval(1.0, 3.0, 2.0, asked, 0.9), "recency");
    refused(fitted.interval(0.5, 0.0, 2.0, asked, 0.9), "frequency");
    refused(fitted.interval(0.0, 0.0, f64::NAN, asked, 0.9), "T");
    Ok(())
}

fn refuses_intervals<T>(found: Result<T>) {
    let Err(error) = found else { unreachable!("an interval of what has no errors") };
    let text = error.to_string();
    assert!(text.contains("interval") && text.contains("given") && text.contains("fit the model"), "{text}");
}

/// Parameters that were given have no likelihood and no errors, and nothing pretends that they do.
#[test]
fn models_of_given_parameters_do_not_pretend_to_a_fit() -> Result<()> {
    let (run, frame) = (Run::new(), customers());
    let spend = GammaGammaModel::from_parameters(6.25, 3.74, 15.44)?;
    for (kind, values) in [
        ("clv.BetaGeo", &[0.24, 4.41, 0.79, 2.43][..]),
        ("clv.ParetoNBD", &[0.55, 10.6, 0.61, 11.7]),
        ("clv.ParetoGGG", &[5.0, 4.0, 0.55, 10.6, 0.61, 11.7]),
        ("clv.AbeParetoNBD", &[0.03, 1.2, 0.03, 1.5, 3.0]),
    ] {
        let model = purchases_with(kind, values, 1, None)?;
        let model = purchases_from_bytes(&model.bytes()?)?.unwrap();
        let (parameters, fit) = model.tables()?;
        assert_eq!(fit.text("verdict", 0).unwrap(), "given");
        for column in ["log_likelihood", "customers", "gradient_norm", "aic", "bic"] {
            assert_eq!(fit.get(column).unwrap().valid, Some(vec![false]), "{kind} {column}");
        }
        for column in ["standard_error", "low", "high"] {
            assert_eq!(parameters.get(column).unwrap().valid, Some(vec![false; values.len()]));
        }
        assert_eq!((model.estimates().log_likelihood, model.estimates().customers), (None, None));
        let asked = Quantity::Purchases { periods: 5.0 };
        refuses_intervals(model.interval(0.0, 0.0, 0.0, asked, 0.95));
        refuses_intervals(model.probabilities_interval(0.0, 0.0, 0.0, 5.0, 3, 0.95));
        refuses_intervals(model.next_purchase_interval(0.0, 0.0, 0.0, 0.5, 0.95));
        refuses_intervals(model.report("new_customer", None, r#"{"interval": 0.9}"#, &run));
        let ask = PredictOptions { interval: Some(0.9), ..PredictOptions::default() };
        refuses_intervals(predict(&*model, &frame, &ask, &run));
        let ask = LifetimeOptions { interval: Some(0.9), ..LifetimeOptions::default() };
        refuses_intervals(lifetime_value(&*model, &spend, &frame, &ask, &run));
        refuses_intervals(lifetime_value(&*fitted("clv.BetaGeo")?, &spend, &frame, &ask, &run));
        // Without an interval they predict as ever.
        assert_eq!(predict(&*model, &frame, &PredictOptions::default(), &run)?.table().rows(), 7);
        let other = fitted("clv.ModifiedBetaGeo")?;
        assert!(likelihood_ratio(&*other, &*model).is_err() && likelihood_ratio(&*model, &*other).is_err());
    }
    assert_eq!((spend.log_likelihood(), spend.correlation()), (None, None));
    let plain = BetaGeoModel::from_parameters(0.24, 4.41, 0.79, 2.43, None)?;
    refuses_intervals(plain.predict(&RfmSlices::default(), 5.0, Some(0.9), &run));
    assert_eq!(plain.log_likelihood(), None);
    Ok(())
}

/// One of a hundred bought again, once and at once: a / b runs off, and on that ridge only one of the two is known.
#[test]
fn no_infinity_leaves_where_parameters_run_off() -> Result<()> {
    let mut seen = [vec![0.0; 100], vec![0.0; 100]];
    (seen[0][0], seen[1][0]) = (1.0, 5.0);
    let [frequency, recency] = seen;
    let frame = Columns::new()
        .with("customer", (0..100).map(|i| format!("c{i}")).collect::<Vec<_>>())
        .with("frequency", frequency)
        .with("recency", recency)
        .with("T", vec![30.0; 100]);
    for (kind, verdict) in [
        ("clv.BetaGeo", "certain_dropout"),
        ("clv.BetaGeoCNBD", "certain_dropout"),
        ("clv.ModifiedBetaGeo", "equal_rates"),
        ("clv.ParetoNBD", "equal_rates"),
        ("clv.GGompertzNBD", "equal_rates"),
        ("clv.BetaGeoBetaBinomial", "equal_dropout"),
    ] {
        let (model, _) = fit_purchases(kind, &frame, &PurchaseOptions::default(), &Run::new())?;
        assert_eq!(model.estimates().verdict.name(), verdict, "{kind}");
        let (parameters, fit) = model.tables()?;
        let ask = PredictOptions {
            periods: 26.0.into(),
            interval: Some(0.9),
            ahead: Some(5.0.into()),
            discount_rate: Some(0.01.into()),
            rate: true,
            ..PredictOptions::default()
        };
        let found = predict(&*model, &frame, &ask, &Run::new())?.table();
        let new = model.report("new_customer", None, r#"{"horizons": [9], "interval": 0.9}"#, &Run::new())?;
        for table in [&parameters, &fit, &found, &new[0].1, &new[1].1] {
            for column in table.columns() {
                if let Some(values) = table.f64s(&column.name) {
                    let bad = values.iter().find(|value| !value.is_finite());
                    assert!(bad.is_none(), "{kind} {}: {bad:?}", column.name);
                }
            }
        }
        for (i, fixed) in model.estimates().fixed.iter().enumerate() {
            let error = parameters.f64s("standard_error").unwrap()[i] / model.estimates().values[i];
            assert!(*fixed || error < 14.0, "{kind} {i}: {error}");
        }
    }
    Ok(())
}

/// Customers drawn again and again, the model fitted to each draw: what is expected of four customers and of a new one.
#[test]
fn intervals_of_spend_are_those_of_a_bootstrap() -> Result<()> {
    let (run, n) = (Run::new(), 2_000);
    let mut draws = Draws::new(11);
    let (mut frequency, mut money) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for _ in 0..n {
        let x = 1.0 + (draws.exponential() * 2.0).floor();
        let rate = draws.gamma(3.74) / 15.4;
        frequency.push(x);
        money.push(draws.gamma(6.25 * x) / rate / x);
    }
    let rows = SpendSlices { frequency: &frequency, monetary_value: &money, weight: None };
    let model = GammaGamma::new().fit(&rows, &run)?;
    let asked = [(1.0, 5.0), (1.0, 200.0), (4.0, 60.0), (10.0, 30.0), (0.0, 0.0)];
    let mut found = vec![Vec::new(); asked.len()];
    for _ in 0..600 {
        let mut weight = vec![0.0; n];
        for _ in 0..n {
            weight[(draws.uniform() * n as f64) as usize] += 1.0;
        }
        let again = GammaGamma::new().fit(&SpendSlices { weight: Some(&weight), ..rows }, &run)?;
        for (found, (x, m)) in found.iter_mut().zip(asked) {
            found.push(again.expected_spend(x, m)?.unwrap());
        }
    }
    for (found, (x, m)) in found.into_iter().zip(asked) {
        let [low, high] = quantiles(found);
        let edges = model.expected_spend_interval(x, m, 0.9)?.map(Option::unwrap);
        let expected = model.expected_spend(x, m)?.unwrap();
        assert!(edges[0] < expected && expected < edges[1]);
        for (edge, want) in edges.into_iter().zip([low, high]) {
            assert!((edge - want).abs() < 0.12 * (high - low), "{x} {m}: {edges:?} for {low} {high}");
        }
    }
    assert_eq!(model.mean_spend_interval(0.9)?, model.expected_spend_interval(0.0, 0.0, 0.9)?);
    Ok(())
}

#[test]
fn intervals_of_spend_are_in_the_frame() -> Result<()> {
    let run = Run::new();
    let frame = Columns::new()
        .with("customer", vec!["a", "b", "c", "d", "e", "f", "g"])
        .with("frequency", vec![1.0, 2.0, 5.0, 1.0, 3.0, 8.0, 0.0])
        .with("monetary_value", vec![10.0, 35.0, 22.0, 60.0, 18.0, 41.0, 0.0]);
    let (model, _) = gamma_gamma(&frame, &GammaGammaOptions::default(), &run)?;
    let ask = SpendPredictOptions { interval: Some(0.9), ..SpendPredictOptions::default() };
    let table = model.predict_columns(&frame, &ask, &run)?.table();
    for (row, (x, m)) in [(1.0, 10.0), (2.0, 35.0)].into_iter().enumerate() {
        let [low, high] = model.expected_spend_interval(x, m, 0.9)?;
        assert_eq!(table.f64s("expected_spend_low").unwrap()[row], low.unwrap());
        assert_eq!(table.f64s("expected_spend_high").unwrap()[row], high.unwrap());
    }
    assert_eq!(table.rows(), 7);
    let given = GammaGammaModel::from_parameters(6.25, 3.74, 15.44)?;
    refuses_intervals(given.predict_columns(&frame, &ask, &run));
    refuses_intervals(given.expected_spend_interval(1.0, 10.0, 0.9));
    refuses_intervals(given.mean_spend_interval(0.9));
    let wrong = SpendPredictOptions { interval: Some(1.0), ..ask };
    assert_eq!(model.predict_columns(&frame, &wrong, &run).unwrap_err().code(), "HW_OPTION");
    Ok(())
}
