//! What is believed of the parameters before the data.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::math::ln;
use crate::math::newton::Local;
use crate::{Error, Result};

/// ln of how far from its centre a flat prior reaches: a millionfold, as fits do.
const EDGE: f64 = 13.815_510_557_964_274;

/// The prior of all parameters for which none is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// Log-normal with median 1 (times: mean T) and a standard deviation of 2 on
    /// the log scale: 95 % lie within a factor of 50.
    #[default]
    Weak,
    /// Flat on the logarithm within a factor of a million from 1 (times: from mean T),
    /// beyond which it falls as a normal with a standard deviation of 1.
    Flat,
}

/// A log-normal prior of one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNormal {
    /// The median; of a time, as a multiple of mean T (of a rate per time, times mean T).
    pub median: f64,
    /// Standard deviation of the logarithm, 1e-4 to 20.
    pub sd: f64,
}

/// Priors on log parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Priors<const N: usize> {
    /// Where each is centred, its standard deviation, and how far it is flat.
    each: [(f64, f64, f64); N],
}

impl<const N: usize> Priors<N> {
    pub(crate) fn new(
        prior: Prior,
        named: &BTreeMap<String, LogNormal>,
        names: [&str; N],
        centre: [f64; N],
    ) -> Result<Self> {
        for (name, own) in named {
            if !names.contains(&name.as_str()) {
                return Err(Error::option(
                    "priors",
                    format!("there is no parameter `{name}`: they are {}", names.join(", ")),
                ));
            }
            let sound = (1e-6..=1e6).contains(&own.median) && (1e-4..=20.0).contains(&own.sd);
            if !sound {
                return Err(Error::option(
                    "priors",
                    format!("of `{name}`: the median must lie in 1e-6 … 1e6, sd in 1e-4 … 20"),
                ));
            }
        }
        let each = std::array::from_fn(|i| match (named.get(names[i]), prior) {
            (Some(own), _) => (centre[i] + ln(own.median), own.sd, 0.0),
            (None, Prior::Weak) => (centre[i], 2.0, 0.0),
            (None, Prior::Flat) => (centre[i], 1.0, EDGE),
        });
        Ok(Self { each })
    }

    /// How far beyond its flat part a parameter lies, and its sign.
    fn beyond(&self, i: usize, log: f64) -> f64 {
        let (centre, _, flat) = self.each[i];
        let distance = log - centre;
        (distance.abs() - flat).max(0.0).copysign(distance)
    }

    /// Adds the log-density, up to a constant.
    pub(crate) fn add(&self, log: [f64; N], value: &mut f64, gradient: &mut [f64; N]) {
        for i in 0..N {
            let (_, sd, _) = self.each[i];
            let z = self.beyond(i, log[i]) / sd;
            *value -= 0.5 * z * z;
            gradient[i] -= z / sd;
        }
    }

    pub(crate) fn add_local(&self, log: [f64; N], local: &mut Local<N>) {
        self.add(log, &mut local.value, &mut local.gradient);
        for i in 0..N {
            let (_, sd, flat) = self.each[i];
            if flat == 0.0 || self.beyond(i, log[i]) != 0.0 {
                local.hessian[i][i] -= 1.0 / (sd * sd);
            }
        }
    }

    /// Where the greatest density is looked for.
    pub(crate) fn bounds(&self) -> [(f64, f64); N] {
        self.each.map(|(centre, sd, flat)| {
            let reach = (flat + 10.0 * sd).max(EDGE);
            (centre - reach, centre + reach)
        })
    }
}
