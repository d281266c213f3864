//! One person's life: touches, orders, and the traces they leave.

use super::block::{Block, Namespace, RawEvent, RawId, RawOrder, RawPerson};
use super::options::MarketOptions;
use super::sample::Sampler;
use crate::column::DAY;
use crate::math::exp_m1;
use crate::{Result, Run};

/// No channel, no order, no identifier.
pub(super) const NONE: u64 = u64::MAX;
pub(super) const NO_CHANNEL: u16 = u16::MAX;
const NO_ORDER: u32 = u32::MAX;
/// A safety limit far beyond any real customer; the key of an order has 24 bits for its number.
const MAX_ORDERS: usize = 1 << 22;
const LN_2: f64 = std::f64::consts::LN_2;

/// A channel in the units of the simulation: days.
#[derive(Debug)]
struct Channel {
    effect: f64,
    delay: f64,
    intent: f64,
    lead: f64,
    follow: f64,
    follow_delay: f64,
    breeds_followers: bool,
    visit: bool,
    knows_email: bool,
    campaigns: u16,
}

/// The options made ready.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) options: MarketOptions,
    pub(super) start: i64,
    streams: Run,
    channels: Vec<Channel>,
    /// Channels that reach anyone, and those that reach customers: indices and cumulative touches a day.
    open: (Vec<u16>, Vec<f64>),
    members: (Vec<u16>, Vec<f64>),
    intents: Vec<u16>,
    followers: Vec<u16>,
    pub(super) end: f64,
    horizon: f64,
}

impl Plan {
    pub(super) fn new(options: MarketOptions) -> Result<Self> {
        options.check()?;
        let start = options.start_micros()?;
        let channels: Vec<Channel> = options
            .channels
            .iter()
            .map(|c| Channel {
                effect: c.effect,
                delay: c.carry_over.days() / LN_2,
                intent: c.intent,
                lead: c.intent_lead.days(),
                follow: c.follow,
                follow_delay: c.follow_delay.days(),
                breeds_followers: c.visit && c.follow == 0.0,
                visit: c.visit,
                knows_email: c.knows_email,
                campaigns: c.campaigns,
            })
            .collect();
        let reach = |customers_only: bool| {
            let (mut which, mut cumulative, mut total) = (Vec::new(), Vec::new(), 0.0);
            for (at, c) in options.channels.iter().enumerate() {
                if c.customers_only == customers_only && c.reach > 0.0 {
                    total += c.reach / 30.0;
                    which.push(at as u16);
                    cumulative.push(total);
                }
            }
            (which, cumulative)
        };
        let chosen = |p: fn(&Channel) -> f64| {
            (0..channels.len()).filter(|i| p(&channels[*i]) > 0.0).map(|i| i as u16).collect()
        };
        let end = f64::from(options.days);
        Ok(Self {
            start,
            streams: Run::new().seed(options.seed),
            open: reach(false),
            members: reach(true),
            intents: chosen(|c| c.intent),
            followers: chosen(|c| c.follow),
            channels,
            end,
            horizon: end + f64::from(options.holdout_days),
            options,
        })
    }

    fn micros(&self, days: f64) -> i64 {
        self.start + (days * DAY as f64).floor() as i64
    }

    /// What decides whether a person lives with the next one.
    pub(super) fn household(&self, person: u32) -> Household {
        let mut draw = Sampler::new(self.streams.rng(u64::from(person) * 2 + 1));
        let i = &self.options.identity;
        let with_next = draw.chance(i.household);
        let shares = draw.chance(i.shared_device);
        Household { with_next, shares, draw }
    }

    /// The device that a household shares.
    pub(super) fn shared_device(&self, first: u32, household: &mut Household) -> Device {
        self.device(first, 15, &mut household.draw)
    }

    fn device(&self, owner: u32, slot: u64, draw: &mut Sampler) -> Device {
        let i = &self.options.identity;
        let app = draw.chance(i.app);
        let life = i.cookie_life.days();
        let mut resets = Vec::new();
        let mut at = draw.exponential(life);
        while at < self.horizon && resets.len() < (1 << 20) - 1 {
            resets.push(at);
            at += draw.exponential(life);
        }
        Device { key: (u64::from(owner) << 4) | slot, app, resets }
    }
}

#[derive(Debug)]
pub(super) struct Household {
    pub(super) with_next: bool,
    pub(super) shares: bool,
    draw: Sampler,
}

/// A device and the days on which its cookie was deleted.
#[derive(Clone, Debug)]
pub(super) struct Device {
    key: u64,
    app: bool,
    resets: Vec<f64>,
}

impl Device {
    fn cookie(&self, at: f64) -> u64 {
        (self.key << 20) | self.resets.partition_point(|r| *r <= at) as u64
    }

    fn seen(&self) -> u64 {
        if self.app { self.key } else { NONE }
    }
}

#[derive(Clone, Copy, Debug)]
struct Touch {
    at: f64,
    channel: u16,
    order: u32,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    at: f64,
    /// The entry, or the touch that caused it: what accompanies it comes later.
    after: f64,
    caused_by: u16,
}

/// Space that one block's people use in turn.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    touches: Vec<Touch>,
    orders: Vec<Order>,
    carriers: Vec<usize>,
    devices: Vec<Device>,
    ids: Vec<(Namespace, u64)>,
}

/// What a person is like.
struct Traits {
    entered: f64,
    buyer: bool,
    rate: f64,
    dropout: f64,
    amount_rate: f64,
    dropped: f64,
    activity: f64,
}

/// Lives one life and appends its traces to the block.
pub(super) fn live(
    plan: &Plan,
    person: u32,
    shared: Option<&Device>,
    scratch: &mut Scratch,
    out: &mut Block,
) {
    let mut draw = Sampler::new(plan.streams.rng(u64::from(person) * 2));
    let draw = &mut draw;
    scratch.touches.clear();
    scratch.orders.clear();
    let p = &plan.options.purchases;
    let mut traits = Traits {
        entered: draw.uniform() * plan.end,
        activity: draw.gamma(plan.options.activity) / plan.options.activity,
        rate: draw.gamma(p.r) / p.alpha,
        dropout: draw.beta(p.a, p.b),
        amount_rate: draw.gamma(p.spend_q) / p.spend_gamma,
        buyer: draw.chance(p.buyers),
        dropped: f64::INFINITY,
    };
    if traits.buyer {
        traits.dropped = baseline(plan, &traits, draw, &mut scratch.orders);
    }
    reach(plan, &plan.open, traits.entered, traits.activity, draw, &mut scratch.touches);
    let (mut touch, mut order) = consequences(plan, &traits, (0, 0), draw, scratch);
    // Newsletters start with the first order, whatever brought it.
    let first = scratch.orders.iter().map(|o| o.at).fold(f64::INFINITY, f64::min);
    if first < plan.horizon {
        reach(plan, &plan.members, first, traits.activity, draw, &mut scratch.touches);
        (touch, order) = consequences(plan, &traits, (touch, order), draw, scratch);
    }
    debug_assert!(touch == scratch.touches.len() && order == scratch.orders.len());
    traces(plan, person, &traits, first, shared, draw, scratch, out);
}

/// Baseline orders: BG/NBD from the first order on. Returns the day of dropping out.
fn baseline(plan: &Plan, traits: &Traits, draw: &mut Sampler, orders: &mut Vec<Order>) -> f64 {
    let mut at = traits.entered + draw.exponential(plan.options.purchases.consideration.days());
    let mut first = true;
    while at < plan.horizon && orders.len() < MAX_ORDERS {
        orders.push(Order { at, after: traits.entered, caused_by: NO_CHANNEL });
        if !first && draw.chance(traits.dropout) {
            return at;
        }
        first = false;
        at += draw.exponential(1.0) / traits.rate;
    }
    f64::INFINITY
}

/// Touches by chance: a Poisson process from `from` to the horizon.
fn reach(
    plan: &Plan,
    channels: &(Vec<u16>, Vec<f64>),
    from: f64,
    activity: f64,
    draw: &mut Sampler,
    touches: &mut Vec<Touch>,
) {
    let (which, cumulative) = channels;
    let Some(total) = cumulative.last() else { return };
    let gap = 1.0 / (total * activity);
    let mut at = from + draw.exponential(gap);
    while at < plan.horizon {
        touches.push(Touch { at, channel: which[draw.pick(cumulative)], order: NO_ORDER });
        at += draw.exponential(gap);
    }
}

/// Orders bring touches that accompany them; touches bring orders and the
/// touches that follow visits; until nothing new comes.
fn consequences(
    plan: &Plan,
    traits: &Traits,
    from: (usize, usize),
    draw: &mut Sampler,
    scratch: &mut Scratch,
) -> (usize, usize) {
    let (mut t, mut o) = from;
    let Scratch { touches, orders, .. } = scratch;
    loop {
        if let Some(order) = orders.get(o).copied() {
            for channel in &plan.intents {
                let c = &plan.channels[*channel as usize];
                if draw.chance(c.intent) {
                    let mut at = order.at - draw.exponential(c.lead);
                    if at < order.after {
                        at = order.after + draw.uniform() * (order.at - order.after);
                    }
                    touches.push(Touch { at, channel: *channel, order: o as u32 });
                }
            }
            o += 1;
        } else if let Some(touch) = touches.get(t).copied() {
            let c = &plan.channels[touch.channel as usize];
            if draw.chance(c.effect) {
                let at = touch.at + draw.exponential(c.delay);
                // Who has dropped out is still reached, but no longer moved.
                if at < plan.horizon && at < traits.dropped && orders.len() < 2 * MAX_ORDERS {
                    orders.push(Order { at, after: touch.at, caused_by: touch.channel });
                }
            }
            if c.breeds_followers {
                for follower in &plan.followers {
                    let f = &plan.channels[*follower as usize];
                    if draw.chance(f.follow) {
                        let at = touch.at + draw.exponential(f.follow_delay);
                        if at < plan.horizon {
                            touches.push(Touch { at, channel: *follower, order: NO_ORDER });
                        }
                    }
                }
            }
            t += 1;
        } else {
            return (t, o);
        }
    }
}

/// Writes what can be seen of this life, and the truth of it.
#[allow(clippy::too_many_arguments)]
fn traces(
    plan: &Plan,
    person: u32,
    traits: &Traits,
    first_order: f64,
    shared: Option<&Device>,
    draw: &mut Sampler,
    scratch: &mut Scratch,
    out: &mut Block,
) {
    let identity = &plan.options.identity;
    let id = u64::from(person);
    let Scratch { touches, orders, carriers, devices, ids } = scratch;
    devices.clear();
    devices.push(plan.device(person, 0, draw));
    if draw.chance(identity.second_device) {
        devices.push(plan.device(person, 1, draw));
        if draw.chance(identity.third_device) {
            devices.push(plan.device(person, 2, draw));
        }
    }
    let own = devices.len() as u32;
    devices.extend(shared.cloned());
    let carrier = |draw: &mut Sampler| -> usize {
        if shared.is_some() && draw.chance(identity.shared_use) {
            return own as usize;
        }
        // The first device of a person's own is used twice as often as each other.
        (draw.below(own + 1) as usize).saturating_sub(1)
    };
    let member = draw.chance(identity.member);
    let account = if member { traits.entered } else { first_order };
    let two_emails = draw.chance(identity.second_email);
    let loyal = draw.chance(identity.loyalty);
    let email = |draw: &mut Sampler| 1 + u8::from(two_emails && draw.chance(0.25));
    carriers.clear();
    carriers.extend(orders.iter().map(|_| carrier(draw)));
    ids.clear();

    for touch in touches.iter() {
        let c = &plan.channels[touch.channel as usize];
        let on = match carriers.get(touch.order as usize) {
            Some(on) if draw.chance(0.7) => *on,
            _ => carrier(draw),
        };
        let known = touch.at >= account;
        let login = c.visit && known && draw.chance(identity.login);
        let email = if login || (c.knows_email && known) { email(draw) } else { 0 };
        let campaign = if c.campaigns == 0 { 0 } else { 1 + draw.below(u32::from(c.campaigns)) as u16 };
        if touch.at >= plan.end {
            continue;
        }
        let device = &devices[on];
        let event = RawEvent {
            time: plan.micros(touch.at),
            cookie: device.cookie(touch.at),
            device: device.seen(),
            person,
            channel: touch.channel,
            campaign,
            email,
            login,
        };
        note(ids, id, event.cookie, event.device, email, login);
        out.touches[touch.channel as usize] += 1;
        out.events.push(event);
    }

    let mut told = RawPerson {
        person,
        entered: plan.micros(traits.entered),
        buyer: traits.buyer,
        rate: traits.rate,
        dropout: traits.dropout,
        mean_amount: plan.options.purchases.spend_p / traits.amount_rate.max(1e-12),
        orders: 0,
        value: 0.0,
        alive: traits.dropped >= plan.end,
        expected_future: None,
        future_orders: 0,
        future_value: 0.0,
    };
    for (number, (order, on)) in orders.iter().zip(carriers.iter()).enumerate() {
        let amount = draw.gamma(plan.options.purchases.spend_p) / traits.amount_rate.max(1e-12);
        let value = ((amount * 100.0).round() / 100.0).clamp(0.01, 1e12);
        let store = draw.chance(identity.store);
        let mut phone = draw.chance(identity.order_phone);
        let login = !store && draw.chance(identity.order_login);
        let leaves_email = !store && draw.chance(identity.order_email);
        let email = if leaves_email { email(draw) } else { 0 };
        let loyalty = store && loyal;
        // Every order can be ascribed to someone: without a cookie or card, a receipt by telephone.
        phone |= store && !loyalty;
        let device = &devices[*on];
        let row = RawOrder {
            time: plan.micros(order.at),
            number: (id << 24) | number as u64,
            cookie: if store { NONE } else { device.cookie(order.at) },
            device: if store { NONE } else { device.seen() },
            person,
            caused_by: order.caused_by,
            email,
            login,
            phone,
            loyalty,
            store,
            value,
        };
        if order.at < plan.end {
            note(ids, id, row.cookie, row.device, email, login);
            if phone {
                ids.push((Namespace::Phone, id));
            }
            if loyalty {
                ids.push((Namespace::Loyalty, id));
            }
            told.orders += 1;
            told.value += value;
            out.orders.push(row);
        } else {
            told.future_orders += 1;
            told.future_value += value;
            out.holdout.push(row);
        }
    }
    if traits.buyer && told.orders > 0 {
        told.expected_future = Some(if told.alive { expected(plan, traits) } else { 0.0 });
    }
    ids.sort_unstable();
    ids.dedup();
    out.ids.extend(ids.iter().map(|(namespace, key)| RawId { namespace: *namespace, key: *key, person }));
    out.people.push(told);
}

/// Baseline orders to come while alive: (1 − e^(−λph))/p over h days.
fn expected(plan: &Plan, traits: &Traits) -> f64 {
    let h = plan.horizon - plan.end;
    let pace = traits.rate * h;
    if traits.dropout * pace < 1e-12 { pace } else { -exp_m1(-traits.dropout * pace) / traits.dropout }
}

fn note(ids: &mut Vec<(Namespace, u64)>, person: u64, cookie: u64, device: u64, email: u8, login: bool) {
    if cookie != NONE {
        ids.push((Namespace::Cookie, cookie));
    }
    if device != NONE {
        ids.push((Namespace::Device, device));
    }
    if email > 0 {
        ids.push((Namespace::Email, (person << 1) | u64::from(email - 1)));
    }
    if login {
        ids.push((Namespace::UserId, person));
    }
}
