//! Batches into a side table, as they come, in one transaction of a connection of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use adbc_core::options::{IngestMode, OptionStatement, OptionValue};
use adbc_core::{Connection as _, Optionable as _, Statement as _};
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::executor::block_on;
use tokio::task::JoinHandle;

use super::connections::{Connection, Connections};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::loading::over;

/// Batches waiting for the database.
const AHEAD: usize = 2;

enum Message {
    Batch(RecordBatch),
    /// The rows are complete. Without it, the end of the channel means: take them back.
    Commit,
}

/// Rows on their way into a side table.
pub struct Ingest {
    messages: Option<SyncSender<Message>>,
    task: Option<JoinHandle<Result<Option<u64>>>>,
}

/// The side table that gets the rows.
pub struct Plan {
    /// Its name, in the connection's current schema or in this one.
    pub side: String,
    pub schema: Option<String>,
    pub catalog: Option<String>,
    pub columns: SchemaRef,
    /// The statement that makes it.
    pub create: String,
}

impl Ingest {
    /// Begins: makes the side table.
    ///
    /// Rows come for as long as they come, and each transaction sees what was there when it began: so the rows have one
    /// of their own, and their place another, which waits for its turn.
    pub fn begin(connections: &Arc<Connections>, plan: Plan) -> Ingest {
        let (messages, receiver) = sync_channel(AHEAD);
        let connections = connections.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = connections.take()?;
            connections.begin(&mut connection)?;
            let written = connections
                .execute(&mut connection, &plan.create)
                .and_then(|_| write(&connections, &mut connection, &plan, receiver));
            match written {
                Ok(Some(_)) => connections.commit(&mut connection)?,
                _ => connections.rollback(&mut connection),
            }
            if written.is_ok() {
                connections.give(connection);
            }
            written
        });
        Ingest {
            messages: Some(messages),
            task: Some(task),
        }
    }

    /// Adds rows.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let messages = self.messages.clone().ok_or_else(over)?;
        // The channel is full while the database is behind: that must not hold up the other tasks.
        let sent = tokio::task::spawn_blocking(move || messages.send(Message::Batch(batch)).is_ok());
        match sent.await {
            Ok(true) => Ok(()),
            // The task has ended, with the reason.
            _ => {
                self.messages = None;
                Err(match self.ended().await {
                    Err(error) => error,
                    Ok(_) => Error::new(ErrorKind::Internal, "the load ended early"),
                })
            }
        }
    }

    /// Ends the rows: all of them are in the side table then, or it is gone. How many they are. Blocks.
    pub fn end(&mut self) -> Result<u64> {
        if let Some(messages) = self.messages.take() {
            // A task that has ended does not listen; its result says why.
            let _ = messages.send(Message::Commit);
        }
        let rows = block_on(self.ended())?;
        rows.ok_or_else(over)
    }

    /// Takes the rows and the side table back.
    pub async fn take_back(mut self) {
        self.messages = None;
        let _ = self.ended().await;
    }

    /// How the task ended.
    async fn ended(&mut self) -> Result<Option<u64>> {
        let task = self.task.take().ok_or_else(over)?;
        task.await.map_err(|e| {
            Error::new(
                ErrorKind::Internal,
                format!("the task of a load ended unexpectedly: {e}"),
            )
        })?
    }
}

/// Writes rows until they are complete; none when they are to be taken back.
fn write(
    connections: &Connections,
    connection: &mut Connection,
    plan: &Plan,
    messages: Receiver<Message>,
) -> Result<Option<u64>> {
    let mut statement = connection.0.new_statement().map_err(|e| connections.error(&e))?;
    let mut options = vec![
        (OptionStatement::TargetTable, plan.side.clone().into()),
        (OptionStatement::IngestMode, OptionValue::from(IngestMode::Append)),
    ];
    options.extend(
        plan.schema
            .iter()
            .map(|s| (OptionStatement::TargetDbSchema, s.clone().into())),
    );
    options.extend(
        plan.catalog
            .iter()
            .map(|c| (OptionStatement::TargetCatalog, c.clone().into())),
    );
    for (option, value) in options {
        statement
            .set_option(option, value)
            .map_err(|e| connections.error(&e))?;
    }
    let (ended, end) = std::sync::mpsc::channel();
    let reader = Batches {
        schema: plan.columns.clone(),
        messages,
        ended,
        rows: 0,
        complete: false,
    };
    statement
        .bind_stream(Box::new(reader))
        .map_err(|e| connections.error(&e))?;
    statement.execute_update().map_err(|e| connections.error(&e))?;
    drop(statement);
    Ok(end.recv().ok().flatten())
}

/// The batches as the driver reads them.
struct Batches {
    schema: SchemaRef,
    messages: Receiver<Message>,
    /// Told the number of rows when they are complete, nothing when they are to be taken back.
    ended: std::sync::mpsc::Sender<Option<u64>>,
    rows: u64,
    complete: bool,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.messages.recv() {
            Ok(Message::Batch(batch)) => {
                self.rows += batch.num_rows() as u64;
                Some(Ok(batch))
            }
            Ok(Message::Commit) => {
                self.complete = true;
                let _ = self.ended.send(Some(self.rows));
                None
            }
            Err(_) => {
                if !self.complete {
                    let _ = self.ended.send(None);
                }
                None
            }
        }
    }
}

impl RecordBatchReader for Batches {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
