//! The one door into the core: releases the interpreter, shows progress, lets
//! Ctrl-C through, contains panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use headwater::run::{Monitor, Progress};
use headwater::{Error, Run};
use pyo3::prelude::*;

use crate::errors::{Failure, Outcome, internal};

/// How often the calling thread looks for signals and tells progress.
const PUMP: Duration = Duration::from_millis(50);

/// (seed, threads, progress callable or None), as the Python face passes it.
#[derive(FromPyObject)]
pub(crate) struct RunArgs(u64, usize, Option<Py<PyAny>>);

impl RunArgs {
    /// The core's run, and the monitor that it reports to.
    pub(crate) fn start(&self) -> (Run, Arc<Monitor>) {
        let monitor = Monitor::new();
        (Run::new().seed(self.0).threads(self.1).monitor(Arc::clone(&monitor)), monitor)
    }

    /// Runs `work`; see [`RunArgs::watch`].
    pub(crate) fn call<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Run) -> headwater::Result<T> + Send,
    ) -> Outcome<T> {
        let (run, monitor) = self.start();
        self.watch(py, &monitor, move || work(&run))
    }

    /// Runs `work` on a thread of its own while this one, which may be the
    /// main thread and then alone sees signals, keeps Python alive.
    pub(crate) fn watch<T: Send>(
        &self,
        py: Python<'_>,
        monitor: &Monitor,
        work: impl FnOnce() -> headwater::Result<T> + Send,
    ) -> Outcome<T> {
        py.detach(|| {
            std::thread::scope(|scope| {
                let (alive, finished) = channel::<()>();
                let work = move || {
                    let _alive = alive;
                    work()
                };
                let worker = std::thread::Builder::new().name("headwater".to_owned());
                let worker = worker
                    .spawn_scoped(scope, work)
                    .map_err(|source| Error::Io { path: "a worker thread".to_owned(), source })?;
                let mut interrupted = None;
                while matches!(finished.recv_timeout(PUMP), Err(RecvTimeoutError::Timeout)) {
                    if interrupted.is_none()
                        && let Err(error) = Python::attach(|py| {
                            py.check_signals()?;
                            self.tell(py, monitor.progress())
                        })
                    {
                        monitor.cancel();
                        interrupted = Some(error);
                    }
                }
                let result = worker.join().map_err(|panic| internal(&*panic))?;
                match interrupted {
                    Some(error) => Err(error.into()),
                    None => Ok(result?),
                }
            })
        })
        .and_then(|value| {
            self.tell(py, monitor.progress())?;
            Ok(value)
        })
    }

    fn tell(&self, py: Python<'_>, now: Progress) -> PyResult<()> {
        match &self.2 {
            Some(progress) if !now.stage.is_empty() => {
                progress.call1(py, (now.stage, now.done, now.total)).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// Runs work known to take less than a millisecond, here and now.
pub(crate) fn direct<T>(work: impl FnOnce() -> headwater::Result<T>) -> Outcome<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Failure::from),
        Err(panic) => Err(internal(&*panic)),
    }
}
