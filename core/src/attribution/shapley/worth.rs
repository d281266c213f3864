//! Games made from journeys or from a user's table.

use std::cmp::Ordering;
use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::subsets::{self, MOST};
use super::{CoalitionWorth, Missing, Shapley, Worth};
use crate::journey::Coalitions;
use crate::math::{ExactSum, Sum};
use crate::run::Run;
use crate::{Error, Result};

/// A game, in whichever form answers the questions asked of it.
pub(super) enum Game {
    /// Dividends of the sets that have one.
    Dividends(Vec<f64>),
    /// Worths of the listed sets; all others are worth 0.
    Points(Vec<Vec<u32>>, Vec<f64>),
    /// The worth of every coalition.
    Table(Vec<f64>),
    /// The rate of journeys within a coalition, for too many channels to list them.
    Sampled,
}

/// s! (n − s − 1)! / n!: what a coalition of s counts for a channel outside it.
pub(super) fn outside(s: usize, n: usize) -> f64 {
    1.0 / ((n - s) as f64 * choose(n, s))
}

/// (s − 1)! (n − s)! / n!: what a coalition of s counts for a channel in it.
fn inside(s: usize, n: usize) -> f64 {
    1.0 / (s as f64 * choose(n, s))
}

fn choose(n: usize, k: usize) -> f64 {
    let k = k.min(n - k);
    (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64)
}

/// Shapley values of worths that are 0 but for the listed sets: they are
/// linear in them, so any number of channels will do.
pub(super) fn of_points(sets: &[Vec<u32>], worths: &[f64], n: usize) -> Vec<f64> {
    let mut sums = vec![ExactSum::new(); n];
    for (set, worth) in sets.iter().zip(worths).filter(|(_, v)| **v != 0.0) {
        let s = set.len();
        let with = worth * inside(s, n);
        let without = if s < n { -worth * outside(s, n) } else { 0.0 };
        let mut members = set.iter().peekable();
        for (i, sum) in sums.iter_mut().enumerate() {
            sum.add(if members.next_if(|c| **c as usize == i).is_some() { with } else { without });
        }
    }
    sums.iter().map(ExactSum::value).collect()
}

/// Interactions of pairs where worths are 0 but for the listed sets, a set of
/// s counting (s−2)!(n−s)!/(n−1)! for pairs in it, −(s−1)!(n−s−1)!/(n−1)! for
/// pairs half in it, and s!(n−s−2)!/(n−1)! for pairs outside.
pub(super) fn interactions_of_points(sets: &[Vec<u32>], worths: &[f64], n: usize) -> Vec<f64> {
    let at = |a: usize, b: usize| a * n + b;
    let (mut none, mut one, mut both) =
        (Sum::default(), vec![Sum::default(); n], vec![Sum::default(); n * n]);
    for (set, worth) in sets.iter().zip(worths).filter(|(_, v)| **v != 0.0) {
        let s = set.len();
        // In the game without one of the pair there are n − 1 channels.
        let outer = if s + 2 <= n { worth * outside(s, n - 1) } else { 0.0 };
        let half = if s < n { -worth * inside(s, n - 1) } else { 0.0 };
        let inner = if s >= 2 { worth * inside(s - 1, n - 1) } else { 0.0 };
        none.add(outer);
        for (k, a) in set.iter().enumerate() {
            one[*a as usize].add(half - outer);
            for b in &set[k + 1..] {
                both[at(*a as usize, *b as usize)].add(inner - 2.0 * half + outer);
            }
        }
    }
    let pair = |a: usize, b: usize| {
        let mut sum = none;
        [one[a], one[b], both[at(a, b)]].into_iter().for_each(|part| sum.merge(part));
        sum.value()
    };
    (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).map(|(a, b)| pair(a, b)).collect()
}

pub(super) fn interactions_of_dividends(sets: &[Vec<u32>], dividends: &[f64], n: usize) -> Vec<f64> {
    let mut sums = vec![Sum::default(); n * n];
    for (set, d) in sets.iter().zip(dividends).filter(|(set, _)| set.len() > 1) {
        let share = d / (set.len() - 1) as f64;
        for (k, a) in set.iter().enumerate() {
            set[k + 1..].iter().for_each(|b| sums[*a as usize * n + *b as usize].add(share));
        }
    }
    (0..n).flat_map(|a| (a + 1..n).map(move |b| a * n + b)).map(|at| sums[at].value()).collect()
}

pub(super) fn index(set: &[u32]) -> usize {
    set.iter().fold(0, |mask, c| mask | 1 << c)
}

/// What a set's journeys are worth, each measure: conversions and value.
pub(super) fn rates(sets: &Coalitions, measure: usize) -> Vec<f64> {
    let of = if measure == 0 { &sets.conversions } else { &sets.value };
    let journeys = sets.conversions.iter().zip(&sets.nulls).map(|(c, n)| c + n);
    of.iter().zip(journeys).map(|(x, n)| x / n).collect()
}

impl Shapley {
    /// The game of one measure, conversions (0) or value (1).
    pub(super) fn game(
        &self,
        channels: &[String],
        sets: &Coalitions,
        measure: usize,
        run: &Run,
    ) -> Result<Game> {
        let n = channels.len();
        let of = if measure == 0 { &sets.conversions } else { &sets.value };
        let journeys: Vec<f64> = sets.conversions.iter().zip(&sets.nulls).map(|(c, n)| c + n).collect();
        match self.worth {
            Worth::Conversions => Ok(Game::Dividends(of.clone())),
            Worth::Rate if n > MOST => Ok(Game::Sampled),
            Worth::Rate => Ok(Game::Table(self.rate_table(channels, sets, of, &journeys, run)?)),
            Worth::ExactSetRate => self.listed(channels, &sets.sets, rates(sets, measure), &journeys, run),
            Worth::ExactSetConversions => self.listed(channels, &sets.sets, of.clone(), &journeys, run),
            Worth::Table => {
                let (sets, worths) = table(&self.worths, channels, measure)?;
                let alike = vec![0.0; sets.len()];
                self.listed(channels, &sets, worths, &alike, run)
            }
            Worth::JourneyRate => Err(Error::option(
                "worth",
                "the game of journey_rate is another for each journey; this is known of exact_set_rate, for all",
            )),
        }
    }

    fn rate_table(
        &self,
        channels: &[String],
        sets: &Coalitions,
        of: &[f64],
        journeys: &[f64],
        run: &Run,
    ) -> Result<Vec<f64>> {
        let size = 1 << channels.len();
        let (mut within, mut all) = (vec![0.0; size], vec![0.0; size]);
        for (s, set) in sets.sets.iter().enumerate() {
            (within[index(set)], all[index(set)]) = (of[s], journeys[s]);
        }
        subsets::zeta(&mut within, run)?;
        subsets::zeta(&mut all, run)?;
        if self.missing == Missing::Error
            && let Some(empty) = (1..size).find(|s| all[*s] == 0.0)
        {
            return Err(missing(channels, empty));
        }
        within.iter_mut().zip(&all).for_each(|(x, n)| *x = if *n > 0.0 { *x / n } else { 0.0 });
        Ok(within)
    }

    /// A game of which some coalitions are known.
    fn listed(
        &self,
        channels: &[String],
        sets: &[Vec<u32>],
        worths: Vec<f64>,
        journeys: &[f64],
        run: &Run,
    ) -> Result<Game> {
        let n = channels.len();
        if self.missing == Missing::Zero {
            return Ok(Game::Points(sets.to_vec(), worths));
        }
        if n > MOST {
            return Err(Error::option(
                "missing",
                format!(
                    "{n} channels have too many coalitions to look at each: use \"zero\", or at most {MOST} channels"
                ),
            ));
        }
        let filled = fill(n, sets.iter().map(|s| index(s)), &worths, journeys, run)?;
        match (filled.first_missing, self.missing) {
            (Some(s), Missing::Error) => Err(missing(channels, s)),
            _ => Ok(Game::Table(filled.table)),
        }
    }
}

pub(super) struct Filled {
    pub(super) table: Vec<f64>,
    pub(super) first_missing: Option<usize>,
}

/// The worth of every coalition, the missing ones from their largest known
/// subset: of equally large ones that with the most journeys, then the first.
/// Where no subset is known it is 0.
pub(super) fn fill(
    n: usize,
    sets: impl Iterator<Item = usize>,
    worths: &[f64],
    journeys: &[f64],
    run: &Run,
) -> Result<Filled> {
    let sets: Vec<usize> = sets.collect();
    let mut best: Vec<u32> = (0..sets.len() as u32).collect();
    best.sort_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        let size = |at: usize| sets[at].count_ones();
        size(b).cmp(&size(a)).then(journeys[b].total_cmp(&journeys[a])).then(by_label(sets[a], sets[b]))
    });
    let mut nearest = vec![u32::MAX; 1 << n];
    for (rank, at) in best.iter().enumerate() {
        nearest[sets[*at as usize]] = rank as u32;
    }
    let first_missing = (1..nearest.len()).find(|s| nearest[*s] == u32::MAX);
    subsets::least(&mut nearest, run)?;
    let worth = |rank: &u32| best.get(*rank as usize).map_or(0.0, |at| worths[*at as usize]);
    Ok(Filled { table: nearest.iter().map(worth).collect(), first_missing })
}

/// The order of equally large sets by their lists of channels: where they differ first, the lower goes first.
fn by_label(a: usize, b: usize) -> Ordering {
    let differ = a ^ b;
    let lowest = differ & differ.wrapping_neg();
    (b & lowest).cmp(&(a & lowest))
}

pub(super) fn missing(channels: &[String], set: usize) -> Error {
    let names: Vec<&str> =
        channels.iter().enumerate().filter(|(c, _)| set >> c & 1 == 1).map(|(_, l)| l.as_str()).collect();
    Error::not_enough_data(format!(
        "the worth of the coalition {} is not known: choose missing=\"zero\" or \"nearest_subset\"",
        names.join(" + ")
    ))
}

type Listed = (Vec<Vec<u32>>, Vec<f64>);

/// A user's table in codes, sets in order.
pub(super) fn table(worths: &[CoalitionWorth], channels: &[String], measure: usize) -> Result<Listed> {
    let code: HashMap<&str, u32, FixedState> =
        channels.iter().enumerate().map(|(c, label)| (label.as_str(), c as u32)).collect();
    let mut rows = Vec::with_capacity(worths.len());
    for row in worths {
        let mut set = Vec::with_capacity(row.channels.len());
        for label in &row.channels {
            let unknown =
                || Error::option("worths", format!("there is no channel `{label}` in the journeys"));
            set.push(*code.get(label.as_str()).ok_or_else(unknown)?);
        }
        set.sort_unstable();
        set.dedup();
        if set.len() != row.channels.len() || set.is_empty() {
            let set = row.channels.join(" + ");
            return Err(Error::option(
                "worths",
                format!("`{set}` is no set of one or more different channels"),
            ));
        }
        rows.push((set, if measure == 0 { row.worth } else { row.value.unwrap_or(row.worth) }));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(twice) = rows.windows(2).find(|w| w[0].0 == w[1].0) {
        let names: Vec<&str> = twice[0].0.iter().map(|c| channels[*c as usize].as_str()).collect();
        return Err(Error::option("worths", format!("the coalition {} is there twice", names.join(" + "))));
    }
    Ok(rows.into_iter().unzip())
}
