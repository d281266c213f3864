//! Spend along covariates: recovery, closed forms, and its tie to the purchase rate.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::needless_range_loop)]

mod support;

use headwater::clv::dynamic::{DynamicGammaGamma, DynamicGammaGammaModel, DynamicSpendOptions};
use headwater::clv::{GammaGamma, SpendSlices};
use headwater::column::{Columns, Data, Duration};
use headwater::math::ln_gamma;
use headwater::model::{from_bytes, to_bytes};
use headwater::{Result, Run};
use support::draws::Draws;

const DAY: i64 = 86_400_000_000;

#[derive(Default)]
struct Shop {
    customer: Vec<i64>,
    day: Vec<i64>,
    value: Vec<f64>,
}

impl Shop {
    fn orders(&self) -> Columns {
        Columns::new()
            .with("customer", self.customer.clone())
            .with("time", Data::times(self.day.iter().map(|d| d * DAY).collect()))
            .with("value", self.value.clone())
    }
}

fn high(day: i64) -> bool {
    day % 90 >= 60
}

/// p = 6, q = 4, v = 15; spend rises by e^0.5 in the season and by the purchase rate to the power `tie`.
fn simulate(n: i64, seed: u64, tie: f64) -> Shop {
    let mut draws = Draws::new(seed);
    let mut shop = Shop::default();
    for customer in 0..n {
        let rate = draws.gamma(2.0) / 40.0;
        let nu = draws.gamma(4.0) / 15.0 * (rate / 0.05).powf(-tie);
        let mut t = (customer % 30) as f64;
        while t < 360.0 {
            let day = t as i64;
            shop.customer.push(customer);
            shop.day.push(day);
            shop.value.push(draws.gamma(6.0) / nu * if high(day) { 0.5_f64.exp() } else { 1.0 });
            t = (t + draws.exponential() / rate).max((day + 1) as f64);
        }
    }
    shop
}

fn seasons(n: i64) -> Columns {
    let starts: Vec<i64> = (0..9).map(|k| if k % 2 == 0 { k / 2 * 90 } else { k / 2 * 90 + 60 }).collect();
    let rows = || (0..n).flat_map(|customer| starts.iter().map(move |day| (customer, *day)));
    Columns::new()
        .with("customer", rows().map(|r| r.0).collect::<Vec<_>>())
        .with("time", Data::times(rows().map(|r| r.1 * DAY).collect()))
        .with("season", rows().map(|r| high(r.1)).collect::<Vec<_>>())
}

fn fit(shop: &Shop, n: i64, rate: bool) -> Result<DynamicGammaGammaModel> {
    let how = DynamicGammaGamma { rate, ..DynamicGammaGamma::new(["season"]) };
    Ok(how.fit(&shop.orders(), &seasons(n), &Run::new())?.0)
}

#[test]
fn effects_and_parameters_are_recovered() -> Result<()> {
    let shop = simulate(800, 3, 0.0);
    let model = fit(&shop, 800, false)?;
    let (table, _) = model.tables()?;
    let (value, error) =
        (table.f64s("estimate").expect("values"), table.f64s("standard_error").expect("errors"));
    assert_eq!(model.names(), ["spend:season"]);
    // v is at the mean of the season.
    for (i, truth) in [(0, 6.0), (1, 4.0), (3, 0.5)] {
        assert!((value[i] - truth).abs() < 3.3 * error[i], "{i}: {} ± {}", value[i], error[i]);
    }
    assert!(error[3] < 0.02 && table.f64s("p").expect("p")[3] < 1e-6);
    Ok(())
}

/// The likelihood by its definition, from the model's own numbers, and E spend for the season 1 and 0.
#[test]
fn the_likelihood_and_predictions_are_those_of_the_definition() -> Result<()> {
    let (run, n) = (Run::new(), 40);
    let shop = simulate(n, 5, 0.0);
    let model = fit(&shop, n, false)?;
    let bytes = to_bytes(&model)?;
    let model: DynamicGammaGammaModel = from_bytes(&bytes)?;
    let file: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let mean = file["model"]["slopes"]["terms"][0]["number"]["mean"].as_f64().expect("a mean");
    let [p, q, v]: [f64; 3] = model.estimates().values.clone().try_into().expect("three");
    let slope = model.coefficients()[0];
    let factor = |day: i64| (slope * (f64::from(u8::from(high(day))) - mean)).exp();
    let ask = |periods: f64| -> Result<Vec<f64>> {
        let options = DynamicSpendOptions { periods: periods.into(), ..DynamicSpendOptions::default() };
        let found = model.predict(&shop.orders(), &seasons(n), &options, &run)?;
        Ok(found.table().f64s("expected_spend").expect("a column").to_vec())
    };
    let (now, later) = (ask(0.0)?, ask(40.0)?);
    let end = *shop.day.iter().max().expect("days");
    let mut whole = 0.0;
    for customer in 0..n {
        let rows = (0..shop.day.len()).filter(|row| shop.customer[*row] == customer);
        let bought: Vec<(i64, f64)> = rows.map(|row| (shop.day[row], shop.value[row])).skip(1).collect();
        let x = bought.len() as f64;
        let level: f64 = bought.iter().map(|(day, z)| z / factor(*day)).sum();
        let shape = p * x + q;
        if x > 0.0 {
            let each = |(day, z): &(i64, f64)| (p - 1.0) * z.ln() - p * factor(*day).ln() - ln_gamma(p);
            whole += bought.iter().map(each).sum::<f64>() + ln_gamma(shape) - ln_gamma(q) + q * v.ln()
                - shape * (v + level).ln();
        }
        let mean = p * (v + level) / (shape - 1.0);
        let row = customer as usize;
        assert!((now[row] / (mean * factor(end)) - 1.0).abs() < 1e-9);
        // The last row of the frame, day 360, holds for ever.
        let held: f64 =
            (0..40).map(|d| if end + d >= 360 { factor(360) } else { factor(end + d) }).sum::<f64>() / 40.0;
        assert!((later[row] / (mean * held) - 1.0).abs() < 1e-9, "{}", later[row]);
    }
    assert!((whole / model.estimates().log_likelihood.unwrap() - 1.0).abs() < 1e-10);
    Ok(())
}

#[test]
fn those_who_buy_often_may_spend_more() -> Result<()> {
    let p_of = |tie: f64| -> Result<(f64, f64)> {
        let model = fit(&simulate(700, 8, tie), 700, true)?;
        assert_eq!(model.names(), ["spend:season", "spend:rate"]);
        let (table, _) = model.tables()?;
        Ok((model.coefficients()[1], table.f64s("p").expect("p")[4]))
    };
    let (none, by_chance) = p_of(0.0)?;
    assert!(none.abs() < 0.1 && by_chance > 0.01, "{none} {by_chance}");
    let (some, surely) = p_of(0.5)?;
    assert!(some > 0.25 && surely < 1e-6, "{some} {surely}");
    Ok(())
}

#[test]
fn the_tie_of_frequency_and_spend_is_tested() -> Result<()> {
    let customers = |tie: f64| {
        let shop = simulate(900, 4, tie);
        let (mut x, mut mean) = (vec![0.0; 900], vec![0.0; 900]);
        for (row, value) in shop.value.iter().enumerate() {
            let c = shop.customer[row] as usize;
            if row > 0 && shop.customer[row - 1] == shop.customer[row] {
                x[c] += 1.0;
                mean[c] += value;
            }
        }
        (0..900).for_each(|c| {
            if x[c] > 0.0 {
                mean[c] /= x[c];
            }
        });
        (x, mean)
    };
    for (tie, tied) in [(0.0, false), (0.6, true)] {
        let (x, mean) = customers(tie);
        let rows = SpendSlices { frequency: &x, monetary_value: &mean, weight: None };
        let table = GammaGamma::new().fit(&rows, &Run::new())?.independence();
        let p = table.f64s("p").expect("p");
        assert_eq!(table.rows(), 2);
        assert_eq!(p.iter().all(|p| *p < 1e-3), tied, "{tie}: {p:?}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let shop = simulate(20, 1, 0.0);
    let run = Run::new();
    let message = |how: DynamicGammaGamma, orders: Columns| match how.fit(&orders, &seasons(20), &run) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let plain = || DynamicGammaGamma::new(["season"]);
    assert!(message(DynamicGammaGamma::default(), shop.orders()).contains("covariates"));
    assert!(message(DynamicGammaGamma { penalty: f64::NAN, ..plain() }, shop.orders()).contains("penalty"));
    let without = Columns::new()
        .with("customer", shop.customer.clone())
        .with("time", Data::times(shop.day.iter().map(|d| d * DAY).collect()));
    assert!(message(plain(), without).contains("value"));
    let never = DynamicGammaGamma { period: Duration::from_micros(0), ..plain() };
    assert!(message(never, shop.orders()).contains("period"));
}
