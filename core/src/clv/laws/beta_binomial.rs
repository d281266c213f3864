//! BG/BB: purchases at discrete opportunities (Fader, Hardie & Shang 2010).
//!
//! At each opportunity a living customer buys with probability p ~ Beta(α, β),
//! and dies before it with probability θ ~ Beta(γ, δ). recency is the
//! opportunity of the last purchase, age how many there were.

use super::{History, Law, Mixing, ln_rising_ratio, parts};
use crate::clv::covariates::Process;
use crate::clv::estimates::Verdict;
use crate::math::jet::{Jet, Real};
use crate::math::{Sum, exp, ln, log1p_exp};

/// BG/BB: beta-geometric lifetimes, beta-binomial purchases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BetaBinomialLaw;

/// A whole number of opportunities.
fn count(t: f64) -> u32 {
    t.clamp(0.0, f64::from(u32::MAX)) as u32
}

/// ln B(α + y, β + n − y) − ln B(α, β).
fn ln_draws<R: Real>(alpha: R, beta: R, y: u32, n: u32) -> R {
    alpha.ln_rising(y) + beta.ln_rising(n - y) - (alpha + beta).ln_rising(n)
}

/// ln P(dead at n, and the history), less ln of its first term, which is returned too.
fn dead<R: Real>([alpha, beta, gamma, delta]: [R; 4], h: History) -> R {
    let (x, last, n) = (h.frequency, count(h.recency), count(h.age));
    if last >= n {
        return R::from(f64::NEG_INFINITY);
    }
    // Died before opportunity last + i + 1.
    let misses = f64::from(last - x);
    let t = f64::from(last);
    let (mut term, mut total) = (R::from(1.0), R::from(1.0));
    for i in 0..n - last - 1 {
        let i = f64::from(i);
        let bought = (beta + (misses + i)) / (alpha + beta + (t + i));
        let lived = (delta + (t + i)) / (gamma + delta + (t + i + 1.0));
        term = term * bought * lived;
        total = total + term;
        if term.value() < 1e-19 * total.value() && i > 64.0 {
            break;
        }
    }
    let died = gamma.ln() + delta.ln_rising(last) - (gamma + delta).ln_rising(last + 1);
    ln_draws(alpha, beta, x, last) + died + total.ln()
}

fn alive<R: Real>([alpha, beta, gamma, delta]: [R; 4], h: History) -> R {
    let n = count(h.age);
    ln_draws(alpha, beta, h.frequency, n) + ln_rising_ratio(delta, gamma, n)
}

fn p_alive(p: [f64; 4], h: History) -> f64 {
    let odds = alive(p, h) - dead(p, h);
    if odds == f64::INFINITY { 1.0 } else { exp(-log1p_exp(-odds)) }
}

/// γ, and δ + n: what is known of the dropout of who is alive after n.
fn dropout([_, _, gamma, delta]: [f64; 4], h: History) -> (f64, f64) {
    (gamma, delta + f64::from(count(h.age)))
}

impl Law<4> for BetaBinomialLaw {
    const KIND: &'static str = "clv.BetaGeoBetaBinomial";
    const NAME: &'static str = "BetaGeoBetaBinomial";
    const PARAMETERS: [&'static str; 4] = ["alpha", "beta", "gamma", "delta"];
    const TIME: [f64; 4] = [0.0; 4];
    const MIXING: [Mixing; 2] = [Mixing::Beta { a: 0, b: 1 }, Mixing::Beta { a: 2, b: 3 }];
    const DISCRETE: bool = true;

    fn with_k(k: u32) -> Option<Self> {
        (k == 1).then_some(Self)
    }
    fn direction(process: Process) -> Option<[f64; 4]> {
        match process {
            Process::Purchase => Some([1.0, 0.0, 0.0, 0.0]),
            Process::Dropout => Some([0.0, 0.0, 1.0, 0.0]),
            _ => None,
        }
    }
    fn start(&self, rate: f64, _: f64) -> [f64; 4] {
        let mean = rate.clamp(0.01, 0.95);
        [mean.max(0.2), (1.0 - mean).max(0.2), 0.5, 3.0]
    }
    fn verdict(&self, at: [f64; 4], held: [bool; 4]) -> Verdict {
        if (held[2] || held[3]) && at[3] - at[2] > 6.0 {
            Verdict::NoDropout
        } else if (held[2] || held[3]) && at[2] > 6.0 && at[3] > 6.0 {
            Verdict::EqualDropout
        } else if (held[2] || held[3]) && at[2] < -6.0 && at[3] < -6.0 {
            Verdict::PolarisedDropout
        } else if (held[0] || held[1]) && at[0] > 6.0 && at[1] > 6.0 {
            Verdict::EqualRates
        } else if held.contains(&true) {
            Verdict::Boundary
        } else {
            Verdict::Interior
        }
    }
    fn ln_odds_alive(&self, p: [f64; 4], h: History) -> f64 {
        alive(p, h) - dead(p, h)
    }
    fn p_alive(&self, p: [f64; 4], h: History, ahead: f64) -> f64 {
        let (gamma, delta) = dropout(p, h);
        p_alive(p, h) * exp(ln_rising_ratio(delta, gamma, count(ahead)))
    }
    fn while_alive(&self, p: [f64; 4], h: History, periods: f64) -> f64 {
        let (gamma, delta) = dropout(p, h);
        let (mut lived, mut total) = (1.0, Sum::default());
        for i in 0..count(periods) {
            let i = f64::from(i);
            lived *= (delta + i) / (gamma + delta + i);
            total.add(lived);
        }
        self.rate(p, h) * total.value()
    }
    fn probabilities(&self, p: [f64; 4], h: History, periods: f64, most: usize) -> Vec<f64> {
        let n = count(h.age);
        let m = count(periods);
        let (a, b) = (p[0] + f64::from(h.frequency), p[1] + f64::from(n - h.frequency));
        let (gamma, delta) = dropout(p, h);
        let alive = p_alive(p, h);
        let mut out = vec![0.0; most + 1];
        // Lived through i of the m opportunities, and y purchases in them.
        let mut lived = 1.0;
        for i in 0..=m {
            let t = f64::from(i);
            let weight = if i == m { lived } else { lived * gamma / (gamma + delta + t) };
            let mut ln_mass = ln_draws(a, b, 0, i);
            for (y, out) in out.iter_mut().enumerate().take(i as usize + 1) {
                *out += alive * weight * exp(ln_mass);
                let y = y as f64;
                if y < t {
                    ln_mass += ln((t - y) / (y + 1.0) * (a + y) / (b + t - y - 1.0));
                }
            }
            lived *= (delta + t) / (gamma + delta + t);
        }
        out[0] += 1.0 - alive;
        out
    }
    fn residual(&self, p: [f64; 4], h: History, rate: f64) -> f64 {
        // Σ_i P(alive at n + i) / (1 + d)^i, d the rate of one period.
        let (gamma, delta) = dropout(p, h);
        let slow = exp(-rate);
        let (mut term, mut total) = (1.0, Sum::default());
        for i in 0..50_000_000_u32 {
            let i = f64::from(i);
            term *= slow * (delta + i) / (gamma + delta + i);
            total.add(term);
            if term < 1e-17 * (1.0 - slow) * total.value() {
                break;
            }
        }
        p_alive(p, h) * self.rate(p, h) * total.value()
    }
    fn rate(&self, p: [f64; 4], h: History) -> f64 {
        (p[0] + f64::from(h.frequency)) / (p[0] + p[1] + f64::from(count(h.age)))
    }
    fn shared(&self, _: [f64; 4], _: u32) -> (f64, [f64; 4], [[f64; 4]; 4]) {
        (0.0, [0.0; 4], [[0.0; 4]; 4])
    }
    fn own(&self, p: [f64; 4], h: History) -> (f64, [f64; 4], [[f64; 4]; 4]) {
        let jets = Jet::variables(p);
        let (alive, dead) = (alive(jets, h), dead(jets, h));
        parts(if dead.value == f64::NEG_INFINITY { alive } else { alive.log_add(dead) })
    }
    fn ln_likelihood(&self, p: [f64; 4], h: History) -> f64 {
        alive(p, h).log_add(dead(p, h))
    }
}
