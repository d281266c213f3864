//! Models along covariates with given parameters: beside the fits that they are of, and the plain laws.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use headwater::clv::dynamic::{
    Dynamic, DynamicGammaGamma, DynamicGammaGammaModel, DynamicGiven, DynamicLifetimeOptions,
    DynamicParetoNbd, DynamicParetoNbdModel, DynamicPredictOptions, DynamicSpend, DynamicSpendOptions,
    DynamicTrackingOptions, GivenRate,
};
use headwater::clv::{Covariates, ParetoNbdModel, Purchases};
use headwater::column::{Columns, Data, Duration, Table};
use headwater::model::{from_bytes, to_bytes};
use headwater::{Error, Result, Run};
use support::draws::Draws;

const DAY: i64 = 86_400_000_000;

/// Orders of 150 customers of three plans over 50 weeks; more of them, and dearer ones, in the season.
fn market() -> [Columns; 2] {
    let mut draws = Draws::new(8);
    let (mut customer, mut time, mut value) = (Vec::new(), Vec::new(), Vec::new());
    let (mut of, mut since, mut season, mut plan) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for i in 0..150_i64 {
        let (rate, life) = (draws.gamma(1.5) / 60.0, draws.exponential() * 400.0);
        let nu = draws.gamma(4.0) / 15.0;
        let high = |day: f64| (day as i64 % 120) >= 80;
        let mut t = (i % 40) as f64;
        let end = (t + life).min(350.0);
        while t < end {
            customer.push(i);
            time.push(t as i64 * DAY);
            value.push(draws.gamma(6.0) / nu * if high(t) { 1.5 } else { 1.0 });
            let rate = rate * if i % 3 == 0 { 2.0 } else { 1.0 };
            let wait = draws.exponential() / rate;
            t = (t + if high(t + wait) { 0.6 * wait } else { wait }).floor() + 1.0;
        }
        for k in 0..8_i64 {
            of.push(i);
            since.push((k / 2 * 120 + k % 2 * 80) * DAY);
            season.push((k % 2) as f64);
            plan.push(["basic", "family", "plus"][(i % 3) as usize]);
        }
    }
    let orders =
        Columns::new().with("customer", customer).with("time", Data::times(time)).with("value", value);
    let along = Columns::new()
        .with("customer", of)
        .with("time", Data::times(since))
        .with("season", season)
        .with("plan", plan);
    [orders, along]
}

fn fitted([orders, along]: &[Columns; 2]) -> Result<(DynamicParetoNbdModel, DynamicGammaGammaModel)> {
    let purchases = DynamicParetoNbd {
        covariates: Covariates::new(["season", "plan"], ["plan"]),
        period: Duration::from_days(7),
        penalty: 0.01,
        ..DynamicParetoNbd::default()
    };
    let spend = DynamicGammaGamma {
        rate: true,
        period: Duration::from_days(7),
        ..DynamicGammaGamma::new(["season", "plan"])
    };
    let run = Run::new();
    Ok((purchases.fit(orders, along, &run)?.0, spend.fit(orders, along, &run)?.0))
}

fn numbers(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap_or_else(|| unreachable!("{name}")).to_vec()
}

#[test]
fn what_was_fitted_predicts_the_same_when_it_is_given() -> Result<()> {
    let (frames, run) = (market(), Run::new());
    let [orders, along] = &frames;
    let (purchases, spend) = fitted(&frames)?;
    let json = |given: &DynamicGiven| serde_json::to_string(given).unwrap();
    let Some(Dynamic::Pareto(again)) =
        Some(Dynamic::from_parameters("clv.DynamicParetoNBD", &json(&purchases.parameters()))?)
    else {
        unreachable!()
    };
    assert_eq!(again.parameters(), purchases.parameters());
    assert_eq!(again.parameters().references["plan"], "basic");
    let ask = DynamicPredictOptions { periods: 20.0.into(), ..DynamicPredictOptions::default() };
    let tables = |model: &DynamicParetoNbdModel| -> Result<[Table; 2]> {
        let tracked = model.tracking(orders, along, &DynamicTrackingOptions::default(), &run)?;
        Ok([model.predict(orders, along, &ask, &run)?.table(), tracked.table()])
    };
    assert_eq!(tables(&again)?, tables(&purchases)?);
    // By the laws of single customers, whose coefficients are scaled, to all digits but the last.
    let more = DynamicPredictOptions { ahead: Some(10.0.into()), rate: true, ..ask.clone() };
    let told = |model: &DynamicParetoNbdModel| -> Result<Vec<f64>> {
        let table = model.predict(orders, along, &more, &run)?.table();
        Ok([numbers(&table, "p_alive_ahead"), numbers(&table, "purchase_rate")].concat())
    };
    for (got, want) in told(&again)?.into_iter().zip(told(&purchases)?) {
        assert!((got / want - 1.0).abs() < 1e-12, "{got} for {want}");
    }

    let given = spend.parameters();
    assert!(given.rate.is_some() && given.params.iter().any(|(name, _)| name == "spend:rate"));
    let Dynamic::Spend(dear) = Dynamic::from_parameters("clv.DynamicGammaGamma", &json(&given))? else {
        unreachable!()
    };
    assert_eq!(dear.parameters(), given);
    let ahead = DynamicSpendOptions { periods: 20.0.into(), ..DynamicSpendOptions::default() };
    let spent = |model: &DynamicGammaGammaModel| Ok(model.predict(orders, along, &ahead, &run)?.table());
    assert_eq!(spent(&dear)?, spent(&spend)?);
    let plan = DynamicLifetimeOptions { periods: 12.0.into(), ..DynamicLifetimeOptions::default() };
    let worth = |purchases: &DynamicParetoNbdModel, spend: &DynamicGammaGammaModel| -> Result<Table> {
        Ok(purchases.lifetime_value(DynamicSpend::Along(spend), orders, along, &plan, &run)?.table())
    };
    assert_eq!(worth(&again, &dear)?, worth(&purchases, &spend)?);

    // Files, the verdict, and no errors.
    let back: DynamicParetoNbdModel = from_bytes(&to_bytes(&*again)?)?;
    assert_eq!(back, *again);
    let back: DynamicGammaGammaModel = from_bytes(&to_bytes(&*dear)?)?;
    assert_eq!(back, *dear);
    for (table, fit) in [again.tables()?, dear.tables()?] {
        assert_eq!(fit.text("verdict", 0).as_deref(), Some("given"));
        assert_eq!(fit.text("effects_verdict", 0).as_deref(), Some("given"));
        for (frame, name) in [(&fit, "log_likelihood"), (&fit, "aic"), (&table, "standard_error")] {
            let valid = frame.get(name).and_then(|c| c.valid.clone());
            assert!(valid.is_some_and(|valid| !valid.contains(&true)), "{name}");
        }
    }
    let asked = DynamicPredictOptions { interval: Some(0.9), ..ask.clone() };
    let refused = again.predict(orders, along, &asked, &run).map(drop);
    assert!(matches!(refused, Err(Error::Option { ref option, .. }) if option == "interval"), "{refused:?}");
    let asked = DynamicSpendOptions { interval: Some(0.9), ..ahead.clone() };
    let refused = dear.predict(orders, along, &asked, &run).map(drop);
    assert!(matches!(refused, Err(Error::Option { ref option, .. }) if option == "interval"), "{refused:?}");
    let asked = DynamicLifetimeOptions { interval: Some(0.9), ..plan.clone() };
    let refused = again.lifetime_value(DynamicSpend::Along(&spend), orders, along, &asked, &run).map(drop);
    assert!(matches!(refused, Err(Error::Option { ref option, .. }) if option == "interval"), "{refused:?}");
    Ok(())
}

/// Parameters of customers whose covariates are 0, as other software has them: α₀ = α e^{γ x̄}, and ν at 0.
#[test]
fn parameters_at_0_are_the_same_model() -> Result<()> {
    let (frames, run) = (market(), Run::new());
    let [orders, along] = &frames;
    let (purchases, spend) = fitted(&frames)?;
    let at_0 = |given: DynamicGiven| {
        let mean = |name: &str| given.means.get(name).copied();
        let sum = |process: &str| -> f64 {
            let of = |(name, value): &(String, f64)| {
                Some(value * mean(name.strip_prefix(process)?.strip_prefix(':')?)?)
            };
            given.params.iter().filter_map(of).sum()
        };
        let moved = |name: &str| match name {
            "alpha" => sum("purchase"),
            "beta" => sum("dropout"),
            "v" => -sum("spend"),
            _ => 0.0,
        };
        let params =
            given.params.iter().map(|(name, value)| (name.clone(), value * moved(name).exp())).collect();
        DynamicGiven { params, means: [].into(), ..given.clone() }
    };
    let near = |got: Vec<f64>, want: Vec<f64>| {
        assert!(!want.is_empty() && got.len() == want.len());
        got.iter().zip(&want).for_each(|(a, b)| assert!((a / b - 1.0).abs() < 1e-10, "{a} for {b}"));
    };
    let zero = DynamicParetoNbdModel::from_parameters(&at_0(purchases.parameters()))?;
    let ask = DynamicPredictOptions { periods: 20.0.into(), ..DynamicPredictOptions::default() };
    let told = |model: &DynamicParetoNbdModel, name: &str| -> Result<Vec<f64>> {
        Ok(numbers(&model.predict(orders, along, &ask, &run)?.table(), name))
    };
    for name in ["expected_purchases", "p_alive"] {
        near(told(&zero, name)?, told(&purchases, name)?);
    }
    let zero = DynamicGammaGammaModel::from_parameters(&at_0(spend.parameters()))?;
    let told = |model: &DynamicGammaGammaModel| -> Result<Vec<f64>> {
        let table = model.predict(orders, along, &DynamicSpendOptions::default(), &run)?.table();
        Ok(numbers(&table, "expected_spend"))
    };
    near(told(&zero)?, told(&spend)?);
    Ok(())
}

#[test]
fn coefficients_of_0_leave_the_plain_law() -> Result<()> {
    let orders = Columns::new()
        .with("customer", vec!["a", "a", "a", "b"])
        .with("time", vec!["2024-01-01", "2024-02-12", "2024-03-04", "2024-01-08"]);
    let along = Columns::new().with("customer", vec!["a", "b"]).with("x", vec![3.0, -2.0]);
    let given = DynamicGiven {
        period: Duration::from_days(7),
        ..DynamicGiven::new([("r", 0.9), ("alpha", 6.0), ("s", 0.6), ("beta", 12.0), ("equal:x", 0.0)])
    };
    let model = DynamicParetoNbdModel::from_parameters(&given)?;
    let ask = DynamicPredictOptions { periods: 10.0.into(), ..DynamicPredictOptions::default() };
    let table = model.predict(&orders, &along, &ask, &Run::new())?.table();
    let plain = ParetoNbdModel::from_parameters([0.9, 6.0, 0.6, 12.0], 1, None)?;
    // Observation ends with the last order's day, 4 March: 9 weeks and a day after 1 January's began.
    for (row, (x, recency, age)) in [(2.0, 9.0, 9.0), (0.0, 0.0, 8.0)].into_iter().enumerate() {
        let want = plain.expected_purchases(x, recency, age, 10.0)?;
        let got = numbers(&table, "expected_purchases")[row];
        assert!((got / want - 1.0).abs() < 1e-9, "{row}: {got} for {want}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let law = [("r", 0.9), ("alpha", 6.0), ("s", 0.6), ("beta", 12.0)];
    let with = |more: &[(&'static str, f64)]| DynamicGiven::new(law.iter().chain(more).copied());
    let season = with(&[("purchase:season", 0.7)]);
    let refused = |given: &DynamicGiven, wanted: &str, word: &str| {
        match DynamicParetoNbdModel::from_parameters(given) {
            Err(Error::Option { option, reason }) => {
                assert!(option == wanted && reason.contains(word), "{option}: {reason}");
            }
            other => unreachable!("{wanted}: {other:?}"),
        }
    };
    assert!(DynamicParetoNbdModel::from_parameters(&season).is_ok());
    refused(&with(&[]), "params", "coefficient");
    refused(&DynamicGiven::new([("r", 1.0), ("purchase:season", 0.7)]), "params", "`alpha`");
    refused(&with(&[("season", 0.7)]), "params", "`season` is none of");
    refused(&with(&[("spend:season", 0.7)]), "params", "`spend:season` is none of");
    refused(&with(&[("purchase:", 0.7)]), "params", "none of");
    refused(&with(&[("purchase:season", f64::NAN)]), "params", "finite");
    refused(&with(&[("purchase:season", 0.7), ("purchase:season", 0.8)]), "params", "twice");
    let bad = DynamicGiven::new([("r", -1.0), ("alpha", 6.0), ("s", 0.6), ("beta", 12.0), ("equal:x", 0.1)]);
    refused(&bad, "params", "`r` must be a number above 0");
    refused(&DynamicGiven { means: [("price".into(), 1.0)].into(), ..season.clone() }, "means", "`price`");
    refused(
        &DynamicGiven { means: [("season".into(), f64::INFINITY)].into(), ..season.clone() },
        "means",
        "finite",
    );
    let plan = DynamicGiven { references: [("plan".into(), "basic".into())].into(), ..season.clone() };
    refused(&plan, "references", "`plan`");
    let reference = DynamicGiven {
        references: [("plan".into(), "basic".into())].into(),
        ..with(&[("purchase:plan[basic]", 0.7)])
    };
    refused(&reference, "params", "reference level");
    refused(&DynamicGiven { period: Duration::from_days(0), ..season.clone() }, "period", "longer");
    let rate = GivenRate { r: 1.0, alpha: 2.0, mean: 0.0 };
    refused(&DynamicGiven { rate: Some(rate), ..season.clone() }, "rate", "spend");
    let spend = DynamicGiven { rate: Some(rate), ..DynamicGiven::new([("p", 6.0), ("q", 4.0), ("v", 15.0)]) };
    let found = DynamicGammaGammaModel::from_parameters(&spend);
    assert!(matches!(found, Err(Error::Option { ref option, .. }) if option == "rate"), "{found:?}");
    let found = Dynamic::from_parameters("clv.ParetoNBD", r#"{"params": {}}"#).map(drop);
    assert!(matches!(found, Err(Error::Option { ref option, .. }) if option == "kind"), "{found:?}");
}
