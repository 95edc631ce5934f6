//! SQL of a plan that a dry run can't try, known before anything runs.

use sequor_planner::Place;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{Plain, RowSource};
use sequor_planner::plan::{Action, Plan, Step};
use sequor_planner::{plain_colons, split_statements};

use super::compile::Loaded;
use crate::error::{Error, Result};
use crate::stand_in::{Functions, Names};

/// Returns why statements of a plan can't be tried: those whose text is known before the run.
///
/// # Errors
/// DataFusion's.
pub fn untried(loaded: &Loaded, plan: &Plan) -> Result<Vec<Error>> {
    let functions = Functions::known()?;
    let mut all = Vec::new();
    plan.root.each(&mut |step| {
        let Some((source, sql, place)) = sql_of(step) else {
            return;
        };
        let Some(text) = sql.as_text() else { return };
        let Some(dialect) = loaded
            .compiler
            .sources
            .get(source)
            .and_then(|source| source.dialect())
        else {
            return;
        };
        let names = Names::new(dialect, None, None);
        for statement in split_statements(&plain_colons(text), dialect) {
            if let Err(error) = functions.check(&statement, &names) {
                all.push(error.context(format!("step {}", step.id)).at(place));
            }
        }
    });
    Ok(all)
}

/// The source of a step's SQL, the SQL, and where it stands.
fn sql_of(step: &Step) -> Option<(&str, &Prop, &Place)> {
    let rows = match &step.action {
        Action::Plain(plain) => {
            return match &**plain {
                Plain::Transform(transform) => {
                    Some((&transform.target.source, &transform.query, &transform.query_place))
                }
                Plain::Execute(execute) => {
                    Some((&execute.source, &execute.statement, &execute.statement_place))
                }
                _ => None,
            };
        }
        Action::Http(http) => http.request.for_each.as_ref()?,
        Action::ForEach { rows, .. } => rows,
        _ => return None,
    };
    match &rows.from {
        RowSource::Query(query) => Some((&query.source, &query.query, &query.place)),
        _ => None,
    }
}
