//! The one way in: every long call is a [`start`], every short one a [`now`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use headwater::run::{Monitor, Run};
use napi::bindgen_prelude::{
    External, JsObjectValue, JsValue, Object, PromiseRaw, ToNapiValue, TypeName, Unknown,
};
use napi::{Env, Error, Result, Task};
use napi_derive::napi;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::face;
use crate::intake::Input;

/// Options as they came: those of the run apart, the rest as JSON for the core.
pub(crate) struct Call<'e> {
    env: &'e Env,
    raw: Unknown<'e>,
    json: String,
    aborted: bool,
    pub(crate) settings: Settings,
}

/// Seed and threads, where they were given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    seed: Option<u64>,
    threads: Option<usize>,
}

impl Settings {
    /// These, or where they are silent, the others.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { seed: self.seed.or(other.seed), threads: self.threads.or(other.threads) }
    }

    pub(crate) fn run(self) -> Run {
        Run::new().seed(self.seed.unwrap_or_default()).threads(self.threads.unwrap_or_default())
    }
}

impl<'e> Call<'e> {
    /// Reads the options object of a call; `undefined` is an empty one.
    pub(crate) fn open(env: &'e Env, options: Unknown<'e>) -> Result<Self> {
        let split: Object<'e> = face::call(env, "options", (options,))?;
        let seed: Option<String> = split.get("seed")?;
        let threads: Option<f64> = split.get("threads")?;
        let settings =
            Settings { seed: seed.and_then(|s| s.parse().ok()), threads: threads.map(|t| t as usize) };
        let aborted = split.get("aborted")?.unwrap_or_default();
        Ok(Self { env, raw: options, json: split.get_named_property("json")?, aborted, settings })
    }

    /// The options as the core's struct.
    pub(crate) fn options<T: DeserializeOwned>(&self) -> Result<T> {
        headwater::options::parse(&self.json).map_err(|e| face::thrown(self.env, &e))
    }

    /// The options as JSON, those of the run apart.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    /// For calls without options but those of the run.
    pub(crate) fn no_options(&self) -> Result<()> {
        headwater::options::none(&self.json).map_err(|e| face::thrown(self.env, &e))
    }

    /// The options as a struct of the core that has a `seed` of its own.
    pub(crate) fn seeded_options<T: DeserializeOwned>(&self) -> Result<T> {
        Config::default().seeded(self)
    }

    /// A value other than the options as a struct of the core.
    pub(crate) fn value<T: DeserializeOwned>(&self, value: Unknown<'e>) -> Result<T> {
        self::value(self.env, value)
    }

    /// A frame of the caller, copied.
    pub(crate) fn columns(&self, value: Unknown<'e>) -> Result<Input> {
        Input::open(self.env, value)
    }

    /// A frame, or nothing where the caller gave nothing.
    pub(crate) fn optional_columns(&self, value: Unknown<'e>) -> Result<Option<Input>> {
        use napi::ValueType::{Null, Undefined};
        if matches!(value.get_type()?, Undefined | Null) { Ok(None) } else { self.columns(value).map(Some) }
    }
}

/// [`value`], or nothing where the caller gave nothing.
pub(crate) fn optional_value<'e, T: DeserializeOwned>(env: &'e Env, given: Unknown<'e>) -> Result<Option<T>> {
    use napi::ValueType::{Null, Undefined};
    if matches!(given.get_type()?, Undefined | Null) { Ok(None) } else { value(env, given).map(Some) }
}

/// A value of JavaScript as a struct of the core.
pub(crate) fn value<'e, T: DeserializeOwned>(env: &'e Env, value: Unknown<'e>) -> Result<T> {
    let json: String = face::call(env, "json", (value,))?;
    headwater::options::parse(&json).map_err(|e| face::thrown(env, &e))
}

/// The options that a model was made with; those of `fit` go first.
#[derive(Default)]
pub(crate) struct Config {
    given: Map<String, Value>,
    pub(crate) settings: Settings,
}

impl Config {
    /// Reads the options of a constructor, and checks them against the core's struct.
    pub(crate) fn open<'e, T: DeserializeOwned>(env: &'e Env, options: Unknown<'e>) -> Result<Self> {
        let call = Call::open(env, options)?;
        call.options::<T>()?;
        Ok(Self { given: call.options()?, settings: call.settings })
    }

    /// [`Config::open`] where the core says which options there are.
    pub(crate) fn checked<'e>(
        env: &'e Env,
        options: Unknown<'e>,
        check: impl FnOnce(&str) -> headwater::Result<()>,
    ) -> Result<Self> {
        let call = Call::open(env, options)?;
        now(env, || check(&call.json))?;
        Ok(Self { given: call.options()?, settings: call.settings })
    }

    /// These options under those of a call.
    pub(crate) fn merged<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        self.parse(call, None)
    }

    /// [`Config::merged`] for a struct that has a `seed` of its own.
    pub(crate) fn seeded<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        self.parse(call, call.settings.or(self.settings).seed)
    }

    fn parse<T: DeserializeOwned>(&self, call: &Call<'_>, seed: Option<u64>) -> Result<T> {
        let mut all = self.given.clone();
        all.extend(call.options::<Map<String, Value>>()?);
        all.extend(seed.map(|seed| ("seed".to_owned(), Value::from(seed))));
        headwater::options::parse(&Value::Object(all).to_string()).map_err(|e| face::thrown(call.env, &e))
    }
}

enum Failure {
    Core(headwater::Error),
    Panic(String),
}

impl Failure {
    fn thrown(&self, env: &Env) -> Error {
        match self {
            Self::Core(error) => face::thrown(env, error),
            Self::Panic(message) => face::panicked(env, message),
        }
    }
}

fn contain<T>(work: impl FnOnce() -> headwater::Result<T>) -> std::result::Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Failure::Core),
        Err(panic) => Err(Failure::Panic(message(panic.as_ref()))),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "panic".to_owned(),
    }
}

/// Runs a call of microseconds where it stands.
pub(crate) fn now<T>(env: &Env, work: impl FnOnce() -> headwater::Result<T>) -> Result<T> {
    contain(work).map_err(|failure| failure.thrown(env))
}

/// What `face/follow.js` holds of a job.
#[derive(Clone)]
pub struct Watch {
    monitor: Arc<Monitor>,
    begun: Arc<AtomicBool>,
}

impl Watch {
    /// Whether the job's work may begin. Of this and [`Watch::cancel`] at least one hears of the other.
    fn begin(&self) -> headwater::Result<()> {
        self.begun.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.monitor.is_cancelled() { Err(headwater::Error::Cancelled) } else { Ok(()) }
    }

    fn cancel(&self) -> bool {
        self.monitor.cancel();
        fence(Ordering::SeqCst);
        self.begun.load(Ordering::Relaxed)
    }
}

/// Asks a job to stop, and says whether it had begun.
#[napi(skip_typescript)]
pub fn cancel_job(watch: &External<Watch>) -> bool {
    watch.cancel()
}

/// A running job's stage, what is done of it, and its total.
#[napi(skip_typescript)]
pub fn job_progress(watch: &External<Watch>) -> (String, f64, f64) {
    let at = watch.monitor.progress();
    (at.stage.to_owned(), at.done as f64, at.total as f64)
}

struct Job<W, C> {
    work: Option<W>,
    wrap: Option<C>,
    run: Run,
    watch: Watch,
}

/// A cell between the job's closures; a job never runs twice.
impl<W, C, T, J> Task for Job<(W, std::marker::PhantomData<fn() -> T>), C>
where
    W: FnOnce(&Run) -> headwater::Result<T> + Send,
    C: FnOnce(T) -> J + Send,
    T: Send + 'static,
    J: ToNapiValue + TypeName,
{
    type Output = std::result::Result<T, Failure>;
    type JsValue = J;

    fn compute(&mut self) -> Result<Self::Output> {
        let Some((work, _)) = self.work.take() else { return Err(Error::from_reason("the job ran already")) };
        Ok(contain(|| {
            self.watch.begin()?;
            work(&self.run)
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<J> {
        match (output, self.wrap.take()) {
            (Ok(value), Some(wrap)) => Ok(wrap(value)),
            (Err(failure), _) => Err(failure.thrown(&env)),
            (Ok(_), None) => Err(Error::from_reason("the job ran already")),
        }
    }
}

/// Starts a job on a worker thread and returns its promise.
///
/// `prepare` runs at once, on the event loop's thread: it reads options and
/// copies columns, and returns the work. `wrap` turns the work's result into
/// what the promise resolves to. Whatever goes wrong rejects the promise;
/// nothing is thrown.
pub(crate) fn start<'e, P, W, T, C, J>(
    env: &'e Env,
    options: Unknown<'e>,
    prepare: P,
    wrap: C,
) -> Result<Unknown<'e>>
where
    P: FnOnce(&Call<'e>) -> Result<W>,
    W: FnOnce(&Run) -> headwater::Result<T> + Send + 'static,
    C: FnOnce(T) -> J + Send + 'static,
    T: Send + 'static,
    J: ToNapiValue + TypeName + 'static,
{
    start_with(env, options, Start::default(), prepare, wrap)
}

/// What a job may begin with.
#[derive(Default)]
pub(crate) struct Start<'e> {
    /// Seed and threads of a configured model; the call's own go first.
    pub(crate) defaults: Settings,
    /// What the promise resolves to in place of the result.
    pub(crate) this: Option<Object<'e>>,
    /// The monitor, where it outlives the job.
    pub(crate) monitor: Option<Arc<Monitor>>,
}

/// [`start`], beginning with more.
pub(crate) fn start_with<'e, P, W, T, C, J>(
    env: &'e Env,
    options: Unknown<'e>,
    start: Start<'e>,
    prepare: P,
    wrap: C,
) -> Result<Unknown<'e>>
where
    P: FnOnce(&Call<'e>) -> Result<W>,
    W: FnOnce(&Run) -> headwater::Result<T> + Send + 'static,
    C: FnOnce(T) -> J + Send + 'static,
    T: Send + 'static,
    J: ToNapiValue + TypeName + 'static,
{
    let begun = Call::open(env, options).and_then(|call| {
        let work = prepare(&call)?;
        let monitor = start.monitor.unwrap_or_default();
        let run = call.settings.or(start.defaults).run().monitor(Arc::clone(&monitor));
        let watch = Watch { monitor, begun: Arc::default() };
        if call.aborted {
            watch.cancel();
        }
        let work = Some((work, std::marker::PhantomData::<fn() -> T>));
        let job = Job { work, wrap: Some(wrap), run, watch: watch.clone() };
        let promise = env.spawn(job)?.promise_object();
        face::call(env, "follow", (promise.to_unknown(), External::new(watch), call.raw, start.this))
    });
    match begun {
        Ok(promise) => Ok(promise),
        Err(error) => Ok(PromiseRaw::<Unknown<'e>>::reject(env, error)?.to_unknown()),
    }
}

/// What a model class holds: nothing until `fit` is done.
pub(crate) struct Slot<M>(Arc<Mutex<Option<Arc<M>>>>);

impl<M> Clone for Slot<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Default for Slot<M> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<M> Slot<M> {
    pub(crate) fn of(model: M) -> Self {
        Self(Arc::new(Mutex::new(Some(Arc::new(model)))))
    }

    pub(crate) fn set(&self, model: M) {
        self.share(Arc::new(model));
    }

    /// Holds what another slot holds.
    pub(crate) fn share(&self, model: Arc<M>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(model);
    }

    /// The fitted model.
    pub(crate) fn get(&self) -> headwater::Result<Arc<M>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or_else(|| headwater::Error::option("model", "is not fitted yet: `await model.fit(…)` first"))
    }
}
