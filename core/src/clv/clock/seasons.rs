//! Seasons of the calendar, and time that runs faster in some of them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clv::finance::Period;
use crate::clv::summarize::When;
use crate::column::{DAY, civil, days};
use crate::{Error, Result};

/// A stretch of time that is a season, or one part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The season's name; windows of one name are one season.
    pub name: String,
    /// Its first moment.
    pub from: When,
    /// The first moment after it.
    pub until: When,
}

/// What the speed of time depends on.
///
/// Written as `"month"`, `"quarter"` or `"week"` (of the year), or as a list of
/// windows: `[{"name": "sale", "from": "2024-11-25", "until": "2024-12-02"}]`.
/// What lies in no window is the season `"other"`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Seasons {
    /// The twelve months.
    #[default]
    Month,
    /// The four quarters.
    Quarter,
    /// Weeks of the year, from January 1; the last one has a day or two more.
    Week,
    /// Windows of one's own.
    Windows(Vec<Window>),
}

/// What lies in no window.
const OTHER: &str = "other";
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Seasons that were checked: stretches of the calendar, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calendar {
    seasons: Seasons,
    pub names: Vec<String>,
    /// Windows in microseconds, in their order, and their seasons.
    windows: Vec<(i64, i64, usize)>,
}

impl Calendar {
    pub(super) fn new(seasons: Seasons) -> Result<Self> {
        let wrong = |reason: String| Err(Error::option("seasons", reason));
        let (mut names, mut windows) = (Vec::new(), Vec::new());
        match &seasons {
            Seasons::Month => names.extend(MONTHS.map(str::to_owned)),
            Seasons::Quarter => names.extend((1..=4).map(|q| format!("quarter_{q}"))),
            Seasons::Week => names.extend((1..=52).map(|w| format!("week_{w}"))),
            Seasons::Windows(given) => {
                names.push(OTHER.to_owned());
                for window in given {
                    let (from, until) =
                        (window.from.micros("seasons", None)?, window.until.micros("seasons", None)?);
                    if from >= until {
                        return wrong(format!("the window `{}` ends before it begins", window.name));
                    }
                    if window.name == OTHER || window.name.is_empty() {
                        return wrong(
                            "a window needs a name other than `other`, which is all other time".into(),
                        );
                    }
                    let season = names.iter().position(|name| *name == window.name).unwrap_or(names.len());
                    if season == names.len() {
                        names.push(window.name.clone());
                    }
                    windows.push((from, until, season));
                }
                windows.sort_unstable();
                let overlap = windows.iter().zip(windows.iter().skip(1)).find(|(a, b)| a.1 > b.0);
                if let Some((a, b)) = overlap {
                    let name = |window: &(i64, i64, usize)| names[window.2].clone();
                    return wrong(format!(
                        "the windows `{}` and `{}` overlap: time has one speed at a time",
                        name(a),
                        name(b)
                    ));
                }
                if names.len() < 2 || names.len() > 1000 {
                    return wrong("needs from 1 to 999 windows of different names".into());
                }
            }
        }
        Ok(Self { seasons, names, windows })
    }

    pub(super) fn seasons(&self) -> &Seasons {
        &self.seasons
    }

    /// The share of a year that each season of the year has; `None` for windows.
    pub(super) fn shares(&self) -> Option<Vec<f64>> {
        const YEAR: f64 = 365.2425;
        let months = [31.0, 28.2425, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0];
        match self.seasons {
            Seasons::Month => Some(months.map(|m| m / YEAR).to_vec()),
            Seasons::Quarter => Some(months.chunks(3).map(|q| q.iter().sum::<f64>() / YEAR).collect()),
            Seasons::Week => {
                let days = |week| if week < 51 { 7.0 } else { YEAR - 51.0 * 7.0 };
                Some((0..52).map(|week| days(week) / YEAR).collect())
            }
            Seasons::Windows(_) => None,
        }
    }

    /// The season of a moment, and the first moment after its stretch.
    fn at(&self, micros: i64) -> (usize, i64) {
        let day = micros.div_euclid(DAY);
        let calendar = |period: Period, size: i64| {
            let number = period.of_day(day);
            (number.rem_euclid(size) as usize, period.first_day(number + 1).saturating_mul(DAY))
        };
        match self.seasons {
            Seasons::Month => calendar(Period::Month, 12),
            Seasons::Quarter => calendar(Period::Quarter, 4),
            Seasons::Week => {
                let first = |year| days(year, 1, 1).unwrap_or_default();
                let (year, ..) = civil(day);
                let week = ((day - first(year)) / 7).min(51);
                let next = if week < 51 { first(year) + 7 * (week + 1) } else { first(year + 1) };
                (week as usize, next.saturating_mul(DAY))
            }
            Seasons::Windows(_) => {
                let next = self.windows.partition_point(|w| w.1 <= micros);
                match self.windows.get(next) {
                    Some((from, until, season)) if *from <= micros => (*season, *until),
                    Some((from, ..)) => (0, *from),
                    None => (0, i64::MAX),
                }
            }
        }
    }
}

/// Time between two moments, stretch by stretch, in grains.
///
/// A grain lies in the season in which it begins. An age counts the grains
/// after the first purchase's up to another one: those on which a purchase
/// could have been seen.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// The first grain of each stretch.
    starts: Vec<i64>,
    season: Vec<usize>,
    /// Operational grains before each stretch.
    base: Vec<f64>,
    speed: Vec<f64>,
}

impl Timeline {
    /// From one grain to another, both included.
    pub(super) fn new(calendar: &Calendar, speed: &[f64], grain: i64, from: i64, to: i64) -> Self {
        let mut out =
            Self { starts: Vec::new(), season: Vec::new(), base: Vec::new(), speed: speed.to_vec() };
        let (mut at, mut base) = (from, 0.0);
        loop {
            let (season, next) = calendar.at(at.saturating_mul(grain));
            // The first grain that begins there or later.
            let next = next.div_euclid(grain).saturating_add(i64::from(next.rem_euclid(grain) != 0));
            if out.season.last() != Some(&season) || out.starts.is_empty() {
                out.starts.push(at);
                out.season.push(season);
                out.base.push(base);
            }
            if next > to || next <= at {
                return out;
            }
            base += (next - at) as f64 * speed[season];
            at = next;
        }
    }

    fn stretch(&self, grain: i64) -> usize {
        self.starts.partition_point(|start| *start <= grain).saturating_sub(1)
    }

    /// Operational grains up to and with a grain.
    fn through(&self, grain: i64) -> f64 {
        let k = self.stretch(grain);
        self.base[k] + self.speed[self.season[k]] * (grain - self.starts[k] + 1) as f64
    }

    /// Operational grains after one grain up to and with another.
    pub(super) fn between(&self, from: i64, to: i64) -> f64 {
        self.through(to) - self.through(from)
    }

    /// Operational grains in so many grains after a grain.
    pub(super) fn ahead(&self, from: i64, grains: f64) -> f64 {
        let whole = grains.floor();
        let to = from.saturating_add(whole as i64);
        // The part of a grain that is left over lies in the next one's season.
        let next = self.season[self.stretch(to.saturating_add(1))];
        self.between(from, to) + (grains - whole) * self.speed[next]
    }

    pub(super) fn season(&self, grain: i64) -> usize {
        self.season[self.stretch(grain)]
    }

    /// Adds the grains of each season after one grain up to and with another.
    pub(super) fn count(&self, from: i64, to: i64, counts: &mut [f64]) {
        let (first, last) = (self.stretch(from + 1), self.stretch(to));
        for k in first..=last {
            let begins = self.starts[k].max(from + 1);
            let ends = self.starts.get(k + 1).map_or(to, |next| (next - 1).min(to));
            counts[self.season[k]] += (ends - begins + 1).max(0) as f64;
        }
    }
}

impl std::str::FromStr for Seasons {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "month" => Ok(Self::Month),
            "quarter" => Ok(Self::Quarter),
            "week" => Ok(Self::Week),
            _ => Err(Error::option(
                "seasons",
                format!(
                    "`{text}` is not month, quarter, week, nor a list of windows with name, from and until"
                ),
            )),
        }
    }
}

impl Serialize for Seasons {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Month => serializer.serialize_str("month"),
            Self::Quarter => serializer.serialize_str("quarter"),
            Self::Week => serializer.serialize_str("week"),
            Self::Windows(windows) => windows.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Seasons {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "month, quarter, week, or a list of windows with name, from and until")]
        enum Either {
            Name(String),
            Windows(Vec<Window>),
        }
        match Either::deserialize(deserializer)? {
            Either::Name(name) => name.parse().map_err(serde::de::Error::custom),
            Either::Windows(windows) => Ok(Self::Windows(windows)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grain by grain, against stretches.
    #[test]
    fn stretches_are_their_grains() {
        let window = |name: &str, from: &str, until: &str| Window {
            name: name.into(),
            from: from.into(),
            until: until.into(),
        };
        let own = Seasons::Windows(vec![
            window("sale", "2023-11-24", "2023-11-27"),
            window("eve", "2023-12-24T12:00", "2023-12-25"),
            window("sale", "2022-11-24", "2022-11-28"),
        ]);
        for (seasons, hours) in
            [(Seasons::Month, 24), (Seasons::Quarter, 36), (Seasons::Week, 24), (own.clone(), 24), (own, 5)]
        {
            let calendar = Calendar::new(seasons).unwrap();
            let grain = hours * (DAY / 24);
            let at = |text: &str| crate::column::parse_time(text).unwrap().div_euclid(grain);
            let (from, to) = (at("2022-10-05"), at("2024-03-02"));
            let speed: Vec<f64> = (0..calendar.names.len()).map(|s| 0.5 + s as f64 * 0.25).collect();
            let line = Timeline::new(&calendar, &speed, grain, from, to);
            let one = Timeline::new(&calendar, &vec![1.0; speed.len()], grain, from, to);
            let (mut total, mut counts) = (0.0, vec![0.0; speed.len()]);
            for g in from + 1..=to {
                let (season, next) = calendar.at(g * grain);
                assert!(next > g * grain);
                assert_eq!(line.season(g), season);
                total += speed[season];
                counts[season] += 1.0;
                assert!((line.between(from, g) - total).abs() < 1e-9);
                assert_eq!(one.between(from, g), (g - from) as f64);
                let mut found = vec![0.0; speed.len()];
                line.count(from, g, &mut found);
                assert_eq!(found, counts);
                assert!((line.ahead(from, (g - from) as f64) - total).abs() < 1e-9);
            }
            assert_eq!(line.between(from, from), 0.0);
            let half = line.ahead(from, 1.5) - line.ahead(from, 1.0);
            assert!((half - 0.5 * speed[line.season(from + 2)]).abs() < 1e-12);
        }
    }
}
