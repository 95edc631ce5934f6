//! Rows that are Arrow batches already, of a query or of another program, on their way into a table.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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

/// Loads rows into a table, all of them or none. How many they are; of several with the same key the last counts.
///
/// # Errors
/// Columns that tables can't hold, a key that is none of them, the database's.
pub async fn load(database: &dyn Database, target: &TableName, mode: &WriteMode, rows: Rows) -> Result<u64> {
    if rows.schema.fields().is_empty() {
        return match mode {
            WriteMode::Append | WriteMode::Upsert(_) => Ok(0),
            WriteMode::Replace => Err(Error::new(
                ErrorKind::Data,
                "the rows have no columns, and a table needs some",
            )
            .help("without rows, give an Arrow table: its schema names the columns")),
        };
    }
    let mut mode = write_mode(mode, database);
    let columns = typed(database, &specs_of(&rows.schema)?)?;
    if let WriteMode::Upsert(_) = &mode {
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    }
    let mut load = database.begin_load(target, &columns, mode).await?;
    match write(&mut load, rows, &arrow_schema(&columns)).await {
        Ok(_) => load.commit().await,
        Err(error) => {
            load.abort().await;
            Err(error)
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
