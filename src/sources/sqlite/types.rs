//! Declared types. SQLite keeps any name, and takes from it how values are stored:
//! <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>

use arrow::datatypes::DataType;

use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type};
use crate::error::Result;

/// Digits that a number keeps when it is no integer of 64 bits: those of a float.
pub const DIGITS: usize = 15;

/// Returns a type as a table declares it, and as Arrow holds it.
pub fn of(sql: &str) -> Result<ColumnType> {
    let mut found = column_type(sql, BareDecimal::Exact)?;
    // Integers have 64 bits and floats are double, whatever they are called.
    match found.arrow {
        DataType::Int16 | DataType::Int32 => found.arrow = DataType::Int64,
        DataType::Float32 => found.arrow = DataType::Float64,
        _ => {}
    }
    if found.sql.eq_ignore_ascii_case("num") {
        found.logical = Logical::Numeric;
    }
    Ok(found)
}

/// Returns the type of a column that declares none: its values say what they are.
pub fn undeclared(sql: &str) -> ColumnType {
    ColumnType {
        declared: None,
        sql: sql.to_string(),
        arrow: DataType::Utf8,
        logical: Logical::Other,
    }
}
