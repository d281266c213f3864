//! What the fitted models foretell, in one way for all.

use serde::{Deserialize, Serialize};

use super::design::{Matrix, Reader, Terms, who};
use super::regression::finite;
use super::subjects::{Clock, check_horizons};
use crate::column::{Columns, Dropped, Intake, NULL, Names, OnInvalid, Sign, Table, Tables, Values};
use crate::math::{exp, ln};
use crate::{Error, Result, Run};

/// A fitted model of the time to an event.
pub(super) trait Forecast: Sync {
    fn terms(&self) -> &Terms;
    /// The coefficients of the terms; others may follow.
    fn slopes(&self) -> &[f64];
    /// The column of strata and its labels, where the model has them.
    fn strata(&self) -> Option<(&str, Vec<&str>)> {
        None
    }
    /// What the exponential of the predictor is called.
    fn factor(&self) -> &'static str;
    /// ln S(time) of a subject with this predictor; `None` beyond what the data tell.
    fn log_survival(&self, eta: f64, stratum: usize, time: f64) -> Option<f64>;
    /// The first time at which ln S is at `level`, which is negative, or below.
    fn reaches(&self, eta: f64, stratum: usize, level: f64) -> Option<f64>;
    /// Whether the model tells mean lifetimes.
    fn has_mean(&self) -> bool {
        false
    }
    /// The mean lifetime; `None` where there is none.
    fn mean(&self, _eta: f64) -> Option<f64> {
        None
    }
    /// What turns a part of the predictor into a part of the log-hazard.
    fn hazard_scale(&self) -> f64;
    /// The columns of durations, events and weights of the fit.
    fn roles(&self) -> (&str, &str, Option<&str>);
    fn clock(&self) -> Clock {
        Clock::Continuous
    }
}

/// Roles and options of predictions.
///
/// Tables:
/// - `predictions`: customer (or row), the exponential of the predictor
///   (`partial_hazard`, `odds_ratio`, `hazard_ratio`, or `time_ratio` of accelerated failure
///   times; 1 for the mean subject), median (time until half of such subjects have had the
///   event), and mean for accelerated failure times. What the data do not tell is missing.
/// - `survival`: customer (or row), horizon, survival, churn (its complement): for each horizon.
/// - `dropped`.
///
/// With `age` all of it counts from that age on, given that the subject has come so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictOptions {
    /// Column of customers; rows are numbered without it.
    pub customer: Option<String>,
    /// Column of how long each has been observed until now. None by default: from the beginning.
    pub age: Option<String>,
    /// Times ahead at which survival is told, in the unit of the durations.
    pub horizons: Vec<f64>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

/// Rows as the model sees them.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) customer: Option<Names>,
    /// The row of the frame.
    pub(super) row: Vec<i64>,
    pub(super) age: Option<Vec<f64>>,
    pub(super) event: Option<Vec<bool>>,
    pub(super) stratum: Vec<u32>,
    pub(super) matrix: Matrix,
    pub(super) eta: Vec<f64>,
    pub(super) dropped: Dropped,
}

/// Which columns rows are read from, beside the model's own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) customer: Option<&'a str>,
    pub(super) age: Option<&'a str>,
    pub(super) event: Option<&'a str>,
}

impl Seen {
    pub(super) fn read(
        model: &dyn Forecast,
        frame: &Columns,
        wanted: Wanted<'_>,
        on_invalid: OnInvalid,
        run: &Run,
    ) -> Result<Self> {
        let mut intake = Intake::new(frame, on_invalid, run);
        let customer = wanted.customer.map(|c| intake.names(c)).transpose()?;
        let age = wanted.age.map(|c| intake.amounts(c, Sign::NonNegative)).transpose()?;
        if let (Some(age), Some(name), Clock::Periods) = (&age, wanted.age, model.clock()) {
            let broken = (0..age.len()).filter(|i| age[*i] >= 0.0 && age[*i].fract() != 0.0);
            intake.reject(name, "the age is not a whole number of periods", broken);
        }
        let event = wanted.event.map(|c| intake.flags(c)).transpose()?;
        let strata = model.strata();
        let names = match &strata {
            None => None,
            Some((column, labels)) => {
                let mut names = intake.names(column)?;
                let place: Vec<u32> = (0..names.labels.len() as u32)
                    .map(|c| {
                        let label = names.labels.get(c);
                        labels.iter().position(|l| *l == label).map_or(NULL, |at| at as u32)
                    })
                    .collect();
                let strange = |i: &usize| place.get(names.codes[*i] as usize).is_some_and(|c| *c == NULL);
                let rows: Vec<usize> = (0..names.codes.len()).filter(strange).collect();
                intake.reject(column, "the stratum is not one that the model was fitted on", rows);
                for code in &mut names.codes {
                    *code = place.get(*code as usize).copied().unwrap_or(NULL);
                }
                Some(names)
            }
        };
        let given = Reader::Model(model.terms()).read(&mut intake)?;
        let kept = intake.finish()?;
        let given: Vec<_> = given.into_iter().map(|g| g.cut(&kept)).collect();
        let matrix = model.terms().matrix(&given, kept.len());
        let eta = model.terms().predictors(&matrix, model.slopes());
        Ok(Self {
            customer: customer.map(|c| kept.names(c)),
            row: (0..kept.len()).map(|i| kept.row(i) as i64).collect(),
            age: age.map(|a| kept.values(a).into_owned()),
            event: event.map(|e| kept.values(e).into_owned()),
            stratum: names.map_or_else(|| vec![0; kept.len()], |n| kept.names(n).codes),
            eta,
            matrix,
            dropped: kept.into_dropped(),
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.row.len()
    }

    /// The customers, or the numbers of rows, of these places.
    pub(super) fn who(&self, table: Table, places: &[usize]) -> Table {
        who(table, self.customer.as_ref(), &self.row, places)
    }

    /// P(no event within `horizon` from now on) of one row.
    pub(super) fn survival(&self, model: &dyn Forecast, i: usize, horizon: f64) -> Option<f64> {
        let (eta, stratum) = (self.eta[i], self.stratum[i] as usize);
        let Some(age) = self.age.as_ref().map(|a| a[i]) else {
            return model.log_survival(eta, stratum, horizon).map(exp);
        };
        let now = model.log_survival(eta, stratum, age)?;
        let then = model.log_survival(eta, stratum, age + horizon)?;
        // Nobody comes to an age that the model says nobody reaches.
        now.is_finite().then(|| exp((then - now).min(0.0)))
    }
}

pub(super) fn predict(
    model: &dyn Forecast,
    frame: &Columns,
    options: &PredictOptions,
    run: &Run,
) -> Result<Tables> {
    check_horizons("horizons", &options.horizons)?;
    if model.clock() == Clock::Periods && options.horizons.iter().any(|h| h.fract() != 0.0) {
        return Err(Error::option("horizons", "must be whole numbers of periods"));
    }
    let wanted = Wanted { customer: options.customer.as_deref(), age: options.age.as_deref(), event: None };
    let seen = Seen::read(model, frame, wanted, options.on_invalid, run)?;
    let n = seen.rows();
    let columns = options.horizons.len();
    let parts = run.map_chunks("predict", n, |rows| {
        let mut survival = Vec::with_capacity(rows.len() * columns);
        let mut medians = Vec::with_capacity(rows.len());
        for i in rows {
            for horizon in &options.horizons {
                survival.push(seen.survival(model, i, *horizon));
            }
            let age = seen.age.as_ref().map_or(0.0, |a| a[i]);
            let (eta, stratum) = (seen.eta[i], seen.stratum[i] as usize);
            let now = if age > 0.0 { model.log_survival(eta, stratum, age) } else { Some(0.0) };
            let median = now
                .filter(|now| now.is_finite())
                .and_then(|now| model.reaches(eta, stratum, now - ln(2.0)))
                .map(|time| (time - age).max(0.0));
            medians.push(median.and_then(finite));
        }
        Ok((survival, medians))
    })?;
    let everyone: Vec<usize> = (0..n).collect();
    let mut predictions = seen
        .who(Table::new(), &everyone)
        .with_optional(model.factor(), seen.eta.iter().map(|e| finite(exp(*e))))
        .with_optional("median", parts.iter().flat_map(|p| p.1.iter().copied()));
    if options.age.is_none() && model.has_mean() {
        let mean = |e: &f64| model.mean(*e).and_then(finite);
        predictions = predictions.with_optional("mean", seen.eta.iter().map(mean));
    }
    let spread: Vec<usize> = everyone.iter().flat_map(|i| std::iter::repeat_n(*i, columns)).collect();
    let survival = || parts.iter().flat_map(|p| p.0.iter().copied());
    let curve = seen
        .who(Table::new(), &spread)
        .with(
            "horizon",
            Values::F64(everyone.iter().flat_map(|_| options.horizons.iter().copied()).collect()),
        )
        .with_optional("survival", survival())
        .with_optional("churn", survival().map(|s| s.map(|s| 1.0 - s)));
    Ok(vec![("predictions", predictions), ("survival", curve), ("dropped", seen.dropped.table())])
}
