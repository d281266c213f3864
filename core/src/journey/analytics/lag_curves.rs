//! How long before the conversion a channel was touched: for choosing the lookback.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::cells::{MOST, tally};
use super::{ALL, Journeys, Report};
use crate::column::{DAY, Duration, Table, Text, Values};
use crate::run::Run;
use crate::{Error, Result};

/// Which touch the lag is counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LagFrom {
    /// The first of the channel in the journey. The default.
    #[default]
    First,
    /// The last of the channel in the journey.
    Last,
}

/// Options of [`Journeys::lag_curves`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LagCurveOptions {
    /// Which touch the lag is counted from.
    pub from_touch: LagFrom,
    /// The distance of the curve's points. Default 1 day.
    pub grid: Duration,
    /// Where the curves end. Default: at the longest lag.
    pub longest: Option<Duration>,
}

impl Default for LagCurveOptions {
    fn default() -> Self {
        Self { from_touch: LagFrom::default(), grid: Duration::from_days(1), longest: None }
    }
}

impl Journeys {
    /// The cumulative share of a channel's conversions by the time since its
    /// touch. Where a curve is flat, a longer lookback adds nothing; one that
    /// still climbs at the lookback of the journeys asks for a longer one.
    ///
    /// Table `lag_curves`: channel (`(all)` first: the first or last touch of
    /// any channel), days, conversions (with a lag of at most this), share (of
    /// the conversions that the channel takes part in).
    pub fn lag_curves(&self, options: &LagCurveOptions, run: &Run) -> Result<Report> {
        self.need_times_for("lag_curves")?;
        let grid = options.grid.micros();
        if grid == 0 {
            return Err(Error::option("grid", "must be longer than 0"));
        }
        let converted =
            |range: Range<usize>| range.filter(|j| self.conversions[*j] > 0.0 && self.len[*j] > 0);
        let lag = |j: usize, i: usize| self.end[j].saturating_sub(self.touch_times(j)[i]).max(0);
        let longest = converted(0..self.len()).map(|j| lag(j, 0)).max().unwrap_or(0);
        let longest = options.longest.map_or(longest, Duration::micros);
        let points = (longest / grid + i64::from(longest % grid > 0)) as usize + 1;
        let n = self.channel_count;
        // Each curve has a bin for what comes later.
        let width = points + 1;
        if width.saturating_mul(n + 1) > MOST {
            return Err(Error::option("grid", "is too fine: raise it, or shorten `longest`"));
        }
        let bin = |lag: i64| ((lag / grid + i64::from(lag % grid > 0)) as usize).min(points);
        let room = || vec![u32::MAX; n];
        let sums = tally(self, "count lags", width * (n + 1), run, room, |range, seen, add| {
            for j in converted(range) {
                let path = self.path(j);
                let mut touch = |i: usize| {
                    let c = path[i] as usize;
                    if std::mem::replace(&mut seen[c], j as u32) != j as u32 {
                        add((c + 1) * width + bin(lag(j, i)), self.conversions[j]);
                    }
                };
                let whole = match options.from_touch {
                    LagFrom::First => {
                        (0..path.len()).for_each(&mut touch);
                        0
                    }
                    LagFrom::Last => {
                        (0..path.len()).rev().for_each(&mut touch);
                        path.len() - 1
                    }
                };
                add(bin(lag(j, whole)), self.conversions[j]);
            }
        })?;
        let labels = self.channel_labels();
        let names = std::iter::once(ALL).chain(labels.iter().map(String::as_str));
        let (mut channel, mut days) = (Text::new(), Vec::new());
        let (mut conversions, mut share) = (Vec::new(), Vec::new());
        for (name, bins) in names.zip(sums.chunks(width)) {
            let whole = crate::math::exact_sum(bins.iter().copied());
            if whole <= 0.0 {
                continue;
            }
            let mut sum = crate::math::ExactSum::new();
            for (point, weight) in bins[..points].iter().enumerate() {
                sum.add(*weight);
                channel.push(name);
                days.push(point as f64 * grid as f64 / DAY as f64);
                conversions.push(sum.value());
                share.push(sum.value() / whole);
            }
        }
        let table = Table::new()
            .with("channel", Values::Text(channel))
            .with("days", Values::F64(days))
            .with("conversions", Values::F64(conversions))
            .with("share", Values::F64(share));
        Ok(Report::new(vec![("lag_curves", table)]))
    }
}
