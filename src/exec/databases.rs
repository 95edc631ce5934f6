//! The databases of a run: each is opened when it is first used, with the variables that are in sight there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sequor_planner::expr::Prop;
use sequor_planner::syntax::{Source, SourceKind};

use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Redactor, Secret};
use crate::sources::database::Database;
use crate::value::Value;
use crate::world::World;

/// How many databases one source may have open at the same time, where variables say which it is: one per tenant, say.
/// More are open only as long as steps use them.
const MOST_OF_ONE: usize = 8;

/// Opens the databases of sources.
#[async_trait]
pub trait Opener: Send + Sync {
    /// The values of settings, in `world`.
    async fn evaluate(&self, settings: &[&Prop], world: &Arc<dyn World>) -> Result<Vec<Value>>;

    /// Opens the database of a source, its settings evaluated in `world`; none where it is an API.
    async fn open(&self, source: &Source, world: &Arc<dyn World>) -> Result<Option<Arc<dyn Database>>>;
}

/// The databases of a run, by source.
#[derive(Default)]
pub struct Databases {
    opener: Option<Arc<dyn Opener>>,
    redactor: Redactor,
    /// The sources of the project.
    sources: HashMap<String, Source>,
    open: Mutex<HashMap<String, Vec<Opened>>>,
}

/// An open database, and what its source said when it was opened: nothing, where no variable has a part in it.
struct Opened {
    settings: Option<Secret>,
    database: Arc<dyn Database>,
}

impl Databases {
    /// Creates the databases of these sources, none of them open.
    pub fn new(
        opener: Arc<dyn Opener>,
        redactor: Redactor,
        sources: impl IntoIterator<Item = Source>,
    ) -> Self {
        Databases {
            opener: Some(opener),
            redactor,
            sources: sources.into_iter().map(|s| (s.name.clone(), s)).collect(),
            ..Databases::default()
        }
    }

    /// Returns the database of a source, as its settings are in `scope`.
    ///
    /// # Errors
    /// No such source, settings that can't be evaluated, a database that can't be opened.
    pub async fn get(&self, name: &str, scope: &Scope) -> Result<Arc<dyn Database>> {
        let source = self.source(name)?;
        let Some(opener) = &self.opener else {
            return Err(Error::new(ErrorKind::Internal, "no databases here"));
        };
        let hidden = |e: Error| e.map_text(|text| self.redactor.shown(text));
        let settings = source.settings();
        let fixed = settings.iter().all(|p| p.uses().is_fixed());
        // The usual case evaluates nothing.
        if fixed && let Some(known) = self.known(name, &None) {
            return Ok(known);
        }
        let world = scope.without_databases().world();
        let settings = match fixed {
            true => None,
            false => {
                let values = opener.evaluate(&settings, &world).await;
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
        let database = opener.open(source, &world).await.map_err(hidden)?;
        let database = database.ok_or_else(|| is_api(name))?;
        // No lock is held while one is opened, since an expression may wait for it on the interpreter's thread, which
        // opening may need. Who comes second takes the first one's.
        if let Some(known) = self.known(name, &settings) {
            return Ok(known);
        }
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

    /// Returns the name of a database source, as SQL names things: in any case.
    pub fn find(&self, name: &str) -> Option<&str> {
        let databases = || self.sources.values().filter(|s| s.dialect().is_some());
        let exact = databases().find(|s| s.name == name);
        exact
            .or_else(|| databases().find(|s| s.name.eq_ignore_ascii_case(name)))
            .map(|s| s.name.as_str())
    }

    /// Returns all that are open, to be closed.
    pub fn take(&self) -> Vec<Arc<dyn Database>> {
        let mut open = self.opened();
        open.drain().flat_map(|(_, of)| of).map(|o| o.database).collect()
    }
}

fn is_api(name: &str) -> Error {
    let message = format!("source `{name}` is an API, and a database is needed here");
    Error::new(ErrorKind::Project, message)
}
