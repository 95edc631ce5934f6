//! Tables as steps name them, and their rows.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::Place;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{TableDefaults, TableRef};
use sequor_planner::{NamePart, name_parts};

use super::run::Run;
use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows, TableName};
use crate::value::Row;
use crate::value::Value;

/// What the tables that a parser names leave out, evaluated.
pub struct Defaults {
    pub source: Option<String>,
    pub database: Option<String>,
    pub namespace: Option<String>,
    pub table: Option<String>,
    pub place: Place,
}

impl Defaults {
    /// Evaluates the defaults of a response.
    pub async fn evaluate(
        run: &Run,
        given: &TableDefaults,
        place: &Place,
        scope: &Scope,
    ) -> Result<Defaults> {
        let text = async |prop: &Option<Prop>| -> Result<Option<String>> {
            match prop {
                None => Ok(None),
                Some(prop) => Ok(named(run.evaluator.one(prop, &scope.world(), None).await?)),
            }
        };
        Ok(Defaults {
            source: given.source.clone(),
            database: text(&given.database).await?,
            namespace: text(&given.namespace).await?,
            table: text(&given.table).await?,
            place: place.clone(),
        })
    }
}

/// A name as a value gives it; null and blank are none.
fn named(value: Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        value => value.to_text().trim().to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// The parts of a table's name as the flow gives them, evaluated: database, namespace, name.
async fn evaluated(
    run: &Run,
    table: &TableRef,
    scope: &Scope,
) -> Result<(Option<String>, Option<String>, String)> {
    let given = [
        table.database.as_ref(),
        table.namespace.as_ref(),
        Some(&table.table),
    ];
    let props: Vec<_> = given.iter().flatten().copied().collect();
    let values = run.evaluator.all(&props, &scope.world(), None).await?;
    let mut values = values.into_iter();
    let mut next = |part: Option<&Prop>| part.and_then(|_| values.next()).and_then(named);
    let (database, namespace, name) = (next(given[0]), next(given[1]), next(given[2]));
    let name =
        name.ok_or_else(|| Error::new(ErrorKind::Project, "the table's name is empty").at(&table.place))?;
    Ok((database, namespace, name))
}

/// The table's name, its computed parts evaluated.
pub async fn table_name(run: &Run, table: &TableRef, scope: &Scope) -> Result<TableName> {
    let (database, namespace, name) = evaluated(run, table, scope).await?;
    let source = run.databases.get(&table.source, scope).await?;
    named_table(&*source, database, namespace, &name).map_err(|e| e.at(&table.place))
}

/// A table by its name as a flow writes it, which is SQL's: `schema.table`, `"Quoted Name"`.
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
    Ok(TableName {
        namespace: last().or_else(|| plain(namespace)),
        database: last().or_else(|| plain(database)),
        table,
    })
}

/// What can stand behind FROM: a table's name, or SQL that gives rows.
pub enum Relation {
    Table(TableName),
    Sql(String),
}

impl Relation {
    /// The relation that a text names. One that is no name of SQL's and no table's is SQL.
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

    /// The rows of a step.
    pub async fn evaluate(run: &Run, table: &TableRef, scope: &Scope) -> Result<Relation> {
        let (database, namespace, name) = evaluated(run, table, scope).await?;
        let source = run.databases.get(&table.source, scope).await?;
        let found = Relation::of(&*source, database, namespace, &name).await;
        found.map_err(|e| e.at(&table.place))
    }

    /// Its rows, with only these columns where that can be told.
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
