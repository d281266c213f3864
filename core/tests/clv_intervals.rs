//! Intervals of every prediction: the delta method beside draws of the parameters.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::needless_range_loop)]

mod support;

use headwater::clv::{
    GammaGammaOptions, History, LifetimeOptions, PredictOptions, PurchaseOptions, Quantity, fit_purchases,
    gamma_gamma, lifetime_value, predict,
};
use headwater::column::Columns;
use headwater::{Result, Run};
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

#[test]
fn intervals_are_those_of_draws_of_the_parameters() -> Result<()> {
    let run = Run::new();
    // Many customers, so that the likelihood is nearly normal about its top.
    let frame = Columns::new()
        .with("customer", vec!["a", "b", "c", "d", "e", "f", "g"])
        .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
        .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
        .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
        .with("monetary_value", MONEY.to_vec())
        .with("many", [1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0].map(|n| 20.0 * n).to_vec());
    let fit = PurchaseOptions { weight: Some("many".into()), ..PurchaseOptions::default() };
    for kind in ["clv.ParetoNBD"] {
        let (model, _) = fit_purchases(kind, &frame, &fit, &run)?;
        let ask = PredictOptions {
            periods: 26.0,
            interval: Some(0.9),
            ahead: Some(20.0),
            discount_rate: Some(0.01),
            rate: true,
            ..PredictOptions::default()
        };
        let table = predict(&*model, &frame, &ask, &run)?.table();
        let options = GammaGammaOptions { weight: Some("many".into()), ..GammaGammaOptions::default() };
        let (spend, _) = gamma_gamma(&frame, &options, &run)?;
        let value =
            LifetimeOptions { periods: 12, discount_rate: 0.01, interval: Some(0.9), ..Default::default() };
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
