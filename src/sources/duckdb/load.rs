//! Loads: rows into a side table, which then takes its place, in one transaction.

use std::sync::Arc;

use super::database::{exists, quoted, shown_name};
use crate::batch::column::Column;
use crate::batch::types::{Logical, arrow_schema};
use crate::error::{Error, Result};
use crate::sources::adbc::{Connection, Connections, Ingest, Plan};
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::sql::{
    Keyed, UpsertSql, column_list, definitions, duplicate_keys_error, null_error, quote,
};
use sequor_planner::ops::WriteMode;

/// What the names of side tables begin with.
pub const SIDE: &str = "sequor_side_";

/// A table beside the target, of a name that nobody has.
pub fn side(target: &TableName) -> TableName {
    TableName {
        table: format!("{SIDE}{}", uuid::Uuid::new_v4().simple()),
        ..target.clone()
    }
}

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
            if let WriteMode::Upsert(key) = &mode {
                let side = quoted(&side);
                let keep_last = Keyed { side: &side, key }.keep_last("rowid");
                connections.execute(connection, &keep_last)?;
            }
            let target = Target {
                name: &target,
                declared: declared.as_deref(),
            };
            settle(connections, connection, &side, &target, &names, &mode)
        }),
        Box::new(explain),
    ))
}

/// # Errors
/// Rows of the side table with the same key.
pub fn refuse_duplicate_keys(
    connections: &Connections,
    connection: &mut Connection,
    side: &TableName,
    key: &[String],
) -> Result<()> {
    let side = quoted(side);
    match connections.any(connection, &Keyed { side: &side, key }.duplicates())? {
        false => Ok(()),
        true => Err(duplicate_keys_error(key)),
    }
}

/// Where rows go.
pub struct Target<'a> {
    pub name: &'a TableName,
    /// What makes the table, where that is more than the columns of the side table.
    pub declared: Option<&'a str>,
}

/// Puts the rows of the side table into their place, inside a transaction.
pub fn settle(
    connections: &Connections,
    connection: &mut Connection,
    side: &TableName,
    target: &Target<'_>,
    columns: &[String],
    mode: &WriteMode,
) -> Result<()> {
    let Target {
        name: target,
        declared,
    } = target;
    let (side_sql, target_sql) = (quoted(side), quoted(target));
    let made = |like: &str| match declared {
        Some(declared) => format!("CREATE TABLE {target_sql} ({declared})"),
        None => like.to_string(),
    };
    if mode.replaces() && declared.is_none() {
        connections.execute(connection, &format!("DROP TABLE IF EXISTS {target_sql}"))?;
        let rename = format!("ALTER TABLE {side_sql} RENAME TO {}", quote(&target.table));
        return connections.execute(connection, &rename).map(|_| ());
    }
    if mode.replaces() {
        connections.execute(connection, &format!("DROP TABLE IF EXISTS {target_sql}"))?;
    }
    if !exists(connections, connection, target)? {
        let like = format!("CREATE TABLE {target_sql} AS SELECT * FROM {side_sql} LIMIT 0");
        connections.execute(connection, &made(&like))?;
    }
    match mode {
        WriteMode::Upsert(key) => {
            let rows = Keyed { side: &side_sql, key };
            let upsert = UpsertSql {
                rows,
                target: &target_sql,
                columns,
            };
            for name in key {
                if connections.any(connection, &rows.nulls(name))? {
                    return Err(null_error(name));
                }
            }
            if let Some(update) = upsert.update() {
                connections.execute(connection, &update)?;
            }
            connections.execute(connection, &upsert.insert())?;
        }
        _ => {
            let names = column_list(columns.iter().map(String::as_str));
            let insert = format!("INSERT INTO {target_sql} ({names}) SELECT {names} FROM {side_sql}");
            connections.execute(connection, &insert)?;
        }
    }
    connections
        .execute(connection, &format!("DROP TABLE {side_sql}"))
        .map(|_| ())
}
