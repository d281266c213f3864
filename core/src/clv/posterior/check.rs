//! Does the model produce customers like these?

use serde::{Deserialize, Serialize};

use super::Posterior;
use super::predict::most_draws;
use super::replicate::{Replicate, bought_lately};
use super::report::level;
use super::subject::{Subject, given};
use crate::clv::contract::ContractOptions;
use crate::clv::covariates::{Effects, Patterns};
use crate::clv::frames::{History as Rows, Roles};
use crate::clv::laws::{opportunities, same_unit};
use crate::clv::rows::Unique;
use crate::clv::unit::Unit;
use crate::column::{Columns, Dropped, OnInvalid, Table, Text, Values};
use crate::math::{quantile, sorted, sum};
use crate::{Error, Result, Run};

/// Draw i replicates from stream `STREAM` + i.
pub(super) const STREAM: u64 = 0x6368_6563_6b00_0000;

/// Roles and options of [`Posterior::check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PosteriorCheckOptions {
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of the mean value of the repeat purchases, where the draws are of `GammaGamma`.
    pub monetary_value: String,
    /// Where the draws are of a model of retention: what a row is, and its columns, as
    /// [`PosteriorOptions::contract`](super::PosteriorOptions::contract) has them.
    pub contract: Option<ContractOptions>,
    /// Column of weights: how many customers a row stands for, a whole number. None by default.
    pub weight: Option<String>,
    /// Customers of so many repeat purchases or more, and renewals from this one on, are one class; 7 by default,
    /// 1000 at most.
    pub most: usize,
    /// Level of the interval from `low` to `high`; 0.9 by default.
    pub level: f64,
    /// Replicate by at most so many draws, evenly spaced; 400 by default, 100,000
    /// at most.
    pub most_draws: usize,
    /// The unit of recency and T, where it is known; it must then be the draws'.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for PosteriorCheckOptions {
    fn default() -> Self {
        Self {
            frequency: "frequency".to_owned(),
            recency: "recency".to_owned(),
            age: "T".to_owned(),
            monetary_value: "monetary_value".to_owned(),
            contract: None,
            weight: None,
            most: 7,
            level: 0.9,
            most_draws: 400,
            period: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Statistics of customers beside those that the model would have given, and the
/// rows that were dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct PosteriorCheck {
    pub(super) statistics: Vec<String>,
    pub(super) observed: Vec<f64>,
    /// Of each statistic, its replicates in ascending order.
    pub(super) replicates: Vec<Vec<f64>>,
    pub(super) level: f64,
    pub(super) dropped: Dropped,
}

impl PosteriorCheck {
    /// The frame of [`Posterior::check`].
    pub fn table(&self) -> Table {
        let each = |f: &dyn Fn(usize, &[f64]) -> f64| {
            Values::F64(self.replicates.iter().enumerate().map(|(i, r)| f(i, r)).collect())
        };
        let tail = 0.5 - 0.5 * self.level;
        Table::new()
            .with("statistic", Values::Text(self.statistics.iter().collect::<Text>()))
            .with("observed", Values::F64(self.observed.clone()))
            .with("expected", each(&|_, r| sum(r.iter().copied()) / r.len() as f64))
            .with("low", each(&|_, r| quantile(r, tail)))
            .with("high", each(&|_, r| quantile(r, 1.0 - tail)))
            .with("p", each(&|i, r| reached(r, self.observed[i])))
    }

    /// The rows that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// The share of sorted replicates above what was observed, half of those equal to it included.
fn reached(replicates: &[f64], observed: f64) -> f64 {
    let below = replicates.partition_point(|r| *r < observed);
    let equal = replicates.partition_point(|r| *r <= observed) - below;
    let above = replicates.len() - below - equal;
    (above as f64 + 0.5 * equal as f64) / replicates.len() as f64
}

impl Posterior {
    /// Posterior predictive checks (Gelman, Meng & Stern 1996): statistics of these
    /// customers beside those of customers of the same ages that the model makes.
    ///
    /// | column | meaning |
    /// | --- | --- |
    /// | statistic | see below |
    /// | observed | of these customers |
    /// | expected, low, high | mean and interval of `level` of the replicates |
    /// | p | the share of replicates that are greater than what was observed, half of the equal ones included |
    ///
    /// The statistics are `share_0`, `share_1`, … `share_7_or_more`, customers of so many
    /// repeat purchases; `mean` and `variance` of repeat purchases; and, of laws
    /// of purchases at random, `bought_lately`, the share who bought in the last
    /// quarter of their T. A p near 0 or 1 tells of a trait that the model does not
    /// have. Of customers that the draws come from, p leans towards 0.5: the
    /// parameters have seen what they are judged by.
    ///
    /// Each draw of the parameters makes one replicate: numbers of purchases from
    /// their exact distribution at each age, seeded by the draw's place. Where the draws have
    /// coefficients, at each age and pattern of covariates: many patterns take long.
    ///
    /// Of draws of `GammaGamma` the customers are those with a repeat purchase and a positive mean, and the statistics
    /// those of their mean values: `mean`, `sd`, `q10`, `median`, `q90`, and `correlation_of_logs` of frequency and
    /// mean value, of which the model has none. Each draw makes as many customers of the same frequencies.
    ///
    /// Of draws of a model of retention the statistics are shares of those who met a renewal: `churn_1`, `churn_2`, …
    /// `churn_7_or_later`, who left at it; `churn`, at any; and, of several cohorts, `between_cohorts`, the standard
    /// deviation of their `churn`. Each draw decides for as many customers of each cohort as met each renewal.
    ///
    /// Errors: [`Error::Row`], [`Error::NotEnoughData`] without customers,
    /// [`Error::Option`].
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::posterior::{PosteriorCheckOptions, PosteriorOptions, laplace};
    /// use headwater::column::Columns;
    ///
    /// let customers = Columns::new()
    ///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
    ///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
    ///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
    ///     .with("customers", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]);
    /// let options = PosteriorOptions { weight: Some("customers".into()), ..Default::default() };
    /// let (posterior, _) = laplace("BetaGeo", &customers, &options, &Run::new())?;
    /// let options = PosteriorCheckOptions { weight: Some("customers".into()), ..Default::default() };
    /// let found = posterior.check(&customers, &options, &Run::new())?.table();
    /// // Nobody has 3, 4 or 5 purchases, and the model knows no such gap.
    /// assert_eq!(found.text("statistic", 3).as_deref(), Some("share_3"));
    /// assert_eq!(found.f64s("p").map(|p| p[3]), Some(1.0));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn check(
        &self,
        frame: &Columns,
        options: &PosteriorCheckOptions,
        run: &Run,
    ) -> Result<PosteriorCheck> {
        level(options.level)?;
        let subject = self.subject();
        subject
            .refuse(&self.kind, &given!(options; frequency, recency, age, monetary_value, contract, most))?;
        if subject == Subject::Spend {
            return self.check_spend(frame, options, run);
        }
        if options.most == 0 || options.most > 1000 {
            return Err(Error::option("most", "must be a number from 1 to 1000; the default is 7"));
        }
        most_draws(options.most_draws)?;
        same_unit(self.period, options.period)?;
        if matches!(subject, Subject::Retention(_)) {
            return self.check_retention(frame, options, run);
        }
        let models = self.models(options.most_draws)?;
        let roles = Roles {
            customer: None,
            frequency: &options.frequency,
            recency: &options.recency,
            age: &options.age,
            weight: options.weight.as_deref(),
            along: None,
            intervals: None,
            covariates: self.reader(),
        };
        let rows = Rows::read(frame, roles, options.on_invalid, run)?;
        let slices = rows.slices();
        let discrete = models.first().is_some_and(|m| m.is_discrete());
        if discrete {
            opportunities(&slices)?;
        }
        whole(options.weight.as_deref(), slices.weight)?;
        let unique = Unique::of(&slices, run)?;
        let kinds = Kinds::of(self.effects.as_ref(), &rows, &unique);
        if kinds.customers == 0 {
            return Err(Error::not_enough_data("there are no customers to check the model by"));
        }
        let random = models.iter().all(|m| m.ticks() == 1 && !m.reads_intervals());
        run.stage("replicating customers", models.len() as u64)?;
        let found = run.map_items(models.len(), |draw| {
            let mut replicate = Replicate::new(options.most, run.rng(STREAM + draw as u64));
            for (covariates, ages) in &kinds.of {
                let own = covariates.as_ref().map(|row| models[draw].with_covariates(row)).transpose()?;
                let model = own.as_ref().unwrap_or(&models[draw]);
                for (age, customers) in ages {
                    run.check()?;
                    replicate.purchases(&**model, *age, *customers);
                    if random {
                        replicate.lately(&**model, *age, *customers);
                    }
                }
            }
            run.advance(1)?;
            Ok(replicate.statistics(random))
        })?;
        let observed = observed(&unique, options.most, discrete, random);
        Ok(PosteriorCheck {
            statistics: names(options.most, random),
            replicates: (0..observed.len())
                .map(|i| sorted(&found.iter().map(|statistics| statistics[i]).collect::<Vec<f64>>()))
                .collect(),
            observed,
            level: options.level,
            dropped: rows.dropped,
        })
    }
}

fn names(most: usize, random: bool) -> Vec<String> {
    let mut names: Vec<String> = (0..most).map(|n| format!("share_{n}")).collect();
    names.extend([format!("share_{most}_or_more"), "mean".to_owned(), "variance".to_owned()]);
    if random {
        names.push("bought_lately".to_owned());
    }
    names
}

fn observed(rows: &Unique, most: usize, discrete: bool, random: bool) -> Vec<f64> {
    let mut counted = Replicate::new(most, Run::new().rng(0));
    for row in 0..rows.len() {
        let customers = rows.weight[row] as u64;
        counted.add(rows.frequency[row] as usize, customers);
        if rows.frequency[row] > 0 && bought_lately(rows.recency[row], rows.age[row], discrete) {
            counted.add_lately(customers);
        }
    }
    counted.statistics(random)
}

/// Replicates count customers.
pub(super) fn whole(name: Option<&str>, weights: Option<&[f64]>) -> Result<()> {
    let (Some(name), Some(weights)) = (name, weights) else { return Ok(()) };
    let partial = |w: &&f64| w.fract() != 0.0 || **w > 1e9;
    match weights.iter().position(|w| partial(&w)) {
        None => Ok(()),
        Some(row) => Err(Error::Row {
            column: name.to_owned(),
            row: row as u64,
            reason: "is not a whole number of customers up to 1e9, and replicates are of whole customers"
                .to_owned(),
            count: weights.iter().filter(partial).count() as u64,
        }),
    }
}

/// Ages in ascending order, and how many customers there are of each.
type Ages = Vec<(f64, u64)>;

/// The ages of customers; of each pattern of covariates, where the draws have coefficients.
struct Kinds {
    of: Vec<(Option<Vec<f64>>, Ages)>,
    customers: u64,
}

impl Kinds {
    fn of(effects: Option<&Effects>, rows: &Rows<'_>, unique: &Unique) -> Self {
        let of = match effects {
            None => vec![(None, ages(unique.age.iter().copied().zip(unique.weight.iter().copied())))],
            Some(effects) => {
                let patterns = Patterns::by(effects, rows);
                let weight = |row: usize| rows.weight.as_ref().map_or(1.0, |w| w[row]);
                (0..patterns.len())
                    .map(|pattern| {
                        let (members, covariates) = patterns.get(pattern);
                        let each = members.iter().map(|row| (rows.age[*row as usize], weight(*row as usize)));
                        (Some(covariates.to_vec()), ages(each))
                    })
                    .collect()
            }
        };
        Self { customers: of.iter().flat_map(|(_, ages)| ages).map(|a| a.1).sum(), of }
    }
}

fn ages(each: impl Iterator<Item = (f64, f64)>) -> Ages {
    let mut all: Vec<(f64, u64)> = each.map(|(age, weight)| (age, weight as u64)).collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    all.chunk_by(|a, b| a.0 == b.0)
        .map(|same| (same[0].0, same.iter().map(|s| s.1).sum()))
        .filter(|(_, customers)| *customers > 0)
        .collect()
}
