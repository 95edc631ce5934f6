//! Batches from one schema to another: the one place where values are cast.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringBuilder, UnionArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::FormatOptions;
use datafusion_functions_json::{JsonUnionEncoder, JsonUnionValue};

use super::near;
use crate::error::{Error, ErrorKind, Result};

/// How the columns of incoming batches become those of a table.
#[derive(Debug, Clone)]
pub struct Mapping {
    target: SchemaRef,
    /// For each column of the target, which one of the source it is; null when there is none.
    sources: Vec<Option<usize>>,
}

impl Mapping {
    /// Columns in the same order, whatever they are called.
    pub fn by_position(target: SchemaRef) -> Self {
        let sources = (0..target.fields().len()).map(Some).collect();
        Mapping { target, sources }
    }

    /// Columns by their names; columns of the target that the source lacks become null.
    ///
    /// # Errors
    /// A column that the target does not have.
    pub fn by_name(source: &Schema, target: SchemaRef) -> Result<Self> {
        if let Some(extra) = source
            .fields()
            .iter()
            .find(|f| target.index_of(f.name()).is_err())
        {
            let message = format!("the table has no column `{}`", extra.name());
            let names: Vec<String> = target.fields().iter().map(|f| f.name().clone()).collect();
            let error = Error::new(ErrorKind::Sql, message);
            return Err(match near::help("its columns", extra.name(), &names) {
                Some(help) => error.help(help),
                None => error,
            });
        }
        let sources = target.fields().iter().map(|f| source.index_of(f.name()).ok());
        Ok(Mapping {
            sources: sources.collect(),
            target,
        })
    }

    /// Columns as listed: for each of the target, the source's index.
    pub fn listed(target: SchemaRef, sources: Vec<Option<usize>>) -> Self {
        Mapping { target, sources }
    }

    /// `batch` as the target wants it.
    ///
    /// # Errors
    /// A value that does not fit, a null where none may be.
    pub fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self
            .target
            .fields()
            .iter()
            .zip(&self.sources)
            .map(|(field, source)| match source.map(|i| batch.column(i)) {
                Some(column) => cast(column, field),
                None => check_null(new_null_array(field.data_type(), batch.num_rows()), field),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            self.target.clone(),
            columns,
            &options,
        )?)
    }
}

fn cast(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let wrong = |error: arrow::error::ArrowError| {
        let text = error.to_string();
        let text = text.trim_start_matches("Cast error: ");
        let text = text.trim_start_matches("Invalid argument error: ");
        Error::new(ErrorKind::Value, format!("column `{}`: {text}", field.name()))
    };
    let column = match column.data_type() {
        DataType::Union(..) => &json_text(column)?,
        _ => column,
    };
    if column.data_type() == field.data_type() {
        return check_null(column.clone(), field);
    }
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    let cast = cast_with_options(column, field.data_type(), &options).map_err(wrong)?;
    check_null(cast, field)
}

fn check_null(column: ArrayRef, field: &Field) -> Result<ArrayRef> {
    if !field.is_nullable() && column.null_count() > 0 {
        let message = format!("column `{}` can't be null", field.name());
        return Err(Error::new(ErrorKind::Value, message));
    }
    Ok(column)
}

/// The result of `->` as JSON text: a string keeps its quotes, as in PostgreSQL.
fn json_text(column: &ArrayRef) -> Result<ArrayRef> {
    let unknown = || Error::new(ErrorKind::Sql, "a column has a union type that can't be read");
    let union = column.as_any().downcast_ref::<UnionArray>();
    let union = union.ok_or_else(unknown)?.clone();
    let rows = union.len();
    let values = JsonUnionEncoder::from_union(union).ok_or_else(unknown)?;
    let mut text = StringBuilder::with_capacity(rows, rows * 16);
    for row in 0..rows {
        match values.get_value(row) {
            JsonUnionValue::JsonNull => text.append_null(),
            JsonUnionValue::Bool(value) => text.append_value(if value { "true" } else { "false" }),
            JsonUnionValue::Int(value) => text.append_value(value.to_string()),
            JsonUnionValue::Float(value) => text.append_value(value.to_string()),
            JsonUnionValue::Str(value) => {
                text.append_value(serde_json::Value::from(value).to_string());
            }
            JsonUnionValue::Array(json) | JsonUnionValue::Object(json) => text.append_value(json),
        }
    }
    Ok(Arc::new(text.finish()))
}
