//! Columns in, columns out.
//!
//! The pillars work on dense `u32` codes, `i64` microseconds and `f64`
//! amounts. This floor makes them from whatever the caller has, checks them,
//! and counts what it drops.

mod duration;
mod names;
mod table;

pub use duration::{DAY, Duration};
pub use names::{Labels, NULL, Names, Text};
pub use table::{Column, Table, Values};
