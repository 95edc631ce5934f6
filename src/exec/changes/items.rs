//! What is sent, one after the other: a row, or a batch of rows of which the same became.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Rows;
use crate::value::json::value_at;
use crate::value::{Row, Value};

/// What a step asks for at once.
pub struct Item {
    /// What the step's variable holds.
    pub value: Value,
    /// What it is of a sending; none where all rows are asked for.
    pub part: Option<Part>,
}

impl From<Value> for Item {
    fn from(value: Value) -> Item {
        Item { value, part: None }
    }
}

/// What an item is of a sending.
#[derive(Debug, Clone)]
pub struct Part {
    /// The number of its first row.
    pub first: u64,
    pub rows: u64,
    /// What became of its rows.
    pub change: Arc<str>,
    /// When they were sent last.
    pub sent_at: String,
    /// What was kept of the answer then.
    pub kept: Value,
}

/// Columns behind those of the rows.
const META: usize = 3;

/// Returns the items of rows that [`crate::changes::Snapshot::items`] gives. `batch_size`: how many rows an item has; none: an
/// item is a row.
pub fn items(rows: Rows, batch_size: Option<u64>) -> BoxStream<'static, Result<Item>> {
    let rows = rows
        .batches
        .map(|batch| Ok::<_, Error>(stream::iter(rows_of(&batch?)?.into_iter().map(Ok::<_, Error>))))
        .try_flatten();
    let Some(size) = batch_size else {
        let numbered = rows.enumerate().map(|(number, row)| {
            let (value, part) = row?;
            let first = number as u64;
            Ok(Item {
                value,
                part: Some(Part { first, ..part }),
            })
        });
        return numbered.boxed();
    };
    let rows = Box::pin(rows.peekable());
    let batches = stream::try_unfold((rows, 0), move |(mut rows, first)| async move {
        let Some((value, part)) = rows.try_next().await? else {
            return Ok(None);
        };
        let mut values = vec![value];
        let mut sent_at = part.sent_at;
        while (values.len() as u64) < size {
            match rows.as_mut().peek().await {
                Some(Ok((_, next))) if next.change == part.change => {}
                _ => break,
            }
            if let Some((value, next)) = rows.try_next().await? {
                values.push(value);
                sent_at.push(' ');
                sent_at.push_str(&next.sent_at);
            }
        }
        let count = values.len() as u64;
        let part = Part {
            first,
            rows: count,
            sent_at,
            ..part
        };
        let item = Item {
            value: Value::list(values),
            part: Some(part),
        };
        Ok(Some((item, (rows, first + count))))
    });
    batches.boxed()
}

/// The rows of a batch, each with what it is.
fn rows_of(batch: &RecordBatch) -> Result<Vec<(Value, Part)>> {
    let lost = || Error::new(ErrorKind::Internal, "rows without what became of them");
    let own = batch.num_columns().checked_sub(META).ok_or_else(lost)?;
    let values = Arc::new(batch.project(&(0..own).collect::<Vec<_>>())?);
    let meta = Arc::new(batch.project(&(own..batch.num_columns()).collect::<Vec<_>>())?);
    let row = |at| {
        let meta = Row::new(meta.clone(), at);
        let mut texts = meta.iter().map(|(_, value)| value.to_text());
        let mut next = || texts.next().unwrap_or_default();
        let (change, sent_at, kept) = (next(), next(), next());
        let part = Part {
            first: 0,
            rows: 1,
            change: change.into(),
            sent_at,
            kept: value_at(kept.as_bytes(), &[]).unwrap_or(Value::Null),
        };
        (Value::Row(Row::new(values.clone(), at)), part)
    };
    Ok((0..batch.num_rows()).map(row).collect())
}
