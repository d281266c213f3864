//! Maximising the likelihood of a law and its covariates together.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use super::Covariates;
use super::effects::{Effects, coefficients};
use crate::clv::design::{Given, Matrix, Terms};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::joint::{Joined, Joint};
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

/// Fits a law with covariates, from the law without them.
pub(in crate::clv) fn fit<L: Law<N>, const N: usize>(
    law: L,
    plain: &Estimates,
    rows: &RfmSlices<'_>,
    given: &[Given<'_>],
    ask: &Ask<'_>,
    run: &Run,
) -> Result<(Estimates, Effects)> {
    let columns = ask.covariates.columns()?;
    let mut terms = Terms::of(&columns, given, rows.len(), &ask.covariates.references)?;
    let mut distinct = Rows::of(rows, &terms.matrix(given, rows.len()));
    terms.standardise(&mut distinct.covariates, |i| distinct.weight[i])?;
    let effects = coefficients::<L, N>(ask.covariates, &columns, &terms)?;
    let mut ways = Ways { ways: Vec::new(), of: Vec::new() };
    for effect in &effects {
        let step = effect.direction::<L, N>().unwrap_or([0.0; N]);
        let at = ways.ways.iter().position(|w| *w == step).unwrap_or_else(|| {
            ways.ways.push(step);
            ways.ways.len() - 1
        });
        ways.of.push((effect.column, at));
    }
    let customers = sum(distinct.weight.iter().copied());
    let exposure = sum(distinct.histories.iter().zip(&distinct.weight).map(|(h, w)| w * h.age));
    let scales = terms.scales();
    run.stage("fitting covariates", 0)?;
    let joint = Joint {
        name: L::NAME,
        plain,
        centre: std::array::from_fn(|i| L::TIME[i] * ln(exposure / customers)),
        penalty: ask.penalty,
        penalties: effects.iter().map(|e| ask.covariates.penalty(e)).collect(),
        scales: effects.iter().map(|e| scales[e.column]).collect(),
        customers,
        limits: (ask.max_iterations, ask.tolerance),
    };
    let mut found = joint.find(|at| evaluate(law, &distinct, &ways, at, run))?;
    found.judge(Verdict::Interior, |at, held| law.verdict(at, held));
    found.estimates.distinct = distinct.weight.len() as u64;
    let Joined { estimates, values, fixed, covariance, .. } = found;
    Ok((estimates, Effects::found(terms, effects, values, &fixed, covariance)))
}

/// The log-likelihood on log parameters and standardised coefficients.
fn evaluate<L: Law<N>, const N: usize>(
    law: L,
    rows: &Rows,
    ways: &Ways<N>,
    at: &[f64],
    run: &Run,
) -> Result<Local> {
    let size = at.len();
    let n = rows.weight.len();
    let parts = run.map_items(n.div_ceil(PIECE), |piece| {
        run.check()?;
        let mut total = Local::zero(size);
        for row in piece * PIECE..n.min((piece + 1) * PIECE) {
            add(law, rows, ways, at, row, &mut total);
        }
        Ok(total)
    })?;
    Ok(parts.into_iter().fold(Local::zero(size), Local::merge))
}

fn add<L: Law<N>, const N: usize>(
    law: L,
    rows: &Rows,
    ways: &Ways<N>,
    at: &[f64],
    row: usize,
    total: &mut Local,
) {
    let (z, history, weight) = (rows.covariates.row(row), rows.histories[row], rows.weight[row]);
    let mut log: [f64; N] = std::array::from_fn(|i| at[i]);
    for ((column, way), coefficient) in ways.of.iter().zip(&at[N..]) {
        let eta = coefficient * z[*column];
        for i in 0..N {
            log[i] += eta * ways.ways[*way][i];
        }
    }
    let theta = log.map(exp);
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
    let dot = |a: &[f64; N], b: &[f64; N]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
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
