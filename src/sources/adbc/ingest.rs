//! Batches into a table, as they come, in one transaction of a connection of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use adbc_core::options::{IngestMode, OptionStatement, OptionValue};
use adbc_core::{Connection as _, Optionable as _, Statement as _};
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::connections::{Connection, Connections};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Load;

/// Batches waiting for the database.
const AHEAD: usize = 2;

enum Message {
    Batch(RecordBatch),
    /// The rows are complete. Without it, the end of the channel means: take them back.
    Commit,
}

/// A load under way.
pub struct Ingest {
    messages: Option<SyncSender<Message>>,
    task: Option<JoinHandle<Result<u64>>>,
}

/// What a load does besides writing rows.
pub struct Plan {
    /// The table that gets the rows, in the connection's current schema or in this one.
    pub side: String,
    pub schema: Option<String>,
    pub catalog: Option<String>,
    pub columns: SchemaRef,
    /// The side table and the target as SQL.
    pub side_sql: String,
    pub target: String,
}

type Step = Box<dyn FnOnce(&Connections, &mut Connection) -> Result<()> + Send>;

impl Ingest {
    /// Begins: `before` makes the side table, `after` puts its rows into their place. `explain` has the last word on errors.
    ///
    /// Rows come for as long as they come, and each transaction sees what was there when it began: so the rows have one
    /// of their own, and their place another, which waits for its turn.
    pub fn begin(
        connections: &Arc<Connections>,
        plan: Plan,
        before: Step,
        after: Step,
        explain: Box<dyn FnOnce(Error) -> Error + Send>,
    ) -> Ingest {
        let (messages, receiver) = sync_channel(AHEAD);
        let connections = connections.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = connections.take()?;
            let load = || -> Result<u64> {
                connections.begin(&mut connection)?;
                let written = before(&connections, &mut connection)
                    .and_then(|()| write(&connections, &mut connection, &plan, receiver));
                let rows = match written {
                    Ok(Some(rows)) => rows,
                    taken_back => {
                        connections.rollback(&mut connection);
                        return taken_back.map(|_| 0);
                    }
                };
                connections.commit(&mut connection)?;
                let settled = connections.in_turn(&mut connection, &plan.target, |connection| {
                    after(&connections, connection)
                });
                if let Err(error) = settled {
                    let _ = connections.execute(&mut connection, &format!("DROP TABLE {}", plan.side_sql));
                    return Err(error);
                }
                Ok(rows)
            };
            let rows = load().map_err(explain)?;
            connections.give(connection);
            Ok(rows)
        });
        Ingest {
            messages: Some(messages),
            task: Some(task),
        }
    }

    /// How the task ended.
    async fn ended(&mut self) -> Result<u64> {
        match self.task.take() {
            Some(task) => task.await.map_err(|e| {
                Error::new(
                    ErrorKind::Internal,
                    format!("the task of a load ended unexpectedly: {e}"),
                )
            })?,
            None => Err(Error::new(ErrorKind::Internal, "the load is over")),
        }
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

#[async_trait]
impl Load for Ingest {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let Some(messages) = self.messages.clone() else {
            return Err(Error::new(ErrorKind::Internal, "the load is over"));
        };
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

    async fn commit(mut self: Box<Self>) -> Result<u64> {
        if let Some(messages) = self.messages.take() {
            // A task that has ended does not listen; its result says why.
            let _ = tokio::task::spawn_blocking(move || messages.send(Message::Commit)).await;
        }
        self.ended().await
    }

    async fn abort(mut self: Box<Self>) {
        self.messages = None;
        let _ = self.ended().await;
    }
}
