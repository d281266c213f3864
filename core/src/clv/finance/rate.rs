//! Rates that know their span, and money that knows its period.

use serde::{Deserialize, Deserializer, Serialize};

use crate::clv::unit::Unit;
use crate::column::Duration;
use crate::math::{exp, exp_m1, ln, ln_1p};
use crate::{Error, Result};

/// A rate per span of time, such as 10 % a year: `{"rate": 0.1, "per": "365d"}`.
///
/// Over another span it is compounded, (1 + r)^(span / per) − 1.
///
/// ```
/// use headwater::clv::finance::Rate;
///
/// let yearly = Rate::new(0.1, "365d".parse()?);
/// assert_eq!(yearly.over("365d".parse()?), 0.1);
/// assert!((yearly.over("730d".parse()?) - 0.21).abs() < 1e-15);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The rate, as a share: 0.1 for 10 %.
    pub rate: f64,
    /// The span that it is per; from text also `month`, `quarter` or `year`, by their mean lengths.
    #[serde(deserialize_with = "span")]
    pub per: Duration,
}

impl Rate {
    /// A rate per span.
    pub const fn new(rate: f64, per: Duration) -> Self {
        Self { rate, per }
    }

    /// The rate over another span, compounded.
    pub fn over(self, span: Duration) -> f64 {
        if span == self.per {
            return self.rate;
        }
        exp_m1(ln_1p(self.rate) * ratio(span, self.per))
    }

    pub(crate) fn check(self, name: &str) -> Result<()> {
        spans(name, self.per)?;
        if self.rate.is_finite() && self.rate >= 0.0 {
            return Ok(());
        }
        Err(Error::option(name, "its rate must be a finite number from 0, such as 0.1 for 10 %"))
    }

    pub(crate) fn check_growth(self, name: &str) -> Result<()> {
        spans(name, self.per)?;
        if self.rate.is_finite() && self.rate > -1.0 {
            return Ok(());
        }
        Err(Error::option(name, "its rate must be a finite number above −1, such as 0.02 for 2 %"))
    }

    /// Checks a share that stays (retention), and gives it over another span: ρ^(span / per).
    pub(crate) fn share_over(self, name: &str, span: Duration) -> Result<f64> {
        spans(name, self.per)?;
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(Error::option(name, "its rate must lie between 0 and 1, such as 0.8 for 80 %"));
        }
        if span == self.per || self.rate == 0.0 || self.rate == 1.0 {
            return Ok(self.rate);
        }
        Ok(exp(ln(self.rate) * ratio(span, self.per)))
    }
}

/// Money that comes or goes once a period: `{"amount": 9.9, "per": "30d"}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// How much.
    pub amount: f64,
    /// How often; from text also `month`, `quarter` or `year`, by their mean lengths.
    #[serde(deserialize_with = "span")]
    pub per: Duration,
}

impl Flow {
    /// Money per period.
    pub const fn new(amount: f64, per: Duration) -> Self {
        Self { amount, per }
    }

    pub(super) fn check(self, name: &str) -> Result<()> {
        spans(name, self.per)?;
        if self.amount.is_finite() {
            return Ok(());
        }
        Err(Error::option(name, "its amount must be a finite number"))
    }
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Duration, D::Error> {
    Unit::deserialize(deserializer).map(Unit::length)
}

/// How long a time is: a span, or a number of months, quarters or years by their mean lengths.
pub(super) fn long<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a span such as \"365d\", \"24 months\" or \"3 years\", or a number of days"
    )]
    enum Either {
        Text(String),
        Days(f64),
    }
    let text = match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Days(days) => {
            let span = serde::de::value::F64Deserializer::<D::Error>::new(days);
            return Duration::deserialize(span);
        }
    };
    let whole = text.trim();
    let (count, unit) = whole.split_at(whole.find(|c: char| !c.is_ascii_digit()).unwrap_or_default());
    let unit = unit.trim();
    let calendar = match unit.strip_suffix('s').unwrap_or(unit) {
        "month" => Some(Unit::Month),
        "quarter" => Some(Unit::Quarter),
        "year" => Some(Unit::Year),
        _ => None,
    };
    let Some(calendar) = calendar else { return text.parse().map_err(serde::de::Error::custom) };
    let count = if count.is_empty() { Ok(1) } else { count.parse::<u16>() };
    let count = count.map_err(|_| serde::de::Error::custom(format!("`{text}` is too long a time")))?;
    Ok(Duration::from_micros(calendar.length().micros().saturating_mul(i64::from(count))))
}

/// The same where none is without end.
pub(super) fn longest<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    struct Long(#[serde(deserialize_with = "long")] Duration);
    Ok(Option::<Long>::deserialize(deserializer)?.map(|span| span.0))
}

/// A span in words: that of a month is one.
pub(super) fn said(span: Duration) -> String {
    [Unit::Month, Unit::Quarter, Unit::Year]
        .into_iter()
        .find(|unit| unit.length() == span)
        .map_or_else(|| span.to_string(), |unit| unit.to_string())
}

fn spans(name: &str, per: Duration) -> Result<()> {
    if per.micros() > 0 {
        return Ok(());
    }
    Err(Error::option(name, "is per a span of 0; write for example per=\"365d\""))
}

fn ratio(span: Duration, per: Duration) -> f64 {
    span.micros() as f64 / per.micros() as f64
}

/// How many whole periods a span holds; a named error where it is not whole.
pub(super) fn whole_periods(name: &str, span: Duration, period: Duration) -> Result<u64> {
    let (span, of) = (span.micros(), period.micros());
    if of > 0 && span % of == 0 {
        return Ok((span / of) as u64);
    }
    let period = said(period);
    Err(Error::option(name, format!("is not a whole number of periods of {period}; give a multiple of it")))
}
