//! Events to words: progress on a terminal, plain lines elsewhere, JSON lines for programs, and the summary.

mod doctor;
mod dry_run;
mod error;
mod json;
mod junit;
mod lines;
mod out;
mod summary;
mod table;
mod terminal;
mod tests;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::event::{Event, Totals};
pub use crate::event::{count, grouped};

pub use doctor::check;
pub use dry_run::dry_run;
pub use error::{SourceText, render};
pub use junit::junit;
pub use out::{err, out};
pub use summary::{line as step_line, of_lines as step_table};
pub use table::Table;
pub use tests::{test_failures, test_github, test_line, test_summary};

/// How a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Moving progress, on a terminal.
    Terminal,
    /// A line when a step starts and ends.
    Lines,
    /// Only what the flow prints, and errors.
    Quiet,
    /// One JSON object per event, on standard output.
    Json,
}

/// Returns the command that goes on with a run. `in_doubt`: whether it has to say what becomes of what may have been sent.
pub fn go_on(flow: &str, run: &str, in_doubt: bool) -> String {
    let says = if in_doubt { " --in-doubt send|skip" } else { "" };
    format!("sequor run {flow} --resume {run}{says}")
}

/// Something that shows events.
trait Show: Send {
    /// An event happened.
    fn event(&mut self, event: &Event);
    /// All is over.
    fn end(&mut self) {}
}

/// Shows events until the run is over.
pub async fn show(mut events: mpsc::Receiver<Arc<Event>>, style: Style, color: bool, source: SourceText) {
    let mut shown: Box<dyn Show> = match style {
        Style::Terminal => Box::new(terminal::Terminal::new(color, source)),
        Style::Lines => Box::new(lines::Lines::new(color, false, source)),
        Style::Quiet => Box::new(lines::Lines::new(color, true, source)),
        Style::Json => Box::new(json::Json),
    };
    while let Some(event) = events.recv().await {
        shown.event(&event);
    }
    shown.end();
}

/// Shows events that were remembered, on standard output.
pub fn replay(events: &[Event], style: Style, color: bool, source: &SourceText) {
    for event in events {
        match style {
            Style::Json => Show::event(&mut json::Json, event),
            _ => {
                if let Some((line, _)) = lines::line(event, color, style == Style::Quiet, source) {
                    out(line);
                }
            }
        }
    }
}

/// Text in a colour, where colours are wanted.
fn paint(text: &str, code: &str, color: bool) -> String {
    match color {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_string(),
    }
}

/// Returns a warning as a line.
pub fn warning(text: &str, color: bool) -> String {
    format!("{}: {text}", paint("warning", "1;33", color))
}

/// What a step did, in words: "120 rows, 3 requests, 1 retry".
fn done(totals: Totals) -> String {
    let mut parts = Vec::new();
    if totals.rows > 0 {
        parts.push(count(totals.rows, "row"));
    }
    if totals.requests > 0 {
        parts.push(count(totals.requests, "request"));
    }
    match totals.retries {
        0 => {}
        1 => parts.push("1 retry".into()),
        n => parts.push(format!("{n} retries")),
    }
    parts.join(", ")
}
