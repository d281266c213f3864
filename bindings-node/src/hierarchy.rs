//! Posteriors of segments that are alike, but not the same.

use headwater::clv::LifetimeOptions;
use headwater::clv::posterior::{DrawnSpend, Hierarchy as CoreHierarchy, sample_hierarchy};
use headwater::column::Dropped;
use napi::bindgen_prelude::{Either3, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::clv::GammaGamma;
use crate::frame::Frame;
use crate::intake::Input;
use crate::job::{self, Call, Slot};
use crate::models::save;
use crate::posterior::Posterior;

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

    /// What groups have in common, and how far they lie apart: parameter, what (`centre`, `deviation`, or `coefficient`
    /// of a covariate), mean, sd, low, median, high, r_hat, ess_bulk.
    #[napi(ts_args_type = "options?: { level?: number } & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn population<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "population", None, options)
    }

    /// Every draw of every group: group, chain, draw, the parameters, log_posterior, divergent.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn draws<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "draws", None, options)
    }

    /// The draws of one group, as a posterior of their own; without a name those of what a group may be that was not
    /// seen.
    #[napi]
    pub fn posterior(&self, env: &Env, group: Option<String>) -> Result<Posterior> {
        job::now(env, || Ok(self.slot.get()?.posterior(group.as_deref())?.clone())).map(Posterior::from)
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

    /// As of a `Posterior`, each group by its own draws, and unknown groups by those of a new one; with the column group.
    #[napi(
        ts_args_type = "rfm: FrameInput, options?: PosteriorCheckOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn check<'e>(&self, env: &'e Env, rfm: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "check", Some(rfm), options)
    }

    /// As of a `Posterior`, a curve for each group, of models of retention: group, and its columns; last, without a label,
    /// a group that was not seen.
    #[napi(ts_args_type = "options?: DrawSurvivalOptions & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn survival<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "survival", None, options)
    }

    /// As of a `Posterior`, by tenure for each group, of models of retention: group, and its columns; last, without a
    /// label, a group that was not seen.
    #[napi(ts_args_type = "options: DrawValueOptions & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn value<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "value", None, options)
    }

    /// As of a `Posterior`, each customer by its group's draws, and of unknown groups by those of a new one. Spend is drawn
    /// by the same groups, or of all customers together, or fitted.
    #[napi(
        ts_args_type = "spend: Hierarchy | Posterior | GammaGamma, rfm: FrameInput, options?: LifetimeOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn lifetime_value<'e>(
        &self,
        env: &'e Env,
        spend: Either3<&Hierarchy, &Posterior, &GammaGamma>,
        rfm: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let spend = match spend {
            Either3::A(groups) => Either3::A(groups.slot.clone()),
            Either3::B(draws) => Either3::B(draws.slot.clone()),
            Either3::C(fit) => Either3::C(fit.slot.clone()),
        };
        let prepare = |call: &Call<'e>| {
            let (options, rfm) = (call.options::<LifetimeOptions>()?, call.columns(rfm)?);
            let draws = job::now(env, || self.slot.get())?;
            let spend = job::now(env, || {
                Ok(match &spend {
                    Either3::A(slot) => Either3::A(slot.get()?),
                    Either3::B(slot) => Either3::B(slot.get()?),
                    Either3::C(slot) => Either3::C(slot.get()?),
                })
            })?;
            Ok(move |run: &headwater::Run| {
                let spend = match &spend {
                    Either3::A(groups) => DrawnSpend::Groups(groups),
                    Either3::B(draws) => DrawnSpend::Draws(draws),
                    Either3::C(fit) => DrawnSpend::Fit(fit),
                };
                draws.lifetime_value(spend, &rfm.columns()?, &options, run)
            })
        };
        job::start(env, options, prepare, |found| {
            Frame::new(found.table()).and("dropped", found.dropped().table())
        })
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
