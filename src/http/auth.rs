//! How requests prove who they are.

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;
use crate::secret::Secret;

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
}

impl Auth {
    /// User name and password as basic auth sends them (RFC 7617): a secret like the password itself.
    pub fn basic_pair(username: &str, password: &Secret) -> Secret {
        use base64::Engine as _;
        let pair = format!("{username}:{}", password.reveal());
        Secret::new(base64::engine::general_purpose::STANDARD.encode(pair))
    }

    /// Adds the credentials to a request.
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
