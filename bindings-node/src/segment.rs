//! Who belongs together?

use headwater::Table;
use headwater::column::OnInvalid;
use headwater::segment::{self as core, KMeansModel, RfmOptions};
use napi::bindgen_prelude::{This, Uint8Array, Uint32Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;
use serde::Deserialize;

use crate::frame::Frame;
use crate::job::{self, Call, Config, Slot, Start};
use crate::models::save;

/// Customers scored by recency, frequency and monetary value, and named:
/// customer, recency, frequency, monetary, r, f, m, score, segment.
/// `extras.segments` has one row a segment, `extras.breaks` the breaks.
#[napi(
    namespace = "segment",
    ts_args_type = "orders: FrameInput, options?: RfmOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn rfm<'e>(env: &'e Env, orders: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, orders) = (call.options::<RfmOptions>()?, call.columns(orders)?);
        Ok(move |run: &headwater::Run| core::rfm(&orders.columns()?, &options, run))
    };
    job::start(env, options, prepare, |found| {
        Frame::new(found.table())
            .and("segments", found.segments())
            .and("breaks", found.breaks())
            .and("dropped", found.dropped().table())
    })
}

/// A fitted model, with the rows that it was fitted on unless it comes from a file.
struct Fitted {
    model: KMeansModel,
    training: Option<Training>,
}

struct Training {
    labels: Vec<u32>,
    table: Table,
    dropped: Table,
}

/// k-means: exact, seeded by greedy k-means++, the same for any number of threads.
#[napi(namespace = "segment", js_name = "KMeans")]
pub struct KMeans {
    config: Config,
    slot: Slot<Fitted>,
}

impl From<KMeansModel> for KMeans {
    fn from(model: KMeansModel) -> Self {
        Self { config: Config::default(), slot: Slot::of(Fitted { model, training: None }) }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MembershipOptions {
    on_invalid: OnInvalid,
}

impl KMeans {
    fn read<T>(&self, env: &Env, read: impl FnOnce(&KMeansModel) -> T) -> Result<T> {
        job::now(env, || Ok(read(&self.slot.get()?.model)))
    }

    fn training<T>(&self, env: &Env, read: impl FnOnce(&Training) -> T) -> Result<T> {
        job::now(env, || {
            self.slot.get()?.training.as_ref().map(read).ok_or_else(|| {
                headwater::Error::option(
                    "model",
                    "comes from a file, which keeps no training rows: use `predict`",
                )
            })
        })
    }
}

#[napi(namespace = "segment")]
impl KMeans {
    /// A model that is not fitted yet.
    #[napi(
        constructor,
        ts_args_type = "options?: KMeansOptions & { seed?: number | bigint, threads?: number }"
    )]
    pub fn new(env: &Env, options: Unknown<'_>) -> Result<Self> {
        Ok(Self { config: Config::open::<core::KMeans>(env, options)?, slot: Slot::default() })
    }

    /// Finds the clusters, and resolves to this model.
    #[napi(
        ts_args_type = "frame: FrameInput, options?: KMeansOptions & RunOptions",
        ts_return_type = "Promise<this>"
    )]
    pub fn fit<'e>(
        &self,
        env: &'e Env,
        this: This<'e>,
        frame: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let slot = self.slot.clone();
        let start = Start { defaults: self.config.settings, this: Some(this.object), monitor: None };
        let prepare = |call: &Call<'e>| {
            let (options, frame) = (self.config.seeded::<core::KMeans>(call)?, call.columns(frame)?);
            Ok(move |run: &headwater::Run| options.fit(&frame.columns()?, run))
        };
        job::start_with(env, options, start, prepare, move |fit| {
            let (labels, table, dropped) = (fit.labels().to_vec(), fit.table(), fit.dropped().table());
            let training = Some(Training { labels, table, dropped });
            slot.set(Fitted { model: fit.into_model(), training });
        })
    }

    /// The cluster of each row of a frame: row, segment, distance.
    #[napi(
        ts_args_type = "frame: FrameInput, options?: { onInvalid?: OnInvalid } & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn predict<'e>(&self, env: &'e Env, frame: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let (options, frame) = (call.options::<MembershipOptions>()?, call.columns(frame)?);
            let fitted = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| fitted.model.predict(&frame.columns()?, options.on_invalid, run))
        };
        job::start(env, options, prepare, |found| {
            Frame::new(found.table()).and("dropped", found.dropped().table())
        })
    }

    /// The cluster of each training row that was kept.
    #[napi(getter)]
    pub fn labels(&self, env: &Env) -> Result<Uint32Array> {
        self.training(env, |training| Uint32Array::new(training.labels.clone()))
    }

    /// The clusters of the training rows as a frame: row, segment.
    #[napi]
    pub fn assignments(&self, env: &Env) -> Result<Frame> {
        self.training(env, |training| {
            Frame::new(training.table.clone()).and("dropped", training.dropped.clone())
        })
    }

    /// The names of the features.
    #[napi(getter)]
    pub fn features(&self, env: &Env) -> Result<Vec<String>> {
        self.read(env, |model| model.features().to_vec())
    }

    /// The centres, one array a cluster.
    #[napi(getter)]
    pub fn centers(&self, env: &Env) -> Result<Vec<Vec<f64>>> {
        self.read(env, KMeansModel::centers)
    }

    /// How many training rows each cluster has.
    #[napi(getter)]
    pub fn sizes(&self, env: &Env) -> Result<Vec<f64>> {
        self.read(env, |model| model.sizes().iter().map(|n| *n as f64).collect())
    }

    /// The sum of squared distances to the nearest centre.
    #[napi(getter)]
    pub fn inertia(&self, env: &Env) -> Result<f64> {
        self.read(env, KMeansModel::inertia)
    }

    /// How many iterations it took.
    #[napi(getter)]
    pub fn iterations(&self, env: &Env) -> Result<f64> {
        self.read(env, |model| model.n_iter() as f64)
    }

    /// Whether it stopped by itself, and not at `maxIter`.
    #[napi(getter)]
    pub fn converged(&self, env: &Env) -> Result<bool> {
        self.read(env, KMeansModel::converged)
    }

    /// One row a cluster: segment, size, share, and the centre in a column for each feature.
    #[napi]
    pub fn table(&self, env: &Env) -> Result<Frame> {
        self.read(env, |model| Frame::new(model.table()))
    }

    /// The model as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || headwater::model::to_bytes(&self.slot.get()?.model)).map(Uint8Array::new)
    }

    /// Writes the model to a file; `load` reads it back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let slot = self.slot.clone();
        save(env, path, move || headwater::model::to_bytes(&slot.get()?.model))
    }
}
