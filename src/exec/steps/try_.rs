//! `try`.

use sequor_planner::plan::Region;

use crate::error::{ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::scope::Layer;
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
    let tried = context.steps(steps, inside).await;
    let result = match (tried, catch) {
        // Taken again and again, calls without end would double at each level.
        (Err(error), _) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Depth) => {
            return Err(error);
        }
        (Err(error), Some(catch)) => {
            let scope = scope.with(Layer::one("error", Value::text(error.to_string())));
            context.steps(catch, scope).await
        }
        (result, _) => result,
    };
    let ended = context.steps(finally, scope.clone()).await;
    // The first error says what went wrong.
    result.and(ended)
}
