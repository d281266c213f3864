//! A market whose truth is known.
//!
//! People enter the market, are reached by channels, carry several cookies,
//! devices and e-mail addresses, share devices within households, buy, and
//! drop out. Everything that the other pillars estimate is known here:
//!
//! * **who is who**: each identifier with the people who used it;
//! * **what caused each order**: baseline orders happen anyway; every touch
//!   causes one more order with the probability `effect` of its channel, after
//!   a delay with the half-life `carry_over`. So incremental orders are known
//!   one by one, and channels that merely accompany intent (branded search,
//!   retargeting, direct) show up as such. Effects may wear out, be primed by
//!   other channels and differ by person; what would be lost with a channel
//!   switched off is always known, order by order ([`MarketTruth::channels`]);
//! * **what customers are worth**: baseline orders follow the BG/NBD process
//!   (Fader, Hardie & Lee 2005) and amounts the Gamma-Gamma model (Fader &
//!   Hardie 2013), and the process goes on after the observed days, so that
//!   forecasts can be checked.
//!
//! [`MarketOptions::preset`] has named markets that differ in what makes
//! attribution hard, [`lift_test`] makes experiments in them, and [`score`]
//! compares credits with the truth.
//!
//! A market is a function of its [`MarketOptions`] alone: one seed gives the
//! same bits for any number of threads, any batch size and in each language. A
//! person's life is keyed by (seed, person), so a larger market begins with
//! the people of the smaller one. [`Market::batches`] holds one batch in
//! memory at a time.
//!
//! ```
//! use headwater::Run;
//! use headwater::simulate::{Market, MarketOptions};
//!
//! let market = Market::new(MarketOptions { people: 2_000, days: 90, ..MarketOptions::default() })?;
//! let mut batches = market.batches(&Run::new());
//! let mut events = 0;
//! for batch in &mut batches {
//!     events += batch?.events.rows();
//! }
//! assert_eq!(batches.truth().events as usize, events);
//! let channels = batches.truth().channels();
//! assert_eq!(channels.text("channel", 0).as_deref(), Some("paid_search"));
//! # Ok::<(), headwater::Error>(())
//! ```

mod block;
mod life;
mod lift;
mod market;
mod options;
mod person;
mod presets;
mod render;
mod score;
mod truth;

pub use lift::{LiftDesign, LiftMetric, LiftOptions, LiftTest, lift_test};
pub use market::{Batches, Market, MarketBatch, MarketData, generate};
pub use options::{
    ChannelKind, ChannelOptions, FollowOn, IdentityBehaviour, MarketOptions, PurchaseProcess, Synergy,
    default_channels,
};
pub use presets::presets;
pub use score::{ScoreOptions, Scores, score};
pub use truth::{ChannelTruth, MarketTruth};
