//! What is kept of a step while it runs, so that a run that ends in it can be gone on with: its rows, what became of each, and
//! responses whose rows are not in their tables yet.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Method;
use sequor_planner::ops::{RequestSpec, WriteMode};
use sequor_planner::plan::HttpStep;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;
use crate::exec::changes::SENDING;
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
    /// Whether rows that were done give nothing more, save for those whose responses are kept.
    pub adds: bool,
    /// Rows in doubt that count as sent.
    pub skipped: AtomicU64,
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
        let noting = noting(http);
        // What the rows that were done gave is in its tables.
        let adds = step.run.retries_rejected && adds_up(http);
        let ledger = Ledger::open(files, &key, noting, adds).await?;
        if noting != Noting::Grouped {
            kept_is_there(step, &key, &ledger).await?;
        }
        Ok(Some(Checkpoint {
            ledger,
            files: files.clone(),
            key,
            keeps_responses: takes_more_than_success(http),
            adds,
            skipped: AtomicU64::new(0),
            // Too many of them may be why the step is gone on with.
            retries_rejected: step.run.retries_rejected || request.max_rejects.is_some(),
            doubts: Mutex::default(),
            in_doubt: step.run.in_doubt,
        }))
    }

    /// Opens what is kept of a sending of a step that sends only changes; none where nothing is. What becomes of rows in doubt is
    /// for its snapshot to say.
    ///
    /// # Errors
    /// A state that can't be read or written.
    pub async fn of_sending(http: &HttpStep, files: Option<&RunFiles>) -> Result<Option<Checkpoint>> {
        let Some(files) = files else {
            return Ok(None);
        };
        let key = SENDING.to_string();
        let ledger = Ledger::open(files, &key, noting(http), false).await?;
        Ok(Some(Checkpoint {
            ledger,
            files: files.clone(),
            key,
            keeps_responses: takes_more_than_success(http),
            adds: false,
            skipped: AtomicU64::new(0),
            retries_rejected: false,
            doubts: Mutex::default(),
            in_doubt: InDoubt::Stop,
        }))
    }

    /// Returns what is kept of the exchange about a row.
    pub fn exchange(&self, row: u64) -> Exchange {
        let mut again = Vec::new();
        let state = match self.ledger.fate(row) {
            Fate::New | Fate::Failed => State::Fresh,
            Fate::Done => State::Done,
            Fate::Rejected(rejections) if self.retries_rejected => {
                again = rejections;
                State::Fresh
            }
            Fate::Skipped => State::Skipped(false),
            Fate::Rejected(rejections) => State::Rejected(rejections),
            Fate::InDoubt => match self.in_doubt {
                InDoubt::Stop => State::InDoubt,
                InDoubt::Send => State::Fresh,
                InDoubt::Skip => State::Skipped(true),
            },
        };
        Exchange {
            row,
            state,
            again,
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

/// When it is noted what became of a row.
fn noting(http: &HttpStep) -> Noting {
    match (may_be_repeated(http), takes_more_than_success(http)) {
        (true, _) => Noting::Grouped,
        (false, true) => Noting::AtOnce,
        (false, false) => Noting::Jotted,
    }
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

/// Sees to it that what is kept of rows which may not be sent twice is still there, where an earlier attempt kept it.
///
/// # Errors
/// It is gone.
async fn kept_is_there(step: &StepContext, key: &str, ledger: &Ledger) -> Result<()> {
    let journal = &step.run.journal;
    if journal.decided(key, Entry::Kept).is_none() {
        ledger.begin().await?;
        let mut notes = journal.notes();
        notes.note(key, Entry::Kept, "");
        journal.add(notes);
        return journal.sync(Durability::Machine).await;
    }
    if ledger.is_there().await? || step.run.in_doubt == InDoubt::Send {
        return Ok(());
    }
    let message = "what was kept of it is gone: which of its rows were sent is not known";
    Err(Error::new(ErrorKind::Resume, message).help(
        "look at the API, and send all of them again by --resume --in-doubt send, or begin behind it: --from-step ID",
    ))
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
        || keeps_answers(http)
}

/// Whether something of each answer is kept beside what was sent.
fn keeps_answers(http: &HttpStep) -> bool {
    http.request
        .changes()
        .is_some_and(|changes| changes.keep_response.is_some())
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

/// The same of parts of a batch, each in a request of its own: a key would not tell the API that it knows them.
pub fn may_be_parted(request: &Request, given: &RequestSpec) -> bool {
    let by_method = || given.safe || request.method == Method::PATCH || request.method.is_idempotent();
    match given.idempotency_key {
        Some(_) => by_method(),
        None => given.idempotent.unwrap_or_else(by_method),
    }
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
    /// It counts as done, though nobody knows. Whether that is new.
    Skipped(bool),
}

/// What is said to an API about one row, and what it answers.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The row's number; 0 where there are no rows.
    pub row: u64,
    state: State,
    /// What was rejected of it, and is sent again.
    again: Vec<Rejection>,
    /// The part of a batch that is asked for; 0: all of it.
    part: AtomicU64,
    /// Whether it is sent again as it was, where an earlier attempt may have sent it.
    pub sent_again: AtomicBool,
    /// Whether nobody knows what the API did of an attempt before the last.
    pub was_unclear: AtomicBool,
    /// What tells it from all others, where only changes are sent.
    pub identity: Option<String>,
    rejections: Mutex<Vec<Rejection>>,
}

impl Exchange {
    /// Returns the exchange about a row of which nothing is known.
    pub fn of(row: u64) -> Exchange {
        Exchange {
            row,
            ..Exchange::default()
        }
    }

    /// Tells whether it is over since an earlier attempt.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Rejected(_) | State::Skipped(_))
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

    /// Tells whether it counts as done from now on, though nobody knows.
    pub fn is_skipped_now(&self) -> bool {
        self.state == State::Skipped(true)
    }

    /// Returns which rows of a batch were rejected, each by itself, and are sent again; none: all of it is sent.
    pub fn rejected_rows(&self, row: &Value) -> Vec<usize> {
        let Value::List(rows) = row else {
            return Vec::new();
        };
        let mut rejected: Vec<&str> = self
            .again
            .iter()
            .map(|rejection| rejection.data.as_str())
            .collect();
        let of_rejected = |row: &Value| {
            let text = serde_json::to_string(row).unwrap_or_default();
            let at = rejected.iter().position(|rejected| *rejected == text);
            at.map(|at| rejected.swap_remove(at)).is_some()
        };
        let found: Vec<bool> = rows.iter().map(of_rejected).collect();
        (0..rows.len()).filter(|at| found[*at]).collect()
    }

    /// Goes on to another part of the batch: where it begins, and how many rows it has.
    pub fn set_part(&self, from: usize, rows: usize) {
        self.part
            .store((from as u64) << 32 | rows as u64, Ordering::Relaxed);
    }

    /// Tells whether the batch is asked for in parts.
    pub fn is_in_parts(&self) -> bool {
        self.part.load(Ordering::Relaxed) != 0
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
