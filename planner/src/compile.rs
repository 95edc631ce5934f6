//! The list of stages: a flow's steps in, a plan and diagnostics out.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::foreign_hosts;
use crate::ops::read_step;
use crate::passes::{CompilerStage, PASSES, PassContext, PlanOptions, RESOLVE, SelectError};
use crate::plan::{Action, PLAN_VERSION, Plan, PlannedSource, Region, Step, Unfolds};
use crate::read::{Compiler, ProjectFiles};
use crate::resolve::{Names, Resolver};
use crate::servers::Servers;
use crate::{shared_ranges, shared_rejects};

impl Compiler {
    /// Returns the names of the project's flows.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        self.flows.keys().map(String::as_str)
    }

    /// Adds what is wrong with the project's sources, whoever uses them.
    pub fn check_sources(&self, d: &mut Diagnostics) {
        self.found_sources.values().for_each(|own| d.extend(own));
    }

    /// Compiles one flow; none where it can't be planned, with the reasons in `d`. `variables`: names that are set before
    /// the run, besides the environment's.
    ///
    /// # Errors
    /// Steps are selected that are not there, or none is.
    pub fn plan(
        &self,
        flow: &str,
        variables: &BTreeSet<String>,
        options: &PlanOptions,
        d: &mut Diagnostics,
    ) -> Result<Option<Plan>, SelectError> {
        self.plan_in_stages(flow, variables, options, d, &mut |_, _| {})
    }

    /// Returns the same; `stage` gets each stage and the plan as it is behind it.
    ///
    /// # Errors
    /// As [`Compiler::plan`].
    pub fn plan_in_stages(
        &self,
        flow: &str,
        variables: &BTreeSet<String>,
        options: &PlanOptions,
        d: &mut Diagnostics,
        stage: &mut (dyn FnMut(CompilerStage, &Plan) + Send),
    ) -> Result<Option<Plan>, SelectError> {
        if !self.knows(flow, d) {
            return Ok(None);
        }
        let servers = Arc::new(self.servers(variables));
        let mut plan = self.resolve(flow, variables, &servers, d);
        foreign_hosts::check(&plan, &self.sources, d);
        stage(RESOLVE, &plan);
        // A flow with mistakes may be half there: ids that are selected may be in the other half.
        if d.has_errors() {
            return Ok(None);
        }
        self.run_passes(&mut plan, &servers, options, stage)?;
        Ok(Some(plan))
    }

    /// Whether there is such a flow.
    fn knows(&self, flow: &str, d: &mut Diagnostics) -> bool {
        let known = self.flows.contains_key(flow);
        if !known {
            let near = did_you_mean(flow, "flows", self.flows());
            d.error(Code::UnknownFlow, None, format!("no flow is named `{flow}`"))
                .maybe_help(near.or_else(|| Some(format!("add flows/{flow}.yaml"))));
        }
        known
    }

    /// Which sources are one server, as far as what is known before the run tells.
    fn servers(&self, variables: &BTreeSet<String>) -> Servers {
        let constants = self
            .constants
            .iter()
            .filter(|(name, _)| !variables.contains(*name));
        let constants: IndexMap<String, Json> = constants
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Servers::find(&self.sources, &constants)
    }

    /// The steps of a flow and of those it calls, their names resolved, with what each reads and writes.
    fn resolve(
        &self,
        flow: &str,
        variables: &BTreeSet<String>,
        servers: &Arc<Servers>,
        d: &mut Diagnostics,
    ) -> Plan {
        let mut known = variables.clone();
        known.extend(self.environment.keys().cloned());
        let names = self.names(&known, servers);
        let mut resolver = Resolver::new(&names, 0, d);
        let root = resolver.flow(flow);
        let (used, frames) = (std::mem::take(&mut resolver.used), resolver.frames);
        let visited = std::mem::take(&mut resolver.visited);
        // Mistakes in a flow concern those who run it: others of the project stay usable.
        let found = visited.iter().filter_map(|flow| self.found.get(flow));
        found.for_each(|own| d.extend(own));
        // So do mistakes in a source: to the others they are warnings.
        for (name, own) in &self.found_sources {
            match used.contains(name) {
                true => d.extend(own),
                false => d.extend(&own.as_warnings()),
            }
        }
        let sources = used.iter().filter_map(|name| {
            let source = self.sources.get(name)?;
            Some(PlannedSource {
                name: name.clone(),
                kind: source.type_name().to_string(),
                definition: source.without_secrets(),
            })
        });
        let plan = Plan {
            version: PLAN_VERSION,
            project: self.project.name.clone(),
            flow: flow.to_string(),
            sources: sources.collect(),
            frames,
            in_order: false,
            python: Vec::new(),
            root,
        };
        shared_rejects::check(&plan, &visited, &self.flows, d);
        shared_ranges::check(&plan, d);
        plan
    }

    fn run_passes(
        &self,
        plan: &mut Plan,
        servers: &Servers,
        options: &PlanOptions,
        stage: &mut (dyn FnMut(CompilerStage, &Plan) + Send),
    ) -> Result<(), SelectError> {
        let context = PassContext {
            sources: &self.sources,
            tables: &self.tables,
            servers,
            options,
        };
        for pass in PASSES {
            (pass.run)(plan, &context)?;
            stage(pass.stage, plan);
        }
        Ok(())
    }

    fn names<'n>(&'n self, variables: &'n BTreeSet<String>, servers: &'n Arc<Servers>) -> Names<'n> {
        Names {
            flows: &self.flows,
            sources: &self.sources,
            broken_sources: &self.broken_sources,
            broken: &self.broken,
            variables,
            parameters: &self.parameters,
            tables: &self.tables,
            servers,
            relaxed: self.project.relaxed,
        }
    }

    /// Plans a step again when it starts, with what the run has found out: `values`, one for each of its deferred keys.
    /// Flow frames are numbered from `first_frame` on.
    ///
    /// # Errors
    /// What is wrong with the step, now that all of it is known.
    pub fn unfold(
        &self,
        step: &Step,
        unfolds: &Unfolds,
        values: &[Json],
        first_frame: usize,
    ) -> Result<Unfolded, Vec<Diagnostic>> {
        let mut d = Diagnostics::default();
        let Some(around) = &unfolds.written else {
            let message = format!("step `{}` was read from a plan: compile its project", step.id);
            d.error(Code::WrongType, step.place.clone(), message);
            return Err(d.into_sorted());
        };
        let written = match &around.step.deferred {
            None => Some(around.step.clone()),
            Some(deferred) => read_step(&deferred.filled(values), &mut d),
        };
        let known = BTreeSet::new();
        let names = self.names(&known, &around.servers);
        let mut resolver = Resolver::new(&names, first_frame, &mut d);
        let timeout = written.as_ref().and_then(|written| written.timeout);
        let action = written.map(|written| resolver.unfold(&written, around, &step.id, step.frame));
        let (frames, visited) = (resolver.frames, std::mem::take(&mut resolver.visited));
        visited
            .iter()
            .filter_map(|flow| self.found.get(flow))
            .for_each(|own| d.extend(own));
        match action {
            Some(action) if !d.has_errors() => Ok(Unfolded {
                action: self.rewritten(step, action, &around.servers),
                frames,
                timeout,
            }),
            _ => Err(d.into_sorted()),
        }
    }

    /// The action of a step that was planned again, behind the passes.
    fn rewritten(&self, step: &Step, action: Action, servers: &Servers) -> Action {
        let step = Step {
            action,
            ..step.clone()
        };
        let mut plan = Plan {
            root: Region {
                steps: vec![step],
                ..Region::default()
            },
            ..Plan::default()
        };
        // Nothing is selected: that can't fail.
        let _ = self.run_passes(&mut plan, servers, &PlanOptions::default(), &mut |_, _| {});
        match plan.root.steps.pop() {
            Some(step) => step.action,
            None => Action::Group(Region::default()),
        }
    }
}

/// A step that was planned again.
#[derive(Debug)]
pub struct Unfolded {
    pub action: Action,
    /// Seconds that the step may take.
    pub timeout: Option<f64>,
    /// The number behind that of its last flow frame.
    pub frames: usize,
}

/// Compiles one flow of a project: the plan, unless there are errors, and everything found.
pub fn compile(
    files: &ProjectFiles,
    flow: &str,
    variables: &BTreeSet<String>,
) -> (Option<(Compiler, Plan)>, Vec<Diagnostic>) {
    let mut d = Diagnostics::default();
    let compiled = Compiler::read(files, &mut d).and_then(|compiler| {
        let plan = compiler.plan(flow, variables, &PlanOptions::default(), &mut d);
        plan.ok().flatten().map(|plan| (compiler, plan))
    });
    let compiled = compiled.filter(|_| !d.has_errors());
    (compiled, d.into_sorted())
}
