//! A column of a table.

use super::types::ColumnType;

/// A column of a table to be loaded.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub column_type: ColumnType,
}
