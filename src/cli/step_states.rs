//! `sequor state`: how far incremental steps got.

use super::args::{RunFormat, StateCommand};
use super::compile;
use super::context::Context;
use crate::engine::{CompileOptions, Session, StepState};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::report::{Table, count, err, out};

/// Shows how far the incremental steps of a flow got, or forgets it.
pub fn state(context: &Context, command: &StateCommand) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (StateCommand::List { flow, .. } | StateCommand::Reset { flow, .. }) = command;
    runtime.block_on(async {
        let options = CompileOptions::default();
        let Some(compiled) = compile::compile(context, flow, &options).await? else {
            return Ok(Exit::Wrong);
        };
        let session = Session::new(&compiled.loaded);
        match command {
            StateCommand::List { format, .. } => {
                list(&session.states(&compiled).await?, *format, context.color_out)?
            }
            StateCommand::Reset { step, partition, .. } => {
                let forgotten = session.forget_states(&compiled, step.as_deref(), partition.as_deref());
                match forgotten.await? {
                    0 => err("nothing was kept: nothing is forgotten"),
                    n => err(format!(
                        "{} forgotten: the next run begins there anew",
                        count(n, "state")
                    )),
                }
            }
        }
        Ok(Exit::Done)
    })
}

fn list(states: &[StepState], format: RunFormat, color: bool) -> Result<()> {
    match format {
        RunFormat::Json => {
            for state in states {
                let line = serde_json::to_string(state);
                out(line.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
            }
        }
        RunFormat::Text if states.is_empty() => err("nothing is kept yet: the next run begins at `initial`"),
        RunFormat::Text => {
            let rows: Vec<Vec<String>> = states.iter().map(row).collect();
            let table = Table {
                header: &["Step", "Table", "Partition", "Covered"],
                rows: &rows,
                status: 4,
                right_from: 4,
            };
            out(table.render(color));
        }
    }
    Ok(())
}

fn row(state: &StepState) -> Vec<String> {
    let ranges = state.covered.iter().map(|(from, to)| {
        let from = from.as_deref().unwrap_or("the first row");
        format!("{from} to {to}")
    });
    let covered = ranges.collect::<Vec<_>>().join(", ");
    let partition = if state.partition.is_empty() {
        "-"
    } else {
        &state.partition
    };
    vec![
        state.step.clone(),
        state.table.clone(),
        partition.to_string(),
        covered,
    ]
}
