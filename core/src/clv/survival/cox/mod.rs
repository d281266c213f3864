//! Cox's proportional hazards.

mod data;
mod model;
mod residuals;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use model::CoxModel;

use super::concordance::{Pairs, Ranked, pairs};
use super::design::{Reader, Terms, sorted_groups};
use super::regression::{Coefficients, check_penalty, quadratic, search, unscaled};
use super::rows::Rows;
use super::subjects::{Roles, Subjects};
use crate::column::{Columns, Dropped, OnInvalid};
use crate::math::{chi_squared_tail, exp};
use crate::{Error, Result, Run};
use data::{Data, Hazard};
use model::Baseline;

/// How events at one time enter the partial likelihood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// As if one after the other, in every order alike (Efron 1977). The default.
    #[default]
    Efron,
    /// All out of the same risk set (Breslow 1974); pulls coefficients towards 0 where ties are many.
    Breslow,
}

/// What a weight means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// How many like subjects a row stands for: a row of weight 2 is two rows. The default.
    #[default]
    Frequency,
    /// How much one subject counts (survey weights, inverse probabilities); ask
    /// for `robust` errors. Tied events then share the mean of their weights (Therneau & Grambsch 2000).
    Sampling,
}

/// Cox's model with its roles and options (Cox 1972):
/// h(t | x) = h₀(t) exp(β · (x − x̄)).
///
/// A text covariate becomes one dummy a level, beside a reference level: the
/// first in order, unless `references` names another. A column that does not vary or that is a
/// linear combination of others is an error that names it. Where the likelihood rises for
/// ever along a coefficient, the verdict is `monotone_likelihood` and that coefficient carries
/// no error; a `penalty` keeps it finite.
///
/// With `entry` a subject may have several rows, one for each stretch of time in
/// which its covariates are the same (name the subject in `cluster` for its errors).
///
/// ```
/// use headwater::Run;
/// use headwater::clv::survival::Cox;
/// use headwater::column::Columns;
///
/// let contracts = Columns::new()
///     .with("duration", vec![2.0, 3.0, 5.0, 6.0, 8.0, 9.0])
///     .with("event", vec![true, true, true, false, true, false])
///     .with("price", vec![30.0, 10.0, 20.0, 10.0, 30.0, 10.0]);
/// let (model, _) = Cox::new(["price"]).fit(&contracts, &Run::new())?;
/// assert!(model.coefficients().values[0] > 0.0); // dear contracts are left sooner
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cox {
    /// Column of durations. Default `"duration"`.
    pub duration: String,
    /// Column of flags: whether the duration ended with the event. Default `"event"`.
    pub event: String,
    /// Column of the time from which each was observed (left truncation). None by default.
    pub entry: Option<String>,
    /// Column of weights. None by default.
    pub weight: Option<String>,
    /// What weights mean.
    pub weighting: Weighting,
    /// Column of strata, each with a baseline of its own. None by default.
    pub strata: Option<String>,
    /// Columns that explain: numbers, truth values or names. No default.
    pub covariates: Vec<String>,
    /// Reference levels of text covariates, by column.
    pub references: BTreeMap<String, String>,
    /// Whether standard errors are by the sandwich of score residuals (Lin & Wei 1989). Default no.
    pub robust: bool,
    /// Column of clusters, whose rows may depend on each other; implies `robust`. None by default.
    pub cluster: Option<String>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// How ties enter.
    pub ties: Ties,
    /// λ of −½ λ Σ β², on standardised covariates. Default 0.
    pub penalty: f64,
    /// Most Newton steps. Default 100.
    pub max_iterations: usize,
    /// The gradient per event, on standardised covariates, that counts as zero. Default 1e-9.
    pub tolerance: f64,
}

impl Default for Cox {
    fn default() -> Self {
        Self {
            duration: "duration".to_owned(),
            event: "event".to_owned(),
            entry: None,
            weight: None,
            weighting: Weighting::Frequency,
            strata: None,
            covariates: Vec::new(),
            references: BTreeMap::new(),
            robust: false,
            cluster: None,
            on_invalid: OnInvalid::Error,
            ties: Ties::Efron,
            penalty: 0.0,
            max_iterations: 100,
            tolerance: 1e-9,
        }
    }
}

/// Standardised coefficients stay within this: at a factor of e¹⁰⁰ for one
/// standard deviation no likelihood has its top.
const EDGE: f64 = 100.0;

impl Cox {
    /// The model with these covariates, and defaults.
    pub fn new<S: Into<String>>(covariates: impl IntoIterator<Item = S>) -> Self {
        Self { covariates: covariates.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Fits the model; rows dropped under `on_invalid="drop"` are returned beside it.
    ///
    /// # Errors
    /// `Column` for columns that are missing, constant or combinations of
    /// others, `Row` for bad values, `NotEnoughData` without an event, `NotConverged`.
    pub fn fit(&self, frame: &Columns, run: &Run) -> Result<(CoxModel, Dropped)> {
        check_penalty(self.penalty)?;
        if self.covariates.is_empty() {
            return Err(Error::option("covariates", "name the columns that may explain the hazard"));
        }
        let roles = Roles {
            duration: &self.duration,
            event: Some(&self.event),
            entry: self.entry.as_deref(),
            weight: self.weight.as_deref(),
            group: self.strata.as_deref(),
            cluster: self.cluster.as_deref(),
            ..Roles::default()
        };
        let subjects = Subjects::read(frame, roles, &Reader::Fit(&self.covariates), self.on_invalid, run)?;
        subjects.check_events(&self.event)?;
        self.check_weights(&subjects)?;
        let mut terms = Terms::of(&self.covariates, &subjects.covariates, subjects.rows, &self.references)?;
        let matrix = terms.matrix(&subjects.covariates, subjects.rows);
        let (stratum, strata) = sorted_groups(subjects.group.as_ref(), subjects.rows);
        let raw = Rows { subjects: &subjects, x: &matrix, stratum: &stratum };
        let (mut data, order) = Data::of(&raw, self.ties, self.weighting)?;
        drop(matrix);
        let weight = std::mem::take(&mut data.weight);
        terms.standardise(&mut data.x, |i| weight[i])?;
        data.weight = weight;

        let p = terms.size();
        let zero = vec![0.0; p];
        let null = data.evaluate(&zero, 0.0, run)?;
        let information: Vec<f64> = null.hessian.iter().map(|h| -h).collect();
        if self.penalty == 0.0 {
            let reason =
                "tells none of those at risk together apart (in no stratum, at no event): leave it out";
            terms.check_rank(&information, data.events(), reason)?;
        }
        let events = data.events();
        let stop = (self.max_iterations, self.tolerance);
        let found = search("clv.Cox", &zero, &vec![(-EDGE, EDGE); p], stop, events, |beta| {
            data.evaluate(beta, self.penalty, run)
        })?;

        let inverse: Vec<f64> = terms.scales().iter().map(|s| 1.0 / s).collect();
        let (eta, top) = data.predictors(&found.at, run)?;
        let risk = data.risks(&eta, top, run)?;
        let mut hazard = Hazard::of(&data);
        data.sweep(&risk, run, |at, s0, _, d0, _| {
            let tie = &data.ties[at];
            for l in 0..tie.steps {
                let gone = tie.gone(l);
                hazard.add(at, tie.step_weight / (s0 - gone * d0), gone);
            }
        })?;
        hazard.accumulate(&data);
        let clusters: Option<Vec<u32>> =
            subjects.cluster.as_ref().map(|names| order.iter().map(|i| names.codes[*i as usize]).collect());
        let robust = if self.robust || clusters.is_some() {
            let clusters = clusters.as_deref();
            let frequency = self.weighting == Weighting::Frequency;
            Some(residuals::sandwich(&data, &risk, &hazard, &found.covariance, clusters, frequency, run)?)
        } else {
            None
        };
        let proportional = residuals::proportional(&data, &risk, &found.covariance, run)?;
        let penalised = 0.5 * self.penalty * found.at.iter().map(|b| b * b).sum::<f64>();
        let coefficients = Coefficients {
            names: terms.names(),
            references: terms.references().iter().map(|r| (*r).to_owned()).collect(),
            values: found.at.iter().zip(&inverse).map(|(b, s)| b * s).collect(),
            covariance: unscaled(&found.covariance, &inverse),
            robust: robust.map(|r| unscaled(&r, &inverse)),
            fixed: found.fixed,
            log_likelihood: found.local.value + penalised,
            null_log_likelihood: null.value,
            score: Some(quadratic(&null)).filter(|s| s.is_finite()),
            slopes: p as u64,
            subjects: data.weight.iter().sum(),
            events,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm,
            verdict: found.verdict,
        };
        let back = exp(-top);
        let baselines = data
            .strata
            .iter()
            .zip(strata)
            .map(|(stratum, label)| Baseline {
                stratum: label,
                times: data.ties[stratum.ties.clone()].iter().map(|t| t.time).collect(),
                hazard: hazard.sums[stratum.ties.clone()].iter().map(|h| h * back).collect(),
                last: stratum.rows.clone().next_back().map_or(0.0, |i| data.time[i]),
            })
            .collect();
        let model = CoxModel {
            parameters: self.clone(),
            terms,
            coefficients,
            baselines,
            concordance: concordance(&data, &eta).index(),
            proportional,
        };
        Ok((model, subjects.dropped))
    }

    fn check_weights(&self, subjects: &Subjects<'_>) -> Result<()> {
        if self.weight.is_none() && self.weighting != Weighting::default() {
            return Err(Error::option(
                "weighting",
                "is of weights: name their column in `weight`, or leave it out",
            ));
        }
        if self.ties == Ties::Breslow || self.weighting == Weighting::Sampling {
            return Ok(());
        }
        let whole = |w: f64| w.fract() == 0.0;
        if (0..subjects.rows).all(|i| whole(subjects.weight(i))) {
            return Ok(());
        }
        Err(Error::option(
            "weighting",
            "the weights are not whole numbers of subjects: choose \"sampling\" with robust errors, or ties \"breslow\"",
        ))
    }
}

/// Within strata: between them the baselines differ.
fn concordance(data: &Data, eta: &[f64]) -> Pairs {
    let mut all = Pairs::default();
    for stratum in &data.strata {
        let rows = stratum.rows.clone();
        all.add(pairs(&Ranked {
            time: &data.time[rows.clone()],
            event: &data.event[rows.clone()],
            entry: if data.entry.is_empty() { &[] } else { &data.entry[rows.clone()] },
            risk: &eta[rows.clone()],
            weight: &data.weight[rows],
            factor: &[],
        }));
    }
    all
}

/// A test of proportional hazards with one transform of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proportional {
    pub(super) transform: String,
    /// χ² of one degree for each coefficient; `None` where it has no error.
    pub(super) statistics: Vec<Option<f64>>,
    /// χ² of all together.
    pub(super) overall: f64,
    pub(super) degrees: u64,
}

impl Proportional {
    pub(super) fn p_values(&self) -> Vec<Option<f64>> {
        self.statistics.iter().map(|s| s.map(|s| chi_squared_tail(s, 1.0))).collect()
    }
}
