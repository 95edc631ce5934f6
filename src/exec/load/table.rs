//! Tables as steps name them: names that may be computed.

use sequor_planner::Place;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{TableDefaults, TableRef};

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::tables::{Relation, named_table};
use crate::sources::database::TableName;
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
    pub async fn evaluate(context: &StepContext, given: &TableDefaults, place: &Place) -> Result<Defaults> {
        let text = async |prop: &Option<Prop>| -> Result<Option<String>> {
            match prop {
                None => Ok(None),
                Some(prop) => Ok(named(context.value(prop).await?)),
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
    context: &StepContext,
    table: &TableRef,
) -> Result<(Option<String>, Option<String>, String)> {
    let given = [
        table.database.as_ref(),
        table.namespace.as_ref(),
        Some(&table.table),
    ];
    let props: Vec<_> = given.iter().flatten().copied().collect();
    let world = context.scope.world();
    let values = context.run.evaluator.all(&props, &world, None).await?;
    let mut values = values.into_iter();
    let mut next = |part: Option<&Prop>| part.and_then(|_| values.next()).and_then(named);
    let (database, namespace, name) = (next(given[0]), next(given[1]), next(given[2]));
    let name =
        name.ok_or_else(|| Error::new(ErrorKind::Project, "the table's name is empty").at(&table.place))?;
    Ok((database, namespace, name))
}

/// Returns the table's name, its computed parts evaluated.
pub async fn table_name(context: &StepContext, table: &TableRef) -> Result<TableName> {
    let (database, namespace, name) = evaluated(context, table).await?;
    let source = context.database(&table.source).await?;
    named_table(&*source, database, namespace, &name).map_err(|e| e.at(&table.place))
}

/// Returns what a step reads rows from.
pub async fn relation(context: &StepContext, table: &TableRef) -> Result<Relation> {
    let (database, namespace, name) = evaluated(context, table).await?;
    let source = context.database(&table.source).await?;
    let found = Relation::of(&*source, database, namespace, &name).await;
    found.map_err(|e| e.at(&table.place))
}
