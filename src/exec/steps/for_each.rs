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
use crate::exec::steps::rounds::Rounds;
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
    let mut rounds = Rounds::of(context);
    let mut before = rounds.over;
    let found = match rows::found(context, rows, columns).await? {
        Found::Rows(_, found) => found,
        Found::Values(values) => {
            for value in values.into_iter().skip(usize::try_from(before).unwrap_or(usize::MAX)) {
                let scope = context.scope.with(Layer::one(&rows.variable, value));
                let scope = rounds.begin(&scope);
                context.prepared(body.clone(), scope).await?;
                rounds.end();
            }
            return Ok(());
        }
    };
    // The steps take their time, and may replace the very table.
    let mut batches = buffered(found).await?.batches;
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        for index in 0..batch.num_rows() {
            if before > 0 {
                // An earlier attempt did it.
                before -= 1;
                continue;
            }
            let row = Value::Row(Row::new(batch.clone(), index));
            let scope = context.scope.with(Layer::one(&rows.variable, row));
            let scope = rounds.begin(&scope);
            context.prepared(body.clone(), scope).await?;
            rounds.end();
        }
    }
    Ok(())
}
