//! How many requests a plan will make: the rows of its for_each tables, counted.

use std::collections::BTreeMap;

use futures::StreamExt;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{RowSource, TableRef};
use sequor_planner::plan::Action;
use serde_json::Value as Json;

use super::compile::Compiled;
use super::parts::Parts;
use super::session::Session;
use crate::error::Result;
use crate::sources::database::TableName;

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
        compiled.plan.root.each(&mut |step| {
            if let Action::Http(http) = &step.action {
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
        parts.close().await;
        compiled.plan.root.each_mut(&mut |step| {
            let estimate = counted.get(&step.id).copied();
            if let Action::Http(http) = &mut step.action {
                http.estimated_requests = estimate;
            }
        });
        Ok(())
    }
}

/// The rows of a table whose name is known.
async fn count(parts: &Parts, table: &TableRef) -> Option<u64> {
    let database = parts.databases.get(&table.source, &parts.scope()).await.ok()?;
    let name = |prop: &Option<Prop>| match prop {
        None => Some(None),
        Some(prop) => Some(Some(database.fold(prop.as_text()?))),
    };
    let table = TableName {
        database: name(&table.database)?,
        namespace: name(&table.namespace)?,
        table: database.fold(table.table.as_text()?),
    };
    let sql = format!("SELECT count(*) AS n FROM {}", database.quoted(&table));
    let mut rows = database.query(&sql).await.ok()?;
    let batch = rows.batches.next().await?.ok()?;
    let row = crate::value::Row::new(std::sync::Arc::new(batch), 0);
    match row.get("n")? {
        crate::value::Value::Int(n) => u64::try_from(n).ok(),
        _ => None,
    }
}
