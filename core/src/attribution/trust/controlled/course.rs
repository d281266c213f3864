//! The surprise of each feature along one customer's days.
//!
//! Between two changes w is a sum of exponentials and a level: w(t) = (w₀ + l) e^(−rt) − l with
//! l = rate of dealing / r, so that integrals of w and of products of two are exact.

use super::dealt::Feature;
use super::priming::Primer;
use super::sums::{Ask, Sums};
use crate::math::exp;

/// How a channel's touches of this customer would be dealt over a stretch of time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dealt {
    /// How many there are beside the customer's first touch.
    pub(super) count: f64,
    /// The share of them that comes here, a day.
    pub(super) here: f64,
    /// The share that comes within the window of wear before.
    pub(super) near: f64,
    /// Whether the customer's first touch is of this channel and within the window.
    pub(super) after_first: bool,
}

/// One customer's features, and what they came to so far.
pub(super) struct Course<'a> {
    ask: &'a Ask,
    /// Places among all features, and the features; those of the core first.
    active: Vec<(usize, Feature)>,
    core: usize,
    /// Many features share a decay: each is worked out once.
    decays: Vec<f64>,
    which: Vec<usize>,
    /// What primes touches, and the place in it of each feature.
    pub(super) primers: Vec<Primer>,
    primed: Vec<Option<usize>>,
    surprise: Vec<f64>,
    /// Of the stretch at hand: l, w₀ + l, e^(−r span), and ∫ e^(−rt).
    level: Vec<f64>,
    sum: Vec<f64>,
    left: Vec<f64>,
    inside: Vec<f64>,
    /// 1 / (decay + decay), and products, of each feature with those of the core before it.
    pairs: Vec<f64>,
    square: Vec<f64>,
    own: Vec<f64>,
    /// Features behind the core whose product is asked for too, and it.
    mates: Vec<(usize, usize, f64)>,
}

impl<'a> Course<'a> {
    pub(super) fn new(ask: &'a Ask, active: Vec<(usize, Feature)>) -> Self {
        let n = active.len();
        let core = active.iter().filter(|(f, _)| *f < ask.core).count();
        let mut decays: Vec<f64> = active.iter().map(|(_, f)| f.decay).collect();
        decays.sort_by(f64::total_cmp);
        decays.dedup();
        let which = active.iter().map(|(_, f)| decays.partition_point(|d| *d < f.decay)).collect();
        let mut primers: Vec<Primer> = Vec::new();
        active.iter().filter_map(|(_, f)| f.primer).for_each(|primer| {
            if !primers.contains(&primer) {
                primers.push(primer);
            }
        });
        let primed =
            active.iter().map(|(_, f)| f.primer.and_then(|f| primers.iter().position(|p| *p == f))).collect();
        let with =
            |a: &Feature| active[..core].iter().map(|(_, b)| 1.0 / (a.decay + b.decay)).collect::<Vec<f64>>();
        let pairs =
            if ask.products { active.iter().flat_map(|(_, a)| with(a)).collect() } else { Vec::new() };
        let zeros = || vec![0.0; n];
        // Another shape of a channel is a feature of all its touches, and behind it those of the primed ones.
        let mut mates = Vec::new();
        let mut shape = None;
        for (a, (_, feature)) in active.iter().enumerate().skip(core) {
            match (feature.primer, shape) {
                (None, _) => shape = Some(a),
                (Some(_), Some(start)) => mates.extend((start..a).map(|b| (a, b, 0.0))),
                (Some(_), None) => {}
            }
        }
        Self {
            ask,
            core,
            decays,
            which,
            primers,
            primed,
            surprise: zeros(),
            level: zeros(),
            sum: zeros(),
            left: zeros(),
            inside: zeros(),
            square: vec![0.0; pairs.len()],
            own: zeros(),
            pairs,
            mates,
            active,
        }
    }

    /// Lets time pass, with touches dealt by channel, and the chance of being primed by primer.
    pub(super) fn pass(&mut self, span: f64, dealt: &[Dealt], primed: &[f64]) {
        let lasting: Vec<f64> = self.decays.iter().map(|decay| exp(-decay * span)).collect();
        for (a, (_, Feature { channel, decay, wear, .. })) in self.active.iter().enumerate() {
            let Dealt { count, here, near, after_first } = dealt[*channel];
            let mut rate = count * here;
            if *wear > 0.0 && rate > 0.0 {
                rate *= power(1.0 - wear * near, count as usize - 1);
                if after_first {
                    rate *= 1.0 - wear;
                }
            }
            if let Some(primer) = self.primed[a] {
                rate *= primed[primer];
            }
            self.level[a] = rate / decay;
            self.sum[a] = self.surprise[a] + self.level[a];
            self.left[a] = lasting[self.which[a]];
            self.inside[a] = (1.0 - self.left[a]) / decay;
        }
        if self.ask.products {
            self.multiply(span);
        }
        for a in 0..self.active.len() {
            self.surprise[a] = self.sum[a] * self.left[a] - self.level[a];
        }
    }

    /// ∫ w_a w_b over a stretch.
    fn multiply(&mut self, span: f64) {
        for a in 0..self.active.len() {
            let (sum, level, left) = (self.sum[a], self.level[a], self.left[a]);
            let along = sum * self.inside[a];
            let product = |pair: f64, sum_b: f64, level_b: f64, left_b: f64, inside_b: f64| {
                sum * sum_b * (1.0 - left * left_b) * pair - level_b * along - level * sum_b * inside_b
                    + level * level_b * span
            };
            let n = self.core.min(a);
            let at = a * self.core..a * self.core + n;
            let (pairs, squares) = (&self.pairs[at.clone()], &mut self.square[at]);
            let (sums, levels) = (&self.sum[..n], &self.level[..n]);
            let (lefts, insides) = (&self.left[..n], &self.inside[..n]);
            for b in 0..n {
                squares[b] += product(pairs[b], sums[b], levels[b], lefts[b], insides[b]);
            }
            let decay = self.active[a].1.decay;
            self.own[a] += product(1.0 / (decay + decay), sum, level, left, self.inside[a]);
        }
        for (a, b, product) in &mut self.mates {
            let (a, b) = (*a, *b);
            let pair = 1.0 / (self.active[a].1.decay + self.active[b].1.decay);
            *product += self.sum[a] * self.sum[b] * (1.0 - self.left[a] * self.left[b]) * pair
                - self.level[b] * self.sum[a] * self.inside[a]
                - self.level[a] * self.sum[b] * self.inside[b]
                + self.level[a] * self.level[b] * span;
        }
    }

    /// A touch, with so many of its channel before it, and what primes it.
    pub(super) fn touch(&mut self, channel: usize, earlier: usize, primed: impl Fn(&Primer) -> bool) {
        for (surprise, (_, f)) in
            self.surprise.iter_mut().zip(&self.active).filter(|(_, (_, f))| f.channel == channel)
        {
            if f.primer.as_ref().is_none_or(&primed) {
                *surprise += power(1.0 - f.wear, earlier);
            }
        }
    }

    /// Conversions, and what they weigh.
    pub(super) fn convert(&self, count: f64, weight: f64, out: &mut Sums) {
        for (surprise, (f, _)) in self.surprise.iter().zip(&self.active) {
            out.plain.moments[*f] += surprise * count;
            out.weighed.moments[*f] += surprise * count * weight;
        }
    }

    /// Adds the products up, of a customer who weighs so much, and by what one conversion more takes from that.
    pub(super) fn end(self, [weight, step]: [f64; 2], out: &mut Sums) {
        if !self.ask.products {
            return;
        }
        let p = out.exposure.len();
        let Sums { plain, weighed, steps, .. } = out;
        for (square, weight) in [(&mut plain.square, 1.0), (&mut weighed.square, weight), (steps, step)] {
            for (a, (f, _)) in self.active.iter().enumerate() {
                for b in 0..self.core.min(a) {
                    let (g, product) = (self.active[b].0, weight * self.square[a * self.core + b]);
                    square[f * p + g] += product;
                    square[g * p + f] += product;
                }
                square[f * p + f] += weight * self.own[a];
            }
            for (a, b, product) in &self.mates {
                let (f, g) = (self.active[*a].0, self.active[*b].0);
                square[f * p + g] += weight * product;
                square[g * p + f] += weight * product;
            }
        }
    }
}

/// x to a whole power, by squares.
pub(super) fn power(mut x: f64, mut n: usize) -> f64 {
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
    use super::power;

    #[test]
    fn whole_powers() {
        assert_eq!((power(0.5, 0), power(0.5, 1), power(0.5, 5)), (1.0, 0.5, 0.03125));
    }
}
