//! The APIs of a run: each is made ready when it is first used, and shared by all steps from then on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sequor_planner::expr::Prop;
use sequor_planner::syntax::{HttpSource, Source, SourceKind};

use super::api::{Api, seconds};
use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::expr::Evaluator;
use crate::http::{Live, NoTokens, Recorder, Recordings, Replay, Settings, TlsFiles, TokenStore, Transport};
use crate::secret::Redactor;
use crate::world::World;

/// The file beside a step's recordings that has the state which it began with.
const STATE: &str = "state.json";

/// How requests reach APIs: live, from recordings, or live and recorded.
pub struct Transports {
    replay: Option<(PathBuf, Arc<dyn Transport>)>,
    record: Option<(PathBuf, Recordings)>,
    redactor: Redactor,
    tokens: Arc<dyn TokenStore>,
}

impl Transports {
    /// Transports that record into a folder, or answer from one. `tokens`: where they are kept from run to run.
    ///
    /// # Errors
    /// A folder that can't be made, or read.
    pub fn new(
        record: Option<&Path>,
        replay: Option<&Path>,
        redactor: &Redactor,
        tokens: Arc<dyn TokenStore>,
    ) -> Result<Transports> {
        let replay: Option<(PathBuf, Arc<dyn Transport>)> = match replay {
            Some(folder) => Some((folder.to_path_buf(), Arc::new(Replay::read(folder, redactor)?))),
            None => None,
        };
        if let Some(folder) = record {
            // Found out before anything is sent.
            std::fs::create_dir_all(folder).map_err(|e| {
                let message = format!(
                    "the folder for recordings, {}, can't be made: {e}",
                    folder.display()
                );
                Error::new(ErrorKind::Project, message)
            })?;
        }
        let tokens = match &replay {
            Some(_) => Arc::new(NoTokens),
            None => tokens,
        };
        Ok(Transports {
            replay,
            record: record.map(|folder| (folder.to_path_buf(), Recordings::default())),
            redactor: redactor.clone(),
            tokens,
        })
    }

    fn with(&self, settings: Settings) -> Result<Arc<dyn Transport>> {
        let inner = match &self.replay {
            Some((_, replay)) => replay.clone(),
            None => Arc::new(Live::new(settings)?),
        };
        Ok(match &self.record {
            Some((folder, numbers)) => Arc::new(Recorder::new(inner, folder, &self.redactor, numbers)),
            None => inner,
        })
    }
}

/// The APIs of a run, by source; the empty name is for requests without one.
pub struct Apis {
    transports: Transports,
    evaluator: Arc<Evaluator>,
    /// The project's: paths are relative to it.
    folder: PathBuf,
    sources: HashMap<String, Source>,
    ready: Mutex<HashMap<String, Arc<Api>>>,
}

impl Apis {
    /// Creates the APIs of these sources, none of them ready.
    pub fn new(
        transports: Transports,
        evaluator: Arc<Evaluator>,
        folder: PathBuf,
        sources: impl IntoIterator<Item = Source>,
    ) -> Apis {
        Apis {
            transports,
            evaluator,
            folder,
            sources: sources.into_iter().map(|s| (s.name.clone(), s)).collect(),
            ready: Mutex::default(),
        }
    }

    /// Tells whether recordings answer requests.
    pub fn replays(&self) -> bool {
        self.transports.replay.is_some()
    }

    /// Returns where the state is that a step began with when what answers was recorded; none where nothing does.
    pub fn replayed_state(&self, step: &str) -> Option<PathBuf> {
        let (folder, _) = self.transports.replay.as_ref()?;
        Some(folder.join(step).join(STATE))
    }

    /// Returns where the state is kept that a step begins with; none where nothing is recorded.
    pub fn recorded_state(&self, step: &str) -> Option<PathBuf> {
        let (folder, _) = self.transports.record.as_ref()?;
        Some(folder.join(step).join(STATE))
    }

    /// Tells whether a source is an API.
    pub fn is_api(&self, name: &str) -> bool {
        let source = self.sources.get(name);
        source.is_some_and(|s| matches!(s.kind, SourceKind::Http(_)))
    }

    /// Returns the API of a source; none: that of requests without one.
    ///
    /// # Errors
    /// No such source; files for TLS that can't be read.
    pub async fn get(&self, source: Option<&str>, scope: &Scope) -> Result<Arc<Api>> {
        let name = source.unwrap_or_default();
        let ready = || self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = ready().get(name) {
            return Ok(api.clone());
        }
        let api = match source {
            None => Api::new(
                self.transports.with(Settings::default())?,
                None,
                self.transports.tokens.clone(),
            ),
            Some(name) => self.api(name, scope).await?,
        };
        // One that another step has made ready meanwhile is the one that all share.
        let mut ready = ready();
        let shared = ready.entry(name.to_string()).or_insert_with(|| Arc::new(api));
        Ok(shared.clone())
    }

    async fn api(&self, name: &str, scope: &Scope) -> Result<Api> {
        let Some(source) = self.sources.get(name) else {
            let known = self.sources.values().filter(|s| s.dialect().is_none());
            let near = sequor_planner::did_you_mean(name, "http sources", known.map(|s| s.name.as_str()));
            let error = Error::new(ErrorKind::Project, format!("no http source is named `{name}`"));
            return Err(error.help(near.unwrap_or_else(|| format!("add sources/{name}.yaml"))));
        };
        let SourceKind::Http(http) = &source.kind else {
            let message = format!("source `{name}` is a database, and an http source is needed here");
            return Err(Error::new(ErrorKind::Project, message));
        };
        let place = http.network.tls.as_ref().and_then(|tls| tls.place.as_ref());
        let place = place.unwrap_or(&source.place);
        let world = scope.without_databases().world();
        let settings = self.settings(http, &world).await.map_err(|e| e.at(place))?;
        let transport = self.transports.with(settings).map_err(|e| e.at(place))?;
        Ok(Api::new(
            transport,
            Some((**http).clone()),
            self.transports.tokens.clone(),
        ))
    }

    /// What the client of a source needs to know.
    async fn settings(&self, http: &HttpSource, world: &Arc<dyn World>) -> Result<Settings> {
        let tls = match &http.network.tls {
            None => TlsFiles::default(),
            Some(tls) => TlsFiles {
                ca_cert: self.file(&tls.ca_cert, world).await?,
                client_cert: self.file(&tls.client_cert, world).await?,
                client_key: self.file(&tls.client_key, world).await?,
            },
        };
        let max = http.network.max_response;
        Ok(Settings {
            timeout: http.timeout.map(seconds),
            total_timeout: http.total_timeout.map(seconds),
            tls,
            cookies: http.cookies,
            max_response: max.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        })
    }

    async fn file(&self, prop: &Option<Prop>, world: &Arc<dyn World>) -> Result<Option<PathBuf>> {
        let Some(prop) = prop else { return Ok(None) };
        let path = self.evaluator.one(prop, world, None).await?.to_text();
        let path = self.folder.join(path);
        // As a message shows it.
        let shown = path.strip_prefix(".").map(Path::to_path_buf);
        Ok(Some(shown.unwrap_or(path)))
    }
}
