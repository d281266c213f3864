//! What are they worth?

use headwater::clv::dynamic::{Dynamic, DynamicSpend};
use headwater::clv::posterior::{DrawnSpend, Hierarchy, Posterior, sample_hierarchy};
use headwater::clv::{self, Contractual, GammaGammaModel, Quantity, purchases_with};
use headwater::options::parse;
use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::journey::{Frames, frames};
use crate::models::Model;
use crate::run::{RunArgs, direct};

/// The summary; where orders and customers went; the rows that were dropped.
#[pyfunction]
pub(crate) fn clv_summarize(
    py: Python<'_>,
    orders: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame, Frame)> {
    let (orders, options) = (columns(orders)?, parse(options)?);
    run.call(py, |run| {
        let rfm = clv::summarize(&orders, &options, run)?;
        Ok((
            Frame::new(rfm.table())?,
            Frame::new(rfm.accounting_table())?,
            Frame::new(rfm.dropped().table())?,
        ))
    })
}

/// A model of the given kind, and the rows that were dropped.
#[pyfunction]
pub(crate) fn clv_fit(
    py: Python<'_>,
    kind: &str,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Model, Frame)> {
    let frame = columns(frame)?;
    run.call(py, |run| {
        let (model, dropped) = match kind {
            "clv.GammaGamma" => {
                let (model, dropped) = clv::gamma_gamma(&frame, &parse(options)?, run)?;
                (Model::new(model), dropped)
            }
            kind if Contractual::KINDS.contains(&kind) => {
                let (model, dropped) = Contractual::fit(kind, &frame, options, run)?;
                (Model::contractual(model), dropped)
            }
            _ => {
                let (model, dropped) = clv::fit_purchases(kind, &frame, &parse(options)?, run)?;
                (Model::purchases(model), dropped)
            }
        };
        Ok((model, Frame::new(dropped.table())?))
    })
}

/// Draws of the parameters of a model of purchases, of spend or of retention, and the rows that were dropped.
#[pyfunction]
pub(crate) fn clv_posterior(
    py: Python<'_>,
    method: &str,
    kind: &str,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Model, Frame)> {
    let frame = columns(frame)?;
    run.call(py, |run| {
        if method == "hierarchy" {
            let (hierarchy, dropped) = sample_hierarchy(kind, &frame, &parse(options)?, run)?;
            return Ok((Model::new(hierarchy), Frame::new(dropped.table())?));
        }
        let (posterior, dropped) = Posterior::fit(method, kind, &frame, options, run)?;
        Ok((Model::new(posterior), Frame::new(dropped.table())?))
    })
}

/// A model with given parameters.
#[pyfunction]
#[pyo3(signature = (kind, values, period, k=1))]
pub(crate) fn clv_from_parameters(
    kind: &str,
    values: Vec<f64>,
    period: Option<&str>,
    k: u32,
) -> Outcome<Model> {
    direct(|| match (kind, values.as_slice()) {
        ("clv.GammaGamma", [p, q, v]) => Ok(Model::new(GammaGammaModel::from_parameters(*p, *q, *v)?)),
        (kind, values) if Contractual::KINDS.contains(&kind) => {
            let period = period.map(parse).transpose()?;
            Ok(Model::contractual(Contractual::from_parameters(kind, values, period)?))
        }
        _ => {
            let period = period.map(parse).transpose()?;
            Ok(Model::purchases(purchases_with(kind, &values, k, period)?))
        }
    })
}

/// The model of a kind of customer, by its covariates.
#[pyfunction]
pub(crate) fn clv_at(model: &Model, covariates: &Bound<'_, PyAny>) -> Outcome<Model> {
    let covariates = columns(covariates)?;
    direct(|| Ok(Model::purchases(clv::at(model.buyers()?, &covariates, &headwater::Run::new())?)))
}

/// The parameters with their errors and limits, and one row on the fit.
#[pyfunction]
pub(crate) fn clv_tables(model: &Model) -> Outcome<(Frame, Frame)> {
    direct(|| {
        if let Some(model) = model.leavers() {
            return Ok((Frame::new(model.parameters()?)?, Frame::new(model.fit_table())?));
        }
        if let Ok(model) = model.buyers() {
            let (parameters, fit) = model.tables()?;
            return Ok((Frame::new(parameters)?, Frame::new(fit)?));
        }
        if let Ok(model) = model.along() {
            let (parameters, fit) = model.tables()?;
            return Ok((Frame::new(parameters)?, Frame::new(fit)?));
        }
        let estimates = model.get::<GammaGammaModel>()?.estimates();
        Ok((Frame::new(estimates.table(0.95)?)?, Frame::new(estimates.fit_table())?))
    })
}

/// Whether spend is independent of frequency.
#[pyfunction]
pub(crate) fn clv_independence(model: &Model) -> Outcome<Frame> {
    direct(|| Frame::new(model.get::<GammaGammaModel>()?.independence()))
}

/// A model along covariates, and the rows that were dropped of orders and of covariates.
#[pyfunction]
pub(crate) fn clv_dynamic_fit(
    py: Python<'_>,
    kind: &str,
    orders: &Bound<'_, PyAny>,
    covariates: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Model, Frame, Frame)> {
    let (orders, covariates) = (columns(orders)?, columns(covariates)?);
    run.call(py, |run| {
        let (model, [of_orders, of_covariates]) = Dynamic::fit(kind, &orders, &covariates, options, run)?;
        Ok((Model::dynamic(model), Frame::new(of_orders.table())?, Frame::new(of_covariates.table())?))
    })
}

/// A model along covariates with given parameters.
#[pyfunction]
pub(crate) fn clv_dynamic_given(kind: &str, given: &str) -> Outcome<Model> {
    direct(|| Dynamic::from_parameters(kind, given).map(Model::dynamic))
}

/// Draws of the parameters of a model of purchases along covariates, and the rows dropped of both frames.
#[pyfunction]
pub(crate) fn clv_dynamic_posterior(
    py: Python<'_>,
    method: &str,
    orders: &Bound<'_, PyAny>,
    covariates: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Model, Frame, Frame)> {
    let (orders, covariates) = (columns(orders)?, columns(covariates)?);
    run.call(py, |run| {
        let (draws, [of_orders, of_covariates]) =
            Dynamic::posterior(method, &orders, &covariates, options, run)?;
        Ok((Model::new(draws), Frame::new(of_orders.table())?, Frame::new(of_covariates.table())?))
    })
}

/// What draws say of customers along covariates.
#[pyfunction]
pub(crate) fn clv_dynamic_draws(
    py: Python<'_>,
    draws: &Bound<'_, Model>,
    orders: &Bound<'_, PyAny>,
    covariates: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame)> {
    let (draws, orders, covariates) =
        (draws.get().get::<Posterior>()?, columns(orders)?, columns(covariates)?);
    run.call(py, |run| {
        let found = draws.predict_along(&orders, &covariates, &parse(options)?, run)?;
        Ok((Frame::new(found.table())?, Frame::new(found.dropped().table())?))
    })
}

/// A report by name of a model along covariates.
#[pyfunction]
pub(crate) fn clv_dynamic_report(
    py: Python<'_>,
    model: &Bound<'_, Model>,
    name: &str,
    orders: Option<&Bound<'_, PyAny>>,
    covariates: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<Frames> {
    let (model, orders, covariates) = (model.get(), orders.map(columns).transpose()?, columns(covariates)?);
    run.call(py, |run| frames(model.along()?.report(name, orders.as_ref(), &covariates, options, run)?))
}

/// Expected spend, and the rows that were dropped.
#[pyfunction]
pub(crate) fn clv_predict(
    py: Python<'_>,
    model: &Bound<'_, Model>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame)> {
    let (model, frame) = (model.get().get::<GammaGammaModel>()?, columns(frame)?);
    run.call(py, |run| {
        let found = model.predict_columns(&frame, &parse(options)?, run)?;
        Ok((Frame::new(found.table())?, Frame::new(found.dropped().table())?))
    })
}

/// A report by name of a model of purchases, of survival or of retention, or of draws; without a model,
/// of data alone.
#[pyfunction]
#[pyo3(signature = (model, name, options, run, frame=None))]
pub(crate) fn clv_report(
    py: Python<'_>,
    model: Option<&Bound<'_, Model>>,
    name: &str,
    options: &str,
    run: RunArgs,
    frame: Option<&Bound<'_, PyAny>>,
) -> Outcome<Frames> {
    let (model, frame) = (model.map(Bound::get), frame.map(columns).transpose()?);
    run.call(py, |run| {
        frames(match (model, model.and_then(Model::leavers)) {
            (None, _) => clv::report(name, frame.as_ref(), options, run),
            (_, Some(model)) => model.report(name, frame.as_ref(), options, run),
            (Some(model), None) => match (model.get::<Posterior>(), model.get::<Hierarchy>()) {
                (Ok(draws), _) => draws.report(name, frame.as_ref(), options, run),
                (_, Ok(groups)) => groups.report(name, frame.as_ref(), options, run),
                _ => model.buyers()?.report(name, frame.as_ref(), options, run),
            },
        }?)
    })
}

/// Several models of purchases, fitted and judged.
#[pyfunction]
pub(crate) fn clv_compare(
    py: Python<'_>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<Frames> {
    let (frame, options) = (columns(frame)?, parse(options)?);
    run.call(py, |run| frames(clv::compare_purchases(&frame, &options, run)?))
}

/// Forecasts from several origins beside what came.
#[pyfunction]
pub(crate) fn clv_backtest(
    py: Python<'_>,
    orders: &Bound<'_, PyAny>,
    customers: Option<&Bound<'_, PyAny>>,
    options: &str,
    run: RunArgs,
) -> Outcome<Frames> {
    let (orders, customers, options) =
        (columns(orders)?, customers.map(columns).transpose()?, parse(options)?);
    run.call(py, |run| {
        frames(match &customers {
            None => clv::backtest(&orders, &options, run),
            Some(customers) => clv::backtest_of(&orders, customers, &options, run),
        }?)
    })
}

/// A law against a richer one that contains it, in one row.
#[pyfunction]
pub(crate) fn clv_likelihood_ratio(restricted: &Model, full: &Model) -> Outcome<Frame> {
    let (restricted, full) = (restricted.buyers()?, full.buyers()?);
    direct(|| Frame::new(clv::likelihood_ratio(restricted, full)?.table()))
}

/// (expected purchases, probability of being alive) of one customer.
#[pyfunction]
#[allow(non_snake_case)] // the literature's name, and the keyword's
pub(crate) fn clv_score(
    model: &Model,
    frequency: f64,
    recency: f64,
    T: f64,
    periods: f64,
) -> Outcome<(f64, f64)> {
    let model = model.buyers()?;
    direct(|| {
        Ok((
            model.expected_purchases(frequency, recency, T, periods)?,
            model.p_alive(frequency, recency, T, 0.0)?,
        ))
    })
}

/// Lower and upper; None where not finite.
type Edges = (Option<f64>, Option<f64>);

/// The intervals of what [`clv_score`] says.
#[pyfunction]
#[allow(non_snake_case)]
pub(crate) fn clv_score_interval(
    model: &Model,
    frequency: f64,
    recency: f64,
    T: f64,
    periods: f64,
    level: f64,
) -> Outcome<(Edges, Edges)> {
    let model = model.buyers()?;
    direct(|| {
        let ask = |quantity| model.interval(frequency, recency, T, quantity, level).map(Edges::from);
        Ok((ask(Quantity::Purchases { periods })?, ask(Quantity::Alive { ahead: 0.0 })?))
    })
}

/// The intervals of what [`clv_probabilities`] says.
#[pyfunction]
#[allow(non_snake_case)]
pub(crate) fn clv_probabilities_interval(
    model: &Model,
    frequency: f64,
    recency: f64,
    T: f64,
    periods: f64,
    most: usize,
    level: f64,
) -> Outcome<Vec<Edges>> {
    let model = model.buyers()?;
    direct(|| {
        let found = model.probabilities_interval(frequency, recency, T, periods, most, level)?;
        Ok(found.into_iter().map(Edges::from).collect())
    })
}

/// The probabilities of 0, 1, … `most` purchases of one customer.
#[pyfunction]
#[allow(non_snake_case)]
pub(crate) fn clv_probabilities(
    model: &Model,
    frequency: f64,
    recency: f64,
    T: f64,
    periods: f64,
    most: usize,
) -> Outcome<Vec<f64>> {
    let model = model.buyers()?;
    direct(|| model.probabilities(frequency, recency, T, periods, most))
}

/// The expected spend of one customer; the mean over all customers without one.
#[pyfunction]
#[pyo3(signature = (model, customer))]
pub(crate) fn clv_spend(model: &Model, customer: Option<(f64, f64)>) -> Outcome<Option<f64>> {
    let model = model.get::<GammaGammaModel>()?;
    direct(|| match customer {
        Some((frequency, value)) => model.expected_spend(frequency, value),
        None => Ok(model.mean_spend()),
    })
}

/// The interval of what [`clv_spend`] says.
#[pyfunction]
#[pyo3(signature = (model, customer, level))]
pub(crate) fn clv_spend_interval(model: &Model, customer: Option<(f64, f64)>, level: f64) -> Outcome<Edges> {
    let model = model.get::<GammaGammaModel>()?;
    direct(|| {
        let (frequency, value) = customer.unwrap_or_default();
        model.expected_spend_interval(frequency, value, level).map(Edges::from)
    })
}

/// Values by two fits, or by draws of both.
#[pyfunction]
pub(crate) fn clv_lifetime_value(
    py: Python<'_>,
    model: &Bound<'_, Model>,
    spend: &Bound<'_, Model>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame)> {
    let (model, spend) = (model.get(), spend.get());
    let (frame, options) = (columns(frame)?, parse(options)?);
    run.call(py, |run| {
        let spend = match (spend.get::<Posterior>(), spend.get::<Hierarchy>()) {
            (Ok(draws), _) => DrawnSpend::Draws(draws),
            (_, Ok(groups)) => DrawnSpend::Groups(groups),
            _ => DrawnSpend::Fit(spend.get::<GammaGammaModel>()?),
        };
        if let Ok(groups) = model.get::<Hierarchy>() {
            let found = groups.lifetime_value(spend, &frame, &options, run)?;
            return Ok((Frame::new(found.table())?, Frame::new(found.dropped().table())?));
        }
        let found = match model.get::<Posterior>() {
            Ok(draws) => draws.lifetime_value(spend, &frame, &options, run),
            Err(_) => clv::lifetime_value(model.buyers()?, spend, &frame, &options, run),
        }?;
        Ok((Frame::new(found.table())?, Frame::new(found.dropped().table())?))
    })
}

/// The draws of one group of a hierarchy; of one that was not seen without a name.
#[pyfunction]
pub(crate) fn clv_group(model: &Model, group: Option<&str>) -> Outcome<Model> {
    direct(|| Ok(Model::new(model.get::<Hierarchy>()?.posterior(group)?.clone())))
}

/// The value of customers by a model along covariates.
#[pyfunction]
pub(crate) fn clv_dynamic_value(
    py: Python<'_>,
    model: &Bound<'_, Model>,
    spend: &Bound<'_, Model>,
    orders: &Bound<'_, PyAny>,
    covariates: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame)> {
    let (model, spend) = (model.get().along()?.purchases()?, spend.get());
    let (orders, covariates, options) = (columns(orders)?, columns(covariates)?, parse(options)?);
    run.call(py, |run| {
        let spend = match (spend.get::<GammaGammaModel>(), spend.get::<Posterior>()) {
            (Ok(constant), _) => DynamicSpend::Constant(constant),
            (_, Ok(draws)) => DynamicSpend::Draws(draws),
            _ => spend.along()?.spend()?,
        };
        let found = model.lifetime_value(spend, &orders, &covariates, &options, run)?;
        Ok((Frame::new(found.table())?, Frame::new(found.dropped().table())?))
    })
}

#[pyfunction]
pub(crate) fn clv_tracking(
    py: Python<'_>,
    orders: &Bound<'_, PyAny>,
    customers: Option<&Bound<'_, PyAny>>,
    model: &Bound<'_, Model>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame, Option<Frame>)> {
    let model = model.get().buyers()?;
    let (orders, customers, options) =
        (columns(orders)?, customers.map(columns).transpose()?, parse(options)?);
    run.call(py, |run| {
        let found = match &customers {
            None => clv::tracking(&orders, model, &options, run),
            Some(customers) => clv::tracking_of(&orders, customers, model, &options, run),
        }?;
        let cohorts = found.cohort_table().map(Frame::new).transpose()?;
        Ok((Frame::new(found.table())?, Frame::new(found.dropped().table())?, cohorts))
    })
}

#[pyfunction]
pub(crate) fn clv_forecast_errors(
    py: Python<'_>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<Frame> {
    let (frame, options) = (columns(frame)?, parse(options)?);
    run.call(py, |run| Frame::new(clv::forecast_errors_columns(&frame, &options, run)?.table()))
}
