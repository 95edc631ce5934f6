//! One conversation per row, or per batch of rows: many at the same time, or one by one where the next depends on the
//! last.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sequor_planner::ops::RowsOf;
use sequor_planner::plan::FanOut;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::load::rows::{self, Found};
use crate::exec::request::context::RequestContext;
use crate::exec::request::split::Asking;
use crate::exec::scope::{Layer, Scope};
use crate::value::Row;
use crate::value::Value;

/// Asks for every row. `own` holds the step's variables, and gets what the last row in order set.
pub async fn run(
    context: &Arc<RequestContext>,
    scope: &Scope,
    own: &Arc<Layer>,
    init: &HashMap<String, Value>,
) -> Result<()> {
    let Some(rows) = &context.http.request.for_each else {
        return Ok(());
    };
    let concurrency = match &context.http.fan_out {
        FanOut::Concurrent { concurrency } => concurrency.most(),
        _ => 1,
    };
    let (table, batches) = source(context, rows, scope).await?;
    let each_own = concurrency > 1 || !context.http.row_variables.is_empty();
    let what = if rows.batch_size.is_some() { "batch" } else { "row" };
    let conversations = values(batches, rows.batch_size)
        .take_while(|_| std::future::ready(!context.stopped.load(Ordering::Relaxed)))
        .enumerate()
        .map(|(number, row)| {
            let row = row?;
            let layer = if each_own {
                Layer::new(init.clone())
            } else {
                own.clone()
            };
            let asking = Asking {
                context: context.clone(),
                scope: scope.clone(),
                layer: layer.clone(),
                variable: rows.variable.clone(),
            };
            let table = table.to_string();
            // A task of its own, so that rows use all cores; dropped, it stops.
            let task = AbortOnDropHandle::new(tokio::spawn(async move {
                if let Err(error) = asking.ask(row).await {
                    let at = format!("{what} {} of `{table}` ({})", number + 1, asking.variable);
                    return Err(error.context(at));
                }
                Ok::<_, Error>((layer.all(), layer.scopes()))
            }));
            Ok(async move {
                let joined = task.await.map_err(|e| {
                    Error::new(
                        ErrorKind::Internal,
                        format!("the task of a request ended unexpectedly: {e}"),
                    )
                })?;
                joined.map(|set| (number, set))
            })
        })
        .try_buffer_unordered(concurrency);
    let mut conversations = std::pin::pin!(conversations);
    // What each variable was set to by the latest row so far.
    let mut latest: HashMap<String, (usize, Value)> = HashMap::new();
    while let Some((number, (set, scopes))) = conversations.try_next().await? {
        if !each_own {
            continue;
        }
        for (name, scope) in scopes {
            own.set_scope(&name, scope);
        }
        for (name, value) in set {
            match latest.get(&name) {
                Some((at, _)) if *at > number => {}
                _ => {
                    latest.insert(name, (number, value));
                }
            }
        }
    }
    if context.stopped.load(Ordering::Relaxed) {
        let what = match context.outcome.kept.load(Ordering::Relaxed) {
            true => "a rule keeps the tables: what other rows gave is not loaded",
            false => "a rule stopped it: further rows were not asked for",
        };
        let message = format!("{}: {what}", context.step.id());
        context.step.warn(message).await;
    }
    for (name, (_, value)) in latest {
        own.set(&name, value);
    }
    Ok(())
}

/// Rows, by chunks.
type Chunks = BoxStream<'static, Result<BoxStream<'static, Result<Value>>>>;

/// Returns what the step's variable holds, one after the other: a row each, or lists of so many rows.
pub fn values(rows: Chunks, batch_size: Option<u64>) -> BoxStream<'static, Result<Value>> {
    let rows = rows.try_flatten();
    match batch_size {
        None => rows.boxed(),
        Some(size) => rows
            .chunks(usize::try_from(size).unwrap_or(usize::MAX))
            .map(|rows| rows.into_iter().collect::<Result<Vec<Value>>>().map(Value::list))
            .boxed(),
    }
}

/// Returns the rows to ask for, and what messages call them.
pub async fn source(context: &RequestContext, wanted: &RowsOf, scope: &Scope) -> Result<(String, Chunks)> {
    let listed = |values: Vec<Value>| {
        let values = stream::iter(values.into_iter().map(Ok)).boxed();
        stream::once(async { Ok(values) }).boxed()
    };
    if let Some(records) = &context.records {
        let rows = records.iter().cloned().map(Value::Row).collect();
        return Ok(("the test record".into(), listed(rows)));
    }
    let step = context.step.in_scope(scope.clone());
    match rows::found(&step, wanted, context.http.row_columns.as_ref()).await? {
        Found::Values(values) => Ok(("values".into(), listed(values))),
        Found::Rows(name, rows) => {
            let chunks = rows.batches.map_ok(move |batch| {
                let batch = Arc::new(batch);
                let rows =
                    (0..batch.num_rows()).map(move |index| Ok(Value::Row(Row::new(batch.clone(), index))));
                stream::iter(rows).boxed()
            });
            Ok((name, chunks.boxed()))
        }
    }
}
