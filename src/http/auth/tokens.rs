//! Refresh tokens that a server gave in place of the one in the source: kept from run to run, for their owner alone.

use std::collections::BTreeMap;
use std::io::{ErrorKind as Io, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Where tokens are kept. Cloning shares it.
#[derive(Clone)]
pub struct TokenStore(Arc<Shared>);

struct Shared {
    /// None: nothing is kept, and nothing kept is used.
    file: Option<PathBuf>,
    /// Held while the file is read and written anew: clients of several sources keep their tokens in it.
    writing: Mutex<()>,
}

/// The newest token of a client.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// A hash of the token in the source: another one there starts anew.
    seed: String,
    refresh_token: String,
}

impl TokenStore {
    /// Keeps tokens in a project's state folder.
    pub fn new(state: &Path) -> TokenStore {
        TokenStore(Arc::new(Shared {
            file: Some(state.join("tokens.json")),
            writing: Mutex::new(()),
        }))
    }

    /// Keeps nothing: what recordings answer is no token.
    pub fn none() -> TokenStore {
        TokenStore(Arc::new(Shared {
            file: None,
            writing: Mutex::new(()),
        }))
    }

    /// Returns the token that took the place of `seed`; none where none did.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn newest(&self, endpoint: &Url, client: &str, seed: &Secret) -> Result<Option<Secret>> {
        let tokens = self.read()?;
        let kept = tokens.get(&name(endpoint, client, seed));
        Ok(kept
            .filter(|kept| kept.seed == hash(seed))
            .map(|kept| Secret::new(kept.refresh_token.as_str())))
    }

    /// Keeps the token that took the place of `seed`.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn keep(&self, endpoint: &Url, client: &str, seed: &Secret, token: &Secret) -> Result<()> {
        let Some(file) = &self.0.file else { return Ok(()) };
        let _writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tokens = self.read()?;
        let kept = Kept {
            seed: hash(seed),
            refresh_token: token.reveal().to_string(),
        };
        tokens.insert(name(endpoint, client, seed), kept);
        let text = serde_json::to_string_pretty(&tokens).map_err(|e| self.failed(&e))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|e| self.failed(&e))?;
        // Temporary files are their owner's alone (0600). A reader sees the old file or the new one.
        let mut new = tempfile::NamedTempFile::new_in(folder).map_err(|e| self.failed(&e))?;
        new.write_all(text.as_bytes()).map_err(|e| self.failed(&e))?;
        new.as_file().sync_all().map_err(|e| self.failed(&e))?;
        new.persist(file).map_err(|e| self.failed(&e))?;
        Ok(())
    }

    fn read(&self) -> Result<BTreeMap<String, Kept>> {
        let Some(file) = &self.0.file else {
            return Ok(BTreeMap::new());
        };
        match std::fs::read(file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| self.failed(&e)),
            Err(e) if e.kind() == Io::NotFound => Ok(BTreeMap::new()),
            Err(e) => Err(self.failed(&e)),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        let file = self.0.file.as_deref().unwrap_or(Path::new("tokens.json"));
        Error::new(ErrorKind::Io, format!("{}: {error}", file.display()))
            .help("it keeps refresh tokens; without it the one in the source is used")
    }
}

/// Two accounts of one client have tokens of their own: the seed tells them apart.
fn name(endpoint: &Url, client: &str, seed: &Secret) -> String {
    let seed = hash(seed);
    format!(
        "{client} at {} from {}",
        crate::exchange::shown_url(endpoint),
        &seed[..12]
    )
}

fn hash(secret: &Secret) -> String {
    let digest = Sha256::digest(secret.reveal().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
