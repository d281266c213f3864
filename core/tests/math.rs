//! Special functions beside an arbitrary-precision oracle.
//!
//! Each line of `CHECKS` states the bound on |got − want| / max(|want|, floor).
//! The floors stand where a function crosses zero: no relative accuracy exists
//! there, and none is needed.

use headwater::math;
use serde_json::Value;

type Function = fn(&[f64]) -> f64;
/// Name, function, floor, bound. The measured maxima are printed by the test.
const CHECKS: &[(&str, Function, f64, f64)] = &[
    ("ln_gamma", |x| math::ln_gamma(x[0]), 1e-300, 5e-15),
    ("digamma", |x| math::digamma(x[0]), 0.1, 5e-15),
    ("trigamma", |x| math::trigamma(x[0]), 1e-300, 5e-15),
    ("ln_gamma_rise", |x| math::ln_gamma_rise(x[0], x[1]), 1e-300, 5e-15),
    ("digamma_rise", |x| math::digamma_rise(x[0], x[1]), 1e-300, 5e-15),
    ("trigamma_rise", |x| math::trigamma_rise(x[0], x[1]), 1e-300, 5e-15),
    ("ln_beta", |x| math::ln_beta(x[0], x[1]), 1e-2, 5e-15),
    ("hyp2f1", |x| math::hyp2f1(x[0], x[1], x[2], x[3]), 1e-300, 1e-13),
    ("normal_quantile", |x| math::normal_quantile(x[0]), 1e-300, 5e-15),
    ("normal_cdf", |x| math::normal_cdf(x[0]), 1e-300, 1e-12), // far tail: −38² magnifies the rounding of x/√2
    ("erf", |x| math::erf(x[0]), 1e-300, 5e-15),
    ("erfc", |x| math::erfc(x[0]), 1e-300, 5e-15),
    ("log1p_exp", |x| math::log1p_exp(x[0]), 1e-300, 5e-15),
];

#[test]
fn every_function_agrees_with_the_oracle() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/math.json")).unwrap();
    let mut failures = Vec::new();
    for (name, function, floor, bound) in CHECKS {
        let rows = vectors[*name].as_array().unwrap_or_else(|| panic!("no vectors for {name}"));
        let mut worst = (0.0, Vec::new(), 0.0);
        for row in rows {
            let row: Vec<f64> = row.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let (want, args) = row.split_last().unwrap();
            let got = function(args);
            let error = if got == *want { 0.0 } else { (got - want).abs() / want.abs().max(*floor) };
            if error.is_nan() || error > worst.0 {
                worst = (error, args.to_vec(), got);
            }
        }
        println!("{name}: {} points, max error {:.2e} at {:?}", rows.len(), worst.0, worst.1);
        if worst.0.is_nan() || worst.0 > *bound {
            failures
                .push(format!("{name}: {:.3e} > {bound:.0e} at {:?} (got {})", worst.0, worst.1, worst.2));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn edges_are_answered() {
    assert!(math::hyp2f1(1.0, 1.0, 2.0, 1.0).is_nan());
    assert!(math::normal_quantile(-0.1).is_nan() && math::normal_quantile(f64::NAN).is_nan());
    assert_eq!(math::normal_quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(math::log1p_exp(f64::NEG_INFINITY), 0.0);
    assert_eq!(math::ln_gamma_rise(3.0, 0.0), 0.0);
    assert_eq!(math::sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    assert_eq!(math::sum([f64::INFINITY, 1.0]), f64::INFINITY);
}

/// A ridge that rises towards a corner, from a point on the bound whose gradient points inwards:
/// Newton's step leaves the box there, and must not end before it began.
#[test]
fn a_ridge_is_followed_along_a_bound() {
    use math::newton::{Local, Stop, maximise};
    let ridge = |at: &[f64; 2]| {
        let [u, v] = *at;
        let (across, along) = (u - v - 0.5, math::exp(-0.5 * (u + v)));
        Ok(Local {
            value: -1e3 * across * across - along,
            gradient: [-2e3 * across + 0.5 * along, 2e3 * across + 0.5 * along],
            hessian: [[-2e3 - 0.25 * along, 2e3 - 0.25 * along], [2e3 - 0.25 * along, -2e3 - 0.25 * along]],
        })
    };
    let stop = Stop { max_iterations: 50, gradient: 1e-9 };
    let found = maximise([1.0, 0.45], &[(-1.0, 1.0); 2], stop, ridge).unwrap();
    assert!(found.converged, "{found:?}");
    assert_eq!((found.at[0], found.bound), (1.0, [true, false]));
    // v where the two slopes cancel: 2000 (1 − v − ½) + ½ math::exp(−(1 + v) / 2) = 0.
    let slope = 2e3 * (0.5 - found.at[1]) + 0.5 * math::exp(-0.5 * (1.0 + found.at[1]));
    assert!(slope.abs() < 1e-9, "{slope}");
}
