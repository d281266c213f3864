//! Dropout at any time: Pareto/NBD and GGompertz/NBD.
//!
//! While alive a customer buys at random with rate λ ~ Gamma(r, α); how long a
//! customer lives is independent of it, with survival S and density f over all
//! customers. Then
//!
//! ```text
//! L = Γ(r+x)/Γ(r) α^r { (α+T)^−(r+x) S(T) + ∫_{t_x}^T (α+u)^−(r+x) f(u) du }
//! ```
//!
//! Pareto/NBD (Schmittlein, Morrison & Colombo 1987): exponential lifetimes
//! with rate μ ~ Gamma(s, β), S = (β / (β+t))^s. GGompertz/NBD (Bemmaor & Glady
//! 2012): S = (β / (β − 1 + e^bt))^s. The printed forms of the integral are
//! differences of two ₂F₁ that cancel; here it is a sum of positive terms.

use super::{History, Law, Mixing, first_negative_binomial, parts, slope_of};
use crate::clv::covariates::Process;
use crate::clv::estimates::Verdict;
use crate::math::dual::Dual;
use crate::math::jet::{Jet, Real};
use crate::math::quadrature::{NODES, exp_integral, integrate, legendre};
use crate::math::{exp, exp_m1, ln, ln_1p, log1p_exp};

/// Beyond this fall of its logarithm an integrand is nothing.
const NOTHING: f64 = 45.0;

/// How long customers live.
trait Lifetimes<const N: usize>: Copy {
    /// ln S(t).
    fn ln_survival<R: Real>(p: [R; N], t: f64) -> R;
    /// ln f(t).
    fn ln_density<R: Real>(p: [R; N], t: f64) -> R;
    /// A bound from above on the slope of ln f.
    fn growth(p: [f64; N]) -> f64;
    /// A bound from above on what ln f falls by from t_x to T.
    fn fall(p: [f64; N], from: f64, to: f64) -> f64;
    /// The scale of times: where f begins to change.
    fn scale(p: [f64; N]) -> f64;
}

/// Panels and the end of them in v = ln(c + u).
struct Range {
    shift: f64,
    low: f64,
    high: f64,
    panels: usize,
}

impl Range {
    /// For (α+u)^−shape f(u).
    fn of<const N: usize, L: Lifetimes<N>>(p: [f64; N], shape: f64, from: f64, to: f64) -> Self {
        let alpha = p[1];
        let shift = alpha.min(L::scale(p));
        let width = |to: f64| ln_1p((to - from) / (shift + from));
        let rise = |to: f64| L::growth(p) * (to - from);
        // Where the integrand is sure to have died away, it is cut off.
        let mut to = to;
        for _ in 0..60 {
            let half = 0.5 * (from + to);
            let left = shape * ln_1p((half - from) / (alpha + from)) - rise(half);
            let still_falling = shape / (alpha + to) > L::growth(p);
            if left < NOTHING || !still_falling {
                break;
            }
            to = half;
        }
        let fall = shape * ln_1p((to - from) / (alpha + from)) + L::fall(p, from, to) + rise(to);
        let low = ln(shift + from);
        let high = low + width(to);
        let panels = (high - low).max(fall / 8.0).ceil().clamp(1.0, 4000.0) as usize;
        Self { shift, low, high, panels }
    }

    /// u, and the width that its node stands for.
    fn nodes(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let half = 0.5 * (self.high - self.low) / self.panels as f64;
        let from = exp(self.low) - self.shift;
        (0..self.panels).flat_map(move |panel| {
            legendre().iter().map(move |(x, weight)| {
                let v = half * ((2 * panel + 1) as f64 + x); // above `low`
                let moved = (self.shift + from) * exp_m1(v);
                (from + moved, weight * half * (self.shift + from + moved))
            })
        })
    }
}

/// ln ∫_{t_x}^T (α+u)^−(r+x) f(u) du.
fn ln_dead<const N: usize, L: Lifetimes<N>, R: Real>(p: [R; N], h: History) -> R {
    if h.age <= h.recency {
        return R::from(f64::NEG_INFINITY);
    }
    let at = p.map(Real::value);
    let x = f64::from(h.frequency);
    let range = Range::of::<N, L>(at, at[0] + x, h.recency, h.age);
    let ln_term = |u: f64| L::ln_density(p, u) - (p[0] + x) * (p[1] + u).ln();
    let nodes: Vec<(f64, f64)> = range.nodes().collect();
    let values: Vec<f64> =
        nodes.iter().map(|(u, _)| L::ln_density(at, *u) - (at[0] + x) * ln(at[1] + u)).collect();
    let top = values.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
    let mut total = R::from(0.0);
    for ((u, width), value) in nodes.iter().zip(values) {
        if value - top > -NOTHING {
            total = total + (ln_term(*u) - top).exp() * *width;
        }
    }
    total.ln() + top
}

fn ln_alive<const N: usize, L: Lifetimes<N>, R: Real>(p: [R; N], h: History) -> R {
    L::ln_survival(p, h.age) - (p[0] + f64::from(h.frequency)) * (p[1] + h.age).ln()
}

fn shared<const N: usize, R: Real>(p: [R; N], x: u32) -> R {
    p[0].ln_rising(x) + p[0] * p[1].ln()
}

fn odds_alive<const N: usize, L: Lifetimes<N>>(p: [f64; N], h: History) -> f64 {
    ln_alive::<N, L, f64>(p, h) - ln_dead::<N, L, f64>(p, h)
}

fn alive<const N: usize, L: Lifetimes<N>>(p: [f64; N], h: History) -> f64 {
    let odds = odds_alive::<N, L>(p, h);
    if odds == f64::INFINITY { 1.0 } else { exp(-log1p_exp(-odds)) }
}

/// P(alive at T + t | alive at T).
fn later<const N: usize, L: Lifetimes<N>>(p: [f64; N], h: History, t: f64) -> f64 {
    exp(L::ln_survival(p, h.age + t) - L::ln_survival(p, h.age))
}

/// ∫_0^t e^(−δu) S(T+u)/S(T) du.
fn lifetime<const N: usize, L: Lifetimes<N>>(p: [f64; N], h: History, t: f64, rate: f64) -> f64 {
    let shift = L::scale(p) + h.age;
    // Ends where nothing is left to discount or to live.
    let mut end = if rate > 0.0 { t.min(NOTHING / rate) } else { t };
    for _ in 0..200 {
        let half = 0.5 * end;
        let left = |u: f64| L::ln_survival(p, h.age + u) - L::ln_survival(p, h.age) - rate * u;
        if left(half) > -NOTHING {
            break;
        }
        end = half;
    }
    let high = ln_1p(end / shift);
    let panels = (2.0 * high).ceil().clamp(4.0, 400.0) as usize;
    integrate(0.0, high, panels, |v| {
        let u = shift * exp_m1(v);
        later::<N, L>(p, h, u) * exp(-rate * u) * (shift + u)
    })
}

fn probabilities<const N: usize, L: Lifetimes<N>>(p: [f64; N], h: History, t: f64, most: usize) -> Vec<f64> {
    let shape = p[0] + f64::from(h.frequency);
    let scale = p[1] + h.age;
    let alive = alive::<N, L>(p, h);
    let mut out = vec![0.0; most + 1];
    let through = later::<N, L>(p, h, t);
    let mass = first_negative_binomial(shape, t / scale, most + 1);
    for (out, mass) in out.iter_mut().zip(&mass) {
        *out = alive * through * mass;
    }
    // Those who leave on the way, at T + u.
    let shift = scale.min(L::scale(p) + h.age);
    let high = ln_1p(t / shift);
    let panels = ((high * 2.0).ceil() as usize + (most / 12).min(200)).max(4);
    let half = 0.5 * high / panels as f64;
    let ln_now = L::ln_survival(p, h.age);
    for panel in 0..panels {
        for (x, weight) in legendre() {
            let u = shift * exp_m1(half * ((2 * panel + 1) as f64 + x));
            let width = alive * weight * half * (shift + u) * exp(L::ln_density(p, h.age + u) - ln_now);
            if width > 0.0 {
                let (ln_first, z) = (-shape * ln_1p(u / scale), u / (scale + u));
                let mut ln_mass = ln_first;
                for (n, out) in out.iter_mut().enumerate() {
                    *out += width * exp(ln_mass);
                    let n = n as f64;
                    ln_mass += ln(z * (shape + n) / (n + 1.0));
                }
            }
        }
    }
    out[0] += 1.0 - alive;
    out
}

pub(super) fn verdict<const N: usize>(at: [f64; N], held: [bool; N], s: usize, beta: usize) -> Verdict {
    let high = |i: usize| held[i] && at[i] > 0.0;
    if high(0) || high(1) {
        Verdict::EqualRates
    } else if held[s] && at[s] < 0.0 || (held[s] || held[beta]) && at[beta] - at[s] > 9.0 {
        Verdict::NoDropout
    } else if high(s) || high(beta) {
        Verdict::EqualDropout
    } else if held.contains(&true) {
        Verdict::Boundary
    } else {
        Verdict::Interior
    }
}

/// Pareto/NBD: dropout at random, at each customer's own rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParetoLaw;

impl Lifetimes<4> for ParetoLaw {
    fn ln_survival<R: Real>([_, _, s, beta]: [R; 4], t: f64) -> R {
        -(s * (R::from(t) / beta).ln_1p())
    }
    fn ln_density<R: Real>([_, _, s, beta]: [R; 4], t: f64) -> R {
        s.ln() - (s + 1.0) * (R::from(t) / beta).ln_1p() - beta.ln()
    }
    fn growth(_: [f64; 4]) -> f64 {
        0.0
    }
    fn fall([_, _, s, beta]: [f64; 4], from: f64, to: f64) -> f64 {
        (s + 1.0) * ln_1p((to - from) / (beta + from))
    }
    fn scale([_, _, _, beta]: [f64; 4]) -> f64 {
        beta
    }
}

impl ParetoLaw {
    /// [`ln_dead`] before [`Self::with_front`], with its derivatives, which are moments over
    /// the time of death: value and gradient by those of the first order, the Hessian,
    /// where `CURVED`, by those of the second.
    fn dead_moments<const CURVED: bool>([r, alpha, s, beta]: [f64; 4], h: History) -> Jet<4> {
        let x = f64::from(h.frequency);
        let shape = r + x;
        let range = Range::of::<4, Self>([r, alpha, s, beta], shape, h.recency, h.age);
        let mut points = [(0.0, 0.0, 0.0, 0.0); 4 * NODES];
        let mut many = Vec::new();
        let count = range.panels * NODES;
        let points = if count <= points.len() {
            &mut points[..count]
        } else {
            many.resize(count, (0.0, 0.0, 0.0, 0.0));
            &mut many[..]
        };
        let mut top = f64::NEG_INFINITY;
        for ((u, width), point) in range.nodes().zip(&mut *points) {
            let (ln_a, ln_b) = (ln(alpha + u), ln(beta + u));
            let value = -shape * ln_a - (s + 1.0) * ln_b;
            top = top.max(value);
            *point = (u, width, ln_a, ln_b);
        }
        let mut mass = 0.0;
        let mut first = [0.0; 4];
        let mut second = [[0.0; 4]; 4];
        for (u, width, ln_a, ln_b) in points {
            let weight = *width * exp(-shape * *ln_a - (s + 1.0) * *ln_b - top);
            let (at_a, at_b) = (1.0 / (alpha + *u), 1.0 / (beta + *u));
            let g = [-*ln_a, -shape * at_a, -*ln_b, -(s + 1.0) * at_b];
            mass += weight;
            for i in 0..4 {
                first[i] += weight * g[i];
            }
            if !CURVED {
                continue;
            }
            for i in 0..4 {
                for j in i..4 {
                    second[i][j] += weight * g[i] * g[j];
                }
            }
            second[0][1] -= weight * at_a;
            second[1][1] += weight * shape * at_a * at_a;
            second[2][3] -= weight * at_b;
            second[3][3] += weight * (s + 1.0) * at_b * at_b;
        }
        let mut out = Jet::from(ln(mass) + top);
        for i in 0..4 {
            out.gradient[i] = first[i] / mass;
            for j in i..if CURVED { 4 } else { i } {
                out.hessian[i][j] = second[i][j] / mass - (first[i] / mass) * (first[j] / mass);
            }
        }
        out
    }

    /// Adds the ln of what f has before its power of β + t.
    fn with_front<R: Real>(integral: R, [_, _, s, beta]: [R; 4]) -> R {
        integral + s.ln() + s * beta.ln()
    }
}

/// What both laws share.
macro_rules! common {
    ($law:ty, $n:literal) => {
        fn with_k(k: u32) -> Option<Self> {
            (k == 1).then_some(Self)
        }
        fn direction(process: Process) -> Option<[f64; $n]> {
            let mut out = [0.0; $n];
            match process {
                // λ grows as α falls, and μ (or η) as β falls.
                Process::Purchase => out[1] = -1.0,
                Process::Dropout => out[$n - 1] = -1.0,
                _ => return None,
            }
            Some(out)
        }
        fn ln_odds_alive(&self, p: [f64; $n], h: History) -> f64 {
            odds_alive::<$n, $law>(p, h)
        }
        fn p_alive(&self, p: [f64; $n], h: History, ahead: f64) -> f64 {
            alive::<$n, $law>(p, h) * later::<$n, $law>(p, h, ahead)
        }
        fn probabilities(&self, p: [f64; $n], h: History, periods: f64, most: usize) -> Vec<f64> {
            probabilities::<$n, $law>(p, h, periods, most)
        }
        fn rate(&self, p: [f64; $n], h: History) -> f64 {
            (p[0] + f64::from(h.frequency)) / (p[1] + h.age)
        }
        fn shared(&self, p: [f64; $n], frequency: u32) -> (f64, [f64; $n], [[f64; $n]; $n]) {
            parts(shared(Jet::variables(p), frequency))
        }
        fn shared_slope(&self, p: [f64; $n], frequency: u32) -> (f64, [f64; $n]) {
            slope_of(shared(Dual::variables(p), frequency))
        }
        fn ln_likelihood(&self, p: [f64; $n], h: History) -> f64 {
            let (alive, dead) = (ln_alive::<$n, $law, f64>(p, h), ln_dead::<$n, $law, f64>(p, h));
            shared(p, h.frequency) + alive.log_add(dead)
        }
    };
}

impl Law<4> for ParetoLaw {
    const KIND: &'static str = "clv.ParetoNBD";
    const NAME: &'static str = "ParetoNBD";
    const PARAMETERS: [&'static str; 4] = ["r", "alpha", "s", "beta"];
    const TIME: [f64; 4] = [0.0, 1.0, 0.0, 1.0];
    const MIXING: [Mixing; 2] = [Mixing::Gamma { shape: 0, rate: 1 }, Mixing::Gamma { shape: 2, rate: 3 }];

    common!(ParetoLaw, 4);

    fn start(&self, rate: f64, mean_age: f64) -> [f64; 4] {
        [0.5, 0.25 / rate, 0.5, 0.5 * mean_age]
    }
    fn verdict(&self, at: [f64; 4], held: [bool; 4]) -> Verdict {
        verdict(at, held, 2, 3)
    }
    fn own(&self, p: [f64; 4], h: History) -> (f64, [f64; 4], [[f64; 4]; 4]) {
        let jets = Jet::variables(p);
        let alive = ln_alive::<4, Self, Jet<4>>(jets, h);
        if h.age <= h.recency {
            return parts(alive);
        }
        parts(alive.log_add(Self::with_front(Self::dead_moments::<true>(p, h), jets)))
    }
    fn own_slope(&self, p: [f64; 4], h: History) -> (f64, [f64; 4]) {
        let duals = Dual::variables(p);
        let alive = ln_alive::<4, Self, Dual<4>>(duals, h);
        if h.age <= h.recency {
            return slope_of(alive);
        }
        let Jet { value, gradient, .. } = Self::dead_moments::<false>(p, h);
        slope_of(alive.log_add(Self::with_front(Dual { value, gradient }, duals)))
    }
    fn while_alive(&self, p: [f64; 4], h: History, periods: f64) -> f64 {
        let [_, _, s, beta] = p;
        let grown = ln_1p(periods / (beta + h.age));
        // ∫ (S(T+u) / S(T)) du: −expm1((1−s) ln …) / (s−1), a logarithm at s = 1.
        let slope = s - 1.0;
        let lived = if (slope * grown).abs() < 1e-300 { grown } else { -exp_m1(-slope * grown) / slope };
        self.rate(p, h) * (beta + h.age) * lived
    }
    fn residual(&self, p: [f64; 4], h: History, rate: f64) -> f64 {
        let [_, _, s, beta] = p;
        let scale = beta + h.age;
        alive::<4, Self>(p, h) * self.rate(p, h) * scale * exp_integral(s, rate * scale)
    }
}

/// GGompertz/NBD: dropout at a rate that grows with age, b e^bt times each
/// customer's own η ~ Gamma(s, β).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GGompertzLaw;

impl Lifetimes<5> for GGompertzLaw {
    fn ln_survival<R: Real>([_, _, b, s, beta]: [R; 5], t: f64) -> R {
        -(s * ln_grown(b, beta, t))
    }
    fn ln_density<R: Real>([_, _, b, s, beta]: [R; 5], t: f64) -> R {
        s.ln() + b.ln() - beta.ln() + b * t - (s + 1.0) * ln_grown(b, beta, t)
    }
    fn growth([_, _, b, ..]: [f64; 5]) -> f64 {
        b
    }
    fn fall([_, _, b, s, beta]: [f64; 5], from: f64, to: f64) -> f64 {
        (s + 1.0) * (ln_grown(b, beta, to) - ln_grown(b, beta, from))
    }
    /// Where e^bt − 1 reaches β.
    fn scale([_, _, b, _, beta]: [f64; 5]) -> f64 {
        (ln_1p(beta) / b).min(1.0 / b)
    }
}

/// ln((β − 1 + e^bt) / β).
fn ln_grown<R: Real>(b: R, beta: R, t: f64) -> R {
    let power = b * t;
    if power.value() > 30.0 {
        // e^bt (1 + (β − 1) e^−bt) / β
        return power + ((beta - 1.0) * (-power).exp()).ln_1p() - beta.ln();
    }
    (power.exp_m1() / beta).ln_1p()
}

impl Law<5> for GGompertzLaw {
    const KIND: &'static str = "clv.GGompertzNBD";
    const NAME: &'static str = "GGompertzNBD";
    const PARAMETERS: [&'static str; 5] = ["r", "alpha", "b", "s", "beta"];
    const TIME: [f64; 5] = [0.0, 1.0, -1.0, 0.0, 0.0];
    const MIXING: [Mixing; 2] = [Mixing::Gamma { shape: 0, rate: 1 }, Mixing::Gamma { shape: 3, rate: 4 }];

    common!(GGompertzLaw, 5);

    fn start(&self, rate: f64, mean_age: f64) -> [f64; 5] {
        [0.5, 0.25 / rate, 0.5 / mean_age, 0.5, 1.0]
    }
    fn verdict(&self, at: [f64; 5], held: [bool; 5]) -> Verdict {
        // b → 0 with bs/β kept: the hazard no longer grows.
        let early = (held[2] || held[4]) && at[2] < -6.0 && at[4] < -6.0;
        if early { Verdict::ConstantHazard } else { verdict(at, held, 3, 4) }
    }
    fn own(&self, p: [f64; 5], h: History) -> (f64, [f64; 5], [[f64; 5]; 5]) {
        let jets = Jet::variables(p);
        let alive = ln_alive::<5, Self, Jet<5>>(jets, h);
        if h.age <= h.recency {
            return parts(alive);
        }
        parts(alive.log_add(ln_dead::<5, Self, Jet<5>>(jets, h)))
    }
    fn own_slope(&self, p: [f64; 5], h: History) -> (f64, [f64; 5]) {
        let duals = Dual::variables(p);
        let alive = ln_alive::<5, Self, Dual<5>>(duals, h);
        if h.age <= h.recency {
            return slope_of(alive);
        }
        slope_of(alive.log_add(ln_dead::<5, Self, Dual<5>>(duals, h)))
    }
    fn while_alive(&self, p: [f64; 5], h: History, periods: f64) -> f64 {
        self.rate(p, h) * lifetime::<5, Self>(p, h, periods, 0.0)
    }
    fn residual(&self, p: [f64; 5], h: History, rate: f64) -> f64 {
        alive::<5, Self>(p, h) * self.rate(p, h) * lifetime::<5, Self>(p, h, f64::MAX.sqrt(), rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The closed form of the integral where x + r + s is small and nothing cancels.
    #[test]
    fn the_moments_are_the_derivatives_of_the_integral() {
        let p = [0.6, 11.0, 0.7, 9.0];
        for (frequency, recency, age) in [(0, 0.0, 39.0), (3, 20.0, 39.0), (40, 38.9, 39.0), (300, 2.0, 80.0)]
        {
            let h = History { frequency, recency, age, ..History::default() };
            let moments = ParetoLaw::dead_moments::<true>(p, h);
            let slopes = ParetoLaw::dead_moments::<false>(p, h);
            assert_eq!((slopes.value, slopes.gradient), (moments.value, moments.gradient));
            let moments = ParetoLaw::with_front(moments, Jet::variables(p));
            let jets = ln_dead::<4, ParetoLaw, Jet<4>>(Jet::variables(p), h);
            assert!((moments.value - jets.value).abs() < 1e-12 * jets.value.abs());
            for i in 0..4 {
                assert!(
                    (moments.gradient[i] - jets.gradient[i]).abs() < 1e-10 * (1.0 + jets.gradient[i].abs())
                );
                for j in i..4 {
                    let (a, b) = (moments.hessian[i][j], jets.hessian[i][j]);
                    assert!((a - b).abs() < 1e-8 * (1.0 + b.abs()), "{h:?} {i} {j}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn without_growth_the_gompertz_law_is_the_pareto_law() {
        // b → 0 with β b⁻¹ kept: (1 + bt/β)^−s.
        let b = 1e-9;
        let (pareto, gompertz) = ([0.6, 11.0, 0.7, 9.0], [0.6, 11.0, b, 0.7, 9.0 * b]);
        for (frequency, recency, age) in [(0, 0.0, 39.0), (3, 20.0, 39.0), (7, 39.0, 39.0)] {
            let h = History { frequency, recency, age, ..History::default() };
            let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-6;
            assert!(close(ParetoLaw.ln_likelihood(pareto, h), GGompertzLaw.ln_likelihood(gompertz, h)));
            assert!(close(
                ParetoLaw.while_alive(pareto, h, 52.0),
                GGompertzLaw.while_alive(gompertz, h, 52.0)
            ));
            assert!(close(ParetoLaw.residual(pareto, h, 0.01), GGompertzLaw.residual(gompertz, h, 0.01)));
        }
    }
}
