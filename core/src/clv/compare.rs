//! Which model of purchases? Several fitted and judged in one call.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::ahead::Horizon;
use super::checking::Holdout;
use super::covariates::{Covariates, Effects, Shared, each_law};
use super::design::Reader;
use super::door::{PurchaseOptions, regularity, row_likelihoods};
use super::errors::forecast_errors;
use super::frames::{History as Rows, Roles, intervals_of};
use super::laws::expected_purchases;
use super::rows::{RfmSlices, Unique};
use super::unit::Unit;
use crate::column::{Columns, OnInvalid, Table, Tables, Text, Values};
use crate::math::{chi_squared_tail, ln, normal_cdf, sum};
use crate::{Error, Result, Run};

/// One model of [`compare_purchases`]: its name, such as `"ParetoNBD"`, or its
/// name and k.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "one of the models is neither a name, such as \"ParetoNBD\", nor a name with its ticks between purchases, such as {\"model\": \"BetaGeoCNBD\", \"k\": 3}"
)]
pub enum Candidate {
    /// A name.
    Name(String),
    /// A name and the ticks between purchases.
    Regular {
        /// The name.
        model: String,
        /// Ticks between purchases.
        k: u32,
    },
}

/// Columns and options of [`compare_purchases`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompareOptions {
    /// The models. Default BetaGeo, ModifiedBetaGeo and ParetoNBD.
    pub models: Vec<Candidate>,
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of weights: how many customers a row stands for. None by default; forecasts of a holdout are then
    /// not judged, so its columns are refused.
    pub weight: Option<String>,
    /// Column of purchases in the holdout. Judged by where it is there. Default `"frequency_holdout"`.
    pub frequency_holdout: String,
    /// Column of the length of the holdout, in periods; one length for all. Default `"duration_holdout"`.
    pub duration_holdout: String,
    /// Column of the sum of the logarithms of the times between purchases
    /// ([`Rfm::log_intervals`](super::Rfm::log_intervals)), with which models
    /// of different k can be compared. Default: `"log_intervals"`, where it is there.
    pub log_intervals: Option<String>,
    /// The unit of recency and T.
    pub period: Option<Unit>,
    /// See [`Fit::penalty`](super::Fit::penalty).
    pub penalty: f64,
    /// Columns of covariates of customers, and what they may explain, in every model. None by default.
    pub covariates: Option<Covariates>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for CompareOptions {
    fn default() -> Self {
        let PurchaseOptions { frequency, recency, age, .. } = PurchaseOptions::default();
        Self {
            models: ["BetaGeo", "ModifiedBetaGeo", "ParetoNBD"].map(|m| Candidate::Name(m.into())).to_vec(),
            frequency,
            recency,
            age,
            weight: None,
            frequency_holdout: "frequency_holdout".into(),
            duration_holdout: "duration_holdout".into(),
            log_intervals: None,
            period: None,
            penalty: 0.0,
            covariates: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Fits several models to the same customers and judges them.
///
/// | table | columns |
/// | --- | --- |
/// | `compare` | model, k, parameters (coefficients of covariates among them), log_likelihood, aic, bic, verdict, and where the frame has a holdout mae, rmse, bias (of the total), spearman, gini_normalised; best BIC first |
/// | `vuong` | first, second, statistic, p (Vuong 1989, with his correction for the number of parameters): above 0 the first one is closer to the truth |
///
/// Likelihoods can be compared where they are of the same data. Without `log_intervals` those of different k leave
/// out what the data alone decide (the times between purchases) and can only be compared within one k; those of
/// opportunities (BG/BB) are probabilities and never compare with densities of times. `aic` and `bic` are missing of
/// models whose likelihood does not compare with that of the first one named, and Vuong's statistic between any two
/// that do not.
///
/// Vuong's statistic is missing too between models that the data do not tell apart: where Σ (ln f − ln g − mean)² is
/// no more than chance gives if the two are the same, of which his variance test asks. That includes models that are
/// equal but for rounding, which the correction over a spread of next to nothing would call far apart. The limit is
/// the 95 % quantile of χ² with as many degrees of freedom as both have parameters, which bounds his weighted sum.
pub fn compare_purchases(frame: &Columns, options: &CompareOptions, run: &Run) -> Result<Tables> {
    if options.models.is_empty() {
        return Err(Error::option("models", "must be one model or more"));
    }
    if options.weight.is_some() && frame.has(&options.frequency_holdout) {
        return Err(Error::option(
            "weight",
            format!(
                "a holdout is judged customer by customer, and here rows stand for many: leave out the column `{}` or the weight",
                options.frequency_holdout
            ),
        ));
    }
    let covariates = options.covariates.as_ref().map_or(Ok(Vec::new()), Covariates::columns)?;
    let roles = Roles {
        customer: None,
        frequency: &options.frequency,
        recency: &options.recency,
        age: &options.age,
        weight: options.weight.as_deref(),
        along: None,
        covariates: if covariates.is_empty() { Reader::None } else { Reader::Fit(&covariates) },
        intervals: intervals_of(options.log_intervals.as_deref(), frame, true),
    };
    let (rows, holdout, kept) = Rows::read_beside(frame, roles, options.on_invalid, run, |intake| {
        let names = [options.frequency_holdout.as_str(), &options.duration_holdout];
        frame.has(names[0]).then(|| Holdout::read(intake, names)).transpose()
    })?;
    let holdout = holdout.map(|holdout| holdout.cut(&kept, &options.duration_holdout)).transpose()?;
    let slices = RfmSlices { period: options.period, ..rows.slices() };
    let mut found = Vec::new();
    for candidate in &options.models {
        let (name, k) = match candidate {
            Candidate::Name(name) => (name, 1),
            Candidate::Regular { model, k } => (model, *k),
        };
        let fit = PurchaseOptions {
            k,
            penalty: options.penalty,
            covariates: options.covariates.clone(),
            ..PurchaseOptions::default()
        };
        let constants = slices.log_intervals.map(|litt| regularity(k, slices.frequency, litt));
        let constant = constants.as_deref().map_or(0.0, |each| sum(weighted(each, slices.weight)));
        let model = fit.fit_kind(&format!("clv.{name}"), &slices, &rows.covariates, constant, run)?;
        let learns = model.reads_intervals();
        let each = each_law(&*model, &rows, run, |law, slices| {
            let unique = if learns { Unique::with_intervals(slices, run)? } else { Unique::of(slices, run)? };
            Ok(Shared::new(row_likelihoods(law, &unique, run)?, unique))
        })?;
        let mut likelihoods = each.map(|l| *l);
        for (likelihood, constant) in likelihoods.iter_mut().zip(constants.iter().flatten()) {
            *likelihood += constant;
        }
        let errors = match &holdout {
            Some((actual, periods)) => {
                if model.is_discrete() {
                    Horizon::from(*periods).whole(&options.duration_holdout, None, u32::MAX)?;
                }
                let expected = each_law(&*model, &rows, run, |law, rows| {
                    let rows = RfmSlices { log_intervals: rows.log_intervals.filter(|_| learns), ..*rows };
                    expected_purchases(law, &rows, *periods, run)
                })?;
                Some(forecast_errors(actual, &expected.map(|e| *e))?)
            }
            None => None,
        };
        let label = if k == 1 { name.clone() } else { format!("{name} (k = {k})") };
        let of = if model.is_discrete() {
            Likelihood::Opportunities
        } else if constants.is_some() {
            Likelihood::Times
        } else {
            Likelihood::Ticks(k)
        };
        found.push(Judged { label, k, of, model, likelihoods, errors });
    }
    let vuong = vuong(&found, slices.weight);
    let first = found.first().map(|judged| judged.of);
    let ranked = |judged: &Judged| Some(judged.of) == first;
    found.sort_by(|a, b| {
        ranked(b).cmp(&ranked(a)).then(a.bic().partial_cmp(&b.bic()).unwrap_or(Ordering::Equal))
    });
    let criterion = |f: &dyn Fn(&Judged) -> Option<f64>| -> Vec<Option<f64>> {
        found.iter().map(|judged| f(judged).filter(|_| ranked(judged))).collect()
    };
    let text = |f: &dyn Fn(&Judged) -> String| Values::Text(found.iter().map(f).collect::<Text>());
    let mut table = Table::new()
        .with("model", text(&|j| j.label.clone()))
        .with("k", Values::I64(found.iter().map(|j| i64::from(j.k)).collect()))
        .with("parameters", Values::I64(found.iter().map(|j| j.free() as i64).collect()))
        .with_optional("log_likelihood", found.iter().map(|j| j.model.estimates().log_likelihood))
        .with_optional("aic", criterion(&Judged::aic))
        .with_optional("bic", criterion(&Judged::bic))
        .with("verdict", text(&|j| j.model.estimates().verdict.name().to_owned()));
    if holdout.is_some() {
        let error = |f: &dyn Fn(&super::ForecastErrors) -> f64| {
            Values::F64(found.iter().map(|j| j.errors.as_ref().map_or(0.0, f)).collect())
        };
        table = table
            .with("mae", error(&|e| e.mae))
            .with("rmse", error(&|e| e.rmse))
            .with("bias", error(&|e| e.bias))
            .with("spearman", error(&|e| e.spearman))
            .with("gini_normalised", error(&|e| e.gini_normalised));
    }
    Ok(vec![("compare", table), ("vuong", vuong), ("dropped", rows.dropped.table())])
}

/// What a likelihood is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Likelihood {
    /// Whether there was a purchase at each opportunity.
    Opportunities,
    /// All times of purchases.
    Times,
    /// Those times but for what they alone decide, which differs by k.
    Ticks(u32),
}

struct Judged {
    label: String,
    k: u32,
    of: Likelihood,
    model: Box<dyn super::Purchases>,
    likelihoods: Vec<f64>,
    errors: Option<super::ForecastErrors>,
}

impl Judged {
    fn free(&self) -> usize {
        let of_law = self.model.estimates().fixed.iter().filter(|fixed| !**fixed).count();
        of_law + self.model.effects().map_or(0, Effects::free)
    }

    fn aic(&self) -> Option<f64> {
        self.model.estimates().aic(self.free())
    }

    fn bic(&self) -> Option<f64> {
        self.model.estimates().bic(self.free())
    }
}

/// Whether gaps of this sum of squares are more than chance makes between models that are the same, with so many
/// parameters together: n ω̂² is then a sum of that many squares with weights of at most 1.
fn told_apart(squares: f64, parameters: usize) -> bool {
    chi_squared_tail(squares, parameters.max(1) as f64) < 0.05
}

/// Values of rows, each for as many customers as it stands for.
fn weighted<'a>(each: &'a [f64], weight: Option<&'a [f64]>) -> impl Iterator<Item = f64> + 'a {
    each.iter().enumerate().map(move |(row, value)| weight.map_or(1.0, |w| w[row]) * value)
}

fn vuong(found: &[Judged], weight: Option<&[f64]>) -> Table {
    let (mut first, mut second) = (Text::new(), Text::new());
    let (mut statistics, mut ps) = (Vec::new(), Vec::new());
    for (i, a) in found.iter().enumerate() {
        for b in &found[i + 1..] {
            first.push(&a.label);
            second.push(&b.label);
            let n = weight.map_or(a.likelihoods.len() as f64, |w| sum(w.iter().copied()));
            let gaps: Vec<f64> = a.likelihoods.iter().zip(&b.likelihoods).map(|(a, b)| a - b).collect();
            let mean = sum(weighted(&gaps, weight)) / n;
            let squares: Vec<f64> = gaps.iter().map(|gap| (gap - mean) * (gap - mean)).collect();
            let squares = sum(weighted(&squares, weight));
            let correction = (a.free() as f64 - b.free() as f64) / 2.0 * ln(n);
            let statistic = (a.of == b.of && told_apart(squares, a.free() + b.free()))
                .then(|| (n * mean - correction) / squares.sqrt());
            statistics.push(statistic);
            ps.push(statistic.map(|z| 2.0 * normal_cdf(-z.abs())));
        }
    }
    Table::new()
        .with("first", Values::Text(first))
        .with("second", Values::Text(second))
        .with_optional("statistic", statistics)
        .with_optional("p", ps)
}
