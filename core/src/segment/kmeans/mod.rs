//! k-means: exact Lloyd with greedy k-means++ and Hamerly's bounds.
//!
//! Sources: Lloyd 1982; Arthur & Vassilvitskii 2007; Hamerly 2010. The
//! tolerance means what it means in scikit-learn.

mod kernel;
mod lloyd;
mod model;
mod screen;
mod seed;

use serde::{Deserialize, Serialize};

pub use model::{KMeansFit, KMeansModel, Membership};

use crate::column::{Columns, Dropped, Intake, OnInvalid, Sign};
use crate::{Error, Result, Run};
use lloyd::{Descent, Rows};

/// How features are made comparable before distances are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Not at all: the feature with the largest numbers decides.
    #[default]
    None,
    /// Mean 0, standard deviation 1 (divisor n).
    Standard,
    /// From 0 to 1.
    Range,
}

/// Where the centres start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Greedy k-means++.
    #[default]
    KMeansPlusPlus,
    /// The rows of the option `centers`.
    Centers,
}

/// k-means with its options.
///
/// Clusters are numbered by size, the largest first (of equal sizes, the one
/// whose centre comes first in the order of its coordinates), so numbers do not
/// depend on chance; with `init="centers"` they keep the order of the centres given.
///
/// ```
/// use headwater::Run;
/// use headwater::column::Columns;
/// use headwater::segment::KMeans;
///
/// let frame = Columns::new()
///     .with("x", vec![0.0, 0.1, 9.0, 0.2, 9.1])
///     .with("y", vec![1.0, 1.1, 5.0, 0.9, 5.2]);
/// let fit = KMeans::new(2).features(["x", "y"]).fit(&frame, &Run::new())?;
/// assert_eq!(fit.labels(), [0, 0, 1, 0, 1]);
/// assert_eq!(fit.model().sizes(), [3, 2]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KMeans {
    /// How many clusters. Default 8.
    pub k: usize,
    /// The columns to cluster by. No default.
    pub features: Vec<String>,
    /// The seed. Default 0. The seed of the [`Run`] does not enter.
    pub seed: u64,
    /// How many starts; the one with the lowest inertia is kept. Default 1:
    /// greedy seeding rarely needs more.
    pub n_init: usize,
    /// Most iterations of one start. Default 300.
    pub max_iter: usize,
    /// Stop when the centres' squared moves add up to at most this part of the
    /// features' mean variance; 0 means until no label changes. Default 1e-4.
    pub tol: f64,
    /// How features are scaled. Default `"none"`.
    pub scale: Scale,
    /// Where the centres start. Default `"k_means_plus_plus"`.
    pub init: Init,
    /// The starting centres of `init="centers"`: k rows, in the units of the data.
    pub centers: Option<Vec<Vec<f64>>>,
    /// What to do with rows that hold a null, NaN or infinity. Default `"error"`.
    pub on_invalid: OnInvalid,
}

impl Default for KMeans {
    fn default() -> Self {
        Self {
            k: 8,
            features: Vec::new(),
            seed: 0,
            n_init: 1,
            max_iter: 300,
            tol: 1e-4,
            scale: Scale::None,
            init: Init::KMeansPlusPlus,
            centers: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

impl KMeans {
    /// k-means with `k` clusters, and defaults.
    pub fn new(k: usize) -> Self {
        Self { k, ..Self::default() }
    }

    /// Sets the columns to cluster by.
    #[must_use]
    pub fn features<S: Into<String>>(mut self, features: impl IntoIterator<Item = S>) -> Self {
        self.features = features.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number of starts.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = n_init;
        self
    }

    /// Sets the tolerance.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Sets the scaling.
    #[must_use]
    pub fn scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Starts from these centres: k rows, in the units of the data.
    #[must_use]
    pub fn start(mut self, centers: Vec<Vec<f64>>) -> Self {
        self.init = Init::Centers;
        self.centers = Some(centers);
        self
    }

    /// Clusters the rows of a frame by the columns `features`.
    ///
    /// # Errors
    /// `Column` and `Row` for bad input, `Option` for bad options (also where
    /// the data has fewer than `k` distinct rows), `NotEnoughData` for no rows.
    pub fn fit(&self, frame: &Columns, run: &Run) -> Result<KMeansFit> {
        if self.features.is_empty() {
            return Err(Error::option("features", "name the columns to cluster by"));
        }
        let matrix = read(frame, &self.features, self.on_invalid, run)?;
        let mut fit = self.fit_rows(&matrix.values, self.features.len(), run)?;
        fit.place(matrix.rows, matrix.dropped);
        Ok(fit)
    }

    /// Clusters a matrix given row by row, each of `columns` numbers. The
    /// features are those of the option, or named `x0`, `x1`, …
    ///
    /// # Errors
    /// As [`KMeans::fit`].
    pub fn fit_rows(&self, values: &[f64], columns: usize, run: &Run) -> Result<KMeansFit> {
        self.check(values, columns)?;
        let n = values.len() / columns;
        let shape = Shape::of(Rows { values, columns }, self.scale, run)?;
        let scaled;
        let data = if self.scale == Scale::None {
            values
        } else {
            scaled = shape.apply(values, run)?;
            &scaled
        };
        let rows = Rows { values: data, columns };
        let tolerance = self.tol * shape.variance;
        let mut best: Option<Descent> = None;
        let starts = if self.init == Init::Centers { 1 } else { self.n_init };
        for start in 0..starts {
            let centres = match (&self.centers, self.init) {
                (Some(given), Init::Centers) => shape.apply(&given.concat(), run)?,
                _ => seed::seed(rows, self.k, &mut Run::new().seed(self.seed).rng(start as u64), run)?,
            };
            let descent = lloyd::descend(rows, centres, self.max_iter, tolerance, run)?;
            if best.as_ref().is_none_or(|b| descent.inertia < b.inertia) {
                best = Some(descent);
            }
        }
        let Some(mut best) = best else {
            return Err(Error::option("n_init", "must be at least 1"));
        };
        if self.init == Init::KMeansPlusPlus {
            renumber(&mut best, columns);
        }
        let features = if self.features.len() == columns {
            self.features.clone()
        } else {
            (0..columns).map(|i| format!("x{i}")).collect()
        };
        Ok(KMeansFit::new(features, shape.offset, shape.factor, best, n))
    }

    fn check(&self, values: &[f64], columns: usize) -> Result<()> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(Error::option("columns", "the matrix does not consist of whole rows"));
        }
        if values.is_empty() {
            return Err(Error::not_enough_data("there is no row to cluster"));
        }
        let n = values.len() / columns;
        if self.k == 0 || self.k > n {
            return Err(Error::option("k", format!("{} clusters of {n} rows; give 1 to {n}", self.k)));
        }
        if self.n_init == 0 || self.max_iter == 0 {
            return Err(Error::option("n_init", "n_init and max_iter must be at least 1"));
        }
        if !(self.tol >= 0.0 && self.tol.is_finite()) {
            return Err(Error::option("tol", "must be a number from 0 up"));
        }
        match (&self.centers, self.init) {
            (Some(given), Init::Centers) => {
                let whole = |row: &Vec<f64>| row.len() == columns && row.iter().all(|x| usable(*x));
                if given.len() != self.k || !given.iter().all(whole) {
                    return Err(Error::option(
                        "centers",
                        format!("give {} rows of {columns} finite numbers", self.k),
                    ));
                }
            }
            (None, Init::Centers) => {
                return Err(Error::option("centers", "init \"centers\" needs them"));
            }
            (Some(_), Init::KMeansPlusPlus) => {
                return Err(Error::option("centers", "are only used with init \"centers\""));
            }
            (None, Init::KMeansPlusPlus) => {}
        }
        check_values(values, columns, &self.features)
    }
}

/// Beyond this a squared distance could overflow.
const LARGEST: f64 = 1e150;

fn usable(x: f64) -> bool {
    x.abs() <= LARGEST
}

fn check_values(values: &[f64], columns: usize, features: &[String]) -> Result<()> {
    let Some(at) = values.iter().position(|x| !usable(*x)) else { return Ok(()) };
    let column = at % columns;
    Err(Error::Row {
        column: features.get(column).cloned().unwrap_or_else(|| format!("x{column}")),
        row: (at / columns) as u64,
        reason: format!("{} is not a finite number up to 1e150", values[at]),
        count: values.iter().skip(column).step_by(columns).filter(|x| !usable(**x)).count() as u64,
    })
}

/// A frame's features as a matrix.
struct Matrix {
    values: Vec<f64>,
    /// The frame's rows that were kept; `None` when all were.
    rows: Option<Vec<u64>>,
    dropped: Dropped,
}

fn read(frame: &Columns, features: &[String], on_invalid: OnInvalid, run: &Run) -> Result<Matrix> {
    let mut intake = Intake::new(frame, on_invalid, run);
    let mut columns = Vec::with_capacity(features.len());
    for feature in features {
        columns.push(intake.amounts(feature, Sign::Any)?);
    }
    let kept = intake.finish()?;
    let columns: Vec<_> = columns.into_iter().map(|c| kept.values(c)).collect();
    let (n, d) = (kept.len(), columns.len());
    let mut values = vec![0.0; n * d];
    // In blocks, so that the rows being written stay in the cache.
    for from in (0..n).step_by(1024) {
        let to = n.min(from + 1024);
        for (j, column) in columns.iter().enumerate() {
            for (row, x) in values[from * d..to * d].chunks_exact_mut(d).zip(&column[from..to]) {
                row[j] = *x;
            }
        }
    }
    let rows = (n < frame.rows()).then(|| (0..n).map(|i| kept.row(i) as u64).collect());
    Ok(Matrix { values, rows, dropped: kept.into_dropped() })
}

/// Location and spread of the features.
struct Shape {
    offset: Vec<f64>,
    factor: Vec<f64>,
    /// The mean variance of the scaled features.
    variance: f64,
}

impl Shape {
    fn of(rows: Rows<'_>, scale: Scale, run: &Run) -> Result<Self> {
        let (n, d) = (rows.len() as f64, rows.columns);
        let blocks: Vec<&[f64]> = rows.values.chunks(lloyd::ROWS * d).collect();
        run.stage("scale", rows.len() as u64)?;
        let add = |of: &(dyn Fn(usize, f64) -> f64 + Sync)| -> Result<Vec<f64>> {
            let parts = run.map_items(blocks.len(), |b| {
                let mut sums = vec![0.0; d];
                for row in blocks[b].chunks_exact(d) {
                    for (j, (sum, x)) in sums.iter_mut().zip(row).enumerate() {
                        *sum += of(j, *x);
                    }
                }
                Ok(sums)
            })?;
            Ok((0..d).map(|j| parts.iter().map(|p| p[j]).sum()).collect())
        };
        let mean: Vec<f64> = add(&|_, x| x)?.iter().map(|s| s / n).collect();
        let variance: Vec<f64> = add(&|j, x| (x - mean[j]) * (x - mean[j]))?.iter().map(|s| s / n).collect();
        let (offset, factor) = match scale {
            Scale::None => (vec![0.0; d], vec![1.0; d]),
            Scale::Standard => (mean, variance.iter().map(|v| v.sqrt()).collect()),
            Scale::Range => {
                let mut low = vec![f64::INFINITY; d];
                let mut high = vec![f64::NEG_INFINITY; d];
                for row in rows.values.chunks_exact(d) {
                    for (j, x) in row.iter().enumerate() {
                        low[j] = low[j].min(*x);
                        high[j] = high[j].max(*x);
                    }
                }
                let factor = low.iter().zip(&high).map(|(l, h)| h - l).collect();
                (low, factor)
            }
        };
        // A feature that does not vary is left as it is.
        let factor: Vec<f64> = factor.into_iter().map(|f| if f > 0.0 { f } else { 1.0 }).collect();
        let scaled = variance.iter().zip(&factor).map(|(v, f)| v / f / f).sum::<f64>() / d as f64;
        Ok(Self { offset, factor, variance: scaled })
    }

    fn apply(&self, values: &[f64], run: &Run) -> Result<Vec<f64>> {
        run.check()?;
        Ok(scaled(values, &self.offset, &self.factor))
    }
}

/// (x − offset) / factor, feature by feature.
fn scaled(values: &[f64], offset: &[f64], factor: &[f64]) -> Vec<f64> {
    let mut out = values.to_vec();
    for row in out.chunks_exact_mut(offset.len()) {
        for ((x, o), f) in row.iter_mut().zip(offset).zip(factor) {
            *x = (*x - o) / f;
        }
    }
    out
}

/// Numbers the clusters by size, then by centre.
fn renumber(descent: &mut Descent, columns: usize) {
    let k = descent.sizes.len();
    let centre = |j: usize| &descent.centres[j * columns..(j + 1) * columns];
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|a, b| {
        descent.sizes[*b].cmp(&descent.sizes[*a]).then_with(|| {
            centre(*a)
                .iter()
                .zip(centre(*b))
                .map(|(x, y)| x.total_cmp(y))
                .find(|o| o.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        })
    });
    let centres = order.iter().flat_map(|j| centre(*j)).copied().collect();
    let mut new = vec![0u32; k];
    for (number, old) in order.iter().enumerate() {
        new[*old] = number as u32;
    }
    descent.centres = centres;
    descent.sizes = order.iter().map(|j| descent.sizes[*j]).collect();
    descent.labels.iter_mut().for_each(|label| *label = new[*label as usize]);
}
