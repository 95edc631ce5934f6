//! The plan without any concurrency: one step and one request at a time, in the order of the flow.

use super::{PassContext, SelectError};
use crate::graph;
use crate::plan::{Action, Edge, FanOut, Plan, Region, Until};

/// Returns the same flow, run top to bottom: for finding out what concurrency has to do with a problem, and to compare
/// with.
pub fn in_order(plan: &mut Plan, context: &PassContext<'_>) -> Result<(), SelectError> {
    if context.options.in_order {
        chain(&mut plan.root);
        plan.in_order = true;
    }
    Ok(())
}

impl Action {
    /// Returns the same for one step and those inside it.
    pub fn in_flow_order(mut self) -> Action {
        one_by_one(&mut self);
        self
    }
}

fn one_by_one(action: &mut Action) {
    if let Action::Http(http) = action
        && matches!(http.fan_out, FanOut::Concurrent { .. })
    {
        http.fan_out = FanOut::Sequential {
            reason: "the flow is run in order".into(),
        };
    }
    action.regions_mut().into_iter().for_each(chain);
}

fn chain(region: &mut Region) {
    for step in &mut region.steps {
        one_by_one(&mut step.action);
    }
    let edge = |to: usize| Edge {
        from: to - 1,
        to,
        until: Until::Over,
        reasons: vec!["comes later in the flow".into()],
    };
    region.edges = (1..region.steps.len()).map(edge).collect();
    region.stages = graph::stages(region.steps.len(), &region.edges);
}
