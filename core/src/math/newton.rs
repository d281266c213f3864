//! Newton's method for the few parameters of a likelihood.
//!
//! The likelihoods of this library have analytic gradients and Hessians, four
//! parameters or fewer, and live on log parameters. So the solver is small:
//! damped Newton steps inside a box, by a Cholesky factor of the negated
//! Hessian, judged by the gradient.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use crate::Result;

/// A function's value, gradient and Hessian at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Local<const N: usize> {
    /// The value.
    pub value: f64,
    /// The gradient.
    pub gradient: [f64; N],
    /// The Hessian, symmetric.
    pub hessian: [[f64; N]; N],
}

impl<const N: usize> Local<N> {
    fn is_finite(&self) -> bool {
        self.value.is_finite()
            && self.gradient.iter().all(|g| g.is_finite())
            && self.hessian.iter().flatten().all(|h| h.is_finite())
    }
}

/// Where to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// Most iterations.
    pub max_iterations: usize,
    /// The greatest absolute entry of the gradient that counts as zero.
    pub gradient: f64,
}

/// Where the search ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimum<const N: usize> {
    /// The point.
    pub at: [f64; N],
    /// The function there.
    pub local: Local<N>,
    /// Newton steps taken.
    pub iterations: usize,
    /// Which entries lie on their bound, with the gradient pushing outwards.
    pub bound: [bool; N],
    /// The greatest absolute entry of the gradient, bound entries aside.
    pub gradient_norm: f64,
    /// Whether the gradient vanished.
    pub converged: bool,
}

/// No entry moves further than this in one step.
const LONGEST: f64 = 2.0;
/// This close to a bound is on it.
const AT_BOUND: f64 = 1e-9;

/// Maximises a function of `N` variables inside a box.
///
/// `evaluate` may return non-finite numbers far from the data; such a step is
/// shortened. An entry whose bound stops it is held there while the gradient
/// pushes outwards. When the gradient has vanished, one more step is taken for
/// the last digits.
pub fn maximise<const N: usize, F>(
    start: [f64; N],
    bounds: &[(f64, f64); N],
    stop: Stop,
    mut evaluate: F,
) -> Result<Optimum<N>>
where
    F: FnMut(&[f64; N]) -> Result<Local<N>>,
{
    let clamp = |at: [f64; N]| -> [f64; N] { std::array::from_fn(|i| at[i].clamp(bounds[i].0, bounds[i].1)) };
    let mut at = clamp(start);
    let mut local = evaluate(&at)?;
    let mut iterations = 0;
    loop {
        let bound: [bool; N] = std::array::from_fn(|i| {
            (at[i] <= bounds[i].0 && local.gradient[i] <= 0.0)
                || (at[i] >= bounds[i].1 && local.gradient[i] >= 0.0)
        });
        let gradient_norm = norm(&local, bound);
        let done = |at, local, iterations, converged| Optimum {
            at,
            local,
            iterations,
            bound,
            gradient_norm,
            converged,
        };
        if !local.is_finite() {
            return Ok(done(at, local, iterations, false));
        }
        let converged = gradient_norm <= stop.gradient;
        if iterations >= stop.max_iterations {
            return Ok(done(at, local, iterations, converged));
        }
        // An entry on its bound that would leave the box stays, although its gradient points inwards:
        // or the step, which ends where a bound is in the way, would have no length.
        let mut stays = bound;
        let found = loop {
            let Some(found) = step(&local, stays) else { break None };
            let leaves = |i: usize| {
                !stays[i]
                    && (found[i] > 0.0 && at[i] >= bounds[i].1 || found[i] < 0.0 && at[i] <= bounds[i].0)
            };
            let Some(i) = (0..N).find(|i| leaves(*i)) else { break Some(found) };
            stays[i] = true;
        };
        let Some(step) = found else { return Ok(done(at, local, iterations, converged)) };
        if converged {
            let last = clamp(std::array::from_fn(|i| at[i] + step[i]));
            let polished = evaluate(&last)?;
            let improved = polished.is_finite() && norm(&polished, bound) < gradient_norm;
            return Ok(if improved {
                Optimum {
                    gradient_norm: norm(&polished, bound),
                    ..done(last, polished, iterations + 1, true)
                }
            } else {
                done(at, local, iterations, true)
            });
        }
        let longest = step.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
        let mut length = if longest > LONGEST { LONGEST / longest } else { 1.0 };
        // A bound in the way ends the step, so that the others keep their direction.
        for i in 0..N {
            let room = if step[i] > 0.0 { bounds[i].1 - at[i] } else { at[i] - bounds[i].0 };
            if room < length * step[i].abs() {
                length = room / step[i].abs();
            }
        }
        let mut moved = false;
        for _ in 0..50 {
            let next = std::array::from_fn(|i| {
                let next = at[i] + length * step[i];
                let (low, high) = bounds[i];
                if next <= low + AT_BOUND {
                    low
                } else if next >= high - AT_BOUND {
                    high
                } else {
                    next
                }
            });
            let found = evaluate(&next)?;
            // Near the top the value no longer tells; then the gradient must.
            let noise = 1e-13 * local.value.abs();
            let better = found.value > local.value + noise
                || (found.value > local.value - noise && norm(&found, bound) < gradient_norm);
            if found.is_finite() && better {
                (at, local, moved) = (next, found, true);
                break;
            }
            length *= 0.5;
        }
        if !moved {
            return Ok(done(at, local, iterations, false));
        }
        iterations += 1;
    }
}

fn norm<const N: usize>(local: &Local<N>, bound: [bool; N]) -> f64 {
    (0..N).filter(|i| !bound[*i]).fold(0.0_f64, |m, i| m.max(local.gradient[i].abs()))
}

/// An ascent direction: Newton's where the Hessian is negative definite, else
/// with as much of the diagonal added as makes it so.
fn step<const N: usize>(local: &Local<N>, bound: [bool; N]) -> Option<[f64; N]> {
    let mut matrix = [[0.0; N]; N];
    let mut gradient = local.gradient;
    let mut largest = 0.0_f64;
    for i in 0..N {
        for j in 0..N {
            matrix[i][j] = if bound[i] || bound[j] { 0.0 } else { -local.hessian[i][j] };
        }
        if bound[i] {
            gradient[i] = 0.0;
        }
        largest = largest.max(matrix[i][i].abs());
    }
    let largest = if largest > 0.0 { largest } else { 1.0 };
    let mut shift = 0.0;
    for _ in 0..40 {
        let mut shifted = matrix;
        for i in 0..N {
            shifted[i][i] += if bound[i] { 1.0 } else { shift };
        }
        if let Some(factor) = cholesky(&shifted) {
            return Some(solve(&factor, &gradient));
        }
        shift = if shift == 0.0 { 1e-8 * largest } else { shift * 10.0 };
    }
    None
}

/// The lower Cholesky factor; `None` where the matrix is not positive definite
/// to working accuracy.
pub fn cholesky<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut factor = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let rest = matrix[i][j] - dot;
            if i == j {
                if rest.is_nan() || rest <= 1e-14 * matrix[i][i].abs() {
                    return None;
                }
                factor[i][i] = rest.sqrt();
            } else {
                factor[i][j] = rest / factor[j][j];
            }
        }
    }
    Some(factor)
}

/// Solves `L Lᵀ x = y`.
pub fn solve<const N: usize>(factor: &[[f64; N]; N], y: &[f64; N]) -> [f64; N] {
    let mut x = *y;
    for i in 0..N {
        let dot: f64 = (0..i).map(|k| factor[i][k] * x[k]).sum();
        x[i] = (x[i] - dot) / factor[i][i];
    }
    for i in (0..N).rev() {
        let dot: f64 = (i + 1..N).map(|k| factor[k][i] * x[k]).sum();
        x[i] = (x[i] - dot) / factor[i][i];
    }
    x
}

/// The covariance of maximum-likelihood estimates: the inverse of the negated
/// Hessian over the entries that are not `bound`; rows and columns of bound
/// entries are 0. `None` where the free part is singular.
pub fn covariance<const N: usize>(hessian: &[[f64; N]; N], bound: [bool; N]) -> Option<[[f64; N]; N]> {
    let mut matrix = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..N {
            matrix[i][j] = if bound[i] || bound[j] { f64::from(u8::from(i == j)) } else { -hessian[i][j] };
        }
    }
    let factor = cholesky(&matrix)?;
    let mut inverse = [[0.0; N]; N];
    for j in 0..N {
        let mut unit = [0.0; N];
        unit[j] = 1.0;
        let column = solve(&factor, &unit);
        for i in 0..N {
            inverse[i][j] = if bound[i] || bound[j] { 0.0 } else { column[i] };
        }
    }
    for i in 0..N {
        for j in 0..i {
            let mean = 0.5 * (inverse[i][j] + inverse[j][i]);
            inverse[i][j] = mean;
            inverse[j][i] = mean;
        }
    }
    Some(inverse)
}
