//! Groups with covariates in common: without spread the posterior of all, simulation, files, and bad input.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod support;

use headwater::clv::Covariates;
use headwater::clv::posterior::{
    DrawPredictOptions, Hierarchy, HierarchyOptions, Posterior, PosteriorCheckOptions, PosteriorOptions,
    SummaryOptions, sample_hierarchy, sample_posterior,
};
use headwater::column::Columns;
use headwater::model::{from_bytes, to_bytes};
use headwater::{Error, Result, Run};
use support::draws::Draws;

const PURCHASE: f64 = 0.5;
const DROPOUT: f64 = -0.4;

#[derive(Default)]
struct Customers {
    frequency: Vec<f64>,
    recency: Vec<f64>,
    age: Vec<f64>,
    income: Vec<f64>,
    channel: Vec<&'static str>,
}

impl Customers {
    /// BG/NBD with r = 1.2, a = 0.8, b = 2.5 and this α at an income of 0; rows are equal often, which gradients need.
    /// Channels have rich customers or poor ones.
    fn add(&mut self, channel: &'static str, n: usize, alpha: f64, rich: f64, draws: &mut Draws) {
        for i in 0..n {
            let age = [30.0, 36.0][i % 2];
            let income = if draws.uniform() < rich { 1.0 } else { -1.0 };
            let rate = draws.gamma(1.2) / alpha * (PURCHASE * income).exp();
            let leave = draws.beta(0.8 * (DROPOUT * income).exp(), 2.5);
            let (mut x, mut last, mut t) = (0.0, 0.0, 0.0);
            loop {
                t += draws.exponential() / rate;
                if t > age {
                    break;
                }
                (x, last) = (x + 1.0, t);
                if draws.uniform() < leave {
                    break;
                }
            }
            self.frequency.push(x);
            self.recency.push(2.0 * (last / 2.0).ceil());
            self.age.push(age);
            self.income.push(income);
            self.channel.push(channel);
        }
    }

    fn turned(&self) -> Self {
        let back = |v: &[f64]| v.iter().rev().copied().collect::<Vec<f64>>();
        Self {
            frequency: back(&self.frequency),
            recency: back(&self.recency),
            age: back(&self.age),
            income: back(&self.income),
            channel: self.channel.iter().rev().copied().collect(),
        }
    }

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

fn market(size: usize) -> Customers {
    let mut draws = Draws::new(6);
    let mut out = Customers::default();
    for (channel, n, alpha, rich) in
        [("ads", 20, 6.0, 0.8), ("mail", 15, 9.0, 0.2), ("search", 18, 12.0, 0.5), ("tv", 1, 10.0, 0.9)]
    {
        out.add(channel, n * size, alpha, rich, &mut draws);
    }
    out
}

fn sampling(draws: usize) -> PosteriorOptions {
    PosteriorOptions {
        covariates: Some(Covariates::new(["income"], ["income"])),
        chains: 2,
        draws,
        tune: 300,
        target_accept: 0.9,
        ..PosteriorOptions::default()
    }
}

fn pool(kind: &str, customers: &Customers, spread: f64, sampling: PosteriorOptions) -> Result<Hierarchy> {
    let options = HierarchyOptions { group: "channel".into(), spread, sampling };
    Ok(sample_hierarchy(kind, &customers.frame(), &options, &Run::new().seed(3))?.0)
}

fn moments(posterior: &Posterior, parameter: usize) -> (f64, f64) {
    let law = posterior.parameters().len() - 2;
    let values: Vec<f64> =
        posterior.draws().map(|d| if parameter < law { d[parameter].ln() } else { d[parameter] }).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt())
}

#[test]
fn without_spread_the_groups_are_one_posterior_with_covariates() -> Result<()> {
    let customers = market(8);
    let found = pool("BetaGeo", &customers, 0.002, sampling(200))?;
    let run = Run::new().seed(3);
    let (whole, _) = sample_posterior("BetaGeo", &customers.frame(), &sampling(400), &run)?;
    assert_eq!(found.new_group().parameters(), whole.parameters());
    for parameter in 0..whole.parameters().len() {
        let (mean, sd) = moments(&whole, parameter);
        for channel in found.groups() {
            let (own, spread) = moments(found.group(channel).unwrap(), parameter);
            assert!((own - mean).abs() < 0.35 * sd, "{channel} {parameter}: {own} {mean} ± {sd}");
            assert!((spread / sd - 1.0).abs() < 0.3, "{channel} {parameter}: {spread} {sd}");
        }
    }
    Ok(())
}

/// The covariate goes with the channel, and channels differ: both are told apart.
#[test]
fn what_was_simulated_is_found_again() -> Result<()> {
    let customers = market(25);
    let asked = PosteriorOptions { tune: 200, max_depth: 6, ..sampling(150) };
    let found = pool("BetaGeo", &customers, 0.5, asked)?;
    let table = found.groups_table(&SummaryOptions::default())?;
    let r_hat = table.f64s("r_hat").unwrap();
    assert!(r_hat.iter().all(|r| *r < 1.1), "{r_hat:?}");
    assert!(found.new_group().divergences() <= 12, "{}", found.new_group().divergences());
    let names = ["r", "alpha", "a", "b", "purchase:income", "dropout:income"];
    assert_eq!(found.new_group().parameters(), names);
    for (parameter, truth) in [(4, PURCHASE), (5, DROPOUT)] {
        let (mean, sd) = moments(found.new_group(), parameter);
        assert!(sd < 0.15 && (mean - truth).abs() < 3.0 * sd, "{parameter}: {mean} ± {sd}");
        // Common to all groups, draw by draw.
        for channel in found.groups() {
            let own = found.group(channel).unwrap().draws().map(|d| d[parameter]);
            assert!(own.eq(found.new_group().draws().map(|d| d[parameter])));
        }
    }
    // Parameters are told at the mean over all customers: α there is α at 0 times e^(−γ x̄).
    let mean = customers.income.iter().sum::<f64>() / customers.income.len() as f64;
    for (channel, alpha) in [("ads", 6.0_f64), ("mail", 9.0), ("search", 12.0)] {
        let (own, sd) = moments(found.group(channel).unwrap(), 1);
        let truth = alpha.ln() - PURCHASE * mean;
        assert!((own - truth).abs() < 3.0 * sd + 0.05, "{channel}: {own} ± {sd} for {truth}");
    }
    // The population table tells coefficients once.
    let population = found.population_table(&SummaryOptions::default())?;
    let what = |row: usize| population.text("what", row).unwrap().into_owned();
    assert_eq!(
        (population.rows(), what(0), what(4), what(8)),
        (10, "centre".into(), "deviation".into(), "coefficient".into())
    );
    let (mean, _) = moments(found.new_group(), 4);
    assert!((population.f64s("mean").unwrap()[8] - mean).abs() < 1e-12);
    Ok(())
}

#[test]
fn files_threads_and_rows_change_nothing() -> Result<()> {
    let customers = market(1);
    let short = PosteriorOptions { tune: 50, max_depth: 2, ..sampling(5) };
    for kind in ["BetaGeo", "ParetoNBD"] {
        let options = HierarchyOptions { group: "channel".into(), spread: 0.5, sampling: short.clone() };
        let draw = |frame: &Columns, threads: usize| -> Result<Hierarchy> {
            Ok(sample_hierarchy(kind, frame, &options, &Run::new().threads(threads).seed(5))?.0)
        };
        let one = draw(&customers.frame(), 1)?;
        assert_eq!(draw(&customers.turned().frame(), 2)?, one, "{kind}");
        let loaded: Hierarchy = from_bytes(&to_bytes(&one)?)?;
        assert_eq!(loaded, one);
    }
    Ok(())
}

#[test]
fn each_customer_is_predicted_by_its_group_and_its_covariates() -> Result<()> {
    let (customers, run) = (market(4), Run::new());
    let short = PosteriorOptions { tune: 60, max_depth: 4, ..sampling(20) };
    let found = pool("BetaGeo", &customers, 0.5, short)?;
    let who = Columns::new()
        .with("customer", vec!["a", "b", "c", "d"])
        .with("frequency", vec![2.0; 4])
        .with("recency", vec![20.0; 4])
        .with("T", vec![30.0; 4])
        .with("income", vec![1.0, -1.0, 1.0, 1.0])
        .with("channel", vec!["search", "search", "ads", "radio"]);
    let ask = DrawPredictOptions { periods: 10.0.into(), ..DrawPredictOptions::default() };
    let expected = |table: headwater::column::Table| table.f64s("expected_purchases").unwrap().to_vec();
    let all = expected(found.predict(&who, &ask, &run)?.table());
    for (group, rows) in [(Some("search"), &[0, 1][..]), (Some("ads"), &[2]), (None, &[3])] {
        let own = expected(found.posterior(group)?.predict(&who, &ask, &run)?.table());
        rows.iter().for_each(|row| assert_eq!(own[*row], all[*row], "{group:?}"));
    }
    assert!(all[0] != all[1]);
    let (table, _) = found.check(
        &customers.frame(),
        &PosteriorCheckOptions { most_draws: 10, ..Default::default() },
        &run,
    )?;
    assert!(table.rows() > 0);
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let customers = market(2);
    let refused = |kind: &str, sampling: PosteriorOptions, frame: &Columns| {
        let options = HierarchyOptions { group: "channel".into(), spread: 0.5, sampling };
        sample_hierarchy(kind, frame, &options, &Run::new()).map(drop).unwrap_err()
    };
    let option = |error: Error| match error {
        Error::Option { option, .. } => option,
        other => unreachable!("{other:?}"),
    };
    let frame = customers.frame();
    let mut penalised = sampling(20);
    if let Some(covariates) = &mut penalised.covariates {
        covariates.purchase_penalty = 1.0;
    }
    assert_eq!(option(refused("BetaGeo", penalised, &frame)), "covariates");
    assert_eq!(option(refused("ParetoGGG", sampling(20), &frame)), "model");
    assert_eq!(option(refused("GammaGamma", sampling(20), &frame)), "covariates");
    let unknown = PosteriorOptions { covariates: Some(Covariates::new(["wealth"], [])), ..sampling(20) };
    assert!(refused("BetaGeo", unknown, &frame).to_string().contains("wealth"));
    let lost = frame.with("income", vec![f64::NAN; customers.age.len()]);
    assert!(refused("BetaGeo", sampling(20), &lost).to_string().contains("income"));
}
