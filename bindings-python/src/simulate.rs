//! Markets whose truth is known.

use std::sync::{Arc, Mutex, PoisonError};

use headwater::Table;
use headwater::options::parse;
use headwater::run::Monitor;
use headwater::simulate::{
    Batches, LiftOptions, Market, MarketBatch, MarketOptions, ScoreOptions, generate, lift_test, presets,
    score,
};
use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::run::{RunArgs, direct};

type Named = Vec<(&'static str, Frame)>;

fn named(batch: MarketBatch, mut more: Vec<(&'static str, Table)>) -> headwater::Result<Named> {
    let MarketBatch { events, orders, holdout, truth_people, truth_events, truth_orders, people } = batch;
    more.extend([("events", events), ("orders", orders), ("holdout", holdout), ("people", people)]);
    more.extend([("truth_people", truth_people), ("truth_events", truth_events)]);
    more.push(("truth_orders", truth_orders));
    more.into_iter().map(|(name, table)| Ok((name, Frame::new(table)?))).collect()
}

/// A whole market: its tables by name, and the end of the observed days.
#[pyfunction]
pub(crate) fn simulate_market(py: Python<'_>, options: &str, run: RunArgs) -> Outcome<(Named, i64)> {
    let options: MarketOptions = parse(options)?;
    run.call(py, |run| {
        let market = generate(&options, run)?;
        let truth = vec![
            ("channels", market.truth.channels()),
            ("totals", market.truth.totals()),
            ("records", market.tables.records()),
        ];
        Ok((named(market.tables, truth)?, market.end))
    })
}

/// The named markets.
#[pyfunction]
pub(crate) fn simulate_presets() -> Outcome<Frame> {
    direct(|| Frame::new(presets()))
}

/// The tests of a market, one row each.
#[pyfunction]
pub(crate) fn simulate_lift_test(py: Python<'_>, options: &str, run: RunArgs) -> Outcome<Frame> {
    let options: LiftOptions = parse(options)?;
    run.call(py, |run| Frame::new(lift_test(&options, run)?))
}

/// The scores of channels and of models.
#[pyfunction]
pub(crate) fn simulate_score(
    py: Python<'_>,
    credits: &Bound<'_, PyAny>,
    truth: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame)> {
    let (credits, truth, options) = (columns(credits)?, columns(truth)?, parse::<ScoreOptions>(options)?);
    run.call(py, |run| {
        let found = score(&credits, &truth, &options, run)?;
        Ok((Frame::new(found.channels)?, Frame::new(found.models)?))
    })
}

/// A market as a stream of batches.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct MarketBatches {
    run: RunArgs,
    monitor: Arc<Monitor>,
    batches: Mutex<Batches>,
}

#[pymethods]
impl MarketBatches {
    #[new]
    fn new(options: &str, run: RunArgs) -> Outcome<Self> {
        let options = parse(options)?;
        let (core_run, monitor) = run.start();
        let batches = direct(|| Ok(Market::new(options)?.batches(&core_run)))?;
        Ok(Self { run, monitor, batches: Mutex::new(batches) })
    }

    /// The next batch's tables by name; None after the last.
    fn next(&self, py: Python<'_>) -> Outcome<Option<Named>> {
        self.run.watch(py, &self.monitor, || {
            let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(batch) = batches.next().transpose()? else { return Ok(None) };
            let records = batch.records();
            named(batch, vec![("records", records)]).map(Some)
        })
    }

    /// The true totals, and the channels' true effects, of the batches so far.
    fn truth(&self) -> Outcome<(Frame, Frame)> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((Frame::new(batches.truth().totals())?, Frame::new(batches.truth().channels())?))
    }
}
