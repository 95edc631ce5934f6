//! INSERT.

use sqlparser::ast::{Insert, Statement, TableObject};

use super::commit::{Change, commit, current_schema};
use super::convert::Mapping;
use super::database::Staging;
use super::names::{TableId, fold, quote};
use super::near;
use super::statement::{parse, unsupported};
use super::types::DEFAULT_KEY;
use crate::error::{Error, ErrorKind, Result};

/// Carries out an INSERT; the number of rows added.
pub async fn rows(db: &Staging, insert: Insert) -> Result<u64> {
    if insert.on.is_some() {
        return Err(unsupported("INSERT ... ON CONFLICT")
            .help("use `write_mode: upsert` in a step, or DELETE and INSERT"));
    }
    if insert.returning.is_some() {
        return Err(unsupported("RETURNING"));
    }
    if insert.overwrite || insert.or.is_some() || insert.replace_into || !insert.assignments.is_empty() {
        return Err(unsupported("this form of INSERT"));
    }
    let TableObject::TableName(name) = &insert.table else {
        return Err(unsupported("INSERT into anything but a table"));
    };
    let id = TableId::of_sql(name)?;
    let table = db.tables.require(&id).await?;
    let schema = current_schema(&table)?;

    let all: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let listed: Vec<String> = insert
        .columns
        .iter()
        .filter_map(|name| name.0.last().and_then(|part| part.as_ident()).map(fold))
        .collect();
    for (index, name) in listed.iter().enumerate() {
        if !all.contains(name) {
            let message = format!("table `{id}` has no column `{name}`");
            let error = Error::new(ErrorKind::Sql, message);
            return Err(match near::help("its columns", name, &all) {
                Some(help) => error.help(help),
                None => error,
            });
        }
        if listed[..index].contains(name) {
            let message = format!("column `{name}` is listed twice");
            return Err(Error::new(ErrorKind::Sql, message));
        }
    }
    let Some(source) = insert.source else {
        return Err(unsupported("INSERT ... DEFAULT VALUES"));
    };
    let columns = if listed.is_empty() { all } else { listed };

    // Columns that are not given: their default is one more column of the query, else null.
    let defaults: Vec<(usize, String)> = schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| !columns.contains(field.name()))
        .filter_map(|(i, field)| Some((i, field.metadata().get(DEFAULT_KEY)?.clone())))
        .collect();
    let query = if defaults.is_empty() {
        Statement::Query(source)
    } else {
        let given = db.plan(Statement::Query(source.clone())).await?;
        let given = given.schema().fields().len();
        if given != columns.len() {
            return Err(wrong_number(&id, columns.len(), given));
        }
        let names: Vec<String> = columns.iter().map(|c| quote(c)).collect();
        let values: Vec<String> = defaults
            .iter()
            .map(|(i, value)| format!("({value}) AS {}", quote(schema.field(*i).name())))
            .collect();
        parse(&format!(
            "SELECT *, {} FROM ({source}) AS \"source\" ({})",
            values.join(", "),
            names.join(", ")
        ))?
    };
    let query = db.plan(query).await?;
    let given = query.schema().fields().len();
    if given != columns.len() + defaults.len() {
        return Err(wrong_number(&id, columns.len(), given - defaults.len()));
    }
    let sources = schema.fields().iter().enumerate().map(|(i, field)| {
        let given = columns.iter().position(|c| c == field.name());
        given.or_else(|| {
            let default = defaults.iter().position(|(column, _)| *column == i);
            default.map(|position| columns.len() + position)
        })
    });
    let mapping = Mapping::listed(schema.clone(), sources.collect());
    let written = db.write_files(query, &id, schema.clone(), mapping).await?;
    let rows = written.rows;
    if rows == 0 {
        return Ok(0);
    }
    let lock = db.tables.lock(&id).await;
    commit(&db.tables, &id, &lock, Change::Append, &schema, Some(written)).await?;
    Ok(rows)
}

fn wrong_number(id: &TableId, names: usize, values: usize) -> Error {
    let message = format!("INSERT into `{id}` names {names} columns and gives {values} values");
    Error::new(ErrorKind::Sql, message)
}
