//! The stage list: project files in, plan and diagnostics out.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::expr::Prop;
use crate::ops::{FlowAction, FlowStep, VariableSet, each_step, read_step};
use crate::passes::views::{self, KnownTables};
use crate::plan::{Action, PLAN_VERSION, Plan, PlannedSource, Step, Unfolds};
use crate::resolve::{Names, Resolver};
use crate::servers::Servers;
use crate::syntax::{self, Project, Source};

/// A file of the project: its path relative to the project, with `/`, and its text.
#[derive(Debug, Clone)]
pub struct File {
    pub path: Arc<str>,
    pub text: String,
}

/// The files of a project, as found on disk.
#[derive(Debug, Clone, Default)]
pub struct ProjectFiles {
    pub project: Option<File>,
    /// By name: `salesforce/account_sync`.
    pub flows: IndexMap<String, File>,
    /// By name.
    pub sources: IndexMap<String, File>,
    /// The environment in use.
    pub environment: Option<File>,
}

impl ProjectFiles {
    /// The text of one of the files, by its path.
    pub fn text(&self, path: &str) -> Option<&str> {
        let single = [&self.project, &self.environment];
        let all = single
            .into_iter()
            .flatten()
            .chain(self.flows.values())
            .chain(self.sources.values());
        all.into_iter()
            .find(|f| *f.path == *path)
            .map(|f| f.text.as_str())
    }
}

/// A project, read.
#[derive(Debug, Clone)]
pub struct Compiler {
    pub project: Project,
    pub sources: IndexMap<String, Source>,
    /// Variables of the environment.
    pub environment: IndexMap<String, Json>,
    flows: IndexMap<String, Vec<FlowStep>>,
    /// Sources that could not be read.
    broken_sources: BTreeSet<String>,
    /// What was found when reading each source.
    found_sources: IndexMap<String, Diagnostics>,
    /// Flows with errors in their own file.
    broken: BTreeSet<String>,
    /// Parameters that flows give to others, by the called flow.
    parameters: IndexMap<String, BTreeSet<String>>,
    /// Tables that the flows make.
    tables: KnownTables,
    /// Variables of the environment that no flow sets.
    facts: IndexMap<String, Json>,
    /// What was found when reading each flow.
    found: IndexMap<String, Diagnostics>,
}

impl Compiler {
    /// Reads every file. Errors are collected; none when `project.yaml` itself can't be used.
    pub fn read(files: &ProjectFiles, d: &mut Diagnostics) -> Option<Compiler> {
        let project = match &files.project {
            Some(file) => syntax::read_project(&file.path, &file.text, d),
            None => {
                d.error(Code::MissingKey, None, "there is no project.yaml here")
                    .help("run in a project's folder, name it with --project-dir, or make one with `sequor init DIR`");
                None
            }
        };
        let environment = match &files.environment {
            Some(file) => syntax::read_environment(&file.path, &file.text, d),
            None => IndexMap::new(),
        };
        let mut sources = IndexMap::new();
        let mut broken_sources = BTreeSet::new();
        let mut found_sources = IndexMap::new();
        for (name, file) in &files.sources {
            let mut own = Diagnostics::default();
            let read = syntax::read_source(name, &file.path, &file.text, &mut own);
            found_sources.insert(name.clone(), own);
            match read {
                Some(source) => {
                    sources.insert(name.clone(), source);
                }
                None => {
                    broken_sources.insert(name.clone());
                }
            }
        }
        let mut flows = IndexMap::new();
        let mut broken = BTreeSet::new();
        let mut found = IndexMap::new();
        for (name, file) in &files.flows {
            let mut own = Diagnostics::default();
            flows.insert(name.clone(), syntax::read_flow(&file.path, &file.text, &mut own));
            if own.has_errors() {
                broken.insert(name.clone());
            }
            found.insert(name.clone(), own);
        }
        if project.is_none() {
            // Nothing will be planned: what is wrong with the flows is told now.
            found
                .values()
                .chain(found_sources.values())
                .for_each(|own| d.extend(own));
        }
        let mut tables = KnownTables::default();
        flows
            .values()
            .for_each(|steps| views::collect(steps, &sources, &mut tables));
        let mut parameters: IndexMap<String, BTreeSet<String>> = IndexMap::new();
        for steps in flows.values() {
            each_step(steps, &mut |step| {
                if let FlowAction::RunFlow(run) = &step.action {
                    let names = parameters.entry(run.flow.clone()).or_default();
                    match &run.parameters {
                        Some(Prop::Map(entries)) => names.extend(entries.iter().map(|(k, _)| k.clone())),
                        Some(Prop::Literal(Json::Object(entries))) => names.extend(entries.keys().cloned()),
                        _ => {}
                    }
                }
            });
        }
        // What flows may set is no fact.
        let mut facts = environment.clone();
        match set_by(flows.values()) {
            Some(set) => facts.retain(|name, _| !set.contains(name)),
            None => facts.clear(),
        }
        Some(Compiler {
            project: project?,
            facts,
            sources,
            environment,
            flows,
            broken_sources,
            found_sources,
            broken,
            found,
            parameters,
            tables,
        })
    }

    /// The names of the project's flows.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        self.flows.keys().map(String::as_str)
    }

    /// Adds what is wrong with the project's sources, whoever uses them.
    pub fn check_sources(&self, d: &mut Diagnostics) {
        self.found_sources.values().for_each(|own| d.extend(own));
    }

    /// Compiles one flow. `variables`: names that are set before the run, besides the environment's.
    pub fn plan(&self, flow: &str, variables: &BTreeSet<String>, d: &mut Diagnostics) -> Option<Plan> {
        if !self.flows.contains_key(flow) {
            d.error(Code::UnknownFlow, None, format!("no flow is named `{flow}`"))
                .maybe_help(
                    did_you_mean(flow, "flows", self.flows())
                        .or_else(|| Some(format!("add flows/{flow}.yaml"))),
                );
            return None;
        }
        let mut known = variables.clone();
        known.extend(self.environment.keys().cloned());
        let facts = self.facts.iter().filter(|(name, _)| !variables.contains(*name));
        let facts = facts.map(|(name, value)| (name.clone(), value.clone())).collect();
        let servers = Arc::new(Servers::find(&self.sources, &facts));
        let names = self.names(&known, &servers);
        let mut resolver = Resolver::new(&names, 0, d);
        let root = resolver.flow(flow);
        let (used, frames) = (std::mem::take(&mut resolver.used), resolver.frames);
        // Mistakes in a flow concern those who run it: others of the project stay usable.
        for flow in std::mem::take(&mut resolver.visited) {
            if let Some(own) = self.found.get(&flow) {
                d.extend(own);
            }
        }
        // So do mistakes in a source: to the others they are warnings.
        for (name, own) in &self.found_sources {
            match used.contains(name) {
                true => d.extend(own),
                false => d.extend(&own.as_warnings()),
            }
        }
        let sources = used
            .iter()
            .filter_map(|name| {
                Some(PlannedSource {
                    name: name.clone(),
                    kind: self.sources.get(name)?.type_name(),
                })
            })
            .collect();
        Some(Plan {
            version: PLAN_VERSION,
            project: self.project.name.clone(),
            flow: flow.to_string(),
            sources,
            frames,
            in_order: false,
            root,
        })
    }
}

impl Compiler {
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
        let written = match &unfolds.step.deferred {
            None => Some((*unfolds.step).clone()),
            Some(deferred) => read_step(&deferred.filled(values), &mut d),
        };
        let known = BTreeSet::new();
        let names = self.names(&known, &unfolds.servers);
        let mut resolver = Resolver::new(&names, first_frame, &mut d);
        let action = written.map(|written| resolver.unfold(&written, unfolds, &step.id, step.frame));
        let (frames, visited) = (resolver.frames, std::mem::take(&mut resolver.visited));
        visited
            .iter()
            .filter_map(|flow| self.found.get(flow))
            .for_each(|own| d.extend(own));
        match action {
            Some(action) if !d.has_errors() => Ok(Unfolded { action, frames }),
            _ => Err(d.into_sorted()),
        }
    }
}

/// The variables that these flows set or bind; none: any.
fn set_by<'f>(flows: impl Iterator<Item = &'f Vec<FlowStep>>) -> Option<BTreeSet<String>> {
    let mut set = BTreeSet::new();
    let mut any = false;
    let mut add = |variables: &[VariableSet]| {
        any |= variables.iter().any(|v| v.many);
        set.extend(variables.iter().map(|v| v.name.clone()));
    };
    let mut bound = Vec::new();
    let mut opaque = false;
    for steps in flows {
        each_step(steps, &mut |step| {
            let names = |key: &&str| matches!(*key, "as" | "flow" | "tables");
            let deferred = step.deferred.iter().flat_map(|d| &d.keys);
            opaque |= deferred.map(|k| k.key).any(|key| names(&key));
            match &step.action {
                FlowAction::SetVariable(set) => add(&set.set),
                FlowAction::HttpRequest(request) => {
                    add(&request.init);
                    add(&request.response.variables);
                    bound.extend(request.for_each.iter().map(|rows| rows.variable.clone()));
                    if let Some(parser) = &request.response.parser {
                        match parser.returns().and_then(|r| r.variables.as_ref()) {
                            Some(returned) => bound.extend(returned.iter().map(|v| v.name.clone())),
                            None => opaque = true,
                        }
                    }
                }
                FlowAction::ForEach(each) => bound.push(each.rows.variable.clone()),
                FlowAction::RunFlow(run) => match &run.parameters {
                    None => {}
                    Some(Prop::Map(entries)) => bound.extend(entries.iter().map(|(name, _)| name.clone())),
                    Some(Prop::Literal(Json::Object(entries))) => bound.extend(entries.keys().cloned()),
                    Some(_) => opaque = true,
                },
                _ => {}
            }
        });
    }
    set.extend(bound);
    (!any && !opaque).then_some(set)
}

/// A step that was planned again.
#[derive(Debug)]
pub struct Unfolded {
    pub action: Action,
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
        compiler
            .plan(flow, variables, &mut d)
            .map(|plan| (compiler, plan))
    });
    let compiled = compiled.filter(|_| !d.has_errors());
    (compiled, d.into_sorted())
}
