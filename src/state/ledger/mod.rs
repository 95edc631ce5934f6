//! The ledger of a fan-out: what became of each of its rows, and responses whose rows are not in their tables yet. A row's number
//! is its identity: the rows are fixed before the first request.
//!
//! Before a row is sent, a *watermark* says so: rows below it may have been sent. What became of them is written in groups, a
//! little later. So a row below the watermark without an outcome is in doubt when the run ends without a word. Rows that may be
//! sent twice need none: without an outcome they are sent.

mod groups;
mod keeping;
mod outcome;
mod progress;
mod response;
mod rows;
mod watermark;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use super::chunks::Chunks;
use super::home::Durability;
use crate::error::Result;
use crate::exchange::Response;
use groups::Groups;
use watermark::{WATERMARK, Watermark};

pub use keeping::{Budget, RunFiles};
pub use outcome::{Outcome, Rejection};
pub use progress::Progress;
pub use rows::Frozen;

/// What became of a row in earlier attempts.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It was never sent.
    New,
    Done,
    /// It was answered: it is to be sent again.
    Failed,
    /// It was rejected, or some of its batch.
    Rejected(Vec<Rejection>),
    /// It may have been sent, and nobody knows.
    InDoubt,
    /// The same, and it counts as done.
    Skipped,
}

/// When what became of a row is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noting {
    /// With others: rows may be sent again.
    Grouped,
    /// With others, and that they are done at once: rows may not be sent again, and nothing else is kept of them.
    Jotted,
    /// At once, behind their responses: rows may not be sent again.
    AtOnce,
}

/// What became of the rows of a fan-out.
pub struct Ledger {
    chunks: Arc<dyn Chunks>,
    file: String,
    /// What earlier attempts noted.
    before: outcome::Before,
    watermark: Watermark,
    groups: Groups,
    /// Where each row that is done is noted at once; none where it can wait for its group.
    jots: Option<String>,
    /// Where the responses of earlier attempts are, by row and place in its conversation: the chunk, and their place in it.
    responses: HashMap<(u64, u64), (u64, usize)>,
    /// The rows of which there are some.
    answered: HashSet<u64>,
    /// The responses that were read last: those that follow are asked for next.
    last: Mutex<Option<(u64, RecordBatch)>>,
}

impl Ledger {
    /// Opens the ledger of a step, with what earlier attempts left. `adds`: whether only responses are taken again whose rows are
    /// not in their tables yet.
    ///
    /// # Errors
    /// What can't be read, or written.
    pub async fn open(files: &RunFiles, step: &str, noting: Noting, adds: bool) -> Result<Ledger> {
        let file = files.name(step, "ledger");
        let chunks = files.chunks.clone();
        let mut before = outcome::Before::default();
        let mut responses = HashMap::new();
        let loaded = match adds {
            true => chunks.mark(&files.name(step, "loaded")).await?,
            false => None,
        };
        let loaded = loaded.map_or(0, |mark| mark.value);
        let mut at = 0;
        while let Some((chunk, next)) = chunks.chunk(&file, at).await? {
            match chunk.split_first() {
                Some((&groups::OUTCOMES, bytes)) => before.add(bytes)?,
                Some((&groups::RESPONSES, _)) if at < loaded => {}
                Some((&groups::RESPONSES, bytes)) => {
                    let places = response::places(&response::batch(bytes)?)?;
                    let places = places.into_iter().enumerate();
                    responses.extend(places.map(|(number, place)| (place, (at, number))));
                }
                _ => {}
            }
            at = next;
        }
        let answered = responses.keys().map(|(row, _)| *row).collect();
        // What a crash left half-written is written over.
        chunks.cut(&file, at).await?;
        let mark = files.name(step, WATERMARK);
        for row in chunks.jotted(&mark)? {
            before.set_done(row);
        }
        let watermark = Watermark::open(chunks.clone(), mark.clone()).await?;
        let at_once = noting == Noting::AtOnce;
        let groups = Groups::start(chunks.clone(), file.clone(), at_once, files.budget.clone());
        Ok(Ledger {
            chunks,
            file,
            before,
            watermark,
            groups,
            jots: (noting == Noting::Jotted).then_some(mark),
            responses,
            answered,
            last: Mutex::default(),
        })
    }

    /// Returns what became of a row in earlier attempts.
    pub fn fate(&self, row: u64) -> Fate {
        match self.before.of(row) {
            Some(fate) => fate,
            None if self.watermark.covered(row) => Fate::InDoubt,
            None => Fate::New,
        }
    }

    /// Tells whether what is kept for rows that may not be sent twice is there.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn is_there(&self) -> Result<bool> {
        self.watermark.is_there().await
    }

    /// Begins to keep what is needed for rows that may not be sent twice.
    ///
    /// # Errors
    /// What can't be written.
    pub async fn begin(&self) -> Result<()> {
        self.watermark.begin().await
    }

    /// Tells whether earlier attempts noted nothing.
    pub fn is_fresh(&self) -> bool {
        self.before.is_empty() && self.responses.is_empty() && !self.watermark.covered(0)
    }

    /// Notes that a row will be sent: to be waited for before it is. `again`: whether it may be sent again when nobody knows what
    /// became of it.
    ///
    /// # Errors
    /// What can't be written.
    pub async fn will_send(&self, row: u64, again: bool) -> Result<()> {
        if again {
            // Without an outcome it is sent once more, whether it was sent or not.
            return Ok(());
        }
        if self.before.of(row).is_some() {
            // What was noted of it before says that it may be sent, and is true no longer.
            self.groups.outcome(row, Outcome::Sending).await?;
            return self.groups.flush(Durability::Machine).await;
        }
        if self.watermark.raise(row).await? {
            // What follows a restart of the machine is known from what is on the disk by now.
            self.groups.flush(Durability::Machine).await?;
        }
        Ok(())
    }

    /// Notes what became of a row.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn note(&self, row: u64, outcome: Outcome) -> Result<()> {
        if let (Some(jots), Outcome::Done) = (&self.jots, &outcome) {
            self.chunks.jot(jots, row)?;
        }
        self.groups.outcome(row, outcome).await
    }

    /// Keeps a response until its rows are in their tables. `place`: its place in the row's conversation.
    ///
    /// # Errors
    /// What could not be written; more than a run may keep.
    pub async fn keep(&self, row: u64, place: u64, response: &Arc<Response>) -> Result<()> {
        self.groups.response(row, place, response.clone()).await
    }

    /// Tells whether an earlier attempt kept responses of a row.
    pub fn has_kept(&self, row: u64) -> bool {
        self.answered.contains(&row)
    }

    /// Returns a response that an earlier attempt kept.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn kept(&self, row: u64, place: u64) -> Result<Option<Response>> {
        let Some((at, number)) = self.responses.get(&(row, place)).copied() else {
            return Ok(None);
        };
        let last = |held: &Option<(u64, RecordBatch)>| match held {
            Some((known, batch)) if *known == at => Some(batch.clone()),
            _ => None,
        };
        let known = last(&self.last.lock().unwrap_or_else(PoisonError::into_inner));
        let batch = match known {
            Some(batch) => batch,
            None => {
                let Some((chunk, _)) = self.chunks.chunk(&self.file, at).await? else {
                    return Ok(None);
                };
                let batch = response::batch(chunk.get(1..).unwrap_or_default())?;
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, batch.clone()));
                batch
            }
        };
        response::read(&batch, number).map(Some)
    }

    /// Waits until all that was noted is written.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn flush(&self) -> Result<()> {
        self.groups.flush(Durability::Process).await
    }
}
