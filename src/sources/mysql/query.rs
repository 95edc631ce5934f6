//! Queries as streams of Arrow batches.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{NaiveDate, NaiveDateTime};
use futures::TryStreamExt;
use sqlx::mysql::{MySqlPool, MySqlRow, MySqlTypeInfo};
use sqlx::{Column as _, Executor, Row as _, Statement as _, Type, TypeInfo as _, ValueRef as _};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::error::explain;
use super::sql::statement;
use super::stop::{Stops, number};
use crate::batch::builder::BatchBuilder;
use crate::batch::cell::Cell;
use crate::batch::column::Column;
use crate::batch::types::{ColumnType, Logical, arrow_schema};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Rows;
use crate::sources::stream::batches;

/// Rows of a batch: steps that ask once per row hold one batch at a time.
const BATCH_ROWS: usize = 4096;

/// Runs a query; its rows come as they are asked for. `json`: the names of columns whose text is JSON.
pub async fn stream(pool: &MySqlPool, stops: &Arc<Stops>, sql: &str, json: &[String]) -> Result<Rows> {
    // A query reads: what writes belongs into `execute`, where the plan sees it.
    let mut connection = pool
        .begin_with("START TRANSACTION READ ONLY")
        .await
        .map_err(|e| explain(&e))?;
    let prepared = (&mut *connection)
        .prepare(statement(sql))
        .await
        .map_err(|e| explain(&e))?;
    let columns: Vec<Column> = prepared
        .columns()
        .iter()
        .map(|c| Column {
            name: c.name().to_string(),
            column_type: match json.iter().any(|name| name == c.name()) {
                true => text(Logical::Json),
                false => read_as(c.type_info()),
            },
        })
        .collect();
    let schema = arrow_schema(&columns);
    // A query may give two columns the same name: the builder is told their numbers.
    let keys = (0..columns.len()).map(|at| at.to_string());
    let mut builder = BatchBuilder::new("query", keys, &columns)?;
    let sql = sql.to_string();
    let watched = stops.watch_pooled(number(&mut connection).await?);
    let (sender, receiver) = mpsc::channel(1);
    // The rows borrow the connection, and the stream must not: a task holds both.
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut rows = sqlx::query(statement(&sql)).fetch(&mut *connection);
        let mut waiting = 0;
        loop {
            let more = match rows.try_next().await {
                Ok(Some(row)) => fill(&mut builder, &columns, &row).map(|()| true),
                Ok(None) => Ok(false),
                Err(error) => Err(explain(&error)),
            };
            waiting += 1;
            let batch = match more {
                Ok(true) if waiting < BATCH_ROWS && !builder.is_full() => continue,
                Ok(_) => builder.take(),
                Err(ref error) => Err(error.clone()),
            };
            waiting = 0;
            let failed = batch.is_err();
            if let Some(batch) = batch.transpose()
                && sender.send(batch).await.is_err()
            {
                // What is left of the rows is not wanted.
                return;
            }
            if failed || matches!(more, Ok(false)) {
                watched.done();
                return;
            }
        }
    }));
    Ok(Rows {
        schema,
        batches: batches(receiver, task),
    })
}

fn text(logical: Logical) -> ColumnType {
    ColumnType {
        declared: None,
        sql: "text".into(),
        arrow: DataType::Utf8,
        logical,
    }
}

/// How values of a type are read.
fn read_as(type_info: &MySqlTypeInfo) -> ColumnType {
    let name = type_info.name();
    let arrow = match name {
        // Text of a collation by characters alone is called binary, too; what it is made of says the character set.
        _ if <str as Type<sqlx::MySql>>::compatible(type_info) => return text(Logical::Plain),
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" | "TINYINT UNSIGNED" | "SMALLINT" => DataType::Int16,
        "SMALLINT UNSIGNED" | "MEDIUMINT" | "MEDIUMINT UNSIGNED" | "INT" | "YEAR" => DataType::Int32,
        "INT UNSIGNED" | "BIGINT" => DataType::Int64,
        // Text of digits, since they go beyond a signed integer.
        "BIGINT UNSIGNED" | "DECIMAL" => return text(Logical::Numeric),
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "DATE" => DataType::Date32,
        "DATETIME" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "TIMESTAMP" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "TIME" => return text(Logical::Other),
        "JSON" => return text(Logical::Json),
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "GEOMETRY" => {
            DataType::Binary
        }
        "BIT" => DataType::Int64,
        _ => return text(Logical::Plain),
    };
    ColumnType {
        declared: None,
        sql: name.to_lowercase(),
        arrow,
        logical: Logical::Plain,
    }
}

fn fill(builder: &mut BatchBuilder, columns: &[Column], row: &MySqlRow) -> Result<()> {
    for (at, column) in columns.iter().enumerate() {
        let cell =
            cell(row, at, column).map_err(|e| explain(&e).context(format!("column `{}`", column.name)))?;
        builder.set(at, cell).map_err(|e| {
            Error::new(
                ErrorKind::Value,
                format!("column `{}`: {}", column.name, e.message()),
            )
        })?;
    }
    builder.end_row()?;
    Ok(())
}

fn cell<'r>(row: &'r MySqlRow, at: usize, column: &Column) -> sqlx::Result<Cell<'r>> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let type_info = raw.type_info();
    Ok(match type_info.name() {
        "BIT" => Cell::Int(row.try_get_unchecked::<u64, _>(at)?.cast_signed()),
        "BIGINT UNSIGNED" => Cell::Number(row.try_get_unchecked::<u64, _>(at)?.to_string().into()),
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED" | "YEAR" => {
            Cell::Int(row.try_get_unchecked::<u64, _>(at)?.cast_signed())
        }
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
            Cell::Int(row.try_get_unchecked::<i64, _>(at)?)
        }
        "FLOAT" => Cell::Float(row.try_get_unchecked::<f32, _>(at)?.into()),
        "DOUBLE" => Cell::Float(row.try_get_unchecked::<f64, _>(at)?),
        "DATE" => Cell::Text(row.try_get_unchecked::<NaiveDate, _>(at)?.to_string().into()),
        "DATETIME" | "TIMESTAMP" => {
            let time = row.try_get_unchecked::<NaiveDateTime, _>(at)?;
            Cell::Text(time.format("%Y-%m-%d %H:%M:%S%.f").to_string().into())
        }
        "TIME" => {
            let time: sqlx::mysql::types::MySqlTime = row.try_get_unchecked(at)?;
            Cell::Text(time.to_string().into())
        }
        "DECIMAL" => Cell::Number(row.try_get_unchecked::<&str, _>(at)?.into()),
        _ => match (&column.column_type.arrow, column.column_type.logical) {
            (DataType::Binary, _) => Cell::Bytes(row.try_get_unchecked::<&[u8], _>(at)?.into()),
            (_, Logical::Json) => Cell::Json(row.try_get_unchecked::<&str, _>(at)?.into()),
            _ => Cell::Text(row.try_get_unchecked::<&str, _>(at)?.into()),
        },
    })
}
