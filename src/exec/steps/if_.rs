//! `if`.

use sequor_planner::plan::{PlannedBranch, Region};

use crate::error::Result;
use crate::exec::conditions::holds;
use crate::exec::context::StepContext;

/// Runs the first branch whose condition is true.
pub async fn run(context: &StepContext, branches: &[PlannedBranch], otherwise: &Region) -> Result<()> {
    for branch in branches {
        let condition = context.value(&branch.condition).await?;
        if holds(context, "the condition of an if", &condition).await {
            return context.steps(&branch.then, context.scope.clone()).await;
        }
    }
    context.steps(otherwise, context.scope.clone()).await
}
