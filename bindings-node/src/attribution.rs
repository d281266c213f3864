//! Which touch earned it?

use std::sync::Arc;

use headwater::attribution::{self as core, AttributeOptions, MarkovModel, Model as Rule};
use napi::bindgen_prelude::{This, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::intake::moment;
use crate::job::{self, Call, Settings, Slot, Start};
use crate::journey::Journeys;
use crate::models::save;

/// Splits the conversions of journeys over channels, by each of the models:
/// model, channel, conversions, value; and where cost is known: cost, roas, cpa.
/// `extras.removalEffects` has those of the Markov models.
#[napi(
    ts_args_type = "journeys: Journeys, models: AttributionModel[], options?: RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn attribute<'e>(
    env: &'e Env,
    journeys: &Journeys,
    models: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let journeys = Arc::clone(&journeys.journeys);
    let prepare = |call: &Call<'e>| {
        call.no_options()?;
        let options = AttributeOptions { models: call.value(models)? };
        Ok(move |run: &headwater::Run| core::attribute(&journeys, &options, run))
    };
    job::start(env, options, prepare, |found| {
        Frame::new(found.table()).and("removalEffects", found.removal_effects())
    })
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
    let mut micros = Vec::new();
    for time in times.into_iter().flatten() {
        micros.extend(moment(env, time)?);
    }
    job::now(env, || core::score(&rule, &path, &micros))
}

/// Attribution by the removal effects in a Markov chain of the given order,
/// computed exactly. A model for `attribute` as it is; `fit` keeps the chain.
#[napi]
pub struct Markov {
    config: core::Markov,
    settings: Settings,
    slot: Slot<MarkovModel>,
}

impl From<MarkovModel> for Markov {
    fn from(model: MarkovModel) -> Self {
        Self { config: model.parameters().clone(), settings: Settings::default(), slot: Slot::of(model) }
    }
}

impl Markov {
    fn fitted<T>(&self, env: &Env, read: impl FnOnce(&MarkovModel) -> T) -> Result<T> {
        job::now(env, || Ok(read(&*self.slot.get()?)))
    }
}

#[napi]
impl Markov {
    /// A chain that is not fitted yet.
    #[napi(constructor, ts_args_type = "options?: MarkovOptions")]
    pub fn new(env: &Env, options: Unknown<'_>) -> Result<Self> {
        let call = Call::open(env, options)?;
        Ok(Self { config: call.options()?, settings: call.settings, slot: Slot::default() })
    }

    /// The model as JSON, for `attribute`.
    #[napi(skip_typescript)]
    pub fn spec(&self, env: &Env) -> Result<String> {
        job::now(env, || {
            serde_json::to_string(&Rule::Markov(self.config.clone()))
                .map_err(|e| headwater::Error::option("model", e.to_string()))
        })
    }

    /// Fits the chain to journeys, and resolves to this model.
    #[napi(ts_args_type = "journeys: Journeys, options?: RunOptions", ts_return_type = "Promise<this>")]
    pub fn fit<'e>(
        &self,
        env: &'e Env,
        this: This<'e>,
        journeys: &Journeys,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let (config, slot, journeys) =
            (self.config.clone(), self.slot.clone(), Arc::clone(&journeys.journeys));
        let start = Start { defaults: self.settings, this: Some(this.object), monitor: None };
        let prepare = |call: &Call<'e>| {
            call.no_options()?;
            Ok(move |run: &headwater::Run| config.fit(&journeys, run))
        };
        job::start_with(env, options, start, prepare, move |model| slot.set(model))
    }

    /// The channels.
    #[napi(getter)]
    pub fn channels(&self, env: &Env) -> Result<Vec<String>> {
        self.fitted(env, |model| model.channels().to_vec())
    }

    /// The share of conversions lost without each channel, in the order of `channels`.
    #[napi(getter)]
    pub fn removal_effects(&self, env: &Env) -> Result<Vec<f64>> {
        self.fitted(env, |model| model.removal_effects().to_vec())
    }

    /// The share of value lost without each channel, in the order of `channels`.
    #[napi(getter)]
    pub fn removal_effects_value(&self, env: &Env) -> Result<Vec<f64>> {
        self.fitted(env, |model| model.removal_effects_value().to_vec())
    }

    /// The probability that a journey converts.
    #[napi(getter)]
    pub fn conversion_probability(&self, env: &Env) -> Result<f64> {
        self.fitted(env, MarkovModel::conversion_probability)
    }

    /// The value that a journey brings on average.
    #[napi(getter)]
    pub fn value_per_journey(&self, env: &Env) -> Result<f64> {
        self.fitted(env, MarkovModel::value_per_journey)
    }

    /// The transitions: from, to, count, probability.
    #[napi]
    pub fn transitions(&self, env: &Env) -> Result<Frame> {
        self.fitted(env, |model| Frame::new(model.transitions()))
    }

    /// The credit of each touch of one journey, adding up to 1; takes microseconds.
    #[napi]
    pub fn score(&self, env: &Env, path: Vec<String>) -> Result<Vec<f64>> {
        self.fitted(env, |model| model.credit(&path))
    }

    /// The model as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || headwater::model::to_bytes(&*self.slot.get()?)).map(Uint8Array::new)
    }

    /// Writes the model to a file; `load` reads it back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let slot = self.slot.clone();
        save(env, path, move || headwater::model::to_bytes(&*slot.get()?))
    }
}
