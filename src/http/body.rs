//! Bodies of requests, in each format.

use std::path::Path;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sequor_planner::ops::BodyFormat;

use super::multipart::multipart;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// In a body, text that renders to exactly this is JSON null.
const NULL: &str = "__NULL__";

/// A body and how to write it.
#[derive(Debug)]
pub struct Body<'a> {
    pub format: BodyFormat,
    pub value: Value,
    /// The project's, which files of a form are in.
    pub folder: &'a Path,
}

impl Body<'_> {
    /// Returns the bytes of the body. Its content type goes to `headers`, unless they have one.
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
            BodyFormat::FormUrlencoded => form(&value)?.into_bytes(),
            BodyFormat::Text | BodyFormat::Xml => text(&value, self.format)?.into_bytes(),
            BodyFormat::Binary => match &value {
                Value::Bytes(bytes) => bytes.to_vec(),
                value => text(value, self.format)?.into_bytes(),
            },
            BodyFormat::MultipartFormData => {
                let (bytes, boundary) = multipart(&value, self.folder)?;
                let with_boundary = format!("multipart/form-data; boundary={boundary}");
                content_type = HeaderValue::from_str(&with_boundary).unwrap_or(content_type);
                bytes
            }
        };
        headers.entry(CONTENT_TYPE).or_insert(content_type);
        Ok(bytes.into())
    }
}

/// A form as Python's `urlencode` writes it: a value that is no text is the text of it, null and lists too.
fn form(value: &Value) -> Result<String> {
    let entries: Vec<(String, Value)> = match value {
        Value::Null => Vec::new(),
        Value::Map(_) | Value::Pairs(_) => {
            let entries = value.entries().unwrap_or_default();
            entries.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        Value::Row(row) => row.iter().map(|(k, v)| (k.to_string(), v)).collect(),
        other => {
            let message = format!("`body` must be a map of names to values, and is {}", other.kind());
            return Err(Error::new(ErrorKind::Data, message));
        }
    };
    let mut out = String::new();
    for (name, value) in entries {
        if !out.is_empty() {
            out.push('&');
        }
        quote_plus(name.as_bytes(), &mut out);
        out.push('=');
        match value {
            Value::Bytes(bytes) => quote_plus(&bytes, &mut out),
            value => quote_plus(value.to_text().as_bytes(), &mut out),
        }
    }
    Ok(out)
}

/// Encodes all but letters, digits and `_.-~`; a blank is a plus.
fn quote_plus(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"_.-~".contains(byte) => out.push(char::from(*byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
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
        Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Row(_) | Value::Bytes(_) => {
            Err(Error::new(
                ErrorKind::Data,
                format!(
                    "a body with `body_format: {name}` must be text, and is {}",
                    value.kind()
                ),
            ))
        }
        value => Ok(value.to_text()),
    }
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
        Value::Pairs(pairs) => {
            let pairs = pairs.iter().map(|(k, v)| (k.clone(), nulls(v.clone())));
            Value::Pairs(std::sync::Arc::new(pairs.collect()))
        }
        other => other,
    }
}
