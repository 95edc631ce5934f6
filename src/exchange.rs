//! A request ready to be sent, and a response read whole.

use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use sequor_planner::ops::RowFormat;
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
    /// How long the server may be silent, where that differs from its source.
    pub timeout: Option<Duration>,
    /// How long the whole of it may take, where that differs from its source.
    pub total_timeout: Option<Duration>,
}

impl Request {
    /// Tells whether sending it twice is the same as sending it once: by its method (RFC 9110, 9.2.2), or by a key
    /// that the server knows it again by.
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
    /// Creates a response.
    pub fn new(status: u16, headers: HeaderMap, url: Url, body: Bytes) -> Self {
        Response {
            status,
            headers,
            url,
            body,
            object: OnceLock::new(),
        }
    }

    /// Returns the body as UTF-8: a byte order mark counts first, then the content type's charset.
    pub fn utf8(&self) -> Cow<'_, [u8]> {
        let named = || encoding_rs::Encoding::for_label(self.encoding().as_bytes());
        let marked = encoding_rs::Encoding::for_bom(&self.body).map(|(encoding, _)| encoding);
        match marked.or_else(named) {
            Some(encoding) if encoding != encoding_rs::UTF_8 => {
                let (text, _, _) = encoding.decode(&self.body);
                Cow::Owned(text.into_owned().into_bytes())
            }
            _ => Cow::Borrowed(&self.body),
        }
    }

    /// Returns how its rows are written, as its content type says; JSON when that says nothing.
    pub fn row_format(&self) -> RowFormat {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let full = content_type.unwrap_or_default().to_ascii_lowercase();
        let kind = full.split(';').next().unwrap_or_default().trim();
        match kind {
            "text/csv" | "application/csv" | "text/tab-separated-values" => RowFormat::Csv,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/json-lines"
            | "application/jsonlines" => RowFormat::Jsonl,
            "text/xml" | "application/xml" => RowFormat::Xml,
            kind if kind.ends_with("+xml") => RowFormat::Xml,
            _ => RowFormat::Json,
        }
    }

    /// The charset of a body whose content type names none: UTF-8, unless it is text that is none.
    fn unnamed(&self) -> &'static str {
        let content_type = self.headers.get(CONTENT_TYPE).map(|v| v.as_bytes());
        let text = content_type.is_some_and(|t| t.len() >= 5 && t[..5].eq_ignore_ascii_case(b"text/"));
        match text && std::str::from_utf8(&self.body).is_err() {
            true => "iso-8859-1",
            false => "utf-8",
        }
    }

    /// Returns the charset that the content type names; UTF-8 when it names none, or Latin-1 for text that is no
    /// UTF-8.
    pub fn encoding(&self) -> String {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        content_type
            .and_then(|t| t.split(';').find_map(|p| p.trim().strip_prefix("charset=")))
            .map_or_else(|| self.unnamed().to_string(), |c| c.trim_matches('"').to_string())
    }
}

/// Returns the first characters of a response, for messages.
pub fn excerpt(text: &[u8]) -> String {
    if text.is_empty() {
        return "(empty)".into();
    }
    let shown = String::from_utf8_lossy(&text[..text.len().min(160)]);
    let line: Vec<&str> = shown.split_whitespace().collect();
    let dots = if text.len() > 160 { "..." } else { "" };
    format!("{}{dots}", line.join(" "))
}

/// Returns a url as messages show it: without its query, where secrets live, and without a user.
pub fn shown_url(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
