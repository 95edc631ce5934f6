//! What can be told of a flow before it runs, besides names: loops that go nowhere, steps that never run, tables that
//! nobody creates or that every round creates anew.

use std::collections::BTreeSet;

use super::frame::Frame;
use super::steps::{Found, Resolver};
use crate::codes::Code;
use crate::diagnostic::{did_you_mean, nearest};
use crate::effects::{Effects, Resource};
use crate::expr::{Prop, Uses, has_template};
use crate::http_effects;
use crate::ops::{Branch, FlowAction, FlowStep, HttpRequest, RunFlow, TableRef, While, WriteMode};
use crate::plan::{Region, Step};
use crate::span::Place;
use crate::syntax::Source;

impl Resolver<'_> {
    /// Returns a `while` whose request uses nothing that its response sets.
    pub(super) fn check_paging(&mut self, request: &HttpRequest, asked: &Uses, place: &Place) {
        let Some(while_) = &request.response.while_ else {
            return;
        };
        let while_place = request.response.while_place.as_ref().unwrap_or(place);
        if let Prop::Literal(serde_json::Value::Number(_)) = while_ {
            let message = "`while` must be true or false";
            self.d.error(Code::WrongType, while_place.clone(), message);
        }
        let moves = match http_effects::set_by_response(request) {
            None => true,
            Some(set) => {
                asked.any_variable
                    || asked.clock
                    || asked.any_source
                    || !asked.tables.is_empty()
                    || !asked.queries.is_empty()
                    || !asked.sources.is_empty()
                    || set.iter().any(|name| asked.variables.contains(name))
            }
        };
        if moves || known(while_) == Some(false) {
            return;
        }
        if Self::is_endless(request, while_) {
            self.d
                .error(
                    Code::SameAgain,
                    while_place.clone(),
                    "this `while` never ends: it is always the same, and so is the request",
                )
                .help("ask the response: `while_expression: response.json()['has_more']`");
            return;
        }
        self.d
            .warning(
                Code::SameAgain,
                place.clone(),
                "each round of `while` sends the same request: it uses nothing that the response sets",
            )
            .help("set a variable in `response.variables` and use it in the request; ignore this where the API moves on by itself");
    }

    /// Whether nothing can make a `while` false, and no rule ends the paging.
    fn is_endless(request: &HttpRequest, while_: &Prop) -> bool {
        let constant = match while_ {
            Prop::Jinja { uses, .. } => **uses == Uses::default(),
            while_ => known(while_) == Some(true),
        };
        constant && request.response.rules.is_empty()
    }

    /// Returns a literal url that leads nowhere. `based`: whether the source, if there is one, has a `base_url`.
    pub(super) fn check_url(&mut self, request: &HttpRequest, based: Option<bool>) {
        let text = match &request.request.url {
            Prop::Literal(serde_json::Value::String(text)) => text.trim(),
            Prop::Jinja { code, .. } => code.text.trim(),
            _ => return,
        };
        if text.is_empty() {
            return;
        }
        let scheme = ["http://", "https://"].iter().any(|s| {
            text.get(..s.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(s))
        });
        let (message, help) = match (text.starts_with('/'), based) {
            // A source that is not there is told already.
            (true, None) if request.request.source.is_some() => return,
            (true, None) => (
                "has no host",
                "name an http `source` with a `base_url`, or write the whole url",
            ),
            (true, Some(false)) => (
                "has no host",
                "set `base_url` in the http source, or write the whole url",
            ),
            (true, Some(true)) => return,
            (false, _) if scheme || text.starts_with("{{") || text.starts_with("{%") => return,
            (false, _) => (
                "is not a url",
                "a url is https://host/path, or a path from `/` on the source's `base_url`",
            ),
        };
        self.d
            .error(
                Code::BadValue,
                request.request.url_place.clone(),
                format!("`{text}` {message}"),
            )
            .help(help);
    }

    /// Parameters that the called flow never looks at: a slip in their names, most likely.
    pub(super) fn check_parameters(&mut self, run: &RunFlow, frame: usize, steps: &[Step], known: &[&str]) {
        let mut names: Vec<&str> = Vec::new();
        match &run.parameters {
            Some(Prop::Map(entries)) => names.extend(entries.iter().map(|(k, _)| k.as_str())),
            Some(Prop::Literal(serde_json::Value::Object(entries))) => {
                names.extend(entries.keys().map(String::as_str));
            }
            _ => {}
        }
        if !self.names.broken.is_empty() {
            return;
        }
        for name in names {
            let own = Resource::Local {
                frame,
                name: name.to_string(),
            };
            let read = |r: &Resource| *r == own || *r == Resource::AnyVariable;
            if steps.iter().any(|s| s.reads.iter().any(read)) {
                continue;
            }
            let message = format!("flow `{}` never reads the parameter `{name}`", run.flow);
            let near = nearest(name, known.iter().copied());
            self.d
                .warning(Code::UnusedParameter, run.flow_place.clone(), message)
                .maybe_help(near.map(|near| format!("did you mean `{near}`?")));
        }
    }

    /// Returns a `while` step whose steps change nothing that its condition looks at.
    pub(super) fn check_while(&mut self, looped: &While, condition: &Effects, body: &Region) {
        if looped.max_iterations.is_some() || known(&looped.condition) == Some(false) {
            return;
        }
        let mut changes = false;
        for step in &body.steps {
            let changed = step
                .writes
                .iter()
                .any(|w| condition.reads.iter().any(|r| r.overlaps(w)));
            changes |= changed;
        }
        // Python may look at anything: a clock, a file.
        let mut lowered = looped.condition.clone();
        lowered.lower();
        let code = lowered.needs_python();
        if changes || code {
            return;
        }
        self.d
            .warning(
                Code::SameAgain,
                looped.condition_place.clone(),
                "the steps of this `while` change nothing that its condition looks at",
            )
            .help("set a variable in the steps and use it in the condition, or limit the rounds with `max_iterations`");
    }

    /// Steps of an `if` whose condition is known.
    pub(super) fn check_conditions(&mut self, branches: &[Branch], otherwise: &[FlowStep]) {
        let mut certain = false;
        for branch in branches {
            let value = known(&branch.condition);
            if (certain || value == Some(false)) && !branch.then.is_empty() {
                let why = match certain {
                    true => "a condition before it is always true",
                    false => "the condition is never true",
                };
                self.unreachable(&branch.condition_place, why);
            }
            certain |= value == Some(true);
        }
        if certain && let Some(step) = otherwise.first() {
            self.unreachable(&step.place, "a condition before it is always true");
        }
    }

    /// Steps that a loop never starts.
    pub(super) fn check_entered(&mut self, looped: &While) {
        if known(&looped.condition) == Some(false) && !looped.steps.is_empty() {
            self.unreachable(&looped.condition_place, "the condition is never true");
        }
    }

    fn unreachable(&mut self, place: &Place, why: &str) {
        self.d
            .warning(
                Code::Unreachable,
                place.clone(),
                format!("these steps never run: {why}"),
            )
            .help("leave steps out on purpose with `enabled: false`");
    }

    /// Returns a table that each round of a loop creates anew.
    pub(super) fn check_created(&mut self, step: &FlowStep, frame: &Frame) {
        if frame.rounds == 0 {
            return;
        }
        let written: Vec<(&TableRef, &WriteMode)> = match &step.action {
            FlowAction::HttpRequest(request) => {
                let tables = request.response.tables.iter();
                tables.map(|t| (&t.target, &t.write_mode)).collect()
            }
            FlowAction::Plain(plain) => {
                let filled = plain.operation().fills();
                filled
                    .and_then(|(table, mode)| Some((table, mode?)))
                    .into_iter()
                    .collect()
            }
            _ => return,
        };
        for (table, mode) in written {
            // Each round may have a database of its own.
            let settings = self.names.sources.get(&table.source).map(Source::settings);
            let moves = settings.into_iter().flatten().any(|p| !p.uses().is_fixed());
            if moves || has_template(&table.source) {
                continue;
            }
            if let (Some(name), WriteMode::Replace) = (table.table.as_text(), mode) {
                let message =
                    format!("table `{name}` is created anew in each round: only the last round's rows stay");
                self.d
                    .warning(Code::CreatedPerRound, table.place.clone(), message)
                    .help("use `write_mode: append`, or a `for_each` inside the http_request");
            }
        }
    }

    /// Columns that are read of a table which does not have them.
    pub(super) fn check_columns(&mut self, table: &TableRef, used: Option<&BTreeSet<String>>) {
        let (Some(name), None, None, Some(used)) =
            (table.table.as_text(), &table.database, &table.namespace, used)
        else {
            return;
        };
        let known = &self.names.tables;
        let key = (table.source.clone(), name.to_lowercase());
        let Some(Some(columns)) = known.columns.get(&key) else {
            return;
        };
        if known.opaque.contains(&table.source) || !self.names.broken.is_empty() {
            return;
        }
        for column in used.iter().filter(|c| !columns.contains(&c.to_lowercase())) {
            let help = did_you_mean(column, "columns", columns.iter().map(String::as_str));
            let message = format!("table `{name}` has no column `{column}`, which is read of its rows");
            self.d
                .warning(Code::UnknownColumn, table.place.clone(), message)
                .maybe_help(help);
        }
    }

    /// Tables read that nothing of the project creates.
    pub(super) fn check_tables(&mut self, found: &Found, place: &Place) {
        if !self.names.broken.is_empty() {
            return;
        }
        for resource in &found.effects.reads {
            let Resource::Table {
                source,
                database: None,
                namespace: None,
                table,
            } = resource
            else {
                continue;
            };
            let made = &self.names.tables.made;
            let key = (source.clone(), table.to_lowercase());
            if made.contains(&key) || self.names.tables.opaque.contains(source) {
                continue;
            }
            let Some(dialect) = self.names.sources.get(source).and_then(|s| s.dialect()) else {
                continue;
            };
            let here = made.iter().filter(|(s, _)| s == source).map(|(_, t)| t.as_str());
            let near = nearest(table, here);
            // Where tables come from elsewhere, too, only a likely slip is worth a word.
            if dialect.has_views() && near.is_none() {
                continue;
            }
            let message = format!("nothing in the project creates table `{table}` in `{source}`");
            if self.told_tables.insert(key) {
                self.d
                    .warning(Code::UnknownTable, place.clone(), message)
                    .maybe_help(near.map(|near| format!("did you mean `{near}`?")));
            }
        }
    }
}

/// Returns the truth of a condition that does not depend on the run.
pub(super) fn known(condition: &Prop) -> Option<bool> {
    let text = match condition {
        Prop::Literal(serde_json::Value::Bool(value)) => return Some(*value),
        Prop::Literal(serde_json::Value::String(text)) => text.trim().to_lowercase(),
        Prop::Literal(_) => return Some(false),
        Prop::Python { code, .. } => match code.text.trim() {
            "True" => return Some(true),
            "False" => return Some(false),
            _ => return None,
        },
        _ => return None,
    };
    Some(text == "true")
}
