//! UPDATE, DELETE and TRUNCATE.

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, TableFactor, TableWithJoins, Update,
    UpdateTableFromKind, visit_relations,
};

use super::commit::{Change, commit, current_schema};
use super::database::Staging;
use super::names::{TableId, fold, quote};
use super::rewrite::{Rewrite, rewrite};
use super::statement::unsupported;
use crate::error::{Error, ErrorKind, Result};

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
    let (id, alias) = target(from)?;
    let using = delete.using.unwrap_or_default();
    let change = Rewrite {
        id,
        alias,
        assigned: None,
        looks_elsewhere: !using.is_empty() || delete.selection.as_ref().is_some_and(has_query),
        others: using.iter().map(ToString::to_string).collect(),
        condition: condition(delete.selection.as_ref()),
    };
    rewrite(db, &change).await
}

/// Carries out an UPDATE; the number of rows that the condition was true for.
pub async fn update(db: &Staging, update: Update) -> Result<u64> {
    if update.returning.is_some() || update.limit.is_some() || !update.order_by.is_empty() {
        return Err(unsupported("RETURNING, LIMIT or ORDER BY in UPDATE"));
    }
    let (id, alias) = target(&update.table)?;
    let others = match update.from {
        Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) => from,
        None => Vec::new(),
    };
    let values = update.assignments.iter().map(|a| &a.value);
    let change = Rewrite {
        id,
        alias,
        looks_elsewhere: !others.is_empty() || values.chain(update.selection.as_ref()).any(has_query),
        assigned: Some(assigned(&update.assignments)?),
        others: others.iter().map(ToString::to_string).collect(),
        condition: condition(update.selection.as_ref()),
    };
    rewrite(db, &change).await
}

fn condition(selection: Option<&Expr>) -> String {
    selection.map_or_else(|| "true".to_string(), ToString::to_string)
}

/// Whether an expression reads a table.
fn has_query(expr: &Expr) -> bool {
    use std::ops::ControlFlow;
    let expr_without_tables = visit_relations(expr, |_| ControlFlow::Break(()));
    expr_without_tables.is_break()
}

/// The table that a statement changes, and what the statement calls it, as SQL.
fn target(table: &TableWithJoins) -> Result<(TableId, String)> {
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
    Ok((id, alias))
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
