//! `execute`.

use sequor_planner::expr::Prop;
use sequor_planner::ops::Execute;

use crate::error::{Error, Result};
use crate::exec::context::StepContext;

/// Runs statements. What a line `go` ends is one transaction, where the database has such of DDL.
pub async fn run(context: &StepContext, step: &Execute) -> Result<()> {
    let sql = sql_text(context, &step.statement).await?;
    let database = context.database(&step.source).await?;
    let dialect = database.dialect();
    let pieces = sequor_planner::split_pieces(&sql, dialect);
    let many = pieces.iter().map(Vec::len).sum::<usize>() > 1;
    let place = |e: Error| e.at(&step.statement_place);
    let mut session = database.session().await.map_err(place)?;
    let mut before = 0;
    for statements in &pieces {
        let whole = sequor_planner::is_transaction(statements, dialect);
        if whole {
            session.execute("BEGIN").await.map_err(place)?;
        }
        for (number, statement) in statements.iter().enumerate() {
            let touched = session.execute(statement).await.map_err(place);
            let touched = touched.map_err(|e| match many {
                true => e.context(failed_at(
                    before + number,
                    if whole { before } else { before + number },
                )),
                false => e,
            })?;
            context.counters.add_rows(touched.unwrap_or(0));
        }
        if whole {
            // Constraints that wait for the end are looked at now.
            let commit = session.execute("COMMIT");
            context.run.journal.effect(commit).await.map_err(place)?;
        }
        before += statements.len();
    }
    Ok(())
}

/// Which statement failed (from 0), and how many before it stay carried out.
fn failed_at(number: usize, kept: usize) -> String {
    let at = format!("statement {}", number + 1);
    match (number, kept) {
        (0, _) => at,
        (_, 0) => format!("{at} (nothing was carried out)"),
        (_, 1) => format!("{at} (statement 1 was carried out)"),
        (_, kept) => format!("{at} (statements 1 to {kept} were carried out)"),
    }
}

/// Returns the SQL of a property, as it is without the escapes of 1.x.
pub async fn sql_text(context: &StepContext, sql: &Prop) -> Result<String> {
    let text = context.text(sql).await?;
    Ok(sequor_planner::plain_colons(&text).into_owned())
}
