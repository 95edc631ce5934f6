//! Names and statements as MySQL writes them. Names are quoted, always.

use sqlx::{AssertSqlSafe, MySqlConnection, Row as _, SqlSafeStr, SqlStr};

use super::error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::overlap::Literal;

/// What the names of side tables begin with.
pub const SIDE: &str = "_sequor_side_";

/// `name` as a quoted identifier.
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as SQL: backslashes begin escapes.
pub fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A value as SQL. Moments are stored as times of UTC, and backslashes begin escapes.
pub fn literal(value: &Literal) -> String {
    let text = text_literal;
    match value {
        Literal::Time { text: time, .. } => text(time),
        // Its order is that of the comparison.
        Literal::Exact(value) => format!("CONVERT({} USING utf8mb4) COLLATE utf8mb4_bin", text(value)),
        other => other.sql(text),
    }
}

/// Column names, quoted, with commas.
pub fn column_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quote).collect::<Vec<_>>().join(", ")
}

/// Returns the database that a table is in: what other databases call a namespace.
pub fn namespace(table: &TableName) -> Option<&String> {
    table.namespace.as_ref().or(table.database.as_ref())
}

/// Returns a table's full name.
pub fn quoted(table: &TableName) -> String {
    match namespace(table) {
        Some(namespace) => format!("{}.{}", quote(namespace), quote(&table.table)),
        None => quote(&table.table),
    }
}

/// # Errors
/// A database and a namespace: they are the same here.
pub fn check(table: &TableName) -> Result<()> {
    match (&table.database, &table.namespace) {
        (Some(database), Some(namespace)) if database != namespace => Err(Error::new(
            ErrorKind::Project,
            format!("table `{table}` has a database and a namespace, which are the same in MySQL"),
        )
        .help("give one of them")),
        _ => Ok(()),
    }
}

/// SQL text as sqlx takes it: the flow author's own, or made here of quoted names.
pub fn statement(sql: &str) -> SqlStr {
    AssertSqlSafe(sql.to_string()).into_sql_str()
}

/// Runs one statement of ours; the number of rows it touched.
pub async fn run(connection: &mut MySqlConnection, sql: &str) -> Result<u64> {
    let done = sqlx::raw_sql(statement(sql)).execute(connection).await;
    done.map(|done| done.rows_affected()).map_err(|e| explain(&e))
}

/// Returns the first column of a query of ours, as text.
pub async fn texts_of(connection: &mut MySqlConnection, sql: &str) -> Result<Vec<String>> {
    let rows = sqlx::raw_sql(statement(sql)).fetch_all(connection).await;
    let rows = rows.map_err(|e| explain(&e))?;
    let texts = rows.iter().map(|row| row.try_get_unchecked::<String, _>(0));
    texts.collect::<Result<_, _>>().map_err(|e| explain(&e))
}

/// Returns the first column of a query with arguments, as text.
pub async fn texts(
    connection: &mut MySqlConnection,
    sql: &'static str,
    arguments: &[Option<&str>],
) -> Result<Vec<String>> {
    let mut query = sqlx::query(sql);
    for argument in arguments {
        query = query.bind(argument.map(str::to_string));
    }
    let rows = query.fetch_all(connection).await.map_err(|e| explain(&e))?;
    let texts = rows.iter().map(|row| row.try_get_unchecked::<String, _>(0));
    texts.collect::<Result<_, _>>().map_err(|e| explain(&e))
}

/// Tells whether a query of ours gives any row.
pub async fn any(connection: &mut MySqlConnection, sql: &str) -> Result<bool> {
    let rows = sqlx::raw_sql(statement(sql)).fetch_optional(connection).await;
    rows.map(|row| row.is_some()).map_err(|e| explain(&e))
}
