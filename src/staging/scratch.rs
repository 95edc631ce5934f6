//! Tables that live as long as one statement, their rows numbered.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;

use super::commit::{Change, commit};
use super::convert::Mapping;
use super::database::Staging;
use super::names::{SCRATCH_NAMESPACE, TableId};
use super::statement::parse;
use super::writer::TableWriter;
use crate::error::Result;

/// The column with a row's number.
pub const ROW: &str = "__sequor_row";

/// Rows on their way into a scratch table.
pub struct Filling {
    id: TableId,
    schema: SchemaRef,
    writer: TableWriter,
    next: i64,
}

/// A scratch table.
pub struct Scratch {
    pub id: TableId,
    /// How many rows it has.
    pub rows: u64,
}

impl Filling {
    /// Creates a table for rows of `schema`.
    pub fn new(db: &Staging, schema: &SchemaRef) -> Result<Filling> {
        let name = format!("rows_{}", uuid::Uuid::new_v4().simple());
        let id = TableId::new(None, Some(SCRATCH_NAMESPACE), &name)?;
        let schema = numbered(schema);
        let mapping = Mapping::by_position(schema.clone());
        let writer = TableWriter::new(&db.tables.store(&id)?, schema.clone(), mapping)?;
        Ok(Filling {
            id,
            schema,
            writer,
            next: 0,
        })
    }

    /// Adds a batch.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let end = self.next + batch.num_rows() as i64;
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_iter_values(self.next..end)) as ArrayRef);
        let batch = RecordBatch::try_new(numbered(&batch.schema()), columns)?;
        self.next = end;
        self.writer.write(&batch).await
    }

    /// Returns the table with its rows.
    pub async fn finish(self, db: &Staging) -> Result<Scratch> {
        let written = self.writer.finish().await?;
        let rows = written.rows;
        let lock = db.tables.lock(&self.id).await;
        commit(
            &db.tables,
            &self.id,
            &lock,
            Change::Create,
            &self.schema,
            Some(written),
        )
        .await?;
        Ok(Scratch { id: self.id, rows })
    }

    /// Removes what was written.
    pub async fn discard(self) {
        self.writer.discard().await;
    }
}

fn numbered(schema: &Schema) -> SchemaRef {
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new(ROW, DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

impl Scratch {
    /// Returns a copy of a table.
    pub async fn copy(db: &Staging, of: &TableId, schema: &SchemaRef) -> Result<Scratch> {
        Scratch::of_query(db, &format!("SELECT * FROM {}", of.sql()), schema).await
    }

    /// Returns the rows of a query, as `schema`.
    pub async fn of_query(db: &Staging, sql: &str, schema: &SchemaRef) -> Result<Scratch> {
        let mut filling = Filling::new(db, schema)?;
        let mut batches = db.plan(parse(sql)?).await?.run()?;
        while let Some(batch) = batches.next().await {
            filling.write(&batch?).await?;
        }
        filling.finish(db).await
    }

    /// Removes it.
    pub async fn remove(self, db: &Staging) {
        let lock = db.tables.lock(&self.id).await;
        if let Err(error) = db.tables.remove(&self.id, &lock).await {
            tracing::debug!(%error, "a scratch table is left");
        }
        drop(lock);
        db.tables.forget(&self.id);
    }
}
