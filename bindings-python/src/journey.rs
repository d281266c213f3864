//! Journeys, and credit for their touches.

use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater::attribution::{Fitted, Given, Model as Rule, score};
use headwater::column::Tables;
use headwater::journey::{EventOptions, JourneyBuilder as CoreBuilder, Journeys as CoreJourneys, PathCounts};
use headwater::options::parse;
use headwater::{Error, model};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::models::Model;
use crate::run::{RunArgs, direct};

/// Tables by name, the one that the call is about first.
pub(crate) type Frames = Vec<(&'static str, Frame)>;

pub(crate) fn frames(tables: Tables) -> headwater::Result<Frames> {
    tables.into_iter().map(|(name, table)| Ok((name, Frame::new(table)?))).collect()
}

/// Journeys, ready to be counted and attributed.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct Journeys(pub(crate) CoreJourneys);

#[pymethods]
impl Journeys {
    #[staticmethod]
    fn from_events(
        py: Python<'_>,
        touches: &Bound<'_, PyAny>,
        conversions: Option<&Bound<'_, PyAny>>,
        options: &str,
        run: RunArgs,
    ) -> Outcome<Self> {
        let (touches, conversions) = (columns(touches)?, conversions.map(columns).transpose()?);
        let options = parse(options)?;
        run.call(py, |run| CoreJourneys::from_events(&touches, conversions.as_ref(), &options, run).map(Self))
    }

    #[staticmethod]
    fn from_paths(py: Python<'_>, paths: &Bound<'_, PyAny>, options: &str, run: RunArgs) -> Outcome<Self> {
        let (paths, options) = (columns(paths)?, parse(options)?);
        run.call(py, |run| CoreJourneys::from_paths(&paths, &options, run).map(Self))
    }

    /// One journey for each path of a summary.
    #[staticmethod]
    fn from_counts(counts: &Model) -> Outcome<Self> {
        let counts = counts.get::<PathCounts>()?;
        direct(|| Ok(Self(CoreJourneys::from_counts(counts))))
    }

    /// The summary of these journeys, for merging.
    fn counts(&self, py: Python<'_>, run: RunArgs) -> Outcome<Model> {
        run.call(py, |run| PathCounts::of(&self.0, run).map(Model::new))
    }

    /// A report of journeys by name.
    fn report(&self, py: Python<'_>, name: &str, options: &str, run: RunArgs) -> Outcome<Frames> {
        run.call(py, |run| frames(self.0.report(name, options, run)?))
    }

    /// A report of attribution by name, with other journeys or a frame where it takes them.
    #[pyo3(signature = (name, options, run, other=None, frame=None, rules=None, lift_tests=None))]
    #[allow(clippy::too_many_arguments)]
    fn attribution(
        &self,
        py: Python<'_>,
        name: &str,
        options: &str,
        run: RunArgs,
        other: Option<Bound<'_, Journeys>>,
        frame: Option<&Bound<'_, PyAny>>,
        rules: Option<&Bound<'_, PyAny>>,
        lift_tests: Option<&Bound<'_, PyAny>>,
    ) -> Outcome<Frames> {
        let (frame, rules) = (frame.map(columns).transpose()?, rules.map(columns).transpose()?);
        let lift_tests = lift_tests.map(columns).transpose()?;
        let other = other.as_ref().map(|journeys| &journeys.get().0);
        let given = Given {
            journeys: &self.0,
            other,
            frame: frame.as_ref(),
            lift_tests: lift_tests.as_ref(),
            rules: rules.as_ref(),
        };
        run.call(py, |run| frames(given.report(name, options, run)?))
    }

    /// Journeys made of these, by the name of what makes them.
    #[pyo3(signature = (name, options, run, frame=None))]
    fn part(
        &self,
        py: Python<'_>,
        name: &str,
        options: &str,
        run: RunArgs,
        frame: Option<&Bound<'_, PyAny>>,
    ) -> Outcome<Vec<(String, Self)>> {
        let frame = frame.map(columns).transpose()?;
        run.call(py, |run| {
            let parts = self.0.part(name, options, frame.as_ref(), run)?;
            Ok(parts.into_iter().map(|(label, journeys)| (label, Self(journeys))).collect())
        })
    }

    /// A model fitted to these journeys.
    fn fit(&self, py: Python<'_>, model: &str, run: RunArgs) -> Outcome<Model> {
        let model: Rule = parse(model)?;
        run.call(py, |run| Fitted::fit(&model, &self.0, run)?.try_into())
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

/// Journeys that grow by parts.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct JourneyBuilder(Mutex<CoreBuilder>);

impl JourneyBuilder {
    fn builder(&self) -> MutexGuard<'_, CoreBuilder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl JourneyBuilder {
    #[new]
    fn new(options: &str) -> Outcome<Self> {
        let options: EventOptions = parse(options)?;
        options.check()?;
        Ok(Self(Mutex::new(CoreBuilder::new(options))))
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
    fn extend(
        &self,
        py: Python<'_>,
        touches: &Bound<'_, PyAny>,
        conversions: Option<&Bound<'_, PyAny>>,
        run: RunArgs,
    ) -> Outcome<()> {
        let (touches, conversions) = (columns(touches)?, conversions.map(columns).transpose()?);
        run.call(py, |run| self.builder().extend(&touches, conversions.as_ref(), run))
    }

    /// Adds the events of another builder.
    fn merge(&self, py: Python<'_>, other: Bound<'_, JourneyBuilder>, run: RunArgs) -> Outcome<()> {
        let other = other.get();
        run.call(py, |run| {
            // One lock at a time: two builders may be merged into each other, or one into itself.
            let other = other.builder().clone();
            self.builder().merge(&other, run)
        })
    }

    fn journeys(&self, py: Python<'_>, run: RunArgs) -> Outcome<Journeys> {
        run.call(py, |_| Ok(Journeys(self.builder().journeys())))
    }

    /// The options, as JSON.
    fn options(&self) -> Outcome<String> {
        let text = serde_json::to_string(self.builder().options());
        Ok(text.map_err(|e| Error::option("options", e.to_string()))?)
    }

    /// How many rows of touches there are.
    fn __len__(&self, py: Python<'_>) -> usize {
        py.detach(|| self.builder().touches())
    }
}

/// Two summaries of paths in one.
#[pyfunction]
pub(crate) fn merge_counts(
    py: Python<'_>,
    a: Bound<'_, Model>,
    b: Bound<'_, Model>,
    run: RunArgs,
) -> Outcome<Model> {
    let (a, b) = (a.get().get::<PathCounts>()?, b.get().get::<PathCounts>()?);
    run.call(py, |run| a.merge(b, run).map(Model::new))
}

/// The credit of each touch of one journey, by a rule or a fitted model.
#[pyfunction]
#[pyo3(signature = (model, path, times, end=None))]
pub(crate) fn score_path(
    model: &Bound<'_, PyAny>,
    path: Vec<String>,
    times: Vec<i64>,
    end: Option<i64>,
) -> Outcome<Vec<f64>> {
    if let Ok(model) = model.cast::<Model>() {
        let model = model.get().fitted()?;
        return direct(|| model.credit(&path, &times, end));
    }
    let rule: Rule = parse(model.extract()?)?;
    direct(|| score(&rule, &path, &times))
}

/// P(conversion) of one journey by a fitted model.
#[pyfunction]
#[pyo3(signature = (model, path, times, end=None))]
pub(crate) fn predict_path(
    model: &Model,
    path: Vec<String>,
    times: Vec<i64>,
    end: Option<i64>,
) -> Outcome<f64> {
    let model = model.fitted()?;
    direct(|| model.predict(&path, &times, end))
}

/// What a fitted attribution model says of itself, by name.
#[pyfunction]
pub(crate) fn model_report(
    py: Python<'_>,
    model: Bound<'_, Model>,
    name: &str,
    options: &str,
    run: RunArgs,
) -> Outcome<Frames> {
    let model = model.get().fitted()?;
    run.call(py, |run| frames(model.report(name, options, run)?))
}

impl TryFrom<Fitted> for Model {
    type Error = Error;

    fn try_from(fitted: Fitted) -> headwater::Result<Self> {
        let kind = fitted.kind().ok_or_else(|| Error::option("model", "is a rule, which is not fitted"))?;
        Ok(Self::attribution(kind, fitted))
    }
}
