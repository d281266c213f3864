//! What is fitted, and what one pass over it adds up.

use std::cmp::Ordering;

use super::super::{days, exposure};
use crate::Result;
use crate::journey::Journeys;
use crate::math::ascent::Local;
use crate::math::{exp, exp_m1, ln};
use crate::run::Run;

/// Journeys in a chunk: their touches are what costs.
const CHUNK: usize = 8_192;

/// What is fitted: touches by journey, with ages at the end.
pub(super) struct Data {
    pub(super) channels: usize,
    pub(super) ends: Vec<u32>,
    /// Channel and age in days of each touch.
    pub(super) touches: Vec<(u32, f64)>,
    pub(super) conversions: Vec<f64>,
    pub(super) weight: Vec<f64>,
    /// Days from the first touch to the end.
    pub(super) length: Vec<f64>,
    /// Where each stands among all journeys.
    pub(super) place: Vec<u32>,
}

/// b, w and μ.
#[derive(Clone, Debug)]
pub(super) struct Theta {
    pub(super) b: Vec<f64>,
    pub(super) w: Vec<f64>,
    pub(super) mu: f64,
}

/// Gamma priors: strength s and mode m, s (ln x − x / m).
#[derive(Clone, Copy)]
pub(super) struct Priors {
    pub(super) effect: (f64, f64),
    pub(super) decay: (f64, f64),
}

/// What one pass of EM adds up: by channel responsibilities Σp, Σ p d,
/// Σ (1 − e^{−wd}), Σ b d e^{−wd}; of the baseline Σp and days.
pub(super) struct Sums {
    pub(super) value: f64,
    pub(super) by_channel: Vec<[f64; 4]>,
    pub(super) baseline: [f64; 2],
}

impl Data {
    pub(super) fn of(journeys: &Journeys, horizon: i64, run: &Run) -> Result<Self> {
        run.stage("read journeys", journeys.len() as u64)?;
        let mut out = Self {
            channels: journeys.channel_count(),
            ends: Vec::new(),
            touches: Vec::new(),
            conversions: Vec::new(),
            weight: Vec::new(),
            length: Vec::new(),
            place: Vec::new(),
        };
        for j in 0..journeys.len() {
            if j % crate::run::CHUNK == 0 {
                run.advance(crate::run::CHUNK.min(journeys.len() - j) as u64)?;
            }
            let (conversions, open) = (journeys.conversions()[j], journeys.open_weight(j));
            let watched = exposure(journeys, j, horizon);
            let Some(first) = watched.times.first() else { continue };
            let age = |t: &i64| days(watched.end.saturating_sub(*t));
            out.touches.extend(watched.path.iter().zip(watched.times).map(|(c, t)| (*c, age(t))));
            out.ends.push(out.touches.len() as u32);
            out.conversions.push(conversions);
            out.weight.push(conversions + open);
            out.length.push(age(first));
            out.place.push(j as u32);
        }
        // Sums are rounded: journeys in an order of their own make them the same for any order of rows.
        let mut order: Vec<usize> = (0..out.len()).collect();
        run.sort_by(&mut order, |a, b| out.compare(*a, *b));
        run.check()?;
        Ok(out.picked(&order))
    }

    /// Journeys that are equal in this are equal in all that is fitted.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        let key = |j: usize| self.journey(j).iter().map(|(c, age)| (*c, age.to_bits()));
        let size = |j: usize| self.journey(j).len();
        let outcome = |j: usize| [self.conversions[j].to_bits(), self.weight[j].to_bits()];
        let shape = size(a).cmp(&size(b)).then_with(|| key(a).cmp(key(b)));
        shape.then_with(|| outcome(a).cmp(&outcome(b)))
    }

    /// Some of the journeys.
    pub(super) fn kept(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.len()).filter(|i| keep(self.place[*i] as usize)).collect();
        self.picked(&rows)
    }

    fn picked(&self, rows: &[usize]) -> Self {
        let pick = |of: &[f64]| rows.iter().map(|i| of[*i]).collect();
        let (mut touches, mut ends) = (Vec::new(), Vec::with_capacity(rows.len()));
        for i in rows {
            touches.extend_from_slice(self.journey(*i));
            ends.push(touches.len() as u32);
        }
        Self {
            channels: self.channels,
            ends,
            touches,
            conversions: pick(&self.conversions),
            weight: pick(&self.weight),
            length: pick(&self.length),
            place: rows.iter().map(|i| self.place[*i]).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn journey(&self, j: usize) -> &[(u32, f64)] {
        let start = if j == 0 { 0 } else { self.ends[j - 1] as usize };
        &self.touches[start..self.ends[j] as usize]
    }

    /// Adds up something over journeys, in chunks of one size.
    pub(super) fn fold<T: Send>(
        &self,
        stage: &'static str,
        run: &Run,
        work: impl Fn(std::ops::Range<usize>) -> T + Sync + Send,
        merge: impl FnMut(T, T) -> T,
    ) -> Result<Option<T>> {
        let n = self.len();
        run.stage(stage, n as u64)?;
        let parts = run.map_items(n.div_ceil(CHUNK), |chunk| {
            let rows = chunk * CHUNK..n.min((chunk + 1) * CHUNK);
            let size = rows.len() as u64;
            let out = work(rows);
            run.advance(size)?;
            Ok(out)
        })?;
        Ok(parts.into_iter().reduce(merge))
    }

    pub(super) fn responsibilities(&self, theta: &Theta, run: &Run) -> Result<Sums> {
        let part = |rows: std::ops::Range<usize>| {
            let mut sums = Sums { value: 0.0, by_channel: vec![[0.0; 4]; self.channels], baseline: [0.0; 2] };
            let mut rates = Vec::new();
            for j in rows {
                let (conversions, weight) = (self.conversions[j], self.weight[j]);
                rates.clear();
                let mut rate = theta.mu;
                let mut lost = theta.mu * self.length[j];
                sums.baseline[1] += weight * self.length[j];
                for (c, d) in self.journey(j) {
                    let (b, w) = (theta.b[*c as usize], theta.w[*c as usize]);
                    let (left, gone) = (exp(-w * d), -exp_m1(-w * d));
                    rate += b * w * left;
                    lost += b * gone;
                    rates.push(b * w * left);
                    let sums = &mut sums.by_channel[*c as usize];
                    sums[2] += weight * gone;
                    sums[3] += weight * b * d * left;
                }
                sums.value -= weight * lost;
                if conversions > 0.0 {
                    sums.value += conversions * ln(rate);
                    sums.baseline[0] += conversions * theta.mu / rate;
                    for ((c, d), r) in self.journey(j).iter().zip(&rates) {
                        let p = conversions * r / rate;
                        let sums = &mut sums.by_channel[*c as usize];
                        sums[0] += p;
                        sums[1] += p * d;
                    }
                }
            }
            sums
        };
        let merge = |mut a: Sums, b: Sums| {
            a.value += b.value;
            for (x, y) in a.by_channel.iter_mut().flatten().zip(b.by_channel.iter().flatten()) {
                *x += y;
            }
            a.baseline[0] += b.baseline[0];
            a.baseline[1] += b.baseline[1];
            a
        };
        let none = || Sums { value: 0.0, by_channel: vec![[0.0; 4]; self.channels], baseline: [0.0; 2] };
        Ok(self.fold("expect and maximise", run, part, merge)?.unwrap_or_else(none))
    }

    /// The log-likelihood with its gradient and Hessian in ln b and ln w by
    /// channel, and ln μ last where there is a baseline.
    pub(super) fn evaluate(&self, at: &[f64], baseline: bool, run: &Run) -> Result<Local> {
        let n = at.len();
        let theta = Theta::from_logs(at, self.channels, baseline);
        let part = |rows: std::ops::Range<usize>| {
            let mut local = Local::zero(n);
            // By distinct channel of a journey: first and second derivatives of its rate.
            let mut slot = vec![usize::MAX; self.channels];
            let mut seen: Vec<(usize, [f64; 4])> = Vec::new();
            for j in rows {
                let (conversions, weight) = (self.conversions[j], self.weight[j]);
                seen.clear();
                let mut rate = theta.mu;
                for (c, d) in self.journey(j) {
                    let c = *c as usize;
                    let (b, w) = (theta.b[c], theta.w[c]);
                    let x = w * d;
                    let (left, gone) = (exp(-x), -exp_m1(-x));
                    let (lost, dx) = (weight * b * gone, weight * b * left * x);
                    local.value -= lost;
                    local.gradient[2 * c] -= lost;
                    local.gradient[2 * c + 1] -= dx;
                    local.hessian[2 * c * n + 2 * c] -= lost;
                    local.hessian[(2 * c + 1) * n + 2 * c] -= dx;
                    local.hessian[(2 * c + 1) * n + 2 * c + 1] -= dx * (1.0 - x);
                    if conversions > 0.0 {
                        let g = b * w * left;
                        rate += g;
                        if slot[c] == usize::MAX {
                            slot[c] = seen.len();
                            seen.push((c, [0.0; 4]));
                        }
                        let sums = &mut seen[slot[c]].1;
                        let u = 1.0 - x;
                        for (sum, term) in sums.iter_mut().zip([g, g * u, g * (u * u - x), 0.0]) {
                            *sum += term;
                        }
                    }
                }
                if baseline {
                    let lost = weight * theta.mu * self.length[j];
                    local.value -= lost;
                    local.gradient[n - 1] -= lost;
                    local.hessian[n * n - 1] -= lost;
                }
                if conversions <= 0.0 {
                    continue;
                }
                local.value += conversions * ln(rate);
                // In the order of channels, so that only the lower triangle is touched.
                seen.sort_unstable_by_key(|s| s.0);
                let scale = conversions / rate;
                for (k, (c, [g, h, hh, _])) in seen.iter().enumerate() {
                    slot[*c] = usize::MAX;
                    let (i, l) = (2 * c, 2 * c + 1);
                    local.gradient[i] += scale * g;
                    local.gradient[l] += scale * h;
                    local.hessian[i * n + i] += scale * g;
                    local.hessian[l * n + i] += scale * h;
                    local.hessian[l * n + l] += scale * hh;
                    for (other, [og, oh, _, _]) in &seen[..k] {
                        let (oi, ol) = (2 * other, 2 * other + 1);
                        let s = scale / rate;
                        local.hessian[i * n + oi] -= s * g * og;
                        local.hessian[i * n + ol] -= s * g * oh;
                        local.hessian[l * n + oi] -= s * h * og;
                        local.hessian[l * n + ol] -= s * h * oh;
                    }
                    let s = scale / rate;
                    local.hessian[i * n + i] -= s * g * g;
                    local.hessian[l * n + i] -= s * h * g;
                    local.hessian[l * n + l] -= s * h * h;
                    if baseline {
                        local.hessian[(n - 1) * n + i] -= s * g * theta.mu;
                        local.hessian[(n - 1) * n + l] -= s * h * theta.mu;
                    }
                }
                if baseline {
                    let share = theta.mu / rate;
                    local.gradient[n - 1] += conversions * share;
                    local.hessian[n * n - 1] += conversions * share * (1.0 - share);
                }
            }
            local
        };
        let whole = self.fold("maximise the likelihood", run, part, Local::merge)?;
        Ok(whole.unwrap_or_else(|| Local::zero(n)))
    }
}

impl Theta {
    pub(super) fn from_logs(at: &[f64], channels: usize, baseline: bool) -> Self {
        Self {
            b: (0..channels).map(|c| exp(at[2 * c])).collect(),
            w: (0..channels).map(|c| exp(at[2 * c + 1])).collect(),
            mu: if baseline { at.last().map_or(0.0, |x| exp(*x)) } else { 0.0 },
        }
    }

    pub(super) fn logs(&self, baseline: bool) -> Vec<f64> {
        let pairs = self.b.iter().zip(&self.w).flat_map(|(b, w)| [ln(*b), ln(*w)]);
        pairs.chain(baseline.then(|| ln(self.mu))).collect()
    }
}

impl Priors {
    pub(super) fn value(&self, theta: &Theta) -> f64 {
        let one = |(s, m): (f64, f64), x: f64| if s > 0.0 { s * (ln(x / m) - x / m) } else { 0.0 };
        theta.b.iter().map(|b| one(self.effect, *b)).sum::<f64>()
            + theta.w.iter().map(|w| one(self.decay, *w)).sum::<f64>()
    }

    pub(super) fn add(&self, theta: &Theta, local: &mut Local) {
        let n = local.gradient.len();
        local.value += self.value(theta);
        for c in 0..theta.b.len() {
            let both = [(2 * c, self.effect, theta.b[c]), (2 * c + 1, self.decay, theta.w[c])];
            for (i, (s, m), x) in both {
                local.gradient[i] += s * (1.0 - x / m);
                local.hessian[i * n + i] -= s * x / m;
            }
        }
    }

    /// The next parameters of EM: of b the maximum, of w the fixed point.
    pub(super) fn step(&self, theta: &Theta, sums: &Sums) -> Theta {
        let ratio = |a: f64, b: f64, stay: f64| if a > 0.0 && b > 0.0 { a / b } else { stay };
        let per = |(s, m): (f64, f64)| if s > 0.0 { s / m } else { 0.0 };
        let rows = || sums.by_channel.iter().enumerate();
        Theta {
            b: rows()
                .map(|(c, s)| ratio(s[0] + self.effect.0, s[2] + per(self.effect), theta.b[c]))
                .collect(),
            w: rows()
                .map(|(c, s)| ratio(s[0] + self.decay.0, s[1] + s[3] + per(self.decay), theta.w[c]))
                .collect(),
            mu: ratio(sums.baseline[0], sums.baseline[1], theta.mu),
        }
    }
}
