//! Steps that fill a table of which another one replaces ranges: it would delete their rows.

use serde_json::Value as Json;

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::ops::WriteMode;
use crate::plan::{Action, Plan};
use crate::shared_rejects::known;
use crate::span::Place;

/// A table that a request fills.
struct Filled {
    table: Json,
    name: String,
    /// Whether all rows of a range go, whoever wrote them.
    replaces_all: bool,
    step: String,
    place: Place,
}

/// Refuses requests of a plan that replace ranges of a table which another request fills, too. With a `for_each` each row says
/// whose rows are replaced.
pub fn check(plan: &Plan, d: &mut Diagnostics) {
    let mut seen: Vec<Filled> = Vec::new();
    plan.root.each(&mut |step| {
        let Action::Http(http) = &step.action else { return };
        let place = |place: &Place| (place.file.clone(), place.line, place.column);
        for table in &http.request.response.tables {
            let Some(target) = known(&table.target) else {
                continue;
            };
            let own = Filled {
                table: target,
                name: table.target.in_short(),
                replaces_all: table.write_mode == WriteMode::ReplaceRange && http.request.for_each.is_none(),
                step: step.id.clone(),
                place: step.place.clone(),
            };
            // A flow that is called twice has one step, twice.
            let other = seen.iter().find(|other| {
                other.table == own.table
                    && (other.replaces_all || own.replaces_all)
                    && place(&other.place) != place(&own.place)
            });
            if let Some(other) = other {
                let message = format!(
                    "`write_mode: replace_range` of {}: steps {} and {} fill it, and one of them would delete what the other has written",
                    own.name, other.step, own.step
                );
                d.error(Code::BadValue, own.place.clone(), message)
                    .help("let each of them fill a table of its own, or use `write_mode: upsert`");
            }
            seen.push(own);
        }
    });
}
