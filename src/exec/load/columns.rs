//! Columns that are only known when a step runs: given by Python, or by the data.

use std::sync::Arc;

use arrow::datatypes::DataType;
use sequor_planner::ops::{COLUMN, ColumnValue, Columns, DataPath, ResponseTable, TimeFormat};

use crate::batch::column::Column;
use crate::batch::field::Field;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::event::Emitter;
use crate::exec::tables::fits;
use crate::sources::database::{Database, TableName};
use crate::value::Value;

/// A column as it is written, and how its values are found in the rows.
#[derive(Debug, Clone)]
pub struct ColumnSpec {
    pub name: String,
    pub sql: String,
    pub field: Field,
    /// The value of all rows, where it is known before the first response.
    pub constant: Option<Value>,
}

impl ColumnSpec {
    /// Returns the column of a field of that name.
    pub fn new(name: impl Into<String>, sql: impl Into<String>) -> ColumnSpec {
        let name = name.into();
        ColumnSpec {
            field: Field::from(name.clone()),
            name,
            sql: sql.into(),
            constant: None,
        }
    }

    /// Returns the column as Python describes it: a type, or `{type, path, value, format}`.
    fn described(name: &str, value: &Value) -> Result<ColumnSpec> {
        let get = |key: &str| match value {
            Value::Map(entries) => entries.get(key).cloned(),
            // A table that lists columns may say whatever else it likes of them.
            Value::Row(row) if key == "type" => row.get(key),
            _ => None,
        };
        if let Value::Map(entries) = value {
            let known = || COLUMN.all().map(|key| key.name);
            if let Some(unknown) = entries.keys().find(|key| !known().any(|name| name == *key)) {
                let message = format!("column `{name}`: unknown key `{unknown}`");
                let near = sequor_planner::did_you_mean(unknown, "keys", known());
                return Err(Error::new(ErrorKind::Data, message).help(near.unwrap_or_default()));
            }
            if get("type").is_none() && !entries.contains_key("name") {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!("column `{name}` has no `type`"),
                ));
            }
        }
        let Some(sql) = get("type").filter(|_| !matches!(value, Value::Text(_))) else {
            return Ok(ColumnSpec::new(name, type_text(value)?));
        };
        let text = |key: &str| get(key).filter(|value| !matches!(value, Value::Null));
        let wrong = |why: String| Error::new(ErrorKind::Data, format!("column `{name}`: {why}"));
        let constant = text("value");
        let field = match text("path").map(|path| path.to_text()) {
            Some(_) if constant.is_some() => return Err(wrong("both `path` and `value` are given".into())),
            Some(path) => Field::at(name, &DataPath::read(&path).map_err(wrong)?)?,
            None if constant.is_some() => Field::given(name.to_string()),
            None => Field::from(name.to_string()),
        };
        let format = text("format").map(|format| TimeFormat::read(format.to_text().trim()));
        Ok(ColumnSpec {
            field: field.written(format.transpose().map_err(wrong)?.as_ref()),
            constant,
            ..ColumnSpec::new(name, type_text(&sized(&sql, get))?)
        })
    }
}

/// A type with its `precision` and `scale` beside it.
fn sized(sql: &Value, get: impl Fn(&str) -> Option<Value>) -> Value {
    let sizes = ["precision", "scale"].into_iter();
    let sizes: Vec<(String, Value)> = sizes
        .filter_map(|key| Some((key.to_string(), get(key)?)))
        .collect();
    match sizes.is_empty() {
        true => sql.clone(),
        false => Value::Map(Arc::new(
            [("name".to_string(), sql.clone())]
                .into_iter()
                .chain(sizes)
                .collect(),
        )),
    }
}

/// Columns as they are written.
pub type Specs = Vec<ColumnSpec>;

/// Returns the columns a table declares; none when they come from the data.
pub async fn declared(context: &StepContext, table: &ResponseTable) -> Result<Option<Specs>> {
    match &table.columns {
        Columns::Inferred => Ok(None),
        Columns::Declared(columns) => {
            let specs = columns
                .iter()
                .map(|column| spec(column).map_err(|e| e.at(&table.place)));
            specs.collect::<Result<_>>().map(Some)
        }
        Columns::Computed(prop) => {
            let value = context.value(prop).await?;
            specs(&value).map(Some).map_err(|e| e.at(&table.place))
        }
    }
}

fn spec(column: &sequor_planner::ops::ColumnSpec) -> Result<ColumnSpec> {
    let name = column.name.clone();
    let field = match &column.value {
        None => Field::from(name),
        Some(ColumnValue::Path(path)) => Field::at(&name, path)?,
        Some(ColumnValue::Given(_)) => Field::given(name),
    };
    Ok(ColumnSpec {
        field: field.written(column.format.as_ref()),
        ..ColumnSpec::new(&column.name, &column.sql_type)
    })
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
                specs.push(ColumnSpec::described(name, sql)?);
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
                    (Some(Value::Text(name)), Some(_)) => specs.push(ColumnSpec::described(&name, item)?),
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
pub fn typed(database: &dyn Database, specs: &[ColumnSpec]) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::with_capacity(specs.len());
    for ColumnSpec { name, sql, field, .. } in specs {
        let column = Column {
            name: database.fold(name),
            column_type: database.column_type(sql)?,
        };
        fits(database, "column", &column.name)?;
        if database.naming().find(&columns, &column.name).is_some() {
            let message = format!("column `{}` is given twice", column.name);
            return Err(Error::new(ErrorKind::Project, message)
                .help("names that differ in case alone are the same here"));
        }
        if let Some(format) = &field.format
            && !matches!(
                column.column_type.arrow,
                DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..)
            )
        {
            let message = format!(
                "column `{name}`: `format: {}` is for dates and times, and its type is `{sql}`",
                format.name()
            );
            return Err(Error::new(ErrorKind::Project, message)
                .help("use a type like timestamp, date or time, or leave `format` out"));
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
