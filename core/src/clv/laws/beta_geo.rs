//! Dropout after a purchase: BG/NBD, MBG/NBD and their regular kin (M)BG/CNBD-k.
//!
//! While alive a customer buys at every k-th tick of a Poisson process with
//! rate λ ~ Gamma(r, α) and drops out after a purchase with probability
//! p ~ Beta(a, b); in the modified laws (m = 1) already after the first one,
//! so that a customer without repeat purchases may be gone (Fader, Hardie & Lee
//! 2005; Batislam, Denizel & Filiztekin 2007; Platzer & Reutterer 2016). With
//! R = r + kx, A = α + T, b' = b + x + m and y = (T − t_x) / A:
//!
//! ```text
//! dead : alive = a / (b' − 1) ((α + T) / (α + t_x))^R : Σ_{j<k} (R)_j / j! y^j
//! ```
//!
//! Term j of the last sum is the weight of j ticks since the last purchase;
//! given j the rate is Gamma(R + j, A).

use super::{
    History, Law, Mixing, first_negative_binomial, ln_rising_ratio, negative_binomial, parts, slope_of,
};
use crate::clv::beta_geo::expectation::Future;
use crate::clv::covariates::Process;
use crate::clv::estimates::Verdict;
use crate::math::dual::Dual;
use crate::math::jet::{Jet, Real};
use crate::math::quadrature::exp_integral;
use crate::math::{Sum, exp, exp_m1, hyp2f1, ln, ln_1p, ln_beta, log1p_exp, trigamma};

/// What the laws of this file have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BetaGeometric {
    pub(crate) k: u32,
    pub(crate) modified: bool,
}

type Parameters = [f64; 4];

impl BetaGeometric {
    fn first(self) -> u32 {
        u32::from(self.modified)
    }

    fn shared<R: Real>(self, [r, alpha, a, b]: [R; 4], x: u32) -> R {
        let purchases = r.ln_rising(self.k.saturating_mul(x)) + r * alpha.ln();
        purchases + ln_rising_ratio(b, a, x.saturating_add(self.first()))
    }

    /// ln S1 and ln S2; S1 is nothing (−∞) for a customer who cannot have dropped out.
    fn odds<R: Real>(self, [r, alpha, a, b]: [R; 4], h: History) -> (R, R) {
        let x = f64::from(h.frequency);
        let shape = r + f64::from(self.k) * x;
        let gone = if h.frequency + self.first() == 0 {
            R::from(f64::NEG_INFINITY)
        } else {
            let idle = (R::from(h.age - h.recency) / (alpha + h.recency)).ln_1p();
            a.ln() - (b + (x - 1.0 + f64::from(self.first()))).ln() + shape * idle
        };
        if self.k == 1 {
            return (gone, R::from(0.0));
        }
        let y = R::from(h.age - h.recency) / (alpha + h.age);
        let (mut term, mut total) = (R::from(1.0), R::from(1.0));
        for j in 1..self.k {
            term = term * y * (shape + f64::from(j - 1)) * (1.0 / f64::from(j));
            total = total + term;
        }
        (gone, total.ln())
    }

    fn own<R: Real>(self, p: [R; 4], h: History) -> R {
        let [r, alpha, ..] = p;
        let (gone, alive) = self.odds(p, h);
        let shape = r + f64::from(self.k) * f64::from(h.frequency);
        let either = if gone.value() == f64::NEG_INFINITY { alive } else { gone.log_add(alive) };
        either - shape * (alpha + h.age).ln()
    }

    fn ln_odds_alive(self, p: Parameters, h: History) -> f64 {
        let (gone, alive) = self.odds(p, h);
        alive - gone
    }

    fn alive(self, p: Parameters, h: History) -> f64 {
        let odds = self.ln_odds_alive(p, h);
        if odds == f64::INFINITY { 1.0 } else { exp(-log1p_exp(-odds)) }
    }

    /// R, A, a and b' of a living customer.
    fn living(self, [r, alpha, a, b]: Parameters, h: History) -> Parameters {
        let x = f64::from(h.frequency);
        [r + f64::from(self.k) * x, alpha + h.age, a, b + x + f64::from(self.first())]
    }

    /// The weights of 0 … k − 1 ticks since the last purchase.
    fn ticks(self, p: Parameters, h: History) -> Vec<f64> {
        let [shape, scale, ..] = self.living(p, h);
        let y = (h.age - h.recency) / scale;
        let mut terms = vec![1.0];
        for j in 1..self.k {
            let j = f64::from(j);
            terms.push(terms[terms.len() - 1] * y * (shape + j - 1.0) / j);
        }
        let total: f64 = terms.iter().sum();
        terms.iter().map(|t| t / total).collect()
    }

    fn while_alive(self, p: Parameters, h: History, t: f64) -> f64 {
        let [shape, rate, a, b] = self.living(p, h);
        if self.k == 1 {
            return Future { shape, rate, a, b }.expected(t);
        }
        let mut total = Sum::default();
        self.classes(p, h, t, 0, |weight, _, _, beyond, n| {
            // The n-th purchase happens if the rate allows it and n − 1 dropouts were survived.
            if n > 0 {
                total.add(weight * exp(ln_survived(a, b, n - 1)) * beyond);
            }
        });
        total.value()
    }

    /// Walks over j and n: weight of j, P(n purchases were it not for
    /// dropout), whether the tail has ended, P(n purchases or more), and n.
    fn classes(
        self,
        p: Parameters,
        h: History,
        t: f64,
        most: usize,
        mut visit: impl FnMut(f64, f64, bool, f64, usize),
    ) {
        let [shape, rate, ..] = self.living(p, h);
        let k = self.k as usize;
        for (j, weight) in self.ticks(p, h).into_iter().enumerate() {
            let (mass, beyond) = negative_binomial(shape + j as f64, t / rate, (most + 1) * k);
            let mut n = 0;
            loop {
                let (first, last) = ((n * k).saturating_sub(j), (n * k + k).saturating_sub(j));
                let over = first >= mass.len();
                if over && n > most {
                    break;
                }
                let within = mass.iter().take(last).skip(first).sum();
                visit(weight, within, over, beyond.get(first).copied().unwrap_or(0.0), n);
                n += 1;
            }
        }
    }

    fn probabilities(self, p: Parameters, h: History, t: f64, most: usize) -> Vec<f64> {
        let [shape, rate, a, b] = self.living(p, h);
        let alive = self.alive(p, h);
        let mut out = vec![0.0; most + 1];
        if most == 0 {
            // Which needs no tail: the search for the next purchase asks this at any distance.
            for (j, weight) in self.ticks(p, h).into_iter().enumerate() {
                let count = (self.k as usize).saturating_sub(j);
                let mass = first_negative_binomial(shape + j as f64, t / rate, count);
                out[0] += weight * (exp(ln_survived(a, b, 0)) * mass.iter().sum::<f64>());
            }
            return vec![alive * out[0] + (1.0 - alive)];
        }
        self.classes(p, h, t, most, |weight, within, _, beyond, n| {
            if let Some(out) = out.get_mut(n) {
                let survived = exp(ln_survived(a, b, n));
                // Dropped out at the n-th purchase though the rate allowed more: a / (b' + n − 1) of the survivors.
                let dropped = if n == 0 { 0.0 } else { survived * a / (b + (n - 1) as f64) * beyond };
                *out += weight * (survived * within + dropped);
            }
        });
        for p in &mut out {
            *p *= alive;
        }
        out[0] += 1.0 - alive;
        out
    }

    fn p_alive(self, p: Parameters, h: History, ahead: f64) -> f64 {
        let [shape, rate, a, b] = self.living(p, h);
        let alive = self.alive(p, h);
        if ahead == 0.0 {
            return alive;
        }
        if self.k == 1 {
            let later = hyp2f1(shape, a, a + b, -ahead / rate);
            if later.is_finite() {
                return alive * later;
            }
        }
        let mut total = Sum::default();
        self.classes(p, h, ahead, 0, |weight, within, _, _, n| {
            total.add(weight * within * exp(ln_survived(a, b, n)));
        });
        alive * total.value()
    }

    fn residual(self, p: Parameters, h: History, rate: f64) -> f64 {
        let [shape, scale, a, b] = self.living(p, h);
        let alive = self.alive(p, h);
        if self.k == 1 {
            // E[λ / (δ + λ p)] over λ: R e^z E_{R+1}(z) / p, z = δ A / p.
            return alive * shape * over_beta(a, b, |p| exp_integral(shape + 1.0, rate * scale / p) / p);
        }
        // The n-th purchase is tick nk − j, whose discount is φ^(nk−j), φ = λ / (λ + δ).
        let k = f64::from(self.k);
        let mut total = Sum::default();
        for (j, weight) in self.ticks(p, h).into_iter().enumerate() {
            let j = j as f64;
            total.add(
                weight
                    * over_gamma(shape + j, scale, |rate_of| {
                        let ln_phi = -ln_1p(rate / rate_of);
                        let (first, cycle) = (exp((k - j) * ln_phi), exp(k * ln_phi));
                        first * over_beta(a, b, |p| 1.0 / (1.0 - cycle + p * cycle))
                    }),
            );
        }
        alive * total.value()
    }

    fn rate(self, p: Parameters, h: History) -> f64 {
        let [shape, scale, ..] = self.living(p, h);
        let ticks = self.ticks(p, h);
        let idle: f64 = ticks.iter().enumerate().map(|(j, w)| j as f64 * w).sum();
        (shape + idle) / scale / f64::from(self.k)
    }

    fn start(self, rate: f64) -> Parameters {
        [0.5, 0.5 / (rate * f64::from(self.k)), 1.0, 2.0]
    }

    fn verdict(at: Parameters, held: [bool; 4]) -> Verdict {
        let high = |i: usize| held[i] && at[i] > 0.0;
        if (held[2] || held[3]) && at[3] - at[2] > 6.0 {
            Verdict::NoDropout
        } else if high(0) || high(1) {
            Verdict::EqualRates
        } else if (held[2] || held[3]) && at[2] > 6.0 && at[3] > 6.0 {
            Verdict::EqualDropout
        } else if (held[2] || held[3]) && at[2] < -6.0 && at[3] < -6.0 {
            Verdict::PolarisedDropout
        } else if (held[3] && at[3] < 0.0) || high(2) {
            Verdict::CertainDropout
        } else if held.contains(&true) {
            Verdict::Boundary
        } else {
            Verdict::Interior
        }
    }
}

/// ln E(1 − p)^n, p ~ Beta(a, b).
fn ln_survived(a: f64, b: f64, n: usize) -> f64 {
    ln_rising_ratio(b, a, u32::try_from(n).unwrap_or(u32::MAX))
}

/// E f(p), p ~ Beta(a, b): the trapezoidal rule on logit p, whose error is exponentially small:
/// e^(−2π · π / step) where f is analytic but for p ≤ 0, e^(−2π² σ² / step²) where the density is narrow.
///
/// Towards both ends f becomes a constant and the density falls by e^(−a step) or e^(−b step) from one
/// node to the next: what is left then is a geometric series, however slowly it falls.
fn over_beta(a: f64, b: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let normaliser = ln_beta(a, b);
    let step = (0.5 * (trigamma(a) + trigamma(b)).sqrt()).min(0.45);
    let centre = ln(a) - ln(b);
    let mut total = Sum::default();
    for (direction, falls) in [(1.0, b), (-1.0, a)] {
        let mut i = if direction > 0.0 { 0.0 } else { 1.0 };
        let (mut before, mut f_before) = (f64::INFINITY, f64::NAN);
        loop {
            let y: f64 = centre + direction * i * step;
            let (ln_p, ln_q) = (-log1p_exp(-y), -log1p_exp(y));
            let here = f(exp(ln_p));
            let value = exp(a * ln_p + b * ln_q - normaliser) * here;
            total.add(value);
            let flat = direction * y > 40.0 && (here - f_before).abs() <= 1e-16 * here;
            if flat || y.abs() > 600.0 {
                total.add(value / exp_m1(falls * step));
                break;
            }
            if value <= before && value <= 1e-18 * total.value() {
                break;
            }
            (before, f_before) = (value, here);
            i += 1.0;
        }
    }
    step * total.value()
}

/// E f(λ), λ ~ Gamma(shape, rate), in the same way on ln λ.
fn over_gamma(shape: f64, rate: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let normaliser = crate::math::ln_gamma(shape);
    let step = (0.5 * trigamma(shape).sqrt()).min(0.25);
    let centre = ln(shape);
    let mut total = Sum::default();
    for direction in [1.0, -1.0] {
        let mut i = if direction > 0.0 { 0.0 } else { 1.0 };
        let mut before = f64::INFINITY;
        loop {
            let y: f64 = centre + direction * i * step;
            let value = exp(shape * y - exp(y) - normaliser) * f(exp(y) / rate);
            total.add(value);
            if value <= before && value <= 1e-18 * total.value() || y < -740.0 || i > 100_000.0 {
                break;
            }
            before = value;
            i += 1.0;
        }
    }
    step * total.value()
}

macro_rules! law {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $label:literal, modified: $modified:literal, regular: $regular:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            k: u32,
        }

        impl $name {
            const fn family(self) -> BetaGeometric {
                BetaGeometric { k: self.k, modified: $modified }
            }
        }

        impl Law<4> for $name {
            const KIND: &'static str = $kind;
            const NAME: &'static str = $label;
            const PARAMETERS: [&'static str; 4] = ["r", "alpha", "a", "b"];
            const TIME: [f64; 4] = [0.0, 1.0, 0.0, 0.0];
            const MIXING: [Mixing; 2] = [Mixing::Gamma { shape: 0, rate: 1 }, Mixing::Beta { a: 2, b: 3 }];

            fn with_k(k: u32) -> Option<Self> {
                (k == 1 || $regular && (1..=50).contains(&k)).then_some(Self { k })
            }
            fn k(&self) -> u32 {
                self.k
            }
            fn direction(process: Process) -> Option<[f64; 4]> {
                Some(match process {
                    Process::Purchase => [0.0, -1.0, 0.0, 0.0],
                    Process::Dropout | Process::DropoutA => [0.0, 0.0, 1.0, 0.0],
                    Process::DropoutBoth => [0.0, 0.0, 1.0, 1.0],
                    Process::DropoutB => [0.0, 0.0, 0.0, 1.0],
                    Process::Alpha | Process::Beta => return None,
                })
            }
            fn start(&self, rate: f64, _: f64) -> [f64; 4] {
                self.family().start(rate)
            }
            fn verdict(&self, at: [f64; 4], held: [bool; 4]) -> Verdict {
                BetaGeometric::verdict(at, held)
            }
            fn ln_odds_alive(&self, p: [f64; 4], h: History) -> f64 {
                self.family().ln_odds_alive(p, h)
            }
            fn p_alive(&self, p: [f64; 4], h: History, ahead: f64) -> f64 {
                self.family().p_alive(p, h, ahead)
            }
            fn while_alive(&self, p: [f64; 4], h: History, periods: f64) -> f64 {
                self.family().while_alive(p, h, periods)
            }
            fn probabilities(&self, p: [f64; 4], h: History, periods: f64, most: usize) -> Vec<f64> {
                self.family().probabilities(p, h, periods, most)
            }
            fn residual(&self, p: [f64; 4], h: History, rate: f64) -> f64 {
                self.family().residual(p, h, rate)
            }
            fn rate(&self, p: [f64; 4], h: History) -> f64 {
                self.family().rate(p, h)
            }
            fn shared(&self, p: [f64; 4], frequency: u32) -> (f64, [f64; 4], [[f64; 4]; 4]) {
                parts(self.family().shared(Jet::variables(p), frequency))
            }
            fn own(&self, p: [f64; 4], h: History) -> (f64, [f64; 4], [[f64; 4]; 4]) {
                parts(self.family().own(Jet::variables(p), h))
            }
            fn shared_slope(&self, p: [f64; 4], frequency: u32) -> (f64, [f64; 4]) {
                slope_of(self.family().shared(Dual::variables(p), frequency))
            }
            fn own_slope(&self, p: [f64; 4], h: History) -> (f64, [f64; 4]) {
                slope_of(self.family().own(Dual::variables(p), h))
            }
            fn ln_likelihood(&self, p: [f64; 4], h: History) -> f64 {
                self.family().shared(p, h.frequency) + self.family().own(p, h)
            }
        }
    };
}

law!(
    /// BG/NBD as a law like the others; [`BetaGeo`](crate::clv::BetaGeo) fits it faster.
    BetaGeoLaw, "clv.BetaGeo", "BetaGeo", modified: false, regular: false
);
law!(
    /// MBG/NBD: dropout after any purchase, the first one included.
    ModifiedBetaGeoLaw, "clv.ModifiedBetaGeo", "ModifiedBetaGeo", modified: true, regular: false
);
law!(
    /// BG/CNBD-k: BG/NBD with purchases at every k-th tick.
    BetaGeoCnbdLaw, "clv.BetaGeoCNBD", "BetaGeoCNBD", modified: false, regular: true
);
law!(
    /// MBG/CNBD-k: MBG/NBD with purchases at every k-th tick.
    ModifiedBetaGeoCnbdLaw, "clv.ModifiedBetaGeoCNBD", "ModifiedBetaGeoCNBD", modified: true, regular: true
);

/// The quantities of BG/NBD that its own module does not have.
impl BetaGeometric {
    pub(crate) const PLAIN: Self = Self { k: 1, modified: false };

    pub(crate) fn quantities(self, p: Parameters, h: History) -> Quantities {
        Quantities { law: self, p, h }
    }
}

/// What BG/NBD says of one customer.
pub(crate) struct Quantities {
    law: BetaGeometric,
    p: Parameters,
    h: History,
}

impl Quantities {
    pub(crate) fn p_alive(&self, ahead: f64) -> f64 {
        self.law.p_alive(self.p, self.h, ahead)
    }
    pub(crate) fn probabilities(&self, periods: f64, most: usize) -> Vec<f64> {
        self.law.probabilities(self.p, self.h, periods, most)
    }
    pub(crate) fn residual(&self, rate: f64) -> f64 {
        self.law.residual(self.p, self.h, rate)
    }
    pub(crate) fn rate(&self) -> f64 {
        self.law.rate(self.p, self.h)
    }
    pub(crate) fn ln_likelihood(&self) -> f64 {
        self.law.shared(self.p, self.h.frequency) + self.law.own(self.p, self.h)
    }
}
