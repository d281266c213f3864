//! Likelihoods without a maximum: what they identify, and when a search along them has ended.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use crate::math::newton::{Optimum, covariance};
use crate::math::{Factor, ln};
use crate::{Error, Result};

/// A parameter this far from its centre is as good as 0 or infinite.
pub(super) const EDGE: f64 = 1e6;
/// ln of how far from its centre a parameter on a ridge has run off.
const FAR: f64 = 6.0;
/// A gain in log-likelihood that is next to nothing.
const NEARLY: f64 = 1e-6;
/// The same along a ridge.
const RIDGE: f64 = 1e-2;

/// Whether a search has ended, at a maximum or on a ridge; else an error with the advice for this model.
pub(super) fn ended<const N: usize>(
    model: &'static str,
    found: &Optimum<N>,
    centre: [f64; N],
    (customers, max_iterations): (f64, usize),
    advice: &str,
) -> Result<()> {
    if found.converged || flat(found, centre) {
        return Ok(());
    }
    // Where the search gave up before, more steps would change nothing.
    let more = if found.iterations < max_iterations { "" } else { "raise max_iterations, or " };
    Err(Error::NotConverged {
        model,
        iterations: found.iterations,
        gradient_norm: found.gradient_norm / customers,
        hint: format!("{more}{advice}"),
    })
}

/// Which parameters the data do not identify, and the covariance of the others: those
/// that are `fixed` already, as at a bound;
/// on a ridge, or where the Hessian is singular, those that have run off along it; and those of
/// which an error as wide as the search itself would be told.
pub(super) fn identified<const N: usize>(
    found: &Optimum<N>,
    centre: [f64; N],
    mut fixed: [bool; N],
) -> ([bool; N], [[f64; N]; N]) {
    let hessian = &found.local.hessian;
    let mut known = covariance(hessian, fixed).filter(|_| found.converged);
    if known.is_none() {
        for (fixed, (at, centre)) in fixed.iter_mut().zip(found.at.iter().zip(centre)) {
            *fixed |= (at - centre).abs() > FAR;
        }
        known = covariance(hessian, fixed);
    }
    if known.is_none() {
        let held = |i: usize, j: usize| {
            if fixed[i] || fixed[j] { f64::from(u8::from(i == j)) } else { -hessian[i][j] }
        };
        let factor = Factor::new((0..N * N).map(|at| held(at / N, at % N)).collect(), N);
        for (fixed, used) in fixed.iter_mut().zip(factor.used()) {
            *fixed |= !used;
        }
        known = covariance(hessian, fixed);
    }
    while let Some(covariance) = known {
        let widest = (0..N).max_by(|i, j| covariance[*i][*i].total_cmp(&covariance[*j][*j])).unwrap_or(0);
        if covariance[widest][widest].sqrt() <= ln(EDGE) {
            return (fixed, covariance);
        }
        fixed[widest] = true;
        known = self::covariance(hessian, fixed);
    }
    ([true; N], [[0.0; N]; N])
}

/// Whether the search has ended where next to nothing can be gained: neither by a step of the
/// parameters that are identified, nor by going on to the bounds with those that run off.
fn flat<const N: usize>(found: &Optimum<N>, centre: [f64; N]) -> bool {
    let gradient = &found.local.gradient;
    let (fixed, covariance) = identified(found, centre, found.bound);
    let gain: f64 =
        (0..N).map(|i| 0.5 * gradient[i] * (0..N).map(|j| covariance[i][j] * gradient[j]).sum::<f64>()).sum();
    let running = (0..N).filter(|i| fixed[*i] && !found.bound[*i]);
    // The likelihood nears its limit as one over such a parameter: what is left is its slope.
    let rest: f64 = running.map(|i| gradient[i].abs()).sum();
    gain.abs() < NEARLY && rest < RIDGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::newton::Local;

    /// −½ (a − b)² − 2 c², but for a bend flat along a = b.
    fn found(bend: f64, at: [f64; 3], slope: f64) -> Optimum<3> {
        let hessian = [[-1.0 - bend, 1.0, 0.0], [1.0, -1.0 - bend, 0.0], [0.0, 0.0, -4.0]];
        Optimum {
            at,
            local: Local { value: 0.0, gradient: [slope, slope, 0.0], hessian },
            bound: [false; 3],
            converged: slope == 0.0,
            iterations: 9,
            gradient_norm: slope,
        }
    }

    #[test]
    fn what_runs_off_is_held_and_the_rest_is_identified() {
        for bend in [0.0, 1e-16] {
            let (fixed, known) = identified(&found(bend, [1.0, 11.0, 0.5], 0.0), [0.0; 3], [false; 3]);
            assert_eq!(fixed, [false, true, false]);
            assert!((known[0][0] - 1.0).abs() < 1e-9 && (known[2][2] - 0.25).abs() < 1e-12);
        }
        let (fixed, known) = identified(&found(0.1, [9.0, 11.0, 0.5], 0.0), [0.0; 3], [false; 3]);
        assert!(fixed == [false; 3] && known[0][0] > 1.0);
        // Nothing has run off, and one of two says nothing beside the other.
        assert_eq!(identified(&found(0.0, [1.0; 3], 0.0), [0.0; 3], [false; 3]).0, [false, true, false]);
        // An error as wide as the search.
        assert_eq!(
            identified(&found(1e-9, [1.0; 3], 0.0), [0.0; 3], [false; 3]).0.iter().filter(|f| **f).count(),
            1
        );
    }

    #[test]
    fn a_search_on_a_ridge_has_ended_where_little_is_left() {
        let ended =
            |slope: f64| ended("toy", &found(0.0, [9.0, 11.0, 0.5], slope), [0.0; 3], (100.0, 50), "do this");
        assert!(ended(1e-4).is_ok());
        let told = ended(1.0).unwrap_err().to_string();
        assert!(told.contains("do this") && !told.contains("raise"), "{told}");
    }
}
