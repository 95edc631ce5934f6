//! The marks by which APIs know whether something has changed: `ETag` and `Last-Modified` of the last run's responses.

use reqwest::header::{ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::exchange::{Request, Response};

/// What a response is known by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
}

impl Mark {
    /// Returns that of a response; none where it has none.
    pub fn of(response: &Response) -> Option<Mark> {
        let text = |name: HeaderName| {
            let value = response.headers.get(name)?.to_str().ok()?;
            Some(value.to_string())
        };
        let (etag, last_modified) = (text(ETAG), text(LAST_MODIFIED));
        (etag.is_some() || last_modified.is_some()).then_some(Mark { etag, last_modified })
    }

    /// Asks only for what has changed since.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let given = [
            (IF_NONE_MATCH, &self.etag),
            (IF_MODIFIED_SINCE, &self.last_modified),
        ];
        for (name, value) in given {
            if let Some(value) = value.as_ref().and_then(|value| value.parse().ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// Returns the name of a request's mark: a hash, since urls hold secrets. `step` says which step asks, and what it makes of
/// the response: one that makes something else of it starts anew.
pub fn mark_name(step: &str, request: &Request) -> String {
    let text = format!("{step}\n{} {}", request.method, request.url);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
