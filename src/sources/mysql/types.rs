//! Types, by the names that other databases have for them, and as MySQL needs them to keep what they are given.

use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type};
use crate::error::{Error, ErrorKind, Result};

/// Returns a type as MySQL writes it, and as Arrow holds it.
pub fn of(sql: &str) -> Result<ColumnType> {
    let mut found = column_type(sql, BareDecimal::Fixed)?;
    if found.logical == Logical::Array {
        let message = format!("MySQL has no arrays: `{sql}`");
        return Err(Error::new(ErrorKind::Project, message).help("use the type json"));
    }
    let lower = found.sql.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let own = match words.as_slice() {
        // 64 KB are little for text that has no bound elsewhere.
        ["text" | "string" | "clob"] => Some("LONGTEXT"),
        ["varchar" | "nvarchar"] | ["character", "varying"] => Some("LONGTEXT"),
        ["bytea" | "blob" | "binary" | "varbinary"] => Some("LONGBLOB"),
        // Alone, they have no fraction.
        ["decimal" | "numeric" | "dec" | "number"] => Some("DECIMAL(38,10)"),
        ["time"] => Some("TIME(6)"),
        ["datetime" | "timestamp" | "timestamp_ntz"] | ["timestamp", "without", "time", "zone"] => {
            Some("DATETIME(6)")
        }
        // MySQL's TIMESTAMP is a point in time; it ends in 2038.
        ["timestamptz" | "timestamp_tz" | "timestamp_ltz"] | ["timestamp", "with", "time", "zone"] => {
            Some("TIMESTAMP(6)")
        }
        ["jsonb" | "variant" | "object"] => Some("JSON"),
        ["float8" | "double"] => Some("DOUBLE"),
        // REAL is double here.
        ["real" | "float4"] => Some("FLOAT"),
        ["int2"] => Some("SMALLINT"),
        ["int4"] => Some("INT"),
        ["int8"] => Some("BIGINT"),
        _ => None,
    };
    if let Some(own) = own {
        found.sql = own.to_string();
    }
    Ok(found)
}

/// Returns a column's definition, its text in a collation. A `null` where it stands keeps a TIMESTAMP from getting a
/// default of its own.
pub fn defined(column: &ColumnType, collation: &str) -> String {
    let text = matches!(column.arrow, arrow::datatypes::DataType::Utf8) && column.logical == Logical::Plain;
    match text {
        // Any Unicode, and compared by its characters alone, as other databases do.
        true => format!("{} CHARACTER SET utf8mb4 COLLATE {collation} NULL", column.sql),
        false => format!("{} NULL", column.sql),
    }
}

/// The length of text that can be in an index, whatever its characters are.
const ROOM: u32 = 255;

/// Returns a column of a query's result as a table gets it: MySQL would make it as wide as the widest text of the
/// query, and later rows may have longer ones.
pub fn roomy(column: ColumnType) -> ColumnType {
    let length = column
        .sql
        .strip_prefix("varchar(")
        .and_then(|rest| rest.strip_suffix(')'));
    match length.and_then(|length| length.parse::<u32>().ok()) {
        Some(length) if length < ROOM => ColumnType {
            declared: None,
            sql: format!("varchar({ROOM})"),
            ..column
        },
        _ => column,
    }
}
