//! Summaries that grow by parts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater::clv::{RfmBuilder as CoreBuilder, SeasonalClock, When};
use headwater::options::parse;
use headwater::{Error, model};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::models::Model;
use crate::run::{RunArgs, direct};

/// A summary of orders that grows by parts.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct RfmBuilder(Mutex<CoreBuilder>);

impl RfmBuilder {
    fn builder(&self) -> MutexGuard<'_, CoreBuilder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl RfmBuilder {
    #[new]
    fn new(options: &str) -> Outcome<Self> {
        Ok(Self(Mutex::new(CoreBuilder::new(parse(options)?)?)))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, bytes: &[u8]) -> Outcome<Self> {
        py.detach(|| direct(|| Ok(Self(Mutex::new(model::from_bytes(bytes)?)))))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| direct(|| model::to_bytes(&*self.builder())))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Adds a part.
    fn extend(&self, py: Python<'_>, orders: &Bound<'_, PyAny>, run: RunArgs) -> Outcome<()> {
        let orders = columns(orders)?;
        run.call(py, |run| self.builder().extend(&orders, run))
    }

    /// Adds the orders of another builder.
    fn merge(&self, py: Python<'_>, other: Bound<'_, RfmBuilder>, run: RunArgs) -> Outcome<()> {
        let other = other.get();
        run.call(py, |run| {
            // One lock at a time: two builders may be merged into each other, or one into itself.
            let other = other.builder().clone();
            self.builder().merge(&other, run)
        })
    }

    /// The summary; where orders and customers went; the rows that were dropped.
    fn summary(&self, py: Python<'_>, run: RunArgs) -> Outcome<(Frame, Frame, Frame)> {
        run.call(py, |run| {
            let rfm = self.builder().summary(run)?;
            Ok((
                Frame::new(rfm.table())?,
                Frame::new(rfm.accounting_table())?,
                Frame::new(rfm.dropped().table())?,
            ))
        })
    }

    /// The options, as JSON.
    fn options(&self) -> Outcome<String> {
        let text = serde_json::to_string(self.builder().options());
        Ok(text.map_err(|e| Error::option("options", e.to_string()))?)
    }

    /// How many orders were read, how many customers were seen, and how many lines are kept.
    fn counts(&self, py: Python<'_>) -> (u64, usize, usize) {
        py.detach(|| {
            let builder = self.builder();
            (builder.orders(), builder.customers(), builder.lines())
        })
    }
}

/// A clock fitted to orders, and the rows that were dropped.
#[pyfunction]
pub(crate) fn clv_clock_fit(
    py: Python<'_>,
    orders: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Model, Frame)> {
    let (orders, options) = (columns(orders)?, parse(options)?);
    run.call(py, |run| {
        let (clock, dropped) = SeasonalClock::fit(&orders, &options, run)?;
        Ok((Model::new(clock), Frame::new(dropped.table())?))
    })
}

/// A clock of given speeds.
#[pyfunction]
pub(crate) fn clv_clock_given(options: &str) -> Outcome<Model> {
    let options = parse(options)?;
    direct(|| SeasonalClock::given(&options).map(Model::new))
}

/// Its speeds, and one row on its fit.
#[pyfunction]
pub(crate) fn clv_clock_tables(clock: &Model) -> Outcome<(Frame, Frame)> {
    let clock = clock.get::<SeasonalClock>()?;
    direct(|| Ok((Frame::new(clock.table())?, Frame::new(clock.fit_table())?)))
}

/// Time by the clock in so many periods after a moment.
#[pyfunction]
pub(crate) fn clv_clock_span(clock: &Model, since: &str, periods: f64) -> Outcome<f64> {
    let clock = clock.get::<SeasonalClock>()?;
    direct(|| clock.span(&When::from(since), periods))
}
