//! Plain lines: for logs, CI and pipes.

use super::error::{SourceText, render};
use super::out::{err, out};
use super::{Show, done, go_on, paint, summary, warning};
use crate::event::{ErrorReport, Event, EventKind, RunReport, RunStatus, StepStatus};

/// Writes what happens to standard error, and what the flow prints to standard output.
pub struct Lines {
    color: bool,
    quiet: bool,
    source: SourceText,
}

impl Lines {
    /// Returns a reporter that has written nothing yet.
    pub fn new(color: bool, quiet: bool, source: SourceText) -> Self {
        Lines { color, quiet, source }
    }
}

impl Show for Lines {
    fn event(&mut self, event: &Event) {
        if let Some((line, to_stdout)) = line(event, self.color, self.quiet, &self.source) {
            match to_stdout {
                true => out(line),
                false => err(line),
            }
        }
    }
}

/// The error of a run that none of its steps has told.
fn untold(report: &RunReport) -> Option<&ErrorReport> {
    let told = report.steps.iter().any(|step| step.status == StepStatus::Failed);
    report
        .error
        .as_ref()
        .filter(|_| !told && report.status == RunStatus::Failed)
}

/// Returns an event as a line, and whether it belongs on standard output.
pub fn line(event: &Event, color: bool, quiet: bool, source: &SourceText) -> Option<(String, bool)> {
    let step = event.step.as_deref().unwrap_or_default();
    let err = |line: String| Some((line, false));
    match &event.kind {
        EventKind::Printed { text } => Some((text.clone(), true)),
        EventKind::Warning { text } => err(warning(text, color)),
        EventKind::StepStarted { depth: 0, op, title } if !quiet => {
            let title = title.as_ref().map(|t| format!("  {t}")).unwrap_or_default();
            err(format!("{} {step} [{op}]{title}", paint("start  ", "36", color)))
        }
        EventKind::Changes { counts } if !quiet => err(format!(
            "{} {step}: {}",
            paint("changes", "36", color),
            counts.in_words()
        )),
        EventKind::StepFinished {
            depth,
            status,
            totals,
            seconds,
            error,
            because,
            ..
        } => match (status, error) {
            (StepStatus::Done, _) if *depth == 0 && !quiet => {
                let what = match done(*totals) {
                    what if what.is_empty() => what,
                    what => format!("  {what},"),
                };
                let word = paint("done   ", "32", color);
                err(format!("{word} {step}{what} {seconds:.2} s"))
            }
            (StepStatus::AlreadyDone, _) if *depth == 0 && !quiet => {
                let because = because.as_deref().unwrap_or_default();
                err(format!("{} {step}: {because}", paint("kept   ", "32", color)))
            }
            (StepStatus::Failed, Some(error)) => err(render(error, &format!("step {step}: "), source, color)),
            (StepStatus::Caught, Some(error)) if !quiet => {
                let text = render(error, &format!("step {step} (caught): "), source, color);
                err(text.replacen("error", "warning", 1))
            }
            (StepStatus::Failed, None) if !quiet => err(format!("{} {step}", paint("failed ", "31", color))),
            (StepStatus::Skipped, _) if !quiet => {
                let because = because.as_deref().unwrap_or_default();
                err(format!("{} {step}: {because}", paint("skipped", "33", color)))
            }
            (StepStatus::Cancelled, _) if !quiet => err(format!("{} {step}", paint("stopped", "33", color))),
            _ => None,
        },
        EventKind::RunFinished(report) if quiet => {
            let error = untold(report)?;
            err(render(error, "", source, color))
        }
        EventKind::RunFinished(report) => {
            let table = summary::table(report, color);
            let table = match table.is_empty() {
                true => table,
                false => format!("\n{table}\n"),
            };
            let (flow, status) = (&report.flow, report.status.as_str());
            let error = untold(report).map(|error| format!("\n{}\n", render(error, "", source, color)));
            let goes_on = match report.resumable {
                false => String::new(),
                true => {
                    let in_doubt = report.error.as_ref().is_some_and(ErrorReport::is_in_doubt);
                    let command = go_on(flow, &event.run.to_string(), in_doubt);
                    format!("\nTo go on with it: {command}")
                }
            };
            err(format!(
                "{}{table}\nFlow {flow}: {status} in {:.2} s{goes_on}",
                error.unwrap_or_default(),
                report.seconds
            ))
        }
        _ => None,
    }
}
