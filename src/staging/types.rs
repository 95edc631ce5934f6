//! Types: of SQL, of what is stored, and of what is given out.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion_functions_json::JSON_UNION_DATA_TYPE;
use sqlparser::ast::DataType as SqlType;

use crate::batch::plain::{nested, plain};
use crate::batch::types::{BareDecimal, LOGICAL_KEY, Logical, column_type};
use crate::error::{Error, ErrorKind, Result};

/// The field metadata key of a column's default, as SQL.
pub const DEFAULT_KEY: &str = "sequor.default";

/// Reads type names in casts as column types are read everywhere else (`jsonb`, `uuid`, microsecond timestamps).
#[derive(Debug)]
pub struct SqlTypes;

impl TypePlanner for SqlTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> PlanResult<Option<FieldRef>> {
        let known = match sql_type {
            SqlType::Interval { .. } | SqlType::Array(_) | SqlType::Struct(..) => false,
            SqlType::Custom(name, _) => matches!(
                name.to_string().to_ascii_lowercase().as_str(),
                "number" | "variant" | "object" | "timestamp_ntz" | "timestamp_tz" | "timestamp_ltz"
            ),
            _ => true,
        };
        if !known {
            return Ok(None);
        }
        let Ok(read) = column_type(&sql_type.to_string(), BareDecimal::Fixed) else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Field::new("", read.arrow, true))))
    }
}

/// The type that a column is stored as: Delta has no time of day.
fn stored_type(data_type: &DataType) -> DataType {
    match plain(data_type) {
        DataType::Time64(_) => DataType::Utf8,
        DataType::List(item) => DataType::List(nested(&item, stored_type)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| nested(f, stored_type)).collect()),
        other => other,
    }
}

/// Returns the schema of what a query gives out.
pub fn plain_schema(schema: &Schema) -> SchemaRef {
    map_fields(schema, plain, |_| true)
}

/// Returns the schema of a table that is to hold rows of `schema`. Columns of a new table can be null unless declared
/// otherwise, whatever the query's analysis says.
///
/// # Errors
/// Two columns with the same name.
pub fn stored_schema(schema: &Schema) -> Result<SchemaRef> {
    let stored = map_fields(schema, stored_type, |_| true);
    check_names(&stored)?;
    Ok(stored)
}

/// As [`stored_schema`], for columns that were declared: NOT NULL stays.
pub fn declared_schema(schema: &Schema) -> Result<SchemaRef> {
    let stored = map_fields(schema, stored_type, Field::is_nullable);
    check_names(&stored)?;
    Ok(stored)
}

fn map_fields(schema: &Schema, to: fn(&DataType) -> DataType, nullable: fn(&Field) -> bool) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let mapped = Field::new(field.name(), to(field.data_type()), nullable(field));
        if *field.data_type() == *JSON_UNION_DATA_TYPE {
            return Logical::Json.mark(mapped);
        }
        // Only our own marks: those of Parquet or Delta belong to the files they came from.
        let marks = [LOGICAL_KEY, DEFAULT_KEY];
        let kept = field.metadata().iter();
        let kept = kept.filter(|(key, _)| marks.contains(&key.as_str()));
        mapped.with_metadata(kept.map(|(k, v)| (k.clone(), v.clone())).collect())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Names have to differ in more than case: Delta's rule.
fn check_names(schema: &Schema) -> Result<()> {
    let mut seen = std::collections::HashMap::new();
    for field in schema.fields() {
        if let Some(other) = seen.insert(field.name().to_lowercase(), field.name()) {
            let message = if other == field.name() {
                format!("column `{other}` appears twice")
            } else {
                format!("columns `{other}` and `{}` differ only in case", field.name())
            };
            return Err(Error::new(ErrorKind::Sql, message).help("give one of them another name"));
        }
    }
    if schema.fields().is_empty() {
        return Err(Error::new(ErrorKind::Sql, "a table needs a column"));
    }
    Ok(())
}
