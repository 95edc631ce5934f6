//! From a source's definition to an open database: a line per kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sequor_planner::expr::Prop;
use sequor_planner::syntax::{DatabaseSource, Source, SourceKind};

use crate::batch::types::{BareDecimal, ColumnType, column_type};
use crate::error::{Error, ErrorKind, Result};
use crate::expr::Evaluator;
use crate::secret::{Redactor, Secret};
use crate::sources::database::Database;
pub use crate::sources::duckdb::Files;
use crate::sources::settings::Settings;
use crate::sources::{adbc, duckdb, mysql, postgres, snowflake, sqlite};
use crate::staging::{Memory, Staging};
use crate::value::Value;
use crate::world::World;

/// How the databases of a kind read names of types.
pub struct Types;

impl Types {
    /// Returns that of a kind.
    pub fn of(kind: &DatabaseSource) -> fn(&str) -> Result<ColumnType> {
        match kind {
            DatabaseSource::MySql(_) => mysql::column_type,
            DatabaseSource::Sqlite(_) => sqlite::column_type,
            DatabaseSource::DuckDb(_) => duckdb::column_type,
            DatabaseSource::Snowflake(_) => snowflake::column_type,
            DatabaseSource::Postgres(_) | DatabaseSource::Adbc(_) | DatabaseSource::Staging(_) => {
                |sql| column_type(sql, BareDecimal::Fixed)
            }
        }
    }
}

/// What opening a database needs besides its definition.
pub struct Opening<'a> {
    pub evaluator: &'a Arc<Evaluator>,
    pub world: &'a Arc<dyn World>,
    pub redactor: &'a Redactor,
    /// Where the staging database keeps its tables.
    pub staging: &'a Path,
    /// What its queries may take.
    pub memory: &'a Memory,
    /// The project's folder: paths in sources are relative to it.
    pub folder: &'a Path,
    /// Files of databases must be there; else they are made.
    pub files_exist: bool,
    /// Databases in files that are open already.
    pub files: &'a Files,
}

impl Opening<'_> {
    /// Opens the database of a source; none for a source that is an API.
    pub async fn open(&self, source: &Source) -> Result<Option<Arc<dyn Database>>> {
        let SourceKind::Database(database) = &source.kind else {
            return Ok(None);
        };
        let opened = async {
            let settings = Evaluating {
                opening: self,
                quoted: self.quoted(&source.identifiers).await?,
            };
            self.database(&source.name, database, &settings).await
        };
        let opened = opened.await.map(Some);
        opened.map_err(|e| e.at(&source.place).context(format!("source `{}`", source.name)))
    }

    /// Returns what evaluates the settings of a source.
    pub fn settings(&self) -> impl Settings {
        Evaluating {
            opening: self,
            quoted: false,
        }
    }

    /// Whether names are kept as they are written.
    async fn quoted(&self, identifiers: &Option<Prop>) -> Result<bool> {
        let Some(identifiers) = identifiers else {
            return Ok(false);
        };
        match self.value(identifiers).await?.to_text().as_str() {
            "folded" => Ok(false),
            "quoted" => Ok(true),
            other => {
                let message = format!("`identifiers` is `{other}`");
                Err(Error::new(ErrorKind::Project, message).help("use folded or quoted"))
            }
        }
    }

    async fn database(
        &self,
        name: &str,
        source: &DatabaseSource,
        settings: &Evaluating<'_>,
    ) -> Result<Arc<dyn Database>> {
        match source {
            DatabaseSource::Postgres(source) => postgres::open(source, settings).await,
            DatabaseSource::MySql(source) => mysql::open(source, settings).await,
            DatabaseSource::Sqlite(source) => sqlite::open(source, settings).await,
            DatabaseSource::DuckDb(source) => duckdb::open(source, settings, self.files).await,
            DatabaseSource::Snowflake(source) => snowflake::open(source, settings).await,
            DatabaseSource::Adbc(source) => adbc::open(source, settings).await,
            DatabaseSource::Staging(_) => {
                let staging = Staging::open_folder_with(&self.staging.join(name), self.memory)?;
                Ok(Arc::new(staging.quoted_names(settings.quoted)))
            }
        }
    }

    async fn value(&self, prop: &Prop) -> Result<Value> {
        self.evaluator.one(prop, self.world, None).await
    }
}

/// Evaluates the settings of one source.
struct Evaluating<'a> {
    opening: &'a Opening<'a>,
    quoted: bool,
}

#[async_trait]
impl Settings for Evaluating<'_> {
    async fn text(&self, value: &Prop) -> Result<String> {
        Ok(self.opening.value(value).await?.to_text())
    }

    async fn entries(&self, value: &Prop) -> Result<Vec<(String, String)>> {
        match self.opening.value(value).await? {
            Value::Map(entries) => {
                let entries = entries.iter();
                Ok(entries
                    .map(|(name, value)| (name.clone(), value.to_text()))
                    .collect())
            }
            other => {
                let message = format!("`options` is a map of names to values, not {}", other.kind());
                Err(Error::new(ErrorKind::Project, message))
            }
        }
    }

    async fn python_module(&self, name: &str) -> Result<Option<PathBuf>> {
        let python = self.opening.evaluator.python();
        python.module_file(name.to_string()).await
    }

    fn hide(&self, secret: &Secret) {
        self.opening.redactor.add(secret);
    }

    fn folder(&self) -> &Path {
        self.opening.folder
    }

    fn files_exist(&self) -> bool {
        self.opening.files_exist
    }

    fn quoted(&self) -> bool {
        self.quoted
    }
}
