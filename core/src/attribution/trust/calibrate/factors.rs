//! Factors of channels: what tests measured over what was credited.

use super::shrink::Posterior;
use super::{Base, CalibrateOptions, SAMPLES, Test, Untested};
use crate::journey::Journeys;
use crate::math::{exact_sum, normal_quantile};
use crate::run::{Run, split_mix, unit_open};

/// Several tests of one channel as one.
#[derive(Clone, Copy, Default)]
pub(super) struct Pooled {
    pub(super) factor: f64,
    pub(super) error: f64,
    pub(super) tests: usize,
    /// Cochran's Q, and the variance between tests.
    pub(super) q: f64,
    pub(super) between: f64,
}

/// Pools by inverse variance, with random effects (`DerSimonian` & Laird 1986).
fn pool(measured: &[(f64, f64)]) -> Pooled {
    let weigh = |between: f64| {
        let weights: Vec<f64> = measured.iter().map(|(_, e)| 1.0 / (e * e + between)).collect();
        let total: f64 = weights.iter().sum();
        let mean = measured.iter().zip(&weights).map(|((k, _), w)| k * w).sum::<f64>() / total;
        (weights, total, mean)
    };
    let (weights, total, mean) = weigh(0.0);
    let q: f64 = measured.iter().zip(&weights).map(|((k, _), w)| w * (k - mean) * (k - mean)).sum();
    let spare = total - weights.iter().map(|w| w * w).sum::<f64>() / total;
    let free = measured.len() as f64 - 1.0;
    let between = if spare > 0.0 { ((q - free) / spare).max(0.0) } else { 0.0 };
    let (_, total, mean) = weigh(between);
    Pooled { factor: mean, error: (1.0 / total).sqrt(), tests: measured.len(), q, between }
}

/// What the tests of a channel tell of all of its time, by the touches that they were made on.
pub(super) fn pool_by_touches(tests: &[Test], channel: usize) -> Option<Pooled> {
    let scaled = |t: &Test| {
        let [here, all] = t.touches;
        let scale = if here > 0.0 { all / here } else { 1.0 };
        (t.effect * scale, t.error * scale)
    };
    let measured: Vec<(f64, f64)> = tests.iter().filter(|t| t.channel == channel).map(scaled).collect();
    (!measured.is_empty()).then(|| pool(&measured))
}

/// A channel's factor.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Tested,
    Pooled,
    Unchanged,
    NoCredit,
    Unknown,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tested => "tested",
            Self::Pooled => "pooled",
            Self::Unchanged => "unchanged",
            Self::NoCredit => "no credit",
            Self::Unknown => "unknown",
        }
    }
}

pub(super) struct Calibrated {
    pub(super) pooled: Vec<Option<Pooled>>,
    pub(super) sources: Vec<Source>,
    pub(super) factors: Vec<Option<f64>>,
    pub(super) credits: Vec<f64>,
    /// Samples by channel, then of the baseline.
    pub(super) samples: Vec<Vec<f64>>,
    pub(super) baseline: f64,
    pub(super) centre: Option<[f64; 3]>,
    /// How far estimates are off beyond their errors.
    pub(super) tau: Option<f64>,
}

impl Calibrated {
    pub(super) fn new(
        journeys: &Journeys,
        tests: &[Test],
        base: &Base,
        options: &CalibrateOptions,
        run: &Run,
    ) -> Self {
        let channels = base.credits.len();
        let mut sources = vec![Source::Pooled; channels];
        let mut pooled = vec![None; channels];
        let mut fixed = vec![None; channels];
        for c in 0..channels {
            let mine: Vec<usize> = (0..tests.len()).filter(|t| tests[*t].channel == c).collect();
            if mine.is_empty() {
                continue;
            }
            let able = mine.iter().all(|t| base.matched[*t] > 0.0) && base.credits[c] > 0.0;
            if able {
                let factor =
                    |t: &usize| (tests[*t].effect / base.matched[*t], tests[*t].error / base.matched[*t]);
                pooled[c] = Some(pool(&mine.iter().map(factor).collect::<Vec<_>>()));
                sources[c] = Source::Tested;
            } else {
                // Without credit to scale, the effect itself.
                fixed[c] = pool_by_touches(tests, c);
                sources[c] = Source::NoCredit;
            }
        }
        let mut out = Self {
            pooled,
            sources,
            factors: vec![None; channels],
            credits: vec![0.0; channels],
            samples: Vec::new(),
            baseline: 0.0,
            centre: None,
            tau: None,
        };
        let total = options.metric.total(journeys);
        let draws = out.factors(base, options, run);
        let replicates = draws.first().map_or(SAMPLES, Vec::len);
        for c in 0..channels {
            let normal = |at: f64, error: f64| -> Vec<f64> {
                (0..replicates).map(|r| at + error * gaussian(run, 2, c, r)).collect()
            };
            if let Some(found) = fixed[c] {
                out.credits[c] = found.factor;
                out.samples.push(normal(found.factor, found.error));
                continue;
            }
            out.credits[c] = out.factors[c].unwrap_or(1.0) * base.credits[c];
            let credit = |r: usize| match &base.draws {
                Some(draws) => draws[c][r % draws[c].len()],
                None => base.credits[c],
            };
            // No channel brings more than there is: this cuts the long tail of an untested factor.
            let sample = |(r, k): (usize, &f64)| (k * credit(r)).min(total);
            out.samples.push(draws[c].iter().enumerate().map(sample).collect());
        }
        let total = total + base.shared;
        out.baseline = total - exact_sum(out.credits.iter().copied());
        let rest = (0..replicates).map(|r| total - out.samples.iter().map(|s| s[r]).sum::<f64>()).collect();
        out.samples.push(rest);
        out
    }

    /// Decides the factors, and gives samples of them.
    fn factors(&mut self, base: &Base, options: &CalibrateOptions, run: &Run) -> Vec<Vec<f64>> {
        let channels = base.credits.len();
        let drawn = base.draws.as_ref().and_then(|draws| draws.first()).map_or(0, Vec::len);
        let samples = drawn.max(SAMPLES);
        let tested: Vec<usize> = (0..channels).filter(|c| self.pooled[*c].is_some()).collect();
        let untested: Vec<usize> =
            (0..channels).filter(|c| matches!(self.sources[*c], Source::Pooled)).collect();
        let mut draws = vec![vec![1.0; samples]; channels];
        let measured: Vec<(f64, f64)> =
            tested.iter().filter_map(|c| self.pooled[*c].map(|p| (p.factor, p.error))).collect();
        if options.untested == Untested::Shrink {
            let posterior = Posterior::new(&measured);
            self.centre = Some(posterior.centre());
            for (t, c) in tested.iter().enumerate() {
                self.factors[*c] = Some(posterior.tested(t));
            }
            let median = posterior.untested();
            for c in &untested {
                self.factors[*c] = Some(median);
            }
            let key = split_mix(run.seed_value() ^ 0x6361);
            let joint: Vec<Vec<f64>> =
                (0..samples).map(|r| posterior.sample(untested.len(), key ^ r as u64)).collect();
            for (at, c) in tested.iter().chain(&untested).enumerate() {
                draws[*c] = joint.iter().map(|k| k[at]).collect();
            }
            return draws;
        }
        for c in &tested {
            if let Some(p) = self.pooled[*c] {
                self.factors[*c] = Some(p.factor);
                draws[*c] = (0..samples).map(|r| p.factor + p.error * gaussian(run, 0, *c, r)).collect();
            }
        }
        if options.untested == Untested::None || tested.is_empty() {
            for c in untested {
                (self.sources[c], self.factors[c]) = (Source::Unchanged, Some(1.0));
            }
            return draws;
        }
        // All tested channels together: what they bring over what they are credited with.
        let credit: f64 = tested.iter().map(|c| base.credits[*c]).sum();
        let brought = |r: usize| tested.iter().map(|c| draws[*c][r] * base.credits[*c]).sum::<f64>() / credit;
        let common: Vec<f64> = (0..samples).map(brought).collect();
        let factor =
            tested.iter().map(|c| self.factors[*c].unwrap_or(1.0) * base.credits[*c]).sum::<f64>() / credit;
        for c in untested {
            self.factors[c] = Some(factor);
            draws[c].clone_from(&common);
        }
        draws
    }
}

/// A standard normal number for (purpose, channel, sample).
pub(super) fn gaussian(run: &Run, purpose: u64, channel: usize, sample: usize) -> f64 {
    let key = split_mix(run.seed_value() ^ 0x6e6f_726d ^ (purpose << 56) ^ ((channel as u64) << 32));
    let bits = split_mix(key ^ sample as u64);
    normal_quantile(unit_open(bits))
}

#[cfg(test)]
mod tests_of_pooling {
    use super::*;

    #[test]
    fn tests_are_pooled_as_by_dersimonian_and_laird() {
        // By hand: weights 100, 25, 25; fixed mean 0.6; Q = 100·0.01 + 25·0.16 + 25·0 = 5 with 2 free;
        // spare = 150 − (10000 + 625 + 625)/150 = 75; between = 3/75.
        let found = pool(&[(0.5, 0.1), (1.0, 0.2), (0.6, 0.2)]);
        assert!((found.q - 5.0).abs() < 1e-12, "{}", found.q);
        assert!((found.between - 0.04).abs() < 1e-12);
        // Random effects: weights 20, 12.5, 12.5.
        assert!((found.factor - (10.0 + 12.5 + 7.5) / 45.0).abs() < 1e-12);
        assert!((found.error - (1.0_f64 / 45.0).sqrt()).abs() < 1e-12);
        let alone = pool(&[(0.7, 0.3)]);
        assert_eq!((alone.factor, alone.q, alone.between), (0.7, 0.0, 0.0));
        assert!((alone.error - 0.3).abs() < 1e-15);
    }
}
