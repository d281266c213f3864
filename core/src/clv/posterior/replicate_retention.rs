//! Does the model of retention lose customers like these?

use std::collections::BTreeMap;

use super::Posterior;
use super::check::{PosteriorCheck, PosteriorCheckOptions, STREAM};
use super::replicate::binomial;
use super::retention::{read_as, unexplained};
use crate::clv::contract::{self, Cohort, ContractData, ContractOptions, LifeTable};
use crate::column::Columns;
use crate::math::{sorted, sum};
use crate::{Error, Result, Run};

/// Those of one cohort and kind who met one renewal.
struct Met {
    cohort: usize,
    kind: usize,
    renewal: usize,
    customers: u64,
    lost: u64,
}

/// Renewals that were met, and what is told of them.
struct Renewals {
    each: Vec<Met>,
    /// The covariates of each kind, where there are any.
    kinds: Vec<Option<Vec<f64>>>,
    cohorts: usize,
    periods: usize,
    /// So late renewals are one class.
    most: usize,
}

impl Renewals {
    fn of(cohorts: Vec<Cohort>, most: usize) -> Self {
        let (mut each, mut kinds, mut seen) = (Vec::new(), Vec::new(), 0);
        let mut places: BTreeMap<Option<Vec<u64>>, usize> = BTreeMap::new();
        for Cohort { kinds: own } in cohorts {
            let before = each.len();
            for (covariates, life) in own.into_iter().filter(|(_, life)| life.periods() > 0) {
                let bits = covariates.as_ref().map(|row| row.iter().map(|v| v.to_bits()).collect());
                let kind = *places.entry(bits).or_insert_with(|| {
                    kinds.push(covariates);
                    kinds.len() - 1
                });
                for (i, (lost, kept)) in life.lost().iter().zip(life.kept()).enumerate() {
                    if lost + kept > 0.0 {
                        let (customers, lost) = ((lost + kept) as u64, *lost as u64);
                        each.push(Met { cohort: seen, kind, renewal: i + 1, customers, lost });
                    }
                }
            }
            seen += usize::from(each.len() > before);
        }
        let periods = each.iter().map(|met| met.renewal).max().unwrap_or(0);
        Self { each, kinds, cohorts: seen, periods, most }
    }

    /// The class of each renewal.
    fn class(&self, renewal: usize) -> usize {
        renewal.min(self.most) - 1
    }

    /// The classes that somebody met.
    fn classes(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = self.each.iter().map(|met| self.class(met.renewal)).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    fn names(&self) -> Vec<String> {
        let name = |class: usize| match class + 1 {
            last if last == self.most => format!("churn_{last}_or_later"),
            renewal => format!("churn_{renewal}"),
        };
        let mut names: Vec<String> = self.classes().into_iter().map(name).collect();
        names.push("churn".to_owned());
        if self.cohorts > 1 {
            names.push("between_cohorts".to_owned());
        }
        names
    }

    /// The statistics, where so many leave of each who met a renewal.
    fn statistics(&self, lost: impl Iterator<Item = u64>) -> Vec<f64> {
        let mut of_class = vec![[0_u64; 2]; self.periods.min(self.most)];
        let mut of_cohort = vec![[0_u64; 2]; self.cohorts];
        for (met, lost) in self.each.iter().zip(lost) {
            for [gone, all] in [&mut of_class[self.class(met.renewal)], &mut of_cohort[met.cohort]] {
                *gone += lost;
                *all += met.customers;
            }
        }
        let share = |[gone, all]: &[u64; 2]| *gone as f64 / *all as f64;
        let mut out: Vec<f64> = of_class.iter().filter(|[_, all]| *all > 0).map(share).collect();
        let total = |i: usize| of_class.iter().map(|class| class[i]).sum();
        out.push(share(&[total(0), total(1)]));
        if self.cohorts > 1 {
            let each: Vec<f64> = of_cohort.iter().map(share).collect();
            let n = each.len() as f64;
            let mean = sum(each.iter().copied()) / n;
            out.push((sum(each.iter().map(|v| (v - mean) * (v - mean))) / (n - 1.0)).sqrt());
        }
        out
    }
}

impl Posterior {
    pub(super) fn check_retention(
        &self,
        frame: &Columns,
        options: &PosteriorCheckOptions,
        run: &Run,
    ) -> Result<PosteriorCheck> {
        let draws = self.retained(options.most_draws)?;
        let asked = read_as(options.contract.as_ref(), options.weight.as_ref(), options.on_invalid)?;
        unexplained(&asked, "the draws know theirs: leave them out")?;
        let (cohorts, dropped) = contract::life_tables(frame, &asked, self.effects.as_ref(), run)?;
        whole(cohorts.iter().flat_map(|cohort| &cohort.kinds).map(|(_, life)| life), &asked)?;
        let renewals = Renewals::of(cohorts, options.most);
        if renewals.each.is_empty() {
            return Err(Error::not_enough_data("no customer has met a renewal to check the model by"));
        }
        run.stage("replicating customers", draws.len() as u64)?;
        let found = run.map_items(draws.len(), |draw| {
            run.check()?;
            let mut rng = run.rng(STREAM + draw as u64);
            let kinds = renewals.kinds.iter();
            let curves =
                kinds.map(|kind| self.curve(draws[draw], kind.as_deref())).collect::<Result<Vec<_>>>()?;
            // The chance to leave at each renewal, as far as it is asked for.
            let mut leaving: Vec<Vec<f64>> = vec![Vec::new(); curves.len()];
            let lost = renewals.each.iter().map(|met| {
                let known = &mut leaving[met.kind];
                for t in known.len() + 1..=met.renewal {
                    known.push(curves[met.kind].leaving(t as u32).clamp(0.0, 1.0));
                }
                binomial(&mut rng, met.customers, known[met.renewal - 1])
            });
            let statistics = renewals.statistics(lost);
            run.advance(1)?;
            Ok(statistics)
        })?;
        let observed = renewals.statistics(renewals.each.iter().map(|met| met.lost));
        Ok(PosteriorCheck {
            statistics: renewals.names(),
            replicates: (0..observed.len())
                .map(|i| sorted(&found.iter().map(|statistics| statistics[i]).collect::<Vec<f64>>()))
                .collect(),
            observed,
            level: options.level,
            dropped,
        })
    }
}

/// Replicates count customers.
fn whole<'a>(tables: impl Iterator<Item = &'a LifeTable>, asked: &ContractOptions) -> Result<()> {
    let mut numbers = tables.flat_map(|life| life.lost().iter().zip(life.kept()));
    if numbers.all(|(lost, kept)| lost.fract() == 0.0 && kept.fract() == 0.0 && lost + kept <= 1e12) {
        return Ok(());
    }
    let column = match asked.data {
        ContractData::Cohorts => &asked.customers,
        ContractData::Customers => asked.weight.as_ref().unwrap_or(&asked.duration),
    };
    let reason =
        "does not hold whole numbers of customers up to 1e12 in all, and replicates are of whole customers";
    Err(Error::column(column.as_str(), reason))
}
