//! From the files of a project to what its flows are planned with.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::expr::{EachProp, Prop};
use crate::ops::{FlowAction, FlowStep, VariableSet, each_step};
use crate::passes::views::{self, KnownTables};
use crate::span::Place;
use crate::syntax::{self, DatabaseSource, Project, Source, SourceKind};

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
    pub(super) flows: IndexMap<String, Vec<FlowStep>>,
    /// Sources that could not be read.
    pub(super) broken_sources: BTreeSet<String>,
    /// What was found when reading each source.
    pub(super) found_sources: IndexMap<String, Diagnostics>,
    /// Flows with errors in their own file.
    pub(super) broken: BTreeSet<String>,
    /// Parameters that flows give to others, by the called flow.
    pub(super) parameters: IndexMap<String, BTreeSet<String>>,
    /// Tables that the flows make.
    pub(super) tables: KnownTables,
    /// Variables of the environment that no flow sets.
    pub(super) constants: IndexMap<String, Json>,
    /// What was found when reading each flow.
    pub(super) found: IndexMap<String, Diagnostics>,
}

impl Compiler {
    /// Reads every file. Errors are collected; none when `project.yaml` itself can't be used.
    pub fn read(files: &ProjectFiles, d: &mut Diagnostics) -> Option<Compiler> {
        let project = project(files, d);
        let environment = match &files.environment {
            Some(file) => syntax::read_environment(&file.path, &file.text, d),
            None => IndexMap::new(),
        };
        let sources = read_each(&files.sources, source);
        let mut flows = read_each(&files.flows, |_, file, own| {
            Some(syntax::read_flow(&file.path, &file.text, own))
        });
        // Steps that can't be read are left out, the others are there.
        let wrong = flows.found.iter().filter(|(_, own)| own.has_errors());
        flows.broken.extend(wrong.map(|(name, _)| name.clone()));
        if project.is_none() {
            // Nothing will be planned: what is wrong with the flows is told now.
            let all = flows.found.values().chain(sources.found.values());
            all.for_each(|own| d.extend(own));
        }
        if let Some(project) = &project {
            check_state(project, &sources, d);
        }
        let mut tables = KnownTables::default();
        for (flow, steps) in &flows.all {
            views::collect(flow, steps, &sources.all, &mut tables);
        }
        Some(Compiler {
            project: project?,
            constants: constants(&environment, &flows.all),
            parameters: parameters(&flows.all),
            environment,
            sources: sources.all,
            broken_sources: sources.broken,
            found_sources: sources.found,
            flows: flows.all,
            broken: flows.broken,
            found: flows.found,
            tables,
        })
    }
}

fn project(files: &ProjectFiles, d: &mut Diagnostics) -> Option<Project> {
    let Some(file) = &files.project else {
        d.error(Code::MissingKey, None, "there is no project.yaml here")
            .help(
                "run in a project's folder, name it with --project-dir, or make one with `sequor init DIR`",
            );
        return None;
    };
    syntax::read_project(&file.path, &file.text, d)
}

/// # Errors
/// A state that is kept in what is no PostgreSQL source.
fn check_state(project: &Project, sources: &Read<Source>, d: &mut Diagnostics) {
    let Some((name, place)) = &project.state.source else {
        return;
    };
    if sources.broken.contains(name) {
        // What is wrong with it is told with the flows that use it; the state is used by all.
        sources.found.get(name).into_iter().for_each(|own| d.extend(own));
        return;
    }
    let is_postgres = |kind: &SourceKind| match kind {
        SourceKind::Database(database) => matches!(**database, DatabaseSource::Postgres(_)),
        SourceKind::Http(_) => false,
    };
    match sources.all.get(name) {
        None => {
            let message = format!("`state` names the source `{name}`, which is not there");
            let near = did_you_mean(name, "sources", sources.all.keys().map(String::as_str));
            d.error(Code::UnknownSource, place.clone(), message)
                .maybe_help(near);
        }
        Some(source) if !is_postgres(&source.kind) => {
            let message = format!("`state` names the source `{name}`, which is no PostgreSQL database");
            d.error(Code::BadValue, place.clone(), message)
                .help("name a source of type postgres, or leave `source` out: then it is a file");
        }
        Some(_) => {}
    }
}

/// What was read of files of one kind.
struct Read<T> {
    /// By their names.
    all: IndexMap<String, T>,
    /// The names of those that can't be used.
    broken: BTreeSet<String>,
    /// What was found in each.
    found: IndexMap<String, Diagnostics>,
}

/// Reads files of one kind: `read` gives what a file says, where it can be read.
fn read_each<T>(
    files: &IndexMap<String, File>,
    mut read: impl FnMut(&str, &File, &mut Diagnostics) -> Option<T>,
) -> Read<T> {
    let (mut all, mut broken, mut found) = (IndexMap::new(), BTreeSet::new(), IndexMap::new());
    for (name, file) in files {
        let mut own = Diagnostics::default();
        match read(name, file, &mut own) {
            Some(one) => {
                all.insert(name.clone(), one);
            }
            None => {
                broken.insert(name.clone());
            }
        }
        found.insert(name.clone(), own);
    }
    Read { all, broken, found }
}

/// The source that is the project's own history.
const HISTORY: &str = "_sequor";

fn source(name: &str, file: &File, d: &mut Diagnostics) -> Option<Source> {
    if name == HISTORY {
        let place = Place {
            file: file.path.clone(),
            line: 1,
            column: 1,
            start: 0,
            end: 0,
        };
        d.error(
            Code::BadValue,
            place,
            format!("`{HISTORY}` is the project's own history: no source has that name"),
        )
        .help("give the file another name");
        return None;
    }
    let mut source = syntax::read_source(name, &file.path, &file.text, d)?;
    source.each_prop_mut(&mut |prop| prop.lower());
    Some(source)
}

/// Parameters that flows give to others, by the called flow.
fn parameters(flows: &IndexMap<String, Vec<FlowStep>>) -> IndexMap<String, BTreeSet<String>> {
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
    parameters
}

/// Variables of the environment that no flow sets: what flows may set is no fact.
fn constants(
    environment: &IndexMap<String, Json>,
    flows: &IndexMap<String, Vec<FlowStep>>,
) -> IndexMap<String, Json> {
    let mut constants = environment.clone();
    match set_by(flows.values()) {
        Some(set) => constants.retain(|name, _| !set.contains(name)),
        None => constants.clear(),
    }
    constants
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
            let names = |key: &str| matches!(key, "as" | "flow" | "tables");
            let deferred = step.deferred.iter().flat_map(|d| &d.keys);
            opaque |= deferred.map(|k| k.key.as_str()).any(names);
            match &step.action {
                FlowAction::Plain(plain) => add(plain.operation().sets()),
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
