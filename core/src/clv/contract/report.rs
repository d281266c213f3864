//! What a fitted model has to say, as tables.

use serde::{Deserialize, Serialize};

use super::life::MOST_PERIODS;
use super::model::{Group, Uncertain};
use super::{ContractModel, Curve};
use crate::clv::estimates::Estimates;
use crate::clv::finance::Rate;
use crate::column::{Columns, Intake, OnInvalid, Sign, Table, Tables, Text, Values};
use crate::{Error, Result, Run};

/// Options of the report `survival`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SurvivalOptions {
    /// How many periods from the beginning; as many as were observed unless given.
    pub periods: Option<u32>,
    /// Level of an interval for the uncertainty of the parameters, such as 0.95; none by default.
    pub interval: Option<f64>,
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
}

impl Default for ContractValueOptions {
    fn default() -> Self {
        Self { discount: None, tenures: 5, horizon: None, margin: 1.0, interval: None }
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

/// Two optional columns of an interval.
fn with_interval(table: Table, name: &str, edges: Option<Vec<Option<[f64; 2]>>>) -> Table {
    let Some(edges) = edges else { return table };
    [("low", 0), ("high", 1)].into_iter().fold(table, |table, (side, i)| {
        table.with_optional(&format!("{name}_{side}"), edges.iter().map(|e| e.map(|e| e[i])))
    })
}

impl ContractModel {
    /// The discount rate over one period.
    fn rate(&self, discount: Rate) -> Result<f64> {
        discount.check("discount")?;
        let Some(period) = self.period else {
            return Err(Error::option(
                "period",
                "the model does not know the length of its periods, so a discount rate cannot be converted: fit it with period=\"30d\" or the like",
            ));
        };
        Ok(discount.over(period))
    }

    /// The cohort column of a table with these groups and rows of each.
    fn cohort_column(groups: &[Group<'_>], rows: &[usize]) -> Option<(Values, Vec<bool>)> {
        if groups.len() == 1 {
            return None;
        }
        let repeated = groups.iter().zip(rows).flat_map(|(g, n)| std::iter::repeat_n(g.cohort, *n));
        let valid = repeated.clone().map(|c| c.is_some()).collect();
        Some((Values::Text(repeated.map(Option::unwrap_or_default).collect::<Text>()), valid))
    }

    fn begin(groups: &[Group<'_>], rows: &[usize]) -> Table {
        match Self::cohort_column(groups, rows) {
            None => Table::new(),
            Some((values, valid)) => Table::new().push("cohort", values, Some(valid)),
        }
    }

    /// A frame of the retention curve, for all customers and each cohort:
    /// \[cohort,\] period, observed (Kaplan and Meier's), survival, retention,
    /// churn, each of the three with `_low` and `_high` where an interval was asked for.
    pub fn survival(&self, options: &SurvivalOptions, run: &Run) -> Result<Table> {
        let z = options.interval.map(|level| self.estimates.interval_quantile(level)).transpose()?;
        let groups = self.groups();
        let periods = options.periods.unwrap_or(self.life.periods().max(1) as u32);
        cap("periods", periods)?;
        if groups.len() as u64 * u64::from(periods) > 10_000_000 {
            return Err(Error::option("periods", "cohorts times periods must be ten million at most"));
        }
        let rows = periods as usize + 1;
        let mut observed = Vec::new();
        let (mut period, mut survival) = (Vec::new(), Vec::new());
        let (mut retention, mut churn) = (Vec::new(), Vec::new());
        let mut edges = z.map(|_| [const { Vec::new() }; 3]);
        for group in &groups {
            let uncertain = Uncertain::of(group.estimates);
            let curve = uncertain.curve;
            let seen = group.life.survival();
            for t in 0..=periods {
                if t % 1024 == 0 {
                    run.check()?;
                }
                period.push(i64::from(t));
                observed.push(if t == 0 { Some(1.0) } else { seen.get(t as usize - 1).copied().flatten() });
                survival.push(curve.survival(t));
                retention.push((t > 0).then(|| curve.retention(t)));
                churn.push((t > 0).then(|| curve.churn(t)));
                if let (Some(z), Some([survival, retention, churn])) = (z, &mut edges) {
                    survival.push(Some(uncertain.survival(0, t, z)));
                    retention.push((t > 0).then(|| uncertain.survival(t - 1, 1, z)));
                    let leaves = uncertain.positive(z, |c| Ok((t > 0).then(|| c.churn(t))))?;
                    churn.push(leaves.map(|[low, high]| [low, high.min(1.0)]));
                }
            }
        }
        let table = Self::begin(&groups, &vec![rows; groups.len()])
            .with("period", Values::I64(period))
            .with_optional("observed", observed)
            .with("survival", Values::F64(survival));
        let [of_survival, of_retention, of_churn] = edges.map_or([const { None }; 3], |e| e.map(Some));
        let table = with_interval(table, "survival", of_survival).with_optional("retention", retention);
        let table = with_interval(table, "retention", of_retention).with_optional("churn", churn);
        Ok(with_interval(table, "churn", of_churn))
    }

    /// A frame of discounted lifetimes by tenure, for all customers and each
    /// cohort: \[cohort,\] tenure, discounted_lifetime, expected_lifetime, value.
    ///
    /// Tenure 0 is a new customer, whose first payment counts: DEL. Tenure n
    /// from 1 is a customer in period n just before the renewal that ends it:
    /// DERL(n). `expected_lifetime` counts the same periods without a discount
    /// and is missing where infinite; `value` is `margin` times the first. With an
    /// interval the two lifetimes have `_low` and `_high`, missing where one is infinite.
    pub fn value(&self, options: &ContractValueOptions, run: &Run) -> Result<Table> {
        let z = options.interval.map(|level| self.estimates.interval_quantile(level)).transpose()?;
        let Some(discount) = options.discount else {
            return Err(Error::option(
                "discount",
                "is needed, with its span, such as {\"rate\": 0.1, \"per\": \"365d\"}",
            ));
        };
        let d = self.rate(discount)?;
        finite("margin", options.margin)?;
        cap("tenures", options.tenures)?;
        let groups = self.groups();
        let rows = options.tenures as usize + 1;
        let (mut tenures, mut discounted, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        let mut edges = z.map(|_| [const { Vec::new() }; 2]);
        for group in &groups {
            let uncertain = Uncertain::of(group.estimates);
            for tenure in 0..=options.tenures {
                run.check()?;
                let of = |curve: &Curve| residual(curve, tenure, d, options.horizon);
                tenures.push(i64::from(tenure));
                discounted.push(finite_value(of(&uncertain.curve)?)?);
                let endless = |curve: &Curve| residual(curve, tenure, 0.0, options.horizon);
                expected.push(endless(&uncertain.curve)?);
                if let (Some(z), Some([edges, expected])) = (z, &mut edges) {
                    edges.push(uncertain.positive(z, of)?);
                    expected.push(uncertain.positive(z, endless)?);
                }
            }
        }
        let value: Vec<f64> = discounted.iter().map(|v| options.margin * v).collect();
        value.iter().try_for_each(|v| finite("margin", *v))?;
        let table = Self::begin(&groups, &vec![rows; groups.len()])
            .with("tenure", Values::I64(tenures))
            .with("discounted_lifetime", Values::F64(discounted));
        let [of_discounted, of_expected] = edges.map_or([const { None }; 2], |e| e.map(Some));
        let table = with_interval(table, "discounted_lifetime", of_discounted)
            .with_optional("expected_lifetime", expected);
        Ok(with_interval(table, "expected_lifetime", of_expected).with("value", Values::F64(value)))
    }

    /// A frame for customers who are still there: customer, survival (the
    /// chance to make `periods` more renewals), churn (at the next renewal),
    /// expected_lifetime (further periods expected, missing where infinite),
    /// and with a discount residual_value, `margin` · DERL.
    pub fn predict(&self, frame: &Columns, options: &ContractPredictOptions, run: &Run) -> Result<Tables> {
        let z = options.interval.map(|level| self.estimates.interval_quantile(level)).transpose()?;
        let d = options.discount.map(|discount| self.rate(discount)).transpose()?;
        finite("margin", options.margin)?;
        cap("periods", options.periods)?;
        let mut intake = Intake::new(frame, options.on_invalid, run);
        let customer = intake.names(&options.customer)?;
        let renewals = intake.amounts(&options.renewals, Sign::NonNegative)?;
        let known = (self.separate() && frame.has("cohort")).then_some("cohort");
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
        // One answer for each pair of curve and tenure.
        let fits: Vec<&Estimates> = std::iter::once(&self.estimates)
            .chain(self.cohorts.iter().map(|c| c.estimates.as_ref().unwrap_or(&self.estimates)))
            .collect();
        let by_code: Vec<usize> = cohort.as_ref().map_or_else(Vec::new, |names| {
            let labels = &names.labels;
            let place = |code: usize| self.cohorts.iter().position(|c| c.cohort == labels.get(code as u32));
            (0..labels.len()).map(|code| place(code).map_or(0, |at| at + 1)).collect()
        });
        let fit_of = |row: usize| {
            let code = cohort.as_ref().map(|c| c.codes[row] as usize);
            code.and_then(|code| by_code.get(code)).copied().unwrap_or(0)
        };
        let keys: Vec<(usize, u32)> =
            (0..kept.len()).map(|row| (fit_of(row), renewals[row] as u32)).collect();
        let mut distinct = keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let answers = run.map_items(distinct.len(), |i| {
            let (fit, made) = distinct[i];
            let uncertain = Uncertain::of(fits[fit]);
            let curve = uncertain.curve;
            let residual_value =
                |curve: &Curve| residual(curve, made.saturating_add(1), d.unwrap_or(0.0), options.horizon);
            Ok(Answer {
                survival: curve.survival_of_active(made, options.periods),
                survival_edges: z.map(|z| uncertain.survival(made, options.periods, z)),
                churn: -crate::math::exp_m1(curve.ln_retention(made.saturating_add(1))),
                expected: residual(&curve, made.saturating_add(1), 0.0, options.horizon)?,
                value: d.map(|_| residual_value(&curve).and_then(finite_value)).transpose()?,
                value_edges: match (d, z) {
                    (Some(_), Some(z)) => uncertain.positive(z, residual_value)?,
                    _ => None,
                },
            })
        })?;
        let at: Vec<usize> = keys.iter().map(|k| distinct.binary_search(k).unwrap_or_default()).collect();
        let column = |f: &dyn Fn(&Answer) -> f64| Values::F64(at.iter().map(|i| f(&answers[*i])).collect());
        let mut table = Table::new()
            .with("customer", Values::Names(kept.names(customer)))
            .with("survival", column(&|a| a.survival));
        let edges =
            |f: &dyn Fn(&Answer) -> Option<[f64; 2]>| z.map(|_| at.iter().map(|i| f(&answers[*i])).collect());
        table = with_interval(table, "survival", edges(&|a| a.survival_edges))
            .with("churn", column(&|a| a.churn))
            .with_optional("expected_lifetime", at.iter().map(|i| answers[*i].expected));
        if d.is_some() {
            let margin = options.margin;
            answers.iter().try_for_each(|a| {
                let edges = a.value_edges.unwrap_or_default();
                a.value.iter().chain(&edges).try_for_each(|v| finite("margin", margin * v))
            })?;
            table = table.with("residual_value", column(&|a| margin * a.value.unwrap_or_default()));
            let scaled = |a: &Answer| {
                let [x, y] = a.value_edges?.map(|v| margin * v);
                Some([x.min(y), x.max(y)])
            };
            table = with_interval(table, "residual_value", edges(&scaled));
        }
        Ok(vec![("predictions", table), ("dropped", kept.dropped().table())])
    }

    /// A frame of the parameters, for all customers and each cohort with a
    /// curve of its own: \[cohort,\] parameter, estimate, standard_error, low, high (95 %).
    pub fn table(&self) -> Result<Table> {
        self.by_cohort(|e| e.table(0.95))
    }

    /// One row on each fit: \[cohort,\] and the columns of [`Estimates::fit_table`].
    pub fn fit_table(&self) -> Result<Table> {
        self.by_cohort(|e| Ok(e.fit_table()))
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
        Ok(stack(Table::new().push("cohort", Values::Text(cohort), Some(valid)), &tables))
    }

    /// The life tables, of all customers and of each cohort:
    /// \[cohort,\] period, at_risk, lost, retention, survival.
    pub fn life_tables(&self) -> Table {
        let groups = self.groups();
        let tables: Vec<Table> = groups.iter().map(|g| g.life.table()).collect();
        let rows: Vec<usize> = tables.iter().map(Table::rows).collect();
        stack(Self::begin(&groups, &rows), &tables)
    }
}

struct Answer {
    survival: f64,
    survival_edges: Option<[f64; 2]>,
    churn: f64,
    expected: Option<f64>,
    value: Option<f64>,
    value_edges: Option<[f64; 2]>,
}

/// Tables of the same columns, of numbers and text, below each other.
fn stack(begin: Table, tables: &[Table]) -> Table {
    let Some(first) = tables.first() else { return begin };
    first.columns().iter().fold(begin, |out, column| {
        let same = || tables.iter().filter_map(|t| t.get(&column.name));
        let valid = same().flat_map(|c| c.valid.clone().unwrap_or_else(|| vec![true; c.values.len()]));
        let values = match &column.values {
            Values::I64(_) => Values::I64(
                same()
                    .flat_map(|c| if let Values::I64(v) = &c.values { v.clone() } else { Vec::new() })
                    .collect(),
            ),
            Values::Text(_) => {
                let mut all = Text::new();
                for column in same() {
                    if let Values::Text(v) = &column.values {
                        v.iter().for_each(|t| all.push(t));
                    }
                }
                Values::Text(all)
            }
            _ => Values::F64(
                same()
                    .flat_map(|c| if let Values::F64(v) = &c.values { v.clone() } else { Vec::new() })
                    .collect(),
            ),
        };
        out.push(&column.name, values, Some(valid.collect()))
    })
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

fn finite_value(value: Option<f64>) -> Result<f64> {
    value.filter(|v| v.is_finite()).ok_or_else(|| {
        Error::option(
            "discount",
            "without discount these lifetimes have no finite mean: discount, or pass a horizon in periods",
        )
    })
}
