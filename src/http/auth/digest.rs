//! Digest auth (RFC 7616), by the crate `digest_auth`.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use digest_auth::{AuthContext, HttpMethod, WwwAuthenticateHeader};
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};

use super::super::transport::Transport;
use super::{Signer, sensitive};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::secret::Secret;

/// User name and password, and the server's last challenge: it serves for further requests, too.
pub struct Digest {
    pub username: String,
    pub password: Secret,
    challenge: Mutex<Option<WwwAuthenticateHeader>>,
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

impl Digest {
    /// Credentials; nothing is asked yet.
    pub fn new(username: String, password: Secret) -> Digest {
        Digest {
            username,
            password,
            challenge: Mutex::default(),
        }
    }

    fn challenge(&self) -> MutexGuard<'_, Option<WwwAuthenticateHeader>> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the last challenge, if there was one.
    fn answer(&self, request: &mut Request) -> Result<()> {
        let mut challenge = self.challenge();
        let Some(challenge) = challenge.as_mut() else {
            return Ok(());
        };
        let uri = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_string(),
        };
        let context = AuthContext::new_with_method(
            &self.username,
            self.password.reveal(),
            &uri,
            request.body.as_deref(),
            HttpMethod::from(request.method.as_str()),
        );
        let answer = challenge.respond(&context).map_err(|e| {
            Error::new(
                ErrorKind::Unauthorized,
                format!("the digest challenge can't be answered: {e}"),
            )
        })?;
        let value = sensitive(&answer.to_header_string())?;
        request.headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}

#[async_trait]
impl Signer for Digest {
    async fn sign(
        &self,
        _: &dyn Transport,
        request: &mut Request,
        refused: Option<&Response>,
    ) -> Result<bool> {
        if let Some(response) = refused {
            let given = response.headers.get_all(WWW_AUTHENTICATE).iter();
            let challenge = given
                .filter_map(|value| value.to_str().ok())
                .find_map(|text| digest_auth::parse(text).ok());
            let Some(challenge) = challenge else {
                return Ok(false);
            };
            *self.challenge() = Some(challenge);
        }
        self.answer(request)?;
        Ok(true)
    }
}
