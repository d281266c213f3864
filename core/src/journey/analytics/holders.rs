//! Those who have something on their path against those who have not.

use super::stats::{MantelHaenszel, ratio, two_sided, wilson};
use crate::column::{Table, Values};

/// Paths that hold something, in a group of paths.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holders {
    pub(super) count: f64,
    /// How many of them convert.
    pub(super) conversions: f64,
    /// All paths of the group, and how many convert.
    pub(super) all: f64,
    pub(super) converted: f64,
}

impl Holders {
    fn tested(&self) -> MantelHaenszel {
        let mut found = MantelHaenszel::default();
        if self.count < self.all {
            found.add(self.count, self.conversions, self.all, self.converted);
        }
        found
    }
}

/// Adds count, share (of all), conversions, conversion_rate, others_rate, risk_ratio and their intervals
/// by the normal quantile `z`, z, p_value and q_value.
pub(super) fn columns(table: Table, rows: &[Holders], z: f64) -> Table {
    let tested: Vec<MantelHaenszel> = rows.iter().map(Holders::tested).collect();
    let ratios: Vec<_> = tested.iter().map(|t| t.ratio(z)).collect();
    let p: Vec<Option<f64>> = tested.iter().map(|t| t.z().map(two_sided)).collect();
    let q = crate::math::benjamini_hochberg(&p);
    let share = |h: &Holders| wilson(h.count, h.all, z);
    let rate = |h: &Holders| wilson(h.conversions, h.count, z);
    let interval = |r: &Option<(f64, Option<(f64, f64)>)>| r.and_then(|r| r.1);
    table
        .with("count", Values::F64(rows.iter().map(|h| h.count).collect()))
        .with_optional("share", rows.iter().map(|h| ratio(h.count, h.all)))
        .with_optional("share_low", rows.iter().map(|h| share(h).map(|i| i.0)))
        .with_optional("share_high", rows.iter().map(|h| share(h).map(|i| i.1)))
        .with("conversions", Values::F64(rows.iter().map(|h| h.conversions).collect()))
        .with_optional("conversion_rate", rows.iter().map(|h| ratio(h.conversions, h.count)))
        .with_optional("conversion_rate_low", rows.iter().map(|h| rate(h).map(|i| i.0)))
        .with_optional("conversion_rate_high", rows.iter().map(|h| rate(h).map(|i| i.1)))
        .with_optional(
            "others_rate",
            rows.iter().map(|h| ratio(h.converted - h.conversions, h.all - h.count)),
        )
        .with_optional("risk_ratio", ratios.iter().map(|r| r.map(|r| r.0)))
        .with_optional("low", ratios.iter().map(|r| interval(r).map(|i| i.0)))
        .with_optional("high", ratios.iter().map(|r| interval(r).map(|i| i.1)))
        .with_optional("z", tested.iter().map(MantelHaenszel::z))
        .with_optional("p_value", p.iter().copied())
        .with_optional("q_value", q.iter().copied())
}
