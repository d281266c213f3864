//! What happened, in what order?

use std::sync::Arc;

use headwater::Table;
use headwater::attribution::{Model as Rule, touch_credits};
use headwater::journey::{self as core, Chain, EventOptions, PathOptions, Repeats};
use napi::bindgen_prelude::Unknown;
use napi::{Env, Result};
use napi_derive::napi;
use serde::Deserialize;

use crate::frame::Frame;
use crate::job::{self, Call};

/// Journeys, ready to be counted, attributed and reported.
#[napi]
pub struct Journeys {
    pub(crate) journeys: Arc<core::Journeys>,
}

impl From<core::Journeys> for Journeys {
    fn from(journeys: core::Journeys) -> Self {
        Self { journeys: Arc::new(journeys) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TransitionOptions {
    order: usize,
    repeats: Repeats,
}

impl Default for TransitionOptions {
    fn default() -> Self {
        Self { order: 1, repeats: Repeats::default() }
    }
}

impl Journeys {
    fn report<'e>(
        &self,
        env: &'e Env,
        options: Unknown<'e>,
        read: fn(&core::Journeys, &headwater::Run) -> headwater::Result<Table>,
    ) -> Result<Unknown<'e>> {
        let journeys = Arc::clone(&self.journeys);
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            Ok(move |run: &headwater::Run| read(&journeys, run))
        };
        job::start(env, options, prepare, Frame::new)
    }
}

#[napi]
impl Journeys {
    /// `fromEvents`, behind the face that takes the conversions out of the options.
    #[napi(skip_typescript)]
    pub fn read_events<'e>(
        env: &'e Env,
        touches: Unknown<'e>,
        conversions: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let options: EventOptions = call.options()?;
            let (touches, conversions) = (call.columns(touches)?, call.optional_columns(conversions)?);
            Ok(move |run: &headwater::Run| {
                let conversions = conversions.map(crate::intake::Input::columns).transpose()?;
                core::Journeys::from_events(&touches.columns()?, conversions.as_ref(), &options, run)
            })
        };
        job::start(env, options, prepare, Self::from)
    }

    /// Journeys from a frame of paths with counts.
    #[napi(
        ts_args_type = "paths: FrameInput, options?: PathOptions & RunOptions",
        ts_return_type = "Promise<Journeys>"
    )]
    pub fn from_paths<'e>(env: &'e Env, paths: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let (options, paths) = (call.options::<PathOptions>()?, call.columns(paths)?);
            Ok(move |run: &headwater::Run| core::Journeys::from_paths(&paths.columns()?, &options, run))
        };
        job::start(env, options, prepare, Self::from)
    }

    /// How many journeys there are, open ones and conversions without a touch included.
    #[napi(getter)]
    pub fn size(&self) -> f64 {
        self.journeys.len() as f64
    }

    /// The channels, in the order of their labels.
    #[napi(getter)]
    pub fn channel_names(&self) -> Vec<String> {
        self.journeys.channel_labels()
    }

    /// All conversions, those without a touch included.
    #[napi(getter)]
    pub fn total_conversions(&self, env: &Env) -> Result<f64> {
        job::now(env, || Ok(self.journeys.total_conversions()))
    }

    /// The value of all conversions.
    #[napi(getter)]
    pub fn total_value(&self, env: &Env) -> Result<f64> {
        job::now(env, || Ok(self.journeys.total_value()))
    }

    /// Distinct paths: path, touches, conversions, value, nulls, conversion_rate.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn paths<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, options, core::Journeys::paths)
    }

    /// What follows what: from, to, count, probability.
    #[napi(ts_args_type = "options?: TransitionOptions & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn transitions<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let journeys = Arc::clone(&self.journeys);
        let prepare = |call: &Call<'e>| {
            let TransitionOptions { order, repeats } = call.options()?;
            Ok(move |run: &headwater::Run| {
                Ok(Chain::count(&journeys, order, repeats, run)?.table(&journeys.channel_labels()))
            })
        };
        job::start(env, options, prepare, Frame::new)
    }

    /// How long conversions took: days, conversions, value.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn lags<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, options, |journeys, _| journeys.lags())
    }

    /// How long journeys are: touches, conversions, value, nulls.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn lengths<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, options, |journeys, _| Ok(journeys.lengths()))
    }

    /// Channels: channel, touches, conversions and value of the journeys they take part in, nulls, cost.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn channels<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, options, core::Journeys::channels)
    }

    /// One row of totals.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn summary<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, options, |journeys, _| Ok(journeys.summary()))
    }

    /// The rows that were dropped, and why.
    #[napi]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.journeys.dropped().table())))
    }

    /// The credit of each touch of each converting journey: journey, position,
    /// customer, time, channel, conversion_time, conversions, value.
    #[napi(ts_args_type = "model: AttributionModel, options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn touch_credits<'e>(
        &self,
        env: &'e Env,
        model: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let journeys = Arc::clone(&self.journeys);
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            let model: Rule = call.value(model)?;
            Ok(move |run: &headwater::Run| touch_credits(&journeys, &model, run))
        };
        job::start(env, options, prepare, Frame::new)
    }
}
