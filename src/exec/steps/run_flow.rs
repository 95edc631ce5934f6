//! `run_flow`: the start of a called flow.

use std::collections::HashMap;

use sequor_planner::expr::Prop;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::keep::is_secret;
use crate::value::Value;

/// Starts a called flow: its parameters are all it sees of its caller.
pub async fn enter(context: &StepContext, frame: usize, parameters: Option<&Prop>) -> Result<()> {
    let mut locals = HashMap::new();
    if let Some(prop) = parameters {
        match context.value(prop).await? {
            Value::Map(entries) => locals.extend(entries.iter().map(|(k, v)| (k.clone(), v.clone()))),
            Value::Row(row) => locals.extend(row.iter().map(|(k, v)| (k.to_string(), v))),
            Value::Null => {}
            other => {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!(
                        "`parameters` must be a map of names to values, and is {}",
                        other.kind()
                    ),
                ));
            }
        }
    }
    // Nothing before the step is in this frame.
    let run = &context.run;
    let mut notes = run.journal.notes();
    let name = run.variables.frame_name(frame);
    notes.enter(&name);
    for (variable, value) in &locals {
        notes
            .variable(&name, variable, value, &is_secret(run, variable))
            .await;
    }
    run.journal.add(notes);
    run.variables.enter(frame, locals);
    context.scope.stage(&[]);
    Ok(())
}
