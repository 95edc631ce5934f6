//! What is kept of a step while it runs, so that a run that ends in it can be gone on with: its rows, what became of each, and
//! responses whose rows are not in their tables yet.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Method;
use sequor_planner::ops::{RequestSpec, WriteMode};
use sequor_planner::plan::HttpStep;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;
use crate::exec::context::StepContext;
use crate::exec::run::InDoubt;
use crate::state::{Durability, Entry, Fate, Ledger, Noting, Rejection, RunFiles};
use crate::value::Value;

/// What is kept of a step.
pub struct Checkpoint {
    pub ledger: Ledger,
    pub files: RunFiles,
    /// The step's name in the journal.
    pub key: String,
    /// Whether responses are kept: their rows go to tables, or more is taken from them.
    pub keeps_responses: bool,
    /// Rows that nobody knows of whether they were sent: their numbers and what they are.
    doubts: Mutex<Vec<(u64, String)>>,
    in_doubt: InDoubt,
    /// Whether rows are sent again that an earlier attempt rejected.
    retries_rejected: bool,
}

/// Rows in doubt that are remembered one by one.
const MOST_DOUBTS: usize = 100_000;

impl Checkpoint {
    /// Opens what is kept of a step; none where nothing is.
    ///
    /// # Errors
    /// A state that can't be read or written.
    pub async fn open(step: &StepContext, http: &HttpStep) -> Result<Option<Checkpoint>> {
        let Some(files) = &step.run.files else {
            return Ok(None);
        };
        let request = &http.request;
        let once = request.for_each.is_none() && !http.has_pages();
        if request.streams && !may_be_repeated(http) {
            not_begun(step).await?;
        }
        if request.streams || (once && request.is_read()) {
            return Ok(None);
        }
        let key = step.scope.key(step.id());
        let noting = match (may_be_repeated(http), takes_more_than_success(http)) {
            (true, _) => Noting::Grouped,
            (false, true) => Noting::AtOnce,
            (false, false) => Noting::Jotted,
        };
        Ok(Some(Checkpoint {
            ledger: Ledger::open(files, &key, noting).await?,
            files: files.clone(),
            key,
            keeps_responses: takes_more_than_success(http) && !(step.run.retries_rejected && adds_up(http)),
            // Too many of them may be why the step is gone on with.
            retries_rejected: step.run.retries_rejected || request.max_rejects.is_some(),
            doubts: Mutex::default(),
            in_doubt: step.run.in_doubt,
        }))
    }

    /// Returns what is kept of the exchange about a row.
    pub fn exchange(&self, row: u64) -> Exchange {
        let state = match self.ledger.fate(row) {
            Fate::New | Fate::Failed => State::Fresh,
            Fate::Done => State::Done,
            Fate::Rejected(_) if self.retries_rejected => State::Fresh,
            Fate::Rejected(rejections) => State::Rejected(rejections),
            Fate::InDoubt => match self.in_doubt {
                InDoubt::Stop => State::InDoubt,
                InDoubt::Send => State::Fresh,
                InDoubt::Skip => State::Skipped,
            },
        };
        Exchange {
            row,
            state,
            ..Exchange::default()
        }
    }

    /// Notes that a row is in doubt.
    pub fn doubt(&self, row: u64, value: &Value) {
        let mut doubts = lock(&self.doubts);
        if doubts.len() < MOST_DOUBTS {
            doubts.push((row, serde_json::to_string(value).unwrap_or_default()));
        }
    }

    /// Returns the rows in doubt.
    pub fn doubts(&self) -> Vec<(u64, String)> {
        let mut doubts = std::mem::take(&mut *lock(&self.doubts));
        doubts.sort_unstable();
        doubts
    }
}

/// Whether what was taken from responses is added to what is there: taken once more it would be there twice.
fn adds_up(http: &HttpStep) -> bool {
    let mut tables = http.request.response.tables.iter();
    tables.any(|table| table.write_mode == WriteMode::Append)
}

/// Whether all requests of a step may be sent again when nobody knows what became of them, as far as is known before they are
/// made.
fn may_be_repeated(http: &HttpStep) -> bool {
    let given = &http.request.request;
    let by_method = || match http.request.method().as_deref() {
        Some("GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" | "PATCH") => true,
        _ => given.safe || given.idempotency_key.is_some(),
    };
    given.idempotent.unwrap_or_else(by_method)
}

/// Notes that a step begins of which nothing is kept.
///
/// # Errors
/// An earlier attempt began it: which of its rows were sent is not known.
async fn not_begun(step: &StepContext) -> Result<()> {
    let (journal, key) = (&step.run.journal, step.scope.key(step.id()));
    if journal.decided(&key, Entry::Begun).is_some() && step.run.in_doubt != InDoubt::Send {
        let message = "it had begun when the run ended before, and keeps nothing (`checkpoint: false`): which of its rows were sent is not known";
        return Err(Error::new(ErrorKind::InDoubt, message).help(
            "go on with --resume --in-doubt send (all of them are sent again), or begin behind it: --from-step ID",
        ));
    }
    let mut notes = journal.notes();
    notes.note(&key, Entry::Begun, "");
    journal.add(notes);
    journal.sync(Durability::Machine).await
}

/// Whether more is taken from responses than that they are a success.
fn takes_more_than_success(http: &HttpStep) -> bool {
    let response = &http.request.response;
    http.has_pages()
        || !response.tables.is_empty()
        || !response.variables.is_empty()
        || !response.rules.is_empty()
        || response.parser.is_some()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells whether a request may be sent again when nobody knows what became of it. PATCH sets the values of a row.
pub fn may_be_sent_again(request: &Request, given: &RequestSpec) -> bool {
    given
        .idempotent
        .unwrap_or_else(|| given.safe || request.method == Method::PATCH || request.is_idempotent())
}

/// What earlier attempts left of the exchange about a row.
#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Fresh,
    /// It may have been sent.
    InDoubt,
    /// It was done: what was kept is taken once more, and nothing is sent.
    Done,
    /// It was rejected, or some of its batch.
    Rejected(Vec<Rejection>),
    /// It counts as done, though nobody knows.
    Skipped,
}

/// What is said to an API about one row, and what it answers.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The row's number; 0 where there are no rows.
    pub row: u64,
    state: State,
    /// The part of a batch that is asked for, where it was halved.
    part: AtomicU32,
    rejections: Mutex<Vec<Rejection>>,
}

impl Exchange {
    /// Tells whether it is over since an earlier attempt.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Rejected(_) | State::Skipped)
    }

    /// Tells whether all of it was done: each of its responses was kept.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Tells whether it may have been sent by an earlier attempt.
    pub fn is_in_doubt(&self) -> bool {
        self.state == State::InDoubt
    }

    /// Returns what was rejected of it by an earlier attempt.
    pub fn rejected_before(&self) -> &[Rejection] {
        match &self.state {
            State::Rejected(rejections) => rejections,
            _ => &[],
        }
    }

    /// Goes on to another part of the batch.
    pub fn next_part(&self) {
        self.part.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the place of a request in the exchange: the same in each attempt. `what`: what tells it from the others.
    pub fn place(&self, what: &str) -> u64 {
        let part = self.part.load(Ordering::Relaxed);
        let digest = Sha256::digest(format!("{part} {what}").as_bytes());
        digest
            .iter()
            .take(8)
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    }

    /// Notes that it, or some of its batch, was rejected.
    pub fn reject(&self, rejection: Rejection) {
        lock(&self.rejections).push(rejection);
    }

    /// Returns what was rejected of it.
    pub fn rejections(&self) -> Vec<Rejection> {
        std::mem::take(&mut *lock(&self.rejections))
    }
}
