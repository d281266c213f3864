//! The Node face of Headwater: columns in, one call into the core, columns out.
//!
//! Nothing is computed here. `face/` is the JavaScript half: it turns what
//! callers have into columns, options into JSON, and follows running jobs.
// Public to JavaScript, which the compiler does not see.
#![allow(unreachable_pub)]
// The macros of napi take arguments by value.
#![allow(clippy::needless_pass_by_value)]
// They hand out `&Env`.
#![allow(clippy::trivially_copy_pass_by_ref)]
// Classes are seen from JavaScript, which inspects them its own way.
#![allow(missing_debug_implementations)]

mod attribution;
mod channels;
mod clv;
mod contractual;
mod dynamic;
mod face;
mod frame;
mod hierarchy;
mod identity;
mod intake;
mod job;
mod journey;
mod models;
mod posterior;
mod rfm;
mod segment;
mod simulate;
