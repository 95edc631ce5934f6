//! Telling what happens: counts of steps, and the listeners of a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::event::{EVENT_VERSION, Event, EventKind, StepReport, Tally, Totals};

/// Counts of one step, readable while it runs.
#[derive(Debug, Default)]
pub struct Counters {
    rows: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    waited_ms: AtomicU64,
    rejects: AtomicU64,
}

impl Counters {
    pub(super) fn add_rows(&self, n: u64) {
        self.rows.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn add_request(&self, retries: u64, bytes: u64, waited: Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.retries.fetch_add(retries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.fetch_add(waited, Ordering::Relaxed);
    }

    pub(super) fn add_reject(&self) {
        self.rejects.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts now.
    pub fn read(&self) -> Totals {
        Totals {
            rows: self.rows.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            waited_ms: self.waited_ms.load(Ordering::Relaxed),
            rejects: self.rejects.load(Ordering::Relaxed),
        }
    }
}

/// Events waiting for a listener.
const WAITING: usize = 256;

/// Someone who hears events.
pub struct Listener {
    sender: mpsc::Sender<Arc<Event>>,
    /// Whether the run waits for it.
    every: bool,
}

impl Listener {
    /// Returns a listener that hears every event: where it is slow, the run waits.
    pub fn every() -> (Listener, mpsc::Receiver<Arc<Event>>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Listener { sender, every: true }, receiver)
    }

    /// Returns a listener that misses events while it is behind.
    pub fn lossy() -> (Listener, mpsc::Receiver<Arc<Event>>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Listener { sender, every: false }, receiver)
    }
}

/// Where the events of a run go. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Hub>);

struct Hub {
    run: Uuid,
    attempt: u32,
    listeners: Vec<Listener>,
    tally: Mutex<Tally>,
}

impl Events {
    /// Creates the events of an attempt at a run, from 1.
    pub fn new(run: Uuid, attempt: u32, listeners: Vec<Listener>) -> Events {
        Events(Arc::new(Hub {
            run,
            attempt,
            listeners,
            tally: Mutex::default(),
        }))
    }

    fn event(&self, step: Option<&str>, kind: EventKind) -> Arc<Event> {
        let event = Event {
            version: EVENT_VERSION,
            run: self.0.run,
            at: chrono::Utc::now(),
            step: step.map(str::to_string),
            attempt: self.0.attempt,
            kind,
        };
        let mut tally = self.0.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(&event);
        Arc::new(event)
    }

    /// Tells every listener, and waits for those that hear everything.
    pub async fn emit(&self, step: Option<&str>, kind: EventKind) {
        let event = self.event(step, kind);
        for listener in &self.0.listeners {
            // One that has gone away wants nothing.
            match listener.every {
                true => drop(listener.sender.send(event.clone()).await),
                false => drop(listener.sender.try_send(event.clone())),
            }
        }
    }

    /// Tells what is good to know, where nothing can be waited for: listeners that are behind miss it.
    pub fn try_emit(&self, step: Option<&str>, kind: EventKind) {
        let event = self.event(step, kind);
        for listener in &self.0.listeners {
            drop(listener.sender.try_send(event.clone()));
        }
    }

    /// Returns what steps did so far.
    pub fn steps(&self) -> Vec<StepReport> {
        let tally = self.0.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.steps()
    }
}

/// Tells what happens in one step. Cheap to clone.
#[derive(Clone)]
pub struct Emitter {
    pub events: Events,
    pub step: Arc<str>,
}

impl Emitter {
    /// Tells what happened.
    pub async fn emit(&self, kind: EventKind) {
        self.events.emit(Some(&self.step), kind).await;
    }

    /// Warns. The text must hold no secret.
    pub async fn warn(&self, text: impl Into<String>) {
        self.emit(EventKind::Warning { text: text.into() }).await;
    }
}
