//! Journeys, and credit for their touches.

use headwater::Error;
use headwater::attribution::{AttributeOptions, MarkovModel, Model as Rule, attribute, score, touch_credits};
use headwater::journey::{Chain, Journeys as CoreJourneys, Repeats};
use headwater::options::parse;
use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::models::Model;
use crate::run::{RunArgs, direct};

/// Journeys, ready to be counted and attributed.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct Journeys(CoreJourneys);

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

    /// One of the reports that take no options, by name.
    fn report(&self, py: Python<'_>, name: &str, run: RunArgs) -> Outcome<Frame> {
        run.call(py, |run| {
            Frame::new(match name {
                "paths" => self.0.paths(run)?,
                "lags" => self.0.lags()?,
                "lengths" => self.0.lengths(),
                "channels" => self.0.channels(run)?,
                "summary" => self.0.summary(),
                "dropped" => self.0.dropped().table(),
                _ => return Err(Error::option("report", format!("there is no `{name}`"))),
            })
        })
    }

    fn transitions(&self, py: Python<'_>, order: usize, repeats: &str, run: RunArgs) -> Outcome<Frame> {
        let repeats: Repeats = parse(repeats)?;
        run.call(py, |run| {
            Frame::new(Chain::count(&self.0, order, repeats, run)?.table(&self.0.channel_labels()))
        })
    }

    /// The credits, and the removal effects of Markov chains.
    fn attribute(&self, py: Python<'_>, options: &str, run: RunArgs) -> Outcome<(Frame, Frame)> {
        let options: AttributeOptions = parse(options)?;
        run.call(py, |run| {
            let found = attribute(&self.0, &options, run)?;
            Ok((Frame::new(found.table())?, Frame::new(found.removal_effects())?))
        })
    }

    fn touch_credits(&self, py: Python<'_>, model: &str, run: RunArgs) -> Outcome<Frame> {
        let model: Rule = parse(model)?;
        run.call(py, |run| Frame::new(touch_credits(&self.0, &model, run)?))
    }

    /// The Markov chain of these journeys.
    fn markov(&self, py: Python<'_>, model: &str, run: RunArgs) -> Outcome<Model> {
        let Rule::Markov(markov) = parse(model)? else {
            return Err(Error::option("model", "is not a Markov chain").into());
        };
        run.call(py, |run| markov.fit(&self.0, run).map(Model::new))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

/// The credit of each touch of one journey, by a rule or a fitted Markov chain.
#[pyfunction]
#[pyo3(signature = (model, path, times))]
pub(crate) fn score_path(model: &Bound<'_, PyAny>, path: Vec<String>, times: Vec<i64>) -> Outcome<Vec<f64>> {
    if let Ok(model) = model.cast::<Model>() {
        let model = model.get().get::<MarkovModel>()?;
        return direct(|| Ok(model.credit(&path)));
    }
    let rule: Rule = parse(model.extract()?)?;
    direct(|| score(&rule, &path, &times))
}

/// The transitions of a fitted Markov chain.
#[pyfunction]
pub(crate) fn markov_transitions(model: &Model) -> Outcome<Frame> {
    let model = model.get::<MarkovModel>()?;
    direct(|| Frame::new(model.transitions()))
}
