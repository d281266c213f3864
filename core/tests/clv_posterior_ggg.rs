//! The posterior of Pareto/GGG, whose likelihood is an integral for each customer.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::clv::posterior::{
    BootstrapOptions, DrawPredictOptions, HierarchyOptions, Posterior, PosteriorCheckOptions,
    PosteriorOptions, Prior, SummaryOptions, bootstrap, laplace, sample_hierarchy, sample_posterior,
};
use headwater::clv::{
    Covariates, History, ParetoGggModel, PurchaseOptions, Purchases, Quantity, fit_purchases,
};
use headwater::column::Columns;
use headwater::model::{from_bytes, to_bytes};
use headwater::run::Monitor;
use headwater::{Error, Result, Run};
use support::draws::Draws;

struct Customers {
    x: Vec<f64>,
    t_x: Vec<f64>,
    t: Vec<f64>,
    sums: Vec<f64>,
}

/// Customers of the law, observed for 30 to 32 periods.
fn simulate(n: usize, [t, gamma, r, alpha, s, beta]: [f64; 6]) -> Customers {
    let mut draws = Draws::new(17);
    let mut out = Customers { x: Vec::new(), t_x: Vec::new(), t: Vec::new(), sums: Vec::new() };
    for i in 0..n {
        let (k, rate) = (draws.gamma(t) / gamma, draws.gamma(r) / alpha);
        let death = draws.exponential() / (draws.gamma(s) / beta);
        let age = 30.0 + (i % 3) as f64;
        let (mut now, mut x, mut last, mut sum) = (0.0, 0.0, 0.0, 0.0);
        loop {
            let gap: f64 = draws.gamma(k) / (k * rate);
            now += gap;
            if now > death.min(age) {
                break;
            }
            (x, last, sum) = (x + 1.0, now, sum + gap.max(1e-12).ln());
        }
        out.x.push(x);
        out.t_x.push(last);
        out.t.push(age);
        out.sums.push(sum);
    }
    out
}

impl Customers {
    /// Each of them many times over.
    fn frame(&self, many: f64) -> Columns {
        Columns::new()
            .with("customer", (0..self.x.len() as i64).collect::<Vec<_>>())
            .with("frequency", self.x.clone())
            .with("recency", self.t_x.clone())
            .with("T", self.t.clone())
            .with("log_intervals", self.sums.clone())
            .with("many", vec![many; self.x.len()])
            .with("web", (0..self.x.len()).map(|i| i % 2 == 0).collect::<Vec<_>>())
    }
}

const TRUTH: [f64; 6] = [4.0, 1.3, 1.4, 6.0, 0.8, 20.0];

fn many() -> PosteriorOptions {
    PosteriorOptions { weight: Some("many".into()), ..PosteriorOptions::default() }
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

fn logs(posterior: &Posterior, at: usize) -> (f64, f64) {
    moments(&posterior.draws().map(|d| d[at].ln()).collect::<Vec<_>>())
}

#[test]
fn laplace_is_the_covariance_of_the_fit_and_refits_spread_as_far() -> Result<()> {
    let run = Run::new();
    let frame = simulate(90, TRUTH).frame(20.0);
    let options = PurchaseOptions { weight: Some("many".into()), ..PurchaseOptions::default() };
    let (fit, _) = fit_purchases("clv.ParetoGGG", &frame, &options, &run)?;
    let start = Instant::now();
    let flat = PosteriorOptions { prior: Prior::Flat, draws: 2000, ..many() };
    let (found, _) = laplace("ParetoGGG", &frame, &flat, &run)?;
    println!("laplace {:?}", start.elapsed());
    for (i, value) in fit.estimates().values.iter().enumerate() {
        let error = fit.estimates().covariance[i][i].sqrt();
        let (mean, sd) = logs(&found, i);
        assert!((found.estimate()[i] / value - 1.0).abs() < 1e-5, "{i}: {:?} for {value}", found.estimate());
        assert!(
            (mean - value.ln()).abs() < 0.06 * error && (sd / error - 1.0).abs() < 0.05,
            "{i}: {sd} {error}"
        );
    }
    let start = Instant::now();
    let refits = BootstrapOptions {
        weight: Some("many".into()),
        replicates: 4,
        tolerance: 1e-4,
        ..Default::default()
    };
    let (found, _) = bootstrap("ParetoGGG", &frame, &refits, &run)?;
    println!("bootstrap {:?}, {} failed", start.elapsed(), found.failed());
    for (i, value) in fit.estimates().values.iter().enumerate() {
        let error = fit.estimates().covariance[i][i].sqrt();
        assert!(found.draws().all(|d| (d[i] / value).ln().abs() < 6.0 * error), "{i}");
    }
    Ok(())
}

#[test]
fn the_sampler_agrees_with_laplace_where_customers_are_many() -> Result<()> {
    let run = Run::new().seed(2);
    let frame = simulate(12, TRUTH).frame(400.0);
    let start = Instant::now();
    let options = PosteriorOptions { chains: 2, draws: 120, tune: 60, ..many() };
    let (found, _) = sample_posterior("ParetoGGG", &frame, &options, &run)?;
    println!("NUTS {:?} {:?}", start.elapsed(), found.fit_table());
    let (normal, _) = laplace("ParetoGGG", &frame, &options, &run)?;
    let table = found.table(&SummaryOptions::default())?;
    assert!(table.f64s("r_hat").unwrap().iter().all(|r| *r < 1.1), "{table:?}");
    for i in 0..6 {
        let ((mean, sd), (want, width)) = (logs(&found, i), logs(&normal, i));
        assert!((mean - want).abs() < 0.6 * width, "{i}: {mean} for {want} ± {width}");
        assert!((0.65..1.6).contains(&(sd / width)), "{i}: {sd} for {width}");
    }
    Ok(())
}

#[test]
fn draws_predict_with_the_times_between_purchases() -> Result<()> {
    let run = Run::new();
    let customers = simulate(24, TRUTH);
    let frame = customers.frame(50.0);
    let (found, _) = laplace("ParetoGGG", &frame, &PosteriorOptions { chains: 1, draws: 6, ..many() }, &run)?;
    let back: Posterior = from_bytes(&to_bytes(&found)?)?;
    let options = DrawPredictOptions { periods: 8.0.into(), ..DrawPredictOptions::default() };
    let table = back.predict(&frame, &options, &run)?.table();
    let hidden = DrawPredictOptions { log_intervals: Some("nothing".into()), ..options.clone() };
    assert!(matches!(back.predict(&frame, &hidden, &run), Err(Error::Column { .. })));
    for row in [0, 3, 7, 11] {
        let history = History {
            frequency: customers.x[row] as u32,
            recency: customers.t_x[row],
            age: customers.t[row],
            log_intervals: Some(customers.sums[row]),
        };
        let each = found.draws().map(|draw| {
            let model = ParetoGggModel::from_parameters(draw.try_into().unwrap(), 1, None).unwrap();
            model.quantity(history, Quantity::Purchases { periods: 8.0 }) / 6.0
        });
        let (got, want) = (table.f64s("expected_purchases").unwrap()[row], each.sum::<f64>());
        assert!((got / want - 1.0).abs() < 1e-9, "{row}: {got} for {want}");
    }
    let options = PosteriorCheckOptions { most_draws: 3, weight: Some("many".into()), ..Default::default() };
    let checked = back.check(&frame, &options, &run)?.table();
    assert!(checked.f64s("expected").unwrap().iter().all(|v| v.is_finite()), "{checked:?}");
    Ok(())
}

#[test]
fn covariates_move_it_too() -> Result<()> {
    let run = Run::new();
    let frame = simulate(16, TRUTH).frame(50.0);
    let options = PosteriorOptions { covariates: Some(Covariates::new(["web"], [])), draws: 10, ..many() };
    let (found, _) = laplace("ParetoGGG", &frame, &options, &run)?;
    assert_eq!(found.parameters()[6], "purchase:web");
    found.predict(&frame, &DrawPredictOptions { most_draws: 3, ..Default::default() }, &run)?;
    Ok(())
}

#[test]
fn what_is_missing_is_named_and_what_is_slow_can_be_cancelled() {
    let run = Run::new();
    let customers = simulate(40, TRUTH);
    let without = Columns::new()
        .with("frequency", customers.x.clone())
        .with("recency", customers.t_x.clone())
        .with("T", customers.t.clone());
    for method in ["nuts", "laplace", "bootstrap"] {
        let error = Posterior::fit(method, "ParetoGGG", &without, "{}", &run).unwrap_err();
        assert!(matches!(&error, Error::Column { column, .. } if column == "log_intervals"), "{error}");
    }
    let error = sample_hierarchy("ParetoGGG", &without, &HierarchyOptions::default(), &run).unwrap_err();
    assert!(matches!(&error, Error::Option { option, .. } if option == "model"), "{error}");

    let monitor = Monitor::new();
    let run = Run::new().monitor(Arc::clone(&monitor));
    let stop = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(4));
        monitor.cancel();
        Instant::now()
    });
    let options = PosteriorOptions { draws: 100_000, ..many() };
    let found = sample_posterior("ParetoGGG", &customers.frame(1.0), &options, &run);
    assert!(matches!(found, Err(Error::Cancelled)), "{found:?}");
    let waited = stop.join().unwrap().elapsed();
    println!("cancelled within {waited:?}");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
}
