//! Integrals up to many ends by one walk.
//!
//! Within a panel of an integral f is a polynomial through its nodes, whose integral up to any place within is
//! exact: with f = Σ_l c_l P_l,
//!
//! ```text
//! c_l = (2l+1)/2 Σ_i w_i P_l(x_i) f(x_i),   ∫_{−1}^x P_l = [P_{l+1}(x) − P_{l−1}(x)] / (2l+1)
//! ```
//!
//! so that hundreds of ends need f no oftener than a few of them do.

use std::sync::OnceLock;

use crate::math::quadrature::{NODES, legendre};
use crate::math::sum;

/// How many more panels polynomials need than integrals, whose nodes are good for twice their degree: with as many
/// panels they are off by 1e-9, with twice as many by less than 1e-13.
pub(super) const FINER: f64 = 2.0;

/// What the nodes of a panel, each times its weight, have up to a place within −1 … 1.
pub(super) fn part(values: &[f64; NODES], place: f64) -> f64 {
    let end = polynomials(place);
    // What lies beyond, of a node whose polynomials are these.
    let beyond = |at: &[f64; NODES + 1]| -> f64 {
        (0..NODES).map(|l| at[l] * (if l == 0 { 1.0 - place } else { end[l - 1] - end[l + 1] })).sum()
    };
    sum(values.iter().zip(at_nodes()).map(|(value, at)| value * (1.0 - 0.5 * beyond(at))))
}

fn at_nodes() -> &'static [[f64; NODES + 1]; NODES] {
    static AT: OnceLock<[[f64; NODES + 1]; NODES]> = OnceLock::new();
    AT.get_or_init(|| std::array::from_fn(|i| polynomials(legendre()[i].0)))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::exp;

    #[test]
    fn parts_are_integrals() {
        let values: [f64; NODES] = std::array::from_fn(|i| legendre()[i].1 * exp(legendre()[i].0));
        for place in [-1.0, -0.9, -0.3, 0.0, 0.55, 1.0] {
            let want = exp(place) - exp(-1.0);
            assert!((part(&values, place) - want).abs() < 1e-14, "{place}");
        }
    }
}
