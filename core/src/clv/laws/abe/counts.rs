//! How many purchases those who are alive will make.
//!
//! Given λ and μ purchases and dropout are one Poisson stream of rate λ + μ,
//! in which each event is a purchase with probability p = λ / (λ + μ) until
//! one is the end. With N the events of that stream in a time t,
//!
//! ```text
//! P(n) = p^n { P(N = n) + (1 − p) P(N > n) }
//! ```

use super::lattice::{Lattice, Prior, Seen};
use super::missed;
use crate::math::{exp, ln, ln_gamma};

/// Nodes that weigh less than this beside the heaviest ask for no finer lattice.
const LIGHT: f64 = 1e-12;

/// P(n purchases in `time`), n = 0 … `most`, of a customer who is alive.
pub(super) fn probabilities(prior: Prior, seen: Seen, time: f64, most: usize) -> Vec<f64> {
    let lattice = Lattice::new(prior, seen, None, 0.0);
    let (mut total, mut fastest) = (0.0, 0.0_f64);
    let scale = lattice.visit(
        |_, _| 1.0,
        |node| {
            total += node.weight;
            if node.weight > LIGHT {
                fastest = fastest.max(node.lambda);
            }
        },
    );
    let ln_all = scale + ln(total);
    let later = Seen { bought: seen.bought + time, lived: seen.lived + time, ..seen };
    let none = Lattice::new(prior, seen, Some(later), 0.0).ln_integral(missed(time));
    let mut out = vec![0.0; most + 1];
    if most > 0 {
        let sharp = (most as f64).min(fastest * time);
        let mut stream = Stream::new(most);
        let fine = Lattice::new(prior, seen, None, sharp);
        total = 0.0;
        fine.visit(
            |_, _| 1.0,
            |node| {
                total += node.weight;
                stream.add(&mut out, (node.lambda, node.mu), time, node.weight);
            },
        );
        for out in &mut out {
            *out /= total;
        }
    }
    out[0] = exp((none - ln_all).min(0.0));
    out
}

/// P(N = n) and P(N > n) of the Poisson stream, for one node after the other.
struct Stream {
    events: Vec<f64>,
    more: Vec<f64>,
}

impl Stream {
    fn new(most: usize) -> Self {
        Self { events: vec![0.0; most + 1], more: vec![0.0; most + 1] }
    }

    fn fill(&mut self, mean: f64) {
        let Self { events, more } = self;
        let most = events.len() - 1;
        let top = mean.min(most as f64) as usize;
        let ln_top = if top > 0 { top as f64 * ln(mean) - ln_gamma(top as f64 + 1.0) } else { 0.0 };
        events[top] = exp(ln_top - mean);
        for n in (0..top).rev() {
            events[n] = events[n + 1] * (n + 1) as f64 / mean;
        }
        for n in top + 1..=most {
            events[n] = events[n - 1] * mean / n as f64;
        }
        if mean > most as f64 + 1.0 {
            let mut rest = 1.0;
            for (more, event) in more.iter_mut().zip(events) {
                rest -= *event;
                *more = rest;
            }
            return;
        }
        // From above, where it is small.
        let (mut term, mut n, mut rest) = (events[most], most as f64, 0.0);
        loop {
            n += 1.0;
            term *= mean / n;
            rest += term;
            if term.is_nan() || term <= 1e-17 * rest {
                break;
            }
        }
        for n in (0..=most).rev() {
            more[n] = rest;
            rest += events[n];
        }
    }

    /// Adds `weight` P(n) to each.
    fn add(&mut self, out: &mut [f64], (lambda, mu): (f64, f64), time: f64, weight: f64) {
        let rate = lambda + mu;
        let (bought, ended) = (lambda / rate, mu / rate);
        self.fill(rate * time);
        let mut power = weight;
        for ((out, event), more) in out.iter_mut().zip(&self.events).zip(&self.more) {
            *out += power * (event + ended * more);
            power *= bought;
            if power == 0.0 {
                break;
            }
        }
    }
}
