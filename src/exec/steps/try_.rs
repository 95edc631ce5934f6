//! `try`.

use sequor_planner::plan::Region;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::layer::Layer;
use crate::state::Entry;
use crate::value::Value;

/// Runs steps; an error of theirs ends in `catch`, where there is one. `finally` runs whatever happened, save after an
/// interrupt.
pub async fn run(
    context: &StepContext,
    steps: &Region,
    catch: Option<&Region>,
    finally: &Region,
) -> Result<()> {
    let scope = &context.scope;
    let inside = match catch {
        Some(_) => scope.inside_try(),
        None => scope.clone(),
    };
    let journal = &context.run.journal;
    let key = scope.key(context.id());
    // The error that an earlier attempt took: what follows from it goes on.
    let tried = match journal.decided(&key, Entry::Caught) {
        Some(text) => Err(Error::new(ErrorKind::Data, text)),
        None => context.steps(steps, inside).await,
    };
    let result = match (tried, catch) {
        // Taken again and again, calls without end would double at each level.
        (Err(error), _)
            if matches!(
                error.kind(),
                ErrorKind::Cancelled | ErrorKind::Depth | ErrorKind::State
            ) =>
        {
            return Err(error);
        }
        (Err(error), Some(catch)) => {
            let mut notes = journal.notes();
            notes.note(&key, Entry::Caught, &error.to_string());
            journal.add(notes);
            let scope = scope.with(Layer::one("error", Value::text(error.to_string())));
            context.steps(catch, scope).await
        }
        (result, _) => result,
    };
    let ended = context.steps(finally, scope.clone()).await;
    // The first error says what went wrong.
    result.and(ended)
}
