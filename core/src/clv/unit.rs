//! The unit in which ages are counted.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::finance::Period;
use crate::column::{DAY, Duration, civil, days};
use crate::{Error, Result};

/// The unit of recency and T, and so of a model: a fixed span of time, or
/// calendar months, quarters or years in UTC.
///
/// Written as `"month"`, `"quarter"`, `"year"`, or a span such as `"7d"`; a bare
/// number counts days.
///
/// An age in months is the number of whole months since the first purchase, on
/// whose day of the month each begins (on the last day of a month that is too
/// short for it), and the part of the current month that is over: its days so
/// far over its days. Quarters and years are three and twelve months, with the
/// same rule. So are intervals divided by periods in R's lubridate.
///
/// ```
/// use headwater::clv::Unit;
/// use headwater::column::parse_time;
///
/// let at = |text| parse_time(text).unwrap_or_default();
/// let month: Unit = "month".parse()?;
/// assert_eq!(month.between(at("2024-01-31"), at("2024-02-29")), 1.0);
/// assert_eq!(month.between(at("2024-01-31"), at("2024-03-15")), 1.0 + 15.0 / 31.0);
/// let week: Unit = "7d".parse()?;
/// assert_eq!(week.between(at("2024-01-31"), at("2024-02-14")), 2.0);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A fixed span.
    Span(Duration),
    /// Calendar months.
    Month,
    /// Calendar quarters: three months.
    Quarter,
    /// Calendar years.
    Year,
}

impl Default for Unit {
    fn default() -> Self {
        Self::Span(Duration::from_days(1))
    }
}

impl From<Duration> for Unit {
    fn from(span: Duration) -> Self {
        Self::Span(span)
    }
}

impl Unit {
    /// Months in the unit; `None` for a fixed span.
    fn months(self) -> Option<i64> {
        match self {
            Self::Span(_) => None,
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Year => Some(12),
        }
    }

    /// A span of no length is an [`Error::Option`].
    pub(crate) fn check(self) -> Result<()> {
        self.check_as("period")
    }

    /// The same of the option of this name.
    pub(crate) fn check_as(self, option: &str) -> Result<()> {
        match self {
            Self::Span(span) if span.micros() <= 0 => Err(Error::option(option, "must be longer than 0")),
            _ => Ok(()),
        }
    }

    /// The calendar's periods that it is; `None` for a fixed span.
    fn calendar(self) -> Option<Period> {
        match self {
            Self::Span(_) => None,
            Self::Month => Some(Period::Month),
            Self::Quarter => Some(Period::Quarter),
            Self::Year => Some(Period::Year),
        }
    }

    /// The number of the one that holds a moment, in microseconds: the calendar's, or spans counted from the epoch.
    pub(crate) fn number(self, micros: i64) -> i64 {
        match self.calendar() {
            None => micros.div_euclid(self.length().micros().max(1)),
            Some(period) => period.of_day(micros.clamp(-FARTHEST, FARTHEST).div_euclid(DAY)),
        }
    }

    /// The first moment of the one of this number.
    pub(crate) fn start(self, number: i64) -> i64 {
        match self.calendar() {
            None => number.saturating_mul(self.length().micros()),
            Some(period) => period.first_day(number.clamp(-MOST_MONTHS, MOST_MONTHS)).saturating_mul(DAY),
        }
    }

    /// The mean length: a month is a twelfth of 365.2425 days.
    pub fn length(self) -> Duration {
        match (self, self.months()) {
            (Self::Span(span), _) => span,
            (_, months) => Duration::from_micros(3_652_425 * (DAY / 10_000) / 12 * months.unwrap_or(1)),
        }
    }

    /// Periods between two moments in microseconds since the epoch; negative
    /// where the second comes first.
    pub fn between(self, from: i64, to: i64) -> f64 {
        let Some(size) = self.months() else {
            return to.saturating_sub(from) as f64 / self.length().micros() as f64;
        };
        let (from, to) = (from.clamp(-FARTHEST, FARTHEST), to.clamp(-FARTHEST, FARTHEST));
        if to < from {
            return -self.between(to, from);
        }
        let month = |micros: i64| {
            let (year, month, _) = civil(micros.div_euclid(DAY));
            year * 12 + month
        };
        let mut whole = (month(to) - month(from)).div_euclid(size);
        if self.after(from, whole) > to {
            whole -= 1;
        }
        let (start, next) = (self.after(from, whole), self.after(from, whole + 1));
        whole as f64 + (to - start) as f64 / (next - start) as f64
    }

    /// The moment so many periods after another, in microseconds.
    pub fn after(self, from: i64, periods: i64) -> i64 {
        let Some(size) = self.months() else {
            return from.saturating_add(periods.saturating_mul(self.length().micros()));
        };
        let from = from.clamp(-FARTHEST, FARTHEST);
        let (year, month, day) = civil(from.div_euclid(DAY));
        let later = periods.saturating_mul(size).clamp(-MOST_MONTHS, MOST_MONTHS);
        let month = year * 12 + month - 1 + later;
        let first = |month: i64| days(month.div_euclid(12), month.rem_euclid(12) + 1, 1).unwrap_or_default();
        let length = first(month + 1) - first(month);
        (first(month) + day.min(length) - 1) * DAY + from.rem_euclid(DAY)
    }
}

/// Moments further from the epoch are taken as this one, far beyond the years
/// −9999 and 9999 that columns of times can hold.
const FARTHEST: i64 = 20_000_000 * DAY;

/// No moments are so many months apart.
const MOST_MONTHS: i64 = 1_800_000;

impl std::str::FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.trim() {
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            span => Self::Span(span.parse().map_err(|_| {
                let reason = format!(
                    "`{text}` is no unit of time; write a span such as \"7d\", or month, quarter or year"
                );
                Error::option("period", reason)
            })?),
        })
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Span(span) => span.fmt(f),
            Self::Month => f.write_str("month"),
            Self::Quarter => f.write_str("quarter"),
            Self::Year => f.write_str("year"),
        }
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a span such as \"7d\", a number of days, or month, quarter or year")]
        enum Either {
            Text(String),
            Days(f64),
        }
        match Either::deserialize(deserializer)? {
            Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
            Either::Days(days) => {
                let span = serde::de::value::F64Deserializer::<D::Error>::new(days);
                Duration::deserialize(span).map(Self::Span)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_days_of_the_rule() {
        let at = |y, m, d| days(y, m, d).unwrap_or_default() * DAY;
        let third = 1.0 / 3.0;
        for (unit, from, to, want) in [
            (Unit::Month, at(2023, 1, 31), at(2023, 2, 27), 27.0 / 28.0),
            (Unit::Month, at(2023, 1, 31), at(2023, 2, 28), 1.0),
            (Unit::Month, at(2023, 1, 31), at(2023, 3, 31), 2.0),
            (Unit::Month, at(2023, 1, 15), at(2023, 2, 14), 30.0 / 31.0),
            (Unit::Month, at(1997, 1, 1), at(1998, 6, 30), 17.0 + 29.0 / 30.0),
            (Unit::Quarter, at(2023, 1, 1), at(2023, 5, 1), 1.0 + 30.0 / 91.0),
            (Unit::Year, at(2024, 2, 29), at(2025, 2, 28), 1.0),
            (Unit::Year, at(2024, 2, 29), at(2028, 2, 29), 4.0),
            (Unit::Year, at(2023, 1, 1), at(2024, 7, 1), 1.0 + 182.0 / 366.0),
            (Unit::Month, at(2024, 3, 1), at(2024, 3, 1), 0.0),
            (Unit::Span(Duration::from_days(30)), at(2024, 3, 1), at(2024, 3, 11), third),
        ] {
            assert_eq!(unit.between(from, to), want, "{unit} {from} {to}");
            assert_eq!(unit.between(to, from), -want);
        }
        assert_eq!(Unit::Month.after(at(2024, 1, 31), 1), at(2024, 2, 29));
        assert_eq!(Unit::Year.length().micros(), Unit::Month.length().micros() * 12);
        assert!("months".parse::<Unit>().is_err() && "0.x".parse::<Unit>().is_err());
        let read: Vec<Unit> = serde_json::from_str(r#"["month", "year", "7d", 1.5]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["month","year","7d","36h"]"#);
    }

    proptest! {
        /// Every moment lies in its grain, and grains meet.
        #[test]
        fn grains_hold_their_moments(micros in -2_000_000_000_000_000_i64..4_000_000_000_000_000) {
            for unit in [Unit::Month, Unit::Quarter, Unit::Year, Unit::Span(Duration::from_days(7))] {
                let number = unit.number(micros);
                prop_assert!(unit.start(number) <= micros && micros < unit.start(number + 1));
                prop_assert_eq!(unit.number(unit.start(number)), number);
                prop_assert_eq!(unit.between(unit.start(number), unit.start(number + 5)), 5.0);
            }
        }

        /// Ages grow with time, and whole ones are where the moments are.
        #[test]
        fn ages_and_moments_agree(
            from in -900_000_i64..900_000, hours in 0_i64..24, days in 0_i64..20_000, n in 0_i64..700,
        ) {
            let from = from * DAY + hours * (DAY / 24);
            for unit in [Unit::Month, Unit::Quarter, Unit::Year, Unit::Span(Duration::from_days(7))] {
                prop_assert_eq!(unit.between(from, unit.after(from, n)), n as f64);
                let (a, b) = (unit.between(from, from + days * DAY), unit.between(from, from + (days + 1) * DAY));
                prop_assert!(a < b);
                let rough = days as f64 / unit.length().days();
                prop_assert!((a - rough).abs() < 0.2 + 0.002 * rough, "{} {}", a, rough);
            }
        }

        #[test]
        fn no_moment_is_too_far(from in any::<i64>(), to in any::<i64>(), n in any::<i64>()) {
            for unit in [Unit::Month, Unit::Year, Unit::Span(Duration::from_days(1))] {
                prop_assert!(unit.between(from, to).is_finite());
                let _ = (unit.after(from, n), unit.start(n), unit.number(from));
            }
        }
    }
}
