//! Is the forecast any good? A model beside the purchases of a holdout.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::covariates::{each_law, reader};
use super::door::PurchaseOptions;
use super::errors::{ForecastErrors, forecast_errors};
use super::frames::{History as Rows, Roles, intervals_of};
use super::laws::{Purchases, expected_purchases, opportunities, same_unit};
use super::rows::RfmSlices;
use super::unit::Unit;
use crate::column::{Columns, Intake, Kept, Kind, Names, OnInvalid, Sign, Table, Tables, Text, Values};
use crate::math::sum;
use crate::{Error, Result, Run};

/// Columns and options of the report `check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of purchases in the holdout. Default `"frequency_holdout"`.
    pub frequency_holdout: String,
    /// Column of the length of the holdout, in periods; one length for all. Default `"duration_holdout"`.
    pub duration_holdout: String,
    /// Column of cohorts, of names or times, such as [`Rfm::cohort`](super::Rfm::cohort)
    /// gives; without one, cohorts are the bins of T. None by default.
    pub cohort: Option<String>,
    /// The last bin of frequencies is this many purchases or more. Default 7.
    pub most: usize,
    /// How many bins of recency and of T. Default 8.
    pub bins: usize,
    /// The unit of recency and T, where it is known; it must then be the model's.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for CheckOptions {
    fn default() -> Self {
        let PurchaseOptions { frequency, recency, age, .. } = PurchaseOptions::default();
        Self {
            frequency,
            recency,
            age,
            frequency_holdout: "frequency_holdout".into(),
            duration_holdout: "duration_holdout".into(),
            cohort: None,
            most: 7,
            bins: 8,
            period: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// The columns of a holdout: its purchases, and its length.
pub(super) struct Holdout<'a> {
    purchases: Cow<'a, [f64]>,
    lengths: Cow<'a, [f64]>,
}

impl<'a> Holdout<'a> {
    pub(super) fn read(intake: &mut Intake<'a>, [purchases, length]: [&str; 2]) -> Result<Self> {
        let purchases = intake.amounts(purchases, Sign::NonNegative)?;
        Ok(Self { purchases, lengths: intake.amounts(length, Sign::NonNegative)? })
    }

    /// What came of the rows that were kept, and in how long.
    pub(super) fn cut(self, kept: &Kept, length: &str) -> Result<(Cow<'a, [f64]>, f64)> {
        let (purchases, lengths) = (kept.values(self.purchases), kept.values(self.lengths));
        let periods = lengths.first().copied().unwrap_or_default();
        if let Some(row) = lengths.iter().position(|l| *l != periods) {
            return Err(Error::Row {
                column: length.to_owned(),
                row: kept.row(row) as u64,
                reason: "differs from the first row's: all holdouts must be of one length".into(),
                count: 1,
            });
        }
        Ok((purchases, periods))
    }
}

/// A model beside the holdout of a frame, customer by customer, in groups and in all.
///
/// | table | columns |
/// | --- | --- |
/// | `check` | level (`customer`, `cohort`, `total`), mae, rmse, bias: of purchases; for customers also spearman, gini, gini_normalised |
/// | `by_frequency`, `by_recency`, `by_age` | bin, low, high, customers, actual, expected: mean purchases in the holdout |
/// | `by_cohort` (with a column of cohorts) | cohort, customers, actual, expected: all purchases in the holdout; bias, relative_bias of the sum; mae, rmse of its customers |
/// | `deciles` | decile (1: the most promising), customers, actual, expected, share: of all actual purchases |
///
/// Cohorts are those of the column `cohort`, or else the bins of T. Deciles have customers of equal prediction
/// in one order only if their prediction differs: ties share alike.
pub(super) fn check(
    model: &dyn Purchases,
    frame: &Columns,
    options: &CheckOptions,
    run: &Run,
) -> Result<Tables> {
    let cut = Cut::new(options.most, options.bins)?;
    let (frequency, recency, age) = (&options.frequency, &options.recency, &options.age);
    let roles = Roles {
        customer: None,
        frequency,
        recency,
        age,
        weight: None,
        along: None,
        intervals: intervals_of(None, frame, model.reads_intervals()),
        covariates: reader(model),
    };
    let (rows, (holdout, named), kept) =
        Rows::read_beside(frame, roles, options.on_invalid, run, |intake| {
            let holdout = Holdout::read(intake, [&options.frequency_holdout, &options.duration_holdout])?;
            Ok((holdout, options.cohort.as_deref().map(|name| Labels::read(intake, name)).transpose()?))
        })?;
    let (actual, periods) = holdout.cut(&kept, &options.duration_holdout)?;
    same_unit(model.period(), options.period)?;
    if model.is_discrete() {
        opportunities(&rows.slices())?;
    }
    if model.reads_intervals() {
        rows.slices().check_times()?;
    }
    let expected =
        each_law(model, &rows, run, |model, rows| expected_purchases(model, rows, periods, run))?.map(|e| *e);
    let named = named.map(|labels| Cohorts::of(labels, &kept));
    let mut tables = cut.tables(&rows.slices(), &actual, &expected, named)?;
    tables.push(("dropped", rows.dropped.table()));
    Ok(tables)
}

/// How customers are grouped.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    most: usize,
    bins: usize,
}

impl Cut {
    pub(super) fn new(most: usize, bins: usize) -> Result<Self> {
        if [most, bins].iter().any(|n| *n == 0 || *n > 1000) {
            return Err(Error::option("bins", "bins and most must be numbers from 1 to 1000"));
        }
        Ok(Self { most, bins })
    }

    /// The tables of [`check`], by customers' histories, and what they did and were expected to do.
    pub(super) fn tables(
        self,
        rows: &RfmSlices<'_>,
        actual: &[f64],
        expected: &[f64],
        named: Option<Cohorts>,
    ) -> Result<Tables> {
        let Self { most, bins: parts } = self;
        let by_frequency: Vec<usize> = rows.frequency.iter().map(|x| (*x as usize).min(most)).collect();
        let edges: Vec<(f64, f64)> =
            (0..=most).map(|n| (n as f64, if n == most { f64::INFINITY } else { n as f64 })).collect();
        let (by_recency, recency_edges) = equal_widths(rows.recency, parts);
        let (by_age, age_edges) = equal_widths(rows.age, parts);
        let ages = grouped(&by_age, age_edges.len(), actual, expected);
        let cohorts = match &named {
            Some(cohorts) => grouped(&cohorts.of, cohorts.count, actual, expected),
            None => ages.clone(),
        };
        let errors = forecast_errors(actual, expected)?;
        let mut tables = vec![
            ("check", levels(&errors, &cohorts, actual, expected)),
            ("by_frequency", bins(&grouped(&by_frequency, edges.len(), actual, expected), &edges)),
            (
                "by_recency",
                bins(&grouped(&by_recency, recency_edges.len(), actual, expected), &recency_edges),
            ),
            ("by_age", bins(&ages, &age_edges)),
            ("deciles", deciles(actual, expected)),
        ];
        if let Some(named) = named {
            tables.push(("by_cohort", named.table(&cohorts, actual, expected)));
        }
        Ok(tables)
    }
}

/// The cohort of each row, in the order of their labels or times.
pub(super) struct Cohorts {
    of: Vec<usize>,
    count: usize,
    labels: Values,
}

/// A column of cohorts.
enum Labels<'a> {
    Times(Cow<'a, [i64]>),
    Names(Names),
}

impl<'a> Labels<'a> {
    fn read(intake: &mut Intake<'a>, name: &str) -> Result<Self> {
        Ok(match intake.columns().kind(name) {
            Some(Kind::Time) => Self::Times(intake.times(name)?),
            _ => Self::Names(intake.names(name)?),
        })
    }
}

impl Cohorts {
    fn of(labels: Labels<'_>, kept: &Kept) -> Self {
        let (of, labels) = match labels {
            Labels::Times(times) => {
                let times = kept.values(times);
                let mut all = times.to_vec();
                all.sort_unstable();
                all.dedup();
                let of = times.iter().map(|time| all.binary_search(time).unwrap_or_default()).collect();
                (of, Values::Time(all))
            }
            Labels::Names(names) => {
                let names = kept.names(names);
                let order = names.codes_by_label();
                let mut place = vec![0; names.labels.len()];
                for (at, code) in order.iter().enumerate() {
                    place[*code as usize] = at;
                }
                let of: Vec<usize> = names.codes.iter().map(|code| place[*code as usize]).collect();
                (of, Values::Names(Names { codes: order, labels: names.labels }))
            }
        };
        Self { of, count: labels.len(), labels }
    }

    fn table(self, sums: &[[f64; 3]], actual: &[f64], expected: &[f64]) -> Table {
        let mut members: Vec<Vec<f64>> = vec![Vec::new(); self.count];
        for (row, cohort) in self.of.iter().enumerate() {
            members[*cohort].push(expected[row] - actual[row]);
        }
        let column = |f: &dyn Fn(&[f64; 3]) -> f64| Values::F64(sums.iter().map(f).collect());
        let mean = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
            members
                .iter()
                .map(|gaps| sum(gaps.iter().map(|gap| f(*gap))) / gaps.len().max(1) as f64)
                .collect()
        };
        Table::new()
            .with("cohort", self.labels)
            .with("customers", column(&|s| s[0]))
            .with("actual", column(&|s| s[1]))
            .with("expected", column(&|s| s[2]))
            .with("bias", column(&|s| s[2] - s[1]))
            .with_optional("relative_bias", sums.iter().map(|s| (s[1] > 0.0).then(|| (s[2] - s[1]) / s[1])))
            .with("mae", Values::F64(mean(&f64::abs)))
            .with("rmse", Values::F64(mean(&|gap| gap * gap).into_iter().map(f64::sqrt).collect()))
    }
}

/// Customers, actual and expected purchases of each group.
fn grouped(of: &[usize], groups: usize, actual: &[f64], expected: &[f64]) -> Vec<[f64; 3]> {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups];
    for (row, group) in of.iter().enumerate() {
        members[*group].push(row);
    }
    let total = |rows: &[usize], values: &[f64]| sum(rows.iter().map(|row| values[*row]));
    members.iter().map(|rows| [rows.len() as f64, total(rows, actual), total(rows, expected)]).collect()
}

/// The bin of each value, and the bins.
fn equal_widths(values: &[f64], bins: usize) -> (Vec<usize>, Vec<(f64, f64)>) {
    let low = values.iter().fold(f64::INFINITY, |m, v| m.min(*v));
    let high = values.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
    if low >= high {
        return (vec![0; values.len()], vec![(low, high)]);
    }
    let width = (high - low) / bins as f64;
    let bin = |v: f64| (((v - low) / width) as usize).min(bins - 1);
    let edges = (0..bins).map(|i| (low + width * i as f64, low + width * (i + 1) as f64)).collect();
    (values.iter().map(|v| bin(*v)).collect(), edges)
}

fn levels(errors: &ForecastErrors, cohorts: &[[f64; 3]], actual: &[f64], expected: &[f64]) -> Table {
    let full: Vec<[f64; 3]> = cohorts.iter().copied().filter(|c| c[0] > 0.0).collect();
    let n = full.len().max(1) as f64;
    let gap = |c: &[f64; 3]| c[2] - c[1];
    let all = sum(expected.iter().copied()) - sum(actual.iter().copied());
    let only = |x: f64| [Some(x), None, None];
    Table::new()
        .with("level", Values::Text(["customer", "cohort", "total"].into_iter().collect::<Text>()))
        .with("mae", Values::F64(vec![errors.mae, sum(full.iter().map(|c| gap(c).abs())) / n, all.abs()]))
        .with(
            "rmse",
            Values::F64(vec![errors.rmse, (sum(full.iter().map(|c| gap(c) * gap(c))) / n).sqrt(), all.abs()]),
        )
        .with("bias", Values::F64(vec![all; 3]))
        .with_optional("spearman", only(errors.spearman))
        .with_optional("gini", only(errors.gini))
        .with_optional("gini_normalised", only(errors.gini_normalised))
}

fn bins(groups: &[[f64; 3]], edges: &[(f64, f64)]) -> Table {
    let mean = |at: usize| groups.iter().map(move |g| (g[0] > 0.0).then(|| g[at] / g[0]));
    Table::new()
        .with("bin", Values::I64((1..=groups.len() as i64).collect()))
        .with("low", Values::F64(edges.iter().map(|e| e.0).collect()))
        .with_optional("high", edges.iter().map(|e| Some(e.1).filter(|high| high.is_finite())))
        .with("customers", Values::F64(groups.iter().map(|g| g[0]).collect()))
        .with_optional("actual", mean(1))
        .with_optional("expected", mean(2))
}

/// Tenths of the customers by what is expected of them, the best first.
pub(super) fn deciles(actual: &[f64], expected: &[f64]) -> Table {
    let n = actual.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| expected[*b].total_cmp(&expected[*a]));
    // Customers whose prediction is the same have their mean: who of them is first tells nothing.
    let mut shared = vec![0.0; n];
    let mut at = 0;
    for tie in order.chunk_by(|a, b| expected[*a] == expected[*b]) {
        let mean = sum(tie.iter().map(|row| actual[*row])) / tie.len() as f64;
        shared[at..at + tie.len()].fill(mean);
        at += tie.len();
    }
    let total = sum(actual.iter().copied());
    let groups = n.min(10);
    let cut = |g: usize| g * n / groups;
    let rows: Vec<[f64; 3]> = (0..groups)
        .map(|g| {
            let (from, to) = (cut(g), cut(g + 1));
            let inside = sum(order[from..to].iter().map(|row| expected[*row]));
            [(to - from) as f64, sum(shared[from..to].iter().copied()), inside]
        })
        .collect();
    let column = |f: &dyn Fn(&[f64; 3]) -> f64| Values::F64(rows.iter().map(f).collect());
    Table::new()
        .with("decile", Values::I64((1..=groups as i64).collect()))
        .with("customers", column(&|r| r[0]))
        .with("actual", column(&|r| r[1] / r[0]))
        .with("expected", column(&|r| r[2] / r[0]))
        .with("share", column(&|r| if total > 0.0 { r[1] / total } else { 0.0 }))
}
