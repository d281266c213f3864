//! Models of contracts and of learned value, and reports that need no model.

use headwater::clv::{Contractual, report};
use headwater::column::Dropped;
use napi::bindgen_prelude::{This, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;
use serde_json::Value;

use crate::frame::Frame;
use crate::intake::Input;
use crate::job::{self, Call, Config, Slot, Start};
use crate::models::save;

/// A report by name; `face/contractual.js` has a function for each.
#[napi(skip_typescript)]
pub fn clv_report<'e>(
    env: &'e Env,
    name: String,
    frame: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (json, frame) = (call.json().to_owned(), call.optional_columns(frame)?);
        Ok(move |run: &headwater::Run| {
            let frame = frame.map(Input::columns).transpose()?;
            report(&name, frame.as_ref(), &json, run)
        })
    };
    job::start(env, options, prepare, Frame::of)
}

/// A model of survival, of retention or of learned value; `face/contractual.js` has a class for each kind.
#[napi]
pub struct ContractualModel {
    kind: String,
    config: Config,
    slot: Slot<Contractual>,
    dropped: Slot<Dropped>,
}

impl From<Contractual> for ContractualModel {
    fn from(model: Contractual) -> Self {
        Self {
            kind: model.kind().to_owned(),
            config: Config::default(),
            slot: Slot::of(model),
            dropped: Slot::default(),
        }
    }
}

#[napi]
impl ContractualModel {
    /// A model of this kind that is not fitted yet.
    #[napi(constructor, skip_typescript)]
    pub fn new(env: &Env, kind: String, options: Unknown<'_>) -> Result<Self> {
        let config = Config::checked(env, options, |json| Contractual::check(&kind, json))?;
        Ok(Self { kind, config, slot: Slot::default(), dropped: Slot::default() })
    }

    /// The kind in model files.
    #[napi(getter, skip_typescript)]
    pub fn kind(&self) -> String {
        self.kind.clone()
    }

    /// Takes given parameters, for example published ones.
    #[napi(skip_typescript)]
    pub fn take_parameters(&self, env: &Env, values: Vec<f64>, period: Unknown<'_>) -> Result<()> {
        let period = job::optional_value(env, period)?;
        self.slot.set(job::now(env, || Contractual::from_parameters(&self.kind, &values, period))?);
        Ok(())
    }

    /// Takes what another one holds.
    #[napi(skip_typescript)]
    pub fn adopt(&self, env: &Env, other: &ContractualModel) -> Result<()> {
        job::now(env, || {
            self.slot.share(other.slot.get()?);
            Ok(())
        })
    }

    /// Estimates the parameters by maximum likelihood, and resolves to this model.
    #[napi(skip_typescript)]
    pub fn fit<'e>(
        &self,
        env: &'e Env,
        this: This<'e>,
        frame: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let (kind, slot, dropped) = (self.kind.clone(), self.slot.clone(), self.dropped.clone());
        let start = Start { defaults: self.config.settings, this: Some(this.object), monitor: None };
        let prepare = |call: &Call<'e>| {
            let (options, frame) = (self.config.merged::<Value>(call)?.to_string(), call.columns(frame)?);
            Ok(move |run: &headwater::Run| Contractual::fit(&kind, &frame.columns()?, &options, run))
        };
        job::start_with(env, options, start, prepare, move |(model, gone)| {
            slot.set(model);
            dropped.set(gone);
        })
    }

    /// A report by name.
    #[napi(skip_typescript)]
    pub fn report<'e>(
        &self,
        env: &'e Env,
        name: String,
        frame: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let (json, frame) = (call.json().to_owned(), call.optional_columns(frame)?);
            let model = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| {
                let frame = frame.map(Input::columns).transpose()?;
                model.report(&name, frame.as_ref(), &json, run)
            })
        };
        job::start(env, options, prepare, Frame::of)
    }

    /// One row for each parameter.
    #[napi(skip_typescript)]
    pub fn table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.parameters()?)))
    }

    /// One row on the fit.
    #[napi(skip_typescript)]
    pub fn fit_table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.fit_table())))
    }

    /// The rows that the fit dropped, and why.
    #[napi(skip_typescript)]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.dropped.get()?.table())))
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
