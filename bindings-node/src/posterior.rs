//! Draws of the parameters of models of purchases, of spend and of retention.

use headwater::clv::LifetimeOptions;
use headwater::clv::dynamic::DynamicDrawOptions;
use headwater::clv::posterior::{DrawnSpend, Posterior as CorePosterior};
use headwater::column::Dropped;
use napi::bindgen_prelude::{Either, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::clv::{GammaGamma, Spend};
use crate::frame::Frame;
use crate::intake::Input;
use crate::job::{self, Call, Slot};
use crate::models::save;

/// Draws by method; `face/posterior.js` has a function for each.
#[napi(skip_typescript)]
pub fn clv_posterior<'e>(
    env: &'e Env,
    method: String,
    kind: String,
    rfm: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (json, rfm) = (call.json().to_owned(), call.columns(rfm)?);
        Ok(move |run: &headwater::Run| CorePosterior::fit(&method, &kind, &rfm.columns()?, &json, run))
    };
    job::start(env, options, prepare, |(draws, gone)| {
        let posterior = Posterior::from(draws);
        posterior.dropped.set(gone);
        posterior
    })
}

/// Draws of the parameters of a model of purchases, of spend or of retention: what `samplePosterior`, `laplace` and `bootstrap` give.
#[napi(namespace = "clv")]
pub struct Posterior {
    pub(crate) slot: Slot<CorePosterior>,
    dropped: Slot<Dropped>,
}

impl From<CorePosterior> for Posterior {
    fn from(draws: CorePosterior) -> Self {
        Self { slot: Slot::of(draws), dropped: Slot::default() }
    }
}

impl Posterior {
    pub(crate) fn with_dropped(self, gone: Dropped) -> Self {
        self.dropped.set(gone);
        self
    }

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
impl Posterior {
    /// The model whose parameters were drawn, such as `BetaGeo`.
    #[napi(getter)]
    pub fn model(&self, env: &Env) -> Result<String> {
        job::now(env, || Ok(self.slot.get()?.kind().replacen("clv.", "", 1)))
    }

    /// Where the draws come from.
    #[napi(getter, ts_return_type = "'nuts' | 'laplace' | 'bootstrap'")]
    pub fn method(&self, env: &Env) -> Result<String> {
        job::now(env, || Ok(self.slot.get()?.method().name().to_owned()))
    }

    /// A row for each parameter: parameter, estimate, mean, sd, low, median, high (the interval of `level`,
    /// 0.9 by default), and of `samplePosterior` r_hat, ess_bulk, ess_tail, mcse.
    #[napi(ts_args_type = "options?: { level?: number } & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn summary<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "posterior", None, options)
    }

    /// Every draw: chain, draw, the parameters, log_posterior, divergent.
    #[napi(ts_args_type = "options?: RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn draws<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "draws", None, options)
    }

    /// How it went, a row for each chain: chain, method, draws, divergences, step_size, acceptance, gradients,
    /// failed, at_edge.
    #[napi]
    pub fn fit_table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.fit_table())))
    }

    /// Means over the draws, with intervals of the uncertainty of the parameters: customer,
    /// expected_purchases, p_alive, and what else is asked for, each with `_low` and `_high`; with
    /// `purchaseInterval` also purchases_low, purchases_high. Of `GammaGamma` customer, expected_spend; of models of
    /// retention customer, survival, churn, expected_lifetime and, with `discount`, residual_value. What is infinite
    /// in some draw is missing.
    #[napi(
        ts_args_type = "rfm: FrameInput, options?: PosteriorPredictOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn predict<'e>(&self, env: &'e Env, rfm: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "predict", Some(rfm), options)
    }

    /// The same of draws of `DynamicParetoNBD`: by orders, and by what `along` says of then.
    #[napi(
        ts_args_type = "orders: FrameInput, along: FrameInput, options?: DynamicDrawOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn predict_along<'e>(
        &self,
        env: &'e Env,
        orders: Unknown<'e>,
        along: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let options = call.options::<DynamicDrawOptions>()?;
            let (orders, along) = (call.columns(orders)?, call.columns(along)?);
            let draws = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| {
                draws.predict_along(&orders.columns()?, &along.columns()?, &options, run)
            })
        };
        job::start(env, options, prepare, |found| {
            Frame::new(found.table()).and("dropped", found.dropped().table())
        })
    }

    /// Whether the model produces customers like these (posterior predictive checks): statistic (`share_0`, …
    /// `share_7_or_more`, `mean`, `variance`, and of laws of purchases at random `bought_lately`), observed,
    /// expected, low, high, and `p`, the share of replicates above what was observed: near 0 or 1 it tells of a
    /// trait that the model does not have. Of `GammaGamma` the statistics are of the customers' mean values: `mean`,
    /// `sd`, `q10`, `median`, `q90`, and `correlation_of_logs` of frequency and mean value. Of models of retention they
    /// are shares of those who met a renewal: `churn_1`, … `churn_7_or_later`, `churn`, and of several cohorts
    /// `between_cohorts`, the standard deviation of their churn.
    #[napi(
        ts_args_type = "rfm: FrameInput, options?: PosteriorCheckOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn check<'e>(&self, env: &'e Env, rfm: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "check", Some(rfm), options)
    }

    /// The shares that stay, of draws of a model of retention: period, survival, retention, churn, each the mean over
    /// the draws with `_low` and `_high`.
    #[napi(ts_args_type = "options?: DrawSurvivalOptions & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn survival<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "survival", None, options)
    }

    /// What a customer is worth by tenure, of draws of a model of retention: tenure, discounted_lifetime,
    /// expected_lifetime, value, each the mean over the draws with `_low` and `_high`.
    #[napi(ts_args_type = "options: DrawValueOptions & RunOptions", ts_return_type = "Promise<Frame>")]
    pub fn value<'e>(&self, env: &'e Env, options: Unknown<'e>) -> Result<Unknown<'e>> {
        self.report(env, "value", None, options)
    }

    /// The discounted value of every customer by these draws of purchases, means over them: customer,
    /// expected_purchases, p_alive, expected_spend, lifetime_value, and lifetime_value_low and lifetime_value_high, its
    /// quantiles. A draw of `GammaGamma` goes with each (`interval` is 0.9 by default); or, of a fitted one, with an
    /// `interval`, parameters from the normal of their estimates, by the seed.
    #[napi(
        ts_args_type = "spend: Posterior | GammaGamma, rfm: FrameInput, options?: LifetimeOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn lifetime_value<'e>(
        &self,
        env: &'e Env,
        spend: Either<&GammaGamma, &Posterior>,
        rfm: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let spend = Spend::of(spend);
        let prepare = |call: &Call<'e>| {
            let (options, rfm) = (call.options::<LifetimeOptions>()?, call.columns(rfm)?);
            let (draws, spend) = job::now(env, || Ok((self.slot.get()?, spend.get()?)))?;
            Ok(move |run: &headwater::Run| {
                let spend = match &spend {
                    Either::A(fit) => DrawnSpend::Fit(fit),
                    Either::B(spend) => DrawnSpend::Draws(spend),
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
