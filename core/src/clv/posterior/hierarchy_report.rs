//! What a hierarchy says: frames of its groups, predictions, its file.

use super::check::PosteriorCheckOptions;
use super::diagnostics::summarize;
use super::groups::{Part, add, split};
use super::hierarchy::Hierarchy;
use super::predict::{DrawPredictOptions, DrawPrediction};
use super::report::{SummaryOptions, level};
use super::subject::Subject;
use super::value::DrawnSpend;
use super::{DrawSurvivalOptions, DrawValueOptions, Posterior};
use crate::clv::LifetimeOptions;
use crate::column::{Columns, Dropped, Intake, Names, OnInvalid, Sign, Table, Tables, Text, Values};
use crate::math::{quantile, sorted};
use crate::model::Model;
use crate::options::{none, parse};
use crate::{Error, Result, Run};

impl Hierarchy {
    /// The groups, in the order of their labels.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The draws of one group.
    pub fn group(&self, name: &str) -> Option<&Posterior> {
        self.groups.iter().position(|g| g == name).and_then(|at| self.posteriors.get(at))
    }

    /// The draws of one group; of one that was not seen without a name.
    pub fn posterior(&self, group: Option<&str>) -> Result<&Posterior> {
        let Some(name) = group else { return Ok(&self.new_group) };
        self.group(name).ok_or_else(|| {
            let listed = self.groups.iter().take(20).map(|g| format!("`{g}`")).collect::<Vec<_>>().join(", ");
            let more = if self.groups.len() > 20 { ", …" } else { "" };
            let reason = format!(
                "there is no group `{name}`: they are {listed}{more}; without a name it is one that was not seen"
            );
            Error::option("group", reason)
        })
    }

    /// Draws of what a group that was not seen may be.
    pub fn new_group(&self) -> &Posterior {
        &self.new_group
    }

    /// Its draws; of a group that was not seen, those of a new one.
    pub(super) fn of(&self, label: &str) -> &Posterior {
        self.group(label).unwrap_or(&self.new_group)
    }

    /// The column of groups.
    pub(super) fn column(&self) -> &str {
        &self.group
    }

    /// Tables of each group, below each other beside its label.
    fn labelled(&self, tables: &[Table]) -> Table {
        let each = self.groups.iter().zip(tables);
        let labels = each.flat_map(|(group, table)| std::iter::repeat_n(group, table.rows()));
        Table::new().with("group", Values::Text(labels.collect::<Text>()))
    }

    /// A frame of the parameters of all groups: group, customers, and the columns of [`Posterior::table`] but `estimate`.
    pub fn groups_table(&self, options: &SummaryOptions) -> Result<Table> {
        let without = |table: Table| {
            let columns = table.into_columns().into_iter().filter(|c| c.name != "estimate");
            columns.fold(Table::new(), |out, c| out.push(&c.name, c.values, c.valid))
        };
        let each = self.posteriors.iter().map(|p| p.table(options).map(without));
        let tables = each.collect::<Result<Vec<Table>>>()?;
        let customers = self.posteriors.iter().zip(&tables);
        let customers = customers.flat_map(|(p, table)| std::iter::repeat_n(p.customers, table.rows()));
        Ok(self.labelled(&tables).with("customers", Values::F64(customers.collect())).beside(&tables))
    }

    /// A frame of the draws of all groups: group, and the columns of [`Posterior::draws_table`].
    pub fn draws_table(&self) -> Table {
        let tables: Vec<Table> = self.posteriors.iter().map(Posterior::draws_table).collect();
        self.labelled(&tables).beside(&tables)
    }

    /// A frame of the population: parameter, what (`centre`: e^m, `deviation`: τ, or `coefficient` of a covariate, which
    /// all groups have in common), mean, sd, low, median, high, r_hat, ess_bulk.
    pub fn population_table(&self, options: &SummaryOptions) -> Result<Table> {
        let tail = 0.5 - 0.5 * level(options.level)?;
        let chains = self.new_group.chains.len();
        let names = &self.new_group.parameters;
        let law = self.new_group.of_law();
        let slopes: Vec<Vec<f64>> = (law..names.len()).map(|i| self.new_group.column(i)).collect();
        let all: Vec<(&str, &String, &Vec<f64>)> =
            [("centre", 0, &self.centre), ("deviation", 0, &self.deviation), ("coefficient", law, &slopes)]
                .into_iter()
                .flat_map(|(what, from, draws)| {
                    names.iter().skip(from).zip(draws).map(move |(name, draws)| (what, name, draws))
                })
                .collect();
        let found: Vec<_> =
            all.iter().map(|(_, _, draws)| (summarize(draws, chains), sorted(draws))).collect();
        let at = |p: f64| Values::F64(found.iter().map(|f| quantile(&f.1, p)).collect());
        let finite = |v: Option<f64>| v.filter(|v| v.is_finite());
        Ok(Table::new()
            .with("parameter", Values::Text(all.iter().map(|a| a.1.as_str()).collect::<Text>()))
            .with("what", Values::Text(all.iter().map(|a| a.0).collect::<Text>()))
            .with("mean", Values::F64(found.iter().map(|f| f.0.mean).collect()))
            .with("sd", Values::F64(found.iter().map(|f| f.0.sd).collect()))
            .with("low", at(tail))
            .with("median", at(0.5))
            .with("high", at(1.0 - tail))
            .with_optional("r_hat", found.iter().map(|f| finite(f.0.r_hat)))
            .with_optional("ess_bulk", found.iter().map(|f| finite(f.0.ess_bulk))))
    }

    /// [`Posterior::survival`] of each group, below each other: group, period, survival, retention, churn, each
    /// with `_low` and `_high`. Last, without a label, comes a group that was not seen.
    pub fn survival(&self, options: &DrawSurvivalOptions, run: &Run) -> Result<Table> {
        self.and_new(|posterior| posterior.survival(options, run))
    }

    /// [`Posterior::value`] of each group, below each other: group, tenure, discounted_lifetime, expected_lifetime, value,
    /// each with `_low` and `_high`. Last, without a label, comes a group that was not seen.
    pub fn value(&self, options: &DrawValueOptions, run: &Run) -> Result<Table> {
        self.and_new(|posterior| posterior.value(options, run))
    }

    fn and_new(&self, ask: impl Fn(&Posterior) -> Result<Table>) -> Result<Table> {
        let each = self.posteriors.iter().chain([&self.new_group]).map(ask);
        let tables = each.collect::<Result<Vec<Table>>>()?;
        let labels = self.groups.iter().map(|g| Some(g.as_str())).chain([None]).zip(&tables);
        let labels = labels.flat_map(|(group, table)| std::iter::repeat_n(group, table.rows()));
        let valid = labels.clone().map(|group| group.is_some()).collect();
        let text = labels.map(Option::unwrap_or_default).collect::<Text>();
        Ok(Table::new().push("group", Values::Text(text), Some(valid)).beside(&tables))
    }

    /// [`Posterior::check`] of each group of a frame: group, and its columns. Groups that were not seen are checked by the
    /// draws of a new one.
    pub fn check(
        &self,
        frame: &Columns,
        options: &PosteriorCheckOptions,
        run: &Run,
    ) -> Result<(Table, Dropped)> {
        let (parts, mut dropped) = super::groups::parts(frame, &self.group, options.on_invalid, run)?;
        let (mut labels, mut tables) = (Vec::new(), Vec::new());
        for part in &parts {
            let found = self.of(part.label()).check(&part.columns, options, run);
            let (table, more) = part.placed(found.map(|found| (found.table(), found.dropped().clone())))?;
            labels.extend(std::iter::repeat_n(part.label(), table.rows()));
            tables.push(table);
            add(&mut dropped, more);
        }
        let labels = Values::Text(labels.into_iter().collect::<Text>());
        Ok((Table::new().with("group", labels).beside(&tables), dropped))
    }

    /// [`Posterior::predict`], each customer by the draws of its group; of a group that was
    /// not seen, by those of a new one. The frame has the column of groups too.
    pub fn predict(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let read: &[&str] = match self.new_group.subject() {
            Subject::Purchases | Subject::Along => &[&options.frequency, &options.recency, &options.age],
            Subject::Spend => &[&options.frequency, &options.monetary_value],
            Subject::Retention(_) => &[&options.renewals],
        };
        self.each_customer((frame, &options.customer, read), options.on_invalid, run, |posterior, part| {
            let found = posterior.predict(&part.columns, options, run)?;
            Ok((found.table(), found.dropped().clone()))
        })
    }

    /// [`Posterior::lifetime_value`], each customer by the draws of its group; of a group that was not seen, by
    /// those of a new one. Spend may be a [`Hierarchy`] of `GammaGamma` too, of the same column of groups.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::posterior::{HierarchyOptions, PosteriorOptions, laplace, sample_hierarchy};
    /// use headwater::clv::LifetimeOptions;
    /// use headwater::column::Columns;
    ///
    /// let customers = Columns::new()
    ///     .with("customer", (0..8_i64).collect::<Vec<_>>())
    ///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 6.0, 0.0, 1.0, 3.0])
    ///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 36.0, 0.0, 20.0, 30.0])
    ///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 38.0, 36.0, 39.0, 38.0])
    ///     .with("monetary_value", vec![0.0, 12.0, 35.0, 8.0, 60.0, 0.0, 42.0, 25.0])
    ///     .with("customers", vec![1400.0, 300.0, 200.0, 100.0, 90.0, 60.0, 30.0, 20.0])
    ///     .with("channel", vec!["web", "web", "web", "web", "web", "shop", "shop", "shop"]);
    /// let sampling = PosteriorOptions {
    ///     weight: Some("customers".into()), chains: 2, draws: 60, tune: 60, ..Default::default()
    /// };
    /// let (spend, _) = laplace("GammaGamma", &customers, &sampling, &Run::new())?;
    /// let options = HierarchyOptions { group: "channel".into(), sampling, ..Default::default() };
    /// let (found, _) = sample_hierarchy("BetaGeo", &customers, &options, &Run::new())?;
    /// let options = LifetimeOptions { periods: 12.0.into(), ..Default::default() };
    /// let table = found.lifetime_value(&spend, &customers, &options, &Run::new())?.table();
    /// assert_eq!(table.columns()[1].name, "group");
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn lifetime_value<'s>(
        &self,
        spend: impl Into<DrawnSpend<'s>>,
        frame: &Columns,
        options: &LifetimeOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let spend = spend.into();
        if let DrawnSpend::Groups(groups) = spend
            && groups.column() != self.column()
        {
            let reason = format!(
                "is by the groups of column `{}` and purchases by those of `{}`: draw both by one",
                groups.column(),
                self.column()
            );
            return Err(Error::option("spend", reason));
        }
        let read = [&options.frequency, &options.recency, &options.age, &options.monetary_value];
        let read = read.map(String::as_str);
        self.each_customer((frame, &options.customer, &read), options.on_invalid, run, |posterior, part| {
            let spend = match spend {
                DrawnSpend::Groups(groups) => DrawnSpend::Draws(groups.of(part.label())),
                one => one,
            };
            let found = posterior.lifetime_value(spend, &part.columns, options, run)?;
            Ok((found.table(), found.dropped().clone()))
        })
    }

    /// What is said of customers, each by the draws of its group, with the column of groups.
    fn each_customer(
        &self,
        (frame, customer, read): (&Columns, &str, &[&str]),
        on_invalid: OnInvalid,
        run: &Run,
        ask: impl Fn(&Posterior, &Part) -> Result<(Table, Dropped)>,
    ) -> Result<DrawPrediction> {
        let mut intake = Intake::new(frame, on_invalid, run);
        let group = intake.names(&self.group)?;
        let names = intake.names(customer)?;
        for name in read {
            intake.amounts(name, Sign::NonNegative)?;
        }
        let kept = intake.finish()?;
        let mut parts = split(frame, &kept.names(group.clone()), &kept);
        if parts.is_empty() {
            parts.push(Part::empty(frame)); // the columns of no customers
        }
        let mut dropped = kept.into_dropped();
        let mut all: Vec<(String, Vec<Option<f64>>)> = Vec::new();
        let mut told: Vec<bool> = vec![false; frame.rows()];
        for part in &mut parts {
            let rows: Vec<i64> = part.rows.iter().map(|row| i64::from(*row)).collect();
            part.columns.set(customer, rows);
            let (found, more) = part.placed(ask(self.of(part.label()), part))?;
            add(&mut dropped, more);
            // Some may have been dropped on the way.
            let place = |i: usize| found.text("customer", i)?.parse::<usize>().ok();
            let rows: Vec<usize> = (0..found.rows()).filter_map(place).collect();
            for row in &rows {
                told[*row] = true;
            }
            for column in found.columns().iter().filter(|c| c.name != "customer") {
                let at = all.iter().position(|(name, _)| *name == column.name).unwrap_or_else(|| {
                    all.push((column.name.clone(), vec![None; frame.rows()]));
                    all.len() - 1
                });
                for (row, value) in rows.iter().zip(found.optional(&column.name)) {
                    all[at].1[*row] = value;
                }
            }
        }
        let rows: Vec<usize> = (0..frame.rows()).filter(|row| told[*row]).collect();
        let these = |names: Names| {
            let codes = rows.iter().map(|row| names.codes[*row]).collect();
            Values::Names(Names { codes, labels: names.labels })
        };
        let mut table = Table::new().with("customer", these(names)).with("group", these(group));
        for (name, values) in all {
            table = table.with_optional(&name, rows.iter().map(|row| values[*row]));
        }
        Ok(DrawPrediction::new(table, dropped))
    }

    /// A report by its name, with its options as JSON: what the bindings call.
    ///
    /// | name | frame | tables |
    /// | --- | --- | --- |
    /// | `groups`, `population`, `draws` | none | of the same name ([`Hierarchy::groups_table`], [`Hierarchy::population_table`], [`Hierarchy::draws_table`]) |
    /// | `fit` | none | `fit`, a row for each chain |
    /// | `survival`, `value` | none | of the same name |
    /// | `predict`, `check` | of customers | of the same name, and `dropped` |
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        let frame =
            || frame.ok_or_else(|| Error::option("frame", format!("`{name}` needs a frame of customers")));
        match name {
            "groups" => Ok(vec![("groups", self.groups_table(&parse(options)?)?)]),
            "population" => Ok(vec![("population", self.population_table(&parse(options)?)?)]),
            "draws" => {
                none(options)?;
                Ok(vec![("draws", self.draws_table())])
            }
            "fit" => {
                none(options)?;
                Ok(vec![("fit", self.new_group.fit_table())])
            }
            "survival" => Ok(vec![("survival", self.survival(&parse(options)?, run)?)]),
            "value" => Ok(vec![("value", self.value(&parse(options)?, run)?)]),
            "predict" => {
                let found = self.predict(frame()?, &parse(options)?, run)?;
                Ok(vec![("predict", found.table()), ("dropped", found.dropped().table())])
            }
            "check" => {
                let (table, dropped) = self.check(frame()?, &parse(options)?, run)?;
                Ok(vec![("check", table), ("dropped", dropped.table())])
            }
            _ => Err(Error::option("report", format!("there is no report `{name}` of hierarchies"))),
        }
    }
}

impl Model for Hierarchy {
    const KIND: &'static str = "clv.Hierarchy";

    fn check(&self) -> Result<()> {
        self.posteriors.iter().try_for_each(Model::check)?;
        Model::check(&self.new_group)?;
        let whole = |draws: &[Vec<f64>]| {
            draws.len() == self.new_group.of_law()
                && draws.iter().all(|d| d.len() == self.new_group.len() && d.iter().all(|v| v.is_finite()))
        };
        let new = &self.new_group;
        let alike = self.posteriors.iter().all(|p| {
            let same = p.kind == new.kind && p.k == new.k && p.len() == new.len();
            let terms = |of: &Posterior| of.effects.as_ref().map(|effects| effects.terms().clone());
            same && p.parameters == new.parameters && terms(p) == terms(new)
        });
        if self.groups.len() == self.posteriors.len()
            && alike
            && whole(&self.centre)
            && whole(&self.deviation)
        {
            return Ok(());
        }
        Err(Error::model_file("its groups and their draws do not belong together; save it again"))
    }
}
