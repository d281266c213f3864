//! Newton's method for functions of many variables inside a box.
//!
//! As [`newton`](super::newton), for numbers of parameters that are not known
//! when the program is built: regressions with a coefficient or more for each
//! channel. Steps are projected onto the box (Bertsekas 1982), entries at a
//! bound with the gradient pushing outwards are held there.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use super::newton::Stop;
use crate::Result;

/// A function's value, gradient and Hessian at a point; the Hessian row by
/// row, of which the lower triangle counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Local {
    pub(crate) value: f64,
    pub(crate) gradient: Vec<f64>,
    pub(crate) hessian: Vec<f64>,
}

impl Local {
    pub(crate) fn zero(n: usize) -> Self {
        Self { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] }
    }

    /// Adds another piece of the same sum.
    #[allow(clippy::needless_pass_by_value)] // the shape that folds take
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.value += other.value;
        for (a, b) in self.gradient.iter_mut().zip(&other.gradient) {
            *a += b;
        }
        for (a, b) in self.hessian.iter_mut().zip(&other.hessian) {
            *a += b;
        }
        self
    }

    /// So many times as much.
    pub(crate) fn times(mut self, weight: f64) -> Self {
        self.value *= weight;
        self.gradient.iter_mut().chain(&mut self.hessian).for_each(|value| *value *= weight);
        self
    }

    fn is_finite(&self) -> bool {
        self.value.is_finite()
            && self.gradient.iter().all(|g| g.is_finite())
            && self.hessian.iter().all(|h| h.is_finite())
    }
}

/// Where the search ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Optimum {
    pub(crate) at: Vec<f64>,
    pub(crate) local: Local,
    pub(crate) iterations: usize,
    /// Which entries lie on their bound, with the gradient pushing outwards.
    pub(crate) bound: Vec<bool>,
    pub(crate) gradient_norm: f64,
    pub(crate) converged: bool,
}

/// No entry moves further than this in one step.
const LONGEST: f64 = 3.0;

/// Maximises a function inside a box, from `start`.
///
/// `evaluate` may return non-finite numbers; such a step is shortened.
pub(crate) fn maximise<F>(
    start: &[f64],
    bounds: &[(f64, f64)],
    stop: Stop,
    mut evaluate: F,
) -> Result<Optimum>
where
    F: FnMut(&[f64]) -> Result<Local>,
{
    let clamp = |at: Vec<f64>| -> Vec<f64> {
        at.iter().zip(bounds).map(|(x, (low, high))| x.clamp(*low, *high)).collect()
    };
    let mut at = clamp(start.to_vec());
    let mut local = evaluate(&at)?;
    let mut iterations = 0;
    loop {
        let bound = held(&at, &local, bounds);
        let gradient_norm = norm(&local, &bound);
        let sound = local.is_finite();
        let converged = sound && gradient_norm <= stop.gradient;
        let step =
            if sound && !converged && iterations < stop.max_iterations { step(&local, &bound) } else { None };
        let Some(step) = step else {
            return Ok(Optimum { at, local, iterations, bound, gradient_norm, converged });
        };
        let longest = step.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
        let mut length = if longest > LONGEST { LONGEST / longest } else { 1.0 };
        let mut moved = false;
        for _ in 0..60 {
            let next = clamp(at.iter().zip(&step).map(|(x, s)| x + length * s).collect());
            let found = evaluate(&next)?;
            // Near the top the value no longer tells; then the gradient must.
            let noise = 1e-13 * local.value.abs();
            let better = found.value > local.value + noise
                || (found.value >= local.value - noise
                    && norm(&found, &held(&next, &found, bounds)) < gradient_norm);
            if found.is_finite() && better {
                (at, local, moved) = (next, found, true);
                break;
            }
            length *= 0.5;
        }
        if !moved {
            return Ok(Optimum { at, local, iterations, bound, gradient_norm, converged: false });
        }
        iterations += 1;
    }
}

fn held(at: &[f64], local: &Local, bounds: &[(f64, f64)]) -> Vec<bool> {
    let at_bound = |i: usize| {
        let (low, high) = bounds[i];
        (at[i] <= low && local.gradient[i] <= 0.0) || (at[i] >= high && local.gradient[i] >= 0.0)
    };
    (0..at.len()).map(at_bound).collect()
}

fn norm(local: &Local, bound: &[bool]) -> f64 {
    let free = local.gradient.iter().zip(bound).filter(|(_, b)| !**b);
    free.fold(0.0_f64, |m, (g, _)| m.max(g.abs()))
}

/// An ascent direction: Newton's where the Hessian is negative definite, else
/// with as much of the diagonal added as makes it so.
fn step(local: &Local, bound: &[bool]) -> Option<Vec<f64>> {
    let n = bound.len();
    let mut matrix = vec![0.0; n * n];
    let mut largest = 0.0_f64;
    for i in 0..n {
        for j in 0..=i {
            if !bound[i] && !bound[j] {
                matrix[i * n + j] = -local.hessian[i * n + j];
            }
        }
        largest = largest.max(matrix[i * n + i].abs());
    }
    let gradient: Vec<f64> = (0..n).map(|i| if bound[i] { 0.0 } else { local.gradient[i] }).collect();
    let largest = if largest > 0.0 { largest } else { 1.0 };
    let mut shift = 0.0;
    for _ in 0..40 {
        let mut factor = matrix.clone();
        for i in 0..n {
            factor[i * n + i] += if bound[i] { 1.0 } else { shift };
        }
        if cholesky(&mut factor, n) {
            let mut x = gradient;
            solve(&factor, n, &mut x);
            return Some(x);
        }
        shift = if shift == 0.0 { 1e-8 * largest } else { shift * 10.0 };
    }
    None
}

/// Turns the lower triangle into its Cholesky factor; false where the matrix
/// is not positive definite to working accuracy.
pub(crate) fn cholesky(matrix: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        for j in 0..=i {
            let (upper, row) = matrix.split_at(i * n);
            let other = if i == j { &row[..j] } else { &upper[j * n..j * n + j] };
            let dot: f64 = row[..j].iter().zip(other).map(|(a, b)| a * b).sum();
            let rest = matrix[i * n + j] - dot;
            if i == j {
                if rest.is_nan() || rest <= 1e-14 * matrix[i * n + i].abs() {
                    return false;
                }
                matrix[i * n + i] = rest.sqrt();
            } else {
                matrix[i * n + j] = rest / matrix[j * n + j];
            }
        }
    }
    true
}

/// Solves `L Lᵀ x = y` in place.
pub(crate) fn solve(factor: &[f64], n: usize, x: &mut [f64]) {
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| factor[i * n + k] * x[k]).sum();
        x[i] = (x[i] - dot) / factor[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| factor[k * n + i] * x[k]).sum();
        x[i] = (x[i] - dot) / factor[i * n + i];
    }
}

/// Standard errors: square roots of the diagonal of the inverse of the negated
/// Hessian over the entries that are not `bound`; `None` for bound ones, and
/// for all where the free part is singular.
pub(crate) fn standard_errors(local: &Local, bound: &[bool]) -> Vec<Option<f64>> {
    let n = bound.len();
    let mut factor = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let unit = f64::from(u8::from(i == j));
            factor[i * n + j] = if bound[i] || bound[j] { unit } else { -local.hessian[i * n + j] };
        }
    }
    if !cholesky(&mut factor, n) {
        return vec![None; n];
    }
    let variance = |i: usize| {
        let mut column = vec![0.0; n];
        column[i] = 1.0;
        solve(&factor, n, &mut column);
        column[i]
    };
    (0..n).map(|i| if bound[i] { None } else { Some(variance(i).sqrt()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// −½ (x − c)ᵀ A (x − c) with A = [[2, 1], [1, 3]].
    fn bowl(c: [f64; 2]) -> impl Fn(&[f64]) -> Result<Local> {
        move |x| {
            let d = [x[0] - c[0], x[1] - c[1]];
            let g = [2.0 * d[0] + d[1], d[0] + 3.0 * d[1]];
            Ok(Local {
                value: -0.5 * (d[0] * g[0] + d[1] * g[1]),
                gradient: vec![-g[0], -g[1]],
                hessian: vec![-2.0, -1.0, -1.0, -3.0],
            })
        }
    }

    #[test]
    fn finds_the_top_inside_and_on_the_edge_of_a_box() -> Result<()> {
        let stop = Stop { max_iterations: 50, gradient: 1e-12 };
        let free = maximise(&[5.0, 5.0], &[(-10.0, 10.0); 2], stop, bowl([1.0, 2.0]))?;
        assert!(free.converged && (free.at[0] - 1.0).abs() < 1e-12 && (free.at[1] - 2.0).abs() < 1e-12);
        // With x held at 0, that is 1 from its top, the best y solves 1 + 3 (y − 2) = 0.
        let edge = maximise(&[5.0, 5.0], &[(0.0, 10.0), (-10.0, 10.0)], stop, bowl([-1.0, 2.0]))?;
        assert!(edge.converged && edge.bound[0] && edge.at[0] == 0.0);
        assert!((edge.at[1] - (2.0 - 1.0 / 3.0)).abs() < 1e-12, "{edge:?}");
        let errors = standard_errors(&free.local, &free.bound);
        assert!((errors[0].unwrap_or(0.0) - (3.0_f64 / 5.0).sqrt()).abs() < 1e-12, "{errors:?}");
        Ok(())
    }
}
