//! Queries. Their rows are read to the end at once: a query that is left open would hold up everyone who writes.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use futures::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqlStr};
use sqlx::{Column as _, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};
use sqlx::{Executor, SqlSafeStr};

use super::error::explain;
use super::side::run;
use super::types;
use crate::batch::builder::BatchBuilder;
use crate::batch::cell::Cell;
use crate::batch::column::Column;
use crate::batch::types::{ColumnType, Logical, arrow_schema};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::buffered::BufferedRows;
use crate::sources::database::Rows;

/// Rows of a batch. Of the first, the values say what columns are that declare no type.
const BATCH_ROWS: usize = 4096;

/// A view that tells what a query's columns are declared as: there is one on a connection at a time.
const VIEW: &str = "_sequor_query";

/// Runs a query.
pub async fn rows(connection: &mut SqliteConnection, sql: &str) -> Result<Rows> {
    let declared = declared(connection, sql).await;
    let prepared = (&mut *connection)
        .prepare(statement(sql))
        .await
        .map_err(|e| explain(&e))?;
    let names: Vec<String> = sqlx::Statement::columns(&prepared)
        .iter()
        .map(|c| c.name().to_string())
        .collect();
    let mut rows = sqlx::query(statement(sql)).fetch(&mut *connection);
    let mut first = Vec::new();
    while first.len() < BATCH_ROWS
        && let Some(row) = rows.try_next().await.map_err(|e| explain(&e))?
    {
        first.push(row);
    }
    let mut columns: Vec<Column> = names
        .into_iter()
        .enumerate()
        .map(|(at, name)| Column {
            name,
            column_type: match declared.get(at).and_then(|sql| types::of(sql).ok()) {
                Some(known) => known,
                None => by_values(&first, at),
            },
        })
        .collect();
    // A column may hold anything, whatever it declares.
    let mut builder = loop {
        let mut builder = builder(&columns)?;
        match first.iter().try_for_each(|row| fill(&mut builder, &columns, row)) {
            Ok(()) => break builder,
            Err(Misfit { column, error }) => {
                let other = by_values(&first, column);
                if columns[column].column_type == other {
                    return Err(error);
                }
                columns[column].column_type = other;
            }
        }
    };
    let mut held = BufferedRows::new(shown_schema(&columns));
    loop {
        if builder.is_full()
            && let Some(batch) = builder.take()?
        {
            held.push(batch.with_schema(shown_schema(&columns))?).await?;
        }
        match rows.try_next().await.map_err(|e| explain(&e))? {
            Some(row) => fill(&mut builder, &columns, &row).map_err(|misfit| misfit.error)?,
            None => break,
        }
    }
    if let Some(batch) = builder.take()? {
        held.push(batch.with_schema(shown_schema(&columns))?).await?;
    }
    held.rows().await
}

fn statement(sql: &str) -> SqlStr {
    AssertSqlSafe(sql.to_string()).into_sql_str()
}

/// A query may give two columns the same name: the builder is told their numbers.
fn builder(columns: &[Column]) -> Result<BatchBuilder> {
    let keys = (0..columns.len()).map(|at| at.to_string());
    BatchBuilder::new("query", keys, columns)
}

fn shown_schema(columns: &[Column]) -> Arc<Schema> {
    arrow_schema(columns)
}

/// Returns what a query's columns are declared as, by position; empty where they are computed. None at all for what is
/// no query.
pub async fn declared(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let drop = format!("DROP VIEW IF EXISTS temp.{VIEW}");
    let view = format!("{drop}; CREATE TEMP VIEW {VIEW} AS {sql}");
    if run(connection, &view).await.is_err() {
        return Vec::new();
    }
    let types = format!("SELECT type FROM pragma_table_info('{VIEW}')");
    let types = super::side::texts(connection, &types).await;
    // The next query would drop it, too.
    let _ = run(connection, &drop).await;
    types.unwrap_or_default()
}

/// The type that all values of a column have.
fn by_values(rows: &[SqliteRow], column: usize) -> ColumnType {
    let (mut integer, mut real, mut text, mut blob) = (false, false, false, false);
    for row in rows {
        match row.try_get_raw(column).map(|v| v.type_info().name().to_string()) {
            Ok(name) if name == "INTEGER" => integer = true,
            Ok(name) if name == "REAL" => real = true,
            Ok(name) if name == "TEXT" => text = true,
            Ok(name) if name == "BLOB" => blob = true,
            _ => {}
        }
    }
    let (sql, arrow) = match (integer, real, text, blob) {
        (_, _, true, false) => ("text", DataType::Utf8),
        (_, true, false, false) => ("real", DataType::Float64),
        (true, false, false, false) => ("integer", DataType::Int64),
        (false, false, false, false) => ("text", DataType::Utf8),
        (_, _, false, true) => ("blob", DataType::Binary),
        _ => (ANY, DataType::Binary),
    };
    ColumnType {
        declared: None,
        sql: sql.into(),
        arrow,
        logical: Logical::Plain,
    }
}

/// What a column of text and bytes is called: all of it is bytes then.
const ANY: &str = "any";

/// A value that its column can't hold.
struct Misfit {
    column: usize,
    error: Error,
}

fn fill(builder: &mut BatchBuilder, columns: &[Column], row: &SqliteRow) -> Result<(), Misfit> {
    for (at, column) in columns.iter().enumerate() {
        let misfit = |error| Misfit { column: at, error };
        let value = row.try_get_raw(at).map_err(|e| misfit(explain(&e)))?;
        let type_info = value.type_info();
        // SQLite calls columns BLOB that a query computed, whatever they hold.
        let strict = column.column_type.arrow == DataType::Binary && column.column_type.sql != ANY;
        if strict && !value.is_null() && type_info.name() != "BLOB" {
            let message = format!("column `{}` holds bytes and other values", column.name);
            return Err(misfit(Error::new(ErrorKind::Value, message)));
        }
        let bytes;
        let cell = match type_info.name() {
            _ if value.is_null() => Cell::Null,
            "INTEGER" | "BOOLEAN" | "INT4" => {
                Cell::Int(row.try_get_unchecked(at).map_err(|e| misfit(explain(&e)))?)
            }
            "REAL" => Cell::Float(row.try_get_unchecked(at).map_err(|e| misfit(explain(&e)))?),
            "BLOB" => {
                bytes = row
                    .try_get_unchecked::<&[u8], _>(at)
                    .map_err(|e| misfit(explain(&e)))?;
                match (&column.column_type.arrow, str::from_utf8(bytes)) {
                    (DataType::Binary, _) => Cell::Bytes(bytes.into()),
                    (_, Ok(text)) => Cell::Text(text.into()),
                    (_, Err(_)) => {
                        let message = format!("column `{}` holds bytes that are no text", column.name);
                        return Err(misfit(Error::new(ErrorKind::Value, message)));
                    }
                }
            }
            _ => {
                let text: &str = row.try_get_unchecked(at).map_err(|e| misfit(explain(&e)))?;
                match column.column_type.logical {
                    Logical::Json | Logical::Array => Cell::Json(text.into()),
                    _ => Cell::Text(text.into()),
                }
            }
        };
        builder.set(at, cell).map_err(|e| {
            let help = format!(
                "SQLite lets a column hold values of any type: CAST(\"{}\" AS text) makes them the same",
                column.name
            );
            misfit(Error::new(ErrorKind::Value, e.message().to_string()).help(help))
        })?;
    }
    builder.end_row().map_err(|error| Misfit { column: 0, error })?;
    Ok(())
}
