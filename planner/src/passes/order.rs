//! Which steps wait for which: edges from what they read and write, and from what the flow asks for.

use super::{PassContext, SelectError};
use crate::graph;
use crate::plan::{Plan, Region};

/// Orders the steps of the plan, those inside others too.
pub fn order(plan: &mut Plan, context: &PassContext<'_>) -> Result<(), SelectError> {
    ordered(&mut plan.root, context);
    Ok(())
}

fn ordered(region: &mut Region, context: &PassContext<'_>) {
    let asked = std::mem::take(&mut region.asked);
    region.edges = graph::edges(&region.steps, &asked, context.servers);
    region.stages = graph::stages(region.steps.len(), &region.edges);
    for step in &mut region.steps {
        let inner = step.action.regions_mut();
        inner.into_iter().for_each(|inner| ordered(inner, context));
    }
}
