//! Which texts are one: columns of a table get the collations that those of a query have.

use sqlx::MySqlConnection;

use super::sql::{quote, quoted, run, texts_of};
use crate::batch::column::Column;
use crate::error::Result;
use crate::sources::database::TableName;

/// Gives columns of a table the collations of columns of the same names. `from`: what stands behind FROM for these. Those of other
/// character sets stay as they are, and so do all where rows would be one.
///
/// # Errors
/// The database's.
pub async fn follow(
    connection: &mut MySqlConnection,
    table: &TableName,
    from: &str,
    columns: &[Column],
) -> Result<()> {
    let mut changes = Vec::new();
    for column in columns {
        let name = quote(&column.name);
        // That of a null is its column's.
        let of = |rows: &str| {
            format!(
                "SELECT COALESCE(COLLATION(s.{name}), '') FROM (SELECT 1 AS one) o LEFT JOIN (SELECT {name} FROM {rows}) s ON 1 = 0"
            )
        };
        let wanted = texts_of(connection, &of(from)).await?.pop().unwrap_or_default();
        let there = texts_of(connection, &of(&quoted(table)))
            .await?
            .pop()
            .unwrap_or_default();
        if wanted.starts_with("utf8mb4_") && wanted != there && !there.is_empty() {
            changes.push(format!(
                "MODIFY COLUMN {name} {} CHARACTER SET utf8mb4 COLLATE {wanted} NOT NULL",
                column.column_type.sql
            ));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let alter = format!("ALTER TABLE {} {}", quoted(table), changes.join(", "));
    if let Err(error) = run(connection, &alter).await {
        // Rows that would be one: they stay two, and are told apart as before.
        tracing::debug!(%error, "collations stay as they are");
    }
    Ok(())
}
