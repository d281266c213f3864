//! Covariates of customers: the likelihood's maximum, what it recovers, and what is predicted with it.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::needless_range_loop)]

mod support;

use headwater::clv::{
    self, Covariates, DropoutOn, Effects, History, PredictOptions, PurchaseOptions, Purchases, Quantity,
    fit_purchases, purchases_from_bytes,
};
use headwater::column::Columns;
use headwater::{Error, Result, Run};
use support::draws::Draws;

#[derive(Default)]
struct Customers {
    frequency: Vec<f64>,
    recency: Vec<f64>,
    age: Vec<f64>,
    income: Vec<f64>,
    channel: Vec<&'static str>,
}

impl Customers {
    fn frame(&self) -> Columns {
        Columns::new()
            .with("customer", (0..self.age.len() as i64).collect::<Vec<_>>())
            .with("frequency", self.frequency.clone())
            .with("recency", self.recency.clone())
            .with("T", self.age.clone())
            .with("income", self.income.clone())
            .with("channel", self.channel.clone())
    }
}

/// The effects of the simulations: income on purchases and on dropout, and the channel `web` on purchases.
const PURCHASE: f64 = 0.4;
const DROPOUT: f64 = -0.5;
const WEB: f64 = -0.7;

/// λ ~ Gamma(1.2, 8) and either μ ~ Gamma(1.5, 20) or, after each purchase, p ~ Beta(0.9, 3).
fn simulate(n: usize, seed: u64, pareto: bool) -> Customers {
    let mut draws = Draws::new(seed);
    let mut out = Customers::default();
    for i in 0..n {
        let income = draws.normal();
        let web = i % 3 == 0;
        let age = 30.0 + (i % 20) as f64;
        let rate = draws.gamma(1.2) / 8.0 * (PURCHASE * income + if web { WEB } else { 0.0 }).exp();
        let (life, leave) = if pareto {
            (draws.exponential() / (draws.gamma(1.5) / 20.0 * (DROPOUT * income).exp()), 0.0)
        } else {
            (f64::INFINITY, draws.beta(0.9 * (DROPOUT * income).exp(), 3.0))
        };
        let (mut x, mut last, mut t) = (0.0, 0.0, 0.0);
        loop {
            t += draws.exponential() / rate;
            if t > age.min(life) {
                break;
            }
            (x, last) = (x + 1.0, t);
            if !pareto && draws.uniform() < leave {
                break;
            }
        }
        out.frequency.push(x);
        out.recency.push(last);
        out.age.push(age);
        out.income.push(income);
        out.channel.push(if web { "web" } else { "shop" });
    }
    out
}

fn both() -> Covariates {
    Covariates::new(["income", "channel"], ["income"])
}

fn fit(kind: &str, frame: &Columns, covariates: Covariates) -> Result<Box<dyn Purchases>> {
    let options = PurchaseOptions { covariates: Some(covariates), ..PurchaseOptions::default() };
    Ok(fit_purchases(kind, frame, &options, &Run::new())?.0)
}

fn effects(model: &dyn Purchases) -> &Effects {
    model.effects().expect("the model has covariates")
}

fn values(model: &dyn Purchases) -> Vec<f64> {
    effects(model).coefficients().iter().map(|c| c.value).collect()
}

#[test]
fn effects_are_recovered_within_their_errors() -> Result<()> {
    for (kind, pareto) in [
        ("clv.ParetoNBD", true),
        ("clv.BetaGeo", false),
        ("clv.BetaGeoCNBD", false),
        ("clv.ModifiedBetaGeo", false),
    ] {
        let frame = simulate(6_000, 11, pareto).frame();
        let model = fit(kind, &frame, both())?;
        let found = effects(&*model);
        assert_eq!(found.names(), ["purchase:income", "purchase:channel[web]", "dropout:income"]);
        let truth = [PURCHASE, WEB, DROPOUT];
        // MBG lets dropout come before the first repeat, which these data do not have.
        let of = if kind == "clv.ModifiedBetaGeo" { 2 } else { 3 };
        for ((value, error), truth) in values(&*model).iter().zip(found.standard_errors()).zip(truth).take(of)
        {
            let error = error.expect("an error");
            assert!(
                error < 0.15 && (value - truth).abs() < 3.3 * error,
                "{kind}: {value} ± {error}, {truth}"
            );
        }
    }
    Ok(())
}

/// Each customer's own law, put together by hand: ln r, ln α, ln s, ln β, then three coefficients.
fn by_hand(model: &dyn Purchases, customers: &Customers, at: [f64; 7]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let web: Vec<f64> = customers.channel.iter().map(|c| f64::from(u8::from(*c == "web"))).collect();
    let (income, share) = (mean(&customers.income), mean(&web));
    let [r, alpha, s, beta, of_income, of_web, dropout] = at;
    let one = |i: usize| {
        let z = customers.income[i] - income;
        let own = [r, alpha - of_income * z - of_web * (web[i] - share), s, beta - dropout * z].map(f64::exp);
        let (x, recency, age) = (customers.frequency[i] as u32, customers.recency[i], customers.age[i]);
        model.quantity_at(
            &own,
            History { frequency: x, recency, age, ..History::default() },
            Quantity::LogLikelihood,
        )
    };
    (0..customers.age.len()).map(one).sum()
}

#[test]
fn the_likelihood_is_that_of_each_customers_own_law_and_errors_are_its_curvature() -> Result<()> {
    let customers = simulate(400, 3, true);
    let frame = customers.frame();
    let model = fit("clv.ParetoNBD", &frame, both())?;
    let mut at = [0.0; 7];
    for (at, v) in at.iter_mut().zip(model.estimates().values.iter().map(|v| v.ln()).chain(values(&*model))) {
        *at = v;
    }
    let whole = model.estimates().log_likelihood.unwrap();
    let f = |at: [f64; 7]| by_hand(&*model, &customers, at);
    assert!((f(at) / whole - 1.0).abs() < 1e-11);
    let (plain, _) = fit_purchases("clv.ParetoNBD", &frame, &PurchaseOptions::default(), &Run::new())?;
    assert!(whole > plain.estimates().log_likelihood.unwrap() + 3.0);
    // A maximum in every direction, and H C = −I for the curvature H by differences.
    let h = 1e-3;
    let moved = |i: usize, a: f64, j: usize, b: f64| {
        let mut at = at;
        at[i] += a * h;
        at[j] += b * h;
        f(at)
    };
    let curvature = |i: usize, j: usize| {
        let corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)];
        corners.iter().map(|(a, b)| a * b * moved(i, *a, j, *b)).sum::<f64>() / (4.0 * h * h)
    };
    for i in 0..7 {
        let slope = (moved(i, 1.0, i, 0.0) - moved(i, -1.0, i, 0.0)) / (2.0 * h);
        assert!(slope.abs() < 0.02, "{i}: {slope}");
    }
    let hessian: Vec<Vec<f64>> = (0..7).map(|i| (0..7).map(|j| curvature(i, j)).collect()).collect();
    let covariance = effects(&*model).covariance();
    for i in 0..7 {
        for k in 0..7 {
            let product: f64 = (0..7).map(|j| -hessian[i][j] * covariance[j][k]).sum();
            assert!((product - f64::from(u8::from(i == k))).abs() < 0.02, "{i} {k}: {product}");
        }
    }
    Ok(())
}

#[test]
fn the_unit_of_a_covariate_and_the_order_of_rows_do_not_matter() -> Result<()> {
    let mut customers = simulate(500, 5, true);
    let model = fit("clv.ParetoNBD", &customers.frame(), both())?;
    customers.income.iter_mut().for_each(|z| *z = 1000.0 * *z + 40_000.0);
    let scaled = fit("clv.ParetoNBD", &customers.frame(), both())?;
    for (i, (a, b)) in values(&*model).iter().zip(values(&*scaled)).enumerate() {
        let unit = if i == 1 { 1.0 } else { 1000.0 };
        assert!((a - unit * b).abs() < 1e-6 * (1.0 + a.abs()), "{i}: {a} {b}");
    }
    // The parameters are those of a customer with mean covariates, whatever their unit.
    for (a, b) in model.estimates().values.iter().zip(&scaled.estimates().values) {
        assert!((a / b - 1.0).abs() < 1e-6);
    }
    let n = customers.age.len();
    let turned = |v: &[f64]| (0..n).map(|i| v[(i * 7 + 3) % n]).collect::<Vec<f64>>();
    let other = Customers {
        frequency: turned(&customers.frequency),
        recency: turned(&customers.recency),
        age: turned(&customers.age),
        income: turned(&customers.income),
        channel: (0..n).map(|i| customers.channel[(i * 7 + 3) % n]).collect(),
    };
    let options = PurchaseOptions { covariates: Some(both()), ..PurchaseOptions::default() };
    let run = Run::new().threads(1);
    let (again, _) = fit_purchases("clv.ParetoNBD", &other.frame(), &options, &run)?;
    assert_eq!(again.estimates().values, scaled.estimates().values);
    assert_eq!(values(&*again), values(&*scaled));
    Ok(())
}

#[test]
fn constraints_and_penalties_do_what_they_say() -> Result<()> {
    let frame = simulate(1_500, 6, true).frame();
    let free = fit("clv.ParetoNBD", &frame, Covariates::new(["income"], ["income"]))?;
    let equal = Covariates { equal: vec!["income".into()], ..Covariates::new(["income"], ["income"]) };
    let tied = fit("clv.ParetoNBD", &frame, equal)?;
    assert_eq!(effects(&*tied).names(), ["equal:income"]);
    assert!(tied.estimates().log_likelihood.unwrap() < free.estimates().log_likelihood.unwrap());
    let (low, high) = (values(&*free)[1].min(values(&*free)[0]), values(&*free)[0].max(values(&*free)[1]));
    assert!((low..=high).contains(&values(&*tied)[0]));
    let mut before = f64::INFINITY;
    for penalty in [0.0, 0.1, 1.0, 1e6] {
        let how = Covariates { purchase_penalty: penalty, ..Covariates::new(["income"], []) };
        let size = values(&*fit("clv.ParetoNBD", &frame, how)?)[0].abs();
        assert!(size < before);
        before = size;
    }
    assert!(before < 1e-5);
    // Of the laws with dropout after a purchase: three conventions, nested.
    let frame = simulate(1_500, 6, false).frame();
    let on = |dropout_on| Covariates { dropout_on, ..Covariates::new([], ["income"]) };
    let odds = fit("clv.BetaGeo", &frame, on(DropoutOn::Odds))?;
    let alike = fit("clv.BetaGeo", &frame, on(DropoutOn::Both))?;
    let each = fit("clv.BetaGeo", &frame, on(DropoutOn::Separate))?;
    assert_eq!(effects(&*each).names(), ["dropout_a:income", "dropout_b:income"]);
    for nested in [&odds, &alike] {
        assert!(
            nested.estimates().log_likelihood.unwrap() <= each.estimates().log_likelihood.unwrap() + 1e-9
        );
    }
    Ok(())
}

#[test]
fn covariates_are_tested_by_the_likelihood_ratio() -> Result<()> {
    let frame = simulate(1_500, 6, true).frame();
    let kind = "clv.ParetoNBD";
    let (plain, _) = fit_purchases(kind, &frame, &PurchaseOptions::default(), &Run::new())?;
    let income = fit(kind, &frame, Covariates::new(["income"], ["income"]))?;
    let equal = Covariates { equal: vec!["income".into()], ..Covariates::new(["income"], ["income"]) };
    let tied = fit(kind, &frame, equal)?;
    let all = fit(kind, &frame, both())?;
    let test = clv::likelihood_ratio(&*plain, &*income)?;
    assert_eq!(test.mixture, [(2, 1.0)]);
    assert!(test.p_value < 1e-10);
    let gain = 2.0 * (income.estimates().log_likelihood.unwrap() - plain.estimates().log_likelihood.unwrap());
    assert_eq!(test.statistic, gain);
    // Purchases and dropout go opposite ways with income: one coefficient does not do.
    assert_eq!(clv::likelihood_ratio(&*tied, &*income)?.mixture, [(1, 1.0)]);
    assert!(clv::likelihood_ratio(&*tied, &*all)?.p_value < 1e-6);
    assert!(clv::likelihood_ratio(&*all, &*income).is_err());
    assert!(clv::likelihood_ratio(&*income, &*income).is_err());
    // A penalty takes the likelihood from its maximum, and units change it.
    let penalised = PurchaseOptions { penalty: 1e-9, ..PurchaseOptions::default() };
    let (held, _) = fit_purchases(kind, &frame, &penalised, &Run::new())?;
    let error = clv::likelihood_ratio(&*held, &*income).unwrap_err().to_string();
    assert!(error.contains("restricted") && error.contains("penalty"), "{error}");
    let of = |period: &str| {
        let options = PurchaseOptions { period: Some(period.parse()?), ..PurchaseOptions::default() };
        fit_purchases(kind, &frame, &options, &Run::new()).map(|fit| fit.0)
    };
    let (days, weeks) = (of("1d")?, of("7d")?);
    assert_eq!(clv::likelihood_ratio(&*days, &*income)?, test);
    let covariates = Some(Covariates::new(["income"], ["income"]));
    let options = PurchaseOptions { covariates, period: Some("1d".parse()?), ..PurchaseOptions::default() };
    let (rich, _) = fit_purchases(kind, &frame, &options, &Run::new())?;
    assert_eq!(clv::likelihood_ratio(&*days, &*rich)?, test);
    let error = clv::likelihood_ratio(&*weeks, &*rich).unwrap_err().to_string();
    assert!(error.contains("periods of 1d and the restricted law in 7d"), "{error}");
    Ok(())
}

#[test]
fn predictions_are_those_of_each_customers_own_law() -> Result<()> {
    let run = Run::new();
    for (kind, pareto) in [("clv.ParetoNBD", true), ("clv.BetaGeo", false)] {
        let customers = simulate(300, 9, pareto);
        let frame = customers.frame();
        let model = fit(kind, &frame, both())?;
        let ask = PredictOptions { periods: 26.0.into(), interval: Some(0.9), ..PredictOptions::default() };
        let table = clv::predict(&*model, &frame, &ask, &run)?.table();
        for row in [0, 1, 2, 150, 299] {
            let kind = Columns::new()
                .with("income", vec![customers.income[row]])
                .with("channel", vec![customers.channel[row]]);
            let own = clv::at(&*model, &kind, &run)?;
            let (x, t_x, t) = (customers.frequency[row], customers.recency[row], customers.age[row]);
            let expected = own.expected_purchases(x, t_x, t, 26.0)?;
            let told = |name: &str| table.f64s(name).expect("a column")[row];
            assert!((told("expected_purchases") / expected - 1.0).abs() < 1e-12);
            assert!(told("expected_purchases_low") < expected && expected < told("expected_purchases_high"));
            assert!((told("p_alive") - own.p_alive(x, t_x, t, 0.0)?).abs() < 1e-12);
        }
        // Those of a rare kind are known less well than those of the mean.
        let width = |income: f64| -> Result<f64> {
            let kind = Columns::new().with("income", vec![income]).with("channel", vec!["web"]);
            let own = clv::at(&*model, &kind, &run)?;
            Ok(own.estimates().covariance[1][1])
        };
        assert!(width(4.0)? > width(0.0)?);
        // The file holds all of it.
        let back = purchases_from_bytes(&model.bytes()?)?.expect("a model of purchases");
        assert_eq!(clv::predict(&*back, &frame, &ask, &run)?.table(), table);
    }
    Ok(())
}

#[test]
fn reports_look_at_each_customers_covariates() -> Result<()> {
    let run = Run::new();
    let customers = simulate(1_500, 12, true);
    let frame = customers.frame();
    let model = fit("clv.ParetoNBD", &frame, both())?;
    let tables = model.report("frequencies", Some(&frame), "{}", &run)?;
    let sum = |name: &str| tables[0].1.f64s(name).expect("a column").iter().sum::<f64>();
    assert!((sum("expected") - 1_500.0).abs() < 1e-6 && (sum("actual") - 1_500.0).abs() < 1e-9);
    let parameters = &model.report("parameters", None, "{}", &run)?[0].1;
    assert_eq!(parameters.rows(), 7);
    let aic = model.report("parameters", None, "{}", &run)?[1].1.f64s("aic").expect("AIC")[0];
    assert!((aic - (14.0 - 2.0 * model.estimates().log_likelihood.unwrap())).abs() < 1e-9);
    Ok(())
}

/// Those of the web never come back: the likelihood rises for ever along their coefficient.
#[test]
fn coefficients_that_run_off_have_a_verdict_of_their_own() -> Result<()> {
    let mut customers = simulate(400, 4, true);
    for (i, channel) in customers.channel.iter().enumerate() {
        if *channel == "web" {
            (customers.frequency[i], customers.recency[i]) = (0.0, 0.0);
        }
    }
    let verdicts = |covariates: Covariates| -> Result<[String; 2]> {
        let model = fit("clv.ParetoNBD", &customers.frame(), covariates)?;
        let model = purchases_from_bytes(&model.bytes()?)?.expect("a model of purchases");
        let (_, fit) = model.tables()?;
        Ok(["verdict", "effects_verdict"].map(|name| fit.text(name, 0).expect("a verdict").into_owned()))
    };
    let channel = Covariates::new(["channel"], []);
    // α, that of the mean of the channels, runs off with it.
    assert_eq!(verdicts(channel.clone())?, ["equal_rates", "monotone_likelihood"]);
    assert_eq!(verdicts(Covariates { purchase_penalty: 0.1, ..channel })?, ["interior", "interior"]);
    let (plain, _) =
        fit_purchases("clv.ParetoNBD", &customers.frame(), &PurchaseOptions::default(), &Run::new())?;
    assert!(plain.tables()?.1.text("effects_verdict", 0).is_none());
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_name() -> Result<()> {
    let customers = simulate(200, 2, true);
    let frame = customers.frame().with("same", vec![1.0; 200]);
    let message = |covariates: Covariates| match fit("clv.ParetoNBD", &frame, covariates) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert!(message(Covariates::new(["same"], [])).contains("same"));
    assert!(message(Covariates::new(["nowhere"], [])).contains("nowhere"));
    assert!(message(Covariates::new([], [])).contains("one column"));
    assert!(message(Covariates::new(["income", "income"], [])).contains("twice"));
    let separate = Covariates { dropout_on: DropoutOn::Separate, ..Covariates::new([], ["income"]) };
    assert!(message(separate).contains("ParetoNBD"));
    let equal = Covariates { equal: vec!["income".into()], ..Covariates::new(["income"], []) };
    assert!(message(equal).contains("both"));
    let negative = Covariates { purchase_penalty: -1.0, ..Covariates::new(["income"], []) };
    assert!(message(negative).contains("purchase_penalty"));
    let mut gap = customers.income.clone();
    gap[7] = f64::NAN;
    let broken = Columns::new()
        .with("frequency", customers.frequency.clone())
        .with("recency", customers.recency.clone())
        .with("T", customers.age.clone())
        .with("income", gap);
    match fit("clv.ParetoNBD", &broken, Covariates::new(["income"], [])) {
        Err(Error::Row { column, row, .. }) => assert_eq!((column.as_str(), row), ("income", 7)),
        other => panic!("{:?}", other.map(|m| m.kind())),
    }
    // A level that the fit has not seen, and a model without covariates.
    let model = fit("clv.ParetoNBD", &frame, both())?;
    let strange = Columns::new().with("income", vec![0.0]).with("channel", vec!["tv"]);
    let Err(error) = clv::at(&*model, &strange, &Run::new()) else { panic!("tv is no level") };
    assert!(error.to_string().contains("level"), "{error}");
    let (plain, _) = fit_purchases("clv.ParetoNBD", &frame, &PurchaseOptions::default(), &Run::new())?;
    assert!(clv::at(&*plain, &strange, &Run::new()).is_err());
    Ok(())
}

/// Names that are those of single customers tell nothing that the law does not: no coefficient has an error of hundreds.
#[test]
fn what_the_data_do_not_tell_of_a_coefficient_has_no_error() -> Result<()> {
    let n = 60;
    let history =
        |i: usize| if i.is_multiple_of(3) { [0.0, 0.0] } else { [(i % 4 + 1) as f64, (i % 7 + 3) as f64] };
    let frame = Columns::new()
        .with("frequency", (0..n).map(|i| history(i)[0]).collect::<Vec<_>>())
        .with("recency", (0..n).map(|i| history(i)[1]).collect::<Vec<_>>())
        .with("T", (0..n).map(|i| 12.0 + (i % 5) as f64).collect::<Vec<_>>())
        .with("who", (0..n).map(|i| format!("c{i}")).collect::<Vec<_>>());
    for kind in ["clv.BetaGeo", "clv.ParetoNBD"] {
        let model = fit(kind, &frame, Covariates::new(["who"], []))?;
        let effects = model.effects().unwrap();
        let scale = (1.0 / n as f64 * (1.0 - 1.0 / n as f64)).sqrt();
        for error in effects.standard_errors().into_iter().flatten() {
            assert!(error * scale <= 13.82, "{kind}: {error}");
        }
        assert_eq!(effects.verdict().name(), "monotone_likelihood", "{kind}");
    }
    Ok(())
}
