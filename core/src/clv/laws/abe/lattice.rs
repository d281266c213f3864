//! Integrals over one customer's rates.
//!
//! With λ = e^u and μ = e^v, u and v jointly normal,
//!
//! ```text
//! Z = ∫∫ φ(u, v) λ^n e^(−λ t − μ τ) f(λ, μ) du dv,  0 ≤ f ≤ 1
//! ```
//!
//! by the trapezoidal rule on a lattice: the integrand is entire, so that the error falls exponentially with the step.
//! The lattice is that of the curvature, the prior's and at most the data's, so that it is fine enough in each
//! direction. What stands before f is log-concave: each row is walked outwards from its greatest value until nothing
//! is left.

use super::Parameters;
use crate::math::{Sum, exp, exp_m1, ln};

/// The lattice's step, where the curvature is 1: e^(−2π² / h²) is left out.
const STEP: f64 = 0.83;
/// Curvature of what is not Gaussian, e^(−e^v): its spectrum falls by e^(−π/2) for each unit of frequency.
const BEND: f64 = 4.6;
/// By this fall of its logarithm an integrand is nothing.
const NOTHING: f64 = 35.0;
/// Standard deviations of the prior, by which it is nothing.
const REACH: f64 = 8.4;
/// Rows at most of a prior that is all there is, or where it is wider than about 5 the step grows.
const ROWS: f64 = 220.0;
/// The same of nodes in a row that is to be fine.
const FINEST: f64 = 4000.0;
/// No logarithm of a rate, and no step from the centre, is further from 0.
const FAR: f64 = 300.0;
/// e^±300.
const FASTEST: f64 = 1.942_426_395_241_256e130;
const SLOWEST: f64 = 1.0 / FASTEST;

/// The normal of (u, v) in standard units, (u − ln median) / σ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    /// Medians of the rates, as logarithms.
    median: [f64; 2],
    pub(super) sigma: [f64; 2],
    odds: f64,
    pub(super) rho: f64,
    /// 1 / (1 − ρ²).
    pub(super) spread: f64,
}

impl Prior {
    pub(super) fn new([lambda, sigma_lambda, mu, sigma_mu, odds]: Parameters) -> Self {
        // No fit goes further, and beyond these little changes.
        let [sigma_lambda, sigma_mu] = [sigma_lambda, sigma_mu].map(|sigma| sigma.clamp(1e-6, 1e6));
        let odds = odds.clamp(1e-6, 1e6);
        let rho = (odds - 1.0) / (odds + 1.0);
        let spread = (1.0 + odds) * (1.0 + odds) / (4.0 * odds);
        Self { median: [ln(lambda), ln(mu)], sigma: [sigma_lambda, sigma_mu], odds, rho, spread }
    }

    fn log_rate(&self, at: usize, z: f64) -> f64 {
        self.median[at] + self.sigma[at] * z
    }

    fn rate(&self, at: usize, z: f64) -> f64 {
        exp(self.log_rate(at, z).clamp(-FAR, FAR))
    }

    /// The slopes of half its quadratic form.
    pub(super) fn pull(&self, [a, b]: [f64; 2]) -> [f64; 2] {
        // 1 − ρ = 2 / (1 + q) keeps its digits where ρ is close to 1.
        let (same, apart) = (2.0 / (1.0 + self.odds), a - b);
        [self.spread * (apart + same * b), self.spread * (same * a - apart)]
    }

    /// Half its quadratic form.
    fn half(&self, [a, b]: [f64; 2]) -> f64 {
        let (minus, plus) = (a - b, a + b);
        0.125 * (1.0 + self.odds) * (minus * minus + plus * plus / self.odds)
    }
}

/// n, t and τ: what was seen of a customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) purchases: f64,
    /// How long the customer was seen to buy at λ.
    pub(super) bought: f64,
    /// How long the customer was seen to live at μ.
    pub(super) lived: f64,
}

impl Seen {
    pub(super) fn until(purchases: f64, time: f64) -> Self {
        Self { purchases, bought: time, lived: time }
    }

    /// Where φ λ^n e^(−λ t − μ τ) is greatest, nearly.
    fn mode(&self, prior: &Prior) -> [f64; 2] {
        let [s, d] = prior.sigma;
        let mut at = [0.0; 2];
        for _ in 0..1000 {
            let [left, lived] = [prior.rate(0, at[0]) * self.bought, prior.rate(1, at[1]) * self.lived];
            let pull = prior.pull(at);
            let slope = [s * (self.purchases - left) - pull[0], -d * lived - pull[1]];
            let [p, q] = [prior.spread + s * s * left, prior.spread + d * d * lived];
            let cross = -prior.rho * prior.spread;
            let det = p * q - cross * cross;
            let step = [(q * slope[0] - cross * slope[1]) / det, (p * slope[1] - cross * slope[0]) / det];
            // Upwards e^u outruns the parabola that stands for it, and soon.
            let free = |i: usize, time: f64| time == 0.0 || prior.log_rate(i, at[i]) > FAR;
            let up = |i: usize, time: f64| if free(i, time) { 0.0 } else { step[i] * prior.sigma[i] };
            let longest = up(0, self.bought).max(up(1, self.lived));
            let length = if longest > 2.0 { 2.0 / longest } else { 1.0 };
            at = [at[0] + length * step[0], at[1] + length * step[1]];
            if step.iter().all(|step| step.abs() < 1e-7) {
                break;
            }
        }
        at
    }
}

/// One node: standard units, rates, and its weight beside the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) at: [f64; 2],
    pub(super) lambda: f64,
    pub(super) mu: f64,
    pub(super) weight: f64,
}

/// The nodes for one customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lattice {
    prior: Prior,
    seen: Seen,
    centre: [f64; 2],
    rates: [f64; 2],
    /// The slope at the centre, but for those of e^(−λ t − μ τ).
    slope: [f64; 2],
    /// From node to node of a row; from row to row, along it and across.
    along: f64,
    shear: f64,
    across: f64,
}

impl Lattice {
    /// For factors f that may hide `also`, and are as sharp along u as a curvature of `sharp`.
    pub(super) fn new(prior: Prior, seen: Seen, also: Option<Seen>, sharp: f64) -> Self {
        let centre = seen.mode(&prior);
        let rates = [prior.rate(0, centre[0]), prior.rate(1, centre[1])];
        let mut bend = [rates[0] * seen.bought, rates[1] * seen.lived];
        if let Some(also) = also {
            let at = also.mode(&prior);
            bend[0] = bend[0].max(prior.rate(0, at[0]) * also.bought);
            bend[1] = bend[1].max(prior.rate(1, at[1]) * also.lived);
        }
        // No mode is more curved than this, but one that was not found.
        for (i, n) in [seen.purchases, 0.0].into_iter().enumerate() {
            bend[i] = bend[i].min(n + FAR * prior.spread / (prior.sigma[i] * prior.sigma[i]));
        }
        // The curvature of so many steps over the prior's reach.
        let square = |steps: f64| (steps * STEP / (2.0 * REACH)) * (steps * STEP / (2.0 * REACH));
        let curvature = |i: usize| {
            let sigma = prior.sigma[i];
            prior.spread + 1.25 * sigma * sigma * bend[i] + (sigma * sigma * BEND).min(square(ROWS))
        };
        let sharp = (prior.sigma[0] * prior.sigma[0] * sharp).min(square(FINEST));
        let (p, q) = (curvature(0) + sharp, curvature(1));
        let r = p.sqrt();
        let low = -prior.rho * prior.spread / r;
        let last = (q - low * low).sqrt();
        let pull = prior.pull(centre);
        Self {
            prior,
            seen,
            centre,
            rates,
            slope: [prior.sigma[0] * seen.purchases - pull[0], -pull[1]],
            along: STEP / r,
            shear: -STEP * low / (r * last),
            across: STEP / last,
        }
    }

    fn offset(&self, i: i32, j: i32) -> [f64; 2] {
        let j = f64::from(j);
        [self.along * f64::from(i) + self.shear * j, self.across * j]
    }

    /// How a rate grows to this distance from the centre.
    fn growth(&self, at: usize, offset: f64) -> Growth {
        let by = (self.prior.sigma[at] * offset).clamp(-FAR, FAR);
        Growth { factor: exp(by), more: exp_m1(by) }
    }

    fn grown(&self, at: usize, by: Growth) -> f64 {
        (self.rates[at] * by.factor).clamp(SLOWEST, FASTEST)
    }

    /// The logarithm of what stands before f, that at the centre being 0, where the rates have grown so.
    fn before(&self, offset: [f64; 2], [lambda, mu]: [Growth; 2]) -> f64 {
        let fall = self.rates[0] * lambda.more * self.seen.bought + self.rates[1] * mu.more * self.seen.lived;
        let linear = self.slope[0] * offset[0] + self.slope[1] * offset[1];
        linear - fall - self.prior.half(offset)
    }

    /// The greatest value of the integrand that a short climb finds, by its logarithm.
    fn top(&self, factor: &impl Fn(f64, f64) -> f64) -> f64 {
        let value = |i: i32, j: i32| {
            let offset = self.offset(i, j);
            let growth = [0, 1].map(|at| self.growth(at, offset[at]));
            self.before(offset, growth) + ln(factor(self.grown(0, growth[0]), self.grown(1, growth[1])))
        };
        let (mut at, mut top) = ((0, 0), value(0, 0));
        for stride in [8, 2] {
            for _ in 0..20 {
                let around = [(stride, 0), (-stride, 0), (0, stride), (0, -stride)];
                let found = around.map(|(i, j)| ((at.0 + i, at.1 + j), value(at.0 + i, at.1 + j)));
                let best = found.iter().fold((at, top), |best, new| if new.1 > best.1 { *new } else { best });
                if best.0 == at {
                    break;
                }
                (at, top) = best;
            }
        }
        top
    }

    /// Visits all nodes that count, row by row of one μ; gives the logarithm by which their weights are too small.
    /// `factor` is f, of λ and μ.
    pub(super) fn visit(&self, factor: impl Fn(f64, f64) -> f64, mut each: impl FnMut(Node)) -> f64 {
        let top = self.top(&factor);
        let limit = top - NOTHING;
        let mut grown = Grown::default();
        for direction in [1, -1] {
            let mut peak = 0;
            let mut j = i32::from(direction < 0) * direction;
            loop {
                let across = self.across * f64::from(j);
                let growth = self.growth(1, across);
                let row = self.growth(0, self.shear * f64::from(j));
                let mut before = |i: i32| {
                    let lambda = grown.at(i, |i| self.growth(0, self.along * f64::from(i))).and(row);
                    (self.before(self.offset(i, j), [lambda, growth]), lambda)
                };
                let mut greatest = before(peak).0;
                for way in [1, -1] {
                    loop {
                        let next = before(peak + way).0;
                        if next <= greatest || next.is_nan() {
                            break;
                        }
                        (peak, greatest) = (peak + way, next);
                    }
                }
                if greatest <= limit || greatest.is_nan() {
                    break;
                }
                let mu = self.grown(1, growth);
                for way in [1, -1] {
                    let mut i = peak + i32::from(way < 0) * way;
                    loop {
                        let (value, growth) = before(i);
                        if value <= limit || value.is_nan() {
                            break;
                        }
                        let lambda = self.grown(0, growth);
                        let weight = exp(value - top) * factor(lambda, mu);
                        let offset = self.offset(i, j);
                        let at = [self.centre[0] + offset[0], self.centre[1] + offset[1]];
                        each(Node { at, lambda, mu, weight });
                        i += way;
                    }
                }
                j += direction;
            }
        }
        self.scale() + top
    }

    /// ln of the integrand at the centre, but for f, times the area of a node.
    fn scale(&self) -> f64 {
        let Seen { purchases, bought, lived } = self.seen;
        let u = self.prior.log_rate(0, self.centre[0]).clamp(-FAR, FAR);
        purchases * u - self.rates[0] * bought - self.rates[1] * lived - self.prior.half(self.centre)
            + ln(self.along * self.across * self.prior.spread.sqrt() / (2.0 * std::f64::consts::PI))
    }

    /// ln Z.
    pub(super) fn ln_integral(&self, factor: impl Fn(f64, f64) -> f64) -> f64 {
        let mut total = Sum::default();
        let scale = self.visit(factor, |node| total.add(node.weight));
        scale + ln(total.value())
    }
}

/// A factor of a rate, and what it is more than 1, to all digits of both.
#[derive(Clone, Copy, Debug)]
struct Growth {
    factor: f64,
    more: f64,
}

impl Growth {
    fn and(self, other: Self) -> Self {
        let more = self.more + other.more + self.more * other.more;
        Self { factor: self.factor * other.factor, more: more.min(FASTEST) }
    }
}

/// How a rate grows by so many steps along a row, found once.
#[derive(Default)]
struct Grown {
    up: Vec<Growth>,
    down: Vec<Growth>,
}

impl Grown {
    fn at(&mut self, i: i32, of: impl Fn(i32) -> Growth) -> Growth {
        let known = if i < 0 { &mut self.down } else { &mut self.up };
        while known.len() <= i.unsigned_abs() as usize {
            let next = known.len() as i32;
            known.push(of(if i < 0 { -next } else { next }));
        }
        known[i.unsigned_abs() as usize]
    }
}
