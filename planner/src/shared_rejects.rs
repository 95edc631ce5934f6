//! Steps of several flows whose rejected rows go to one table: what one leaves, the next run of another replaces.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::ops::{FlowAction, FlowStep, TableRef, each_step};
use crate::plan::{Action, Plan};

/// Warns of steps whose rejected rows share a table with those of a flow that is not part of the plan.
pub fn check(
    plan: &Plan,
    visited: &BTreeSet<String>,
    flows: &IndexMap<String, Vec<FlowStep>>,
    d: &mut Diagnostics,
) {
    plan.root.each(&mut |step| {
        let Action::Http(http) = &step.action else { return };
        let Some(own) = http
            .rejects
            .as_ref()
            .and_then(|table| Some((table, known(table)?)))
        else {
            return;
        };
        let (table, own) = own;
        let others = flows.iter().filter(|(name, _)| !visited.contains(*name));
        let same = others
            .filter(|(_, steps)| rejects_into(steps, &own))
            .map(|(name, _)| format!("`{name}`"));
        let same: Vec<String> = same.collect();
        if same.is_empty() {
            return;
        }
        let message = format!(
            "rejected rows go to {}, where those of {} go, too: each run replaces what the other left",
            table.in_short(),
            same.join(", ")
        );
        d.warning(Code::SharedRejects, step.place.clone(), message)
            .help("the table is named after the step: give one of them another `id`");
    });
}

/// Tells whether a step puts its rejected rows into a table.
fn rejects_into(steps: &[FlowStep], table: &Json) -> bool {
    let mut found = false;
    each_step(steps, &mut |step| {
        if let (FlowAction::HttpRequest(request), Some((id, _))) = (&step.action, &step.id) {
            let rejects = request.rejects(step.on_error, id);
            found |= rejects.and_then(|table| known(&table)).as_ref() == Some(table);
        }
    });
    found
}

/// What tells a table from others, where that is known before the run.
fn known(table: &TableRef) -> Option<Json> {
    let text = |prop: &Option<Prop>| match prop {
        None => Some(Json::Null),
        Some(prop) => prop.as_text().map(Json::from),
    };
    let name = table.table.as_text()?.to_lowercase();
    Some(json!([
        table.source,
        text(&table.database)?,
        text(&table.namespace)?,
        name
    ]))
}
