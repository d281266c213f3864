//! Journeys as tables.

use std::collections::BTreeMap;

use super::counts::{Sums, distinct};
use super::{Chain, Journeys, Repeats, UNATTRIBUTED};
use crate::column::{DAY, Names, Table, Text, Values};
use crate::math::ExactSum;
use crate::run::Run;
use crate::{Error, Result};

impl Journeys {
    /// Distinct paths: path, touches, conversions, value, nulls,
    /// conversion_rate; most conversions first, then in the order of the
    /// channels' labels. Conversions without a touch are the path
    /// `(unattributed)`. `value` is missing where no value is known.
    pub fn paths(&self, run: &Run) -> Result<Table> {
        let paths = distinct(self, run)?;
        let n = paths.sample.len();
        let sums = |w: &[f64]| Sums::by_group(&paths.group, n, w).nearest;
        let (conversions, nulls, value) = (sums(&self.conversions), sums(&self.nulls), sums(&self.value));
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| conversions[*b].total_cmp(&conversions[*a]).then(a.cmp(b)));
        let labels = self.channel_labels();
        let mut text = Text::new();
        let mut line = String::new();
        for g in &order {
            line.clear();
            for (i, step) in self.path(paths.sample[*g] as usize).iter().enumerate() {
                if i > 0 {
                    line.push_str(" > ");
                }
                line.push_str(&labels[*step as usize]);
            }
            text.push(if line.is_empty() { UNATTRIBUTED } else { &line });
        }
        let touches = order.iter().map(|g| i64::from(self.len[paths.sample[*g] as usize])).collect();
        let pick = |v: &[f64]| Values::F64(order.iter().map(|g| v[*g]).collect());
        let rate = |g: &usize| {
            let all = conversions[*g] + nulls[*g];
            (all > 0.0).then(|| conversions[*g] / all)
        };
        Ok(Table::new()
            .with("path", Values::Text(text))
            .with("touches", Values::I64(touches))
            .with("conversions", pick(&conversions))
            .with_optional("value", order.iter().map(|g| self.has_value.then_some(value[*g])))
            .with("nulls", pick(&nulls))
            .with_optional("conversion_rate", order.iter().map(rate)))
    }

    /// What follows what: from, to, count, probability, with `(start)`,
    /// `(conversion)` and `(null)` as the ends of every path.
    pub fn transitions(&self, repeats: Repeats, run: &Run) -> Result<Table> {
        Ok(Chain::count(self, 1, repeats, run)?.table(&self.channel_labels()))
    }

    /// How long conversions took: days (whole days from the first touch of
    /// the journey), conversions, value. Conversions without a touch are left
    /// out. An [`Error::Column`] where journeys come from paths, which have no
    /// times.
    pub fn lags(&self) -> Result<Table> {
        if !self.timed {
            return Err(Error::column("time", "these journeys come from paths, which have no times"));
        }
        let mut bins: BTreeMap<i64, [ExactSum; 2]> = BTreeMap::new();
        for j in (0..self.len()).filter(|j| self.conversions[*j] > 0.0) {
            if let Some(first) = self.touch_times(j).first() {
                let bin = bins.entry(self.end[j].saturating_sub(*first) / DAY).or_default();
                bin[0].add(self.conversions[j]);
                bin[1].add(self.value[j]);
            }
        }
        Ok(Table::new()
            .with("days", Values::I64(bins.keys().copied().collect()))
            .with("conversions", Values::F64(bins.values().map(|b| b[0].value()).collect()))
            .with_optional("value", bins.values().map(|b| self.has_value.then(|| b[1].value()))))
    }

    /// How long journeys are: touches, conversions, value, nulls. Conversions
    /// without a touch are the row of 0 touches.
    pub fn lengths(&self) -> Table {
        let mut bins: BTreeMap<u32, [ExactSum; 3]> = BTreeMap::new();
        for (j, len) in self.len.iter().enumerate() {
            let bin = bins.entry(*len).or_default();
            bin[0].add(self.conversions[j]);
            bin[1].add(self.value[j]);
            bin[2].add(self.nulls[j]);
        }
        Table::new()
            .with("touches", Values::I64(bins.keys().map(|k| i64::from(*k)).collect()))
            .with("conversions", Values::F64(bins.values().map(|b| b[0].value()).collect()))
            .with_optional("value", bins.values().map(|b| self.has_value.then(|| b[1].value())))
            .with("nulls", Values::F64(bins.values().map(|b| b[2].value()).collect()))
    }

    /// Channels: channel, touches (of all journeys, weighted), conversions and
    /// value (of the journeys that the channel takes part in, so these add up
    /// to more than the total), nulls, cost (missing where unknown).
    pub fn channels(&self, run: &Run) -> Result<Table> {
        let n = self.channel_count;
        let mut sums: Vec<[ExactSum; 4]> = Vec::new();
        sums.resize_with(n, Default::default);
        let mut seen = vec![u32::MAX; n];
        for piece in self.pieces() {
            run.check()?;
            for j in piece {
                let weight = self.conversions[j] + self.nulls[j];
                for step in self.path(j) {
                    let sum = &mut sums[*step as usize];
                    sum[0].add(weight);
                    if std::mem::replace(&mut seen[*step as usize], j as u32) != j as u32 {
                        sum[1].add(self.conversions[j]);
                        sum[2].add(self.value[j]);
                        sum[3].add(self.nulls[j]);
                    }
                }
            }
        }
        let pick = |k: usize| Values::F64(sums.iter().map(|s| s[k].value()).collect());
        Ok(Table::new()
            .with("channel", self.channel_column())
            .with("touches", pick(0))
            .with("conversions", pick(1))
            .with_optional("value", sums.iter().map(|s| self.has_value.then(|| s[2].value())))
            .with("nulls", pick(3))
            .with_optional("cost", (0..n).map(|c| self.cost.as_ref().map(|v| v[c]))))
    }

    /// One row of totals: customers and touches (missing where journeys come
    /// from paths), journeys (distinct rows held), channels, conversions,
    /// value, nulls, unattributed_conversions, unattributed_value,
    /// late_touches and late_conversions (after the end of observation),
    /// dropped (rows).
    pub fn summary(&self) -> Table {
        let int = |n: u64| Values::I64(vec![n as i64]);
        let mut customers = self.customer.clone();
        customers.dedup();
        let (unattributed, lost) = self.unattributed();
        let known = |x: f64| [self.has_value.then_some(x)];
        Table::new()
            .with_optional("customers", [self.timed.then_some(customers.len() as f64)])
            .with_optional("touches", [self.timed.then_some(self.touches as f64)])
            .with("journeys", int(self.len() as u64))
            .with("channels", int(self.channel_count as u64))
            .with("conversions", Values::F64(vec![self.total_conversions()]))
            .with_optional("value", known(self.total_value()))
            .with("nulls", Values::F64(vec![self.total_nulls()]))
            .with("unattributed_conversions", Values::F64(vec![unattributed]))
            .with_optional("unattributed_value", known(lost))
            .with("late_touches", int(self.late_touches))
            .with("late_conversions", int(self.late_conversions))
            .with("dropped", int(self.dropped.rows))
    }

    /// All channels as a column.
    pub(crate) fn channel_column(&self) -> Values {
        match &self.channels {
            Some(labels) => Values::Names(Names::all(std::sync::Arc::clone(labels))),
            None => Values::Text(self.channel_labels().iter().collect()),
        }
    }
}
