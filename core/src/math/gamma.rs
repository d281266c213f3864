//! The gamma function's family, for positive arguments.
//!
//! Differences such as ln Γ(z + d) − ln Γ(z) are functions of their own: taken
//! as two calls they lose every digit that the two values share, five of them
//! where likelihoods of purchase histories go. The same holds for ln B(a, b)
//! with a ≫ b (Didonato & Morris 1992, TOMS 708, `algdiv` and `bcorr`).

use super::{ln, ln_1p};

/// ln Γ(`z`) for `z` > 0; relative error below 1e-15 away from its zeros 1 and 2.
pub fn ln_gamma(z: f64) -> f64 {
    libm::lgamma(z)
}

/// ln Γ(`z`) − (z ln z − z) for `z` > 0, without the cancellation of great `z`.
pub(crate) fn ln_gamma_excess(z: f64) -> f64 {
    const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;
    if z < STIRLING { ln_gamma(z) - z * (ln(z) - 1.0) } else { HALF_LN_TAU - 0.5 * ln(z) + stirling(z) }
}

/// From here on the Stirling series below are exact to the last bit.
const STIRLING: f64 = 12.0;

// B_2k / (2k (2k − 1)): ln Γ(z) = (z − ½) ln z − z + ½ ln 2π + Σ c_k z^(1−2k).
const LN_GAMMA: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360360.0,
    1.0 / 156.0,
    -3617.0 / 122400.0,
];
// B_2k / 2k: ψ(z) = ln z − 1/2z − Σ c_k z^(−2k).
const DIGAMMA: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 120.0,
    1.0 / 252.0,
    -1.0 / 240.0,
    1.0 / 132.0,
    -691.0 / 32760.0,
    1.0 / 12.0,
    -3617.0 / 8160.0,
];
// B_2k: ψ'(z) = 1/z + 1/2z² + Σ c_k z^(−2k−1).
const TRIGAMMA: [f64; 8] = [
    1.0 / 6.0,
    -1.0 / 30.0,
    1.0 / 42.0,
    -1.0 / 30.0,
    5.0 / 66.0,
    -691.0 / 2730.0,
    7.0 / 6.0,
    -3617.0 / 510.0,
];

fn series(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |acc, c| acc * x + c)
}

/// Stirling's correction Δ(z) for z ≥ 12.
fn stirling(z: f64) -> f64 {
    series(&LN_GAMMA, 1.0 / (z * z)) / z
}

/// Δ(z + d) − Δ(z), by factoring 1/(z + d) − 1/z out of every term.
fn stirling_rise(z: f64, d: f64) -> f64 {
    let (u, w) = (1.0 / (z + d), 1.0 / z);
    let mut odd_sum = 1.0; // Σ_j u^j w^(2k−j)
    let mut u_power = u; // u^(2k−1)
    let mut total = LN_GAMMA[0];
    for c in &LN_GAMMA[1..] {
        odd_sum = w * w * odd_sum + u_power * (w + u);
        u_power *= u * u;
        total += c * odd_sum;
    }
    -d * u * w * total
}

/// (x S(x) − y S(y)) / (x − y), where S is the series of these coefficients.
fn series_rise(coefficients: &[f64; 8], x: f64, y: f64) -> f64 {
    let (mut quotient, mut power, mut total) = (0.0, 1.0, 0.0);
    for c in coefficients {
        quotient = x * quotient + power; // (x^k − y^k) / (x − y)
        power *= y;
        total += c * quotient;
    }
    total
}

/// How many steps up from `z` reach the Stirling range.
fn steps(z: f64) -> u32 {
    if z >= STIRLING { 0 } else { (STIRLING - z).ceil() as u32 }
}

/// ψ(`z`) = d ln Γ / dz for `z` > 0; relative error below 2e-15 away from its
/// zero at 1.4616, absolute below 1e-15 there.
pub fn digamma(z: f64) -> f64 {
    let n = steps(z);
    let below: f64 = (0..n).rev().map(|k| 1.0 / (z + k as f64)).sum();
    let z = z + n as f64;
    ln(z) - 0.5 / z - series(&DIGAMMA, 1.0 / (z * z)) / (z * z) - below
}

/// ψ'(`z`) for `z` > 0; relative error below 2e-15.
pub fn trigamma(z: f64) -> f64 {
    let n = steps(z);
    let below: f64 = (0..n).rev().map(|k| 1.0 / ((z + k as f64) * (z + k as f64))).sum();
    let z = z + n as f64;
    let x = 1.0 / (z * z);
    below + 1.0 / z + 0.5 * x + series(&TRIGAMMA, x) * x / z
}

/// ln Γ(`z` + `d`) − ln Γ(`z`) for `z` > 0, `d` ≥ 0, without cancellation.
///
/// Error below 1e-14 of the greater of the result and min(`d`, 1).
pub fn ln_gamma_rise(z: f64, d: f64) -> f64 {
    if d == 0.0 {
        return 0.0;
    }
    let n = steps(z);
    let below: f64 = (0..n).rev().map(|k| ln_1p(d / (z + k as f64))).sum();
    let z = z + n as f64;
    (z - 0.5) * ln_1p(d / z) + d * (ln(z + d) - 1.0) + stirling_rise(z, d) - below
}

/// ψ(`z` + `d`) − ψ(`z`) for `z` > 0, `d` ≥ 0, without cancellation.
pub fn digamma_rise(z: f64, d: f64) -> f64 {
    let n = steps(z);
    let below: f64 = (0..n).rev().map(|k| z + k as f64).map(|z| d / (z * (z + d))).sum();
    let z = z + n as f64;
    let (u, w) = (1.0 / (z + d), 1.0 / z);
    // Σ c_k (w^2k − u^2k), with w² − u² = d u w (u + w) factored out
    let tail = series_rise(&DIGAMMA, w * w, u * u) * (u + w);
    below + ln_1p(d / z) + d * u * w * (0.5 + tail)
}

/// ψ'(`z` + `d`) − ψ'(`z`), not positive, for `z` > 0, `d` ≥ 0, without cancellation.
pub fn trigamma_rise(z: f64, d: f64) -> f64 {
    let n = steps(z);
    // 1/(z+d)² − 1/z² = −d (2z + d) / (z (z + d))²
    let fall = |z: f64| d * (2.0 * z + d) / ((z * (z + d)) * (z * (z + d)));
    let below: f64 = (0..n).rev().map(|k| fall(z + k as f64)).sum();
    let z = z + n as f64;
    let (u, w) = (1.0 / (z + d), 1.0 / z);
    // Σ c_k (w^(2k+1) − u^(2k+1)), with w − u = d u w factored out
    // w·w²S(w²) − u·u²S(u²) = (w − u) w²S(w²) + u (w² − u²) rise
    let tail = series(&TRIGAMMA, w * w) * w * w + u * (u + w) * series_rise(&TRIGAMMA, w * w, u * u);
    -(below + d * u * w * (1.0 + tail) + 0.5 * fall(z))
}

/// ln B(`a`, `b`) for positive `a`, `b`.
///
/// Error below 1e-14 of the greater of the result and 1, also where one
/// argument dwarfs the other (TOMS 708).
///
/// ```
/// // B(1, b) = 1/b, where ln Γ differences would leave nine digits.
/// let b = 1e9;
/// assert!((headwater::math::ln_beta(1.0, b) / -f64::ln(b) - 1.0).abs() < 1e-15);
/// ```
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (p, q) = if a <= b { (a, b) } else { (b, a) };
    if q < STIRLING {
        return ln_gamma(p) + (ln_gamma(q) - ln_gamma(p + q));
    }
    if p < STIRLING {
        return ln_gamma(p) - ln_gamma_rise(q, p);
    }
    const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;
    let h = p / q;
    let correction = stirling(p) - stirling_rise(q, p);
    -0.5 * ln(q) + HALF_LN_TAU + correction + (p - 0.5) * ln(h / (1.0 + h)) - q * ln_1p(h)
}
