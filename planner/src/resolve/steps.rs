//! Steps as written to steps of the plan.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::frame::{Frame, collect_locals, scope, target};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::effects::{Effects, Resource};
use crate::expr::Prop;
use crate::graph;
use crate::http_effects;
use crate::ops::{FlowAction, FlowStep, RunFlow};
use crate::passes::rename;
use crate::passes::views::{self, KnownTables};
use crate::plan::{Action, PlannedBranch, Region, Step};
use crate::span::Place;
use crate::syntax::Source;

/// How deep flows may call each other.
const MAX_CALLS: usize = 64;

/// Everything names are looked up in.
pub struct Names<'a> {
    pub flows: &'a IndexMap<String, Vec<FlowStep>>,
    pub sources: &'a IndexMap<String, Source>,
    /// Flows with steps that could not be read: what those set and are is not known.
    pub broken: &'a BTreeSet<String>,
    /// Names defined before the run: environment, command line, project variables kept from earlier runs.
    pub variables: &'a BTreeSet<String>,
    /// Tables that flows of the project make.
    pub tables: &'a KnownTables,
}

/// Resolves one flow.
pub struct Resolver<'a> {
    pub(super) names: &'a Names<'a>,
    pub d: &'a mut Diagnostics,
    /// Sources in use.
    pub used: BTreeSet<String>,
    pub frames: usize,
    /// Unknown sources already told, with the line: a step may name one several times.
    pub(super) unknown: BTreeSet<(String, usize)>,
    /// Flows that are part of the plan.
    pub visited: BTreeSet<String>,
    /// Flows being inlined, outermost first.
    calls: Vec<String>,
    /// Variables that some step sets, project scope.
    pub set: BTreeSet<String>,
    /// Variables asked for, and where first: checked at the end, when all that is set is known.
    pub(super) asked: HashMap<String, Place>,
    pub(super) opaque_setter: bool,
}

impl<'a> Resolver<'a> {
    pub fn new(names: &'a Names<'a>, d: &'a mut Diagnostics) -> Self {
        Resolver {
            names,
            d,
            used: BTreeSet::new(),
            frames: 0,
            unknown: BTreeSet::new(),
            visited: BTreeSet::new(),
            calls: Vec::new(),
            set: BTreeSet::new(),
            asked: HashMap::new(),
            opaque_setter: false,
        }
    }

    /// Resolves the flow `name` as the plan's root.
    pub fn flow(&mut self, name: &str) -> Region {
        let Some(steps) = self.names.flows.get(name) else {
            return Region::default();
        };
        let mut frame = self.frame(steps, None, String::new());
        self.visited.insert(name.to_string());
        self.calls.push(name.to_string());
        let mut list = List::default();
        self.steps(steps, &mut frame, &mut list, None);
        self.calls.pop();
        self.check_variables();
        finish(list)
    }

    fn frame(&mut self, steps: &[FlowStep], parameters: Option<&Prop>, path: String) -> Frame {
        let mut locals = BTreeSet::new();
        match parameters {
            Some(Prop::Map(entries)) => locals.extend(entries.iter().map(|(k, _)| k.clone())),
            Some(Prop::Literal(Json::Object(entries))) => locals.extend(entries.keys().cloned()),
            _ => {}
        }
        collect_locals(steps, &mut locals);
        self.frames += 1;
        Frame {
            id: self.frames - 1,
            locals,
            bound: Vec::new(),
            path,
        }
    }

    /// Adds steps to `list`. `after`: the step that all of them follow (the start of a called flow).
    fn steps(&mut self, steps: &[FlowStep], frame: &mut Frame, list: &mut List, after: Option<usize>) {
        // What an id of this list of steps stands for: several planned steps when a block or flow was inlined.
        let mut ids: IndexMap<&str, Vec<usize>> = IndexMap::new();
        let mut later: HashMap<&str, &Place> = HashMap::new();
        for step in steps {
            if let Some((id, place)) = &step.id
                && let Some(first) = later.insert(id, place)
            {
                let message = format!("id `{id}` is used twice (first on line {})", first.line);
                self.d
                    .error(Code::DuplicateId, place.clone(), message)
                    .help("give each step of a flow its own id");
            }
        }
        for (at, step) in steps.iter().enumerate() {
            if !step.enabled {
                if let Some((id, _)) = &step.id {
                    ids.insert(id, Vec::new());
                }
                continue;
            }
            let first = list.steps.len();
            self.step(step, at, frame, list);
            let added: Vec<usize> = (first..list.steps.len()).collect();
            if let Some(after) = after {
                for to in &added {
                    list.extra.push((
                        after,
                        *to,
                        format!("is part of the flow that {} starts", list.steps[after].id),
                    ));
                }
            }
            for (id, place) in &step.depends_on {
                match ids.get(id.as_str()) {
                    Some(on) => {
                        for from in on {
                            for to in &added {
                                list.extra.push((*from, *to, format!("depends_on {id}")));
                            }
                        }
                    }
                    // It may be one that could not be read.
                    None if self
                        .names
                        .broken
                        .contains(self.calls.last().map_or("", String::as_str)) => {}
                    None => {
                        let message = match later.contains_key(id.as_str()) {
                            true => format!("step `{id}` comes later, so nothing before it can depend on it"),
                            false => format!("no step has the id `{id}`"),
                        };
                        let near = did_you_mean(id, "steps before", ids.keys().copied());
                        self.d
                            .error(Code::UnknownStep, place.clone(), message)
                            .maybe_help(near);
                    }
                }
            }
            if let Some((id, _)) = &step.id {
                ids.insert(id, added);
            }
        }
    }

    fn step(&mut self, step: &FlowStep, at: usize, frame: &mut Frame, list: &mut List) {
        let name = match &step.id {
            Some((id, _)) => id.clone(),
            None => format!("{}_{}", step.op, at + 1),
        };
        let id = format!("{}{name}", frame.path);
        let mut effects = Effects::default();
        let mut outside = false;
        let action = match &step.action {
            FlowAction::Block(steps) => {
                let path = std::mem::replace(&mut frame.path, format!("{id}/"));
                self.steps(steps, frame, list, None);
                frame.path = path;
                return;
            }
            FlowAction::RunFlow(run) => return self.run_flow(step, run, &id, frame, list),
            FlowAction::HttpRequest(request) => {
                for table in request.response.tables.iter().map(|t| &t.target) {
                    self.database(table);
                }
                request
                    .for_each
                    .iter()
                    .for_each(|rows| self.database(&rows.table));
                let source = request.request.source.as_ref().and_then(|name| {
                    let place = request.request.source_place.as_ref();
                    self.http_source(name, place.unwrap_or(&step.place))
                });
                let frame_scope = scope(frame, self.names);
                let planned = http_effects::plan(request, source, &frame_scope, &mut effects);
                outside = !request.is_read();
                self.sets(&request.init);
                self.sets(&request.response.variables);
                if let Some(Prop::Python { sets, .. }) = &request.response.parser {
                    match sets {
                        Some(names) => self.set.extend(names.iter().cloned()),
                        None => self.opaque_setter = true,
                    }
                }
                Action::Http(Box::new(planned))
            }
            FlowAction::Transform(transform) => {
                self.database(&transform.target);
                let scope = scope(frame, self.names);
                effects.sql_prop(&transform.target.source, &transform.query, &scope, false);
                let target = effects.table(&transform.target, &scope);
                effects.writes.insert(target);
                Action::Transform(transform.clone())
            }
            FlowAction::Execute(execute) => {
                self.database_named(&execute.source, &execute.place);
                let scope = scope(frame, self.names);
                effects.sql_prop(&execute.source, &execute.statement, &scope, true);
                Action::Execute(execute.clone())
            }
            FlowAction::SetVariable(set) => {
                let scope = scope(frame, self.names);
                for variable in &set.set {
                    effects.read_uses(&variable.value.uses(), &scope);
                    effects.writes.insert(target(variable, &scope));
                }
                self.sets(&set.set);
                Action::SetVariable(set.clone())
            }
            FlowAction::Print(print) => {
                effects.read_uses(&print.message.uses(), &scope(frame, self.names));
                effects.writes.insert(Resource::Console);
                Action::Print(print.clone())
            }
            FlowAction::If { branches, otherwise } => {
                let path = std::mem::replace(&mut frame.path, format!("{id}/"));
                let mut planned = Vec::with_capacity(branches.len());
                for branch in branches {
                    effects.read_uses(&branch.condition.uses(), &scope(frame, self.names));
                    planned.push(PlannedBranch {
                        condition: branch.condition.clone(),
                        then: self.region(&branch.then, frame, &mut effects, &mut outside),
                    });
                }
                let otherwise = self.region(otherwise, frame, &mut effects, &mut outside);
                frame.path = path;
                Action::If {
                    branches: planned,
                    otherwise,
                }
            }
            FlowAction::ForEach(each) => {
                self.database(&each.rows.table);
                let table = effects.table(&each.rows.table, &scope(frame, self.names));
                effects.reads.insert(table);
                let path = std::mem::replace(&mut frame.path, format!("{id}/"));
                frame.bound.push(each.rows.variable.clone());
                let body = self.region(&each.steps, frame, &mut effects, &mut outside);
                frame.bound.pop();
                frame.path = path;
                Action::ForEach {
                    rows: Box::new(each.rows.clone()),
                    body,
                }
            }
        };
        for message in &effects.opaque {
            self.d
                .warning(
                    Code::OpaqueSql,
                    step.place.clone(),
                    format!("the planner can't read this SQL: {message}"),
                )
                .help("it runs as it is; until then the step counts as touching everything in the source");
        }
        self.ask(&effects, &step.place);
        views::look_behind(&mut effects.reads, self.names.sources, self.names.tables);
        list.steps.push(Step {
            id,
            op: step.op,
            title: step.title.clone(),
            place: step.place.clone(),
            frame: frame.id,
            reads: effects.reads.into_iter().collect(),
            writes: effects.writes.into_iter().collect(),
            outside,
            private: Vec::new(),
            action,
        });
    }

    /// Steps of their own graph; their effects become those of the step around.
    fn region(
        &mut self,
        steps: &[FlowStep],
        frame: &mut Frame,
        effects: &mut Effects,
        outside: &mut bool,
    ) -> Region {
        let mut list = List::default();
        self.steps(steps, frame, &mut list, None);
        for step in &list.steps {
            effects.reads.extend(step.reads.iter().cloned());
            effects.writes.extend(step.writes.iter().cloned());
            *outside |= step.outside;
        }
        finish(list)
    }

    fn run_flow(&mut self, step: &FlowStep, run: &RunFlow, id: &str, frame: &mut Frame, list: &mut List) {
        let Some((name, steps)) = self.names.flows.get_key_value(&run.flow) else {
            let flows = self.names.flows.keys().map(String::as_str);
            let help = did_you_mean(&run.flow, "flows", flows);
            let message = format!("no flow is named `{}`", run.flow);
            self.d
                .error(Code::UnknownFlow, run.flow_place.clone(), message)
                .maybe_help(help);
            return;
        };
        if self.calls.contains(name) || self.calls.len() >= MAX_CALLS {
            let circle = format!("{} -> {name}", self.calls.join(" -> "));
            self.d
                .error(
                    Code::FlowCycle,
                    run.flow_place.clone(),
                    format!("flows call each other in a circle: {circle}"),
                )
                .help("a plan has an end: break the circle");
            return;
        }
        let mut effects = Effects::default();
        if let Some(parameters) = &run.parameters {
            effects.read_uses(&parameters.uses(), &scope(frame, self.names));
        }
        self.ask(&effects, &step.place);
        let mut inner = self.frame(steps, run.parameters.as_ref(), format!("{id}/"));
        inner.bound = Vec::new();
        let locals = inner.locals.iter().map(|name| Resource::Local {
            frame: inner.id,
            name: name.clone(),
        });
        let enter = list.steps.len();
        list.steps.push(Step {
            id: id.to_string(),
            op: step.op,
            title: step.title.clone(),
            place: step.place.clone(),
            frame: frame.id,
            reads: effects.reads.into_iter().collect(),
            writes: locals.collect(),
            outside: false,
            private: Vec::new(),
            action: Action::EnterFlow {
                flow: name.clone(),
                frame: inner.id,
                parameters: run.parameters.clone(),
            },
        });
        self.visited.insert(name.clone());
        self.calls.push(name.clone());
        self.steps(steps, &mut inner, list, Some(enter));
        self.calls.pop();
    }
}

/// Steps being collected, and the edges between them that effects do not tell.
#[derive(Default)]
struct List {
    steps: Vec<Step>,
    extra: Vec<(usize, usize, String)>,
}

fn finish(list: List) -> Region {
    let mut steps = list.steps;
    rename::privatise(&mut steps);
    let edges = graph::edges(&steps, &list.extra);
    let stages = graph::stages(steps.len(), &edges);
    Region { steps, edges, stages }
}
