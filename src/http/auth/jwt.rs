//! Tokens that are signed here (RFC 7519).

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use sequor_planner::syntax::JwtAlgorithm;
use serde_json::{Map, Value as Json};

use super::{renewal, sensitive};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;
use crate::secret::{Redactor, Secret};

/// How long a token lives when the source does not say.
const DEFAULT_LIFE: Duration = Duration::from_secs(5 * 60);

/// What a token is signed with, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    pub algorithm: JwtAlgorithm,
    /// The shared secret, or the private key in PEM.
    pub key: Secret,
    pub claims: Map<String, Json>,
    pub headers: Map<String, Json>,
    /// How long a token lives; none: 5 minutes.
    pub lives: Option<Duration>,
}

impl JwtSettings {
    /// Signs a token that is good from now on.
    ///
    /// # Errors
    /// A key that is none for the algorithm, or a header that has no meaning.
    pub fn sign(&self) -> Result<Secret> {
        let now = chrono::Utc::now().timestamp();
        let lives = i64::try_from(self.lives().as_secs()).unwrap_or(i64::MAX);
        let mut claims = self.claims.clone();
        claims.entry("iat").or_insert_with(|| now.into());
        claims
            .entry("exp")
            .or_insert_with(|| now.saturating_add(lives).into());
        let token = encode(&self.header()?, &claims, &self.encoding_key()?);
        token.map(Secret::new).map_err(|e| self.bad_key(&e))
    }

    fn lives(&self) -> Duration {
        self.lives.unwrap_or(DEFAULT_LIFE)
    }

    fn header(&self) -> Result<Header> {
        let mut header = self.headers.clone();
        header.entry("typ").or_insert_with(|| "JWT".into());
        header.insert(
            "alg".into(),
            serde_json::to_value(self.algorithm).unwrap_or_default(),
        );
        serde_json::from_value(Json::Object(header)).map_err(|e| {
            Error::new(ErrorKind::Project, format!("`headers` of the token: {e}"))
                .help("a token's header has texts, like `{kid: ...}`")
        })
    }

    fn encoding_key(&self) -> Result<EncodingKey> {
        if self.key.reveal().trim().is_empty() {
            return Err(
                Error::new(ErrorKind::Unauthorized, "the key of the source's `auth` is empty")
                    .help("check the variable that `key` reads"),
            );
        }
        // In variables of the environment, lines are often written with a backslash and an n.
        let text = self.key.reveal();
        let pem = match text.contains("\\n") && text.contains("-----BEGIN") {
            true => text.replace("\\n", "\n"),
            false => text.to_string(),
        };
        let key = match self.algorithm {
            JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512 => {
                return Ok(EncodingKey::from_secret(text.as_bytes()));
            }
            JwtAlgorithm::Rs256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            JwtAlgorithm::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()),
        };
        key.map_err(|e| self.bad_key(&e))
    }

    fn bad_key(&self, error: &jsonwebtoken::errors::Error) -> Error {
        let (name, help) = match self.algorithm {
            JwtAlgorithm::Rs256 => (
                "RS256",
                "a private key of RSA in PEM: `-----BEGIN PRIVATE KEY-----`",
            ),
            JwtAlgorithm::Es256 => (
                "ES256",
                "a private key of P-256 in PKCS #8: `openssl pkcs8 -topk8 -nocrypt -in key.pem` makes one",
            ),
            _ => ("HMAC", "the shared secret"),
        };
        let message = format!("the key of the source's `auth` signs nothing by {name}: {error}");
        Error::new(ErrorKind::Unauthorized, message).help(help)
    }
}

/// A token that requests carry, signed anew before it expires.
pub struct Jwt {
    pub settings: JwtSettings,
    redactor: Redactor,
    /// Never held over an await.
    token: Mutex<Option<(HeaderValue, Option<Instant>)>>,
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwt")
    }
}

impl Jwt {
    /// Returns a signer; nothing is signed yet.
    pub fn new(settings: JwtSettings, redactor: Redactor) -> Jwt {
        Jwt {
            settings,
            redactor,
            token: Mutex::default(),
        }
    }

    /// Adds a token to a request.
    ///
    /// # Errors
    /// As signing it.
    pub fn apply(&self, request: &mut Request) -> Result<()> {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match &*kept {
            Some((value, renew)) if renew.is_none_or(|renew| Instant::now() < renew) => value.clone(),
            _ => {
                let token = self.settings.sign()?;
                self.redactor.add(&token);
                let value = sensitive(&format!("Bearer {}", token.reveal()))?;
                let renew = renewal(self.settings.lives(), Duration::from_secs(30));
                kept.insert((value, renew)).0.clone()
            }
        };
        request.headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}
