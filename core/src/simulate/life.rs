//! Touches and orders of one life, and which of them come to pass.
//!
//! A life is drawn as everything that *could* happen: each touch that could
//! cause an order at the most favourable history has one, with all that this
//! order would bring. [`Life::settle`] then goes through it in the order of time
//! and keeps what comes to pass: a touch causes its order when its draw lies
//! below its effect given what came before. So the same draws tell what would
//! have happened with a channel switched off.

use super::person::{NO_CHANNEL, Plan, Reach, Traits};
use crate::math::pow;
use crate::math::sample::Sampler;

/// No order, no touch.
const NONE: u32 = u32::MAX;
/// A safety limit far beyond any real customer; the key of an order has 24 bits for its number.
const MAX_ORDERS: usize = 1 << 22;

#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub(super) at: f64,
    pub(super) channel: u16,
    /// The order that it accompanies.
    pub(super) order: u32,
    /// The touch that it follows.
    parent: u32,
    /// The order that it may cause, and the draw that decides.
    causes: u32,
    chance: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) at: f64,
    /// The entry, or the touch that caused it: what accompanies it comes later.
    after: f64,
    pub(super) caused_by: u16,
    /// Known once the traces are written.
    pub(super) value: f64,
}

/// What comes to pass of a life, and the first order of that.
#[derive(Debug, Default)]
pub(super) struct Real {
    pub(super) touches: Vec<bool>,
    pub(super) orders: Vec<bool>,
    pub(super) first: f64,
}

/// A channel switched off from one day to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Off {
    pub(super) channel: u16,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// Everything that could happen to one person, and what does.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) touches: Vec<Touch>,
    pub(super) orders: Vec<Order>,
    pub(super) real: Real,
    pub(super) first_possible: f64,
    /// Orders before this one need no touch.
    baseline: usize,
    response: f64,
    by_time: Vec<u32>,
    history: Vec<History>,
}

/// One channel's touches so far.
#[derive(Clone, Debug, Default)]
struct History {
    times: Vec<f64>,
    /// The first within the saturation window.
    head: usize,
}

/// Draws a life.
pub(super) fn conceive(plan: &Plan, traits: &mut Traits, draw: &mut Sampler, life: &mut Life) {
    life.touches.clear();
    life.orders.clear();
    life.by_time.clear();
    if traits.buyer {
        traits.dropped = baseline(plan, traits, draw, &mut life.orders);
    }
    life.baseline = life.orders.len();
    life.response = traits.response;
    let who = usize::from(traits.buyer);
    reach(plan, &plan.open[who], traits.entered, traits.activity, draw, &mut life.touches);
    let (mut touch, mut order) = consequences(plan, traits, (0, 0), draw, life);
    // Newsletters start with the first order, whatever brought it.
    let first = life.orders.iter().map(|o| o.at).fold(f64::INFINITY, f64::min);
    if first < plan.horizon {
        reach(plan, &plan.members[who], first, traits.activity, draw, &mut life.touches);
        (touch, order) = consequences(plan, traits, (touch, order), draw, life);
    }
    debug_assert!(touch == life.touches.len() && order == life.orders.len());
    life.first_possible = first;
    let mut real = std::mem::take(&mut life.real);
    if plan.additive {
        real.touches.clear();
        real.touches.resize(life.touches.len(), true);
        real.orders.clear();
        real.orders.resize(life.orders.len(), true);
        real.first = first;
    } else {
        life.settle(plan, None, &mut real);
    }
    life.real = real;
}

/// Baseline orders: BG/NBD from the first order on. Returns the day of dropping out.
fn baseline(plan: &Plan, traits: &Traits, draw: &mut Sampler, orders: &mut Vec<Order>) -> f64 {
    let mut at = traits.entered + draw.exponential(plan.options.purchases.consideration.days());
    let mut first = true;
    while at < plan.horizon && orders.len() < MAX_ORDERS {
        orders.push(Order { at, after: traits.entered, caused_by: NO_CHANNEL, value: 0.0 });
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
    channels: &Reach,
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
        touches.push(Touch::by_chance(at, which[draw.pick(cumulative)]));
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
    life: &mut Life,
) -> (usize, usize) {
    let (mut t, mut o) = from;
    let Life { touches, orders, .. } = life;
    loop {
        if let Some(order) = orders.get(o).copied() {
            for channel in &plan.intents {
                let c = &plan.channels[*channel as usize];
                if draw.chance(c.intent) {
                    let mut at = order.at - draw.exponential(c.lead);
                    if at < order.after {
                        at = order.after + draw.uniform() * (order.at - order.after);
                    }
                    touches.push(Touch { order: o as u32, ..Touch::by_chance(at, *channel) });
                }
            }
            o += 1;
        } else if let Some(touch) = touches.get(t).copied() {
            let c = &plan.channels[touch.channel as usize];
            let chance = draw.uniform();
            if chance < (c.most * traits.response).min(1.0) {
                let at = touch.at + draw.exponential(c.delay);
                // Who has dropped out is still reached, but no longer moved.
                if at < plan.horizon && at < traits.dropped && orders.len() < 2 * MAX_ORDERS {
                    touches[t].causes = orders.len() as u32;
                    touches[t].chance = chance;
                    orders.push(Order { at, after: touch.at, caused_by: touch.channel, value: 0.0 });
                }
            }
            if c.breeds_followers {
                for follower in &plan.followers {
                    let f = &plan.channels[*follower as usize];
                    if f.follows_intent && touch.order == NONE {
                        continue;
                    }
                    if draw.chance(f.follow) {
                        let at = touch.at + draw.exponential(f.follow_delay);
                        if at < plan.horizon {
                            touches.push(Touch { parent: t as u32, ..Touch::by_chance(at, *follower) });
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

impl Touch {
    fn by_chance(at: f64, channel: u16) -> Self {
        Self { at, channel, order: NONE, parent: NONE, causes: NONE, chance: 0.0 }
    }
}

impl Off {
    pub(super) fn covers(self, touch: &Touch) -> bool {
        self.channel == touch.channel && (self.from..self.to).contains(&touch.at)
    }
}

impl Life {
    /// Whether any touch could cause an order.
    pub(super) fn can_be_moved(&self) -> bool {
        self.orders.len() > self.baseline
    }

    /// What comes to pass, with `off` switched off.
    ///
    /// What a touch brings is never earlier than the touch, and stands behind
    /// it, so one pass in the order of time and number decides everything.
    pub(super) fn settle(&mut self, plan: &Plan, off: Option<Off>, real: &mut Real) {
        let Self { touches, orders, by_time, history, response, .. } = self;
        if by_time.len() != touches.len() {
            by_time.clear();
            by_time.extend(0..touches.len() as u32);
            by_time.sort_unstable_by(|a, b| {
                touches[*a as usize].at.total_cmp(&touches[*b as usize].at).then(a.cmp(b))
            });
        }
        history.resize(plan.channels.len(), History::default());
        history.iter_mut().for_each(History::clear);
        real.touches.clear();
        real.touches.resize(touches.len(), false);
        real.orders.clear();
        real.orders.extend((0..orders.len()).map(|o| o < self.baseline));
        real.first = orders[..self.baseline].iter().map(|o| o.at).fold(f64::INFINITY, f64::min);
        for i in by_time.iter() {
            let touch = &touches[*i as usize];
            let c = &plan.channels[touch.channel as usize];
            let there = match (touch.order, touch.parent) {
                (NONE, NONE) => !c.customers_only || touch.at >= real.first,
                (NONE, parent) => real.touches[parent as usize],
                (order, _) => real.orders[order as usize],
            };
            if !there || c.off || off.is_some_and(|off| off.covers(touch)) {
                continue;
            }
            real.touches[*i as usize] = true;
            if touch.causes != NONE {
                let mut effect = c.effect;
                for (other, factor, within) in &c.synergy {
                    if history[*other as usize].times.last().is_some_and(|at| touch.at - at <= *within) {
                        effect *= factor;
                    }
                }
                if c.saturation > 0.0 {
                    let before = history[touch.channel as usize].since(touch.at - c.saturation_window);
                    effect *= pow(1.0 - c.saturation, before as f64);
                }
                if touch.chance < (effect * *response).min(1.0) {
                    let order = touch.causes as usize;
                    real.orders[order] = true;
                    real.first = real.first.min(orders[order].at);
                }
            }
            history[touch.channel as usize].times.push(touch.at);
        }
    }
}

impl History {
    fn clear(&mut self) {
        self.times.clear();
        self.head = 0;
    }

    /// How many touches there were from this day on.
    fn since(&mut self, day: f64) -> usize {
        while self.times.get(self.head).is_some_and(|at| *at < day) {
            self.head += 1;
        }
        self.times.len() - self.head
    }
}
