//! What tells one path from another, as columns: for clusters of journeys, and for models of one's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cells::whole_customers;
use super::walk::{Entity, Walk, customers};
use super::{Journeys, Report};
use crate::column::{Names, Table, Values};
use crate::journey::Repeats;
use crate::journey::read::in_label_order;
use crate::run::Run;
use crate::{Error, Result};

/// What is told of a channel, or of a transition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Its share of the path's touches, or of its transitions. The default.
    #[default]
    Share,
    /// How often it occurs.
    Count,
    /// Whether it occurs: 1 or 0.
    Binary,
}

/// Options of [`Journeys::features`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureOptions {
    /// One row a customer, the default, or one a journey.
    pub by: Entity,
    /// What is told of each channel.
    pub measure: Measure,
    /// Whether to tell of each transition from channel to channel, too. Default false.
    pub transitions: bool,
    /// Whether a channel several times in a row counts once. Default `keep`.
    pub repeats: Repeats,
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self { by: Entity::Customer, measure: Measure::default(), transitions: false, repeats: Repeats::Keep }
    }
}

/// Cells that a table may have: a gigabyte of numbers.
const MOST: usize = 1 << 27;

/// One row.
struct Line {
    /// The journey, or the customer.
    who: u32,
    touches: u32,
    span: Option<i64>,
    conversions: f64,
    nulls: f64,
    /// Columns and what they come to, in order.
    cells: Vec<(u64, u32)>,
}

impl Journeys {
    /// What tells one path from another, as columns to cluster by.
    ///
    /// Table `features`: customer (or journey, counted from 0), touches, days (from the first touch to the last, missing without times), conversions, nulls (how many journeys led to none), and for
    /// each channel `channel_<label>`, with `transitions` for each that occurs
    /// `pair_<from> > <to>`. A customer's touches are one line without the conversions, and count once
    /// whatever they serve. Paths without a touch have no row.
    ///
    /// Clusters of [`KMeansModel`](crate::segment::KMeansModel) over these columns are segments for
    /// [`Journeys::with_segments`], by which every report splits.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Entity, FeatureOptions, Journeys, PathOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["ad > email > ad", "email"]).with("conversions", vec![1.0, 2.0]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let options = FeatureOptions { by: Entity::Journey, ..FeatureOptions::default() };
    /// let table = journeys.features(&options, &Run::new())?.table();
    /// assert_eq!(table.f64s("channel_ad"), Some(&[2.0 / 3.0, 0.0][..]));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn features(&self, options: &FeatureOptions, run: &Run) -> Result<Report> {
        options.by.check(self)?;
        let pieces = whole_customers(self);
        run.stage("read the paths", self.steps.len() as u64)?;
        let parts = run.map_items(pieces.len(), |p| {
            let (mut out, mut walk) = (Vec::new(), Walk::default());
            let mut add = |walk: &mut Walk, who: u32, conversions: f64, nulls: f64| {
                walk.forget(self.channel_count as u32);
                if !walk.steps.is_empty() {
                    out.push(self.line(walk, who, [conversions, nulls], options.transitions));
                }
            };
            if options.by == Entity::Customer {
                for mine in customers(self, pieces[p].clone()) {
                    let sum = |of: &[f64]| crate::math::exact_sum(of[mine.clone()].iter().copied());
                    let (conversions, nulls) = (sum(&self.conversions), sum(&self.nulls));
                    let who = self.customer[mine.start];
                    walk.customer(self, mine, options.repeats);
                    add(&mut walk, who, conversions, nulls);
                }
            } else {
                for j in pieces[p].clone() {
                    walk.journey(self, j, false, options.repeats);
                    add(&mut walk, j as u32, self.conversions[j], self.nulls[j]);
                }
            }
            run.advance(pieces[p].clone().map(|j| u64::from(self.len[j])).sum())?;
            Ok(out)
        })?;
        let mut lines: Vec<Line> = parts.into_iter().flatten().collect();
        let who = match (options.by, &self.customers) {
            (Entity::Customer, Some(labels)) => {
                // Customers are kept as the rows brought them up.
                let (rank, labels) = in_label_order(labels, &vec![true; labels.len()]);
                lines.iter_mut().for_each(|line| line.who = rank[line.who as usize]);
                lines.sort_unstable_by_key(|line| line.who);
                let codes = lines.iter().map(|line| line.who).collect();
                Values::Names(Names { codes, labels: Arc::new(labels) })
            }
            _ => Values::I64(lines.iter().map(|line| i64::from(line.who)).collect()),
        };
        self.feature_table(&lines, who, options)
    }

    fn line(&self, walk: &Walk, who: u32, [conversions, nulls]: [f64; 2], transitions: bool) -> Line {
        let n = self.channel_count as u64;
        let mut cells: BTreeMap<u64, u32> = BTreeMap::new();
        for step in &walk.steps {
            *cells.entry(u64::from(*step)).or_default() += 1;
        }
        if transitions {
            for pair in walk.steps.windows(2) {
                let [from, to] = [pair[0], pair[1]].map(u64::from);
                *cells.entry(n + from * n + to).or_default() += 1;
            }
        }
        let span = walk.times.first().zip(walk.times.last()).map(|(first, last)| last.saturating_sub(*first));
        let cells = cells.into_iter().collect();
        Line { who, touches: walk.steps.len() as u32, span, conversions, nulls, cells }
    }

    fn feature_table(&self, lines: &[Line], who: Values, options: &FeatureOptions) -> Result<Report> {
        let n = self.channel_count as u64;
        let pairs: BTreeSet<u64> =
            lines.iter().flat_map(|l| l.cells.iter().map(|c| c.0)).filter(|c| *c >= n).collect();
        let codes: Vec<u64> = (0..n).chain(pairs).collect();
        if codes.len().saturating_mul(lines.len()) > MOST {
            let reason =
                format!("{} columns of {} rows are too many: merge rare channels", codes.len(), lines.len());
            return Err(Error::option(if options.transitions { "transitions" } else { "by" }, reason));
        }
        let labels = self.channel_labels();
        let name = |code: u64| match code.checked_sub(n) {
            None => format!("channel_{}", labels[code as usize]),
            Some(pair) => format!("pair_{} > {}", labels[(pair / n) as usize], labels[(pair % n) as usize]),
        };
        let number = |of: &dyn Fn(&Line) -> f64| Values::F64(lines.iter().map(of).collect());
        let name_of = match options.by {
            Entity::Customer => "customer",
            Entity::Journey => "journey",
        };
        let days = |l: &Line| l.span.map(|span| span as f64 / crate::column::DAY as f64);
        let mut columns = vec![vec![0.0; lines.len()]; codes.len()];
        for (row, line) in lines.iter().enumerate() {
            for (code, count) in &line.cells {
                let of = if *code < n { line.touches } else { line.touches - 1 };
                let told = match options.measure {
                    Measure::Count => f64::from(*count),
                    Measure::Share => f64::from(*count) / f64::from(of),
                    Measure::Binary => 1.0,
                };
                if let Ok(column) = codes.binary_search(code) {
                    columns[column][row] = told;
                }
            }
        }
        let mut table = Table::new()
            .with(name_of, who)
            .with("touches", Values::I64(lines.iter().map(|l| i64::from(l.touches)).collect()))
            .with_optional("days", lines.iter().map(days))
            .with("conversions", number(&|l| l.conversions))
            .with("nulls", number(&|l| l.nulls));
        for (code, column) in codes.into_iter().zip(columns) {
            table = table.with(&name(code), Values::F64(column));
        }
        Ok(Report::new(vec![("features", table)]))
    }
}
