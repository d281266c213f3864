//! The core's one error as Python's exceptions, chosen by its code.

use headwater::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// An exception on its way to Python, made from a core error or from Python's own.
pub(crate) struct Failure(PyErr);

/// What every function here returns.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Python::attach(|py| {
            let details = PyDict::new(py);
            // A detail that cannot be set is missing from the exception; the message still says it all.
            let _ = fill(&details, &error);
            Self(make(py, error.code(), &error.to_string(), &details))
        })
    }
}

/// A panic: always a bug, never the caller's fault.
pub(crate) fn internal(payload: &(dyn std::any::Any + Send)) -> Failure {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    Python::attach(|py| Failure(make(py, "HW_INTERNAL", &text, &PyDict::new(py))))
}

fn make(py: Python<'_>, code: &str, message: &str, details: &Bound<'_, PyDict>) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made =
        MAKE.import(py, "headwater.errors", "_make").and_then(|make| make.call1((code, message, details)));
    made.map_or_else(|error| error, PyErr::from_value)
}

fn fill(details: &Bound<'_, PyDict>, error: &Error) -> PyResult<()> {
    match error {
        Error::Column { column, .. } => details.set_item("column", column),
        Error::Row { column, row, count, .. } | Error::Unfit { column, row, count, .. } => {
            details.set_item("column", column)?;
            details.set_item("row", row)?;
            details.set_item("count", count)
        }
        Error::Option { option, .. } => details.set_item("option", option),
        Error::NotConverged { iterations, gradient_norm, .. } => {
            details.set_item("iterations", iterations)?;
            details.set_item("gradient_norm", gradient_norm)
        }
        Error::Io { path, source } => {
            details.set_item("filename", path)?;
            details.set_item("errno", source.raw_os_error())
        }
        _ => Ok(()),
    }
}
