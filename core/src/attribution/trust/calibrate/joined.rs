//! Estimates of what channels added, joined with tests of the same.
//!
//! An estimate by [`self_controlled`](crate::attribution::self_controlled) and a
//! test both claim to be what a channel added. How far the estimates of this
//! market are off beyond their errors is told by the tested channels:
//!
//! ```text
//! estimate_c ~ N(added_c, se_c² + τ² max(|estimate_c|, se_c)²)      test_c ~ N(added_c, test_se_c²)
//! τ ~ exponential, one in twenty above 0.25
//! ```
//!
//! (the prior of Simpson et al. 2017, which penalises what is not simple by how far it is from it). τ is integrated
//! on a grid. A channel that was left out has its test alone, or nothing.

use super::Base;
use super::factors::{Calibrated, Source, gaussian, pool_by_touches};
use super::{CalibrateOptions, SAMPLES, Test};
use crate::attribution::trust::controlled::Controlled;
use crate::journey::Journeys;
use crate::math::{exact_sum, exp, ln};
use crate::run::{Run, split_mix, unit_open};

const TAU: [f64; 12] = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0];
/// ln 20 / 0.25.
const RATE: f64 = 11.982_929_094_215_963;

/// What is claimed of a channel: values and standard errors.
#[derive(Clone, Copy, Debug, Default)]
struct Claim {
    own: Option<[f64; 2]>,
    test: Option<[f64; 2]>,
}

impl Claim {
    /// The variance of the estimate.
    fn spread([x, se]: [f64; 2], tau: f64) -> f64 {
        let size = x.abs().max(se);
        se * se + tau * tau * size * size
    }

    /// Mean and standard error of what the channel added.
    fn joined(&self, tau: f64) -> Option<[f64; 2]> {
        match (self.own, self.test) {
            (None, test) => test,
            (Some(own), None) => Some([own[0], Self::spread(own, tau).sqrt()]),
            (Some(own), Some([test, se])) => {
                let (mine, theirs) = (Self::spread(own, tau), se * se);
                let all = mine + theirs;
                // Either may be known without error.
                let part = if all > 0.0 { mine / all } else { 0.5 };
                Some([own[0] + part * (test - own[0]), (part * theirs).sqrt()])
            }
        }
    }
}

/// Weights of τ.
fn weights(claims: &[Claim]) -> Vec<f64> {
    let likelihood = |tau: f64| -> f64 {
        let both = claims.iter().filter_map(|c| c.own.zip(c.test));
        both.map(|(own, [test, se])| {
            let variance = Claim::spread(own, tau) + se * se;
            let off = own[0] - test;
            if variance > 0.0 { -0.5 * (off * off / variance + ln(variance)) } else { 0.0 }
        })
        .sum()
    };
    let logs: Vec<f64> = TAU.iter().map(|t| likelihood(*t) - RATE * t).collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = |i: usize| {
        let (low, high) = (TAU[i.saturating_sub(1)], TAU[(i + 1).min(TAU.len() - 1)]);
        (high - low) / 2.0
    };
    let raw: Vec<f64> = logs.iter().enumerate().map(|(i, l)| exp(l - top) * width(i)).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|w| w / total).collect()
}

/// Calibrates the estimate of customers compared with themselves.
pub(super) fn joined(
    journeys: &Journeys,
    tests: &[Test],
    base: &Base,
    found: &Controlled,
    options: &CalibrateOptions,
    run: &Run,
) -> Calibrated {
    let total = options.metric.total(journeys);
    let channels = found.channels.len();
    let pooled: Vec<_> = (0..channels).map(|c| pool_by_touches(tests, c)).collect();
    let claims: Vec<Claim> = found
        .channels
        .iter()
        .zip(&pooled)
        .map(|(c, pooled)| Claim { own: c.incremental, test: pooled.map(|p| [p.factor, p.error]) })
        .collect();
    let weights = weights(&claims);
    let mean = |f: &dyn Fn(f64) -> f64| TAU.iter().zip(&weights).map(|(t, w)| w * f(*t)).sum::<f64>();
    let credits: Vec<Option<f64>> = claims
        .iter()
        .map(|c| c.joined(0.0).map(|_| mean(&|tau| c.joined(tau).map_or(0.0, |x| x[0]))))
        .collect();
    let key = split_mix(run.seed_value() ^ 0x6a6f);
    let cells: Vec<f64> = (0..SAMPLES)
        .map(|r| {
            let mut left = unit_open(split_mix(key ^ r as u64));
            let cell = weights.iter().position(|w| {
                left -= w;
                left < 0.0
            });
            TAU[cell.unwrap_or(TAU.len() - 1)]
        })
        .collect();
    let mut samples: Vec<Vec<f64>> = claims
        .iter()
        .enumerate()
        .map(|(c, claim)| {
            let one = |(r, tau): (usize, &f64)| {
                let [at, se] = claim.joined(*tau)?;
                Some((at + se * gaussian(run, 3, c, r)).min(total))
            };
            cells.iter().enumerate().filter_map(one).collect()
        })
        .collect();
    let total = total + base.shared;
    let rest = (0..SAMPLES).map(|r| total - samples.iter().filter_map(|s| s.get(r)).sum::<f64>()).collect();
    samples.push(rest);
    let sources = claims
        .iter()
        .map(|c| match (c.own, c.test) {
            (None, None) => Source::Unknown,
            (_, Some(_)) => Source::Tested,
            (Some(_), None) => Source::Pooled,
        })
        .collect();
    Calibrated {
        factors: credits
            .iter()
            .zip(&base.credits)
            .map(|(c, own)| c.filter(|_| *own > 0.0).map(|c| c / own))
            .collect(),
        baseline: total - exact_sum(credits.iter().flatten().copied()),
        credits: credits.into_iter().map(Option::unwrap_or_default).collect(),
        pooled: Vec::new(),
        sources,
        samples,
        centre: None,
        tau: Some(mean(&|tau| tau)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(own: (f64, f64), test: (f64, f64)) -> Claim {
        Claim { own: Some([own.0, own.1]), test: Some([test.0, test.1]) }
    }

    #[test]
    fn the_surer_of_two_claims_counts_more() {
        let [at, se] = claim((100.0, 10.0), (200.0, 20.0)).joined(0.0).unwrap();
        // By hand: precisions 1/100 and 1/400.
        assert!((at - 120.0).abs() < 1e-9 && (se - 80.0_f64.sqrt()).abs() < 1e-9);
        let doubted = claim((100.0, 10.0), (200.0, 20.0)).joined(1.0).unwrap();
        assert!(doubted[0] > 190.0);
        assert_eq!(claim((5.0, 0.0), (7.0, 0.0)).joined(0.0), Some([6.0, 0.0]));
        assert_eq!(Claim::default().joined(0.3), None);
    }

    #[test]
    fn tests_tell_how_far_estimates_are_off() {
        let mean = |claims: &[Claim]| TAU.iter().zip(weights(claims)).map(|(t, w)| t * w).sum::<f64>();
        let agree = mean(&[claim((100.0, 2.0), (101.0, 2.0)), claim((50.0, 1.0), (49.0, 1.0))]);
        let contradict = mean(&[claim((100.0, 2.0), (160.0, 2.0)), claim((50.0, 1.0), (20.0, 1.0))]);
        let silent = mean(&[]);
        assert!(
            agree < 0.08 && (silent - 0.083).abs() < 0.005 && contradict > 0.3,
            "{agree} {silent} {contradict}"
        );
    }
}
