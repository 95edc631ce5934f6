//! What the steps of a plan would do if they ran now: rows are counted, and states read.

use std::collections::BTreeMap;

use chrono::Utc;
use futures::StreamExt;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{Plain, RowSource, Since, TableRef, Transform};
use sequor_planner::plan::{Action, Estimates, HttpStep};
use serde_json::Value as Json;

use super::compile::Compiled;
use super::estimated_changes::estimate_changes;
use super::estimated_ranges::estimate_ranges;
use super::for_each_rows::known;
use super::literal::literal;
use super::parts::Parts;
use super::session::Session;
use super::step_states::found;
use crate::error::Result;
use crate::event::ChangeCounts;
use crate::exec::StartOf;

/// A step that is looked at.
enum Looked {
    Http(Box<HttpStep>),
    Transform(Box<(Transform, Since)>),
}

/// What was found of a step.
enum Found {
    Http(Box<Estimates>),
    /// From where a transform computes rows.
    Start(Result<String>),
}

impl Session {
    /// Fills in what the steps of a plan would do. A table that is not there yet leaves the requests of its step uncounted.
    ///
    /// # Errors
    /// As assembling the session.
    pub async fn estimate(&self, compiled: &mut Compiled) -> Result<()> {
        let mut steps = Vec::new();
        compiled.plan.root.each(&mut |step| match &step.action {
            Action::Http(http) => steps.push((step.id.clone(), Looked::Http(http.clone()))),
            Action::Plain(plain) => {
                if let Plain::Transform(transform) = &**plain
                    && let Some(since) = &transform.incremental
                {
                    let looked = Looked::Transform(Box::new((transform.clone(), since.clone())));
                    steps.push((step.id.clone(), looked));
                }
            }
            _ => {}
        });
        let parts = self.look(compiled)?;
        let mut all = BTreeMap::new();
        for (id, step) in steps {
            let found = match step {
                Looked::Http(http) => Found::Http(Box::new(look_at(&parts, compiled, (&id, &http)).await)),
                Looked::Transform(both) => {
                    let (transform, since) = *both;
                    Found::Start(start(&parts, &id, &transform, &since).await)
                }
            };
            all.insert(id, found);
        }
        parts.close().await;
        compiled.plan.root.each_mut(&mut |step| {
            let Some(found) = all.remove(&step.id) else {
                return;
            };
            match (&mut step.action, found) {
                (Action::Http(http), Found::Http(estimates)) => http.estimates = *estimates,
                (Action::Plain(plain), Found::Start(start)) => {
                    if let Plain::Transform(transform) = &mut **plain
                        && let Some(since) = &mut transform.incremental
                    {
                        match start {
                            Ok(start) => since.estimated_start = Some(start),
                            Err(why) => since.not_estimated = Some(why.to_string()),
                        }
                    }
                }
                _ => {}
            }
        });
        Ok(())
    }
}

/// Looks at what a request would ask for, and how often.
async fn look_at(parts: &Parts, compiled: &Compiled, (id, http): (&str, &HttpStep)) -> Estimates {
    let mut found = Estimates::default();
    let rows = http.request.for_each.as_ref();
    if http.asks.is_some() {
        estimate_ranges(parts, compiled, (id, http), &mut found).await;
        if found.estimated_requests.is_some() || found.would_fail.is_some() {
            return found;
        }
    }
    if http.synced.is_some() {
        estimate_changes(parts, compiled, (id, http), &mut found).await;
        let batch = rows.and_then(|rows| rows.batch_size);
        let sends = found.estimated_changes.filter(|_| found.would_fail.is_none());
        found.estimated_requests = sends.map(|counts| requests(&counts, batch));
        return found;
    }
    found.estimated_requests = match rows.map(|rows| &rows.from) {
        None => Some(1),
        Some(RowSource::Table(table)) => count(parts, table).await,
        Some(RowSource::Values(Prop::Literal(Json::Array(values)))) => u64::try_from(values.len()).ok(),
        Some(RowSource::Query(_) | RowSource::Values(_)) => None,
    };
    found
}

/// From where a transform would compute rows.
async fn start(parts: &Parts, id: &str, transform: &Transform, since: &Since) -> Result<String> {
    let initial = literal(&since.initial)?;
    let (database, target) = found(parts, id, &transform.target).await?;
    let asked = StartOf {
        since,
        initial: &initial,
        mode: &transform.write_mode,
        refresh: false,
        now: Utc::now(),
    };
    Ok(asked.find((&*database, &target)).await?.text())
}

/// How many requests a sending takes: the rows of a batch are of one kind.
fn requests(counts: &ChangeCounts, batch: Option<u64>) -> u64 {
    let size = batch.unwrap_or(1).max(1);
    [counts.added, counts.changed, counts.removed]
        .iter()
        .map(|rows| rows.div_ceil(size))
        .sum()
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
