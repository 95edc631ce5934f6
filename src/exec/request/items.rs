//! What a step asks for, one after the other: the rows of its for_each, or what of them has changed.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sequor_planner::ops::RowsOf;

use super::context::RequestContext;
use crate::error::Result;
use crate::exec::changes::Item;
use crate::exec::load::frozen::{self, Given};
use crate::exec::load::rows;
use crate::exec::scope::Scope;
use crate::value::{Row, Value};

/// Rows, by chunks.
type Chunks = BoxStream<'static, Result<BoxStream<'static, Result<Value>>>>;

/// Returns what is asked for, one after the other, and what messages call the rows.
///
/// # Errors
/// As finding the rows.
pub async fn items(context: &RequestContext, wanted: &RowsOf, scope: &Scope) -> Result<(String, Items)> {
    if let Some(pass) = &context.pass {
        let what = if pass.replays {
            "what was sent before"
        } else {
            "what has changed"
        };
        return Ok((what.to_string(), pass.items().await?));
    }
    let (name, rows) = source(context, wanted, scope).await?;
    let values = values(rows, wanted.batch_size);
    Ok((name, values.map_ok(Item::from).boxed()))
}

/// What is asked for.
pub type Items = BoxStream<'static, Result<Item>>;

/// Returns what the step's variable holds, one after the other: a row each, or lists of so many rows.
fn values(rows: Chunks, batch_size: Option<u64>) -> BoxStream<'static, Result<Value>> {
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
async fn source(context: &RequestContext, wanted: &RowsOf, scope: &Scope) -> Result<(String, Chunks)> {
    let listed = |values: Vec<Value>| {
        let values = stream::iter(values.into_iter().map(Ok)).boxed();
        stream::once(async { Ok(values) }).boxed()
    };
    if let Some(records) = &context.records {
        let rows = records.iter().cloned().map(Value::Row).collect();
        return Ok(("the test record".into(), listed(rows)));
    }
    let step = context.step.in_scope(scope.clone());
    let find = rows::found(&step, wanted, context.http.row_columns.as_ref());
    let given = match &context.checkpoint {
        None => Given::from(find.await?),
        Some(checkpoint) => {
            let is_fresh = checkpoint.ledger.is_fresh();
            frozen::rows(&checkpoint.files, &checkpoint.key, is_fresh, find).await?
        }
    };
    match given {
        Given::Values(values) => Ok(("values".into(), listed(values))),
        Given::Rows(name, batches) => {
            let chunks = batches.map_ok(move |batch| {
                let batch = Arc::new(batch);
                let rows =
                    (0..batch.num_rows()).map(move |index| Ok(Value::Row(Row::new(batch.clone(), index))));
                stream::iter(rows).boxed()
            });
            Ok((name, chunks.boxed()))
        }
    }
}
