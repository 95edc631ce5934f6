//! What became of rows, as Arrow batches: a row's number and how it ended; of those that were rejected also why.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, LargeStringBuilder, RecordBatch, StringBuilder, UInt8Builder, UInt16Builder,
    UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::Fate;
use crate::error::{Error, ErrorKind, Result};

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done,
    /// It was answered, and what was asked for was not done: it may be sent again.
    Failed,
    /// It was rejected, or some of its batch.
    Rejected(Vec<Rejection>),
    /// It is about to be sent again, and must not be sent once more: in doubt until something else is noted.
    Sending,
    /// It counts as done, though nobody knows whether it was sent.
    Skipped,
}

/// Why a row was rejected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rejection {
    pub status: Option<u16>,
    pub error: String,
    pub attempts: u32,
    /// When, in UTC.
    pub time: String,
    /// The row itself, as JSON.
    pub data: String,
}

const DONE: u8 = 0;
const FAILED: u8 = 1;
const REJECTED: u8 = 2;
const SENDING: u8 = 3;
const SKIPPED: u8 = 4;

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("outcome", DataType::UInt8, false),
    ]))
}

/// The columns of rows that were rejected.
fn rejected_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("status", DataType::UInt16, true),
        Field::new("error", DataType::Utf8, false),
        Field::new("time", DataType::Utf8, false),
        Field::new("attempts", DataType::UInt32, false),
        Field::new("data", DataType::LargeUtf8, false),
    ]))
}

/// Returns outcomes as bytes: a stream of Arrow IPC behind a first byte, and another of those that were rejected.
pub fn bytes(first: u8, outcomes: &[(u64, Outcome)]) -> Result<Vec<u8>> {
    let mut rows = UInt64Builder::with_capacity(outcomes.len());
    let mut kinds = UInt8Builder::with_capacity(outcomes.len());
    let (mut at, mut statuses) = (UInt64Builder::new(), UInt16Builder::new());
    let (mut errors, mut times) = (StringBuilder::new(), StringBuilder::new());
    let (mut each, mut data) = (UInt32Builder::new(), LargeStringBuilder::new());
    for (row, outcome) in outcomes {
        rows.append_value(*row);
        let kind = match outcome {
            Outcome::Done => DONE,
            Outcome::Failed => FAILED,
            Outcome::Rejected(rejections) => {
                for rejection in rejections {
                    at.append_value(*row);
                    statuses.append_option(rejection.status);
                    errors.append_value(&rejection.error);
                    times.append_value(&rejection.time);
                    each.append_value(rejection.attempts);
                    data.append_value(&rejection.data);
                }
                REJECTED
            }
            Outcome::Sending => SENDING,
            Outcome::Skipped => SKIPPED,
        };
        kinds.append_value(kind);
    }
    let all = RecordBatch::try_new(schema(), vec![Arc::new(rows.finish()), Arc::new(kinds.finish())])?;
    let mut out = ipc(vec![first], &all)?;
    let rejected = RecordBatch::try_new(
        rejected_schema(),
        vec![
            Arc::new(at.finish()),
            Arc::new(statuses.finish()),
            Arc::new(errors.finish()),
            Arc::new(times.finish()),
            Arc::new(each.finish()),
            Arc::new(data.finish()),
        ],
    )?;
    if rejected.num_rows() > 0 {
        out = ipc(out, &rejected)?;
    }
    Ok(out)
}

/// Adds a batch behind what is there.
fn ipc(out: Vec<u8>, batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(out, &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// What earlier attempts noted: a bit for a row that is done, and more of the others.
#[derive(Default)]
pub struct Before {
    bits: Vec<u64>,
    others: HashMap<u64, Fate>,
}

impl Before {
    /// Adds outcomes from bytes.
    ///
    /// # Errors
    /// Bytes that are none, though their checksum is right.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = std::io::Cursor::new(bytes);
        let mut rejections: HashMap<u64, Vec<Rejection>> = HashMap::new();
        let mut all = Vec::new();
        while usize::try_from(rest.position()).is_ok_and(|at| at < bytes.len()) {
            let reader = StreamReader::try_new(&mut rest, None)?;
            for batch in reader {
                let batch = batch?;
                match batch.num_columns() {
                    2 => all.push(batch),
                    _ => rejected(&batch, &mut rejections)?,
                }
            }
        }
        for batch in all {
            let column = |at: usize| batch.columns().get(at).ok_or_else(wrong);
            let rows = column(0)?.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
            let kinds = column(1)?.as_primitive_opt::<UInt8Type>().ok_or_else(wrong)?;
            for at in 0..batch.num_rows() {
                let row = rows.value(at);
                match kinds.value(at) {
                    DONE => self.set_done(row),
                    FAILED => {
                        self.others.insert(row, Fate::Failed);
                    }
                    SENDING => {
                        self.others.insert(row, Fate::InDoubt);
                    }
                    SKIPPED => {
                        self.others.insert(row, Fate::Skipped);
                    }
                    _ => {
                        let of_row = rejections.remove(&row).unwrap_or_default();
                        self.others.insert(row, Fate::Rejected(of_row));
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a row as done.
    pub fn set_done(&mut self, row: u64) {
        // It may have failed in the attempt before.
        self.others.remove(&row);
        let (word, bit) = place(row);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= bit;
    }

    /// Returns what became of a row; none where nothing was noted.
    pub fn of(&self, row: u64) -> Option<Fate> {
        let (word, bit) = place(row);
        match self.bits.get(word) {
            Some(bits) if bits & bit != 0 => Some(Fate::Done),
            _ => self.others.get(&row).cloned(),
        }
    }

    /// Tells whether anything was noted of a row.
    pub fn knows(&self, row: u64) -> bool {
        let (word, bit) = place(row);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0) || self.others.contains_key(&row)
    }

    /// Gives what became of each row of which something was noted, in no order.
    pub fn each(&self, mut give: impl FnMut(&Fate)) {
        let done: u32 = self.bits.iter().map(|bits| bits.count_ones()).sum();
        (0..done).for_each(|_| give(&Fate::Done));
        self.others.values().for_each(give);
    }

    /// Tells whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty() && self.others.is_empty()
    }
}

fn place(row: u64) -> (usize, u64) {
    (usize::try_from(row / 64).unwrap_or(usize::MAX), 1 << (row % 64))
}

fn rejected(batch: &RecordBatch, into: &mut HashMap<u64, Vec<Rejection>>) -> Result<()> {
    let column = |at: usize| batch.columns().get(at).ok_or_else(wrong);
    let rows = column(0)?.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
    let statuses = column(1)?.as_primitive_opt::<UInt16Type>().ok_or_else(wrong)?;
    let errors = column(2)?.as_string_opt::<i32>().ok_or_else(wrong)?;
    let times = column(3)?.as_string_opt::<i32>().ok_or_else(wrong)?;
    let attempts = column(4)?.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
    let data = column(5)?.as_string_opt::<i64>().ok_or_else(wrong)?;
    for at in 0..batch.num_rows() {
        let rejection = Rejection {
            status: statuses.is_valid(at).then(|| statuses.value(at)),
            error: errors.value(at).to_string(),
            attempts: attempts.value(at),
            time: times.value(at).to_string(),
            data: data.value(at).to_string(),
        };
        into.entry(rows.value(at)).or_default().push(rejection);
    }
    Ok(())
}

fn wrong() -> Error {
    Error::new(ErrorKind::State, "a group of the ledger has other columns")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rejection() -> impl Strategy<Value = Rejection> {
        (any::<Option<u16>>(), ".*", any::<u32>(), ".*").prop_map(|(status, error, attempts, data)| {
            Rejection {
                status,
                error,
                attempts,
                time: "2026-01-02T03:04:05Z".into(),
                data,
            }
        })
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Outcome::Done),
            Just(Outcome::Failed),
            Just(Outcome::Sending),
            Just(Outcome::Skipped),
            prop::collection::vec(rejection(), 1..3).prop_map(Outcome::Rejected),
        ]
    }

    proptest! {
        #[test]
        fn what_is_noted_is_read(noted in prop::collection::hash_map(0u64..2000, outcome(), 0..100)) {
            let noted: Vec<(u64, Outcome)> = noted.into_iter().collect();
            let mut before = Before::default();
            for group in noted.chunks(7) {
                before.add(&bytes(1, group).unwrap()[1..]).unwrap();
            }
            for row in 0..2000 {
                let expected = noted.iter().find(|(known, _)| *known == row).map(|(_, outcome)| match outcome {
                    Outcome::Done => Fate::Done,
                    Outcome::Failed => Fate::Failed,
                    Outcome::Sending => Fate::InDoubt,
                    Outcome::Skipped => Fate::Skipped,
                    Outcome::Rejected(rejections) => Fate::Rejected(rejections.clone()),
                });
                prop_assert_eq!(before.of(row), expected);
            }
        }
    }
}
