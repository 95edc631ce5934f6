//! Rows that are added to what a table has: once, though a run ends between their commit and the note of it. How many rows the
//! table has is noted before the commit, and looked at by the attempt that follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::run::InDoubt;
use crate::sources::database::{Database, TableName};
use crate::state::{Durability, Entry};
use crate::value::{Row, Value};

/// A table that rows are added to.
pub struct Appended {
    pub database: Arc<dyn Database>,
    pub table: TableName,
    /// How many rows are added; none where only the commit tells.
    pub rows: Option<u64>,
}

/// Notes how many rows tables have, before rows are added to them. Tells of each whether an earlier attempt has added them
/// already.
///
/// # Errors
/// Tables that changed since, so that nobody knows; databases that can't be asked; a state that can't be written.
pub async fn before_commit(context: &StepContext, tables: &[Appended]) -> Result<Vec<bool>> {
    let journal = &context.run.journal;
    if tables.is_empty() || !journal.keeps() {
        return Ok(vec![false; tables.len()]);
    }
    let key = context.scope.key(context.id());
    let mut now = BTreeMap::new();
    for appended in tables {
        now.insert(appended.table.to_string(), count(appended).await?);
    }
    if let Some(noted) = journal.decided(&key, Entry::Committing) {
        let before: BTreeMap<String, Option<u64>> = serde_json::from_str(noted).unwrap_or_default();
        let each = tables.iter().map(|appended| {
            let name = appended.table.to_string();
            let before = before.get(&name).copied().flatten();
            is_there(context, appended, before, now[&name])
        });
        return each.collect();
    }
    let text = serde_json::to_string(&now).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
    let mut notes = journal.notes();
    notes.note(&key, Entry::Committing, &text);
    journal.add(notes);
    journal.sync(Durability::Machine).await?;
    Ok(vec![false; tables.len()])
}

/// Whether rows are in a table that had so many before, and has so many now. A table that is not there has none.
fn is_there(
    context: &StepContext,
    appended: &Appended,
    before: Option<u64>,
    now: Option<u64>,
) -> Result<bool> {
    let (had, has) = (before.unwrap_or(0), now.unwrap_or(0));
    if has == had && (has > 0 || before.is_some() == now.is_some()) {
        return Ok(false);
    }
    if appended.rows.is_some_and(|rows| has == had + rows) {
        return Ok(true);
    }
    match context.run.in_doubt {
        InDoubt::Send => Ok(false),
        InDoubt::Skip => Ok(true),
        InDoubt::Stop => {
            let message = format!(
                "rows were being added to table `{}` when the run ended before: it had {had} rows then, and has {has} now, so whether they are there is not known",
                appended.table
            );
            Err(Error::new(ErrorKind::InDoubt, message).help(
                "look at the table, and go on with --resume --in-doubt send (they are added) or --in-doubt skip (they are there)",
            ))
        }
    }
}

/// How many rows a table has; none where it is not there.
async fn count(appended: &Appended) -> Result<Option<u64>> {
    let Appended { database, table, .. } = appended;
    if database.columns(table).await?.is_none() {
        return Ok(None);
    }
    let sql = format!("SELECT count(*) AS n FROM {}", database.quoted(table));
    first_number(&**database, &sql).await
}

/// Tells whether an earlier attempt was about to add rows.
pub fn is_noted(context: &StepContext) -> bool {
    let key = context.scope.key(context.id());
    context.run.journal.decided(&key, Entry::Committing).is_some()
}

/// Returns the number that a query gives.
///
/// # Errors
/// What the database says.
pub async fn first_number(database: &dyn Database, sql: &str) -> Result<Option<u64>> {
    let mut batches = database.query(sql).await?.batches;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            let row = Row::new(Arc::new(batch), 0);
            let count = row.iter().next().map(|(_, value)| value);
            return Ok(match count {
                Some(Value::Int(n)) => u64::try_from(n).ok(),
                Some(value) => value.to_text().parse().ok(),
                None => None,
            });
        }
    }
    Ok(None)
}
