//! The marks by which APIs know whether something has changed: `ETag` and `Last-Modified` of the last run's responses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::{ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};

/// What a response is known by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
}

impl Mark {
    /// Returns that of a response; none where it has none.
    pub fn of(response: &Response) -> Option<Mark> {
        let text = |name: HeaderName| {
            let value = response.headers.get(name)?.to_str().ok()?;
            Some(value.to_string())
        };
        let (etag, last_modified) = (text(ETAG), text(LAST_MODIFIED));
        (etag.is_some() || last_modified.is_some()).then_some(Mark { etag, last_modified })
    }

    /// Asks only for what has changed since.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let given = [
            (IF_NONE_MATCH, &self.etag),
            (IF_MODIFIED_SINCE, &self.last_modified),
        ];
        for (name, value) in given {
            if let Some(value) = value.as_ref().and_then(|value| value.parse().ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// The marks of a project, kept from run to run in a file of its state.
pub struct Marks {
    file: PathBuf,
    /// None before the first is asked for.
    known: Mutex<Option<BTreeMap<String, Mark>>>,
}

impl Marks {
    /// Those of a project's state folder. Nothing is read yet.
    pub fn new(state: &Path) -> Marks {
        Marks {
            file: state.join("conditional.json"),
            known: Mutex::default(),
        }
    }

    /// Returns the name of a request's mark: a hash, since urls hold secrets. `step` says which step asks, and what it
    /// makes of the response: one that makes something else of it starts anew.
    pub fn key(step: &str, request: &Request) -> String {
        let text = format!("{step}\n{} {}", request.method, request.url);
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns a mark that is kept.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn get(&self, key: &str) -> Result<Option<Mark>> {
        let mut known = self.known();
        Ok(self.read(&mut known)?.get(key).cloned())
    }

    /// Keeps a mark.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn keep(&self, key: &str, mark: Mark) -> Result<()> {
        let mut known = self.known();
        let marks = self.read(&mut known)?;
        marks.insert(key.to_string(), mark);
        let text = serde_json::to_string_pretty(marks).map_err(|e| self.failed(&e))?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|e| self.failed(&e))?;
        // A reader sees the old file or the new one.
        let mut new = tempfile::NamedTempFile::new_in(folder).map_err(|e| self.failed(&e))?;
        std::io::Write::write_all(&mut new, text.as_bytes()).map_err(|e| self.failed(&e))?;
        new.persist(&self.file).map_err(|e| self.failed(&e))?;
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Option<BTreeMap<String, Mark>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<'m>(
        &self,
        known: &'m mut Option<BTreeMap<String, Mark>>,
    ) -> Result<&'m mut BTreeMap<String, Mark>> {
        if known.is_none() {
            *known = Some(match std::fs::read(&self.file) {
                Ok(text) => serde_json::from_slice(&text).map_err(|e| self.failed(&e))?,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
                Err(e) => return Err(self.failed(&e)),
            });
        }
        Ok(known.get_or_insert_default())
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::new(ErrorKind::Io, format!("{}: {error}", self.file.display()))
            .help("remove the file: what it keeps is asked for anew")
    }
}
