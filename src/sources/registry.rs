//! From a source's definition to an open database: one arm per kind.

use std::path::Path;
use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::syntax::{Source, SourceKind};

use super::database::Database;
use super::duckdb::{DuckDb, Places};
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
                    Some(prop) => Some(self.folder.join(self.text(prop).await?)),
                    None => None,
                };
                let package = match &named {
                    Some(_) => None,
                    None => self.evaluator.python().module_file("_duckdb").await?,
                };
                let (folder, places) = (self.folder.to_path_buf(), Places { named, package });
                // Opening reads the file.
                let opened =
                    tokio::task::spawn_blocking(move || DuckDb::open(&conn_str, &folder, &places)).await;
                opened
                    .map_err(|e| Error::new(ErrorKind::Internal, format!("opening broke down: {e}")))
                    .and_then(|opened| opened.map(|d| Arc::new(d) as _))
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
