//! A fitted k-means.

use serde::{Deserialize, Serialize};

use super::kernel::{LANES, Tile};
use super::lloyd::{Descent, ROWS};
use super::{check_values, read, scaled};
use crate::column::{Columns, Dropped, OnInvalid, Values};
use crate::model::Model;
use crate::{Error, Result, Run, Table};

/// A fitted k-means: the centres, and what is needed to assign new rows.
///
/// Saved as `segment.KMeans`; the training rows' labels belong to the
/// [`KMeansFit`] and are not in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeansModel {
    features: Vec<String>,
    /// Scaling: (x − offset) / factor.
    offset: Vec<f64>,
    factor: Vec<f64>,
    /// Centres in scaled units, row by row.
    centers: Vec<Vec<f64>>,
    sizes: Vec<u64>,
    inertia: f64,
    n_iter: u64,
    converged: bool,
}

impl Model for KMeansModel {
    const KIND: &'static str = "segment.KMeans";

    fn check(&self) -> Result<()> {
        let bad = |reason: &str| Err(Error::model_file(format!("segment.KMeans: {reason}")));
        let d = self.features.len();
        if d == 0 || self.centers.is_empty() {
            return bad("has no features or no centers");
        }
        if self.offset.len() != d || self.factor.len() != d || self.centers.iter().any(|c| c.len() != d) {
            return bad("features, offset, factor and centers differ in length");
        }
        if self.sizes.len() != self.centers.len() {
            return bad("sizes and centers differ in length");
        }
        let finite = |values: &[f64]| values.iter().all(|x| x.is_finite());
        if !finite(&self.offset) || !self.centers.iter().all(|c| finite(c)) || !self.inertia.is_finite() {
            return bad("holds a number that is not finite");
        }
        if !self.factor.iter().all(|f| f.is_finite() && *f > 0.0) {
            return bad("holds a factor that is not positive");
        }
        Ok(())
    }
}

impl KMeansModel {
    /// The names of the features, in the order of a centre's coordinates.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The centres in the units of the data.
    pub fn centers(&self) -> Vec<Vec<f64>> {
        let unscale = |c: &Vec<f64>| {
            c.iter().zip(&self.factor).zip(&self.offset).map(|((x, f), o)| x * f + o).collect()
        };
        self.centers.iter().map(unscale).collect()
    }

    /// How many training rows each cluster has.
    pub fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    /// The sum of squared distances to the own centres, in scaled units.
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// Iterations of the start that was kept.
    pub fn n_iter(&self) -> u64 {
        self.n_iter
    }

    /// Whether it stopped by itself, and not at `max_iter`.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// One row a cluster: segment, size, share, and the centre in a column for each feature.
    pub fn table(&self) -> Table {
        let total: u64 = self.sizes.iter().sum();
        let share = |s: &u64| if total == 0 { 0.0 } else { *s as f64 / total as f64 };
        let centers = self.centers();
        let mut out = Table::new()
            .with("segment", Values::I64((0..self.sizes.len() as i64).collect()))
            .with("size", Values::I64(self.sizes.iter().map(|s| *s as i64).collect()))
            .with("share", Values::F64(self.sizes.iter().map(share).collect()));
        for (j, feature) in self.features.iter().enumerate() {
            out = out.with(feature, Values::F64(centers.iter().map(|c| c[j]).collect()));
        }
        out
    }

    /// Assigns the rows of a frame that has the features' columns.
    ///
    /// # Errors
    /// `Column` and `Row` for bad input.
    pub fn predict(&self, frame: &Columns, on_invalid: OnInvalid, run: &Run) -> Result<Membership> {
        let matrix = read(frame, &self.features, on_invalid, run)?;
        let mut out = self.predict_rows(&matrix.values, run)?;
        out.rows = matrix.rows;
        out.dropped = matrix.dropped;
        Ok(out)
    }

    /// Assigns the rows of a matrix given row by row.
    ///
    /// # Errors
    /// `Option` where the values are not whole rows, `Row` for a bad number.
    pub fn predict_rows(&self, values: &[f64], run: &Run) -> Result<Membership> {
        let d = self.features.len();
        if d == 0 || !values.len().is_multiple_of(d) {
            return Err(Error::option("columns", format!("the model takes rows of {d} numbers")));
        }
        check_values(values, d, &self.features)?;
        let centres = self.centers.concat();
        let n = values.len() / d;
        run.stage("assign", n as u64)?;
        let parts = run.map_items(n.div_ceil(ROWS), |b| {
            let rows = b * ROWS..n.min((b + 1) * ROWS);
            let count = rows.len() as u64;
            let block = scaled(&values[rows.start * d..rows.end * d], &self.offset, &self.factor);
            let mut tile = Tile::new(d);
            let mut near: Vec<(u32, f64)> = Vec::with_capacity(rows.len());
            for points in block.chunks(d * LANES) {
                for (lane, point) in points.chunks_exact(d).enumerate() {
                    tile.set(lane, point);
                }
                let found = tile.search(&centres);
                near.extend((0..points.len() / d).map(|lane| (found.centre(lane), found.first[lane].sqrt())));
            }
            run.advance(count)?;
            Ok(near)
        })?;
        let (labels, distances) = parts.into_iter().flatten().unzip();
        Ok(Membership { labels, distances, rows: None, dropped: Dropped::default() })
    }
}

/// The clusters of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    labels: Vec<u32>,
    distances: Vec<f64>,
    rows: Option<Vec<u64>>,
    dropped: Dropped,
}

impl Membership {
    /// The cluster of each row that was kept.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The distance of each row to its centre, in scaled units.
    pub fn distances(&self) -> &[f64] {
        &self.distances
    }

    /// The rows that were invalid and dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// One row for each row that was kept: row (its number in the frame, from 0), segment, distance.
    pub fn table(&self) -> Table {
        let rows = match &self.rows {
            Some(rows) => rows.iter().map(|r| *r as i64).collect(),
            None => (0..self.labels.len() as i64).collect(),
        };
        Table::new()
            .with("row", Values::I64(rows))
            .with("segment", Values::I64(self.labels.iter().map(|l| i64::from(*l)).collect()))
            .with("distance", Values::F64(self.distances.clone()))
    }
}

/// What a fit gives: the model, and the clusters of the training rows.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansFit {
    model: KMeansModel,
    labels: Vec<u32>,
    rows: Option<Vec<u64>>,
    dropped: Dropped,
}

impl KMeansFit {
    pub(super) fn new(
        features: Vec<String>,
        offset: Vec<f64>,
        factor: Vec<f64>,
        descent: Descent,
        rows: usize,
    ) -> Self {
        debug_assert_eq!(descent.labels.len(), rows);
        let model = KMeansModel {
            centers: descent.centres.chunks_exact(features.len()).map(<[f64]>::to_vec).collect(),
            features,
            offset,
            factor,
            sizes: descent.sizes,
            inertia: descent.inertia,
            n_iter: descent.iterations as u64,
            converged: descent.converged,
        };
        Self { model, labels: descent.labels, rows: None, dropped: Dropped::default() }
    }

    pub(super) fn place(&mut self, rows: Option<Vec<u64>>, dropped: Dropped) {
        self.rows = rows;
        self.dropped = dropped;
    }

    /// The fitted model.
    pub fn model(&self) -> &KMeansModel {
        &self.model
    }

    /// The fitted model, by value.
    pub fn into_model(self) -> KMeansModel {
        self.model
    }

    /// The cluster of each training row that was kept; the nearest of the final centres.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The rows that were invalid and dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// One row for each row that was kept: row (its number in the frame, from 0) and segment.
    pub fn table(&self) -> Table {
        let rows = match &self.rows {
            Some(rows) => rows.iter().map(|r| *r as i64).collect(),
            None => (0..self.labels.len() as i64).collect(),
        };
        Table::new()
            .with("row", Values::I64(rows))
            .with("segment", Values::I64(self.labels.iter().map(|l| i64::from(*l)).collect()))
    }
}
