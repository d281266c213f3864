//! How strong a model's penalty is, chosen by what it says of customers held out.
//!
//! Customers are dealt into folds. With each of the penalties the model is
//! fitted to all folds but one, and the log-likelihood of that one is added up;
//! the penalty with the highest sum is the one, of equal ones the first.

use serde::{Deserialize, Serialize};

use super::at_least;
use crate::attribution::validate::{Folds, folds};
use crate::column::{Table, Values};
use crate::journey::Journeys;
use crate::math::{exact_sum, sum};
use crate::run::Run;
use crate::{Error, Result};

/// What is chosen from where nothing else is said.
pub(super) const PENALTIES: [f64; 4] = [0.1, 1.0, 10.0, 100.0];

/// What a penalty is chosen from, and how.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub(super) penalties: &'a [f64],
    pub(super) folds: usize,
}

/// What a fold says: its log-likelihood with each of the penalties, and the
/// journeys that it has.
pub(super) struct HeldOut {
    pub(super) log_likelihoods: Vec<f64>,
    pub(super) journeys: f64,
}

/// Each penalty that was tried, and its held-out log-likelihood a journey.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tried(Vec<[f64; 2]>);

impl Choice<'_> {
    /// An error unless these options, each given or to be chosen, can be used.
    pub(super) fn check(&self, options: &[(&str, Option<f64>)]) -> Result<()> {
        for (name, given) in options {
            given.map_or(Ok(()), |x| at_least(name, x, 0.0))?;
        }
        if !(2..=100).contains(&self.folds) {
            return Err(Error::option("folds", format!("must be 2 to 100, not {}", self.folds)));
        }
        if options.iter().all(|(_, given)| given.is_some()) {
            return Ok(());
        }
        if self.penalties.is_empty() {
            return Err(Error::option("penalties", "name at least one, for example 1.0"));
        }
        self.penalties.iter().try_for_each(|p| at_least("penalties", *p, 0.0))
    }

    /// Tries each of the penalties. `prepare` makes once what all folds need of
    /// the journeys that are dealt, `score` fits to all but one fold.
    pub(super) fn choose<D: Sync>(
        &self,
        journeys: &Journeys,
        run: &Run,
        prepare: impl FnOnce(&Journeys) -> Result<D>,
        score: impl Fn(&D, &Folds, usize) -> Result<HeldOut> + Sync + Send,
    ) -> Result<Tried> {
        let parts = folds(journeys, self.folds, run)?;
        let data = prepare(parts.journeys())?;
        let touched: Vec<bool> =
            (0..parts.journeys().len()).map(|j| !parts.journeys().path(j).is_empty()).collect();
        let conversions =
            |of: &[f64]| exact_sum(of.iter().zip(&touched).map(|(x, t)| if *t { *x } else { 0.0 }));
        let all = conversions(parts.journeys().conversions());
        let found = run.map_items(self.folds, |fold| {
            if conversions(&parts.weights(fold)[0]) >= all {
                return Err(Error::not_enough_data(format!(
                    "all conversions lie in one of the {} folds, so none are left to learn from: \
                     give the penalty, or other `folds`",
                    self.folds
                )));
            }
            score(&data, &parts, fold)
        })?;
        let n = sum(found.iter().map(|f| f.journeys));
        let tried = self.penalties.iter().enumerate().map(|(at, penalty)| {
            let score = |f: &HeldOut| f.log_likelihoods.get(at).copied().unwrap_or_default();
            [*penalty, sum(found.iter().map(score)) / n]
        });
        Ok(Tried(tried.collect()))
    }
}

impl Tried {
    fn best(&self) -> Option<[f64; 2]> {
        self.0.iter().copied().reduce(|best, t| if best[1] >= t[1] { best } else { t })
    }

    /// A penalty as it is given, or else the best of those that were tried.
    pub(super) fn or_best(&self, given: Option<f64>) -> f64 {
        given.or(self.best().map(|b| b[0])).unwrap_or_default()
    }

    /// Where any were tried, adds what those of the options are that were not
    /// given, and the score.
    pub(super) fn diagnose(&self, options: &[(&'static str, Option<f64>)], lines: &mut Vec<(&str, f64)>) {
        let Some([penalty, score]) = self.best() else { return };
        lines.extend(options.iter().filter(|o| o.1.is_none()).map(|o| (o.0, penalty)));
        lines.push(("held_out_log_likelihood", score));
    }

    /// The report `penalties`.
    pub(super) fn report(&self) -> (&'static str, Table) {
        let column = |k: usize| Values::F64(self.0.iter().map(|t| t[k]).collect());
        let table = Table::new().with("penalty", column(0)).with("held_out_log_likelihood", column(1));
        ("penalties", table)
    }

    pub(super) fn is_sound(&self) -> bool {
        self.0.iter().flatten().all(|x| x.is_finite())
    }
}
