//! Journeys made from others: some of them, one for each path, or with
//! another value.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Journeys;
use super::counts::{Sums, distinct};
use crate::column::{Columns, Intake, OnInvalid, Sign, check_sum};
use crate::run::{Run, split_mix};
use crate::{Error, Result};

/// Which conversions carry a customer's lifetime value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifetimeMode {
    /// The first one there is: what the touches won is the customer. The default.
    #[default]
    FirstConversion,
    /// Each of them.
    Every,
}

/// Customers who converted and have no lifetime value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingLifetime {
    /// An error that counts them. The default.
    #[default]
    Error,
    /// Count as 0.
    Zero,
}

/// Options of [`Journeys::with_lifetime`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LifetimeOptions {
    /// Column of customers, each once. Default `"customer"`.
    pub customer: String,
    /// Column of what each is worth. Default `"lifetime_value"`.
    pub value: String,
    /// Which conversions carry it.
    pub mode: LifetimeMode,
    /// Customers who converted and are not in the frame.
    pub missing: MissingLifetime,
    /// Rows with nulls, NaN or negative amounts.
    pub on_invalid: OnInvalid,
}

impl Default for LifetimeOptions {
    fn default() -> Self {
        Self {
            customer: "customer".into(),
            value: "lifetime_value".into(),
            mode: LifetimeMode::default(),
            missing: MissingLifetime::default(),
            on_invalid: OnInvalid::default(),
        }
    }
}

impl Journeys {
    /// These journeys with the predicted lifetime value of the customers as
    /// the value of their conversions.
    ///
    /// `values` has one row a customer; customers without a conversion may be
    /// there. Errors: [`Error::Column`] for journeys from paths, which know no
    /// customers; [`Error::Row`] for a customer twice;
    /// [`Error::NotEnoughData`] for a buyer who is not there, unless
    /// [`LifetimeOptions::missing`] lets them count as 0.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{EventOptions, Journeys, LifetimeOptions};
    ///
    /// let frame = |time: &str| Columns::new().with("customer", vec!["ann"]).with("time", vec![time]);
    /// let touches = frame("2024-01-01").with("channel", vec!["search"]);
    /// let orders = frame("2024-01-02");
    /// let journeys = Journeys::from_events(&touches, Some(&orders), &EventOptions::default(), &Run::new())?;
    /// let worth = Columns::new().with("customer", vec!["ann"]).with("lifetime_value", vec![120.0]);
    /// let journeys = journeys.with_lifetime(&worth, &LifetimeOptions::default(), &Run::new())?;
    /// assert_eq!(journeys.total_value(), 120.0);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn with_lifetime(&self, values: &Columns, options: &LifetimeOptions, run: &Run) -> Result<Self> {
        if !self.timed {
            return Err(Error::column(
                options.customer.as_str(),
                "these journeys come from paths, which know no customers: build them with from_events",
            ));
        }
        let mut intake = Intake::new(values, options.on_invalid, run);
        let customer = intake.names(&options.customer)?;
        let value = intake.amounts(&options.value, Sign::NonNegative)?;
        let mut seen = vec![false; customer.labels.len()];
        let again: Vec<usize> = customer
            .codes
            .iter()
            .enumerate()
            .filter(|(_, c)| seen.get_mut(**c as usize).is_some_and(|s| std::mem::replace(s, true)))
            .map(|(row, _)| row)
            .collect();
        intake.reject(&options.customer, "is there twice", again);
        let kept = intake.finish()?;
        let (customer, value) = (kept.names(customer), kept.values(value));
        let worth: HashMap<String, f64> = customer
            .codes
            .iter()
            .zip(value.iter())
            .map(|(code, v)| (customer.labels.get(*code).into_owned(), *v))
            .collect();
        let mut out = self.clone();
        let mut strangers = 0_u64;
        for run_of in self.customer_runs() {
            let code = self.customer[run_of.start];
            let label = match &self.customers {
                Some(labels) => labels.get(code).into_owned(),
                None => code.to_string(),
            };
            let mut due = worth.get(&label).copied();
            if due.is_none() && run_of.clone().any(|j| self.conversions[j] > 0.0) {
                strangers += 1;
                due = Some(0.0);
            }
            let mut left = due.unwrap_or(0.0);
            for j in run_of {
                out.value[j] = if self.conversions[j] > 0.0 { left * self.conversions[j] } else { 0.0 };
                if self.conversions[j] > 0.0 && options.mode == LifetimeMode::FirstConversion {
                    out.value[j] = left;
                    left = 0.0;
                }
            }
        }
        if strangers > 0 && options.missing == MissingLifetime::Error {
            return Err(Error::not_enough_data(format!(
                "{strangers} customers converted and have no `{}`: add them, or let those who are missing count as 0 (\"zero\" in place of \"error\")",
                options.value
            )));
        }
        check_sum(&options.value, out.value.iter().copied())?;
        out.has_value = true;
        out.dropped.merge(kept.into_dropped());
        Ok(out)
    }

    /// One journey for each distinct path, in the order of the channels' codes.
    pub(crate) fn collapse(&self, run: &Run) -> Result<Self> {
        let paths = distinct(self, run)?;
        let n = paths.sample.len();
        let sums = |w: &[f64]| Sums::by_group(&paths.group, n, w).nearest;
        let mut out = self.subset(&paths.sample);
        out.conversions = sums(&self.conversions);
        out.nulls = sums(&self.nulls);
        out.value = sums(&self.value);
        Ok(out)
    }

    /// The journeys of each customer; empty where journeys come from paths.
    pub(crate) fn customer_runs(&self) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        let mut first = 0;
        for j in 1..=self.customer.len() {
            if j == self.customer.len() || self.customer[j] != self.customer[first] {
                out.push(first..j);
                first = j;
            }
        }
        out
    }

    /// A number for a customer that depends on the label alone, so that neither
    /// the order of rows nor the period changes it.
    pub(crate) fn customer_key(&self, code: u32) -> u64 {
        match &self.customers {
            Some(labels) => text_key(labels.get(code).as_bytes()),
            None => split_mix(u64::from(code)),
        }
    }
}

/// A number for a text, the same everywhere.
pub(crate) fn text_key(bytes: &[u8]) -> u64 {
    let mut key = bytes.len() as u64;
    for piece in bytes.chunks(8) {
        let word = piece.iter().rev().fold(0_u64, |word, b| (word << 8) | u64::from(*b));
        key = split_mix(key ^ word);
    }
    key
}
