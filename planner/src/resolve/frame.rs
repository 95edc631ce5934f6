//! Frames: one run of one flow, while it is resolved.

use std::collections::BTreeSet;

use super::steps::Names;
use crate::effects::FlowScope;
use crate::expr::Prop;
use crate::ops::{FlowAction, FlowStep, VariableScope, VariableSet, each_step};

/// One run of one flow, while it is resolved.
pub(super) struct Frame {
    pub id: usize,
    pub locals: BTreeSet<String>,
    /// Rows of the for_each blocks around.
    pub bound: Vec<String>,
    /// How many loops stand around.
    pub rounds: usize,
    /// Path of the steps around, for ids.
    pub path: String,
    /// Ids given so far.
    pub ids: BTreeSet<String>,
}

/// Returns the scope of the frame's expressions.
pub(super) fn scope<'s>(frame: &'s Frame, names: &'s Names<'_>) -> FlowScope<'s> {
    FlowScope {
        frame: frame.id,
        locals: &frame.locals,
        bound: &frame.bound,
        sources: names.sources,
    }
}

/// Local variables that a flow's steps set, nested ones included.
pub(super) fn collect_locals(steps: &[FlowStep], locals: &mut BTreeSet<String>) {
    each_step(steps, &mut |step| match &step.action {
        FlowAction::Plain(plain) => locals.extend(local(plain.operation().sets())),
        FlowAction::HttpRequest(request) => {
            locals.extend(local(&request.response.variables));
            let returns = request.response.parser.as_ref().and_then(Prop::returns);
            let set = returns.iter().flat_map(|r| r.variables.iter().flatten());
            locals.extend(set.filter(|v| v.local).map(|v| v.name.clone()));
        }
        _ => {}
    });
}

fn local(variables: &[VariableSet]) -> impl Iterator<Item = String> {
    let local = variables.iter().filter(|v| v.scope == VariableScope::Local);
    local.map(|v| v.name.clone())
}
