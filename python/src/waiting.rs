//! Waiting for the engine with Python's lock given away, so that other threads go on, signals arrive and events are told.

use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
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
    Event(Arc<Event>),
}

/// How many events wait for a listener before the run waits for it.
const QUEUE: usize = 64;

/// Creates the threads of one call. They end with it: a process that forks afterwards has none of them.
///
/// # Errors
/// The system has no threads left.
pub fn threads() -> PyResult<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Waits for the end of `work`. A signal that raises ends it at once; where it can be stopped in order, it is, as by a listener that
/// raises, and that is raised behind its end; a second signal is raised at once.
///
/// # Errors
/// Those of the work; what was raised meanwhile.
pub fn wait<T: Send + 'static>(
    py: Python<'_>,
    runtime: &Runtime,
    stop: Option<&CancellationToken>,
    work: impl Future<Output = PyResult<T>> + Send + 'static,
    told: Option<Told>,
) -> PyResult<T> {
    // Not the runtime's own channels and clock: its threads may all be computing.
    let (send, heard) = sync_channel(QUEUE);
    let to = told.map(|Told { mut events, to }| {
        let send = send.clone();
        runtime.spawn_blocking(move || {
            while let Some(event) = events.blocking_recv() {
                if send.send(Heard::Event(event)).is_err() {
                    return;
                }
            }
        });
        to
    });
    let task = runtime.spawn(async move {
        let done = work.await;
        // The one who waits may be gone.
        let _ = send.send(Heard::Done(done));
    });
    let heard = Mutex::new(heard);
    let next = || {
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(TICK)
    };
    let (mut done, mut raised) = (None, None);
    loop {
        let of_listener = match py.detach(next) {
            Ok(Heard::Event(event)) => match &to {
                Some(to) if raised.is_none() => tell(py, to, &event),
                _ => Ok(()),
            },
            Ok(Heard::Done(ended)) => {
                done = Some(ended);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            // Behind the end, when all events were told.
            Err(RecvTimeoutError::Disconnected) => {
                let stopped = || Err(PyRuntimeError::new_err("the engine stopped without a result"));
                return raised.map_or_else(|| done.unwrap_or_else(stopped), Err);
            }
        };
        for error in [of_listener.err(), py.check_signals().err()]
            .into_iter()
            .flatten()
        {
            match stop {
                Some(stop) if raised.is_none() => stop.cancel(),
                _ => {
                    task.abort();
                    return Err(error);
                }
            }
            raised = Some(error);
        }
    }
}

fn tell(py: Python<'_>, to: &Py<PyAny>, event: &Event) -> PyResult<()> {
    to.call1(py, (json(event)?,)).map(|_| ())
}
