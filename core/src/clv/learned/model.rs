//! The fitted model: what it says of itself.

use serde::{Deserialize, Serialize};

use super::super::design::{Matrix, Terms};
use super::super::estimates::Verdict;
use super::super::regression::level_quantile;
use super::super::survival::SummaryOptions;
use super::boosted::{self, Boosted, importance};
use super::data::Data;
use super::linear::{self, Linear};
use super::predict::predict;
use super::score::score;
use super::{HEADS, Learner, NAME, PredictOptions, ScoreOptions, Sigma, ZeroInflatedLognormal};
use crate::column::{Columns, Dropped, Table, Tables, Text, Values};
use crate::math::{erfc, ln};
use crate::model::Model;
use crate::options::parse;
use crate::{Error, Result, Run};

/// What learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Learned {
    Linear(Linear),
    Boosted(Boosted),
}

/// A fitted [`ZeroInflatedLognormal`]; saved as `clv.ZeroInflatedLognormal`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroInflatedLognormalModel {
    parameters: ZeroInflatedLognormal,
    terms: Terms,
    learned: Learned,
    customers: f64,
    buyers: f64,
    log_likelihood: f64,
    null_log_likelihood: f64,
    verdict: Verdict,
}

impl ZeroInflatedLognormal {
    /// Fits the model; rows dropped under `on_invalid="drop"` are returned beside it.
    ///
    /// Penalties and numbers of trees are chosen on folds that depend on the run's seed. The
    /// verdict is `boundary` where everybody bought, so that p = 1.
    ///
    /// # Errors
    /// `Column` for columns that are missing, or (linear) constant or combinations of
    /// others; `Row` for bad values; `NotEnoughData` where nobody bought or all amounts are the
    /// same; `NotConverged`, for example where a level has a single buyer, whose σ runs to 0.
    pub fn fit(&self, frame: &Columns, run: &Run) -> Result<(ZeroInflatedLognormalModel, Dropped)> {
        self.check()?;
        let mut data = Data::read(self, frame, run)?;
        let (learned, log_likelihood, verdict) = match self.learner {
            Learner::Linear => {
                let (linear, value, verdict) = linear::fit(self, &mut data, run)?;
                (Learned::Linear(linear), value, verdict)
            }
            Learner::Boosted => {
                let (boosted, value, verdict) = boosted::fit(self, &data, run)?;
                (Learned::Boosted(boosted), value, verdict)
            }
        };
        let model = ZeroInflatedLognormalModel {
            parameters: self.clone(),
            null_log_likelihood: data.null_log_likelihood(),
            terms: data.terms,
            learned,
            customers: data.customers,
            buyers: data.buyers,
            log_likelihood,
            verdict,
        };
        Ok((model, data.dropped))
    }
}

impl Model for ZeroInflatedLognormalModel {
    const KIND: &'static str = NAME;

    fn check(&self) -> Result<()> {
        self.parameters.check()?;
        self.terms.check()?;
        match (&self.learned, self.parameters.learner) {
            (Learned::Linear(linear), Learner::Linear) => linear.check(&self.terms)?,
            (Learned::Boosted(boosted), Learner::Boosted) => boosted.check(self.terms.size())?,
            _ => {
                return Err(Error::model_file(
                    "its learner is not that of its options; fit and save it again",
                ));
            }
        }
        let numbers = [self.customers, self.buyers, self.log_likelihood, self.null_log_likelihood];
        if numbers.iter().all(|x| x.is_finite()) && self.buyers > 0.0 && self.customers >= self.buyers {
            Ok(())
        } else {
            Err(Error::model_file("its counts are no numbers of customers; fit and save the model again"))
        }
    }
}

impl ZeroInflatedLognormalModel {
    /// The roles and options of the fit.
    pub fn parameters(&self) -> &ZeroInflatedLognormal {
        &self.parameters
    }

    /// The log-likelihood of the fitted customers, without the penalty.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Whether this is an ordinary maximum.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// η = logit p, μ and ln σ of every row.
    pub(super) fn predictors(&self, matrix: &Matrix, run: &Run) -> Result<Vec<[f64; 3]>> {
        match &self.learned {
            Learned::Linear(linear) => Ok(linear.predict(&self.terms, matrix)),
            Learned::Boosted(boosted) => {
                let part = |rows: std::ops::Range<usize>| {
                    Ok(rows.map(|i| boosted.predict(matrix.row(i))).collect::<Vec<_>>())
                };
                Ok(run.map_chunks("predict", matrix.rows, part)?.concat())
            }
        }
    }

    /// Predictions for a frame: see [`PredictOptions`].
    pub fn predict(&self, frame: &Columns, options: &PredictOptions, run: &Run) -> Result<Tables> {
        predict(self, frame, options, run)
    }

    /// Predictions beside what was spent, best of customers that the model was not fitted
    /// on: see [`ScoreOptions`].
    pub fn score(&self, frame: &Columns, options: &ScoreOptions, run: &Run) -> Result<Tables> {
        score(self, frame, options, run)
    }

    /// The coefficients of the linear learner; none of trees. One row for each of each head:
    /// parameter (`head.covariate`), head, covariate, reference, estimate, standard_error, z,
    /// p_value, low, high, penalty.
    ///
    /// A unit of a covariate multiplies the odds of buying, the median amount of buyers, and σ, by
    /// e to the coefficient. Errors are of the penalised likelihood: with a penalty they are
    /// smaller than the uncertainty about the coefficients, which the penalty pulls to 0.
    pub fn coefficients(&self, level: f64) -> Result<Table> {
        let width = level_quantile(level)?;
        let names = self.terms.names();
        let references = self.terms.references();
        let (mut head_of, mut covariate, mut reference) = (Vec::new(), Vec::new(), Vec::new());
        let (mut estimate, mut error, mut penalty) = (Vec::new(), Vec::new(), Vec::new());
        if let Learned::Linear(linear) = &self.learned {
            for (at, head) in linear.heads.iter().enumerate() {
                let constant = at == 2 && self.parameters.sigma == Sigma::Constant;
                let slopes = if constant { 0 } else { names.len() };
                for (k, value) in head.slopes.iter().enumerate().take(slopes) {
                    covariate.push(names[k].as_str());
                    reference.push(references[k]);
                    estimate.push(*value);
                    error.push(head.errors[k]);
                    penalty.push(Some(head.penalty));
                }
                covariate.push("intercept");
                reference.push("");
                estimate.push(head.intercept);
                error.push(head.errors[names.len()]);
                penalty.push(None);
                head_of.resize(estimate.len(), HEADS[at]);
            }
        }
        let each = |f: &dyn Fn(f64, f64) -> f64| -> Vec<Option<f64>> {
            estimate.iter().zip(&error).map(|(v, e)| e.map(|e| f(*v, e))).collect()
        };
        let full = head_of.iter().zip(&covariate).map(|(h, c)| format!("{h}.{c}"));
        Ok(Table::new()
            .with("parameter", Values::Text(full.collect::<Text>()))
            .with("head", Values::Text(head_of.iter().collect::<Text>()))
            .with("covariate", Values::Text(covariate.iter().collect::<Text>()))
            .with("reference", Values::Text(reference.iter().collect::<Text>()))
            .with("estimate", Values::F64(estimate.clone()))
            .with_optional("standard_error", error.iter().copied())
            .with_optional("z", each(&|v, e| v / e))
            .with_optional("p_value", each(&|v, e| erfc((v / e).abs() * std::f64::consts::FRAC_1_SQRT_2)))
            .with_optional("low", each(&|v, e| v - width * e))
            .with_optional("high", each(&|v, e| v + width * e))
            .with_optional("penalty", penalty))
    }

    /// What the trees of the boosted learner split on; empty for a linear one. One row for each
    /// covariate of each head: head, covariate, gain (the share in what the splits of the head took off its
    /// loss), splits.
    pub fn importance(&self) -> Table {
        let (mut head_of, mut covariate, mut share, mut count) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        if let Learned::Boosted(boosted) = &self.learned {
            for (at, head) in boosted.heads.iter().enumerate() {
                let (gain, splits) = importance(head, self.terms.size());
                let total: f64 = gain.iter().sum();
                let mut from = 0;
                for term in self.terms.covariates() {
                    let own = from..from + term.size();
                    from = own.end;
                    head_of.push(HEADS[at]);
                    covariate.push(term.name());
                    share.push(if total > 0.0 { gain[own.clone()].iter().sum::<f64>() / total } else { 0.0 });
                    count.push(splits[own].iter().sum::<u64>() as i64);
                }
            }
        }
        Table::new()
            .with("head", Values::Text(head_of.iter().collect::<Text>()))
            .with("covariate", Values::Text(covariate.iter().collect::<Text>()))
            .with("gain", Values::F64(share))
            .with("splits", Values::I64(count))
    }

    /// How the penalties (linear) or the numbers of trees (boosted) were chosen: head, penalty or
    /// trees, held_out (the log-likelihood a customer of the folds held out; of a buyer for `mu` and
    /// `log_sigma`), chosen.
    pub fn tuning(&self) -> Table {
        let (mut head, mut tried, mut held, mut chosen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let name = match &self.learned {
            Learned::Linear(linear) => {
                for t in &linear.tried {
                    head.push(HEADS[t.head as usize]);
                    tried.push(t.penalty);
                    held.push(t.held_out);
                    chosen.push(linear.heads[t.head as usize].penalty == t.penalty);
                }
                "penalty"
            }
            Learned::Boosted(boosted) => {
                for (at, ensemble) in boosted.heads.iter().enumerate() {
                    head.push(HEADS[at]);
                    tried.push(ensemble.trees.len() as f64);
                    held.push(boosted.held_out[at.min(1)]);
                    chosen.push(true);
                }
                "trees"
            }
        };
        Table::new()
            .with("head", Values::Text(head.iter().collect::<Text>()))
            .with(name, Values::F64(tried))
            .with_optional("held_out", held)
            .with("chosen", Values::Bool(chosen))
    }

    /// One row on the fit: log_likelihood, null_log_likelihood (of one distribution for all),
    /// customers, buyers, learner, horizon, and for a linear learner parameters, iterations, aic and bic
    /// (by the number of customers); verdict.
    pub fn fit_table(&self) -> Table {
        let counts = match &self.learned {
            Learned::Linear(linear) => Some((linear.parameters as f64, linear.iterations as f64)),
            Learned::Boosted(_) => None,
        };
        let k = counts.map(|c| c.0);
        let learner = match self.parameters.learner {
            Learner::Linear => "linear",
            Learner::Boosted => "boosted",
        };
        let horizon = self.parameters.horizon.map(|h| h.to_string());
        let one = |text: &str| Values::Text([text].into_iter().collect::<Text>());
        Table::new()
            .with("log_likelihood", Values::F64(vec![self.log_likelihood]))
            .with("null_log_likelihood", Values::F64(vec![self.null_log_likelihood]))
            .with("customers", Values::F64(vec![self.customers]))
            .with("buyers", Values::F64(vec![self.buyers]))
            .with("learner", one(learner))
            .push("horizon", one(horizon.as_deref().unwrap_or_default()), Some(vec![horizon.is_some()]))
            .with_optional("parameters", [k])
            .with_optional("iterations", [counts.map(|c| c.1)])
            .with_optional("aic", [k.map(|k| 2.0 * k - 2.0 * self.log_likelihood)])
            .with_optional("bic", [k.map(|k| k * ln(self.customers) - 2.0 * self.log_likelihood)])
            .with("verdict", one(self.verdict.name()))
    }

    /// What the model has to say, by name, with the options as JSON.
    ///
    /// | report | options | tables |
    /// | --- | --- | --- |
    /// | `summary` | `level` | coefficients (linear) or importance (boosted), tuning, fit |
    /// | `predict`, with a frame | [`PredictOptions`] | predictions, quantiles, dropped |
    /// | `score`, with a frame | [`ScoreOptions`] | scores, deciles, dropped |
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        let frame = || frame.ok_or_else(|| Error::option("frame", format!("`{name}` needs a frame")));
        match name {
            "predict" => self.predict(frame()?, &parse(options)?, run),
            "score" => self.score(frame()?, &parse(options)?, run),
            "summary" => {
                let SummaryOptions { level } = parse(options)?;
                let first = match &self.learned {
                    Learned::Linear(_) => ("coefficients", self.coefficients(level)?),
                    Learned::Boosted(_) => ("importance", self.importance()),
                };
                Ok(vec![first, ("tuning", self.tuning()), ("fit", self.fit_table())])
            }
            _ => Err(Error::option("report", format!("there is no report `{name}` of the model {NAME}"))),
        }
    }
}
