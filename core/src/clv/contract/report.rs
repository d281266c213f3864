//! What a fitted model has to say, as tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::belief::{Belief, Told, told};
use super::life::MOST_PERIODS;
use super::model::Group;
use super::{ContractModel, Curve, Known, LifeTable};
use crate::clv::covariates::{Effects, Patterns};
use crate::clv::design::Reader;
use crate::clv::estimates::Estimates;
use crate::clv::finance::Rate;
use crate::clv::unit::Unit;
use crate::column::{Columns, Dropped, Intake, OnInvalid, Sign, Table, Tables, Text, Values};
use crate::{Error, Result, Run};

/// Options of the report `survival`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SurvivalOptions {
    /// How many periods from the beginning; as many as were observed unless given.
    pub periods: Option<u32>,
    /// Level of an interval for the uncertainty of the parameters, such as 0.95; none by default.
    pub interval: Option<f64>,
    /// Of a model with covariates: those of the kind of customer told of, such as
    /// `{"plan": "basic"}`; at their means unless given.
    pub at: Option<BTreeMap<String, Known>>,
}

/// Options of the report `value`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractValueOptions {
    /// The discount rate, such as `{"rate": 0.1, "per": "365d"}`; needed.
    pub discount: Option<Rate>,
    /// How many periods of tenure are valued; 5 by default.
    pub tenures: u32,
    /// Periods valued from each tenure on; all of them unless given.
    pub horizon: Option<u32>,
    /// Margin of one period; 1 by default, so that values are discounted periods.
    pub margin: f64,
    /// Level of an interval for the uncertainty of the parameters, such as 0.95; none by default.
    pub interval: Option<f64>,
    /// Of a model with covariates: those of the kind of customer told of; at their means unless given.
    pub at: Option<BTreeMap<String, Known>>,
}

impl Default for ContractValueOptions {
    fn default() -> Self {
        Self { discount: None, tenures: 5, horizon: None, margin: 1.0, interval: None, at: None }
    }
}

/// Roles and options of the report `predict`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractPredictOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of the renewals that each has made, from 0.
    pub renewals: String,
    /// Column of cohorts; `"cohort"` where the frame has it and the model has
    /// curves of cohorts, unless given. Cohorts that the model does not know
    /// have the curve of all.
    pub cohort: Option<String>,
    /// How many renewals ahead; 1 by default.
    pub periods: u32,
    /// The discount rate, such as `{"rate": 0.1, "per": "365d"}`; without one
    /// there is no residual value.
    pub discount: Option<Rate>,
    /// Periods valued; all of them unless given.
    pub horizon: Option<u32>,
    /// Margin of one period; 1 by default.
    pub margin: f64,
    /// Level of an interval for the uncertainty of the parameters, such as 0.95; none by default.
    pub interval: Option<f64>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for ContractPredictOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            renewals: "renewals".to_owned(),
            cohort: None,
            periods: 1,
            discount: None,
            horizon: None,
            margin: 1.0,
            interval: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

fn cap(name: &str, periods: u32) -> Result<()> {
    if periods as usize <= MOST_PERIODS {
        return Ok(());
    }
    Err(Error::option(name, "must be 100,000 periods at most"))
}

/// A discount rate over one period.
pub(crate) fn per_period(discount: Rate, period: Option<Unit>) -> Result<f64> {
    discount.check("discount")?;
    let Some(period) = period else {
        return Err(Error::option(
            "period",
            "the model does not know the length of its periods, so a discount rate cannot be converted: fit it with period=\"30d\" or the like",
        ));
    };
    Ok(discount.over(period.length()))
}

impl ContractModel {
    /// A frame of the retention curve, for all customers and each cohort, or of a model with covariates for
    /// one kind of customer (of which nothing is `observed` beyond the beginning):
    /// \[cohort,\] period, observed (Kaplan and Meier's), survival, retention,
    /// churn, each of the three with `_low` and `_high` where an interval was asked for.
    pub fn survival(&self, options: &SurvivalOptions, run: &Run) -> Result<Table> {
        let periods = options.periods.unwrap_or(self.life.periods().max(1) as u32);
        curves(&self.told(options.at.as_ref(), run)?.groups(options.interval)?, periods, run)
    }

    /// A frame of discounted lifetimes by tenure, for all customers and each
    /// cohort: \[cohort,\] tenure, discounted_lifetime, expected_lifetime, value.
    ///
    /// Tenure 0 is a new customer, whose first payment counts: DEL. Tenure n
    /// from 1 is a customer in period n just before the renewal that ends it:
    /// DERL(n). `expected_lifetime` counts the same periods without a discount
    /// and is missing where infinite; `value` is `margin` times the first. With an
    /// interval the three have `_low` and `_high`, missing where one is infinite.
    pub fn value(&self, options: &ContractValueOptions, run: &Run) -> Result<Table> {
        let discount = options.discount.map(|discount| per_period(discount, self.period)).transpose()?;
        values(&self.told(options.at.as_ref(), run)?.groups(options.interval)?, discount, options, run)
    }

    /// A frame for customers who are still there, with the columns of the model's covariates where it has them:
    /// customer, survival (the
    /// chance to make `periods` more renewals), churn (at the next renewal),
    /// expected_lifetime (further periods expected, missing where infinite),
    /// and with a discount residual_value, `margin` · DERL; each with `_low` and `_high` where an interval was
    /// asked for.
    pub fn predict(&self, frame: &Columns, options: &ContractPredictOptions, run: &Run) -> Result<Tables> {
        let discount = options.discount.map(|discount| per_period(discount, self.period)).transpose()?;
        let groups = self.groups(options.interval)?;
        let knowing;
        let by = if let Some(effects) = &self.effects {
            knowing = |row: &[f64]| Belief::of_fit(&self.estimates_at(effects, row), options.interval);
            By::Covariates(effects, &knowing)
        } else if self.separate() {
            By::Cohorts
        } else {
            By::All
        };
        let (table, dropped) = predict(&groups, by, frame, discount, options, run)?;
        Ok(vec![("predictions", table), ("dropped", dropped.table())])
    }

    /// A frame of the parameters, for all customers and each cohort with a
    /// curve of its own: \[cohort,\] parameter, estimate, standard_error, low, high (95 %).
    pub fn table(&self) -> Result<Table> {
        self.by_cohort(|e| self.table_of(e))
    }

    /// One row on each fit: \[cohort,\] and the columns of [`Estimates::fit_table`].
    pub fn fit_table(&self) -> Result<Table> {
        self.by_cohort(|e| Ok(self.fit_table_of(e)))
    }

    /// The parameters of all customers together: parameter, estimate, standard_error, low, high (95 %).
    pub(crate) fn parameters(&self) -> Result<Table> {
        self.table_of(&self.estimates)
    }

    /// One row on the fit of all customers together.
    pub(crate) fn whole_fit(&self) -> Table {
        self.fit_table_of(&self.estimates)
    }

    /// The coefficients of the covariates: covariate, on (alpha or beta), estimate,
    /// standard_error, z, p_value, low, high (95 %).
    pub fn coefficients(&self) -> Result<Table> {
        let without =
            || Error::option("covariates", "the model was fitted without, so it has no coefficients");
        self.effects.as_ref().ok_or_else(without)?.table(0.95)
    }

    fn table_of(&self, estimates: &Estimates) -> Result<Table> {
        let table = estimates.table(0.95)?;
        match &self.effects {
            None => Ok(table),
            Some(effects) => effects.append(&table, 0.95),
        }
    }

    fn fit_table_of(&self, estimates: &Estimates) -> Table {
        self.effects.as_ref().map_or_else(|| estimates.fit_table(), |effects| effects.fit_table(estimates))
    }

    fn by_cohort(&self, table: impl Fn(&Estimates) -> Result<Table>) -> Result<Table> {
        let own = self.cohorts.iter().filter_map(|c| Some((Some(c.cohort.as_str()), c.estimates.as_ref()?)));
        let fits: Vec<_> = std::iter::once((None, &self.estimates)).chain(own).collect();
        let (mut cohort, mut valid) = (Text::new(), Vec::new());
        let mut tables = Vec::new();
        for (label, estimates) in &fits {
            let table = table(estimates)?;
            for _ in 0..table.rows() {
                cohort.push(label.unwrap_or_default());
                valid.push(label.is_some());
            }
            tables.push(table);
        }
        if let [_] = fits[..] {
            return Ok(tables.pop().unwrap_or_default());
        }
        Ok(Table::new().push("cohort", Values::Text(cohort), Some(valid)).beside(&tables))
    }

    /// The life tables, of all customers and of each cohort:
    /// \[cohort,\] period, at_risk, lost, retention, survival.
    pub fn life_tables(&self) -> Table {
        let own = self.cohorts.iter().map(|c| (Some(c.cohort.as_str()), c.life.table()));
        let (cohorts, tables): (Vec<_>, Vec<_>) =
            std::iter::once((None, self.life.table())).chain(own).unzip();
        let rows: Vec<usize> = tables.iter().map(Table::rows).collect();
        begin(&cohorts, &rows).beside(&tables)
    }
}

/// The beginning of a table with so many rows of each group: their labels, where there is more than one.
fn begin(cohorts: &[Option<&str>], rows: &[usize]) -> Table {
    if cohorts.len() == 1 {
        return Table::new();
    }
    let repeated = cohorts.iter().zip(rows).flat_map(|(cohort, n)| std::iter::repeat_n(*cohort, *n));
    let valid = repeated.clone().map(|c| c.is_some()).collect();
    let labels = repeated.map(Option::unwrap_or_default).collect::<Text>();
    Table::new().push("cohort", Values::Text(labels), Some(valid))
}

/// The same number of rows for each group.
fn begin_evenly(groups: &[Group<'_>], rows: usize) -> Table {
    let cohorts: Vec<Option<&str>> = groups.iter().map(|g| g.cohort).collect();
    begin(&cohorts, &vec![rows; groups.len()])
}

fn has_limits(groups: &[Group<'_>]) -> bool {
    groups.iter().any(|g| g.belief.has_limits())
}

/// What [`ContractModel::survival`] tells; `observed` of groups whose life is known.
pub(crate) fn curves(groups: &[Group<'_>], periods: u32, run: &Run) -> Result<Table> {
    cap("periods", periods)?;
    if groups.len() as u64 * u64::from(periods) > 10_000_000 {
        return Err(Error::option("periods", "cohorts times periods must be ten million at most"));
    }
    let (mut period, mut observed) = (Vec::new(), Vec::new());
    let (mut survival, mut retention, mut churn) = (Vec::new(), Vec::new(), Vec::new());
    for Group { life, belief, .. } in groups {
        let seen = life.map(LifeTable::survival);
        for t in 0..=periods {
            if t % 1024 == 0 {
                run.check()?;
            }
            period.push(i64::from(t));
            observed.extend(seen.as_ref().map(|seen| match t {
                0 => Some(1.0),
                _ => seen.get(t as usize - 1).copied().flatten(),
            }));
            let later = |ask: &dyn Fn() -> Result<Told>| (t > 0).then(ask).transpose();
            survival.push(Some(belief.share(0, t)?));
            retention.push(later(&|| belief.staying(t - 1))?);
            churn.push(later(&|| belief.churn(t))?);
        }
    }
    let limits = has_limits(groups);
    let mut table = begin_evenly(groups, periods as usize + 1).with("period", Values::I64(period));
    if groups.iter().any(|g| g.life.is_some()) {
        table = table.with_optional("observed", observed);
    }
    let table = told(table, "survival", &survival, limits);
    let table = told(table, "retention", &retention, limits);
    Ok(told(table, "churn", &churn, limits))
}

/// What [`ContractModel::value`] tells, at this rate per period.
pub(crate) fn values(
    groups: &[Group<'_>],
    discount: Option<f64>,
    options: &ContractValueOptions,
    run: &Run,
) -> Result<Table> {
    let Some(d) = discount else {
        return Err(Error::option(
            "discount",
            "is needed, with its span, such as {\"rate\": 0.1, \"per\": \"365d\"}",
        ));
    };
    finite("margin", options.margin)?;
    cap("tenures", options.tenures)?;
    let (mut tenures, mut discounted, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for Group { belief, .. } in groups {
        for tenure in 0..=options.tenures {
            run.check()?;
            tenures.push(i64::from(tenure));
            discounted.push(Some(bounded(belief.positive(|c| residual(c, tenure, d, options.horizon))?)?));
            expected.push(Some(belief.positive(|c| residual(c, tenure, 0.0, options.horizon))?));
        }
    }
    let value = worth(&discounted, options.margin)?;
    let limits = has_limits(groups);
    let table = begin_evenly(groups, options.tenures as usize + 1).with("tenure", Values::I64(tenures));
    let table = told(table, "discounted_lifetime", &discounted, limits);
    let table = told(table, "expected_lifetime", &expected, limits);
    Ok(told(table, "value", &value, limits))
}

/// What is known of the curve of a customer with these covariates.
pub(crate) type Knowing<'a> = dyn Fn(&[f64]) -> Result<Belief<'static>> + Sync + Send + 'a;

/// By what customers have their curves.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    /// All have one.
    All,
    /// By a column of cohorts.
    Cohorts,
    /// By covariates.
    Covariates(&'a Effects, &'a Knowing<'a>),
}

/// What [`ContractModel::predict`] tells: the first group is of all customers, and of cohorts that are not known.
pub(crate) fn predict(
    groups: &[Group<'_>],
    by: By<'_>,
    frame: &Columns,
    discount: Option<f64>,
    options: &ContractPredictOptions,
    run: &Run,
) -> Result<(Table, Dropped)> {
    finite("margin", options.margin)?;
    cap("periods", options.periods)?;
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let customer = intake.names(&options.customer)?;
    let renewals = intake.amounts(&options.renewals, Sign::NonNegative)?;
    let explained = match by {
        By::Covariates(effects, knowing) => Some((effects, knowing)),
        _ => None,
    };
    let effects = explained.map(|(effects, _)| effects);
    if effects.is_some() && options.cohort.is_some() {
        return Err(Error::option("cohort", "the model has covariates and no cohorts: leave it out"));
    }
    let given = effects.map_or(Reader::None, Effects::reader).read(&mut intake)?;
    let known = (matches!(by, By::Cohorts) && frame.has("cohort")).then_some("cohort");
    let cohort = options.cohort.as_deref().or(known).map(|c| intake.optional_names(c)).transpose()?;
    let off = |v: f64| v.is_finite() && (v.fract() != 0.0 || v > MOST_PERIODS as f64);
    intake.reject(
        &options.renewals,
        "is not a whole number of renewals from 0 to 100,000",
        (0..renewals.len()).filter(|i| off(renewals[*i])),
    );
    let kept = intake.finish()?;
    let renewals = kept.values(renewals);
    let cohort = cohort.map(|c| kept.names(c));
    let given: Vec<_> = given.into_iter().map(|g| g.cut(&kept)).collect();
    let patterns = effects.map(|effects| Patterns::of_matrix(effects.terms().matrix(&given, kept.len())));
    let mut kind_of = vec![0; if effects.is_some() { kept.len() } else { 0 }];
    for (kind, (members, _)) in patterns.iter().flat_map(Patterns::each).enumerate() {
        members.iter().for_each(|member| kind_of[*member as usize] = kind);
    }
    // One answer for each pair of curve and tenure.
    let by_code: Vec<usize> = cohort.as_ref().map_or_else(Vec::new, |names| {
        let place = |code: usize| {
            let label = names.labels.get(code as u32);
            groups.iter().position(|g| g.cohort.is_some_and(|cohort| cohort == label))
        };
        (0..names.labels.len()).map(|code| place(code).unwrap_or(0)).collect()
    });
    let group_of = |row: usize| {
        let code = cohort.as_ref().map(|c| c.codes[row] as usize);
        code.and_then(|code| by_code.get(code)).or_else(|| kind_of.get(row)).copied().unwrap_or(0)
    };
    let keys: Vec<(usize, u32)> = (0..kept.len()).map(|row| (group_of(row), renewals[row] as u32)).collect();
    let mut distinct = keys.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let answers = run.map_items(distinct.len(), |i| {
        run.check()?;
        let (group, made) = distinct[i];
        let own = match (explained, &patterns) {
            (Some((_, knowing)), Some(patterns)) => Some(knowing(patterns.get(group).1)?),
            _ => None,
        };
        let belief = match &own {
            Some(own) => own,
            None => &groups[group].belief,
        };
        let lifetime =
            |d: f64| belief.positive(|curve| residual(curve, made.saturating_add(1), d, options.horizon));
        let value = discount.map(|d| bounded(lifetime(d)?)).transpose()?;
        Ok([
            Some(belief.share(made, options.periods)?),
            Some(belief.leaving(made)?),
            Some(lifetime(0.0)?),
            value,
        ])
    })?;
    let at: Vec<usize> = keys.iter().map(|k| distinct.binary_search(k).unwrap_or_default()).collect();
    let column = |which: usize| at.iter().map(|i| answers[*i][which]).collect::<Vec<Option<Told>>>();
    let limits = options.interval.is_some() || has_limits(groups);
    let mut table = Table::new().with("customer", Values::Names(kept.names(customer)));
    for (which, name) in ["survival", "churn", "expected_lifetime"].into_iter().enumerate() {
        table = told(table, name, &column(which), limits);
    }
    if discount.is_some() {
        table = told(table, "residual_value", &worth(&column(3), options.margin)?, limits);
    }
    Ok((table, kept.into_dropped()))
}

/// Money for lifetimes.
fn worth(lifetimes: &[Option<Told>], margin: f64) -> Result<Vec<Option<Told>>> {
    let worth = |told: &Option<Told>| {
        let Some(told) = told.map(|t| t.times(margin)) else { return Ok(None) };
        told.numbers().try_for_each(|v| finite("margin", v))?;
        Ok(Some(told))
    };
    lifetimes.iter().map(worth).collect()
}

/// DEL for tenure 0, DERL(n) for tenure n; `None` where infinite.
fn residual(curve: &Curve, tenure: u32, d: f64, horizon: Option<u32>) -> Result<Option<f64>> {
    let whole = curve.discounted_lifetime(tenure, d, horizon)?;
    Ok(whole.map(|v| if tenure == 0 { v } else { curve.retention(tenure) * v }))
}

fn finite(name: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Error::option(name, "must be a finite number, and so must what is made of it"))
    }
}

/// A lifetime that must be finite.
fn bounded(told: Told) -> Result<Told> {
    if told.value.is_some() {
        return Ok(told);
    }
    Err(Error::option(
        "discount",
        "without discount these lifetimes have no finite mean: discount, or pass a horizon in periods",
    ))
}
