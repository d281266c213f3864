//! Maximising the likelihood of a law and its covariates together.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use super::Covariates;
use super::effects::{Effect, Effects, coefficients, scales};
use crate::clv::design::{Given, Matrix, Terms};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::finish::{Finish, Finished, Shrinkage};
use crate::clv::laws::{History, Law};
use crate::clv::rows::RfmSlices;
use crate::math::ascent::Local;
use crate::math::{exp, ln, sum};
use crate::{Result, Run};

/// Distinct rows in one piece of work.
const PIECE: usize = 512;

/// What a fit is asked for.
pub(in crate::clv) struct Ask<'a> {
    pub(in crate::clv) covariates: &'a Covariates,
    pub(in crate::clv) penalty: f64,
    pub(in crate::clv) max_iterations: usize,
    pub(in crate::clv) tolerance: f64,
}

/// Distinct rows in canonical order, with their covariates.
struct Rows {
    histories: Vec<History>,
    weight: Vec<f64>,
    covariates: Matrix,
}

impl Rows {
    fn of(rows: &RfmSlices<'_>, matrix: &Matrix) -> Self {
        let weight = |row: usize| rows.weight.map_or(1.0, |w| w[row]);
        let bits = |row: u32| {
            let row = row as usize;
            let sum = rows.log_intervals.map_or(0.0, |sums| sums[row] + 0.0);
            let history = [rows.frequency[row], rows.recency[row] + 0.0, rows.age[row] + 0.0, sum];
            matrix.row(row).iter().copied().chain(history).map(f64::to_bits)
        };
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        // By all that tells rows apart and then by weight, so that sums have one order.
        order.sort_by(|a, b| {
            let by_weight = || weight(*a as usize).total_cmp(&weight(*b as usize));
            bits(*a).cmp(bits(*b)).then_with(by_weight)
        });
        let mut out = Self { histories: Vec::new(), weight: Vec::new(), covariates: Matrix::default() };
        let mut firsts = Vec::new();
        for equal in order.chunk_by(|a, b| bits(*a).eq(bits(*b))) {
            let row = equal[0] as usize;
            out.histories.push(History {
                frequency: rows.frequency[row] as u32,
                recency: rows.recency[row] + 0.0,
                age: rows.age[row] + 0.0,
                log_intervals: rows.log_intervals.map(|sums| sums[row]),
            });
            out.weight.push(sum(equal.iter().map(|row| weight(*row as usize))));
            firsts.push(equal[0]);
        }
        out.covariates = matrix.ordered(&firsts);
        out
    }
}

/// Directions in which coefficients move log parameters, and which of them each coefficient takes.
struct Ways<const N: usize> {
    ways: Vec<[f64; N]>,
    of: Vec<(usize, usize)>,
}

/// The likelihood of a law and its covariates, on log parameters and standardised coefficients.
pub(in crate::clv) struct Joint<L, const N: usize> {
    law: L,
    rows: Rows,
    ways: Ways<N>,
    /// How the covariates are read, with their means and scales.
    pub(in crate::clv) terms: Terms,
    /// The coefficients, all 0.
    pub(in crate::clv) effects: Vec<Effect>,
    customers: f64,
    /// The centre of each log parameter: times lie about mean T.
    centre: [f64; N],
}

impl<L: Law<N>, const N: usize> Joint<L, N> {
    pub(in crate::clv) fn of(
        law: L,
        rows: &RfmSlices<'_>,
        given: &[Given<'_>],
        covariates: &Covariates,
    ) -> Result<Self> {
        let columns = covariates.columns()?;
        let mut terms = Terms::of(&columns, given, rows.len(), &covariates.references)?;
        let mut distinct = Rows::of(rows, &terms.matrix(given, rows.len()));
        terms.standardise(&mut distinct.covariates, |i| distinct.weight[i])?;
        let effects = coefficients::<L, N>(covariates, &columns, &terms)?;
        Ok(Self::with(law, distinct, terms, effects))
    }

    /// Of other customers, by the means and scales of these.
    pub(in crate::clv) fn of_part(&self, rows: &RfmSlices<'_>, given: &[Given<'_>]) -> Self {
        let mut distinct = Rows::of(rows, &self.terms.matrix(given, rows.len()));
        self.terms.scale(&mut distinct.covariates);
        Self::with(self.law, distinct, self.terms.clone(), self.effects.clone())
    }

    fn with(law: L, rows: Rows, terms: Terms, effects: Vec<Effect>) -> Self {
        let mut ways = Ways { ways: Vec::new(), of: Vec::new() };
        for effect in &effects {
            let step = effect.direction::<L, N>().unwrap_or([0.0; N]);
            let at = ways.ways.iter().position(|w| *w == step).unwrap_or_else(|| {
                ways.ways.push(step);
                ways.ways.len() - 1
            });
            ways.of.push((effect.column, at));
        }
        let customers = sum(rows.weight.iter().copied());
        let exposure = sum(rows.histories.iter().zip(&rows.weight).map(|(h, w)| w * h.age));
        let centre = std::array::from_fn(|i| L::TIME[i] * ln(exposure / customers));
        Self { law, rows, ways, terms, effects, customers, centre }
    }

    /// How many customers each distinct row stands for.
    pub(in crate::clv) fn weight(&self) -> &[f64] {
        &self.rows.weight
    }

    /// Whether customers of these weights have a repeat purchase.
    pub(in crate::clv) fn has_purchases(&self, weight: &[f64]) -> bool {
        self.rows.histories.iter().zip(weight).any(|(h, w)| h.frequency > 0 && *w > 0.0)
    }

    /// Where the maximum is looked for, and what the penalties of a fit take.
    pub(in crate::clv) fn shrinkage(&self, penalty: f64, covariates: &Covariates) -> Shrinkage<N> {
        let penalties = self.effects.iter().map(|e| covariates.penalty(e)).collect();
        Shrinkage { centre: self.centre, penalty, penalties }
    }

    /// The standard deviation of each coefficient's covariate.
    pub(in crate::clv) fn scales(&self) -> Vec<f64> {
        scales(&self.effects, &self.terms)
    }

    /// The log-likelihood of rows of these weights, which may be those of customers drawn again.
    pub(in crate::clv) fn evaluate(&self, weight: &[f64], at: &[f64], run: &Run) -> Result<Local> {
        let (size, n) = (at.len(), weight.len());
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            run.check()?;
            let mut total = Local::zero(size);
            for row in piece * PIECE..n.min((piece + 1) * PIECE) {
                if weight[row] > 0.0 {
                    add(self, weight[row], at, row, &mut total);
                }
            }
            Ok(total)
        })?;
        Ok(parts.into_iter().fold(Local::zero(size), Local::merge))
    }

    /// The log-likelihood and its gradient, on one thread.
    pub(in crate::clv) fn slope(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut value = 0.0;
        // Rows of equal covariates follow each other, and among them those of equal frequency.
        let mut law: Option<(&[f64], [f64; N])> = None;
        let mut common: Option<(u32, (f64, [f64; N]))> = None;
        for (row, weight) in self.rows.weight.iter().enumerate() {
            let (z, history) = (self.rows.covariates.row(row), self.rows.histories[row]);
            let theta = match law {
                Some((same, theta)) if same == z => theta,
                _ => {
                    common = None;
                    self.moved(at, z).map(exp)
                }
            };
            let shared = match common {
                Some((same, shared)) if same == history.frequency => shared,
                _ => self.law.shared_slope(theta, history.frequency),
            };
            (law, common) = (Some((z, theta)), Some((history.frequency, shared)));
            let own = self.law.own_slope(theta, history);
            value += weight * (own.0 + shared.0);
            let slope: [f64; N] = std::array::from_fn(|i| weight * theta[i] * (own.1[i] + shared.1[i]));
            for (total, slope) in gradient.iter_mut().zip(&slope) {
                *total += slope;
            }
            for ((column, way), total) in self.ways.of.iter().zip(&mut gradient[N..]) {
                *total += z[*column] * dot(&slope, &self.ways.ways[*way]);
            }
        }
        value
    }

    /// The log parameters of customers of these covariates.
    fn moved(&self, at: &[f64], z: &[f64]) -> [f64; N] {
        let mut log: [f64; N] = std::array::from_fn(|i| at[i]);
        for ((column, way), coefficient) in self.ways.of.iter().zip(&at[N..]) {
            let eta = coefficient * z[*column];
            for i in 0..N {
                log[i] += eta * self.ways.ways[*way][i];
            }
        }
        log
    }
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Fits a law with covariates, from the law without them.
pub(in crate::clv) fn fit<L: Law<N>, const N: usize>(
    law: L,
    plain: &Estimates,
    rows: &RfmSlices<'_>,
    given: &[Given<'_>],
    ask: &Ask<'_>,
    run: &Run,
) -> Result<(Estimates, Effects)> {
    let joint = Joint::of(law, rows, given, ask.covariates)?;
    run.stage("fitting covariates", 0)?;
    let finish = Finish {
        name: L::NAME,
        plain,
        shrinkage: joint.shrinkage(ask.penalty, ask.covariates),
        scales: joint.scales(),
        customers: joint.customers,
        limits: (ask.max_iterations, ask.tolerance),
    };
    let mut found = finish.find(|at| joint.evaluate(joint.weight(), at, run))?;
    found.judge(Verdict::Interior, |at, held| law.verdict(at, held));
    found.estimates.distinct = joint.weight().len() as u64;
    let Finished { estimates, values, fixed, covariance, .. } = found;
    let Joint { terms, effects, .. } = joint;
    Ok((estimates, Effects::found(terms, effects, values, &fixed, covariance)))
}

fn add<L: Law<N>, const N: usize>(
    joint: &Joint<L, N>,
    weight: f64,
    at: &[f64],
    row: usize,
    total: &mut Local,
) {
    let Joint { law, rows, ways, .. } = joint;
    let (z, history) = (rows.covariates.row(row), rows.histories[row]);
    let theta = joint.moved(at, z).map(exp);
    let (own, shared) = (law.own(theta, history), law.shared(theta, history.frequency));
    total.value += weight * (own.0 + shared.0);
    // To log parameters.
    let slope: [f64; N] = std::array::from_fn(|i| weight * theta[i] * (own.1[i] + shared.1[i]));
    let bent: [[f64; N]; N] = std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let (low, high) = (i.min(j), i.max(j));
            let second = weight * theta[i] * theta[j] * (own.2[low][high] + shared.2[low][high]);
            second + if i == j { slope[i] } else { 0.0 }
        })
    });
    let size = at.len();
    for i in 0..N {
        total.gradient[i] += slope[i];
        for j in 0..=i {
            total.hessian[i * size + j] += bent[i][j];
        }
    }
    let along: Vec<[f64; N]> = ways.ways.iter().map(|w| bent.map(|row| dot(&row, w))).collect();
    for (c, (column, way)) in ways.of.iter().enumerate() {
        let (zc, line) = (z[*column], (N + c) * size);
        total.gradient[N + c] += zc * dot(&slope, &ways.ways[*way]);
        for j in 0..N {
            total.hessian[line + j] += zc * along[*way][j];
        }
        for (d, (other, there)) in ways.of[..=c].iter().enumerate() {
            total.hessian[line + N + d] += zc * z[*other] * dot(&ways.ways[*there], &along[*way]);
        }
    }
}
