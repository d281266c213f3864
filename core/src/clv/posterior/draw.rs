//! Draws about a mode.

use super::nuts::{Plan, walk};
use super::{Chain, Method, Posterior, PosteriorOptions};
use crate::math::{exp, normal_quantile, sum};
use crate::run::unit_open;
use crate::{Result, Run};

/// The stream of Laplace's draws.
const LAPLACE: u64 = 0x6c61_706c_0000_0000;

/// The greatest density, and coordinates in which it is roughly standard normal there.
pub(super) struct Peak {
    pub at: Vec<f64>,
    pub value: f64,
    /// A lower triangle: the factor of the covariance.
    pub factor: Vec<Vec<f64>>,
    /// Between which each parameter lies; none where empty.
    pub limits: Vec<(f64, f64)>,
}

impl Peak {
    fn place(&self, z: &[f64], out: &mut [f64]) {
        for ((out, mode), row) in out.iter_mut().zip(&self.at).zip(&self.factor) {
            *out = mode + row.iter().zip(z).map(|(f, z)| f * z).sum::<f64>();
        }
    }

    /// Whether a point lies outside of the limits.
    pub(super) fn beyond(&self, at: &[f64]) -> bool {
        at.iter().zip(&self.limits).any(|(at, (low, high))| at < low || at > high)
    }

    /// The gradient by what was whitened.
    fn whiten(&self, natural: &[f64], out: &mut [f64]) {
        for (j, out) in out.iter_mut().enumerate() {
            *out = (j..natural.len()).map(|i| self.factor[i][j] * natural[i]).sum();
        }
    }
}

/// Fills a posterior by its method. `density` gives the logarithm and its gradient on log parameters and
/// standardised coefficients; `units` takes these, which come last, to the units of the data.
pub(super) fn fill<D>(
    out: &mut Posterior,
    model: &'static str,
    (peak, units): (&Peak, &[f64]),
    density: D,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<()>
where
    D: Fn(&[f64], &mut [f64]) -> f64 + Sync + Send,
{
    let size = peak.at.len();
    let law = size - units.len();
    let mut at = vec![0.0; size];
    let mut keep = |draws: &mut Vec<f64>, z: &[f64]| {
        peak.place(z, &mut at);
        // A normal knows no limits; chains have kept to them.
        for (at, (low, high)) in at.iter_mut().zip(&peak.limits) {
            *at = at.clamp(*low, *high);
        }
        draws.extend(at[..law].iter().map(|log| exp(*log)));
        draws.extend(at[law..].iter().zip(units).map(|(value, unit)| value * unit));
    };
    if out.method == Method::Laplace {
        let total = options.chains * options.draws;
        run.stage("drawing", total as u64)?;
        let mut rng = run.rng(LAPLACE);
        let mut z = vec![0.0; size];
        for draw in 0..total {
            z.fill_with(|| normal_quantile(unit_open(rand::Rng::next_u64(&mut rng))));
            keep(&mut out.draws, &z);
            // Of the approximation itself.
            out.log_density.push(peak.value - 0.5 * sum(z.iter().map(|z| z * z)));
            if draw % 4096 == 4095 {
                run.advance(4096)?;
            }
        }
        out.chains = vec![Chain { draws: options.draws, ..Chain::default() }; options.chains];
        return Ok(());
    }
    run.stage("sampling", (options.chains * (options.tune + options.draws)) as u64)?;
    let plan = Plan {
        draws: options.draws,
        tune: options.tune,
        target_accept: options.target_accept,
        max_depth: options.max_depth,
    };
    let walks = run.map_items(options.chains, |chain| {
        let (mut at, mut natural) = (vec![0.0; size], vec![0.0; size]);
        let whitened = |z: &[f64], gradient: &mut [f64]| -> f64 {
            peak.place(z, &mut at);
            let value = density(&at, &mut natural);
            peak.whiten(&natural, gradient);
            value
        };
        walk(model, size, whitened, plan, chain as u64, run)
    })?;
    for walk in walks {
        out.chains.push(Chain {
            draws: options.draws,
            divergences: walk.divergent.iter().filter(|d| **d).count() as u64,
            step_size: Some(walk.step_size),
            acceptance: Some(walk.acceptance),
            gradients: walk.gradients,
        });
        for z in walk.draws.chunks_exact(size) {
            keep(&mut out.draws, z);
        }
        let before = out.log_density.len();
        out.log_density.extend(walk.log_density);
        let at = walk.divergent.iter().enumerate().filter(|(_, d)| **d);
        out.divergent.extend(at.map(|(i, _)| (before + i) as u64));
    }
    Ok(())
}
