//! Journeys from sorted touches and conversions.

use rayon::prelude::*;

use super::fine::Fine;
use super::options::{AtConversion, EventOptions, Open, SharedTouch, Ties};
use super::sort::{Buckets, Dealer, Packing, Word, deal, shape};
use super::stretch::{Stretch, cut, span};
use super::{Gap, Journeys, Merged};
use crate::column::{Duration, Keys, NULL, ends};
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

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Conversion {
    pub(super) time: i64,
    pub(super) value: f64,
    customer: u32,
    /// Its kind and place in one code; 0 where conversions have none.
    pub(super) label: u32,
}

/// How many customers and channels the codes stand for.
pub(super) struct Codes {
    pub(super) customers: usize,
    pub(super) channels: usize,
}

/// How a journey ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Converted(Conversion),
    /// Not, and no conversion can follow.
    Over,
    /// Not yet.
    Pending,
}

/// The journeys of one bucket of customers.
#[derive(Default)]
pub(super) struct Built {
    start: Vec<u32>,
    len: Vec<u32>,
    value: Vec<f64>,
    customer: Vec<u32>,
    end: Vec<i64>,
    conversions: Vec<f64>,
    nulls: Vec<f64>,
    /// Where touches are picked one by one: them, and for each journey the code
    /// of its conversion, and until when one could follow.
    pub(super) steps: Vec<u32>,
    pub(super) times: Vec<i64>,
    label: Vec<u32>,
    expiry: Vec<i64>,
    /// Of each journey the direct visits that were left out; empty where none can be.
    pub(super) direct: Vec<u32>,
    pub(super) merged: Merged,
}

impl Journeys {
    /// Builds journeys from codes.
    ///
    /// Codes must be dense (below a small multiple of the number of rows).
    /// Conversions of one customer at the same time are taken by descending
    /// value, then by kind and place. Time `O(n)` for rows in time order within their customers, else
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
        let codes = Codes { customers, channels };
        let keys = Keys::U32(touches.channel.into());
        let (time, channel) = ([touches.time.into()], [(keys, (0..channels as u32).collect())]);
        let customer = [touches.customer];
        let rows = cut(&customer, &time, &channel);
        Self::build_coded(&rows, touches.cost, conversions, &codes, policies, run)
    }

    /// As [`Journeys::build`], of codes that are known to be dense, and amounts
    /// that are known to be finite.
    pub(super) fn build_coded(
        touches: &[Stretch<'_, u32>],
        cost: Option<&[f64]>,
        conversions: &Conversions<'_>,
        codes: &Codes,
        policies: &Policies,
        run: &Run,
    ) -> Result<Self> {
        let scope = Scope::new(touches, conversions.time, policies, run)?;
        let mut out = scope.build(touches, Which::All, conversions, codes, policies, run)?;
        if let Some(cost) = cost {
            scope.charge(&mut out, touches, cost, codes.channels, run)?;
        }
        Ok(out)
    }
}

/// What was observed: how much, from when, until when.
pub(super) struct Scope {
    touches: usize,
    late: usize,
    pub(super) earliest: i64,
    pub(super) latest: i64,
    /// The end of observation.
    pub(super) end: i64,
}

impl Scope {
    pub(super) fn new<C: Sync>(
        touches: &[Stretch<'_, C>],
        sold: &[i64],
        policies: &Policies,
        run: &Run,
    ) -> Result<Self> {
        let (n, m) = (touches.iter().map(|t| t.rows.len()).sum(), sold.len());
        if n >= NULL as usize || m >= NULL as usize {
            return Err(Error::column(
                "customer",
                format!("at most {} rows fit in one build: split them by customer", NULL - 1),
            ));
        }
        let (earliest, latest) = span(touches, run)?;
        let any = (n + m > 0).then(|| latest.max(ends(sold).1));
        let end = policies.observation_end.or(any).unwrap_or(i64::MAX);
        let mut late = 0;
        if latest > end {
            late = touches.iter().flat_map(|t| t.time).filter(|t| **t > end).count();
        }
        Ok(Self { touches: n, late, earliest, latest: latest.min(end), end })
    }

    /// The journeys of these touches.
    pub(super) fn build(
        &self,
        touches: &[Stretch<'_, u32>],
        which: Which<'_>,
        conversions: &Conversions<'_>,
        codes: &Codes,
        policies: &Policies,
        run: &Run,
    ) -> Result<Journeys> {
        let (m, values) = (conversions.customer.len(), conversions.value);
        let sizes: Vec<usize> = (0..m).step_by(CHUNK).map(|first| CHUNK.min(m - first)).collect();
        let orders = deal(
            "sort conversions",
            &sizes,
            codes.customers,
            |p, dealer| {
                let first = p * CHUNK;
                let sale = |i: usize| Conversion {
                    time: conversions.time[first + i],
                    value: values.map_or(0.0, |v| v[first + i]),
                    customer: conversions.customer[first + i],
                    label: if let Which::Fine(fine) = which { fine.sales[first + i] } else { 0 },
                };
                let customer = &conversions.customer[first..first + sizes[p]];
                dealer.some(customer, |i| conversions.time[first + i] <= self.end, sale);
            },
            run,
        )?;
        let packing = Packing::new(codes.customers, codes.channels, self.earliest, self.latest);
        let timely = matches!(which, Which::Picked) || self.late == 0;
        let work =
            Work { touches, which, timely, conversions, codes, orders, policies, end: self.end, packing };
        let mut journeys = if packing.is_narrow() { work.go::<u64>(run) } else { work.go::<u128>(run) }?;
        journeys.channel_count = codes.channels;
        journeys.timed = true;
        journeys.observation_end = Some(self.end);
        journeys.lookback = policies.lookback.micros();
        journeys.has_value = values.is_some();
        journeys.gap = Gap::of(policies.open);
        journeys.touches = (self.touches - self.late) as u64;
        journeys.late_touches = self.late as u64;
        journeys.ledger.latest = Some(self.latest).filter(|_| self.touches > 0);
        let kept: usize = (0..work.orders.count).map(|b| work.orders.size(b)).sum();
        journeys.late_conversions = (m - kept) as u64;
        Ok(journeys)
    }

    /// Adds up what the touches of each channel cost.
    pub(super) fn charge<C>(
        &self,
        out: &mut Journeys,
        touches: &[Stretch<'_, C>],
        cost: &[f64],
        channels: usize,
        run: &Run,
    ) -> Result<()> {
        let mut sums = vec![ExactSum::new(); channels];
        for stretch in touches {
            run.check()?;
            let rows = stretch.time.iter().zip(stretch.channels()).zip(&cost[stretch.rows.clone()]);
            for ((_, channel), cost) in rows.filter(|((time, _), _)| **time <= self.end) {
                sums[channel as usize].add(*cost);
            }
        }
        out.cost = Some(sums.iter().map(ExactSum::value).collect());
        out.ledger.cost = sums;
        Ok(())
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

/// Which touches come, and what is known of them.
#[derive(Clone, Copy)]
pub(super) enum Which<'a> {
    /// All.
    All,
    /// Those of all that a conversion can see.
    Picked,
    /// All, of which more is known than the channel.
    Fine(&'a Fine<'a>),
}

/// One build, once the conversions are dealt.
struct Work<'a> {
    touches: &'a [Stretch<'a, u32>],
    which: Which<'a>,
    /// Whether no touch is late.
    timely: bool,
    conversions: &'a Conversions<'a>,
    codes: &'a Codes,
    orders: Buckets<Conversion>,
    policies: &'a Policies,
    end: i64,
    packing: Packing,
}

impl Work<'_> {
    /// Deals the touches; those that no journey can hold are left out at once.
    fn go<W: Word>(&self, run: &Run) -> Result<Journeys> {
        let Self { touches, timely, codes, packing, end, .. } = self;
        let open = self.policies.open != Open::Exclude || !matches!(self.which, Which::All);
        let windows = (!open).then(|| {
            let lookback = self.policies.lookback.micros();
            Windows::new(self.conversions, codes.customers, *end, lookback)
        });
        // Where most customers buy, looking each of them up costs more than it saves.
        let windows = windows.filter(|w| {
            2 * w.buyers.iter().map(|word| word.count_ones() as usize).sum::<usize>() <= codes.customers
        });
        let sizes: Vec<usize> = touches.iter().map(|t| t.rows.len()).collect();
        let piece = |p: usize, dealer: &mut Dealer<W>| {
            let Stretch { customer, time, .. } = &touches[p];
            let channel = touches[p].channels();
            let row = |i: usize| packing.pack::<W>(customer[i], time[i], channel[i]);
            match &windows {
                Some(windows) => dealer.some(customer, |i| windows.hold(customer[i], time[i]), row),
                None if *timely => dealer.all(customer, row),
                None => dealer.some(customer, |i| time[i] <= *end, row),
            }
        };
        let dealt = deal("sort touches", &sizes, codes.customers, piece, run)?;
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
        out.len.reserve_exact(journeys);
        out.value.reserve_exact(journeys);
        out.customer.reserve_exact(journeys);
        out.end.reserve_exact(journeys);
        out.conversions.reserve_exact(journeys);
        out.nulls.reserve_exact(journeys);
        let fine = matches!(self.which, Which::Fine(_));
        if fine {
            let touches: usize = built.iter().map(|b| b.steps.len()).sum();
            if touches >= NULL as usize {
                return Err(Error::option(
                    "lookback",
                    format!(
                        "makes {touches} touches of all journeys together: shorten it, or split the frame by customer"
                    ),
                ));
            }
            (out.steps, out.times) = (Vec::with_capacity(touches), Vec::with_capacity(touches));
        }
        for b in built {
            let base = if fine { out.steps.len() as u32 } else { 0 };
            out.start.extend(b.start.into_iter().map(|start| base + start));
            out.steps.extend(b.steps);
            out.times.extend(b.times);
            out.conversion_kind.extend(b.label);
            out.expiry.extend(b.expiry);
            out.merged.add(&b.merged);
            out.ledger.direct.extend(b.direct);
            out.len.extend(b.len);
            out.value.extend(b.value);
            out.customer.extend(b.customer);
            out.end.extend(b.end);
            out.conversions.extend(b.conversions);
            out.nulls.extend(b.nulls);
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
        let by_channel = policies.ties == Ties::Channel;
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
            let (steps, times) = (&mut steps[from..to], &mut times[from..to]);
            let mut put =
                |at: usize, word: W| (steps[at], times[at]) = (packing.channel(word), packing.time(word));
            if let Some(places) = places(mine, |word| if by_channel { word } else { packing.timed(word) }) {
                mine.iter().zip(places).for_each(|(word, at)| put(usize::from(at), *word));
            } else {
                if by_channel {
                    mine.sort_unstable();
                } else {
                    mine.sort_by_key(|word| packing.timed(*word));
                }
                mine.iter().enumerate().for_each(|(at, word)| put(at, *word));
            }
            let sales = &mut sales[sale_from..sale_to];
            sales.sort_by(|a, b| {
                a.time.cmp(&b.time).then(b.value.total_cmp(&a.value)).then(a.label.cmp(&b.label))
            });
            let customer = first + local as u32;
            match self.which {
                Which::Fine(fine) => fine.customer(&mut built, customer, (steps, times), sales, *end),
                _ => built.customer(customer, times, base + from as u32, sales, policies, *end),
            }
        }
        built
    }
}

/// Few enough to be placed by counting.
const FEW: usize = 24;

/// The place of each word among all, equal keys as they stand; `None` for many.
///
/// Every pair is compared once without a branch, which is faster than a sort
/// while the branches of a sort cannot be foreseen.
fn places<W: Word>(words: &[W], key: impl Fn(W) -> W) -> Option<impl Iterator<Item = u8>> {
    if words.len() > FEW {
        return None;
    }
    let mut places = [0_u8; FEW];
    for (i, a) in words.iter().enumerate() {
        let a = key(*a);
        let mut place = places[i];
        for (b, other) in words[i + 1..].iter().zip(&mut places[i + 1..]) {
            let before = u8::from(key(*b) < a);
            place += before;
            *other += 1 - before;
        }
        places[i] = place;
    }
    Some(places.into_iter().take(words.len()))
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
                // Of equal windows, none reaches back past the conversion before.
                SharedTouch::Reset | SharedTouch::FirstOnly => low.max(previous),
            };
            // A window shorter than the distance to the last touch is empty.
            let from = from.min(high);
            self.open(customer, times, base, covered..from, policies, end);
            covered = covered.max(high);
            self.push(customer, base + from as u32, (high - from) as u32, sale.time, End::Converted(*sale));
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
                let state = if times[i] <= decided { End::Over } else { End::Pending };
                if state == End::Over || policies.open != Open::Decided {
                    let null = policies.open == Open::Include;
                    let state = if null { End::Over } else { state };
                    self.push(customer, base + first as u32, (i + 1 - first) as u32, times[i], state);
                }
                first = i + 1;
            }
        }
    }

    fn push(&mut self, customer: u32, start: u32, len: u32, time: i64, end: End) {
        self.start.push(start);
        self.len.push(len);
        self.customer.push(customer);
        self.end.push(time);
        let (conversions, nulls, value) = match end {
            End::Converted(sale) => (1.0, 0.0, sale.value),
            End::Over => (0.0, 1.0, 0.0),
            End::Pending => (0.0, 0.0, 0.0),
        };
        self.conversions.push(conversions);
        self.nulls.push(nulls);
        self.value.push(value);
    }

    /// A journey whose touches were pushed last, and until when a conversion
    /// could follow them.
    pub(super) fn push_last(&mut self, customer: u32, len: usize, time: i64, end: End, expiry: i64) {
        self.push(customer, (self.steps.len() - len) as u32, len as u32, time, end);
        self.label.push(if let End::Converted(sale) = end { sale.label } else { NULL });
        self.expiry.push(expiry);
    }
}
