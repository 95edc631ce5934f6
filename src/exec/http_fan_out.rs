//! One conversation per row: many at the same time, or one by one where the next depends on the last.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use sequor_planner::plan::FanOut;
use tokio_util::task::AbortOnDropHandle;

use super::http_step::{Asking, converse};
use super::scope::{Layer, Scope};
use super::table::table_name;
use crate::batch::row::Row;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// Asks for every row. `own` holds the step's variables, and gets what the last row in order set.
pub async fn run(
    asking: &Arc<Asking>,
    scope: &Scope,
    own: &Arc<Layer>,
    init: &HashMap<String, Value>,
) -> Result<()> {
    let Some(rows) = &asking.http.request.for_each else {
        return Ok(());
    };
    let concurrency = match &asking.http.fan_out {
        FanOut::Concurrent { concurrency } => *concurrency,
        _ => 1,
    };
    let table = table_name(&asking.run, &rows.table, scope).await?;
    let found = asking.run.databases.get(&rows.table.source)?.scan(&table).await;
    let found = found.map_err(|e| e.at(&rows.table.place))?;
    let each_own = concurrency > 1 || !asking.http.row_variables.is_empty();
    let conversations = found
        .batches
        .map_ok(|batch| {
            let batch = Arc::new(batch);
            stream::iter(
                (0..batch.num_rows()).map(move |index| Ok::<_, Error>(Row::new(batch.clone(), index))),
            )
        })
        .try_flatten()
        .enumerate()
        .map(|(number, row)| {
            let row = row?;
            let layer = if each_own {
                Layer::new(init.clone())
            } else {
                own.clone()
            };
            let scope = scope
                .with(Layer::one(&rows.variable, Value::Row(row)))
                .with(layer.clone());
            let asking = asking.clone();
            let (table, variable) = (table.to_string(), rows.variable.clone());
            // A task of its own, so that rows use all cores; dropped, it stops.
            let task = AbortOnDropHandle::new(tokio::spawn(async move {
                let result = converse(&asking, &scope, &layer).await;
                result.map_err(|e| e.context(format!("row {} of `{table}` ({variable})", number + 1)))?;
                Ok::<_, Error>(layer.all())
            }));
            Ok(async move {
                let joined = task
                    .await
                    .map_err(|e| Error::new(ErrorKind::Internal, format!("a request broke down: {e}")))?;
                joined.map(|set| (number, set))
            })
        })
        .try_buffer_unordered(concurrency);
    let mut conversations = std::pin::pin!(conversations);
    // What each variable was set to by the latest row so far.
    let mut latest: HashMap<String, (usize, Value)> = HashMap::new();
    while let Some((number, set)) = conversations.try_next().await? {
        if !each_own {
            continue;
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
    for (name, (_, value)) in latest {
        own.set(&name, value);
    }
    Ok(())
}
