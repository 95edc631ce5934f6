//! Refresh tokens that a server gave in place of the one in the source: kept from run to run.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use url::Url;

use crate::error::Result;
use crate::secret::Secret;

/// Where tokens are kept.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Returns the token that is kept under a name; none where none is.
    ///
    /// # Errors
    /// What is kept can't be read.
    async fn token(&self, name: &str) -> Result<Option<Secret>>;

    /// Keeps a token in place of the one before it.
    ///
    /// # Errors
    /// It can't be written.
    async fn keep_token(&self, name: &str, token: &Secret) -> Result<()>;
}

/// Keeps nothing: what recordings answer is no token.
pub struct NoTokens;

#[async_trait]
impl TokenStore for NoTokens {
    async fn token(&self, _name: &str) -> Result<Option<Secret>> {
        Ok(None)
    }

    async fn keep_token(&self, _name: &str, _token: &Secret) -> Result<()> {
        Ok(())
    }
}

/// Returns the name that the token in place of `seed` is kept under. Two accounts of one client have tokens of their own, and
/// another token in the source starts anew: the seed tells them apart.
pub fn token_name(endpoint: &Url, client: &str, seed: &Secret) -> String {
    let digest = Sha256::digest(seed.reveal().as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{client} at {} from {digest}",
        crate::exchange::shown_url(endpoint)
    )
}
