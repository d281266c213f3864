//! Customers of one law each, and what is expected of them period by period.

use std::collections::BTreeMap;

use super::design::Matrix;
use super::laws::Purchases;
use super::told::{Told, untold};
use super::tracking::TrackingOptions;
use super::tracking_interval::Spread;
use crate::column::{Columns, Names};
use crate::math::Sum;
use crate::{Error, Result, Run};

/// Kinds in one piece of work, and in as many pieces as are held at once.
const PIECE: usize = 64;
const BATCH: usize = 64 * PIECE;

/// A law, and how a unit of each coefficient moves its log parameters.
type Own = (Box<dyn Purchases>, Vec<Vec<f64>>);

/// Customers of equal covariates, by the codes of the orders.
pub(super) struct Kinds {
    rows: Matrix,
    of: Vec<Option<u32>>,
}

impl Kinds {
    /// `None` for a model without covariates, of which all customers have one law.
    pub(super) fn read(
        model: &dyn Purchases,
        frame: Option<&Columns>,
        customers: &Names,
        options: &TrackingOptions,
        run: &Run,
    ) -> Result<Option<Self>> {
        let Some(effects) = model.effects() else { return Ok(None) };
        let Some(frame) = frame else {
            return Err(Error::option(
                "model",
                "has covariates, and orders do not tell them: give the frame of customers that does",
            ));
        };
        let told = Told::read(frame, &options.customer, effects.reader(), options.on_invalid, run)?;
        let matrix = effects.terms().matrix(&told.given, told.len());
        let bits = |row: u32| matrix.row(row as usize).iter().map(|v| v.to_bits());
        let mut order: Vec<u32> = (0..matrix.rows as u32).collect();
        order.sort_by(|a, b| bits(*a).cmp(bits(*b)));
        let (mut firsts, mut kinds) = (Vec::new(), vec![0; matrix.rows]);
        for equal in order.chunk_by(|a, b| bits(*a).eq(bits(*b))) {
            for row in equal {
                kinds[*row as usize] = firsts.len() as u32;
            }
            firsts.push(equal[0]);
        }
        let kind = |row: Option<u32>| row.and_then(|row| kinds.get(row as usize).copied());
        let of = told.rows(customers).into_iter().map(kind).collect();
        Ok(Some(Self { rows: matrix.ordered(&firsts), of }))
    }

    /// The kind of a customer of the orders.
    pub(super) fn of(&self, code: usize, customers: &Names, column: &str) -> Result<u32> {
        self.of.get(code).copied().flatten().ok_or_else(|| untold(customers, code as u32, column))
    }

    /// The law of a kind, and how coefficients move its log parameters.
    pub(super) fn law(&self, model: &dyn Purchases, kind: u32) -> Result<Own> {
        let row = self.rows.row(kind as usize);
        Ok((model.with_covariates(row)?, model.steps(row)))
    }
}

/// What is expected of some customers by the end of each period, and how far their purchases stray.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) all: Vec<Sum>,
    pub(super) cohorts: BTreeMap<i64, Vec<Sum>>,
    /// Of single periods and of those up to their end, where bounds are asked for.
    pub(super) spread: [Vec<Spread>; 2],
}

impl Expected {
    fn merge(&mut self, other: Self) {
        let sums = |into: &mut Vec<Sum>, from: Vec<Sum>| {
            into.resize(into.len().max(from.len()), Sum::default());
            into.iter_mut().zip(from).for_each(|(into, from)| into.merge(from));
        };
        sums(&mut self.all, other.all);
        for (cohort, from) in other.cohorts {
            sums(self.cohorts.entry(cohort).or_default(), from);
        }
        for (into, from) in self.spread.iter_mut().zip(other.spread) {
            into.resize_with(into.len().max(from.len()), Spread::default);
            into.iter_mut().zip(&from).for_each(|(into, from)| into.merge(from));
        }
    }
}

/// The sum of what `work` says of so many groups, in their order; not all are held at once.
pub(super) fn total(
    groups: usize,
    run: &Run,
    work: impl Fn(usize) -> Result<Expected> + Sync + Send,
) -> Result<Expected> {
    let mut out = Expected::default();
    for from in (0..groups).step_by(BATCH) {
        let to = groups.min(from + BATCH);
        let parts = run.map_items((to - from).div_ceil(PIECE), |piece| {
            let mut sum = Expected::default();
            for group in from + piece * PIECE..to.min(from + (piece + 1) * PIECE) {
                sum.merge(work(group)?);
            }
            Ok(sum)
        })?;
        parts.into_iter().for_each(|part| out.merge(part));
    }
    Ok(out)
}
