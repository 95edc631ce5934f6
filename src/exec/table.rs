//! Tables as steps name them, and their rows.

use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::ops::TableRef;

use super::run::Run;
use super::scope::Scope;
use crate::batch::row::Row;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Rows, TableName};
use crate::value::Value;

/// The table's name, its computed parts evaluated.
pub async fn table_name(run: &Run, table: &TableRef, scope: &Scope) -> Result<TableName> {
    let given = [
        table.database.as_ref(),
        table.namespace.as_ref(),
        Some(&table.table),
    ];
    let props = given.iter().flatten().map(|p| (*p).clone()).collect();
    let values = run.evaluator.all(props, &scope.world(), None).await?;
    let mut values = values.into_iter();
    let mut next = |part: Option<&_>| -> Result<Option<String>> {
        if part.is_none() {
            return Ok(None);
        }
        match values.next() {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let text = value.to_text().trim().to_string();
                Ok((!text.is_empty()).then_some(text))
            }
        }
    };
    let database = next(given[0])?;
    let namespace = next(given[1])?;
    let name = next(given[2])?;
    let name =
        name.ok_or_else(|| Error::new(ErrorKind::Project, "the table's name is empty").at(&table.place))?;
    let source = run.databases.get(&table.source)?;
    Ok(TableName {
        database: database.map(|name| source.fold(&name)),
        namespace: namespace.map(|name| source.fold(&name)),
        table: source.fold(&name),
    })
}

/// All rows, in memory: for expressions, which ask for them as a list.
pub async fn collect(rows: Rows) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    let mut batches = rows.batches;
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        all.extend((0..batch.num_rows()).map(|index| Row::new(batch.clone(), index)));
    }
    Ok(all)
}
