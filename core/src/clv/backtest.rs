//! A model fitted at several origins, each forecast beside what came.

use serde::{Deserialize, Serialize};

use super::ahead::Horizon;
use super::covariates::{Covariates, each_law};
use super::design::Reader;
use super::door::PurchaseOptions;
use super::errors::{ForecastErrors, forecast_errors};
use super::estimates::interval_quantile;
use super::frames::{History as Rows, beside};
use super::laws::{Edges, Law, ParetoGggLaw, Purchases, expected_purchases};
use super::summarize::{SummarizeOptions, When, summarize};
use super::told::Told;
use super::tracking_interval::{Spread, covariance};
use crate::column::{Columns, Duration, Intake, Table, Tables, Text, Values};
use crate::math::sum;
use crate::{Error, Result, Run};

/// Options of [`backtest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BacktestOptions {
    /// The model's name, such as `"ParetoNBD"`. Default `"BetaGeo"`.
    pub model: String,
    /// Ticks between purchases of the regular models.
    pub k: u32,
    /// See [`Fit::penalty`](super::Fit::penalty).
    pub penalty: f64,
    /// Columns of covariates of customers, and what they may explain ([`backtest_of`]). None by default.
    pub covariates: Option<Covariates>,
    /// Level of intervals of what is expected in all, such as 0.9; none by default.
    pub interval: Option<f64>,
    /// The ends of the calibration periods, one forecast each.
    pub origins: Vec<When>,
    /// How long each forecast is, as a number of the model's periods or a span of time; calendar months, quarters and
    /// years are those that follow the origin. Default 90 days.
    pub horizon: Horizon,
    /// How orders are read. `calibration_end` and `observation_end` are not for use here.
    pub summarize: SummarizeOptions,
}

impl Default for BacktestOptions {
    fn default() -> Self {
        Self {
            model: "BetaGeo".into(),
            k: 1,
            penalty: 0.0,
            covariates: None,
            interval: None,
            origins: Vec::new(),
            horizon: Duration::from_days(90).into(),
            summarize: SummarizeOptions::default(),
        }
    }
}

/// Fits a model at several origins and compares each forecast with what came.
///
/// A table with one row an origin: origin, customers, repeats (the model saw),
/// log_likelihood, actual, expected (purchases of the horizon), bias,
/// relative_bias, mae, rmse, spearman, gini_normalised, verdict; with `interval` also expected_low and expected_high,
/// between which `actual` lies with that probability if the model is right: by the chance of each customer's
/// purchases, and by the standard errors of the parameters (delta method); the sum over customers is taken as normal.
///
/// Errors: [`Error::Option`] for an origin whose horizon ends after the last
/// order, of which nobody knows yet; those of the fits.
pub fn backtest(orders: &Columns, options: &BacktestOptions, run: &Run) -> Result<Tables> {
    if options.covariates.is_some() {
        return Err(Error::option(
            "covariates",
            "are not told by orders: give the frame of customers that has them",
        ));
    }
    at_origins(orders, None, options, run)
}

/// [`backtest`] of a model with covariates, which `customers` tells: a frame of one row a customer, by the column of
/// customers that the orders have.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{BacktestOptions, Covariates, SummarizeOptions, backtest_of};
/// use headwater::column::{Columns, Data, Duration};
///
/// // Every third customer is of the channel "shop" and buys more often; one in four is gone by the middle.
/// let (mut customer, mut time) = (Vec::new(), Vec::new());
/// for i in 0..90_usize {
///     let step = if i % 3 == 0 { 11 + i % 7 } else { 37 + 5 * (i % 9) };
///     for day in (i % 28..if i % 4 > 0 { 300 } else { 120 }).step_by(step) {
///         customer.push(format!("c{i}"));
///         time.push(1_700_000_000_000_000 + day as i64 * 86_400_000_000);
///     }
/// }
/// let orders = Columns::new().with("customer", customer).with("time", Data::times(time));
/// let channel = |i: usize| if i % 3 == 0 { "shop" } else { "web" };
/// let customers = Columns::new()
///     .with("customer", (0..90).map(|i| format!("c{i}")).collect::<Vec<_>>())
///     .with("channel", (0..90).map(channel).collect::<Vec<_>>());
/// let options = BacktestOptions {
///     model: "ParetoNBD".into(),
///     penalty: 0.001,
///     covariates: Some(Covariates::new(["channel"], [])),
///     interval: Some(0.9),
///     origins: vec!["2024-06-11".into()],
///     horizon: Duration::from_days(60).into(),
///     summarize: SummarizeOptions { value: None, period: "7d".parse()?, ..SummarizeOptions::default() },
/// # ..BacktestOptions::default()
/// };
/// let found = backtest_of(&orders, &customers, &options, &Run::new())?;
/// let column = |name| found[0].1.f64s(name).map(|v| v[0]).unwrap_or_default();
/// assert!(column("expected_low") < column("expected") && column("expected") < column("expected_high"));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn backtest_of(
    orders: &Columns,
    customers: &Columns,
    options: &BacktestOptions,
    run: &Run,
) -> Result<Tables> {
    let Some(covariates) = &options.covariates else {
        let reason =
            "name the columns of `customers` that explain purchases or dropout, or leave `customers` out";
        return Err(Error::option("covariates", reason));
    };
    let (given, columns) = (&options.summarize, covariates.columns()?);
    let told = Told::read(customers, &given.customer, Reader::Fit(&columns), given.on_invalid, run)?;
    at_origins(orders, Some(&told), options, run)
}

/// The forecast of one origin, and what came.
struct Forecast {
    at: i64,
    repeats: f64,
    model: Box<dyn Purchases>,
    actual: Vec<f64>,
    expected: f64,
    deviation: Option<f64>,
    errors: ForecastErrors,
}

fn at_origins(
    orders: &Columns,
    told: Option<&Told<'_>>,
    options: &BacktestOptions,
    run: &Run,
) -> Result<Tables> {
    let given = &options.summarize;
    let z = options.interval.map(interval_quantile).transpose()?;
    if given.calibration_end.is_some() || given.observation_end.is_some() {
        return Err(Error::option(
            "summarize",
            "calibration_end and observation_end follow from the origins",
        ));
    }
    if options.origins.is_empty() {
        return Err(Error::option("origins", "must be one moment or more, such as [\"2024-06-30\"]"));
    }
    let mut intake = Intake::new(orders, given.on_invalid, run);
    intake.int_unit(given.time_unit);
    let times = intake.times(&given.time)?;
    let kept = intake.finish()?;
    let last = (0..kept.len()).map(|i| times[kept.row(i)]).max().unwrap_or(i64::MIN);
    let fit = PurchaseOptions {
        k: options.k,
        penalty: options.penalty,
        covariates: options.covariates.clone(),
        ..PurchaseOptions::default()
    };
    let kind = format!("clv.{}", options.model);
    let mut found = Vec::new();
    for origin in &options.origins {
        let at = origin.micros("origins", given.time_unit)?;
        let end = options.horizon.after("horizon", given.period, at)?;
        if end > given.grain.after(last, 1) {
            return Err(Error::option(
                "origins",
                "an origin and its horizon end after the last order: take an earlier origin or a shorter horizon",
            ));
        }
        let how = SummarizeOptions {
            calibration_end: Some(origin.clone()),
            observation_end: Some(When::Micros(end)),
            log_intervals: given.log_intervals || kind == ParetoGggLaw::KIND,
            ..given.clone()
        };
        let rfm = summarize(orders, &how, run)?;
        let Some(holdout) = &rfm.holdout else { continue };
        let covariates = told.map_or(Ok(Vec::new()), |told| told.of(&rfm.customer, &given.customer))?;
        let rows = Rows::of(&rfm.slices(), covariates);
        let model = fit.fit_kind(&kind, &rfm.slices(), &rows.covariates, 0.0, run)?;
        let ahead = holdout.duration;
        let expected = each_law(&*model, &rows, run, |law, rows| expected_purchases(law, rows, ahead, run))?;
        let expected = expected.map(|e| *e);
        let deviation = match z {
            None => None,
            Some(_) => Some(Spread::coming(&*model, &rows, ahead, run)?.deviation(covariance(&*model))),
        };
        found.push(Forecast {
            at,
            repeats: sum(rfm.frequency.iter().copied()),
            errors: forecast_errors(&holdout.frequency, &expected)?,
            actual: holdout.frequency.clone(),
            expected: sum(expected),
            deviation,
            model,
        });
    }
    let column = |f: &dyn Fn(&Forecast) -> f64| Values::F64(found.iter().map(f).collect());
    let actual = |f: &Forecast| sum(f.actual.iter().copied());
    let mut table = Table::new()
        .with("origin", Values::Time(found.iter().map(|f| f.at).collect()))
        .with("customers", column(&|f| f.actual.len() as f64))
        .with("repeats", column(&|f| f.repeats))
        .with_optional("log_likelihood", found.iter().map(|f| f.model.estimates().log_likelihood))
        .with("actual", column(&actual))
        .with("expected", column(&|f| f.expected));
    if let Some(z) = z {
        let edge = |f: &Forecast, sign: f64| f.deviation.map(|d| (f.expected + sign * z * d).max(0.0));
        let edges: Vec<Edges> = found.iter().map(|f| [-1.0, 1.0].map(|sign| edge(f, sign))).collect();
        table = beside(table, "expected", &edges);
    }
    let relative = |f: &Forecast| (actual(f) > 0.0).then(|| f.errors.bias / actual(f));
    let verdicts = found.iter().map(|f| f.model.estimates().verdict.name());
    table = table
        .with("bias", column(&|f| f.errors.bias))
        .with_optional("relative_bias", found.iter().map(relative))
        .with("mae", column(&|f| f.errors.mae))
        .with("rmse", column(&|f| f.errors.rmse))
        .with("spearman", column(&|f| f.errors.spearman))
        .with("gini_normalised", column(&|f| f.errors.gini_normalised))
        .with("verdict", Values::Text(verdicts.collect::<Text>()));
    Ok(vec![("backtest", table)])
}
