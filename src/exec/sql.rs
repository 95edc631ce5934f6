//! `transform` and `execute`.

use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::ops::{Engine, Execute, Transform};

use super::event::{Counters, Event};
use super::local;
use super::run::Run;
use super::scope::Scope;
use super::table::table_name;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, TableName};
use sequor_planner::ops::WriteMode;

/// Runs a query where its data is; its result becomes the target.
pub async fn transform(run: &Arc<Run>, step: &Transform, scope: &Scope, counters: &Counters) -> Result<()> {
    let query = text(run, &step.query, scope).await?;
    let query = query
        .trim()
        .trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    if query.is_empty() {
        return Err(Error::new(ErrorKind::Project, "`query` is empty"));
    }
    let target = table_name(run, &step.target, scope).await?;
    scope.come().await?;
    let here = match step.engine {
        Engine::Across => !schemas_win(run, step, query, scope).await?,
        engine => engine.is_local(),
    };
    if here {
        return local::transform(run, step, query, &target, (scope, counters))
            .await
            .map_err(|e| {
                e.at(&step.query_place)
                    .context(format!("transform into `{target}`"))
            });
    }
    let database = run.databases.get(&step.target.source, scope).await?;
    let statements = sequor_planner::split_statements(query, database.dialect()).len();
    if statements > 1 {
        return Err(Error::new(
            ErrorKind::Sql,
            format!("`query` must be one query, and holds {statements} statements"),
        )
        .help("use `execute` for statements"));
    }
    let rows = database
        .transform(query, &target, write_mode(&step.write_mode, &*database))
        .await
        .map_err(|e| {
            e.at(&step.query_place)
                .context(format!("transform into `{target}`"))
        })?;
    counters.add_rows(rows);
    Ok(())
}

/// Whether the database of the target has the tables that a query names like those of other sources: its own schema is
/// meant then.
async fn schemas_win(run: &Run, step: &Transform, query: &str, scope: &Scope) -> Result<bool> {
    let own = step.target.source.as_str();
    let database = run.databases.get(own, scope).await?;
    let Ok(found) = sequor_planner::sql::analyse(query, database.dialect()) else {
        return Ok(false);
    };
    let mut both = Vec::new();
    for table in &found.reads {
        let Some(schema) = &table.namespace else { continue };
        if run.databases.find(schema).is_none_or(|source| source == own) {
            continue;
        }
        let name = TableName {
            database: None,
            namespace: Some(database.fold(schema)),
            table: database.fold(&table.table),
        };
        // A database that has no such schema may say so by an error.
        let there = database
            .columns(&name)
            .await
            .is_ok_and(|columns| columns.is_some());
        both.extend(there.then(|| format!("`{schema}.{}`", table.table)));
    }
    if both.is_empty() {
        return Ok(false);
    }
    let message = format!(
        "{} is taken as a table of {own}, which has such a schema, and not as one of the source of that name",
        both.join(", ")
    );
    run.events.emit(Event::Warning(message)).await;
    Ok(true)
}

/// Runs statements. What a line `go` ends is one transaction, where the database has such of DDL.
pub async fn execute(run: &Arc<Run>, step: &Execute, scope: &Scope, counters: &Counters) -> Result<()> {
    let sql = text(run, &step.statement, scope).await?;
    let database = run.databases.get(&step.source, scope).await?;
    let dialect = database.dialect();
    let pieces = sequor_planner::split_pieces(&sql, dialect);
    let many = pieces.iter().map(Vec::len).sum::<usize>() > 1;
    let place = |e: Error| e.at(&step.statement_place);
    let mut session = database.session().await.map_err(place)?;
    let mut before = 0;
    for statements in &pieces {
        let whole = sequor_planner::is_transaction(statements, dialect);
        if whole {
            session.execute("BEGIN").await.map_err(place)?;
        }
        for (number, statement) in statements.iter().enumerate() {
            let touched = session.execute(statement).await.map_err(place);
            let touched = touched.map_err(|e| match many {
                true => e.context(failed_at(
                    before + number,
                    if whole { before } else { before + number },
                )),
                false => e,
            })?;
            counters.add_rows(touched.unwrap_or(0));
        }
        if whole {
            // Constraints that wait for the end are looked at now.
            session.execute("COMMIT").await.map_err(place)?;
        }
        before += statements.len();
    }
    Ok(())
}

/// Which statement failed (from 0), and how many before it stay carried out.
fn failed_at(number: usize, kept: usize) -> String {
    let at = format!("statement {}", number + 1);
    match (number, kept) {
        (0, _) => at,
        (_, 0) => format!("{at} (nothing was carried out)"),
        (_, 1) => format!("{at} (statement 1 was carried out)"),
        (_, kept) => format!("{at} (statements 1 to {kept} were carried out)"),
    }
}

/// The write mode with names as the database keeps them.
pub fn write_mode(mode: &WriteMode, database: &dyn Database) -> WriteMode {
    match mode {
        WriteMode::Upsert(key) => WriteMode::Upsert(key.iter().map(|name| database.fold(name)).collect()),
        other => other.clone(),
    }
}

async fn text(run: &Run, sql: &Prop, scope: &Scope) -> Result<String> {
    let text = run.evaluator.one(sql, &scope.world(), None).await?.to_text();
    Ok(sequor_planner::plain_colons(&text).into_owned())
}
