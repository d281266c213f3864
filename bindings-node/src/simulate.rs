//! Markets whose truth is known.

use std::sync::{Arc, Mutex, PoisonError};

use headwater::Table;
use headwater::run::Monitor;
use headwater::simulate::{
    self as core, Batches, LiftOptions, Market as Source, MarketBatch, MarketOptions, MarketTruth,
    ScoreOptions, generate,
};
use napi::bindgen_prelude::{External, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::job::{self, Call, Start};

/// A market, or a batch of one, as frames.
#[napi(object, object_from_js = false, namespace = "simulate")]
pub struct Market {
    /// One row a touch: time, cookie, device, email, user_id, channel, campaign, cost.
    pub events: Frame,
    /// One row an order in the observed days: time, order_id, the identifiers, source, value.
    pub orders: Frame,
    /// What stitching takes: the identifiers of events and orders together, in the order of time.
    pub records: Frame,
    /// The orders of the days after the end.
    pub holdout: Frame,
    /// Truth, one row a person: rates, amounts, whether alive at the end, and what came.
    pub people: Frame,
    /// Truth: namespace, identifier, person; one row for each person who used the identifier.
    #[napi(js_name = "truthPeople")]
    pub truth_people: Frame,
    /// Truth beside `events`: person.
    #[napi(js_name = "truthEvents")]
    pub truth_events: Frame,
    /// Truth beside `orders`: order_id, person, and the channel that caused it.
    #[napi(js_name = "truthOrders")]
    pub truth_orders: Frame,
    /// Truth of each channel: what it cost, the orders that its touches caused
    /// (`incremental_…`), and those that would not exist with the channel
    /// switched off (`lost_…`); of a stream, in the batches so far.
    pub channels: Frame,
    /// Truth: the sums; of a stream, over the batches so far.
    pub totals: Frame,
    /// The end of the observed days.
    #[napi(ts_type = "Date")]
    pub end: f64,
}

struct Made {
    batch: MarketBatch,
    records: Table,
    truth: MarketTruth,
    end: i64,
}

impl Made {
    fn new(batch: MarketBatch, truth: MarketTruth, end: i64) -> Self {
        Self { records: batch.records(), batch, truth, end }
    }
}

impl From<Made> for Market {
    fn from(made: Made) -> Self {
        let MarketBatch { events, orders, holdout, truth_people, truth_events, truth_orders, people } =
            made.batch;
        Self {
            events: Frame::new(events),
            orders: Frame::new(orders),
            records: Frame::new(made.records),
            holdout: Frame::new(holdout),
            people: Frame::new(people),
            truth_people: Frame::new(truth_people),
            truth_events: Frame::new(truth_events),
            truth_orders: Frame::new(truth_orders),
            channels: Frame::new(made.truth.channels()),
            totals: Frame::new(made.truth.totals()),
            end: made.end as f64 / 1000.0,
        }
    }
}

/// Makes a whole market in memory, in the order of time.
#[napi(
    namespace = "simulate",
    ts_args_type = "options?: MarketOptions & RunOptions",
    ts_return_type = "Promise<Market>"
)]
pub fn market<'e>(env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let options: MarketOptions = call.seeded_options()?;
        Ok(move |run: &headwater::Run| {
            let market = generate(&options, run)?;
            Ok(Made::new(market.tables, market.truth, market.end))
        })
    };
    job::start(env, options, prepare, Market::from)
}

/// The named markets, which differ in what makes attribution hard: name, story.
#[napi(namespace = "simulate")]
pub fn presets() -> Frame {
    Frame::new(core::presets())
}

/// Makes randomised lift tests in a market, one row each: channel, start, end,
/// metric, effect, standard_error, true_effect, people, held_out, conversions,
/// conversions_held_out. A share of people is held out, whom the channel does
/// not touch; the effect is the difference of means, scaled to all people.
#[napi(
    namespace = "simulate",
    ts_args_type = "tests: LiftTest[], market?: MarketOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn lift_test<'e>(env: &'e Env, tests: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let options = LiftOptions { market: call.seeded_options()?, tests: call.value(tests)? };
        Ok(move |run: &headwater::Run| core::lift_test(&options, run))
    };
    job::start(env, options, prepare, Frame::new)
}

/// Scores the credits of models against what channels truly did: model,
/// channel, credit, truth, over_credit, credit_share, true_share, error,
/// relative_error, covered, share_covered. `extras.models` has one row a model.
/// Whether shares are right (`error`) and whether the amount is (`over_credit`)
/// are kept apart: splitting all conversions credits what comes anyway too.
#[napi(
    namespace = "simulate",
    ts_args_type = "credits: FrameInput, truth: FrameInput, options?: ScoreOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn score<'e>(
    env: &'e Env,
    credits: Unknown<'e>,
    truth: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let options = call.options::<ScoreOptions>()?;
        let (credits, truth) = (call.columns(credits)?, call.columns(truth)?);
        Ok(move |run: &headwater::Run| core::score(&credits.columns()?, &truth.columns()?, &options, run))
    };
    job::start(env, options, prepare, |found| Frame::new(found.channels).and("models", found.models))
}

/// A stream of batches, of which one is in memory at a time.
pub struct Stream {
    batches: Mutex<Batches>,
    monitor: Arc<Monitor>,
    end: i64,
}

/// Opens the stream behind `simulate.batches`.
#[napi(namespace = "simulate", skip_typescript)]
pub fn open_batches<'e>(env: &'e Env, options: Unknown<'e>) -> Result<External<Arc<Stream>>> {
    let call = Call::open(env, options)?;
    let options: MarketOptions = call.seeded_options()?;
    let monitor = Monitor::new();
    let run = call.settings.run().monitor(Arc::clone(&monitor));
    let market = job::now(env, || Source::new(options))?;
    let (end, batches) = (market.end(), Mutex::new(market.batches(&run)));
    Ok(External::new(Arc::new(Stream { batches, monitor, end })))
}

/// The stream's next batch, or nothing after the last.
#[napi(namespace = "simulate", skip_typescript)]
pub fn next_batch<'e>(
    env: &'e Env,
    stream: &External<Arc<Stream>>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let stream = Arc::clone(stream);
    let start = Start { monitor: Some(Arc::clone(&stream.monitor)), ..Start::default() };
    let prepare = |_: &Call<'e>| {
        Ok(move |_: &headwater::Run| {
            let mut batches = stream.batches.lock().unwrap_or_else(PoisonError::into_inner);
            let batch = batches.next().transpose()?;
            Ok(batch.map(|batch| Made::new(batch, batches.truth().clone(), stream.end)))
        })
    };
    job::start_with(env, options, start, prepare, |made: Option<Made>| made.map(Market::from))
}
