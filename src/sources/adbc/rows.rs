//! Rows of a query, as a stream of batches that a thread reads ahead a little.

use std::sync::Arc;

use adbc_core::{Connection as _, Statement as _};
use arrow::datatypes::{Field, Schema, SchemaRef};
use tokio::sync::{mpsc, oneshot};

use super::connections::{Connection, Connections, statement};
use crate::batch::bounds::check;
use crate::batch::plain::{conformed, plain};
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Rows, TableName};
use crate::sources::stream::batches;

/// Batches waiting to be used. Few: what waits is memory.
const AHEAD: usize = 2;

impl Connections {
    /// Runs a query.
    pub async fn rows(self: &Arc<Self>, sql: &str) -> Result<Rows> {
        let (connections, sql) = (self.clone(), sql.to_string());
        let (told, schema) = oneshot::channel();
        let (sender, receiver) = mpsc::channel(AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            let read = || -> Result<()> {
                let mut connection = connections.take()?;
                {
                    let mut statement = statement(&connections, &mut connection, &sql)?;
                    let batches = statement.execute().map_err(|e| connections.error(&e))?;
                    let plain = plain_schema(&connections, &batches.schema());
                    if told.send(plain.clone()).is_err() {
                        return Ok(());
                    }
                    for batch in batches {
                        let batch = batch.and_then(|batch| conformed(&batch, &plain));
                        let batch = batch
                            .map_err(Error::from)
                            .and_then(|batch| check(&batch).map(|()| batch));
                        if sender.blocking_send(batch).is_err() {
                            // Nobody wants the rest.
                            return Ok(());
                        }
                    }
                }
                connections.give(connection);
                Ok(())
            };
            read()
        });
        let Ok(schema) = schema.await else {
            // It has ended before there was a schema, with the reason.
            let ended = reading.await;
            let ended = ended.map_err(|e| {
                Error::new(
                    ErrorKind::Internal,
                    format!("the task of a query ended unexpectedly: {e}"),
                )
            })?;
            return Err(ended
                .err()
                .unwrap_or_else(|| Error::new(ErrorKind::Internal, "a query without columns")));
        };
        Ok(Rows {
            schema,
            batches: batches(receiver, reading),
        })
    }
}

impl Connections {
    /// Returns the columns of a table, as its rows are given out.
    pub fn table(&self, connection: &mut Connection, table: &TableName) -> Result<SchemaRef> {
        let (catalog, schema) = (table.database.as_deref(), table.namespace.as_deref());
        let found = connection.0.get_table_schema(catalog, schema, &table.table);
        Ok(plain_schema(self, &found.map_err(|e| self.error(&e))?))
    }
}

/// The types that rows are given out in.
fn plain_schema(connections: &Connections, schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let mapped = Field::new(field.name(), plain(field.data_type()), true);
        let mapped = connections.field(field, mapped);
        // The extension type for JSON (https://arrow.apache.org/docs/format/CanonicalExtensions.html).
        match field.metadata().get("ARROW:extension:name").map(String::as_str) {
            Some("arrow.json") => Logical::Json.mark(mapped),
            _ => mapped,
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
