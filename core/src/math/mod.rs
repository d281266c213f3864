//! Special functions, sums and small solvers.
//!
//! Everything here is pure Rust on IEEE arithmetic, so a number computed in
//! Python on a Mac is the number computed in Node on Linux, to the last bit.

pub use libm::{exp, exp2, expm1 as exp_m1, log as ln, log1p as ln_1p, log2, log10, pow};
