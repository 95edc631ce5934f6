//! What a database's definition says, evaluated when it is opened.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sequor_planner::expr::Prop;
use sequor_planner::syntax::Server;

use super::location::Location;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// What the engine gives to those that open databases.
#[async_trait]
pub trait Settings: Send + Sync {
    /// The text of a value.
    async fn text(&self, value: &Prop) -> Result<String>;

    /// The entries of a map, as texts.
    ///
    /// # Errors
    /// A value that is no map.
    async fn entries(&self, value: &Prop) -> Result<Vec<(String, String)>>;

    /// The file of a Python module in the virtualenv that is active; none where it is not installed.
    async fn python_module(&self, name: &str) -> Result<Option<PathBuf>>;

    /// Hides a secret in all that is shown from now on.
    fn hide(&self, secret: &Secret);

    /// The project's folder: paths in sources are relative to it.
    fn folder(&self) -> &Path;

    /// Whether files of databases must be there; else they are made.
    fn files_exist(&self) -> bool;

    /// Whether names are kept as they are written.
    fn quoted(&self) -> bool;
}

/// Who connects to a server.
pub struct Login {
    pub conn_str: Secret,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

impl dyn Settings + '_ {
    /// Returns the text of a value that need not be there.
    pub async fn maybe(&self, value: &Option<Prop>) -> Result<Option<String>> {
        match value {
            Some(value) => self.text(value).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns a secret, which no output shows from now on.
    pub async fn secret(&self, value: &Option<Prop>) -> Result<Option<Secret>> {
        let secret = self.maybe(value).await?.map(Secret::new);
        if let Some(secret) = &secret {
            self.hide(secret);
        }
        Ok(secret)
    }

    /// Hides a password inside a connection string, a secret like one with a key of its own.
    pub fn hide_password_of(&self, conn_str: &str) {
        let url = url::Url::parse(conn_str).ok();
        if let Some(password) = url.as_ref().and_then(url::Url::password) {
            self.hide(&Secret::new(password.to_string()));
        }
    }

    /// Who connects to a server.
    pub async fn login(&self, server: &Server) -> Result<Login> {
        let conn_str = self.text(&server.conn_str).await?;
        self.hide_password_of(&conn_str);
        Ok(Login {
            conn_str: Secret::new(conn_str),
            username: self.maybe(&server.username).await?,
            password: self.secret(&server.password).await?,
        })
    }

    /// Returns where a database in a file is.
    ///
    /// # Errors
    /// A connection string of another scheme; a file that must be there and is not.
    pub fn location(&self, conn_str: &str, scheme: &str) -> Result<Location> {
        let location = Location::read(conn_str, scheme, self.folder())?;
        match &location.file {
            Some(file) if self.files_exist() && !file.exists() => {
                let message = format!("the file {} does not exist", file.display());
                Err(Error::new(ErrorKind::Project, message).help("a flow that writes to it makes it"))
            }
            _ => Ok(location),
        }
    }

    /// Returns a driver that the source names; none when it is to be found.
    pub async fn driver(&self, value: &Option<Prop>) -> Result<Option<PathBuf>> {
        let named = self.maybe(value).await?.filter(|path| !path.trim().is_empty());
        Ok(named.map(|named| self.path_or_name(&named)))
    }

    /// Returns a driver's path is relative to the project; a name without separators and extension is one of its own.
    pub fn path_or_name(&self, named: &str) -> PathBuf {
        let named = named.trim();
        let path = Path::new(named);
        match path.components().count() == 1 && path.extension().is_none() {
            true => path.to_path_buf(),
            false => self.folder().join(path),
        }
    }

    /// Returns the library in a driver's Python package, where it is installed.
    pub async fn packaged(&self, package: &str) -> Result<Option<PathBuf>> {
        let name = package.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !name {
            return Ok(None);
        }
        let module = self.python_module(package).await?;
        let Some(folder) = module.as_deref().and_then(Path::parent) else {
            return Ok(None);
        };
        let library = ["so", "dylib", "dll"]
            .into_iter()
            .map(|extension| folder.join(format!("lib{package}.{extension}")))
            .find(|library| library.exists());
        Ok(library)
    }
}
