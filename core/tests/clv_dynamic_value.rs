//! What customers will be worth along covariates: against the static model, by hand, and beside draws.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod support;

use headwater::clv::dynamic::{
    DynamicCheckOptions, DynamicGammaGamma, DynamicGammaGammaModel, DynamicLifetimeOptions, DynamicParetoNbd,
    DynamicParetoNbdModel, DynamicPredictOptions, DynamicSpend, DynamicSpendOptions, DynamicTrackingOptions,
    Sources,
};
use headwater::clv::posterior::{PosteriorOptions, laplace};
use headwater::clv::{
    self, Covariates, GammaGammaOptions, LifetimeOptions, PurchaseOptions, SummarizeOptions, TrackingOptions,
    When, gamma_gamma,
};
use headwater::column::{Columns, Data, Duration};
use headwater::{Result, Run, Table};
use support::draws::Draws;

const DAY: i64 = 86_400_000_000;
const WEEK: i64 = 7 * DAY;
const WEEKS: usize = 40;

#[derive(Default)]
struct Market {
    customer: Vec<i64>,
    time: Vec<i64>,
    value: Vec<f64>,
    of: Vec<i64>,
    since: Vec<i64>,
    season: Vec<f64>,
    price: Vec<f64>,
}

impl Market {
    fn orders(&self) -> Columns {
        Columns::new()
            .with("customer", self.customer.clone())
            .with("time", Data::times(self.time.clone()))
            .with("value", self.value.clone())
    }
    fn covariates(&self) -> Columns {
        Columns::new()
            .with("customer", self.of.clone())
            .with("time", Data::times(self.since.clone()))
            .with("season", self.season.clone())
            .with("price", self.price.clone())
    }
    /// The first customers alone.
    fn first(&self, n: i64) -> Self {
        let rows = |of: &[i64]| (0..of.len()).filter(|row| of[*row] < n).collect::<Vec<_>>();
        let (orders, told) = (rows(&self.customer), rows(&self.of));
        let whole = |of: &[i64], rows: &[usize]| rows.iter().map(|row| of[*row]).collect();
        let number = |of: &[f64], rows: &[usize]| rows.iter().map(|row| of[*row]).collect();
        Self {
            customer: whole(&self.customer, &orders),
            time: whole(&self.time, &orders),
            value: number(&self.value, &orders),
            of: whole(&self.of, &told),
            since: whole(&self.since, &told),
            season: number(&self.season, &told),
            price: number(&self.price, &told),
        }
    }
}

fn season(week: usize) -> f64 {
    f64::from(u8::from(week % 13 < 4))
}

/// Whole days. In the season customers buy twice as often and spend half as much again; prices shorten their lives.
fn simulate(n: i64, seed: u64, changing: bool) -> Market {
    let mut draws = Draws::new(seed);
    let mut out = Market::default();
    for i in 0..n {
        let price = draws.normal();
        for week in 0..if changing { WEEKS + 30 } else { 1 } {
            out.of.push(i);
            out.since.push(week as i64 * WEEK);
            out.season.push(if changing { season(week) } else { 0.0 });
            out.price.push(price);
        }
        let (rate, nu) = (draws.gamma(1.5) / 30.0, draws.gamma(4.0) / 15.0);
        let gone = draws.exponential() / (draws.gamma(1.3) / 120.0 * (0.4 * price).exp());
        let (birth, mut next) = (i % 28, 0.0_f64);
        for day in birth..(WEEKS as i64 * 7).min(birth + gone as i64 + 1) {
            let high = if changing { season(day as usize / 7) } else { 0.0 };
            if day == birth || next <= 0.0 {
                out.customer.push(i);
                out.time.push(day * DAY);
                out.value.push(draws.gamma(6.0) / nu * (0.4 * high).exp());
                next = draws.exponential() / rate;
            }
            next -= (0.7 * high).exp();
        }
    }
    out
}

fn sources() -> Sources {
    Sources { observation_end: Some(When::Micros(WEEKS as i64 * WEEK - 1)), ..Sources::default() }
}

fn purchases(market: &Market, covariates: Covariates) -> Result<DynamicParetoNbdModel> {
    let period = Duration::from_days(7);
    let how = DynamicParetoNbd { covariates, period, sources: sources(), ..DynamicParetoNbd::default() };
    Ok(how.fit(&market.orders(), &market.covariates(), &Run::new())?.0)
}

fn spend(market: &Market, rate: bool) -> Result<DynamicGammaGammaModel> {
    let period = Duration::from_days(7);
    let how = DynamicGammaGamma { period, rate, sources: sources(), ..DynamicGammaGamma::new(["season"]) };
    Ok(how.fit(&market.orders(), &market.covariates(), &Run::new())?.0)
}

fn column(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap().to_vec()
}

#[test]
fn covariates_that_do_not_change_give_the_value_of_the_static_model() -> Result<()> {
    let run = Run::new();
    let market = simulate(250, 8, false);
    let dynamic = purchases(&market, Covariates::new(["price"], ["price"]))?;
    let how = SummarizeOptions {
        period: Duration::from_days(7).into(),
        observation_end: sources().observation_end,
        ..SummarizeOptions::default()
    };
    let rfm = clv::summarize(&market.orders(), &how, &run)?;
    let price = |row| market.price[rfm.customer.get(row).unwrap().parse::<usize>().unwrap()];
    let prices: Vec<f64> = (0..rfm.len()).map(price).collect();
    let frame = Columns::from(rfm.table()).with("price", prices);
    let fit = PurchaseOptions {
        covariates: Some(Covariates::new(["price"], ["price"])),
        period: Some(Duration::from_days(7).into()),
        ..PurchaseOptions::default()
    };
    let (fixed, _) = clv::fit_purchases("clv.ParetoNBD", &frame, &fit, &run)?;
    let (spend, _) = gamma_gamma(&frame, &GammaGammaOptions::default(), &run)?;
    let (draws, _) = laplace("GammaGamma", &frame, &PosteriorOptions::default(), &run)?;
    for (periods, rate) in [(1.0, 0.0), (26.0, 0.01)] {
        let ask = DynamicLifetimeOptions {
            periods: periods.into(),
            discount_rate: rate.into(),
            margin: 0.3,
            interval: Some(0.9),
            sources: sources(),
            ..DynamicLifetimeOptions::default()
        };
        let (orders, covariates) = (market.orders(), market.covariates());
        let value = |run: &Run| {
            dynamic.lifetime_value(DynamicSpend::Constant(&spend), &orders, &covariates, &ask, run)
        };
        let found = value(&run)?.table();
        assert_eq!(found, value(&Run::new().threads(1))?.table());
        let by_draws =
            dynamic.lifetime_value(DynamicSpend::Draws(&draws), &orders, &covariates, &ask, &run)?.table();
        let ask = LifetimeOptions {
            periods: periods.into(),
            discount_rate: rate.into(),
            margin: 0.3,
            interval: Some(0.9),
            ..LifetimeOptions::default()
        };
        let want = clv::lifetime_value(&*fixed, &spend, &frame, &ask, &run)?.table();
        let of_draws = clv::lifetime_value(&*fixed, &draws, &frame, &ask, &run)?.table();
        for name in [
            "expected_purchases",
            "p_alive",
            "expected_spend",
            "lifetime_value",
            "lifetime_value_low",
            "lifetime_value_high",
        ] {
            for (found, want) in [(&found, &want), (&by_draws, &of_draws)] {
                for (a, b) in column(found, name).iter().zip(column(want, name)) {
                    assert!((a - b).abs() < 1e-4 * b, "{name}: {a} for {b}");
                }
            }
        }
    }
    Ok(())
}

/// Covariates change where weeks end, so each week is its purchases times its spend.
#[test]
fn each_purchase_is_valued_by_what_holds_when_it_is_made() -> Result<()> {
    let run = Run::new();
    let market = simulate(200, 3, true);
    let model = purchases(&market, Covariates::new(["season"], ["price"]))?;
    for rate in [false, true] {
        let spend = spend(&market, rate)?;
        let ask = DynamicLifetimeOptions {
            periods: 9.0.into(),
            discount_rate: 0.02.into(),
            sources: sources(),
            ..DynamicLifetimeOptions::default()
        };
        let along = DynamicSpend::Along(&spend);
        let found = model.lifetime_value(along, &market.orders(), &market.covariates(), &ask, &run)?.table();
        let ask = DynamicSpendOptions { sources: sources(), ..DynamicSpendOptions::default() };
        let now = spend.predict(&market.orders(), &market.covariates(), &ask, &run)?.table();
        let now = column(&now, "expected_spend");
        let upto = |weeks: f64| -> Result<Vec<f64>> {
            let ask = DynamicPredictOptions {
                periods: weeks.into(),
                sources: sources(),
                ..DynamicPredictOptions::default()
            };
            let found = model.predict(&market.orders(), &market.covariates(), &ask, &run)?.table();
            Ok(column(&found, "expected_purchases"))
        };
        let gamma = spend.coefficients()[0];
        // Observation ends with the last day of a week, on which a period begins: six of its days are in the old week.
        let spent = |day: usize| (gamma * (season(day / 7) - season((WEEKS * 7 - 1) / 7))).exp();
        let (mut value, mut all) = (vec![0.0; 200], vec![0.0; 200]);
        let mut before = vec![0.0; 200];
        for step in 0..63 {
            let bought = upto(f64::from(step + 1) / 7.0)?;
            let day = WEEKS * 7 - 1 + step as usize;
            for i in 0..200 {
                let here = (bought[i] - before[i]) * now[i] * spent(day);
                value[i] += here * 1.02_f64.powi(-(step / 7 + 1));
                all[i] += here;
            }
            before = bought;
        }
        for i in 0..200 {
            let told = |name: &str| column(&found, name)[i];
            assert!((told("lifetime_value") / value[i] - 1.0).abs() < 1e-9, "{rate} {i}");
            assert!((told("expected_spend") / (all[i] / before[i]) - 1.0).abs() < 1e-9, "{rate} {i}");
            assert!((told("expected_purchases") / before[i] - 1.0).abs() < 1e-12);
        }
        assert!(gamma > 0.2, "{gamma}");
    }
    Ok(())
}

#[test]
fn covariates_that_do_not_change_are_tracked_as_by_the_static_model() -> Result<()> {
    let run = Run::new();
    let market = simulate(200, 8, false);
    let dynamic = purchases(&market, Covariates::new(["price"], ["price"]))?;
    let how = SummarizeOptions {
        period: Duration::from_days(7).into(),
        observation_end: sources().observation_end,
        ..SummarizeOptions::default()
    };
    let rfm = clv::summarize(&market.orders(), &how, &run)?;
    let price = |row| market.price[rfm.customer.get(row).unwrap().parse::<usize>().unwrap()];
    let frame = Columns::from(rfm.table()).with("price", (0..rfm.len()).map(price).collect::<Vec<f64>>());
    let fit = PurchaseOptions {
        covariates: Some(Covariates::new(["price"], ["price"])),
        period: Some(Duration::from_days(7).into()),
        ..PurchaseOptions::default()
    };
    let (fixed, _) = clv::fit_purchases("clv.ParetoNBD", &frame, &fit, &run)?;
    let ask = DynamicTrackingOptions { interval: Some(0.9), sources: sources() };
    let track = |run: &Run| dynamic.tracking(&market.orders(), &market.covariates(), &ask, run);
    let found = track(&run)?.table();
    assert_eq!(found, track(&Run::new().threads(1))?.table());
    let ask = TrackingOptions {
        interval: Some(0.9),
        observation_end: sources().observation_end,
        ..TrackingOptions::default()
    };
    let want = clv::tracking_of(&market.orders(), &frame, &*fixed, &ask, &run)?.table();
    assert_eq!(found.rows(), want.rows());
    assert_eq!(found.i64s("period_end"), want.i64s("period_end"));
    assert_eq!(column(&found, "actual"), column(&want, "actual"));
    for name in
        ["expected", "expected_cumulative", "expected_low", "expected_high", "expected_cumulative_high"]
    {
        for (a, b) in column(&found, name).iter().zip(column(&want, name)) {
            assert!((a - b).abs() < 1e-4 * (1.0 + b), "{name}: {a} for {b}");
        }
    }
    Ok(())
}

#[test]
fn covariates_that_do_not_change_are_checked_as_by_the_static_model() -> Result<()> {
    let run = Run::new();
    let market = simulate(300, 8, false);
    let dynamic = purchases(&market, Covariates::new(["price"], ["price"]))?;
    let how = SummarizeOptions {
        period: Duration::from_days(7).into(),
        calibration_end: Some(When::Micros(28 * WEEK)),
        observation_end: sources().observation_end,
        ..SummarizeOptions::default()
    };
    let rfm = clv::summarize(&market.orders(), &how, &run)?;
    let price = |row| market.price[rfm.customer.get(row).unwrap().parse::<usize>().unwrap()];
    let frame = Columns::from(rfm.table()).with("price", (0..rfm.len()).map(price).collect::<Vec<f64>>());
    // The static law that was fitted to all the orders, as the dynamic one.
    let all = clv::summarize(&market.orders(), &SummarizeOptions { calibration_end: None, ..how }, &run)?;
    let price = |row| market.price[all.customer.get(row).unwrap().parse::<usize>().unwrap()];
    let told = Columns::from(all.table()).with("price", (0..all.len()).map(price).collect::<Vec<f64>>());
    let fit = PurchaseOptions {
        covariates: Some(Covariates::new(["price"], ["price"])),
        ..PurchaseOptions::default()
    };
    let (fixed, _) = clv::fit_purchases("clv.ParetoNBD", &told, &fit, &run)?;
    let want = fixed.report("check", Some(&frame), r#"{"most": 5, "bins": 4}"#, &run)?;
    let ask = DynamicCheckOptions {
        calibration_end: Some(When::Micros(28 * WEEK)),
        most: 5,
        bins: 4,
        sources: sources(),
    };
    let check = |ask: &DynamicCheckOptions| dynamic.check(&market.orders(), &market.covariates(), ask, &run);
    let found = check(&ask)?;
    for (name, table) in &found[..5] {
        let want = &want.iter().find(|(other, _)| other == name).unwrap().1;
        for of in table.columns() {
            let (Some(a), Some(b)) = (table.f64s(&of.name), want.f64s(&of.name)) else { continue };
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{name} {}: {a} for {b}", of.name);
            }
        }
        assert_eq!(table.rows(), want.rows());
    }
    for (wrong, word) in [
        (DynamicCheckOptions { calibration_end: None, ..ask.clone() }, "calibration_end"),
        (DynamicCheckOptions { calibration_end: sources().observation_end, ..ask.clone() }, "no holdout"),
        (DynamicCheckOptions { bins: 0, ..ask }, "bins"),
    ] {
        let error = check(&wrong).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    Ok(())
}

/// Other customers of the same market lie as far from what is expected as the bounds say.
#[test]
fn purchases_stray_as_bounds_say() -> Result<()> {
    let run = Run::new();
    let model = purchases(&simulate(2_000, 77, true), Covariates::new(["season"], ["price"]))?;
    let ask = DynamicTrackingOptions { interval: Some(0.9), sources: sources() };
    let mut squares = [0.0; 3];
    for seed in 0..40 {
        let market = simulate(120, 500 + seed, true);
        let table = model.tracking(&market.orders(), &market.covariates(), &ask, &run)?.table();
        // The middle of the first season, after it, and all.
        for (square, (name, at)) in squares.iter_mut().zip([("", 16), ("", 24), ("_cumulative", WEEKS - 1)]) {
            let of = |what: &str| column(&table, &format!("{what}{name}"))[at];
            let high = column(&table, &format!("expected{name}_high"))[at];
            *square += ((of("actual") - of("expected")) / (high - of("expected")) * 1.6449).powi(2) / 40.0;
        }
    }
    // The mean of 40 squares of standard normals has a standard deviation of 0.22.
    assert!(squares.iter().all(|square| (0.45..1.6).contains(square)), "{squares:?}");
    Ok(())
}

/// A step from the centre of a normal of this covariance, which may leave some directions out.
fn step(covariance: &[Vec<f64>], draws: &mut Draws) -> Vec<f64> {
    let n = covariance.len();
    let mut factor = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let rest = covariance[i][j] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            factor[i][j] = if i == j {
                rest.max(0.0).sqrt()
            } else if factor[j][j] > 0.0 {
                rest / factor[j][j]
            } else {
                0.0
            };
        }
    }
    let z: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
    (0..n).map(|i| (0..=i).map(|j| factor[i][j] * z[j]).sum()).collect()
}

/// Moves numbers of a model's file by steps: the law's by factors, the coefficients by sums.
fn moved(file: &serde_json::Value, coefficients: &[&str], steps: &[f64], law: usize) -> serde_json::Value {
    let mut file = file.clone();
    for (i, step) in steps.iter().enumerate() {
        let pointer = match i.checked_sub(law) {
            None => format!("/estimates/values/{i}"),
            Some(c) => coefficients[c].to_owned(),
        };
        let number = file.pointer_mut(&pointer).unwrap();
        let value = number.as_f64().unwrap();
        *number = if i < law { value * step.exp() } else { value + step }.into();
    }
    file
}

#[test]
fn intervals_are_those_of_draws_of_the_parameters() -> Result<()> {
    let run = Run::new();
    let market = simulate(900, 5, true);
    let model = purchases(&market, Covariates::new(["season"], ["price"]))?;
    let spend = spend(&market, false)?;
    let few = market.first(6);
    let (orders, covariates) = (few.orders(), few.covariates());
    let ask =
        |model: &DynamicParetoNbdModel, spend: &DynamicGammaGammaModel, interval| -> Result<[Table; 4]> {
            let (periods, discount_rate) = (26.0.into(), 0.01.into());
            let discounted = Some(discount_rate);
            let ahead = DynamicPredictOptions {
                periods,
                interval,
                discount_rate: discounted,
                sources: sources(),
                ..DynamicPredictOptions::default()
            };
            let spent = DynamicSpendOptions { periods, interval, sources: sources() };
            let margin = 1.0;
            let value = DynamicLifetimeOptions {
                periods,
                discount_rate,
                margin,
                interval,
                sources: sources(),
                ..Default::default()
            };
            let along = DynamicSpend::Along(spend);
            Ok([
                model.predict(&orders, &covariates, &ahead, &run)?.table(),
                model.new_customers(&covariates, &ahead, &run)?.table(),
                spend.predict(&orders, &covariates, &spent, &run)?.table(),
                model.lifetime_value(along, &orders, &covariates, &value, &run)?.table(),
            ])
        };
    let names = [
        (0, "discounted_purchases"),
        (0, "p_alive"),
        (1, "p_alive"),
        (1, "discounted_purchases"),
        (2, "expected_spend"),
        (3, "lifetime_value"),
    ];
    let told = ask(&model, &spend, Some(0.9))?;
    let (file, spends) = (serde_json::to_value(&model).unwrap(), serde_json::to_value(&spend).unwrap());
    let of_spend: Vec<Vec<f64>> =
        serde_json::from_value(spends.pointer("/slopes/covariance").unwrap().clone()).unwrap();
    let mut draws = Draws::new(17);
    let mut found = vec![vec![Vec::new(); 6]; names.len()];
    for _ in 0..500 {
        let steps = step(model.effects().covariance(), &mut draws);
        let coefficients = ["/effects/coefficients/0/value", "/effects/coefficients/1/value"];
        let model = serde_json::from_value(moved(&file, &coefficients, &steps, 4)).unwrap();
        let steps = step(&of_spend, &mut draws);
        let spend = serde_json::from_value(moved(&spends, &["/slopes/values/0"], &steps, 3)).unwrap();
        let tables = ask(&model, &spend, None)?;
        for (found, (table, name)) in found.iter_mut().zip(names) {
            for (found, value) in found.iter_mut().zip(column(&tables[table], name)) {
                found.push(value);
            }
        }
    }
    for (found, (table, name)) in found.into_iter().zip(names) {
        for (row, mut values) in found.into_iter().enumerate() {
            values.sort_by(f64::total_cmp);
            let [low, high] = [25, 474].map(|at| values[at]);
            for (end, want) in [("_low", low), ("_high", high)] {
                let edge = column(&told[table], &format!("{name}{end}"))[row];
                assert!(
                    (edge - want).abs() <= 0.2 * (high - low),
                    "{table} {name}{end} {row}: {edge} {low} {high}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_name() -> Result<()> {
    let run = Run::new();
    let market = simulate(120, 4, true);
    let model = purchases(&market, Covariates::new(["season"], []))?;
    let constant = clv::GammaGammaModel::from_parameters(6.25, 3.74, 15.44)?;
    let (orders, covariates) = (market.orders(), market.covariates());
    let refused = |spend: DynamicSpend<'_>, orders: &Columns, ask: &DynamicLifetimeOptions, word: &str| {
        let error = model.lifetime_value(spend, orders, &covariates, ask, &run).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    let ask = DynamicLifetimeOptions { sources: sources(), ..DynamicLifetimeOptions::default() };
    let constant = DynamicSpend::Constant(&constant);
    refused(constant, &orders, &DynamicLifetimeOptions { margin: -1.0, ..ask.clone() }, "margin");
    refused(constant, &orders, &DynamicLifetimeOptions { periods: 0.5.into(), ..ask.clone() }, "periods");
    refused(constant, &orders, &DynamicLifetimeOptions { interval: Some(0.9), ..ask.clone() }, "given");
    let bare = Columns::new()
        .with("customer", market.customer.clone())
        .with("time", Data::times(market.time.clone()));
    refused(constant, &bare, &ask, "value");
    let how = DynamicGammaGamma { rate: true, sources: sources(), ..DynamicGammaGamma::new(["season"]) };
    let (daily, _) = how.fit(&orders, &covariates, &run)?;
    refused(DynamicSpend::Along(&daily), &orders, &ask, "fit both in one");
    Ok(())
}
