//! Tables as flows name them, and their rows.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::{NamePart, name_parts};

use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows, TableName};
use crate::value::Row;

/// Returns a table by its name as a flow writes it, which is SQL's: `schema.table`, `"Quoted Name"`.
///
/// # Errors
/// Text that is no name.
pub fn named_table(
    source: &dyn Database,
    database: Option<String>,
    namespace: Option<String>,
    name: &str,
) -> Result<TableName> {
    let Some(mut parts) = name_parts(name) else {
        // A name with blanks, of a table that was made to the letter.
        return Ok(TableName {
            database: database.map(|name| source.fold(&name)),
            namespace: namespace.map(|name| source.fold(&name)),
            table: name.to_string(),
        });
    };
    let mut last = || {
        parts.pop().map(|part| match part.quoted {
            true => part.text,
            false => source.fold(&part.text),
        })
    };
    let table = last().unwrap_or_default();
    let plain = |name: Option<String>| {
        name.map(|name| match name_parts(&name).as_deref() {
            Some([NamePart { text, quoted: true }]) => text.clone(),
            _ => source.fold(&name),
        })
    };
    let named = TableName {
        namespace: last().or_else(|| plain(namespace)),
        database: last().or_else(|| plain(database)),
        table,
    };
    fits(source, "table", &named.table)?;
    for schema in [&named.namespace, &named.database].into_iter().flatten() {
        fits(source, "schema", schema)?;
    }
    Ok(named)
}

/// Checks that the database keeps a name whole.
///
/// # Errors
/// A name that it would cut.
pub fn fits(source: &dyn Database, what: &str, name: &str) -> Result<()> {
    match source
        .dialect()
        .name_limit()
        .and_then(|limit| limit.exceeded(name))
    {
        None => Ok(()),
        Some(why) => {
            let message = format!("the name of {what} `{name}` is too long: {why}");
            Err(Error::new(ErrorKind::Project, message)
                .help("choose a shorter name: two long ones may become the same"))
        }
    }
}

/// What can stand behind FROM: a table's name, or SQL that gives rows.
pub enum Relation {
    Table(TableName),
    Sql(String),
}

impl Relation {
    /// Returns the relation that a text names. One that is no name of SQL's and no table's is SQL.
    pub async fn of(
        source: &dyn Database,
        database: Option<String>,
        namespace: Option<String>,
        name: &str,
    ) -> Result<Relation> {
        let table = named_table(source, database, namespace, name)?;
        match name_parts(name).is_some() || source.columns(&table).await?.is_some() {
            true => Ok(Relation::Table(table)),
            false => Ok(Relation::Sql(format!("SELECT * FROM {name}"))),
        }
    }

    /// Returns its rows, with only these columns where that can be told.
    pub async fn scan(&self, source: &dyn Database, wanted: Option<&BTreeSet<String>>) -> Result<Rows> {
        match self {
            Relation::Table(table) => source.scan_columns(table, wanted).await,
            Relation::Sql(sql) => source.query(sql).await,
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Relation::Table(table) => table.fmt(f),
            Relation::Sql(sql) => f.write_str(sql),
        }
    }
}

/// Returns all rows, in memory: for expressions, which ask for them as a list.
pub async fn collect(rows: Rows) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    let mut batches = rows.batches;
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        all.extend((0..batch.num_rows()).map(|index| Row::new(batch.clone(), index)));
    }
    Ok(all)
}
