//! Refresh tokens that a server gave in place of the one in the source, encrypted.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;

use super::home::{Durability, Statement};
use super::sealer::Sealer;
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::http::TokenStore;
use crate::secret::Secret;

/// The tokens of a project.
pub struct Tokens {
    store: Store,
    sealer: Sealer,
}

impl Tokens {
    /// Returns the tokens in a store.
    pub fn new(store: &Store, sealer: &Sealer) -> Tokens {
        Tokens {
            store: store.clone(),
            sealer: sealer.clone(),
        }
    }

    /// Takes over the tokens of a file that earlier versions wrote, and removes it.
    ///
    /// # Errors
    /// A file that can't be read; tokens that can't be kept.
    pub async fn take_over(&self, file: &Path) -> Result<()> {
        /// The newest token of a client, and a hash of the token in the source that it took the place of.
        #[derive(serde::Deserialize)]
        struct Kept {
            seed: String,
            refresh_token: String,
        }
        let failed =
            |e: &dyn std::fmt::Display| Error::new(ErrorKind::State, format!("{}: {e}", file.display()));
        let text = std::fs::read(file).map_err(|e| failed(&e))?;
        let all: BTreeMap<String, Kept> = serde_json::from_slice(&text).map_err(|e| failed(&e))?;
        for (name, kept) in all {
            // The name ended in the beginning of the hash.
            let name = name
                .strip_suffix(kept.seed.get(..12).unwrap_or_default())
                .unwrap_or(&name);
            let name = format!("{name}{}", kept.seed);
            self.keep_token(&name, &Secret::new(kept.refresh_token)).await?;
        }
        std::fs::remove_file(file).map_err(|e| failed(&e))
    }
}

#[async_trait]
impl TokenStore for Tokens {
    async fn token(&self, name: &str) -> Result<Option<Secret>> {
        let sql = "SELECT token FROM @tokens WHERE project = $1 AND name = $2";
        let found = self
            .store
            .read(sql, vec![(&*self.store.project).into(), name.into()])
            .await?;
        let sealed = found.first().and_then(|row| row[0].bytes());
        match sealed {
            // A key that is missing is told before the token of the source is used up.
            None => self.sealer.check().map(|()| None),
            Some(sealed) => self.sealer.open(name, sealed).await.map(Some),
        }
    }

    async fn keep_token(&self, name: &str, token: &Secret) -> Result<()> {
        let sealed = self.sealer.seal(name, token).await?;
        let kept = Statement::new(
            "INSERT INTO @tokens (project, name, token) VALUES ($1, $2, $3)
             ON CONFLICT (project, name) DO UPDATE SET token = excluded.token",
            [
                (&*self.store.project).into(),
                name.into(),
                super::Field::Bytes(Some(sealed)),
            ],
        );
        // The one before it is worth nothing any more.
        let written = self.store.write("token", &[kept], Durability::Machine).await?;
        written.all().map(|_| ())
    }
}
