//! What are they worth?

use std::sync::Arc;

use headwater::clv::posterior::{DrawnSpend, Posterior as CorePosterior};
use headwater::clv::{
    self as core, BacktestOptions, CompareOptions, Estimates, ForecastOptions, GammaGammaModel,
    GammaGammaOptions, LifetimeOptions, PurchaseOptions, Purchases, Quantity, SpendPredictOptions,
    SummarizeOptions, TrackingOptions,
};
use headwater::column::Dropped;
use napi::bindgen_prelude::{Either, Object, This, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::job::{self, Call, Config, Slot, Start};
use crate::models::save;
use crate::posterior::Posterior;

/// Customers from orders: customer, frequency, recency, T, monetary_value, and
/// the holdout where `calibrationEnd` is given. `extras.accounting` says where
/// every order went.
#[napi(
    namespace = "clv",
    ts_args_type = "orders: FrameInput, options?: SummarizeOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn summarize<'e>(env: &'e Env, orders: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, orders) = (call.options::<SummarizeOptions>()?, call.columns(orders)?);
        Ok(move |run: &headwater::Run| core::summarize(&orders.columns()?, &options, run))
    };
    job::start(env, options, prepare, crate::rfm::summary)
}

/// A fitted model of spend, or draws of one.
pub(crate) struct Spend(Either<Slot<GammaGammaModel>, Slot<CorePosterior>>);

impl Spend {
    pub(crate) fn of(spend: Either<&GammaGamma, &Posterior>) -> Self {
        Self(match spend {
            Either::A(fit) => Either::A(fit.slot.clone()),
            Either::B(draws) => Either::B(draws.slot.clone()),
        })
    }

    pub(crate) fn get(&self) -> headwater::Result<Either<Arc<GammaGammaModel>, Arc<CorePosterior>>> {
        Ok(match &self.0 {
            Either::A(slot) => Either::A(slot.get()?),
            Either::B(slot) => Either::B(slot.get()?),
        })
    }
}

/// The discounted value of every customer over the coming periods: customer,
/// expected_purchases, p_alive, expected_spend, lifetime_value; with `interval`
/// also lifetime_value_low, lifetime_value_high. Of draws of `GammaGamma` spend and value are means over them.
#[napi(
    namespace = "clv",
    ts_args_type = "model: PurchaseModel, spend: GammaGamma | Posterior, rfm: FrameInput, options?: LifetimeOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn lifetime_value<'e>(
    env: &'e Env,
    model: &PurchaseModel,
    spend: Either<&GammaGamma, &Posterior>,
    rfm: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let (model, spend) = (model.slot.clone(), Spend::of(spend));
    let prepare = |call: &Call<'e>| {
        let (options, rfm) = (call.options::<LifetimeOptions>()?, call.columns(rfm)?);
        let (model, spend) = job::now(env, || Ok((model.get()?, spend.get()?)))?;
        Ok(move |run: &headwater::Run| {
            let spend = match &spend {
                Either::A(fit) => DrawnSpend::Fit(fit),
                Either::B(draws) => DrawnSpend::Draws(draws),
            };
            core::lifetime_value(&**model, spend, &rfm.columns()?, &options, run)
        })
    };
    job::start(env, options, prepare, |found| {
        Frame::new(found.table()).and("dropped", found.dropped().table())
    })
}

/// Is the richer law worth it? A law against one that contains it, fitted to
/// the same customers: statistic, degreesOfFreedom, p, distribution.
#[napi(
    namespace = "clv",
    ts_args_type = "restricted: PurchaseModel, full: PurchaseModel",
    ts_return_type = "LikelihoodRatio"
)]
pub fn likelihood_ratio<'e>(
    env: &'e Env,
    restricted: &PurchaseModel,
    full: &PurchaseModel,
) -> Result<Object<'e>> {
    let found = job::now(env, || core::likelihood_ratio(&**restricted.slot.get()?, &**full.slot.get()?))?;
    let mut out = Object::new(env)?;
    out.set("statistic", found.statistic)?;
    out.set("degreesOfFreedom", found.degrees_of_freedom)?;
    out.set("p", found.p_value)?;
    out.set("distribution", found.distribution())?;
    Ok(out)
}

/// How a forecast compares with what happened, customer by customer, in one
/// row: mae, rmse, bias (levels), spearman, gini, gini_normalised (order).
#[napi(
    namespace = "clv",
    ts_args_type = "frame: FrameInput, options?: ForecastOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn forecast_errors<'e>(env: &'e Env, frame: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, frame) = (call.options::<ForecastOptions>()?, call.columns(frame)?);
        Ok(move |run: &headwater::Run| core::forecast_errors_columns(&frame.columns()?, &options, run))
    };
    job::start(env, options, prepare, |found| Frame::new(found.table()))
}

fn params<'e>(env: &'e Env, estimates: &Estimates) -> Result<Object<'e>> {
    named(env, estimates, estimates.values.iter().map(|v| Some(*v)))
}

/// A column of a parameter table by the parameters' names.
fn by_name<'e>(env: &'e Env, model: &(dyn Purchases + 'static), column: &str) -> Result<Object<'e>> {
    let (table, _) = job::now(env, || model.tables())?;
    let mut out = Object::new(env)?;
    let values = table.f64s(column).unwrap_or_default();
    let valid = table.get(column).and_then(|c| c.valid.as_deref());
    for (row, value) in values.iter().enumerate() {
        let there = valid.is_none_or(|valid| valid[row]);
        out.set(table.text("parameter", row).unwrap_or_default().as_ref(), there.then_some(*value))?;
    }
    Ok(out)
}

fn named<'e>(
    env: &'e Env,
    estimates: &Estimates,
    values: impl IntoIterator<Item = Option<f64>>,
) -> Result<Object<'e>> {
    let mut out = Object::new(env)?;
    for (name, value) in estimates.names.iter().zip(values) {
        out.set(name, value)?;
    }
    Ok(out)
}

/// The level of intervals of single customers.
const LEVEL: f64 = 0.95;

/// A model of purchases and dropout; `face/buyers.js` has a class for each kind.
#[napi]
pub struct PurchaseModel {
    kind: String,
    config: Config,
    slot: Slot<Box<dyn Purchases>>,
    dropped: Slot<Dropped>,
}

impl From<Box<dyn Purchases>> for PurchaseModel {
    fn from(model: Box<dyn Purchases>) -> Self {
        Self {
            kind: model.kind().to_owned(),
            config: Config::default(),
            slot: Slot::of(model),
            dropped: Slot::default(),
        }
    }
}

#[napi]
impl PurchaseModel {
    /// A model of this kind that is not fitted yet.
    #[napi(constructor, skip_typescript)]
    pub fn new(env: &Env, kind: String, options: Unknown<'_>) -> Result<Self> {
        Ok(Self {
            kind,
            config: Config::open::<PurchaseOptions>(env, options)?,
            slot: Slot::default(),
            dropped: Slot::default(),
        })
    }

    /// The kind in model files.
    #[napi(getter, skip_typescript)]
    pub fn kind(&self) -> String {
        self.kind.clone()
    }

    /// Takes given parameters, for example published ones.
    #[napi(skip_typescript)]
    pub fn take_parameters(&self, env: &Env, values: Vec<f64>, k: u32, period: Unknown<'_>) -> Result<()> {
        let period = job::optional_value(env, period)?;
        self.slot.set(job::now(env, || core::purchases_with(&self.kind, &values, k, period))?);
        Ok(())
    }

    /// Takes the model of a kind of customer from one with covariates.
    #[napi(skip_typescript)]
    pub fn take_at<'e>(&self, env: &'e Env, other: &PurchaseModel, covariates: Unknown<'e>) -> Result<()> {
        let covariates = crate::intake::Input::open(env, covariates)?;
        let found =
            job::now(env, || core::at(&**other.slot.get()?, &covariates.columns()?, &headwater::Run::new()))?;
        self.slot.set(found);
        Ok(())
    }

    /// Takes what another one holds.
    #[napi(skip_typescript)]
    pub fn adopt(&self, env: &Env, other: &PurchaseModel) -> Result<()> {
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
        rfm: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let (kind, slot, dropped) = (self.kind.clone(), self.slot.clone(), self.dropped.clone());
        let start = Start { defaults: self.config.settings, this: Some(this.object), monitor: None };
        let prepare = |call: &Call<'e>| {
            let (options, rfm) = (self.config.merged::<PurchaseOptions>(call)?, call.columns(rfm)?);
            Ok(move |run: &headwater::Run| core::fit_purchases(&kind, &rfm.columns()?, &options, run))
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
        rfm: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let (json, rfm) = (call.json().to_owned(), call.optional_columns(rfm)?);
            let model = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| {
                let rfm = rfm.map(crate::intake::Input::columns).transpose()?;
                model.report(&name, rfm.as_ref(), &json, run)
            })
        };
        job::start(env, options, prepare, Frame::of)
    }

    /// Actual and expected repeat purchases, period after period; `customers` tell covariates.
    #[napi(skip_typescript)]
    pub fn tracking_of<'e>(
        &self,
        env: &'e Env,
        orders: Unknown<'e>,
        customers: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let options = call.options::<TrackingOptions>()?;
            let (orders, customers) = (call.columns(orders)?, call.optional_columns(customers)?);
            let model = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| {
                let orders = orders.columns()?;
                match customers.map(crate::intake::Input::columns).transpose()? {
                    None => core::tracking(&orders, &**model, &options, run),
                    Some(customers) => core::tracking_of(&orders, &customers, &**model, &options, run),
                }
            })
        };
        job::start(env, options, prepare, |found| {
            let frame = Frame::new(found.table()).and("dropped", found.dropped().table());
            match found.cohort_table() {
                Some(cohorts) => frame.and("byCohort", cohorts),
                None => frame,
            }
        })
    }

    /// The parameters.
    #[napi(getter, skip_typescript)]
    pub fn params<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        by_name(env, &**job::now(env, || self.slot.get())?, "estimate")
    }

    /// Their standard errors.
    #[napi(getter, skip_typescript)]
    pub fn standard_errors<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        by_name(env, &**job::now(env, || self.slot.get())?, "standard_error")
    }

    /// The maximised log-likelihood.
    #[napi(getter, skip_typescript)]
    pub fn log_likelihood(&self, env: &Env) -> Result<Option<f64>> {
        job::now(env, || Ok(self.slot.get()?.estimates().log_likelihood))
    }

    /// What kind of maximum the law has.
    #[napi(getter, skip_typescript)]
    pub fn verdict(&self, env: &Env) -> Result<&'static str> {
        job::now(env, || Ok(self.slot.get()?.estimates().verdict.name()))
    }

    /// And the coefficients of covariates.
    #[napi(getter, skip_typescript)]
    pub fn effects_verdict(&self, env: &Env) -> Result<Option<&'static str>> {
        job::now(env, || Ok(self.slot.get()?.effects().map(|effects| effects.verdict().name())))
    }

    /// The rows that the fit dropped, and why.
    #[napi(skip_typescript)]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.dropped.get()?.table())))
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

    /// P(alive) of one customer.
    #[napi(skip_typescript)]
    pub fn p_alive(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        ahead: Option<f64>,
    ) -> Result<f64> {
        job::now(env, || self.slot.get()?.p_alive(frequency, recency, age, ahead.unwrap_or(0.0)))
    }

    /// Purchases to expect of one customer.
    #[napi(skip_typescript)]
    pub fn expected_purchases(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        periods: f64,
    ) -> Result<f64> {
        job::now(env, || self.slot.get()?.expected_purchases(frequency, recency, age, periods))
    }

    /// Purchases of one customer for ever, discounted.
    #[napi(skip_typescript)]
    pub fn residual_purchases(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        discount_rate: f64,
    ) -> Result<f64> {
        job::now(env, || self.slot.get()?.residual_purchases(frequency, recency, age, discount_rate))
    }

    /// Probabilities of 0, 1, … `most` purchases of one customer.
    #[napi(skip_typescript)]
    pub fn probabilities(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        periods: f64,
        most: u32,
    ) -> Result<Vec<f64>> {
        job::now(env, || self.slot.get()?.probabilities(frequency, recency, age, periods, most as usize))
    }

    /// The interval of P(alive) of one customer.
    #[napi(skip_typescript)]
    pub fn p_alive_interval(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        ahead: Option<f64>,
        level: Option<f64>,
    ) -> Result<Vec<Option<f64>>> {
        let asked = Quantity::Alive { ahead: ahead.unwrap_or(0.0) };
        self.interval(env, [frequency, recency, age], asked, level)
    }

    /// That of the purchases to expect.
    #[napi(skip_typescript)]
    pub fn expected_purchases_interval(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        periods: f64,
        level: Option<f64>,
    ) -> Result<Vec<Option<f64>>> {
        self.interval(env, [frequency, recency, age], Quantity::Purchases { periods }, level)
    }

    /// That of purchases for ever, discounted.
    #[napi(skip_typescript)]
    pub fn residual_purchases_interval(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        discount_rate: f64,
        level: Option<f64>,
    ) -> Result<Vec<Option<f64>>> {
        job::now(env, || {
            let (asked, level) = (Quantity::residual(discount_rate)?, level.unwrap_or(LEVEL));
            Ok(self.slot.get()?.interval(frequency, recency, age, asked, level)?.to_vec())
        })
    }

    /// Those of probabilities.
    #[napi(skip_typescript)]
    #[allow(clippy::too_many_arguments)] // as in JavaScript
    pub fn probabilities_interval(
        &self,
        env: &Env,
        frequency: f64,
        recency: f64,
        age: f64,
        periods: f64,
        most: u32,
        level: Option<f64>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        job::now(env, || {
            let (most, level) = (most as usize, level.unwrap_or(LEVEL));
            let model = self.slot.get()?;
            let found = model.probabilities_interval(frequency, recency, age, periods, most, level)?;
            Ok(found.into_iter().map(|edges| edges.to_vec()).collect())
        })
    }

    fn interval(
        &self,
        env: &Env,
        [frequency, recency, age]: [f64; 3],
        asked: Quantity,
        level: Option<f64>,
    ) -> Result<Vec<Option<f64>>> {
        let level = level.unwrap_or(LEVEL);
        job::now(env, || Ok(self.slot.get()?.interval(frequency, recency, age, asked, level)?.to_vec()))
    }

    /// The model as the bytes of a model file.
    #[napi(skip_typescript)]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || self.slot.get()?.bytes()).map(Uint8Array::new)
    }

    /// Writes the model to a file; `load` reads it back.
    #[napi(skip_typescript)]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let slot = self.slot.clone();
        save(env, path, move || slot.get()?.bytes())
    }
}

/// Fits a model at several origins and compares each forecast with what came:
/// origin, customers, repeats, log_likelihood, actual, expected, bias,
/// relative_bias, mae, rmse, spearman, gini_normalised, verdict; with
/// `interval` also expected_low, expected_high.
#[napi(
    namespace = "clv",
    ts_args_type = "orders: FrameInput, options: BacktestOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn backtest<'e>(env: &'e Env, orders: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, orders) = (call.options::<BacktestOptions>()?, call.columns(orders)?);
        Ok(move |run: &headwater::Run| core::backtest(&orders.columns()?, &options, run))
    };
    job::start(env, options, prepare, Frame::of)
}

/// The same of a model with covariates, which `customers` has, one row a customer.
#[napi(
    namespace = "clv",
    ts_args_type = "orders: FrameInput, customers: FrameInput, options: BacktestOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn backtest_of<'e>(
    env: &'e Env,
    orders: Unknown<'e>,
    customers: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, orders) = (call.options::<BacktestOptions>()?, call.columns(orders)?);
        let customers = call.columns(customers)?;
        Ok(move |run: &headwater::Run| {
            core::backtest_of(&orders.columns()?, &customers.columns()?, &options, run)
        })
    };
    job::start(env, options, prepare, Frame::of)
}

/// Fits several models of purchases to the same customers and judges them:
/// model, k, parameters, log_likelihood, aic, bic, verdict, and with holdout
/// columns the errors of the forecast; best BIC first. AIC and BIC are missing
/// of models whose likelihood is of other data than the first one's.
/// `extras.vuong` has the pairs (Vuong 1989).
#[napi(
    namespace = "clv",
    ts_args_type = "rfm: FrameInput, options?: ComparePurchasesOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn compare<'e>(env: &'e Env, rfm: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, rfm) = (call.options::<CompareOptions>()?, call.columns(rfm)?);
        Ok(move |run: &headwater::Run| core::compare_purchases(&rfm.columns()?, &options, run))
    };
    job::start(env, options, prepare, Frame::of)
}

/// The gamma-gamma model of the value of a purchase (Fader & Hardie 2013).
#[napi(namespace = "clv")]
pub struct GammaGamma {
    config: Config,
    pub(crate) slot: Slot<GammaGammaModel>,
    dropped: Slot<Dropped>,
}

impl From<GammaGammaModel> for GammaGamma {
    fn from(model: GammaGammaModel) -> Self {
        Self { config: Config::default(), slot: Slot::of(model), dropped: Slot::default() }
    }
}

#[napi(namespace = "clv")]
impl GammaGamma {
    /// A model that is not fitted yet.
    #[napi(constructor, ts_args_type = "options?: GammaGammaOptions")]
    pub fn new(env: &Env, options: Unknown<'_>) -> Result<Self> {
        Ok(Self {
            config: Config::open::<GammaGammaOptions>(env, options)?,
            slot: Slot::default(),
            dropped: Slot::default(),
        })
    }

    /// A model with given parameters, for example published ones.
    #[napi(factory, ts_args_type = "params: { p: number, q: number, v: number }")]
    pub fn from_parameters(env: &Env, params: Object<'_>) -> Result<Self> {
        // What is no number is refused by name.
        let read = |name: &str| params.get::<f64>(name).ok().flatten().unwrap_or(f64::NAN);
        let (p, q, v) = (read("p"), read("q"), read("v"));
        job::now(env, || GammaGammaModel::from_parameters(p, q, v)).map(Self::from)
    }

    /// Estimates the parameters by maximum likelihood, and resolves to this model.
    #[napi(
        ts_args_type = "rfm: FrameInput, options?: GammaGammaOptions & RunOptions",
        ts_return_type = "Promise<this>"
    )]
    pub fn fit<'e>(
        &self,
        env: &'e Env,
        this: This<'e>,
        rfm: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let (slot, dropped) = (self.slot.clone(), self.dropped.clone());
        let start = Start { defaults: self.config.settings, this: Some(this.object), monitor: None };
        let prepare = |call: &Call<'e>| {
            let (options, rfm) = (self.config.merged::<GammaGammaOptions>(call)?, call.columns(rfm)?);
            Ok(move |run: &headwater::Run| core::gamma_gamma(&rfm.columns()?, &options, run))
        };
        job::start_with(env, options, start, prepare, move |(model, gone)| {
            slot.set(model);
            dropped.set(gone);
        })
    }

    /// The spend to expect for each purchase: customer, expected_spend, with `interval` its `_low` and `_high`.
    #[napi(
        ts_args_type = "rfm: FrameInput, options?: SpendPredictOptions & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn predict<'e>(&self, env: &'e Env, rfm: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let prepare = |call: &Call<'e>| {
            let (options, rfm) = (call.options::<SpendPredictOptions>()?, call.columns(rfm)?);
            let model = job::now(env, || self.slot.get())?;
            Ok(move |run: &headwater::Run| model.predict_columns(&rfm.columns()?, &options, run))
        };
        job::start(env, options, prepare, |found| {
            Frame::new(found.table()).and("dropped", found.dropped().table())
        })
    }

    /// The parameters p, q and v.
    #[napi(getter, ts_return_type = "{ p: number, q: number, v: number }")]
    pub fn params<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        params(env, job::now(env, || self.slot.get())?.estimates())
    }

    /// Their standard errors; `null` where the data do not identify one.
    #[napi(getter, ts_return_type = "{ p: number | null, q: number | null, v: number | null }")]
    pub fn standard_errors<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        let model = job::now(env, || self.slot.get())?;
        named(env, model.estimates(), model.standard_errors())
    }

    /// The maximised log-likelihood; `null` where the parameters were given.
    #[napi(getter)]
    pub fn log_likelihood(&self, env: &Env) -> Result<Option<f64>> {
        job::now(env, || Ok(self.slot.get()?.log_likelihood()))
    }

    /// Whether spend is independent of frequency, as the model takes it to be: test, correlation, p.
    /// Where it is not, `DynamicGammaGamma` with `rate` models it.
    #[napi]
    pub fn independence(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.independence())))
    }

    /// The correlation of frequency and monetary value, which the model takes to be none; `null` where the
    /// parameters were given.
    #[napi(getter)]
    pub fn correlation(&self, env: &Env) -> Result<Option<f64>> {
        job::now(env, || Ok(self.slot.get()?.correlation()))
    }

    /// The rows that the fit dropped, and why: column, reason, count, first_row.
    #[napi]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.dropped.get()?.table())))
    }

    /// One row for each parameter: parameter, estimate, standard_error, low, high.
    #[napi]
    pub fn table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.table()?)))
    }

    /// One row on the fit.
    #[napi]
    pub fn fit_table(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.slot.get()?.estimates().fit_table())))
    }

    /// The spend to expect for each purchase of one customer; `null` where the
    /// model has no mean. Takes microseconds.
    #[napi]
    pub fn expected_spend(&self, env: &Env, frequency: f64, monetary_value: f64) -> Result<Option<f64>> {
        job::now(env, || self.slot.get()?.expected_spend(frequency, monetary_value))
    }

    /// Its interval [low, high] for the uncertainty of the parameters, `null` where not finite; that of a new
    /// customer where both are 0. `level` is 0.95 by default.
    #[napi(ts_return_type = "[low: number | null, high: number | null]")]
    pub fn expected_spend_interval(
        &self,
        env: &Env,
        frequency: f64,
        monetary_value: f64,
        level: Option<f64>,
    ) -> Result<Vec<Option<f64>>> {
        let level = level.unwrap_or(LEVEL);
        job::now(env, || {
            Ok(self.slot.get()?.expected_spend_interval(frequency, monetary_value, level)?.to_vec())
        })
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
