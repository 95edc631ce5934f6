//! How requests prove who they are.

mod digest;
mod oauth2;

use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::transport::Transport;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::secret::{MASK, Secret};

pub use digest::Digest;
pub use oauth2::{Grant, OAuth2, OAuth2Settings};

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
}

impl Auth {
    /// User name and password as basic auth sends them (RFC 7617): a secret like the password itself.
    pub fn basic_pair(username: &str, password: &Secret) -> Secret {
        use base64::Engine as _;
        let pair = format!("{username}:{}", password.reveal());
        Secret::new(base64::engine::general_purpose::STANDARD.encode(pair))
    }

    /// Sends a request with the credentials; once more where the server asks for others than it got.
    pub async fn send(&self, transport: &dyn Transport, step: &str, request: &Request) -> Result<Response> {
        let mut request = request.clone();
        match self {
            Auth::Digest(digest) => digest.send(transport, step, request).await,
            Auth::OAuth2(oauth2) => oauth2.send(transport, step, request).await,
            _ => {
                self.apply(&mut request)?;
                transport.send(step, &request).await
            }
        }
    }

    /// Adds the credentials to a request; those that are only known when it is sent, masked.
    pub fn apply(&self, request: &mut Request) -> Result<()> {
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
                request.url.query_pairs_mut().append_pair(name, value.reveal());
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
            Auth::Digest(_) => {
                let value = sensitive(&format!("Digest {MASK}"))?;
                request.headers.insert(AUTHORIZATION, value);
            }
            Auth::OAuth2(_) => {
                let value = sensitive(&format!("Bearer {MASK}"))?;
                request.headers.insert(AUTHORIZATION, value);
            }
        }
        Ok(())
    }
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
