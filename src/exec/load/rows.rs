//! What a `for_each` goes through.

use std::collections::BTreeSet;

use sequor_planner::ops::{RowSource, RowsOf};

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::load::table::relation;
use crate::sources::database::Rows;
use crate::value::Value;

/// What was found to go through.
pub enum Found {
    /// Rows of a database, and what messages call that.
    Rows(String, Rows),
    Values(Vec<Value>),
}

/// Finds the rows of a table or query, with only these columns where that can be told, or the values of a list.
///
/// # Errors
/// A table that is not there, a query that fails, or values that are no list.
pub async fn found(
    context: &StepContext,
    wanted: &RowsOf,
    columns: Option<&BTreeSet<String>>,
) -> Result<Found> {
    match &wanted.from {
        RowSource::Table(table) => {
            let found = relation(context, table).await?;
            let database = context.database(&table.source).await?;
            let rows = found.scan(&*database, columns).await;
            Ok(Found::Rows(
                found.to_string(),
                rows.map_err(|e| e.at(&table.place))?,
            ))
        }
        RowSource::Query(rows) => {
            let sql = context.value(&rows.query).await?.to_text();
            let database = context.database(&rows.source).await?;
            let found = database.query(&sql).await;
            Ok(Found::Rows(
                "the query".into(),
                found.map_err(|e| e.context("`query`").at(&rows.place))?,
            ))
        }
        RowSource::Values(list) => {
            let value = context.value(list).await?;
            let value = match &value {
                Value::Object(object) => object.data().map_err(|why| Error::new(ErrorKind::Data, why))?,
                _ => value,
            };
            match value {
                Value::List(values) => Ok(Found::Values(values.to_vec())),
                other => {
                    let message = format!("`values` must be a list, and is {}", other.kind());
                    Err(Error::new(ErrorKind::Data, message)
                        .help("Jinja makes text of everything: a list is given by `values_expression`"))
                }
            }
        }
    }
}
