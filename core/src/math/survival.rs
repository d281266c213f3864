//! The Kaplan–Meier curve of weighted spells, for any clock.

use super::{exact_sum, exp, ln};

/// What happened at one time: (time, events, censored spells).
pub(crate) type Ends<T> = (T, f64, f64);

/// How an interval of a survival curve is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurveInterval {
    /// Symmetric on the scale of ln(−ln S), which keeps it in [0, 1]
    /// (Kalbfleisch & Prentice 1980). The default.
    #[default]
    LogLog,
    /// Symmetric about S, cut off at 0 and 1.
    Plain,
}

/// The curve at one of its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point<T> {
    pub(crate) time: T,
    pub(crate) at_risk: f64,
    pub(crate) events: f64,
    /// Censored from this time on, before the next point.
    pub(crate) censored: f64,
    pub(crate) survival: f64,
    /// The estimated variance of ln S by Greenwood's formula; infinite where S is 0.
    pub(crate) greenwood: f64,
}

impl<T> Point<T> {
    /// Greenwood's standard error; missing where the curve is 0.
    pub(crate) fn std_error(&self) -> Option<f64> {
        self.greenwood.is_finite().then(|| self.survival * self.greenwood.sqrt())
    }

    /// The interval on the scale of ln(−ln S); missing where the curve is 0.
    pub(crate) fn interval(&self, z: f64) -> Option<(f64, f64)> {
        if !self.greenwood.is_finite() {
            return None;
        }
        if self.survival >= 1.0 {
            return Some((1.0, 1.0));
        }
        let log = ln(self.survival);
        let width = z * self.greenwood.sqrt() / -log;
        Some((exp(log * exp(width)), exp(log * exp(-width))))
    }

    /// The interval of this kind; missing where the curve is 0.
    pub(crate) fn interval_of(&self, kind: CurveInterval, z: f64) -> Option<(f64, f64)> {
        match kind {
            CurveInterval::LogLog => self.interval(z),
            CurveInterval::Plain => self.std_error().map(|e| {
                let (low, high) = (self.survival - z * e, self.survival + z * e);
                (low.max(0.0), high.min(1.0))
            }),
        }
    }
}

/// The curve from time 0: a point there, and one at every time with an event.
/// `ends` are in order of time. Spells censored at the time of an event were
/// still at risk (Kaplan & Meier 1958).
pub(crate) fn kaplan_meier<T: Copy + Default + PartialOrd>(ends: &[Ends<T>]) -> Vec<Point<T>> {
    kaplan_meier_entered(ends, &[])
}

/// The same where some spells are seen only from a later time on: `entries`
/// holds the time and the weight of each, in order of time. A spell is at risk
/// at times after its entry (left truncation, Lynden-Bell 1971).
pub(crate) fn kaplan_meier_entered<T: Copy + Default + PartialOrd>(
    ends: &[Ends<T>],
    entries: &[(T, f64)],
) -> Vec<Point<T>> {
    let all = exact_sum(ends.iter().flat_map(|e| [e.1, e.2]));
    let late = exact_sum(entries.iter().map(|e| e.1));
    let mut at_risk = all - late;
    let mut points = vec![Point { at_risk, survival: 1.0, ..Point::default() }];
    let (mut survival, mut greenwood) = (1.0, 0.0);
    let mut entries = entries.iter().peekable();
    for same in ends.chunk_by(|a, b| a.0 == b.0) {
        while let Some(entry) = entries.next_if(|e| e.0 < same[0].0) {
            at_risk += entry.1;
        }
        let (events, censored) = same.iter().fold((0.0, 0.0), |sum, e| (sum.0 + e.1, sum.1 + e.2));
        if events > 0.0 {
            // Rounding of fractional weights must not leave a sliver of the last spell.
            let left = if at_risk - events > 1e-9 * at_risk { at_risk - events } else { 0.0 };
            survival *= left / at_risk.max(f64::MIN_POSITIVE);
            greenwood += if left > 0.0 { events / (at_risk * left) } else { f64::INFINITY };
            let point = Point { time: same[0].0, at_risk, events, censored, survival, greenwood };
            if point.time == T::default() && points.len() == 1 {
                points[0] = point;
            } else {
                points.push(point);
            }
        } else if let Some(last) = points.last_mut() {
            last.censored += censored;
        }
        at_risk = (at_risk - events - censored).max(0.0);
    }
    points
}

/// The first time at which a share of `p` has had the event, by the curve and by
/// its limits (Brookmeyer & Crowley 1982): (time, low, high).
pub(crate) fn quantile<T: Copy>(
    points: &[Point<T>],
    p: f64,
    interval: impl Fn(&Point<T>) -> Option<(f64, f64)>,
) -> [Option<T>; 3] {
    // A product of shares can end a hair above the share that it stands for.
    let level = (1.0 - p) * (1.0 + 1e-12);
    let first = |below: &dyn Fn(&Point<T>) -> bool| points.iter().find(|p| below(p)).map(|p| p.time);
    [
        first(&|point| point.survival <= level),
        first(&|point| interval(point).is_none_or(|i| i.0 <= level)),
        first(&|point| interval(point).is_none_or(|i| i.1 <= level)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_without_events_stays_at_one() {
        let points = kaplan_meier(&[(3, 0.0, 2.0), (5, 0.0, 1.0)]);
        assert_eq!(points.len(), 1);
        assert_eq!((points[0].survival, points[0].censored, points[0].at_risk), (1.0, 3.0, 3.0));
        assert_eq!(quantile(&points, 0.5, |p| p.interval(1.96)), [None; 3]);
        assert_eq!(kaplan_meier::<i64>(&[])[0].at_risk, 0.0);
    }

    #[test]
    fn events_at_time_zero_belong_to_the_first_point() {
        let points = kaplan_meier(&[(0, 1.0, 1.0), (2, 2.0, 0.0)]);
        assert_eq!(points.len(), 2);
        assert_eq!((points[0].survival, points[0].events, points[0].censored), (0.75, 1.0, 1.0));
        assert_eq!((points[1].survival, points[1].at_risk), (0.0, 2.0));
        assert_eq!(points[1].interval(1.96), None);
    }

    #[test]
    fn late_entries_are_at_risk_after_their_entry() {
        // Three spells to 2, 4 and 6; the last is seen only after 2.
        let points =
            kaplan_meier_entered(&[(2.0, 1.0, 0.0), (4.0, 1.0, 0.0), (6.0, 0.0, 1.0)], &[(2.0, 1.0)]);
        let at_risk: Vec<f64> = points.iter().map(|p| p.at_risk).collect();
        assert_eq!(at_risk, [2.0, 2.0, 2.0]);
        assert_eq!(points[2].survival, 0.25);
    }
}
