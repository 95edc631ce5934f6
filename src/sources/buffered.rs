//! Rows read to their end before the first is used: for readers that take their time, and must not hold up the database
//! meanwhile. A few stay in memory, more go to a file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use futures::{StreamExt, stream};

use super::blocking::blocking;
use super::database::Rows;
use crate::error::{Error, Result};

/// Bytes of rows that stay in memory.
const IN_MEMORY: usize = 8 * 1024 * 1024;

/// Reads all rows: the same rows, from here.
pub async fn buffered(rows: Rows) -> Result<Rows> {
    let mut held = BufferedRows::new(rows.schema);
    let mut batches = rows.batches;
    while let Some(batch) = batches.next().await {
        held.push(batch?).await?;
    }
    held.rows().await
}

/// Rows being kept.
pub struct BufferedRows {
    schema: SchemaRef,
    kept: Vec<RecordBatch>,
    size: usize,
    /// Where they go when they are many.
    file: Option<Writer>,
}

impl BufferedRows {
    /// Returns no rows yet.
    pub fn new(schema: SchemaRef) -> BufferedRows {
        BufferedRows {
            schema,
            kept: Vec::new(),
            size: 0,
            file: None,
        }
    }

    /// Adds rows.
    pub async fn push(&mut self, batch: RecordBatch) -> Result<()> {
        if let Some(writer) = self.file.take() {
            self.file = Some(written(writer, batch).await?);
            return Ok(());
        }
        self.size += batch.get_array_memory_size();
        self.kept.push(batch);
        if self.size > IN_MEMORY {
            let file = BufWriter::new(tempfile::tempfile()?);
            let mut writer = StreamWriter::try_new(file, &self.schema)?;
            for batch in self.kept.drain(..) {
                writer = written(writer, batch).await?;
            }
            self.file = Some(writer);
        }
        Ok(())
    }

    /// Returns the rows, in the order they came.
    pub async fn rows(self) -> Result<Rows> {
        let schema = self.schema;
        let Some(writer) = self.file else {
            let batches = stream::iter(self.kept.into_iter().map(Ok)).boxed();
            return Ok(Rows { schema, batches });
        };
        let file = blocking(move || {
            let mut file = writer
                .into_inner()?
                .into_inner()
                .map_err(|e| Error::from(e.into_error()))?;
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        })
        .await?;
        let reader = StreamReader::try_new(BufReader::new(file), None)?;
        let batches = stream::try_unfold(reader, |mut reader| {
            blocking(move || {
                let batch = reader.next().transpose()?;
                Ok(batch.map(|batch| (batch, reader)))
            })
        });
        Ok(Rows {
            schema,
            batches: batches.boxed(),
        })
    }
}

type Writer = StreamWriter<BufWriter<File>>;

async fn written(mut writer: Writer, batch: RecordBatch) -> Result<Writer> {
    blocking(move || {
        writer.write(&batch)?;
        Ok(writer)
    })
    .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    #[tokio::test]
    async fn rows_stay_as_they_are() {
        for count in [0, 1, 40] {
            let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
            let batch = |from: i64| {
                let values = Int64Array::from_iter_values(from * 50_000..(from + 1) * 50_000);
                RecordBatch::try_new(schema.clone(), vec![Arc::new(values)])
            };
            let batches: Vec<_> = (0..count).map(|from| Ok(batch(from).unwrap())).collect();
            let rows = Rows {
                schema: schema.clone(),
                batches: stream::iter(batches).boxed(),
            };
            let mut batches = buffered(rows).await.unwrap().batches;
            let mut next = 0;
            while let Some(batch) = batches.next().await {
                for value in batch.unwrap().column(0).as_primitive::<Int64Type>().values() {
                    assert_eq!(*value, next);
                    next += 1;
                }
            }
            assert_eq!(next, count * 50_000);
        }
    }
}
