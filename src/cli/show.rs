//! `sequor show`.

use indexmap::IndexMap;
use serde::Serialize;

use super::args::{self, RunFormat};
use super::context::Context;
use super::runs::Line;
use super::state;
use crate::engine::{Entry, Journal, Loaded, Progress, RunRecord, RunState, StepRecord, Store};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::event::ErrorReport;
use crate::report::{SourceText, count, go_on, grouped, out, render, step_line, step_table};

/// A run and its steps, as JSON.
#[derive(Serialize)]
struct Whole<'r> {
    #[serde(flatten)]
    run: Line<'r>,
    steps: &'r [StepRecord],
    /// Rows that may have been sent when it ended, and must not be sent twice.
    in_doubt: &'r [Doubt],
    /// How far steps are that are not over.
    progress: Vec<Part>,
    /// What going on with it would do; none where nothing is left of it, or it is under way.
    resume: Option<Resume>,
}

/// A row that may have been sent.
#[derive(Serialize)]
struct Doubt {
    step: String,
    /// Its number among the rows of the step, from 0.
    number: u64,
    row: serde_json::Value,
}

/// How far a step is.
#[derive(Serialize)]
struct Part {
    step: String,
    #[serde(flatten)]
    progress: Progress,
}

/// What going on with a run would do.
#[derive(Serialize)]
struct Resume {
    /// The command.
    command: String,
    /// Steps that are done, and would not be run again.
    done: Vec<String>,
}

/// Shows a run.
pub fn show(context: &Context, args: &args::Show) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (loaded, record, steps, doubts, progress, resume) = runtime.block_on(async {
        let (loaded, store) = state::open(context).await?;
        let record = store.run(args.run.as_deref()).await?;
        let steps = store.steps(record.run).await?;
        let doubts = store.doubts(record.run, MOST_DOUBTS).await?;
        let doubts: Vec<Doubt> = doubts.into_iter().map(doubt).collect();
        let journal = Journal::of(&store, &loaded.sealer(&store), record.run).await?;
        let progress = match record.state {
            RunState::Done => Vec::new(),
            _ => parts(&loaded, &store, &record, &steps, &journal).await?,
        };
        let resume = match record.state {
            RunState::Done | RunState::Running => None,
            _ => {
                let mut done: Vec<String> = journal
                    .all(Entry::Over)
                    .map(|(step, _)| step.to_string())
                    .collect();
                let place = |step: &String| steps.iter().position(|known| known.step == *step);
                done.sort_by_key(place);
                let says = record.error.as_ref();
                let in_doubt = !doubts.is_empty() || says.is_some_and(ErrorReport::is_in_doubt);
                Some(Resume {
                    command: go_on(&record.flow, &state::short(&record.run), in_doubt),
                    done,
                })
            }
        };
        store.close().await;
        Ok::<_, Error>((loaded, record, steps, doubts, progress, resume))
    })?;
    match args.format {
        RunFormat::Json => {
            let whole = Whole {
                run: Line::of(&record),
                steps: &steps,
                in_doubt: &doubts,
                progress,
                resume,
            };
            let text = serde_json::to_string(&whole);
            out(text.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
        }
        RunFormat::Text => {
            text(context, &loaded, &record, &steps);
            rejected(&record, &steps);
            progress.iter().for_each(|part| part.tell(record.state));
            in_doubt(&doubts);
            if let Some(resume) = resume {
                resume.tell();
            }
        }
    }
    Ok(Exit::Done)
}

fn text(context: &Context, loaded: &Loaded, record: &RunRecord, steps: &[StepRecord]) {
    let source = SourceText::new(&loaded.project.files, true, true);
    let seconds = record.seconds.map(|seconds| format!(" in {seconds:.2} s"));
    out(format!(
        "Run {} of flow {}: {}{}",
        record.run,
        record.flow,
        record.state.as_str(),
        seconds.unwrap_or_default()
    ));
    out(format!(
        "Started {} UTC, environment {}, version {}, plan {}",
        record.started.get(..19).unwrap_or_default().replace('T', " "),
        record.environment.as_deref().unwrap_or("none"),
        record.program,
        record.plan.get(..12).unwrap_or_default()
    ));
    let last = steps.iter().map(|step| step.attempt).max().unwrap_or(1);
    for attempt in 1..=last {
        let of_attempt = || steps.iter().filter(move |step| step.attempt == attempt);
        let rows: Vec<Vec<String>> = of_attempt()
            .map(|step| {
                let worked = !matches!(step.status.as_str(), "skipped" | "already_done");
                step_line(
                    &step.step,
                    step.runs,
                    &step.status,
                    step.totals,
                    worked.then_some(step.seconds),
                )
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        let title = if last > 1 {
            format!("Attempt {attempt}\n")
        } else {
            String::new()
        };
        out(format!("\n{title}{}", step_table(&rows, context.color_out)));
        for step in of_attempt() {
            if let Some(error) = &step.error {
                let prefix = format!("step {}: ", step.step);
                out(format!(
                    "\n{}",
                    render(error, &prefix, &source, context.color_out)
                ));
            }
        }
    }
    let told = steps
        .iter()
        .any(|step| step.error.is_some() && step.attempt == record.attempt);
    if let (Some(error), false) = (&record.error, told) {
        out(format!("\n{}", render(error, "", &source, context.color_out)));
    }
}

/// How far the steps of a run are that it began and that are not over.
async fn parts(
    loaded: &Loaded,
    store: &Store,
    record: &RunRecord,
    steps: &[StepRecord],
    journal: &Journal,
) -> Result<Vec<Part>> {
    let mut names: Vec<&str> = steps.iter().map(|step| step.step.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut parts = Vec::new();
    for step in names.into_iter().filter(|step| !journal.is_over(step)) {
        if let Some(progress) = loaded.progress(store, record.run, step).await? {
            let step = step.to_string();
            parts.push(Part { step, progress });
        }
    }
    Ok(parts)
}

/// Tells of rows that were rejected: those of the last attempt at each step that came to its end.
fn rejected(record: &RunRecord, steps: &[StepRecord]) {
    let mut last: IndexMap<&str, u64> = IndexMap::new();
    for step in steps.iter().filter(|step| step.status != "already_done") {
        last.insert(&step.step, step.totals.rejects);
    }
    for (step, rejects) in last.into_iter().filter(|(_, rejects)| *rejects > 0) {
        let rows = match rejects {
            1 => "1 row was rejected".to_string(),
            n => format!("{} rows were rejected", grouped(n)),
        };
        out(match record.state {
            RunState::Done => format!(
                "\n{step}: {rows}. To send them again: sequor retry {}",
                state::short(&record.run)
            ),
            // What is left of the run comes first.
            _ => format!("\n{step}: {rows}"),
        });
    }
}

impl Part {
    fn tell(&self, state: RunState) {
        let Progress {
            rows,
            done,
            rejected,
            in_doubt,
            responses,
        } = &self.progress;
        let mut says = Vec::new();
        match rows {
            Some(rows) => says.push(format!("{} of {} done", grouped(*done), count(*rows, "row"))),
            None if *done > 0 => says.push(format!("{} done", count(*done, "row"))),
            None => {}
        }
        let others = [
            (rejected, "rejected"),
            (
                in_doubt,
                if state == RunState::Running {
                    "under way"
                } else {
                    "may have been sent"
                },
            ),
        ];
        for (number, what) in others.into_iter().filter(|(number, _)| **number > 0) {
            says.push(format!("{} {what}", grouped(*number)));
        }
        if *responses > 0 {
            says.push(format!("{} kept", count(*responses, "response")));
        }
        out(format!("\n{}: {}", self.step, says.join(", ")));
    }
}

impl Resume {
    fn tell(&self) {
        let done = match self.done.len() {
            0 => "no step is over yet".to_string(),
            _ => format!("done, and not run again: {}", self.done.join(", ")),
        };
        out(format!("\nTo go on with it: {}\n  {done}", self.command));
    }
}

/// Rows in doubt that are read at most.
const MOST_DOUBTS: usize = 10_000;

fn doubt((step, number, row): (String, u64, String)) -> Doubt {
    Doubt {
        step,
        number,
        row: serde_json::from_str(&row).unwrap_or_default(),
    }
}

/// Tells of rows in doubt: the first of them.
fn in_doubt(doubts: &[Doubt]) {
    /// Rows that are shown.
    const SHOWN: usize = 10;
    if doubts.is_empty() {
        return;
    }
    out(format!(
        "\nIn doubt: {} that may have been sent, and must not be sent twice",
        count(doubts.len() as u64, "row")
    ));
    for doubt in doubts.iter().take(SHOWN) {
        out(format!(
            "  {} row {}: {}",
            doubt.step,
            doubt.number + 1,
            doubt.row
        ));
    }
    if doubts.len() > SHOWN {
        out("  ... and more: --format json shows all");
    }
}
