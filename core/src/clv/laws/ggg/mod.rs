//! Pareto/GGG: purchases as regular as each customer has them (Platzer & Reutterer 2016).
//!
//! While alive a customer waits Gamma(k, kλ) from purchase to purchase, on
//! average 1/λ and the more regularly the greater k is: k = 1 is at random.
//! Over customers k ~ Gamma(t, γ), λ ~ Gamma(r, α), and lifetimes are those of
//! Pareto/NBD, S(u) = (β / (β+u))^s. With A = r + kx, B = α + k t_x and
//! U = T − t_x,
//!
//! ```text
//! L = ∫ g(k) k^kx e^((k−1) Σ ln Δ) / Γ(k)^x  Γ(A)/Γ(r) α^r B^−A  R(k) dk
//! R(k) = ∫_0^U f(w) (S(t_x) − S(t_x+w)) dw + S(t_x) P(W > U)
//! ```
//!
//! where W, the time to the next purchase, is beta-prime (k, A) on the scale
//! B/k: whoever dies before it, or waits for it beyond T, is not seen again.
//! All terms are positive. The paper draws from the posterior; here the
//! likelihood is maximised, and what is asked of a customer is an integral.
//!
//! Where Σ ln Δ is not known, it is averaged over: k^kx e^((k−1) Σ ln Δ) /
//! Γ(k)^x becomes k^kx t_x^((k−1)x) Γ(x) / Γ(kx).

mod future;
mod gap;
mod marks;
mod regularity;

use super::{History, Law, Mixing};
use crate::clv::covariates::Process;
use crate::clv::estimates::Verdict;
use crate::math::quadrature::ln_sum_exp;
use crate::math::{digamma, digamma_rise, exp, exp_m1, ln, ln_1p, log1p_exp, trigamma, trigamma_rise};
use gap::{Gap, Moments};
use regularity::Regularity;

type Parameters = [f64; 6];

/// Pareto/GGG: Pareto/NBD with each customer's own regularity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParetoGggLaw;

/// ln S(t_x + u) − ln S(t_x).
fn ln_survival([_, _, _, _, s, beta]: Parameters, from: f64, u: f64) -> f64 {
    -s * ln_1p(u / (beta + from))
}

/// The logarithms of what speaks for a customer alive and for one dead, S(t_x) aside.
fn ln_alive_dead(p: Parameters, h: History) -> (f64, f64) {
    let regularity = Regularity::new(p, h);
    let mut parts = Vec::new();
    let nodes = regularity.nodes(
        |k| Gap::new(p, h, k).ln_unseen(),
        |k| {
            let (before, after) = Gap::new(p, h, k).ln_parts();
            let whole = before.max(after) + ln_1p(exp(-(before - after).abs()));
            parts.push((before - whole, after - whole));
            whole
        },
    );
    let before = ln_sum_exp(nodes.iter().zip(&parts).map(|(node, part)| node.1 + part.0));
    let after = ln_sum_exp(nodes.iter().zip(&parts).map(|(node, part)| node.1 + part.1));
    let through = ln_survival(p, h.recency, h.age - h.recency);
    let died_late = ln(-exp_m1(through)) + after;
    (after + through, ln_sum_exp([before, died_late].into_iter()))
}

impl Law<6> for ParetoGggLaw {
    const KIND: &'static str = "clv.ParetoGGG";
    const NAME: &'static str = "ParetoGGG";
    const PARAMETERS: [&'static str; 6] = ["t", "gamma", "r", "alpha", "s", "beta"];
    const TIME: [f64; 6] = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0];
    const MIXING: [Mixing; 2] = [Mixing::Gamma { shape: 2, rate: 3 }, Mixing::Gamma { shape: 4, rate: 5 }];
    const INTERVALS: bool = true;

    fn with_k(k: u32) -> Option<Self> {
        (k == 1).then_some(Self)
    }
    fn direction(process: Process) -> Option<Parameters> {
        match process {
            Process::Purchase => Some([0.0, 0.0, 0.0, -1.0, 0.0, 0.0]),
            Process::Dropout => Some([0.0, 0.0, 0.0, 0.0, 0.0, -1.0]),
            _ => None,
        }
    }
    fn start(&self, rate: f64, mean_age: f64) -> Parameters {
        [3.0, 3.0, 0.5, 0.25 / rate, 0.5, 0.5 * mean_age]
    }
    fn start_near(&self, [r, alpha, s, beta]: [f64; 4], regularity: f64) -> Option<Parameters> {
        Some([3.0, 3.0 / regularity, r, alpha, s, beta])
    }
    fn verdict(&self, at: Parameters, held: [bool; 6]) -> Verdict {
        let [t, gamma, rest @ ..] = held;
        if t && at[0] > 0.0 || gamma && at[1] > 0.0 {
            return Verdict::EqualRegularity;
        }
        let found = super::lifetimes::verdict([at[2], at[3], at[4], at[5]], rest, 2, 3);
        if found == Verdict::Interior { Verdict::Boundary } else { found }
    }

    fn ln_odds_alive(&self, p: Parameters, h: History) -> f64 {
        let (alive, dead) = ln_alive_dead(p, h);
        alive - dead
    }
    fn p_alive(&self, p: Parameters, h: History, ahead: f64) -> f64 {
        let later = exp(ln_survival(p, h.age, ahead));
        let odds = self.ln_odds_alive(p, h);
        if odds == f64::INFINITY { later } else { exp(-log1p_exp(-odds)) * later }
    }
    fn while_alive(&self, p: Parameters, h: History, periods: f64) -> f64 {
        future::expected(p, h, periods)
    }
    fn course(&self, p: Parameters, h: History, times: &[f64]) -> Vec<f64> {
        future::course(p, h, times)
    }
    fn probabilities(&self, p: Parameters, h: History, periods: f64, most: usize) -> Vec<f64> {
        let alive = self.p_alive(p, h, 0.0);
        let beyond = future::beyond(p, h, periods, most + 1);
        let mut at_least = 1.0;
        let mass = beyond.iter().map(|next| {
            let next = (alive * next).min(at_least);
            std::mem::replace(&mut at_least, next) - next
        });
        mass.collect()
    }
    fn residual(&self, p: Parameters, h: History, rate: f64) -> f64 {
        self.p_alive(p, h, 0.0) * future::discounted(p, h, rate)
    }
    fn rate(&self, p: Parameters, h: History) -> f64 {
        future::rate(p, h)
    }

    fn shared(&self, _: Parameters, _: u32) -> (f64, Parameters, [Parameters; 6]) {
        (0.0, [0.0; 6], [[0.0; 6]; 6])
    }
    fn own(&self, p: Parameters, h: History) -> (f64, Parameters, [Parameters; 6]) {
        own(p, h)
    }
    fn ln_likelihood(&self, p: Parameters, h: History) -> f64 {
        let unseen = |k| Gap::new(p, h, k).ln_unseen();
        let nodes = Regularity::new(p, h).nodes(unseen, unseen);
        ln_sum_exp(nodes.iter().map(|n| n.1)) + ln_survival(p, 0.0, h.recency)
    }
}

/// The log-likelihood of a customer, its gradient and its Hessian: all are
/// moments over k, and within each k over the time of the next purchase.
fn own(p: Parameters, h: History) -> (f64, Parameters, [Parameters; 6]) {
    let [t, gamma, r, alpha, s, beta] = p;
    let regularity = Regularity::new(p, h);
    let mut inner = Vec::with_capacity(40);
    let nodes = regularity.nodes(
        |k| Gap::new(p, h, k).ln_unseen(),
        |k| {
            let (ln_unseen, moments) = Gap::new(p, h, k).moments();
            inner.push(moments);
            ln_unseen
        },
    );
    let value = ln_sum_exp(nodes.iter().map(|n| n.1));
    let x = f64::from(h.frequency);
    let seen = if h.age > h.recency { x + 1.0 } else { x };
    let mut outer = Moments::<6>::default();
    for ((y, ln_weight), part) in nodes.iter().zip(&inner) {
        let weight = exp(ln_weight - value);
        let apart = y - ln(t / gamma);
        let gamma_rise = exp(*y) * seen;
        let of_r = part.gradient[0] + digamma_rise(r, gamma_rise);
        let [_, of_alpha, of_s, of_beta] = part.gradient;
        let gradient = [apart, -t / gamma * exp_m1(apart), of_r, of_alpha, of_s, of_beta];
        let mut hessian = [[0.0; 6]; 6];
        for i in 0..4 {
            hessian[2 + i][2..].copy_from_slice(&part.hessian[i]);
        }
        hessian[2][2] += trigamma_rise(r, gamma_rise);
        outer.add(weight, &gradient, &hessian);
    }
    let (mut gradient, mut hessian) = outer.of_logarithm();
    // What is the same for every k.
    let recent = beta + h.recency;
    gradient[0] += ln(t) - digamma(t);
    hessian[0][0] -= trigamma(t);
    hessian[0][1] += 1.0 / gamma;
    hessian[1][1] -= t / (gamma * gamma);
    gradient[2] += ln(alpha);
    gradient[3] += r / alpha;
    hessian[2][3] += 1.0 / alpha;
    hessian[3][3] -= r / (alpha * alpha);
    gradient[4] -= ln_1p(h.recency / beta);
    gradient[5] += s * h.recency / (beta * recent);
    hessian[4][5] += h.recency / (beta * recent);
    hessian[5][5] -= s * (1.0 / (beta * beta) - 1.0 / (recent * recent));
    (value + ln_survival(p, 0.0, h.recency), gradient, hessian)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_likelihood() {
        let p = [3.1, 1.4, 1.3, 6.0, 1.1, 9.0];
        let history =
            |frequency, recency, age, log_intervals| History { frequency, recency, age, log_intervals };
        for h in [
            history(0, 0.0, 20.0, None),
            history(3, 7.5, 9.0, Some(2.6)),
            history(3, 7.5, 30.0, None),
            history(2, 7.5, 7.5, Some(2.0)),
            history(60, 30.0, 33.0, Some(-45.0)),
        ] {
            let (value, gradient, hessian) = own(p, h);
            assert!((value - ParetoGggLaw.ln_likelihood(p, h)).abs() < 1e-11 * (1.0 + value.abs()), "{h:?}");
            for i in 0..6 {
                let step = 1e-4 * p[i];
                let moved = |by: f64| {
                    let mut at = p;
                    at[i] += by;
                    own(at, h)
                };
                let (up, down) = (moved(step), moved(-step));
                let slope = (up.0 - down.0) / (2.0 * step);
                assert!(
                    (slope - gradient[i]).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{h:?} {i}: {slope} {gradient:?}"
                );
                for j in 0..6 {
                    let bend = (up.1[j] - down.1[j]) / (2.0 * step);
                    let got = hessian[i.min(j)][i.max(j)];
                    assert!((bend - got).abs() < 1e-6 * (1.0 + bend.abs()), "{h:?} {i} {j}: {bend} {got}");
                }
            }
        }
    }
}
