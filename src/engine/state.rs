//! Where a project's state is: a file of its state folder, or the database that `state` in `project.yaml` names.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use sequor_planner::syntax::{DatabaseSource, PostgresSource, SourceKind};

use uuid::Uuid;

use super::compile::Loaded;
use super::parts::Parts;
use super::session::Options;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Database;
use crate::sources::location::Location;
use crate::sources::sqlite::Sqlite;
use crate::state::{
    Budget, Chunks, Folder, Keeping, KeptVariables, PostgresHome, Progress, RunFiles, Sealer, SqliteHome,
    Store, Table, Tokens,
};

/// The file of the state.
const FILE: &str = "state.db";

impl Loaded {
    /// Returns the project's state, open, and the project with the variables that are kept there.
    ///
    /// # Errors
    /// A state that can't be opened or read.
    pub async fn connected(mut self) -> Result<Loaded> {
        if self.compiler.project.state.source.is_none() || self.state.is_some() {
            return Ok(self);
        }
        let store = self.open_state().await?;
        let file = self.project.variables_file(&self.compiler);
        if store.import_variables(&file).await? {
            self.notices.push(format!(
                "the variables of {} were taken over into the state in `{}`: the file is not used any more",
                file.display(),
                self.state_source().unwrap_or_default()
            ));
        }
        self.kept = store.variables().await?;
        self.state = Some(store);
        Ok(self)
    }

    fn state_source(&self) -> Option<&str> {
        self.compiler
            .project
            .state
            .source
            .as_ref()
            .map(|(name, _)| name.as_str())
    }

    /// The source that holds the state; none where that is a file.
    fn state_postgres(&self) -> Result<Option<&PostgresSource>> {
        let Some((name, place)) = &self.compiler.project.state.source else {
            return Ok(None);
        };
        let source = self.compiler.sources.get(name);
        let database = source.and_then(|source| match &source.kind {
            SourceKind::Database(database) => Some(&**database),
            SourceKind::Http(_) => None,
        });
        match database {
            Some(DatabaseSource::Postgres(postgres)) => Ok(Some(postgres)),
            _ => {
                let message = format!("`state` names the source `{name}`, which is no PostgreSQL database");
                Err(Error::new(ErrorKind::Project, message).at(place))
            }
        }
    }

    /// The parts that open the state's source: the variables that are kept are in it, so its address can't depend on them.
    fn parts_without_state(&self) -> Result<Parts> {
        let without = Loaded {
            kept: IndexMap::new(),
            ..self.clone()
        };
        Parts::new(&without, 1, &Options::default(), Default::default())
    }

    /// Returns the folder of the project's state.
    pub fn state_folder(&self) -> std::path::PathBuf {
        self.project.state(&self.compiler.project.name)
    }

    /// Tells whether there is a state already.
    pub fn has_state(&self) -> bool {
        self.compiler.project.state.source.is_some() || self.state_folder().join(FILE).is_file()
    }

    /// Opens the project's state.
    ///
    /// # Errors
    /// One that can't be opened.
    pub async fn open_state(&self) -> Result<Store> {
        if let Some(store) = &self.state {
            return Ok(store.clone());
        }
        let project = &self.compiler.project;
        let Some((name, place)) = &project.state.source else {
            let home = SqliteHome::open(&self.state_folder().join(FILE)).await?;
            let store = Store::open(Arc::new(home), &project.name).await?;
            take_over_files(&store, &self.state_folder()).await?;
            return Ok(store);
        };
        let Some(postgres) = self.state_postgres()? else {
            return Err(Error::new(ErrorKind::Internal, "a state without its source"));
        };
        let parts = self.parts_without_state()?;
        let in_state = |e: Error| e.context(format!("`state` in source `{name}`")).at(place);
        let pool = parts.pool(postgres).await.map_err(in_state)?;
        let home = PostgresHome::open(pool, &project.state.namespace).await;
        let store = Store::open(Arc::new(home.map_err(in_state)?), &project.name).await;
        store.map_err(in_state)
    }

    /// Returns the state as a database, to be read: its tables `runs`, `steps`, `events` and others.
    ///
    /// # Errors
    /// One that can't be opened.
    pub async fn history_database(&self) -> Result<Arc<dyn Database>> {
        // Its tables are there behind this.
        self.open_state().await?.close().await;
        let project = &self.compiler.project;
        match self.state_postgres()? {
            None => {
                let file = Some(self.state_folder().join(FILE));
                let settings = Vec::new();
                Ok(Arc::new(Sqlite::open(&Location { file, settings }).await?))
            }
            Some(postgres) => {
                let parts = self.parts_without_state()?;
                parts.database_in(postgres, &project.state.namespace).await
            }
        }
    }

    /// Returns where the project's variables are kept. `store`: its state, open.
    pub fn kept_variables(&self, store: &Store) -> KeptVariables {
        match store.is_shared() {
            true => KeptVariables::store(store.clone()),
            false => KeptVariables::file(self.project.variables_file(&self.compiler)),
        }
    }

    /// Returns where runs keep what they can be gone on with.
    pub fn chunks(&self, store: &Store) -> Arc<dyn Chunks> {
        match store.is_shared() {
            true => Arc::new(Table::new(store.home())),
            false => Arc::new(Folder::new(self.state_folder().join("runs"))),
        }
    }

    /// Returns how far a step of a run is that is not over; none where it keeps nothing.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn progress(&self, store: &Store, run: Uuid, step: &str) -> Result<Option<Progress>> {
        let files = RunFiles::new(self.chunks(store), run, Budget::new(0));
        Progress::of(&files, step).await
    }

    /// Returns what encrypts what the state keeps.
    pub fn sealer(&self, store: &Store) -> Sealer {
        Sealer::new(store, &self.state_folder())
    }

    /// Returns how long runs are remembered.
    pub fn keeping(&self) -> Keeping {
        let state = &self.compiler.project.state;
        Keeping {
            time: Duration::try_from_secs_f64(state.keep_for).unwrap_or(Duration::MAX),
            runs: state.keep_runs,
        }
    }
}

/// Takes over what earlier versions kept in files of their own.
async fn take_over_files(store: &Store, folder: &Path) -> Result<()> {
    let tokens = folder.join("tokens.json");
    if tokens.is_file() {
        let sealer = Sealer::new(store, folder);
        Tokens::new(store, &sealer).take_over(&tokens).await?;
    }
    let marks = folder.join("conditional.json");
    match marks.is_file() {
        true => store.take_over_marks(&marks).await,
        false => Ok(()),
    }
}
