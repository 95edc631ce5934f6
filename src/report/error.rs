//! An error as a person reads it: message, place with the line of the file, advice.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use sequor_planner::{Drawing, ProjectFiles, Severity};

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
    /// Creates the texts of these files; `places`: whether errors show where they come from.
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

    /// Returns the same, with more files.
    pub fn with(self, more: impl Iterator<Item = (String, String)>) -> SourceText {
        let mut files = self.files.as_ref().clone();
        files.extend(more);
        SourceText {
            files: Arc::new(files),
            ..self
        }
    }

    fn text(&self, file: &str) -> Option<&str> {
        self.files.get(file).map(String::as_str)
    }
}

/// Renders an error; `prefix` names who failed ("step fetch: ").
pub fn render(error: &ErrorReport, prefix: &str, source: &SourceText, color: bool) -> String {
    let message = format!("{prefix}{}", error.message);
    let place = error.place.as_ref().filter(|_| !source.brief);
    let drawing = Drawing {
        severity: Severity::Error,
        code: &error.code,
        message: &message,
        place,
        help: error.help.as_deref(),
    };
    let text = place.and_then(|place| source.text(&place.file));
    let mut out = drawing.render(text, color);
    match &error.traceback {
        Some(trace) if source.traceback && !trace.is_empty() => {
            let _ = write!(out, "\n{}", trace.trim_end());
        }
        _ => {}
    }
    out
}
