//! Who is about to leave, and why.

use serde::{Deserialize, Serialize};

use super::forecast::{Forecast, Seen, Wanted};
use super::subjects::{Clock, check_horizons};
use crate::column::{Columns, OnInvalid, Table, Tables, Text, Values};
use crate::math::exp;
use crate::{Error, Result, Run};

/// Roles and options of the early warning.
///
/// Tables:
/// - `customers`, the likeliest to leave first: customer (or row), age, probability (of
///   leaving within `horizon`, given that the customer is still here), hazard_ratio (beside the
///   average customer), reasons (in words).
/// - `reasons`: customer (or row), reason (1 for the strongest), covariate, value,
///   contribution (to the log-hazard, relative to the average customer of the fit), factor (its
///   exponential). Covariates that lower the hazard are no reasons.
/// - `unknown`: customers (how many are not listed because the model cannot
///   tell: their age and the horizon lie beyond what was observed).
/// - `dropped`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WarningOptions {
    /// Column of customers; rows are numbered without it. None by default.
    pub customer: Option<String>,
    /// Column of how long each has been a customer until now. Default `"duration"`.
    pub age: String,
    /// Column of flags of those who have left, who are not listed. None by default: all are still here.
    pub event: Option<String>,
    /// How far to look ahead, in the unit of the durations. Default 1.
    pub horizon: f64,
    /// How many customers to list. Default 100.
    pub top: usize,
    /// How many reasons to give for each. Default 3.
    pub reasons: usize,
    /// Customers less likely to leave than this are not listed. Default 0.
    pub threshold: f64,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for WarningOptions {
    fn default() -> Self {
        Self {
            customer: None,
            age: "duration".to_owned(),
            event: None,
            horizon: 1.0,
            top: 100,
            reasons: 3,
            threshold: 0.0,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// See [`WarningOptions`].
pub(super) fn early_warning(
    model: &dyn Forecast,
    frame: &Columns,
    options: &WarningOptions,
    run: &Run,
) -> Result<Tables> {
    check_horizons("horizon", &[options.horizon])?;
    if options.horizon == 0.0 || (model.clock() == Clock::Periods && options.horizon.fract() != 0.0) {
        return Err(Error::option(
            "horizon",
            "must be more than 0, and a whole number for models of periods",
        ));
    }
    if !(0.0..=1.0).contains(&options.threshold) {
        return Err(Error::option("threshold", "must be a probability from 0 to 1"));
    }
    let wanted = Wanted {
        customer: options.customer.as_deref(),
        age: Some(&options.age),
        event: options.event.as_deref(),
    };
    let seen = Seen::read(model, frame, wanted, options.on_invalid, run)?;
    let parts = run.map_chunks("early warning", seen.rows(), |rows| {
        let left = |i: usize| seen.event.as_ref().is_some_and(|e| e[i]);
        let mut unknown = 0_i64;
        let mut found = Vec::new();
        for i in rows.filter(|i| !left(*i)) {
            match seen.survival(model, i, options.horizon) {
                Some(survival) if 1.0 - survival >= options.threshold => found.push((1.0 - survival, i)),
                Some(_) => {}
                None => unknown += 1,
            }
        }
        Ok((found, unknown))
    })?;
    let unknown: i64 = parts.iter().map(|p| p.1).sum();
    let mut listed: Vec<(f64, usize)> = parts.into_iter().flat_map(|p| p.0).collect();
    let name = |i: usize| seen.customer.as_ref().and_then(|c| c.get(i));
    // Of equal ones the one with the greater hazard, then by name: nothing hangs on the order of rows.
    listed.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then_with(|| seen.eta[b.1].total_cmp(&seen.eta[a.1]))
            .then_with(|| name(a.1).cmp(&name(b.1)))
            .then(a.1.cmp(&b.1))
    });
    listed.truncate(options.top);
    let places: Vec<usize> = listed.iter().map(|l| l.1).collect();

    let scale = model.hazard_scale();
    let mut words = Text::new();
    let (mut whose, mut rank, mut size) = (Vec::new(), Vec::new(), Vec::new());
    let (mut covariates, mut values) = (Text::new(), Text::new());
    let terms = model.terms();
    for i in &places {
        let row = seen.matrix.row(*i);
        let mut parts: Vec<(usize, f64)> =
            terms.contributions(row, model.slopes()).iter().map(|c| c * scale).enumerate().collect();
        parts.retain(|p| p.1 > 0.0);
        parts.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        parts.truncate(options.reasons);
        let mut text = Vec::with_capacity(parts.len());
        for (place, (covariate, contribution)) in parts.iter().enumerate() {
            let name = terms.covariates().get(*covariate).map_or("", |c| c.name());
            let value = terms.shown(*covariate, row);
            text.push(format!("{name} = {value} (×{:.2})", exp(*contribution)));
            whose.push(*i);
            rank.push(place as i64 + 1);
            covariates.push(name);
            values.push(&value);
            size.push(*contribution);
        }
        words.push(&text.join("; "));
    }
    let age = |i: &usize| seen.age.as_ref().map_or(0.0, |a| a[*i]);
    let customers = seen
        .who(Table::new(), &places)
        .with("age", Values::F64(places.iter().map(age).collect()))
        .with("probability", Values::F64(listed.iter().map(|l| l.0).collect()))
        .with_optional(
            "hazard_ratio",
            places.iter().map(|i| super::regression::finite(exp(scale * seen.eta[*i]))),
        )
        .with("reasons", Values::Text(words));
    let reasons = seen
        .who(Table::new(), &whose)
        .with("reason", Values::I64(rank))
        .with("covariate", Values::Text(covariates))
        .with("value", Values::Text(values))
        .with("contribution", Values::F64(size.clone()))
        .with_optional("factor", size.iter().map(|c| super::regression::finite(exp(*c))));
    let unknown = Table::new().with("customers", Values::I64(vec![unknown]));
    Ok(vec![
        ("customers", customers),
        ("reasons", reasons),
        ("unknown", unknown),
        ("dropped", seen.dropped.table()),
    ])
}
