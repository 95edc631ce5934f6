//! An error as a person reads it: message, place with the line of the file, advice.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use sequor_planner::ProjectFiles;

use super::paint;
use crate::event::ErrorReport;

/// The project's files, for showing lines of them.
#[derive(Clone, Default)]
pub struct SourceText {
    files: Arc<HashMap<String, String>>,
    /// Whether tracebacks of Python are shown.
    pub traceback: bool,
    /// Whether only messages are shown, not where they come from.
    pub brief: bool,
}

impl SourceText {
    /// The texts of these files; `places`: whether errors show where they come from.
    pub fn new(files: &ProjectFiles, traceback: bool, places: bool) -> Self {
        let single = [&files.project, &files.environment];
        let all = single
            .into_iter()
            .flatten()
            .chain(files.flows.values())
            .chain(files.sources.values());
        SourceText {
            files: Arc::new(all.map(|f| (f.path.to_string(), f.text.clone())).collect()),
            traceback,
            brief: !places,
        }
    }

    fn line(&self, file: &str, line: usize) -> Option<&str> {
        self.files.get(file)?.lines().nth(line.checked_sub(1)?)
    }
}

/// Renders an error; `prefix` names who failed ("step fetch: ").
pub fn render(error: &ErrorReport, prefix: &str, source: &SourceText, color: bool) -> String {
    let mut out = format!(
        "{}: {prefix}{}",
        paint(&format!("error[{}]", error.code), "1;31", color),
        error.message
    );
    if let Some(place) = error.place.as_ref().filter(|_| !source.brief) {
        let _ = write!(out, "\n  {} {place}", paint("-->", "1;34", color));
        if let Some(text) = source.line(&place.file, place.line) {
            let number = place.line.to_string();
            let bar = paint("|", "1;34", color);
            let _ = write!(
                out,
                "\n {} {bar} {}",
                paint(&number, "1;34", color),
                text.trim_end()
            );
            if place.column > 1 {
                let caret = paint("^", "1;31", color);
                let _ = write!(
                    out,
                    "\n {} {bar} {}{caret}",
                    " ".repeat(number.len()),
                    " ".repeat(place.column - 1)
                );
            }
        }
    }
    if let Some(advice) = &error.help {
        let _ = write!(out, "\n  {}: {advice}", paint("help", "1;36", color));
    }
    match &error.traceback {
        Some(trace) if source.traceback && !trace.is_empty() => {
            let _ = write!(out, "\n{}", trace.trim_end());
        }
        _ => {}
    }
    out
}
