//! Loads: batches from outside into a table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::commit::{Change, commit, current_schema};
use super::convert::Mapping;
use super::names::TableId;
use super::tables::Tables;
use super::types::stored_schema;
use super::writer::TableWriter;
use crate::batch::column::Column;
use crate::batch::types::arrow_schema;
use crate::error::Result;
use crate::sources::database::Load;

/// A load under way: files no table has yet.
pub struct StagingLoad {
    tables: Arc<Tables>,
    id: TableId,
    change: Change,
    schema: SchemaRef,
    writer: TableWriter,
}

/// Starts a load that replaces the table's rows, or adds to them.
pub async fn begin(
    tables: &Arc<Tables>,
    id: TableId,
    columns: &[Column],
    change: Change,
) -> Result<StagingLoad> {
    let incoming = arrow_schema(columns);
    let existing = match change {
        Change::Append => tables.open(&id).await?,
        _ => None,
    };
    let schema = match &existing {
        Some(table) => current_schema(table)?,
        None => stored_schema(&incoming).map_err(|e| e.context(format!("table `{id}`")))?,
    };
    let mapping = Mapping::by_name(&incoming, schema.clone());
    let mapping = mapping.map_err(|e| e.context(format!("table `{id}`")))?;
    let writer = TableWriter::new(&tables.store(&id)?, schema.clone(), mapping)?;
    Ok(StagingLoad {
        tables: tables.clone(),
        id,
        change,
        schema,
        writer,
    })
}

#[async_trait]
impl Load for StagingLoad {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let result = self.writer.write(&batch).await;
        result.map_err(|e| e.context(format!("table `{}`", self.id)))
    }

    async fn commit(self: Box<Self>) -> Result<u64> {
        let written = self.writer.finish().await?;
        let rows = written.rows;
        let lock = self.tables.lock(&self.id).await;
        commit(
            &self.tables,
            &self.id,
            &lock,
            self.change,
            &self.schema,
            Some(written),
        )
        .await?;
        Ok(rows)
    }

    async fn abort(self: Box<Self>) {
        self.writer.discard().await;
    }
}
