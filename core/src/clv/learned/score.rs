//! Predictions beside what was spent.

use serde::{Deserialize, Serialize};

use super::super::checking::deciles;
use super::super::errors::forecast_errors;
use super::data::Seen;
use super::likelihood::{purchase, spend};
use super::model::ZeroInflatedLognormalModel;
use super::predict::Mixture;
use crate::column::{Columns, OnInvalid, Tables, Values};
use crate::math::{ln, sum};
use crate::{Error, Result, Run, Table};

/// Roles and options of scores.
///
/// Tables:
/// - `scores`: score, value. `log_loss` (of buying or not, a customer) and `loss` (the whole negative
///   log-likelihood, a customer) are the smaller the better; `gini_normalised` and `spearman` judge the
///   order; `decile_mape` (the mean over deciles, by prediction, of |expected − actual| / actual; deciles in
///   which nobody bought do not count), `bias` (the sum of predictions less that of actual values), `mae`
///   and `rmse` the level.
/// - `deciles`: decile (1: the most promising), customers, actual, expected, share (of all that was spent).
/// - `dropped`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreOptions {
    /// Column of what was spent; that of the fit unless given.
    pub target: Option<String>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

pub(super) fn score(
    model: &ZeroInflatedLognormalModel,
    frame: &Columns,
    options: &ScoreOptions,
    run: &Run,
) -> Result<Tables> {
    let parameters = model.parameters();
    let target = options.target.as_deref().unwrap_or(&parameters.target);
    let role = Some((target, parameters.negative));
    let seen = Seen::read(model.terms(), frame, None, role, options.on_invalid, run)?;
    let actual = seen.amount.unwrap_or_default();
    if actual.is_empty() {
        return Err(Error::not_enough_data("there is nothing to compare"));
    }
    let predictors = model.predictors(&seen.matrix, run)?;
    let expected: Vec<f64> = predictors.iter().map(|at| Mixture::of(*at).mean()).collect();
    if let Some(row) = expected.iter().position(|x| !x.is_finite()) {
        let reason = "the expected value is beyond a double: the covariates lie far from those of the fit";
        let column =
            parameters.covariates.as_ref().and_then(|c| c.first()).map_or("covariates", String::as_str);
        return Err(Error::Row {
            column: column.to_owned(),
            row: seen.row[row] as u64,
            reason: reason.to_owned(),
            count: 1,
        });
    }
    let errors = forecast_errors(&actual, &expected)?;
    let n = actual.len() as f64;
    let log_loss = -sum(actual.iter().zip(&predictors).map(|(y, at)| purchase(*y > 0.0, at[0])[0])) / n;
    let buyers = actual.iter().zip(&predictors).filter(|(y, _)| **y > 0.0);
    let spent = buyers.map(|(y, at)| {
        let log = ln(*y);
        spend(log, at[1], at[2]).value - log
    });
    let loss = log_loss - sum(spent) / n;
    let deciles = deciles(&actual, &expected);
    let pair = |name: &str| deciles.f64s(name).unwrap_or_default();
    let apart: Vec<f64> = pair("actual")
        .iter()
        .zip(pair("expected"))
        .filter(|(a, _)| **a > 0.0)
        .map(|(a, e)| (e - a).abs() / a)
        .collect();
    let mape = (!apart.is_empty()).then(|| sum(apart.iter().copied()) / apart.len() as f64);
    let rows = [
        ("log_loss", Some(log_loss)),
        ("loss", Some(loss)),
        ("gini_normalised", Some(errors.gini_normalised)),
        ("spearman", Some(errors.spearman)),
        ("decile_mape", mape),
        ("bias", Some(errors.bias)),
        ("mae", Some(errors.mae)),
        ("rmse", Some(errors.rmse)),
    ];
    let scores = Table::new()
        .with("score", Values::Text(rows.iter().map(|r| r.0).collect()))
        .with_optional("value", rows.iter().map(|r| r.1.filter(|v| v.is_finite())));
    Ok(vec![("scores", scores), ("deciles", deciles), ("dropped", seen.dropped.table())])
}
