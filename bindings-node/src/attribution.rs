//! Which touch earned it?

use std::sync::Arc;

use headwater::attribution::{Fitted, Model as Rule, score};
use napi::bindgen_prelude::{This, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::intake::moment;
use crate::job::{self, Call, Slot, Start};
use crate::journey::Journeys;
use crate::models::save;

/// The times of touches, and the end, in microseconds.
fn moments<'e>(
    env: &'e Env,
    times: Option<Vec<Unknown<'e>>>,
    end: Option<Unknown<'e>>,
) -> Result<(Vec<i64>, Option<i64>)> {
    let mut micros = Vec::new();
    for time in times.into_iter().flatten() {
        micros.extend(moment(env, time)?);
    }
    Ok((micros, end.map(|end| moment(env, end)).transpose()?.flatten()))
}

/// The credit of each touch of one journey, by a rule.
#[napi(skip_typescript)]
pub fn score_rule<'e>(
    env: &'e Env,
    rule: Unknown<'e>,
    path: Vec<String>,
    times: Option<Vec<Unknown<'e>>>,
) -> Result<Vec<f64>> {
    let rule: Rule = job::value(env, rule)?;
    let (micros, _) = moments(env, times, None)?;
    job::now(env, || score(&rule, &path, &micros))
}

/// Fails where a model's parameters cannot be used.
#[napi(skip_typescript)]
pub fn check_model<'e>(env: &'e Env, model: Unknown<'e>) -> Result<()> {
    let model: Rule = job::value(env, model)?;
    job::now(env, || model.check())
}

/// A model that is fitted to journeys before it splits credit; `attribute` fits it by itself.
#[napi]
pub struct FittedModel {
    slot: Slot<Fitted>,
}

impl From<Fitted> for FittedModel {
    fn from(model: Fitted) -> Self {
        Self { slot: Slot::of(model) }
    }
}

#[napi]
impl FittedModel {
    /// An empty one; `face/models.js` has a class for each kind.
    #[napi(constructor, skip_typescript)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { slot: Slot::default() }
    }

    /// Fits the model that `spec` describes.
    #[napi(skip_typescript)]
    pub fn fit_spec<'e>(
        &self,
        env: &'e Env,
        this: This<'e>,
        spec: Unknown<'e>,
        journeys: &Journeys,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let (slot, journeys) = (self.slot.clone(), Arc::clone(&journeys.journeys));
        let start = Start { this: Some(this.object), ..Start::default() };
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            let model: Rule = call.value(spec)?;
            Ok(move |run: &headwater::Run| Fitted::fit(&model, &journeys, run))
        };
        job::start_with(env, options, start, prepare, move |model| slot.set(model))
    }

    /// Takes what another one holds.
    #[napi(skip_typescript)]
    pub fn adopt(&self, env: &Env, other: &FittedModel) -> Result<()> {
        job::now(env, || {
            self.slot.share(other.slot.get()?);
            Ok(())
        })
    }

    /// The kind and parameters of the fitted model, as JSON.
    #[napi(skip_typescript)]
    pub fn fitted_spec(&self, env: &Env) -> Result<String> {
        job::now(env, || {
            serde_json::to_string(&self.slot.get()?.model())
                .map_err(|e| headwater::Error::option("model", e.to_string()))
        })
    }

    /// The credit of each touch of one journey.
    #[napi(skip_typescript)]
    pub fn score<'e>(
        &self,
        env: &'e Env,
        path: Vec<String>,
        times: Option<Vec<Unknown<'e>>>,
        end: Option<Unknown<'e>>,
    ) -> Result<Vec<f64>> {
        let (micros, end) = moments(env, times, end)?;
        job::now(env, || self.slot.get()?.credit(&path, &micros, end))
    }

    /// P(conversion) of one journey.
    #[napi(skip_typescript)]
    pub fn predict<'e>(
        &self,
        env: &'e Env,
        path: Vec<String>,
        times: Option<Vec<Unknown<'e>>>,
        end: Option<Unknown<'e>>,
    ) -> Result<f64> {
        let (micros, end) = moments(env, times, end)?;
        job::now(env, || self.slot.get()?.predict(&path, &micros, end))
    }

    /// What the fitted model says of itself, by name.
    #[napi(skip_typescript)]
    pub fn report<'e>(&self, env: &'e Env, name: String, options: Unknown<'e>) -> Result<Frame> {
        let call = Call::open(env, options)?;
        let run = call.settings.run();
        job::now(env, || Ok(Frame::of(self.slot.get()?.report(&name, call.json(), &run)?)))
    }

    /// The model as the bytes of a model file.
    #[napi(skip_typescript)]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || self.slot.get()?.to_bytes()).map(Uint8Array::new)
    }

    /// Writes the model to a file; `load` reads it back.
    #[napi(skip_typescript)]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let slot = self.slot.clone();
        save(env, path, move || slot.get()?.to_bytes())
    }
}
