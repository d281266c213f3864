//! A customer's touches against the same touches dealt anew.
//!
//! Each channel has one feature: how much of its touches still works,
//! y(t) = Σ_touches (1 − wear)^before 2^(−age / half-life). Dealt anew over the
//! customer's days, as the channel touches everybody at that time, the same
//! number of touches would give E y(t); the surprise w = y − E y is 0 on
//! average on every day. Between two changes everything is exponential, so that
//! the integrals are exact.

use crate::attribution::trust::lives::{Life, days};
use crate::journey::Journeys;
use crate::math::{Factor, exp};

/// A channel's feature: the decay a day of what a touch does, and what each
/// earlier touch takes from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feature {
    pub(super) channel: usize,
    pub(super) decay: f64,
    pub(super) wear: f64,
}

/// What is known of all customers.
pub(super) struct Deck<'a> {
    pub(super) journeys: &'a Journeys,
    pub(super) excluded: &'a [bool],
    /// Channels that touch only those who have converted.
    members: Vec<bool>,
    calendar: Calendar,
    /// Days for which an earlier touch counts as one.
    window: f64,
}

/// How often each channel touches a customer, by calendar.
struct Calendar {
    start: i64,
    step: f64,
    /// By channel: touches a day up to the beginning of each step, one more than steps.
    sums: Vec<Vec<f64>>,
}

impl Calendar {
    /// ∫ of a channel's touches a day, from the start to a day.
    fn up_to(&self, channel: usize, day: f64) -> f64 {
        let sums = &self.sums[channel];
        let at = (day / self.step).max(0.0);
        let whole = (at as usize).min(sums.len() - 2);
        sums[whole] + (at - whole as f64) * (sums[whole + 1] - sums[whole])
    }
}

/// Turns in which the rates by calendar are found.
const CALENDAR_TURNS: usize = 8;

/// Touches that are expected in each step, where each customer's are dealt by these sums.
fn expected(customers: &[[f64; 3]], sums: &[f64], step: f64) -> Vec<f64> {
    let steps = sums.len() - 1;
    let mut out = vec![0.0; steps];
    for [from, to, count] in customers {
        let (first, last) = (((from / step) as usize).min(steps - 1), ((to / step) as usize).min(steps - 1));
        let part = |k: usize| {
            let inside = (to.min((k + 1) as f64 * step) - from.max(k as f64 * step)).max(0.0) / step;
            inside * (sums[k + 1] - sums[k])
        };
        let whole: f64 = (first..=last).map(part).sum();
        if whole > 0.0 {
            (first..=last).for_each(|k| out[k] += count * part(k) / whole);
        }
    }
    out
}

/// ∫ w wᵀ, Σ w at conversions, and what all touches do in the time that is seen.
pub(super) struct Sums {
    pub(super) square: Vec<f64>,
    pub(super) moments: Vec<f64>,
    pub(super) exposure: Vec<f64>,
    /// How much all touches begin to do.
    pub(super) started: Vec<f64>,
    /// Days watched, and conversions in them.
    pub(super) days: f64,
    pub(super) conversions: f64,
}

impl Sums {
    pub(super) fn new(p: usize) -> Self {
        Self {
            square: vec![0.0; p * p],
            moments: vec![0.0; p],
            exposure: vec![0.0; p],
            started: vec![0.0; p],
            days: 0.0,
            conversions: 0.0,
        }
    }

    /// θ = A⁻¹ v of the picked features, and v.
    pub(super) fn fit(&self, picked: &[usize]) -> (Vec<f64>, Vec<f64>) {
        let p = self.moments.len();
        let square: Vec<f64> =
            picked.iter().flat_map(|f| picked.iter().map(move |g| self.square[f * p + g])).collect();
        let moments: Vec<f64> = picked.iter().map(|f| self.moments[*f]).collect();
        (Factor::new(square, picked.len()).solve(&moments), moments)
    }

    /// Conversions a day.
    pub(super) fn rate(&self) -> f64 {
        if self.days > 0.0 { self.conversions / self.days } else { 0.0 }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.square, &other.square),
            (&mut self.moments, &other.moments),
            (&mut self.exposure, &other.exposure),
            (&mut self.started, &other.started),
        ];
        for (mine, theirs) in pairs {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
        self.days += other.days;
        self.conversions += other.conversions;
    }
}

/// What is asked of a customer beside Σ w at conversions.
pub(super) struct Ask {
    /// Products and exposures too.
    pub(super) products: bool,
    /// Products are those of so many first features with all, and squares.
    core: usize,
    /// 1 / (decay + decay) of two features.
    pairs: Vec<f64>,
}

impl Ask {
    pub(super) fn new(features: &[Feature], core: usize, products: bool) -> Self {
        let pairs =
            features.iter().flat_map(|f| features.iter().map(|g| 1.0 / (f.decay + g.decay))).collect();
        Self { products, core, pairs }
    }
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

impl<'a> Deck<'a> {
    pub(super) fn new(
        journeys: &'a Journeys,
        lives: &[Life],
        excluded: &'a [bool],
        step: f64,
        window: f64,
    ) -> Self {
        let channels = journeys.channel_count();
        let start = lives.iter().map(|l| l.first).min().unwrap_or(0);
        let end = lives.iter().map(|l| days(l.first.saturating_sub(start)) + l.days).fold(0.0, f64::max);
        let steps = (end / step).ceil().max(1.0) as usize;
        let mut deck = Self {
            journeys,
            excluded,
            members: vec![false; channels],
            calendar: Calendar { start, step, sums: vec![vec![0.0; steps + 1]; channels] },
            window,
        };
        let (mut all, mut early) = (vec![0.0; channels], vec![0.0; channels]);
        for watched in lives.iter().filter_map(|life| deck.watch(life)) {
            for (at, channel) in &watched.touches {
                all[*channel] += 1.0;
                early[*channel] += f64::from(u8::from(*at < watched.member));
            }
        }
        deck.members = all.iter().zip(&early).map(|(all, early)| *all > 0.0 && *early < 0.01 * all).collect();
        deck.calendar.sums = deck.rates(lives, steps);
        deck
    }

    /// How often each channel touches in each step of the calendar, summed up: as often as
    /// it did, given how often it touched each customer (the conditional likelihood of a
    /// Poisson process with a rate for each customer). Customers who are touched often are
    /// watched longer, so touches per customer would fall with time by themselves.
    fn rates(&self, lives: &[Life], steps: usize) -> Vec<Vec<f64>> {
        let step = self.calendar.step;
        let channels = self.members.len();
        let mut touches = vec![vec![0.0; steps]; channels];
        // Of each channel: customers' days from, to, and how often they were touched then.
        let mut customers: Vec<Vec<[f64; 3]>> = vec![Vec::new(); channels];
        for watched in lives.iter().filter_map(|life| self.watch(life)) {
            let mut count = vec![0.0; channels];
            for (at, channel) in watched.touches.iter().skip(1) {
                let k = ((watched.offset + at) / step) as usize;
                touches[*channel][k.min(steps - 1)] += 1.0;
                count[*channel] += 1.0;
            }
            for (c, n) in count.into_iter().enumerate().filter(|(_, n)| *n > 0.0) {
                let from = if self.members[c] { watched.member.min(watched.days) } else { 0.0 };
                customers[c].push([watched.offset + from, watched.offset + watched.days, n]);
            }
        }
        let mut out = vec![(0..=steps).map(|k| k as f64).collect::<Vec<f64>>(); channels];
        for ((sums, touches), customers) in out.iter_mut().zip(&touches).zip(&customers) {
            for _ in 0..CALENDAR_TURNS {
                let expected = expected(customers, sums, step);
                let mut sum = 0.0;
                let rates: Vec<f64> = sums.windows(2).map(|pair| pair[1] - pair[0]).collect();
                for (k, rate) in rates.iter().enumerate() {
                    sum += if expected[k] > 0.0 { rate * touches[k] / expected[k] } else { 0.0 };
                    sums[k + 1] = sum;
                }
            }
        }
        out
    }

    fn watch(&self, life: &Life) -> Option<Watched> {
        let mine = life.touches.clone().filter(|i| !self.excluded[self.journeys.steps[*i] as usize]);
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
        out.days += watched.days;
        out.conversions += watched.conversions.iter().map(|c| c.1).sum::<f64>();
        if !ask.products && watched.conversions.is_empty() {
            return;
        }
        let channels = self.members.len();
        let mut count = vec![0.0; channels];
        for (_, channel) in watched.touches.iter().skip(1) {
            count[*channel] += 1.0;
        }
        let from: Vec<f64> = self.members.iter().map(|m| if *m { watched.member } else { 0.0 }).collect();
        // Touches by calendar from when the channel may touch, and as many as this customer had.
        let reach = |channel: usize, to: f64| -> f64 {
            let start = watched.offset + from[channel].min(watched.days);
            let to = (watched.offset + to).max(start);
            self.calendar.up_to(channel, to) - self.calendar.up_to(channel, start)
        };
        let whole: Vec<f64> = (0..channels).map(|c| reach(c, watched.days)).collect();
        let active: Vec<usize> = (0..features.len())
            .filter(|f| count[features[*f].channel] > 0.0 && whole[features[*f].channel] > 0.0)
            .collect();
        if ask.products {
            self.expose(&watched, features, out);
        }
        if active.is_empty() {
            return;
        }
        let worn = active.iter().any(|f| features[*f].wear > 0.0);
        let edges = self.edges(&watched, worn);
        let first_channel = watched.touches[0].1;
        let n = active.len();
        let core = active.iter().filter(|f| **f < ask.core).count();
        let p = features.len();
        let mut surprise = vec![0.0; n];
        let (mut level, mut sum, mut left, mut inside) =
            (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        // Many features share a decay: each is worked out once.
        let mut decays: Vec<f64> = active.iter().map(|f| features[*f].decay).collect();
        decays.sort_by(f64::total_cmp);
        decays.dedup();
        let which: Vec<usize> =
            active.iter().map(|f| decays.partition_point(|d| *d < features[*f].decay)).collect();
        let mut shares = vec![[0.0; 2]; channels];
        let mut lasting = vec![0.0; decays.len()];
        let mut square = vec![0.0; n * n];
        let (mut touch, mut sale, mut now) = (1, 0, 0.0);
        let mut before = Before::new(channels, self.window);
        before.count(first_channel, 0.0);
        for next in edges {
            let span = next - now;
            if span > 0.0 {
                let middle = now + span / 2.0;
                for (lasting, decay) in lasting.iter_mut().zip(&decays) {
                    *lasting = exp(-decay * span);
                }
                // Of a customer's touches of a channel: those dealt here a day, and those near.
                for (channel, [here, near]) in shares.iter_mut().enumerate().filter(|(c, _)| count[*c] > 0.0)
                {
                    let part = |from: f64, to: f64| {
                        let whole = whole[channel];
                        if whole > 0.0 { (reach(channel, to) - reach(channel, from)) / whole } else { 0.0 }
                    };
                    *here = part(now, next) / span;
                    *near = if worn { part(middle - self.window, middle).min(1.0) } else { 0.0 };
                }
                for (a, f) in active.iter().enumerate() {
                    let Feature { channel, decay, wear } = features[*f];
                    let [here, near] = shares[channel];
                    let mut rate = count[channel] * here;
                    if wear > 0.0 && rate > 0.0 {
                        rate *= power(1.0 - wear * near, count[channel] as usize - 1);
                        if channel == first_channel && middle < self.window {
                            rate *= 1.0 - wear;
                        }
                    }
                    level[a] = rate / decay;
                    sum[a] = surprise[a] + level[a];
                    left[a] = lasting[which[a]];
                    inside[a] = (1.0 - left[a]) / decay;
                }
                for a in 0..if ask.products { n } else { 0 } {
                    let (sum_a, level_a, row) = (sum[a], level[a], active[a] * p);
                    let along = sum_a * inside[a];
                    let product = |b: usize| {
                        sum_a * sum[b] * (1.0 - left[a] * left[b]) * ask.pairs[row + active[b]]
                            - level[b] * along
                            - level_a * sum[b] * inside[b]
                            + level_a * level[b] * span
                    };
                    let mine = &mut square[a * n..(a + 1) * n];
                    for (b, square) in mine.iter_mut().enumerate().take(core.min(a)) {
                        *square += product(b);
                    }
                    mine[a] += product(a);
                }
                for a in 0..n {
                    surprise[a] = sum[a] * left[a] - level[a];
                }
            }
            now = next;
            while let Some((_, channel)) = watched.touches.get(touch).filter(|t| t.0 <= now) {
                let earlier = before.count(*channel, now);
                for (a, f) in active.iter().enumerate().filter(|(_, f)| features[**f].channel == *channel) {
                    surprise[a] += power(1.0 - features[*f].wear, earlier);
                }
                touch += 1;
            }
            while let Some((_, count)) = watched.conversions.get(sale).filter(|s| s.0 <= now) {
                for (a, f) in active.iter().enumerate() {
                    out.moments[*f] += surprise[a] * count;
                }
                sale += 1;
            }
        }
        for a in 0..n {
            for b in 0..=a {
                let (f, g) = (active[a], active[b]);
                out.square[f * p + g] += square[a * n + b];
                if f != g {
                    out.square[g * p + f] += square[a * n + b];
                }
            }
        }
    }

    /// What all touches, the first too, do until the end of observation.
    fn expose(&self, watched: &Watched, features: &[Feature], out: &mut Sums) {
        let mut before = Before::new(self.members.len(), self.window);
        for (at, channel) in &watched.touches {
            let earlier = before.count(*channel, *at);
            for (f, feature) in features.iter().enumerate().filter(|(_, f)| f.channel == *channel) {
                let seen = (1.0 - exp(-feature.decay * (watched.days - at))) / feature.decay;
                let fresh = power(1.0 - feature.wear, earlier);
                out.exposure[f] += fresh * seen;
                out.started[f] += fresh;
            }
        }
    }

    /// The instants at which anything changes, in order, the end last.
    fn edges(&self, watched: &Watched, worn: bool) -> Vec<f64> {
        let mut edges: Vec<f64> = watched.touches.iter().skip(1).map(|t| t.0).collect();
        edges.extend(watched.conversions.iter().map(|c| c.0));
        let step = self.calendar.step;
        let first = (watched.offset / step).floor() + 1.0;
        let steps = ((watched.offset + watched.days) / step - first).ceil().max(0.0) as usize;
        edges.extend((0..steps).map(|k| (first + k as f64) * step - watched.offset));
        if worn {
            // How many earlier touches there are changes fast at first.
            edges.extend((1..).map(f64::from).take_while(|d| *d < self.window));
        }
        edges.push(watched.member);
        edges.retain(|d| *d < watched.days);
        edges.push(watched.days);
        edges.sort_by(f64::total_cmp);
        edges
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
}

/// x to a whole power, by squares.
fn power(mut x: f64, mut n: usize) -> f64 {
    let mut out = 1.0;
    while n > 0 {
        if n % 2 == 1 {
            out *= x;
        }
        x *= x;
        n /= 2;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::trust::lives::lives;
    use crate::column::Columns;
    use crate::journey::{EventOptions, Moment};
    use crate::run::{Run, split_mix, unit_open};

    const LENGTH: f64 = 40.0;

    /// One customer: touches of `a` on these days, one of `b`, two conversions.
    fn journeys(days: &[f64]) -> Journeys {
        let mut touches: Vec<(f64, &str)> = days.iter().map(|d| (*d, "a")).collect();
        touches.push((5.0, "b"));
        let instant = |d: f64| (d * 86_400e6) as i64;
        let frame = Columns::new()
            .with("customer", vec!["x"; touches.len()])
            .with("time", crate::column::Data::times(touches.iter().map(|t| instant(t.0)).collect()))
            .with("channel", touches.iter().map(|t| t.1).collect::<Vec<_>>());
        let sales = Columns::new()
            .with("customer", vec!["x"; 2])
            .with("time", crate::column::Data::times([4.0, 12.5].map(instant).to_vec()));
        let options =
            EventOptions { observation_end: Some(Moment(instant(LENGTH))), ..EventOptions::default() };
        Journeys::from_events(&frame, Some(&sales), &options, &Run::new()).unwrap()
    }

    /// What works of touches on these days, at a day.
    fn works(days: &[f64], feature: &Feature, window: f64, at: f64) -> f64 {
        let mut sum = 0.0;
        for (i, day) in days.iter().enumerate().filter(|(_, day)| **day <= at) {
            let earlier = days[..i].iter().filter(|d| day - **d < window).count();
            sum += power(1.0 - feature.wear, earlier) * exp(-feature.decay * (at - day));
        }
        sum
    }

    #[test]
    fn integrals_are_those_of_touches_dealt_many_times() {
        let days = [0.0, 2.0, 3.0, 10.0, 11.0, 30.0];
        let made = journeys(&days);
        let lives = lives(&made, Some(Moment((LENGTH * 86_400e6) as i64))).unwrap();
        let excluded = [false, true];
        let window = 9.0;
        let deck = Deck::new(&made, &lives, &excluded, 14.0, window);
        let features =
            [Feature { channel: 0, decay: 0.25, wear: 0.3 }, Feature { channel: 0, decay: 0.1, wear: 0.0 }];
        let mut sums = Sums::new(2);
        deck.deal(&lives[0], &features, &Ask::new(&features, 2, true), &mut sums);
        // The channel's calendar is this customer's: 4 of 5 in the first fortnight, 1 in the third.
        let deal = |bits: u64| {
            let u = unit_open(split_mix(bits)) * 5.0;
            if u < 4.0 { u / 4.0 * 14.0 } else { 28.0 + (u - 4.0) * 12.0 }
        };
        let (rounds, step) = (4_000_u64, 0.1);
        let grid: Vec<f64> = (0..400).map(|k| (f64::from(k) + 0.5) * step).collect();
        let mut expected = vec![[0.0; 2]; grid.len()];
        let mut at_sales = [[0.0; 2]; 2];
        for round in 0..rounds {
            let mut dealt: Vec<f64> = (0..5).map(|k| deal(round * 5 + k)).collect();
            dealt.push(0.0);
            dealt.sort_by(f64::total_cmp);
            for (f, feature) in features.iter().enumerate() {
                let more =
                    |t: f64| (works(&dealt, feature, window, t) - exp(-feature.decay * t)) / rounds as f64;
                grid.iter().zip(&mut expected).for_each(|(t, e)| e[f] += more(*t));
                [4.0, 12.5].iter().zip(&mut at_sales).for_each(|(t, e)| e[f] += more(*t));
            }
        }
        let seen = |f: usize, t: f64| works(&days, &features[f], window, t) - exp(-features[f].decay * t);
        for f in 0..2 {
            let moment: f64 = [4.0, 12.5].iter().zip(&at_sales).map(|(t, e)| seen(f, *t) - e[f]).sum();
            assert!((sums.moments[f] - moment).abs() < 0.06, "{f}: {} {moment}", sums.moments[f]);
            for g in 0..2 {
                let square: f64 = grid
                    .iter()
                    .zip(&expected)
                    .map(|(t, e)| (seen(f, *t) - e[f]) * (seen(g, *t) - e[g]) * step)
                    .sum();
                let found = sums.square[f * 2 + g];
                assert!((found - square).abs() < 0.03 * square.abs() + 0.1, "{f} {g}: {found} {square}");
            }
            let exposure: f64 = grid.iter().map(|t| works(&days, &features[f], window, *t) * step).sum();
            assert!((sums.exposure[f] - exposure).abs() < 0.01 * exposure, "{} {exposure}", sums.exposure[f]);
        }
    }

    #[test]
    fn whole_powers() {
        assert_eq!((power(0.5, 0), power(0.5, 1), power(0.5, 5)), (1.0, 0.5, 0.03125));
    }
}
