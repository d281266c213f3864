//! Linear systems of absorbing Markov chains.
//!
//! A chain of `n` transient states is given by what flows between them:
//! `W_ij ≥ 0` from `i` to `j`, and `leave_i ≥ 0` out of the chain. With
//! `D_i = Σ_{j≠i} W_ij + leave_i` the systems are `(D − W) x = r` for `r ≥ 0`.
//! The matrix is a diagonally dominant M-matrix, which allows elimination
//! without a single subtraction (Grassmann, Taksar & Heyman, *Operations
//! Research* 33, 1985): every entry of the solution comes out with a small
//! relative error however slowly the chain leaves, where LU with pivoting
//! loses the digits. Chains too large for that are solved by symmetric
//! Gauss–Seidel sweeps with a proven bound on the error. Between sweeps the
//! iterate is scaled so that as much leaves the chain as comes in, which the
//! solution does exactly: walks that go round for thousands of steps would
//! take as many sweeps without it.

use crate::run::Run;
use crate::{Error, Result};

/// The flows of an absorbing chain, row by row.
#[derive(Clone, Debug, Default)]
pub struct AbsorbingChain {
    starts: Vec<usize>,
    targets: Vec<u32>,
    flows: Vec<f64>,
    leave: Vec<f64>,
    out: Vec<f64>,
}

impl AbsorbingChain {
    /// A chain from edges `(from, to, flow)` sorted by `from`, and the flow
    /// out of the chain at each state. Flows must be finite and not negative;
    /// edges from a state to itself are ignored (they only delay).
    pub fn new<I: IntoIterator<Item = (u32, u32, f64)>>(edges: I, leave: Vec<f64>) -> Result<Self> {
        let n = leave.len();
        let mut chain = Self { starts: vec![0; n + 1], out: leave.clone(), leave, ..Self::default() };
        let mut last = 0;
        for (from, to, flow) in edges {
            let (i, j) = (from as usize, to as usize);
            if i >= n || j >= n || from < last || !(flow >= 0.0 && flow.is_finite()) {
                return Err(Error::option(
                    "edges",
                    "edges must be sorted by state, in range, with finite flows",
                ));
            }
            last = from;
            if i != j && flow > 0.0 {
                chain.starts[i + 1] += 1;
                chain.targets.push(to);
                chain.flows.push(flow);
                chain.out[i] += flow;
            }
        }
        for i in 0..n {
            chain.starts[i + 1] += chain.starts[i];
        }
        if let Some(stuck) = chain.out.iter().position(|d| !(*d > 0.0 && d.is_finite())) {
            return Err(Error::not_enough_data(format!("state {stuck} of the chain cannot be left")));
        }
        Ok(chain)
    }

    /// How many states there are.
    pub fn len(&self) -> usize {
        self.leave.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.leave.is_empty()
    }

    /// The flows out of a state to others.
    pub fn row(&self, state: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.starts[state]..self.starts[state + 1];
        self.targets[range.clone()].iter().map(|j| *j as usize).zip(self.flows[range].iter().copied())
    }

    /// Eliminates the states not in `removed` (all, where it is `None`); what
    /// flows into a removed state has left the chain. Time n³/3, memory n².
    pub fn factor(&self, removed: Option<&[bool]>, run: &Run) -> Result<Elimination> {
        let kept: Vec<usize> = match removed {
            None => (0..self.len()).collect(),
            Some(removed) => (0..self.len()).filter(|i| !removed[*i]).collect(),
        };
        let mut place = vec![usize::MAX; self.len()];
        for (k, i) in kept.iter().enumerate() {
            place[*i] = k;
        }
        let n = kept.len();
        let mut rows = vec![0.0; n * n];
        let mut leave = vec![0.0; n];
        for (k, i) in kept.iter().enumerate() {
            leave[k] = self.leave[*i];
            for (j, flow) in self.row(*i) {
                match place[j] {
                    usize::MAX => leave[k] += flow,
                    at => rows[k * n + at] += flow,
                }
            }
        }
        let mut pivots = vec![0.0; n];
        for k in 0..n {
            run.check()?;
            let (done, below) = rows.split_at_mut((k + 1) * n);
            let pivot_row = &done[k * n + k + 1..];
            let pivot = pivot_row.iter().sum::<f64>() + leave[k];
            if pivot.is_nan() || pivot <= 0.0 {
                return Err(Error::not_enough_data("some states of the chain can never be left"));
            }
            pivots[k] = pivot;
            let (left, right) = leave.split_at_mut(k + 1);
            for (row, leave) in below.chunks_exact_mut(n).zip(right) {
                let factor = row[k] / pivot;
                if factor == 0.0 {
                    continue;
                }
                row[k] = factor;
                *leave += factor * left[k];
                for (a, b) in row[k + 1..].iter_mut().zip(pivot_row) {
                    *a += factor * b;
                }
            }
            // What returned to a row's own state only delays it.
            for i in k + 1..n {
                rows[i * n + i] = 0.0;
            }
        }
        Ok(Elimination { kept, total: self.len(), rows, pivots })
    }

    /// Expected visits to any state before leaving, from each state, rounded
    /// up: the constant in the error bound of [`AbsorbingChain::sweep`].
    pub fn visits_bound(&self, run: &Run) -> Result<Option<Vec<f64>>> {
        let mut x = vec![0.0; self.len()];
        let entering = self.entering(None);
        for round in 0..MAX_SWEEPS {
            run.check()?;
            self.sweep_once(None, &self.out, &mut x, round % 2 == 1);
            scale(&mut x, &self.out, &entering, None);
            // Once A x ≥ 0.9 D the solution is at most x / 0.9.
            if self.worst_residual(None, &self.out, &x) <= 0.1 {
                for v in &mut x {
                    *v /= 0.9;
                }
                return Ok(Some(x));
            }
        }
        Ok(None)
    }

    /// Solves `(D − W) x = r` with the removed states held at 0, by sweeps.
    ///
    /// Returns `x` and ε, for which `|x − x*| ≤ ε · visits` holds in every
    /// state: for an M-matrix `|A x − r| ≤ ε D = ε A·visits` implies it.
    /// Stops when ε is below `tolerance` times the largest reward of a visit,
    /// max r / D, or stops falling.
    pub fn sweep(
        &self,
        removed: Option<&[bool]>,
        r: &[f64],
        tolerance: f64,
        run: &Run,
    ) -> Result<(Vec<f64>, f64)> {
        let mut x = vec![0.0; self.len()];
        let entering = self.entering(removed);
        let kept = (0..self.len()).filter(|i| removed.is_none_or(|m| !m[*i]));
        let tolerance = tolerance * kept.map(|i| r[i] / self.out[i]).fold(0.0, f64::max);
        let (mut best, mut stale) = (f64::INFINITY, 0);
        for round in 0..MAX_SWEEPS {
            run.check()?;
            self.sweep_once(removed, r, &mut x, round % 2 == 1);
            if round % 4 == 3 {
                let error = self.worst_residual(removed, r, &x);
                stale = if error < 0.9 * best { 0 } else { stale + 1 };
                best = best.min(error);
                if error <= tolerance || stale > 2 {
                    return Ok((x, error));
                }
            } else if round % 4 == 0 {
                scale(&mut x, r, &entering, removed);
            }
        }
        let error = self.worst_residual(removed, r, &x);
        Ok((x, error))
    }

    /// What leaves each state less what comes to it from states that are kept:
    /// Σ entering x = Σ r for the solution.
    fn entering(&self, removed: Option<&[bool]>) -> Vec<f64> {
        let mut entering = self.out.clone();
        for i in (0..self.len()).filter(|i| removed.is_none_or(|m| !m[*i])) {
            self.row(i).for_each(|(j, flow)| entering[j] -= flow);
        }
        entering
    }

    fn sweep_once(&self, removed: Option<&[bool]>, r: &[f64], x: &mut [f64], backward: bool) {
        let n = self.len();
        for k in 0..n {
            let i = if backward { n - 1 - k } else { k };
            if removed.is_none_or(|m| !m[i]) {
                let inflow: f64 = self.row(i).map(|(j, flow)| flow * x[j]).sum();
                x[i] = (r[i] + inflow) / self.out[i];
            }
        }
    }

    fn worst_residual(&self, removed: Option<&[bool]>, r: &[f64], x: &[f64]) -> f64 {
        (0..self.len())
            .filter(|i| removed.is_none_or(|m| !m[*i]))
            .map(|i| {
                let inflow: f64 = self.row(i).map(|(j, flow)| flow * x[j]).sum();
                ((r[i] + inflow) / self.out[i] - x[i]).abs()
            })
            .fold(0.0, f64::max)
    }
}

/// Scales an iterate so that Σ entering x = Σ r. Only a step towards the
/// solution: its error is measured all the same.
fn scale(x: &mut [f64], r: &[f64], entering: &[f64], removed: Option<&[bool]>) {
    let kept = || (0..x.len()).filter(|i| removed.is_none_or(|m| !m[*i]));
    let wanted: f64 = kept().map(|i| r[i]).sum();
    let found: f64 = kept().map(|i| entering[i] * x[i]).sum();
    let factor = wanted / found;
    if factor > 0.0 && factor.is_finite() {
        x.iter_mut().for_each(|v| *v *= factor);
    }
}

/// Sweeps before giving up: a chain that needs more is better eliminated.
const MAX_SWEEPS: usize = 5_000;

/// An eliminated chain, ready for any number of right-hand sides.
#[derive(Clone, Debug)]
pub struct Elimination {
    kept: Vec<usize>,
    total: usize,
    /// Above the diagonal the flows, below it the multipliers.
    rows: Vec<f64>,
    pivots: Vec<f64>,
}

impl Elimination {
    /// Solves `(D − W) x = r`; removed states are 0 in `x` and ignored in `r`.
    pub fn solve(&self, r: &[f64]) -> Vec<f64> {
        let n = self.pivots.len();
        let mut y: Vec<f64> = self.kept.iter().map(|i| r[*i]).collect();
        for i in 1..n {
            let (before, rest) = y.split_at_mut(i);
            rest[0] += dot(&self.rows[i * n..i * n + i], before);
        }
        for i in (0..n).rev() {
            let (head, after) = y.split_at_mut(i + 1);
            head[i] = (head[i] + dot(&self.rows[i * n + i + 1..(i + 1) * n], after)) / self.pivots[i];
        }
        self.spread(&y)
    }

    /// Solves `(D − W)ᵀ x = r`.
    pub fn solve_transposed(&self, r: &[f64]) -> Vec<f64> {
        let n = self.pivots.len();
        let mut y: Vec<f64> = self.kept.iter().map(|i| r[*i]).collect();
        for i in 0..n {
            let (head, after) = y.split_at_mut(i + 1);
            head[i] /= self.pivots[i];
            axpy(head[i], &self.rows[i * n + i + 1..(i + 1) * n], after);
        }
        for i in (1..n).rev() {
            let (before, rest) = y.split_at_mut(i);
            axpy(rest[0], &self.rows[i * n..i * n + i], before);
        }
        self.spread(&y)
    }

    /// The diagonal entry of the inverse at a state; 0 for a removed state.
    pub fn inverse_diagonal(&self, state: usize) -> f64 {
        let n = self.pivots.len();
        let Ok(at) = self.kept.binary_search(&state) else { return 0.0 };
        let mut y = vec![0.0; n];
        y[at] = 1.0;
        for i in at + 1..n {
            y[i] = dot(&self.rows[i * n + at..i * n + i], &y[at..i]);
        }
        for i in (at..n).rev() {
            let (head, after) = y.split_at_mut(i + 1);
            head[i] = (head[i] + dot(&self.rows[i * n + i + 1..(i + 1) * n], after)) / self.pivots[i];
        }
        y[at]
    }

    fn spread(&self, y: &[f64]) -> Vec<f64> {
        let mut x = vec![0.0; self.total];
        for (i, v) in self.kept.iter().zip(y) {
            x[*i] = *v;
        }
        x
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn axpy(factor: f64, a: &[f64], b: &mut [f64]) {
    for (x, y) in a.iter().zip(b) {
        *y += factor * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gamblers(n: usize, leave: f64) -> Result<AbsorbingChain> {
        let mut edges = Vec::new();
        for i in 0..n as u32 {
            if i > 0 {
                edges.push((i, i - 1, 1.0));
            }
            if (i as usize) < n - 1 {
                edges.push((i, i + 1, 1.0));
            }
        }
        let mut out = vec![0.0; n];
        (out[0], out[n - 1]) = (leave, leave);
        AbsorbingChain::new(edges, out)
    }

    #[test]
    fn gamblers_ruin_has_its_closed_form() -> Result<()> {
        let n = 9;
        let chain = gamblers(n, 1.0)?;
        let mut r = vec![0.0; n];
        r[n - 1] = 1.0;
        let x = chain.factor(None, &Run::new())?.solve(&r);
        for (i, v) in x.iter().enumerate() {
            let exact = (i + 1) as f64 / (n + 1) as f64;
            assert!((v - exact).abs() < 1e-15, "{v} {exact}");
        }
        Ok(())
    }

    #[test]
    fn a_chain_that_hardly_leaves_keeps_all_its_digits() -> Result<()> {
        // Two states that pass everything to each other but 1e-14: by symmetry
        // half of what leaves, leaves from each. LU loses 14 digits here.
        let chain = AbsorbingChain::new([(0, 1, 1.0), (1, 0, 1.0)], vec![1e-14, 1e-14])?;
        let x = chain.factor(None, &Run::new())?.solve(&[1e-14, 0.0]);
        assert!((x[0] / 0.5 - 1.0).abs() < 2e-14, "{x:?}"); // exact: (1 + δ) / (2 + δ)
        assert!((x[0] + x[1] - 1.0).abs() < 1e-15, "{x:?}");
        Ok(())
    }

    #[test]
    fn a_state_without_exit_is_refused() {
        assert!(AbsorbingChain::new([(0, 1, 1.0)], vec![0.0, 0.0]).is_err());
        let chain = AbsorbingChain::new([(0, 1, 1.0), (1, 0, 1.0)], vec![0.0, 0.0]).unwrap();
        assert!(chain.factor(None, &Run::new()).is_err());
    }

    proptest! {
        #[test]
        fn elimination_sweeps_and_transposes_agree(
            flows in prop::collection::vec(0.0_f64..3.0, 64),
            leave in prop::collection::vec(0.05_f64..2.0, 8),
            r in prop::collection::vec(0.0_f64..2.0, 8),
            gone in prop::collection::vec(any::<bool>(), 8),
        ) {
            let run = Run::new();
            let edges = (0..64_u32).map(|e| (e / 8, e % 8, if flows[e as usize] > 1.5 { flows[e as usize] } else { 0.0 }));
            let chain = AbsorbingChain::new(edges, leave).unwrap();
            let whole = chain.factor(None, &run).unwrap();
            let x = whole.solve(&r);
            let visits = chain.visits_bound(&run).unwrap().unwrap();
            let (y, error) = chain.sweep(None, &r, 1e-15, &run).unwrap();
            for i in 0..8 {
                prop_assert!((x[i] - y[i]).abs() <= (error + 1e-14) * visits[i]);
            }
            // Σ_i s_i x_i = Σ_i r_i z_i with z the transposed solution of s.
            let s: Vec<f64> = (0..8).map(f64::from).collect();
            let z = whole.solve_transposed(&s);
            prop_assert!((dot(&s, &x) - dot(&r, &z)).abs() < 1e-11 * dot(&s, &x).max(1.0));
            for i in 0..8 {
                let mut unit = vec![0.0; 8];
                unit[i] = 1.0;
                let column = whole.solve(&unit);
                prop_assert!((column[i] / whole.inverse_diagonal(i) - 1.0).abs() < 1e-13);
            }
            let part = chain.factor(Some(&gone), &run).unwrap().solve(&r);
            let (swept, error) = chain.sweep(Some(&gone), &r, 1e-15, &run).unwrap();
            for i in 0..8 {
                prop_assert!((part[i] - swept[i]).abs() <= (error + 1e-14) * visits[i]);
                prop_assert!(!gone[i] || part[i] == 0.0);
                prop_assert!(part[i] <= x[i] + 1e-12);
            }
        }
    }
}
