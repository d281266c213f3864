//! Errors of a forecast, customer by customer.

use serde::{Deserialize, Serialize};

use crate::column::{Columns, Intake, OnInvalid, Sign, Table, Values};
use crate::math::{Sum, ranks};
use crate::{Error, Result, Run};

/// How a forecast compares with what happened, customer by customer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastErrors {
    /// Mean absolute error.
    pub mae: f64,
    /// Root mean squared error.
    pub rmse: f64,
    /// Sum of the predictions less sum of what happened.
    pub bias: f64,
    /// Spearman's rank correlation, ties at their mean rank.
    pub spearman: f64,
    /// Gini index of the gain curve, customers of equal prediction sharing alike.
    pub gini: f64,
    /// The same, as a share of what a perfect ordering would reach.
    pub gini_normalised: f64,
}

impl ForecastErrors {
    /// One row, by these names.
    pub fn table(&self) -> Table {
        [
            ("mae", self.mae),
            ("rmse", self.rmse),
            ("bias", self.bias),
            ("spearman", self.spearman),
            ("gini", self.gini),
            ("gini_normalised", self.gini_normalised),
        ]
        .into_iter()
        .fold(Table::new(), |table, (name, value)| table.with(name, Values::F64(vec![value])))
    }
}

/// Columns of [`forecast_errors_columns`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecastOptions {
    /// Column of what happened. Default `"actual"`.
    pub actual: String,
    /// Column of what was predicted. Default `"expected_purchases"`.
    pub predicted: String,
}

impl Default for ForecastOptions {
    fn default() -> Self {
        Self { actual: "actual".into(), predicted: "expected_purchases".into() }
    }
}

/// [`forecast_errors`] of two columns of a frame.
pub fn forecast_errors_columns(
    frame: &Columns,
    options: &ForecastOptions,
    run: &Run,
) -> Result<ForecastErrors> {
    let mut intake = Intake::new(frame, OnInvalid::Error, run);
    let actual = intake.amounts(&options.actual, Sign::Any)?;
    let predicted = intake.amounts(&options.predicted, Sign::Any)?;
    intake.finish()?;
    forecast_errors(&actual, &predicted)
}

/// Compares predictions with what happened.
///
/// Ranking and calibration are different virtues: `spearman` and `gini` see
/// only the order, `bias` and the errors only the level.
pub fn forecast_errors(actual: &[f64], predicted: &[f64]) -> Result<ForecastErrors> {
    let n = actual.len();
    if n != predicted.len() {
        return Err(Error::column(
            "predicted",
            format!("has {} rows, and `actual` has {n}", predicted.len()),
        ));
    }
    if n == 0 {
        return Err(Error::not_enough_data("there is nothing to compare"));
    }
    if let Some(row) = (0..n).find(|i| !actual[*i].is_finite() || !predicted[*i].is_finite()) {
        return Err(Error::Row {
            column: if actual[row].is_finite() { "predicted" } else { "actual" }.to_owned(),
            row: row as u64,
            reason: "is not a finite number".to_owned(),
            count: 1,
        });
    }
    let mean = |f: &dyn Fn(usize) -> f64| crate::math::sum((0..n).map(f)) / n as f64;
    let error = |i: usize| predicted[i] - actual[i];
    let gini = gini(actual, predicted);
    let ideal = self::gini(actual, actual);
    let (ra, rp) = (ranks(actual), ranks(predicted));
    let centre = 0.5 * (n as f64 + 1.0);
    let product = |x: &[f64], y: &[f64]| mean(&|i| (x[i] - centre) * (y[i] - centre));
    let scale = (product(&ra, &ra) * product(&rp, &rp)).sqrt();
    Ok(ForecastErrors {
        mae: mean(&|i| error(i).abs()),
        rmse: mean(&|i| error(i) * error(i)).sqrt(),
        bias: mean(&error) * n as f64,
        spearman: if scale > 0.0 { product(&ra, &rp) / scale } else { 0.0 },
        gini,
        gini_normalised: if ideal == 0.0 { 0.0 } else { gini / ideal },
    })
}

fn order(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order
}

/// 2 × the mean of the cumulative share of `actual` in descending order of `score`, less 1.
fn gini(actual: &[f64], score: &[f64]) -> f64 {
    let n = actual.len() as f64;
    let total = crate::math::sum(actual.iter().copied());
    if total == 0.0 {
        return 0.0;
    }
    let mut descending = order(score);
    descending.reverse();
    let (mut area, mut reached) = (Sum::default(), 0.0);
    for tie in descending.chunk_by(|a, b| score[*a] == score[*b]) {
        let held: f64 = crate::math::sum(tie.iter().map(|i| actual[*i]));
        let k = tie.len() as f64;
        // Σ_{j=1..k} (reached + held j / k)
        area.add(k * reached + held * 0.5 * (k + 1.0));
        reached += held;
    }
    2.0 * area.value() / (total * n) - 1.0
}
