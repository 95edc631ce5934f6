//! Steps whose rejected rows go to one table: which rows are whose is not known, and what one flow leaves, the next run of another
//! replaces.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::ops::{FlowAction, FlowStep, TableRef, each_step};
use crate::plan::{Action, Plan};
use crate::span::Place;

/// Refuses steps of a plan whose rejected rows share a table, and warns of those that share it with a flow that is not part of the
/// plan.
pub fn check(
    plan: &Plan,
    visited: &BTreeSet<String>,
    flows: &IndexMap<String, Vec<FlowStep>>,
    d: &mut Diagnostics,
) {
    let mut seen: Vec<(Json, Place)> = Vec::new();
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
        let place = |place: &Place| (place.file.clone(), place.line, place.column);
        // A flow that is called twice has one step, twice.
        let other = seen
            .iter()
            .find(|(known, at)| *known == own && place(at) != place(&step.place));
        if let Some((_, at)) = other {
            let message = format!(
                "rejected rows go to {}, where those of the step at {at} go, too",
                table.in_short()
            );
            d.error(Code::DuplicateId, step.place.clone(), message)
                .help("the table is named after the step: give one of them another `id`");
        }
        seen.push((own.clone(), step.place.clone()));
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

/// Returns what tells a table from others, where that is known before the run.
pub fn known(table: &TableRef) -> Option<Json> {
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
