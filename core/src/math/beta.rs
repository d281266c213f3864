//! The incomplete beta function.

use super::{exp, ln, ln_1p, ln_beta};

/// ln I_x(`a`, `b`), the regularised incomplete beta function (DLMF 8.17), for
/// `a`, `b` > 0 and 0 ≤ `x` ≤ 1; `y` is 1 − x, which the caller often knows to
/// more digits.
///
/// Its continued fraction (DLMF 8.17.22) below the mean and one minus that of
/// I_y(b, a) above. Error below 1e-12 of the greater of the result and 1 for
/// arguments up to some thousands.
pub(crate) fn ln_incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if y <= 0.0 {
        return 0.0;
    }
    let front = a * ln_share(x, y) + b * ln_share(y, x) - ln_beta(a, b);
    if x * (a + b + 2.0) < a + 1.0 {
        (front - ln(a) + ln(fraction(a, b, x))).min(0.0)
    } else {
        let rest = (front - ln(b) + ln(fraction(b, a, y))).min(0.0);
        // ln(1 − e^rest), with the digits of whichever is small.
        if rest > -0.693 { ln(-super::exp_m1(rest)) } else { ln_1p(-exp(rest)) }
    }
}

/// ln x, where the smaller of x and y = 1 − x has the digits.
fn ln_share(x: f64, y: f64) -> f64 {
    if x > 0.5 { ln_1p(-y) } else { ln(x) }
}

/// Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let off = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / off(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / off(1.0 + even * d);
        c = off(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / off(1.0 + odd * d);
        c = off(1.0 + odd / c);
        let step = d * c;
        value *= step;
        if (step - 1.0).abs() < 2e-16 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::pow;

    fn beta(a: f64, b: f64, x: f64) -> f64 {
        exp(ln_incomplete_beta(a, b, x, 1.0 - x))
    }

    // I_x(a, 1) = x^a, I_x(1, b) = 1 − (1 − x)^b, and the binomial tail of DLMF 8.17.5.
    #[test]
    fn it_is_its_closed_forms() {
        let close = |got: f64, want: f64, at: &str| {
            assert!(got == want || (got / want - 1.0).abs() < 1e-12, "{at}: {got:e} {want:e}");
        };
        for x in [1e-9, 0.01, 0.3, 0.5, 0.77, 0.999] {
            for a in [0.01, 0.5, 1.0, 3.7, 40.0] {
                close(beta(a, 1.0, x), pow(x, a), &format!("power {a} {x}"));
                close(beta(1.0, a, x), -super::super::exp_m1(a * ln_1p(-x)), &format!("complement {a} {x}"));
            }
            let (n, k) = (23_u32, 9_u32);
            let mut tail = 0.0;
            let mut choose = 1.0;
            for j in 0..=n {
                if j >= k {
                    tail += choose * pow(x, f64::from(j)) * pow(1.0 - x, f64::from(n - j));
                }
                choose *= f64::from(n - j) / f64::from(j + 1);
            }
            close(beta(f64::from(k), f64::from(n - k + 1), x), tail, &format!("binomial {x}"));
            // I_x(½, ½) = (2/π) asin √x.
            close(beta(0.5, 0.5, x), libm::asin(x.sqrt()) / std::f64::consts::FRAC_PI_2, "arcsine");
        }
    }

    // I_x(a, b) + I_y(b, a) = 1, and I_x(a, b) − I_x(a + 1, b) = x^a y^b / (a B(a, b)) (DLMF 8.17.4, 8.17.20).
    #[test]
    fn it_keeps_its_identities_for_great_arguments() {
        for (a, b) in [(0.3, 2.4), (1200.0, 3.0), (3.0, 1200.0), (4000.0, 5000.0), (12.5, 0.02), (1e-3, 1e-3)]
        {
            for x in [1e-6, 0.2, 0.44, 0.5, 0.9, 0.9975] {
                let (low, high) = (beta(a, b, x), exp(ln_incomplete_beta(b, a, 1.0 - x, x)));
                assert!((low + high - 1.0).abs() < 1e-12, "{a} {b} {x}: {low} {high}");
                let step = exp(a * ln(x) + b * ln_1p(-x) - ln_beta(a, b)) / a;
                assert!((low - beta(a + 1.0, b, x) - step).abs() < 1e-12 * (1.0 + step), "{a} {b} {x}");
            }
        }
        // Far beyond the range of a double: I_x(a, 1) = x^a.
        assert!((ln_incomplete_beta(5000.0, 1.0, 0.5, 0.5) / (5000.0 * ln(0.5)) - 1.0).abs() < 1e-13);
        assert_eq!(beta(2.0, 3.0, 0.0), 0.0);
        assert_eq!(beta(2.0, 3.0, 1.0), 1.0);
    }
}
