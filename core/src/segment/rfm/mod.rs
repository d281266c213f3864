//! Recency, frequency and monetary value (Hughes 1994; Bult & Wansbeek 1995).
//!
//! Recency is the number of whole days from a customer's last order to the
//! snapshot, frequency the number of orders, monetary value the sum of the
//! amounts. Each is scored from 1 to `bins`, 5 of 5 being best, and the
//! combination of scores has a name.

mod features;
mod map;
mod score;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use features::{Features, FrequencyBy, MonetaryBy, Refunds, Spec, aggregate};
pub use map::{MapChoice, NamedMap, SegmentMap, SegmentRule};
pub use score::{Convention, RfmBreaks, Scores, score};

use crate::column::{
    Columns, Dropped, Intake, Labels, Names, OnInvalid, Sign, Text, TimeUnit, Values, parse_time,
};
use crate::{Error, Result, Run, Table};

/// The options of [`rfm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RfmOptions {
    /// The column of customers. Default `"customer"`.
    pub customer: String,
    /// The column of times. Default `"time"`.
    pub time: String,
    /// The column of amounts. Default `"value"`.
    pub value: String,
    /// How many scores there are, 2 to 100. Default 5.
    pub bins: u32,
    /// The instant to look back from, as ISO text; later orders are not seen.
    /// Default: a day after the last order. Never the clock.
    pub snapshot: Option<String>,
    /// How customers are put into bins. Default `"tie_preserving"`. Ties, where
    /// a convention splits them, go by the customer's name or number.
    pub convention: Convention,
    /// The breaks of convention `"fixed"`.
    pub breaks: Option<RfmBreaks>,
    /// Frequency counts orders or days. Default `"orders"`.
    pub frequency: FrequencyBy,
    /// Monetary value is the sum or the mean. Default `"sum"`.
    pub monetary: MonetaryBy,
    /// What to do with negative amounts. Default `"invalid"`.
    pub refunds: Refunds,
    /// The names of the segments: `"rf10"`, `"fm11"` or rules. Default `"rf10"`.
    /// The named maps are made for scores 1 to 5: other scores are stretched
    /// over them, ends to ends, halves rounded up.
    pub map: MapChoice,
    /// What to do with invalid rows. Default `"error"`.
    pub on_invalid: OnInvalid,
    /// The unit of times that are integers.
    pub time_unit: Option<TimeUnit>,
}

impl Default for RfmOptions {
    fn default() -> Self {
        Self {
            customer: "customer".into(),
            time: "time".into(),
            value: "value".into(),
            bins: 5,
            snapshot: None,
            convention: Convention::default(),
            breaks: None,
            frequency: FrequencyBy::default(),
            monetary: MonetaryBy::default(),
            refunds: Refunds::default(),
            map: MapChoice::default(),
            on_invalid: OnInvalid::default(),
            time_unit: None,
        }
    }
}

/// Scored and named customers.
#[derive(Clone, Debug)]
pub struct RfmSegments {
    features: Features,
    scores: Scores,
    segment: Vec<u32>,
    segment_names: Vec<String>,
    customers: Arc<Labels>,
    bins: u32,
    dropped: Dropped,
}

/// Scores and names the customers of a frame of orders.
///
/// # Errors
/// `Column` and `Row` for bad input, `Option` for bad options (a map that is
/// not total, too few breaks), `NotEnoughData` where no order is left.
///
/// ```
/// use headwater::column::Columns;
/// use headwater::segment::{RfmOptions, rfm};
/// use headwater::Run;
///
/// let orders = Columns::new()
///     .with("customer", vec!["a", "b", "a", "c"])
///     .with("time", vec!["2024-01-05", "2023-06-01", "2024-02-01", "2023-12-24"])
///     .with("value", vec![20.0, 5.0, 30.0, 12.5]);
/// let segments = rfm(&orders, &RfmOptions::default(), &Run::new())?;
/// assert_eq!(segments.table().text("customer", 0).as_deref(), Some("a"));
/// assert_eq!(segments.table().i64s("recency"), Some(&[1, 246, 40][..]));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn rfm(orders: &Columns, options: &RfmOptions, run: &Run) -> Result<RfmSegments> {
    let map = SegmentMap::choose(&options.map, options.bins)?;
    let snapshot = match &options.snapshot {
        None => None,
        Some(text) => Some(parse_time(text).ok_or_else(|| {
            Error::option("snapshot", format!("`{text}` is not a time; write for example \"2024-12-31\""))
        })?),
    };
    let sign = if options.refunds == Refunds::Invalid { Sign::NonNegative } else { Sign::Any };
    let mut intake = Intake::new(orders, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let customer = intake.names(&options.customer)?;
    let time = intake.times(&options.time)?;
    let value = intake.amounts(&options.value, sign)?;
    let kept = intake.finish()?;
    let customer = kept.names(customer);
    let time = kept.values(time);
    let value = kept.values(value);

    let spec =
        Spec { snapshot, frequency: options.frequency, monetary: options.monetary, refunds: options.refunds };
    let features = aggregate(&customer.codes, &time, &value, customer.labels.len(), &spec, run)?;
    if features.customer.is_empty() {
        return Err(Error::not_enough_data(format!(
            "there is no order to score ({} rows, {} after the snapshot)",
            orders.rows(),
            features.after_snapshot
        )));
    }
    let splits_ties =
        matches!(options.convention, Convention::RankFirst | Convention::Ntile | Convention::Nested);
    let tie = if splits_ties { places(&customer.labels, &features.customer) } else { Vec::new() };
    run.stage("scores", features.customer.len() as u64)?;
    let scores = score(&features, options.bins, options.convention, options.breaks.as_ref(), &tie)?;
    run.check()?;
    let scaled = |s: u32| map::rescale(s, options.bins, map.bins());
    let segment = (0..features.customer.len())
        .map(|i| map.code(scaled(scores.r[i]), scaled(scores.f[i]), scaled(scores.m[i])))
        .collect();
    Ok(RfmSegments {
        features,
        scores,
        segment,
        segment_names: map.names().to_vec(),
        customers: customer.labels,
        bins: options.bins,
        dropped: kept.into_dropped(),
    })
}

/// Each customer's place in the order of names, so that no row order enters.
fn places(labels: &Labels, customers: &[u32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..customers.len() as u32).collect();
    let code = |i: u32| customers[i as usize];
    match labels {
        Labels::Int(ints) => order.sort_unstable_by_key(|i| ints.get(code(*i) as usize)),
        Labels::Text(text) => order.sort_unstable_by_key(|i| text.get(code(*i) as usize)),
    }
    let mut places = vec![0; customers.len()];
    for (place, i) in order.iter().enumerate() {
        places[*i as usize] = place as u32;
    }
    places
}

impl RfmSegments {
    /// One row a customer, in the order first seen: customer, recency (days),
    /// frequency, monetary, r, f, m, score (such as `"555"`; `"10-9-10"` with
    /// more than 9 bins) and segment.
    pub fn table(&self) -> Table {
        let scores = &self.scores;
        let whole = |v: &[u32]| Values::I64(v.iter().map(|x| i64::from(*x)).collect());
        Table::new()
            .with(
                "customer",
                Values::Names(Names {
                    codes: self.features.customer.clone(),
                    labels: Arc::clone(&self.customers),
                }),
            )
            .with("recency", Values::I64(self.features.recency.clone()))
            .with("frequency", Values::I64(self.features.frequency.clone()))
            .with("monetary", Values::F64(self.features.monetary.clone()))
            .with("r", whole(&scores.r))
            .with("f", whole(&scores.f))
            .with("m", whole(&scores.m))
            .with("score", self.codes())
            .with("segment", self.segment_column(self.segment.clone()))
    }

    /// One row for each segment that has customers, in the order of the map:
    /// segment, customers, share (of customers), monetary (total), `monetary_share`
    /// (0 where all is 0), and the means `mean_recency`, `mean_frequency`, `mean_monetary`.
    ///
    /// With `monetary="mean"` the totals are of the customers' means.
    pub fn segments(&self) -> Table {
        let count = self.segment_names.len();
        let mut customers = vec![0i64; count];
        let mut recency = vec![0i64; count];
        let mut frequency = vec![0i64; count];
        let mut monetary = vec![0.0; count];
        for (i, segment) in self.segment.iter().enumerate() {
            let s = *segment as usize;
            customers[s] += 1;
            recency[s] += self.features.recency[i];
            frequency[s] += self.features.frequency[i];
            monetary[s] += self.features.monetary[i];
        }
        let total = self.segment.len() as f64;
        let money: f64 = monetary.iter().sum();
        let rows: Vec<usize> = (0..count).filter(|s| customers[*s] > 0).collect();
        let mean = |of: &dyn Fn(usize) -> f64| {
            Values::F64(rows.iter().map(|s| of(*s) / customers[*s] as f64).collect())
        };
        let share = |s: &usize| if money == 0.0 { 0.0 } else { monetary[*s] / money };
        Table::new()
            .with("segment", self.segment_column(rows.iter().map(|s| *s as u32).collect()))
            .with("customers", Values::I64(rows.iter().map(|s| customers[*s]).collect()))
            .with("share", Values::F64(rows.iter().map(|s| customers[*s] as f64 / total).collect()))
            .with("monetary", Values::F64(rows.iter().map(|s| monetary[*s]).collect()))
            .with("monetary_share", Values::F64(rows.iter().map(share).collect()))
            .with("mean_recency", mean(&|s| recency[s] as f64))
            .with("mean_frequency", mean(&|s| frequency[s] as f64))
            .with("mean_monetary", mean(&|s| monetary[s]))
    }

    /// What was scored.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The scores, with the breaks that give them again.
    pub fn scores(&self) -> &Scores {
        &self.scores
    }

    /// The breaks that put other customers on the same scale, with convention
    /// `"fixed"`: measure, break (right-closed, rising). Empty for the
    /// conventions that rank customers.
    pub fn breaks(&self) -> Table {
        let none = RfmBreaks::default();
        let breaks = self.scores.breaks.as_ref().unwrap_or(&none);
        let rows: Vec<(&str, f64)> =
            [("recency", &breaks.recency), ("frequency", &breaks.frequency), ("monetary", &breaks.monetary)]
                .into_iter()
                .flat_map(|(name, values)| values.iter().map(move |v| (name, *v)))
                .collect();
        Table::new()
            .with("measure", Values::Text(rows.iter().map(|r| r.0).collect()))
            .with("break", Values::F64(rows.iter().map(|r| r.1).collect()))
    }

    /// The rows that were invalid and dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    fn segment_column(&self, codes: Vec<u32>) -> Values {
        let names: Text = self.segment_names.iter().collect();
        Values::Names(Names { codes, labels: Arc::new(Labels::Text(names)) })
    }

    /// The combined scores; there are few different ones, so they are names.
    fn codes(&self) -> Values {
        let separator = if self.bins > 9 { "-" } else { "" };
        let bins = self.bins as usize;
        let mut seen = vec![u32::MAX; bins.pow(3)];
        let mut text = Text::new();
        let scores = &self.scores;
        let codes = scores
            .r
            .iter()
            .zip(&scores.f)
            .zip(&scores.m)
            .map(|((r, f), m)| {
                let cell = ((*r as usize - 1) * bins + *f as usize - 1) * bins + *m as usize - 1;
                if seen[cell] == u32::MAX {
                    seen[cell] = text.len() as u32;
                    text.push(&format!("{r}{separator}{f}{separator}{m}"));
                }
                seen[cell]
            })
            .collect();
        Values::Names(Names { codes, labels: Arc::new(Labels::Text(text)) })
    }
}
