//! The project's variables between runs: `variables.yaml` in its state folder, or a table of the database that holds the state.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use indexmap::IndexMap;

use super::home::{Durability, Statement};
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Value, kept};

/// Where a project's variables are kept.
#[derive(Clone)]
pub struct KeptVariables(Arc<Place>);

enum Place {
    File(Yaml),
    Store(Store),
}

/// A file of variables. Other runs write to it, too.
struct Yaml {
    path: PathBuf,
    last: Mutex<Option<Last>>,
}

/// What was last written, so that it need not be read again.
struct Last {
    texts: IndexMap<String, String>,
    changed: SystemTime,
    length: u64,
    synced: Instant,
}

/// What became of variables that were to be kept.
pub type Unkept = HashMap<String, String>;

impl KeptVariables {
    /// Returns the variables in a file.
    pub fn file(path: PathBuf) -> KeptVariables {
        KeptVariables(Arc::new(Place::File(Yaml {
            path,
            last: Mutex::default(),
        })))
    }

    /// Returns the variables in a store.
    pub fn store(store: Store) -> KeptVariables {
        KeptVariables(Arc::new(Place::Store(store)))
    }

    /// Returns all variables.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn read(&self) -> Result<IndexMap<String, Value>> {
        match &*self.0 {
            Place::File(file) => read_file(&file.path),
            Place::Store(store) => store.variables().await,
        }
    }

    /// Sets variables; all others stay. Those that can't be kept, and why, are left as they were.
    ///
    /// # Errors
    /// What can't be written.
    pub async fn set(&self, values: &[(String, Value)]) -> Result<Unkept> {
        let mut texts = Vec::with_capacity(values.len());
        let mut unkept = Unkept::new();
        for (name, value) in values {
            match kept::write(&IndexMap::from([(name.clone(), value.clone())])) {
                Ok(text) => texts.push((name.clone(), text)),
                Err((_, why)) => {
                    unkept.insert(name.clone(), why);
                }
            }
        }
        if texts.is_empty() {
            return Ok(unkept);
        }
        match &*self.0 {
            Place::Store(store) => store.set_variables(texts).await?,
            Place::File(_) => {
                let own = self.clone();
                let written = tokio::task::spawn_blocking(move || match &*own.0 {
                    Place::File(file) => file.set(texts),
                    Place::Store(_) => Ok(()),
                });
                written
                    .await
                    .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))??;
            }
        }
        Ok(unkept)
    }
}

/// Returns the variables of a file; none where there is no file.
///
/// # Errors
/// A file that can't be read.
pub fn read_file(path: &Path) -> Result<IndexMap<String, Value>> {
    let wrong = |why: String| {
        Error::new(
            ErrorKind::Project,
            format!("{} can't be read: {why}", path.display()),
        )
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(IndexMap::new()),
        Err(e) => return Err(wrong(e.to_string())),
    };
    kept::read(&path.to_string_lossy(), &text)
        .map_err(|why| wrong(why).help("it holds the variables kept between runs; repair or delete it"))
}

impl Yaml {
    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::new(
            ErrorKind::Io,
            format!("{} can't be written: {error}", self.path.display()),
        )
    }

    /// Sets variables, while no other program does. The file is replaced as a whole, so that a crash leaves the old or the new
    /// one.
    fn set(&self, texts: Vec<(String, String)>) -> Result<()> {
        /// How often the disk is waited for: a loop may set a variable in each round.
        const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
        let failed = |e: std::io::Error| self.failed(&e);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .append(true)
            .open(folder.join("variables.lock"))
            .map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = last.as_ref().is_some_and(|last| {
            std::fs::metadata(&self.path).is_ok_and(|now| {
                now.len() == last.length && now.modified().is_ok_and(|at| at == last.changed)
            })
        });
        let (mut all, synced) = match last.take().filter(|_| is_last) {
            Some(last) => (last.texts, Some(last.synced)),
            None => (lines(&read_file(&self.path)?), None),
        };
        for (name, text) in texts {
            all.insert(name, text);
        }
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        for text in all.values() {
            file.write_all(text.as_bytes()).map_err(failed)?;
        }
        let now = Instant::now();
        let synced = match synced.filter(|synced| now - *synced < PAUSE) {
            Some(synced) => synced,
            None => {
                file.as_file().sync_data().map_err(failed)?;
                now
            }
        };
        let file = file.persist(&self.path).map_err(|e| self.failed(&e.error))?;
        let meta = file.metadata().map_err(failed)?;
        *last = Some(Last {
            texts: all,
            changed: meta.modified().map_err(failed)?,
            length: meta.len(),
            synced,
        });
        Ok(())
    }
}

/// Variables as the lines of a file, by name.
fn lines(variables: &IndexMap<String, Value>) -> IndexMap<String, String> {
    let line = |(name, value): (&String, &Value)| {
        // What was read from a file can be written to one.
        let text = kept::write(&IndexMap::from([(name.clone(), value.clone())])).unwrap_or_default();
        (name.clone(), text)
    };
    variables.iter().map(line).collect()
}

impl Store {
    /// Returns the variables that the state holds.
    ///
    /// # Errors
    /// What can't be read.
    pub async fn variables(&self) -> Result<IndexMap<String, Value>> {
        let sql = "SELECT name, value FROM @variables WHERE project = $1 ORDER BY name";
        let mut all = IndexMap::new();
        for row in self.read(sql, vec![(&*self.project).into()]).await? {
            let read = kept::read("the state", row[1].text()).map_err(|why| {
                let message = format!(
                    "the variable `{}` that is kept can't be read: {why}",
                    row[0].text()
                );
                Error::new(ErrorKind::State, message)
            })?;
            all.extend(read);
        }
        Ok(all)
    }

    async fn set_variables(&self, texts: Vec<(String, String)>) -> Result<()> {
        let set = texts
            .into_iter()
            .map(|(name, text)| self.variable_set(name, text));
        let statements: Vec<Statement> = set.collect();
        let written = self.write("variables", &statements, Durability::Process);
        written.await?.all().map(|_| ())
    }

    fn variable_set(&self, name: String, text: String) -> Statement {
        Statement::new(
            "INSERT INTO @variables (project, name, value) VALUES ($1, $2, $3)
             ON CONFLICT (project, name) DO UPDATE SET value = excluded.value",
            [(&*self.project).into(), name.into(), text.into()],
        )
    }

    /// Takes over, once, the variables of a file. Tells whether it did: from then on the file is nothing any more.
    ///
    /// # Errors
    /// What can't be read, or written.
    pub async fn import_variables(&self, path: &Path) -> Result<bool> {
        if !path.is_file() {
            return Ok(false);
        }
        let key = format!("variables of {}", self.project);
        let noted = Statement::new(
            "INSERT INTO @meta (key, value) VALUES ($1, 'imported') ON CONFLICT (key) DO NOTHING",
            [key.into()],
        );
        let mut statements = vec![noted.guarding()];
        for (name, text) in lines(&read_file(path)?) {
            statements.push(self.variable_set(name, text));
        }
        let written = self.write("variables", &statements, Durability::Machine).await?;
        Ok(matches!(written, super::Written::All(_)))
    }
}
