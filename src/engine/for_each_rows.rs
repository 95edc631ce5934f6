//! The rows of a step's for_each, where they are known before it runs.

use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{RowSource, RowsOf};
use serde_json::Value as Json;

use super::estimate::known;
use super::parts::Parts;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Database;
use crate::value::{Row, Value};

/// Rows of a database.
pub struct ForEachRows {
    pub database: Arc<dyn Database>,
    /// What stands behind FROM for them.
    pub from: String,
    /// What messages call them.
    pub name: String,
}

/// Finds the rows of a for_each.
///
/// # Errors
/// Rows that only the run can tell, or of no database.
pub async fn for_each_rows(parts: &Parts, rows: &RowsOf) -> Result<ForEachRows> {
    let only_then = |why: &str| Error::new(ErrorKind::Project, why);
    let Some((source, _)) = rows.database() else {
        return Err(only_then("its rows come from no database"));
    };
    let database = parts.databases.get(source, &parts.scope()).await?;
    let (from, name) = match &rows.from {
        RowSource::Table(table) => {
            let table = known(&*database, table).ok_or_else(|| only_then("a name is computed"))?;
            (database.quoted(&table), table.to_string())
        }
        RowSource::Query(query) => {
            let sql = query.query.as_text();
            let sql = sql.ok_or_else(|| only_then("its query is computed"))?;
            let sql = sql
                .trim()
                .trim_end_matches(|c: char| c == ';' || c.is_whitespace());
            (format!("({sql}\n) q"), "the query".to_string())
        }
        RowSource::Values(_) => return Err(only_then("its rows come from no database")),
    };
    Ok(ForEachRows { database, from, name })
}

/// Finds the first row of which something is true, as it is told; none where no row is so, and the error why nobody knows.
///
/// # Errors
/// Rows that only the run can tell; the database's; those of the look at a row.
pub async fn first_of<T>(
    parts: &Parts,
    rows: &RowsOf,
    mut is_it: impl FnMut(&Value) -> Result<Option<T>>,
) -> Result<Option<T>> {
    if let RowSource::Values(Prop::Literal(Json::Array(values))) = &rows.from {
        for value in values {
            if let Some(found) = is_it(&Value::from(value))? {
                return Ok(Some(found));
            }
        }
        return Ok(None);
    }
    let ForEachRows { database, from, .. } = for_each_rows(parts, rows).await?;
    let mut batches = database.query(&format!("SELECT * FROM {from}")).await?.batches;
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        for at in 0..batch.num_rows() {
            if let Some(found) = is_it(&Value::Row(Row::new(batch.clone(), at)))? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}
