//! Events as JSON lines, for programs: exactly the events, one object a line. The last is the report of the run.

use super::Show;
use crate::event::Event;

/// One object per event on standard output.
pub struct Json;

impl Show for Json {
    fn event(&mut self, event: &Event) {
        // Nothing in an event can't be JSON.
        super::out(serde_json::to_string(event).unwrap_or_default());
    }
}
