//! What is kept and must not be read by others: it is encrypted, by a key beside the project's own state, or by
//! `SEQUOR_STATE_KEY`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::OnceCell;

use super::cipher::Cipher;
use super::home::{Durability, Statement};
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// The variable of the process's environment that holds the key.
pub const KEY_VARIABLE: &str = "SEQUOR_STATE_KEY";

/// Encrypts what a state keeps. Cheap to clone.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    store: Store,
    /// Where a key is kept that nobody gave.
    key_file: PathBuf,
    /// Made when it is first needed: deriving the key takes time.
    cipher: OnceCell<Cipher>,
}

impl Sealer {
    /// Returns that of a store. `folder`: the project's state folder.
    pub fn new(store: &Store, folder: &Path) -> Sealer {
        Sealer(Arc::new(Inner {
            store: store.clone(),
            key_file: folder.join("state.key"),
            cipher: OnceCell::new(),
        }))
    }

    /// Encrypts a text. `name` is bound to it.
    ///
    /// # Errors
    /// No key where one is needed; a key that can't be read or written.
    pub async fn seal(&self, name: &str, text: &Secret) -> Result<Vec<u8>> {
        self.cipher().await?.seal(name, text)
    }

    /// Decrypts a text.
    ///
    /// # Errors
    /// As [`Sealer::seal`]; a text that was encrypted with another key.
    pub async fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret> {
        self.cipher().await?.open(name, sealed)
    }

    /// # Errors
    /// No key where one is needed.
    pub fn check(&self) -> Result<()> {
        match self.0.store.is_shared() {
            true => self.key().map(|_| ()),
            false => Ok(()),
        }
    }

    async fn cipher(&self) -> Result<&Cipher> {
        self.0
            .cipher
            .get_or_try_init(|| async {
                let salt = self.0.store.salt().await?;
                let key = self.key()?;
                let derived = tokio::task::spawn_blocking(move || Cipher::new(&key, salt.as_bytes()));
                derived
                    .await
                    .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?
            })
            .await
    }

    fn key(&self) -> Result<Secret> {
        if let Some(key) = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty()) {
            return Ok(Secret::new(key));
        }
        if self.0.store.is_shared() {
            let message = format!(
                "{KEY_VARIABLE} is not set: what is secret is not kept in a shared database without a key"
            );
            return Err(Error::new(ErrorKind::Project, message)
                .help("make one (openssl rand -base64 32), and set it wherever this project runs"));
        }
        let failed =
            |e: std::io::Error| Error::new(ErrorKind::State, format!("{}: {e}", self.0.key_file.display()));
        match std::fs::read_to_string(&self.0.key_file) {
            Ok(key) if !key.trim().is_empty() => return Ok(Secret::new(key.trim())),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random numbers"))?;
        let key = STANDARD.encode(bytes);
        let folder = self.0.key_file.parent().unwrap_or(Path::new("."));
        // Its owner's alone (0600), and whole or not at all.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(key.as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        match file.persist_noclobber(&self.0.key_file) {
            Ok(_) => Ok(Secret::new(key)),
            // Another program was first.
            Err(_) => std::fs::read_to_string(&self.0.key_file)
                .map(|key| Secret::new(key.trim()))
                .map_err(failed),
        }
    }
}

impl Store {
    /// Returns what keys are derived with: it is made once.
    async fn salt(&self) -> Result<String> {
        let made = Statement::new(
            "INSERT INTO @meta (key, value) VALUES ('salt', $1) ON CONFLICT (key) DO NOTHING",
            [uuid::Uuid::new_v4().to_string().into()],
        );
        self.write("salt", &[made], Durability::Machine).await?;
        let found = self
            .read("SELECT value FROM @meta WHERE key = 'salt'", vec![])
            .await?;
        Ok(found
            .first()
            .map(|row| row[0].text().to_string())
            .unwrap_or_default())
    }
}
