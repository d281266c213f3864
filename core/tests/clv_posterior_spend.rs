//! Draws of the gamma-gamma model beside its fit, a grid of its posterior, simulation, and what follows for
//! customers: expected spend, lifetime value, and whether the model makes mean values like these.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;

use headwater::clv::posterior::{
    BootstrapOptions, DrawPredictOptions, DrawSurvivalOptions, LogNormal, Posterior, PosteriorCheckOptions,
    PosteriorOptions, Prior, SummaryOptions, bootstrap, laplace, sample_posterior,
};
use headwater::clv::{
    BetaGeoModel, GammaGamma, GammaGammaModel, LifetimeOptions, SpendSlices, lifetime_value,
};
use headwater::column::{Columns, Table};
use headwater::math::ln_gamma;
use headwater::{Error, Result, Run, model};
use support::draws::Draws;
use support::grid::{logs, moments};

struct Spends {
    x: Vec<f64>,
    mean: Vec<f64>,
}

impl Spends {
    fn slices(&self) -> SpendSlices<'_> {
        SpendSlices { frequency: &self.x, monetary_value: &self.mean, weight: None }
    }

    fn frame(&self) -> Columns {
        let customers: Vec<String> = (0..self.x.len()).map(|i| i.to_string()).collect();
        Columns::new()
            .with("customer", customers)
            .with("frequency", self.x.clone())
            .with("monetary_value", self.mean.clone())
    }
}

/// Customers of 0 to 5 repeat purchases.
fn simulate([p, q, v]: [f64; 3], customers: usize, seed: u64) -> Spends {
    let mut draws = Draws::new(seed);
    let x: Vec<f64> = (0..customers).map(|_| (6.0 * draws.uniform()).floor()).collect();
    let mean = x.iter().map(|x| {
        let rate = draws.gamma(q) / v;
        if *x > 0.0 { draws.gamma(p * x) / (rate * x) } else { 0.0 }
    });
    let mean = mean.collect();
    Spends { x, mean }
}

fn flat(draws: usize) -> PosteriorOptions {
    PosteriorOptions { prior: Prior::Flat, draws, ..Default::default() }
}

fn column(posterior: &Posterior, i: usize) -> (f64, f64) {
    logs(posterior.draws().map(|draw| draw[i]))
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap_or_else(|| unreachable!("{name}")).to_vec()
}

const TRUTH: [f64; 3] = [6.0, 4.0, 15.0];

#[test]
fn of_many_customers_all_methods_agree_with_the_fit() -> Result<()> {
    let (spends, run) = (simulate(TRUTH, 4000, 1), Run::new());
    let fit = GammaGamma::new().fit(&spends.slices(), &run)?;
    let frame = spends.frame();
    let (drawn, _) = sample_posterior("GammaGamma", &frame, &flat(1000), &run)?;
    let (normal, _) = laplace("clv.GammaGamma", &frame, &flat(1000), &run)?;
    let (refits, _) = bootstrap("GammaGamma", &frame, &BootstrapOptions::default(), &run)?;
    assert_eq!((drawn.divergences(), refits.failed(), drawn.len()), (0, 0, 4000));
    assert_eq!(drawn.parameters(), ["p", "q", "v"]);
    let table = drawn.table(&SummaryOptions::default())?;
    for (i, truth) in TRUTH.into_iter().enumerate() {
        assert!((drawn.estimate()[i] / fit.params()[i] - 1.0).abs() < 1e-6, "{i}: the mode is the estimate");
        assert!(f64s(&table, "r_hat")[i] < 1.01 && f64s(&table, "ess_bulk")[i] > 400.0, "{table:?}");
        let error = fit.estimates().covariance[i][i].sqrt();
        for (posterior, within) in [(&drawn, 0.15), (&normal, 0.06), (&refits, 0.15)] {
            let (mean, sd) = column(posterior, i);
            assert!((sd / error - 1.0).abs() < within, "{:?} {i}: {sd} for {error}", posterior.method());
            assert!(
                (mean - fit.params()[i].ln()).abs() < 0.3 * error,
                "{:?} {i}: {mean}",
                posterior.method()
            );
            assert!((mean - truth.ln()).abs() < 4.0 * sd, "{i}: {mean} ± {sd}");
        }
    }
    Ok(())
}

// The likelihood as the paper has it (eq. 1a of note 025), by nothing that the library computes it with but ln Γ.
#[test]
fn of_few_customers_a_grid_agrees() -> Result<()> {
    let spends = simulate(TRUTH, 40, 2);
    let bought: Vec<(f64, f64)> =
        spends.x.iter().copied().zip(spends.mean.iter().copied()).filter(|(x, _)| *x > 0.0).collect();
    let mean = bought.iter().map(|b| b.1).sum::<f64>() / bought.len() as f64;
    let believed = [("p", 5.0, 0.5), ("q", 3.0, 0.5), ("v", 0.5, 0.6)];
    let priors = believed
        .iter()
        .map(|(name, median, sd)| ((*name).to_owned(), LogNormal { median: *median, sd: *sd }));
    let options =
        PosteriorOptions { priors: priors.collect::<BTreeMap<_, _>>(), draws: 4000, ..Default::default() };
    let (drawn, _) = sample_posterior("GammaGamma", &spends.frame(), &options, &Run::new())?;
    let centre = [5.0_f64.ln(), 3.0_f64.ln(), (0.5 * mean).ln()];
    let ln_density = |at: [f64; 3]| {
        let [p, q, v] = at.map(f64::exp);
        let likelihood: f64 = bought
            .iter()
            .map(|(x, z)| {
                ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q)
                    + q * v.ln()
                    + (p * x - 1.0) * z.ln()
                    + p * x * x.ln()
                    - (p * x + q) * (v + x * z).ln()
            })
            .sum();
        let prior: f64 = (0..3).map(|i| -0.5 * ((at[i] - centre[i]) / believed[i].2).powi(2)).sum();
        likelihood + prior
    };
    let want = moments(centre, [2.0, 2.0, 2.4], 45, ln_density);
    for (i, (mean, sd)) in want.into_iter().enumerate() {
        let (got, spread) = column(&drawn, i);
        assert!((got - mean).abs() < 0.05 * sd, "{i}: mean {got} for {mean} ± {sd}");
        assert!((spread / sd - 1.0).abs() < 0.05, "{i}: sd {spread} for {sd}");
    }
    Ok(())
}

#[test]
fn threads_the_order_of_rows_and_weights_change_no_bit() -> Result<()> {
    let spends = simulate(TRUTH, 300, 3);
    let turned = |v: &[f64]| v.iter().rev().copied().collect::<Vec<f64>>();
    let back = Spends { x: turned(&spends.x), mean: turned(&spends.mean) };
    // Two of each, said twice or by weight.
    let twice = Spends {
        x: [spends.x.clone(), spends.x.clone()].concat(),
        mean: [spends.mean.clone(), spends.mean.clone()].concat(),
    };
    let heavy = spends.frame().with("many", vec![2.0; 300]);
    let draw = |frame: &Columns, weight: Option<&str>, threads: usize| -> Result<[Posterior; 3]> {
        let run = Run::new().threads(threads).seed(4);
        let weight = weight.map(str::to_owned);
        let options = PosteriorOptions { draws: 60, tune: 60, weight: weight.clone(), ..Default::default() };
        let refits = BootstrapOptions { replicates: 30, weight, ..Default::default() };
        Ok([
            sample_posterior("GammaGamma", frame, &options, &run)?.0,
            laplace("GammaGamma", frame, &options, &run)?.0,
            bootstrap("GammaGamma", frame, &refits, &run)?.0,
        ])
    };
    let first = draw(&spends.frame(), None, 1)?;
    assert_eq!(first, draw(&spends.frame(), None, 2)?);
    assert_eq!(first, draw(&back.frame(), None, 2)?);
    assert_eq!(draw(&twice.frame(), None, 1)?, draw(&heavy, Some("many"), 2)?);
    let (file, run) = (model::to_bytes(&first[0])?, Run::new());
    let loaded: Posterior = model::from_bytes(&file)?;
    let ask = |posterior: &Posterior, name: &str, threads: usize| {
        posterior.report(name, Some(&spends.frame()), "{}", &run.clone().threads(threads))
    };
    for name in ["predict", "check"] {
        assert_eq!(ask(&first[0], name, 1)?, ask(&loaded, name, 2)?);
    }
    Ok(())
}

#[test]
fn expected_spend_is_the_mean_over_the_draws() -> Result<()> {
    let (spends, run) = (simulate(TRUTH, 200, 5), Run::new());
    let options = PosteriorOptions { chains: 2, draws: 100, ..Default::default() };
    let (posterior, _) = sample_posterior("GammaGamma", &spends.frame(), &options, &run)?;
    let customers = Columns::new()
        .with("customer", vec!["new", "once", "often", "again"])
        .with("frequency", vec![0.0, 1.0, 9.0, 9.0])
        .with("monetary_value", vec![0.0, 40.0, 40.0, 40.0]);
    let asked = DrawPredictOptions { level: 0.8, ..Default::default() };
    let table = posterior.predict(&customers, &asked, &run)?.table();
    let models: Vec<GammaGammaModel> = posterior
        .draws()
        .map(|d| GammaGammaModel::from_parameters(d[0], d[1], d[2]))
        .collect::<Result<_>>()?;
    for (row, (x, m)) in [(0.0, 0.0), (1.0, 40.0), (9.0, 40.0)].into_iter().enumerate() {
        let mut each: Vec<f64> =
            models.iter().map(|m_| Ok(m_.expected_spend(x, m)?.unwrap())).collect::<Result<_>>()?;
        each.sort_by(f64::total_cmp);
        let mean = each.iter().sum::<f64>() / 200.0;
        assert!((f64s(&table, "expected_spend")[row] / mean - 1.0).abs() < 1e-13);
        let (low, high) = (f64s(&table, "expected_spend_low")[row], f64s(&table, "expected_spend_high")[row]);
        // The 10 % and 90 % quantiles of 200 draws lie between the 20th and 21st, and the 180th and 181st.
        assert!(each[19] <= low && low <= each[20] && each[179] <= high && high <= each[180]);
    }
    assert_eq!(f64s(&table, "expected_spend")[2], f64s(&table, "expected_spend")[3]);

    // Where q may be 1 or less, a new customer's spend has no mean, and what is infinite is missing.
    let heavy = PosteriorOptions {
        priors: BTreeMap::from([("q".to_owned(), LogNormal { median: 0.9, sd: 0.05 })]),
        ..options
    };
    let (posterior, _) = sample_posterior("GammaGamma", &spends.frame(), &heavy, &run)?;
    let table = posterior.predict(&customers, &asked, &run)?.table();
    let valid = table.get("expected_spend").and_then(|column| column.valid.clone());
    assert_eq!(valid, Some(vec![false, true, true, true]));
    Ok(())
}

fn histories(n: usize) -> Columns {
    let spends = simulate(TRUTH, n, 6);
    let age = |i: usize| 20.0 + (i % 7) as f64;
    let recency = |i: usize| if spends.x[i] > 0.0 { age(i) * (0.3 + 0.1 * (i % 6) as f64) } else { 0.0 };
    spends
        .frame()
        .with("recency", (0..n).map(recency).collect::<Vec<f64>>())
        .with("T", (0..n).map(age).collect::<Vec<f64>>())
        .with("channel", (0..n).map(|i| if i % 3 == 0 { "web" } else { "shop" }).collect::<Vec<_>>())
}

#[test]
fn lifetime_value_is_of_pairs_of_draws() -> Result<()> {
    let (frame, run) = (histories(150), Run::new());
    let options = PosteriorOptions { chains: 1, draws: 50, ..Default::default() };
    let (purchases, _) = laplace("BetaGeo", &frame, &options, &run)?;
    let (spend, _) = laplace("GammaGamma", &frame, &options, &run.clone().seed(9))?;
    let asked = LifetimeOptions {
        periods: 26.0.into(),
        margin: 0.3,
        discount_rate: headwater::clv::DiscountRate::PerPeriod(0.01),
        interval: Some(0.8),
        ..Default::default()
    };
    let found = purchases.lifetime_value(&spend, &frame, &asked, &run)?;
    assert_eq!(found, purchases.lifetime_value(&spend, &frame, &asked, &run.clone().threads(1))?);
    let mut values = vec![Vec::new(); 150];
    let (mut bought, mut alive) = (vec![0.0; 150], vec![0.0; 150]);
    for (a, b) in purchases.draws().zip(spend.draws()) {
        let model = BetaGeoModel::from_parameters(a[0], a[1], a[2], a[3], None)?;
        let of_spend = GammaGammaModel::from_parameters(b[0], b[1], b[2])?;
        let one = lifetime_value(
            &model,
            &of_spend,
            &frame,
            &LifetimeOptions { interval: None, ..asked.clone() },
            &run,
        )?;
        for row in 0..150 {
            values[row].push(one.lifetime_value[row].unwrap());
            bought[row] += one.expected_purchases[row] / 50.0;
            alive[row] += one.p_alive[row] / 50.0;
        }
    }
    let table = found.table();
    for row in 0..150 {
        values[row].sort_by(f64::total_cmp);
        let mean = values[row].iter().sum::<f64>() / 50.0;
        let close = |name: &str, want: f64| {
            let got = f64s(&table, name)[row];
            assert!((got / want - 1.0).abs() < 1e-12, "{name} {row}: {got} for {want}");
        };
        close("lifetime_value", mean);
        close("expected_purchases", bought[row]);
        close("p_alive", alive[row]);
        let quantile = |p: f64| {
            let at = p * 49.0;
            let (i, part) = (at as usize, at.fract());
            values[row][i] + part * (values[row][i + 1] - values[row][i])
        };
        close("lifetime_value_low", quantile(0.1));
        close("lifetime_value_high", quantile(0.9));
    }
    Ok(())
}

#[test]
fn lifetime_value_is_by_each_customers_own_covariates() -> Result<()> {
    let (frame, run) = (histories(200), Run::new());
    let covariates = headwater::clv::Covariates::new(["channel"], []);
    let of_purchases =
        PosteriorOptions { covariates: Some(covariates), chains: 1, draws: 20, ..Default::default() };
    let (purchases, _) = laplace("ParetoNBD", &frame, &of_purchases, &run)?;
    let options = PosteriorOptions { chains: 1, draws: 20, ..Default::default() };
    let (spend, _) = laplace("GammaGamma", &frame, &options, &run)?;
    let asked = LifetimeOptions { periods: 10.0.into(), ..Default::default() };
    let found = purchases.lifetime_value(&spend, &frame, &asked, &run)?;
    let ahead = DrawPredictOptions { periods: 10.0.into(), ..Default::default() };
    let predicted = purchases.predict(&frame, &ahead, &run)?.table();
    for (got, want) in found.expected_purchases.iter().zip(f64s(&predicted, "expected_purchases")) {
        assert!((got / want - 1.0).abs() < 1e-12, "{got} for {want}");
    }
    Ok(())
}

#[test]
fn mean_values_are_checked() -> Result<()> {
    let (spends, run) = (simulate(TRUTH, 800, 7), Run::new());
    let (posterior, _) = laplace("GammaGamma", &spends.frame(), &PosteriorOptions::default(), &run)?;
    let asked = PosteriorCheckOptions { most_draws: 200, ..Default::default() };
    let table = posterior.check(&spends.frame(), &asked, &run)?.table();
    let names: Vec<String> =
        (0..table.rows()).map(|i| table.text("statistic", i).unwrap().into_owned()).collect();
    assert_eq!(names, ["mean", "sd", "q10", "median", "q90", "correlation_of_logs"]);
    let bought: Vec<f64> = (0..800).filter(|i| spends.x[*i] > 0.0).map(|i| spends.mean[i]).collect();
    let mean = bought.iter().sum::<f64>() / bought.len() as f64;
    assert!((f64s(&table, "observed")[0] / mean - 1.0).abs() < 1e-12);
    for (name, p) in names.iter().zip(f64s(&table, "p")) {
        assert!((0.01..=0.99).contains(&p), "{name}: {p}");
    }
    // Who buys often buys for more: the model knows nothing of it.
    let mut more = spends;
    for (mean, x) in more.mean.iter_mut().zip(&more.x) {
        *mean *= x.max(1.0).powf(0.8);
    }
    let (posterior, _) = laplace("GammaGamma", &more.frame(), &PosteriorOptions::default(), &run)?;
    let table = posterior.check(&more.frame(), &asked, &run)?.table();
    assert_eq!(f64s(&table, "p")[5], 0.0, "{table:?}");
    Ok(())
}

#[test]
fn what_is_wrong_is_named() -> Result<()> {
    let (spends, run) = (simulate(TRUTH, 60, 8), Run::new());
    let frame = spends.frame();
    let refused = |result: Result<()>, option: &str| match result {
        Err(Error::Option { option: found, .. }) => assert_eq!(found, option),
        other => unreachable!("{option}: {other:?}"),
    };
    for (json, option) in [
        (r#"{"k": 2}"#, "k"),
        (r#"{"covariates": {"purchase": ["x"]}}"#, "covariates"),
        (r#"{"contract": {}}"#, "contract"),
        (r#"{"priors": {"alpha": {"median": 1, "sd": 1}}}"#, "priors"),
    ] {
        refused(Posterior::fit("laplace", "GammaGamma", &frame, json, &run).map(drop), option);
    }
    let (posterior, _) = laplace("GammaGamma", &frame, &PosteriorOptions::default(), &run)?;
    refused(posterior.survival(&DrawSurvivalOptions::default(), &run).map(drop), "model");
    let of_nobody = posterior.lifetime_value(&posterior, &histories(20), &LifetimeOptions::default(), &run);
    refused(of_nobody.map(drop), "model");
    let heavy = PosteriorCheckOptions { weight: Some("many".into()), ..Default::default() };
    for (many, code) in [(0.5, "HW_ROW"), (1e6, "HW_OPTION")] {
        let found = posterior.check(&spends.frame().with("many", vec![many; 60]), &heavy, &run);
        assert_eq!(found.map(drop).map_err(|e| e.code()), Err(code));
    }
    let nothing = Columns::new().with("frequency", vec![0.0, 2.0]).with("monetary_value", vec![0.0, 9.0]);
    for method in ["nuts", "laplace", "bootstrap"] {
        let found = Posterior::fit(method, "GammaGamma", &nothing, "{}", &run);
        assert!(matches!(found, Err(Error::NotEnoughData { .. })), "{method}: {found:?}");
    }
    let negative = Columns::new().with("frequency", vec![1.0, 2.0]).with("monetary_value", vec![-3.0, 9.0]);
    let found = laplace("GammaGamma", &negative, &PosteriorOptions::default(), &run);
    assert!(matches!(found, Err(Error::Row { ref column, .. }) if column == "monetary_value"), "{found:?}");
    Ok(())
}
