//! A request ready to be sent, and a response read whole.

use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use encoding_rs::{DecoderResult, Encoding};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use sequor_planner::ops::RowFormat;
use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// The header by which a server knows a request again
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
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
    /// Whether it stands for the answer to a request that was not sent.
    pub made_up: bool,
    /// The charset where the content type names none.
    pub assumed: Option<&'static Encoding>,
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
            made_up: false,
            assumed: None,
            object: OnceLock::new(),
        }
    }

    /// Returns the body as UTF-8: a byte order mark counts first, then the content type's charset, then what the flow says.
    ///
    /// # Errors
    /// Bytes that don't fit the charset, with their place.
    pub fn utf8(&self) -> Result<Cow<'_, [u8]>> {
        let named = || Encoding::for_label(self.encoding().as_bytes());
        let marked = Encoding::for_bom(&self.body);
        let encoding = marked.map(|(encoding, _)| encoding).or_else(named);
        let encoding = encoding.unwrap_or(encoding_rs::UTF_8);
        if encoding == encoding_rs::UTF_8 {
            return match std::str::from_utf8(&self.body) {
                Ok(_) => Ok(Cow::Borrowed(&self.body)),
                Err(e) => Err(self.does_not_fit(e.valid_up_to(), "UTF-8")),
            };
        }
        let start = marked.map_or(0, |(_, length)| length);
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let bytes = &self.body[start..];
        let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
        let mut text = String::with_capacity(most.unwrap_or(bytes.len()));
        match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
            (DecoderResult::InputEmpty, _) => Ok(Cow::Owned(text.into_bytes())),
            (_, read) => Err(self.does_not_fit(start + read.saturating_sub(1), encoding.name())),
        }
    }

    fn does_not_fit(&self, at: usize, charset: &str) -> Error {
        let byte = self.body.get(at).copied().unwrap_or_default();
        let start = at.saturating_sub(20);
        let message = format!(
            "the response is no good {charset}: byte {at} is 0x{byte:02X}, behind `{}`",
            excerpt(&self.body[start..at])
        );
        Error::new(ErrorKind::Data, message)
            .help("say by `encoding` of the response how it is written, for example `encoding: latin-1`")
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
            .map(|c| c.trim_matches('"').to_string())
            .or_else(|| self.assumed.map(|encoding| encoding.name().to_ascii_lowercase()))
            .unwrap_or_else(|| self.unnamed().to_string())
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

/// Returns what a body is that should have held a secret, for messages: of JSON the names of its keys alone.
pub fn outline(text: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text) {
        Ok(entries) => {
            let keys: Vec<String> = entries.keys().map(|key| format!("`{key}`")).collect();
            format!("its JSON has the keys {}", keys.join(", "))
        }
        Err(_) => excerpt(text),
    }
}
