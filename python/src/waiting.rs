//! Waiting for the engine with Python's lock given away, so that other threads go on, signals arrive and events are told.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use sequor::event::Event;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use crate::errors::json;

/// How often signals are looked for.
const TICK: Duration = Duration::from_millis(50);

/// What tells a program about its run.
pub struct Told {
    pub events: Receiver<Arc<Event>>,
    pub to: Py<PyAny>,
}

enum Heard<T> {
    Done(PyResult<T>),
    Event(Option<Arc<Event>>),
    Tick,
}

/// Creates the threads of one call. They end with it: a process that forks afterwards has none of them.
///
/// # Errors
/// The system has no threads left.
pub fn threads() -> PyResult<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Waits for the end of `work`. A signal that raises, or a listener that does, stops it in order, and is raised behind its end; a
/// second signal is raised at once.
///
/// # Errors
/// Those of the work; what was raised meanwhile.
pub fn wait<T: Send + 'static>(
    py: Python<'_>,
    runtime: &Runtime,
    stop: &CancellationToken,
    work: impl Future<Output = PyResult<T>> + Send + 'static,
    mut told: Option<Told>,
) -> PyResult<T> {
    let mut task = runtime.spawn(work);
    let mut raised: Option<PyErr> = None;
    loop {
        let events = told.as_mut().map(|told| &mut told.events);
        let heard = py.detach(|| {
            runtime.block_on(async {
                let next = async {
                    match events {
                        Some(events) => events.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    event = next => Heard::Event(event),
                    done = &mut task => Heard::Done(done.unwrap_or_else(|e| {
                        Err(pyo3::exceptions::PyRuntimeError::new_err(format!("the engine stopped: {e}")))
                    })),
                    () = tokio::time::sleep(TICK) => Heard::Tick,
                }
            })
        });
        let of_listener = match heard {
            Heard::Done(done) => return raised.map_or(done, Err),
            // All of it was told.
            Heard::Event(None) => {
                told = None;
                continue;
            }
            Heard::Event(Some(event)) => match &told {
                Some(told) if raised.is_none() => tell(py, &told.to, &event),
                _ => Ok(()),
            },
            Heard::Tick => Ok(()),
        };
        if let Err(error) = of_listener {
            stop.cancel();
            raised = Some(error);
        }
        if let Err(error) = py.check_signals() {
            if raised.is_some() {
                task.abort();
                return Err(error);
            }
            stop.cancel();
            raised = Some(error);
        }
    }
}

fn tell(py: Python<'_>, to: &Py<PyAny>, event: &Event) -> PyResult<()> {
    to.call1(py, (json(event)?,)).map(|_| ())
}
