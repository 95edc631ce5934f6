//! The contract of databases, kept by each of them: loads, transforms, columns, rows to and fro.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;
mod loads;
mod rows;
mod several;
mod transforms;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use sequor::batch::builder::BatchBuilder;
use sequor::batch::column::Column;
use sequor::batch::json::fill_row;
use sequor::batch::types::arrow_schema;
use sequor::error::{Error, Result};
use sequor::sources::database::{Database, Rows, TableName};
use sequor::sources::transaction::Load;
use sequor::value::Row;
use sequor_planner::ops::WriteMode;

use databases::{Lack, Open, all};

/// Columns by names and types.
fn columns(db: &dyn Database, declared: &[(&str, &str)]) -> Vec<Column> {
    let column = |(name, sql): &(&str, &str)| Column {
        name: db.fold(name),
        column_type: db.column_type(sql).unwrap(),
    };
    declared.iter().map(column).collect()
}

const PEOPLE: [(&str, &str); 3] = [("id", "bigint"), ("name", "text"), ("total", "numeric(10,2)")];

/// Rows, given as JSON objects, as a batch.
fn rows_of(columns: &[Column], rows: &[&str]) -> Result<RecordBatch> {
    // Names in the data are those of the flow.
    let keys = columns.iter().map(|c| key(&c.name));
    let mut builder = BatchBuilder::new("t", keys, columns)?;
    for row in rows {
        fill_row(row.as_bytes(), &mut builder)?;
    }
    Ok(builder
        .take()?
        .unwrap_or_else(|| RecordBatch::new_empty(arrow_schema(columns))))
}

/// Writes rows, given as JSON objects, to a load.
async fn write(load: &mut Load, columns: &[Column], rows: &[&str]) -> Result<()> {
    match rows {
        [] => Ok(()),
        rows => load.write(rows_of(columns, rows)?).await,
    }
}

/// What a column is called in the data: upper case is what the database made of it.
fn key(name: &str) -> String {
    match name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        true => name.to_lowercase(),
        false => name.to_string(),
    }
}

async fn load(
    db: &dyn Database,
    table: &TableName,
    declared: &[(&str, &str)],
    mode: WriteMode,
    rows: &[&str],
) -> Result<u64> {
    let columns = columns(db, declared);
    let mut load = db.begin_load(table, &columns, mode).await?;
    if let Err(error) = write(&mut load, &columns, rows).await {
        load.abort().await;
        return Err(error);
    }
    load.commit().await
}

/// The rows of a query as text, sorted.
async fn shown(rows: Result<Rows>) -> Result<Vec<String>> {
    let mut batches = rows?.batches;
    let mut shown = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        for at in 0..batch.num_rows() {
            let row = Row::new(batch.clone(), at);
            let cells = row.iter().map(|(_, value)| match value {
                sequor::value::Value::Null => "-".to_string(),
                sequor::value::Value::Bool(value) => value.to_string(),
                sequor::value::Value::Bytes(value) => format!("{value:02x?}"),
                value => value.to_json_text(),
            });
            shown.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    shown.sort();
    Ok(shown)
}

async fn table(db: &dyn Database, name: &TableName) -> Vec<String> {
    shown(db.scan(name).await).await.unwrap()
}

/// A table's name as the flow's becomes the database's.
fn named(db: &dyn Database, name: &str) -> TableName {
    TableName::new(db.fold(name))
}

fn upsert(db: &dyn Database, key: &[&str]) -> WriteMode {
    WriteMode::Upsert(key.iter().map(|name| db.fold(name)).collect())
}

fn names(of: &[Column]) -> Vec<String> {
    of.iter().map(|c| key(&c.name)).collect()
}

fn set(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| name.to_string()).collect()
}

/// The message of what had to fail.
fn message<T>(result: Result<T>, of: &Open) -> String {
    match result {
        Ok(_) => panic!("{}: did not fail", of.name),
        Err(error) => text(&error),
    }
}

fn text(error: &Error) -> String {
    error.to_string()
}
