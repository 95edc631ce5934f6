//! The rows of a step's for_each, where they are known before it runs.

use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{RowSource, RowsOf, TableRef};
use serde_json::Value as Json;

use super::parts::Parts;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::named_table;
use crate::sources::database::{Database, TableName};
use crate::sources::sql::as_rows;
use crate::value::{Row, Value};

/// Rows of a database.
pub struct ForEachRows {
    pub database: Arc<dyn Database>,
    /// What stands behind FROM for them.
    pub from: String,
    /// What messages call them.
    pub name: String,
}

/// A table whose name is known.
pub fn known(database: &dyn Database, table: &TableRef) -> Option<TableName> {
    let text = |prop: &Option<Prop>| match prop {
        None => Some(None),
        Some(prop) => Some(Some(prop.as_text()?.to_string())),
    };
    let (of, namespace) = (text(&table.database)?, text(&table.namespace)?);
    named_table(database, of, namespace, table.table.as_text()?).ok()
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
            (as_rows(sql), "the query".to_string())
        }
        RowSource::Values(_) => return Err(only_then("its rows come from no database")),
    };
    Ok(ForEachRows { database, from, name })
}

/// Returns what `is_it` finds of the first row of which it finds something; none where it is none of them.
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
