//! Journeys whose value is what is left of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Journeys;
use crate::{Error, Result};

/// Options of [`Journeys::with_margin`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarginOptions {
    /// What is left of a unit of value: 0.4 for 40 %. Default none: every kind has its own.
    pub rate: Option<f64>,
    /// The same for kinds of conversions, in place of `rate`.
    pub by_kind: BTreeMap<String, f64>,
}

impl Journeys {
    /// These journeys with the margin as the value of their conversions: value times rate, for every
    /// report and model that reads value. Tables that take a margin themselves, as
    /// [`money`](crate::attribution::money) does, then need none.
    ///
    /// Errors: [`Error::Option`] without a value or a rate, for a kind that does not occur, and for a kind
    /// of conversion that has no rate.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, MarginOptions, PathOptions};
    ///
    /// let paths = Columns::new()
    ///     .with("path", vec!["a > b", "b"])
    ///     .with("conversions", vec![3.0, 1.0])
    ///     .with("value", vec![90.0, 10.0]);
    /// let options = PathOptions { value: Some("value".into()), ..PathOptions::default() };
    /// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
    /// let left = journeys.with_margin(&MarginOptions { rate: Some(0.25), ..MarginOptions::default() })?;
    /// assert_eq!(left.total_value(), 25.0);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn with_margin(&self, options: &MarginOptions) -> Result<Self> {
        let MarginOptions { rate, by_kind } = options;
        if !self.has_value {
            return Err(Error::option(
                "rate",
                "these journeys know no value: name its column when they are built",
            ));
        }
        if rate.is_none() && by_kind.is_empty() {
            return Err(Error::option("rate", "give a rate, for example 0.4, or `by_kind`"));
        }
        let check = |name: &str, rate: f64| {
            let reason = format!("must be 0 or more, not {rate}");
            if rate.is_finite() && rate >= 0.0 { Ok(()) } else { Err(Error::option(name, reason)) }
        };
        rate.map_or(Ok(()), |rate| check("rate", rate))?;
        by_kind.values().try_for_each(|rate| check("by_kind", *rate))?;
        let kinds = self.kind_labels();
        if let Some(stranger) = by_kind.keys().find(|kind| !kinds.contains(kind)) {
            let reason = match kinds.len() {
                0 => "these journeys know no kinds of conversions: name their column when they are built"
                    .into(),
                _ => format!("no conversion is of the kind `{stranger}`; there are {}", kinds.join(", ")),
            };
            return Err(Error::option("by_kind", reason));
        }
        let rates: Vec<Option<f64>> = kinds.iter().map(|kind| by_kind.get(kind).copied().or(*rate)).collect();
        let mut out = self.clone();
        for (j, value) in out.value.iter_mut().enumerate() {
            let kind = self.conversion_kind(j);
            let of_kind = kind.and_then(|kind| rates.get(kind as usize).copied());
            match of_kind.unwrap_or(*rate) {
                Some(rate) => *value *= rate,
                None if *value == 0.0 => {}
                None => {
                    let label =
                        kind.and_then(|kind| kinds.get(kind as usize)).map_or("(none)", String::as_str);
                    let reason = format!(
                        "has no rate for the kind `{label}`: add it, or give a `rate` for the others"
                    );
                    return Err(Error::option("by_kind", reason));
                }
            }
        }
        if out.value.iter().map(|v| v.abs()).sum::<f64>().is_finite() {
            return Ok(out);
        }
        Err(Error::option("rate", "makes value more than a number can hold: give a share of 1, such as 0.4"))
    }
}
