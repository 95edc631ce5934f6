//! Removes false dependencies through variables, as SSA renaming does in a compiler.
//!
//! Two fetches that each set `next_page` before they read it do not talk to each other through it. The earlier one's
//! value is seen by nobody: it becomes private to the step, and what stays after the flow is the later one's.

use crate::effects::Resource;
use crate::ops::OnError;
use crate::plan::{Action, Step};

/// Makes private what a later step surely overwrites before anyone reads it.
pub fn privatise(steps: &mut [Step]) {
    for at in 0..steps.len() {
        for variable in defined_first(&steps[at]) {
            let overwritten = steps[at + 1..]
                .iter()
                .find_map(|later| {
                    if later.reads.iter().any(|r| r.overlaps(&variable)) {
                        return Some(false);
                    }
                    defined_first(later).contains(&variable).then_some(true)
                })
                .unwrap_or(false);
            if overwritten {
                let step = &mut steps[at];
                step.writes.retain(|w| *w != variable);
                if let Resource::Variable(name) = variable {
                    step.private.push(name);
                }
            }
        }
    }
}

/// Variables that an http_request sets whatever happens, before it reads them.
fn defined_first(step: &Step) -> Vec<Resource> {
    // A step whose failure is passed over may leave its variables as they were.
    let (Action::Http(http), OnError::Stop) = (&step.action, step.on_error) else {
        return Vec::new();
    };
    http.request
        .init
        .iter()
        .map(|v| Resource::Variable(v.name.clone()))
        .filter(|v| step.writes.contains(v) && !step.reads.contains(v))
        .collect()
}
