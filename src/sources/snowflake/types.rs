//! Types, by the names that other databases have for them, and as results give them.

use arrow::datatypes::{DataType, Field};

use crate::batch::column::Column;
use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type};
use crate::error::Result;

/// Returns a type as Snowflake writes it, and as Arrow holds it.
pub fn of(sql: &str) -> Result<ColumnType> {
    let mut found = column_type(sql, BareDecimal::Fixed)?;
    let lower = found.sql.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let own = match words.as_slice() {
        // Alone, they have no fraction.
        ["decimal" | "numeric" | "dec" | "number"] => Some("NUMBER(38,10)"),
        ["json" | "jsonb"] => Some("VARIANT"),
        ["bytea" | "blob"] => Some("BINARY"),
        ["timestamp" | "datetime"] | ["timestamp", "without", "time", "zone"] => Some("TIMESTAMP_NTZ"),
        ["timestamptz"] | ["timestamp", "with", "time", "zone"] => Some("TIMESTAMP_TZ"),
        ["double", "precision"] | ["real" | "float4" | "float8"] => Some("FLOAT"),
        _ => None,
    };
    if let Some(own) = own {
        found.sql = own.to_string();
    }
    if found.logical == Logical::Array {
        found.sql = "ARRAY".to_string();
    }
    match found.arrow {
        // Integers have 38 digits there, and floats are double.
        DataType::Int16 | DataType::Int32 => found.arrow = DataType::Int64,
        DataType::Float32 => found.arrow = DataType::Float64,
        _ => {}
    }
    Ok(found)
}

/// Returns how a column of a result is given out.
pub fn field(field: &Field, plain: Field) -> Field {
    match (reported(field).as_deref(), plain.data_type()) {
        (Some("variant" | "object"), _) => Logical::Json.mark(plain),
        (Some("array"), _) => Logical::Array.mark(plain),
        // INTEGER is NUMBER(38,0); what it holds fits, or is an error.
        (Some("fixed"), DataType::Decimal128(precision, 0)) if *precision == 38 || *precision <= 18 => {
            plain.with_data_type(DataType::Int64)
        }
        _ => plain,
    }
}

/// Snowflake's own name of a column's type: where it stands depends on whether there are rows.
fn reported(field: &Field) -> Option<String> {
    let metadata = field.metadata();
    let name = metadata
        .get("SNOWFLAKE_TYPE")
        .or_else(|| metadata.get("logicalType"))?;
    Some(name.to_lowercase())
}

/// Returns a column of a table, from a result of it.
pub fn column(field: &Field) -> Column {
    let logical = Logical::of(field);
    let sql = match (field.data_type(), logical) {
        (_, Logical::Json) => "VARIANT".to_string(),
        (_, Logical::Array) => "ARRAY".to_string(),
        (DataType::Boolean, _) => "BOOLEAN".to_string(),
        (DataType::Int64, _) => "NUMBER(38,0)".to_string(),
        (DataType::Float64, _) => "FLOAT".to_string(),
        (DataType::Decimal128(p, s), _) => format!("NUMBER({p},{s})"),
        (DataType::Date32, _) => "DATE".to_string(),
        (DataType::Time64(_), _) => "TIME".to_string(),
        (DataType::Timestamp(_, None), _) => "TIMESTAMP_NTZ".to_string(),
        (DataType::Timestamp(_, Some(_)), _) => "TIMESTAMP_TZ".to_string(),
        (DataType::Binary, _) => "BINARY".to_string(),
        _ => "TEXT".to_string(),
    };
    Column {
        name: field.name().clone(),
        column_type: ColumnType {
            declared: None,
            sql,
            arrow: field.data_type().clone(),
            logical,
        },
    }
}
