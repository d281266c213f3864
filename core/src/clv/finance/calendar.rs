//! Calendar periods and periods of a fixed length.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::column::{DAY, Duration, civil, days};
use crate::{Error, Result};

/// What time is cut into: calendar units in UTC, or spans of whole days
/// counted from 1970-01-01.
///
/// Written as `"month"`, `"quarter"`, `"year"`, `"week"` (from Monday), or a
/// span such as `"30d"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// Weeks from Monday to Sunday.
    Week,
    /// Calendar months. The default.
    #[default]
    Month,
    /// Calendar quarters.
    Quarter,
    /// Calendar years.
    Year,
    /// Spans of this many days.
    Days(u32),
}

impl Period {
    /// The number of the period that holds a day since the epoch; the next one
    /// has the next number.
    pub(crate) fn of_day(self, day: i64) -> i64 {
        let months = |size: i64| {
            let (year, month, _) = civil(day);
            (year * 12 + month - 1).div_euclid(size)
        };
        match self {
            Self::Week => (day + 3).div_euclid(7),
            Self::Month => months(1),
            Self::Quarter => months(3),
            Self::Year => months(12),
            Self::Days(size) => day.div_euclid(i64::from(size.max(1))),
        }
    }

    /// The first day of a period.
    pub(crate) fn first_day(self, number: i64) -> i64 {
        let months = |size: i64| {
            let month = number * size;
            days(month.div_euclid(12), month.rem_euclid(12) + 1, 1).unwrap_or_default()
        };
        match self {
            Self::Week => number * 7 - 3,
            Self::Month => months(1),
            Self::Quarter => months(3),
            Self::Year => months(12),
            Self::Days(size) => number * i64::from(size.max(1)),
        }
    }

    /// The mean length: a month is a twelfth of 365.2425 days.
    pub fn length(self) -> Duration {
        let year = 3_652_425 * (DAY / 10_000);
        Duration::from_micros(match self {
            Self::Week => 7 * DAY,
            Self::Month => year / 12,
            Self::Quarter => year / 4,
            Self::Year => year,
            Self::Days(size) => i64::from(size) * DAY,
        })
    }
}

impl std::str::FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => {
                let bad = || {
                    Error::option(
                        "period",
                        format!(
                            "`{text}` is not week, month, quarter, year, nor a span of whole days such as \"30d\""
                        ),
                    )
                };
                let micros = text.parse::<Duration>().map_err(|_| bad())?.micros();
                let days = u32::try_from(micros / DAY).map_err(|_| bad())?;
                if micros % DAY != 0 || days == 0 || days > 1_000_000 {
                    return Err(bad());
                }
                Self::Days(days)
            }
        })
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Week => f.write_str("week"),
            Self::Month => f.write_str("month"),
            Self::Quarter => f.write_str("quarter"),
            Self::Year => f.write_str("year"),
            Self::Days(days) => write!(f, "{days}d"),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_lies_in_its_period() {
        let kinds = [Period::Week, Period::Month, Period::Quarter, Period::Year, Period::Days(30)];
        for day in (-800_000..800_000).step_by(17) {
            for kind in kinds {
                let number = kind.of_day(day);
                let (first, next) = (kind.first_day(number), kind.first_day(number + 1));
                assert!(first <= day && day < next, "{kind} {day}");
                assert_eq!(kind.of_day(first), number);
                assert_eq!(kind.of_day(next - 1), number);
            }
        }
        // 1997-09-30 was a Tuesday.
        let day = days(1997, 9, 30).unwrap_or_default();
        assert_eq!(civil(Period::Week.first_day(Period::Week.of_day(day))), (1997, 9, 29));
        assert_eq!(civil(Period::Quarter.first_day(Period::Quarter.of_day(day))), (1997, 7, 1));
        assert!("1.5d".parse::<Period>().is_err() && "0d".parse::<Period>().is_err());
        assert_eq!("2w".parse::<Period>().map(|p| p.to_string()).ok().as_deref(), Some("14d"));
    }
}
