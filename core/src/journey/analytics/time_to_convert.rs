//! How long it takes from the first touch to the conversion, by Kaplan–Meier.

use serde::{Deserialize, Serialize};

use super::options::{level_z, open_unit};
use super::survival::{Curves, Ends};
use super::{Journeys, Report, SplitBy};
use crate::column::{DAY, Duration};
use crate::journey::Moment;
use crate::run::Run;
use crate::{Error, Result};

/// Until when an open journey is known not to have converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CensorAt {
    /// Until the end of observation. The default.
    #[default]
    ObservationEnd,
    /// Until its last touch: for journeys that are over then.
    LastTouch,
}

/// Options of [`Journeys::time_to_convert`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeToConvertOptions {
    /// Until when open journeys were watched.
    pub censor_at: CensorAt,
    /// An open journey was watched for at most this long after its last touch,
    /// as a later conversion would not have been its own. Default: as long as
    /// the windows that the journeys were built with.
    pub lookback: Option<Duration>,
    /// The end of observation. Default: that of the build.
    pub observation_end: Option<Moment>,
    /// What the curves are split by.
    pub split_by: SplitBy,
    /// Shares of journeys that have converted, for the table of quantiles. Default 0.25, 0.5, 0.75, 0.9.
    pub quantiles: Vec<f64>,
    /// What the intervals cover. Default 0.95.
    pub level: f64,
    /// The curve at multiples of this alone. Default none: at every time of a
    /// conversion. The estimates are the same either way.
    pub grid: Option<Duration>,
}

impl Default for TimeToConvertOptions {
    fn default() -> Self {
        Self {
            censor_at: CensorAt::default(),
            lookback: None,
            observation_end: None,
            split_by: SplitBy::default(),
            quantiles: vec![0.25, 0.5, 0.75, 0.9],
            level: 0.95,
            grid: None,
        }
    }
}

impl Journeys {
    /// The time from the first touch of a journey to its conversion, as a
    /// Kaplan–Meier curve: open journeys are censored, not taken for lost.
    ///
    /// Tables: `time_to_convert`: group, days, at_risk, events (conversions at
    /// this time), censored (from this time on, before the next row), survival
    /// (share that has not converted), std_error (Greenwood), low, high (on the
    /// scale of ln(−ln S)); the last three are missing where the curve is at 0.
    /// `quantiles`: group, quantile, days (at which that share has converted,
    /// missing where the curve does not get there), low, high (Brookmeyer &
    /// Crowley 1982). `groups`: group, journeys, events, censored, expected
    /// (events, had the group the hazard of all), z, p_value and q_value of the
    /// log-rank test against the other groups (Mantel 1966; two-sided, and
    /// adjusted for the number of groups), missing where there is one group.
    ///
    /// Sources: Kaplan & Meier 1958; Kalbfleisch & Prentice, *The Statistical
    /// Analysis of Failure Time Data*, 1980.
    pub fn time_to_convert(&self, options: &TimeToConvertOptions, run: &Run) -> Result<Report> {
        self.need_times_for("time_to_convert")?;
        options.split_by.check(self)?;
        let z = level_z(options.level)?;
        options.quantiles.iter().try_for_each(|q| open_unit("quantiles", *q).map(|_| ()))?;
        let until = self.observed_until(options.observation_end);
        let grid = options.grid.map(Duration::micros);
        let mut spells: Vec<Vec<Ends>> = vec![Vec::new(); options.split_by.groups(self)];
        for piece in self.pieces() {
            run.check()?;
            for j in piece {
                let Some(first) = self.touch_times(j).first() else { continue };
                let group = options.split_by.group(self, j, self.path(j)) as usize;
                let end = self.end[j];
                if self.conversions[j] > 0.0 {
                    spells[group].push((end.saturating_sub(*first), self.conversions[j], 0.0));
                }
                let open = self.open_weight(j);
                if open > 0.0 {
                    // Whatever was given, a journey was watched until its last touch.
                    let expiry = self.expires(j, options.lookback);
                    let watched = match options.censor_at {
                        CensorAt::LastTouch => end,
                        CensorAt::ObservationEnd => until.min(expiry).max(end),
                    };
                    spells[group].push((watched.saturating_sub(*first), 0.0, open));
                }
            }
        }
        let longest = spells.iter().flatten().filter(|s| s.1 > 0.0).map(|s| s.0).max().unwrap_or(0);
        if grid.is_some_and(|grid| grid <= 0 || longest / grid > 1_000_000) {
            return Err(Error::option("grid", "is too fine: more than a million rows"));
        }
        let mut curves = Curves::default();
        for (spells, name) in spells.iter_mut().zip(options.split_by.names(self)) {
            run.check()?;
            if spells.is_empty() && options.split_by != SplitBy::None {
                continue;
            }
            let key = |s: &Ends| (s.0, s.1.to_bits(), s.2.to_bits());
            run.sort_by(spells, |a, b| key(a).cmp(&key(b)));
            curves.push(&name, spells, &options.quantiles, z, grid);
        }
        spells.retain(|spells| !spells.is_empty() || options.split_by == SplitBy::None);
        curves.compare(&spells.iter().map(Vec::as_slice).collect::<Vec<_>>());
        Ok(curves.report("time_to_convert", "days", |micros| micros as f64 / DAY as f64, z))
    }
}
