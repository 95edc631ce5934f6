//! Steps that the plan can't spell out: what they need to know is evaluated when they start, and they are planned again.

use std::sync::Arc;

use sequor_planner::Diagnostic;
use sequor_planner::plan::{Action, Step, Unfolds};

use super::run::Run;
use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// How deep flows that call themselves may go.
const MAX_DEPTH: usize = 100;

/// A step as it is, now that it starts.
pub struct Unfolded {
    pub step: Arc<Step>,
    /// The scope of what is inside.
    pub scope: Scope,
    run: Arc<Run>,
    frames: std::ops::Range<usize>,
}

impl Drop for Unfolded {
    fn drop(&mut self) {
        self.run.variables.leave(self.frames.clone());
    }
}

/// Plans a step again.
///
/// # Errors
/// Values that can't be evaluated, or with which the step is wrong; flows that call each other without end.
pub async fn unfold(run: &Arc<Run>, step: &Step, unfolds: &Unfolds, scope: &Scope) -> Result<Unfolded> {
    let props: Vec<_> = unfolds.keys.iter().map(|key| &key.value).collect();
    let values = run.evaluator.all(&props, &scope.world(), None).await?;
    for (key, value) in unfolds.keys.iter().zip(&values) {
        // Taken for a key that is left out, a mistake would pass: a table made anew where rows were to be added.
        if matches!(value, Value::Null) {
            let message = format!("`{}` is null", key.key);
            return Err(Error::new(ErrorKind::Project, message)
                .help("leave the key out, or give it a value")
                .at(&key.at));
        }
    }
    let values = values.iter().map(json).collect::<Result<Vec<_>>>()?;
    let scope = match &step.action {
        Action::Call { flow, .. } => {
            let deeper = scope.called();
            if deeper.calls() > MAX_DEPTH {
                let message = format!("flow `{flow}` is called {MAX_DEPTH} calls deep: it goes no further");
                return Err(Error::new(ErrorKind::Depth, message)
                    .help("a flow that calls itself needs a condition that ends it"));
            }
            deeper.inside(&step.id)
        }
        _ => scope.clone(),
    };
    let first = run.variables.reserve();
    let unfolded = run.compiler.unfold(step, unfolds, &values, first);
    let unfolded = unfolded.map_err(|found| wrong(&found))?;
    run.variables.open(first..unfolded.frames, &scope.key(&step.id));
    let action = match run.in_order {
        true => unfolded.action.in_flow_order(),
        false => unfolded.action,
    };
    Ok(Unfolded {
        step: Arc::new(Step {
            action,
            timeout: unfolded.timeout,
            unfolds: None,
            ..step.clone()
        }),
        scope,
        run: run.clone(),
        frames: first..unfolded.frames,
    })
}

/// A value as a flow's text could have it.
fn json(value: &Value) -> Result<serde_json::Value> {
    let json = serde_json::to_value(value);
    json.map_err(|e| Error::new(ErrorKind::Data, format!("a value that no property can have: {e}")))
}

fn wrong(found: &[Diagnostic]) -> Error {
    let first = found
        .iter()
        .find(|d| d.severity == sequor_planner::Severity::Error)
        .or(found.first());
    let Some(first) = first else {
        return Error::new(ErrorKind::Internal, "a step could not be planned when it started");
    };
    let error = Error::new(ErrorKind::Project, first.message.as_str());
    let error = match &first.help {
        Some(help) => error.help(help.as_str()),
        None => error,
    };
    match &first.place {
        Some(place) => error.at(place),
        None => error,
    }
}
