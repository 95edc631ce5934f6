//! Secrets: a type that can't be printed, and the redactor that takes them out of what is.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands where a secret was.
pub const MASK: &str = "***";

/// Shorter secrets are not searched for in texts: they would be found everywhere.
const MIN_LENGTH: usize = 4;

/// A password, token or key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a text as secret.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Secret(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Knows the secrets of a run and masks them in whatever is shown or written.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<RwLock<Vec<Secret>>>,
}

impl Redactor {
    /// From now on, `secret` is masked: as it is, and as it looks in a URL and in JSON.
    pub fn add(&self, secret: &Secret) {
        let text = secret.reveal();
        if text.chars().count() < MIN_LENGTH {
            return;
        }
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let percent = encoded.replace('+', "%20");
        let json = serde_json::Value::from(text).to_string();
        let json = json.trim_matches('"').to_string();
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        for form in [text.to_string(), encoded, percent, json] {
            if !secrets.iter().any(|s| s.reveal() == form) {
                secrets.push(Secret::new(form));
            }
        }
        // A secret that holds another must go first.
        secrets.sort_by_key(|s| std::cmp::Reverse(s.reveal().len()));
    }

    /// `text` with every secret masked.
    pub fn redact(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_string();
        for secret in secrets.iter() {
            if text.contains(secret.reveal()) {
                text = text.replace(secret.reveal(), MASK);
            }
        }
        text
    }
}
