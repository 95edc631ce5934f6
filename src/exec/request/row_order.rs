//! Takes the responses of rows in the order of the rows, though they are asked for at the same time: of several rows with one key,
//! an upsert keeps the later one. Responses that came too early wait, up to a limit: then no further ones are asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sequor_planner::ops::WriteMode;
use sequor_planner::plan::HttpStep;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::error::{Error, ErrorKind, Result};

/// How many rows are begun for each that is asked for at the same time: a slow one does not hold up those behind it.
pub const AHEAD: usize = 8;

/// Bytes of responses that wait, at most.
const MOST: usize = 64 << 20;

/// The order in which responses are taken.
pub struct RowOrder {
    /// What is asked for at the same time.
    requests: Semaphore,
    state: Mutex<State>,
    /// Bytes of responses that wait for their turn.
    bytes: AtomicUsize,
    /// Told when bytes are gone, or the turn is another's.
    moved: Notify,
}

#[derive(Default)]
struct State {
    /// The row whose turn it is.
    next: u64,
    /// Rows behind it that are over.
    over: BTreeSet<u64>,
    waiting: HashMap<u64, Arc<Notify>>,
}

/// A row under way. Dropped, it is over.
pub struct Under<'o> {
    order: &'o RowOrder,
    row: u64,
}

impl RowOrder {
    /// Returns the order for a step; none where it makes no difference.
    pub fn of(http: &HttpStep, concurrency: usize) -> Option<RowOrder> {
        let response = &http.request.response;
        let mut tables = response.tables.iter();
        // Which tables a parser names, and how they are written, only its answers tell.
        let by_parser = response.tables.is_empty() && response.parser.is_some();
        let matters = by_parser
            // Whose rows they are is known by their order.
            || http.asks.is_some()
            || tables.any(|table| matches!(table.write_mode, WriteMode::Upsert(_)));
        (matters && concurrency > 1).then(|| RowOrder {
            requests: Semaphore::new(concurrency),
            state: Mutex::default(),
            bytes: AtomicUsize::new(0),
            moved: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a row.
    pub fn begin(&self, row: u64) -> Under<'_> {
        Under { order: self, row }
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// A bug: the semaphore is never closed.
    pub async fn request(&self, row: u64) -> Result<SemaphorePermit<'_>> {
        loop {
            // Told from here on: what changes in between is not missed.
            let moved = self.moved.notified();
            if self.bytes.load(Ordering::Acquire) < MOST || self.state().next == row {
                break;
            }
            moved.await;
        }
        let permit = self.requests.acquire().await;
        permit.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
    }

    /// Waits until all rows before are over. `bytes`: those of what waits.
    pub async fn turn(&self, row: u64, bytes: usize) {
        let come = {
            let mut state = self.state();
            if state.next >= row {
                return;
            }
            state.waiting.entry(row).or_default().clone()
        };
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        // One permit is kept for who comes later.
        come.notified().await;
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.moved.notify_waiters();
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        let mut state = self.order.state();
        state.over.insert(self.row);
        while {
            let next = state.next;
            state.over.remove(&next)
        } {
            state.next += 1;
        }
        let next = state.next;
        if let Some(waiting) = state.waiting.remove(&next) {
            waiting.notify_one();
        }
        drop(state);
        self.order.moved.notify_waiters();
    }
}
