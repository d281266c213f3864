//! Who is this?

use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater::column::{Names, Table, Values};
use headwater::identity::{self, IdentityGraph as CoreGraph, StitchOptions};
use headwater::model;
use headwater::options::parse;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::run::{RunArgs, direct};

/// (namespace, value)
type Id = (String, String);

fn pair(id: &Id) -> (&str, &str) {
    (&id.0, &id.1)
}

fn chain(links: Option<Vec<identity::Link>>) -> headwater::Result<Option<Frame>> {
    links.map(|links| Frame::new(identity::explain_table(&links))).transpose()
}

fn members(members: Vec<identity::Identifier>) -> Vec<Id> {
    members.into_iter().map(|id| (id.namespace, id.value)).collect()
}

/// The customers of a batch of events.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct People(identity::People);

#[pymethods]
impl People {
    #[staticmethod]
    fn stitch(py: Python<'_>, events: &Bound<'_, PyAny>, options: &str, run: RunArgs) -> Outcome<Self> {
        let options: StitchOptions = parse(options)?;
        let events = columns(events)?;
        run.call(py, |run| identity::stitch(&events, &options, run).map(Self))
    }

    /// One of the tables, by name.
    fn table(&self, py: Python<'_>, name: &str, run: RunArgs) -> Outcome<Frame> {
        run.call(py, |_| {
            Frame::new(match name {
                "customers" => self.0.customers(),
                "refused" => self.0.refused(),
                "blocked" => self.0.blocked(),
                "sizes" => self.0.sizes(),
                _ => self.0.dropped().table(),
            })
        })
    }

    /// The column `customer` of a frame, or of the one that was stitched.
    fn assign(
        &self,
        py: Python<'_>,
        frame: Option<&Bound<'_, PyAny>>,
        options: &str,
        run: RunArgs,
    ) -> Outcome<Frame> {
        let (frame, options) = (frame.map(columns).transpose()?, parse(options)?);
        run.call(py, |run| {
            let names: Names = match &frame {
                Some(frame) => self.0.assign_frame(frame, &options, run)?,
                None => self.0.assign(),
            };
            Frame::new(Table::new().with("customer", Values::Names(names)))
        })
    }

    fn explain(&self, py: Python<'_>, a: Id, b: Id, run: RunArgs) -> Outcome<Option<Frame>> {
        run.call(py, |_| chain(self.0.explain(pair(&a), pair(&b))))
    }

    fn resolve(&self, py: Python<'_>, namespace: &str, value: &str, run: RunArgs) -> Outcome<Option<String>> {
        run.call(py, |_| Ok(self.0.resolve(namespace, value)))
    }

    fn members(&self, py: Python<'_>, customer: &str, run: RunArgs) -> Outcome<Vec<Id>> {
        run.call(py, |_| Ok(members(self.0.members(customer))))
    }

    /// Customers, identifiers, rows without a usable identifier, rows dropped.
    fn counts(&self) -> (usize, usize, u64, u64) {
        let people = &self.0;
        (people.n_customers(), people.n_identifiers(), people.unidentified(), people.dropped().rows)
    }
}

/// The scores of a stitching whose truth is known.
#[pyfunction]
pub(crate) fn evaluate_identity(
    py: Python<'_>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<Frame> {
    let (frame, options) = (columns(frame)?, parse(options)?);
    run.call(py, |run| Frame::new(identity::evaluate(&frame, &options, run)?.table()))
}

/// An e-mail address in its one form.
#[pyfunction]
pub(crate) fn normalize_email(value: &str, gmail: bool) -> Outcome<Option<String>> {
    direct(|| Ok(identity::normalize_email(value, gmail)))
}

/// A telephone number in E.164.
#[pyfunction]
#[pyo3(signature = (value, region))]
pub(crate) fn normalize_phone(value: &str, region: Option<&str>) -> Outcome<Option<String>> {
    direct(|| Ok(identity::normalize_phone(value, region)))
}

type Observed =
    (Option<String>, Vec<String>, Vec<(String, String, String, String)>, Vec<(String, String, String)>);

/// Customers from identifiers, one event at a time.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct IdentityGraph(Mutex<CoreGraph>);

impl IdentityGraph {
    fn graph(&self) -> MutexGuard<'_, CoreGraph> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl IdentityGraph {
    #[new]
    fn new(rules: &str) -> Outcome<Self> {
        Ok(Self(Mutex::new(CoreGraph::new(&parse(rules)?)?)))
    }

    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> Outcome<Self> {
        Ok(Self(Mutex::new(model::from_bytes(bytes)?)))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| direct(|| model::to_bytes(&*self.graph())))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// (customer, merged, refused as (namespace, value, customer, rule), blocked as (namespace, value, reason))
    #[pyo3(signature = (identifiers, time, source))]
    fn observe(&self, identifiers: Vec<Id>, time: Option<i64>, source: Option<&str>) -> Outcome<Observed> {
        let identifiers: Vec<_> = identifiers.iter().map(pair).collect();
        let seen = direct(|| self.graph().observe(&identifiers, time, source))?;
        let refused = seen.refused.into_iter();
        let blocked = seen.blocked.into_iter();
        Ok((
            seen.customer,
            seen.merged,
            refused.map(|r| (r.identifier.namespace, r.identifier.value, r.customer, r.rule)).collect(),
            blocked
                .map(|b| (b.identifier.namespace, b.identifier.value, b.reason.as_str().to_owned()))
                .collect(),
        ))
    }

    /// Observes every row of a frame; gives what was dropped.
    fn extend(
        &self,
        py: Python<'_>,
        events: &Bound<'_, PyAny>,
        options: &str,
        run: RunArgs,
    ) -> Outcome<Frame> {
        let (events, options) = (columns(events)?, parse(options)?);
        run.call(py, |run| Frame::new(self.graph().extend(&events, &options, run)?.table()))
    }

    fn resolve(&self, namespace: &str, value: &str) -> Option<String> {
        self.graph().resolve(namespace, value)
    }

    fn current(&self, customer: &str) -> Option<String> {
        self.graph().current(customer)
    }

    fn members(&self, customer: &str) -> Vec<Id> {
        members(self.graph().members(customer))
    }

    fn explain(&self, a: Id, b: Id) -> Outcome<Option<Frame>> {
        direct(|| chain(self.graph().explain(pair(&a), pair(&b))))
    }

    /// (customer before, customers after, links removed)
    fn forget(&self, namespace: &str, value: &str) -> Outcome<Option<(String, Vec<String>, u64)>> {
        let change = direct(|| Ok(self.graph().forget(namespace, value)))?;
        Ok(change.map(|c| (c.customer, c.customers, c.links)))
    }

    /// (customer before, customers after, links removed)
    fn unlink(&self, a: Id, b: Id) -> Outcome<Option<(String, Vec<String>, u64)>> {
        let change = direct(|| Ok(self.graph().unlink(pair(&a), pair(&b))))?;
        Ok(change.map(|c| (c.customer, c.customers, c.links)))
    }

    /// One of the tables, by name.
    fn table(&self, py: Python<'_>, name: &str, run: RunArgs) -> Outcome<Frame> {
        run.call(py, |_| {
            let graph = self.graph();
            Frame::new(if name == "customers" { graph.customers() } else { graph.refused() })
        })
    }

    /// Identifiers and customers.
    fn counts(&self) -> (usize, usize) {
        let graph = self.graph();
        (graph.len(), graph.n_customers())
    }
}
