//! What covariates were found to do.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Covariates, DropoutOn, Process};
use crate::clv::design::{Covariate, Reader, Terms};
use crate::clv::estimates::{Estimates, Verdict, interval_quantile};
use crate::clv::laws::Law;
use crate::column::{Table, Text, Values};
use crate::math::{erfc, exp};
use crate::{Error, Result};

/// What moves a log parameter further than this makes it 0 or infinite.
const BEYOND: f64 = 1e4;

/// How a unit of a coefficient moves the log parameters of a law; `None` for what it does not have.
pub(in crate::clv) type By<const N: usize> = fn(Process) -> Option<[f64; N]>;

/// One coefficient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Its column among those that the covariates make.
    pub(super) column: usize,
    /// What it moves.
    pub(super) on: Vec<Process>,
    /// The estimate, in the units of the data: e^value is the factor by which
    /// one more of the covariate multiplies the rate or the odds.
    pub value: f64,
    /// Whether the data do not identify it.
    pub fixed: bool,
}

impl Effect {
    pub(in crate::clv) fn column(&self) -> usize {
        self.column
    }

    pub(in crate::clv) fn on(&self) -> &[Process] {
        &self.on
    }

    /// The step of the log parameters for one more of the covariate and a coefficient of 1.
    pub(super) fn direction<L: Law<N>, const N: usize>(&self) -> Option<[f64; N]> {
        self.direction_by(L::direction)
    }

    fn direction_by<const N: usize>(&self, by: By<N>) -> Option<[f64; N]> {
        let mut out = [0.0; N];
        for process in &self.on {
            for (out, step) in out.iter_mut().zip(by(*process)?) {
                *out += step;
            }
        }
        Some(out)
    }
}

/// The covariates of a model and their coefficients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effects {
    pub(super) terms: Terms,
    pub(super) coefficients: Vec<Effect>,
    /// Of the logarithms of the law's parameters, then of the coefficients.
    pub(super) covariance: Vec<Vec<f64>>,
    /// The verdict on the coefficients; the law's own is in its estimates.
    pub(super) verdict: Verdict,
}

/// The coefficients of one of these columns, all 0.
pub(in crate::clv) fn each_of(
    name: &String,
    on: &[Process],
    columns: &[String],
    terms: &Terms,
) -> Vec<Effect> {
    let sizes = terms.covariates().iter().map(Covariate::size);
    let range = columns.iter().position(|c| c == name).map(|at| {
        let start: usize = sizes.clone().take(at).sum();
        start..start + sizes.clone().nth(at).unwrap_or_default()
    });
    let effect = |column| Effect { column, on: on.to_vec(), value: 0.0, fixed: false };
    range.unwrap_or_default().map(effect).collect()
}

/// The coefficients that the options ask for, all 0.
pub(in crate::clv) fn coefficients<L: Law<N>, const N: usize>(
    options: &Covariates,
    columns: &[String],
    terms: &Terms,
) -> Result<Vec<Effect>> {
    let dropout: &[&[Process]] = match options.dropout_on {
        DropoutOn::Odds => &[&[Process::Dropout]],
        DropoutOn::Both => &[&[Process::DropoutBoth]],
        DropoutOn::Separate => &[&[Process::DropoutA], &[Process::DropoutB]],
    };
    let mut out = Vec::new();
    let mut add = |name: &String, on: &[Process]| out.extend(each_of(name, on, columns, terms));
    for name in &options.purchase {
        if options.equal.contains(name) {
            for one in dropout {
                add(name, &[&[Process::Purchase], *one].concat());
            }
        } else {
            add(name, &[Process::Purchase]);
        }
    }
    for one in dropout {
        for name in options.dropout.iter().filter(|name| !options.equal.contains(name)) {
            add(name, one);
        }
    }
    if out.iter().any(|effect| effect.direction::<L, N>().is_none()) {
        let reason = format!("dropout_on: {} has no a and b: leave it out", L::NAME);
        return Err(Error::option("covariates", reason));
    }
    Ok(out)
}

/// The standard deviation of each coefficient's covariate.
pub(in crate::clv) fn scales(coefficients: &[Effect], terms: &Terms) -> Vec<f64> {
    let scales = terms.scales();
    coefficients.iter().map(|c| scales.get(c.column).copied().unwrap_or(1.0)).collect()
}

impl Effects {
    /// What a fit found: the coefficients with their values, and the covariance of all parameters.
    pub(in crate::clv) fn found(
        terms: Terms,
        mut coefficients: Vec<Effect>,
        values: Vec<f64>,
        fixed: &[bool],
        covariance: Vec<Vec<f64>>,
    ) -> Self {
        for ((effect, value), fixed) in coefficients.iter_mut().zip(values).zip(fixed) {
            (effect.value, effect.fixed) = (value, *fixed);
        }
        let verdict = Verdict::of_coefficients(fixed);
        Self { terms, coefficients, covariance, verdict }
    }

    /// Coefficients of which draws tell how sure they are: no covariance.
    pub(in crate::clv) fn drawn(terms: Terms, coefficients: Vec<Effect>) -> Self {
        Self { terms, coefficients, covariance: Vec::new(), verdict: Verdict::Interior }
    }

    /// Coefficients that are given, each of a column and on what it moves, of a law of so many parameters: no errors.
    pub(in crate::clv) fn given(terms: Terms, each: Vec<(usize, Vec<Process>, f64)>, law: usize) -> Self {
        let effect = |(column, on, value)| Effect { column, on, value, fixed: true };
        let size = law + each.len();
        Self {
            terms,
            coefficients: each.into_iter().map(effect).collect(),
            covariance: vec![vec![0.0; size]; size],
            verdict: Verdict::Given,
        }
    }

    /// The same with these coefficients.
    pub(in crate::clv) fn with_values(&self, values: &[f64]) -> Self {
        let each = self.coefficients.iter().zip(values);
        let coefficients = each.map(|(c, value)| Effect { value: *value, ..c.clone() }).collect();
        Self::drawn(self.terms.clone(), coefficients)
    }

    /// The coefficients.
    pub fn coefficients(&self) -> &[Effect] {
        &self.coefficients
    }

    /// Their names: the process, and the column or `column[level]`; `equal:…` where one serves both.
    pub fn names(&self) -> Vec<String> {
        let columns = self.terms.names();
        let name = |effect: &Effect| {
            let process = match effect.on.as_slice() {
                [one] => one.name(),
                _ => "equal",
            };
            format!("{process}:{}", columns.get(effect.column).map_or("", String::as_str))
        };
        self.coefficients.iter().map(name).collect()
    }

    /// The standard deviation of each coefficient's covariate.
    pub(in crate::clv) fn scales(&self) -> Vec<f64> {
        scales(&self.coefficients, &self.terms)
    }

    /// The standard errors; `None` where the data do not identify the coefficient.
    pub fn standard_errors(&self) -> Vec<Option<f64>> {
        let base = self.covariance.len() - self.coefficients.len();
        let error = |i: usize| {
            let variance = *self.covariance.get(base + i)?.get(base + i)?;
            (!self.coefficients[i].fixed && variance > 0.0).then(|| variance.sqrt())
        };
        (0..self.coefficients.len()).map(error).collect()
    }

    /// The covariance of the logarithms of the law's parameters and then of the coefficients;
    /// rows and columns of what the data do not identify are 0.
    pub fn covariance(&self) -> &[Vec<f64>] {
        &self.covariance
    }

    /// Whether the likelihood has its maximum at finite coefficients; the law's own verdict is
    /// in its estimates.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// One row on the fit of a model with these: what [`Estimates::fit_table`] has, and `effects_verdict`.
    pub fn fit_table(&self, estimates: &Estimates) -> Table {
        estimates.fit_table_with(self.free(), self.verdict)
    }

    /// How many of them the data identify.
    pub(in crate::clv) fn free(&self) -> usize {
        self.coefficients.iter().filter(|c| !c.fixed).count()
    }

    /// How the columns of a frame are read.
    pub(in crate::clv) fn reader(&self) -> Reader<'_> {
        Reader::Model(&self.terms)
    }

    pub(in crate::clv) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The rows of a parameter table, below those of the law.
    pub(in crate::clv) fn append(&self, table: &Table, level: f64) -> Result<Table> {
        let z = interval_quantile(level)?;
        let errors = self.standard_errors();
        let edge = |sign: f64| {
            let each = self.coefficients.iter().zip(&errors);
            each.map(move |(c, e)| e.map(|e| c.value + sign * z * e)).collect::<Vec<_>>()
        };
        let of_law = (0..table.rows()).filter_map(|row| table.text("parameter", row));
        let names: Text = of_law.map(Cow::into_owned).chain(self.names()).collect();
        let values = self.coefficients.iter().map(|c| c.value);
        let of_law = table.f64s("estimate").unwrap_or_default().iter().copied();
        let mut out = Table::new()
            .with("parameter", Values::Text(names))
            .with("estimate", Values::F64(of_law.chain(values).collect()));
        for (name, new) in [("standard_error", errors.clone()), ("low", edge(-1.0)), ("high", edge(1.0))] {
            out = out.with_optional(name, table.optional(name).into_iter().chain(new));
        }
        Ok(out)
    }

    /// A frame of the coefficients: covariate, on, estimate, standard_error, z, p_value, low, high.
    pub(in crate::clv) fn table(&self, level: f64) -> Result<Table> {
        let width = interval_quantile(level)?;
        let errors = self.standard_errors();
        let each = |f: &dyn Fn(f64, f64) -> f64| -> Vec<Option<f64>> {
            self.coefficients.iter().zip(&errors).map(|(c, e)| e.map(|e| f(c.value, e))).collect()
        };
        let names = self.names();
        let parts: Vec<(&str, &str)> =
            names.iter().map(|name| name.split_once(':').unwrap_or(("", name))).collect();
        Ok(Table::new()
            .with("covariate", Values::Text(parts.iter().map(|p| p.1).collect()))
            .with("on", Values::Text(parts.iter().map(|p| p.0).collect()))
            .with("estimate", Values::F64(self.coefficients.iter().map(|c| c.value).collect()))
            .with_optional("standard_error", errors.iter().copied())
            .with_optional("z", each(&|v, e| v / e))
            .with_optional("p_value", each(&|v, e| erfc((v / e).abs() * std::f64::consts::FRAC_1_SQRT_2)))
            .with_optional("low", each(&|v, e| v - width * e))
            .with_optional("high", each(&|v, e| v + width * e)))
    }

    /// How a unit of each coefficient moves the log parameters of a customer with these covariates.
    pub(in crate::clv) fn steps<L: Law<N>, const N: usize>(&self, row: &[f64]) -> Vec<[f64; N]> {
        self.steps_by(L::direction, row)
    }

    fn steps_by<const N: usize>(&self, by: By<N>, row: &[f64]) -> Vec<[f64; N]> {
        let means = self.terms.means();
        let step = |c: &Effect| {
            let of = |values: &[f64]| values.get(c.column).copied().unwrap_or_default();
            let z = of(row) - of(&means);
            c.direction_by(by).unwrap_or([0.0; N]).map(|d| d * z)
        };
        self.coefficients.iter().map(step).collect()
    }

    /// The law's estimates for a customer with these covariates.
    pub(in crate::clv) fn estimates<L: Law<N>, const N: usize>(
        &self,
        base: &Estimates,
        row: &[f64],
    ) -> Estimates {
        self.estimates_by(L::direction, base, row)
    }

    /// The same, by how coefficients move the log parameters.
    pub(in crate::clv) fn estimates_by<const N: usize>(
        &self,
        by: By<N>,
        base: &Estimates,
        row: &[f64],
    ) -> Estimates {
        let steps = self.steps_by(by, row);
        let moved = together(self.coefficients.iter().map(|c| c.value), &steps);
        // Var(ln θ + Σ γ step): J C Jᵀ with J = [I | steps].
        let all = |i: usize, k: usize| match k.checked_sub(N) {
            None => f64::from(u8::from(i == k)),
            Some(c) => steps[c][i],
        };
        let size = self.covariance.len();
        let mut covariance = vec![vec![0.0; N]; N];
        for i in 0..N {
            let left: Vec<f64> =
                (0..size).map(|l| (0..size).map(|k| all(i, k) * self.covariance[k][l]).sum()).collect();
            for j in 0..N {
                covariance[i][j] = (0..size).map(|l| left[l] * all(j, l)).sum();
            }
        }
        let fixed = (0..N).map(|i| covariance[i][i] <= 0.0).collect();
        let values = base.values.iter().zip(moved);
        // Kept where doubles can go on: the likelihood is flat out there.
        let values = values.map(|(v, m)| (v * exp(m)).clamp(1e-280, 1e280)).collect();
        Estimates { values, covariance, fixed, ..base.clone() }
    }

    /// How far coefficients of these values move the log parameters of a customer with these covariates.
    pub(in crate::clv) fn moved_by<const N: usize>(
        &self,
        by: By<N>,
        values: &[f64],
        row: &[f64],
    ) -> [f64; N] {
        together(values.iter().copied(), &self.steps_by(by, row))
    }

    /// What a loaded model must satisfy.
    pub(in crate::clv) fn check<L: Law<N>, const N: usize>(&self) -> Result<()> {
        self.check_by(L::direction)
    }

    /// The same, by how coefficients move the log parameters.
    pub(in crate::clv) fn check_by<const N: usize>(&self, by: By<N>) -> Result<()> {
        let size = N + self.coefficients.len();
        let sound = self.covariance.len() == size
            && self.covariance.iter().all(|row| row.len() == size && row.iter().all(|c| c.is_finite()));
        if sound {
            return self.check_coefficients_by(by);
        }
        Err(unsound())
    }

    /// What loaded draws must satisfy, which have no covariance.
    pub(in crate::clv) fn check_coefficients<L: Law<N>, const N: usize>(&self) -> Result<()> {
        self.check_coefficients_by(L::direction)
    }

    /// The same, by how coefficients move the log parameters.
    pub(in crate::clv) fn check_coefficients_by<const N: usize>(&self, by: By<N>) -> Result<()> {
        self.terms.check()?;
        let sound = self
            .coefficients
            .iter()
            .all(|c| c.value.is_finite() && c.column < self.terms.size() && c.direction_by(by).is_some());
        if sound { Ok(()) } else { Err(unsound()) }
    }
}

/// What coefficients of these values move, each by its step.
fn together<const N: usize>(values: impl Iterator<Item = f64>, steps: &[[f64; N]]) -> [f64; N] {
    let mut moved = [0.0; N];
    for (value, step) in values.zip(steps) {
        for (moved, step) in moved.iter_mut().zip(step) {
            *moved += (value * step).clamp(-BEYOND, BEYOND);
        }
    }
    moved
}

fn unsound() -> Error {
    Error::model_file("its covariates lack coefficients or their covariance; fit and save the model again")
}
