//! Abe's hierarchical Pareto/NBD: rates that are log-normal, and correlated (Abe 2009).
//!
//! While alive a customer buys at random at the rate λ and leaves at the rate
//! μ, as in Pareto/NBD. Over customers (ln λ, ln μ) is normal: medians
//! `lambda` and `mu`, standard deviations `sigma_lambda` and `sigma_mu`, and
//! the correlation ρ by its odds q = (1 + ρ) / (1 − ρ), of which ½ ln q is
//! Fisher's z. With U = T − t_x
//!
//! ```text
//! L = E[ λ^x e^(−(λ+μ) t_x) (μ + λ e^(−(λ+μ) U)) / (λ + μ) ]
//! ```
//!
//! The paper draws λ and μ of each customer by Gibbs sampling; here the
//! expectation over them is integrated, and the likelihood is maximised.
//! Only the normal density has parameters, so that derivatives of ln L are
//! posterior moments of those of ln φ: ∂ ln L = E[∂ ln φ] and
//! ∂² ln L = E[∂² ln φ] + Var[∂ ln φ].
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

mod counts;
mod lattice;

use super::{History, Law, Mixing, PurchaseModel};
use crate::clv::covariates::Process;
use crate::clv::estimates::Verdict;
use crate::math::{exp, exp_m1, ln, log1p_exp};
use lattice::{Lattice, Prior, Seen};

type Parameters = [f64; 5];

/// Abe's Pareto/NBD: log-normal rates of purchases and of dropout, correlated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbeParetoLaw;

impl PurchaseModel<AbeParetoLaw, 5> {
    /// The correlation of ln λ and ln μ over customers.
    ///
    /// ```
    /// use headwater::clv::AbeParetoModel;
    ///
    /// let model = AbeParetoModel::from_parameters([0.03, 1.2, 0.03, 1.5, 3.0], 1, None)?;
    /// assert_eq!(model.correlation(), 0.5);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn correlation(&self) -> f64 {
        Prior::new(self.params()).rho
    }
}

fn until_age(h: History) -> Seen {
    Seen::until(f64::from(h.frequency), h.age)
}

/// P(not seen for `unseen` | alive before): (μ + λ e^(−(λ+μ) U)) / (λ + μ).
fn missed(unseen: f64) -> impl Fn(f64, f64) -> f64 {
    move |lambda, mu| (mu + lambda * exp(-(lambda + mu) * unseen)) / (lambda + mu)
}

/// The nodes of [`AbeParetoLaw::ln_likelihood`].
fn all(prior: Prior, h: History) -> Lattice {
    let seen = Seen::until(f64::from(h.frequency), h.recency);
    Lattice::new(prior, seen, Some(until_age(h)), 0.0)
}

/// ln of what speaks for a customer who is alive at T.
fn ln_alive(prior: Prior, h: History) -> f64 {
    Lattice::new(prior, until_age(h), None, 0.0).ln_integral(|_, _| 1.0)
}

/// ln of what speaks for a customer who has left by T.
fn ln_dead(prior: Prior, h: History) -> f64 {
    let unseen = h.age - h.recency;
    if unseen <= 0.0 {
        return f64::NEG_INFINITY;
    }
    all(prior, h).ln_integral(|lambda, mu| mu / (lambda + mu) * -exp_m1(-(lambda + mu) * unseen))
}

/// ln E[λ f(μ)] of a customer who is alive at T, `ln_alive` aside.
fn ln_bought(prior: Prior, h: History, factor: impl Fn(f64) -> f64) -> f64 {
    let seen = Seen { purchases: f64::from(h.frequency) + 1.0, ..until_age(h) };
    Lattice::new(prior, seen, None, 0.0).ln_integral(|_, mu| factor(mu))
}

/// E[λ f(μ)] of a customer who is alive at T.
fn bought(p: Parameters, h: History, factor: impl Fn(f64) -> f64) -> f64 {
    let prior = Prior::new(p);
    exp(ln_bought(prior, h, factor) - ln_alive(prior, h))
}

/// (1 − e^(−μ t)) / (μ t): the part of t that is lived.
fn lived(mu: f64, time: f64) -> f64 {
    let through = mu * time;
    if through < 1e-300 { 1.0 } else { -exp_m1(-through) / through }
}

/// E[e^(−μ t)] of a customer who is alive at T.
fn later(p: Parameters, h: History, time: f64) -> f64 {
    if time <= 0.0 {
        return 1.0;
    }
    let prior = Prior::new(p);
    let seen = until_age(h);
    let through = Lattice::new(prior, Seen { lived: seen.lived + time, ..seen }, None, 0.0);
    exp((through.ln_integral(|_, _| 1.0) - ln_alive(prior, h)).min(0.0))
}

/// The log-likelihood, its gradient on log parameters, and its Hessian where it is asked for.
fn moments<const CURVED: bool>(p: Parameters, h: History) -> (f64, Parameters, [Parameters; 5]) {
    let prior = Prior::new(p);
    let (rho, c, [s, d]) = (prior.rho, prior.spread, prior.sigma);
    let kappa = 0.5 / c;
    let slopes = |at: [f64; 2]| {
        let [a, b] = prior.pull(at);
        [a / s, at[0] * a - 1.0, b / d, at[1] * b - 1.0, 0.5 * rho + kappa * a * b]
    };
    let mut nodes: Vec<([f64; 2], f64)> = Vec::with_capacity(if CURVED { 2048 } else { 0 });
    let (mut mass, mut first, mut gradient) = (0.0, [0.0; 5], [0.0; 5]);
    let scale = all(prior, h).visit(missed(h.age - h.recency), |node| {
        let ([a, b], weight) = (node.at, node.weight);
        mass += weight;
        for (total, g) in gradient.iter_mut().zip(slopes(node.at)) {
            *total += weight * g;
        }
        if CURVED {
            nodes.push((node.at, weight));
            for (total, z) in first.iter_mut().zip([a, b, a * a, a * b, b * b]) {
                *total += weight * z;
            }
        }
    });
    let value = scale + ln(mass);
    let gradient = gradient.map(|g| g / mass);
    let mut hessian = [[0.0; 5]; 5];
    if !CURVED {
        return (value, gradient, hessian);
    }
    for (at, weight) in nodes {
        let g = slopes(at);
        let apart: Parameters = std::array::from_fn(|i| g[i] - gradient[i]);
        for i in 0..5 {
            for j in i..5 {
                hessian[i][j] += weight * apart[i] * apart[j];
            }
        }
    }
    let [a, b, aa, ab, bb] = first.map(|z| z / mass);
    let ([pull_a, pull_b], cross) = (prior.pull([a, b]), rho * c);
    let (a_pull, b_pull) = (gradient[1] + 1.0, gradient[3] + 1.0);
    // How the pulls change with ½ ln q: ρ A − b / 2 and ρ B − a / 2.
    let mean = [
        [-c / (s * s), -(pull_a + c * a) / s, cross / (s * d), cross * b / s, (rho * pull_a - 0.5 * b) / s],
        [0.0, -a_pull - c * aa, cross * a / d, cross * ab, rho * a_pull - 0.5 * ab],
        [0.0, 0.0, -c / (d * d), -(pull_b + c * b) / d, (rho * pull_b - 0.5 * a) / d],
        [0.0, 0.0, 0.0, -b_pull - c * bb, rho * b_pull - 0.5 * ab],
        [0.0, 0.0, 0.0, 0.0, kappa * (0.5 - 0.5 * (a_pull + b_pull)) + rho * (gradient[4] - 0.5 * rho)],
    ];
    for i in 0..5 {
        for j in i..5 {
            hessian[i][j] = hessian[i][j] / mass + mean[i][j];
        }
    }
    (value, gradient, hessian)
}

/// From log parameters to parameters.
fn natural(p: Parameters, gradient: Parameters) -> Parameters {
    std::array::from_fn(|i| gradient[i] / p[i])
}

impl Law<5> for AbeParetoLaw {
    const KIND: &'static str = "clv.AbeParetoNBD";
    const NAME: &'static str = "AbeParetoNBD";
    const PARAMETERS: [&'static str; 5] = ["lambda", "sigma_lambda", "mu", "sigma_mu", "odds"];
    const TIME: [f64; 5] = [-1.0, 0.0, -1.0, 0.0, 0.0];
    const MIXING: [Mixing; 2] = [
        Mixing::LogNormal { median: 0, sigma: 1, other: [2, 3], odds: 4 },
        Mixing::LogNormal { median: 2, sigma: 3, other: [0, 1], odds: 4 },
    ];

    fn with_k(k: u32) -> Option<Self> {
        (k == 1).then_some(Self)
    }
    fn direction(process: Process) -> Option<Parameters> {
        match process {
            Process::Purchase => Some([1.0, 0.0, 0.0, 0.0, 0.0]),
            Process::Dropout => Some([0.0, 0.0, 1.0, 0.0, 0.0]),
            _ => None,
        }
    }
    fn start(&self, rate: f64, mean_age: f64) -> Parameters {
        [rate, 1.2, 1.0 / mean_age, 1.2, 1.0]
    }
    fn verdict(&self, at: Parameters, held: [bool; 5]) -> Verdict {
        let low = |i: usize| held[i] && at[i] < 0.0;
        if low(1) {
            Verdict::EqualRates
        } else if low(2) {
            Verdict::NoDropout
        } else if low(3) {
            Verdict::EqualDropout
        } else if held[4] {
            Verdict::PerfectCorrelation
        } else {
            Verdict::Boundary
        }
    }

    fn ln_odds_alive(&self, p: Parameters, h: History) -> f64 {
        let prior = Prior::new(p);
        ln_alive(prior, h) - ln_dead(prior, h)
    }
    fn p_alive(&self, p: Parameters, h: History, ahead: f64) -> f64 {
        let odds = self.ln_odds_alive(p, h);
        let now = if odds == f64::INFINITY { 1.0 } else { exp(-log1p_exp(-odds)) };
        now * later(p, h, ahead)
    }
    fn while_alive(&self, p: Parameters, h: History, periods: f64) -> f64 {
        periods * bought(p, h, |mu| lived(mu, periods))
    }
    fn weighted(&self, p: Parameters, h: History, weights: &[f64]) -> f64 {
        let whole = crate::math::sum(weights.iter().enumerate().map(|(i, w)| w * (i + 1) as f64));
        if whole == 0.0 {
            return 0.0;
        }
        // One sum serves a row, which is of one μ.
        let before = std::cell::Cell::new((f64::NAN, 0.0));
        let of = |mu: f64| {
            if before.get().0 != mu {
                let each = weights.iter().enumerate().filter(|(_, w)| **w != 0.0);
                let sum = crate::math::sum(each.map(|(i, w)| {
                    let time = (i + 1) as f64;
                    w * time * lived(mu, time)
                }));
                before.set((mu, sum / whole));
            }
            before.get().1
        };
        whole * bought(p, h, of)
    }
    fn probabilities(&self, p: Parameters, h: History, periods: f64, most: usize) -> Vec<f64> {
        let alive = self.p_alive(p, h, 0.0);
        let mut mass = counts::probabilities(Prior::new(p), until_age(h), periods, most);
        for mass in &mut mass {
            *mass *= alive;
        }
        mass[0] += 1.0 - alive;
        mass
    }
    fn residual(&self, p: Parameters, h: History, rate: f64) -> f64 {
        self.p_alive(p, h, 0.0) / rate * bought(p, h, |mu| rate / (mu + rate))
    }
    fn rate(&self, p: Parameters, h: History) -> f64 {
        bought(p, h, |_| 1.0)
    }

    fn shared(&self, _: Parameters, _: u32) -> (f64, Parameters, [Parameters; 5]) {
        (0.0, [0.0; 5], [[0.0; 5]; 5])
    }
    fn own(&self, p: Parameters, h: History) -> (f64, Parameters, [Parameters; 5]) {
        let (value, slopes, bends) = moments::<true>(p, h);
        let gradient = natural(p, slopes);
        let mut hessian: [Parameters; 5] = std::array::from_fn(|i| natural(p, bends[i]).map(|h| h / p[i]));
        for i in 0..5 {
            hessian[i][i] -= gradient[i] / p[i];
        }
        (value, gradient, hessian)
    }
    fn own_slope(&self, p: Parameters, h: History) -> (f64, Parameters) {
        let (value, slopes, _) = moments::<false>(p, h);
        (value, natural(p, slopes))
    }
    fn ln_likelihood(&self, p: Parameters, h: History) -> f64 {
        all(Prior::new(p), h).ln_integral(missed(h.age - h.recency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_likelihood() {
        let history = |frequency, recency, age| History { frequency, recency, age, ..History::default() };
        for p in [[0.07, 1.3, 0.03, 1.6, 2.2], [0.4, 0.2, 0.002, 2.5, 0.05], [2.0, 3.0, 0.5, 0.1, 30.0]] {
            for h in [
                history(0, 0.0, 20.0),
                history(3, 7.5, 9.0),
                history(3, 7.5, 30.0),
                history(2, 7.5, 7.5),
                history(600, 30.0, 33.0),
            ] {
                let (value, gradient, hessian) = AbeParetoLaw.own(p, h);
                let alone = AbeParetoLaw.ln_likelihood(p, h);
                assert!((value - alone).abs() < 1e-11 * (1.0 + value.abs()), "{h:?}: {value} {alone}");
                assert_eq!(AbeParetoLaw.own_slope(p, h), (value, gradient));
                for i in 0..5 {
                    let step = 2e-5 * p[i];
                    let moved = |by: f64| {
                        let mut at = p;
                        at[i] += by;
                        AbeParetoLaw.own(at, h)
                    };
                    let (up, down) = (moved(step), moved(-step));
                    let slope = (up.0 - down.0) / (2.0 * step);
                    let close =
                        |got: f64, want: f64| (got - want).abs() * p[i] < 1e-6 * (1.0 + want.abs() * p[i]);
                    assert!(close(gradient[i], slope), "{p:?} {h:?} {i}: {slope} {gradient:?}");
                    for j in 0..5 {
                        let bend = (up.1[j] - down.1[j]) / (2.0 * step) * p[j];
                        let got = hessian[i.min(j)][i.max(j)] * p[j];
                        assert!(close(got, bend), "{p:?} {h:?} {i} {j}: {bend} {got}");
                    }
                }
            }
        }
    }
}
