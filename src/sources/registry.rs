//! From a source's definition to an open database: one arm per kind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::syntax::{DatabaseSource, Server, Source, SourceKind};

use super::database::Database;
use super::duckdb::{DuckDb, Places};
use super::location::Location;
use super::mysql::MySql;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
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

/// Who connects to a server.
struct Login {
    conn_str: Secret,
    username: Option<String>,
    password: Option<Secret>,
}

impl Opening<'_> {
    /// Opens the database of a source; none for a source that is an API.
    pub async fn open(&self, source: &Source) -> Result<Option<Arc<dyn Database>>> {
        let SourceKind::Database(database) = &source.kind else {
            return Ok(None);
        };
        self.database(&source.name, database)
            .await
            .map(Some)
            .map_err(|e| e.at(&source.place).context(format!("source `{}`", source.name)))
    }

    async fn database(&self, name: &str, source: &DatabaseSource) -> Result<Arc<dyn Database>> {
        Ok(match source {
            DatabaseSource::Staging => Arc::new(Staging::open_folder(&self.staging.join(name))?),
            DatabaseSource::Postgres(server) => {
                let login = self.login(server).await?;
                Arc::new(Postgres::open(login.conn_str, login.username, login.password).await?)
            }
            DatabaseSource::MySql(server) => {
                let login = self.login(server).await?;
                let (username, password) = (login.username.as_deref(), login.password.as_ref());
                Arc::new(MySql::open(&login.conn_str, username, password).await?)
            }
            DatabaseSource::Sqlite(conn_str) => {
                let location = Location::read(&self.text(conn_str).await?, "sqlite", self.folder)?;
                Arc::new(Sqlite::open(&location).await?)
            }
            DatabaseSource::DuckDb(duckdb) => {
                let conn_str = self.text(&duckdb.conn_str).await?;
                let named = self.driver(&duckdb.driver).await?;
                let package = match &named {
                    Some(_) => None,
                    None => self.evaluator.python().module_file("_duckdb").await?,
                };
                self.duckdb(&conn_str, Places { named, package }).await?
            }
            DatabaseSource::Snowflake(_) | DatabaseSource::Adbc(_) => {
                return Err(Error::new(ErrorKind::Project, "not yet"));
            }
        })
    }

    /// Who connects to a server.
    async fn login(&self, server: &Server) -> Result<Login> {
        let conn_str = self.text(&server.conn_str).await?;
        self.hide_password_of(&conn_str);
        Ok(Login {
            conn_str: Secret::new(conn_str),
            username: self.maybe(&server.username).await?,
            password: self.secret(&server.password).await?,
        })
    }

    /// The database in a file: sources that name the same share it, since DuckDB lets a file be opened once.
    async fn duckdb(&self, conn_str: &str, places: Places) -> Result<Arc<dyn Database>> {
        let location = Location::read(conn_str, "duckdb", self.folder)?;
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

    /// The path of a driver's library, relative to the project; none when it is to be found.
    async fn driver(&self, prop: &Option<Prop>) -> Result<Option<PathBuf>> {
        let named = self.maybe(prop).await?.filter(|path| !path.trim().is_empty());
        Ok(named.map(|path| self.folder.join(path)))
    }

    async fn maybe(&self, prop: &Option<Prop>) -> Result<Option<String>> {
        match prop {
            Some(prop) => self.text(prop).await.map(Some),
            None => Ok(None),
        }
    }

    /// A secret, which no output shows from now on.
    async fn secret(&self, prop: &Option<Prop>) -> Result<Option<Secret>> {
        let secret = self.maybe(prop).await?.map(Secret::new);
        if let Some(secret) = &secret {
            self.redactor.add(secret);
        }
        Ok(secret)
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
