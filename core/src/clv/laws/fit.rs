//! Maximising the likelihood of any law.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::model::PurchaseModel;
use super::{Law, ParetoLaw};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::ridge::{EDGE, ended, identified};
use crate::clv::rows::{RfmSlices, Unique};
use crate::math::newton::{Local, Optimum, Stop, maximise};
use crate::math::{digamma, exp, ln, sum};
use crate::{Error, Result, Run};

/// From this number of distinct rows on, the search begins on coarser ones.
const MANY_ROWS: usize = 512;
/// Distinct rows in one piece of work.
const PIECE: usize = 256;

/// How to fit a law of purchases and dropout by maximum likelihood.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{ParetoNbd, Purchases, RfmSlices};
///
/// let rfm = RfmSlices {
///     frequency: &[0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0],
///     recency: &[0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0],
///     age: &[35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0],
///     weight: Some(&[1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]),
///     ..RfmSlices::default()
/// };
/// let model = ParetoNbd::new().fit(&rfm, &Run::new())?;
/// assert!(model.p_alive(1.0, 2.0, 38.0, 0.0)? < model.p_alive(1.0, 30.0, 38.0, 0.0)?);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "")]
pub struct Fit<L, const N: usize> {
    /// Ticks between purchases, 1 to 50, of the regular laws; 1, purchases at
    /// random, by default and for all others.
    pub k: u32,
    /// Weight of an L2 penalty, per customer, on the logarithms of the
    /// parameters, times taken in mean T; 0 (none) by default.
    pub penalty: f64,
    /// Most Newton steps; 200 by default, where ten are usual.
    pub max_iterations: usize,
    /// The fit has converged when no entry of the gradient, per customer and
    /// on log parameters, exceeds this; 1e-9 by default.
    pub tolerance: f64,
    #[serde(skip)]
    law: PhantomData<L>,
}

impl<L, const N: usize> Default for Fit<L, N> {
    fn default() -> Self {
        Self { k: 1, penalty: 0.0, max_iterations: 200, tolerance: 1e-9, law: PhantomData }
    }
}

impl<L: Law<N>, const N: usize> Fit<L, N> {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the ticks between purchases.
    #[must_use]
    pub fn k(mut self, k: u32) -> Self {
        self.k = k;
        self
    }

    /// Sets the penalty.
    #[must_use]
    pub fn penalty(mut self, penalty: f64) -> Self {
        self.penalty = penalty;
        self
    }

    /// Sets the most Newton steps.
    #[must_use]
    pub fn max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the tolerance on the gradient.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Fits the law.
    ///
    /// Errors: [`Error::Row`] for a row that cannot be, such as a recency
    /// greater than T; [`Error::Column`] where [`RfmSlices::log_intervals`] is
    /// missing and the law learns from it; [`Error::NotEnoughData`] without repeat purchases;
    /// [`Error::NotConverged`]. Where the data ask for a simpler law, the
    /// estimates' verdict says so.
    pub fn fit(&self, rows: &RfmSlices<'_>, run: &Run) -> Result<PurchaseModel<L, N>> {
        let law = self.check()?;
        rows.check()?;
        if L::DISCRETE {
            opportunities(rows)?;
        }
        if L::INTERVALS {
            with_intervals(L::NAME, rows)?;
        }
        let unique = distinct::<L, N>(rows, run)?;
        let estimates = self.estimate(law, &unique, run)?;
        Ok(PurchaseModel::fitted(law, estimates, self.penalty, rows.period))
    }

    fn check(&self) -> Result<L> {
        if !(self.penalty.is_finite() && self.penalty >= 0.0) {
            return Err(Error::option("penalty", "must be a finite number from 0"));
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::option("tolerance", "must lie between 0 and 1; the default is 1e-9"));
        }
        if self.max_iterations == 0 {
            return Err(Error::option("max_iterations", "must be 1 or more"));
        }
        L::with_k(self.k).ok_or_else(|| no_k::<L, N>(self.k))
    }

    fn estimate(&self, law: L, rows: &Unique, run: &Run) -> Result<Estimates> {
        let weighted = |f: &dyn Fn(usize) -> f64| sum((0..rows.len()).map(|i| rows.weight[i] * f(i)));
        let n = weighted(&|_| 1.0);
        let purchases = weighted(&|i| f64::from(rows.frequency[i]));
        let exposure = weighted(&|i| rows.age[i]);
        if n <= 0.0 {
            return Err(Error::not_enough_data(format!("there are no customers to fit {} on", L::NAME)));
        }
        if purchases <= 0.0 {
            return Err(Error::not_enough_data(format!(
                "no customer has a repeat purchase, so {} has nothing to estimate rates from: observe for longer",
                L::NAME
            )));
        }
        if exposure <= 0.0 {
            return Err(Error::not_enough_data("every T is 0: no time has passed since the first purchases"));
        }
        let mean_age = exposure / n;
        let centre: [f64; N] = std::array::from_fn(|i| L::TIME[i] * ln(mean_age));
        let penalty = self.penalty * n;
        run.stage("fitting", 0)?;
        let penalised = |rows: &Unique, log: &[f64; N]| -> Result<Local<N>> {
            run.check()?;
            let mut local = evaluate(law, rows, *log, run)?;
            for i in 0..N {
                let distance = log[i] - centre[i];
                local.value -= 0.5 * penalty * distance * distance;
                local.gradient[i] -= penalty * distance;
                local.hessian[i][i] -= penalty;
            }
            Ok(local)
        };
        let edge = ln(EDGE);
        let bounds: [(f64, f64); N] = std::array::from_fn(|i| (centre[i] - edge, centre[i] + edge));
        let stop = Stop { max_iterations: self.max_iterations, gradient: self.tolerance * n };
        let first = match Self::regular_start(law, rows, run)? {
            Some(first) => first,
            None => law.start(purchases / exposure, mean_age),
        };
        let mut start: [f64; N] = std::array::from_fn(|i| ln(first[i]).clamp(bounds[i].0, bounds[i].1));
        // Most of the way is found on rows that are nearly these, and fewer.
        if !L::DISCRETE && !L::INTERVALS && rows.len() >= MANY_ROWS {
            let coarse = rows.coarse();
            let nearly = Stop { gradient: 1e-6 * n, ..stop };
            let near = maximise(start, &bounds, nearly, |log| penalised(&coarse, log))?;
            let ordinary = near.converged
                && !near.bound.contains(&true)
                && near.at.iter().zip(centre).all(|(at, centre)| (at - centre).abs() < 0.5 * edge);
            if ordinary {
                start = near.at;
            }
        }
        let found = maximise(start, &bounds, stop, |log| penalised(rows, log))?;
        ended(L::NAME, &found, centre, (n, self.max_iterations), "add a small penalty such as 0.01")?;
        self.estimates(law, rows, (&found, centre, n), run)
    }

    /// Where a law that learns from the times between purchases starts from.
    pub(in crate::clv) fn regular_start(law: L, rows: &Unique, run: &Run) -> Result<Option<[f64; N]>> {
        if !L::INTERVALS {
            return Ok(None);
        }
        match Fit::<ParetoLaw, 4>::new().estimate(ParetoLaw, rows, run) {
            Ok(found) => {
                let values = std::array::from_fn(|i| found.values.get(i).copied().unwrap_or(1.0));
                Ok(law.start_near(values, regularity(rows)))
            }
            Err(Error::NotConverged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn estimates(
        &self,
        law: L,
        rows: &Unique,
        (found, centre, n): (&Optimum<N>, [f64; N], f64),
        run: &Run,
    ) -> Result<Estimates> {
        let (fixed, covariance) = identified(found, centre, found.bound);
        let at: [f64; N] = std::array::from_fn(|i| found.at[i] - centre[i]);
        let verdict = if fixed.contains(&true) { law.verdict(at, fixed) } else { Verdict::Interior };
        let values = found.at.map(exp);
        let log_likelihood =
            if self.penalty > 0.0 { evaluate(law, rows, found.at, run)?.value } else { found.local.value };
        Ok(Estimates {
            names: L::PARAMETERS.map(str::to_owned).to_vec(),
            values: values.to_vec(),
            covariance: covariance.iter().map(|row| row.to_vec()).collect(),
            fixed: fixed.to_vec(),
            log_likelihood: Some(log_likelihood),
            customers: Some(n),
            distinct: rows.len() as u64,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm / n,
            verdict,
        })
    }
}

/// A law that learns from the times between purchases is not fitted without them.
pub(in crate::clv) fn with_intervals(name: &str, rows: &RfmSlices<'_>) -> Result<()> {
    if rows.log_intervals.is_some() {
        return Ok(());
    }
    Err(Error::column(
        "log_intervals",
        format!(
            "is missing: {name} learns from the times between purchases how regularly each customer buys; \
             summarize(log_intervals=True) gives it"
        ),
    ))
}

/// The distinct rows, as the law tells them apart.
pub(super) fn distinct<L: Law<N>, const N: usize>(rows: &RfmSlices<'_>, run: &Run) -> Result<Unique> {
    if L::INTERVALS { Unique::with_intervals(rows, run) } else { Unique::counted(rows, run) }
}

/// The k of Gamma(k) times between purchases, all customers taken together:
/// that of which ln of the mean less the mean of ln is expected as it is.
fn regularity(rows: &Unique) -> f64 {
    let of = |row: usize, k: f64| {
        let x = f64::from(rows.frequency[row]);
        x * ((ln(k) - digamma(k)) - (ln(k * x) - digamma(k * x)))
    };
    let several = || (0..rows.log_intervals.len()).filter(|row| rows.frequency[*row] > 1);
    let seen = sum(several().map(|row| {
        let x = f64::from(rows.frequency[row]);
        rows.weight[row] * (x * ln(rows.recency[row] / x) - rows.log_intervals[row])
    }));
    let (mut low, mut high) = (ln(0.1), ln(50.0));
    if several().next().is_none() {
        return 1.0;
    }
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        let expected = sum(several().map(|row| rows.weight[row] * of(row, exp(middle))));
        if expected > seen { low = middle } else { high = middle }
    }
    exp(low)
}

pub(in crate::clv) fn no_k<L: Law<N>, const N: usize>(k: u32) -> Error {
    let reason = if L::with_k(2).is_some() {
        format!("{k} is not a whole number of ticks from 1 to 50")
    } else {
        format!("must be 1: {} has purchases at random", L::NAME)
    };
    Error::option("k", reason)
}

/// Recency and T of a discrete law count opportunities, of which a purchase takes one.
pub(in crate::clv) fn opportunities(rows: &RfmSlices<'_>) -> Result<()> {
    let whole = |t: f64| t.fract() == 0.0 && t <= 1e6;
    for row in 0..rows.len() {
        let (x, t_x, t) = (rows.frequency[row], rows.recency[row], rows.age[row]);
        let (column, reason) = if !whole(t) {
            ("T", "is not a whole number of opportunities up to a million")
        } else if !whole(t_x) {
            ("recency", "is not a whole number of opportunities")
        } else if x > t_x {
            ("frequency", "is more than recency: there is at most one purchase at each opportunity")
        } else {
            continue;
        };
        return Err(Error::Row { column: column.into(), row: row as u64, reason: reason.into(), count: 1 });
    }
    Ok(())
}

/// The log-likelihood on log parameters.
pub(in crate::clv) fn evaluate<L: Law<N>, const N: usize>(
    law: L,
    rows: &Unique,
    log: [f64; N],
    run: &Run,
) -> Result<Local<N>> {
    let theta = log.map(exp);
    let parts = run.map_items(rows.len().div_ceil(PIECE), |piece| {
        let mut total = (0.0, [0.0; N], [[0.0; N]; N]);
        let mut add = |weight: f64, (value, gradient, hessian): (f64, [f64; N], [[f64; N]; N])| {
            total.0 += weight * value;
            for i in 0..N {
                total.1[i] += weight * gradient[i];
                for j in i..N {
                    total.2[i][j] += weight * hessian[i][j];
                }
            }
        };
        let end = rows.len().min((piece + 1) * PIECE);
        let mut row = piece * PIECE;
        while row < end {
            let frequency = rows.frequency[row];
            let mut weight = 0.0;
            while row < end && rows.frequency[row] == frequency {
                weight += rows.weight[row];
                add(rows.weight[row], law.own(theta, rows.history(row)));
                row += 1;
            }
            add(weight, law.shared(theta, frequency));
        }
        Ok(total)
    })?;
    let value = sum(parts.iter().map(|p| p.0));
    let natural: [f64; N] = std::array::from_fn(|i| sum(parts.iter().map(|p| p.1[i])));
    let bent = |i: usize, j: usize| sum(parts.iter().map(|p| p.2[i.min(j)][i.max(j)]));
    let gradient: [f64; N] = std::array::from_fn(|i| theta[i] * natural[i]);
    let hessian = std::array::from_fn(|i| {
        std::array::from_fn(|j| theta[i] * theta[j] * bent(i, j) + if i == j { gradient[i] } else { 0.0 })
    });
    Ok(Local { value, gradient, hessian })
}

/// [`evaluate`] without the Hessian, on one thread.
pub(in crate::clv) fn slope<L: Law<N>, const N: usize>(
    law: L,
    rows: &Unique,
    log: [f64; N],
) -> (f64, [f64; N]) {
    let theta = log.map(exp);
    let (mut value, mut natural) = (0.0, [0.0; N]);
    let mut add = |weight: f64, (part, gradient): (f64, [f64; N])| {
        value += weight * part;
        for (total, g) in natural.iter_mut().zip(gradient) {
            *total += weight * g;
        }
    };
    let mut row = 0;
    while row < rows.len() {
        let frequency = rows.frequency[row];
        let mut weight = 0.0;
        while row < rows.len() && rows.frequency[row] == frequency {
            weight += rows.weight[row];
            add(rows.weight[row], law.own_slope(theta, rows.history(row)));
            row += 1;
        }
        add(weight, law.shared_slope(theta, frequency));
    }
    (value, std::array::from_fn(|i| theta[i] * natural[i]))
}
