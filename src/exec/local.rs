//! Transforms over tables of several sources: the query runs here, its rows are loaded into the target.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, SchemaRef};
use futures::StreamExt;
use sequor_planner::ops::Transform;

use super::columns::typed;
use super::event::Counters;
use super::run::Run;
use super::sql::write_mode;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::{Error, ErrorKind, Result};
use crate::local;
use crate::sources::database::{Load, Rows, TableName, WriteMode};
use crate::sources::sql::{column_list, twins_error};

/// Runs the query, and loads its rows.
pub async fn transform(
    run: &Arc<Run>,
    step: &Transform,
    query: &str,
    target: &TableName,
    counters: &Counters,
) -> Result<()> {
    let own = step.target.source.as_str();
    let find = |name: &str| run.databases.find(name);
    let database = run.databases.get(own)?;
    let mode = write_mode(&step.write_mode, &*database);
    let rows = local::query(query, own, &find).await?;
    let specs: Vec<(String, String)> = rows
        .schema
        .fields()
        .iter()
        .map(|field| Ok((field.name().clone(), type_name(field)?)))
        .collect::<Result<_>>()?;
    let columns = typed(&*database, &specs)?;
    if let WriteMode::Upsert(_) = &mode {
        let key = mode.key(columns.iter().map(|c| c.name.as_str()))?;
        // As the query names them.
        let named: Vec<&str> = columns
            .iter()
            .zip(&specs)
            .filter(|(column, _)| key.contains(&column.name))
            .map(|(_, (name, _))| name.as_str())
            .collect();
        refuse_twins(query, own, &find, &named).await?;
    }
    let mut load = database.begin_load(target, &columns, mode).await?;
    match write(&mut *load, rows, &arrow_schema(&columns)).await {
        Ok(()) => {
            counters.add_rows(load.commit().await?);
            Ok(())
        }
        Err(error) => {
            load.abort().await;
            Err(error)
        }
    }
}

async fn write(load: &mut dyn Load, rows: Rows, schema: &SchemaRef) -> Result<()> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let mut batches = rows.batches;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| match column.data_type() == field.data_type() {
            true => Ok(column.clone()),
            false => cast_with_options(column, field.data_type(), &strict),
        });
        let columns = columns.collect::<Result<_, _>>()?;
        load.write(RecordBatch::try_new(schema.clone(), columns)?).await?;
    }
    Ok(())
}

/// # Errors
/// Rows of the query with the same key: which would count is not known.
async fn refuse_twins(query: &str, own: &str, find: local::Lookup<'_>, key: &[&str]) -> Result<()> {
    let list = column_list(key.iter().copied());
    let twins = format!("SELECT {list} FROM ({query}) AS q GROUP BY {list} HAVING count(*) > 1 LIMIT 1");
    let mut batches = local::query(&twins, own, find).await?.batches;
    while let Some(batch) = batches.next().await {
        if batch?.num_rows() > 0 {
            let key: Vec<String> = key.iter().map(ToString::to_string).collect();
            return Err(twins_error(&key));
        }
    }
    Ok(())
}

/// A type for the column of a result, by a name that every database here understands.
fn type_name(field: &Field) -> Result<String> {
    let name = match (field.data_type(), Logical::of(field)) {
        (_, Logical::Json | Logical::Array) => "jsonb",
        (_, Logical::Numeric) => "numeric",
        (DataType::Boolean, _) => "boolean",
        (DataType::Int8 | DataType::Int16, _) => "smallint",
        (DataType::Int32, _) => "integer",
        (DataType::Int64, _) => "bigint",
        (DataType::Float32, _) => "real",
        (DataType::Float64, _) => "double precision",
        (DataType::Decimal128(precision, scale), _) => return Ok(format!("numeric({precision},{scale})")),
        (DataType::Date32, _) => "date",
        (DataType::Time64(_), _) => "time",
        (DataType::Timestamp(_, None), _) => "timestamp",
        (DataType::Timestamp(_, Some(_)), _) => "timestamp with time zone",
        (DataType::Binary, _) => "bytea",
        (DataType::Utf8, _) => "text",
        (other, _) => {
            let message = format!(
                "column `{}` of the query is a {other}, which tables can't hold",
                field.name()
            );
            return Err(Error::new(ErrorKind::Sql, message).help("cast it, for example to text"));
        }
    };
    Ok(name.to_string())
}
