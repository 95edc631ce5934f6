//! Frames: one run of one flow, while it is resolved.

use std::collections::BTreeSet;

use super::steps::Names;
use crate::effects::{Resource, Scope};
use crate::ops::{FlowAction, FlowStep, VariableScope, VariableSet};

/// One run of one flow, while it is resolved.
pub(super) struct Frame {
    pub id: usize,
    pub locals: BTreeSet<String>,
    /// Rows of the for_each blocks around.
    pub bound: Vec<String>,
    /// Path of the steps around, for ids.
    pub path: String,
}

/// The scope of the frame's expressions.
pub(super) fn scope<'s>(frame: &'s Frame, names: &'s Names<'_>) -> Scope<'s> {
    Scope {
        frame: frame.id,
        locals: &frame.locals,
        bound: &frame.bound,
        sources: names.sources,
    }
}

/// Local variables that a flow's steps set, nested ones included.
pub(super) fn collect_locals(steps: &[FlowStep], locals: &mut BTreeSet<String>) {
    let mut add = |variables: &[VariableSet]| {
        let local = variables.iter().filter(|v| v.scope == VariableScope::Local);
        locals.extend(local.map(|v| v.name.clone()));
    };
    for step in steps {
        match &step.action {
            FlowAction::SetVariable(set) => add(&set.set),
            FlowAction::HttpRequest(request) => add(&request.response.variables),
            _ => {}
        }
    }
    for step in steps {
        match &step.action {
            FlowAction::Block(steps) => collect_locals(steps, locals),
            FlowAction::ForEach(each) => collect_locals(&each.steps, locals),
            FlowAction::If { branches, otherwise } => {
                branches.iter().for_each(|b| collect_locals(&b.then, locals));
                collect_locals(otherwise, locals);
            }
            _ => {}
        }
    }
}

/// Where a variable that is set goes.
pub fn target(variable: &VariableSet, scope: &Scope<'_>) -> Resource {
    match variable.scope {
        VariableScope::Local => Resource::Local {
            frame: scope.frame,
            name: variable.name.clone(),
        },
        VariableScope::Project => Resource::Variable(variable.name.clone()),
    }
}
