//! Recency, frequency and monetary value of each customer.

use serde::{Deserialize, Serialize};

use crate::column::DAY;
use crate::run::CHUNK;
use crate::{Error, Result, Run};

/// What counts as frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrequencyBy {
    /// Orders.
    #[default]
    Orders,
    /// Distinct days (UTC) with an order.
    Days,
}

/// What counts as monetary value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonetaryBy {
    /// The sum of a customer's amounts.
    #[default]
    Sum,
    /// That sum divided by the number of orders.
    Mean,
}

/// What to do with negative amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refunds {
    /// They are invalid: an error, or dropped and counted with `on_invalid="drop"`.
    #[default]
    Invalid,
    /// They lower the monetary value, but are no orders: they neither count nor refresh recency.
    Net,
    /// They are orders like any other.
    Keep,
    /// They are left out, and counted in `refunds_ignored`.
    Ignore,
}

/// How [`aggregate`] works.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spec {
    /// The instant to look back from, in microseconds; a day after the last row by default.
    pub snapshot: Option<i64>,
    /// What counts as frequency.
    pub frequency: FrequencyBy,
    /// What counts as monetary value.
    pub monetary: MonetaryBy,
    /// What to do with negative amounts.
    pub refunds: Refunds,
}

/// One entry for each customer with an order, in the order of the codes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// The customer's code.
    pub customer: Vec<u32>,
    /// Whole days from the last order to the snapshot.
    pub recency: Vec<i64>,
    /// Orders, or distinct days with an order.
    pub frequency: Vec<i64>,
    /// Sum or mean of the amounts.
    pub monetary: Vec<f64>,
    /// The snapshot in force, in microseconds.
    pub snapshot: i64,
    /// Rows after the snapshot, which are not seen.
    pub after_snapshot: u64,
    /// Refunds left out by [`Refunds::Ignore`].
    pub refunds_ignored: u64,
    /// Customers with refunds but no order, who are not scored.
    pub only_refunds: u64,
}

/// Rows looked over together.
const BLOCK: usize = 1024;

/// Kept to 16 bytes: what a row costs is the way to its customer.
#[derive(Clone, Copy)]
struct Stat {
    sum: f64,
    /// Whole days from the last order to the snapshot.
    days: u32,
    orders: u32,
}

/// Adds up the orders of each customer.
///
/// `customer` holds codes below `customers`, `time` microseconds; one entry a
/// row in each. A customer's amounts are added in the order of the rows.
///
/// # Errors
/// `Option` where the columns differ in length or a code is out of range;
/// `Row` for an amount that is not finite, or negative with [`Refunds::Invalid`].
pub fn aggregate(
    customer: &[u32],
    time: &[i64],
    value: &[f64],
    customers: usize,
    spec: &Spec,
    run: &Run,
) -> Result<Features> {
    let rows = customer.len();
    if time.len() != rows || value.len() != rows {
        return Err(Error::option("orders", "customer, time and value must have the same length"));
    }
    let snapshot = spec
        .snapshot
        .unwrap_or_else(|| time.iter().copied().max().map_or(0, |last| last.saturating_add(DAY)));
    let mut stats = vec![Stat { sum: 0.0, days: u32::MAX, orders: 0 }; customers];
    let mut refunded: Vec<bool> = Vec::new();
    let (mut after_snapshot, mut refunds_ignored) = (0, 0);
    run.stage("recency, frequency, value", rows as u64)?;
    let beyond = |row: usize| Error::option("customer", format!("row {row} holds a code beyond the labels"));
    // Times in microseconds span fewer days than 32 bits count.
    let days_ago = |at: i64| (snapshot.saturating_sub(at) / DAY) as u32;
    let mut days = [0_u32; BLOCK];
    for from in (0..rows).step_by(BLOCK) {
        if from % CHUNK == 0 {
            run.advance(CHUNK.min(rows - from) as u64)?;
        }
        let to = rows.min(from + BLOCK);
        let (codes, times, values) = (&customer[from..to], &time[from..to], &value[from..to]);
        let ordinary = values.iter().fold(true, |all, v| all & (0.0..=f64::MAX).contains(v))
            & times.iter().fold(true, |all, at| all & (*at <= snapshot));
        if ordinary {
            for (days, at) in days.iter_mut().zip(times) {
                *days = days_ago(*at);
            }
            // So short that the ways to many customers are under way at once.
            for (row, ((code, days), amount)) in codes.iter().zip(&days).zip(values).enumerate() {
                let Some(stat) = stats.get_mut(*code as usize) else { return Err(beyond(from + row)) };
                stat.days = stat.days.min(*days);
                stat.sum += amount;
                stat.orders += 1;
            }
            continue;
        }
        for (row, ((code, at), amount)) in codes.iter().zip(times).zip(values).enumerate() {
            let (at, amount, row) = (*at, *amount, from + row);
            let Some(stat) = stats.get_mut(*code as usize) else { return Err(beyond(row)) };
            if !amount.is_finite() || (amount < 0.0 && spec.refunds == Refunds::Invalid) {
                let count = value.iter().filter(|v| !(v.is_finite() && **v >= 0.0)).count() as u64;
                let reason = format!("{amount} is not an amount; see the option `refunds` for negative ones");
                return Err(Error::Row { column: "value".into(), row: row as u64, reason, count });
            }
            if at > snapshot {
                after_snapshot += 1;
                continue;
            }
            if amount < 0.0 && spec.refunds != Refunds::Keep {
                refunded.resize(customers, false);
                refunded[*code as usize] = true;
                if spec.refunds == Refunds::Net {
                    stat.sum += amount;
                } else {
                    refunds_ignored += 1;
                }
                continue;
            }
            stat.days = stat.days.min(days_ago(at));
            stat.sum += amount;
            stat.orders += 1;
        }
    }

    let mut out = Features { snapshot, after_snapshot, refunds_ignored, ..Features::default() };
    out.only_refunds = stats.iter().zip(&refunded).filter(|(s, r)| s.orders == 0 && **r).count() as u64;
    for (code, stat) in stats.iter().enumerate().filter(|(_, s)| s.orders > 0) {
        out.customer.push(code as u32);
        out.recency.push(i64::from(stat.days));
        out.frequency.push(i64::from(stat.orders));
        out.monetary.push(match spec.monetary {
            MonetaryBy::Sum => stat.sum,
            MonetaryBy::Mean => stat.sum / f64::from(stat.orders),
        });
    }
    if spec.frequency == FrequencyBy::Days {
        let days = distinct_days(customer, time, value, customers, snapshot, spec.refunds, run)?;
        out.frequency = out.customer.iter().map(|c| days[*c as usize]).collect();
    }
    Ok(out)
}

fn distinct_days(
    customer: &[u32],
    time: &[i64],
    value: &[f64],
    customers: usize,
    snapshot: i64,
    refunds: Refunds,
    run: &Run,
) -> Result<Vec<i64>> {
    use rayon::slice::ParallelSliceMut;
    let mut visits: Vec<(u32, i32)> = (0..customer.len())
        .filter(|row| time[*row] <= snapshot && (value[*row] >= 0.0 || refunds == Refunds::Keep))
        // Days since 1970 fit 32 bits for every time in microseconds.
        .map(|row| (customer[row], time[row].div_euclid(DAY) as i32))
        .collect();
    run.check()?;
    run.install(|| visits.par_sort_unstable());
    run.check()?;
    visits.dedup();
    let mut days = vec![0; customers];
    for (code, _) in visits {
        days[code as usize] += 1;
    }
    Ok(days)
}
