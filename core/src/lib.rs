//! Embeddable customer analytics.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod attribution;
pub mod clv;
pub mod column;
mod error;
pub mod identity;
pub mod journey;
pub mod math;
pub mod model;
pub mod options;
pub mod run;
pub mod segment;
pub mod simulate;

pub use column::Table;
pub use error::{Error, Result};
pub use run::Run;
