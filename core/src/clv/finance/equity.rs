//! Customer equity: what present and future customers are worth together.

use serde::{Deserialize, Serialize};

use super::rate::Rate;
use super::{finite, given, number};
use crate::column::{Columns, Duration, Intake, Kept, OnInvalid, Sign, Table, Tables, Values};
use crate::math::{exact_sum, exp, ln_1p};
use crate::{Error, Result, Run};

/// A cohort that is yet to come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FutureCohort {
    /// How long from now it is acquired; from text also a number of `months`, `quarters` or `years`.
    #[serde(deserialize_with = "super::rate::long")]
    pub after: Duration,
    /// How many customers it brings.
    pub customers: f64,
    /// Lifetime value of one of them, as of the day of acquisition, before its cost.
    pub value: f64,
    /// What acquiring one of them costs.
    pub acquisition_cost: f64,
}

/// Roles and options of [`customer_equity`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EquityOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of residual lifetime values as of today.
    pub value: String,
    /// Column of profit so far, for profit contributions; none by default.
    pub profit: Option<String>,
    /// Column of the chance to be a customer still, for loyalty weights; none by default.
    pub p_active: Option<String>,
    /// Column of ages so far, for life-cycle weights; none by default.
    pub age: Option<String>,
    /// Column of expected remaining lifetimes, in the unit of `age`, for
    /// life-cycle weights; none by default.
    pub remaining: Option<String>,
    /// Cohorts yet to come; none by default.
    pub future: Vec<FutureCohort>,
    /// Discount rate for them, such as `{"rate": 0.1, "per": "365d"}`; needed where there are any.
    pub discount: Option<Rate>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for EquityOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            value: "value".to_owned(),
            profit: None,
            p_active: None,
            age: None,
            remaining: None,
            future: Vec::new(),
            discount: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Values as shares of their total, which must be positive for shares to mean anything.
fn shares(values: &[f64]) -> Vec<Option<f64>> {
    let total = exact_sum(values.iter().copied());
    values.iter().map(|v| (total > 0.0 && total.is_finite()).then(|| v / total)).collect()
}

/// What all customers are worth: those of the frame by their residual values,
/// those to come by Σ size · (value − cost) / (1 + d)^(after / per).
///
/// Tables: `equity` (one row: customers, current, future_customers, future,
/// total, future_share), `customers` (customer, value, equity_share, and where
/// the columns are named):
///
/// - `profit_contribution` = profit_i / Σ_j profit_j, the share in the profit so far;
/// - `loyalty_weight` = p_i / Σ_j p_j, the share in the customers who are expected to be active;
/// - `life_cycle_weight` = remaining_i / (age_i + remaining_i), the part of the
///   whole expected life that is still to come: 1 for a new customer, and
///   towards 0 with age;
///
/// `future` (after_days, customers, net_value, discounted) and `dropped`.
/// Shares of a total that is not positive are missing.
pub fn customer_equity(frame: &Columns, options: &EquityOptions, run: &Run) -> Result<Tables> {
    let rate = match options.discount {
        Some(rate) => {
            rate.check("discount")?;
            Some(rate)
        }
        None if options.future.is_empty() => None,
        None => Some(given(options.discount, "discount", "{\"rate\": 0.1, \"per\": \"365d\"}")?),
    };
    if options.age.is_some() != options.remaining.is_some() {
        let missing = if options.age.is_some() { "remaining" } else { "age" };
        return Err(Error::option(missing, "is needed too: a life-cycle weight is made of both columns"));
    }
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let customer = intake.names(&options.customer)?;
    let value = intake.amounts(&options.value, Sign::Any)?;
    let mut read =
        |column: &Option<String>, sign: Sign| column.as_deref().map(|c| intake.amounts(c, sign)).transpose();
    let profit = read(&options.profit, Sign::Any)?;
    let p_active = read(&options.p_active, Sign::NonNegative)?;
    let age = read(&options.age, Sign::NonNegative)?;
    let remaining = read(&options.remaining, Sign::NonNegative)?;
    if let (Some(column), Some(p)) = (&options.p_active, &p_active) {
        intake.reject(
            column,
            "is above 1, and a chance is not",
            (0..p.len()).filter(|i| p[*i] > 1.0 && p[*i].is_finite()),
        );
    }
    let kept = intake.finish()?;
    let [profit, p_active, age, remaining] =
        [profit, p_active, age, remaining].map(|c| c.map(|c| kept.values(c)));
    let value = kept.values(value);
    let current = number("value", exact_sum(value.iter().copied()))?;

    let mut cohorts = Vec::new();
    for cohort in &options.future {
        for (name, v) in [
            ("customers", cohort.customers),
            ("value", cohort.value),
            ("acquisition_cost", cohort.acquisition_cost),
        ] {
            if !v.is_finite() || (name != "value" && v < 0.0) {
                return Err(Error::option(
                    "future",
                    format!("`{name}` of a cohort must be a finite number from 0"),
                ));
            }
        }
        let net = finite("future", cohort.customers * (cohort.value - cohort.acquisition_cost))?;
        let factor = rate.map_or(1.0, |r| exp(-ln_1p(r.rate) * spans(cohort.after, r)));
        cohorts.push((cohort, net, net * factor));
    }
    let future = number("future", exact_sum(cohorts.iter().map(|c| c.2)))?;
    let newcomers = exact_sum(cohorts.iter().map(|c| c.0.customers));
    let total = current + future;
    let one = |v: f64| Values::F64(vec![v]);
    let equity = Table::new()
        .with("customers", Values::I64(vec![kept.len() as i64]))
        .with("current", one(current))
        .with("future_customers", one(newcomers))
        .with("future", one(future))
        .with("total", one(total))
        .with_optional("future_share", [(total > 0.0).then(|| future / total)]);

    let mut customers = Table::new()
        .with("customer", Values::Names(kept.names(customer)))
        .with("value", Values::F64(value.to_vec()))
        .with_optional("equity_share", shares(&value));
    if let Some(profit) = &profit {
        customers = customers.with_optional("profit_contribution", shares(profit));
    }
    if let Some(p) = &p_active {
        customers = customers.with_optional("loyalty_weight", shares(p));
    }
    if let (Some(age), Some(remaining)) = (&age, &remaining) {
        let weight = age.iter().zip(remaining.iter()).map(|(a, r)| (a + r > 0.0).then(|| r / (a + r)));
        customers = customers.with_optional("life_cycle_weight", weight);
    }
    let cohort = |f: fn(&(&FutureCohort, f64, f64)) -> f64| Values::F64(cohorts.iter().map(f).collect());
    let future = Table::new()
        .with("after_days", cohort(|c| c.0.after.days()))
        .with("customers", cohort(|c| c.0.customers))
        .with("net_value", cohort(|c| c.1))
        .with("discounted", cohort(|c| c.2));
    Ok(vec![
        ("equity", equity),
        ("customers", customers),
        ("future", future),
        ("dropped", Kept::into_dropped(kept).table()),
    ])
}

fn spans(after: Duration, rate: Rate) -> f64 {
    after.micros() as f64 / rate.per.micros() as f64
}
