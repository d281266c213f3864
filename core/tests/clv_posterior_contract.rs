//! Draws of contracts with covariates: beside groups drawn apart, a grid, fits, curves put together by hand, simulation.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use headwater::clv::contract::{Contract, ContractCovariates, ContractData, ContractOptions, Curve, Known};
use headwater::clv::finance::Rate;
use headwater::clv::posterior::{
    BootstrapOptions, DrawSurvivalOptions, DrawValueOptions, Method, Posterior, PosteriorCheckOptions,
    PosteriorOptions, Prior, SummaryOptions, bootstrap, laplace, sample_posterior,
};
use headwater::column::{Columns, Table};
use headwater::math::ln_beta;
use headwater::{Error, Result, Run, model};
use support::draws::Draws;
use support::grid::moments;

const KINDS: [&str; 2] = ["ShiftedBetaGeo", "BetaDiscreteWeibull"];

/// Customers one by one, as rows with weights.
#[derive(Clone, Default)]
struct Customers {
    duration: Vec<f64>,
    event: Vec<bool>,
    weight: Vec<f64>,
    x: Vec<f64>,
}

impl Customers {
    fn push(&mut self, duration: f64, event: bool, weight: f64, x: f64) {
        self.duration.push(duration);
        self.event.push(event);
        self.weight.push(weight);
        self.x.push(x);
    }

    /// Those of a cohort: who left at each renewal, and who is still there.
    fn cohort(&mut self, survivors: &[f64], x: f64) {
        for (t, pair) in survivors.windows(2).enumerate() {
            self.push((t + 1) as f64, true, pair[0] - pair[1], x);
        }
        self.push((survivors.len() - 1) as f64, false, survivors[survivors.len() - 1], x);
    }

    fn only(&self, x: f64) -> Self {
        let mut out = Self::default();
        for i in (0..self.x.len()).filter(|i| self.x[*i] == x) {
            out.push(self.duration[i], self.event[i], self.weight[i], x);
        }
        out
    }

    fn frame(&self) -> Columns {
        let plan: Vec<&str> = self.x.iter().map(|x| if *x > 0.0 { "plus" } else { "basic" }).collect();
        Columns::new()
            .with("duration", self.duration.clone())
            .with("event", self.event.clone())
            .with("weight", self.weight.clone())
            .with("x", self.x.clone())
            .with("plan", plan)
    }

    /// Weighted mean and standard deviation of x.
    fn spread(&self) -> (f64, f64) {
        let each = || self.x.iter().zip(&self.weight);
        let n: f64 = self.weight.iter().sum();
        let mean = each().map(|(x, w)| w * x).sum::<f64>() / n;
        (mean, (each().map(|(x, w)| w * (x - mean).powi(2)).sum::<f64>() / n).sqrt())
    }
}

fn two_groups() -> Customers {
    let mut out = Customers::default();
    out.cohort(&[1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0], 0.0);
    out.cohort(&[1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0], 1.0);
    out
}

/// P(T > t) = (1 − θ)^(t^c), θ ~ Beta(α e^{−γ x}, β e^{−δ x}), for 6 to 12 renewals; x is −1, 0 or 1.
fn simulate([alpha, beta, c]: [f64; 3], [gamma, delta]: [f64; 2], customers: usize, seed: u64) -> Customers {
    let mut draws = Draws::new(seed);
    let mut out = Customers::default();
    for i in 0..customers {
        let x = (i % 3) as f64 - 1.0;
        let theta = draws.beta(alpha * (-gamma * x).exp(), beta * (-delta * x).exp());
        let end = (draws.uniform().ln() / (-theta).ln_1p()).powf(1.0 / c).floor() + 1.0;
        let most = 6.0 + (i % 7) as f64;
        out.push(end.min(most), end <= most, 1.0, x);
    }
    out
}

fn rows(covariates: Option<ContractCovariates>) -> ContractOptions {
    ContractOptions { data: ContractData::Customers, covariates, ..Default::default() }
}

fn both() -> ContractOptions {
    rows(Some(ContractCovariates::new(["x"], ["x"])))
}

fn asked(prior: Prior, draws: usize) -> PosteriorOptions {
    PosteriorOptions {
        prior,
        draws,
        contract: Some(both()),
        weight: Some("weight".into()),
        ..Default::default()
    }
}

fn summed(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap_or_else(|| unreachable!("{name}")).to_vec()
}

/// Where priors are flat a covariate that tells two groups apart, on both parameters, is two posteriors.
#[test]
fn two_groups_are_two_posteriors() -> Result<()> {
    let customers = two_groups();
    let run = Run::new();
    let (together, _) =
        sample_posterior("ShiftedBetaGeo", &customers.frame(), &asked(Prior::Flat, 1000), &run)?;
    assert_eq!(together.parameters(), ["alpha", "beta", "alpha:x", "beta:x"]);
    let table = together.table(&SummaryOptions::default())?;
    assert!(f64s(&table, "r_hat").iter().all(|r| *r < 1.01), "{table:?}");
    assert!(f64s(&table, "ess_bulk").iter().all(|n| *n > 400.0), "{table:?}");
    let (mean, _) = customers.spread();
    for x in [0.0, 1.0] {
        let options = PosteriorOptions { contract: Some(rows(None)), ..asked(Prior::Flat, 1000) };
        let (alone, _) = sample_posterior("ShiftedBetaGeo", &customers.only(x).frame(), &options, &run)?;
        for i in 0..2 {
            let own = summed(together.draws().map(|d| d[i].ln() - d[2 + i] * (x - mean)));
            let want = summed(alone.draws().map(|d| d[i].ln()));
            assert!((own.0 - want.0).abs() < 0.15 * want.1, "{x} {i}: {own:?} for {want:?}");
            assert!((own.1 / want.1 - 1.0).abs() < 0.1, "{x} {i}: {own:?} for {want:?}");
        }
    }
    Ok(())
}

#[test]
fn of_few_customers_a_grid_agrees() -> Result<()> {
    let customers = simulate([1.0, 4.0, 1.0], [0.6, 0.0], 60, 2);
    let on_alpha = Some(rows(Some(ContractCovariates::new(["x"], []))));
    let options = PosteriorOptions { contract: on_alpha, ..asked(Prior::Weak, 4000) };
    let (drawn, _) = sample_posterior("ShiftedBetaGeo", &customers.frame(), &options, &Run::new())?;
    let (mean, scale) = customers.spread();
    // Each kind of life once.
    let mut lives: Vec<(f64, bool, f64, f64)> = Vec::new();
    for i in 0..customers.x.len() {
        let own = (customers.duration[i], customers.event[i], customers.x[i]);
        match lives.iter_mut().find(|l| (l.0, l.1, l.2) == own) {
            Some(same) => same.3 += 1.0,
            None => lives.push((own.0, own.1, own.2, 1.0)),
        }
    }
    let want = moments([0.7, 1.7, 0.3], [5.0, 5.0, 2.5], 56, |[a, b, gamma]: [f64; 3]| {
        let beta = b.exp();
        let each = lives.iter().map(|(t, left, x, n)| {
            let alpha = (a - gamma * (x - mean) / scale).exp();
            let survival = |t: f64| (ln_beta(alpha, beta + t) - ln_beta(alpha, beta)).exp();
            n * if *left { survival(t - 1.0) - survival(*t) } else { survival(*t) }.ln()
        });
        each.sum::<f64>() - 0.125 * (a * a + b * b) - 0.5 * gamma * gamma
    });
    let got: [(f64, f64); 3] = [
        summed(drawn.draws().map(|d| d[0].ln())),
        summed(drawn.draws().map(|d| d[1].ln())),
        summed(drawn.draws().map(|d| d[2] * scale)),
    ];
    for (i, ((got, spread), (mean, sd))) in got.into_iter().zip(want).enumerate() {
        assert!((got - mean).abs() < 0.06 * sd, "{i}: {got} for {mean} ± {sd}");
        assert!((spread / sd - 1.0).abs() < 0.06, "{i}: sd {spread} for {sd}");
    }
    Ok(())
}

#[test]
fn of_many_customers_all_methods_agree_with_the_fit() -> Result<()> {
    let run = Run::new();
    let truth = [0.5, -0.4];
    for (kind, law) in [("ShiftedBetaGeo", [0.8, 4.0, 1.0]), ("BetaDiscreteWeibull", [1.5, 6.0, 1.4])] {
        let frame = simulate(law, truth, 20_000, 1).frame();
        let json = r#"{"data": "customers", "covariates": {"alpha": ["x"], "beta": ["x"]}}"#;
        let (fit, _) = Contract::fit(kind, &frame, json, &run)?;
        let effects = fit.model().effects().unwrap();
        let (drawn, _) = sample_posterior(kind, &frame, &asked(Prior::Flat, 500), &run)?;
        let (normal, _) = laplace(kind, &frame, &asked(Prior::Flat, 1000), &run)?;
        let refitting = BootstrapOptions { contract: Some(both()), replicates: 400, ..Default::default() };
        let (refits, _) = bootstrap(kind, &frame, &refitting, &run)?;
        assert_eq!((drawn.divergences(), refits.failed()), (0, 0), "{kind}");
        let table = drawn.table(&SummaryOptions::default())?;
        assert!(f64s(&table, "r_hat").iter().all(|r| *r < 1.02), "{table:?}");
        let n = fit.estimates().values.len();
        for i in 0..n + 2 {
            let value = if i < n { fit.estimates().values[i] } else { effects.coefficients()[i - n].value };
            let of = |v: f64| if i < n { v.ln() } else { v };
            assert!((of(drawn.estimate()[i]) - of(value)).abs() < 1e-6, "{kind} {i}");
            let error = effects.covariance()[i][i].sqrt();
            for (posterior, within) in [(&drawn, 0.15), (&normal, 0.06), (&refits, 0.2)] {
                let (mean, sd) = summed(posterior.draws().map(|d| of(d[i])));
                let method = posterior.method();
                assert!((sd / error - 1.0).abs() < within, "{kind} {method:?} {i}: {sd} for {error}");
                assert!((mean - of(value)).abs() < 0.4 * error, "{kind} {method:?} {i}: {mean}");
                let truth = if i < n { law[i].ln() } else { truth[i - n] };
                assert!((mean - truth).abs() < 4.0 * sd, "{kind} {i}: {mean} ± {sd} for {truth}");
            }
        }
    }
    Ok(())
}

/// Two draws or a hundred: what matters is that each customer has its own curve.
fn small(kind: &str) -> Result<Posterior> {
    let options = PosteriorOptions { chains: 2, period: Some("365d".parse()?), ..asked(Prior::Weak, 50) };
    Ok(laplace(kind, &two_groups().frame(), &options, &Run::new())?.0)
}

#[test]
fn each_customer_has_the_curves_of_its_covariates() -> Result<()> {
    let run = Run::new();
    let (mean, _) = two_groups().spread();
    for kind in KINDS {
        let posterior = small(kind)?;
        let law = posterior.parameters().len() - 2;
        let curves = |x: f64| -> Result<Vec<Curve>> {
            let own = |d: &[f64]| {
                let (a, b) = (d[0] * (-d[law] * (x - mean)).exp(), d[1] * (-d[law + 1] * (x - mean)).exp());
                Curve::new(a, b, if law == 3 { d[2] } else { 1.0 })
            };
            posterior.draws().map(own).collect()
        };
        let close = |got: f64, curves: &[Curve], of: &dyn Fn(&Curve) -> f64| {
            let want = curves.iter().map(of).sum::<f64>() / curves.len() as f64;
            assert!((got / want - 1.0).abs() < 1e-12, "{kind}: {got} for {want}");
        };
        let yearly = Rate::new(0.1, "365d".parse()?);
        for (at, x) in [(None, mean), (Some(0.0), 0.0), (Some(1.0), 1.0), (Some(2.5), 2.5)] {
            let of = curves(x)?;
            let at = at.map(|x| [("x".to_owned(), Known::Number(x))].into());
            let ask = DrawSurvivalOptions { periods: 5, at: at.clone(), ..Default::default() };
            let told = posterior.survival(&ask, &run)?;
            close(f64s(&told, "survival")[5], &of, &|c| c.survival(5));
            let ask =
                DrawValueOptions { discount: Some(yearly), horizon: Some(20), at, ..Default::default() };
            let value = posterior.value(&ask, &run)?;
            let lifetime = |c: &Curve| c.discounted_lifetime(2, 0.1, Some(20)).unwrap().unwrap();
            close(f64s(&value, "discounted_lifetime")[2], &of, &|c| c.retention(2) * lifetime(c));
        }
        let who = Columns::new()
            .with("customer", vec!["a", "b", "c"])
            .with("renewals", vec![2, 2, 5])
            .with("x", vec![1.0, 0.0, 1.0]);
        let json = r#"{"periods": 3, "discount": {"rate": 0.1, "per": "365d"}, "horizon": 20}"#;
        let told = &posterior.report("predict", Some(&who), json, &run)?[0].1;
        for (row, (x, made)) in [(1.0, 2), (0.0, 2), (1.0, 5)].into_iter().enumerate() {
            let of = curves(x)?;
            close(f64s(told, "survival")[row], &of, &|c| c.survival_of_active(made, 3));
            close(f64s(told, "churn")[row], &of, &|c| 1.0 - c.retention(made + 1));
            let lifetime = |c: &Curve| c.discounted_lifetime(made + 1, 0.1, Some(20)).unwrap().unwrap();
            close(f64s(told, "residual_value")[row], &of, &|c| c.retention(made + 1) * lifetime(c));
            let edge = |side: &str| f64s(told, &format!("survival_{side}"))[row];
            assert!(edge("low") < f64s(told, "survival")[row] && f64s(told, "survival")[row] < edge("high"));
        }
    }
    Ok(())
}

#[test]
fn without_coefficients_to_speak_of_the_draws_are_those_without_covariates() -> Result<()> {
    // A prior that holds coefficients at 0: the posterior is that of the plain model.
    let customers = two_groups();
    let held = PosteriorOptions { coefficient_sd: Some(1e-4), ..asked(Prior::Weak, 2000) };
    let plain = PosteriorOptions { contract: Some(rows(None)), ..asked(Prior::Weak, 2000) };
    for kind in KINDS {
        let (held, _) = laplace(kind, &customers.frame(), &held, &Run::new())?;
        let (plain, _) = laplace(kind, &customers.frame(), &plain, &Run::new())?;
        for i in 0..plain.parameters().len() {
            let (own, want) =
                (summed(held.draws().map(|d| d[i].ln())), summed(plain.draws().map(|d| d[i].ln())));
            assert!((own.0 - want.0).abs() < 0.08 * want.1, "{kind} {i}: {own:?} for {want:?}");
            assert!((own.1 / want.1 - 1.0).abs() < 0.06, "{kind} {i}: {own:?} for {want:?}");
        }
    }
    Ok(())
}

#[test]
fn neither_the_order_of_rows_nor_threads_nor_a_file_change_anything() -> Result<()> {
    let mut customers = two_groups();
    for i in 0..300 {
        customers.push(f64::from(1 + i % 5), i % 3 != 0, 1.0, f64::from(i % 60) / 60.0);
    }
    let mut turned = Customers::default();
    for i in (0..customers.x.len()).rev() {
        turned.push(customers.duration[i], customers.event[i], customers.weight[i], customers.x[i]);
    }
    let options = PosteriorOptions { tune: 60, chains: 2, ..asked(Prior::Weak, 30) };
    let refits = BootstrapOptions {
        contract: Some(both()),
        weight: Some("weight".into()),
        replicates: 20,
        ..Default::default()
    };
    for kind in KINDS {
        let draw = |method: Method, frame: &Columns, threads: usize| -> Result<Posterior> {
            let run = Run::new().seed(5).threads(threads);
            Ok(match method {
                Method::Nuts => sample_posterior(kind, frame, &options, &run)?.0,
                Method::Laplace => laplace(kind, frame, &options, &run)?.0,
                _ => bootstrap(kind, frame, &refits, &run)?.0,
            })
        };
        for method in [Method::Nuts, Method::Laplace, Method::Bootstrap] {
            let one = draw(method, &customers.frame(), 1)?;
            assert_eq!(one, draw(method, &turned.frame(), 2)?, "{kind} {method:?}");
            let loaded: Posterior = model::from_bytes(&model::to_bytes(&one)?)?;
            assert_eq!(one, loaded);
        }
    }
    Ok(())
}

/// Cohorts differ by what x does: draws that know it make cohorts that differ as much, others do not.
#[test]
fn the_check_sees_what_covariates_explain() -> Result<()> {
    let customers = simulate([1.0, 4.0, 1.0], [1.0, 0.0], 3000, 4);
    let month: Vec<String> = customers.x.iter().map(|x| format!("m{x}")).collect();
    let frame = customers.frame().with("cohort", month);
    let run = Run::new();
    let share = |posterior: &Posterior| -> Result<f64> {
        let options = PosteriorCheckOptions {
            contract: Some(rows(None)),
            weight: Some("weight".into()),
            ..Default::default()
        };
        let table = posterior.check(&frame, &options, &run)?.table();
        let row =
            (0..table.rows()).find(|i| table.text("statistic", *i).as_deref() == Some("between_cohorts"));
        Ok(f64s(&table, "p")[row.unwrap()])
    };
    let (told, _) = laplace("ShiftedBetaGeo", &frame, &asked(Prior::Weak, 200), &run)?;
    let plain = PosteriorOptions { contract: Some(rows(None)), ..asked(Prior::Weak, 200) };
    let (plain, _) = laplace("ShiftedBetaGeo", &frame, &plain, &run)?;
    let (told, plain) = (share(&told)?, share(&plain)?);
    assert!((0.1..0.9).contains(&told), "{told}");
    assert!(plain < 0.01, "{plain}");
    Ok(())
}

#[test]
fn what_is_wrong_is_named() -> Result<()> {
    let frame = two_groups().frame();
    let run = Run::new();
    let refused = |result: Result<()>, option: &str| match result {
        Err(Error::Option { option: found, .. }) => assert_eq!(found, option),
        other => unreachable!("{option}: {other:?}"),
    };
    let with = |covariates: &str, more: &str| {
        format!(
            r#"{{"contract": {{"data": "customers", "covariates": {covariates}}}, "weight": "weight"{more}}}"#
        )
    };
    let x = r#"{"alpha": ["x"]}"#;
    for (method, json, option) in [
        ("nuts", r#"{"covariates": {"purchase": ["x"]}}"#.to_owned(), "covariates"),
        ("laplace", with(r#"{"alpha": ["x"], "alpha_penalty": 1}"#, ""), "covariates"),
        ("laplace", with("{}", ""), "covariates"),
        ("laplace", r#"{"contract": {"covariates": {"alpha": ["x"]}}}"#.to_owned(), "covariates"),
        (
            "laplace",
            r#"{"contract": {"data": "customers"}, "coefficient_sd": 1}"#.to_owned(),
            "coefficient_sd",
        ),
        ("laplace", with(x, r#", "priors": {"beta:x": {"median": 1, "sd": 1}}"#), "priors"),
        (
            "bootstrap",
            r#"{"contract": {"data": "customers", "cohort": "plan", "covariates": {"alpha": ["x"]}}}"#
                .to_owned(),
            "covariates",
        ),
    ] {
        refused(Posterior::fit(method, "ShiftedBetaGeo", &frame, &json, &run).map(drop), option);
    }
    let posterior = small("ShiftedBetaGeo")?;
    let ask = |posterior: &Posterior, name: &str, frame: &Columns, json: &str| {
        posterior.report(name, Some(frame), json, &run).map(drop)
    };
    refused(ask(&posterior, "survival", &frame, r#"{"at": {"x": 1, "y": 2}}"#), "at");
    let plain = PosteriorOptions { contract: Some(rows(None)), ..asked(Prior::Weak, 50) };
    let (plain, _) = laplace("ShiftedBetaGeo", &frame, &plain, &run)?;
    refused(ask(&plain, "survival", &frame, r#"{"at": {"x": 1}}"#), "at");
    refused(ask(&posterior, "check", &frame, "{}"), "covariates");
    let asked = r#"{"contract": {"data": "customers", "covariates": {"alpha": ["x"]}}, "weight": "weight"}"#;
    refused(ask(&posterior, "check", &frame, asked), "covariates");
    let who = Columns::new().with("customer", vec!["a"]).with("renewals", vec![1]);
    let found = ask(&posterior, "predict", &who, "{}");
    assert!(matches!(found, Err(Error::Column { ref column, .. }) if column == "x"), "{found:?}");
    let hierarchy = headwater::clv::posterior::HierarchyOptions {
        group: "plan".into(),
        sampling: PosteriorOptions {
            contract: Some(both()),
            weight: Some("weight".into()),
            ..Default::default()
        },
        ..Default::default()
    };
    let found = headwater::clv::posterior::sample_hierarchy("ShiftedBetaGeo", &frame, &hierarchy, &run);
    refused(found.map(drop), "covariates");
    Ok(())
}

#[test]
fn what_lies_far_from_the_mean_is_finite() -> Result<()> {
    let who = Columns::new()
        .with("customer", (0..6_i64).collect::<Vec<_>>())
        .with("renewals", vec![1; 6])
        .with("x", vec![-1e150, -1e6, -40.0, 40.0, 1e6, 1e150]);
    for kind in KINDS {
        let told = &small(kind)?.report("predict", Some(&who), r#"{"horizon": 10}"#, &Run::new())?[0].1;
        for name in ["survival", "survival_low", "survival_high", "churn", "expected_lifetime"] {
            assert!(f64s(told, name).iter().all(|v| v.is_finite()), "{kind} {name}: {told:?}");
        }
    }
    Ok(())
}
