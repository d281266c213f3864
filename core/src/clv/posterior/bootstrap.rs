//! Refits on customers drawn again.

use super::joint::JointRefit;
use super::kernel::{Evidence, Kernel, Visit, full, with_kernel};
use super::sample::{read, unique};
use super::subject::Subject;
use super::{BootstrapOptions, Chain, Method, Posterior, retention, spend};
use crate::clv::covariates::Effects;
use crate::clv::door::with_law;
use crate::clv::estimates::Estimates;
use crate::clv::rows::{RfmSlices, Unique};
use crate::column::{Columns, Dropped};
use crate::math::newton::{Stop, maximise};
use crate::math::{exp, ln, normal_quantile, sum};
use crate::run::{unit, unit_open};
use crate::{Error, Result, Run};

/// A parameter this far from 1 (times: from mean T) is as good as 0 or infinite.
const EDGE: f64 = 1e6;
/// Replicate i draws from stream `STREAM` + i.
pub(super) const STREAM: u64 = 0x626f_6f74_0000_0000;
/// From this weight on the Poisson distribution is a rounded normal.
const LARGE: f64 = 10_000.0;

/// The bootstrap of a model of purchases, of spend or of retention: customers are drawn again, each
/// Poisson(weight) times, and the model is refitted from its estimate.
///
/// Covariates keep the means and scales of the customers as they are, so that all
/// replicates speak of one kind of customer.
/// Replicates that do not converge, or have no repeat purchase, are left out and
/// counted; those with a parameter at the edge of the search (a millionfold) are
/// kept and counted. Errors: those of the fit, and [`Error::NotConverged`] where
/// fewer than two replicates converge.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::posterior::{BootstrapOptions, bootstrap};
/// use headwater::column::Columns;
///
/// let customers = Columns::new()
///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
///     .with("customers", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]);
/// let options = BootstrapOptions { weight: Some("customers".into()), replicates: 100, ..Default::default() };
/// let (found, _) = bootstrap("BetaGeo", &customers, &options, &Run::new())?;
/// assert_eq!(found.len() + found.failed(), 100);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn bootstrap(
    kind: &str,
    frame: &Columns,
    options: &BootstrapOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    options.check()?;
    let kind = full(kind);
    let subject = Subject::of(&kind);
    subject.refuse(&kind, &options.given())?;
    match subject {
        Subject::Purchases => purchases(&kind, frame, options, run),
        Subject::Spend => spend::bootstrap(frame, options, run),
        Subject::Retention(family) => retention::bootstrap(family, frame, options, run),
        Subject::Along => Err(Subject::along()),
    }
}

fn purchases(
    kind: &str,
    frame: &Columns,
    options: &BootstrapOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let asked = options.purchases();
    let rows = read(kind, frame, &asked, run)?;
    let slices = RfmSlices { period: options.period, ..rows.slices() };
    let fit = asked.fit_kind(kind, &slices, &rows.covariates, 0.0, run)?;
    let estimate = fit.estimates();
    let unique = unique(&slices, run)?;
    let refits = if let (Some(covariates), Some(effects)) = (&options.covariates, fit.effects()) {
        let given = (&slices, rows.covariates.as_slice(), covariates);
        let estimate = (estimate.values.as_slice(), effects);
        with_law(kind, options.k, JointRefit { estimate, given, options, run })?
    } else {
        let estimate = estimate.values.as_slice();
        with_kernel(kind, options.k, Refit { unique: &unique, estimate, options, run })?
    };
    let mut out = Posterior::empty(kind, options.k, Method::Bootstrap, options.period).at(estimate);
    if let Some(effects) = fit.effects() {
        out = out.explained(effects);
    }
    let model = fit.kind().trim_start_matches("clv.");
    Ok((out.with_refits(model, &refits, options)?, rows.dropped))
}

impl Posterior {
    /// With what a bootstrap starts from.
    pub(in crate::clv) fn at(mut self, estimate: &Estimates) -> Self {
        (self.parameters, self.estimate) = (estimate.names.clone(), estimate.values.clone());
        self.customers = estimate.customers.unwrap_or_default();
        self
    }

    /// And its coefficients.
    pub(in crate::clv) fn explained(mut self, effects: &Effects) -> Self {
        let values: Vec<f64> = effects.coefficients().iter().map(|c| c.value).collect();
        self.parameters.extend(effects.names());
        self.effects = Some(effects.with_values(&values));
        self.estimate.extend(values);
        self
    }

    pub(in crate::clv) fn with_refits(
        mut self,
        model: &'static str,
        refits: &Refits,
        options: &BootstrapOptions,
    ) -> Result<Self> {
        let kept: Vec<&(Vec<f64>, f64, bool)> = refits.iter().flatten().collect();
        if kept.len() < 2 {
            return Err(Error::NotConverged {
                model,
                iterations: options.max_iterations,
                gradient_norm: 0.0,
                hint: format!(
                    "{} of {} refits converged: raise max_iterations, or add a small penalty such as 0.01",
                    kept.len(),
                    options.replicates
                ),
            });
        }
        self.chains = vec![Chain { draws: kept.len(), ..Chain::default() }];
        self.draws = kept.iter().flat_map(|r| r.0.iter().copied()).collect();
        self.log_density = kept.iter().map(|r| r.1).collect();
        self.failed = (options.replicates - kept.len()) as u64;
        self.at_edge = kept.iter().filter(|r| r.2).count() as u64;
        Ok(self)
    }
}

/// Each replicate that converged: its parameters, its log-likelihood, whether it lies on an edge.
pub(in crate::clv) type Refits = Vec<Option<(Vec<f64>, f64, bool)>>;

struct Refit<'a> {
    unique: &'a Unique,
    estimate: &'a [f64],
    options: &'a BootstrapOptions,
    run: &'a Run,
}

impl Visit for Refit<'_> {
    type Out = Refits;

    fn visit<K: Kernel<N, Data = Unique>, const N: usize>(self, kernel: K) -> Result<Refits> {
        refits(kernel, self.unique, self.estimate, self.options, self.run)
    }
}

/// Refits of a law without covariates, from its estimate.
pub(super) fn refits<K: Kernel<N>, const N: usize>(
    kernel: K,
    rows: &K::Data,
    estimate: &[f64],
    options: &BootstrapOptions,
    run: &Run,
) -> Result<Refits> {
    let (_, unit, _) = rows.pooled(K::NAME)?;
    let centre: [f64; N] = std::array::from_fn(|i| K::UNIT[i] * ln(unit));
    let edge = ln(EDGE);
    let bounds = K::within(centre.map(|c| (c - edge, c + edge)));
    let start: [f64; N] =
        std::array::from_fn(|i| ln(estimate.get(i).copied().unwrap_or(1.0)).clamp(bounds[i].0, bounds[i].1));
    let draw = Counts::new(&rows.weights());
    let penalty = options.penalty;
    let single = Run::new().threads(1);
    run.stage("refitting", options.replicates as u64)?;
    run.map_items(options.replicates, |replicate| {
        run.advance(1)?;
        let again = rows.reweighted(&draw.weights(STREAM + replicate as u64, run));
        let Ok((n, ..)) = again.pooled(K::NAME) else { return Ok(None) };
        let full = kernel.full(&again);
        let stop = Stop { max_iterations: options.max_iterations, gradient: options.tolerance * n };
        let found = maximise(start, &bounds, stop, |log| {
            run.check()?;
            let mut local = kernel.local(&full, *log, &single)?;
            for i in 0..N {
                let distance = log[i] - centre[i];
                local.value -= 0.5 * penalty * n * distance * distance;
                local.gradient[i] -= penalty * n * distance;
                local.hessian[i][i] -= penalty * n;
            }
            Ok(local)
        })?;
        let edge = found.bound.contains(&true);
        Ok(found.converged.then_some((found.at.map(exp).to_vec(), found.local.value, edge)))
    })
}

/// Poisson counts of the rows' weights, by tables of the few distinct weights.
pub(super) struct Counts {
    /// Of each distinct weight: the smallest count in the table, and P(N ≤ n) from it on.
    tables: Vec<(f64, Vec<f64>)>,
    weights: Vec<f64>,
    row: Vec<u32>,
}

impl Counts {
    pub(super) fn new(weight: &[f64]) -> Self {
        let mut weights = weight.to_vec();
        weights.sort_by(f64::total_cmp);
        weights.dedup();
        let row = weight.iter().map(|w| weights.partition_point(|v| v < w) as u32).collect();
        Self { tables: weights.iter().map(|w| table(*w)).collect(), weights, row }
    }

    pub(super) fn weights(&self, stream: u64, run: &Run) -> Vec<f64> {
        let mut rng = run.rng(stream);
        self.row
            .iter()
            .map(|at| {
                let at = *at as usize;
                let bits = rand::Rng::next_u64(&mut rng);
                let (first, reached) = &self.tables[at];
                if reached.is_empty() {
                    let mean = self.weights[at];
                    return (mean + mean.sqrt() * normal_quantile(unit_open(bits))).round().max(0.0);
                }
                let u = unit(bits);
                let n = if reached[0] > u { 0 } else { reached.partition_point(|p| *p <= u) };
                first + n as f64
            })
            .collect()
    }
}

/// P(N ≤ n) of a Poisson distribution where it is neither 0 nor 1.
fn table(mean: f64) -> (f64, Vec<f64>) {
    if mean >= LARGE {
        return (0.0, Vec::new());
    }
    let reach = 9.0 * mean.sqrt() + 20.0;
    let first = (mean - reach).floor().max(0.0);
    let last = (mean + reach).ceil();
    let mut ln_mass = first * ln(mean) - mean - crate::math::ln_gamma(first + 1.0);
    let mut mass = Vec::new();
    let mut n = first;
    while n <= last {
        mass.push(exp(ln_mass));
        n += 1.0;
        ln_mass += ln(mean / n);
    }
    let total = sum(mass.iter().copied());
    let mut reached = 0.0;
    for m in &mut mass {
        reached += *m / total;
        *m = reached;
    }
    (first, mass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_moments_of_poisson() {
        for mean in [0.3, 1.0, 7.5, 300.0, 20_000.0] {
            let counts = Counts::new(&vec![mean; 20_000]).weights(0, &Run::new());
            let n = counts.len() as f64;
            let m = counts.iter().sum::<f64>() / n;
            let v = counts.iter().map(|c| (c - m) * (c - m)).sum::<f64>() / n;
            assert!((m - mean).abs() < 5.0 * (mean / n).sqrt(), "{mean}: {m}");
            assert!((v / mean - 1.0).abs() < 0.08, "{mean}: variance {v}");
        }
    }
}
