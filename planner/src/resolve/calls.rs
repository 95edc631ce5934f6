//! Calls of flows: the steps of the called one stand in the plan like any others, in a frame of their own.

use super::frame::{Frame, scope};
use super::steps::{Found, List, Resolver};
use crate::codes::Code;
use crate::diagnostic::did_you_mean;
use crate::effects::{Effects, Resource};
use crate::ops::{FlowStep, OnError, RunFlow};
use crate::plan::{Action, Region, Step};

/// How deep flows may call each other.
const MAX_CALLS: usize = 64;

impl Resolver<'_> {
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
        // A path may begin with `./`.
        let called = run.flow.trim_start_matches("./");
        let Some((name, steps)) = self.names.flows.get_key_value(called) else {
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
            reads: effects.reads.into_iter().collect(),
            writes: locals.collect(),
            outside: false,
            barrier: effects.barrier,
            unordered: self.names.relaxed,
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
