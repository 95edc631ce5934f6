//! Steps as written to steps of the plan.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::frame::{Frame, collect_locals, scope};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::effects::Effects;
use crate::expr::{Prop, RowUses, has_template};
use crate::ops::{FlowAction, FlowStep};
use crate::passes::views::KnownTables;
use crate::plan::{AskedEdge, Region, Step, Until};
use crate::servers::Servers;
use crate::span::Place;
use crate::syntax::Source;

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
    /// Sources that are one server.
    pub servers: &'a Arc<Servers>,
    /// Whether barriers hold nothing up.
    pub relaxed: bool,
}

/// Resolves one flow.
pub struct Resolver<'a> {
    pub(super) names: &'a Names<'a>,
    pub d: &'a mut Diagnostics,
    /// Sources in use.
    pub used: BTreeSet<String>,
    pub frames: usize,
    /// The first of the frames.
    pub(super) first_frame: usize,
    /// Unknown sources already told, with the line: a step may name one several times.
    pub(super) unknown: BTreeSet<(String, usize)>,
    /// The flow that is run.
    pub(super) root: String,
    /// Flows that are part of the plan.
    pub visited: BTreeSet<String>,
    /// Flows being inlined, outermost first, each with how many conditions and loops stood around its call.
    pub(super) calls: Vec<(String, usize)>,
    /// How many conditions and loops stand around, those of callers too: steps inside may not run.
    pub(super) conditional: usize,
    /// Variables that some step sets, project scope.
    pub set: BTreeSet<String>,
    /// Variables asked for, and where first: checked at the end, when all that is set is known.
    pub(super) asked: HashMap<String, Place>,
    pub(super) opaque_setter: bool,
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
    /// Creates a resolver whose flow frames are numbered from `first_frame` on.
    pub fn new(names: &'a Names<'a>, first_frame: usize, d: &'a mut Diagnostics) -> Self {
        Resolver {
            names,
            d,
            used: BTreeSet::new(),
            frames: first_frame,
            first_frame,
            unknown: BTreeSet::new(),
            root: String::new(),
            visited: BTreeSet::new(),
            calls: Vec::new(),
            conditional: 0,
            set: BTreeSet::new(),
            asked: HashMap::new(),
            opaque_setter: false,
            rows: RowUses::default(),
            told_tables: BTreeSet::new(),
        }
    }

    /// Resolves the flow `name` as the plan's root.
    pub fn flow(&mut self, name: &str) -> Region {
        let Some(steps) = self.names.flows.get(name) else {
            return Region::default();
        };
        self.root = name.to_string();
        let mut frame = self.frame(steps, None, String::new());
        self.visited.insert(name.to_string());
        // Run by itself, the flow gets no parameters; that is not what it is written for.
        let callers = self.names.parameters.iter();
        let callers = callers.filter(|(called, _)| *called == name || has_template(called));
        self.set.extend(callers.flat_map(|(_, names)| names).cloned());
        self.calls.push((name.to_string(), 0));
        let mut list = List::default();
        self.steps(steps, 0, &mut frame, &mut list, None);
        self.calls.pop();
        self.check_variables();
        list.finish()
    }

    pub(super) fn frame(&mut self, steps: &[FlowStep], parameters: Option<&Prop>, path: String) -> Frame {
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
            ids: BTreeSet::new(),
        }
    }

    /// Adds the steps from position `start` on to `list`. `after`: the step that all of them follow (the start of a
    /// called flow).
    pub(super) fn steps(
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
        // A name that several steps have points at none of them.
        let mut shared: BTreeSet<&str> = BTreeSet::new();
        for step in steps {
            if let Some((id, place)) = &step.id
                && later.insert(id, place).is_some()
            {
                shared.insert(id);
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
                    let reason = format!("is part of the flow that {} starts", list.steps[after].id);
                    list.extra.push(AskedEdge {
                        from: after,
                        to: *to,
                        until: Until::Work,
                        reason,
                    });
                }
            }
            for (key, named) in [
                ("depends_on", Some(&step.depends_on)),
                ("after", step.after.as_ref()),
            ] {
                for (id, place) in named.into_iter().flatten() {
                    if shared.contains(id.as_str()) {
                        let message =
                            format!("several steps have the id `{id}`: which is meant is not known");
                        self.d
                            .error(Code::DuplicateId, place.clone(), message)
                            .help("give each of them its own id");
                        continue;
                    }
                    let Some(on) = ids.get(id.as_str()) else {
                        let later = later.contains_key(id.as_str());
                        let before = ids.keys().copied();
                        self.unknown_step(id, place, later, before);
                        continue;
                    };
                    for from in on {
                        list.extra.extend(added.iter().map(|to| AskedEdge {
                            from: *from,
                            to: *to,
                            until: Until::Over,
                            reason: format!("{key} {id}"),
                        }));
                    }
                }
            }
            if let Some((id, _)) = &step.id {
                ids.insert(id, added);
            }
        }
    }

    fn unknown_step<'i>(
        &mut self,
        id: &str,
        place: &Place,
        later: bool,
        before: impl Iterator<Item = &'i str>,
    ) {
        // It may be one that could not be read.
        let flow = self.calls.last().map_or("", |(flow, _)| flow);
        if self.names.broken.contains(flow) {
            return;
        }
        let message = match later {
            true => format!("step `{id}` comes later, so nothing before it can depend on it"),
            false => format!("no step has the id `{id}`"),
        };
        let near = did_you_mean(id, "steps before", before);
        self.d
            .error(Code::UnknownStep, place.clone(), message)
            .maybe_help(near);
    }

    fn step(&mut self, step: &FlowStep, at: usize, frame: &mut Frame, list: &mut List) {
        let name = match &step.id {
            Some((id, _)) => id.clone(),
            None => format!("{}_{}", step.op, at + 1),
        };
        let mut id = format!("{}{name}", frame.path);
        // In the plan every step has a name of its own.
        let mut copy = 1;
        while !frame.ids.insert(id.clone()) {
            copy += 1;
            id = format!("{}{name}#{copy}", frame.path);
        }
        match &step.action {
            // Steps of a block and of a called flow stand in the list like any others.
            FlowAction::Block(steps) if !step.stands_apart() => {
                let path = std::mem::replace(&mut frame.path, format!("{id}/"));
                self.steps(steps, 0, frame, list, None);
                frame.path = path;
                return;
            }
            FlowAction::RunFlow(run) if !step.stands_apart() && !self.calls_later(step, run) => {
                return self.run_flow(step, run, (&id, &id), frame, list);
            }
            _ => {}
        }
        let mut found = Found::default();
        let path = std::mem::replace(&mut frame.path, format!("{id}/"));
        let action = self.action(step, &id, frame, &mut found);
        frame.path = path;
        self.check_created(step, frame);
        self.check_long_names(step);
        if step.action.inner().is_empty() {
            self.check_tables(&found, &step.place);
        }
        let mut effects = found.effects;
        let unfolds = self.unfolds(step, frame, &mut effects);
        for source in effects.sources() {
            // Which database it is may be for variables to say.
            let settings = self.names.sources.get(&source).map(Source::settings);
            for prop in settings.into_iter().flatten() {
                effects.read_uses(&prop.uses(), &scope(frame, self.names));
            }
        }
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
        list.steps.push(Step {
            id,
            op: step.op,
            title: step.title.clone(),
            place: step.place.clone(),
            frame: frame.id,
            on_error: step.on_error,
            timeout: step.timeout,
            reads: effects.reads.into_iter().collect(),
            writes: effects.writes.into_iter().collect(),
            outside: found.outside,
            barrier: effects.barrier,
            unordered: self.names.relaxed || step.after.is_some(),
            unfolds,
            action,
        });
    }

    /// Steps of their own graph; their effects become those of the step around.
    pub(super) fn region(&mut self, steps: &[FlowStep], frame: &mut Frame, found: &mut Found) -> Region {
        let mut list = List::default();
        self.steps(steps, 0, frame, &mut list, None);
        list.region(found)
    }

    /// Returns the same, the ids of the steps below `name`.
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
}

/// Steps being collected, and the edges between them that effects do not tell.
#[derive(Default)]
pub(super) struct List {
    pub steps: Vec<Step>,
    extra: Vec<AskedEdge>,
}

impl List {
    /// The steps, not ordered yet.
    fn finish(self) -> Region {
        Region {
            steps: self.steps,
            asked: self.extra,
            ..Region::default()
        }
    }

    /// Returns the region of the list; what its steps do is what the step around does.
    pub(super) fn region(self, found: &mut Found) -> Region {
        for step in &self.steps {
            found.effects.reads.extend(step.reads.iter().cloned());
            found.effects.writes.extend(step.writes.iter().cloned());
            found.outside |= step.outside;
            if let Some(why) = &step.barrier {
                // The innermost says it.
                let inner = match step.action.regions().is_empty() {
                    true => format!("contains {}, which {why}", step.id),
                    false => why.clone(),
                };
                found.effects.at_once(inner);
            }
        }
        self.finish()
    }
}
