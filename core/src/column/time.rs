//! Times of every unit, zone and spelling, as microseconds since the epoch.

use std::borrow::Cow;

use jiff::civil;
use serde::{Deserialize, Serialize};

use super::data::{Cells, Data, Kind};
use super::duration::DAY;
use super::flaw::{Flaw, Flaws, fill, scan};
use super::intake::wrong_kind;
use super::strings::Strings;
use crate::{Error, Result, Run};

/// The first microsecond of the year −9999.
pub const MIN_TIME: i64 = -377_705_116_800_000_000;
/// The last microsecond of the year 9999.
pub const MAX_TIME: i64 = 253_402_300_799_999_999;

/// The unit of times that are plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeUnit {
    /// Seconds since the epoch.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds since the epoch, as in JavaScript.
    #[serde(rename = "ms")]
    Millisecond,
    /// Microseconds since the epoch.
    #[serde(rename = "us")]
    Microsecond,
    /// Nanoseconds since the epoch; cut to microseconds towards the past.
    #[serde(rename = "ns")]
    Nanosecond,
    /// Days since the epoch.
    #[serde(rename = "d")]
    Day,
    /// A date as a number, 19970131 for 31 January 1997.
    #[serde(rename = "ymd")]
    Ymd,
}

impl TimeUnit {
    /// Microseconds of a whole number of this unit; `None` outside the years −9999 to 9999.
    pub fn micros(self, value: i64) -> Option<i64> {
        let micros = match self {
            Self::Second => value.checked_mul(1_000_000)?,
            Self::Millisecond => value.checked_mul(1_000)?,
            Self::Microsecond => value,
            Self::Nanosecond => value.div_euclid(1_000),
            Self::Day => value.checked_mul(DAY)?,
            Self::Ymd => {
                if !(0..=99_991_231).contains(&value) {
                    return None;
                }
                days(value / 10_000, value / 100 % 100, value % 100)? * DAY
            }
        };
        in_range(micros)
    }

    /// Microseconds of a number of this unit, to the nearest.
    fn micros_f64(self, value: f64) -> Option<i64> {
        let micros = match self {
            Self::Second => value * 1e6,
            Self::Millisecond => value * 1e3,
            Self::Microsecond => value,
            Self::Nanosecond => return self.micros(whole(value.floor())?),
            Self::Day => value * DAY as f64,
            Self::Ymd => return if value.fract() == 0.0 { self.micros(whole(value)?) } else { None },
        };
        in_range(whole(micros.round())?)
    }
}

fn whole(value: f64) -> Option<i64> {
    (-9.2e18..9.2e18).contains(&value).then_some(value as i64)
}

fn in_range(micros: i64) -> Option<i64> {
    (MIN_TIME..=MAX_TIME).contains(&micros).then_some(micros)
}

/// Days since the epoch of a date in the years 0 to 9999, by Hinnant's
/// `days_from_civil`; `None` where there is no such day.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is their last.
    let shifted = if month > 2 { year } else { year - 1 };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

/// Year, month and day of the month of a day since the epoch (Hinnant's `civil_from_days`).
pub(crate) fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = year_of_era + era * 400 + i64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
}

/// An instant as ISO text: the day alone at midnight, else to the second.
pub(crate) fn written(micros: i64) -> String {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let date = format!("{year:04}-{month:02}-{day:02}");
    let second = micros.rem_euclid(DAY) / 1_000_000;
    match micros.rem_euclid(DAY) {
        0 => date,
        _ => format!("{date}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60),
    }
}

fn digits(bytes: &[u8], from: usize, count: usize) -> Option<i64> {
    let mut value = 0;
    for byte in bytes.get(from..from + count)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

/// The common fixed layouts; `None` for everything else, right or wrong.
fn fast(text: &[u8]) -> Option<i64> {
    let at = |i: usize| text.get(i).copied();
    if text.len() == 8 {
        return Some(days(digits(text, 0, 4)?, digits(text, 4, 2)?, digits(text, 6, 2)?)? * DAY);
    }
    if at(4)? != b'-' || at(7)? != b'-' {
        return None;
    }
    let date = days(digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?)? * DAY;
    if text.len() == 10 {
        return Some(date);
    }
    if !matches!(at(10)?, b'T' | b't' | b' ') || at(13)? != b':' {
        return None;
    }
    let (hour, minute) = (digits(text, 11, 2)?, digits(text, 14, 2)?);
    let mut next = 16;
    let mut second = 0;
    let mut micros = 0;
    if at(next) == Some(b':') {
        second = digits(text, 17, 2)?;
        next = 19;
        if matches!(at(next), Some(b'.' | b',')) {
            next += 1;
            let from = next;
            let mut scale = 100_000;
            while let Some(digit) = at(next).filter(u8::is_ascii_digit) {
                micros += i64::from(digit - b'0') * scale;
                scale /= 10;
                next += 1;
            }
            if next == from || next - from > 9 {
                return None;
            }
        }
    }
    // 23:59:60 and 24:00:00 go the slow way, which knows what to say.
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = match at(next) {
        None => 0,
        Some(b'Z' | b'z') if next + 1 == text.len() => 0,
        Some(sign @ (b'+' | b'-')) => {
            let hours = digits(text, next + 1, 2)?;
            let minutes = match text.len() - next {
                3 => 0,
                5 => digits(text, next + 3, 2)?,
                6 if at(next + 3) == Some(b':') => digits(text, next + 4, 2)?,
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let size = (hours * 60 + minutes) * 60_000_000;
            if sign == b'+' { size } else { -size }
        }
        Some(_) => return None,
    };
    in_range(date + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros - offset)
}

/// The microseconds since the epoch that a string means, in UTC where it names
/// no zone; `None` where it is no time.
///
/// ISO 8601 and RFC 3339 in their usual spellings, `19970131`, offsets, and
/// zones in brackets as in RFC 9557.
///
/// ```
/// use headwater::column::parse_time;
///
/// assert_eq!(parse_time("1970-01-02"), Some(86_400_000_000));
/// assert_eq!(parse_time("1970-01-01 01:00:00.5+01:00"), Some(500_000));
/// assert_eq!(parse_time("yesterday"), None);
/// ```
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    fast(text.as_bytes()).or_else(|| slow(text))
}

fn slow(text: &str) -> Option<i64> {
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    let nanos = if let Ok(time) = text.parse::<jiff::Timestamp>() {
        time.as_nanosecond()
    } else if let Ok(time) = text.parse::<jiff::Zoned>() {
        time.timestamp().as_nanosecond()
    } else {
        // A string with an offset or a zone that is not a time with one must
        // not count as a time without.
        if text.contains(['[', 'Z', 'z'])
            || text.split_once(['T', 't', ' ']).is_some_and(|(_, rest)| rest.contains(['+', '-']))
        {
            return None;
        }
        let time = text.parse::<civil::DateTime>().ok()?;
        let days = i128::from(time.date().since((jiff::Unit::Day, civil::date(1970, 1, 1))).ok()?.get_days());
        let clock = time.time();
        let seconds =
            (i128::from(clock.hour()) * 60 + i128::from(clock.minute())) * 60 + i128::from(clock.second());
        (days * 86_400 + seconds) * 1_000_000_000 + i128::from(clock.subsec_nanosecond())
    };
    in_range(i64::try_from(nanos.div_euclid(1_000)).ok()?)
}

/// Reads a column as times.
pub(crate) fn read<'a>(
    name: &str,
    data: &'a Data,
    unit: Option<TimeUnit>,
    run: &Run,
) -> Result<(Cow<'a, [i64]>, Flaws)> {
    const WANTED: &str = "a time is a timestamp, a date, an ISO 8601 string, or a number with a stated unit";
    match data.kind() {
        Kind::Time | Kind::Text | Kind::Null => {}
        Kind::Int | Kind::Float if unit.is_some() => {}
        kind @ (Kind::Int | Kind::Float) => {
            return Err(Error::column(
                name,
                format!(
                    "holds {}, whose unit is not stated; pass time_unit=\"s\", \"ms\", \"us\", \"ns\", \"d\" or \"ymd\" (19970131), or convert the column to timestamps",
                    kind.name()
                ),
            ));
        }
        _ => return Err(wrong_kind(name, data, WANTED)),
    }
    if let [chunk] = &*data.chunks
        && let Cells::Time(times) = &chunk.cells
        && chunk.valid.all()
    {
        let flaws = scan(run, "read times", times.len(), |rows, add| {
            for row in rows {
                if in_range(times[row]).is_none() {
                    add(row, Flaw::OutOfRange);
                }
            }
        })?;
        return Ok((Cow::Borrowed(times), flaws));
    }
    let unit = unit.unwrap_or(TimeUnit::Microsecond);
    let (times, flaws) = fill(run, "read times", data, |chunk, rows, out: &mut [i64], add| {
        let mut put = |row: usize, slot: &mut i64, value: Option<i64>| match value {
            _ if !chunk.valid.at(row) => add(row, Flaw::Missing),
            Some(micros) => *slot = micros,
            None => add(row, Flaw::OutOfRange),
        };
        let slots = rows.clone().zip(out);
        match &chunk.cells {
            Cells::Time(v) => slots.zip(&v[rows]).for_each(|((row, slot), v)| put(row, slot, in_range(*v))),
            Cells::I64(v) => {
                slots.zip(&v[rows]).for_each(|((row, slot), v)| put(row, slot, unit.micros(*v)));
            }
            Cells::F64(v) => {
                for ((row, slot), v) in slots.zip(&v[rows]) {
                    if v.is_nan() {
                        add(row, Flaw::Missing);
                    } else {
                        match unit.micros_f64(*v) {
                            _ if !chunk.valid.at(row) => add(row, Flaw::Missing),
                            Some(micros) => *slot = micros,
                            None => add(row, Flaw::OutOfRange),
                        }
                    }
                }
            }
            _ => {
                let strings = Strings::of(chunk);
                for (row, slot) in slots {
                    match strings.get(row).map(str::trim) {
                        None => add(row, Flaw::Missing),
                        Some("") => add(row, Flaw::Empty),
                        Some(text) => match parse_time(text) {
                            Some(micros) => *slot = micros,
                            None => add(row, Flaw::NotTime),
                        },
                    }
                }
            }
        }
    })?;
    Ok((Cow::Owned(times), flaws))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Option<i64> {
        let parsed = parse_time(text);
        // Everything that the fast path takes means the same to jiff, whose
        // instants end a day and a bit before the year 9999 does.
        if let Some(quick) = fast(text.trim().as_bytes()).filter(|_| !text.contains("9999-")) {
            assert_eq!(slow(text.trim()), Some(quick), "{text}");
        }
        parsed
    }

    #[test]
    fn spellings_of_one_instant() {
        for text in [
            "2024-02-29T12:30:00Z",
            "2024-02-29 12:30:00",
            "2024-02-29t12:30z",
            " 2024-02-29T12:30 ",
            "2024-02-29 12:30:00 UTC",
            "2024-02-29T14:00:00.000+01:30",
            "2024-02-29T14:00+0130",
            "2024-02-29 05:30:00,000000000-07",
            "2024-02-29T13:30:00+01:00[Europe/Paris]",
            "20240229T123000Z",
        ] {
            assert_eq!(at(text), Some(1_709_209_800_000_000), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "today",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "20241301",
            "2024-01-01T24:01:00Z",
            "2024-01-01T12:60",
            "2024-01-01T12:00:00+24:60",
            "2024-01-01T12:00:00.",
            "2024-01-01T12:00:00Zulu",
            "2024-01-01T12:00:00+01:00:",
            "1/2/2024",
            "12345",
            "2024-01-01T12:00:00[Nowhere/Land]",
            "２０２４-01-01",
            "-9999-01-01T00:00:00+99:99",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn the_ends_of_time() {
        assert_eq!(at("9999-12-31T23:59:59.999999999Z"), Some(MAX_TIME));
        assert_eq!(at("9999-12-31T23:59:59.999999"), Some(MAX_TIME));
        assert_eq!(at("-009999-01-01T00:00:00"), Some(MIN_TIME));
        assert_eq!(TimeUnit::Second.micros(i64::MAX), None);
        assert_eq!(TimeUnit::Day.micros(i64::MIN), None);
        assert_eq!(TimeUnit::Nanosecond.micros(-1), Some(-1));
        assert_eq!(TimeUnit::Microsecond.micros(MAX_TIME + 1), None);
        assert_eq!(TimeUnit::Ymd.micros(19_970_101), parse_time("1997-01-01"));
        assert_eq!(TimeUnit::Second.micros_f64(1.5), Some(1_500_000));
        assert_eq!(TimeUnit::Second.micros_f64(f64::INFINITY), None);
        assert_eq!(TimeUnit::Ymd.micros_f64(19_970_101.5), None);
    }

    #[test]
    fn a_leap_second_is_the_second_before() {
        assert_eq!(at("2016-12-31T23:59:60Z"), at("2016-12-31T23:59:59Z"));
    }

    proptest! {
        #[test]
        fn the_calendar_is_that_of_jiff(
            date in (0i16..=9999, 1i8..=13, 0i8..=32),
            clock in (0i8..=25, 0i8..=61, 0i8..=59, 0u32..1_000_000_000, 0usize..=9),
            offset in -1439i32..=1439,
            layout in 0usize..5,
        ) {
            let (y, m, d) = date;
            let (hh, mm, ss, nanos, places) = clock;
            let fraction = format!("{nanos:09}");
            let fraction = if places == 0 { String::new() } else { format!(".{}", &fraction[..places]) };
            let sign = if offset < 0 { '-' } else { '+' };
            let (oh, om) = (offset.abs() / 60, offset.abs() % 60);
            let text = match layout {
                0 => format!("{y:04}-{m:02}-{d:02}"),
                1 => format!("{y:04}{m:02}{d:02}"),
                2 => format!("{y:04}-{m:02}-{d:02} {hh:02}:{mm:02}"),
                3 => format!("{y:04}-{m:02}-{d:02}T{hh:02}:{mm:02}:{ss:02}{fraction}Z"),
                _ => format!("{y:04}-{m:02}-{d:02}T{hh:02}:{mm:02}:{ss:02}{fraction}{sign}{oh:02}:{om:02}"),
            };
            let expected = civil::Date::new(y, m, d).ok().and_then(|date| {
                let clock = match layout {
                    0 | 1 => civil::Time::midnight(),
                    2 => civil::Time::new(hh, mm, 0, 0).ok()?,
                    _ => {
                        let cut = 10i32.pow(9 - places as u32);
                        let nanos = if places == 0 { 0 } else { nanos as i32 / cut * cut };
                        civil::Time::new(hh, mm, ss, nanos).ok()?
                    }
                };
                let shift = if layout == 4 { i128::from(offset) * 60_000_000 } else { 0 };
                let zoned = date.to_datetime(clock).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
                let micros = zoned.timestamp().as_nanosecond().div_euclid(1_000) - shift;
                in_range(i64::try_from(micros).ok()?)
            });
            if y < 9999 {
                prop_assert_eq!(at(&text), expected, "{}", text);
            }
        }

        #[test]
        fn any_string_is_a_time_or_none(text in "[-0-9TtZz:.,+ \\[\\]A-Za-z/é]{0,40}") {
            at(&text);
        }
    }
}
