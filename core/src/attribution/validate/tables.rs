//! What was found of predictions, as tables.

use super::{ValidateOptions, Validation};
use crate::Result;
use crate::attribution::trust::{Absent, Numbers, Told};
use crate::column::{Table, Tables, Text, Values};
use crate::run::Run;

/// The scores as a table: model, journeys, conversions, log_loss,
/// null_log_loss, auc, brier, clipped.
pub fn validation_table(found: &[Validation]) -> Table {
    let column = |f: fn(&Validation) -> f64| Values::F64(found.iter().map(f).collect());
    Table::new()
        .with("model", Values::Text(found.iter().map(|v| v.model.as_str()).collect()))
        .with("journeys", column(|v| v.journeys))
        .with("conversions", column(|v| v.conversions))
        .with("log_loss", column(|v| v.log_loss))
        .with("null_log_loss", column(|v| v.null_log_loss))
        .with("auc", column(|v| v.auc))
        .with("brier", column(|v| v.brier))
        .with("clipped", column(|v| v.clipped))
}

/// Predicted against observed as a table: model, bin, journeys, predicted, observed.
pub fn calibration_table(found: &[Validation]) -> Table {
    let rows = || found.iter().flat_map(|v| v.calibration.iter().enumerate().map(move |(i, b)| (v, i, b)));
    let names: Text = rows().map(|(v, _, _)| v.model.as_str()).collect();
    let column = |k: usize| Values::F64(rows().map(|(_, _, b)| b[k]).collect());
    Table::new()
        .with("model", Values::Text(names))
        .with("bin", Values::I64(rows().map(|(_, i, _)| i as i64 + 1).collect()))
        .with("journeys", column(0))
        .with("predicted", column(1))
        .with("observed", column(2))
}

/// How the scores of each pair of models differ: model, other_model, and the
/// differences of the first and the other, log_loss_difference,
/// auc_difference, brier_difference.
fn differences_table(found: &[Validation]) -> Table {
    let pairs: Vec<(&Validation, &Validation)> =
        found.iter().enumerate().flat_map(|(i, a)| found[i + 1..].iter().map(move |b| (a, b))).collect();
    let name = |f: fn(&(&Validation, &Validation)) -> String| {
        Values::Text(pairs.iter().map(f).collect::<Vec<_>>().iter().collect())
    };
    let column = |f: fn(&Validation) -> f64| Values::F64(pairs.iter().map(|(a, b)| f(a) - f(b)).collect());
    Table::new()
        .with("model", name(|(a, _)| a.model.clone()))
        .with("other_model", name(|(_, b)| b.model.clone()))
        .with("log_loss_difference", column(|v| v.log_loss))
        .with("auc_difference", column(|v| v.auc))
        .with("brier_difference", column(|v| v.brier))
}

/// What is estimated in them.
const TOLD: [Told; 3] = [
    Told {
        table: "validation",
        keys: &["model"],
        estimates: &[
            ("journeys", Absent::Zero),
            ("conversions", Absent::Zero),
            ("log_loss", Absent::Unknown),
            ("null_log_loss", Absent::Unknown),
            ("auc", Absent::Unknown),
            ("brier", Absent::Unknown),
            ("clipped", Absent::Zero),
        ],
    },
    Told {
        table: "calibration",
        keys: &["model", "bin"],
        estimates: &[
            ("journeys", Absent::Zero),
            ("predicted", Absent::Unknown),
            ("observed", Absent::Unknown),
        ],
    },
    Told {
        table: "differences",
        keys: &["model", "other_model"],
        estimates: &[
            ("log_loss_difference", Absent::Unknown),
            ("auc_difference", Absent::Unknown),
            ("brier_difference", Absent::Unknown),
        ],
    },
];

/// All that was found as tables by name: `validation` and `calibration`; with
/// a bootstrap each number is followed by its `_standard_error`, `_low` and
/// `_high`, and `differences` tells how the scores of each pair of models
/// differ: model, other_model, log_loss_difference, auc_difference,
/// brier_difference (the first less the other), by the same samples.
pub fn validation_tables(found: &[Validation], options: &ValidateOptions, run: &Run) -> Result<Tables> {
    let spread = options.spread();
    spread.check()?;
    let drawn = found.iter().map(|v| v.samples.len()).min().unwrap_or(0);
    let tables = |of: &[Validation]| {
        let mut tables = vec![("validation", validation_table(of)), ("calibration", calibration_table(of))];
        if drawn > 0 && of.len() > 1 {
            tables.push(("differences", differences_table(of)));
        }
        tables
    };
    if drawn == 0 {
        return Ok(tables(found));
    }
    let numbers = Numbers::by_table(tables(found), &TOLD, drawn)?;
    let of_sample = |r: usize| {
        let sample: Vec<Validation> = found.iter().map(|v| v.samples[r].clone()).collect();
        numbers.of(&tables(&sample))
    };
    let samples: Vec<Vec<f64>> = (0..drawn).map(of_sample).collect();
    numbers.with_intervals(&samples, &spread, run)
}
