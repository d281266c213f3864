//! NBD (Ehrenberg 1959): customers buy at random and never leave.
//!
//! λ ~ Gamma(r, α) over customers, so L = Γ(r+x)/Γ(r) α^r (α+T)^−(r+x): the limit of the laws with dropout where
//! nobody drops out. When a customer bought last tells nothing.

use super::{History, Law, Mixing, first_negative_binomial, parts};
use crate::clv::covariates::Process;
use crate::clv::estimates::Verdict;
use crate::math::jet::{Jet, Real};

/// NBD: purchases at random, without dropout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NbdLaw;

/// What a history adds to ln Γ(r + x) − ln Γ(r): r ln(α / (α + T)) − x ln(α + T).
fn exposed<R: Real>([r, alpha]: [R; 2], h: History) -> R {
    let grown = (R::from(h.age) / alpha).ln_1p();
    -(r * grown) - (alpha + h.age).ln() * f64::from(h.frequency)
}

impl Law<2> for NbdLaw {
    const KIND: &'static str = "clv.NBD";
    const NAME: &'static str = "NBD";
    const PARAMETERS: [&'static str; 2] = ["r", "alpha"];
    const TIME: [f64; 2] = [0.0, 1.0];
    const MIXING: [Mixing; 2] = [Mixing::Gamma { shape: 0, rate: 1 }, Mixing::None];

    fn with_k(k: u32) -> Option<Self> {
        (k == 1).then_some(Self)
    }
    fn direction(process: Process) -> Option<[f64; 2]> {
        // λ grows as α falls.
        matches!(process, Process::Purchase).then_some([0.0, -1.0])
    }
    fn start(&self, rate: f64, _: f64) -> [f64; 2] {
        [0.5, 0.5 / rate]
    }
    fn verdict(&self, at: [f64; 2], held: [bool; 2]) -> Verdict {
        if (0..2).any(|i| held[i] && at[i] > 0.0) {
            Verdict::EqualRates
        } else if held.contains(&true) {
            Verdict::Boundary
        } else {
            Verdict::Interior
        }
    }
    fn ln_odds_alive(&self, _: [f64; 2], _: History) -> f64 {
        f64::INFINITY
    }
    fn p_alive(&self, _: [f64; 2], _: History, _: f64) -> f64 {
        1.0
    }
    fn while_alive(&self, p: [f64; 2], h: History, periods: f64) -> f64 {
        self.rate(p, h) * periods
    }
    fn probabilities(&self, [r, alpha]: [f64; 2], h: History, periods: f64, most: usize) -> Vec<f64> {
        first_negative_binomial(r + f64::from(h.frequency), periods / (alpha + h.age), most + 1)
    }
    fn residual(&self, p: [f64; 2], h: History, rate: f64) -> f64 {
        self.rate(p, h) / rate
    }
    fn rate(&self, [r, alpha]: [f64; 2], h: History) -> f64 {
        (r + f64::from(h.frequency)) / (alpha + h.age)
    }
    fn shared(&self, p: [f64; 2], x: u32) -> (f64, [f64; 2], [[f64; 2]; 2]) {
        let [r, _] = Jet::variables(p);
        parts(r.ln_rising(x))
    }
    fn own(&self, p: [f64; 2], h: History) -> (f64, [f64; 2], [[f64; 2]; 2]) {
        parts(exposed(Jet::variables(p), h))
    }
    fn ln_likelihood(&self, p: [f64; 2], h: History) -> f64 {
        p[0].ln_rising(h.frequency) + exposed(p, h)
    }
}
