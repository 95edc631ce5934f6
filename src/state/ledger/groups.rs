//! Writes outcomes in groups, and responses as they come, by one task: what was given first is written first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::keeping::Budget;
use super::outcome::{self, Outcome};
use super::response::{self, Kept};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::state::chunks::Chunks;
use crate::state::home::Durability;

/// The first byte of a chunk: outcomes.
pub const OUTCOMES: u8 = 1;

/// The first byte of a chunk: responses.
pub const RESPONSES: u8 = 2;

/// Outcomes of a group, at most.
const GROUP: usize = 4_096;

/// How long an outcome waits for others.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a response waits for others: less, since it is asked for again when it is lost.
const SOON: Duration = Duration::from_millis(20);

/// Bytes of responses that wait, at most.
const MOST: usize = 1 << 20;

/// Bytes of responses and outcomes that wait, at most, while the disk is behind.
const BEHIND: usize = 2 << 20;

/// What waits to be written.
#[derive(Default)]
struct Waiting {
    /// Responses, each with its row and its place in the row's conversation, and the bytes of their bodies.
    responses: (Vec<Kept>, usize),
    outcomes: Vec<(u64, Outcome)>,
    /// When it is written at the latest; none while nothing waits.
    due: Option<Instant>,
    /// Why nothing is written any more: nothing more is taken then, so that no row is sent of which nothing could be kept.
    failed: Option<Error>,
    /// Who waits until all that was given is written.
    flushes: Vec<(Durability, oneshot::Sender<Result<()>>)>,
}

impl Waiting {
    /// Takes what waits.
    fn take(&mut self) -> Waiting {
        let failed = self.failed.clone();
        std::mem::replace(
            self,
            Waiting {
                failed,
                ..Waiting::default()
            },
        )
    }

    fn is_full(&self) -> bool {
        self.responses.1 + self.outcomes.len() * size_of::<(u64, Outcome)>() >= BEHIND
    }
}

/// What the task shares with those who give. The task is woken when something is due earlier than it knows, not for each thing
/// that is given: on two cores the waking costs more than the writing.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    earlier: Notify,
    written: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that writes a ledger.
pub struct Groups {
    shared: Arc<Shared>,
    /// Whether an outcome waits for no others.
    at_once: bool,
    task: AbortOnDropHandle<()>,
}

impl Groups {
    /// Starts to write to a file. `at_once`: whether an outcome waits for no others.
    pub fn start(chunks: Arc<dyn Chunks>, file: String, at_once: bool, budget: Arc<Budget>) -> Groups {
        let shared = Arc::new(Shared::default());
        let writing = Writing {
            chunks,
            file,
            budget,
            failed: None,
        };
        Groups {
            task: AbortOnDropHandle::new(tokio::spawn(writing.write_on(shared.clone()))),
            shared,
            at_once,
        }
    }

    /// Gives an outcome: it is written with others.
    ///
    /// # Errors
    /// What could not be written before.
    pub async fn outcome(&self, row: u64, outcome: Outcome) -> Result<()> {
        let is_done = matches!(outcome, Outcome::Done);
        self.give(|waiting| {
            waiting.outcomes.push((row, outcome));
            // What is more than a number is seldom.
            match self.at_once || !is_done || waiting.outcomes.len() >= GROUP {
                true => Duration::ZERO,
                false => PAUSE,
            }
        })
        .await
    }

    /// Gives a response: it is written before what is given later.
    ///
    /// # Errors
    /// What could not be written before.
    pub async fn response(&self, row: u64, place: u64, response: Arc<Response>) -> Result<()> {
        self.give(|waiting| {
            waiting.responses.1 += response.body.len();
            waiting.responses.0.push((row, place, response));
            match waiting.responses.1 >= MOST {
                true => Duration::ZERO,
                false => SOON,
            }
        })
        .await
    }

    /// Waits until all that was given is written.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn flush(&self, durability: Durability) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.give(|waiting| {
            waiting.flushes.push((durability, sender));
            Duration::ZERO
        })
        .await?;
        receiver.await.map_err(|_| gone())?
    }

    /// Adds to what waits. `add` says for how long it may.
    async fn give(&self, add: impl FnOnce(&mut Waiting) -> Duration) -> Result<()> {
        let mut add = Some(add);
        loop {
            let written = self.shared.written.notified();
            if self.task.is_finished() {
                return Err(gone());
            }
            if self.shared.add(&mut add)? {
                return Ok(());
            }
            written.await;
        }
    }
}

impl Shared {
    /// Adds to what waits, where there is room.
    ///
    /// # Errors
    /// What could not be written before.
    fn add(&self, add: &mut Option<impl FnOnce(&mut Waiting) -> Duration>) -> Result<bool> {
        let mut waiting = self.lock();
        if let Some(error) = &waiting.failed {
            return Err(error.clone());
        }
        if waiting.is_full() {
            return Ok(false);
        }
        if let Some(add) = add.take() {
            let due = Instant::now() + add(&mut waiting);
            if waiting.due.is_none_or(|known| due < known) {
                waiting.due = Some(due);
                self.earlier.notify_one();
            }
        }
        Ok(true)
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "the task that writes the ledger is gone")
}

struct Writing {
    chunks: Arc<dyn Chunks>,
    file: String,
    budget: Arc<Budget>,
    failed: Option<Error>,
}

impl Writing {
    async fn write_on(mut self, shared: Arc<Shared>) {
        loop {
            let due = shared.lock().due;
            match due {
                None => {
                    shared.earlier.notified().await;
                    continue;
                }
                Some(due) if due > Instant::now() => {
                    // Something may become due before.
                    let _ = tokio::time::timeout_at(due, shared.earlier.notified()).await;
                    continue;
                }
                Some(_) => {}
            }
            let waiting = shared.lock().take();
            shared.written.notify_waiters();
            let flushes = waiting.flushes;
            let durability = match flushes.iter().any(|(wanted, _)| *wanted == Durability::Machine) {
                true => Durability::Machine,
                false => Durability::Process,
            };
            self.write(waiting.responses.0, waiting.outcomes, durability)
                .await;
            shared.lock().failed.clone_from(&self.failed);
            for (_, answer) in flushes {
                // Who asked may be gone.
                let _ = answer.send(self.failed.clone().map_or(Ok(()), Err));
            }
        }
    }

    /// Writes what waits: responses first, then what became of their rows.
    async fn write(&mut self, responses: Vec<Kept>, outcomes: Vec<(u64, Outcome)>, durability: Durability) {
        let mut chunks = Vec::with_capacity(2);
        let written = [
            (!responses.is_empty()).then(|| response::bytes(RESPONSES, &responses)),
            (!outcomes.is_empty()).then(|| outcome::bytes(OUTCOMES, &outcomes)),
        ];
        for bytes in written {
            match bytes {
                None => {}
                Some(Ok(bytes)) => chunks.push(bytes),
                Some(Err(error)) => {
                    self.failed.get_or_insert(error);
                }
            }
        }
        if chunks.is_empty() || self.failed.is_some() {
            return;
        }
        let size = chunks.iter().map(Vec::len).sum();
        let written = match self.budget.take(size) {
            Ok(()) => self.chunks.append(&self.file, chunks, durability).await,
            Err(error) => Err(error),
        };
        self.failed = written.err();
    }
}
