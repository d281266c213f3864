//! Draws of the parameters: by NUTS, and by Laplace's approximation.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use super::kernel::{Kernel, Visit, full, with_kernel};
use super::nuts::{Plan, walk};
use super::prior::Priors;
use super::{Chain, Method, Posterior, PosteriorOptions};
use crate::clv::frames::History as Rows;
use crate::clv::laws::opportunities;
use crate::clv::rows::{RfmSlices, Unique};
use crate::column::{Columns, Dropped};
use crate::math::newton::{Local, Stop, cholesky, covariance, maximise};
use crate::math::{exp, ln, normal_quantile, sum};
use crate::run::unit_open;
use crate::{Error, Result, Run};

/// Most draws in all.
pub(super) const MOST_DRAWS: usize = 4_000_000;
/// The stream of Laplace's draws.
const LAPLACE: u64 = 0x6c61_706c_0000_0000;

/// The full posterior of a model of purchases by the no-U-turn sampler.
///
/// `kind` is that of [`fit_purchases`](crate::clv::fit_purchases). Chains start
/// about the mode in coordinates in which the posterior is roughly standard
/// normal there, so warm-up is short. The same seed gives the same draws for
/// any number of threads and any order of rows.
///
/// Errors: [`Error::Row`], [`Error::NotEnoughData`] without repeat purchases,
/// [`Error::Option`], [`Error::NotConverged`] where no mode is found.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::posterior::{PosteriorOptions, sample_posterior};
/// use headwater::column::Columns;
///
/// let customers = Columns::new()
///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
///     .with("customers", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]);
/// let options = PosteriorOptions { weight: Some("customers".into()), draws: 200, ..Default::default() };
/// let (posterior, _) = sample_posterior("BetaGeo", &customers, &options, &Run::new())?;
/// assert_eq!(posterior.len(), 4 * 200);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn sample_posterior(
    kind: &str,
    frame: &Columns,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    bayes(kind, frame, options, Method::Nuts, run)
}

/// Laplace's approximation: draws of a normal on log parameters about the
/// greatest posterior density, with the curvature there.
///
/// Options, priors and errors are those of [`sample_posterior`]; `tune`,
/// `target_accept` and `max_depth` mean nothing here.
pub fn laplace(
    kind: &str,
    frame: &Columns,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    bayes(kind, frame, options, Method::Laplace, run)
}

fn bayes(
    kind: &str,
    frame: &Columns,
    options: &PosteriorOptions,
    method: Method,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    options.check()?;
    let kind = full(kind);
    let roles = options.purchases();
    let rows = Rows::read(frame, roles.roles(&[]), options.on_invalid, run)?;
    let slices = rows.slices();
    if kind == "clv.BetaGeoBetaBinomial" {
        opportunities(&slices)?;
    }
    let unique = unique(&slices, run)?;
    let posterior =
        with_kernel(&kind, options.k, Bayes { kind: &kind, unique: &unique, options, method, run })?;
    Ok((posterior, rows.dropped))
}

/// The distinct rows that stand for anybody.
pub(super) fn unique(slices: &RfmSlices<'_>, run: &Run) -> Result<Unique> {
    let mut unique = Unique::of(slices, run)?;
    if unique.weight.contains(&0.0) {
        unique = reweighted(&unique, &unique.weight);
    }
    Ok(unique)
}

/// The rows of other weights; those of none are left out.
pub(super) fn reweighted(rows: &Unique, weight: &[f64]) -> Unique {
    let kept = || (0..rows.len()).filter(|row| weight.get(*row).is_some_and(|w| *w > 0.0));
    Unique {
        frequency: kept().map(|row| rows.frequency[row]).collect(),
        recency: kept().map(|row| rows.recency[row]).collect(),
        age: kept().map(|row| rows.age[row]).collect(),
        weight: kept().map(|row| weight[row]).collect(),
        log_intervals: kept().filter_map(|row| rows.log_intervals.get(row).copied()).collect(),
        group: Vec::new(),
    }
}

/// Customers, mean T, and purchases per time.
pub(super) fn pooled(model: &str, rows: &Unique) -> Result<(f64, f64, f64)> {
    let weighted = |f: &dyn Fn(usize) -> f64| sum((0..rows.len()).map(|i| rows.weight[i] * f(i)));
    let n = weighted(&|_| 1.0);
    let purchases = weighted(&|i| f64::from(rows.frequency[i]));
    let exposure = weighted(&|i| rows.age[i]);
    if n <= 0.0 {
        return Err(Error::not_enough_data(format!("there are no customers to fit {model} on")));
    }
    if purchases <= 0.0 {
        return Err(Error::not_enough_data(format!(
            "no customer has a repeat purchase, so {model} has nothing to estimate rates from: observe for longer"
        )));
    }
    if exposure <= 0.0 {
        return Err(Error::not_enough_data("every T is 0: no time has passed since the first purchases"));
    }
    Ok((n, exposure / n, purchases / exposure))
}

struct Bayes<'a> {
    kind: &'a str,
    unique: &'a Unique,
    options: &'a PosteriorOptions,
    method: Method,
    run: &'a Run,
}

impl Visit for Bayes<'_> {
    type Out = Posterior;

    fn visit<K: Kernel<N>, const N: usize>(self, kernel: K) -> Result<Posterior> {
        let Self { kind, unique, options, method, run } = self;
        let (customers, mean_age, rate) = pooled(K::NAME, unique)?;
        let centre: [f64; N] = std::array::from_fn(|i| K::TIME[i] * ln(mean_age));
        let priors = Priors::new(options.prior, &options.priors, K::NAMES, centre)?;
        run.stage("looking for the mode", 0)?;
        let full = kernel.full(unique);
        let local = |log: &[f64; N]| -> Result<Local<N>> {
            run.check()?;
            let mut local = kernel.local(&full, *log, run)?;
            priors.add_local(*log, &mut local);
            Ok(local)
        };
        let bounds = priors.bounds();
        let stop = Stop { max_iterations: 300, gradient: 1e-9 * customers.max(1.0) };
        let found = maximise(kernel.start(rate, mean_age).map(ln), &bounds, stop, local)?;
        if !found.local.value.is_finite() {
            return Err(Error::NotConverged {
                model: K::NAME,
                iterations: found.iterations,
                gradient_norm: found.gradient_norm / customers,
                hint: "no density can be computed at the start of the search: look at the units of time"
                    .to_owned(),
            });
        }
        let ordinary = found.converged.then(|| covariance(&found.local.hessian, found.bound)).flatten();
        if method == Method::Laplace && (ordinary.is_none() || found.bound.contains(&true)) {
            return Err(Error::NotConverged {
                model: K::NAME,
                iterations: found.iterations,
                gradient_norm: found.gradient_norm / customers,
                hint: "the posterior has no ordinary mode to approximate it at: take the prior `weak`"
                    .to_owned(),
            });
        }
        // Where the density is flat or not yet curved, coordinates of a prior's width do.
        let factor = ordinary
            .filter(|_| !found.bound.contains(&true))
            .and_then(|c| cholesky(&c))
            .unwrap_or_else(|| rounded(&found.local.hessian));
        let mode = found.at;
        let place = |z: &[f64]| -> [f64; N] {
            std::array::from_fn(|i| {
                mode[i] + (0..=i).map(|j| factor[i][j] * z.get(j).copied().unwrap_or_default()).sum::<f64>()
            })
        };
        let mut out = Posterior {
            kind: kind.to_owned(),
            k: options.k,
            method,
            period: options.period,
            parameters: K::NAMES.map(str::to_owned).to_vec(),
            estimate: mode.map(exp).to_vec(),
            customers,
            chains: Vec::new(),
            draws: Vec::new(),
            log_density: Vec::new(),
            divergent: Vec::new(),
            failed: 0,
            at_edge: 0,
        };
        let ready = kernel.ready(unique);
        let density = |log: [f64; N]| -> (f64, [f64; N]) {
            let (mut value, mut gradient) = kernel.slope(&ready, log);
            priors.add(log, &mut value, &mut gradient);
            (value, gradient)
        };
        if method == Method::Laplace {
            let total = options.chains * options.draws;
            run.stage("drawing", total as u64)?;
            let mut rng = run.rng(LAPLACE);
            for draw in 0..total {
                let z: [f64; N] =
                    std::array::from_fn(|_| normal_quantile(unit_open(rand::Rng::next_u64(&mut rng))));
                let log = place(&z);
                out.draws.extend(log.map(exp));
                // Of the approximation itself.
                out.log_density.push(found.local.value - 0.5 * sum(z.iter().map(|z| z * z)));
                if draw % 4096 == 4095 {
                    run.advance(4096)?;
                }
            }
            out.chains = vec![Chain { draws: options.draws, ..Chain::default() }; options.chains];
        } else {
            run.stage("sampling", (options.chains * (options.tune + options.draws)) as u64)?;
            let plan = Plan {
                draws: options.draws,
                tune: options.tune,
                target_accept: options.target_accept,
                max_depth: options.max_depth,
            };
            let walks = run.map_items(options.chains, |chain| {
                let whitened = |z: &[f64], gradient: &mut [f64]| -> f64 {
                    let (value, natural) = density(place(z));
                    for (j, g) in gradient.iter_mut().enumerate() {
                        *g = (j..N).map(|i| factor[i][j] * natural[i]).sum();
                    }
                    value
                };
                walk(K::NAME, N, whitened, plan, chain as u64, run)
            })?;
            for walk in walks {
                out.chains.push(Chain {
                    draws: options.draws,
                    divergences: walk.divergent.iter().filter(|d| **d).count() as u64,
                    step_size: Some(walk.step_size),
                    acceptance: Some(walk.acceptance),
                    gradients: walk.gradients,
                });
                out.draws.extend(walk.draws.chunks_exact(N).flat_map(|z| place(z).map(exp)));
                out.log_density.extend(walk.log_density);
                let before = out.log_density.len() - walk.divergent.len();
                let at = walk.divergent.iter().enumerate().filter(|(_, d)| **d);
                out.divergent.extend(at.map(|(i, _)| (before + i) as u64));
            }
        }
        Ok(out)
    }
}

/// A factor of the covariance of a curvature that is made positive by what it lacks.
pub(super) fn rounded<const N: usize>(hessian: &[[f64; N]; N]) -> [[f64; N]; N] {
    let mut ridge = 0.25;
    for _ in 0..60 {
        let mut bent = *hessian;
        for i in 0..N {
            bent[i][i] -= ridge;
        }
        if let Some(factor) = covariance(&bent, [false; N]).and_then(|c| cholesky(&c)) {
            return factor;
        }
        ridge *= 4.0;
    }
    std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))))
}
