//! Writes outcomes in groups, and responses as they come, by one task: what was given first is written first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::keeping::Budget;
use super::outcome::{self, Outcome};
use super::response;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::state::chunks::Chunks;
use crate::state::home::Durability;

/// The first byte of a chunk: outcomes.
pub const OUTCOMES: u8 = 1;

/// The first byte of a chunk: a response.
pub const RESPONSE: u8 = 2;

/// Outcomes of a group, at most.
const GROUP: usize = 4_096;

/// How long an outcome waits for others.
const PAUSE: Duration = Duration::from_millis(200);

/// What waits for the task. Few: responses are large.
const WAITING: usize = 64;

enum Given {
    Outcome(u64, Outcome),
    /// A response, with its row and its place in the row's conversation.
    Response(u64, u64, Arc<Response>),
    Flush(Durability, oneshot::Sender<Result<()>>),
}

/// The task that writes a ledger.
pub struct Groups {
    given: mpsc::Sender<Given>,
    _task: AbortOnDropHandle<()>,
}

impl Groups {
    /// Starts to write to a file.
    /// `at_once`: whether an outcome waits for no others.
    pub fn start(
        chunks: Arc<dyn Chunks>,
        file: String,
        at_once: bool,
        budget: Arc<Budget>,
    ) -> Groups {
        let (given, receiver) = mpsc::channel(WAITING);
        let writing = Writing {
            chunks,
            file,
            at_once,
            budget,
            group: Vec::new(),
            failed: None,
        };
        Groups {
            given,
            _task: AbortOnDropHandle::new(tokio::spawn(writing.take(receiver))),
        }
    }

    /// Gives an outcome: it is written with others.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn outcome(&self, row: u64, outcome: Outcome) -> Result<()> {
        self.give(Given::Outcome(row, outcome)).await
    }

    /// Gives a response: it is written before what is given later.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn response(&self, row: u64, place: u64, response: Arc<Response>) -> Result<()> {
        self.give(Given::Response(row, place, response)).await
    }

    /// Waits until all that was given is written.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn flush(&self, durability: Durability) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.give(Given::Flush(durability, sender)).await?;
        receiver.await.map_err(|_| gone())?
    }

    async fn give(&self, given: Given) -> Result<()> {
        self.given.send(given).await.map_err(|_| gone())
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "the task that writes the ledger is gone")
}

struct Writing {
    chunks: Arc<dyn Chunks>,
    file: String,
    at_once: bool,
    budget: Arc<Budget>,
    group: Vec<(u64, Outcome)>,
    failed: Option<Error>,
}

impl Writing {
    async fn take(mut self, mut given: mpsc::Receiver<Given>) {
        loop {
            // Nothing waits: nothing is to be written soon.
            let next = match self.group.is_empty() {
                true => Ok(given.recv().await.map(Some)),
                false => tokio::time::timeout(PAUSE, self.gather(&mut given)).await,
            };
            match next {
                Ok(None) => break,
                Ok(Some(None)) => self.write_group(Durability::Process).await,
                Ok(Some(Some(Given::Outcome(row, outcome)))) => {
                    if self.add(row, outcome) {
                        self.write_group(Durability::Process).await;
                    }
                }
                Ok(Some(Some(Given::Response(row, place, response)))) => {
                    let written = match response::bytes(row, place, &response) {
                        Ok(bytes) => self.append(RESPONSE, bytes, Durability::Process).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = written {
                        self.failed.get_or_insert(error);
                    }
                }
                Ok(Some(Some(Given::Flush(durability, answer)))) => {
                    self.write_group(durability).await;
                    // Who asked may be gone.
                    let _ = answer.send(self.failed.clone().map_or(Ok(()), Err));
                }
                Err(_) => self.write_group(Durability::Process).await,
            }
        }
        self.write_group(Durability::Process).await;
    }

    /// Gathers outcomes until the group is to be written, or something else comes. It may be dropped at any time: nothing that was
    /// received is lost.
    async fn gather(&mut self, given: &mut mpsc::Receiver<Given>) -> Option<Option<Given>> {
        loop {
            match given.recv().await? {
                Given::Outcome(row, outcome) => {
                    if self.add(row, outcome) {
                        return Some(None);
                    }
                }
                other => return Some(Some(other)),
            }
        }
    }

    /// Adds an outcome to the group. Whether it is to be written now.
    fn add(&mut self, row: u64, outcome: Outcome) -> bool {
        let is_done = matches!(outcome, Outcome::Done { .. });
        self.group.push((row, outcome));
        // What is more than a number is seldom.
        self.at_once || !is_done || self.group.len() >= GROUP
    }

    async fn write_group(&mut self, durability: Durability) {
        if self.group.is_empty() {
            return;
        }
        let bytes = outcome::bytes(&self.group);
        self.group.clear();
        let written = match bytes {
            Ok(bytes) => self.append(OUTCOMES, bytes, durability).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    async fn append(&mut self, kind: u8, mut bytes: Vec<u8>, durability: Durability) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        bytes.insert(0, kind);
        self.budget.take(bytes.len())?;
        self.chunks
            .append(&self.file, bytes, durability)
            .await
            .map(|_| ())
    }
}
