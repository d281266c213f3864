//! Which channels stand early, in the middle and late on converting paths.

use super::cells::tally;
use super::stats::ratio;
use super::{Journeys, Report};
use crate::Result;
use crate::column::{Table, Values};
use crate::run::Run;

impl Journeys {
    /// The channels' shares of early, middle and late touches, as the report
    /// of conversion paths of Google Analytics 4 divides them: early is the
    /// first quarter of a path's touches, rounded to the nearest whole number,
    /// late the last quarter, rounded alike, and middle the rest. A single
    /// touch is late; of two, one is early and one late.
    ///
    /// Table `positions`: channel; early, mid, late (touches, each counted for
    /// the conversions of its path); early_share, mid_share, late_share (of
    /// all early, middle and late touches, so that each column adds up to 1).
    pub fn positions(&self, run: &Run) -> Result<Report> {
        let n = self.channel_count;
        let sums = tally(
            self,
            "count positions",
            n * 3,
            run,
            || (),
            |range, (), add| {
                for j in range.filter(|j| self.conversions[*j] > 0.0) {
                    let path = self.path(j);
                    // To the nearest, halves up.
                    let quarter = (path.len() + 2) / 4;
                    let (early, late) = if path.len() == 1 { (0, 1) } else { (quarter, quarter) };
                    for (i, c) in path.iter().enumerate() {
                        let part = if i < early { 0 } else { 1 + usize::from(i >= path.len() - late) };
                        add(*c as usize * 3 + part, self.conversions[j]);
                    }
                }
            },
        )?;
        let part = |k: usize| sums.iter().skip(k).step_by(3).copied().collect::<Vec<f64>>();
        let mut table = Table::new().with("channel", self.channel_column());
        for (k, name) in ["early", "mid", "late"].iter().enumerate() {
            table = table.with(name, Values::F64(part(k)));
        }
        for (k, name) in ["early_share", "mid_share", "late_share"].iter().enumerate() {
            let touches = part(k);
            let whole = crate::math::exact_sum(touches.iter().copied());
            table = table.with_optional(name, touches.iter().map(|t| ratio(*t, whole)));
        }
        Ok(Report::new(vec![("positions", table)]))
    }
}
