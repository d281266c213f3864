//! Spans of time as marketers write them: `"30d"`, `"12h"`, `"2w"`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result};

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;

const UNITS: [(&str, i64); 7] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", DAY),
    ("w", 7 * DAY),
];

/// A span of time, not negative, to the microsecond.
///
/// Written as a number and a unit, `w d h m s ms us`; a bare number counts days.
///
/// ```
/// use headwater::column::Duration;
///
/// assert_eq!("36h".parse::<Duration>()?.micros(), 129_600_000_000);
/// assert_eq!("1.5d".parse::<Duration>()?, "36h".parse()?);
/// assert!("soon".parse::<Duration>().is_err());
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

impl Duration {
    /// A span of this many microseconds; negative becomes 0.
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 { 0 } else { micros })
    }

    /// A span of this many days.
    pub const fn from_days(days: u32) -> Self {
        Self(days as i64 * DAY)
    }

    /// The span in microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The span in days.
    pub fn days(self) -> f64 {
        self.0 as f64 / DAY as f64
    }

    fn scaled(amount: f64, unit: i64, text: &str) -> Result<Self> {
        let micros = amount * unit as f64;
        // Beyond 2^62 a difference of two times could overflow.
        if micros.is_finite() && (0.0..4.6e18).contains(&micros) {
            Ok(Self(micros.round() as i64))
        } else {
            Err(bad(text))
        }
    }
}

fn bad(text: &str) -> Error {
    Error::option(
        "duration",
        format!("`{text}` is not a span of time; write for example \"30d\", \"12h\" or \"2w\""),
    )
}

impl std::str::FromStr for Duration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let at = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(at);
        let amount: f64 = number.trim().parse().map_err(|_| bad(text))?;
        let unit = if unit.is_empty() { "d" } else { unit };
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| bad(text))?;
        Self::scaled(amount, *size, text)
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The largest unit that divides it, weeks apart: "14d" reads better than "2w".
        let (unit, size) = UNITS[..6].iter().rev().find(|(_, size)| self.0 % size == 0).unwrap_or(&UNITS[0]);
        if self.0 == 0 { f.write_str("0d") } else { write!(f, "{}{unit}", self.0 / size) }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a span of time such as \"30d\", or a number of days")]
        enum Either {
            Text(String),
            Days(f64),
        }
        let parsed = match Either::deserialize(deserializer)? {
            Either::Text(text) => text.parse(),
            Either::Days(days) => Self::scaled(days, DAY, &days.to_string()),
        };
        // Whoever reads options knows the name of this one.
        parsed.map_err(|error| match error {
            Error::Option { reason, .. } => serde::de::Error::custom(reason),
            other => serde::de::Error::custom(other),
        })
    }
}
