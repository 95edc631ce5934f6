//! What the executor tells about itself: events, turned into words elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::error::Error;

/// Counts of one step, readable while it runs.
#[derive(Debug, Default)]
pub struct Counters {
    rows: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
}

/// A reading of [`Counters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows written to tables.
    pub rows: u64,
    /// Requests sent, without retries.
    pub requests: u64,
    pub retries: u64,
}

impl Counters {
    pub(super) fn add_rows(&self, n: u64) {
        self.rows.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn add_request(&self, retries: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.retries.fetch_add(retries, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn read(&self) -> Totals {
        Totals {
            rows: self.rows.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    Done,
    /// The error; none when a step inside it failed, which told it already.
    Failed(Option<Error>),
    /// A `try` around it takes the error.
    Caught(Option<Error>),
    /// Never started, since this step failed before.
    Skipped {
        because: String,
    },
    /// Stopped by an interrupt.
    Cancelled,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    Started {
        step: Arc<str>,
        op: &'static str,
        title: Option<String>,
        /// How many for_each blocks and branches it stands in.
        depth: usize,
        counters: Arc<Counters>,
    },
    Finished {
        step: Arc<str>,
        op: &'static str,
        depth: usize,
        outcome: Outcome,
        totals: Totals,
        took: Duration,
    },
    /// The text of a `print`.
    Printed(String),
    Warning(String),
}

/// Where events go. A slow listener slows the run instead of filling memory.
#[derive(Clone)]
pub struct Events(mpsc::Sender<Event>);

impl Events {
    /// A channel for events.
    pub fn channel() -> (Events, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(256);
        (Events(sender), receiver)
    }

    /// Tells what is good to know, unless the listener is behind.
    pub(super) fn try_emit(&self, event: Event) {
        let _ = self.0.try_send(event);
    }

    pub(super) async fn emit(&self, event: Event) {
        // Nobody listens: nothing is lost that anyone wanted.
        let _ = self.0.send(event).await;
    }
}
