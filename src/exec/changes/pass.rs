//! One sending: its rows, and how each of them ended.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use sequor_planner::ops::{Change, DataPath};
use uuid::Uuid;

use super::items::{Item, Part, items};
use crate::changes::{Ended, Left, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::event::count;
use crate::exec::incremental::digest;
use crate::state::{Rejection, RunFiles};
use crate::value::Value;
use crate::value::json::value_of;

/// How long what is known waits until the snapshot has it: the ledger has it at once.
const PAUSE: Duration = Duration::from_secs(10);

/// Rows that wait for that, at most.
const MOST: usize = 100_000;

/// Characters of what is kept of an answer, at most.
const MOST_KEPT: usize = 255;

/// One sending.
pub struct Pass {
    pub snapshot: Snapshot,
    pub id: Uuid,
    /// How many rows its requests have; none: one row each, by itself.
    batch: Option<u64>,
    /// Where the ledger is; none where nothing is kept.
    pub files: Option<RunFiles>,
    /// Whether it is one of an earlier attempt, of which only is taken what it has done.
    pub replays: bool,
    /// What tells the step from others.
    pub scope: String,
    /// What is kept of an answer.
    pub keeps: Option<DataPath>,
    noted: Mutex<Noted>,
    /// What is kept of answers, by their rows, until those count as sent.
    answered: Mutex<HashMap<u64, String>>,
    /// New rows of whose answers nothing could be kept.
    unanswered: AtomicU64,
    doubts: AtomicU64,
    /// Rows that may have been sent and were refused when they were sent again, and why the first of them was.
    refused: AtomicU64,
    why_refused: OnceLock<String>,
    /// Below which rows may have been sent.
    begun: AtomicU64,
    /// Items of which nobody knows whether they were done, and that may be sent again.
    unclear: AtomicU64,
    /// Items whose answers of an earlier attempt can't be read, by their first rows.
    unread: Mutex<HashSet<u64>>,
    /// Whether all of its items were gone through.
    is_through: AtomicBool,
    /// The snapshot is written by one at a time.
    writing: tokio::sync::Mutex<()>,
}

struct Noted {
    sent: Vec<u64>,
    in_doubt: Vec<u64>,
    refused: Vec<u64>,
    answers: Vec<(u64, String)>,
    since: Instant,
}

impl Noted {
    fn new() -> Noted {
        Noted {
            sent: Vec::new(),
            in_doubt: Vec::new(),
            refused: Vec::new(),
            answers: Vec::new(),
            since: Instant::now(),
        }
    }
}

impl Pass {
    /// Returns a sending of which nothing is known yet.
    pub fn new(
        Left { snapshot, id, batch }: Left,
        files: Option<RunFiles>,
        replays: bool,
        (scope, keeps): (String, Option<DataPath>),
    ) -> Pass {
        Pass {
            snapshot,
            id,
            batch,
            files,
            replays,
            scope,
            keeps,
            noted: Mutex::new(Noted::new()),
            answered: Mutex::default(),
            unanswered: AtomicU64::new(0),
            doubts: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            why_refused: OnceLock::new(),
            begun: AtomicU64::new(0),
            unclear: AtomicU64::new(0),
            unread: Mutex::default(),
            is_through: AtomicBool::new(false),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is sent.
    ///
    /// # Errors
    /// The database's.
    pub async fn items(&self) -> Result<BoxStream<'static, Result<Item>>> {
        Ok(items(self.snapshot.items().await?, self.batch))
    }

    /// Tells whether its requests can be made up as those of now are: of lists of rows, whatever their size, or of single rows.
    pub fn is_like(&self, batch_size: Option<u64>) -> bool {
        self.batch.is_some() == batch_size.is_some()
    }

    /// Returns what tells a request from all others: the same in each attempt at it, and another one when the row is sent
    /// again, later.
    ///
    /// # Errors
    /// A row that is no data.
    pub fn identity(&self, item: &Item) -> Result<Option<String>> {
        let Some(part) = &item.part else {
            return Ok(None);
        };
        let row =
            serde_json::to_string(&item.value).map_err(|e| Error::new(ErrorKind::Data, e.to_string()))?;
        Ok(Some(digest(&[&self.scope, &part.change, &part.sent_at, &row])))
    }

    /// Notes that an item is about to be sent.
    pub fn begins(&self, item: &Item) {
        if let Some(part) = &item.part {
            self.begun.fetch_max(part.first + part.rows, Ordering::Relaxed);
        }
    }

    /// Returns the number below which rows may have been sent.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Notes that the request of an item has succeeded, save for rows of it that were rejected.
    pub fn sent(&self, item: &Item, rejections: &[Rejection]) {
        let Some(part) = &item.part else { return };
        let sent = sent_rows(&item.value, part, rejections);
        if self.keeps.is_some() {
            let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
            let answers: Vec<(u64, String)> =
                sent.iter().filter_map(|row| answered.remove_entry(row)).collect();
            drop(answered);
            if !self.replays && &*part.change == Change::Added.name() {
                self.unanswered
                    .fetch_add((sent.len() - answers.len()) as u64, Ordering::Relaxed);
            }
            self.noted().answers.extend(answers);
        }
        self.noted().sent.extend(sent);
    }

    /// Notes that nobody knows of rows of an item whether they were sent, and that they must not be sent twice: those of some
    /// rejections; all, where there is none.
    pub fn in_doubt(&self, item: &Item, rejections: &[Rejection]) {
        let Some(part) = &item.part else { return };
        let rows = rows_of(&item.value, part, rejections);
        self.doubts.fetch_add(rows.len() as u64, Ordering::Relaxed);
        self.noted().in_doubt.extend(rows);
    }

    /// Notes that rows of an item, which may have been sent before, were refused when they were sent again: the API may have them.
    /// They are those of some rejections; all, where there is none. `why`: what was answered.
    pub fn refused(&self, item: &Item, rejections: &[Rejection], why: &str) {
        let Some(part) = &item.part else { return };
        let rows = rows_of(&item.value, part, rejections);
        self.refused.fetch_add(rows.len() as u64, Ordering::Relaxed);
        self.why_refused.get_or_init(|| why.to_string());
        self.noted().refused.extend(rows);
    }

    /// Notes that the API may have an item, and that it is to be sent again.
    pub fn again(&self, item: &Item) {
        if let Some(part) = &item.part {
            self.noted().refused.extend(rows_of(&item.value, part, &[]));
        }
    }

    /// Notes that what an earlier attempt was answered about an item can't be read. Whether that is new.
    pub fn not_read(&self, item: &Item) -> bool {
        let first = item.part.as_ref().map_or(0, |part| part.first);
        self.unread().insert(first)
    }

    /// Tells whether that was noted.
    pub fn is_unread(&self, item: &Item) -> bool {
        let first = item.part.as_ref().map_or(0, |part| part.first);
        self.unread().contains(&first)
    }

    /// Returns how many such items there are.
    pub fn count_unread(&self) -> usize {
        self.unread().len()
    }

    fn unread(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that all of its items were gone through: of each it is known how it ended.
    pub fn gone_through(&self) {
        self.is_through.store(true, Ordering::Relaxed);
    }

    /// Tells whether they were.
    pub fn is_through(&self) -> bool {
        self.is_through.load(Ordering::Relaxed)
    }

    /// Notes that nobody knows of an item whether it was done, and that the next run sends it again as it was.
    pub fn unclear(&self) {
        self.unclear.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells whether there are such.
    pub fn has_unclear(&self) -> bool {
        self.unclear.load(Ordering::Relaxed) > 0
    }

    /// Returns how many rows are in doubt by now.
    pub fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::Relaxed)
    }

    /// Keeps something of what was answered about a row.
    ///
    /// # Errors
    /// More than can be kept.
    pub fn answered(&self, number: u64, body: &[u8]) -> Result<()> {
        let Some(path) = &self.keeps else {
            return Ok(());
        };
        let value = match value_of(body, path) {
            None | Some(Value::Null) => return Ok(()),
            Some(value) => value,
        };
        let text = serde_json::to_string(&value).map_err(|e| Error::new(ErrorKind::Data, e.to_string()))?;
        if text.chars().count() > MOST_KEPT {
            let message = format!(
                "`keep_response` keeps at most {MOST_KEPT} characters, and `{path}` of the answer has more"
            );
            return Err(
                Error::new(ErrorKind::Data, message).help("name the id alone, like `keep_response: data.id`")
            );
        }
        self.answered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, text);
        Ok(())
    }

    /// Returns what is reported of rows that were refused when they were sent again.
    pub fn refusals(&self, step: &str) -> Option<String> {
        let why = self.why_refused.get()?;
        let rows = count(self.refused.load(Ordering::Relaxed), "row");
        Some(format!(
            "{step}: {rows} may have been sent before, and the API refused to take them again ({why}): the API may have them, or not, so that they count as different"
        ))
    }

    /// Returns what is reported when all is sent.
    pub fn warning(&self, step: &str) -> Option<String> {
        let path = self.keeps.as_ref()?;
        let rows = match self.unanswered.load(Ordering::Relaxed) {
            0 => return None,
            1 => "the answer to 1 new row has".to_string(),
            n => format!("the answers to {n} new rows have"),
        };
        Some(format!(
            "{step}: {rows} no `{path}`: nothing is kept of them, and `kept_response` is null"
        ))
    }

    /// Writes what is known into the snapshot, from time to time.
    ///
    /// # Errors
    /// The database's.
    pub async fn flush_when_due(&self) -> Result<()> {
        let is_due = {
            let noted = self.noted();
            noted.since.elapsed() > PAUSE || noted.sent.len() > MOST
        };
        match is_due {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Writes what is known into the snapshot.
    ///
    /// # Errors
    /// The database's.
    pub async fn flush(&self) -> Result<()> {
        let _alone = self.writing.lock().await;
        let noted = std::mem::replace(&mut *self.noted(), Noted::new());
        let written = self.write(noted).await;
        if written.is_err() {
            // The ledger has what the snapshot has not got.
            self.unclear();
        }
        written
    }

    async fn write(&self, noted: Noted) -> Result<()> {
        self.snapshot
            .end(self.id, (Ended::Sent, noted.sent), noted.answers)
            .await?;
        self.snapshot
            .end(self.id, (Ended::InDoubt, noted.in_doubt), Vec::new())
            .await?;
        self.snapshot
            .end(self.id, (Ended::Refused, noted.refused), Vec::new())
            .await
    }

    /// Forgets the ledger: the snapshot knows how each row ended.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn forget(&self) -> Result<()> {
        match &self.files {
            Some(files) => files.forget_all().await,
            None => Ok(()),
        }
    }
}

/// The numbers of an item's rows that were not rejected.
fn sent_rows(value: &Value, part: &Part, rejections: &[Rejection]) -> Vec<u64> {
    let all = part.first..part.first + part.rows;
    if rejections.is_empty() {
        return all.collect();
    }
    let rejected = rows_of(value, part, rejections);
    // In order.
    all.filter(|row| rejected.binary_search(row).is_err()).collect()
}

/// The numbers of an item's rows that rejections are about; all, where there is none.
fn rows_of(value: &Value, part: &Part, rejections: &[Rejection]) -> Vec<u64> {
    let all = part.first..part.first + part.rows;
    let Value::List(rows) = value else {
        return all.collect();
    };
    let text = |value: &Value| serde_json::to_string(value).unwrap_or_default();
    let mut rejected: Vec<&str> = rejections
        .iter()
        .map(|rejection| rejection.data.as_str())
        .collect();
    // The whole batch was.
    if rejected.is_empty() || rejected.contains(&text(value).as_str()) {
        return all.collect();
    }
    let is_rejected = |row: &Value| {
        let text = text(row);
        let at = rejected.iter().position(|rejected| *rejected == text);
        at.map(|at| rejected.swap_remove(at)).is_some()
    };
    let found: Vec<bool> = rows.iter().map(is_rejected).collect();
    all.zip(found)
        .filter(|(_, found)| *found)
        .map(|(number, _)| number)
        .collect()
}
