//! Choosing a lookback and a half-life by what they say of customers held out.
//!
//! Given that a customer converts, a touch should tell *when*. With s(t) what
//! the touches so far count at time t — those of the last L days 1 each, or
//! each 2^(−age / h) — a customer's rate of converting is a_i (1 + ρ_i s(t)).
//! Given how often they convert, the own rate a_i drops out:
//!
//! ```text
//! L_i(ρ) = Π_conversions (1 + ρ s(t)) / ((1/T_i) ∫ (1 + ρ s(t)) dt)
//! ```
//!
//! Time runs from the customer's first touch to the end of observation. How
//! strongly touches work differs between customers, from those whom they tell
//! nothing (ρ = 0) to those who convert after touches alone (ρ = ∞): ρ_i is
//! drawn from a distribution on a grid, without any shape, whose weights are
//! fitted by EM to the other folds. (One ρ for all would be paid for by a
//! memory that is too long.) The score is the log-likelihood of the customers
//! held out, per conversion: 0 says nothing, more is better.

use serde::{Deserialize, Serialize};

use super::interval::deviation;
use super::lives::{Life, days, excluded, lives};
use crate::column::{Duration, Table, Text, Values};
use crate::journey::{Journeys, Moment};
use crate::math::{exp, exp2, ln, ln_1p};
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
    pub candidates: Option<Vec<Duration>>,
    /// How many parts the customers are split into. Default 5.
    pub folds: usize,
    /// Which candidate is chosen.
    pub rule: ChooseRule,
    /// The end of observation. Default: the last event there is.
    pub observation_end: Option<Moment>,
    /// Channels that follow what a customer is about to do anyway (branded
    /// search, direct, retargeting): their touches, which come shortly before
    /// conversions whatever they add, do not count. Default none.
    pub exclude: Vec<String>,
}

impl Default for ChooseOptions {
    fn default() -> Self {
        Self {
            candidates: None,
            folds: 5,
            rule: ChooseRule::default(),
            observation_end: None,
            exclude: Vec::new(),
        }
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
        let ages: Vec<f64> =
            life.touches().map(|i| days(journeys.times[i].saturating_sub(life.first))).collect();
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
        Self { fold, conversions: life.conversions.iter().map(|c| c.1).sum(), at, mean: exposure / life.days }
    }

    /// ln L at each point of the grid; minus infinity where it cannot be.
    fn grid(&self) -> [f64; POINTS] {
        std::array::from_fn(|g| {
            if g == POINTS - 1 {
                // ρ = ∞: conversions follow touches alone.
                let told: f64 = self.at.iter().map(|(s, n)| n * ln(*s)).sum();
                return told - self.conversions * ln(self.mean);
            }
            let rho = rho(g);
            let told: f64 = self.at.iter().map(|(s, n)| n * ln_1p(rho * s)).sum();
            told - self.conversions * ln_1p(rho * self.mean)
        })
    }
}

/// Points of ρ: 0, powers of e² from e⁻⁶ to e¹⁰, and infinity.
const POINTS: usize = 11;
/// Steps of EM: enough for the score, which a weight a little off hardly moves.
const STEPS: usize = 60;

fn rho(point: usize) -> f64 {
    if point == 0 { 0.0 } else { exp(2.0 * point as f64 - 8.0) }
}

/// One customer's likelihoods, the greatest of them being 1 and apart as its log.
struct Row {
    fold: usize,
    greatest: f64,
    likelihood: [f64; POINTS],
    /// The share of the conversions that touches explain, at each point.
    explained: [f64; POINTS],
}

impl Row {
    fn new(seen: &Seen) -> Self {
        let grid = seen.grid();
        let greatest = grid.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let share = |g: usize, s: f64| match g {
            _ if s <= 0.0 => 0.0,
            g if g == POINTS - 1 => 1.0,
            g => rho(g) * s / (1.0 + rho(g) * s),
        };
        Self {
            fold: seen.fold,
            greatest,
            likelihood: grid.map(|x| exp(x - greatest)),
            explained: std::array::from_fn(|g| seen.at.iter().map(|(s, n)| n * share(g, *s)).sum()),
        }
    }

    fn likelihood(&self, weights: &[f64; POINTS]) -> f64 {
        self.likelihood.iter().zip(weights).map(|(l, w)| l * w).sum()
    }
}

/// The distribution of ρ of all folds but one (of all, where `out` is none of them).
fn fit(rows: &[Row], out: usize, run: &Run) -> Result<[f64; POINTS]> {
    let mut weights = [1.0 / POINTS as f64; POINTS];
    for _ in 0..STEPS {
        run.check()?;
        let mut next = [0.0; POINTS];
        for row in rows.iter().filter(|r| r.fold != out) {
            let all = row.likelihood(&weights);
            for ((sum, l), w) in next.iter_mut().zip(&row.likelihood).zip(&weights) {
                *sum += l * w / all;
            }
        }
        let total: f64 = next.iter().sum();
        weights = next.map(|x| if total > 0.0 { x / total } else { 1.0 / POINTS as f64 });
    }
    Ok(weights)
}

struct Scored {
    folds: Vec<f64>,
    score: f64,
    explained: f64,
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
    let micros = |d: &f64| Duration::from_micros((d * crate::column::DAY as f64) as i64);
    let mut candidates = options.candidates.clone().unwrap_or_else(|| default.iter().map(micros).collect());
    candidates.sort_unstable();
    candidates.dedup();
    match candidates.first() {
        None => return Err(Error::option("candidates", "name at least one, for example \"7d\"")),
        Some(shortest) if shortest.micros() == 0 => {
            return Err(Error::option("candidates", "must be longer than 0, for example \"7d\""));
        }
        Some(_) => {}
    }
    let mut lives = lives(journeys, options.observation_end, &excluded(journeys, &options.exclude)?)?;
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
        let row = |life: &Life| Row::new(&Seen::new(journeys, life, fold(life), memory));
        let rows: Vec<Row> = lives.iter().map(row).collect();
        let mut folds = vec![0.0; options.folds];
        for (f, score) in folds.iter_mut().enumerate() {
            let weights = fit(&rows, f, run)?;
            let held = rows.iter().filter(|r| r.fold == f);
            *score =
                held.map(|r| r.greatest + ln(r.likelihood(&weights).max(1e-300))).sum::<f64>() / sizes[f];
        }
        let all: f64 = sizes.iter().sum();
        let score = folds.iter().zip(&sizes).map(|(s, n)| s * n).sum::<f64>() / all;
        let weights = fit(&rows, options.folds, run)?;
        let mut explained = 0.0;
        for row in &rows {
            let each = row.likelihood.iter().zip(&weights).zip(&row.explained);
            explained += each.map(|((l, w), e)| l * w * e).sum::<f64>() / row.likelihood(&weights);
        }
        run.advance(1)?;
        Ok(Scored { folds, score, explained: explained / all })
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
        ChooseRule::OneStandardError => {
            scored.iter().zip(&errors).position(|(s, e)| s.score >= scored[best].score - e).unwrap_or(best)
        }
    };
    Ok(Table::new()
        .with("candidate", Values::Text(candidates.iter().map(ToString::to_string).collect::<Text>()))
        .with("days", Values::F64(candidates.iter().map(|c| c.days()).collect()))
        .with("score", Values::F64(scored.iter().map(|s| s.score).collect()))
        .with("se", Values::F64(errors))
        .with("explained", Values::F64(scored.iter().map(|s| s.explained).collect()))
        .with("chosen", Values::Bool((0..scored.len()).map(|i| i == chosen).collect()))
        .with("note", Values::Text((0..scored.len()).map(|i| note(i, scored.len(), best, chosen)).collect())))
}

/// What to do where the best or the chosen candidate is the last on its side.
fn note(at: usize, candidates: usize, best: usize, chosen: usize) -> &'static str {
    if candidates < 2 || (at != best && at != chosen) {
        ""
    } else if at == 0 {
        "the shortest candidate: give shorter ones, or exclude channels that follow intent"
    } else if at + 1 == candidates {
        "the longest candidate: give longer ones"
    } else {
        ""
    }
}

/// Scores lookback windows: the held-out conditional log-likelihood of *when*
/// customers convert, at a rate of a·(1 + ρ · touches of the last L days) with
/// an own a and ρ for each customer.
///
/// One row a candidate, the shortest first: candidate, days, score (per
/// conversion; 0: touches tell nothing), se (of the distance to the best score,
/// over folds), explained (the share of conversions that touches explain),
/// chosen, note (where the best or the chosen candidate is the shortest or the
/// longest, so that others should be tried; else empty). All touches of a
/// customer count once, whatever the lookback of the journeys and however many
/// conversions they serve.
///
/// Errors: [`Error::Column`] for journeys from paths; [`Error::Option`] for
/// journeys that lack touches (`open` of `exclude` or `decided`, a part of
/// other journeys), and for a channel of `exclude` that is not there;
/// [`Error::NotEnoughData`] where a fold has no conversion after a touch.
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
