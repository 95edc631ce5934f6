//! The rows of a fan-out, fixed before its first request: a copy, so that a run that is gone on with means the same rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::keeping::RunFiles;
use crate::error::{Error, ErrorKind, Result};
use crate::state::chunks::Chunks;
use crate::state::home::Durability;

/// A copy of rows.
pub struct Frozen {
    chunks: Arc<dyn Chunks>,
    file: String,
    pub schema: SchemaRef,
    /// What messages call them.
    pub name: String,
}

/// The first byte of a chunk: the schema and the name of the rows.
const SCHEMA: u8 = 1;
/// Rows.
const ROWS: u8 = 2;
/// The rows are complete: how many they are.
const END: u8 = 3;
/// A value instead of rows, as text.
const VALUE: u8 = 4;

impl Frozen {
    /// Returns the copy that an earlier attempt made; none where it made none, or did not come to its end.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn found(files: &RunFiles, step: &str) -> Result<Option<Frozen>> {
        let (chunks, file) = (files.chunks.clone(), files.name(step, "rows"));
        let Some((first, mut at)) = chunks.chunk(&file, 0).await? else {
            return Ok(None);
        };
        let Some((&SCHEMA, rest)) = first.split_first() else {
            return Ok(None);
        };
        let (schema, name) = head(rest)?;
        while let Some((chunk, next)) = chunks.chunk(&file, at).await? {
            if chunk.first() == Some(&END) {
                return Ok(Some(Frozen {
                    chunks,
                    file,
                    schema,
                    name,
                }));
            }
            at = next;
        }
        Ok(None)
    }

    /// Makes a copy of rows.
    ///
    /// # Errors
    /// Rows that can't be read, or written; more than a run may keep.
    pub async fn of(
        files: &RunFiles,
        step: &str,
        name: &str,
        schema: SchemaRef,
        mut batches: BoxStream<'static, Result<RecordBatch>>,
    ) -> Result<Frozen> {
        let (chunks, file) = (files.chunks.clone(), files.name(step, "rows"));
        chunks.cut(&file, 0).await?;
        let empty = ipc(&RecordBatch::new_empty(schema.clone()))?;
        let length = u32::try_from(name.len()).unwrap_or_default();
        let mut first = vec![SCHEMA];
        first.extend_from_slice(&length.to_le_bytes());
        first.extend_from_slice(name.as_bytes());
        first.extend_from_slice(&empty);
        chunks.append(&file, vec![first], Durability::Process).await?;
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            let mut bytes = vec![ROWS];
            bytes.append(&mut ipc(&batch)?);
            files.budget.take(bytes.len())?;
            chunks.append(&file, vec![bytes], Durability::Process).await?;
        }
        let mut end = vec![END];
        end.extend_from_slice(&rows.to_le_bytes());
        chunks.append(&file, vec![end], Durability::Machine).await?;
        Ok(Frozen {
            chunks,
            file,
            schema,
            name: name.to_string(),
        })
    }

    /// Returns how many rows a copy has; none where there is no copy, or it says nothing of that.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn count(files: &RunFiles, step: &str) -> Result<Option<u64>> {
        let (file, mut at) = (files.name(step, "rows"), 0);
        let mut last = Vec::new();
        while let Some((chunk, next)) = files.chunks.chunk(&file, at).await? {
            (last, at) = (chunk, next);
        }
        let count = last.split_first().filter(|(first, _)| **first == END);
        let count = count.and_then(|(_, rest)| rest.first_chunk::<8>());
        Ok(count.map(|bytes| u64::from_le_bytes(*bytes)))
    }

    /// Returns the rows, in the order they came.
    pub fn batches(&self) -> BoxStream<'static, Result<RecordBatch>> {
        let state = (self.chunks.clone(), self.file.clone(), 0);
        stream::try_unfold(state, |(chunks, file, mut at)| async move {
            loop {
                let lost = || Error::new(ErrorKind::State, "the copy of the rows has lost its end");
                let (chunk, next) = chunks.chunk(&file, at).await?.ok_or_else(lost)?;
                at = next;
                match chunk.split_first() {
                    Some((&ROWS, rest)) => {
                        let batch = StreamReader::try_new(rest, None)?.next().ok_or_else(lost)??;
                        return Ok(Some((batch, (chunks, file, at))));
                    }
                    Some((&END, _)) => return Ok(None),
                    _ => {}
                }
            }
        })
        .boxed()
    }

    /// Returns a text that stands for the values of a list, which an earlier attempt kept.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn text(files: &RunFiles, step: &str) -> Result<Option<String>> {
        let first = files.chunks.chunk(&files.name(step, "rows"), 0).await?;
        let text = first.and_then(|(chunk, _)| match chunk.split_first() {
            Some((&VALUE, rest)) => String::from_utf8(rest.to_vec()).ok(),
            _ => None,
        });
        Ok(text)
    }

    /// Keeps a text that stands for the values of a list.
    ///
    /// # Errors
    /// What can't be written.
    pub async fn keep_text(files: &RunFiles, step: &str, text: &str) -> Result<()> {
        let file = files.name(step, "rows");
        files.chunks.cut(&file, 0).await?;
        let mut bytes = vec![VALUE];
        bytes.extend_from_slice(text.as_bytes());
        files.budget.take(bytes.len())?;
        files.chunks.append(&file, vec![bytes], Durability::Machine).await
    }
}

fn ipc(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// The schema and the name that a first chunk holds.
fn head(bytes: &[u8]) -> Result<(SchemaRef, String)> {
    let wrong = || Error::new(ErrorKind::State, "the copy of the rows has another form");
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| wrong())?;
    let (name, rest) = rest.split_at_checked(length).ok_or_else(wrong)?;
    let reader = StreamReader::try_new(rest, None)?;
    Ok((reader.schema(), String::from_utf8_lossy(name).into_owned()))
}
