//! Column types: names that other databases have for DuckDB's.

use arrow::datatypes::DataType;

use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type};
use crate::error::Result;

/// Integers that only DuckDB has, each in a type that has room for it.
const OWN_INTEGERS: [(&str, DataType); 6] = [
    ("hugeint", DataType::Decimal128(38, 0)),
    ("uhugeint", DataType::Decimal128(38, 0)),
    ("utinyint", DataType::Int16),
    ("usmallint", DataType::Int32),
    ("uinteger", DataType::Int64),
    ("ubigint", DataType::Decimal128(20, 0)),
];

/// Returns a type as DuckDB writes it, and as Arrow holds it.
pub fn of(sql: &str) -> Result<ColumnType> {
    let name = sql.trim().to_ascii_lowercase();
    let own = OWN_INTEGERS.iter().find(|(own, _)| *own == name);
    let mut found = match own {
        Some((_, arrow)) => ColumnType {
            declared: None,
            sql: sql.trim().to_string(),
            arrow: arrow.clone(),
            logical: Logical::Plain,
        },
        None => column_type(sql, BareDecimal::Exact)?,
    };
    let lower = found.sql.to_ascii_lowercase();
    let own = match lower.as_str() {
        "jsonb" | "variant" | "object" => Some("JSON"),
        "timestamptz" | "timestamp_tz" | "timestamp_ltz" => Some("TIMESTAMP WITH TIME ZONE"),
        "timestamp_ntz" => Some("TIMESTAMP"),
        "double precision" => Some("DOUBLE"),
        _ => None,
    };
    if let Some(own) = own {
        found.sql = own.to_string();
    }
    // Alone, they have three digits behind the point.
    if matches!(lower.as_str(), "numeric" | "decimal" | "dec" | "number") {
        found.sql = "DECIMAL(38,10)".to_string();
        found.arrow = DataType::Decimal128(38, 10);
        found.logical = Logical::Plain;
    }
    // DuckDB's own names: what is not known here is text that it reads.
    if found.logical == Logical::Other {
        found.logical = match lower.as_str() {
            "json" => Logical::Json,
            _ => Logical::Other,
        };
    }
    Ok(found)
}
