//! What is wrong with a step that sends only changed rows, where it stands.

use super::frame::Frame;
use super::steps::Resolver;
use crate::codes::Code;
use crate::expr::Uses;
use crate::ops::{CHANGE, CHANGES_IN_LOOP, Change, FlowStep, KEPT_RESPONSE, OPERATIONS};
use crate::plan::HttpStep;
use crate::span::Place;

impl Resolver<'_> {
    /// Reports what can't be known of `changes` by itself.
    pub(super) fn check_changes(
        &mut self,
        step: &FlowStep,
        (http, asked): (&HttpStep, &Uses),
        frame: &Frame,
    ) {
        let Some(changes) = http.request.changes() else {
            return;
        };
        if step.id.is_none() {
            let message = "what was sent is kept under the step's name, and this one has no `id`";
            self.d
                .error(Code::MissingKey, step.place.clone(), message)
                .help("add an `id`");
        }
        self.check_names_around(frame, &changes.place);
        if let Some(rows) = &http.request.for_each
            && [CHANGE, KEPT_RESPONSE].contains(&rows.variable.as_str())
        {
            let message = format!(
                "`as: {}`: `changes` sets a variable of this name, which could not be seen",
                rows.variable
            );
            self.d
                .error(Code::BadValue, changes.place.clone(), message)
                .help("call the row by another name, like `as: row`");
        }
        for (at, name) in changes.key.iter().enumerate() {
            let same = |other: &String| other.eq_ignore_ascii_case(name);
            let what = match name.as_str() {
                "" => "`key` names a column that has no name".to_string(),
                name if name.contains("{{") => {
                    format!("`key` names columns as they are, and `{name}` is a template")
                }
                name if changes.key[..at].iter().any(same) => format!("`key` names `{name}` twice"),
                _ => continue,
            };
            self.d
                .error(Code::BadValue, changes.place.clone(), what)
                .help("name the columns that tell a row from the others: `key: [id]`");
        }
        let snapshot = http.synced.as_ref().map(|synced| synced.snapshot.in_short());
        let written = http
            .rejects
            .iter()
            .chain(http.request.response.tables.iter().map(|table| &table.target));
        if let Some(table) = written
            .map(|table| table.in_short())
            .find(|name| snapshot.as_ref() == Some(name))
        {
            let message = format!("`snapshot` is {table}, which the step writes other rows into");
            self.d
                .error(Code::BadValue, changes.place.clone(), message)
                .help("name another table: `snapshot: {table: ...}`");
        }
        let reads = |name: &str| asked.any_variable || asked.variables.contains(name);
        let method = http.request.method();
        let one_kind = changes.rows.len() == 1 || step.deferred.is_some();
        if changes.rows.contains(&Change::Removed)
            && !one_kind
            && !reads(CHANGE)
            && method.as_deref() != Some("DELETE")
        {
            let message = "removed rows would be sent like the others: the request does not look at `change`";
            self.d
                .error(Code::BadValue, changes.place.clone(), message)
                .help("leave them out by `rows: [added, changed]`, or use it: `method: \"{{ 'DELETE' if var('change') == 'removed' else 'PUT' }}\"`");
        }
        if asked.variables.contains(KEPT_RESPONSE) && changes.keep_response.is_none() {
            let message = "the request reads `kept_response`, and nothing is kept of answers";
            self.d
                .error(Code::MissingKey, changes.place.clone(), message)
                .help("say what is kept: `keep_response: id`");
        }
        if frame.rounds > 0 {
            let (message, help) = CHANGES_IN_LOOP;
            self.d
                .error(Code::BadValue, changes.place.clone(), message)
                .help(help);
        }
    }

    /// Reports a step around one that keeps a state, whose name is its place in the flow: where that changes, the state would
    /// be another step's.
    pub(super) fn check_names_around(&mut self, frame: &Frame, place: &Place) {
        let is_place = |part: &str| {
            part.rsplit_once('_').is_some_and(|(op, number)| {
                number.bytes().all(|digit| digit.is_ascii_digit())
                    && OPERATIONS.iter().any(|(known, _)| *known == op)
            })
        };
        if let Some(part) = frame.path.split('/').find(|part| is_place(part)) {
            let message = format!(
                "a state is kept under the step's name, and the step around it, `{part}`, is named by its place in the flow"
            );
            self.d
                .error(Code::MissingKey, place.clone(), message)
                .help("add an `id` to it: where it moves, it stays the same");
        }
    }
}
