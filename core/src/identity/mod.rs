//! Who is this? Identifiers stitched into customers.
//!
//! An identifier is a value in a namespace: an e-mail address, a cookie, a
//! loyalty number. Identifiers that are seen together in an event are links,
//! and a customer is a set of linked identifiers. [`stitch`] takes all events
//! at once, [`IdentityGraph`] one at a time, with the same result.
//!
//! - Values are brought to one form ([`normalize_email`], [`normalize_phone`]),
//!   and those that stand for nobody are left out ([`is_garbage`]).
//! - [`IdentityRules`] keep people apart: a namespace may have a limit of
//!   values for one customer. When the identifiers of an event cannot all be
//!   one customer, the weakest are left out (the rule of Segment Unify).
//! - A customer's id is made from the identifier that was seen first. It stays
//!   the same when later events come, in any language and on any machine; when
//!   two customers become one, the older id stays. Only an event from before
//!   the customer's first, or taking back ([`IdentityGraph::forget`]), can
//!   change it.
//! - [`pairwise`] and [`evaluate`] compare a stitching with the truth.

mod assign;
mod book;
mod edit;
mod file;
mod forest;
mod garbage;
mod graph;
mod id;
mod normalize;
mod people;
mod rules;
mod score;
mod space;
mod stitch;

pub use assign::AssignOptions;
pub use book::{Identifier, Link, explain_table};
pub use edit::Change;
pub use forest::components;
pub use garbage::is_garbage;
pub use graph::{Blocked, IdentityGraph, Observation, Refusal};
pub use normalize::{normalize_email, normalize_phone};
pub use people::People;
pub use rules::{IdentityRules, Namespace, Normalize, OnConflict, OnUnparsable};
pub use score::{EvaluateOptions, Evaluation, PairScores, evaluate, pairwise};
pub use space::BlockReason;
pub use stitch::{StitchOptions, stitch, stitch_names};
