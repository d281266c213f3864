//! A customer's touches against the same touches dealt anew.
//!
//! Each channel has one feature: how much of its touches still works,
//! y(t) = Σ_touches (1 − wear)^before 2^(−age / half-life). Dealt anew over the
//! customer's days, as the channel touches everybody at that time, the same
//! number of touches would give E y(t); the surprise w = y − E y is 0 on
//! average on every day. Between two changes everything is exponential, so that
//! the integrals are exact.

use super::calendar::{Calendar, Seen};
use super::course::{Course, Dealt, power};
use super::priming::Primer;
use super::sums::{Ask, Sums};
use super::weights::{Counts, Weights};
use crate::Result;
use crate::attribution::trust::lives::{Life, days};
use crate::journey::Journeys;
use crate::math::exp;
use crate::run::Run;

/// A channel's feature: the decay a day of what a touch does, and what each
/// earlier touch takes from it; of all touches, or of those that are primed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feature {
    pub(super) channel: usize,
    pub(super) decay: f64,
    pub(super) wear: f64,
    pub(super) primer: Option<Primer>,
}

/// What is known of all customers.
pub(super) struct Deck<'a> {
    pub(super) journeys: &'a Journeys,
    pub(super) excluded: &'a [bool],
    /// Channels that touch only those who have converted.
    pub(super) members: Vec<bool>,
    calendar: Calendar,
    weights: Weights,
    /// Days for which an earlier touch counts as one.
    window: f64,
}

/// One customer from the first touch that counts.
struct Watched {
    /// The day of the first touch after the calendar's start.
    offset: f64,
    days: f64,
    /// Days since the first touch, and channels; the first is the first touch itself.
    touches: Vec<(f64, usize)>,
    conversions: Vec<(f64, f64)>,
    /// From when channels for customers may touch.
    member: f64,
}

impl Watched {
    /// How many conversions there are.
    fn count(&self) -> f64 {
        self.conversions.iter().map(|c| c.1).sum()
    }

    /// How many touches there are of each channel beside the first one.
    fn dealt(&self, channels: usize) -> Vec<f64> {
        let mut count = vec![0.0; channels];
        for (_, channel) in self.touches.iter().skip(1) {
            count[*channel] += 1.0;
        }
        count
    }
}

impl<'a> Deck<'a> {
    pub(super) fn new(
        journeys: &'a Journeys,
        lives: &[Life],
        excluded: &'a [bool],
        step: f64,
        window: f64,
        run: &Run,
    ) -> Result<Self> {
        let channels = journeys.channel_count();
        let start = lives.iter().map(|l| l.first).min().unwrap_or(0);
        let end = lives.iter().map(|l| days(l.first.saturating_sub(start)) + l.days).fold(0.0, f64::max);
        let mut deck = Self {
            journeys,
            excluded,
            members: vec![false; channels],
            calendar: Calendar::new(start, end, step, channels)?,
            weights: Weights::default(),
            window,
        };
        let (mut all, mut early) = (vec![0.0; channels], vec![0.0; channels]);
        let mut counts = Counts::default();
        for watched in lives.iter().filter_map(|life| deck.watch(life)) {
            counts.add(watched.days, watched.count());
            for (at, channel) in &watched.touches {
                all[*channel] += 1.0;
                early[*channel] += f64::from(u8::from(*at < watched.member));
            }
        }
        deck.members = all.iter().zip(&early).map(|(all, early)| *all > 0.0 && *early < 0.01 * all).collect();
        deck.weights = counts.weights();
        let seen = deck.see(lives);
        deck.calendar.find(&seen, run)?;
        Ok(deck)
    }

    /// What the calendar is found from: the touches that are dealt.
    fn see(&self, lives: &[Life]) -> Vec<Seen> {
        let mut seen = self.calendar.unseen();
        for watched in lives.iter().filter_map(|life| self.watch(life)) {
            for (at, channel) in watched.touches.iter().skip(1) {
                seen[*channel].touch(watched.offset + at, self.calendar.step);
            }
            let count = watched.dealt(self.members.len());
            for (c, touches) in count.into_iter().enumerate().filter(|(_, n)| *n > 0.0) {
                let from = watched.offset + self.from(&watched, c);
                seen[c].customer(from, watched.offset + watched.days, touches);
            }
        }
        seen
    }

    /// From when a channel may touch a customer.
    fn from(&self, watched: &Watched, channel: usize) -> f64 {
        if self.members[channel] { watched.member.min(watched.days) } else { 0.0 }
    }

    fn watch(&self, life: &Life) -> Option<Watched> {
        let mine = life.touches().filter(|i| !self.excluded[self.journeys.steps[*i] as usize]);
        let mut touches: Vec<(f64, usize)> = mine
            .map(|i| {
                (days(self.journeys.times[i].saturating_sub(life.first)), self.journeys.steps[i] as usize)
            })
            .collect();
        let first = touches.first()?.0;
        touches.iter_mut().for_each(|t| t.0 -= first);
        let before = life.customer_before || life.conversions.first().is_some_and(|c| c.0 < first);
        let conversions: Vec<(f64, f64)> =
            life.conversions.iter().filter(|c| c.0 >= first).map(|c| (c.0 - first, c.1)).collect();
        let member = match (before, conversions.first()) {
            (true, _) => 0.0,
            (false, Some(first)) => first.0,
            (false, None) => f64::INFINITY,
        };
        let offset = days(life.first.saturating_sub(self.calendar.start)) + first;
        let days = life.days - first;
        (days > 0.0).then_some(Watched { offset, days, touches, conversions, member })
    }

    /// One customer's part.
    pub(super) fn deal(&self, life: &Life, features: &[Feature], ask: &Ask, out: &mut Sums) {
        let Some(watched) = self.watch(life) else { return };
        let weigh = |n: f64| self.weights.of(watched.days, n);
        let all = watched.count();
        let weight = weigh(all);
        out.days += watched.days * weight;
        // A conversion scatters by its rate: the square of its weight.
        out.scatter +=
            watched.conversions.iter().map(|(_, n)| n * weigh(all - n) * weigh(all - n)).sum::<f64>();
        if !ask.products && watched.conversions.is_empty() {
            return;
        }
        if ask.products {
            self.expose(&watched, features, out);
        }
        let hand = Hand::new(self, &watched);
        let active: Vec<(usize, Feature)> =
            features.iter().copied().enumerate().filter(|(_, f)| hand.tells(f)).collect();
        if active.is_empty() {
            return;
        }
        let worn = active.iter().any(|(_, f)| f.wear > 0.0);
        let mut course = Course::new(ask, active);
        let mut dealt = vec![Dealt::default(); self.members.len()];
        let mut reached = vec![0.0; self.members.len()];
        let mut before = Before::new(self.members.len(), self.window);
        before.count(watched.touches[0].1, 0.0);
        let (mut touch, mut sale, mut now) = (1, 0, 0.0);
        let mut primed = vec![0.0; course.primers.len()];
        for next in self.edges(&watched, worn, &course.primers) {
            if next > now {
                hand.deal((now, next), worn, &mut reached, &mut dealt);
                let middle = f64::midpoint(now, next);
                primed.iter_mut().zip(&course.primers).for_each(|(x, p)| *x = hand.primed(p, middle));
                course.pass(next - now, &dealt, &primed);
            }
            now = next;
            while let Some((_, channel)) = watched.touches.get(touch).filter(|t| t.0 <= now) {
                let earlier = before.count(*channel, now);
                course.touch(*channel, earlier, |primer| before.primed(primer, now));
                touch += 1;
            }
            while let Some((_, count)) = watched.conversions.get(sale).filter(|s| s.0 <= now) {
                course.convert(*count, weigh(all - count), out);
                sale += 1;
            }
        }
        course.end([weight, self.weights.step(watched.days, all)], out);
    }

    /// What all touches, the first too, do until the end of observation.
    fn expose(&self, watched: &Watched, features: &[Feature], out: &mut Sums) {
        let mut before = Before::new(self.members.len(), self.window);
        for (at, channel) in &watched.touches {
            let earlier = before.count(*channel, *at);
            let counts = |f: &Feature| {
                f.channel == *channel && f.primer.is_none_or(|primer| before.primed(&primer, *at))
            };
            for (f, feature) in features.iter().enumerate().filter(|(_, f)| counts(f)) {
                let seen = (1.0 - exp(-feature.decay * (watched.days - at))) / feature.decay;
                let fresh = power(1.0 - feature.wear, earlier);
                out.exposure[f] += fresh * seen;
                out.started[f] += fresh;
            }
        }
    }

    /// The instants at which anything changes, in order, the end last.
    fn edges(&self, watched: &Watched, worn: bool, primers: &[Primer]) -> Vec<f64> {
        let mut edges: Vec<f64> = watched.touches.iter().skip(1).map(|t| t.0).collect();
        edges.extend(watched.conversions.iter().map(|c| c.0));
        let step = self.calendar.step;
        let first = (watched.offset / step).floor() + 1.0;
        let steps = ((watched.offset + watched.days) / step - first).ceil().max(0.0) as usize;
        edges.extend((0..steps).map(|k| (first + k as f64) * step - watched.offset));
        // How many earlier touches there are changes fast at first.
        let early = primers.iter().map(|p| p.window).fold(if worn { self.window } else { 0.0 }, f64::max);
        edges.extend((1..).map(f64::from).take_while(|d| *d < early));
        edges.extend(primers.iter().map(|p| p.window));
        edges.push(watched.member);
        edges.retain(|d| *d < watched.days);
        edges.push(watched.days);
        edges.sort_by(f64::total_cmp);
        edges
    }
}

/// A customer's touches but the first, to be dealt anew by the calendar.
struct Hand<'a> {
    deck: &'a Deck<'a>,
    watched: &'a Watched,
    /// By channel: how many, and how often the channel touches in the time in which it may.
    count: Vec<f64>,
    whole: Vec<f64>,
}

impl<'a> Hand<'a> {
    fn new(deck: &'a Deck<'a>, watched: &'a Watched) -> Self {
        let channels = deck.members.len();
        let mut hand = Self { deck, watched, count: watched.dealt(channels), whole: Vec::new() };
        hand.whole = (0..channels).map(|c| hand.reach(c, watched.days)).collect();
        hand
    }

    /// Whether there is anything of a channel to be dealt.
    fn holds(&self, channel: usize) -> bool {
        self.count[channel] > 0.0 && self.whole[channel] > 0.0
    }

    /// Whether a feature may be otherwise than expected.
    fn tells(&self, feature: &Feature) -> bool {
        let primes = |p: Primer| self.holds(p.channel) || self.watched.touches[0].1 == p.channel;
        self.holds(feature.channel) && feature.primer.is_none_or(primes)
    }

    /// The chance that there is a touch of the primer in the days before one.
    fn primed(&self, primer: &Primer, day: f64) -> f64 {
        let Primer { channel, window } = *primer;
        if self.watched.touches[0].1 == channel && day < window {
            return 1.0;
        }
        if !self.holds(channel) {
            return 0.0;
        }
        let near = (self.reach(channel, day) - self.reach(channel, day - window)) / self.whole[channel];
        1.0 - power(1.0 - near.clamp(0.0, 1.0), self.count[channel] as usize)
    }

    /// How often a channel touches from when it may up to a day.
    fn reach(&self, channel: usize, to: f64) -> f64 {
        let start = self.watched.offset + self.deck.from(self.watched, channel);
        let to = (self.watched.offset + to).max(start);
        self.deck.calendar.up_to(channel, to) - self.deck.calendar.up_to(channel, start)
    }

    /// How each channel's touches are dealt from one day to the next; `reached` holds what
    /// [`Hand::reach`] gave for the first, and then for the second.
    fn deal(&self, (now, next): (f64, f64), worn: bool, reached: &mut [f64], dealt: &mut [Dealt]) {
        let (middle, window) = (f64::midpoint(now, next), self.deck.window);
        let first = self.watched.touches[0].1;
        for channel in (0..dealt.len()).filter(|c| self.holds(*c)) {
            let whole = self.whole[channel];
            let until = self.reach(channel, next);
            let near = || (self.reach(channel, middle) - self.reach(channel, middle - window)) / whole;
            dealt[channel] = Dealt {
                count: self.count[channel],
                here: (until - reached[channel]) / whole / (next - now),
                near: if worn { near().min(1.0) } else { 0.0 },
                after_first: channel == first && middle < window,
            };
            reached[channel] = until;
        }
    }
}

/// Earlier touches of each channel within the window.
struct Before {
    times: Vec<Vec<f64>>,
    heads: Vec<usize>,
    window: f64,
}

impl Before {
    fn new(channels: usize, window: f64) -> Self {
        Self { times: vec![Vec::new(); channels], heads: vec![0; channels], window }
    }

    /// Takes a touch in; how many there were before it.
    fn count(&mut self, channel: usize, at: f64) -> usize {
        let (times, head) = (&mut self.times[channel], &mut self.heads[channel]);
        while times.get(*head).is_some_and(|t| at - t >= self.window) {
            *head += 1;
        }
        let earlier = times.len() - *head;
        times.push(at);
        earlier
    }

    /// Whether the primer touched before a day, and within its window.
    fn primed(&self, primer: &Primer, at: f64) -> bool {
        let last = self.times[primer.channel].iter().rev().find(|t| **t < at);
        last.is_some_and(|t| at - t < primer.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::trust::lives::lives;
    use crate::column::Columns;
    use crate::journey::{EventOptions, Moment};
    use crate::run::{split_mix, unit_open};

    const LENGTH: f64 = 40.0;

    /// Conversions.
    const SALES: [f64; 2] = [4.0, 12.5];

    /// One customer: touches of `a` and of `b` on these days, two conversions.
    fn journeys(a: &[f64], b: &[f64]) -> Journeys {
        let mut touches: Vec<(f64, &str)> = a.iter().map(|d| (*d, "a")).collect();
        touches.extend(b.iter().map(|d| (*d, "b")));
        let instant = |d: f64| (d * 86_400e6) as i64;
        let frame = Columns::new()
            .with("customer", vec!["x"; touches.len()])
            .with("time", crate::column::Data::times(touches.iter().map(|t| instant(t.0)).collect()))
            .with("channel", touches.iter().map(|t| t.1).collect::<Vec<_>>());
        let sales = Columns::new()
            .with("customer", vec!["x"; 2])
            .with("time", crate::column::Data::times(SALES.map(instant).to_vec()));
        let options =
            EventOptions { observation_end: Some(Moment(instant(LENGTH))), ..EventOptions::default() };
        Journeys::from_events(&frame, Some(&sales), &options, &Run::new()).unwrap()
    }

    /// What works of touches of channels on these days, at a day.
    fn works(days: &[Vec<f64>; 2], feature: &Feature, window: f64, at: f64) -> f64 {
        let mine = &days[feature.channel];
        let primed = |day: f64| {
            feature.primer.is_none_or(|p| days[p.channel].iter().any(|d| *d < day && day - d < p.window))
        };
        let mut sum = 0.0;
        for (i, day) in mine.iter().enumerate().filter(|(_, day)| **day <= at && primed(**day)) {
            let earlier = mine[..i].iter().filter(|d| day - **d < window).count();
            sum += power(1.0 - feature.wear, earlier) * exp(-feature.decay * (at - day));
        }
        sum
    }

    #[test]
    fn integrals_are_those_of_touches_dealt_many_times() {
        let days = [vec![0.0, 2.0, 3.0, 10.0, 11.0, 30.0], vec![1.5, 6.0, 20.0]];
        let made = journeys(&days[0], &days[1]);
        let excluded = [false; 2];
        let lives = lives(&made, Some(Moment((LENGTH * 86_400e6) as i64)), &[false; 2]).unwrap();
        let window = 9.0;
        let deck = Deck::new(&made, &lives, &excluded, 14.0, window, &Run::new()).unwrap();
        let feature = |channel, decay, wear, primer: Option<(usize, f64)>| Feature {
            channel,
            decay,
            wear,
            primer: primer.map(|(channel, window)| Primer { channel, window }),
        };
        // The last is primed by the first touch too, which is not dealt.
        let features = [
            feature(0, 0.25, 0.3, None),
            feature(0, 0.1, 0.0, None),
            feature(0, 0.25, 0.3, Some((1, 6.0))),
            feature(1, 0.1, 0.0, Some((0, 2.5))),
        ];
        let n = features.len();
        let mut sums = Sums::new(n);
        deck.deal(&lives[0], &features, &Ask { products: true, core: n }, &mut sums);
        // Another shape of a channel, behind a core, has the products that it would have within one.
        let behind = [features[3], features[0], features[2]];
        let mut part = Sums::new(3);
        deck.deal(&lives[0], &behind, &Ask { products: true, core: 1 }, &mut part);
        for (a, f) in [3, 0, 2].into_iter().enumerate() {
            for (b, g) in [3, 0, 2].into_iter().enumerate() {
                let (x, y) = (part.plain.square[a * 3 + b], sums.plain.square[f * n + g]);
                assert!((x - y).abs() < 1e-12 * y.abs().max(1.0), "{f} {g}: {x} {y}");
            }
        }
        // A channel's calendar is this customer's: of a 4 of 5 in the first fortnight, 1 in the third; of b 2 of 3
        // in the first, 1 in the second.
        let deal = |bits: u64, all: f64, early: f64, late: f64, width: f64| {
            let u = unit_open(split_mix(bits)) * all;
            if u < early { u / early * 14.0 } else { late + (u - early) * width }
        };
        let (rounds, step) = (4_000_u64, 0.1);
        let grid: Vec<f64> = (0..400).map(|k| (f64::from(k) + 0.5) * step).collect();
        let mut expected = vec![[0.0; 4]; grid.len()];
        let mut at_sales = [[0.0; 4]; 2];
        // The first touch is no surprise.
        let first = |f: usize, t: f64| match features[f] {
            Feature { channel: 0, decay, primer: None, .. } => exp(-decay * t),
            _ => 0.0,
        };
        for round in 0..rounds {
            let mut a: Vec<f64> = (0..5).map(|k| deal(round * 8 + k, 5.0, 4.0, 28.0, 12.0)).collect();
            let mut b: Vec<f64> = (5..8).map(|k| deal(round * 8 + k, 3.0, 2.0, 14.0, 14.0)).collect();
            a.push(0.0);
            a.sort_by(f64::total_cmp);
            b.sort_by(f64::total_cmp);
            let dealt = [a, b];
            for (f, feature) in features.iter().enumerate() {
                let more = |t: f64| (works(&dealt, feature, window, t) - first(f, t)) / rounds as f64;
                grid.iter().zip(&mut expected).for_each(|(t, e)| e[f] += more(*t));
                SALES.iter().zip(&mut at_sales).for_each(|(t, e)| e[f] += more(*t));
            }
        }
        let seen = |f: usize, t: f64| works(&days, &features[f], window, t) - first(f, t);
        for f in 0..n {
            let moment: f64 = SALES.iter().zip(&at_sales).map(|(t, e)| seen(f, *t) - e[f]).sum();
            assert!((sums.plain.moments[f] - moment).abs() < 0.06, "{f}: {} {moment}", sums.plain.moments[f]);
            for g in 0..n {
                let square: f64 = grid
                    .iter()
                    .zip(&expected)
                    .map(|(t, e)| (seen(f, *t) - e[f]) * (seen(g, *t) - e[g]) * step)
                    .sum();
                let found = sums.plain.square[f * n + g];
                assert!((found - square).abs() < 0.03 * square.abs() + 0.1, "{f} {g}: {found} {square}");
            }
            let exposure: f64 = grid.iter().map(|t| works(&days, &features[f], window, *t) * step).sum();
            assert!((sums.exposure[f] - exposure).abs() < 0.01 * exposure, "{} {exposure}", sums.exposure[f]);
        }
    }
}
