//! What happened, in what order?

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use headwater::attribution::Given;
use headwater::column::Tables;
use headwater::journey::{self as core, EventOptions, PathCounts as CoreCounts, PathOptions};
use napi::bindgen_prelude::{Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::job::{self, Call};
use crate::models::save;

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

    /// The rows that were dropped, and why.
    #[napi]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.journeys.dropped().table())))
    }

    /// A report by name; `face/journeys.js` has a method for each.
    #[napi(skip_typescript)]
    pub fn report<'e>(&self, env: &'e Env, name: String, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let journeys = Arc::clone(&self.journeys);
        let prepare = |call: &Call<'e>| {
            let options: String = call.json().to_owned();
            Ok(move |run: &headwater::Run| journeys.report(&name, &options, run))
        };
        job::start(env, options, prepare, Frame::of)
    }

    /// A report of attribution by name, with other journeys or a frame where it takes them.
    #[napi(skip_typescript)]
    #[allow(clippy::too_many_arguments)] // as in JavaScript
    pub fn attribution<'e>(
        &self,
        env: &'e Env,
        name: String,
        options: Unknown<'e>,
        other: Option<&Journeys>,
        frame: Unknown<'e>,
        rules: Unknown<'e>,
        lift_tests: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let journeys = Arc::clone(&self.journeys);
        let other = other.map(|other| Arc::clone(&other.journeys));
        let prepare = |call: &Call<'e>| {
            let (options, frame) = (call.json().to_owned(), call.optional_columns(frame)?);
            let (rules, lift_tests) = (call.optional_columns(rules)?, call.optional_columns(lift_tests)?);
            Ok(move |run: &headwater::Run| -> headwater::Result<Tables> {
                let frame = frame.map(crate::intake::Input::columns).transpose()?;
                let rules = rules.map(crate::intake::Input::columns).transpose()?;
                let lift_tests = lift_tests.map(crate::intake::Input::columns).transpose()?;
                let other = other.as_deref();
                let given = Given {
                    journeys: &journeys,
                    other,
                    frame: frame.as_ref(),
                    lift_tests: lift_tests.as_ref(),
                    rules: rules.as_ref(),
                };
                given.report(&name, &options, run)
            })
        };
        job::start(env, options, prepare, Frame::of)
    }

    /// Journeys made of these, by the name of what makes them.
    #[napi(skip_typescript)]
    pub fn part<'e>(
        &self,
        env: &'e Env,
        name: String,
        options: Unknown<'e>,
        frame: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let journeys = Arc::clone(&self.journeys);
        let prepare = |call: &Call<'e>| {
            let (options, frame) = (call.json().to_owned(), call.optional_columns(frame)?);
            Ok(move |run: &headwater::Run| {
                let frame = frame.map(crate::intake::Input::columns).transpose()?;
                journeys.part(&name, &options, frame.as_ref(), run)
            })
        };
        job::start(env, options, prepare, JourneyParts::from)
    }

    /// The summary of these journeys by distinct path, which merges with those of other parts.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<PathCounts>")]
    pub fn counts<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let journeys = Arc::clone(&self.journeys);
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            Ok(move |run: &headwater::Run| CoreCounts::of(&journeys, run))
        };
        job::start(env, options, prepare, PathCounts::from)
    }
}

/// Journeys by label, on their way to the face.
#[napi]
pub struct JourneyParts {
    parts: Vec<(String, Arc<core::Journeys>)>,
}

impl From<Vec<(String, core::Journeys)>> for JourneyParts {
    fn from(parts: Vec<(String, core::Journeys)>) -> Self {
        Self { parts: parts.into_iter().map(|(label, journeys)| (label, Arc::new(journeys))).collect() }
    }
}

#[napi]
impl JourneyParts {
    /// The labels.
    #[napi(skip_typescript)]
    pub fn labels(&self) -> Vec<String> {
        self.parts.iter().map(|(label, _)| label.clone()).collect()
    }

    /// The journeys of one label.
    #[napi(skip_typescript)]
    pub fn at(&self, part: u32) -> Option<Journeys> {
        self.parts.get(part as usize).map(|(_, journeys)| Journeys { journeys: Arc::clone(journeys) })
    }
}

/// Journeys that grow as events come in parts, such as days. Each part extends
/// the journeys of its own customers; the result is that of `Journeys.fromEvents`
/// on all parts end to end, to the last bit and in the same order. All
/// customers are built anew only when, under `lookbackByKind`, a part brings the first
/// conversion that has another window. The builder
/// keeps the columns that its options name, and saves with them.
#[napi]
pub struct JourneyBuilder {
    builder: Arc<Mutex<core::JourneyBuilder>>,
}

impl From<core::JourneyBuilder> for JourneyBuilder {
    fn from(builder: core::JourneyBuilder) -> Self {
        Self { builder: Arc::new(Mutex::new(builder)) }
    }
}

fn locked(builder: &Mutex<core::JourneyBuilder>) -> MutexGuard<'_, core::JourneyBuilder> {
    builder.lock().unwrap_or_else(PoisonError::into_inner)
}

impl JourneyBuilder {
    fn with<T>(
        &self,
        env: &Env,
        work: impl FnOnce(&core::JourneyBuilder) -> headwater::Result<T>,
    ) -> Result<T> {
        job::now(env, || match self.builder.try_lock() {
            Ok(builder) => work(&builder),
            Err(TryLockError::Poisoned(builder)) => work(&builder.into_inner()),
            Err(TryLockError::WouldBlock) => Err(headwater::Error::option(
                "builder",
                "is busy: wait for the `extend`, `merge` or `save` that is running",
            )),
        })
    }
}

#[napi]
impl JourneyBuilder {
    /// A builder without events; a frame of conversions comes with each part.
    #[napi(constructor, ts_args_type = "options?: BuilderOptions")]
    pub fn new(env: &Env, options: Unknown<'_>) -> Result<Self> {
        let options: EventOptions = Call::open(env, options)?.options()?;
        job::now(env, || {
            options.check()?;
            Ok(core::JourneyBuilder::new(options).into())
        })
    }

    /// Adds a part; after an error the builder is as before. All parts have a
    /// frame of conversions, be it empty, or none has.
    #[napi(
        ts_args_type = "touches: FrameInput, conversions?: FrameInput | null, options?: RunOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn extend<'e>(
        &self,
        env: &'e Env,
        touches: Unknown<'e>,
        conversions: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let builder = Arc::clone(&self.builder);
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            let (touches, conversions) = (call.columns(touches)?, call.optional_columns(conversions)?);
            Ok(move |run: &headwater::Run| {
                let conversions = conversions.map(crate::intake::Input::columns).transpose()?;
                locked(&builder).extend(&touches.columns()?, conversions.as_ref(), run)
            })
        };
        job::start(env, options, prepare, |()| ())
    }

    /// Adds the events of another builder, which has the same options, after those of this one.
    #[napi(ts_args_type = "other: JourneyBuilder, options?: RunOptions", ts_return_type = "Promise<void>")]
    pub fn merge<'e>(
        &self,
        env: &'e Env,
        other: &JourneyBuilder,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
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

    /// The journeys of all events so far; what comes later does not change them.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Journeys>")]
    pub fn journeys<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let builder = Arc::clone(&self.builder);
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            Ok(move |_: &headwater::Run| Ok(locked(&builder).journeys()))
        };
        job::start(env, options, prepare, Journeys::from)
    }

    /// How many rows of touches there are so far.
    #[napi(getter)]
    pub fn touches(&self, env: &Env) -> Result<f64> {
        self.with(env, |builder| Ok(builder.touches() as f64))
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

/// Distinct paths and what each counts for: all that Markov chains, Shapley
/// values and rules without times need. Summaries of parts merge in any order
/// and grouping to the same bits, and save as model files.
#[napi]
pub struct PathCounts {
    counts: Arc<CoreCounts>,
}

impl From<CoreCounts> for PathCounts {
    fn from(counts: CoreCounts) -> Self {
        Self { counts: Arc::new(counts) }
    }
}

#[napi]
impl PathCounts {
    /// How many distinct paths there are.
    #[napi(getter)]
    pub fn size(&self) -> f64 {
        self.counts.len() as f64
    }

    /// This summary and another in one.
    #[napi(ts_args_type = "other: PathCounts, options?: RunOptions", ts_return_type = "Promise<PathCounts>")]
    pub fn merge<'e>(&self, env: &'e Env, other: &PathCounts, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let (counts, other) = (Arc::clone(&self.counts), Arc::clone(&other.counts));
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            Ok(move |run: &headwater::Run| counts.merge(&other, run))
        };
        job::start(env, options, prepare, Self::from)
    }

    /// The journeys that the summary describes, one for each distinct path.
    #[napi]
    pub fn journeys(&self, env: &Env) -> Result<Journeys> {
        job::now(env, || Ok(Journeys::from(core::Journeys::from_counts(&self.counts))))
    }

    /// The summary as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || headwater::model::to_bytes(&*self.counts)).map(Uint8Array::new)
    }

    /// Writes the summary to a file; `load` reads it back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let counts = Arc::clone(&self.counts);
        save(env, path, move || headwater::model::to_bytes(&*counts))
    }
}
