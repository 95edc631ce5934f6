//! Rows that are Arrow batches already, of a query or of another program, on their way into a table.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use futures::StreamExt;
use sequor_planner::ops::WriteMode;

use super::columns::{ColumnSpec, typed};
use super::write_mode;
use crate::batch::plain::conformed;
use crate::batch::types::{Logical, arrow_schema, sql_name};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows, TableName};
use crate::sources::key::upsert_key;
use crate::sources::transaction::Load;
use crate::value::same_number;

/// Loads rows into a table, all of them or none. How many they are; of several with the same key the last counts.
///
/// # Errors
/// Columns that tables can't hold, a key that is none of them, the database's.
pub async fn load(database: &dyn Database, target: &TableName, mode: &WriteMode, rows: Rows) -> Result<u64> {
    if rows.schema.fields().is_empty() {
        return match mode {
            WriteMode::Append | WriteMode::ReplaceRange | WriteMode::Upsert(_) => Ok(0),
            WriteMode::Replace => Err(Error::new(
                ErrorKind::Data,
                "the rows have no columns, and a table needs some",
            )
            .help("without rows, give an Arrow table: its schema names the columns")),
        };
    }
    let mut mode = write_mode(mode, database);
    let mut columns = typed(database, &specs_of(&rows.schema)?)?;
    if mode != WriteMode::Replace {
        // What is added has the types of what is there.
        for there in database.columns(target).await?.unwrap_or_default() {
            if let Some(column) = columns.iter_mut().find(|column| column.name == there.name) {
                column.column_type = there.column_type;
            }
        }
    }
    if let WriteMode::Upsert(_) = &mode {
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    }
    let mut load = database.begin_load(target, &columns, mode).await?;
    let schema = arrow_schema(&columns);
    let exact = schema.clone();
    let batches = rows.batches.map(move |batch| exactly(&batch?, &exact)).boxed();
    let rows = Rows {
        schema: schema.clone(),
        batches,
    };
    match write(&mut load, rows, &schema).await {
        Ok(_) => load.commit().await,
        Err(error) => {
            load.abort().await;
            Err(error)
        }
    }
}

/// A batch in the types of a table's columns, each value as it was: what would be cut, rounded or moved is refused.
fn exactly(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for ((column, from), to) in batch
        .columns()
        .iter()
        .zip(batch.schema().fields())
        .zip(schema.fields())
    {
        let is_number = Logical::of(from) == Logical::Numeric;
        let cast = exact((column, is_number), to.data_type()).map_err(|why| {
            let message = format!("column `{}`: {why}", to.name());
            Error::new(ErrorKind::Value, message).help(format!(
                "the table has {} there, and the rows {}: cast them before",
                sql_name(to),
                sql_name(from)
            ))
        })?;
        columns.push(cast);
    }
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// The values in another type. `is_number`: whether they are numbers that are written as texts.
fn exact((column, is_number): (&ArrayRef, bool), to: &DataType) -> Result<ArrayRef, String> {
    let from = column.data_type();
    if from == to {
        return Ok(column.clone());
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let cast =
        |column: &ArrayRef, to: &DataType| cast_with_options(column, to, &strict).map_err(|e| e.to_string());
    let zone = |kind: &DataType| matches!(kind, DataType::Timestamp(_, Some(_)));
    if from.is_temporal() && to.is_temporal() && zone(from) != zone(to) {
        return Err("a moment and the clock of a place are not the same".to_string());
    }
    let made = cast(column, to)?;
    // A float has as many digits as its column keeps; a text is what the value is written as.
    if (from.is_floating() && to.is_floating()) || to.is_string() {
        return Ok(made);
    }
    let back = cast(&made, from)?;
    let same = not_distinct(column, &back).map_err(|e| e.to_string())?;
    let is_same = |row: usize| {
        same.value(row)
            || match (
                is_number,
                column.as_string_opt::<i32>(),
                back.as_string_opt::<i32>(),
            ) {
                (true, Some(was), Some(is)) => same_number(was.value(row), is.value(row)),
                _ => false,
            }
    };
    match (0..same.len()).find(|row| !is_same(*row)) {
        None => Ok(made),
        Some(row) => {
            let value = array_value_to_string(column, row).unwrap_or_default();
            Err(format!("{value} would be another value there"))
        }
    }
}

/// Returns the columns that a table of these rows has.
///
/// # Errors
/// A column that tables can't hold.
pub fn specs_of(schema: &Schema) -> Result<Vec<ColumnSpec>> {
    let each = schema.fields().iter();
    each.map(|field| Ok(ColumnSpec::new(field.name(), type_name(field)?)))
        .collect()
}

/// Writes the rows. How many they are.
///
/// # Errors
/// A value that does not fit its column; what makes the rows, and the database's.
pub async fn write(load: &mut Load, rows: Rows, schema: &SchemaRef) -> Result<u64> {
    let mut batches = rows.batches;
    let mut count = 0;
    while let Some(batch) = batches.next().await {
        let batch = conformed(&batch?, schema)?;
        count += batch.num_rows() as u64;
        load.write(batch).await?;
    }
    Ok(count)
}

/// A type for the column of a result, by a name that every database here understands.
fn type_name(field: &Field) -> Result<String> {
    match (field.data_type(), Logical::of(field)) {
        (_, Logical::Array) => Ok("jsonb".to_string()),
        (DataType::List(_) | DataType::Struct(_) | DataType::Map(..), _) => {
            let message = format!(
                "column `{}` is a {}, which tables can't hold",
                field.name(),
                field.data_type()
            );
            Err(Error::new(ErrorKind::Sql, message).help("cast it, for example to text"))
        }
        _ => Ok(sql_name(field)),
    }
}
