//! Assembles the parts of a run: databases, APIs, the interpreter.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sequor_planner::syntax::{Source, SourceKind};
use tokio_util::sync::CancellationToken;

use super::plan::Compiled;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Api, Databases, Debug, Events, Run, Scope, Variables};
use crate::expr::Evaluator;
use crate::http::{Live, Recorder, Replay, Settings, Transport};
use crate::secret::Redactor;
use crate::sources::registry::Opening;
use crate::value::Value;

/// Where requests go.
#[derive(Default)]
pub struct Network<'a> {
    pub record: Option<&'a Path>,
    pub replay: Option<&'a Path>,
}

/// Opens what the plan uses.
pub async fn assemble(
    compiled: &Compiled,
    network: &Network<'_>,
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
    let databases = databases(compiled, &sources, &variables, &evaluator, &redactor).await?;
    let apis = apis(&sources, network, &redactor)?;
    Ok(Arc::new(Run {
        variables,
        databases: Arc::new(databases),
        apis,
        evaluator,
        redactor,
        events,
        debug,
        cancel,
    }))
}

async fn databases(
    compiled: &Compiled,
    sources: &[&Source],
    variables: &Arc<Variables>,
    evaluator: &Arc<Evaluator>,
    redactor: &Redactor,
) -> Result<Databases> {
    // Settings of a database see variables, not tables.
    let world = Scope::new(
        variables.clone(),
        Arc::new(Databases::default()),
        redactor.clone(),
    )
    .world();
    let state = compiled
        .project
        .state(&compiled.compiler.project.name)
        .join("staging");
    let opening = Opening {
        evaluator,
        world: &world,
        redactor,
        staging: &state,
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

fn apis(
    sources: &[&Source],
    network: &Network<'_>,
    redactor: &Redactor,
) -> Result<HashMap<String, Arc<Api>>> {
    let replay: Option<Arc<dyn Transport>> = match network.replay {
        Some(folder) => Some(Arc::new(Replay::read(folder, redactor)?)),
        None => None,
    };
    if let Some(folder) = network.record {
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
    let transport = |timeout: Option<f64>| -> Result<Arc<dyn Transport>> {
        let inner = match &replay {
            Some(replay) => replay.clone(),
            None => Arc::new(Live::new(&Settings {
                timeout: timeout.map(Duration::from_secs_f64),
            })?),
        };
        Ok(match network.record {
            Some(folder) => Arc::new(Recorder::new(inner, folder, redactor, &numbers)),
            None => inner,
        })
    };
    let mut apis = HashMap::from([(String::new(), Arc::new(Api::new(transport(None)?, None)))]);
    for source in sources {
        if let SourceKind::Http(http) = &source.kind {
            let api = Api::new(transport(http.timeout)?, Some((**http).clone()));
            apis.insert(source.name.clone(), Arc::new(api));
        }
    }
    Ok(apis)
}
