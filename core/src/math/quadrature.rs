//! Integrals of smooth functions.

use std::sync::OnceLock;

use super::{Sum, exp, exp_m1, ln, ln_1p, ln_gamma};

/// Nodes of one panel.
pub(crate) const NODES: usize = 20;

/// Nodes in −1 … 1 and weights of the Gauss–Legendre rule, by Newton's method
/// on the Legendre polynomial (Abramowitz & Stegun 25.4.30).
pub(crate) fn gauss<const N: usize>() -> [(f64, f64); N] {
    let n = N as f64;
    std::array::from_fn(|i| {
        let mut x = libm::cos(std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5));
        let mut slope = 1.0;
        for _ in 0..20 {
            let (mut p, mut before) = (1.0, 0.0);
            for k in 0..N {
                let k = k as f64;
                (p, before) = (((2.0 * k + 1.0) * x * p - k * before) / (k + 1.0), p);
            }
            slope = n * (x * p - before) / (x * x - 1.0);
            x -= p / slope;
        }
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    })
}

/// The rule of one panel.
pub(crate) fn legendre() -> &'static [(f64, f64); NODES] {
    static RULE: OnceLock<[(f64, f64); NODES]> = OnceLock::new();
    RULE.get_or_init(gauss)
}

/// ∫ f over `low` … `high` in so many equal panels.
pub(crate) fn integrate(low: f64, high: f64, panels: usize, mut f: impl FnMut(f64) -> f64) -> f64 {
    let mut total = Sum::default();
    let half = 0.5 * (high - low) / panels as f64;
    for panel in 0..panels {
        let centre = low + half * (2 * panel + 1) as f64;
        for (x, weight) in legendre() {
            total.add(weight * f(centre + half * x));
        }
    }
    half * total.value()
}

/// Nodes and the logarithms of their weights for ∫ f over the whole line, `f`
/// by its logarithm: unimodal, with its mode near `centre`, about `width` wide
/// there, smooth as the density of ln k is where k has a gamma density, and
/// falling exponentially or faster.
///
/// The trapezoidal rule in z, y = centre + c sinh z, whose error is
/// exponentially small: with a `step` of 0.08 below 1e-10, with 0.1 below 1e-8,
/// for shapes of that gamma density from 0.3 on. It ends where f is e⁻³⁰ of its greatest.
pub(crate) fn over_line(
    centre: f64,
    width: f64,
    step: f64,
    mut ln_f: impl FnMut(f64) -> f64,
) -> Vec<(f64, f64)> {
    const NOTHING: f64 = 30.0;
    let spread = 6.0 * width.min(0.3);
    let scale = ln(spread * step);
    let mut nodes = Vec::with_capacity(40);
    let mut top = f64::NEG_INFINITY;
    for direction in [1.0, -1.0] {
        let mut before = f64::NEG_INFINITY;
        for i in i32::from(direction < 0.0)..2000 {
            let grown = exp(direction * step * f64::from(i));
            let y = centre + 0.5 * spread * (grown - 1.0 / grown);
            if y.abs() > 650.0 {
                break;
            }
            let value = ln_f(y) + ln(0.5 * (grown + 1.0 / grown));
            nodes.push((y, value + scale));
            if value < top - NOTHING && value <= before {
                break;
            }
            top = top.max(value);
            before = value;
        }
    }
    nodes
}

/// ln Σ e^v.
pub(crate) fn ln_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    let mut total = Sum::default();
    values.for_each(|v| total.add(exp(v - top)));
    top + ln(total.value())
}

/// e^z E_s(z), E_s(z) = ∫₁^∞ e^(−zt) t^(−s) dt the generalised exponential
/// integral (DLMF 8.19), for `s` > 0 and `z` > 0; with it
/// e^z Γ(1 − s, z) = z^(1−s) e^z E_s(z). Relative error below 1e-13.
pub(crate) fn exp_integral(s: f64, z: f64) -> f64 {
    if z >= 1.0 || s > 30.0 {
        // DLMF 8.19.17 in its even part, by Lentz's algorithm.
        let mut b = z + s;
        let mut c = f64::MAX;
        let mut d = 1.0 / b;
        let mut value = d;
        for k in 1..100_000 {
            let k = f64::from(k);
            let a = -k * (s + k - 1.0);
            b += 2.0;
            d = 1.0 / (a * d + b);
            c = b + a / c;
            let factor = c * d;
            value *= factor;
            if (factor - 1.0).abs() < 1e-16 {
                break;
            }
        }
        return value;
    }
    // From E of a lower order, 0.5 to 1.5 or s itself: s E_(s+1) = e^(−z) − z E_s, where z is small against s.
    let steps = (s - 0.5).floor().max(0.0);
    let order = s - steps;
    let mut value = low_order(1.0 - order, z);
    for k in 0..steps as u32 {
        value = (1.0 - z * value) / (order + f64::from(k));
    }
    value
}

/// e^z E_(1−a)(z) for −½ ≤ a < 1 and z < 1, by the series of the incomplete gamma function
/// with its singular parts joined (Gautschi 1979, *A computational procedure for
/// incomplete gamma functions*).
fn low_order(a: f64, z: f64) -> f64 {
    let ln_z = ln(z);
    let singular =
        if a == 0.0 { -EULER - ln_z } else { (exp_m1(ln_gamma_beside_one(a)) - exp_m1(a * ln_z)) / a };
    // Σ_{k ≥ 1} (−z)^k / (k! (a + k))
    let (mut power, mut regular) = (1.0, 0.0);
    for k in 1..30 {
        let k = f64::from(k);
        power *= -z / k;
        let term = power / (a + k);
        regular += term;
        if term.abs() < 1e-17 {
            break;
        }
    }
    exp(z) * (singular * exp(-a * ln_z) - regular)
}

const EULER: f64 = 0.577_215_664_901_532_9;

/// ln Γ(1 + a), with all its digits where a is small.
fn ln_gamma_beside_one(a: f64) -> f64 {
    /// ζ(k) − 1 from k = 2 on (DLMF 25.2, 5.7.3).
    const ZETA: [f64; 18] = [
        0.644_934_066_848_226_4,
        0.202_056_903_159_594_3,
        0.082_323_233_711_138_19,
        0.036_927_755_143_369_93,
        0.017_343_061_984_449_14,
        0.008_349_277_381_922_827,
        0.004_077_356_197_944_34,
        0.002_008_392_826_082_214_3,
        0.000_994_575_127_818_085_3,
        0.000_494_188_604_119_464_5,
        0.000_246_086_553_308_048_3,
        0.000_122_713_347_578_489_15,
        6.124_813_505_870_483e-5,
        3.058_823_630_702_049e-5,
        1.528_225_940_865_187e-5,
        7.637_197_637_899_763e-6,
        3.817_293_264_999_84e-6,
        1.908_212_716_553_939e-6,
    ];
    if a.abs() > 0.25 {
        return ln_gamma(1.0 + a);
    }
    let mut sum = (1.0 - EULER) * a - ln_1p(a);
    let mut power = -a;
    for (k, zeta) in (2..).zip(ZETA) {
        power *= -a;
        sum += zeta * power / f64::from(k);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_exact_for_polynomials() {
        let at = |k: i32| integrate(-1.0, 1.0, 1, |x| x.powi(k));
        for k in 0..2 * NODES as i32 {
            let exact = if k % 2 == 1 { 0.0 } else { 2.0 / f64::from(k + 1) };
            assert!((at(k) - exact).abs() < 1e-14, "{k}: {}", at(k));
        }
    }

    // Gamma variables by their logarithms, their skewest and their narrowest.
    #[test]
    fn densities_of_the_line_integrate_to_one() {
        for shape in [0.3, 0.7, 1.0, 2.5, 9.0, 40.0, 300.0, 1e4, 1e7] {
            let excess = crate::math::ln_gamma_excess(shape);
            let ln_f = |y: f64| shape * (y - exp_m1(y)) - excess;
            for (off, step, tolerance) in
                [(0.0, 0.08, 1e-10), (1.6, 0.08, 1e-10), (-1.6, 0.08, 1e-10), (0.8, 0.1, 1e-8)]
            {
                let width = 1.0 / f64::sqrt(shape);
                let nodes = over_line(off * width.min(0.3), width, step, ln_f);
                let whole = exp(ln_sum_exp(nodes.iter().map(|n| n.1)));
                let mean = exp(ln_sum_exp(nodes.iter().map(|n| n.0 + n.1)));
                assert!((whole - 1.0).abs() < tolerance, "{shape} {off}: {:e}", whole - 1.0);
                assert!((mean - 1.0).abs() < 10.0 * tolerance, "{shape} {off}: {:e}", mean - 1.0);
            }
        }
    }

    // E_1(1) and E_½ = √(π/z) erfc(√z) in closed form; the recurrence s E_(s+1) = e^(−z) − z E_s.
    #[test]
    fn exponential_integrals_keep_their_identities() {
        let e1 = 0.219_383_934_395_520_3 * std::f64::consts::E;
        assert!((exp_integral(1.0, 1.0) / e1 - 1.0).abs() < 1e-14);
        for z in [1e-300, 1e-12, 1e-6, 1e-3, 0.05, 0.4, 0.9999, 1.0, 3.0, 40.0, 1e4] {
            if z < 300.0 {
                let root = f64::sqrt(z);
                let exact = (std::f64::consts::PI / z).sqrt() * crate::math::erfc(root) * exp(z);
                assert!((exp_integral(0.5, z) / exact - 1.0).abs() < 1e-12, "{z}");
            }
            for s in [
                0.1,
                0.4,
                0.6,
                0.9,
                1.0 - 1e-9,
                1.0,
                1.0 + 1e-12,
                1.2,
                1.7,
                2.0,
                4.5,
                12.0,
                29.5,
                33.0,
                500.0,
            ] {
                let (here, next) = (exp_integral(s, z), exp_integral(s + 1.0, z));
                let gap = s * next + z * here - 1.0;
                assert!(gap.abs() < 3e-13, "s {s} z {z}: {gap:e}");
                if s < 30.0 && z < 1.0 {
                    // With t = e^v: ∫₀ e^(−z (e^v − 1)) e^((1−s) v) dv.
                    let end = ln(1.0 + 45.0 / z).min(if s > 1.2 { 45.0 / (s - 1.0) } else { f64::INFINITY });
                    let slow = integrate(0.0, end, 900, |v| exp(-z * exp_m1(v) + (1.0 - s) * v));
                    assert!(
                        (here / slow - 1.0).abs() < 2e-14 - 3e-16 * ln(z),
                        "s {s} z {z}: {here:e} {slow:e}"
                    );
                }
            }
        }
    }
}
