//! Summaries that grow by parts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use headwater::clv::{self as core, ClockOptions, Rfm, SpeedOptions, SummarizeOptions, When};
use headwater::column::Dropped;
use napi::bindgen_prelude::{This, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::job::{self, Call, Config, Slot, Start};
use crate::models::save;

/// A summary with where orders and customers went.
pub(crate) fn summary(rfm: Rfm) -> Frame {
    Frame::new(rfm.table()).and("accounting", rfm.accounting_table()).and("dropped", rfm.dropped().table())
}

/// Summarizes orders that come in parts, in any order. The result is that of
/// `clv.summarize` on all parts end to end, to the last bit. What is kept for a
/// customer is one line for each grain (day) with an order: memory grows with
/// customers and their days, and not with orders.
#[napi(namespace = "clv")]
pub struct RfmBuilder {
    builder: Arc<Mutex<core::RfmBuilder>>,
}

impl From<core::RfmBuilder> for RfmBuilder {
    fn from(builder: core::RfmBuilder) -> Self {
        Self { builder: Arc::new(Mutex::new(builder)) }
    }
}

fn locked(builder: &Mutex<core::RfmBuilder>) -> MutexGuard<'_, core::RfmBuilder> {
    builder.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RfmBuilder {
    fn with<T>(&self, env: &Env, work: impl FnOnce(&core::RfmBuilder) -> headwater::Result<T>) -> Result<T> {
        job::now(env, || match self.builder.try_lock() {
            Ok(builder) => work(&builder),
            Err(TryLockError::Poisoned(builder)) => work(&builder.into_inner()),
            Err(TryLockError::WouldBlock) => Err(headwater::Error::option(
                "builder",
                "is busy: wait for the `extend`, `merge`, `summary` or `save` that is running",
            )),
        })
    }
}

#[napi(namespace = "clv")]
impl RfmBuilder {
    /// A builder without orders.
    #[napi(constructor, ts_args_type = "options?: SummarizeOptions")]
    pub fn new(env: &Env, options: Unknown<'_>) -> Result<Self> {
        let options: SummarizeOptions = Call::open(env, options)?.options()?;
        job::now(env, || core::RfmBuilder::new(options).map(Self::from))
    }

    /// Adds a part; after an error the builder is as before.
    #[napi(ts_args_type = "orders: FrameInput, options?: RunOptions", ts_return_type = "Promise<void>")]
    pub fn extend<'e>(&self, env: &'e Env, orders: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let builder = Arc::clone(&self.builder);
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            let orders = call.columns(orders)?;
            Ok(move |run: &headwater::Run| locked(&builder).extend(&orders.columns()?, run))
        };
        job::start(env, options, prepare, |()| ())
    }

    /// Adds the orders of another builder, which has the same options, after those of this one.
    #[napi(ts_args_type = "other: RfmBuilder, options?: RunOptions", ts_return_type = "Promise<void>")]
    pub fn merge<'e>(&self, env: &'e Env, other: &RfmBuilder, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let (builder, other) = (Arc::clone(&self.builder), Arc::clone(&other.builder));
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            Ok(move |run: &headwater::Run| {
                // One lock at a time: two builders may be merged into each other, or one into itself.
                let other = locked(&other).clone();
                locked(&builder).merge(&other, run)
            })
        };
        job::start(env, options, prepare, |()| ())
    }

    /// The summary of all orders so far, as `clv.summarize` gives it.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn summary<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let builder = Arc::clone(&self.builder);
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            Ok(move |run: &headwater::Run| locked(&builder).summary(run))
        };
        job::start(env, options, prepare, summary)
    }

    /// How many orders were read so far.
    #[napi(getter)]
    pub fn orders(&self, env: &Env) -> Result<f64> {
        self.with(env, |builder| Ok(builder.orders() as f64))
    }

    /// How many customers were seen so far.
    #[napi(getter)]
    pub fn customers(&self, env: &Env) -> Result<f64> {
        self.with(env, |builder| Ok(builder.customers() as f64))
    }

    /// How many lines are kept at the moment; 24 bytes each.
    #[napi(getter)]
    pub fn lines(&self, env: &Env) -> Result<f64> {
        self.with(env, |builder| Ok(builder.lines() as f64))
    }

    /// The builder as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        self.with(env, headwater::model::to_bytes).map(Uint8Array::new)
    }

    /// Writes the builder to a file; `load` reads it back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let builder = Arc::clone(&self.builder);
        save(env, path, move || headwater::model::to_bytes(&*locked(&builder)))
    }
}

/// A clock by which customers buy: in each season time runs at a speed of its
/// own. `clv.summarize` counts by it as its option `clock`, every model fits and
/// predicts on what it gives, and `span` says how long a horizon is by it. The
/// mean speed over a year is 1, and a season of the year that was not seen keeps 1.
#[napi(namespace = "clv")]
pub struct SeasonalClock {
    config: Config,
    slot: Slot<core::SeasonalClock>,
    dropped: Slot<Dropped>,
}

impl From<core::SeasonalClock> for SeasonalClock {
    fn from(clock: core::SeasonalClock) -> Self {
        Self { config: Config::default(), slot: Slot::of(clock), dropped: Slot::default() }
    }
}

#[napi(namespace = "clv")]
impl SeasonalClock {
    /// A clock that is not fitted yet.
    #[napi(constructor, ts_args_type = "options?: ClockOptions")]
    pub fn new(env: &Env, options: Unknown<'_>) -> Result<Self> {
        Ok(Self {
            config: Config::open::<ClockOptions>(env, options)?,
            slot: Slot::default(),
            dropped: Slot::default(),
        })
    }

    /// A clock of given speeds, one for each season in its order (of windows,
    /// `other` first). Those of seasons of the year are divided by their mean.
    #[napi(factory, ts_args_type = "options: SpeedOptions")]
    pub fn with_speeds(env: &Env, options: Unknown<'_>) -> Result<Self> {
        let options: SpeedOptions = Call::open(env, options)?.options()?;
        job::now(env, || core::SeasonalClock::given(&options)).map(Self::from)
    }

    /// Finds the speeds by maximum likelihood, together with the law's
    /// parameters, and resolves to this clock.
    #[napi(
        ts_args_type = "orders: FrameInput, options?: ClockOptions & RunOptions",
        ts_return_type = "Promise<this>"
    )]
    pub fn fit<'e>(
        &self,
        env: &'e Env,
        this: This<'e>,
        orders: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let (slot, dropped) = (self.slot.clone(), self.dropped.clone());
        let start = Start { defaults: self.config.settings, this: Some(this.object), monitor: None };
        let prepare = |call: &Call<'e>| {
            let (options, orders) = (self.config.merged::<ClockOptions>(call)?, call.columns(orders)?);
            Ok(move |run: &headwater::Run| core::SeasonalClock::fit(&orders.columns()?, &options, run))
        };
        job::start_with(env, options, start, prepare, move |(clock, gone)| {
            slot.set(clock);
            dropped.set(gone);
        })
    }

    /// How much time the clock counts in the coming `periods` after a moment,
    /// its grain included: the horizon to predict for.
    #[napi(ts_args_type = "since: Date | string, periods: number")]
    pub fn span(&self, env: &Env, since: Unknown<'_>, periods: f64) -> Result<f64> {
        let since: When = job::value(env, since)?;
        job::now(env, || self.slot.get()?.span(&since, periods))
    }

    /// A row for each season: season, log_speed, speed; of a fit also std_error, purchases.
    #[napi]
    pub fn table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.table())))
    }

    /// One row: model, log_likelihood, log_likelihood_without, statistic,
    /// degrees_of_freedom, p (of no seasons at all), iterations.
    #[napi]
    pub fn fit_table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.fit_table())))
    }

    /// The rows that the fit dropped, and why: column, reason, count, first_row.
    #[napi]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.dropped.get()?.table())))
    }

    /// The clock as an option.
    #[napi(skip_typescript)]
    pub fn spec(&self, env: &Env) -> Result<String> {
        job::now(env, || {
            let clock = self.slot.get()?;
            serde_json::to_string(&*clock)
                .map_err(|e| headwater::Error::option("clock", format!("cannot be written: {e}")))
        })
    }

    /// The clock as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || headwater::model::to_bytes(&*self.slot.get()?)).map(Uint8Array::new)
    }

    /// Writes the clock to a file; `load` reads it back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let slot = self.slot.clone();
        save(env, path, move || headwater::model::to_bytes(&*slot.get()?))
    }
}
