//! State in a SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use sqlx::{Sqlite, TypeInfo as _, ValueRef as _};
use tokio::sync::Mutex;

use super::home::{Durability, Field, Home, Record, Statement, Written};
use crate::error::{Error, ErrorKind, Result};

/// How long to wait for another program that writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The clock of this machine, in milliseconds.
const NOW: &str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

/// A file.
pub struct SqliteHome {
    file: PathBuf,
    /// One connection: SQLite lets one write at a time anyway.
    connection: Mutex<Option<Open>>,
}

struct Open {
    connection: SqliteConnection,
    durability: Durability,
}

impl SqliteHome {
    /// Opens a file, or makes it, for its owner alone.
    ///
    /// # Errors
    /// A file that can't be opened or made.
    pub async fn open(file: &Path) -> Result<SqliteHome> {
        let failed = |e: &dyn std::fmt::Display| failed(file, e);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        }
        own(file).map_err(|e| failed(&e))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let connection = options.connect().await.map_err(|e| failed(&e))?;
        Ok(SqliteHome {
            file: file.to_path_buf(),
            connection: Mutex::new(Some(Open {
                connection,
                durability: Durability::Process,
            })),
        })
    }

    /// Returns the file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn closed(&self) -> Error {
        failed(&self.file, &"the state is closed")
    }

    async fn transaction(&self, open: &mut Open, statements: &[Statement]) -> Result<Written, sqlx::Error> {
        let mut tx = open.connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut touched = Vec::with_capacity(statements.len());
        for (at, statement) in statements.iter().enumerate() {
            let done = bound(statement).execute(&mut *tx).await?.rows_affected();
            if statement.guards && done == 0 {
                tx.rollback().await?;
                return Ok(Written::Refused(at));
            }
            touched.push(done);
        }
        tx.commit().await?;
        Ok(Written::All(touched))
    }
}

/// Makes the file so that only its owner can read it: SQLite's files beside it get the same rights.
fn own(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(|_| ())
}

fn failed(file: &Path, error: &dyn std::fmt::Display) -> Error {
    let message = format!("{}: {error}", file.display());
    let broken = ["not a database", "malformed"]
        .iter()
        .any(|text| message.contains(text));
    Error::new(ErrorKind::State, message).help(match broken {
        true => "it is no SQLite database any more: put back a copy of it, or move it away, and what was remembered is forgotten",
        false => "runs are remembered there: the folder must be writable and the disk not full; `state: {source: NAME}` in project.yaml keeps them in PostgreSQL",
    })
}

fn bound(statement: &Statement) -> sqlx::query::Query<'_, Sqlite, SqliteArguments> {
    let sql = statement.sql.replace("@now", NOW).replace('@', "");
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for field in &statement.args {
        query = match field {
            Field::Int(n) => query.bind(*n),
            Field::Float(n) => query.bind(*n),
            Field::Text(text) => query.bind(text.as_deref()),
            Field::Bytes(bytes) => query.bind(bytes.as_deref()),
        };
    }
    query
}

fn record(row: &SqliteRow) -> Result<Record, sqlx::Error> {
    let mut record = Vec::with_capacity(row.columns().len());
    for column in row.columns() {
        let at = column.ordinal();
        let kind = row.try_get_raw(at)?.type_info().name().to_string();
        record.push(match kind.as_str() {
            "INTEGER" | "BIGINT" | "BOOLEAN" => Field::Int(row.try_get_unchecked(at)?),
            "REAL" | "DOUBLE PRECISION" => Field::Float(row.try_get_unchecked(at)?),
            "BLOB" => Field::Bytes(row.try_get_unchecked(at)?),
            _ => Field::Text(row.try_get_unchecked(at)?),
        });
    }
    Ok(record)
}

#[async_trait]
impl Home for SqliteHome {
    async fn write(
        &self,
        _what: &'static str,
        statements: &[Statement],
        durability: Durability,
    ) -> Result<Written> {
        let failed = |e: sqlx::Error| failed(&self.file, &e);
        let mut held = self.connection.lock().await;
        let open = held.as_mut().ok_or_else(|| self.closed())?;
        if open.durability != durability {
            let pragma = match durability {
                Durability::Process => "PRAGMA synchronous = NORMAL",
                Durability::Machine => "PRAGMA synchronous = FULL",
            };
            sqlx::raw_sql(pragma)
                .execute(&mut open.connection)
                .await
                .map_err(failed)?;
            open.durability = durability;
        }
        self.transaction(open, statements).await.map_err(failed)
    }

    async fn read(&self, statement: &Statement) -> Result<Vec<Record>> {
        let mut held = self.connection.lock().await;
        let open = held.as_mut().ok_or_else(|| self.closed())?;
        let rows = bound(statement).fetch_all(&mut open.connection).await;
        let rows = rows.and_then(|rows| rows.iter().map(record).collect());
        rows.map_err(|e| failed(&self.file, &e))
    }

    async fn has_table(&self, table: &'static str) -> Result<bool> {
        let found = Statement::new(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1",
            [table.into()],
        );
        Ok(!self.read(&found).await?.is_empty())
    }

    fn bytes_type(&self) -> &'static str {
        "BLOB"
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn shown(&self) -> String {
        self.file.display().to_string()
    }

    async fn close(&self) {
        let open = self.connection.lock().await.take();
        if let Some(open) = open
            && let Err(error) = open.connection.close().await
        {
            tracing::warn!(%error, "the state is not closed in order");
        }
    }
}
