//! Rows and counts of a query, in memory: there are few.

use std::sync::Arc;

use futures::StreamExt;

use crate::error::Result;
use crate::sources::database::Database;
use crate::value::Row;

/// Returns the rows of a query.
///
/// # Errors
/// The database's.
pub async fn rows(database: &dyn Database, sql: &str) -> Result<Vec<Row>> {
    let mut batches = database.query(sql).await?.batches;
    let mut all = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        all.extend((0..batch.num_rows()).map(|at| Row::new(batch.clone(), at)));
    }
    Ok(all)
}

/// Returns the counts in the one row of a query.
///
/// # Errors
/// The database's.
pub async fn numbers(database: &dyn Database, sql: &str) -> Result<Vec<u64>> {
    let rows = rows(database, sql).await?;
    let counts = rows
        .first()
        .map(|row| row.iter().map(|(_, value)| number(&value.to_text())).collect());
    Ok(counts.unwrap_or_default())
}

/// A count, as databases give it: a decimal, or null for a sum of nothing.
pub fn number(text: &str) -> u64 {
    text.parse::<f64>().map_or(0, |count| count as u64)
}
