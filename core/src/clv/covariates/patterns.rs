//! Customers of equal covariates, who have one law.

use super::Effects;
use crate::clv::design::{Matrix, Reader};
use crate::clv::frames::History as Rows;
use crate::clv::laws::Purchases;
use crate::clv::rows::{RfmSlices, Unique};
use crate::column::{Columns, Intake, OnInvalid};
use crate::{Error, Result, Run};

/// Patterns in one piece of work.
const PIECE: usize = 64;

/// The rows of a frame by their covariates.
pub(in crate::clv) struct Patterns {
    matrix: Matrix,
    order: Vec<u32>,
    starts: Vec<usize>,
}

impl Patterns {
    /// `None` for a model without covariates, of which all customers have one law.
    pub(in crate::clv) fn of(model: &dyn Purchases, rows: &Rows<'_>) -> Option<Self> {
        model.effects().map(|effects| Self::by(effects, rows))
    }

    /// The rows by the covariates that these effects are of.
    pub(in crate::clv) fn by(effects: &Effects, rows: &Rows<'_>) -> Self {
        Self::of_matrix(effects.terms().matrix(&rows.covariates, rows.frequency.len()))
    }

    /// The rows of a matrix that are equal.
    pub(in crate::clv) fn of_matrix(matrix: Matrix) -> Self {
        let bits = |row: u32| matrix.row(row as usize).iter().map(|v| v.to_bits());
        let mut order: Vec<u32> = (0..matrix.rows as u32).collect();
        order.sort_by(|a, b| bits(*a).cmp(bits(*b)).then(a.cmp(b)));
        let mut starts = vec![0];
        for equal in order.chunk_by(|a, b| bits(*a).eq(bits(*b))) {
            starts.push(starts.last().copied().unwrap_or_default() + equal.len());
        }
        Self { matrix, order, starts }
    }

    /// The covariates of each pattern.
    pub(in crate::clv) fn distinct(&self) -> Matrix {
        let firsts: Vec<u32> = (0..self.len()).filter_map(|p| self.get(p).0.first().copied()).collect();
        self.matrix.ordered(&firsts)
    }

    pub(in crate::clv) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// [`Patterns::get`] of each.
    pub(in crate::clv) fn each(&self) -> impl Iterator<Item = (&[u32], &[f64])> {
        (0..self.len()).map(|pattern| self.get(pattern))
    }

    /// The rows of a pattern, and its covariates.
    pub(in crate::clv) fn get(&self, pattern: usize) -> (&[u32], &[f64]) {
        let rows = &self.order[self.starts[pattern]..self.starts[pattern + 1]];
        (rows, rows.first().map_or(&[], |row| self.matrix.row(*row as usize)))
    }
}

/// How the covariates of a model's customers are read.
pub(in crate::clv) fn reader(model: &dyn Purchases) -> Reader<'_> {
    model.effects().map_or(Reader::None, Effects::reader)
}

/// The law of a kind of customer: a model without covariates, by a frame of one row that
/// holds them. What it says of new customers, and of any history, is said of that kind.
pub fn at(model: &dyn Purchases, covariates: &Columns, run: &Run) -> Result<Box<dyn Purchases>> {
    let Some(effects) = model.effects() else { return model.with_covariates(&[]) };
    let mut intake = Intake::new(covariates, OnInvalid::Error, run);
    let given = effects.reader().read(&mut intake)?;
    let kept = intake.finish()?;
    if kept.len() != 1 {
        let reason = format!("must be one row, a kind of customer; this frame has {}", kept.len());
        return Err(Error::option("covariates", reason));
    }
    let given: Vec<_> = given.into_iter().map(|g| g.cut(&kept)).collect();
    model.with_covariates(effects.terms().matrix(&given, 1).row(0))
}

/// Values of distinct rows, and which of them each row has.
pub(in crate::clv) struct Shared<T> {
    values: Vec<T>,
    of: Vec<u32>,
}

impl<T> Shared<T> {
    pub(in crate::clv) fn new(values: Vec<T>, rows: Unique) -> Self {
        Self { values, of: rows.group }
    }

    /// A value for each row.
    pub(in crate::clv) fn each(values: Vec<T>) -> Self {
        let of = (0..values.len() as u32).collect();
        Self { values, of }
    }

    pub(in crate::clv) fn first(&self) -> Option<&T> {
        self.values.first()
    }

    /// Something of every row's value.
    pub(in crate::clv) fn map<U: Copy>(&self, f: impl Fn(&T) -> U) -> Vec<U> {
        let each: Vec<U> = self.values.iter().map(f).collect();
        self.of.iter().map(|id| each[*id as usize]).collect()
    }
}

/// What `work` says of every row, each under its own law: once for all rows of
/// a model without covariates, else once for each pattern of covariates.
pub(in crate::clv) fn each_law<T: Send>(
    model: &dyn Purchases,
    rows: &Rows<'_>,
    run: &Run,
    work: impl Fn(&dyn Purchases, &RfmSlices<'_>) -> Result<Shared<T>> + Sync + Send,
) -> Result<Shared<T>> {
    each_pattern(model.effects(), rows, run, |covariates, slices, _| match covariates {
        None => work(model, slices),
        Some(covariates) => work(&*model.with_covariates(covariates)?, slices),
    })
}

/// What `work` says of every row: once for all where there are no covariates, else once for
/// each pattern of them. Beside the rows it is told where in the frame each of them stands.
pub(in crate::clv) fn each_pattern<T: Send>(
    effects: Option<&Effects>,
    rows: &Rows<'_>,
    run: &Run,
    work: impl Fn(Option<&[f64]>, &RfmSlices<'_>, &[u32]) -> Result<Shared<T>> + Sync + Send,
) -> Result<Shared<T>> {
    let slices = rows.slices();
    let Some(effects) = effects else {
        let all: Vec<u32> = (0..slices.len() as u32).collect();
        return work(None, &slices, &all);
    };
    let patterns = Patterns::by(effects, rows);
    let parts = run.map_items(patterns.len().div_ceil(PIECE), |piece| {
        run.check()?;
        let mut out = Vec::with_capacity(PIECE);
        for pattern in piece * PIECE..patterns.len().min((piece + 1) * PIECE) {
            let (members, covariates) = patterns.get(pattern);
            let take = |values: &[f64]| members.iter().map(|row| values[*row as usize]).collect::<Vec<f64>>();
            let (frequency, recency, age) = (take(slices.frequency), take(slices.recency), take(slices.age));
            let log_intervals = slices.log_intervals.map(take);
            let some = RfmSlices {
                frequency: &frequency,
                recency: &recency,
                age: &age,
                weight: None,
                log_intervals: log_intervals.as_deref(),
                ..slices
            };
            out.push(work(Some(covariates), &some, members)?);
        }
        Ok(out)
    })?;
    let mut all = Shared { values: Vec::new(), of: vec![0; slices.len()] };
    for (pattern, found) in parts.into_iter().flatten().enumerate() {
        let first = all.values.len() as u32;
        for (row, id) in patterns.get(pattern).0.iter().zip(&found.of) {
            all.of[*row as usize] = first + id;
        }
        all.values.extend(found.values);
    }
    Ok(all)
}
