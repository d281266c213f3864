//! One regression tree: grown by `smartcore`, kept and read by ourselves.

use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters};

use super::super::design::{LARGEST, Matrix};
use crate::{Error, Result};

/// A node; a leaf where `below` is 0, which no child is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    /// The column that splits; rows up to the threshold go to `below`.
    column: u32,
    threshold: f64,
    below: u32,
    above: u32,
    value: f64,
    /// What the split takes off the weighted squared error.
    gain: f64,
}

/// A tree of splits, the root first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tree(Vec<Node>);

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) depth: usize,
    pub(super) min_leaf: usize,
}

/// Columns as the grower takes them.
pub(super) type Columns = DenseMatrix<f64>;

pub(super) fn columns(x: &Matrix, rows: &[usize]) -> Result<Columns> {
    let values = rows.iter().flat_map(|i| x.row(*i).iter().copied()).collect();
    DenseMatrix::new(rows.len(), x.columns, values, false).map_err(|e| failed(&e))
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::not_enough_data(format!("a tree could not be grown: {error}"))
}

/// The grower's tree as it writes itself: its fields are private.
#[derive(Deserialize)]
struct Written {
    tree_regressor: WrittenTree,
}

#[derive(Deserialize)]
struct WrittenTree {
    nodes: Vec<WrittenNode>,
}

#[derive(Deserialize)]
struct WrittenNode {
    output: f64,
    split_feature: u32,
    split_value: Option<f64>,
    split_score: Option<f64>,
    true_child: Option<u32>,
    false_child: Option<u32>,
}

impl Tree {
    /// The tree of least weighted squared error to `target`. With targets −g/h and weights h
    /// its leaves are Newton's steps −Σg/Σh of a loss with these derivatives, and its splits
    /// those that the step gains most from.
    pub(super) fn grow(x: &Columns, target: &Vec<f64>, weight: &[f64], shape: Shape) -> Result<Self> {
        let parameters = DecisionTreeRegressorParameters {
            max_depth: Some(shape.depth as u16 + 1), // the root is its level 1
            min_samples_leaf: shape.min_leaf,
            min_samples_split: 2 * shape.min_leaf,
            // Columns are looked at in a drawn order, which decides between splits of equal gain.
            seed: Some(0),
        };
        let grown: DecisionTreeRegressor<f64, f64, Columns, Vec<f64>> =
            DecisionTreeRegressor::fit_with_weights(x, target, weight, parameters).map_err(|e| failed(&e))?;
        let written: Written =
            serde_json::to_value(&grown).and_then(serde_json::from_value).map_err(|e| failed(&e))?;
        let node = |node: WrittenNode| match (node.true_child, node.false_child, node.split_value) {
            (Some(below), Some(above), Some(threshold)) => Node {
                column: node.split_feature,
                threshold,
                below,
                above,
                value: node.output,
                gain: node.split_score.unwrap_or(0.0),
            },
            _ => Node { column: 0, threshold: 0.0, below: 0, above: 0, value: node.output, gain: 0.0 },
        };
        Ok(Self(written.tree_regressor.nodes.into_iter().map(node).collect()))
    }

    /// The leaf's value for a row.
    pub(super) fn value(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        while let Some(node) = self.0.get(at) {
            if node.below == 0 {
                return node.value;
            }
            let low = row.get(node.column as usize).is_some_and(|x| *x <= node.threshold);
            at = if low { node.below } else { node.above } as usize;
        }
        0.0
    }

    /// Adds the gain of each split to its column, and counts it.
    pub(super) fn tally(&self, gain: &mut [f64], splits: &mut [u64]) {
        for node in self.0.iter().filter(|n| n.below > 0) {
            if let (Some(gain), Some(splits)) =
                (gain.get_mut(node.column as usize), splits.get_mut(node.column as usize))
            {
                *gain += node.gain;
                *splits += 1;
            }
        }
    }

    /// What a loaded tree must satisfy: children come after their parents, so every walk ends.
    pub(super) fn is_sound(&self, columns: usize) -> bool {
        let inside = |at: usize, child: u32| (child as usize) > at && (child as usize) < self.0.len();
        !self.0.is_empty()
            && self.0.iter().enumerate().all(|(at, node)| {
                let numbers = [node.threshold, node.value, node.gain];
                let leaf = node.below == 0;
                numbers.iter().all(|x| x.abs() <= LARGEST * LARGEST)
                    && (leaf
                        || ((node.column as usize) < columns
                            && inside(at, node.below)
                            && inside(at, node.above)))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best split of one column, by trying all of them.
    fn brute(x: &[f64], z: &[f64], w: &[f64], min_leaf: usize) -> (f64, f64, f64) {
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|a, b| x[*a].total_cmp(&x[*b]));
        let mean = |rows: &[usize]| {
            rows.iter().map(|i| w[*i] * z[*i]).sum::<f64>() / rows.iter().map(|i| w[*i]).sum::<f64>()
        };
        let error = |rows: &[usize]| {
            let m = mean(rows);
            rows.iter().map(|i| w[*i] * (z[*i] - m) * (z[*i] - m)).sum::<f64>()
        };
        let mut best = (f64::INFINITY, 0.0, 0.0);
        for cut in min_leaf..=x.len() - min_leaf {
            let (low, high) = order.split_at(cut);
            let total = error(low) + error(high);
            if x[low[cut - 1]] < x[high[0]] && total < best.0 {
                best = (total, mean(low), mean(high));
            }
        }
        best
    }

    #[test]
    fn a_stump_is_the_best_of_all_splits() -> Result<()> {
        let n = 40;
        let x: Vec<f64> = (0..n).map(|i| f64::from((i * 17) % 23)).collect();
        let z: Vec<f64> = (0..n).map(|i| f64::from((i * 7) % 11) - 3.0 + f64::from(i % 5)).collect();
        let w: Vec<f64> = (0..n).map(|i| 0.2 + f64::from(i % 4)).collect();
        for min_leaf in [1, 5, 12] {
            let matrix = Matrix { rows: n as usize, columns: 1, values: x.clone() };
            let rows: Vec<usize> = (0..n as usize).collect();
            let shape = Shape { depth: 1, min_leaf };
            let tree = Tree::grow(&columns(&matrix, &rows)?, &z, &w, shape)?;
            let (error, low, high) = brute(&x, &z, &w, min_leaf);
            let found: f64 = (0..n as usize).map(|i| w[i] * (z[i] - tree.value(&x[i..=i])).powi(2)).sum();
            assert!((found - error).abs() < 1e-9 * error, "{found} {error}");
            assert!((tree.value(&[-1.0]) - low).abs() < 1e-12 && (tree.value(&[99.0]) - high).abs() < 1e-12);
            assert!(tree.is_sound(1) && !tree.is_sound(0));
        }
        Ok(())
    }

    #[test]
    fn a_tree_that_would_never_end_is_not_sound() {
        let leaf = Node { column: 0, threshold: 0.0, below: 0, above: 0, value: 1.0, gain: 0.0 };
        let split = Node { below: 1, above: 2, gain: 1.0, ..leaf };
        assert!(Tree(vec![split, leaf, leaf]).is_sound(1));
        assert!(!Tree(vec![split, leaf]).is_sound(1));
        assert!(!Tree(vec![split, Node { below: 1, above: 1, ..split }, leaf]).is_sound(1));
        assert!(!Tree(Vec::new()).is_sound(1));
        assert!(!Tree(vec![Node { value: f64::NAN, ..leaf }]).is_sound(1));
    }
}
