//! Draws of the models of retention beside their fits, grids of their posteriors, simulation, and what follows for
//! customers under contract.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;

use headwater::clv::contract::{Contract, ContractData, ContractOptions, Curve};
use headwater::clv::posterior::{
    BootstrapOptions, DrawSurvivalOptions, DrawValueOptions, LogNormal, Posterior, PosteriorOptions, Prior,
    SummaryOptions, bootstrap, laplace, sample_posterior,
};
use headwater::column::{Columns, Table};
use headwater::math::ln_beta;
use headwater::{Error, Result, Run, model};
use support::draws::Draws;
use support::grid::{logs, moments};

const KINDS: [&str; 2] = ["ShiftedBetaGeo", "BetaDiscreteWeibull"];

/// Customers one by one: the renewal at which they left, or the renewals made by who is still there.
struct Lives {
    duration: Vec<f64>,
    event: Vec<bool>,
}

impl Lives {
    fn frame(&self) -> Columns {
        Columns::new().with("duration", self.duration.clone()).with("event", self.event.clone())
    }
}

/// P(T > t) = (1 − θ)^(t^c), θ ~ Beta(α, β), observed for 6 to 12 renewals.
fn simulate([alpha, beta, c]: [f64; 3], customers: usize, seed: u64) -> Lives {
    let mut draws = Draws::new(seed);
    let (mut duration, mut event) = (Vec::new(), Vec::new());
    for i in 0..customers {
        let theta = draws.beta(alpha, beta);
        let end = (draws.uniform().ln() / (-theta).ln_1p()).powf(1.0 / c).floor() + 1.0;
        let most = 6.0 + (i % 7) as f64;
        event.push(end <= most);
        duration.push(end.min(most));
    }
    Lives { duration, event }
}

fn of_customers() -> ContractOptions {
    ContractOptions { data: ContractData::Customers, ..Default::default() }
}

fn asked(prior: Prior, draws: usize) -> PosteriorOptions {
    PosteriorOptions { prior, draws, contract: Some(of_customers()), ..Default::default() }
}

fn column(posterior: &Posterior, i: usize) -> (f64, f64) {
    logs(posterior.draws().map(|draw| draw[i]))
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap_or_else(|| unreachable!("{name}")).to_vec()
}

fn truth(kind: &str) -> [f64; 3] {
    if kind == "ShiftedBetaGeo" { [0.8, 4.0, 1.0] } else { [1.5, 6.0, 1.4] }
}

#[test]
fn of_many_customers_all_methods_agree_with_the_fit() -> Result<()> {
    let run = Run::new();
    for kind in KINDS {
        let truth = truth(kind);
        let frame = simulate(truth, 20_000, 1).frame();
        let (fit, _) = Contract::fit(kind, &frame, r#"{"data": "customers"}"#, &run)?;
        let fit = fit.estimates();
        let (drawn, _) = sample_posterior(kind, &frame, &asked(Prior::Flat, 1000), &run)?;
        let (normal, _) = laplace(kind, &frame, &asked(Prior::Flat, 1000), &run)?;
        let refitting = BootstrapOptions { contract: Some(of_customers()), ..Default::default() };
        let (refits, _) = bootstrap(kind, &frame, &refitting, &run)?;
        assert_eq!((drawn.divergences(), refits.failed()), (0, 0), "{kind}");
        let table = drawn.table(&SummaryOptions::default())?;
        for (i, truth) in truth.into_iter().enumerate().take(fit.values.len()) {
            assert!((drawn.estimate()[i] / fit.values[i] - 1.0).abs() < 1e-6, "{kind} {i}");
            assert!(f64s(&table, "r_hat")[i] < 1.01 && f64s(&table, "ess_bulk")[i] > 400.0, "{table:?}");
            let error = fit.covariance[i][i].sqrt();
            for (posterior, within) in [(&drawn, 0.15), (&normal, 0.06), (&refits, 0.15)] {
                let (mean, sd) = column(posterior, i);
                let method = posterior.method();
                assert!((sd / error - 1.0).abs() < within, "{kind} {method:?} {i}: {sd} for {error}");
                assert!((mean - fit.values[i].ln()).abs() < 0.4 * error, "{kind} {method:?} {i}: {mean}");
                assert!((mean - truth.ln()).abs() < 4.0 * sd, "{kind} {i}: {mean} ± {sd}");
            }
        }
    }
    Ok(())
}

// ln P(T = t) = ln(S(t − 1) − S(t)) customer by customer, S by ln B alone.
fn ln_likelihood(lives: &Lives, [alpha, beta, c]: [f64; 3]) -> f64 {
    let ln_s = |t: f64| ln_beta(alpha, beta + t.powf(c)) - ln_beta(alpha, beta);
    let each = lives.duration.iter().zip(&lives.event);
    each.map(|(t, left)| if *left { (ln_s(t - 1.0).exp() - ln_s(*t).exp()).ln() } else { ln_s(*t) }).sum()
}

fn near(posterior: &Posterior, want: &[(f64, f64)]) {
    for (i, (mean, sd)) in want.iter().enumerate() {
        let (got, spread) = column(posterior, i);
        assert!((got - mean).abs() < 0.05 * sd, "{} {i}: {got} for {mean} ± {sd}", posterior.kind());
        assert!((spread / sd - 1.0).abs() < 0.05, "{} {i}: sd {spread} for {sd}", posterior.kind());
    }
}

#[test]
fn of_few_customers_a_grid_agrees() -> Result<()> {
    let lives = simulate([1.0, 4.0, 1.3], 60, 2);
    // Weak priors as they are.
    let (drawn, _) =
        sample_posterior("ShiftedBetaGeo", &lives.frame(), &asked(Prior::Weak, 4000), &Run::new())?;
    let weak = |at: &[f64]| at.iter().map(|v| -0.125 * v * v).sum::<f64>();
    let want = moments([0.7, 1.7], [6.0, 6.0], 160, |at: [f64; 2]| {
        ln_likelihood(&lives, [at[0].exp(), at[1].exp(), 1.0]) + weak(&at)
    });
    near(&drawn, &want);

    let believed = [("alpha", 1.0, 0.6), ("beta", 4.0, 0.6), ("c", 1.2, 0.4)];
    let priors = believed
        .iter()
        .map(|(name, median, sd)| ((*name).to_owned(), LogNormal { median: *median, sd: *sd }));
    let options = PosteriorOptions { priors: priors.collect::<BTreeMap<_, _>>(), ..asked(Prior::Weak, 4000) };
    let (drawn, _) = sample_posterior("BetaDiscreteWeibull", &lives.frame(), &options, &Run::new())?;
    let centre = believed.map(|b| f64::ln(b.1));
    let reach = believed.map(|b| 4.5 * b.2);
    let want = moments(centre, reach, 40, |at: [f64; 3]| {
        let prior: f64 = (0..3).map(|i| -0.5 * ((at[i] - centre[i]) / believed[i].2).powi(2)).sum();
        ln_likelihood(&lives, at.map(f64::exp)) + prior
    });
    near(&drawn, &want);
    Ok(())
}

#[test]
fn cohorts_and_their_customers_say_the_same() -> Result<()> {
    let run = Run::new();
    // Two cohorts, one seen for longer.
    let cohorts = Columns::new()
        .with("cohort", vec!["jan", "jan", "jan", "jan", "feb", "feb", "feb"])
        .with("period", vec![0, 1, 2, 3, 0, 1, 2])
        .with("customers", vec![30.0, 24.0, 21.0, 18.0, 20.0, 17.0, 12.0]);
    let customers = Columns::new()
        .with("duration", vec![2.0, 1.0, 3.0, 3.0, 1.0, 2.0, 2.0])
        .with("event", vec![false, true, true, false, true, true, true])
        .with("many", vec![12.0, 6.0, 3.0, 18.0, 3.0, 3.0, 5.0]);
    let refits = BootstrapOptions { replicates: 40, ..Default::default() };
    let options = PosteriorOptions { draws: 50, tune: 60, ..Default::default() };
    let by_customer =
        PosteriorOptions { contract: Some(of_customers()), weight: Some("many".into()), ..options.clone() };
    let again =
        BootstrapOptions { contract: Some(of_customers()), weight: Some("many".into()), ..refits.clone() };
    for kind in KINDS {
        let one = run.clone().threads(1);
        assert_eq!(
            sample_posterior(kind, &cohorts, &options, &one)?.0,
            sample_posterior(kind, &customers, &by_customer, &run)?.0
        );
        assert_eq!(
            laplace(kind, &cohorts, &options, &one)?.0,
            laplace(kind, &customers, &by_customer, &run)?.0
        );
        assert_eq!(bootstrap(kind, &cohorts, &refits, &one)?.0, bootstrap(kind, &customers, &again, &run)?.0);
    }
    Ok(())
}

fn small(kind: &str) -> Result<Posterior> {
    let cohorts = Columns::new()
        .with("period", (0..8).collect::<Vec<i64>>())
        .with("customers", vec![1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0]);
    let options =
        PosteriorOptions { chains: 2, draws: 50, period: Some("365d".parse()?), ..Default::default() };
    Ok(laplace(kind, &cohorts, &options, &Run::new())?.0)
}

#[test]
fn what_is_told_is_the_mean_over_the_draws() -> Result<()> {
    let run = Run::new();
    for kind in KINDS {
        let posterior = small(kind)?;
        let curves: Vec<Curve> = posterior
            .draws()
            .map(|d| Curve::new(d[0], d[1], d.get(2).copied().unwrap_or(1.0)))
            .collect::<Result<_>>()?;
        let close = |table: &Table, name: &str, row: usize, of: &dyn Fn(&Curve) -> f64| {
            let mut each: Vec<f64> = curves.iter().map(of).collect();
            each.sort_by(f64::total_cmp);
            let mean = each.iter().sum::<f64>() / each.len() as f64;
            let got = f64s(table, name)[row];
            assert!((got / mean - 1.0).abs() < 1e-12, "{kind} {name} {row}: {got} for {mean}");
            let edge = |side: &str| f64s(table, &format!("{name}_{side}"))[row];
            // The 5 % and 95 % quantiles of 100 draws.
            assert!(each[4] <= edge("low") && edge("low") <= each[5], "{kind} {name} {row}");
            assert!(each[94] <= edge("high") && edge("high") <= each[95], "{kind} {name} {row}");
        };
        let curve = posterior.survival(&DrawSurvivalOptions { periods: 9, ..Default::default() }, &run)?;
        assert!(curve.get("observed").is_none());
        let yearly = headwater::clv::finance::Rate::new(0.1, "365d".parse()?);
        let asked =
            DrawValueOptions { discount: Some(yearly), horizon: Some(20), margin: 3.0, ..Default::default() };
        let value = posterior.value(&asked, &run)?;
        let customers = Columns::new().with("customer", vec!["a", "b"]).with("renewals", vec![0, 6]);
        let json = r#"{"periods": 2, "discount": {"rate": 0.1, "per": "365d"}, "horizon": 20, "margin": 3}"#;
        let predicted = posterior.report("predict", Some(&customers), json, &run)?;
        for t in 1..=9_u32 {
            close(&curve, "survival", t as usize, &|c| c.survival(t));
            close(&curve, "retention", t as usize, &|c| c.retention(t));
            close(&curve, "churn", t as usize, &|c| c.churn(t));
        }
        let lifetime = |c: &Curve, n: u32, d: f64| c.discounted_lifetime(n, d, Some(20)).unwrap().unwrap();
        for n in 1..=5_u32 {
            close(&value, "discounted_lifetime", n as usize, &|c| c.retention(n) * lifetime(c, n, 0.1));
            close(&value, "expected_lifetime", n as usize, &|c| c.retention(n) * lifetime(c, n, 0.0));
            close(&value, "value", n as usize, &|c| 3.0 * c.retention(n) * lifetime(c, n, 0.1));
        }
        for (row, made) in [(0, 0), (1, 6)] {
            let told = &predicted[0].1;
            close(told, "survival", row, &|c| c.survival_of_active(made, 2));
            close(told, "churn", row, &|c| 1.0 - c.retention(made + 1));
            close(told, "residual_value", row, &|c| 3.0 * c.retention(made + 1) * lifetime(c, made + 1, 0.1));
        }
    }
    Ok(())
}

#[test]
fn a_lifetime_that_may_be_infinite_is_missing() -> Result<()> {
    // α is about 0.67: without a discount or a horizon most draws have an infinite lifetime.
    let (posterior, run) = (small("ShiftedBetaGeo")?, Run::new());
    let customers = Columns::new().with("customer", vec!["a"]).with("renewals", vec![3]);
    let table = &posterior.report("predict", Some(&customers), "{}", &run)?[0].1;
    let valid = |name: &str| table.get(name).and_then(|c| c.valid.clone());
    assert_eq!(valid("expected_lifetime"), Some(vec![false]));
    assert_eq!((valid("survival"), valid("churn")), (None, None));
    Ok(())
}

#[test]
fn files_and_threads_change_no_bit() -> Result<()> {
    let customers = Columns::new().with("customer", vec!["a", "b"]).with("renewals", vec![0, 6]);
    for kind in KINDS {
        let posterior = small(kind)?;
        let loaded: Posterior = model::from_bytes(&model::to_bytes(&posterior)?)?;
        assert_eq!(posterior, loaded);
        let discount = r#"{"discount": {"rate": 0.1, "per": "365d"}}"#;
        for (name, frame, json) in [
            ("survival", None, "{}"),
            ("value", None, discount),
            ("predict", Some(&customers), discount),
            ("posterior", None, "{}"),
        ] {
            let one = posterior.report(name, frame, json, &Run::new().threads(1))?;
            assert_eq!(one, loaded.report(name, frame, json, &Run::new().threads(2))?, "{kind} {name}");
        }
    }
    Ok(())
}

#[test]
fn priors_keep_what_the_data_leave_open() -> Result<()> {
    // Nobody leaves: the fit ends at the edge, the posterior is proper.
    let loyal = Columns::new().with("period", vec![0, 1, 2, 3]).with("customers", vec![50.0; 4]);
    for kind in KINDS {
        let options = PosteriorOptions { draws: 500, ..Default::default() };
        let (posterior, _) = sample_posterior(kind, &loyal, &options, &Run::new())?;
        let table = posterior.table(&SummaryOptions::default())?;
        assert!(f64s(&table, "r_hat").iter().all(|r| *r < 1.05), "{kind}: {table:?}");
        let curve = posterior.survival(&DrawSurvivalOptions::default(), &Run::new())?;
        assert!(f64s(&curve, "survival")[3] > 0.9 && f64s(&curve, "survival_low")[12] < 0.95, "{curve:?}");
        // c is never drawn beyond where the model is.
        assert!(posterior.draws().all(|d| d.get(2).is_none_or(|c| (0.01..=20.0).contains(c))));
    }
    Ok(())
}

#[test]
fn given_parameters_have_a_curve_and_no_errors() -> Result<()> {
    let run = Run::new();
    for (kind, values) in
        [("ShiftedBetaGeo", &[0.668, 3.806][..]), ("BetaDiscreteWeibull", &[0.26, 1.7, 1.58])]
    {
        let model = Contract::from_parameters(kind, values, Some("365d".parse()?))?;
        assert_eq!(Contract::from_bytes(&model.to_bytes()?)?.as_ref(), Some(&model));
        let fit = &model.report("fit", None, "{}", &run)?[0].1;
        assert_eq!(fit.text("verdict", 0).as_deref(), Some("given"));
        let missing = |name: &str| fit.get(name).and_then(|c| c.valid.clone()) == Some(vec![false]);
        assert!(["log_likelihood", "aic", "bic", "customers"].into_iter().all(missing), "{fit:?}");
        let curve = Curve::new(values[0], values[1], values.get(2).copied().unwrap_or(1.0))?;
        let told = &model.report("survival", None, r#"{"periods": 7}"#, &run)?[0].1;
        assert_eq!(f64s(told, "survival")[7], curve.survival(7));
        let value = r#"{"discount": {"rate": 0.1, "per": "365d"}}"#;
        assert!(model.report("value", None, value, &run).is_ok());
        for json in [r#"{"interval": 0.9}"#, r#"{"periods": 3, "interval": 0.5}"#] {
            let found = model.report("survival", None, json, &run);
            assert!(
                matches!(found, Err(Error::Option { ref option, .. }) if option == "interval"),
                "{found:?}"
            );
        }
        assert!(matches!(model.report("compare", None, "{}", &run), Err(Error::NotEnoughData { .. })));
    }
    for (values, option) in [
        (&[1.0][..], "params"),
        (&[1.0, -2.0], "beta"),
        (&[1.0, 2.0, 3.0], "params"),
        (&[f64::NAN, 1.0], "alpha"),
    ] {
        let found = Contract::from_parameters("ShiftedBetaGeo", values, None);
        assert!(matches!(found, Err(Error::Option { option: ref o, .. }) if o == option), "{found:?}");
    }
    let found = Contract::from_parameters("BetaDiscreteWeibull", &[1.0, 2.0, 30.0], None);
    assert!(matches!(found, Err(Error::Option { ref option, .. }) if option == "c"), "{found:?}");
    Ok(())
}

#[test]
fn what_is_wrong_is_named() -> Result<()> {
    let cohorts =
        Columns::new().with("period", vec![0, 1, 2, 3]).with("customers", vec![40.0, 31.0, 26.0, 24.0]);
    let run = Run::new();
    let refused = |result: Result<()>, option: &str| match result {
        Err(Error::Option { option: found, .. }) => assert_eq!(found, option),
        other => unreachable!("{option}: {other:?}"),
    };
    for (json, option) in [
        (r#"{"k": 2}"#, "k"),
        (r#"{"covariates": {"purchase": ["x"]}}"#, "covariates"),
        (r#"{"contract": {"weight": "w"}}"#, "contract"),
        (r#"{"contract": {"cohorts": "separate"}}"#, "contract"),
        (r#"{"priors": {"c": {"median": 1, "sd": 1}}}"#, "priors"),
    ] {
        refused(Posterior::fit("nuts", "ShiftedBetaGeo", &cohorts, json, &run).map(drop), option);
    }
    let posterior = small("ShiftedBetaGeo")?;
    let customers = Columns::new().with("customer", vec!["a"]).with("renewals", vec![1]);
    let ask = |name: &str, json: &str| posterior.report(name, Some(&customers), json, &run).map(drop);
    refused(ask("predict", r#"{"periods": 1.5}"#), "periods");
    refused(ask("predict", r#"{"level": 1}"#), "level");
    refused(ask("survival", r#"{"most_draws": 0}"#), "most_draws");
    refused(ask("value", "{}"), "discount");
    refused(ask("check", r#"{"most": 0}"#), "most");
    refused(ask("check", r#"{"monetary_value": "x"}"#), "monetary_value");
    let early = Columns::new().with("period", vec![0]).with("customers", vec![40.0]);
    for method in ["nuts", "laplace", "bootstrap"] {
        let found = Posterior::fit(method, "BetaDiscreteWeibull", &early, "{}", &run);
        assert!(matches!(found, Err(Error::NotEnoughData { .. })), "{method}: {found:?}");
    }
    Ok(())
}
