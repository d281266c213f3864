//! How far ahead and at what discount, in a model's periods or with a unit of their own.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::finance::Rate;
use super::unit::Unit;
use crate::column::Duration;
use crate::{Error, Result};

/// How far ahead: a number of the model's periods, or a span of time such as `"365d"`, `"month"`, `"quarter"` or
/// `"year"`, which is turned into periods by their lengths ([`Unit::length`]).
///
/// ```
/// use headwater::clv::{Horizon, Unit};
///
/// let weeks: Unit = "7d".parse()?;
/// let quarter: Horizon = "91d".parse()?;
/// assert_eq!(quarter.periods("periods", Some(weeks))?, 13.0);
/// assert_eq!(Horizon::from(13.0).periods("periods", None)?, 13.0);
/// assert!(quarter.periods("periods", None).is_err());
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Horizon {
    /// So many periods.
    Periods(f64),
    /// So long a time.
    Span(Unit),
}

impl Horizon {
    /// The number of periods of this length; a span is an [`Error::Option`] where that is not known.
    pub fn periods(self, name: &str, period: Option<Unit>) -> Result<f64> {
        let periods = match self {
            Self::Periods(periods) => periods,
            Self::Span(span) => ratio(span, known(name, "a span of time", "a number of periods", period)?),
        };
        if periods.is_finite() && periods >= 0.0 {
            return Ok(periods);
        }
        Err(Error::option(name, format!("{periods} is not a finite number of periods from 0")))
    }

    /// The moment so long after another: by the calendar where the span or the period is of one, a part of a period being
    /// that part of the one that it begins.
    pub(crate) fn after(self, name: &str, period: Unit, from: i64) -> Result<i64> {
        let (unit, count) = match self {
            Self::Span(span) => (span, 1.0),
            Self::Periods(_) => (period, self.periods(name, Some(period))?),
        };
        unit.check_as(name)?;
        if count <= 0.0 {
            return Err(Error::option(name, "must be longer than 0"));
        }
        let whole = count.floor();
        let start = unit.after(from, whole as i64);
        let next = unit.after(from, (whole as i64).saturating_add(1));
        Ok(start.saturating_add(((count - whole) * next.saturating_sub(start) as f64).round() as i64))
    }

    /// Periods of a fixed length in microseconds.
    pub(crate) fn micros(self, name: &str, period: Duration) -> Result<i64> {
        let periods = self.periods(name, Some(period.into()))?;
        let micros = periods * period.micros() as f64;
        if micros < 9e18 {
            return Ok(micros.round() as i64);
        }
        Err(Error::option(name, format!("{periods} is not a number of periods that time can hold")))
    }

    /// The same where the periods are counted one by one, from 1 to `most`.
    pub(crate) fn whole(self, name: &str, period: Option<Unit>, most: u32) -> Result<usize> {
        let periods = self.periods(name, period)?;
        if periods.fract() == 0.0 && periods >= 1.0 && periods <= f64::from(most) {
            return Ok(periods as usize);
        }
        Err(Error::option(
            name,
            match (self, period) {
                (Self::Span(span), Some(period)) => {
                    let near = periods.round().clamp(1.0, f64::from(most));
                    format!(
                        "{span} is {periods:.4} periods of {period} and must be a whole number: give {near}"
                    )
                }
                _ => format!("must be a whole number from 1 to {most}"),
            },
        ))
    }
}

impl From<f64> for Horizon {
    fn from(periods: f64) -> Self {
        Self::Periods(periods)
    }
}

impl From<Unit> for Horizon {
    fn from(span: Unit) -> Self {
        Self::Span(span)
    }
}

impl From<Duration> for Horizon {
    fn from(span: Duration) -> Self {
        Self::Span(span.into())
    }
}

impl std::str::FromStr for Horizon {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let span = text.parse::<Unit>().map_err(|_| {
            let reason =
                format!("`{text}` is no span of time: write for example 365d, month, quarter or year");
            Error::option("periods", reason)
        })?;
        Ok(Self::Span(span))
    }
}

impl Serialize for Horizon {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Periods(periods) => serializer.serialize_f64(*periods),
            Self::Span(span) => span.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Horizon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number of periods, or a span of time such as \"365d\"")]
        enum Either {
            Periods(f64),
            Span(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Periods(periods) => Ok(Self::Periods(periods)),
            Either::Span(text) => text.parse().map_err(|error| {
                serde::de::Error::custom(match error {
                    Error::Option { reason, .. } => reason,
                    other => other.to_string(),
                })
            }),
        }
    }
}

/// A discount rate: per period of the model, or per a span of its own, `{"rate": 0.1, "per": "365d"}`, which is
/// compounded to the model's period ([`Rate::over`]).
///
/// ```
/// use headwater::clv::finance::Rate;
/// use headwater::clv::{DiscountRate, Unit};
///
/// let yearly = DiscountRate::from(Rate::new(0.1, "364d".parse()?));
/// let weekly = yearly.per_period("discount_rate", Some("7d".parse::<Unit>()?))?;
/// assert!(((1.0 + weekly).powi(52) - 1.1).abs() < 1e-12);
/// assert!(yearly.per_period("discount_rate", None).is_err());
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a rate per period such as 0.002, or a rate and its span such as {\"rate\": 0.1, \"per\": \"365d\"}"
)]
pub enum DiscountRate {
    /// Per period.
    PerPeriod(f64),
    /// Per a span of time.
    Per(Rate),
}

impl DiscountRate {
    /// The rate per period of this length, from 0; one per a span is an [`Error::Option`] where that is not known.
    pub fn per_period(self, name: &str, period: Option<Unit>) -> Result<f64> {
        let rate = match self {
            Self::PerPeriod(rate) => rate,
            Self::Per(rate) => {
                rate.check(name)?;
                rate.over(known(name, "a rate per span of time", "a rate per period", period)?.length())
            }
        };
        if rate.is_finite() && rate >= 0.0 {
            return Ok(rate);
        }
        Err(Error::option(name, "must be a finite number from 0"))
    }
}

impl Default for DiscountRate {
    fn default() -> Self {
        Self::PerPeriod(0.0)
    }
}

impl From<f64> for DiscountRate {
    fn from(rate: f64) -> Self {
        Self::PerPeriod(rate)
    }
}

impl From<Rate> for DiscountRate {
    fn from(rate: Rate) -> Self {
        Self::Per(rate)
    }
}

fn known(name: &str, given: &str, instead: &str, period: Option<Unit>) -> Result<Unit> {
    let Some(period) = period else {
        let reason = format!(
            "is {given}, and the model does not know how long its period is: give period, such as \"7d\", when it is \
             fitted or here, or {instead}"
        );
        return Err(Error::option(name, reason));
    };
    period.check()?;
    Ok(period)
}

fn ratio(span: Unit, period: Unit) -> f64 {
    span.length().micros() as f64 / period.length().micros() as f64
}
