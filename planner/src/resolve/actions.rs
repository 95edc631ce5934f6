//! What each operation becomes in the plan, and what it reads and writes.

use super::frame::{Frame, scope};
use super::steps::{Found, Resolver};
use crate::codes::Code;
use crate::effects::Effects;
use crate::expr::has_template;
use crate::http_effects;
use crate::ops::{Branch, FlowAction, FlowStep, HttpRequest, Plain, RowSource, RowsOf, Try, While};
use crate::plan::{Action, PlannedBranch};

/// The variable that `catch` finds the error in.
pub const ERROR: &str = "error";

impl Resolver<'_> {
    /// Returns the planned action of a step; its effects go to `found`.
    pub(super) fn action(
        &mut self,
        step: &FlowStep,
        id: &str,
        frame: &mut Frame,
        found: &mut Found,
    ) -> Action {
        match &step.action {
            FlowAction::HttpRequest(request) => self.http(step, id, request, frame, found),
            FlowAction::Plain(plain) => self.plain(plain, frame, found),
            FlowAction::If { branches, otherwise } => self.conditions(branches, otherwise, frame, found),
            FlowAction::ForEach(each) => {
                each.rows.check(self.d);
                if let Some((source, place)) = each.rows.database() {
                    self.database_named(source, place);
                    each.rows.read(&mut found.effects, &scope(frame, self.names));
                    self.check_tables(found, place);
                } else {
                    each.rows.read(&mut found.effects, &scope(frame, self.names));
                }
                frame.bound.push(each.rows.variable.clone());
                frame.rounds += 1;
                let around = std::mem::take(&mut self.rows);
                self.conditional += 1;
                let body = self.region(&each.steps, frame, found);
                self.conditional -= 1;
                let columns = self.rows.of(&each.rows.variable);
                let columns = columns.filter(|_| !has_template(&each.rows.variable));
                self.rows.merge(&around);
                frame.rounds -= 1;
                frame.bound.pop();
                if let Some(table) = each.rows.table() {
                    self.check_columns(table, columns.as_ref());
                }
                Action::ForEach {
                    rows: Box::new(each.rows.clone()),
                    columns,
                    body,
                }
            }
            FlowAction::While(looped) => self.looped(looped, frame, found),
            FlowAction::Try(tried) => self.tried(tried, frame, found),
            FlowAction::Block(steps) => Action::Group(self.region(steps, frame, found)),
            FlowAction::RunFlow(run) if self.calls_later(step, run) => self.call(step, run, frame, found),
            FlowAction::RunFlow(run) => Action::Group(self.flow_region(step, run, id, frame, found)),
        }
    }

    fn plain(&mut self, plain: &Plain, frame: &Frame, found: &mut Found) -> Action {
        let mut planned = plain.clone();
        for (source, place) in plain.operation().databases() {
            self.database_named(source, place);
        }
        let scope = scope(frame, self.names);
        let further = planned.operation_mut().plan(&mut found.effects, &scope);
        for (source, place) in &further {
            self.database_named(source, place);
        }
        self.sets(plain.operation().sets());
        Action::Plain(Box::new(planned))
    }

    fn http(
        &mut self,
        step: &FlowStep,
        id: &str,
        request: &HttpRequest,
        frame: &Frame,
        found: &mut Found,
    ) -> Action {
        let response = &request.response;
        for table in response.tables.iter().map(|t| &t.target) {
            self.database(table);
        }
        if let (Some(source), Some(place)) = (&response.defaults.source, response.defaults.place()) {
            self.database_named(source, place);
        }
        if let Some((source, place)) = request.for_each.as_ref().and_then(RowsOf::database) {
            self.database_named(source, place);
        }
        let source = request.request.source.as_ref().and_then(|name| {
            let place = request.request.source_place.as_ref();
            self.http_source(name, place.unwrap_or(&step.place))
        });
        request.for_each.iter().for_each(|rows| rows.check(self.d));
        if let Some(RowSource::Values(_)) = request.for_each.as_ref().map(|rows| &rows.from)
            && request.may_reject(step.on_error)
        {
            let message = "rejected rows go to a table beside theirs, and `values` come from no database";
            self.d
                .error(Code::BadValue, step.place.clone(), message)
                .help("keep the values in a table, or leave out what rejects them");
        }
        // The name that the flow gives: that of a step in a plan is made to differ from others.
        let name = match &step.id {
            Some((id, _)) => id.as_str(),
            None => id.rsplit('/').next().unwrap_or(id),
        };
        let rejects = request.rejects(step.on_error, name);
        if rejects.is_some() && step.id.is_none() {
            let message =
                "rejected rows go to a table that is named after the step, and this one has no `id`";
            self.d
                .error(Code::MissingKey, step.place.clone(), message)
                .help("add an `id`: the rows of `id: push` go to `push_rejects`");
        }
        if request.max_rejects.is_some() && request.for_each.is_some() && !request.may_reject(step.on_error) {
            let message = "`max_rejects` counts rejected rows, and this step rejects none: the first request that fails ends it";
            self.d
                .error(Code::BadValue, step.place.clone(), message)
                .help("add `on_error: reject` (`split` with a `batch_size`), or leave `max_rejects` out");
        }
        let snapshot = request
            .for_each
            .as_ref()
            .and_then(|rows| rows.snapshot(&self.root, id));
        if let Some(table) = &snapshot {
            self.database(table);
            if let Some(name) = table.table.as_text() {
                // The step makes it, under a name that is known here alone.
                self.told_tables
                    .insert((table.source.clone(), name.to_lowercase()));
            }
        }
        let frame_scope = scope(frame, self.names);
        let tables = (rejects, snapshot);
        let planned = http_effects::plan(request, source, tables, &frame_scope, &mut found.effects);
        if let Some(table) = request.for_each.as_ref().and_then(RowsOf::table) {
            self.check_columns(table, planned.row_columns.as_ref());
        }
        let keeps_state = planned.asks.is_some() || planned.synced.is_some();
        if keeps_state && step.id.is_some() && id.rsplit('/').next() != Some(name) {
            let message =
                format!("its state is kept under its `id`, and another step is called `{name}`, too");
            self.d
                .error(Code::DuplicateId, step.place.clone(), message)
                .help("give one of them another `id`");
        }
        self.check_incremental(step, &planned, frame);
        self.check_url(request, source.map(|s| s.base_url.is_some()));
        let asked = http_effects::request_uses(request, source);
        self.check_changes(step, (&planned, &asked), frame);
        self.check_paging(request, &asked, &request.request.url_place);
        found.outside = !request.is_read();
        if found.outside {
            found.effects.at_once(match request.method() {
                Some(method) => format!("sends {method} requests"),
                None => "sends requests whose method is only known when it runs".into(),
            });
        }
        self.sets(&request.init);
        self.sets(&response.variables);
        if let Some(parser) = &response.parser {
            match parser.returns().and_then(|r| r.variables.as_ref()) {
                Some(set) => self.set.extend(set.iter().map(|v| v.name.clone())),
                None => self.opaque_setter = true,
            }
        }
        Action::Http(Box::new(planned))
    }

    fn conditions(
        &mut self,
        branches: &[Branch],
        otherwise: &[FlowStep],
        frame: &mut Frame,
        found: &mut Found,
    ) -> Action {
        self.check_conditions(branches, otherwise);
        let mut planned = Vec::with_capacity(branches.len());
        for (at, branch) in branches.iter().enumerate() {
            found
                .effects
                .read_uses(&branch.condition.uses(), &scope(frame, self.names));
            let name = if at == 0 {
                String::new()
            } else {
                format!("{}/", at + 1)
            };
            // What never runs may be wrong.
            let never = super::checks::known(&branch.condition) == Some(false);
            let before = never.then(|| std::mem::take(self.d));
            self.conditional += 1;
            let then = self.region_below(&name, &branch.then, frame, found);
            self.conditional -= 1;
            if let Some(before) = before {
                let inside = std::mem::replace(self.d, before);
                self.d.extend(&inside.as_warnings());
            }
            planned.push(PlannedBranch {
                condition: branch.condition.clone(),
                then,
            });
        }
        self.conditional += 1;
        let otherwise = self.region_below("else/", otherwise, frame, found);
        self.conditional -= 1;
        Action::If {
            branches: planned,
            otherwise,
        }
    }

    fn looped(&mut self, looped: &While, frame: &mut Frame, found: &mut Found) -> Action {
        let mut condition = Effects::default();
        condition.read_uses(&looped.condition.uses(), &scope(frame, self.names));
        frame.rounds += 1;
        self.conditional += 1;
        let body = self.region(&looped.steps, frame, found);
        self.conditional -= 1;
        frame.rounds -= 1;
        self.check_entered(looped);
        self.check_while(looped, &condition, &body);
        found.effects.merge(condition);
        Action::While {
            condition: looped.condition.clone(),
            body,
            max_iterations: looped.max_iterations,
        }
    }

    fn tried(&mut self, tried: &Try, frame: &mut Frame, found: &mut Found) -> Action {
        let steps = self.region(&tried.steps, frame, found);
        let catch = tried.catches.then(|| {
            frame.bound.push(ERROR.to_string());
            let catch = self.region_below("catch/", &tried.catch, frame, found);
            frame.bound.pop();
            catch
        });
        Action::Try {
            steps,
            catch,
            finally: self.region_below("finally/", &tried.finally, frame, found),
        }
    }
}
