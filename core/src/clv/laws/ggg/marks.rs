//! Sums over many horizons by one integral.
//!
//! Σ_t w_t ∫_0^t f is ∫ f W, where W(y) is the sum of the weights from y on: a
//! step function. Within a panel of an integral f is a polynomial through its nodes, whose
//! integral against steps is exact: with f = Σ_l c_l P_l,
//!
//! ```text
//! c_l = (2l+1)/2 Σ_i w_i P_l(x_i) f(x_i),   ∫_a^b P_l = [P_{l+1} − P_{l−1}]_a^b / (2l+1)
//! ```
//!
//! so that a sum over hundreds of horizons needs f no oftener than a few of them do.

use crate::math::quadrature::{NODES, legendre};

/// Times, in order, and the weight of what happens up to each.
pub(super) struct Marks(Vec<(f64, f64)>);

impl Marks {
    /// One time.
    pub(super) fn at(time: f64) -> Self {
        Self(vec![(time, 1.0)])
    }

    /// Times 1, 2, … of these weights.
    pub(super) fn weighted(weights: &[f64]) -> Self {
        let all = weights.iter().enumerate().map(|(i, weight)| ((i + 1) as f64, *weight));
        Self(all.filter(|(_, weight)| *weight != 0.0).collect())
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn last(&self) -> f64 {
        self.0.last().map_or(0.0, |mark| mark.0)
    }

    /// How many more panels polynomials need than integrals, whose nodes are good for twice their degree.
    pub(super) fn finer(&self) -> f64 {
        if self.0.len() > 1 { FINER } else { 1.0 }
    }

    /// What W makes of the nodes' weights in a panel, in which a time is at `place` within −1 … 1.
    pub(super) fn levels(&self, place: impl Fn(f64) -> f64) -> [f64; NODES] {
        let mut level: f64 = self.0.iter().map(|mark| mark.1).sum();
        let mut cuts = Vec::new();
        for (time, weight) in &self.0[..self.0.len().saturating_sub(1)] {
            let x = place(*time);
            if x >= 1.0 {
                break;
            }
            if x > -1.0 {
                cuts.push((x, *weight));
            } else {
                level -= weight;
            }
        }
        let mut out = [level; NODES];
        for (x, weight) in cuts {
            // W falls by this weight from x to 1.
            let end = polynomials(x);
            for (out, (node, _)) in out.iter_mut().zip(legendre()) {
                let at = polynomials(*node);
                let before: f64 = (0..NODES)
                    .map(|l| at[l] * (if l == 0 { 1.0 - x } else { end[l - 1] - end[l + 1] }))
                    .sum();
                *out -= 0.5 * weight * before;
            }
        }
        out
    }
}

/// With as many panels sums over horizons are off by 1e-9, with twice as many by less than 1e-13.
const FINER: f64 = 2.0;

/// P_0 … P_NODES.
fn polynomials(x: f64) -> [f64; NODES + 1] {
    let mut out = [1.0; NODES + 1];
    out[1] = x;
    for l in 1..NODES {
        let n = l as f64;
        out[l + 1] = ((2.0 * n + 1.0) * x * out[l] - n * out[l - 1]) / (n + 1.0);
    }
    out
}
