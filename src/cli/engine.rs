//! Assembles the parts of a run: databases, APIs, the interpreter.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sequor_planner::expr::Prop;
use sequor_planner::syntax::{HttpSource, Source, SourceKind};
use tokio_util::sync::CancellationToken;

use super::plan::Compiled;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Api, Databases, Debug, Events, Run, Scope, Variables};
use crate::expr::{Evaluator, World};
use crate::http::{Live, Recorder, Replay, Settings, TlsFiles, Transport};
use crate::secret::Redactor;
use crate::sources::registry::Opening;
use crate::value::Value;

/// What is outside of the program.
#[derive(Default)]
pub struct Outside<'a> {
    /// Where requests and answers are kept, or taken from.
    pub record: Option<&'a Path>,
    pub replay: Option<&'a Path>,
    /// Files of databases are there already: one that is not is a slip, and is not made.
    pub files_exist: bool,
}

/// Opens what the plan uses.
pub async fn assemble(
    compiled: &Compiled,
    outside: &Outside<'_>,
    debug: Debug,
    events: Events,
    cancel: CancellationToken,
) -> Result<Arc<Run>> {
    let environment = compiled.compiler.environment.iter();
    let environment = environment
        .map(|(name, value)| (name.clone(), Value::from(value)))
        .collect();
    let variables = Arc::new(Variables::new(
        compiled.plan.frames,
        compiled.overrides.clone(),
        compiled.kept.clone(),
        environment,
    ));
    let evaluator = Arc::new(Evaluator::default());
    let redactor = Redactor::default();
    // Variables of the environment that are named like secrets are masked from the start.
    for (name, value) in &compiled.compiler.environment {
        if let Some(text) = value.as_str() {
            redactor.add_named(name, text);
        }
    }
    let used: BTreeSet<&str> = compiled.plan.sources.iter().map(|s| s.name.as_str()).collect();
    let sources: Vec<&Source> = compiled
        .compiler
        .sources
        .values()
        .filter(|s| used.contains(s.name.as_str()))
        .collect();
    // Settings of a source see variables, not tables.
    let world = Scope::new(
        variables.clone(),
        Arc::new(Databases::default()),
        redactor.clone(),
    )
    .world();
    let databases = databases(compiled, &sources, &world, (&evaluator, &redactor), outside).await?;
    let setup = Setup {
        folder: compiled.project.folder(),
        evaluator: &evaluator,
        world: &world,
    };
    let apis = apis(&sources, outside, &setup, &redactor).await?;
    Ok(Arc::new(Run {
        variables,
        databases: Arc::new(databases),
        apis,
        evaluator,
        redactor,
        folder: compiled.project.folder().to_path_buf(),
        events,
        debug,
        cancel,
    }))
}

async fn databases(
    compiled: &Compiled,
    sources: &[&Source],
    world: &Arc<dyn World>,
    (evaluator, redactor): (&Arc<Evaluator>, &Redactor),
    outside: &Outside<'_>,
) -> Result<Databases> {
    let state = compiled
        .project
        .state(&compiled.compiler.project.name)
        .join("staging");
    let opening = Opening {
        evaluator,
        world,
        redactor,
        staging: &state,
        folder: compiled.project.folder(),
        files_exist: outside.files_exist,
        files: tokio::sync::Mutex::default(),
    };
    let mut open = HashMap::new();
    for source in sources {
        let opened = opening
            .open(source)
            .await
            .map_err(|e| e.map_text(|text| redactor.redact(text)))?;
        if let Some(database) = opened {
            open.insert(source.name.clone(), database);
        }
    }
    Ok(Databases::new(open))
}

/// What the settings of an http source are evaluated with.
struct Setup<'a> {
    /// The project's: paths are relative to it.
    folder: &'a Path,
    evaluator: &'a Arc<Evaluator>,
    world: &'a Arc<dyn World>,
}

async fn apis(
    sources: &[&Source],
    outside: &Outside<'_>,
    setup: &Setup<'_>,
    redactor: &Redactor,
) -> Result<HashMap<String, Arc<Api>>> {
    let replay: Option<Arc<dyn Transport>> = match outside.replay {
        Some(folder) => Some(Arc::new(Replay::read(folder, redactor)?)),
        None => None,
    };
    if let Some(folder) = outside.record {
        // Found out before anything is sent.
        std::fs::create_dir_all(folder).map_err(|e| {
            let message = format!(
                "the folder for recordings, {}, can't be made: {e}",
                folder.display()
            );
            Error::new(ErrorKind::Project, message)
        })?;
    }
    let numbers = Arc::new(Mutex::new(HashMap::new()));
    let transport = |settings: Settings| -> Result<Arc<dyn Transport>> {
        let inner = match &replay {
            Some(replay) => replay.clone(),
            None => Arc::new(Live::new(settings)?),
        };
        Ok(match outside.record {
            Some(folder) => Arc::new(Recorder::new(inner, folder, redactor, &numbers)),
            None => inner,
        })
    };
    let bare = Api::new(transport(Settings::default())?, None);
    let mut apis = HashMap::from([(String::new(), Arc::new(bare))]);
    for source in sources {
        if let SourceKind::Http(http) = &source.kind {
            let place = http.network.tls.as_ref().and_then(|tls| tls.place.as_ref());
            let place = place.unwrap_or(&source.place);
            let settings = setup.settings(http).await.map_err(|e| e.at(place))?;
            let transport = transport(settings).map_err(|e| e.at(place))?;
            apis.insert(
                source.name.clone(),
                Arc::new(Api::new(transport, Some((**http).clone()))),
            );
        }
    }
    Ok(apis)
}

impl Setup<'_> {
    /// What the client of a source needs to know.
    async fn settings(&self, http: &HttpSource) -> Result<Settings> {
        let tls = match &http.network.tls {
            None => TlsFiles::default(),
            Some(tls) => TlsFiles {
                ca_cert: self.file(&tls.ca_cert).await?,
                client_cert: self.file(&tls.client_cert).await?,
                client_key: self.file(&tls.client_key).await?,
            },
        };
        let max = http.network.max_response;
        Ok(Settings {
            timeout: http.timeout.map(Duration::from_secs_f64),
            tls,
            max_response: max.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        })
    }

    async fn file(&self, prop: &Option<Prop>) -> Result<Option<PathBuf>> {
        let Some(prop) = prop else { return Ok(None) };
        let path = self.evaluator.one(prop, self.world, None).await?.to_text();
        let path = self.folder.join(path);
        // As a message shows it.
        let shown = path.strip_prefix(".").map(Path::to_path_buf);
        Ok(Some(shown.unwrap_or(path)))
    }
}
