//! The Node face of Headwater: columns in, one call into the core, columns out.
//!
//! Nothing is computed here. `face/` is the JavaScript half: it turns what
//! callers have into columns, options into JSON, and follows running jobs.
// Public to JavaScript, which the compiler does not see.
#![allow(unreachable_pub)]
// The macros of napi take arguments by value.
#![allow(clippy::needless_pass_by_value)]

mod face;
mod frame;
mod intake;
mod job;
mod simulate;
