//! What groups tell of their own parameters, and of coefficients that they have in common.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use super::joint::{factor, rounded, within};
use super::kernel::Kernel;
use super::prior::Priors;
use crate::clv::covariates::{Effects, Joint};
use crate::clv::laws::Law;
use crate::math::ascent;
use crate::math::newton::{Local, Optimum, Stop};
use crate::{Result, Run};

/// Where all groups together have the greatest density.
pub(super) struct Middle<const N: usize> {
    pub at: [f64; N],
    /// Standardised.
    pub coefficients: Vec<f64>,
    /// On the log parameters.
    pub hessian: [[f64; N]; N],
}

/// A group, its log parameters, and standardised coefficients.
pub(super) type At<'a, const N: usize> = (usize, [f64; N], &'a [f64]);

/// The likelihood of groups, on log parameters of each and standardised coefficients of all.
pub(super) trait Told<const N: usize>: Sync {
    /// The coefficients, all 0; none without covariates.
    fn effects(&self) -> Option<Effects>;
    /// Looked for from where it is without covariates.
    fn middle(&self, plain: Optimum<N>, priors: &Priors, stop: Stop, run: &Run) -> Result<Middle<N>>;
    /// Value, gradient and Hessian of one group on its own parameters.
    fn own<'a>(
        &'a self,
        group: usize,
        coefficients: &'a [f64],
    ) -> impl Fn([f64; N], &Run) -> Result<Local<N>> + 'a;
    /// How the mode of a group moves with each coefficient, given the covariance of its log parameters about it; what
    /// the group then tells of the coefficients is added to their information, row by row.
    fn leans(
        &self,
        at: At<'_, N>,
        covariance: Option<&[[f64; N]; N]>,
        information: &mut [f64],
        run: &Run,
    ) -> Result<Vec<[f64; N]>>;
    /// Value and gradient of one group, on one thread; that of the coefficients is added.
    fn slope(
        &self,
        group: usize,
        log: [f64; N],
        coefficients: &[f64],
        of_coefficients: &mut [f64],
    ) -> (f64, [f64; N]);
}

/// Groups that have nothing in common but the population.
pub(super) struct Apart<'a, K: Kernel<N>, const N: usize> {
    kernel: K,
    parts: &'a [K::Data],
    ready: Vec<K::Ready<'a>>,
}

impl<'a, K: Kernel<N>, const N: usize> Apart<'a, K, N> {
    pub(super) fn new(kernel: K, parts: &'a [K::Data]) -> Self {
        Self { kernel, parts, ready: parts.iter().map(|part| kernel.ready(part)).collect() }
    }
}

impl<K: Kernel<N>, const N: usize> Told<N> for Apart<'_, K, N> {
    fn effects(&self) -> Option<Effects> {
        None
    }
    fn middle(&self, plain: Optimum<N>, _: &Priors, _: Stop, _: &Run) -> Result<Middle<N>> {
        Ok(Middle { at: plain.at, coefficients: Vec::new(), hessian: plain.local.hessian })
    }
    fn own<'a>(&'a self, group: usize, _: &'a [f64]) -> impl Fn([f64; N], &Run) -> Result<Local<N>> + 'a {
        let full = self.kernel.full(&self.parts[group]);
        move |log, run| self.kernel.local(&full, log, run)
    }
    fn leans(
        &self,
        _: At<'_, N>,
        _: Option<&[[f64; N]; N]>,
        _: &mut [f64],
        _: &Run,
    ) -> Result<Vec<[f64; N]>> {
        Ok(Vec::new())
    }
    fn slope(&self, group: usize, log: [f64; N], _: &[f64], _: &mut [f64]) -> (f64, [f64; N]) {
        self.kernel.slope(&self.ready[group], log)
    }
}

/// Groups of customers whose covariates do the same in all.
pub(super) struct Shared<L, const N: usize> {
    pub all: Joint<L, N>,
    /// By the means and scales of all.
    pub each: Vec<Joint<L, N>>,
}

impl<L: Law<N>, const N: usize> Shared<L, N> {
    fn whole(&self, (group, log, coefficients): At<'_, N>, run: &Run) -> Result<ascent::Local> {
        let joint = &self.each[group];
        joint.evaluate(joint.weight(), &[&log, coefficients].concat(), run)
    }
}

/// The part of a Hessian that is of the law, both triangles.
fn of_law<const N: usize>(local: &ascent::Local) -> [[f64; N]; N] {
    let size = local.gradient.len();
    std::array::from_fn(|i| std::array::from_fn(|j| local.hessian[i.max(j) * size + i.min(j)]))
}

impl<L: Law<N>, const N: usize> Told<N> for Shared<L, N> {
    fn effects(&self) -> Option<Effects> {
        Some(Effects::drawn(self.all.terms.clone(), self.all.effects.clone()))
    }

    fn middle(&self, plain: Optimum<N>, priors: &Priors, stop: Stop, run: &Run) -> Result<Middle<N>> {
        let mut start = plain.at.to_vec();
        start.resize(N + self.all.effects.len(), 0.0);
        let bounds = within(priors.bounds(), [(f64::NEG_INFINITY, f64::INFINITY); N]);
        let found = ascent::maximise(&start, &bounds, stop, |at| {
            run.check()?;
            let mut local = self.all.evaluate(self.all.weight(), at, run)?;
            priors.add(at, &mut local.value, &mut local.gradient);
            for i in 0..at.len() {
                local.hessian[i * at.len() + i] -= priors.curvature(i, at[i]);
            }
            Ok(local)
        })?;
        Ok(Middle {
            at: std::array::from_fn(|i| found.at[i]),
            coefficients: found.at[N..].to_vec(),
            hessian: of_law(&found.local),
        })
    }

    fn own<'a>(
        &'a self,
        group: usize,
        coefficients: &'a [f64],
    ) -> impl Fn([f64; N], &Run) -> Result<Local<N>> + 'a {
        move |log, run| {
            let local = self.whole((group, log, coefficients), run)?;
            Ok(Local {
                value: local.value,
                gradient: std::array::from_fn(|i| local.gradient[i]),
                hessian: of_law(&local),
            })
        }
    }

    fn leans(
        &self,
        at: At<'_, N>,
        covariance: Option<&[[f64; N]; N]>,
        information: &mut [f64],
        run: &Run,
    ) -> Result<Vec<[f64; N]>> {
        let (local, common) = (self.whole(at, run)?, at.2.len());
        let size = N + common;
        let crossed = |c: usize| -> [f64; N] { std::array::from_fn(|i| local.hessian[(N + c) * size + i]) };
        let leans: Vec<[f64; N]> = (0..common)
            .map(|c| {
                let crossed = crossed(c);
                covariance.map_or([0.0; N], |covariance| {
                    covariance.map(|row| row.iter().zip(&crossed).map(|(v, h)| v * h).sum())
                })
            })
            .collect();
        for c in 0..common {
            let crossed = crossed(c);
            for d in 0..=c {
                let there: f64 = crossed.iter().zip(&leans[d]).map(|(h, lean)| h * lean).sum();
                information[c * common + d] -= local.hessian[(N + c) * size + N + d] + there;
            }
        }
        Ok(leans)
    }

    fn slope(
        &self,
        group: usize,
        log: [f64; N],
        coefficients: &[f64],
        of_coefficients: &mut [f64],
    ) -> (f64, [f64; N]) {
        let mut gradient = vec![0.0; N + coefficients.len()];
        let value = self.each[group].slope(&[&log, coefficients].concat(), &mut gradient);
        for (total, slope) in of_coefficients.iter_mut().zip(&gradient[N..]) {
            *total += slope;
        }
        (value, std::array::from_fn(|i| gradient[i]))
    }
}

/// A factor of the covariance of coefficients of this information, of which the lower triangle counts.
pub(super) fn width(information: &[f64], common: usize) -> Vec<Vec<f64>> {
    if common == 0 {
        return Vec::new();
    }
    let local = ascent::Local {
        value: 0.0,
        gradient: vec![0.0; common],
        hessian: information.iter().map(|i| -i).collect(),
    };
    factor(&local, 0.0).unwrap_or_else(|| rounded(&local))
}
