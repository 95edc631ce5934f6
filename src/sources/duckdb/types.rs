//! Column types: names that other databases have for DuckDB's.

use arrow::datatypes::DataType;

use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type};
use crate::error::Result;

const OWN_INTEGERS: [&str; 6] = [
    "hugeint",
    "uhugeint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
];

/// Returns a type as DuckDB writes it, and as Arrow holds it.
pub fn of(sql: &str) -> Result<ColumnType> {
    let mut found = match column_type(sql, BareDecimal::Exact) {
        // Integers that only DuckDB has: it reads their text.
        Err(_) if OWN_INTEGERS.contains(&sql.trim().to_ascii_lowercase().as_str()) => ColumnType {
            declared: None,
            sql: sql.trim().to_string(),
            arrow: DataType::Utf8,
            logical: Logical::Numeric,
        },
        read => read?,
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
