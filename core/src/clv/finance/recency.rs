//! Recency states and their transitions, estimated from orders.

use serde::{Deserialize, Serialize};

use super::calendar::Period;
use super::markov::{MarkovChain, check_horizon, values_table};
use super::rate::Rate;
use super::triangle::{OrderOptions, PurchaseLog};
use super::{finite, given};
use crate::clv::summarize::{Refunds, When};
use crate::column::{Columns, OnInvalid, Table, Tables, Text, TimeUnit, Values};
use crate::math::ExactSum;
use crate::{Error, Result, Run};

/// Roles and options of [`markov_from_orders`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecencyOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of times.
    pub time: String,
    /// Column of amounts.
    pub value: String,
    /// The step of the chain: `"month"` (the default), `"quarter"`, `"year"`,
    /// `"week"`, or a span of days such as `"30d"`.
    pub period: Period,
    /// How many periods without a purchase a customer is kept: states recency_1
    /// (bought in the period) to recency_n, and then lost. Default 4.
    pub states: u32,
    /// Share of an amount that is margin; 1 by default.
    pub margin: f64,
    /// What keeping up with a customer costs per period, until lost; 0 by default.
    pub contact_cost: f64,
    /// Discount rate, such as `{"rate": 0.1, "per": "365d"}`; needed, if only to say 0.
    pub discount: Option<Rate>,
    /// The last period in which rewards count, from 0; without end by default.
    pub horizon: Option<u32>,
    /// The last day observed, wholly; the day of the last order by default.
    pub observation_end: Option<When>,
    /// What becomes of negative amounts.
    pub refunds: Refunds,
    /// The unit of times that are plain numbers.
    pub time_unit: Option<TimeUnit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for RecencyOptions {
    fn default() -> Self {
        let OrderOptions { customer, time, value, period, margin, refunds, on_invalid, .. } =
            OrderOptions::default();
        Self {
            customer,
            time,
            value,
            period,
            states: 4,
            margin,
            contact_cost: 0.0,
            discount: None,
            horizon: None,
            observation_end: None,
            refunds,
            time_unit: None,
            on_invalid,
        }
    }
}

/// Values customers by recency, with transitions estimated from orders.
///
/// A customer enters recency_1 with the first purchase, returns to it with
/// every period of a purchase, moves one state further with every period
/// without, and after recency_n is lost for good; a purchase after that begins a
/// new relationship and is counted in `returned`. Periods that are not over
/// say nothing. The reward of recency_1 is the mean margin of periods with a
/// purchase less `contact_cost`, of the other states −`contact_cost`, of lost 0.
///
/// Tables: `markov_value` (state, reward, value, value_with_stop, keep),
/// `transitions` (from, to, count, probability, standard_error = √(p (1 − p) / n)),
/// `accounting` and `dropped`.
///
/// Errors: [`Error::NotEnoughData`] where a state was never observed to be left.
pub fn markov_from_orders(orders: &Columns, options: &RecencyOptions, run: &Run) -> Result<Tables> {
    let discount = given(options.discount, "discount", "{\"rate\": 0.1, \"per\": \"365d\"}")?;
    discount.check("discount")?;
    check_horizon(options.horizon)?;
    finite("contact_cost", options.contact_cost)?;
    if !(1..=1000).contains(&options.states) {
        return Err(Error::option("states", "must be a whole number from 1 to 1000"));
    }
    let log = PurchaseLog::read(
        orders,
        &OrderOptions {
            customer: options.customer.clone(),
            time: options.time.clone(),
            value: options.value.clone(),
            period: options.period,
            margin: options.margin,
            observation_end: options.observation_end.clone(),
            keep_incomplete: None,
            refunds: options.refunds,
            time_unit: options.time_unit,
            on_invalid: options.on_invalid,
        },
        run,
    )?;
    let period = options.period;
    let n = options.states as usize;
    // The last period that is over.
    let last = period.of_day(log.end + 1) - 1;
    let mut bought = vec![0_u64; n];
    let mut lapsed = vec![0_u64; n];
    let (mut periods, mut returned) = (0_u64, 0_u64);
    let mut revenue = ExactSum::new();
    let accounts = log.for_each(run, |purchases| {
        let mut before: Option<i64> = None;
        for same in purchases.chunk_by(|a, b| period.of_day(a.0) == period.of_day(b.0)) {
            let now = period.of_day(same[0].0);
            if now > last {
                break;
            }
            periods += 1;
            same.iter().for_each(|(_, value)| revenue.add(*value));
            if let Some(before) = before {
                let gap = (now - before) as u64;
                (0..(gap - 1).min(n as u64)).for_each(|state| lapsed[state as usize] += 1);
                if gap <= n as u64 {
                    bought[gap as usize - 1] += 1;
                } else {
                    returned += 1;
                }
            }
            before = Some(now);
        }
        if let Some(before) = before {
            (0..((last - before) as u64).min(n as u64)).for_each(|state| lapsed[state as usize] += 1);
        }
    })?;
    let label = |state: usize| if state == n { "lost".to_owned() } else { format!("recency_{}", state + 1) };
    if let Some(state) = (0..n).find(|s| bought[*s] + lapsed[*s] == 0) {
        return Err(Error::not_enough_data(format!(
            "no customer was observed to leave the state {}: take fewer states, shorter periods, or observe for longer",
            label(state)
        )));
    }
    let mut edges = Vec::new();
    let [mut from, mut to] = [const { Vec::new() }; 2];
    let (mut count, mut probability, mut error) = (Vec::new(), Vec::new(), Vec::new());
    for state in 0..n {
        let total = (bought[state] + lapsed[state]) as f64;
        for (target, seen) in [(0, bought[state]), (state + 1, lapsed[state])] {
            let p = seen as f64 / total;
            edges.push((state, target, p));
            from.push(label(state));
            to.push(label(target));
            count.push(seen as i64);
            probability.push(p);
            error.push((p * (1.0 - p) / total).sqrt());
        }
    }
    edges.push((n, n, 1.0));
    let mut rewards = vec![-options.contact_cost; n + 1];
    rewards[0] += options.margin * revenue.value() / periods as f64;
    rewards[n] = 0.0;
    let labels: Vec<String> = (0..=n).map(label).collect();
    let chain = MarkovChain::new(n + 1, &edges)?;
    let values =
        values_table(&chain, &labels, &rewards, discount.over(period.length()), options.horizon, run)?;
    let transitions = Table::new()
        .with("from", Values::Text(from.iter().collect::<Text>()))
        .with("to", Values::Text(to.iter().collect::<Text>()))
        .with("count", Values::I64(count))
        .with("probability", Values::F64(probability))
        .with("standard_error", Values::F64(error));
    let accounting = accounts.table().with("returned", Values::I64(vec![returned as i64]));
    Ok(vec![
        ("markov_value", values),
        ("transitions", transitions),
        ("accounting", accounting),
        ("dropped", log.dropped().table()),
    ])
}
