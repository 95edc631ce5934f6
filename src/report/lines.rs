//! Plain lines: for logs, CI and pipes.

use super::error::{SourceText, render};
use super::out::{err, out};
use super::{Show, done, paint};
use crate::exec::{Event, Outcome};

/// Writes what happens to standard error, and what the flow prints to standard output.
pub struct Lines {
    color: bool,
    quiet: bool,
    source: SourceText,
}

impl Lines {
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

/// An event as a line, and whether it belongs on standard output.
pub fn line(event: &Event, color: bool, quiet: bool, source: &SourceText) -> Option<(String, bool)> {
    match event {
        Event::Printed(text) => Some((text.clone(), true)),
        Event::Warning(text) => Some((format!("{}: {text}", paint("warning", "1;33", color)), false)),
        Event::Started {
            depth: 0,
            step,
            op,
            title,
            ..
        } if !quiet => {
            let title = title.as_ref().map(|t| format!("  {t}")).unwrap_or_default();
            Some((
                format!("{} {step} [{op}]{title}", paint("start  ", "36", color)),
                false,
            ))
        }
        Event::Finished {
            step,
            depth,
            outcome,
            totals,
            took,
            ..
        } => match outcome {
            Outcome::Done if *depth == 0 && !quiet => {
                let seconds = took.as_secs_f64();
                let what = done(*totals);
                let what = if what.is_empty() {
                    String::new()
                } else {
                    format!("  {what},")
                };
                Some((
                    format!("{} {step}{what} {seconds:.2} s", paint("done   ", "32", color)),
                    false,
                ))
            }
            Outcome::Failed(Some(error)) => {
                Some((render(error, &format!("step {step}: "), source, color), false))
            }
            Outcome::Caught(Some(error)) if !quiet => {
                let text = render(error, &format!("step {step} (caught): "), source, color);
                Some((text.replacen("error", "warning", 1), false))
            }
            Outcome::Failed(None) if !quiet => {
                Some((format!("{} {step}", paint("failed ", "31", color)), false))
            }
            Outcome::Skipped { because } if !quiet => Some((
                format!("{} {step}: {because}", paint("skipped", "33", color)),
                false,
            )),
            Outcome::Cancelled if !quiet => {
                Some((format!("{} {step}", paint("stopped", "33", color)), false))
            }
            _ => None,
        },
        Event::Started { .. } => None,
    }
}
