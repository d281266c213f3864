//! Special functions, sums and small solvers.
//!
//! Everything here is pure Rust on IEEE arithmetic, so a number computed in
//! Python on a Mac is the number computed in Node on Linux, to the last bit.
//! `core/tests/math.rs` compares each function with an arbitrary-precision
//! oracle; the accuracy stated at each is what was measured there.

pub(crate) mod ascent;
mod beta;
mod chi_squared;
pub(crate) mod dual;
mod exact;
mod gamma;
mod hyper;
pub(crate) mod jet;
pub mod newton;
mod normal;
pub(crate) mod quadrature;
pub(crate) mod sample;
mod semidefinite;
pub mod solve;
mod stats;
mod sum;
pub(crate) mod survival;

pub(crate) use beta::ln_incomplete_beta;
pub(crate) use chi_squared::{chi_squared_tail, ln_gamma_tail};
pub(crate) use exact::merge_sums;
pub use exact::{ExactSum, exact_sum};
pub(crate) use gamma::ln_gamma_excess;
pub use gamma::{digamma, digamma_rise, ln_beta, ln_gamma, ln_gamma_rise, trigamma, trigamma_rise};
pub use hyper::hyp2f1;
pub use libm::{exp, exp2, expm1 as exp_m1, log as ln, log1p as ln_1p, log2, log10, pow};
pub use normal::{erf, erfc, normal_cdf, normal_quantile};
pub(crate) use semidefinite::Factor;
pub(crate) use stats::{benjamini_hochberg, kendall, mean_and_limits, quantile, ranks, sorted, spearman};
pub use sum::{Sum, sum};

/// `ln(1 + e^x)` without overflow, and without losing a small `e^x`.
///
/// ```
/// use headwater::math::log1p_exp;
/// assert_eq!(log1p_exp(1000.0), 1000.0);
/// assert!((log1p_exp(-50.0) / (-50f64).exp() - 1.0).abs() < 1e-15);
/// ```
#[inline]
pub fn log1p_exp(x: f64) -> f64 {
    if x > 0.0 { x + ln_1p(exp(-x)) } else { ln_1p(exp(x)) }
}
