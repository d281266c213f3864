//! Journeys from sorted touches and conversions.

use rayon::prelude::*;

use super::Journeys;
use super::options::{AtConversion, EventOptions, Open, SharedTouch, Ties};
use super::sort::{Buckets, Packing, Word, deal, shape};
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
struct Conversion {
    time: i64,
    value: f64,
    customer: u32,
}

/// What the codes of touches and conversions mean.
pub(super) struct Codes<'a> {
    pub(super) customers: usize,
    /// How many channels there are, and the place of each code among them.
    pub(super) channels: usize,
    pub(super) recode: &'a [u32],
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
    /// `O(n log n)`; memory 20 bytes a touch (28 where customer, time and
    /// channel do not fit 63 bits) and 37 a journey at the peak.
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
        let (customers, channels) = check_codes(touches, conversions)?;
        let recode: Vec<u32> = (0..channels as u32).collect();
        let codes = Codes { customers, channels, recode: &recode };
        Self::build_coded(touches, conversions, &codes, policies, run)
    }

    /// As [`Journeys::build`], of codes that are known to be dense, and amounts
    /// that are known to be finite.
    pub(super) fn build_coded(
        touches: &Touches<'_>,
        conversions: &Conversions<'_>,
        codes: &Codes<'_>,
        policies: &Policies,
        run: &Run,
    ) -> Result<Self> {
        let (n, m) = (touches.customer.len(), conversions.customer.len());
        if n >= NULL as usize || m >= NULL as usize {
            return Err(Error::column(
                "customer",
                format!("at most {} rows fit in one build: split them by customer", NULL - 1),
            ));
        }
        let span = |times: &[i64]| {
            times.iter().fold((i64::MAX, i64::MIN), |(low, high), t| (low.min(*t), high.max(*t)))
        };
        let (earliest, latest) = span(touches.time);
        let any = (n + m > 0).then(|| latest.max(span(conversions.time).1));
        let end = policies.observation_end.or(any).unwrap_or(i64::MAX);
        let late = if latest > end { touches.time.iter().filter(|t| **t > end).count() } else { 0 };

        let values = conversions.value;
        let orders = deal(
            "sort conversions",
            conversions.customer,
            codes.customers,
            |i| conversions.time[i] <= end,
            |i| Conversion {
                time: conversions.time[i],
                value: values.map_or(0.0, |v| v[i]),
                customer: conversions.customer[i],
            },
            run,
        )?;
        let packing = Packing::new(codes.customers, codes.channels, earliest, latest.min(end));
        let work = Work { touches, conversions, codes, orders, policies, end, packing };
        let mut journeys = if packing.is_narrow() { work.go::<u64>(run) } else { work.go::<u128>(run) }?;
        journeys.channel_count = codes.channels;
        journeys.timed = true;
        journeys.has_value = values.is_some();
        journeys.observation_end = (end != i64::MAX).then_some(end);
        journeys.touches = (n - late) as u64;
        journeys.late_touches = late as u64;
        let kept: usize = (0..work.orders.count).map(|b| work.orders.size(b)).sum();
        journeys.late_conversions = (m - kept) as u64;
        journeys.cost = match touches.cost {
            None => None,
            Some(cost) => Some(channel_cost(touches, cost, end, codes, run)?),
        };
        Ok(journeys)
    }
}

fn check_codes(touches: &Touches<'_>, conversions: &Conversions<'_>) -> Result<(usize, usize)> {
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
    let top = |codes: &[u32]| codes.iter().copied().max().map_or(0, |c| c as usize + 1);
    let customers = top(touches.customer).max(top(conversions.customer));
    if customers > 16 * (n + m) + 65_536 {
        return Err(Error::column(
            "customer",
            "codes must be dense; the largest is far above the number of rows",
        ));
    }
    let channels = top(touches.channel);
    if channels > 16 * n + 65_536 {
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
    Ok((customers, channels))
}

fn channel_cost(
    touches: &Touches<'_>,
    cost: &[f64],
    end: i64,
    codes: &Codes<'_>,
    run: &Run,
) -> Result<Vec<f64>> {
    let mut sums = vec![ExactSum::new(); codes.channels];
    for first in (0..cost.len()).step_by(CHUNK) {
        run.check()?;
        for i in first..cost.len().min(first + CHUNK) {
            if touches.time[i] <= end {
                sums[codes.recode[touches.channel[i] as usize] as usize].add(cost[i]);
            }
        }
    }
    Ok(sums.iter().map(ExactSum::value).collect())
}

/// The stretches of time in which the customers' conversions look for touches.
struct Windows {
    /// One bit a customer, set for those who convert.
    buyers: Vec<u64>,
    /// After the first and up to the second time.
    ranges: Vec<(i64, i64)>,
}

impl Windows {
    fn new(conversions: &Conversions<'_>, customers: usize, end: i64, lookback: i64) -> Self {
        let mut buyers = vec![0_u64; customers.div_ceil(64)];
        let mut ranges = vec![(0, 0); customers];
        for (customer, time) in conversions.customer.iter().zip(conversions.time).filter(|(_, t)| **t <= end)
        {
            let (word, bit) = (&mut buyers[*customer as usize / 64], 1 << (customer % 64));
            let range = &mut ranges[*customer as usize];
            if *word & bit == 0 {
                *range = (i64::MAX, i64::MIN);
            }
            *word |= bit;
            *range = (range.0.min(time.saturating_sub(lookback)), range.1.max(*time));
        }
        Self { buyers, ranges }
    }

    fn hold(&self, customer: u32, time: i64) -> bool {
        if self.buyers[customer as usize / 64] & (1 << (customer % 64)) == 0 {
            return false;
        }
        let (after, until) = self.ranges[customer as usize];
        time > after && time <= until
    }
}

/// One build, once the conversions are dealt.
struct Work<'a> {
    touches: &'a Touches<'a>,
    conversions: &'a Conversions<'a>,
    codes: &'a Codes<'a>,
    orders: Buckets<Conversion>,
    policies: &'a Policies,
    end: i64,
    packing: Packing,
}

impl Work<'_> {
    /// Deals the touches; those that no journey can hold are left out at once.
    fn go<W: Word>(&self, run: &Run) -> Result<Journeys> {
        const STAGE: &str = "sort touches";
        let Self { touches, codes, packing, end, .. } = self;
        let row = |i: usize| {
            let channel = codes.recode[touches.channel[i] as usize];
            packing.pack::<W>(touches.customer[i], touches.time[i], channel)
        };
        let dealt = if self.policies.open == Open::Exclude {
            let lookback = self.policies.lookback.micros();
            let windows = Windows::new(self.conversions, codes.customers, *end, lookback);
            let keep = |i: usize| windows.hold(touches.customer[i], touches.time[i]);
            deal(STAGE, touches.customer, codes.customers, keep, row, run)?
        } else {
            deal(STAGE, touches.customer, codes.customers, |i| touches.time[i] <= *end, row, run)?
        };
        self.assemble(&dealt, run)
    }

    /// Sorts each bucket into its stretch of the final arrays, and cuts journeys.
    fn assemble<W: Word>(&self, touches: &Buckets<W>, run: &Run) -> Result<Journeys> {
        let count = shape(self.codes.customers).1;
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
                    let built = self.bucket(touches, bucket, base, steps, times);
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

    fn bucket<W: Word>(
        &self,
        touches: &Buckets<W>,
        bucket: usize,
        base: u32,
        steps: &mut [u32],
        times: &mut [i64],
    ) -> Built {
        let Self { policies, packing, end, .. } = self;
        let first = (bucket as u32) << touches.shift;
        let (mut rows, starts) = touches.collect(bucket, |word| packing.local(word));
        let (mut sales, sale_starts) = self.orders.collect(bucket, |sale| (sale.customer - first) as usize);
        let mut built = Built::default();
        for local in 0..starts.len() - 1 {
            let (from, to) = (starts[local] as usize, starts[local + 1] as usize);
            let (sale_from, sale_to) = (sale_starts[local] as usize, sale_starts[local + 1] as usize);
            if from == to && sale_from == sale_to {
                continue;
            }
            let mine = &mut rows[from..to];
            match policies.ties {
                Ties::Channel => mine.sort_unstable(),
                Ties::Input => mine.sort_by_key(|word| packing.timed(*word)),
            }
            for ((word, step), time) in mine.iter().zip(&mut steps[from..to]).zip(&mut times[from..to]) {
                (*step, *time) = (packing.channel(*word), packing.time(*word));
            }
            let sales = &mut sales[sale_from..sale_to];
            sales.sort_by(|a, b| a.time.cmp(&b.time).then(b.value.total_cmp(&a.value)));
            let times = &times[from..to];
            built.customer(first + local as u32, times, base + from as u32, sales, policies, *end);
        }
        built
    }
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
