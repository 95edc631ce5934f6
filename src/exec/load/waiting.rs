//! Rows of a load on their way to the database. Before the step's turn they wait in memory and in a file: nothing of the
//! database is held meanwhile, neither a connection nor a lock that a step before may need.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::batch::column::Column;
use crate::batch::types::{arrow_schema, narrows};
use crate::error::Result;
use crate::exec::event::Emitter;
use crate::exec::load::columns::named_as_there;
use crate::exec::load::unparsed::{self, Batch};
use crate::exec::scope::Scope;
use crate::sources::buffered::BufferedRows;
use crate::sources::database::{Database, Load, TableName};
use sequor_planner::ops::WriteMode;

/// A load whose rows are all written.
pub struct Written {
    pub load: Box<dyn Load>,
    pub rows: u64,
}

/// A load that is about to begin.
pub struct Beginning {
    pub database: Arc<dyn Database>,
    pub target: TableName,
    pub columns: Vec<Column>,
    /// The columns' names as the flow writes them.
    pub given: Vec<String>,
    pub mode: WriteMode,
    /// Where warnings go.
    pub emitter: Emitter,
}

impl Beginning {
    /// Begins it. Names that the database folds are looked up in the table that is there.
    pub async fn begin(&mut self) -> Result<Box<dyn Load>> {
        let there = match self.mode.replaces() {
            true => None,
            false => self.database.columns(&self.target).await?,
        };
        let mut named = self.columns.iter().zip(&self.given);
        let folded = named.any(|(column, given)| column.name != *given);
        let place = (&*self.database, &self.target);
        let known = there.as_deref().filter(|_| folded);
        named_as_there(place, &self.given, &mut self.columns, known, &self.emitter).await?;
        self.warn_of_narrower(&there.unwrap_or_default()).await;
        self.database
            .begin_load(&self.target, &self.columns, self.mode.clone())
            .await
    }

    /// Warns of columns of a table that stays which may change the values of the rows, as an INSERT does.
    async fn warn_of_narrower(&self, there: &[Column]) {
        let is_declared = |column: &Column| column.column_type.arrow != DataType::Utf8;
        for column in self.columns.iter().filter(|column| is_declared(column)) {
            let known = self.database.naming().find(there, &column.name);
            if let Some(known) = known.filter(|known| narrows(&column.column_type, &known.column_type)) {
                let warning = format!(
                    "table `{}`: column `{}` is {} there and {} in the flow: values that it does not hold are rounded or cut",
                    self.target, column.name, known.column_type.sql, column.column_type.sql
                );
                self.emitter.warn(warning).await;
            }
        }
    }

    async fn read(&self, batch: Batch) -> Result<RecordBatch> {
        unparsed::read(&*self.database, &self.target.table, &self.columns, batch).await
    }

    /// Writes rows, or takes the load back: it is given on only while all is well.
    async fn write(&self, written: Written, rows: Result<RecordBatch>) -> Result<Written> {
        let Written {
            mut load,
            rows: before,
        } = written;
        let mut count = before;
        let written = match rows.and_then(|rows| self.named(rows)) {
            Ok(rows) => {
                count += rows.num_rows() as u64;
                load.write(rows).await
            }
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => Ok(Written { load, rows: count }),
            Err(error) => {
                load.abort().await;
                Err(error)
            }
        }
    }

    /// Rows whose columns have the names that the load was begun with.
    fn named(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let same = |(field, column): (&FieldRef, &Column)| *field.name() == column.name;
        match rows.schema_ref().fields().iter().zip(&self.columns).all(same) {
            true => Ok(rows),
            false => Ok(RecordBatch::try_new(
                arrow_schema(&self.columns),
                rows.columns().to_vec(),
            )?),
        }
    }
}

/// Writes batches as they come. The load is given back when all are written.
pub async fn write_all(
    beginning: Beginning,
    mut written: Written,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<Written> {
    while let Some(batch) = batches.recv().await {
        let rows = beginning.read(batch).await;
        written = beginning.write(written, rows).await?;
    }
    Ok(written)
}

/// Keeps batches until the step's turn comes, and then writes them and those that follow.
pub async fn write_in_turn(
    mut beginning: Beginning,
    scope: Scope,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<Written> {
    let mut held = BufferedRows::new(arrow_schema(&beginning.columns));
    let mut more = true;
    let mut turn = std::pin::pin!(scope.wait_for_turn());
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
    let load = beginning.begin().await?;
    let mut written = Written { load, rows: 0 };
    let mut kept = held.rows().await?.batches;
    while let Some(batch) = kept.next().await {
        written = beginning.write(written, batch).await?;
    }
    write_all(beginning, written, batches).await
}
