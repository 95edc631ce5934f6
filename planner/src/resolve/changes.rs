//! What is wrong with a step that sends only changed rows, where it stands.

use super::frame::Frame;
use super::steps::Resolver;
use crate::codes::Code;
use crate::ops::FlowStep;
use crate::plan::HttpStep;

impl Resolver<'_> {
    /// Reports what can't be known of `changes` by itself.
    pub(super) fn check_changes(&mut self, step: &FlowStep, http: &HttpStep, frame: &Frame) {
        let rows = http.request.for_each.as_ref();
        let Some(changes) = rows.and_then(|rows| rows.changes.as_ref()) else {
            return;
        };
        if step.id.is_none() {
            let message = "what was sent is kept under the step's name, and this one has no `id`";
            self.d
                .error(Code::MissingKey, step.place.clone(), message)
                .help("add an `id`");
        }
        if frame.rounds > 0 {
            let message =
                "`changes` in a loop: each round would take the rows of the others for removed ones";
            self.d
                .error(Code::BadValue, changes.place.clone(), message)
                .help("use one http_request for all rows: its `for_each` takes a `query`");
        }
    }
}
