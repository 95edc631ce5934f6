//! `if`.

use sequor_planner::plan::{PlannedBranch, Region};

use crate::error::Result;
use crate::exec::conditions::holds;
use crate::exec::context::StepContext;
use crate::state::Entry;

/// Runs the first branch whose condition is true; the one that an earlier attempt began, where one did.
pub async fn run(context: &StepContext, branches: &[PlannedBranch], otherwise: &Region) -> Result<()> {
    let journal = &context.run.journal;
    let key = context.scope.key(context.id());
    let begun = journal
        .decided(&key, Entry::Branch)
        .and_then(|text| text.parse().ok());
    let taken = match begun {
        Some(taken) => taken,
        None => {
            let taken = first(context, branches).await?;
            let mut notes = journal.notes();
            notes.note(&key, Entry::Branch, &taken.to_string());
            journal.add(notes);
            taken
        }
    };
    let steps = branches.get(taken).map_or(otherwise, |branch| &branch.then);
    context.steps(steps, context.scope.clone()).await
}

/// The position of the first branch whose condition is true; behind the last where none is.
async fn first(context: &StepContext, branches: &[PlannedBranch]) -> Result<usize> {
    for (at, branch) in branches.iter().enumerate() {
        let condition = context.value(&branch.condition).await?;
        if holds(context, "the condition of an if", &condition).await {
            return Ok(at);
        }
    }
    Ok(branches.len())
}
