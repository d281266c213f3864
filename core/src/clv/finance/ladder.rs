//! Chain ladder: what young cohorts will have earned when they are old.
//!
//! Mack (1993), "Distribution-free calculation of the standard error of chain
//! ladder reserve estimates", *ASTIN Bulletin* 23(2): cohorts grow by common
//! factors f_k from age k to k + 1, with a variance in proportion to what they
//! have earned by age k.

use serde::{Deserialize, Serialize};

use super::triangle::{CohortTable, OrderOptions};
use crate::column::{Columns, DAY, Intake, Kind, OnInvalid, Sign, Table, Tables, Values};
use crate::math::{ExactSum, sum};
use crate::{Error, Result, Run};

/// Cumulative values of cohorts by age, of which the young know fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct Triangle {
    rows: Vec<Vec<f64>>,
}

/// A triangle completed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainLadder {
    /// Development factors f_k from the k-th age to the next.
    pub factors: Vec<f64>,
    /// σ_k² of each factor; `None` where the cohorts do not tell.
    pub variances: Vec<Option<f64>>,
    /// How many cohorts each factor was estimated from.
    pub cohorts: Vec<u64>,
    /// The triangle with the expected values in its empty half.
    pub completed: Vec<Vec<f64>>,
    /// Mean squared error of each cohort's ultimate value; 0 for the oldest,
    /// `None` where a variance is missing.
    pub squared_errors: Vec<Option<f64>>,
    /// Mean squared error of the sum over all cohorts.
    pub total_squared_error: Option<f64>,
}

impl Triangle {
    /// A triangle of cumulative values, one row for each cohort from the first
    /// age on. Errors: [`Error::Column`] for a negative or non-finite value or an empty cohort,
    /// [`Error::NotEnoughData`] with fewer than two ages.
    pub fn new(rows: Vec<Vec<f64>>) -> Result<Self> {
        if rows.iter().flatten().any(|v| !v.is_finite() || *v < 0.0) {
            return Err(Error::column("value", "cumulative values must be finite numbers from 0"));
        }
        if rows.iter().any(Vec::is_empty) {
            return Err(Error::column("value", "a cohort has no value at all"));
        }
        if rows.iter().map(Vec::len).max().unwrap_or_default() < 2 {
            return Err(Error::not_enough_data("a chain ladder needs a cohort of two ages or more"));
        }
        Ok(Self { rows })
    }

    /// Completes the triangle.
    ///
    /// The last variance, of which a single cohort cannot tell, is Mack's
    /// extrapolation min(σ⁴_{k−1} / σ²_{k−2}, σ²_{k−1}, σ²_{k−2}).
    ///
    /// Errors: [`Error::NotEnoughData`] where all cohorts had earned nothing by some age.
    pub fn complete(&self) -> Result<ChainLadder> {
        let ages = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut out = ChainLadder {
            factors: Vec::new(),
            variances: Vec::new(),
            cohorts: Vec::new(),
            completed: self.rows.clone(),
            squared_errors: Vec::new(),
            total_squared_error: None,
        };
        let mut bases = Vec::new();
        for k in 0..ages - 1 {
            let pairs: Vec<(f64, f64)> =
                self.rows.iter().filter(|r| r.len() > k + 1).map(|r| (r[k], r[k + 1])).collect();
            let base = sum(pairs.iter().map(|p| p.0));
            if base <= 0.0 {
                return Err(Error::not_enough_data(format!(
                    "no cohort has earned anything by age {k}, so nothing can be projected from there: begin at a later age, or take longer periods"
                )));
            }
            let factor = sum(pairs.iter().map(|p| p.1)) / base;
            out.variances.push(variance(&pairs, factor).or_else(|| extrapolated(&out.variances, &pairs)));
            out.cohorts.push(pairs.len() as u64);
            out.factors.push(factor);
            bases.push(base);
        }
        for row in &mut out.completed {
            while let (Some(last), Some(factor)) = (row.last().copied(), out.factors.get(row.len() - 1)) {
                row.push(last * factor);
            }
        }
        if out.completed.iter().flatten().chain(&out.factors).any(|v| !v.is_finite()) {
            return Err(Error::column(
                "value",
                "values grow beyond the range of a double: give a larger unit",
            ));
        }
        // σ_k² / f_k² / Σ_j C_jk, from the last age backwards.
        let relative: Vec<Option<f64>> = out
            .variances
            .iter()
            .zip(&out.factors)
            .map(|(v, f)| v.map(|v| if v == 0.0 { 0.0 } else { v / (f * f) }).filter(|v| v.is_finite()))
            .collect();
        let mut shared = vec![Some(0.0); ages];
        for k in (0..ages - 1).rev() {
            shared[k] = shared[k + 1].zip(relative[k]).map(|(rest, v)| rest + v / bases[k]);
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|i| self.rows[*i].len());
        out.squared_errors = vec![None; self.rows.len()];
        let mut total = Some(0.0);
        let mut younger = 0.0;
        for i in order {
            let known = self.rows[i].len();
            let row = &out.completed[i];
            let ultimate = row[ages - 1];
            let mut own = shared[known - 1].map(|v| ultimate * ultimate * v);
            for k in known - 1..ages - 1 {
                // C_iJ² / C_ik, which is 0 where nothing was earned
                let scale = if row[k] > 0.0 { ultimate * (ultimate / row[k]) } else { 0.0 };
                own = own.zip(relative[k]).map(|(so_far, v)| so_far + scale * v);
            }
            let with_younger = shared[known - 1].map(|v| 2.0 * ultimate * younger * v);
            total = total.zip(own.zip(with_younger)).map(|(t, (own, both))| t + own + both);
            out.squared_errors[i] = own.filter(|v| v.is_finite());
            younger += ultimate;
        }
        out.total_squared_error = total.filter(|v| v.is_finite());
        Ok(out)
    }
}

/// σ_k² from two cohorts or more that had earned something.
fn variance(pairs: &[(f64, f64)], factor: f64) -> Option<f64> {
    if pairs.iter().any(|(now, next)| *now == 0.0 && *next != 0.0) {
        return None;
    }
    let earned = pairs.iter().filter(|p| p.0 > 0.0);
    let n = earned.clone().count();
    let squares = earned.map(|(now, next)| now * (next / now - factor) * (next / now - factor));
    (n >= 2).then(|| sum(squares) / (n as f64 - 1.0)).filter(|v| v.is_finite())
}

fn extrapolated(so_far: &[Option<f64>], pairs: &[(f64, f64)]) -> Option<f64> {
    let [.., before, last] = so_far else { return None };
    let (before, last) = (before.as_ref()?, last.as_ref()?);
    if pairs.iter().filter(|p| p.0 > 0.0).count() != 1 {
        return None;
    }
    Some(if *before > 0.0 { (last * last / before).min(*before).min(*last) } else { 0.0 })
}

/// What the values of a triangle are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriangleValues {
    /// Earned at each age. The default.
    #[default]
    Incremental,
    /// Earned up to each age.
    Cumulative,
}

/// Roles and options of [`chain_ladder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LadderOptions {
    /// Column of cohorts: names or times.
    pub cohort: String,
    /// Column of ages: whole numbers, without gaps from the first age of all.
    pub age: String,
    /// Column of values.
    pub value: String,
    /// Whether values are `"incremental"` (the default) or `"cumulative"`.
    pub values: TriangleValues,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for LadderOptions {
    fn default() -> Self {
        Self {
            cohort: "cohort".to_owned(),
            age: "age".to_owned(),
            value: "value".to_owned(),
            values: TriangleValues::Incremental,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Completes a triangle in long form: cohort, age, value.
///
/// Tables: `chain_ladder` (cohort, latest_age, latest, ultimate, outstanding,
/// standard_error, coefficient_of_variation of what is outstanding), `total`
/// (one row of the same), `factors` (age, factor, sigma, cohorts), `triangle`
/// (cohort, age, value: cumulative, projected) and `dropped`. There is no tail:
/// the ultimate age is the greatest that was observed.
pub fn chain_ladder(frame: &Columns, options: &LadderOptions, run: &Run) -> Result<Tables> {
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let by_time = frame.kind(&options.cohort) == Some(Kind::Time);
    let times = if by_time { Some(intake.times(&options.cohort)?) } else { None };
    let names = if by_time { None } else { Some(intake.names(&options.cohort)?) };
    let age = intake.amounts(&options.age, Sign::Any)?;
    let value = intake.amounts(&options.value, Sign::Any)?;
    let whole = |v: f64| v.fract() == 0.0 && v.abs() <= 1e6;
    intake.reject(
        &options.age,
        "is not a whole number of periods",
        (0..age.len()).filter(|i| age[*i].is_finite() && !whole(age[*i])),
    );
    let kept = intake.finish()?;
    let (age, value) = (kept.values(age), kept.values(value));
    let times = times.map(|t| kept.values(t));
    let names = names.map(|n| kept.names(n));
    if kept.is_empty() {
        return Err(Error::not_enough_data("the triangle is empty"));
    }
    // The place of each row's cohort in the order of times or labels.
    let (place, labels) = if let Some(names) = names {
        let codes = names.codes_by_label();
        let mut rank = vec![0_usize; names.labels.len()];
        codes.iter().enumerate().for_each(|(at, code)| rank[*code as usize] = at);
        let place: Vec<usize> = names.codes.iter().map(|c| rank[*c as usize]).collect();
        (place, Values::Names(crate::column::Names { codes, labels: names.labels }))
    } else {
        let times = times.unwrap_or_default();
        let mut distinct = times.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let place = times.iter().map(|t| distinct.binary_search(t).unwrap_or_default()).collect();
        (place, Values::Time(distinct))
    };
    let first = age.iter().copied().fold(f64::INFINITY, f64::min);
    let mut rows: Vec<usize> = (0..kept.len()).collect();
    rows.sort_by(|a, b| place[*a].cmp(&place[*b]).then(age[*a].total_cmp(&age[*b])));
    let mut triangle = Vec::new();
    for cohort in rows.chunk_by(|a, b| place[*a] == place[*b]) {
        let mut so_far = ExactSum::new();
        let mut row = Vec::with_capacity(cohort.len());
        for (at, i) in cohort.iter().enumerate() {
            if age[*i] != first + at as f64 {
                return Err(Error::column(
                    &options.age,
                    format!(
                        "row {} has age {} where {} is next in its cohort: every cohort has each age from {first} on once",
                        kept.row(*i),
                        age[*i],
                        first + at as f64
                    ),
                ));
            }
            so_far.add(value[*i]);
            row.push(if options.values == TriangleValues::Incremental { so_far.value() } else { value[*i] });
        }
        triangle.push(row);
    }
    let mut tables = tables(&Triangle::new(triangle)?, &labels, first as i64, None)?;
    tables.push(("dropped", kept.into_dropped().table()));
    Ok(tables)
}

/// Completes the margins of cohorts from orders; a period that is not over is
/// left out unless `keep_incomplete` says otherwise.
///
/// Tables: those of [`chain_ladder`], where `chain_ladder` has also customers
/// and ultimate_per_customer.
pub fn chain_ladder_orders(orders: &Columns, options: &OrderOptions, run: &Run) -> Result<Tables> {
    let read = CohortTable::read(orders, options, options.keep_incomplete.unwrap_or(false), run)?;
    let margin = options.margin;
    let rows = read.cohorts.values().map(|cohort| {
        let mut so_far = ExactSum::new();
        cohort
            .ages
            .iter()
            .map(|cell| {
                so_far.merge(&cell.revenue);
                margin * so_far.value()
            })
            .collect()
    });
    let triangle = Triangle::new(rows.collect())?;
    let labels = Values::Time(read.cohorts.keys().map(|first| read.period.first_day(*first) * DAY).collect());
    let sizes: Vec<u64> = read.cohorts.values().map(|c| c.customers).collect();
    let mut tables = tables(&triangle, &labels, 0, Some(&sizes))?;
    tables.extend(read.extras());
    Ok(tables)
}

fn tables(triangle: &Triangle, labels: &Values, first: i64, sizes: Option<&[u64]>) -> Result<Tables> {
    let ladder = triangle.complete()?;
    let known: Vec<usize> = triangle.rows.iter().map(|r| r.len() - 1).collect();
    let latest: Vec<f64> = triangle.rows.iter().map(|r| r.last().copied().unwrap_or_default()).collect();
    let ultimate: Vec<f64> = ladder.completed.iter().map(|r| r.last().copied().unwrap_or_default()).collect();
    let outstanding: Vec<f64> = ultimate.iter().zip(&latest).map(|(u, l)| u - l).collect();
    let error = |square: Option<f64>| square.map(f64::sqrt);
    let relative = |square: Option<f64>, of: f64| error(square).filter(|_| of != 0.0).map(|e| e / of.abs());
    let age = |k: usize| first + k as i64;
    let mut cohorts = Table::new().with("cohort", labels.clone());
    if let Some(sizes) = sizes {
        let per = ultimate.iter().zip(sizes).map(|(u, n)| u / *n as f64).collect();
        cohorts = cohorts
            .with("customers", Values::I64(sizes.iter().map(|n| *n as i64).collect()))
            .with("ultimate_per_customer", Values::F64(per));
    }
    let cohorts = cohorts
        .with("latest_age", Values::I64(known.iter().map(|k| age(*k)).collect()))
        .with("latest", Values::F64(latest.clone()))
        .with("ultimate", Values::F64(ultimate.clone()))
        .with("outstanding", Values::F64(outstanding.clone()))
        .with_optional("standard_error", ladder.squared_errors.iter().map(|v| error(*v)))
        .with_optional(
            "coefficient_of_variation",
            ladder.squared_errors.iter().zip(&outstanding).map(|(v, of)| relative(*v, *of)),
        );
    let [latest, ultimate, outstanding] = [latest, ultimate, outstanding].map(sum);
    let total = Table::new()
        .with("latest", Values::F64(vec![latest]))
        .with("ultimate", Values::F64(vec![ultimate]))
        .with("outstanding", Values::F64(vec![outstanding]))
        .with_optional("standard_error", [error(ladder.total_squared_error)])
        .with_optional("coefficient_of_variation", [relative(ladder.total_squared_error, outstanding)]);
    let factors = Table::new()
        .with("age", Values::I64((0..ladder.factors.len()).map(age).collect()))
        .with("factor", Values::F64(ladder.factors.clone()))
        .with_optional("sigma", ladder.variances.iter().map(|v| error(*v)))
        .with("cohorts", Values::I64(ladder.cohorts.iter().map(|n| *n as i64).collect()));
    let ages = ladder.factors.len() + 1;
    let repeat = |values: &Values| match values {
        Values::Names(names) => Values::Names(crate::column::Names {
            codes: names.codes.iter().flat_map(|c| std::iter::repeat_n(*c, ages)).collect(),
            labels: names.labels.clone(),
        }),
        Values::Time(times) => {
            Values::Time(times.iter().flat_map(|t| std::iter::repeat_n(*t, ages)).collect())
        }
        other => other.clone(),
    };
    let whole = Table::new()
        .with("cohort", repeat(labels))
        .with("age", Values::I64(known.iter().flat_map(|_| (0..ages).map(age)).collect()))
        .with("value", Values::F64(ladder.completed.iter().flatten().copied().collect()))
        .with("projected", Values::Bool(known.iter().flat_map(|k| (0..ages).map(move |a| a > *k)).collect()));
    Ok(vec![("chain_ladder", cohorts), ("total", total), ("factors", factors), ("triangle", whole)])
}
