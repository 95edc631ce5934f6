//! The thread that owns the interpreter. Others send it work and wait without blocking.

use std::cell::Cell;
use std::ffi::c_ulong;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use pyo3::types::PyAnyMethods;
use tokio::sync::oneshot;

use super::session::Session;
use super::start;
use crate::error::{Error, ErrorKind, Result};

/// The interpreter's lock, held, and what is kept on its thread.
pub struct Visit<'v, 'py> {
    pub py: pyo3::Python<'py>,
    pub session: &'v mut Session,
}

type Job = Box<dyn FnOnce(&mut Visit<'_, '_>) + Send>;

/// A handle on the interpreter's thread. The thread starts with the first visit.
#[derive(Default)]
pub struct Interpreter {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// Why it could not start: every visit says so.
    broken: Arc<Mutex<Option<Error>>>,
}

impl Interpreter {
    /// Creates a handle; starts nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `f` on the interpreter's thread. On that thread itself, where an expression asks for something that takes
    /// Python, too (a database whose driver is a Python package), it runs at once: the queue would wait for its own end.
    pub async fn visit<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Visit<'_, '_>) -> T + Send + 'static,
    {
        if ON_THREAD.get() {
            return pyo3::Python::attach(|py| {
                let mut session = Session::new(py)?;
                let mut visit = Visit {
                    py,
                    session: &mut session,
                };
                Ok(f(&mut visit))
            });
        }
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(move |visit| {
            // The one who asked may be gone: its run was cancelled.
            let _ = reply.send(f(visit));
        }))?;
        answer.await.map_err(|_| {
            let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
            broken
                .clone()
                .unwrap_or_else(|| Error::new(ErrorKind::Internal, "the Python thread stopped"))
        })
    }

    fn send(&self, job: Job) -> Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*jobs {
            Some(sender) => sender,
            None => {
                // The queue needs no bound of its own: each waiting task has at most one job in it.
                let (sender, receiver) = mpsc::channel();
                let broken = self.broken.clone();
                std::thread::Builder::new()
                    .name("python".into())
                    .spawn(move || work(&receiver, &broken))?;
                jobs.insert(sender)
            }
        };
        sender
            .send(job)
            .map_err(|_| Error::new(ErrorKind::Internal, "the Python thread stopped"))
    }
}

thread_local! {
    /// Whether this is an interpreter's thread.
    static ON_THREAD: Cell<bool> = const { Cell::new(false) };
}

fn work(jobs: &mpsc::Receiver<Job>, broken: &Mutex<Option<Error>>) {
    ON_THREAD.set(true);
    let session = start::initialize().and_then(|()| pyo3::Python::attach(Session::new));
    let mut session = match session {
        Ok(session) => session,
        Err(error) => {
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            // Drops every job unanswered: those who wait read the reason.
            while jobs.recv().is_ok() {}
            return;
        }
    };
    let thread = pyo3::Python::attach(ident).ok();
    while let Ok(job) = jobs.recv() {
        pyo3::Python::attach(|py| {
            let _working = thread.map(Working::begin);
            job(&mut Visit {
                py,
                session: &mut session,
            });
        });
    }
}

/// Threads that are in the middle of Python code, by Python's numbers of them. The process has one interpreter, so that this is
/// of the process, too.
static WORKING: Mutex<Vec<c_ulong>> = Mutex::new(Vec::new());

/// A visit under way.
struct Working(c_ulong);

impl Working {
    /// Notes a visit.
    fn begin(thread: c_ulong) -> Working {
        WORKING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread);
        Working(thread)
    }
}

/// Python's number of this thread.
fn ident(py: pyo3::Python<'_>) -> pyo3::PyResult<c_ulong> {
    py.import("threading")?.call_method0("get_ident")?.extract()
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut working = WORKING.lock().unwrap_or_else(PoisonError::into_inner);
        working.retain(|thread| *thread != self.0);
    }
}

/// Ends Python code of ours that still runs: an interpreter that ends under it breaks down. Whether all of it ended in time.
#[allow(unsafe_code)]
pub fn settle(py: pyo3::Python<'_>, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        let working = WORKING.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if working.is_empty() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        for thread in working {
            let exit = py.get_type::<pyo3::exceptions::PySystemExit>();
            // SAFETY: Python's lock is held; a thread that is gone is not found, and nothing is done.
            unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(thread as _, exit.as_ptr()) };
        }
        py.detach(|| std::thread::sleep(TICK));
    }
}

/// How often [`settle`] looks.
const TICK: Duration = Duration::from_millis(10);
