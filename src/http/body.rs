//! Bodies of requests, in each format.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sequor_planner::ops::BodyFormat;

use super::build::pairs;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// In a body, text that renders to exactly this is JSON null.
const NULL: &str = "__NULL__";

/// A body and how to write it.
#[derive(Debug)]
pub struct Body {
    pub format: BodyFormat,
    pub value: Value,
}

impl Body {
    /// The bytes of the body. Its content type goes to `headers`, unless they have one.
    pub fn write(self, headers: &mut HeaderMap) -> Result<Bytes> {
        let value = nulls(self.value);
        let mut content_type = HeaderValue::from_static(match self.format {
            BodyFormat::Json => "application/json",
            BodyFormat::FormUrlencoded => "application/x-www-form-urlencoded",
            BodyFormat::Text => "text/plain; charset=utf-8",
            BodyFormat::Xml => "application/xml",
            BodyFormat::MultipartFormData => "multipart/form-data",
            BodyFormat::Binary => "application/octet-stream",
        });
        let bytes = match self.format {
            BodyFormat::Json => serde_json::to_vec(&value).map_err(|e| {
                Error::new(ErrorKind::Data, format!("the body can't be written as JSON: {e}"))
            })?,
            BodyFormat::FormUrlencoded => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(pairs(&value, "body")?);
                form.finish().into_bytes()
            }
            BodyFormat::Text | BodyFormat::Xml => text(&value, self.format)?.into_bytes(),
            BodyFormat::Binary => match &value {
                Value::Bytes(bytes) => bytes.to_vec(),
                value => text(value, self.format)?.into_bytes(),
            },
            BodyFormat::MultipartFormData => {
                let (bytes, boundary) = multipart(&value)?;
                let with_boundary = format!("multipart/form-data; boundary={boundary}");
                content_type = HeaderValue::from_str(&with_boundary).unwrap_or(content_type);
                bytes
            }
        };
        headers.entry(CONTENT_TYPE).or_insert(content_type);
        Ok(bytes.into())
    }
}

/// A body that is one text.
fn text(value: &Value, format: BodyFormat) -> Result<String> {
    let name = match format {
        BodyFormat::Xml => "xml",
        BodyFormat::Binary => "binary",
        _ => "text",
    };
    match value {
        Value::Null => Ok(String::new()),
        Value::List(_) | Value::Map(_) | Value::Row(_) | Value::Bytes(_) => Err(Error::new(
            ErrorKind::Data,
            format!(
                "a body with `body_format: {name}` must be text, and is {}",
                value.kind()
            ),
        )),
        value => Ok(value.to_text()),
    }
}

/// A form of several parts (RFC 7578), and the boundary between them. Bytes are sent as a file of their name.
fn multipart(value: &Value) -> Result<(Vec<u8>, String)> {
    let Value::Map(entries) = value else {
        let message = format!("`body` must be a map of names to values, and is {}", value.kind());
        return Err(Error::new(ErrorKind::Data, message));
    };
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, value) in entries.iter() {
        // As browsers escape names (the HTML standard, "multipart/form-data encoding algorithm").
        let quoted = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let head = format!("Content-Disposition: form-data; name=\"{quoted}\"");
        let items = match value {
            Value::List(items) => items.to_vec(),
            one => vec![one.clone()],
        };
        for item in items {
            match item {
                Value::Null => {}
                Value::Bytes(bytes) => {
                    let head =
                        format!("{head}; filename=\"{quoted}\"\r\nContent-Type: application/octet-stream");
                    parts.push((head, bytes.to_vec()));
                }
                item => parts.push((head.clone(), item.to_text().into_bytes())),
            }
        }
    }
    // The same form gives the same bytes, so that a recording answers it again.
    let mut boundary = String::from("sequor-form-boundary");
    while parts.iter().any(|(_, body)| contains(body, boundary.as_bytes())) {
        boundary.push('x');
    }
    let mut out = Vec::new();
    for (head, body) in parts {
        out.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
        out.extend_from_slice(&body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out, boundary))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Replaces the texts that stand for null.
fn nulls(value: Value) -> Value {
    match value {
        Value::Text(text) if &*text == NULL => Value::Null,
        Value::List(items) => Value::list(items.iter().cloned().map(nulls).collect()),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(k, v)| (k.clone(), nulls(v.clone())));
            Value::Map(std::sync::Arc::new(entries.collect()))
        }
        other => other,
    }
}
