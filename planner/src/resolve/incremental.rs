//! What is wrong with an incremental request where it stands.

use super::frame::Frame;
use super::steps::Resolver;
use crate::codes::Code;
use crate::ops::FlowStep;
use crate::plan::HttpStep;

impl Resolver<'_> {
    /// Reports what can't be known of an incremental request by itself.
    pub(super) fn check_incremental(&mut self, step: &FlowStep, http: &HttpStep, frame: &Frame) {
        let (Some(incremental), Some(asks)) = (&http.request.request.incremental, &http.asks) else {
            return;
        };
        // What only the run knows is looked at when the step starts.
        if step.deferred.is_some() {
            return;
        }
        if step.id.is_none() {
            let message = "how far `incremental` got is kept under the step's name, and this one has no `id`";
            self.d
                .error(Code::MissingKey, step.place.clone(), message)
                .help("add an `id`");
        }
        self.check_names_around(frame, &incremental.place);
        if frame.rounds > 0 {
            let message = "`incremental` in a loop: its rounds would share one state";
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help("use the `for_each` of the http_request: each of its rows has its own state");
        }
        if incremental.window.is_some() && !asks.end {
            let message = "`window` asks for a part at a time, and the request does not say where it ends";
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help("add `end_param`, or use `{{ var('window')['end'] }}` in the request");
        }
        if incremental.window.is_some() && !asks.start {
            let message = "`window` asks for a part at a time, and the request does not say where it starts";
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help("add `start_param`, or use `{{ var('window')['start'] }}` in the request");
        }
        if incremental.window.is_some() && incremental.initial.is_none() {
            let message = "`window` begins at `initial`, which is missing";
            self.d
                .error(Code::MissingKey, incremental.place.clone(), message)
                .help("add `initial`, like `initial: 2024-01-01`");
        }
    }
}
