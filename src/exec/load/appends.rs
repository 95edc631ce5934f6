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
    pub source: String,
    pub database: Arc<dyn Database>,
    pub table: TableName,
    /// How many rows are added; none where only the commit tells.
    pub rows: Option<u64>,
}

impl Appended {
    /// Its name among all tables of the project.
    fn name(&self) -> String {
        format!("{}/{}", self.source, self.table)
    }
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
        if journal.decided(&key, Entry::Committing).is_some() {
            appended.database.wait_for_writers(&appended.table).await?;
        }
        now.insert(appended.name(), count(appended).await?);
    }
    if let Some(noted) = journal.decided(&key, Entry::Committing) {
        let before: BTreeMap<String, Option<u64>> = serde_json::from_str(noted).unwrap_or_default();
        let had = |name: &str| before.get(name).copied().flatten().unwrap_or(0);
        return tables_there(context, tables, |name| (had(name), now[name].unwrap_or(0)));
    }
    let text = serde_json::to_string(&now).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
    let mut notes = journal.notes();
    notes.note(&key, Entry::Committing, &text);
    journal.add(notes);
    journal.sync(Durability::Machine).await?;
    Ok(vec![false; tables.len()])
}

/// Tells of each table whether its rows are there. `counts`: how many a table had before, and how many it has. A table that is
/// not there has none.
fn tables_there(
    context: &StepContext,
    tables: &[Appended],
    counts: impl Fn(&str) -> (u64, u64),
) -> Result<Vec<bool>> {
    // What a table has got, less what is accounted for: a step may add to a table twice, one after the other.
    let mut left: BTreeMap<String, Option<u64>> = BTreeMap::new();
    let mut there = Vec::with_capacity(tables.len());
    for appended in tables {
        let (had, has) = counts(&appended.name());
        let left = left
            .entry(appended.name())
            .or_insert_with(|| has.checked_sub(had));
        let rest = match (*left, appended.rows) {
            (Some(0), _) => {
                there.push(false);
                continue;
            }
            (Some(left), Some(rows)) => left.checked_sub(rows),
            _ => None,
        };
        *left = rest;
        there.push(true);
    }
    for (at, appended) in tables.iter().enumerate() {
        if left[&appended.name()] != Some(0) {
            there[at] = in_doubt(context, appended, counts(&appended.name()))?;
        }
    }
    Ok(there)
}

/// What counts for rows of which nobody knows whether they are there.
fn in_doubt(context: &StepContext, appended: &Appended, (had, has): (u64, u64)) -> Result<bool> {
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
