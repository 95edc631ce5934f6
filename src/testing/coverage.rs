//! Which steps of flows tests reach.

use std::collections::{BTreeMap, BTreeSet};

use sequor_planner::plan::{Plan, Region};
use sequor_planner::{Diagnostics, Place, PlanOptions};

use super::files::Suite;
use crate::event::{Coverage, Missed};

/// Where a step stands: file, line, column.
type At = (String, usize, usize);

fn at(place: &Place) -> At {
    (place.file.to_string(), place.line, place.column)
}

/// What a test reached.
#[derive(Debug, Clone, Default)]
pub struct Reached {
    flow: String,
    steps: BTreeSet<At>,
}

impl Reached {
    /// Returns the steps of a plan that began.
    pub fn of(plan: &Plan, began: &[String]) -> Reached {
        let mut steps = BTreeSet::new();
        let began: BTreeSet<&String> = began.iter().collect();
        plan.root.each(&mut |step| {
            if began.contains(&step.id) {
                steps.insert(at(&step.place));
            }
        });
        Reached {
            flow: plan.flow.clone(),
            steps,
        }
    }
}

/// Returns what all tests together reach of the project's flows. Flows that can't be planned are left out.
pub fn coverage<'r>(suite: &Suite, tests: impl Iterator<Item = &'r Reached>) -> Coverage {
    let (mut reached, mut run) = (BTreeSet::new(), BTreeSet::new());
    for test in tests {
        reached.extend(test.steps.iter().cloned());
        run.insert(test.flow.clone());
    }
    let mut steps: BTreeMap<At, Missed> = BTreeMap::new();
    let mut untested = BTreeSet::new();
    for flow in suite.loaded.compiler.flows() {
        let mut d = Diagnostics::default();
        let plan = suite
            .loaded
            .plan(flow, &PlanOptions::default(), &mut d, &mut |_, _| {});
        let Ok(Some(plan)) = plan else { continue };
        each(&plan.root, None, &mut |step, branch| {
            let of_file = step
                .place
                .file
                .trim_start_matches("flows/")
                .trim_end_matches(".yaml");
            steps.entry(at(&step.place)).or_insert_with(|| Missed {
                flow: of_file.to_string(),
                step: step.title.clone().unwrap_or_else(|| step.id.clone()),
                branch: branch.map(str::to_string),
                place: step.place.clone(),
            });
        });
        let file = format!("flows/{flow}.yaml");
        if !run.contains(flow) && !reached.iter().any(|(known, ..)| *known == file) {
            untested.insert(flow.to_string());
        }
    }
    let all = steps.len();
    let missed: Vec<Missed> = steps
        .into_iter()
        .filter(|(at, _)| !reached.contains(at))
        .map(|(_, step)| step)
        .collect();
    Coverage {
        steps: all,
        reached: all - missed.len(),
        missed,
        untested,
    }
}

/// Calls `f` with each step and the branch that it is in.
fn each(
    region: &Region,
    branch: Option<&str>,
    f: &mut impl FnMut(&sequor_planner::plan::Step, Option<&str>),
) {
    for step in &region.steps {
        f(step, branch);
        for (what, inner) in step.action.regions() {
            let name = format!("{what} of {}, line {}", step.op, step.place.line);
            each(inner, Some(&name), f);
        }
    }
}
