//! Connections of a database. Drivers block: all work is done on threads for that.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use adbc_core::options::{OptionConnection, OptionValue};
use adbc_core::{Connection as _, Database as _, Optionable as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedDatabase, ManagedStatement};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};

use crate::error::{Error, Result};
use crate::sources::blocking::blocking;

/// How long to wait for a lock that another has.
const LOCKED: Duration = Duration::from_secs(10);

/// A connection in use.
pub struct Connection(pub(super) ManagedConnection);

/// The connections of one database; those that are free are used again.
pub struct Connections {
    database: ManagedDatabase,
    free: Mutex<Vec<ManagedConnection>>,
    /// Of several of this process that write the same table, one goes after the other.
    turns: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    ways: Ways,
}

/// What is a database's own.
#[derive(Clone, Copy)]
pub struct Ways {
    /// Makes errors of its messages.
    pub explain: fn(&str) -> Error,
    /// How a column of its results is given out: its type is one of the few that all have.
    pub field: fn(&Field, Field) -> Field,
}

impl Connections {
    /// Connections to a database.
    pub fn new(database: ManagedDatabase, ways: Ways) -> Arc<Connections> {
        Arc::new(Connections {
            database,
            free: Mutex::default(),
            turns: Mutex::default(),
            ways,
        })
    }

    /// Returns how a column of a result is given out.
    pub(super) fn field(&self, field: &Field, plain: Field) -> Field {
        (self.ways.field)(field, plain)
    }

    /// Returns an error of the database.
    pub fn error(&self, error: &adbc_core::error::Error) -> Error {
        (self.ways.explain)(error.message.trim())
    }

    /// Does work that writes a table when it is its turn.
    pub fn turn<T>(&self, table: &str, work: impl FnOnce() -> T) -> T {
        self.turns(&[table], work)
    }

    /// Does work that writes tables when it is the turn of each.
    pub fn turns<T>(&self, tables: &[&str], work: impl FnOnce() -> T) -> T {
        // In one order, whoever writes them: two would wait for each other.
        let tables: BTreeSet<&str> = tables.iter().copied().collect();
        let turns: Vec<Arc<Mutex<()>>> = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = |table: &&str| turns.entry((*table).to_string()).or_default().clone();
            tables.iter().map(turn).collect()
        };
        let _turns: Vec<MutexGuard<'_, ()>> = turns
            .iter()
            .map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        work()
    }

    /// Returns a connection: one that is free, else a new one.
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
        blocking(move || {
            let mut connection = connections.take()?;
            let done = work(&connections, &mut connection)?;
            connections.give(connection);
            Ok(done)
        })
        .await
    }

    /// Runs a statement; the number of rows it touched, where the driver tells.
    pub fn execute(&self, connection: &mut Connection, sql: &str) -> Result<Option<u64>> {
        tracing::debug!(sql);
        let mut statement = statement(self, connection, sql)?;
        let touched = unlocked(|| statement.execute_update()).map_err(|e| self.error(&e))?;
        Ok(touched.and_then(|n| u64::try_from(n).ok()))
    }

    /// Runs a statement that gives rows, for what it does; how many they are.
    pub fn run(&self, connection: &mut Connection, sql: &str) -> Result<u64> {
        let mut statement = statement(self, connection, sql)?;
        let batches = statement.execute().map_err(|e| self.error(&e))?;
        let mut rows = 0;
        for batch in batches {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    }

    /// Tells whether a query gives any row.
    pub fn any(&self, connection: &mut Connection, sql: &str) -> Result<bool> {
        let mut statement = statement(self, connection, sql)?;
        let mut batches = statement.execute().map_err(|e| self.error(&e))?;
        let first = batches.find(|batch| batch.as_ref().map_or(true, |b| b.num_rows() > 0));
        Ok(first.transpose()?.is_some())
    }

    /// Does work in a transaction that writes a table, when it is its turn.
    pub fn in_turn<T>(
        &self,
        connection: &mut Connection,
        table: &str,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        self.turn(table, || self.transaction(connection, work))
    }

    /// Does work in a transaction: all of it, or nothing.
    pub fn transaction<T>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        self.begin(connection)?;
        match work(connection) {
            Ok(done) => {
                self.commit(connection)?;
                Ok(done)
            }
            Err(error) => {
                self.rollback(connection);
                Err(error)
            }
        }
    }

    /// Opens a transaction.
    pub fn begin(&self, connection: &mut Connection) -> Result<()> {
        let off = OptionValue::String("false".into());
        let begun = connection.0.set_option(OptionConnection::AutoCommit, off);
        begun.map_err(|e| self.error(&e))
    }

    /// Makes a transaction's changes visible; each statement is one of its own again.
    pub fn commit(&self, connection: &mut Connection) -> Result<()> {
        unlocked(|| connection.0.commit()).map_err(|e| self.error(&e))?;
        self.autocommit(connection)
    }

    /// Takes a transaction back. The error that led here is what matters, not one of this.
    pub fn rollback(&self, connection: &mut Connection) {
        let _ = connection.0.rollback();
        let _ = self.autocommit(connection);
    }

    fn autocommit(&self, connection: &mut Connection) -> Result<()> {
        let on = OptionValue::String("true".into());
        let set = connection.0.set_option(OptionConnection::AutoCommit, on);
        set.map_err(|e| self.error(&e))
    }
}

/// Tries again while another has a lock: SQLite's driver does not wait for one that reads or writes.
fn unlocked<T>(
    mut tried: impl FnMut() -> Result<T, adbc_core::error::Error>,
) -> Result<T, adbc_core::error::Error> {
    let since = Instant::now();
    loop {
        match tried() {
            Err(e) if e.message.contains("database is locked") && since.elapsed() < LOCKED => {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// Returns a statement with its text.
pub fn statement(
    connections: &Connections,
    connection: &mut Connection,
    sql: &str,
) -> Result<ManagedStatement> {
    let mut statement = connection.0.new_statement().map_err(|e| connections.error(&e))?;
    statement.set_sql_query(sql).map_err(|e| connections.error(&e))?;
    Ok(statement)
}

/// Returns the names of a query's columns.
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

/// Returns the first column of a query, as text.
pub fn texts(connections: &Connections, connection: &mut Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = statement(connections, connection, sql)?;
    let batches = statement.execute().map_err(|e| connections.error(&e))?;
    let mut texts = Vec::new();
    for batch in batches {
        let column = cast(batch?.column(0), &DataType::Utf8)?;
        let column = column.as_string_opt::<i32>();
        texts.extend(column.into_iter().flatten().flatten().map(str::to_string));
    }
    Ok(texts)
}

/// Returns the number of rows of a table, given as SQL.
pub fn count(connections: &Connections, connection: &mut Connection, table: &str) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {table}");
    let mut statement = statement(connections, connection, &sql)?;
    let mut batches = statement.execute().map_err(|e| connections.error(&e))?;
    let Some(batch) = batches.next().transpose()? else {
        return Ok(0);
    };
    // Databases count in integers and in decimals.
    let count = cast(batch.column(0), &DataType::Int64)?;
    let count = count.as_primitive_opt::<Int64Type>().map(|c| c.value(0));
    Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}
