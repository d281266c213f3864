//! Posteriors and refits of a law together with what covariates do.

use super::bootstrap::{Counts, Refits, STREAM};
use super::draw::{Peak, fill};
use super::kernel::{Evidence, Kernel, Lawful};
use super::prior::Priors;
use super::sample::{centred, mode, no_mode};
use super::{BootstrapOptions, Method, Posterior, PosteriorOptions};
use crate::clv::covariates::{Covariates, Effect, Effects, Joint};
use crate::clv::design::{Given, Terms};
use crate::clv::door::VisitLaw;
use crate::clv::finish::Shrinkage;
use crate::clv::laws::Law;
use crate::clv::rows::{RfmSlices, Unique};
use crate::math::ascent::{Local, cholesky, maximise, solve};
use crate::math::newton::Stop;
use crate::math::{exp, ln, sum};
use crate::{Result, Run};

/// What the log-density may still gain where a search ends within its rounding.
const NOTHING: f64 = 1e-10;

/// The rows of a fit, their covariates, and what these may explain.
pub(super) type Explained<'a> = (&'a RfmSlices<'a>, &'a [Given<'a>], &'a Covariates);

pub(super) struct JointBayes<'a> {
    pub out: Posterior,
    pub unique: &'a Unique,
    pub given: Explained<'a>,
    pub options: &'a PosteriorOptions,
    pub run: &'a Run,
}

/// A likelihood of a law's log parameters and of coefficients of standardised covariates.
pub(in crate::clv) trait Joined<const N: usize>: Sync {
    /// How the covariates are read, with their means and scales.
    fn terms(&self) -> &Terms;
    /// The coefficients, all 0.
    fn effects(&self) -> &[Effect];
    /// How many customers each row stands for.
    fn weight(&self) -> &[f64];
    /// Whether there is anything to learn from rows of these weights.
    fn tells(&self, weight: &[f64]) -> bool;
    /// Value, gradient and curvature by rows of these weights.
    fn weighted<'a>(&'a self, weight: &'a [f64]) -> impl Fn(&[f64], &Run) -> Result<Local> + 'a;
    /// Value and gradient, on one thread.
    fn slope(&self, at: &[f64], gradient: &mut [f64]) -> f64;
}

impl<L: Law<N>, const N: usize> Joined<N> for Joint<L, N> {
    fn terms(&self) -> &Terms {
        &self.terms
    }
    fn effects(&self) -> &[Effect] {
        &self.effects
    }
    fn weight(&self) -> &[f64] {
        Self::weight(self)
    }
    fn tells(&self, weight: &[f64]) -> bool {
        self.has_purchases(weight)
    }
    fn weighted<'a>(&'a self, weight: &'a [f64]) -> impl Fn(&[f64], &Run) -> Result<Local> + 'a {
        move |at, run| self.evaluate(weight, at, run)
    }
    fn slope(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        Self::slope(self, at, gradient)
    }
}

impl VisitLaw for JointBayes<'_> {
    type Out = Posterior;

    fn law<L: Law<N>, const N: usize>(self, law: L) -> Result<Posterior> {
        let Self { out, unique, given: (slices, given, covariates), options, run } = self;
        unique.pooled(L::NAME)?;
        let joint = Joint::of(law, slices, given, covariates)?;
        bayes((Lawful(law), unique), L::NAME, &joint, out, options, run)
    }
}

/// Draws about the greatest density, which is looked for from that of the law without covariates.
pub(in crate::clv) fn bayes<K: Kernel<N>, const N: usize>(
    (kernel, rows): (K, &K::Data),
    name: &'static str,
    joint: &impl Joined<N>,
    mut out: Posterior,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<Posterior> {
    let (customers, unit, _) = rows.pooled(name)?;
    let effects = Effects::drawn(joint.terms().clone(), joint.effects().to_vec());
    let names = effects.names();
    let scales = effects.scales();
    let parameters = centred(K::NAMES, K::UNIT, unit);
    let coefficients: Vec<(&str, f64)> =
        names.iter().map(String::as_str).zip(scales.iter().copied()).collect();
    let &PosteriorOptions { prior, coefficient_sd, .. } = options;
    let priors = Priors::new(prior, &options.priors, &parameters, &coefficients, coefficient_sd)?;
    let mut start = mode(kernel, rows, &priors, run)?.at.to_vec();
    start.resize(N + scales.len(), 0.0);
    let stop = Stop { max_iterations: 300, gradient: 1e-9 * customers.max(1.0) };
    let whole = joint.weighted(joint.weight());
    let found = maximise(&start, &within(priors.bounds(), K::LIMITS), stop, |at| {
        let mut local = whole(at, run)?;
        priors.add(at, &mut local.value, &mut local.gradient);
        for i in 0..at.len() {
            local.hessian[i * at.len() + i] -= priors.curvature(i, at[i]);
        }
        Ok(local)
    })?;
    let ordinary = factor(&found.local, 0.0)
        .filter(|f| !found.bound.contains(&true) && (found.converged || gain(&found.local, f) < NOTHING));
    let sd = |factor: &[Vec<f64>], i: usize| sum(factor[i].iter().map(|f| f * f)).sqrt();
    let runs_off = ordinary.as_ref().is_none_or(|f| priors.runs_off(&found.at, |i| sd(f, i)));
    if out.method == Method::Laplace && runs_off {
        return Err(no_mode(name, found.iterations, found.gradient_norm / customers));
    }
    let factor = ordinary.unwrap_or_else(|| rounded(&found.local));
    let units = units(&scales);
    out.parameters = K::NAMES.map(str::to_owned).to_vec();
    out.parameters.extend(names);
    out.estimate = natural(&found.at, &units);
    out.effects = Some(effects.with_values(&out.estimate[N..]));
    out.customers = customers;
    let peak = Peak { at: found.at, value: found.local.value, factor, limits: K::LIMITS.to_vec() };
    let density = |at: &[f64], gradient: &mut [f64]| -> f64 {
        if peak.beyond(at) {
            return f64::NAN;
        }
        let mut value = joint.slope(at, gradient);
        priors.add(at, &mut value, gradient);
        value
    };
    fill(&mut out, name, (&peak, &units), density, options, run)?;
    Ok(out)
}

/// Bounds of a search, the first of them between the limits of a law.
pub(super) fn within<const N: usize>(
    mut bounds: Vec<(f64, f64)>,
    limits: [(f64, f64); N],
) -> Vec<(f64, f64)> {
    for (bound, limit) in bounds.iter_mut().zip(limits) {
        *bound = (bound.0.max(limit.0), bound.1.min(limit.1));
    }
    bounds
}

/// What standardised coefficients are multiplied by in the units of the data.
pub(super) fn units(scales: &[f64]) -> Vec<f64> {
    scales.iter().map(|scale| 1.0 / scale).collect()
}

/// The parameters and coefficients of the data's units, of log parameters and standardised coefficients.
fn natural(at: &[f64], units: &[f64]) -> Vec<f64> {
    let (law, coefficients) = at.split_at(at.len() - units.len());
    let values = law.iter().map(|log| exp(*log));
    values.chain(coefficients.iter().zip(units).map(|(value, unit)| value * unit)).collect()
}

/// The factor of the covariance of a curvature that is bent by so much more.
pub(super) fn factor(local: &Local, ridge: f64) -> Option<Vec<Vec<f64>>> {
    let n = local.gradient.len();
    let mut bent: Vec<f64> = local.hessian.iter().map(|h| -h).collect();
    for i in 0..n {
        bent[i * n + i] += ridge;
    }
    if !cholesky(&mut bent, n) {
        return None;
    }
    let mut covariance = vec![0.0; n * n];
    for (i, row) in covariance.chunks_exact_mut(n).enumerate() {
        row[i] = 1.0;
        solve(&bent, n, row);
    }
    if !cholesky(&mut covariance, n) {
        return None;
    }
    let sound = covariance.iter().all(|c| c.is_finite());
    sound.then(|| (0..n).map(|i| covariance[i * n..=i * n + i].to_vec()).collect())
}

/// The same where no curvature tells, by as much of a ridge as it takes.
pub(super) fn rounded(local: &Local) -> Vec<Vec<f64>> {
    let mut ridge = 0.25;
    for _ in 0..60 {
        if let Some(factor) = factor(local, ridge) {
            return factor;
        }
        ridge *= 4.0;
    }
    let unit = |i: usize| (0..=i).map(|j| f64::from(u8::from(i == j))).collect();
    (0..local.gradient.len()).map(unit).collect()
}

/// What Newton's next step would gain: ½ gᵀ F Fᵀ g.
fn gain(local: &Local, factor: &[Vec<f64>]) -> f64 {
    let along = |j: usize| (j..factor.len()).map(|i| factor[i][j] * local.gradient[i]).sum::<f64>();
    0.5 * (0..factor.len()).map(|j| along(j) * along(j)).sum::<f64>()
}

pub(super) struct JointRefit<'a> {
    pub estimate: (&'a [f64], &'a Effects),
    pub given: Explained<'a>,
    pub options: &'a BootstrapOptions,
    pub run: &'a Run,
}

impl VisitLaw for JointRefit<'_> {
    type Out = Refits;

    fn law<L: Law<N>, const N: usize>(self, law: L) -> Result<Refits> {
        let Self { estimate, given: (slices, given, covariates), options, run } = self;
        let joint = Joint::of(law, slices, given, covariates)?;
        let shrinkage = joint.shrinkage(options.penalty, covariates);
        refits::<Lawful<L>, N>(&joint, estimate, &shrinkage, options, run)
    }
}

/// Refits from an estimate on rows drawn again.
pub(in crate::clv) fn refits<K: Kernel<N>, const N: usize>(
    joint: &impl Joined<N>,
    (values, effects): (&[f64], &Effects),
    shrinkage: &Shrinkage<N>,
    options: &BootstrapOptions,
    run: &Run,
) -> Result<Refits> {
    let &BootstrapOptions { max_iterations, tolerance, .. } = options;
    let units = units(&effects.scales());
    let bounds = within(shrinkage.bounds(), K::LIMITS);
    let coefficients = effects.coefficients().iter().map(|c: &Effect| c.value);
    let start: Vec<f64> = values
        .iter()
        .map(|v| ln(*v))
        .chain(coefficients.zip(&units).map(|(value, unit)| value / unit))
        .collect();
    let draw = Counts::new(joint.weight());
    let single = Run::new().threads(1);
    run.stage("refitting", options.replicates as u64)?;
    run.map_items(options.replicates, |replicate| {
        run.advance(1)?;
        let weight = draw.weights(STREAM + replicate as u64, run);
        if !joint.tells(&weight) {
            return Ok(None);
        }
        let whole = joint.weighted(&weight);
        let customers = sum(weight.iter().copied());
        let stop = Stop { max_iterations, gradient: tolerance * customers };
        let found = maximise(&start, &bounds, stop, |at| {
            run.check()?;
            let mut local = whole(at, &single)?;
            shrinkage.penalise(customers, at, &mut local);
            Ok(local)
        })?;
        let edge = found.bound.contains(&true);
        Ok(found.converged.then(|| (natural(&found.at, &units), found.local.value, edge)))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;
    use crate::clv::door::with_law;

    struct Compare<'a>(Explained<'a>);

    impl VisitLaw for Compare<'_> {
        type Out = ();
        fn law<L: Law<N>, const N: usize>(self, law: L) -> Result<()> {
            let joint = Joint::of(law, self.0.0, self.0.1, self.0.2)?;
            let mut at: Vec<f64> = law.start(0.1, 8.0).iter().map(|v| ln(*v)).collect();
            at.extend([0.4, -0.3]);
            let mut gradient = vec![0.0; at.len()];
            let value = joint.slope(&at, &mut gradient);
            let local = joint.evaluate(joint.weight(), &at, &Run::new())?;
            assert!((value - local.value).abs() < 1e-12 * value.abs(), "{}: {value}", L::NAME);
            for i in 0..at.len() {
                let (got, want) = (gradient[i], local.gradient[i]);
                assert!(
                    (got - want).abs() < 1e-10 * want.abs().max(1.0),
                    "{} {i}: {got} for {want}",
                    L::NAME
                );
                let moved = |by: f64| {
                    let mut at = at.clone();
                    at[i] += by;
                    joint.slope(&at, &mut vec![0.0; at.len()])
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!(
                    (got - difference).abs() < 1e-6 * (1.0 + got.abs()),
                    "{} {i}: {got}, {difference}",
                    L::NAME
                );
            }
            Ok(())
        }
    }

    #[test]
    fn slopes_are_the_gradients_of_all_laws() -> Result<()> {
        let rows = RfmSlices {
            frequency: &[0.0, 1.0, 2.0, 5.0, 5.0],
            recency: &[0.0, 3.0, 4.0, 8.0, 9.0],
            age: &[7.0, 9.0, 9.0, 8.0, 10.0],
            weight: Some(&[50.0, 8.0, 4.0, 1.0, 2.0]),
            log_intervals: Some(&[0.0, 1.098_612_288_668_11, 1.3, 2.2, 2.9]),
            ..RfmSlices::default()
        };
        let given = [
            Given::Number(vec![1.0, 2.5, 0.0, 4.0, 1.0].into()),
            Given::Number(vec![0.0, 1.0, 1.0, 0.0, 2.0].into()),
        ];
        let covariates = Covariates::new(["a"], ["b"]);
        for (kind, k) in [
            ("clv.BetaGeo", 1),
            ("clv.ModifiedBetaGeo", 1),
            ("clv.BetaGeoCNBD", 3),
            ("clv.ModifiedBetaGeoCNBD", 2),
            ("clv.ParetoNBD", 1),
            ("clv.GGompertzNBD", 1),
            ("clv.BetaGeoBetaBinomial", 1),
            ("clv.ParetoGGG", 1),
            ("clv.AbeParetoNBD", 1),
        ] {
            with_law(kind, k, Compare((&rows, &given, &covariates)))?;
        }
        Ok(())
    }
}
