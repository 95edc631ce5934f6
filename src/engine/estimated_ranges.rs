//! What incremental steps would ask for if they ran now.

use std::sync::Arc;

use chrono::Utc;
use sequor_planner::ops::{RowsOf, lead};
use sequor_planner::plan::{AskedRange, AsksFor, Estimates, HttpStep};

use super::compile::Compiled;
use super::for_each_rows::first_of;
use super::literal::literal;
use super::parts::Parts;
use super::step_states::{found, state};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Evaluated, column_kind, definition, kind_of_states, known_by_all, parents_of_all};
use crate::incremental::{Kind, Known, Ranges, Round, Window, windows};
use crate::value::Value;

/// How many ranges are listed.
const LISTED: usize = 10;

/// Fills in what a step would ask for, and how often.
pub async fn estimate_ranges(
    parts: &Parts,
    compiled: &Compiled,
    (id, http): (&str, &HttpStep),
    estimates: &mut Estimates,
) {
    if let Err(why) = try_estimate(parts, compiled, (id, http), estimates).await {
        estimates.not_estimated = Some(why.to_string());
    }
}

/// # Errors
/// What only the run can tell; the databases'; an `initial` that is no position.
async fn try_estimate(
    parts: &Parts,
    compiled: &Compiled,
    (id, http): (&str, &HttpStep),
    estimates: &mut Estimates,
) -> Result<()> {
    let (Some(given), Some(asks)) = (&http.request.request.incremental, &http.asks) else {
        return Ok(());
    };
    let rows = http.request.for_each.as_ref();
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
        rows,
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
    let own = definition(http);
    let is_another = states
        .iter()
        .any(|state| state.definitions.iter().any(|known| !own.is(known)));
    let kind = kind.or_else(|| kind_of_states(&states));
    let known = Arc::new(known_by_all(&states));
    let parents = Arc::new(parents_of_all(&states));
    let round = Round::new(settings, kind, (&known, &parents), (0, false));
    let mut asked = AsksFor {
        is_another,
        ..AsksFor::default()
    };
    let looked = match rows {
        None => look(&round, &Value::Null, &mut asked),
        Some(rows) => match each(parts, rows, &round, &mut asked).await {
            Ok(looked) => looked,
            Err(why) => {
                // Which rows there are is not known: of those that have a state it is.
                asked = by_states((&round, kind), &known)?;
                asked.is_another = is_another;
                estimates.estimated_ranges = Some(asked);
                return Err(why);
            }
        },
    };
    match looked {
        None => estimates.estimated_requests = Some(asked.count),
        Some(why) => estimates.would_fail = Some(why.to_string()),
    }
    estimates.estimated_ranges = Some(asked);
    Ok(())
}

/// Adds what is asked for each row of a for_each. The error that ends the step, if one of them would.
///
/// # Errors
/// Rows that only the run can tell; the database's.
async fn each(parts: &Parts, rows: &RowsOf, round: &Round, asked: &mut AsksFor) -> Result<Option<Error>> {
    first_of(parts, rows, |row| Ok(look(round, row, asked))).await
}

/// Adds what is asked for a row. The error that asking for it would end with.
fn look(round: &Round, row: &Value, asked: &mut AsksFor) -> Option<Error> {
    match round.missing(row) {
        Ok(missing) => {
            add(asked, &missing.partition, missing.windows);
            None
        }
        Err(why) => Some(why),
    }
}

/// What is asked for the rows that have a state, and for one that has none.
fn by_states((round, kind): (&Round, Option<Kind>), known: &Known) -> Result<AsksFor> {
    let mut partitions: Vec<(&str, &Ranges)> = known
        .iter()
        .map(|(part, ranges)| (part.as_str(), ranges))
        .collect();
    partitions.sort_by_key(|(part, _)| *part);
    let nothing = Ranges::default();
    partitions.push(("each other row", &nothing));
    let mut asked = AsksFor::default();
    for (partition, ranges) in partitions {
        let windows = windows(&round.settings, kind.unwrap_or(Kind::Text), ranges)?;
        add(&mut asked, partition, windows);
    }
    Ok(asked)
}

fn add(asked: &mut AsksFor, partition: &str, windows: Vec<Window>) {
    asked.count += windows.len() as u64;
    let room = LISTED.saturating_sub(asked.ranges.len());
    let listed = windows.into_iter().take(room).map(|window| AskedRange {
        partition: partition.to_string(),
        start: window.asked_from.map(|at| at.to_string()),
        end: window.to.map(|at| at.to_string()),
    });
    asked.ranges.extend(listed);
}
