//! How requests prove who they are.

mod answer;
mod aws;
mod digest;
mod jwt;
mod oauth1;
mod oauth2;
mod session;
mod tokens;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::build::set_query;
use super::transport::Transport;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::secret::{MASK, Secret};

pub use aws::AwsSigv4;
pub use digest::Digest;
pub use jwt::{Jwt, JwtSettings};
pub use oauth1::OAuth1;
pub use oauth2::{Grant, OAuth2, OAuth2Settings};
pub use session::{Session, SessionSettings};
pub use tokens::{NoTokens, TokenStore};

/// Credentials, evaluated.
#[derive(Debug, Clone)]
pub enum Auth {
    Basic {
        username: String,
        password: Secret,
    },
    Bearer {
        token: Secret,
    },
    ApiKey {
        name: String,
        value: Secret,
        in_query: bool,
    },
    /// User name and password, never sent themselves (RFC 7616).
    Digest(Arc<Digest>),
    /// A token that is fetched, kept and renewed (RFC 6749).
    OAuth2(Arc<OAuth2>),
    /// A token that a login gives.
    Session(Arc<Session>),
    /// A token that is signed here (RFC 7519).
    Jwt(Arc<Jwt>),
    /// Each request is signed (RFC 5849).
    OAuth1(Arc<OAuth1>),
    /// Each request is signed, as AWS asks for.
    AwsSigv4(Arc<AwsSigv4>),
}

/// Credentials that depend on what the server says.
#[async_trait]
trait Signer: Send + Sync {
    /// Signs a request; with other credentials than it has when the server `refused` those. False: there are none.
    async fn sign(
        &self,
        transport: &dyn Transport,
        request: &mut Request,
        refused: Option<&Response>,
    ) -> Result<bool>;
}

impl Auth {
    /// User name and password as basic auth sends them (RFC 7617): a secret like the password itself.
    pub fn basic_pair(username: &str, password: &Secret) -> Secret {
        use base64::Engine as _;
        let pair = format!("{username}:{}", password.reveal());
        // Latin-1 where that can write it, as the Python Sequor has it and RFC 7617 allows; else UTF-8.
        let latin: Option<Vec<u8>> = pair.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let bytes = latin.unwrap_or_else(|| pair.into_bytes());
        Secret::new(base64::engine::general_purpose::STANDARD.encode(bytes))
    }

    /// Sends a request to which credentials were applied. Those that depend on the server are added now, and anew once
    /// when it refuses them.
    pub async fn send(&self, transport: &dyn Transport, step: &str, request: &Request) -> Result<Response> {
        let signer: &dyn Signer = match self {
            Auth::Digest(digest) => &**digest,
            Auth::OAuth2(oauth2) => &**oauth2,
            Auth::Session(session) => &**session,
            // It may have expired while the request waited.
            Auth::Jwt(jwt) => {
                let mut request = request.clone();
                jwt.apply(&mut request)?;
                return transport.send(step, &request).await;
            }
            // The time belongs to what is signed.
            Auth::OAuth1(oauth1) => {
                let mut request = request.clone();
                oauth1.sign(&mut request)?;
                return transport.send(step, &request).await;
            }
            Auth::AwsSigv4(aws) => {
                let mut request = request.clone();
                aws.sign(&mut request)?;
                return transport.send(step, &request).await;
            }
            _ => return transport.send(step, request).await,
        };
        let mut request = request.clone();
        signer.sign(transport, &mut request, None).await?;
        let response = transport.send(step, &request).await?;
        if response.status != 401 || !signer.sign(transport, &mut request, Some(&response)).await? {
            return Ok(response);
        }
        transport.send(step, &request).await
    }

    /// Adds to a redirected request at the same server what it does not carry over: a key in the query.
    pub fn renew(&self, request: &mut Request) {
        if let Auth::ApiKey {
            name,
            value,
            in_query: true,
        } = self
            && !request.url.query_pairs().any(|(n, _)| n == *name)
        {
            request.url.query_pairs_mut().append_pair(name, value.reveal());
        }
    }

    /// Adds what stands for credentials that are only known when a request is sent.
    pub fn stand_in(&self, request: &mut Request) -> Result<()> {
        let scheme = match self {
            Auth::Digest(_) => "Digest",
            Auth::OAuth2(_) | Auth::Jwt(_) => "Bearer",
            Auth::Session(session) => return session.stand_in(request),
            // What is signed is known already.
            Auth::OAuth1(oauth1) => return oauth1.sign(request),
            Auth::AwsSigv4(aws) => return aws.sign(request),
            _ => return Ok(()),
        };
        request
            .headers
            .insert(AUTHORIZATION, sensitive(&format!("{scheme} {MASK}"))?);
        Ok(())
    }

    /// Adds the credentials to a request, where they do not depend on the server. `linked`: whether the API gave its
    /// url, whose parameters stay as they are.
    pub fn apply(&self, request: &mut Request, linked: bool) -> Result<()> {
        match self {
            Auth::Basic { username, password } => {
                let pair = Auth::basic_pair(username, password);
                request
                    .headers
                    .insert(AUTHORIZATION, sensitive(&format!("Basic {}", pair.reveal()))?);
            }
            Auth::Bearer { token } => {
                let value = sensitive(&format!("Bearer {}", token.reveal()))?;
                request.headers.insert(AUTHORIZATION, value);
            }
            Auth::ApiKey {
                name,
                value,
                in_query: true,
            } => {
                let there = linked && request.url.query_pairs().any(|(n, _)| n == *name);
                if !there {
                    set_query(&mut request.url, name, value.reveal());
                }
            }
            Auth::ApiKey {
                name,
                value,
                in_query: false,
            } => {
                let header = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| Error::new(ErrorKind::Project, format!("`{name}` is not a header name")))?;
                request.headers.insert(header, sensitive(value.reveal())?);
            }
            // Known when the request is sent.
            Auth::Digest(_)
            | Auth::OAuth2(_)
            | Auth::Session(_)
            | Auth::Jwt(_)
            | Auth::OAuth1(_)
            | Auth::AwsSigv4(_) => {}
        }
        Ok(())
    }
}

/// Returns when a token of this life is to be renewed, so long before its end; none where no clock reaches that far.
fn renewal(lives: Duration, margin: Duration) -> Option<Instant> {
    // A request takes its time, and a short life is not all margin.
    Instant::now().checked_add(lives.saturating_sub(margin.min(lives / 2)))
}

/// A header value that is never printed.
fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::Unauthorized,
            "the credentials hold characters that a header can't carry",
        )
        .help("check for line breaks and other control characters in the secret")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
