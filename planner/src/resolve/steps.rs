//! Steps as written to steps of the plan.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::frame::{Frame, collect_locals, scope};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::effects::{Effects, Resource};
use crate::expr::{Prop, RowUses};
use crate::graph;
use crate::ops::{FlowAction, FlowStep, OnError, RunFlow};
use crate::passes::rename;
use crate::passes::views::{self, KnownTables};
use crate::plan::{Action, Region, Step};
use crate::span::Place;
use crate::syntax::Source;

/// How deep flows may call each other.
const MAX_CALLS: usize = 64;

/// Everything names are looked up in.
pub struct Names<'a> {
    pub flows: &'a IndexMap<String, Vec<FlowStep>>,
    pub sources: &'a IndexMap<String, Source>,
    /// Sources that could not be read, which was told.
    pub broken_sources: &'a BTreeSet<String>,
    /// Flows with steps that could not be read: what those set and are is not known.
    pub broken: &'a BTreeSet<String>,
    /// Names defined before the run: environment, command line, project variables kept from earlier runs.
    pub variables: &'a BTreeSet<String>,
    /// Parameters that flows of the project give to others, by the called flow.
    pub parameters: &'a IndexMap<String, BTreeSet<String>>,
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
    /// How many steps around go on after a failure.
    pub(super) guarded: usize,
    /// Columns used of variables that may hold rows.
    pub(super) rows: RowUses,
    /// Tables told to be created by nobody.
    pub(super) told_tables: BTreeSet<(String, String)>,
}

/// What a step and those inside it do.
#[derive(Default)]
pub(super) struct Found {
    pub effects: Effects,
    pub outside: bool,
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
            guarded: 0,
            rows: RowUses::default(),
            told_tables: BTreeSet::new(),
        }
    }

    /// Resolves the flow `name` as the plan's root.
    pub fn flow(&mut self, name: &str) -> Region {
        let Some(steps) = self.names.flows.get(name) else {
            return Region::default();
        };
        let mut frame = self.frame(steps, None, String::new());
        self.visited.insert(name.to_string());
        // Run by itself, the flow gets no parameters; that is not what it is written for.
        let callers = self.names.parameters.get(name);
        self.set.extend(callers.into_iter().flatten().cloned());
        self.calls.push(name.to_string());
        let mut list = List::default();
        self.steps(steps, 0, &mut frame, &mut list, None);
        self.calls.pop();
        self.check_variables();
        list.finish(true)
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
            rounds: 0,
            path,
        }
    }

    /// Adds the steps from position `start` on to `list`. `after`: the step that all of them follow (the start of a
    /// called flow).
    fn steps(
        &mut self,
        steps: &[FlowStep],
        start: usize,
        frame: &mut Frame,
        list: &mut List,
        after: Option<usize>,
    ) {
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
            if !step.enabled || at < start {
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
        match &step.action {
            // Steps of a block and of a called flow stand in the list like any others.
            FlowAction::Block(steps) if step.on_error == OnError::Stop => {
                let path = std::mem::replace(&mut frame.path, format!("{id}/"));
                self.steps(steps, 0, frame, list, None);
                frame.path = path;
                return;
            }
            FlowAction::RunFlow(run) if step.on_error == OnError::Stop => {
                return self.run_flow(step, run, (&id, &id), frame, list);
            }
            _ => {}
        }
        let mut found = Found::default();
        let path = std::mem::replace(&mut frame.path, format!("{id}/"));
        let guards = usize::from(step.on_error == OnError::Continue);
        self.guarded += guards;
        let action = self.action(step, &id, frame, &mut found);
        self.guarded -= guards;
        frame.path = path;
        self.check_created(step, frame);
        if step.action.inner().is_empty() {
            self.check_tables(&found, &step.place);
        }
        let mut effects = found.effects;
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
            on_error: step.on_error,
            reads: effects.reads.into_iter().collect(),
            writes: effects.writes.into_iter().collect(),
            outside: found.outside,
            private: Vec::new(),
            action,
        });
    }

    /// Steps of their own graph; their effects become those of the step around.
    pub(super) fn region(&mut self, steps: &[FlowStep], frame: &mut Frame, found: &mut Found) -> Region {
        let mut list = List::default();
        self.steps(steps, 0, frame, &mut list, None);
        list.region(found, self.guarded == 0)
    }

    /// The same, the ids of the steps below `name`.
    pub(super) fn region_below(
        &mut self,
        name: &str,
        steps: &[FlowStep],
        frame: &mut Frame,
        found: &mut Found,
    ) -> Region {
        let path = frame.path.clone();
        frame.path.push_str(name);
        let region = self.region(steps, frame, found);
        frame.path = path;
        region
    }

    /// A called flow in a graph of its own.
    pub(super) fn flow_region(
        &mut self,
        step: &FlowStep,
        run: &RunFlow,
        id: &str,
        frame: &mut Frame,
        found: &mut Found,
    ) -> Region {
        let mut list = List::default();
        self.run_flow(step, run, (id, &format!("{id}/start")), frame, &mut list);
        list.region(found, self.guarded == 0)
    }

    /// `ids`: of the call, and of the step that starts the called flow.
    fn run_flow(
        &mut self,
        step: &FlowStep,
        run: &RunFlow,
        (id, start): (&str, &str),
        frame: &mut Frame,
        list: &mut List,
    ) {
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
        if run.start_step > 0 && run.start_step >= steps.len() && !self.names.broken.contains(name) {
            let message = format!(
                "`start_step: {}` leaves nothing of flow `{name}`, which has {} steps",
                run.start_step,
                steps.len()
            );
            self.d
                .error(Code::BadValue, run.flow_place.clone(), message)
                .help("the first step is 0");
        }
        let mut effects = Effects::default();
        if let Some(parameters) = &run.parameters {
            effects.read_uses(&parameters.uses(), &scope(frame, self.names));
        }
        self.ask(&effects, &step.place);
        let mut inner = self.frame(steps, run.parameters.as_ref(), format!("{id}/"));
        inner.rounds = frame.rounds;
        let locals = inner.locals.iter().map(|name| Resource::Local {
            frame: inner.id,
            name: name.clone(),
        });
        let enter = list.steps.len();
        list.steps.push(Step {
            id: start.to_string(),
            op: step.op,
            title: step.title.clone(),
            place: step.place.clone(),
            frame: frame.id,
            on_error: OnError::Stop,
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
        self.steps(steps, run.start_step, &mut inner, list, Some(enter));
        self.calls.pop();
        let asked: Vec<String> = list.steps[enter..]
            .iter()
            .flat_map(|s| &s.reads)
            .filter_map(|r| match r {
                Resource::Variable(name) | Resource::Local { name, .. } => Some(name.clone()),
                _ => None,
            })
            .collect();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        self.check_parameters(run, inner.id, &list.steps[enter..], &asked);
    }
}

/// Steps being collected, and the edges between them that effects do not tell.
#[derive(Default)]
struct List {
    steps: Vec<Step>,
    extra: Vec<(usize, usize, String)>,
}

impl List {
    /// `sure`: a failure ends the flow, so that what comes later is run or nothing more is.
    fn finish(self, sure: bool) -> Region {
        let mut steps = self.steps;
        if sure {
            rename::privatise(&mut steps);
        }
        let edges = graph::edges(&steps, &self.extra);
        let stages = graph::stages(steps.len(), &edges);
        Region { steps, edges, stages }
    }

    /// The region of the list; what its steps do is what the step around does.
    fn region(self, found: &mut Found, sure: bool) -> Region {
        for step in &self.steps {
            found.effects.reads.extend(step.reads.iter().cloned());
            found.effects.writes.extend(step.writes.iter().cloned());
            found.outside |= step.outside;
        }
        self.finish(sure)
    }
}
