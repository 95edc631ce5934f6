//! The columns of a table, from the system catalog.

use arrow::datatypes::DataType;
use sqlx::Row as _;
use sqlx::postgres::PgExecutor;

use super::error::explain;
use super::sql;
use crate::batch::column::Column;
use crate::batch::types::{BareDecimal, ColumnType, Logical, column_type};
use crate::error::Result;
use crate::sources::database::TableName;

/// Returns the columns in their order; none when there is no such table.
pub async fn of<'e>(from: impl PgExecutor<'e>, table: &TableName) -> Result<Option<Vec<Column>>> {
    let rows = sqlx::query(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )
    .bind(sql::table(table))
    .fetch_all(from)
    .await
    .map_err(|e| explain(&e))?;
    let mut columns = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: String = row.try_get(0).map_err(|e| explain(&e))?;
        let sql: String = row.try_get(1).map_err(|e| explain(&e))?;
        // A type of the user's own: the server reads its text.
        let column_type = column_type(&sql, BareDecimal::Exact).unwrap_or(ColumnType {
            declared: None,
            sql,
            arrow: DataType::Utf8,
            logical: Logical::Other,
        });
        columns.push(Column { name, column_type });
    }
    Ok((!columns.is_empty()).then_some(columns))
}
