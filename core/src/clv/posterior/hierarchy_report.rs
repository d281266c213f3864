//! What a hierarchy says: frames of its groups, predictions, its file.

use super::Posterior;
use super::diagnostics::summarize;
use super::hierarchy::Hierarchy;
use super::predict::{DrawPredictOptions, DrawPrediction};
use super::report::{SummaryOptions, level};
use crate::column::{Columns, Intake, Sign, Table, Tables, Text, Values};
use crate::math::{quantile, sorted};
use crate::model::Model;
use crate::options::parse;
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

    /// Draws of what a group that was not seen may be.
    pub fn new_group(&self) -> &Posterior {
        &self.new_group
    }

    /// A frame of the parameters of all groups: group, customers, and the columns of [`Posterior::table`].
    pub fn groups_table(&self, options: &SummaryOptions) -> Result<Table> {
        let tables = self.posteriors.iter().map(|p| p.table(options)).collect::<Result<Vec<Table>>>()?;
        let rows = |f: &dyn Fn(usize) -> String| -> Text {
            let each = tables.iter().enumerate();
            each.flat_map(|(g, t)| std::iter::repeat_n(f(g), t.rows())).collect()
        };
        let customers: Vec<f64> = self
            .posteriors
            .iter()
            .zip(&tables)
            .flat_map(|(p, t)| std::iter::repeat_n(p.customers, t.rows()))
            .collect();
        let parameters: Text = tables
            .iter()
            .flat_map(|t| {
                (0..t.rows()).filter_map(|row| t.text("parameter", row).map(std::borrow::Cow::into_owned))
            })
            .collect();
        let mut out = Table::new()
            .with("group", Values::Text(rows(&|g| self.groups[g].clone())))
            .with("customers", Values::F64(customers))
            .with("parameter", Values::Text(parameters));
        for name in ["mean", "sd", "low", "median", "high", "r_hat", "ess_bulk", "ess_tail", "mcse"] {
            out = out.with_optional(name, tables.iter().flat_map(|t| t.optional(name)));
        }
        Ok(out)
    }

    /// A frame of the population: parameter, what (`centre`: e^m, or `deviation`: τ), mean, sd,
    /// low, median, high, r_hat, ess_bulk.
    pub fn population_table(&self, options: &SummaryOptions) -> Result<Table> {
        let tail = 0.5 - 0.5 * level(options.level)?;
        let chains = self.new_group.chains.len();
        let all: Vec<(&str, &String, &Vec<f64>)> = [("centre", &self.centre), ("deviation", &self.deviation)]
            .into_iter()
            .flat_map(|(what, draws)| {
                self.new_group.parameters.iter().zip(draws).map(move |(name, draws)| (what, name, draws))
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

    /// [`Posterior::predict`], each customer by the draws of its group; of a group that was
    /// not seen, by those of a new one. The frame has the column of groups too.
    pub fn predict(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let mut intake = Intake::new(frame, options.on_invalid, run);
        let group = intake.names(&self.group)?;
        let customer = intake.names(&options.customer)?;
        let amounts = [&options.frequency, &options.recency, &options.age]
            .map(|name| intake.amounts(name, Sign::NonNegative));
        let kept = intake.finish()?;
        let (group, customer) = (kept.names(group), kept.names(customer));
        let [frequency, recency, age] = amounts;
        let columns = [kept.values(frequency?), kept.values(recency?), kept.values(age?)];
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.groups.len() + 1];
        let place: Vec<usize> = (0..group.labels.len() as u32)
            .map(|code| {
                let label = group.labels.get(code);
                self.groups.iter().position(|g| *g == label).unwrap_or(self.groups.len())
            })
            .collect();
        for (row, code) in group.codes.iter().enumerate() {
            rows[place[*code as usize]].push(row as u32);
        }
        let mut all: Vec<(String, Vec<Option<f64>>)> = Vec::new();
        for (posterior, rows) in self.posteriors.iter().chain([&self.new_group]).zip(&rows) {
            if rows.is_empty() {
                continue;
            }
            let take = |v: &[f64]| rows.iter().map(|row| v[*row as usize]).collect::<Vec<f64>>();
            let part = Columns::new()
                .with(&options.customer, rows.iter().map(|row| i64::from(*row)).collect::<Vec<_>>())
                .with(&options.frequency, take(&columns[0]))
                .with(&options.recency, take(&columns[1]))
                .with(&options.age, take(&columns[2]));
            let found = posterior.predict(&part, options, run)?.table();
            for column in found.columns().iter().filter(|c| c.name != "customer") {
                let at = all.iter().position(|(name, _)| *name == column.name).unwrap_or_else(|| {
                    all.push((column.name.clone(), vec![None; customer.codes.len()]));
                    all.len() - 1
                });
                for (row, value) in rows.iter().zip(found.optional(&column.name)) {
                    all[at].1[*row as usize] = value;
                }
            }
        }
        let mut table =
            Table::new().with("customer", Values::Names(customer)).with("group", Values::Names(group));
        for (name, values) in all {
            table = table.with_optional(&name, values);
        }
        Ok(DrawPrediction::new(table, kept.into_dropped()))
    }

    /// A report by its name, with its options as JSON: `groups`, `population`, `predict`.
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        match name {
            "groups" => Ok(vec![("groups", self.groups_table(&parse(options)?)?)]),
            "population" => Ok(vec![("population", self.population_table(&parse(options)?)?)]),
            "fit" => Ok(vec![("fit", self.new_group.fit_table())]),
            "predict" => {
                let frame =
                    frame.ok_or_else(|| Error::option("frame", "`predict` needs a frame of customers"))?;
                let found = self.predict(frame, &parse(options)?, run)?;
                Ok(vec![("predict", found.table()), ("dropped", found.dropped().table())])
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
            draws.len() == self.new_group.parameters.len()
                && draws.iter().all(|d| d.len() == self.new_group.len() && d.iter().all(|v| v.is_finite()))
        };
        let alike = self.posteriors.iter().all(|p| {
            p.kind == self.new_group.kind && p.k == self.new_group.k && p.len() == self.new_group.len()
        });
        let plain = self.posteriors.iter().chain([&self.new_group]).all(|p| p.effects.is_none());
        if self.groups.len() == self.posteriors.len()
            && alike
            && plain
            && whole(&self.centre)
            && whole(&self.deviation)
        {
            return Ok(());
        }
        Err(Error::model_file("its groups and their draws do not belong together; save it again"))
    }
}
