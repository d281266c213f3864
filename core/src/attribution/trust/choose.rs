//! Choosing a lookback and a half-life by what they say of customers held out.
//!
//! Given that a customer converts, a touch should tell *when*. With s(t) what
//! the touches so far count at time t — those of the last L days 1 each, or
//! each 2^(−age / h) — a customer's rate of converting is taken as
//! a·(1 + ρ s(t)) with an own a. Given how often they convert, a drops out, and
//! with it all differences between customers:
//!
//! ```text
//! log-likelihood(ρ) = Σ_conversions ln(1 + ρ s(t)) − Σ_customers n_i ln((1/T_i) ∫ (1 + ρ s(t)) dt)
//! ```
//!
//! Time runs from the customer's first touch to the end of observation. ρ is
//! fitted to the other folds; the score is the log-likelihood of the customers
//! held out, per conversion: 0 says nothing, more is better.

use serde::{Deserialize, Serialize};

use super::interval::deviation;
use super::lives::{Life, days, lives};
use crate::column::{Duration, Table, Text, Values};
use crate::journey::{Journeys, Moment};
use crate::math::{exp, exp2, ln_1p};
use crate::run::{Run, split_mix};
use crate::{Error, Result};

/// Which candidate is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChooseRule {
    /// The best score. The default.
    #[default]
    Best,
    /// The shortest whose score is within one standard error of the best.
    OneStandardError,
}

/// Options of [`choose_lookback`] and [`choose_half_life`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChooseOptions {
    /// The candidates. Default: lookbacks of 1, 3, 7, 14, 30, 60 and 90 days;
    /// half-lives of 0.5, 1, 2, 4, 7, 14 and 30 days.
    pub candidates: Vec<Duration>,
    /// How many parts the customers are split into. Default 5.
    pub folds: usize,
    /// Which candidate is chosen.
    pub rule: ChooseRule,
    /// The end of observation. Default: the last event there is.
    pub observation_end: Option<Moment>,
}

impl Default for ChooseOptions {
    fn default() -> Self {
        Self { candidates: Vec::new(), folds: 5, rule: ChooseRule::default(), observation_end: None }
    }
}

/// What a touch counts at an age, in days.
#[derive(Clone, Copy)]
enum Memory {
    Window(f64),
    HalfLife(f64),
}

impl Memory {
    /// ∫ of it from 0 to an age.
    fn integral(self, age: f64) -> f64 {
        match self {
            Self::Window(window) => age.min(window),
            Self::HalfLife(h) => h / std::f64::consts::LN_2 * (1.0 - exp2(-age / h)),
        }
    }
}

/// Conversions of one customer: what touches counted at each, and on average over time.
struct Seen {
    fold: usize,
    at: Vec<(f64, f64)>,
    conversions: f64,
    mean: f64,
}

impl Seen {
    fn new(journeys: &Journeys, life: &Life, fold: usize, memory: Memory) -> Self {
        let ages: Vec<f64> = journeys.times[life.touches.clone()]
            .iter()
            .map(|t| days(t.saturating_sub(life.first)))
            .collect();
        let mut at = Vec::with_capacity(life.conversions.len());
        // Touches in [from, to) count; `sum` is their weight at the time `now`.
        let (mut from, mut to, mut sum, mut now) = (0, 0, 0.0, 0.0);
        for (time, count) in &life.conversions {
            match memory {
                Memory::Window(window) => {
                    while to < ages.len() && ages[to] <= *time {
                        to += 1;
                    }
                    while from < to && time - ages[from] >= window {
                        from += 1;
                    }
                    sum = (to - from) as f64;
                }
                Memory::HalfLife(h) => {
                    while to < ages.len() && ages[to] <= *time {
                        sum = sum * exp2((now - ages[to]) / h) + 1.0;
                        now = ages[to];
                        to += 1;
                    }
                    sum *= exp2((now - time) / h);
                    now = *time;
                }
            }
            at.push((sum, *count));
        }
        let exposure: f64 = ages.iter().map(|a| memory.integral((life.days - a).max(0.0))).sum();
        Self {
            fold,
            conversions: life.conversions.iter().map(|c| c.1).sum(),
            at,
            mean: exposure / life.days,
        }
    }

    fn log_likelihood(&self, rho: f64) -> f64 {
        let told: f64 = self.at.iter().map(|(s, n)| n * ln_1p(rho * s)).sum();
        told - self.conversions * ln_1p(rho * self.mean)
    }
}

/// The log-likelihood of each fold.
fn by_fold(seen: &[Seen], folds: usize, rho: f64) -> Vec<f64> {
    let mut sums = vec![0.0; folds];
    for customer in seen {
        sums[customer.fold] += customer.log_likelihood(rho);
    }
    sums
}

/// ln ρ that is looked at first, and how far apart.
const GRID: (f64, f64, usize) = (-6.0, 1.0, 17);

/// The best ρ for all folds but one (for all, where `out` is none of them).
fn fit(seen: &[Seen], grid: &[Vec<f64>], out: usize) -> f64 {
    let kept = |sums: &Vec<f64>| -> f64 {
        sums.iter().enumerate().filter(|(f, _)| *f != out).map(|(_, x)| x).sum()
    };
    let value = |u: f64| {
        let rho = exp(u);
        seen.iter().filter(|s| s.fold != out).map(|s| s.log_likelihood(rho)).sum::<f64>()
    };
    let (first, step, _) = GRID;
    let mut best = 0;
    for (at, sums) in grid.iter().enumerate() {
        if kept(sums) > kept(&grid[best]) {
            best = at;
        }
    }
    if kept(&grid[best]) <= 0.0 && best == 0 {
        return 0.0; // touches tell nothing
    }
    let centre = first + step * best as f64;
    let (mut low, mut high) = (centre - step, centre + step);
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (value(a), value(b));
    for _ in 0..20 {
        if at_a >= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = value(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = value(b);
        }
    }
    exp(f64::midpoint(low, high))
}

struct Scored {
    folds: Vec<f64>,
    score: f64,
    rho: f64,
}

fn choose(
    journeys: &Journeys,
    options: &ChooseOptions,
    default: &[f64],
    memory: fn(f64) -> Memory,
    run: &Run,
) -> Result<Table> {
    if !(2..=1_000).contains(&options.folds) {
        return Err(Error::option("folds", format!("must be 2 to 1000, not {}", options.folds)));
    }
    let mut candidates = options.candidates.clone();
    if candidates.is_empty() {
        let micros = |d: &f64| Duration::from_micros((d * crate::column::DAY as f64) as i64);
        candidates = default.iter().map(micros).collect();
    }
    candidates.sort_unstable();
    candidates.dedup();
    if candidates[0].micros() == 0 {
        return Err(Error::option("candidates", "must be longer than 0, for example \"7d\""));
    }
    let mut lives = lives(journeys, options.observation_end)?;
    lives.retain(|l| l.days > 0.0 && !l.conversions.is_empty());
    let fold = |life: &Life| (split_mix(life.key ^ run.seed_value()) % options.folds as u64) as usize;
    let mut sizes = vec![0.0; options.folds];
    for life in &lives {
        sizes[fold(life)] += life.conversions.iter().map(|c| c.1).sum::<f64>();
    }
    if sizes.contains(&0.0) {
        return Err(Error::not_enough_data(format!(
            "{} customers converted after a touch, too few for {} folds: lower `folds`, or give more data",
            lives.len(),
            options.folds
        )));
    }
    run.stage("score candidates", candidates.len() as u64)?;
    let scored = run.map_items(candidates.len(), |c| {
        let memory = memory(candidates[c].days());
        let seen: Vec<Seen> = lives.iter().map(|l| Seen::new(journeys, l, fold(l), memory)).collect();
        let (first, step, count) = GRID;
        let mut grid = Vec::with_capacity(count);
        for i in 0..count {
            run.check()?;
            grid.push(by_fold(&seen, options.folds, exp(first + step * i as f64)));
        }
        let mut folds = Vec::with_capacity(options.folds);
        for (f, size) in sizes.iter().enumerate() {
            run.check()?;
            let rho = fit(&seen, &grid, f);
            folds.push(by_fold(&seen, options.folds, rho)[f] / size);
        }
        let all: f64 = sizes.iter().sum();
        let score = folds.iter().zip(&sizes).map(|(s, n)| s * n).sum::<f64>() / all;
        run.advance(1)?;
        Ok(Scored { folds, score, rho: fit(&seen, &grid, options.folds) })
    })?;
    let mut best = 0;
    for (at, s) in scored.iter().enumerate() {
        if s.score > scored[best].score {
            best = at;
        }
    }
    // The error of the distance to the best: what all share in a fold cancels.
    let error = |s: &Scored| {
        let apart: Vec<f64> = s.folds.iter().zip(&scored[best].folds).map(|(a, b)| a - b).collect();
        deviation(&apart) / (apart.len() as f64).sqrt()
    };
    let errors: Vec<f64> = scored.iter().map(error).collect();
    let chosen = match options.rule {
        ChooseRule::Best => best,
        ChooseRule::OneStandardError => scored
            .iter()
            .zip(&errors)
            .position(|(s, e)| s.score >= scored[best].score - e)
            .unwrap_or(best),
    };
    Ok(Table::new()
        .with("candidate", Values::Text(candidates.iter().map(ToString::to_string).collect::<Text>()))
        .with("days", Values::F64(candidates.iter().map(|c| c.days()).collect()))
        .with("score", Values::F64(scored.iter().map(|s| s.score).collect()))
        .with("se", Values::F64(errors))
        .with("effect", Values::F64(scored.iter().map(|s| s.rho).collect()))
        .with("chosen", Values::Bool((0..scored.len()).map(|i| i == chosen).collect())))
}

/// Scores lookback windows: the held-out conditional log-likelihood of *when*
/// customers convert, at a rate of a·(1 + ρ · touches of the last L days) with
/// an own a for each customer.
///
/// One row a candidate, the shortest first: candidate, days, score (per
/// conversion; 0: touches tell nothing), se (of the distance to the best score,
/// over folds), effect (ρ: by how much of a customer's own rate a touch raises
/// it), chosen. All touches of a customer count, whatever the lookback of the
/// journeys, so build these with `open = "include"`.
///
/// Errors: [`Error::Column`] for journeys from paths, [`Error::NotEnoughData`]
/// where a fold has no conversion after a touch.
pub fn choose_lookback(journeys: &Journeys, options: &ChooseOptions, run: &Run) -> Result<Table> {
    choose(journeys, options, &[1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0], Memory::Window, run)
}

/// Scores half-lives as [`choose_lookback`] does windows, each touch counting
/// 2^(−age / h): the model under which time decay is the right credit for what
/// touches add.
pub fn choose_half_life(journeys: &Journeys, options: &ChooseOptions, run: &Run) -> Result<Table> {
    choose(journeys, options, &[0.5, 1.0, 2.0, 4.0, 7.0, 14.0, 30.0], Memory::HalfLife, run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integral_is_that_of_the_weight() {
        for memory in [Memory::Window(3.0), Memory::HalfLife(2.0)] {
            let weight = |age: f64| match memory {
                Memory::Window(w) => f64::from(age < w),
                Memory::HalfLife(h) => exp2(-age / h),
            };
            let n = 100_000;
            let sum: f64 = (0..n).map(|i| weight((f64::from(i) + 0.5) * 5.0 / f64::from(n))).sum();
            assert!((memory.integral(5.0) - sum * 5.0 / f64::from(n)).abs() < 1e-4);
        }
    }
}
