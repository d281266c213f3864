//! Draws as frames, and the one door of both bindings.

use serde::{Deserialize, Serialize};

use super::diagnostics::summarize;
use super::{Method, Posterior, bootstrap, laplace, sample_posterior};
use crate::column::{Columns, Dropped, Table, Tables, Text, Values};
use crate::math::{quantile, sorted};
use crate::options::{none, parse};
use crate::{Error, Result, Run};

/// Options of the report `posterior`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SummaryOptions {
    /// Level of the interval from `low` to `high`; 0.9 by default: the 5 % and 95 % quantiles.
    pub level: f64,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { level: 0.9 }
    }
}

pub(super) fn level(level: f64) -> Result<f64> {
    if level > 0.0 && level < 1.0 {
        Ok(level)
    } else {
        Err(Error::option("level", format!("{level} is not a level between 0 and 1, such as 0.9")))
    }
}

impl Posterior {
    /// Draws by `method` (`nuts`, `laplace` or `bootstrap`) of a model of this kind, with
    /// [`PosteriorOptions`](super::PosteriorOptions) or
    /// [`BootstrapOptions`](super::BootstrapOptions) as JSON: what the bindings call.
    pub fn fit(
        method: &str,
        kind: &str,
        frame: &Columns,
        options: &str,
        run: &Run,
    ) -> Result<(Self, Dropped)> {
        match method {
            "nuts" => sample_posterior(kind, frame, &parse(options)?, run),
            "laplace" => laplace(kind, frame, &parse(options)?, run),
            "bootstrap" => bootstrap(kind, frame, &parse(options)?, run),
            _ => Err(Error::option("method", format!("`{method}` is not nuts, laplace or bootstrap"))),
        }
    }

    /// A report by its name, with its options as JSON: what the bindings call.
    ///
    /// | name | frame | tables |
    /// | --- | --- | --- |
    /// | `posterior` | none | `posterior`: parameter, estimate, mean, sd, low, median, high, r_hat, ess_bulk, ess_tail, mcse ([`SummaryOptions`]) |
    /// | `draws` | none | `draws`: chain, draw, the parameters, log_posterior, divergent |
    /// | `fit` | none | `fit`, a row for each chain: chain, method, draws, divergences, step_size, acceptance, gradients, failed, at_edge |
    /// | `predict` | of customers | `predict` ([`Posterior::predict`]) and `dropped` |
    /// | `survival`, `value` | none | of the same name ([`Posterior::survival`], [`Posterior::value`]) |
    /// | `check` | of customers | `check` ([`Posterior::check`]) and `dropped` |
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        let frame =
            || frame.ok_or_else(|| Error::option("frame", format!("`{name}` needs a frame of customers")));
        match name {
            "posterior" => Ok(vec![("posterior", self.table(&parse(options)?)?)]),
            "draws" => {
                none(options)?;
                Ok(vec![("draws", self.draws_table())])
            }
            "fit" => {
                none(options)?;
                Ok(vec![("fit", self.fit_table())])
            }
            "predict" => {
                let found = self.predict(frame()?, &parse(options)?, run)?;
                Ok(vec![("predict", found.table()), ("dropped", found.dropped().table())])
            }
            "survival" => Ok(vec![("survival", self.survival(&parse(options)?, run)?)]),
            "value" => Ok(vec![("value", self.value(&parse(options)?, run)?)]),
            "check" => {
                let found = self.check(frame()?, &parse(options)?, run)?;
                Ok(vec![("check", found.table()), ("dropped", found.dropped().table())])
            }
            _ => Err(Error::option("report", format!("there is no report `{name}` of posteriors"))),
        }
    }

    /// A frame of the parameters.
    ///
    /// `estimate` is [`Posterior::estimate`]; r_hat (Vehtari et al. 2021: below 1.01),
    /// ess_bulk, ess_tail and mcse (of the mean) tell whether the chains agree and
    /// what their draws are worth. They are missing where draws are independent
    /// by construction: of Laplace's approximation and of the bootstrap.
    pub fn table(&self, options: &SummaryOptions) -> Result<Table> {
        let tail = 0.5 - 0.5 * level(options.level)?;
        let chained = self.method == Method::Nuts;
        let columns: Vec<Vec<f64>> = (0..self.parameters.len()).map(|i| self.column(i)).collect();
        let found: Vec<_> = columns.iter().map(|c| summarize(c, self.chains.len())).collect();
        let ordered: Vec<Vec<f64>> = columns.iter().map(|c| sorted(c)).collect();
        let at = |p: f64| Values::F64(ordered.iter().map(|c| quantile(c, p)).collect());
        let only = |v: Option<f64>| v.filter(|v| chained && v.is_finite());
        Ok(Table::new()
            .with("parameter", Values::Text(self.parameters.iter().collect::<Text>()))
            .with("estimate", Values::F64(self.estimate.clone()))
            .with("mean", Values::F64(found.iter().map(|s| s.mean).collect()))
            .with("sd", Values::F64(found.iter().map(|s| s.sd).collect()))
            .with("low", at(tail))
            .with("median", at(0.5))
            .with("high", at(1.0 - tail))
            .with_optional("r_hat", found.iter().map(|s| only(s.r_hat)))
            .with_optional("ess_bulk", found.iter().map(|s| only(s.ess_bulk)))
            .with_optional("ess_tail", found.iter().map(|s| only(s.ess_tail)))
            .with_optional("mcse", found.iter().map(|s| only(s.mcse))))
    }

    /// A frame of the draws: chain and draw from 0, the parameters, `log_posterior` (the
    /// log-density of the logarithms of the parameters and of the coefficients of standardised
    /// covariates, up to a constant; of a bootstrap, the log-likelihood), `divergent`.
    pub fn draws_table(&self) -> Table {
        let mut chain = Vec::with_capacity(self.len());
        let mut draw = Vec::with_capacity(self.len());
        for (at, c) in self.chains.iter().enumerate() {
            chain.extend(std::iter::repeat_n(at as i64, c.draws));
            draw.extend(0..c.draws as i64);
        }
        let mut table = Table::new().with("chain", Values::I64(chain)).with("draw", Values::I64(draw));
        for (i, name) in self.parameters.iter().enumerate() {
            table = table.with(name, Values::F64(self.column(i)));
        }
        let mut divergent = vec![false; self.len()];
        for at in &self.divergent {
            if let Some(flag) = divergent.get_mut(*at as usize) {
                *flag = true;
            }
        }
        table
            .with("log_posterior", Values::F64(self.log_density.clone()))
            .with("divergent", Values::Bool(divergent))
    }

    /// A frame of how it went, a row for each chain; `failed` and `at_edge` are of all
    /// refits of a bootstrap.
    pub fn fit_table(&self) -> Table {
        let n = self.chains.len();
        let whole = |f: &dyn Fn(&super::Chain) -> i64| Values::I64(self.chains.iter().map(f).collect());
        Table::new()
            .with("chain", Values::I64((0..n as i64).collect()))
            .with("method", Values::Text(std::iter::repeat_n(self.method.name(), n).collect::<Text>()))
            .with("draws", whole(&|c| c.draws as i64))
            .with("divergences", whole(&|c| c.divergences as i64))
            .with_optional("step_size", self.chains.iter().map(|c| c.step_size))
            .with_optional("acceptance", self.chains.iter().map(|c| c.acceptance))
            .with("gradients", whole(&|c| c.gradients as i64))
            .with("failed", Values::I64(vec![self.failed as i64; n]))
            .with("at_edge", Values::I64(vec![self.at_edge as i64; n]))
    }
}
