//! A request ready to be sent, and a response read whole.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use url::Url;

/// The header by which a server knows a request again
/// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// How long it may take, where that differs from its source.
    pub timeout: Option<Duration>,
}

impl Request {
    /// Whether sending it twice is the same as sending it once: by its method (RFC 9110, 9.2.2), or by a key that the
    /// server knows it again by.
    pub fn is_idempotent(&self) -> bool {
        self.method.is_idempotent() || self.headers.contains_key(IDEMPOTENCY_KEY)
    }
}

/// A response with its whole body.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub url: Url,
    pub body: Bytes,
    /// What an interpreter made of the response, kept for the next expression.
    pub object: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Response {
    /// A response.
    pub fn new(status: u16, headers: HeaderMap, url: Url, body: Bytes) -> Self {
        Response {
            status,
            headers,
            url,
            body,
            object: OnceLock::new(),
        }
    }

    /// The charset that the content type names; UTF-8 when it names none.
    pub fn encoding(&self) -> String {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        content_type
            .and_then(|t| t.split(';').find_map(|p| p.trim().strip_prefix("charset=")))
            .map_or_else(|| "utf-8".to_string(), |c| c.trim_matches('"').to_string())
    }
}
