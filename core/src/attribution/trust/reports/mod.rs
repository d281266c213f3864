//! Every number that a report of journeys counts, with its interval.

mod told;

use self::told::told;
use super::bootstrap::Spread;
use super::interval::Interval;
use super::numbers::Numbers;
use super::refit::recopies;
use crate::column::{Duration, Tables};
use crate::journey::{
    DifferenceOptions, FrictionOptions, GraphOptions, JourneyReport, Journeys, LagCurveOptions,
    OverlapOptions, PatternOptions, SequenceOptions,
};
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`bootstrap_report`].
#[derive(Clone, Debug, PartialEq)]
pub struct ReportBootstrapOptions {
    /// The report, with its own options. Default `paths`.
    pub report: JourneyReport,
    /// How many samples are drawn. Default 1,000.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
}

impl Default for ReportBootstrapOptions {
    fn default() -> Self {
        Self {
            report: JourneyReport::default(),
            bootstrap: 1_000,
            confidence: 0.9,
            interval: Interval::default(),
        }
    }
}

/// A report of journeys, with an interval on each number that it counts.
///
/// The tables are those of the report; each estimate is followed by its
/// `_standard_error`, `_low` and `_high`, missing where fewer than two samples
/// know the number. Customers are drawn again as in
/// [`attribute`](super::super::attribute): one that is drawn twice is two
/// customers, with all of their journeys. Journeys from paths are drawn one by
/// one. What a report leaves out for being rare is chosen by the data, once.
///
/// A row that a sample does not have is one of which nothing was counted: its
/// counts are 0, its share is 0 where others have a share of the same whole,
/// and its rate is not known.
///
/// Numbers that come with an interval of their own keep it, and have no other:
/// rates with Wilson's, survival with Greenwood's, synergies and ratios of
/// rates. Those take journeys, or touches, to be independent of each other;
/// the samples do not.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::{ReportBootstrapOptions, bootstrap_report};
/// use headwater::column::Columns;
/// use headwater::journey::{JourneyReport, Journeys, PathOptions};
///
/// let paths = Columns::new()
///     .with("path", vec!["a > b", "b"])
///     .with("conversions", vec![30.0, 20.0])
///     .with("nulls", vec![70.0, 80.0]);
/// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
/// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
/// let options = ReportBootstrapOptions { report: JourneyReport::Paths, ..Default::default() };
/// let tables = bootstrap_report(&journeys, &options, &Run::new().seed(1))?;
/// // 30 of 100 convert.
/// let error = tables[0].1.f64s("conversion_rate_standard_error").map(|e| e[0]);
/// assert!(error.is_some_and(|e| (e - (0.3_f64 * 0.7 / 100.0).sqrt()).abs() < 0.004));
/// # Ok::<(), headwater::Error>(())
/// ```
///
/// Errors: [`Error::Option`] without samples, and those of the report.
pub fn bootstrap_report(journeys: &Journeys, options: &ReportBootstrapOptions, run: &Run) -> Result<Tables> {
    let ReportBootstrapOptions { report, bootstrap, confidence, interval } = options;
    let spread = Spread { replicates: *bootstrap, confidence: *confidence, interval: *interval };
    spread.check_drawn()?;
    let tables = report.of(journeys, run)?;
    let every = of_samples(report, &tables);
    let numbers = Numbers::by_table(tables, told(report), spread.replicates)?;
    let samples = recopies(journeys, spread.replicates, run, |drawn, run| match every.of(drawn, run) {
        Ok(tables) => Ok(numbers.of(&tables)),
        Err(Error::NotEnoughData { .. }) => Ok(numbers.unknown()),
        Err(other) => Err(other),
    })?;
    numbers.with_intervals(&samples, &spread, run)
}

/// The report as the samples are asked for it: nothing is left out, and what
/// follows from the data is that of all.
fn of_samples(report: &JourneyReport, tables: &Tables) -> JourneyReport {
    match report {
        JourneyReport::Graph(options) => JourneyReport::Graph(GraphOptions { min_share: 0.0, ..*options }),
        JourneyReport::GraphDifference(options) => {
            JourneyReport::GraphDifference(DifferenceOptions { min_share: 0.0, ..*options })
        }
        JourneyReport::Overlap(options) => {
            JourneyReport::Overlap(OverlapOptions { min_journeys: 0.0, ..options.clone() })
        }
        JourneyReport::Friction(options) => {
            JourneyReport::Friction(FrictionOptions { min_visits: 0.0, ..options.clone() })
        }
        JourneyReport::Sequences(options) => {
            JourneyReport::Sequences(SequenceOptions { min_count: 0.0, ..options.clone() })
        }
        JourneyReport::Patterns(options) => {
            JourneyReport::Patterns(PatternOptions { matches: usize::MAX, ..options.clone() })
        }
        JourneyReport::LagCurves(options) => {
            // All curves are as long as that of all channels, which comes first.
            let points = tables.first().map_or(0, |(_, curves)| {
                let all = curves.text("channel", 0);
                (0..curves.rows()).take_while(|row| curves.text("channel", *row) == all).count()
            });
            let longest = options.grid.micros().saturating_mul(points.saturating_sub(1) as i64);
            let longest = options.longest.or(Some(Duration::from_micros(longest)));
            JourneyReport::LagCurves(LagCurveOptions { longest, ..*options })
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
