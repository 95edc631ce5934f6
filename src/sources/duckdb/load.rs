//! Loads: rows into a side table, which then takes its place, in one transaction.

use std::sync::Arc;

use super::database::{quoted, shown_name};
use super::side::{DuckDbSide, side};
use crate::batch::column::Column;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::{Error, Result};
use crate::sources::adbc::{Connections, Ingest, Plan};
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, SameKeys};
use crate::sources::sql::{definitions, quote};
use sequor_planner::ops::WriteMode;

/// Begins a load.
pub fn begin(
    connections: &Arc<Connections>,
    target: &TableName,
    columns: &[Column],
    mut mode: WriteMode,
) -> Result<Ingest> {
    upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    let side = side(target);
    let create = format!(
        "CREATE TABLE {} ({})",
        quoted(&side),
        definitions(columns, |c| match c.column_type.logical {
            Logical::Array => "JSON".to_string(),
            _ => c.column_type.sql.clone(),
        })
    );
    // JSON's own reading of lists, which text does not get.
    let arrays: Vec<String> = columns
        .iter()
        .filter(|c| c.column_type.logical == Logical::Array)
        .map(|c| {
            let (name, sql) = (quote(&c.name), &c.column_type.sql);
            let side = quoted(&side);
            format!("ALTER TABLE {side} ALTER COLUMN {name} TYPE {sql} USING CAST({name} AS {sql})")
        })
        .collect();
    let plan = Plan {
        side_sql: quoted(&side),
        target: quoted(target),
        side: side.table.clone(),
        schema: side.namespace.clone(),
        catalog: side.database.clone(),
        columns: arrow_schema(columns),
    };
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    // What is more than types the side table has not.
    let more = columns.iter().any(|c| c.column_type.declared.is_some());
    let declared = more.then(|| definitions(columns, |c| c.column_type.declaration().to_string()));
    let (target, named) = (target.clone(), target.clone());
    let explain = move |error: Error| error.map_text(|text| shown_name(text, &named));
    Ok(Ingest::begin(
        connections,
        plan,
        Box::new(move |connections, connection| connections.execute(connection, &create).map(|_| ())),
        Box::new(move |connections, connection| {
            for array in &arrays {
                connections.execute(connection, array)?;
            }
            let names = Names::plain(quoted(&side), quoted(&target), names, quote);
            let mut side = DuckDbSide {
                connections,
                connection,
                target: &target,
                names,
                declared: declared.as_deref(),
            };
            side.land(&mode, SameKeys::KeepLast)
        }),
        Box::new(explain),
    ))
}
