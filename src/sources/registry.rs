//! From a source's definition to an open database: one arm per kind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::syntax::{Source, SourceKind};

use super::database::Database;
use super::duckdb::{DuckDb, Location, Places};
use super::postgres::Postgres;
use crate::error::{Error, ErrorKind, Result};
use crate::expr::{Evaluator, World};
use crate::secret::{Redactor, Secret};
use crate::staging::Staging;

/// What opening a database needs besides its definition.
pub struct Opening<'a> {
    pub evaluator: &'a Arc<Evaluator>,
    pub world: &'a Arc<dyn World>,
    pub redactor: &'a Redactor,
    /// Where the staging database keeps its tables.
    pub staging: &'a Path,
    /// The project's folder: paths in sources are relative to it.
    pub folder: &'a Path,
    /// Databases in files that are open already.
    pub files: tokio::sync::Mutex<HashMap<PathBuf, DuckDb>>,
}

impl Opening<'_> {
    /// Opens the database of a source; none for a source that is an API.
    pub async fn open(&self, source: &Source) -> Result<Option<Arc<dyn Database>>> {
        let opened: Result<Arc<dyn Database>> = match &source.kind {
            SourceKind::Http(_) => return Ok(None),
            SourceKind::Staging => {
                Staging::open_folder(&self.staging.join(&source.name)).map(|s| Arc::new(s) as _)
            }
            SourceKind::DuckDb(duckdb) => {
                let conn_str = self.text(&duckdb.conn_str).await?;
                let named = match &duckdb.driver {
                    Some(prop) => Some(self.text(prop).await?).filter(|path| !path.trim().is_empty()),
                    None => None,
                };
                let named = named.map(|path| self.folder.join(path));
                let package = match &named {
                    Some(_) => None,
                    None => self.evaluator.python().module_file("_duckdb").await?,
                };
                self.duckdb(&conn_str, Places { named, package }).await
            }
            SourceKind::Postgres(postgres) => {
                let conn_str = self.text(&postgres.conn_str).await?;
                self.hide_password_of(&conn_str);
                let username = match &postgres.username {
                    Some(prop) => Some(self.text(prop).await?),
                    None => None,
                };
                let password = match &postgres.password {
                    Some(prop) => {
                        let secret = Secret::new(self.text(prop).await?);
                        self.redactor.add(&secret);
                        Some(secret)
                    }
                    None => None,
                };
                let opened = Postgres::open(Secret::new(conn_str), username, password).await;
                opened.map(|p| Arc::new(p) as _)
            }
        };
        opened
            .map(Some)
            .map_err(|e| e.at(&source.place).context(format!("source `{}`", source.name)))
    }

    /// The database in a file: sources that name the same share it, since DuckDB lets a file be opened once.
    async fn duckdb(&self, conn_str: &str, places: Places) -> Result<Arc<dyn Database>> {
        let location = Location::read(conn_str, self.folder)?;
        let file = location.file.as_deref().map(|file| {
            let known = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
            known.components().collect::<PathBuf>()
        });
        let mut open = self.files.lock().await;
        if let Some(known) = file.as_ref().and_then(|file| open.get(file)) {
            return Ok(Arc::new(known.clone()));
        }
        // Opening reads the file.
        let opened = tokio::task::spawn_blocking(move || DuckDb::open(&location, &places)).await;
        let opened =
            opened.map_err(|e| Error::new(ErrorKind::Internal, format!("opening broke down: {e}")))??;
        if let Some(file) = file {
            open.insert(file, opened.clone());
        }
        Ok(Arc::new(opened))
    }

    async fn text(&self, prop: &Prop) -> Result<String> {
        Ok(self.evaluator.one(prop, self.world, None).await?.to_text())
    }

    /// A password inside a connection string is a secret like one with a key of its own.
    fn hide_password_of(&self, conn_str: &str) {
        if let Some(password) = url::Url::parse(conn_str)
            .ok()
            .and_then(|u| u.password().map(str::to_string))
        {
            self.redactor.add(&Secret::new(password));
        }
    }
}
