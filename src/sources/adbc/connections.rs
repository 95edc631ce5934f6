//! Connections of a database. Drivers block: all work is done on threads for that.

use std::sync::{Arc, Mutex, PoisonError};

use adbc_core::{Connection as _, Database as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedDatabase, ManagedStatement};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use crate::error::{Error, ErrorKind, Result};

/// A connection in use.
pub struct Connection(pub(super) ManagedConnection);

/// The connections of one database; those that are free are used again.
pub struct Connections {
    database: ManagedDatabase,
    free: Mutex<Vec<ManagedConnection>>,
    explain: fn(&str) -> Error,
}

impl Connections {
    /// Connections to a database; `explain` makes errors of its messages.
    pub fn new(database: ManagedDatabase, explain: fn(&str) -> Error) -> Arc<Connections> {
        Arc::new(Connections {
            database,
            free: Mutex::default(),
            explain,
        })
    }

    /// An error of the database.
    pub fn error(&self, error: &adbc_core::error::Error) -> Error {
        (self.explain)(error.message.trim())
    }

    /// A connection: one that is free, else a new one.
    pub fn take(&self) -> Result<Connection> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match free {
            Some(connection) => Ok(Connection(connection)),
            None => self
                .database
                .new_connection()
                .map(Connection)
                .map_err(|e| self.error(&e)),
        }
    }

    /// Gives a connection back, which no transaction is open on.
    pub fn give(&self, connection: Connection) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection.0);
    }

    /// Does work on a connection. After an error the connection is not used again: a transaction may be open on it.
    pub async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connections, &mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connections = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = connections.take()?;
            let done = work(&connections, &mut connection)?;
            connections.give(connection);
            Ok(done)
        });
        task.await
            .map_err(|e| Error::new(ErrorKind::Internal, format!("a query broke down: {e}")))?
    }

    /// Runs a statement; the number of rows it touched, where the driver tells.
    pub fn execute(&self, connection: &mut Connection, sql: &str) -> Result<Option<u64>> {
        let mut statement = statement(self, connection, sql)?;
        let touched = statement.execute_update().map_err(|e| self.error(&e))?;
        Ok(touched.and_then(|n| u64::try_from(n).ok()))
    }

    /// Whether a query gives any row.
    pub fn any(&self, connection: &mut Connection, sql: &str) -> Result<bool> {
        let mut statement = statement(self, connection, sql)?;
        let mut batches = statement.execute().map_err(|e| self.error(&e))?;
        let first = batches.find(|batch| batch.as_ref().map_or(true, |b| b.num_rows() > 0));
        Ok(first.transpose()?.is_some())
    }

    /// Does work in a transaction: all of it, or nothing.
    pub fn transaction<T>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        self.execute(connection, "BEGIN TRANSACTION")?;
        match work(connection) {
            Ok(done) => {
                self.execute(connection, "COMMIT")?;
                Ok(done)
            }
            Err(error) => {
                let _ = self.execute(connection, "ROLLBACK");
                Err(error)
            }
        }
    }
}

/// A statement with its text.
pub fn statement(
    connections: &Connections,
    connection: &mut Connection,
    sql: &str,
) -> Result<ManagedStatement> {
    let mut statement = connection.0.new_statement().map_err(|e| connections.error(&e))?;
    statement.set_sql_query(sql).map_err(|e| connections.error(&e))?;
    Ok(statement)
}

/// The names of a query's columns.
pub fn columns(connections: &Connections, connection: &mut Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = statement(connections, connection, sql)?;
    let batches = statement.execute().map_err(|e| connections.error(&e))?;
    Ok(batches
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect())
}

/// The number of rows of a table, given as SQL.
pub fn count(connections: &Connections, connection: &mut Connection, table: &str) -> Result<u64> {
    let sql = format!("SELECT CAST(count(*) AS BIGINT) FROM {table}");
    let mut statement = statement(connections, connection, &sql)?;
    let mut batches = statement.execute().map_err(|e| connections.error(&e))?;
    let batch = batches.next().transpose()?;
    let count = batch.and_then(|b| b.column(0).as_primitive_opt::<Int64Type>().map(|c| c.value(0)));
    Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}
