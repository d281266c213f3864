//! A law's log parameters and coefficients of covariates, found together.

use super::estimates::{Estimates, Verdict};
use super::regression::{Maximum, search};
use crate::Result;
use crate::math::ascent::Local;
use crate::math::{exp, ln};

/// A log parameter of the law stays within ln(10⁶) of its centre, as without covariates.
const EDGE: f64 = 13.815_510_557_964_274;
/// A standardised coefficient stays within this: a factor of e³⁰ for one standard deviation.
const STEEPEST: f64 = 30.0;

/// What keeps a search of log parameters and standardised coefficients: a box, and penalties.
pub(super) struct Shrinkage<const N: usize> {
    /// The middle of the search of each log parameter.
    pub(super) centre: [f64; N],
    /// λ of −½ λ (ln θ − centre)² per customer.
    pub(super) penalty: f64,
    /// λ of −½ λ γ² per customer, of each coefficient.
    pub(super) penalties: Vec<f64>,
}

impl<const N: usize> Shrinkage<N> {
    pub(super) fn bounds(&self) -> Vec<(f64, f64)> {
        let law = self.centre.iter().map(|c| (c - EDGE, c + EDGE));
        law.chain(self.penalties.iter().map(|_| (-STEEPEST, STEEPEST))).collect()
    }

    /// Takes the penalties from the log-likelihood of so many customers.
    pub(super) fn penalise(&self, customers: f64, at: &[f64], local: &mut Local) {
        let law = self.centre.iter().map(|centre| (self.penalty, *centre));
        let all = law.chain(self.penalties.iter().map(|penalty| (*penalty, 0.0)));
        for (i, (penalty, centre)) in all.enumerate() {
            let (penalty, away) = (customers * penalty, at[i] - centre);
            local.value -= 0.5 * penalty * away * away;
            local.gradient[i] -= penalty * away;
            local.hessian[i * at.len() + i] -= penalty;
        }
    }
}

/// A law of `N` parameters and coefficients on standardised covariates: all a fit needs beside the likelihood.
pub(super) struct Finish<'a, const N: usize> {
    pub(super) name: &'static str,
    /// The law without covariates, to start from.
    pub(super) plain: &'a Estimates,
    pub(super) shrinkage: Shrinkage<N>,
    /// The standard deviation of each coefficient's covariate.
    pub(super) scales: Vec<f64>,
    pub(super) customers: f64,
    /// Most Newton steps, and the gradient per customer that counts as zero.
    pub(super) limits: (usize, f64),
}

/// Where the likelihood is greatest.
pub(super) struct Finished<const N: usize> {
    /// The law at the means of the covariates; their log-likelihood is without penalties.
    pub(super) estimates: Estimates,
    /// The coefficients in the units of the data, and which the data do not identify.
    pub(super) values: Vec<f64>,
    pub(super) fixed: Vec<bool>,
    /// Of log parameters and then of the coefficients.
    pub(super) covariance: Vec<Vec<f64>>,
    /// The law's log parameters about their centre, and which are held.
    at: [f64; N],
    held: [bool; N],
}

impl<const N: usize> Finish<'_, N> {
    /// The maximum of `whole`, the log-likelihood on log parameters and standardised coefficients.
    pub(super) fn find(&self, whole: impl Fn(&[f64]) -> Result<Local>) -> Result<Finished<N>> {
        self.find_within(&self.shrinkage.bounds(), whole)
    }

    /// The same inside these bounds.
    pub(super) fn find_within(
        &self,
        bounds: &[(f64, f64)],
        whole: impl Fn(&[f64]) -> Result<Local>,
    ) -> Result<Finished<N>> {
        let size = N + self.scales.len();
        let mut start: Vec<f64> = self.plain.values.iter().map(|v| ln(*v)).collect();
        start.resize(size, 0.0);
        let penalised = |at: &[f64]| -> Result<Local> {
            let mut local = whole(at)?;
            self.shrinkage.penalise(self.customers, at, &mut local);
            Ok(local)
        };
        let found = search(self.name, &start, bounds, self.limits, self.customers, penalised)?;
        let log_likelihood = whole(&found.at)?.value;
        Ok(self.back(&found, log_likelihood))
    }

    /// From standardised covariates to those of the data; log parameters stay.
    fn back(&self, found: &Maximum, log_likelihood: f64) -> Finished<N> {
        let mut units = vec![1.0; N];
        units.extend(self.scales.iter().map(|scale| 1.0 / scale));
        let size = units.len();
        let covariance: Vec<Vec<f64>> = (0..size)
            .map(|i| (0..size).map(|j| found.covariance[i * size + j] * units[i] * units[j]).collect())
            .collect();
        let estimates = Estimates {
            values: found.at[..N].iter().map(|v| exp(*v)).collect(),
            covariance: covariance[..N].iter().map(|row| row[..N].to_vec()).collect(),
            fixed: found.fixed[..N].to_vec(),
            log_likelihood: Some(log_likelihood),
            customers: Some(self.customers),
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm,
            verdict: found.verdict,
            ..self.plain.clone()
        };
        Finished {
            estimates,
            values: found.at[N..].iter().zip(&units[N..]).map(|(v, unit)| v * unit).collect(),
            fixed: found.fixed[N..].to_vec(),
            covariance,
            at: std::array::from_fn(|i| found.at[i] - self.shrinkage.centre[i]),
            held: std::array::from_fn(|i| found.fixed[i]),
        }
    }
}

impl<const N: usize> Finished<N> {
    /// The law's own verdict where some of its parameters are held, else `interior`.
    pub(super) fn judge(&mut self, interior: Verdict, law: impl Fn([f64; N], [bool; N]) -> Verdict) {
        self.estimates.verdict = if self.held.contains(&true) { law(self.at, self.held) } else { interior };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_pull_to_the_centre_and_coefficients_leave_in_the_units_of_the_data() -> Result<()> {
        let plain = Estimates {
            names: vec!["a".into()],
            values: vec![1.5],
            covariance: vec![vec![0.0]],
            fixed: vec![true],
            log_likelihood: Some(0.0),
            customers: Some(1.0),
            distinct: 7,
            iterations: 0,
            gradient_norm: 0.0,
            verdict: Verdict::Interior,
        };
        let finish = Finish {
            name: "a parabola",
            plain: &plain,
            shrinkage: Shrinkage { centre: [0.2], penalty: 0.5, penalties: vec![0.25] },
            scales: vec![4.0],
            customers: 100.0,
            limits: (50, 1e-12),
        };
        // −½ n ((ln a − 0.8)² + (γ − 1.5)²)
        let found = finish.find(|at| {
            let away = [at[0] - 0.8, at[1] - 1.5];
            Ok(Local {
                value: -50.0 * (away[0] * away[0] + away[1] * away[1]),
                gradient: vec![-100.0 * away[0], -100.0 * away[1]],
                hessian: vec![-100.0, 0.0, 0.0, -100.0],
            })
        })?;
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * b.abs(), "{a} for {b}");
        let (ln_a, slope) = ((0.8 + 0.5 * 0.2) / 1.5, 1.5 / 1.25);
        near(found.estimates.values[0], exp(ln_a));
        near(found.values[0], slope / 4.0);
        near(found.covariance[0][0], 1.0 / 150.0);
        near(found.covariance[1][1], 1.0 / 125.0 / 16.0);
        near(
            found.estimates.log_likelihood.unwrap_or(f64::NAN),
            -50.0 * ((ln_a - 0.8_f64).powi(2) + (slope - 1.5_f64).powi(2)),
        );
        assert_eq!((found.estimates.distinct, found.estimates.customers), (7, Some(100.0)));
        assert!(!found.fixed[0] && found.estimates.verdict == Verdict::Interior);
        Ok(())
    }
}
