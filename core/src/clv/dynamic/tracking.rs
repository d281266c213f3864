//! Forecast beside fact, along covariates.
//!
//! By the clock of buying A and that of leaving D a new customer is expected to make E λ · ∫ S dA purchases, with
//! S = (β / (β + D))^s. Given the rate λ and the time of leaving, purchases in (t₁, t₂] are Poisson with mean λ W, W being
//! the part of A that is lived there, so that
//!
//! ```text
//! Var N = E N + E λ² · E W² − (E N)²      E W² = 2 ∫ (A − A(t₁)) S dA
//! ```

use serde::{Deserialize, Serialize};

use super::Sources;
use super::likelihood::Course;
use super::living::Living;
use super::model::{DynamicParetoNbdModel, centred};
use super::timeline::{Life, Lives, Timeline};
use crate::clv::estimates::interval_quantile;
use crate::clv::tracking::Tracking;
use crate::clv::tracking_interval::{Bounds, Spread};
use crate::column::Columns;
use crate::math::{Sum, exp};
use crate::{Error, Result, Run};

/// Customers in one piece of work.
const PIECE: usize = 64;

/// Options of [`DynamicParetoNbdModel::tracking`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicTrackingOptions {
    /// Level of intervals for what is expected, such as 0.9; none by default.
    pub interval: Option<f64>,
    /// How the frames are read.
    pub sources: Sources,
}

/// What is asked of every customer: at the ends of periods, at these parameters.
struct Asked<'a> {
    timeline: &'a Timeline<'a>,
    ends: &'a [i64],
    course: &'a Course<'a>,
    at: &'a [f64],
    intervals: bool,
}

/// What is expected of some customers by the end of each period.
struct Expected {
    cumulative: Vec<Sum>,
    /// Variances, of single periods and of those up to their end.
    chance: [Vec<Sum>; 2],
    /// Slopes of `cumulative` on log parameters and coefficients.
    slopes: Vec<Vec<f64>>,
}

impl Expected {
    fn none(periods: usize, parameters: usize) -> Self {
        let sums = || vec![Sum::default(); periods];
        Self { cumulative: sums(), chance: [sums(), sums()], slopes: vec![vec![0.0; parameters]; periods] }
    }

    fn merge(mut self, other: Self) -> Self {
        let sums = |into: &mut [Sum], from: Vec<Sum>| {
            into.iter_mut().zip(from).for_each(|(into, from)| into.merge(from));
        };
        sums(&mut self.cumulative, other.cumulative);
        for (into, from) in self.chance.iter_mut().zip(other.chance) {
            sums(into, from);
        }
        for (into, from) in self.slopes.iter_mut().flatten().zip(other.slopes.into_iter().flatten()) {
            *into += from;
        }
        self
    }
}

impl DynamicParetoNbdModel {
    /// Actual and expected repeat purchases since the first order of the frame, period after period of the model: what
    /// [`tracking`](fn@crate::clv::tracking) says of laws without covariates that change. Each customer is expected to do what
    /// the law says along its own covariates, whatever happened.
    ///
    /// With `interval`, bounds tell how far actual purchases stray from those expected though the model is right, by the
    /// chance of each customer's purchases, whose variance is exact, and by the standard errors of the parameters.
    pub fn tracking(
        &self,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicTrackingOptions,
        run: &Run,
    ) -> Result<Tracking> {
        let z = options.interval.map(interval_quantile).transpose()?;
        let sources = &options.sources;
        let timeline = Timeline::read(covariates, &[self.effects.reader()], sources, run)?;
        let period = self.period.micros();
        let lives = Lives::read(orders, &timeline, sources, period as f64, run)?;
        let grain = sources.grain.micros();
        let start = lives.each.iter().map(|life| life.birth).min().unwrap_or_default();
        let last = lives.each.first().map_or(start, |life| life.end).saturating_add(grain);
        let whole = last.saturating_sub(start);
        let periods = whole.div_euclid(period) + i64::from(whole.rem_euclid(period) > 0);
        let Some(periods) = usize::try_from(periods).ok().filter(|periods| *periods <= 100_000) else {
            return Err(Error::option("period", format!("gives {periods} steps; 100,000 are the most")));
        };
        let ends: Vec<i64> =
            (1..=periods as i64).map(|k| start.saturating_add(k.saturating_mul(period))).collect();
        let matrix = centred(self.effects.terms(), &timeline, 0);
        let course = Course::new(&matrix, self.effects.coefficients());
        let at = self.at();
        let asked =
            Asked { timeline: &timeline, ends: &ends, course: &course, at: &at, intervals: z.is_some() };
        let n = lives.each.len();
        run.stage("tracking purchases", n as u64)?;
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            let mut out = Expected::none(periods, at.len());
            let some = &lives.each[piece * PIECE..n.min((piece + 1) * PIECE)];
            for life in some {
                run.check()?;
                self.add(life, &asked, &mut out);
            }
            run.advance(some.len() as u64)?;
            Ok(out)
        })?;
        let found = parts.into_iter().fold(Expected::none(periods, at.len()), Expected::merge);
        let mut times = lives.times;
        times.sort_unstable();
        let bounds = z.map(|z| {
            let steps = found.slopes.iter().enumerate().map(|(k, now)| match k.checked_sub(1) {
                None => now.clone(),
                Some(before) => now.iter().zip(&found.slopes[before]).map(|(a, b)| a - b).collect(),
            });
            let [single, whole] = &found.chance;
            let spread = |(chance, slopes): (&Sum, Vec<f64>)| Spread::new(*chance, slopes);
            let spreads = [
                single.iter().zip(steps).map(spread).collect(),
                whole.iter().zip(found.slopes.iter().cloned()).map(spread).collect(),
            ];
            Bounds::by(self.effects.covariance(), z, &spreads)
        });
        let actual = ends.iter().map(|end| times.partition_point(|time| time < end) as f64).collect();
        let expected = found.cumulative.iter().map(|sum| sum.value()).collect();
        Ok(Tracking::new(ends, [actual, expected], bounds, lives.dropped))
    }

    /// Adds what is expected of a customer who is new at its first purchase.
    fn add(&self, life: &Life, asked: &Asked<'_>, out: &mut Expected) {
        let &Asked { timeline, ends, course, at, intervals } = asked;
        // The pieces of each period, and the period of each piece.
        let (mut coming, mut of) = (Vec::new(), Vec::new());
        let mut from = life.birth;
        for (k, end) in ends.iter().enumerate().filter(|(_, end)| **end > life.birth) {
            coming.extend(timeline.coming(
                life.places,
                from,
                end.saturating_sub(from),
                self.period.micros() as f64,
            ));
            of.resize(coming.len(), k);
            from = *end;
        }
        let new = Life::new(life.places, life.birth);
        let cumulative = |at: &[f64]| {
            let mut each = vec![0.0; ends.len()];
            let purchases = Living::new(&new, &[], course, at).purchases(&coming, course, at);
            of.iter().zip(purchases).for_each(|(k, n)| each[*k] += n);
            let mut so_far = 0.0;
            each.iter_mut().for_each(|n| {
                so_far += *n;
                *n = so_far;
            });
            each
        };
        let expected = cumulative(at);
        out.cumulative.iter_mut().zip(&expected).for_each(|(sum, n)| sum.add(*n));
        if !intervals {
            return;
        }
        let rise = |moved: &[f64]| cumulative(moved).iter().zip(&expected).map(|(up, n)| up - n).collect();
        let slopes = self.slopes(at, ends.len(), rise);
        for (into, from) in out.slopes.iter_mut().zip(&slopes) {
            into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
        }
        let (r, alpha) = (exp(at[0]), exp(at[1]));
        let square = r * (r + 1.0) / (alpha * alpha);
        let moments = Living::new(&new, &[], course, at).moments(&coming, course, at);
        // A and ∫ S dA, ∫ A S dA up to the end of the period before, and up to now.
        let (mut before, mut now, mut piece) = ([0.0; 3], [0.0; 3], 0);
        for (k, expected) in expected.iter().enumerate() {
            while let Some(moments) = moments.get(piece).filter(|_| of.get(piece) == Some(&k)) {
                (now, piece) = (*moments, piece + 1);
            }
            let variance = |from: [f64; 3], mean: f64| {
                let squares = 2.0 * ((now[2] - from[2]) - from[0] * (now[1] - from[1]));
                (mean + square * squares - mean * mean).max(0.0)
            };
            out.chance[0][k].add(variance(before, r / alpha * (now[1] - before[1])));
            out.chance[1][k].add(variance([0.0; 3], *expected));
            before = now;
        }
    }
}
