//! Kaplan–Meier curves of spells in whole time steps, and their comparison.

use super::Report;
use super::stats::two_sided;
use crate::column::{Table, Text, Values};
use crate::math::exact_sum;
use crate::math::survival::{self, kaplan_meier, quantile};

/// What happened at one time: (time, conversions, censored spells).
pub(super) type Ends = survival::Ends<i64>;
type Point = survival::Point<i64>;

/// The curve as it stands at multiples of `grid`.
fn thinned(points: &[Point], grid: i64) -> Vec<Point> {
    let Some(last) = points.last() else { return Vec::new() };
    let mut out: Vec<Point> = Vec::new();
    let mut points = points.iter().peekable();
    let (mut now, mut at) = (Point { survival: 1.0, ..Point::default() }, 0_i64);
    loop {
        let (mut events, mut censored, mut at_risk) = (0.0, 0.0, None);
        while let Some(point) = points.next_if(|p| p.time <= at) {
            now = *point;
            events += point.events;
            censored += point.censored;
            at_risk.get_or_insert(point.at_risk);
        }
        let at_risk =
            at_risk.unwrap_or_else(|| out.last().map_or(0.0, |p| p.at_risk - p.events - p.censored));
        out.push(Point { time: at, at_risk, events, censored, ..now });
        if at >= last.time {
            return out;
        }
        at = at.saturating_add(grid);
    }
}

/// The log-rank test of each group against the others (Mantel 1966): the
/// events expected had it the hazard of all, and the standardised excess.
fn log_rank(groups: &[&[Ends]]) -> Vec<(f64, Option<f64>)> {
    let mut all: Vec<Ends> = groups.concat();
    all.sort_unstable_by(|a, b| {
        (a.0, a.1.to_bits(), a.2.to_bits()).cmp(&(b.0, b.1.to_bits(), b.2.to_bits()))
    });
    let mut at_risk = exact_sum(all.iter().flat_map(|e| [e.1, e.2]));
    // Up to each time: the sums of d/n, c n and c, where c n_g (n − n_g) is the variance that the time adds.
    let mut sums: Vec<(i64, [f64; 3])> = Vec::new();
    let mut sum = [0.0; 3];
    for same in all.chunk_by(|a, b| a.0 == b.0) {
        let (events, censored) = same.iter().fold((0.0, 0.0), |sum, e| (sum.0 + e.1, sum.1 + e.2));
        if events > 0.0 {
            sum[0] += events / at_risk;
            if at_risk > 1.0 {
                let c = events * (at_risk - events).max(0.0) / (at_risk * at_risk * (at_risk - 1.0));
                sum[1] += c * at_risk;
                sum[2] += c;
            }
        }
        sums.push((same[0].0, sum));
        at_risk -= events + censored;
    }
    let upto = |time: i64| {
        let after = sums.partition_point(|s| s.0 <= time);
        if after == 0 { [0.0; 3] } else { sums[after - 1].1 }
    };
    let test = |ends: &&[Ends]| {
        let mut left = exact_sum(ends.iter().flat_map(|e| [e.1, e.2]));
        let (mut observed, mut expected, mut variance) = (0.0, 0.0, 0.0);
        let mut before = [0.0; 3];
        for same in ends.chunk_by(|a, b| a.0 == b.0) {
            let now = upto(same[0].0);
            expected += left * (now[0] - before[0]);
            variance += left * (now[1] - before[1]) - left * left * (now[2] - before[2]);
            before = now;
            observed += same.iter().map(|e| e.1).sum::<f64>();
            left -= same.iter().map(|e| e.1 + e.2).sum::<f64>();
        }
        // A group that is all there is differs from nothing, but for rounding.
        let z = (variance > 1e-9 * expected).then(|| (observed - expected) / variance.sqrt());
        (expected, z)
    };
    groups.iter().map(test).collect()
}

/// Curves of several groups, and what is read off them.
#[derive(Default)]
pub(super) struct Curves {
    group: Text,
    points: Vec<Point>,
    asked: Text,
    shares: Vec<f64>,
    reached: [Vec<Option<i64>>; 3],
    names: Text,
    totals: [Vec<f64>; 3],
    tests: Vec<(f64, Option<f64>)>,
}

impl Curves {
    /// Adds a group; `ends` are in order of time.
    pub(super) fn push(&mut self, group: &str, ends: &[Ends], quantiles: &[f64], z: f64, grid: Option<i64>) {
        let points = kaplan_meier(ends);
        for p in quantiles {
            self.asked.push(group);
            self.shares.push(*p);
            for (all, time) in self.reached.iter_mut().zip(quantile(&points, *p, |point| point.interval(z))) {
                all.push(time);
            }
        }
        let events = exact_sum(ends.iter().map(|e| e.1));
        let censored = exact_sum(ends.iter().map(|e| e.2));
        self.names.push(group);
        for (all, n) in self.totals.iter_mut().zip([events + censored, events, censored]) {
            all.push(n);
        }
        let shown = grid.map_or(points.clone(), |grid| thinned(&points, grid));
        for point in shown {
            self.group.push(group);
            self.points.push(point);
        }
    }

    /// Tests the groups against each other; all, in the order in which they were added.
    pub(super) fn compare(&mut self, groups: &[&[Ends]]) {
        self.tests = log_rank(groups);
    }

    /// The tables: the curve under `name`, its quantiles, and the groups.
    pub(super) fn report(self, name: &'static str, unit: &str, scale: fn(i64) -> f64, z: f64) -> Report {
        let points = &self.points;
        let number = |f: fn(&Point) -> f64| Values::F64(points.iter().map(f).collect());
        let curve = Table::new()
            .with("group", Values::Text(self.group.clone()))
            .with(unit, Values::F64(points.iter().map(|p| scale(p.time)).collect()))
            .with("at_risk", number(|p| p.at_risk))
            .with("events", number(|p| p.events))
            .with("censored", number(|p| p.censored))
            .with("survival", number(|p| p.survival))
            .with_optional("std_error", points.iter().map(Point::std_error))
            .with_optional("low", points.iter().map(|p| p.interval(z).map(|i| i.0)))
            .with_optional("high", points.iter().map(|p| p.interval(z).map(|i| i.1)));
        let times = |k: usize| self.reached[k].iter().map(move |t: &Option<i64>| t.map(scale));
        let quantiles = Table::new()
            .with("group", Values::Text(self.asked.clone()))
            .with("quantile", Values::F64(self.shares.clone()))
            .with_optional(unit, times(0))
            .with_optional("low", times(1))
            .with_optional("high", times(2));
        let p: Vec<Option<f64>> = self.tests.iter().map(|t| t.1.map(two_sided)).collect();
        let q = crate::math::benjamini_hochberg(&p);
        let [journeys, events, censored] = self.totals.clone();
        let groups = Table::new()
            .with("group", Values::Text(self.names.clone()))
            .with("journeys", Values::F64(journeys))
            .with("events", Values::F64(events))
            .with("censored", Values::F64(censored))
            .with("expected", Values::F64(self.tests.iter().map(|t| t.0).collect()))
            .with_optional("z", self.tests.iter().map(|t| t.1))
            .with_optional("p_value", p)
            .with_optional("q_value", q);
        Report::new(vec![(name, curve), ("quantiles", quantiles), ("groups", groups)])
    }
}
