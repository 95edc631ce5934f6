//! Writes outcomes in groups, and responses as they come, by one task: what was given first is written first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
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
    pub fn start(chunks: Arc<dyn Chunks>, file: String, at_once: bool, budget: Arc<Budget>) -> Groups {
        let (given, receiver) = mpsc::channel(WAITING);
        let writing = Writing {
            chunks,
            file,
            at_once,
            budget,
            responses: (Vec::new(), 0),
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
    /// Responses that wait to be written, and the bytes of their bodies.
    responses: (Vec<Kept>, usize),
    group: Vec<(u64, Outcome)>,
    failed: Option<Error>,
}

impl Writing {
    async fn take(mut self, mut given: mpsc::Receiver<Given>) {
        // When what waits is written at the latest; none while nothing does.
        let mut due: Option<Instant> = None;
        loop {
            let next = match due {
                None => given.recv().await,
                Some(time) => match tokio::time::timeout_at(time, given.recv()).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.write(Durability::Process).await;
                        due = None;
                        continue;
                    }
                },
            };
            let pause = match next {
                None => break,
                Some(Given::Outcome(row, outcome)) => (!self.add(row, outcome)).then_some(PAUSE),
                Some(Given::Response(row, place, response)) => {
                    (!self.add_response(row, place, response)).then_some(SOON)
                }
                Some(Given::Flush(durability, answer)) => {
                    self.write(durability).await;
                    due = None;
                    // Who asked may be gone.
                    let _ = answer.send(self.failed.clone().map_or(Ok(()), Err));
                    continue;
                }
            };
            match pause {
                Some(pause) => {
                    let time = Instant::now() + pause;
                    due = Some(due.map_or(time, |due| due.min(time)));
                }
                None => {
                    self.write(Durability::Process).await;
                    due = None;
                }
            }
        }
        self.write(Durability::Process).await;
    }

    /// Adds an outcome to the group. Whether it is to be written now.
    fn add(&mut self, row: u64, outcome: Outcome) -> bool {
        let is_done = matches!(outcome, Outcome::Done);
        self.group.push((row, outcome));
        // What is more than a number is seldom.
        self.at_once || !is_done || self.group.len() >= GROUP
    }

    /// Adds a response. Whether it is to be written now.
    fn add_response(&mut self, row: u64, place: u64, response: Arc<Response>) -> bool {
        self.responses.1 += response.body.len();
        self.responses.0.push((row, place, response));
        self.responses.1 >= MOST
    }

    /// Writes what waits: responses first, then what became of their rows.
    async fn write(&mut self, durability: Durability) {
        let (responses, _) = std::mem::take(&mut self.responses);
        let outcomes = std::mem::take(&mut self.group);
        let mut chunks = Vec::with_capacity(2);
        let written = [
            (
                RESPONSES,
                (!responses.is_empty()).then(|| response::bytes(&responses)),
            ),
            (
                OUTCOMES,
                (!outcomes.is_empty()).then(|| outcome::bytes(&outcomes)),
            ),
        ];
        for (kind, bytes) in written {
            match bytes {
                None => {}
                Some(Ok(mut bytes)) => {
                    bytes.insert(0, kind);
                    chunks.push(bytes);
                }
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
