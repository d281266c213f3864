//! How good is a stitching whose truth is known?

use serde::{Deserialize, Serialize};

use crate::column::{Columns, Dropped, Intake, NULL, OnInvalid, Table, Values};
use crate::{Error, Result, Run};

/// The agreement of two groupings of the same rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairScores {
    /// Rows compared.
    pub rows: u64,
    /// Customers in truth.
    pub true_customers: u64,
    /// Customers found.
    pub predicted_customers: u64,
    /// Pairs of rows that are one customer's in truth.
    pub true_pairs: u64,
    /// Pairs of rows that were found to be one customer's.
    pub predicted_pairs: u64,
    /// Pairs of rows that are both.
    pub matched_pairs: u64,
    /// The share of the pairs found that are true; 1 when none was found.
    pub precision: f64,
    /// The share of the true pairs that were found; 1 when there is none.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// B-cubed precision: the share of true companions among those found, the
    /// mean over rows (Bagga & Baldwin 1998).
    pub bcubed_precision: f64,
    /// B-cubed recall: the share of companions found among the true ones, the mean over rows.
    pub bcubed_recall: f64,
    /// The harmonic mean of the two.
    pub bcubed_f1: f64,
}

impl PairScores {
    /// One row with a column for each score.
    pub fn table(&self) -> Table {
        let counts = [
            ("rows", self.rows),
            ("true_customers", self.true_customers),
            ("predicted_customers", self.predicted_customers),
            ("true_pairs", self.true_pairs),
            ("predicted_pairs", self.predicted_pairs),
            ("matched_pairs", self.matched_pairs),
        ];
        let scores = [
            ("precision", self.precision),
            ("recall", self.recall),
            ("f1", self.f1),
            ("bcubed_precision", self.bcubed_precision),
            ("bcubed_recall", self.bcubed_recall),
            ("bcubed_f1", self.bcubed_f1),
        ];
        let table = counts
            .iter()
            .fold(Table::new(), |table, (name, n)| table.with(name, Values::I64(vec![*n as i64])));
        scores.iter().fold(table, |table, (name, score)| table.with(name, Values::F64(vec![*score])))
    }
}

/// Compares two groupings, given as one code a row.
///
/// [`NULL`] in either stands for a customer of its own. Codes need not be dense.
///
/// ```
/// use headwater::identity::pairwise;
///
/// let scores = pairwise(&[0, 0, 0, 1], &[5, 5, 6, 6])?;
/// assert_eq!((scores.true_pairs, scores.predicted_pairs, scores.matched_pairs), (3, 2, 1));
/// assert_eq!((scores.precision, scores.recall), (0.5, 1.0 / 3.0));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn pairwise(truth: &[u32], predicted: &[u32]) -> Result<PairScores> {
    if truth.len() != predicted.len() {
        return Err(Error::column(
            "predicted",
            format!("has {} rows for the {} of the truth", predicted.len(), truth.len()),
        ));
    }
    // A missing code is a customer of its own: numbered by row above all codes.
    let wide = |codes: &[u32]| -> Vec<u64> {
        let own = |(row, code): (usize, &u32)| {
            if *code == NULL { (1 << 32) + row as u64 } else { u64::from(*code) }
        };
        codes.iter().enumerate().map(own).collect()
    };
    let (truth, predicted) = (wide(truth), wide(predicted));
    let mut both: Vec<(u64, u64)> = truth.iter().copied().zip(predicted.iter().copied()).collect();
    let sizes = |mut codes: Vec<u64>| -> Vec<(u64, u64)> {
        codes.sort_unstable();
        codes.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64)).collect()
    };
    let (truth, predicted) = (sizes(truth), sizes(predicted));
    both.sort_unstable();
    let pairs = |n: u64| n * (n - 1) / 2;
    let size = |sizes: &[(u64, u64)], code: u64| {
        sizes.binary_search_by_key(&code, |s| s.0).map_or(1, |at| sizes[at].1)
    };
    let (mut matched, mut precise, mut recalled) = (0, 0.0, 0.0);
    for run in both.chunk_by(|a, b| a == b) {
        let n = run.len() as u64;
        matched += pairs(n);
        precise += (n * n) as f64 / size(&predicted, run[0].1) as f64;
        recalled += (n * n) as f64 / size(&truth, run[0].0) as f64;
    }
    let rows = both.len() as u64;
    let true_pairs = truth.iter().map(|s| pairs(s.1)).sum();
    let predicted_pairs = predicted.iter().map(|s| pairs(s.1)).sum();
    let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    let mean = |sum: f64| if rows == 0 { 1.0 } else { sum / rows as f64 };
    let (bcubed_precision, bcubed_recall) = (mean(precise), mean(recalled));
    Ok(PairScores {
        rows,
        true_customers: truth.len() as u64,
        predicted_customers: predicted.len() as u64,
        true_pairs,
        predicted_pairs,
        matched_pairs: matched,
        precision: share(matched, predicted_pairs),
        recall: share(matched, true_pairs),
        f1: share(2 * matched, true_pairs + predicted_pairs),
        bcubed_precision,
        bcubed_recall,
        bcubed_f1: 2.0 * bcubed_precision * bcubed_recall / (bcubed_precision + bcubed_recall),
    })
}

/// The columns of [`evaluate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateOptions {
    /// The column of true customers; default `truth`. Rows without one are dropped with `on_invalid`.
    pub truth: String,
    /// The column of customers found; default `customer`. A row without one is a customer of its own.
    pub customer: String,
    /// What to do with rows without truth; default `error`.
    pub on_invalid: OnInvalid,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self { truth: "truth".into(), customer: "customer".into(), on_invalid: OnInvalid::Error }
    }
}

/// Scores with what was dropped on the way to them.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The scores.
    pub scores: PairScores,
    dropped: Dropped,
}

impl Evaluation {
    /// One row with a column for each score.
    pub fn table(&self) -> Table {
        self.scores.table()
    }

    /// The rows without truth.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// Compares a column of customers with the truth in another.
pub fn evaluate(frame: &Columns, options: &EvaluateOptions, run: &Run) -> Result<Evaluation> {
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let truth = intake.names(&options.truth)?;
    let customer = intake.optional_names(&options.customer)?;
    let kept = intake.finish()?;
    let (truth, customer) = (kept.names(truth), kept.names(customer));
    run.check()?;
    let scores = pairwise(&truth.codes, &customer.codes)?;
    Ok(Evaluation { scores, dropped: kept.into_dropped() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counting_agrees_with_looking_at_every_pair(codes in prop::collection::vec((0u32..6, 0u32..6), 0..40)) {
            let missing = |c: u32| if c == 5 { NULL } else { c };
            let (truth, found): (Vec<u32>, Vec<u32>) = codes.iter().map(|(a, b)| (missing(*a), missing(*b))).unzip();
            let scores = pairwise(&truth, &found)?;
            let same = |codes: &[u32], i: usize, j: usize| i == j || (codes[i] == codes[j] && codes[i] != NULL);
            let (mut t, mut p, mut m) = (0, 0, 0);
            let (mut bp, mut br) = (0.0, 0.0);
            for i in 0..codes.len() {
                let count = |a: &[u32], b: &[u32]| (0..codes.len()).filter(|j| same(a, i, *j) && same(b, i, *j)).count() as f64;
                bp += count(&truth, &found) / count(&found, &found);
                br += count(&truth, &found) / count(&truth, &truth);
                for j in 0..i {
                    t += u64::from(same(&truth, i, j));
                    p += u64::from(same(&found, i, j));
                    m += u64::from(same(&truth, i, j) && same(&found, i, j));
                }
            }
            prop_assert_eq!((scores.true_pairs, scores.predicted_pairs, scores.matched_pairs), (t, p, m));
            // Sums of a few dozen shares, in another order.
            let n = codes.len().max(1) as f64;
            if !codes.is_empty() {
                prop_assert!((scores.bcubed_precision - bp / n).abs() < 1e-12);
                prop_assert!((scores.bcubed_recall - br / n).abs() < 1e-12);
            }
        }
    }
}
