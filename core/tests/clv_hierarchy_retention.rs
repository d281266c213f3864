//! Partial pooling and checks of models of retention and spend: a sampler of another kind, limits, and what is told by group.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::needless_range_loop)]

mod support;

use headwater::clv::LifetimeOptions;
use headwater::clv::contract::{ContractData, ContractOptions};
use headwater::clv::posterior::{
    DrawPredictOptions, DrawSurvivalOptions, DrawValueOptions, Hierarchy, HierarchyOptions, Posterior,
    PosteriorCheckOptions, PosteriorOptions, laplace, sample_hierarchy, sample_posterior,
};
use headwater::column::{Columns, OnInvalid};
use headwater::model::{from_bytes, to_bytes};
use headwater::{Error, Result, Run, Table};
use support::draws::Draws;
use support::grid::logs;

/// Customers of several cohorts, each seen for some renewals.
#[derive(Default)]
struct Cohorts {
    label: Vec<&'static str>,
    period: Vec<f64>,
    customers: Vec<f64>,
}

impl Cohorts {
    /// P(T > t) = (1 − θ)^(t^c), θ ~ Beta(α, β).
    fn add(
        &mut self,
        label: &'static str,
        [alpha, beta, c]: [f64; 3],
        n: usize,
        periods: usize,
        draws: &mut Draws,
    ) {
        let mut left = vec![0.0; periods + 1];
        for _ in 0..n {
            let theta = draws.beta(alpha, beta);
            let end = (draws.uniform().ln() / (-theta).ln_1p()).powf(1.0 / c).floor() as usize;
            for left in &mut left[..=end.min(periods)] {
                *left += 1.0;
            }
        }
        for (period, left) in left.into_iter().enumerate() {
            self.label.push(label);
            self.period.push(period as f64);
            self.customers.push(left);
        }
    }

    fn frame(&self, column: &str) -> Columns {
        Columns::new()
            .with(column, self.label.clone())
            .with("period", self.period.clone())
            .with("customers", self.customers.clone())
    }

    fn of(&self, label: &str) -> Vec<f64> {
        (0..self.label.len()).filter(|i| self.label[*i] == label).map(|i| self.customers[i]).collect()
    }
}

fn options(group: &str, spread: f64, draws: usize) -> HierarchyOptions {
    let sampling =
        PosteriorOptions { chains: 2, draws, tune: 400, target_accept: 0.95, ..PosteriorOptions::default() };
    HierarchyOptions { group: group.into(), spread, sampling }
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap_or_else(|| unreachable!("{name}")).to_vec()
}

fn pull(at: f64, m: f64, ln_tau: f64) -> f64 {
    -0.5 * ((at - m) / ln_tau.exp()).powi(2) - ln_tau
}

/// The density, written down anew: log parameters of the groups, then m, then ln τ.
struct Density {
    survivors: Vec<Vec<f64>>,
    spread: f64,
}

impl Density {
    fn group(&self, g: usize, at: &[f64]) -> f64 {
        let (alpha, beta) = (at[0].exp(), at[1].exp());
        let pairs = self.survivors[g].windows(2).enumerate();
        pairs
            .map(|(t, pair)| {
                let leave = alpha / (alpha + beta + t as f64);
                (pair[0] - pair[1]) * leave.ln() + pair[1] * (-leave).ln_1p()
            })
            .sum()
    }

    /// Metropolis's steps, one coordinate after the other.
    fn walk(&self, sweeps: usize, seed: u64) -> Vec<Vec<f64>> {
        let groups = self.survivors.len();
        let mut draws = Draws::new(seed);
        let mut at: Vec<f64> = [0.0, 1.4].repeat(groups + 1);
        at.extend([-1.2, -1.2]);
        let (m, tau) = (2 * groups, 2 * groups + 2);
        let mut out = Vec::new();
        for sweep in 0..sweeps {
            for i in 0..at.len() {
                let scale = if i < m {
                    0.25
                } else if i < tau {
                    0.35
                } else {
                    0.9
                };
                let j = i % 2;
                let part = |at: &[f64]| -> f64 {
                    let tie = |g: usize| pull(at[2 * g + j], at[m + j], at[tau + j]);
                    if i < m {
                        return self.group(i / 2, &at[i - j..]) + tie(i / 2);
                    }
                    let ties: f64 = (0..groups).map(tie).sum();
                    // Log-normal with a standard deviation of 2; half-normal in τ, times τ for its logarithm.
                    ties + if i < tau {
                        -0.125 * at[i] * at[i]
                    } else {
                        at[i] - 0.5 * (at[i].exp() / self.spread).powi(2)
                    }
                };
                let before = part(&at);
                let old = at[i];
                // The two parameters of a group lie along each other.
                let step = scale * draws.normal();
                at[i] += step;
                if draws.uniform().ln() >= part(&at) - before {
                    at[i] = old;
                }
                if i < m && j == 1 {
                    let both = [at[i - 1], at[i]];
                    let whole = |at: &[f64]| {
                        let g = i / 2;
                        let ties = (0..2).map(|j| pull(at[2 * g + j], at[m + j], at[tau + j])).sum::<f64>();
                        self.group(g, &at[2 * g..]) + ties
                    };
                    let before = whole(&at);
                    let step = 0.5 * draws.normal();
                    at[i - 1] += step;
                    at[i] += step;
                    if draws.uniform().ln() >= whole(&at) - before {
                        [at[i - 1], at[i]] = both;
                    }
                }
            }
            if sweep >= sweeps / 10 && sweep % 5 == 0 {
                out.push(at.clone());
            }
        }
        out
    }
}

fn small() -> Cohorts {
    let (mut draws, mut out) = (Draws::new(4), Cohorts::default());
    out.add("ads", [0.9, 3.0, 1.0], 120, 6, &mut draws);
    out.add("mail", [0.7, 6.0, 1.0], 90, 8, &mut draws);
    out.add("shop", [1.0, 4.0, 1.0], 25, 4, &mut draws);
    out
}

#[test]
fn another_sampler_agrees() -> Result<()> {
    let cohorts = small();
    let (found, _) = sample_hierarchy(
        "ShiftedBetaGeo",
        &cohorts.frame("cohort"),
        &options("cohort", 0.5, 3000),
        &Run::new(),
    )?;
    assert_eq!(found.groups(), ["ads", "mail", "shop"]);
    let survivors = found.groups().iter().map(|label| cohorts.of(label)).collect();
    let walk = Density { survivors, spread: 0.5 }.walk(400_000, 5);
    let moments = |i: usize| logs(walk.iter().map(|at| at[i].exp()));
    for (g, label) in found.groups().iter().enumerate() {
        for j in 0..2 {
            let (mean, sd) = moments(2 * g + j);
            let (got, spread) = logs(found.group(label).unwrap().draws().map(|draw| draw[j]));
            assert!((got - mean).abs() < 0.1 * sd, "{label} {j}: {got} for {mean} ± {sd}");
            assert!((spread / sd - 1.0).abs() < 0.1, "{label} {j}: sd {spread} for {sd}");
        }
    }
    // A new group: about m, as far as τ says.
    let mut noise = Draws::new(8);
    for j in 0..2 {
        let (mean, sd) = logs(walk.iter().map(|at| (at[6 + j] + at[8 + j].exp() * noise.normal()).exp()));
        let (got, spread) = logs(found.new_group().draws().map(|draw| draw[j]));
        assert!((got - mean).abs() < 0.12 * sd, "new {j}: {got} for {mean} ± {sd}");
        assert!((spread / sd - 1.0).abs() < 0.12, "new {j}: sd {spread} for {sd}");
    }
    Ok(())
}

#[test]
fn without_spread_the_groups_are_one_model() -> Result<()> {
    let (mut draws, mut cohorts) = (Draws::new(6), Cohorts::default());
    for label in ["a", "b", "c"] {
        cohorts.add(label, [1.5, 6.0, 1.4], 700, 9, &mut draws);
    }
    let frame = cohorts.frame("cohort");
    for kind in ["ShiftedBetaGeo", "BetaDiscreteWeibull"] {
        let how = options("cohort", 0.002, 1000);
        let (found, _) = sample_hierarchy(kind, &frame, &how, &Run::new())?;
        let (whole, _) = sample_posterior(kind, &frame, &how.sampling, &Run::new())?;
        for i in 0..whole.parameters().len() {
            let (mean, sd) = logs(whole.draws().map(|draw| draw[i]));
            for label in found.groups() {
                let (got, spread) = logs(found.group(label).unwrap().draws().map(|draw| draw[i]));
                assert!((got - mean).abs() < 0.2 * sd, "{kind} {label} {i}: {got} for {mean} ± {sd}");
                assert!((spread / sd - 1.0).abs() < 0.2, "{kind} {label} {i}: {spread} for {sd}");
            }
        }
        let back: Hierarchy = from_bytes(&to_bytes(&found)?)?;
        assert_eq!(back, found);
    }
    Ok(())
}

#[test]
fn a_young_cohort_borrows_from_the_others() -> Result<()> {
    let (mut draws, mut cohorts) = (Draws::new(7), Cohorts::default());
    for (label, beta, n, periods) in
        [("2019", 4.0, 3000, 8), ("2020", 5.0, 3000, 7), ("2021", 3.5, 3000, 6), ("2022", 4.5, 40, 1)]
    {
        cohorts.add(label, [0.8, beta, 1.0], n, periods, &mut draws);
    }
    let frame = cohorts.frame("cohort");
    let how = options("cohort", 0.5, 600);
    let (found, _) = sample_hierarchy("ShiftedBetaGeo", &frame, &how, &Run::new())?;
    let only = Columns::new().with("period", vec![0, 1]).with("customers", cohorts.of("2022"));
    let (alone, _) = sample_posterior("ShiftedBetaGeo", &only, &how.sampling, &Run::new())?;
    let ahead = DrawSurvivalOptions { periods: 6, ..DrawSurvivalOptions::default() };
    let width = |posterior: &Posterior| -> Result<f64> {
        let table = posterior.survival(&ahead, &Run::new())?;
        Ok(f64s(&table, "survival_high")[6] - f64s(&table, "survival_low")[6])
    };
    let young = found.posterior(Some("2022"))?;
    assert!(width(young)? < 0.6 * width(&alone)?, "{} {}", width(young)?, width(&alone)?);
    // Of a large one, what it tells itself.
    let rows: Vec<f64> = cohorts.of("2019");
    let periods: Vec<i64> = (0..rows.len() as i64).collect();
    let own = Columns::new().with("period", periods).with("customers", rows);
    let (own, _) = sample_posterior("ShiftedBetaGeo", &own, &how.sampling, &Run::new())?;
    let at = |posterior: &Posterior| -> Result<f64> {
        Ok(f64s(&posterior.survival(&ahead, &Run::new())?, "survival")[6])
    };
    assert!((at(found.posterior(Some("2019"))?)? - at(&own)?).abs() < 0.01);
    let message = found.posterior(Some("1999")).unwrap_err().to_string();
    assert!(message.contains("`2019`, `2020`"), "{message}");
    Ok(())
}

#[test]
fn groups_are_told_one_below_the_other() -> Result<()> {
    let run = Run::new();
    let cohorts = small();
    let mut how = options("channel", 0.5, 100);
    how.sampling.period = Some("365d".parse()?);
    let (found, _) = sample_hierarchy("ShiftedBetaGeo", &cohorts.frame("channel"), &how, &run)?;
    let ahead = DrawSurvivalOptions { periods: 3, ..DrawSurvivalOptions::default() };
    let table = found.survival(&ahead, &run)?;
    assert_eq!(table.rows(), 4 * 4);
    assert_eq!((table.text("group", 5).as_deref(), table.text("group", 12)), (Some("mail"), None));
    let mail = found.posterior(Some("mail"))?;
    assert_eq!(f64s(&table, "survival")[4..8], f64s(&mail.survival(&ahead, &run)?, "survival")[..]);
    assert_eq!(
        f64s(&table, "survival")[12..],
        f64s(&found.new_group().survival(&ahead, &run)?, "survival")[..]
    );
    let discount = Some(headwater::clv::finance::Rate::new(0.1, "365d".parse()?));
    let asked = DrawValueOptions { discount, tenures: 1, ..DrawValueOptions::default() };
    let values = found.value(&asked, &run)?;
    assert_eq!(f64s(&values, "value")[2..4], f64s(&mail.value(&asked, &run)?, "value")[..]);
    let draws = found.draws_table();
    assert_eq!((draws.rows(), draws.text("group", 200).as_deref()), (600, Some("mail")));
    assert_eq!(f64s(&draws, "beta")[200..400], mail.draws().map(|d| d[1]).collect::<Vec<_>>()[..]);

    // Customers keep their order; of a group that nobody knows less is known; what is dropped is told once.
    let customers = Columns::new()
        .with("customer", vec!["d", "c", "b", "a"])
        .with("renewals", vec![2.0, 1.5, 2.0, 2.0])
        .with("channel", vec!["radio", "mail", "mail", "ads"]);
    let ask = DrawPredictOptions { periods: 2.0.into(), discount, ..DrawPredictOptions::default() };
    let Err(Error::Row { row, column, .. }) = found.predict(&customers, &ask, &run) else { unreachable!() };
    assert_eq!((row, column.as_str()), (1, "renewals"));
    let ask = DrawPredictOptions { on_invalid: OnInvalid::Drop, ..ask };
    let told = found.predict(&customers, &ask, &run)?;
    assert_eq!((told.dropped().rows, told.dropped().reasons[0].first_row), (1, 1));
    let table = told.table();
    let labels: Vec<_> = (0..3).map(|row| table.text("customer", row).unwrap().into_owned()).collect();
    assert_eq!(labels, ["d", "b", "a"]);
    let one = Columns::new().with("customer", vec!["b"]).with("renewals", vec![2.0]);
    let own = mail.predict(&one, &ask, &run)?.table();
    for name in ["survival", "churn_low", "residual_value", "residual_value_high"] {
        assert_eq!(f64s(&table, name)[1], f64s(&own, name)[0], "{name}");
    }
    let width = |row: usize| f64s(&table, "survival_high")[row] - f64s(&table, "survival_low")[row];
    assert!(width(0) > width(1));
    Ok(())
}

#[test]
fn rows_that_cannot_be_are_those_of_the_whole_frame() -> Result<()> {
    let frame = Columns::new()
        .with("channel", vec!["a", "b", "a", "b", "b"])
        .with("duration", vec![2.0, 1.5, 3.0, 2.5, 1.0])
        .with("event", vec![true, false, true, true, true]);
    let contract = ContractOptions { data: ContractData::Customers, ..ContractOptions::default() };
    let mut how = options("channel", 0.5, 20);
    how.sampling = PosteriorOptions { contract: Some(contract), tune: 50, ..how.sampling };
    let sample = |how: &HierarchyOptions| sample_hierarchy("ShiftedBetaGeo", &frame, how, &Run::new());
    let Err(Error::Row { column, row, count, .. }) = sample(&how) else { unreachable!() };
    assert_eq!((column.as_str(), row, count), ("duration", 1, 2));
    how.sampling.on_invalid = OnInvalid::Drop;
    let (_, dropped) = sample(&how)?;
    assert_eq!((dropped.rows, dropped.reasons[0].first_row, dropped.reasons[0].count), (2, 1, 2));
    let covariates = Some(headwater::clv::Covariates::new(["x"], []));
    how.sampling.covariates = covariates;
    assert!(sample(&how).unwrap_err().to_string().contains("covariates"));
    Ok(())
}

#[test]
fn seeds_alone_decide() -> Result<()> {
    let cohorts = small();
    let mut how = options("cohort", 0.5, 20);
    how.sampling.tune = 60;
    let sample = |threads: usize, seed: u64| {
        let run = Run::new().threads(threads).seed(seed);
        sample_hierarchy("BetaDiscreteWeibull", &cohorts.frame("cohort"), &how, &run)
    };
    let one = sample(1, 5)?.0;
    assert_eq!(sample(2, 5)?.0, one);
    assert_ne!(sample(1, 6)?.0, one);
    Ok(())
}

fn told(table: &Table, name: &str, column: &str) -> f64 {
    let row = (0..table.rows()).find(|row| table.text("statistic", *row).as_deref() == Some(name));
    f64s(table, column)[row.unwrap_or_else(|| unreachable!("{name}"))]
}

#[test]
fn replicates_lose_as_many_as_the_model_says() -> Result<()> {
    let (mut draws, mut cohorts) = (Draws::new(9), Cohorts::default());
    cohorts.add("a", [0.8, 4.0, 1.0], 3000, 9, &mut draws);
    cohorts.add("b", [0.8, 4.0, 1.0], 2000, 5, &mut draws);
    let frame = cohorts.frame("cohort");
    let how = PosteriorOptions { draws: 2000, ..PosteriorOptions::default() };
    let (posterior, _) = laplace("ShiftedBetaGeo", &frame, &how, &Run::new())?;
    let asked = PosteriorCheckOptions { most_draws: 8000, most: 4, ..PosteriorCheckOptions::default() };
    let table = posterior.check(&frame, &asked, &Run::new())?.table();
    let names: Vec<_> = (0..table.rows()).map(|r| table.text("statistic", r).unwrap().into_owned()).collect();
    assert_eq!(names, ["churn_1", "churn_2", "churn_3", "churn_4_or_later", "churn", "between_cohorts"]);
    for t in 1..4 {
        let name = format!("churn_{t}");
        let chances: Vec<f64> =
            posterior.draws().map(|d| d[0] / (d[0] + d[1] + f64::from(t) - 1.0)).collect();
        let mean = chances.iter().sum::<f64>() / chances.len() as f64;
        let spread = chances.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / chances.len() as f64;
        let (a, b) = (cohorts.of("a"), cohorts.of("b"));
        let t = t as usize;
        let met = a[t - 1] + b[t - 1];
        let lost = met - a[t] - b[t];
        let sd = (mean * (1.0 - mean) / met + spread).sqrt();
        assert!((told(&table, &name, "observed") - lost / met).abs() < 1e-15);
        assert!((told(&table, &name, "expected") - mean).abs() < 0.05 * sd, "{name}");
        let width = told(&table, &name, "high") - told(&table, &name, "low");
        assert!((width / (2.0 * 1.645 * sd) - 1.0).abs() < 0.06, "{name}: {width} for {sd}");
        let p = told(&table, &name, "p");
        assert!(p > 0.02 && p < 0.98, "{name}: {p}");
    }
    let p = told(&table, "between_cohorts", "p");
    assert!(p > 0.02 && p < 0.98, "{p}");
    // Two cohorts of different retention: all else as before.
    cohorts.add("c", [1.5, 3.0, 1.0], 2500, 6, &mut draws);
    let frame = cohorts.frame("cohort");
    let (posterior, _) = laplace("ShiftedBetaGeo", &frame, &how, &Run::new())?;
    let table = posterior.check(&frame, &asked, &Run::new())?.table();
    assert_eq!(told(&table, "between_cohorts", "p"), 0.0);
    let p = told(&table, "churn", "p");
    assert!(p > 0.02 && p < 0.98, "{p}");
    Ok(())
}

#[test]
fn a_hazard_that_rises_is_seen() -> Result<()> {
    let (mut draws, mut cohorts) = (Draws::new(10), Cohorts::default());
    cohorts.add("a", [6.0, 60.0, 1.8], 5000, 8, &mut draws);
    let frame = cohorts.frame("cohort");
    let how = PosteriorOptions { draws: 100, ..PosteriorOptions::default() };
    let asked = PosteriorCheckOptions::default();
    let check = |kind: &str, threads: usize| -> Result<Table> {
        let (posterior, _) = laplace(kind, &frame, &how, &Run::new())?;
        Ok(posterior.check(&frame, &asked, &Run::new().threads(threads))?.table())
    };
    let (plain, rising) = (check("ShiftedBetaGeo", 1)?, check("BetaDiscreteWeibull", 1)?);
    assert!(told(&plain, "churn_1", "p") > 0.99 && told(&plain, "churn_7_or_later", "p") < 0.01);
    for name in ["churn_1", "churn_4", "churn_7_or_later", "churn"] {
        let p = told(&rising, name, "p");
        assert!(p > 0.02 && p < 0.98, "{name}: {p}");
    }
    assert_eq!(check("ShiftedBetaGeo", 3)?, plain);
    // Half a customer cannot be drawn; options of other models mean nothing.
    let (posterior, _) = laplace("ShiftedBetaGeo", &frame, &how, &Run::new())?;
    let half = Columns::new().with("period", vec![0, 1]).with("customers", vec![9.5, 7.0]);
    let error = posterior.check(&half, &asked, &Run::new()).unwrap_err();
    assert!(error.to_string().contains("whole customers"), "{error}");
    Ok(())
}

#[test]
fn a_hierarchy_checks_each_group_by_itself() -> Result<()> {
    let (mut draws, mut cohorts) = (Draws::new(11), Cohorts::default());
    cohorts.add("a", [0.8, 4.0, 1.0], 2000, 8, &mut draws);
    cohorts.add("b", [1.5, 3.0, 1.0], 2000, 6, &mut draws);
    let frame = cohorts.frame("cohort");
    let (found, _) = sample_hierarchy("ShiftedBetaGeo", &frame, &options("cohort", 0.5, 200), &Run::new())?;
    let (table, dropped) = found.check(&frame, &PosteriorCheckOptions::default(), &Run::new())?;
    assert_eq!(dropped.rows, 0);
    assert_eq!(table.text("group", 0).as_deref(), Some("a"));
    assert_eq!(table.text("group", table.rows() - 1).as_deref(), Some("b"));
    let p = f64s(&table, "p");
    assert!(p.iter().all(|p| *p > 0.005 && *p < 0.995), "{p:?}");
    Ok(())
}

/// Customers of two channels with what they spent.
fn spenders() -> Columns {
    let mut draws = Draws::new(12);
    let (mut frequency, mut recency, mut age, mut money, mut channel) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for i in 0..600 {
        let (name, scale) = if i % 3 == 0 { ("shop", 60.0) } else { ("web", 30.0) };
        let x = (i % 5) as f64;
        let nu = draws.gamma(4.0) / scale;
        frequency.push(x);
        age.push(30.0 + (i % 7) as f64);
        recency.push(if x > 0.0 { 3.0 + 4.0 * x + (i % 3) as f64 } else { 0.0 });
        money.push(if x > 0.0 { draws.gamma(6.0 * x) / (x * nu) } else { 0.0 });
        channel.push(name);
    }
    Columns::new()
        .with("customer", (0..600_i64).collect::<Vec<_>>())
        .with("frequency", frequency)
        .with("recency", recency)
        .with("T", age)
        .with("monetary_value", money)
        .with("channel", channel)
}

#[test]
fn values_are_those_of_the_groups_draws() -> Result<()> {
    let run = Run::new();
    let frame = spenders();
    let mut how = options("channel", 0.5, 100);
    how.sampling.tune = 150;
    let (purchases, _) = sample_hierarchy("BetaGeo", &frame, &how, &run)?;
    let (spend, _) = sample_hierarchy("GammaGamma", &frame, &how, &run)?;
    let (shop, web) = (spend.posterior(Some("shop"))?, spend.posterior(Some("web"))?);
    let mean_spend = |posterior: &Posterior| -> Result<f64> {
        let one = Columns::new()
            .with("customer", vec!["x"])
            .with("frequency", vec![0.0])
            .with("monetary_value", vec![0.0]);
        Ok(f64s(&posterior.predict(&one, &DrawPredictOptions::default(), &run)?.table(), "expected_spend")[0])
    };
    assert!(mean_spend(shop)? > 1.5 * mean_spend(web)?);
    let asked = LifetimeOptions { periods: 12.0.into(), ..LifetimeOptions::default() };
    let table = purchases.lifetime_value(&spend, &frame, &asked, &run)?.table();
    for (label, spend) in [("shop", shop), ("web", web)] {
        let own = purchases.posterior(Some(label))?.lifetime_value(spend, &frame, &asked, &run)?.table();
        for row in (0..600).filter(|row| table.text("group", *row).as_deref() == Some(label)) {
            for name in ["lifetime_value", "lifetime_value_low", "p_alive", "expected_spend"] {
                assert_eq!(f64s(&table, name)[row], f64s(&own, name)[row], "{label} {row} {name}");
            }
        }
    }
    let refused = |error: Error| error.to_string();
    let alone = purchases.posterior(None)?;
    assert!(refused(alone.lifetime_value(&spend, &frame, &asked, &run).unwrap_err()).contains("by group"));
    how.group = "T".into();
    let (other, _) = sample_hierarchy("GammaGamma", &frame, &how, &run)?;
    let error = purchases.lifetime_value(&other, &frame, &asked, &run).unwrap_err();
    assert!(refused(error).contains("column `T`"));
    Ok(())
}

#[test]
fn spend_without_spread_is_pooled() -> Result<()> {
    let frame = spenders();
    let how = options("channel", 0.002, 600);
    let (found, _) = sample_hierarchy("GammaGamma", &frame, &how, &Run::new())?;
    let (whole, _) = sample_posterior("GammaGamma", &frame, &how.sampling, &Run::new())?;
    for i in 0..3 {
        let (mean, sd) = logs(whole.draws().map(|draw| draw[i]));
        for label in found.groups() {
            let (got, spread) = logs(found.group(label).unwrap().draws().map(|draw| draw[i]));
            assert!((got - mean).abs() < 0.25 * sd, "{label} {i}: {got} for {mean} ± {sd}");
            assert!((spread / sd - 1.0).abs() < 0.25, "{label} {i}: {spread} for {sd}");
        }
    }
    Ok(())
}
