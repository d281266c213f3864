//! Journeys from sorted touches and conversions.

use rayon::prelude::*;

use super::Journeys;
use super::options::{AtConversion, EventOptions, Open, SharedTouch, Ties};
use super::sort::{Buckets, Row, deal, shape};
use crate::column::{Duration, NULL};
use crate::math::ExactSum;
use crate::run::{CHUNK, Run};
use crate::{Error, Result};

/// Touches as columns of equal length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Touches<'a> {
    /// Dense customer codes, shared with the conversions.
    pub customer: &'a [u32],
    /// Microseconds since the epoch.
    pub time: &'a [i64],
    /// Dense channel codes. With [`Ties::Channel`] their order is the order of
    /// touches at the same time.
    pub channel: &'a [u32],
    /// What each touch cost; finite.
    pub cost: Option<&'a [f64]>,
}

/// Conversions as columns of equal length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conversions<'a> {
    /// Dense customer codes, shared with the touches.
    pub customer: &'a [u32],
    /// Microseconds since the epoch.
    pub time: &'a [i64],
    /// What each conversion is worth; finite.
    pub value: Option<&'a [f64]>,
}

/// The policies of [`Journeys::build`]; see [`EventOptions`] for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policies {
    /// How far a conversion looks back. Default 30 days.
    pub lookback: Duration,
    /// Touches at the same time.
    pub ties: Ties,
    /// A touch at the instant of the conversion.
    pub at_conversion: AtConversion,
    /// A touch that could serve several conversions.
    pub shared_touch: SharedTouch,
    /// Touches that led to no conversion.
    pub open: Open,
    /// The end of observation in microseconds; the latest time when `None`.
    pub observation_end: Option<i64>,
}

impl Default for Policies {
    fn default() -> Self {
        (&EventOptions::default()).into()
    }
}

impl From<&EventOptions> for Policies {
    fn from(o: &EventOptions) -> Self {
        Self {
            lookback: o.lookback,
            ties: o.ties,
            at_conversion: o.at_conversion,
            shared_touch: o.shared_touch,
            open: o.open,
            observation_end: o.observation_end.map(|m| m.0),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Touch {
    time: i64,
    customer: u32,
    channel: u32,
}

#[derive(Clone, Copy, Default)]
struct Conversion {
    time: i64,
    value: f64,
    customer: u32,
}

impl Row for Touch {
    fn customer(&self) -> u32 {
        self.customer
    }
}

impl Row for Conversion {
    fn customer(&self) -> u32 {
        self.customer
    }
}

/// The journeys of one bucket of customers.
#[derive(Default)]
struct Built {
    start: Vec<u32>,
    len: Vec<u32>,
    value: Vec<f64>,
    customer: Vec<u32>,
    end: Vec<i64>,
    converted: Vec<bool>,
}

impl Journeys {
    /// Builds journeys from codes.
    ///
    /// Codes must be dense (below a small multiple of the number of rows).
    /// Conversions of one customer at the same time are taken by descending
    /// value. Time `O(n)` for rows in time order within their customers, else
    /// `O(n log n)`; memory 28 bytes a touch and 37 a journey at the peak.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::journey::{Conversions, Journeys, Policies, Touches};
    ///
    /// let touches = Touches { customer: &[0, 0], time: &[10, 20], channel: &[1, 0], cost: None };
    /// let orders = Conversions { customer: &[0], time: &[20], value: None };
    /// let journeys = Journeys::build(&touches, &orders, &Policies::default(), &Run::new())?;
    /// assert_eq!(journeys.path(0), [1, 0]);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn build(
        touches: &Touches<'_>,
        conversions: &Conversions<'_>,
        policies: &Policies,
        run: &Run,
    ) -> Result<Self> {
        let customers = check_codes(touches, conversions)?;
        let n = touches.customer.len();
        let m = conversions.customer.len();
        let latest = touches.time.iter().chain(conversions.time).copied().max();
        let end = policies.observation_end.or(latest).unwrap_or(i64::MAX);

        let dealt = deal(
            "sort touches",
            n,
            customers,
            |i| {
                let row = Touch {
                    time: touches.time[i],
                    customer: touches.customer[i],
                    channel: touches.channel[i],
                };
                (row.time <= end).then_some(row)
            },
            run,
        )?;
        let values = conversions.value;
        let orders = deal(
            "sort conversions",
            m,
            customers,
            |i| {
                let value = values.map_or(0.0, |v| v[i]);
                let row = Conversion { time: conversions.time[i], value, customer: conversions.customer[i] };
                (row.time <= end).then_some(row)
            },
            run,
        )?;
        let mut journeys = assemble(&dealt, &orders, customers, policies, end, run)?;
        journeys.channel_count = touches.channel.iter().max().map_or(0, |c| *c as usize + 1);
        journeys.timed = true;
        journeys.has_value = values.is_some();
        journeys.late_touches = (n - journeys.steps.len()) as u64;
        let kept: usize = (0..orders.count).map(|b| orders.size(b)).sum();
        journeys.late_conversions = (m - kept) as u64;
        journeys.cost = match touches.cost {
            None => None,
            Some(cost) => Some(channel_cost(touches, cost, end, journeys.channel_count, run)?),
        };
        Ok(journeys)
    }
}

fn check_codes(touches: &Touches<'_>, conversions: &Conversions<'_>) -> Result<usize> {
    let n = touches.customer.len();
    let m = conversions.customer.len();
    let same = touches.time.len() == n
        && touches.channel.len() == n
        && touches.cost.is_none_or(|c| c.len() == n)
        && conversions.time.len() == m
        && conversions.value.is_none_or(|v| v.len() == m);
    if !same {
        return Err(Error::column("time", "the columns of touches or of conversions differ in length"));
    }
    if n >= NULL as usize || m >= NULL as usize {
        return Err(Error::column(
            "customer",
            format!("at most {} rows fit in one build: split them by customer", NULL - 1),
        ));
    }
    let top = |codes: &[u32]| codes.iter().copied().max().map_or(0, |c| c as usize + 1);
    let customers = top(touches.customer).max(top(conversions.customer));
    if customers > 16 * (n + m) + 65_536 {
        return Err(Error::column(
            "customer",
            "codes must be dense; the largest is far above the number of rows",
        ));
    }
    if top(touches.channel) > 16 * n + 65_536 {
        return Err(Error::column(
            "channel",
            "codes must be dense; the largest is far above the number of rows",
        ));
    }
    let finite = |v: Option<&[f64]>| v.is_none_or(|v| v.iter().all(|x| x.is_finite()));
    if !finite(touches.cost) {
        return Err(Error::column("cost", "holds a number that is not finite"));
    }
    if !finite(conversions.value) {
        return Err(Error::column("value", "holds a number that is not finite"));
    }
    Ok(customers)
}

fn channel_cost(
    touches: &Touches<'_>,
    cost: &[f64],
    end: i64,
    channels: usize,
    run: &Run,
) -> Result<Vec<f64>> {
    let mut sums = vec![ExactSum::new(); channels];
    for first in (0..cost.len()).step_by(CHUNK) {
        run.check()?;
        for i in first..cost.len().min(first + CHUNK) {
            if touches.time[i] <= end {
                sums[touches.channel[i] as usize].add(cost[i]);
            }
        }
    }
    Ok(sums.iter().map(ExactSum::value).collect())
}

/// Sorts each bucket into its stretch of the final arrays, and cuts journeys.
fn assemble(
    touches: &Buckets<Touch>,
    orders: &Buckets<Conversion>,
    customers: usize,
    policies: &Policies,
    end: i64,
    run: &Run,
) -> Result<Journeys> {
    let count = shape(customers).1;
    let sizes: Vec<usize> = (0..count).map(|b| touches.size(b)).collect();
    let total: usize = sizes.iter().sum();
    run.stage("build journeys", total as u64)?;
    let (mut steps, mut times) = (vec![0_u32; total], vec![0_i64; total]);
    let mut work = Vec::with_capacity(count);
    let (mut steps_left, mut times_left) = (&mut steps[..], &mut times[..]);
    let mut base = 0;
    for (bucket, size) in sizes.iter().enumerate() {
        let (s, rest) = std::mem::take(&mut steps_left).split_at_mut(*size);
        steps_left = rest;
        let (t, rest) = std::mem::take(&mut times_left).split_at_mut(*size);
        times_left = rest;
        work.push((bucket, base as u32, s, t));
        base += size;
    }
    let built: Vec<Built> = run.install(|| {
        work.into_par_iter()
            .map(|(bucket, base, steps, times)| {
                run.check()?;
                let built = build_bucket(touches, orders, bucket, base, steps, times, policies, end);
                run.advance(steps.len() as u64)?;
                Ok(built)
            })
            .collect::<Result<_>>()
    })?;
    let mut out = Journeys { steps, times, ..Journeys::default() };
    let journeys = built.iter().map(|b| b.start.len()).sum();
    out.start.reserve_exact(journeys);
    for b in built {
        out.start.extend(b.start);
        out.len.extend(b.len);
        out.value.extend(b.value);
        out.customer.extend(b.customer);
        out.end.extend(b.end);
        out.conversions.extend(b.converted.iter().map(|c| f64::from(u8::from(*c))));
        out.nulls.extend(b.converted.iter().map(|c| f64::from(u8::from(!*c))));
    }
    Ok(out)
}

#[allow(clippy::too_many_arguments)] // one call site; a struct would only rename them
fn build_bucket(
    touches: &Buckets<Touch>,
    orders: &Buckets<Conversion>,
    bucket: usize,
    base: u32,
    steps: &mut [u32],
    times: &mut [i64],
    policies: &Policies,
    end: i64,
) -> Built {
    let (mut rows, starts) = touches.collect(bucket);
    let (mut sales, sale_starts) = orders.collect(bucket);
    let first = (bucket as u32) << touches.shift;
    let mut built = Built::default();
    for local in 0..starts.len() - 1 {
        let (from, to) = (starts[local] as usize, starts[local + 1] as usize);
        let (sale_from, sale_to) = (sale_starts[local] as usize, sale_starts[local + 1] as usize);
        if from == to && sale_from == sale_to {
            continue;
        }
        let mine = &mut rows[from..to];
        match policies.ties {
            Ties::Channel if !mine.is_sorted_by_key(|t| (t.time, t.channel)) => {
                mine.sort_unstable_by_key(|t| (t.time, t.channel));
            }
            Ties::Input if !mine.is_sorted_by_key(|t| t.time) => mine.sort_by_key(|t| t.time),
            _ => {}
        }
        for ((touch, step), time) in mine.iter().zip(&mut steps[from..to]).zip(&mut times[from..to]) {
            (*step, *time) = (touch.channel, touch.time);
        }
        let sales = &mut sales[sale_from..sale_to];
        sales.sort_by(|a, b| a.time.cmp(&b.time).then(b.value.total_cmp(&a.value)));
        built.customer(first + local as u32, &times[from..to], base + from as u32, sales, policies, end);
    }
    built
}

impl Built {
    /// Cuts one customer's sorted touches into journeys.
    fn customer(
        &mut self,
        customer: u32,
        times: &[i64],
        base: u32,
        sales: &[Conversion],
        policies: &Policies,
        end: i64,
    ) {
        let lookback = policies.lookback.micros();
        let (mut low, mut high) = (0, 0);
        // Touches before `covered` are in a journey already.
        let mut covered = 0;
        for sale in sales {
            let oldest = sale.time.saturating_sub(lookback);
            while low < times.len() && times[low] <= oldest {
                low += 1;
            }
            let previous = high;
            match policies.at_conversion {
                AtConversion::Include => {
                    while high < times.len() && times[high] <= sale.time {
                        high += 1;
                    }
                }
                AtConversion::Exclude => {
                    while high < times.len() && times[high] < sale.time {
                        high += 1;
                    }
                }
            }
            let from = match policies.shared_touch {
                SharedTouch::Each => low,
                SharedTouch::Reset => low.max(previous),
            };
            // A window shorter than the distance to the last touch is empty.
            let from = from.min(high);
            self.open(customer, times, base, covered..from, policies, end);
            covered = covered.max(high);
            self.push(customer, base + from as u32, (high - from) as u32, sale.time, Some(sale.value));
        }
        self.open(customer, times, base, covered..times.len(), policies, end);
    }

    /// The open journeys among touches that serve no conversion.
    fn open(
        &mut self,
        customer: u32,
        times: &[i64],
        base: u32,
        range: std::ops::Range<usize>,
        policies: &Policies,
        end: i64,
    ) {
        if range.is_empty() || policies.open == Open::Exclude {
            return;
        }
        let lookback = policies.lookback.micros();
        let decided = end.saturating_sub(lookback);
        let mut first = range.start;
        for i in range.clone() {
            let last = i + 1 == range.end || times[i + 1].saturating_sub(times[i]) > lookback;
            if last {
                if policies.open == Open::Include || times[i] <= decided {
                    self.push(customer, base + first as u32, (i + 1 - first) as u32, times[i], None);
                }
                first = i + 1;
            }
        }
    }

    fn push(&mut self, customer: u32, start: u32, len: u32, end: i64, value: Option<f64>) {
        self.start.push(start);
        self.len.push(len);
        self.customer.push(customer);
        self.end.push(end);
        self.converted.push(value.is_some());
        self.value.push(value.unwrap_or(0.0));
    }
}
