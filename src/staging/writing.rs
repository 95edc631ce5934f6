//! The rows of a query, written to files: what its parts give at the same time is written at the same time.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake_core::logstore::LogStoreRef;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use tokio_util::task::AbortOnDropHandle;

use super::convert::Mapping;
use super::query::Batches;
use super::writer::{TableWriter, Written};
use crate::error::{Error, ErrorKind, Result};

/// A part of fewer rows, and of fewer bytes, gets no file of its own.
const FEWEST_ROWS: usize = 65_536;
const FEWEST_BYTES: usize = 16 * 1024 * 1024;

/// Where rows are written, and as what.
#[derive(Clone)]
pub struct Target {
    pub store: LogStoreRef,
    pub schema: SchemaRef,
    pub mapping: Mapping,
}

/// What became of a part.
enum Part {
    Written(Written),
    /// It had few rows.
    Rows(Vec<RecordBatch>),
}

/// Writes the parts of a query. In which order their rows are in the files is not said.
///
/// # Errors
/// What the query, or writing, fails with: then the files are removed.
pub async fn write(mut parts: Vec<Batches>, target: &Target) -> Result<Written> {
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return fill(part, target).await;
    }
    // Tasks of their own, so that parts use all cores; dropped, they stop.
    let tasks = parts
        .into_iter()
        .map(|part| AbortOnDropHandle::new(tokio::spawn(write_part(part, target.clone()))));
    let ended = join_all(tasks).await.into_iter().map(|ended| {
        let lost = |e| Error::new(ErrorKind::Internal, format!("writing ended unexpectedly: {e}"));
        ended.map_err(lost).flatten()
    });
    let (mut files, mut few, mut failed) = (Vec::new(), Vec::new(), None);
    for part in ended {
        match part {
            Ok(Part::Written(written)) => files.push(written),
            Ok(Part::Rows(batches)) => few.extend(batches),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if failed.is_none() && (files.is_empty() || !few.is_empty()) {
        match fill(stream::iter(few).map(Ok).boxed(), target).await {
            Ok(written) => files.push(written),
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        for written in files {
            written.discard().await;
        }
        return Err(error);
    }
    let none = || Error::new(ErrorKind::Internal, "no part was written");
    files.into_iter().reduce(Written::and).ok_or_else(none)
}

/// Writes a part, once it has rows enough for a file.
async fn write_part(mut part: Batches, target: Target) -> Result<Part> {
    let (mut few, mut rows, mut bytes) = (Vec::new(), 0, 0);
    while rows < FEWEST_ROWS && bytes < FEWEST_BYTES {
        let Some(batch) = part.next().await else {
            return Ok(Part::Rows(few));
        };
        let batch = batch?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        few.push(batch);
    }
    let first = stream::iter(few).map(Ok);
    fill(first.chain(part).boxed(), &target).await.map(Part::Written)
}

async fn fill(mut batches: Batches, target: &Target) -> Result<Written> {
    let mut writer = TableWriter::new(&target.store, target.schema.clone(), target.mapping.clone())?;
    while let Some(batch) = batches.next().await {
        writer.write(&batch?).await?;
    }
    writer.finish().await
}
