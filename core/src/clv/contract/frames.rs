//! Frames of cohorts and of customers under contract.

use serde::{Deserialize, Serialize};

use super::fit::{Family, Solver};
use super::kinds::Customers;
use super::life::{Life, fault};
use super::lives::Lives;
use super::{CohortFit, ContractCovariates, ContractModel, LifeTable};
use crate::clv::covariates::{Effects, Patterns};
use crate::clv::design::{Given, Reader};
use crate::clv::unit::Unit;
use crate::column::{Columns, Dropped, Intake, Names, OnInvalid, Sign};
use crate::{Error, Result, Run};

/// What a row of a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractData {
    /// A cohort in a period, with its customers still there. The default.
    #[default]
    Cohorts,
    /// A customer, with a duration.
    Customers,
}

/// Whether cohorts share one curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// One curve for all. The default.
    #[default]
    Pooled,
    /// A curve for each cohort that has met renewals enough, beside the one for all.
    Separate,
}

/// Roles and options of [`Contract::fit`](super::Contract::fit).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractOptions {
    /// What a row of the frame is.
    pub data: ContractData,
    /// Column of cohorts; by default `"cohort"` where the frame has it, and
    /// one cohort where not.
    pub cohort: Option<String>,
    /// Of cohorts: column of the renewals made, a whole number. Default `"period"`.
    pub index: String,
    /// Of cohorts: column of the customers still there after that many renewals.
    pub customers: String,
    /// Of cohorts: the number in `index` at which a cohort is complete; 0 by
    /// default, 1 where the first period is counted as 1.
    pub start: u32,
    /// Of cohorts: whether some came under observation after `start`. Without
    /// it, a cohort that begins later is an error.
    pub left_truncated: bool,
    /// Of customers: column of durations. For who left, the renewal at which it
    /// happened, from 1; for who is still there, the renewals made, from 0.
    pub duration: String,
    /// Of customers: column that is true for who left.
    pub event: String,
    /// Of customers: column of the renewals made before observation began; none by default.
    pub entry: Option<String>,
    /// Of customers: column of weights; none by default.
    pub weight: Option<String>,
    /// Whether cohorts share one curve.
    pub cohorts: Pooling,
    /// Of customers: the columns that explain how they leave; none by default.
    pub covariates: Option<ContractCovariates>,
    /// The length of a period, such as `"30d"` or `"month"`; needed to discount.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// Most Newton steps.
    pub max_iterations: usize,
    /// Greatest entry of the gradient, per customer, at which the fit has converged.
    pub tolerance: f64,
}

impl Default for ContractOptions {
    fn default() -> Self {
        let super::ShiftedBetaGeo { max_iterations, tolerance } = super::ShiftedBetaGeo::default();
        Self {
            data: ContractData::Cohorts,
            cohort: None,
            index: "period".to_owned(),
            customers: "customers".to_owned(),
            start: 0,
            left_truncated: false,
            duration: "duration".to_owned(),
            event: "event".to_owned(),
            entry: None,
            weight: None,
            cohorts: Pooling::Pooled,
            covariates: None,
            period: None,
            on_invalid: OnInvalid::Error,
            max_iterations,
            tolerance,
        }
    }
}

pub(super) fn period_of(period: Option<Unit>) -> Result<()> {
    period.map_or(Ok(()), Unit::check)
}

/// Reads a frame and fits a model of this family to it.
pub(super) fn fit(
    family: Family,
    frame: &Columns,
    options: &ContractOptions,
    run: &Run,
) -> Result<(ContractModel, Dropped)> {
    period_of(options.period)?;
    let solver = Solver { max_iterations: options.max_iterations, tolerance: options.tolerance };
    if let Some(covariates) = &options.covariates {
        let (customers, dropped) = customers(frame, options, covariates, run)?;
        let model = customers.fit(family, covariates, solver, run)?;
        return Ok((model.with_period(options.period), dropped));
    }
    let (tables, dropped) = tables(frame, options, run)?;
    let mut life = LifeTable::default();
    tables.iter().for_each(|(_, own)| life.merge(own));
    let estimates = family.fit(&life, solver, run)?;
    let mut model = ContractModel::new(estimates, life).with_period(options.period);
    for (cohort, life) in tables {
        let Some(cohort) = cohort else { continue };
        let estimates = match options.cohorts {
            Pooling::Pooled => None,
            Pooling::Separate => match family.fit(&life, solver, run) {
                Ok(own) => Some(own),
                // Too young for a curve of its own.
                Err(Error::NotEnoughData { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        model.cohorts.push(CohortFit { cohort, life, estimates });
    }
    if options.cohorts == Pooling::Separate && model.cohorts.is_empty() {
        return Err(Error::option(
            "cohorts",
            "is \"separate\", and the frame has no column of cohorts: name it",
        ));
    }
    Ok((model, dropped))
}

impl ContractOptions {
    /// Only customers have covariates.
    fn of_customers(&self) -> Result<()> {
        if self.data == ContractData::Customers {
            return Ok(());
        }
        Err(Error::option(
            "covariates",
            "are of customers: pass one row a customer and data=\"customers\"; a row may stand for many, with `weight`",
        ))
    }

    /// What covariates cannot stand beside.
    fn check_covariates(&self) -> Result<()> {
        self.of_customers()?;
        if self.cohorts == Pooling::Separate || self.cohort.is_some() {
            return Err(Error::option(
                "covariates",
                "a model with covariates has no curves of cohorts: name the cohort as a covariate, and leave `cohort` and `cohorts` out",
            ));
        }
        Ok(())
    }

    /// What says how the other kind of rows is read is refused where it is given.
    fn check(&self) -> Result<()> {
        let default = Self::default();
        let (rows, given) = match self.data {
            ContractData::Cohorts => (
                "cohorts: their customers are counted in `customers`, and `entry` is by `left_truncated`",
                [
                    ("weight", self.weight.is_some()),
                    ("entry", self.entry.is_some()),
                    ("duration", self.duration != default.duration),
                    ("event", self.event != default.event),
                ],
            ),
            ContractData::Customers => (
                "customers: `duration`, `event`, `entry` and `weight` are their columns",
                [
                    ("index", self.index != default.index),
                    ("customers", self.customers != default.customers),
                    ("start", self.start != default.start),
                    ("left_truncated", self.left_truncated),
                ],
            ),
        };
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(Error::option(
                *option,
                format!("means nothing where `data` says that rows are of {rows}"),
            )),
        }
    }
}

fn tables(frame: &Columns, options: &ContractOptions, run: &Run) -> Result<(LifeTables, Dropped)> {
    options.check()?;
    match options.data {
        ContractData::Cohorts => cohorts(frame, options, run),
        ContractData::Customers => by_cohort(frame, options, run),
    }
}

/// Customers with covariates, as a frame has them.
pub(crate) fn customers(
    frame: &Columns,
    options: &ContractOptions,
    covariates: &ContractCovariates,
    run: &Run,
) -> Result<(Customers, Dropped)> {
    options.check()?;
    options.check_covariates()?;
    let columns = covariates.columns()?;
    let Rows { lives, given, dropped, .. } = rows(frame, options, None, Reader::Fit(&columns), run)?;
    Ok((Customers::of(&lives, &given), dropped))
}

/// The customers of one cohort, by their covariates where these are read.
pub(crate) struct Cohort {
    pub kinds: Vec<(Option<Vec<f64>>, LifeTable)>,
}

/// The cohorts of a frame, by label.
pub(crate) fn life_tables(
    frame: &Columns,
    options: &ContractOptions,
    effects: Option<&Effects>,
    run: &Run,
) -> Result<(Vec<Cohort>, Dropped)> {
    let Some(effects) = effects else {
        let (tables, dropped) = tables(frame, options, run)?;
        return Ok((
            tables.into_iter().map(|(_, life)| Cohort { kinds: vec![(None, life)] }).collect(),
            dropped,
        ));
    };
    options.check()?;
    options.of_customers()?;
    let cohort = cohort_column(frame, options);
    let Rows { cohort, lives, given, dropped } = rows(frame, options, cohort, effects.reader(), run)?;
    let of = |members: &[u32]| {
        let given: Vec<_> = given.iter().map(|g| g.ordered(members)).collect();
        let patterns = Patterns::of_matrix(effects.terms().matrix(&given, members.len()));
        let kind = |kind: usize| {
            let (rows, covariates) = patterns.get(kind);
            let life = |i: usize| lives[members[rows[i] as usize] as usize];
            (Some(covariates.to_vec()), LifeTable::of(rows.len(), life))
        };
        Cohort { kinds: (0..patterns.len()).map(kind).collect() }
    };
    let Some(names) = cohort else {
        return Ok((vec![of(&(0..lives.len() as u32).collect::<Vec<_>>())], dropped));
    };
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); names.labels.len()];
    for (row, code) in names.codes.iter().enumerate() {
        if let Some(members) = members.get_mut(*code as usize) {
            members.push(row as u32);
        }
    }
    let some = names.codes_by_label().into_iter().filter_map(|code| members.get(code as usize));
    Ok((some.filter(|members| !members.is_empty()).map(|members| of(members)).collect(), dropped))
}

type LifeTables = Vec<(Option<String>, LifeTable)>;

fn cohort_column<'a>(frame: &Columns, options: &'a ContractOptions) -> Option<&'a str> {
    options.cohort.as_deref().or_else(|| frame.has("cohort").then_some("cohort"))
}

fn cohorts(frame: &Columns, options: &ContractOptions, run: &Run) -> Result<(LifeTables, Dropped)> {
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let cohort = cohort_column(frame, options).map(|c| intake.names(c)).transpose()?;
    let index = intake.amounts(&options.index, Sign::NonNegative)?;
    let count = intake.amounts(&options.customers, Sign::NonNegative)?;
    let start = f64::from(options.start);
    let off = |v: f64| v.is_finite() && v >= 0.0 && (v.fract() != 0.0 || v < start || v - start > 1e5);
    intake.reject(
        &options.index,
        "is not a whole number of renewals from `start` to 100,000 after it",
        (0..index.len()).filter(|i| off(index[*i])),
    );
    let kept = intake.finish()?;
    let cohort = cohort.map(|c| kept.names(c));
    let (index, count) = (kept.values(index), kept.values(count));
    let mut rows: Vec<usize> = (0..kept.len()).collect();
    let code = |row: usize| cohort.as_ref().map_or(0, |c| c.codes[row]);
    rows.sort_by(|a, b| code(*a).cmp(&code(*b)).then(index[*a].total_cmp(&index[*b])));
    let mut tables = Vec::new();
    for group in rows.chunk_by(|a, b| code(*a) == code(*b)) {
        let label = cohort.as_ref().map(|c| c.labels.get(c.codes[group[0]]).into_owned());
        let name = || label.as_ref().map_or_else(String::new, |l| format!(" of cohort `{l}`"));
        for pair in group.windows(2) {
            let step = index[pair[1]] - index[pair[0]];
            if step != 1.0 {
                let what = if step == 0.0 { "appears twice" } else { "is followed by a gap" };
                return Err(Error::column(
                    &options.index,
                    format!("period {}{} {what}; give one row for each period", index[pair[0]], name()),
                ));
            }
            if count[pair[1]] > count[pair[0]] {
                return Err(Error::column(
                    &options.customers,
                    format!(
                        "rises from {} to {} in period {}{}: it is the number still there, which cannot grow",
                        count[pair[0]],
                        count[pair[1]],
                        index[pair[1]],
                        name()
                    ),
                ));
            }
        }
        let first = index[group[0]] - start;
        if first > 0.0 && !options.left_truncated {
            return Err(Error::option(
                "start",
                format!(
                    "the first period{} is {} and not {}: pass start={} if that is where a cohort is complete, or left_truncated=true if it came under observation later",
                    name(),
                    index[group[0]],
                    options.start,
                    index[group[0]]
                ),
            ));
        }
        let survivors: Vec<f64> = group.iter().map(|row| count[*row]).collect();
        tables.push((
            cohort.as_ref().map(|c| c.codes[group[0]]),
            LifeTable::from_survivors(&survivors, first as usize)?,
        ));
    }
    Ok((labelled(tables, cohort.as_ref()), kept.into_dropped()))
}

/// Customers one by one, as a frame has them.
struct Rows<'a> {
    cohort: Option<Names>,
    lives: Vec<(Life, f64)>,
    given: Vec<Given<'a>>,
    dropped: Dropped,
}

fn rows<'a>(
    frame: &'a Columns,
    options: &ContractOptions,
    cohort: Option<&str>,
    covariates: Reader<'_>,
    run: &'a Run,
) -> Result<Rows<'a>> {
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let cohort = cohort.map(|c| intake.names(c)).transpose()?;
    let duration = intake.amounts(&options.duration, Sign::NonNegative)?;
    let event = intake.flags(&options.event)?;
    let entry = options.entry.as_deref().map(|e| intake.amounts(e, Sign::NonNegative)).transpose()?;
    let weight = options.weight.as_deref().map(|w| intake.amounts(w, Sign::NonNegative)).transpose()?;
    let given = covariates.read(&mut intake)?;
    let row = |i: usize| (duration[i], event[i], entry.as_ref().map_or(0.0, |e| e[i]));
    // Rows whose numbers were refused above are counted there.
    let read = |(duration, _, entry): Life| [duration, entry].iter().all(|v| v.is_finite() && *v >= 0.0);
    let faults: Vec<(usize, (&str, &str))> =
        (0..duration.len()).filter(|i| read(row(*i))).filter_map(|i| fault(row(i)).map(|f| (i, f))).collect();
    let mut kinds: Vec<(&str, &str)> = faults.iter().map(|f| f.1).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let column = if kind.0 == "duration" {
            &options.duration
        } else {
            options.entry.as_ref().unwrap_or(&options.duration)
        };
        intake.reject(column, kind.1, faults.iter().filter(|f| f.1 == kind).map(|f| f.0));
    }
    let kept = intake.finish()?;
    let cohort = cohort.map(|c| kept.names(c));
    let (duration, event) = (kept.values(duration), kept.values(event));
    let (entry, weight) = (entry.map(|e| kept.values(e)), weight.map(|w| kept.values(w)));
    let life = |row: usize| {
        let lived = (duration[row], event[row], entry.as_ref().map_or(0.0, |e| e[row]));
        (lived, weight.as_ref().map_or(1.0, |w| w[row]))
    };
    let lives = (0..kept.len()).map(life).collect();
    let given = given.into_iter().map(|g| g.cut(&kept)).collect();
    Ok(Rows { cohort, lives, given, dropped: kept.into_dropped() })
}

fn by_cohort(frame: &Columns, options: &ContractOptions, run: &Run) -> Result<(LifeTables, Dropped)> {
    let cohort = cohort_column(frame, options);
    let Rows { cohort, lives, dropped, .. } = rows(frame, options, cohort, Reader::None, run)?;
    let life = |rows: &[usize]| LifeTable::of(rows.len(), |i| lives[rows[i]]);
    let mut rows: Vec<usize> = (0..lives.len()).collect();
    let Some(names) = &cohort else {
        return Ok((vec![(None, life(&rows))], dropped));
    };
    rows.sort_by_key(|row| names.codes[*row]);
    let tables = rows
        .chunk_by(|a, b| names.codes[*a] == names.codes[*b])
        .map(|group| (Some(names.codes[group[0]]), life(group)))
        .collect();
    Ok((labelled(tables, cohort.as_ref()), dropped))
}

/// The customers of a frame, of all its cohorts together.
pub(crate) fn lives(frame: &Columns, options: &ContractOptions, run: &Run) -> Result<(Lives, Dropped)> {
    options.check()?;
    match options.data {
        ContractData::Cohorts => {
            let (tables, dropped) = cohorts(frame, options, run)?;
            Ok((Lives::of(tables.iter().flat_map(|(_, table)| table.lives()).collect()), dropped))
        }
        ContractData::Customers => {
            let cohort = cohort_column(frame, options);
            let Rows { lives, dropped, .. } = rows(frame, options, cohort, Reader::None, run)?;
            Ok((Lives::of(lives), dropped))
        }
    }
}

/// The tables by label, so that nothing depends on the order of rows.
fn labelled(tables: Vec<(Option<u32>, LifeTable)>, names: Option<&Names>) -> LifeTables {
    let Some(names) = names else {
        return tables.into_iter().map(|(_, life)| (None, life)).collect();
    };
    let mut rank = vec![0_usize; names.labels.len()];
    for (at, code) in names.codes_by_label().into_iter().enumerate() {
        if let Some(rank) = rank.get_mut(code as usize) {
            *rank = at;
        }
    }
    let mut tables: Vec<(usize, Option<String>, LifeTable)> = tables
        .into_iter()
        .filter_map(|(code, life)| {
            let code = code?;
            Some((*rank.get(code as usize)?, Some(names.labels.get(code).into_owned()), life))
        })
        .collect();
    tables.sort_by_key(|t| t.0);
    tables.into_iter().map(|(_, label, life)| (label, life)).collect()
}
