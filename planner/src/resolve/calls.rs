//! Calls of flows: the steps of the called one stand in the plan like any others, in a frame of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::frame::{Frame, scope};
use super::steps::{Found, List, Resolver};
use crate::codes::Code;
use crate::diagnostic::did_you_mean;
use crate::effects::{Effects, Resource};
use crate::ops::{FlowAction, FlowStep, OnError, RunFlow};
use crate::plan::{Action, Region, Step, Unfolds, Written};

/// How deep calls are planned ahead, and how many of them: those beyond are planned when they start.
const MAX_DEPTH: usize = 64;
const MAX_CALLS: usize = 1024;

impl Resolver<'_> {
    /// Tells whether the steps of a called flow are planned only when the call starts: which flow it is is known only
    /// then, or it is one that calls itself.
    pub(super) fn calls_later(&self, step: &FlowStep, run: &RunFlow) -> bool {
        let flow = flow_name(run);
        let known = self.names.flows.contains_key(flow);
        let again = self.calls.iter().any(|(name, _)| name == flow);
        let many = self.calls.len() >= MAX_DEPTH || self.frames >= self.first_frame + MAX_CALLS;
        step.deferred.is_some() || (known && (again || many))
    }

    /// Plans a call that is planned again when it starts: it may do anything.
    pub(super) fn call(
        &mut self,
        step: &FlowStep,
        run: &RunFlow,
        frame: &Frame,
        found: &mut Found,
    ) -> Action {
        let around = self.calls.iter().position(|(name, _)| name == flow_name(run));
        // A call that begins further on may leave itself out.
        if let Some(around) = around
            && run.start_step == 0
            && step.deferred.is_none()
            && self.calls[around].1 == self.conditional
        {
            let circle: Vec<&str> = self.calls[around..]
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            let circle = format!("{} -> {}", circle.join(" -> "), flow_name(run));
            let message = format!("flows call each other in a circle without a condition: {circle}");
            self.d
                .error(Code::FlowCycle, run.flow_place.clone(), message)
                .help("put the call into an `if` or a `for_each`: else it never ends");
        }
        let effects = &mut found.effects;
        if let Some(parameters) = &run.parameters {
            effects.read_uses(&parameters.uses(), &scope(frame, self.names));
        }
        let anything = [Resource::AnySource, Resource::AnyVariable, Resource::AnyApi];
        effects.reads.extend(anything.clone());
        effects.writes.extend(anything);
        effects.writes.insert(Resource::Console);
        effects.at_once(match step.deferred {
            Some(_) => "calls a flow that is known only when it starts",
            None => "calls a flow whose steps are planned only when it starts",
        });
        self.opaque_setter = true;
        Action::Call {
            flow: run.flow.clone(),
            parameters: run.parameters.clone(),
        }
    }

    /// Returns what the run has to find out of a step before it can start.
    pub(super) fn unfolds(
        &mut self,
        step: &FlowStep,
        frame: &Frame,
        effects: &mut Effects,
    ) -> Option<Box<Unfolds>> {
        let later = matches!(&step.action, FlowAction::RunFlow(run) if self.calls_later(step, run));
        if step.deferred.is_none() && !later {
            return None;
        }
        let keys = step.deferred.iter().flat_map(|d| &d.keys);
        for key in keys.clone() {
            effects.read_uses(&key.value.uses(), &scope(frame, self.names));
            match key.key.as_str() {
                "tables" => effects.writes.extend([Resource::AnySource]),
                "scope" => effects.writes.extend([Resource::AnyVariable]),
                _ => {}
            }
            // Names that variables have only then.
            self.opaque_setter |= matches!(key.key.as_str(), "as" | "scope");
        }
        Some(Box::new(Unfolds {
            keys: keys.cloned().collect(),
            written: Some(Arc::new(Written {
                step: step.clone(),
                locals: frame.locals.clone(),
                bound: frame.bound.clone(),
                servers: self.names.servers.clone(),
                flow: self.root.clone(),
            })),
        }))
    }

    /// Returns the action of a step that is planned again, its keys known. `id` and `frame`: as it was planned before.
    pub fn unfold(&mut self, step: &FlowStep, around: &Written, id: &str, frame: usize) -> Action {
        self.root.clone_from(&around.flow);
        let mut frame = Frame {
            id: frame,
            locals: around.locals.clone(),
            bound: around.bound.clone(),
            rounds: 0,
            path: format!("{id}/"),
            ids: BTreeSet::new(),
        };
        self.action(step, id, &mut frame, &mut Found::default())
    }

    /// Returns a called flow in a graph of its own.
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
        list.region(found)
    }

    /// `ids`: of the call, and of the step that starts the called flow.
    pub(super) fn run_flow(
        &mut self,
        step: &FlowStep,
        run: &RunFlow,
        (id, start): (&str, &str),
        frame: &mut Frame,
        list: &mut List,
    ) {
        let Some((name, steps)) = self.names.flows.get_key_value(flow_name(run)) else {
            let flows = self.names.flows.keys().map(String::as_str);
            let help = did_you_mean(&run.flow, "flows", flows);
            let message = format!("no flow is named `{}`", run.flow);
            self.d
                .error(Code::UnknownFlow, run.flow_place.clone(), message)
                .maybe_help(help);
            return;
        };
        if run.start_step > 0 && run.start_step >= steps.len() && !self.names.broken.contains(name) {
            let message = format!(
                "`start_step: {}` leaves nothing of flow `{name}`, which has {} steps",
                run.start_step,
                steps.len()
            );
            self.d
                .warning(Code::BadValue, run.flow_place.clone(), message)
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
            timeout: None,
            reads: effects.reads.into_iter().collect(),
            writes: locals.collect(),
            outside: false,
            barrier: effects.barrier,
            unordered: self.names.relaxed,
            unfolds: None,
            action: Action::EnterFlow {
                flow: name.clone(),
                frame: inner.id,
                parameters: run.parameters.clone(),
            },
        });
        self.visited.insert(name.clone());
        self.calls.push((name.clone(), self.conditional));
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

/// The name of the called flow: a path may begin with `./`.
fn flow_name(run: &RunFlow) -> &str {
    run.flow.trim_start_matches("./")
}
