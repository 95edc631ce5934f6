//! How many requests a plan will make: the rows of its for_each tables, counted.

use std::collections::BTreeMap;

use futures::StreamExt;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{RowSource, TableRef};
use sequor_planner::plan::{Action, HttpStep};
use serde_json::Value as Json;

use super::asked_ranges::asked_ranges;
use super::compile::Compiled;
use super::parts::Parts;
use super::session::Session;
use crate::changes::{Of, Snapshot, Wanted};
use crate::error::Result;
use crate::event::ChangeCounts;
use crate::exec::{named_table, scope_of};
use crate::sources::database::{Database, TableName};

/// How often a step asks.
enum Asked {
    Times(usize),
    PerRow(Box<TableRef>),
}

impl Session {
    /// Fills in how many requests the steps of a plan will make. A table that is not there yet leaves its step without.
    ///
    /// # Errors
    /// As assembling the session.
    pub async fn estimate(&self, compiled: &mut Compiled) -> Result<()> {
        let mut tables = Vec::new();
        let mut synced = Vec::new();
        let mut incremental = Vec::new();
        compiled.plan.root.each(&mut |step| {
            if let Action::Http(http) = &step.action {
                if http.asks.is_some() {
                    incremental.push((step.id.clone(), http.clone()));
                }
                if http.synced.is_some() {
                    synced.push((step.id.clone(), http.clone()));
                    return;
                }
                let asked = match http.request.for_each.as_ref().map(|rows| &rows.from) {
                    None => Asked::Times(1),
                    Some(RowSource::Table(table)) => Asked::PerRow(Box::new(table.clone())),
                    Some(RowSource::Values(Prop::Literal(Json::Array(values)))) => Asked::Times(values.len()),
                    Some(RowSource::Query(_) | RowSource::Values(_)) => return,
                };
                tables.push((step.id.clone(), asked));
            }
        });
        let parts = self.look(compiled)?;
        let mut counted = BTreeMap::new();
        for (id, table) in tables {
            let count = match table {
                Asked::PerRow(table) => count(&parts, &table).await,
                Asked::Times(count) => u64::try_from(count).ok(),
            };
            counted.extend(count.map(|count| (id, count)));
        }
        let mut changed = BTreeMap::new();
        for (id, http) in synced {
            changed.extend(
                changes(&parts, compiled, &id, &http)
                    .await
                    .map(|counts| (id, counts)),
            );
        }
        let mut ranges = BTreeMap::new();
        for (id, http) in incremental {
            // What can't be told now is told by the run.
            if let Ok(Some(asked)) = asked_ranges(&parts, compiled, &id, &http).await {
                ranges.insert(id, asked);
            }
        }
        parts.close().await;
        compiled.plan.root.each_mut(&mut |step| {
            let estimate = counted.get(&step.id).copied();
            let changes = changed.get(&step.id).copied();
            if let Action::Http(http) = &mut step.action {
                let batch = http.request.for_each.as_ref().and_then(|rows| rows.batch_size);
                http.estimated_changes = changes;
                http.estimated_ranges = ranges.get(&step.id).cloned();
                let alone = http
                    .estimated_ranges
                    .as_ref()
                    .filter(|_| http.request.for_each.is_none());
                let estimate = alone.map(|asked| asked.count).or(estimate);
                http.estimated_requests = estimate.or_else(|| changes.map(|counts| requests(&counts, batch)));
            }
        });
        Ok(())
    }
}

/// How many requests a sending takes: the rows of a batch are of one kind.
fn requests(counts: &ChangeCounts, batch: Option<u64>) -> u64 {
    let size = batch.unwrap_or(1).max(1);
    [counts.added, counts.changed, counts.removed]
        .iter()
        .map(|rows| rows.div_ceil(size))
        .sum()
}

/// How many rows of a step have changed since it sent them; none where only the run can tell.
async fn changes(parts: &Parts, compiled: &Compiled, id: &str, http: &HttpStep) -> Option<ChangeCounts> {
    let (synced, rows) = (http.synced.as_ref()?, http.request.for_each.as_ref()?);
    let (given, (source, _)) = (rows.changes.as_ref()?, rows.database()?);
    if synced.snapshot.source != source {
        return None;
    }
    let database = parts.databases.get(source, &parts.scope()).await.ok()?;
    let from = match &rows.from {
        RowSource::Table(table) => database.quoted(&known(&*database, table)?),
        RowSource::Query(query) => {
            let sql = query.query.as_text()?.trim();
            format!(
                "({}\n) q",
                sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace())
            )
        }
        RowSource::Values(_) => return None,
    };
    let table = known(&*database, &synced.snapshot)?;
    let of = Of {
        rows: from,
        wanted: Wanted {
            key: &given.key,
            kept: http.row_columns.as_ref(),
            compared: synced.columns.as_ref(),
        },
        scope: scope_of(compiled.names(), &compiled.plan.flow, id),
        definition: String::new(),
    };
    let snapshot = Snapshot::of(database, table, of).await.ok()?;
    let all = snapshot.check_keys().await.ok()?;
    snapshot.estimate(&given.rows, given.baseline, all).await.ok()
}

/// A table whose name is known.
fn known(database: &dyn Database, table: &TableRef) -> Option<TableName> {
    let text = |prop: &Option<Prop>| match prop {
        None => Some(None),
        Some(prop) => Some(Some(prop.as_text()?.to_string())),
    };
    let (of, namespace) = (text(&table.database)?, text(&table.namespace)?);
    named_table(database, of, namespace, table.table.as_text()?).ok()
}

/// The rows of a table whose name is known.
async fn count(parts: &Parts, table: &TableRef) -> Option<u64> {
    let database = parts.databases.get(&table.source, &parts.scope()).await.ok()?;
    let table = known(&*database, table)?;
    let sql = format!("SELECT count(*) AS n FROM {}", database.quoted(&table));
    let mut rows = database.query(&sql).await.ok()?;
    let batch = rows.batches.next().await?.ok()?;
    let row = crate::value::Row::new(std::sync::Arc::new(batch), 0);
    match row.get("n")? {
        crate::value::Value::Int(n) => u64::try_from(n).ok(),
        _ => None,
    }
}
