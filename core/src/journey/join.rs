//! The touches of customers who convert, found without coding everybody.
//!
//! Where open journeys are not wanted, most touches belong to customers who
//! never convert. Customers that are whole numbers close together are then
//! looked up in a set of one bit each, and only what a conversion can see is
//! read on.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::build::{Codes, Scope, Which};
use super::read::{in_label_order, placed};
use super::sort::pick;
use super::stretch::{Places, Stretch, cut};
use super::{Conversions, EventOptions, Journeys, Policies};
use crate::Result;
use crate::column::{Coded, Columns, Intake, Keys, Labels, NULL, Names, Sign, int_runs, ints};
use crate::run::{CHUNK, Run};

/// A set of whole numbers that lie close together.
struct Members {
    low: i64,
    words: Vec<u64>,
    /// How many members come before each word.
    before: Vec<u32>,
}

impl Members {
    /// `None` where the numbers lie too far apart for this many rows.
    fn new(ids: &[i64], rows: usize) -> Option<Self> {
        let low = ids.iter().copied().min()?;
        let span = ids.iter().copied().max()?.checked_sub(low)? as u64;
        if span / 32 > rows as u64 {
            return None;
        }
        let mut words = vec![0_u64; span as usize / 64 + 1];
        for id in ids {
            let at = (id - low) as usize;
            words[at / 64] |= 1 << (at % 64);
        }
        let mut count = 0;
        let mut before = Vec::with_capacity(words.len());
        for word in &words {
            before.push(count);
            count += word.count_ones();
        }
        Some(Self { low, words, before })
    }

    fn has(&self, id: i64) -> bool {
        let at = id.wrapping_sub(self.low) as u64;
        self.words.get((at / 64) as usize).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// How many members are smaller.
    fn rank(&self, id: i64) -> usize {
        let at = id.wrapping_sub(self.low) as usize;
        let (word, bit) = (at / 64, at % 64);
        (self.before[word] + (self.words[word] & ((1 << bit) - 1)).count_ones()) as usize
    }
}

/// Touches that a conversion can see, in row order.
struct Seen {
    rank: Vec<u32>,
    time: Vec<i64>,
    channel: Vec<u32>,
}

/// The same as columns: customers, times and channels.
type SeenColumns<'a> = (Vec<u32>, [Cow<'a, [i64]>; 1], [Places<'a>; 1]);

/// Journeys without open ones; `None` where the frames are not made for it.
pub(super) fn joined(
    touches: &Columns,
    conversions: &Columns,
    options: &EventOptions,
    run: &Run,
) -> Result<Option<Journeys>> {
    let (Some(who), Some(data)) = (touches.get(&options.customer), touches.get(&options.channel)) else {
        return Ok(None);
    };
    if who.len() != touches.rows() || data.len() != touches.rows() {
        return Ok(None);
    }
    let Some(who) = int_runs(who) else { return Ok(None) };
    let mut orders = Intake::new(conversions, options.on_invalid, run);
    orders.int_unit(options.time_unit);
    let buyer = orders.names(options.conversion_customer.as_ref().unwrap_or(&options.customer))?;
    let Labels::Int(ids) = &*buyer.labels else { return Ok(None) };
    let Some(members) = Members::new(ids, touches.rows()) else { return Ok(None) };
    // Where most touches are the buyers', nothing is gained.
    let sample = || who.iter().flat_map(|chunk| ints(chunk)).take(CHUNK);
    if 2 * sample().filter(|id| members.has(**id)).count() > sample().count() {
        return Ok(None);
    }

    let mut intake = Intake::new(touches, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let time = intake.time_runs(&options.time)?;
    let channel = match intake.coded_runs(&options.channel)? {
        Some(channel) => channel,
        None => Coded::of(intake.names(&options.channel)?, true),
    };
    let cost = match &options.cost {
        Some(name) => Some(intake.optional_amounts(name, Sign::NonNegative)?),
        None => None,
    };
    let sold = orders.times(options.conversion_time.as_ref().unwrap_or(&options.time))?;
    let value = match &options.value {
        Some(name) => Some(orders.amounts(name, options.refunds.sign())?),
        None => None,
    };
    let kept = intake.finish()?;
    if kept.dropped().rows > 0 {
        return Ok(None);
    }
    let kept_orders = orders.finish()?;
    let ids = ids.clone();
    let buyer = kept_orders.names(buyer);
    let (sold, value) = (kept_orders.values(sold), value.map(|v| kept_orders.values(v)));

    let (recode, labels) = in_label_order(&channel.labels, &channel.used);
    let places = placed(channel, &recode);
    let who: Vec<&[i64]> = who.iter().map(|chunk| ints(chunk)).collect();
    let rows = cut(&who, &time, &places);
    let policies = Policies::from(options);
    let scope = Scope::new(&rows, &sold, &policies, run)?;

    // Buyers by rank, in the order in which touches show them.
    let sight = Sight::new(&members, &ids, (&buyer, &sold), &scope, policies.lookback.micros());
    run.stage("find the touches of buyers", touches.rows() as u64)?;
    let seen = run.map_items(rows.len(), |i| {
        let seen = sight.look(&rows[i]);
        run.advance(rows[i].rows.len() as u64)?;
        Ok(seen)
    })?;
    let (code_of_rank, order) = sight.order(&ids, touches.rows());
    let code = |label: u32| code_of_rank[members.rank(ids[label as usize])];
    let buyers: Vec<u32> = buyer.codes.iter().map(|label| code(*label)).collect();

    let columns: Vec<SeenColumns<'_>> = seen
        .into_iter()
        .map(|seen| {
            let customer = seen.rank.iter().map(|rank| code_of_rank[*rank as usize]).collect();
            let same = (0..labels.len() as u32).collect();
            (customer, [seen.time.into()], [(Keys::U32(seen.channel.into()), same)])
        })
        .collect();
    let customers: Vec<[&[u32]; 1]> = columns.iter().map(|c| [&c.0[..]]).collect();
    let picked: Vec<Stretch<'_, u32>> = columns
        .iter()
        .zip(&customers)
        .flat_map(|((_, time, channel), who)| cut(who, time, channel))
        .collect();
    let conversions = Conversions { customer: &buyers, time: &sold, value: value.as_deref() };
    let codes = Codes { customers: order.len(), channels: labels.len() };
    let mut out = scope.build(&picked, Which::Picked, &conversions, &codes, &policies, run)?;
    if let Some(cost) = &cost {
        scope.charge(&mut out, &rows, cost, labels.len(), run)?;
    }
    out.channels = Some(Arc::new(labels));
    out.customers = Some(Arc::new(Labels::Int(order)));
    out.dropped = kept.into_dropped();
    out.dropped.merge(kept_orders.into_dropped());
    Ok(Some(out))
}

/// What the buyers can see of the touches.
struct Sight<'a> {
    members: &'a Members,
    earliest: i64,
    end: i64,
    /// Times are shifted by this much, so that they fit 32 bits. A touch just
    /// outside a window may then seem to be in it, and is found out later.
    shift: u32,
    /// By rank.
    buyers: Vec<Buyer>,
}

/// One buyer in few bytes: where memory is read in no order, they are what it costs.
struct Buyer {
    from: u32,
    until: u32,
    /// The first row.
    first: AtomicU32,
}

impl<'a> Sight<'a> {
    fn new(
        members: &'a Members,
        ids: &[i64],
        (buyer, sold): (&Names, &[i64]),
        scope: &Scope,
        lookback: i64,
    ) -> Self {
        let (earliest, latest) = (scope.earliest, scope.latest.max(scope.earliest));
        let span = latest.wrapping_sub(earliest) as u64;
        let shift = (u64::BITS - span.leading_zeros()).saturating_sub(u32::BITS);
        let unseen = || Buyer { from: u32::MAX, until: 0, first: AtomicU32::new(NULL) };
        let mut buyers: Vec<Buyer> = ids.iter().map(|_| unseen()).collect();
        // A conversion before all touches sees none.
        let in_time = |time: i64| time >= earliest && time <= scope.end;
        for (label, time) in buyer.codes.iter().zip(sold).filter(|(_, t)| in_time(**t)) {
            let brief =
                |time: i64| (time.clamp(earliest, latest).wrapping_sub(earliest) as u64 >> shift) as u32;
            let buyer = &mut buyers[members.rank(ids[*label as usize])];
            buyer.from = buyer.from.min(brief(time.saturating_sub(lookback)));
            buyer.until = buyer.until.max(brief(*time));
        }
        Self { members, earliest, end: scope.end, shift, buyers }
    }

    fn look(&self, touches: &Stretch<'_, i64>) -> Seen {
        let mut picks = pick(touches.rows.len(), |i| self.members.has(touches.customer[i]));
        let mut rank = vec![0_u32; picks.len()];
        let mut kept = 0;
        for k in 0..picks.len() {
            let i = picks[k];
            let place = self.members.rank(touches.customer[usize::from(i)]);
            let buyer = &self.buyers[place];
            let row = (touches.rows.start + usize::from(i)) as u32;
            if buyer.first.load(Ordering::Relaxed) > row {
                // The smallest row, whoever comes first.
                buyer.first.fetch_min(row, Ordering::Relaxed);
            }
            let time = touches.time[usize::from(i)];
            let brief = (time.wrapping_sub(self.earliest) as u64 >> self.shift) as u32;
            (picks[kept], rank[kept]) = (i, place as u32);
            kept += usize::from((time <= self.end) & (brief >= buyer.from) & (brief <= buyer.until));
        }
        picks.truncate(kept);
        rank.truncate(kept);
        let time = picks.iter().map(|i| touches.time[*i as usize]).collect();
        Seen { rank, time, channel: touches.channels_of(&picks) }
    }

    /// New codes by rank, and their labels: in the order of the first touches,
    /// then of the first conversions.
    fn order(self, ids: &[i64], rows: usize) -> (Vec<u32>, Vec<i64>) {
        let mut label = vec![0_u32; ids.len()];
        for (code, id) in ids.iter().enumerate() {
            label[self.members.rank(*id)] = code as u32;
        }
        let mut order: Vec<(u64, u32)> = (0..ids.len() as u32)
            .map(|rank| {
                let first = self.buyers[rank as usize].first.load(Ordering::Relaxed);
                let never = rows as u64 + u64::from(label[rank as usize]);
                (if first == NULL { never } else { u64::from(first) }, rank)
            })
            .collect();
        order.sort_unstable();
        let mut codes = vec![0; ids.len()];
        let mut labels = Vec::with_capacity(ids.len());
        for (code, (_, rank)) in order.into_iter().enumerate() {
            codes[rank as usize] = code as u32;
            labels.push(ids[label[rank as usize] as usize]);
        }
        (codes, labels)
    }
}
