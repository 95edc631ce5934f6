//! Events as JSON lines, for programs.

use serde_json::json;

use super::Show;
use crate::error::Error;
use crate::exec::{Event, Outcome};

/// One object per event on standard output.
pub struct Json;

impl Show for Json {
    fn event(&mut self, event: &Event) {
        let object = match event {
            Event::Started { step, op, title, .. } => {
                json!({"event": "started", "step": &**step, "op": op, "title": title})
            }
            Event::Finished {
                step,
                op,
                outcome,
                totals,
                took,
                ..
            } => {
                let (status, error, because) = match outcome {
                    Outcome::Done => ("done", None, None),
                    Outcome::Failed(error) => ("failed", error.as_ref().map(error_json), None),
                    Outcome::Caught(error) => ("caught", error.as_ref().map(error_json), None),
                    Outcome::Skipped { because } => ("skipped", None, Some(because)),
                    Outcome::Cancelled => ("cancelled", None, None),
                };
                json!({
                    "event": "finished", "step": &**step, "op": op, "status": status, "rows": totals.rows,
                    "requests": totals.requests, "retries": totals.retries, "seconds": took.as_secs_f64(),
                    "error": error, "because": because,
                })
            }
            Event::Printed(text) => json!({"event": "printed", "text": text}),
            Event::Warning(text) => json!({"event": "warning", "text": text}),
        };
        crate::report::out(format!("{object}"));
    }
}

/// An error as JSON.
pub fn error_json(error: &Error) -> serde_json::Value {
    json!({
        "message": error.to_string(),
        "place": error.place().map(ToString::to_string),
        "help": error.advice(),
    })
}
