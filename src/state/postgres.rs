//! State in a schema of a PostgreSQL database.

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Postgres, Row as _, TypeInfo as _, ValueRef as _};

use super::home::{Durability, Field, Home, Record, Statement, Written};
use crate::error::{Error, ErrorKind, Result};

/// The clock of the server, in milliseconds: machines that share the state need not agree on the time.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// A schema of a database.
pub struct PostgresHome {
    pool: PgPool,
    /// The schema, as its name is written.
    namespace: String,
    /// The schema with the dot behind it, quoted.
    prefix: String,
}

impl PostgresHome {
    /// Opens a schema, or makes it.
    ///
    /// # Errors
    /// A server that can't be reached; no right to make the schema.
    pub async fn open(pool: PgPool, namespace: &str) -> Result<PostgresHome> {
        let home = PostgresHome {
            pool,
            namespace: namespace.to_string(),
            prefix: format!("\"{}\".", namespace.replace('"', "\"\"")),
        };
        let there = Statement::new(
            "SELECT nspname::text FROM pg_namespace WHERE nspname = $1",
            [namespace.into()],
        );
        if home.read(&there).await?.is_empty() {
            let made = format!(
                "CREATE SCHEMA IF NOT EXISTS \"{}\"",
                namespace.replace('"', "\"\"")
            );
            let made = [turn(), Statement::new(made, [])];
            home.write("schema", &made, Durability::Machine).await?;
        }
        Ok(home)
    }

    fn failed(&self, error: &sqlx::Error) -> Error {
        let message = format!("the state in schema `{}`: {error}", self.namespace);
        Error::new(ErrorKind::State, message)
            .help("runs are remembered there: the server must be reachable, and the user allowed to write")
    }

    fn bound<'s>(&self, statement: &'s Statement) -> sqlx::query::Query<'s, Postgres, PgArguments> {
        let sql = statement.sql.replace("@now", NOW).replace('@', &self.prefix);
        // Statements are few, and poolers may not keep them.
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
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

    async fn transaction(&self, statements: &[Statement]) -> Result<Written, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let mut touched = Vec::with_capacity(statements.len());
        for (at, statement) in statements.iter().enumerate() {
            let done = self.bound(statement).execute(&mut *tx).await?.rows_affected();
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

/// Lets one program at a time make tables.
pub fn turn() -> Statement {
    Statement::new("SELECT pg_advisory_xact_lock(hashtext('sequor state'))::text", [])
}

fn record(row: &PgRow) -> Result<Record, sqlx::Error> {
    let mut record = Vec::with_capacity(row.columns().len());
    for column in row.columns() {
        let at = column.ordinal();
        let kind = row.try_get_raw(at)?.type_info().name().to_string();
        record.push(match kind.as_str() {
            "INT8" => Field::Int(row.try_get(at)?),
            "INT4" => Field::Int(row.try_get::<Option<i32>, _>(at)?.map(i64::from)),
            "FLOAT8" => Field::Float(row.try_get(at)?),
            "BYTEA" => Field::Bytes(row.try_get(at)?),
            _ => Field::Text(row.try_get_unchecked(at)?),
        });
    }
    Ok(record)
}

#[async_trait]
impl Home for PostgresHome {
    async fn write(
        &self,
        _what: &'static str,
        statements: &[Statement],
        _durability: Durability,
    ) -> Result<Written> {
        self.transaction(statements).await.map_err(|e| self.failed(&e))
    }

    async fn read(&self, statement: &Statement) -> Result<Vec<Record>> {
        let rows = self.bound(statement).fetch_all(&self.pool).await;
        let rows = rows.and_then(|rows| rows.iter().map(record).collect());
        rows.map_err(|e| self.failed(&e))
    }

    async fn has_table(&self, table: &'static str) -> Result<bool> {
        let found = Statement::new(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 AND tablename = $2",
            [self.namespace.as_str().into(), table.into()],
        );
        Ok(!self.read(&found).await?.is_empty())
    }

    fn bytes_type(&self) -> &'static str {
        "BYTEA"
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn shown(&self) -> String {
        format!("schema `{}`", self.namespace)
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
