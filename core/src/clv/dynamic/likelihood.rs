//! The likelihood of Pareto/NBD along each customer's covariates, with exact derivatives.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use std::borrow::Cow;

use super::timeline::Life;
use crate::clv::covariates::{Effect, Process};
use crate::clv::design::Matrix;
use crate::math::ascent::Local;
use crate::math::jet::{Jet, Real};
use crate::math::quadrature::legendre;
use crate::math::{exp, ln, ln_1p};

/// The parameters of the law before the coefficients.
pub(super) const LAW: usize = 4;
/// A panel of the quadrature has no more decline than this, on the log scale.
const DECLINE: f64 = 6.0;
/// What is smaller by e to this is nothing.
const NOTHING: f64 = 46.0;

/// Covariates of each place, and which process each coefficient moves.
pub(super) struct Course<'a> {
    pub(super) matrix: &'a Matrix,
    /// Column, and whether it moves purchases and dropout.
    pub(super) slopes: Cow<'a, [(usize, bool, bool)]>,
}

impl<'a> Course<'a> {
    pub(super) fn new(matrix: &'a Matrix, effects: &[Effect]) -> Self {
        Self { matrix, slopes: Self::ways(effects).into() }
    }

    /// By the columns of coefficients, and which process each moves.
    pub(super) fn by(matrix: &'a Matrix, slopes: &'a [(usize, bool, bool)]) -> Self {
        Self { matrix, slopes: slopes.into() }
    }

    pub(super) fn ways(effects: &[Effect]) -> Vec<(usize, bool, bool)> {
        let moves = |effect: &Effect, process| effect.on().contains(&process);
        let way = |e: &Effect| (e.column(), moves(e, Process::Purchase), moves(e, Process::Dropout));
        effects.iter().map(way).collect()
    }

    /// The factors of both rates at a place.
    pub(super) fn factors(&self, place: u32, coefficients: &[f64]) -> [f64; 2] {
        let row = self.matrix.row(place as usize);
        let mut eta = [0.0; 2];
        for ((column, purchase, dropout), c) in self.slopes.iter().zip(coefficients) {
            let z = c * row[*column];
            eta[0] += if *purchase { z } else { 0.0 };
            eta[1] += if *dropout { z } else { 0.0 };
        }
        // Out there every likelihood is flat.
        eta.map(|e| exp(e.clamp(-300.0, 300.0)))
    }

    /// The covariate of a coefficient at a place, for purchases and for dropout.
    fn covariate(&self, place: u32, c: usize) -> [f64; 2] {
        let (column, purchase, dropout) = self.slopes[c];
        let z = self.matrix.row(place as usize)[column];
        [if purchase { z } else { 0.0 }, if dropout { z } else { 0.0 }]
    }
}

/// Time as both processes count it, and its derivatives by the coefficients.
#[derive(Clone)]
struct Clock {
    passed: [f64; 2],
    first: [Vec<f64>; 2],
    /// Lower triangles.
    second: [Vec<f64>; 2],
}

impl Clock {
    /// Without second derivatives unless they are asked for.
    fn new(k: usize, curved: bool) -> Self {
        let triangle = || vec![0.0; if curved { k * k } else { 0 }];
        Self { passed: [0.0; 2], first: [vec![0.0; k], vec![0.0; k]], second: [triangle(), triangle()] }
    }

    fn pass(&mut self, course: &Course<'_>, place: u32, factors: [f64; 2], length: f64) {
        let k = self.first[0].len();
        for c in 0..k {
            let z = course.covariate(place, c);
            for side in 0..2 {
                let by = factors[side] * length * z[side];
                self.first[side][c] += by;
                if !self.second[side].is_empty() {
                    for d in 0..=c {
                        self.second[side][c * k + d] += by * course.covariate(place, d)[side];
                    }
                }
            }
        }
        self.passed[0] += factors[0] * length;
        self.passed[1] += factors[1] * length;
    }
}

/// A moment of death, or of being alive at the end: weighed, and what its log density does.
struct Moments {
    top: f64,
    mass: f64,
    first: Vec<f64>,
    second: Vec<f64>,
}

/// Log parameters, as numbers.
#[derive(Clone, Copy)]
pub(super) struct Law {
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) s: f64,
    pub(super) beta: f64,
    /// Of the rate of buying, by what was bought.
    pub(super) shape: f64,
}

impl Law {
    fn new(at: &[f64], frequency: u32) -> Self {
        let [r, alpha, s, beta] = [exp(at[0]), exp(at[1]), exp(at[2]), exp(at[3])];
        Self { r, alpha, s, beta, shape: r + f64::from(frequency) }
    }

    /// −(r+x) ln(α + A) − e ln(β + D).
    fn ln_term(&self, [a, d]: [f64; 2], e: f64) -> f64 {
        -self.shape * ln(self.alpha + a) - e * ln(self.beta + d)
    }
}

/// Nodes of a piece after the last purchase: time passed in it, and the weight in dD.
pub(super) fn nodes(
    law: &Law,
    passed: [f64; 2],
    factors: [f64; 2],
    length: f64,
    mut each: impl FnMut(f64, f64),
) {
    let fall = law.shape * ln_1p(factors[0] * length / (law.alpha + passed[0]))
        + (law.s + 1.0) * ln_1p(factors[1] * length / (law.beta + passed[1]));
    let panels = (fall / DECLINE).ceil().clamp(1.0, 200.0) as usize;
    // In the log of time where it falls by much, so that each panel falls alike.
    let scale = if panels == 1 {
        f64::INFINITY
    } else {
        ((law.alpha + passed[0]) / factors[0]).min((law.beta + passed[1]) / factors[1])
    };
    let high = if scale.is_finite() { ln_1p(length / scale) } else { length };
    let half = 0.5 * high / panels as f64;
    for panel in 0..panels {
        for (x, weight) in legendre() {
            let v = half * ((2 * panel + 1) as f64 + x);
            let (u, slope) =
                if scale.is_finite() { (scale * crate::math::exp_m1(v), scale * exp(v)) } else { (v, 1.0) };
            each(u, weight * half * slope * factors[1]);
        }
    }
}

/// What the data say of one customer: alive and dead parts of the likelihood, on one
/// scale, and the clocks at the end of observation.
pub(super) struct Told {
    pub(super) ln_alive: f64,
    pub(super) ln_dead: f64,
    pub(super) passed: [f64; 2],
}

/// The numbers alone.
pub(super) fn told(life: &Life, pieces: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> Told {
    let law = Law::new(at, life.frequency);
    let [from, split, to] = life.pieces;
    let mut passed = [0.0; 2];
    let mut dead = f64::NEG_INFINITY;
    let mut first = f64::NAN;
    for (i, (place, length)) in pieces[from..to].iter().enumerate() {
        let factors = course.factors(*place, &at[LAW..]);
        if from + i >= split {
            if first.is_nan() {
                first = law.ln_term(passed, law.s + 1.0);
            }
            let mut sum = 0.0;
            if law.ln_term(passed, law.s + 1.0) - first > -NOTHING {
                nodes(&law, passed, factors, *length, |u, width| {
                    let there = [passed[0] + factors[0] * u, passed[1] + factors[1] * u];
                    sum += width * exp(law.ln_term(there, law.s + 1.0) - first);
                });
            }
            if sum > 0.0 {
                dead = dead.log_add(ln(sum));
            }
        }
        passed = [passed[0] + factors[0] * length, passed[1] + factors[1] * length];
    }
    let ln_dead = if first.is_nan() { f64::NEG_INFINITY } else { dead + first + ln(law.s) };
    Told { ln_alive: law.ln_term(passed, law.s), ln_dead, passed }
}

/// The log-likelihood of one customer, its value alone.
pub(super) fn ln_likelihood(
    life: &Life,
    pieces: &[(u32, f64)],
    purchases: &[(u32, f64)],
    course: &Course<'_>,
    at: &[f64],
) -> f64 {
    let law = Law::new(at, life.frequency);
    let found = told(life, pieces, course, at);
    let bought: f64 = (purchases.iter())
        .flat_map(|(place, _)| (LAW..at.len()).map(|i| at[i] * course.covariate(*place, i - LAW)[0]))
        .sum();
    let whole = found.ln_alive.log_add(found.ln_dead);
    whole + law.r.ln_rising(life.frequency) + law.r * at[1] + law.s * at[3] + bought
}

/// The log-likelihood of one customer, on log parameters and coefficients; its curvature where `total` has room for it.
pub(super) fn add(
    life: &Life,
    pieces: &[(u32, f64)],
    purchases: &[(u32, f64)],
    course: &Course<'_>,
    at: &[f64],
    total: &mut Local,
) {
    let size = at.len();
    let law = Law::new(at, life.frequency);
    let curved = !total.hessian.is_empty();
    let mut clock = Clock::new(size - LAW, curved);
    let [from, split, to] = life.pieces;
    let second = vec![0.0; if curved { size * size } else { 0 }];
    let mut moments = Moments { top: f64::NEG_INFINITY, mass: 0.0, first: vec![0.0; size], second };
    let mut first = f64::NAN;
    let mut gradient = vec![0.0; size];
    for (i, (place, length)) in pieces[from..to].iter().enumerate() {
        let factors = course.factors(*place, &at[LAW..]);
        if from + i >= split {
            let here = law.ln_term(clock.passed, law.s + 1.0);
            if first.is_nan() {
                (first, moments.top) = (here, here);
            }
            if here - first > -NOTHING {
                nodes(&law, clock.passed, factors, *length, |u, width| {
                    let there = [clock.passed[0] + factors[0] * u, clock.passed[1] + factors[1] * u];
                    let weight = width * law.s * exp(law.ln_term(there, law.s + 1.0) - first);
                    moments.add(&law, &clock, Some((course, *place, factors, u)), weight, &mut gradient);
                });
            }
        }
        clock.pass(course, *place, factors, *length);
    }
    let alive = law.ln_term(clock.passed, law.s);
    if moments.mass == 0.0 {
        moments.top = alive;
    }
    moments.add(&law, &clock, None, exp(alive - moments.top), &mut gradient);
    moments.into_total(total);
    // What does not depend on when the customer died.
    let [r] = Jet::variables([law.r]);
    let rising = r.ln_rising(life.frequency);
    let (ln_alpha, ln_beta) = (at[1], at[3]);
    total.value += rising.value + law.r * ln_alpha + law.s * ln_beta;
    let by_r = law.r * (rising.gradient[0] + ln_alpha);
    total.gradient[0] += by_r;
    total.gradient[1] += law.r;
    total.gradient[2] += law.s * ln_beta;
    total.gradient[3] += law.s;
    if curved {
        total.hessian[0] += by_r + law.r * law.r * rising.hessian[0][0];
        total.hessian[size] += law.r;
        total.hessian[2 * size + 2] += law.s * ln_beta;
        total.hessian[3 * size + 2] += law.s;
    }
    for (place, _) in purchases {
        for c in 0..size - LAW {
            let z = course.covariate(*place, c)[0];
            total.gradient[LAW + c] += z;
            total.value += at[LAW + c] * z;
        }
    }
}

impl Moments {
    /// A death at u in a piece, or being alive at the end.
    fn add(
        &mut self,
        law: &Law,
        clock: &Clock,
        death: Option<(&Course<'_>, u32, [f64; 2], f64)>,
        weight: f64,
        gradient: &mut [f64],
    ) {
        let size = gradient.len();
        let k = size - LAW;
        // Passed time and its derivatives at this moment.
        let extra = |side: usize, c: usize, d: Option<usize>| match death {
            None => 0.0,
            Some((course, place, factors, u)) => {
                let by = factors[side] * u * course.covariate(place, c)[side];
                d.map_or(by, |d| by * course.covariate(place, d)[side])
            }
        };
        let more = death.map_or([0.0; 2], |(_, _, factors, u)| factors.map(|f| f * u));
        let (a, b) = (law.alpha + clock.passed[0] + more[0], law.beta + clock.passed[1] + more[1]);
        let e = if death.is_some() { law.s + 1.0 } else { law.s };
        let (ln_a, ln_b) = (ln(a), ln(b));
        gradient[0] = -law.r * ln_a;
        gradient[1] = -law.shape * law.alpha / a;
        gradient[2] = f64::from(u8::from(death.is_some())) - law.s * ln_b;
        gradient[3] = -e * law.beta / b;
        self.mass += weight;
        let passed =
            |c: usize| (clock.first[0][c] + extra(0, c, None), clock.first[1][c] + extra(1, c, None));
        for c in 0..k {
            let (by_a, by_b) = passed(c);
            gradient[LAW + c] = -law.shape * by_a / a - e * by_b / b
                + death.map_or(0.0, |(course, place, ..)| course.covariate(place, c)[1]);
        }
        for (first, slope) in self.first.iter_mut().zip(&*gradient) {
            *first += weight * slope;
        }
        let second = &mut self.second;
        if second.is_empty() {
            return;
        }
        second[0] -= weight * law.r * ln_a;
        second[size] -= weight * law.r * law.alpha / a;
        second[size + 1] -= weight * law.shape * law.alpha / a * (1.0 - law.alpha / a);
        second[2 * size + 2] -= weight * law.s * ln_b;
        second[3 * size + 2] -= weight * law.s * law.beta / b;
        second[3 * size + 3] -= weight * e * law.beta / b * (1.0 - law.beta / b);
        for c in 0..k {
            let (by_a, by_b) = passed(c);
            let line = (LAW + c) * size;
            second[line] -= weight * law.r * by_a / a;
            second[line + 1] += weight * law.shape * law.alpha * by_a / (a * a);
            second[line + 2] -= weight * law.s * by_b / b;
            second[line + 3] += weight * e * law.beta * by_b / (b * b);
            for d in 0..=c {
                let (to_a, to_b) = passed(d);
                let both_a = clock.second[0][c * k + d] + extra(0, c, Some(d));
                let both_b = clock.second[1][c * k + d] + extra(1, c, Some(d));
                second[line + LAW + d] -= weight
                    * (law.shape * (both_a / a - by_a * to_a / (a * a))
                        + e * (both_b / b - by_b * to_b / (b * b)));
            }
        }
        for i in 0..size {
            for j in 0..=i {
                second[i * size + j] += weight * gradient[i] * gradient[j];
            }
        }
    }

    fn into_total(self, total: &mut Local) {
        let size = self.first.len();
        total.value += ln(self.mass) + self.top;
        for i in 0..size {
            let mean = self.first[i] / self.mass;
            total.gradient[i] += mean;
            if self.second.is_empty() {
                continue;
            }
            for j in 0..=i {
                let at = i * size + j;
                total.hessian[at] += self.second[at] / self.mass - mean * self.first[j] / self.mass;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_value() {
        // Five places, two covariates: one of purchases and dropout alike, one of each alone.
        let values = vec![0.3, -1.0, -0.8, 0.4, 1.2, 0.1, -0.2, 2.0, 0.0, -0.5];
        let matrix = Matrix { rows: 5, columns: 2, values };
        let course = Course {
            matrix: &matrix,
            slopes: vec![(0, true, false), (1, false, true), (1, true, true)].into(),
        };
        let pieces = [(0, 7.0), (1, 3.5), (1, 3.5), (2, 7.0), (3, 7.0), (4, 80.0)];
        let at = [-0.5, 2.2, -0.4, 2.5, 0.4, -0.6, 0.2];
        for (frequency, split) in [(0, 0), (3, 2), (60, 4), (5, 6)] {
            let life = Life {
                frequency,
                pieces: [0, split, 6],
                purchases: [0, 0],
                places: (0, 5),
                birth: 0,
                end: 0,
                recency: 0.0,
                age: 0.0,
            };
            let bought: Vec<(u32, f64)> = (0..frequency).map(|j| (j % 3, 1.0)).collect();
            let local = |at: &[f64]| {
                let mut total = Local::zero(7);
                add(&life, &pieces, &bought, &course, at, &mut total);
                total
            };
            let here = local(&at);
            let mut slope = Local { value: 0.0, gradient: vec![0.0; 7], hessian: Vec::new() };
            add(&life, &pieces, &bought, &course, &at, &mut slope);
            assert_eq!((slope.value, &slope.gradient), (here.value, &here.gradient));
            assert!((ln_likelihood(&life, &pieces, &bought, &course, &at) / here.value - 1.0).abs() < 1e-11);
            let told = told(&life, &pieces, &course, &at);
            let law: f64 = (0..frequency).map(|j| ln(exp(at[0]) + f64::from(j))).sum::<f64>()
                + exp(at[0]) * at[1]
                + exp(at[2]) * at[3];
            let bought: f64 = bought
                .iter()
                .map(|(p, _)| at[4] * matrix.row(*p as usize)[0] + at[6] * matrix.row(*p as usize)[1])
                .sum();
            let value = law + bought + told.ln_alive.log_add(told.ln_dead);
            assert!((here.value - value).abs() < 1e-11 * value.abs(), "{} {value}", here.value);
            for i in 0..7 {
                let moved = |h: f64| {
                    let mut at = at;
                    at[i] += h;
                    local(&at)
                };
                let (up, down) = (moved(1e-5), moved(-1e-5));
                let slope = (up.value - down.value) / 2e-5;
                assert!((slope - here.gradient[i]).abs() < 1e-6 * (1.0 + slope.abs()), "{frequency} {i}");
                for j in 0..7 {
                    let bent = (up.gradient[j] - down.gradient[j]) / 2e-5;
                    let told = here.hessian[i.max(j) * 7 + i.min(j)];
                    assert!(
                        (bent - told).abs() < 1e-6 * (1.0 + bent.abs()),
                        "{frequency} {i} {j}: {bent} {told}"
                    );
                }
            }
        }
    }
}
