//! Tables whose rows are laid down: inline, in a file, or by a query.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt, stream};
use indexmap::IndexMap;
use sequor_planner::syntax::TYPED;
use serde_json::Value as Json;

use super::fixtures;
use super::names::Names;
use super::sql::translate;
use crate::batch::types::ColumnType;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows};
use crate::staging::Staging;

/// A table whose rows are laid down.
#[derive(Debug, Clone)]
pub struct Given {
    pub rows: GivenRows,
    /// Types of columns; others are those of the values.
    pub columns: Vec<(String, ColumnType)>,
}

/// Where its rows are.
#[derive(Debug, Clone)]
pub enum GivenRows {
    Inline(Vec<IndexMap<String, Json>>),
    /// CSV, JSON lines or Parquet.
    File(PathBuf),
    /// A query that needs no table, in the SQL of the real database.
    Sql(String),
}

impl Given {
    /// Returns the rows.
    ///
    /// # Errors
    /// A file that can't be read, a query that can't be tried, values that are none of their column's type.
    pub async fn rows(&self, staging: &Staging, names: &Names) -> Result<Rows> {
        let rows = match &self.rows {
            GivenRows::Inline(rows) => fixtures::of_json(&lines(rows), self.columns.is_empty())?,
            GivenRows::File(file) => fixtures::of_file(file, self.columns.is_empty()).await?,
            GivenRows::Sql(sql) => staging.query(&translate(sql, names)?.sql).await?,
        };
        if self.columns.is_empty() {
            return Ok(rows);
        }
        Ok(typed(rows, &self.columns))
    }
}

/// Rows with columns in the types that are said, those that are missing as nulls.
fn typed(rows: Rows, columns: &[(String, ColumnType)]) -> Rows {
    let said = |name: &str| columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let field =
        |name: &str, known: &ColumnType| known.logical.mark(Field::new(name, known.arrow.clone(), true));
    let mut fields: Vec<Field> = Vec::new();
    for known in rows.schema.fields() {
        fields.push(match said(known.name()) {
            // One of any precision has that of its values.
            Some((_, column)) if is_bare(column) && known.data_type().is_decimal() => known.as_ref().clone(),
            Some((_, column)) if is_bare(column) => {
                Field::new(known.name(), DataType::Decimal128(38, 0), true)
            }
            Some((_, column)) => field(known.name(), column),
            None => known.as_ref().clone(),
        });
    }
    let has = |name: &str| {
        rows.schema
            .fields()
            .iter()
            .any(|known| known.name().eq_ignore_ascii_case(name))
    };
    let missing = columns.iter().filter(|(name, _)| !has(name));
    fields.extend(missing.map(|(name, column)| field(name, column)));
    let schema = Arc::new(Schema::new(fields));
    let to = schema.clone();
    let batches = rows.batches.map(move |batch| cast(&batch?, &to));
    // A table without rows has its columns all the same.
    let empty = stream::iter([Ok(RecordBatch::new_empty(schema.clone()))]);
    Rows {
        schema,
        batches: empty.chain(batches).boxed(),
    }
}

/// Whether it is a decimal of PostgreSQL's of any precision.
fn is_bare(column: &ColumnType) -> bool {
    column.declared.as_deref() == Some(BARE)
}

/// How a decimal of any precision is declared.
pub const BARE: &str = "numeric";

fn cast(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let each = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| match batch.columns().get(at) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) => cast_with_options(column, field.data_type(), &strict).map_err(|e| {
                let message = format!("column `{}`: {e}", field.name());
                Error::new(ErrorKind::Data, message).help("give values of the type that `columns` says")
            }),
        });
    let arrays = each.collect::<Result<Vec<ArrayRef>>>()?;
    Ok(RecordBatch::try_new(schema.clone(), arrays)?)
}

/// Rows as JSON lines.
fn lines(rows: &[IndexMap<String, Json>]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .map(|(name, value)| format!("{}:{}", Json::from(name.as_str()), written(value)));
        text.push_str(&format!("{{{}}}\n", cells.collect::<Vec<_>>().join(",")));
    }
    text
}

/// A value of YAML as JSON: dates as texts, whole numbers with all of their digits.
fn written(value: &Json) -> String {
    match value {
        Json::Object(entries) if entries.contains_key(TYPED) => {
            let text = |key: &str| entries.get(key).and_then(Json::as_str).unwrap_or_default();
            match text(TYPED) {
                "integer" => text("value").to_string(),
                _ => Json::from(text("value")).to_string(),
            }
        }
        Json::Object(entries) => {
            let each = entries
                .iter()
                .map(|(name, value)| format!("{}:{}", Json::from(name.as_str()), written(value)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(","))
        }
        Json::Array(items) => {
            let each: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", each.join(","))
        }
        other => other.to_string(),
    }
}
