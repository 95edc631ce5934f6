//! SQLite as the engine sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sequor_planner::Dialect;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
use tempfile::TempDir;

use super::error::explain;
use super::load::SqliteLoads;
use super::query;
use super::retype::retype;
use super::side::{SqliteSide, literal, quoted, run, schema, side, texts, transaction};
use super::types;
use crate::batch::column::Column;
use crate::batch::types::ColumnType;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::casts::portable;
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Placing, SameKeys, land};
use crate::sources::location::Location;
use crate::sources::naming::Naming;
use crate::sources::overlap::Overlap;
use crate::sources::reading::one;
use crate::sources::sql::{alterations, quote};
use crate::sources::transaction::LoadTransaction;
use sequor_planner::ops::WriteMode;

/// Connections at most that read at the same time.
const MAX_CONNECTIONS: u32 = 8;

/// How long to wait for a lock that another has.
const PATIENCE: Duration = Duration::from_secs(30);

/// A SQLite database: a file.
pub struct Sqlite {
    options: SqliteConnectOptions,
    readers: SqlitePool,
    /// Where a database is that is gone after the run: connections to one in memory would each have their own.
    _folder: Option<Arc<TempDir>>,
}

impl Sqlite {
    /// Opens the file, or makes it.
    pub async fn open(location: &Location) -> Result<Sqlite> {
        if let Some((name, _)) = location.settings.first() {
            let message = format!("`conn_str` has the setting `{name}`, which a sqlite source does not know");
            return Err(Error::new(ErrorKind::Project, message).help("use PRAGMA in `execute`"));
        }
        let (file, folder) = match &location.file {
            Some(file) => (file.clone(), None),
            None => {
                let folder = tempfile::tempdir()?;
                (folder.path().join("memory.db"), Some(Arc::new(folder)))
            }
        };
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .busy_timeout(PATIENCE)
            // SQLite's own default: what is enforced is said by the one who makes the tables.
            .foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .map_err(|e| explain(&e).context(format!("SQLite file {}", file.display())))?;
        // Reads the file's header, and makes it when there is none.
        run(&mut connection, "SELECT count(*) FROM sqlite_master")
            .await
            .map_err(|e| e.context(format!("SQLite file {}", file.display())))?;
        // A query reads: what writes belongs into `execute`, where the plan sees it.
        let reading = options.clone().read_only(true).create_if_missing(false);
        Ok(Sqlite {
            // Its statements' views must not be in another's way.
            readers: SqlitePoolOptions::new()
                .max_connections(MAX_CONNECTIONS)
                .acquire_timeout(PATIENCE)
                .connect_lazy_with(reading.statement_cache_capacity(0)),
            options,
            _folder: folder,
        })
    }

    async fn own_connection(&self) -> Result<SqliteConnection> {
        SqliteConnection::connect_with(&self.options)
            .await
            .map_err(|e| explain(&e))
    }
}

struct Statements(SqliteConnection);

#[async_trait]
impl Session for Statements {
    async fn execute(&mut self, sql: &str) -> Result<Option<u64>> {
        run(&mut self.0, &portable(sql, Dialect::Sqlite)).await.map(Some)
    }
}

#[async_trait]
impl Database for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn naming(&self) -> Naming {
        Naming::AnyCase
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        types::of(sql)
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        one(sql, Dialect::Sqlite)?;
        let sql = portable(sql, Dialect::Sqlite);
        let mut connection = self.readers.acquire().await.map_err(|e| explain(&e))?;
        query::rows(&mut connection, &sql).await
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        self.query(&format!("SELECT * FROM {}", quoted(table))).await
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        let mut connection = self.readers.acquire().await.map_err(|e| explain(&e))?;
        let namespace = schema(table).unwrap_or("main");
        let query = format!(
            "SELECT name, type FROM pragma_table_info({}, {})",
            literal(&table.table),
            literal(namespace)
        );
        let rows = sqlx::raw_sql(AssertSqlSafe(query))
            .fetch_all(&mut *connection)
            .await
            .map_err(|e| explain(&e))?;
        let mut columns = Vec::with_capacity(rows.len());
        for row in &rows {
            let name: String = row.try_get(0).map_err(|e| explain(&e))?;
            let sql: String = row.try_get(1).map_err(|e| explain(&e))?;
            let column_type = types::of(&sql).unwrap_or_else(|_| types::undeclared(&sql));
            columns.push(Column { name, column_type });
        }
        Ok((!columns.is_empty()).then_some(columns))
    }

    fn quoted(&self, table: &TableName) -> String {
        quoted(table)
    }

    async fn alter(&self, table: &TableName, add: &[Column], drop: &[String]) -> Result<()> {
        let mut connection = self.own_connection().await?;
        run(&mut connection, "BEGIN IMMEDIATE").await?;
        for change in alterations(&quoted(table), add, drop) {
            run(&mut connection, &change).await?;
        }
        run(&mut connection, "COMMIT").await.map(|_| ())
    }

    async fn retype(&self, table: &TableName, columns: &[Column]) -> Result<()> {
        retype(&mut self.own_connection().await?, table, columns).await
    }

    async fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Statements(self.own_connection().await?)))
    }

    async fn transform_over(
        &self,
        query: &str,
        target: &TableName,
        mut mode: WriteMode,
        overlap: Option<&Overlap>,
    ) -> Result<u64> {
        let query = portable(query, Dialect::Sqlite);
        let mut connection = self.own_connection().await?;
        let declared = query::declared(&mut connection, &query).await;
        let rows_of_query = side(0);
        run(
            &mut connection,
            &format!("CREATE TABLE {rows_of_query} AS {query}"),
        )
        .await?;
        let names = "SELECT name FROM pragma_table_info('_sequor_side_0', 'temp')";
        let names = texts(&mut connection, names).await?;
        upsert_key(&mut mode, names.iter().map(String::as_str))?;
        let mut definitions = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let declared = declared.get(at).map(String::as_str).unwrap_or_default();
            let sql_type = match declared {
                "" => stored_as(&mut connection, name).await?,
                declared => declared.to_string(),
            };
            definitions.push(format!("{} {sql_type}", quote(name)));
        }
        let rows = texts(&mut connection, &format!("SELECT count(*) FROM {rows_of_query}")).await?;
        let definitions = definitions.join(", ");
        transaction(&mut connection, async |connection| {
            let mut side = SqliteSide::new(connection, (0, target), names, &definitions);
            let placing = Placing {
                overlap,
                ..Placing::of(&mode, SameKeys::Refuse)
            };
            land(&mut side, placing).await
        })
        .await?;
        Ok(rows.first().and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        Ok(Box::new(SqliteLoads::begin(self.own_connection().await?)))
    }

    async fn close(&self) {
        self.readers.close().await;
    }
}

/// The type that fits what a computed column of the side table holds.
async fn stored_as(connection: &mut SqliteConnection, name: &str) -> Result<String> {
    let (name, side) = (quote(name), side(0));
    let kinds = format!("SELECT DISTINCT typeof({name}) FROM {side} WHERE {name} IS NOT NULL");
    let kinds = texts(connection, &kinds).await?;
    let has = |kind: &str| kinds.iter().any(|k| k == kind);
    Ok(match (has("text"), has("blob"), has("real"), has("integer")) {
        (false, false, true, _) => "REAL",
        (false, false, false, true) => "INTEGER",
        (true, false, false, false) => "TEXT",
        (false, true, false, false) => "BLOB",
        // Values of several kinds stay as they are.
        _ => "",
    }
    .to_string())
}
