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

/// A law of `N` parameters and coefficients on standardised covariates: what is searched.
pub(super) struct Joint<'a, const N: usize> {
    pub(super) name: &'static str,
    /// The law without covariates, to start from.
    pub(super) plain: &'a Estimates,
    /// The middle of the search of each log parameter.
    pub(super) centre: [f64; N],
    /// λ of −½ λ (ln θ − centre)² per customer.
    pub(super) penalty: f64,
    /// λ of −½ λ γ² per customer, of each coefficient.
    pub(super) penalties: Vec<f64>,
    /// The standard deviation of each coefficient's covariate.
    pub(super) scales: Vec<f64>,
    pub(super) customers: f64,
    /// Most Newton steps, and the gradient per customer that counts as zero.
    pub(super) limits: (usize, f64),
}

/// Where the likelihood is greatest.
pub(super) struct Joined<const N: usize> {
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

impl<const N: usize> Joint<'_, N> {
    /// The maximum of `whole`, the log-likelihood on log parameters and standardised coefficients.
    pub(super) fn find(&self, whole: impl Fn(&[f64]) -> Result<Local>) -> Result<Joined<N>> {
        let size = N + self.scales.len();
        let mut start: Vec<f64> = self.plain.values.iter().map(|v| ln(*v)).collect();
        start.resize(size, 0.0);
        let mut bounds: Vec<(f64, f64)> = self.centre.iter().map(|c| (c - EDGE, c + EDGE)).collect();
        bounds.resize(size, (-STEEPEST, STEEPEST));
        let penalised = |at: &[f64]| -> Result<Local> {
            let mut local = whole(at)?;
            self.penalise(at, &mut local);
            Ok(local)
        };
        let found = search(self.name, &start, &bounds, self.limits, self.customers, penalised)?;
        let log_likelihood = whole(&found.at)?.value;
        Ok(self.back(&found, log_likelihood))
    }

    fn penalise(&self, at: &[f64], local: &mut Local) {
        let law = self.centre.iter().map(|centre| (self.penalty, *centre));
        let all = law.chain(self.penalties.iter().map(|penalty| (*penalty, 0.0)));
        for (i, (penalty, centre)) in all.enumerate() {
            let (penalty, away) = (self.customers * penalty, at[i] - centre);
            local.value -= 0.5 * penalty * away * away;
            local.gradient[i] -= penalty * away;
            local.hessian[i * at.len() + i] -= penalty;
        }
    }

    /// From standardised covariates to those of the data; log parameters stay.
    fn back(&self, found: &Maximum, log_likelihood: f64) -> Joined<N> {
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
            log_likelihood,
            customers: self.customers,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm,
            verdict: found.verdict,
            ..self.plain.clone()
        };
        Joined {
            estimates,
            values: found.at[N..].iter().zip(&units[N..]).map(|(v, unit)| v * unit).collect(),
            fixed: found.fixed[N..].to_vec(),
            covariance,
            at: std::array::from_fn(|i| found.at[i] - self.centre[i]),
            held: std::array::from_fn(|i| found.fixed[i]),
        }
    }
}

impl<const N: usize> Joined<N> {
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
            log_likelihood: 0.0,
            customers: 1.0,
            distinct: 7,
            iterations: 0,
            gradient_norm: 0.0,
            verdict: Verdict::Interior,
        };
        let joint = Joint {
            name: "a parabola",
            plain: &plain,
            centre: [0.2],
            penalty: 0.5,
            penalties: vec![0.25],
            scales: vec![4.0],
            customers: 100.0,
            limits: (50, 1e-12),
        };
        // −½ n ((ln a − 0.8)² + (γ − 1.5)²)
        let found = joint.find(|at| {
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
        near(found.estimates.log_likelihood, -50.0 * ((ln_a - 0.8_f64).powi(2) + (slope - 1.5_f64).powi(2)));
        assert_eq!((found.estimates.distinct, found.estimates.customers), (7, 100.0));
        assert!(!found.fixed[0] && found.estimates.verdict == Verdict::Interior);
        Ok(())
    }
}
