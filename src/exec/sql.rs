//! `transform` and `execute`.

use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::ops::{self, Engine, Execute, Transform};

use super::event::Counters;
use super::local;
use super::run::Run;
use super::scope::Scope;
use super::table::table_name;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, WriteMode};

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
    if step.engine == Engine::Local {
        return local::transform(run, step, query, &target, counters)
            .await
            .map_err(|e| {
                e.at(&step.query_place)
                    .context(format!("transform into `{target}`"))
            });
    }
    let database = run.databases.get(&step.target.source)?;
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

/// Runs statements, one after the other.
pub async fn execute(run: &Arc<Run>, step: &Execute, scope: &Scope, counters: &Counters) -> Result<()> {
    let sql = text(run, &step.statement, scope).await?;
    let database = run.databases.get(&step.source)?;
    let statements = sequor_planner::split_statements(&sql, database.dialect());
    let many = statements.len() > 1;
    let mut session = database
        .session()
        .await
        .map_err(|e| e.at(&step.statement_place))?;
    for (number, statement) in statements.iter().enumerate() {
        let touched = session
            .execute(statement)
            .await
            .map_err(|e| e.at(&step.statement_place))
            .map_err(|e| match many {
                true if number > 0 => {
                    let kept = if number == 1 {
                        "statement 1 was".to_string()
                    } else {
                        format!("statements 1 to {number} were")
                    };
                    e.context(format!("statement {} ({kept} carried out)", number + 1))
                }
                true => e.context("statement 1".to_string()),
                false => e,
            })?;
        counters.add_rows(touched.unwrap_or(0));
    }
    Ok(())
}

/// As databases take it.
pub fn write_mode(mode: &ops::WriteMode, database: &dyn Database) -> WriteMode {
    match mode {
        ops::WriteMode::Create => WriteMode::Replace,
        ops::WriteMode::Append => WriteMode::Append,
        ops::WriteMode::Upsert(key) => {
            WriteMode::Upsert(key.iter().map(|name| database.fold(name)).collect())
        }
    }
}

async fn text(run: &Run, sql: &Prop, scope: &Scope) -> Result<String> {
    Ok(run.evaluator.one(sql, &scope.world(), None).await?.to_text())
}
