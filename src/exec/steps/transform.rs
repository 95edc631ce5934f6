//! `transform`.

use std::sync::Arc;

use sequor_planner::ops::{Engine, Transform, WINDOW, WriteMode};

use super::execute::sql_text;
use super::local;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::incremental::start;
use crate::exec::layer::Layer;
use crate::exec::load::appends::{self, Appended};
use crate::exec::load::table::table_name;
use crate::exec::load::write_mode;
use crate::sources::database::{Database, TableName};
use crate::sources::sql::without_end;

/// Runs a query where its data is; its result becomes the target.
pub async fn run(context: &StepContext, step: &Transform) -> Result<()> {
    let target = table_name(context, &step.target).await?;
    let database = context.database(&step.target.source).await?;
    let mut overlap = None;
    let inside;
    let context = match &step.incremental {
        None => context,
        Some(since) => {
            // What is there is what the steps before have left.
            context.scope.wait_for_turn().await?;
            let found = start(context, since, &step.write_mode, (&*database, &target)).await?;
            overlap = found.overlap;
            inside = context.in_scope(context.scope.with(Layer::one(WINDOW, found.window)));
            &inside
        }
    };
    let query = sql_text(context, &step.query).await?;
    let query = without_end(&query);
    if query.is_empty() {
        return Err(Error::new(ErrorKind::Project, "`query` is empty"));
    }
    context.scope.wait_for_turn().await?;
    let here = match step.engine {
        Engine::Across => !schemas_win(context, step, query).await?,
        engine => engine.is_local(),
    };
    if here {
        return local::transform(context, step, query, (&target, overlap))
            .await
            .map_err(|e| match e.table() {
                // A load names its table itself.
                Some(_) => e.at(&step.query_place),
                None => e
                    .at(&step.query_place)
                    .context(format!("transform into `{target}`")),
            });
    }
    let statements = sequor_planner::split_statements(query, database.dialect()).len();
    if statements > 1 {
        return Err(Error::new(
            ErrorKind::Sql,
            format!("`query` must be one query, and holds {statements} statements"),
        )
        .help("use `execute` for statements"));
    }
    if step.write_mode == WriteMode::Append
        && step.incremental.is_none()
        && added_already(context, (&step.target.source, &database), &target, query).await?
    {
        return Ok(());
    }
    let mode = write_mode(&step.write_mode, &*database);
    let rows = context
        .run
        .journal
        .effect(database.transform_over(query, &target, mode, overlap.as_ref()))
        .await
        .map_err(|e| {
            e.at(&step.query_place)
                .context(format!("transform into `{target}`"))
        })?;
    context.counters.add_rows(rows);
    Ok(())
}

/// Notes that rows will be added to a table. Whether an earlier attempt has added them.
async fn added_already(
    context: &StepContext,
    (source, database): (&str, &Arc<dyn Database>),
    table: &TableName,
    query: &str,
) -> Result<bool> {
    // How many rows are added is asked only where it matters.
    let rows = match appends::is_noted(context) {
        true => {
            appends::first_number(
                &**database,
                &format!("SELECT count(*) AS n FROM ({query}\n) AS q"),
            )
            .await?
        }
        false => None,
    };
    let appended = Appended {
        source: source.to_string(),
        database: database.clone(),
        table: table.clone(),
        rows,
    };
    let there = appends::before_commit(context, &[appended]).await?;
    Ok(there.first() == Some(&true))
}

/// Whether the database of the target has the tables that a query names like those of other sources: its own schema is
/// meant then.
async fn schemas_win(context: &StepContext, step: &Transform, query: &str) -> Result<bool> {
    let own = step.target.source.as_str();
    let database = context.database(own).await?;
    let Ok(found) = sequor_planner::sql::analyse(query, database.dialect()) else {
        return Ok(false);
    };
    let mut both = Vec::new();
    for table in &found.reads {
        let Some(schema) = &table.namespace else { continue };
        if context
            .run
            .databases
            .find(schema)
            .is_none_or(|source| source == own)
        {
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
    context.warn(message).await;
    Ok(true)
}
