//! Columns that are only known when a step runs: given by Python, or by the data.

use sequor_planner::ops::{Columns, ResponseTable};

use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::event::Emitter;
use crate::sources::database::{Database, TableName};
use crate::value::Value;

/// Names and types as written.
pub type Specs = Vec<(String, String)>;

/// Returns the columns a table declares; none when they come from the data.
pub async fn declared(context: &StepContext, table: &ResponseTable) -> Result<Option<Specs>> {
    match &table.columns {
        Columns::Inferred => Ok(None),
        Columns::Declared(columns) => Ok(Some(
            columns
                .iter()
                .map(|c| (c.name.clone(), c.sql_type.clone()))
                .collect(),
        )),
        Columns::Computed(prop) => {
            let value = context.value(prop).await?;
            specs(&value).map(Some).map_err(|e| e.at(&table.place))
        }
    }
}

/// Columns as Python gives them: a map of names to types, a list of `{name, type}`, or either under `columns`.
pub fn specs(value: &Value) -> Result<Specs> {
    let wrong = |what: String| {
        Error::new(ErrorKind::Data, what)
            .help("columns are {\"name\": \"type\"} or [{\"name\": ..., \"type\": ...}]")
    };
    let mut specs = Vec::new();
    match value {
        Value::Map(entries)
            if entries.len() == 1
                && matches!(entries.get("columns"), Some(Value::Map(_) | Value::List(_))) =>
        {
            return self::specs(entries.get("columns").unwrap_or(&Value::Null));
        }
        Value::Map(entries) => {
            for (name, sql) in entries.iter() {
                specs.push((name.clone(), type_text(sql)?));
            }
        }
        Value::List(items) => {
            for item in items.iter() {
                let get = |key: &str| match item {
                    Value::Map(entries) => entries.get(key).cloned(),
                    Value::Row(row) => row.get(key),
                    _ => None,
                };
                match (get("name"), get("type")) {
                    (Some(Value::Text(name)), None | Some(Value::Null)) => {
                        return Err(wrong(format!("column `{name}` of the list has no `type`")));
                    }
                    (Some(Value::Text(name)), _) if name.trim().is_empty() => {
                        return Err(wrong("a column of the list has an empty `name`".into()));
                    }
                    (Some(Value::Text(name)), Some(sql)) => specs.push((name.to_string(), type_text(&sql)?)),
                    _ => return Err(wrong("a column of the list has no `name` and `type`".into())),
                }
            }
        }
        other => return Err(wrong(format!("columns are given as {}", other.kind()))),
    }
    match specs.is_empty() {
        true => Err(wrong("there are no columns".into())),
        false => Ok(specs),
    }
}

/// A type: text, or `{name, precision, scale}`.
fn type_text(value: &Value) -> Result<String> {
    let text = match value {
        Value::Text(text) => text.to_string(),
        Value::Map(entries) => {
            let name = entries.get("name").map(Value::to_text).unwrap_or_default();
            let sizes = ["precision", "scale"]
                .into_iter()
                .filter_map(|key| entries.get(key));
            let sizes: Vec<String> = sizes.map(Value::to_text).collect();
            match sizes.is_empty() {
                true => name,
                false => format!("{name}({})", sizes.join(",")),
            }
        }
        other => other.to_text(),
    };
    match sequor_planner::ops::is_column_type(&text) {
        true => Ok(text),
        false => Err(
            Error::new(ErrorKind::Data, format!("`{text}` is not a column type")).help(
                "use a type of the target database, like text, bigint, numeric(10,2), timestamp, jsonb",
            ),
        ),
    }
}

/// Columns as a database holds them; each keeps its place among `specs`.
pub fn typed(database: &dyn Database, specs: &[(String, String)]) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::with_capacity(specs.len());
    for (name, sql) in specs {
        let column = Column {
            name: database.fold(name),
            column_type: database.column_type(sql)?,
        };
        if database.naming().find(&columns, &column.name).is_some() {
            let message = format!("column `{}` is given twice", column.name);
            return Err(Error::new(ErrorKind::Project, message)
                .help("names that differ in case alone are the same here"));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Gives columns the names that they have in a table that is there: names that are found in any case, and those that the
/// database would have folded but for a program that kept them as they are, of which a warning tells. `given`: the names
/// as the flow writes them. `there`: the table's columns, where they are known; they are looked up only for names that
/// the database folds.
pub async fn named_as_there(
    (database, table): (&dyn Database, &TableName),
    given: &[String],
    columns: &mut [Column],
    there: Option<&[Column]>,
    emitter: &Emitter,
) -> Result<()> {
    let folded = columns
        .iter()
        .zip(given)
        .any(|(column, given)| column.name != *given);
    let looked_up = match there {
        None if folded => database.columns(table).await?,
        _ => None,
    };
    let Some(there) = there.or(looked_up.as_deref()) else {
        return Ok(());
    };
    for (column, given) in columns.iter_mut().zip(given) {
        match database.naming().find(there, &column.name) {
            Some(known) => column.name.clone_from(&known.name),
            None if there.iter().any(|known| known.name == *given) => {
                let warning = format!(
                    "table `{table}`: its column `{given}` is found by SQL as \"{given}\" only; without quotes it would be `{}`",
                    column.name
                );
                emitter.warn(warning).await;
                column.name.clone_from(given);
            }
            None => {}
        }
    }
    Ok(())
}
