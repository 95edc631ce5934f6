//! What incremental steps would ask for if they ran now.

use chrono::Utc;
use sequor_planner::ops::lead;
use sequor_planner::plan::{AskedRange, AsksFor, HttpStep};

use super::compile::Compiled;
use super::estimate::literal;
use super::parts::Parts;
use super::step_states::{found, state};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Evaluated, column_kind, definition, known_by_all};
use crate::incremental::{Kind, Ranges, windows};

/// How many ranges are listed.
const LISTED: usize = 10;

/// Returns what a step would ask for.
///
/// # Errors
/// What only the run can tell; the databases'; an `initial` that is no position.
pub async fn asked_ranges(parts: &Parts, compiled: &Compiled, id: &str, http: &HttpStep) -> Result<AsksFor> {
    let (Some(given), Some(asks)) = (&http.request.request.incremental, &http.asks) else {
        return Ok(AsksFor::default());
    };
    let initial = given.initial.as_ref().map(literal).transpose()?;
    let response = &http.request.response;
    let Some((at, column)) = lead(response, given) else {
        return Err(Error::new(
            ErrorKind::Project,
            "which table has the cursor is computed",
        ));
    };
    let table = &response.tables[at];
    let (database, name) = found(parts, id, &table.target).await?;
    let evaluated = Evaluated {
        given,
        asks,
        rows: http.request.for_each.as_ref(),
        mode: &table.write_mode,
        initial,
        between: None,
        column: column_kind(&*database, &name, (table, column), given).await?,
        refresh: false,
        now: Utc::now(),
    };
    let (settings, kind) = evaluated.settings()?;
    let mut states = Vec::with_capacity(response.tables.len());
    for table in &response.tables {
        states.push(state(parts, compiled, id, &table.target).await?);
    }
    let known = known_by_all(&states);
    let own = definition(http);
    let mut asked = AsksFor {
        is_another: states
            .iter()
            .any(|state| state.definitions.iter().any(|known| !own.is(known))),
        ..AsksFor::default()
    };
    let kind = kind.unwrap_or(Kind::Text);
    let mut partitions: Vec<(&str, &Ranges)> = known
        .iter()
        .map(|(part, ranges)| (part.as_str(), ranges))
        .collect();
    partitions.sort_by_key(|(part, _)| *part);
    let nothing = Ranges::default();
    match (http.request.for_each.is_some(), partitions.is_empty()) {
        (true, _) => partitions.push(("each other row", &nothing)),
        (false, true) => partitions.push(("", &nothing)),
        (false, false) => {}
    }
    for (partition, ranges) in partitions {
        for window in windows(&settings, kind, ranges)? {
            asked.count += 1;
            if asked.ranges.len() < LISTED {
                asked.ranges.push(AskedRange {
                    partition: partition.to_string(),
                    start: window.asked_from.map(|at| at.to_string()),
                    end: window.to.map(|at| at.to_string()),
                });
            }
        }
    }
    Ok(asked)
}
