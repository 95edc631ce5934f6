//! `insert .. on conflict` and `merge`, by the statements that the staging database has: rows that are new are put aside first, then
//! those that are there are changed, then the new ones are added.

use std::ops::ControlFlow;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::StreamExt;
use sqlparser::ast::{
    Assignment, ConflictTarget, Expr, Ident, Insert, Merge, MergeAction, MergeClauseKind, MergeInsertKind,
    OnConflict, OnConflictAction, OnInsert, Statement, TableFactor, VisitMut, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Session, TableName};
use crate::sources::sql::quote;
use crate::staging::Staging;

/// A statement that adds rows or changes those that are there.
pub enum Upsert {
    Insert(Box<Insert>),
    Merge(Box<Merge>),
}

/// What an upsert did.
pub struct Upserted {
    pub new: u64,
    pub changed: u64,
    /// The columns that tell rows apart; none: they are not known.
    pub key: Vec<String>,
}

/// Returns the upsert that a statement of the staging database's spelling is.
pub fn of(sql: &str) -> Option<Upsert> {
    let mut parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).ok()?;
    match parsed.pop()? {
        Statement::Insert(insert) if insert.on.is_some() => Some(Upsert::Insert(Box::new(insert))),
        Statement::Merge(merge) => Some(Upsert::Merge(Box::new(merge))),
        _ => None,
    }
}

/// Fails when a row of the target would be changed by more than one row: databases refuse that, or take any of them.
async fn once(aside: &Aside<'_>, merge: &Merge, source: &str, conditions: &[String]) -> Result<()> {
    let TableFactor::Table { name, alias, .. } = &merge.table else {
        return Err(untried("a merge into anything but a table"));
    };
    let target = match alias {
        Some(alias) => alias.name.to_string(),
        None => name.0.last().map(ToString::to_string).unwrap_or_default(),
    };
    let twice = format!(
        "SELECT count(*) AS n FROM (SELECT 1 AS one FROM (SELECT *, row_number() OVER () AS nth__ FROM {name}) AS {target}, {} AS {source} WHERE ({}) AND ({}) GROUP BY {target}.nth__ HAVING count(*) > 1) AS twice",
        aside.rows,
        merge.on,
        conditions.join(" OR ")
    );
    match aside.count(&twice).await? {
        0 => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Sql,
            format!("several rows of `{source}` match one row of `{name}`"),
        )
        .help("a merge changes a row once: make the rows of its source unique by what it compares")),
    }
}

fn untried(what: &str) -> Error {
    Error::new(ErrorKind::Sql, format!("{what} can't be tried in a dry run"))
}

impl Upsert {
    /// Carries it out. `target`: the table, as it is stored.
    ///
    /// # Errors
    /// What can't be tried; the staging database's.
    pub async fn execute(self, staging: &Staging, target: &TableName) -> Result<Upserted> {
        let aside = Aside::new(staging);
        let done = match self {
            Upsert::Insert(insert) => inserted(&aside, *insert, target).await,
            Upsert::Merge(merge) => merged(&aside, *merge).await,
        };
        let dropped = aside.drop().await;
        let done = done?;
        dropped.map(|()| done)
    }
}

/// Rows that are put aside.
struct Aside<'s> {
    staging: &'s Staging,
    /// The rows that are given, as SQL.
    rows: String,
    /// Those of them that are new.
    missing: String,
}

impl<'s> Aside<'s> {
    fn new(staging: &'s Staging) -> Aside<'s> {
        let named = |what: &str| {
            staging.quoted(&TableName {
                database: None,
                namespace: Some("__upsert".into()),
                table: format!("{what}_{}", Uuid::now_v7().simple()),
            })
        };
        Aside {
            staging,
            rows: named("rows"),
            missing: named("missing"),
        }
    }

    async fn execute(&self, sql: &str) -> Result<u64> {
        let mut session: Box<dyn Session + '_> = self.staging.session().await?;
        Ok(session.execute(sql).await?.unwrap_or_default())
    }

    async fn count(&self, sql: &str) -> Result<i64> {
        let mut rows = self.staging.query(sql).await?;
        let batch = rows.batches.next().await.transpose()?;
        let count = batch.and_then(|batch| Some(batch.column(0).as_primitive_opt::<Int64Type>()?.value(0)));
        Ok(count.unwrap_or_default())
    }

    async fn drop(&self) -> Result<()> {
        for table in [&self.rows, &self.missing] {
            self.execute(&format!("DROP TABLE IF EXISTS {table}")).await?;
        }
        Ok(())
    }
}

async fn inserted(aside: &Aside<'_>, insert: Insert, target: &TableName) -> Result<Upserted> {
    let Some(OnInsert::OnConflict(OnConflict {
        conflict_target,
        action,
    })) = insert.on
    else {
        return Err(untried("`on duplicate key`"));
    };
    let Some(ConflictTarget::Columns(key)) = conflict_target else {
        return Err(untried("`on conflict` without the names of its columns"));
    };
    let Some(source) = insert.source else {
        return Err(untried("an insert without rows"));
    };
    let mut columns: Vec<String> = insert.columns.iter().map(ToString::to_string).collect();
    if columns.is_empty() {
        let known = aside.staging.columns(target).await?.unwrap_or_default();
        columns = known.iter().map(|column| quote(&column.name)).collect();
    }
    let list = columns.join(", ");
    let table = insert.table.to_string();
    let alias = match &insert.table_alias {
        Some(alias) => alias.alias.to_string(),
        None => quote(&target.table),
    };
    let (rows, missing) = (&aside.rows, &aside.missing);
    aside
        .execute(&format!(
            "CREATE TABLE {rows} AS SELECT * FROM ({source}) AS given({list})"
        ))
        .await?;
    let each = |with: &str, by: &str| -> String {
        let parts: Vec<String> = key
            .iter()
            .map(|column| with.replace('#', &column.to_string()))
            .collect();
        parts.join(by)
    };
    let is_there = format!(
        "EXISTS (SELECT 1 FROM {table} AS there WHERE {})",
        each("there.# = given.#", " AND ")
    );
    let (keys, known) = (each("#", ", "), each("# IS NOT NULL", " AND "));
    match &action {
        OnConflictAction::DoNothing => {
            let first = format!(
                "SELECT {list} FROM (SELECT *, row_number() OVER (PARTITION BY {keys}) AS nth__ FROM {rows} AS given WHERE NOT {is_there}) AS given WHERE nth__ = 1 OR NOT ({known})"
            );
            aside
                .execute(&format!("CREATE TABLE {missing} AS {first}"))
                .await?;
        }
        OnConflictAction::DoUpdate(_) => {
            let twice = format!(
                "SELECT count(*) AS n FROM (SELECT 1 AS one FROM {rows} WHERE {known} GROUP BY {keys} HAVING count(*) > 1) AS twice"
            );
            if aside.count(&twice).await? > 0 {
                let message = format!("two rows that are inserted have the same {keys}");
                return Err(Error::new(ErrorKind::Sql, message)
                    .help("`on conflict do update` changes a row once: leave one of them out"));
            }
            let new = format!("SELECT * FROM {rows} AS given WHERE NOT {is_there}");
            aside.execute(&format!("CREATE TABLE {missing} AS {new}")).await?;
        }
    }
    let mut changed = 0;
    if let OnConflictAction::DoUpdate(mut update) = action {
        let mut of = OfTarget { alias: &alias };
        for assignment in &mut update.assignments {
            let _ = assignment.value.visit(&mut of);
        }
        let mut condition = each(&format!("{alias}.# = excluded.#"), " AND ");
        if let Some(mut selection) = update.selection {
            let _ = selection.visit(&mut of);
            condition.push_str(&format!(" AND ({selection})"));
        }
        let named = match &insert.table_alias {
            Some(alias) => format!("{table} AS {}", alias.alias),
            None => table.clone(),
        };
        let sql = format!(
            "UPDATE {named} SET {} FROM {rows} AS excluded WHERE {condition}",
            assigned(&update.assignments)
        );
        changed = aside.execute(&sql).await?;
    }
    let sql = format!("INSERT INTO {table} ({list}) SELECT {list} FROM {missing}");
    let new = aside.execute(&sql).await?;
    let key = key.iter().map(|column| column.value.clone()).collect();
    Ok(Upserted { new, changed, key })
}

fn assigned(assignments: &[Assignment]) -> String {
    let each: Vec<String> = assignments.iter().map(ToString::to_string).collect();
    each.join(", ")
}

/// Names without a table are those of the target.
struct OfTarget<'a> {
    alias: &'a str,
}

impl VisitorMut for OfTarget<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr {
            let alias = match self
                .alias
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
            {
                Some(quoted) => Ident::with_quote('"', quoted.replace("\"\"", "\"")),
                None => Ident::new(self.alias),
            };
            *expr = Expr::CompoundIdentifier(vec![alias, name.clone()]);
        }
        ControlFlow::Continue(())
    }
}

/// A condition that holds where those before it do not.
fn alone(predicate: Option<&Expr>, before: &[String]) -> String {
    let own = predicate.map(|predicate| format!("({predicate})"));
    let others = before.iter().map(|other| format!("({other}) IS NOT TRUE"));
    let all: Vec<String> = own.into_iter().chain(others).collect();
    match all.is_empty() {
        true => "true".into(),
        false => all.join(" AND "),
    }
}

async fn merged(aside: &Aside<'_>, merge: Merge) -> Result<Upserted> {
    let TableFactor::Table { name, .. } = &merge.table else {
        return Err(untried("a merge into anything but a table"));
    };
    let named = merge.table.to_string();
    let source = match &merge.source {
        TableFactor::Table {
            name, alias: None, ..
        } => {
            let last = name.0.last().map(ToString::to_string);
            last.ok_or_else(|| untried("a merge without a source"))?
        }
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => alias.name.to_string(),
        _ => return Err(untried("a merge from a query without a name")),
    };
    let (rows, missing, on) = (&aside.rows, &aside.missing, &merge.on);
    aside
        .execute(&format!("CREATE TABLE {rows} AS SELECT * FROM {}", merge.source))
        .await?;
    aside
        .execute(&format!(
            "CREATE TABLE {missing} AS SELECT * FROM {rows} AS {source} WHERE NOT EXISTS (SELECT 1 FROM {named} WHERE {on})"
        ))
        .await?;
    let (mut deletes, mut updates, mut inserts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut of_matched, mut of_missing) = (Vec::new(), Vec::new());
    for clause in &merge.clauses {
        let before = match clause.clause_kind {
            MergeClauseKind::Matched => &mut of_matched,
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => &mut of_missing,
            MergeClauseKind::NotMatchedBySource => return Err(untried("`when not matched by source`")),
        };
        let condition = alone(clause.predicate.as_ref(), before);
        before.push(
            clause
                .predicate
                .as_ref()
                .map_or("true".into(), ToString::to_string),
        );
        match &clause.action {
            MergeAction::Delete { .. } => {
                deletes.push(format!(
                    "DELETE FROM {named} USING {rows} AS {source} WHERE {on} AND {condition}"
                ));
            }
            MergeAction::Update(update) => {
                if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                    return Err(untried("a merge whose update has a condition of its own"));
                }
                let set = assigned(&update.assignments);
                updates.push(format!(
                    "UPDATE {named} SET {set} FROM {rows} AS {source} WHERE {on} AND {condition}"
                ));
            }
            MergeAction::Insert(insert) => {
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(untried("a merge that inserts a row as it is"));
                };
                let [row] = values.rows.as_slice() else {
                    return Err(untried("a merge that inserts several rows"));
                };
                let columns: Vec<String> = insert.columns.iter().map(ToString::to_string).collect();
                let columns = match columns.is_empty() {
                    true => String::new(),
                    false => format!("({})", columns.join(", ")),
                };
                let values: Vec<String> = row.content.iter().map(ToString::to_string).collect();
                inserts.push(format!(
                    "INSERT INTO {name} {columns} SELECT {} FROM {missing} AS {source} WHERE {condition}",
                    values.join(", ")
                ));
            }
        }
    }
    if updates.len() > 1 {
        return Err(untried("a merge with several updates"));
    }
    if !of_matched.is_empty() {
        once(aside, &merge, &source, &of_matched).await?;
    }
    let (mut new, mut changed) = (0, 0);
    for sql in deletes.iter().chain(&updates) {
        changed += aside.execute(sql).await?;
    }
    for sql in &inserts {
        new += aside.execute(sql).await?;
    }
    let key = Vec::new();
    Ok(Upserted { new, changed, key })
}
