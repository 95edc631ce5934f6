//! Steps that steer: variables, print, if, for_each, and the start of a called flow.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{RowsOf, VariableScope, VariableSet};
use sequor_planner::plan::{PlannedBranch, Region};

use super::event::Event;
use super::run::Run;
use super::scheduler::{self, Prepared};
use super::scope::{Layer, Scope};
use super::table::Relation;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::held::held;
use crate::value::Row;
use crate::value::Value;

/// Sets variables, all from the values before the step.
pub async fn set_variables(run: &Arc<Run>, variables: &[VariableSet], scope: &Scope) -> Result<()> {
    let props: Vec<_> = variables.iter().map(|v| &v.value).collect();
    let values = run.evaluator.kept(&props, &scope.world(), None).await?;
    let mut set = Vec::with_capacity(values.len());
    for (variable, value) in variables.iter().zip(values) {
        for (name, value, local) in super::variables::expanded(variable, value)? {
            let kept = match local {
                Some(true) => VariableScope::Local,
                Some(false) => VariableScope::Project,
                None => variable.scope,
            };
            set.push((scope.target(&name, kept), value));
        }
    }
    scope.stage(&set);
    scope.come().await?;
    scope.publish(set);
    Ok(())
}

/// Prints a message.
pub async fn print(run: &Arc<Run>, message: &Prop, scope: &Scope) -> Result<()> {
    let value = run.evaluator.one(message, &scope.world(), None).await?;
    scope.come().await?;
    run.events
        .emit(Event::Printed(run.redactor.redact(&value.to_text())))
        .await;
    Ok(())
}

/// The truth of a condition. A value that looks like an answer and is none is worth a warning: 2, a list, `yes`.
pub async fn holds(run: &Run, what: &str, value: &Value) -> bool {
    let odd = match value {
        Value::Null | Value::Bool(_) => false,
        Value::Int(n) => *n != 0,
        Value::Float(n) => *n != 0.0,
        Value::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            !matches!(text.as_str(), "" | "true" | "false" | "none")
        }
        Value::List(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        Value::Pairs(pairs) => !pairs.is_empty(),
        Value::Object(_) => false,
        _ => true,
    };
    if odd {
        let text = value.to_text();
        let shown: String = text.chars().take(40).collect();
        let message = format!("{what} is `{shown}`, which counts as false: only `true` is true");
        run.events
            .emit(Event::Warning(run.redactor.redact(&message)))
            .await;
    }
    value.is_true()
}

/// Runs the first branch whose condition is true.
pub async fn branch(
    run: &Arc<Run>,
    branches: &[PlannedBranch],
    otherwise: &Region,
    scope: Scope,
    depth: usize,
) -> Result<()> {
    for branch in branches {
        let condition = run.evaluator.one(&branch.condition, &scope.world(), None).await?;
        if holds(run, "the condition of an if", &condition).await {
            return scheduler::region(run.clone(), Prepared::new(&branch.then), scope, depth + 1).await;
        }
    }
    scheduler::region(run.clone(), Prepared::new(otherwise), scope, depth + 1).await
}

/// Runs the body once per row, in order.
pub async fn for_each(
    run: &Arc<Run>,
    rows: &RowsOf,
    columns: Option<&BTreeSet<String>>,
    body: &Region,
    scope: Scope,
    depth: usize,
) -> Result<()> {
    let body = Prepared::new(body);
    let table = Relation::evaluate(run, &rows.table, &scope).await?;
    let database = run.databases.get(&rows.table.source, &scope).await?;
    // The steps take their time, and may replace the very table.
    let mut batches = held(table.scan(&*database, columns).await?).await?.batches;
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        for index in 0..batch.num_rows() {
            let row = Value::Row(Row::new(batch.clone(), index));
            let scope = scope.with(Layer::one(&rows.variable, row));
            scheduler::region(run.clone(), body.clone(), scope, depth + 1).await?;
        }
    }
    Ok(())
}

/// Runs the body while the condition is true.
pub async fn repeat(
    run: &Arc<Run>,
    condition: &Prop,
    body: &Region,
    max: Option<u64>,
    scope: Scope,
    depth: usize,
) -> Result<()> {
    let body = Prepared::new(body);
    let mut rounds = 0;
    loop {
        let again = run.evaluator.one(condition, &scope.world(), None).await?;
        if !holds(run, "the condition of a while", &again).await {
            return Ok(());
        }
        if Some(rounds) == max {
            let message = format!("the condition is still true after {rounds} rounds");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        scheduler::region(run.clone(), body.clone(), scope.clone(), depth + 1).await?;
        rounds += 1;
    }
}

/// Runs steps; an error of theirs ends in `catch`, where there is one. `finally` runs whatever happened, save after an
/// interrupt.
pub async fn attempt(
    run: &Arc<Run>,
    steps: &Region,
    catch: Option<&Region>,
    finally: &Region,
    scope: Scope,
    depth: usize,
) -> Result<()> {
    let inside = match catch {
        Some(_) => scope.inside_try(),
        None => scope.clone(),
    };
    let tried = scheduler::region(run.clone(), Prepared::new(steps), inside, depth + 1).await;
    let result = match (tried, catch) {
        // Taken again and again, calls without end would double at each level.
        (Err(error), _) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Depth) => {
            return Err(error);
        }
        (Err(error), Some(catch)) => {
            let scope = scope.with(Layer::one("error", Value::text(error.to_string())));
            scheduler::region(run.clone(), Prepared::new(catch), scope, depth + 1).await
        }
        (result, _) => result,
    };
    let ended = scheduler::region(run.clone(), Prepared::new(finally), scope, depth + 1).await;
    // The first error says what went wrong.
    result.and(ended)
}

/// Starts a called flow: its parameters are all it sees of its caller.
pub async fn enter(run: &Arc<Run>, frame: usize, parameters: Option<&Prop>, scope: &Scope) -> Result<()> {
    let mut locals = HashMap::new();
    if let Some(prop) = parameters {
        match run.evaluator.one(prop, &scope.world(), None).await? {
            Value::Map(entries) => locals.extend(entries.iter().map(|(k, v)| (k.clone(), v.clone()))),
            Value::Row(row) => locals.extend(row.iter().map(|(k, v)| (k.to_string(), v))),
            Value::Null => {}
            other => {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!(
                        "`parameters` must be a map of names to values, and is {}",
                        other.kind()
                    ),
                ));
            }
        }
    }
    // Nothing before the step is in this frame.
    run.variables.enter(frame, locals);
    scope.stage(&[]);
    Ok(())
}
