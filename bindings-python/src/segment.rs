//! Who belongs together?

use headwater::Error;
use headwater::options::parse;
use headwater::segment::{self, KMeans, KMeansModel};
use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::models::Model;
use crate::run::{RunArgs, direct};

/// Customers, segments, breaks, and the rows that were dropped.
#[pyfunction]
pub(crate) fn segment_rfm(
    py: Python<'_>,
    orders: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame, Frame, Frame)> {
    let (orders, options) = (columns(orders)?, parse(options)?);
    run.call(py, |run| {
        let found = segment::rfm(&orders, &options, run)?;
        let dropped = Frame::new(found.dropped().table())?;
        Ok((Frame::new(found.table())?, Frame::new(found.segments())?, Frame::new(found.breaks())?, dropped))
    })
}

/// The model, the clusters of the rows, and the rows that were dropped.
#[pyfunction]
pub(crate) fn kmeans_fit(
    py: Python<'_>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<(Model, Frame, Frame)> {
    let (frame, options) = (columns(frame)?, parse::<KMeans>(options)?);
    run.call(py, |run| {
        let fit = options.fit(&frame, run)?;
        let (rows, dropped) = (Frame::new(fit.table())?, Frame::new(fit.dropped().table())?);
        Ok((Model::new(fit.into_model()), rows, dropped))
    })
}

/// The clusters of a frame's rows, and the rows that were dropped.
#[pyfunction]
pub(crate) fn kmeans_predict(
    py: Python<'_>,
    model: &Bound<'_, Model>,
    frame: &Bound<'_, PyAny>,
    on_invalid: &str,
    run: RunArgs,
) -> Outcome<(Frame, Frame)> {
    let model = model.get().get::<KMeansModel>()?;
    let (frame, on_invalid) = (columns(frame)?, parse(on_invalid)?);
    run.call(py, |run| {
        let found = model.predict(&frame, on_invalid, run)?;
        Ok((Frame::new(found.table())?, Frame::new(found.dropped().table())?))
    })
}

/// One row a cluster, and the centres in the units of the data.
#[pyfunction]
pub(crate) fn kmeans_clusters(model: &Model) -> Outcome<(Frame, Vec<Vec<f64>>)> {
    let model = model.get::<KMeansModel>()?;
    direct(|| Ok((Frame::new(model.table())?, model.centers())))
}

/// The cluster of one row, and its distance to the centre.
#[pyfunction]
pub(crate) fn kmeans_score(model: &Model, row: Vec<f64>) -> Outcome<(u32, f64)> {
    let model = model.get::<KMeansModel>()?;
    direct(|| {
        let found = model.predict_rows(&row, &headwater::Run::new().threads(1))?;
        match (found.labels(), found.distances()) {
            ([label], [distance]) => Ok((*label, *distance)),
            _ => Err(Error::option("row", "is not one row")),
        }
    })
}
