//! A customer at the end of observation, and what is expected of it along the covariates to come.

use super::likelihood::{Course, LAW, Law, nodes, told};
use super::timeline::Life;
use crate::math::quadrature::integrate;
use crate::math::{exp, exp_m1, ln, ln_1p, log1p_exp};

pub(super) fn alive(odds: f64) -> f64 {
    exp(ln_alive(odds))
}

fn ln_alive(odds: f64) -> f64 {
    if odds == f64::INFINITY { 0.0 } else { -log1p_exp(-odds) }
}

/// A customer at the end of observation, by what the data say.
pub(super) struct Living {
    odds: f64,
    /// Of the rate of buying: r + x, and α with the time that its clock has counted.
    shape: f64,
    counted: f64,
    s: f64,
    /// β and the time that the clock of leaving has counted.
    start: f64,
}

/// A piece of what is to come.
struct Stretch {
    buying: f64,
    leaving: f64,
    /// Time before it, by the clock of leaving and by the calendar.
    passed: f64,
    when: f64,
    length: f64,
    /// Expected purchases in it of a customer who is alive at the end of observation and whose rate is 1.
    lived: f64,
}

impl Living {
    pub(super) fn new(life: &Life, pieces: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> Self {
        let found = told(life, pieces, course, at);
        Self {
            odds: found.ln_alive - found.ln_dead,
            shape: exp(at[0]) + f64::from(life.frequency),
            counted: exp(at[1]) + found.passed[0],
            s: exp(at[2]),
            start: exp(at[3]) + found.passed[1],
        }
    }

    /// ln P(alive) − ln P(dead).
    pub(super) fn odds(&self) -> f64 {
        self.odds
    }

    pub(super) fn p_alive(&self) -> f64 {
        alive(self.odds)
    }

    /// Expected purchases per unit of the clock of buying, of a customer who is alive.
    pub(super) fn rate(&self) -> f64 {
        self.shape / self.counted
    }

    /// Expected purchases in what is to come, if the customer is alive.
    pub(super) fn while_alive(&self, coming: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> f64 {
        let mut lived = 0.0;
        self.walk(coming, course, at, |stretch| lived += stretch.lived);
        self.rate() * lived
    }

    /// The same discounted at this rate, continuously.
    pub(super) fn discounted(
        &self,
        coming: &[(u32, f64)],
        course: &Course<'_>,
        at: &[f64],
        rate: f64,
    ) -> f64 {
        let &Self { s, start, .. } = self;
        let mut discounted = 0.0;
        self.walk(coming, course, at, |stretch| {
            let &Stretch { buying, leaving, passed, when, length, .. } = stretch;
            // In the log of time, where it is long beside survival or discounting.
            let scale = ((start + passed) / leaving).min(1.0 / rate);
            let high = ln_1p(length / scale);
            let panels = (1.0 + high * (1.0 + 0.25 * s)).min(400.0) as usize;
            let part = integrate(0.0, high, panels, |v| {
                let u = scale * exp_m1(v);
                scale * exp(v - s * ln_1p((passed + leaving * u) / start) - rate * (when + u))
            });
            discounted += buying * part;
        });
        self.rate() * discounted
    }

    /// ln P(alive after what is to come).
    pub(super) fn ln_alive(&self, coming: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> f64 {
        let passed = self.walk(coming, course, at, |_| ());
        ln_alive(self.odds) - self.s * ln_1p(passed / self.start)
    }

    /// P(n purchases in what is to come), n = 0 … `most`.
    pub(super) fn probabilities(
        &self,
        coming: &[(u32, f64)],
        course: &Course<'_>,
        at: &[f64],
        most: usize,
    ) -> Vec<f64> {
        let &Self { shape, counted, s, start, .. } = self;
        let law = Law { r: shape, alpha: counted, s, beta: start, shape };
        let (mut passed, mut mass) = ([0.0; 2], vec![0.0; most + 1]);
        for (place, length) in coming {
            let factors = course.factors(*place, &at[LAW..]);
            nodes(&law, passed, factors, *length, |u, width| {
                let [bought, gone] = [passed[0] + factors[0] * u, passed[1] + factors[1] * u];
                let died = width * s / start * exp(-(s + 1.0) * ln_1p(gone / start));
                self.add(died, bought, &mut mass);
            });
            passed = [passed[0] + factors[0] * length, passed[1] + factors[1] * length];
        }
        self.add(exp(-s * ln_1p(passed[1] / start)), passed[0], &mut mass);
        let alive = self.p_alive();
        mass.iter_mut().for_each(|p| *p *= alive);
        if let Some(none) = mass.first_mut() {
            *none += 1.0 - alive;
        }
        mass
    }

    /// Adds what a customer buys who lives for this time of the clock of buying: negative binomial.
    fn add(&self, weight: f64, lived: f64, mass: &mut [f64]) {
        let &Self { shape, counted, .. } = self;
        let share = lived / (counted + lived);
        let ln_none = -shape * ln_1p(lived / counted);
        let ratio = |n: usize| (shape + n as f64) / (n as f64 + 1.0) * share;
        if ln_none > -600.0 {
            let mut p = weight * exp(ln_none);
            for (n, mass) in mass.iter_mut().enumerate() {
                *mass += p;
                p *= ratio(n);
            }
            return;
        }
        // None at all is beyond the range of a double, many are not.
        let mut ln_p = ln_none;
        for (n, mass) in mass.iter_mut().enumerate() {
            *mass += weight * exp(ln_p);
            ln_p += ln(ratio(n));
        }
    }

    /// Expected purchases in each piece to come.
    pub(super) fn purchases(&self, coming: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> Vec<f64> {
        let mut out = Vec::with_capacity(coming.len());
        let pace = self.p_alive() * self.rate();
        self.walk(coming, course, at, |stretch| out.push(pace * stretch.lived));
        out
    }

    /// By the end of each piece to come, of a customer who is sure to be alive before them: the clock of buying A, ∫ S dA
    /// and ∫ A S dA.
    pub(super) fn moments(&self, coming: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> Vec<[f64; 3]> {
        let &Self { s, start, .. } = self;
        let (mut out, mut sums) = (Vec::with_capacity(coming.len()), [0.0; 3]);
        self.walk(coming, course, at, |stretch| {
            let &Stretch { buying, leaving, passed, length, lived, .. } = stretch;
            let survived = |u: f64| exp(-s * ln_1p((passed + leaving * u) / start));
            let grown = ln_1p(leaving * length / (start + passed));
            let inside = integrate(0.0, length, (1.0 + grown) as usize, |u| u * survived(u));
            sums[2] += sums[0] * lived + buying * buying * inside;
            sums[1] += lived;
            sums[0] += buying * length;
            out.push(sums);
        });
        out
    }

    /// The pieces to come; what is returned has passed by their end, by the clock of leaving.
    fn walk(
        &self,
        coming: &[(u32, f64)],
        course: &Course<'_>,
        at: &[f64],
        mut each: impl FnMut(&Stretch),
    ) -> f64 {
        let &Self { s, start, .. } = self;
        let (mut passed, mut when) = (0.0, 0.0);
        for (place, length) in coming {
            let [buying, leaving] = course.factors(*place, &at[LAW..]);
            let here = start + passed;
            // ∫ (start / (here + leaving u))^s du: −expm1((1−s) ln …) / (s−1), a logarithm at s = 1.
            let grown = ln_1p(leaving * length / here);
            let slope = s - 1.0;
            let part = if (slope * grown).abs() < 1e-300 { grown } else { -exp_m1(-slope * grown) / slope };
            let lived = buying * exp(-s * ln_1p(passed / start)) * here / leaving * part;
            each(&Stretch { buying, leaving, passed, when, length: *length, lived });
            (passed, when) = (passed + leaving * length, when + length);
        }
        passed
    }
}
