//! Rows of a load on their way to the database. Before the step's turn they wait in memory and in a file: nothing of the
//! database is held meanwhile, neither a connection nor a lock that a step before may need.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::odd::{self, Batch};
use super::scope::Scope;
use crate::batch::types::arrow_schema;
use crate::error::Result;
use crate::sources::database::{Column, Database, Load, TableName, WriteMode};
use crate::sources::held::Held;

/// A load that is about to begin.
pub struct Beginning {
    pub database: Arc<dyn Database>,
    pub target: TableName,
    pub columns: Vec<Column>,
    pub mode: WriteMode,
}

impl Beginning {
    /// Begins it.
    pub async fn begin(&self) -> Result<Box<dyn Load>> {
        self.database
            .begin_load(&self.target, &self.columns, self.mode.clone())
            .await
    }

    async fn read(&self, batch: Batch) -> Result<RecordBatch> {
        odd::read(&*self.database, &self.target.table, &self.columns, batch).await
    }
}

/// Writes rows, or takes the load back: it is given on only while all is well.
async fn write(mut load: Box<dyn Load>, rows: Result<RecordBatch>) -> Result<Box<dyn Load>> {
    let written = match rows {
        Ok(rows) => load.write(rows).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => Ok(load),
        Err(error) => {
            load.abort().await;
            Err(error)
        }
    }
}

/// Writes batches as they come. The load is given back when all are written.
pub async fn write_all(
    beginning: Beginning,
    mut load: Box<dyn Load>,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<Box<dyn Load>> {
    while let Some(batch) = batches.recv().await {
        load = write(load, beginning.read(batch).await).await?;
    }
    Ok(load)
}

/// Keeps batches until the step's turn comes, and then writes them and those that follow.
pub async fn write_in_turn(
    beginning: Beginning,
    scope: Scope,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<Box<dyn Load>> {
    let mut held = Held::new(arrow_schema(&beginning.columns));
    let mut more = true;
    let mut turn = std::pin::pin!(scope.come());
    loop {
        tokio::select! {
            come = &mut turn => {
                come?;
                break;
            }
            batch = batches.recv(), if more => match batch {
                Some(batch) => held.push(beginning.read(batch).await?).await?,
                None => more = false,
            },
        }
    }
    let mut load = beginning.begin().await?;
    let mut kept = held.rows().await?.batches;
    while let Some(batch) = kept.next().await {
        load = write(load, batch).await?;
    }
    write_all(beginning, load, batches).await
}
