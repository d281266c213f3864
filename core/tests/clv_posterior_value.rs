//! What draws say of customers, beside the laws of the draws one by one.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use headwater::clv::posterior::{
    BootstrapOptions, DrawPredictOptions, Posterior, PosteriorOptions, bootstrap, laplace,
};
use headwater::clv::{
    Covariates, GammaGammaModel, GammaGammaOptions, History, LifetimeOptions, PurchaseOptions, Purchases,
    Quantity, fit_purchases, gamma_gamma, lifetime_value, purchases_with,
};
use headwater::column::Columns;
use headwater::{Result, Run, Table};

const FREQUENCY: [f64; 7] = [0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0];
const RECENCY: [f64; 7] = [0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0];
const AGE: [f64; 7] = [35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0];
const MONEY: [f64; 7] = [0.0, 12.0, 35.0, 8.0, 60.0, 25.0, 42.0];

fn customers() -> Columns {
    Columns::new()
        .with("customer", vec!["a", "b", "c", "d", "e", "f", "g"])
        .with("frequency", FREQUENCY.to_vec())
        .with("recency", RECENCY.to_vec())
        .with("T", AGE.to_vec())
        .with("monetary_value", MONEY.to_vec())
        .with("shop", vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
        .with("many", [1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0].map(|n| 20.0 * n).to_vec())
}

fn history(row: usize) -> History {
    History { frequency: FREQUENCY[row] as u32, recency: RECENCY[row], age: AGE[row], ..History::default() }
}

fn told(table: &Table, name: &str, row: usize) -> Option<f64> {
    let there = table.get(name).unwrap().valid.as_ref().is_none_or(|valid| valid[row]);
    there.then(|| table.f64s(name).unwrap()[row])
}

/// The mean and the quantiles at 10 % and 90 %, between two neighbours.
fn mean_and_limits(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let quantile = |p: f64| {
        let at = p * (values.len() - 1) as f64;
        let (low, part) = (at.floor() as usize, at.fract());
        values[low] + part * (values[(low + 1).min(values.len() - 1)] - values[low])
    };
    [values.iter().sum::<f64>() / values.len() as f64, quantile(0.1), quantile(0.9)]
}

fn near(found: Option<f64>, want: f64, what: &str) {
    let found = found.unwrap();
    assert!((found - want).abs() < 1e-10 * (1.0 + want.abs()), "{what}: {found} for {want}");
}

#[test]
fn draws_answer_what_their_laws_answer() -> Result<()> {
    let run = Run::new();
    let frame = customers();
    for (kind, name) in [
        ("clv.ParetoNBD", "ParetoNBD"),
        ("clv.ModifiedBetaGeo", "ModifiedBetaGeo"),
        ("clv.BetaGeoBetaBinomial", "BetaGeoBetaBinomial"),
    ] {
        let options =
            PosteriorOptions { weight: Some("many".into()), chains: 1, draws: 60, ..Default::default() };
        let (posterior, _) = laplace(name, &frame, &options, &run)?;
        let laws: Vec<Box<dyn Purchases>> =
            posterior.draws().map(|draw| purchases_with(kind, draw, 1, None)).collect::<Result<_>>()?;
        let ask = DrawPredictOptions {
            periods: 12.0.into(),
            level: 0.8,
            ahead: Some(8.0.into()),
            discount_rate: Some(0.01.into()),
            next_purchase: Some(0.3),
            rate: true,
            probabilities: Some(3),
            ..DrawPredictOptions::default()
        };
        let table = posterior.predict(&frame, &ask, &run)?.table();
        assert_eq!(table, posterior.predict(&frame, &ask, &Run::new().threads(1))?.table());
        for row in [0, 4, 6] {
            let each =
                |f: &dyn Fn(&dyn Purchases) -> f64| laws.iter().map(|law| f(&**law)).collect::<Vec<f64>>();
            let rate = 0.01_f64.ln_1p();
            let of = |quantity| each(&|law| law.quantity(history(row), quantity));
            let mut wanted = vec![
                ("p_alive_ahead".to_owned(), of(Quantity::Alive { ahead: 8.0 })),
                ("residual_purchases".to_owned(), of(Quantity::Residual { rate })),
                ("purchase_rate".to_owned(), of(Quantity::Rate)),
            ];
            for n in 0..=3 {
                let mass = |law: &dyn Purchases| law.probabilities_of(history(row), 12.0, 3)[n];
                wanted.push((format!("probability_{n}"), each(&mass)));
            }
            for (name, values) in wanted {
                for (end, want) in ["", "_low", "_high"].iter().zip(mean_and_limits(values)) {
                    near(
                        told(&table, &format!("{name}{end}"), row),
                        want,
                        &format!("{kind} {name}{end} {row}"),
                    );
                }
            }
            // At these times the mean chance to have bought, and its limits, are at the level; or have just passed it.
            let bought =
                |t: f64| mean_and_limits(each(&|law| 1.0 - law.probabilities_of(history(row), t, 0)[0]));
            for (end, at) in [("", 0), ("_low", 2), ("_high", 1)] {
                let Some(t) = told(&table, &format!("next_purchase{end}"), row) else {
                    assert!(bought(8e3)[at] < 0.3, "{kind} {row} {end}");
                    continue;
                };
                assert!(bought(t)[at] >= 0.3 - 1e-9, "{kind} {row} {end}");
                let before = if kind == "clv.BetaGeoBetaBinomial" { t - 1.0 } else { t * (1.0 - 1e-6) };
                assert!(bought(before)[at] < 0.3, "{kind} {row} {end}: {t}");
            }
        }
        let wrong = DrawPredictOptions { next_purchase: Some(1.0), ..ask };
        assert_eq!(posterior.predict(&frame, &wrong, &run).unwrap_err().code(), "HW_OPTION");
    }
    Ok(())
}

#[test]
fn values_by_draws_are_the_mean_of_their_laws_and_intervals_those_of_the_fit() -> Result<()> {
    let run = Run::new();
    let frame = customers();
    let weighted = GammaGammaOptions { weight: Some("many".into()), ..GammaGammaOptions::default() };
    let (spend, _) = gamma_gamma(&frame, &weighted, &run)?;
    let value = LifetimeOptions {
        periods: 12.0.into(),
        discount_rate: 0.01.into(),
        margin: 0.4,
        interval: Some(0.9),
        most_draws: 3_000,
        ..LifetimeOptions::default()
    };
    for covariates in [None, Some(Covariates::new(["shop"], []))] {
        let fit = PurchaseOptions {
            weight: Some("many".into()),
            covariates: covariates.clone(),
            ..PurchaseOptions::default()
        };
        let (model, _) = fit_purchases("clv.ParetoNBD", &frame, &fit, &run)?;
        let by_fit = lifetime_value(&*model, &spend, &frame, &value_of_fits(&value), &run)?.table();
        let options = PosteriorOptions {
            weight: Some("many".into()),
            covariates,
            chains: 1,
            draws: 3_000,
            ..PosteriorOptions::default()
        };
        let (posterior, _) = laplace("ParetoNBD", &frame, &options, &run)?;
        let found = posterior.lifetime_value(&spend, &frame, &value, &run)?.table();
        assert_eq!(found, posterior.lifetime_value(&spend, &frame, &value, &Run::new().threads(1))?.table());
        for row in 0..7 {
            let of = |table: &Table, end: &str| told(table, &format!("lifetime_value{end}"), row).unwrap();
            let width = of(&by_fit, "_high") - of(&by_fit, "_low");
            for end in ["_low", "", "_high"] {
                let gap = of(&found, end) - of(&by_fit, end);
                assert!(gap.abs() < 0.1 * width, "{end} {row}: {gap} of {width}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_fit_beside_draws_of_spend_is_both() -> Result<()> {
    let run = Run::new();
    let frame = customers();
    let fit = PurchaseOptions { weight: Some("many".into()), ..PurchaseOptions::default() };
    let (model, _) = fit_purchases("clv.ParetoNBD", &frame, &fit, &run)?;
    let options = PosteriorOptions {
        weight: Some("many".into()),
        chains: 1,
        draws: 3_000,
        ..PosteriorOptions::default()
    };
    let (spend, _) = laplace("GammaGamma", &frame, &options, &run)?;
    let (posterior, _) = laplace("ParetoNBD", &frame, &options, &run)?;
    let value = LifetimeOptions {
        periods: 12.0.into(),
        discount_rate: 0.01.into(),
        margin: 0.4,
        most_draws: 3_000,
        ..LifetimeOptions::default()
    };
    let one = GammaGammaModel::from_parameters(6.25, 3.74, 15.44)?;
    let plain = lifetime_value(&*model, &one, &frame, &value_of_fits(&value), &run)?.table();
    let found = lifetime_value(&*model, &spend, &frame, &value, &run)?.table();
    assert!(found.get("lifetime_value_low").is_none()); // none by default, as of fits
    let asked = LifetimeOptions { interval: Some(0.9), ..value.clone() };
    let limits = lifetime_value(&*model, &spend, &frame, &asked, &run)?.table();
    assert_eq!(limits, lifetime_value(&*model, &spend, &frame, &asked, &Run::new().threads(1))?.table());
    let drawn = posterior.lifetime_value(&spend, &frame, &asked, &run)?.table();
    for row in 0..7 {
        let spends = spend.draws().map(|p| {
            let model = GammaGammaModel::from_parameters(p[0], p[1], p[2]).unwrap();
            model.expected_spend(FREQUENCY[row], MONEY[row]).unwrap().unwrap()
        });
        let mean = spends.sum::<f64>() / spend.len() as f64;
        near(told(&found, "expected_spend", row), mean, "spend");
        let per_spend =
            told(&plain, "lifetime_value", row).unwrap() / told(&plain, "expected_spend", row).unwrap();
        near(told(&found, "lifetime_value", row), per_spend * mean, "value");
        let of = |table: &Table, end: &str| told(table, &format!("lifetime_value{end}"), row).unwrap();
        let width = of(&drawn, "_high") - of(&drawn, "_low");
        for end in ["_low", "_high"] {
            let gap = of(&limits, end) - of(&drawn, end);
            assert!(gap.abs() < 0.1 * width, "{end} {row}: {gap} of {width}");
        }
    }
    // Draws are no option of fits, and parameters that were given have no errors.
    let message = |error: headwater::Error| error.to_string();
    assert!(message(lifetime_value(&*model, &one, &frame, &value, &run).unwrap_err()).contains("most_draws"));
    let given = purchases_with("clv.ParetoNBD", &[0.5, 10.0, 0.6, 11.0], 1, None)?;
    assert!(lifetime_value(&*given, &spend, &frame, &value, &run).is_ok());
    assert!(message(lifetime_value(&*given, &spend, &frame, &asked, &run).unwrap_err()).contains("given"));
    let purchases = lifetime_value(&*model, &posterior, &frame, &value, &run).unwrap_err();
    assert!(message(purchases).contains("GammaGamma"));
    Ok(())
}

fn value_of_fits(value: &LifetimeOptions) -> LifetimeOptions {
    LifetimeOptions { most_draws: LifetimeOptions::default().most_draws, ..value.clone() }
}

/// Bootstraps too; and without an interval nothing is asked of the spend's errors.
#[test]
fn values_of_few_draws_are_sums_by_hand() -> Result<()> {
    let run = Run::new();
    let frame = customers();
    let spend = GammaGammaModel::from_parameters(6.25, 3.74, 15.44)?;
    let options =
        BootstrapOptions { weight: Some("many".into()), replicates: 8, ..BootstrapOptions::default() };
    let (posterior, _) = bootstrap("BetaGeo", &frame, &options, &run)?;
    let value =
        LifetimeOptions { periods: 3.0.into(), discount_rate: 0.1.into(), ..LifetimeOptions::default() };
    let ask = |posterior: &Posterior, value: &LifetimeOptions| {
        posterior.lifetime_value(&spend, &frame, value, &run)
    };
    let found = ask(&posterior, &value)?.table();
    for row in 0..7 {
        let mut want = 0.0;
        for draw in posterior.draws() {
            let law = purchases_with("clv.BetaGeo", draw, 1, None)?;
            let upto = |t: f64| law.expected_purchases(FREQUENCY[row], RECENCY[row], AGE[row], t).unwrap();
            want += (1..=3)
                .map(|t| (upto(f64::from(t)) - upto(f64::from(t - 1))) * 1.1_f64.powi(-t))
                .sum::<f64>();
        }
        want *= spend.expected_spend(FREQUENCY[row], MONEY[row])?.unwrap() / posterior.len() as f64;
        near(told(&found, "lifetime_value", row), want, &format!("{row}"));
    }
    for (wrong, word) in [
        (LifetimeOptions { interval: Some(0.9), ..value.clone() }, "given"),
        (LifetimeOptions { most_draws: 0, ..value.clone() }, "most_draws"),
        (LifetimeOptions { margin: f64::NAN, ..value }, "margin"),
    ] {
        let error = ask(&posterior, &wrong).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    Ok(())
}
