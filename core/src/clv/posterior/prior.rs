//! What is believed of the parameters before the data.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::math::ln;
use crate::math::newton::Local;
use crate::{Error, Result};

/// ln of how far from its centre a flat prior reaches: a millionfold, as fits do.
const EDGE: f64 = 13.815_510_557_964_274;

/// A standardised coefficient under a flat prior: a factor of e³⁰ for one standard deviation, as fits do.
const STEEPEST: f64 = 30.0;

/// The prior of all parameters for which none is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// Log-normal with median 1 (times: mean T; v of `GammaGamma`: mean spend) and a standard deviation of 2 on
    /// the log scale: 95 % lie within a factor of 50.
    #[default]
    Weak,
    /// Flat on the logarithm within a factor of a million from 1 (times: from mean T; v: from mean spend),
    /// beyond which it falls as a normal with a standard deviation of 1.
    Flat,
}

/// A log-normal prior of one parameter, or of the factor that one more of a covariate makes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNormal {
    /// The median; of a time, as a multiple of mean T (of a rate per time, times mean T), of v of `GammaGamma`
    /// as one of mean spend; of a coefficient, of e^coefficient.
    pub median: f64,
    /// Standard deviation of the logarithm, 1e-4 to 20 (of a coefficient: times the covariate's own).
    pub sd: f64,
}

/// Priors on log parameters and on standardised coefficients.
#[derive(Clone, Debug)]
pub(crate) struct Priors {
    /// Where each is centred, its standard deviation, and how far it is flat.
    each: Vec<(f64, f64, f64)>,
    parameters: usize,
}

impl Priors {
    /// Of parameters with the centres of their logarithms, and of coefficients with the standard
    /// deviations of their covariates.
    pub(crate) fn new(
        prior: Prior,
        named: &BTreeMap<String, LogNormal>,
        parameters: &[(&str, f64)],
        coefficients: &[(&str, f64)],
        coefficient_sd: Option<f64>,
    ) -> Result<Self> {
        let names = || parameters.iter().chain(coefficients).map(|p| p.0);
        if let Some(name) = named.keys().find(|name| !names().any(|n| n == name.as_str())) {
            let all = names().collect::<Vec<_>>().join(", ");
            return Err(Error::option("priors", format!("there is no parameter `{name}`: they are {all}")));
        }
        let of_parameter = |(name, centre): &(&str, f64)| match (named.get(*name), prior) {
            (Some(own), _) => {
                if !((1e-6..=1e6).contains(&own.median) && (1e-4..=20.0).contains(&own.sd)) {
                    let reason = format!("of `{name}`: the median must lie in 1e-6 … 1e6, sd in 1e-4 … 20");
                    return Err(Error::option("priors", reason));
                }
                Ok((centre + ln(own.median), own.sd, 0.0))
            }
            (None, Prior::Weak) => Ok((*centre, 2.0, 0.0)),
            (None, Prior::Flat) => Ok((*centre, 1.0, EDGE)),
        };
        let of_coefficient = |(name, scale): &(&str, f64)| match (named.get(*name), coefficient_sd, prior) {
            (Some(own), ..) => {
                let (centre, sd) = (ln(own.median) * scale, own.sd * scale);
                if !(centre.abs() <= STEEPEST && (1e-4..=20.0).contains(&sd)) {
                    let reason = format!(
                        "of `{name}`: for one standard deviation of the covariate, {scale}, ln(median) must lie \
                         in -30 … 30 and sd in 1e-4 … 20"
                    );
                    return Err(Error::option("priors", reason));
                }
                Ok((centre, sd, 0.0))
            }
            (None, Some(sd), _) => Ok((0.0, sd, 0.0)),
            (None, None, Prior::Weak) => Ok((0.0, 1.0, 0.0)),
            (None, None, Prior::Flat) => Ok((0.0, 1.0, STEEPEST)),
        };
        let mut each = parameters.iter().map(of_parameter).collect::<Result<Vec<_>>>()?;
        each.extend(coefficients.iter().map(of_coefficient).collect::<Result<Vec<_>>>()?);
        Ok(Self { each, parameters: parameters.len() })
    }

    /// How far beyond its flat part a parameter lies, and its sign.
    fn beyond(&self, i: usize, at: f64) -> f64 {
        let (centre, _, flat) = self.each[i];
        let distance = at - centre;
        (distance.abs() - flat).max(0.0).copysign(distance)
    }

    /// Adds the log-density, up to a constant.
    pub(crate) fn add(&self, at: &[f64], value: &mut f64, gradient: &mut [f64]) {
        for (i, gradient) in gradient.iter_mut().enumerate() {
            let (_, sd, _) = self.each[i];
            let z = self.beyond(i, at[i]) / sd;
            *value -= 0.5 * z * z;
            *gradient -= z / sd;
        }
    }

    /// Whether a normal of these standard deviations about a mode reaches beyond the flat part of a parameter's prior:
    /// there is the prior's edge, and no end that the data know.
    pub(crate) fn runs_off(&self, at: &[f64], sd: impl Fn(usize) -> f64) -> bool {
        let parameters = self.each.iter().take(self.parameters).zip(at).enumerate();
        let reach = |(i, ((centre, _, flat), at)): (usize, (&(f64, f64, f64), &f64))| {
            *flat > 0.0 && (at - centre).abs() + 2.0 * sd(i) > *flat
        };
        parameters.into_iter().any(reach)
    }

    /// The curvature of the log-density along one of them, its sign changed.
    pub(crate) fn curvature(&self, i: usize, at: f64) -> f64 {
        let (_, sd, flat) = self.each[i];
        if flat == 0.0 || self.beyond(i, at) != 0.0 { 1.0 / (sd * sd) } else { 0.0 }
    }

    pub(crate) fn add_local<const N: usize>(&self, log: [f64; N], local: &mut Local<N>) {
        self.add(&log, &mut local.value, &mut local.gradient);
        for (i, row) in local.hessian.iter_mut().enumerate() {
            row[i] -= self.curvature(i, log[i]);
        }
    }

    /// [`Priors::bounds`] of a known number of parameters.
    pub(crate) fn bounds_of<const N: usize>(&self) -> [(f64, f64); N] {
        let bounds = self.bounds();
        std::array::from_fn(|i| bounds[i])
    }

    /// Where the greatest density is looked for.
    pub(crate) fn bounds(&self) -> Vec<(f64, f64)> {
        let bound = |(i, (centre, sd, flat)): (usize, &(f64, f64, f64))| {
            let least = if i < self.parameters { EDGE } else { STEEPEST };
            let reach = (flat + 10.0 * sd).max(least);
            (centre - reach, centre + reach)
        };
        self.each.iter().enumerate().map(bound).collect()
    }
}
