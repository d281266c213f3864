//! One person: what they are like, and the traces that their life leaves.

use super::block::{Block, Namespace, RawEvent, RawId, RawOrder, RawPerson};
use super::life::{Life, conceive};
use super::options::{FollowOn, MarketOptions, RESPONSIVENESS_LIMIT};
use crate::column::DAY;
use crate::math::exp_m1;
use crate::math::sample::Sampler;
use crate::{Result, Run};

/// No channel, no order, no identifier.
pub(super) const NONE: u64 = u64::MAX;
pub(super) const NO_CHANNEL: u16 = u16::MAX;
const LN_2: f64 = std::f64::consts::LN_2;

/// A channel in the units of the simulation: days.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) effect: f64,
    /// The most that synergy can make of the effect.
    pub(super) most: f64,
    pub(super) delay: f64,
    pub(super) intent: f64,
    pub(super) lead: f64,
    pub(super) follow: f64,
    pub(super) follow_delay: f64,
    pub(super) follows_intent: bool,
    pub(super) breeds_followers: bool,
    pub(super) saturation: f64,
    pub(super) saturation_window: f64,
    /// Channel, factor, days.
    pub(super) synergy: Vec<(u16, f64, f64)>,
    pub(super) customers_only: bool,
    pub(super) off: bool,
    visit: bool,
    knows_email: bool,
    campaigns: u16,
}

/// Channels that touch by chance: their indices, and cumulative touches a day.
pub(super) type Reach = (Vec<u16>, Vec<f64>);

/// The options made ready.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) options: MarketOptions,
    pub(super) start: i64,
    streams: Run,
    pub(super) channels: Vec<Channel>,
    /// Channels that reach anyone, of those who do not buy by themselves and of those who do.
    pub(super) open: [Reach; 2],
    /// The same of channels that reach customers.
    pub(super) members: [Reach; 2],
    pub(super) intents: Vec<u16>,
    pub(super) followers: Vec<u16>,
    /// Whether every touch has its channel's effect whatever came before, and every channel is on.
    pub(super) additive: bool,
    pub(super) end: f64,
    pub(super) horizon: f64,
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
                most: c.effect * c.most_synergy(),
                delay: c.carry_over.days() / LN_2,
                intent: c.intent,
                lead: c.intent_lead.days(),
                follow: c.follow,
                follow_delay: c.follow_delay.days(),
                follows_intent: c.follow_on == FollowOn::Intent,
                breeds_followers: c.visit && c.follow == 0.0,
                saturation: c.saturation,
                saturation_window: c.saturation_window.days(),
                synergy: c
                    .synergy
                    .iter()
                    .filter_map(|s| Some((options.channel(&s.after)? as u16, s.factor, s.within.days())))
                    .collect(),
                customers_only: c.customers_only,
                off: options.off.contains(&c.name),
                visit: c.visit,
                knows_email: c.knows_email,
                campaigns: c.campaigns,
            })
            .collect();
        let reach = |customers_only: bool, buyer: bool| {
            let (mut which, mut cumulative, mut total) = (Vec::new(), Vec::new(), 0.0);
            for (at, c) in options.channels.iter().enumerate() {
                if c.customers_only == customers_only && c.reach > 0.0 {
                    total += c.reach / 30.0 * c.targeted(buyer, options.purchases.buyers);
                    which.push(at as u16);
                    cumulative.push(total);
                }
            }
            (which, cumulative)
        };
        let additive = options.responsiveness.is_none()
            && options.off.is_empty()
            && options.channels.iter().all(|c| c.saturation == 0.0 && c.synergy.is_empty());
        let chosen = |p: fn(&Channel) -> f64| {
            (0..channels.len()).filter(|i| p(&channels[*i]) > 0.0).map(|i| i as u16).collect()
        };
        let end = f64::from(options.days);
        Ok(Self {
            start,
            streams: Run::new().seed(options.seed),
            open: [reach(false, false), reach(false, true)],
            members: [reach(true, false), reach(true, true)],
            intents: chosen(|c| c.intent),
            followers: chosen(|c| c.follow),
            channels,
            additive,
            end,
            horizon: end + f64::from(options.holdout_days),
            options,
        })
    }

    pub(super) fn micros(&self, days: f64) -> i64 {
        self.start + (days * DAY as f64).floor() as i64
    }

    /// Days since the start of an instant in microseconds.
    pub(super) fn day(&self, micros: i64) -> f64 {
        (micros - self.start) as f64 / DAY as f64
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

/// Space that one block's people use in turn.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) life: Life,
    carriers: Vec<usize>,
    devices: Vec<Device>,
    ids: Vec<(Namespace, u64)>,
}

/// What a person is like.
pub(super) struct Traits {
    pub(super) entered: f64,
    pub(super) buyer: bool,
    pub(super) rate: f64,
    pub(super) dropout: f64,
    pub(super) dropped: f64,
    pub(super) activity: f64,
    pub(super) response: f64,
    amount_rate: f64,
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
    let p = &plan.options.purchases;
    let mut traits = Traits {
        entered: draw.uniform() * plan.end,
        activity: draw.gamma(plan.options.activity) / plan.options.activity,
        rate: draw.gamma(p.r) / p.alpha,
        dropout: draw.beta(p.a, p.b),
        amount_rate: draw.gamma(p.spend_q) / p.spend_gamma,
        buyer: draw.chance(p.buyers),
        dropped: f64::INFINITY,
        response: 1.0,
    };
    if let Some(shape) = plan.options.responsiveness {
        traits.response = (draw.gamma(shape) / shape).min(RESPONSIVENESS_LIMIT);
    }
    conceive(plan, &mut traits, draw, &mut scratch.life);
    traces(plan, person, &traits, shared, draw, scratch, out);
}

/// Writes what can be seen of this life, and the truth of it.
///
/// What does not come to pass is drawn all the same, so that the rest of a life
/// does not change when a channel is switched off.
fn traces(
    plan: &Plan,
    person: u32,
    traits: &Traits,
    shared: Option<&Device>,
    draw: &mut Sampler,
    scratch: &mut Scratch,
    out: &mut Block,
) {
    let identity = &plan.options.identity;
    let id = u64::from(person);
    let Scratch { life, carriers, devices, ids } = scratch;
    let Life { touches, orders, real, .. } = life;
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
    let possible_account = if member { traits.entered } else { life.first_possible };
    let account = if member { traits.entered } else { real.first };
    let two_emails = draw.chance(identity.second_email);
    let loyal = draw.chance(identity.loyalty);
    let email = |draw: &mut Sampler| 1 + u8::from(two_emails && draw.chance(0.25));
    carriers.clear();
    carriers.extend(orders.iter().map(|_| carrier(draw)));
    ids.clear();

    for (touch, comes) in touches.iter().zip(&real.touches) {
        let c = &plan.channels[touch.channel as usize];
        let on = match carriers.get(touch.order as usize) {
            Some(on) if draw.chance(0.7) => *on,
            _ => carrier(draw),
        };
        let known = touch.at >= possible_account;
        let mut login = c.visit && known && draw.chance(identity.login);
        let mut email = if login || (c.knows_email && known) { email(draw) } else { 0 };
        let campaign = if c.campaigns == 0 { 0 } else { 1 + draw.below(u32::from(c.campaigns)) as u16 };
        if touch.at >= plan.end || !comes {
            continue;
        }
        if touch.at < account {
            (login, email) = (false, 0);
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
    for (number, (order, on)) in orders.iter_mut().zip(carriers.iter()).enumerate() {
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
        order.value = value;
        if !real.orders[number] {
            continue;
        }
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
