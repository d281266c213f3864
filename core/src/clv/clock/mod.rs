//! Time that runs faster in some seasons.

mod fit;
mod seasons;

use serde::{Deserialize, Serialize};

pub use fit::ClockOptions;
use seasons::{Calendar, Timeline};
pub use seasons::{Seasons, Window};

use super::summarize::When;
use super::unit::Unit;
use crate::column::{Duration, Table, Text, Values};
use crate::math::{chi_squared_tail, exp, ln};
use crate::model::Model;
use crate::{Error, Result};

/// A clock by which customers buy: in each season time runs at a speed of its
/// own, exp(γ).
///
/// Where all customers buy more before Christmas, no law of purchases at a
/// constant rate fits; by a clock that runs faster then, one does. T and t_x are
/// counted by the clock ([`SummarizeOptions::clock`](super::SummarizeOptions::clock)),
/// and so are horizons ([`SeasonalClock::span`]); the likelihood of a law gains
/// Σ γ(t_j) over the repeat purchases. All laws and predictions work by the
/// clock as they are (for covariates that vary with time in the Pareto/NBD:
/// Bachmann, Meierer & Näf 2021, *Marketing Science* 40(4); here they are
/// seasons, which all customers share).
///
/// The mean speed over a year is 1: a year by the clock is a year. A season of
/// the year that was not seen keeps speed 1. Over windows of one's own, the mean
/// over the observed time is 1. With all γ = 0 everything is as without a clock,
/// to the last bit.
///
/// ```
/// use headwater::clv::{Seasons, SeasonalClock, Unit};
/// use headwater::column::Duration;
///
/// let week: Unit = "7d".parse()?;
/// let speeds = [0.8, 0.9, 1.0, 1.3];
/// let clock = SeasonalClock::with_speeds(Seasons::Quarter, &speeds, week, Duration::from_days(1))?;
/// // From October to December, 92 days, time runs faster.
/// let quarter = 92.0 / 7.0;
/// assert!(clock.span(&"2024-09-30".into(), quarter)? > 1.25 * quarter);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File")]
pub struct SeasonalClock {
    calendar: Calendar,
    file: File,
}

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    seasons: Seasons,
    /// γ, by season.
    log_speeds: Vec<f64>,
    period: Unit,
    grain: Duration,
    fit: Option<ClockFit>,
}

/// How a clock was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockFit {
    /// The model of purchases by which it was, such as `ParetoNBD`.
    pub model: String,
    /// Standard errors of γ; none for a season that was not seen.
    pub std_errors: Vec<Option<f64>>,
    /// Repeat purchases in each season.
    pub purchases: Vec<f64>,
    /// The log-likelihood by the clock, Σ γ(t_j) included.
    pub log_likelihood: f64,
    /// The log-likelihood with all speeds 1.
    pub log_likelihood_without: f64,
    /// Newton steps taken.
    pub iterations: u64,
}

impl TryFrom<File> for SeasonalClock {
    type Error = Error;

    fn try_from(file: File) -> Result<Self> {
        let clock = Self { calendar: Calendar::new(file.seasons.clone())?, file };
        clock.check()?;
        Ok(clock)
    }
}

impl From<SeasonalClock> for File {
    fn from(clock: SeasonalClock) -> Self {
        clock.file
    }
}

impl Model for SeasonalClock {
    const KIND: &'static str = "clv.SeasonalClock";

    fn check(&self) -> Result<()> {
        let file = &self.file;
        let seasons = self.calendar.names.len();
        let wrong = |what: &str| Err(Error::model_file(what.to_owned()));
        if file.log_speeds.len() != seasons
            || file.log_speeds.iter().any(|g| !(-FASTEST..=FASTEST).contains(g))
        {
            return wrong("a clock needs a finite logarithm of a speed for each season");
        }
        check_units(file.period, file.grain.into())?;
        if let Some(fit) = &file.fit {
            let sound = |x: &f64| x.is_finite();
            if fit.std_errors.len() != seasons
                || fit.purchases.len() != seasons
                || !fit.std_errors.iter().flatten().all(sound)
                || !fit.purchases.iter().all(sound)
                || ![fit.log_likelihood, fit.log_likelihood_without].iter().all(sound)
                || fit.iterations > 1 << 53
            {
                return wrong("what a clock says of its fit is not one finite number for each season");
            }
        }
        Ok(())
    }
}

/// No |γ| is greater: ln of a thousand or so.
const FASTEST: f64 = 7.0;

/// The length of a grain, where a clock can count it.
fn check_units(period: Unit, grain: Unit) -> Result<Duration> {
    period.check()?;
    let fixed = |option: &str, unit: Unit| match unit {
        Unit::Span(span) => Ok(span),
        _ => Err(Error::option(
            option,
            format!("a clock counts in a fixed span such as \"7d\", and not by {unit}"),
        )),
    };
    fixed("period", period)?;
    let grain = fixed("grain", grain)?;
    // A span of time is at most so many grains.
    if grain.micros() < 1_000_000 {
        return Err(Error::option("grain", "must be a second or longer for a clock"));
    }
    Ok(grain)
}

/// Options of [`SeasonalClock::given`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeedOptions {
    /// What speeds depend on; the month by default.
    pub seasons: Seasons,
    /// One for each season.
    pub speeds: Vec<f64>,
    /// See [`SummarizeOptions::period`](super::SummarizeOptions::period); `"1d"` by default.
    pub period: Unit,
    /// See [`SummarizeOptions::grain`](super::SummarizeOptions::grain); `"1d"` by default.
    pub grain: Option<Duration>,
}

impl SeasonalClock {
    /// [`SeasonalClock::with_speeds`] by options: what the bindings call.
    pub fn given(options: &SpeedOptions) -> Result<Self> {
        let SpeedOptions { seasons, speeds, period, grain } = options;
        Self::with_speeds(seasons.clone(), speeds, *period, grain.unwrap_or(Duration::from_days(1)))
    }

    /// A clock of given speeds, one for each season in the order of
    /// [`SeasonalClock::names`]; they are divided by their mean over a year. Those of
    /// windows are taken as they are.
    pub fn with_speeds(seasons: Seasons, speeds: &[f64], period: Unit, grain: Duration) -> Result<Self> {
        let calendar = Calendar::new(seasons)?;
        check_units(period, grain.into())?;
        let (slow, fast) = (exp(-FASTEST), exp(FASTEST));
        if speeds.len() != calendar.names.len() || !speeds.iter().all(|v| (slow..=fast).contains(v)) {
            let reason =
                format!("must be one number from 0.001 to 1000 for each of: {}", calendar.names.join(", "));
            return Err(Error::option("speeds", reason));
        }
        let mean =
            calendar.shares().map_or(1.0, |shares| shares.iter().zip(speeds).map(|(w, v)| w * v).sum());
        // Shares of the year add up to 1 but for rounding.
        let mean = if (mean - 1.0_f64).abs() < 1e-12 { 1.0 } else { mean };
        let log_speeds = speeds.iter().map(|v| ln(v / mean)).collect();
        let file = File { seasons: calendar.seasons().clone(), log_speeds, period, grain, fit: None };
        Self { calendar, file }.checked()
    }

    fn checked(self) -> Result<Self> {
        self.check()?;
        Ok(self)
    }

    /// The seasons.
    pub fn seasons(&self) -> &Seasons {
        self.calendar.seasons()
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.calendar.names
    }

    /// γ of each season.
    pub fn log_speeds(&self) -> &[f64] {
        &self.file.log_speeds
    }

    /// The unit in which it counts.
    pub fn period(&self) -> Unit {
        self.file.period
    }

    /// How it was fitted; `None` for a clock of given speeds.
    pub fn fitted(&self) -> Option<&ClockFit> {
        self.file.fit.as_ref()
    }

    fn speeds(&self) -> Vec<f64> {
        self.file.log_speeds.iter().map(|g| if *g == 0.0 { 1.0 } else { exp(*g) }).collect()
    }

    fn grains(&self) -> (i64, f64) {
        (self.file.grain.micros(), self.file.period.length().micros() as f64)
    }

    /// How much time the clock counts in the coming `periods` after a moment,
    /// its grain included: the horizon to predict for.
    pub fn span(&self, from: &When, periods: f64) -> Result<f64> {
        if !(0.0..=1e6).contains(&periods) {
            return Err(Error::option("periods", "must be a number of periods from 0 to a million"));
        }
        let (grain, period) = self.grains();
        let from = from.micros("from", None)?.div_euclid(grain);
        let grains = periods * period / grain as f64;
        if grains >= 1e12 {
            return Err(Error::option("periods", "reach beyond the calendar"));
        }
        let line = self.line(from, from.saturating_add(grains as i64 + 2));
        Ok(line.ahead(from, grains))
    }

    /// A timeline from one grain to another.
    pub(super) fn line(&self, from: i64, to: i64) -> Line {
        let (grain, period) = self.grains();
        Line { time: Timeline::new(&self.calendar, &self.speeds(), grain, from, to), grain, period }
    }

    /// That rows are counted as the clock counts.
    pub(super) fn agrees(&self, period: Unit, grain: Option<Unit>) -> Result<()> {
        if self.file.period != period {
            return Err(Error::option(
                "period",
                format!("the clock counts in periods of {}, and not of {period}", self.file.period),
            ));
        }
        match grain {
            Some(grain) if grain != self.file.grain.into() => Err(Error::option(
                "grain",
                format!("the clock counts grains of {}, and not of {grain}", self.file.grain),
            )),
            _ => Ok(()),
        }
    }

    /// A frame, a row for each season: season, log_speed, speed; where it was
    /// fitted also std_error (of log_speed), purchases.
    pub fn table(&self) -> Table {
        let table = Table::new()
            .with("season", Values::Text(self.calendar.names.iter().collect::<Text>()))
            .with("log_speed", Values::F64(self.file.log_speeds.clone()))
            .with("speed", Values::F64(self.speeds()));
        match &self.file.fit {
            None => table,
            Some(fit) => table
                .with_optional("std_error", fit.std_errors.iter().copied())
                .with("purchases", Values::F64(fit.purchases.clone())),
        }
    }

    /// One row on the fit: model, log_likelihood, log_likelihood_without (a
    /// clock), statistic (twice their difference), degrees_of_freedom, p (of no
    /// seasons at all, by χ²), iterations. Empty for a clock of given speeds.
    pub fn fit_table(&self) -> Table {
        let Some(fit) = &self.file.fit else { return Table::new() };
        let seen = fit.std_errors.iter().flatten().count();
        let (statistic, free) =
            (2.0 * (fit.log_likelihood - fit.log_likelihood_without).max(0.0), seen.saturating_sub(1));
        Table::new()
            .with("model", Values::Text(std::iter::once(fit.model.as_str()).collect::<Text>()))
            .with("log_likelihood", Values::F64(vec![fit.log_likelihood]))
            .with("log_likelihood_without", Values::F64(vec![fit.log_likelihood_without]))
            .with("statistic", Values::F64(vec![statistic]))
            .with("degrees_of_freedom", Values::I64(vec![free as i64]))
            .with_optional("p", [(free > 0).then(|| chi_squared_tail(statistic, free as f64))])
            .with("iterations", Values::I64(vec![fit.iterations as i64]))
    }
}

/// A clock over some time.
#[derive(Clone, Debug)]
pub(super) struct Line {
    time: Timeline,
    grain: i64,
    period: f64,
}

impl Line {
    /// Periods by the clock in so many grains after a grain.
    pub(super) fn ahead(&self, from: i64, grains: f64) -> f64 {
        self.time.ahead(from, grains) * self.grain as f64 / self.period
    }

    /// Periods by the clock from one grain to another.
    pub(super) fn between(&self, from: i64, to: i64) -> f64 {
        self.time.between(from, to) * self.grain as f64 / self.period
    }
}
