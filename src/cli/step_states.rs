//! `sequor state`: how far incremental steps got, and what steps have sent that send only changes.

use super::args::{RunFormat, StateCommand};
use super::compile;
use super::context::Context;
use crate::engine::{CompileOptions, Covered, Session, StepSent, StepState, is_partition, keeps_state};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::report::{Table, count, err, grouped, out, warning};

/// Shows how far the incremental steps of a flow got, or forgets it.
pub fn state(context: &Context, command: &StateCommand) -> Result<Exit> {
    let runtime = super::runtime::runtime()?;
    let (StateCommand::List { flow, .. }
    | StateCommand::Show { flow, .. }
    | StateCommand::Set { flow, .. }
    | StateCommand::Reset { flow, .. }) = command;
    runtime.block_on(async {
        let options = CompileOptions::default();
        let Some(compiled) = compile::compile(context, flow, &options).await? else {
            return Ok(Exit::Wrong);
        };
        let session = Session::new(&compiled.loaded);
        match command {
            StateCommand::List { format, .. } => {
                let (states, sent) = (session.states(&compiled).await?, session.sent(&compiled).await?);
                list((&states, &sent), *format, context.color_out)?
            }
            StateCommand::Show {
                step,
                partition,
                format,
                ..
            } => {
                keeps_state(&compiled, Some(step))?;
                let (mut states, mut sent) =
                    (session.states(&compiled).await?, session.sent(&compiled).await?);
                let wanted = |state: &StepState| {
                    let is_wanted = |wanted: &String| is_partition(&state.partition, wanted);
                    state.step == *step && partition.as_ref().is_none_or(is_wanted)
                };
                states.retain(wanted);
                sent.retain(|sent| sent.step == *step && partition.is_none());
                list((&states, &sent), *format, context.color_out)?
            }
            StateCommand::Set {
                step,
                until,
                from,
                partition,
                ..
            } => {
                let covered = Covered {
                    step,
                    partition: partition.as_deref(),
                    from: from.as_deref(),
                    until,
                };
                let set = session.set_state(&compiled, covered).await?;
                if let Some(why) = set.unchecked {
                    let text = format!("whether a row of the for_each is that partition is not known: {why}");
                    err(warning(&text, context.color));
                }
                let of = match set.partition.as_str() {
                    "" => String::new(),
                    partition => format!(" of partition {partition}"),
                };
                err(format!("the state{of} is set: the next run goes on from {until}"));
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

fn list((states, sent): (&[StepState], &[StepSent]), format: RunFormat, color: bool) -> Result<()> {
    let wrong = |e: serde_json::Error| Error::new(ErrorKind::Internal, e.to_string());
    match format {
        RunFormat::Json => {
            for state in states {
                out(serde_json::to_string(state).map_err(wrong)?);
            }
            for sent in sent {
                out(serde_json::to_string(sent).map_err(wrong)?);
            }
        }
        RunFormat::Text if states.is_empty() && sent.is_empty() => {
            err("nothing is kept yet: the next run begins anew")
        }
        RunFormat::Text => {
            let rows: Vec<Vec<String>> = states.iter().map(row).collect();
            table(&["Step", "Table", "Partition", "Covered"], &rows, color);
            let rows: Vec<Vec<String>> = sent.iter().map(sent_row).collect();
            table(&["Step", "Table", "Rows sent", "In doubt"], &rows, color);
        }
    }
    Ok(())
}

fn table(header: &[&str], rows: &[Vec<String>], color: bool) {
    if !rows.is_empty() {
        let table = Table {
            header,
            rows,
            status: 4,
            right_from: if header.contains(&"In doubt") { 2 } else { 4 },
        };
        out(table.render(color));
    }
}

fn sent_row(sent: &StepSent) -> Vec<String> {
    vec![
        sent.step.clone(),
        sent.table.clone(),
        grouped(sent.rows),
        grouped(sent.in_doubt),
    ]
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
