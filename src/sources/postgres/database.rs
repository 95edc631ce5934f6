//! PostgreSQL as the engine sees it.

use arrow::datatypes::DataType;
use async_trait::async_trait;
use sequor_planner::Dialect;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row as _, Statement as _};

use super::connect::{Settings, connect, own};
use super::error::explain;
use super::load::PgLoads;
use super::side::{PgSide, exists, take_turn};
use super::{columns, query, sql};
use crate::batch::column::Column;
use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type};
use crate::error::Result;
use crate::secret::Secret;
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, SameKeys, land};
use crate::sources::naming::Naming;
use crate::sources::overlap::Overlap;
use crate::sources::reading;
use crate::sources::sql::{literal, of_each};
use crate::sources::transaction::LoadTransaction;
use sequor_planner::ops::WriteMode;

/// A PostgreSQL database.
pub struct Postgres {
    pool: PgPool,
    options: PgConnectOptions,
    /// The zone of its sessions.
    zone: String,
    naming: Naming,
}

impl Postgres {
    /// Connects; the server has answered when this returns.
    pub async fn open(
        conn_str: Secret,
        username: Option<String>,
        password: Option<Secret>,
    ) -> Result<Postgres> {
        let settings = Settings {
            conn_str,
            username,
            password,
        };
        Postgres::with(settings.options()?).await
    }

    /// Connects as these options say.
    pub(super) async fn with(options: PgConnectOptions) -> Result<Postgres> {
        let pool = connect(&options).await?;
        let zone = sqlx::query_scalar("SELECT current_setting('TimeZone')")
            .fetch_one(&pool)
            .await
            .map_err(|e| explain(&e))?;
        Ok(Postgres {
            pool,
            options,
            zone,
            naming: Naming::Lower,
        })
    }

    /// Returns the database with names kept as they are written, where its source says `identifiers: quoted`.
    pub fn quoted_names(mut self, quoted: bool) -> Self {
        self.naming = self.naming.of_source(quoted);
        self
    }

    async fn own_connection(&self) -> Result<PgConnection> {
        own(&self.options).await
    }
}

/// A date or time as text, whatever the session's style of dates is; an infinite one as it is written.
fn finite(value: &str, zone: &str, form: &str, behind: &str) -> String {
    format!(
        "CASE WHEN isfinite({value}) THEN to_char({value}{zone}, '{form}') || '{behind}' ELSE ({value})::text END"
    )
}

struct Statements(PgConnection);

#[async_trait]
impl Session for Statements {
    async fn execute(&mut self, statement: &str) -> Result<Option<u64>> {
        // The simple protocol takes every statement, also those that can't be prepared.
        run(&mut self.0, statement).await.map(Some)
    }
}

#[async_trait]
impl Database for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn naming(&self) -> Naming {
        self.naming
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        let mut found = column_type(sql, BareDecimal::Exact)?;
        // Names that other databases have for it.
        let own = match found.sql.trim().to_ascii_lowercase().as_str() {
            "double" => "double precision",
            "string" | "clob" => "text",
            "datetime" => "timestamp",
            "tinyint" => "smallint",
            "blob" | "binary" | "varbinary" => "bytea",
            _ => return Ok(found),
        };
        found.sql = own.to_string();
        Ok(found)
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        query::stream(&self.pool, &self.zone, sql).await
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        query::stream(
            &self.pool,
            &self.zone,
            &format!("SELECT * FROM {}", sql::table(table)),
        )
        .await
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        columns::of(&self.pool, table).await
    }

    fn quoted(&self, table: &TableName) -> String {
        sql::table(table)
    }

    fn reads_texts(&self) -> bool {
        true
    }

    async fn read_texts(&self, column: &Column, texts: &[String]) -> Result<Vec<Option<String>>> {
        let kind = &column.column_type;
        let cast = format!("x::{}", kind.sql);
        let expression = match (&kind.arrow, kind.logical) {
            (_, Logical::Array) => format!("to_json({cast})::text"),
            (DataType::Binary, _) => format!("encode({cast}, 'hex')"),
            (DataType::Date32, _) => finite(&cast, "", "YYYY-MM-DD", ""),
            (DataType::Timestamp(_, None), _) => finite(&cast, "", "YYYY-MM-DD HH24:MI:SS.US", ""),
            (DataType::Timestamp(..), _) => {
                let utc = " AT TIME ZONE 'UTC'";
                finite(&cast, utc, "YYYY-MM-DD HH24:MI:SS.US", "+00:00")
            }
            _ => format!("({cast})::text"),
        };
        // Backslashes mean themselves, however the server reads plain strings.
        let literal = |text: &str| format!("E{}", literal(&text.replace('\\', "\\\\")));
        let rows = self.query(&of_each(&expression, texts, literal)).await?;
        reading::texts(rows).await
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
        let mut connection = self.own_connection().await?;
        let mut tx = connection.begin().await.map_err(|e| explain(&e))?;
        take_turn(&mut tx, target).await?;
        let rows = match mode {
            WriteMode::Append if overlap.is_none() && exists(&mut tx, target).await? => {
                let columns = described(&mut tx, query).await?;
                let columns = sql::column_list(columns.iter().map(String::as_str));
                run(
                    &mut tx,
                    &format!("INSERT INTO {} ({columns}) {query}", sql::table(target)),
                )
                .await?
            }
            WriteMode::Append if overlap.is_none() => {
                run(
                    &mut tx,
                    &format!("CREATE TABLE {} AS {query}", sql::table(target)),
                )
                .await?
            }
            // Those in a side table of the target's schema can take its name.
            _ => {
                let side = sql::side(target);
                let (side, kind) = match mode.replaces() {
                    true => (side, "TABLE"),
                    false => (TableName::new(side.table), "TEMPORARY TABLE"),
                };
                let quoted = sql::table(&side);
                let rows = run(&mut tx, &format!("CREATE {kind} {quoted} AS {query}")).await?;
                let columns = described(&mut tx, &format!("SELECT * FROM {quoted}")).await?;
                upsert_key(&mut mode, columns.iter().map(String::as_str))?;
                let mut side = PgSide {
                    connection: &mut tx,
                    target,
                    side: &side,
                    names: Names::plain(quoted, sql::table(target), columns, sql::quote),
                    columns: None,
                };
                let placing = Placing {
                    overlap,
                    ..Placing::of(&mode, SameKeys::Refuse)
                };
                land(&mut side, placing).await?;
                rows
            }
        };
        tx.commit().await.map_err(|e| explain(&e))?;
        Ok(rows)
    }

    async fn wait_for_writers(&self, table: &TableName) -> Result<()> {
        let mut connection = self.own_connection().await?;
        let mut tx = connection.begin().await.map_err(|e| explain(&e))?;
        take_turn(&mut tx, table).await?;
        tx.rollback().await.map_err(|e| explain(&e))
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        Ok(Box::new(PgLoads::begin(self.own_connection().await?)))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// The names of the columns that a query gives.
async fn described(connection: &mut PgConnection, query: &str) -> Result<Vec<String>> {
    let prepared = connection.prepare(sql::statement(query)).await;
    let prepared = prepared.map_err(|e| explain(&e))?;
    let columns = prepared.columns().iter();
    Ok(columns.map(|c| sqlx::Column::name(c).to_string()).collect())
}

/// Runs one statement of ours; the number of rows it touched.
pub async fn run(connection: &mut PgConnection, statement: &str) -> Result<u64> {
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await;
    done.map(|done| done.rows_affected()).map_err(|e| explain(&e))
}

/// Asks for one boolean.
pub async fn ask(connection: &mut PgConnection, question: &'static str, argument: &str) -> Result<bool> {
    let row = sqlx::query(question)
        .bind(argument.to_string())
        .fetch_one(connection)
        .await;
    row.and_then(|row| row.try_get(0)).map_err(|e| explain(&e))
}
