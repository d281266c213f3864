//! Posteriors of segments that are alike, but not the same.

use headwater::clv::posterior::{Hierarchy as CoreHierarchy, sample_hierarchy};
use headwater::column::Dropped;
use napi::bindgen_prelude::{Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::intake::Input;
use crate::job::{self, Call, Slot};
use crate::models::save;

/// `sampleHierarchy`, behind the face that sorts its options.
#[napi(skip_typescript)]
pub fn clv_hierarchy<'e>(
    env: &'e Env,
    kind: String,
    rfm: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, rfm) = (call.options()?, call.columns(rfm)?);
        Ok(move |run: &headwater::Run| sample_hierarchy(&kind, &rfm.columns()?, &options, run))
    };
    job::start(env, options, prepare, |(draws, gone)| {
        let hierarchy = Hierarchy::from(draws);
        hierarchy.dropped.set(gone);
        hierarchy
    })
}

/// Posteriors of groups, drawn together: small groups borrow from the others. `sampleHierarchy` gives it.
#[napi(namespace = "clv")]
pub struct Hierarchy {
    slot: Slot<CoreHierarchy>,
    dropped: Slot<Dropped>,
}

impl From<CoreHierarchy> for Hierarchy {
    fn from(draws: CoreHierarchy) -> Self {
        Self { slot: Slot::of(draws), dropped: Slot::default() }
    }
}

impl Hierarchy {
    fn report<'e>(
        &self,
        env: &'e Env,
        name: &'static str,
        rfm: Option<Unknown<'e>>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let json = call.json().to_owned();
            let rfm = rfm.map(|rfm| call.columns(rfm)).transpose()?;
            let draws = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| {
                let rfm = rfm.map(Input::columns).transpose()?;
                draws.report(name, rfm.as_ref(), &json, run)
            })
        };
        job::start(env, options, prepare, Frame::of)
    }
}

#[napi(namespace = "clv")]
impl Hierarchy {
    /// The groups.
    #[napi(getter)]
    pub fn groups(&self, env: &Env) -> Result<Vec<String>> {
        job::now(env, || Ok(self.slot.get()?.groups().to_vec()))
    }

    /// A row for each group and parameter: group, customers, parameter, mean, sd, low, median, high, r_hat,
    /// ess_bulk, ess_tail, mcse.
    #[napi(ts_args_type = "options?: { level?: number } & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn summary<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "groups", None, options)
    }

    /// What groups have in common, and how far they lie apart: parameter, what (`centre` or `deviation`),
    /// mean, sd, low, median, high, r_hat, ess_bulk.
    #[napi(ts_args_type = "options?: { level?: number } & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn population<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "population", None, options)
    }

    /// How it went, a row for each chain.
    #[napi]
    pub fn fit_table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.new_group().fit_table())))
    }

    /// As of a `Posterior`, each customer by its group's draws, and of unknown groups by those of a new one.
    #[napi(
        ts_args_type = "rfm: FrameInput, options?: PosteriorPredictOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn predict<'e>(&self, env: &'e Env, rfm: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "predict", Some(rfm), options)
    }

    /// The rows that were dropped before drawing, and why.
    #[napi]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.dropped.get()?.table())))
    }

    /// The draws as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || headwater::model::to_bytes(&*self.slot.get()?)).map(Uint8Array::new)
    }

    /// Writes the draws to a file; `load` reads it back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let slot = self.slot.clone();
        save(env, path, move || headwater::model::to_bytes(&*slot.get()?))
    }
}
