//! What a fitted Shapley model says of itself.

use serde::{Deserialize, Serialize};

use super::subsets::{self, MOST};
use super::worth::{self, Game};
use super::{ShapleyModel, Worth};
use crate::column::{Table, Values};
use crate::run::Run;
use crate::{Error, Result};

/// Options of the report `dividends`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DividendOptions {
    /// How many, the largest in size first. Default 100; 0 means all that are not 0.
    pub top: usize,
}

impl Default for DividendOptions {
    fn default() -> Self {
        Self { top: 100 }
    }
}

impl ShapleyModel {
    /// The Shapley values as a table: channel, shapley, shapley_value (missing
    /// where no value is known), standard_error, standard_error_value (missing
    /// unless the values were sampled).
    pub fn table(&self) -> Table {
        let values = |v: &[f64]| v.iter().map(|x| self.has_value.then_some(*x)).collect::<Vec<_>>();
        let errors = |k: usize| match &self.errors {
            Some(errors) => errors[k].iter().map(|e| (k == 0 || self.has_value).then_some(*e)).collect(),
            None => vec![None; self.channels.len()],
        };
        Table::new()
            .with("channel", Values::Text(self.channels.iter().collect()))
            .with("shapley", Values::F64(self.values.clone()))
            .with_optional("shapley_value", values(&self.values_value))
            .with_optional("standard_error", errors(0))
            .with_optional("standard_error_value", errors(1))
    }

    /// Ordered Shapley values (Zhao et al. 2018), of worth `conversions`:
    /// channel, position (of the touch in the journey, from 1), shapley,
    /// shapley_value (missing where no value is known). A channel's rows add
    /// up to its Shapley value.
    ///
    /// [`Error::Option`] for other worths, for which the paper defines none.
    pub fn positions(&self) -> Result<Table> {
        if self.shapley.worth != Worth::Conversions {
            return Err(Error::option("report", "positions are known of the worth conversions only"));
        }
        let rows = &self.positions;
        let channel = |c: u32| self.channels[c as usize].as_str();
        Ok(Table::new()
            .with("channel", Values::Text(rows.iter().map(|r| channel(r.0)).collect()))
            .with("position", Values::I64(rows.iter().map(|r| i64::from(r.1)).collect()))
            .with("shapley", Values::F64(rows.iter().map(|r| r.2).collect()))
            .with_optional("shapley_value", rows.iter().map(|r| self.has_value.then_some(r.3))))
    }

    /// The Harsanyi dividends, d(S) = Σ_{T ⊆ S} (−1)^{|S| − |T|} v(T): what a
    /// coalition earns beyond its parts. Each is shared equally by its
    /// channels, and the Shapley value is the sum of the shares. channels
    /// (joined by `" + "`), size, dividend, dividend_value (missing where no
    /// value is known); the largest dividends of either sign first.
    ///
    /// For more than 25 channels those of sets that occur, and none for the
    /// worth `rate` ([`Error::Option`]).
    pub fn dividends(&self, options: DividendOptions, run: &Run) -> Result<Table> {
        run.stage("compare coalitions", 0)?;
        self.dividends_of_sets(&self.dividend_sets(options.top, run)?, run)
    }

    /// The same of these sets, in their order.
    pub(in crate::attribution) fn dividends_of_sets(&self, sets: &[Vec<u32>], run: &Run) -> Result<Table> {
        let values = if self.has_value { Some(self.dividends_of(sets, 1, run)?) } else { None };
        let dividends = self.dividends_of(sets, 0, run)?;
        let name = |set: &Vec<u32>| {
            set.iter().map(|c| self.channels[*c as usize].as_str()).collect::<Vec<_>>().join(" + ")
        };
        Ok(Table::new()
            .with("channels", Values::Text(sets.iter().map(name).collect()))
            .with("size", Values::I64(sets.iter().map(|s| s.len() as i64).collect()))
            .with("dividend", Values::F64(dividends))
            .with_optional("dividend_value", (0..sets.len()).map(|s| values.as_ref().map(|v| v[s]))))
    }

    /// The sets with the largest dividends.
    pub(in crate::attribution) fn dividend_sets(&self, top: usize, run: &Run) -> Result<Vec<Vec<u32>>> {
        let bits = |mask: usize| -> Vec<u32> { (0..MOST as u32).filter(|c| (mask >> c) & 1 == 1).collect() };
        let mut rows: Vec<(usize, f64)> = Vec::new();
        let mut sets: Option<&[Vec<u32>]> = None;
        if let Some(table) = self.dividend_table(0, run)? {
            let mut least = 0.0;
            for (mask, d) in table.iter().enumerate().filter(|(_, d)| **d != 0.0) {
                if d.abs() >= least {
                    rows.push((mask, *d));
                }
                if top > 0 && rows.len() >= 2 * top.max(512) {
                    largest(&mut rows, top);
                    least = rows.last().map_or(0.0, |r| r.1.abs());
                }
            }
        } else {
            let found = self.dividends_of(&self.sets.sets, 0, run)?;
            rows.extend(found.into_iter().enumerate().filter(|(_, d)| *d != 0.0));
            sets = Some(&self.sets.sets);
        }
        let top = if top == 0 { rows.len() } else { top };
        largest(&mut rows, top);
        Ok(rows.into_iter().map(|(s, _)| sets.map_or_else(|| bits(s), |sets| sets[s].clone())).collect())
    }

    /// The dividends of these sets.
    fn dividends_of(&self, sets: &[Vec<u32>], measure: usize, run: &Run) -> Result<Vec<f64>> {
        if let Some(table) = self.dividend_table(measure, run)? {
            return Ok(sets.iter().map(|s| table[worth::index(s)]).collect());
        }
        let game = self.shapley.game(&self.channels, &self.sets, measure, run)?;
        run.stage("compare coalitions", sets.len() as u64)?;
        match game {
            Game::Dividends(dividends) => {
                let at = |set: &Vec<u32>| self.sets.sets.binary_search(set).map_or(0.0, |s| dividends[s]);
                Ok(sets.iter().map(at).collect())
            }
            Game::Points(known, worths) => run.map_items(sets.len(), |s| {
                run.advance(1)?;
                let within = known.iter().zip(&worths).filter(|(set, _)| is_subset(set, &sets[s]));
                let sign =
                    |set: &[u32]| if (sets[s].len() - set.len()).is_multiple_of(2) { 1.0 } else { -1.0 };
                Ok(crate::math::exact_sum(within.map(|(set, v)| sign(set) * v)))
            }),
            _ => Err(too_many(self.channels.len())),
        }
    }

    /// The dividends of every coalition, where there are few enough and they
    /// are not there for the asking.
    fn dividend_table(&self, measure: usize, run: &Run) -> Result<Option<Vec<f64>>> {
        let n = self.channels.len();
        let mut table = match self.shapley.game(&self.channels, &self.sets, measure, run)? {
            Game::Table(table) => table,
            Game::Points(sets, worths) if n <= MOST => {
                let mut table = vec![0.0; 1 << n];
                sets.iter().zip(worths).for_each(|(set, worth)| table[worth::index(set)] = worth);
                table
            }
            _ => return Ok(None),
        };
        subsets::dividends(&mut table, run)?;
        Ok(Some(table))
    }

    /// How much each pair of channels brings together beyond what each brings
    /// alone: the Shapley interaction index (Grabisch & Roubens 1999),
    /// Σ_{S ∌ a, b} |S|! (n − |S| − 2)! / (n − 1)! · (v(S+a+b) + v(S) − v(S+a) −
    /// v(S+b)). channel, other, synergy, synergy_value (missing where no value
    /// is known); negative where they stand in for each other.
    ///
    /// [`Error::Option`] for the worth `rate` with more than 25 channels, and
    /// for `journey_rate`.
    pub fn synergies(&self, run: &Run) -> Result<Table> {
        let n = self.channels.len();
        run.stage("compare pairs", 0)?;
        let of = |measure: usize| match self.shapley.game(&self.channels, &self.sets, measure, run)? {
            Game::Dividends(d) => Ok(worth::interactions_of_dividends(&self.sets.sets, &d, n)),
            Game::Points(sets, worths) => Ok(worth::interactions_of_points(&sets, &worths, n)),
            Game::Table(mut table) => {
                subsets::dividends(&mut table, run)?;
                subsets::interactions(&table, n, run)
            }
            Game::Sampled => Err(too_many(n)),
        };
        let synergies = of(0)?;
        let values = if self.has_value { Some(of(1)?) } else { None };
        let pairs = || (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
        let label = |c: usize| self.channels[c].as_str();
        let rows = synergies.len();
        Ok(Table::new()
            .with("channel", Values::Text(pairs().map(|(a, _)| label(a)).collect()))
            .with("other", Values::Text(pairs().map(|(_, b)| label(b)).collect()))
            .with("synergy", Values::F64(synergies))
            .with_optional("synergy_value", (0..rows).map(|p| values.as_ref().map(|v| v[p]))))
    }
}

fn largest(rows: &mut Vec<(usize, f64)>, top: usize) {
    rows.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
    rows.truncate(top);
}

fn is_subset(set: &[u32], of: &[u32]) -> bool {
    set.iter().all(|c| of.binary_search(c).is_ok())
}

fn too_many(channels: usize) -> Error {
    Error::option(
        "worth",
        format!(
            "the coalitions of {channels} channels are too many to look at each: at most {MOST} for the worth rate"
        ),
    )
}
