//! `for_each`.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use sequor_planner::ops::RowsOf;
use sequor_planner::plan::Region;

use crate::error::Result;
use crate::exec::context::StepContext;
use crate::exec::layer::Layer;
use crate::exec::load::frozen::{self, Given};
use crate::exec::load::rows::{self, Found};
use crate::exec::scheduler::Prepared;
use crate::exec::steps::rounds::Rounds;
use crate::sources::buffered::buffered;
use crate::value::{Row, Value};

/// Runs the body once per row, in order; behind those that an earlier attempt did.
pub async fn run(
    context: &StepContext,
    rows: &RowsOf,
    columns: Option<&BTreeSet<String>>,
    body: &Region,
) -> Result<()> {
    let rounds = Rounds::of(context);
    let mut each = Each {
        context,
        variable: &rows.variable,
        body: Prepared::new(body),
        before: rounds.over,
        rounds,
    };
    let is_fresh = each.rounds.is_fresh();
    let mut batches = match given(context, rows, columns, is_fresh).await? {
        Given::Rows(_, batches) => batches,
        Given::Values(values) => {
            for value in values {
                each.run(value).await?;
            }
            return Ok(());
        }
    };
    while let Some(batch) = batches.next().await {
        let batch = Arc::new(batch?);
        for index in 0..batch.num_rows() {
            each.run(Value::Row(Row::new(batch.clone(), index))).await?;
        }
    }
    Ok(())
}

/// The body, once per row.
struct Each<'c> {
    context: &'c StepContext,
    variable: &'c str,
    body: Arc<Prepared>,
    rounds: Rounds<'c>,
    /// Rows that an earlier attempt did.
    before: u64,
}

impl Each<'_> {
    async fn run(&mut self, value: Value) -> Result<()> {
        if self.before > 0 {
            self.before -= 1;
            return Ok(());
        }
        let scope = self.context.scope.with(Layer::one(self.variable, value));
        let scope = self.rounds.begin(&scope);
        self.context.prepared(self.body.clone(), scope).await?;
        self.rounds.end();
        Ok(())
    }
}

/// The rows, which are others' no more: the steps take their time, and may replace the very table.
async fn given(
    context: &StepContext,
    rows: &RowsOf,
    columns: Option<&BTreeSet<String>>,
    is_fresh: bool,
) -> Result<Given> {
    let find = rows::found(context, rows, columns);
    if let Some(files) = &context.run.files {
        return frozen::rows(files, &context.scope.key(context.id()), is_fresh, find).await;
    }
    Ok(match find.await? {
        Found::Rows(name, found) => Given::Rows(name, buffered(found).await?.batches),
        values => values.into(),
    })
}
