//! Secrets: a type that can't be printed, and the redactor that takes them out of what is.

pub use sequor_planner::{is_secret_name, is_secret_variable};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands where a secret was.
pub const MASK: &str = "***";

/// Shorter secrets are not searched for in texts: they would be found everywhere.
const MIN_LENGTH: usize = 6;

/// A password, token or key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a text as secret.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Secret(text.into())
    }

    /// Returns the secret itself, for the one place that needs it.
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
    /// From now on, `secret` is masked: as it is, and as it looks in a URL, in JSON and in base64.
    pub fn add(&self, secret: &Secret) {
        let text = secret.reveal();
        if text.chars().count() < MIN_LENGTH {
            return;
        }
        let known = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|s| s.reveal() == text) {
            return;
        }
        drop(known);
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let percent = encoded.replace('+', "%20");
        let json = inside_quotes(text);
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let lower = lower_escapes(&percent);
        let forms = [text.to_string(), encoded, percent, lower, json].into_iter();
        for form in forms.chain(base64_forms(text)) {
            if !secrets.iter().any(|s| s.reveal() == form) {
                secrets.push(Secret::new(form));
            }
        }
        // A secret that holds another must go first.
        secrets.sort_by_key(|s| std::cmp::Reverse(s.reveal().len()));
    }

    /// As [`Redactor::add`], when the name of a variable says that its value is a secret.
    pub fn add_variable(&self, name: &str, value: &str) {
        if is_secret_variable(name) {
            self.add(&Secret::new(value));
        }
    }

    /// Returns a text as it is shown: secrets masked, control characters escaped.
    pub fn shown(&self, text: &str) -> String {
        without_controls(&self.redact(text)).into_owned()
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

/// A text with its escapes in lower case, as some write them.
fn lower_escapes(percent: &str) -> String {
    let mut parts = percent.split('%');
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (escape, rest) = part.split_at(part.len().min(2));
        out.push('%');
        out.push_str(&escape.to_ascii_lowercase());
        out.push_str(rest);
    }
    out
}

/// A text as it looks inside base64, wherever it begins: what other bytes have no part in.
fn base64_forms(text: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    // Fewer letters are found everywhere.
    const LEAST: usize = 8;
    let mut forms = Vec::new();
    for before in 0..3usize {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(text.as_bytes());
        // Letters that hold bits of what stands before or behind.
        let first = [0, 2, 3][before];
        let behind = usize::from(bytes.len() % 3 != 0);
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let own = encoded.get(first..encoded.len() - behind).unwrap_or_default();
            if own.len() >= LEAST {
                forms.push(own.to_string());
            }
        }
    }
    forms
}

/// Returns a text with its control characters written as escapes: an API's text must not clear a screen, or write a line
/// that looks like ours.
pub fn without_controls(text: &str) -> Cow<'_, str> {
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match control(c) {
            true => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Returns a URL without its password and without the values of parameters that are named like secrets.
pub fn mask_url(url: &url::Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() {
        let _ = shown.set_password(Some("***"));
    }
    if shown.query_pairs().any(|(name, _)| is_secret_name(&name)) {
        let pairs: Vec<(String, String)> = shown.query_pairs().into_owned().collect();
        shown
            .query_pairs_mut()
            .clear()
            .extend_pairs(pairs.iter().map(|(name, value)| {
                let value = if is_secret_name(name) { MASK } else { value };
                (name.as_str(), value)
            }));
    }
    shown.to_string()
}

/// Returns a JSON or form body without the values that are named like secrets; the rest of the text stays as it is.
pub fn mask_body(text: &str) -> String {
    let mut values = Vec::new();
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => secret_values(&json, &mut values),
        Err(_) if text.contains('=') && !text.contains(['\n', '<', '{', ' ']) => {
            let named = text.split('&').filter_map(|pair| pair.split_once('='));
            values.extend(
                named
                    .filter(|(name, _)| is_secret_name(name))
                    .map(|(_, value)| value.to_string()),
            );
        }
        Err(_) => {}
    }
    let mut masked = text.to_string();
    for value in values.iter().filter(|v| v.len() >= MIN_LENGTH) {
        masked = masked.replace(value.as_str(), MASK);
    }
    masked
}

/// A text as JSON writes it between quotes.
fn inside_quotes(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(text).to_string()
}

/// The strings under secret names, as JSON text writes them.
fn secret_values(json: &serde_json::Value, values: &mut Vec<String>) {
    match json {
        serde_json::Value::Object(entries) => {
            for (name, value) in entries {
                match value {
                    serde_json::Value::String(text) if is_secret_name(name) => {
                        values.push(inside_quotes(text));
                    }
                    value => secret_values(value, values),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| secret_values(item, values)),
        _ => {}
    }
}
