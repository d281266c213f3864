//! A block of people: the unit in which a market is made.

use super::life::{Life, Off, Real};
use super::person::{NO_CHANNEL, Plan, Scratch, live};
use super::truth::MarketTruth;
use crate::{Result, Run};

/// People in a block. Part of the contract: households end with their block.
pub(super) const BLOCK: u64 = 1024;
/// The largest household.
const HOUSEHOLD: u32 = 6;

/// The namespaces of identifiers, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Namespace {
    Cookie,
    Device,
    Email,
    UserId,
    Phone,
    Loyalty,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawEvent {
    pub(super) time: i64,
    pub(super) cookie: u64,
    pub(super) device: u64,
    pub(super) person: u32,
    pub(super) channel: u16,
    /// 0 is none.
    pub(super) campaign: u16,
    /// 0 is none, 1 and 2 the person's addresses.
    pub(super) email: u8,
    pub(super) login: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawOrder {
    pub(super) time: i64,
    pub(super) number: u64,
    pub(super) cookie: u64,
    pub(super) device: u64,
    pub(super) value: f64,
    pub(super) person: u32,
    pub(super) caused_by: u16,
    pub(super) email: u8,
    pub(super) login: bool,
    pub(super) phone: bool,
    pub(super) loyalty: bool,
    pub(super) store: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawId {
    pub(super) key: u64,
    pub(super) person: u32,
    pub(super) namespace: Namespace,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawPerson {
    pub(super) person: u32,
    pub(super) entered: i64,
    pub(super) buyer: bool,
    pub(super) rate: f64,
    pub(super) dropout: f64,
    pub(super) mean_amount: f64,
    pub(super) orders: u32,
    pub(super) value: f64,
    pub(super) alive: bool,
    pub(super) expected_future: Option<f64>,
    pub(super) future_orders: u32,
    pub(super) future_value: f64,
}

/// What some people left behind.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) events: Vec<RawEvent>,
    pub(super) orders: Vec<RawOrder>,
    pub(super) holdout: Vec<RawOrder>,
    pub(super) ids: Vec<RawId>,
    pub(super) people: Vec<RawPerson>,
    pub(super) touches: Vec<u64>,
    /// Orders, and their value, that would not be with a channel switched off.
    pub(super) lost: Vec<(i64, f64)>,
}

impl Block {
    /// Makes block number `block`; rows by time, people by number.
    pub(super) fn make(plan: &Plan, block: u64) -> Self {
        let mut real = Real::default();
        let mut lost = vec![(0, 0.0); plan.options.channels.len()];
        let mut out = Self::live(plan, block, |life, _| add_losses(plan, life, &mut real, &mut lost));
        out.lost = lost;
        out.events.sort_by_key(|row| row.time);
        out.orders.sort_by_key(|row| row.time);
        out.holdout.sort_by_key(|row| row.time);
        out
    }

    /// Lives the lives of a block one after another, and shows each.
    pub(super) fn live(plan: &Plan, block: u64, mut seen: impl FnMut(&mut Life, &Self)) -> Self {
        let first = block * BLOCK;
        let last = plan.options.people.min(first + BLOCK) as u32;
        let mut out = Self { touches: vec![0; plan.options.channels.len()], ..Self::default() };
        let mut scratch = Scratch::default();
        let mut person = first as u32;
        // Households are formed over the whole block even where the market ends within it.
        let end = (first + BLOCK) as u32;
        while person < last {
            let mut home = plan.household(person);
            let mut size = 1;
            while size < HOUSEHOLD && person + size < end && plan.household(person + size - 1).with_next {
                size += 1;
            }
            let shared = (size > 1 && home.shares).then(|| plan.shared_device(person, &mut home));
            for member in person..last.min(person + size) {
                live(plan, member, shared.as_ref(), &mut scratch, &mut out);
                seen(&mut scratch.life, &out);
            }
            person += size;
        }
        out
    }

    /// The totals of this block.
    pub(super) fn truth(&self, plan: &Plan) -> MarketTruth {
        let mut truth = MarketTruth::new(&plan.options);
        truth.people = self.people.len() as u64;
        truth.customers = self.people.iter().filter(|p| p.orders > 0).count() as u64;
        truth.events = self.events.len() as u64;
        truth.orders = self.orders.len() as u64;
        truth.identifiers = self.ids.len() as u64;
        truth.holdout_orders = self.holdout.len() as u64;
        truth.holdout_value = self.holdout.iter().map(|o| o.value).sum();
        for order in &self.orders {
            truth.value += order.value;
            if order.caused_by == NO_CHANNEL {
                truth.baseline_orders += 1;
                truth.baseline_value += order.value;
            } else {
                let channel = &mut truth.by_channel[order.caused_by as usize];
                channel.incremental_conversions += 1;
                channel.incremental_value += order.value;
            }
        }
        for ((channel, touches), spec) in
            truth.by_channel.iter_mut().zip(&self.touches).zip(&plan.options.channels)
        {
            channel.touches = *touches;
            channel.cost = *touches as f64 * spec.cost;
        }
        for (channel, (conversions, value)) in truth.by_channel.iter_mut().zip(&self.lost) {
            channel.lost_conversions = *conversions;
            channel.lost_value = *value;
        }
        truth
    }

    /// Appends another block.
    pub(super) fn append(&mut self, mut other: Self) {
        self.events.append(&mut other.events);
        self.orders.append(&mut other.orders);
        self.holdout.append(&mut other.holdout);
        self.ids.append(&mut other.ids);
        self.people.append(&mut other.people);
    }

    /// Puts all rows in the order of time; rows of equal time keep theirs.
    pub(super) fn sort(&mut self, run: &Run) -> Result<()> {
        use rayon::slice::ParallelSliceMut;
        run.check()?;
        run.install(|| {
            self.events.par_sort_by_key(|row| row.time);
            self.orders.par_sort_by_key(|row| row.time);
            self.holdout.par_sort_by_key(|row| row.time);
        });
        run.check()
    }
}

/// What one life loses in the observed days when each channel in turn is switched off.
fn add_losses(plan: &Plan, life: &mut Life, real: &mut Real, lost: &mut [(i64, f64)]) {
    if !life.can_be_moved() {
        return;
    }
    for (channel, (conversions, value)) in lost.iter_mut().enumerate() {
        let channel = channel as u16;
        if !life.touches.iter().any(|t| t.channel == channel) {
            continue;
        }
        life.settle(plan, Some(Off { channel, from: 0.0, to: f64::INFINITY }), real);
        for ((order, there), without) in life.orders.iter().zip(&life.real.orders).zip(&real.orders) {
            if there != without && order.at < plan.end {
                let sign = if *there { 1 } else { -1 };
                *conversions += sign;
                *value += sign as f64 * order.value;
            }
        }
    }
}
