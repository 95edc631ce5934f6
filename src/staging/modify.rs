//! UPDATE, DELETE and TRUNCATE: the table is written anew, in one commit.

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::array::RecordBatch;
use deltalake_core::DeltaTable;
use futures::StreamExt;
use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, FromTable, TableFactor, TableWithJoins, Update,
    UpdateTableFromKind,
};

use super::commit::{Change, Outcome, commit, current_schema};
use super::convert::Mapping;
use super::database::Staging;
use super::names::{TableId, fold, quote};
use super::near;
use super::statement::{parse, unsupported};
use super::writer::TableWriter;
use crate::error::{Error, ErrorKind, Result};

/// The column that tells which rows the condition is true for.
const HIT: &str = "__sequor_hit";

/// How often a rewrite starts again when another process changed the table meanwhile.
const ATTEMPTS: usize = 20;

/// Empties a table.
pub async fn truncate(db: &Staging, id: &TableId, if_exists: bool) -> Result<()> {
    let lock = db.tables.lock(id).await;
    match db.tables.open(id).await? {
        Some(table) => {
            let schema = current_schema(&table)?;
            commit(&db.tables, id, &lock, Change::Replace, &schema, None).await?;
            Ok(())
        }
        None if if_exists => Ok(()),
        None => Err(db.tables.missing(id).await),
    }
}

/// Carries out a DELETE; the number of rows that went.
pub async fn delete(db: &Staging, delete: Delete) -> Result<u64> {
    if delete.returning.is_some() || delete.limit.is_some() || !delete.order_by.is_empty() {
        return Err(unsupported("RETURNING, LIMIT or ORDER BY in DELETE"));
    }
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [from] = from.as_slice() else {
        return Err(unsupported("DELETE from several tables"));
    };
    let target = Target::of(from)?;
    let condition = delete.selection.map(|c| c.to_string());
    let mut hit = condition.unwrap_or_else(|| "true".to_string());
    if let Some(using) = &delete.using {
        let using: Vec<String> = using.iter().map(ToString::to_string).collect();
        hit = format!("EXISTS (SELECT 1 FROM {} WHERE {hit})", using.join(", "));
    }
    rewrite(db, &target.id, true, |schema| {
        let columns: Vec<String> = schema.fields().iter().map(|f| quote(f.name())).collect();
        Ok(format!(
            "SELECT {}, ({hit}) AS {} FROM {} AS {}",
            columns.join(", "),
            quote(HIT),
            target.id.sql(),
            target.alias
        ))
    })
    .await
}

/// Carries out an UPDATE; the number of rows that the condition was true for.
pub async fn update(db: &Staging, update: Update) -> Result<u64> {
    if update.returning.is_some() || update.limit.is_some() || !update.order_by.is_empty() {
        return Err(unsupported("RETURNING, LIMIT or ORDER BY in UPDATE"));
    }
    let target = Target::of(&update.table)?;
    let condition = update.selection.as_ref().map(ToString::to_string);
    let condition = condition.unwrap_or_else(|| "true".to_string());
    let assigned = assigned(&update.assignments)?;
    let from = match &update.from {
        Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) => {
            from.as_slice()
        }
        None => &[],
    };
    rewrite(db, &target.id, false, |schema| {
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        for (name, _) in &assigned {
            if !names.contains(name) {
                let message = format!("table `{}` has no column `{name}`", target.id);
                let error = Error::new(ErrorKind::Sql, message);
                return Err(match near::help("its columns", name, &names) {
                    Some(help) => error.help(help),
                    None => error,
                });
            }
        }
        let columns: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| {
                let column = quote(field.name());
                let old = format!("{}.{column}", target.alias);
                let Some((_, new)) = assigned.iter().find(|(name, _)| name == field.name()) else {
                    return format!("{old} AS {column}");
                };
                // The new value takes the column's type here, or CASE would bring old values to a common type.
                let new = match field.data_type() {
                    DataType::Utf8 => format!("({new})"),
                    other => format!("arrow_cast(({new}), '{other}')"),
                };
                format!("CASE WHEN {} THEN {new} ELSE {old} END AS {column}", quote(HIT))
            })
            .collect();
        let columns = columns.join(", ");
        let (table, alias, hit) = (target.id.sql(), &target.alias, quote(HIT));
        Ok(match from {
            [] => format!(
                "SELECT {columns}, {hit} FROM (SELECT *, coalesce(({condition}), false) AS {hit} FROM {table} AS {alias}) AS {alias}"
            ),
            from => joined(&columns, &table, alias, from, &condition),
        })
    })
    .await
}

/// UPDATE ... FROM: rows of the target with their partner, if there is one; the first one if there are several.
fn joined(
    columns: &str,
    table: &str,
    alias: &str,
    from: &[TableWithJoins],
    condition: &str,
) -> String {
    let (hit, row) = (quote(HIT), quote("__sequor_row"));
    let others: Vec<String> = from.iter().map(ToString::to_string).collect();
    format!(
        "SELECT DISTINCT ON ({alias}.{row}) {columns}, {hit} FROM \
         (SELECT *, row_number() OVER () AS {row} FROM {table}) AS {alias} \
         LEFT JOIN ({} CROSS JOIN (SELECT true AS {hit}) AS {hit}) ON {condition}",
        others.join(" CROSS JOIN ")
    )
}

/// The table that a statement changes.
struct Target {
    id: TableId,
    /// What the statement calls it, as SQL.
    alias: String,
}

impl Target {
    fn of(table: &TableWithJoins) -> Result<Target> {
        let TableFactor::Table { name, alias, .. } = &table.relation else {
            return Err(unsupported("changing anything but a table"));
        };
        if !table.joins.is_empty() {
            return Err(unsupported("a join as the target"));
        }
        let id = TableId::of_sql(name)?;
        let alias = match alias {
            Some(alias) => quote(&fold(&alias.name)),
            None => quote(&id.table),
        };
        Ok(Target { id, alias })
    }
}

fn assigned(assignments: &[Assignment]) -> Result<Vec<(String, String)>> {
    let mut assigned: Vec<(String, String)> = Vec::new();
    for assignment in assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(unsupported("SET (a, b) = ..."));
        };
        let Some(column) = name.0.last().and_then(|part| part.as_ident()).map(fold) else {
            return Err(unsupported("this form of SET"));
        };
        if assigned.iter().any(|(name, _)| *name == column) {
            let message = format!("column `{column}` is set twice");
            return Err(Error::new(ErrorKind::Sql, message));
        }
        assigned.push((column, assignment.value.to_string()));
    }
    Ok(assigned)
}

/// Writes the table anew from a query over it, whose last column tells which rows the statement is about: those are
/// counted and, if `drop_hits`, left out.
async fn rewrite(
    db: &Staging,
    id: &TableId,
    drop_hits: bool,
    query: impl Fn(&SchemaRef) -> Result<String>,
) -> Result<u64> {
    let lock = db.tables.lock(id).await;
    for _ in 0..ATTEMPTS {
        let table = db.tables.require(id).await?;
        let schema = current_schema(&table)?;
        let sql = query(&schema)?;
        let planned = db.plan(parse(&sql)?).await?;
        let mapping = Mapping::by_position(schema.clone());
        let mut writer = TableWriter::new(&table.log_store(), schema.clone(), mapping)?;
        let mut hits = 0;
        let mut batches = planned.run()?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let hit = hit(&batch)?;
            hits += hit.true_count() as u64;
            let batch = match drop_hits {
                true => filter_record_batch(&batch, &arrow::compute::not(&hit)?)?,
                false => batch,
            };
            writer.write(&batch).await?;
        }
        if hits == 0 {
            writer.discard().await;
            return Ok(0);
        }
        let written = writer.finish().await?;
        let change = Change::Rewrite {
            version: version(&table)?,
        };
        let outcome = commit(&db.tables, id, &lock, change, &schema, Some(written)).await?;
        if outcome == Outcome::Done {
            return Ok(hits);
        }
    }
    let message = format!("table `{id}` is changed by others all the time");
    Err(Error::new(ErrorKind::Sql, message))
}

/// The version that was read.
pub fn version(table: &DeltaTable) -> Result<u64> {
    table
        .version()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the table is not loaded"))
}

/// The last column; a condition that is null is not true.
fn hit(batch: &RecordBatch) -> Result<BooleanArray> {
    let column = batch.columns().last();
    let column = column.and_then(|c| c.as_boolean_opt());
    let Some(column) = column else {
        return Err(Error::new(
            ErrorKind::Sql,
            "the condition is not true or false",
        ));
    };
    Ok(match column.null_count() {
        0 => column.clone(),
        _ => column.iter().map(|v| Some(v.unwrap_or(false))).collect(),
    })
}
