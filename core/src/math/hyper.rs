//! Gauss's hypergeometric function.

use super::{ln_1p, pow};

/// ₂F₁(`a`, `b`; `c`; `z`) for `a`, `b`, `c` > 0 and `z` < 1.
///
/// The power series for 0 ≤ `z` < 1, all of whose terms are positive, after
/// Pfaff's transformation for `z` < 0 (which wants `c` ≥ `b` or `c` ≥ `a` to
/// keep the terms positive). Relative error below 1e-13 there. The number of
/// terms grows as 40 / (1 − z); NaN where two million are not enough, and for
/// `z` ≥ 1.
///
/// ```
/// // ₂F₁(1, 1; 2; z) = −ln(1 − z) / z
/// let f = headwater::math::hyp2f1(1.0, 1.0, 2.0, 0.5);
/// assert!((f / (2.0 * f64::ln(2.0)) - 1.0).abs() < 1e-15);
/// ```
pub fn hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    if z.is_nan() || z >= 1.0 || c.is_nan() || c <= 0.0 {
        return f64::NAN;
    }
    if z < 0.0 {
        let (keep, flip) = if c >= b || c < a { (a, b) } else { (b, a) };
        let factor = super::exp(-keep * ln_1p(-z));
        return factor * series(keep, c - flip, c, z / (z - 1.0));
    }
    // Euler: the other form of the series converges faster where a + b > c.
    if a + b > c && c >= a && c >= b {
        return pow(1.0 - z, c - a - b) * series(c - a, c - b, c, z);
    }
    series(a, b, c, z)
}

fn series(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let mut term = 1.0;
    let mut total = super::Sum::default();
    total.add(1.0);
    for n in 0..2_000_000 {
        let n = n as f64;
        let ratio = (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        term *= ratio;
        if term == 0.0 {
            return total.value();
        }
        total.add(term);
        // What is left is less than a geometric series once the ratios fall below 1.
        if ratio.abs() < 1.0
            && (term * ratio.abs().max(z) / (1.0 - ratio.abs().max(z))).abs() < 1e-17 * total.value().abs()
        {
            return total.value();
        }
    }
    f64::NAN
}
