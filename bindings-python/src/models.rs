//! Fitted models of every kind, as one native class.

use std::any::Any;
use std::sync::Arc;

use headwater::Error;
use headwater::attribution::Fitted;
use headwater::clv::dynamic::Dynamic;
use headwater::clv::posterior::{Hierarchy, Posterior};
use headwater::clv::{Contractual, GammaGammaModel, Purchases, SeasonalClock, purchases_from_bytes};
use headwater::journey::{ChannelRules, PathCounts};
use headwater::model::{self, Model as CoreModel};
use headwater::segment::KMeansModel;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::Outcome;

/// A fitted model; immutable, shared between threads.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct Model {
    kind: &'static str,
    inner: Arc<dyn Any + Send + Sync>,
    write: fn(&dyn Any) -> headwater::Result<Vec<u8>>,
}

impl Model {
    pub(crate) fn new<M: CoreModel + Send + Sync + 'static>(model: M) -> Self {
        let write = |model: &dyn Any| match model.downcast_ref::<M>() {
            Some(model) => model::to_bytes(model),
            None => Err(Error::model_file("holds another kind of model")),
        };
        Self { kind: M::KIND, inner: Arc::new(model), write }
    }

    /// A fitted model of attribution.
    pub(crate) fn attribution(kind: &'static str, fitted: Fitted) -> Self {
        let write = |model: &dyn Any| match model.downcast_ref::<Fitted>() {
            Some(fitted) => fitted.to_bytes(),
            None => Err(Error::model_file("holds another kind of model")),
        };
        Self { kind, inner: Arc::new(fitted), write }
    }

    /// A fitted model of purchases.
    pub(crate) fn purchases(fitted: Box<dyn Purchases>) -> Self {
        let write = |model: &dyn Any| match model.downcast_ref::<Box<dyn Purchases>>() {
            Some(fitted) => fitted.bytes(),
            None => Err(Error::model_file("holds another kind of model")),
        };
        Self { kind: fitted.kind(), inner: Arc::new(fitted), write }
    }

    /// The core's model of purchases, if it is one.
    pub(crate) fn buyers(&self) -> headwater::Result<&(dyn Purchases + 'static)> {
        let wrong = || Error::option("model", format!("is a `{}`, not a model of purchases", self.kind));
        self.inner.downcast_ref::<Box<dyn Purchases>>().map(AsRef::as_ref).ok_or_else(wrong)
    }

    /// A fitted model of survival or of retention.
    pub(crate) fn contractual(fitted: Contractual) -> Self {
        let write = |model: &dyn Any| match model.downcast_ref::<Contractual>() {
            Some(fitted) => fitted.to_bytes(),
            None => Err(Error::model_file("holds another kind of model")),
        };
        Self { kind: fitted.kind(), inner: Arc::new(fitted), write }
    }

    /// The core's model of survival or of retention, if it is one.
    pub(crate) fn leavers(&self) -> Option<&Contractual> {
        self.inner.downcast_ref()
    }

    /// A fitted model along covariates.
    pub(crate) fn dynamic(fitted: Dynamic) -> Self {
        let write = |model: &dyn Any| match model.downcast_ref::<Dynamic>() {
            Some(fitted) => fitted.to_bytes(),
            None => Err(Error::model_file("holds another kind of model")),
        };
        Self { kind: fitted.kind(), inner: Arc::new(fitted), write }
    }

    /// The core's model along covariates, if it is one.
    pub(crate) fn along(&self) -> headwater::Result<&Dynamic> {
        let wrong = || Error::option("model", format!("is a `{}`, not a model along covariates", self.kind));
        self.inner.downcast_ref().ok_or_else(wrong)
    }

    /// The core's model of attribution, if it is one.
    pub(crate) fn fitted(&self) -> headwater::Result<&Fitted> {
        let wrong = || Error::option("model", format!("is a `{}`, not a model of attribution", self.kind));
        self.inner.downcast_ref().ok_or_else(wrong)
    }

    /// The core's model, if it is of this kind.
    pub(crate) fn get<M: CoreModel + Send + Sync + 'static>(&self) -> headwater::Result<&M> {
        let wrong = || Error::option("model", format!("is a `{}`, not a `{}`", self.kind, M::KIND));
        self.inner.downcast_ref().ok_or_else(wrong)
    }
}

#[pymethods]
impl Model {
    /// The name of the model's kind in its file.
    #[getter]
    fn kind(&self) -> &'static str {
        self.kind
    }

    /// The model file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &(self.write)(&*self.inner)?))
    }

    /// Reads a model file of any kind.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> Outcome<Self> {
        if let Some(fitted) = Fitted::from_bytes(bytes)? {
            return Ok(fitted.try_into()?);
        }
        if let Some(fitted) = purchases_from_bytes(bytes)? {
            return Ok(Self::purchases(fitted));
        }
        if let Some(fitted) = Contractual::from_bytes(bytes)? {
            return Ok(Self::contractual(fitted));
        }
        if let Some(fitted) = Dynamic::from_bytes(bytes)? {
            return Ok(Self::dynamic(fitted));
        }
        macro_rules! any_of {
            ($($model:ty),*) => {
                match model::kind(bytes)?.as_str() {
                    $(<$model>::KIND => Ok(Self::new(model::from_bytes::<$model>(bytes)?)),)*
                    other => Err(Error::model_file(format!("holds a `{other}`, which this version does not know")).into()),
                }
            };
        }
        any_of!(ChannelRules, PathCounts, GammaGammaModel, Hierarchy, KMeansModel, Posterior, SeasonalClock)
    }
}

/// The kind of model in a file's bytes.
#[pyfunction]
pub(crate) fn model_kind(bytes: &[u8]) -> Outcome<String> {
    Ok(model::kind(bytes)?)
}
