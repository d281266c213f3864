//! Embeddable customer analytics: who a customer is, what brought them, what
//! they are worth, and who they resemble.
//!
//! | room | question | begin with |
//! | --- | --- | --- |
//! | [`identity`] | which identifiers are one customer? | [`identity::stitch`], [`identity::IdentityGraph`] |
//! | [`journey`] | in what order did they meet our channels? | [`journey::Journeys`] |
//! | [`attribution`] | which touch earned the conversion? | [`attribution::attribute`] |
//! | [`clv`] | what will they be worth, and are they still here? | [`clv::summarize`], [`clv::BetaGeo`] |
//! | [`segment`] | who belongs together? | [`segment::rfm`], [`segment::KMeans`] |
//! | [`simulate`] | is all this true? | [`simulate::Market`] |
//!
//! Frames come in as [`column::Columns`] (from vectors, or with the feature
//! `arrow` from record batches) and go out as [`Table`]s. Long calls take a
//! [`Run`]: seed, threads, progress, cancellation; the same seed gives the same
//! bits for any number of threads. What goes wrong is one [`Error`].
//!
//! ```
//! use headwater::Run;
//! use headwater::clv::{BetaGeo, SummarizeOptions, summarize};
//! use headwater::column::{Columns, OnInvalid};
//! use headwater::identity::{AssignOptions, StitchOptions, stitch};
//! use headwater::simulate::{MarketOptions, generate};
//!
//! let run = Run::new();
//! let world = generate(&MarketOptions { people: 2000, seed: 7, ..Default::default() }, &run)?;
//!
//! // One customer for all their cookies, devices and addresses.
//! let identifiers = ["cookie", "device", "email", "user_id"].map(String::from).to_vec();
//! let options = StitchOptions { identifiers, time: Some("time".into()), ..Default::default() };
//! let people = stitch(&Columns::from(world.tables.records()), &options, &run)?;
//!
//! // Orders of nobody we know are dropped, and counted.
//! let orders = Columns::from(world.tables.orders);
//! let customers = people.assign_frame(&orders, &AssignOptions::default(), &run)?;
//! let options = SummarizeOptions { on_invalid: OnInvalid::Drop, ..Default::default() };
//! let rfm = summarize(&orders.with("customer", customers), &options, &run)?;
//! println!("{} orders dropped", rfm.dropped().rows);
//!
//! let model = BetaGeo::new().fit(&rfm.slices(), &run)?;
//! println!("r, alpha, a, b = {:?}", model.params());
//! # Ok::<(), headwater::Error>(())
//! ```
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

/// The Rust code of the pages in `docs/` runs with the doc tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/identity.md")]
    mod identity {}
    #[doc = include_str!("../../docs/journey.md")]
    mod journey {}
    #[doc = include_str!("../../docs/attribution.md")]
    mod attribution {}
    #[doc = include_str!("../../docs/clv_survival.md")]
    mod clv_survival {}
    #[doc = include_str!("../../docs/clv_contract.md")]
    mod clv_contract {}
    #[doc = include_str!("../../docs/clv_finance.md")]
    mod clv_finance {}
    #[doc = include_str!("../../docs/clv_covariates.md")]
    mod clv_covariates {}
    #[doc = include_str!("../../docs/clv_learned.md")]
    mod clv_learned {}
    #[doc = include_str!("../../docs/clv_posterior.md")]
    mod clv_posterior {}
    #[doc = include_str!("../../docs/simulate.md")]
    mod simulate {}
}

pub use column::Table;
pub use error::{Error, Result};
pub use run::Run;
