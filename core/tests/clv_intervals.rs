//! Intervals of every prediction: the delta method beside draws of the parameters.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::needless_range_loop)]

mod support;

use headwater::clv::{
    GammaGammaOptions, History, LifetimeOptions, PredictOptions, PurchaseOptions, Purchases, Quantity,
    fit_purchases, gamma_gamma, lifetime_value, predict, purchases_with,
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
                    let told = table.f64s(&format!("{name}{end}")).unwrap()[row];
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

#[test]
fn intervals_of_what_is_known_are_points_and_what_cannot_be_is_refused() -> Result<()> {
    let known = purchases_with("clv.BetaGeo", &[0.24, 4.41, 0.79, 2.43], 1, None)?;
    let asked = Quantity::Purchases { periods: 5.0 };
    let expected = known.expected_purchases(0.0, 0.0, 0.0, 5.0)?;
    assert_eq!(known.interval(0.0, 0.0, 0.0, asked, 0.95)?, [expected; 2]);
    // A new customer of BG/NBD is alive without doubt.
    let alive = Quantity::Alive { ahead: 0.0 };
    assert_eq!(fitted("clv.BetaGeo")?.interval(0.0, 0.0, 0.0, alive, 0.95)?, [1.0; 2]);
    let refused = |found: Result<[f64; 2]>, name: &str| {
        assert!(matches!(found, Err(Error::Option { option, .. }) if option == name), "{name}");
    };
    refused(known.interval(0.0, 0.0, 0.0, asked, 1.0), "interval");
    refused(known.interval(0.0, 0.0, 0.0, Quantity::Purchases { periods: -1.0 }, 0.9), "periods");
    refused(known.interval(0.0, 0.0, 0.0, Quantity::Alive { ahead: f64::NAN }, 0.9), "ahead");
    refused(known.interval(0.0, 0.0, 0.0, Quantity::Residual { rate: 0.0 }, 0.9), "rate");
    refused(known.interval(0.0, 0.0, 0.0, Quantity::LogLikelihood, 0.9), "quantity");
    assert!(matches!(known.interval(1.0, 3.0, 2.0, asked, 0.9), Err(Error::Row { .. })));
    Ok(())
}
