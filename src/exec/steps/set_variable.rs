//! `set_variable`.

use sequor_planner::ops::{VariableScope, VariableSet};

use crate::error::Result;
use crate::exec::context::StepContext;
use crate::exec::variables::expanded;

/// Sets variables, all from the values before the step.
pub async fn run(context: &StepContext, variables: &[VariableSet]) -> Result<()> {
    let (run, scope) = (&context.run, &context.scope);
    let props: Vec<_> = variables.iter().map(|v| &v.value).collect();
    let values = run.evaluator.kept(&props, &scope.world(), None).await?;
    let mut set = Vec::with_capacity(values.len());
    for (variable, value) in variables.iter().zip(values) {
        for (name, value, local) in expanded(variable, value)? {
            let kept = match local {
                Some(true) => VariableScope::Local,
                Some(false) => VariableScope::Project,
                None => variable.scope,
            };
            set.push((scope.target(&name, kept), value));
        }
    }
    scope.stage(&set);
    scope.wait_for_turn().await?;
    scope.publish(set);
    Ok(())
}
