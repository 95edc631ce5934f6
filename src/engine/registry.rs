//! From a source's definition to an open database: one arm per kind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::syntax::{DatabaseSource, Server, SnowflakeSource, Source, SourceKind};

use crate::error::{Error, ErrorKind, Result};
use crate::expr::Evaluator;
use crate::secret::{Redactor, Secret};
use crate::sources::adbc::Adbc;
use crate::sources::blocking::blocking;
use crate::sources::database::Database;
use crate::sources::duckdb::{DuckDb, Places};
use crate::sources::location::Location;
use crate::sources::mysql::MySql;
use crate::sources::postgres::Postgres;
use crate::sources::snowflake::{Account, Credential, Snowflake};
use crate::sources::sqlite::Sqlite;
use crate::staging::{Memory, Staging};
use crate::value::Value;
use crate::world::World;

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

/// Open DuckDB databases, by their files.
pub type Files = tokio::sync::Mutex<HashMap<PathBuf, DuckDb>>;

/// Parts of the names of options that are secrets.
const SECRETS: [&str; 5] = ["password", "secret", "token", "private_key", "passphrase"];

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
        let opened = async {
            let quoted = self.quoted(&source.identifiers).await?;
            self.database(&source.name, database, quoted).await
        };
        let opened = opened.await.map(Some);
        opened.map_err(|e| e.at(&source.place).context(format!("source `{}`", source.name)))
    }

    /// Whether names are kept as they are written.
    async fn quoted(&self, identifiers: &Option<Prop>) -> Result<bool> {
        match self.maybe(identifiers).await?.as_deref() {
            None | Some("folded") => Ok(false),
            Some("quoted") => Ok(true),
            Some(other) => {
                let message = format!("`identifiers` is `{other}`");
                Err(Error::new(ErrorKind::Project, message).help("use folded or quoted"))
            }
        }
    }

    async fn database(&self, name: &str, source: &DatabaseSource, quoted: bool) -> Result<Arc<dyn Database>> {
        Ok(match source {
            DatabaseSource::Staging => Arc::new(
                Staging::open_folder_with(&self.staging.join(name), self.memory)?.quoted_names(quoted),
            ),
            DatabaseSource::Postgres(server) => {
                let login = self.login(server).await?;
                let opened = Postgres::open(login.conn_str, login.username, login.password).await?;
                Arc::new(opened.quoted_names(quoted))
            }
            DatabaseSource::MySql(server) => {
                let login = self.login(server).await?;
                let (username, password) = (login.username.as_deref(), login.password.as_ref());
                Arc::new(MySql::open(&login.conn_str, username, password).await?)
            }
            DatabaseSource::Sqlite(conn_str) => {
                let location = self.location(&self.text(conn_str).await?, "sqlite")?;
                Arc::new(Sqlite::open(&location).await?)
            }
            DatabaseSource::DuckDb(duckdb) => {
                let conn_str = self.text(&duckdb.conn_str).await?;
                let named = self.driver(&duckdb.driver).await?;
                let package = match &named {
                    Some(_) => None,
                    None => self.evaluator.python().module_file("_duckdb".to_string()).await?,
                };
                self.duckdb(&conn_str, Places { named, package }).await?
            }
            DatabaseSource::Snowflake(source) => {
                let account = self.account(source).await?;
                let driver = match self.driver(&source.driver).await? {
                    Some(driver) => Some(driver),
                    None => self.packaged("adbc_driver_snowflake").await?,
                };
                let opened = blocking(move || Snowflake::open(&account, driver)).await?;
                Arc::new(opened.quoted_names(quoted))
            }
            DatabaseSource::Adbc(source) => {
                let named = self.text(&source.driver).await?;
                let driver = match self.path_or_name(&named) {
                    name if name.components().count() == 1 => match self.packaged(&named).await? {
                        Some(library) => library,
                        None => name,
                    },
                    path => path,
                };
                let entrypoint = self.maybe(&source.entrypoint).await?;
                let options = self.options(&source.options).await?;
                let open = move || Adbc::open(driver.as_os_str(), entrypoint.as_deref(), &options);
                let opened = blocking(open).await;
                let opened = opened.map_err(|e| match e.message().contains("not found") {
                    true => e.help(format!(
                        "a driver is named like its Python package (python3 -m pip install {named}, in the virtualenv that is active), or by its path"
                    )),
                    false => e,
                })?;
                Arc::new(opened.quoted_names(quoted))
            }
        })
    }

    /// Where a database in a file is.
    fn location(&self, conn_str: &str, scheme: &str) -> Result<Location> {
        let location = Location::read(conn_str, scheme, self.folder)?;
        match &location.file {
            Some(file) if self.files_exist && !file.exists() => {
                let message = format!("the file {} does not exist", file.display());
                Err(Error::new(ErrorKind::Project, message).help("a flow that writes to it makes it"))
            }
            _ => Ok(location),
        }
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
        let location = self.location(conn_str, "duckdb")?;
        let file = location.file.as_deref().map(|file| {
            let known = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
            known.components().collect::<PathBuf>()
        });
        let mut open = self.files.lock().await;
        if let Some(known) = file.as_ref().and_then(|file| open.get(file)) {
            return Ok(Arc::new(known.clone()));
        }
        // Opening reads the file.
        let opened = blocking(move || DuckDb::open(&location, &places)).await?;
        if let Some(file) = file {
            // Those that nobody else holds are closed.
            open.retain(|_, known| known.is_held());
            open.insert(file, opened.clone());
        }
        Ok(Arc::new(opened))
    }

    /// A driver that the source names; none when it is to be found.
    async fn driver(&self, prop: &Option<Prop>) -> Result<Option<PathBuf>> {
        let named = self.maybe(prop).await?.filter(|path| !path.trim().is_empty());
        Ok(named.map(|named| self.path_or_name(&named)))
    }

    /// A driver's path is relative to the project; a name without separators and extension is one of its own.
    fn path_or_name(&self, named: &str) -> PathBuf {
        let named = named.trim();
        let path = Path::new(named);
        match path.components().count() == 1 && path.extension().is_none() {
            true => path.to_path_buf(),
            false => self.folder.join(path),
        }
    }

    /// The library in a driver's Python package, where it is installed.
    async fn packaged(&self, package: &str) -> Result<Option<PathBuf>> {
        let name = package.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !name {
            return Ok(None);
        }
        let module = self.evaluator.python().module_file(package.to_string()).await?;
        let Some(folder) = module.as_deref().and_then(Path::parent) else {
            return Ok(None);
        };
        let library = ["so", "dylib", "dll"]
            .into_iter()
            .map(|extension| folder.join(format!("lib{package}.{extension}")))
            .find(|library| library.exists());
        Ok(library)
    }

    /// A Snowflake account as the source gives it.
    async fn account(&self, source: &SnowflakeSource) -> Result<Account> {
        let credential = if let Some(password) = self.secret(&source.password).await? {
            Credential::Password(password)
        } else if let Some(path) = self.maybe(&source.private_key_path).await? {
            let passphrase = self.secret(&source.private_key_passphrase).await?;
            Credential::Key(self.folder.join(path), passphrase)
        } else if let Some(token) = self.secret(&source.token).await? {
            Credential::Token(token)
        } else {
            Credential::None
        };
        Ok(Account {
            account: self.text(&source.account).await?,
            user: self.maybe(&source.user).await?,
            credential,
            warehouse: self.maybe(&source.warehouse).await?,
            role: self.maybe(&source.role).await?,
            database: self.maybe(&source.database).await?,
            schema: self.maybe(&source.schema).await?,
            host: self.maybe(&source.host).await?,
            port: self.maybe(&source.port).await?,
            protocol: self.maybe(&source.protocol).await?,
        })
    }

    /// A driver's own options. Which of them are secrets only the driver knows: all that could be are hidden.
    async fn options(&self, prop: &Option<Prop>) -> Result<HashMap<String, String>> {
        let Some(prop) = prop else {
            return Ok(HashMap::new());
        };
        let value = self.evaluator.one(prop, self.world, None).await?;
        let Value::Map(entries) = value else {
            let message = format!("`options` is a map of names to values, not {}", value.kind());
            return Err(Error::new(ErrorKind::Project, message));
        };
        let mut options = HashMap::new();
        for (name, value) in entries.iter() {
            let text = value.to_text();
            self.hide_password_of(&text);
            if SECRETS.iter().any(|word| name.to_lowercase().contains(word)) {
                self.redactor.add(&Secret::new(text.clone()));
            }
            options.insert(name.clone(), text);
        }
        Ok(options)
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
