//! `for_each`.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::ops::RowsOf;
use sequor_planner::plan::Region;

use crate::error::Result;
use crate::exec::context::StepContext;
use crate::exec::load::rows::{self, Found};
use crate::exec::scheduler::Prepared;
use crate::exec::scope::Layer;
use crate::sources::buffered::buffered;
use crate::value::{Row, Value};

/// Runs the body once per row, in order.
pub async fn run(
    context: &StepContext,
    rows: &RowsOf,
    columns: Option<&BTreeSet<String>>,
    body: &Region,
) -> Result<()> {
    let body = Prepared::new(body);
    let found = match rows::found(context, rows, columns).await? {
        Found::Rows(_, found) => found,
        Found::Values(values) => {
            for value in values {
                let scope = context.scope.with(Layer::one(&rows.variable, value));
                context.prepared(body.clone(), scope).await?;
            }
            return Ok(());
        }
    };
    // The steps take their time, and may replace the very table.
    let mut batches = buffered(found).await?.batches;
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        for index in 0..batch.num_rows() {
            let row = Value::Row(Row::new(batch.clone(), index));
            let scope = context.scope.with(Layer::one(&rows.variable, row));
            context.prepared(body.clone(), scope).await?;
        }
    }
    Ok(())
}
