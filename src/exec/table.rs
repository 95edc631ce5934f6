//! Tables as steps name them, and their rows.

use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::Place;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{TableDefaults, TableRef};

use super::run::Run;
use super::scope::Scope;
use crate::batch::row::Row;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Rows, TableName};
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

/// The table's name, its computed parts evaluated.
pub async fn table_name(run: &Run, table: &TableRef, scope: &Scope) -> Result<TableName> {
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
