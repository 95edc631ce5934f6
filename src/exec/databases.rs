//! The databases of a run: each is opened when it is first used, with the variables that are in sight there.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sequor_planner::syntax::{Source, SourceKind};

use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::expr::Evaluator;
use crate::secret::{Redactor, Secret};
use crate::sources::database::Database;
use crate::sources::registry::{Files, Opening};

/// How many databases one source may have open at the same time, where variables say which it is: one per tenant, say.
/// More are open only as long as steps use them.
const MOST_OF_ONE: usize = 8;

/// What opening a database needs besides its definition.
pub struct Setup {
    pub evaluator: Arc<Evaluator>,
    pub redactor: Redactor,
    /// Where the staging database keeps its tables.
    pub staging: PathBuf,
    /// The project's folder: paths in sources are relative to it.
    pub folder: PathBuf,
    /// Files of databases must be there; else they are made.
    pub files_exist: bool,
}

/// The databases of a run, by source.
#[derive(Default)]
pub struct Databases {
    setup: Option<Setup>,
    /// The sources of the project.
    sources: HashMap<String, Source>,
    open: Mutex<HashMap<String, Vec<Opened>>>,
    /// Held while one is opened: it is opened once, whoever asks meanwhile.
    opening: tokio::sync::Mutex<()>,
    files: Files,
}

/// An open database, and what its source said when it was opened: nothing, where no variable has a part in it.
struct Opened {
    settings: Option<Secret>,
    database: Arc<dyn Database>,
}

impl Databases {
    /// The databases of these sources, none of them open.
    pub fn new(setup: Setup, sources: impl IntoIterator<Item = Source>) -> Self {
        Databases {
            setup: Some(setup),
            sources: sources.into_iter().map(|s| (s.name.clone(), s)).collect(),
            ..Databases::default()
        }
    }

    /// The database of a source, as its settings are in `scope`.
    ///
    /// # Errors
    /// No such source, settings that can't be evaluated, a database that can't be opened.
    pub async fn get(&self, name: &str, scope: &Scope) -> Result<Arc<dyn Database>> {
        let source = self.source(name)?;
        let Some(setup) = &self.setup else {
            return Err(Error::new(ErrorKind::Internal, "databases are not set up"));
        };
        let hidden = |e: Error| e.map_text(|text| setup.redactor.redact(text));
        let world = scope.without_databases().world();
        let settings = match source.settings() {
            settings if settings.iter().all(|p| p.uses().is_fixed()) => None,
            settings => {
                let values = setup.evaluator.all(&settings, &world, None).await;
                let values = values.map_err(|e| {
                    let at = format!("source `{name}`");
                    hidden(e.at(&source.place).context(at))
                })?;
                // Texts end where a NUL stands, which no setting holds.
                let values: Vec<String> = values.iter().map(|v| v.to_text()).collect();
                Some(Secret::new(values.join("\0")))
            }
        };
        if let Some(known) = self.known(name, &settings) {
            return Ok(known);
        }
        let _alone = self.opening.lock().await;
        if let Some(known) = self.known(name, &settings) {
            return Ok(known);
        }
        let opening = Opening {
            evaluator: &setup.evaluator,
            world: &world,
            redactor: &setup.redactor,
            staging: &setup.staging,
            folder: &setup.folder,
            files_exist: setup.files_exist,
            files: &self.files,
        };
        let database = opening.open(source).await.map_err(hidden)?;
        let database = database.ok_or_else(|| is_api(name))?;
        let leaving = self.keep(name, settings, &database);
        for database in leaving {
            database.close().await;
        }
        Ok(database)
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<String, Vec<Opened>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, name: &str, settings: &Option<Secret>) -> Option<Arc<dyn Database>> {
        let mut open = self.opened();
        let of_source = open.get_mut(name)?;
        let at = of_source.iter().position(|o| o.settings == *settings)?;
        // The one used last stands last.
        let found = of_source.remove(at);
        let database = found.database.clone();
        of_source.push(found);
        Some(database)
    }

    /// Keeps an open database. Gives those that nobody uses, where they are too many.
    fn keep(
        &self,
        name: &str,
        settings: Option<Secret>,
        database: &Arc<dyn Database>,
    ) -> Vec<Arc<dyn Database>> {
        let mut open = self.opened();
        let of_source = open.entry(name.to_string()).or_default();
        let mut leaving = Vec::new();
        while of_source.len() >= MOST_OF_ONE
            && let Some(at) = of_source.iter().position(|o| Arc::strong_count(&o.database) == 1)
        {
            leaving.push(of_source.remove(at).database);
        }
        of_source.push(Opened {
            settings,
            database: database.clone(),
        });
        leaving
    }

    fn source(&self, name: &str) -> Result<&Source> {
        let source = self.sources.get(name).ok_or_else(|| {
            let known = self.sources.values().filter(|s| s.dialect().is_some());
            let known = known.map(|s| s.name.as_str());
            let error = Error::new(
                ErrorKind::Project,
                format!("no database source is named `{name}`"),
            );
            match sequor_planner::did_you_mean(name, "database sources", known) {
                Some(help) => error.help(help),
                None => error.help(format!("add sources/{name}.yaml")),
            }
        })?;
        match source.kind {
            SourceKind::Database(_) => Ok(source),
            SourceKind::Http(_) => Err(is_api(name)),
        }
    }

    /// The name of a database source, as SQL names things: in any case.
    pub fn find(&self, name: &str) -> Option<&str> {
        let databases = || self.sources.values().filter(|s| s.dialect().is_some());
        let exact = databases().find(|s| s.name == name);
        exact
            .or_else(|| databases().find(|s| s.name.eq_ignore_ascii_case(name)))
            .map(|s| s.name.as_str())
    }

    /// All that are open, to be closed.
    pub fn take(&self) -> Vec<Arc<dyn Database>> {
        let mut open = self.opened();
        open.drain().flat_map(|(_, of)| of).map(|o| o.database).collect()
    }
}

fn is_api(name: &str) -> Error {
    let message = format!("source `{name}` is an API, and a database is needed here");
    Error::new(ErrorKind::Project, message)
}
