//! Covariates that change while customers live.

use std::sync::Arc;

use headwater::clv::GammaGammaModel;
use headwater::clv::dynamic::{Dynamic, DynamicLifetimeOptions, DynamicSpend};
use headwater::clv::posterior::Posterior as CorePosterior;
use headwater::column::Dropped;
use napi::bindgen_prelude::{Either, This, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;
use serde_json::Value;

use crate::clv::{GammaGamma, Spend};
use crate::frame::Frame;
use crate::intake::Input;
use crate::job::{self, Call, Config, Slot, Start};
use crate::models::save;
use crate::posterior::Posterior;

/// A model along covariates; `face/dynamic.js` has a class for each kind.
#[napi]
pub struct DynamicModel {
    kind: String,
    config: Config,
    slot: Slot<Dynamic>,
    dropped: Slot<[Dropped; 2]>,
}

impl From<Dynamic> for DynamicModel {
    fn from(model: Dynamic) -> Self {
        Self {
            kind: model.kind().to_owned(),
            config: Config::default(),
            slot: Slot::of(model),
            dropped: Slot::default(),
        }
    }
}

/// A model of spend, as it is held while it is used.
enum Worth {
    Constant(Arc<GammaGammaModel>),
    Along(Arc<Dynamic>),
    Draws(Arc<CorePosterior>),
}

impl DynamicModel {
    fn value<'e>(
        &self,
        env: &'e Env,
        spend: impl FnOnce() -> headwater::Result<Worth>,
        orders: Unknown<'e>,
        covariates: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let options = call.options::<DynamicLifetimeOptions>()?;
            let (orders, covariates) = (call.columns(orders)?, call.columns(covariates)?);
            let (model, spend) = job::now(env, || Ok((self.slot.get()?, spend()?)))?;
            Ok(move |run: &headwater::Run| {
                let spend = match &spend {
                    Worth::Constant(spend) => DynamicSpend::Constant(spend),
                    Worth::Along(spend) => spend.spend()?,
                    Worth::Draws(draws) => DynamicSpend::Draws(draws),
                };
                let (orders, covariates) = (orders.columns()?, covariates.columns()?);
                model.purchases()?.lifetime_value(spend, &orders, &covariates, &options, run)
            })
        };
        job::start(env, options, prepare, |found| {
            Frame::new(found.table()).and("dropped", found.dropped().table())
        })
    }
}

#[napi]
impl DynamicModel {
    /// A model of this kind that is not fitted yet.
    #[napi(constructor, skip_typescript)]
    pub fn new(env: &Env, kind: String, options: Unknown<'_>) -> Result<Self> {
        let config = Config::checked(env, options, |json| Dynamic::check(&kind, json))?;
        Ok(Self { kind, config, slot: Slot::default(), dropped: Slot::default() })
    }

    /// The kind in model files.
    #[napi(getter, skip_typescript)]
    pub fn kind(&self) -> String {
        self.kind.clone()
    }

    /// Takes given parameters, for example published ones, as JSON.
    #[napi(skip_typescript)]
    pub fn take_parameters(&self, env: &Env, given: String) -> Result<()> {
        self.slot.set(job::now(env, || Dynamic::from_parameters(&self.kind, &given))?);
        Ok(())
    }

    /// Its parameters, such as `takeParameters` takes.
    #[napi(skip_typescript)]
    pub fn given(&self, env: &Env) -> Result<String> {
        job::now(env, || {
            let given = self.slot.get()?.parameters();
            serde_json::to_string(&given).map_err(|e| headwater::Error::option("params", e.to_string()))
        })
    }

    /// Takes what another one holds.
    #[napi(skip_typescript)]
    pub fn adopt(&self, env: &Env, other: &DynamicModel) -> Result<()> {
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
        orders: Unknown<'e>,
        covariates: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let (kind, slot, dropped) = (self.kind.clone(), self.slot.clone(), self.dropped.clone());
        let start = Start { defaults: self.config.settings, this: Some(this.object), monitor: None };
        let prepare = |call: &Call<'e>| {
            let options = self.config.merged::<Value>(call)?.to_string();
            let (orders, covariates) = (call.columns(orders)?, call.columns(covariates)?);
            Ok(move |run: &headwater::Run| {
                Dynamic::fit(&kind, &orders.columns()?, &covariates.columns()?, &options, run)
            })
        };
        job::start_with(env, options, start, prepare, move |(model, gone)| {
            slot.set(model);
            dropped.set(gone);
        })
    }

    /// Draws of the parameters by a method.
    #[napi(skip_typescript)]
    pub fn posterior<'e>(
        &self,
        env: &'e Env,
        method: String,
        orders: Unknown<'e>,
        covariates: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let start = Start { defaults: self.config.settings, this: None, monitor: None };
        let prepare = |call: &Call<'e>| {
            let options = self.config.merged::<Value>(call)?.to_string();
            let (orders, covariates) = (call.columns(orders)?, call.columns(covariates)?);
            Ok(move |run: &headwater::Run| {
                Dynamic::posterior(&method, &orders.columns()?, &covariates.columns()?, &options, run)
            })
        };
        job::start_with(env, options, start, prepare, |(draws, [gone, _])| {
            Posterior::from(draws).with_dropped(gone)
        })
    }

    /// A report by name.
    #[napi(skip_typescript)]
    pub fn report<'e>(
        &self,
        env: &'e Env,
        name: String,
        orders: Unknown<'e>,
        covariates: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let json = call.json().to_owned();
            let (orders, covariates) = (call.optional_columns(orders)?, call.columns(covariates)?);
            let model = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| {
                let orders = orders.map(Input::columns).transpose()?;
                model.report(&name, orders.as_ref(), &covariates.columns()?, &json, run)
            })
        };
        job::start(env, options, prepare, Frame::of)
    }

    /// The value of customers, a purchase being worth the same at all times.
    #[napi(skip_typescript)]
    pub fn value_by<'e>(
        &self,
        env: &'e Env,
        spend: Either<&GammaGamma, &Posterior>,
        orders: Unknown<'e>,
        covariates: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let spend = Spend::of(spend);
        let spend = move || {
            Ok(match spend.get()? {
                Either::A(fit) => Worth::Constant(fit),
                Either::B(draws) => Worth::Draws(draws),
            })
        };
        self.value(env, spend, orders, covariates, options)
    }

    /// The value of customers, a purchase being worth what holds when it is made.
    #[napi(skip_typescript)]
    pub fn value_along<'e>(
        &self,
        env: &'e Env,
        spend: &DynamicModel,
        orders: Unknown<'e>,
        covariates: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let spend = spend.slot.clone();
        let spend = move || Ok(Worth::Along(spend.get()?));
        self.value(env, spend, orders, covariates, options)
    }

    /// One row for each parameter.
    #[napi(skip_typescript)]
    pub fn table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.tables()?.0)))
    }

    /// One row on the fit.
    #[napi(skip_typescript)]
    pub fn fit_table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.tables()?.1)))
    }

    /// The rows that the fit dropped, and why: of orders, or of covariates.
    #[napi(skip_typescript)]
    pub fn dropped_of(&self, env: &Env, covariates: bool) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.dropped.get()?[usize::from(covariates)].table())))
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
