//! Chains of the no-U-turn sampler (Hoffman & Gelman 2014), by `nuts-rs`.

use std::collections::HashMap;
use std::fmt;

use nuts_rs::{Chain, CpuLogpFunc, CpuMath, CpuMathError, DiagNutsSettings, HasDims, LogpError, Settings};

use crate::math::normal_quantile;
use crate::run::unit_open;
use crate::{Error, Result, Run};

/// How a chain is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub draws: usize,
    pub tune: usize,
    pub target_accept: f64,
    pub max_depth: u32,
}

/// What a chain brings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// Draws in the coordinates that were sampled, one after another.
    pub draws: Vec<f64>,
    pub log_density: Vec<f64>,
    pub divergent: Vec<bool>,
    pub step_size: f64,
    /// Mean acceptance statistic after warm-up.
    pub acceptance: f64,
    /// Gradients after warm-up.
    pub gradients: u64,
}

/// The density leaves the doubles there: the step is a divergence.
#[derive(Debug)]
struct Beyond;

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the density is not finite")
    }
}

impl std::error::Error for Beyond {}

impl LogpError for Beyond {
    fn is_recoverable(&self) -> bool {
        true
    }
}

struct Density<F> {
    dimensions: usize,
    log_density: F,
}

impl<F> HasDims for Density<F> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        HashMap::from([("unconstrained_parameter".to_owned(), self.dimensions as u64)])
    }
}

impl<F: FnMut(&[f64], &mut [f64]) -> f64> CpuLogpFunc for Density<F> {
    type LogpError = Beyond;
    type FlowParameters = ();
    type ExpandedVector = Vec<f64>;

    fn dim(&self) -> usize {
        self.dimensions
    }

    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> std::result::Result<f64, Beyond> {
        let value = (self.log_density)(position, gradient);
        if value.is_finite() && gradient.iter().all(|g| g.is_finite()) { Ok(value) } else { Err(Beyond) }
    }

    fn expand_vector<R: rand::Rng + ?Sized>(
        &mut self,
        _: &mut R,
        position: &[f64],
    ) -> std::result::Result<Vec<f64>, CpuMathError> {
        Ok(position.to_vec())
    }
}

/// One chain on a density that is roughly standard normal, from about `spread`
/// standard deviations around 0. Its numbers depend on (seed, `chain`) only.
pub(crate) fn walk<F>(
    model: &'static str,
    dimensions: usize,
    log_density: F,
    plan: Plan,
    chain: u64,
    run: &Run,
) -> Result<Walk>
where
    F: FnMut(&[f64], &mut [f64]) -> f64,
{
    let mut log_density = log_density;
    // Once cancelled, every step diverges, and the trajectory that may be long ends.
    let log_density = |at: &[f64], gradient: &mut [f64]| -> f64 {
        if run.check().is_err() { f64::NAN } else { log_density(at, gradient) }
    };
    let failed = |hint: String| Error::NotConverged { model, iterations: 0, gradient_norm: 0.0, hint };
    let mut settings = DiagNutsSettings {
        num_tune: plan.tune as u64,
        num_draws: plan.draws as u64,
        maxdepth: u64::from(plan.max_depth),
        num_chains: 1,
        ..DiagNutsSettings::default()
    };
    settings.adapt_options.step_size_settings.target_accept = plan.target_accept;
    let mut rng = run.rng(split(chain));
    let math = CpuMath::new(Density { dimensions, log_density });
    let mut starts = run.rng(split(chain) ^ 1);
    let mut sampler = settings
        .new_chain(chain, math, &mut rng)
        .map_err(|e| failed(format!("the sampler refuses its settings: {e}")))?;
    // Nearer and nearer to the mode, until the density can be computed.
    let mut spread = 1.0;
    loop {
        let start: Vec<f64> = (0..dimensions)
            .map(|_| spread * normal_quantile(unit_open(rand::Rng::next_u64(&mut starts))))
            .collect();
        match sampler.set_position(&start) {
            Ok(()) => break,
            Err(_) if spread > 1e-3 => {
                run.check()?;
                spread *= 0.25;
            }
            Err(e) => return Err(failed(format!("no chain can start at the mode: {e}"))),
        }
    }
    let mut out = Walk::default();
    let mut accepted = 0.0;
    for draw in 0..plan.tune + plan.draws {
        let drawn = sampler.expanded_draw();
        run.advance(1)?;
        let (position, _, stats, progress) =
            drawn.map_err(|e| failed(format!("a chain broke off: {e}; take the prior `weak`")))?;
        if draw < plan.tune {
            continue;
        }
        out.draws.extend_from_slice(&position);
        out.log_density.push(stats.point.logp);
        out.divergent.push(progress.diverging);
        out.step_size = progress.step_size;
        out.gradients += progress.num_gradients;
        accepted += stats.adapt.step_size.mean_tree_accept;
    }
    out.acceptance = accepted / plan.draws.max(1) as f64;
    Ok(out)
}

/// Streams of chains, apart from the ones that others key by small numbers.
fn split(chain: u64) -> u64 {
    0x6e75_7473_0000_0000 | chain << 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_target_gives_its_moments() {
        // Standard deviations 1, 2, ½ about 0, 3, −1.
        let (mean, sd) = ([0.0, 3.0, -1.0], [1.0, 2.0, 0.5]);
        let density = |at: &[f64], gradient: &mut [f64]| {
            let mut value = 0.0;
            for i in 0..3 {
                let z = (at[i] - mean[i]) / sd[i];
                value -= 0.5 * z * z;
                gradient[i] = -z / sd[i];
            }
            value
        };
        let plan = Plan { draws: 4000, tune: 300, target_accept: 0.8, max_depth: 10 };
        let walk = walk("test", 3, density, plan, 0, &Run::new().seed(5)).unwrap();
        assert_eq!(walk.draws.len(), 12_000);
        assert_eq!(walk.divergent.iter().filter(|d| **d).count(), 0);
        for i in 0..3 {
            let values: Vec<f64> = walk.draws.iter().skip(i).step_by(3).copied().collect();
            let m = values.iter().sum::<f64>() / 4000.0;
            let s = (values.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / 3999.0).sqrt();
            assert!((m - mean[i]).abs() < 0.08 * sd[i], "mean {i}: {m}");
            assert!((s / sd[i] - 1.0).abs() < 0.06, "sd {i}: {s}");
        }
        let last = walk.log_density.last().copied().unwrap();
        let at = &walk.draws[11_997..];
        let value: f64 = (0..3).map(|i| -0.5 * ((at[i] - mean[i]) / sd[i]).powi(2)).sum();
        assert!((last - value).abs() < 1e-9, "{last} {value}");
    }
}
